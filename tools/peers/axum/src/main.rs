//! Serves the API of ringpace on tokio and axum, to be measured beside it.
//!
//! Written as a Rust user would write it who reaches for the usual crates; not tuned beyond TCP_NODELAY
//! and a runtime of one thread where one worker is asked for. Flags here, the API in `api`.

mod api;
mod home;
mod refusal;

use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;
use std::time::Duration;

use axum::serve::ListenerExt;
use clap::Parser;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use api::Settings;

/// The API of ringpace on tokio and axum.
#[derive(Debug, Parser)]
#[command(name = "run")]
struct Flags {
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// 0 for any that is free.
    #[arg(long, env = "PORT", default_value_t = 8080)]
    port: u16,
    /// Threads; all share one house.
    #[arg(long, env = "WORKERS", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    workers: u16,
    /// How long a device takes.
    #[arg(long, env = "DEVICE_LATENCY_MS", default_value_t = 2)]
    device_latency_ms: u64,
    /// How long a poll waits for an event.
    #[arg(long, env = "POLL_TIMEOUT_MS", default_value_t = 500)]
    poll_timeout_ms: u64,
    /// Offer GET / and POST / for suites that test HTTP itself.
    #[arg(long)]
    echo: bool,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    match runtime(flags.workers).and_then(|runtime| runtime.block_on(serve(&flags))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("run: {error}");
            ExitCode::FAILURE
        }
    }
}

fn runtime(workers: u16) -> std::io::Result<Runtime> {
    let mut builder = match workers {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.worker_threads(workers.into()).enable_all().build()
}

async fn serve(flags: &Flags) -> std::io::Result<()> {
    let listener = TcpListener::bind((flags.host, flags.port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let listener = listener.tap_io(|stream| {
        // Refused, answers may come a little later; nothing else changes.
        let _ = stream.set_nodelay(true);
    });
    let settings = Settings {
        device_latency: Duration::from_millis(flags.device_latency_ms),
        poll_timeout: Duration::from_millis(flags.poll_timeout_ms),
        echo: flags.echo,
    };
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    axum::serve(listener, api::router(settings)).with_graceful_shutdown(stop).await
}
