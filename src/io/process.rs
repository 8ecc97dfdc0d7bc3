//! Child processes that do what they are told, end when they must, and are never left behind.
//!
//! A [`Child`] runs on the CPUs it is given, in a process group of its own (so that Ctrl-C reaches
//! only the parent, which then decides), with a clean signal mask, and gets SIGTERM when the
//! thread that started it ends, however that comes about. It is waited for, and signalled, through
//! its pidfd: no sleeping, and no signal ever reaches a stranger that inherited its number.
//!
//! Not here: what the child is for, its output, its readiness; see `bench::target`.

use super::clock::{MonotonicClock, timespec};
use super::topology::{CpuList, cpu_set};
use crate::clock::Clock;
use crate::units::{Mono, Nanos};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus};

/// A running child. Dropping it ends it at once.
#[derive(Debug)]
pub struct Child {
    inner: std::process::Child,
    pidfd: OwnedFd,
    /// Set once it was reaped; its number may belong to somebody else from then on.
    ended: Option<ExitStatus>,
}

impl Child {
    /// Starts `command` on `cpus`. Errors are the kernel's: no such program, no such CPU, no more
    /// processes allowed.
    pub fn spawn(command: &mut Command, cpus: &CpuList) -> io::Result<Child> {
        let affinity = cpu_set(cpus);
        let parent = std::process::id();
        // SAFETY: the closure runs in the child between fork and exec. It owns what it reads, and
        // makes plain system calls only: no lock, no allocation on the way that succeeds.
        unsafe { command.pre_exec(move || settle(&affinity, parent)) };
        let mut inner = command.process_group(0).spawn()?;
        match pidfd_open(inner.id()) {
            Ok(pidfd) => Ok(Child { inner, pidfd, ended: None }),
            Err(error) => {
                inner.kill()?;
                inner.wait()?;
                Err(error)
            }
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.inner.id()
    }

    /// Sleeps until the child has ended, at most for `span`; `None` if it still runs.
    pub fn wait_for(&mut self, span: Nanos) -> io::Result<Option<ExitStatus>> {
        if self.ended.is_none() && becomes_readable(&self.pidfd, span)? {
            self.reap()?;
        }
        Ok(self.ended)
    }

    /// Asks the child to end (SIGTERM), and after `grace` makes it (SIGKILL). What it leaves in its
    /// process group is killed then. Returns how it ended.
    pub fn stop(&mut self, grace: Nanos) -> io::Result<ExitStatus> {
        if let Some(status) = self.ended {
            return Ok(status);
        }
        signal(&self.pidfd, libc::SIGTERM)?;
        if !becomes_readable(&self.pidfd, grace)? {
            signal(&self.pidfd, libc::SIGKILL)?;
        }
        self.reap()
    }

    /// The child must have ended or be about to. Its group goes first: until the child is reaped,
    /// nobody else can have its number, so the group's is ours too.
    fn reap(&mut self) -> io::Result<ExitStatus> {
        becomes_readable(&self.pidfd, REAP_MAX)?;
        kill_group_members(self.inner.id());
        let status = self.inner.wait()?;
        self.ended = Some(status);
        Ok(status)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.ended.is_none() {
            // Nobody is left to tell: both can fail only if the child is gone already.
            let _ = signal(&self.pidfd, libc::SIGKILL);
            let _ = self.reap();
        }
    }
}

/// Chosen: a killed process ends within this, unless the kernel itself hangs.
const REAP_MAX: Nanos = Nanos::from_secs(5);

/// CLK_TCK: the unit of the times in `/proc/PID/stat`, 100 per second on every Linux in use.
pub fn clock_ticks_per_second() -> u64 {
    // SAFETY: takes and returns numbers.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    u64::try_from(ticks).unwrap_or(100)
}

/// The fields of `/proc/PID/stat` that follow the name, which may itself hold spaces and brackets:
/// state first, then parent, then process group (proc_pid_stat(5), field 3 onwards).
pub fn stat_fields(stat: &str) -> Option<impl Iterator<Item = &str>> {
    Some(stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace())
}

/// In the child, before exec.
fn settle(affinity: &libc::cpu_set_t, parent: u32) -> io::Result<()> {
    // SAFETY: the kernel reads `affinity` during the call; 0 is the calling thread.
    checked(unsafe { libc::sched_setaffinity(0, size_of_val(affinity), affinity) })?;
    // The parent blocks SIGINT and SIGTERM to wait for them; a child that inherited this could not
    // be asked to end.
    // SAFETY: an all-zero sigset_t is valid storage, sigemptyset initialises it, and the kernel
    // reads it during the call.
    checked(unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut())
    })?;
    // SAFETY: takes numbers only.
    checked(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) })?;
    // SAFETY: takes nothing.
    let parent_now = unsafe { libc::getppid() };
    // The parent may have died before the line above could ask for the signal.
    if parent_now as u32 != parent {
        Err(io::Error::from_raw_os_error(libc::ECHILD))
    } else {
        Ok(())
    }
}

fn pidfd_open(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: takes numbers only.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid as libc::pid_t, 0) };
    checked(fd as libc::c_int)?;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) })
}

/// An ended process that is not reaped yet takes a signal without complaint.
fn signal(pidfd: &OwnedFd, signal: libc::c_int) -> io::Result<()> {
    let no_siginfo = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: the descriptor is open during the call; a null siginfo asks for the default one.
    let outcome = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, no_siginfo, 0)
    };
    checked(outcome as libc::c_int)
}

/// A pidfd is readable from when its process has ended.
fn becomes_readable(pidfd: &OwnedFd, within: Nanos) -> io::Result<bool> {
    let until = MonotonicClock.now() + within;
    loop {
        match poll_once(pidfd, until) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            outcome => return outcome,
        }
    }
}

fn poll_once(pidfd: &OwnedFd, until: Mono) -> io::Result<bool> {
    let left = until.saturating_since(MonotonicClock.now());
    let timeout = timespec(left.0);
    let mut entry = libc::pollfd { fd: pidfd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: the kernel reads `timeout` and writes the one `entry` during the call; a null mask
    // leaves the signals as they are.
    let ready = unsafe { libc::ppoll(&mut entry, 1, &timeout, std::ptr::null()) };
    checked(ready).map(|()| ready > 0)
}

/// Kills what else is in the process group of `leader`, each by its own number and pidfd.
fn kill_group_members(leader: u32) {
    let Ok(entries) = std::fs::read_dir("/proc") else { return };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    for pid in pids.filter(|pid| *pid != leader && group_of(*pid) == Some(leader)) {
        let Ok(pidfd) = pidfd_open(pid) else { continue };
        // Again, now that the number can no longer change hands.
        if group_of(pid) == Some(leader) {
            // It fails only if the process has ended, which is what is wanted.
            let _ = signal(&pidfd, libc::SIGKILL);
        }
    }
}

fn group_of(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat_fields(&stat)?.nth(2)?.parse().ok()
}

fn checked(outcome: libc::c_int) -> io::Result<()> {
    if outcome < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::topology::usable_cpus;
    use std::io::Read;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Stdio;

    fn first_cpu() -> CpuList {
        CpuList::one(usable_cpus()[0])
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        command
    }

    #[test]
    fn a_child_that_ends_is_seen_at_once_and_remembered() {
        let mut child = Child::spawn(&mut shell("exit 7"), &first_cpu()).unwrap();
        let status = child.wait_for(Nanos::from_secs(10)).unwrap().expect("it has ended");
        assert_eq!(status.code(), Some(7));
        assert_eq!(child.stop(Nanos::ZERO).unwrap().code(), Some(7));
    }

    #[test]
    fn a_child_that_runs_on_is_asked_to_end() {
        let mut child = Child::spawn(&mut shell("read line"), &first_cpu()).unwrap();
        assert!(child.wait_for(Nanos::ZERO).unwrap().is_none());
        let status = child.stop(Nanos::from_secs(10)).unwrap();
        assert_eq!(status.signal(), Some(libc::SIGTERM));
    }

    #[test]
    fn a_child_that_ignores_being_asked_is_made_to_end() {
        let mut child =
            Child::spawn(&mut shell("trap '' TERM; echo deaf; read line"), &first_cpu()).unwrap();
        let mut said = [0; 4];
        child.inner.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
        let status = child.stop(Nanos::ZERO).unwrap();
        assert_eq!(status.signal(), Some(libc::SIGKILL));
    }

    #[test]
    fn what_a_child_leaves_in_its_group_ends_with_it() {
        // The grandchild holds the pipe open; end of file says that it is gone.
        let mut child =
            Child::spawn(&mut shell("(trap '' TERM; read line <&3) 3<&0 & exit 0"), &first_cpu())
                .unwrap();
        let mut stdout = child.inner.stdout.take().unwrap();
        let _stdin_held_open = child.inner.stdin.take();
        child.wait_for(Nanos::from_secs(10)).unwrap().expect("it has ended");
        assert_eq!(stdout.read_to_end(&mut Vec::new()).unwrap(), 0);
    }

    #[test]
    fn a_child_runs_where_it_is_told() {
        let mut command = Command::new("/bin/cat");
        command.arg("/proc/self/status").stdout(Stdio::piped());
        let mut child = Child::spawn(&mut command, &first_cpu()).unwrap();
        let mut status = String::new();
        child.inner.stdout.take().unwrap().read_to_string(&mut status).unwrap();
        let expected = format!("Cpus_allowed_list:\t{}\n", first_cpu());
        assert!(status.contains(&expected), "{status}");
    }

    #[test]
    fn the_fields_of_stat_start_after_the_last_bracket() {
        let fields = |stat| stat_fields(stat).map(|fields| fields.collect::<Vec<_>>());
        assert_eq!(fields("7 (a b) c) S 1 7"), Some(vec!["S", "1", "7"]));
        assert_eq!(fields("7 (cat"), None);
    }
}
