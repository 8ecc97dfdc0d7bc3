use super::*;
use crate::doctor::machine::tests::{Tree, pick};

fn examine(tree: &Tree, cpus: &[usize]) -> Vec<Finding> {
    let machine = tree.machine(cpus);
    findings(&machine, &Topology::read(&machine))
}

#[track_caller]
fn check_overview(tree: &Tree, cpus: &[usize], expected: &str) {
    assert_eq!(pick(&examine(tree, cpus), "topology").seen, expected);
}

#[track_caller]
fn check_smt(cpus: &[usize], severity: Severity, seen: &str, mend: Option<&str>) {
    let finding = pick(&examine(&Tree::ryzen(), cpus), "smt");
    assert_eq!((finding.severity, finding.mend.as_deref()), (severity, mend), "{cpus:?}");
    assert_eq!(finding.seen, seen);
}

#[test]
fn packages_cores_caches_and_nodes_are_counted() {
    let ryzen = "1 package, 8 cores, 16 CPUs, 1 L3 group, 1 NUMA node; chosen: CPUs 0-3.";
    check_overview(&Tree::ryzen(), &[0, 1, 2, 3], ryzen);
    let sockets = "2 packages, 8 cores, 8 CPUs, 2 L3 groups, 2 NUMA nodes; chosen: CPU 5.";
    check_overview(&Tree::two_sockets(), &[5], sockets);
    let guest = "1 package, 2 cores, 2 CPUs, 0 L3 groups, 1 NUMA node; chosen: CPUs 0-1.";
    check_overview(&Tree::guest(), &[0, 1], guest);
}

#[test]
fn chosen_cpus_that_share_a_core_are_paired_and_one_of_each_is_offered() {
    let mend = Some("ringpace serve --cpus 0-1");
    let seen = "Chosen CPUs share a core: 0,8 and 1,9.";
    check_smt(&[0, 1, 8, 9], Severity::Warn, seen, mend);
}

#[test]
fn a_sibling_that_was_not_chosen_is_to_be_taken_offline() {
    let seen = "CPUs 8-9, of the same cores as the chosen, may run anything.";
    let mend = "for c in 8 9; do echo 0 | sudo tee /sys/devices/system/cpu/cpu$c/online; done";
    check_smt(&[0, 1], Severity::Warn, seen, Some(mend));
}

#[test]
fn cores_with_one_thread_have_nothing_to_mend() {
    let finding = pick(&examine(&Tree::two_sockets(), &[0, 1]), "smt");
    assert_eq!((finding.severity, finding.mend), (Severity::Good, None));
}

#[test]
fn cpus_of_two_sockets_are_two_nodes_and_two_l3_groups() {
    let findings = examine(&Tree::two_sockets(), &[2, 3, 4]);
    let numa = pick(&findings, "numa");
    assert_eq!(numa.severity, Severity::Warn);
    assert_eq!(numa.mend.as_deref(), Some("ringpace serve --cpus 2-3"));
    assert_eq!(pick(&findings, "l3").seen, "The chosen CPUs are in 2 L3 groups: 0-3 and 4-7.");
}

#[test]
fn cpus_of_one_socket_say_nothing_of_nodes() {
    let findings = examine(&Tree::two_sockets(), &[4, 5]);
    assert!(!findings.iter().any(|finding| finding.id == "numa" || finding.id == "l3"));
}
