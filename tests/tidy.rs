//! The rules of this source tree that text can show, and a test that holds the tree to them.
//!
//! Each rule is one function from a [`Source`] to breaches, each breach one line: file, line, and
//! the rule in a sentence. Rules look at code with comments and literals blanked out, so that an
//! example in a comment breaks none. Each is shown a bad sample too, or it could not fail.
//! Not here: what rustc, rustfmt and clippy already see. Start at [`RULES`].

use std::fmt;
use std::fs;
use std::path::Path;

type Rule = fn(&Source) -> Vec<Breach>;

const RULES: [Rule; 12] = [
    imports_point_down,
    unsafe_has_one_address,
    clocks_are_read_in_io,
    nothing_sleeps,
    cores_do_no_io,
    files_say_what_they_are_for,
    files_are_short,
    functions_are_short,
    lines_are_short,
    nothing_is_left_to_do,
    file_names_say_something,
    unsafe_blocks_are_argued_for,
];

#[test]
fn the_source_tree_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    for folder in ["src", "tests", "benches", "tools", "examples"] {
        collect(root, &root.join(folder), &mut sources);
    }
    assert!(sources.iter().any(|source| source.path == "src/lib.rs"), "the tree was not found");
    let manifest = fs::read_to_string(root.join("Cargo.toml")).expect("the manifest is there");
    let mut breaches = dependencies_are_argued_for(&manifest);
    for source in &sources {
        breaches.extend(RULES.iter().flat_map(|rule| rule(source)));
    }
    let listed: Vec<String> = breaches.iter().map(Breach::to_string).collect();
    assert!(listed.is_empty(), "{} breaches:\n{}", listed.len(), listed.join("\n"));
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<Source>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            if !path.ends_with("target") && !path.ends_with("node_modules") {
                collect(root, &path, sources);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).expect("found below the root").to_string_lossy();
            let text = fs::read_to_string(&path).expect("sources are UTF-8");
            sources.push(Source::new(&name, &text));
        }
    }
}

/// A rule that is broken somewhere.
#[derive(Debug)]
struct Breach {
    path: String,
    /// From 1.
    line: usize,
    rule: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.rule)
    }
}

/// A Rust file, and two views of it that have the same lines and columns.
struct Source {
    /// Relative to the root, with `/`.
    path: String,
    text: String,
    /// The text without comments and literals.
    code: String,
    /// The comments only.
    comments: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Source {
        let (code, comments) = split(text);
        Source { path: path.replace('\\', "/"), text: text.to_string(), code, comments }
    }

    /// Where the module stands: `["serve", "conn"]` for `src/serve/conn.rs` and for all below
    /// `src/serve/conn`; empty outside `src`, and for the crate's roots.
    fn module(&self) -> Vec<&str> {
        let Some(inside) = self.path.strip_prefix("src/") else { return Vec::new() };
        let names = inside.trim_end_matches(".rs").split('/');
        names.filter(|name| !matches!(*name, "lib" | "main")).take(2).collect()
    }

    fn is_in(&self, folder: &str) -> bool {
        self.path.starts_with(folder)
    }

    /// Whether all of the file is compiled for tests only.
    fn is_test(&self) -> bool {
        !self.is_in("src/") || self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    fn breach(&self, line: usize, rule: impl Into<String>) -> Breach {
        Breach { path: self.path.clone(), line, rule: rule.into() }
    }

    /// A breach for each line of the code that names one of `words`.
    fn forbid(&self, words: &[&str], rule: &str) -> Vec<Breach> {
        let named = |line: &str| words.iter().find(|word| has_word(line, word)).copied();
        let lines = self.code.lines().enumerate();
        lines
            .filter_map(|(at, line)| named(line).map(|word| (at + 1, word)))
            .map(|(line, word)| self.breach(line, format!("`{word}`: {rule}")))
            .collect()
    }
}

/// The layers of `src/lib.rs`, by module.
const LAYERS: [(u8, &[&str]); 6] = [
    (0, &["units", "clock", "calendar", "slab", "spare", "rng"]),
    (1, &["http", "timer", "stats"]),
    (2, &["home", "results"]),
    (4, &["io", "scratch"]),
    (6, &["bench", "report", "doctor"]),
    (7, &["cli"]),
];

/// `serve` and `pace`: sans-IO cores, except these of their modules.
const CORE_LAYER: u8 = 3;
const GLUE_LAYER: u8 = 5;
const GLUE: [&str; 9] =
    ["mod", "station", "threads", "worker", "monoio", "run", "outputs", "selftest", "duet"];
/// What is glue in `serve` alone: the pacer's plan is a core of its own.
const GLUE_OF_SERVE: [&str; 2] = ["plan", "server"];

/// Layers whose modules may import each other.
const OPEN_LAYERS: [u8; 2] = [0, 6];

/// The layer of a module path; `None` if it has none yet.
fn layer_of(module: &[&str]) -> Option<u8> {
    let top = *module.first()?;
    if matches!(top, "serve" | "pace") {
        // What a path names directly in `serve` was put there by its mod.rs.
        let inner = module.get(1).copied().unwrap_or("mod");
        let is_item = inner.starts_with(|c: char| c.is_uppercase());
        return Some(if is_item || is_glue(top, inner) { GLUE_LAYER } else { CORE_LAYER });
    }
    LAYERS.iter().find(|(_, modules)| modules.contains(&top)).map(|(layer, _)| *layer)
}

/// Whether the module `inner` of `top`, which is `serve` or `pace`, is glue.
fn is_glue(top: &str, inner: &str) -> bool {
    GLUE.contains(&inner) || (top == "serve" && GLUE_OF_SERVE.contains(&inner))
}

fn imports_point_down(source: &Source) -> Vec<Breach> {
    let module = source.module();
    let Some(own_top) = module.first() else { return Vec::new() };
    let Some(own_layer) = layer_of(&module) else {
        let rule = format!("give the module `{own_top}` a layer in src/lib.rs and tests/tidy.rs");
        return vec![source.breach(1, rule)];
    };
    let mut breaches = Vec::new();
    for (line, path) in imports(&source.code, own_top) {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let (top, Some(layer)) = (path[0], layer_of(&path)) else { continue };
        let allowed = if top == *own_top {
            // Within serve and pace, cores do not know the glue; its items are mod.rs's business.
            let named_glue = path.get(1).is_some_and(|inner| is_glue(top, inner));
            !(own_layer == CORE_LAYER && named_glue)
        } else {
            layer < own_layer || (layer == own_layer && OPEN_LAYERS.contains(&layer))
        };
        let never = match (*own_top, top) {
            ("serve", "pace") | ("pace", "serve") | ("bench", "serve") => true,
            ("bench", "pace") => !path.get(1).is_some_and(|inner| ASKED.contains(inner)),
            _ => false,
        };
        if never || !allowed {
            let (from, to) = (module.join("::"), path.join("::"));
            let rule = format!("`{from}` must not import `{to}`: {DOWN_ONLY}");
            breaches.push(source.breach(line, rule));
        }
    }
    breaches
}

const DOWN_ONLY: &str = "imports point down a layer, cores know neither io nor glue, and serve, \
                         pace and bench never meet";

/// What the bench may know of the pacer: how it is asked. What it does is done in another process.
const ASKED: [&str; 7] = ["arrivals", "catch_up", "mix", "plan", "replay", "schedule", "threshold"];

/// The first two names of every `crate::` path, and of every `super::` path out of a file directly
/// below the module `top`; with lines.
fn imports(code: &str, top: &str) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let line = line_of(code, at);
        let paths = first_names(&code[at + "crate::".len()..], 2);
        found.extend(paths.into_iter().filter(|path| !path.is_empty()).map(|path| (line, path)));
    }
    for (at, _) in code.match_indices("super::") {
        let line = line_of(code, at);
        for path in first_names(&code[at + "super::".len()..], 1) {
            found.push((line, [vec![top.to_string()], path].concat()));
        }
    }
    found
}

/// Up to `depth` names of each path that starts here: `a::b::C` or `{a::B, c}`.
fn first_names(text: &str, depth: usize) -> Vec<Vec<String>> {
    if depth == 0 {
        return vec![Vec::new()];
    }
    if let Some(group) = text.strip_prefix('{') {
        return members(group).into_iter().flat_map(|member| first_names(member, depth)).collect();
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() || name == "self" {
        return vec![Vec::new()];
    }
    let inner = match rest.strip_prefix("::") {
        Some(rest) => first_names(rest, depth - 1),
        None => vec![Vec::new()],
    };
    inner.into_iter().map(|path| [vec![name.to_string()], path].concat()).collect()
}

/// The members of a group whose opening brace has been read.
fn members(group: &str) -> Vec<&str> {
    let (mut depth, mut begin, mut members) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' | ',' if depth == 0 => {
                members.push(group[begin..at].trim());
                begin = at + 1;
                if c == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    members.retain(|member| !member.is_empty());
    members
}

fn unsafe_has_one_address(source: &Source) -> Vec<Breach> {
    // The bare echo is a package of its own that is nothing but system calls, to be measured beside.
    if source.is_in("src/io/") || source.is_in("tools/peers/bare/") {
        return Vec::new();
    }
    source.forbid(&["unsafe", "libc"], "unsafe code and system calls have one address, src/io")
}

fn clocks_are_read_in_io(source: &Source) -> Vec<Breach> {
    // A test of the process from outside has nobody to hand it the time.
    if source.is_in("src/io/") || source.is_in("tests/") {
        return Vec::new();
    }
    let clocks = ["Instant::now", "SystemTime::now", "clock_gettime"];
    source.forbid(&clocks, "take `now` as an argument; clocks are read in src/io only")
}

fn nothing_sleeps(source: &Source) -> Vec<Breach> {
    if source.is_in("src/io/") && !source.is_test() {
        return Vec::new();
    }
    source.forbid(&["thread::sleep"], "wait for what is awaited, in src/io; nothing else sleeps")
}

fn cores_do_no_io(source: &Source) -> Vec<Breach> {
    let is_core = layer_of(&source.module()).is_some_and(|layer| layer <= CORE_LAYER);
    if !is_core || source.is_test() {
        return Vec::new();
    }
    let words = ["std::fs", "std::process", "std::thread", "println", "eprintln"];
    let mut breaches = source.forbid(&words, "cores have no file, process, thread or output");
    let tests_begin = source.code.find("mod tests {").map(|at| line_of(&source.code, at));
    breaches.retain(|breach| tests_begin.is_none_or(|line| breach.line < line));
    breaches
}

fn files_say_what_they_are_for(source: &Source) -> Vec<Breach> {
    // A tests.rs is told about by the file beside it.
    if source.text.starts_with("//!") || source.path.ends_with("/tests.rs") {
        return Vec::new();
    }
    vec![source.breach(1, "a file starts with `//!`: what it is for and what it promises")]
}

fn files_are_short(source: &Source) -> Vec<Breach> {
    const LINES_MAX: usize = 700;
    if source.text.lines().count() <= LINES_MAX {
        return Vec::new();
    }
    vec![source.breach(LINES_MAX + 1, "a file has at most 700 lines; split the idea")]
}

fn functions_are_short(source: &Source) -> Vec<Breach> {
    const LINES_MAX: usize = 70;
    let mut breaches = Vec::new();
    // Tables of rows, one function a table.
    if source.is_in("tests/cases/") {
        return breaches;
    }
    for (at, _) in source.code.match_indices("fn ") {
        if source.code[..at].ends_with(is_name_char) {
            continue;
        }
        let signature = &source.code[at + "fn ".len()..];
        let Some(len) = body_end(signature) else { continue };
        let lines = signature[..len].lines().count();
        if lines > LINES_MAX {
            let name: String = signature.chars().take_while(|c| is_name_char(*c)).collect();
            let rule = format!("`{name}` has {lines} lines; a function has at most 70");
            breaches.push(source.breach(line_of(&source.code, at), rule));
        }
    }
    breaches
}

/// Where the body ends of the function whose signature starts here; `None` if it has no body.
fn body_end(signature: &str) -> Option<usize> {
    let (mut nested, mut braces) = (0, 0);
    for (at, c) in signature.char_indices() {
        match c {
            '(' | '[' => nested += 1,
            ')' | ']' => nested -= 1,
            ';' if nested == 0 && braces == 0 => return None,
            '{' => braces += 1,
            '}' if braces == 1 => return Some(at + 1),
            '}' => braces -= 1,
            _ => {}
        }
    }
    None
}

fn lines_are_short(source: &Source) -> Vec<Breach> {
    const COLUMNS_MAX: usize = 100;
    // A comment may end a word late: reflowing a paragraph for that is not worth a diff.
    const COMMENT_COLUMNS_MAX: usize = 105;
    let exceeds = |text: &str, columns: usize| text.trim_end().chars().count() > columns;
    let views = source.code.lines().zip(source.comments.lines());
    let lines = source.text.lines().zip(views).enumerate();
    lines
        .filter(|(_, (line, (code, comment)))| {
            // What is in neither view is a literal, which rustfmt does not break.
            let seen = code.chars().zip(comment.chars());
            let has_literal = line.chars().zip(seen).any(|(c, (a, b))| c != a && c != b);
            let too_long = exceeds(code, COLUMNS_MAX) || exceeds(line, COMMENT_COLUMNS_MAX);
            too_long && !has_literal && !line.contains("://")
        })
        .map(|(at, _)| source.breach(at + 1, "a line has at most 100 columns, a comment 105"))
        .collect()
}

fn nothing_is_left_to_do(source: &Source) -> Vec<Breach> {
    let rule = "what is merged is finished";
    let mut breaches = source.forbid(&["todo!", "unimplemented!", "dbg!"], rule);
    breaches.extend(source.forbid(&["#[ignore"], "a test that does not run is a defect"));
    for (at, line) in source.comments.lines().enumerate() {
        if has_word(line, "TODO") || has_word(line, "FIXME") {
            breaches.push(source.breach(at + 1, rule));
        }
    }
    breaches
}

fn file_names_say_something(source: &Source) -> Vec<Breach> {
    const EMPTY: [&str; 5] = ["util", "helper", "common", "misc", "manager"];
    let words = source.path.trim_end_matches(".rs").split(['/', '_', '-']);
    let mut words = words.map(|word| word.strip_suffix('s').unwrap_or(word));
    match words.find(|word| EMPTY.contains(word)) {
        Some(word) => vec![source.breach(1, format!("`{word}` names nothing; name the idea"))],
        None => Vec::new(),
    }
}

fn unsafe_blocks_are_argued_for(source: &Source) -> Vec<Breach> {
    let code: Vec<&str> = source.code.lines().collect();
    let comments: Vec<&str> = source.comments.lines().collect();
    let is_argued_for = |at: usize| {
        // Up through the rest of the statement and the comment above it.
        for above in (0..=at).rev() {
            if comments[above].contains("SAFETY:") {
                return true;
            }
            let line = code[above].trim();
            if above < at && line.ends_with([';', '{', '}']) {
                return false;
            }
        }
        false
    };
    let opens = |line: &str| {
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        ["unsafe {", "unsafe impl"].iter().any(|form| has_word(&line, form))
    };
    (0..code.len())
        .filter(|at| opens(code[*at]) && !is_argued_for(*at))
        .map(|at| {
            let rule = "say in a `// SAFETY:` comment above who owns the memory until when";
            source.breach(at + 1, rule)
        })
        .collect()
}

fn dependencies_are_argued_for(manifest: &str) -> Vec<Breach> {
    let (mut in_dependencies, mut explained) = (false, false);
    let mut breaches = Vec::new();
    for (at, line) in manifest.lines().enumerate() {
        if line.starts_with('[') {
            in_dependencies = line.contains("dependencies");
            explained = false;
        } else if line.starts_with('#') {
            explained = true;
        } else if line.trim().is_empty() {
            explained = false;
        } else if in_dependencies && line.starts_with(is_name_char) && !explained {
            let rule = "say in a comment above the dependency, or its group, what it is for";
            let path = "Cargo.toml".to_string();
            breaches.push(Breach { path, line: at + 1, rule: rule.to_string() });
        }
    }
    breaches
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether `word` stands in `line` and is not a part of a longer name.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        let open_front = before.ends_with(is_name_char) && word.starts_with(is_name_char);
        let open_back = after.starts_with(is_name_char) && word.ends_with(is_name_char);
        !open_front && !open_back
    })
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text[..at].matches('\n').count()
}

/// `text` as its code and as its comments: what belongs to the other is blanks, and literals are
/// blanks in both.
fn split(text: &str) -> (String, String) {
    let (mut code, mut comments) = (String::new(), String::new());
    let mut rest = text;
    while !rest.is_empty() {
        let (token, len) = token_at(rest, code.ends_with(is_name_char));
        let blank: String = rest[..len].chars().map(blank_of).collect();
        match token {
            Token::Code => code.push_str(&rest[..len]),
            Token::Comment | Token::Literal => code.push_str(&blank),
        }
        match token {
            Token::Comment => comments.push_str(&rest[..len]),
            Token::Code | Token::Literal => comments.push_str(&blank),
        }
        rest = &rest[len..];
    }
    (code, comments)
}

fn blank_of(c: char) -> char {
    if c == '\n' { '\n' } else { ' ' }
}

#[derive(Clone, Copy, PartialEq)]
enum Token {
    Code,
    Comment,
    Literal,
}

/// What stands at the start of `rest`, and its length in bytes. `in_name`: a name goes on here.
fn token_at(rest: &str, in_name: bool) -> (Token, usize) {
    let first = rest.chars().next().map_or(1, char::len_utf8);
    let until = |end: Option<usize>| end.unwrap_or(rest.len());
    if rest.starts_with("//") {
        return (Token::Comment, until(rest.find('\n')));
    }
    if rest.starts_with("/*") {
        return (Token::Comment, until(rest.find("*/").map(|at| at + 2)));
    }
    if rest.starts_with('"') {
        return (Token::Literal, until(closing_quote(rest, '"')));
    }
    if let Some(len) = raw_string_len(rest).filter(|_| !in_name) {
        return (Token::Literal, len);
    }
    if let Some(inside) = rest.strip_prefix('\'') {
        let is_char = inside.starts_with('\\') || inside.chars().nth(1) == Some('\'');
        if is_char {
            return (Token::Literal, until(closing_quote(rest, '\'')));
        }
    }
    (Token::Code, first)
}

/// The length of the raw string that `rest` starts with.
fn raw_string_len(rest: &str) -> Option<usize> {
    let raw = rest.strip_prefix('b').unwrap_or(rest).strip_prefix('r')?;
    let inside = raw.trim_start_matches('#');
    let end = format!("\"{}", "#".repeat(raw.len() - inside.len()));
    let inside = inside.strip_prefix('"')?;
    let len = inside.find(&end).map_or(inside.len(), |at| at + end.len());
    Some(rest.len() - inside.len() + len)
}

/// The end of the literal that starts with `quote`, backslashes minded.
fn closing_quote(literal: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in literal.char_indices().skip(1) {
        if c == quote && !escaped {
            return Some(at + 1);
        }
        escaped = c == '\\' && !escaped;
    }
    None
}

#[path = "tidy/samples.rs"]
mod samples;
