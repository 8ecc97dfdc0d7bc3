//! Connections spread evenly over the cores of the server, as a kernel that hashes them does not.
//!
//! A server with a listener per core (SO_REUSEPORT) gets each connection where the kernel's hash puts
//! it: of 64 connections over 6 cores one may hold six and another sixteen, and one core saturates
//! before the rest. So more are opened than are needed; each is asked for its core, and kept if that
//! core may have one more. Our server says it in `/metrics`, to whoever asks on the connection.
//!
//! Pure. Not here: opening, asking and closing; see `worker::seating`. What is opened later, when all
//! are busy, goes where the kernel puts it. Start at [`Seats::offer`].

use std::collections::BTreeMap;
use std::fmt;

/// What is asked on each connection.
pub const PROBE_PATH: &str = "/metrics";

/// How many connections are tried for one that is wanted, and beside that. Chosen: the last free
/// seat of 64 cores takes 64 tries on average, and eight times that almost never.
const TRIES_PER_SEAT: usize = 8;
const TRIES_LEAST: usize = 512;

/// The connections wanted, by the server's core.
#[derive(Clone, Debug)]
pub struct Seats {
    wanted: usize,
    taken: BTreeMap<String, usize>,
    tried: usize,
}

/// What an answer says of its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whereabouts {
    /// The core that answered.
    pub core: String,
    /// All cores of the server.
    pub cores: Vec<String>,
}

/// What is to become of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seat {
    /// It stays.
    Kept,
    /// Its core has enough; it is to be closed.
    Surplus,
}

/// Why connections cannot be spread. Displays as one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpreadError {
    /// The answer does not name a core; its status.
    NoCore(u16),
    /// So many were tried, and this core has too few still.
    OneSided(usize, String),
}

impl Whereabouts {
    /// Reads the answer to [`PROBE_PATH`]; `None` if it names no core.
    pub fn read(metrics: &[u8]) -> Option<Whereabouts> {
        let text = std::str::from_utf8(metrics).ok()?;
        let cores_of = |family: &'static str| {
            text.lines().filter_map(move |line| {
                line.strip_prefix(family)?.strip_prefix("{core=\"")?.split('"').next()
            })
        };
        let core = cores_of("ringpace_answering_core").next()?.to_owned();
        let cores: Vec<String> = cores_of("ringpace_connections").map(str::to_owned).collect();
        cores.contains(&core).then_some(Whereabouts { core, cores })
    }
}

impl Seats {
    /// Seats for `wanted` connections.
    pub fn new(wanted: usize) -> Seats {
        Seats { wanted, taken: BTreeMap::new(), tried: 0 }
    }

    /// Offers a connection whose answer, with `status`, was `content`.
    pub fn offer(&mut self, status: u16, content: &[u8]) -> Result<Seat, SpreadError> {
        let of = Whereabouts::read(content).ok_or(SpreadError::NoCore(status))?;
        self.tried += 1;
        for core in of.cores {
            self.taken.entry(core).or_default();
        }
        let (each, left_over) = self.share();
        let with_more = self.taken.values().filter(|taken| **taken > each).count();
        let taken = self.taken.get_mut(&of.core).expect("it is one of the cores");
        let most = if with_more < left_over { each + 1 } else { each };
        if *taken < most {
            *taken += 1;
            return Ok(Seat::Kept);
        }
        if self.tried > TRIES_LEAST + TRIES_PER_SEAT * self.wanted {
            let (core, _) = self.emptiest().expect("one core answered");
            return Err(SpreadError::OneSided(self.tried, core.clone()));
        }
        Ok(Seat::Surplus)
    }

    /// Whether every seat is taken.
    pub fn is_full(&self) -> bool {
        self.taken.values().sum::<usize>() == self.wanted
    }

    /// Adds what another worker has.
    pub fn merge(&mut self, other: &Seats) {
        for (core, taken) in &other.taken {
            *self.taken.entry(core.clone()).or_default() += taken;
        }
        self.wanted += other.wanted;
        self.tried += other.tried;
    }

    /// Connections of each core.
    pub fn taken(&self) -> &BTreeMap<String, usize> {
        &self.taken
    }

    /// What every core gets, and how many get one more.
    fn share(&self) -> (usize, usize) {
        let cores = self.taken.len().max(1);
        (self.wanted / cores, self.wanted % cores)
    }

    fn emptiest(&self) -> Option<(&String, &usize)> {
        self.taken.iter().min_by_key(|(_, taken)| **taken)
    }
}

impl fmt::Display for SpreadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpreadError::NoCore(status) => write!(
                f,
                "--spread: the server does not say which of its cores has a connection; GET {PROBE_PATH} \
                 was answered with {status} and no ringpace_answering_core"
            ),
            SpreadError::OneSided(tried, core) => write!(
                f,
                "--spread: of {tried} connections too few came to core {core} of the server; is a core \
                 without a listener, or does it steer connections by other means?"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// What a server of `cores` says on a connection of `core`.
    fn metrics(core: usize, cores: usize) -> String {
        let mut text = format!("# HELP x\nringpace_answering_core{{core=\"{core}\"}} 1\n");
        for core in 0..cores {
            text += &format!("ringpace_connections{{core=\"{core}\"}} 7\n");
        }
        text
    }

    /// Seats taken of a server that hashes as a kernel does.
    fn spread(wanted: usize, cores: usize, seed: u64) -> (Vec<usize>, usize) {
        let mut rng = Rng::new(seed);
        let mut seats = Seats::new(wanted);
        while !seats.is_full() {
            let core = rng.below(cores as u64) as usize;
            seats.offer(200, metrics(core, cores).as_bytes()).unwrap();
        }
        (seats.taken().values().copied().collect(), seats.tried)
    }

    #[test]
    fn every_core_gets_as_many_as_any_other_or_one_more() {
        for (seed, (wanted, cores)) in
            [(64, 6), (1, 4), (3, 8), (192, 6), (1_000, 16), (64, 64)].into_iter().enumerate()
        {
            let (taken, tried) = spread(wanted, cores, seed as u64);
            let (least, most) = (taken.iter().min().unwrap(), taken.iter().max().unwrap());
            assert!(most - least <= 1, "{wanted} over {cores}: {taken:?}");
            assert_eq!(taken.iter().sum::<usize>(), wanted);
            assert!(tried <= 8 * wanted + 64, "{tried} tries for {wanted} over {cores}");
        }
    }

    #[test]
    fn a_server_that_names_no_core_is_refused() {
        let mut seats = Seats::new(4);
        for strange in ["", "Not Found", "ringpace_answering_core{core=\"9\"} 1\n", "\u{fffd}"] {
            assert_eq!(seats.offer(404, strange.as_bytes()), Err(SpreadError::NoCore(404)));
        }
        assert_eq!(seats.offer(200, b"\xff"), Err(SpreadError::NoCore(200)));
        assert!(SpreadError::NoCore(404).to_string().starts_with("--spread: "));
    }

    #[test]
    fn a_core_that_no_connection_comes_to_is_named_in_the_end() {
        let mut seats = Seats::new(4);
        let error = (0..10_000).find_map(|_| seats.offer(200, metrics(0, 2).as_bytes()).err());
        assert!(matches!(&error, Some(SpreadError::OneSided(_, core)) if core == "1"), "{error:?}");
        assert!(!seats.is_full());
    }
}
