use super::*;
use crate::doctor::machine::tests::Tree;

const EARLIER: &str = "cpu  122053 0 39184 305859 1867 0 483 4289 0 0
cpu0 59469 0 20121 154894 254 0 97 2095 0 0
cpu1 62583 0 19062 150965 1612 0 386 2194 0 0
intr 1007350 0 0
";

#[track_caller]
fn check(cpus: &[usize], later: &str, earlier: Option<&str>, expected: Option<(Severity, &str)>) {
    let found = findings(&Tree::guest().machine(cpus), later, earlier);
    let found = found.first().map(|finding| (finding.severity, finding.seen.as_str()));
    assert_eq!(found, expected);
}

#[test]
fn the_share_of_the_window_decides() {
    let none = "cpu0 59669 0 20121 154894 254 0 97 2095 0 0\n";
    let good = "No time was stolen from the chosen CPUs while spinning.";
    check(&[0], none, Some(EARLIER), Some((Severity::Good, good)));
    let little = "cpu0 59668 0 20121 154894 254 0 97 2096 9 9\n";
    let warn = "0.50 % of CPU 0's time was stolen by the host while spinning.";
    check(&[0], little, Some(EARLIER), Some((Severity::Warn, warn)));
    let much = "cpu0 59659 0 20121 154894 254 0 97 2105 0 0\n";
    let bad = "5.00 % of CPU 0's time was stolen by the host while spinning.";
    check(&[0], much, Some(EARLIER), Some((Severity::Bad, bad)));
}

#[test]
fn the_worst_of_the_chosen_cpus_counts_and_no_other() {
    let seen = "0.93 % of CPU 1's time was stolen by the host since the machine's start.";
    check(&[0, 1], EARLIER, None, Some((Severity::Warn, seen)));
    let seen = "0.88 % of CPU 0's time was stolen by the host since the machine's start.";
    check(&[0], EARLIER, None, Some((Severity::Warn, seen)));
}

#[test]
fn a_kernel_that_counts_no_steal_has_no_finding() {
    check(&[0], "cpu0 1 2 3 4\ncpux\ncpu0\n", None, None);
    check(&[0], "", None, None);
}
