//! What the kernel allows this process and its threads: descriptors, timer slack, priority, memory.

use std::io;

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

/// Lets the kernel delay the calling thread's wake-ups by no more than 1 ns instead of the default
/// 50 us (prctl(2), PR_SET_TIMERSLACK).
pub fn minimise_timer_slack() {
    // SAFETY: takes no pointers. It cannot fail for a positive slack; if it did, sleeps would only
    // be less exact.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1 as libc::c_ulong, 0, 0, 0) };
}

/// How the scheduler treats a thread; see sched(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheduling {
    /// SCHED_OTHER at this nice value, -20 (first) to 19 (last).
    Nice(i8),
    /// SCHED_BATCH: no preemption of others on wake-up.
    Batch,
    /// SCHED_FIFO at this priority, 1 to 99. A spinning thread is throttled by
    /// kernel.sched_rt_runtime_us, and starves everything else on its CPU meanwhile.
    Fifo(u8),
}

/// Makes the scheduler treat the calling thread as `scheduling` says.
///
/// # Errors
/// Mostly EPERM, with the privilege that is missing.
pub fn set_scheduling(scheduling: Scheduling) -> io::Result<()> {
    let (policy, priority) = match scheduling {
        Scheduling::Nice(nice) => return set_nice(nice),
        Scheduling::Batch => (libc::SCHED_BATCH, 0),
        Scheduling::Fifo(priority) => (libc::SCHED_FIFO, priority),
    };
    let parameters = libc::sched_param { sched_priority: priority.into() };
    // SAFETY: the kernel reads `parameters` during the call; 0 is the calling thread.
    match unsafe { libc::sched_setscheduler(0, policy, &parameters) } {
        0 => Ok(()),
        _ => Err(explain("the scheduling policy", "CAP_SYS_NICE or `ulimit -r`")),
    }
}

fn set_nice(nice: i8) -> io::Result<()> {
    // SAFETY: takes no pointers; 0 is the calling thread.
    match unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice.into()) } {
        0 => Ok(()),
        _ => Err(explain("the nice value", "CAP_SYS_NICE or `ulimit -e`")),
    }
}

/// Keeps all memory of this process, present and future, from being paged out.
///
/// # Errors
/// Mostly ENOMEM or EPERM, with the limit that is in the way.
pub fn lock_memory() -> io::Result<()> {
    // SAFETY: takes no pointers.
    match unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE) } {
        0 => Ok(()),
        _ => Err(explain("locking memory", "CAP_IPC_LOCK or `ulimit -l unlimited`")),
    }
}

fn explain(what: &str, needs: &str) -> io::Error {
    let error = io::Error::last_os_error();
    io::Error::new(error.kind(), format!("the kernel refused {what}: {error}; it needs {needs}"))
}
