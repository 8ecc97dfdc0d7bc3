//! What a process uses of the machine: CPU, memory, context switches, migrations; of all its threads
//! and live children, as pidstat does it.
//!
//! The kernel's counters only rise, so a [`Sampler`] notes them about once a second together with the
//! time, and [`Sampler::usage`] takes the difference over exactly the window asked for, interpolating
//! between the two samples around each edge. CPU time comes from `schedstat` (nanoseconds) where
//! the kernel has it, else from `stat` (10 ms); the split into user and system always from `stat`.
//! What a thread or child used after the last sample before it ended is lost.
//!
//! Parsing is pure; the one thing that reads is [`ProcFs`]. Not here: when to sample (see `measure`).

use crate::io::process::{clock_ticks_per_second, stat_fields};
use crate::results::bench::{Usage, UsagePoint};
use crate::units::{Mono, Nanos};
use perf::PerfSeries;
use std::collections::HashMap;

mod perf;

/// Where the files of `/proc` come from.
pub trait ProcFs {
    /// The text of `/proc/{path}`; `None` if it is gone or was never there.
    fn read(&self, path: &str) -> Option<String>;

    /// The thread ids of `pid`; empty if it is gone.
    fn threads(&self, pid: u32) -> Vec<u32>;
}

/// The real `/proc`.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealProcFs;

impl ProcFs for RealProcFs {
    fn read(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(format!("/proc/{path}")).ok()
    }

    fn threads(&self, pid: u32) -> Vec<u32> {
        let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
    }
}

/// Follows one process and what it starts.
#[derive(Debug)]
pub struct Sampler<P> {
    proc_fs: P,
    root: u32,
    ticks_per_second: u64,
    /// The last counters of every live process and thread; totals grow by the differences.
    processes: HashMap<u32, ProcessCounters>,
    threads: HashMap<u32, ThreadCounters>,
    totals: Totals,
    samples: Vec<Sample>,
    /// What perf counts; `None` where `/proc` is not the real one.
    perf: Option<PerfSeries>,
}

/// Counters since the sampler was made.
#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    user_ticks: u64,
    system_ticks: u64,
    sched_ns: u64,
    voluntary: u64,
    involuntary: u64,
    migrations: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Mono,
    totals: Totals,
    rss_bytes: u64,
    peak_bytes: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct ProcessCounters {
    user_ticks: u64,
    system_ticks: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct ThreadCounters {
    sched_ns: u64,
    voluntary: u64,
    involuntary: u64,
    migrations: Option<u64>,
}

/// Chosen: no server under test starts more; a fork bomb must not take the bench with it.
const PROCESSES_MAX: usize = 1_024;

impl Sampler<RealProcFs> {
    /// A sampler of process `root`, whose threads and children perf counts from now on as far as the
    /// machine lets it.
    pub fn new(root: u32) -> Sampler<RealProcFs> {
        let sampler = Sampler::over(RealProcFs, root, clock_ticks_per_second());
        let threads: Vec<u32> =
            tree(&RealProcFs, root).into_iter().flat_map(|pid| RealProcFs.threads(pid)).collect();
        Sampler { perf: Some(PerfSeries::attach(&threads)), ..sampler }
    }
}

impl<P: ProcFs> Sampler<P> {
    /// A sampler of process `root` as `proc_fs` shows it, whose `stat` counts in
    /// `ticks_per_second`.
    pub fn over(proc_fs: P, root: u32, ticks_per_second: u64) -> Sampler<P> {
        Sampler {
            proc_fs,
            root,
            ticks_per_second,
            processes: HashMap::new(),
            threads: HashMap::new(),
            totals: Totals::default(),
            samples: Vec::new(),
            perf: None,
        }
    }

    /// Takes a sample, `now`. Without effect if the process is gone.
    pub fn sample(&mut self, now: Mono) {
        let (mut processes, mut threads) = (HashMap::new(), HashMap::new());
        let (mut rss_bytes, mut peak_bytes) = (0, 0);
        for pid in tree(&self.proc_fs, self.root) {
            let stat = self.proc_fs.read(&format!("{pid}/stat"));
            let Some(counters) = stat.as_deref().and_then(parse_stat) else { continue };
            processes.insert(pid, counters);
            let status = self.proc_fs.read(&format!("{pid}/status")).unwrap_or_default();
            rss_bytes += memory_bytes(&status, "VmRSS:");
            peak_bytes += memory_bytes(&status, "VmHWM:");
            for tid in self.proc_fs.threads(pid) {
                threads.insert(tid, self.read_thread(pid, tid));
            }
        }
        if processes.is_empty() {
            return;
        }
        self.totals.add_processes(&self.processes, &processes);
        self.totals.add_threads(&self.threads, &threads);
        self.processes = processes;
        self.threads = threads;
        self.samples.push(Sample { at: now, totals: self.totals, rss_bytes, peak_bytes });
        if let Some(perf) = &mut self.perf {
            perf.sample(now);
        }
    }

    fn read_thread(&self, pid: u32, tid: u32) -> ThreadCounters {
        let read = |file: &str| self.proc_fs.read(&format!("{pid}/task/{tid}/{file}"));
        let status = read("status").unwrap_or_default();
        ThreadCounters {
            sched_ns: read("schedstat").and_then(|text| first_number(&text)).unwrap_or(0),
            voluntary: field(&status, "voluntary_ctxt_switches:").unwrap_or(0),
            involuntary: field(&status, "nonvoluntary_ctxt_switches:").unwrap_or(0),
            migrations: read("sched").and_then(|text| parse_migrations(&text)),
        }
    }

    /// What was used from `begin` until `until`, or the part of it that lies between the first and
    /// the last sample; `None` if that is nothing.
    pub fn usage(&self, begin: Mono, until: Mono) -> Option<Usage> {
        let begin = begin.max(self.samples.first()?.at);
        let until = until.min(self.samples.last()?.at);
        if begin >= until {
            return None;
        }
        let (from, to) = (self.at(begin)?, self.at(until)?);
        let covered = until - begin;
        let (user_ns, cpu_ns) = self.cpu(&from, &to);
        let inside: Vec<&Sample> = self.inside(begin, until).collect();
        let rss: Vec<u64> = inside.iter().map(|sample| sample.rss_bytes).collect();
        Some(Usage {
            covered_s: covered.as_secs_f64(),
            cpu_ns,
            user_ns,
            system_ns: cpu_ns - user_ns,
            cpu_percent: percent(cpu_ns, covered),
            rss_mean_bytes: match rss.len() {
                0 => to.rss_bytes,
                len => rss.iter().sum::<u64>() / len as u64,
            },
            rss_peak_bytes: inside.iter().map(|s| s.peak_bytes).max().unwrap_or(to.peak_bytes),
            voluntary_switches: to.totals.voluntary - from.totals.voluntary,
            involuntary_switches: to.totals.involuntary - from.totals.involuntary,
            migrations: to
                .totals
                .migrations
                .map(|to| to.saturating_sub(from.totals.migrations.unwrap_or(0))),
            series: self.series(begin, &from, &inside, &to),
            perf: self.perf.as_ref().map(|perf| perf.usage(begin, until)),
        })
    }

    fn series(
        &self,
        begin: Mono,
        from: &Sample,
        inside: &[&Sample],
        to: &Sample,
    ) -> Vec<UsagePoint> {
        let edges: Vec<&Sample> =
            std::iter::once(from).chain(inside.iter().copied()).chain([to]).collect();
        let steps = edges.windows(2).filter(|step| step[0].at < step[1].at);
        steps
            .map(|step| UsagePoint {
                at_s: (step[1].at - begin).as_secs_f64(),
                cpu_percent: percent(self.cpu(step[0], step[1]).1, step[1].at - step[0].at),
                rss_bytes: step[1].rss_bytes,
            })
            .collect()
    }

    fn inside(&self, begin: Mono, until: Mono) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |sample| begin <= sample.at && sample.at <= until)
    }

    /// User and total CPU time between two samples.
    fn cpu(&self, from: &Sample, to: &Sample) -> (u64, u64) {
        let user = to.totals.user_ticks - from.totals.user_ticks;
        let all = user + to.totals.system_ticks - from.totals.system_ticks;
        let sched_ns = to.totals.sched_ns - from.totals.sched_ns;
        let cpu_ns = if to.totals.sched_ns > 0 { sched_ns } else { self.ticks_ns(all) };
        let user_share = if all == 0 { 0.0 } else { user as f64 / all as f64 };
        ((cpu_ns as f64 * user_share) as u64, cpu_ns)
    }

    fn ticks_ns(&self, ticks: u64) -> u64 {
        ticks * (1_000_000_000 / self.ticks_per_second.max(1))
    }

    /// The counters at `when`, which lies between the first and the last sample.
    fn at(&self, when: Mono) -> Option<Sample> {
        let after = self.samples.iter().position(|sample| sample.at >= when)?;
        let right = self.samples[after];
        if right.at == when || after == 0 {
            return Some(right);
        }
        let left = self.samples[after - 1];
        let share = (when - left.at).as_secs_f64() / (right.at - left.at).as_secs_f64();
        Some(Sample {
            at: when,
            totals: left.totals.towards(&right.totals, share),
            rss_bytes: between(left.rss_bytes, right.rss_bytes, share),
            peak_bytes: right.peak_bytes,
        })
    }
}

/// The process `root` and all that lives below it.
fn tree(proc_fs: &impl ProcFs, root: u32) -> Vec<u32> {
    let (mut found, mut pending) = (Vec::new(), vec![root]);
    while let Some(pid) = pending.pop() {
        if found.len() == PROCESSES_MAX || found.contains(&pid) {
            continue;
        }
        found.push(pid);
        for tid in proc_fs.threads(pid) {
            let children = proc_fs.read(&format!("{pid}/task/{tid}/children"));
            pending.extend(parse_pids(&children.unwrap_or_default()));
        }
    }
    found
}

impl Totals {
    /// What started since the last sample counts from zero.
    fn add_processes(
        &mut self,
        old: &HashMap<u32, ProcessCounters>,
        new: &HashMap<u32, ProcessCounters>,
    ) {
        for (pid, now) in new {
            let before = old.get(pid).copied().unwrap_or_default();
            self.user_ticks += now.user_ticks.saturating_sub(before.user_ticks);
            self.system_ticks += now.system_ticks.saturating_sub(before.system_ticks);
        }
    }

    fn add_threads(
        &mut self,
        old: &HashMap<u32, ThreadCounters>,
        new: &HashMap<u32, ThreadCounters>,
    ) {
        for (tid, now) in new {
            let before = old.get(tid).copied().unwrap_or_default();
            self.sched_ns += now.sched_ns.saturating_sub(before.sched_ns);
            self.voluntary += now.voluntary.saturating_sub(before.voluntary);
            self.involuntary += now.involuntary.saturating_sub(before.involuntary);
            if let Some(migrations) = now.migrations {
                let more = migrations.saturating_sub(before.migrations.unwrap_or(0));
                self.migrations = Some(self.migrations.unwrap_or(0) + more);
            }
        }
    }

    fn towards(&self, later: &Totals, share: f64) -> Totals {
        let mix = |from, to| between(from, to, share);
        Totals {
            user_ticks: mix(self.user_ticks, later.user_ticks),
            system_ticks: mix(self.system_ticks, later.system_ticks),
            sched_ns: mix(self.sched_ns, later.sched_ns),
            voluntary: mix(self.voluntary, later.voluntary),
            involuntary: mix(self.involuntary, later.involuntary),
            migrations: later.migrations.map(|later| mix(self.migrations.unwrap_or(0), later)),
        }
    }
}

fn between(from: u64, to: u64, share: f64) -> u64 {
    (from as f64 + (to as f64 - from as f64) * share).round() as u64
}

fn percent(cpu_ns: u64, span: Nanos) -> f64 {
    100.0 * cpu_ns as f64 / span.0 as f64
}

/// utime and stime: fields 14 and 15 of proc_pid_stat(5), the 12th and 13th after the name.
fn parse_stat(stat: &str) -> Option<ProcessCounters> {
    let mut fields = stat_fields(stat)?.skip(11);
    Some(ProcessCounters {
        user_ticks: fields.next()?.parse().ok()?,
        system_ticks: fields.next()?.parse().ok()?,
    })
}

/// `se.nr_migrations   :   5`, there if the kernel was built with CONFIG_SCHED_DEBUG.
fn parse_migrations(sched: &str) -> Option<u64> {
    let line = sched.lines().find(|line| line.starts_with("se.nr_migrations"))?;
    line.split_once(':')?.1.trim().parse().ok()
}

fn first_number(text: &str) -> Option<u64> {
    text.split_ascii_whitespace().next()?.parse().ok()
}

fn parse_pids(text: &str) -> impl Iterator<Item = u32> {
    text.split_ascii_whitespace().filter_map(|word| word.parse().ok())
}

fn field(status: &str, name: &str) -> Option<u64> {
    status.lines().find_map(|line| first_number(line.strip_prefix(name)?))
}

/// Memory in `status` is in KiB, whatever the page size.
fn memory_bytes(status: &str, name: &str) -> u64 {
    field(status, name).unwrap_or(0).saturating_mul(1_024)
}

#[cfg(test)]
mod tests;
