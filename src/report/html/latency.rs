//! Response times: the headline table, percentile curves, and the same for each request kind.
//!
//! Start at [`headline`].

use super::each_rate;
use super::markup::{escaped, note, shown, swatch, table, words};
use super::overview::{chip, class_of};
use super::page::{Page, Placed, Section};
use crate::report::figure::{
    FEW_NOTE, Quantile, headline as headline_quantiles, is_thin, latency, losses, range, value,
    verdicts,
};
use crate::report::nines;
use crate::results::Verdict;
use crate::results::bench::{BenchRun, KindSummary, Spreads};

/// The first thing to read.
pub(super) fn headline(page: &Page<'_>) -> Option<Section> {
    let mut body = each_rate(page, |rate, placed| {
        let caption = format!("All requests at {}, long polls apart", page.offered(rate));
        let rows = placed.iter().map(|placed| Row {
            placed: *placed,
            kind: &placed.summary.total,
            key: String::from("total"),
            verdicts: true,
        });
        latency_table(&caption, &rows.collect::<Vec<_>>())
    });
    if !body.is_empty() {
        body += &note(
            "Response time runs from when a request was due to the last byte of its answer, so a server \
             that stalls cannot hide what it kept waiting. Large: the median of the repeats; small: their \
             least and most.",
        );
    }
    Section::new("latency", "Response time", body)
}

pub(super) fn percentiles(page: &Page<'_>) -> Option<Section> {
    let body = each_rate(page, |rate, placed| nines::response(page, rate, placed, None));
    Section::new("percentiles", "Percentile curves", body)
}

pub(super) fn kinds(page: &Page<'_>) -> Option<Section> {
    let body = each_rate(page, |rate, placed| {
        let of_kind = |name: &str| {
            let rows: Vec<Row<'_>> =
                placed.iter().filter_map(|placed| Row::of_kind(*placed, name)).collect();
            format!(
                "<h4>{}</h4>\n{}{}{}",
                escaped(name),
                latency_table(&format!("{name} at {}", page.offered(rate)), &rows),
                deliveries(page, placed, name),
                nines::response(page, rate, placed, Some(name))
            )
        };
        kind_names(placed).into_iter().map(of_kind).collect()
    });
    Section::new("kinds", "By request kind", body)
}

/// From when what an answer brings was published until it was read, by repeat; empty unless answers
/// say.
fn deliveries(page: &Page<'_>, placed: &[Placed<'_>], name: &str) -> String {
    let rows = placed.iter().flat_map(|placed| {
        let runs = page.used_runs(placed.summary).into_iter();
        runs.filter_map(|(nth, entry)| delivery(placed, (nth, entry), name))
    });
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return String::new();
    }
    let heads = ["target", "repeat", "answers", "p50", "p99", "max"];
    let caption = format!("{name}: from publication to delivery, of each repeat");
    table(&caption, &heads, rows)
}

fn delivery(
    placed: &Placed<'_>,
    (nth, entry): (usize, &BenchRun),
    name: &str,
) -> Option<(String, Vec<String>)> {
    let kinds = &entry.run.as_ref()?.requests;
    let position = kinds.iter().position(|kind| kind.name == name)?;
    let of = kinds[position].delivery_ns.as_ref().filter(|of| of.count > 0)?;
    let at = format!("/runs/{nth}/run/requests/{position}/delivery_ns");
    let quantile = |key: &str, ns: Option<u64>| {
        shown(&format!("{at}/{key}"), "latency", &latency(ns, of.longest_observed))
    };
    let cells = vec![
        shown(&format!("/runs/{nth}/repeat"), "count", &entry.repeat.to_string()),
        shown(&format!("{at}/count"), "count", &of.count.to_string()),
        quantile("p50", of.p50),
        quantile("p99", of.p99),
        quantile("max", of.max),
    ];
    Some((swatch(placed.position, &placed.summary.target), cells))
}

fn kind_names<'a>(placed: &[Placed<'a>]) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for kind in placed.iter().flat_map(|placed| &placed.summary.requests) {
        if !names.contains(&kind.name.as_str()) {
            names.push(&kind.name);
        }
    }
    names
}

struct Row<'a> {
    placed: Placed<'a>,
    kind: &'a KindSummary,
    /// Of `kind` within its summary.
    key: String,
    verdicts: bool,
}

impl<'a> Row<'a> {
    fn of_kind(placed: Placed<'a>, name: &str) -> Option<Row<'a>> {
        let (kind, key) = placed.kind(name)?;
        Some(Row { placed, kind, key, verdicts: false })
    }

    fn cells(&self) -> Vec<String> {
        let at = self.placed.pointer(&self.key);
        let mut lost_cell = shown(&at, "lost", &self.kind.lost().to_string());
        let losses = losses(self.kind);
        if !losses.is_empty() {
            lost_cell += &format!("<small>{}</small>", shown(&at, "losses", &losses));
        }
        let mut cells = vec![
            shown(&format!("{at}/planned"), "count", &self.kind.planned.to_string()),
            lost_cell,
        ];
        let spreads = &self.kind.response_ns;
        let pointer = format!("{at}/response_ns");
        cells.extend(
            headline_quantiles().map(|quantile| quantile_cell(quantile, spreads, &pointer)),
        );
        if self.verdicts {
            cells.push(verdict_chips(&self.placed));
        }
        cells
    }
}

fn latency_table(caption: &str, rows: &[Row<'_>]) -> String {
    let mut heads = vec!["target", "requests", "lost"];
    heads.extend(headline_quantiles().map(|quantile| quantile.label));
    if rows.iter().any(|row| row.verdicts) {
        heads.push("verdicts");
    }
    let body = rows
        .iter()
        .map(|row| (swatch(row.placed.position, &row.placed.summary.target), row.cells()));
    let text = table(caption, &heads, body);
    let thin = |row: &Row<'_>| headline_quantiles().any(|q| is_thin(q, &row.kind.response_ns));
    if rows.iter().any(thin) { text + &note(FEW_NOTE) } else { text }
}

/// The median, and below it the range of the repeats.
pub(super) fn quantile_cell(quantile: &Quantile, spreads: &Spreads, pointer: &str) -> String {
    if spreads.count_least == 0 {
        return String::from("-");
    }
    let at = format!("{pointer}/{}", quantile.key);
    let median = shown(&format!("{at}/median"), "latency", &value(quantile, spreads));
    let mark = match is_thin(quantile, spreads) {
        true => "<abbr title=\"fewer than ten requests lie beyond\">*</abbr>",
        false => "",
    };
    let range = range(quantile, spreads);
    if range.is_empty() {
        return format!("{median}{mark}");
    }
    format!("{median}{mark}<small>{}</small>", shown(&format!("{at}/each"), "range", &range))
}

/// All in one figure, though each has its colour.
fn verdict_chips(placed: &Placed<'_>) -> String {
    let classes = [
        ("INVALID", class_of(Verdict::Invalid)),
        ("VALID", class_of(Verdict::Valid)),
        ("SUSPECT", class_of(Verdict::Suspect)),
        ("failed", class_of(Verdict::Invalid)),
    ];
    let chips = verdicts(placed.summary).into_iter().map(|counted| {
        let class = classes.iter().find(|(word, _)| counted.ends_with(word));
        chip(class.map_or("", |(_, class)| class), &counted)
    });
    let chips: Vec<String> = chips.collect();
    let at = placed.pointer("");
    words(&format!(
        "<div data-at=\"{}\" data-as=\"verdicts\">{}</div>",
        at.trim_end_matches('/'),
        chips.join("<span class=\"comma\">, </span>")
    ))
}
