//! How deep the chosen CPUs sleep, and whether that can be held off by `/dev/cpu_dma_latency`.
//!
//! Matters to whoever sleeps in the kernel; a worker that spins never enters these states.

use super::finding::{Finding, Severity};
use super::machine::Machine;

/// An idle state of one CPU.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    name: String,
    /// How long leaving it takes, as the firmware says.
    exit_us: u64,
}

/// Chosen: a state that is left within this is below what a wake-up by the scheduler costs anyway.
const SHALLOW_US: u64 = 5;

const DEVICE: &str = "dev/cpu_dma_latency";

pub(super) fn findings(machine: &Machine) -> Vec<Finding> {
    vec![depth(machine), hold(machine)]
}

fn depth(machine: &Machine) -> Finding {
    let why = "Leaving a deep sleep delays the first request after a pause by the exit latency, so p99 \
               at a low rate measures the firmware's table. Not so with --wait spin.";
    let states = machine.cpus().iter().flat_map(|cpu| enabled(machine, *cpu));
    let Some(deepest) = states.max_by_key(|state| state.exit_us) else {
        let seen = match machine.is_virtual() {
            true => "The kernel has no idle states to choose from; the host has.",
            false => "The kernel has no idle states to choose from.",
        };
        return Finding::new(Severity::Note, "c-states", seen, why);
    };
    let driver = machine.line("sys/devices/system/cpu/cpuidle/current_driver");
    let driver = driver.map(|driver| format!(" ({driver})")).unwrap_or_default();
    let seen = format!(
        "The deepest idle state allowed is {}, left within {} us{driver}.",
        deepest.name, deepest.exit_us
    );
    if deepest.exit_us <= SHALLOW_US {
        // What a guest calls idle is an exit to the host, which is in no table of the guest's.
        let severity = if machine.is_virtual() { Severity::Note } else { Severity::Good };
        return Finding::new(severity, "c-states", seen, why);
    }
    // Kernel: anything but four bytes is read as a hexadecimal number (kernel/power/qos.c).
    Finding::new(Severity::Warn, "c-states", seen, why)
        .mended_by(format!("sudo sh -c 'exec 3>/{DEVICE}; echo 0 >&3; exec sleep infinity'"))
}

/// The states that `cpu` may enter.
fn enabled(machine: &Machine, cpu: usize) -> Vec<State> {
    let states = machine.names(&format!("sys/devices/system/cpu/cpu{cpu}/cpuidle"));
    let read = |state: &String| {
        let line = |file: &str| machine.cpu_line(cpu, &format!("cpuidle/{state}/{file}"));
        let is_enabled = line("disable").is_none_or(|disable| disable == "0");
        let exit_us = line("latency")?.parse().ok()?;
        is_enabled.then(|| State { name: line("name").unwrap_or_default(), exit_us })
    };
    states.iter().filter_map(read).collect()
}

fn hold(machine: &Machine) -> Finding {
    let why = "Whoever holds it open with a zero keeps every CPU out of deep sleep for that long, and \
               leaves no trace behind.";
    if !machine.has(DEVICE) {
        let seen = format!("There is no /{DEVICE}: idle states cannot be held off by it.");
        return Finding::new(Severity::Note, "cpu-dma-latency", seen, why);
    }
    if machine.may_write(DEVICE) {
        let seen = format!("/{DEVICE} may be held by this user.");
        return Finding::new(Severity::Good, "cpu-dma-latency", seen, why);
    }
    let seen = format!("/{DEVICE} is for root only.");
    Finding::new(Severity::Note, "cpu-dma-latency", seen, why)
        .mended_by(format!("sudo chmod o+rw /{DEVICE}"))
}

#[cfg(test)]
mod tests;
