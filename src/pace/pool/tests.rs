use super::*;
use crate::pace::stalls::{Activity, StallMeter};

const GAP: Nanos = Nanos::from_micros(10);

fn pool(connections: u32) -> Pool {
    let recorder = Recorder::new(1, StallMeter::new(Mono(0), Mono(0)));
    let limits = Limits { connections_max: 100, timeout: Nanos::from_secs(1) };
    let mut pool = Pool::new(&Mix::single("/"), 1, limits, recorder);
    for slot in 0..connections {
        let id = Key { slot, generation: 1 };
        pool.handle_connecting(Mono(0), id);
        pool.handle_connected(Mono(0), id);
    }
    pool
}

fn due(k: u64) -> Due {
    let offset = Nanos(k * GAP.0);
    Due { k, kind: 0, offset, intended_at: Mono(offset.0), is_measured: true }
}

/// Room for requests in all queues.
fn room(pool: &Pool) -> usize {
    pool.outstanding.room() + pool.waiting.capacity() + pool.idle.capacity()
}

#[test]
fn memory_is_constant_in_the_number_of_requests() {
    let mut pool = pool(8);
    let mut busy = VecDeque::new();
    let mut early = 0;
    for k in 0..200_000 {
        let due = due(k);
        pool.recorder.stalls.mark(due.intended_at, Activity::Spinning);
        pool.handle_due(&due);
        if busy.len() == 8 {
            let id = busy.pop_front().unwrap();
            pool.handle_bytes(due.intended_at, id, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
        while let Some(assignment) = pool.poll_send() {
            busy.push_back(assignment.id);
            pool.handle_sending(due.intended_at, assignment);
        }
        if k == 1_000 {
            early = room(&pool);
        }
    }
    assert!(early > 0);
    assert_eq!(room(&pool), early);
    assert_eq!(pool.recorder.total().ok, 200_000 - 8);
}

#[test]
fn a_skipped_request_is_planned_and_never_waits() {
    let mut pool = pool(1);
    pool.handle_skipped(Mono(0), &due(3));
    assert!(pool.is_quiet() && pool.poll_send().is_none());
    let total = pool.recorder.total();
    assert_eq!((total.planned, total.skipped, total.response.infinite()), (1, 1, 1));
    pool.recorder.assert_conservation();
}
