//! Connections before the start: how many at once, how long, and when to give up.

use super::*;
use crate::io::net::SocketPath;
use std::cell::Cell;
use std::path::Path;

/// Establishes against `server`, whose address is `to`; how long that took, or why it did not.
fn established(
    sim: &Sim,
    to: Address,
    server: impl FnMut(Mono, Told<'_>) -> Acts + 'static,
) -> Result<Nanos, EstablishError> {
    let driver = SimDriver::new(&sim.world, sim.mode, server);
    let clock = SimClock(Rc::clone(&sim.world));
    let task = Task { to, ..sim.task() };
    let mut worker = Worker::new(task, &sim.plan.mix, "h", driver, clock);
    worker.establish(&sim.world.stop)?;
    assert_eq!(worker.pool.established(), sim.plan.connections);
    Ok(worker.clock.now() - DAWN)
}

fn tcp() -> Address {
    SocketAddr::from(([127, 0, 0, 1], 80)).into()
}

fn unix() -> Address {
    Address::Unix(SocketPath::new(Path::new("/a.sock")).unwrap())
}

#[test]
fn few_connections_are_in_the_making_at_once_before_the_start() {
    let sim = Sim::new("1", SECOND);
    let most = Rc::new(Cell::new(0));
    let seen = Rc::clone(&most);
    let mut ends: Vec<Mono> = Vec::new();
    let took = established(&sim, tcp(), move |now, _| {
        ends.retain(|end| *end > now);
        ends.push(now + MS);
        seen.set(seen.get().max(ends.len()));
        vec![(MS, Act::Connected)]
    });
    assert_eq!(most.get(), ESTABLISHING_MAX);
    assert!(took.unwrap() >= Nanos(MS.0 * (sim.plan.connections / ESTABLISHING_MAX) as u64));
}

#[test]
fn every_connection_that_stands_gives_the_next_its_time() {
    let slow = |_: Mono, _: Told<'_>| vec![(Nanos::from_secs(4), Act::Connected)];
    let mut sim = Sim::new("1", SECOND);
    sim.plan.connections = 12;
    assert!(established(&sim, tcp(), slow).unwrap() >= Nanos::from_secs(12));
    // A longer timeout is a longer time.
    let sim = sim.run_again();
    let stuck = |_: Mono, _: Told<'_>| vec![(Nanos::from_secs(6), Act::Connected)];
    let error = established(&sim, tcp(), stuck).unwrap_err();
    assert!(matches!(error, EstablishError::Unresponsive(0, PATIENCE_MIN)), "{error:?}");
    let mut sim = sim.run_again();
    sim.plan.timeout = Nanos::from_secs(7);
    established(&sim, tcp(), stuck).unwrap();
}

#[test]
fn a_unix_socket_with_a_full_backlog_is_tried_again() {
    // It has room for one connection every 20 ms.
    let mut room_at = DAWN;
    let one_by_one = move |now: Mono, _: Told<'_>| {
        if now < room_at {
            return vec![(Nanos::ZERO, Act::Full)];
        }
        room_at = now + Nanos::from_millis(20);
        vec![(Nanos::ZERO, Act::Connected)]
    };
    let mut sim = Sim::new("1", SECOND);
    sim.plan.connections = 20;
    let took = established(&sim, unix(), one_by_one).unwrap();
    assert!(took >= Nanos::from_millis(19 * 20), "{took}");
    let never = |_: Mono, _: Told<'_>| vec![(Nanos::ZERO, Act::Full)];
    let error = established(&sim.run_again(), unix(), never).unwrap_err();
    assert!(matches!(error, EstablishError::Unresponsive(0, PATIENCE_MIN)), "{error:?}");
    // TCP never says so of a backlog.
    let error = established(&sim.run_again(), tcp(), never).unwrap_err();
    assert!(matches!(error, EstablishError::Refused(_)), "{error:?}");
}

#[test]
fn a_server_that_is_not_there_is_said_before_the_start() {
    let refuse = |_: Mono, _: Told<'_>| vec![(Nanos::from_micros(20), Act::Refuse)];
    assert!(matches!(Sim::new("1", SECOND).establish(refuse), EstablishError::Refused(_)));
    let ignore = |_: Mono, _: Told<'_>| Vec::new();
    let error = Sim::new("1", SECOND).establish(ignore);
    assert!(matches!(error, EstablishError::Unresponsive(0, PATIENCE_MIN)), "{error:?}");
    let drop_at_once = |_: Mono, _: Told<'_>| {
        vec![(Nanos::from_micros(20), Act::Connected), (Nanos::from_micros(20), Act::Reset)]
    };
    let error = Sim::new("1", SECOND).establish(drop_at_once);
    assert!(matches!(error, EstablishError::Unresponsive(..)), "{error:?}");
    let sim = Sim::new("1", SECOND);
    sim.world.stop_at.set(Some(DAWN));
    assert!(matches!(sim.establish(ignore), EstablishError::Stopped));
}
