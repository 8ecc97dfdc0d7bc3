//! One core of the server: driver x floor x clock, in turns of two passes.
//!
//! ```text
//! turn:  sleep as the wait mode allows ── events ──> floor         first pass, no driver call
//!        timers due, events for parked polls ──────> floor
//!        for each dirty connection: send, close, pause ──> driver  second pass
//! ```
//! Start at [`Worker::run`].

use super::conn::CloseWish;
use super::floor::{Floor, Pause, Shared};
use super::metrics::Tally;
use crate::clock::Clock;
use crate::home::Seq;
use crate::io::clock::wall_secs;
use crate::io::net::{Listener, Waker};
use crate::io::wait::Waiting;
use crate::io::{ConnId, Driver, Event, Sending, Wait};
use crate::units::Mono;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// One worker thread's state.
pub struct Worker<D, C> {
    driver: D,
    clock: C,
    floor: Floor,
    shared: Shared,
    core: usize,
    waiting: Waiting,
    /// Wakers of all workers, by core; ours among them.
    wakers: Arc<[Waker]>,
    stop: Arc<AtomicBool>,
    /// The newest event whose sleepers have been woken.
    announced: Seq,
    /// When the last turn read the clock.
    turned_at: Mono,
    /// Set once the server shuts down: when to stop waiting for what is still open.
    drain_until: Option<Mono>,
}

impl<D: Driver, C: Clock> Worker<D, C> {
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
        let floor = Floor::new(turned_at, wall_secs(), core, shared.clone());
        let announced = shared.home.newest();
        Worker {
            driver,
            clock,
            floor,
            shared,
            core,
            waiting,
            wakers,
            stop,
            announced,
            turned_at,
            drain_until: None,
        }
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
            if self.is_drained(now)? {
                return Ok(());
            }
        }
    }

    /// Begins the drain once the stop flag is raised; whether it is over.
    fn is_drained(&mut self, now: Mono) -> std::io::Result<bool> {
        if self.drain_until.is_none() && self.stop.load(Ordering::Relaxed) {
            self.begin_drain(now)?;
        }
        Ok(self.drain_until.is_some_and(|until| self.floor.open() == 0 || now >= until))
    }

    /// One turn that sleeps by `wait`; the time at its end.
    fn turn(&mut self, wait: Wait) -> std::io::Result<Mono> {
        let busy = self.first_pass(wait)?;
        let now = self.clock.now();
        self.floor.advance(now);
        self.floor.offer_events(now);
        self.wake_others();
        self.turned_at = now;
        let busy = self.second_pass(now) || busy;
        if busy {
            self.waiting.note_work(now);
            self.count();
        }
        Ok(now)
    }

    /// How long this turn may sleep. A core that will sleep with parked polls says so first, and
    /// then looks once more, so that no event falls between.
    fn choose_wait(&mut self) -> Wait {
        let now = self.turned_at;
        let mut wait = self.waiting.choose(now, || self.floor.next_wake());
        if let Some(until) = self.drain_until {
            wait = wait.no_later_than(until);
        }
        if wait != Wait::Poll && self.floor.parked() > 0 {
            self.shared.home.announce_sleep(self.core);
            if self.floor.offer_events(now) {
                return Wait::Poll;
            }
        }
        wait
    }

    /// Takes in everything the driver has; whether that was anything.
    fn first_pass(&mut self, wait: Wait) -> std::io::Result<bool> {
        let Worker { driver, floor, clock, .. } = self;
        // Read once per batch, when its first event shows that the sleep is over.
        let mut batch: Option<Mono> = None;
        driver.turn(wait, |event| {
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
        })?;
        if batch.is_none() {
            self.floor.set_wall_secs(wall_secs());
        }
        self.shared.home.retract_sleep(self.core);
        Ok(batch.is_some())
    }

    /// Wakes the cores that sleep with parked polls, if anything was published since.
    fn wake_others(&mut self) {
        let newest = self.shared.home.newest();
        if newest != self.announced {
            self.announced = newest;
            for core in self.shared.home.cores_to_wake() {
                self.wakers[core].wake();
            }
        }
    }

    /// Submits for every connection that changed; whether there was any.
    fn second_pass(&mut self, now: Mono) -> bool {
        let mut any = false;
        while let Some(id) = self.floor.next_dirty() {
            any = true;
            self.submit(now, id);
        }
        // A full output that went out may have let a command through that takes no time.
        self.wake_others();
        any
    }

    fn submit(&mut self, now: Mono, id: ConnId) {
        while let Some(bytes) = self.floor.take_output(now, id) {
            let sending = self.driver.send(id, bytes);
            // One buffer went out, one comes in: the spares of floor and driver stay in balance.
            self.floor.give_buffer(self.driver.buffer());
            match sending {
                Sending::Done => self.floor.sent(now, id),
                Sending::Pending => break,
                Sending::Failed(_) => self.floor.fail(id),
            }
        }
        match self.floor.close_wish(id) {
            CloseWish::KeepOpen => {}
            CloseWish::ShutdownWrite => self.driver.shutdown_write(id),
            CloseWish::Close => {
                self.floor.remove(id);
                return self.driver.close(id);
            }
        }
        match self.floor.pause_change(id) {
            Some(Pause::Begin) => self.driver.pause_receiving(id),
            Some(Pause::End) => self.driver.resume_receiving(id),
            None => {}
        }
        self.floor.arm(id);
    }

    /// The listener goes first, after what waits in its queue was taken: those peers were told that
    /// they are connected.
    fn begin_drain(&mut self, now: Mono) -> std::io::Result<()> {
        // A driver may accept a bounded number per turn.
        for _ in 0..ACCEPT_TURNS_MAX {
            let accepted = self.driver.counters().accepted;
            self.first_pass(Wait::Poll)?;
            if self.driver.counters().accepted == accepted {
                break;
            }
        }
        self.driver.stop_listening();
        self.floor.drain(now);
        self.second_pass(now);
        self.drain_until = Some(now + self.shared.settings.drain_timeout);
        Ok(())
    }

    /// Publishes what this core counts.
    fn count(&mut self) {
        let tally: &Tally = self.shared.metrics.tally(self.core);
        let counters = self.driver.counters();
        tally.connections.set(self.floor.open() as u64);
        tally.parked.set(self.floor.parked() as u64);
        tally.timers.set(self.floor.timers() as u64);
        tally.turns.set(counters.turns);
        tally.syscalls.set(counters.syscalls);
        tally.accepted.set(counters.accepted);
        tally.received_bytes.set(counters.received_bytes);
        tally.sent_bytes.set(counters.sent_bytes);
        tally.out_of_buffers.set(counters.out_of_buffers);
        tally.accept_pauses.set(counters.accept_pauses);
        tally.overflows.set(counters.overflows);
    }
}

/// Chosen: at 64 a turn, more than any backlog holds (somaxconn is 4096); a storm of peers must not put
/// the end off.
const ACCEPT_TURNS_MAX: u32 = 128;

#[cfg(test)]
mod sim;
#[cfg(test)]
mod tests;
