//! Interrupts that land on the chosen CPUs: from devices, from timers, from other CPUs; irqbalance.

use super::finding::{Finding, Severity};
use super::interrupts::{Interrupts, Line};
use super::machine::{Machine, cpu_list, name, show};
use crate::units::Nanos;

/// What has fired, and in how long; `None`: since the machine was started.
#[derive(Clone, Debug)]
pub(super) struct Fired {
    pub(super) interrupts: Interrupts,
    pub(super) within: Option<Nanos>,
}

pub(super) fn findings(machine: &Machine, fired: &Fired) -> Vec<Finding> {
    let mut findings = vec![load(machine, fired), routes(machine), balance(machine)];
    findings.extend(local(machine, fired));
    findings
}

const WHY: &str = "A device's interrupt, and the network or block work that it starts, stops the worker on \
                   that CPU for 2 to 100 us, and its data displaces the worker's in the caches.";

/// Names listed in one finding. Chosen: the busiest few say where to look.
const NAMES_MAX: usize = 4;

/// Devices that did interrupt the chosen CPUs.
fn load(machine: &Machine, fired: &Fired) -> Finding {
    let lines = fired.interrupts.lines().iter().filter(|line| line.number().is_some());
    let counted = lines.map(|line| (fired.interrupts.count(line, machine.cpus()), line));
    let mut busy: Vec<(u64, &Line)> = counted.filter(|(count, _)| *count > 0).collect();
    busy.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    if busy.is_empty() {
        let seen = format!("No device has interrupted the chosen CPUs {}.", since(fired));
        return Finding::new(Severity::Good, "irq-load", seen, WHY);
    }
    let total: u64 = busy.iter().map(|(count, _)| count).sum();
    let listed: Vec<String> = busy
        .iter()
        .take(NAMES_MAX)
        .map(|(count, line)| format!("{} ({}) {count}", line.id, line.name))
        .collect();
    let more = if busy.len() > NAMES_MAX { ", ..." } else { "" };
    let seen = format!(
        "Devices have interrupted the chosen CPUs {total} times {}: IRQ {}{more}.",
        since(fired),
        listed.join(", ")
    );
    // Since the machine's start means little: they may have been routed elsewhere since.
    let severity = if fired.within.is_some() { Severity::Warn } else { Severity::Note };
    let numbers = busy.iter().filter_map(|(_, line)| line.number());
    let mend = reroute(machine, &numbers.collect::<Vec<_>>());
    Finding::new(severity, "irq-load", seen, WHY).mended_by(mend)
}

fn since(fired: &Fired) -> String {
    match fired.within {
        Some(span) => format!("in {span}"),
        None => "since the machine's start".to_string(),
    }
}

/// Devices that may interrupt the chosen CPUs at any time.
fn routes(machine: &Machine) -> Finding {
    let numbers: Vec<u32> =
        machine.names("proc/irq").iter().filter_map(|name| name.parse().ok()).collect();
    let lands_here =
        |number: &u32| target(machine, *number).iter().any(|cpu| machine.cpus().contains(cpu));
    let here: Vec<u32> = numbers.iter().copied().filter(lands_here).collect();
    if here.is_empty() {
        let seen = format!("None of {} device IRQs is routed to the chosen CPUs.", numbers.len());
        return Finding::new(Severity::Good, "irq-routes", seen, WHY);
    }
    let seen =
        format!("{} of {} device IRQs are routed to the chosen CPUs.", here.len(), numbers.len());
    let mend = reroute(machine, &here);
    let severity = if mend.is_some() { Severity::Warn } else { Severity::Note };
    Finding::new(severity, "irq-routes", seen, WHY).mended_by(mend)
}

/// Where the interrupt goes: the chip's choice among the CPUs that it is allowed.
fn target(machine: &Machine, number: u32) -> Vec<usize> {
    let read = |file: &str| machine.line(&format!("proc/irq/{number}/{file}"));
    let route = read("effective_affinity_list").or_else(|| read("smp_affinity_list"));
    cpu_list(&route.unwrap_or_default())
}

/// Sends the interrupts to the CPUs that were not chosen; `None` where all were. The kernel refuses
/// those that it manages itself (a queue a CPU, as with NVMe).
fn reroute(machine: &Machine, numbers: &[u32]) -> Option<String> {
    let spare = machine.spare();
    if spare.is_empty() || numbers.is_empty() {
        return None;
    }
    let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
    Some(format!(
        "for i in {}; do echo {} | sudo tee /proc/irq/$i/smp_affinity_list; done",
        numbers.join(" "),
        show(&spare)
    ))
}

fn balance(machine: &Machine) -> Finding {
    let why = "irqbalance moves interrupts every ten seconds, also back to where they were moved from: \
               one run has the network card's on the server's CPU and the next has not.";
    let processes = machine.names("proc");
    let is_pid = |name: &&String| name.bytes().all(|byte| byte.is_ascii_digit());
    let runs = processes
        .iter()
        .filter(is_pid)
        .any(|pid| machine.line(&format!("proc/{pid}/comm")).as_deref() == Some("irqbalance"));
    if runs {
        Finding::new(Severity::Warn, "irqbalance", "irqbalance is running.", why)
            .mended_by("sudo systemctl stop irqbalance".to_string())
    } else {
        Finding::new(Severity::Good, "irqbalance", "irqbalance is not running.", why)
    }
}

/// Kernel: arch/x86/kernel/irq.c. What interrupts a CPU besides devices.
const LOCAL: [(&str, &str); 4] =
    [("LOC", "timer"), ("RES", "rescheduling"), ("CAL", "function call"), ("TLB", "TLB shootdown")];

/// The architecture's own interrupts over the window; `None` without a window.
fn local(machine: &Machine, fired: &Fired) -> Option<Finding> {
    let seconds = fired.within?.as_secs_f64();
    let per_cpu = |line: &Line| {
        let count = fired.interrupts.count(line, machine.cpus());
        count as f64 / seconds / machine.cpus().len() as f64
    };
    let rates = LOCAL.iter().filter_map(|(id, what)| {
        let line = fired.interrupts.lines().iter().find(|line| line.id == *id)?;
        Some(format!("{:.0} {what}", per_cpu(line)))
    });
    let rates: Vec<String> = rates.collect();
    if rates.is_empty() {
        return None;
    }
    let seen = format!(
        "While spinning, {} saw a second, each: {} interrupts.",
        name(machine.cpus()),
        rates.join(", ")
    );
    let why = "Each takes a microsecond or more from the worker. nohz_full stops most timer ticks; the \
               others come from threads of the same process, and from whoever wakes what sleeps here.";
    Some(Finding::new(Severity::Note, "local-interrupts", seen, why))
}

#[cfg(test)]
mod tests;
