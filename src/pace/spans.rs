//! What a server says in Server-Timing over a run: a distribution for each name.
//!
//! Memory is bounded: names beyond the first [`NAMES_MAX`] are counted, not kept. Start at
//! [`Spans::record`].

use crate::http::server_timing::ServerTiming;
use crate::stats::Histogram;

/// Chosen: 16 histograms are 4 MiB; a server that makes up a name per request fills no memory.
pub const NAMES_MAX: usize = 16;

/// Distributions by name, in the order in which the names came up.
#[derive(Clone, Debug, Default)]
pub struct Spans {
    named: Vec<(String, Histogram)>,
    malformed: u64,
    dropped: u64,
}

impl Spans {
    /// Adds what one answer said. The first of a name allocates.
    pub fn record(&mut self, timing: &ServerTiming) {
        self.malformed += u64::from(timing.is_malformed());
        for span in timing.spans() {
            match self.entry(span.name()) {
                Some(histogram) => histogram.record(span.span),
                None => self.dropped += 1,
            }
        }
    }

    /// The distribution of each name.
    pub fn named(&self) -> &[(String, Histogram)] {
        &self.named
    }

    /// Answers with a field that did not follow the grammar.
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// Spans under names beyond the bound.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Adds what another thread of the same run was told.
    pub fn merge(&mut self, other: &Spans) {
        self.malformed += other.malformed;
        self.dropped += other.dropped;
        for (name, histogram) in &other.named {
            match self.entry(name) {
                Some(own) => own.merge(histogram),
                None => self.dropped += histogram.count(),
            }
        }
    }

    fn entry(&mut self, name: &str) -> Option<&mut Histogram> {
        let at = self.named.iter().position(|(other, _)| other == name).or_else(|| {
            (self.named.len() < NAMES_MAX).then(|| {
                self.named.push((String::from(name), Histogram::new()));
                self.named.len() - 1
            })
        })?;
        Some(&mut self.named[at].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Nanos;

    fn told(value: &str) -> ServerTiming {
        let mut timing = ServerTiming::default();
        timing.read(value.as_bytes());
        timing
    }

    #[test]
    fn names_have_a_distribution_each_and_threads_add_up() {
        let (mut one, mut two) = (Spans::default(), Spans::default());
        one.record(&told("queue;dur=1, work;dur=2"));
        two.record(&told("work;dur=4"));
        two.record(&told("work;dur=x"));
        one.merge(&two);
        let figures: Vec<(&str, u64, Option<Nanos>)> = one
            .named()
            .iter()
            .map(|(name, spans)| (name.as_str(), spans.count(), spans.max().finite()))
            .collect();
        assert_eq!(
            figures,
            [("queue", 1, Some(Nanos(1_000_000))), ("work", 2, Some(Nanos(4_000_000)))]
        );
        assert_eq!((one.malformed(), one.dropped()), (1, 0));
    }

    #[test]
    fn a_server_that_makes_up_names_fills_no_memory() {
        let mut spans = Spans::default();
        (0..40).for_each(|k| spans.record(&told(&format!("n{k};dur=1"))));
        let mut more = spans.clone();
        more.record(&told("other;dur=1"));
        spans.merge(&more);
        assert_eq!((spans.named().len(), spans.dropped()), (NAMES_MAX, 24 + 25));
    }
}
