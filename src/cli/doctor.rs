//! `ringpace doctor`: flags to [`Options`], and the report to where it was asked for.

use super::{Failure, print};
use crate::doctor::{Options, Report, examine, render};
use crate::io::topology::CpuList;
use crate::units::Nanos;
use argh::FromArgs;
use std::process::ExitCode;

/// Say what on this machine will spoil a measurement, why, and the command that mends it.
#[derive(FromArgs)]
#[argh(subcommand, name = "doctor")]
pub(super) struct DoctorArgs {
    /// the CPUs that a measurement is to use, such as 0 or 0-3,6; default: all that there are
    #[argh(option)]
    cpus: Option<CpuList>,

    /// how long to spin on these CPUs to find their noise floor, default 2s; 0 skips it
    #[argh(option, default = "Nanos::from_secs(2)")]
    noise: Nanos,

    /// also write the findings as JSON to this file, or, with -, to stdout and nothing else
    #[argh(option)]
    json: Option<String>,
}

/// Chosen: longer than the slowest periodic work of an idle machine.
const NOISE_MAX: Nanos = Nanos::from_secs(3_600);

impl DoctorArgs {
    fn plan(&self) -> Result<Options, Failure> {
        if let Some(cpus) = &self.cpus {
            cpus.check_online().map_err(|error| Failure::usage(format!("--cpus: {error}")))?;
        }
        if self.noise > NOISE_MAX {
            return Err(Failure::usage("--noise: spinning for more than 1h tells nothing new"));
        }
        Ok(Options { cpus: self.cpus.clone(), noise: self.noise })
    }

    /// Examines the machine and reports.
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let report = examine(&self.plan()?);
        match self.json.as_deref() {
            Some("-") => print(&to_json(&report)?),
            Some(path) => {
                std::fs::write(path, to_json(&report)?)
                    .map_err(|error| Failure::usage(format!("--json {path}: {error}")))?;
                print(&render(&report));
            }
            None => print(&render(&report)),
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn to_json(report: &Report) -> Result<String, Failure> {
    let mut text = serde_json::to_string_pretty(report).map_err(Failure::run)?;
    text.push('\n');
    Ok(text)
}
