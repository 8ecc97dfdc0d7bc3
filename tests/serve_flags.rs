//! That each flag about how the server runs changes what it says, seen from outside the process: by what
//! /proc tells of its ring, its threads and its memory.
//!
//! Where the kernel may refuse a flag, the test takes either: it is in force, or a note says why not.
//! Not here: socket options and the driver's behaviour, which their own modules test; and what is
//! refused on the command line (`cli::serve::tests`). Start at [`ring`].

mod support;

use std::fs;
use support::{Client, Server, await_that};

const STATUS: &str = "GET /devices/status HTTP/1.1\r\nHost: h\r\n\r\n";
const REQUESTS: u64 = 50;

/// What the kernel tells of the first ring of `server`: a line's value by its name.
fn ring(server: &Server, name: &str) -> Option<String> {
    let folder = format!("/proc/{}/fd", server.pid());
    let mut fds = fs::read_dir(folder).expect("the server runs").map_while(Result::ok);
    let ring = fds.find(|fd| {
        fs::read_link(fd.path()).is_ok_and(|target| target.as_os_str() == "anon_inode:[io_uring]")
    })?;
    let number = ring.file_name();
    let file = format!("/proc/{}/fdinfo/{}", server.pid(), number.to_string_lossy());
    // The kernel tells of the ring only if its lock is free at that moment (io_uring/fdinfo.c).
    let mut text = String::new();
    await_that("the kernel tells of its ring", || {
        text = fs::read_to_string(&file).expect("the descriptor is open");
        text.contains("SqMask")
    });
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    let values = lines.filter(|(key, _)| *key == name).map(|(_, value)| value.trim().to_string());
    values.into_iter().next()
}

#[track_caller]
fn ring_number(server: &Server, name: &str) -> u64 {
    let value = ring(server, name).unwrap_or_else(|| panic!("the kernel tells of no {name}"));
    let (digits, radix) = value.strip_prefix("0x").map_or((&*value, 10), |digits| (digits, 16));
    u64::from_str_radix(digits, radix).unwrap_or_else(|_| panic!("{name} is {value}"))
}

fn noted(server: &Server, flag: &str) -> bool {
    server.notes().iter().any(|note| note.contains(flag))
}

#[test]
fn the_first_line_of_output_names_what_is_in_force() {
    let server = Server::start(&["--recv", "one-shot", "--sq-entries", "64"]);
    let settings = server.said.first().expect("there is a line before the address");
    let settings = settings.strip_prefix("settings: --backend uring ").expect(settings);
    for part in ["--recv one-shot", "--sq-entries 64 --cq-entries 512", "--wake msgring"] {
        assert!(settings.contains(part), "{part} is not in {settings}");
    }
}

#[test]
fn queues_are_as_large_as_asked_for() {
    for backend in ["uring", "monoio-uring"] {
        let sizes = ["--backend", backend, "--sq-entries", "256", "--cq-entries", "1024"];
        let server = Server::start(&sizes);
        assert_eq!(ring_number(&server, "SqMask"), 255, "{backend}");
        assert_eq!(ring_number(&server, "CqMask"), 1023, "{backend}");
    }
    let untold = Server::start(&["--backend", "monoio-uring"]);
    assert_eq!(ring_number(&untold, "SqMask"), 1023);
    assert_eq!(ring_number(&untold, "CqMask"), 2047);
}

#[test]
fn a_kernel_thread_submits_on_the_cpu_asked_for_and_never_else() {
    let thread = |server: &Server| ring(server, "SqThread");
    assert_eq!(thread(&Server::start(&[])).as_deref(), Some("-1"));
    let server = Server::start(&["--sqpoll", "0"]);
    assert_ne!(thread(&server).as_deref(), Some("-1"));
    assert_eq!(ring_number(&server, "SqThreadCpu"), 0);
    let comm = |task: &Task| task.name.starts_with("iou-sqp-");
    // It takes its name and its CPU when it first runs, which on a busy machine is a while.
    let is_there = |task: &Task| comm(task) && task.cpus == "0";
    await_that("the thread is one of ours, on CPU 0", || tasks(&server).iter().any(is_there));
}

/// SQEs that `REQUESTS` requests cost on one connection, beyond what the same server needs to accept it.
fn submissions(flags: &[&str]) -> u64 {
    let server = Server::start(flags);
    let mut client = server.connect();
    client.ask(STATUS);
    client.ask(STATUS);
    let before = ring_number(&server, "SqTail");
    (0..REQUESTS).for_each(|_| drop(client.ask(STATUS)));
    ring_number(&server, "SqTail") - before
}

#[test]
fn receives_and_sends_take_as_many_submissions_as_their_flags_say() {
    let half = REQUESTS / 2; // the last of them may still be on its way when we look
    assert!((REQUESTS - half..=REQUESTS).contains(&submissions(&[])), "one per send");
    assert_eq!(submissions(&["--send", "direct"]), 0, "none");
    let both = submissions(&["--recv", "one-shot"]);
    assert!(
        (2 * REQUESTS - half..=2 * REQUESTS + 1).contains(&both),
        "one per receive too: {both}"
    );
    let receives = submissions(&["--recv", "one-shot", "--send", "direct"]);
    assert!((REQUESTS - half..=REQUESTS + 1).contains(&receives), "one per receive: {receives}");
}

#[test]
fn work_in_a_status_is_done_by_every_backend_and_counted_as_cpu_time() {
    let ticks = |server: &Server| {
        let (mut client, before) = (server.connect(), server.cpu_ticks());
        (0..20).for_each(|_| assert_eq!(client.ask(STATUS).status, 200));
        server.cpu_ticks() - before
    };
    for backend in ["uring", "epoll", "monoio-uring", "monoio-epoll"] {
        let flags = ["--backend", backend, "--status-work", "20ms"];
        let server = Server::start(&flags);
        assert!(server.said[0].contains("--status-work 20ms"), "{:?}", server.said);
        // A tick is 10 ms; of these 400 ms what other processes took is not the server's.
        let (worked, idle) = (ticks(&server), ticks(&Server::start(&flags[..2])));
        assert!(worked > idle + 4, "{backend}: {worked} ticks with work, {idle} without");
    }
}

#[test]
fn connections_stand_in_the_table_of_files_if_asked() {
    assert_eq!(ring_number(&Server::start(&[]), "UserFiles"), 0);
    let server = Server::start(&["--fixed-files", "on"]);
    assert!(ring_number(&server, "UserFiles") > 0 || noted(&server, "--fixed-files"));
}

#[test]
fn the_device_is_polled_for_as_long_as_asked_or_a_note_says_why_not() {
    let server = Server::start(&["--napi", "50us"]);
    let polls = ring(&server, "napi_busy_poll_dt");
    assert!(polls.as_deref() == Some("50000") || noted(&server, "--napi"), "{polls:?}");
    let untold = ring(&Server::start(&[]), "napi_busy_poll_dt");
    assert!(untold.is_none() || untold.as_deref() == Some("0"), "{untold:?}");
}

/// A thread, by /proc/PID/task/TID; see proc(5).
struct Task {
    id: String,
    name: String,
    /// The CPUs it may run on.
    cpus: String,
    nice: i64,
    /// 0 SCHED_OTHER, 1 SCHED_FIFO, 2 SCHED_RR, 3 SCHED_BATCH.
    policy: i64,
    priority: i64,
}

fn tasks(server: &Server) -> Vec<Task> {
    let folder = fs::read_dir(format!("/proc/{}/task", server.pid())).expect("the server runs");
    folder.map_while(Result::ok).map(|task| read_task(&task.path())).collect()
}

fn read_task(folder: &std::path::Path) -> Task {
    let read = |file: &str| fs::read_to_string(folder.join(file)).expect("the thread runs");
    let (stat, status) = (read("stat"), read("status"));
    let (_, after_name) = stat.rsplit_once(')').expect("the name is in brackets");
    // The first is field 3 of proc(5).
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let number = |field: usize| fields[field - 3].parse().expect("a number");
    let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    Task {
        id: folder.file_name().expect("a number").to_string_lossy().into(),
        name: read("comm").trim().to_string(),
        cpus: line.expect("every thread has CPUs").trim().to_string(),
        nice: number(19),
        policy: number(41),
        priority: number(40),
    }
}

fn worker(server: &Server) -> Task {
    tasks(server).into_iter().find(|task| task.name.starts_with("worker-")).expect("a worker")
}

#[test]
fn workers_are_scheduled_as_asked_or_a_note_says_why_not() {
    for (typed, policy, priority) in [("batch", 3, 0), ("fifo:7", 1, 7), ("rr:9", 2, 9)] {
        let server = Server::start(&["--sched", typed]);
        let task = worker(&server);
        let in_force = (task.policy, task.priority) == (policy, priority);
        assert!(in_force || noted(&server, "--sched"), "{typed}: {}", task.policy);
        let starter = tasks(&server).into_iter().find(|task| task.name == "ringpace");
        assert_eq!(starter.expect("the main thread").policy, 0, "only the workers");
    }
    let server = Server::start(&["--nice", "7"]);
    assert_eq!(worker(&server).nice, 7);
    let server = Server::start(&["--nice", "-7"]);
    assert!(worker(&server).nice == -7 || noted(&server, "--nice"));
}

#[test]
fn sleeps_may_end_as_late_as_asked_and_by_default_hardly_at_all() {
    let slack = |flags: &[&str]| {
        let server = Server::start(flags);
        // Of a thread too; proc(5).
        let file = format!("/proc/{}/timerslack_ns", worker(&server).id);
        fs::read_to_string(file).expect("the thread runs").trim().parse::<u64>().expect("a number")
    };
    assert_eq!(slack(&[]), 1);
    assert_eq!(slack(&["--backend", "monoio-epoll", "--timer-slack", "70us"]), 70_000);
    assert_eq!(slack(&["--timer-slack", "0ns"]), 50_000);
}

#[test]
fn a_cpu_left_to_the_kernel_has_no_worker_and_everything_else() {
    let all = usable();
    let [first, second, ..] = all.as_slice() else { return };
    let list = format!("{first},{second}");
    let server = Server::start(&["--cpus", &list, "--housekeeping-cpus", first]);
    let workers: Vec<Task> =
        tasks(&server).into_iter().filter(|task| task.name.starts_with("worker-")).collect();
    assert_eq!(workers.iter().map(|task| task.cpus.as_str()).collect::<Vec<_>>(), [second]);
    let others = tasks(&server).into_iter().filter(|task| !task.name.starts_with("worker-"));
    others.for_each(|task| assert_eq!(task.cpus, *first, "{}", task.name));
    assert_eq!(Client::connect(server.addr).expect("it listens").ask(STATUS).status, 200);
}

fn usable() -> Vec<String> {
    ringpace::io::topology::usable_cpus().iter().map(usize::to_string).collect()
}

#[test]
fn memory_is_locked_if_asked_or_a_note_says_why_not() {
    let locked = |server: &Server| {
        let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmLck:")).map(str::to_string);
        line.expect("a process has a VmLck").trim().to_string()
    };
    assert_eq!(locked(&Server::start(&[])), "0 kB");
    let server = Server::start(&["--mlockall"]);
    assert!(locked(&server) != "0 kB" || noted(&server, "--mlockall"));
}
