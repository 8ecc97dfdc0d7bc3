//! All connections of one core, their timers and parked polls: everything of a worker but its driver.
//!
//! The worker hands driver events in (first pass), then walks `dirty` (second pass). Sans-IO like the
//! connections themselves, so the tests run it under a simulated driver.
//!
//! Timers are lazy: a deadline that moves later leaves the armed timer alone, and when that fires too
//! early it is armed again. So a keep-alive connection costs no timer work per request.

use super::conn::{CloseWish, Conn, Surroundings};
use super::metrics::{Metrics, Tally};
use super::settings::Settings;
use super::status::StatusAnswer;
use crate::clock::Clock;
use crate::home::{FirstAfter, Home, Seq};
use crate::http::HttpDate;
use crate::slab::Key;
use crate::spare::SpareBuffers;
use crate::timer::wheel::{TimerKey, Wheel};
use crate::units::Mono;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What all cores share.
#[derive(Clone)]
pub struct Shared {
    /// Devices and events.
    pub home: Arc<Home>,
    /// Limits and latencies.
    pub settings: Arc<Settings>,
    /// Counts of all cores.
    pub metrics: Metrics,
    /// Connections of all cores that were let in.
    pub admitted: Arc<AtomicUsize>,
}

/// The connections of one core.
pub struct Floor {
    /// See [`Surroundings::clock`].
    clock: Box<dyn Clock>,
    shared: Shared,
    /// Index of this core among the workers.
    core: usize,
    /// By slot of the driver's connection id.
    entries: Vec<Option<Entry>>,
    open: usize,
    /// Those of `open` that were let in; the others are being told that there are too many.
    admitted: usize,
    wheel: Wheel<Key>,
    /// Connections whose timers have just fired; empty between calls, kept for its capacity.
    fired: Vec<Key>,
    parked: Vec<Key>,
    /// `parked` while events are offered; empty between calls.
    offering: Vec<Key>,
    /// Every event up to here has been offered to the parked polls.
    offered: Seq,
    /// Connections to look at in the second pass.
    dirty: Vec<Key>,
    /// Empty buffers with capacity, for connections that have something to say.
    spare: SpareBuffers,
    status: StatusAnswer,
    date: HttpDate,
    date_secs: u64,
    /// What the metrics call this core.
    label: Arc<str>,
    draining: bool,
}

/// A connection and the notes on it.
struct Entry {
    conn: Conn,
    /// It counts against the limits on connections.
    admitted: bool,
    /// Who the peer is, once that was asked.
    peer: Option<Option<SocketAddr>>,
    /// Receiving is paused at the driver.
    paused: bool,
    generation: u32,
    timer: Option<(TimerKey, Mono)>,
    /// Its place in `parked`.
    parked_at: Option<usize>,
    /// It stands in `dirty`, or the second pass is at it.
    dirty: bool,
}

/// Chosen: as many as one turn's events. What connections say passes through these buffers, so fewer
/// would be made and freed in every turn.
const SPARE_BUFFERS_MAX: usize = 1024;
/// Chosen: some sixty pipelined answers; a buffer that grew beyond is not kept, so that all spares
/// together stay below 16 MiB whatever peers once asked for.
const SPARE_BUF_BYTES_MAX: usize = 16 * 1024;
/// Chosen: peers beyond the limits that are told so at one time. Each takes a descriptor until it has
/// read the 503 and closed; further ones are closed without a word.
const REFUSALS_MAX: usize = 256;

impl Floor {
    /// No connections yet, on the core of index `core`.
    pub fn new(clock: Box<dyn Clock>, wall_secs: u64, core: usize, shared: Shared) -> Floor {
        let date = HttpDate::from_unix_secs(wall_secs);
        Floor {
            label: shared.metrics.label(core).into(),
            status: StatusAnswer::new(shared.home.snapshot(), date),
            shared,
            core,
            entries: Vec::new(),
            open: 0,
            admitted: 0,
            wheel: Wheel::new(clock.now()),
            clock,
            fired: Vec::new(),
            parked: Vec::new(),
            offering: Vec::new(),
            offered: Seq(0),
            dirty: Vec::new(),
            spare: SpareBuffers::new(SPARE_BUFFERS_MAX, SPARE_BUF_BYTES_MAX),
            date,
            date_secs: wall_secs,
            draining: false,
        }
    }

    /// Brings the Date line up to date.
    pub fn set_wall_secs(&mut self, wall_secs: u64) {
        if wall_secs != self.date_secs {
            self.date_secs = wall_secs;
            self.date = HttpDate::from_unix_secs(wall_secs);
        }
    }

    /// Takes in a connection that the driver accepted. One that is beyond a limit is told so and closed;
    /// with too many of those under way, it is closed only.
    pub fn accept(&mut self, now: Mono, id: Key) {
        let admitted = self.admit();
        let slot = id.slot as usize;
        if slot >= self.entries.len() {
            self.entries.resize_with(slot + 1, || None);
        }
        self.entries[slot] = Some(Entry {
            conn: Conn::new(now, &self.shared.settings),
            admitted,
            peer: None,
            paused: false,
            generation: id.generation,
            timer: None,
            parked_at: None,
            dirty: false,
        });
        self.open += 1;
        let refusals = self.open - self.admitted;
        self.with(id, |conn, around| match admitted {
            true if around.draining => conn.handle_drain(now, around),
            true => {}
            false if refusals <= REFUSALS_MAX => conn.handle_refusal(now, around),
            false => conn.handle_failure(),
        });
    }

    /// Whether there is room for one more connection, on this core and in all; if so, it is taken.
    fn admit(&mut self) -> bool {
        let quotas = &self.shared.settings.quotas;
        let total = &self.shared.admitted;
        if self.admitted < quotas.core_connections_max {
            if total.fetch_add(1, Ordering::Relaxed) < quotas.connections_max {
                self.admitted += 1;
                return true;
            }
            total.fetch_sub(1, Ordering::Relaxed);
        }
        self.tally().refused.add(1);
        false
    }

    /// What this core counts.
    fn tally(&self) -> &Tally {
        self.shared.metrics.tally(self.core)
    }

    /// Bytes of the peer.
    pub fn receive(&mut self, now: Mono, id: Key, bytes: &[u8]) {
        self.with(id, |conn, around| conn.handle_bytes(now, bytes, around));
    }

    /// The peer's FIN.
    pub fn end(&mut self, now: Mono, id: Key) {
        self.with(id, |conn, around| conn.handle_end(now, around.settings));
    }

    /// The kernel took all that was sent.
    pub fn sent(&mut self, now: Mono, id: Key) {
        let Some(entry) = find(&mut self.entries, id) else { return };
        let rests =
            !self.draining && !entry.paused && entry.conn.come_to_rest(now, &self.shared.settings);
        match entry.timer {
            // A second pass would find nothing to do.
            Some((_, armed)) if rests && armed <= entry.conn.timeout() => {}
            _ => self.with(id, |conn, around| conn.handle_sent(now, around)),
        }
    }

    /// The connection is broken: nothing more is said on it.
    pub fn fail(&mut self, id: Key) {
        self.with(id, |conn, _| conn.handle_failure());
    }

    /// Fires the timers that are due at `now`.
    pub fn advance(&mut self, now: Mono) {
        let mut fired = std::mem::take(&mut self.fired);
        self.wheel.advance(now, |id| fired.push(id));
        for id in fired.drain(..) {
            if let Some(entry) = self.entry_mut(id) {
                entry.timer = None;
                self.with(id, |conn, around| conn.handle_timeout(now, around));
            }
        }
        self.fired = fired;
    }

    /// Offers events that were published since the last time to the parked polls; whether there
    /// were any.
    pub fn offer_events(&mut self, now: Mono) -> bool {
        let mut any = false;
        while !self.parked.is_empty() && self.news() {
            any = true;
            let mut waiting = std::mem::take(&mut self.offering);
            waiting.extend_from_slice(&self.parked);
            for id in waiting.drain(..) {
                self.with(id, |conn, around| conn.handle_event(now, around));
            }
            self.offering = waiting;
        }
        any
    }

    /// Moves `offered` past what is published without a hole; whether that is anything.
    fn news(&mut self) -> bool {
        let before = self.offered;
        loop {
            match self.shared.home.first_after(self.offered) {
                FirstAfter::Event(event) => self.offered = event.seq,
                FirstAfter::Gone { oldest } => self.offered = Seq(oldest.0.saturating_sub(1)),
                FirstAfter::NotYet => return self.offered != before,
            }
        }
    }

    /// The server shuts down: see [`Conn::handle_drain`].
    pub fn drain(&mut self, now: Mono) {
        self.draining = true;
        let open: Vec<Key> = self.open_ids().collect();
        for id in open {
            self.with(id, |conn, around| conn.handle_drain(now, around));
        }
    }

    /// Forgets a connection, whose socket the worker closes.
    pub fn remove(&mut self, id: Key) {
        self.unpark(id);
        if self.entry_mut(id).is_none() {
            return;
        }
        if let Some(entry) = self.entries[id.slot as usize].take() {
            if let Some((timer, _)) = entry.timer {
                self.wheel.cancel(timer);
            }
            self.open -= 1;
            if entry.admitted {
                self.admitted -= 1;
                self.shared.admitted.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    /// The next connection that changed in the first pass. The second pass does what it has to say, and
    /// ends with [`Floor::finish`] or [`Floor::remove`].
    pub fn next_dirty(&mut self) -> Option<Key> {
        while let Some(id) = self.dirty.pop() {
            if self.entry_mut(id).is_some() {
                return Some(id);
            }
        }
        None
    }

    /// The bytes to send on a connection; [`Floor::sent`] is due once the kernel has them.
    pub fn take_output(&mut self, now: Mono, id: Key) -> Option<Vec<u8>> {
        find(&mut self.entries, id)?.conn.take_output(now, &self.shared.settings)
    }

    /// What to do with the connection's socket.
    pub fn close_wish(&mut self, id: Key) -> CloseWish {
        self.entry_mut(id).map_or(CloseWish::KeepOpen, |entry| entry.conn.close_wish())
    }

    /// Whether receiving has to be paused or resumed; `None` if it stays as it is.
    pub fn pause_change(&mut self, id: Key) -> Option<Pause> {
        let entry = find(&mut self.entries, id)?;
        let paused = !entry.conn.wants_bytes(&self.shared.settings);
        if std::mem::replace(&mut entry.paused, paused) == paused {
            return None;
        }
        Some(if paused { Pause::Begin } else { Pause::End })
    }

    /// The second pass is through with the connection: its deadline is armed, and what it handles from
    /// here on makes it dirty again. What it handled within the pass did not, for that has been seen to.
    pub fn finish(&mut self, id: Key) {
        let Some(entry) = self.entry_mut(id) else { return };
        entry.dirty = false;
        let deadline = entry.conn.timeout();
        let old = match entry.timer {
            // Lazy: one that fires too early is armed again then.
            Some((_, armed)) if armed <= deadline => return,
            old => old,
        };
        if let Some((timer, _)) = old {
            self.wheel.cancel(timer);
        }
        let timer = self.wheel.arm(deadline, id);
        if let Some(entry) = self.entry_mut(id) {
            entry.timer = Some((timer, deadline));
        }
    }

    /// A spare buffer for connections to come. Kept unless there are enough, or it has grown large.
    pub fn give_buffer(&mut self, buffer: Vec<u8>) {
        self.spare.put_back(buffer);
    }

    /// Hands what the connection has answered to the access log, if there is one.
    #[inline]
    pub fn log(&mut self, id: Key, peer: impl FnOnce() -> Option<SocketAddr>) {
        if let Some(log) = &self.shared.settings.access_log
            && let Some(entry) = find(&mut self.entries, id)
            && entry.conn.has_records()
        {
            let peer = *entry.peer.get_or_insert_with(peer);
            let records = entry.conn.take_records(self.date_secs, peer, &self.label);
            let drops = records.map(|record| log.hand_over(record)).filter(|taken| !taken).count();
            self.shared.metrics.tally(self.core).log_drops.add(drops as u64);
        }
    }

    /// When [`Floor::advance`] is due.
    pub fn next_wake(&self) -> Option<Mono> {
        self.wheel.next_wake()
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.open
    }

    /// How many polls are parked.
    pub fn parked(&self) -> usize {
        self.parked.len()
    }

    /// How many timers are armed.
    pub fn timers(&self) -> usize {
        self.wheel.len()
    }

    /// The ids of all connections.
    pub fn open_ids(&self) -> impl Iterator<Item = Key> + '_ {
        self.entries.iter().enumerate().filter_map(|(slot, entry)| {
            entry.as_ref().map(|entry| Key { slot: slot as u32, generation: entry.generation })
        })
    }

    /// Of every connection, the bytes held for input and for output.
    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.entries.iter().flatten().map(|entry| entry.conn.held_bytes())
    }

    fn entry_mut(&mut self, id: Key) -> Option<&mut Entry> {
        find(&mut self.entries, id)
    }

    /// Lets the connection handle something, then notes what that changed.
    fn with(&mut self, id: Key, act: impl FnOnce(&mut Conn, &Surroundings<'_>)) {
        let Some(entry) = find(&mut self.entries, id) else { return };
        // A poll that ends here leaves its place to the next one of the same connection.
        let parked = self.parked.len() - usize::from(entry.parked_at.is_some());
        let around = Surroundings {
            home: &self.shared.home,
            status: &self.status,
            date: &self.date,
            clock: &*self.clock,
            settings: &self.shared.settings,
            tally: self.shared.metrics.tally(self.core),
            metrics: &self.shared.metrics,
            draining: self.draining,
            may_park: parked < self.shared.settings.quotas.parked_max,
        };
        // Idle connections hold no outbox: one is lent for the while, and taken back if unused.
        entry.conn.lend_outbox(|| self.spare.take());
        act(&mut entry.conn, &around);
        if let Some(unused) = entry.conn.unused_outbox() {
            self.spare.put_back(unused);
        }
        if !std::mem::replace(&mut entry.dirty, true) {
            self.dirty.push(id);
        }
        match entry.conn.parked_since() {
            Some(since) => self.park(id, since),
            None if entry.parked_at.is_some() => self.unpark(id),
            None => {}
        }
    }

    fn park(&mut self, id: Key, since: Seq) {
        self.offered = if self.parked.is_empty() { since } else { self.offered.min(since) };
        let place = self.parked.len();
        let Some(entry) = self.entry_mut(id) else { return };
        if entry.parked_at.is_none() {
            entry.parked_at = Some(place);
            self.parked.push(id);
        }
    }

    fn unpark(&mut self, id: Key) {
        let Some(place) = self.entry_mut(id).and_then(|entry| entry.parked_at.take()) else {
            return;
        };
        self.parked.swap_remove(place);
        if let Some(moved) = self.parked.get(place).copied()
            && let Some(entry) = self.entry_mut(moved)
        {
            entry.parked_at = Some(place);
        }
    }
}

/// The entry of a connection that is still open.
fn find(entries: &mut [Option<Entry>], id: Key) -> Option<&mut Entry> {
    let entry = entries.get_mut(id.slot as usize)?.as_mut()?;
    (entry.generation == id.generation).then_some(entry)
}

/// A change of whether bytes are received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// Leave what comes in the kernel.
    Begin,
    /// Take it again.
    End,
}

#[cfg(test)]
mod tests;
