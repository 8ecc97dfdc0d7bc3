//! The machine a bench ran on, as far as `/proc` and `/sys` tell; each entry is left out where they
//! do not. What of it spoils a measurement is `doctor`'s business.

use serde_json::{Map, Value};

/// Kernel, CPU model, CPUs, memory, governor and clock source.
pub(super) fn host(usable_cpus: &str) -> Map<String, Value> {
    let mut host = Map::new();
    let mut put = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            host.insert(key.to_owned(), Value::String(value));
        }
    };
    put("kernel", line("/proc/sys/kernel/osrelease"));
    put("cpu_model", keyed("/proc/cpuinfo", "model name"));
    put("usable_cpus", Some(usable_cpus.to_owned()));
    put("memory", keyed("/proc/meminfo", "MemTotal"));
    put("governor", line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"));
    put("clock_source", line("/sys/devices/system/clocksource/clocksource0/current_clocksource"));
    host
}

fn line(path: &str) -> Option<String> {
    Some(std::fs::read_to_string(path).ok()?.trim().to_owned())
}

fn keyed(path: &str, key: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let mut pairs = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = pairs.find(|(name, _)| name.trim() == key)?;
    Some(value.trim().to_owned())
}
