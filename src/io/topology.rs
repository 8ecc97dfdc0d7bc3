//! Which CPUs there are, and how a thread gets onto one.
//!
//! [`CpuList`] is what a person types (`0-3,6`); [`CpuList::check_online`] says whether this machine has
//! them. Sockets, caches and SMT siblings are `doctor`'s business.

use std::fmt;
use std::str::FromStr;

/// CPUs by number, ascending and without repeats; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuList(Vec<usize>);

impl CpuList {
    /// The list of one CPU.
    pub fn one(cpu: usize) -> CpuList {
        CpuList(vec![cpu])
    }

    /// The CPUs, ascending.
    pub fn cpus(&self) -> &[usize] {
        &self.0
    }

    /// An error that names the first CPU of the list that this process may not run on.
    pub fn check_online(&self) -> Result<(), String> {
        let usable = usable_cpus();
        match self.0.iter().find(|cpu| !usable.contains(cpu)) {
            None => Ok(()),
            Some(cpu) => {
                Err(format!("CPU {cpu} is not there; this process may use {}", CpuList(usable)))
            }
        }
    }
}

impl FromStr for CpuList {
    type Err = String;

    /// Reads `0`, `0-3`, `0-3,6`.
    fn from_str(text: &str) -> Result<CpuList, String> {
        let wrong = || format!("`{text}` is no CPU list; write one like `0`, `0-3` or `0-3,6`");
        let mut cpus = Vec::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let first: usize = first.parse().map_err(|_| wrong())?;
            let last: usize = last.parse().map_err(|_| wrong())?;
            if first > last || last >= CPUS_MAX {
                return Err(wrong());
            }
            cpus.extend(first..=last);
        }
        cpus.sort_unstable();
        cpus.dedup();
        Ok(CpuList(cpus))
    }
}

/// Kernel: the largest CONFIG_NR_CPUS of any architecture.
const CPUS_MAX: usize = 8192;

impl fmt::Display for CpuList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_slice();
        let mut separator = "";
        while let [first, ..] = rest {
            let run = rest.iter().enumerate().take_while(|(i, cpu)| **cpu == first + i).count();
            match run {
                1 => write!(f, "{separator}{first}")?,
                _ => write!(f, "{separator}{first}-{}", first + run - 1)?,
            }
            separator = ",";
            rest = &rest[run..];
        }
        Ok(())
    }
}

/// The CPUs this process may run on, ascending.
pub fn usable_cpus() -> Vec<usize> {
    let mut cpus: Vec<usize> =
        core_affinity::get_core_ids().unwrap_or_default().iter().map(|core| core.id).collect();
    cpus.sort_unstable();
    cpus
}

/// Pins the calling thread to `cpu`.
pub fn pin_current_thread(cpu: usize) -> Result<(), String> {
    if core_affinity::set_for_current(core_affinity::CoreId { id: cpu }) {
        Ok(())
    } else {
        Err(format!(
            "the kernel refused to pin a thread to CPU {cpu}: {}",
            std::io::Error::last_os_error()
        ))
    }
}

/// Keeps the calling thread off `cpus`, if that leaves it any. Should the kernel refuse, it stays
/// where it may run, which costs precision only.
pub fn keep_off(cpus: &[usize]) {
    // SAFETY: the set is plain bits, for which all zeros is a value: the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    let others: Vec<usize> = usable_cpus().into_iter().filter(|cpu| !cpus.contains(cpu)).collect();
    for cpu in others.iter().filter(|cpu| **cpu < libc::CPU_SETSIZE as usize) {
        // SAFETY: the CPU lies within the set.
        unsafe { libc::CPU_SET(*cpu, &mut set) };
    }
    if !others.is_empty() && !cpus.is_empty() {
        // SAFETY: the kernel reads `set` during the call; 0 is the calling thread.
        unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(
            text.parse::<CpuList>().ok().map(|list| list.to_string()).as_deref(),
            expected,
            "{text}"
        );
    }

    #[test]
    fn lists_read_as_typed_and_print_shortest() {
        check("0", Some("0"));
        check("0-3,6", Some("0-3,6"));
        check("6,0,1,2,2", Some("0-2,6"));
        for wrong in ["", "3-0", "a", "0,", "-1", "0-", "99999"] {
            check(wrong, None);
        }
    }

    #[test]
    fn a_thread_keeps_off_cpus_only_if_others_are_left() {
        std::thread::spawn(|| {
            let all = usable_cpus();
            keep_off(&all);
            assert_eq!(usable_cpus(), all);
            keep_off(&all[..1]);
            let expected = if all.len() == 1 { &all[..] } else { &all[1..] };
            assert_eq!(usable_cpus(), expected);
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_cpu_that_is_not_there_is_named() {
        let error = CpuList::one(8_000).check_online().unwrap_err();
        assert!(error.starts_with("CPU 8000 is not there"), "{error}");
    }
}
