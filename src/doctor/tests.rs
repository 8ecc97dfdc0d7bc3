use super::*;
use machine::tests::{Tree, pick};

fn quiet() -> Measured {
    Measured {
        ring: Ok(vec![Feature { name: "EXT_ARG", since: "5.11", works: true }]),
        clock_cost: Nanos(25),
        noise: Vec::new(),
        window: None,
        counters: Counters::default(),
    }
}

#[test]
fn a_ryzen_as_it_comes_is_told_what_everybody_has_to_mend() {
    let report = diagnose(&Tree::ryzen().machine(&[0, 1, 2, 3]), quiet());
    let warned: Vec<&str> = report
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Warn)
        .map(|finding| finding.id.as_str())
        .collect();
    let expected = [
        "smt",
        "governor",
        "boost",
        "c-states",
        "isolcpus",
        "irq-routes",
        "irqbalance",
        "huge-pages",
    ];
    assert_eq!(warned, expected);
    for id in warned {
        assert!(pick(&report.findings, id).mend.is_some(), "{id} can be mended");
    }
}

#[test]
fn findings_come_worst_first() {
    let measured = Measured { ring: Err(io::ErrorKind::PermissionDenied.into()), ..quiet() };
    let report = diagnose(&Tree::ryzen().machine(&[0]), measured);
    assert_eq!(report.findings[0].id, "io-uring");
    assert!(report.findings.is_sorted_by_key(|finding| finding.severity));
    let counted = [Severity::Bad, Severity::Warn, Severity::Note, Severity::Good];
    let counted: usize = counted.into_iter().map(|severity| report.count(severity)).sum();
    assert_eq!(counted, report.findings.len());
}

#[test]
fn no_finding_has_the_id_of_another() {
    for tree in [Tree::ryzen(), Tree::two_sockets(), Tree::guest()] {
        let report = diagnose(&tree.machine(&[0, 1]), quiet());
        report.findings.iter().for_each(|finding| drop(pick(&report.findings, &finding.id)));
    }
}

#[test]
fn a_report_survives_being_stored() {
    let report = diagnose(&Tree::ryzen().machine(&[0, 1]), quiet());
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    assert!(text.contains(r#""schema":"ringpace.doctor/1""#), "{text}");
    assert!(text.contains(r#""id":"governor","severity":"warn""#), "{text}");
}

#[test]
fn a_machine_that_shows_nothing_still_gets_a_report() {
    let tree = Tree::new(&[]);
    let report = diagnose(&tree.machine(&[0]), quiet());
    assert!(report.findings.iter().any(|finding| finding.id == "topology"));
    assert!(render(&report).lines().all(|line| line.chars().count() <= 100));
}

#[test]
fn files_full_of_rubbish_are_no_reason_to_stop() {
    let rubbish = "\u{0}:\n cpu9 x 99999999999999999999999 [ CPU1 -\n 1: \n(\n";
    let tree = Tree::ryzen();
    let files = [
        "sys/devices/system/cpu/online",
        "sys/devices/system/cpu/cpu0/topology/thread_siblings_list",
        "sys/devices/system/cpu/cpu0/cpuidle/state3/latency",
        "sys/devices/system/node/node0/cpulist",
        "sys/kernel/mm/transparent_hugepage/enabled",
        "proc/cpuinfo",
        "proc/cmdline",
        "proc/self/limits",
        "proc/self/status",
        "proc/irq/44/effective_affinity_list",
        "proc/sys/kernel/osrelease",
    ];
    files.iter().for_each(|file| tree.put(file, rubbish));
    let counters = || Counters { interrupts: rubbish.to_string(), stat: rubbish.to_string() };
    let window = Some((counters(), Nanos::from_secs(1)));
    let measured = Measured { window, counters: counters(), ..quiet() };
    let report = diagnose(&tree.machine(&[0, 1]), measured);
    assert!(!report.findings.is_empty());
}

#[test]
fn the_window_s_counters_are_what_is_reported() {
    let counters = |fired: u64, stolen: u64| Counters {
        interrupts: format!(" CPU0 CPU1\n 5: {fired} 0 X 5-edge eth0\n"),
        stat: format!("cpu0 100 0 0 {} 0 0 0 {stolen} 0 0\n", 900 - stolen),
    };
    let window = Some((counters(1_000, 0), Nanos::from_secs(1)));
    let measured = Measured { window, counters: counters(1_007, 0), ..quiet() };
    let report = diagnose(&Tree::guest().machine(&[0]), measured);
    assert!(pick(&report.findings, "irq-load").seen.contains("7 times in 1.00 s"));
    assert!(pick(&report.findings, "steal").seen.ends_with("while spinning."));
}
