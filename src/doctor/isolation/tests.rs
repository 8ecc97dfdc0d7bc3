use super::*;
use crate::doctor::machine::tests::{Tree, pick};

const ISOLATED: &str = "sys/devices/system/cpu/isolated";
const TICKLESS: &str = "sys/devices/system/cpu/nohz_full";

#[track_caller]
fn check(tree: &Tree, cpus: &[usize], id: &str, severity: Severity, seen: &str) -> Option<String> {
    let finding = pick(&findings(&tree.machine(cpus)), id);
    assert_eq!((finding.severity, finding.seen.as_str()), (severity, seen));
    finding.mend
}

#[test]
fn chosen_cpus_that_nothing_isolates_are_named_with_one_command_for_all() {
    let tree = Tree::ryzen();
    let mend =
        check(&tree, &[2, 3], "isolcpus", Severity::Warn, "isolcpus does not cover CPUs 2-3.");
    let arguments = "isolcpus=managed_irq,domain,2-3 nohz_full=2-3 rcu_nocbs=2-3";
    assert!(mend.unwrap().contains(arguments));
}

#[test]
fn the_command_names_only_what_is_missing() {
    let tree = Tree::ryzen();
    tree.put(ISOLATED, "2-3\n");
    check(&tree, &[2, 3], "isolcpus", Severity::Good, "isolcpus covers every chosen CPU.");
    let mend =
        check(&tree, &[2, 3], "nohz_full", Severity::Note, "nohz_full does not cover CPUs 2-3.");
    let mend = mend.unwrap();
    assert!(mend.contains("nohz_full=2-3 rcu_nocbs=2-3") && !mend.contains("isolcpus"), "{mend}");
}

#[test]
fn a_system_is_left_one_cpu() {
    let tree = Tree::guest();
    let mend =
        check(&tree, &[0, 1], "isolcpus", Severity::Warn, "isolcpus does not cover CPUs 0-1.");
    assert!(mend.unwrap().contains("domain,1 "));
    tree.put("sys/devices/system/cpu/online", "0\n");
    let mend = check(&tree, &[0], "isolcpus", Severity::Warn, "isolcpus does not cover CPU 0.");
    assert_eq!(mend, None);
}

#[test]
fn a_tickless_cpu_has_its_callbacks_offloaded() {
    let tree = Tree::ryzen();
    tree.put(TICKLESS, "2\n");
    tree.put("proc/cmdline", "rcu_nocbs=1 quiet rcu_nocbs=3\n");
    let good = "rcu_nocbs covers every chosen CPU.";
    check(&tree, &[2, 3], "rcu_nocbs", Severity::Good, good);
    // The last argument counts.
    check(&tree, &[1, 2], "rcu_nocbs", Severity::Note, "rcu_nocbs does not cover CPU 1.");
    tree.put("proc/cmdline", "rcu_nocbs=all\n");
    check(&tree, &[0, 1], "rcu_nocbs", Severity::Good, good);
}
