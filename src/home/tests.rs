//! The house on one thread, step by step, and on four, by replaying what its log says.

use super::*;
use crate::rng::Rng;

fn change(device: Device, action: &str, number: Option<f64>) -> Change {
    Change::parse(device, action, number).expect("a valid command")
}

/// Applies `count` settings of the light, to 0, 1, 2 and so on.
fn dim(home: &Home, count: u16) {
    for step in 0..count {
        home.apply(change(Device::Light, "set", Some(f64::from(step % 101))));
    }
}

#[track_caller]
fn check_after(home: &Home, since: u64, expected: FirstAfter) {
    assert_eq!(home.first_after(Seq(since)), expected, "after {since}");
}

fn light_event(seq: u64, value: u16) -> FirstAfter {
    FirstAfter::Event(Event { seq: Seq(seq), device: Device::Light, value: Value(value) })
}

#[test]
fn the_house_starts_as_the_api_says() {
    let house = Home::new(1).snapshot();
    assert_eq!(house.seq(), Seq(0));
    assert_eq!(Device::ALL.map(|device| house.value(device).0), [100, 215, 1, 0, 47]);
}

#[test]
fn a_change_touches_its_device_and_nothing_else() {
    let home = Home::new(64);
    let mut expected = [100, 215, 1, 0, 47];
    let mut rng = Rng::new(1);
    for seq in 1..2_000 {
        let place = rng.below(4) as usize;
        let (least, greatest) = Device::ALL[place].range().unwrap();
        let value = least.0 + rng.below(u64::from(greatest.0 - least.0) + 1) as u16;
        let number = if place == 1 { f64::from(value) / 10.0 } else { f64::from(value) };
        let event = home.apply(change(Device::ALL[place], "set", Some(number)));
        expected[place] = value;
        assert_eq!(event.seq, Seq(seq));
        assert_eq!(home.newest(), Seq(seq));
        assert_eq!(home.first_after(Seq(seq - 1)), FirstAfter::Event(event));
        assert_eq!(Device::ALL.map(|device| home.snapshot().value(device).0), expected);
    }
}

#[test]
fn events_are_found_until_the_ring_comes_round() {
    let home = Home::new(4);
    check_after(&home, 0, FirstAfter::NotYet);
    dim(&home, 4);
    check_after(&home, 0, light_event(1, 0));
    check_after(&home, 3, light_event(4, 3));
    check_after(&home, 4, FirstAfter::NotYet);
    dim(&home, 1);
    check_after(&home, 0, FirstAfter::Gone { oldest: Seq(2) });
    check_after(&home, 1, light_event(2, 1));
    check_after(&home, 4, light_event(5, 0));
}

#[test]
fn the_oldest_seq_that_a_late_reader_is_told_is_one_it_can_have() {
    let home = Home::new(8);
    for _ in 0..100 {
        dim(&home, 3);
        if let FirstAfter::Gone { oldest } = home.first_after(Seq(0)) {
            assert!(matches!(
                home.first_after(Seq(oldest.0 - 1)),
                FirstAfter::Event(event) if event.seq == oldest
            ));
            check_after(&home, oldest.0 - 2, FirstAfter::Gone { oldest });
        }
    }
}

#[test]
fn a_seq_that_nobody_has_reached_is_not_yet() {
    let home = Home::new(4);
    dim(&home, 9);
    for since in [9, 10, 1 << 20, SEQ_MAX - 1, SEQ_MAX, SEQ_MAX + 1, u64::MAX] {
        check_after(&home, since, FirstAfter::NotYet);
    }
}

#[test]
fn an_event_claimed_but_not_published_is_not_yet_even_a_lap_later() {
    let home = Home::new(2);
    dim(&home, 1);
    // A producer claims seq 2 and stalls: only the state has changed.
    let (after, stalled) = home.snapshot().after(change(Device::Light, "off", None));
    home.state.0.store(after.0, Ordering::Relaxed);
    check_after(&home, 1, FirstAfter::NotYet);
    dim(&home, 1);
    check_after(&home, 1, FirstAfter::NotYet);
    check_after(&home, 2, light_event(3, 0));
    // The lap's producer takes the slot; the stalled one comes too late to change that.
    dim(&home, 1);
    check_after(&home, 1, FirstAfter::Gone { oldest: Seq(3) });
    home.log.publish(stalled);
    check_after(&home, 3, light_event(4, 0));
    check_after(&home, 1, FirstAfter::Gone { oldest: Seq(3) });
}

#[test]
fn each_sleeping_core_is_woken_once_per_sleep() {
    let home = Home::new(2);
    assert_eq!(home.cores_to_wake().next(), None);
    let sleeping = [0, 1, 63, 64, 700, CORES_MAX - 1];
    for core in sleeping {
        home.announce_sleep(core);
        home.announce_sleep(core);
    }
    home.announce_sleep(5);
    home.retract_sleep(5);
    home.retract_sleep(6);
    assert_eq!(home.cores_to_wake().collect::<Vec<_>>(), sleeping);
    assert_eq!(home.cores_to_wake().next(), None);
    home.announce_sleep(64);
    assert_eq!(home.cores_to_wake().collect::<Vec<_>>(), [64]);
}

#[test]
#[should_panic(expected = "power of two")]
fn a_log_whose_capacity_is_no_power_of_two_is_refused() {
    Home::new(12);
}

/// Has four threads apply `per_thread` random changes each; every change with its event.
fn storm(home: &Home, per_thread: u64) -> Vec<(Change, Event)> {
    let mut applied: Vec<(Change, Event)> = std::thread::scope(|scope| {
        let producers = [1, 2, 3, 4].map(|seed| {
            scope.spawn(move || {
                let mut rng = Rng::new(seed);
                let mut own = Vec::new();
                for _ in 0..per_thread {
                    let change = match rng.below(4) {
                        0 => change(Device::Light, "set", Some(rng.below(101) as f64)),
                        1 => change(Device::Light, "toggle", None),
                        2 => change(Device::Lock, "toggle", None),
                        _ => change(Device::Camera, "toggle", None),
                    };
                    own.push((change, home.apply(change)));
                }
                assert!(own.is_sorted_by_key(|(_, event)| event.seq));
                own
            })
        });
        producers.into_iter().flat_map(|p| p.join().expect("no producer panics")).collect()
    });
    applied.sort_by_key(|(_, event)| event.seq);
    applied
}

#[test]
fn what_four_threads_did_is_what_one_would_do_in_the_order_of_the_seqs() {
    let home = Home::new(1 << 17);
    let applied = storm(&home, 20_000);
    let mut replayed = Snapshot::initial();
    for (place, (change, event)) in applied.iter().enumerate() {
        let (after, expected) = replayed.after(*change);
        assert_eq!(*event, expected, "event {place} of the order");
        assert_eq!(home.first_after(Seq(place as u64)), FirstAfter::Event(*event));
        replayed = after;
    }
    assert_eq!(home.snapshot(), replayed);
}

#[test]
fn a_reader_beside_four_threads_gets_events_in_order_or_is_told_what_it_missed() {
    let home = Home::new(64);
    let (mut seen, mut missed) = (Vec::new(), 0);
    let applied = std::thread::scope(|scope| {
        let storm = scope.spawn(|| storm(&home, 20_000));
        let mut since = Seq(0);
        while since < Seq(80_000) {
            match home.first_after(since) {
                FirstAfter::Event(event) => {
                    assert_eq!(event.seq.0, since.0 + 1);
                    seen.push(event);
                    since = event.seq;
                }
                FirstAfter::NotYet => std::thread::yield_now(),
                FirstAfter::Gone { oldest } => {
                    assert!(oldest.0 > since.0 + 1, "an event that is kept is not gone");
                    missed += oldest.0 - 1 - since.0;
                    since = Seq(oldest.0 - 1);
                }
            }
        }
        storm.join().expect("no producer panics")
    });
    assert_eq!(seen.len() as u64 + missed, 80_000);
    for event in seen {
        assert_eq!(event, applied[event.seq.0 as usize - 1].1);
    }
}
