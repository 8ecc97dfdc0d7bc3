//! Paces two servers at once from one core, pair by pair; see [`pairs`](super::pairs).
//!
//! What the machine does meanwhile hits both, so the pairs tell what runs one after the other cannot.
//! Each server's requests make a run like any other, with its own verdict. Start at [`run`].

use super::pairs::Side;
use super::plan::{Backend, Outputs, Plan, Unfit, descriptors_needed};
use super::schedule::Lane;
use super::url::Url;
use super::worker::Worker;
use super::worker::duet::{Duet, DuetEnd};
use super::worker::feed::Feed;
use super::{Outcome, PaceError, START_MARGIN};
use super::{
    explain, insert_disturbance, observe, open_outputs, resolve, task_of, watch, write_to,
};
use crate::clock::Clock;
use crate::io::clock::{MonotonicClock, wall_offset};
use crate::io::disturbance::Snapshot;
use crate::io::epoll::Epoll;
use crate::io::net::Address;
use crate::io::uring::{Settings, Uring};
use crate::io::{Driver, limits, topology};
use crate::results::Disturbance;
use crate::results::duet::{DUET_SCHEMA, DuetRun};
use crate::units::Mono;
use std::io;
use std::sync::atomic::AtomicBool;
use std::thread;

/// Paces the server of `plan` as A and that of `other` as B, and writes the object and a log of each if
/// they are asked for. Blocks, on a thread that it pins.
///
/// # Errors
/// As [`super::run`].
pub fn run(plan: &Plan, other: &Url, stop: &AtomicBool) -> Result<DuetRun, PaceError> {
    let descriptors_max = limits::descriptor_limit().map_err(PaceError::Driver)?;
    plan.check(descriptors_max).map_err(PaceError::Plan)?;
    check(plan, descriptors_max).map_err(PaceError::Plan)?;
    let plans = [(Side::A, &plan.url), (Side::B, other)].map(|(side, url)| Plan {
        url: url.clone(),
        outputs: outputs_of(side, &plan.outputs),
        ..plan.clone()
    });
    let [of_a, of_b] = plans.each_ref().map(|plan| open_outputs(&plan.outputs));
    let sinks = [of_a.map_err(PaceError::Plan)?, of_b.map_err(PaceError::Plan)?];
    let to = [resolve(&plans[0])?, resolve(&plans[1])?];
    let (run, watched) = thread::scope(|scope| {
        let mut observers = Vec::new();
        let feeds = [0, 1].map(|side| {
            let (observer, mut feeds) = observe(&plans[side], &sinks[side]);
            observers.push(observer);
            feeds.pop().flatten()
        });
        let threads: Vec<_> = observers
            .into_iter()
            .zip(&plans)
            .zip(sinks)
            .filter_map(|((observer, plan), sinks)| {
                let observer = observer?;
                Some(scope.spawn(move || watch(plan, observer, sinks)))
            })
            .collect();
        let run = pace_both(&plans, to, feeds, stop);
        let join = |thread: thread::ScopedJoinHandle<'_, _>| {
            thread.join().expect("an observer does not panic")
        };
        (run, threads.into_iter().try_for_each(join))
    });
    let run = run?;
    watched?;
    if let Some(path) = &plan.outputs.json {
        let mut text = serde_json::to_string(&run).expect("a run is plain data");
        text.push('\n');
        write_to(path, |out| out.write_all(text.as_bytes()))?;
    }
    Ok(run)
}

/// What the run of one server writes: its log is called by the side, as `run.a.hlog`.
fn outputs_of(side: Side, outputs: &Outputs) -> Outputs {
    let hlog =
        outputs.hlog.as_ref().map(|path| path.with_extension(format!("{}.hlog", side.name())));
    // Lines of two servers in turn would be read by nobody.
    Outputs { hlog, live: None, ..outputs.clone() }
}

/// On this thread, which is pinned.
fn pace_both(
    plans: &[Plan; 2],
    to: [Address; 2],
    feeds: [Option<Feed>; 2],
    stop: &AtomicBool,
) -> Result<DuetRun, PaceError> {
    let [plan, _] = plans;
    if let Some(cpu) = plan.cpus.first() {
        topology::pin_current_thread(*cpu).map_err(PaceError::Plan)?;
    }
    match plan.backend {
        Backend::Epoll => conduct(plans, to, feeds, Epoll::new, stop),
        Backend::Uring => {
            let settings = Settings { direct_send: true, ..Settings::default() };
            conduct(plans, to, feeds, || Uring::new(&settings), stop)
        }
    }
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

fn conduct<D: Driver>(
    plans: &[Plan; 2],
    to: [Address; 2],
    feeds: [Option<Feed>; 2],
    driver: impl Fn() -> io::Result<D>,
    stop: &AtomicBool,
) -> Result<DuetRun, PaceError> {
    let [plan, _] = plans;
    let hosts = plans.each_ref().map(|plan| plan.url.authority());
    let wall = wall_offset();
    let worker = |side: usize, feed: Option<Feed>| -> Result<_, PaceError> {
        let task = task_of(plan, (to[side], wall), 0);
        debug_assert_eq!(task.lane, Lane::WHOLE, "one core has the whole schedule");
        let driver = driver().map_err(PaceError::Driver)?;
        let worker = Worker::new(task, &plan.mix, &hosts[side], driver, MonotonicClock);
        Ok(worker.observed(feed))
    };
    let [of_a, of_b] = feeds;
    let workers = [worker(0, of_a)?, worker(1, of_b)?];
    let mut duet = Duet::new(workers);
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
        assert!(error.to_string().contains("--json: there is no directory nowhere"), "{error}");
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
