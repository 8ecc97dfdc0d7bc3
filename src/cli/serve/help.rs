//! `ringpace serve --help` in groups. argh lists flags in the order of the struct and knows no
//! groups, so a heading is put before the flag that begins one.

/// Headings, and the flag that each stands before.
const GROUPS: [(&str, &str); 8] = [
    ("Where it runs", "--listen"),
    ("How a worker waits and is woken", "--wait"),
    ("The ring (--backend uring; monoio-uring where it says so)", "--task-run"),
    ("Sockets", "--backlog"),
    ("Threads and memory", "--sched"),
    ("What it serves", "--device-latency"),
    ("Limits", "--line-bytes-max"),
    ("Access", "--token-file"),
];

/// argh's help with headings, and without the line that repeats all flags.
pub(in crate::cli) fn grouped(help: &str) -> String {
    let mut text = String::from("Usage: ringpace serve [FLAG VALUE]...\n");
    for line in help.lines().skip(1).filter(|line| *line != "Options:") {
        let flag = line.strip_prefix("  ").and_then(|line| line.split(' ').next());
        if let Some((heading, _)) = GROUPS.iter().find(|(_, first)| Some(*first) == flag) {
            let gap = if text.ends_with("\n\n") { "" } else { "\n" };
            text += &format!("{gap}{heading}:\n");
        }
        text += line;
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::ServeArgs;
    use super::*;
    use argh::FromArgs;

    #[test]
    fn every_flag_stands_once_under_a_heading_and_every_heading_has_flags() {
        let plain = ServeArgs::from_args(&["ringpace", "serve"], &["--help"]).err().unwrap().output;
        let grouped = grouped(&plain);
        let is_flag = |line: &&str| line.starts_with("  --");
        let flags = |text: &str| text.lines().filter(is_flag).map(String::from).collect::<Vec<_>>();
        assert_eq!(flags(&grouped), flags(&plain));
        let (_, first_group) = grouped.split_once("\n\n").unwrap();
        assert!(!first_group.lines().take_while(|line| !line.ends_with(':')).any(|l| is_flag(&l)));
        for (heading, flag) in GROUPS {
            let below = grouped.split(&format!("\n{heading}:\n  {flag} ")).count();
            assert_eq!(below, 2, "{heading} does not stand before {flag}:\n{grouped}");
        }
    }
}
