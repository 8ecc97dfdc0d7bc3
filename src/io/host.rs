//! The machine in a few words, for the results: what a reader needs to know what the figures were
//! measured on. Nothing that names a person, a host or a path.

use serde_json::{Map, Value};
use std::fs;

/// Kernel, processor, CPUs, clock source, governor. What cannot be read is left out.
pub fn describe() -> Map<String, Value> {
    let mut host = Map::new();
    let mut put = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            host.insert(key.to_string(), Value::from(value));
        }
    };
    put("kernel", read("/proc/sys/kernel/osrelease"));
    put("cpu_model", cpu_field("model name"));
    put("cpus_online", read("/sys/devices/system/cpu/online"));
    put("cpus_isolated", read("/sys/devices/system/cpu/isolated"));
    put("clocksource", read("/sys/devices/system/clocksource/clocksource0/current_clocksource"));
    put("governor", read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"));
    put("smt", read("/sys/devices/system/cpu/smt/control"));
    let virtualised =
        cpu_field("flags").is_some_and(|flags| flags.split(' ').any(|f| f == "hypervisor"));
    host.insert("virtualised".to_string(), Value::from(virtualised));
    host
}

/// A one-line file, without its end; `None` if it cannot be read or is empty.
fn read(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.trim();
    (!line.is_empty()).then(|| line.to_string())
}

/// A field of the first processor in /proc/cpuinfo.
fn cpu_field(name: &str) -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_string())
}
