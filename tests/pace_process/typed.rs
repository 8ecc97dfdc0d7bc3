//! What users of wrk2 and curl type, and what becomes of it on the wire.

use super::rogue::{Behaviour, GOOD, Rogue};
use super::{count, file, mix_file, pace, refused};
use serde_json::Value;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread;

const BAD: &[u8] = b"HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n";

/// A run of a tenth of a second, ten requests; its object.
#[track_caller]
fn paced(arguments: &[&str]) -> Value {
    let load = ["-R", "100", "-d", "100ms", "-c", "2", "--wait", "hybrid", "--json", "-"];
    let ended = pace(&[&load[..], arguments].concat());
    serde_json::from_str(&ended.stdout).expect(&ended.stderr)
}

/// Answers GOOD to what begins with `GET /a` and names the host `localhost`, else 400, on a Unix
/// socket; its thread ends with the test's process.
fn unix_server(name: &str) -> PathBuf {
    // Paths of sockets are short, and the target directory may not be.
    let path = std::env::temp_dir().join(format!("ringpace-{}-{name}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).expect("the directory for temporary files is there");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || answer_all(stream));
        }
    });
    path
}

fn answer_all(mut stream: UnixStream) -> io::Result<()> {
    let (mut buf, mut head) = ([0; 4096], Vec::new());
    loop {
        let count = stream.read(&mut buf)?;
        if count == 0 {
            return Ok(());
        }
        head.extend_from_slice(&buf[..count]);
        if head.ends_with(b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&head).into_owned();
            let is_right = text.starts_with("GET /a HTTP/1.1\r\nHost: localhost\r\n");
            stream.write_all(if is_right { GOOD } else { BAD })?;
            head.clear();
        }
    }
}

#[test]
fn unix_sockets_are_paced_however_they_are_named() {
    let socket = unix_server("named");
    let path = socket.to_str().expect("it is ASCII");
    let encoded = format!("http+unix://{}/a", path.replace('/', "%2F"));
    for backend in ["epoll", "uring"] {
        let run = paced(&[&format!("unix:{path}:/a"), "--backend", backend]);
        assert_eq!(count(&run, "ok"), 10, "{backend}: {run}");
    }
    assert_eq!(count(&paced(&[&encoded]), "ok"), 10);
    let over = paced(&["http://localhost/a", "--unix-socket", path]);
    assert_eq!(count(&over, "ok"), 10);
    assert_eq!(over["host"]["pacer"]["url"], format!("unix:{path}:/a"));
    let wrong = paced(&[&format!("unix:{path}:/b")]);
    assert_eq!((count(&wrong, "ok"), count(&wrong["errors"], "status")), (0, 10));
    let _ = std::fs::remove_file(&socket);
    let load = ["-R1", "-d1s"];
    let gone = format!("unix:{path}:/a");
    refused(1, &[&[gone.as_str()], &load[..]].concat(), &["cannot connect", path, "running?"]);
    let twice = [gone.as_str(), "--unix-socket", path];
    refused(2, &[&twice[..], &load[..]].concat(), &["--unix-socket", "already"]);
    let long = format!("unix:/{}:/a", "x".repeat(107));
    refused(2, &[&[long.as_str()], &load[..]].concat(), &["path of a socket", "107 bytes"]);
}

#[test]
fn a_unix_socket_whose_backlog_is_always_full_is_paced() {
    let path = std::env::temp_dir().join(format!("ringpace-{}-full", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)
        .expect("there are sockets");
    let address = socket2::SockAddr::unix(&path).expect("it is short");
    socket.bind(&address).expect("the directory for temporary files is there");
    // One connection waits, and every further one is turned away until it was accepted.
    socket.listen(0).expect("it is bound");
    let listener = UnixListener::from(std::os::fd::OwnedFd::from(socket));
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || answer_all(stream));
        }
    });
    let url = format!("unix:{}:/a", path.to_str().expect("it is ASCII"));
    for backend in ["epoll", "uring"] {
        let load = ["-R", "100", "-d", "100ms", "-c", "32", "--wait", "hybrid", "--json", "-"];
        let ended = pace(&[&[url.as_str()], &load[..], &["--backend", backend]].concat());
        let run: Value = serde_json::from_str(&ended.stdout).expect(&ended.stderr);
        assert!(count(&run["connections"], "opened") >= 32, "{backend}: {run}");
        assert_eq!(count(&run, "ok"), 10, "{backend}: {run}");
    }
    let _ = std::fs::remove_file(&path);
}

#[test]
fn several_urls_are_requested_equally_often_and_counted_apart() {
    let rogue = Rogue::start(Behaviour::Does(|peer| {
        peer.for_each_text(|peer, text| {
            peer.answer(if text.starts_with("GET /b ") { BAD } else { GOOD })
        })
    }));
    let url = |path: &str| format!("http://{}{path}", rogue.address());
    let load = ["-R", "1000", "-d", "200ms", "--json", "-"];
    let ended = pace(&[&[url("/a").as_str(), &url("/b"), &url("/a")], &load[..]].concat());
    let run: Value = serde_json::from_str(&ended.stdout).expect(&ended.stderr);
    let kinds = run["requests"].as_array().expect("a run has kinds");
    let names: Vec<&str> = kinds.iter().filter_map(|kind| kind["name"].as_str()).collect();
    assert_eq!(names, ["get /a", "get /b"]);
    let (a, b) = (count(&kinds[0], "planned"), count(&kinds[1], "planned"));
    // Two thirds of 200, give or take five standard deviations.
    assert!(a + b == 200 && a.abs_diff(133) < 34, "{a} and {b}");
    assert_eq!((count(&kinds[0], "ok"), count(&kinds[1], "ok")), (a, 0));
    let other = "http://127.0.0.1:9/";
    refused(2, &[&url("/a"), other, "-R1", "-d1s"], &["two servers", other]);
    let mix = mix_file("GET");
    let mix = mix.to_str().expect("it is ASCII");
    refused(2, &[&url("/a"), &url("/b"), "-R1", "-d1s", "--mix", mix], &["--mix", "one URL"]);
}

#[test]
fn a_token_is_sent_with_every_request_and_stands_in_no_result() {
    let rogue = Rogue::start(Behaviour::Does(|peer| {
        peer.for_each_text(|peer, text| {
            let is_right = text.contains("\r\nAuthorization: Bearer abc.DEF-123==\r\n");
            peer.answer(if is_right { GOOD } else { BAD })
        })
    }));
    let url = format!("http://{}/", rogue.address());
    let (token, mix) = (file("token", "abc.DEF-123==\n"), mix_file("POST"));
    let [token, mix] = [&token, &mix].map(|path| path.to_str().expect("it is ASCII"));
    let single = paced(&[&url, "--token-file", token]);
    assert_eq!(count(&single, "ok"), 10);
    assert!(!single.to_string().contains("abc.DEF"), "{single}");
    assert_eq!(count(&paced(&[&url, "--token-file", token, "--mix", mix]), "ok"), 10);
    let without = paced(&[&url]);
    assert_eq!(count(&without["errors"], "status"), 10);
    assert_eq!(single["schedule"]["hash"], without["schedule"]["hash"], "the same requests");
    let bad = file("bad_token", "two words\n");
    let bad = bad.to_str().expect("it is ASCII");
    refused(2, &[&url, "-R1", "-d1s", "--token-file", bad], &["--token-file", "no bearer token"]);
    refused(2, &[&url, "-R1", "-d1s", "--token-file", "/none"], &["--token-file", "/none"]);
    let own = [&url, "-R1", "-d1s", "--token-file", token, "-H", "Authorization: Basic eA=="];
    refused(2, &own, &["--token-file", "Authorization of its own"]);
}

#[test]
fn the_habits_of_wrk2_mean_what_they_meant() {
    let rogue = Rogue::start(Behaviour::Does(|peer| {
        peer.for_each_text(|peer, text| {
            peer.answer(if text.contains("\r\nX-A: b  c\r\n") { GOOD } else { BAD })
        })
    }));
    let url = format!("http://{}/", rogue.address());
    // A bare number is seconds; a header keeps the spaces within it.
    let short = ["-t1", "-c2", "-d1", "-R100", "-T2", "-H", "X-A:  b  c ", "-U", "--wait=hybrid"];
    let ended = pace(&[&short[..], &[&url]].concat());
    assert!(ended.stdout.contains("planned 100 = ok 100 "), "{}{}", ended.stdout, ended.stderr);
    for part in ["(HdrHistogram - Recorded Latency)", "- Uncorrected Latency", "Requests/sec: "] {
        assert!(ended.stdout.contains(part), "{}", ended.stdout);
    }
    let long = ["--threads", "1", "--connections", "2", "--duration", "100ms", "--rate", "100"];
    let rest = ["--timeout", "2s", "--header", "X-A: b  c", "--json", "-", "--wait", "hybrid"];
    let distributions = ["--latency", "--u_latency"];
    let ended = pace(&[&long[..], &rest[..], &distributions[..], &[&url]].concat());
    let run: Value = serde_json::from_str(&ended.stdout).expect(&ended.stderr);
    assert_eq!(count(&run, "ok"), 10);
    refused(2, &[&url, "-R1", "-d1s", "-s", "wrk.lua"], &["-s wrk.lua", "--mix"]);
    refused(2, &["https://h/", "-R1", "-d1s"], &["TLS", "plain port", "README"]);
    refused(2, &[&url, "-d1s"], &["-R is missing"]);
    refused(2, &[&url, "-R1"], &["-d is missing"]);
    refused(2, &["-R1", "-d1s"], &["no URL"]);
    refused(2, &[&url, "-R1", "-d1s", "-t", "4097"], &["-t 4097", "CPUs there are"]);
}

#[test]
fn threads_without_cpus_are_pinned_to_the_last_there_are() {
    let rogue = Rogue::start(Behaviour::Says(GOOD));
    let url = format!("http://{}/", rogue.address());
    let usable = ringpace::io::topology::usable_cpus();
    if usable.len() < 2 {
        return;
    }
    let run = paced(&[&url, "-t", "2"]);
    assert_eq!(run["host"]["pacer"]["cpus"], serde_json::json!(usable[usable.len() - 2..]));
    assert_eq!(count(&run, "planned"), 10);
}

#[test]
fn an_ipv6_literal_is_a_server() {
    let listener = std::net::TcpListener::bind("[::1]:0");
    let Ok(listener) = listener else { return };
    let url = format!("http://{}/", listener.local_addr().expect("it is bound"));
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || answer_heads(stream));
        }
    });
    assert_eq!(count(&paced(&[&url]), "ok"), 10);
}

fn answer_heads(mut stream: std::net::TcpStream) -> io::Result<()> {
    let mut buf = [0; 4096];
    // The pacer's requests have no content and come whole.
    while stream.read(&mut buf)? > 0 {
        stream.write_all(GOOD)?;
    }
    Ok(())
}
