use super::*;
use crate::results::bench::sample;
use crate::scratch::Scratch;

fn open(dir: &Path, hash: &str) -> (Store, Option<Bench>) {
    Store::open_under(dir, None, &plan(), hash, 0).unwrap()
}

fn plan() -> Plan {
    let text = "name = \"sample\"\nduration = \"1s\"\nrate = 1\nmix = \"bench-configs/mixes/status.toml\"\n\
                pacer_cpus = \"0\"\n[[target]]\nname = \"a\"\nserve = []\n";
    Plan::parse(text, Path::new("plan.toml")).unwrap()
}

fn bench(hash: &str, complete: bool) -> Bench {
    let bench = sample::bench(&["a"], vec![sample::bench_run("a", 1, sample::run(10))]);
    Bench { plan_hash: hash.into(), complete, ..bench }
}

#[test]
fn a_new_bench_gets_a_directory_named_after_the_time() {
    let scratch = Scratch::new("fresh");
    let (store, before) = open(&scratch, "h");
    assert_eq!(store.dir(), scratch.join("sample-19700101-000000"));
    assert!(before.is_none());
    assert!(store.file("runs").is_dir());
}

#[test]
fn an_unfinished_bench_of_the_same_plan_goes_on_and_no_other() {
    let scratch = Scratch::new("unfinished");
    let (store, _) = open(&scratch, "h");
    store.save(&bench("h", false)).unwrap();
    let open_later = |hash| Store::open_under(&scratch, None, &plan(), hash, 99).unwrap();
    let (same, before) = open_later("h");
    assert_eq!((same.dir(), before.map(|bench| bench.runs.len())), (store.dir(), Some(1)));
    assert!(open_later("other").1.is_none());
    store.save(&bench("h", true)).unwrap();
    let (new, before) = open_later("h");
    assert_ne!(new.dir(), store.dir());
    assert!(before.is_none());
}

#[test]
fn a_named_directory_is_not_shared_between_plans() {
    let scratch = Scratch::new("named");
    let out = scratch.join("out");
    let open = |hash| Store::open_under(&scratch, Some(&out), &plan(), hash, 0);
    open("h").unwrap().0.save(&bench("h", true)).unwrap();
    assert!(open("h").unwrap().1.is_some());
    let error = open("other").unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().starts_with("--out "), "{error}");
}

#[test]
fn what_is_saved_is_what_is_loaded() {
    let scratch = Scratch::new("saved");
    let (store, _) = open(&scratch, "h");
    let mut lossy = bench("h", false);
    let run = lossy.runs[0].run.as_mut().unwrap();
    run.response_ns = sample::quantiles(10, true);
    store.save(&lossy).unwrap();
    let loaded = report::load(store.dir()).unwrap();
    assert_eq!(serde_json::to_value(&loaded).unwrap(), serde_json::to_value(&lossy).unwrap());
    assert_eq!(loaded.runs[0].run.as_ref().unwrap().response_ns.max, None);
}

#[test]
fn a_file_that_is_no_bench_is_named_with_its_line() {
    let scratch = Scratch::new("broken");
    fs::write(scratch.join("bench.json"), "{\n\"schema\": 1\n}").unwrap();
    let error = report::load(&scratch).unwrap_err();
    assert!(error.contains("bench.json:2: "), "{error}");
    let error = report::load(&scratch.join("nowhere")).unwrap_err();
    assert!(error.ends_with("is this a bench's directory?"), "{error}");
}

#[test]
fn the_hash_is_the_published_one_and_keeps_parts_apart() {
    // FNV-1a of eight zero bytes (the length of an empty part), by the published constants.
    let mut empty = Fnv::default();
    empty.add(b"");
    let expected =
        (0..8).fold(0xcbf2_9ce4_8422_2325u64, |hash, _| hash.wrapping_mul(0x0100_0000_01b3));
    assert_eq!(empty.to_string(), format!("{expected:016x}"));
    let hash = |parts: &[&str]| {
        let mut hash = Fnv::default();
        parts.iter().for_each(|part| hash.add(part.as_bytes()));
        hash.to_string()
    };
    assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
}
