use super::*;
use crate::doctor::machine::tests::{Tree, pick};

#[track_caller]
fn check_boost(path: &str, value: &str, severity: Severity, mend: Option<&str>) {
    let tree = Tree::new(&[(path, value)]);
    let finding = pick(&findings(&tree.machine(&[0])), "boost");
    assert_eq!((finding.severity, finding.mend.as_deref()), (severity, mend), "{path} = {value}");
}

#[test]
fn one_cpu_with_another_governor_is_enough_to_warn() {
    let tree = Tree::ryzen();
    for cpu in 0..3 {
        let path = format!("sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor");
        tree.put(&path, "performance\n");
    }
    let governor = |cpus: &[usize]| pick(&findings(&tree.machine(cpus)), "governor");
    assert_eq!(governor(&[0, 1, 2]).severity, Severity::Good);
    let mixed = governor(&[0, 1, 2, 3]);
    assert_eq!(mixed.severity, Severity::Warn);
    let expected =
        "The governor is performance on CPUs 0-2, powersave on CPU 3, driver amd-pstate-epp.";
    assert_eq!(mixed.seen, expected);
    assert!(mixed.mend.unwrap().starts_with("echo performance | sudo tee /sys/"));
}

#[test]
fn a_guest_leaves_the_clock_rate_to_the_host() {
    let findings = findings(&Tree::guest().machine(&[0, 1]));
    let governor = pick(&findings, "governor");
    assert_eq!((governor.severity, governor.mend), (Severity::Note, None));
    assert!(governor.seen.contains("the host"), "{}", governor.seen);
    assert!(!findings.iter().any(|finding| finding.id == "boost"));
}

#[test]
fn boost_is_read_from_either_switch() {
    let path = "sys/devices/system/cpu/cpufreq/boost";
    check_boost(path, "1\n", Severity::Warn, Some(&format!("echo 0 | sudo tee /{path}")));
    check_boost(path, "0\n", Severity::Good, None);
    check_boost(NO_TURBO, "0\n", Severity::Warn, Some(&format!("echo 1 | sudo tee /{NO_TURBO}")));
    check_boost(NO_TURBO, "1\n", Severity::Good, None);
}
