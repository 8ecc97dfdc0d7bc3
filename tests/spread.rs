//! `--spread` against our own server: every worker has as many connections as any other.
//!
//! Both sides run here, and the server's own counts are the witness: the pacer uses its connections
//! in turn, so workers with equally many answer equally often. Start at
//! [`connections_are_spread_evenly_over_the_workers_of_every_backend`].

use ringpace::pace::{self, PaceWait};
use ringpace::serve::{Backend, Plan, Server};
use ringpace::units::Nanos;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::AtomicBool;

const WORKERS: usize = 3;
/// One more than the workers can share evenly.
const CONNECTIONS: usize = 7;

#[test]
fn connections_are_spread_evenly_over_the_workers_of_every_backend() {
    for backend in Backend::ALL {
        let server = serve(backend);
        let outcome = pace::run(&plan(server.address()), &AtomicBool::new(false));
        let run = outcome.unwrap_or_else(|error| panic!("{backend}: {error}")).run;
        let spread = run.host["pacer"]["spread"].as_object().expect("it says where they are");
        let mut seats: Vec<u64> = spread.values().filter_map(|seats| seats.as_u64()).collect();
        seats.sort_unstable();
        assert_eq!(seats, [2, 2, 3], "{backend}");
        assert_eq!(run.ok, run.planned, "{backend}: {run:?}");
        let answered = status_answers(server.address());
        assert_eq!(answered.iter().map(|(_, count)| count).sum::<u64>(), run.ok, "{backend}");
        for (core, count) in answered {
            // Each connection has its turn 20 times, unless a stall of the machine mixes them up.
            let expected = 20 * spread[&core].as_u64().expect("a count");
            assert!(
                count.abs_diff(expected) <= expected / 2,
                "{backend}: core {core} answered {count}"
            );
        }
        drop(server);
    }
}

fn serve(backend: Backend) -> Server {
    Server::start(&Plan { workers: Some(WORKERS), ..Plan::new(backend) })
        .expect("the server starts")
}

fn plan(to: SocketAddr) -> pace::Plan {
    let url = format!("http://{to}/devices/status").parse().expect("a URL");
    let rate = "700".parse().expect("a rate");
    pace::Plan {
        connections: CONNECTIONS,
        connections_max: CONNECTIONS,
        // Not to fail where the machine is busy: nothing is measured here.
        timeout: Nanos::from_secs(20),
        wait: PaceWait::Hybrid,
        spread: true,
        ..pace::Plan::new(url, rate, Nanos::from_millis(200))
    }
}

/// How often each core answered for the status.
fn status_answers(server: SocketAddr) -> Vec<(String, u64)> {
    let mut stream = TcpStream::connect(server).expect("the server listens");
    let request = "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("the server reads");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("the server answers");
    let of_status = |line: &str| {
        let (core, rest) = line.strip_prefix("ringpace_requests_total{core=\"")?.split_once('"')?;
        let (labels, count) = rest.split_once("} ")?;
        let is_status = labels.contains("/devices/status");
        is_status.then(|| (core.to_owned(), count.parse().expect("a count")))
    };
    text.lines().filter_map(of_status).collect()
}
