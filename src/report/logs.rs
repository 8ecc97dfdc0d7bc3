//! What a bench's interval logs add to `bench.json`: each run's distribution whole, and how it went
//! over time.
//!
//! A log that is not there, or cannot be read, costs the drawings made of it and nothing else; why, is
//! kept. Start at [`Logs::read`].

use super::scale::NINES_LEAST;
use crate::pace::hlog::{self, Within};
use crate::results::Run;
use crate::results::bench::{Bench, BenchRun};
use crate::stats::Histogram;
use crate::units::Nanos;
use std::collections::BTreeMap;
use std::path::{Component, Path};

/// The logs of a bench's runs.
#[derive(Debug, Default)]
pub struct Logs {
    /// In the order of the bench's runs; `None` where there is none to be had.
    runs: Vec<Option<RunLog>>,
    /// Why; a sentence each.
    pub(super) troubles: Vec<String>,
}

/// The log of a run.
#[derive(Debug, Default)]
pub(super) struct RunLog {
    /// All requests that are in the headline figures: all but long polls.
    pub(super) total: Curve,
    /// Each request kind, by its name in the mix.
    pub(super) kinds: BTreeMap<String, Curve>,
    /// What `total` is of, over time.
    pub(super) columns: Vec<Column>,
}

/// A distribution, at steps of [`NINES_STEP`] from p50 on.
#[derive(Debug, Default)]
pub(super) struct Curve {
    /// In ns; up to the first at +infinity.
    pub(super) points: Vec<u64>,
}

/// What ended within some seconds.
#[derive(Debug, Default)]
pub(super) struct Column {
    /// From the begin of the measured time.
    pub(super) begin_s: f64,
    pub(super) span_s: f64,
    pub(super) count: u64,
    pub(super) infinite: u64,
    /// `None` at +infinity.
    pub(super) p50: Option<u64>,
    pub(super) p99: Option<u64>,
    /// The longest finite one.
    pub(super) longest: Option<u64>,
    /// How many lie in each [`bin`].
    pub(super) bins: BTreeMap<i32, u64>,
}

/// Distance of the points of a [`Curve`], in nines. Chosen: finer than a line on paper.
pub(super) const NINES_STEP: f64 = 0.1;
/// Chosen: ten million requests.
const NINES_MOST: f64 = 7.0;

/// Bins of a decade of latency. Chosen: each is a fifth longer than the one before.
pub(super) const BINS_PER_DECADE: f64 = 12.0;

/// Columns of all repeats of a target together. Chosen: a column is some six units of a drawing wide.
const COLUMNS_MAX: f64 = 120.0;

/// The nines at which the nth point of a [`Curve`] lies.
pub(super) fn nines_of(nth: usize) -> f64 {
    if nth == 0 { NINES_LEAST } else { NINES_STEP * (nth as f64 + 3.0) }
}

/// The bin that holds `ns`.
pub(super) fn bin(ns: u64) -> i32 {
    ((ns.max(1) as f64).log10() * BINS_PER_DECADE).floor() as i32
}

impl Logs {
    /// Reads the log of every run of `bench`, whose directory is `dir`. Of a duet there is one of each
    /// side; one that an older ringpace conducted left none.
    pub fn read(dir: &Path, bench: &Bench) -> Logs {
        let mut logs = Logs::default();
        if bench.plan.duet && bench.runs.iter().all(|run| !dir.join(name_of(bench, run)).exists()) {
            return logs;
        }
        let together_s = bench.plan.duration_s * f64::from(bench.plan.repeats.max(1));
        let step_s = (together_s / COLUMNS_MAX).ceil().max(1.0);
        for entry in &bench.runs {
            let name = name_of(bench, entry);
            let log = entry.run.as_ref().map(|run| of_run(dir, &name, run, step_s));
            logs.runs.push(match log {
                Some(Err(why)) => {
                    logs.troubles.push(why);
                    None
                }
                Some(Ok(log)) => Some(log),
                None => None,
            });
        }
        logs
    }

    /// The log of the nth run.
    pub(super) fn of(&self, nth: usize) -> Option<&RunLog> {
        self.runs.get(nth)?.as_ref()
    }
}

/// Where the log of `run` is, below the bench's directory. Both sides of a duet have the files of their
/// restart.
fn name_of(bench: &Bench, run: &BenchRun) -> String {
    let is_a = bench.plan.targets.first().is_some_and(|a| a.name == run.target);
    let side = match (bench.plan.duet, is_a) {
        (false, _) => "",
        (true, true) => ".a",
        (true, false) => ".b",
    };
    format!("{}{side}.hlog", run.files)
}

fn of_run(dir: &Path, name: &str, run: &Run, step_s: f64) -> Result<RunLog, String> {
    let inside = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    if !inside {
        return Err(format!("{name}: this is no file of the bench's directory"));
    }
    let bytes = std::fs::read(dir.join(name)).map_err(|error| format!("{name}: {error}"))?;
    of_bytes(&bytes, run, step_s).map_err(|why| format!("{name}: {why}"))
}

fn of_bytes(bytes: &[u8], run: &Run, step_s: f64) -> Result<RunLog, String> {
    let mut kinds: BTreeMap<String, Histogram> = BTreeMap::new();
    let mut columns: BTreeMap<u64, Histogram> = BTreeMap::new();
    let tags = hlog::tags(run.requests.iter().map(|kind| kind.name.as_str()));
    let is_in_total = |tag: &str| is_in_total(run, &tags, tag);
    hlog::read(bytes, |tag, within, responses| {
        kinds.entry(tag.to_owned()).or_default().merge(responses);
        if is_in_total(tag) {
            columns.entry(nth_column(within, step_s)).or_default().merge(responses);
        }
    })?;
    let mut total = Histogram::new();
    let counted = kinds.iter().filter(|(tag, _)| is_in_total(tag));
    counted.for_each(|(_, histogram)| total.merge(histogram));
    let named = run.requests.iter().zip(&tags).filter_map(|(kind, tag)| {
        let histogram = kinds.get(tag)?;
        Some((kind.name.clone(), curve(histogram)))
    });
    Ok(RunLog {
        total: curve(&total),
        kinds: named.collect(),
        columns: columns.iter().map(|(nth, all)| column(*nth, step_s, all)).collect(),
    })
}

fn nth_column(within: Within, step_s: f64) -> u64 {
    (within.begin.as_secs_f64() / step_s + 1e-9) as u64
}

/// Long polls are in no figure of the whole run, unless there is nothing else.
fn is_in_total(run: &Run, tags: &[String], tag: &str) -> bool {
    let only_polls = run.requests.iter().all(|kind| kind.long_poll);
    let of_tag = run.requests.iter().zip(tags).find(|(_, other)| *other == tag);
    only_polls || !of_tag.is_some_and(|(kind, _)| kind.long_poll)
}

/// `histogram` as far as its count of requests has quantiles.
pub(super) fn curve(histogram: &Histogram) -> Curve {
    let nines_most = (histogram.count().max(1) as f64).log10().min(NINES_MOST);
    let within = (0..).map(nines_of).take_while(|nines| *nines <= nines_most + 1e-9);
    let quantile = |nines: f64| histogram.quantile(1.0 - 10f64.powf(-nines)).finite();
    Curve { points: within.map_while(quantile).map(|ns| ns.0).collect() }
}

fn column(nth: u64, step_s: f64, responses: &Histogram) -> Column {
    let ns = |quantile: f64| responses.quantile(quantile).finite().map(|ns| ns.0);
    let mut bins = BTreeMap::new();
    for recorded in responses.hdr().iter_recorded() {
        *bins.entry(bin(recorded.value_iterated_to())).or_default() += recorded.count_at_value();
    }
    Column {
        begin_s: nth as f64 * step_s,
        span_s: step_s,
        count: responses.count(),
        infinite: responses.infinite(),
        p50: ns(0.5),
        p99: ns(0.99),
        longest: responses.longest_observed().map(|Nanos(ns)| ns),
        bins,
    }
}

#[cfg(test)]
mod tests;
