//! What the kernel lets this process hold: descriptors and locked memory.

use super::finding::{Finding, Severity};
use super::machine::Machine;

/// One limit; `u64::MAX` is unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limit {
    soft: u64,
    hard: u64,
}

/// Chosen: 10,000 connections at each of server and pacer, with room.
const DESCRIPTORS: u64 = 65_536;

/// Chosen: rings and buffers of 16 workers at their default sizes, with room.
const LOCKED_BYTES: u64 = 64 << 20;

pub(super) fn findings(machine: &Machine) -> Vec<Finding> {
    let text = machine.text("proc/self/limits").unwrap_or_default();
    let open_files = limit(&text, "Max open files").map(descriptors);
    let locked = limit(&text, "Max locked memory").map(|limit| memory(limit, machine.is_root()));
    open_files.into_iter().chain(locked).collect()
}

fn descriptors(limit: Limit) -> Finding {
    let why = "Each connection takes one descriptor at either end; a pacer that runs out cannot open the \
               next, and counts a failure that is not the server's. Ringpace raises soft to hard.";
    let (soft, hard) = (show(limit.soft), show(limit.hard));
    let seen = format!("This process may hold {soft} descriptors, {hard} at most.");
    if limit.hard >= DESCRIPTORS {
        return Finding::new(Severity::Good, "descriptors", seen, why);
    }
    Finding::new(Severity::Warn, "descriptors", seen, why)
        .mended_by("sudo prlimit --pid $$ --nofile=1048576:1048576".to_string())
}

fn memory(limit: Limit, is_root: bool) -> Finding {
    let why = "mlockall and registered buffers count against it, and before Linux 5.12 the rings \
               themselves; memory that is not locked may fault in the middle of a request.";
    let seen = match is_root {
        true => "Root may lock any amount of memory.".to_string(),
        false => format!("This process may lock {} of memory.", show_bytes(limit.soft)),
    };
    if is_root || limit.soft >= LOCKED_BYTES {
        return Finding::new(Severity::Good, "locked-memory", seen, why);
    }
    Finding::new(Severity::Note, "locked-memory", seen, why)
        .mended_by("sudo prlimit --pid $$ --memlock=unlimited:unlimited".to_string())
}

/// The line `name soft hard unit` of /proc/self/limits.
fn limit(text: &str, name: &str) -> Option<Limit> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    let mut columns = rest.split_whitespace().map(|column| match column {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    });
    Some(Limit { soft: columns.next()??, hard: columns.next()?? })
}

fn show(limit: u64) -> String {
    if limit == u64::MAX { "unlimited".to_string() } else { limit.to_string() }
}

fn show_bytes(limit: u64) -> String {
    match limit {
        u64::MAX => "any amount".to_string(),
        0..1_048_576 => format!("{} KiB", limit >> 10),
        _ => format!("{} MiB", limit >> 20),
    }
}

#[cfg(test)]
mod tests;
