use super::*;
use crate::results::bench::sample;

/// Two targets: `uring` with a p50 of 50 us in total, `epoll-spin` with 100 us.
fn bench() -> Bench {
    let mut bench = sample::bench(&["uring", "epoll-spin"], Vec::new());
    bench.summaries = vec![
        sample::summary("uring", [49_000, 50_000, 53_000]),
        sample::summary("epoll-spin", [100_000, 100_000, 100_000]),
    ];
    bench
}

#[track_caller]
fn check(expr: &str, expected: ClaimOutcome) {
    let claim = Claim::parse(None, expr, None).unwrap();
    assert_eq!(claim.judge(&bench()).outcome, expected, "{expr}");
}

#[track_caller]
fn check_wrong(expr: &str, expected: &str) {
    assert_eq!(Claim::parse(None, expr, None).unwrap_err(), expected, "{expr}");
}

#[test]
fn exact_figures_and_those_without_repeats_are_judged_as_they_are() {
    use ClaimOutcome::{Fails, Holds};
    check("uring.p50 < epoll-spin.p50", Holds);
    check("epoll-spin.p50 < uring.p50", Fails);
    check("uring.p50<=0.5*epoll-spin.p50", Holds);
    check("uring.p50 < 0.5 * epoll-spin.p50", Fails);
    check("epoll-spin.p50 - uring.p50 <= 50us", Holds);
    check("epoll-spin.p50 / uring.p50 >= 2", Holds);
    check("epoll-spin.p50 / uring.p50 > 2", Fails);
    check("2 * (uring.p50 + 1us) > 101us", Holds);
    check("uring.status.p99.9 <= 250us", Holds);
    check("uring.status.p99_9 < 250us", Fails);
    check("uring.max >= 350us", Holds);
    check("uring.lateness_p99 < 1us", Holds);
    check("uring.rss_mb < 20.2", Holds);
    check("uring.cpu_us > 52", Holds);
    check("uring.errors <= 0", Holds);
    check("uring.achieved >= 1000", Holds);
}

#[test]
fn what_cannot_be_known_is_not_guessed() {
    check("uring.nosuchkind.p50 < 1s", ClaimOutcome::Unknown);
    check("1 / 0 > 1 / 0", ClaimOutcome::Unknown);
}

#[test]
fn a_figure_at_infinity_is_larger_than_any_other_but_not_than_itself() {
    let mut bench = bench();
    bench.summaries[0].total.response_ns = sample::spreads([1, 2, 3], 100, true);
    let outcome = |expr| Claim::parse(None, expr, None).unwrap().judge(&bench).outcome;
    assert_eq!(outcome("uring.max > 1h"), ClaimOutcome::Holds);
    assert_eq!(outcome("uring.max < epoll-spin.max"), ClaimOutcome::Fails);
    assert_eq!(outcome("uring.max <= uring.p99.9"), ClaimOutcome::Unknown);
}

#[test]
fn the_figures_stand_beside_the_answer() {
    let claim = Claim::parse(Some("ring wins"), "uring.p50 < epoll-spin.status.p99", None).unwrap();
    let result = claim.judge(&bench());
    assert_eq!(result.text, "ring wins");
    assert_eq!(result.figures, ["at 1000/s: uring.p50 = 50.0 us, epoll-spin.status.p99 = 400 us"]);
}

#[test]
fn a_claim_must_hold_at_every_rate_unless_it_names_one() {
    let mut bench = bench();
    bench.plan.rates.push("2k".into());
    let slow = sample::summary("uring", [900_000, 900_000, 900_000]);
    bench.summaries.push(crate::results::bench::Summary { rate: "2k".into(), ..slow });
    let outcome = |rate: Option<&str>| {
        let rate = rate.map(|rate| rate.parse().unwrap());
        Claim::parse(None, "uring.p50 < 60us", rate).unwrap().judge(&bench).outcome
    };
    assert_eq!(outcome(None), ClaimOutcome::Fails);
    for same in ["1000", "1k", "1e3", "2000/2"] {
        assert_eq!(outcome(Some(same)), ClaimOutcome::Holds, "{same}");
    }
    for same in ["2k", "2000"] {
        assert_eq!(outcome(Some(same)), ClaimOutcome::Fails, "{same}");
    }
    // Nothing that was measured says anything of it, which is no way to hold.
    assert_eq!(outcome(Some("3k")), ClaimOutcome::Unknown);
}

#[test]
fn a_claim_about_a_target_left_out_is_skipped() {
    let mut bench = bench();
    bench.plan.targets.pop();
    let claim = Claim::parse(None, "uring.p50 < epoll-spin.p50", None).unwrap();
    assert_eq!(claim.judge(&bench).outcome, ClaimOutcome::Skipped);
}

#[test]
fn wrong_claims_are_told_what_is_wrong() {
    check_wrong("", "the claim ends too early");
    check_wrong("a.p50 <", "the claim ends too early");
    check_wrong("a.p50 = 1ms", "`=` stands where <, <=, > or >= should");
    check_wrong("a.p50 < 1ms < 2ms", "`<` is one too many; a claim is one comparison");
    check_wrong("(a.p50 < 1ms", "a bracket is not closed");
    check_wrong("a.p50 < 2 + 1ms", "`+` joins a number and a time");
    check_wrong("a.p50 * a.p50 < 1ms", "`*` joins a time and a time");
    check_wrong(
        "a.p51 < 1ms",
        "`a.p51` is no figure; write one like `uring.p50` or `uring.status.p99.9`",
    );
    check_wrong("a.p50 < 1", "a time is compared with a number; write times as `2.1ms`");
    check_wrong("é < 1", "`é` is no figure; write one like `uring.p50` or `uring.status.p99.9`");
}

/// What is said of `expr` with three numbered repeats of `a` and `b`.
#[track_caller]
fn repeated(expr: &str, [a, b]: [[u64; 3]; 2], expected: ClaimOutcome) -> String {
    let mut bench = sample::bench(&["a", "b"], Vec::new());
    bench.summaries = vec![sample::numbered("a", a), sample::numbered("b", b)];
    let mut result = Claim::parse(None, expr, None).unwrap().judge(&bench);
    assert_eq!(result.outcome, expected, "{expr}: {:?}", result.figures);
    result.figures.remove(0)
}

#[test]
fn a_claim_holds_or_fails_by_its_whole_interval_or_cannot_be_told() {
    use ClaimOutcome::{Fails, Holds, Unknown};
    let apart = [[50_000, 51_000, 52_000], [60_000, 61_100, 62_000]];
    let said = repeated("a.p50 < b.p50", apart, Holds);
    assert!(said.ends_with("left - right is -10.2 us to -9.89 us, 95 %"), "{said}");
    repeated("a.p50 > b.p50", apart, Fails);
    repeated("a.p50 <= 1.1 * b.p50", apart, Holds);
    repeated("a.p50 < 0.95 * b.p50", apart, Holds);
    // Ever so little lower in the median, and not in every repeat.
    let alike = [[50_000, 51_000, 52_000], [50_500, 51_100, 51_500]];
    let said = repeated("a.p50 < b.p50", alike, Unknown);
    assert!(said.contains("a.p50 = 51.0 us, b.p50 = 51.1 us, left - right is -"), "{said}");
    repeated("a.p50 < 1ms", alike, Holds);
    repeated("a.p50 >= 51us", alike, Unknown);
    // The same in every repeat.
    repeated("b.p50 <= b.p50", alike, Holds);
    repeated("b.p50 < b.p50", alike, Fails);
    repeated("a.errors <= 0", alike, Holds);
    repeated("a.errors < b.errors + 0 * a.cpu_us", alike, Fails);
}

#[test]
fn a_repeat_that_never_came_is_the_reason_said_and_not_their_number() {
    let mut bench = bench();
    bench.summaries[0] = sample::numbered("uring", [49_000, 50_000, 53_000]);
    bench.summaries[0].total.response_ns.p50.each[2] = None;
    let result = Claim::parse(None, "uring.p50 < 1ms", None).unwrap().judge(&bench);
    assert_eq!(result.outcome, ClaimOutcome::Unknown);
    let said = "no interval: in some of 3 repeats a side is infinite";
    assert!(result.figures[0].ends_with(said), "{:?}", result.figures);
}

#[test]
fn one_repeat_cannot_tell() {
    let mut bench = bench();
    bench.summaries[0] = sample::numbered("uring", [49_000, 50_000, 53_000]);
    bench.summaries[0].total.response_ns.repeats = vec![1];
    bench.summaries[0].total.response_ns.p50.each = vec![Some(50_000)];
    let result = Claim::parse(None, "uring.p50 < 1ms", None).unwrap().judge(&bench);
    assert_eq!(result.outcome, ClaimOutcome::Unknown);
    assert_eq!(result.figures, ["at 1000/s: uring.p50 = 50.0 us, too few repeats (1)"]);
}
