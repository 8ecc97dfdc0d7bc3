//! From the pairs of several restarts to what two servers differ by, and how sure that is.
//!
//! Of one restart: the median difference of the pairs in which A went first, and of those in which B
//! did; half their sum is the difference, free of what going first does, and half their *difference*
//! is what going first does. Of several restarts: the mean. How far that may be off is drawn by a
//! bootstrap of two levels, restarts and within them blocks of time (a process's layout in memory
//! shifts it as a whole, and neighbouring answers resemble one another), and widened by Student's t
//! for there are few restarts. Of many findings each is surer, so that the stated confidence holds for
//! all of one time together (Bonferroni): response time and service time are families of their own.
//! Deterministic. Sources: Kalibera, Jones, "Rigorous Benchmarking in Reasonable Time", ISMM 2013
//! (levels); Kunsch, Annals of Statistics 17, 1989 (blocks).
//!
//! What makes a run INVALID hits both servers, so pairs are taken from every run. Start at
//! [`findings`].

use crate::bench::difference::worded;
use crate::results::bench::{Finding, Interval};
use crate::results::duet::{Cell, DuetFinding, KindPairs, Pairs};
use crate::rng::Rng;
use crate::stats::beta::student;
use crate::stats::compare::{CONFIDENCE, family, paired};

/// Chosen: the spread is then known to 5 %.
const DRAWS: usize = 200;
/// Chosen: below, a median's spread says little.
const PAIRS_MIN: u64 = 30;

/// Of each kind at each rate: the difference of a time, and which fails more often.
const STATEMENTS: usize = 2;

/// The findings of one rate whose restarts left `restarts`, of which all have the same kinds. With
/// `kinds_in_all`, of all rates, those of one time (response or service) hold together.
pub fn findings(
    rate: &str,
    restarts: &[Pairs],
    kinds_in_all: usize,
    seed: u64,
) -> Vec<DuetFinding> {
    let Some(first) = restarts.first() else { return Vec::new() };
    let confidence = family(STATEMENTS * kinds_in_all);
    let mut findings = Vec::new();
    for (index, kind) in first.requests.iter().enumerate() {
        let kinds: Vec<&KindPairs> =
            restarts.iter().filter_map(|pairs| pairs.requests.get(index)).collect();
        for time in TIMES {
            let finding = find(&kinds, time, confidence, seed);
            findings.push(DuetFinding {
                rate: rate.to_owned(),
                request: kind.name.clone(),
                ..finding
            });
        }
    }
    findings
}

/// A time that is compared.
#[derive(Clone, Copy)]
struct Time {
    name: &'static str,
    of: fn(&Cell) -> &[(i64, u64)],
}

const TIMES: [Time; 2] = [
    Time { name: "response", of: |cell| &cell.response_ns },
    Time { name: "service", of: |cell| &cell.service_ns },
];

fn find(kinds: &[&KindPairs], time: Time, confidence: f64, seed: u64) -> DuetFinding {
    let cells =
        || kinds.iter().flat_map(|kind| &kind.blocks).flat_map(|b| [&b.a_first, &b.b_first]);
    let total = |count: fn(&Cell) -> u64| cells().map(count).sum::<u64>();
    let both_failed = total(|cell| cell.both_failed);
    let [only_a_failed, only_b_failed] =
        [total(|cell| cell.only_a_failed), total(|cell| cell.only_b_failed)];
    let pairs = total(Cell::pairs) - both_failed;
    let blocks = kinds.iter().flat_map(|kind| &kind.blocks);
    let a_first = blocks.map(|block| block.a_first.pairs() - block.a_first.both_failed);
    let restarts: Vec<Restart> = kinds.iter().map(|kind| Restart::new(kind, time)).collect();
    let each: Vec<Option<Effects>> = restarts.iter().map(Restart::effects).collect();
    let whole: Option<Vec<Effects>> = each.iter().copied().collect();
    let whole = whole.as_deref().and_then(mean);
    let spread = whole.and_then(|_| spread(&restarts, confidence, seed));
    let interval = |of: fn(Effects) -> f64| {
        let (middle, half) = (of(whole?), of(spread?));
        let [low_ns, high_ns] = [middle - half, middle + half].map(Some);
        Some(Interval { low_ns, high_ns, confidence: CONFIDENCE })
    };
    let difference = interval(|effects| effects.difference);
    DuetFinding {
        rate: String::new(),
        request: String::new(),
        time: time.name.to_owned(),
        pairs,
        a_first: a_first.sum(),
        restarts: kinds.len() as u32,
        difference_ns: whole.map(|effects| effects.difference),
        interval: difference,
        each_ns: each.iter().map(|each| each.map(|effects| effects.difference)).collect(),
        order_ns: whole.map(|effects| effects.order),
        order_interval: interval(|effects| effects.order),
        finding: judged(pairs, difference),
        only_a_failed,
        only_b_failed,
        both_failed,
        failures: judged_failures(kinds, confidence),
    }
}

fn judged(pairs: u64, interval: Option<Interval>) -> Finding {
    let Some(Interval { low_ns: Some(low), high_ns: Some(high), .. }) = interval else {
        return Finding::TooFewRequests;
    };
    match () {
        () if pairs < PAIRS_MIN => Finding::TooFewRequests,
        () if low > 0.0 => Finding::Higher,
        () if high < 0.0 => Finding::Lower,
        () => Finding::HoldsZero,
    }
}

/// Whether one of them fails more often. Timeouts come in bursts, so the pairs of a restart are no
/// sample of failures; the restarts are, and of few of them the counts say how sure each is at most.
fn judged_failures(kinds: &[&KindPairs], confidence: f64) -> Finding {
    let alone = |kind: &&KindPairs| {
        let cells = kind.blocks.iter().flat_map(|block| [&block.a_first, &block.b_first]);
        cells.fold((0.0, 0.0), |(a, b), cell| {
            (a + cell.only_a_failed as f64, b + cell.only_b_failed as f64)
        })
    };
    let (more, within): (Vec<f64>, Vec<f64>) =
        kinds.iter().map(alone).map(|(a, b)| (a - b, a + b)).unzip();
    worded(paired(&more, &within, 0.0, confidence).finding)
}

/// What tells A from B, and the first of a pair from the second.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Effects {
    difference: f64,
    order: f64,
}

impl Effects {
    const NONE: Effects = Effects { difference: 0.0, order: 0.0 };

    fn map2(self, other: Effects, join: impl Fn(f64, f64) -> f64) -> Effects {
        let difference = join(self.difference, other.difference);
        Effects { difference, order: join(self.order, other.order) }
    }
}

fn mean(effects: &[Effects]) -> Option<Effects> {
    let sum = effects.iter().fold(Effects::NONE, |sum, each| sum.map2(*each, |a, b| a + b));
    let count = effects.len() as f64;
    (!effects.is_empty()).then(|| sum.map2(Effects::NONE, |sum, _| sum / count))
}

/// The differences of one restart, as often drawn from as need be: by who went first.
struct Restart([Ordered; 2]);

/// Differences with A, or B, in front.
struct Ordered {
    /// All there are, ascending.
    values: Vec<f64>,
    /// By block: index into `values`, and how many.
    blocks: Vec<Vec<(usize, u64)>>,
}

impl Restart {
    fn new(kind: &KindPairs, time: Time) -> Restart {
        let ordered = |cell: fn(&crate::results::duet::Block) -> &Cell| {
            Ordered::new(kind.blocks.iter().map(|block| counts(cell(block), time)).collect())
        };
        Restart([ordered(|block| &block.a_first), ordered(|block| &block.b_first)])
    }

    fn effects(&self) -> Option<Effects> {
        self.effects_of(&vec![1; self.0[0].blocks.len()])
    }

    /// With each block taken so many times. `None` without a pair of each order, or if the half of
    /// them failed.
    fn effects_of(&self, times: &[u64]) -> Option<Effects> {
        let [a_first, b_first] = [self.0[0].median(times)?, self.0[1].median(times)?];
        let effects =
            Effects { difference: (a_first + b_first) / 2.0, order: (a_first - b_first) / 2.0 };
        (a_first.is_finite() && b_first.is_finite()).then_some(effects)
    }
}

/// The differences of a cell, with those of failures at the ends.
fn counts(cell: &Cell, time: Time) -> Vec<(f64, u64)> {
    let answered = (time.of)(cell).iter().map(|(ns, count)| (*ns as f64, *count));
    let all = std::iter::once((f64::NEG_INFINITY, cell.only_b_failed))
        .chain(answered)
        .chain([(f64::INFINITY, cell.only_a_failed)]);
    all.filter(|(_, count)| *count > 0).collect()
}

impl Ordered {
    fn new(blocks: Vec<Vec<(f64, u64)>>) -> Ordered {
        let mut values: Vec<f64> = blocks.iter().flatten().map(|(value, _)| *value).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let at = |value: f64| values.partition_point(|other| *other < value);
        let indexed = blocks
            .iter()
            .map(|block| block.iter().map(|(value, count)| (at(*value), *count)).collect())
            .collect();
        Ordered { blocks: indexed, values }
    }

    /// The median, with each block taken so many times; of an even number the mean of the two in the
    /// middle.
    fn median(&self, times: &[u64]) -> Option<f64> {
        let mut counts = vec![0; self.values.len()];
        for (block, times) in self.blocks.iter().zip(times).filter(|(_, times)| **times > 0) {
            block.iter().for_each(|(index, count)| counts[*index] += count * times);
        }
        let total: u64 = counts.iter().sum();
        let middle = |rank: u64| {
            let mut seen = 0;
            let index = counts.iter().position(|count| {
                seen += count;
                seen > rank
            });
            index.map(|index| self.values[index])
        };
        let (low, high) = (middle(total.checked_sub(1)? / 2)?, middle(total / 2)?);
        Some(low / 2.0 + high / 2.0)
    }
}

/// Half the width of the intervals.
fn spread(restarts: &[Restart], confidence: f64, seed: u64) -> Option<Effects> {
    let mut rng = Rng::new(seed);
    let draws: Option<Vec<Effects>> = (0..DRAWS).map(|_| draw(restarts, &mut rng)).collect();
    let draws = draws?;
    let middle = mean(&draws)?;
    let squares =
        draws.iter().map(|draw| draw.map2(middle, |draw, middle| (draw - middle).powi(2)));
    let variance = mean(&squares.collect::<Vec<_>>())?;
    // A draw of n restarts varies by (n - 1) / n of what another n would; a single one tells nothing
    // of others, and stands for itself alone.
    let (freedom, scale) = match restarts.len() {
        1 => (restarts[0].0[0].blocks.len().saturating_sub(1).max(1), 1.0),
        n => (n - 1, n as f64 / (n - 1) as f64),
    };
    let t = student(confidence, freedom as f64);
    Some(variance.map2(Effects::NONE, |variance, _| t * (scale * variance).sqrt()))
}

/// As many restarts, and of each as many blocks, drawn with replacement.
fn draw(restarts: &[Restart], rng: &mut Rng) -> Option<Effects> {
    let drawn: Option<Vec<Effects>> = (0..restarts.len())
        .map(|_| {
            let restart = &restarts[rng.below(restarts.len() as u64) as usize];
            let blocks = restart.0[0].blocks.len();
            let mut times = vec![0; blocks];
            (0..blocks).for_each(|_| times[rng.below(blocks as u64) as usize] += 1);
            // With very few pairs a draw may hold none of an order.
            restart.effects_of(&times).or_else(|| restart.effects())
        })
        .collect();
    mean(&drawn?)
}

#[cfg(test)]
mod tests;
