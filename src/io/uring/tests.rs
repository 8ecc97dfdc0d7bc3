//! What only the ring has: cookies, buffers that run out, queues that run over, and its end. What every
//! driver does is in `driver_tests`.

use super::*;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};

/// Chosen: far more than any of this takes.
const TURNS_MAX: u32 = 10_000;

fn listening(change: impl FnOnce(&mut Settings)) -> (Uring, SocketAddr) {
    let mut settings = Settings::default();
    change(&mut settings);
    let mut ring = Uring::new(&settings).expect("these tests need a kernel that allows io_uring");
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), 128).unwrap();
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
fn a_cookie_reads_back_as_it_was_written() {
    let id = Key { slot: u32::MAX, generation: (1 << GENERATION_BITS) - 1 };
    for op in [Op::Accept, Op::Connect, Op::Receive, Op::Send, Op::Cancel, Op::Wake] {
        for id in [id, NO_CONN, Key { slot: 1, generation: 2 }] {
            assert_eq!(decode(encode(op, id)), Some(Cookie { op, id }));
        }
    }
    assert_eq!(decode(0), None);
    assert_eq!(decode(u64::MAX), None);
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
