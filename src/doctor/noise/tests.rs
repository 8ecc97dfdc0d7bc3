use super::*;
use crate::clock::FakeClock;
use crate::units::Mono;
use std::cell::Cell;

/// A clock of which each reading takes 100 ns, but every thousandth the gap.
struct GappyClock {
    now: FakeClock,
    gap: Nanos,
    readings: Cell<u64>,
}

impl Clock for GappyClock {
    fn now(&self) -> Mono {
        let reading = self.readings.get();
        self.readings.set(reading + 1);
        self.now.advance(if reading % 1_000 == 999 { self.gap } else { Nanos(100) });
        self.now.now()
    }
}

const SPAN: Nanos = Nanos::from_millis(20);

fn spin_with(gap: Nanos) -> Noise {
    let clock = GappyClock { now: FakeClock::at(Mono(7)), gap, readings: Cell::new(0) };
    spin(&clock, 3, SPAN)
}

#[track_caller]
fn check_near(value: f64, expected: f64) {
    assert!((value - expected).abs() <= 0.02 * expected, "{value} is not {expected} within 2 %");
}

#[test]
fn a_gap_is_counted_in_every_class_that_it_exceeds() {
    // A thousand readings take 99.9 us and the gap.
    let noise = spin_with(Nanos::from_micros(150));
    check_near(noise.over_10us_per_s, 1e6 / 249.9);
    check_near(noise.over_100us_per_s, 1e6 / 249.9);
    assert_eq!(noise.over_1ms_per_s, 0.0);
    check_near(noise.lost_share, 150.0 / 249.9);
    assert_eq!((noise.cpu, noise.p50_ns, noise.p99_ns), (3, 100, 100));
    assert_eq!(noise.max_ns, 150_000);
}

#[test]
fn the_shortest_gap_that_counts_is_above_ten_microseconds() {
    let noise = spin_with(Nanos::from_micros(10));
    assert_eq!((noise.over_10us_per_s, noise.lost_share), (0.0, 0.0));
    assert!(spin_with(Nanos(10_001)).over_10us_per_s > 0.0);
}

#[test]
fn spinning_ends_with_the_first_reading_after_its_span() {
    let noise = spin_with(Nanos::from_millis(1));
    assert!((SPAN.0..SPAN.0 + 1_000_100).contains(&noise.spun_ns), "{}", noise.spun_ns);
}

#[test]
fn the_worst_cpu_is_judged_by_the_share_that_it_lost() {
    let judge = |shares: &[f64]| {
        let quiet = spin_with(Nanos(100));
        let noise = shares.iter().enumerate();
        let noise = noise.map(|(cpu, share)| Noise { cpu, lost_share: *share, ..quiet.clone() });
        findings(&noise.collect::<Vec<_>>()).pop().map(|finding| (finding.severity, finding.seen))
    };
    assert_eq!(judge(&[]), None);
    let severity = |shares| judge(shares).map(|(severity, _)| severity);
    assert_eq!(severity(&[0.0, 0.000_9]), Some(Severity::Good));
    assert_eq!(severity(&[0.001, 0.0]), Some(Severity::Warn));
    let (severity, seen) = judge(&[0.001, 0.02, 0.003]).unwrap();
    assert_eq!(severity, Severity::Bad);
    assert!(seen.starts_with("A spinning thread lost 2.000 % of its time on CPU 1"), "{seen}");
}
