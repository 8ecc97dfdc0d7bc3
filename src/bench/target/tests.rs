use super::*;
use crate::bench::plan::cpu_list;
use crate::io::topology::usable_cpus;
use crate::scratch::Scratch;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};

/// A fake server is this test binary, told by its environment to run the test of this name.
const FAKE: &str = "bench::target::tests::fake_server";

/// Not a test: what the tests below start as a child. What it does is in `RINGPACE_FAKE`.
#[test]
#[ignore = "a server for the other tests"]
fn fake_server() {
    let (Ok(port), Ok(what)) = (std::env::var("RINGPACE_PORT"), std::env::var("RINGPACE_FAKE"))
    else {
        return;
    };
    if what == "dies" {
        die("no licence found");
    }
    if what == "taken once" {
        let mark = std::env::current_dir().unwrap().join("second");
        if !mark.exists() {
            File::create(mark).unwrap();
            die("bind: Address already in use (os error 98)");
        }
    }
    let listener = TcpListener::bind(("127.0.0.1", port.parse().unwrap())).unwrap();
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        // The whole head is read: closing with bytes unread would be a reset.
        let lines = BufReader::new(&stream).lines().map(|line| line.unwrap_or_default());
        let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
        let is_ready = head.first().is_some_and(|line| line.starts_with("GET /ready "));
        let status = if is_ready { "200 OK" } else { "503 Busy" };
        let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
    }
}

/// Ends at once, past the test harness and what it would add.
#[expect(clippy::exit, reason = "it is the child's own process")]
fn die(words: &str) -> ! {
    writeln!(std::io::stderr(), "{words}").unwrap();
    std::process::exit(101)
}

/// What a target is tested in: a directory and a flag.
struct Bed {
    dir: Scratch,
    all_cpus: CpuList,
    stop: AtomicBool,
}

impl Bed {
    fn new(test: &str) -> Bed {
        let dir = Scratch::new(test);
        let all_cpus = cpu_list(&usable_cpus()).unwrap();
        Bed { dir, all_cpus, stop: AtomicBool::new(false) }
    }

    fn surroundings(&self) -> Surroundings<'_> {
        Surroundings { exe: Path::new("ringpace"), all_cpus: &self.all_cpus, stop: &self.stop }
    }

    fn log(&self) -> PathBuf {
        self.dir.join("log")
    }

    fn target(&self, fake: &str, setup: &[&str]) -> Target {
        let own = |text: &str| text.to_owned();
        let exe = std::env::current_exe().unwrap();
        let argv = [exe.to_str().unwrap(), "--exact", FAKE, "--ignored", "--nocapture"];
        let env = BTreeMap::from([
            (own("RINGPACE_PORT"), own("{port}")),
            (own("RINGPACE_FAKE"), own(fake)),
        ]);
        Target {
            name: own("fake"),
            launch: Launch::Command(CommandLine {
                argv: argv.map(own).to_vec(),
                env,
                cwd: self.dir.to_path_buf(),
                setup: setup.iter().map(|word| own(word)).collect(),
            }),
            cpus: None,
            ready_path: own("/ready"),
            varied: Vec::new(),
        }
    }

    fn start(&self, target: &Target) -> Result<Server, Mishap> {
        Server::start(target, self.surroundings(), &self.log())
    }
}

#[track_caller]
fn failure<T>(outcome: Result<T, Mishap>) -> String {
    match outcome {
        Err(Mishap::Failed(what)) => what,
        Err(Mishap::Stopped) => panic!("stopped"),
        Ok(_) => panic!("it did not fail"),
    }
}

#[test]
fn a_server_is_ready_when_it_answers_and_gone_when_stopped() {
    let bed = Bed::new("ready");
    let mut server = bed.start(&bed.target("serves", &[])).unwrap();
    assert_eq!(status_of(server.address(), "/ready", deadline()).unwrap(), 200);
    assert!(!probe(server.address(), "/busy"));
    assert_eq!(server.ended(), None);
    let address = server.address();
    server.stop().unwrap();
    assert!(TcpStream::connect(address).is_err());
}

fn deadline() -> Mono {
    MonotonicClock.now() + PROBE_MAX
}

#[test]
fn a_server_that_dies_is_reported_with_its_last_words() {
    let bed = Bed::new("dies");
    let what = failure(bed.start(&bed.target("dies", &[])));
    assert!(
        what.starts_with("target `fake`: it ended before it answered (exit status: 101)"),
        "{what}"
    );
    assert!(what.ends_with("\n    no licence found"), "{what}");
}

#[test]
fn a_lost_race_for_the_port_is_run_again() {
    let bed = Bed::new("taken");
    let server = bed.start(&bed.target("taken once", &[])).unwrap();
    assert!(bed.dir.join("second").exists());
    server.stop().unwrap();
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let bed = Bed::new("absent");
    let mut target = bed.target("serves", &[]);
    if let Launch::Command(line) = &mut target.launch {
        line.argv[0] = "no-such-program".into();
    }
    let what = failure(bed.start(&target));
    assert!(what.starts_with("target `fake`: `no-such-program` does not start: "), "{what}");
}

#[test]
fn a_raised_stop_ends_the_waiting() {
    let bed = Bed::new("stop");
    bed.stop.store(true, Ordering::Relaxed);
    assert!(matches!(bed.start(&bed.target("serves", &[])), Err(Mishap::Stopped)));
    let slow = bed.target("serves", &["sh", "-c", "while :; do read line || :; done"]);
    assert!(matches!(set_up(&slow, bed.surroundings(), &bed.log()), Err(Mishap::Stopped)));
}

#[test]
fn a_set_up_step_runs_once_and_again_when_it_changes() {
    let bed = Bed::new("setup");
    let runs = || std::fs::read_to_string(bed.dir.join("runs")).unwrap().lines().count();
    std::fs::write(bed.dir.join("step.sh"), "echo >> runs").unwrap();
    let target = bed.target("serves", &["sh", "step.sh"]);
    let step = || set_up(&target, bed.surroundings(), &bed.log());
    step().unwrap();
    step().unwrap();
    assert_eq!(runs(), 1);
    std::fs::write(bed.dir.join("step.sh"), "echo changed >> runs").unwrap();
    step().unwrap();
    assert_eq!(runs(), 2);
}

#[test]
fn a_set_up_step_that_fails_is_not_remembered() {
    let bed = Bed::new("setup-fails");
    let target = bed.target("serves", &["sh", "-c", "echo no network; exit 3"]);
    for _ in 0..2 {
        let what = failure(set_up(&target, bed.surroundings(), &bed.log()));
        assert_eq!(
            what,
            "set-up of target `fake`: `sh` failed; its log ends with:\n    no network"
        );
    }
}

#[test]
fn a_status_is_read_from_a_status_line_only() {
    assert_eq!(parse_status(b"HTTP/1.1 200 OK"), Some(200));
    assert_eq!(parse_status(b"HTTP/1.0 404 N"), Some(404));
    for wrong in [&b""[..], b"HTTP/1.1 20", b"SSH-2.0-OpenSSH_9", b"HTTP/1.1 abc"] {
        assert_eq!(parse_status(wrong), None);
    }
}

#[test]
fn our_server_says_what_is_in_force_before_it_listens_and_what_comes_later_is_not_that() {
    let log = "settings: --backend uring --wait block\nnote: one\nnote: two\n\
               listening on http://127.0.0.1:1\nnote: late\n";
    let (settings, notes) = said(log);
    assert_eq!(settings.as_deref(), Some("--backend uring --wait block"));
    assert_eq!(notes, ["one", "two"]);
    assert_eq!(said("ready\n"), (None, Vec::new()));
}
