//! One core of the server: driver x floor x clock, in turns of two passes.
//!
//! ```text
//! turn:  sleep as the wait mode allows ── events ──> floor         first pass, no driver call
//!        timers due, events for parked polls ──────> floor
//!        for each dirty connection: send, close, pause ──> driver  second pass
//! ```
//! Start at [`Worker::run`].

use super::floor::{Floor, Shared};
use super::station::Station;
use crate::clock::Clock;
use crate::io::clock::wall_secs;
use crate::io::net::{Listener, Waker};
use crate::io::wait::Waiting;
use crate::io::{Driver, Event, Wait};
use crate::units::Mono;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// One worker thread's state.
pub struct Worker<D, C> {
    driver: D,
    clock: C,
    station: Station,
    waiting: Waiting,
    /// When the last turn read the clock.
    turned_at: Mono,
}

impl<D: Driver, C: Clock + Clone + 'static> Worker<D, C> {
    /// A worker of index `core` that serves what `driver` accepts.
    pub fn new(
        driver: D,
        clock: C,
        core: usize,
        shared: Shared,
        waiting: Waiting,
        wakers: Arc<[Waker]>,
        stop: Arc<AtomicBool>,
    ) -> Worker<D, C> {
        let turned_at = clock.now();
        let station_clock = Box::new(clock.clone());
        let station = Station::new(station_clock, wall_secs(), core, shared, wakers, stop);
        Worker { driver, clock, station, waiting, turned_at }
    }

    /// Serves until the stop flag is raised and everything open is answered, or the drain's time is up.
    ///
    /// # Errors
    /// Whatever the driver cannot go on after.
    pub fn run(mut self, listener: Listener) -> std::io::Result<()> {
        self.driver.listen(listener)?;
        loop {
            let wait = self.choose_wait();
            let now = self.turn(wait)?;
            self.drain_if_told()?;
            if self.is_drained(now) {
                return Ok(());
            }
        }
    }

    /// Begins the drain once the stop flag is raised.
    fn drain_if_told(&mut self) -> std::io::Result<()> {
        if self.station.must_drain() { self.begin_drain() } else { Ok(()) }
    }

    /// Whether the drain is over.
    fn is_drained(&self, now: Mono) -> bool {
        self.station.is_drained(now)
    }

    /// One turn that sleeps by `wait`; the time at its end.
    fn turn(&mut self, wait: Wait) -> std::io::Result<Mono> {
        let busy = self.first_pass(wait)?;
        let now = self.clock.now();
        self.station.advance(now, &mut self.driver);
        self.turned_at = now;
        let busy = self.station.second_pass(now, &mut self.driver) || busy;
        if busy {
            self.waiting.note_work(now);
            self.station.count(&self.driver.counters());
        }
        Ok(now)
    }

    /// How long the next turn may sleep.
    fn choose_wait(&mut self) -> Wait {
        let now = self.turned_at;
        let wait = self.waiting.choose(now, || self.station.next_wake());
        if wait != Wait::Poll && !self.station.may_sleep(now) {
            return Wait::Poll;
        }
        wait
    }

    /// Takes in everything the driver has; whether that was anything.
    fn first_pass(&mut self, wait: Wait) -> std::io::Result<bool> {
        let Worker { driver, station, clock, .. } = self;
        let floor = &mut station.floor;
        let mut batch = None;
        driver.turn(wait, |event| take_in(floor, &*clock, &mut batch, event))?;
        if batch.is_none() {
            floor.set_wall_secs(wall_secs());
        }
        station.end_sleep();
        Ok(batch.is_some())
    }

    /// The listener goes first, once everybody who waits in its queue was accepted: they were told that
    /// they are connected.
    fn begin_drain(&mut self) -> std::io::Result<()> {
        let Worker { driver, station, clock, .. } = self;
        let mut batch = None;
        driver.stop_listening(|event| take_in(&mut station.floor, &*clock, &mut batch, event))?;
        // What the last of them ask for, if it is here already.
        self.first_pass(Wait::Poll)?;
        let now = self.clock.now();
        self.station.drain(now);
        self.station.second_pass(now, &mut self.driver);
        Ok(())
    }
}

/// Takes one event in. `batch` is the time of the whole batch: read once, when its first event shows
/// that the sleep is over.
#[inline]
fn take_in(floor: &mut Floor, clock: &impl Clock, batch: &mut Option<Mono>, event: Event<'_>) {
    let now = *batch.get_or_insert_with(|| {
        floor.set_wall_secs(wall_secs());
        clock.now()
    });
    match event {
        Event::Accepted(id) => floor.accept(now, id),
        Event::Received(id, bytes) => floor.receive(now, id, bytes),
        Event::ReceivedEnd(id) => floor.end(now, id),
        Event::Sent(id) => floor.sent(now, id),
        Event::Failed(id, _) => floor.fail(id),
        Event::Connected(_) | Event::Woken => {}
    }
}

#[cfg(test)]
mod sim;
#[cfg(test)]
mod tests;
