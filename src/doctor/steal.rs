//! Time that the host took from the chosen CPUs, as /proc/stat counts it.

use super::finding::{Finding, Severity};
use super::machine::Machine;

/// One CPU's time, in ticks of USER_HZ; only ratios of it are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ticks {
    cpu: usize,
    stolen: u64,
    total: u64,
}

/// Chosen: one stolen tick in a hundred delays at least one request in a hundred, which is p99.
const BAD_SHARE: f64 = 0.01;

/// From two readings of /proc/stat; with one only, over the time since the machine's start.
pub(super) fn findings(machine: &Machine, stat: &str, earlier: Option<&str>) -> Vec<Finding> {
    let why = "A request that arrives while the host runs something else waits for milliseconds, and no \
               counter of this machine says which request it was.";
    let worst = shares(&parse(stat), &earlier.map(parse).unwrap_or_default())
        .into_iter()
        .filter(|(cpu, _)| machine.cpus().contains(cpu))
        .max_by(|(_, a), (_, b)| a.total_cmp(b));
    let Some((cpu, share)) = worst else { return Vec::new() };
    let when = if earlier.is_some() { "while spinning" } else { "since the machine's start" };
    let finding = if share == 0.0 {
        let seen = format!("No time was stolen from the chosen CPUs {when}.");
        Finding::new(Severity::Good, "steal", seen, why)
    } else {
        let severity = if share < BAD_SHARE { Severity::Warn } else { Severity::Bad };
        let percent = 100.0 * share;
        let seen = format!("{percent:.2} % of CPU {cpu}'s time was stolen by the host {when}.");
        Finding::new(severity, "steal", seen, why)
    };
    vec![finding]
}

/// The stolen share of each CPU's time between two readings.
fn shares(later: &[Ticks], earlier: &[Ticks]) -> Vec<(usize, f64)> {
    let share = |now: &Ticks| {
        let zero = Ticks { cpu: now.cpu, stolen: 0, total: 0 };
        let before = earlier.iter().find(|ticks| ticks.cpu == now.cpu).unwrap_or(&zero);
        let stolen = now.stolen.saturating_sub(before.stolen) as f64;
        let total = now.total.saturating_sub(before.total).max(1) as f64;
        (now.cpu, stolen / total)
    };
    later.iter().map(share).collect()
}

/// The lines `cpuN user nice system idle iowait irq softirq steal ...` (proc_stat(5)). What follows
/// steal is the guests' time, which is in user and nice already.
fn parse(stat: &str) -> Vec<Ticks> {
    const STEAL: usize = 7;
    let line = |line: &str| {
        let (cpu, rest) = line.strip_prefix("cpu")?.split_once(' ')?;
        let ticks: Vec<u64> =
            rest.split_whitespace().take(STEAL + 1).map_while(|n| n.parse().ok()).collect();
        let total = ticks.iter().fold(0, |total: u64, ticks| total.saturating_add(*ticks));
        Some(Ticks { cpu: cpu.parse().ok()?, stolen: *ticks.get(STEAL)?, total })
    };
    stat.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests;
