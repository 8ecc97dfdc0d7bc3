//! The house under loom, which tries every interleaving and every value a weak memory may yield.
//!
//! Each model is kept small enough to be exhausted: two producers of one event each and one core.
//! Run with `RUSTFLAGS="--cfg loom" cargo test --release --lib home`.

use super::*;
use ::loom::sync::Arc;
use ::loom::sync::atomic::{AtomicUsize, Ordering};
use ::loom::thread;

fn toggle(device: Device) -> Change {
    Change::parse(device, "toggle", None).unwrap()
}

/// Applies one toggle, then wakes whoever it has to: `woken` counts.
fn produce(home: &Home, device: Device, woken: &AtomicUsize) -> Event {
    let event = home.apply(toggle(device));
    for core in home.cores_to_wake() {
        assert_eq!(core, 0);
        woken.fetch_add(1, Ordering::Release);
    }
    event
}

#[test]
fn two_toggles_of_one_device_are_one_after_the_other() {
    ::loom::model(|| {
        let home = Arc::new(Home::new(2));
        let other = {
            let home = home.clone();
            thread::spawn(move || home.apply(toggle(Device::Camera)))
        };
        let mut events = [home.apply(toggle(Device::Camera)), other.join().unwrap()];
        events.sort_by_key(|event| event.seq);
        assert_eq!(events.map(|event| (event.seq.0, event.value.0)), [(1, 1), (2, 0)]);
        assert_eq!(home.snapshot().seq(), Seq(2));
        assert_eq!(home.first_after(Seq(0)), FirstAfter::Event(events[0]));
        assert_eq!(home.first_after(Seq(1)), FirstAfter::Event(events[1]));
        assert_eq!(home.first_after(Seq(2)), FirstAfter::NotYet);
    });
}

#[test]
fn a_reader_gets_each_event_once_and_in_order() {
    ::loom::model(|| {
        let home = Arc::new(Home::new(2));
        let producers = [Device::Lock, Device::Camera].map(|device| {
            let home = home.clone();
            thread::spawn(move || home.apply(toggle(device)))
        });
        let mut seen = Vec::new();
        for _ in 0..2 {
            let since = Seq(seen.len() as u64);
            match home.first_after(since) {
                FirstAfter::Event(event) => {
                    assert_eq!(event.seq.0, since.0 + 1);
                    assert!(home.newest() >= event.seq, "seen before it was claimed");
                    seen.push(event);
                }
                FirstAfter::NotYet => {}
                FirstAfter::Gone { .. } => panic!("two events fit into the log"),
            }
        }
        let mut applied = producers.map(|producer| producer.join().unwrap());
        applied.sort_by_key(|event| event.seq);
        while let FirstAfter::Event(event) = home.first_after(Seq(seen.len() as u64)) {
            seen.push(event);
        }
        assert_eq!(seen, applied);
    });
}

#[test]
fn whoever_saw_an_event_sees_it_in_every_later_snapshot() {
    ::loom::model(|| {
        let home = Arc::new(Home::new(2));
        let producer = {
            let home = home.clone();
            thread::spawn(move || home.apply(toggle(Device::Lock)))
        };
        if let FirstAfter::Event(event) = home.first_after(Seq(0)) {
            assert_eq!(home.snapshot().value(event.device), event.value);
        }
        producer.join().unwrap();
        assert_eq!(home.snapshot().value(Device::Lock), Value(0));
    });
}

#[test]
fn a_producer_that_stalled_for_a_lap_does_not_overwrite_the_newer_event() {
    ::loom::model(|| {
        // A log of one slot: the second event is a lap ahead of the first.
        let home = Arc::new(Home::new(1));
        let other = {
            let home = home.clone();
            thread::spawn(move || home.apply(toggle(Device::Camera)))
        };
        let mine = home.apply(toggle(Device::Lock));
        let theirs = other.join().unwrap();
        let newer = if mine.seq > theirs.seq { mine } else { theirs };
        assert_eq!(home.first_after(Seq(1)), FirstAfter::Event(newer));
        assert_eq!(home.first_after(Seq(0)), FirstAfter::Gone { oldest: Seq(2) });
    });
}

#[test]
fn a_core_that_falls_asleep_has_the_event_or_is_woken() {
    ::loom::model(|| {
        let home = Arc::new(Home::new(2));
        let woken = Arc::new(AtomicUsize::new(0));
        let producer = {
            let (home, woken) = (home.clone(), woken.clone());
            thread::spawn(move || produce(&home, Device::Lock, &woken))
        };
        home.announce_sleep(0);
        let asleep = home.first_after(Seq(0)) == FirstAfter::NotYet;
        producer.join().unwrap();
        if asleep {
            assert_eq!(woken.load(Ordering::Acquire), 1, "a lost wake-up");
        }
        assert!(matches!(home.first_after(Seq(0)), FirstAfter::Event(_)));
    });
}

#[test]
fn of_two_producers_exactly_one_wakes_a_sleeping_core() {
    ::loom::model(|| {
        let home = Arc::new(Home::new(2));
        let woken = Arc::new(AtomicUsize::new(0));
        home.announce_sleep(0);
        assert_eq!(home.first_after(Seq(0)), FirstAfter::NotYet);
        let producer = {
            let (home, woken) = (home.clone(), woken.clone());
            thread::spawn(move || produce(&home, Device::Lock, &woken))
        };
        produce(&home, Device::Camera, &woken);
        producer.join().unwrap();
        assert_eq!(woken.load(Ordering::Acquire), 1);
        home.retract_sleep(0);
        assert_eq!(home.cores_to_wake().count(), 0);
    });
}

#[test]
fn a_core_woken_too_early_for_its_event_is_woken_again() {
    ::loom::model(|| {
        // The second event may be published, and wake the core, while the first is only claimed.
        let home = Arc::new(Home::new(2));
        let woken = Arc::new(AtomicUsize::new(0));
        let producers = [Device::Lock, Device::Camera].map(|device| {
            let (home, woken) = (home.clone(), woken.clone());
            thread::spawn(move || produce(&home, device, &woken))
        });
        home.announce_sleep(0);
        let mut wakes_used = 0;
        let mut asleep = home.first_after(Seq(0)) == FirstAfter::NotYet;
        if asleep && woken.load(Ordering::Acquire) > 0 {
            wakes_used = 1;
            home.retract_sleep(0);
            home.announce_sleep(0);
            asleep = home.first_after(Seq(0)) == FirstAfter::NotYet;
        }
        for producer in producers {
            producer.join().unwrap();
        }
        if asleep {
            assert!(woken.load(Ordering::Acquire) > wakes_used, "a lost wake-up");
        }
    });
}
