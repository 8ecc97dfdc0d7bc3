//! The server: a [`Plan`] becomes pinned workers, one per CPU, that share nothing but the home.
//!
//! Cores: `router`, `token`, `reply`, `api`, `conn`, `floor`, `access`, `metrics` (sans-IO). Glue:
//! `station` (one core, whatever moves its bytes), `worker` and `monoio` (what does), and this file
//! (start, pin, stop).
//! Start at [`Server::start`].

pub mod access;
pub mod api;
pub mod conn;
pub mod floor;
pub mod metrics;
mod monoio;
pub mod reply;
pub mod router;
pub mod settings;
pub mod station;
pub mod status;
pub mod threads;
pub mod timing;
pub mod token;
pub mod worker;

use self::monoio::Engine;
use crate::clock::Clock;
use crate::home::{CORES_MAX, Home};
use crate::io::Driver;
use crate::io::clock::{MonotonicClock, wall_secs};
use crate::io::epoll::Epoll;
use crate::io::limits::minimise_timer_slack;
use crate::io::net::{self, Listener, SocketSettings, Waker};
use crate::io::topology::{self, CpuList};
use crate::io::uring::{self, TaskRun, Uring};
use crate::io::wait::{WaitMode, Waiting};
use floor::Shared;
use metrics::Metrics;
use settings::Settings;
use station::Station;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread::JoinHandle;
use threads::Threads;
use worker::Worker;

/// What moves the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// The hand-tuned ring.
    Uring,
    /// The hand-tuned epoll loop.
    Epoll,
    /// The monoio runtime on io_uring.
    MonoioUring,
    /// The monoio runtime on epoll.
    MonoioEpoll,
}

impl Backend {
    /// All of them.
    pub const ALL: [Backend; 4] =
        [Backend::Uring, Backend::Epoll, Backend::MonoioUring, Backend::MonoioEpoll];

    /// What its ring is like unless told otherwise; `None` without a ring. monoio sets no flags of its
    /// own accord, and of the settings only `task_run` and the entries can be set there.
    pub fn ring(self) -> Option<uring::Settings> {
        let ours = uring::Settings::default();
        match self {
            Backend::Uring => Some(ours),
            Backend::MonoioUring => Some(uring::Settings {
                task_run: TaskRun::Interrupt,
                sq_entries: monoio::SQ_ENTRIES,
                cq_entries: 2 * monoio::SQ_ENTRIES,
                ..ours
            }),
            Backend::Epoll | Backend::MonoioEpoll => None,
        }
    }

    /// Runs on monoio.
    pub fn is_monoio(self) -> bool {
        matches!(self, Backend::MonoioUring | Backend::MonoioEpoll)
    }
}

/// A server that can be started.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where to listen; port 0 lets the kernel choose.
    pub listen: SocketAddr,
    /// What moves the bytes.
    pub backend: Backend,
    /// The CPUs that workers are pinned to; `None`: wherever the scheduler puts them.
    pub cpus: Option<CpuList>,
    /// How many workers, dealt out to `cpus` in turn; `None`: one per CPU, or one.
    pub workers: Option<usize>,
    /// How workers wait.
    pub wait: WaitMode,
    /// The ring's settings, for backends that have one; see [`Backend::ring`].
    pub ring: uring::Settings,
    /// The listening sockets and what is accepted from them.
    pub sockets: SocketSettings,
    /// CPUs, priority and memory.
    pub threads: Threads,
    /// Limits and latencies.
    pub settings: Settings,
}

impl Plan {
    /// One worker that is not pinned, on a port of the kernel's choice on loopback; everything else as
    /// it is by default.
    pub fn new(backend: Backend) -> Plan {
        Plan {
            listen: ([127, 0, 0, 1], 0).into(),
            backend,
            cpus: None,
            workers: None,
            wait: WaitMode::Block,
            ring: backend.ring().unwrap_or_default(),
            sockets: SocketSettings::default(),
            threads: Threads::default(),
            settings: Settings::default(),
        }
    }

    /// Why this plan cannot run, if it cannot: one sentence that names the flags.
    pub fn refusal(&self) -> Option<String> {
        let about_the_ring = match self.backend {
            Backend::Uring => self.ring.refusal(),
            Backend::MonoioUring => self.refusal_of_monoio().or_else(|| self.ring.refusal()),
            Backend::Epoll | Backend::MonoioEpoll => None,
        };
        about_the_ring
            .or_else(|| self.refusal_of_waiting())
            .or_else(|| self.refusal_of_placing())
            .or_else(|| self.refusal_of_workers())
    }

    fn refusal_of_waiting(&self) -> Option<String> {
        match self.wait {
            WaitMode::Hybrid { .. } if self.backend.is_monoio() => Some(
                "--wait hybrid: monoio decides itself when to sleep; its backends have block and spin"
                    .into(),
            ),
            WaitMode::Spin if self.backend == Backend::Uring && self.ring.min_wait.is_some() => {
                Some("--min-wait is about sleeping, which --wait spin never does".into())
            }
            _ => None,
        }
    }

    /// What monoio cannot do.
    fn refusal_of_monoio(&self) -> Option<String> {
        if self.ring.sqpoll.is_some() {
            return Some(
                "--sqpoll: monoio's submission panics where the kernel's thread has not made room \
                 yet; use --backend uring"
                    .into(),
            );
        }
        if self.ring.sq_entries < monoio::SQ_ENTRIES_MIN {
            return Some(format!(
                "--sq-entries {}: monoio takes {} or more",
                self.ring.sq_entries,
                monoio::SQ_ENTRIES_MIN
            ));
        }
        let unseen = self.wait == WaitMode::Spin && self.ring.task_run == TaskRun::Defer;
        unseen.then(|| {
            "--wait spin: monoio takes deferred completions only when it sleeps; leave --task-run \
             defer out, or use --wait block"
                .into()
        })
    }

    /// What needs workers that stand still.
    fn refusal_of_placing(&self) -> Option<String> {
        if self.sockets.quickack && self.backend.is_monoio() {
            return Some(
                "--quickack: the kernel forgets it at each answer, and monoio has no place to set it \
                 again; use --backend uring or epoll"
                    .into(),
            );
        }
        if self.sockets.incoming_cpu && self.cpus.is_none() {
            return Some(
                "--incoming-cpu needs --cpus: a worker that is not pinned has no CPU to prefer"
                    .into(),
            );
        }
        let housekeeping = self.threads.housekeeping_cpus.as_ref()?;
        match &self.cpus {
            None => Some(
                "--housekeeping-cpus needs --cpus: a worker that is not pinned runs anywhere"
                    .into(),
            ),
            Some(cpus) if cpus.without(housekeeping).is_none() => {
                Some(format!("--housekeeping-cpus {housekeeping} leaves none of --cpus {cpus}"))
            }
            Some(_) => None,
        }
    }

    fn refusal_of_workers(&self) -> Option<String> {
        match self.workers {
            Some(0) => Some("--workers 0 would serve nobody".into()),
            Some(n) if n > CORES_MAX => {
                Some(format!("--workers {n} is more than the {CORES_MAX} that can take part"))
            }
            _ => None,
        }
    }

    /// The CPUs that workers are pinned to, without those left to the kernel.
    pub fn worker_cpus(&self) -> Option<CpuList> {
        let cpus = self.cpus.as_ref()?;
        match &self.threads.housekeeping_cpus {
            Some(housekeeping) => cpus.without(housekeeping),
            None => Some(cpus.clone()),
        }
    }

    /// The CPU of each worker.
    pub fn cores(&self) -> Vec<Option<usize>> {
        let cpus: Vec<Option<usize>> = self
            .worker_cpus()
            .map_or(vec![None], |list| list.cpus().iter().copied().map(Some).collect());
        let workers = self.workers.unwrap_or(cpus.len());
        cpus.into_iter().cycle().take(workers).collect()
    }
}

/// Chosen: with 10,000 events/s a poller may be away for more than six seconds before it is told 410.
const LOG_CAPACITY: usize = 1 << 16;

/// A running server. Dropping it does not stop it; [`Server::join`] waits for its end.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    notes: Vec<String>,
    stopper: Stopper,
    workers: Vec<JoinHandle<io::Result<()>>>,
}

/// Ends a server from any thread. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Stopper {
    stop: Arc<AtomicBool>,
    wakers: Arc<[Waker]>,
}

impl Stopper {
    /// Begins the drain: no new connections, parked polls answered, commands finished, in bounded
    /// time. Calling it again changes nothing.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.wakers.iter().for_each(Waker::wake);
    }
}

impl Server {
    /// Binds, starts and pins the workers, and returns once all of them accept.
    ///
    /// # Errors
    /// The first worker's that could not start, with what to do about it; the others are ended.
    pub fn start(plan: &Plan) -> io::Result<Server> {
        if let Some(refusal) = plan.refusal() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, refusal));
        }
        let cores = plan.cores();
        let names = labels(&cores);
        let listeners = bind_all(plan, &cores)?;
        let mut notes: Vec<String> = plan.threads.settle_starter().into_iter().collect();
        notes.extend(listeners.iter().flat_map(|listener| listener.notes().to_vec()));
        let address = listeners[0].local_address()?;
        let shared = Shared {
            home: Arc::new(Home::new(LOG_CAPACITY)),
            settings: Arc::new(plan.settings.clone()),
            metrics: Metrics::new(names.iter().cloned()),
            admitted: Arc::default(),
        };
        let stop = Arc::new(AtomicBool::new(false));
        let all_wakers: Arc<OnceLock<Arc<[Waker]>>> = Arc::default();
        let (report, reports) = mpsc::channel();
        let mut workers = Vec::new();
        for (core, (cpu, listener)) in cores.iter().copied().zip(listeners).enumerate() {
            let seat = Seat {
                core,
                cpu,
                plan: plan.clone(),
                shared: shared.clone(),
                stop: Arc::clone(&stop),
                report: report.clone(),
                all_wakers: Arc::clone(&all_wakers),
            };
            let name = format!("worker-{}", names[core]);
            workers
                .push(std::thread::Builder::new().name(name).spawn(move || seat.take(listener))?);
        }
        drop(report);
        let mut server = gather(&reports, workers, address, &stop, &all_wakers)?;
        notes.append(&mut server.notes);
        notes.extend(plan.threads.settle_memory());
        server.notes = each_once(notes);
        Ok(server)
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the kernel lacked or refused, one sentence each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// A handle to stop it by.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Waits until every worker has ended.
    ///
    /// # Errors
    /// The first worker's that broke; the others are stopped then.
    pub fn join(self) -> io::Result<()> {
        let mut first_error = Ok(());
        for worker in self.workers {
            let outcome =
                worker.join().unwrap_or_else(|_| Err(io::Error::other("a worker panicked")));
            if outcome.is_err() {
                self.stopper.stop();
                first_error = first_error.and(outcome);
            }
        }
        first_error
    }
}

/// What a worker says once it is ready to accept, or that it cannot.
type Report = io::Result<Ready>;

struct Ready {
    core: usize,
    waker: Waker,
    notes: Vec<String>,
}

/// Collects all workers' reports, hands everybody's wakers to everybody, and lets them go.
fn gather(
    reports: &mpsc::Receiver<Report>,
    workers: Vec<JoinHandle<io::Result<()>>>,
    address: SocketAddr,
    stop: &Arc<AtomicBool>,
    all_wakers: &OnceLock<Arc<[Waker]>>,
) -> io::Result<Server> {
    let mut ready = Vec::new();
    let mut failure = None;
    for report in reports {
        match report {
            Ok(one) => ready.push(one),
            Err(error) => failure = failure.or(Some(error)),
        }
        if ready.len() + usize::from(failure.is_some()) == workers.len() {
            break;
        }
    }
    ready.sort_by_key(|one: &Ready| one.core);
    let notes = ready.iter_mut().flat_map(|one| std::mem::take(&mut one.notes)).collect();
    let wakers: Arc<[Waker]> = ready.into_iter().map(|one| one.waker).collect();
    if failure.is_some() {
        stop.store(true, Ordering::Relaxed);
    }
    let _ = all_wakers.set(Arc::clone(&wakers));
    workers.iter().for_each(|worker| worker.thread().unpark());
    let stopper = Stopper { stop: Arc::clone(stop), wakers };
    match failure {
        None => Ok(Server { address, notes, stopper, workers }),
        Some(error) => {
            for worker in workers {
                let _ = worker.join();
            }
            Err(error)
        }
    }
}

/// What a worker thread is given.
struct Seat {
    core: usize,
    cpu: Option<usize>,
    plan: Plan,
    shared: Shared,
    stop: Arc<AtomicBool>,
    report: mpsc::Sender<Report>,
    all_wakers: Arc<OnceLock<Arc<[Waker]>>>,
}

impl Seat {
    /// Pins the thread, makes its driver on it, and serves.
    fn take(self, listener: Listener) -> io::Result<()> {
        let pinned = self.cpu.map_or(Ok(()), topology::pin_current_thread);
        if let Err(refusal) = pinned {
            self.tell(Err(io::Error::other(refusal)));
            return Ok(());
        }
        minimise_timer_slack();
        match self.plan.backend {
            Backend::Uring => {
                let driver = Uring::new(&self.plan.threads.ring(&self.plan.ring, self.core));
                self.serve(driver, |driver| driver.notes().to_vec(), listener)
            }
            Backend::Epoll => self.serve(Epoll::new(), |_| Vec::new(), listener),
            Backend::MonoioUring => {
                let engine = Engine::uring(&self.plan.ring);
                self.serve_on(engine, listener)
            }
            Backend::MonoioEpoll => {
                let engine = Engine::epoll().map(|engine| (engine, Vec::new()));
                self.serve_on(engine, listener)
            }
        }
    }

    /// Serves by a driver of ours.
    fn serve<D: Driver>(
        self,
        driver: io::Result<D>,
        notes: impl Fn(&D) -> Vec<String>,
        listener: Listener,
    ) -> io::Result<()> {
        let ready = driver.map(|driver| {
            let (waker, notes) = (driver.waker(), notes(&driver));
            (driver, waker, notes)
        });
        let Some((driver, wakers)) = self.await_the_others(ready) else { return Ok(()) };
        let clock = MonotonicClock;
        let waiting = Waiting::new(self.plan.wait, clock.now());
        Worker::new(driver, clock, self.core, self.shared, waiting, wakers, self.stop).run(listener)
    }

    /// Serves on the monoio runtime.
    fn serve_on(
        self,
        engine: io::Result<(Engine, Vec<String>)>,
        listener: Listener,
    ) -> io::Result<()> {
        let ready = engine.and_then(|(engine, notes)| Ok((engine, Waker::new()?, notes)));
        let Some((engine, wakers)) = self.await_the_others(ready) else { return Ok(()) };
        let waker = wakers[self.core].clone();
        let clock = Box::new(MonotonicClock);
        let station = Station::new(clock, wall_secs(), self.core, self.shared, wakers, self.stop);
        engine.run(listener, station, waker, self.plan.wait == WaitMode::Spin)
    }

    /// Reports what was made to serve with, or why it could not be made, and waits for everybody's
    /// wakers. `None`: there is nothing to serve with.
    fn await_the_others<T>(
        &self,
        ready: io::Result<(T, Waker, Vec<String>)>,
    ) -> Option<(T, Arc<[Waker]>)> {
        let (made, waker, mut notes) = match ready {
            Ok(ready) => ready,
            Err(error) => {
                self.tell(Err(error));
                return None;
            }
        };
        // Not before: the kernel's threads for a ring would inherit the policy.
        notes.append(&mut self.plan.threads.scheduling.apply());
        self.tell(Ok(Ready { core: self.core, waker, notes }));
        loop {
            match self.all_wakers.get() {
                Some(wakers) => return Some((made, Arc::clone(wakers))),
                None => std::thread::park(),
            }
        }
    }

    /// Nobody listens only if the start was given up already, and then the stop flag is raised.
    fn tell(&self, report: Report) {
        let _ = self.report.send(report);
    }
}

/// One listener per worker on one address; the kernel spreads connections over them.
fn bind_all(plan: &Plan, cores: &[Option<usize>]) -> io::Result<Vec<Listener>> {
    net::check_port_is_free(plan.listen)?;
    let mut address = plan.listen;
    let mut listeners = Vec::new();
    for cpu in cores {
        let listener = Listener::bind(address, &plan.sockets, *cpu)?;
        // The first one learns the port where the kernel was to choose it.
        address = listener.local_address()?;
        listeners.push(listener);
    }
    Ok(listeners)
}

/// What several workers say is said once.
fn each_once(mut notes: Vec<String>) -> Vec<String> {
    let mut said = std::collections::HashSet::new();
    notes.retain(|note| said.insert(note.clone()));
    notes
}

/// What the metrics and threads call each worker: its CPU, and which of the workers there it is.
fn labels(cores: &[Option<usize>]) -> Vec<String> {
    let name = |cpu: &Option<usize>| cpu.map_or("any".to_string(), |cpu| cpu.to_string());
    let nth = |core: usize| cores[..core].iter().filter(|cpu| **cpu == cores[core]).count();
    (0..cores.len())
        .map(|core| match nth(core) {
            0 => name(&cores[core]),
            nth => format!("{}.{nth}", name(&cores[core])),
        })
        .collect()
}

#[cfg(test)]
mod tests;
