use super::*;
use crate::doctor::machine::tests::{Tree, pick};

const TABLE: &str = "   CPU0 CPU1 CPU2 CPU3
 44:   0    0  500    0  IR-PCI-MSIX-0000:01:00.0 0-edge enp4s0-rx-0
 60:   0    0    0    9  IR-PCI-MSIX-0000:02:00.0 3-edge nvme0q3
LOC:   4    4 2000 2000  Local timer interrupts
RES:   0    0   20    0  Rescheduling interrupts
";

fn fired(within: Option<Nanos>) -> Fired {
    Fired { interrupts: Interrupts::parse(TABLE), within }
}

fn examine(cpus: &[usize], within: Option<Nanos>) -> Vec<Finding> {
    findings(&Tree::ryzen().machine(cpus), &fired(within))
}

#[test]
fn the_busiest_device_is_named_first_and_sent_elsewhere() {
    let finding = pick(&examine(&[2, 3], Some(Nanos::from_secs(2))), "irq-load");
    assert_eq!(finding.severity, Severity::Warn);
    let expected = "Devices have interrupted the chosen CPUs 509 times in 2.00 s: IRQ 44 \
                    (enp4s0-rx-0) 500, 60 (nvme0q3) 9.";
    assert_eq!(finding.seen, expected);
    let mend = "for i in 44 60; do echo 0-1,4-15 | sudo tee /proc/irq/$i/smp_affinity_list; done";
    assert_eq!(finding.mend.as_deref(), Some(mend));
}

#[test]
fn what_fired_since_the_start_is_only_worth_knowing() {
    let finding = pick(&examine(&[3], None), "irq-load");
    assert_eq!(finding.severity, Severity::Note);
    assert!(finding.seen.contains("since the machine's start: IRQ 60"), "{}", finding.seen);
}

#[test]
fn cpus_that_no_device_interrupted_are_well() {
    assert_eq!(pick(&examine(&[0, 1], None), "irq-load").severity, Severity::Good);
}

#[test]
fn interrupts_cannot_be_sent_elsewhere_if_every_cpu_was_chosen() {
    let all: Vec<usize> = (0..16).collect();
    let findings = examine(&all, None);
    assert_eq!(pick(&findings, "irq-load").mend, None);
    assert_eq!(pick(&findings, "irq-routes").severity, Severity::Note);
}

#[test]
fn a_route_is_where_the_chip_sends_it_if_that_is_known() {
    let routes = |cpus: &[usize]| pick(&examine(cpus, None), "irq-routes");
    // 44 is allowed everywhere and goes to CPU 2; of 60 only what is allowed is known.
    assert_eq!(routes(&[2]).seen, "1 of 2 device IRQs are routed to the chosen CPUs.");
    assert_eq!(routes(&[2]).severity, Severity::Warn);
    assert_eq!(routes(&[2, 9]).seen, "2 of 2 device IRQs are routed to the chosen CPUs.");
    assert_eq!(routes(&[3]).seen, "None of 2 device IRQs is routed to the chosen CPUs.");
}

#[test]
fn irqbalance_is_found_by_its_name_among_the_processes() {
    assert_eq!(pick(&examine(&[0], None), "irqbalance").severity, Severity::Warn);
    let quiet = Tree::new(&[("proc/7/comm", "bash\n"), ("proc/self/comm", "irqbalance\n")]);
    let findings = findings(&quiet.machine(&[0]), &fired(None));
    assert_eq!(pick(&findings, "irqbalance").severity, Severity::Good);
}

#[test]
fn local_interrupts_are_a_rate_for_each_chosen_cpu() {
    let finding = pick(&examine(&[2, 3], Some(Nanos::from_secs(2))), "local-interrupts");
    let expected = "While spinning, CPUs 2-3 saw a second, each: 1000 timer, 5 rescheduling \
                    interrupts.";
    assert_eq!(finding.seen, expected);
    assert!(!examine(&[2], None).iter().any(|finding| finding.id == "local-interrupts"));
}
