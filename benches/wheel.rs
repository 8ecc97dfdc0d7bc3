//! What a timer costs in time: our wheel, a `BTreeMap`, and the hierarchical_hash_wheel_timer crate.
//!
//! `cargo bench --bench wheel`. Each holds 10, 10,000 or 1,000,000 timers. Two ways of use:
//!
//! - `fresh`: the others lie far off (idle connections); one is armed and cancelled, as the deadline of
//!   a request that is answered, or armed 20 us ahead and expires, as a device's latency;
//! - `any`: deadlines are spread so that one of all falls due every 10 us; one is armed for each that
//!   is cancelled at random or expires. At 1,000,000 this measures the memory's latency as well.
//!
//! Interleaved rounds; prints the medians, asserts nothing.
#![allow(clippy::print_stdout, missing_docs)]

use hierarchical_hash_wheel_timer::IdOnlyTimerEntry;
use hierarchical_hash_wheel_timer::wheels::cancellable::QuadWheelWithOverflow;
use ringpace::clock::Clock;
use ringpace::io::clock::MonotonicClock;
use ringpace::rng::Rng;
use ringpace::timer::wheel::{TimerKey, Wheel};
use ringpace::units::{Mono, Nanos};
use std::collections::BTreeMap;
use std::time::Duration;

/// Between two deadlines, whatever the number of timers.
const GAP: Nanos = Nanos::from_micros(10);
/// Where timers lie that never fall due here: further than all rounds together move the clock.
const FAR: Nanos = Nanos::from_secs(30);
/// What the crate calls a millisecond stands for a tick of our wheel.
const TICK: Nanos = Nanos(8_192);

/// What all three can do. A timer is named by a small number.
trait Timers {
    fn new() -> Self;
    fn arm(&mut self, now: Mono, deadline: Mono, name: usize);
    fn cancel(&mut self, name: usize);
    fn advance(&mut self, now: Mono, expired: &mut Vec<usize>);
}

struct Ours {
    wheel: Wheel<usize>,
    keys: Vec<Option<TimerKey>>,
}

impl Timers for Ours {
    fn new() -> Ours {
        Ours { wheel: Wheel::new(Mono(0)), keys: Vec::new() }
    }

    fn arm(&mut self, _: Mono, deadline: Mono, name: usize) {
        let key = self.wheel.arm(deadline, name);
        if name >= self.keys.len() {
            self.keys.resize(name + 1, None);
        }
        self.keys[name] = Some(key);
    }

    fn cancel(&mut self, name: usize) {
        self.wheel.cancel(self.keys[name].expect("it was armed"));
    }

    fn advance(&mut self, now: Mono, expired: &mut Vec<usize>) {
        self.wheel.advance(now, |name| expired.push(name));
    }
}

#[derive(Default)]
struct Tree {
    by_deadline: BTreeMap<(Mono, usize), ()>,
    deadlines: Vec<Mono>,
}

impl Timers for Tree {
    fn new() -> Tree {
        Tree::default()
    }

    fn arm(&mut self, _: Mono, deadline: Mono, name: usize) {
        self.by_deadline.insert((deadline, name), ());
        if name >= self.deadlines.len() {
            self.deadlines.resize(name + 1, deadline);
        }
        self.deadlines[name] = deadline;
    }

    fn cancel(&mut self, name: usize) {
        self.by_deadline.remove(&(self.deadlines[name], name));
    }

    fn advance(&mut self, now: Mono, expired: &mut Vec<usize>) {
        while let Some(first) = self.by_deadline.first_entry().filter(|first| first.key().0 <= now)
        {
            expired.push(first.remove_entry().0.1);
        }
    }
}

struct Crate {
    wheel: QuadWheelWithOverflow<IdOnlyTimerEntry<usize>>,
    ticks: u64,
}

impl Timers for Crate {
    fn new() -> Crate {
        Crate { wheel: QuadWheelWithOverflow::new(), ticks: 0 }
    }

    fn arm(&mut self, _: Mono, deadline: Mono, name: usize) {
        let delay = Duration::from_millis((deadline.0 / TICK.0).saturating_sub(self.ticks).max(1));
        let armed = self.wheel.insert(IdOnlyTimerEntry::new(name, delay));
        armed.unwrap_or_else(|_| panic!("{delay:?} lies ahead"));
    }

    fn cancel(&mut self, name: usize) {
        self.wheel.cancel(&name).expect("it was armed");
    }

    fn advance(&mut self, now: Mono, expired: &mut Vec<usize>) {
        while self.ticks < now.0 / TICK.0 {
            self.ticks += 1;
            expired.extend(self.wheel.tick().iter().map(|entry| entry.id));
        }
    }
}

/// Timers in a steady state.
struct Bench<T> {
    timers: T,
    now: Mono,
    span: Nanos,
    rng: Rng,
    pending: usize,
    expired: Vec<usize>,
}

impl<T: Timers> Bench<T> {
    fn new(pending: usize) -> Bench<T> {
        let span = Nanos(GAP.0 * pending as u64);
        let mut bench = Bench {
            timers: T::new(),
            now: Mono(0),
            span,
            rng: Rng::new(1),
            pending,
            expired: Vec::new(),
        };
        for name in 0..pending {
            bench.arm(name);
        }
        bench
    }

    fn arm(&mut self, name: usize) {
        let deadline = self.now + Nanos(self.rng.below(2 * self.span.0));
        self.timers.arm(self.now, deadline, name);
    }

    /// The same with all deadlines beyond the bench.
    fn far(pending: usize) -> Bench<T> {
        let mut bench = Bench::<T>::new(0);
        for name in 0..pending {
            let deadline = Mono(FAR.0 + bench.rng.below(FAR.0));
            bench.timers.arm(bench.now, deadline, name);
        }
        bench.pending = pending;
        bench
    }

    /// Time per timer that is armed and cancelled before anything else happens.
    fn arm_and_cancel_fresh(&mut self, count: usize) -> f64 {
        let begun = MonotonicClock.now();
        for _ in 0..count {
            self.now = self.now + Nanos(100);
            self.timers.arm(self.now, self.now + Nanos::from_millis(2), self.pending);
            self.timers.cancel(self.pending);
        }
        (MonotonicClock.now() - begun).0 as f64 / count as f64
    }

    /// Time per timer that is armed two gaps ahead and expires.
    fn arm_and_expire_fresh(&mut self, count: usize) -> f64 {
        let begun = MonotonicClock.now();
        for k in 0..count {
            self.timers.arm(self.now, self.now + Nanos(2 * GAP.0), self.pending + k % 4);
            self.now = self.now + GAP;
            self.timers.advance(self.now, &mut self.expired);
            self.expired.clear();
        }
        (MonotonicClock.now() - begun).0 as f64 / count as f64
    }

    /// Time per cancelled and armed timer.
    fn cancel_and_arm(&mut self, count: usize) -> f64 {
        let begun = MonotonicClock.now();
        for _ in 0..count {
            let name = self.rng.below(self.pending as u64) as usize;
            self.timers.cancel(name);
            self.arm(name);
        }
        (MonotonicClock.now() - begun).0 as f64 / count as f64
    }

    /// Time per expired and armed timer.
    fn expire_and_arm(&mut self, count: usize) -> f64 {
        let begun = MonotonicClock.now();
        let mut done = 0;
        while done < count {
            self.now = self.now + GAP;
            self.timers.advance(self.now, &mut self.expired);
            while let Some(name) = self.expired.pop() {
                self.arm(name);
                done += 1;
            }
        }
        (MonotonicClock.now() - begun).0 as f64 / count as f64
    }
}

fn main() {
    // `cargo test --benches` runs this too: a taste is enough to see that it works.
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let (rounds, count, sizes): (_, _, &[usize]) =
        if is_bench { (15, 100_000, &[10, 10_000, 1_000_000]) } else { (1, 100, &[10, 1_000]) };
    println!("ns per timer, median of {rounds} interleaved rounds of {count}");
    println!("{:>9}  {:<24} {:>13} {:>13} {:>13} {:>13}", "", "", "fresh", "fresh", "any", "any");
    println!(
        "{:>9}  {:<24} {:>13} {:>13} {:>13} {:>13}",
        "pending", "", "arm, cancel", "arm, expire", "arm, cancel", "arm, expire"
    );
    for &pending in sizes {
        compare(pending, rounds, count);
    }
}

fn compare(pending: usize, rounds: usize, count: usize) {
    let mut ours = Pair::<Ours>::new(pending);
    let mut tree = Pair::<Tree>::new(pending);
    let mut other = Pair::<Crate>::new(pending);
    for _ in 0..rounds {
        ours.run(count);
        tree.run(count);
        other.run(count);
    }
    ours.print(pending, "wheel");
    tree.print(pending, "BTreeMap");
    other.print(pending, "hierarchical_hash_wheel");
}

/// Both ways of use of one kind of timers.
struct Pair<T> {
    far: Bench<T>,
    spread: Bench<T>,
    samples: [Vec<f64>; 4],
}

impl<T: Timers> Pair<T> {
    fn new(pending: usize) -> Pair<T> {
        Pair { far: Bench::far(pending), spread: Bench::new(pending), samples: Default::default() }
    }

    fn run(&mut self, count: usize) {
        self.samples[0].push(self.far.arm_and_cancel_fresh(count));
        self.samples[1].push(self.far.arm_and_expire_fresh(count));
        self.samples[2].push(self.spread.cancel_and_arm(count));
        self.samples[3].push(self.spread.expire_and_arm(count));
    }

    fn print(&mut self, pending: usize, name: &str) {
        let [a, b, c, d] = self.samples.each_mut().map(|samples| median(samples));
        println!("{pending:>9}  {name:<24} {a:>13.1} {b:>13.1} {c:>13.1} {d:>13.1}");
    }
}

fn median(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}
