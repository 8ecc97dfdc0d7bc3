//! How long news takes from core to core: from an event published on core A until the answer of a long
//! poll that waits on core B is handed to the kernel, and until the kernel is through with it, which on
//! loopback includes carrying it to the receiver.
//!
//! Core A is the main thread. It does what a worker does with a command that has become due (apply it,
//! wake the cores that sleep with polls, submit), and between the rounds it is the poll's client; no
//! third thread takes a CPU away. Core B is a worker as the server has them, whose driver notes when a
//! send was handed over and taken. B sleeps or spins; it is woken by message or by a write. Then the
//! same with 10,000 polls on core B: the first of them and the last. Prints, asserts nothing; figures
//! are medians over interleaved rounds. Start at [`main`].
#![allow(clippy::print_stdout)]

use ringpace::clock::Clock;
use ringpace::home::{Change, Device, Home};
use ringpace::io::clock::MonotonicClock;
use ringpace::io::epoll::Epoll;
use ringpace::io::net::{Address, Listener, SocketSettings, Waker};
use ringpace::io::uring::{Settings as RingSettings, Uring, Wake};
use ringpace::io::wait::{WaitMode, Waiting};
use ringpace::io::{ConnId, Counters, Driver, Event, Outlet, Sending, Wait, limits, topology};
use ringpace::serve::floor::Shared;
use ringpace::serve::metrics::Metrics;
use ringpace::serve::settings::Settings;
use ringpace::serve::worker::Worker;
use ringpace::units::{Mono, Nanos};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;

const CPU_A: usize = 0;
const CPU_B: usize = 1;
/// Chosen: long enough for B to fall asleep after it has parked the poll, and for its CPU to idle.
const PAUSE: Nanos = Nanos::from_micros(500);
/// No poll times out.
const POLL_TIMEOUT: Nanos = Nanos::from_secs(600);
/// What the API promises: fixed lengths.
const HEAD_BYTES_MAX: usize = 400;

fn main() {
    // `cargo test --benches` runs this too: one short round is enough to see that it works.
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let (rounds, events, crowd) = if is_bench { (9, 300, 10_000) } else { (1, 5, 50) };
    let crowd_rounds = if is_bench { 3 } else { 1 };
    topology::pin_current_thread(CPU_A).expect("CPU 0");
    limits::minimise_timer_slack();
    let crowd = crowd.min(room_for_pairs());
    single(rounds, events);
    many(crowd_rounds, crowd);
}

/// What core A wakes core B by, and how B waits.
#[derive(Clone, Copy)]
struct Setting {
    name: &'static str,
    backend: Backend,
    wait: WaitMode,
}

#[derive(Clone, Copy)]
enum Backend {
    Ring(Wake),
    Epoll,
}

const SETTINGS: [Setting; 6] = [
    Setting { name: "uring, B spins", backend: Backend::Ring(Wake::MsgRing), wait: WaitMode::Spin },
    Setting { name: "epoll, B spins", backend: Backend::Epoll, wait: WaitMode::Spin },
    Setting {
        name: "uring, B sleeps, msgring",
        backend: Backend::Ring(Wake::MsgRing),
        wait: WaitMode::Block,
    },
    Setting {
        name: "uring, B sleeps, eventfd",
        backend: Backend::Ring(Wake::Eventfd),
        wait: WaitMode::Block,
    },
    Setting { name: "epoll, B sleeps, eventfd", backend: Backend::Epoll, wait: WaitMode::Block },
    Setting {
        name: "uring, B hybrid, msgring",
        backend: Backend::Ring(Wake::MsgRing),
        wait: WaitMode::HYBRID,
    },
];

/// One poll at a time.
fn single(rounds: usize, events: usize) {
    let mut handed = vec![Vec::new(); SETTINGS.len()];
    let mut taken = handed.clone();
    for _ in 0..rounds {
        for (index, setting) in SETTINGS.iter().enumerate() {
            let mut bench = Bench::start(*setting, 1);
            let spans: Vec<Spans> = (0..events).map(|_| bench.round()).collect();
            bench.end();
            handed[index].push(median(spans.iter().map(|spans| spans.handed)));
            taken[index].push(median(spans.iter().map(|spans| spans.first)));
        }
    }
    println!(
        "from an event published on A to the answer of one poll on B: p50 of {events} events, median \
         (and range) of {rounds} rounds"
    );
    for (index, setting) in SETTINGS.iter().enumerate() {
        let (handed, taken) = (figure(&handed[index]), figure(&taken[index]));
        println!("  {:<26} handed over {handed} carried {taken}", setting.name);
    }
}

/// Many polls, answered by one event.
fn many(rounds: usize, crowd: usize) {
    let mut firsts = vec![Vec::new(); SETTINGS.len()];
    let mut lasts = firsts.clone();
    for _ in 0..rounds {
        for (index, setting) in SETTINGS.iter().enumerate() {
            let mut bench = Bench::start(*setting, crowd);
            let spans = bench.round();
            bench.end();
            firsts[index].push(spans.first);
            lasts[index].push(spans.last);
        }
    }
    println!(
        "{crowd} polls on B, one event: the first answer carried, and the last; {rounds} rounds"
    );
    for (index, setting) in SETTINGS.iter().enumerate() {
        let (first, last) = (figure(&firsts[index]), figure(&lasts[index]));
        println!("  {:<26} first {first} last {last}", setting.name);
    }
}

/// From the publication on, in nanoseconds.
struct Spans {
    /// The first answer was handed to the kernel: its system call began.
    handed: u64,
    /// The kernel was through with it.
    first: u64,
    /// And with the last.
    last: u64,
}

fn median(samples: impl Iterator<Item = u64>) -> u64 {
    let mut sorted: Vec<u64> = samples.collect();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

/// Median, least and most.
fn figure(samples: &[u64]) -> String {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let at = |index: usize| Nanos(sorted[index]).to_string();
    let range = format!("({} to {})", at(0), at(sorted.len() - 1));
    format!("{:>9} {range:<24}", at(sorted.len() / 2))
}

/// Connections whose both ends this process may hold.
fn room_for_pairs() -> usize {
    let limit = limits::descriptor_limit().expect("a process has a limit");
    usize::try_from(limit.saturating_sub(100) / 2).unwrap_or(usize::MAX)
}

/// When sends were taken on core B, written by it and read by A. Zero: none yet.
#[derive(Default)]
struct Taken {
    count: AtomicU64,
    handed: AtomicU64,
    first: AtomicU64,
    last: AtomicU64,
}

impl Taken {
    /// A system call that takes sends begins.
    fn note_handed(&self, now: Mono) {
        if self.handed.load(Ordering::Relaxed) == 0 {
            self.handed.store(now.0, Ordering::Relaxed);
        }
    }

    /// The kernel is through with a send.
    fn note(&self) {
        self.note_first();
        self.last.store(MonotonicClock.now().0, Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Release);
    }

    /// The kernel is through with at least one.
    fn note_first(&self) {
        if self.first.load(Ordering::Relaxed) == 0 {
            self.first.store(MonotonicClock.now().0, Ordering::Relaxed);
        }
    }
}

/// Core A and its clients, and core B behind them.
struct Bench {
    shared: Shared,
    driver: AnyDriver,
    wakers: Arc<[Waker]>,
    clients: Vec<TcpStream>,
    taken: Arc<Taken>,
    stop: Arc<AtomicBool>,
    worker: std::thread::JoinHandle<()>,
    seq: u64,
}

/// The worker's index in `home`. That of core A is 0.
const CORE_B: usize = 1;

impl Bench {
    fn start(setting: Setting, polls: usize) -> Bench {
        let shared = Shared {
            home: Arc::new(Home::new(1 << 10)),
            settings: Arc::new(Settings { poll_timeout: POLL_TIMEOUT, ..Settings::default() }),
            admitted: Arc::default(),
            metrics: Metrics::new(["A".to_string(), "B".to_string()]),
        };
        let (taken, stop) = (Arc::<Taken>::default(), Arc::<AtomicBool>::default());
        let (seat, ready) = mpsc::channel();
        let (tell, wakers) = mpsc::channel::<Arc<[Waker]>>();
        let told = (shared.clone(), Arc::clone(&taken), Arc::clone(&stop));
        let worker = std::thread::spawn(move || {
            topology::pin_current_thread(CPU_B).expect("CPU 1");
            limits::minimise_timer_slack();
            let (shared, taken, stop) = told;
            let driver = Timed { driver: AnyDriver::new(setting.backend), queued: false, taken };
            let listener = listener();
            let address = listener.local_address().expect("it is bound");
            seat.send((driver.waker(), address)).expect("A waits for it");
            let wakers = wakers.recv().expect("A answers");
            let waiting = Waiting::new(setting.wait, MonotonicClock.now());
            Worker::new(driver, MonotonicClock, CORE_B, shared, waiting, wakers, stop)
                .run(listener)
                .expect("the worker ends cleanly");
        });
        let driver = AnyDriver::new(setting.backend);
        let (waker, address) = ready.recv().expect("B is ready");
        let wakers: Arc<[Waker]> = [driver.waker(), waker].into();
        tell.send(Arc::clone(&wakers)).expect("B waits for it");
        let clients = (0..polls).map(|_| connect(address)).collect();
        Bench { shared, driver, wakers, clients, taken, stop, worker, seq: 0 }
    }

    /// Parks the polls, publishes one event, and reads the answers.
    fn round(&mut self) -> Spans {
        let poll = format!("GET /events/live?since={} HTTP/1.1\r\nHost: b\r\n\r\n", self.seq);
        self.clients.iter_mut().for_each(|c| c.write_all(poll.as_bytes()).expect("B reads"));
        let parked = &self.shared.metrics.tally(CORE_B).parked;
        while parked.get() < self.clients.len() as u64 {
            std::hint::spin_loop();
        }
        spin(PAUSE);
        self.taken.count.store(0, Ordering::Relaxed);
        self.taken.handed.store(0, Ordering::Relaxed);
        self.taken.first.store(0, Ordering::Relaxed);
        let toggle = Change::parse(Device::Light, "toggle", None).expect("a light can be toggled");
        let published = MonotonicClock.now();
        self.shared.home.apply(toggle);
        for core in self.shared.home.cores_to_wake() {
            self.driver.wake(&self.wakers[core]);
        }
        self.driver.turn(Wait::Poll, |_| {}).expect("A submits");
        self.seq += 1;
        while self.taken.count.load(Ordering::Acquire) < self.clients.len() as u64 {
            std::hint::spin_loop();
        }
        self.clients.iter_mut().for_each(read_answer);
        let span = |at: &AtomicU64| (Mono(at.load(Ordering::Relaxed)) - published).0;
        let Taken { handed, first, last, .. } = &*self.taken;
        Spans { handed: span(handed), first: span(first), last: span(last) }
    }

    fn end(self) {
        drop(self.clients);
        self.stop.store(true, Ordering::Relaxed);
        self.wakers[CORE_B].wake();
        self.worker.join().expect("B ends");
    }
}

fn spin(span: Nanos) {
    let until = MonotonicClock.now() + span;
    while MonotonicClock.now() < until {
        std::hint::spin_loop();
    }
}

fn listener() -> Listener {
    let settings = SocketSettings::default();
    Listener::bind(([127, 0, 0, 1], 0).into(), &settings, None).expect("a port")
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("B listens");
    stream.set_nodelay(true).expect("TCP_NODELAY");
    stream
}

/// The answers of a round all have one length, and nothing comes behind them.
fn read_answer(stream: &mut TcpStream) {
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        let mut some = [0; HEAD_BYTES_MAX];
        let len = stream.read(&mut some).expect("B answers");
        assert!(len > 0, "B closed the connection");
        answer.extend_from_slice(&some[..len]);
    }
}

/// The drivers that the server has.
enum AnyDriver {
    Ring(Box<Uring>),
    Epoll(Box<Epoll>),
}

impl AnyDriver {
    fn new(backend: Backend) -> AnyDriver {
        match backend {
            Backend::Ring(wake) => {
                let settings = RingSettings { wake, ..RingSettings::default() };
                AnyDriver::Ring(Box::new(Uring::new(&settings).expect("a ring")))
            }
            Backend::Epoll => AnyDriver::Epoll(Box::new(Epoll::new().expect("an epoll"))),
        }
    }
}

/// Calls a driver, whichever it is.
macro_rules! each {
    ($of:expr, $driver:ident => $call:expr) => {
        match $of {
            AnyDriver::Ring($driver) => $call,
            AnyDriver::Epoll($driver) => $call,
        }
    };
}

impl Outlet for AnyDriver {
    fn buffer(&mut self) -> Vec<u8> {
        each!(self, d => d.buffer())
    }
    fn send(&mut self, id: ConnId, bytes: Vec<u8>) -> Sending {
        each!(self, d => d.send(id, bytes))
    }
    fn pause_receiving(&mut self, id: ConnId) {
        each!(self, d => d.pause_receiving(id));
    }
    fn resume_receiving(&mut self, id: ConnId) {
        each!(self, d => d.resume_receiving(id));
    }
    fn shutdown_write(&mut self, id: ConnId) {
        each!(self, d => d.shutdown_write(id));
    }
    fn close(&mut self, id: ConnId) {
        each!(self, d => d.close(id));
    }
    fn wake(&mut self, other: &Waker) {
        each!(self, d => d.wake(other));
    }
}

impl Driver for AnyDriver {
    fn listen(&mut self, listener: Listener) -> std::io::Result<()> {
        each!(self, d => d.listen(listener))
    }
    fn stop_listening(&mut self, on_event: impl FnMut(Event<'_>)) -> std::io::Result<()> {
        each!(self, d => d.stop_listening(on_event))
    }
    fn connect(&mut self, to: Address) -> std::io::Result<ConnId> {
        each!(self, d => d.connect(to))
    }
    fn waker(&self) -> Waker {
        each!(self, d => d.waker())
    }
    fn turn(&mut self, wait: Wait, on_event: impl FnMut(Event<'_>)) -> std::io::Result<()> {
        each!(self, d => d.turn(wait, on_event))
    }
    fn counters(&self) -> Counters {
        each!(self, d => d.counters())
    }
}

/// A driver that notes when sends are handed to the kernel and taken. What the ring carries out is
/// handed over by the turn's enter, and completes within it; it is noted when that completion is
/// reaped, or when a full queue was submitted to make room; either is later, never earlier.
struct Timed {
    driver: AnyDriver,
    /// Sends wait for the next enter.
    queued: bool,
    taken: Arc<Taken>,
}

impl Outlet for Timed {
    fn buffer(&mut self) -> Vec<u8> {
        self.driver.buffer()
    }
    fn send(&mut self, id: ConnId, bytes: Vec<u8>) -> Sending {
        let (now, syscalls) = (MonotonicClock.now(), self.driver.counters().syscalls);
        let sending = self.driver.send(id, bytes);
        match sending {
            Sending::Done => {
                self.taken.note_handed(now);
                self.taken.note();
            }
            Sending::Pending => {
                if self.queued && self.driver.counters().syscalls > syscalls {
                    // The queue was full: those in it have just been submitted.
                    self.taken.note_handed(now);
                    self.taken.note_first();
                }
                self.queued = true;
            }
            Sending::Failed(_) => {}
        }
        sending
    }
    fn pause_receiving(&mut self, id: ConnId) {
        self.driver.pause_receiving(id);
    }
    fn resume_receiving(&mut self, id: ConnId) {
        self.driver.resume_receiving(id);
    }
    fn shutdown_write(&mut self, id: ConnId) {
        self.driver.shutdown_write(id);
    }
    fn close(&mut self, id: ConnId) {
        self.driver.close(id);
    }
    fn wake(&mut self, other: &Waker) {
        self.driver.wake(other);
    }
}

impl Driver for Timed {
    fn listen(&mut self, listener: Listener) -> std::io::Result<()> {
        self.driver.listen(listener)
    }
    fn stop_listening(&mut self, on_event: impl FnMut(Event<'_>)) -> std::io::Result<()> {
        self.driver.stop_listening(on_event)
    }
    fn connect(&mut self, to: Address) -> std::io::Result<ConnId> {
        self.driver.connect(to)
    }
    fn waker(&self) -> Waker {
        self.driver.waker()
    }
    fn turn(&mut self, wait: Wait, mut on_event: impl FnMut(Event<'_>)) -> std::io::Result<()> {
        let taken = &self.taken;
        if std::mem::take(&mut self.queued) {
            taken.note_handed(MonotonicClock.now());
        }
        self.driver.turn(wait, |event| {
            if matches!(event, Event::Sent(_)) {
                taken.note();
            }
            on_event(event);
        })
    }
    fn counters(&self) -> Counters {
        self.driver.counters()
    }
}
