use super::*;
use crate::pace::arrivals::ArrivalsTyped;
use crate::pace::mix::Mix;

/// A replay of arrivals at 0, 0.5, 1.0 ... ms, every third of them of a named kind.
fn replay() -> Arrivals {
    let kind = |name| format!("[[request]]\nname='{name}'\nweight=1\npath='/'\n");
    let mix = Mix::parse("m", &["a", "b"].map(kind).concat()).unwrap();
    let line = |k: u64| format!("{}us {}\n", k * 500, if k.is_multiple_of(3) { "b" } else { "" });
    let text: String = (0..60).map(line).collect();
    Arrivals::Replay(Replay::parse("times", &text, &mix).unwrap())
}

fn arrivals(text: &str) -> Arrivals {
    match text.parse().unwrap() {
        ArrivalsTyped::Whole(arrivals) => arrivals,
        ArrivalsTyped::File(_) => replay(),
    }
}

/// `rate` counts only where the arrivals have none of their own.
fn load(rate: &str, text: &str) -> Load {
    let arrivals = arrivals(text);
    let rate = if arrivals.rate().is_some() { None } else { Some(rate.parse().unwrap()) };
    Load::new(arrivals, rate, 1).unwrap()
}

fn only(duration: Nanos) -> Horizon {
    Horizon { warmup: Nanos::ZERO, duration }
}

fn forever(load: &Load) -> Schedule {
    Schedule::new(load, Lane::WHOLE, only(NEVER))
}

#[track_caller]
fn check(rate: &str, arrivals: &str, until: Nanos, expected: u64) {
    let schedule = Schedule::new(&load(rate, arrivals), Lane::WHOLE, only(until));
    assert_eq!(schedule.count() as u64, expected, "{rate} {arrivals} in {until}");
}

#[test]
fn awkward_rates_give_exact_counts() {
    check("1000", "constant", Nanos::from_secs(60), 60_000);
    check("7", "constant", Nanos::from_secs(10), 70);
    check("333333", "constant", Nanos::from_secs(1), 333_333);
    check("1e6/7", "constant", Nanos::from_secs(7), 1_000_000);
    check("0.5", "constant", Nanos::from_secs(3), 2);
    check("1000", "burst:50", Nanos::from_secs(1), 1_000);
    check("1000", "burst:300", Nanos::from_secs(1), 1_200);
    check("1000", "constant", Nanos::ZERO, 0);
    check("", "burst:7/10ms", Nanos::from_secs(1), 700);
    check("", "burst:7/3ms", Nanos::from_millis(10), 28);
    check("", "ramp:1000..5000", Nanos::from_secs(2), 6_000);
    check("", "ramp:7..1e6/7", Nanos::from_secs(1), 71_433);
    check("", "steps:1000,333333,7@1s", Nanos::from_secs(3), 334_340);
    check("", "steps:1000,333333,7@1s", Nanos::from_secs(4), 334_347);
    check("", "steps:1000,333333,7@1s", Nanos::from_secs(1), 1_000);
    check("", "replay:times", Nanos::from_secs(1), 60);
    check("", "replay:times", Nanos::from_millis(10), 20);
}

#[test]
fn constant_counts_agree_with_the_rate() {
    for rate in ["7", "333333", "1e6/7", "999.5"] {
        for until in [1, 999_999_999, 1_000_000_000, 1_000_000_001] {
            let expected = load(rate, "constant").rate.count_within(Nanos(until));
            check(rate, "constant", Nanos(until), expected);
        }
    }
}

#[test]
fn a_burst_is_due_at_once() {
    for (rate, text) in [("1000", "burst:3"), ("", "burst:3/3ms")] {
        let horizon = only(Nanos::from_millis(7));
        let offsets: Vec<u64> = Schedule::new(&load(rate, text), Lane::WHOLE, horizon)
            .map(|arrival| arrival.offset.0 / 1_000_000)
            .collect();
        assert_eq!(offsets, [0, 0, 0, 3, 3, 3, 6, 6, 6], "{text}");
    }
}

/// Every kind of arrivals there is.
const KINDS: [&str; 7] = [
    "constant",
    "poisson",
    "burst:7",
    "burst:7/500us",
    "ramp:1000..1e6/7",
    "steps:100k,7,1e6/7@5ms",
    "replay:times",
];

#[test]
fn lanes_together_are_the_whole_sequence_and_its_hash() {
    for arrivals in KINDS {
        let load = load("1e6/7", arrivals);
        let whole = collect(&load, 1, Nanos::from_millis(5));
        assert!(whole.0.len() >= 50, "{arrivals}: {} are few", whole.0.len());
        for threads in [2, 3, 8] {
            let lanes = collect(&load, threads, Nanos::from_millis(5));
            assert_eq!(lanes, whole, "{arrivals} over {threads} threads");
        }
    }
}

fn collect(load: &Load, threads: u64, warmup: Nanos) -> (Vec<(u64, Arrival)>, ScheduleHash) {
    let mut all = Vec::new();
    let mut hash = ScheduleHash::default();
    for index in 0..threads {
        let lane = Lane { index, of: threads };
        let mut lane_hash = ScheduleHash::default();
        let horizon = Horizon { warmup, duration: Nanos::from_millis(20) };
        for arrival in Schedule::new(load, lane, horizon) {
            lane_hash.add(arrival.k, arrival.offset, arrival.k % 3);
            all.push((arrival.k, arrival));
        }
        hash.merge(lane_hash);
    }
    all.sort_unstable_by_key(|(k, _)| *k);
    (all, hash)
}

#[test]
fn no_arrival_goes_back_and_none_is_missing() {
    for arrivals in KINDS {
        let (all, _) = collect(&load("1e6/7", arrivals), 1, Nanos::from_millis(1));
        assert!(all.iter().zip(0..).all(|((k, _), at)| *k == at), "{arrivals}");
        assert!(all.is_sorted_by_key(|(_, arrival)| arrival.offset), "{arrivals}");
    }
}

#[test]
fn ramps_and_steps_keep_their_first_rate_while_they_warm_up() {
    let warm = |text| {
        let warmup = Nanos::from_millis(10);
        let (all, _) = collect(&load("", text), 1, warmup);
        let offsets = all.iter().map(|(_, arrival)| arrival.offset);
        offsets.filter(|offset| *offset < warmup).collect::<Vec<_>>()
    };
    let even: Vec<Nanos> = (0..10).map(Nanos::from_millis).collect();
    assert_eq!(warm("ramp:1000..50000"), even);
    assert_eq!(warm("steps:1000,50000@5ms"), even);
}

#[test]
fn a_replay_says_when_and_of_what_kind() {
    let schedule = Schedule::new(&load("", "replay:t"), Lane::WHOLE, only(Nanos::from_millis(2)));
    let seen: Vec<_> = schedule.map(|arrival| (arrival.offset.0, arrival.kind)).collect();
    assert_eq!(seen, [(0, Some(1)), (500_000, None), (1_000_000, None), (1_500_000, Some(1))]);
}

#[test]
fn the_rate_is_given_once() {
    let rate = || Some("5".parse().unwrap());
    let missing = Load::new(arrivals("poisson"), None, 1).unwrap_err();
    assert!(missing.contains("-R is missing"), "{missing}");
    let doubled = Load::new(arrivals("burst:5/1s"), rate(), 1).unwrap_err();
    assert!(doubled.contains("burst:5/1s says the rate itself"), "{doubled}");
    assert!(Load::new(arrivals("burst:5"), rate(), 1).is_ok());
}

#[test]
fn rates_too_fine_to_be_worked_out_are_refused() {
    let fine = load("", "ramp:0.000000001..1e18");
    let error = fine.check(only(Nanos::from_secs(3_600_000))).unwrap_err();
    assert!(error.contains("--arrivals ramp:") && error.contains("too fine"), "{error}");
    assert_eq!(load("", "ramp:1..1e6").check(only(Nanos::from_secs(3_600_000))), Ok(()));
}

#[test]
fn the_hash_tells_numbers_kinds_and_offsets_apart() {
    let hash = |k, offset, signature| {
        let mut hash = ScheduleHash::default();
        hash.add(k, Nanos(offset), signature);
        hash.to_string()
    };
    assert_eq!(hash(0, 0, 1).len(), 16);
    assert_ne!(hash(0, 0, 1), hash(0, 1, 0));
    assert_ne!(hash(0, 0, 1), hash(0, 0, 2));
    assert_ne!(hash(0, 0, 1), hash(1, 0, 1));
}

#[test]
fn the_hash_differs_when_anything_of_the_load_does() {
    let mut hashes = Vec::new();
    for text in [
        "constant",
        "poisson",
        "burst:7",
        "burst:8",
        "burst:7/1ms",
        "burst:7/1001us",
        "ramp:1000..2000",
        "ramp:1000..2001",
        "ramp:2000..1000",
        "steps:1000,2000@5ms",
        "steps:1000,2000@6ms",
        "replay:times",
    ] {
        hashes.push(collect(&load("5000", text), 1, Nanos::ZERO).1);
    }
    hashes.push(collect(&load("5001", "constant"), 1, Nanos::ZERO).1);
    hashes.push(collect(&Load { seed: 2, ..load("5000", "poisson") }, 1, Nanos::ZERO).1);
    for (at, hash) in hashes.iter().enumerate() {
        assert!(!hashes[..at].contains(hash), "load {at} has the hash of another");
    }
}

/// Kolmogorov-Smirnov: the largest distance between the gaps' distribution and the exponential.
#[test]
fn poisson_gaps_pass_a_kolmogorov_smirnov_test() {
    for rate in ["1000", "1e6/7"] {
        let mean = 1e9 / load(rate, "poisson").rate.as_f64();
        let mut gaps = poisson_gaps(rate, 20_000);
        gaps.sort_unstable();
        let n = gaps.len() as f64;
        let distance = gaps.iter().enumerate().fold(0.0f64, |worst, (i, gap)| {
            let expected = 1.0 - (-(*gap as f64) / mean).exp();
            worst.max((expected - i as f64 / n).abs()).max(((i + 1) as f64 / n - expected).abs())
        });
        // The critical value of the KS statistic at the 1 % level is 1.628 / sqrt(n).
        assert!(distance < 1.628 / n.sqrt(), "{rate}: distance {distance}");
    }
}

fn poisson_gaps(rate: &str, count: usize) -> Vec<u64> {
    let schedule = forever(&load(rate, "poisson"));
    let offsets: Vec<u64> = schedule.take(count).map(|arrival| arrival.offset.0).collect();
    offsets.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[test]
fn poisson_keeps_the_rate_over_a_long_run() {
    // 1e6 arrivals: the count's standard deviation is 1,000.
    let horizon = only(Nanos::from_secs(100));
    let count = Schedule::new(&load("10k", "poisson"), Lane::WHOLE, horizon).count();
    assert!((996_000..1_004_000).contains(&count), "{count}");
}

#[test]
fn another_seed_gives_other_poisson_arrivals() {
    let first = |seed| {
        let load = Load { seed, ..load("1000", "poisson") };
        forever(&load).next()
    };
    assert_eq!(first(1), first(1));
    assert_ne!(first(1), first(2));
}
