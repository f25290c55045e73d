//! What happened when: bars for programs, services and times in which something was down, and a list that says what the numbers of
//! changes are.

use super::axis::{Axis, RIGHT, instant, is_mark, text};
use super::markup::Markup;
use crate::report::happened::outages;
use crate::report::json::{Report, WorkloadReport};
use crate::report::terminal::{seconds, time};

/// Bars at most; what failed is among them.
const BARS: usize = 40;
/// Lines of the list at most.
const LINES: usize = 500;
/// The height of a bar with its words.
pub(super) const ROW: u32 = 30;
/// Something that lasted.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bar {
    class: &'static str,
    /// What, in words.
    words: String,
    from_ns: i64,
    /// `None`: to the end.
    to_ns: Option<i64>,
}

/// What the numbers are, and what was not reached.
pub(super) fn write(out: &mut Markup, report: &Report, axis: &Axis) {
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

/// What was down, services and workloads, but for those that have a picture of their own unless they failed; and how many there was
/// no room for. Services that held out are in their table.
pub(super) fn bars(report: &Report, measured: &[&String]) -> (Vec<Bar>, usize) {
    let down = outages(&report.events).into_iter().map(|outage| {
        let words = format!("{} down", outage.name);
        Bar { class: "down", words, from_ns: outage.from_ns, to_ns: outage.to_ns }
    });
    let mut bars: Vec<Bar> = down.take(BARS / 2).collect();
    let services = report.services.iter().filter(|(_, work)| !work.ok);
    let works = report.workloads.iter().filter(|(name, work)| !work.ok || !measured.contains(name)).chain(&report.runs);
    let mut works: Vec<(&String, &WorkloadReport)> =
        services.chain(works).filter(|(_, work)| work.started_ns.is_some()).collect();
    let count = works.len();
    let room = BARS.saturating_sub(bars.len());
    // a stable sort: those that failed, then the rest in file order
    works.sort_by_key(|(_, work)| work.ok);
    works.truncate(room);
    bars.extend(works.iter().map(|(name, work)| bar(name, work)));
    (bars, count.saturating_sub(room))
}

fn bar(name: &str, work: &WorkloadReport) -> Bar {
    let from_ns = work.started_ns.unwrap_or(0);
    let lasted = work.ended_ns.map(|end| format!(", {}", seconds(end - from_ns))).unwrap_or_default();
    let (class, sign) = if work.ok { ("work", "✓") } else { ("bad", "✗") };
    let words = format!("{sign} {name} · {} {}{lasted}", work.kind, work.place);
    Bar { class, words, from_ns, to_ns: work.ended_ns }
}

/// Bars below each other from `top` on.
pub(super) fn draw_bars(out: &mut Markup, bars: &[Bar], axis: &Axis, top: u32) {
    for (n, bar) in bars.iter().enumerate() {
        let top = top + ROW * n as u32;
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
    fn what_failed_has_a_bar_however_many_there_are() {
        let mut report = testing::report();
        let work = report.workloads["rtt"].clone();
        report.workloads =
            (0..100).map(|n| (format!("w{n}"), WorkloadReport { ok: n != 99, ..work.clone() })).collect();
        let (bars, left) = bars(&report, &[]);
        assert!(bars.len() <= BARS && left > 50, "{left}");
        assert!(bars.iter().any(|bar| bar.class == "bad" && bar.words.contains("w99")), "{bars:?}");
    }

    #[test]
    fn what_has_a_picture_has_no_bar_unless_it_failed() {
        let mut report = testing::report();
        let (rtt, call) = ("rtt".to_owned(), "call".to_owned());
        let words =
            |report: &Report| bars(report, &[&rtt, &call]).0.into_iter().map(|bar| bar.words).collect::<Vec<_>>();
        assert_eq!(words(&report), ["wifi down", "✗ fetch · shell phone, 4 s"]);
        report.workloads["rtt"].ok = false;
        assert_eq!(words(&report)[1], "✗ rtt · ping phone → server, 8 s");
    }

    #[test]
    fn the_list_numbers_changes_and_says_what_was_late_and_not_reached() {
        let report = testing::report();
        let mut out = Markup::default();
        write(&mut out, &report, &Axis::of(&report));
        let html = out.finish();
        assert!(html.contains("<span class=\"pin\">2</span>"), "{html}");
        assert!(html.contains("300 µs late") && html.contains("Not reached"), "{html}");
    }
}
