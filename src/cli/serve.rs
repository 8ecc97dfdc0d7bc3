//! `ringpace serve`: flags to a [`Plan`].

mod access_log;
mod choice;
pub(super) mod help;
mod resolved;
mod token_file;
mod tuning;

use super::{Failure, print};
use crate::http::RequestLimits;
use crate::io::limits::Policy;
use crate::io::net::SocketSettings;
use crate::io::topology::CpuList;
use crate::io::uring::{MinWait, TaskRun, Wake};
use crate::io::wait::WaitMode;
use crate::io::{limits, signal};
use crate::serve::settings::{Quotas, Settings, StatusWork};
use crate::serve::{Backend, Plan, Server};
use crate::units::Nanos;
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

    /// pin one worker to each of these CPUs: 0, 0-3,6, all, physical (one thread per core), all,!0;
    /// default: one worker, not pinned
    #[argh(option)]
    cpus: Option<CpuList>,

    /// how many workers, dealt out to --cpus in turn; default: one for each of --cpus
    #[argh(option)]
    workers: Option<usize>,

    /// cpus left to the kernel: no worker is pinned there, even if --cpus names them; the ring's kernel
    /// workers and all other threads of the server stay there
    #[argh(option)]
    housekeeping_cpus: Option<CpuList>,

    /// block (default), hybrid or spin: how a worker waits for work
    #[argh(option, default = "WaitMode::Block")]
    wait: WaitMode,

    /// with --wait hybrid: how long before a timer to be awake, default 60us
    #[argh(option)]
    spin_guard: Option<Nanos>,

    /// with --wait hybrid: how long to spin after work, default 50us
    #[argh(option)]
    spin_budget: Option<Nanos>,

    /// how a core with news wakes one that sleeps with long polls: msgring (default of uring, Linux
    /// 5.18) or eventfd (all others)
    #[argh(option, from_str_fn(choice::wake))]
    wake: Option<Wake>,

    /// when completions run: defer (default of uring, Linux 6.1), coop, or interrupt (default of
    /// monoio-uring, which sets no flags then); monoio-uring too
    #[argh(option, from_str_fn(choice::task_run))]
    task_run: Option<TaskRun>,

    /// multishot (default, Linux 5.19) or one-shot: one submission for all connections or for each
    #[argh(option, from_str_fn(choice::accept))]
    accept: Option<bool>,

    /// multishot (default, Linux 6.0) or one-shot: one submission per connection or per receive
    #[argh(option, from_str_fn(choice::receive))]
    recv: Option<bool>,

    /// ring (default), or direct: by send(2) at once, and by the ring what that does not take
    #[argh(option, from_str_fn(choice::send))]
    send: Option<bool>,

    /// on or off (default): connections' sockets stand in the ring's table of files (Linux 5.19)
    #[argh(option, from_str_fn(choice::on_off))]
    fixed_files: Option<bool>,

    /// on (default, Linux 5.18) or off: the ring's own descriptor is registered
    #[argh(option, from_str_fn(choice::on_off))]
    registered_ring: Option<bool>,

    /// on (default, Linux 6.15) or off: a worker that sleeps counts as idle, not as waiting for I/O
    #[argh(option, from_str_fn(choice::on_off))]
    no_iowait: Option<bool>,

    /// submission queue entries, a power of two, default 512; monoio-uring too: 1024, at least 256
    #[argh(option)]
    sq_entries: Option<u32>,

    /// completion queue entries, a power of two, default 8 times --sq-entries; monoio-uring too: 2 times
    #[argh(option)]
    cq_entries: Option<u32>,

    /// receive buffers per worker, a power of two, default 1024
    #[argh(option)]
    buffers: Option<u16>,

    /// bytes of a receive buffer, default 2048
    #[argh(option)]
    buffer_bytes: Option<u32>,

    /// let a kernel thread submit (SQPOLL): any for any CPU, or CPUs such as 3 or 2-3, dealt out to the
    /// workers in turn; it runs completions too, so excludes --task-run defer and coop
    #[argh(option, from_str_fn(choice::cpus_or_any))]
    sqpoll: Option<Option<CpuList>>,

    /// how long that thread spins without work before it sleeps, default 1s
    #[argh(option)]
    sqpoll_idle: Option<Nanos>,

    /// poll the network device for so long before a sleep (NAPI, Linux 6.9); nothing on loopback
    #[argh(option)]
    napi: Option<Nanos>,

    /// sleep for a batch (Linux 6.12): 50us, or 50us/8 for 8 completions at most; a timer ends it
    #[argh(option, from_str_fn(choice::min_wait))]
    min_wait: Option<MinWait>,

    /// connections that may wait to be accepted, default 4096
    #[argh(option, default = "SocketSettings::default().backlog")]
    backlog: u32,

    /// on (default) or off: answers go out at once (TCP_NODELAY)
    #[argh(option, from_str_fn(choice::on_off))]
    nodelay: Option<bool>,

    /// on or off (default): acknowledge at once (TCP_QUICKACK); a system call per receive; not monoio
    #[argh(option, from_str_fn(choice::on_off))]
    quickack: Option<bool>,

    /// poll the network device for so long in a receive (SO_BUSY_POLL); nothing on loopback
    #[argh(option)]
    busy_poll: Option<Nanos>,

    /// on or off (default): the kernel prefers the worker on whose CPU a connection's packets arrive
    /// (SO_INCOMING_CPU, Linux 6.2); needs --cpus
    #[argh(option, from_str_fn(choice::on_off))]
    incoming_cpu: Option<bool>,

    /// scheduling policy of the workers: other, batch, fifo:PRIO or rr:PRIO, PRIO from 1 to 99
    #[argh(option, from_str_fn(choice::policy))]
    sched: Option<Policy>,

    /// nice value of the workers, -20 (first) to 19 (last)
    #[argh(option, from_str_fn(choice::nice))]
    nice: Option<i8>,

    /// how late the kernel may end a worker's sleep, default 1ns; 0ns for its own default of 50us
    #[argh(option)]
    timer_slack: Option<Nanos>,

    /// keep all memory from being paged out
    #[argh(switch)]
    mlockall: bool,

    /// how long a device takes to carry out a command, default 2ms
    #[argh(option, default = "Settings::default().device_latency")]
    device_latency: Nanos,

    /// how long a long poll waits for an event, default 500ms
    #[argh(option, default = "Settings::default().poll_timeout")]
    poll_timeout: Nanos,

    /// time spun away in every status, 100ms at most, default 0ns: a server that is slower by a known
    /// time
    #[argh(option, default = "Nanos::ZERO")]
    status_work: Nanos,

    /// also answer GET / with OK and POST / with its content, for independent HTTP suites
    #[argh(switch)]
    echo: bool,

    /// say in a Server-Timing field where a request's time went: queue, work, device or event
    #[argh(switch)]
    server_timing: bool,

    /// largest request line in bytes, default 16384 (414 beyond)
    #[argh(option, default = "RequestLimits::default().line_bytes_max")]
    line_bytes_max: usize,

    /// largest request head in bytes, default 32768 (431 beyond)
    #[argh(option, default = "RequestLimits::default().head_bytes_max")]
    head_bytes_max: usize,

    /// most fields in a request head, default 100 (431 beyond)
    #[argh(option, default = "RequestLimits::default().fields_max")]
    fields_max: usize,

    /// largest request content in bytes, default 65536 (413 beyond)
    #[argh(option, default = "RequestLimits::default().body_bytes_max")]
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

    /// most connections in all, default 65536 (503 beyond)
    #[argh(option, default = "Quotas::default().connections_max")]
    connections_max: usize,

    /// most connections of one worker, default 65536 (503 beyond)
    #[argh(option, default = "Quotas::default().core_connections_max")]
    core_connections_max: usize,

    /// most long polls that wait on one worker, default 10000 (503 beyond)
    #[argh(option, default = "Quotas::default().parked_max")]
    parked_max: usize,

    /// most answers of a connection that its peer has not taken, default 1024 (what is pipelined beyond
    /// waits)
    #[argh(option, default = "Quotas::default().pipeline_max")]
    pipeline_max: usize,

    /// most bytes of a connection that wait behind a slow answer, default 65536 (the rest waits in the
    /// kernel)
    #[argh(option, default = "Quotas::default().inbox_bytes_max")]
    inbox_bytes_max: usize,

    /// most bytes of answers that a peer has not taken, default 262144 (its requests wait beyond, and
    /// --write-timeout ends it)
    #[argh(option, default = "Quotas::default().output_bytes_max")]
    output_bytes_max: usize,

    /// file that holds a token: every request but /healthz needs it as Authorization: Bearer TOKEN
    #[argh(option)]
    token_file: Option<String>,

    /// file to append a line of JSON to for each request, or - for stdout
    #[argh(option)]
    access_log: Option<String>,
}

impl ServeArgs {
    /// The plan, or the flag that is wrong.
    fn plan(&self) -> Result<Plan, Failure> {
        self.check_positive()?;
        let limits = RequestLimits {
            line_bytes_max: self.line_bytes_max,
            head_bytes_max: self.head_bytes_max,
            fields_max: self.fields_max,
            body_bytes_max: self.body_bytes_max,
        };
        let settings = Settings {
            device_latency: self.device_latency,
            poll_timeout: self.poll_timeout,
            status_work: StatusWork::new(self.status_work).map_err(Failure::usage)?,
            echo: self.echo,
            server_timing: self.server_timing,
            limits,
            quotas: self.quotas(),
            token: self.token_file.as_deref().map(token_file::read).transpose()?,
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
            wait: self.wait()?,
            ring: self.ring()?,
            sockets: self.sockets(),
            threads: self.threads()?,
            settings,
        };
        plan.refusal().map_or(Ok(plan), |refusal| Err(Failure::usage(refusal)))
    }

    fn quotas(&self) -> Quotas {
        Quotas {
            connections_max: self.connections_max,
            core_connections_max: self.core_connections_max,
            parked_max: self.parked_max,
            pipeline_max: self.pipeline_max,
            inbox_bytes_max: self.inbox_bytes_max,
            output_bytes_max: self.output_bytes_max,
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
            ("--connections-max", self.connections_max),
            ("--core-connections-max", self.core_connections_max),
            ("--pipeline-max", self.pipeline_max),
            ("--inbox-bytes-max", self.inbox_bytes_max),
            ("--output-bytes-max", self.output_bytes_max),
        ];
        match sizes.iter().find(|(_, size)| *size == 0) {
            Some((flag, _)) => Err(Failure::usage(format!("{flag} 0 would refuse every request"))),
            None => Ok(()),
        }
    }

    /// Serves until a signal comes.
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let mut plan = self.plan()?;
        signal::block_termination();
        limits::descriptor_limit().map_err(Failure::run)?; // raises it as far as it goes
        let mut log_writer = None;
        if let Some(path) = &self.access_log {
            let (log, writer) = access_log::start(path)?;
            (plan.settings.access_log, log_writer) = (Some(log), Some(writer));
        }
        let server = Server::start(&plan).map_err(Failure::run)?;
        print(&format!("settings: {}\n", resolved::line(&plan)));
        drop(plan); // with it goes its end of the access log
        let notes = token_file::notes(server.address(), self.token_file.as_deref());
        for note in server.notes().iter().chain(&notes) {
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
        let outcome = server.join().map_err(Failure::run);
        // The workers are gone, so whatever they handed over is all there is.
        if let Some(writer) = log_writer {
            let _ = writer.join();
        }
        outcome.map(|()| ExitCode::SUCCESS)
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

#[cfg(test)]
mod tests;
