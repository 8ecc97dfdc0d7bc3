//! SIGINT and SIGTERM as something that a thread waits for, instead of something that interrupts it.
//!
//! [`block_termination`] before any thread starts (threads inherit the mask), then
//! [`wait_for_termination`] wherever it suits. No handler runs, so nothing here can race.

use std::io;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Keeps SIGINT and SIGTERM pending for this thread and the threads it starts. Children inherit it
/// too; whoever spawns one resets its mask.
pub fn block_termination() {
    let set = termination_set();
    // SAFETY: the kernel reads `set` during the call; no old mask is asked for.
    let outcome = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()) };
    assert_eq!(outcome, 0, "blocking two valid signals cannot fail");
}

/// Sleeps until SIGINT or SIGTERM is pending and takes it; its number. [`block_termination`] must have
/// been called before the first thread was started.
pub fn wait_for_termination() -> i32 {
    let set = termination_set();
    let mut signal = 0;
    loop {
        // SAFETY: the kernel reads `set` and writes `signal` during the call.
        if unsafe { libc::sigwait(&set, &mut signal) } == 0 {
            return signal;
        }
    }
}

/// A flag that the first SIGINT or SIGTERM raises; the second ends the process at once, as an
/// impatient user expects. Starts one thread; call it once, before any other thread starts.
pub fn stop_flag() -> io::Result<Arc<AtomicBool>> {
    block_termination();
    let flag = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&flag);
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        wait_for_termination();
        raised.store(true, Ordering::SeqCst);
        let signal = wait_for_termination();
        end_now(signal);
    })?;
    Ok(flag)
}

/// Ends the process as an unhandled `signal` would have: the shell's convention of 128 + number.
pub fn end_now(signal: i32) -> ! {
    // SAFETY: takes no pointers and does not return; nothing of ours needs to run first.
    unsafe { libc::_exit(128 + signal) }
}

fn termination_set() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the whole set, sigaddset changes it; both only fail for
    // invalid signal numbers.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGINT);
        libc::sigaddset(set.as_mut_ptr(), libc::SIGTERM);
        set.assume_init()
    }
}
