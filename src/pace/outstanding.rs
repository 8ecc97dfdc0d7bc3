//! The requests that are due and have not ended, oldest first.
//!
//! All have the same timeout, and they enter in the order they are due, so the oldest is always the
//! next to time out: a queue does what a timer wheel would. Push, lookup and removal are O(1); a
//! removed request's place is reclaimed when all older ones have ended, which the timeout bounds.
//! Start at [`Outstanding::push`].

use crate::slab::Key;
use crate::units::{Mono, Nanos, Wall};
use std::collections::VecDeque;

/// Names one outstanding request; orders by when it was due, and is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// A request of the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Its number in the schedule.
    pub k: u64,
    /// Index of its kind in the mix.
    pub kind: usize,
    /// When it is due, from the start of the warm-up.
    pub offset: Nanos,
    /// The same on the clock.
    pub intended_at: Mono,
    /// Whether it counts: it is not of the warm-up.
    pub is_measured: bool,
}

/// One request from when it is due until it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its number in the schedule.
    pub k: u64,
    /// Index of its kind in the mix.
    pub kind: usize,
    /// Whether it counts: it is not of the warm-up.
    pub is_measured: bool,
    /// When it was due.
    pub intended_at: Mono,
    /// When it was handed to the kernel, the first time if it was retried.
    pub sent_at: Option<Mono>,
    /// When the first byte of its final answer came, once that is whole.
    pub first_byte_at: Option<Mono>,
    /// When what its answer brings was published, if that says so.
    pub published_at: Option<Wall>,
    /// Whether this is its second and last try.
    pub is_retry: bool,
    /// Where it is.
    pub place: Place,
}

impl Request {
    /// A request that is due now.
    pub fn due(due: &Due) -> Request {
        Request {
            k: due.k,
            kind: due.kind,
            is_measured: due.is_measured,
            intended_at: due.intended_at,
            sent_at: None,
            first_byte_at: None,
            published_at: None,
            is_retry: false,
            place: Place::Waiting,
        }
    }
}

/// Where an outstanding request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the queue for a connection.
    Waiting,
    /// Sent on this connection.
    On(Key),
}

/// The outstanding requests.
#[derive(Debug, Default)]
pub struct Outstanding {
    /// Ticket of the front of `requests`.
    first: u64,
    requests: VecDeque<Option<Request>>,
}

impl Outstanding {
    /// Adds a request that is due no earlier than those before it.
    pub fn push(&mut self, request: Request) -> Ticket {
        self.requests.push_back(Some(request));
        Ticket(self.first + self.requests.len() as u64 - 1)
    }

    /// The request of a ticket, unless it has ended.
    pub fn get_mut(&mut self, ticket: Ticket) -> Option<&mut Request> {
        let index = usize::try_from(ticket.0.checked_sub(self.first)?).ok()?;
        self.requests.get_mut(index)?.as_mut()
    }

    /// Takes out a request that ends, unless it has ended already.
    pub fn remove(&mut self, ticket: Ticket) -> Option<Request> {
        let index = usize::try_from(ticket.0.checked_sub(self.first)?).ok()?;
        let request = self.requests.get_mut(index)?.take();
        while let Some(None) = self.requests.front() {
            self.requests.pop_front();
            self.first += 1;
        }
        request
    }

    /// The request that has been due the longest.
    pub fn oldest(&self) -> Option<(Ticket, &Request)> {
        // `remove` leaves no ended request at the front.
        let request = self.requests.front()?.as_ref()?;
        Some((Ticket(self.first), request))
    }

    /// How many it has room for without allocating.
    pub fn room(&self) -> usize {
        self.requests.capacity()
    }

    /// Whether all have ended.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use std::collections::BTreeMap;

    fn request(intended_at: u64) -> Request {
        let intended_at = Mono(intended_at);
        Request::due(&Due { k: 0, kind: 0, offset: Nanos::ZERO, intended_at, is_measured: true })
    }

    #[test]
    fn it_behaves_as_an_ordered_map_does() {
        for seed in 0..50 {
            let mut rng = Rng::new(seed);
            let mut model = BTreeMap::new();
            let mut outstanding = Outstanding::default();
            let mut issued = Vec::new();
            for step in 0..300 {
                if rng.chance(0.5) {
                    let ticket = outstanding.push(request(step));
                    model.insert(ticket, request(step));
                    issued.push(ticket);
                } else if !issued.is_empty() {
                    let ticket = issued[rng.below(issued.len() as u64) as usize];
                    assert_eq!(outstanding.remove(ticket), model.remove(&ticket), "seed {seed}");
                }
                let oldest = outstanding.oldest().map(|(ticket, request)| (ticket, *request));
                let expected = model.first_key_value().map(|(ticket, request)| (*ticket, *request));
                assert_eq!(oldest, expected, "seed {seed}");
                assert_eq!(outstanding.is_empty(), model.is_empty(), "seed {seed}");
            }
        }
    }
}
