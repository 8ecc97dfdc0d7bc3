//! What the page is drawn of, and where each figure stands in `bench.json`.
//!
//! Start at [`Page`].

use crate::report::figure::offered;
use crate::report::logs::{Curve, Logs, RunLog};
use crate::results::bench::{Bench, BenchRun, KindSummary, Summary};
use crate::results::{Verdict, usable};

/// A bench and the logs of its runs.
#[derive(Clone, Copy)]
pub(in crate::report) struct Page<'a> {
    pub(in crate::report) bench: &'a Bench,
    pub(in crate::report) logs: &'a Logs,
}

/// A part of the page that has a heading.
pub(in crate::report) struct Section {
    /// Where links to it lead; letters and `-`.
    pub(in crate::report) id: &'static str,
    pub(in crate::report) title: &'static str,
    /// Markup.
    pub(in crate::report) body: String,
}

impl Section {
    /// A section; `None` if there is nothing in it.
    pub(in crate::report) fn new(
        id: &'static str,
        title: &'static str,
        body: String,
    ) -> Option<Section> {
        (!body.is_empty()).then_some(Section { id, title, body })
    }
}

/// A summary, and its place in the file.
#[derive(Clone, Copy)]
pub(in crate::report) struct Placed<'a> {
    pub(in crate::report) summary: &'a Summary,
    place: Place,
    /// Of its target among the targets: its colour.
    pub(in crate::report) position: usize,
}

/// Where a summary stands in the file.
#[derive(Clone, Copy)]
enum Place {
    Summary(usize),
    /// A probe of a target's knee search.
    Probe(usize, usize),
}

impl<'a> Placed<'a> {
    /// The request kind called `name`, and its key in the summary.
    pub(in crate::report) fn kind(&self, name: &str) -> Option<(&'a KindSummary, String)> {
        let kinds = &self.summary.requests;
        let nth = kinds.iter().position(|kind| kind.name == name)?;
        Some((&kinds[nth], format!("requests/{nth}")))
    }

    /// The JSON pointer of `key` in the summary.
    pub(in crate::report) fn pointer(&self, key: &str) -> String {
        match self.place {
            Place::Summary(nth) => format!("/summaries/{nth}/{key}"),
            Place::Probe(target, nth) => {
                format!("/knee/targets/{target}/probes/{nth}/summary/{key}")
            }
        }
    }
}

impl<'a> Page<'a> {
    /// Every rate, and what was measured at it.
    pub(in crate::report) fn rates(&self) -> Vec<(&'a str, Vec<Placed<'a>>)> {
        let rates = self.bench.plan.rates.iter();
        let all = rates.map(|rate| (rate.as_str(), self.at_rate(rate)));
        all.filter(|(_, placed)| !placed.is_empty()).collect()
    }

    /// `1000 requests/s`.
    pub(in crate::report) fn offered(&self, rate: &str) -> String {
        offered(&self.bench.plan, rate, " requests/s")
    }

    /// Whether `rate` is the first of [`Page::rates`]: what is explained there is not explained again.
    pub(in crate::report) fn is_first(&self, rate: &str) -> bool {
        self.rates().first().is_some_and(|(first, _)| *first == rate)
    }

    fn at_rate(&self, rate: &str) -> Vec<Placed<'a>> {
        let all = self.bench.summaries.iter().enumerate();
        let of_rate = all.filter(|(_, summary)| summary.rate == rate);
        of_rate.map(|(nth, summary)| self.placed(Place::Summary(nth), summary)).collect()
    }

    /// Every rate that the search for the knees has tried.
    pub(in crate::report) fn probes(&self) -> Vec<Placed<'a>> {
        let targets = self.bench.knee.iter().flat_map(|knee| knee.targets.iter().enumerate());
        let probes = targets.flat_map(|(target, of_target)| {
            let probes = of_target.probes.iter().enumerate();
            probes.map(move |(nth, probe)| self.placed(Place::Probe(target, nth), &probe.summary))
        });
        probes.collect()
    }

    fn placed(&self, place: Place, summary: &'a Summary) -> Placed<'a> {
        let targets = &self.bench.plan.targets;
        let position = targets.iter().position(|target| target.name == summary.target);
        Placed { summary, place, position: position.unwrap_or_default() }
    }

    /// The runs of a summary, each with its place in the file, by repeat.
    pub(in crate::report) fn runs(&self, summary: &Summary) -> Vec<(usize, &'a BenchRun)> {
        let all = self.bench.runs.iter().enumerate();
        let mut runs: Vec<(usize, &BenchRun)> = all
            .filter(|(_, run)| run.target == summary.target && run.rate == summary.rate)
            .filter(|(_, run)| run.run.is_some())
            .collect();
        runs.sort_by_key(|(_, run)| run.repeat);
        runs
    }

    /// Those of [`Page::runs`] that take part in the figures.
    pub(in crate::report) fn used_runs(&self, summary: &Summary) -> Vec<(usize, &'a BenchRun)> {
        let verdict = |(_, entry): &(usize, &BenchRun)| {
            entry.run.as_ref().map_or(Verdict::Invalid, |run| run.verdict)
        };
        usable(&self.runs(summary), verdict)
    }

    /// A curve of each repeat that takes part; none if a log is missing, for a median of some of them
    /// would be another figure than that of the tables.
    pub(in crate::report) fn curves(
        &self,
        summary: &Summary,
        pick: impl Fn(&'a RunLog) -> Option<&'a Curve>,
    ) -> Vec<&'a Curve> {
        let logs = self.used_runs(summary).into_iter().map(|(nth, _)| self.logs.of(nth));
        logs.map(|log| pick(log?)).collect::<Option<Vec<_>>>().unwrap_or_default()
    }
}

/// `at 1000 requests/s`; empty if there is one rate only, which the head of the page says.
pub(in crate::report) fn rate_heading(page: &Page<'_>, rate: &str) -> String {
    match page.bench.plan.rates.len() {
        0 | 1 => String::new(),
        _ => format!("<h3>{}</h3>\n", super::markup::escaped(&page.offered(rate))),
    }
}

/// For an `id`: the name with all that is no letter or digit as `-`.
pub(in crate::report) fn slug(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}
