use super::*;

fn word(text: &str) -> FlagValue {
    FlagValue::Word(text.to_owned())
}

fn axis(flag: &str, values: &[FlagValue]) -> Axis {
    let setting = |value: &FlagValue| Setting { value: value.clone(), name: None };
    Axis { flag: flag.to_owned(), settings: values.iter().map(setting).collect(), targets: None }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn expanded(name: Option<&str>, flags: &str, axes: &[Axis], combine: Combine) -> Vec<Variant> {
    let axes: Vec<&Axis> = axes.iter().collect();
    let variants = expand(name, &words(flags), &axes, combine);
    assert!(variants.len() <= count(&axes, combine).unwrap());
    variants
}

/// What comes of it, `name: flags` each.
#[track_caller]
fn check(name: Option<&str>, flags: &str, axes: &[Axis], combine: Combine, expected: &[&str]) {
    let variants = expanded(name, flags, axes, combine);
    let shown: Vec<String> =
        variants.iter().map(|v| format!("{}: {}", v.name, v.flags.join(" "))).collect();
    assert_eq!(shown, expected);
}

fn backends() -> Axis {
    axis("--backend", &[word("uring"), word("epoll")])
}

#[test]
fn every_value_of_an_axis_is_a_target() {
    let expected = ["uring: --cpus 0 --backend uring", "epoll: --cpus 0 --backend epoll"];
    check(None, "--cpus 0", &[backends()], Combine::Product, &expected);
}

#[test]
fn axes_give_their_product_and_the_last_varies_fastest() {
    let waits = axis("--wait", &[word("block"), word("spin")]);
    let expected = [
        "a-uring-block: --backend uring --wait block",
        "a-uring-spin: --backend uring --wait spin",
        "a-epoll-block: --backend epoll --wait block",
        "a-epoll-spin: --backend epoll --wait spin",
    ];
    check(Some("a"), "", &[backends(), waits], Combine::Product, &expected);
}

#[test]
fn each_of_a_product_is_compared_with_the_one_that_differs_in_one_flag() {
    let waits = axis("--wait", &[word("block"), word("spin")]);
    let variants = expanded(None, "", &[backends(), waits], Combine::Product);
    let against = |nth: usize| -> Vec<Option<&str>> {
        variants[nth].varied.iter().map(|varied| varied.against.as_deref()).collect()
    };
    assert_eq!(against(0), [None, None]);
    assert_eq!(against(1), [None, Some("uring-block")]);
    assert_eq!(against(2), [Some("uring-block"), None]);
    assert_eq!(against(3), [Some("uring-spin"), Some("epoll-block")]);
}

#[test]
fn one_at_a_time_changes_or_removes_what_the_target_has() {
    let axes = [
        axis("--send", &[word("direct")]),
        axis("--wait", &[FlagValue::Switch(false), word("block"), word("spin")]),
        axis("--fixed-files", &[FlagValue::Switch(true), FlagValue::Switch(false)]),
    ];
    let expected = [
        "base: --wait block --fixed-files",
        "send-direct: --wait block --fixed-files --send direct",
        "no-wait: --fixed-files",
        "wait-spin: --fixed-files --wait spin",
        "no-fixed-files: --wait block",
    ];
    check(None, "--wait block --fixed-files", &axes, Combine::OneAtATime, &expected);
}

#[test]
fn values_that_say_too_little_stand_after_their_flag() {
    let axes = [axis("--cpus", &[word("0-3,6"), word("same-as:pacer"), word("1")])];
    let expected =
        ["cpus-0-3_6: --cpus 0-3,6", "same-as_pacer: --cpus same-as:pacer", "cpus-1: --cpus 1"];
    check(None, "", &axes, Combine::Product, &expected);
}

#[test]
fn names_that_were_typed_are_used() {
    let mut axis = axis("--sqpoll", &[FlagValue::Switch(false), word("3")]);
    axis.settings[1].name = Some("kernel-thread".into());
    let expected = ["no-sqpoll: ", "kernel-thread: --sqpoll 3"];
    check(None, "", &[axis], Combine::Product, &expected);
}

#[test]
fn a_flag_is_replaced_however_it_was_typed() {
    let mut flags = words("--nice -5 --wait=block --echo");
    set(&mut flags, "--wait", &word("spin"));
    assert_eq!(flags, words("--nice -5 --echo --wait spin"));
    set(&mut flags, "--nice", &FlagValue::Switch(false));
    set(&mut flags, "--echo", &FlagValue::Switch(false));
    assert_eq!(flags, words("--wait spin"));
    assert!(has(&words("--wait=spin"), "--wait") && !has(&words("--waiting"), "--wait"));
}

#[test]
fn a_product_beyond_counting_is_not_counted() {
    let wide = axis("--a", &vec![FlagValue::Switch(true); 1 << 16]);
    let axes = [&wide; 5];
    assert_eq!(count(&axes, Combine::Product), None);
    assert_eq!(count(&axes, Combine::OneAtATime), Some(5 * (1 << 16) + 1));
}
