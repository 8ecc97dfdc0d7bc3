//! The experiment as it runs: every flag about how the server runs, with its value, on one line.
//!
//! It is the server's first line of output, and with it the results of a bench hold what was measured
//! also where a default changes some day. The line can be typed again. A value that the kernel
//! refused is in it as asked for; the note behind it says so. Not here: limits and deadlines.

use super::choice::{
    min_wait_word, on_off_word, policy_word, send_word, shot_word, span_word, task_run_word,
    wake_word,
};
use crate::io::topology::CpuList;
use crate::io::uring;
use crate::io::wait::WaitMode;
use crate::serve::{Backend, Plan};

/// A flag and its value; the value is empty where the flag takes none.
type Flag = (&'static str, String);

/// `--backend uring --wait block` and so on.
pub(super) fn line(plan: &Plan) -> String {
    let mut flags = placing(plan);
    flags.extend(waiting(plan.wait));
    match plan.backend {
        Backend::Uring => flags.extend(ring(plan)),
        Backend::MonoioUring => flags.extend(entries(&plan.ring)),
        Backend::Epoll | Backend::MonoioEpoll => {}
    }
    flags.extend(sockets(plan));
    flags.extend(threads(plan));
    let work = plan.settings.status_work;
    flags.extend(work.map(|work| ("--status-work", span_word(work.span()))));
    let words = flags.into_iter().map(|(flag, value)| format!("{flag} {value}"));
    words.map(|word| word.trim_end().to_string()).collect::<Vec<_>>().join(" ")
}

fn placing(plan: &Plan) -> Vec<Flag> {
    let mut flags = vec![("--backend", plan.backend.to_string())];
    flags.extend(plan.worker_cpus().map(|cpus| ("--cpus", cpus.to_string())));
    flags.push(("--workers", plan.cores().len().to_string()));
    let housekeeping = plan.threads.housekeeping_cpus.as_ref();
    flags.extend(housekeeping.map(|cpus| ("--housekeeping-cpus", cpus.to_string())));
    flags
}

fn waiting(wait: WaitMode) -> Vec<Flag> {
    match wait {
        WaitMode::Block => vec![("--wait", "block".into())],
        WaitMode::Spin => vec![("--wait", "spin".into())],
        WaitMode::Hybrid { guard, budget } => vec![
            ("--wait", "hybrid".into()),
            ("--spin-guard", span_word(guard)),
            ("--spin-budget", span_word(budget)),
        ],
    }
}

/// What monoio's ring and ours have in common.
fn entries(ring: &uring::Settings) -> Vec<Flag> {
    vec![
        ("--task-run", task_run_word(ring.task_run).into()),
        ("--sq-entries", ring.sq_entries.to_string()),
        ("--cq-entries", ring.cq_entries.to_string()),
    ]
}

fn ring(plan: &Plan) -> Vec<Flag> {
    let ring = &plan.ring;
    let mut flags = entries(ring);
    flags.extend([
        ("--accept", shot_word(ring.accept_multishot).to_string()),
        ("--recv", shot_word(ring.recv_multishot).into()),
        ("--send", send_word(ring.direct_send).into()),
        ("--fixed-files", on_off_word(ring.fixed_files).into()),
        ("--registered-ring", on_off_word(ring.registered_ring).into()),
        ("--no-iowait", on_off_word(ring.no_iowait).into()),
        ("--buffers", ring.buffers.to_string()),
        ("--buffer-bytes", ring.buffer_bytes.to_string()),
        ("--wake", wake_word(ring.wake).into()),
    ]);
    if let Some(sqpoll) = ring.sqpoll {
        let cpus = plan.threads.sqpoll_cpus.as_ref().map(CpuList::to_string);
        flags.push(("--sqpoll", cpus.unwrap_or_else(|| "any".into())));
        flags.push(("--sqpoll-idle", span_word(sqpoll.idle)));
    }
    flags.extend(ring.napi.map(|span| ("--napi", span_word(span))));
    flags.extend(ring.min_wait.map(|wait| ("--min-wait", min_wait_word(wait))));
    flags
}

fn sockets(plan: &Plan) -> Vec<Flag> {
    let sockets = &plan.sockets;
    let mut flags = vec![
        ("--backlog", sockets.backlog.to_string()),
        ("--nodelay", on_off_word(sockets.nodelay).into()),
        ("--quickack", on_off_word(sockets.quickack).into()),
        ("--incoming-cpu", on_off_word(sockets.incoming_cpu).into()),
    ];
    flags.extend(sockets.busy_poll.map(|span| ("--busy-poll", span_word(span))));
    flags
}

fn threads(plan: &Plan) -> Vec<Flag> {
    let threads = &plan.threads;
    let mut flags = Vec::new();
    flags.extend(threads.scheduling.policy.map(|policy| ("--sched", policy_word(policy))));
    flags.extend(threads.scheduling.nice.map(|nice| ("--nice", nice.to_string())));
    flags.push(("--timer-slack", span_word(threads.timer_slack())));
    flags.extend(threads.lock_memory.then(|| ("--mlockall", String::new())));
    flags
}
