//! Shows results: a bench as a table in the terminal and as one HTML page that needs nothing else, a
//! single run as a table.
//!
//! Every figure of a table is in `bench.json`; nothing is worked out here but layout. Drawings also show
//! what the runs' interval logs hold. Pure, except [`load`], [`Logs::read`] and [`write_html`].

mod chart;
mod differences;
mod duet;
mod figure;
mod html;
mod knee;
mod ladder;
mod logs;
mod merged;
mod nines;
mod scale;
mod selftest;
mod single;
mod steadiness;
mod table;
mod timeline;
mod usage;
mod wrk2;

use crate::results::bench::{BENCH_SCHEMA, Bench};
use std::path::Path;

pub use differences::{compared_table, is_untold, regressions};
pub use duet::duet_table;
pub use html::html;
pub use logs::Logs;
pub use merged::merged;
pub use selftest::selftest;
pub use single::run_table;
pub use table::render_table;
pub use wrk2::{latency_distribution, requests_per_second};

/// Reads `bench.json` of the bench directory `dir`. The error is a sentence that names the file.
pub fn load(dir: &Path) -> Result<Bench, String> {
    let path = dir.join("bench.json");
    let text = std::fs::read_to_string(&path)
        .map_err(|error| format!("{}: {error}; is this a bench's directory?", path.display()))?;
    let bench: Bench = serde_json::from_str(&text)
        .map_err(|error| format!("{}:{}: {error}", path.display(), error.line()))?;
    if bench.schema != BENCH_SCHEMA {
        return Err(format!(
            "{}: its schema is {}, this ringpace reads {BENCH_SCHEMA}",
            path.display(),
            bench.schema
        ));
    }
    Ok(bench)
}

/// Writes [`html`] of the bench in the directory `dir` to `path`. The error is a sentence that names
/// the file.
pub fn write_html(bench: &Bench, dir: &Path, path: &Path) -> Result<(), String> {
    let page = html(bench, &Logs::read(dir, bench));
    std::fs::write(path, page).map_err(|error| format!("{}: {error}", path.display()))
}
