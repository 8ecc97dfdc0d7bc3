use super::html as page_of;
use super::*;
use crate::results::bench::{
    Difference, Finding, FlagValue, Level, PairOutcome, PairVerdict, PerfUsage, Varied, sample,
};

fn bench() -> Bench {
    let mut bench = sample::bench(&["a", "b"], Vec::new());
    bench.summaries =
        vec![sample::summary("a", [49_000, 50_000, 53_000]), sample::summary("b", [1_000_000; 3])];
    bench
}

fn html(bench: &Bench) -> String {
    page_of(bench, &Logs::default())
}

#[test]
fn the_page_needs_nothing_else() {
    let page = html(&bench());
    for outside in ["http:", "https:", "src=", "@import", "url(", "<link", "<iframe"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert_eq!(page.matches("href=").count(), page.matches("href=\"#").count());
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn every_element_that_is_opened_is_closed() {
    let page = html(&bench());
    for name in [
        "table", "tr", "th", "td", "svg", "figure", "main", "dl", "caption", "small", "nav",
        "section", "details", "g", "span", "abbr",
    ] {
        let opened =
            page.matches(&format!("<{name}>")).count() + page.matches(&format!("<{name} ")).count();
        assert_eq!(opened, page.matches(&format!("</{name}>")).count(), "{name}");
        assert!(opened > 0, "{name}");
    }
}

#[test]
fn text_from_files_is_escaped() {
    let nasty = "<script>alert('\"&')</script>";
    let mut bench = bench();
    bench.notes = vec![nasty.into()];
    bench.plan.targets[0].command = vec![nasty.into()];
    bench.summaries[0].target = nasty.into();
    bench.summaries[0].requests[0].name = nasty.into();
    bench.summaries[0].reasons = vec![nasty.into()];
    bench.host.insert(nasty.into(), nasty.into());
    let page = html(&bench);
    assert_eq!(page.matches("<script").count(), 1);
    assert!(page.contains("&lt;script&gt;alert(&#39;&quot;&amp;&#39;)&lt;/script&gt;"));
}

#[test]
fn figures_stand_in_cells_with_their_range() {
    let page = html(&bench());
    let at = "data-at=\"/summaries/0/total/response_ns/p50";
    let median = format!("<span {at}/median\" data-as=\"latency\">50.0 us</span>");
    let range = format!("<span {at}/each\" data-as=\"range\">49.0-53.0 us</span>");
    assert!(page.contains(&format!("<td>{median}<small>{range}</small></td>")), "{page}");
    assert!(page.contains("<title>b p50: 1.00 ms</title>"));
    for (key, value) in [("p99", "200 us"), ("p99_9", "250 us")] {
        let at = format!("/summaries/0/response_without_stalls_ns/{key}/median");
        assert!(page.contains(&format!("<td><span data-at=\"{at}\" data-as=\"latency\">{value}<")));
    }
}

fn difference() -> Difference {
    Difference {
        rate: "1000".into(),
        base: "a".into(),
        target: "b".into(),
        flag: Some("--wait".into()),
        request: "total".into(),
        figure: "p50".into(),
        base_ns: Some(50_000.0),
        target_ns: Some(52_000.0),
        difference_ns: Some(2_000.0),
        interval: None,
        error_ns: Some(100.0),
        pairs: 3,
        finding: Finding::TooFewRepeats,
    }
}

#[test]
fn the_page_says_what_was_varied_and_what_differs() {
    let mut bench = bench();
    bench.plan.targets[1].varied = vec![Varied {
        flag: "--wait".into(),
        value: FlagValue::Word("<spin>".into()),
        against: Some("a".into()),
    }];
    bench.differences = vec![difference()];
    bench.verdicts = vec![PairVerdict {
        rate: "1000".into(),
        base: "a".into(),
        target: "b".into(),
        flag: Some("--wait".into()),
        outcome: PairOutcome::Slower,
        figures: 2,
        confidence: 0.95,
        differ: vec!["total.p50 +2.00 us".into()],
    }];
    let page = html(&bench);
    assert!(page.contains("<li>varied: --wait &lt;spin&gt;</li>"), "{page}");
    assert!(page.contains("b against a (--wait &lt;spin&gt;)"), "{page}");
    assert!(page.contains("<li>b against a: slower in 1 of 2 figures: total.p50 +2.00 us</li>"));
    let figure = "<span data-at=\"/differences/0\" data-as=\"finding\">";
    let said = format!("<span class=\"dim\">{figure}cannot tell apart (few repeats)</span></span>");
    assert!(page.contains(&said), "{page}");
}

#[test]
fn what_the_doctor_found_is_a_table_and_no_dump() {
    let mut bench = bench();
    let finding = |id: &str, severity: &str| serde_json::json!({"id": id, "severity": severity, "seen": "<seen>", "why": "so", "mend": "do"});
    let report = serde_json::json!({
        "schema": "ringpace.doctor/1", "version": "0", "kernel": "6", "cpu_model": "x", "cpus": "0",
        "findings": [finding("governor", "bad"), finding("clock", "good")],
        "topology": {"cpus": []}, "noise": []
    });
    bench.host.insert("doctor".into(), report);
    let page = html(&bench);
    assert!(page.contains("<th scope=\"row\">governor</th>"), "{page}");
    assert!(page.contains("&lt;seen&gt;<small>so</small>"), "{page}");
    assert!(!page.contains("clock") && !page.contains("ringpace.doctor"), "{page}");
}

#[test]
fn every_part_in_the_contents_is_on_the_page() {
    let page = html(&bench());
    let links: Vec<&str> =
        page.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(links.len() > 5, "{links:?}");
    for link in links {
        assert_eq!(page.matches(&format!("id=\"{link}\"")).count(), 1, "{link}");
    }
}

#[test]
fn a_missing_log_is_said_and_costs_its_drawings_only() {
    let mut bench = bench();
    bench.runs = vec![sample::bench_run("a", 1, sample::run(50_000))];
    let logs = Logs::read(std::path::Path::new("nowhere"), &bench);
    let page = page_of(&bench, &logs);
    assert!(page.contains("runs/a-1000-r1.hlog: No such file"), "{page}");
    assert!(page.contains("id=\"nines-1000-all-requests\""));
}

#[test]
fn a_duet_is_judged_by_its_pairs_and_lacks_no_log() {
    let mut bench = bench();
    bench.runs = vec![sample::bench_run("a", 1, sample::run(50_000))];
    bench.differences = vec![difference()];
    assert!(page_of(&bench, &Logs::default()).contains("id=\"differences\""));
    bench.plan.duet = true;
    let logs = Logs::read(std::path::Path::new("nowhere"), &bench);
    let page = page_of(&bench, &logs);
    assert!(!page.contains("An interval log is missing"), "{page}");
    assert!(!page.contains("cannot tell apart") && !page.contains("one after the other"), "{page}");
    assert!(page.contains("All requests at 1000 requests/s, half to each, long polls"), "{page}");
    let text = crate::report::render_table(&bench);
    assert!(text.contains("\nResponse time at 1000/s, half to each\n"), "{text}");
    assert!(!text.contains("Difference") && !text.contains("one after the other"), "{text}");
}

#[test]
fn every_run_is_valid_only_if_every_run_has_figures() {
    let mut bench = bench();
    bench.runs = vec![sample::bench_run("a", 1, sample::run(50_000))];
    assert!(html(&bench).contains("VALID</span> every run: "));
    bench.runs.push(sample::failed_run("a", 2));
    assert!(html(&bench).contains("VALID</span> every run that has figures: "));
}

#[test]
fn a_bench_that_only_searched_a_knee_made_runs() {
    use crate::results::knee::Knee;
    let mut bench = sample::bench(&["a"], Vec::new());
    assert!(html(&bench).contains("<dt>Runs</dt><dd>none</dd>"));
    let run = sample::bench_run("a", 1, sample::run(50_000));
    bench.knee = Some(Knee { targets: Vec::new(), runs: vec![run] });
    assert!(html(&bench).contains("<dt>Runs</dt><dd>1 to find the knees. "));
}

#[test]
fn deliveries_stand_below_their_kind_where_answers_tell_them() {
    let mut bench = bench();
    bench.runs = vec![sample::bench_run("a", 1, sample::run(50_000))];
    assert!(!html(&bench).contains("publication"));
    let kind = &mut bench.runs[0].run.as_mut().unwrap().requests[0];
    kind.delivery_ns = Some(sample::quantiles(30_000, false));
    let page = html(&bench);
    let at = "/runs/0/run/requests/0/delivery_ns/p99";
    assert!(page.contains(&format!("<span data-at=\"{at}\" data-as=\"latency\">120 us</span>")));
    assert_eq!(page.matches("from publication to delivery, of each repeat</caption>").count(), 1);
}

#[test]
fn what_perf_counted_stands_beside_the_cpu_time_and_else_why_it_does_not() {
    let mut bench = bench();
    bench.runs = vec![sample::bench_run("a", 1, sample::run(50_000))];
    let page = html(&bench);
    assert!(
        !page.contains("instructions per request") && !page.contains("perf does not"),
        "{page}"
    );
    let notes = vec![String::from("cycles, instructions: this CPU <has> none")];
    let perf = PerfUsage { notes, ..PerfUsage::default() };
    bench.runs[0].target_usage.as_mut().unwrap().perf = Some(perf);
    let page = html(&bench);
    let note =
        "perf does not count all of it here. cycles, instructions: this CPU &lt;has&gt; none.";
    assert!(!page.contains("instructions per request") && page.contains(note), "{page}");
    let level = |median| Level { median: Some(median), each: vec![median], repeats: vec![1] };
    bench.summaries[1].instructions_per_request = level(30_000.0);
    bench.summaries[1].instructions_per_cycle = level(1.504);
    let page = html(&bench);
    for (key, how, text) in [
        ("instructions_per_request", "decimals-0", "30000"),
        ("instructions_per_cycle", "decimals-2", "1.50"),
    ] {
        let at = format!("data-at=\"/summaries/1/{key}/median\" data-as=\"{how}\">{text}<");
        assert!(page.contains(&at), "no {at} in {page}");
    }
}
