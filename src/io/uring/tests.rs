//! What only the ring has: cookies, buffers that run out, queues that run over, and its end. What every
//! driver does is in `driver_tests`.

use super::*;
use crate::io::net::SocketSettings;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};

/// Chosen: far more than any of this takes.
const TURNS_MAX: u32 = 10_000;

fn listening(change: impl FnOnce(&mut Settings)) -> (Uring, SocketAddr) {
    let mut settings = Settings::default();
    change(&mut settings);
    let mut ring = Uring::new(&settings).expect("these tests need a kernel that allows io_uring");
    let listener =
        Listener::bind("127.0.0.1:0".parse().unwrap(), &SocketSettings::default(), None).unwrap();
    let address = listener.local_address().unwrap();
    ring.listen(listener).unwrap();
    (ring, address)
}

fn soon() -> Wait {
    Wait::Until(MonotonicClock.now() + Nanos::from_micros(200))
}

/// Lets `peers` send a kibibyte each, all at once, and counts what arrives.
fn flood(ring: &mut Uring, address: SocketAddr, peers: usize) {
    let mut peers: Vec<TcpStream> =
        (0..peers).map(|_| TcpStream::connect(address).unwrap()).collect();
    peers.iter_mut().for_each(|peer| peer.write_all(&[7; 1024]).unwrap());
    let expected = peers.len() as u64 * 1024;
    let mut received = 0;
    for _ in 0..TURNS_MAX {
        ring.turn(soon(), |event| {
            if let Event::Received(_, bytes) = event {
                received += bytes.len() as u64;
            }
        })
        .unwrap();
        if received == expected {
            return;
        }
    }
    panic!("{received} of {expected} bytes; {:?}", ring.counters());
}

#[test]
fn receives_that_found_no_buffer_are_armed_again() {
    let (mut ring, address) = listening(|settings| settings.buffers = 2);
    flood(&mut ring, address, 50);
    assert!(ring.counters().out_of_buffers > 0, "{:?}", ring.counters());
}

#[test]
fn a_completion_queue_that_runs_over_loses_nothing() {
    let (mut ring, address) = listening(|s| (s.sq_entries, s.cq_entries) = (4, 8));
    flood(&mut ring, address, 100);
    assert!(ring.counters().overflows > 0, "{:?}", ring.counters());
}

#[test]
fn a_wake_that_comes_just_before_the_end_does_not_hold_it_up() {
    let (mut ring, _) = listening(|_| {});
    ring.waker().wake();
    assert!(ring.end(), "the read of the eventfd is still armed");
}

#[test]
fn the_end_waits_for_sends_receives_and_connects_under_way() {
    let (mut ring, address) = listening(|_| {});
    let peers: Vec<TcpStream> = (0..10).map(|_| TcpStream::connect(address).unwrap()).collect();
    let mut ids = Vec::new();
    for _ in 0..TURNS_MAX {
        ring.turn(soon(), |event| {
            if let Event::Accepted(id) = event {
                ids.push(id);
            }
        })
        .unwrap();
        if ids.len() == peers.len() {
            break;
        }
    }
    for id in ids {
        assert!(matches!(ring.send(id, vec![7; 16 * 1024 * 1024]), Sending::Pending));
    }
    ring.connect(address.into()).unwrap();
    assert!(ring.end(), "the kernel still holds memory of ours");
}

/// A connection of `ring` whose peer has written `bytes`.
fn written_to(ring: &mut Uring, address: SocketAddr, bytes: &[u8]) -> (TcpStream, ConnId) {
    let mut peer = TcpStream::connect(address).unwrap();
    let mut accepted = None;
    for _ in 0..TURNS_MAX {
        ring.turn(soon(), |event| {
            if let Event::Accepted(id) = event {
                accepted = Some(id);
            }
        })
        .unwrap();
        if let Some(id) = accepted {
            ring.turn(Wait::Poll, |_| {}).unwrap(); // arms its receive
            peer.write_all(bytes).unwrap();
            return (peer, id);
        }
    }
    panic!("nobody was accepted");
}

#[test]
fn a_sleep_for_a_batch_lasts_until_it_is_there_or_its_time_is_up() {
    let span = Nanos::from_millis(20);
    let (mut ring, address) = listening(|settings| {
        settings.min_wait = Some(MinWait { span, completions: 2 });
    });
    let (_peer, _) = written_to(&mut ring, address, b"1");
    let slept = |ring: &mut Uring, wait: Wait| {
        let begin = MonotonicClock.now();
        let mut received = 0;
        ring.turn(wait, |event| received += u32::from(matches!(event, Event::Received(..))))
            .unwrap();
        (MonotonicClock.now() - begin, received)
    };
    if ring.ring.notes().iter().any(|note| note.contains("--min-wait")) {
        return; // Linux 6.12
    }
    // The byte may be in the queue already, which ends any sleep before it begins.
    slept(&mut ring, soon());
    let (_second, _) = written_to(&mut ring, address, b"2");
    slept(&mut ring, soon());
    let (mut peer, _) = written_to(&mut ring, address, b"3");
    slept(&mut ring, Wait::Until(MonotonicClock.now() + span));
    let writer = std::thread::spawn(move || {
        peer.write_all(b"4").unwrap();
        peer
    });
    let (time, received) = slept(&mut ring, Wait::Forever);
    assert!(received == 1 && time >= span, "{received} after {time}");
    drop(writer.join().unwrap());
    let deadline = Nanos::from_millis(1);
    let (time, _) = slept(&mut ring, Wait::Until(MonotonicClock.now() + deadline));
    assert!(time < span, "a timer's deadline ends the sleep, not only the batch: {time}");
}

#[test]
fn a_message_goes_out_with_the_next_submission_and_a_write_at_once() {
    for (wake, at_once) in [(Wake::MsgRing, 0), (Wake::Eventfd, 1)] {
        let (mut ring, _) = listening(|settings| settings.wake = wake);
        let (mut other, _) = listening(|_| {});
        ring.turn(Wait::Poll, |_| {}).unwrap();
        other.turn(Wait::Poll, |_| {}).unwrap();
        let before = ring.counters().syscalls;
        ring.wake(&other.waker());
        assert_eq!(ring.counters().syscalls - before, at_once, "{wake:?}");
        ring.turn(Wait::Poll, |_| {}).unwrap();
        let mut woken = 0;
        other.turn(soon(), |event| woken += u32::from(matches!(event, Event::Woken))).unwrap();
        assert_eq!(woken, 1, "{wake:?}");
    }
}

#[test]
fn a_message_that_cannot_be_delivered_becomes_a_write() {
    let (mut ring, _) = listening(|_| {});
    let no_ring = TcpStream::connect(listening(|_| {}).1).unwrap();
    let waker = Waker::new().unwrap().with_ring(no_ring.as_fd()).unwrap();
    ring.wake(&waker);
    assert!(!waker.drain(), "it goes out as a message first");
    ring.turn(soon(), |event| panic!("{event:?}")).unwrap();
    assert!(waker.drain(), "the message failed, and nobody was woken");
}

#[test]
fn sockets_stand_in_the_table_while_they_are_open_and_those_beyond_it_work_too() {
    let (mut ring, address) = listening(|settings| settings.fixed_files = true);
    assert!(ring.files > 2, "{:?}", ring.notes());
    ring.files = 2;
    let peers: Vec<_> = (0..4).map(|_| written_to(&mut ring, address, b"hello")).collect();
    let tabled = |ring: &Uring| {
        let file = |(_, id): &(TcpStream, ConnId)| ring.sockets.get(*id).and_then(|s| s.file);
        peers.iter().filter_map(file).collect::<Vec<u32>>()
    };
    assert_eq!(tabled(&ring), [0, 1]);
    let listed = |ring: &Uring| {
        let fd = ring.ring.fd().as_raw_fd();
        let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap();
        text.lines().filter(|line| line.contains("socket:[")).count()
    };
    assert_eq!(listed(&ring), 2, "the kernel lists them");
    for (_, id) in &peers {
        ring.close(*id);
    }
    for _ in 0..TURNS_MAX {
        ring.turn(soon(), |_| {}).unwrap();
        if ring.sockets.is_empty() {
            break;
        }
    }
    assert_eq!(listed(&ring), 0);
}

#[test]
fn completions_run_when_the_task_run_mode_says() {
    for (task_run, by_itself) in
        [(TaskRun::Interrupt, true), (TaskRun::Coop, true), (TaskRun::Defer, false)]
    {
        let (mut ring, address) = listening(|settings| settings.task_run = task_run);
        let (_peer, _) = written_to(&mut ring, address, b"hello");
        // Each of these is a system call at whose end the kernel runs what it may run.
        let mut looks = 0..if by_itself { TURNS_MAX } else { 100 };
        let ran = looks.any(|_| {
            std::thread::yield_now();
            ring.ring.has_completions()
        });
        assert_eq!(ran, by_itself, "{task_run:?} without an enter");
        let mut received = 0;
        for _ in 0..TURNS_MAX {
            ring.turn(soon(), |event| {
                received += u32::from(matches!(event, Event::Received(..)));
            })
            .unwrap();
            if received > 0 {
                break;
            }
        }
        assert_eq!(received, 1, "{task_run:?}");
    }
}

#[test]
fn an_accept_is_for_everybody_who_waits_or_for_one() {
    for (multishot, at_once) in [(true, 3), (false, 1)] {
        let (mut ring, address) = listening(|settings| settings.accept_multishot = multishot);
        let _peers: Vec<TcpStream> = (0..3).map(|_| TcpStream::connect(address).unwrap()).collect();
        let mut turn = || {
            let before = ring.counters().accepted;
            ring.turn(soon(), |_| {}).unwrap();
            ring.counters().accepted - before
        };
        assert_eq!(turn(), at_once, "multishot: {multishot}");
        let rest: u64 = (0..10).map(|_| turn()).sum();
        assert_eq!(at_once + rest, 3);
    }
}

#[test]
fn a_sleep_counts_as_idle_unless_told_otherwise() {
    for no_iowait in [true, false] {
        let settings = Settings { no_iowait, ..Settings::default() };
        let ring = &Uring::new(&settings).unwrap().ring;
        let is_known = ring.raw().params().is_feature_no_iowait(); // Linux 6.15
        assert_eq!(ring.sleeps_idle(), no_iowait && is_known);
    }
}
