//! `report.html`: one file that needs nothing else, reads on paper and in the dark.
//!
//! The same figures as the terminal table, in tables that say what their rows and columns are, and the
//! drawings of the modules beside this one. The page is whole without its script, which only shows
//! what is pointed at and moves the focus along a line. Nothing is fetched, and the page forbids it
//! itself. Every text that comes from a file is escaped. Start at [`html`].

mod judgement;
mod latency;
mod machine;
pub(super) mod markup;
mod overview;
mod pacer;
pub(super) mod page;

use super::ladder;
use super::logs::Logs;
use super::timeline;
use crate::results::bench::Bench;
pub(super) use markup::escaped;
use markup::note;
use page::{Page, Section, rate_heading};
use std::fmt::Write;

/// What stands on the page, in this order. A part that has nothing to say is left out.
const SECTIONS: [fn(&Page<'_>) -> Option<Section>; 15] = [
    latency::headline,
    latency::percentiles,
    against_rate,
    super::knee::section,
    super::duet::section,
    judgement::differences,
    judgement::claims,
    judgement::verdicts,
    over_time,
    super::steadiness::section,
    latency::kinds,
    pacer::lateness,
    pacer::usage,
    machine::machine,
    machine::targets,
];

/// The page of `bench`, whose runs have these logs.
pub fn html(bench: &Bench, logs: &Logs) -> String {
    let page = Page { bench, logs };
    let sections: Vec<Section> = SECTIONS.iter().filter_map(|section| section(&page)).collect();
    let mut text = head(&bench.plan.name);
    text += &overview::overview(&page);
    text += "<nav aria-label=\"Contents\">\n<ol>\n";
    for Section { id, title, .. } in &sections {
        let _ = writeln!(text, "<li><a href=\"#{id}\">{title}</a></li>");
    }
    text += "</ol>\n</nav>\n<main>\n";
    for Section { id, title, body } in &sections {
        let _ = write!(
            text,
            "<section id=\"{id}\" aria-labelledby=\"{id}-h\">\n<h2 id=\"{id}-h\">{title}</h2>\n{body}</section>\n"
        );
    }
    text += "</main>\n";
    text += "<div id=\"tip\" role=\"tooltip\" hidden></div>\n";
    text + &format!("<script>{SCRIPT}</script>\n</body>\n</html>\n")
}

fn head(name: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <title>{} - ringpace</title>\n<style>{STYLE}</style>\n</head>\n<body>\n",
        escaped(name)
    )
}

fn against_rate(page: &Page<'_>) -> Option<Section> {
    Section::new("rates", "Latency against rate", ladder::against_rate(page))
}

fn over_time(page: &Page<'_>) -> Option<Section> {
    let mut body = each_rate(page, |rate, placed| timeline::over_time(page, rate, placed));
    if let [first, rest @ ..] = page.logs.troubles.as_slice() {
        let more =
            if rest.is_empty() { String::new() } else { format!(" And {} more.", rest.len()) };
        body += &note(&format!(
            "An interval log is missing, and with it what it would show. {first}.{more}"
        ));
    }
    Section::new("time", "Latency over time", body)
}

/// `draw` at every rate, under headings if there are several.
fn each_rate(page: &Page<'_>, draw: impl Fn(&str, &[page::Placed<'_>]) -> String) -> String {
    let drawn = page.rates().into_iter().map(|(rate, placed)| match draw(rate, &placed) {
        text if text.is_empty() => text,
        text => rate_heading(page, rate) + &text,
    });
    drawn.collect()
}

/// Nothing may be fetched, by nobody. Source: Content Security Policy Level 3.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      base-uri 'none'; form-action 'none'";

const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/page.js");

#[cfg(test)]
mod tests;
