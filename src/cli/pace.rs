//! `ringpace pace`: flags to a [`Plan`], and the outcome to a terminal.

use super::{Failure, print};
use crate::io::topology::CpuList;
use crate::io::{host, signal};
use crate::pace::mix::Mix;
use crate::pace::schedule::{Arrivals, Load};
use crate::pace::url::Url;

use crate::pace::{self, Backend, Outputs, PaceError, PaceWait, Plan};
use crate::report;
use crate::results::Verdict;
use crate::units::{Nanos, Rate};
use argh::FromArgs;
use std::path::PathBuf;
use std::process::ExitCode;

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

    /// threads, default as many as --cpus, or 1
    #[argh(option, short = 't')]
    threads: Option<usize>,

    /// pin one spinning thread to each of these CPUs, such as 1 or 2-3
    #[argh(option)]
    cpus: Option<CpuList>,

    /// a TOML file of weighted requests; the URL then gives the server only
    #[argh(option)]
    mix: Option<PathBuf>,

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

    /// write HdrHistogram percentile files into this directory
    #[argh(option)]
    hgrm: Option<PathBuf>,

    /// write an HdrHistogram interval log
    #[argh(option)]
    hlog: Option<PathBuf>,
}

impl PaceArgs {
    /// The plan, or the flag or file that is wrong.
    fn plan(self) -> Result<Plan, Failure> {
        let cpus = self.thread_cpus()?;
        let mix = match &self.mix {
            None => Mix::single(self.url.path()),
            Some(path) => read_mix(path)?,
        };
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
            host: host::describe(),
            outputs: Outputs { json: self.json, hgrm: self.hgrm, hlog: self.hlog },
            ..Plan::new(self.url, self.rate, self.duration)
        };
        Ok(plan)
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
        let plan = self.plan()?;
        let stop = signal::stop_flag().map_err(Failure::run)?;
        let outcome = pace::run(&plan, &stop).map_err(|error| match error {
            PaceError::Plan(sentence) => Failure::usage(sentence),
            error => Failure::run(error),
        })?;
        if plan.outputs.json.as_deref().is_none_or(|path| path.as_os_str() != "-") {
            print(&report::run_table(&outcome.run));
        }
        Ok(match outcome.run.verdict {
            Verdict::Valid | Verdict::Suspect => ExitCode::SUCCESS,
            Verdict::Invalid => ExitCode::from(3),
        })
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
