//! A server under test: set up, started on a free port, awaited until it answers, stopped.
//!
//! The port is found by binding port 0 and letting go of it again. Somebody else may take it before
//! the server does; a server that ends with "address in use" is therefore started again on another.
//! Ready means that `GET ready_path` is answered with any status below 500. Every wait is bounded
//! and ends early when `stop` is raised; nothing started here outlives its [`Server`].
//!
//! Not here: load and sampling; see `measure`. Start at [`Server::start`].

use super::plan::{CommandLine, Launch, Target};
use super::store::Fnv;
use crate::clock::Clock;
use crate::io::clock::MonotonicClock;
use crate::io::process::Child;
use crate::io::topology::CpuList;
use crate::units::{Mono, Nanos};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

/// Why there is no server, or no figures.
#[derive(Debug)]
pub enum Mishap {
    /// `stop` was raised meanwhile.
    Stopped,
    /// One sentence that says what went wrong, with the last lines of the child's log.
    Failed(String),
}

/// What a start needs besides the target.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// This program; what our own server and the pacer are started from.
    pub exe: &'a Path,
    /// Where a target that names no CPUs may run.
    pub all_cpus: &'a CpuList,
    /// Raised when the bench is to end.
    pub stop: &'a AtomicBool,
}

impl Surroundings<'_> {
    /// Whether the bench is to end.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// A server that answers. Dropping it kills it; [`Server::stop`] asks first.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

/// Chosen: Python with all its imports is up within 2 s on a slow machine.
const READY_MAX: Nanos = Nanos::from_secs(10);
/// Chosen: one probe; a server that is up answers its health check sooner.
const PROBE_MAX: Nanos = Nanos::from_secs(1);
/// Chosen: between two probes; short against any start-up, long against a probe's cost.
const PROBE_EVERY: Nanos = Nanos::from_millis(20);
/// Chosen: our server drains within 5 s at most.
const STOP_GRACE: Nanos = Nanos::from_secs(6);
/// Chosen: losing the race for a free port even twice in a row is unlikely.
const STARTS_MAX: u32 = 4;
/// Chosen: compiling an ecosystem's native modules takes minutes.
const SET_UP_MAX: Nanos = Nanos::from_secs(900);

impl Server {
    /// Starts `target` and waits until it answers. Its output goes to `log`.
    pub fn start(
        target: &Target,
        surroundings: Surroundings<'_>,
        log: &Path,
    ) -> Result<Server, Mishap> {
        let mut starts = 1;
        loop {
            match Server::start_once(target, surroundings, log) {
                Err(Mishap::Failed(_)) if starts < STARTS_MAX && port_was_taken(log) => {
                    starts += 1;
                }
                outcome => return outcome,
            }
        }
    }

    fn start_once(
        target: &Target,
        surroundings: Surroundings<'_>,
        log: &Path,
    ) -> Result<Server, Mishap> {
        let failed = |what: String| Mishap::Failed(format!("target `{}`: {what}", target.name));
        let port = free_port().map_err(|error| failed(format!("no free port: {error}")))?;
        let mut command = command(target, surroundings.exe, port);
        redirect(&mut command, log).map_err(|error| failed(format!("its log: {error}")))?;
        let cpus = target.cpus.as_ref().unwrap_or(surroundings.all_cpus);
        let child = Child::spawn(&mut command, cpus).map_err(|error| {
            failed(format!("`{}` does not start: {error}", command.get_program().to_string_lossy()))
        })?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut server = Server { child, address, log: log.to_owned() };
        server.await_ready(&target.ready_path, surroundings).map_err(|error| match error {
            Mishap::Failed(what) => failed(what),
            Mishap::Stopped => Mishap::Stopped,
        })?;
        Ok(server)
    }

    fn await_ready(&mut self, path: &str, surroundings: Surroundings<'_>) -> Result<(), Mishap> {
        let deadline = MonotonicClock.now() + READY_MAX;
        loop {
            if surroundings.stopped() {
                return Err(Mishap::Stopped);
            }
            let answers = probe(self.address, path);
            // Looked at after the probe: if the server is gone, it was somebody else who answered.
            if let Some(how) = self.ended_within(if answers { Nanos::ZERO } else { PROBE_EVERY }) {
                return Err(Mishap::Failed(format!("it ended before it answered {how}")));
            }
            if answers {
                return Ok(());
            }
            if MonotonicClock.now() > deadline {
                return Err(Mishap::Failed(format!(
                    "GET {path} on port {} was not answered within {READY_MAX}; its log ends with:{}",
                    self.address.port(),
                    log_tail(&self.log)
                )));
            }
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What our own server said of itself before it listened: its settings, and notes.
    pub fn said(&self) -> (Option<String>, Vec<String>) {
        said(&read_lossily(&self.log))
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// How it ended, `(exit status: 1); its log ends with:` and so on; `None` while it runs.
    pub fn ended(&mut self) -> Option<String> {
        self.ended_within(Nanos::ZERO)
    }

    fn ended_within(&mut self, span: Nanos) -> Option<String> {
        match self.child.wait_for(span) {
            Ok(None) => None,
            Ok(Some(status)) => {
                Some(format!("({status}); its log ends with:{}", log_tail(&self.log)))
            }
            Err(error) => Some(format!("(it cannot be waited for: {error})")),
        }
    }

    /// Ends the server: asked first, made to after a grace.
    pub fn stop(mut self) -> Result<(), String> {
        self.child.stop(STOP_GRACE).map(|_| ()).map_err(|error| format!("cannot be ended: {error}"))
    }
}

/// Whether there is nothing to set up, or it is done already.
pub fn is_set_up(target: &Target) -> bool {
    match &target.launch {
        Launch::Command(line) if !line.setup.is_empty() => line.cwd.join(stamp_name(line)).exists(),
        Launch::Command(_) | Launch::Serve(_) => true,
    }
}

/// Runs the set-up step of `target`, unless it is done already. Its output goes to `log`.
///
/// It counts as done while a stamp file in the target's directory says so; the stamp's name holds a
/// hash of the command line and of the files named in it, so a changed script runs again.
pub fn set_up(target: &Target, surroundings: Surroundings<'_>, log: &Path) -> Result<(), Mishap> {
    let Launch::Command(line) = &target.launch else { return Ok(()) };
    let [program, arguments @ ..] = line.setup.as_slice() else { return Ok(()) };
    if is_set_up(target) {
        return Ok(());
    }
    let stamp = line.cwd.join(stamp_name(line));
    let failed =
        |what: String| Mishap::Failed(format!("set-up of target `{}`: {what}", target.name));
    let mut command = Command::new(program);
    command.args(arguments).current_dir(&line.cwd);
    redirect(&mut command, log).map_err(|error| failed(format!("its log: {error}")))?;
    let mut child = Child::spawn(&mut command, surroundings.all_cpus)
        .map_err(|error| failed(format!("`{program}` does not start: {error}")))?;
    let status = await_end(&mut child, SET_UP_MAX, surroundings.stop).map_err(failed)?;
    match status {
        Awaited::Ended(true) => File::create(&stamp)
            .map(|_| ())
            .map_err(|error| failed(format!("{}: {error}", stamp.display()))),
        Awaited::Ended(false) => {
            Err(failed(format!("`{program}` failed; its log ends with:{}", log_tail(log))))
        }
        Awaited::TooLong => Err(failed(format!("`{program}` took longer than {SET_UP_MAX}"))),
        Awaited::Stopped => Err(Mishap::Stopped),
    }
}

enum Awaited {
    /// True if it succeeded.
    Ended(bool),
    TooLong,
    Stopped,
}

/// Waits for `child`; ends it when it takes too long or `stop` is raised.
fn await_end(child: &mut Child, at_most: Nanos, stop: &AtomicBool) -> Result<Awaited, String> {
    let deadline = MonotonicClock.now() + at_most;
    let awaited = loop {
        if let Some(status) = child.wait_for(STOP_LATENCY).map_err(|error| error.to_string())? {
            return Ok(Awaited::Ended(status.success()));
        }
        if stop.load(Ordering::Relaxed) {
            break Awaited::Stopped;
        }
        if MonotonicClock.now() > deadline {
            break Awaited::TooLong;
        }
    };
    child.stop(STOP_GRACE).map_err(|error| error.to_string())?;
    Ok(awaited)
}

/// Chosen: how long Ctrl-C may go unnoticed; a person does not feel it.
pub(super) const STOP_LATENCY: Nanos = Nanos::from_millis(200);

fn stamp_name(line: &CommandLine) -> String {
    format!(".ringpace-setup-{}", set_up_hash(line))
}

/// Over the words of a set-up step and the files that they name.
pub(super) fn set_up_hash(line: &CommandLine) -> Fnv {
    let mut hash = Fnv::default();
    for word in &line.setup {
        hash.add(word.as_bytes());
        // A word that is no file stands for itself alone.
        hash.add(&std::fs::read(line.cwd.join(word)).unwrap_or_default());
    }
    hash
}

fn command(target: &Target, exe: &Path, port: u16) -> Command {
    match &target.launch {
        Launch::Serve(flags) => {
            let mut command = Command::new(exe);
            command.args(["serve", "--listen", &format!("127.0.0.1:{port}")]).args(flags);
            command
        }
        Launch::Command(line) => {
            let fill = |word: &String| word.replace("{port}", &port.to_string());
            let mut words = line.argv.iter().map(fill);
            let mut command = Command::new(words.next().unwrap_or_default());
            command.args(words).current_dir(&line.cwd);
            command.envs(line.env.iter().map(|(name, value)| (name, fill(value))));
            command
        }
    }
}

/// Sends a child's output, both streams, to `log`, and gives it nothing to read.
pub(super) fn redirect(command: &mut Command, log: &Path) -> std::io::Result<()> {
    let file = File::create(log)?;
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    Ok(())
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Whether `GET path` is answered with a status below 500.
fn probe(address: SocketAddr, path: &str) -> bool {
    let deadline = MonotonicClock.now() + PROBE_MAX;
    status_of(address, path, deadline).is_ok_and(|status| status < 500)
}

fn status_of(address: SocketAddr, path: &str, deadline: Mono) -> std::io::Result<u16> {
    let mut stream = TcpStream::connect_timeout(&address, PROBE_MAX.to_std())?;
    stream.set_write_timeout(Some(PROBE_MAX.to_std()))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut head = Vec::new();
    let mut byte_block = [0; STATUS_LINE_START];
    while head.len() < STATUS_LINE_START {
        let left = deadline.saturating_since(MonotonicClock.now()).max(Nanos::from_micros(1));
        stream.set_read_timeout(Some(left.to_std()))?;
        match stream.read(&mut byte_block)? {
            0 => break,
            count => head.extend_from_slice(&byte_block[..count]),
        }
    }
    parse_status(&head).ok_or_else(|| std::io::Error::other("no status line"))
}

/// Spec: `HTTP/1.1 200`, RFC 9112 section 4.
const STATUS_LINE_START: usize = 12;

fn parse_status(head: &[u8]) -> Option<u16> {
    let digits = head.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The settings and notes at the head of a log of `ringpace serve`.
fn said(log: &str) -> (Option<String>, Vec<String>) {
    let head = || log.lines().take_while(|line| !line.starts_with("listening on"));
    let said = |what: &'static str| head().filter_map(move |line| line.strip_prefix(what));
    let settings = said("settings: ").next().map(String::from);
    (settings, said("note: ").map(String::from).collect())
}

fn port_was_taken(log: &Path) -> bool {
    let text = read_lossily(log).to_ascii_lowercase();
    // How C, Rust, Go and Python say it, and how Node does.
    text.contains("already in use") || text.contains("eaddrinuse")
}

/// The last lines of a log, each on a line of its own and indented; says so if there are none.
pub(super) fn log_tail(log: &Path) -> String {
    let text = read_lossily(log);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    if lines.is_empty() {
        return String::from(" (nothing)");
    }
    let from = lines.len().saturating_sub(LOG_TAIL_LINES);
    lines[from..].iter().map(|line| format!("\n    {line}")).collect()
}

/// A log that is not there says nothing.
fn read_lossily(log: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(log).unwrap_or_default()).into_owned()
}

/// Chosen: shows the message of a stack trace without filling the screen.
const LOG_TAIL_LINES: usize = 6;

#[cfg(test)]
mod tests;
