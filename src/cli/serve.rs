//! `ringpace serve`: flags to a [`Plan`].

use super::{Failure, print};
use crate::clock::Clock;
use crate::http::HeadLimits;
use crate::io::clock::MonotonicClock;
use crate::io::signal;
use crate::io::topology::CpuList;
use crate::io::uring::{self, TaskRun};
use crate::io::wait::WaitMode;
use crate::serve::settings::Settings;
use crate::serve::{Backend, Plan, Server};
use crate::units::{Mono, Nanos};
use argh::FromArgs;
use std::fmt;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::str::FromStr;

/// Serve the smart-home API until SIGINT or SIGTERM.
#[derive(FromArgs)]
#[argh(subcommand, name = "serve")]
pub(super) struct ServeArgs {
    /// address and port, default 127.0.0.1:8080; port 0 lets the kernel choose
    #[argh(option, default = "SocketAddr::from(([127, 0, 0, 1], 8080))", from_str_fn(listen))]
    listen: SocketAddr,

    /// uring (default), epoll, monoio-uring or monoio-epoll
    #[argh(option, default = "Backend::Uring")]
    backend: Backend,

    /// pin one worker to each of these CPUs, such as 0 or 0-3,6; default: one worker, not pinned
    #[argh(option)]
    cpus: Option<CpuList>,

    /// how many workers, dealt out to --cpus in turn; default: one for each of --cpus
    #[argh(option)]
    workers: Option<usize>,

    /// block (default), hybrid or spin: how a worker waits for work
    #[argh(option, default = "WaitMode::Block")]
    wait: WaitMode,

    /// when io_uring runs completions: defer (default of uring), coop, or interrupt (default of
    /// monoio-uring, which sets no flags then)
    #[argh(option)]
    task_run: Option<TaskRun>,

    /// how long a device takes to carry out a command, default 2ms
    #[argh(option, default = "Settings::default().device_latency")]
    device_latency: Nanos,

    /// how long a long poll waits for an event, default 500ms
    #[argh(option, default = "Settings::default().poll_timeout")]
    poll_timeout: Nanos,

    /// connections that may wait to be accepted, default 4096
    #[argh(option, default = "4096")]
    backlog: u32,

    /// largest request line in bytes, default 16384 (414 beyond)
    #[argh(option, default = "HeadLimits::default().line_bytes_max")]
    line_bytes_max: usize,

    /// largest request head in bytes, default 32768 (431 beyond)
    #[argh(option, default = "HeadLimits::default().head_bytes_max")]
    head_bytes_max: usize,

    /// most fields in a request head, default 100 (431 beyond)
    #[argh(option, default = "HeadLimits::default().fields_max")]
    fields_max: usize,

    /// largest request content in bytes, default 65536 (413 beyond)
    #[argh(option, default = "HeadLimits::default().body_bytes_max")]
    body_bytes_max: u64,

    /// time for a whole request head, default 10s (408 beyond)
    #[argh(option, default = "Settings::default().head_timeout")]
    head_timeout: Nanos,

    /// time for a whole request content, default 30s (408 beyond)
    #[argh(option, default = "Settings::default().content_timeout")]
    content_timeout: Nanos,

    /// how long an idle connection is kept, default 75s
    #[argh(option, default = "Settings::default().idle_timeout")]
    idle_timeout: Nanos,

    /// how long a peer may take to read its answers, default 60s
    #[argh(option, default = "Settings::default().write_timeout")]
    write_timeout: Nanos,

    /// how long a shutdown waits for what is open, default 5s
    #[argh(option, default = "Settings::default().drain_timeout")]
    drain_timeout: Nanos,

    /// also answer GET / with OK and POST / with its content, for independent HTTP suites
    #[argh(switch)]
    echo: bool,

    /// say in a Server-Timing field where a request's time went: queue, work, device or event
    #[argh(switch)]
    server_timing: bool,
}

impl ServeArgs {
    fn server_timing(&self) -> Option<fn() -> Mono> {
        self.server_timing.then_some(|| MonotonicClock.now())
    }

    /// The plan, or the flag that is wrong.
    fn plan(&self) -> Result<Plan, Failure> {
        if let Some(cpus) = &self.cpus {
            cpus.check_online().map_err(|error| Failure::usage(format!("--cpus: {error}")))?;
        }
        self.check_positive()?;
        let head = HeadLimits {
            line_bytes_max: self.line_bytes_max,
            head_bytes_max: self.head_bytes_max,
            fields_max: self.fields_max,
            body_bytes_max: self.body_bytes_max,
        };
        let settings = Settings {
            device_latency: self.device_latency,
            poll_timeout: self.poll_timeout,
            echo: self.echo,
            server_timing: self.server_timing(),
            head,
            head_timeout: self.head_timeout,
            content_timeout: self.content_timeout,
            idle_timeout: self.idle_timeout,
            write_timeout: self.write_timeout,
            drain_timeout: self.drain_timeout,
            ..Settings::default()
        };
        let plan = Plan {
            listen: self.listen,
            backend: self.backend,
            cpus: self.cpus.clone(),
            workers: self.workers,
            wait: self.wait,
            ring: uring::Settings { task_run: self.task_run()?, ..uring::Settings::default() },
            backlog: self.backlog,
            settings,
        };
        plan.refusal().map_or(Ok(plan), |refusal| Err(Failure::usage(refusal)))
    }

    /// As typed, or the backend's own.
    fn task_run(&self) -> Result<TaskRun, Failure> {
        match (self.task_run, self.backend.task_run()) {
            (Some(_), None) => Err(Failure::usage(format!(
                "--task-run is about io_uring, which --backend {} does not use",
                self.backend
            ))),
            (Some(typed), Some(_)) => Ok(typed),
            (None, default) => Ok(default.unwrap_or(uring::Settings::default().task_run)),
        }
    }

    /// Refuses what would make a server that answers nothing.
    fn check_positive(&self) -> Result<(), Failure> {
        let spans = [
            ("--head-timeout", self.head_timeout),
            ("--content-timeout", self.content_timeout),
            ("--idle-timeout", self.idle_timeout),
            ("--write-timeout", self.write_timeout),
        ];
        if let Some((flag, _)) = spans.iter().find(|(_, span)| *span == Nanos::ZERO) {
            return Err(Failure::usage(format!("{flag} 0 would end every connection at once")));
        }
        let sizes = [
            ("--line-bytes-max", self.line_bytes_max),
            ("--head-bytes-max", self.head_bytes_max),
            ("--fields-max", self.fields_max),
            ("--backlog", self.backlog as usize),
        ];
        match sizes.iter().find(|(_, size)| *size == 0) {
            Some((flag, _)) => Err(Failure::usage(format!("{flag} 0 would refuse every request"))),
            None => Ok(()),
        }
    }

    /// Serves until a signal comes.
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let plan = self.plan()?;
        signal::block_termination();
        let server = Server::start(&plan).map_err(Failure::run)?;
        for note in server.notes() {
            print(&format!("note: {note}\n"));
        }
        print(&format!("listening on http://{}\n", server.address()));
        let stopper = server.stopper();
        let watcher = move || {
            signal::wait_for_termination();
            stopper.stop();
            // A second signal is from somebody who will not wait for the drain.
            signal::end_now(signal::wait_for_termination());
        };
        std::thread::Builder::new().name("signals".into()).spawn(watcher).map_err(Failure::run)?;
        server.join().map_err(Failure::run)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is no address; write one like 127.0.0.1:8080 or [::1]:8080"))
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Backend::Uring => "uring",
            Backend::Epoll => "epoll",
            Backend::MonoioUring => "monoio-uring",
            Backend::MonoioEpoll => "monoio-epoll",
        })
    }
}

impl FromStr for Backend {
    type Err = String;

    fn from_str(text: &str) -> Result<Backend, String> {
        Backend::ALL.into_iter().find(|backend| backend.to_string() == text).ok_or_else(|| {
            format!("`{text}` is no backend; there are uring, epoll, monoio-uring and monoio-epoll")
        })
    }
}

impl FromStr for TaskRun {
    type Err = String;

    fn from_str(text: &str) -> Result<TaskRun, String> {
        match text {
            "defer" => Ok(TaskRun::Defer),
            "coop" => Ok(TaskRun::Coop),
            "interrupt" => Ok(TaskRun::Interrupt),
            _ => Err(format!("`{text}` is no task-run mode; there are defer, coop and interrupt")),
        }
    }
}

impl FromStr for WaitMode {
    type Err = String;

    fn from_str(text: &str) -> Result<WaitMode, String> {
        match text {
            "block" => Ok(WaitMode::Block),
            "hybrid" => Ok(WaitMode::HYBRID),
            "spin" => Ok(WaitMode::Spin),
            _ => Err(format!("`{text}` is no wait mode; there are block, hybrid and spin")),
        }
    }
}
