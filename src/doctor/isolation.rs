//! Whether the scheduler, the timer tick and RCU leave the chosen CPUs alone.

use super::finding::{Finding, Severity};
use super::machine::{Machine, cpu_list, name, show};

/// How a boot argument that isolates CPUs is written, before the list.
const FORMS: [(&str, &str); 3] = [
    ("isolcpus", "isolcpus=managed_irq,domain,"),
    ("nohz_full", "nohz_full="),
    ("rcu_nocbs", "rcu_nocbs="),
];

pub(super) fn findings(machine: &Machine) -> Vec<Finding> {
    let bare = FORMS.map(|(id, _)| {
        let covered = covered_by(machine, id);
        machine.cpus().iter().copied().filter(|cpu| !covered.contains(cpu)).collect::<Vec<_>>()
    });
    let cpus = isolable(machine);
    let missing = FORMS.iter().zip(&bare).filter(|(_, bare)| !bare.is_empty());
    let arguments: Vec<String> =
        missing.map(|((_, form), _)| format!("{form}{}", show(&cpus))).collect();
    // One command for all that is missing: they take effect together, at one reboot.
    let mend = (!cpus.is_empty()).then(|| machine.boot_with(&arguments.join(" ")));
    FORMS.iter().zip(&bare).map(|((id, _), bare)| judge(id, bare, &mend)).collect()
}

fn covered_by(machine: &Machine, id: &str) -> Vec<usize> {
    let listed = |file: &str| {
        cpu_list(&machine.line(&format!("sys/devices/system/cpu/{file}")).unwrap_or_default())
    };
    match id {
        "isolcpus" => listed("isolated"),
        "nohz_full" => listed("nohz_full"),
        _ => {
            let arguments = machine.text("proc/cmdline").unwrap_or_default();
            match argument(&arguments, id).unwrap_or_default() {
                "all" => machine.online().to_vec(),
                // Kernel: nohz_full implies rcu_nocbs for its CPUs.
                list => [cpu_list(list), listed("nohz_full")].concat(),
            }
        }
    }
}

fn judge(id: &str, bare: &[usize], mend: &Option<String>) -> Finding {
    if bare.is_empty() {
        let seen = format!("{id} covers every chosen CPU.");
        return Finding::new(Severity::Good, id, seen, why_of(id));
    }
    let severity = if id == "isolcpus" { Severity::Warn } else { Severity::Note };
    let seen = format!("{id} does not cover {}.", name(bare));
    Finding::new(severity, id, seen, why_of(id)).mended_by(mend.clone())
}

fn why_of(id: &str) -> &'static str {
    match id {
        "isolcpus" => {
            "The scheduler may put any other task on these CPUs, and a pinned worker then waits for its \
             turn: milliseconds in the tail. Leave at least one CPU to the system."
        }
        "nohz_full" => {
            "The timer tick interrupts a busy CPU 100 to 1,000 times a second for a microsecond or more \
             each."
        }
        _ => "RCU runs other CPUs' clean-up callbacks here in soft interrupts, in bursts.",
    }
}

/// The chosen CPUs, less the first if isolating that would leave the system none.
fn isolable(machine: &Machine) -> Vec<usize> {
    let first = usize::from(machine.spare().is_empty());
    machine.cpus().iter().copied().skip(first).collect()
}

/// The value of `name=value` on the kernel's command line; the last one counts, as in the kernel.
fn argument<'a>(arguments: &'a str, name: &str) -> Option<&'a str> {
    let pairs = arguments.split_whitespace().filter_map(|argument| argument.split_once('='));
    pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next_back()
}

#[cfg(test)]
mod tests;
