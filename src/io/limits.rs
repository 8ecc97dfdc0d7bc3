//! What the kernel allows this process and its threads: descriptors, timer slack, priority, memory.

use crate::units::Nanos;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// How many descriptors this process may hold. The soft limit is raised to the hard one first, so
/// that only an administrator's limit is ever in the way (`ulimit -Hn`).
pub fn descriptor_limit() -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes `limit` during the call.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if limit.rlim_cur < limit.rlim_max {
        let raised = libc::rlimit { rlim_cur: limit.rlim_max, rlim_max: limit.rlim_max };
        // SAFETY: the kernel reads `raised` during the call.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raised) } == 0 {
            limit = raised;
        }
    }
    Ok(limit.rlim_cur)
}

/// Makes room for `count` descriptors in the kernel's table of them, 8 bytes each, or for as many as
/// [`descriptor_limit`] allows.
///
/// The table doubles when a descriptor falls beyond it, and in a process of several threads whoever
/// opened that one sleeps for a grace period of RCU (`expand_fdtable` in the kernel's fs/file.c). That
/// is 10 ms and more in which a loop does nothing, just when connections grow in number. It never
/// shrinks, so it is made as large as it will be before anybody is served, best of all before there is
/// a second thread. What the kernel refuses costs no more than that time later.
pub fn reserve_descriptors(count: u64) {
    let last = descriptor_limit().map_or(count, |limit| limit.min(count)).saturating_sub(1);
    let Ok(last) = libc::c_int::try_from(last) else { return };
    let Ok((any, _)) = io::pipe() else { return };
    // SAFETY: takes and gives plain numbers.
    let copy = unsafe { libc::fcntl(any.as_raw_fd(), libc::F_DUPFD_CLOEXEC, last) };
    if copy >= 0 {
        // SAFETY: the kernel has just opened it, and nobody else knows of it.
        drop(unsafe { OwnedFd::from_raw_fd(copy) });
    }
}

/// The least slack there is, instead of the kernel's own 50 us.
pub const TIMER_SLACK_MIN: Nanos = Nanos(1);

/// Lets the kernel delay the calling thread's wake-ups by no more than [`TIMER_SLACK_MIN`].
pub fn minimise_timer_slack() {
    set_timer_slack(TIMER_SLACK_MIN);
}

/// Lets the kernel delay the calling thread's wake-ups by up to `slack` (prctl(2), PR_SET_TIMERSLACK);
/// zero stands for what the thread began with.
pub fn set_timer_slack(slack: Nanos) {
    // SAFETY: takes no pointers. Any number is a slack; were it refused, sleeps would only be less
    // exact.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, slack.0 as libc::c_ulong, 0, 0, 0) };
}

/// How the scheduler treats a thread; see sched(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// SCHED_OTHER, the kernel's default.
    Other,
    /// SCHED_BATCH: as `Other`, but it does not preempt others when it wakes up.
    Batch,
    /// SCHED_FIFO at this priority, 1 to 99: runs until it sleeps. A thread that spins is throttled by
    /// kernel.sched_rt_runtime_us, and starves everything else on its CPU meanwhile.
    Fifo(u8),
    /// SCHED_RR: as `Fifo`, in turns with others of its priority.
    RoundRobin(u8),
}

/// Policy and nice value of a thread; `None` leaves what it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scheduling {
    /// The policy.
    pub policy: Option<Policy>,
    /// -20 (first) to 19 (last); of no effect under `Fifo` and `RoundRobin`.
    pub nice: Option<i8>,
}

impl Scheduling {
    /// Makes the scheduler treat the calling thread so. What the kernel refuses, one sentence each.
    pub fn apply(&self) -> Vec<String> {
        let policy = self.policy.map(|policy| {
            let what = "--sched: the kernel refused the policy";
            set_policy(policy).map_err(|error| refused(what, &error, "CAP_SYS_NICE or `ulimit -r`"))
        });
        let nice = self.nice.map(|nice| {
            let what = "--nice: the kernel refused the value";
            set_nice(nice).map_err(|error| refused(what, &error, "CAP_SYS_NICE or `ulimit -e`"))
        });
        [policy, nice].into_iter().flatten().filter_map(Result::err).collect()
    }
}

fn set_policy(policy: Policy) -> io::Result<()> {
    let (policy, priority) = match policy {
        Policy::Other => (libc::SCHED_OTHER, 0),
        Policy::Batch => (libc::SCHED_BATCH, 0),
        Policy::Fifo(priority) => (libc::SCHED_FIFO, priority),
        Policy::RoundRobin(priority) => (libc::SCHED_RR, priority),
    };
    let parameters = libc::sched_param { sched_priority: priority.into() };
    // SAFETY: the kernel reads `parameters` during the call; 0 is the calling thread.
    match unsafe { libc::sched_setscheduler(0, policy, &parameters) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn set_nice(nice: i8) -> io::Result<()> {
    // SAFETY: takes no pointers; 0 is the calling thread.
    match unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice.into()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Keeps all memory of this process, present and future, from being paged out (mlockall(2)).
///
/// # Errors
/// One sentence with the limit that is in the way.
pub fn lock_memory() -> Result<(), String> {
    // SAFETY: takes no pointers.
    match unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE) } {
        0 => Ok(()),
        _ => {
            let error = io::Error::last_os_error();
            let needs = "CAP_IPC_LOCK or `ulimit -l unlimited`";
            Err(refused("--mlockall: the kernel refused to lock memory", &error, needs))
        }
    }
}

fn refused(what: &str, error: &io::Error, needs: &str) -> String {
    format!("{what}: {error}; it needs {needs}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_descriptors_has_room_for_what_was_reserved() {
        reserve_descriptors(0);
        reserve_descriptors(900);
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let slots = status.lines().find_map(|line| line.strip_prefix("FDSize:")).unwrap();
        assert!(slots.trim().parse::<u64>().unwrap() >= 900, "{slots}");
    }
}
