//! What every drawing of the page is made of: a frame with axes, lines, points that can be focused,
//! labels at the ends of lines, and the figure around them with its data as a table.
//!
//! Inline SVG by hand: colours come from the page's style sheet, so that one drawing serves light, dark
//! and paper, which no plotting library's SVG does. A drawing says what it shows in its title and
//! description; every value is in the table too, so nothing is lost to who cannot see or hover.
//! Numbers in, text out. Not here: which figures are drawn; see `nines`, `timeline`, `usage`, `ladder`.

use super::html::markup::{escaped, region};
use super::scale::Scale;
use std::fmt::Write;

/// Width of every drawing, in its own units; as wide as the page's column, so that a unit is a pixel.
pub(super) const WIDTH: f64 = 900.0;
/// Room for the labels of the vertical axis.
pub(super) const LEFT: f64 = 64.0;
/// Room for the labels at the ends of lines.
pub(super) const RIGHT: f64 = 132.0;
/// Room for the highest label of the vertical axis.
pub(super) const TOP: f64 = 16.0;
/// Room for the labels of the horizontal axis and its name.
pub(super) const BOTTOM: f64 = 44.0;

/// Two axes.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) x: Scale,
    pub(super) y: Scale,
}

/// A drawing with its words.
pub(super) struct Figure<'a> {
    /// Unique on the page; letters, digits and `-`.
    pub(super) id: &'a str,
    /// What is drawn.
    pub(super) title: &'a str,
    /// How to read it; for who cannot see it, in any case.
    pub(super) description: &'a str,
    /// Whether the same stands above a drawing before this one.
    pub(super) is_like_before: bool,
    pub(super) height: f64,
    /// Markup within the `svg` element.
    pub(super) drawing: &'a str,
    /// The data as a table, which is markup.
    pub(super) table: &'a str,
}

impl Figure<'_> {
    /// As markup.
    pub(super) fn markup(&self) -> String {
        let Figure { id, height, drawing, table, .. } = self;
        let (title, description) = (escaped(self.title), escaped(self.description));
        let svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"graphics-document\" \
             aria-roledescription=\"chart\" aria-labelledby=\"{id}-t\" aria-describedby=\"{id}-d\">\n\
             <title id=\"{id}-t\">{title}</title>\n<desc id=\"{id}-d\">{description}</desc>\n{drawing}</svg>\n"
        );
        let caption = if self.is_like_before { "" } else { description.as_str() };
        format!(
            "<figure id=\"{id}\">\n<figcaption><b>{title}</b> {caption}</figcaption>\n{}\
             <details><summary>The data of this chart</summary>\n{table}</details>\n</figure>\n",
            region("drawing", self.title, &svg)
        )
    }
}

impl Frame {
    /// Grid lines at the steps of both axes, with labels and the names of the axes.
    pub(super) fn axes(&self, x_name: &str, y_name: &str) -> String {
        let ((left, right), (bottom, top)) = (self.x.ends(), self.y.ends());
        let mut svg = self.rules();
        let _ = writeln!(
            svg,
            "<text class=\"axis\" x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{}</text>",
            (left + right) / 2.0,
            bottom + 36.0,
            escaped(x_name)
        );
        for (y, label) in self.y.steps() {
            let _ = writeln!(
                svg,
                "<text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
                left - 8.0,
                y + 4.0
            );
        }
        if !y_name.is_empty() {
            let _ = writeln!(
                svg,
                "<text class=\"axis\" x=\"{left}\" y=\"{:.0}\">{}</text>",
                top - 6.0,
                escaped(y_name)
            );
        }
        svg
    }

    /// Grid lines, and the labels of the horizontal axis only: a further panel beside the first.
    pub(super) fn rules(&self) -> String {
        let ((left, right), (bottom, top)) = (self.x.ends(), self.y.ends());
        let mut svg = String::new();
        for (y, _) in self.y.steps() {
            let _ = writeln!(svg, "<path class=\"grid\" d=\"M{left:.1} {y:.1}H{right:.1}\"/>");
        }
        for (x, label) in self.x.steps() {
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{x:.1} {top:.1}V{bottom:.1}\"/>\
                 <text x=\"{x:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{label}</text>",
                bottom + 18.0
            );
        }
        let _ = writeln!(svg, "<path class=\"base\" d=\"M{left:.1} {bottom:.1}H{right:.1}\"/>");
        svg
    }

    /// A line through `points`, which are values of both axes.
    pub(super) fn line(&self, class: &str, points: impl Iterator<Item = (f64, f64)>) -> String {
        let mut path = String::new();
        for (x, y) in points {
            let verb = if path.is_empty() { 'M' } else { 'L' };
            let _ = write!(path, "{verb}{:.1} {:.1}", self.x.at(x), self.y.at(y));
        }
        if path.is_empty() {
            return path;
        }
        format!("<path class=\"{class}\" d=\"{path}\"/>\n")
    }
}

/// Points of one line, which the arrow keys go along.
#[derive(Debug, Default)]
pub(super) struct Points {
    svg: String,
}

impl Points {
    /// Adds a point at a place of the drawing; `says` is what it shows when it is pointed at.
    pub(super) fn add(&mut self, class: &str, x: f64, y: f64, says: &str) {
        let shape = format!("<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"");
        self.add_shape(&shape, "</circle>", says);
    }

    /// Adds a shape that is not seen, from the top of the drawing to its bottom.
    pub(super) fn add_area(&mut self, x: (f64, f64), y: (f64, f64), says: &str) {
        let shape = format!(
            "<rect class=\"area\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"",
            x.0,
            y.0,
            x.1 - x.0,
            y.1 - y.0
        );
        self.add_shape(&shape, "</rect>", says);
    }

    fn add_shape(&mut self, shape: &str, end: &str, says: &str) {
        // Tab stops at the first only; a script moves on from there.
        let tab = if self.svg.is_empty() { 0 } else { -1 };
        let says = escaped(says);
        let _ = writeln!(
            self.svg,
            "{shape} role=\"img\" tabindex=\"{tab}\" aria-label=\"{says}\"><title>{says}</title>{end}"
        );
    }

    /// All of them, as one group called `name`.
    pub(super) fn group(self, name: &str) -> String {
        if self.svg.is_empty() {
            return String::new();
        }
        format!(
            "<g class=\"points\" role=\"group\" aria-label=\"{}\">\n{}</g>\n",
            escaped(name),
            self.svg
        )
    }
}

/// What stands at the end of a line instead of in a legend.
#[derive(Clone, Debug)]
pub(super) struct Label {
    /// Where the line ends.
    pub(super) y: f64,
    pub(super) class: String,
    pub(super) text: String,
}

/// The height of a label. Chosen: the letters of one never touch those of the next.
const LABEL_HEIGHT: f64 = 16.0;
/// Letters that fit at the right edge. Measured: 13 px of the usual fonts take 7 px a letter.
const LABEL_LETTERS_MAX: usize = 17;

/// `labels` at the right edge, moved apart where they would lie on one another, between `top` and
/// `bottom`.
pub(super) fn end_labels(labels: &[Label], (top, bottom): (f64, f64)) -> String {
    let x = WIDTH - RIGHT + 12.0;
    let mut sorted: Vec<&Label> = labels.iter().collect();
    sorted.sort_by(|one, other| one.y.total_cmp(&other.y));
    let places = apart(sorted.iter().map(|label| label.y).collect(), top, bottom);
    let drawn = sorted.iter().zip(places).map(|(label, y)| {
        format!(
            "<text class=\"label {}\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>\n",
            label.class,
            y + 4.0,
            escaped(&shortened(&label.text))
        )
    });
    drawn.collect()
}

/// `ys`, which are sorted, at least a label's height from one another.
fn apart(mut ys: Vec<f64>, top: f64, bottom: f64) -> Vec<f64> {
    let mut least = top;
    for y in &mut ys {
        *y = y.max(least);
        least = *y + LABEL_HEIGHT;
    }
    let mut most = bottom;
    for y in ys.iter_mut().rev() {
        *y = y.min(most);
        most = *y - LABEL_HEIGHT;
    }
    ys
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= LABEL_LETTERS_MAX {
        return text.to_owned();
    }
    let kept: String = text.chars().take(LABEL_LETTERS_MAX - 1).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests;
