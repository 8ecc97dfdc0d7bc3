use super::*;

/// The directory of the crate stands for that of the file: `Cargo.toml` is a file that exists.
const HEAD: &str = r#"name = "t"
duration = "5s"
rate = "1000"
mix = "Cargo.toml"
pacer_cpus = "1"
"#;
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
    assert_eq!(plan.mix, Path::new("Cargo.toml"));
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
    check(&instead("Cargo.toml", "no.toml"), "plan.toml:4: there is no file `no.toml`");
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
}

#[test]
fn the_command_line_overrides_the_file() {
    let overrides = Overrides {
        duration: Some(Nanos::from_secs(9)),
        repeats: Some(1),
        only: vec!["a".into()],
        out: None,
    };
    let plan = small().overridden(&overrides).unwrap();
    assert_eq!((plan.duration, plan.repeats), (Nanos::from_secs(9), 1));
    let strange = Overrides { only: vec!["b".into()], ..Overrides::default() };
    let message = small().overridden(&strange).unwrap_err().to_string();
    assert_eq!(message, "--only b: there is no such target; there are a");
    let zero = Overrides { repeats: Some(0), ..Overrides::default() };
    assert!(small().overridden(&zero).is_err());
}

#[test]
fn a_plan_fits_a_machine_that_has_what_it_asks_for_without_a_word() {
    let mut plan = small();
    assert_eq!(plan.fit_to(&[0, 1]), Vec::<String>::new());
    assert_eq!(plan.pacer_cpus, CpuList::one(1));
}

#[test]
fn a_plan_makes_do_with_one_cpu_and_says_so() {
    let mut plan = small();
    let notes = plan.fit_to(&[3]);
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
    let notes = plan.fit_to(&[0, 1, 2]);
    assert_eq!(plan.targets[0].cpus, Some("0-2".parse().unwrap()));
    assert_eq!(notes.len(), 1);
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
    let example = example
        .replace("mixes/article.toml", "Cargo.toml")
        .replace("../tools/peers/fastify", "src");
    let plan = parse(&example).unwrap();
    assert_eq!((plan.targets.len(), plan.claims.len(), plan.rates.len()), (2, 1, 2));
}
