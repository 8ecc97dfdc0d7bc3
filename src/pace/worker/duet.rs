//! Two workers that take turns on one core: each has a server of its own, and together they follow one
//! schedule.
//!
//! ```text
//! turn:  send what is due to B, to A ── slack ──> A's answers
//!        send what is due to A, to B ── slack ──> B's answers
//! ```
//! Both servers' answers are looked for equally often, and both servers' requests are treated alike: one
//! that falls due while the other server's are sent waits for them, and, if its own were sent first, for
//! the turn that follows. A stall of one is a stall of both; what is done for one is no stall of the
//! other. Never sleeps: a sleep in one driver is deaf to the other. Start at [`Duet::pace`].

use super::{EstablishError, Stint, Worker};
use crate::clock::Clock;
use crate::io::Driver;
use crate::pace::pairs::{PairBook, Side};
use crate::pace::plan::PaceWait;
use crate::pace::recorder::Recorder;
use crate::pace::schedule::Lane;
use crate::pace::stalls::Activity;
use crate::results::duet::Pairs;
use crate::units::{Mono, Nanos};
use std::io;
use std::sync::atomic::AtomicBool;

/// A worker for each server, A's first.
#[derive(Debug)]
pub struct Duet<'m, D, C> {
    workers: [Worker<'m, D, C>; 2],
}

/// What came of it.
#[derive(Debug)]
pub struct DuetEnd {
    /// For how long requests were measured.
    pub measured: Nanos,
    /// What each server's worker recorded, A's first.
    pub recorders: [Recorder; 2],
    /// What they differ by.
    pub pairs: Pairs,
}

impl<'m, D: Driver, C: Clock> Duet<'m, D, C> {
    /// The workers of both servers, which have the same load, the whole of it, and spin.
    pub fn new(workers: [Worker<'m, D, C>; 2]) -> Duet<'m, D, C> {
        for worker in &workers {
            assert_eq!(worker.task.lane, Lane::WHOLE, "pairs do not fall apart into lanes");
            assert_eq!(worker.task.wait, PaceWait::Spin, "a sleep is deaf to the other server");
        }
        Duet { workers }
    }

    /// Lets `establish` make each server's connections, A's first.
    ///
    /// # Errors
    /// The first that cannot be had, and of whom.
    pub fn establish(
        &mut self,
        mut establish: impl FnMut(Side, &mut Worker<'m, D, C>) -> Result<(), EstablishError>,
    ) -> Result<(), (Side, EstablishError)> {
        for (side, worker) in Side::BOTH.into_iter().zip(&mut self.workers) {
            establish(side, worker).map_err(|error| (side, error))?;
        }
        Ok(())
    }

    /// Sends the schedule, whose offsets count from `start`, and drains; see [`Worker::pace`].
    ///
    /// # Errors
    /// A driver's that cannot go on.
    pub fn pace(mut self, start: Mono, stop: &AtomicBool) -> io::Result<DuetEnd> {
        let [a, b] = &mut self.workers;
        let mut stints = [(a, Side::A), (b, Side::B)].map(|(worker, side)| {
            worker.pool.recorder.keep_settled();
            let stint = worker.begin(start);
            Stint { agenda: stint.agenda.of_side(side), ..stint }
        });
        let (mix, task) = (self.workers[0].mix, &self.workers[0].task);
        let (seed, duration) = (task.load.seed, task.horizon.duration);
        let kinds = mix.kinds().len();
        let mut book = PairBook::new(kinds, seed, stints[0].measured_from, duration);
        while self.turn(&mut stints, stop)? {
            self.settle(&mut book);
        }
        let [of_a, of_b] = stints;
        let [a, b] = &mut self.workers;
        let measured = a.end(of_a, stop).max(b.end(of_b, stop));
        self.settle(&mut book);
        Ok(DuetEnd {
            measured,
            recorders: self.workers.map(Worker::into_recorder),
            pairs: book.finish(mix.kinds().iter().map(|kind| kind.name.as_str())),
        })
    }

    /// One turn of each driver; whether there is anything left to do for one of them.
    fn turn(&mut self, stints: &mut [Stint<'m>; 2], stop: &AtomicBool) -> io::Result<bool> {
        for side in [0, 1] {
            let [a, b] = &mut self.workers;
            // Who is asked last turns its driver at once: as often it is A as B whose due requests wait
            // for that.
            let [first, last] = if side == 1 { [a, b] } else { [b, a] };
            let is_first_over = first.send_until_slack(&mut stints[1 - side], stop).is_none();
            // The first had the latest turn, and so has the latest reading.
            last.follow(first);
            match last.send_until_slack(&mut stints[side], stop) {
                Some(slack) => {
                    last.use_slack(slack)?;
                    last.prepare(&stints[side].agenda);
                }
                None if is_first_over => return Ok(false),
                None => {}
            }
        }
        Ok(true)
    }

    fn settle(&mut self, book: &mut PairBook) {
        for (side, worker) in Side::BOTH.into_iter().zip(&mut self.workers) {
            for settled in worker.pool.recorder.take_settled() {
                book.handle_settled(side, settled);
            }
        }
        // It is work, and no stall. B had the latest turn.
        self.workers[1].mark(Activity::Syscall);
    }
}
