//! The directory of a bench: which one, what is in it already, and how it grows without ever holding
//! half a result.
//!
//! `bench.json` is written whole to a neighbour and renamed, after every run. A directory belongs
//! to one plan, told by the hash of everything that shapes a run.

use super::BenchError;
use super::plan::Plan;
use crate::calendar::rfc3339;
use crate::report;
use crate::results::bench::Bench;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// The name of the file that holds everything.
const BENCH_FILE: &str = "bench.json";
/// Where default directories are made; relative to the working directory.
const RESULTS: &str = "results";

/// A directory that belongs to one plan.
#[derive(Debug)]
pub(super) struct Store {
    dir: PathBuf,
}

impl Store {
    /// Opens `out`, or without it the newest unfinished directory of the same plan under `results`, or
    /// a new one. Also returns what is there already of the same plan.
    pub(super) fn open(
        out: Option<&Path>,
        plan: &Plan,
        plan_hash: &str,
        now_secs: u64,
    ) -> Result<(Store, Option<Bench>), BenchError> {
        Store::open_under(Path::new(RESULTS), out, plan, plan_hash, now_secs)
    }

    fn open_under(
        results: &Path,
        out: Option<&Path>,
        plan: &Plan,
        plan_hash: &str,
        now_secs: u64,
    ) -> Result<(Store, Option<Bench>), BenchError> {
        let (dir, before) = match out {
            Some(dir) => (dir.to_owned(), given(dir, plan_hash)?),
            None => match unfinished(results, &plan.name, plan_hash) {
                Some((dir, bench)) => (dir, Some(bench)),
                None => (fresh(results, &plan.name, now_secs), None),
            },
        };
        let store = Store { dir };
        fs::create_dir_all(store.runs_dir()).map_err(|error| {
            BenchError::File(format!("{}: cannot be made: {error}", store.runs_dir().display()))
        })?;
        Ok((store, before))
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    fn runs_dir(&self) -> PathBuf {
        self.dir.join("runs")
    }

    /// A file of the bench's directory.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Replaces `bench.json`.
    pub(super) fn save(&self, bench: &Bench) -> Result<(), BenchError> {
        let path = self.file(BENCH_FILE);
        let failed =
            |error: &dyn fmt::Display| BenchError::Machine(format!("{}: {error}", path.display()));
        let text = serde_json::to_string_pretty(bench).map_err(|error| failed(&error))?;
        let half = self.file("bench.json.part");
        fs::write(&half, text).map_err(|error| failed(&error))?;
        fs::rename(&half, &path).map_err(|error| failed(&error))
    }
}

/// What a directory that the user named holds of this plan; an error if it holds another's.
fn given(dir: &Path, plan_hash: &str) -> Result<Option<Bench>, BenchError> {
    if !dir.join(BENCH_FILE).exists() {
        return Ok(None);
    }
    let bench = report::load(dir).map_err(BenchError::File)?;
    if bench.plan_hash == plan_hash {
        return Ok(Some(bench));
    }
    Err(BenchError::File(format!(
        "--out {}: it holds the results of another plan, mix or build of ringpace; name another",
        dir.display()
    )))
}

/// The newest unfinished directory of the same plan. What cannot be read is somebody else's.
fn unfinished(results: &Path, name: &str, plan_hash: &str) -> Option<(PathBuf, Bench)> {
    let entries = fs::read_dir(results).ok()?;
    let mut dirs: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    // The names end in the time, so the newest is the last.
    dirs.sort();
    let ours = dirs.into_iter().rev().filter(|dir| {
        let dir_name = dir.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        dir_name.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'))
    });
    let loaded = ours.filter_map(|dir| Some((report::load(&dir).ok()?, dir)));
    let mut fitting = loaded.filter(|(bench, _)| bench.plan_hash == plan_hash && !bench.complete);
    fitting.next().map(|(bench, dir)| (dir, bench))
}

fn fresh(results: &Path, name: &str, now_secs: u64) -> PathBuf {
    let stamp: String = rfc3339(now_secs).chars().filter(|c| !"-:Z".contains(*c)).collect();
    results.join(format!("{name}-{}", stamp.replace('T', "-")))
}

/// FNV-1a of 64 bits over parts: tells plans apart, guards against nothing. Shows as 16 digits.
/// Source: Fowler, Noll, Vo; offset basis and prime of draft-eastlake-fnv.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    /// Adds a part; its length goes first, so that parts cannot run into one another.
    pub(super) fn add(&mut self, part: &[u8]) {
        let len = (part.len() as u64).to_le_bytes();
        for byte in len.iter().chain(part) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

impl fmt::Display for Fnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests;
