//! What the black-box tests share: the real binary as a child, and a client that trusts nothing.
//!
//! Promises: no fixed port, no sleep, and no read without a timeout, so a test may fail but never
//! hang. A server is ended by its own pid when its handle is dropped. The response reader is
//! written here, independently of the crate's own, so that the two cannot share a misreading.
//! Not here: what a right answer is. Start at [`Server::start`] and [`Client::read`].

#![allow(dead_code, reason = "each test binary uses its own part of this module")]
#![allow(clippy::print_stdout, reason = "a failing test shows what it printed on the way")]

#[path = "../../src/scratch.rs"]
pub(crate) mod scratch;

use serde_json::Value;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use ringpace::clock::Clock;
use ringpace::io::clock::MonotonicClock;
use ringpace::units::Mono;

/// How long anything may take before a test calls it a hang. Chosen: far above what a loaded
/// machine needs, for no test that passes ever waits that long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A `ringpace serve` of its own, on a port the kernel chose.
pub(crate) struct Server {
    child: Child,
    stdout: Receiver<String>,
    /// Where it said that it listens.
    pub(crate) addr: SocketAddr,
    /// What it said before: its settings, and notes.
    pub(crate) said: Vec<String>,
}

impl Server {
    /// Starts `serve --listen 127.0.0.1:0` with `flags` and waits until it listens.
    pub(crate) fn start(flags: &[&str]) -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringpace"));
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(flags);
        Server::spawn(command)
    }

    /// Starts `serve` with `flags`, the address among them.
    pub(crate) fn start_on(listen: &str, flags: &[&str]) -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringpace"));
        command.args(["serve", "--listen", listen]).args(flags);
        Server::spawn(command)
    }

    /// The same under a limit of `descriptors` open files.
    pub(crate) fn start_with_descriptors(descriptors: u32, flags: &[&str]) -> Server {
        Server::spawn(with_descriptors(descriptors, flags))
    }

    /// Runs `command`, which says on its stdout where it listens, as `serve` does.
    pub(crate) fn spawn(mut command: Command) -> Server {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary starts");
        let stdout = lines_of(&mut child);
        let mut said = Vec::new();
        let addr = loop {
            let line = stdout.recv_timeout(PATIENCE);
            let told =
                line.as_deref().ok().and_then(|line| line.strip_prefix("listening on http://"));
            match (told.and_then(|addr| addr.parse().ok()), line) {
                (Some(addr), _) => break addr,
                (None, Ok(line)) if !line.starts_with("listening") => said.push(line),
                (None, line) => {
                    let _ = child.kill();
                    panic!("{command:?} did not say where it listens: {line:?}");
                }
            }
        };
        Server { child, stdout, addr, said }
    }

    /// What it noted.
    pub(crate) fn notes(&self) -> Vec<&str> {
        self.said.iter().filter_map(|line| line.strip_prefix("note: ")).collect()
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.addr).expect("the server accepts connections")
    }

    /// Sends SIGTERM to this server alone.
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Sends a signal, `-TERM` or the like, to this server alone.
    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill").arg(signal).arg(self.child.id().to_string()).status();
        assert!(status.expect("kill runs").success(), "the server was gone before {signal}");
    }

    /// The next line of its stdout.
    #[track_caller]
    pub(crate) fn line(&self) -> String {
        self.stdout.recv_timeout(PATIENCE).expect("it goes on to write lines")
    }

    /// Whether it has written nothing since.
    pub(crate) fn is_silent(&self) -> bool {
        self.stdout.try_recv().is_err()
    }

    /// Waits for the process to end: its stdout closes with it, so nothing is polled.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        loop {
            match self.stdout.recv_timeout(PATIENCE) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("the server did not end in {PATIENCE:?}"),
            }
        }
        self.child.wait().expect("the child is ours")
    }

    /// Whether the process still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Memory in use, in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        status_of(self.pid(), "VmRSS:")
    }

    /// How many descriptors it has open.
    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("the server runs").count()
    }

    /// User and system time used so far, in clock ticks of usually 10 ms.
    pub(crate) fn cpu_ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))
            .expect("the server runs");
        let after_name = stat.rsplit(')').next().expect("rsplit gives at least one piece");
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        // utime and stime are fields 14 and 15 of proc(5); the name before was field 2.
        [fields[11], fields[12]].iter().filter_map(|ticks| ticks.parse::<u64>().ok()).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `serve --listen 127.0.0.1:0` with `flags`, under a limit of `descriptors` open files.
pub(crate) fn with_descriptors(descriptors: u32, flags: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("ulimit -n {descriptors}; exec \"$0\" \"$@\""));
    command.arg(env!("CARGO_BIN_EXE_ringpace"));
    command.args(["serve", "--listen", "127.0.0.1:0"]).args(flags);
    command
}

/// The lines of its stdout, as they come, until it is closed.
fn lines_of(child: &mut Child) -> Receiver<String> {
    let lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
    let (sender, stdout) = channel();
    thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    stdout
}

/// One run of the binary that is expected to end by itself.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stderr: String,
}

/// Runs `ringpace` with `args` to its end.
///
/// Should it start to serve instead of refusing, it is ended at the first line of its stdout, and
/// `code` is `None`.
#[track_caller]
pub(crate) fn run_to_end(args: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringpace"));
    command.args(args);
    end_of(command)
}

/// The same of any command.
#[track_caller]
pub(crate) fn end_of(mut command: Command) -> Ended {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    let first_line = lines_of(&mut child).recv_timeout(PATIENCE);
    if first_line != Err(RecvTimeoutError::Disconnected) {
        let _ = child.kill();
    }
    let output = child.wait_with_output().expect("the child is ours");
    let is_silent = first_line == Err(RecvTimeoutError::Timeout);
    assert!(!is_silent, "{command:?} neither serves nor ends");
    Ended { code: output.status.code(), stderr: String::from_utf8_lossy(&output.stderr).into() }
}

/// A response as it stood on the wire.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// All of it on the wire, head and content.
    pub(crate) len: usize,
}

impl Response {
    /// The value of the only field of this name, in any case.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.fields.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        values.next().map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("every body of this server is UTF-8")
    }
}

/// Why there was no response.
#[derive(Debug)]
pub(crate) enum NoResponse {
    /// The server closed in order (a FIN) and sent nothing more.
    Closed,
    /// It closed with a reset, or the socket failed otherwise.
    Failed(io::Error),
    /// Nothing, or not the rest of a response, came within [`PATIENCE`].
    Silent(Vec<u8>),
    /// What came is not the response it claims to be.
    Malformed(String),
}

/// A raw connection to the server.
pub(crate) struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Client {
    /// # Errors
    /// Those of the connect.
    pub(crate) fn connect(addr: SocketAddr) -> io::Result<Client> {
        let stream = TcpStream::connect_timeout(&addr, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Client { stream, received: Vec::new() })
    }

    /// Sends `bytes` in writes of at most `piece` bytes. A server that has already refused may stop
    /// listening half-way: what matters is what it answered, so a write that fails ends the sending.
    pub(crate) fn send_in_pieces(&mut self, bytes: &[u8], piece: usize) {
        let _ = bytes.chunks(piece).try_for_each(|piece| self.try_send(piece));
    }

    /// Sends `bytes` in one write.
    ///
    /// # Errors
    /// Those of the write, a server that does not read for [`PATIENCE`] among them.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends `bytes` in one write.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes.as_ref()).expect("the server reads");
    }

    /// Says that no more requests come; the way back stays open.
    pub(crate) fn finish(&mut self) {
        // The server may have closed already, and then the socket is no longer connected.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Breaks the connection by a reset, whatever is under way (SO_LINGER of zero, socket(7)).
    pub(crate) fn reset(self) {
        let socket = socket2::SockRef::from(&self.stream);
        socket.set_linger(Some(Duration::ZERO)).expect("any socket takes it");
    }

    /// How long a read may take from here on.
    pub(crate) fn set_patience(&mut self, patience: Duration) {
        self.stream.set_read_timeout(Some(patience)).expect("a timeout above zero is accepted");
    }

    /// How long a write may take from here on.
    pub(crate) fn set_write_patience(&mut self, patience: Duration) {
        self.stream.set_write_timeout(Some(patience)).expect("a timeout above zero is accepted");
    }

    /// Reads the answer to a request that was not HEAD.
    ///
    /// # Errors
    /// What kept the answer from coming.
    pub(crate) fn read(&mut self) -> Result<Response, NoResponse> {
        self.read_answer(false)
    }

    /// Reads one response and nothing beyond it; `to_head` says that no content follows.
    ///
    /// # Errors
    /// What kept the response from coming.
    pub(crate) fn read_answer(&mut self, to_head: bool) -> Result<Response, NoResponse> {
        let head_end = loop {
            match self.received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                Some(at) => break at + 4,
                None => self.receive()?,
            }
        };
        let head: Vec<u8> = self.received.drain(..head_end).collect();
        let mut response = parse_head(&head).map_err(NoResponse::Malformed)?;
        let length = content_length(&response).map_err(NoResponse::Malformed)?;
        if !to_head {
            while self.received.len() < length {
                self.receive()?;
            }
            response.body = self.received.drain(..length).collect();
        }
        response.len = head_end + response.body.len();
        Ok(response)
    }

    /// Whether nothing of an answer has come that was not read whole.
    pub(crate) fn is_between(&self) -> bool {
        self.received.is_empty()
    }

    /// Reads `count` bytes as they stand on the wire.
    #[track_caller]
    pub(crate) fn read_exactly(&mut self, count: usize) -> Vec<u8> {
        while self.received.len() < count {
            self.receive().unwrap_or_else(|why| panic!("of {count} bytes: {why:?}"));
        }
        self.received.drain(..count).collect()
    }

    /// Sends a request that is not HEAD and reads its answer.
    #[track_caller]
    pub(crate) fn ask(&mut self, request: impl AsRef<[u8]>) -> Response {
        self.send(request);
        self.read().unwrap_or_else(|why| panic!("no answer: {why:?}"))
    }

    /// Waits for the server to close in order, with nothing sent before.
    ///
    /// # Errors
    /// What came instead.
    pub(crate) fn read_close(&mut self) -> Result<(), String> {
        match self.read_answer(false) {
            Err(NoResponse::Closed) => Ok(()),
            Err(NoResponse::Silent(bytes)) if bytes.is_empty() => Err("stayed open".into()),
            other => Err(format!("instead of a close came {other:?}")),
        }
    }

    fn receive(&mut self) -> Result<(), NoResponse> {
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) if self.received.is_empty() => Err(NoResponse::Closed),
            Ok(0) => Err(NoResponse::Malformed(format!("cut off: {}", shown(&self.received)))),
            Ok(count) => {
                self.received.extend_from_slice(&chunk[..count]);
                Ok(())
            }
            // A read with a timeout is not restarted when the process was stopped (signal(7)).
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Err(NoResponse::Silent(self.received.clone()))
            }
            Err(error) => Err(NoResponse::Failed(error)),
        }
    }
}

/// Bytes for a person to read, cut where they become too many.
pub(crate) fn shown(bytes: &[u8]) -> String {
    const SHOWN_BYTES_MAX: usize = 400;
    if bytes.len() <= SHOWN_BYTES_MAX {
        return format!("\"{}\"", bytes.escape_ascii());
    }
    let (begin, end) = (&bytes[..SHOWN_BYTES_MAX / 2], &bytes[bytes.len() - 60..]);
    format!("\"{}\" .. \"{}\" ({} bytes)", begin.escape_ascii(), end.escape_ascii(), bytes.len())
}

fn parse_head(head: &[u8]) -> Result<Response, String> {
    let text = std::str::from_utf8(head).map_err(|_| format!("not ASCII: {}", shown(head)))?;
    let text = text.strip_suffix("\r\n\r\n").expect("the caller cut at the blank line");
    if text.bytes().any(|byte| byte > 0x7e || (byte < 0x20 && byte != b'\r' && byte != b'\n')) {
        return Err(format!("control or 8-bit bytes: {}", shown(head)));
    }
    let mut lines = text.split("\r\n");
    let status_line = lines.next().expect("split gives at least one piece");
    let status = parse_status_line(status_line).ok_or(format!("status line {status_line:?}"))?;
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(": ").ok_or(format!("field line {line:?}"))?;
        let is_token = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if name.is_empty() || !is_token || line.contains(['\r', '\n']) || value.trim() != value {
            return Err(format!("field line {line:?}"));
        }
        if fields.iter().any(|(earlier, _)| earlier.eq_ignore_ascii_case(name)) {
            return Err(format!("two {name} fields"));
        }
        fields.push((name.to_owned(), value.to_owned()));
    }
    Ok(Response { status, fields, body: Vec::new(), len: 0 })
}

/// RFC 9112 §4: `HTTP/1.1 SP 3DIGIT SP [reason]`.
fn parse_status_line(line: &str) -> Option<u16> {
    let (digits, _reason) = line.strip_prefix("HTTP/1.1 ")?.split_once(' ')?;
    let is_status = digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_status.then(|| digits.parse().ok())?
}

/// RFC 9110 §8.6, RFC 9112 §6: this server frames by Content-Length alone, and 1xx and 204 have none.
fn content_length(response: &Response) -> Result<usize, String> {
    if response.field("Transfer-Encoding").is_some() {
        return Err("Transfer-Encoding, which this server never needs".into());
    }
    let length = response.field("Content-Length");
    if response.status < 200 || response.status == 204 {
        return length.map_or(Ok(0), |_| Err(format!("{} with a length", response.status)));
    }
    let length = length.ok_or("no Content-Length")?;
    let is_number = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| length.parse().ok()).flatten().ok_or(format!("Content-Length {length:?}"))
}

/// Seconds since 1970 of an IMF-fixdate (RFC 9110 §5.6.7), `None` when it is not one to the byte or
/// its weekday is wrong.
pub(crate) fn imf_fixdate_secs(date: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let number = |range| date.get(range).and_then(|digits: &str| digits.parse::<u64>().ok());
    let (day, year) = (number(5..7)?, number(12..16)?);
    let (hour, minute, second) = (number(17..19)?, number(20..22)?, number(23..25)?);
    let month = MONTHS.iter().position(|&name| Some(name) == date.get(8..11))?;
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let month_days = |month, year| match month {
        1 => 28 + u64::from(is_leap(year)),
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    };
    let days = (1970..year).map(|year| 365 + u64::from(is_leap(year))).sum::<u64>()
        + (0..month).map(|month| month_days(month, year)).sum::<u64>()
        + day.checked_sub(1)?;
    let weekday = WEEKDAYS[usize::try_from(days % 7).expect("below seven")];
    let month = MONTHS[month];
    // Written again and compared, so that every byte that was not looked at is checked too.
    let again = format!("{weekday}, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT");
    let in_range = hour < 24 && minute < 60 && second < 60;
    (in_range && again == date).then_some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// What has passed since it was started.
pub(crate) struct Stopwatch(Mono);

impl Stopwatch {
    pub(crate) fn start() -> Stopwatch {
        Stopwatch(MonotonicClock.now())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        (MonotonicClock.now() - self.0).to_std()
    }
}

/// What `--backend` takes.
pub(crate) const BACKENDS: [&str; 4] = ["uring", "epoll", "monoio-uring", "monoio-epoll"];

/// A server of every backend in turn.
pub(crate) fn on_every_backend(more: &[&str], test: impl Fn(&mut Server)) {
    for backend in BACKENDS {
        println!("--backend {backend} {}", more.join(" "));
        test(&mut Server::start(&[&["--backend", backend], more].concat()));
    }
}

/// The sum over all cores of the metric `name`.
pub(crate) fn metric(client: &mut Client, name: &str) -> u64 {
    sum_of(client.ask("GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n").text(), name)
}

/// The same, of an answer of `/metrics`.
pub(crate) fn sum_of(metrics: &str, name: &str) -> u64 {
    let begins = format!("ringpace_{name}{{");
    let lines = metrics.lines().filter(|line| line.starts_with(&begins));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// How many descriptors the kernel's table of a process has room for.
#[track_caller]
pub(crate) fn descriptor_slots(pid: u32) -> u64 {
    status_of(pid, "FDSize:")
}

/// A number of /proc/pid/status, see proc_pid_status(5).
#[track_caller]
fn status_of(pid: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or_else(|| panic!("no {name} in {status}"))
}

/// What a file of JSON says.
#[track_caller]
pub(crate) fn json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    serde_json::from_str(&text).expect("it is JSON")
}

/// Returns once `holds`, which is asked again and again.
#[track_caller]
pub(crate) fn await_that(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Stopwatch::start();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "it never came that {what}");
    }
}

/// What `work` makes of every item, in their order; so many at once.
pub(crate) fn in_parallel<T: Sync, R: Send>(
    at_once: usize,
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(at) else { return };
                    let result = work(item);
                    results.lock().expect("no holder panics").push((at, result));
                }
            });
        }
    });
    let mut results = results.into_inner().expect("no holder panics");
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Refused with this code, in one line on stderr that holds each of `words`.
#[track_caller]
pub(crate) fn check_refusal(args: &[&str], code: i32, words: &[&str]) {
    let Ended { code: given, stderr } = run_to_end(args);
    assert_eq!(given, Some(code), "{args:?}: {stderr}");
    assert_eq!(stderr.trim_end().lines().count(), 1, "{args:?}: {stderr}");
    for word in words {
        assert!(stderr.contains(word), "{args:?} does not say {word:?}: {stderr}");
    }
}
