//! Inline SVG, written by hand: colours come from the page's style sheet, so that one drawing serves
//! light, dark and paper, which no plotting library's SVG does.
//!
//! Numbers in, text out. Not here: which figures are drawn; see `html`.

use super::html::escaped;
use crate::units::Nanos;
use std::fmt::Write;

/// A curve of latency over the scale of nines.
pub(super) struct Curve {
    pub(super) name: String,
    /// Which of the page's colours; also the shape of its dashes.
    pub(super) colour: usize,
    /// Left to right; at +infinity a curve ends.
    pub(super) points: Vec<Point>,
    /// Each repeat by itself, drawn faintly behind.
    pub(super) repeats: Vec<Vec<Point>>,
}

/// A point of a [`Curve`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    /// -log10(1 - quantile): 1 for p90, 2 for p99.
    pub(super) nines: f64,
    pub(super) ns: u64,
    pub(super) name: &'static str,
}

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 340.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 34.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 40.0;
/// The left edge is p50: what lies below it interests nobody here.
const NINES_LEAST: f64 = std::f64::consts::LOG10_2;

/// Latency (logarithmic) over nines. `title` is read to those who cannot see it.
pub(super) fn percentile_plot(title: &str, curves: &[Curve]) -> String {
    let Some(frame) = Frame::around(curves) else {
        return format!("<p>{}: nothing finite to draw.</p>\n", escaped(title));
    };
    let mut svg = String::new();
    let _ = write!(
        svg,
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n{}",
        escaped(title),
        frame.grid()
    );
    for curve in curves {
        for repeat in &curve.repeats {
            let _ = writeln!(
                svg,
                "<path class=\"repeat s{}\" d=\"{}\"/>",
                curve.colour,
                frame.path(repeat)
            );
        }
    }
    for curve in curves {
        svg += &frame.curve(curve);
    }
    svg + "</svg>\n"
}

/// Where the axes lie.
struct Frame {
    nines_most: f64,
    log_least: f64,
    log_most: f64,
}

impl Frame {
    /// The axes that hold every point; `None` without any.
    fn around(curves: &[Curve]) -> Option<Frame> {
        let points = || {
            curves.iter().flat_map(|curve| {
                curve.repeats.iter().flatten().chain(&curve.points).filter(|point| point.ns > 0)
            })
        };
        let least = points().map(|point| point.ns).min()?;
        let most = points().map(|point| point.ns).max()?;
        let nines = points().map(|point| point.nines).fold(NINES_LEAST, f64::max);
        Some(Frame {
            nines_most: nines.ceil().max(2.0),
            log_least: (least as f64).log10().floor(),
            // A tenth more, or a flat line would lie on the edge.
            log_most: ((most as f64).log10() + 0.1).ceil(),
        })
    }

    fn x(&self, nines: f64) -> f64 {
        let share = (nines - NINES_LEAST) / (self.nines_most - NINES_LEAST);
        LEFT + share * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, ns: u64) -> f64 {
        let log = (ns.max(1) as f64).log10();
        let share = (log - self.log_least) / (self.log_most - self.log_least);
        HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
    }

    fn grid(&self) -> String {
        let mut svg = String::new();
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for decade in self.log_least as i32..=self.log_most as i32 {
            let ns = 10f64.powi(decade) as u64;
            let y = self.y(ns);
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{right}\"/>\
                 <text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                y + 4.0,
                decade_label(ns)
            );
        }
        for (nines, label) in TICKS.iter().filter(|(nines, _)| *nines <= self.nines_most) {
            let x = self.x(*nines);
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{x:.1} {TOP}V{bottom}\"/>\
                 <text x=\"{x:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{label}</text>",
                bottom + 20.0
            );
        }
        svg
    }

    fn curve(&self, curve: &Curve) -> String {
        let mut svg = format!(
            "<path class=\"curve s{}\" d=\"{}\"/>\n",
            curve.colour,
            self.path(&curve.points)
        );
        for point in &curve.points {
            let _ = writeln!(
                svg,
                "<circle class=\"s{}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\"><title>{} {}: {}</title></circle>",
                curve.colour,
                self.x(point.nines),
                self.y(point.ns),
                escaped(&curve.name),
                point.name,
                Nanos(point.ns)
            );
        }
        svg
    }

    fn path(&self, points: &[Point]) -> String {
        let mut path = String::new();
        for point in points {
            let verb = if path.is_empty() { 'M' } else { 'L' };
            let _ = write!(path, "{verb}{:.1} {:.1}", self.x(point.nines), self.y(point.ns));
        }
        path
    }
}

const TICKS: [(f64, &str); 8] = [
    (NINES_LEAST, "p50"),
    (1.0, "p90"),
    (2.0, "p99"),
    (3.0, "p99.9"),
    (4.0, "p99.99"),
    (5.0, "p99.999"),
    (6.0, "p99.9999"),
    (7.0, "p99.99999"),
];

/// `100 us`; a power of ten needs no decimals.
fn decade_label(ns: u64) -> String {
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => format!("{} us", ns / 1_000),
        1_000_000..1_000_000_000 => format!("{} ms", ns / 1_000_000),
        _ => format!("{} s", ns / 1_000_000_000),
    }
}
