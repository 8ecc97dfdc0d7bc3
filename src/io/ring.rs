//! One io_uring instance: set up as the kernel allows, entered with the flags it knows.
//!
//! The io-uring crate maps the queues and builds SQEs; the enter is ours, because with DEFER_TASKRUN
//! nothing completes without GETEVENTS, and because the absolute deadline (6.12), NO_IOWAIT (6.15) and
//! the registered ring descriptor (5.18) have to meet in one call. With SQPOLL a thread of the kernel
//! submits, and an enter is made to sleep or to wake that thread only. Not here: what is submitted.

pub(super) mod settings;

use super::Counters;
use super::topology::cpu_set;
use crate::clock::Clock;
use crate::io::clock::{MonotonicClock, timespec};
use crate::units::{Mono, Nanos};
use io_uring::{IoUring, Probe, cqueue, opcode, squeue, types};
use settings::{MinWait, Settings, Sqpoll, TaskRun};
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd};

/// How to enter the ring.
#[derive(Clone, Copy, Debug)]
pub(super) enum Enter {
    /// Submit, run what is deferred, do not sleep.
    Submit,
    /// Submit, then sleep until a completion or this point.
    Until(Mono),
    /// Submit, then sleep until a completion.
    Forever,
}

pub(super) struct Ring {
    ring: IoUring,
    /// The index of the registered descriptor, or the descriptor itself.
    enter_fd: i32,
    /// Flags for every enter.
    base_flags: u32,
    /// ABS_TIMER is known (6.12).
    absolute: bool,
    /// A thread of the kernel submits.
    sqpoll: bool,
    min_wait: Option<MinWait>,
    notes: Vec<String>,
}

// Kernel: include/uapi/linux/io_uring.h.
const ENTER_GETEVENTS: u32 = 1 << 0;
const ENTER_SQ_WAKEUP: u32 = 1 << 1;
const ENTER_SQ_WAIT: u32 = 1 << 2;
const ENTER_EXT_ARG: u32 = 1 << 3;
const ENTER_REGISTERED_RING: u32 = 1 << 4;
const ENTER_ABS_TIMER: u32 = 1 << 5;
const ENTER_NO_IOWAIT: u32 = 1 << 7;
const REGISTER_RING_FDS: libc::c_uint = 20;

/// `struct io_uring_getevents_arg`, include/uapi/linux/io_uring.h: a deadline that lives for `'a`.
#[repr(C)]
struct GeteventsArg<'a> {
    sigmask: u64,
    sigmask_bytes: u32,
    min_wait_usec: u32,
    /// The address of a `timespec`.
    timespec: u64,
    lifetime: PhantomData<&'a libc::timespec>,
}

const _: () = assert!(size_of::<GeteventsArg<'_>>() == 24, "as the kernel has it");

impl<'a> GeteventsArg<'a> {
    /// Sleeps until `deadline`; until `min_wait_usec` from now for more than one completion.
    fn new(deadline: &'a libc::timespec, min_wait_usec: u32) -> GeteventsArg<'a> {
        GeteventsArg {
            sigmask: 0,
            sigmask_bytes: 0,
            min_wait_usec,
            timespec: std::ptr::from_ref(deadline) as u64,
            lifetime: PhantomData,
        }
    }
}

/// `struct io_uring_rsrc_update`, include/uapi/linux/io_uring.h.
#[repr(C)]
struct RsrcUpdate {
    offset: u32,
    reserved: u32,
    data: u64,
}

impl Ring {
    /// A ring as close to `settings` as the kernel allows. Flags that it does not know are dropped one
    /// by one, newest first.
    pub(super) fn new(settings: &Settings) -> io::Result<Ring> {
        let mut notes = Vec::new();
        let mut wanted = Wanted::of(settings);
        let ring = loop {
            match wanted.build(settings) {
                Ok(ring) => break ring,
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => match wanted.drop_one()
                {
                    Some(note) => notes.push(note.to_string()),
                    None => return Err(explain_setup(&error)),
                },
                // Before Linux 5.11 a thread of the kernel was a privilege.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    match wanted.sqpoll.take() {
                        Some(_) => notes.push(format!("--sqpoll is refused: {error}; without it")),
                        None => return Err(explain_setup(&error)),
                    }
                }
                Err(error) => return Err(explain_setup(&error)),
            }
        };
        let mut ring = Ring {
            enter_fd: ring.as_raw_fd(),
            base_flags: 0,
            absolute: ring.params().is_feature_min_timeout(),
            sqpoll: wanted.sqpoll.is_some(),
            min_wait: settings.min_wait,
            ring,
            notes,
        };
        ring.choose_enter_flags(settings.no_iowait);
        ring.register(settings);
        Ok(ring)
    }

    fn choose_enter_flags(&mut self, no_iowait: bool) {
        if no_iowait && self.ring.params().is_feature_no_iowait() {
            self.base_flags |= ENTER_NO_IOWAIT;
        }
        if !self.absolute {
            self.note("absolute deadlines are missing (Linux 6.12): each sleep reads the clock");
        }
        if self.min_wait.is_some() && !self.ring.params().is_feature_min_timeout() {
            self.min_wait = None;
            self.note(
                "--min-wait: waiting for a batch is missing (Linux 6.12): the first completion ends a \
                 sleep",
            );
        }
    }

    /// Tells the kernel what it has to know beyond the set-up.
    fn register(&mut self, settings: &Settings) {
        if let Some(span) = settings.napi {
            let micros = u32::try_from(span.0.div_ceil(1_000)).unwrap_or(u32::MAX);
            let mut napi = types::Napi::new().set_busy_poll_timeout(micros);
            if let Err(error) = self.ring.submitter().register_napi(&mut napi) {
                self.note(&format!("--napi: busy polling is refused (Linux 6.9): {error}"));
            }
        }
        if let Some(cpus) = &settings.kernel_cpus
            && let Err(error) = self.ring.submitter().register_iowq_aff(&cpu_set(cpus))
        {
            self.note(&format!(
                "--housekeeping-cpus: the ring's kernel workers stay where they are (Linux 5.14): {error}"
            ));
        }
        if settings.registered_ring {
            match self.register_descriptor() {
                Ok(index) => {
                    self.enter_fd = index;
                    self.base_flags |= ENTER_REGISTERED_RING;
                }
                Err(error) => {
                    self.note(&format!("the ring's descriptor could not be registered: {error}"))
                }
            }
        }
    }

    /// Makes a table for the sockets of `count` connections (5.19); whether the kernel has.
    pub(super) fn register_files(&mut self, count: u32) -> bool {
        let outcome = self.ring.submitter().register_files_sparse(count);
        if let Err(error) = &outcome {
            self.note(&format!("--fixed-files: the kernel refused a table (Linux 5.19): {error}"));
        }
        outcome.is_ok()
    }

    /// Puts a socket into the table, or takes it out; whether the kernel has.
    pub(super) fn set_file(&self, index: u32, file: Option<BorrowedFd<'_>>) -> bool {
        let fd = file.map_or(NO_FILE, |file| file.as_raw_fd());
        self.ring.submitter().register_files_update(index, &[fd]).is_ok()
    }

    /// Whether the kernel delivers messages from ring to ring (5.18).
    pub(super) fn delivers_messages(&mut self) -> bool {
        let mut probe = Probe::new();
        let probed = self.ring.submitter().register_probe(&mut probe);
        let delivers = probed.is_ok() && probe.is_supported(opcode::MsgRingData::CODE);
        if !delivers {
            self.note("--wake msgring: MSG_RING is missing (Linux 5.18): eventfd instead");
        }
        delivers
    }

    fn register_descriptor(&self) -> io::Result<i32> {
        let fd = self.ring.as_raw_fd();
        let mut update = RsrcUpdate { offset: u32::MAX, reserved: 0, data: fd as u64 };
        // SAFETY: the kernel reads and writes `update` during the call only.
        let registered = unsafe {
            libc::syscall(libc::SYS_io_uring_register, fd, REGISTER_RING_FDS, &raw mut update, 1)
        };
        if registered == 1 { Ok(update.offset as i32) } else { Err(io::Error::last_os_error()) }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the ring's descriptor is open for as long as `self`, which the borrow keeps alive.
        unsafe { BorrowedFd::borrow_raw(self.ring.as_raw_fd()) }
    }

    #[cfg(test)]
    pub(super) fn sleeps_idle(&self) -> bool {
        self.base_flags & ENTER_NO_IOWAIT != 0
    }

    pub(super) fn raw(&self) -> &IoUring {
        &self.ring
    }

    pub(super) fn notes(&self) -> &[String] {
        &self.notes
    }

    pub(super) fn note(&mut self, note: &str) {
        self.notes.push(note.to_string());
    }

    /// Queues `entry`, submitting first if the queue is full.
    ///
    /// # Safety
    /// Memory that `entry` names must live, unchanged, until its last completion was taken or the
    /// ring was dropped.
    pub(super) unsafe fn push(
        &mut self,
        entry: &squeue::Entry,
        counters: &mut Counters,
    ) -> io::Result<()> {
        for _ in 0..SUBMIT_ATTEMPTS {
            // SAFETY: passed on to the caller.
            if unsafe { self.ring.submission().push(entry) }.is_ok() {
                return Ok(());
            }
            match self.sqpoll {
                true => self.await_room(counters)?,
                false => self.enter(Enter::Submit, counters)?,
            }
        }
        Err(io::Error::other("io_uring takes no more submissions; raise the queue's size"))
    }

    /// Sleeps until the kernel's thread has taken something out of the queue.
    fn await_room(&mut self, counters: &mut Counters) -> io::Result<()> {
        counters.syscalls += 1;
        let flags = self.base_flags | ENTER_SQ_WAIT | ENTER_SQ_WAKEUP;
        tolerate(self.enter_raw(0, 0, flags, None))
    }

    /// One `io_uring_enter`, or none where there is nothing to submit, to run or to wait for. A
    /// time-out, a signal and a full completion queue are no errors: what there is can be reaped.
    pub(super) fn enter(&mut self, how: Enter, counters: &mut Counters) -> io::Result<()> {
        let queue = self.ring.submission();
        let work_waits = queue.taskrun() || queue.cq_overflow();
        if queue.cq_overflow() {
            counters.overflows += 1;
        }
        let queued = queue.len() as u32;
        // The fence that the kernel's thread asks for is paid with SQPOLL only.
        let asleep = self.sqpoll && queued > 0 && queue.need_wakeup();
        drop(queue);
        let to_submit = if self.sqpoll && !asleep { 0 } else { queued };
        if matches!(how, Enter::Submit) && to_submit == 0 && !work_waits {
            return Ok(());
        }
        counters.syscalls += 1;
        let wakeup = if asleep { ENTER_SQ_WAKEUP } else { 0 };
        tolerate(self.enter_once(how, to_submit, self.base_flags | wakeup))
    }

    fn enter_once(&self, how: Enter, to_submit: u32, flags: u32) -> io::Result<()> {
        let mut flags = flags | ENTER_GETEVENTS;
        let deadline = match how {
            Enter::Submit => return self.enter_raw(to_submit, 0, flags, None),
            Enter::Forever if self.min_wait.is_none() => {
                return self.enter_raw(to_submit, 1, flags, None);
            }
            Enter::Forever => MonotonicClock.now() + FOREVER,
            Enter::Until(deadline) => deadline,
        };
        let nanos = match self.absolute {
            true => {
                flags |= ENTER_ABS_TIMER;
                deadline.0
            }
            false => deadline.saturating_since(MonotonicClock.now()).0,
        };
        let timespec = timespec(nanos);
        let (min_wait_usec, min_complete) = self.batch_until(deadline);
        let argument = GeteventsArg::new(&timespec, min_wait_usec);
        self.enter_raw(to_submit, min_complete, flags, Some(&argument))
    }

    /// For how many microseconds a sleep that ends at `deadline` waits for how many completions.
    fn batch_until(&self, deadline: Mono) -> (u32, u32) {
        let Some(MinWait { span, completions }) = self.min_wait else { return (0, 1) };
        // Kernel: io_uring/wait.c looks at the deadline only once the wait for a batch is over.
        let span = span.min(deadline.saturating_since(MonotonicClock.now()));
        match u32::try_from(span.0 / 1_000).unwrap_or(u32::MAX) {
            0 => (0, 1),
            micros => (micros, completions),
        }
    }

    fn enter_raw(
        &self,
        to_submit: u32,
        min_complete: u32,
        flags: u32,
        argument: Option<&GeteventsArg<'_>>,
    ) -> io::Result<()> {
        let (flags, argument, size) = match argument {
            None => (flags, std::ptr::null(), 0),
            Some(argument) => {
                let address = std::ptr::from_ref(argument);
                (flags | ENTER_EXT_ARG, address, size_of::<GeteventsArg<'_>>())
            }
        };
        // SAFETY: the kernel reads `size` bytes of `argument`, which is borrowed, and the timespec that
        // they name, which the argument's lifetime borrows; both during the call only. EXT_ARG says
        // what it is; where there is none, it is null: no signal mask either.
        let outcome = unsafe {
            libc::syscall(
                libc::SYS_io_uring_enter,
                self.enter_fd,
                to_submit,
                min_complete,
                flags,
                argument,
                size,
            )
        };
        if outcome < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Whether completions can be taken without entering.
    pub(super) fn has_completions(&mut self) -> bool {
        !self.ring.completion().is_empty()
    }

    pub(super) fn next_completion(&mut self) -> Option<cqueue::Entry> {
        self.ring.completion().next()
    }

    pub(super) fn completions_max(&self) -> u32 {
        self.ring.params().cq_entries()
    }
}

/// What ends an enter early is no error: what there is can be reaped.
fn tolerate(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) => match error.raw_os_error() {
            Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN) => Ok(()),
            _ => Err(error),
        },
        Ok(()) => Ok(()),
    }
}

/// Kernel: register_files_update(2) empties the entry.
const NO_FILE: i32 = -1;

/// Chosen: a sleep that needs a deadline only because a batch is waited for; it just goes on after it.
const FOREVER: Nanos = Nanos::from_secs(3600);

/// Chosen: with SUBMIT_ALL one submission empties the queue; more means that the kernel refuses.
const SUBMIT_ATTEMPTS: u32 = 3;

/// The set-up flags still asked for.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    no_sqarray: bool,
    task_run: TaskRun,
    single_issuer: bool,
    submit_all: bool,
    sqpoll: Option<Sqpoll>,
}

impl Wanted {
    fn of(settings: &Settings) -> Wanted {
        Wanted {
            no_sqarray: true,
            task_run: settings.task_run,
            single_issuer: true,
            submit_all: true,
            sqpoll: settings.sqpoll,
        }
    }

    fn build(self, settings: &Settings) -> io::Result<IoUring> {
        let mut builder = IoUring::builder();
        builder.setup_clamp().setup_cqsize(settings.cq_entries).dontfork();
        if self.no_sqarray {
            builder.setup_no_sqarray();
        }
        if self.submit_all {
            builder.setup_submit_all();
        }
        if self.single_issuer {
            builder.setup_single_issuer();
        }
        if let Some(Sqpoll { cpu, idle }) = self.sqpoll {
            let millis = idle.0.div_ceil(1_000_000).max(1);
            builder.setup_sqpoll(u32::try_from(millis).unwrap_or(u32::MAX));
            if let Some(cpu) = cpu.and_then(|cpu| u32::try_from(cpu).ok()) {
                builder.setup_sqpoll_cpu(cpu);
            }
        }
        match self.task_run {
            TaskRun::Defer => builder.setup_defer_taskrun().setup_taskrun_flag(),
            TaskRun::Coop => builder.setup_coop_taskrun().setup_taskrun_flag(),
            TaskRun::Interrupt => &mut builder,
        };
        builder.build(settings.sq_entries)
    }

    /// Gives up the newest flag that is still asked for; what that means. `None`: none is left.
    fn drop_one(&mut self) -> Option<&'static str> {
        if std::mem::take(&mut self.no_sqarray) {
            return Some("NO_SQARRAY is missing (Linux 6.6): one more indirection per submission");
        }
        if self.task_run == TaskRun::Defer {
            self.task_run = TaskRun::Coop;
            return Some("DEFER_TASKRUN is missing (Linux 6.1): COOP_TASKRUN instead");
        }
        if std::mem::take(&mut self.single_issuer) {
            return Some("SINGLE_ISSUER is missing (Linux 6.0): the kernel locks more");
        }
        if self.task_run == TaskRun::Coop {
            self.task_run = TaskRun::Interrupt;
            return Some("COOP_TASKRUN is missing (Linux 5.19): completions interrupt the thread");
        }
        if std::mem::take(&mut self.submit_all) {
            return Some(
                "SUBMIT_ALL is missing (Linux 5.18): a bad submission delays those behind it",
            );
        }
        None
    }
}

/// Why there is no ring, and what to do about it.
pub fn explain_setup(error: &io::Error) -> io::Error {
    let advice = match error.raw_os_error() {
        Some(libc::EPERM) => {
            "it is forbidden here; `sysctl kernel.io_uring_disabled=0` or a container profile that \
             allows it, or use `--backend epoll`"
        }
        Some(libc::ENOSYS) => {
            "this kernel or its seccomp filter has no io_uring; use `--backend epoll`"
        }
        Some(libc::ENOMEM) => "locked memory ran out; raise `ulimit -l`, or use `--backend epoll`",
        Some(libc::EMFILE | libc::ENFILE) => "descriptors ran out; raise `ulimit -n`",
        _ => "use `--backend epoll`",
    };
    io::Error::new(error.kind(), format!("io_uring refused: {error}; {advice}"))
}
