//! Samples that break each rule of the tree, and samples that nearly do.

use super::*;

/// `rule` finds fault with exactly the lines of `text` that start with `!`.
#[track_caller]
fn check(rule: Rule, path: &str, text: &str) {
    let marked = text.lines().enumerate().filter(|(_, line)| line.starts_with('!'));
    let expected: Vec<usize> = marked.map(|(at, _)| at + 1).collect();
    let lines: Vec<&str> =
        text.lines().map(|line| line.strip_prefix('!').unwrap_or(line)).collect();
    let breaches = rule(&Source::new(path, &lines.join("\n")));
    let mut found: Vec<usize> = breaches.iter().map(|breach| breach.line).collect();
    found.dedup();
    assert_eq!(found, expected, "{path}: {breaches:?}");
}

#[test]
fn an_import_that_points_up_is_found() {
    let rule: Rule = imports_point_down;
    check(rule, "src/units.rs", "use crate::clock::Clock;\n!use crate::http::Reject;");
    check(rule, "src/http/mod.rs", "!use crate::timer::Wheel;\nuse crate::http::bytes;");
    check(rule, "src/home/log.rs", "!use crate::results;\nuse crate::units::Mono;");
    check(rule, "src/home/log/tests.rs", "!use crate::io::clock;\nuse crate::rng::Rng;");
    check(rule, "src/io/uring.rs", "!use crate::serve::worker;\n!use crate::bench;");
    check(rule, "src/report/mod.rs", "use crate::bench::plan;\n!use crate::cli::Args;");
    check(rule, "src/bench/run.rs", "use crate::results;\n!use crate::pace::conn::Conn;");
    check(
        rule,
        "src/bench/plan.rs",
        "use crate::pace::{mix, plan::Backend};\n!use crate::pace::run;",
    );
    check(rule, "src/cli.rs", "use crate::{bench, pace, serve::worker};");
    check(rule, "src/lib.rs", "pub use crate::cli::main;");
}

#[test]
fn the_cores_of_serve_and_pace_know_neither_io_nor_glue_nor_each_other() {
    let rule: Rule = imports_point_down;
    check(rule, "src/serve/conn.rs", "!use crate::io::Driver;\nuse crate::home::Home;");
    check(rule, "src/serve/conn.rs", "!use super::worker::Worker;\nuse super::api::Api;");
    check(rule, "src/serve/conn.rs", "!use crate::serve::{api, monoio};");
    check(rule, "src/serve/conn.rs", "!use super::plan::Plan;\n!use super::server::Server;");
    check(rule, "src/pace/conn.rs", "use super::plan::Plan;");
    check(rule, "src/serve/plan.rs", "use crate::io::net;\nuse super::threads::Threads;");
    check(rule, "src/serve/worker.rs", "use crate::io;\n!use crate::pace::mix;");
    check(rule, "src/serve/worker.rs", "use super::conn;\nuse crate::serve::monoio;");
    check(rule, "src/pace/run.rs", "use crate::io::net;\n!use crate::serve::api;");
    check(rule, "src/pace/mod.rs", "use crate::io::net;\n!use crate::bench::plan;");
}

#[test]
fn imports_are_found_in_groups_and_in_paths_and_not_in_comments() {
    let rule: Rule = imports_point_down;
    let group = "use crate::{\n    units::{Mono, Nanos},\n    io,\n};";
    check(rule, "src/stats/mod.rs", &format!("!{group}"));
    check(rule, "src/stats/mod.rs", "fn f() {\n!    crate::io::clock::wall_secs();\n}");
    check(rule, "src/stats/mod.rs", "// crate::io\n/// [`crate::io`]\n//! crate::io");
    check(rule, "src/stats/mod.rs", r#"const S: &str = "crate::io";"#);
}

#[test]
fn a_module_without_a_layer_is_found() {
    check(imports_point_down, "src/magic.rs", "!fn f() {}");
}

#[test]
fn unsafe_and_libc_outside_io_are_found() {
    let rule: Rule = unsafe_has_one_address;
    check(rule, "src/http/bytes.rs", "!fn f() { unsafe { g() } }\n// unsafe\n!use libc::c_int;");
    check(rule, "src/io/net.rs", "fn f() { unsafe { libc::close(3) } }");
    check(rule, "src/lib.rs", "#![deny(unsafe_code)]");
}

#[test]
fn clocks_and_sleeps_are_found_in_tests_too() {
    for path in ["src/cli.rs", "src/home/tests.rs"] {
        check(clocks_are_read_in_io, path, "!let a = Instant::now();\nlet b = Nanos(1);");
        check(clocks_are_read_in_io, path, "!let a = std::time::SystemTime::now();");
        check(nothing_sleeps, path, "!std::thread::sleep(a);\nlet b = 'x';");
    }
    for path in ["src/io/clock.rs", "tests/serve.rs"] {
        check(clocks_are_read_in_io, path, "let a = Instant::now();");
    }
    check(nothing_sleeps, "tests/serve.rs", "!thread::sleep(a);");
    check(nothing_sleeps, "src/io/uring/tests.rs", "!thread::sleep(a);");
}

#[test]
fn files_threads_and_output_in_a_core_are_found() {
    let rule: Rule = cores_do_no_io;
    check(rule, "src/serve/conn.rs", "!use std::fs::File;\n!println!();\nuse std::fmt;");
    check(rule, "src/home/mod.rs", "!use std::thread;\nmod tests {\n  use std::thread;\n}");
    check(rule, "src/home/tests.rs", "use std::thread;");
    check(rule, "src/bench/run.rs", "use std::process::Command;");
}

#[test]
fn a_file_that_does_not_say_what_it_is_for_is_found() {
    check(files_say_what_they_are_for, "src/io/net.rs", "!// Sockets.\nuse std::io;");
    check(files_say_what_they_are_for, "src/io/net.rs", "//! Sockets.\nuse std::io;");
    check(files_say_what_they_are_for, "src/io/net/tests.rs", "use super::*;");
}

#[test]
fn a_long_file_a_long_function_and_a_long_line_are_found() {
    check(files_are_short, "src/cli.rs", &"\n".repeat(700));
    check(files_are_short, "src/cli.rs", &format!("{}!x", "\n".repeat(700)));
    let body = |lines: usize| format!("fn f(a: [u8; 2]) {{{}}}\nfn g();", "\n".repeat(lines));
    check(functions_are_short, "src/cli.rs", &body(69));
    check(functions_are_short, "src/cli.rs", &format!("!{}", body(70)));
    let long = "ab ".repeat(36);
    check(lines_are_short, "src/cli.rs", &format!("!{}\n!// {long}", &long[..101]));
    check(lines_are_short, "src/cli.rs", &format!("f(\"{long}\");\n// http://x {long}"));
}

#[test]
fn what_is_left_to_do_is_found() {
    let rule: Rule = nothing_is_left_to_do;
    check(rule, "src/cli.rs", "!fn f() { todo!() }\n!fn g() { unimplemented!() }");
    check(rule, "src/cli.rs", "!dbg!(1);\n!// TODO: more\n!/// FIXME\nlet s = \"TODO\";");
    check(rule, "tests/serve.rs", "!#[ignore = \"slow\"]\n#[test]");
}

#[test]
fn a_file_name_that_says_nothing_is_found() {
    for path in ["src/utils.rs", "src/http/helper.rs", "tests/common/mod.rs", "src/buf_util.rs"] {
        check(file_names_say_something, path, "!fn f() {}");
    }
    check(file_names_say_something, "src/serve/router.rs", "fn f() {}");
}

#[test]
fn an_unsafe_block_without_its_argument_is_found() {
    let rule: Rule = unsafe_blocks_are_argued_for;
    check(rule, "src/io/net.rs", "f();\n!unsafe { g() };");
    check(rule, "src/io/net.rs", "// SAFETY: ours.\nf();\n!unsafe impl Send for X {}");
    check(rule, "src/io/net.rs", "// SAFETY: ours,\n// until then.\nlet a =\n    unsafe { g() };");
}

#[test]
fn a_dependency_without_a_reason_is_found() {
    let lines = |manifest| {
        let breaches = dependencies_are_argued_for(manifest);
        breaches.iter().map(|breach| breach.line).collect::<Vec<_>>()
    };
    assert_eq!(lines("[package]\nname = 1\n[dependencies]\n# Why.\na = 1\nb = 1"), []);
    assert_eq!(lines("[dependencies]\na = 1\n# Why.\nb = 1\n\nc = 1"), [2, 6]);
    assert_eq!(lines("[target.'cfg(x)'.dev-dependencies]\na = 1"), [2]);
}

#[test]
fn code_comments_and_literals_are_told_apart() {
    let text = "a /* b */ \"c\\\"d\" r#\"e\"f\"# 'g' '\\'' <'h> bar\"i\" // j";
    let source = Source::new("src/cli.rs", text);
    assert_eq!(source.code.split_whitespace().collect::<String>(), "a<'h>bar");
    assert_eq!(source.comments.split_whitespace().collect::<String>(), "/*b*///j");
    assert_eq!(source.code.len(), text.len());
}
