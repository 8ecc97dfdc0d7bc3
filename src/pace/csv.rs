//! Writes the intervals of a run as CSV (RFC 4180): a row per second and kind.
//!
//! Times are response times in nanoseconds; `inf` where a request that failed stands at that rank,
//! empty where nothing ended. An interval of several seconds is one row, of its first. Start at
//! [`Table::begin`].

use super::interval::Interval;
use super::mix::Kind;
use crate::stats::Quantile;
use std::io::{self, Write};

/// A table that is being written.
pub struct Table<'w> {
    out: &'w mut dyn Write,
    names: Vec<String>,
}

impl<'w> Table<'w> {
    /// Writes the header of a table of these `kinds`.
    pub fn begin(out: &'w mut dyn Write, kinds: &[Kind]) -> io::Result<Table<'w>> {
        writeln!(out, "second,kind,count,p50_ns,p99_ns,max_ns,errors")?;
        Ok(Table { out, names: kinds.iter().map(|kind| quoted(&kind.name)).collect() })
    }

    /// Writes the rows of one interval.
    pub fn write(&mut self, interval: &Interval) -> io::Result<()> {
        for (name, response) in self.names.iter().zip(&interval.responses) {
            let [p50, p99, max] = [0.5, 0.99, 1.0].map(|q| cell(response.quantile(q)));
            let (count, errors) = (response.count(), response.infinite());
            writeln!(self.out, "{},{name},{count},{p50},{p99},{max},{errors}", interval.second)?;
        }
        Ok(())
    }
}

fn cell(quantile: Quantile) -> String {
    match quantile {
        Quantile::Finite(value) => value.0.to_string(),
        Quantile::Infinite => String::from("inf"),
        Quantile::Empty => String::new(),
    }
}

fn quoted(name: &str) -> String {
    if name.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", name.replace('"', "\"\""))
    } else {
        String::from(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::mix::Mix;
    use crate::units::Nanos;

    #[test]
    fn a_second_is_a_row_per_kind() {
        let mut interval = Interval { second: 3, until: 4, ..Interval::new(3) };
        interval.responses[0].record(Nanos(1_000));
        interval.responses[0].record(Nanos(3_000));
        interval.responses[1].record(Nanos(500));
        interval.responses[1].record_infinite();
        let get = Mix::single("/").kinds()[0].clone();
        let named = |name: &str| {
            let mut kind = get.clone();
            kind.name = String::from(name);
            kind
        };
        let kinds = ["status", "a,\"b\"", "idle"].map(named);
        let mut out = Vec::new();
        Table::begin(&mut out, &kinds).unwrap().write(&interval).unwrap();
        let expected = "second,kind,count,p50_ns,p99_ns,max_ns,errors\n\
                        3,status,2,1000,3000,3000,0\n\
                        3,\"a,\"\"b\"\"\",2,500,inf,inf,1\n\
                        3,idle,0,,,,0\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
