//! `ringpace pace --selftest`: the flags that make sense without a server, and what came of it.

use super::{PaceArgs, exit_code, of_pace};
use crate::cli::{Failure, print};
use crate::io::{signal, topology};
use crate::pace::outputs::Output;
use crate::pace::schedule::Load;
use crate::pace::{Plan, selftest};
use crate::report;
use crate::units::{Nanos, Rate};
use std::path::Path;
use std::process::ExitCode;

/// Chosen: high enough to be warm, low enough that no request meets another.
const FLOOR_RATE: u64 = 1_000;
/// Chosen: 10,000 samples, which carry a p99.9.
const FLOOR_DURATION: Nanos = Nanos::from_secs(10);

impl PaceArgs {
    /// Measures the instrument, and prints or writes it.
    pub(super) fn run_selftest(&self) -> Result<ExitCode, Failure> {
        let (plan, server_cpu) = self.selftest_plan()?;
        let json = self.json.as_deref().map(|path| Output::open("--json", path)).transpose();
        let json = json.map_err(Failure::usage)?;
        let stop = signal::stop_flag().map_err(Failure::run)?;
        let outcome = selftest::run(&plan, server_cpu, &stop).map_err(of_pace)?;
        let unwritten = json.and_then(|output| output.write_json(&outcome).err());
        if self.json.as_deref() != Some(Path::new("-")) {
            print(&report::selftest(&outcome));
        }
        exit_code(unwritten.into_iter().collect(), outcome.floor.verdict, Vec::new())
    }

    /// The plan of the floor, and the CPU that its server spins on.
    fn selftest_plan(&self) -> Result<(Plan, usize), Failure> {
        let flags = [
            ("a URL", !self.urls.is_empty()),
            ("--duet", self.duet.is_some()),
            ("--mix", self.mix.is_some()),
            ("--unix-socket", self.unix_socket.is_some()),
            ("--threshold", !self.threshold.is_empty()),
            ("--error-budget", self.error_budget.is_some()),
            ("--hgrm", self.hgrm.is_some()),
            ("--hlog", self.hlog.is_some()),
            ("--csv", self.csv.is_some()),
            ("--prom", self.prom.is_some()),
        ];
        if let Some((flag, _)) = flags.iter().find(|(_, is_typed)| *is_typed) {
            return Err(Failure::usage(format!(
                "--selftest loads a server of its own with one request; leave out {flag}"
            )));
        }
        let url = "http://127.0.0.1/devices/status".parse().map_err(Failure::usage)?;
        let mix = self.mix_as_typed(std::slice::from_ref(&url))?;
        let arrivals = self.arrivals(&mix)?;
        if arrivals.rate().is_some() {
            return Err(Failure::usage(format!(
                "--selftest chooses its rates; leave out --arrivals {arrivals}"
            )));
        }
        let rate = self.rate.or(Rate::per_second(FLOOR_RATE));
        let load = Load::new(arrivals, rate, self.seed).map_err(Failure::usage)?;
        let duration = self.duration.unwrap_or(FLOOR_DURATION);
        let mut plan = Plan { mix, ..self.plan_of(url, load, duration)? };
        plan.outputs = Default::default();
        let usable = topology::usable_cpus();
        if plan.cpus.is_empty() {
            plan.cpus.extend(usable.last());
        }
        if plan.cpus.len() > 1 {
            return Err(Failure::usage("--selftest measures one thread; name one CPU in --cpus"));
        }
        match usable.iter().find(|cpu| !plan.cpus.contains(cpu)) {
            Some(server_cpu) => Ok((plan, *server_cpu)),
            None => Err(Failure::usage(
                "--selftest needs a second CPU, and this process may use one only",
            )),
        }
    }
}
