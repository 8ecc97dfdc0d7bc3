use super::*;
use crate::results::bench::sample;

fn column(begin_s: f64, infinite: u64) -> Column {
    Column {
        begin_s,
        span_s: 1.0,
        count: 1_000,
        infinite,
        p50: Some(50_000),
        p99: (infinite < 10).then_some(2_000_000),
        longest: Some(3_000_000),
        bins: BTreeMap::from([(super::super::logs::bin(50_000), 999), (76, 1)]),
    }
}

fn drawn(columns: Vec<Column>, stalls: Vec<StallSpan>) -> String {
    let mut run = sample::run(50_000);
    (run.duration_s, run.longest_stalls) = (2.0, stalls);
    let entry = sample::bench_run("a", 1, run.clone());
    let log = RunLog { columns, ..RunLog::default() };
    let panel = Panel { entry: &entry, run: &run, log: &log };
    let y = Scale::log([20_000.0, 4e6].into_iter(), 200.0..10.0, latency).unwrap();
    let frame = Frame { x: time(&panel, 0, 1), y };
    let summary = sample::summary("a", [1, 2, 3]);
    let bench = sample::bench(&["a"], vec![entry.clone()]);
    let bench = crate::results::bench::Bench { summaries: vec![summary], ..bench };
    let logs = super::super::logs::Logs::default();
    let page = Page { bench: &bench, logs: &logs };
    panel.drawn(&frame, &page.rates()[0].1[0])
}

#[test]
fn a_stall_is_marked_at_its_time_and_says_its_length() {
    let stall = StallSpan { at_s: 1.5, length_ns: 4_100_000 };
    let svg = drawn(vec![column(0.0, 0)], vec![stall]);
    assert!(svg.contains("the pacer stood still for 4.10 ms at 1.50 s"), "{svg}");
    let x = LEFT + 0.75 * (WIDTH - LEFT - RIGHT);
    assert!(svg.contains(&format!("class=\"stall\" x=\"{x:.1}\"")), "{svg}");
}

#[test]
fn a_column_says_what_ended_in_it_and_failures_are_crossed() {
    let svg = drawn(vec![column(0.0, 0), column(1.0, 20)], Vec::new());
    assert!(svg.contains("a, 0-1 s: 1000 requests, p50 50.0 us, p99 2.00 ms, longest 3.00 ms<"));
    assert!(svg.contains("p99 &gt; 3.00 ms, longest 3.00 ms, 20 failed<"), "{svg}");
    assert_eq!(svg.matches("class=\"cross\"").count(), 1);
}

#[test]
fn the_darker_a_cell_the_more_requests_lie_in_it() {
    let svg = drawn(vec![column(0.0, 0)], Vec::new());
    assert!(svg.contains("heat f0 l0") && svg.contains("heat f0 l5"), "{svg}");
}

#[test]
fn a_warm_up_is_shaded_where_the_log_has_one() {
    assert!(!drawn(vec![column(0.0, 0)], Vec::new()).contains("warmup"));
    assert!(drawn(vec![column(-1.0, 0), column(0.0, 0)], Vec::new()).contains("warmup"));
}
