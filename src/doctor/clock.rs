//! The clock that all figures are read from: its source, what reading it costs, timer slack.

use super::finding::{Finding, Severity};
use super::machine::Machine;
use crate::clock::Clock;
use crate::units::Nanos;

const SOURCE: &str = "sys/devices/system/clocksource/clocksource0/current_clocksource";
const SOURCES: &str = "sys/devices/system/clocksource/clocksource0/available_clocksource";

/// Kernel: the sources that the vDSO can read without a system call (arch/x86/include/asm/vdso,
/// drivers/clocksource/arm_arch_timer.c and timer-riscv.c).
const BY_VDSO: [&str; 6] = [
    "tsc",
    "kvm-clock",
    "hyperv_clocksource_tsc_page",
    "arch_sys_counter",
    "riscv_clocksource",
    "tsc-early",
];

/// Chosen: above four times what the vDSO takes, reading the clock shows in a profile.
const DEAR: Nanos = Nanos(100);

/// What one reading of `clock` costs: the mean of the fastest of some batches, since whatever disturbs a
/// batch only makes it slower. Takes about half a millisecond where the vDSO works.
pub(super) fn read_cost(clock: &impl Clock) -> Nanos {
    const BATCHES: u32 = 10;
    const READINGS: u64 = 1_000;
    let batch = |_| {
        let begin = clock.now();
        let end = (0..READINGS).fold(begin, |_, _| clock.now());
        Nanos(end.saturating_since(begin).0 / READINGS)
    };
    (0..BATCHES).map(batch).min().unwrap_or(Nanos::ZERO)
}

pub(super) fn findings(machine: &Machine, cost: Nanos) -> Vec<Finding> {
    let mut findings = vec![source(machine, cost)];
    findings.extend(slack(machine));
    findings
}

fn source(machine: &Machine, cost: Nanos) -> Finding {
    let why = "Every request is stamped three times and a pacer reads the clock all the time; a source \
               that needs a system call costs ten times more and takes the kernel's locks.";
    let source = machine.line(SOURCE).unwrap_or_else(|| "unknown".to_string());
    let seen = format!("The clock source is {source}; reading it takes {cost}.");
    let is_cheap = BY_VDSO.contains(&source.as_str());
    let severity = match (is_cheap, cost <= DEAR) {
        (_, true) => Severity::Good,
        (true, false) => Severity::Warn,
        (false, false) => Severity::Bad,
    };
    let finding = Finding::new(severity, "clock-source", seen, why);
    if severity == Severity::Good || source == "tsc" {
        return finding;
    }
    let available = machine.line(SOURCES).unwrap_or_default();
    let has_tsc = available.split_whitespace().any(|name| name == "tsc");
    finding.mended_by(match has_tsc {
        true => format!("echo tsc | sudo tee /{SOURCE}"),
        false => machine.boot_with("tsc=reliable"),
    })
}

/// `None` where the kernel does not say (before 4.6).
fn slack(machine: &Machine) -> Option<Finding> {
    let slack = Nanos(machine.line("proc/self/timerslack_ns")?.parse().ok()?);
    let why = "A sleep may end that much late. Ringpace asks for 1 ns on its own threads; other servers \
               keep what they inherit, and only they can change it.";
    let seen = format!("The timer slack is {slack}.");
    let severity = if slack <= DEFAULT_SLACK { Severity::Good } else { Severity::Warn };
    Some(Finding::new(severity, "timer-slack", seen, why))
}

/// Kernel: init_task's timer_slack_ns, which every process inherits.
const DEFAULT_SLACK: Nanos = Nanos::from_micros(50);

#[cfg(test)]
mod tests;
