//! The instrument held against nothing: a pacer, and a server that spins on another CPU of this
//! process and answers every request with bytes that stand ready.
//!
//! What it measures is the floor: loopback TCP, one epoll turn and one send on the other side, and
//! the pacer itself. No server can look faster on this machine, and two that differ by less than
//! the floor wavers cannot be told apart. The rate at which even this server's answers come late is
//! the most that one thread of the pacer can be asked for. Not here: how it reads (see `report`).
//! Start at [`run`].

use super::mix::Kind;
use super::outcome::Outcome;
use super::plan::Plan;
use super::run::PaceError;
use super::verdict::ACHIEVED_SHARE_MIN;
use crate::io::epoll::Epoll;
use crate::io::net::{Listener, SocketSettings};
use crate::io::{ConnId, Driver, Event, Sending, Wait, topology};
use crate::results::selftest::{SELFTEST_SCHEMA, SelfTest, Step};
use crate::results::{Run, Verdict};
use crate::units::{Nanos, Rate};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{io, thread};

/// A rate is held while half of the answers come within this. Chosen: some eight times the floor;
/// beyond it requests queue.
pub const P50_MAX: Nanos = Nanos::from_micros(100);

/// Where the search for the highest rate begins. Chosen: any machine that can measure holds it.
const RATE_FIRST: u64 = 10_000;
/// Where it ends at the latest. Chosen: beyond what one core can send.
const RATE_LAST: u64 = 4_000_000;
/// Chosen: finds the rate to a thirty-second (3 %) of the rate that was held before it doubled.
const BISECTIONS: u32 = 5;
/// Chosen: long against a time slice of the scheduler, so that one is not taken for the limit.
const STEP_MAX: Nanos = Nanos::from_millis(500);
/// Chosen: connections and caches are warm long before.
const STEP_WARMUP_MAX: Nanos = Nanos::from_millis(200);
/// A rate that is not held is given a second chance: a neighbour may have been busy.
const TRIES: u32 = 2;

/// Measures the floor as `plan` says (its URL is not looked at, and it has one kind), then searches
/// for the highest rate. The server spins on `server_cpu`, which must not be of the plan.
///
/// # Errors
/// As [`super::run()`]; and what keeps the server from starting.
pub fn run(plan: &Plan, server_cpu: usize, stop: &AtomicBool) -> Result<SelfTest, PaceError> {
    let request = plan.mix.kinds().first().expect("a mix has a kind");
    let answer = answer();
    let answer_bytes = answer.len() as u64;
    let server = NullServer::start(server_cpu, answer, request).map_err(PaceError::Driver)?;
    let url = format!("http://{}/", server.address).parse().map_err(PaceError::Plan)?;
    let plan = Plan { url, ..plan.clone() };
    let floor = super::run(&plan, stop)?.run;
    let (steps, maximum_rps) = search(&plan, stop)?;
    Ok(SelfTest {
        schema: String::from(SELFTEST_SCHEMA),
        floor,
        maximum_rps,
        p50_max_ns: P50_MAX.0,
        steps,
        request_bytes: server.request_bytes as u64,
        answer_bytes,
        server_cpu,
    })
}

/// How long each request is; one typed on the command line always has the same bytes.
fn bytes_of(request: &Kind, authority: &str) -> usize {
    request.template(authority).constant().map_or(0, <[u8]>::len)
}

/// Every step that was tried, and the highest rate that was held.
fn search(plan: &Plan, stop: &AtomicBool) -> Result<(Vec<Step>, Option<u64>), PaceError> {
    let mut steps = Vec::new();
    let (mut held, mut missed) = (0, RATE_FIRST);
    while missed <= RATE_LAST && is_held(plan, missed, &mut steps, stop)? {
        (held, missed) = (missed, missed * 2);
    }
    for _ in 0..BISECTIONS {
        let middle = held.midpoint(missed);
        match is_held(plan, middle, &mut steps, stop)? {
            true => held = middle,
            false => missed = middle,
        }
    }
    Ok((steps, (held > 0).then_some(held)))
}

fn is_held(
    plan: &Plan,
    rate: u64,
    steps: &mut Vec<Step>,
    stop: &AtomicBool,
) -> Result<bool, PaceError> {
    let mut step_plan = plan.clone();
    step_plan.load.rate = Rate::per_second(rate).expect("a search stays above zero");
    step_plan.duration = plan.duration.min(STEP_MAX);
    step_plan.warmup = plan.duration.min(STEP_WARMUP_MAX);
    for _ in 0..TRIES {
        let step = step_of(super::run(&step_plan, stop)?);
        let is_held = step.is_held;
        steps.push(step);
        if is_held || stop.load(Ordering::Relaxed) {
            return Ok(is_held);
        }
    }
    Ok(false)
}

fn step_of(outcome: Outcome) -> Step {
    let run: Run = outcome.run;
    let is_held = run.verdict != Verdict::Invalid
        && run.achieved_rps >= run.offered_rps * ACHIEVED_SHARE_MIN
        && run.response_ns.p50.is_some_and(|p50| p50 <= P50_MAX.0);
    Step {
        offered_rps: run.offered_rps,
        achieved_rps: run.achieved_rps,
        response_ns: run.response_ns,
        lateness_ns: run.lateness_ns,
        verdict: run.verdict,
        is_held,
    }
}

/// As long as the contract's answer to `GET /devices/status`.
fn answer() -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 120\r\n\
                Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n";
    format!("{head}[{}]", " ".repeat(118)).into_bytes()
}

/// Answers whatever has as many bytes as a request.
struct NullServer {
    address: SocketAddr,
    request_bytes: usize,
    is_over: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl NullServer {
    /// Answers each `request`, as it is for the server's address, with `answer`.
    fn start(cpu: usize, answer: Vec<u8>, request: &Kind) -> io::Result<NullServer> {
        let listener =
            Listener::bind(([127, 0, 0, 1], 0).into(), &SocketSettings::default(), None)?;
        let address = listener.local_address()?;
        let mut driver = Epoll::new()?;
        driver.listen(listener)?;
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let request_bytes = bytes_of(request, &address.to_string());
        let thread = thread::Builder::new().name("null server".into()).spawn(move || {
            // Where the kernel refuses, the floor is only higher, as on any machine that is shared.
            let _ = topology::pin_current_thread(cpu);
            // Should it fail, the pacer reports connections that break.
            let _ = spin(&mut driver, request_bytes, &answer, &over);
        })?;
        Ok(NullServer { address, request_bytes, is_over, thread: Some(thread) })
    }
}

impl Drop for NullServer {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn spin(
    driver: &mut impl Driver,
    request_bytes: usize,
    answer: &[u8],
    is_over: &AtomicBool,
) -> io::Result<()> {
    let mut heard: Vec<usize> = Vec::new();
    let (mut owed, mut gone): (Vec<ConnId>, Vec<ConnId>) = (Vec::new(), Vec::new());
    while !is_over.load(Ordering::Relaxed) {
        driver.turn(Wait::Poll, |event| match event {
            Event::Accepted(id) => {
                let slot = id.slot as usize;
                heard.resize(heard.len().max(slot + 1), 0);
                heard[slot] = 0;
            }
            Event::Received(id, bytes) => {
                let heard = &mut heard[id.slot as usize];
                *heard += bytes.len();
                if *heard >= request_bytes {
                    *heard = 0;
                    owed.push(id);
                }
            }
            Event::ReceivedEnd(id) | Event::Failed(id, _) => gone.push(id),
            Event::Connected(_) | Event::Sent(_) | Event::Woken => {}
        })?;
        for id in owed.drain(..) {
            let mut bytes = driver.buffer();
            bytes.extend_from_slice(answer);
            if let Sending::Failed(_) = driver.send(id, bytes) {
                gone.push(id);
            }
        }
        gone.drain(..).for_each(|id| driver.close(id));
    }
    Ok(())
}
