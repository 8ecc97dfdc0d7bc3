//! Latency over time: how the requests of each moment spread, and what disturbed the pacer then.
//!
//! A panel for each repeat of a target, all on one axis, so that targets can be compared. A moment is a
//! column of cells, the darker the more of its requests lie there; the line is its p99. Stalls of the
//! pacer stand below at their time. Start at [`over_time`].

use super::chart::{BOTTOM, Figure, Frame, LEFT, Label, Points, RIGHT, TOP, WIDTH, end_labels};
use super::html::markup::{coloured, other_table, swatch};
use super::html::page::{Page, Placed, slug};
use super::logs::{BINS_PER_DECADE, Column, RunLog};
use super::scale::{Scale, latency};
use crate::results::bench::BenchRun;
use crate::results::{Run, StallSpan};
use crate::units::Nanos;
use std::collections::BTreeMap;
use std::fmt::Write;

const HEIGHT: f64 = 270.0;
/// Below the time axis, for the stalls.
const LANE: f64 = 26.0;
/// Between the panels.
const GAP: f64 = 14.0;

/// A repeat.
struct Panel<'a> {
    entry: &'a BenchRun,
    run: &'a Run,
    log: &'a RunLog,
}

/// A drawing for each target.
pub(super) fn over_time(page: &Page<'_>, rate: &str, placed: &[Placed<'_>]) -> String {
    let targets: Vec<(&Placed<'_>, Vec<Panel<'_>>)> =
        placed.iter().map(|placed| (placed, panels(page, placed))).collect();
    let all = || targets.iter().flat_map(|(_, panels)| panels);
    let extent = all().flat_map(|panel| panel.log.columns.iter().flat_map(extent));
    let Some(y) = Scale::log(extent, HEIGHT - BOTTOM - LANE..TOP + 16.0, latency) else {
        return String::new();
    };
    let drawn = targets.iter().filter(|(_, panels)| !panels.is_empty());
    let drawn = drawn.enumerate().map(|(nth, (placed, panels))| {
        target(rate, placed, panels, &y, nth > 0 || !page.is_first(rate))
    });
    drawn.collect()
}

fn panels<'a>(page: &Page<'a>, placed: &Placed<'_>) -> Vec<Panel<'a>> {
    let runs = page.runs(placed.summary).into_iter();
    runs.filter_map(|(nth, entry)| {
        Some(Panel { entry, run: entry.run.as_ref()?, log: page.logs.of(nth)? })
    })
    .collect()
}

fn extent(column: &Column) -> impl Iterator<Item = f64> {
    let least = column.bins.keys().next().map(|bin| edge(*bin));
    let most = column.longest.map(|ns| ns as f64);
    least.into_iter().chain(most)
}

/// The lower edge of a bin, in ns.
fn edge(bin: i32) -> f64 {
    10f64.powf(f64::from(bin) / BINS_PER_DECADE)
}

fn target(
    rate: &str,
    placed: &Placed<'_>,
    panels: &[Panel<'_>],
    y: &Scale,
    is_like_before: bool,
) -> String {
    let name = placed.summary.target.as_str();
    let mut drawing = String::new();
    let mut last = None;
    for (nth, panel) in panels.iter().enumerate() {
        let frame = Frame { x: time(panel, nth, panels.len()), y: y.clone() };
        drawing += &match nth {
            0 => frame.axes("", ""),
            _ => frame.rules(),
        };
        drawing += &panel.drawn(&frame, placed);
        last = panel.log.columns.last().and_then(|column| column.p99).or(last);
    }
    let end = |ns: u64, text: &str| Label {
        y: y.at(ns as f64),
        class: String::from("ink"),
        text: text.to_owned(),
    };
    let mut labels: Vec<Label> = last.map(|ns| end(ns, "p99")).into_iter().collect();
    let (bottom, _) = y.ends();
    if panels.iter().any(|panel| !panel.run.longest_stalls.is_empty()) {
        let (y, text) = (bottom + LANE + 6.0, String::from("stalls"));
        labels.push(Label { y, class: text.clone(), text });
    }
    drawing += &end_labels(&labels, (TOP, HEIGHT));
    Figure {
        id: &format!("time-{}-{}", slug(rate), slug(name)),
        title: &format!("{name}: response time over the measured time at {rate} requests/s."),
        description: &description(panels),
        is_like_before,
        height: HEIGHT,
        drawing: &drawing,
        table: &values(name, placed.position, panels),
    }
    .markup()
}

fn description(panels: &[Panel<'_>]) -> String {
    let span =
        panels.iter().flat_map(|panel| &panel.log.columns).map(|c| c.span_s).fold(0.0, f64::max);
    let warm_up = panels.iter().any(|panel| panel.log.columns.iter().any(|c| c.begin_s < 0.0));
    let warm_up = if warm_up { " Left of 0 s: the warm-up, which is in no figure." } else { "" };
    format!(
        "One panel per repeat. Each column is what ended within {span} s; the darker a cell, the more \
         of them took so long. Line: p99. Cross: requests that failed. Marks below: when the pacer \
         stood still.{warm_up}"
    )
}

fn time(panel: &Panel<'_>, nth: usize, of: usize) -> Scale {
    let width = (WIDTH - LEFT - RIGHT - GAP * (of - 1) as f64) / of as f64;
    let left = LEFT + nth as f64 * (width + GAP);
    let begin = panel.log.columns.first().map_or(0.0, |column| column.begin_s.min(0.0));
    // A label every 60 units or so.
    let labels = (width / 60.0).floor().clamp(1.0, 8.0) as usize;
    Scale::time(begin, panel.run.duration_s, left..left + width, labels)
}

impl Panel<'_> {
    /// All but those after the measured time, when only the last few answers come in.
    fn columns_within(&self) -> impl Iterator<Item = &Column> {
        self.log.columns.iter().filter(|column| column.begin_s < self.run.duration_s)
    }

    fn drawn(&self, frame: &Frame, placed: &Placed<'_>) -> String {
        let ((left, right), (bottom, top)) = (frame.x.ends(), frame.y.ends());
        let mut svg = format!(
            "<text class=\"axis\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">repeat {}: {}</text>\n",
            (left + right) / 2.0,
            TOP - 2.0,
            self.entry.repeat,
            super::figure::verdict_word(self.run.verdict)
        );
        if frame.x.at(0.0) > left {
            let _ = writeln!(
                svg,
                "<rect class=\"warmup\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
                frame.x.at(0.0) - left,
                bottom - top
            );
        }
        svg += &cells(frame, self.columns_within(), placed.position);
        let p99 = self.columns_within().filter_map(|column| {
            let middle = column.begin_s + column.span_s / 2.0;
            Some((middle, column.p99? as f64))
        });
        svg += &frame.line("over", p99);
        svg += &self.stalls(frame);
        svg + &self.columns(frame, &placed.summary.target)
    }

    /// The stalls, each as wide as it was long and no less than can be seen.
    fn stalls(&self, frame: &Frame) -> String {
        if self.run.longest_stalls.is_empty() {
            return String::new();
        }
        let (bottom, _) = frame.y.ends();
        let (above, below) = (bottom + LANE, bottom + LANE + 10.0);
        let mut svg = String::new();
        let (left, right) = frame.x.ends();
        let _ = writeln!(svg, "<path class=\"lane\" d=\"M{left:.1} {below:.1}H{right:.1}\"/>");
        for stall in &self.run.longest_stalls {
            let x = frame.x.at(stall.at_s);
            let end = frame.x.at(stall.at_s + stall.length_ns as f64 / 1e9);
            let _ = writeln!(
                svg,
                "<rect class=\"stall\" x=\"{x:.1}\" y=\"{above:.1}\" width=\"{:.1}\" height=\"10\">\
                 <title>{}</title></rect>",
                (end - x).max(1.5),
                stall_text(stall)
            );
        }
        svg
    }

    /// What can be pointed at: each column, and the failures as crosses at its top.
    fn columns(&self, frame: &Frame, name: &str) -> String {
        let (bottom, top) = frame.y.ends();
        let mut svg = String::new();
        let mut points = Points::default();
        for column in self.columns_within() {
            let x = (frame.x.at(column.begin_s), frame.x.at(column.begin_s + column.span_s));
            if column.infinite > 0 {
                let middle = (x.0 + x.1) / 2.0;
                let _ = writeln!(
                    svg,
                    "<path class=\"cross\" d=\"M{:.1} {top}l6 6m0 -6l-6 6\"/>",
                    middle - 3.0
                );
            }
            points.add_area(x, (top, bottom), &column_text(name, column));
        }
        svg + &points.group(&format!("{name}, repeat {}", self.entry.repeat))
    }
}

fn stall_text(stall: &StallSpan) -> String {
    format!("the pacer stood still for {} at {:.2} s", Nanos(stall.length_ns), stall.at_s)
}

fn column_text(name: &str, column: &Column) -> String {
    let shown = |ns: Option<u64>| super::figure::latency(ns, column.longest);
    let failed = match column.infinite {
        0 => String::new(),
        failed => format!(", {failed} failed"),
    };
    format!(
        "{name}, {:.0}-{:.0} s: {} requests, p50 {}, p99 {}, longest {}{failed}",
        column.begin_s,
        column.begin_s + column.span_s,
        column.count,
        shown(column.p50),
        shown(column.p99),
        column.longest.map_or_else(|| String::from("none"), |ns| Nanos(ns).to_string()),
    )
}

/// Share of a column's requests from which a cell is that dark, darkest first. Chosen: a single
/// request is still seen, and a column's mode stands out.
const DARKNESS: [f64; 6] = [0.2, 0.08, 0.03, 0.01, 0.003, 0.0];

/// One path for each darkness, which is far less text than one element per cell.
fn cells<'a>(frame: &Frame, columns: impl Iterator<Item = &'a Column>, position: usize) -> String {
    let mut paths: BTreeMap<usize, String> = BTreeMap::new();
    for column in columns {
        let (x, end) = (frame.x.at(column.begin_s), frame.x.at(column.begin_s + column.span_s));
        for (bin, count) in &column.bins {
            let share = *count as f64 / column.count.max(1) as f64;
            let level = DARKNESS.iter().position(|least| share >= *least).unwrap_or(0);
            let (above, below) = (frame.y.at(edge(bin + 1)), frame.y.at(edge(*bin)));
            let path = paths.entry(level).or_default();
            let _ = write!(
                path,
                "M{x:.1} {above:.1}H{:.1}V{below:.1}H{x:.1}Z",
                (end - 0.6).max(x + 0.4)
            );
        }
    }
    let drawn = paths.iter().map(|(level, path)| {
        let filling = coloured('f', position);
        format!("<path class=\"heat {filling} l{level}\" d=\"{path}\"/>\n")
    });
    drawn.collect()
}

fn values(name: &str, position: usize, panels: &[Panel<'_>]) -> String {
    let heads = ["repeat", "from", "until", "requests", "failed", "p50", "p99", "longest"];
    let rows = panels.iter().flat_map(|panel| {
        panel.log.columns.iter().map(|column| {
            let shown = |ns: Option<u64>| super::figure::latency(ns, column.longest);
            let cells = vec![
                format!("{} s", column.begin_s),
                format!("{} s", column.begin_s + column.span_s),
                column.count.to_string(),
                column.infinite.to_string(),
                shown(column.p50).replace('>', "&gt;"),
                shown(column.p99).replace('>', "&gt;"),
                column.longest.map_or_else(|| String::from("-"), |ns| Nanos(ns).to_string()),
            ];
            (panel.entry.repeat.to_string(), cells)
        })
    });
    let table = other_table("From the interval logs (.hlog)", &heads, rows);
    format!("<p>{}</p>\n{table}{}", swatch(position, name), stalls(panels))
}

fn stalls(panels: &[Panel<'_>]) -> String {
    let rows = panels.iter().flat_map(|panel| {
        panel.run.longest_stalls.iter().map(|stall| {
            let cells = vec![format!("{:.3} s", stall.at_s), Nanos(stall.length_ns).to_string()];
            (panel.entry.repeat.to_string(), cells)
        })
    });
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return String::new();
    }
    other_table("The pacer's longest stalls", &["repeat", "at", "length"], rows)
}

#[cfg(test)]
mod tests;
