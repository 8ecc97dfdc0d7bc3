//! Pieces of the page: text made safe, tables, and figures that say where in `bench.json` they stand.
//!
//! A figure carries the JSON pointer (RFC 6901) of what it shows and the way it is written, so that
//! `tools/check-report` can hold every one of them against the file. Start at [`shown`].

/// Text that may stand in an element or in a quoted attribute.
pub(in crate::report) fn escaped(text: &str) -> String {
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

/// A figure `text` which writes what stands at `pointer` in the way that `how` names; the ways are
/// described in `tools/check-report`.
pub(in crate::report) fn shown(pointer: &str, how: &str, text: &str) -> String {
    format!(
        "<span data-at=\"{}\" data-as=\"{}\">{}</span>",
        escaped(pointer),
        escaped(how),
        escaped(text)
    )
}

/// A table. The first cell of a row is its head; cells are markup already.
pub(in crate::report) fn table(
    caption: &str,
    heads: &[&str],
    rows: impl Iterator<Item = (String, Vec<String>)>,
) -> String {
    table_of("figures", caption, heads, rows)
}

/// A table of words, whose figures are in no one place of `bench.json`, or are not from there.
pub(in crate::report) fn other_table(
    caption: &str,
    heads: &[&str],
    rows: impl Iterator<Item = (String, Vec<String>)>,
) -> String {
    table_of("other", caption, heads, rows)
}

/// The same of plain text.
pub(in crate::report) fn text_table(
    caption: &str,
    heads: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
) -> String {
    let escaped_row = |cells: Vec<String>| {
        let mut cells = cells.into_iter().map(|cell| escaped(&cell));
        (cells.next().unwrap_or_default(), cells.collect())
    };
    other_table(caption, heads, rows.map(escaped_row))
}

fn table_of(
    class: &str,
    caption: &str,
    heads: &[&str],
    rows: impl Iterator<Item = (String, Vec<String>)>,
) -> String {
    let mut of_words = vec![false; heads.len()];
    let body: String = rows
        .map(|(head, cells)| {
            for (nth, cell) in cells.iter().enumerate().take(heads.len().saturating_sub(1)) {
                of_words[nth + 1] |= cell.starts_with(WORDS);
            }
            let cells: String = cells.iter().map(|cell| format!("<td>{cell}</td>")).collect();
            format!("<tr><th scope=\"row\">{head}</th>{cells}</tr>\n")
        })
        .collect();
    let heads = heads.iter().zip(of_words).map(|(head, of_words)| {
        let class = if of_words { " class=\"of-words\"" } else { "" };
        format!("<th scope=\"col\"{class}>{}</th>", escaped(head))
    });
    let heads: String = heads.collect();
    let table = format!(
        "<table class=\"{class}\">\n<caption>{}</caption>\n<thead><tr>{heads}</tr></thead>\n\
         <tbody>\n{body}</tbody>\n</table>\n",
        escaped(caption)
    );
    region("wide", caption, &table)
}

/// What is wider than a narrow screen is scrolled by itself, with the keyboard too.
pub(in crate::report) fn region(class: &str, name: &str, markup: &str) -> String {
    let name = escaped(name);
    format!(
        "<div class=\"{class}\" role=\"region\" aria-label=\"{name}\" tabindex=\"0\">\n{markup}</div>\n"
    )
}

/// A cell that is read and not compared: flush left, and broken where it is long.
pub(in crate::report) fn words(markup: &str) -> String {
    format!("{WORDS}{markup}</div>")
}

const WORDS: &str = "<div class=\"words\">";

/// A list; nothing if it is empty.
pub(in crate::report) fn list(lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let items: String = lines.iter().map(|line| format!("<li>{}</li>\n", escaped(line))).collect();
    format!("<ul>\n{items}</ul>\n")
}

/// A remark below a table or a drawing.
pub(in crate::report) fn note(text: &str) -> String {
    format!("<p class=\"note\">{}</p>\n", escaped(text))
}

/// Classes that give a line its colour and its dashes.
pub(in crate::report) fn style_of(position: usize) -> String {
    format!("{} d{}", coloured('s', position), position % DASHES)
}

/// The class that gives what belongs to a target its colour: an `s`troke, `f`illing or `t`ext.
pub(in crate::report) fn coloured(what: char, position: usize) -> String {
    format!("{what}{}", position % COLOURS)
}

/// Colours in the style sheet, and dashes; from there on they repeat, but not together.
const COLOURS: usize = 6;
const DASHES: usize = 5;

/// A target's name behind a piece of its line.
pub(in crate::report) fn swatch(position: usize, name: &str) -> String {
    format!(
        "<span class=\"name\"><svg class=\"swatch\" viewBox=\"0 0 24 8\" aria-hidden=\"true\">\
         <path class=\"curve {}\" d=\"M0 4H24\"/></svg> {}</span>",
        style_of(position),
        escaped(name)
    )
}
