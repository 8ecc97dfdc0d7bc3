use super::*;
use crate::serve::Server;
use std::io;

fn plan(backend: Backend, wait: WaitMode, task_run: TaskRun) -> Plan {
    let plan = Plan::new(backend);
    Plan { wait, ring: uring::Settings { task_run, ..plan.ring.clone() }, ..plan }
}

#[track_caller]
fn check(plan: &Plan, flag: Option<&str>) {
    match (plan.refusal(), flag) {
        (None, None) => {}
        (Some(refusal), Some(flag)) => assert!(refusal.starts_with(flag), "{refusal}"),
        (refusal, flag) => panic!("{refusal:?} instead of {flag:?}"),
    }
}

#[test]
fn what_monoio_cannot_do_is_refused_and_the_flag_named() {
    for backend in Backend::ALL {
        let monoio = matches!(backend, Backend::MonoioUring | Backend::MonoioEpoll);
        let hybrid = plan(backend, WaitMode::HYBRID, TaskRun::Interrupt);
        check(&hybrid, monoio.then_some("--wait hybrid"));
        for task_run in [TaskRun::Defer, TaskRun::Coop, TaskRun::Interrupt] {
            check(&plan(backend, WaitMode::Block, task_run), None);
            let unseen = backend == Backend::MonoioUring && task_run == TaskRun::Defer;
            check(&plan(backend, WaitMode::Spin, task_run), unseen.then_some("--wait spin"));
        }
    }
    let refused = Server::start(&plan(Backend::MonoioEpoll, WaitMode::HYBRID, TaskRun::Coop));
    assert_eq!(refused.map(|_| ()).unwrap_err().kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn workers_are_dealt_out_to_the_cpus_in_turn_and_no_two_bear_one_name() {
    let mut plan = plan(Backend::Epoll, WaitMode::Block, TaskRun::Defer);
    let mut check = |cpus: Option<&str>, workers, expected: &[&str]| {
        plan.cpus = cpus.map(|list| list.parse().unwrap());
        plan.workers = workers;
        assert_eq!(labels(&plan.cores()), expected);
    };
    check(None, None, &["any"]);
    check(None, Some(2), &["any", "any.1"]);
    check(Some("3,5"), None, &["3", "5"]);
    check(Some("3,5"), Some(1), &["3"]);
    check(Some("3,5"), Some(5), &["3", "5", "3.1", "5.1", "3.2"]);
    plan.workers = Some(0);
    assert!(plan.refusal().unwrap().starts_with("--workers 0"));
    plan.workers = Some(CORES_MAX + 1);
    assert!(plan.refusal().unwrap().starts_with("--workers 1025"));
}
