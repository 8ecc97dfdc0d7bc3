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
fn claims_are_judged_by_the_medians() {
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
    let outcome =
        |rate| Claim::parse(None, "uring.p50 < 60us", rate).unwrap().judge(&bench).outcome;
    assert_eq!(outcome(None), ClaimOutcome::Fails);
    assert_eq!(outcome(Some("1000")), ClaimOutcome::Holds);
    assert_eq!(outcome(Some("2k")), ClaimOutcome::Fails);
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
