//! Several runs as one: counts are added and histograms merged, so a quantile of the sum is the
//! quantile of all their requests. Nothing is averaged.
//!
//! Read are the objects of `pace --json` and of a merge, which hold every distribution whole, or
//! interval logs (`.hlog`), which hold the response times only. Pure: text in, results out. Start at
//! [`Runs::of_json`] and [`Runs::add`].

use super::delivery::Deliveries;
use super::encoded::{decode, encode};
use super::hlog::read;
use super::outcome::request_kind;
use super::recorder::{KindRecord, quantiles};
use crate::results::merged::{MERGE_SCHEMA, Merged};
use crate::results::{Encoded, QuantileErrors, RUN_SCHEMA, RequestKind, Run, Verdict};
use crate::stats::Histogram;
use crate::units::Nanos;

/// Runs that were added up.
#[derive(Clone, Debug)]
pub struct Runs {
    runs: u64,
    kinds: Vec<(String, KindRecord)>,
    /// What interval logs do not hold.
    beside: Option<Beside>,
}

#[derive(Clone, Debug)]
struct Beside {
    verdict: Verdict,
    reasons: Vec<String>,
    schedules: Vec<String>,
}

impl Runs {
    /// Reads what `pace --json` or a merge has written. `file` names it in messages.
    pub fn of_json(file: &str, text: &str) -> Result<Runs, String> {
        let fault = |why: &dyn std::fmt::Display| format!("{file}: {why}");
        let value: serde_json::Value = serde_json::from_str(text).map_err(|error| fault(&error))?;
        let schema = value["schema"].as_str().unwrap_or_default().to_string();
        let whole = match schema.as_str() {
            RUN_SCHEMA => {
                let run: Run = serde_json::from_value(value).map_err(|error| fault(&error))?;
                Whole::of_run(file, run)
            }
            MERGE_SCHEMA => {
                let merged = serde_json::from_value(value).map_err(|error| fault(&error))?;
                Whole::of_merged(merged)
            }
            _ => {
                return Err(fault(&format!(
                    "`{schema}` is no schema of a run; take what `ringpace pace --json` writes"
                )));
            }
        };
        Runs::of_whole(whole).map_err(|why| fault(&why))
    }

    fn of_whole(whole: Whole) -> Result<Runs, String> {
        const NO_HISTOGRAMS: &str =
            "it has no histograms; it was written by an older ringpace, or by a merge of logs";
        let mut kinds = Vec::new();
        for kind in whole.requests {
            let histograms = kind.histograms.as_ref().ok_or(NO_HISTOGRAMS)?;
            let histogram_of = |encoded: &Encoded| {
                let histogram = decode(encoded).map_err(|why| format!("`{}`: {why}", kind.name))?;
                match histogram.count() == kind.planned {
                    true => Ok(histogram),
                    false => Err(format!("`{}`: a histogram lacks requests", kind.name)),
                }
            };
            let lateness = histograms.lateness.as_ref().ok_or(NO_HISTOGRAMS)?;
            let record = KindRecord {
                planned: kind.planned,
                ok: kind.ok,
                errors: kind.errors,
                unfinished: kind.unfinished,
                skipped: kind.skipped,
                is_apart: kind.long_poll,
                response: histogram_of(&histograms.response)?,
                service: histogram_of(&histograms.service)?,
                ttfb: histogram_of(&histograms.ttfb)?,
                undelayed: histogram_of(&histograms.undelayed)?,
                deliveries: deliveries_of(&kind)
                    .map_err(|why| format!("`{}`: {why}", kind.name))?,
                lateness: decode(lateness).map_err(|why| format!("`{}`: {why}", kind.name))?,
                ..KindRecord::default()
            };
            if record.lateness.count() > kind.planned {
                return Err(format!("`{}`: more requests were sent than planned", kind.name));
            }
            kinds.push((kind.name, record));
        }
        let Whole { verdict, reasons, schedules, .. } = whole;
        let beside = Beside { verdict, reasons, schedules };
        Ok(Runs { runs: whole.runs, kinds, beside: Some(beside) })
    }

    /// Reads an interval log. `file` names it in messages.
    pub fn of_log(file: &str, bytes: &[u8]) -> Result<Runs, String> {
        let mut runs = Runs { runs: 1, kinds: Vec::new(), beside: None };
        read(bytes, |tag, _, responses| {
            let kind = runs.kind(tag);
            let (all, infinite) = (responses.count(), responses.infinite());
            kind.planned += all;
            kind.ok += all - infinite;
            kind.unfinished += infinite;
            kind.response.merge(responses);
        })
        .map_err(|why| format!("{file}: {why}"))?;
        match runs.kinds.is_empty() {
            true => Err(format!("{file}: there is no interval in it")),
            false => Ok(runs),
        }
    }

    fn kind(&mut self, name: &str) -> &mut KindRecord {
        let at = self.kinds.iter().position(|(other, _)| other == name).unwrap_or_else(|| {
            self.kinds.push((String::from(name), KindRecord::default()));
            self.kinds.len() - 1
        });
        &mut self.kinds[at].1
    }

    /// Adds `other`, kind by kind. A sentence if one is of logs and the other is not, or if of a kind
    /// only one tells deliveries.
    pub fn add(&mut self, other: Runs) -> Result<(), String> {
        // Logs lack deliveries by their nature, which the sentence on them says better.
        if self.beside.is_some() == other.beside.is_some() {
            self.check_published(&other)?;
        }
        match (&mut self.beside, other.beside) {
            (None, None) => {}
            (Some(own), Some(other)) => {
                own.verdict = own.verdict.max(other.verdict);
                own.reasons.extend(other.reasons);
                own.schedules.extend(other.schedules);
                own.schedules.sort();
                own.schedules.dedup();
            }
            _ => {
                return Err(String::from(
                    "results and interval logs do not add up; give one sort of file",
                ));
            }
        }
        self.runs += other.runs;
        for (name, record) in other.kinds {
            let kind = self.kind(&name);
            kind.merge(&record);
        }
        Ok(())
    }

    /// Deliveries of half the answers would be taken for those of all.
    fn check_published(&self, other: &Runs) -> Result<(), String> {
        for (name, record) in &other.kinds {
            let own = self.kinds.iter().find(|(own, _)| own == name);
            if own.is_some_and(|(_, own)| own.deliveries.is_some() != record.deliveries.is_some()) {
                return Err(format!(
                    "`{name}`: of one run the answers were to say `published`, and of the other not; \
                     merge runs of one mix"
                ));
            }
        }
        Ok(())
    }

    /// All kinds together; long polls are in the counts only, as in the runs.
    pub fn total(&self) -> KindRecord {
        KindRecord::overall(self.kinds.iter().map(|(_, kind)| kind))
    }

    /// Every distribution by the name of its file.
    pub fn distributions(&self) -> Vec<(String, Histogram)> {
        let total = self.total();
        let mut named = vec![(String::from("response"), total.response)];
        let is_whole = self.beside.is_some();
        named.extend(is_whole.then_some((String::from("lateness"), total.lateness)));
        for (name, kind) in &self.kinds {
            let name = super::hlog::tag_safe(name);
            named.push((format!("{name}.response"), kind.response.clone()));
            let lateness = || (format!("{name}.lateness"), kind.lateness.clone());
            named.extend(is_whole.then(lateness));
            let deliveries = kind.deliveries.iter();
            named.extend(deliveries.map(|one| (format!("{name}.delivery"), one.delivery.clone())));
        }
        named
    }

    /// As `ringpace merge --json` writes it.
    pub fn results(&self) -> Merged {
        let total = self.total();
        let beside = self.beside.as_ref();
        let of_run = |histogram: &Histogram| beside.map(|_| quantiles(histogram));
        let response_ns = quantiles(&total.response);
        let error = QuantileErrors::between(&quantiles(&total.undelayed), &response_ns);
        Merged {
            schema: String::from(MERGE_SCHEMA),
            runs: self.runs,
            verdict: beside.map(|beside| beside.verdict),
            reasons: beside.map_or_else(Vec::new, |beside| beside.reasons.clone()),
            schedules: beside.map_or_else(Vec::new, |beside| beside.schedules.clone()),
            planned: total.planned,
            ok: total.ok,
            errors: total.errors,
            unfinished: total.unfinished,
            skipped: total.skipped,
            response_ns,
            service_ns: of_run(&total.service),
            ttfb_ns: of_run(&total.ttfb),
            lateness_ns: of_run(&total.lateness),
            error_ns: beside.map(|_| error),
            too_few: response_ns.too_few(),
            requests: self.requests(),
            lateness_histogram: beside.map(|_| encode(&total.lateness)),
            version: String::from(env!("CARGO_PKG_VERSION")),
        }
    }

    fn requests(&self) -> Vec<RequestKind> {
        let kinds = self.kinds.iter().map(|(name, record)| request_kind(name, record));
        // A log has no more than the response times to merge again.
        let histograms = |kind: RequestKind| match self.beside {
            Some(_) => kind,
            None => RequestKind { histograms: None, ..kind },
        };
        kinds.map(histograms).collect()
    }
}

/// What a kind says of deliveries; a sentence if it contradicts itself.
fn deliveries_of(kind: &RequestKind) -> Result<Option<Deliveries>, String> {
    let Some(published) = kind.published else { return Ok(None) };
    let encoded = kind.histograms.as_ref().and_then(|histograms| histograms.delivery.as_ref());
    let deliveries = Deliveries {
        delivery: decode(encoded.ok_or("there is no histogram of deliveries")?)?,
        without: published.without,
        from_the_future: published.from_the_future,
        ahead_max: Nanos(published.ahead_max_ns),
        clock_error: Nanos(published.clock_error_ns),
    };
    match deliveries.answers() == Some(kind.ok) {
        true => Ok(Some(deliveries)),
        false => Err(String::from("what it says of deliveries lacks answers")),
    }
}

/// What a file of whole distributions says of its runs.
struct Whole {
    runs: u64,
    verdict: Verdict,
    reasons: Vec<String>,
    schedules: Vec<String>,
    requests: Vec<RequestKind>,
}

impl Whole {
    fn of_run(file: &str, run: Run) -> Whole {
        Whole {
            runs: 1,
            verdict: run.verdict,
            reasons: run.reasons.iter().map(|reason| format!("{file}: {reason}")).collect(),
            schedules: vec![run.schedule.hash],
            requests: run.requests,
        }
    }

    fn of_merged(merged: Merged) -> Whole {
        Whole {
            runs: merged.runs,
            verdict: merged.verdict.unwrap_or(Verdict::Valid),
            reasons: merged.reasons,
            schedules: merged.schedules,
            requests: merged.requests,
        }
    }
}

#[cfg(test)]
mod tests;
