//! Paces two servers at once from one core, pair by pair; see [`pairs`](super::pairs).
//!
//! What the machine does meanwhile hits both, so the pairs tell what runs one after the other cannot.
//! Each server's requests make a run like any other, with its own verdict. Start at [`run`].

use super::outcome::Outcome;
use super::outputs::Output;
use super::pairs::Side;
use super::plan::{DESCRIPTORS_BESIDE, Plan, Unfit};
use super::run::{
    PaceError, START_MARGIN, WithDriver, explain, insert_disturbance, resolve, task_of, with_driver,
};
use super::schedule::Lane;
use super::url::Url;
use super::worker::Worker;
use super::worker::duet::{Duet, DuetEnd};
use crate::clock::Clock;
use crate::io::clock::{MonotonicClock, wall_offset};
use crate::io::disturbance::Snapshot;
use crate::io::net::Address;
use crate::io::{Driver, limits, topology};
use crate::results::Disturbance;
use crate::results::duet::{DUET_SCHEMA, DuetRun};
use crate::units::Mono;
use std::io;
use std::sync::atomic::AtomicBool;

/// Paces the server of `plan` as A and that of `other` as B, and writes the object if one is asked for.
/// Blocks, on a thread that it pins. Beside what came of it, a sentence if the object could not be
/// written.
///
/// # Errors
/// As [`super::run()`].
pub fn run(
    plan: &Plan,
    other: &Url,
    stop: &AtomicBool,
) -> Result<(DuetRun, Option<String>), PaceError> {
    let descriptors_max = limits::descriptor_limit().map_err(PaceError::Driver)?;
    plan.check(descriptors_max).map_err(PaceError::Plan)?;
    check(plan, descriptors_max).map_err(PaceError::Plan)?;
    let json = plan.outputs.json.as_ref().map(|path| Output::open("--json", path)).transpose();
    let json = json.map_err(PaceError::Plan)?;
    let plans = [plan.clone(), Plan { url: other.clone(), ..plan.clone() }];
    let to = [resolve(&plans[0])?, resolve(&plans[1])?];
    if let Some(cpu) = plan.cpus.first() {
        topology::pin_current_thread(*cpu).map_err(PaceError::Pin)?;
    }
    let run = with_driver(plan, TwoServers { plans: &plans, to, stop })?;
    let unwritten = json.and_then(|output| output.write_json(&run).err());
    Ok((run, unwritten))
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
    let both = 2 * plan.connections_max as u64 + DESCRIPTORS_BESIDE;
    match both <= descriptors_max {
        true => Ok(()),
        false => Err(format!(
            "--duet: --max-connections {} to each of two servers needs {both} descriptors, and this \
             process may have {descriptors_max}; raise `ulimit -n` or lower the flag",
            plan.connections_max
        )),
    }
}

/// Two servers that are to be paced.
struct TwoServers<'r> {
    plans: &'r [Plan; 2],
    to: [Address; 2],
    stop: &'r AtomicBool,
}

impl WithDriver for TwoServers<'_> {
    type End = Result<DuetRun, PaceError>;

    fn with<D: Driver>(self, open: impl Fn() -> io::Result<D>) -> Result<DuetRun, PaceError> {
        let TwoServers { plans, to, stop } = self;
        let [plan, _] = plans;
        let hosts = plans.each_ref().map(|plan| plan.url.authority());
        let wall = wall_offset();
        let worker = |side: usize| {
            let task = task_of(plan, (to[side], wall), 0);
            debug_assert_eq!(task.lane, Lane::WHOLE, "one core has the whole schedule");
            let of = |driver| Worker::new(task, &plan.mix, &hosts[side], driver, MonotonicClock);
            open().map(of).map_err(PaceError::Driver)
        };
        let mut duet = Duet::new([worker(0)?, worker(1)?]);
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
