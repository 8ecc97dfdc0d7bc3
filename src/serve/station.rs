//! What every worker does, whatever moves its bytes: a floor, and its place among the other cores.
//!
//! The second pass (what a changed connection says goes to its socket), waking the cores that sleep
//! with parked polls, announcing one's own sleep, the drain, and the counts. [`Outlet`] is what it
//! needs of whoever owns the sockets: a driver, or the tasks of an async runtime.
//!
//! Not here: when to sleep and how events come in; see `worker` and `monoio`. Start at
//! [`Station::second_pass`].

use super::conn::CloseWish;
use super::floor::{Floor, Pause, Shared};
use crate::clock::Clock;
use crate::home::Seq;
use crate::io::net::Waker;
use crate::io::{ConnId, Counters, Outlet, Sending};
use crate::units::Mono;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// One core's share of the server.
pub struct Station {
    /// Its connections.
    pub floor: Floor,
    shared: Shared,
    core: usize,
    /// Wakers of all workers, by core; ours among them.
    wakers: Arc<[Waker]>,
    stop: Arc<AtomicBool>,
    /// The newest event whose sleepers have been woken.
    announced: Seq,
    /// Set once the server shuts down: when to stop waiting for what is still open.
    drain_until: Option<Mono>,
}

impl Station {
    /// The station of the worker of index `core`, without connections.
    pub fn new(
        clock: Box<dyn Clock>,
        wall_secs: u64,
        core: usize,
        shared: Shared,
        wakers: Arc<[Waker]>,
        stop: Arc<AtomicBool>,
    ) -> Station {
        Station {
            floor: Floor::new(clock, wall_secs, core, shared.clone()),
            announced: shared.home.newest(),
            shared,
            core,
            wakers,
            stop,
            drain_until: None,
        }
    }

    /// Does what time and other cores have brought: timers, and events for parked polls.
    pub fn advance(&mut self, now: Mono, outlet: &mut impl Outlet) {
        self.floor.advance(now);
        self.floor.offer_events(now);
        self.wake_others(outlet);
    }

    /// Submits for every connection that changed; whether there was any.
    pub fn second_pass(&mut self, now: Mono, outlet: &mut impl Outlet) -> bool {
        let mut any = false;
        while let Some(id) = self.floor.next_dirty() {
            any = true;
            self.submit(now, id, outlet);
        }
        // A full output that went out may have let a command through that takes no time.
        self.wake_others(outlet);
        any
    }

    fn submit(&mut self, now: Mono, id: ConnId, outlet: &mut impl Outlet) {
        while let Some(bytes) = self.floor.take_output(now, id) {
            let sending = outlet.send(id, bytes);
            // One buffer went out, one comes in: the spares of floor and outlet stay in balance.
            self.floor.give_buffer(outlet.buffer());
            match sending {
                Sending::Done => self.floor.sent(now, id),
                Sending::Pending => break,
                Sending::Failed(_) => self.floor.fail(id),
            }
        }
        self.floor.log(id, || outlet.peer(id));
        match self.floor.close_wish(id) {
            CloseWish::KeepOpen => {}
            CloseWish::ShutdownWrite => outlet.shutdown_write(id),
            CloseWish::Close => {
                self.floor.remove(id);
                return outlet.close(id);
            }
        }
        match self.floor.pause_change(id) {
            Some(Pause::Begin) => outlet.pause_receiving(id),
            Some(Pause::End) => outlet.resume_receiving(id),
            None => {}
        }
        self.floor.finish(id);
    }

    /// Wakes the cores that sleep with parked polls, if anything was published since.
    fn wake_others(&mut self, outlet: &mut impl Outlet) {
        let newest = self.shared.home.newest();
        if newest != self.announced {
            self.announced = newest;
            for core in self.shared.home.cores_to_wake() {
                outlet.wake(&self.wakers[core]);
            }
        }
    }

    /// Whether this core may go to sleep. One with parked polls says so first, and then looks once
    /// more, so that no event falls between.
    pub fn may_sleep(&mut self, now: Mono) -> bool {
        if self.floor.parked() == 0 {
            return true;
        }
        self.shared.home.announce_sleep(self.core);
        !self.floor.offer_events(now)
    }

    /// The sleep is over: nobody need wake this core.
    pub fn end_sleep(&mut self) {
        self.shared.home.retract_sleep(self.core);
    }

    /// When there is something to do, if nothing happens before.
    pub fn next_wake(&self) -> Option<Mono> {
        let timer = self.floor.next_wake();
        self.drain_until.map_or(timer, |until| Some(timer.map_or(until, |timer| timer.min(until))))
    }

    /// Whether the server was told to stop and the drain has not begun yet.
    pub fn must_drain(&self) -> bool {
        self.drain_until.is_none() && self.stop.load(Ordering::Relaxed)
    }

    /// Begins the drain, once nothing more is accepted.
    pub fn drain(&mut self, now: Mono) {
        self.floor.drain(now);
        self.drain_until = Some(now + self.shared.settings.drain_timeout);
    }

    /// Whether everything open is answered, or the drain's time is up.
    pub fn is_drained(&self, now: Mono) -> bool {
        self.drain_until.is_some_and(|until| self.floor.open() == 0 || now >= until)
    }

    /// Publishes what this core counts, and what whoever moves its bytes has counted.
    pub fn count(&self, counters: &Counters) {
        let tally = self.shared.metrics.tally(self.core);
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
