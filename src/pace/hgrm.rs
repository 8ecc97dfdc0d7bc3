//! Writes distributions as HdrHistogram's percentile text (`.hgrm`), which its plotters read.
//!
//! Values are in milliseconds. Requests at +infinity count in every percentile; the table ends
//! where they begin, and a footer says how many there are. Start at [`write()`].

use crate::stats::{Histogram, Quantile};
use std::io::{self, Write};

/// Lines per halving of the distance to 100 %. Chosen: HdrHistogram's default.
const TICKS_PER_HALF: f64 = 5.0;

/// Bound on lines, should the arithmetic misbehave: no histogram has 2^64 samples.
const LINES_MAX: usize = 64 * TICKS_PER_HALF as usize;

/// Writes the percentiles of `histogram`.
pub fn write(out: &mut impl Write, histogram: &Histogram) -> io::Result<()> {
    writeln!(
        out,
        "{:>12} {:>14} {:>10} {:>14}\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    )?;
    let mut q = 0.0;
    for _ in 0..LINES_MAX {
        let Quantile::Finite(value) = histogram.quantile(q) else { break };
        let count = histogram.hdr().count_between(0, value.0);
        let is_last = count == histogram.count();
        let q_shown = if is_last { 1.0 } else { q };
        write!(out, "{:>12.6} {q_shown:>14.12} {count:>10}", value.0 as f64 / NS_PER_MS)?;
        match is_last {
            true => writeln!(out)?,
            false => writeln!(out, " {:>14.2}", 1.0 / (1.0 - q_shown))?,
        }
        if is_last {
            break;
        }
        q = next_tick(q);
    }
    write_footer(out, histogram)
}

const NS_PER_MS: f64 = 1e6;

/// From `q` a fifth of the way on to where the distance to 1 has halved.
fn next_tick(q: f64) -> f64 {
    let halvings = (1.0 / (1.0 - q)).log2().floor() + 1.0;
    q + 1.0 / (TICKS_PER_HALF * halvings.exp2())
}

fn write_footer(out: &mut impl Write, histogram: &Histogram) -> io::Result<()> {
    let finite = histogram.hdr();
    let (mean, deviation) = (finite.mean() / NS_PER_MS, finite.stdev() / NS_PER_MS);
    let longest = histogram.beside().range.map_or(0.0, |(_, longest)| longest.0 as f64 / NS_PER_MS);
    writeln!(out, "#[Mean    = {mean:>12.6}, StdDeviation   = {deviation:>12.6}]")?;
    writeln!(out, "#[Max     = {longest:>12.6}, Total count    = {:>12}]", histogram.count())?;
    writeln!(out, "#[Buckets = {:>12}, SubBuckets     = {:>12}]", finite.buckets(), SUB_BUCKETS)?;
    if histogram.infinite() > 0 {
        writeln!(
            out,
            "#[{} requests failed or never finished: they are longer than Max]",
            histogram.infinite()
        )?;
    }
    Ok(())
}

/// Of a histogram with three significant digits.
const SUB_BUCKETS: u64 = 2048;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Nanos;

    #[track_caller]
    fn written(samples: impl IntoIterator<Item = u64>, infinite: u64) -> String {
        let mut histogram = Histogram::new();
        samples.into_iter().for_each(|ms| histogram.record(Nanos::from_millis(ms)));
        (0..infinite).for_each(|_| histogram.record_infinite());
        let mut out = Vec::new();
        write(&mut out, &histogram).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// The last line of the table.
    fn last_row(text: &str) -> Vec<f64> {
        let mut rows = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        rows.next_back().unwrap().split_whitespace().map(|cell| cell.parse().unwrap()).collect()
    }

    #[test]
    fn the_table_rises_to_the_maximum() {
        let text = written(1..=1_000, 0);
        assert_eq!(last_row(&text), [1_000.0, 1.0, 1_000.0]);
        assert!(text.contains("Total count    =         1000]"), "{text}");
        let median = text.lines().find(|line| line.contains("0.500000000000")).unwrap();
        assert!(median.ends_with("2.00"), "{median}");
    }

    #[test]
    fn requests_at_infinity_end_the_table_early() {
        let text = written(1..=50, 50);
        let row = last_row(&text);
        assert_eq!((row[1], row[2]), (0.5, 50.0));
        assert!(text.contains("#[50 requests failed"), "{text}");
    }

    #[test]
    fn an_empty_distribution_is_a_table_without_rows() {
        let text = written([], 0);
        assert!(!text.contains("NaN"), "{text}");
        assert!(text.contains("Total count    =            0]"), "{text}");
    }
}
