//! The latency distribution in the form that wrk2 prints with `--latency`, for eyes and scripts that
//! know it.
//!
//! Pure: a histogram in, a `String` out.

use crate::pace::hgrm;
use crate::results::Run;
use crate::stats::{Histogram, Quantile};
use std::fmt::Write;

/// What wrk2 lists.
const PERCENTS: [f64; 8] = [50.0, 75.0, 90.0, 99.0, 99.9, 99.99, 99.999, 100.0];

/// wrk2's short list of percentiles under its `title`, then HdrHistogram's whole spectrum in
/// milliseconds.
pub fn latency_distribution(title: &str, response: &Histogram) -> String {
    let mut text = format!("\n  Latency Distribution (HdrHistogram - {title})\n");
    for percent in PERCENTS {
        let _ = writeln!(text, "{percent:7.3}%{:>10}", figure(response.quantile(percent / 100.0)));
    }
    let mut spectrum = Vec::new();
    hgrm::write(&mut spectrum, response).expect("memory can be written to");
    let _ = writeln!(text, "\n  Detailed Percentile spectrum:");
    text.push_str(&String::from_utf8_lossy(&spectrum));
    text
}

/// The lines that scripts around wrk2 look for.
pub fn requests_per_second(run: &Run) -> String {
    format!(
        "  {} requests in {:.2}s\nRequests/sec: {:10.2}\n",
        run.ok, run.duration_s, run.achieved_rps
    )
}

/// With two decimals and no space, as wrk2 has it.
fn figure(quantile: Quantile) -> String {
    let Some(value) = quantile.finite() else {
        return String::from(if quantile == Quantile::Empty { "-" } else { "never" });
    };
    let us = value.0 as f64 / 1e3;
    match us {
        0.0..1e3 => format!("{us:.2}us"),
        1e3..1e6 => format!("{:.2}ms", us / 1e3),
        _ => format!("{:.2}s", us / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Nanos;

    #[test]
    fn it_looks_as_that_of_wrk2_does() {
        let mut response = Histogram::new();
        (1..=4).for_each(|ms| response.record(Nanos::from_millis(ms)));
        response.record(Nanos::from_micros(14));
        let text = latency_distribution("Recorded Latency", &response);
        let lines: Vec<&str> = text.lines().skip(1).take(3).collect();
        assert_eq!(lines[0], "  Latency Distribution (HdrHistogram - Recorded Latency)");
        assert_eq!(lines[1], " 50.000%    2.00ms");
        assert!(text.contains("\n100.000%    4.00ms\n"), "{text}");
        assert!(text.contains("Detailed Percentile spectrum:\n       Value"), "{text}");
        response.record_infinite();
        let text = latency_distribution("Recorded Latency", &response);
        assert!(text.contains("\n100.000%     never\n"), "{text}");
    }
}
