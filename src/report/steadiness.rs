//! When response times were steady, and why they were not, in the terminal and on the page.
//!
//! Pure. Not here: how that is found; see `stats::steady`. Start at [`steadiness`].

use super::html::markup::{shown, swatch, table, words};
use super::html::page::{Page, Placed, Section};
use super::table::listed;
use crate::results::bench::{Bench, PlanRecord, Summary};
use crate::units::Nanos;

/// A line per target and rate, and one per repeat that was not steady; empty if nothing is known.
pub(super) fn steadiness(bench: &Bench) -> String {
    let mut lines = Vec::new();
    for summary in &bench.summaries {
        let whom = format!("{} at {}/s", summary.target, summary.rate);
        let after = after(summary);
        if !after.is_empty() {
            lines.push(format!("{whom}: steady after {after}"));
        }
        lines.extend(summary.unsteady.iter().map(|says| format!("{whom}, {says}")));
    }
    listed(&title(&bench.plan), &lines)
}

/// The same for the page; `None` if nothing is known.
pub(super) fn section(page: &Page<'_>) -> Option<Section> {
    let rates = page.rates();
    let all = rates.iter().flat_map(|(_, placed)| placed);
    let rows: Vec<(String, Vec<String>)> = all.filter_map(row).collect();
    if rows.is_empty() {
        return None;
    }
    let heads = ["target", "requests/s", "steady after", "not steady"];
    let body = table(&title(&page.bench.plan), &heads, rows.into_iter());
    Section::new("steadiness", "Time to steadiness", body)
}

fn row(placed: &Placed<'_>) -> Option<(String, Vec<String>)> {
    let summary = placed.summary;
    let (after, unsteady) = (after(summary), summary.unsteady.join("; "));
    let cell = |key: &str, how: &str, text: &str| match text {
        "" => String::from("-"),
        text => shown(&placed.pointer(key), how, text),
    };
    let known = !after.is_empty() || !unsteady.is_empty();
    known.then(|| {
        let cells = vec![
            cell("rate", "word", &summary.rate),
            cell("steady_after_s/each", "spans", &after),
            words(&cell("unsteady", "joined", &unsteady)),
        ];
        (swatch(placed.position, &summary.target), cells)
    })
}

/// `1.20 s, 850 ms`: of the repeats that became steady.
fn after(summary: &Summary) -> String {
    let each = summary.steady_after_s.each.iter();
    each.map(|secs| span(*secs)).collect::<Vec<String>>().join(", ")
}

fn title(plan: &PlanRecord) -> String {
    format!(
        "Time to steadiness of each repeat, from the start of the load (warm-up {})",
        span(plan.warmup_s)
    )
}

fn span(secs: f64) -> String {
    Nanos((secs * 1e9).round() as u64).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::logs::Logs;
    use crate::results::bench::{Level, sample};

    #[test]
    fn each_repeat_says_when_it_was_steady_or_why_it_was_not() {
        let mut bench = sample::bench(&["a", "b"], Vec::new());
        bench.summaries = vec![sample::summary("a", [1; 3]), sample::summary("b", [1; 3])];
        let logs = Logs::default();
        assert!(section(&Page { bench: &bench, logs: &logs }).is_none());
        assert_eq!(steadiness(&bench), "");
        let each = vec![1.2, 0.85];
        bench.summaries[0].steady_after_s =
            Level { median: Some(1.025), each, repeats: vec![1, 3] };
        bench.summaries[0].unsteady = vec!["repeat 2: not steady: <so>".into()];
        let text = steadiness(&bench);
        assert!(text.contains("  a at 1000/s: steady after 1.20 s, 850 ms\n"), "{text}");
        assert!(text.contains("  a at 1000/s, repeat 2: not steady: <so>\n"), "{text}");
        let page = section(&Page { bench: &bench, logs: &logs }).unwrap().body;
        let after =
            "<span data-at=\"/summaries/0/steady_after_s/each\" data-as=\"spans\">1.20 s, 850 ms<";
        assert!(page.contains(&format!("<td>{after}")), "{page}");
        assert!(page.contains("repeat 2: not steady: &lt;so&gt;"), "{page}");
        assert_eq!(page.matches("scope=\"row\"").count(), 1, "{page}");
    }
}
