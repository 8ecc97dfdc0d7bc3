//! One io_uring instance: set up as the kernel allows, entered with the flags it knows.
//!
//! The io-uring crate maps the queues and builds SQEs; the enter is ours, because with DEFER_TASKRUN
//! nothing completes without GETEVENTS, and because the absolute deadline (6.12), NO_IOWAIT (6.15) and
//! the registered ring descriptor (5.18) have to meet in one call. Not here: what is submitted.

use super::Counters;
use crate::clock::Clock;
use crate::io::clock::MonotonicClock;
use crate::units::Mono;
use io_uring::{IoUring, cqueue, squeue};
use std::io;
use std::os::fd::AsRawFd;

/// What can be set about a ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// When the kernel runs completions.
    pub task_run: TaskRun,
    /// One receive SQE serves a connection for its life (Linux 6.0); otherwise one per receive.
    pub recv_multishot: bool,
    /// Send by send(2) at once, and by the ring only what the kernel did not take.
    pub direct_send: bool,
    /// Register the ring's descriptor (Linux 5.18): the kernel saves looking it up at each enter.
    pub registered_ring: bool,
    /// Submission queue entries, a power of two.
    pub sq_entries: u32,
    /// Completion queue entries, a power of two.
    pub cq_entries: u32,
    /// Receive buffers, a power of two.
    pub buffers: u16,
    /// Bytes of each receive buffer.
    pub buffer_bytes: u32,
}

/// When the kernel runs the work that completes requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskRun {
    /// When the thread enters the ring to reap, and never else (DEFER_TASKRUN, 6.1).
    Defer,
    /// At the thread's next system call of any kind (COOP_TASKRUN, 5.19).
    Coop,
    /// At once, by interrupting the thread.
    Interrupt,
}

impl Default for Settings {
    /// Chosen for 64 to 10,000 connections a core: a turn submits a few hundred SQEs at most; a
    /// multishot decouples the completion queue from the submission queue, hence 8 times; 2 MiB of
    /// receive buffers, each several requests long.
    fn default() -> Settings {
        Settings {
            task_run: TaskRun::Defer,
            recv_multishot: true,
            direct_send: false,
            registered_ring: true,
            sq_entries: 512,
            cq_entries: 4096,
            buffers: 1024,
            buffer_bytes: 2048,
        }
    }
}

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
    notes: Vec<String>,
}

// Kernel: include/uapi/linux/io_uring.h.
const ENTER_GETEVENTS: u32 = 1 << 0;
const ENTER_EXT_ARG: u32 = 1 << 3;
const ENTER_REGISTERED_RING: u32 = 1 << 4;
const ENTER_ABS_TIMER: u32 = 1 << 5;
const ENTER_NO_IOWAIT: u32 = 1 << 7;
const REGISTER_RING_FDS: libc::c_uint = 20;

/// `struct io_uring_getevents_arg`, include/uapi/linux/io_uring.h.
#[repr(C)]
struct GeteventsArg {
    sigmask: u64,
    sigmask_bytes: u32,
    min_wait_usec: u32,
    timespec: u64,
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
                Err(error) => return Err(explain_setup(&error)),
            }
        };
        let mut ring = Ring {
            enter_fd: ring.as_raw_fd(),
            base_flags: 0,
            absolute: ring.params().is_feature_min_timeout(),
            ring,
            notes,
        };
        ring.choose_enter_flags(settings);
        Ok(ring)
    }

    fn choose_enter_flags(&mut self, settings: &Settings) {
        if self.ring.params().is_feature_no_iowait() {
            self.base_flags |= ENTER_NO_IOWAIT;
        }
        if !self.absolute {
            self.note("absolute deadlines are missing (Linux 6.12): each sleep reads the clock");
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

    fn register_descriptor(&self) -> io::Result<i32> {
        let fd = self.ring.as_raw_fd();
        let mut update = RsrcUpdate { offset: u32::MAX, reserved: 0, data: fd as u64 };
        // SAFETY: the kernel reads and writes `update` during the call only.
        let registered = unsafe {
            libc::syscall(libc::SYS_io_uring_register, fd, REGISTER_RING_FDS, &raw mut update, 1)
        };
        if registered == 1 { Ok(update.offset as i32) } else { Err(io::Error::last_os_error()) }
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
            self.enter(Enter::Submit, counters)?;
        }
        Err(io::Error::other("io_uring takes no more submissions; raise the queue's size"))
    }

    /// One `io_uring_enter`, or none where there is nothing to submit, to run or to wait for. A
    /// time-out, a signal and a full completion queue are no errors: what there is can be reaped.
    pub(super) fn enter(&mut self, how: Enter, counters: &mut Counters) -> io::Result<()> {
        let queue = self.ring.submission();
        let work_waits = queue.taskrun() || queue.cq_overflow();
        if queue.cq_overflow() {
            counters.overflows += 1;
        }
        let to_submit = queue.len() as u32;
        drop(queue);
        if matches!(how, Enter::Submit) && to_submit == 0 && !work_waits {
            return Ok(());
        }
        counters.syscalls += 1;
        match self.enter_once(how, to_submit) {
            Ok(()) => Ok(()),
            Err(error) => match error.raw_os_error() {
                Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN) => Ok(()),
                _ => Err(error),
            },
        }
    }

    fn enter_once(&self, how: Enter, to_submit: u32) -> io::Result<()> {
        let mut flags = self.base_flags | ENTER_GETEVENTS;
        let deadline = match how {
            Enter::Submit => return self.enter_raw(to_submit, 0, flags, std::ptr::null(), 0),
            Enter::Forever => return self.enter_raw(to_submit, 1, flags, std::ptr::null(), 0),
            Enter::Until(deadline) => deadline,
        };
        flags |= ENTER_EXT_ARG;
        let nanos = match self.absolute {
            true => {
                flags |= ENTER_ABS_TIMER;
                deadline.0
            }
            false => deadline.saturating_since(MonotonicClock.now()).0,
        };
        let timespec = libc::timespec {
            tv_sec: (nanos / 1_000_000_000) as libc::time_t,
            tv_nsec: (nanos % 1_000_000_000) as libc::c_long,
        };
        let argument = GeteventsArg {
            sigmask: 0,
            sigmask_bytes: 0,
            min_wait_usec: 0,
            timespec: (&raw const timespec) as u64,
        };
        let size = size_of::<GeteventsArg>();
        self.enter_raw(to_submit, 1, flags, (&raw const argument).cast(), size)
    }

    fn enter_raw(
        &self,
        to_submit: u32,
        min_complete: u32,
        flags: u32,
        argument: *const libc::c_void,
        size: usize,
    ) -> io::Result<()> {
        // SAFETY: the kernel reads `argument` and what it points to during the call only; both live
        // in the caller's frame.
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

/// Chosen: with SUBMIT_ALL one submission empties the queue; more means that the kernel refuses.
const SUBMIT_ATTEMPTS: u32 = 3;

/// The set-up flags still asked for.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    no_sqarray: bool,
    task_run: TaskRun,
    single_issuer: bool,
    submit_all: bool,
}

impl Wanted {
    fn of(settings: &Settings) -> Wanted {
        Wanted {
            no_sqarray: true,
            task_run: settings.task_run,
            single_issuer: true,
            submit_all: true,
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
