//! How the server's threads stand to the machine: on which CPUs, before whom, with which memory.
//!
//! Not here: how they wait, and what they do; see `worker`.

use crate::io::limits::{Scheduling, TIMER_SLACK_MIN, lock_memory, set_timer_slack};
use crate::io::topology::{self, CpuList};
use crate::io::uring;
use crate::units::Nanos;

/// What can be set about threads and memory. The default leaves all but the timer slack to the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Threads {
    /// Policy and nice value of the workers.
    pub scheduling: Scheduling,
    /// CPUs left to the kernel and to all threads of the process that are not workers: no worker is
    /// pinned there, the ring's kernel workers (io-wq) stay there, and so does the thread that starts
    /// the server, with all that it starts later. The kernel's word for such CPUs, as in `isolcpus`.
    pub housekeeping_cpus: Option<CpuList>,
    /// CPUs of the SQPOLL threads, dealt out to the workers in turn; `None`: any.
    pub sqpoll_cpus: Option<CpuList>,
    /// How late the kernel may end a worker's sleep, to save a wake-up; `None`: as little as can be.
    pub timer_slack: Option<Nanos>,
    /// Keep all memory of the process from being paged out (mlockall).
    pub lock_memory: bool,
}

impl Threads {
    /// The settings of the ring of worker `core`.
    pub(super) fn ring(&self, ring: &uring::Settings, core: usize) -> uring::Settings {
        let mut ring = ring.clone();
        if let (Some(sqpoll), Some(cpus)) = (&mut ring.sqpoll, &self.sqpoll_cpus) {
            sqpoll.cpu = cpus.cpus().iter().cycle().nth(core).copied();
        }
        ring.kernel_cpus.clone_from(&self.housekeeping_cpus);
        ring
    }

    /// The slack of the workers' timers.
    pub fn timer_slack(&self) -> Nanos {
        self.timer_slack.unwrap_or(TIMER_SLACK_MIN)
    }

    /// Gives the calling thread, a worker, its timer slack.
    pub(super) fn settle_slack(&self) {
        set_timer_slack(self.timer_slack());
    }

    /// Moves the calling thread out of the workers' way; what the kernel refused.
    pub(super) fn settle_starter(&self) -> Option<String> {
        let cpus = self.housekeeping_cpus.as_ref()?;
        let refusal = topology::keep_to(cpus).err()?;
        Some(format!("--housekeeping-cpus: the kernel refused them: {refusal}"))
    }

    /// Once everything is allocated: locks it, and says what the kernel refused.
    pub(super) fn settle_memory(&self) -> Option<String> {
        if self.lock_memory { lock_memory().err() } else { None }
    }
}
