//! Gaps in the pacer's own loop: preemption, steal by the hypervisor, interrupts, SIGSTOP.
//!
//! The loop hands over every reading it takes of the clock and says what lay between it and the
//! one before. A gap that is longer than that can explain is a stall: for so long the pacer could
//! neither send nor see an answer. A gap just below the threshold goes unnoticed here, but still
//! shows in the lateness. Memory is constant. Not here: what a stall means for the run (see
//! `verdict`). Start at [`StallMeter::mark`].

use crate::results;
use crate::units::{Mono, Nanos};

/// What the loop did between two readings of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// Arithmetic only.
    Spinning,
    /// A system call, or the handling of one event that it brought.
    Syscall,
}

/// From what length a gap without a system call is a stall. Chosen: hundreds of times what a turn
/// of the loop takes, and above a timer interrupt (2-5 us), which no tuning removes on a stock
/// kernel.
pub const SPIN_GAP_MAX: Nanos = Nanos::from_micros(20);

/// The same around a system call. Chosen: on loopback a send runs the receiver's side of TCP too
/// (5-15 us) and a connect the whole handshake (20-60 us); those are work, not stalls.
pub const SYSCALL_GAP_MAX: Nanos = Nanos::from_micros(100);

const _: () = assert!(SPIN_GAP_MAX.0 < SYSCALL_GAP_MAX.0);

/// How many of the longest stalls are kept one by one. Chosen: as many marks as a chart of the run
/// can show apart; looking through them costs far less than any stall.
pub const KEPT_MAX: usize = 64;

/// One gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    /// The last reading before it.
    pub begin: Mono,
    /// How long it took.
    pub length: Nanos,
}

/// Finds the stalls of one loop.
#[derive(Clone, Debug)]
pub struct StallMeter {
    counted_from: Mono,
    last_reading: Mono,
    /// When the latest stall ended.
    stalled_until: Mono,
    /// The same, or when the loop had made up for it.
    last_end: Mono,
    /// Since the latest stall there has always been something overdue.
    is_catching_up: bool,
    count: u64,
    total: Nanos,
    longest: Nanos,
    /// How long other threads' loops ran; only after a merge.
    observed_elsewhere: Nanos,
    /// At most [`KEPT_MAX`], in no order.
    kept: Vec<Stall>,
}

impl StallMeter {
    /// A meter whose first reading is `now`. Stalls that end before `counted_from`, the end of the
    /// warm-up, are in no count; requests may overlap them all the same.
    pub fn new(now: Mono, counted_from: Mono) -> StallMeter {
        StallMeter {
            counted_from,
            last_reading: now,
            stalled_until: Mono(0),
            last_end: Mono(0),
            is_catching_up: false,
            count: 0,
            total: Nanos::ZERO,
            longest: Nanos::ZERO,
            observed_elsewhere: Nanos::ZERO,
            kept: Vec::with_capacity(KEPT_MAX),
        }
    }

    /// Takes the reading `now`; `activity` is what happened since the reading before.
    pub fn mark(&mut self, now: Mono, activity: Activity) {
        let gap = now.saturating_since(self.last_reading);
        let gap_max = match activity {
            Activity::Spinning => SPIN_GAP_MAX,
            Activity::Syscall => SYSCALL_GAP_MAX,
        };
        if gap > gap_max {
            self.record(Stall { begin: self.last_reading, length: gap });
        }
        self.last_reading = now;
    }

    /// The loop goes to sleep until then: only what the next reading is late by is a gap.
    pub fn sleep_until(&mut self, wake_at: Mono) {
        self.last_reading = self.last_reading.max(wake_at);
    }

    /// Takes over what `other` has found, the meter of a loop that runs on this thread by turns with
    /// this one: what the other loop did meanwhile is no stall of this one, and what stopped it stopped
    /// both. As each follows the other, they have the same stalls, and each makes up for them by itself.
    pub fn follow(&mut self, other: &StallMeter) {
        debug_assert_eq!(self.counted_from, other.counted_from, "loops of one run");
        if other.stalled_until > self.stalled_until {
            self.stalled_until = other.stalled_until;
            self.last_end = self.last_end.max(other.stalled_until);
            self.is_catching_up = true;
            self.count = other.count;
            self.total = other.total;
            self.longest = other.longest;
            self.kept.clone_from(&other.kept);
        }
        self.last_reading = self.last_reading.max(other.last_reading);
    }

    fn record(&mut self, stall: Stall) {
        self.stalled_until = stall.begin + stall.length;
        self.last_end = self.stalled_until;
        self.is_catching_up = true;
        if self.stalled_until <= self.counted_from {
            return;
        }
        let begin = stall.begin.max(self.counted_from);
        let stall = Stall { begin, length: self.stalled_until - begin };
        self.count += 1;
        self.total += stall.length;
        self.longest = self.longest.max(stall.length);
        self.keep(stall);
    }

    /// Keeps it if it is among the longest.
    fn keep(&mut self, stall: Stall) {
        if self.kept.len() < KEPT_MAX {
            self.kept.push(stall);
        } else if let Some(shortest) = self.kept.iter_mut().min_by_key(|kept| kept.length)
            && shortest.length < stall.length
        {
            *shortest = stall;
        }
    }

    /// Nothing is overdue at `now`: what falls due from here on suffers from no stall before. What
    /// fell due while the loop made up for one does, as it had to wait in line.
    pub fn caught_up(&mut self, now: Mono) {
        if std::mem::take(&mut self.is_catching_up) {
            self.last_end = self.last_end.max(now);
        }
    }

    /// Whether a request that was due at `intended_at` and has ended by the last reading overlaps
    /// a stall, or the time that the loop took to make up for one.
    pub fn overlaps(&self, intended_at: Mono) -> bool {
        self.is_catching_up || self.last_end > intended_at
    }

    /// The longest stalls, in order of time; at most [`KEPT_MAX`].
    pub fn longest(&self) -> Vec<Stall> {
        let mut kept = self.kept.clone();
        kept.sort_by_key(|stall| stall.begin);
        kept
    }

    /// Adds what another thread's loop found.
    pub fn merge(&mut self, other: &StallMeter) {
        self.count += other.count;
        self.total += other.total;
        self.longest = self.longest.max(other.longest);
        self.observed_elsewhere += other.observed();
        other.kept.iter().for_each(|stall| self.keep(*stall));
    }

    /// For how long the loops of all threads ran, from the end of the warm-up.
    fn observed(&self) -> Nanos {
        self.observed_elsewhere + self.last_reading.saturating_since(self.counted_from)
    }

    /// The longest stalls for the results, at their offset from the end of the warm-up.
    pub fn spans(&self) -> Vec<results::StallSpan> {
        let span = |stall: Stall| results::StallSpan {
            at_s: stall.begin.saturating_since(self.counted_from).as_secs_f64(),
            length_ns: stall.length.0,
        };
        self.longest().into_iter().map(span).collect()
    }

    /// The figures for the results, where the recorder adds the overlapping requests.
    pub fn totals(&self, requests_overlapping: u64) -> results::Stalls {
        results::Stalls {
            count: self.count,
            total_ns: self.total.0,
            max_ns: self.longest.0,
            observed_ns: self.observed().0,
            threshold_ns: SPIN_GAP_MAX.0,
            requests_overlapping,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter() -> StallMeter {
        StallMeter::new(Mono(1_000_000), Mono(1_000_000))
    }

    #[test]
    fn a_gap_counts_only_if_its_activity_does_not_explain_it() {
        let mut meter = meter();
        meter.mark(Mono(1_020_000), Activity::Spinning);
        meter.mark(Mono(1_120_000), Activity::Syscall);
        assert_eq!(meter.totals(0).count, 0);
        meter.mark(Mono(1_140_001), Activity::Spinning);
        meter.mark(Mono(1_240_002), Activity::Syscall);
        let totals = meter.totals(0);
        assert_eq!((totals.count, totals.total_ns, totals.max_ns), (2, 120_002, 100_001));
    }

    #[test]
    fn a_request_overlaps_a_stall_unless_it_was_due_after_its_end() {
        let mut meter = meter();
        meter.mark(Mono(2_000_000), Activity::Spinning);
        meter.caught_up(Mono(2_000_000));
        assert!(meter.overlaps(Mono(900_000)));
        assert!(meter.overlaps(Mono(1_999_999)));
        assert!(!meter.overlaps(Mono(2_000_000)));
    }

    #[test]
    fn what_falls_due_while_the_loop_makes_up_for_a_stall_overlaps_it() {
        let mut meter = meter();
        meter.mark(Mono(2_000_000), Activity::Spinning);
        assert!(meter.overlaps(Mono(2_050_000)));
        meter.caught_up(Mono(2_100_000));
        assert!(meter.overlaps(Mono(2_050_000)));
        assert!(!meter.overlaps(Mono(2_100_000)));
        // Being on time without a stall before says nothing.
        meter.caught_up(Mono(2_200_000));
        assert!(!meter.overlaps(Mono(2_150_000)));
        assert_eq!(meter.totals(0).total_ns, 1_000_000);
    }

    #[test]
    fn of_loops_that_take_turns_each_has_the_stalls_of_both_and_none_by_the_others_work() {
        let [mut one, mut other] = [meter(), meter()];
        for k in 1..=5 {
            one.mark(Mono(1_000_000 + k * 90_000), Activity::Syscall);
        }
        other.follow(&one);
        other.mark(Mono(1_450_100), Activity::Spinning);
        assert_eq!((one.totals(0).count, other.totals(0).count), (0, 0));
        // Two stalls before the next turn, the last of them made up for by one loop only.
        other.mark(Mono(1_480_200), Activity::Spinning);
        other.mark(Mono(1_520_200), Activity::Spinning);
        other.caught_up(Mono(1_525_000));
        one.follow(&other);
        one.mark(Mono(1_530_000), Activity::Spinning);
        assert_eq!(
            (one.totals(0), one.longest()),
            (results::Stalls { observed_ns: 530_000, ..other.totals(0) }, other.longest(),)
        );
        assert_eq!((one.totals(0).count, one.totals(0).total_ns), (2, 70_100));
        assert!(one.overlaps(Mono(1_529_000)) && !other.overlaps(Mono(1_529_000)));
        // Nothing new: what was made up for stays so.
        one.caught_up(Mono(1_531_000));
        other.follow(&one);
        one.follow(&other);
        assert!(!one.overlaps(Mono(1_531_000)) && !other.overlaps(Mono(1_525_000)));
        assert_eq!(other.totals(0).count, 2);
    }

    #[test]
    fn stalls_never_take_longer_than_the_loop_ran() {
        // Stopped from before the end of the warm-up to long after the end of the run.
        let mut meter = StallMeter::new(Mono(0), Mono(1_000_000));
        meter.mark(Mono(9_000_000), Activity::Spinning);
        let totals = meter.totals(0);
        assert_eq!((totals.total_ns, totals.observed_ns), (8_000_000, 8_000_000));
        let other = meter.clone();
        meter.merge(&other);
        let totals = meter.totals(0);
        assert_eq!((totals.total_ns, totals.observed_ns), (16_000_000, 16_000_000));
    }

    #[test]
    fn a_sleep_is_no_stall_but_waking_late_is() {
        let mut meter = meter();
        meter.sleep_until(Mono(5_000_000));
        meter.mark(Mono(3_000_000), Activity::Syscall); // an event ended the sleep
        meter.sleep_until(Mono(5_000_000));
        meter.mark(Mono(5_050_000), Activity::Syscall);
        assert_eq!(meter.totals(0).count, 0);
        meter.sleep_until(Mono(6_000_000));
        meter.mark(Mono(9_000_000), Activity::Syscall);
        assert_eq!(meter.totals(0).total_ns, 3_000_000);
    }

    #[test]
    fn the_warm_up_is_in_no_count_and_memory_is_bounded() {
        let mut meter = StallMeter::new(Mono(0), Mono(1_000_000));
        meter.mark(Mono(1_000_000), Activity::Syscall);
        assert_eq!(meter.totals(0).count, 0);
        assert!(meter.overlaps(Mono(500_000)));
        for k in 2..3_000 {
            meter.mark(Mono(k * 1_000_000), Activity::Syscall);
        }
        assert_eq!(meter.totals(0).count, 2_998);
        assert_eq!(meter.longest().len(), KEPT_MAX);
        let other = meter.clone();
        meter.merge(&other);
        assert_eq!((meter.totals(0).count, meter.longest().len()), (5_996, KEPT_MAX));
    }

    #[test]
    fn the_longest_stalls_are_kept_with_their_times() {
        let mut meter = StallMeter::new(Mono(0), Mono(1_000_000));
        let mut now = 1_000_000;
        for k in 1..=500u64 {
            now += 1_000_000 + k * 1_000;
            meter.mark(Mono(now), Activity::Syscall);
        }
        let spans = meter.spans();
        assert_eq!(spans.len(), KEPT_MAX);
        assert_eq!(spans[0].length_ns, 1_437_000);
        assert_eq!(spans[KEPT_MAX - 1].length_ns, 1_500_000);
        let last_begin_ns = now - 1_000_000 - 1_500_000;
        assert!((spans[KEPT_MAX - 1].at_s * 1e9 - last_begin_ns as f64).abs() < 1.0);
    }
}
