//! What can be set about a ring and the driver on it, and which of it excludes which.
//!
//! Not here: what becomes of a setting that the kernel lacks; see `ring` and `uring`.

use crate::io::buffers::BUFFERS_MAX;
use crate::io::topology::CpuList;
use crate::units::Nanos;

/// What can be set about a ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// When the kernel runs completions.
    pub task_run: TaskRun,
    /// One accept SQE serves the listener for its life (Linux 5.19); otherwise one per connection.
    pub accept_multishot: bool,
    /// One receive SQE serves a connection for its life (Linux 6.0); otherwise one per receive.
    pub recv_multishot: bool,
    /// Send by send(2) at once, and by the ring only what the kernel did not take.
    pub direct_send: bool,
    /// Register each connection's socket with the ring (Linux 5.19): the kernel saves looking its
    /// descriptor up at each operation, and each connection costs two system calls more.
    pub fixed_files: bool,
    /// Register the ring's descriptor (Linux 5.18): the kernel saves looking it up at each enter.
    pub registered_ring: bool,
    /// A thread that sleeps in the ring counts as idle and not as waiting for I/O (Linux 6.15), so that
    /// neither the load nor the CPU's frequency is raised for it.
    pub no_iowait: bool,
    /// Submission queue entries, a power of two.
    pub sq_entries: u32,
    /// Completion queue entries, a power of two.
    pub cq_entries: u32,
    /// Receive buffers, a power of two.
    pub buffers: u16,
    /// Bytes of each receive buffer.
    pub buffer_bytes: u32,
    /// Let a kernel thread submit, so that this one need not enter. Excludes [`TaskRun::Defer`] and
    /// [`TaskRun::Coop`].
    pub sqpoll: Option<Sqpoll>,
    /// Poll the network device for so long, in whole microseconds, before a sleep (Linux 6.9). No effect
    /// on loopback.
    pub napi: Option<Nanos>,
    /// Sleep for more than one completion at a time (Linux 6.12).
    pub min_wait: Option<MinWait>,
    /// How this driver ends the sleep of another.
    pub wake: Wake,
    /// The CPUs of the kernel's own workers for this ring (io-wq); `None`: any.
    pub kernel_cpus: Option<CpuList>,
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

/// A kernel thread that submits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sqpoll {
    /// The CPU it is pinned to; `None`: any.
    pub cpu: Option<usize>,
    /// How long it spins without work before it sleeps; in whole milliseconds.
    pub idle: Nanos,
}

/// A sleep that waits for a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinWait {
    /// How long to wait for the whole batch, in whole microseconds; after that the first completion ends
    /// the sleep. A deadline ends it too.
    pub span: Nanos,
    /// How many completions make a batch; more than the completion queue holds means that.
    pub completions: u32,
}

/// How a driver ends the sleep of another driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// By a message to its ring (MSG_RING, 5.18), which goes out with the next submission. From 6.11 on
    /// the kernel delivers it without locking the other ring.
    MsgRing,
    /// By writing to its eventfd, at once.
    Eventfd,
}

impl Default for Settings {
    /// Chosen for 64 to 10,000 connections a core: a turn submits a few hundred SQEs at most; a
    /// multishot decouples the completion queue from the submission queue, hence 8 times; 2 MiB of
    /// receive buffers, each several requests long.
    fn default() -> Settings {
        Settings {
            task_run: TaskRun::Defer,
            accept_multishot: true,
            recv_multishot: true,
            direct_send: false,
            fixed_files: false,
            registered_ring: true,
            no_iowait: true,
            sq_entries: 512,
            cq_entries: 4096,
            buffers: 1024,
            buffer_bytes: 2048,
            sqpoll: None,
            napi: None,
            min_wait: None,
            wake: Wake::MsgRing,
            kernel_cpus: None,
        }
    }
}

/// Kernel: io_uring/io_uring.h, IORING_MAX_ENTRIES.
const SQ_ENTRIES_MAX: u32 = 32_768;
/// Kernel: io_uring/io_uring.h, IORING_MAX_CQ_ENTRIES.
const CQ_ENTRIES_MAX: u32 = 2 * SQ_ENTRIES_MAX;
/// Chosen: below it a request head comes in a dozen pieces; above it a buffer is larger than any send
/// of a peer that the kernel would put into it.
const BUFFER_BYTES: std::ops::RangeInclusive<u32> = 64..=1 << 20;

impl Settings {
    /// One sentence that names the flag, if these settings cannot be or exclude each other.
    pub fn refusal(&self) -> Option<String> {
        let power = |flag: &str, value: u32, max: u32| {
            let fits = value.is_power_of_two() && value <= max;
            (!fits).then(|| format!("{flag} {value}: it takes a power of two up to {max}"))
        };
        power("--sq-entries", self.sq_entries, SQ_ENTRIES_MAX)
            .or_else(|| power("--cq-entries", self.cq_entries, CQ_ENTRIES_MAX))
            .or_else(|| power("--buffers", self.buffers.into(), BUFFERS_MAX.into()))
            .or_else(|| self.exclusion())
    }

    fn exclusion(&self) -> Option<String> {
        if self.cq_entries < self.sq_entries {
            return Some(format!(
                "--cq-entries {} is below --sq-entries {}: every submission completes",
                self.cq_entries, self.sq_entries
            ));
        }
        if !BUFFER_BYTES.contains(&self.buffer_bytes) {
            let (least, most) = (BUFFER_BYTES.start(), BUFFER_BYTES.end());
            let asked = self.buffer_bytes;
            return Some(format!("--buffer-bytes {asked}: it takes {least} to {most}"));
        }
        if self.sqpoll.is_some() && self.task_run != TaskRun::Interrupt {
            return Some(
                "--sqpoll excludes --task-run defer and coop: the kernel's thread runs completions; \
                 leave --task-run out, or give --task-run interrupt"
                    .into(),
            );
        }
        match self.min_wait {
            Some(MinWait { completions: 0, .. }) => {
                Some("--min-wait: a batch has at least one completion".into())
            }
            Some(MinWait { span, .. }) if span < Nanos::from_micros(1) => {
                Some(format!("--min-wait {span}: the kernel counts in whole microseconds"))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(change: impl FnOnce(&mut Settings), flag: Option<&str>) {
        let mut settings = Settings::default();
        change(&mut settings);
        let refusal = settings.refusal();
        let named = refusal.as_ref().and_then(|refusal| refusal.split([' ', ':']).next());
        assert_eq!(named, flag, "{refusal:?}");
    }

    #[test]
    fn what_cannot_be_is_refused_and_the_flag_named() {
        check(|_| {}, None);
        check(|s| s.sq_entries = 500, Some("--sq-entries"));
        check(|s| (s.sq_entries, s.cq_entries) = (65_536, 65_536), Some("--sq-entries"));
        check(|s| (s.sq_entries, s.cq_entries) = (32_768, 65_536), None);
        check(|s| s.cq_entries = 0, Some("--cq-entries"));
        check(|s| s.cq_entries = 256, Some("--cq-entries"));
        check(|s| s.buffers = 3, Some("--buffers"));
        check(|s| s.buffers = 0, Some("--buffers"));
        check(|s| s.buffer_bytes = 63, Some("--buffer-bytes"));
        check(|s| s.buffer_bytes = 64, None);
        let sqpoll = Sqpoll { cpu: None, idle: Nanos::from_millis(1) };
        check(|s| s.sqpoll = Some(sqpoll), Some("--sqpoll"));
        check(|s| (s.sqpoll, s.task_run) = (Some(sqpoll), TaskRun::Coop), Some("--sqpoll"));
        check(|s| (s.sqpoll, s.task_run) = (Some(sqpoll), TaskRun::Interrupt), None);
        let min_wait = |span, completions| Some(MinWait { span: Nanos(span), completions });
        check(|s| s.min_wait = min_wait(1_000, 1), None);
        check(|s| s.min_wait = min_wait(1_000, 0), Some("--min-wait"));
        check(|s| s.min_wait = min_wait(999, 1), Some("--min-wait"));
    }
}
