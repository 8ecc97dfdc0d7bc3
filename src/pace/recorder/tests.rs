use super::*;
use crate::pace::outstanding::Place;
use crate::pace::stalls::Activity;
use crate::rng::Rng;

fn recorder() -> Recorder {
    Recorder::new(2, StallMeter::new(Mono(0), Mono(0)))
}

fn request(kind: usize, intended_at: u64, sent_at: Option<u64>) -> Request {
    Request {
        k: 0,
        kind,
        is_measured: true,
        intended_at: Mono(intended_at),
        sent_at: sent_at.map(Mono),
        first_byte_at: None,
        published_at: None,
        is_retry: false,
        place: Place::Waiting,
    }
}

fn due(request: &Request) -> Due {
    let Request { k, kind, intended_at, is_measured, .. } = *request;
    Due { k, kind, offset: Nanos(intended_at.0), intended_at, is_measured }
}

fn record_whole(recorder: &mut Recorder, request: &Request, ending: Ending, at: u64) {
    recorder.note_planned(&due(request), 1);
    if let Some(sent_at) = request.sent_at {
        recorder.note_sent(request, sent_at);
    }
    recorder.note_ended(request, ending, Mono(at));
}

#[test]
fn the_three_times_become_three_distributions() {
    let mut recorder = recorder();
    record_whole(&mut recorder, &request(1, 1_000, Some(1_200)), Ending::Ok, 1_900);
    let total = recorder.total();
    assert_eq!(quantiles(&total.response).max, Some(900));
    assert_eq!(quantiles(&total.service).max, Some(700));
    assert_eq!(quantiles(&recorder.total().lateness).max, Some(200));
    assert_eq!((recorder.kinds()[0].planned, recorder.kinds()[1].ok), (0, 1));
    recorder.assert_conservation();
}

#[test]
fn what_failed_or_never_finished_is_longer_than_anything() {
    let mut recorder = recorder();
    let endings = [
        Ending::Failed(Failure::Status),
        Ending::Failed(Failure::Malformed),
        Ending::Failed(Failure::Reset),
        Ending::Failed(Failure::Timeout),
        Ending::Failed(Failure::Connect),
        Ending::Unfinished,
    ];
    for ending in endings {
        record_whole(&mut recorder, &request(0, 1_000, Some(1_100)), ending, 1_500);
    }
    record_whole(&mut recorder, &request(0, 1_000, Some(1_100)), Ending::Ok, 2_000);
    let total = recorder.total();
    let errors = Errors { status: 1, malformed: 1, reset: 1, timeout: 1, connect: 1 };
    assert_eq!((total.errors, total.unfinished, total.ok), (errors, 1, 1));
    for histogram in [&total.response, &total.service] {
        let figures = quantiles(histogram);
        assert_eq!((figures.count, figures.infinite, figures.p50), (7, 6, None));
    }
    assert_eq!(quantiles(&total.response).longest_observed, Some(1_000));
    assert_eq!(recorder.total().lateness.count(), 7);
    recorder.assert_conservation();
}

#[test]
fn what_never_came_is_longer_than_it_was_waited_for() {
    let mut recorder = recorder();
    let ok = |due_at| request(0, due_at, Some(due_at + 100));
    record_whole(&mut recorder, &ok(0), Ending::Ok, 1_000);
    record_whole(&mut recorder, &ok(0), Ending::Failed(Failure::Timeout), 9_000);
    record_whole(&mut recorder, &request(0, 0, None), Ending::Unfinished, 9_500);
    let total = recorder.total();
    let longest = |histogram: &Histogram| quantiles(histogram).longest_observed;
    assert_eq!(longest(&total.response), Some(9_500));
    // From its send on nobody waited for what was not sent.
    assert_eq!((longest(&total.service), longest(&total.ttfb)), (Some(8_900), Some(8_900)));
    assert_eq!(quantiles(&total.response).p50, None);
    assert_eq!(quantiles(&total.response).min, Some(1_000));
}

#[test]
fn lateness_is_of_each_kind_and_of_all_even_of_those_kept_apart() {
    let mut recorder = recorder().with_apart([false, true].into_iter());
    record_whole(&mut recorder, &request(0, 0, Some(30)), Ending::Ok, 50);
    record_whole(&mut recorder, &request(1, 0, Some(700)), Ending::Ok, 900);
    record_whole(&mut recorder, &request(1, 0, None), Ending::Unfinished, 900);
    let [one, other] = recorder.kinds() else { panic!("two kinds") };
    let figures = |histogram: &Histogram| (quantiles(histogram).count, quantiles(histogram).max);
    assert_eq!(figures(&one.lateness), (1, Some(30)));
    assert_eq!(figures(&other.lateness), (1, Some(700)));
    assert_eq!(figures(&recorder.total().lateness), (2, Some(700)));
}

#[test]
fn requests_that_overlap_a_stall_are_counted_and_left_out_of_one_view() {
    let mut recorder = recorder();
    recorder.stalls.mark(Mono(5_000_000), Activity::Spinning);
    let during = request(0, 4_000_000, Some(5_000_000));
    record_whole(&mut recorder, &during, Ending::Ok, 5_001_000);
    recorder.stalls.caught_up(Mono(5_001_000));
    let after = request(0, 6_000_000, Some(6_000_100));
    record_whole(&mut recorder, &after, Ending::Ok, 6_001_000);
    assert_eq!(recorder.stall_totals().requests_overlapping, 1);
    let without = recorder.without_stalls();
    assert_eq!((without.response_ns.count, without.response_ns.max), (1, Some(1_000)));
    assert_eq!((without.lateness_ns.count, without.lateness_ns.max), (1, Some(100)));
    assert_eq!(recorder.total().response.count(), 2);
}

#[test]
fn the_warm_up_leaves_no_trace() {
    let mut recorder = recorder();
    let warm = Request { is_measured: false, ..request(0, 1_000, Some(1_100)) };
    recorder.note_starved(&warm);
    record_whole(&mut recorder, &warm, Ending::Failed(Failure::Reset), 2_000);
    assert_eq!((recorder.total().planned, recorder.total().lateness.count()), (0, 0));
    assert_eq!((recorder.starved(), recorder.last_sent_at()), (0, None));
    assert_eq!(recorder.hash(), ScheduleHash::default());
}

#[test]
fn two_recorders_merged_are_one_that_saw_everything() {
    let mut rng = Rng::new(9);
    let (mut one, mut other, mut both) = (recorder(), recorder(), recorder());
    for k in 0..2_000 {
        let due_at = 1_000 * k;
        let request = request(rng.below(2) as usize, due_at, Some(due_at + rng.below(500)));
        let ending = match rng.below(20) {
            0 => Ending::Failed(Failure::Timeout),
            1 => Ending::Unfinished,
            _ => Ending::Ok,
        };
        let at = due_at + 500 + rng.below(1_000_000);
        let part = if k % 2 == 0 { &mut one } else { &mut other };
        record_whole(part, &request, ending, at);
        record_whole(&mut both, &request, ending, at);
    }
    one.merge(&other);
    assert_eq!(quantiles(&one.total().response), quantiles(&both.total().response));
    assert_eq!(quantiles(&one.total().service), quantiles(&both.total().service));
    assert_eq!(quantiles(&one.total().lateness), quantiles(&both.total().lateness));
    assert_eq!((one.hash(), one.last_sent_at()), (both.hash(), both.last_sent_at()));
    one.assert_conservation();
}

#[test]
#[should_panic(expected = "kind 0 lost or doubled a request")]
fn a_lost_request_does_not_go_unnoticed() {
    let mut recorder = recorder();
    recorder.note_planned(&due(&request(0, 1, None)), 1);
    recorder.assert_conservation();
}

#[test]
fn kinds_kept_apart_are_counted_and_in_no_overall_distribution() {
    let mut recorder = recorder().with_apart([false, true].into_iter());
    record_whole(&mut recorder, &request(0, 0, Some(0)), Ending::Ok, 50);
    record_whole(&mut recorder, &request(1, 0, Some(0)), Ending::Ok, 900);
    let total = recorder.total();
    assert_eq!((total.planned, total.ok), (2, 2));
    assert_eq!((total.response.count(), quantiles(&total.response).max), (1, Some(50)));
    assert_eq!(quantiles(&recorder.kinds()[1].response).max, Some(900));
    // Where there is nothing else, they are what is reported.
    let mut alone = Recorder::new(1, StallMeter::new(Mono(0), Mono(0)));
    alone = alone.with_apart([true].into_iter());
    record_whole(&mut alone, &request(0, 0, Some(0)), Ending::Ok, 900);
    assert_eq!(quantiles(&alone.total().response).max, Some(900));
}
