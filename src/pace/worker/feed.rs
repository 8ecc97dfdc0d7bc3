//! Hands what a worker records to the observer, an interval at a time.
//!
//! Once a second, in slack, the worker exchanges a full interval for an empty one: no lock, no
//! allocation, nothing shared meanwhile. If the observer has none left, the interval goes on for
//! another second. Start at [`Feed::cut_if_due`].

use crate::pace::interval::Interval;
use crate::pace::recorder::Recorder;
use crate::units::{Mono, Nanos};
use std::sync::mpsc::{Receiver, SyncSender};

/// A full interval on its way to the observer.
#[derive(Debug)]
pub struct Filled {
    /// Which worker filled it.
    pub lane: usize,
    /// What it recorded.
    pub interval: Box<Interval>,
    /// Whether it is the worker's last.
    pub is_last: bool,
}

/// A worker's end.
#[derive(Debug)]
pub struct Feed {
    lane: usize,
    measured_from: Mono,
    cut_at: Mono,
    full: SyncSender<Filled>,
    empty: Receiver<Box<Interval>>,
}

const SECOND: Nanos = Nanos::from_secs(1);

impl Feed {
    /// The end of worker `lane`. Empty intervals come from `empty`, full ones go into `full`, which
    /// has room for as many as there are.
    pub fn new(lane: usize, full: SyncSender<Filled>, empty: Receiver<Box<Interval>>) -> Feed {
        Feed { lane, measured_from: Mono(0), cut_at: Mono(0), full, empty }
    }

    /// The first interval begins at `measured_from`.
    pub fn begin(&mut self, measured_from: Mono, recorder: &mut Recorder) {
        self.measured_from = measured_from;
        self.cut_at = measured_from + SECOND;
        if let Ok(empty) = self.empty.try_recv() {
            recorder.cut(empty);
        }
    }

    /// Whether the interval is over at `now`.
    pub fn is_due(&self, now: Mono) -> bool {
        now >= self.cut_at
    }

    /// Hands the interval over if it is over and there is an empty one to go on with.
    pub fn cut_if_due(&mut self, now: Mono, recorder: &mut Recorder) {
        if !self.is_due(now) {
            return;
        }
        let second = self.second_of(now);
        self.cut_at = self.measured_from + Nanos::from_secs(second + 1);
        let Ok(mut empty) = self.empty.try_recv() else { return };
        (empty.second, empty.until) = (second, second + 1);
        if let Some(full) = recorder.cut(empty) {
            self.hand_over(full, second, false);
        }
    }

    /// The run is over at `now`: hands over what is left.
    pub fn finish(&mut self, now: Mono, recorder: &mut Recorder) {
        if let Some(full) = recorder.take_interval() {
            self.hand_over(full, self.second_of(now) + 1, true);
        }
    }

    fn hand_over(&self, mut interval: Box<Interval>, until: u64, is_last: bool) {
        interval.until = until;
        // There is room for every interval there is, and an observer that has gone needs none.
        let _ = self.full.try_send(Filled { lane: self.lane, interval, is_last });
    }

    fn second_of(&self, now: Mono) -> u64 {
        now.saturating_since(self.measured_from).0 / SECOND.0
    }
}
