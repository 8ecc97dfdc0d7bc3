//! What a server is to be: what moves its bytes, where it listens, on which CPUs, within which limits.
//!
//! A [`Plan`] says by itself whether it can run; nothing here opens anything. Not here: typing it, see
//! `cli`; starting it, see `server`. Start at [`Plan::refusal`].

use super::monoio;
use super::settings::Settings;
use super::threads::Threads;
use crate::home::CORES_MAX;
use crate::io::net::SocketSettings;
use crate::io::topology::CpuList;
use crate::io::uring::{self, TaskRun};
use crate::io::wait::WaitMode;
use std::net::SocketAddr;

/// What moves the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// The hand-tuned ring.
    Uring,
    /// The hand-tuned epoll loop.
    Epoll,
    /// The monoio runtime on io_uring.
    MonoioUring,
    /// The monoio runtime on epoll.
    MonoioEpoll,
}

impl Backend {
    /// All of them.
    pub const ALL: [Backend; 4] =
        [Backend::Uring, Backend::Epoll, Backend::MonoioUring, Backend::MonoioEpoll];

    /// What its ring is like unless told otherwise; `None` without a ring. monoio sets no flags of its
    /// own accord, and of the settings only `task_run` and the entries can be set there.
    pub fn ring(self) -> Option<uring::Settings> {
        let ours = uring::Settings::default();
        match self {
            Backend::Uring => Some(ours),
            Backend::MonoioUring => Some(uring::Settings {
                task_run: TaskRun::Interrupt,
                sq_entries: monoio::SQ_ENTRIES,
                cq_entries: 2 * monoio::SQ_ENTRIES,
                ..ours
            }),
            Backend::Epoll | Backend::MonoioEpoll => None,
        }
    }

    /// Runs on monoio.
    pub fn is_monoio(self) -> bool {
        matches!(self, Backend::MonoioUring | Backend::MonoioEpoll)
    }
}

/// A server that can be started.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where to listen; port 0 lets the kernel choose.
    pub listen: SocketAddr,
    /// What moves the bytes.
    pub backend: Backend,
    /// The CPUs that workers are pinned to; `None`: wherever the scheduler puts them.
    pub cpus: Option<CpuList>,
    /// How many workers, dealt out to `cpus` in turn; `None`: one per CPU, or one.
    pub workers: Option<usize>,
    /// How workers wait.
    pub wait: WaitMode,
    /// The ring's settings, for backends that have one; see [`Backend::ring`].
    pub ring: uring::Settings,
    /// The listening sockets and what is accepted from them.
    pub sockets: SocketSettings,
    /// CPUs, priority and memory.
    pub threads: Threads,
    /// Limits and latencies.
    pub settings: Settings,
}

impl Plan {
    /// One worker that is not pinned, on a port of the kernel's choice on loopback; everything else as
    /// it is by default.
    pub fn new(backend: Backend) -> Plan {
        Plan {
            listen: ([127, 0, 0, 1], 0).into(),
            backend,
            cpus: None,
            workers: None,
            wait: WaitMode::Block,
            ring: backend.ring().unwrap_or_default(),
            sockets: SocketSettings::default(),
            threads: Threads::default(),
            settings: Settings::default(),
        }
    }

    /// Why this plan cannot run, if it cannot: one sentence that names the flags.
    pub fn refusal(&self) -> Option<String> {
        let about_the_ring = match self.backend {
            Backend::Uring => self.ring.refusal(),
            Backend::MonoioUring => self.refusal_of_monoio().or_else(|| self.ring.refusal()),
            Backend::Epoll | Backend::MonoioEpoll => None,
        };
        about_the_ring
            .or_else(|| self.refusal_of_waiting())
            .or_else(|| self.refusal_of_placing())
            .or_else(|| self.refusal_of_workers())
    }

    fn refusal_of_waiting(&self) -> Option<String> {
        match self.wait {
            WaitMode::Hybrid { .. } if self.backend.is_monoio() => Some(
                "--wait hybrid: monoio decides itself when to sleep; its backends have block and spin"
                    .into(),
            ),
            WaitMode::Spin if self.backend == Backend::Uring && self.ring.min_wait.is_some() => {
                Some("--min-wait is about sleeping, which --wait spin never does".into())
            }
            _ => None,
        }
    }

    /// What monoio cannot do.
    fn refusal_of_monoio(&self) -> Option<String> {
        if self.ring.sqpoll.is_some() {
            return Some(
                "--sqpoll: monoio's submission panics where the kernel's thread has not made room \
                 yet; use --backend uring"
                    .into(),
            );
        }
        if self.ring.sq_entries < monoio::SQ_ENTRIES_MIN {
            return Some(format!(
                "--sq-entries {}: monoio takes {} or more",
                self.ring.sq_entries,
                monoio::SQ_ENTRIES_MIN
            ));
        }
        let unseen = self.wait == WaitMode::Spin && self.ring.task_run == TaskRun::Defer;
        unseen.then(|| {
            "--wait spin: monoio takes deferred completions only when it sleeps; leave --task-run \
             defer out, or use --wait block"
                .into()
        })
    }

    /// What needs workers that stand still.
    fn refusal_of_placing(&self) -> Option<String> {
        if self.sockets.quickack && self.backend.is_monoio() {
            return Some(
                "--quickack: the kernel forgets it at each answer, and monoio has no place to set it \
                 again; use --backend uring or epoll"
                    .into(),
            );
        }
        if self.sockets.incoming_cpu && self.cpus.is_none() {
            return Some(
                "--incoming-cpu needs --cpus: a worker that is not pinned has no CPU to prefer"
                    .into(),
            );
        }
        let housekeeping = self.threads.housekeeping_cpus.as_ref()?;
        match &self.cpus {
            None => Some(
                "--housekeeping-cpus needs --cpus: a worker that is not pinned runs anywhere"
                    .into(),
            ),
            Some(cpus) if cpus.without(housekeeping).is_none() => {
                Some(format!("--housekeeping-cpus {housekeeping} leaves none of --cpus {cpus}"))
            }
            Some(_) => None,
        }
    }

    fn refusal_of_workers(&self) -> Option<String> {
        match self.workers {
            Some(0) => Some("--workers 0 would serve nobody".into()),
            Some(n) if n > CORES_MAX => {
                Some(format!("--workers {n} is more than the {CORES_MAX} that can take part"))
            }
            _ => None,
        }
    }

    /// The CPUs that workers are pinned to, without those left to the kernel.
    pub fn worker_cpus(&self) -> Option<CpuList> {
        let cpus = self.cpus.as_ref()?;
        match &self.threads.housekeeping_cpus {
            Some(housekeeping) => cpus.without(housekeeping),
            None => Some(cpus.clone()),
        }
    }

    /// The CPU of each worker.
    pub fn cores(&self) -> Vec<Option<usize>> {
        let cpus: Vec<Option<usize>> = self
            .worker_cpus()
            .map_or(vec![None], |list| list.cpus().iter().copied().map(Some).collect());
        let workers = self.workers.unwrap_or(cpus.len());
        cpus.into_iter().cycle().take(workers).collect()
    }
}

/// What the metrics and threads call each worker: its CPU, and which of the workers there it is.
pub(super) fn labels(cores: &[Option<usize>]) -> Vec<String> {
    let name = |cpu: &Option<usize>| cpu.map_or("any".to_string(), |cpu| cpu.to_string());
    let nth = |core: usize| cores[..core].iter().filter(|cpu| **cpu == cores[core]).count();
    (0..cores.len())
        .map(|core| match nth(core) {
            0 => name(&cores[core]),
            nth => format!("{}.{nth}", name(&cores[core])),
        })
        .collect()
}

#[cfg(test)]
mod tests;
