//! `ringpace merge`: files to one result.

use super::{Failure, print};
use crate::pace::merge::Runs;
use crate::pace::outputs::{Distributions, Output};
use crate::report;
use crate::results::Verdict;
use argh::FromArgs;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Add runs up exactly: counts are added and histograms merged, never averaged. Exits with 3 if a run is
/// INVALID.
#[derive(FromArgs)]
#[argh(subcommand, name = "merge")]
pub(super) struct MergeArgs {
    /// objects of `pace --json` or of `merge --json`, which hold every distribution whole; or
    /// interval logs (.hlog), which hold the response times only
    #[argh(positional)]
    inputs: Vec<PathBuf>,

    /// write the sum here; - for standard output instead of the table
    #[argh(option)]
    json: Option<PathBuf>,

    /// write HdrHistogram percentile files into this directory
    #[argh(option)]
    hgrm: Option<PathBuf>,
}

impl MergeArgs {
    /// Adds up, and shows or writes the sum; exit code 3 if a run in it is INVALID.
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let runs = self.sum()?;
        let results = runs.results();
        let json = self.json.as_deref().map(|path| Output::open("--json", path)).transpose();
        let hgrm = self.hgrm.as_deref().map(Distributions::open).transpose();
        let (json, hgrm) = (json.map_err(Failure::run)?, hgrm.map_err(Failure::run)?);
        let written = [
            hgrm.map(|directory| directory.write(&runs.distributions())),
            json.map(|output| output.write_json(&results)),
        ];
        if self.json.as_deref() != Some(Path::new("-")) {
            print(&report::merged(&results));
        }
        written.into_iter().flatten().collect::<Result<(), String>>().map_err(Failure::run)?;
        match results.verdict {
            Some(Verdict::Invalid) => Ok(ExitCode::from(3)),
            _ => Ok(ExitCode::SUCCESS),
        }
    }

    fn sum(&self) -> Result<Runs, Failure> {
        let mut inputs = self.inputs.iter();
        let first = inputs.next().ok_or_else(|| Failure::usage("merge: no file is given"))?;
        let mut sum = read(first)?;
        for path in inputs {
            sum.add(read(path)?)
                .map_err(|why| Failure::usage(format!("{}: {why}", path.display())))?;
        }
        Ok(sum)
    }
}

fn read(path: &Path) -> Result<Runs, Failure> {
    let file = path.display().to_string();
    let bytes = fs::read(path).map_err(|error| Failure::usage(format!("{file}: {error}")))?;
    match path.extension().is_some_and(|extension| extension == "hlog") {
        true => Runs::of_log(&file, &bytes),
        false => String::from_utf8(bytes)
            .map_err(|_| format!("{file}: it is not UTF-8"))
            .and_then(|text| Runs::of_json(&file, &text)),
    }
    .map_err(Failure::usage)
}
