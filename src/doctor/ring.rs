//! Whether io_uring may be used here, and which of the features that the `uring` driver wants are there.

use super::finding::{Finding, Severity};
use super::machine::Machine;
use crate::io::probe::Feature;
use std::io;

const DISABLED: &str = "proc/sys/kernel/io_uring_disabled";

pub(super) fn findings(machine: &Machine, probed: &io::Result<Vec<Feature>>) -> Vec<Finding> {
    match probed {
        Err(error) => vec![refused(machine, error)],
        Ok(features) => vec![works(machine), complete(features), messages(machine)],
    }
}

const WHY: &str = "The uring backend needs it; without it only --backend epoll runs, and the two cannot be \
                   compared.";

fn works(machine: &Machine) -> Finding {
    // 1: only for CAP_SYS_ADMIN and the group of kernel.io_uring_group.
    let limited = machine.line(DISABLED).as_deref() == Some("1");
    let seen = match limited {
        true => "io_uring works for this user (kernel.io_uring_disabled = 1 keeps it from others).",
        false => "io_uring works.",
    };
    Finding::new(Severity::Good, "io-uring", seen, WHY)
}

fn refused(machine: &Machine, error: &io::Error) -> Finding {
    let disabled = machine.line(DISABLED).and_then(|text| text.parse::<u8>().ok()).unwrap_or(0);
    let because = match (error.kind(), disabled) {
        (io::ErrorKind::PermissionDenied, 0) => {
            "the sysctl allows it, so a seccomp filter forbids it, as container runtimes do; run \
             outside the container or with a profile that allows it"
                .to_string()
        }
        (io::ErrorKind::PermissionDenied, _) => format!("kernel.io_uring_disabled = {disabled}"),
        (io::ErrorKind::Unsupported, _) => {
            "the kernel was built without it, or a seccomp filter hides it".to_string()
        }
        (io::ErrorKind::OutOfMemory, _) => "locked memory ran out".to_string(),
        _ => "probing it failed".to_string(),
    };
    let seen = format!("io_uring is refused ({error}): {because}.");
    let mend = match (error.kind(), disabled) {
        (io::ErrorKind::PermissionDenied, 1..) => Some("sudo sysctl kernel.io_uring_disabled=0"),
        (io::ErrorKind::OutOfMemory, _) => {
            Some("sudo prlimit --pid $$ --memlock=unlimited:unlimited")
        }
        _ => None,
    };
    Finding::new(Severity::Bad, "io-uring", seen, WHY).mended_by(mend.map(str::to_string))
}

fn complete(features: &[Feature]) -> Finding {
    let why = "What is missing is left out or replaced by something slower, with a note in the results: figures of \
               this kernel are not those of a newer one.";
    let (there, missing): (Vec<&Feature>, Vec<&Feature>) = features.iter().partition(|f| f.works);
    let names: Vec<&str> = there.iter().map(|feature| feature.name).collect();
    if missing.is_empty() {
        let seen = format!("Every io_uring feature in use is there: {}.", names.join(", "));
        return Finding::new(Severity::Good, "ring-features", seen, why);
    }
    let missing: Vec<String> =
        missing.iter().map(|f| format!("{} (Linux {})", f.name, f.since)).collect();
    let seen = format!("This kernel lacks {}; it has {}.", missing.join(", "), names.join(", "));
    Finding::new(Severity::Warn, "ring-features", seen, why)
}

/// Kernel: since this release a message to a ring with DEFER_TASKRUN takes no task work at either end
/// (io_uring/msg_ring.c; 5 to 6 times faster for the sender, by its commit). No bit says so.
const CHEAP_MESSAGES: (u32, u32) = (6, 11);

fn messages(machine: &Machine) -> Finding {
    let why = "A core wakes another with parked polls by MSG_RING; before Linux 6.11 that costs task \
               work at both ends, and an eventfd is as good.";
    let kernel = machine.kernel();
    let is_cheap = release(&kernel).is_some_and(|release| release >= CHEAP_MESSAGES);
    let (severity, seen) = match is_cheap {
        true => (Severity::Good, format!("Linux {kernel} delivers ring messages cheaply.")),
        false => (Severity::Note, format!("Linux {kernel} is older than 6.11.")),
    };
    Finding::new(severity, "ring-messages", seen, why)
}

/// The first two numbers of `6.18.44-fc-v657`.
fn release(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests;
