//! `ringpace pace`: flags to a [`Plan`], and the outcome to a terminal.

use super::{Failure, print};
use crate::io::topology::CpuList;
use crate::io::{host, signal};
use crate::pace::live::LiveMode;
use crate::pace::mix::{Mix, Single};
use crate::pace::schedule::{Arrivals, Load};
use crate::pace::threshold::Threshold;
use crate::pace::url::Url;
use crate::pace::{self, Backend, Outputs, PaceError, PaceWait, Plan};
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
    /// what to load, such as http://127.0.0.1:8080/devices/status
    #[argh(positional)]
    url: Url,

    /// requests per second, such as 1000, 20k or 1e6/7
    #[argh(option, short = 'R')]
    rate: Rate,

    /// measured time, such as 30s or 5m; the warm-up is not in it
    #[argh(option, short = 'd')]
    duration: Nanos,

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

    /// threads, default as many as --cpus, or 1
    #[argh(option, short = 't')]
    threads: Option<usize>,

    /// pin one spinning thread to each of these CPUs, such as 1 or 2-3
    #[argh(option)]
    cpus: Option<CpuList>,

    /// a TOML file of weighted requests; the URL then gives the server only
    #[argh(option)]
    mix: Option<PathBuf>,

    /// a header of the request, such as 'Accept: text/html'; may be repeated
    #[argh(option, short = 'H', long = "header")]
    headers: Vec<String>,

    /// method of the request, default GET, or POST with a body
    #[argh(option)]
    method: Option<String>,

    /// body of the request
    #[argh(option)]
    body: Option<String>,

    /// file that holds the body of the request
    #[argh(option)]
    body_file: Option<PathBuf>,

    /// constant (default), poisson or burst:N
    #[argh(option, default = "Arrivals::Constant")]
    arrivals: Arrivals,

    /// seed of the arrivals and of the mix, default 1
    #[argh(option, default = "1")]
    seed: u64,

    /// from when a request is due until it has failed, default 2s
    #[argh(option, default = "Nanos::from_secs(2)")]
    timeout: Nanos,

    /// epoll (default) or uring
    #[argh(option, default = "Backend::Epoll")]
    backend: Backend,

    /// spin (default), or hybrid to sleep between requests at the price of precision
    #[argh(option, default = "PaceWait::Spin")]
    wait: PaceWait,

    /// write the run's object here; - for standard output instead of the table
    #[argh(option)]
    json: Option<PathBuf>,

    /// also print the latency distribution in wrk2's form
    #[argh(switch, short = 'L')]
    latency: bool,

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
    fn plan(self) -> Result<Plan, Failure> {
        let cpus = self.thread_cpus()?;
        let mix = self.mix()?;
        for threshold in &self.threshold {
            threshold
                .check_kind(&mix)
                .map_err(|error| Failure::usage(format!("--threshold {error}")))?;
        }
        let connections_max = self.max_connections.unwrap_or(self.connections.max(CONNECTIONS_MAX));
        let plan = Plan {
            mix,
            load: Load { rate: self.rate, arrivals: self.arrivals, seed: self.seed },
            warmup: self.warmup,
            connections: self.connections,
            connections_max,
            timeout: self.timeout,
            cpus,
            backend: self.backend,
            wait: self.wait,
            spread: self.spread,
            host: host::describe(),
            outputs: Outputs {
                json: self.json,
                hgrm: self.hgrm,
                hlog: self.hlog,
                csv: self.csv,
                live: self.live.mode(),
            },
            ..Plan::new(self.url, self.rate, self.duration)
        };
        Ok(plan)
    }

    /// What is requested: the file's mix, or the one request that is typed.
    fn mix(&self) -> Result<Mix, Failure> {
        let flags = [
            ("-H", !self.headers.is_empty()),
            ("--method", self.method.is_some()),
            ("--body", self.body.is_some()),
            ("--body-file", self.body_file.is_some()),
        ];
        if let Some(path) = &self.mix {
            return match flags.iter().find(|(_, is_typed)| *is_typed) {
                Some((flag, _)) => Err(Failure::usage(format!(
                    "{flag} is for a single URL; with --mix it stands in the file"
                ))),
                None => read_mix(path),
            };
        }
        let body = match (&self.body, &self.body_file) {
            (Some(_), Some(_)) => {
                return Err(Failure::usage("--body and --body-file are both given; one will do"));
            }
            (Some(body), None) => body.clone().into_bytes(),
            (None, Some(path)) => std::fs::read(path).map_err(|error| {
                Failure::usage(format!("--body-file {}: {error}", path.display()))
            })?,
            (None, None) => Vec::new(),
        };
        let (method, headers) = (self.method.clone(), self.headers.clone());
        let path = String::from(self.url.path());
        Mix::one(Single { method, path, headers, body }).map_err(Failure::usage)
    }

    /// One CPU per thread; none for a single thread that may wander.
    fn thread_cpus(&self) -> Result<Vec<usize>, Failure> {
        match (&self.cpus, self.threads) {
            (None, None | Some(1)) => Ok(Vec::new()),
            (_, Some(0)) => Err(Failure::usage("-t 0: somebody has to send")),
            (None, Some(threads)) => Err(Failure::usage(format!(
                "-t {threads} needs --cpus with {threads} CPUs; spinning threads that share one stall each other"
            ))),
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
        let (thresholds, shows_latency) = (self.threshold.clone(), self.latency);
        let plan = self.plan()?;
        let stop = signal::stop_flag().map_err(Failure::run)?;
        let outcome = pace::run(&plan, &stop).map_err(|error| match error {
            PaceError::Plan(sentence) => Failure::usage(sentence),
            error => Failure::run(error),
        })?;
        if !plan.outputs.use_stdout() {
            print(&report::run_table(&outcome.run));
            if shows_latency {
                print(&report::latency_distribution(&outcome.recorder.total().response));
            }
        }
        if outcome.run.verdict == Verdict::Invalid {
            return Ok(ExitCode::from(3));
        }
        let missed: Vec<String> =
            thresholds.iter().filter_map(|limit| limit.check(&outcome.run).err()).collect();
        match missed.is_empty() {
            true => Ok(ExitCode::SUCCESS),
            false => Err(Failure::run(missed.join("\nringpace: "))),
        }
    }
}

/// Chosen: what elastic connections may grow to unless told otherwise.
const CONNECTIONS_MAX: usize = 1024;

fn read_mix(path: &std::path::Path) -> Result<Mix, Failure> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("--mix {file}: {error}")))?;
    Mix::parse(&file, &text).map_err(|error| Failure::usage(format!("--mix {error}")))
}
