//! A driver on a stage: it listens, has peers, and everything that it says is remembered.
//!
//! Every loop ends at [`PATIENCE`]. Not here: what drivers must do. Start at [`Stage`].

use crate::clock::Clock;
use crate::io::clock::MonotonicClock;
use crate::io::net::{Listener, SocketSettings};
use crate::io::{ConnId, Driver, Event, Sending, Wait};
use crate::rng::Rng;
use crate::units::{Mono, Nanos};
use socket2::SockRef;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// Chosen: hundreds of times what the slowest test takes on a busy machine.
pub(super) const PATIENCE: Nanos = Nanos::from_secs(20);
/// An event, kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Accepted(ConnId),
    Connected(ConnId),
    Received(ConnId, Vec<u8>),
    End(ConnId),
    Sent(ConnId),
    Failed(ConnId),
    Woken,
}

impl Seen {
    pub(super) fn of(event: Event<'_>) -> Seen {
        match event {
            Event::Accepted(id) => Seen::Accepted(id),
            Event::Connected(id) => Seen::Connected(id),
            Event::Received(id, bytes) => {
                assert!(!bytes.is_empty(), "an event without bytes");
                Seen::Received(id, bytes.to_vec())
            }
            Event::ReceivedEnd(id) => Seen::End(id),
            Event::Sent(id) => Seen::Sent(id),
            Event::Failed(id, _) => Seen::Failed(id),
            Event::Woken => Seen::Woken,
        }
    }

    pub(super) fn id(&self) -> Option<ConnId> {
        match self {
            Seen::Accepted(id) | Seen::Connected(id) | Seen::Received(id, _) => Some(*id),
            Seen::End(id) | Seen::Sent(id) | Seen::Failed(id) => Some(*id),
            Seen::Woken => None,
        }
    }
}

/// A driver that listens, and everything it has said.
pub(super) struct Stage<D> {
    pub(super) driver: D,
    pub(super) address: SocketAddr,
    pub(super) give_up: Mono,
    pub(super) seen: Vec<Seen>,
}

impl<D: Driver> Stage<D> {
    pub(super) fn new(mut driver: D) -> Stage<D> {
        let listener =
            Listener::bind("127.0.0.1:0".parse().unwrap(), &SocketSettings::default(), None)
                .unwrap();
        let address = listener.local_address().unwrap();
        driver.listen(listener).unwrap();
        Stage { driver, address, give_up: MonotonicClock.now() + PATIENCE, seen: Vec::new() }
    }

    /// One short turn; what it brought. It is remembered in `seen` too.
    #[track_caller]
    pub(super) fn turn(&mut self) -> Vec<Seen> {
        let now = MonotonicClock.now();
        assert!(now < self.give_up, "nothing came of it; seen: {:?}", self.tail());
        let mut events = Vec::new();
        let wait = Wait::Until(now + Nanos::from_micros(200));
        self.driver.turn(wait, |event| events.push(Seen::of(event))).unwrap();
        self.seen.extend_from_slice(&events);
        events
    }

    /// Closes the listening socket; what that brings is remembered.
    pub(super) fn stop_listening(&mut self) {
        let seen = &mut self.seen;
        self.driver.stop_listening(|event| seen.push(Seen::of(event))).unwrap();
    }

    /// The last events, without their bytes.
    pub(super) fn tail(&self) -> Vec<Seen> {
        let mut tail: Vec<Seen> = self.seen.iter().rev().take(10).cloned().collect();
        tail.iter_mut().for_each(|seen| {
            if let Seen::Received(_, bytes) = seen {
                bytes.truncate(8);
            }
        });
        tail
    }

    /// Turns until `wanted` picks something out of the events, old ones included.
    #[track_caller]
    pub(super) fn until<T>(&mut self, wanted: impl Fn(&Seen) -> Option<T>) -> T {
        loop {
            if let Some(found) = self.seen.iter().find_map(&wanted) {
                return found;
            }
            self.turn();
        }
    }

    #[track_caller]
    pub(super) fn until_seen(&mut self, wanted: &Seen) {
        self.until(|seen| (seen == wanted).then_some(()));
    }

    /// A new peer and its connection at the driver.
    #[track_caller]
    pub(super) fn accept(&mut self) -> (TcpStream, ConnId) {
        let known: Vec<Seen> = self.seen.clone();
        let peer = TcpStream::connect(self.address).unwrap();
        peer.set_nonblocking(true).unwrap();
        let id = self.until(|seen| match seen {
            Seen::Accepted(id) if !known.contains(seen) => Some(*id),
            _ => None,
        });
        (peer, id)
    }

    /// Receives until `len` bytes of `id` have come in all.
    #[track_caller]
    pub(super) fn until_received(&mut self, id: ConnId, len: usize) -> Vec<u8> {
        while self.received(id).len() < len {
            self.turn();
        }
        self.received(id)
    }

    pub(super) fn received(&self, id: ConnId) -> Vec<u8> {
        let mut all = Vec::new();
        for seen in &self.seen {
            if let Seen::Received(of, bytes) = seen
                && *of == id
            {
                all.extend_from_slice(bytes);
            }
        }
        all
    }

    /// Sends, and lets `peer` read meanwhile, until the kernel has everything.
    #[track_caller]
    pub(super) fn send_to_reader(
        &mut self,
        id: ConnId,
        bytes: &[u8],
        peer: &mut TcpStream,
    ) -> Vec<u8> {
        let mut read = Vec::new();
        let sent_before = self.count(&Seen::Sent(id));
        match self.driver.send(id, bytes.to_vec()) {
            Sending::Done => {}
            Sending::Failed(error) => panic!("the peer is there: {error}"),
            Sending::Pending => {
                while self.count(&Seen::Sent(id)) == sent_before {
                    self.turn();
                    read_some(peer, &mut read, usize::MAX);
                }
            }
        }
        while read.len() < bytes.len() {
            self.turn();
            read_some(peer, &mut read, usize::MAX);
        }
        read
    }

    pub(super) fn count(&self, wanted: &Seen) -> usize {
        self.seen.iter().filter(|seen| *seen == wanted).count()
    }

    /// A few turns in which whatever is still under way arrives.
    #[track_caller]
    pub(super) fn settle(&mut self) {
        for _ in 0..20 {
            self.turn();
        }
    }

    /// Turns until the peer's side of the connection is over, by FIN or by reset.
    #[track_caller]
    pub(super) fn until_over(&mut self, peer: &mut TcpStream) -> Vec<u8> {
        let mut read = Vec::new();
        while read_some(peer, &mut read, usize::MAX) != Reading::Over {
            self.turn();
        }
        read
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    Open,
    /// FIN or reset.
    Over,
}

/// Reads what is there, up to `limit` bytes, without blocking.
pub(super) fn read_some(peer: &mut TcpStream, into: &mut Vec<u8>, limit: usize) -> Reading {
    let mut buf = [0; 64 * 1024];
    let mut left = limit;
    while left > 0 {
        let room = left.min(buf.len());
        match peer.read(&mut buf[..room]) {
            Ok(0) => return Reading::Over,
            Ok(n) => {
                into.extend_from_slice(&buf[..n]);
                left -= n;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Reading::Open,
            Err(_) => return Reading::Over,
        }
    }
    Reading::Open
}

/// Writes what fits, without blocking; how much that was.
pub(super) fn write_some(peer: &mut TcpStream, bytes: &[u8]) -> usize {
    match peer.write(bytes) {
        Ok(n) => n,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
        Err(error) => panic!("the driver broke the connection: {error}"),
    }
}

pub(super) fn noise(rng: &mut Rng, len: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> =
        (0..len.div_ceil(8)).flat_map(|_| rng.next_u64().to_le_bytes()).collect();
    bytes.truncate(len);
    bytes
}

pub(super) fn reset(peer: TcpStream) {
    SockRef::from(&peer).set_linger(Some(std::time::Duration::ZERO)).unwrap();
}
