//! Small, whole results for the tests of those who read and write them.

use super::*;
use crate::results::{
    Connections, QuantileErrors, QuantileIntervals, Quantiles, RUN_SCHEMA, RequestKind, Run,
    Schedule, Stalls, Verdict, WithoutStalls,
};

/// 10,000 requests around `p50`, the last tenth of a percent at +infinity if `lossy`.
pub(crate) fn quantiles(p50: u64, lossy: bool) -> Quantiles {
    let unless_lossy = |ns: u64| (!lossy).then_some(ns);
    Quantiles {
        min: Some(p50 / 2),
        mean: unless_lossy(p50),
        p50: Some(p50),
        p90: Some(p50 * 2),
        p95: Some(p50 * 3),
        p99: Some(p50 * 4),
        p99_9: unless_lossy(p50 * 5),
        p99_99: unless_lossy(p50 * 6),
        max: unless_lossy(p50 * 7),
        count: 10_000,
        infinite: if lossy { 10 } else { 0 },
        longest_observed: Some(p50 * 7),
    }
}

/// A VALID run of 10,000 requests, 60 % of them `status`.
pub(crate) fn run(p50: u64) -> Run {
    let kind = |name: &str, planned| RequestKind {
        name: name.to_owned(),
        planned,
        ok: planned,
        errors: Errors::default(),
        unfinished: 0,
        skipped: 0,
        long_poll: false,
        response_ns: Quantiles { count: planned, ..quantiles(p50, false) },
        service_ns: quantiles(p50, false),
        lateness_ns: quantiles(100, false),
        ttfb_ns: quantiles(p50, false),
        error_ns: QuantileErrors::default(),
        interval_ns: QuantileIntervals::default(),
        too_few: Vec::new(),
        delivery_ns: None,
        published: None,
        histograms: None,
    };
    Run {
        schema: RUN_SCHEMA.to_owned(),
        verdict: Verdict::Valid,
        reasons: Vec::new(),
        offered_rps: 1_000.0,
        achieved_rps: 1_000.0,
        duration_s: 10.0,
        planned_duration_s: 10.0,
        interrupted: false,
        planned: 10_000,
        ok: 10_000,
        errors: Errors::default(),
        unfinished: 0,
        skipped: 0,
        error_budget: None,
        connections: Connections { opened: 64, peak_in_flight: 5, ..Connections::default() },
        schedule: Schedule { arrivals: "constant".into(), seed: 1, hash: "0".repeat(16) },
        response_ns: quantiles(p50, false),
        service_ns: quantiles(p50, false),
        lateness_ns: quantiles(100, false),
        ttfb_ns: quantiles(p50, false),
        error_ns: QuantileErrors::default(),
        interval_ns: QuantileIntervals::default(),
        steadiness: None,
        too_few: Vec::new(),
        server_timing_ns: Default::default(),
        server_timing_malformed: 0,
        kernel_stamps: None,
        stalls: Stalls::default(),
        longest_stalls: Vec::new(),
        without_stalls: WithoutStalls {
            response_ns: quantiles(p50, false),
            lateness_ns: quantiles(90, false),
        },
        requests: vec![kind("status", 6_000), kind("command", 4_000)],
        lateness_histogram: None,
        host: serde_json::Map::new(),
        version: "0.1.0".into(),
    }
}

/// 5 % of a CPU and 20 MB.
pub(crate) fn usage() -> Usage {
    Usage {
        covered_s: 10.0,
        cpu_ns: 500_000_000,
        user_ns: 200_000_000,
        system_ns: 300_000_000,
        cpu_percent: 5.0,
        rss_mean_bytes: 20_000_000,
        rss_peak_bytes: 21_000_000,
        voluntary_switches: 9_990,
        involuntary_switches: 10,
        migrations: None,
        series: Vec::new(),
        perf: None,
    }
}

/// Repeat `repeat` of `target` at 1000/s.
pub(crate) fn bench_run(target: &str, repeat: u32, run: Run) -> BenchRun {
    BenchRun {
        target: target.to_owned(),
        rate: "1000".into(),
        repeat,
        failure: None,
        run: Some(run),
        target_usage: Some(usage()),
        pacer_usage: None,
        target_settings: None,
        target_notes: Vec::new(),
        files: format!("runs/{target}-1000-r{repeat}"),
    }
}

/// A repeat that failed.
pub(crate) fn failed_run(target: &str, repeat: u32) -> BenchRun {
    let measured = bench_run(target, repeat, run(1));
    let failure = Some(String::from("the server did not survive the run"));
    BenchRun { failure, run: None, target_usage: None, ..measured }
}

/// A bench of `targets` at 1000/s that holds `runs` and nothing worked out of them.
pub(crate) fn bench(targets: &[&str], runs: Vec<BenchRun>) -> Bench {
    let record = |name: &&str| TargetRecord {
        name: (*name).to_owned(),
        command: vec!["ringpace".into(), "serve".into()],
        env: BTreeMap::new(),
        cpus: Some("0".into()),
        varied: Vec::new(),
    };
    Bench {
        schema: BENCH_SCHEMA.into(),
        version: "0.1.0".into(),
        started: "2026-03-01T12:00:00Z".into(),
        plan_hash: "0".repeat(16),
        plan: PlanRecord {
            name: "sample".into(),
            duration_s: 10.0,
            warmup_s: 1.0,
            repeats: 3,
            rates: vec!["1000".into()],
            arrivals: "constant".into(),
            mix: "mixes/article.toml".into(),
            connections: 64,
            max_connections: None,
            spread: false,
            pacer_cpus: "1".into(),
            seed: 1,
            timeout_s: None,
            aa: false,
            duet: false,
            pacer: PacerRecord::default(),
            knee: None,
            targets: targets.iter().map(record).collect(),
        },
        host: serde_json::Map::new(),
        notes: Vec::new(),
        complete: true,
        runs,
        summaries: Vec::new(),
        comparisons: Vec::new(),
        differences: Vec::new(),
        verdicts: Vec::new(),
        duet: None,
        knee: None,
        claims: Vec::new(),
    }
}

/// All quantiles of a kind: `each` is the p50 of every repeat, of which the middle one is the median.
pub(crate) fn spreads(each: [u64; 3], count_least: u64, lossy: bool) -> Spreads {
    let of = |factor: u64, infinite: bool| Spread {
        median: (!infinite).then_some(each[1] * factor),
        each: each.iter().map(|ns| (!infinite).then_some(ns * factor)).collect(),
        intervals: Vec::new(),
    };
    Spreads {
        p50: of(1, false),
        p90: of(2, false),
        p95: of(3, false),
        p99: of(4, false),
        p99_9: of(5, lossy),
        p99_99: of(6, lossy),
        max: of(7, lossy),
        count_least,
        longest_observed: Some(each[2] * 7),
        repeats: Vec::new(),
    }
}

/// The same summary, of repeats 1 to 3.
pub(crate) fn numbered(target: &str, each: [u64; 3]) -> Summary {
    let mut summary = summary(target, each);
    summary.total.response_ns.repeats = vec![1, 2, 3];
    summary.requests.iter_mut().for_each(|kind| kind.response_ns.repeats = vec![1, 2, 3]);
    summary.cpu_us_per_request.repeats = vec![1, 2, 3];
    summary
}

/// A summary of three VALID repeats.
pub(crate) fn summary(target: &str, each: [u64; 3]) -> Summary {
    let kind = |name: &str, planned: u64| KindSummary {
        name: name.to_owned(),
        planned,
        ok: planned,
        errors: Errors::default(),
        unfinished: 0,
        skipped: 0,
        response_ns: spreads(each, planned / 3, false),
        error_ns: QuantileErrors { p50: Some(120), p99: Some(480), ..QuantileErrors::default() },
    };
    let level =
        |median: f64| Level { median: Some(median), each: vec![median; 3], repeats: Vec::new() };
    Summary {
        target: target.to_owned(),
        rate: "1000".into(),
        verdicts: vec![Verdict::Valid; 3],
        reasons: Vec::new(),
        failed: 0,
        used: 3,
        total: kind("total", 30_000),
        requests: vec![kind("status", 18_000), kind("events", 3_000)],
        lateness_ns: spreads([90, 100, 110], 10_000, false),
        lateness_without_stalls_ns: spreads([90, 95, 99], 10_000, false),
        response_without_stalls_ns: spreads(each, 10_000, false),
        stalls: 2,
        achieved_rps: level(1_000.0),
        cpu_percent: level(5.25),
        cpu_us_per_request: level(52.5),
        rss_bytes: level(20_100_000.0),
        switches_per_s: level(1_000.4),
        steady_after_s: Level::default(),
        unsteady: Vec::new(),
    }
}
