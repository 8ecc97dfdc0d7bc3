//! Percentile curves on the scale of nines: of response times, of all requests and of each kind, and of
//! the pacer's lateness.
//!
//! A line is the median of the repeats at each percentile, as everywhere; the repeats stand faintly
//! behind it. Where the interval logs are missing the line goes through the named percentiles of
//! `bench.json` only. Start at [`response`].

use super::chart::{BOTTOM, Figure, Frame, LEFT, Label, Points, RIGHT, TOP, WIDTH, end_labels};
use super::figure::Quantile;
use super::html::markup::{coloured, escaped, note, shown, style_of, swatch, table};
use super::html::page::{Page, Placed, slug};
use super::logs::{Curve, curve, nines_of};
use super::scale::{Scale, latency};
use crate::pace::encoded::decode;
use crate::results::FIGURES;
use crate::results::bench::{Spread, Spreads};
use crate::stats::middle;
use crate::units::Nanos;

const HEIGHT: f64 = 380.0;

/// A target's line.
struct Line<'a> {
    name: &'a str,
    position: usize,
    spreads: &'a Spreads,
    /// The JSON pointer of `spreads`.
    pointer: String,
    /// (nines, ns) of each repeat.
    repeats: Vec<Vec<(f64, u64)>>,
}

/// A named percentile.
struct Named {
    nines: f64,
    ns: u64,
    quantile: &'static Quantile,
}

/// The response time of all requests, or of those that `kind` names.
pub(super) fn response(
    page: &Page<'_>,
    rate: &str,
    placed: &[Placed<'_>],
    kind: Option<&str>,
) -> String {
    let lines = placed.iter().filter_map(|placed| {
        let (of_kind, key) = match kind {
            None => (&placed.summary.total, String::from("total")),
            Some(name) => placed.kind(name)?,
        };
        let curves = page.curves(placed.summary, |log| match kind {
            None => Some(&log.total),
            Some(name) => log.kinds.get(name),
        });
        Some(line(placed, &of_kind.response_ns, &format!("{key}/response_ns"), &curves))
    });
    let what = kind.unwrap_or("all requests");
    figure(
        &format!("nines-{}-{}", slug(rate), slug(what)),
        &format!("Response time of {what} at {}, by percentile.", page.offered(rate)),
        "Each step to the right leaves a tenth as many requests beyond it. Strong: the median of the \
         repeats; faint: each repeat. A line ends where its requests end, or where those that failed begin.",
        kind.is_some() || !page.is_first(rate),
        &lines.collect::<Vec<_>>(),
    )
}

/// How late the pacer sent.
pub(super) fn lateness(page: &Page<'_>, rate: &str, placed: &[Placed<'_>]) -> String {
    let lines = placed.iter().map(|placed| {
        let runs = page.used_runs(placed.summary);
        let decoded = runs.iter().map(|(_, entry)| {
            let histogram = decode(entry.run.as_ref()?.lateness_histogram.as_ref()?);
            Some(curve(&histogram.ok()?))
        });
        let curves = decoded.collect::<Option<Vec<Curve>>>().unwrap_or_default();
        let curves: Vec<&Curve> = curves.iter().collect();
        line(placed, &placed.summary.lateness_ns, "lateness_ns", &curves)
    });
    figure(
        &format!("late-{}", slug(rate)),
        &format!("The pacer's lateness at {}, by percentile.", page.offered(rate)),
        "Sent minus due: what the instrument itself adds. It should lie far below the response times.",
        !page.is_first(rate),
        &lines.collect::<Vec<_>>(),
    )
}

fn line<'a>(placed: &Placed<'a>, spreads: &'a Spreads, key: &str, curves: &[&Curve]) -> Line<'a> {
    let count = FIGURES[0].spread;
    let repeats = match curves {
        [] => (0..count(spreads).each.len())
            .map(|nth| {
                let each = named(spreads, |spread| spread.each.get(nth).copied().flatten());
                each.iter().map(|point| (point.nines, point.ns)).collect()
            })
            .collect(),
        curves => curves.iter().map(|curve| along(&curve.points)).collect(),
    };
    Line {
        name: &placed.summary.target,
        position: placed.position,
        spreads,
        pointer: placed.pointer(key),
        repeats,
    }
}

fn along(points: &[u64]) -> Vec<(f64, u64)> {
    points.iter().enumerate().map(|(nth, ns)| (nines_of(nth), *ns)).collect()
}

impl Line<'_> {
    fn named(&self) -> Vec<Named> {
        named(self.spreads, |spread| spread.median)
    }

    /// The median of the repeats where all of them are, and the named percentiles.
    fn median(&self) -> Vec<(f64, u64)> {
        let shortest = self.repeats.iter().map(Vec::len).min().unwrap_or(0);
        let mut points: Vec<(f64, u64)> = (0..shortest)
            .map(|nth| {
                let mut each: Vec<u64> = self.repeats.iter().map(|repeat| repeat[nth].1).collect();
                (self.repeats[0][nth].0, median(&mut each))
            })
            .collect();
        let named = self.named();
        let is_named = |nines: f64| named.iter().any(|point| (point.nines - nines).abs() < 1e-9);
        points.retain(|(nines, _)| !is_named(*nines));
        points.extend(named.iter().map(|point| (point.nines, point.ns)));
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        points
    }
}

/// Of an even number the mean of the two in the middle, as in the summaries; zero of none.
fn median(values: &mut [u64]) -> u64 {
    values.sort_unstable();
    middle(values).map_or(0, |(below, above)| below + (above - below) / 2)
}

/// The named percentiles that this many requests can have, up to the first at +infinity.
fn named(spreads: &Spreads, value: impl Fn(&Spread) -> Option<u64>) -> Vec<Named> {
    let nines_most = (spreads.count_least.max(1) as f64).log10();
    let placed = FIGURES.iter().filter_map(|quantile| {
        let nines = match quantile.beyond_per_100k {
            0 => nines_most,
            beyond => (1e5 / beyond as f64).log10(),
        };
        (nines <= nines_most).then_some((quantile, nines))
    });
    placed
        .map_while(|(quantile, nines)| {
            Some(Named { nines, ns: value((quantile.spread)(spreads))?, quantile })
        })
        .collect()
}

fn figure(
    id: &str,
    title: &str,
    description: &str,
    is_like_before: bool,
    lines: &[Line<'_>],
) -> String {
    let Some(frame) = frame(lines) else {
        return note(&format!("{title} There is nothing finite to draw."));
    };
    let mut drawing = frame.axes("percentile", "latency");
    for line in lines {
        for repeat in &line.repeats {
            let class = format!("repeat {}", style_of(line.position));
            drawing += &frame.line(&class, repeat.iter().map(|(x, ns)| (*x, *ns as f64)));
        }
    }
    let mut labels = Vec::new();
    for line in lines {
        let points = line.median();
        let class = format!("curve {}", style_of(line.position));
        drawing += &frame.line(&class, points.iter().map(|(x, ns)| (*x, *ns as f64)));
        if let Some((_, ns)) = points.last() {
            let class = coloured('t', line.position);
            labels.push(Label { y: frame.y.at(*ns as f64), class, text: line.name.to_owned() });
        }
    }
    for line in lines {
        drawing += &points(&frame, line);
    }
    let (bottom, top) = frame.y.ends();
    drawing += &end_labels(&labels, (top + 6.0, bottom));
    let table = values(title, lines);
    Figure {
        id,
        title,
        description,
        is_like_before,
        height: HEIGHT,
        drawing: &drawing,
        table: &table,
    }
    .markup()
}

/// Around every repeat; `None` if there is nothing finite.
fn frame(lines: &[Line<'_>]) -> Option<Frame> {
    let all = || {
        let repeats = lines.iter().flat_map(|line| line.repeats.iter().flatten().copied());
        repeats.chain(lines.iter().flat_map(Line::median))
    };
    let nines_most = all().map(|(nines, _)| nines).fold(0.0, f64::max);
    Some(Frame {
        x: Scale::nines(nines_most, LEFT..WIDTH - RIGHT),
        y: Scale::log(all().map(|(_, ns)| ns as f64), HEIGHT - BOTTOM..TOP, latency)?,
    })
}

fn points(frame: &Frame, line: &Line<'_>) -> String {
    let mut points = Points::default();
    for Named { nines, ns, quantile } in line.named() {
        let says = format!("{} {}: {}", line.name, quantile.label, Nanos(ns));
        let class = format!("point {}", coloured('s', line.position));
        points.add(&class, frame.x.at(nines), frame.y.at(ns as f64), &says);
    }
    points.group(line.name)
}

/// The named percentiles of every repeat.
fn values(caption: &str, lines: &[Line<'_>]) -> String {
    let mut heads = vec!["target", "of"];
    heads.extend(FIGURES.iter().map(|quantile| quantile.label));
    let rows = lines.iter().flat_map(|line| {
        let cell = |quantile: &Quantile, key: &str, ns| {
            let text = super::figure::latency(ns, line.spreads.longest_observed);
            shown(&format!("{}/{}/{key}", line.pointer, quantile.key), "latency", &text)
        };
        let median = FIGURES.iter().map(|q| cell(q, "median", (q.spread)(line.spreads).median));
        let head = swatch(line.position, line.name);
        let first = (head, [vec![String::from("the median")], median.collect()].concat());
        let count = (FIGURES[0].spread)(line.spreads).each.len();
        let repeats = (0..count).map(move |nth| {
            let each = FIGURES.iter().filter_map(|quantile| {
                let value = (quantile.spread)(line.spreads).each.get(nth)?;
                Some(cell(quantile, &format!("each/{nth}"), *value))
            });
            let repeat = line.spreads.repeats.get(nth).map_or(nth + 1, |repeat| *repeat as usize);
            let which = format!("repeat <i>{repeat}</i>");
            (escaped(""), [vec![which], each.collect()].concat())
        });
        std::iter::once(first).chain(repeats).collect::<Vec<_>>()
    });
    table(caption, &heads, rows)
}

#[cfg(test)]
mod tests;
