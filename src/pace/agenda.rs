//! What is next: the schedule, what each request is, and what has become of those that are overdue.
//!
//! Brings [`Schedule`], [`Mix`] and [`Pacing`] together for one worker. Pure: `now` comes in. Not
//! here: connections, sending. Order of use: [`Agenda::poll`] until its request is sent or skipped,
//! then [`Agenda::advance`], whose arithmetic belongs after the send.

use super::catch_up::{CatchUp, Fate, Pacing};
use super::mix::Mix;
use super::outstanding::Due;
use super::pairs::{Side, side_of};
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
    /// Of a duet, the server whose requests these are.
    side: Option<Side>,
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
            side: None,
        };
        agenda.look_ahead();
        agenda
    }

    /// Of a duet, the requests for one server. They are numbered, and drawn, by their pairs: those of
    /// the other are the same. Only for a lane that is the whole sequence.
    pub fn of_side(mut self, side: Side) -> Agenda<'m> {
        self.side = Some(side);
        self.look_ahead();
        self
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
        if let Some(side) = self.side {
            self.skip_to(side);
        }
        self.upcoming = self.schedule.peek().map(|arrival| {
            let k = if self.side.is_some() { arrival.k / 2 } else { arrival.k };
            Due {
                k,
                kind: match arrival.kind {
                    Some(kind) => kind as usize,
                    None => self.mix.pick(self.seed, k),
                },
                offset: arrival.offset,
                intended_at: self.start + arrival.offset,
                is_measured: arrival.offset >= self.horizon.warmup,
            }
        });
    }

    fn skip_to(&mut self, side: Side) {
        while let Some(arrival) = self.schedule.peek()
            && side_of(self.seed, arrival.k) != side
        {
            self.schedule.next();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::arrivals::Arrivals;
    use crate::units::Nanos;

    const MIX: &str = "[[request]]\nname='a'\nweight=1\npath='/{counter}'\n\
                       [[request]]\nname='b'\nweight=1\npath='/b'\n";

    #[test]
    fn the_two_sides_of_a_duet_have_the_same_requests_at_all_the_arrivals_there_are() {
        let mix = Mix::parse("m", MIX).unwrap();
        let horizon = Horizon { warmup: Nanos::ZERO, duration: Nanos::from_secs(1) };
        for seed in 0..20 {
            let load = Load { rate: "999".parse().unwrap(), arrivals: Arrivals::Poisson, seed };
            let agenda = || Agenda::new(&mix, &load, Lane::WHOLE, horizon, CatchUp::All, Mono(0));
            let drain = |mut agenda: Agenda<'_>| {
                let mut all = Vec::new();
                while let Some(due) = agenda.peek() {
                    all.push(due);
                    agenda.advance();
                }
                all
            };
            let whole = drain(agenda());
            let [a, b] = Side::BOTH.map(|side| drain(agenda().of_side(side)));
            let mut offsets: Vec<Nanos> = a.iter().chain(&b).map(|due| due.offset).collect();
            offsets.sort();
            assert!(whole.iter().map(|due| due.offset).eq(offsets), "seed {seed}");
            for (a, b) in a.iter().zip(&b) {
                assert_eq!((a.k, a.kind), (b.k, b.kind), "seed {seed}");
                let [first, second] = [0, 1].map(|half| whole[2 * a.k as usize + half].offset);
                let in_order = (a.offset, b.offset) == (first, second);
                assert!(in_order || (b.offset, a.offset) == (first, second), "seed {seed}");
            }
            assert!(a.len().abs_diff(b.len()) <= 1 && !a.is_empty(), "seed {seed}");
        }
    }
}
