use super::placement::tests::machine;
use super::*;
use crate::pace::arrivals::ArrivalsTyped;

/// The directory of the crate stands for that of the file.
const HEAD: &str = r#"name = "t"
duration = "5s"
rate = "1000"
mix = "bench-configs/mixes/article.toml"
pacer_cpus = "1"
"#;
/// A mix of `status`, `command` and `events`.
const MIX: &str = "bench-configs/mixes/article.toml";
const TARGET: &str = "[[target]]\nname = \"a\"\nserve = [\"--cpus\", \"0\"]\n";

fn parse(text: &str) -> Result<Plan, BenchError> {
    Plan::parse(text, Path::new("plan.toml"))
}

fn small() -> Plan {
    parse(&format!("{HEAD}{TARGET}")).unwrap()
}

/// The file is wrong, and the message is this.
#[track_caller]
fn check(text: &str, expected: &str) {
    match parse(text) {
        Err(BenchError::File(message)) => assert_eq!(message, expected),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_small_file_is_filled_up_with_defaults() {
    let plan = small();
    assert_eq!((plan.repeats, plan.connections, plan.seed), (3, 64, 1));
    assert_eq!((plan.duration, plan.warmup), (Nanos::from_secs(5), Nanos::ZERO));
    assert_eq!(plan.rates[0].text, "1000");
    assert_eq!(plan.targets[0].ready_path, "/healthz");
    assert_eq!(plan.mix, Path::new(MIX));
    assert_eq!((plan.record().arrivals.as_str(), plan.knee.is_none()), ("constant", true));
    // A plan without the newer keys is written, and so hashed, as before there were any.
    let record = serde_json::to_value(plan.record()).unwrap();
    assert!(record.get("pacer").is_none() && record.get("knee").is_none(), "{record}");
}

/// The small plan with `lines` instead of `rate`.
fn with_load(lines: &str) -> String {
    let head = HEAD.replace("rate = \"1000\"", lines);
    format!("{head}{TARGET}")
}

#[test]
fn every_kind_of_arrivals_is_taken() {
    for (typed, rate) in [
        ("burst:50/10ms", "5000"),
        ("ramp:1000..5000", "5000"),
        ("steps:1000,4000,2000@10s", "4000"),
    ] {
        let plan = parse(&with_load(&format!("arrivals = \"{typed}\""))).unwrap();
        assert_eq!((plan.rates[0].text.as_str(), plan.rates.len()), (rate, 1), "{typed}");
        assert_eq!(plan.record().arrivals, typed);
    }
    for typed in ["constant", "poisson", "burst:50"] {
        let lines = format!("arrivals = \"{typed}\"\nrates = [1000, 2000]");
        let plan = parse(&with_load(&lines)).unwrap();
        assert_eq!((plan.record().arrivals.as_str(), plan.rates.len()), (typed, 2));
    }
}

#[test]
fn arrivals_that_have_a_length_need_no_duration() {
    let text = with_load("arrivals = \"steps:1000,4000@10s\"").replace("duration = \"5s\"\n", "");
    assert_eq!(parse(&text).unwrap().duration, Nanos::from_secs(20));
    check(
        &text.replace("steps:1000,4000@10s", "ramp:1..2"),
        "plan.toml:1: duration is missing; write one like duration = \"30s\"",
    );
}

#[test]
fn arrivals_are_checked() {
    let load = |lines: &str| with_load(lines);
    check(
        &load("arrivals = \"ramp:1000..5000\"\nrate = 1000"),
        "plan.toml:4: arrivals ramp:1000..5000 say the rate themselves; leave this out",
    );
    check(
        &load("arrivals = \"burst:50\""),
        "plan.toml:1: rate is missing; write one like rate = \"1000\"",
    );
    check(
        &load("arrivals = \"ramp:1000\""),
        "plan.toml:3: `1000` is no ramp; write two rates, as `ramp:1000..5000`",
    );
    check(
        &load("arrivals = \"ramp:0.000000001..1e18\"").replace("\"5s\"", "\"1000h\""),
        "plan.toml:3: arrivals ramp:1/1000000000..1000000000000000000: the rates are too fine for so \
         long a run; round them or shorten it",
    );
}

/// A file beside the plan, gone when the test is.
struct Beside(std::path::PathBuf);

impl Beside {
    fn new(name: &str, text: &str) -> Beside {
        let dir = std::env::temp_dir().join(format!("ringpace-plan-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join(name), text).unwrap();
        Beside(dir.join(name))
    }

    /// Reads `text` as that of a plan in the same directory.
    fn parse(&self, text: &str) -> Result<Plan, BenchError> {
        let mix = Path::new(env!("CARGO_MANIFEST_DIR")).join(MIX);
        let text = text.replace(MIX, &mix.display().to_string());
        Plan::parse(&text, &self.0.with_file_name("plan.toml"))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_replay_is_a_file_beside_the_plan() {
    let times = Beside::new("times.txt", "0\n500ms status\n1999999999ns\n");
    let text = with_load("arrivals = \"replay:times.txt\"").replace("duration = \"5s\"\n", "");
    let plan = times.parse(&text).unwrap();
    assert_eq!((plan.duration, plan.rates[0].text.as_str()), (Nanos::from_secs(2), "3/2"));
    assert_eq!(plan.record().arrivals, format!("replay:{}", times.0.display()));
    // What the pacer is told is what it reads.
    assert!(plan.arrivals.to_string().parse::<ArrivalsTyped>().is_ok());
}

#[test]
fn what_is_wrong_with_a_replay_is_said_with_both_lines() {
    let times = Beside::new("bad.txt", "0\n500ms nobody\n");
    let text = with_load("arrivals = \"replay:bad.txt\"");
    let error = times.parse(&text).unwrap_err().to_string();
    assert!(error.contains("plan.toml:3: "), "{error}");
    assert!(error.contains("bad.txt:2: `nobody` is no request of the mix"), "{error}");
    let error = times.parse(&text.replace("bad.txt", "none.txt")).unwrap_err().to_string();
    assert!(
        error.contains("plan.toml:3: the replay's file ") && error.contains("none.txt"),
        "{error}"
    );
    let early = text.replace("duration = \"5s\"", "warmup = \"1s\"");
    let times = Beside::new("early.txt", "0\n500ms\n");
    let error = times.parse(&early.replace("bad.txt", "early.txt")).unwrap_err().to_string();
    assert!(
        error.ends_with("plan.toml:3: the file of the replay ends within the warm-up"),
        "{error}"
    );
}

#[test]
fn the_pacer_is_told_what_the_file_says_and_the_record_has_it() {
    let lines = "rate = 1000\ncatch_up = \"skip:10ms\"\ndrain = \"500ms\"\ntimestamps = \"own\"\n\
                 pacer_backend = \"uring\"\npacer_wait = \"hybrid\"";
    let record = parse(&with_load(lines)).unwrap().record();
    let of = |word: &str| Some(String::from(word));
    let expected = PacerRecord {
        catch_up: of("skip:10ms"),
        drain: of("500ms"),
        timestamps: of("own"),
        backend: of("uring"),
        wait: of("hybrid"),
    };
    assert_eq!(record.pacer, expected);
    assert_eq!(serde_json::to_value(&record).unwrap()["pacer"]["drain"], "500ms");
    let wrong = |key: &str, value: &str| with_load(&format!("rate = 1\n{key} = \"{value}\""));
    for (key, value, says) in [
        ("catch_up", "never", "`never`"),
        ("drain", "5", "`5` has no unit"),
        ("timestamps", "mine", "`mine` names nobody who stamps"),
        ("pacer_backend", "kqueue", "`kqueue` is no backend of the pacer"),
        ("pacer_wait", "doze", "`doze` is no way for the pacer to wait"),
    ] {
        let error = parse(&wrong(key, value)).unwrap_err().to_string();
        assert!(error.starts_with("plan.toml:4: ") && error.contains(says), "{error}");
    }
    let stamps = "rate = 1\ntimestamps = \"kernel\"\npacer_backend = \"uring\"";
    check(
        &with_load(stamps),
        "plan.toml:4: timestamps kernel reads stamps with recvmsg, which pacer_backend uring does not \
         use; take pacer_backend epoll",
    );
}

#[test]
fn a_knee_may_stand_alone_and_is_checked() {
    let knee = |lines: &str| {
        let small = with_load("").replace(TARGET, "");
        format!("{small}[knee]\n{lines}\n{TARGET}")
    };
    let whole = "objective = \"status.p99<1ms\"\nfrom = 100\nto = \"1k\"";
    let plan = parse(&knee(whole)).unwrap();
    assert!(plan.rates.is_empty());
    let record = plan.record().knee.unwrap();
    assert_eq!((record.repeats, record.duration_s, record.within), (3, 5.0, 0.05));
    let instead = |old: &str, new: &str| knee(&whole.replace(old, new));
    check(
        &instead("status.", "p."),
        "plan.toml:7: `p.p99<1ms`: no request is called `p`; there are \
         status, command, events",
    );
    check(
        &instead("<1ms", ">1ms"),
        "plan.toml:7: `status.p99>1ms` is no threshold; write one like \
         `p99<500us`",
    );
    check(&instead("100\n", "1000\n"), "plan.toml:9: to must be above from");
    check(&instead("100\n", "\"1/2\"\n"), "plan.toml:8: from must be a whole number of requests/s");
    check(&knee(&format!("{whole}\nrepeats = 0")), "plan.toml:10: repeats must be at least 1");
    check(
        &knee(&format!("{whole}\nduration = 0")),
        "plan.toml:10: duration must be longer than zero",
    );
    check(
        &knee(&format!("{whole}\nwithin = \"0%\"")),
        "plan.toml:10: `0%` is no such share; write one from `1%` to `100%`",
    );
    check(
        &knee(whole).replace("pacer_cpus", "arrivals = \"ramp:1..2\"\npacer_cpus"),
        "plan.toml:5: a knee search sets the rate, and these arrivals say it themselves",
    );
}

#[test]
fn rates_keep_how_they_were_typed() {
    let text = format!("{HEAD}{TARGET}").replace("rate = \"1000\"", "rates = [\"1e6/7\", 500]");
    let rates: Vec<String> = parse(&text).unwrap().rates.into_iter().map(|r| r.text).collect();
    assert_eq!(rates, ["1e6/7", "500"]);
}

#[test]
fn a_command_has_its_surroundings() {
    let text = format!(
        "{HEAD}[[target]]\nname = \"n\"\ncommand = [\"node\", \"{{port}}\"]\ncwd = \"src\"\n\
         env = {{ A = \"b\" }}\nsetup = [\"npm\", \"ci\"]\ncpus = \"0-1\"\nready_path = \"/\"\n"
    );
    let plan = parse(&text).unwrap();
    let Launch::Command(line) = &plan.targets[0].launch else { panic!("{plan:?}") };
    assert_eq!(line.argv, ["node", "{port}"]);
    assert_eq!((line.cwd.as_path(), line.env["A"].as_str()), (Path::new("src"), "b"));
    assert_eq!(line.setup, ["npm", "ci"]);
}

#[test]
fn errors_name_the_file_and_the_line() {
    let with = |line: &str| format!("{HEAD}{line}\n{TARGET}");
    let instead = |old: &str, new: &str| format!("{HEAD}{TARGET}").replace(old, new);
    check(&instead("\"5s\"", "\"5\""), "plan.toml:2: `5` has no unit; write it as `5ms` or `5s`");
    check(&instead("\"5s\"", "5"), "plan.toml:2: `5` has no unit; write it as `5ms` or `5s`");
    check(&instead("\"5s\"", "\"0s\""), "plan.toml:2: duration must be longer than zero");
    check(
        &instead("\"t\"", "\"a/b\""),
        "plan.toml:1: `a/b` is no name; use letters, digits, `-` and `_`",
    );
    check(&instead(MIX, "no.toml"), "plan.toml:4: there is no file `no.toml`");
    check(
        &instead("rate = \"1000\"", ""),
        "plan.toml:1: rate is missing; write one like rate = \"1000\"",
    );
    check(&with("rates = [\"1\"]"), "plan.toml:3: give rate or rates, not both");
    check(&with("repeats = 0"), "plan.toml:6: repeats must be at least 1");
    check(
        &instead("rate = \"1000\"", "rates = [\"1k\",\n\"1000\"]"),
        "plan.toml:4: this rate is there twice",
    );
    check(HEAD, "plan.toml:1: there is no [[target]]; nothing would be measured");
}

#[test]
fn an_unknown_key_is_named() {
    let Err(error) = parse(&format!("{HEAD}ratez = 1\n{TARGET}")) else { panic!("it was taken") };
    let message = error.to_string();
    assert!(message.starts_with("plan.toml:6: unknown field `ratez`"), "{message}");
    assert_eq!(error.exit_code(), 2);
}

#[test]
fn targets_are_checked() {
    let with = |target: &str| format!("{HEAD}[[target]]\nname = \"a\"\n{target}\n");
    check(&with(""), "plan.toml:6: target `a` needs either serve or command");
    check(&with("command = []"), "plan.toml:8: command is empty");
    check(
        &with("command = [\"node\"]"),
        "plan.toml:8: `{port}` must stand in command or env, or the server cannot be found",
    );
    check(
        &with("serve = [\"--listen\", \"x\"]"),
        "plan.toml:8: leave --listen out; the bench picks a port",
    );
    check(
        &with("serve = []\ncwd = \"src\""),
        "plan.toml:9: env, cwd and setup go with command, not with serve",
    );
    check(&format!("{HEAD}{TARGET}{TARGET}"), "plan.toml:10: there are two targets named `a`");
}

#[test]
fn claims_are_checked() {
    let with = |expr: &str| format!("{HEAD}{TARGET}[[claim]]\nexpr = \"{expr}\"\n");
    check(&with("b.p50 < 1ms"), "plan.toml:10: the claim names `b`, which is no target");
    check(
        &with("a.p50 < 1"),
        "plan.toml:10: a time is compared with a number; write times as `2.1ms`",
    );
    assert_eq!(parse(&with("a.p50 < 1ms")).unwrap().claims.len(), 1);
    check(
        &with("a.comand.p50 < 1ms"),
        "plan.toml:10: the claim names `comand`, which is no request of the mix; there are status, \
         command, events",
    );
}

#[test]
fn a_claim_is_about_a_rate_of_the_file_however_that_is_typed() {
    let with = |rate: &str| {
        let claim = format!("[[claim]]\nexpr = \"a.status.p50 < 1ms\"\nrate = {rate}\n");
        let head = HEAD.replace("rate = \"1000\"", "rates = [\"1k\", \"1e6/7\"]");
        format!("{head}{TARGET}{claim}")
    };
    for same in ["\"1000\"", "1000", "\"1k\"", "\"1000000/7\""] {
        assert!(parse(&with(same)).unwrap().claims[0].rate.is_some(), "{same}");
    }
    check(&with("2000"), "plan.toml:11: no run is made at 2000/s; the rates are 1k, 1e6/7");
    let knee = "[knee]\nobjective = \"p99<1s\"\nfrom = 1\nto = 9\n";
    let text = with("2000").replace("rates = [\"1k\", \"1e6/7\"]\n", "").replace(TARGET, "");
    let of_none = format!("{}{knee}{TARGET}", text.split("[[claim]]").next().unwrap());
    let claim = "[[claim]]\nexpr = \"a.p50 < 1ms\"\n";
    check(
        &format!("{of_none}{claim}"),
        "plan.toml:12: a claim is about runs at a rate of the file, and this one only searches a knee",
    );
}

#[test]
fn what_the_pacer_would_refuse_is_refused_with_the_line_of_its_key() {
    let with = |line: &str| format!("{HEAD}{line}\n{TARGET}");
    let instead = |old: &str, new: &str| format!("{HEAD}{TARGET}").replace(old, new);
    check(
        &with("connections = 65\nmax_connections = 64"),
        "plan.toml:7: max_connections 64 is below connections 65",
    );
    check(
        &instead("\"1\"\n", "\"0-1\"\nconnections = 1\n"),
        "plan.toml:6: connections 1 is fewer than one connection for each of 2 threads",
    );
    let long = "is longer than 1000h, which is the most";
    check(&instead("\"5s\"", "\"1001h\""), &format!("plan.toml:2: duration {long}"));
    for key in ["warmup", "timeout", "drain"] {
        check(&with(&format!("{key} = \"1001h\"")), &format!("plan.toml:6: {key} {long}"));
    }
    let knee = "[knee]\nobjective = \"p99<1s\"\nfrom = 1\nto = 9\nduration = \"1001h\"\n";
    check(&format!("{HEAD}{knee}{TARGET}"), &format!("plan.toml:10: duration {long}"));
    let many = "rate 20000000 is more than 10000000/s, which is what 1 pacing thread can be asked for at \
                most; --selftest tells what this machine can send";
    let rates = "rates = [1000, \"20M\"]";
    check(&instead("rate = \"1000\"", rates), &format!("plan.toml:3: {many}"));
    let knee = "[knee]\nobjective = \"p99<1s\"\nfrom = 1\nto = \"20M\"\n";
    check(&format!("{HEAD}{knee}{TARGET}"), &format!("plan.toml:9: {many}"));
    let overrides = Overrides { duration: Some(Nanos(u64::MAX)), ..Overrides::default() };
    let error = small().overridden(&overrides).unwrap_err();
    assert!(error.to_string().starts_with("--duration ") && error.exit_code() == 2, "{error}");
}

#[test]
fn a_mix_that_is_none_is_refused_with_both_lines() {
    let plan = |text: &str| {
        let mix = Beside::new("no-mix.toml", text);
        mix.parse(&format!("{HEAD}{TARGET}").replace(MIX, "no-mix.toml")).unwrap_err().to_string()
    };
    for (text, says) in [
        ("[[request]\n", "no-mix.toml:1: "),
        ("\nkind = 1\n", "no-mix.toml:2: unknown field `kind`"),
        ("[[request]]\nname = \"a\"\nweight = 0\npath = \"/\"\n", "nothing would be sent"),
    ] {
        let error = plan(text);
        assert!(error.contains("plan.toml:4: ") && error.contains(says), "{error}");
    }
}

#[test]
fn the_command_line_overrides_the_file() {
    let overrides = Overrides {
        duration: Some(Nanos::from_secs(9)),
        repeats: Some(1),
        only: vec!["a".into()],
        ..Overrides::default()
    };
    let plan = small().overridden(&overrides).unwrap();
    assert_eq!((plan.duration, plan.repeats), (Nanos::from_secs(9), 1));
    let knee = "[knee]\nobjective = \"p99<1s\"\nfrom = 1\nto = 9\nrepeats = 5\nduration = \"1s\"\n";
    let text = format!("{}{knee}{TARGET}", with_load("rate = 1").replace(TARGET, ""));
    let knee = parse(&text).unwrap().overridden(&overrides).unwrap().knee.unwrap();
    assert_eq!((knee.duration, knee.repeats), (Nanos::from_secs(9), 1));
    let strange = Overrides { only: vec!["b".into()], ..Overrides::default() };
    let message = small().overridden(&strange).unwrap_err().to_string();
    assert_eq!(message, "--only b: there is no such target; there are a");
    let zero = Overrides { repeats: Some(0), ..Overrides::default() };
    assert!(small().overridden(&zero).is_err());
}

#[test]
fn a_target_against_itself_is_two_of_it_and_nothing_else() {
    let claim = "[[claim]]\nexpr = \"a.p50 < b.p50\"\n";
    let two = format!("{HEAD}{TARGET}[[target]]\nname = \"b\"\nserve = []\n{claim}");
    let twins = |overrides: Overrides| parse(&two).unwrap().overridden(&overrides);
    let aa = Overrides { aa: true, ..Overrides::default() };
    let names = |plan: &Plan| plan.targets.iter().map(|t| t.name.clone()).collect::<Vec<_>>();
    let first = twins(aa.clone()).unwrap();
    assert_eq!((names(&first), first.name.as_str()), (vec!["a-a".into(), "a-b".into()], "t-aa"));
    assert_eq!(flags_of(&first, 0), flags_of(&first, 1));
    assert!(first.claims.is_empty() && first.record().aa);
    let other = twins(Overrides { only: vec!["b".into()], ..aa.clone() }).unwrap();
    assert_eq!(names(&other), ["b-a", "b-b"]);
    let message = |overrides| twins(overrides).unwrap_err().to_string();
    let both = message(Overrides { only: vec!["a".into(), "b".into()], ..aa.clone() });
    assert_eq!(both, "--aa measures one target against itself, and --only names 2: a, b");
    let once = message(Overrides { repeats: Some(1), ..aa });
    assert_eq!(once, "--aa: one repeat tells nothing; --repeats 3 or more");
    let knee_only = Plan { rates: Vec::new(), ..small() };
    let overrides = Overrides { aa: true, repeats: Some(3), ..Overrides::default() };
    let error = knee_only.overridden(&overrides).unwrap_err().to_string();
    assert_eq!(error, "--aa needs a rate; the file only searches a knee");
    assert!(!small().record().aa);
}

/// What is said about it on a machine that has these CPUs, each a core.
fn fit(plan: &mut Plan, usable: &[usize]) -> Vec<String> {
    let (_, topology) = machine(8, 1, 8);
    plan.fit_to(usable, &topology)
}

fn flags_of(plan: &Plan, nth: usize) -> String {
    let Launch::Serve(flags) = &plan.targets[nth].launch else { panic!("{plan:?}") };
    flags.join(" ")
}

#[test]
fn a_plan_fits_a_machine_that_has_what_it_asks_for_without_a_word() {
    let mut plan = small();
    assert_eq!(fit(&mut plan, &[0, 1]), Vec::<String>::new());
    assert_eq!(plan.pacer_cpus, CpuList::one(1));
}

#[test]
fn a_plan_makes_do_with_one_cpu_and_says_so() {
    let mut plan = small();
    let notes = fit(&mut plan, &[3]);
    assert_eq!(plan.pacer_cpus, CpuList::one(3));
    let Launch::Serve(flags) = &plan.targets[0].launch else { panic!("{plan:?}") };
    assert_eq!(flags, &["--cpus", "3"]);
    assert_eq!(
        notes,
        [
            "the pacer runs on CPU 3: pacer_cpus asks for 1, which this machine does not have",
            "target `a` runs on CPU 3: --cpus asks for 0, which this machine does not have",
            "server and pacer share the only CPU: the latencies hold the pacer's own turns",
        ]
    );
}

#[test]
fn of_a_list_what_is_there_is_kept() {
    let mut plan = small();
    plan.targets[0].cpus = Some("0-7".parse().unwrap());
    let notes = fit(&mut plan, &[0, 1, 2]);
    // The pacer is on 1 and stays alone there.
    assert_eq!(plan.targets[0].cpus, Some("0,2".parse().unwrap()));
    assert_eq!(
        notes,
        ["target `a` runs on CPU 0,2: cpus asks for 0-7, which this machine does not have"]
    );
}

#[test]
fn a_pacer_that_had_to_move_takes_its_cpu_from_the_targets() {
    let text = format!("{HEAD}{TARGET}{}", TARGET.replace("\"a\"", "\"b\""));
    let text = text.replace("pacer_cpus = \"1\"", "pacer_cpus = \"6\"");
    let mut plan = parse(&text.replace("\"0\"", "\"0-1\"")).unwrap();
    let notes = fit(&mut plan, &[0, 1]);
    assert_eq!((plan.pacer_cpus.cpus(), flags_of(&plan, 0).as_str()), (&[1][..], "--cpus 0"));
    assert_eq!(
        notes,
        [
            "the pacer runs on CPU 1: pacer_cpus asks for 6, which this machine does not have",
            "targets `a`, `b` run on CPU 0: --cpus asks for 0-1, of which the pacer has 1",
        ]
    );
}

/// The small plan, its target without `--cpus`, and these lines.
fn with_axes(lines: &str) -> String {
    format!("{HEAD}[[target]]\nserve = []\n{lines}")
}

#[test]
fn an_axis_makes_targets_that_claims_may_name() {
    let axis = "[[axis]]\nflag = \"--backend\"\nvalues = [\"uring\", \"epoll\"]\n";
    let claim = "[[claim]]\nexpr = \"uring.p50 < epoll.p50\"\n";
    let plan = parse(&with_axes(&format!("{axis}{claim}"))).unwrap();
    let names: Vec<&str> = plan.targets.iter().map(|target| target.name.as_str()).collect();
    assert_eq!(names, ["uring", "epoll"]);
    assert_eq!(flags_of(&plan, 1), "--backend epoll");
    let record = plan.record();
    assert_eq!(record.targets[1].varied[0].against.as_deref(), Some("uring"));
}

#[test]
fn an_axis_is_about_the_targets_it_names() {
    let text = format!(
        "{HEAD}{TARGET}{}[[axis]]\nflag = \"--wait\"\nvalues = [\"block\", \"spin\"]\n\
         targets = [\"b\"]\n",
        TARGET.replace("\"a\"", "\"b\"")
    );
    let plan = parse(&text).unwrap();
    let names: Vec<&str> = plan.targets.iter().map(|target| target.name.as_str()).collect();
    assert_eq!(names, ["a", "b-block", "b-spin"]);
}

#[test]
fn axes_are_checked() {
    let axis = |lines: &str| with_axes(&format!("[[axis]]\n{lines}\n"));
    check(
        &axis("flag = \"wait\"\nvalues = [1]"),
        "plan.toml:9: `wait` is no flag; write one like --wait",
    );
    check(
        &axis("flag = \"--listen\"\nvalues = [1]"),
        "plan.toml:9: leave --listen out; the bench picks a port",
    );
    check(
        &axis("flag = \"--wait\"\nvalues = []"),
        "plan.toml:10: values is empty; an axis has at least one",
    );
    check(
        &axis("flag = \"--wait\"\nvalues = [1,\n\"1\"]"),
        "plan.toml:11: this value is there twice",
    );
    check(
        &axis("flag = \"--wait\"\nvalues = [1.5]"),
        "plan.toml:10: a value is a string, a number, true or false",
    );
    check(
        &axis("flag = \"--wait\"\nvalues = [1, 2]\nnames = [\"a\"]"),
        "plan.toml:11: names are 1 and values 2; give one for each",
    );
    check(
        &axis("flag = \"--wait\"\nvalues = [1]\ntargets = [\"x\"]"),
        "plan.toml:11: the axis names `x`, which is no target with serve",
    );
    check(
        &axis("flag = \"--cpus\"\nvalues = [\"cousin-of:1\"]"),
        "plan.toml:10: `cousin-of:1` is no place; write one like `sibling-of:pacer` or \
         `other-core-of:0`; there are same-as, sibling-of, other-core-of and other-l3-of",
    );
    check(
        &format!("{HEAD}{TARGET}").replace("\"--cpus\", \"0\"", "\"--cpus=cousin-of:1\""),
        "plan.toml:8: `cousin-of:1` is no place; write one like `sibling-of:pacer` or \
         `other-core-of:0`; there are same-as, sibling-of, other-core-of and other-l3-of",
    );
    let waits = "[[axis]]\nflag = \"--wait\"\nvalues = [\"spin\"]\n";
    check(&with_axes(&waits.repeat(2)), "plan.toml:11: two axes set --wait of one target");
    check(
        &with_axes(waits).replace("[]", "[\"--wait=block\"]"),
        "plan.toml:7: leave --wait out; an axis sets it",
    );
    check(
        &format!("{HEAD}combine = \"product\"\n{TARGET}"),
        "plan.toml:6: combine says how [[axis]] go together; there is none",
    );
    check(&with_axes(""), "plan.toml:6: a target needs a name, unless axes make it");
}

#[test]
fn an_axis_needs_a_server_of_ours() {
    let text = format!(
        "{HEAD}[[target]]\nname = \"n\"\ncommand = [\"n\", \"{{port}}\"]\n\
         [[axis]]\nflag = \"--wait\"\nvalues = [\"spin\"]\n"
    );
    check(
        &text,
        "plan.toml:9: an axis sets flags of our own server; there is no target with serve",
    );
}

#[test]
fn there_is_an_end_to_what_axes_may_make() {
    let axis = |flag: &str| format!("[[axis]]\nflag = \"--{flag}\"\nvalues = [1, 2, 3, 4, 5]\n");
    let three = format!("{}{}{}", axis("a"), axis("b"), axis("c"));
    check(
        &with_axes(&three),
        "plan.toml:14: with the axes there are 125 targets, and 64 are the most; leave values out, or \
         write combine = \"one-at-a-time\"",
    );
    let one_by_one = format!("combine = \"one-at-a-time\"\n{}", with_axes(&three));
    assert_eq!(parse(&one_by_one).unwrap().targets.len(), 16);
}

#[test]
fn a_target_whose_place_is_not_there_is_left_out() {
    let axis = "[[axis]]\nflag = \"--cpus\"\nnames = [\"near\", \"sibling\", \"far\"]\n\
                values = [\"other-core-of:pacer\", \"sibling-of:pacer\", \"other-l3-of:pacer\"]\n";
    let mut plan = parse(&with_axes(axis)).unwrap();
    let notes = fit(&mut plan, &[0, 1]);
    assert_eq!((plan.targets.len(), flags_of(&plan, 0).as_str()), (1, "--cpus 0"));
    assert_eq!(
        notes,
        [
            "target `near` runs on CPU 0, other-core-of:pacer",
            "target `sibling` is left out: no other CPU shares a core with the pacer's CPU 1",
            "target `far` is left out: no CPU has another last-level cache than the pacer's CPU 1",
        ]
    );
}

#[test]
fn the_example_in_the_documentation_is_a_plan() {
    let source = include_str!("../plan.rs");
    let example: String = source
        .lines()
        .filter_map(|line| line.strip_prefix("//!"))
        .skip_while(|line| *line != " ```toml")
        .skip(1)
        .take_while(|line| *line != " ```")
        .map(|line| format!("{line}\n"))
        .collect();
    let example =
        example.replace("mixes/article.toml", MIX).replace("../tools/peers/fastify", "src");
    let plan = parse(&example).unwrap();
    let names: Vec<&str> = plan.targets.iter().map(|target| target.name.as_str()).collect();
    assert_eq!(names, ["uring-block", "uring-spin", "node22"]);
    assert_eq!((plan.claims.len(), plan.rates.len()), (1, 2));
    assert!(plan.spread && plan.record().spread);
    let knee = plan.record().knee.unwrap();
    assert_eq!((knee.objective.as_str(), knee.to.as_str()), ("p99 < 5ms", "200000"));
    assert_eq!((knee.within, knee.duration_s, knee.warmup_s), (0.05, 2.0, 1.0));
}

#[test]
fn a_file_may_be_another_with_other_times() {
    let text = format!("{HEAD}{TARGET}").replace(MIX, MIX_ALONE);
    let whole = Beside::new("whole.toml", &text);
    let of_one = "[[request]]\nname = \"get\"\nweight = 1\npath = \"/\"\n";
    let _mix = Beside::new(MIX_ALONE, of_one);
    let head = "include = \"whole.toml\"\nname = \"short\"\n";
    let plan = whole.parse(head).unwrap();
    assert_eq!(
        (plan.name.as_str(), plan.duration, plan.repeats),
        ("short", Nanos::from_secs(5), 3)
    );
    let plan =
        whole.parse(&format!("{head}duration = \"1s\"\nwarmup = \"2s\"\nrepeats = 1")).unwrap();
    let times = (plan.duration, plan.warmup, plan.repeats);
    assert_eq!(times, (Nanos::from_secs(1), Nanos::from_secs(2), 1));
    assert_eq!(plan.targets[0].name, "a");
    let error = |text: &str| whole.parse(text).unwrap_err().to_string();
    let other = error(&format!("{head}rate = 1"));
    assert!(other.contains("plan.toml:3: unknown field `rate`, expected one of"), "{other}");
    let none = error(&head.replace("whole", "none"));
    assert!(none.contains("plan.toml:1: there is no file "), "{none}");
    let zero = error(&format!("{head}repeats = 0"));
    assert!(zero.ends_with("plan.toml:3: repeats must be at least 1"), "{zero}");
    let long = error(&format!("{head}duration = \"1s\"\nwarmup = \"1001h\""));
    assert!(
        long.ends_with("plan.toml:4: warmup is longer than 1000h, which is the most"),
        "{long}"
    );
    // What is wrong in the other file is said of that.
    let _nested = Beside::new("nested.toml", &format!("\n{head}"));
    let nested = error(&head.replace("whole", "nested"));
    assert!(nested.contains("nested.toml:2: unknown field `include`"), "{nested}");
}

/// A mix beside the plan.
const MIX_ALONE: &str = "mix-alone.toml";
