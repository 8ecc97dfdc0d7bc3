use super::*;
use crate::doctor::machine::tests::{Tree, pick};

fn feature(name: &'static str, since: &'static str, works: bool) -> Feature {
    Feature { name, since, works }
}

/// errno values of every architecture that Linux has io_uring on.
const EPERM: i32 = 1;
const ENOMEM: i32 = 12;
const ENOSYS: i32 = 38;

#[track_caller]
fn check_refused(errno: i32, disabled: &str, because: &str, mend: Option<&str>) {
    let tree = Tree::new(&[(DISABLED, disabled)]);
    let refused = Err(io::Error::from_raw_os_error(errno));
    let finding = pick(&findings(&tree.machine(&[0]), &refused), "io-uring");
    assert_eq!(finding.severity, Severity::Bad);
    assert!(finding.seen.contains(because), "{}", finding.seen);
    assert_eq!(finding.mend.as_deref(), mend);
}

#[test]
fn a_refusal_says_who_refused() {
    let mend = Some("sudo sysctl kernel.io_uring_disabled=0");
    check_refused(EPERM, "2\n", "kernel.io_uring_disabled = 2", mend);
    check_refused(EPERM, "1\n", "kernel.io_uring_disabled = 1", mend);
    check_refused(EPERM, "0\n", "seccomp", None);
    check_refused(EPERM, "", "seccomp", None); // a kernel before 6.6 has no sysctl
    check_refused(ENOSYS, "", "built without it", None);
    let mend = Some("sudo prlimit --pid $$ --memlock=unlimited:unlimited");
    check_refused(ENOMEM, "0\n", "locked memory ran out", mend);
}

#[test]
fn missing_features_come_with_the_release_that_has_them() {
    let features = vec![feature("EXT_ARG", "5.11", true), feature("ABS_TIMER", "6.12", false)];
    let findings = findings(&Tree::ryzen().machine(&[0]), &Ok(features));
    let finding = pick(&findings, "ring-features");
    assert_eq!(finding.severity, Severity::Warn);
    assert_eq!(finding.seen, "This kernel lacks ABS_TIMER (Linux 6.12); it has EXT_ARG.");
    assert_eq!(pick(&findings, "ring-messages").severity, Severity::Note); // 6.8
}

#[test]
fn a_sysctl_that_keeps_others_out_is_mentioned() {
    let tree = Tree::new(&[(DISABLED, "1\n")]);
    let findings = findings(&tree.machine(&[0]), &Ok(vec![feature("EXT_ARG", "5.11", true)]));
    assert!(pick(&findings, "io-uring").seen.contains("keeps it from others"));
    assert_eq!(pick(&findings, "ring-features").severity, Severity::Good);
}

#[test]
fn releases_compare_by_number() {
    assert_eq!(release("6.18.44-fc-v657"), Some((6, 18)));
    assert_eq!(release("6.8"), Some((6, 8)));
    assert!(release("6.8") < Some(CHEAP_MESSAGES) && release("7.0-rc1") > Some(CHEAP_MESSAGES));
    for odd in ["", "6", "linux"] {
        assert_eq!(release(odd), None, "{odd}");
    }
}
