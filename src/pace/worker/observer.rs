//! Off the pacers' cores: brings the workers' intervals together, and writes and shows them as they
//! come.
//!
//! An interval is complete when every worker is past its second. What cannot be written is told at
//! the end of the run, which goes on meanwhile. Start at [`Observer::watch`].

use super::feed::{Feed, Filled};
use crate::pace::interval::Interval;
use crate::pace::live::Live;
use crate::pace::{csv, hlog};
use hdrhistogram::serialization::V2DeflateSerializer;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::time::SystemTime;

/// Intervals per worker: one that is filled, the others with the observer. Chosen: it may be two
/// seconds behind before an interval gets longer than a second.
const INTERVALS_PER_LANE: usize = 4;

/// A file that is open.
pub struct Sink {
    /// Its name, for messages.
    pub path: PathBuf,
    /// Where to write.
    pub out: Box<dyn Write + Send>,
}

/// Where intervals go.
#[derive(Default)]
pub struct Sinks {
    /// An interval log.
    pub hlog: Option<Sink>,
    /// A table of intervals.
    pub csv: Option<Sink>,
    /// A line for people.
    pub live: Option<Live>,
}

impl Sinks {
    /// Whether nobody wants to know.
    pub fn is_empty(&self) -> bool {
        self.hlog.is_none() && self.csv.is_none() && self.live.is_none()
    }
}

/// What brings intervals together.
pub struct Observer<'n> {
    names: &'n [String],
    lanes: Vec<Lane>,
    full: Receiver<Filled>,
    /// By the second they begin with; each with the worker it came from, who gets it back.
    pending: BTreeMap<u64, (usize, Box<Interval>)>,
}

struct Lane {
    empty: Sender<Box<Interval>>,
    /// It will hand over nothing that begins before this second.
    past: u64,
}

impl<'n> Observer<'n> {
    /// An observer of so many workers, and their ends. `names` are those of the kinds.
    pub fn new(workers: usize, names: &'n [String]) -> (Observer<'n>, Vec<Feed>) {
        let (full, filled) = sync_channel(workers * INTERVALS_PER_LANE);
        let (mut lanes, mut feeds) = (Vec::new(), Vec::new());
        for lane in 0..workers {
            let (empty, emptied) = channel();
            for _ in 0..INTERVALS_PER_LANE {
                // The receiver is in the next line.
                let _ = empty.send(Box::new(Interval::new(names.len())));
            }
            lanes.push(Lane { empty, past: 0 });
            feeds.push(Feed::new(lane, full.clone(), emptied));
        }
        (Observer { names, lanes, full: filled, pending: BTreeMap::new() }, feeds)
    }

    /// Writes and shows every interval, until the last worker is done. `started` is the wall clock's
    /// time of the first.
    ///
    /// # Errors
    /// The first file that could not be written, and why.
    pub fn watch(mut self, sinks: Sinks, started: SystemTime) -> Result<(), (PathBuf, io::Error)> {
        let Sinks { mut hlog, mut csv, mut live } = sinks;
        let mut serializer = V2DeflateSerializer::new();
        let mut log = Writing::of(hlog.as_mut(), |out| {
            hlog::Log::begin(out, &mut serializer, self.names, started)
        });
        let mut table = Writing::of(csv.as_mut(), |out| csv::Table::begin(out, self.names));
        let mut emit = |interval: &Interval| {
            log.step(|log| log.write(interval));
            table.step(|table| table.write(interval));
            if let Some(live) = &mut live {
                live.show(interval);
            }
        };
        while let Ok(filled) = self.full.recv() {
            self.take(filled);
            self.emit_complete(&mut emit);
        }
        self.lanes.iter_mut().for_each(|lane| lane.past = u64::MAX);
        self.emit_complete(&mut emit);
        if let Some(live) = live {
            live.finish();
        }
        let failure = log.failure.take().or(table.failure.take());
        drop((log, table));
        failure.map_or(Ok(()), Err)?;
        [hlog, csv]
            .into_iter()
            .flatten()
            .try_for_each(|Sink { path, mut out }| out.flush().map_err(|error| (path, error)))
    }

    fn take(&mut self, filled: Filled) {
        let Filled { lane, interval, is_last } = filled;
        self.lanes[lane].past = if is_last { u64::MAX } else { interval.until };
        match self.pending.get_mut(&interval.second) {
            Some((_, of_others)) => {
                of_others.merge(&interval);
                self.give_back(lane, interval);
            }
            None => {
                self.pending.insert(interval.second, (lane, interval));
            }
        }
    }

    fn emit_complete(&mut self, emit: &mut impl FnMut(&Interval)) {
        let past = self.lanes.iter().map(|lane| lane.past).min().unwrap_or(u64::MAX);
        while let Some(entry) = self.pending.first_entry()
            && *entry.key() < past
        {
            let (lane, interval) = entry.remove();
            emit(&interval);
            self.give_back(lane, interval);
        }
    }

    fn give_back(&self, lane: usize, mut interval: Box<Interval>) {
        interval.clear();
        // A worker that has gone needs none.
        let _ = self.lanes[lane].empty.send(interval);
    }
}

/// A writer until it fails.
struct Writing<W> {
    path: PathBuf,
    writer: Option<W>,
    failure: Option<(PathBuf, io::Error)>,
}

impl<W> Writing<W> {
    fn of<'s>(
        sink: Option<&'s mut Sink>,
        begin: impl FnOnce(&'s mut Box<dyn Write + Send>) -> io::Result<W>,
    ) -> Writing<W> {
        let Some(Sink { path, out }) = sink else {
            return Writing { path: PathBuf::new(), writer: None, failure: None };
        };
        let mut writing = Writing { path: path.clone(), writer: None, failure: None };
        match begin(out) {
            Ok(writer) => writing.writer = Some(writer),
            Err(error) => writing.failure = Some((path.clone(), error)),
        }
        writing
    }

    fn step(&mut self, write: impl FnOnce(&mut W) -> io::Result<()>) {
        if let Some(writer) = &mut self.writer
            && let Err(error) = write(writer)
        {
            self.writer = None;
            self.failure = Some((self.path.clone(), error));
        }
    }
}
