//! Makes one restart of a duet: two fresh servers, one pacer for both, samples of all three.
//!
//! What goes wrong with one is the failure of both runs: half a pair tells nothing. Start at
//! [`Laboratory::measure_duet`].

use super::{Assignment, Figures, Laboratory, check_schema, measured_begin, read_object, run_of};
use crate::bench::duet::Restarted;
use crate::bench::plan::Target;
use crate::bench::sampler::Sampler;
use crate::bench::target::{Mishap, Server};
use crate::results::duet::{DUET_SCHEMA, DuetRun, Restart};
use std::path::PathBuf;

impl Laboratory<'_> {
    /// Makes the restart of both targets of the plan. What goes wrong is in it as its failure; `None`
    /// if the bench is to end.
    pub(in crate::bench) fn measure_duet(&self, assignment: &Assignment<'_>) -> Option<Restarted> {
        let [a, b] = self.plan.targets.as_slice() else { return None };
        let files = format!("runs/{}", assignment.stem);
        let made = self.told(assignment, self.figures_of_both([a, b], assignment, &files))?;
        let restart = made.is_ok().then(|| Restart {
            rate: assignment.rate.to_owned(),
            repeat: assignment.repeat,
            file: format!("{files}.json"),
        });
        let [of_a, of_b] = match made {
            Ok(figures) => figures.map(Ok),
            Err(failure) => [Err(failure.clone()), Err(failure)],
        };
        let runs =
            [(a, of_a), (b, of_b)].map(|(of, made)| run_of(of, assignment, made, files.clone()));
        Some(Restarted { runs, restart })
    }

    fn figures_of_both(
        &self,
        targets: [&Target; 2],
        assignment: &Assignment<'_>,
        files: &str,
    ) -> Result<[Figures; 2], Mishap> {
        let start = |target: &Target| {
            let log = self.store.file(&format!("{files}.{}.log", target.name));
            Server::start(target, self.surroundings, &log)
        };
        // What is started second may find less of the machine: each target is, in turn.
        let mut servers = match assignment.repeat % 2 {
            1 => [start(targets[0])?, start(targets[1])?],
            _ => {
                let b = start(targets[1])?;
                [start(targets[0])?, b]
            }
        };
        let mut figures = self.load_both(&mut servers, assignment, files)?;
        for ((target, server), figures) in targets.into_iter().zip(servers).zip(&mut figures) {
            figures.end(target, server)?;
        }
        Ok(figures)
    }

    fn load_both(
        &self,
        servers: &mut [Server; 2],
        assignment: &Assignment<'_>,
        files: &str,
    ) -> Result<[Figures; 2], Mishap> {
        let [log, json]: [PathBuf; 2] =
            ["pacer.log", "json"].map(|end| self.store.file(&format!("{files}.{end}")));
        // Of every restart other draws: what one order happens to favour, another does not.
        let seed = self.plan.seed.wrapping_add(u64::from(assignment.repeat) - 1);
        let mut command = self.pacer(&servers[0], assignment, &json, seed);
        command.arg("--duet").arg(format!("http://{}", servers[1].address()));
        // Of A `FILES.a.hlog`, of B `FILES.b.hlog`.
        command.arg("--hlog").arg(self.store.file(&format!("{files}.hlog")));
        let (mut pacer, started) = self.start_pacer(&mut command, &log, &json)?;
        let pids = [servers[0].pid(), servers[1].pid(), pacer.pid()];
        let mut samplers = pids.map(Sampler::new);
        let status = self.attend(servers, &mut pacer, &mut samplers, started, assignment)?;
        let DuetRun { schema, a, b, .. } =
            read_object(&json, status, &log).map_err(Mishap::Failed)?;
        check_schema(&schema, DUET_SCHEMA, &json).map_err(Mishap::Failed)?;
        let begin = measured_begin(&a).unwrap_or(started + assignment.warmup);
        let [of_a, of_b, of_pacer] =
            samplers.map(|sampler| sampler.usage(begin, begin + assignment.duration));
        let figures = |run, target| Figures {
            settings: None,
            notes: Vec::new(),
            run,
            target,
            pacer: of_pacer.clone(),
        };
        Ok([figures(a, of_a), figures(b, of_b)])
    }
}
