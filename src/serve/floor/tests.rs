//! Connections beyond the limits, what is kept for reuse, and what is handed to the access log.

use super::*;
use crate::clock::FakeClock;
use crate::serve::access::AccessLog;
use crate::units::Nanos;

const NOW: Mono = Mono(1_000_000_000);
const STATUS: &[u8] = b"GET /devices/status HTTP/1.1\r\nHost: h\r\n\r\n";
const POLL: &[u8] = b"GET /events/live HTTP/1.1\r\nHost: h\r\n\r\n";

fn shared(change: impl FnOnce(&mut Settings)) -> Shared {
    let mut settings = Settings::default();
    change(&mut settings);
    Shared {
        home: Arc::new(Home::new(64)),
        settings: Arc::new(settings),
        metrics: Metrics::new(["0".to_string(), "1".to_string()]),
        admitted: Arc::default(),
    }
}

fn floor(core: usize, shared: &Shared) -> Floor {
    Floor::new(Box::new(FakeClock::at(NOW)), 784_111_777, core, shared.clone())
}

fn id(slot: u32) -> Key {
    Key { slot, generation: 1 }
}

/// The status of what the connection says, if it says anything.
fn status(floor: &mut Floor, id: Key) -> Option<String> {
    let bytes = floor.take_output(NOW, id)?;
    floor.sent(NOW, id);
    Some(String::from_utf8(bytes[9..12].to_vec()).unwrap())
}

#[test]
fn one_connection_too_many_on_a_core_is_told_so_and_leaves_no_trace() {
    let shared = shared(|settings| settings.quotas.core_connections_max = 2);
    let mut floor = floor(0, &shared);
    (0..3).for_each(|slot| floor.accept(NOW, id(slot)));
    assert_eq!(status(&mut floor, id(1)), None);
    assert_eq!(status(&mut floor, id(2)).as_deref(), Some("503"));
    assert_eq!(floor.close_wish(id(2)), CloseWish::ShutdownWrite);
    assert_eq!(shared.metrics.tally(0).refused.get(), 1);
    floor.remove(id(2));
    floor.accept(NOW, id(3));
    assert_eq!(status(&mut floor, id(3)).as_deref(), Some("503"), "the two are still in");
    floor.remove(id(0));
    floor.accept(NOW, id(4));
    floor.receive(NOW, id(4), STATUS);
    assert_eq!(status(&mut floor, id(4)).as_deref(), Some("200"), "there is room again");
}

#[test]
fn the_limit_on_all_connections_counts_those_of_every_core() {
    let shared = shared(|settings| settings.quotas.connections_max = 2);
    let (mut here, mut there) = (floor(0, &shared), floor(1, &shared));
    here.accept(NOW, id(0));
    there.accept(NOW, id(0));
    here.accept(NOW, id(1));
    assert_eq!(status(&mut here, id(1)).as_deref(), Some("503"));
    there.remove(id(0));
    here.accept(NOW, id(2));
    assert_eq!(status(&mut here, id(2)), None);
}

#[test]
fn with_too_many_refusals_under_way_a_connection_is_closed_without_a_word() {
    let shared = shared(|settings| settings.quotas.core_connections_max = 1);
    let mut floor = floor(0, &shared);
    let told = 1 + REFUSALS_MAX as u32;
    (0..=told).for_each(|slot| floor.accept(NOW, id(slot)));
    assert_eq!(status(&mut floor, id(told - 1)).as_deref(), Some("503"));
    assert_eq!(status(&mut floor, id(told)), None);
    assert_eq!(floor.close_wish(id(told)), CloseWish::Close);
}

#[test]
fn a_poll_too_many_is_told_so_and_its_connection_goes_on() {
    let shared = shared(|settings| settings.quotas.parked_max = 1);
    let mut floor = floor(0, &shared);
    (0..2).for_each(|slot| floor.accept(NOW, id(slot)));
    floor.receive(NOW, id(0), POLL);
    floor.receive(NOW, id(1), POLL);
    assert_eq!((floor.parked(), status(&mut floor, id(1)).as_deref()), (1, Some("503")));
    floor.receive(NOW, id(1), STATUS);
    assert_eq!(status(&mut floor, id(1)).as_deref(), Some("200"));
    // A poll that ends makes room for the next one of the same connection.
    floor.receive(NOW, id(0), POLL);
    floor.finish(id(0));
    floor.advance(NOW + shared.settings.poll_timeout);
    assert_eq!((floor.parked(), status(&mut floor, id(0)).as_deref()), (1, Some("200")));
    assert_eq!(status(&mut floor, id(0)), None, "the second poll is parked");
}

#[test]
fn a_connection_rests_once_its_answer_is_sent_and_its_deadline_is_kept() {
    let second = Nanos::from_secs(1);
    let shared = shared(|settings| {
        (settings.idle_timeout, settings.write_timeout) = (second, Nanos::from_secs(60));
    });
    let mut floor = floor(0, &shared);
    let submit = |floor: &mut Floor, now| {
        let any = floor.next_dirty().inspect(|id| floor.finish(*id)).is_some();
        (any, floor.next_wake().is_some_and(|at| at <= now + second))
    };
    floor.accept(NOW, id(0));
    assert_eq!(submit(&mut floor, NOW), (true, true));
    floor.receive(NOW, id(0), STATUS);
    assert!(floor.take_output(NOW, id(0)).is_some());
    assert_eq!(submit(&mut floor, NOW), (true, true));
    floor.sent(NOW, id(0));
    assert_eq!(submit(&mut floor, NOW), (false, true), "nothing is left to do");
    // One that is slow to read has the time for that, and the idle time only from then on.
    floor.receive(NOW, id(0), STATUS);
    assert!(floor.take_output(NOW, id(0)).is_some());
    let later = NOW + second;
    floor.advance(later);
    assert_eq!(submit(&mut floor, later), (true, false));
    floor.sent(later, id(0));
    assert_eq!(submit(&mut floor, later), (true, true), "the timer was armed for later");
    floor.advance(later + second);
    assert_eq!(floor.close_wish(id(0)), CloseWish::ShutdownWrite);
}

#[test]
fn what_is_kept_for_reuse_is_bounded() {
    let mut floor = floor(0, &shared(|_| {}));
    for _ in 0..2 * SPARE_BUFFERS_MAX {
        floor.give_buffer(Vec::with_capacity(100));
    }
    assert_eq!(floor.spare.count(), SPARE_BUFFERS_MAX);
    floor.spare = SpareBuffers::new(SPARE_BUFFERS_MAX, SPARE_BUF_BYTES_MAX);
    floor.give_buffer(Vec::with_capacity(SPARE_BUF_BYTES_MAX + 1));
    assert_eq!(floor.spare.count(), 0, "it has grown too large");
    // Connections that had nothing to say give back what they were lent.
    floor.accept(NOW, id(0));
    for _ in 0..2 * SPARE_BUFFERS_MAX {
        floor.give_buffer(Vec::with_capacity(100));
        floor.receive(NOW, id(0), b"\r\n");
        floor.receive(NOW, id(0), b"GET");
    }
    assert_eq!(floor.spare.count(), SPARE_BUFFERS_MAX);
}

#[test]
fn answers_are_handed_to_the_access_log_and_drops_are_counted() {
    let (log, records) = AccessLog::open();
    let shared = shared(|settings| settings.access_log = Some(log));
    let mut floor = floor(1, &shared);
    floor.accept(NOW, id(0));
    floor.receive(NOW, id(0), &[STATUS, b"GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n"].concat());
    let peer = "192.0.2.7:80".parse().ok();
    floor.log(id(0), || peer);
    floor.log(id(0), || panic!("the peer is known, and there is nothing new"));
    let told: Vec<_> = records.try_iter().map(|r| (r.status, r.peer, r.core.to_string())).collect();
    assert_eq!(told, [(200, peer, "1".to_string()), (404, peer, "1".to_string())]);
    drop(records);
    floor.receive(NOW, id(0), STATUS);
    floor.log(id(0), || peer);
    assert_eq!(shared.metrics.tally(1).log_drops.get(), 1);
}
