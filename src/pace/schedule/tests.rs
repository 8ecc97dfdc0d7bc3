use super::*;

fn load(rate: &str, arrivals: &str) -> Load {
    Load { rate: rate.parse().unwrap(), arrivals: arrivals.parse().unwrap(), seed: 1 }
}

#[track_caller]
fn check(rate: &str, arrivals: &str, until: Nanos, expected: u64) {
    let schedule = Schedule::new(load(rate, arrivals), Lane::WHOLE, until);
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
    let offsets: Vec<u64> =
        Schedule::new(load("1000", "burst:3"), Lane::WHOLE, Nanos::from_millis(7))
            .map(|arrival| arrival.offset.0)
            .collect();
    assert_eq!(
        offsets,
        [0, 0, 0, 3_000_000, 3_000_000, 3_000_000, 6_000_000, 6_000_000, 6_000_000]
    );
}

#[test]
fn lanes_together_are_the_whole_sequence_and_its_hash() {
    for arrivals in ["constant", "poisson", "burst:7"] {
        let whole = collect(arrivals, 1);
        for threads in [2, 3, 8] {
            assert_eq!(collect(arrivals, threads), whole, "{arrivals} over {threads} threads");
        }
    }
}

fn collect(arrivals: &str, threads: u64) -> (Vec<(u64, Nanos)>, ScheduleHash) {
    let mut all = Vec::new();
    let mut hash = ScheduleHash::default();
    for index in 0..threads {
        let lane = Lane { index, of: threads };
        let mut lane_hash = ScheduleHash::default();
        for arrival in Schedule::new(load("1e6/7", arrivals), lane, Nanos::from_millis(20)) {
            lane_hash.add(arrival.offset, arrival.k % 3);
            all.push((arrival.k, arrival.offset));
        }
        hash.merge(lane_hash);
    }
    all.sort_unstable();
    (all, hash)
}

#[test]
fn the_hash_tells_seeds_kinds_and_offsets_apart() {
    let hash = |offset, signature| {
        let mut hash = ScheduleHash::default();
        hash.add(Nanos(offset), signature);
        hash.to_string()
    };
    assert_eq!(hash(0, 1).len(), 16);
    assert_ne!(hash(0, 1), hash(1, 0));
    assert_ne!(hash(0, 1), hash(0, 2));
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
    let schedule = Schedule::new(load(rate, "poisson"), Lane::WHOLE, Nanos(u64::MAX));
    let offsets: Vec<u64> = schedule.take(count).map(|arrival| arrival.offset.0).collect();
    offsets.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[test]
fn poisson_keeps_the_rate_over_a_long_run() {
    // 1e6 arrivals: the count's standard deviation is 1,000.
    let count = Schedule::new(load("10k", "poisson"), Lane::WHOLE, Nanos::from_secs(100)).count();
    assert!((996_000..1_004_000).contains(&count), "{count}");
}

#[test]
fn another_seed_gives_other_poisson_arrivals() {
    let first = |seed| {
        let load = Load { seed, ..load("1000", "poisson") };
        Schedule::new(load, Lane::WHOLE, Nanos(u64::MAX)).next()
    };
    assert_eq!(first(1), first(1));
    assert_ne!(first(1), first(2));
}

#[test]
fn arrivals_print_as_typed_and_refuse_what_they_do_not_know() {
    for text in ["constant", "poisson", "burst:50"] {
        assert_eq!(text.parse::<Arrivals>().unwrap().to_string(), text);
    }
    for wrong in ["", "burst", "burst:0", "burst:-1", "uniform", "poisson:3", "Constant"] {
        assert!(wrong.parse::<Arrivals>().is_err(), "{wrong}");
    }
}
