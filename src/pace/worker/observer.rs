//! Off the pacers' cores: brings the workers' intervals together, and writes and shows them as they
//! come.
//!
//! An interval is complete when every worker is past its second. What cannot be written is told at
//! the end of the run, which goes on meanwhile, and so does what can. Start at [`Observer::watch`].

use super::feed::{Feed, Filled};
use crate::pace::interval::Interval;
use crate::pace::live::Live;
use crate::pace::mix::Kind;
use crate::pace::{csv, hlog};
use hdrhistogram::serialization::V2DeflateSerializer;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::time::SystemTime;

/// Intervals per worker: one that is filled, the others with the observer. Chosen: it may be two
/// seconds behind before an interval gets longer than a second.
const INTERVALS_PER_LANE: usize = 4;

/// A file that is open.
pub struct Sink {
    /// What asked for it, for messages.
    pub flag: &'static str,
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
pub struct Observer<'k> {
    kinds: &'k [Kind],
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

impl<'k> Observer<'k> {
    /// An observer of so many workers, and their ends. `kinds` are those of the mix.
    pub fn new(workers: usize, kinds: &'k [Kind]) -> (Observer<'k>, Vec<Feed>) {
        let (full, filled) = sync_channel(workers * INTERVALS_PER_LANE);
        let (mut lanes, mut feeds) = (Vec::new(), Vec::new());
        for lane in 0..workers {
            let (empty, emptied) = channel();
            for _ in 0..INTERVALS_PER_LANE {
                // The receiver is in the next line.
                let _ = empty.send(Box::new(Interval::new(kinds.len())));
            }
            lanes.push(Lane { empty, past: 0 });
            feeds.push(Feed::new(lane, full.clone(), emptied));
        }
        (Observer { kinds, lanes, full: filled, pending: BTreeMap::new() }, feeds)
    }

    /// Writes and shows every interval, until the last worker is done; nothing if there is no run.
    /// `started` is the wall clock's time of the first interval. What could not be written, a sentence
    /// each.
    pub fn watch(mut self, sinks: Sinks, started: SystemTime) -> Vec<String> {
        let Ok(first) = self.full.recv() else { return Vec::new() };
        let Sinks { mut hlog, mut csv, mut live } = sinks;
        let mut serializer = V2DeflateSerializer::new();
        let mut log = Writing::of(hlog.as_mut(), |out| {
            hlog::Log::begin(out, &mut serializer, self.kinds, started)
        });
        let mut table = Writing::of(csv.as_mut(), |out| csv::Table::begin(out, self.kinds));
        let mut emit = |interval: &Interval| {
            log.step(|log| log.write(interval));
            table.step(|table| table.write(interval));
            if let Some(live) = &mut live {
                live.show(interval);
            }
        };
        let mut next = Some(first);
        while let Some(filled) = next {
            self.take(filled);
            self.emit_complete(&mut emit);
            next = self.full.recv().ok();
        }
        self.lanes.iter_mut().for_each(|lane| lane.past = u64::MAX);
        self.emit_complete(&mut emit);
        if let Some(live) = live {
            live.finish();
        }
        let failures = [log.end(), table.end()];
        let ended = [hlog, csv].into_iter().zip(failures);
        ended.filter_map(|(sink, failure)| sink?.end(failure)).collect()
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

impl Sink {
    /// Writes what is held back, unless writing has failed before; a sentence if it has, or does.
    fn end(self, failure: Option<io::Error>) -> Option<String> {
        let Sink { flag, path, mut out } = self;
        let error = failure.or_else(|| out.flush().err())?;
        Some(unwritable(flag, &path, &error))
    }
}

/// What is said of a file that cannot be written.
pub fn unwritable(flag: &str, path: &Path, error: &io::Error) -> String {
    format!("{flag} {}: cannot write it: {error}", path.display())
}

/// A writer, if there is one to write to, or why it writes no more.
struct Writing<W>(Option<io::Result<W>>);

impl<W> Writing<W> {
    fn of<'s>(
        sink: Option<&'s mut Sink>,
        begin: impl FnOnce(&'s mut Box<dyn Write + Send>) -> io::Result<W>,
    ) -> Writing<W> {
        Writing(sink.map(|sink| begin(&mut sink.out)))
    }

    fn step(&mut self, write: impl FnOnce(&mut W) -> io::Result<()>) {
        if let Some(Ok(writer)) = &mut self.0
            && let Err(error) = write(writer)
        {
            self.0 = Some(Err(error));
        }
    }

    fn end(self) -> Option<io::Error> {
        self.0?.err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::live::LiveMode;
    use crate::pace::mix::Mix;
    use crate::pace::outstanding::{Due, Request};
    use crate::pace::recorder::{Ending, Recorder};
    use crate::pace::stalls::StallMeter;
    use crate::units::{Mono, Nanos};
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Shown(Arc<Mutex<Vec<u8>>>);

    impl Write for Shown {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A request that ends, 1 ms after it was due.
    fn end(recorder: &mut Recorder, due_ms: u64) {
        let due_at = Mono(Nanos::from_millis(due_ms).0);
        let offset = Nanos(due_at.0);
        let due = Due { k: 0, kind: 0, offset, intended_at: due_at, is_measured: true };
        let request = Request { sent_at: Some(due_at), ..Request::due(&due) };
        recorder.note_ended(&request, Ending::Ok, due_at + Nanos::from_millis(1));
    }

    #[test]
    fn seconds_of_two_workers_come_out_once_and_in_order() {
        let mix = Mix::single("/");
        let (observer, feeds) = Observer::new(2, mix.kinds());
        let mut recorder = Recorder::new(1, StallMeter::new(Mono(0), Mono(0)));
        for (lane, mut feed) in feeds.into_iter().enumerate() {
            feed.begin(Mono(0), &mut recorder);
            for second in 0..3 {
                end(&mut recorder, second * 1_000 + 10);
                feed.cut_if_due(Mono(Nanos::from_secs(second + 1).0), &mut recorder);
            }
            // The second worker has one more to say.
            (0..lane).for_each(|_| end(&mut recorder, 3_500));
            feed.finish(Mono(Nanos::from_millis(3_600).0), &mut recorder);
        }
        let shown = Shown::default();
        let live = Live::new(LiveMode::Plain, Box::new(shown.clone()));
        let sinks = Sinks { live: Some(live), ..Sinks::default() };
        assert_eq!(observer.watch(sinks, SystemTime::UNIX_EPOCH), [""; 0]);
        let text = String::from_utf8(shown.0.lock().unwrap().clone()).unwrap();
        let rates = text.lines().map(|line| line.split_whitespace().nth(2).unwrap());
        assert_eq!(rates.collect::<Vec<_>>(), ["2/s", "2/s", "2/s", "1/s"], "{text}");
    }

    /// Takes nothing.
    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_file_that_cannot_be_written_is_told_and_loses_no_other() {
        let mix = Mix::single("/");
        let (observer, mut feeds) = Observer::new(1, mix.kinds());
        let mut recorder = Recorder::new(1, StallMeter::new(Mono(0), Mono(0)));
        feeds[0].begin(Mono(0), &mut recorder);
        end(&mut recorder, 10);
        feeds[0].finish(Mono(Nanos::from_secs(1).0), &mut recorder);
        drop(feeds);
        let (shown, table) = (Shown::default(), Shown::default());
        let sink = |flag, out| Some(Sink { flag, path: PathBuf::from("x"), out });
        let sinks = Sinks {
            hlog: sink("--hlog", Box::new(Full)),
            csv: sink("--csv", Box::new(table.clone())),
            live: Some(Live::new(LiveMode::Plain, Box::new(shown.clone()))),
        };
        let unwritten = observer.watch(sinks, SystemTime::UNIX_EPOCH);
        assert_eq!(unwritten.len(), 1, "{unwritten:?}");
        assert!(unwritten[0].starts_with("--hlog x: cannot write it: "), "{unwritten:?}");
        let lines = |shown: &Shown| shown.0.lock().unwrap().split(|byte| *byte == b'\n').count();
        assert_eq!((lines(&table), lines(&shown)), (3, 2));
    }

    #[test]
    fn without_a_run_nothing_is_written() {
        let mix = Mix::single("/");
        let (observer, feeds) = Observer::new(1, mix.kinds());
        drop(feeds);
        let table = Shown::default();
        let csv = Sink { flag: "--csv", path: PathBuf::new(), out: Box::new(table.clone()) };
        let sinks = Sinks { csv: Some(csv), ..Sinks::default() };
        assert_eq!(observer.watch(sinks, SystemTime::UNIX_EPOCH), [""; 0]);
        assert!(table.0.lock().unwrap().is_empty());
    }

    #[test]
    fn an_interval_goes_on_while_the_observer_is_behind() {
        let mix = Mix::single("/");
        let (observer, mut feeds) = Observer::new(1, mix.kinds());
        let mut recorder = Recorder::new(1, StallMeter::new(Mono(0), Mono(0)));
        let feed = &mut feeds[0];
        feed.begin(Mono(0), &mut recorder);
        for second in 1..=10 {
            end(&mut recorder, second * 1_000 - 1);
            feed.cut_if_due(Mono(Nanos::from_secs(second).0), &mut recorder);
        }
        feed.finish(Mono(Nanos::from_secs(10).0), &mut recorder);
        drop(feeds);
        let filled: Vec<Filled> = observer.full.iter().collect();
        let spans = filled.iter().map(|filled| (filled.interval.second, filled.interval.until));
        assert_eq!(spans.collect::<Vec<_>>(), [(0, 1), (1, 2), (2, 3), (3, 11)]);
        let counts = filled.iter().map(|filled| filled.interval.responses[0].count());
        assert_eq!(counts.collect::<Vec<_>>(), [1, 1, 1, 7]);
    }
}
