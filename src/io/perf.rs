//! Event counters of the kernel and of the CPU, perf_event_open(2), over threads that run already and
//! over what they start from then on.
//!
//! What this machine does not count is left out, and said why: a virtual machine without a PMU has the
//! kernel's own events only; a high `kernel.perf_event_paranoid` allows user mode only, or nothing. Not
//! here: when to read, and which window is meant; see `bench::sampler`. Start at
//! [`PerfCounters::attach`].

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::FromRawFd;

/// Counters of several events. Dropping it ends the counting.
#[derive(Debug, Default)]
pub struct PerfCounters {
    counters: Vec<(&'static Event, File)>,
    notes: Vec<String>,
}

/// What is counted. Source: perf_event_open(2), `type` and `config`.
#[derive(Debug)]
struct Event {
    name: &'static str,
    kind: u32,
    config: u64,
}

/// PERF_TYPE_HARDWARE.
const HARDWARE: u32 = 0;
/// PERF_TYPE_SOFTWARE.
const SOFTWARE: u32 = 1;
/// PERF_COUNT_SW_CONTEXT_SWITCHES.
const CONTEXT_SWITCHES: u64 = 3;
/// PERF_COUNT_SW_CPU_MIGRATIONS.
const CPU_MIGRATIONS: u64 = 4;

const EVENTS: [Event; 9] = [
    Event { name: "cycles", kind: HARDWARE, config: 0 },
    Event { name: "instructions", kind: HARDWARE, config: 1 },
    Event { name: "cache_references", kind: HARDWARE, config: 2 },
    Event { name: "cache_misses", kind: HARDWARE, config: 3 },
    Event { name: "branch_misses", kind: HARDWARE, config: 5 },
    Event { name: "task_clock_ns", kind: SOFTWARE, config: 1 },
    Event { name: "page_faults", kind: SOFTWARE, config: 2 },
    Event { name: "context_switches", kind: SOFTWARE, config: CONTEXT_SWITCHES },
    Event { name: "cpu_migrations", kind: SOFTWARE, config: CPU_MIGRATIONS },
];

/// `struct perf_event_attr` as of PERF_ATTR_SIZE_VER0, which every kernel takes.
#[repr(C)]
#[derive(Default)]
struct Attr {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    bp_type: u32,
    config1: u64,
}

const _: () = assert!(size_of::<Attr>() == 64, "PERF_ATTR_SIZE_VER0");

/// Bit 1 of the flags: what a thread starts is counted too.
const INHERIT: u64 = 1 << 1;
/// Bits 5 and 6: neither the kernel's work for it, nor the hypervisor's.
const USER_ONLY: u64 = 1 << 5 | 1 << 6;
/// PERF_FORMAT_TOTAL_TIME_ENABLED and _RUNNING: counters that take turns on the CPU's say for how long.
const WITH_TIMES: u64 = 1 | 2;
/// PERF_FLAG_FD_CLOEXEC.
const CLOSE_ON_EXEC: libc::c_ulong = 1 << 3;
/// Chosen: threads of a server are fewer; each costs a descriptor per event.
const THREADS_MAX: usize = 64;

impl PerfCounters {
    /// Counts the `threads`, and all that they start from now on. What cannot be counted is in
    /// [`PerfCounters::notes`].
    pub fn attach(threads: &[u32]) -> PerfCounters {
        let mut counters = PerfCounters::default();
        if threads.len() > THREADS_MAX {
            let count = threads.len();
            counters.notes.push(format!("of {count} threads, perf counts {THREADS_MAX} at most"));
            return counters;
        }
        // Why it is not to be had -> the names of what is not.
        let mut refused: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        let mut user_only = false;
        for event in &EVENTS {
            match event.open_all(threads, |thread, flags| event.open(thread, flags)) {
                Ok(Opened { files, is_user_only }) => {
                    user_only |= is_user_only;
                    counters.counters.extend(files.into_iter().map(|file| (event, file)));
                }
                Err(error) => refused.entry(reason(event, &error)).or_default().push(event.name),
            }
        }
        let sentence = |(why, names): (String, Vec<&str>)| format!("{}: {why}", names.join(", "));
        counters.notes.extend(refused.into_iter().map(sentence));
        if user_only {
            let note = "user mode only is counted: kernel.perf_event_paranoid is above 1";
            counters.notes.push(note.to_owned());
        }
        counters
    }

    /// The counts since it was made, by name. A counter that took turns with others is scaled up to the
    /// whole time.
    pub fn read(&mut self) -> BTreeMap<&'static str, u64> {
        let mut counts = BTreeMap::new();
        for (event, file) in &mut self.counters {
            // A counter in error state reads as nothing, and adds nothing.
            if let Some(count) = read_count(file) {
                *counts.entry(event.name).or_insert(0) += count;
            }
        }
        counts
    }

    /// What is not counted, and why; one sentence each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

struct Opened {
    files: Vec<File>,
    is_user_only: bool,
}

impl Event {
    /// A counter for each thread, made by `open` of thread and flags; the threads that are gone
    /// meanwhile are left out.
    fn open_all(
        &self,
        threads: &[u32],
        open: impl Fn(u32, u64) -> io::Result<File>,
    ) -> io::Result<Opened> {
        let mut opened = Opened { files: Vec::new(), is_user_only: false };
        for thread in threads {
            let whole = if opened.is_user_only { Err(denied()) } else { open(*thread, 0) };
            let file = match whole {
                Err(error) if is_denied(&error) && self.happens_in_user_mode() => {
                    opened.is_user_only = true;
                    open(*thread, USER_ONLY)
                }
                outcome => outcome,
            };
            match file {
                Ok(file) => opened.files.push(file),
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(opened)
    }

    /// Threads are switched, and moved to other CPUs, by the kernel only: of user mode alone it would
    /// always count none, and say so as if it were true.
    fn happens_in_user_mode(&self) -> bool {
        !matches!((self.kind, self.config), (SOFTWARE, CONTEXT_SWITCHES | CPU_MIGRATIONS))
    }

    fn open(&self, thread: u32, flags: u64) -> io::Result<File> {
        let attr = Attr {
            kind: self.kind,
            size: size_of::<Attr>() as u32,
            config: self.config,
            read_format: WITH_TIMES,
            flags: INHERIT | flags,
            ..Attr::default()
        };
        let (any_cpu, no_group) = (-1, -1);
        // SAFETY: the kernel reads `attr`, of the size it names, during the call; the rest are numbers.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_perf_event_open,
                &raw const attr,
                thread as libc::pid_t,
                any_cpu,
                no_group,
                CLOSE_ON_EXEC,
            )
        };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
        Ok(unsafe { File::from_raw_fd(fd as libc::c_int) })
    }
}

fn denied() -> io::Error {
    io::Error::from_raw_os_error(libc::EACCES)
}

fn is_denied(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EACCES | libc::EPERM))
}

/// Why an event is not counted, as a clause.
fn reason(event: &Event, error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENODEV | libc::EOPNOTSUPP) if event.kind == HARDWARE => {
            String::from("this CPU has no such counter, or the virtual machine no PMU")
        }
        Some(libc::EACCES | libc::EPERM) => {
            String::from("not allowed; lower the sysctl kernel.perf_event_paranoid, or be root")
        }
        Some(libc::ENOSYS) => String::from("this kernel has no perf_event_open"),
        Some(libc::EMFILE) => String::from("too few descriptors; raise `ulimit -n`"),
        _ => error.to_string(),
    }
}

/// value, time enabled, time running: perf_event_open(2), "Reading results".
fn read_count(file: &mut File) -> Option<u64> {
    let mut bytes = [0; 24];
    file.read_exact(&mut bytes).ok()?;
    let word = |at: usize| Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    Some(scaled(word(0)?, word(8)?, word(16)?))
}

/// A count of a part of the time for the whole of it.
fn scaled(count: u64, enabled: u64, running: u64) -> u64 {
    match running {
        0 => 0,
        running if running >= enabled => count,
        running => (u128::from(count) * u128::from(enabled) / u128::from(running)) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_in_part_is_scaled_to_the_whole() {
        assert_eq!(scaled(7, 100, 100), 7);
        assert_eq!(scaled(7, 100, 50), 14);
        assert_eq!(scaled(7, 100, 0), 0);
    }

    #[test]
    fn an_event_that_is_not_counted_is_said_to_be_and_no_other() {
        let mut counters = PerfCounters::attach(&[std::process::id()]);
        let counts = counters.read();
        for event in &EVENTS {
            let is_noted = counters.notes().iter().any(|note| note.contains(event.name));
            assert_ne!(counts.contains_key(event.name), is_noted, "{}: {counts:?}", event.name);
        }
    }

    #[test]
    fn where_user_mode_only_is_allowed_what_the_kernel_does_is_denied_and_not_zero() {
        let open = |_, flags| match flags {
            USER_ONLY => File::open("/dev/null"),
            _ => Err(denied()),
        };
        for event in &EVENTS {
            let opened = event.open_all(&[1, 2], open);
            match event.name {
                "context_switches" | "cpu_migrations" => {
                    assert!(opened.is_err_and(|error| is_denied(&error)), "{}", event.name);
                }
                name => {
                    let opened = opened.unwrap();
                    assert!(opened.is_user_only && opened.files.len() == 2, "{name}");
                }
            }
        }
    }

    #[test]
    fn a_hardware_event_is_explained() {
        let error = io::Error::from_raw_os_error(libc::ENOENT);
        assert!(reason(&EVENTS[0], &error).contains("no PMU"));
        assert!(reason(&EVENTS[0], &denied()).contains("perf_event_paranoid"));
    }

    #[test]
    fn what_a_thread_starts_is_counted_and_a_thread_that_is_gone_is_left_out() {
        // SAFETY: takes nothing.
        let this_thread = unsafe { libc::gettid() } as u32;
        let mut counters = PerfCounters::attach(&[this_thread, u32::MAX >> 2]);
        let Some(before) = counters.read().get("page_faults").copied() else { return };
        std::thread::spawn(|| {
            let touched = vec![1u8; 1 << 22];
            std::hint::black_box(touched.iter().map(|byte| u64::from(*byte)).sum::<u64>())
        })
        .join()
        .unwrap();
        let after = counters.read()["page_faults"];
        // Four megabytes are a thousand pages, or two large ones.
        assert!(after > before, "{before} to {after}");
    }

    #[test]
    fn too_many_threads_are_refused_in_a_sentence() {
        let counters = PerfCounters::attach(&[1; THREADS_MAX + 1]);
        assert_eq!(counters.notes(), ["of 65 threads, perf counts 64 at most"]);
    }
}
