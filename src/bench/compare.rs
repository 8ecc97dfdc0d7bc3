//! Two sets of results side by side: before and after a change, or one machine and another.
//!
//! A side is a bench's directory, a file that `pace --json` wrote, or a directory of such files, which
//! are then repeats of one. Targets are compared with those of the same name and rate; a side's only
//! target whatever its name, and at its only rate whatever that is. Only the same requests at the same
//! moments make a fair comparison, so sides whose arrivals differ are refused unless told otherwise.
//! Start at [`compare`].

use super::BenchError;
use super::difference::{Pairing, between};
use super::summary::summary;
use crate::report;
use crate::results::bench::{BenchRun, Difference};
use crate::results::{RUN_SCHEMA, Run};
use crate::units::Rate;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Two sides compared.
#[derive(Clone, Debug)]
pub struct Compared {
    /// What is on either side, in a line: base, then new.
    pub sides: [String; 2],
    /// What else differs between them, or has no counterpart; one sentence each.
    pub warnings: Vec<String>,
    /// New less base.
    pub differences: Vec<Difference>,
}

/// Compares `new` with `base`, with different arrivals only if `anyway`. The error is one sentence
/// that names the file.
pub fn compare(base: &Path, new: &Path, anyway: bool) -> Result<Compared, BenchError> {
    let sides = [Side::read(base)?, Side::read(new)?];
    compare_sides(&sides, anyway).map_err(BenchError::File)
}

/// What was measured of one side.
struct Side {
    path: PathBuf,
    groups: Vec<Group>,
}

/// The repeats of one target at one rate.
struct Group {
    target: String,
    rate: String,
    runs: Vec<BenchRun>,
}

fn compare_sides(sides: &[Side; 2], anyway: bool) -> Result<Compared, String> {
    let [base, new] = sides;
    let pairs = pairs(base, new);
    if pairs.is_empty() {
        return Err(format!(
            "nothing to compare: {} has {}, {} has {}; targets and rates must be the same",
            base.path.display(),
            base.names(),
            new.path.display(),
            new.names()
        ));
    }
    let mut warnings = unpaired(sides, &pairs);
    let (mut differences, mut refusals) = (Vec::new(), Vec::new());
    for (of_base, of_new) in &pairs {
        refusals.extend(different_arrivals(of_base, of_new));
        warnings.extend(different_surroundings(of_base, of_new));
        differences.extend(between(&of_base.summary(), &of_new.summary(), None, Pairing::None));
    }
    if let ([first, ..], false) = (refusals.as_slice(), anyway) {
        return Err(format!("{first}; --anyway compares them nonetheless"));
    }
    warnings.splice(0..0, refusals);
    let mut said = BTreeSet::new();
    warnings.retain(|warning| said.insert(warning.clone()));
    let sides = sides.each_ref().map(|side| format!("{}: {}", side.path.display(), side.names()));
    Ok(Compared { sides, warnings, differences })
}

/// The groups of either side that belong together.
fn pairs<'a>(base: &'a Side, new: &'a Side) -> Vec<(&'a Group, &'a Group)> {
    if let ([of_base], [of_new]) = (base.groups.as_slice(), new.groups.as_slice()) {
        return vec![(of_base, of_new)];
    }
    // A name tells targets apart; of one target it says nothing.
    let any_name = base.targets().len() == 1 && new.targets().len() == 1;
    let belong = |of_base: &Group, of_new: &Group| {
        (any_name || of_base.target == of_new.target) && of_base.has_rate_of(of_new)
    };
    let counterpart = |of_new: &'a Group| {
        let of_base = base.groups.iter().find(|of_base| belong(of_base, of_new))?;
        Some((of_base, of_new))
    };
    new.groups.iter().filter_map(counterpart).collect()
}

fn unpaired(sides: &[Side; 2], pairs: &[(&Group, &Group)]) -> Vec<String> {
    let is_paired = |group: &Group| {
        pairs.iter().any(|(base, new)| std::ptr::eq(*base, group) || std::ptr::eq(*new, group))
    };
    let mut sentences = Vec::new();
    for side in sides {
        for group in side.groups.iter().filter(|group| !is_paired(group)) {
            let (name, path) = (group.name(), side.path.display());
            sentences.push(format!("{name} is only in {path}, and left out"));
        }
    }
    sentences
}

/// Why a comparison would not be fair.
fn different_arrivals(base: &Group, new: &Group) -> Option<String> {
    let (of_base, of_new) = (base.hashes(), new.hashes());
    let described = |group: &Group, hashes: &BTreeSet<&str>| {
        let runs = group.measured();
        let schedule = runs.first().map(|run| {
            let (arrivals, seed) = (&run.schedule.arrivals, run.schedule.seed);
            format!("{arrivals}, seed {seed}, {:.0}/s, {:.1} s", run.offered_rps, run.duration_s)
        });
        let hashes: Vec<&str> = hashes.iter().copied().collect();
        format!("{} ({})", schedule.unwrap_or_default(), hashes.join(", "))
    };
    (of_base != of_new).then(|| {
        format!(
            "{}: the sides did not get the same requests at the same moments: {} against {}",
            new.name(),
            described(base, &of_base),
            described(new, &of_new)
        )
    })
}

/// Keys of a run's `host` that say where it was measured.
const MACHINE: [&str; 8] = [
    "kernel",
    "cpu_model",
    "cpus_online",
    "cpus_isolated",
    "clocksource",
    "governor",
    "smt",
    "virtualised",
];
/// Keys of `host.pacer` that say how.
const PACER: [&str; 8] = [
    "backend",
    "wait",
    "catch_up",
    "cpus",
    "connections",
    "connections_max",
    "warmup_s",
    "timeout_s",
];

/// What differs between the machines and the pacers, a sentence each.
fn different_surroundings(base: &Group, new: &Group) -> Vec<String> {
    let (Some(base), Some(new)) =
        (base.measured().first().copied(), new.measured().first().copied())
    else {
        return Vec::new();
    };
    let pacer =
        |run: &Run, key: &str| run.host.get("pacer").and_then(|pacer| pacer.get(key).cloned());
    let machine = |run: &Run, key: &str| run.host.get(key).cloned();
    let of_machine = MACHINE
        .iter()
        .filter_map(|key| differs("machine", key, machine(base, key), machine(new, key)));
    let of_pacer =
        PACER.iter().filter_map(|key| differs("pacer", key, pacer(base, key), pacer(new, key)));
    of_machine.chain(of_pacer).collect()
}

fn differs(whose: &str, key: &str, base: Option<Value>, new: Option<Value>) -> Option<String> {
    let shown = |value: Option<Value>| match value {
        None => String::from("unknown"),
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
    };
    (base != new)
        .then(|| format!("the {whose} differs: {key} is {} against {}", shown(base), shown(new)))
}

impl Group {
    fn name(&self) -> String {
        format!("{} at {}/s", self.target, self.rate)
    }

    fn has_rate_of(&self, other: &Group) -> bool {
        let rate = |group: &Group| group.rate.parse::<Rate>().ok();
        self.rate == other.rate || rate(self) == rate(other)
    }

    fn measured(&self) -> Vec<&Run> {
        self.runs.iter().filter_map(|run| run.run.as_ref()).collect()
    }

    fn hashes(&self) -> BTreeSet<&str> {
        self.measured().iter().map(|run| run.schedule.hash.as_str()).collect()
    }

    fn summary(&self) -> crate::results::bench::Summary {
        let runs: Vec<&BenchRun> = self.runs.iter().collect();
        summary(&self.target, &self.rate, &runs)
    }
}

impl Side {
    fn read(path: &Path) -> Result<Side, BenchError> {
        let groups = if path.join("bench.json").is_file() {
            groups_of_bench(path).map_err(BenchError::File)?
        } else {
            groups_of_files(path).map_err(BenchError::File)?
        };
        Ok(Side { path: path.to_owned(), groups })
    }

    fn targets(&self) -> BTreeSet<&str> {
        self.groups.iter().map(|group| group.target.as_str()).collect()
    }

    fn names(&self) -> String {
        let counted = |group: &Group| match group.measured().len() {
            1 => format!("{}, 1 repeat", group.name()),
            repeats => format!("{}, {repeats} repeats", group.name()),
        };
        match self.groups.as_slice() {
            [] => String::from("no results"),
            few if few.len() <= NAMED_MAX => few.iter().map(counted).collect::<Vec<_>>().join("; "),
            many => {
                let targets: Vec<&str> = self.targets().into_iter().collect();
                let rates: BTreeSet<&str> = many.iter().map(|group| group.rate.as_str()).collect();
                let rates: Vec<&str> = rates.into_iter().collect();
                format!("{} at {} requests/s", targets.join(", "), rates.join(", "))
            }
        }
    }
}

/// Chosen: with more, what they have in common is shorter to read.
const NAMED_MAX: usize = 3;

fn groups_of_bench(dir: &Path) -> Result<Vec<Group>, String> {
    let bench = report::load(dir)?;
    let mut groups: Vec<Group> = Vec::new();
    for run in bench.runs {
        match groups.iter_mut().find(|g| g.target == run.target && g.rate == run.rate) {
            Some(group) => group.runs.push(run),
            None => groups.push(Group {
                target: run.target.clone(),
                rate: run.rate.clone(),
                runs: vec![run],
            }),
        }
    }
    groups.iter_mut().for_each(|group| group.runs.sort_by_key(|run| run.repeat));
    Ok(groups)
}

/// One group per rate that was asked for, called by the file or the directory: Poisson arrivals of two
/// seeds are as many as was drawn, and repeats of one all the same.
fn groups_of_files(path: &Path) -> Result<Vec<Group>, String> {
    let stem = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let mut groups: Vec<Group> = Vec::new();
    for file in run_files(path)? {
        let run = read_run(&file)?;
        let rate = run.offered_rps.to_string();
        let known = groups.iter().position(|group| group.rate == rate);
        let nth = known.unwrap_or_else(|| {
            groups.push(Group { target: stem.clone(), rate: rate.clone(), runs: Vec::new() });
            groups.len() - 1
        });
        let repeat = groups[nth].runs.len() as u32 + 1;
        groups[nth].runs.push(BenchRun {
            target: stem.clone(),
            rate,
            repeat,
            run: Some(run),
            files: file.display().to_string(),
            // Nobody sampled the server.
            ..BenchRun::default()
        });
    }
    Ok(groups)
}

/// The file itself, or every `.json` of the directory, by name.
fn run_files(path: &Path) -> Result<Vec<PathBuf>, String> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries =
        std::fs::read_dir(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let is_json = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
    let mut files: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(is_json).collect();
    files.sort();
    if files.is_empty() {
        let path = path.display();
        return Err(format!("{path}: there is neither bench.json nor any run's .json in it"));
    }
    Ok(files)
}

fn read_run(path: &Path) -> Result<Run, String> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let run: Run = serde_json::from_str(&text)
        .map_err(|error| format!("{}:{}: no run: {error}", path.display(), error.line()))?;
    match run.schema.as_str() {
        RUN_SCHEMA => Ok(run),
        other => Err(format!("{}: its schema is {other}, not {RUN_SCHEMA}", path.display())),
    }
}

#[cfg(test)]
mod tests;
