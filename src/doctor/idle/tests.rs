use super::*;
use crate::doctor::machine::tests::{Tree, pick};

fn depth_of(tree: &Tree) -> Finding {
    pick(&findings(&tree.machine(&[0, 1])), "c-states")
}

#[test]
fn the_deepest_state_of_any_chosen_cpu_counts() {
    let finding = depth_of(&Tree::ryzen());
    assert_eq!(finding.severity, Severity::Warn);
    let expected = "The deepest idle state allowed is C3, left within 350 us (acpi_idle).";
    assert_eq!(finding.seen, expected);
    assert!(finding.mend.unwrap().contains("/dev/cpu_dma_latency"));
}

#[test]
fn a_state_that_is_disabled_does_not_count() {
    let tree = Tree::ryzen();
    for cpu in 0..2 {
        for state in 2..4 {
            let folder = format!("sys/devices/system/cpu/cpu{cpu}/cpuidle/state{state}");
            tree.put(&format!("{folder}/disable"), "1\n");
        }
    }
    let finding = depth_of(&tree);
    assert_eq!((finding.severity, finding.mend), (Severity::Good, None));
    assert!(finding.seen.contains("C1, left within 1 us"), "{}", finding.seen);
}

#[test]
fn a_guest_s_shallow_table_is_no_promise() {
    assert_eq!(depth_of(&Tree::guest()).severity, Severity::Note);
}

#[test]
fn a_kernel_without_idle_states_says_so() {
    let finding = depth_of(&Tree::two_sockets());
    assert_eq!(finding.severity, Severity::Note);
    assert_eq!(finding.seen, "The kernel has no idle states to choose from.");
}

#[test]
fn the_latency_device_may_be_there_and_writable() {
    let hold = |tree: &Tree| pick(&findings(&tree.machine(&[0])), "cpu-dma-latency").severity;
    assert_eq!(hold(&Tree::ryzen()), Severity::Good);
    assert_eq!(hold(&Tree::guest()), Severity::Note);
}

#[test]
fn a_latency_device_that_does_not_open_is_for_root() {
    let tree = Tree::new(&[("dev/cpu_dma_latency/folder", "")]); // folders open for nobody
    let finding = pick(&findings(&tree.machine(&[0])), "cpu-dma-latency");
    assert_eq!(finding.mend.as_deref(), Some("sudo chmod o+rw /dev/cpu_dma_latency"));
}
