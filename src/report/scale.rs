//! Axes: a figure to its place on a drawing, and the steps that are worth a label.
//!
//! Three kinds: linear, logarithmic, and the scale of nines (p50, p90, p99, ... at equal distances). An
//! axis ends at steps of its own, so that its ends are round. Pure. Start at [`Scale`].

use std::ops::Range;

/// An axis.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    kind: Kind,
    /// What stands at `from`.
    least: f64,
    /// What stands at `until`.
    most: f64,
    /// In units of the drawing; an axis that goes up has the greater one first.
    from: f64,
    until: f64,
    steps: Vec<f64>,
    label: fn(f64) -> String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Linear,
    Log,
}

/// Chosen: a curve keeps off the edge of a logarithmic axis by some 2 % of a decade.
const EDGE: f64 = 1.05;

/// Steps of a decade that are labelled if there is room.
const STEPS: [f64; 3] = [1.0, 2.0, 5.0];

/// Chosen: more labels than this stand too close; then only decades and both ends are labelled.
const LOG_LABELS_MAX: usize = 9;

/// The left edge of the scale of nines is p50: what lies below it interests nobody here.
pub(super) const NINES_LEAST: f64 = std::f64::consts::LOG10_2;

/// Source: the quantiles that people name; beyond them there are too few requests in any run.
const NINES: [(f64, &str); 8] = [
    (NINES_LEAST, "p50"),
    (1.0, "p90"),
    (2.0, "p99"),
    (3.0, "p99.9"),
    (4.0, "p99.99"),
    (5.0, "p99.999"),
    (6.0, "p99.9999"),
    (7.0, "p99.99999"),
];

impl Scale {
    /// Logarithmic, around every one of `values` that is positive; `None` if none is.
    pub(super) fn log(
        values: impl Iterator<Item = f64>,
        pixels: Range<f64>,
        label: fn(f64) -> String,
    ) -> Option<Scale> {
        let (least, most) = extent(values.filter(|value| *value > 0.0))?;
        // A little more, or a flat line would lie on the edge.
        let (least, most) = (step_down(least / EDGE), step_up(most * EDGE));
        let steps = log_steps(least, most);
        Some(Scale {
            kind: Kind::Log,
            least,
            most,
            from: pixels.start,
            until: pixels.end,
            steps,
            label,
        })
    }

    /// Linear from zero to the step above the greatest of `values`, with some `labels` steps.
    pub(super) fn linear(
        values: impl Iterator<Item = f64>,
        pixels: Range<f64>,
        labels: usize,
        label: fn(f64) -> String,
    ) -> Scale {
        let most = extent(values).map_or(1.0, |(_, most)| most).max(f64::MIN_POSITIVE);
        let step = step_up(most / labels.max(1) as f64);
        let count = (most / step - 1e-9).ceil().max(1.0);
        let steps = (0..=count as usize).map(|nth| nth as f64 * step).collect();
        let (from, until) = (pixels.start, pixels.end);
        Scale { kind: Kind::Linear, least: 0.0, most: count * step, from, until, steps, label }
    }

    /// Time from `begin` to exactly `end`, in seconds; steps lie within.
    pub(super) fn time(begin: f64, end: f64, pixels: Range<f64>, labels: usize) -> Scale {
        let end = if end > begin { end } else { begin + 1.0 };
        let step = step_up((end - begin) / labels.max(1) as f64);
        let first = (begin / step - 1e-9).ceil();
        let steps = (0..).map(|nth| (first + f64::from(nth)) * step);
        let steps = steps.take_while(|at| *at <= end + 1e-9).collect();
        let (from, until) = (pixels.start, pixels.end);
        Scale { kind: Kind::Linear, least: begin, most: end, from, until, steps, label: seconds }
    }

    /// The scale of nines from p50 to `most` nines.
    pub(super) fn nines(most: f64, pixels: Range<f64>) -> Scale {
        let most = most.max(2.0);
        let named = NINES.iter().map(|(nines, _)| *nines).filter(|nines| *nines <= most + 1e-9);
        Scale {
            kind: Kind::Linear,
            least: NINES_LEAST,
            most,
            from: pixels.start,
            until: pixels.end,
            steps: named.collect(),
            label: |nines| {
                let named = NINES.iter().find(|(at, _)| (at - nines).abs() < 1e-9);
                named.map_or_else(String::new, |(_, name)| String::from(*name))
            },
        }
    }

    /// Where `value` stands; at the nearer end if it is beyond the axis.
    pub(super) fn at(&self, value: f64) -> f64 {
        let share = match self.kind {
            Kind::Linear => (value - self.least) / (self.most - self.least),
            Kind::Log if value <= 0.0 => 0.0,
            Kind::Log => (value / self.least).ln() / (self.most / self.least).ln(),
        };
        self.from + share.clamp(0.0, 1.0) * (self.until - self.from)
    }

    /// The steps, each at its place and with its label.
    pub(super) fn steps(&self) -> impl Iterator<Item = (f64, String)> + '_ {
        self.steps.iter().map(|step| (self.at(*step), (self.label)(*step)))
    }

    /// Both ends, in units of the drawing.
    pub(super) fn ends(&self) -> (f64, f64) {
        (self.from, self.until)
    }
}

fn extent(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|value| value.is_finite()).fold(None, |found, value| match found {
        None => Some((value, value)),
        Some((least, most)) => Some((value.min(least), value.max(most))),
    })
}

/// The greatest step up to `value`, which is positive.
fn step_down(value: f64) -> f64 {
    let decade = 10f64.powi(value.log10().floor() as i32);
    let fitting = STEPS.iter().rev().map(|step| step * decade).find(|step| *step <= value);
    fitting.unwrap_or(decade)
}

/// The least step from `value` on, which is positive.
fn step_up(value: f64) -> f64 {
    let decade = 10f64.powi(value.log10().floor() as i32);
    let reaching = |step: &f64| *step >= value * (1.0 - 1e-12);
    STEPS.iter().map(|step| step * decade).find(reaching).unwrap_or(10.0 * decade)
}

/// The steps between `least` and `most`, which are steps themselves.
fn log_steps(least: f64, most: f64) -> Vec<f64> {
    let mut all = vec![least];
    while let Some(last) = all.last().copied().filter(|last| *last < most / EDGE) {
        all.push(step_up(last * EDGE));
    }
    let is_decade = |value: &f64| (value.log10() - value.log10().round()).abs() < 1e-9;
    if all.len() > LOG_LABELS_MAX {
        all.retain(|value| is_decade(value) || *value == least || *value == most);
    }
    all
}

/// `200 us`; a step needs no decimals.
pub(super) fn latency(ns: f64) -> String {
    let (value, unit) = match ns {
        ..1e3 => (ns, "ns"),
        1e3..1e6 => (ns / 1e3, "us"),
        1e6..1e9 => (ns / 1e6, "ms"),
        _ => (ns / 1e9, "s"),
    };
    format!("{} {unit}", rounded(value))
}

/// `3 s`.
pub(super) fn seconds(seconds: f64) -> String {
    format!("{} s", rounded(seconds))
}

/// `20 %`.
pub(super) fn percent(percent: f64) -> String {
    format!("{} %", rounded(percent))
}

/// Of bytes: `20 MB` of 10^6 each.
pub(super) fn megabytes(bytes: f64) -> String {
    format!("{} MB", rounded(bytes / 1e6))
}

/// `20k/s`, `1.5M/s`.
pub(super) fn rate(per_second: f64) -> String {
    match per_second {
        ..1e3 => format!("{}/s", rounded(per_second)),
        1e3..1e6 => format!("{}k/s", rounded(per_second / 1e3)),
        _ => format!("{}M/s", rounded(per_second / 1e6)),
    }
}

/// Without the dust of binary fractions: `0.3`, and not `0.30000000000000004`.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests;
