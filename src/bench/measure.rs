//! Makes one run: a fresh server, the pacer as a child process, samples of both, the pacer's object.
//!
//! The bench cannot see when the pacer's warm-up ends, so it samples from the earliest moment that may
//! be (its start plus the warm-up) until the pacer has ended, and cuts afterwards: to the
//! pacer's own word, `host.measured_begin_mono_ns` of its object. A pacer that does not say it is taken
//! to have begun to measure when it was started plus the warm-up, early by what connecting takes.

use super::plan::{Launch, Plan, Target};
use super::progress::Progress;
use super::sampler::Sampler;
use super::store::Store;
use super::target::{Mishap, STOP_LATENCY, Server, Surroundings, log_tail, redirect};
use crate::clock::Clock;
use crate::io::clock::MonotonicClock;
use crate::io::process::Child;
use crate::pace::arrivals::Arrivals;
use crate::results::bench::{BenchRun, Usage};
use crate::results::{RUN_SCHEMA, Run};
use crate::units::{Mono, Nanos};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

/// Everything a run needs.
pub(super) struct Laboratory<'a> {
    pub(super) plan: &'a Plan,
    pub(super) surroundings: Surroundings<'a>,
    pub(super) store: &'a Store,
    pub(super) progress: &'a Progress,
}

/// A run that is to be made.
pub(super) struct Assignment<'a> {
    pub(super) target: &'a Target,
    /// Offered rate, as typed.
    pub(super) rate: &'a str,
    /// From 1.
    pub(super) repeat: u32,
    /// Measured time.
    pub(super) duration: Nanos,
    /// Time before it.
    pub(super) warmup: Nanos,
    /// Begins the names of its files.
    pub(super) stem: String,
    /// What a person calls it.
    pub(super) what: String,
}

/// The figures of a run.
struct Figures {
    /// What the server said of itself.
    settings: Option<String>,
    notes: Vec<String>,
    run: Run,
    target: Option<Usage>,
    pacer: Option<Usage>,
}

/// Chosen: pidstat's. One sample costs some 0.1 ms of a CPU that may be a measured one.
const SAMPLE_EVERY: Nanos = Nanos::from_secs(1);
/// Chosen: what the pacer may take beyond its plan to start, drain and write.
const PACER_GRACE: Nanos = Nanos::from_secs(30);

impl Laboratory<'_> {
    /// Makes the run. What goes wrong is in it as its failure; `None` if the bench is to end.
    pub(super) fn measure(&self, assignment: &Assignment<'_>) -> Option<BenchRun> {
        let files = format!("runs/{}", assignment.stem);
        let (failure, figures) = match self.figures(assignment, &files) {
            Ok(figures) => (None, Some(figures)),
            Err(Mishap::Failed(failure)) => {
                self.progress.line(&format!("{}: {failure}", assignment.what));
                (Some(failure), None)
            }
            Err(Mishap::Stopped) => return None,
        };
        let (mut target_settings, mut target_notes) = (None, Vec::new());
        let (run, target_usage, pacer_usage) = match figures {
            Some(Figures { settings, notes, run, target, pacer }) => {
                (target_settings, target_notes) = (settings, notes);
                (Some(run), target, pacer)
            }
            None => (None, None, None),
        };
        Some(BenchRun {
            target: assignment.target.name.clone(),
            rate: assignment.rate.to_owned(),
            repeat: assignment.repeat,
            failure,
            run,
            target_usage,
            pacer_usage,
            target_settings,
            target_notes,
            files,
        })
    }

    fn figures(&self, assignment: &Assignment<'_>, files: &str) -> Result<Figures, Mishap> {
        let target = assignment.target;
        let log = self.store.file(&format!("{files}.server.log"));
        let mut server = Server::start(target, self.surroundings, &log)?;
        let mut figures = self.load(&mut server, assignment, files)?;
        if let Launch::Serve(_) = target.launch {
            (figures.settings, figures.notes) = server.said();
        }
        server.stop().map_err(|how| Mishap::Failed(format!("target `{}`: {how}", target.name)))?;
        Ok(figures)
    }

    /// Runs the pacer against the server and samples both.
    fn load(
        &self,
        server: &mut Server,
        assignment: &Assignment<'_>,
        files: &str,
    ) -> Result<Figures, Mishap> {
        let pacer_log = self.store.file(&format!("{files}.pacer.log"));
        let json = self.store.file(&format!("{files}.json"));
        let mut command =
            self.pacer(server, assignment, &json, &self.store.file(&format!("{files}.hlog")));
        redirect(&mut command, &pacer_log).map_err(|error| failed("the pacer's log", &error))?;
        // What an earlier attempt left must not pass for this one's.
        remove_if_there(&json).map_err(|error| failed("an old result", &error))?;
        let started = MonotonicClock.now();
        let mut pacer = Child::spawn(&mut command, self.surroundings.all_cpus)
            .map_err(|error| failed("the pacer does not start", &error))?;
        let mut samplers = [Sampler::new(server.pid()), Sampler::new(pacer.pid())];
        let status = self.attend(server, &mut pacer, &mut samplers, started, assignment)?;
        let run = read_run(&json, status, &pacer_log).map_err(Mishap::Failed)?;
        let begin = measured_begin(&run).unwrap_or(started + assignment.warmup);
        let [target, pacer] =
            samplers.map(|sampler| sampler.usage(begin, begin + assignment.duration));
        Ok(Figures { settings: None, notes: Vec::new(), run, target, pacer })
    }

    /// Samples until the pacer has ended.
    fn attend(
        &self,
        server: &mut Server,
        pacer: &mut Child,
        samplers: &mut [Sampler<super::sampler::RealProcFs>],
        started: Mono,
        assignment: &Assignment<'_>,
    ) -> Result<ExitStatus, Mishap> {
        let begin = started + assignment.warmup;
        let until = begin + assignment.duration;
        let drain = self.plan.pacer.drain.or(self.plan.timeout).unwrap_or(Nanos::ZERO);
        let deadline = until + drain + PACER_GRACE;
        let mut next = begin;
        loop {
            let now = MonotonicClock.now();
            if now >= next {
                samplers.iter_mut().for_each(|sampler| sampler.sample(now));
                self.progress.advance(&assignment.what, now - begin, assignment.duration);
                next = next_sample(now, begin, until);
            }
            let nap = next.saturating_since(MonotonicClock.now()).min(STOP_LATENCY);
            let ended = pacer.wait_for(nap).map_err(|error| failed("the pacer", &error))?;
            if let Some(status) = ended {
                // The server lives on; this sample closes its window.
                samplers.iter_mut().for_each(|sampler| sampler.sample(MonotonicClock.now()));
                return server.ended().map_or(Ok(status), |how| Err(died(&how)));
            }
            if self.surroundings.stopped() {
                return Err(Mishap::Stopped);
            }
            if let Some(how) = server.ended() {
                return Err(died(&how));
            }
            if now > deadline {
                let late = PACER_GRACE;
                return Err(Mishap::Failed(format!("the pacer is more than {late} late; ended")));
            }
        }
    }

    fn pacer(
        &self,
        server: &Server,
        assignment: &Assignment<'_>,
        json: &Path,
        hlog: &Path,
    ) -> Command {
        let plan = self.plan;
        let mut command = Command::new(self.surroundings.exe);
        command.arg("pace").arg(format!("http://{}", server.address()));
        command.arg("--mix").arg(&plan.mix);
        // Arrivals that carry their own rate allow no other beside it.
        if plan.arrivals.rate().is_none() {
            command.args(["-R", assignment.rate]);
        }
        command.args(["-d", &assignment.duration.as_typed()]);
        command.args(["--warmup", &assignment.warmup.as_typed()]);
        command.args(["-c", &plan.connections.to_string()]);
        command.args(["--cpus", &plan.pacer_cpus.to_string(), "--seed", &plan.seed.to_string()]);
        // Others do not say which core has a connection.
        if plan.spread && matches!(assignment.target.launch, Launch::Serve(_)) {
            command.arg("--spread");
        }
        for (flag, value) in options(plan) {
            command.args([flag, &value]);
        }
        command.arg("--json").arg(json).arg("--hlog").arg(hlog);
        command
    }
}

/// The flags that are given only where the file sets them.
fn options(plan: &Plan) -> impl Iterator<Item = (&'static str, String)> {
    let pacer = &plan.pacer;
    let arrivals = (plan.arrivals != Arrivals::Constant).then(|| plan.arrivals.to_string());
    let flags = [
        ("--max-connections", plan.max_connections.map(|most| most.to_string())),
        ("--timeout", plan.timeout.map(Nanos::as_typed)),
        ("--arrivals", arrivals),
        ("--catch-up", pacer.catch_up.map(|policy| policy.to_string())),
        ("--drain", pacer.drain.map(Nanos::as_typed)),
        ("--timestamps", pacer.timestamps.map(|who| who.name().to_owned())),
        ("--backend", pacer.backend.map(|backend| backend.name().to_owned())),
        ("--wait", pacer.wait.map(|wait| wait.name().to_owned())),
    ];
    flags.into_iter().filter_map(|(flag, value)| Some((flag, value?)))
}

/// One a second from `begin` on, and one right at the end.
fn next_sample(now: Mono, begin: Mono, until: Mono) -> Mono {
    let taken = now.saturating_since(begin).0 / SAMPLE_EVERY.0;
    let next = begin + Nanos((taken + 1) * SAMPLE_EVERY.0);
    if now < until { next.min(until) } else { next }
}

fn measured_begin(run: &Run) -> Option<Mono> {
    run.host.get("measured_begin_mono_ns")?.as_u64().map(Mono)
}

fn died(how: &str) -> Mishap {
    Mishap::Failed(format!("the server ended during the run {how}"))
}

fn failed(what: &str, error: &std::io::Error) -> Mishap {
    Mishap::Failed(format!("{what}: {error}"))
}

fn remove_if_there(path: &PathBuf) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

/// The pacer's object. It is there also when the verdict is INVALID, which exit code 3 says.
fn read_run(json: &Path, status: ExitStatus, log: &Path) -> Result<Run, String> {
    if !matches!(status.code(), Some(0 | 3)) {
        return Err(format!("the pacer failed ({status}); its log ends with:{}", log_tail(log)));
    }
    let text = std::fs::read_to_string(json)
        .map_err(|error| format!("the pacer left no result: {}: {error}", json.display()))?;
    let run: Run = serde_json::from_str(&text)
        .map_err(|error| format!("the pacer's result is not one: {}: {error}", json.display()))?;
    if run.schema != RUN_SCHEMA {
        return Err(format!("{}: schema {} instead of {RUN_SCHEMA}", json.display(), run.schema));
    }
    Ok(run)
}
