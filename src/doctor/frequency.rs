//! How fast the chosen CPUs run, and who changes that while a measurement runs: governor and boost.

use super::finding::{Finding, Severity};
use super::machine::{Machine, name};

const GOVERNORS: &str = "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor";

pub(super) fn findings(machine: &Machine) -> Vec<Finding> {
    let mut findings = vec![governor(machine)];
    findings.extend(boost(machine));
    findings
}

fn governor(machine: &Machine) -> Finding {
    let why = "A governor that follows the load lowers the clock between requests, so a server answers \
               slower at 1,000/s than at 20,000/s, and each request pays for the ramp.";
    let governors = by_governor(machine);
    if governors.is_empty() {
        let who = if machine.is_virtual() { "the host" } else { "the firmware" };
        let seen = format!("The kernel does not set the clock rate; {who} does.");
        return Finding::new(Severity::Note, "governor", seen, why);
    }
    let driver = machine.cpu_line(machine.cpus()[0], "cpufreq/scaling_driver");
    let driver = driver.map(|driver| format!(", driver {driver}")).unwrap_or_default();
    let listed: Vec<String> =
        governors.iter().map(|(governor, cpus)| format!("{governor} on {}", name(cpus))).collect();
    let seen = format!("The governor is {}{driver}.", listed.join(", "));
    if governors.iter().all(|(governor, _)| governor == "performance") {
        return Finding::new(Severity::Good, "governor", seen, why);
    }
    Finding::new(Severity::Warn, "governor", seen, why)
        .mended_by(format!("echo performance | sudo tee {GOVERNORS}"))
}

/// Each governor in use with the chosen CPUs that it governs.
fn by_governor(machine: &Machine) -> Vec<(String, Vec<usize>)> {
    let mut governors: Vec<(String, Vec<usize>)> = Vec::new();
    for cpu in machine.cpus() {
        let Some(governor) = machine.cpu_line(*cpu, "cpufreq/scaling_governor") else { continue };
        match governors.iter_mut().find(|(known, _)| *known == governor) {
            Some((_, cpus)) => cpus.push(*cpu),
            None => governors.push((governor, vec![*cpu])),
        }
    }
    governors
}

/// Where boost is switched, and what is written there to switch it off.
const BOOST_SWITCHES: [(&str, &str); 2] =
    [("sys/devices/system/cpu/cpufreq/boost", "0"), (NO_TURBO, "1")];

/// intel_pstate's switch says the opposite.
const NO_TURBO: &str = "sys/devices/system/cpu/intel_pstate/no_turbo";

/// `None` where nothing on this machine says whether there is any.
fn boost(machine: &Machine) -> Option<Finding> {
    let why = "Boost depends on temperature and on how many cores are busy: the first run after a pause \
               is faster than the third, and a spinning pacer slows the server beside it.";
    let mut switches = BOOST_SWITCHES.iter();
    let (path, off, value) =
        switches.find_map(|(path, off)| Some((path, off, machine.line(path)?)))?;
    if value == *off {
        return Some(Finding::new(Severity::Good, "boost", "Boost is off.", why));
    }
    let finding = Finding::new(Severity::Warn, "boost", "Boost is on.", why);
    Some(finding.mended_by(format!("echo {off} | sudo tee /{path}")))
}

#[cfg(test)]
mod tests;
