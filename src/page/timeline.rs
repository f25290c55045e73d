//! What happened when: a lane with numbered changes and a bar for each workload, service and time that a link was down, and a
//! list that says what the numbers are.

use super::axis::{Axis, RIGHT, WIDTH, instant, is_mark, seconds, text};
use super::markup::Markup;
use crate::report::json::{Event, EventKind, Report, WorkloadReport};
use crate::report::terminal::time;

/// Bars at most; what failed is among them.
const BARS: usize = 40;
/// Lines of the list at most.
const LINES: usize = 500;
/// The height of a bar with its words.
const ROW: u32 = 30;
/// Room above the bars for the numbers, and below for the axis.
const HEAD: u32 = 24;
const FOOT: u32 = 26;

/// Something that lasted.
#[derive(Debug, PartialEq)]
struct Bar {
    class: &'static str,
    /// What, in words.
    words: String,
    from_ns: i64,
    /// `None`: to the end.
    to_ns: Option<i64>,
}

/// The section.
pub(super) fn write(out: &mut Markup, report: &Report, axis: &Axis) {
    let (bars, left) = bars(report);
    if bars.is_empty() && axis.marks.is_empty() {
        out.leaf("p", &[("class", "note")], "Nothing was started and nothing was changed.");
    } else {
        lane(out, &bars, axis);
    }
    if left > 0 {
        let words = format!("{left} more services and workloads are in the tables below.");
        out.leaf("p", &[("class", "note")], &words);
    }
    list(out, report, axis);
    if !report.not_reached.is_empty() {
        out.leaf("h3", &[], "Not reached");
        out.leaf("p", &[("class", "note")], "The run ended before the timeline came to these.");
        out.element("ul", &[("class", "events")], |out| {
            for left in report.not_reached.iter().take(LINES) {
                let planned = || left.planned_ns.map(|ns| seconds(ns as i64));
                let when = left.after.clone().or_else(planned).unwrap_or_default();
                out.element("li", &[], |out| {
                    out.leaf("span", &[("class", "when")], &when);
                    out.leaf("code", &[], &left.what);
                });
            }
        });
    }
}

/// Links that were down, services, workloads; and how many there was no room for.
fn bars(report: &Report) -> (Vec<Bar>, usize) {
    let mut bars = outages(&report.events);
    let all = report
        .services
        .iter()
        .map(|work| ("service", work))
        .chain(report.workloads.iter().chain(&report.runs).map(|w| ("work", w)));
    let mut works: Vec<(&'static str, (&String, &WorkloadReport))> =
        all.filter(|(_, (_, w))| w.started_ns.is_some()).collect();
    let count = works.len();
    let room = BARS.saturating_sub(bars.len());
    if count > room {
        // a stable sort: those that failed, then the rest in file order
        works.sort_by_key(|(_, (_, work))| work.ok);
        works.truncate(room);
    }
    bars.extend(works.iter().map(|(class, (name, work))| bar(class, name, work)));
    (bars, count.saturating_sub(room))
}

fn bar(class: &'static str, name: &str, work: &WorkloadReport) -> Bar {
    let from_ns = work.started_ns.unwrap_or(0);
    let lasted = work.ended_ns.map(|end| format!(", {}", seconds(end - from_ns))).unwrap_or_default();
    let (class, sign) = match (work.ok, class) {
        (false, _) => ("bad", "✗ "),
        (true, "service") => ("service", ""),
        (true, _) => ("work", "✓ "),
    };
    let words = format!("{sign}{name} · {} {}{lasted}", work.kind, work.place);
    Bar { class, words, from_ns, to_ns: work.ended_ns }
}

/// From `X=down` to `X=up`.
fn outages(events: &[Event]) -> Vec<Bar> {
    let mut found: Vec<(&str, Bar)> = Vec::new();
    for event in events.iter().filter(|event| event.kind != EventKind::Work) {
        let down = event.what.strip_suffix("=down").or(event.what.strip_suffix("=no-carrier"));
        if let Some(name) = down {
            let words = format!("{name} down");
            found.push((name, Bar { class: "down", words, from_ns: event.at_ns, to_ns: None }));
        } else if let Some(name) = event.what.strip_suffix("=up")
            && let Some((_, bar)) = found.iter_mut().rfind(|(other, bar)| *other == name && bar.to_ns.is_none())
        {
            bar.to_ns = Some(event.at_ns);
        }
    }
    found.into_iter().map(|(_, bar)| bar).take(BARS / 2).collect()
}

fn lane(out: &mut Markup, bars: &[Bar], axis: &Axis) {
    let bottom = HEAD + ROW * bars.len().max(1) as u32;
    let view = format!("0 0 {WIDTH} {}", bottom + FOOT);
    let label = "Timeline: changes as numbered lines, services and workloads as bars";
    let attributes = [("class", "chart"), ("viewBox", view.as_str()), ("role", "img"), ("aria-label", label)];
    let attributes = [&attributes[..], &[("xmlns", "http://www.w3.org/2000/svg")]].concat();
    out.element("svg", &attributes, |out| {
        axis.draw(out, HEAD, bottom);
        axis.draw_marks(out, HEAD, bottom);
        for (n, bar) in bars.iter().enumerate() {
            let top = HEAD + ROW * n as u32;
            let (from, to) = (axis.x(bar.from_ns), bar.to_ns.map_or(f64::from(RIGHT), |to| axis.x(to)));
            let width = (to - from).max(2.0);
            let end = bar.to_ns.map_or("the end".to_owned(), seconds);
            out.element("g", &[], |out| {
                out.leaf("title", &[], &format!("{}: {} to {end}", bar.words, seconds(bar.from_ns)));
                let (x, width) = (format!("{from:.1}"), format!("{width:.1}"));
                let class = format!("bar {}", bar.class);
                let y = text(top + 18);
                out.void(
                    "rect",
                    &[("class", &class), ("x", &x), ("y", &y), ("width", &width), ("height", "7"), ("rx", "2")],
                );
                // words that would go beyond the right end stand before it
                let (x, anchor) = if from > 640.0 { (to.max(from + 2.0), "end") } else { (from, "start") };
                let (x, y) = (format!("{x:.1}"), text(top + 13));
                let class = format!("bar-text {}", bar.class);
                out.leaf("text", &[("class", &class), ("x", &x), ("y", &y), ("text-anchor", anchor)], &bar.words);
            });
        }
    });
}

/// The changes with their numbers, each line a change.
fn list(out: &mut Markup, report: &Report, axis: &Axis) {
    if axis.marks.is_empty() {
        return;
    }
    out.element("ol", &[("class", "events")], |out| {
        for (n, mark) in axis.marks.iter().enumerate().take(LINES) {
            out.element("li", &[], |out| {
                out.leaf("span", &[("class", "pin")], &(n + 1).to_string());
                out.leaf("span", &[("class", "when")], &seconds(mark.at_ns));
                out.element("span", &[("class", "what")], |out| {
                    for (what, name) in &mark.events {
                        match name {
                            Some(name) => out.leaf("strong", &[("class", "mark-name")], name),
                            None => out.leaf("code", &[], what),
                        }
                        out.text(" ");
                    }
                    if let Some(late) = late(report, mark.at_ns) {
                        out.leaf("small", &[], &format!("{} late", time(late)));
                    }
                });
            });
        }
    });
    if let Some(more) = axis.marks.len().checked_sub(LINES).filter(|more| *more > 0) {
        out.leaf("p", &[("class", "note")], &format!("{more} more are in the JSON report's events."));
    }
}

/// How late the latest part of what was planned for an instant was; `None` where all of it came in time.
fn late(report: &Report, at_ns: i64) -> Option<u64> {
    let events = report.events.iter().filter(|event| is_mark(event) && instant(event) == at_ns);
    events.map(|event| (event.at_ns - at_ns).max(0).unsigned_abs()).max().filter(|late| *late > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    #[test]
    fn outages_last_from_down_to_up_or_to_the_end() {
        let events = [
            testing::event(1_000, "wifi=down"),
            testing::event(2_000, "wifi=up"),
            testing::event(3_000, "lte=no-carrier"),
            testing::event(4_000, "wifi=up"),
            testing::event(5_000, "wifi=down"),
        ];
        let found: Vec<_> = outages(&events).into_iter().map(|b| (b.words, b.from_ns, b.to_ns)).collect();
        let s = 1_000_000_000;
        assert_eq!(
            found,
            [
                ("wifi down".to_owned(), s, Some(2 * s)),
                ("lte down".to_owned(), 3 * s, None),
                ("wifi down".to_owned(), 5 * s, None)
            ]
        );
    }

    #[test]
    fn what_failed_has_a_bar_however_many_there_are() {
        let mut report = testing::report();
        let work = report.workloads["rtt"].clone();
        report.workloads =
            (0..100).map(|n| (format!("w{n}"), WorkloadReport { ok: n != 99, ..work.clone() })).collect();
        let (bars, left) = bars(&report);
        assert!(bars.len() <= BARS && left > 50, "{left}");
        assert!(bars.iter().any(|bar| bar.class == "bad" && bar.words.contains("w99")), "{bars:?}");
    }

    #[test]
    fn the_lane_and_the_list_number_alike() {
        let report = testing::report();
        let axis = Axis::of(&report);
        let mut out = Markup::default();
        write(&mut out, &report, &axis);
        let html = out.finish();
        assert!(html.contains("<title>2: 5 s: ") && html.contains("<span class=\"pin\">2</span>"), "{html}");
        assert!(html.contains("300 µs late") && html.contains("Not reached"), "{html}");
    }
}
