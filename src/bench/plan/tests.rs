use super::placement::tests::machine;
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
        ..Overrides::default()
    };
    let plan = small().overridden(&overrides).unwrap();
    assert_eq!((plan.duration, plan.repeats), (Nanos::from_secs(9), 1));
    let strange = Overrides { only: vec!["b".into()], ..Overrides::default() };
    let message = small().overridden(&strange).unwrap_err().to_string();
    assert_eq!(message, "--only b: there is no such target; there are a");
    let zero = Overrides { repeats: Some(0), ..Overrides::default() };
    assert!(small().overridden(&zero).is_err());
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
    let example = example
        .replace("mixes/article.toml", "Cargo.toml")
        .replace("../tools/peers/fastify", "src");
    let plan = parse(&example).unwrap();
    let names: Vec<&str> = plan.targets.iter().map(|target| target.name.as_str()).collect();
    assert_eq!(names, ["uring-block", "uring-spin", "node22"]);
    assert_eq!((plan.claims.len(), plan.rates.len()), (1, 2));
    assert!(plan.spread && plan.record().spread);
}
