//! CPU and resident memory of the servers over the measured time.
//!
//! A line for each repeat of each target, once a second as it was sampled. Start at [`over_time`].

use super::chart::{BOTTOM, Figure, Frame, LEFT, Label, Points, RIGHT, TOP, WIDTH, end_labels};
use super::html::markup::{coloured, shown, style_of, swatch, table};
use super::html::page::{Page, Placed, slug};
use super::scale::{Scale, megabytes, percent};
use crate::results::bench::UsagePoint;

const HEIGHT: f64 = 240.0;

/// What is drawn of a sample.
struct Measure {
    id: &'static str,
    title: &'static str,
    description: &'static str,
    /// In `bench.json`.
    key: &'static str,
    /// The way it is written; see `tools/check-report`.
    how: &'static str,
    value: fn(&UsagePoint) -> f64,
    label: fn(f64) -> String,
    text: fn(f64) -> String,
}

const MEASURES: [Measure; 2] = [
    Measure {
        id: "cpu",
        title: "CPU of the servers",
        description: "All threads and children; 100 % is one whole CPU.",
        key: "cpu_percent",
        how: "percent",
        value: |point| point.cpu_percent,
        label: percent,
        text: |value| format!("{value:.1} %"),
    },
    Measure {
        id: "rss",
        title: "Resident memory of the servers",
        description: "In MB of 10^6 bytes.",
        key: "rss_bytes",
        how: "megabytes",
        value: |point| point.rss_bytes as f64,
        label: megabytes,
        text: |value| format!("{:.1} MB", value / 1e6),
    },
];

/// The samples of a repeat.
struct Series<'a> {
    target: &'a str,
    position: usize,
    repeat: u32,
    /// Of its run in the file.
    nth: usize,
    points: &'a [UsagePoint],
}

impl<'a> Series<'a> {
    /// All but a last one that was taken right after the one before: the kernel's ticks of CPU time are
    /// too coarse for it, and a drawing would end in a fall that never was.
    fn lasting(&self) -> impl Iterator<Item = &'a UsagePoint> {
        let points = self.points;
        let ends_short = match points {
            [.., before, last] => last.at_s - before.at_s < SPAN_LEAST_S,
            _ => false,
        };
        points[..points.len() - usize::from(ends_short)].iter()
    }
}

/// Chosen: half of the usual second.
const SPAN_LEAST_S: f64 = 0.5;

/// Both drawings; nothing if nothing was sampled.
pub(super) fn over_time(page: &Page<'_>, rate: &str, placed: &[Placed<'_>]) -> String {
    let series: Vec<Series<'_>> =
        placed.iter().flat_map(|placed| of_target(page, placed)).collect();
    if series.is_empty() {
        return String::new();
    }
    MEASURES.iter().map(|measure| drawn(rate, measure, &series)).collect()
}

fn of_target<'a>(page: &Page<'a>, placed: &Placed<'a>) -> Vec<Series<'a>> {
    let (target, position) = (placed.summary.target.as_str(), placed.position);
    let runs = page.runs(placed.summary).into_iter();
    runs.filter_map(|(nth, entry)| {
        let points = entry.target_usage.as_ref()?.series.as_slice();
        (!points.is_empty()).then_some(Series {
            target,
            position,
            repeat: entry.repeat,
            nth,
            points,
        })
    })
    .collect()
}

fn drawn(rate: &str, measure: &Measure, series: &[Series<'_>]) -> String {
    let all = || series.iter().flat_map(Series::lasting);
    let end = all().map(|point| point.at_s).fold(0.0, f64::max);
    let frame = Frame {
        x: Scale::time(0.0, end, LEFT..WIDTH - RIGHT, 8),
        y: Scale::linear(all().map(measure.value), HEIGHT - BOTTOM..TOP, 4, measure.label),
    };
    let mut drawing = frame.axes("since the begin of the measured time", "");
    let mut labels: Vec<Label> = Vec::new();
    for series in series {
        let points = series.lasting().map(|point| (point.at_s, (measure.value)(point)));
        drawing += &frame.line(&format!("thin {}", style_of(series.position)), points);
        drawing += &focusable(&frame, measure, series);
        let is_new = labels.iter().all(|label| label.text != series.target);
        if let (Some(last), true) = (series.lasting().last(), is_new) {
            let class = coloured('t', series.position);
            let y = frame.y.at((measure.value)(last));
            labels.push(Label { y, class, text: series.target.to_owned() });
        }
    }
    let (bottom, top) = frame.y.ends();
    drawing += &end_labels(&labels, (top, bottom));
    Figure {
        id: &format!("{}-{}", measure.id, slug(rate)),
        title: &format!("{} at {rate} requests/s, over time.", measure.title),
        description: &format!("{} A line per repeat.", measure.description),
        is_like_before: false,
        height: HEIGHT,
        drawing: &drawing,
        table: &values(measure, series),
    }
    .markup()
}

fn focusable(frame: &Frame, measure: &Measure, series: &Series<'_>) -> String {
    let name = format!("{}, repeat {}", series.target, series.repeat);
    let mut points = Points::default();
    for point in series.lasting() {
        let value = (measure.value)(point);
        let says = format!("{name}, {:.1} s: {}", point.at_s, (measure.text)(value));
        let class = format!("dot {}", coloured('s', series.position));
        points.add(&class, frame.x.at(point.at_s), frame.y.at(value), &says);
    }
    points.group(&name)
}

fn values(measure: &Measure, series: &[Series<'_>]) -> String {
    let rows = series.iter().flat_map(|series| {
        series.points.iter().enumerate().map(move |(at, point)| {
            let run = format!("/runs/{}", series.nth);
            let of_point = format!("{run}/target_usage/series/{at}");
            let cells = vec![
                shown(&format!("{run}/repeat"), "count", &series.repeat.to_string()),
                shown(&format!("{of_point}/at_s"), "seconds", &format!("{:.1} s", point.at_s)),
                shown(
                    &format!("{of_point}/{}", measure.key),
                    measure.how,
                    &(measure.text)((measure.value)(point)),
                ),
            ];
            (swatch(series.position, series.target), cells)
        })
    });
    table(measure.title, &["target", "repeat", "at", "value"], rows)
}

#[cfg(test)]
mod tests;
