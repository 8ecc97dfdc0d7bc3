//! Makes one run: a fresh server, the pacer as a child process, samples of both, the pacer's object.
//!
//! The bench cannot see when the pacer's warm-up ends, so it samples from the earliest moment that may
//! be (its start plus the warm-up) until the pacer has ended, and cuts afterwards: to the
//! pacer's own word, `host.measured_begin_mono_ns` of its object. A pacer that does not say it is taken
//! to have begun to measure when it was started plus the warm-up, early by what connecting takes.

use super::plan::{Launch, Plan, Target};
use super::progress::Progress;
use super::run::Job;
use super::sampler::Sampler;
use super::store::Store;
use super::target::{Mishap, STOP_LATENCY, Server, Surroundings, log_tail, redirect};
use crate::clock::Clock;
use crate::io::clock::MonotonicClock;
use crate::io::process::Child;
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
    pub(super) fn measure(&self, job: &Job) -> Option<BenchRun> {
        let (target, rate) = (&self.plan.targets[job.target], &self.plan.rates[job.rate]);
        let what = format!("{} at {}, repeat {}", target.name, rate.rate, job.repeat);
        self.progress.begin(job.position, job.of, &what);
        let files = format!("runs/{}", stem(&target.name, &rate.text, job.repeat));
        let (failure, figures) = match self.figures(target, job, &files, &what) {
            Ok(figures) => (None, Some(figures)),
            Err(Mishap::Failed(failure)) => {
                self.progress.line(&format!("{what}: {failure}"));
                (Some(failure), None)
            }
            Err(Mishap::Stopped) => return None,
        };
        Some(self.run_of(target, job, failure, figures, files))
    }

    fn run_of(
        &self,
        target: &Target,
        job: &Job,
        failure: Option<String>,
        figures: Option<Figures>,
        files: String,
    ) -> BenchRun {
        let (mut target_settings, mut target_notes) = (None, Vec::new());
        let (run, target_usage, pacer_usage) = match figures {
            Some(Figures { settings, notes, run, target, pacer }) => {
                (target_settings, target_notes) = (settings, notes);
                (Some(run), target, pacer)
            }
            None => (None, None, None),
        };
        BenchRun {
            target: target.name.clone(),
            rate: self.plan.rates[job.rate].text.clone(),
            repeat: job.repeat,
            failure,
            run,
            target_usage,
            pacer_usage,
            target_settings,
            target_notes,
            files,
        }
    }

    fn figures(
        &self,
        target: &Target,
        job: &Job,
        files: &str,
        what: &str,
    ) -> Result<Figures, Mishap> {
        let log = self.store.file(&format!("{files}.server.log"));
        let mut server = Server::start(target, self.surroundings, &log)?;
        let mut figures = self.load(&mut server, job, files, what)?;
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
        job: &Job,
        files: &str,
        what: &str,
    ) -> Result<Figures, Mishap> {
        let pacer_log = self.store.file(&format!("{files}.pacer.log"));
        let json = self.store.file(&format!("{files}.json"));
        let mut command = self.pacer(server, job, &json, self.plan.seed);
        command.arg("--hlog").arg(self.store.file(&format!("{files}.hlog")));
        let (mut pacer, started) = self.start_pacer(&mut command, &pacer_log, &json)?;
        let mut samplers = [Sampler::new(server.pid()), Sampler::new(pacer.pid())];
        let servers = std::slice::from_mut(server);
        let status = self.attend(servers, &mut pacer, &mut samplers, started, what)?;
        let run: Run = read_object(&json, status, &pacer_log).map_err(Mishap::Failed)?;
        check_schema(&run.schema, RUN_SCHEMA, &json).map_err(Mishap::Failed)?;
        let begin = measured_begin(&run).unwrap_or(started + self.plan.warmup);
        let [target, pacer] =
            samplers.map(|sampler| sampler.usage(begin, begin + self.plan.duration));
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
        what: &str,
    ) -> Result<ExitStatus, Mishap> {
        let begin = started + self.plan.warmup;
        let until = begin + self.plan.duration;
        let drain = self.plan.timeout.unwrap_or(Nanos::ZERO);
        let deadline = until + drain + PACER_GRACE;
        let mut next = begin;
        loop {
            let now = MonotonicClock.now();
            if now >= next {
                samplers.iter_mut().for_each(|sampler| sampler.sample(now));
                self.progress.advance(what, now - begin, self.plan.duration);
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

    fn pacer(&self, server: &Server, job: &Job, json: &Path, seed: u64) -> Command {
        let plan = self.plan;
        let mut command = Command::new(self.surroundings.exe);
        command.arg("pace").arg(format!("http://{}", server.address()));
        command.arg("--mix").arg(&plan.mix);
        command.args(["-R", &plan.rates[job.rate].text, "-d", &typed(plan.duration)]);
        command.args(["--warmup", &typed(plan.warmup), "-c", &plan.connections.to_string()]);
        command.args(["--cpus", &plan.pacer_cpus.to_string(), "--seed", &seed.to_string()]);
        if let Some(most) = plan.max_connections {
            command.args(["--max-connections", &most.to_string()]);
        }
        // Others do not say which core has a connection.
        let loaded =
            if plan.duet { &plan.targets[..] } else { &plan.targets[job.target..=job.target] };
        if plan.spread && loaded.iter().all(|of| matches!(of.launch, Launch::Serve(_))) {
            command.arg("--spread");
        }
        if let Some(timeout) = plan.timeout {
            command.args(["--timeout", &typed(timeout)]);
        }
        if plan.arrivals != "constant" {
            command.args(["--arrivals", &plan.arrivals]);
        }
        command.arg("--json").arg(json);
        command
    }
}

/// Exactly, as the pacer reads it.
fn typed(span: Nanos) -> String {
    format!("{}ns", span.0)
}

/// One a second from `begin` on, and one right at the end.
fn next_sample(now: Mono, begin: Mono, until: Mono) -> Mono {
    let taken = now.saturating_since(begin).0 / SAMPLE_EVERY.0;
    let next = begin + Nanos((taken + 1) * SAMPLE_EVERY.0);
    if now < until { next.min(until) } else { next }
}

/// Names the files of a run; a rate such as `1e6/7` holds a slash.
fn stem(target: &str, rate: &str, repeat: u32) -> String {
    format!("{target}-{}-r{repeat}", rate.replace('/', "_"))
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
