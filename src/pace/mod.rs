//! The pacer: loads an HTTP/1.1 server at an exact rate and says how exact it was.
//!
//! Sans-IO cores: [`arrivals`], [`course`], [`replay`], [`schedule`], [`catch_up`] and [`agenda`]
//! (when), [`mix`], [`template`] and [`capture`] (what), [`conn`], [`outstanding`], [`pool`] and
//! [`spread`] (how), [`stalls`], [`recorder`], [`delivery`], [`interval`], [`pairs`] and [`signed`]
//! (what came of it), [`verdict`] and [`threshold`] (what it is worth), [`hlog`], [`hgrm`], [`csv`] and
//! [`live`] (how others read it).
//! Glue: [`worker`] runs them on one core, and this file puts one worker on each CPU, starts them
//! together and merges what they recorded; [`selftest`] has it measure itself, and [`duet`] two servers
//! at once. Start at [`run`].

pub mod agenda;
pub mod arrivals;
pub mod capture;
pub mod catch_up;
pub mod conn;
pub mod course;
pub mod csv;
pub mod delivery;
pub mod duet;
pub mod encoded;
pub mod hgrm;
pub mod hlog;
pub mod interval;
pub mod live;
pub mod merge;
pub mod mix;
pub mod outcome;
pub mod outstanding;
pub mod pairs;
pub mod plan;
pub mod pool;
pub mod prom;
pub mod recorder;
pub mod replay;
pub mod schedule;
pub mod selftest;
pub mod signed;
pub mod spans;
pub mod spread;
pub mod stalls;
pub mod template;
pub mod threshold;
pub mod url;
pub mod verdict;
pub mod worker;

pub use catch_up::CatchUp;
pub use outcome::Outcome;
pub use plan::{Backend, Outputs, PaceWait, Plan, Timestamps};

use crate::clock::{Clock, WallOffset};
use crate::io::clock::{MonotonicClock, wall_offset, wall_secs};
use crate::io::disturbance::Snapshot;
use crate::io::epoll::Epoll;
use crate::io::net::{Address, SocketPath};
use crate::io::stamps::Stamps;
use crate::io::uring::{Settings, Uring};
use crate::io::{Driver, limits, topology};
use crate::results::{Disturbance, KernelStamps, Run};
use crate::stats::Histogram;
use crate::units::{Mono, Nanos};
use live::Live;
use pool::Limits;
use recorder::{Recorder, quantiles};
use schedule::Lane;
use spread::Seats;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, OnceLock};
use std::time::SystemTime;
use std::{fmt, thread};
use worker::feed::Feed;
use worker::observer::{Observer, Sink, Sinks};
use worker::{EstablishError, Task, Worker};

/// Why there is no outcome. Displays as one sentence.
#[derive(Debug)]
pub enum PaceError {
    /// The plan cannot run; the sentence names the flag.
    Plan(String),
    /// The host of the URL has no address.
    Resolve(String, io::Error),
    /// Nobody listens, or connecting failed in another way, before the start.
    Refused(String, io::Error),
    /// The connections did not all stand in time: URL, how many did, how many should, the time.
    Unresponsive(String, usize, usize, Nanos),
    /// The run was stopped before its start.
    Stopped,
    /// The kernel refused what the pacer needs.
    Driver(io::Error),
    /// A file could not be written.
    Output(PathBuf, io::Error),
}

impl fmt::Display for PaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PaceError::Plan(sentence) => f.write_str(sentence),
            PaceError::Resolve(host, error) => {
                write!(f, "the host `{host}` has no address: {error}")
            }
            PaceError::Refused(url, error) => {
                write!(f, "cannot connect to {url}: {error}; is the server running?")
            }
            PaceError::Unresponsive(url, established, wanted, timeout) => write!(
                f,
                "only {established} of {wanted} connections to {url} stood after {timeout}; \
                 lower -c or raise --timeout"
            ),
            PaceError::Stopped => f.write_str("stopped before the first request"),
            PaceError::Driver(error) => write!(f, "{error}"),
            PaceError::Output(path, error) => {
                write!(f, "cannot write {}: {error}", path.display())
            }
        }
    }
}

impl std::error::Error for PaceError {}

/// Runs `plan` to its end, or until `stop` is set, and writes its outputs. Blocks; one thread per
/// CPU of the plan does the work.
///
/// # Errors
/// Whatever keeps the run from starting, and files that cannot be written. A server that fails
/// later is no error but part of the outcome.
pub fn run(plan: &Plan, stop: &AtomicBool) -> Result<Outcome, PaceError> {
    let descriptors_max = limits::descriptor_limit().map_err(PaceError::Driver)?;
    plan.check(descriptors_max).map_err(PaceError::Plan)?;
    let sinks = open_outputs(&plan.outputs).map_err(PaceError::Plan)?;
    let to = resolve(plan)?;
    let gate = Gate::new(plan.threads());
    let wall = wall_offset();
    let (ends, watched) = thread::scope(|scope| {
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
        let watched = observer.map(|thread| thread.join().expect("an observer does not panic"));
        (ends, watched)
    });
    let outcome = merge(plan, ends, wall.step_until(wall_offset()))?;
    watched.unwrap_or(Ok(()))?;
    write_outputs(&plan.outputs, &outcome)?;
    Ok(outcome)
}

/// An observer, if anybody wants to know, and every worker's end.
fn observe<'p>(plan: &'p Plan, sinks: &Sinks) -> (Option<Observer<'p>>, Vec<Option<Feed>>) {
    if sinks.is_empty() {
        return (None, (0..plan.threads()).map(|_| None).collect());
    }
    let (observer, feeds) = Observer::new(plan.threads(), plan.mix.kinds());
    (Some(observer), feeds.into_iter().map(Some).collect())
}

/// The life of the observer's thread.
fn watch(plan: &Plan, observer: Observer<'_>, sinks: Sinks) -> Result<(), PaceError> {
    topology::keep_off(&plan.cpus);
    let now = SystemTime::UNIX_EPOCH + Nanos::from_secs(wall_secs()).to_std();
    let watched = observer.watch(sinks, now + plan.warmup.to_std());
    watched.map_err(|(path, error)| PaceError::Output(path, error))
}

/// The address that the whole run uses. A name may have several, of which the server listens on
/// some only (`localhost` on both `::1` and `127.0.0.1`): then the first that lets us connect.
fn resolve(plan: &Plan) -> Result<Address, PaceError> {
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
const START_MARGIN: Nanos = Nanos::from_millis(2);

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
    let pinned = match plan.cpus.get(task.lane.index as usize) {
        Some(cpu) => topology::pin_current_thread(*cpu).map_err(PaceError::Plan),
        None => Ok(()),
    };
    if let Err(error) = pinned {
        gate.pass(false);
        return Err(error);
    }
    if plan.wait == PaceWait::Hybrid {
        limits::minimise_timer_slack();
    }
    match plan.backend {
        Backend::Epoll => {
            let driver = match plan.timestamps {
                Timestamps::Own => Epoll::new(),
                Timestamps::Kernel => Epoll::with_stamps(),
            };
            drive(plan, (task, feed), driver, gate, stop)
        }
        Backend::Uring => {
            let settings = Settings { direct_send: true, ..Settings::default() };
            drive(plan, (task, feed), Uring::new(&settings), gate, stop)
        }
    }
}

/// Thread `index`'s share: every N-th arrival, and its part of the connections.
fn task_of(plan: &Plan, (to, wall): (Address, WallOffset), index: usize) -> Task {
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

fn drive<D: Driver>(
    plan: &Plan,
    (task, feed): (Task, Option<Feed>),
    driver: io::Result<D>,
    gate: &Gate,
    stop: &AtomicBool,
) -> Result<LaneEnd, PaceError> {
    let (connections, cpu) = (task.connections, plan.cpus.get(task.lane.index as usize).copied());
    let established = driver.map_err(EstablishError::Driver).and_then(|driver| {
        let mut worker =
            Worker::new(task, &plan.mix, &plan.url.authority(), driver, MonotonicClock)
                .observed(feed);
        let seats = match plan.spread {
            true => worker.establish_evenly(&plan.url.authority(), stop).map(Some),
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
    Ok(LaneEnd { start, measured, recorder: worker.into_recorder(), disturbance, stamps, seats })
}

fn explain(plan: &Plan, connections: usize, error: EstablishError) -> PaceError {
    let url = plan.url.to_string();
    match error {
        EstablishError::Refused(error) => PaceError::Refused(url, error),
        EstablishError::Unresponsive(established) => {
            PaceError::Unresponsive(url, established, connections, plan.timeout)
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

fn write_outputs(outputs: &Outputs, outcome: &Outcome) -> Result<(), PaceError> {
    if let Some(path) = &outputs.json {
        let mut text = serde_json::to_string(&outcome.run).expect("a run is plain data");
        text.push('\n');
        write_to(path, |out| out.write_all(text.as_bytes()))?;
    }
    if let Some(path) = &outputs.prom {
        replace(path, &prom::text(&outcome.run))
            .map_err(|error| PaceError::Output(path.clone(), error))?;
    }
    if let Some(directory) = &outputs.hgrm {
        for (name, histogram) in distributions(outcome) {
            let path = directory.join(format!("{name}.hgrm"));
            write_to(&path, |mut out| hgrm::write(&mut out, &histogram))?;
        }
    }
    Ok(())
}

/// Tells what disturbed the pacer's CPUs during the run.
fn insert_disturbance(run: &mut Run, disturbance: &Disturbance) {
    let disturbance = serde_json::to_value(disturbance).expect("it is plain data");
    run.host.insert(String::from("disturbance"), disturbance);
}

/// Every distribution of a run, under the name of its file.
fn distributions(outcome: &Outcome) -> Vec<(String, Histogram)> {
    let names = outcome.run.requests.iter().map(|kind| kind.name.as_str());
    hgrm::named(names.zip(outcome.recorder.kinds()), Some(outcome.recorder.lateness()))
}

/// Opens what is written during the run, and looks whether the rest can be written at its end: a
/// long run should not end in a typing error. The error names the flag.
fn open_outputs(outputs: &Outputs) -> Result<Sinks, String> {
    if let Some(directory) = &outputs.hgrm {
        fs::create_dir_all(directory)
            .map_err(|error| format!("--hgrm {}: {error}", directory.display()))?;
    }
    if outputs.prom.as_deref() == Some(Path::new("-")) {
        return Err(String::from(
            "--prom -: a collector reads a file; name one that ends in .prom",
        ));
    }
    for (flag, path) in [("--json", &outputs.json), ("--prom", &outputs.prom)] {
        let directory = path.as_deref().and_then(Path::parent);
        if let Some(dir) = directory.filter(|dir| !dir.as_os_str().is_empty() && !dir.is_dir()) {
            return Err(format!("{flag}: there is no directory {}", dir.display()));
        }
    }
    let sink = |flag: &str, path: &Option<PathBuf>| -> Result<Option<Sink>, String> {
        let Some(path) = path else { return Ok(None) };
        let out = open(path).map_err(|error| format!("{flag} {}: {error}", path.display()))?;
        Ok(Some(Sink { path: path.clone(), out }))
    };
    Ok(Sinks {
        hlog: sink("--hlog", &outputs.hlog)?,
        csv: sink("--csv", &outputs.csv)?,
        live: outputs.live.map(|mode| Live::new(mode, Box::new(io::stderr()))),
    })
}

/// Opens a file anew; `-` is standard output.
fn open(path: &Path) -> io::Result<Box<dyn Write + Send>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdout()));
    }
    Ok(Box::new(BufWriter::new(File::create(path)?)))
}

/// Puts a file in place whole: who reads it meanwhile sees the old one or the new one. The name it
/// has until then does not end in `.prom`, which is what the collector looks for.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    let unready = PathBuf::from(name);
    fs::write(&unready, text)
        .and_then(|()| fs::rename(&unready, path))
        .inspect_err(|_| drop(fs::remove_file(&unready)))
}

/// Writes a file whole; `-` is standard output.
fn write_to(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), PaceError> {
    let write_all = || {
        let mut out = open(path)?;
        write(&mut out)?;
        out.flush()
    };
    write_all().map_err(|error| PaceError::Output(PathBuf::from(path), error))
}
