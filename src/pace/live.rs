//! One line per second on standard error for who watches a run.
//!
//! On a terminal the line is drawn over and gone at the end; plain, each stays. A reader that has
//! gone away disturbs nothing. Start at [`Live::show`].

use super::interval::Interval;
use crate::stats::{Histogram, Quantile};
use std::io::Write;

/// How lines are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiveMode {
    /// One line that is drawn over.
    Terminal,
    /// A line each.
    Plain,
}

/// Shows intervals.
pub struct Live {
    mode: LiveMode,
    out: Box<dyn Write + Send>,
}

/// ECMA-48: back to the first column, and erase the line.
const FRESH_LINE: &str = "\r\x1b[2K";

impl Live {
    /// Shows them on `out`.
    pub fn new(mode: LiveMode, out: Box<dyn Write + Send>) -> Live {
        Live { mode, out }
    }

    /// Shows one interval.
    pub fn show(&mut self, interval: &Interval) {
        let line = line(interval);
        let _ = match self.mode {
            LiveMode::Terminal => write!(self.out, "{FRESH_LINE}{line}"),
            LiveMode::Plain => writeln!(self.out, "{line}"),
        };
        let _ = self.out.flush();
    }

    /// Clears what was drawn.
    pub fn finish(mut self) {
        if self.mode == LiveMode::Terminal {
            let _ = write!(self.out, "{FRESH_LINE}").and_then(|()| self.out.flush());
        }
    }
}

/// Rate, response time, failures and the pacer's own lateness.
fn line(interval: &Interval) -> String {
    let response = interval.total();
    format!(
        "{:>5} s {:>8}/s   p50 {:>8}   p99 {:>8}   max {:>8}   errors {:>5}   late p99 {:>8}",
        interval.until,
        response.count() / interval.seconds(),
        figure(&response, 0.5),
        figure(&response, 0.99),
        figure(&response, 1.0),
        response.infinite(),
        figure(&interval.lateness, 0.99),
    )
}

fn figure(histogram: &Histogram, q: f64) -> String {
    match histogram.quantile(q) {
        Quantile::Finite(value) => value.to_string(),
        Quantile::Infinite => String::from("never"),
        Quantile::Empty => String::from("-"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Nanos;

    #[test]
    fn a_line_tells_rate_times_and_failures() {
        let mut interval = Interval { second: 4, until: 6, ..Interval::new(2) };
        interval.responses[0].record(Nanos::from_micros(14));
        interval.responses[0].record(Nanos::from_micros(15));
        interval.responses[1].record(Nanos::from_micros(20));
        interval.responses[1].record_infinite();
        let line = line(&interval);
        for part in
            [" 6 s ", " 2/s ", "p50  15.0 us", "p99    never", "errors     1", "p99        -"]
        {
            assert!(line.contains(part), "no `{part}` in `{line}`");
        }
    }
}
