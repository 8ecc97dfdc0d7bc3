//! Holds the server process to its contract, from outside: time, order across connections and cores,
//! signals, descriptors, flags.
//!
//! Promises nothing on upper bounds of latency: those are measured, not tested. Not here: the wire,
//! which `conformance.rs` tests row by row. Start at the tests about events, which come first.

#![allow(clippy::print_stdout, reason = "a failing test shows what it printed on the way")]

mod support;

use std::io::ErrorKind;
use std::time::Duration;

use support::{
    BACKENDS, Client, NoResponse, PATIENCE, Response, Server, Stopwatch, await_that, check_refusal,
    metric, on_every_backend,
};

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
const STATUS: &str = "GET /devices/status HTTP/1.1\r\nHost: h\r\n\r\n";
const POLL: &str = "GET /events/live HTTP/1.1\r\nHost: h\r\n\r\n";

fn command(device: &str, json: &str) -> String {
    let length = json.len();
    format!(
        "POST /devices/{device}/command HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{json}"
    )
}

fn set_light(value: u64) -> String {
    command("light", &format!("{{\"action\":\"set\",\"value\":{value}}}"))
}

fn poll_since(seq: u64) -> String {
    format!("GET /events/live?since={seq} HTTP/1.1\r\nHost: h\r\n\r\n")
}

/// The answer to a confirmed command, to the byte.
fn confirmation(device: &str, value: &str, seq: u64) -> String {
    let text =
        format!("{{\"device\":\"{device}\",\"status\":\"applied\",\"value\":{value},\"seq\":{seq}");
    format!("{text:<79}}}")
}

/// The answer to a poll that found an event, to the byte.
fn event(seq: u64, device: &str, value: &str) -> String {
    let text = format!("{{\"seq\":{seq},\"device\":\"{device}\",\"value\":{value}");
    format!("{text:<59}}}")
}

/// The answer to a poll that found none, to the byte.
fn no_event(newest: u64) -> String {
    let text = format!("{{\"seq\":{newest},\"event\":\"timeout\"");
    format!("{text:<59}}}")
}

/// The status, to the byte.
fn house(light: &str, thermostat: &str, lock: &str, camera: &str) -> String {
    let text = format!(
        "[{{\"id\":\"light\",\"v\":{light}}},{{\"id\":\"thermostat\",\"v\":{thermostat}}},\
         {{\"id\":\"lock\",\"v\":{lock}}},{{\"id\":\"camera\",\"v\":{camera}}},\
         {{\"id\":\"sensor\",\"v\":47}}"
    );
    format!("{text:<119}]")
}

#[track_caller]
fn check(response: &Response, expected: &str) {
    assert_eq!((response.status, response.text()), (200, expected));
}

/// Returns once a poll is parked on each of `count` connections.
#[track_caller]
fn await_parked(server: &Server, count: u64) {
    let mut client = server.connect();
    await_that("the polls are parked", || metric(&mut client, "parked_polls") >= count);
}

/// Runs a test for every backend, on one worker and on one per CPU.
fn on_every_server(more: &[&str], test: impl Fn(&mut Server)) {
    for backend in BACKENDS {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        for cpus in ["0", "0,1"].into_iter().take(cpus) {
            println!("--backend {backend} --cpus {cpus}");
            let flags = [&["--backend", backend, "--cpus", cpus], more].concat();
            test(&mut Server::start(&flags));
        }
    }
}

/// As many connections as make it very likely that each of two workers has some.
fn connections(server: &Server) -> Vec<Client> {
    (0..12).map(|_| server.connect()).collect()
}

#[test]
fn a_poll_parked_on_one_connection_is_answered_by_a_command_on_another() {
    on_every_server(&["--poll-timeout", "1m"], |server| {
        let mut polls = connections(server);
        let mut commands = connections(server);
        for (seq, commander) in (1..).zip(&mut commands) {
            polls.iter_mut().for_each(|poll| poll.send(POLL));
            await_parked(server, 12);
            let value = seq.to_string();
            check(&commander.ask(set_light(seq)), &confirmation("light", &value, seq));
            for poll in &mut polls {
                check(&poll.read().expect("the event wakes it"), &event(seq, "light", &value));
            }
        }
    });
}

#[test]
fn a_confirmed_command_is_seen_by_every_later_status_and_poll() {
    on_every_server(&["--device-latency", "0"], |server| {
        let (mut writers, mut readers) = (connections(server), connections(server));
        let mut pairs = 1..=300_u64;
        let mut turn = (0..12).cycle().zip((0..11).cycle());
        for (seq, (writer, reader)) in pairs.by_ref().zip(turn.by_ref()) {
            let value = (seq % 101).to_string();
            let confirmed = writers[writer].ask(set_light(seq % 101));
            check(&confirmed, &confirmation("light", &value, seq));
            check(&readers[reader].ask(STATUS), &house(&value, "21.5", "1", "0"));
            check(&readers[reader].ask(poll_since(seq - 1)), &event(seq, "light", &value));
        }
    });
}

#[test]
fn since_tells_the_events_one_by_one_and_in_order() {
    on_every_server(&["--poll-timeout", "1ms"], |server| {
        let mut commander = server.connect();
        check(&commander.ask(poll_since(0)), &no_event(0));
        for seq in 1..=20 {
            check(&commander.ask(set_light(seq)), &confirmation("light", &seq.to_string(), seq));
        }
        for client in &mut connections(server) {
            for seq in 0..20 {
                let told = event(seq + 1, "light", &(seq + 1).to_string());
                check(&client.ask(poll_since(seq)), &told);
            }
            check(&client.ask(poll_since(20)), &no_event(20));
            check(&client.ask(POLL), &no_event(20));
        }
    });
}

#[test]
fn a_poll_with_since_loses_no_event_of_many_writers() {
    const EVENTS: u64 = 240;
    on_every_server(&[], |server| {
        let mut writers = connections(server);
        let mut reader = server.connect();
        for round in 0..EVENTS / 12 {
            // Twelve at once: which of them gets which seq is open, that none is lost is not.
            for (device, writer) in ["lock", "camera", "light"].iter().cycle().zip(&mut writers) {
                let value = round % 2;
                writer.send(command(device, &format!("{{\"action\":\"set\",\"value\":{value}}}")));
            }
            for seq in round * 12..(round + 1) * 12 {
                let told = reader.ask(poll_since(seq));
                let begins = format!("{{\"seq\":{},\"device\":", seq + 1);
                assert!(told.text().starts_with(&begins), "{} after {seq}", told.text());
            }
            writers.iter_mut().for_each(|writer| drop(writer.read().expect("it is confirmed")));
        }
    });
}

#[test]
fn every_action_of_every_device_does_what_it_says() {
    let steps: [(&str, &str, &str); 22] = [
        ("light", "{\"action\":\"off\"}", "0"),
        ("light", "{\"action\":\"toggle\"}", "100"),
        ("light", "{\"action\":\"toggle\"}", "0"),
        ("light", "{\"action\":\"on\"}", "100"),
        ("light", "{\"action\":\"set\",\"value\":1}", "1"),
        ("light", "{\"action\":\"toggle\"}", "0"),
        ("light", "{\"action\":\"set\",\"value\":75,\"ref\":\"run1\"}", "75"),
        ("thermostat", "{\"action\":\"set\",\"value\":10}", "10.0"),
        ("thermostat", "{\"action\":\"set\",\"value\":35.0}", "35.0"),
        ("thermostat", "{\"action\":\"set\",\"value\":19.9}", "19.9"),
        ("lock", "{\"action\":\"toggle\"}", "0"),
        ("lock", "{\"action\":\"toggle\"}", "1"),
        ("lock", "{\"action\":\"unlock\"}", "0"),
        ("lock", "{\"action\":\"unlock\"}", "0"),
        ("lock", "{\"action\":\"lock\"}", "1"),
        ("lock", "{\"action\":\"set\",\"value\":0}", "0"),
        ("camera", "{\"action\":\"on\"}", "1"),
        ("camera", "{\"action\":\"off\"}", "0"),
        ("camera", "{\"action\":\"toggle\"}", "1"),
        ("camera", "{\"action\":\"toggle\"}", "0"),
        ("camera", "{\"action\":\"set\",\"value\":1}", "1"),
        ("light", "{\"action\":\"set\",\"value\":0}", "0"),
    ];
    on_every_backend(&[], |server| {
        let mut client = server.connect();
        check(&client.ask(STATUS), &house("100", "21.5", "1", "0"));
        let mut state = ["100", "21.5", "1", "0"];
        for (seq, (device, json, value)) in (1..).zip(steps) {
            check(&client.ask(command(device, json)), &confirmation(device, value, seq));
            let index = ["light", "thermostat", "lock", "camera"].iter().position(|d| *d == device);
            state[index.expect("only these four take commands")] = value;
            check(&client.ask(STATUS), &house(state[0], state[1], state[2], state[3]));
            check(&client.ask(poll_since(seq - 1)), &event(seq, device, value));
        }
    });
}

#[test]
fn a_poll_for_events_that_left_the_log_is_told_so() {
    // The log holds 65,536 events, see the contract; a few more than that push the first ones out.
    const BATCH: u64 = 256;
    const BATCHES: u64 = 257;
    const CONFIRMED: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
        Content-Length: 80\r\nDate: Tue, 24 Nov 2026 04:19:06 GMT\r\n\r\n";
    on_every_backend(&["--device-latency", "0"], |server| {
        let mut client = server.connect();
        let batch_len = usize::try_from(BATCH).expect("256 fits");
        let batch = set_light(1).repeat(batch_len);
        for _ in 0..BATCHES {
            client.send(&batch);
            client.read_exactly(batch_len * (CONFIRMED.len() + 80));
        }
        let gone = client.ask(poll_since(0));
        assert_eq!(gone.status, 410, "{}", gone.text());
        // The last number of the sentence: the seq asked for may stand before it.
        let digits = |word: &str| word.parse::<u64>().ok();
        let words = gone.text().split(|c: char| !c.is_ascii_digit());
        let oldest = words.filter_map(digits).next_back().expect("it names the oldest seq kept");
        assert!((2..=BATCH * BATCHES).contains(&oldest), "{}", gone.text());
        check(&client.ask(poll_since(oldest - 1)), &event(oldest, "light", "1"));
        assert_eq!(client.ask(poll_since(oldest - 2)).status, 410);
    });
}

#[test]
fn a_command_is_never_answered_before_the_device_is_done() {
    on_every_server(&[], |server| {
        let mut client = server.connect();
        for value in 0..100 {
            let began = Stopwatch::start();
            client.ask(set_light(value));
            let took = began.elapsed();
            assert!(took >= Duration::from_millis(2), "{took:?}");
        }
        // Pipelined, the next one starts when the one before is answered.
        let began = Stopwatch::start();
        client.send([set_light(1), set_light(2), set_light(3)].concat());
        (0..3).for_each(|_| drop(client.read().expect("it is confirmed")));
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(6), "{took:?}");
    });
}

#[test]
fn a_command_is_not_seen_before_it_is_carried_out() {
    on_every_backend(&["--device-latency", "300ms"], |server| {
        let (mut commander, mut other) = (server.connect(), server.connect());
        let began = Stopwatch::start();
        commander.send([HEALTH, &set_light(7)].concat());
        commander.read().expect("health is answered");
        let early = other.ask(STATUS);
        // On a machine so slow that the device was done meanwhile, nothing can be said.
        if began.elapsed() < Duration::from_millis(300) {
            check(&early, &house("100", "21.5", "1", "0"));
        }
        check(&commander.read().expect("it is confirmed"), &confirmation("light", "7", 1));
        check(&other.ask(STATUS), &house("7", "21.5", "1", "0"));
    });
}

#[test]
fn a_poll_without_an_event_waits_its_time() {
    on_every_server(&[], |server| {
        let mut client = server.connect();
        let began = Stopwatch::start();
        check(&client.ask(POLL), &no_event(0));
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(500), "{took:?}");
    });
}

#[test]
fn a_drip_that_makes_progress_still_meets_the_deadline_of_the_head() {
    on_every_backend(&["--head-timeout", "100ms"], |server| {
        let mut client = server.connect();
        client.set_patience(Duration::from_millis(10));
        let began = Stopwatch::start();
        client.send("GET /healthz HTTP/1.1\r\nX: ");
        let answer = loop {
            // Each read that finds nothing is the pause before the next byte.
            match client.read() {
                Err(NoResponse::Silent(bytes)) if bytes.is_empty() => {
                    client.send_in_pieces(b"y", 1)
                }
                other => break other.expect("a late head is told so"),
            }
            assert!(began.elapsed() < PATIENCE, "a drip keeps the connection for ever");
        };
        assert_eq!(answer.status, 408);
    });
}

#[test]
fn sigterm_answers_a_parked_poll_closes_it_and_ends_with_code_0() {
    on_every_server(&["--poll-timeout", "1m"], |server| {
        let mut poll = server.connect();
        poll.send(POLL);
        await_parked(server, 1);
        server.terminate();
        let answer = poll.read().expect("the poll is answered");
        check(&answer, &no_event(0));
        assert_eq!(answer.field("Connection"), Some("close"));
        poll.read_close().expect("the connection closes in order");
        drop(poll);
        assert_eq!(server.wait().code(), Some(0));
    });
}

#[test]
fn sigterm_lets_a_command_in_flight_be_carried_out_and_confirmed() {
    on_every_server(&["--device-latency", "500ms", "--poll-timeout", "1m"], |server| {
        let (mut poll, mut commander) = (server.connect(), server.connect());
        poll.send(poll_since(1));
        await_parked(server, 1);
        // One write: once health is answered, the command has arrived too.
        commander.send([HEALTH, &set_light(7)].concat());
        commander.read().expect("health is answered");
        server.terminate();
        check(&poll.read().expect("the poll is answered"), &no_event(0));
        drop(poll);
        refuses_connections(server);
        let confirmed = commander.read().expect("the command in flight is confirmed");
        check(&confirmed, &confirmation("light", "7", 1));
        assert_eq!(confirmed.field("Connection"), Some("close"));
        commander.read_close().expect("the connection closes in order");
        drop(commander);
        assert_eq!(server.wait().code(), Some(0));
    });
}

/// Every worker has a listener and closes it as soon as it hears of the signal; the others may hear
/// of it a moment later than the one that answered first.
#[track_caller]
fn refuses_connections(server: &Server) {
    let began = Stopwatch::start();
    loop {
        match Client::connect(server.addr) {
            Ok(_) => assert!(began.elapsed() < PATIENCE, "it goes on accepting connections"),
            Err(error) => {
                let refused = [ErrorKind::ConnectionRefused, ErrorKind::ConnectionReset];
                return assert!(refused.contains(&error.kind()), "{error}");
            }
        }
    }
}

#[test]
fn sigterm_ends_an_idle_server_and_closes_idle_connections() {
    on_every_server(&[], |server| {
        let mut clients = connections(server);
        clients.iter_mut().for_each(|client| check(&client.ask(HEALTH), "{\"status\":\"ok\"}"));
        server.terminate();
        for client in &mut clients {
            client.read_close().expect("an idle connection closes in order");
        }
        assert_eq!(server.wait().code(), Some(0));
    });
}

#[test]
fn a_second_sigterm_ends_at_once() {
    let patient = ["--device-latency", "10m", "--poll-timeout", "10m", "--drain-timeout", "10m"];
    on_every_server(&patient, |server| {
        let (mut poll, mut commander) = (server.connect(), server.connect());
        poll.send(POLL);
        await_parked(server, 1);
        commander.send([HEALTH, &set_light(7)].concat());
        commander.read().expect("health is answered");
        server.terminate();
        // Its answer says that the first signal has been taken.
        check(&poll.read().expect("the poll is answered"), &no_event(0));
        assert!(server.is_alive(), "the command in flight was not waited for");
        server.terminate();
        let status = server.wait();
        println!("after the second SIGTERM: {status}");
    });
}

#[test]
fn a_drain_is_bounded() {
    on_every_server(&["--device-latency", "10m", "--drain-timeout", "50ms"], |server| {
        let mut commander = server.connect();
        commander.send([HEALTH, &set_light(7)].concat());
        commander.read().expect("health is answered");
        server.terminate();
        let status = server.wait();
        println!("after the drain's time was up: {status}");
    });
}

#[test]
fn descriptors_that_run_out_stop_nobody_who_is_in() {
    for backend in BACKENDS {
        let mut server = Server::start_with_descriptors(32, &["--backend", backend]);
        let mut first: Vec<Client> = (0..8).map(|_| server.connect()).collect();
        for client in &mut first {
            check(&client.ask(HEALTH), "{\"status\":\"ok\"}");
        }
        let cpu_before = server.cpu_ticks();
        // Beyond the limit they wait in the backlog, or are accepted and closed.
        let mut rest: Vec<Client> = (8..60).map(|_| server.connect()).collect();
        for client in &mut rest {
            client.send_in_pieces(HEALTH.as_bytes(), usize::MAX);
        }
        let last = rest.last_mut().expect("there are 52");
        last.set_patience(Duration::from_millis(300));
        let served_last = last.read().is_ok();
        for _ in 0..20 {
            for client in &mut first {
                check(&client.ask(HEALTH), "{\"status\":\"ok\"}");
            }
        }
        let cpu_ticks = server.cpu_ticks() - cpu_before;
        println!("{backend}: {cpu_ticks} ticks of CPU at the limit, last served: {served_last}");
        assert!(!served_last, "the limit of 32 was not reached");
        assert!(server.is_alive());
        drop(rest);
        check(&server.connect().ask(HEALTH), "{\"status\":\"ok\"}");
        for client in &mut first {
            check(&client.ask(HEALTH), "{\"status\":\"ok\"}");
        }
    }
}

#[test]
fn a_peer_that_never_reads_is_given_up_on_and_costs_little_memory() {
    const SENT_BYTES_MAX: usize = 1 << 30;
    const GROWTH_KIB_MAX: u64 = 4 * 1024;
    for backend in BACKENDS {
        let server = Server::start(&["--backend", backend, "--write-timeout", "200ms"]);
        let (mut greedy, mut neighbour) = (server.connect(), server.connect());
        let before_kib = server.resident_kib();
        let requests = STATUS.repeat(1_000);
        let mut sent = 0;
        let given_up = loop {
            if let Err(error) = greedy.try_send(requests.as_bytes()) {
                break error;
            }
            sent += requests.len();
            assert!(sent < SENT_BYTES_MAX, "the server reads on, and nobody reads its answers");
        };
        let is_closed =
            matches!(given_up.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe);
        assert!(is_closed, "{given_up}");
        let growth_kib = server.resident_kib().saturating_sub(before_kib);
        println!("{backend}: gave up after {sent} bytes, {growth_kib} KiB more");
        assert!(growth_kib < GROWTH_KIB_MAX, "{growth_kib} KiB");
        check(&neighbour.ask(HEALTH), "{\"status\":\"ok\"}");
    }
}

#[test]
fn limits_that_are_raised_are_reached() {
    let raised = ["--line-bytes-max", "150000", "--head-bytes-max", "200000", "--echo"];
    let body = ["--body-bytes-max", "1000000"];
    on_every_backend(&[&raised[..], &body].concat(), |server| {
        let mut client = server.connect();
        let padding = "x".repeat(140_000);
        let line = format!("GET /healthz?{padding} HTTP/1.1\r\nHost: h\r\n\r\n");
        check(&client.ask(&line), "{\"status\":\"ok\"}");
        // Behind a parked poll the head waits in the kernel at first.
        client.send([poll_since(0), line].concat());
        check(&client.read().expect("the poll is answered"), &no_event(0));
        check(&client.read().expect("the long head is whole"), "{\"status\":\"ok\"}");
        let content = "y".repeat(900_000);
        let length = content.len();
        let head = format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n");
        check(&client.ask([head, content.clone()].concat()), &content);
    });
}

#[test]
fn garbage_is_answered_400_and_closed_and_harms_nobody_else() {
    on_every_backend(&[], |server| {
        let mut neighbour = server.connect();
        for garbage in [&b"\0\0\0\0"[..], b"hello\r\n", b"\x16\x03\x01\x02\x00", &[0xff; 4096]] {
            let mut client = server.connect();
            client.send(garbage);
            assert_eq!(client.read().expect("garbage is answered").status, 400);
            client.read_close().expect("the connection closes in order");
            check(&neighbour.ask(HEALTH), "{\"status\":\"ok\"}");
        }
    });
}

#[test]
fn clients_that_vanish_harm_nobody_else() {
    on_every_server(&["--poll-timeout", "50ms"], |server| {
        let mut witness = server.connect();
        for _ in 0..50 {
            // A socket that is dropped with unread bytes resets the connection.
            let mut client = server.connect();
            client.send([HEALTH, POLL, STATUS].concat());
            let mut client = server.connect();
            client.send(set_light(1));
            let mut client = server.connect();
            client.send("GET /devices/sta");
            drop(client);
            assert_eq!(witness.ask(HEALTH).status, 200);
        }
        check(&witness.ask(HEALTH), "{\"status\":\"ok\"}");
    });
}

#[test]
fn a_port_in_use_is_exit_1_and_one_line_that_says_what_to_do() {
    for backend in BACKENDS {
        let server = Server::start(&["--backend", backend]);
        let addr = server.addr.to_string();
        let args = ["serve", "--backend", backend, "--listen", &addr];
        check_refusal(&args, 1, &[&addr, "--listen"]);
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let addr = taken.local_addr().expect("it is bound").to_string();
    for cpus in ["0", "0,1"] {
        check_refusal(&["serve", "--cpus", cpus, "--listen", &addr], 1, &[&addr, "--listen"]);
    }
}

#[test]
fn an_address_of_another_machine_is_exit_1_and_names_it() {
    // 192.0.2.0/24 is for documentation (RFC 5737): no machine has it.
    check_refusal(&["serve", "--listen", "192.0.2.1:8080"], 1, &["192.0.2.1:8080"]);
}

#[test]
fn a_flag_that_cannot_be_is_exit_2_and_named() {
    for (flag, value) in [
        ("--cpus", "9999"),
        ("--cpus", "0,9999"),
        ("--cpus", "x"),
        ("--cpus", ""),
        ("--cpus", "1-0"),
        ("--backend", "iocp"),
        ("--wait", "sleep"),
        ("--device-latency", "fast"),
        ("--device-latency", "-1ms"),
        ("--device-latency", "2"),
        ("--poll-timeout", "abc"),
        ("--poll-timeout", "500"),
        ("--poll-timeout", "99999999999999999999s"),
        ("--backlog", "0"),
        ("--backlog", "-1"),
        ("--head-timeout", "0"),
        ("--idle-timeout", "0"),
        ("--content-timeout", "0s"),
        ("--write-timeout", "0"),
        ("--line-bytes-max", "0"),
        ("--head-bytes-max", "0"),
        ("--fields-max", "0"),
        ("--fields-max", "many"),
        ("--body-bytes-max", "-1"),
        ("--body-bytes-max", "1e9"),
        ("--connections-max", "0"),
        ("--core-connections-max", "0"),
        ("--parked-max", "-1"),
        ("--pipeline-max", "0"),
        ("--inbox-bytes-max", "0"),
        ("--output-bytes-max", "0"),
        ("--output-bytes-max", "much"),
    ] {
        check_refusal(&["serve", "--listen", "127.0.0.1:0", flag, value], 2, &[flag]);
    }
    for listen in ["nowhere", "127.0.0.1", "127.0.0.1:99999", ":", ""] {
        check_refusal(&["serve", "--listen", listen], 2, &["--listen"]);
    }
    check_refusal(&["serve", "--bogus"], 2, &["--bogus"]);
    check_refusal(&["serve", "--listen"], 2, &["--listen"]);
    check_refusal(&["serve", "stray"], 2, &["stray"]);
    check_refusal(&["srve"], 2, &["srve"]);
}
