//! `report.html`: one file that needs nothing else, reads on paper and in the dark.
//!
//! The same figures as the terminal table, in tables that say what their rows and columns are, and
//! percentile curves. No script: hovering a point shows its value by SVG's own means. Every text
//! that comes from a file is escaped.

use super::differences::{FINDINGS_NOTE, figures, finding, pair, setting};
use super::figure::{
    FEW_NOTE, QUANTILES, Quantile, failures, headline, level, losses, megabytes, scope, verdicts,
};
use super::plots::{Curve, Point, percentile_plot};
use super::table::outcome;
use crate::results::bench::{
    Bench, Difference, Finding, KindSummary, Spreads, Summary, TargetRecord,
};
use machine::machine;

mod machine;

/// The page.
pub fn html(bench: &Bench) -> String {
    let name = escaped(&bench.plan.name);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{name} - ringpace</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>{name}</h1>\n<p>{}. Started {}, ringpace {}.</p>\n",
        escaped(&scope(&bench.plan)),
        escaped(&bench.started),
        escaped(&bench.version)
    );
    if !bench.complete {
        page += "<p class=\"bad\">Interrupted: not every run was made.</p>\n";
    }
    page += &list("Notes", &bench.notes);
    page += &varied(bench);
    for rate in &bench.plan.rates {
        let summaries: Vec<&Summary> =
            bench.summaries.iter().filter(|summary| summary.rate == *rate).collect();
        page += &at_rate(rate, &summaries);
        page += &differences(bench, rate);
    }
    page += &bench.duet.as_ref().map(super::duet::html).unwrap_or_default();
    page += &troubles(bench);
    page += &claims(bench);
    page += &machine(bench);
    page + "</main>\n</body>\n</html>\n"
}

fn at_rate(rate: &str, summaries: &[&Summary]) -> String {
    if summaries.is_empty() {
        return String::new();
    }
    let rate = escaped(rate);
    let mut text = format!("<h2>{rate} requests/s</h2>\n");
    let totals = rows(summaries, |summary| Some(&summary.total));
    text += &latency_table("Response time, all requests", &totals);
    text += &plot("all requests", &totals);
    for name in kind_names(summaries) {
        let kinds = rows(summaries, |summary| summary.requests.iter().find(|k| k.name == name));
        text += &format!("<h3>{}</h3>\n", escaped(name));
        text += &latency_table(&format!("Response time, {name}"), &kinds);
        text += &plot(name, &kinds);
    }
    text += "<h3>Pacer and servers</h3>\n";
    text + &usage_table(summaries)
}

/// A target's position, which is its colour, its name and its figures.
type Row<'a> = (usize, &'a Summary, &'a KindSummary);

fn rows<'a>(
    summaries: &[&'a Summary],
    kind: impl Fn(&'a Summary) -> Option<&'a KindSummary>,
) -> Vec<Row<'a>> {
    let used = summaries.iter().enumerate().filter(|(_, summary)| summary.used > 0);
    used.filter_map(|(colour, summary)| Some((colour % COLOURS, *summary, kind(summary)?)))
        .collect()
}

fn kind_names<'a>(summaries: &[&'a Summary]) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for kind in summaries.iter().flat_map(|summary| &summary.requests) {
        if !names.contains(&kind.name.as_str()) {
            names.push(&kind.name);
        }
    }
    names
}

fn latency_table(caption: &str, rows: &[Row<'_>]) -> String {
    let mut heads = vec!["target", "requests", "lost"];
    heads.extend(headline().map(|quantile| quantile.name));
    heads.push("verdicts");
    let body = rows.iter().map(|(colour, summary, kind)| {
        let mut cells = vec![kind.planned.to_string(), kind.lost().to_string()];
        cells.extend(headline().map(|quantile| quantile_cell(quantile, &kind.response_ns)));
        cells.push(verdicts(summary).join(", "));
        (swatch(*colour, &summary.target), cells)
    });
    let text = table(caption, &heads, body);
    let thin = |(_, _, kind): &Row<'_>| headline().any(|q| q.is_thin(&kind.response_ns));
    if rows.iter().any(thin) { format!("{text}<p class=\"note\">{FEW_NOTE}</p>\n") } else { text }
}

/// The median, and below it the range of the repeats.
fn quantile_cell(quantile: &Quantile, spreads: &Spreads) -> String {
    let median = escaped(&quantile.median(spreads));
    let range = quantile.range(spreads);
    if range.is_empty() {
        return median;
    }
    format!("{median}<small>{}</small>", escaped(&range))
}

fn usage_table(summaries: &[&Summary]) -> String {
    let heads = [
        "target",
        "lateness p50",
        "lateness p99",
        "p50 without stalls",
        "p99 without stalls",
        "stalls",
        "CPU %",
        "CPU us per request",
        "RSS",
        "switches per s",
        "achieved per s",
    ];
    let (p50, p99) = (&QUANTILES[0], &QUANTILES[3]);
    let body = summaries.iter().enumerate().map(|(colour, summary)| {
        let cells = vec![
            quantile_cell(p50, &summary.lateness_ns),
            quantile_cell(p99, &summary.lateness_ns),
            quantile_cell(p50, &summary.lateness_without_stalls_ns),
            quantile_cell(p99, &summary.lateness_without_stalls_ns),
            summary.stalls.to_string(),
            level(&summary.cpu_percent, 1),
            level(&summary.cpu_us_per_request, 1),
            megabytes(&summary.rss_bytes),
            level(&summary.switches_per_s, 0),
            level(&summary.achieved_rps, 1),
        ];
        (swatch(colour % COLOURS, &summary.target), cells)
    });
    table("Lateness is sent minus intended: the pacer's own error", &heads, body)
}

/// The first cell of a row is its head. Cells are markup already.
fn table(
    caption: &str,
    heads: &[&str],
    rows: impl Iterator<Item = (String, Vec<String>)>,
) -> String {
    let heads: String =
        heads.iter().map(|h| format!("<th scope=\"col\">{}</th>", escaped(h))).collect();
    let body: String = rows
        .map(|(head, cells)| {
            let cells: String = cells.iter().map(|cell| format!("<td>{cell}</td>")).collect();
            format!("<tr><th scope=\"row\">{head}</th>{cells}</tr>\n")
        })
        .collect();
    format!(
        "<div class=\"wide\"><table>\n<caption>{}</caption>\n<thead><tr>{heads}</tr></thead>\n\
         <tbody>\n{body}</tbody>\n</table></div>\n",
        escaped(caption)
    )
}

/// A cell that is read and not compared: flush left, and broken where it is long.
fn words(markup: &str) -> String {
    format!("<div class=\"words\">{markup}</div>")
}

fn swatch(colour: usize, name: &str) -> String {
    format!(
        "<span class=\"name\"><svg class=\"swatch\" viewBox=\"0 0 24 8\" aria-hidden=\"true\">\
         <path class=\"curve s{colour}\" d=\"M0 4H24\"/></svg> {}</span>",
        escaped(name)
    )
}

fn plot(what: &str, rows: &[Row<'_>]) -> String {
    let curves: Vec<Curve> = rows.iter().map(|row| curve(*row)).collect();
    let title = format!("Response time of {what} by percentile, on the scale of nines");
    let legend: String =
        rows.iter().map(|(colour, summary, _)| swatch(*colour, &summary.target)).collect();
    format!(
        "<figure>\n<p class=\"legend\">{legend}</p>\n{}<figcaption>{}; faint: each repeat. A curve ends \
         where requests that failed or never finished begin.</figcaption>\n</figure>\n",
        percentile_plot(&title, &curves),
        escaped(&title)
    )
}

fn curve((colour, summary, kind): Row<'_>) -> Curve {
    let spreads = &kind.response_ns;
    let repeats = QUANTILES[0].of;
    let count = repeats(spreads).each.len();
    Curve {
        name: summary.target.clone(),
        colour,
        points: points(spreads, |quantile| (quantile.of)(spreads).median),
        repeats: (0..count)
            .map(|nth| points(spreads, |quantile| *(quantile.of)(spreads).each.get(nth)?))
            .collect(),
    }
}

/// The quantiles that this many requests can have, up to the first at +infinity.
fn points(spreads: &Spreads, value: impl Fn(&Quantile) -> Option<u64>) -> Vec<Point> {
    let nines_most = (spreads.count_least.max(1) as f64).log10();
    let placed = QUANTILES.iter().filter_map(|quantile| {
        let nines = match quantile.beyond_per_100k {
            0 => nines_most,
            beyond => (1e5 / beyond as f64).log10(),
        };
        (nines <= nines_most).then_some((quantile, nines))
    });
    placed
        .map_while(|(quantile, nines)| {
            Some(Point { nines, ns: value(quantile)?, name: quantile.name })
        })
        .collect()
}

/// The targets that axes made, and the flags by which they differ.
fn varied(bench: &Bench) -> String {
    let made: Vec<&TargetRecord> =
        bench.plan.targets.iter().filter(|target| !target.varied.is_empty()).collect();
    if made.is_empty() {
        return String::new();
    }
    let body = made.iter().map(|target| {
        let flags: Vec<String> = target.varied.iter().map(setting).collect();
        let flags = escaped(&flags.join(" "));
        (escaped(&target.name), vec![words(&format!("<code>{flags}</code>"))])
    });
    table("Flags by which the targets differ", &["target", "varied"], body)
}

/// A table for each pair of targets.
fn differences(bench: &Bench, rate: &str) -> String {
    let mut pairs: Vec<(String, Vec<&Difference>)> = Vec::new();
    for difference in bench.differences.iter().filter(|of| of.rate == rate) {
        let title = pair(bench, difference);
        match pairs.last_mut() {
            Some((last, of_pair)) if *last == title => of_pair.push(difference),
            _ => pairs.push((title, vec![difference])),
        }
    }
    if pairs.is_empty() {
        return String::new();
    }
    let heads =
        ["request", "figure", "base", "target", "difference", "interval", "what may be said"];
    let tables = pairs.iter().map(|(title, of_pair)| {
        let mut last = "";
        let body = of_pair.iter().map(|of| {
            let head = if of.request == last { String::new() } else { escaped(&of.request) };
            last = &of.request;
            (head, difference_cells(of))
        });
        table(title, &heads, body)
    });
    let text: String = tables.collect();
    format!("<h3>Differences</h3>\n{text}<p class=\"note\">{}</p>\n", escaped(FINDINGS_NOTE))
}

/// Faint if nothing may be said.
fn difference_cells(difference: &Difference) -> Vec<String> {
    let told_apart = matches!(difference.finding, Finding::Higher | Finding::Lower);
    let class = if told_apart { "" } else { " class=\"dim\"" };
    let cells = std::iter::once(difference.figure.clone()).chain(figures(difference));
    let cells = cells.chain([finding(difference)]);
    cells.map(|cell| format!("<span{class}>{}</span>", escaped(&cell))).collect()
}

fn troubles(bench: &Bench) -> String {
    let mut lines: Vec<String> = failures(bench).collect();
    for summary in &bench.summaries {
        let whom = format!("{} at {}/s", summary.target, summary.rate);
        if summary.total.lost() > 0 {
            lines.push(format!("{whom}: lost: {}", losses(&summary.total)));
        }
        lines.extend(summary.reasons.iter().map(|reason| format!("{whom}, {reason}")));
    }
    list("Troubles", &lines)
}

fn claims(bench: &Bench) -> String {
    if bench.claims.is_empty() {
        return String::new();
    }
    let body = bench.claims.iter().map(|claim| {
        let cells = vec![
            escaped(outcome(claim.outcome)),
            words(&format!("<code>{}</code>", escaped(&claim.expr))),
            words(&escaped(&claim.figures.join("; "))),
        ];
        (escaped(&claim.text), cells)
    });
    let text = table("Judged by the medians", &["claim", "outcome", "expression", "figures"], body);
    format!("<h2>Claims</h2>\n{text}")
}

fn list(title: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let items: String = lines.iter().map(|line| format!("<li>{}</li>\n", escaped(line))).collect();
    format!("<h2>{}</h2>\n<ul>\n{items}</ul>\n", escaped(title))
}

/// Text that may stand in an element or in a quoted attribute.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            '\'' => safe += "&#39;",
            _ => safe.push(c),
        }
    }
    safe
}

/// Colours in the style sheet; from the next target on they repeat.
const COLOURS: usize = 6;

/// Colours: Okabe and Ito's, told apart by every kind of colour vision, darkened for white paper.
const STYLE: &str = "
:root{color-scheme:light dark;--ink:#1b1f24;--dim:#59636e;--line:#d1d9e0;--page:#fff;
--c0:#0065a3;--c1:#c04f00;--c2:#007a5a;--c3:#a8457f;--c4:#8a6d00;--c5:#30343a}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--dim:#9198a1;--line:#3d444d;--page:#0d1117;
--c0:#56b4e9;--c1:#f0883e;--c2:#2fc79a;--c3:#e59cc5;--c4:#e8c547;--c5:#c9d1d9}}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:72rem;margin:0 auto;padding:1rem}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--dim);padding:.5rem 0}
th,td{padding:.3rem .6rem;border-bottom:1px solid var(--line);text-align:right;vertical-align:top;
white-space:nowrap}
thead th{vertical-align:bottom;white-space:normal}
.words{text-align:left;white-space:normal;overflow-wrap:anywhere}
th:first-child{text-align:left}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;margin:0}
.name{white-space:nowrap}
td small{display:block;color:var(--dim)}
.dim{color:var(--dim)}
.note,figcaption{color:var(--dim);font-size:.875rem}
.bad{color:var(--c1);font-weight:600}
figure{margin:1rem 0}
figure svg{width:100%;height:auto}
svg text{fill:var(--dim);font-size:12px}
.swatch{width:24px;height:8px}
.grid{stroke:var(--line);fill:none}
.curve{fill:none;stroke-width:2.5}
.repeat{fill:none;stroke-width:1;opacity:.35}
.s0{stroke:var(--c0)}.s1{stroke:var(--c1);stroke-dasharray:8 3}.s2{stroke:var(--c2);stroke-dasharray:2 3}
.s3{stroke:var(--c3);stroke-dasharray:10 3 2 3}.s4{stroke:var(--c4);stroke-dasharray:5 5}
.s5{stroke:var(--c5);stroke-dasharray:1 5}
circle{fill:var(--page);stroke-width:2;stroke-dasharray:none!important}
dt{font-weight:600}dd{margin:0 0 .4rem}
@media print{main{max-width:none}figure,table{break-inside:avoid}}
";

#[cfg(test)]
mod tests;
