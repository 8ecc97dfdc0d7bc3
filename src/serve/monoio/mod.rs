//! One core of the server on the monoio runtime, on io_uring or on epoll.
//!
//! The same station, floor and API as under `worker`; only what moves the bytes and who decides when
//! to sleep differ. monoio's own timers tick in whole milliseconds rounded up, hence the wheel is
//! woken by an alarm that a task awaits.
//!
//! ```text
//! tasks:  accept, receive, send, alarm, wakes ──> desk: floor, then the second pass for its changes
//! root:   polled when all tasks have run: end of the turn; then the runtime sleeps
//! ```
//! Start at [`Engine::run`]; then `tasks`, then `desk`. Not here: pinning, starting; see `server`.

mod desk;
mod tasks;

use super::station::Station;
use crate::io::alarm::Alarm;
use crate::io::net::{Listener, Waker};
use crate::io::uring::{self, TaskRun};
use desk::Desk;
use monoio::net::{TcpListener, TcpStream};
use monoio::{Driver, IoUringDriver, LegacyDriver, Runtime, RuntimeBuilder};
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;

/// monoio 0.2.4, `IoUringDriver::DEFAULT_ENTRIES`: its submission queue.
pub(super) const SQ_ENTRIES: u32 = 1024;
/// monoio 0.2.4, `RuntimeBuilder::MIN_ENTRIES`: anything less becomes this without a word.
pub(super) const SQ_ENTRIES_MIN: u32 = 256;

/// A runtime, made on the thread that will run it.
pub(super) enum Engine {
    /// On io_uring.
    Uring(Runtime<IoUringDriver>),
    /// On epoll.
    Epoll(Runtime<LegacyDriver>),
}

impl Engine {
    /// A runtime on a ring with the task-run mode and the entries of `ring`; and notes for the results,
    /// one sentence each. [`TaskRun::Interrupt`] is monoio's own default: no flags at all.
    ///
    /// # Errors
    /// Says what to do where io_uring is forbidden or missing.
    pub(super) fn uring(ring: &uring::Settings) -> io::Result<(Engine, Vec<String>)> {
        let mut notes = Vec::new();
        for attempt in fallbacks(ring.task_run) {
            let (mut builder, flags) = ring_builder(*attempt);
            if ring.cq_entries != 2 * ring.sq_entries {
                // Twice is the kernel's own default, for which no flag is set.
                builder.setup_cqsize(ring.cq_entries);
            }
            let runtime = RuntimeBuilder::<IoUringDriver>::new().with_entries(ring.sq_entries);
            match runtime.uring_builder(builder).build() {
                Ok(runtime) => {
                    if *attempt != TaskRun::Interrupt {
                        notes.push(format!("monoio's ring was set up with {flags}"));
                    }
                    return Ok((Engine::Uring(runtime), notes));
                }
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                    notes.push(format!("monoio's ring was refused with {flags}: {error}"));
                }
                Err(error) => return Err(uring::explain_setup(&error)),
            }
        }
        Err(uring::explain_setup(&io::ErrorKind::InvalidInput.into()))
    }

    /// A runtime on epoll.
    ///
    /// # Errors
    /// Descriptors ran out.
    pub(super) fn epoll() -> io::Result<Engine> {
        RuntimeBuilder::<LegacyDriver>::new().build().map(Engine::Epoll)
    }

    /// Serves until the stop flag is raised and everything open is answered, or the drain's time is
    /// up. `waker` is this core's; with `spin` the runtime never sleeps.
    ///
    /// # Errors
    /// What accepting broke on, or descriptors that ran out at the start.
    pub(super) fn run(
        self,
        listener: Listener,
        station: Station,
        waker: Waker,
        spin: bool,
    ) -> io::Result<()> {
        let nonblocking = matches!(self, Engine::Epoll(_));
        let listener = listener.into_std();
        listener.set_nonblocking(nonblocking)?;
        let served = serve(listener, nonblocking, station, waker, spin);
        match self {
            Engine::Uring(runtime) => block_on(runtime, served),
            Engine::Epoll(runtime) => block_on(runtime, served),
        }
    }
}

/// What to ask for in turn while the kernel refuses: newest first.
fn fallbacks(task_run: TaskRun) -> &'static [TaskRun] {
    match task_run {
        TaskRun::Defer => &[TaskRun::Defer, TaskRun::Coop, TaskRun::Interrupt],
        TaskRun::Coop => &[TaskRun::Coop, TaskRun::Interrupt],
        TaskRun::Interrupt => &[TaskRun::Interrupt],
    }
}

/// monoio's way to a ring, and what it asks of the kernel beyond the defaults.
fn ring_builder(task_run: TaskRun) -> (io_uring_06::Builder, &'static str) {
    let mut builder = io_uring_06::IoUring::builder();
    let flags = match task_run {
        TaskRun::Defer => {
            builder.setup_single_issuer().setup_defer_taskrun();
            "SINGLE_ISSUER and DEFER_TASKRUN"
        }
        TaskRun::Coop => {
            builder.setup_coop_taskrun();
            "COOP_TASKRUN"
        }
        TaskRun::Interrupt => "no flags",
    };
    (builder, flags)
}

fn block_on<D: Driver>(
    mut runtime: Runtime<D>,
    served: impl Future<Output = io::Result<()>>,
) -> io::Result<()> {
    runtime.block_on(served)
}

/// The root future: starts the tasks, then ends each turn.
async fn serve(
    waiting: std::net::TcpListener,
    nonblocking: bool,
    station: Station,
    waker: Waker,
    spin: bool,
) -> io::Result<()> {
    let alarm = Alarm::new()?;
    let rings = awaitable(alarm.as_fd())?;
    let wakes = awaitable(waker.as_fd())?;
    let listener = TcpListener::from_std(waiting.try_clone()?)?;
    let goodbye = waker.clone();
    let desk = Rc::new(Desk::new(station, alarm, spin));
    tasks::spawn(&desk, tasks::accept(Rc::clone(&desk), listener, waiting, nonblocking));
    tasks::spawn(&desk, tasks::alarm(Rc::clone(&desk), rings));
    tasks::spawn(&desk, tasks::wakes(Rc::clone(&desk), waker, wakes));
    if spin {
        tasks::spawn(&desk, tasks::spin(Rc::clone(&desk)));
    }
    let outcome = poll_fn(|cx| desk.poll_root(cx)).await;
    sleep_once(&goodbye).await;
    outcome
}

/// What the tasks had under way was cancelled as they ended. One more sleep submits that, so that the
/// kernel has let go of their buffers before the runtime frees them.
async fn sleep_once(waker: &Waker) {
    if let Ok(readable) = awaitable(waker.as_fd()) {
        waker.wake();
        // Readable or not, the runtime has slept.
        let _ = readable.readable(false).await;
    }
}

/// A descriptor whose readiness tasks can await. monoio offers that for its sockets only; nothing but
/// readiness is asked of this one.
fn awaitable(fd: BorrowedFd<'_>) -> io::Result<TcpStream> {
    TcpStream::from_std(fd.try_clone_to_owned()?.into())
}
