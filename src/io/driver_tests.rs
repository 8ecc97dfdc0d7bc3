//! What every driver must do, over real loopback sockets: one set of tests, run on epoll and on the
//! ring under each of its settings.
//!
//! Driver and peers live in one thread. Peers are plain non-blocking sockets, so nothing sleeps but
//! the driver, and every loop ends. Start at [`Stage`].

mod stage;

use super::epoll::Epoll;
use super::uring::{MinWait, Settings, Sqpoll, TaskRun, Uring, Wake};
use super::{ConnId, Driver, Event, Outlet, Sending, Wait};
use crate::clock::Clock;
use crate::io::clock::MonotonicClock;
use crate::io::limits;
use crate::rng::Rng;
use crate::units::{Mono, Nanos};
use stage::{Reading, Seen, Stage, noise, read_some, reset, write_some};
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

/// Runs each named test on every driver.
macro_rules! on_every_driver {
    ($($test:ident)*) => {
        on_every_driver!(@drivers ($($test)*)
            epoll => Epoll::new().expect("epoll is always there"),
            uring => uring(|_| {}),
            uring_two_buffers => uring(|s| s.buffers = 2),
            uring_tiny_queues => uring(|s| (s.sq_entries, s.cq_entries) = (4, 8)),
            uring_one_shot => uring(|s| (s.accept_multishot, s.recv_multishot) = (false, false)),
            uring_direct_send => uring(|s| s.direct_send = true),
            uring_coop => uring(|s| s.task_run = TaskRun::Coop),
            uring_interrupt => uring(|s| s.task_run = TaskRun::Interrupt),
            uring_unregistered => uring(|s| s.registered_ring = false),
            uring_tiny_buffers => uring(|s| (s.buffers, s.buffer_bytes) = (4, 64)),
            uring_fixed_files => uring(|s| s.fixed_files = true),
            uring_sqpoll => uring(sqpoll),
            uring_sqpoll_that_sleeps => uring(|s| {
                sqpoll(s);
                s.sqpoll = Some(Sqpoll { cpu: None, idle: Nanos::from_millis(1) });
            }),
            uring_sqpoll_tiny_queues => uring(|s| {
                sqpoll(s);
                (s.sq_entries, s.cq_entries) = (4, 8);
            }),
            uring_min_wait => uring(|s| {
                s.min_wait = Some(MinWait { span: Nanos::from_micros(100), completions: 4 });
            }),
            uring_napi => uring(|s| s.napi = Some(Nanos::from_micros(20))),
            uring_woken_by_eventfd => uring(|s| s.wake = Wake::Eventfd),
            uring_everything_else => uring(|s| {
                sqpoll(s);
                (s.recv_multishot, s.direct_send, s.fixed_files) = (false, true, true);
                (s.buffers, s.buffer_bytes, s.registered_ring) = (8, 128, false);
            }),
        );
    };
    (@drivers $tests:tt $($name:ident => $make:expr,)*) => {
        $(on_every_driver!(@tests $name $make; $tests);)*
    };
    (@tests $name:ident $make:expr; ($($test:ident)*)) => {
        mod $name {
            use super::*;
            $(#[test] fn $test() { super::$test(Stage::new($make)); })*
        }
    };
}

on_every_driver! {
    megabytes_are_echoed_to_peers_that_read_slowly
    pausing_loses_and_reorders_nothing
    an_answer_goes_out_after_the_peers_fin
    a_reset_is_failed_once_and_never_a_fin
    a_reset_under_a_pending_send_is_failed_once
    a_refused_connect_is_failed
    both_ends_of_a_connection_may_be_ours
    closing_under_a_pending_send_ends_the_connection
    a_late_completion_for_a_reused_slot_is_dropped
    a_waker_ends_the_sleep
    a_driver_ends_the_sleep_of_another
    nothing_to_do_takes_a_handful_of_turns
    stale_ids_do_nothing
    peers_are_refused_once_nobody_listens
    whoever_waits_when_listening_stops_is_accepted
    five_hundred_connections_are_served_at_once
    dropping_with_everything_in_flight_closes_every_socket
}

/// Chosen: the thread spins for longer than any pause of these tests.
fn sqpoll(settings: &mut Settings) {
    settings.task_run = TaskRun::Interrupt;
    settings.sqpoll = Some(Sqpoll { cpu: None, idle: Nanos::from_secs(1) });
}

fn uring(change: impl FnOnce(&mut Settings)) -> Uring {
    let mut settings = Settings::default();
    change(&mut settings);
    Uring::new(&settings).expect("these tests need a kernel that allows io_uring")
}

/// More than loopback's buffers hold, so that a send to a peer that does not read stays pending.
const MORE_THAN_BUFFERS: usize = 16 * 1024 * 1024;

/// A peer that writes noise in random pieces, and reads the echo in small ones.
struct Echoed {
    peer: TcpStream,
    id: ConnId,
    noise: Vec<u8>,
    written: usize,
    read: Vec<u8>,
    over: Reading,
    /// Received by the driver and not sent back yet; `pending` while a send is under way.
    owed: Vec<u8>,
    pending: bool,
    ended: bool,
}

impl Echoed {
    fn act(&mut self, rng: &mut Rng) {
        let piece = (1 + rng.below(100_000) as usize).min(self.noise.len() - self.written);
        if piece > 0 {
            let begin = self.written;
            self.written += write_some(&mut self.peer, &self.noise[begin..begin + piece]);
            if self.written == self.noise.len() {
                self.peer.shutdown(Shutdown::Write).unwrap();
            }
        }
        // A slow reader: now and then, and little, so that sends run short.
        if rng.chance(0.3) || self.written == self.noise.len() {
            let limit = 1 + rng.below(50_000) as usize;
            self.over = read_some(&mut self.peer, &mut self.read, limit);
        }
    }

    fn handle(&mut self, seen: &Seen) {
        match seen {
            Seen::Received(_, bytes) => self.owed.extend_from_slice(bytes),
            Seen::End(_) => self.ended = true,
            Seen::Sent(_) => self.pending = false,
            other => panic!("an echo is not {other:?}"),
        }
    }

    /// Sends what is owed; FIN once that is everything.
    fn submit(&mut self, driver: &mut impl Driver) {
        if self.pending {
            return;
        }
        if !self.owed.is_empty() {
            match driver.send(self.id, std::mem::take(&mut self.owed)) {
                Sending::Done => {}
                Sending::Pending => self.pending = true,
                Sending::Failed(error) => panic!("the peer is there: {error}"),
            }
        } else if std::mem::take(&mut self.ended) {
            driver.shutdown_write(self.id);
        }
    }
}

fn megabytes_are_echoed_to_peers_that_read_slowly<D: Driver>(mut stage: Stage<D>) {
    let seed = 11;
    let mut rng = Rng::new(seed);
    let mut echoed: HashMap<ConnId, Echoed> = HashMap::new();
    for _ in 0..3 {
        let (peer, id) = stage.accept();
        let len = 1 + rng.below(3_000_000) as usize;
        let noise = noise(&mut rng, len);
        let (written, read, owed) = (0, Vec::new(), Vec::new());
        let (over, pending, ended) = (Reading::Open, false, false);
        echoed.insert(id, Echoed { peer, id, noise, written, read, over, owed, pending, ended });
    }
    while echoed.values().any(|one| one.over == Reading::Open) {
        let events = stage.turn();
        stage.seen.clear(); // they hold megabytes
        for seen in &events {
            if let Some(one) = seen.id().and_then(|id| echoed.get_mut(&id)) {
                one.handle(seen);
            }
        }
        for one in echoed.values_mut() {
            one.submit(&mut stage.driver);
            one.act(&mut rng);
        }
    }
    for one in echoed.values() {
        assert!(one.read == one.noise, "seed {seed}: {} of {}", one.read.len(), one.noise.len());
        stage.driver.close(one.id);
    }
    let expected: u64 = echoed.values().map(|one| one.noise.len() as u64).sum();
    assert_eq!(stage.driver.counters().received_bytes, expected);
    assert_eq!(stage.driver.counters().sent_bytes, expected);
}

fn pausing_loses_and_reorders_nothing<D: Driver>(mut stage: Stage<D>) {
    let seed = 12;
    let mut rng = Rng::new(seed);
    let (mut peer, id) = stage.accept();
    let noise = noise(&mut rng, 2_000_000);
    let (mut written, mut received, mut ended) = (0, Vec::new(), false);
    while !ended {
        if written < noise.len() {
            let piece = (1 + rng.below(60_000) as usize).min(noise.len() - written);
            written += write_some(&mut peer, &noise[written..written + piece]);
            if written == noise.len() {
                peer.shutdown(Shutdown::Write).unwrap();
            }
        }
        // Also twice in a row, and both within one turn: a cancel and what undoes it.
        for _ in 0..rng.below(4) {
            match rng.chance(0.5) {
                true => stage.driver.pause_receiving(id),
                false => stage.driver.resume_receiving(id),
            }
        }
        // What ended paused would wait for ever.
        if rng.chance(0.5) {
            stage.driver.resume_receiving(id);
        }
        for seen in stage.turn() {
            match seen {
                Seen::Received(_, bytes) if !ended => received.extend_from_slice(&bytes),
                Seen::End(_) if !ended => ended = true,
                other => panic!("seed {seed}: {other:?} after the end"),
            }
        }
        stage.seen.clear();
    }
    assert!(received == noise, "seed {seed}: {} of {}", received.len(), noise.len());
}

fn an_answer_goes_out_after_the_peers_fin<D: Driver>(mut stage: Stage<D>) {
    let (mut peer, id) = stage.accept();
    peer.write_all(b"ask").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    stage.until_seen(&Seen::End(id));
    assert_eq!(stage.received(id), b"ask");
    let answer = noise(&mut Rng::new(13), 3_000_000);
    let read = stage.send_to_reader(id, &answer, &mut peer);
    assert!(read == answer);
    stage.driver.close(id);
    assert_eq!(stage.until_over(&mut peer), b"");
}

fn a_reset_is_failed_once_and_never_a_fin<D: Driver>(mut stage: Stage<D>) {
    // Not more: see the known limit at the head of `uring`.
    for bytes in [0, 10, 60_000] {
        let (mut peer, id) = stage.accept();
        peer.write_all(&vec![7; bytes]).unwrap();
        reset(peer);
        stage.until_seen(&Seen::Failed(id));
        stage.settle();
        assert_eq!(stage.count(&Seen::Failed(id)), 1);
        assert_eq!(stage.count(&Seen::End(id)), 0);
        stage.driver.close(id);
    }
}

fn a_reset_under_a_pending_send_is_failed_once<D: Driver>(mut stage: Stage<D>) {
    let (peer, id) = stage.accept();
    let sending = stage.driver.send(id, vec![7; MORE_THAN_BUFFERS]);
    assert!(matches!(sending, Sending::Pending), "{sending:?}");
    stage.settle();
    assert_eq!(stage.count(&Seen::Sent(id)), 0, "the peer does not read");
    reset(peer);
    stage.until_seen(&Seen::Failed(id));
    stage.settle();
    assert_eq!(stage.count(&Seen::Failed(id)), 1);
    assert_eq!(stage.count(&Seen::End(id)), 0);
    assert_eq!(stage.count(&Seen::Sent(id)), 0);
    stage.driver.close(id);
    let (_peer, next) = stage.accept();
    assert_ne!(next, id);
}

fn a_refused_connect_is_failed<D: Driver>(mut stage: Stage<D>) {
    // Bound and not listening: nobody else can be there, and connecting is refused.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let id = stage.driver.connect(closed.into()).unwrap();
    stage.until_seen(&Seen::Failed(id));
    stage.settle();
    assert_eq!(stage.seen, [Seen::Failed(id)]);
    stage.driver.close(id);
}

fn both_ends_of_a_connection_may_be_ours<D: Driver>(mut stage: Stage<D>) {
    let client = stage.driver.connect(stage.address.into()).unwrap();
    stage.until_seen(&Seen::Connected(client));
    let server = stage.until(|seen| match seen {
        Seen::Accepted(id) => Some(*id),
        _ => None,
    });
    assert!(!matches!(stage.driver.send(client, b"ask".to_vec()), Sending::Failed(_)));
    assert_eq!(stage.until_received(server, 3), b"ask");
    assert!(!matches!(stage.driver.send(server, b"answer".to_vec()), Sending::Failed(_)));
    assert_eq!(stage.until_received(client, 6), b"answer");
    stage.driver.close(client);
    stage.until_seen(&Seen::End(server));
    stage.driver.close(server);
}

fn closing_under_a_pending_send_ends_the_connection<D: Driver>(mut stage: Stage<D>) {
    let (mut peer, id) = stage.accept();
    let sending = stage.driver.send(id, vec![7; MORE_THAN_BUFFERS]);
    assert!(matches!(sending, Sending::Pending), "{sending:?}");
    stage.turn();
    stage.driver.close(id);
    stage.turn(); // cancels it, before reading would make room for the rest
    let read = stage.until_over(&mut peer);
    assert!(read.len() < MORE_THAN_BUFFERS, "closing does not wait for the rest");
    assert_eq!(stage.count(&Seen::Sent(id)) + stage.count(&Seen::Failed(id)), 0);
}

fn a_late_completion_for_a_reused_slot_is_dropped<D: Driver>(mut stage: Stage<D>) {
    for round in 0..50u8 {
        let (mut peer, id) = stage.accept();
        // In flight when the slot is given up: bytes, and a send that cannot end.
        peer.write_all(&[0xEE; 3_000]).unwrap();
        if round % 2 == 0 {
            let _ = stage.driver.send(id, vec![7; 4_000_000]);
        }
        if round % 3 == 0 {
            stage.turn();
        }
        stage.driver.close(id);
        let closed_at = stage.seen.len();
        let (mut next_peer, next) = stage.accept();
        next_peer.write_all(&[round; 100]).unwrap();
        assert_eq!(stage.until_received(next, 100), [round; 100]);
        let read = stage.send_to_reader(next, &[round; 200], &mut next_peer);
        assert_eq!(read, [round; 200]);
        drop(peer);
        stage.settle();
        let late = stage.seen[closed_at..].iter().find(|seen| seen.id() == Some(id));
        assert_eq!(late, None, "round {round}: the id was stale");
        stage.driver.close(next);
    }
}

fn a_waker_ends_the_sleep<D: Driver>(mut stage: Stage<D>) {
    for _ in 0..3 {
        let waker = stage.driver.waker();
        let thread = std::thread::spawn(move || waker.wake());
        let mut woken = false;
        while !woken {
            let now = MonotonicClock.now();
            assert!(now < stage.give_up, "nobody was woken");
            let until = stage.give_up;
            stage
                .driver
                .turn(Wait::Until(until), |event| woken |= matches!(event, Event::Woken))
                .unwrap();
        }
        thread.join().unwrap();
    }
    stage.seen.clear();
    stage.settle();
    assert_eq!(stage.seen, [], "one wake is one event");
}

/// Each of the two in turn, so that both sides of every way to wake are gone through.
fn a_driver_ends_the_sleep_of_another<D: Driver>(mut stage: Stage<D>) {
    let mut other = uring(|_| {});
    for _ in 0..3 {
        stage.driver.wake(&other.waker());
        stage.turn();
        until_woken(&mut other, stage.give_up);
        Outlet::wake(&mut other, &stage.driver.waker());
        other.turn(Wait::Poll, |_| {}).unwrap();
        until_woken(&mut stage.driver, stage.give_up);
    }
    let ended = other.waker();
    drop(other);
    stage.driver.wake(&ended);
    stage.settle();
    assert_eq!(stage.seen, [], "nobody woke this one, and that the other has ended is nothing");
}

#[track_caller]
fn until_woken(driver: &mut impl Driver, give_up: Mono) {
    let mut woken = 0;
    while woken == 0 {
        assert!(MonotonicClock.now() < give_up, "nobody was woken");
        driver
            .turn(Wait::Until(give_up), |event| woken += u32::from(matches!(event, Event::Woken)))
            .unwrap();
    }
    assert_eq!(woken, 1);
}

/// Whatever the connections are in: idle, ended by the peer, paused with bytes waiting, broken.
fn nothing_to_do_takes_a_handful_of_turns<D: Driver>(mut stage: Stage<D>) {
    let (_idle, _) = stage.accept();
    let (ended, ended_id) = stage.accept();
    ended.shutdown(Shutdown::Write).unwrap();
    stage.until_seen(&Seen::End(ended_id));
    let (broken, broken_id) = stage.accept();
    reset(broken);
    stage.until_seen(&Seen::Failed(broken_id));
    let (mut paused, paused_id) = stage.accept();
    stage.driver.pause_receiving(paused_id);
    stage.settle();
    paused.write_all(&[7; 100_000]).unwrap();
    paused.shutdown(Shutdown::Write).unwrap();
    stage.settle();
    let before = stage.driver.counters();
    let deadline = MonotonicClock.now() + Nanos::from_millis(50);
    while MonotonicClock.now() < deadline {
        stage
            .driver
            .turn(Wait::Until(deadline), |event| panic!("out of nothing: {event:?}"))
            .unwrap();
    }
    let after = stage.driver.counters();
    assert!(after.turns - before.turns <= 5, "{} turns", after.turns - before.turns);
    assert!(after.syscalls - before.syscalls <= 5);
    stage.driver.resume_receiving(paused_id);
    stage.until_seen(&Seen::End(paused_id));
    assert_eq!(stage.received(paused_id), [7; 100_000]);
}

fn stale_ids_do_nothing<D: Driver>(mut stage: Stage<D>) {
    let (mut peer, id) = stage.accept();
    stage.driver.close(id);
    stage.until_over(&mut peer);
    stage.driver.close(id);
    stage.driver.pause_receiving(id);
    stage.driver.resume_receiving(id);
    stage.driver.shutdown_write(id);
    assert!(!matches!(stage.driver.send(id, b"lost".to_vec()), Sending::Pending));
    let (mut next_peer, next) = stage.accept();
    next_peer.write_all(b"new").unwrap();
    assert_eq!(stage.until_received(next, 3), b"new");
}

fn peers_are_refused_once_nobody_listens<D: Driver>(mut stage: Stage<D>) {
    let (mut peer, id) = stage.accept();
    stage.stop_listening();
    let refused = TcpStream::connect(stage.address).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    peer.write_all(b"still").unwrap();
    assert_eq!(stage.until_received(id, 5), b"still");
    assert_eq!(stage.send_to_reader(id, b"here", &mut peer), b"here");
}

fn whoever_waits_when_listening_stops_is_accepted<D: Driver>(mut stage: Stage<D>) {
    // Before a turn that could accept them; more than a driver accepts in one.
    let mut peers: Vec<TcpStream> =
        (0..100).map(|_| TcpStream::connect(stage.address).unwrap()).collect();
    peers.iter_mut().for_each(|peer| peer.write_all(b"asked").unwrap());
    stage.stop_listening();
    let ids: Vec<ConnId> = stage
        .seen
        .iter()
        .filter_map(|seen| match seen {
            Seen::Accepted(id) => Some(*id),
            _ => None,
        })
        .collect();
    assert_eq!(ids.len(), peers.len());
    for id in ids {
        assert_eq!(stage.until_received(id, 5), b"asked");
    }
    assert_eq!(stage.driver.counters().accepted, peers.len() as u64);
}

fn five_hundred_connections_are_served_at_once<D: Driver>(mut stage: Stage<D>) {
    limits::descriptor_limit().unwrap();
    let mut peers = Vec::new();
    for _ in 0..500 {
        // The backlog holds twice as many; still the driver takes some in on the way.
        peers.push(TcpStream::connect(stage.address).unwrap());
        if peers.len() % 100 == 0 {
            stage.turn();
        }
    }
    for (index, peer) in peers.iter_mut().enumerate() {
        peer.write_all(&(index as u64).to_le_bytes()).unwrap();
        peer.set_nonblocking(true).unwrap();
    }
    let mut echoes = vec![Vec::new(); peers.len()];
    while echoes.iter().any(|echo| echo.len() < 8) {
        for seen in stage.turn() {
            if let Seen::Received(id, bytes) = seen {
                assert!(!matches!(stage.driver.send(id, bytes), Sending::Failed(_)));
            }
        }
        for (peer, echo) in peers.iter_mut().zip(&mut echoes) {
            read_some(peer, echo, usize::MAX);
        }
    }
    for (index, echo) in echoes.iter().enumerate() {
        assert_eq!(echo[..], (index as u64).to_le_bytes());
    }
    drop(peers);
    let ends = |stage: &Stage<D>| stage.seen.iter().filter(|s| matches!(s, Seen::End(_))).count();
    while ends(&stage) < 500 {
        stage.turn();
    }
    assert_eq!(stage.driver.counters().accepted, 500);
}

fn dropping_with_everything_in_flight_closes_every_socket<D: Driver>(mut stage: Stage<D>) {
    let mut peers = Vec::new();
    for round in 0..10 {
        let (mut peer, id) = stage.accept();
        peer.write_all(&[7; 5_000]).unwrap();
        match round % 5 {
            0 => drop(stage.driver.send(id, vec![7; MORE_THAN_BUFFERS])),
            1 => stage.driver.pause_receiving(id),
            2 => stage.driver.close(id),
            3 => {
                stage.settle();
                drop(stage.driver.send(id, vec![7; MORE_THAN_BUFFERS]));
                stage.driver.close(id);
            }
            _ => {}
        }
        peers.push(peer);
    }
    stage.driver.connect(stage.address.into()).unwrap();
    stage.driver.waker().wake();
    drop(stage);
    for mut peer in peers {
        peer.set_nonblocking(false).unwrap();
        peer.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
        let mut rest = Vec::new();
        if let Err(error) = peer.read_to_end(&mut rest) {
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "the socket is still open");
        }
    }
}
