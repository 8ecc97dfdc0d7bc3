//! The experiment file: TOML that people write by hand -> a [`Plan`] that can run.
//!
//! ```toml
//! name = "quick"                   # names the results directory; letters, digits, `-`, `_`
//! duration = "5s"                  # measured time of a run
//! warmup = "1s"                    # before it, at the same rate, in no figure (default 0)
//! repeats = 3                      # runs of each target at each rate (default 3)
//! rates = ["1000", "20k"]          # requests/s; or `rate = "1000"` for one
//! arrivals = "constant"            # as `pace --arrivals`; ramps and the like say the rate themselves
//! mix = "mixes/article.toml"       # what is requested; relative to this file
//! connections = 64                 # opened at the start (default 64)
//! max_connections = 1024           # a due request opens one when all are busy, up to this
//! spread = true                    # as many of them on every core of our own server (default false)
//! pacer_cpus = "1"                 # the pacer spins there, one thread on each
//! seed = 1                         # of arrivals, mix and order (default 1)
//! timeout = "2s"                   # after which a request has failed
//! drain = "2s"                     # how long answers are awaited after the end (default the timeout)
//! catch_up = "all"                 # this and the next three as `pace --catch-up`,
//! timestamps = "own"               # --timestamps,
//! pacer_backend = "epoll"          # --backend
//! pacer_wait = "spin"              # and --wait
//!
//! [knee]                           # finds each target's highest rate that keeps the objective
//! objective = "p99 < 5ms"          # as `pace --threshold`; `status.p99 < 1ms` of one request
//! from = "1000"                    # whole numbers of requests/s; the search climbs by doubling,
//! to = "200k"                      # and then halves the gap, in the ratio
//! within = "5%"                    # until pass and fail are so near (default 5%)
//! repeats = 3                      # runs at each rate, of which more than half decide (default 3)
//! duration = "2s"                  # of a run (default as above); warmup likewise
//!
//! [[target]]                       # at least one; names are unique, without dots
//! name = "uring"
//! serve = ["--backend", "uring"]   # our own server with these flags (`--listen` is the bench's)
//!
//! [[target]]
//! name = "node22"
//! command = ["node", "server.js", "--port", "{port}"]    # or any program; {port} is filled in
//! env = { PORT = "{port}" }        # here too
//! cwd = "../tools/peers/fastify"   # relative to this file (default: where the file is)
//! setup = ["npm", "ci"]            # one command, run in cwd once; see `target::set_up`
//! cpus = "0"                       # where it may run (default: anywhere); for `serve` too
//! ready_path = "/healthz"          # probed until it answers (the default)
//!
//! [[axis]]                         # a flag's values make targets of those with `serve`; see `axis`
//! flag = "--wait"
//! values = ["block", "spin"]       # true: the flag without a value; false: no such flag
//!
//! [[claim]]                        # a claim that does not hold fails the bench
//! text = "node is faster"          # optional
//! expr = "node22.p99 < uring-spin.p99"    # see `claim`
//! rate = "1000"                    # optional: about this rate only
//! ```
//! A file with `include = "article.toml"` is that file's experiment under another name and with other
//! times: besides it may have `name`, `duration`, `warmup` and `repeats`.
//! How axes go together, what targets are called and what `[[axis]]` takes besides stands in
//! `plan/axis.rs`; CPUs by their place, `--cpus sibling-of:pacer`, in `plan/placement.rs`.
//! Any other key is an error, and every error names file and line. Not here: whether the machine
//! has what the plan asks for; see [`Plan::fit_to`]. Start at [`Plan::load`].

use super::BenchError;
use super::claim::Claim;
use super::knee::KneePlan;
use crate::doctor::Topology;
use crate::io::topology::CpuList;
use crate::pace::arrivals::Arrivals;
use crate::pace::catch_up::CatchUp;
use crate::pace::plan::{Backend, PaceWait, Timestamps};
use crate::results::bench::{PacerRecord, PlanRecord, TargetRecord, Varied};
use crate::units::{Nanos, Rate};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

mod axis;
mod fit;
mod pacing;
mod placement;
pub(super) use fit::cpu_list;
mod typed;

/// An experiment that can run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Names the results directory.
    pub name: String,
    /// Measured time of a run; not zero.
    pub duration: Nanos,
    /// Time before it at the same rate.
    pub warmup: Nanos,
    /// Runs of each target at each rate; at least 1.
    pub repeats: u32,
    /// Offered rates, no two equal; at least one, unless a knee is searched. Arrivals that carry their
    /// own rate have that one.
    pub rates: Vec<OfferedRate>,
    /// When requests are due.
    pub arrivals: Arrivals,
    /// What else the pacer is told.
    pub pacer: PacerOptions,
    /// The search for the highest rate that keeps an objective.
    pub knee: Option<KneePlan>,
    /// The mix file; exists.
    pub mix: PathBuf,
    /// Connections opened at the start.
    pub connections: u32,
    /// Connections allowed.
    pub max_connections: Option<u32>,
    /// As many connections on every core of our own server as on any other.
    pub spread: bool,
    /// CPUs of the pacer.
    pub pacer_cpus: CpuList,
    /// Seed of arrivals, mix and order.
    pub seed: u64,
    /// After which a request has failed.
    pub timeout: Option<Nanos>,
    /// The servers under test; at least one.
    pub targets: Vec<Target>,
    /// Whether the targets are two, up at once, and paced together.
    pub duet: bool,
    /// What is to be judged at the end.
    pub claims: Vec<Claim>,
    /// Whether the two targets are one and the same server.
    pub aa: bool,
}

/// Options of the pacer; `None`: its own default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacerOptions {
    /// What is done about overdue requests.
    pub catch_up: Option<CatchUp>,
    /// How long answers are awaited after the end; by default the timeout.
    pub drain: Option<Nanos>,
    /// Who stamps what is sent and received.
    pub timestamps: Option<Timestamps>,
    /// How the kernel is spoken to.
    pub backend: Option<Backend>,
    /// What threads do with slack.
    pub wait: Option<PaceWait>,
}

/// A rate and how it was typed: the pacer is handed the words, so no digit is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedRate {
    /// As typed.
    pub text: String,
    /// As a number.
    pub rate: Rate,
}

/// A server under test.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name; letters, digits, `-` and `_`.
    pub name: String,
    /// How it is started.
    pub launch: Launch,
    /// Where it may run; `None`: on every CPU.
    pub cpus: Option<CpuList>,
    /// What is requested until it answers; begins with `/`.
    pub ready_path: String,
    /// What axes set of its flags.
    pub varied: Vec<Varied>,
}

/// How a server is started.
#[derive(Clone, Debug)]
pub enum Launch {
    /// Our own, with these flags.
    Serve(Vec<String>),
    /// Any program.
    Command(CommandLine),
}

/// A program with its surroundings. `{port}` stands for the port in `argv` and in `env`.
#[derive(Clone, Debug)]
pub struct CommandLine {
    /// Program and arguments; not empty.
    pub argv: Vec<String>,
    /// Set on top of the bench's own environment.
    pub env: BTreeMap<String, String>,
    /// Where it runs; exists.
    pub cwd: PathBuf,
    /// Run there once before the first run; empty: nothing to set up.
    pub setup: Vec<String>,
}

/// What the command line changes about a file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--out`: where results go; default `results/NAME-TIME`, or an unfinished one of the same plan.
    pub out: Option<PathBuf>,
    /// `--only`: names of targets; empty for all.
    pub only: Vec<String>,
    /// `--duet`: names of two targets; empty for targets one after the other.
    pub duet: Vec<String>,
    /// `--duration`.
    pub duration: Option<Nanos>,
    /// `--repeats`.
    pub repeats: Option<u32>,
    /// `--aa`.
    pub aa: bool,
}

impl Plan {
    /// Reads the experiment file at `path`. The error names file and line.
    pub fn load(path: &Path) -> Result<Plan, BenchError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| BenchError::File(format!("{}: {error}", path.display())))?;
        Plan::parse(&text, path)
    }

    /// As [`Plan::load`], of a text that was read from `path`. Looks whether the files it names exist.
    pub fn parse(text: &str, path: &Path) -> Result<Plan, BenchError> {
        typed::read(text, path)
    }

    /// The plan as the command line wants it. The error names the flag.
    pub fn overridden(mut self, overrides: &Overrides) -> Result<Plan, BenchError> {
        self.check_names("--only", &overrides.only)?;
        self.pick_duet(overrides)?;
        if !overrides.only.is_empty() {
            self.targets.retain(|target| overrides.only.contains(&target.name));
        }
        if overrides.duration == Some(Nanos::ZERO) {
            return Err(BenchError::File(String::from("--duration 0: nothing would be measured")));
        }
        if overrides.repeats == Some(0) {
            return Err(BenchError::File(String::from("--repeats 0: nothing would be measured")));
        }
        self.duration = overrides.duration.unwrap_or(self.duration);
        self.repeats = overrides.repeats.unwrap_or(self.repeats);
        if let Some(knee) = &mut self.knee {
            knee.duration = overrides.duration.unwrap_or(knee.duration);
            knee.repeats = overrides.repeats.unwrap_or(knee.repeats);
        }
        // The file was found right, so that it is the flag if anything is wrong.
        if let (Some(duration), Some(refusal)) = (overrides.duration, self.refusal(u64::MAX)) {
            let what = format!("--duration {}: {}", duration.as_typed(), refusal.sentence);
            return Err(BenchError::File(what));
        }
        if overrides.aa { self.against_itself(&overrides.only) } else { Ok(self) }
    }

    /// One target, under two names: what then differs is the instrument and the machine.
    fn against_itself(mut self, only: &[String]) -> Result<Plan, BenchError> {
        if only.len() > 1 {
            let what = format!(
                "--aa measures one target against itself, and --only names {}: {}",
                only.len(),
                only.join(", ")
            );
            return Err(BenchError::File(what));
        }
        if self.repeats < 2 {
            let what = "--aa: one repeat tells nothing; --repeats 3 or more";
            return Err(BenchError::File(String::from(what)));
        }
        if self.rates.is_empty() {
            let what = "--aa needs a rate; the file only searches a knee";
            return Err(BenchError::File(String::from(what)));
        }
        self.targets.truncate(1);
        let twin = |suffix: &str, target: &Target| Target {
            name: format!("{}-{suffix}", target.name),
            varied: Vec::new(),
            ..target.clone()
        };
        self.targets = self.targets.iter().flat_map(|of| [twin("a", of), twin("b", of)]).collect();
        self.name += "-aa";
        // Claims name targets that are not there, and a knee is another question.
        self.claims.clear();
        self.knee = None;
        Ok(Plan { aa: true, ..self })
    }

    fn check_names(&self, flag: &str, typed: &[String]) -> Result<(), BenchError> {
        let is_there = |name: &&String| self.targets.iter().any(|target| target.name == **name);
        let Some(name) = typed.iter().find(|name| !is_there(name)) else { return Ok(()) };
        let names: Vec<&str> = self.targets.iter().map(|t| t.name.as_str()).collect();
        Err(BenchError::File(format!(
            "{flag} {name}: there is no such target; there are {}",
            names.join(", ")
        )))
    }

    /// Leaves the two targets of `--duet`, in its order.
    fn pick_duet(&mut self, overrides: &Overrides) -> Result<(), BenchError> {
        let refused = |why: &str| {
            Err(BenchError::File(format!("--duet {}: {why}", overrides.duet.join(","))))
        };
        self.check_names("--duet", &overrides.duet)?;
        match overrides.duet.as_slice() {
            [] => return Ok(()),
            _ if !overrides.only.is_empty() => {
                return refused("it names the targets itself; leave --only out");
            }
            _ if overrides.aa => {
                return refused("--aa measures one target at a time; write a target twice instead");
            }
            [a, b] if a == b => {
                return refused("two names, please; write a target twice to see it against itself");
            }
            _ if self.knee.is_some() => {
                return refused("the file searches a knee, of one target at a time");
            }
            [a, b] => {
                self.targets.retain(|target| [a, b].contains(&&target.name));
                self.targets.sort_by_key(|target| target.name != *a);
            }
            _ => return refused("name two targets, such as --duet uring,epoll"),
        }
        self.duet = true;
        Ok(())
    }

    /// Makes do with the `usable` CPUs (ascending, not empty), which stand to each other as `topology`
    /// says, and says what it changed, one sentence each: a quick bench on a laptop of one core should
    /// show something rather than nothing. Targets whose place is not there are left out, be it all.
    pub fn fit_to(&mut self, usable: &[usize], topology: &Topology) -> Vec<String> {
        fit::fit(self, usable, topology)
    }

    /// The plan as `bench.json` keeps it.
    pub fn record(&self) -> PlanRecord {
        PlanRecord {
            name: self.name.clone(),
            duration_s: self.duration.as_secs_f64(),
            warmup_s: self.warmup.as_secs_f64(),
            repeats: self.repeats,
            rates: self.rates.iter().map(|rate| rate.text.clone()).collect(),
            arrivals: self.arrivals.to_string(),
            mix: self.mix.display().to_string(),
            connections: self.connections,
            max_connections: self.max_connections,
            spread: self.spread,
            pacer_cpus: self.pacer_cpus.to_string(),
            seed: self.seed,
            timeout_s: self.timeout.map(Nanos::as_secs_f64),
            aa: self.aa,
            duet: self.duet,
            pacer: self.pacer.record(),
            knee: self.knee.as_ref().map(KneePlan::record),
            targets: self.targets.iter().map(Target::record).collect(),
        }
    }
}

impl PacerOptions {
    fn record(&self) -> PacerRecord {
        PacerRecord {
            catch_up: self.catch_up.map(|policy| policy.to_string()),
            drain: self.drain.map(Nanos::as_typed),
            timestamps: self.timestamps.map(|who| who.name().to_owned()),
            backend: self.backend.map(|backend| backend.name().to_owned()),
            wait: self.wait.map(|wait| wait.name().to_owned()),
        }
    }
}

impl Target {
    fn record(&self) -> TargetRecord {
        let blank = TargetRecord {
            name: self.name.clone(),
            cpus: self.cpus.as_ref().map(CpuList::to_string),
            ready_path: self.ready_path.clone(),
            varied: self.varied.clone(),
            ..TargetRecord::default()
        };
        match &self.launch {
            Launch::Serve(flags) => {
                let head = ["ringpace", "serve"].map(String::from);
                TargetRecord {
                    command: head.into_iter().chain(flags.iter().cloned()).collect(),
                    ..blank
                }
            }
            Launch::Command(line) => TargetRecord {
                command: line.argv.clone(),
                env: line.env.clone(),
                cwd: Some(line.cwd.display().to_string()),
                setup: line.setup.clone(),
                ..blank
            },
        }
    }
}

#[cfg(test)]
mod configs;
#[cfg(test)]
mod tests;
