//! Which CPUs there are, and how a thread gets onto one.
//!
//! [`CpuList`] is what a person types (`0-3,6`, `all,!0`, `physical`); [`CpuList::check_online`] says
//! whether this machine has them. Sockets and caches are `doctor`'s business.

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

    /// Reads `0`, `0-3`, `0-3,6`; `all` CPUs that this process may use; `physical`, one of them per
    /// core; and without some: `0-3,!2`, `all,!0`, `!0`. What is excluded is so wherever it stands.
    fn from_str(text: &str) -> Result<CpuList, String> {
        CpuList::read(text, &usable_cpus(), &siblings_of)
    }
}

impl CpuList {
    /// Reads `text` on a machine with these usable CPUs; `siblings` tells the threads of a CPU's core.
    fn read(
        text: &str,
        usable: &[usize],
        siblings: &dyn Fn(usize) -> Vec<usize>,
    ) -> Result<CpuList, String> {
        let (mut cpus, mut excluded) = (Vec::new(), Vec::new());
        let whole = text.split(',').all(|part| part.starts_with('!'));
        if whole {
            cpus.extend_from_slice(usable);
        }
        for part in text.split(',') {
            let (into, name) = match part.strip_prefix('!') {
                Some(name) => (&mut excluded, name),
                None => (&mut cpus, part),
            };
            match name {
                "all" => into.extend_from_slice(usable),
                "physical" => into.extend(one_per_core(usable, siblings)),
                _ => into.extend(range(name).ok_or_else(|| wrong(part, text))?),
            }
        }
        cpus.retain(|cpu| !excluded.contains(cpu));
        cpus.sort_unstable();
        cpus.dedup();
        match cpus.is_empty() {
            true => Err(format!("`{text}` leaves no CPU")),
            false => Ok(CpuList(cpus)),
        }
    }

    /// The list without `others`, if that leaves any.
    pub fn without(&self, others: &CpuList) -> Option<CpuList> {
        let left = self.0.iter().copied().filter(|cpu| !others.0.contains(cpu));
        let left: Vec<usize> = left.collect();
        (!left.is_empty()).then_some(CpuList(left))
    }
}

/// `3` or `0-3`.
fn range(text: &str) -> Option<std::ops::RangeInclusive<usize>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last && last < CPUS_MAX).then_some(first..=last)
}

fn wrong(part: &str, text: &str) -> String {
    let within = if part == text { String::new() } else { format!(" in `{text}`") };
    format!(
        "`{part}`{within} is no CPU, range, `all` or `physical`; write a list like `0`, `0-3,6`, \
         `all,!0` or `physical`"
    )
}

/// The first usable CPU of each core.
fn one_per_core(usable: &[usize], siblings: &dyn Fn(usize) -> Vec<usize>) -> Vec<usize> {
    let mut taken: Vec<usize> = Vec::new();
    for cpu in usable {
        if !siblings(*cpu).iter().any(|sibling| taken.contains(sibling)) {
            taken.push(*cpu);
        }
    }
    taken
}

/// The hardware threads of the core that `cpu` is one of; itself alone where the kernel does not say.
fn siblings_of(cpu: usize) -> Vec<usize> {
    let file = format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let siblings: Vec<usize> = text.trim().split(',').filter_map(range).flatten().collect();
    if siblings.is_empty() { vec![cpu] } else { siblings }
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
///
/// # Errors
/// A sentence for whoever typed `--cpus`: the kernel refused.
pub fn pin_current_thread(cpu: usize) -> Result<(), String> {
    if core_affinity::set_for_current(core_affinity::CoreId { id: cpu }) {
        Ok(())
    } else {
        let error = std::io::Error::last_os_error();
        Err(format!(
            "--cpus {cpu}: the kernel refused to pin a thread there: {error}; see `taskset -p` and \
             the cgroup's cpuset"
        ))
    }
}

/// Keeps the calling thread off `cpus`, if that leaves it any. Should the kernel refuse, it stays
/// where it may run, which costs precision only.
pub fn keep_off(cpus: &[usize]) {
    let others: Vec<usize> = usable_cpus().into_iter().filter(|cpu| !cpus.contains(cpu)).collect();
    if !others.is_empty() && !cpus.is_empty() {
        // Refused: see above.
        let _ = keep_to(&CpuList(others));
    }
}

/// Keeps the calling thread, and those that it starts, on `cpus`.
///
/// # Errors
/// The kernel's: none of them is there.
pub fn keep_to(cpus: &CpuList) -> std::io::Result<()> {
    let set = cpu_set(cpus);
    // SAFETY: the kernel reads `set` during the call; 0 is the calling thread.
    match unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// The CPUs as the kernel takes them.
pub(super) fn cpu_set(cpus: &CpuList) -> libc::cpu_set_t {
    // SAFETY: a cpu_set_t is a bit mask; all zero is the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for cpu in cpus.0.iter().filter(|cpu| **cpu < libc::CPU_SETSIZE as usize) {
        // SAFETY: the number is below CPU_SETSIZE, so the bit lies within the set.
        unsafe { libc::CPU_SET(*cpu, &mut set) };
    }
    set
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
        for wrong in ["", "3-0", "a", "0,", "-1", "0-", "99999", "!", "0,!", "0!1", "all,!all"] {
            check(wrong, None);
        }
    }

    /// Two threads per core, numbered as Intel does: 0 and 4 share one, 1 and 5, and so on.
    #[track_caller]
    fn check_on_four_cores(text: &str, usable: &[usize], expected: &str) {
        let siblings = |cpu: usize| vec![cpu % 4, cpu % 4 + 4];
        let list = CpuList::read(text, usable, &siblings);
        assert_eq!(list.map_or_else(|error| error, |list| list.to_string()), expected);
    }

    #[test]
    fn words_and_exclusions_are_read_on_the_machine() {
        let eight: Vec<usize> = (0..8).collect();
        check_on_four_cores("all", &eight, "0-7");
        check_on_four_cores("physical", &eight, "0-3");
        check_on_four_cores("physical", &[1, 4, 5, 6], "1,4,6");
        check_on_four_cores("0-3,!2", &eight, "0-1,3");
        check_on_four_cores("!2,0-3", &eight, "0-1,3");
        check_on_four_cores("all,!0", &eight, "1-7");
        check_on_four_cores("!0,!4-7", &eight, "1-3");
        check_on_four_cores("all,!physical", &eight, "4-7");
        check_on_four_cores("physical,7", &eight, "0-3,7");
        check_on_four_cores("all,!0-7", &eight, "`all,!0-7` leaves no CPU");
    }

    #[test]
    fn an_error_names_the_part_that_is_wrong() {
        let error = "0-3,5-x".parse::<CpuList>().unwrap_err();
        assert!(error.starts_with("`5-x` in `0-3,5-x` is no CPU"), "{error}");
        let error = "two".parse::<CpuList>().unwrap_err();
        assert!(error.starts_with("`two` is no CPU"), "{error}");
    }

    #[test]
    fn a_list_without_another_keeps_the_rest_if_there_is_one() {
        let list: CpuList = "0-3".parse().unwrap();
        let without = |others: &str| list.without(&others.parse().unwrap());
        assert_eq!(without("0,7").unwrap().to_string(), "1-3");
        assert_eq!(without("0-5"), None);
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
