//! Holds other servers to the table of the conformance suite, and shows where they differ from ours.
//!
//! `RINGPACE_PEERS` names them, separated by commas: directories of `tools/peers` that are set up,
//! `nginx` (in front of ours, so that framing and parsing are nginx's), or `ours`, which is the
//! default: then both tests hold this very server to the table. `tools/peers/check` and
//! `tools/peers/compare` set the peers up and call these tests.
//!
//! Not here: deadlines, which are settings and not rules. Start at [`peers_answer_the_api_as_we_do`].

#![allow(clippy::print_stdout, reason = "what the peers answer is shown")]

mod cases;
mod judge;
#[path = "peers/lenient.rs"]
mod lenient;
#[path = "peers/peer.rs"]
mod peer;
mod support;

use std::net::SocketAddr;

use ringpace::http::rules;

use cases::{API, Case, Target};
use judge::{Delivery, converse, deliveries, told};
use lenient::Outcome;
use peer::Peer;
use support::in_parallel;

/// Conversations at once. Chosen: most wait for a server that does not answer at all.
const CONVERSATIONS: usize = 16;

#[test]
fn peers_answer_the_api_as_we_do() {
    let table = cases::table();
    for rule in CONTRACT {
        assert!(table.iter().any(|case| case.rule == rule), "no row is of the rule {rule}");
    }
    for peer in Peer::asked_for().iter().filter(|peer| peer.has_own_api()) {
        let rows: Vec<(&Case, Delivery, SocketAddr)> = table
            .iter()
            .filter(|case| CONTRACT.contains(&case.rule) && case.target != Target::Impatient)
            .flat_map(|case| deliveries(case).into_iter().map(move |how| (case, how)))
            .map(|(case, how)| (case, how, peer.addr(case.target)))
            .collect();
        let failures: Vec<String> = in_parallel(CONVERSATIONS, &rows, |&(case, how, addr)| {
            converse(case, how, addr).err().map(|why| told(case, how, &why))
        })
        .into_iter()
        .flatten()
        .collect();
        let (failed, of) = (failures.len(), rows.len());
        println!("{}: {of} conversations of the API, {failed} failed", peer.name);
        assert!(failures.is_empty(), "{failed} of {of} by {}:\n{}", peer.name, failures.join("\n"));
    }
}

#[test]
fn where_peers_differ_is_listed_and_ours_is_wrong_in_none() {
    let table = cases::table();
    let rows: Vec<&Case> = table.iter().filter(|case| case.target != Target::Impatient).collect();
    let mut peers = Peer::asked_for();
    if peers.iter().all(|peer| peer.name != "ours") {
        peers.insert(0, Peer::ours());
    }
    let outcomes: Vec<Vec<Outcome>> = peers
        .iter()
        .map(|peer| {
            let addressed: Vec<(&Case, SocketAddr)> =
                rows.iter().map(|case| (*case, peer.addr(case.target))).collect();
            in_parallel(CONVERSATIONS, &addressed, |&(case, addr)| lenient::converse(case, addr))
        })
        .collect();
    print_comparison(&rows, &peers, &outcomes);
    let ours = peers.iter().position(|peer| peer.name == "ours").expect("it was put there");
    let wrong: Vec<String> = rows
        .iter()
        .zip(&outcomes[ours])
        .filter(|(case, outcome)| !outcome.meets(case))
        .map(|(case, outcome)| format!("- {} [{}]: {outcome}", case.name, case.rule))
        .collect();
    assert!(
        wrong.is_empty(),
        "ours differs from the table in {}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// The rules of the project's own contract: its rows, and those for media types and wrong methods.
const CONTRACT: [&str; 4] = [API, "method.not-allowed", "content.media-type", "content.json-type"];

/// The rows in which somebody does not what the table asks, and how many each of them is.
fn print_comparison(rows: &[&Case], peers: &[Peer], outcomes: &[Vec<Outcome>]) {
    let names: Vec<&str> = peers.iter().map(|peer| peer.name.as_str()).collect();
    println!("\n| case | rule | asked for | {} |", names.join(" | "));
    println!("|---|---|---|{}", "---|".repeat(names.len()));
    for (at, case) in rows.iter().enumerate() {
        if outcomes.iter().all(|of_peer| of_peer[at].meets(case)) {
            continue;
        }
        let cells: Vec<String> = outcomes
            .iter()
            .map(|of_peer| match of_peer[at].meets(case) {
                true => of_peer[at].to_string(),
                false => format!("**{}**", of_peer[at]),
            })
            .collect();
        let name: String = case.name.replace('|', "\\|").chars().take(NAME_CHARS_MAX).collect();
        let section = rules::find(case.rule).map_or(case.rule, |rule| rule.section);
        println!("| {name} | {section} | {} | {} |", lenient::asked(case), cells.join(" | "));
    }
    for (name, of_peer) in names.iter().zip(outcomes) {
        let met = rows.iter().zip(of_peer).filter(|(case, outcome)| outcome.meets(case)).count();
        println!("{name}: {met} of {} rows as the table asks", rows.len());
    }
}

/// Chosen: rows about length have the long thing in their names.
const NAME_CHARS_MAX: usize = 60;
