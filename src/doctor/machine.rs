//! The machine as its files show it: `/proc`, `/sys` and `/dev` below a root that tests replace.
//!
//! A thin layer: it reads text and parses the few forms that every check meets (CPU lists, one-line
//! files). What cannot be read is `None`, never an error: a doctor works with what it is shown.
//! Not here: what any of it means. Start at [`Machine`].

use super::finding::{Finding, Severity};
use crate::io::topology::CpuList;
use std::fs;
use std::path::{Path, PathBuf};

/// One machine, and the CPUs on it that a measurement is to use.
#[derive(Debug)]
pub(super) struct Machine {
    root: PathBuf,
    /// The chosen CPUs, ascending.
    cpus: Vec<usize>,
    /// All CPUs that are online, ascending.
    online: Vec<usize>,
}

impl Machine {
    pub(super) fn new(root: &Path, cpus: Vec<usize>) -> Machine {
        let mut machine = Machine { root: root.to_path_buf(), cpus, online: Vec::new() };
        machine.online = match machine.line("sys/devices/system/cpu/online") {
            Some(text) => cpu_list(&text),
            None => machine.cpus.clone(),
        };
        machine
    }

    pub(super) fn cpus(&self) -> &[usize] {
        &self.cpus
    }

    pub(super) fn online(&self) -> &[usize] {
        &self.online
    }

    /// Online CPUs that were not chosen: where everything else may go.
    pub(super) fn spare(&self) -> Vec<usize> {
        self.online.iter().copied().filter(|cpu| !self.cpus.contains(cpu)).collect()
    }

    /// The whole file; `None` if it cannot be read.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        fs::read(self.root.join(path)).ok().map(|text| String::from_utf8_lossy(&text).into_owned())
    }

    /// A one-line file without its end; `None` if it cannot be read or is empty.
    pub(super) fn line(&self, path: &str) -> Option<String> {
        let text = self.text(path)?;
        let line = text.trim();
        (!line.is_empty()).then(|| line.to_string())
    }

    /// A one-line file of one CPU, such as `topology/core_id`.
    pub(super) fn cpu_line(&self, cpu: usize, path: &str) -> Option<String> {
        self.line(&format!("sys/devices/system/cpu/cpu{cpu}/{path}"))
    }

    /// The names in a folder, sorted; none if it cannot be read.
    pub(super) fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.root.join(folder)) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into()).collect();
        names.sort();
        names
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    /// Whether this process may write there. Opens and closes the file, without creating it.
    pub(super) fn may_write(&self, path: &str) -> bool {
        fs::OpenOptions::new().write(true).open(self.root.join(path)).is_ok()
    }

    /// `6.18.44`; empty if unknown.
    pub(super) fn kernel(&self) -> String {
        self.line("proc/sys/kernel/osrelease").unwrap_or_default()
    }

    /// The processor as it calls itself; empty if it does not.
    pub(super) fn model(&self) -> String {
        let text = self.text("proc/cpuinfo").unwrap_or_default();
        colon_field(&text, "model name").unwrap_or_default().to_string()
    }

    /// The processor says that a hypervisor runs it (CPUID leaf 1, ECX bit 31).
    pub(super) fn is_virtual(&self) -> bool {
        let text = self.text("proc/cpuinfo").unwrap_or_default();
        let flags = colon_field(&text, "flags").unwrap_or_default();
        flags.split_whitespace().any(|flag| flag == "hypervisor")
    }

    /// This process runs as root.
    pub(super) fn is_root(&self) -> bool {
        let text = self.text("proc/self/status").unwrap_or_default();
        let ids = colon_field(&text, "Uid").unwrap_or_default();
        ids.split_whitespace().nth(1) == Some("0") // real, effective, saved, file system
    }

    /// What has to be typed to boot with `arguments` from the next start on.
    pub(super) fn boot_with(&self, arguments: &str) -> String {
        if self.has("usr/sbin/update-grub") {
            let line = format!(r#"GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX {arguments}""#);
            format!(
                "echo '{line}' | sudo tee -a /etc/default/grub.d/ringpace.cfg && \
                 sudo update-grub && sudo reboot"
            )
        } else if self.has("usr/sbin/grubby") {
            format!("sudo grubby --update-kernel=ALL --args=\"{arguments}\" && sudo reboot")
        } else {
            format!("# by your boot loader, on the kernel's command line: {arguments}")
        }
    }
}

/// Who looks, and at what kind of machine.
pub(super) fn findings(machine: &Machine) -> Vec<Finding> {
    let kind = if machine.is_virtual() {
        Finding::new(
            Severity::Warn,
            "virtual-machine",
            "This is a virtual machine.",
            "The host decides when its CPUs run, how fast, and what shares their cores; waking a \
             sleeping CPU takes an exit to the host. Compare on it, but publish from bare metal.",
        )
    } else {
        Finding::new(
            Severity::Good,
            "virtual-machine",
            "This is bare metal, as far as the processor says.",
            "No host takes CPU time away unseen.",
        )
    };
    let user = if machine.is_root() {
        Finding::new(Severity::Good, "root", "Running as root.", "Every check could be made.")
    } else {
        Finding::new(
            Severity::Note,
            "root",
            "Running without root.",
            "All checks were made. Root would add: holding /dev/cpu_dma_latency, raising hard \
             limits, real-time priority, SQPOLL before Linux 5.11, and io_uring where the sysctl \
             keeps it for root.",
        )
    };
    vec![kind, user]
}

/// The value of `name : value` in /proc/cpuinfo or /proc/self/status; the first if there are many.
pub(super) fn colon_field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    fields.filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim()).next()
}

/// The CPUs of a list as the kernel prints it (`0-3,8`); none where it is empty or `(null)`.
pub(super) fn cpu_list(text: &str) -> Vec<usize> {
    text.trim().parse::<CpuList>().map(|list| list.cpus().to_vec()).unwrap_or_default()
}

/// The shortest list of the CPUs, which must be ascending: `0-3,8`; `none` if there are none.
pub(super) fn show(cpus: &[usize]) -> String {
    let typed: Vec<String> = cpus.iter().map(usize::to_string).collect();
    typed.join(",").parse::<CpuList>().map_or("none".to_string(), |list| list.to_string())
}

/// `CPU 3` or `CPUs 0-3,8`.
pub(super) fn name(cpus: &[usize]) -> String {
    format!("CPU{} {}", if cpus.len() == 1 { "" } else { "s" }, show(cpus))
}

#[cfg(test)]
pub(super) mod tests;
