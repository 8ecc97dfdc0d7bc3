//! Paces two servers at once from one core, pair by pair; see [`pairs`](super::pairs).
//!
//! What the machine does meanwhile hits both, so the pairs tell what runs one after the other cannot.
//! Each server's requests make a run like any other, with its own verdict. Start at [`run`].

use super::outcome::Outcome;
use super::outputs::{Opened, Output};
use super::pairs::Side;
use super::plan::{Outputs, Plan, Unfit, descriptors_needed};
use super::run::{PaceError, START_MARGIN, WithDriver, explain, insert_disturbance};
use super::run::{observe, resolve, task_of, watch, with_driver};
use super::schedule::Lane;
use super::url::Url;
use super::worker::Worker;
use super::worker::duet::{Duet, DuetEnd};
use super::worker::feed::Feed;
use super::worker::observer::Sinks;
use crate::clock::Clock;
use crate::io::clock::{MonotonicClock, wall_offset};
use crate::io::disturbance::Snapshot;
use crate::io::net::Address;
use crate::io::{Driver, limits, topology};
use crate::results::Disturbance;
use crate::results::duet::{DUET_SCHEMA, DuetRun};
use crate::units::Mono;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::thread::{self, ScopedJoinHandle};

/// Paces the server of `plan` as A and that of `other` as B, and writes the object and a log of each if
/// they are asked for. Blocks, on a thread that it pins. Beside what came of it, a sentence for each
/// file that could not be written.
///
/// # Errors
/// As [`super::run()`].
pub fn run(
    plan: &Plan,
    other: &Url,
    stop: &AtomicBool,
) -> Result<(DuetRun, Vec<String>), PaceError> {
    let descriptors_max = limits::descriptor_limit().map_err(PaceError::Driver)?;
    plan.check(descriptors_max).map_err(PaceError::Plan)?;
    check(plan, descriptors_max).map_err(PaceError::Plan)?;
    limits::reserve_descriptors(descriptors_needed(2, plan.connections_max));
    let plans = [(Side::A, &plan.url), (Side::B, other)].map(|(side, url)| Plan {
        url: url.clone(),
        outputs: log_of(side, &plan.outputs),
        ..plan.clone()
    });
    check_outputs(&plan.outputs, &plans).map_err(PaceError::Plan)?;
    let json = plan.outputs.json.as_ref().map(|path| Output::open("--json", path)).transpose();
    let json = json.map_err(PaceError::Plan)?;
    let [of_a, of_b] = plans.each_ref().map(|plan| Opened::open(&plan.outputs));
    let sinks = [of_a.map_err(PaceError::Plan)?.1, of_b.map_err(PaceError::Plan)?.1];
    let to = [resolve(&plans[0])?, resolve(&plans[1])?];
    let (run, mut unwritten) = observed(&plans, sinks, |feeds| {
        // The observers, which have begun, keep off its CPU.
        let pinned = plan.cpus.first().map_or(Ok(()), |cpu| topology::pin_current_thread(*cpu));
        pinned.map_err(PaceError::Pin)?;
        with_driver(plan, TwoServers { plans: &plans, to, feeds, stop })
    });
    let run = run?;
    unwritten.extend(json.and_then(|output| output.write_json(&run).err()));
    Ok((run, unwritten))
}

/// What the run of one server writes by itself: a log that is called by the side, as `run.a.hlog`.
fn log_of(side: Side, outputs: &Outputs) -> Outputs {
    Outputs { hlog: outputs.hlog.as_deref().map(|path| log_name(side, path)), ..Outputs::default() }
}

/// The side stands before `.hlog`, which is added where it is missing: any other dot is part of a name.
fn log_name(side: Side, path: &Path) -> PathBuf {
    let is_log = path.extension().is_some_and(|extension| extension == "hlog");
    let stem = if is_log { path.with_extension("") } else { path.to_path_buf() };
    let mut name = stem.into_os_string();
    name.push(format!(".{}.hlog", side.name()));
    PathBuf::from(name)
}

/// As [`Outputs::check`], of the files that the sides write beside the object of both.
fn check_outputs(outputs: &Outputs, sides: &[Plan; 2]) -> Result<(), String> {
    sides
        .iter()
        .try_for_each(|side| Outputs { json: outputs.json.clone(), ..side.outputs.clone() }.check())
}

/// What comes of `pace`, which is handed a feed for each side that leaves a log; and what could not be
/// written of these.
fn observed<'p, T>(
    plans: &'p [Plan; 2],
    [of_a, of_b]: [Sinks; 2],
    pace: impl FnOnce([Option<Feed>; 2]) -> T,
) -> (T, Vec<String>) {
    thread::scope(|scope| {
        let mut observers = Vec::new();
        let mut begin = |plan: &'p Plan, sinks: Sinks| {
            let (observer, mut feeds) = observe(plan, &sinks);
            observers.extend(observer.map(|observer| scope.spawn(|| watch(plan, observer, sinks))));
            feeds.pop().flatten()
        };
        let feeds = [begin(&plans[0], of_a), begin(&plans[1], of_b)];
        let end = pace(feeds);
        let join = |thread: ScopedJoinHandle<'_, Vec<String>>| {
            thread.join().expect("an observer does not panic")
        };
        (end, observers.into_iter().flat_map(join).collect())
    })
}

/// A sentence that names the flag, if two servers cannot be paced so.
fn check(plan: &Plan, descriptors_max: u64) -> Result<(), String> {
    if plan.threads() > 1 {
        return Err(format!(
            "--duet paces both servers from one core, so that the machine hits both; --cpus names {}",
            plan.threads()
        ));
    }
    if let Some(unfit) = Unfit::of(plan.wait, plan.timestamps, plan.catch_up, &plan.load.arrivals) {
        let typed = match unfit {
            Unfit::Hybrid => "--wait hybrid",
            Unfit::KernelStamps => "--timestamps kernel",
            Unfit::CatchUp => "--catch-up",
            Unfit::Replay => "--arrivals replay",
        };
        return Err(format!("--duet does not go with {typed}: {}", unfit.why()));
    }
    let both = descriptors_needed(2, plan.connections_max);
    match both <= descriptors_max {
        true => Ok(()),
        false => Err(format!(
            "--duet: --max-connections {} to each of two servers needs {both} descriptors, and this \
             process may have {descriptors_max}; raise `ulimit -n` or lower it",
            plan.connections_max
        )),
    }
}

/// Two servers that are to be paced.
struct TwoServers<'r> {
    plans: &'r [Plan; 2],
    to: [Address; 2],
    feeds: [Option<Feed>; 2],
    stop: &'r AtomicBool,
}

impl WithDriver for TwoServers<'_> {
    type End = Result<DuetRun, PaceError>;

    fn with<D: Driver>(self, open: impl Fn() -> io::Result<D>) -> Result<DuetRun, PaceError> {
        let TwoServers { plans, to, feeds: [of_a, of_b], stop } = self;
        let [plan, _] = plans;
        let hosts = plans.each_ref().map(|plan| plan.url.authority());
        let wall = wall_offset();
        let worker = |side: usize, feed: Option<Feed>| {
            let task = task_of(plan, (to[side], wall), 0);
            debug_assert_eq!(task.lane, Lane::WHOLE, "one core has the whole schedule");
            let of = |driver| Worker::new(task, &plan.mix, &hosts[side], driver, MonotonicClock);
            open().map(of).map(|worker| worker.observed(feed)).map_err(PaceError::Driver)
        };
        let mut duet = Duet::new([worker(0, of_a)?, worker(1, of_b)?]);
        let index = |side: Side| usize::from(side == Side::B);
        duet.establish(|side, worker| match plan.spread {
            true => worker.establish_evenly(&hosts[index(side)], stop).map(|_| ()),
            false => worker.establish(stop),
        })
        .map_err(|(side, error)| explain(&plans[index(side)], plan.connections, error))?;
        let before = Snapshot::take(plan.cpus.first().copied());
        let start = MonotonicClock.now() + START_MARGIN;
        let mut end = duet.pace(start, stop).map_err(PaceError::Driver)?;
        let step = wall.step_until(wall_offset());
        end.recorders.iter_mut().for_each(|recorder| recorder.wall_step = step);
        Ok(run_of(plans, start, end, &before.since()))
    }
}

fn run_of(plans: &[Plan; 2], start: Mono, end: DuetEnd, disturbance: &Disturbance) -> DuetRun {
    let DuetEnd { measured, recorders: [of_a, of_b], pairs } = end;
    let [a, b] = [(&plans[0], of_a), (&plans[1], of_b)].map(|(plan, recorder)| {
        let mut run = Outcome::new(plan, recorder, start + plan.warmup, measured).run;
        insert_disturbance(&mut run, disturbance);
        if let Some(of_both) = plan.load.nominal() {
            run.offered_rps = of_both.as_f64() / 2.0;
        }
        run
    });
    DuetRun { schema: String::from(DUET_SCHEMA), a, b, pairs }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::arrivals::Arrivals;
    use crate::pace::plan::{PaceWait, Timestamps};
    use crate::pace::replay::Replay;
    use crate::units::{Nanos, Rate};

    #[track_caller]
    fn refused(change: impl FnOnce(&mut Plan), says: &str) {
        let url = "http://h/".parse().unwrap();
        let mut plan = Plan::new(url, Rate::per_second(1).unwrap(), Nanos::from_secs(1));
        check(&plan, 4_000).unwrap();
        change(&mut plan);
        let error = check(&plan, 4_000).unwrap_err();
        assert!(error.starts_with("--duet") && error.contains(says), "{error}");
    }

    #[test]
    fn the_descriptors_of_both_servers_and_of_the_rest_are_enough() {
        let url = "http://h/".parse().unwrap();
        let mut plan = Plan::new(url, Rate::per_second(1).unwrap(), Nanos::from_secs(1));
        plan.connections_max = 1_968;
        check(&plan, 4_000).unwrap();
    }

    #[test]
    fn an_output_that_cannot_be_written_is_refused_before_anything_is_resolved() {
        let url: Url = "http://no-such-host.invalid/".parse().unwrap();
        let mut plan = Plan::new(url.clone(), Rate::per_second(1).unwrap(), Nanos::from_secs(1));
        plan.connections = 1;
        plan.connections_max = 1;
        plan.outputs.json = Some("nowhere/x".into());
        let error = run(&plan, &url, &AtomicBool::new(false)).unwrap_err();
        assert!(error.to_string().starts_with("--json nowhere/x: "), "{error}");
    }

    #[test]
    fn the_log_of_a_side_keeps_every_dot_of_its_name() {
        for (given, of_a, of_b) in [
            ("run.hlog", "run.a.hlog", "run.b.hlog"),
            ("out/lat-0.5", "out/lat-0.5.a.hlog", "out/lat-0.5.b.hlog"),
            ("out.d/lat-0.6.hlog", "out.d/lat-0.6.a.hlog", "out.d/lat-0.6.b.hlog"),
            ("run", "run.a.hlog", "run.b.hlog"),
        ] {
            let named = [Side::A, Side::B].map(|side| log_name(side, Path::new(given)));
            assert_eq!(named, [of_a, of_b].map(PathBuf::from), "{given}");
        }
    }

    #[test]
    fn an_object_that_would_take_the_place_of_a_log_is_refused() {
        for json in ["run.a.hlog", "run.b.hlog"] {
            let url: Url = "http://no-such-host.invalid/".parse().unwrap();
            let mut plan = Plan::new(url.clone(), Rate::per_second(1).unwrap(), Nanos(1));
            plan.connections = 1;
            plan.connections_max = 1;
            plan.outputs.json = Some(json.into());
            plan.outputs.hlog = Some("run.hlog".into());
            let error = run(&plan, &url, &AtomicBool::new(false)).unwrap_err();
            let says = format!("--json and --hlog both write to {json}; it holds one of them");
            assert_eq!(error.to_string(), says);
        }
    }

    #[test]
    fn what_would_part_the_pairs_is_refused_by_flag() {
        refused(|plan| plan.cpus = vec![0, 1], "--cpus names 2");
        refused(|plan| plan.wait = PaceWait::Hybrid, "--wait hybrid");
        refused(|plan| plan.timestamps = Timestamps::Kernel, "--timestamps kernel");
        refused(|plan| plan.catch_up = "skip".parse().unwrap(), "--catch-up");
        refused(|plan| plan.connections_max = 1_969, "1969 to each of two servers needs 4002 desc");
        let mix = crate::pace::mix::Mix::single("/");
        let replay = Replay::parse("f", "1ms\n", &mix).unwrap();
        refused(|plan| plan.load.arrivals = Arrivals::Replay(replay), "--arrivals replay");
    }
}
