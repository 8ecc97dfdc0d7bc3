//! The bench's sampler by itself, over a process that runs already: for `tools/check-pidstat`.
//!
//! `check-pidstat PID SPAN` samples the process with all it has started once a second for so long, as
//! the bench does, and prints `CPU-PERCENT RSS-BYTES` of the whole span. Not here: what it is compared
//! with.

use ringpace::bench::sampler::Sampler;
use ringpace::clock::Clock;
use ringpace::io::clock::MonotonicClock;
use ringpace::units::Nanos;
use std::io::Write;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let pid = arguments.next().and_then(|pid| pid.parse::<u32>().ok());
    let span = arguments.next().and_then(|span| span.parse::<Nanos>().ok());
    match pid.zip(span).and_then(|(pid, span)| sampled(pid, span)) {
        Some(line) => {
            let written = writeln!(std::io::stdout(), "{line}");
            if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        None => ExitCode::from(2),
    }
}

/// `None` if the process is gone.
fn sampled(pid: u32, span: Nanos) -> Option<String> {
    let mut sampler = Sampler::new(pid);
    let begin = MonotonicClock.now();
    let until = begin + span;
    let mut next = begin;
    loop {
        let now = MonotonicClock.now();
        sampler.sample(now);
        if now >= until {
            break;
        }
        next = (next + Nanos::from_secs(1)).min(until);
        nap(next.saturating_since(MonotonicClock.now()));
    }
    let usage = sampler.usage(begin, until)?;
    Some(format!("{} {}", usage.cpu_percent, usage.rss_mean_bytes))
}

/// A process that is waited for, since nothing here sleeps by itself.
fn nap(span: Nanos) {
    let seconds = format!("{}.{:09}", span.0 / 1_000_000_000, span.0 % 1_000_000_000);
    let _ = Command::new("sleep").arg(seconds).status();
}
