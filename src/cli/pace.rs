//! `ringpace pace`: flags to a [`Plan`], and the outcome to a terminal.
//!
//! What is requested of which server: [`requests`]; of two at once: [`duet`]; the instrument itself:
//! [`selftest`].

mod duet;
mod requests;
mod selftest;

use super::{Failure, print};
use crate::io::topology::{self, CpuList};
use crate::io::{host, signal};
use crate::pace::arrivals::{Arrivals, ArrivalsTyped};
use crate::pace::budget::ErrorBudget;
use crate::pace::catch_up::CatchUp;
use crate::pace::live::LiveMode;
use crate::pace::mix::Mix;
use crate::pace::plan::connections_max;
use crate::pace::replay::Replay;
use crate::pace::schedule::Load;
use crate::pace::threshold::Threshold;
use crate::pace::url::Url;
use crate::pace::{self, Backend, Outcome, Outputs, PaceError, PaceWait, Plan, Timestamps};
use crate::report;
use crate::results::Verdict;
use crate::units::{Nanos, Rate};
use argh::FromArgs;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

/// Load an HTTP/1.1 server at an exact rate and report its latency, with the pacer's own error.
#[derive(FromArgs)]
#[argh(subcommand, name = "pace")]
pub(super) struct PaceArgs {
    /// what to load, such as http://127.0.0.1:8080/devices/status or unix:/run/app.sock:/path;
    /// several of one server are picked equally often
    #[argh(positional)]
    urls: Vec<Url>,

    /// requests per second, such as 1000, 20k or 1e6/7; left out where --arrivals says it
    #[argh(option, short = 'R')]
    rate: Option<Rate>,

    /// measured time, such as 30s or 5m, a bare number is seconds; the warm-up is not in it; default
    /// the length of steps or of a replay
    #[argh(option, short = 'd', from_str_fn(wrk2_span))]
    duration: Option<Nanos>,

    /// time before it, at the same rate, in no count and no percentile; default 0
    #[argh(option, default = "Nanos::ZERO")]
    warmup: Nanos,

    /// connections before the start, default 64
    #[argh(option, short = 'c', default = "64")]
    connections: usize,

    /// connections at most: a due request never waits for a busy one below this; default 1024, or -c
    #[argh(option)]
    max_connections: Option<usize>,

    /// open connections until every core of the server has as many; ringpace's says which has one
    #[argh(switch)]
    spread: bool,

    /// threads, each pinned to one of --cpus, or else to one of the last CPUs; default as many as
    /// --cpus, or one that is not pinned
    #[argh(option, short = 't')]
    threads: Option<usize>,

    /// pin one spinning thread to each of these CPUs, such as 1 or 2-3
    #[argh(option)]
    cpus: Option<CpuList>,

    /// connect to this Unix socket; the URL then gives path and Host, as with curl
    #[argh(option)]
    unix_socket: Option<PathBuf>,

    /// a TOML file of weighted requests; the URL then gives the server only
    #[argh(option)]
    mix: Option<PathBuf>,

    /// a header of the request, such as 'Accept: text/html'; may be repeated
    #[argh(option, short = 'H', long = "header")]
    headers: Vec<String>,

    /// file with a token, sent as Authorization: Bearer with every request, also of a mix
    #[argh(option)]
    token_file: Option<PathBuf>,

    /// method of the request, default GET, or POST with a body
    #[argh(option)]
    method: Option<String>,

    /// body of the request
    #[argh(option)]
    body: Option<String>,

    /// file that holds the body of the request
    #[argh(option)]
    body_file: Option<PathBuf>,

    /// constant (default), poisson, burst:N, burst:N/10ms, ramp:1000..5000, steps:1000,2000@10s or
    /// replay:FILE
    #[argh(option, default = "ArrivalsTyped::Whole(Arrivals::Constant)")]
    arrivals: ArrivalsTyped,

    /// when the pacer was held up: all (default) sends at once what is owed, cap:2 at most so many
    /// times as fast as planned, skip or skip:10ms counts what is overdue by more and does not send it
    #[argh(option, default = "CatchUp::All")]
    catch_up: CatchUp,

    /// seed of the arrivals and of the mix, default 1
    #[argh(option, default = "1")]
    seed: u64,

    /// from when a request is due until it has failed, default 2s; a bare number is seconds
    #[argh(option, short = 'T', from_str_fn(wrk2_span), default = "Nanos::from_secs(2)")]
    timeout: Nanos,

    /// how long answers are awaited after the end, default --timeout
    #[argh(option)]
    drain: Option<Nanos>,

    /// epoll (default) or uring
    #[argh(option, default = "Backend::Epoll")]
    backend: Backend,

    /// own (default), or kernel: also let the kernel stamp what is sent and received (epoll and TCP
    /// only; two more system calls per request)
    #[argh(option, default = "Timestamps::Own")]
    timestamps: Timestamps,

    /// spin (default), or hybrid to sleep between requests at the price of precision
    #[argh(option, default = "PaceWait::Spin")]
    wait: PaceWait,

    /// write the run's object here; - for standard output instead of the table
    #[argh(option)]
    json: Option<PathBuf>,

    /// also print the latency distribution in wrk2's form
    #[argh(switch, short = 'L')]
    latency: bool,

    /// as --latency, and the service time as wrk2's uncorrected latency
    #[argh(switch, short = 'U')]
    u_latency: bool,

    /// load a server of its own that answers at once, on another CPU: prints the floor and the
    /// highest rate of the instrument on this machine; without a URL, -R (1000) and -d (10s)
    #[argh(switch)]
    selftest: bool,

    /// a second server, as a URL: each request goes to both, in random order, and what their answers
    /// differ by is said pair by pair; from one CPU
    #[argh(option)]
    duet: Option<Url>,

    /// wrk2's Lua scripts; not here, see --mix
    #[argh(option, short = 's', hidden_help)]
    script: Option<String>,

    /// exit with 1 if more than this share of the planned requests fail or never finish, such as 5% or
    /// 0; default 10%
    #[argh(option)]
    error_budget: Option<ErrorBudget>,

    /// exit with 1 unless this holds, such as 'p99<500us' or 'status.p99_9<2ms'; may be repeated
    #[argh(option)]
    threshold: Vec<Threshold>,

    /// a line per second on standard error: auto (default: on a terminal), plain or off
    #[argh(option, default = "LiveTyped::Auto")]
    live: LiveTyped,

    /// write HdrHistogram percentile files into this directory
    #[argh(option)]
    hgrm: Option<PathBuf>,

    /// write an HdrHistogram interval log of seconds, tagged by request
    #[argh(option)]
    hlog: Option<PathBuf>,

    /// write a CSV table of seconds and requests
    #[argh(option)]
    csv: Option<PathBuf>,

    /// write the run for Prometheus, such as /var/lib/node_exporter/textfile/ringpace.prom
    #[argh(option)]
    prom: Option<PathBuf>,
}

/// `--live` as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LiveTyped {
    Auto,
    Plain,
    Off,
}

impl FromStr for LiveTyped {
    type Err = String;

    fn from_str(text: &str) -> Result<LiveTyped, String> {
        match text {
            "auto" => Ok(LiveTyped::Auto),
            "plain" => Ok(LiveTyped::Plain),
            "off" => Ok(LiveTyped::Off),
            _ => Err(format!("`{text}` is no way to show a run; use `auto`, `plain` or `off`")),
        }
    }
}

impl LiveTyped {
    fn mode(self) -> Option<LiveMode> {
        match self {
            LiveTyped::Auto => std::io::stderr().is_terminal().then_some(LiveMode::Terminal),
            LiveTyped::Plain => Some(LiveMode::Plain),
            LiveTyped::Off => None,
        }
    }
}

impl PaceArgs {
    /// The plan, or the flag or file that is wrong.
    fn plan(&self) -> Result<Plan, Failure> {
        let url = self.server()?;
        let mix = self.mix()?;
        let arrivals = self.arrivals(&mix)?;
        let duration = self.duration.or(arrivals.length(self.warmup));
        let duration = duration
            .ok_or_else(|| Failure::usage("-d is missing: the measured time, such as -d 30s"))?;
        let load = Load::new(arrivals, self.rate, self.seed).map_err(Failure::usage)?;
        let plan = Plan { mix, ..self.plan_of(url, load, duration)? };
        for threshold in &self.threshold {
            threshold
                .check_kind(&plan.mix)
                .map_err(|error| Failure::usage(format!("--threshold {error}")))?;
        }
        Ok(plan)
    }

    /// Everything but the mix.
    fn plan_of(&self, url: Url, load: Load, duration: Nanos) -> Result<Plan, Failure> {
        if let Some(script) = &self.script {
            return Err(Failure::usage(format!(
                "-s {script}: there is no Lua here; requests with weights, bodies and expected \
                 answers stand in a TOML file, see --mix"
            )));
        }
        let rate = load.rate;
        Ok(Plan {
            load,
            warmup: self.warmup,
            connections: self.connections,
            connections_max: self.max_connections.unwrap_or(connections_max(self.connections)),
            timeout: self.timeout,
            drain: self.drain,
            catch_up: self.catch_up,
            cpus: self.thread_cpus()?,
            backend: self.backend,
            timestamps: self.timestamps,
            wait: self.wait,
            spread: self.spread,
            error_budget: self.error_budget.unwrap_or_default(),
            host: host::describe(),
            outputs: Outputs {
                json: self.json.clone(),
                hgrm: self.hgrm.clone(),
                hlog: self.hlog.clone(),
                csv: self.csv.clone(),
                prom: self.prom.clone(),
                live: self.live.mode(),
            },
            ..Plan::new(url, rate, duration)
        })
    }

    /// When requests are due; of a replay the file says it.
    fn arrivals(&self, mix: &Mix) -> Result<Arrivals, Failure> {
        match &self.arrivals {
            ArrivalsTyped::Whole(arrivals) => Ok(arrivals.clone()),
            ArrivalsTyped::File(file) => {
                let failed = |error: String| Failure::usage(format!("--arrivals replay: {error}"));
                let text = std::fs::read_to_string(file)
                    .map_err(|error| failed(format!("{file}: {error}")))?;
                Replay::parse(file, &text, mix).map(Arrivals::Replay).map_err(failed)
            }
        }
    }

    /// One CPU per thread; none for a single thread that may wander.
    fn thread_cpus(&self) -> Result<Vec<usize>, Failure> {
        match (&self.cpus, self.threads) {
            (None, None | Some(1)) => Ok(Vec::new()),
            (_, Some(0)) => Err(Failure::usage("-t 0: somebody has to send")),
            (None, Some(threads)) => last_cpus(threads),
            (Some(cpus), threads) => {
                cpus.check_online().map_err(|error| Failure::usage(format!("--cpus: {error}")))?;
                match threads.filter(|threads| *threads != cpus.cpus().len()) {
                    None => Ok(cpus.cpus().to_vec()),
                    Some(threads) => Err(Failure::usage(format!(
                        "-t {threads} and --cpus {cpus} disagree; leave -t out, or name {threads} CPUs"
                    ))),
                }
            }
        }
    }

    /// Paces, and shows what came of it.
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        if self.selftest {
            return self.run_selftest();
        }
        let plan = self.plan()?;
        let stop = signal::stop_flag().map_err(Failure::run)?;
        if let Some(other) = &self.duet {
            return self.run_duet(&plan, other, &stop);
        }
        let outcome = pace::run(&plan, &stop).map_err(of_pace)?;
        if !plan.outputs.use_stdout() {
            print(&report::run_table(&outcome.run));
            self.print_as_wrk2(&outcome);
        }
        let over_budget = plan.error_budget.check(&outcome.run).err();
        let missed = self.threshold.iter().filter_map(|limit| limit.check(&outcome.run).err());
        let failures = over_budget.into_iter().chain(missed).collect();
        exit_code(outcome.unwritten, outcome.run.verdict, failures)
    }

    fn print_as_wrk2(&self, outcome: &Outcome) {
        let total = outcome.recorder.total();
        if self.latency || self.u_latency {
            print(&report::latency_distribution("Recorded Latency", &total.response));
        }
        if self.u_latency {
            let title = "Uncorrected Latency (measured without taking delayed starts into account)";
            print(&report::latency_distribution(title, &total.service));
        }
        if self.latency || self.u_latency {
            print(&report::requests_per_second(&outcome.run));
        }
    }
}

/// How a run that has its figures ends: with 1 if they are not where they should be; else with 3 if
/// they cannot be believed, for then nothing can be said of what they fail; else with 1 if they fail
/// anything.
fn exit_code(
    unwritten: Vec<String>,
    verdict: Verdict,
    failures: Vec<String>,
) -> Result<ExitCode, Failure> {
    let sentences = |all: &[String]| Failure::run(all.join("\nringpace: "));
    match verdict {
        _ if !unwritten.is_empty() => Err(sentences(&unwritten)),
        Verdict::Invalid => Ok(ExitCode::from(3)),
        Verdict::Valid | Verdict::Suspect if failures.is_empty() => Ok(ExitCode::SUCCESS),
        Verdict::Valid | Verdict::Suspect => Err(sentences(&failures)),
    }
}

fn of_pace(error: PaceError) -> Failure {
    match error {
        PaceError::Plan(sentence) => Failure::usage(sentence),
        error => Failure::run(error),
    }
}

/// The last CPUs there are, one for each thread: what runs on a machine by itself prefers the first.
fn last_cpus(threads: usize) -> Result<Vec<usize>, Failure> {
    let mut cpus = topology::usable_cpus();
    match cpus.len().checked_sub(threads) {
        Some(others) => Ok(cpus.split_off(others)),
        None => Err(Failure::usage(format!(
            "-t {threads} is more than the {} CPUs there are; spinning threads that share one stall \
             each other",
            cpus.len()
        ))),
    }
}

/// A span as everywhere here, or as wrk2 has it: a bare number is seconds.
fn wrk2_span(text: &str) -> Result<Nanos, String> {
    match text.bytes().all(|byte| byte.is_ascii_digit()) && text != "0" {
        true => format!("{text}s").parse(),
        false => text.parse(),
    }
}
