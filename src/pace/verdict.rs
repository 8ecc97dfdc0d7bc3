//! May the figures of a run be believed: VALID, SUSPECT or INVALID, with the reasons in words.
//!
//! The pacer is held to its own standard: its lateness against the latency it reports, what it
//! achieved against what it offered, how long its loop stood still. Errors of the server are no
//! fault of the measurement unless they are so many that there is little left to measure. What a
//! stall did is held against a run once, as a stall: lateness is judged on the requests that
//! overlap none, and a stall by what it can have done to the figures. That is known to a bound for
//! every request: how late it was sent, and how long its answer can have lain unseen. With both taken
//! off, the same requests give the least that a quantile can be; the server's own lies between that
//! and the one reported. A run in which the two differ little is VALID however often a hypervisor
//! took the CPU for a moment; one in which a headline figure may be the pacer's is not. Pure:
//! evidence in, judgement out. Start at [`judge`].
//!
//! The rules, whose figures are the constants below:
//!
//! | what | SUSPECT | INVALID |
//! |---|---|---|
//! | requests due, or answered as expected | | none |
//! | requests due | under 1,000 | |
//! | p50 of lateness, of all requests | | over 10 us and 10 % of the response p50 |
//! | p99 of lateness where no stall overlaps | over 10 us and 10 % of that p50, or over 100 us | |
//! | what the pacer can have added to the p50, or to the p99 | over 10 us and 10 % of it | |
//! | the longest stall | from 20 ms | |
//! | time in stalls | | over 25 % |
//! | sending took longer than planned, the longest stall apart | | by over 1 % |
//! | requests that the pacer did not get to, or skipped | one | over 1 % |
//! | requests that waited for a connection | one | over 1 % |
//! | requests that failed or never finished | over 1 % | |
//! | bytes nobody had asked for | one connection | |
//! | the run was interrupted | yes | |
//! | answers that were published after they came, or the wall clock set while answers say when | one | |
//!
//! Rules that hold add up; the worst decides. A p99 is judged from 1,000 requests on.

use super::recorder::Interruption;
use crate::results::{Errors, Quantiles, Stalls, Verdict};
use crate::units::Nanos;

/// What a judgement rests on. Counts and distributions are over the measured time.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// Measured time.
    pub duration: Nanos,
    /// The same as it was planned.
    pub planned_duration: Nanos,
    /// How the run was stopped before its end, if it was.
    pub interrupted: Option<Interruption>,
    /// From the start of the measured time until the last request was sent, if any was.
    pub sending: Option<Nanos>,
    /// Requests planned.
    pub planned: u64,
    /// Requests answered as expected.
    pub ok: u64,
    /// Failed requests.
    pub errors: Errors,
    /// Requests that had not ended when the run did.
    pub unfinished: u64,
    /// Requests that were due while every connection allowed was busy.
    pub starved: u64,
    /// Requests that the pacer had not got to when the run was over.
    pub overrun: u64,
    /// Requests that were overdue and so not sent.
    pub skipped: u64,
    /// Connections dropped because bytes came that nobody had asked for.
    pub unasked: u64,
    /// What answers said of when their content was published, where they were to: a pair for each
    /// request kind of how many were from the future, and by how much at most.
    pub from_the_future: Vec<(u64, Nanos)>,
    /// By how much the wall clock was set during the run.
    pub wall_step: Option<Nanos>,
    /// done - intended.
    pub response: Quantiles,
    /// The same without what the pacer can have added.
    pub undelayed: Quantiles,
    /// sent - intended.
    pub lateness: Quantiles,
    /// The same over requests that overlap no stall.
    pub lateness_without_stalls: Quantiles,
    /// Gaps in the pacer's loop, of all its threads.
    pub stalls: Stalls,
}

/// What became of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The worst of all findings.
    pub verdict: Verdict,
    /// Why it is not VALID; one sentence each.
    pub reasons: Vec<String>,
}

/// Lateness at this share of the reported p50 is no longer small against it. Chosen; the field's
/// rule of thumb is that an instrument be ten times finer than what it measures.
pub const LATENESS_SHARE_MAX: f64 = 0.10;
/// Lateness below this is never held against a run. Chosen: one send(2) on loopback takes 5-10 us,
/// and so long a request waits that falls due during another's.
pub const LATENESS_FLOOR: Nanos = Nanos::from_micros(10);
/// A p99 of lateness above this is suspect whatever the server's latency. Chosen: what a context switch
/// and a missed turn of the loop cost together; a pacer that spins undisturbed stays far below.
pub const LATENESS_P99_MAX: Nanos = Nanos::from_micros(100);
/// Below this share of the offered rate another load was measured than was asked for. Chosen.
pub const ACHIEVED_SHARE_MIN: f64 = 0.99;
/// Above this share of requests that waited for a connection, the limit on connections was
/// measured. Chosen: p99 is theirs.
pub const STARVED_SHARE_MAX: f64 = 0.01;
/// A figure of which the pacer can have made more than this share is suspect. Chosen: as for lateness.
pub const ERROR_SHARE_MAX: f64 = 0.10;
/// What the pacer can have added is not held against a run below this. Chosen: as for lateness.
pub const ERROR_FLOOR: Nanos = Nanos::from_micros(10);
/// Above this share of time in stalls a run is invalid. Chosen: a machine that is shared by the
/// quarter measures its sharing.
pub const STALL_TIME_SHARE_INVALID: f64 = 0.25;
/// One stall of this length is suspect by itself. Chosen: what a scheduler or a hypervisor takes at
/// a time is 1-10 ms; this is somebody's doing.
pub const STALL_LONGEST_MAX: Nanos = Nanos::from_millis(20);
/// Above this share of requests that the pacer did not get to, it has measured something else.
/// Chosen: p99 is theirs.
pub const OVERRUN_SHARE_MAX: f64 = 0.01;
/// A p99 from fewer requests rests on fewer than ten above it. Chosen: 10 / (1 - p).
pub const SAMPLES_MIN: u64 = 1_000;

/// Judges a run.
pub fn judge(evidence: &Evidence) -> Judgement {
    let mut judgement = Judgement { verdict: Verdict::Valid, reasons: Vec::new() };
    judge_interruption(evidence, &mut judgement);
    if evidence.planned == 0 {
        judgement.add(
            Verdict::Invalid,
            "No request was due in the measured time, so there is nothing to report.",
        );
        return judgement;
    }
    if evidence.ok == 0 {
        judgement.add(
            Verdict::Invalid,
            "No request was answered as expected, so there is no latency to report.",
        );
    }
    judge_samples(evidence, &mut judgement);
    judge_lateness(evidence, &mut judgement);
    judge_rate(evidence, &mut judgement);
    judge_starved(evidence, &mut judgement);
    judge_stalls(evidence, &mut judgement);
    judge_error(evidence, &mut judgement);
    judge_answers(evidence, &mut judgement);
    judge_deliveries(evidence, &mut judgement);
    judgement
}

impl Judgement {
    fn add(&mut self, verdict: Verdict, reason: impl Into<String>) {
        self.verdict = self.verdict.max(verdict);
        self.reasons.push(reason.into());
    }
}

fn judge_interruption(evidence: &Evidence, judgement: &mut Judgement) {
    let Some(interruption) = evidence.interrupted else { return };
    judgement.add(
        Verdict::Suspect,
        match interruption {
            Interruption::Schedule => format!(
                "The run was interrupted after {} of {}.",
                evidence.duration, evidence.planned_duration
            ),
            Interruption::Drain => {
                String::from("The run was interrupted while the last answers were awaited.")
            }
        },
    );
}

fn judge_samples(evidence: &Evidence, judgement: &mut Judgement) {
    if evidence.planned < SAMPLES_MIN {
        judgement.add(
            Verdict::Suspect,
            format!(
                "Only {} requests were measured; a p99 needs {SAMPLES_MIN}, a p99.9 ten times as \
                 many.",
                evidence.planned
            ),
        );
    }
}

fn judge_lateness(evidence: &Evidence, judgement: &mut Judgement) {
    // Without a finite p50 more than half have failed, and `judge_answers` says so.
    let response = evidence.response.p50.map_or(Nanos(u64::MAX), Nanos);
    let bound = Nanos((response.0 as f64 * LATENESS_SHARE_MAX) as u64).max(LATENESS_FLOOR);
    let p50 = Nanos(evidence.lateness.p50.unwrap_or(0));
    if p50 > bound {
        judgement.add(
            Verdict::Invalid,
            format!(
                "Half of the requests were sent {p50} late or more, which is not small \
                 against the p50 of {response}: the pacer was measured, not the server."
            ),
        );
        return;
    }
    let bound = bound.min(LATENESS_P99_MAX);
    let p99 = Nanos(evidence.lateness_without_stalls.p99.unwrap_or(0));
    if p99 > bound {
        judgement.add(
            Verdict::Suspect,
            format!(
                "Of the requests that overlap no stall, one in a hundred was sent {p99} late or \
                 more; {bound} would do."
            ),
        );
    }
}

fn judge_rate(evidence: &Evidence, judgement: &mut Judgement) {
    let planned = evidence.planned;
    for (missed, how) in [
        (evidence.overrun, "did not get to them before the run was over"),
        (evidence.skipped, "skipped them, as they were overdue"),
    ] {
        if missed > 0 {
            let is_much = share(missed, planned) > OVERRUN_SHARE_MAX;
            judgement.add(
                if is_much { Verdict::Invalid } else { Verdict::Suspect },
                format!("{missed} of {planned} requests were not sent: the pacer {how}."),
            );
        }
    }
    let Some(sending) = evidence.sending else { return };
    // A stall at the end is judged as a stall.
    let kept = sending.saturating_sub(Nanos(evidence.stalls.max_ns));
    if kept.0 as f64 * ACHIEVED_SHARE_MIN > evidence.duration.0 as f64 {
        judgement.add(
            Verdict::Invalid,
            format!(
                "It took {sending} to send what was planned for {}: the offered rate was not kept.",
                evidence.duration
            ),
        );
    }
}

fn judge_starved(evidence: &Evidence, judgement: &mut Judgement) {
    if evidence.starved == 0 {
        return;
    }
    let verdict = if share(evidence.starved, evidence.planned) > STARVED_SHARE_MAX {
        Verdict::Invalid
    } else {
        Verdict::Suspect
    };
    judgement.add(
        verdict,
        format!(
            "{} of {} requests were due while every connection allowed was busy; raise \
             --max-connections.",
            evidence.starved, evidence.planned
        ),
    );
}

fn judge_stalls(evidence: &Evidence, judgement: &mut Judgement) {
    let stalls = evidence.stalls;
    let time_share = share(stalls.total_ns, stalls.observed_ns);
    let longest = Nanos(stalls.max_ns);
    let is_invalid = time_share > STALL_TIME_SHARE_INVALID;
    if !is_invalid && longest < STALL_LONGEST_MAX {
        return;
    }
    judgement.add(
        if is_invalid { Verdict::Invalid } else { Verdict::Suspect },
        format!(
            "The pacer stood still {} times for {:.2} % of the time, at most {longest}; {} of {} \
             requests overlap that.",
            stalls.count,
            time_share * 100.0,
            stalls.requests_overlapping,
            evidence.planned
        ),
    );
}

fn judge_error(evidence: &Evidence, judgement: &mut Judgement) {
    let (response, least) = (evidence.response, evidence.undelayed);
    let mut headlines = vec![("p50", response.p50, least.p50)];
    if response.count >= SAMPLES_MIN {
        headlines.push(("p99", response.p99, least.p99));
    }
    for (name, seen, least) in headlines {
        // What is infinite is so because requests failed, and no fault of the pacer's.
        let (Some(seen), Some(least)) = (seen.map(Nanos), least.map(Nanos)) else { continue };
        let error = seen.saturating_sub(least);
        let bound = Nanos((seen.0 as f64 * ERROR_SHARE_MAX) as u64).max(ERROR_FLOOR);
        if error > bound {
            judgement.add(
                Verdict::Suspect,
                format!(
                    "Of the {name} of {seen}, up to {error} may be the pacer's own, by sending \
                     late or seeing late; {bound} would do."
                ),
            );
        }
    }
}

fn judge_answers(evidence: &Evidence, judgement: &mut Judgement) {
    let missing = evidence.errors.total() + evidence.unfinished + evidence.skipped;
    if share(evidence.ok, evidence.planned) < ACHIEVED_SHARE_MIN {
        judgement.add(
            Verdict::Suspect,
            format!(
                "{missing} of {} requests failed or never finished; they count as longer than \
                 anything observed.",
                evidence.planned
            ),
        );
    }
    if evidence.unasked > 0 {
        judgement.add(
            Verdict::Suspect,
            format!(
                "The server sent bytes that nobody had asked for, on {} connections.",
                evidence.unasked
            ),
        );
    }
}

/// Delivery times take the clock of who publishes for that of this host, and as steady as ours.
fn judge_deliveries(evidence: &Evidence, judgement: &mut Judgement) {
    let kinds = &evidence.from_the_future;
    let count: u64 = kinds.iter().map(|(count, _)| count).sum();
    let furthest = kinds.iter().map(|(_, ahead)| *ahead).max();
    if let Some(furthest) = furthest.filter(|_| count > 0) {
        judgement.add(
            Verdict::Suspect,
            format!(
                "{count} answers say that what they bring was published up to {furthest} after they \
                 came: the server's clock is not ours, or `published` names another unit; no \
                 delivery time can be relied on."
            ),
        );
    }
    if let Some(step) = evidence.wall_step.filter(|_| !kinds.is_empty()) {
        judgement.add(
            Verdict::Suspect,
            format!(
                "The wall clock was set by {step} during the run; delivery times are off by as much \
                 from then on."
            ),
        );
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests;
