use super::*;
use crate::doctor::machine::tests::{Tree, pick};

#[test]
fn only_always_huge_is_to_be_mended() {
    let huge = |text: &str| pick(&findings(&Tree::new(&[(THP, text)]).machine(&[0])), "huge-pages");
    let always = huge("[always] madvise never\n");
    assert_eq!(always.severity, Severity::Warn);
    assert_eq!(always.mend.unwrap(), format!("echo madvise | sudo tee /{THP}"));
    assert_eq!(huge("always [madvise] never\n").severity, Severity::Good);
    assert_eq!(huge("always madvise [never]\n").seen, "Transparent huge pages are at `never`.");
}

#[test]
fn a_kernel_that_does_not_say_its_huge_page_mode_has_no_finding() {
    for text in ["", "always madvise never\n", "[alw"] {
        let findings = findings(&Tree::new(&[(THP, text)]).machine(&[0]));
        assert!(!findings.iter().any(|finding| finding.id == "huge-pages"), "{text:?}");
    }
}

#[track_caller]
fn check(status: &str, expected: bool) {
    assert_eq!(is_mitigated(status), expected, "{status}");
}

#[test]
fn a_flaw_costs_time_if_it_is_mitigated_in_any_way() {
    check("Not affected", false);
    check("Vulnerable", false);
    check("Vulnerable: No microcode", false);
    check("Mitigation: Retpolines; STIBP: disabled", true);
    check("KVM: Mitigation: VMX disabled", true);
    check("Vulnerable: Safe RET, no microcode", true);
}

#[test]
fn active_mitigations_are_named() {
    let finding = pick(&findings(&Tree::ryzen().machine(&[0])), "mitigations");
    assert_eq!(finding.seen, "Mitigations are active: spec_rstack_overflow, spectre_v2.");
    assert!(finding.mend.unwrap().contains("mitigations=off"));
}
