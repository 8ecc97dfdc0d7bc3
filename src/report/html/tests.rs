use super::*;
use crate::results::bench::{Difference, FlagValue, Varied, sample};

fn bench() -> Bench {
    let mut bench = sample::bench(&["a", "b"], Vec::new());
    bench.summaries =
        vec![sample::summary("a", [49_000, 50_000, 53_000]), sample::summary("b", [1_000_000; 3])];
    bench
}

#[test]
fn the_page_needs_nothing_else() {
    let page = html(&bench());
    for outside in ["http:", "https:", "src=", "href=", "@import", "url(", "<script"] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn every_element_that_is_opened_is_closed() {
    let page = html(&bench());
    for name in ["table", "tr", "th", "td", "svg", "figure", "main", "dl", "caption", "small"] {
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
    assert!(!page.contains("<script"));
    assert!(page.contains("&lt;script&gt;alert(&#39;&quot;&amp;&#39;)&lt;/script&gt;"));
}

#[test]
fn figures_stand_in_cells_with_their_range() {
    let page = html(&bench());
    assert!(page.contains("<td>50.0 us<small>49.0-53.0 us</small></td>"));
    assert!(page.contains("<title>b p50: 1.00 ms</title>"));
}

#[test]
fn the_page_says_what_was_varied_and_what_differs() {
    let mut bench = bench();
    bench.plan.targets[1].varied = vec![Varied {
        flag: "--wait".into(),
        value: FlagValue::Word("<spin>".into()),
        against: Some("a".into()),
    }];
    bench.differences = vec![Difference {
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
    }];
    let page = html(&bench);
    assert!(page.contains("<code>--wait &lt;spin&gt;</code>"), "{page}");
    assert!(page.contains("b against a (--wait &lt;spin&gt;)"), "{page}");
    assert!(page.contains("<span class=\"dim\">cannot tell apart (few repeats)</span>"), "{page}");
}

#[test]
fn curves_end_where_infinity_begins_and_hold_no_quantile_beyond_the_count() {
    let names = |spreads: &Spreads| {
        let points = points(spreads, |quantile| (quantile.of)(spreads).median);
        points.iter().map(|point| point.name).collect::<Vec<&str>>()
    };
    let each = [10, 20, 30];
    assert_eq!(names(&sample::spreads(each, 10_000, true)), ["p50", "p90", "p95", "p99"]);
    assert_eq!(names(&sample::spreads(each, 500, false)), ["p50", "p90", "p95", "p99", "max"]);
    assert_eq!(names(&sample::spreads(each, 0, false)), ["max"]);
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
