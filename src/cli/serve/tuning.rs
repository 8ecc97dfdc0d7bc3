//! The flags that each change one thing about how bytes move, cores wait and threads stand: from what
//! was typed to what can run, or a sentence that names the flag.
//!
//! A flag that the backend cannot carry out is refused, never ignored: an experiment that changed
//! nothing is worse than none. What the kernel lacks becomes a note of the server instead.

use super::super::Failure;
use super::ServeArgs;
use crate::io::limits::{Policy, Scheduling};
use crate::io::net::SocketSettings;
use crate::io::topology::CpuList;
use crate::io::uring::{self, Sqpoll, TaskRun, Wake};
use crate::io::wait::WaitMode;
use crate::serve::Backend;
use crate::serve::threads::Threads;
use crate::units::Nanos;

/// Kernel: io_uring/sqpoll.c, what an idle time of 0 stands for.
const SQPOLL_IDLE: Nanos = Nanos::from_secs(1);

/// Which backends carry a flag about the ring out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Ours only.
    Uring,
    /// monoio's ring too; what it can do of it, the plan knows.
    AnyRing,
}

impl ServeArgs {
    /// The ring as typed, where nothing was typed as the backend has it.
    pub(super) fn ring(&self) -> Result<uring::Settings, Failure> {
        self.check_reach()?;
        let ring = self.backend.ring().unwrap_or_default();
        if let (None, Some(_)) = (&self.sqpoll, self.sqpoll_idle) {
            return Err(Failure::usage("--sqpoll-idle is about --sqpoll, which was not given"));
        }
        let sqpoll = self.sqpoll.as_ref().map(|_| Sqpoll {
            cpu: None, // each worker gets its own of the list
            idle: self.sqpoll_idle.unwrap_or(SQPOLL_IDLE),
        });
        // The kernel's thread runs completions then.
        let task_run = if sqpoll.is_some() { TaskRun::Interrupt } else { ring.task_run };
        let settings = uring::Settings {
            task_run: self.task_run.unwrap_or(task_run),
            accept_multishot: self.accept.unwrap_or(ring.accept_multishot),
            recv_multishot: self.recv.unwrap_or(ring.recv_multishot),
            direct_send: self.send.unwrap_or(ring.direct_send),
            fixed_files: self.fixed_files.unwrap_or(ring.fixed_files),
            registered_ring: self.registered_ring.unwrap_or(ring.registered_ring),
            no_iowait: self.no_iowait.unwrap_or(ring.no_iowait),
            sq_entries: self.sq_entries.unwrap_or(ring.sq_entries),
            cq_entries: self.cq_entries(&ring),
            buffers: self.buffers.unwrap_or(ring.buffers),
            buffer_bytes: self.buffer_bytes.unwrap_or(ring.buffer_bytes),
            sqpoll,
            napi: self.napi,
            min_wait: self.min_wait,
            wake: self.wake.unwrap_or(ring.wake),
            kernel_cpus: None, // the threads' affair
        };
        Ok(settings)
    }

    /// As typed, or in the backend's proportion to the submission queue.
    fn cq_entries(&self, ring: &uring::Settings) -> u32 {
        let proportion = ring.cq_entries / ring.sq_entries;
        let of_sq = self.sq_entries.map(|sq_entries| sq_entries.saturating_mul(proportion));
        self.cq_entries.or(of_sq).unwrap_or(ring.cq_entries)
    }

    /// Refuses what was typed for a ring that is not there, or is not ours.
    fn check_reach(&self) -> Result<(), Failure> {
        use Reach::{AnyRing, Uring};
        let typed = [
            ("--task-run", self.task_run.is_some(), AnyRing),
            ("--accept", self.accept.is_some(), Uring),
            ("--recv", self.recv.is_some(), Uring),
            ("--send", self.send.is_some(), Uring),
            ("--fixed-files", self.fixed_files.is_some(), Uring),
            ("--registered-ring", self.registered_ring.is_some(), Uring),
            ("--no-iowait", self.no_iowait.is_some(), Uring),
            ("--sq-entries", self.sq_entries.is_some(), AnyRing),
            ("--cq-entries", self.cq_entries.is_some(), AnyRing),
            ("--buffers", self.buffers.is_some(), Uring),
            ("--buffer-bytes", self.buffer_bytes.is_some(), Uring),
            ("--sqpoll", self.sqpoll.is_some(), AnyRing),
            ("--sqpoll-idle", self.sqpoll_idle.is_some(), AnyRing),
            ("--napi", self.napi.is_some(), Uring),
            ("--min-wait", self.min_wait.is_some(), Uring),
            ("--wake msgring", self.wake == Some(Wake::MsgRing), Uring),
        ];
        let refused = |reach: &Reach| match self.backend {
            Backend::Uring => false,
            Backend::MonoioUring => *reach == Uring,
            Backend::Epoll | Backend::MonoioEpoll => true,
        };
        let Some((flag, ..)) = typed.iter().find(|(_, typed, reach)| *typed && refused(reach))
        else {
            return Ok(());
        };
        let backend = self.backend;
        Err(Failure::usage(match backend {
            Backend::MonoioUring => {
                format!(
                    "{flag}: monoio decides that itself and has no way to tell it; use --backend uring"
                )
            }
            _ => format!("{flag} is about io_uring, which --backend {backend} does not use"),
        }))
    }

    /// The wait mode with its guard and budget.
    pub(super) fn wait(&self) -> Result<WaitMode, Failure> {
        if let WaitMode::Hybrid { guard, budget } = self.wait {
            let guard = self.spin_guard.unwrap_or(guard);
            let budget = self.spin_budget.unwrap_or(budget);
            return Ok(WaitMode::Hybrid { guard, budget });
        }
        let typed = [
            ("--spin-guard", self.spin_guard.is_some()),
            ("--spin-budget", self.spin_budget.is_some()),
        ];
        match typed.iter().find(|(_, typed)| *typed) {
            Some((flag, _)) => {
                Err(Failure::usage(format!("{flag} is about --wait hybrid, which was not given")))
            }
            None => Ok(self.wait),
        }
    }

    pub(super) fn sockets(&self) -> SocketSettings {
        let default = SocketSettings::default();
        SocketSettings {
            backlog: self.backlog,
            nodelay: self.nodelay.unwrap_or(default.nodelay),
            quickack: self.quickack.unwrap_or(default.quickack),
            busy_poll: self.busy_poll,
            incoming_cpu: self.incoming_cpu.unwrap_or(default.incoming_cpu),
        }
    }

    pub(super) fn threads(&self) -> Result<Threads, Failure> {
        let sqpoll_cpus = self.sqpoll.clone().flatten();
        check_there("--cpus", self.cpus.as_ref())?;
        check_there("--housekeeping-cpus", self.housekeeping_cpus.as_ref())?;
        check_there("--sqpoll", sqpoll_cpus.as_ref())?;
        if let (Some(Policy::Fifo(_) | Policy::RoundRobin(_)), Some(_)) = (self.sched, self.nice) {
            return Err(Failure::usage(
                "--nice is of no effect under --sched fifo and rr, whose priority decides",
            ));
        }
        Ok(Threads {
            scheduling: Scheduling { policy: self.sched, nice: self.nice },
            housekeeping_cpus: self.housekeeping_cpus.clone(),
            sqpoll_cpus,
            timer_slack: self.timer_slack,
            lock_memory: self.mlockall,
        })
    }
}

fn check_there(flag: &str, cpus: Option<&CpuList>) -> Result<(), Failure> {
    let checked = cpus.map_or(Ok(()), CpuList::check_online);
    checked.map_err(|error| Failure::usage(format!("{flag}: {error}")))
}
