//! Two simulated servers on one schedule: what each is sent, and what their pairs come to.

use super::*;
use crate::pace::mix::Mix;
use crate::pace::pairs::Side;
use crate::pace::worker::duet::{Duet, DuetEnd};
use crate::results::duet::{Cell, Pairs};

const MIX: &str = "[[request]]\nname='a'\nweight=2\npath='/{counter}'\n\
                   [[request]]\nname='b'\nweight=1\npath='/{choice:x|y|z}'\n";

type Heard = Rc<RefCell<Vec<(Mono, Vec<u8>)>>>;

/// A server that notes what it is sent, and answers the n-th after `latency` of that.
fn noting(
    heard: &Heard,
    mut latency: impl FnMut(usize) -> Nanos + 'static,
) -> impl FnMut(Mono, Told<'_>) -> Acts + 'static {
    let heard = Rc::clone(heard);
    move |now, told| match told {
        Told::Connect => vec![(Nanos::from_micros(30), Act::Connected)],
        Told::Request(bytes) => {
            let nth = heard.borrow().len();
            heard.borrow_mut().push((now, bytes.to_vec()));
            vec![(latency(nth), Act::Bytes(answer(2)))]
        }
    }
}

struct Played {
    end: DuetEnd,
    heard: [Vec<(Mono, Vec<u8>)>; 2],
}

fn play(sim: &mut Sim, latencies: [fn(usize) -> Nanos; 2]) -> Played {
    sim.plan.wait = PaceWait::Spin;
    sim.plan.mix = Mix::parse("m", MIX).unwrap();
    let heard: [Heard; 2] = Default::default();
    let workers = [0, 1].map(|side: usize| {
        let driver = SimDriver::new(&sim.world, sim.mode, noting(&heard[side], latencies[side]));
        let clock = SimClock(Rc::clone(&sim.world));
        Worker::new(sim.task(), &sim.plan.mix, "h", driver, clock)
    });
    let mut duet = Duet::new(workers);
    duet.establish(|_, worker| worker.establish(&sim.world.stop)).unwrap();
    let end = duet.pace(START, &sim.world.stop).unwrap();
    end.recorders.iter().for_each(|recorder| recorder.assert_conservation());
    Played { end, heard: heard.map(|heard| heard.take()) }
}

fn cells(pairs: &Pairs) -> impl Iterator<Item = &Cell> {
    let blocks = pairs.requests.iter().flat_map(|kind| &kind.blocks);
    blocks.flat_map(|block| [&block.a_first, &block.b_first])
}

#[test]
fn each_server_is_sent_the_same_requests_and_each_pair_at_two_arrivals_in_a_row() {
    for mode in [SendMode::Direct, SendMode::Batched] {
        let mut sim = Sim::new("1000", SECOND);
        sim.mode = mode;
        let played = play(&mut sim, [|_| Nanos::from_micros(50); 2]);
        let [a, b] = &played.heard;
        assert_eq!((a.len(), b.len()), (500, 500));
        assert!(a.iter().map(|(_, bytes)| bytes).eq(b.iter().map(|(_, bytes)| bytes)));
        let apart = a.iter().zip(b).map(|((a, _), (b, _))| a.0.abs_diff(b.0));
        assert!(apart.clone().all(|ns| ns.abs_diff(MS.0) < 20_000), "{:?}", apart.max());
        assert_eq!(played.end.measured, SECOND);
        let pairs = cells(&played.end.pairs).map(Cell::pairs).sum::<u64>();
        assert_eq!((pairs, played.end.pairs.unpaired), (500, 0));
        // A spinning pacer is late by no more than it is with one server.
        for recorder in &played.end.recorders {
            let latest = recorder.total().lateness.max().finite();
            assert!(latest < Some(Nanos(5_000)), "{latest:?}");
        }
    }
}

#[test]
fn a_server_that_is_slower_by_5_us_is_slower_by_5_us_in_its_pairs() {
    // An answer is seen in the next turn, and a turn takes several microseconds here: spread over one,
    // answers are seen as much too late as any.
    fn spread(nth: usize) -> Nanos {
        Nanos::from_micros(50) + Nanos(nth as u64 * 7_919 % 10_000)
    }
    let mut sim = Sim::new("1000", SECOND);
    let played = play(&mut sim, [|nth| spread(nth) + Nanos::from_micros(5), spread]);
    let differences: Vec<(i64, u64)> =
        cells(&played.end.pairs).flat_map(|cell| cell.service_ns.clone()).collect();
    let count: u64 = differences.iter().map(|(_, count)| count).sum();
    let sum: i64 = differences.iter().map(|(ns, count)| ns * *count as i64).sum();
    assert_eq!(count, 500);
    assert!((4_000..6_000).contains(&(sum / 500)), "{} of {differences:?}", sum / 500);
}

#[test]
fn what_one_server_fails_stands_in_the_pairs_and_the_other_is_unharmed() {
    let slow: fn(usize) -> Nanos = |nth| match nth % 10 {
        0 => Nanos::from_secs(1),
        _ => Nanos::from_micros(50),
    };
    let mut sim = Sim::new("1000", SECOND);
    sim.plan.timeout = Nanos::from_millis(100);
    let played = play(&mut sim, [slow, |_| Nanos::from_micros(50)]);
    let failed = |count: fn(&Cell) -> u64| cells(&played.end.pairs).map(count).sum::<u64>();
    assert_eq!(failed(|cell| cell.only_a_failed), 50);
    assert_eq!((failed(|cell| cell.only_b_failed), failed(|cell| cell.both_failed)), (0, 0));
    assert_eq!(played.end.recorders[1].total().ok, 500);
}

#[test]
fn what_is_done_for_one_server_is_no_stall_of_the_other() {
    let mut sim = Sim::new("1000", SECOND);
    sim.arrive("burst:200");
    let played = play(&mut sim, [|_| Nanos::from_micros(50); 2]);
    for recorder in &played.end.recorders {
        assert_eq!(recorder.total().ok, 500);
        assert_eq!(recorder.stalls.longest(), []);
    }
}

#[test]
fn what_stops_the_core_is_a_stall_of_both() {
    let mut sim = Sim::new("1000", SECOND);
    // Too short to be a stall within a call, so many of them are none for either.
    for k in 1..300 {
        let at = START + Nanos(k * 3_000_137);
        sim.world.freeze(at, Nanos::from_micros(50));
    }
    let played = play(&mut sim, [|_| Nanos::from_micros(50); 2]);
    let [a, b] = &played.end.recorders;
    let [of_a, of_b] = [a, b].map(|recorder| recorder.stall_totals());
    assert!(of_a.count > 10, "{of_a:?}");
    assert_eq!((of_a.count, of_a.total_ns), (of_b.count, of_b.total_ns));
    assert_eq!(a.stalls.longest(), b.stalls.longest());
}

#[test]
fn a_stopped_duet_ends_and_says_for_how_long_it_measured() {
    let mut sim = Sim::new("1000", SECOND);
    sim.plan.warmup = Nanos::from_millis(100);
    sim.world.stop_at.set(Some(START + Nanos::from_millis(600)));
    let played = play(&mut sim, [|_| Nanos::from_micros(50); 2]);
    assert_near("measured", Some(played.end.measured.0), Nanos::from_millis(500));
    let pairs = cells(&played.end.pairs).map(Cell::pairs).sum::<u64>();
    assert!((249..=251).contains(&pairs) && played.end.pairs.unpaired <= 2, "{pairs}");
}

#[test]
fn a_server_that_refuses_is_named() {
    let sim = Sim::new("1000", SECOND);
    let workers = [Act::Connected, Act::Refuse].map(|first| {
        let server = move |_: Mono, _: Told<'_>| vec![(Nanos::from_micros(30), first.clone())];
        let driver = SimDriver::new(&sim.world, sim.mode, server);
        let task = Task { wait: PaceWait::Spin, ..sim.task() };
        Worker::new(task, &sim.plan.mix, "h", driver, SimClock(Rc::clone(&sim.world)))
    });
    let (side, error) =
        Duet::new(workers).establish(|_, worker| worker.establish(&sim.world.stop)).unwrap_err();
    assert_eq!(side, Side::B);
    assert!(matches!(error, EstablishError::Refused(_)), "{error:?}");
}
