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
    /// In ns; a step of the axis, as `most` is.
    least: f64,
    most: f64,
}

/// Chosen: a curve keeps off the edge by some 2 % of a decade.
const EDGE: f64 = 1.05;

/// Steps of a decade that are labelled if there is room.
const STEPS: [f64; 3] = [1.0, 2.0, 5.0];

/// Chosen: more labels than this stand too close; then only decades and both ends are labelled.
const LABELS_MAX: usize = 9;

/// The greatest step up to `ns`, which is positive.
fn step_down(ns: f64) -> f64 {
    let decade = 10f64.powi(ns.log10().floor() as i32);
    let fitting = STEPS.iter().rev().map(|step| step * decade).find(|step| *step <= ns);
    fitting.unwrap_or(decade)
}

/// The least step from `ns` on.
fn step_up(ns: f64) -> f64 {
    let decade = 10f64.powi(ns.log10().floor() as i32);
    STEPS.iter().map(|step| step * decade).find(|step| *step >= ns).unwrap_or(10.0 * decade)
}

/// The steps of the axis between `least` and `most`, which are steps themselves.
fn steps(least: f64, most: f64) -> Vec<f64> {
    let mut all = vec![least];
    while let Some(last) = all.last().copied().filter(|last| *last < most / EDGE) {
        all.push(step_up(last * EDGE));
    }
    let is_decade = |ns: &f64| (ns.log10() - ns.log10().round()).abs() < 1e-9;
    if all.len() > LABELS_MAX {
        all.retain(|ns| is_decade(ns) || *ns == least || *ns == most);
    }
    all
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
        // A little more, or a flat line would lie on the edge.
        let (least, most) = (step_down(least as f64 / EDGE), step_up(most as f64 * EDGE));
        Some(Frame { nines_most: nines.max(2.0), least, most })
    }

    fn x(&self, nines: f64) -> f64 {
        let share = (nines - NINES_LEAST) / (self.nines_most - NINES_LEAST);
        LEFT + share * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, ns: f64) -> f64 {
        let share = (ns.max(self.least) / self.least).ln() / (self.most / self.least).ln();
        HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
    }

    fn grid(&self) -> String {
        let mut svg = String::new();
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for step in steps(self.least, self.most) {
            let y = self.y(step);
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{right}\"/>\
                 <text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                y + 4.0,
                step_label(step)
            );
        }
        let (top, left) = (TOP, LEFT);
        let _ =
            writeln!(svg, "<path class=\"grid\" d=\"M{left} {top}H{right}V{bottom}H{left}Z\"/>");
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
                self.y(point.ns as f64),
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
            let _ = write!(path, "{verb}{:.1} {:.1}", self.x(point.nines), self.y(point.ns as f64));
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

/// `200 us`; a step needs no decimals.
fn step_label(ns: f64) -> String {
    let (value, unit) = match ns {
        ..1e3 => (ns, "ns"),
        1e3..1e6 => (ns / 1e3, "us"),
        1e6..1e9 => (ns / 1e6, "ms"),
        _ => (ns / 1e9, "s"),
    };
    format!("{value} {unit}")
}

#[cfg(test)]
mod tests;
