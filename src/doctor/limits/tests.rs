use super::*;
use crate::doctor::machine::tests::{Tree, pick};

#[track_caller]
fn check(line: &str, name: &str, expected: Option<(u64, u64)>) {
    let expected = expected.map(|(soft, hard)| Limit { soft, hard });
    assert_eq!(limit(line, name), expected, "{line}");
}

#[test]
fn limits_read_as_the_kernel_prints_them() {
    let files = "Max open files            1024                 1048576              files     ";
    check(files, "Max open files", Some((1_024, 1_048_576)));
    check(
        "Max locked memory unlimited unlimited bytes",
        "Max locked memory",
        Some((u64::MAX, u64::MAX)),
    );
    check("Max open files 1024", "Max open files", None);
    check("Max open files some many files", "Max open files", None);
    check("", "Max open files", None);
}

#[test]
fn the_hard_limit_of_descriptors_counts_since_the_soft_one_is_raised() {
    let finding = pick(&findings(&Tree::ryzen().machine(&[0])), "descriptors");
    assert_eq!(finding.severity, Severity::Good);
    assert_eq!(finding.seen, "This process may hold 1024 descriptors, 1048576 at most.");
    let few = Tree::new(&[("proc/self/limits", "Max open files 1024 4096 files\n")]);
    let finding = pick(&findings(&few.machine(&[0])), "descriptors");
    assert_eq!(finding.severity, Severity::Warn);
    assert!(finding.mend.unwrap().starts_with("sudo prlimit"));
}

#[test]
fn root_is_not_held_to_the_limit_of_locked_memory() {
    let tree = Tree::ryzen();
    let memory = || pick(&findings(&tree.machine(&[0])), "locked-memory");
    assert_eq!(memory().seen, "This process may lock 8 MiB of memory.");
    assert_eq!(memory().severity, Severity::Note);
    tree.put("proc/self/status", "Uid:\t0\t0\t0\t0\n");
    assert_eq!(memory().severity, Severity::Good);
}
