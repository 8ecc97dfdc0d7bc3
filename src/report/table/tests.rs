use super::*;
use crate::results::Verdict;
use crate::results::bench::{ClaimResult, FlagValue, Varied, sample};

fn bench() -> Bench {
    let mut bench = sample::bench(&["uring", "epoll"], Vec::new());
    bench.notes = vec!["the pacer runs on CPU 0".into()];
    let mut lossy = sample::summary("epoll", [400_000, 600_000, 1_100_000]);
    lossy.verdicts = vec![Verdict::Valid, Verdict::Suspect, Verdict::Invalid];
    lossy.used = 2;
    lossy.failed = 1;
    lossy.reasons = vec![format!("repeat 3: {}", "the pacer was late ".repeat(7).trim_end())];
    lossy.total.errors.timeout = 3;
    lossy.total.unfinished = 2;
    lossy.total.response_ns = sample::spreads([400_000, 600_000, 1_100_000], 10_000, true);
    bench.summaries = vec![sample::summary("uring", [49_000, 50_000, 53_000]), lossy];
    bench.runs = vec![sample::failed_run("epoll", 4)];
    bench.claims = vec![ClaimResult {
        text: "the ring is faster".into(),
        expr: "uring.p50 < epoll.p50".into(),
        outcome: ClaimOutcome::Holds,
        figures: vec!["at 1000/s: uring.p50 = 50.0 us, epoll.p50 = 600 us".into()],
    }];
    bench
}

#[test]
fn the_table_is_this_to_the_character() {
    assert_eq!(render_table(&bench()), include_str!("golden.txt"));
}

#[test]
fn the_table_fits_110_columns() {
    let text = render_table(&bench());
    let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(widest <= 110, "{widest} columns");
}

#[test]
fn the_flags_that_axes_set_are_listed() {
    let mut bench = bench();
    let varied = |flag: &str, word: &str| Varied {
        flag: flag.into(),
        value: FlagValue::Word(word.into()),
        against: None,
    };
    bench.plan.targets[0].varied = vec![varied("--backend", "uring"), varied("--wait", "block")];
    bench.plan.targets[1].varied = vec![varied("--backend", "epoll"), varied("--wait", "spin")];
    let text = render_table(&bench);
    let expected = "\nVaried\n  uring  --backend uring  --wait block\n  epoll  --backend epoll";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn a_bench_without_any_figures_is_still_shown() {
    let empty = sample::bench(&["a"], vec![sample::failed_run("a", 1)]);
    let text = render_table(&empty);
    assert!(text.contains("Troubles\n  a at 1000/s, repeat 1: the server did not"), "{text}");
    assert!(!text.contains("NaN"), "{text}");
}
