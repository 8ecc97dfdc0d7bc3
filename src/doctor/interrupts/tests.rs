use super::*;

/// As captured on a guest, shortened.
const GUEST: &str = "           CPU0       CPU1       \n \
 24:          1          0  IO-APIC   5-edge      ACPI:Ged\n \
 36:          7      97788 PCI-MSIX-0000:00:02.0   1-edge      virtio1-req.0\n\
LOC:     240823     240059   Local timer interrupts\n\
ERR:          0\n";

/// (id, name, count on all CPUs) of each line.
#[track_caller]
fn check(text: &str, expected: &[(&str, &str, u64)]) {
    let interrupts = Interrupts::parse(text);
    let cpus: Vec<usize> = (0..64).collect();
    let read: Vec<(&str, &str, u64)> = interrupts
        .lines()
        .iter()
        .map(|line| (&*line.id, &*line.name, interrupts.count(line, &cpus)))
        .collect();
    assert_eq!(read, expected);
}

#[test]
fn lines_read_with_their_name_and_counts() {
    let expected = [
        ("24", "ACPI:Ged", 1),
        ("36", "virtio1-req.0", 97_795),
        ("LOC", "Local timer interrupts", 480_882),
    ];
    check(GUEST, &expected);
}

#[test]
fn a_line_may_have_many_actions_or_none_or_another_architecture_s_form() {
    check(
        " CPU0\n 16: 5 IR-IO-APIC 16-fasteoi ehci_hcd:usb1, uhci\n",
        &[("16", "ehci_hcd:usb1, uhci", 5)],
    );
    check(" CPU0\n 17: 5 IR-IO-APIC 17-fasteoi\n", &[("17", "", 5)]);
    check(" CPU0\n 11: 5 GICv3 27 Level arch_timer\n", &[("11", "arch_timer", 5)]);
}

#[test]
fn text_that_is_no_table_has_no_lines() {
    for text in ["", "\n", " CPU0 CPU1\n 1: 2", " CPU0\nnothing", " 1: 2 3\n", " CPU0\n 1: x\n"] {
        check(text, &[]);
    }
}

#[test]
fn columns_are_those_of_the_cpus_that_are_online() {
    let interrupts = Interrupts::parse(" CPU0 CPU2\n 1: 10 20 X 1-edge a\n");
    let line = &interrupts.lines()[0];
    assert_eq!(interrupts.count(line, &[1]), 0);
    assert_eq!(interrupts.count(line, &[2]), 20);
}

#[test]
fn a_difference_counts_what_has_fired_since() {
    let earlier = Interrupts::parse(" CPU0 CPU1\n 1: 10 20 X 1-edge a\n");
    let later = Interrupts::parse(" CPU0 CPU1\n 1: 13 20 X 1-edge a\n 2: 0 4 X 2-edge b\n");
    let since = later.since(&earlier);
    let counts: Vec<u64> = since.lines().iter().map(|line| since.count(line, &[0, 1])).collect();
    assert_eq!(counts, [3, 4]);
    // A counter that went back was reset; nothing is known of it.
    let reset = earlier.since(&later);
    assert_eq!(reset.count(&reset.lines()[0], &[0]), 0);
}

#[test]
fn a_cpu_that_came_in_between_makes_readings_incomparable() {
    let earlier = Interrupts::parse(" CPU0\n 1: 10 X 1-edge a\n");
    let later = Interrupts::parse(" CPU0 CPU1\n 1: 13 20 X 1-edge a\n");
    assert!(later.since(&earlier).lines().is_empty());
}
