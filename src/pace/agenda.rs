//! What is next: the schedule, what each request is, and what has become of those that are overdue.
//!
//! Brings [`Schedule`], [`Mix`] and [`Pacing`] together for one worker. Pure: `now` comes in. Not
//! here: connections, sending. Order of use: [`Agenda::poll`] until its request is sent or skipped,
//! then [`Agenda::advance`], whose arithmetic belongs after the send.

use super::catch_up::{CatchUp, Fate, Pacing};
use super::mix::Mix;
use super::outstanding::Due;
use super::schedule::{Horizon, Lane, Load, Schedule};
use crate::units::Mono;

/// The requests of one lane, in order.
#[derive(Clone, Debug)]
pub struct Agenda<'m> {
    mix: &'m Mix,
    seed: u64,
    start: Mono,
    horizon: Horizon,
    schedule: Schedule,
    pacing: Pacing,
    upcoming: Option<Due>,
}

impl<'m> Agenda<'m> {
    /// The share of `load` that is `lane`'s, its offsets counted from `start`.
    pub fn new(
        mix: &'m Mix,
        load: &Load,
        lane: Lane,
        horizon: Horizon,
        catch_up: CatchUp,
        start: Mono,
    ) -> Agenda<'m> {
        let mut agenda = Agenda {
            mix,
            seed: load.seed,
            start,
            horizon,
            schedule: Schedule::new(load, lane, horizon),
            pacing: Pacing::new(catch_up),
            upcoming: None,
        };
        agenda.look_ahead();
        agenda
    }

    /// The next request, if there is one before the end.
    pub fn peek(&self) -> Option<Due> {
        self.upcoming
    }

    /// The next request, and what is to become of it at `now`.
    pub fn poll(&mut self, now: Mono) -> Option<(Due, Fate)> {
        let due = self.upcoming?;
        Some((due, self.pacing.decide(now, due.intended_at)))
    }

    /// The next request is under way, or skipped.
    pub fn advance(&mut self) {
        self.schedule.next();
        self.look_ahead();
    }

    /// Ends the agenda early: what is due from `now` on is no longer on it.
    pub fn stop_at(&mut self, now: Mono) {
        self.schedule.stop_at(now.saturating_since(self.start));
        self.look_ahead();
    }

    fn look_ahead(&mut self) {
        self.upcoming = self.schedule.peek().map(|arrival| Due {
            k: arrival.k,
            kind: match arrival.kind {
                Some(kind) => kind as usize,
                None => self.mix.pick(self.seed, arrival.k),
            },
            offset: arrival.offset,
            intended_at: self.start + arrival.offset,
            is_measured: arrival.offset >= self.horizon.warmup,
        });
    }
}
