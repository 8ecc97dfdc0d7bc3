//! The pacer's own error, and what the servers used of the machine.
//!
//! Start at [`lateness`].

use super::each_rate;
use super::latency::quantile_cell;
use super::markup::{note, shown, swatch, table};
use super::page::{Page, Placed, Section};
use crate::report::figure::{level, megabytes};
use crate::report::{nines, usage as drawn_usage};
use crate::results::FIGURES;
use crate::results::bench::{Bench, Level, Spreads, Summary};
use crate::units::Nanos;
use std::collections::BTreeSet;

pub(super) fn lateness(page: &Page<'_>) -> Option<Section> {
    let mut body = each_rate(page, |rate, placed| {
        lateness_table(&page.offered(rate), placed) + &nines::lateness(page, rate, placed)
    });
    if !body.is_empty() {
        body += &note(
            "Lateness is sent minus due. Calm: over the requests that overlap no stall of the pacer, which is \
             mostly preemption or a hypervisor taking the CPU away. Of it the pacer's: at most so much of \
             the figure may be its doing, by sending late or seeing the answer late.",
        );
    }
    Section::new("lateness", "The pacer's own error", body)
}

fn lateness_table(offered: &str, all: &[Placed<'_>]) -> String {
    let heads = [
        "target",
        "lateness p50",
        "lateness p99",
        "lateness max",
        "calm p50",
        "calm p99",
        "stalls",
        "calm response p99",
        "calm response p99.9",
        "of p50 the pacer's",
        "of p99 the pacer's",
    ];
    let rows = all.iter().map(|placed| {
        let summary = placed.summary;
        let of = |quantile: usize, key: &str, spreads: &Spreads| {
            quantile_cell(&FIGURES[quantile], spreads, &placed.pointer(key))
        };
        let error = |key: &str, ns: Option<u64>| match ns {
            None => String::from("-"),
            Some(ns) => {
                let at = placed.pointer(&format!("total/error_ns/{key}"));
                shown(&at, "latency", &Nanos(ns).to_string())
            }
        };
        let calm = ("lateness_without_stalls_ns", &summary.lateness_without_stalls_ns);
        let response = ("response_without_stalls_ns", &summary.response_without_stalls_ns);
        let cells = vec![
            of(0, "lateness_ns", &summary.lateness_ns),
            of(3, "lateness_ns", &summary.lateness_ns),
            of(6, "lateness_ns", &summary.lateness_ns),
            of(0, calm.0, calm.1),
            of(3, calm.0, calm.1),
            shown(&placed.pointer("stalls"), "count", &summary.stalls.to_string()),
            of(3, response.0, response.1),
            of(4, response.0, response.1),
            error("p50", summary.total.error_ns.p50),
            error("p99", summary.total.error_ns.p99),
        ];
        (swatch(placed.position, &summary.target), cells)
    });
    table(&format!("How late the pacer sent at {offered}"), &heads, rows)
}

pub(super) fn usage(page: &Page<'_>) -> Option<Section> {
    let mut body = each_rate(page, |rate, placed| {
        usage_table(&page.offered(rate), placed) + &drawn_usage::over_time(page, rate, placed)
    });
    if !body.is_empty() {
        body += &uncounted(page.bench);
    }
    Section::new("usage", "CPU and memory", body)
}

/// What perf does not count on this machine, and why; empty if it counts everything.
fn uncounted(bench: &Bench) -> String {
    let perf = bench.runs.iter().filter_map(|run| run.target_usage.as_ref()?.perf.as_ref());
    let notes: BTreeSet<&str> = perf.flat_map(|perf| &perf.notes).map(String::as_str).collect();
    let notes: Vec<&str> = notes.into_iter().collect();
    match notes.as_slice() {
        [] => String::new(),
        notes => note(&format!("perf does not count all of it here. {}.", notes.join(". "))),
    }
}

fn usage_table(offered: &str, all: &[Placed<'_>]) -> String {
    let has_counters = all.iter().any(|placed| {
        let Summary { instructions_per_request, cycles_per_request, .. } = placed.summary;
        [instructions_per_request, cycles_per_request].iter().any(|level| level.median.is_some())
    });
    let mut heads = vec![
        "target",
        "CPU %",
        "CPU us per request",
        "resident",
        "switches per s",
        "achieved per s",
    ];
    if has_counters {
        heads.extend(["instructions per request", "cycles per request", "per cycle"]);
    }
    let rows = all.iter().map(|placed| {
        let summary = placed.summary;
        let median = |key: &str, of: &Level, decimals: usize| match of.median {
            None => String::from("-"),
            Some(_) => {
                let at = placed.pointer(&format!("{key}/median"));
                shown(&at, &format!("decimals-{decimals}"), &level(of, decimals))
            }
        };
        let resident = match summary.rss_bytes.median {
            None => String::from("-"),
            Some(_) => {
                let at = placed.pointer("rss_bytes/median");
                shown(&at, "megabytes", &megabytes(&summary.rss_bytes))
            }
        };
        let mut cells = vec![
            median("cpu_percent", &summary.cpu_percent, 1),
            median("cpu_us_per_request", &summary.cpu_us_per_request, 1),
            resident,
            median("switches_per_s", &summary.switches_per_s, 0),
            median("achieved_rps", &summary.achieved_rps, 1),
        ];
        if has_counters {
            cells.extend([
                median("instructions_per_request", &summary.instructions_per_request, 0),
                median("cycles_per_request", &summary.cycles_per_request, 0),
                median("instructions_per_cycle", &summary.instructions_per_cycle, 2),
            ]);
        }
        (swatch(placed.position, &summary.target), cells)
    });
    table(&format!("What the servers used at {offered}; medians of the repeats"), &heads, rows)
}
