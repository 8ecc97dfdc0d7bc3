//! `ringpace pace --duet`: the flags that go with it, and what came of it.

use super::{LiveTyped, PaceArgs, exit_code, of_pace};
use crate::bench::duet::estimate;
use crate::cli::{Failure, print};
use crate::pace::url::Url;
use crate::pace::{self, Plan};
use crate::report;
use crate::results::duet::Duet;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

impl PaceArgs {
    /// Paces the server of `plan` and `other` together.
    pub(super) fn run_duet(
        &self,
        plan: &Plan,
        other: &Url,
        stop: &AtomicBool,
    ) -> Result<ExitCode, Failure> {
        let flags = [
            ("--hgrm", self.hgrm.is_some()),
            ("--hlog", self.hlog.is_some()),
            ("--csv", self.csv.is_some()),
            ("--prom", self.prom.is_some()),
            ("--threshold", !self.threshold.is_empty()),
            ("--unix-socket", self.unix_socket.is_some()),
            ("-L and -U", self.latency || self.u_latency),
            ("--live", self.live == LiveTyped::Plain),
        ];
        if let Some((flag, _)) = flags.iter().find(|(_, is_typed)| *is_typed) {
            return Err(Failure::usage(format!(
                "--duet writes what two servers differ by, in --json and as a table; leave out {flag}"
            )));
        }
        if ![plan.url.path(), "/"].contains(&other.path()) {
            return Err(Failure::usage(format!(
                "--duet {other}: both servers get the requests of {}; leave the path out",
                plan.url
            )));
        }
        let (run, unwritten) = pace::duet::run(plan, other, stop).map_err(of_pace)?;
        if !plan.outputs.use_stdout() {
            let rate = plan.load.rate.as_typed();
            let kinds = run.pairs.requests.len();
            let pairs = std::slice::from_ref(&run.pairs);
            let findings = estimate::findings(&rate, pairs, kinds, plan.load.seed);
            let [a, b] = [plan.url.to_string(), other.to_string()];
            print(&report::duet_table(&Duet { a, b, restarts: Vec::new(), findings }));
        }
        let over_budget =
            [(plan.url.to_string(), &run.a), (other.to_string(), &run.b)].map(|(url, run)| {
                plan.error_budget.check(run).err().map(|why| format!("{why}; {url}"))
            });
        let failures = over_budget.into_iter().flatten().collect();
        exit_code(unwritten.into_iter().collect(), run.a.verdict.max(run.b.verdict), failures)
    }
}
