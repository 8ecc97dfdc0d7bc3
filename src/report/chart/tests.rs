use super::*;
use crate::report::scale::latency;

#[test]
fn labels_never_lie_on_one_another() {
    assert_eq!(apart(vec![50.0, 52.0, 90.0], 0.0, 100.0), [50.0, 66.0, 90.0]);
    // Pressed against the bottom they go up, those above with them.
    assert_eq!(apart(vec![95.0, 99.0, 99.0], 0.0, 100.0), [68.0, 84.0, 100.0]);
    assert_eq!(apart(Vec::new(), 0.0, 1.0), Vec::<f64>::new());
}

#[test]
fn a_long_name_is_cut_at_the_edge_of_the_drawing() {
    let label = Label { y: 1.0, class: "s0".into(), text: "uring-fixed-files-on".into() };
    let drawn = end_labels(&[label], (0.0, 10.0));
    assert!(drawn.contains(">uring-fixed-file…</text>"), "{drawn}");
}

#[test]
fn tab_stops_once_at_each_group_of_points() {
    let mut points = Points::default();
    points.add("s0", 1.0, 2.0, "first <b>");
    points.add("s0", 1.0, 2.0, "second");
    let group = points.group("all");
    assert_eq!(group.matches("tabindex=\"0\"").count(), 1);
    assert_eq!(group.matches("tabindex=\"-1\"").count(), 1);
    assert!(group.contains("<title>first &lt;b&gt;</title>"), "{group}");
    assert_eq!(Points::default().group("none"), "");
}

#[test]
fn a_line_goes_through_its_points() {
    let frame = Frame {
        x: Scale::time(0.0, 10.0, 0.0..100.0, 2),
        y: Scale::log([15.0, 60.0].into_iter(), 100.0..0.0, latency).unwrap(),
    };
    let line = frame.line("s1", [(0.0, 10.0), (10.0, 100.0)].into_iter());
    assert_eq!(line, "<path class=\"s1\" d=\"M0.0 100.0L100.0 0.0\"/>\n");
    assert_eq!(frame.line("s1", std::iter::empty()), "");
}
