//! A [`Plan`] becomes pinned workers, one per CPU, that share nothing but the home: started together,
//! stopped together.
//!
//! Not here: what a worker does all day; see `worker` and `monoio`. Start at [`Server::start`].

use super::floor::Shared;
use super::metrics::Metrics;
use super::monoio::Engine;
use super::plan::{Backend, Plan, labels};
use super::station::Station;
use super::worker::Worker;
use crate::clock::Clock;
use crate::home::Home;
use crate::io::Driver;
use crate::io::clock::{MonotonicClock, wall_secs};
use crate::io::epoll::Epoll;
use crate::io::limits::reserve_descriptors;
use crate::io::net::{self, Listener, Waker};
use crate::io::topology;
use crate::io::uring::Uring;
use crate::io::wait::{WaitMode, Waiting};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;

/// Chosen: with 10,000 events/s a poller may be away for more than six seconds before it is told 410.
const LOG_CAPACITY: usize = 1 << 16;

/// A running server. Dropping it does not stop it; [`Server::join`] waits for its end.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    notes: Vec<String>,
    stopper: Stopper,
    workers: Vec<WorkerThread>,
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
    /// Binds, starts and pins the workers, and returns once all of them are ready to accept; whoever
    /// connects from then on is served.
    ///
    /// # Errors
    /// The first that was told of those that kept a worker from starting, with what to do about it. The
    /// others have ended by then, and nobody listens.
    pub fn start(plan: &Plan) -> io::Result<Server> {
        Server::start_by(plan, Seat::spawn)
    }

    /// The same, where `spawn` puts each worker into its thread.
    fn start_by(
        plan: &Plan,
        spawn: impl Fn(Seat, Listener, Sender<Report>) -> io::Result<WorkerThread>,
    ) -> io::Result<Server> {
        if let Some(refusal) = plan.refusal() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, refusal));
        }
        reserve_descriptors(plan.settings.quotas.connections_max as u64);
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
        let seats = cores.into_iter().zip(names).enumerate().map(|(core, (cpu, name))| Seat {
            core,
            cpu,
            name,
            plan: plan.clone(),
            shared: shared.clone(),
        });
        let (workers, ready) = start_all(seats.zip(listeners), spawn)?;
        notes.extend(ready.iter().flat_map(|one| one.notes.iter().cloned()));
        let stopper = release(ready);
        notes.extend(plan.threads.settle_memory());
        Ok(Server { address, notes: each_once(notes), stopper, workers })
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

    /// Waits until every worker has ended. If one breaks, the others stop as if they had been told to.
    ///
    /// # Errors
    /// That of the worker that broke; of the first of them by index if several did.
    pub fn join(self) -> io::Result<()> {
        // All of them are waited for, whatever the first ones say.
        self.workers.into_iter().map(join_one).fold(Ok(()), Result::and)
    }
}

/// A worker's thread, and how it ends.
type WorkerThread = JoinHandle<io::Result<()>>;

/// What a worker says once: that it is ready to accept, or why it cannot.
type Report = io::Result<Ready>;

struct Ready {
    core: usize,
    waker: Waker,
    notes: Vec<String>,
    /// Lets it go, with what all of them are woken and stopped by. Dropped, it sends the worker home.
    go: Sender<Stopper>,
}

/// Has every worker spawned, and returns them once all are ready. If one is not, all are gone.
fn start_all(
    seats: impl Iterator<Item = (Seat, Listener)>,
    spawn: impl Fn(Seat, Listener, Sender<Report>) -> io::Result<WorkerThread>,
) -> io::Result<(Vec<WorkerThread>, Vec<Ready>)> {
    let (report, reports) = mpsc::channel();
    let mut workers = Vec::new();
    let mut failure = None;
    for (seat, listener) in seats {
        match spawn(seat, listener, report.clone()) {
            Ok(worker) => workers.push(worker),
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
    }
    drop(report);
    match gather(reports, failure, workers.len()) {
        Ok(ready) => Ok((workers, ready)),
        Err(error) => {
            // Nobody is let go any more, so they all end; the error is told already.
            workers.into_iter().for_each(|worker| drop(worker.join()));
            Err(error)
        }
    }
}

/// All workers' reports, by core; or the first failure, `failure` before any that is reported.
fn gather(
    reports: Receiver<Report>,
    mut failure: Option<io::Error>,
    workers: usize,
) -> io::Result<Vec<Ready>> {
    let mut ready = Vec::new();
    // Ends by itself: a worker's sender is gone once it has reported, or has died without.
    for report in reports {
        match report {
            Ok(one) => ready.push(one),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    if let Some(error) = failure {
        return Err(error);
    }
    if ready.len() < workers {
        return Err(io::Error::other("a worker panicked before it was ready"));
    }
    ready.sort_by_key(|one: &Ready| one.core);
    Ok(ready)
}

/// Lets the workers go, who are all there, and hands everybody's wakers to everybody.
fn release(ready: Vec<Ready>) -> Stopper {
    let wakers = ready.iter().map(|one| one.waker.clone()).collect();
    let stopper = Stopper { stop: Arc::default(), wakers };
    for one in ready {
        // One that has died since shows in `Server::join`.
        let _ = one.go.send(stopper.clone());
    }
    stopper
}

/// How a worker ended, once it has.
fn join_one(worker: WorkerThread) -> io::Result<()> {
    let name = worker.thread().name().unwrap_or("a worker").to_string();
    worker.join().unwrap_or_else(|_| Err(io::Error::other(format!("{name} panicked"))))
}

/// What a worker thread is given.
struct Seat {
    core: usize,
    cpu: Option<usize>,
    /// What the metrics call it.
    name: String,
    plan: Plan,
    shared: Shared,
}

/// A worker's part in the end of the server: however it ends, by an error or a panic too, the others
/// stop.
struct OnDuty(Stopper);

impl Drop for OnDuty {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Seat {
    /// A thread that takes the seat.
    fn spawn(self, listener: Listener, report: Sender<Report>) -> io::Result<WorkerThread> {
        let thread = std::thread::Builder::new().name(format!("worker-{}", self.name));
        thread.spawn(move || self.take(listener, report))
    }

    /// Pins the thread, makes its driver on it, and serves.
    fn take(self, listener: Listener, report: Sender<Report>) -> io::Result<()> {
        if let Err(refusal) = self.cpu.map_or(Ok(()), topology::pin_current_thread) {
            tell(report, Err(io::Error::other(refusal)));
            return Ok(());
        }
        self.plan.threads.settle_slack();
        match self.plan.backend {
            Backend::Uring => {
                let driver = Uring::new(&self.plan.threads.ring(&self.plan.ring, self.core));
                self.serve(driver, |driver| driver.notes().to_vec(), listener, report)
            }
            Backend::Epoll => self.serve(Epoll::new(), |_| Vec::new(), listener, report),
            Backend::MonoioUring => {
                let engine = Engine::uring(&self.plan.ring);
                self.serve_on(engine, listener, report)
            }
            Backend::MonoioEpoll => {
                let engine = Engine::epoll().map(|engine| (engine, Vec::new()));
                self.serve_on(engine, listener, report)
            }
        }
    }

    /// Serves by a driver of ours.
    fn serve<D: Driver>(
        self,
        driver: io::Result<D>,
        notes: impl Fn(&D) -> Vec<String>,
        listener: Listener,
        report: Sender<Report>,
    ) -> io::Result<()> {
        let made = driver.map(|driver| {
            let (waker, notes) = (driver.waker(), notes(&driver));
            (driver, waker, notes)
        });
        let Some((driver, duty)) = self.await_the_others(made, report) else { return Ok(()) };
        let Stopper { stop, wakers } = duty.0.clone();
        let clock = MonotonicClock;
        let waiting = Waiting::new(self.plan.wait, clock.now());
        Worker::new(driver, clock, self.core, self.shared, waiting, wakers, stop).run(listener)
    }

    /// Serves on the monoio runtime.
    fn serve_on(
        self,
        engine: io::Result<(Engine, Vec<String>)>,
        listener: Listener,
        report: Sender<Report>,
    ) -> io::Result<()> {
        let made = engine.and_then(|(engine, notes)| Ok((engine, Waker::new()?, notes)));
        let Some((engine, duty)) = self.await_the_others(made, report) else { return Ok(()) };
        let Stopper { stop, wakers } = duty.0.clone();
        let waker = wakers[self.core].clone();
        let clock = Box::new(MonotonicClock);
        let station = Station::new(clock, wall_secs(), self.core, self.shared, wakers, stop);
        engine.run(listener, station, waker, self.plan.wait == WaitMode::Spin)
    }

    /// Reports what was made to serve with, or why it could not be made, and waits until everybody
    /// has. `None`: there is nothing to serve with, or nobody to serve beside.
    fn await_the_others<T>(
        &self,
        made: io::Result<(T, Waker, Vec<String>)>,
        report: Sender<Report>,
    ) -> Option<(T, OnDuty)> {
        let (made, waker, mut notes) = match made {
            Ok(made) => made,
            Err(error) => {
                tell(report, Err(error));
                return None;
            }
        };
        // Not before: the kernel's threads for a ring would inherit the policy.
        notes.append(&mut self.plan.threads.scheduling.apply());
        let (go, released) = mpsc::channel();
        tell(report, Ok(Ready { core: self.core, waker, notes, go }));
        Some((made, OnDuty(released.recv().ok()?)))
    }
}

/// Says the one thing that the starter waits for. By value: once every worker's sender is gone, it
/// knows that it has heard them all.
fn tell(reports: Sender<Report>, report: Report) {
    // The starter listens until the last sender is gone, unless it panics.
    let _ = reports.send(report);
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

#[cfg(test)]
mod tests;
