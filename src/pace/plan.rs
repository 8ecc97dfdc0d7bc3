//! What a run of the pacer is asked to do: flags and files turned into values that can run.
//!
//! Plain data, checked by [`Plan::check`] before anything is sent. Not here: reading flags (see
//! `cli`).

use super::arrivals::Arrivals;
use super::budget::ErrorBudget;
use super::catch_up::CatchUp;
use super::live::LiveMode;
use super::mix::Mix;
use super::schedule::{Horizon, Load};
use super::url::Url;
use crate::units::{Nanos, Rate};
use std::path::PathBuf;

/// A run that can start.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The server; its path counts only where the mix was made from it.
    pub url: Url,
    /// What is requested.
    pub mix: Mix,
    /// How much and when.
    pub load: Load,
    /// Measured time.
    pub duration: Nanos,
    /// How long the load is sent before it is measured; may be zero.
    pub warmup: Nanos,
    /// Connections to have before the start, over all threads.
    pub connections: usize,
    /// Connections at once, over all threads; at least `connections`.
    pub connections_max: usize,
    /// From when a request is due until it fails.
    pub timeout: Nanos,
    /// How long answers are awaited after the end of the measured time; else the timeout.
    pub drain: Option<Nanos>,
    /// One pinned thread per CPU, in this order; empty for one thread that is not pinned.
    pub cpus: Vec<usize>,
    /// How the kernel is spoken to.
    pub backend: Backend,
    /// Who stamps what is sent and received.
    pub timestamps: Timestamps,
    /// What threads do with slack.
    pub wait: PaceWait,
    /// Before the start, every core of the server has as many connections as any other, or one more.
    pub spread: bool,
    /// What is done about overdue requests.
    pub catch_up: CatchUp,
    /// How many requests may fail before the run counts as failed.
    pub error_budget: ErrorBudget,
    /// What `host` of the results says beside the pacer's own settings.
    pub host: serde_json::Map<String, serde_json::Value>,
    /// Where results go.
    pub outputs: Outputs,
}

/// The driver behind a pacer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// epoll and send(2).
    #[default]
    Epoll,
    /// io_uring for answers; requests still go out by send(2), at once.
    Uring,
}

impl Backend {
    /// As typed.
    pub fn name(self) -> &'static str {
        match self {
            Backend::Epoll => "epoll",
            Backend::Uring => "uring",
        }
    }
}

impl std::str::FromStr for Backend {
    type Err = String;

    fn from_str(text: &str) -> Result<Backend, String> {
        match text {
            "epoll" => Ok(Backend::Epoll),
            "uring" => Ok(Backend::Uring),
            _ => Err(format!("`{text}` is no backend of the pacer; use `epoll` or `uring`")),
        }
    }
}

/// Whose stamps a run has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timestamps {
    /// The pacer's own: its clock at the send, and when an answer was seen.
    #[default]
    Own,
    /// The kernel's beside them, at the price of two more system calls per request.
    Kernel,
}

impl Timestamps {
    /// As typed.
    pub fn name(self) -> &'static str {
        match self {
            Timestamps::Own => "own",
            Timestamps::Kernel => "kernel",
        }
    }
}

impl std::str::FromStr for Timestamps {
    type Err = String;

    fn from_str(text: &str) -> Result<Timestamps, String> {
        match text {
            "own" => Ok(Timestamps::Own),
            "kernel" => Ok(Timestamps::Kernel),
            _ => Err(format!("`{text}` names nobody who stamps; use `own` or `kernel`")),
        }
    }
}

/// What a worker does with its slack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PaceWait {
    /// Never sleeps: needs a CPU of its own, and is exact.
    #[default]
    Spin,
    /// Sleeps until an answer comes or shortly before the next request is due: shares its CPU, and
    /// sees answers a wake-up late.
    Hybrid,
}

impl PaceWait {
    /// As typed.
    pub fn name(self) -> &'static str {
        match self {
            PaceWait::Spin => "spin",
            PaceWait::Hybrid => "hybrid",
        }
    }
}

impl std::str::FromStr for PaceWait {
    type Err = String;

    fn from_str(text: &str) -> Result<PaceWait, String> {
        match text {
            "spin" => Ok(PaceWait::Spin),
            "hybrid" => Ok(PaceWait::Hybrid),
            _ => Err(format!("`{text}` is no way for the pacer to wait; use `spin` or `hybrid`")),
        }
    }
}

/// What a run writes; nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outputs {
    /// The run's object; `-` is standard output.
    pub json: Option<PathBuf>,
    /// A directory for one `.hgrm` per distribution.
    pub hgrm: Option<PathBuf>,
    /// An `.hlog`, tagged by request kind; written during the run.
    pub hlog: Option<PathBuf>,
    /// A CSV table of seconds and request kinds; written during the run.
    pub csv: Option<PathBuf>,
    /// The run in Prometheus' text format, put in place whole.
    pub prom: Option<PathBuf>,
    /// Lines on standard error during the run.
    pub live: Option<LiveMode>,
}

impl Outputs {
    /// Whether a file goes to standard output, which then holds nothing else.
    pub fn use_stdout(&self) -> bool {
        self.files().any(|(_, path)| path.as_os_str() == "-")
    }

    /// Every output that is one file, by its flag.
    fn files(&self) -> impl Iterator<Item = (&'static str, &PathBuf)> {
        let files = [
            ("--json", &self.json),
            ("--hlog", &self.hlog),
            ("--csv", &self.csv),
            ("--prom", &self.prom),
        ];
        files.into_iter().filter_map(|(flag, path)| Some((flag, path.as_ref()?)))
    }

    /// A sentence that names the flags, if two outputs go to one file, or one where it cannot.
    pub fn check(&self) -> Result<(), String> {
        if self.prom.as_ref().is_some_and(|path| path.as_os_str() == "-") {
            return Err(String::from(
                "--prom -: a collector reads a file; name one that ends in .prom",
            ));
        }
        for (at, (flag, path)) in self.files().enumerate() {
            if let Some((other, _)) = self.files().take(at).find(|(_, other)| *other == path) {
                let file = match path.as_os_str() == "-" {
                    true => String::from("standard output"),
                    false => path.display().to_string(),
                };
                return Err(format!(
                    "{other} and {flag} both write to {file}; it holds one of them"
                ));
            }
        }
        Ok(())
    }
}

/// Descriptors of the process beside its connections. Chosen: standard streams, drivers, files.
const DESCRIPTORS_BESIDE: u64 = 64;

/// How many descriptors it takes to pace so many `servers` over up to `connections_max` connections to
/// each.
pub fn descriptors_needed(servers: u64, connections_max: usize) -> u64 {
    servers * connections_max as u64 + DESCRIPTORS_BESIDE
}

/// What two servers cannot be paced together with, however it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Sleeping.
    Hybrid,
    /// The kernel's stamps.
    KernelStamps,
    /// Leaving out what is overdue.
    CatchUp,
    /// A file of arrivals.
    Replay,
}

impl Unfit {
    /// The first of what is asked for, if there is any.
    pub fn of(
        wait: PaceWait,
        timestamps: Timestamps,
        catch_up: CatchUp,
        arrivals: &Arrivals,
    ) -> Option<Unfit> {
        let asked = [
            (wait == PaceWait::Hybrid, Unfit::Hybrid),
            (timestamps == Timestamps::Kernel, Unfit::KernelStamps),
            (catch_up != CatchUp::All, Unfit::CatchUp),
            (matches!(arrivals, Arrivals::Replay(_)), Unfit::Replay),
        ];
        asked.into_iter().find(|(is_asked, _)| *is_asked).map(|(_, unfit)| unfit)
    }

    /// As a clause.
    pub fn why(self) -> &'static str {
        match self {
            Unfit::Hybrid => "asleep for one it is deaf to the other",
            Unfit::KernelStamps => "stamps are of one server",
            Unfit::CatchUp => "half a pair that is not sent tells nothing",
            Unfit::Replay => "the file says itself what is requested next",
        }
    }
}

/// What elastic connections may grow to unless told otherwise, from so many at the start. Chosen.
pub fn connections_max(connections: usize) -> usize {
    connections.max(1_024)
}

impl Plan {
    /// A run of `load` for `duration` against one URL, everything else by default.
    pub fn new(url: Url, rate: Rate, duration: Nanos) -> Plan {
        Plan {
            mix: Mix::single(url.path()),
            url,
            load: Load { rate, arrivals: Arrivals::Constant, seed: 1 },
            duration,
            warmup: Nanos::ZERO,
            connections: 64,
            connections_max: connections_max(64),
            timeout: Nanos::from_secs(2),
            drain: None,
            cpus: Vec::new(),
            backend: Backend::default(),
            timestamps: Timestamps::default(),
            wait: PaceWait::default(),
            spread: false,
            catch_up: CatchUp::default(),
            error_budget: ErrorBudget::default(),
            host: serde_json::Map::new(),
            outputs: Outputs::default(),
        }
    }

    /// How long it sends.
    pub fn horizon(&self) -> Horizon {
        Horizon { warmup: self.warmup, duration: self.duration }
    }

    /// How long answers are awaited after the end.
    pub fn drain(&self) -> Nanos {
        self.drain.unwrap_or(self.timeout)
    }

    /// How many threads pace.
    pub fn threads(&self) -> usize {
        self.cpus.len().max(1)
    }

    /// A sentence that names the flag, if the plan cannot run. `descriptors_max` is how many the
    /// process may have.
    pub fn check(&self, descriptors_max: u64) -> Result<(), String> {
        if self.duration == Nanos::ZERO {
            return Err(String::from("-d is zero; there would be nothing to measure"));
        }
        if self.timeout == Nanos::ZERO {
            return Err(String::from("--timeout is zero; every request would fail"));
        }
        let spans = [
            ("-d", self.duration),
            ("--warmup", self.warmup),
            ("--timeout", self.timeout),
            ("--drain", self.drain()),
        ];
        if let Some((flag, _)) = spans.into_iter().find(|(_, span)| *span > SPAN_MAX) {
            return Err(format!("{flag} is longer than 1000h, which is the most"));
        }
        self.load.check(self.horizon())?;
        self.check_rate()?;
        self.outputs.check()?;
        if self.timestamps == Timestamps::Kernel {
            self.check_stamps()?;
        }
        if self.connections < self.threads() {
            return Err(format!(
                "-c {} is fewer than one connection for each of {} threads",
                self.connections,
                self.threads()
            ));
        }
        if self.connections_max < self.connections {
            return Err(format!(
                "--max-connections {} is below -c {}",
                self.connections_max, self.connections
            ));
        }
        let needed = descriptors_needed(1, self.connections_max);
        if needed > descriptors_max {
            return Err(format!(
                "--max-connections {} needs {needed} descriptors, and this process may have \
                 {descriptors_max}; raise `ulimit -n` or lower it",
                self.connections_max
            ));
        }
        Ok(())
    }
}

impl Plan {
    fn check_rate(&self) -> Result<(), String> {
        let threads = self.threads() as u64;
        let most = Rate::per_second(threads * THREAD_RATE_MAX).expect("there is a thread");
        if !self.load.rate.exceeds(most) {
            return Ok(());
        }
        let typed = match self.load.arrivals.rate() {
            None => format!("-R/--rate {}", self.load.rate.as_typed()),
            Some(_) => format!("--arrivals {}", self.load.arrivals),
        };
        Err(format!(
            "{typed} is more than {most}, which is what {threads} pacing thread{} can be asked for at \
             most; --selftest tells what this machine can send",
            if threads == 1 { "" } else { "s" }
        ))
    }

    fn check_stamps(&self) -> Result<(), String> {
        if self.backend == Backend::Uring {
            return Err(String::from(
                "--timestamps kernel reads stamps with recvmsg, which --backend uring does not use; \
                 take --backend epoll",
            ));
        }
        match self.url.socket() {
            Some(_) => Err(String::from(
                "--timestamps kernel needs TCP; the kernel stamps nothing on a Unix socket",
            )),
            None => Ok(()),
        }
    }
}

/// Requests per second that one thread may be asked for. Chosen: about ten times what a core can send;
/// each request that it does not get to still has to be accounted for.
const THREAD_RATE_MAX: u64 = 10_000_000;

/// Chosen: any run is shorter, and sums of such spans are far from overflowing.
const SPAN_MAX: Nanos = Nanos::from_secs(3_600_000);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::arrivals::ArrivalsTyped;

    #[track_caller]
    fn check(change: impl FnOnce(&mut Plan), says: &str) {
        let url = "http://h/".parse().unwrap();
        let mut plan = Plan::new(url, Rate::per_second(1).unwrap(), Nanos::from_secs(1));
        plan.check(2_000).unwrap();
        change(&mut plan);
        let error = plan.check(2_000).unwrap_err();
        assert!(error.contains(says), "{error}");
    }

    #[test]
    fn a_plan_that_cannot_run_is_refused_by_flag() {
        check(|plan| plan.duration = Nanos::ZERO, "-d is zero");
        check(|plan| plan.timeout = Nanos::ZERO, "--timeout is zero");
        check(|plan| plan.duration = Nanos(u64::MAX), "-d is longer than 1000h");
        check(|plan| plan.warmup = Nanos(u64::MAX), "--warmup is longer than 1000h");
        check(|plan| plan.drain = Some(Nanos(u64::MAX)), "--drain is longer than 1000h");
        check(|plan| plan.connections = 0, "-c 0 is fewer");
        check(|plan| (plan.cpus, plan.connections) = (vec![0, 1], 1), "each of 2 threads");
        check(|plan| plan.connections_max = 63, "--max-connections 63 is below -c 64");
        check(|plan| plan.connections_max = 2_000, "2064 descriptors");
        let rate = |plan: &mut Plan, rate: &str| plan.load.rate = rate.parse().unwrap();
        let many = "-R/--rate 10000001 is more than 10000000/s, which is what 1 pacing thread can";
        check(|plan| rate(plan, "10000001"), many);
        let two = |plan: &mut Plan| (plan.cpus, plan.connections) = (vec![0, 1], 2);
        check(
            |plan| (two(plan), rate(plan, "1e9")).0,
            "20000000/s, which is what 2 pacing threads",
        );
        let ramp = |plan: &mut Plan| {
            let Ok(ArrivalsTyped::Whole(arrivals)) = "ramp:1..11M".parse() else { panic!("typed") };
            plan.load = Load::new(arrivals, None, 1).unwrap();
        };
        check(ramp, "--arrivals ramp:1..11000000 is more than");
        let stamped = |plan: &mut Plan| plan.timestamps = Timestamps::Kernel;
        let over_uring = |plan: &mut Plan| plan.backend = Backend::Uring;
        check(|plan| (stamped(plan), over_uring(plan)).0, "--timestamps kernel reads stamps with");
        let over_unix = |plan: &mut Plan| plan.url = "unix:/a.sock:/".parse().unwrap();
        check(|plan| (stamped(plan), over_unix(plan)).0, "--timestamps kernel needs TCP");
    }

    #[test]
    fn a_rate_that_a_thread_can_be_asked_for_is_taken() {
        let url = "http://h/".parse().unwrap();
        let rate = Rate::per_second(THREAD_RATE_MAX).unwrap();
        Plan::new(url, rate, Nanos::from_secs(1)).check(2_000).unwrap();
    }

    #[test]
    fn two_outputs_do_not_go_to_one_file() {
        let outputs = |json: &str, csv: &str| Outputs {
            json: Some(json.into()),
            csv: Some(csv.into()),
            ..Outputs::default()
        };
        let error = outputs("-", "-").check().unwrap_err();
        assert!(error.starts_with("--json and --csv both write to standard output"), "{error}");
        let error = outputs("a/x", "a/x").check().unwrap_err();
        assert!(error.starts_with("--json and --csv both write to a/x"), "{error}");
        outputs("-", "a").check().unwrap();
        let prom = Outputs { prom: Some("-".into()), ..Outputs::default() };
        assert!(prom.check().unwrap_err().starts_with("--prom -:"), "a collector reads files");
    }
}
