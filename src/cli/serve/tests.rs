//! What is typed against what is planned, and against what is refused.

use super::*;

/// The plan of `serve FLAGS`, or the sentence that refuses it.
fn plan(flags: &str) -> Result<Plan, String> {
    let typed: Vec<&str> = flags.split_whitespace().collect();
    let args = ServeArgs::from_args(&["ringpace", "serve"], &typed).map_err(|exit| exit.output)?;
    args.plan().map_err(|failure| failure.sentence)
}

/// Every flag that changes one thing, with a value that is not the default.
const ABLATIONS: [&str; 30] = [
    "--task-run coop",
    "--accept one-shot",
    "--recv one-shot",
    "--send direct",
    "--fixed-files on",
    "--registered-ring off",
    "--no-iowait off",
    "--buffers 64",
    "--buffer-bytes 512",
    "--sq-entries 64",
    "--cq-entries 8192",
    "--sqpoll any",
    "--sqpoll 0 --sqpoll-idle 20ms",
    "--napi 50us",
    "--min-wait 50us",
    "--min-wait 50us/8",
    "--wake eventfd",
    "--wait spin",
    "--wait hybrid --spin-guard 100us --spin-budget 20us",
    "--backlog 16",
    "--nodelay off",
    "--quickack on",
    "--busy-poll 50us",
    "--cpus 0 --incoming-cpu on",
    "--nice 5",
    "--sched fifo:10",
    "--timer-slack 50us",
    "--mlockall",
    "--cpus 0 --workers 3",
    "--status-work 20us",
];

#[test]
fn each_flag_changes_the_settings_line_which_reads_back_as_the_same_plan() {
    let default = resolved::line(&plan("").unwrap());
    for flags in ABLATIONS {
        let line = resolved::line(&plan(flags).unwrap());
        assert_ne!(line, default, "{flags}");
        assert_eq!(resolved::line(&plan(&line).unwrap()), line, "{flags}");
        assert!(line.contains(flags) || flags.contains(" --"), "{flags} is not in {line}");
    }
    for backend in ["uring", "epoll", "monoio-uring", "monoio-epoll"] {
        let line = resolved::line(&plan(&format!("--backend {backend}")).unwrap());
        assert_eq!(resolved::line(&plan(&line).unwrap()), line);
    }
}

#[track_caller]
fn check_refused(flags: &str, start: &str, reason: &str) {
    let error = plan(flags).expect_err(flags);
    assert!(error.starts_with(start) && error.contains(reason), "{flags}: {error}");
}

#[test]
fn a_flag_that_the_backend_cannot_carry_out_is_refused_and_the_reason_given() {
    let ring_flags = ABLATIONS.iter().filter(|flags| {
        let about = ["--task", "--recv", "--send", "--fixed", "--reg", "--buffer", "--sq", "--cq"];
        about
            .iter()
            .chain(&["--napi", "--min-wait", "--accept", "--no-iowait"])
            .any(|begin| flags.starts_with(begin))
    });
    for flags in ring_flags.chain(&["--wake msgring"]) {
        let flag = flags.split(' ').next().unwrap();
        for backend in ["epoll", "monoio-epoll"] {
            let typed = format!("--backend {backend} {flags}");
            check_refused(&typed, flag, "about io_uring, which --backend");
        }
        let monoio = plan(&format!("--backend monoio-uring {flags}"));
        let can = ["--task-run", "--cq-entries"].contains(&flag);
        assert_eq!(monoio.is_ok(), can, "{flags}: {monoio:?}");
    }
    assert!(plan("--backend monoio-uring --sq-entries 256").is_ok());
    check_refused("--backend monoio-uring --sq-entries 64", "--sq-entries 64", "256 or more");
    check_refused("--backend monoio-uring --sqpoll any", "--sqpoll", "panics");
    check_refused("--backend monoio-uring --recv one-shot", "--recv", "monoio decides that itself");
    check_refused("--backend monoio-epoll --quickack on", "--quickack", "forgets it");
}

#[test]
fn what_makes_no_sense_together_is_refused_and_the_flags_named() {
    check_refused("--sqpoll any --task-run defer", "--sqpoll", "--task-run");
    check_refused("--sqpoll any --task-run coop", "--sqpoll", "--task-run");
    check_refused("--sqpoll-idle 1ms", "--sqpoll-idle", "--sqpoll");
    check_refused("--spin-guard 1us", "--spin-guard", "--wait hybrid");
    check_refused("--wait spin --spin-budget 1us", "--spin-budget", "--wait hybrid");
    check_refused("--wait spin --min-wait 50us", "--min-wait", "--wait spin");
    check_refused("--sched rr:1 --nice 1", "--nice", "--sched");
    check_refused("--incoming-cpu on", "--incoming-cpu", "--cpus");
    check_refused("--housekeeping-cpus 0", "--housekeeping-cpus", "--cpus");
    check_refused("--cpus 0 --housekeeping-cpus 0", "--housekeeping-cpus 0", "--cpus 0");
    check_refused("--buffers 3", "--buffers 3", "power of two");
    check_refused("--buffer-bytes 1", "--buffer-bytes 1", "64");
    check_refused("--status-work 101ms", "--status-work 101ms", "more than 100ms");
    check_refused("--sq-entries 8 --cq-entries 4", "--cq-entries 4", "--sq-entries 8");
    for flag in ["--cpus", "--sqpoll", "--housekeeping-cpus"] {
        check_refused(&format!("{flag} 8000"), flag, "CPU 8000 is not there");
        check_refused(&format!("{flag} 0-x"), &format!("Error parsing option '{flag}'"), "`0-x`");
    }
}

#[test]
fn a_value_that_is_none_is_refused_and_the_flag_named() {
    let scheduled = ["--nice 20", "--sched fifo", "--timer-slack late"];
    let others = ["--accept twice", "--recv twice", "--no-iowait 1", "--nodelay yes"];
    for typed in scheduled.iter().chain(&others).chain(&["--min-wait 1/2"]) {
        let flag = typed.split(' ').next().unwrap();
        check_refused(typed, &format!("Error parsing option '{flag}'"), "`");
    }
}

#[test]
fn sqpoll_takes_its_own_task_run_mode_and_entries_keep_their_proportion() {
    assert_eq!(plan("--sqpoll any").unwrap().ring.task_run, TaskRun::Interrupt);
    assert_eq!(plan("--sq-entries 64").unwrap().ring.cq_entries, 512);
    assert_eq!(plan("--sq-entries 64 --cq-entries 64").unwrap().ring.cq_entries, 64);
}
