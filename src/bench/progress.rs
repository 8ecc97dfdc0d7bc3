//! Says on stderr how far a bench is: a bar on a terminal, plain lines in a pipe.
//!
//! The bar moves only when it is told to, about once a second: a ticking thread would be one more
//! thing that runs on the measured CPUs.

use crate::units::Nanos;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal, Write, stderr};

pub(super) enum Progress {
    Bar(ProgressBar),
    Lines,
}

impl Progress {
    /// Counts `runs`.
    pub(super) fn new(runs: usize) -> Progress {
        if !stderr().is_terminal() {
            return Progress::Lines;
        }
        let bar = ProgressBar::new(runs as u64);
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} {msg}") {
            bar.set_style(style);
        }
        Progress::Bar(bar)
    }

    /// A run begins; `what` names it.
    pub(super) fn begin(&self, position: usize, of: usize, what: &str) {
        match self {
            Progress::Bar(bar) => {
                bar.set_position(position as u64);
                bar.set_message(what.to_owned());
            }
            Progress::Lines => self.line(&format!("[{}/{of}] {what}", position + 1)),
        }
    }

    /// The run goes on; some of it is behind it.
    pub(super) fn advance(&self, what: &str, behind: Nanos, of: Nanos) {
        if let Progress::Bar(bar) = self {
            let (behind, of) = (behind.as_secs_f64(), of.as_secs_f64());
            bar.set_message(format!("{what}  {:.0}/{of:.0} s", behind.min(of)));
        }
    }

    /// A line that stays.
    pub(super) fn line(&self, text: &str) {
        match self {
            Progress::Bar(bar) => bar.println(text),
            // A closed stderr is no reason to end a bench.
            Progress::Lines => drop(writeln!(stderr(), "{text}")),
        }
    }

    /// Nothing more will come.
    pub(super) fn end(&self) {
        if let Progress::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
