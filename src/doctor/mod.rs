//! What on this machine will spoil a latency measurement, why, and the command that mends it.
//!
//! Works without root and changes nothing. Each check is a module: pure functions over the text of
//! `/proc` and `/sys`, which [`machine`] reads below a root that tests replace. What has to be measured
//! (io_uring, the clock's cost, the noise floor) is measured first, in [`measure`]; the verdict over
//! all of it, [`diagnose`], touches nothing but files.
//!
//! Not here: mending; a person runs `tools/tune`, and nothing else does. Start at [`examine`].

mod clock;
mod finding;
mod frequency;
mod idle;
mod interrupts;
mod irq;
mod isolation;
mod kernel;
mod limits;
mod machine;
mod noise;
mod render;
mod ring;
mod steal;
mod topology;

pub use finding::{Finding, Severity};
pub use noise::Noise;
pub use render::render;
pub use topology::{Place, Topology};

use crate::clock::Clock;
use crate::io::clock::MonotonicClock;
use crate::io::probe::{self, Feature};
use crate::io::topology::{CpuList, usable_cpus};
use crate::units::Nanos;
use interrupts::Interrupts;
use irq::Fired;
use machine::Machine;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

/// What to examine.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The CPUs that a measurement is to use; `None`: all that this process may.
    pub cpus: Option<CpuList>,
    /// How long to listen to the noise floor; zero skips it, and with it the interrupts and the steal
    /// of that time. The examination takes this and some 20 ms.
    pub noise: Nanos,
}

/// The name and version of the schema of [`Report`].
pub const SCHEMA: &str = "ringpace.doctor/1";

/// What was found; stored with every bench.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The version of ringpace that wrote this.
    pub version: String,
    /// The kernel's release.
    pub kernel: String,
    /// The processor, as it calls itself.
    pub cpu_model: String,
    /// The CPUs examined, as a list such as `0-3,6`.
    pub cpus: String,
    /// The worst first.
    pub findings: Vec<Finding>,
    /// Where every CPU that is online stands.
    pub topology: Topology,
    /// The noise floor of each CPU examined; empty if it was skipped.
    pub noise: Vec<Noise>,
}

impl Report {
    /// How many findings are of this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

/// Examines this machine. Never fails: what cannot be read is not in the report.
pub fn examine(options: &Options) -> Report {
    let cpus = options.cpus.as_ref().map_or_else(usable_cpus, |list| list.cpus().to_vec());
    let machine = Machine::new(Path::new("/"), cpus);
    let measured = measure(&machine, options.noise);
    diagnose(&machine, measured)
}

/// Where every CPU of this machine stands.
pub fn topology() -> Topology {
    Topology::read(&Machine::new(Path::new("/"), usable_cpus()))
}

/// What files do not tell.
#[derive(Debug)]
struct Measured {
    ring: io::Result<Vec<Feature>>,
    clock_cost: Nanos,
    noise: Vec<Noise>,
    /// The kernel's counters before the noise window, and its length; `None` if it was skipped.
    window: Option<(Counters, Nanos)>,
    counters: Counters,
}

/// /proc/interrupts and /proc/stat at one moment.
#[derive(Debug, Default)]
struct Counters {
    interrupts: String,
    stat: String,
}

impl Counters {
    fn read(machine: &Machine) -> Counters {
        let text = |path| machine.text(path).unwrap_or_default();
        Counters { interrupts: text("proc/interrupts"), stat: text("proc/stat") }
    }
}

fn measure(machine: &Machine, span: Nanos) -> Measured {
    let clock = MonotonicClock;
    let ring = probe::ring_features();
    let clock_cost = clock::read_cost(&clock);
    let (mut noise, mut window) = (Vec::new(), None);
    if span > Nanos::ZERO {
        let (before, begin) = (Counters::read(machine), clock.now());
        noise = noise::listen(&clock, machine.cpus(), span);
        window = Some((before, clock.now() - begin));
    }
    Measured { ring, clock_cost, noise, window, counters: Counters::read(machine) }
}

fn diagnose(machine: &Machine, measured: Measured) -> Report {
    let topology = Topology::read(machine);
    let mut findings = [
        noise::findings(&measured.noise),
        machine::findings(machine),
        stolen(machine, &measured),
        topology::findings(machine, &topology),
        frequency::findings(machine),
        idle::findings(machine),
        isolation::findings(machine),
        irq::findings(machine, &fired(&measured)),
        clock::findings(machine, measured.clock_cost),
        kernel::findings(machine),
        ring::findings(machine, &measured.ring),
        limits::findings(machine),
    ]
    .concat();
    findings.sort_by_key(|finding| finding.severity); // stable: the order above within each
    Report {
        schema: SCHEMA.to_string(),
        version: env!("CARGO_PKG_VERSION").to_string(),
        kernel: machine.kernel(),
        cpu_model: machine.model(),
        cpus: machine::show(machine.cpus()),
        findings,
        topology,
        noise: measured.noise,
    }
}

fn stolen(machine: &Machine, measured: &Measured) -> Vec<Finding> {
    let earlier = measured.window.as_ref().map(|(counters, _)| counters.stat.as_str());
    steal::findings(machine, &measured.counters.stat, earlier)
}

fn fired(measured: &Measured) -> Fired {
    let now = Interrupts::parse(&measured.counters.interrupts);
    match &measured.window {
        None => Fired { interrupts: now, within: None },
        Some((before, span)) => {
            let before = Interrupts::parse(&before.interrupts);
            Fired { interrupts: now.since(&before), within: Some(*span) }
        }
    }
}

#[cfg(test)]
mod tests;
