//! `ringpace merge`: files to one result.

use super::{Failure, print};
use crate::pace::hgrm;
use crate::pace::merge::Runs;
use crate::report;
use crate::results::Verdict;
use argh::FromArgs;
use std::fs;
use std::io::{self, Write};
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
        if let Some(directory) = &self.hgrm {
            write_hgrm(directory, &runs).map_err(|error| {
                Failure::run(format!("--hgrm {}: {error}", directory.display()))
            })?;
        }
        let results = runs.results();
        let mut text = serde_json::to_string(&results).map_err(Failure::run)?;
        text.push('\n');
        match self.json.as_deref() {
            Some(path) => {
                let written = match path == Path::new("-") {
                    true => write_out(&text),
                    false => fs::write(path, text).map(|()| print(&report::merged(&results))),
                };
                written
                    .map_err(|error| Failure::run(format!("--json {}: {error}", path.display())))?;
            }
            None => print(&report::merged(&results)),
        }
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

/// To standard output, where what cannot be written is no result.
fn write_out(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn write_hgrm(directory: &Path, runs: &Runs) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    for (name, histogram) in runs.distributions() {
        let mut text = Vec::new();
        hgrm::write(&mut text, &histogram)?;
        fs::write(directory.join(format!("{name}.hgrm")), text)?;
    }
    Ok(())
}
