//! What the kernel and the hypervisor did to one thread and its CPU between two points in time, from
//! /proc.
//!
//! A reading takes some hundred microseconds, so it belongs before and after what is measured. What
//! a kernel does not tell is `None`, never zero. Start at [`Snapshot::take`].

use super::process::clock_ticks_per_second;
use crate::results::Disturbance;
use std::fs;

/// The counters at one point in time.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot {
    cpu: Option<usize>,
    counters: Disturbance,
}

impl Snapshot {
    /// Of the calling thread, and of `cpu` if the thread is pinned to one.
    pub fn take(cpu: Option<usize>) -> Snapshot {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let of_cpu = |path: &str| cpu.and_then(|cpu| column_sum(&read(path), cpu));
        let steal = cpu.and_then(|cpu| steal_ticks(&read("/proc/stat"), cpu));
        let counters = Disturbance {
            steal_ns: steal.map(|ticks| ticks.saturating_mul(tick_ns())),
            interrupts: of_cpu("/proc/interrupts"),
            softirqs: of_cpu("/proc/softirqs"),
            migrations: number(&read("/proc/thread-self/sched"), "se.nr_migrations"),
            involuntary_switches: number(
                &read("/proc/thread-self/status"),
                "nonvoluntary_ctxt_switches",
            ),
        };
        Snapshot { cpu, counters }
    }

    /// What has happened since; to be asked by the same thread.
    pub fn since(&self) -> Disturbance {
        let now = Snapshot::take(self.cpu).counters;
        let past = |now: Option<u64>, then: Option<u64>| Some(now?.saturating_sub(then?));
        Disturbance {
            steal_ns: past(now.steal_ns, self.counters.steal_ns),
            interrupts: past(now.interrupts, self.counters.interrupts),
            softirqs: past(now.softirqs, self.counters.softirqs),
            migrations: past(now.migrations, self.counters.migrations),
            involuntary_switches: past(
                now.involuntary_switches,
                self.counters.involuntary_switches,
            ),
        }
    }
}

fn tick_ns() -> u64 {
    1_000_000_000 / clock_ticks_per_second().max(1)
}

/// The eighth figure of `cpuN` in /proc/stat (proc(5)), in ticks.
fn steal_ticks(stat: &str, cpu: usize) -> Option<u64> {
    let name = format!("cpu{cpu}");
    let line = stat.lines().find(|line| line.split_whitespace().next() == Some(&name))?;
    line.split_whitespace().nth(8)?.parse().ok()
}

/// The sum of a CPU's column in /proc/interrupts or /proc/softirqs, whose first line names the CPUs.
fn column_sum(table: &str, cpu: usize) -> Option<u64> {
    let mut lines = table.lines();
    let name = format!("CPU{cpu}");
    let column = lines.next()?.split_whitespace().position(|heading| heading == name)?;
    // Lines that have no such column (ERR, MIS) count for no CPU.
    let cell = |line: &str| line.split_whitespace().nth(column + 1)?.parse::<u64>().ok();
    Some(lines.filter_map(cell).sum())
}

/// `NAME : 5` or `NAME: 5`.
fn number(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim_start().strip_prefix(':')?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_of_the_kernel_are_read_by_cpu() {
        let stat =
            "cpu  9 9 9 9 9 9 9 99 9 9\ncpu0 1 2 3 4 5 6 7 8 0 0\ncpu10 0 0 0 0 0 0 0 5 0 0\n";
        assert_eq!((steal_ticks(stat, 0), steal_ticks(stat, 10)), (Some(8), Some(5)));
        assert_eq!(steal_ticks(stat, 1), None);
        let interrupts =
            "      CPU0  CPU2\n  1:  5  7  IO-APIC  timer\nLOC: 10 20 Local timer\nERR: 3\n";
        assert_eq!((column_sum(interrupts, 0), column_sum(interrupts, 2)), (Some(18), Some(27)));
        assert_eq!((column_sum(interrupts, 1), column_sum("", 0)), (None, None));
        assert_eq!(number("se.nr_migrations   :   42\n", "se.nr_migrations"), Some(42));
        assert_eq!(
            number("nonvoluntary_ctxt_switches:\t7\n", "nonvoluntary_ctxt_switches"),
            Some(7)
        );
        assert_eq!(number("", "x"), None);
    }

    #[test]
    fn a_thread_that_is_not_pinned_has_no_cpu_of_its_own() {
        let since = Snapshot::take(None).since();
        assert_eq!((since.steal_ns, since.interrupts, since.softirqs), (None, None, None));
        assert!(since.involuntary_switches.is_some(), "every Linux counts those");
    }
}
