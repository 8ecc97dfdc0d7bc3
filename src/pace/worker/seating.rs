//! Before the start, with `--spread`: makes connections one by one, asks each for its core, and keeps
//! those that leave the server's cores even.
//!
//! One at a time, since it takes a tenth of a millisecond each and nothing is measured yet. Which are
//! kept is decided in `spread`. Start at [`Worker::establish_evenly`].

use super::{EstablishError, Worker, hear};
use crate::clock::Clock;
use crate::http::response::{ResponseDone, ResponseLimits, ResponseReader};
use crate::io::{ConnId, Driver, Event, Sending};
use crate::pace::spread::{PROBE_PATH, Seat, Seats};
use crate::units::Mono;
use std::io;
use std::sync::atomic::AtomicBool;

/// Of an answer to the probe. Chosen: it has some kilobytes per core.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// A connection that is being asked.
struct Probe {
    id: ConnId,
    reader: ResponseReader,
    stage: Stage,
}

enum Stage {
    Connecting,
    Connected,
    Answered(ResponseDone),
    /// It broke, or what came is no answer.
    Broken(io::Error),
}

impl<D: Driver, C: Clock> Worker<'_, D, C> {
    /// As [`Worker::establish`], with as many connections on every core of the server as on any other,
    /// or one more. `authority` is what the questions say in Host. Each connection has its own deadline.
    pub fn establish_evenly(
        &mut self,
        authority: &str,
        stop: &AtomicBool,
    ) -> Result<Seats, EstablishError> {
        let question = format!("GET {PROBE_PATH} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
        let mut seats = Seats::new(self.task.connections);
        while !seats.is_full() {
            let (id, status, content) = self.ask(question.as_bytes(), stop)?;
            match seats.offer(status, &content).map_err(EstablishError::Spread)? {
                Seat::Kept => {}
                Seat::Surplus => self.pool.give_up(self.clock.now(), id),
            }
            self.close_broken(usize::MAX);
        }
        Ok(seats)
    }

    /// Makes a connection and asks on it; the answer's status and content.
    fn ask(
        &mut self,
        question: &[u8],
        stop: &AtomicBool,
    ) -> Result<(ConnId, u16, Vec<u8>), EstablishError> {
        let give_up_at = self.clock.now() + self.patience();
        let limits =
            ResponseLimits { capture_bytes_max: ANSWER_BYTES_MAX, ..ResponseLimits::default() };
        let id = self.connect().ok_or_else(|| self.refusal())?;
        let mut probe = Probe { id, reader: ResponseReader::new(limits), stage: Stage::Connecting };
        self.attend(&mut probe, give_up_at, stop)?;
        probe.reader.start(false);
        let mut bytes = self.driver.buffer();
        bytes.extend_from_slice(question);
        if let Sending::Failed(error) = self.driver.send(id, bytes) {
            return Err(EstablishError::Refused(error));
        }
        self.attend(&mut probe, give_up_at, stop)?;
        match probe.stage {
            Stage::Answered(done) if done.keep_alive => {
                Ok((id, done.status, probe.reader.captured().to_vec()))
            }
            _ => Err(EstablishError::Refused(io::Error::other(
                "the server ends connections after one answer, so they cannot be spread",
            ))),
        }
    }

    /// Turns the driver until the probe's stage is another.
    fn attend(
        &mut self,
        probe: &mut Probe,
        give_up_at: Mono,
        stop: &AtomicBool,
    ) -> Result<(), EstablishError> {
        let before = std::mem::discriminant(&probe.stage);
        while std::mem::discriminant(&probe.stage) == before {
            let nap = self.nap(self.clock.now(), give_up_at, stop)?;
            let Worker { driver, clock, pool, connect_error, .. } = self;
            let turned = driver.turn(nap, |event| {
                if !probe.hear(&event) {
                    hear(clock.now(), event, pool, connect_error);
                }
            });
            turned.map_err(EstablishError::Driver)?;
            if self.connect_error.is_some() {
                return Err(self.refusal());
            }
        }
        match std::mem::replace(&mut probe.stage, Stage::Connected) {
            Stage::Broken(error) => Err(EstablishError::Refused(error)),
            stage => {
                probe.stage = stage;
                Ok(())
            }
        }
    }

    fn refusal(&mut self) -> EstablishError {
        let unknown = || io::Error::other("a connection could not be made");
        EstablishError::Refused(self.connect_error.take().unwrap_or_else(unknown))
    }
}

impl Probe {
    /// Takes what is about this connection; false if the pool has to hear of it.
    fn hear(&mut self, event: &Event<'_>) -> bool {
        match event {
            Event::Received(id, bytes) if *id == self.id => {
                self.stage = match self.reader.read(bytes) {
                    Ok(read) => match read.done {
                        Some(done) => Stage::Answered(done),
                        None => return true,
                    },
                    Err(malformed) => Stage::Broken(io::Error::other(malformed.to_string())),
                };
                true
            }
            // The pool is to know that it stands, or that it does not.
            Event::Connected(id) if *id == self.id => {
                self.stage = Stage::Connected;
                false
            }
            Event::ReceivedEnd(id) if *id == self.id => {
                self.stage = Stage::Broken(io::ErrorKind::ConnectionReset.into());
                false
            }
            Event::Failed(id, error) if *id == self.id => {
                self.stage = Stage::Broken(error.kind().into());
                false
            }
            _ => false,
        }
    }
}
