//! A run from its plan to its outcome: one worker on each CPU, started together, and what they
//! recorded brought together.
//!
//! Whatever keeps a run from starting is told before the first request; what a server does later is
//! part of the outcome, and so are outputs that cannot be written. Not here: the loop of one core (see
//! `worker`), files (see `outputs`). Start at [`run`].

use super::outcome::Outcome;
use super::outputs::Opened;
use super::plan::{Backend, PaceWait, Plan, Timestamps, descriptors_needed};
use super::pool::Limits;
use super::recorder::{Recorder, quantiles};
use super::schedule::Lane;
use super::spread::Seats;
use super::worker::feed::Feed;
use super::worker::observer::{Observer, Sinks};
use super::worker::{EstablishError, Task, Worker};
use crate::clock::{Clock, WallOffset};
use crate::io::clock::{MonotonicClock, wall_offset, wall_secs};
use crate::io::disturbance::Snapshot;
use crate::io::epoll::Epoll;
use crate::io::net::{Address, SocketPath};
use crate::io::stamps::Stamps;
use crate::io::uring::{Settings, Uring};
use crate::io::{Driver, limits, topology};
use crate::results::{Disturbance, KernelStamps, Run};
use crate::units::{Mono, Nanos};
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, OnceLock};
use std::thread;
use std::time::SystemTime;

/// Why there is no outcome. Displays as one sentence.
#[derive(Debug)]
pub enum PaceError {
    /// The plan cannot run; the sentence names the flag.
    Plan(String),
    /// The host of the URL has no address.
    Resolve(String, io::Error),
    /// Nobody listens, or connecting failed in another way, before the start.
    Refused(String, io::Error),
    /// The connections did not all stand: URL, how many did, how many should, and for how long no
    /// further one had come to stand.
    Unresponsive(String, usize, usize, Nanos),
    /// The run was stopped before its start.
    Stopped,
    /// The kernel refused to pin a thread; the sentence names the flag.
    Pin(String),
    /// The kernel refused what the pacer needs.
    Driver(io::Error),
}

impl fmt::Display for PaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PaceError::Plan(sentence) | PaceError::Pin(sentence) => f.write_str(sentence),
            PaceError::Resolve(host, error) => {
                write!(f, "the host `{host}` has no address: {error}")
            }
            PaceError::Refused(url, error) => {
                write!(f, "cannot connect to {url}: {error}; is the server running?")
            }
            PaceError::Unresponsive(url, established, wanted, patience) => write!(
                f,
                "only {established} of {wanted} connections to {url} stood, and for {patience} no more; \
                 lower -c or raise --timeout"
            ),
            PaceError::Stopped => f.write_str("stopped before the first request"),
            PaceError::Driver(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for PaceError {}

/// Runs `plan` to its end, or until `stop` is set, and writes its outputs. Blocks; one thread per
/// CPU of the plan does the work.
///
/// # Errors
/// Whatever keeps the run from starting. A server that fails later is no error but part of the outcome,
/// and so is an output that cannot be written.
pub fn run(plan: &Plan, stop: &AtomicBool) -> Result<Outcome, PaceError> {
    let descriptors_max = limits::descriptor_limit().map_err(PaceError::Driver)?;
    plan.check(descriptors_max).map_err(PaceError::Plan)?;
    limits::reserve_descriptors(descriptors_needed(1, plan.connections_max));
    let (outputs, sinks) = Opened::open(&plan.outputs).map_err(PaceError::Plan)?;
    let to = resolve(plan)?;
    let gate = Gate::new(plan.threads());
    let wall = wall_offset();
    let (ends, unwritten) = thread::scope(|scope| {
        let (observer, feeds) = observe(plan, &sinks);
        let observer = observer.map(|observer| scope.spawn(|| watch(plan, observer, sinks)));
        let spawn = |(index, feed): (usize, Option<Feed>)| {
            let gate = &gate;
            let task = task_of(plan, (to, wall), index);
            scope.spawn(move || run_lane(plan, (task, feed), gate, stop))
        };
        let threads: Vec<_> = feeds.into_iter().enumerate().map(spawn).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| {
            thread.join().expect("a worker does not panic")
        };
        let ends: Vec<_> = threads.into_iter().map(join).collect();
        let unwritten = observer.map(|thread| thread.join().expect("an observer does not panic"));
        (ends, unwritten.unwrap_or_default())
    });
    let mut outcome = merge(plan, ends, wall.step_until(wall_offset()))?;
    outcome.unwritten = [outputs.write(&outcome), unwritten].concat();
    Ok(outcome)
}

/// An observer, if anybody wants to know, and every worker's end.
pub(super) fn observe<'p>(
    plan: &'p Plan,
    sinks: &Sinks,
) -> (Option<Observer<'p>>, Vec<Option<Feed>>) {
    if sinks.is_empty() {
        return (None, (0..plan.threads()).map(|_| None).collect());
    }
    let (observer, feeds) = Observer::new(plan.threads(), plan.mix.kinds());
    (Some(observer), feeds.into_iter().map(Some).collect())
}

/// The life of the observer's thread; what could not be written.
pub(super) fn watch(plan: &Plan, observer: Observer<'_>, sinks: Sinks) -> Vec<String> {
    topology::keep_off(&plan.cpus);
    let now = SystemTime::UNIX_EPOCH + Nanos::from_secs(wall_secs()).to_std();
    observer.watch(sinks, now + plan.warmup.to_std())
}

/// The address that the whole run uses. A name may have several, of which the server listens on
/// some only (`localhost` on both `::1` and `127.0.0.1`): then the first that lets us connect.
pub(super) fn resolve(plan: &Plan) -> Result<Address, PaceError> {
    if let Some(socket) = plan.url.socket() {
        return SocketPath::new(socket).map(Address::Unix).map_err(PaceError::Plan);
    }
    let no_address = |error| PaceError::Resolve(String::from(plan.url.host()), error);
    let addresses = (plan.url.host(), plan.url.port()).to_socket_addrs().map_err(no_address)?;
    let addresses: Vec<SocketAddr> = addresses.collect();
    let patience = plan.timeout.to_std();
    let listens = |to: &&SocketAddr| TcpStream::connect_timeout(to, patience).is_ok();
    match addresses.as_slice() {
        [] => Err(no_address(io::Error::other("the name server gave none"))),
        [only] => Ok(Address::Ip(*only)),
        [first, ..] => Ok(Address::Ip(*addresses.iter().find(listens).unwrap_or(first))),
    }
}

/// Holds all threads until every one is ready, then gives them one common start.
struct Gate {
    barrier: Barrier,
    has_failed: AtomicBool,
    start: OnceLock<Mono>,
}

/// From when the first thread is through the gate until the start. Chosen: the others are woken
/// from their sleep within it.
pub(super) const START_MARGIN: Nanos = Nanos::from_millis(2);

impl Gate {
    fn new(threads: usize) -> Gate {
        Gate {
            barrier: Barrier::new(threads),
            has_failed: AtomicBool::new(false),
            start: OnceLock::new(),
        }
    }

    /// Waits for the others; the common start, unless one of them is not ready.
    fn pass(&self, is_ready: bool) -> Option<Mono> {
        if !is_ready {
            self.has_failed.store(true, Ordering::SeqCst);
        }
        self.barrier.wait();
        if self.has_failed.load(Ordering::SeqCst) {
            return None;
        }
        Some(*self.start.get_or_init(|| MonotonicClock.now() + START_MARGIN))
    }
}

/// What one thread comes back with.
struct LaneEnd {
    start: Mono,
    measured: Nanos,
    recorder: Recorder,
    disturbance: Disturbance,
    stamps: Option<Stamps>,
    /// Connections of each core of the server, if they were spread.
    seats: Option<Seats>,
}

/// The life of one thread. However it goes, it passes the gate once, for the others wait there.
fn run_lane(
    plan: &Plan,
    (task, feed): (Task, Option<Feed>),
    gate: &Gate,
    stop: &AtomicBool,
) -> Result<LaneEnd, PaceError> {
    let cpu = plan.cpus.get(task.lane.index as usize);
    let pinned = cpu.map_or(Ok(()), |cpu| topology::pin_current_thread(*cpu));
    if let Err(error) = pinned {
        gate.pass(false);
        return Err(PaceError::Pin(error));
    }
    if plan.wait == PaceWait::Hybrid {
        limits::minimise_timer_slack();
    }
    with_driver(plan, LaneOf { plan, task, feed, gate, stop })
}

/// What is done with a driver, whichever it is.
pub(super) trait WithDriver {
    /// What comes of it.
    type End;

    /// Does it; `open` makes a driver as often as it is called.
    fn with<D: Driver>(self, open: impl Fn() -> io::Result<D>) -> Self::End;
}

/// Does it with the driver that `plan` names.
pub(super) fn with_driver<W: WithDriver>(plan: &Plan, what: W) -> W::End {
    match plan.backend {
        Backend::Epoll => what.with(|| match plan.timestamps {
            Timestamps::Own => Epoll::new(),
            Timestamps::Kernel => Epoll::with_stamps(),
        }),
        Backend::Uring => {
            let settings = Settings { direct_send: true, ..Settings::default() };
            what.with(|| Uring::new(&settings))
        }
    }
}

/// One thread that is to pace.
struct LaneOf<'r> {
    plan: &'r Plan,
    task: Task,
    feed: Option<Feed>,
    gate: &'r Gate,
    stop: &'r AtomicBool,
}

impl WithDriver for LaneOf<'_> {
    type End = Result<LaneEnd, PaceError>;

    fn with<D: Driver>(self, open: impl Fn() -> io::Result<D>) -> Result<LaneEnd, PaceError> {
        let LaneOf { plan, task, feed, gate, stop } = self;
        let (connections, authority) = (task.connections, plan.url.authority());
        let cpu = plan.cpus.get(task.lane.index as usize).copied();
        let established = open().map_err(EstablishError::Driver).and_then(|driver| {
            let mut worker =
                Worker::new(task, &plan.mix, &authority, driver, MonotonicClock).observed(feed);
            let seats = match plan.spread {
                true => worker.establish_evenly(&authority, stop).map(Some),
                false => worker.establish(stop).map(|()| None),
            };
            seats.map(|seats| (worker, seats))
        });
        let before = Snapshot::take(cpu);
        let start = gate.pass(established.is_ok());
        let (mut worker, seats) = established.map_err(|error| explain(plan, connections, error))?;
        // Another thread is not ready, and says why.
        let start = start.ok_or(PaceError::Stopped)?;
        let measured = worker.pace(start, stop).map_err(PaceError::Driver)?;
        let disturbance = before.since();
        let stamps = worker.take_stamps();
        let recorder = worker.into_recorder();
        Ok(LaneEnd { start, measured, recorder, disturbance, stamps, seats })
    }
}

/// Thread `index`'s share: every N-th arrival, and its part of the connections.
pub(super) fn task_of(plan: &Plan, (to, wall): (Address, WallOffset), index: usize) -> Task {
    let threads = plan.threads();
    let share = |total: usize| total / threads + usize::from(index < total % threads);
    Task {
        to,
        load: plan.load.clone(),
        lane: Lane { index: index as u64, of: threads as u64 },
        horizon: plan.horizon(),
        drain: plan.drain(),
        connections: share(plan.connections),
        limits: Limits { connections_max: share(plan.connections_max), timeout: plan.timeout },
        wait: plan.wait,
        catch_up: plan.catch_up,
        wall,
    }
}

/// Of which server, and how many connections of it, an error before the start is.
pub(super) fn explain(plan: &Plan, connections: usize, error: EstablishError) -> PaceError {
    let url = plan.url.to_string();
    match error {
        EstablishError::Refused(error) => PaceError::Refused(url, error),
        EstablishError::Unresponsive(established, patience) => {
            PaceError::Unresponsive(url, established, connections, patience)
        }
        EstablishError::Stopped => PaceError::Stopped,
        EstablishError::Driver(error) => PaceError::Driver(error),
        EstablishError::Spread(error) => PaceError::Plan(error.to_string()),
    }
}

/// One outcome of all threads; or the error of the one that has the most to say. `wall_step` is by how
/// much the wall clock was set meanwhile.
fn merge(
    plan: &Plan,
    ends: Vec<Result<LaneEnd, PaceError>>,
    wall_step: Option<Nanos>,
) -> Result<Outcome, PaceError> {
    let mut lanes = Vec::new();
    let mut stopped = None;
    for end in ends {
        match end {
            Ok(lane) => lanes.push(lane),
            Err(PaceError::Stopped) => stopped = Some(PaceError::Stopped),
            Err(error) => return Err(error),
        }
    }
    if let Some(stopped) = stopped {
        return Err(stopped);
    }
    let mut lanes = lanes.into_iter();
    let mut all = lanes.next().expect("a plan has at least one thread");
    for lane in lanes {
        all.recorder.merge(&lane.recorder);
        all.measured = all.measured.max(lane.measured);
        all.disturbance.add(&lane.disturbance);
        if let (Some(all), Some(stamps)) = (&mut all.stamps, &lane.stamps) {
            all.merge(stamps);
        }
        if let (Some(all), Some(lane)) = (&mut all.seats, &lane.seats) {
            all.merge(lane);
        }
    }
    all.recorder.wall_step = wall_step;
    let measured_from = all.start + plan.warmup;
    let mut outcome = Outcome::new(plan, all.recorder, measured_from, all.measured);
    outcome.run.kernel_stamps = all.stamps.as_ref().map(stamped);
    insert_disturbance(&mut outcome.run, &all.disturbance);
    if let (Some(seats), Some(pacer)) = (all.seats, outcome.run.host.get_mut("pacer")) {
        pacer["spread"] = serde_json::json!(seats.taken());
    }
    Ok(outcome)
}

fn stamped(stamps: &Stamps) -> KernelStamps {
    KernelStamps {
        send_path_ns: quantiles(&stamps.send_path),
        server_ns: quantiles(&stamps.server),
        read_lag_ns: quantiles(&stamps.read_lag),
        incomplete: stamps.incomplete,
        disordered: stamps.disordered,
        clock_error_ns: stamps.clock_error.0,
        clock_steps: stamps.clock_steps,
    }
}

/// Tells what disturbed the pacer's CPUs during the run.
pub(super) fn insert_disturbance(run: &mut Run, disturbance: &Disturbance) {
    let disturbance = serde_json::to_value(disturbance).expect("it is plain data");
    run.host.insert(String::from("disturbance"), disturbance);
}
