use super::*;
use std::cell::RefCell;
use std::rc::Rc;

/// A `/proc` made of texts that the test may change between samples.
#[derive(Clone, Default)]
struct FakeProc(Rc<RefCell<HashMap<String, String>>>);

impl FakeProc {
    fn set(&self, path: &str, text: &str) {
        self.0.borrow_mut().insert(path.to_owned(), text.to_owned());
    }

    /// One process with one thread that has used so much.
    fn process(&self, pid: u32, user_ticks: u64, system_ticks: u64, sched_ns: u64, children: &str) {
        let zeros = "0 ".repeat(8);
        self.set(
            &format!("{pid}/stat"),
            &format!("{pid} (a b) c) S 1 {pid} {zeros}{user_ticks} {system_ticks} 0 0"),
        );
        self.set(&format!("{pid}/status"), "Name:\ta b) c\nVmHWM:\t  300 kB\nVmRSS:\t  200 kB\n");
        self.thread(pid, pid, sched_ns, children);
    }

    fn thread(&self, pid: u32, tid: u32, sched_ns: u64, children: &str) {
        let task = format!("{pid}/task/{tid}");
        self.set(&format!("{task}/schedstat"), &format!("{sched_ns} 77 88\n"));
        let switches = sched_ns / 1_000_000;
        self.set(
            &format!("{task}/status"),
            &format!("voluntary_ctxt_switches:\t{switches}\nnonvoluntary_ctxt_switches:\t7\n"),
        );
        self.set(&format!("{task}/children"), children);
    }
}

impl ProcFs for FakeProc {
    fn read(&self, path: &str) -> Option<String> {
        self.0.borrow().get(path).cloned()
    }

    fn threads(&self, pid: u32) -> Vec<u32> {
        let files = self.0.borrow();
        let prefix = format!("{pid}/task/");
        let schedstats = files.keys().filter_map(|path| {
            path.strip_prefix(&prefix)?.strip_suffix("/schedstat")?.parse().ok()
        });
        schedstats.collect()
    }
}

fn second(n: u64) -> Mono {
    Mono(1_000_000_000 * n)
}

const MS: u64 = 1_000_000;

#[test]
fn a_window_gets_the_difference_between_its_edges_and_nothing_before() {
    let proc_fs = FakeProc::default();
    let mut sampler = Sampler::over(proc_fs.clone(), 5, 100);
    for (at, cpu_ms) in [(10, 5_000), (11, 5_100), (12, 5_300), (13, 5_600)] {
        proc_fs.process(5, cpu_ms / 10 / 4, cpu_ms * 3 / 10 / 4, cpu_ms * MS, "");
        sampler.sample(second(at));
    }
    let usage = sampler.usage(second(11), second(13)).unwrap();
    assert_eq!(usage.cpu_ns, 500 * MS);
    assert_eq!(usage.cpu_percent, 25.0);
    assert_eq!(usage.user_ns + usage.system_ns, usage.cpu_ns);
    assert!(usage.system_ns > 2 * usage.user_ns, "{usage:?}");
    assert_eq!((usage.rss_mean_bytes, usage.rss_peak_bytes), (200 * 1_024, 300 * 1_024));
    assert_eq!(usage.voluntary_switches, 500);
    assert_eq!(usage.involuntary_switches, 0);
    assert_eq!(usage.migrations, None);
    let series: Vec<(f64, f64)> = usage.series.iter().map(|p| (p.at_s, p.cpu_percent)).collect();
    assert_eq!(series, [(1.0, 20.0), (2.0, 30.0)]);
}

#[test]
fn edges_between_samples_are_interpolated() {
    let proc_fs = FakeProc::default();
    let mut sampler = Sampler::over(proc_fs.clone(), 5, 100);
    for (at, cpu_ms) in [(0, 0), (2, 200), (4, 1_000)] {
        proc_fs.process(5, 0, 0, cpu_ms * MS, "");
        sampler.sample(second(at));
    }
    let usage = sampler.usage(second(1), second(3)).unwrap();
    assert_eq!(usage.cpu_ns, 500 * MS);
    assert_eq!(usage.covered_s, 2.0);
}

#[test]
fn a_window_that_reaches_beyond_the_samples_says_how_much_was_covered() {
    let proc_fs = FakeProc::default();
    let mut sampler = Sampler::over(proc_fs.clone(), 5, 100);
    assert_eq!(sampler.usage(second(0), second(9)), None);
    for at in [1, 2] {
        proc_fs.process(5, 0, 0, at * 100 * MS, "");
        sampler.sample(second(at));
    }
    let usage = sampler.usage(second(0), second(9)).unwrap();
    assert_eq!((usage.covered_s, usage.cpu_percent), (1.0, 10.0));
    assert_eq!(sampler.usage(second(3), second(9)), None);
}

#[test]
fn threads_and_children_count_also_when_they_come_and_go() {
    let proc_fs = FakeProc::default();
    let mut sampler = Sampler::over(proc_fs.clone(), 5, 100);
    proc_fs.process(5, 0, 0, 10 * MS, "6 ");
    proc_fs.process(6, 0, 0, 20 * MS, "");
    sampler.sample(second(1));
    // A thread of 5 and a child of 6 are new; all of what they used is of this window.
    proc_fs.thread(5, 50, 4 * MS, "");
    proc_fs.process(6, 0, 0, 21 * MS, "7");
    proc_fs.process(7, 0, 0, 8 * MS, "");
    sampler.sample(second(2));
    assert_eq!(sampler.usage(second(1), second(2)).unwrap().cpu_ns, 13 * MS);
    // The child of 5 is gone; what was counted stays.
    proc_fs.process(5, 0, 0, 12 * MS, "");
    sampler.sample(second(3));
    assert_eq!(sampler.usage(second(1), second(3)).unwrap().cpu_ns, 15 * MS);
}

#[test]
fn without_schedstat_the_ticks_of_stat_count() {
    let proc_fs = FakeProc::default();
    let mut sampler = Sampler::over(proc_fs.clone(), 5, 100);
    for at in [1, 2] {
        proc_fs.process(5, 30 * at, 10 * at, 0, "");
        sampler.sample(second(at));
    }
    let usage = sampler.usage(second(1), second(2)).unwrap();
    assert_eq!((usage.user_ns, usage.cpu_ns), (300 * MS, 400 * MS));
}

#[test]
fn a_process_that_is_gone_adds_no_sample() {
    let proc_fs = FakeProc::default();
    let mut sampler = Sampler::over(proc_fs, 5, 100);
    sampler.sample(second(1));
    sampler.sample(second(2));
    assert_eq!(sampler.usage(second(1), second(2)), None);
}

#[test]
fn odd_names_and_broken_files_are_read_as_they_are() {
    let stat = "12 (a b) c) R 1 12 12 0 -1 4194304 1 0 0 0 250 31 0 0 20 0 1 0 99 1 2";
    assert_eq!(parse_stat(stat), Some(ProcessCounters { user_ticks: 250, system_ticks: 31 }));
    for broken in ["", "12", "12 (cat", "12 (cat) R 1", "12 (cat) R 1 1 1 0 -1 4 1 0 0 0 x y"] {
        assert_eq!(parse_stat(broken), None, "{broken}");
    }
    assert_eq!(parse_migrations("cat (1)\nse.nr_migrations    :     42\n"), Some(42));
    assert_eq!(parse_migrations("nothing of the kind"), None);
}

#[test]
fn the_real_proc_shows_this_process() {
    use crate::clock::Clock;
    use crate::io::clock::MonotonicClock;
    let mut sampler = Sampler::new(std::process::id());
    let begin = MonotonicClock.now();
    sampler.sample(begin);
    let mut spun = 0u64;
    while MonotonicClock.now().saturating_since(begin) < Nanos::from_millis(30) {
        spun = std::hint::black_box(spun + 1);
    }
    let until = MonotonicClock.now();
    sampler.sample(until);
    let usage = sampler.usage(begin, until).unwrap();
    assert!(usage.rss_mean_bytes > 100_000, "{usage:?}");
    assert!(usage.cpu_ns > 0, "{usage:?}");
}
