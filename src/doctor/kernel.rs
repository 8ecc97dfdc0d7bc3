//! Settings of the running kernel that cost time: transparent huge pages, mitigations.

use super::finding::{Finding, Severity};
use super::machine::Machine;

const THP: &str = "sys/kernel/mm/transparent_hugepage/enabled";
const VULNERABILITIES: &str = "sys/devices/system/cpu/vulnerabilities";

pub(super) fn findings(machine: &Machine) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(huge_pages(machine));
    findings.push(mitigations(machine));
    findings
}

fn huge_pages(machine: &Machine) -> Option<Finding> {
    let text = machine.line(THP)?;
    let mode = bracketed(&text)?;
    let why = "With `always` a page fault may stop to compact memory or to zero 2 MiB, and khugepaged \
               merges pages under a running process: stalls that come and go with the heap.";
    let seen = format!("Transparent huge pages are at `{mode}`.");
    if mode != "always" {
        return Some(Finding::new(Severity::Good, "huge-pages", seen, why));
    }
    let finding = Finding::new(Severity::Warn, "huge-pages", seen, why);
    Some(finding.mended_by(format!("echo madvise | sudo tee /{THP}")))
}

/// The choice that is in force: `madvise` of `always [madvise] never`.
fn bracketed(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once('[')?;
    Some(rest.split_once(']')?.0)
}

fn mitigations(machine: &Machine) -> Finding {
    let why = "Each makes system calls, context switches or branches dearer: compare figures only \
               between machines that have the same. Off is for a machine that runs nothing else.";
    let active: Vec<String> = machine
        .names(VULNERABILITIES)
        .into_iter()
        .filter(|name| {
            let status = machine.line(&format!("{VULNERABILITIES}/{name}")).unwrap_or_default();
            is_mitigated(&status)
        })
        .collect();
    if active.is_empty() {
        let seen = "No mitigation of a processor flaw is active.";
        return Finding::new(Severity::Good, "mitigations", seen, why);
    }
    let seen = format!("Mitigations are active: {}.", active.join(", "));
    Finding::new(Severity::Note, "mitigations", seen, why)
        .mended_by(machine.boot_with("mitigations=off"))
}

/// Some begin with `KVM: Mitigation:`, and a processor that is vulnerable all the same may still pay,
/// as with `Vulnerable: Safe RET, no microcode`.
fn is_mitigated(status: &str) -> bool {
    status.contains("Mitigation") || status.starts_with("Vulnerable: Safe RET")
}

#[cfg(test)]
mod tests;
