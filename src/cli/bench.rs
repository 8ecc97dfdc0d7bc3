//! `ringpace bench`, `ringpace report` and `ringpace compare`: files and directories to tables and a
//! page.

use super::{Failure, print};
use crate::bench::{self, BenchError, Overrides, Plan};
use crate::io::signal;
use crate::report;
use crate::units::Nanos;
use argh::FromArgs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

/// Run a whole experiment: targets x rates x repeats, interleaved, with a fresh server each.
#[derive(FromArgs)]
#[argh(subcommand, name = "bench")]
pub(super) struct BenchArgs {
    /// the experiment, such as bench-configs/quick.toml
    #[argh(positional)]
    file: PathBuf,

    /// where results go; default results/NAME-TIME, or an unfinished one of the same plan
    #[argh(option)]
    out: Option<PathBuf>,

    /// run these targets only, such as uring,epoll
    #[argh(option)]
    only: Option<String>,

    /// run two targets at once on the same CPUs, such as uring,epoll, each request to both: what they
    /// differ by, pair by pair; repeats are restarts
    #[argh(option)]
    duet: Option<String>,

    /// measure each run for so long instead of what the file says
    #[argh(option)]
    duration: Option<Nanos>,

    /// repeat each run so often instead of what the file says
    #[argh(option)]
    repeats: Option<u32>,

    /// measure the first target, or the one that --only names, against itself: can the bench tell a
    /// server from itself on this machine? It should not; exit code 1 if it can
    #[argh(switch)]
    aa: bool,
}

impl BenchArgs {
    /// Conducts the experiment; the exit code tells how it ended.
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let plan = Plan::load(&self.file).map_err(of_bench)?;
        let duet = names(self.duet.as_deref());
        if self.duet.is_some() && duet.is_empty() {
            return Err(Failure::usage("--duet: name two targets, such as --duet uring,epoll"));
        }
        let overrides = Overrides {
            out: self.out,
            only: names(self.only.as_deref()),
            duet,
            duration: self.duration,
            repeats: self.repeats,
            aa: self.aa,
        };
        let stop = signal::stop_flag().map_err(Failure::run)?;
        let mut out = io::stdout().lock();
        let outcome = bench::run(plan, &overrides, &stop, &mut out).map_err(of_bench)?;
        Ok(ExitCode::from(outcome.ending.exit_code()))
    }
}

fn names(list: Option<&str>) -> Vec<String> {
    let words = list.unwrap_or_default().split(',');
    words.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn of_bench(error: BenchError) -> Failure {
    Failure { code: error.exit_code(), sentence: error.to_string() }
}

/// Show a bench that was run: its table here, its page in a file.
#[derive(FromArgs)]
#[argh(subcommand, name = "report")]
pub(super) struct ReportArgs {
    /// the bench's directory
    #[argh(positional)]
    dir: PathBuf,

    /// where to write the page; default report.html in the directory
    #[argh(option)]
    html: Option<PathBuf>,
}

impl ReportArgs {
    /// Draws table and page anew from `bench.json` and the interval logs beside it.
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let bench = report::load(&self.dir).map_err(Failure::usage)?;
        print(&report::render_table(&bench));
        let page = self.html.unwrap_or_else(|| self.dir.join("report.html"));
        report::write_html(&bench, &self.dir, &page).map_err(Failure::run)?;
        print(&format!("{}\n", page.display()));
        Ok(ExitCode::SUCCESS)
    }
}

/// Compare two sets of results: quantiles side by side, and whether they can be told apart. Exits with
/// 1 if over all requests a latency or the CPU time is higher beyond the noise, which takes three
/// repeats a side.
#[derive(FromArgs)]
#[argh(subcommand, name = "compare")]
pub(super) struct CompareArgs {
    /// what was before: a bench's directory, a run's .json, or a directory of such files as repeats
    #[argh(positional)]
    base: PathBuf,

    /// what is compared with it: the same
    #[argh(positional)]
    new: PathBuf,

    /// compare even what did not get the same requests at the same moments
    #[argh(switch)]
    anyway: bool,
}

impl CompareArgs {
    /// Prints the differences, new less base; exit code 1 if one is a regression, 3 if a side is
    /// INVALID and none can be told.
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let compared =
            bench::compare::compare(&self.base, &self.new, self.anyway).map_err(of_bench)?;
        let [base, new] = &compared.sides;
        print(&report::compared_table(base, new, &compared.warnings, &compared.differences));
        let regressed = report::regressions(&compared.differences).next().is_some();
        Ok(ExitCode::from(match regressed {
            true => 1,
            false if report::is_untold(&compared.differences) => 3,
            false => 0,
        }))
    }
}
