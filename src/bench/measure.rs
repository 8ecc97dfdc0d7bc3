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
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

mod together;

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

impl Figures {
    /// Ends the server of `target` that they are of, and adds what it said of itself.
    fn end(&mut self, target: &Target, server: Server) -> Result<(), Mishap> {
        if let Launch::Serve(_) = target.launch {
            (self.settings, self.notes) = server.said();
        }
        server.stop().map_err(|how| Mishap::Failed(format!("target `{}`: {how}", target.name)))
    }
}

/// Chosen: pidstat's. One sample costs some 0.1 ms of a CPU that may be a measured one.
const SAMPLE_EVERY: Nanos = Nanos::from_secs(1);
/// Chosen: what the pacer may take beyond its plan to start, drain and write.
const PACER_GRACE: Nanos = Nanos::from_secs(30);

impl Laboratory<'_> {
    /// Makes the run. What goes wrong is in it as its failure; `None` if the bench is to end.
    pub(super) fn measure(&self, assignment: &Assignment<'_>) -> Option<BenchRun> {
        let files = format!("runs/{}", assignment.stem);
        let made = self.told(assignment, self.figures(assignment, &files))?;
        Some(run_of(assignment.target, assignment, made, files))
    }

    /// What was `made`, or why it failed, which is said at once; `None` if the bench is to end.
    fn told<T>(
        &self,
        assignment: &Assignment<'_>,
        made: Result<T, Mishap>,
    ) -> Option<Result<T, String>> {
        match made {
            Ok(made) => Some(Ok(made)),
            Err(Mishap::Failed(failure)) => {
                self.progress.line(&format!("{}: {failure}", assignment.what));
                Some(Err(failure))
            }
            Err(Mishap::Stopped) => None,
        }
    }

    fn figures(&self, assignment: &Assignment<'_>, files: &str) -> Result<Figures, Mishap> {
        let target = assignment.target;
        let log = self.store.file(&format!("{files}.server.log"));
        let mut server = Server::start(target, self.surroundings, &log)?;
        let mut figures = self.load(&mut server, assignment, files)?;
        figures.end(target, server)?;
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
        let mut command = self.pacer(server, assignment, &json, self.plan.seed);
        command.arg("--hlog").arg(self.store.file(&format!("{files}.hlog")));
        let (mut pacer, started) = self.start_pacer(&mut command, &pacer_log, &json)?;
        let mut samplers = [Sampler::new(server.pid()), Sampler::new(pacer.pid())];
        let servers = std::slice::from_mut(server);
        let status = self.attend(servers, &mut pacer, &mut samplers, started, assignment)?;
        let run: Run = read_object(&json, status, &pacer_log).map_err(Mishap::Failed)?;
        check_schema(&run.schema, RUN_SCHEMA, &json).map_err(Mishap::Failed)?;
        let begin = measured_begin(&run).unwrap_or(started + assignment.warmup);
        let [target, pacer] =
            samplers.map(|sampler| sampler.usage(begin, begin + assignment.duration));
        Ok(Figures { settings: None, notes: Vec::new(), run, target, pacer })
    }

    /// Starts the pacer, whose output goes to `log` and its object to `json`; and when that was.
    fn start_pacer(
        &self,
        command: &mut Command,
        log: &Path,
        json: &PathBuf,
    ) -> Result<(Child, Mono), Mishap> {
        redirect(command, log).map_err(|error| failed("the pacer's log", &error))?;
        // What an earlier attempt left must not pass for this one's.
        remove_if_there(json).map_err(|error| failed("an old result", &error))?;
        let started = MonotonicClock.now();
        let pacer = Child::spawn(command, self.surroundings.all_cpus)
            .map_err(|error| failed("the pacer does not start", &error))?;
        Ok((pacer, started))
    }

    /// Samples until the pacer has ended.
    fn attend(
        &self,
        servers: &mut [Server],
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
                // The servers live on; this sample closes their window.
                samplers.iter_mut().for_each(|sampler| sampler.sample(MonotonicClock.now()));
                return first_end(servers).map_or(Ok(status), |how| Err(died(&how)));
            }
            if self.surroundings.stopped() {
                return Err(Mishap::Stopped);
            }
            if let Some(how) = first_end(servers) {
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
        seed: u64,
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
        // What a target loses is for the report to tell.
        command.args(["--error-budget", "100%"]);
        command.args(["-c", &plan.connections.to_string()]);
        command.args(["--cpus", &plan.pacer_cpus.to_string(), "--seed", &seed.to_string()]);
        // Others do not say which core has a connection.
        let alone = std::slice::from_ref(assignment.target);
        let loaded = if plan.duet { plan.targets.as_slice() } else { alone };
        if plan.spread && loaded.iter().all(|of| matches!(of.launch, Launch::Serve(_))) {
            command.arg("--spread");
        }
        for (flag, value) in options(plan) {
            command.args([flag, &value]);
        }
        command.arg("--json").arg(json);
        command
    }
}

/// What the run of `target` comes to, with figures or the reason why there are none.
fn run_of(
    target: &Target,
    assignment: &Assignment<'_>,
    made: Result<Figures, String>,
    files: String,
) -> BenchRun {
    let blank = BenchRun {
        target: target.name.clone(),
        rate: assignment.rate.to_owned(),
        repeat: assignment.repeat,
        files,
        ..BenchRun::default()
    };
    let Figures { settings, notes, run, target, pacer } = match made {
        Ok(figures) => figures,
        Err(failure) => return BenchRun { failure: Some(failure), ..blank },
    };
    BenchRun {
        run: Some(run),
        target_usage: target,
        pacer_usage: pacer,
        target_settings: settings,
        target_notes: notes,
        ..blank
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

/// How the first of `servers` that is gone ended.
fn first_end(servers: &mut [Server]) -> Option<String> {
    servers.iter_mut().find_map(Server::ended)
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
fn read_object<T: DeserializeOwned>(
    json: &Path,
    status: ExitStatus,
    log: &Path,
) -> Result<T, String> {
    if !matches!(status.code(), Some(0 | 3)) {
        return Err(format!("the pacer failed ({status}); its log ends with:{}", log_tail(log)));
    }
    let text = std::fs::read_to_string(json)
        .map_err(|error| format!("the pacer left no result: {}: {error}", json.display()))?;
    serde_json::from_str(&text)
        .map_err(|error| format!("the pacer's result is not one: {}: {error}", json.display()))
}

fn check_schema(schema: &str, ours: &str, json: &Path) -> Result<(), String> {
    match schema == ours {
        true => Ok(()),
        false => Err(format!("{}: schema {schema} instead of {ours}", json.display())),
    }
}
