//! What was expected, what was measured, and how far apart they are: a line each, those that failed first.

use super::axis::{instant, is_mark};
use super::markup::Markup;
use crate::report::expectation::{Expectation, Judged, Member, Near};
use crate::report::expected::found;
use crate::report::gauge::Gauge;
use crate::report::json::{Event, Report};
use crate::report::terminal::{seconds, time};

/// Lines in view; what failed is always.
const OPEN: usize = 10;
/// Lines at all.
const MOST: usize = 500;
/// The size of a bar.
const BAR: (f64, f64) = (140.0, 16.0);

fn near(near: &Near) -> String {
    let before = u64::try_from(near.before_ns).unwrap_or(0);
    format!("{} after {} at {}", time(before), near.what, seconds(near.at_ns))
}

/// The lines; nothing where nothing was expected.
pub(super) fn write(out: &mut Markup, report: &Report) {
    let mut all: Vec<&Expectation> = report.expectations.iter().collect();
    all.sort_by_key(|one| (one.judged.pass, one.judged.invalid.is_some()));
    let failed = all.iter().filter(|one| !one.judged.pass).count();
    let left = all.len().saturating_sub(MOST);
    all.truncate(MOST);
    let (open, folded) = all.split_at(all.len().min(OPEN.max(failed)));
    lines(out, open);
    if !folded.is_empty() {
        out.element("details", &[], |out| {
            out.leaf("summary", &[], &format!("{} more that hold", folded.len()));
            lines(out, folded);
        });
    }
    if left > 0 {
        out.leaf("p", &[("class", "note")], &format!("{left} more are in the JSON report."));
    }
}

fn lines(out: &mut Markup, some: &[&Expectation]) {
    if some.is_empty() {
        return;
    }
    out.element("ul", &[("class", "expected"), ("aria-label", "Expectations")], |out| {
        some.iter().for_each(|one| line(out, one));
    });
}

fn line(out: &mut Markup, one: &Expectation) {
    // a group is shown by the member that is furthest from its limit: of those that fail, or of those in doubt where none does
    let far =
        |judged: &Judged| judged.value.zip(judged.compared.as_ref()).map_or(0.0, |(value, c)| (value - c.limit).abs());
    let wrong = |member: &&Member| {
        if one.judged.fails() { member.judged.fails() } else { !member.judged.pass }
    };
    let failed: Vec<&Member> = one.members.iter().filter(wrong).collect();
    let worst = failed.iter().max_by(|a, b| far(&a.judged).total_cmp(&far(&b.judged)));
    let judged = worst.map_or(&one.judged, |member| &member.judged);
    let (class, sign) = match (one.judged.pass, &one.judged.invalid) {
        (true, _) => ("good", "✓ holds"),
        (false, None) => ("bad", "✗ fails"),
        (false, Some(_)) => ("open", "? not known"),
    };
    out.element("li", &[("class", class)], |out| {
        out.leaf("span", &[("class", &format!("sign {class}"))], sign);
        out.element("div", &[("class", "what")], |out| {
            if let Some(name) = &one.name {
                out.leaf("strong", &[], name);
                out.text(" ");
            }
            out.leaf("code", &[], &one.text);
            let why = [judged.invalid.clone(), judged.near.as_ref().map(near)];
            why.iter().flatten().for_each(|words| out.leaf("small", &[], &format!(" {words}")));
            if let Some(worst) = worst {
                let verb = if one.judged.fails() { "fail" } else { "are in doubt" };
                members(out, &failed, verb, (one.members.len(), &worst.name));
            }
        });
        let all = one.members.len();
        let found = if judged.pass && all > 0 { format!("all {all}") } else { found(judged) };
        out.leaf("span", &[("class", "measured")], &found);
        out.element("span", &[("class", "distance")], |out| {
            let Some(compared) = &judged.compared else { return };
            if let Some(gauge) = Gauge::of(judged) {
                bar(out, &gauge, class);
            }
            out.leaf("small", &[], &compared.distance);
        });
    });
}

/// Of a group: those that failed, or are in doubt.
fn members(out: &mut Markup, failed: &[&Member], verb: &str, (all, worst): (usize, &str)) {
    out.element("details", &[], |out| {
        out.leaf("summary", &[], &format!("{} of {all} {verb}, {worst} by the most", failed.len()));
        out.element("ul", &[], |out| {
            for member in failed.iter().take(MOST) {
                let near = member.judged.near.as_ref().map(|one| format!(", {}", near(one))).unwrap_or_default();
                out.leaf("li", &[], &format!("{}: {}{near}", member.name, found(&member.judged)));
            }
        });
    });
}

/// What is allowed as a broad part of a line, and the value on it.
fn bar(out: &mut Markup, gauge: &Gauge, class: &str) {
    let (width, height) = BAR;
    let view = format!("0 0 {width} {height}");
    let attributes = [("class", "gauge"), ("viewBox", view.as_str()), ("aria-hidden", "true")];
    let attributes = [&attributes[..], &[("xmlns", "http://www.w3.org/2000/svg")]].concat();
    let x = |share: f64| format!("{:.1}", 4.0 + share * (width - 8.0));
    let length = |from: f64, to: f64| format!("{:.1}", ((to - from) * (width - 8.0)).max(2.0));
    let rect = |out: &mut Markup, class: &str, (from, to): (f64, f64), (y, height): (&str, &str)| {
        let (x, width) = (x(from), length(from, to));
        out.void("rect", &[("class", class), ("x", &x), ("width", &width), ("y", y), ("height", height)]);
    };
    out.element("svg", &attributes, |out| {
        rect(out, "gauge-all", (0.0, 1.0), ("7", "2"));
        rect(out, "gauge-allowed", gauge.allowed, ("4", "8"));
        out.void("circle", &[("class", &format!("gauge-at {class}")), ("cx", &x(gauge.at)), ("cy", "8"), ("r", "4")]);
    });
}

/// The last changes at or before an instant.
pub(super) fn nearest(events: &[Event], at_ns: i64) -> Option<String> {
    let instants = || events.iter().filter(|event| is_mark(event)).map(instant);
    let near = instants().filter(|at| *at <= at_ns).max()?;
    let there = || events.iter().filter(|event| is_mark(event) && instant(event) == near);
    let mut words: Vec<&str> = there().filter(|event| event.mark.is_none()).map(|event| event.what.as_str()).collect();
    if words.is_empty() {
        words.extend(there().map(|event| event.what.as_str()));
    }
    Some(format!("{} after {} at {}", time((at_ns - near).unsigned_abs()), words.join(", "), seconds(near)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::expectation::Compared;
    use crate::report::testing;

    #[test]
    fn of_a_group_the_worst_member_stands_for_it() {
        let mut report = testing::report();
        let compared = |value: f64, distance: &str| {
            let compared = Compared {
                measure: "x".into(),
                relation: "<".into(),
                limit: 0.05,
                tolerance: None,
                distance: distance.into(),
                window_ns: None,
            };
            let measured = Some(format!("{} %", value * 100.0));
            Judged { value: Some(value), measured, compared: Some(compared), ..report.expectations[1].judged.clone() }
        };
        let held = report.expectations[0].judged.clone();
        let members =
            [("left", held), ("right", compared(0.12, "7 points above")), ("middle", compared(0.5, "45 points above"))];
        report.expectations[1].members =
            members.into_iter().map(|(name, judged)| Member { name: name.into(), judged }).collect();
        let mut out = Markup::default();
        write(&mut out, &report);
        let html = out.finish();
        for text in
            ["2 of 3 fail, middle by the most", "45 points above", "right: 12 %, 400 ms after wifi.loss=40% at 2 s"]
        {
            assert!(html.contains(text), "{text}: {html}");
        }
        assert_eq!(html.matches("✗ fails").count(), 1);
    }

    #[test]
    fn failed_ones_come_first_with_their_distance() {
        let mut report = testing::report();
        let judged = &mut report.expectations[1].judged;
        judged.value = Some(0.12);
        judged.compared = Some(Compared {
            measure: "call.loss".into(),
            relation: "<".into(),
            limit: 0.05,
            tolerance: None,
            distance: "7 points above".into(),
            window_ns: None,
        });
        let mut out = Markup::default();
        write(&mut out, &report);
        let html = out.finish();
        let place = |text: &str| html.find(text).unwrap_or_else(|| panic!("{text}: {html}"));
        assert!(
            place("call.loss &lt; 5%") < place("7 points above")
                && place("7 points above") < place("rtt.p50 &lt; 100ms")
        );
        assert!(html.contains("✗ fails") && html.matches("class=\"gauge\"").count() == 1, "{html}");
    }

    #[test]
    fn what_failed_is_in_view_and_many_that_hold_are_folded() {
        let mut report = testing::report();
        let [held, failed] = [report.expectations[0].clone(), report.expectations[1].clone()];
        report.expectations = (0..30).map(|n| if n % 2 == 0 { held.clone() } else { failed.clone() }).collect();
        let mut out = Markup::default();
        write(&mut out, &report);
        let html = out.finish();
        let (view, folded) = html.split_once("<details").expect("folded");
        assert_eq!((view.matches("✗ fails").count(), folded.matches("✓ holds").count()), (15, 15), "{html}");
    }

    #[test]
    fn the_nearest_event_is_the_last_one_before() {
        let events = [testing::event(2_000, "wifi=down"), testing::event(5_000, "wifi=up")];
        let near = |ms: i64| nearest(&events, ms * 1_000_000);
        assert_eq!(near(4_900).as_deref(), Some("2.9 s after wifi=down at 2 s"));
        assert_eq!(near(5_000).as_deref(), Some("0 ns after wifi=up at 5 s"));
        assert_eq!(near(500), None, "what came later explains nothing");
        assert_eq!(nearest(&[], 0), None);
    }
}
