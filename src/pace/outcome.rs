//! What a run came to: the object of the results, and the full distributions behind it.
//!
//! Pure: turns a [`Recorder`] and the plan it followed into [`results::Run`]. Start at
//! [`Outcome::new`].

use super::delivery::Deliveries;
use super::encoded::encode;
use super::plan::Plan;
use super::recorder::{ConnectionCounts, KindRecord, Recorder, quantiles};
use super::spans::Spans;
use super::stalls::{SPIN_GAP_MAX, SYSCALL_GAP_MAX};
use super::verdict::{Evidence, judge};
use crate::results;
use crate::units::{Mono, Nanos};
use std::collections::BTreeMap;

mod judged;

/// A finished run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What `pace --json` writes.
    pub run: results::Run,
    /// The distributions in full.
    pub recorder: Recorder,
    /// For how long requests were measured; shorter than planned if the run was stopped.
    pub duration: Nanos,
    /// Outputs that could not be written; a sentence each that names the flag.
    pub unwritten: Vec<String>,
}

impl Outcome {
    /// The outcome of a run that was measured from `measured_from` for `duration`. Panics if a
    /// request was lost or counted twice: nothing else in the results could be believed.
    pub fn new(plan: &Plan, recorder: Recorder, measured_from: Mono, duration: Nanos) -> Outcome {
        recorder.assert_conservation();
        let total = recorder.total();
        let sending =
            recorder.last_sent_at().map(|sent_at| sent_at.saturating_since(measured_from));
        let judgement = judge(&evidence(plan, &recorder, &total, (duration, sending)));
        let run = results::Run {
            schema: String::from(results::RUN_SCHEMA),
            verdict: judgement.verdict,
            reasons: judgement.reasons,
            offered_rps: per_second(total.planned, duration),
            achieved_rps: per_second(total.ok, duration.max(sending.unwrap_or(Nanos::ZERO))),
            duration_s: duration.as_secs_f64(),
            planned_duration_s: plan.duration.as_secs_f64(),
            interrupted: recorder.interrupted.is_some(),
            planned: total.planned,
            ok: total.ok,
            errors: total.errors,
            unfinished: total.unfinished,
            skipped: total.skipped,
            error_budget: Some(plan.error_budget.share()),
            connections: connections(&recorder),
            schedule: results::Schedule {
                arrivals: plan.load.arrivals.to_string(),
                seed: plan.load.seed,
                hash: recorder.hash().to_string(),
            },
            response_ns: quantiles(&total.response),
            service_ns: quantiles(&total.service),
            lateness_ns: quantiles(&total.lateness),
            ttfb_ns: quantiles(&total.ttfb),
            error_ns: error(&total),
            interval_ns: judged::intervals(&recorder, None, &total.response),
            steadiness: judged::steadiness(&recorder, duration),
            too_few: quantiles(&total.response).too_few(),
            server_timing_ns: server_timing(recorder.spans()),
            kernel_stamps: None,
            server_timing_malformed: recorder.spans().malformed() + recorder.spans().dropped(),
            stalls: recorder.stall_totals(),
            longest_stalls: recorder.stalls.spans(),
            without_stalls: recorder.without_stalls(),
            requests: requests(plan, &recorder),
            lateness_histogram: Some(encode(&total.lateness)),
            host: host(plan, &recorder, measured_from),
            version: String::from(env!("CARGO_PKG_VERSION")),
        };
        Outcome { run, recorder, duration, unwritten: Vec::new() }
    }
}

/// What a run of `total` requests is judged by, that was measured for the first time and took the second
/// to send.
fn evidence(
    plan: &Plan,
    recorder: &Recorder,
    total: &KindRecord,
    (duration, sending): (Nanos, Option<Nanos>),
) -> Evidence {
    Evidence {
        duration,
        planned_duration: plan.duration,
        interrupted: recorder.interrupted,
        sending,
        planned: total.planned,
        ok: total.ok,
        errors: total.errors,
        unfinished: total.unfinished,
        skipped: total.skipped,
        starved: recorder.starved(),
        overrun: recorder.overrun(),
        unasked: recorder.connections.unasked,
        from_the_future: from_the_future(recorder),
        wall_step: recorder.wall_step,
        response: quantiles(&total.response),
        undelayed: quantiles(&total.undelayed),
        lateness: quantiles(&total.lateness),
        lateness_without_stalls: recorder.without_stalls().lateness_ns,
        stalls: recorder.stall_totals(),
    }
}

fn connections(recorder: &Recorder) -> results::Connections {
    let ConnectionCounts { opened, peak_in_flight, retried, .. } = recorder.connections;
    results::Connections { opened, peak_in_flight, starved: recorder.starved(), retried }
}

/// Each kind of the mix, and how sure its figures are.
fn requests(plan: &Plan, recorder: &Recorder) -> Vec<results::RequestKind> {
    let kinds = plan.mix.kinds().iter().zip(recorder.kinds()).enumerate();
    kinds
        .map(|(index, (kind, record))| results::RequestKind {
            interval_ns: judged::intervals(recorder, Some(index), &record.response),
            ..request_kind(&kind.name, record)
        })
        .collect()
}

/// A request kind as it stands in the results.
pub(super) fn request_kind(name: &str, record: &KindRecord) -> results::RequestKind {
    results::RequestKind {
        name: String::from(name),
        planned: record.planned,
        ok: record.ok,
        errors: record.errors,
        unfinished: record.unfinished,
        skipped: record.skipped,
        long_poll: record.is_apart,
        response_ns: quantiles(&record.response),
        service_ns: quantiles(&record.service),
        lateness_ns: quantiles(&record.lateness),
        ttfb_ns: quantiles(&record.ttfb),
        error_ns: error(record),
        interval_ns: results::QuantileIntervals::default(),
        too_few: quantiles(&record.response).too_few(),
        delivery_ns: record.deliveries.as_ref().map(|one| quantiles(&one.delivery)),
        published: record.deliveries.as_ref().map(published),
        histograms: Some(results::KindHistograms {
            response: encode(&record.response),
            service: encode(&record.service),
            ttfb: encode(&record.ttfb),
            undelayed: encode(&record.undelayed),
            lateness: Some(encode(&record.lateness)),
            delivery: record.deliveries.as_ref().map(|one| encode(&one.delivery)),
        }),
    }
}

fn published(deliveries: &Deliveries) -> results::Published {
    results::Published {
        with: deliveries.delivery.count(),
        without: deliveries.without,
        from_the_future: deliveries.from_the_future,
        ahead_max_ns: deliveries.ahead_max.0,
        clock_error_ns: deliveries.clock_error.0,
    }
}

fn from_the_future(recorder: &Recorder) -> Vec<(u64, Nanos)> {
    let deliveries = recorder.kinds().iter().filter_map(|kind| kind.deliveries.as_ref());
    deliveries.map(|one| (one.from_the_future, one.ahead_max)).collect()
}

fn error(record: &KindRecord) -> results::QuantileErrors {
    let [least, most] = [&record.undelayed, &record.response].map(quantiles);
    results::QuantileErrors::between(&least, &most)
}

fn server_timing(spans: &Spans) -> BTreeMap<String, results::Quantiles> {
    spans.named().iter().map(|(name, span)| (name.clone(), quantiles(span))).collect()
}

/// Zero where no time has passed: a run stopped in its warm-up has no rate, but JSON has no NaN.
fn per_second(count: u64, span: Nanos) -> f64 {
    if span == Nanos::ZERO { 0.0 } else { count as f64 / span.as_secs_f64() }
}

/// What the plan says of the machine, when measuring began on its clock, and the pacer's settings on
/// it under `pacer`.
fn host(
    plan: &Plan,
    recorder: &Recorder,
    measured_from: Mono,
) -> serde_json::Map<String, serde_json::Value> {
    let connections = recorder.connections;
    let mut host = plan.host.clone();
    // For whoever samples the server meanwhile from another process.
    host.insert(String::from("measured_begin_mono_ns"), measured_from.0.into());
    host.insert(
        String::from("pacer"),
        serde_json::json!({
            "url": plan.url.to_string(),
            "backend": plan.backend.name(),
            "timestamps": plan.timestamps.name(),
            "wait": plan.wait.name(),
            "catch_up": plan.catch_up.to_string(),
            "cpus": plan.cpus,
            "connections": plan.connections,
            "connections_max": plan.connections_max,
            "warmup_s": plan.warmup.as_secs_f64(),
            "timeout_s": plan.timeout.as_secs_f64(),
            "drain_s": plan.drain().as_secs_f64(),
            "spin_gap_max_ns": SPIN_GAP_MAX.0,
            "syscall_gap_max_ns": SYSCALL_GAP_MAX.0,
            "connects_refused": connections.refused,
            "closed_idle": connections.closed_idle,
            "retried": connections.retried,
            "unasked": connections.unasked,
        }),
    );
    host
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::stalls::StallMeter;

    #[test]
    fn a_run_says_when_measuring_began_on_the_machines_clock() {
        let plan =
            Plan::new("http://h/".parse().unwrap(), "1".parse().unwrap(), Nanos::from_secs(1));
        let recorder = Recorder::new(1, StallMeter::new(Mono(0), Mono(0)));
        let run = Outcome::new(&plan, recorder, Mono(77), Nanos::from_secs(1)).run;
        assert_eq!(run.host["measured_begin_mono_ns"], 77);
    }
}
