//! What the server counts, and its Prometheus text.
//!
//! Each core writes its own [`Tally`] and nobody else's: a count is a plain load and store of a word
//! that no other core writes, so the hot path pays neither a lock nor a bouncing cache line. Whoever
//! answers `/metrics` reads them all.

use super::router::Call;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The label of a request's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the paths of the API
pub enum Path {
    Status,
    Command,
    Events,
    Health,
    Metrics,
    Other,
}

impl Path {
    const ALL: [(Path, &str); 6] = [
        (Path::Status, "/devices/status"),
        (Path::Command, "/devices/{id}/command"),
        (Path::Events, "/events/live"),
        (Path::Health, "/healthz"),
        (Path::Metrics, "/metrics"),
        (Path::Other, "other"),
    ];

    /// The label for what `call` asks.
    pub fn of(call: &Call) -> Path {
        match call {
            Call::Status => Path::Status,
            Call::Command(_) => Path::Command,
            Call::Events { .. } => Path::Events,
            Call::Health => Path::Health,
            Call::Metrics => Path::Metrics,
            Call::EchoOk | Call::Echo | Call::Answered(_) => Path::Other,
        }
    }
}

/// Statuses that are counted apart; the last stands for all others.
const STATUSES: [u16; 18] =
    [200, 204, 400, 401, 404, 405, 408, 410, 413, 414, 415, 417, 422, 431, 501, 503, 505, 0];

/// A count that one thread writes and any may read.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds `n`. Only the owning core may call it: no read-modify-write is needed with one writer.
    pub fn add(&self, n: u64) {
        self.set(self.get().wrapping_add(n));
    }

    /// Replaces the count, as [`Count::add`] restricted to the owner.
    pub fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    /// The count, perhaps a moment old.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one core counts. Aligned, so that two cores' counts share no cache line.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Tally {
    answers: [[Count; STATUSES.len()]; Path::ALL.len()],
    /// Connections open now.
    pub connections: Count,
    /// Polls parked now.
    pub parked: Count,
    /// Timers armed now.
    pub timers: Count,
    /// Turns of the loop.
    pub turns: Count,
    /// System calls made.
    pub syscalls: Count,
    /// Connections accepted.
    pub accepted: Count,
    /// Bytes received.
    pub received_bytes: Count,
    /// Bytes handed to the kernel.
    pub sent_bytes: Count,
    /// Times the kernel found no receive buffer.
    pub out_of_buffers: Count,
    /// Times accepting paused because descriptors ran out.
    pub accept_pauses: Count,
    /// Times the completion queue overflowed.
    pub overflows: Count,
    /// Connections that met a limit on their number.
    pub refused: Count,
    /// Lines of the access log for which there was no room.
    pub log_drops: Count,
}

impl Tally {
    /// Counts an answer.
    pub fn answered(&self, path: Path, status: u16) {
        let index = STATUSES.iter().position(|known| *known == status);
        self.answers[path as usize][index.unwrap_or(STATUSES.len() - 1)].add(1);
    }
}

/// The tallies of all cores. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<[Core]>);

#[derive(Debug)]
struct Core {
    cpu: String,
    tally: Tally,
}

/// A family of metrics that has one sample per core.
type Family = (&'static str, &'static str, &'static str, fn(&Tally) -> &Count);

const FAMILIES: [Family; 13] = [
    ("connections", "gauge", "Connections open now.", |t| &t.connections),
    ("parked_polls", "gauge", "Long polls waiting for an event.", |t| &t.parked),
    ("timers", "gauge", "Timers armed.", |t| &t.timers),
    ("loop_turns_total", "counter", "Turns of the event loop.", |t| &t.turns),
    ("syscalls_total", "counter", "System calls made by the event loop.", |t| &t.syscalls),
    ("accepted_total", "counter", "Connections accepted.", |t| &t.accepted),
    ("received_bytes_total", "counter", "Bytes received.", |t| &t.received_bytes),
    ("sent_bytes_total", "counter", "Bytes handed to the kernel.", |t| &t.sent_bytes),
    ("out_of_buffers_total", "counter", "Receives that found no buffer.", |t| &t.out_of_buffers),
    ("accept_pauses_total", "counter", "Pauses for want of descriptors.", |t| &t.accept_pauses),
    ("overflows_total", "counter", "Completion queue overflows.", |t| &t.overflows),
    ("refused_total", "counter", "Connections beyond a limit on their number.", |t| &t.refused),
    ("access_log_dropped_total", "counter", "Access log lines without room.", |t| &t.log_drops),
];

impl Metrics {
    /// One tally per worker, labelled with its CPU.
    pub fn new(cpus: impl IntoIterator<Item = String>) -> Metrics {
        Metrics(cpus.into_iter().map(|cpu| Core { cpu, tally: Tally::default() }).collect())
    }

    /// The tally of worker `index`.
    pub fn tally(&self, index: usize) -> &Tally {
        &self.0[index].tally
    }

    /// What worker `index` is called.
    pub fn label(&self, index: usize) -> &str {
        &self.0[index].cpu
    }

    /// All counts in Prometheus's text format 0.0.4. `answering` is the tally of the core that answers:
    /// whoever asks on a connection learns by it whose the connection is.
    pub fn render(&self, answering: &Tally) -> String {
        let mut text = String::with_capacity(4096);
        head(&mut text, "answering_core", "gauge", "The core that answers this request.");
        for core in self.0.iter().filter(|core| std::ptr::eq(&core.tally, answering)) {
            sample(&mut text, "answering_core", &format!("core=\"{}\"", core.cpu), 1);
        }
        head(&mut text, "requests_total", "counter", "Requests answered.");
        for core in self.0.iter() {
            for ((_, path), counts) in Path::ALL.iter().zip(&core.tally.answers) {
                for (status, count) in STATUSES.iter().zip(counts).filter(|(_, c)| c.get() > 0) {
                    let status = if *status == 0 { "other".into() } else { status.to_string() };
                    let labels =
                        format!("core=\"{}\",path=\"{path}\",status=\"{status}\"", core.cpu);
                    sample(&mut text, "requests_total", &labels, count.get());
                }
            }
        }
        for (name, kind, sentence, count) in FAMILIES {
            head(&mut text, name, kind, sentence);
            for core in self.0.iter() {
                let labels = format!("core=\"{}\"", core.cpu);
                sample(&mut text, name, &labels, count(&core.tally).get());
            }
        }
        text
    }
}

fn head(text: &mut String, name: &str, kind: &str, sentence: &str) {
    writeln!(text, "# HELP ringpace_{name} {sentence}\n# TYPE ringpace_{name} {kind}")
        .expect("writing to a String cannot fail");
}

fn sample(text: &mut String, name: &str, labels: &str, value: u64) {
    writeln!(text, "ringpace_{name}{{{labels}}} {value}").expect("writing to a String cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_core_and_answer_stands_in_the_text() {
        let metrics = Metrics::new(["0".to_string(), "3".to_string()]);
        metrics.tally(0).answered(Path::Status, 200);
        metrics.tally(1).answered(Path::Other, 499);
        metrics.tally(1).connections.set(7);
        let text = metrics.render(metrics.tally(1));
        for line in [
            "ringpace_answering_core{core=\"3\"} 1",
            "ringpace_requests_total{core=\"0\",path=\"/devices/status\",status=\"200\"} 1",
            "ringpace_requests_total{core=\"3\",path=\"other\",status=\"other\"} 1",
            "ringpace_connections{core=\"3\"} 7",
            "# TYPE ringpace_connections gauge",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
        }
        assert!(!text.contains("answering_core{core=\"0\"}"), "{text}");
    }

    #[test]
    fn the_labels_stand_in_the_order_of_the_variants() {
        for (index, (path, _)) in Path::ALL.iter().enumerate() {
            assert_eq!(*path as usize, index);
        }
    }
}
