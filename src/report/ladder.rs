//! Latency against rate, where a bench has several rates.
//!
//! For each target a line of p99 and, thinner, of p50: the medians of the repeats, as in the tables.
//! Start at [`against_rate`].

use super::chart::{BOTTOM, Figure, Frame, LEFT, Label, Points, RIGHT, TOP, WIDTH, end_labels};
use super::figure::{Quantile, latency as written, level};
use super::html::markup::{coloured, escaped, shown, style_of, swatch, table};
use super::html::page::{Page, Placed};
use super::knee::in_a_word;
use super::scale::{Scale, latency, rate as rate_label};
use crate::results::FIGURES;
use crate::units::Rate;

const HEIGHT: f64 = 380.0;

/// A target at a rate.
struct Rung<'a> {
    rate: &'a str,
    per_second: f64,
    placed: Placed<'a>,
}

/// The drawing; nothing if there is one rate only.
pub(super) fn against_rate(page: &Page<'_>) -> String {
    let mut rungs: Vec<Rung<'_>> = Vec::new();
    let of_plan = page.rates().into_iter().flat_map(|(_, placed)| placed);
    for placed in of_plan.chain(page.probes()) {
        let rate = placed.summary.rate.as_str();
        let Some(per_second) = per_second(rate) else { continue };
        rungs.push(Rung { rate, per_second, placed });
    }
    rungs.sort_by(|one, other| one.per_second.total_cmp(&other.per_second));
    let (Some(first), Some(last)) = (rungs.first(), rungs.last()) else { return String::new() };
    if first.per_second == last.per_second {
        return String::new();
    }
    let mut targets: Vec<(usize, &str)> = Vec::new();
    for rung in &rungs {
        let target = (rung.placed.position, rung.placed.summary.target.as_str());
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    targets.sort();
    drawn(page, &rungs, &targets)
}

/// Where the search for the knees ended, marked on the axis of rates.
fn knees(page: &Page<'_>, frame: &Frame, targets: &[(usize, &str)]) -> String {
    let (bottom, top) = frame.y.ends();
    let mut svg = String::new();
    for of_target in page.bench.knee.iter().flat_map(|knee| &knee.targets) {
        let passed = of_target.passed.as_deref().and_then(per_second);
        let (Some(per_second), Some(says)) = (passed, in_a_word(of_target)) else { continue };
        let position = targets.iter().find(|(_, name)| *name == of_target.target);
        let (position, x) = (position.map_or(0, |(position, _)| *position), frame.x.at(per_second));
        svg += &format!(
            "<path class=\"thin {}\" d=\"M{x:.1} {bottom:.1}V{top:.1}\"><title>{}</title></path>\n\
             <text x=\"{:.1}\" y=\"{:.1}\" class=\"{}\">knee</text>\n",
            style_of(position),
            escaped(&says),
            x + 4.0,
            top + 12.0,
            coloured('t', position)
        );
    }
    svg
}

fn per_second(rate: &str) -> Option<f64> {
    rate.parse::<Rate>().ok().map(Rate::as_f64)
}

/// The median, in ns; `None` at +infinity and where nothing was measured.
fn median(rung: &Rung<'_>, quantile: &Quantile) -> Option<f64> {
    let spreads = &rung.placed.summary.total.response_ns;
    (quantile.spread)(spreads).median.map(|ns| ns as f64)
}

fn drawn(page: &Page<'_>, rungs: &[Rung<'_>], targets: &[(usize, &str)]) -> String {
    let (p50, p99) = (&FIGURES[0], &FIGURES[3]);
    let all = rungs.iter().flat_map(|rung| [median(rung, p50), median(rung, p99)]).flatten();
    let Some(y) = Scale::log(all, HEIGHT - BOTTOM..TOP, latency) else { return String::new() };
    let rates = rungs.iter().map(|rung| rung.per_second);
    let Some(x) = Scale::log(rates, LEFT..WIDTH - RIGHT, rate_label) else { return String::new() };
    let frame = Frame { x, y };
    let mut drawing = frame.axes("offered rate", "latency");
    drawing += &knees(page, &frame, targets);
    let mut labels = Vec::new();
    for (position, target) in targets {
        for (quantile, class) in [(p50, "thin"), (p99, "curve")] {
            let points: Vec<(f64, f64)> = of_target(rungs, target)
                .map_while(|rung| Some((rung.per_second, median(rung, quantile)?)))
                .collect();
            drawing +=
                &frame.line(&format!("{class} {}", style_of(*position)), points.iter().copied());
            if let Some((_, ns)) = points.last() {
                let class = coloured('t', *position);
                let text = format!("{target} {}", quantile.label);
                labels.push(Label { y: frame.y.at(*ns), class, text });
            }
            drawing += &focusable(&frame, rungs, *position, target, quantile);
        }
    }
    let (bottom, top) = frame.y.ends();
    drawing += &end_labels(&labels, (top + 6.0, bottom));
    Figure {
        id: "ladder",
        title: "Response time of all requests against the offered rate.",
        description: "Strong: p99; thin: p50. A line ends where so many requests are lost that its \
                      percentile is one of them. Upright, if the bench searched for it: the highest \
                      rate that keeps the objective.",
        is_like_before: false,
        height: HEIGHT,
        drawing: &drawing,
        table: &values(rungs),
    }
    .markup()
}

fn of_target<'a, 'b>(rungs: &'b [Rung<'a>], target: &'b str) -> impl Iterator<Item = &'b Rung<'a>> {
    rungs.iter().filter(move |rung| rung.placed.summary.target == target)
}

fn focusable(
    frame: &Frame,
    rungs: &[Rung<'_>],
    position: usize,
    target: &str,
    quantile: &Quantile,
) -> String {
    let mut points = Points::default();
    for rung in of_target(rungs, target) {
        let Some(ns) = median(rung, quantile) else { break };
        let shown = written(Some(ns as u64), None);
        let says = format!("{target} at {}/s, {}: {shown}", rung.rate, quantile.label);
        let class = format!("point {}", coloured('s', position));
        points.add(&class, frame.x.at(rung.per_second), frame.y.at(ns), &says);
    }
    points.group(&format!("{target}, {}", quantile.label))
}

fn values(rungs: &[Rung<'_>]) -> String {
    let rows = rungs.iter().map(|rung| {
        let (placed, summary) = (&rung.placed, rung.placed.summary);
        let spreads = &summary.total.response_ns;
        let quantile = |of: &Quantile| {
            let text = written((of.spread)(spreads).median, spreads.longest_observed);
            let key = format!("total/response_ns/{}/median", of.key);
            shown(&placed.pointer(&key), "latency", &text)
        };
        let achieved = level(&summary.achieved_rps, 1);
        let cells = vec![
            shown(&placed.pointer("rate"), "word", &escaped(rung.rate)),
            shown(&placed.pointer("achieved_rps/median"), "decimals-1", &achieved),
            quantile(&FIGURES[0]),
            quantile(&FIGURES[3]),
        ];
        (swatch(placed.position, &summary.target), cells)
    });
    let heads = ["target", "offered per s", "achieved per s", "p50", "p99"];
    table("Response time against rate", &heads, rows)
}

#[cfg(test)]
mod tests;
