//! Holds the server process to its limits on what peers can pile up, to its token and to its access
//! log, from outside, on every backend.
//!
//! Not here: limits on heads, contents and time, which `conformance.rs` tests row by row; descriptors,
//! see `descriptors.rs`. Start at the tests about connections, which come first.

#![allow(clippy::print_stdout, reason = "a failing test shows what it printed on the way")]

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use support::{
    BACKENDS, Client, Response, Server, await_that, check_refusal, descriptor_slots, metric,
    on_every_backend,
};

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
const STATUS: &str = "GET /devices/status HTTP/1.1\r\nHost: h\r\n\r\n";
const METRICS: &str = "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n";
const COMMAND: &str = "POST /devices/light/command HTTP/1.1\r\nHost: h\r\nContent-Length: 16\r\n\r\n\
    {\"action\":\"off\"}";
const POLL: &str = "GET /events/live HTTP/1.1\r\nHost: h\r\n\r\n";

/// An error that says to try again, in a second.
#[track_caller]
fn check_busy(response: &Response) {
    assert_eq!((response.status, response.field("Retry-After")), (503, Some("1")));
    assert!(response.text().starts_with("{\"error\":\"there are too many"), "{}", response.text());
}

/// A file of this test alone.
fn scratch(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("limits-{name}-{}", std::process::id()));
    let _ = fs::remove_file(&path);
    path
}

#[test]
fn a_connection_beyond_the_limit_is_told_503_and_closed_until_there_is_room() {
    for flag in ["--connections-max", "--core-connections-max"] {
        on_every_backend(&[flag, "3"], |server| {
            let mut inside: Vec<Client> = (0..3).map(|_| server.connect()).collect();
            inside.iter_mut().for_each(|client| assert_eq!(client.ask(HEALTH).status, 200));
            for _ in 0..5 {
                let mut outside = server.connect();
                outside.send_in_pieces(HEALTH.as_bytes(), usize::MAX);
                let answer = outside.read().expect("it is told that there is no room");
                check_busy(&answer);
                assert_eq!(answer.field("Connection"), Some("close"));
                outside.read_close().expect("a FIN and no reset");
            }
            assert_eq!(metric(&mut inside[0], "refused_total"), 5);
            inside.pop();
            await_that("a place is free", || server.connect().ask(HEALTH).status == 200);
        });
    }
}

#[test]
fn the_limit_on_all_connections_holds_across_workers_that_each_have_room() {
    const LIMIT: usize = 8;
    on_every_backend(&["--workers", "2", "--connections-max", "8"], |server| {
        let mut clients: Vec<Client> = (0..LIMIT + 4).map(|_| server.connect()).collect();
        clients.iter_mut().for_each(|client| client.send_in_pieces(HEALTH.as_bytes(), usize::MAX));
        let served = clients
            .iter_mut()
            .map(|client| client.read().expect("each is answered").status)
            .filter(|status| *status == 200)
            .count();
        assert_eq!(served, LIMIT);
    });
}

/// The kernel would make room on the way, 64, 128, 256 and so on, and let the loop sleep meanwhile.
#[test]
fn there_is_room_for_the_descriptors_of_all_connections_from_the_start() {
    on_every_backend(&["--connections-max", "900"], |server| {
        let slots = descriptor_slots(server.pid());
        assert!(slots >= 900, "{slots}");
    });
}

#[test]
fn a_flood_beyond_the_limit_is_closed_and_those_inside_are_served() {
    on_every_backend(&["--connections-max", "1"], |server| {
        let mut inside = server.connect();
        inside.ask(HEALTH);
        // More than are told so at one time; none of them reads.
        let flood: Vec<Client> = (0..600).map(|_| server.connect()).collect();
        assert_eq!(inside.ask(STATUS).status, 200);
        await_that("all were refused", || metric(&mut inside, "refused_total") == 600);
        assert!(metric(&mut inside, "connections") < 300, "those refused pile up");
        drop(flood);
        await_that("nothing of them is left", || metric(&mut inside, "connections") == 1);
    });
}

#[test]
fn a_poll_beyond_the_limit_is_told_503_and_its_connection_goes_on() {
    on_every_backend(&["--parked-max", "2", "--poll-timeout", "1m"], |server| {
        let mut parked: Vec<Client> = (0..2).map(|_| server.connect()).collect();
        parked.iter_mut().for_each(|client| client.send(POLL));
        let mut other = server.connect();
        await_that("two are parked", || metric(&mut other, "parked_polls") == 2);
        check_busy(&other.ask(POLL));
        assert_eq!(other.ask(STATUS).status, 200);
        // An event answers both, and so makes room.
        assert_eq!(other.ask(COMMAND).status, 200);
        parked.iter_mut().for_each(|poll| assert_eq!(poll.read().expect("it ends").status, 200));
        parked[0].send(POLL);
        other.send(POLL);
        let mut witness = server.connect();
        await_that("it is parked", || metric(&mut witness, "parked_polls") == 2);
    });
}

#[test]
fn a_pipeline_over_its_limits_is_answered_whole_and_in_order() {
    let tight = ["--pipeline-max", "2", "--inbox-bytes-max", "100", "--output-bytes-max", "300"];
    let more = ["--poll-timeout", "20ms"];
    on_every_backend(&[&tight[..], &more].concat(), |server| {
        let mut client = server.connect();
        client.send([POLL, &STATUS.repeat(200), POLL, &HEALTH.repeat(200)].concat());
        let lengths: Vec<usize> =
            (0..402).map(|_| client.read().expect("each is answered").body.len()).collect();
        let expected = [vec![60], vec![120; 200], vec![60], vec![15; 200]].concat();
        assert_eq!(lengths, expected);
    });
}

#[test]
fn a_reader_that_does_not_read_costs_no_more_than_its_limit() {
    let tight = ["--output-bytes-max", "2000", "--write-timeout", "1m"];
    on_every_backend(&tight, |server| {
        let mut greedy = server.connect();
        greedy.set_write_patience(std::time::Duration::from_millis(300));
        let mut witness = server.connect();
        // Until nobody reads any more: the kernel's buffers are full on both sides.
        while greedy.try_send(STATUS.repeat(100).as_bytes()).is_ok() {}
        let before = metric(&mut witness, "requests_total");
        assert_eq!(witness.ask(STATUS).status, 200);
        // Between the two only our own were answered: the greedy one's wait.
        assert_eq!(metric(&mut witness, "requests_total"), before + 2);
    });
}

#[test]
fn every_request_but_health_needs_the_token() {
    let path = scratch("token");
    fs::write(&path, "s3cret-Token\n").expect("scratch is writable");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("it is ours");
    let flags = ["--token-file", path.to_str().expect("UTF-8"), "--echo"];
    on_every_backend(&flags, |server| {
        assert_eq!(server.notes(), [""; 0]);
        let mut client = server.connect();
        let with = |value: &str| {
            format!("GET /devices/status HTTP/1.1\r\nHost: h\r\nAuthorization: {value}\r\n\r\n")
        };
        let wrong = ["Bearer s3cret-Toke", "Bearer s3cret-Token1", "Bearer", "Basic s3cret-Token"];
        for request in wrong.map(with).iter().map(String::as_str).chain([
            STATUS,
            METRICS,
            "GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
            // A request hidden in content that nobody wants is not run, and the framing holds.
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 39\r\n\r\n\
             GET /healthz HTTP/1.1\r\nHost: hidden\r\n\r\n",
            "POST /devices/light/command HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
             10\r\n{\"action\":\"off\"}\r\n0\r\n\r\n",
        ]) {
            let answer = client.ask(request);
            let challenge = match request.contains("Bearer s3cret") {
                true => r#"Bearer realm="ringpace", error="invalid_token""#,
                false => r#"Bearer realm="ringpace""#,
            };
            let told = (answer.status, answer.field("WWW-Authenticate"));
            assert_eq!(told, (401, Some(challenge)), "{request}");
            assert!(answer.text().starts_with("{\"error\":\""), "{}", answer.text());
            assert!(!answer.text().contains("s3cret"));
        }
        assert_eq!(client.ask(HEALTH).status, 200);
        for value in ["Bearer s3cret-Token", "bEARER  s3cret-Token \t"] {
            let answer = client.ask(with(value));
            assert!(answer.text().contains("\"light\",\"v\":100"), "{}", answer.text());
        }
        // The final answer instead of 100, and a close.
        client.send(
            "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
        );
        assert_eq!(client.read().expect("it is refused").status, 401);
        client.read_close().expect("the connection closes in order");
    });
}

#[test]
fn a_token_file_that_holds_no_token_is_exit_2_and_named() {
    let path = scratch("no-token");
    let name = path.to_str().expect("UTF-8");
    let args = ["serve", "--listen", "127.0.0.1:0", "--token-file", name];
    check_refusal(&args, 2, &["--token-file", name, "No such file"]);
    for (text, why) in [("", "empty"), ("\n", "empty"), ("a b\n", "0x20"), ("a\nb\n", "0x0a")] {
        fs::write(&path, text).expect("scratch is writable");
        check_refusal(&args, 2, &["--token-file", name, why]);
    }
}

#[test]
fn a_token_that_everybody_can_read_and_an_open_address_are_noted() {
    let path = scratch("open-token");
    fs::write(&path, "s3cret").expect("scratch is writable");
    fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("it is ours");
    let name = path.to_str().expect("UTF-8");
    let noted = |listen: &str, flags: &[&str]| {
        let server = Server::start_on(listen, &[&["--backend", "epoll"], flags].concat());
        server.notes().join("\n")
    };
    let token = noted("127.0.0.1:0", &["--token-file", name]);
    assert!(token.contains(name) && token.contains("chmod 600"), "{token}");
    let open = noted("0.0.0.0:0", &[]);
    assert!(open.contains("0.0.0.0:") && open.contains("--token-file"), "{open}");
    assert_eq!(noted("127.0.0.1:0", &[]), "");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("it is ours");
    assert_eq!(noted("0.0.0.0:0", &["--token-file", name]), "");
}

#[test]
fn the_access_log_has_one_line_of_json_for_each_answered_request() {
    for backend in BACKENDS {
        let path = scratch(backend);
        let name = path.to_str().expect("UTF-8");
        fs::write(&path, "kept\n").expect("scratch is writable");
        let mut server = Server::start(&["--backend", backend, "--access-log", name]);
        let mut client = server.connect();
        let requests = [STATUS, "GET /nowhere?x=1 HTTP/1.1\r\nHost: h\r\n\r\n", COMMAND, "G@T\r\n"];
        client.send(requests.concat());
        let sizes: Vec<usize> =
            (0..4).map(|_| client.read().expect("it is answered").len).collect();
        drop(client);
        server.terminate();
        assert_eq!(server.wait().code(), Some(0));
        let text = fs::read_to_string(&path).expect("it was written");
        let lines: Vec<serde_json::Value> = text
            .strip_prefix("kept\n")
            .expect("what was there stays")
            .lines()
            .map(|line| serde_json::from_str(line).expect("a line is JSON"))
            .collect();
        let told: Vec<String> = lines
            .iter()
            .map(|l| format!("{} {} {}", l["method"], l["path"], l["status"]))
            .collect();
        let expected = [
            "\"GET\" \"/devices/status\" 200",
            "\"GET\" \"/nowhere?x=1\" 404",
            "\"POST\" \"/devices/light/command\" 200",
            "null null 400",
        ];
        assert_eq!(told, expected);
        for (line, size) in lines.iter().zip(sizes) {
            let peer = line["peer"].as_str().expect("a peer");
            assert!(peer.starts_with("127.0.0.1:") && line["time"].as_str().is_some(), "{line}");
            assert_eq!((line["bytes"].as_u64(), &line["core"]), (Some(size as u64), &"any".into()));
        }
        assert!(lines[2]["microseconds"].as_u64() >= Some(2_000), "{}", lines[2]);
    }
}

#[test]
fn an_access_log_on_stdout_is_written_as_it_happens() {
    on_every_backend(&["--access-log", "-"], |server| {
        server.connect().ask(HEALTH);
        let line = server.line();
        assert!(
            line.starts_with("{\"time\":\"20") && line.contains("\"path\":\"/healthz\""),
            "{line}"
        );
    });
}

#[test]
fn an_access_log_that_takes_nothing_holds_up_nobody() {
    check_refusal(&["serve", "--access-log", "/nowhere/log"], 2, &["--access-log /nowhere/log"]);
    // Every write to it fails: no space (full(4)).
    on_every_backend(&["--access-log", "/dev/full"], |server| {
        let mut client = server.connect();
        client.ask(HEALTH);
        await_that("drops are counted", || metric(&mut client, "access_log_dropped_total") > 0);
        assert_eq!(client.ask(STATUS).status, 200);
    });
}

#[test]
fn without_the_flag_nothing_is_logged() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.ask(HEALTH);
    assert_eq!(metric(&mut client, "access_log_dropped_total"), 0);
    assert!(server.is_silent(), "it has written something to stdout");
}
