//! What the kernel allows this process: descriptors, timer slack.

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
