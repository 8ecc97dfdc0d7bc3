//! A server that runs out of descriptors: those who are in are served, nothing spins, and whoever waited
//! is served as soon as somebody leaves.
//!
//! The server is a process of its own, so that the limit (`ulimit -n`) is its alone.

#![allow(clippy::print_stdout, reason = "a failing test shows what it printed on the way")]

mod support;

use std::time::Duration;

use support::{BACKENDS, Client, NoResponse, PATIENCE, Server, metric};

/// Enough for a ring, its eventfd, the listener and some twenty peers.
const DESCRIPTORS: u32 = 32;
const PEERS: usize = 40;
/// Several pauses of the accept loop (100 ms each).
const SEVERAL_PAUSES: Duration = Duration::from_millis(350);
const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
const HEALTHY: &str = r#"{"status":"ok"}"#;

#[test]
fn every_backend_outlives_want_of_descriptors() {
    for backend in BACKENDS {
        println!("--backend {backend}");
        let server = Server::start_with_descriptors(DESCRIPTORS, &["--backend", backend]);
        let mut peers: Vec<Client> = (0..PEERS).map(|_| server.connect()).collect();
        let mut last = peers.pop().expect("there are forty");
        last.send(HEALTH);
        for peer in &mut peers[..10] {
            assert_eq!(peer.ask(HEALTH).text(), HEALTHY, "who is in is served");
        }
        let before = metric(&mut peers[0], "loop_turns_total");
        last.set_patience(SEVERAL_PAUSES);
        let waiting = last.read().expect_err("there is no descriptor for the last");
        assert!(matches!(waiting, NoResponse::Silent(_)), "{waiting:?}");
        let turns = metric(&mut peers[0], "loop_turns_total") - before;
        assert!(turns < 30, "{turns} turns of which none could do anything");
        assert!(metric(&mut peers[0], "accept_pauses_total") > 0);
        peers.drain(1..20);
        last.set_patience(PATIENCE);
        assert_eq!(last.read().expect("who waited is served").text(), HEALTHY);
    }
}
