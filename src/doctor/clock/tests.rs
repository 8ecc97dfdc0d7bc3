use super::*;
use crate::clock::FakeClock;
use crate::doctor::machine::tests::{Tree, pick};
use crate::units::Mono;
use std::cell::Cell;

#[track_caller]
fn check(source: &str, available: &str, cost: u64, severity: Severity, mend: Option<&str>) {
    let tree = Tree::new(&[(SOURCE, source), (SOURCES, available)]);
    let finding = pick(&findings(&tree.machine(&[0]), Nanos(cost)), "clock-source");
    assert_eq!(finding.severity, severity, "{source} at {cost} ns");
    assert_eq!(finding.mend.as_deref().map(|mend| mend.split(' ').next().unwrap()), mend);
}

#[test]
fn the_cost_of_reading_counts_as_well_as_the_source() {
    check("tsc\n", "tsc hpet\n", 25, Severity::Good, None);
    check("tsc\n", "tsc hpet\n", 900, Severity::Warn, None);
    check("kvm-clock\n", "kvm-clock\n", 35, Severity::Good, None);
    check("hpet\n", "tsc hpet acpi_pm\n", 700, Severity::Bad, Some("echo"));
    check("hpet\n", "hpet acpi_pm\n", 700, Severity::Bad, Some("#"));
}

/// Each reading takes the next of its costs, again and again.
struct DearClock<'a> {
    now: FakeClock,
    costs: &'a [u64],
    readings: Cell<usize>,
}

impl Clock for DearClock<'_> {
    fn now(&self) -> Mono {
        let reading = self.readings.get();
        self.readings.set(reading + 1);
        self.now.advance(Nanos(self.costs[reading % self.costs.len()]));
        self.now.now()
    }
}

#[test]
fn the_cost_is_that_of_the_fastest_batch() {
    let costs = |costs| {
        let now = FakeClock::at(Mono(0));
        read_cost(&DearClock { now, costs, readings: Cell::new(0) })
    };
    assert_eq!(costs(&[30]), Nanos(30));
    assert_eq!(costs(&[20, 40]), Nanos(30));
    // One disturbance in nine batches of ten.
    let mut disturbed = vec![30; 10_010];
    (0..9).for_each(|batch| disturbed[batch * 1_001 + 500] = 5_000_000);
    assert_eq!(costs(&disturbed), Nanos(30));
}

#[test]
fn slack_above_the_default_is_told() {
    let slack = |text: &str| {
        let tree = Tree::new(&[("proc/self/timerslack_ns", text)]);
        let findings = findings(&tree.machine(&[0]), Nanos(25));
        findings.into_iter().find(|finding| finding.id == "timer-slack").map(|f| f.severity)
    };
    assert_eq!(slack("50000\n"), Some(Severity::Good));
    assert_eq!(slack("1000000\n"), Some(Severity::Warn));
    assert_eq!(slack("soon\n"), None);
}
