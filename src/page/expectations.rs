//! What was expected, and what was measured instead: read from the report's JSON form, which is the contract.

use super::axis::{instant, is_mark, seconds};
use super::markup::Markup;
use super::table::{self, Cell, Column};
use crate::report::expectation::{Judged, Near};
use crate::report::json::{Event, Report};
use crate::report::terminal::time;

/// An expectation of a report, or one member of a group of which one stands for several.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expectation<'a> {
    /// What the scenario calls it, where it does.
    pub(super) name: Option<&'a str>,
    /// As it is written.
    pub(super) text: &'a str,
    /// What was found.
    pub(super) judged: &'a Judged,
}

impl Expectation<'_> {
    /// The line that names it.
    pub(super) fn title(&self) -> &str {
        self.name.unwrap_or(self.text)
    }

    /// The last change before it, with its time.
    pub(super) fn near(&self) -> Option<String> {
        self.judged.near.as_ref().map(near)
    }
}

/// Those of a report, in file order; of one that stands for several, each that failed.
pub(super) fn read(report: &Report) -> Vec<Expectation<'_>> {
    let mut found = Vec::new();
    for expectation in &report.expectations {
        let one = |name, judged| Expectation { name, text: &expectation.text, judged };
        found.push(one(expectation.name.as_deref(), &expectation.judged));
        let failed = expectation.members.iter().filter(|member| !member.judged.pass);
        found.extend(failed.map(|member| one(Some(member.name.as_str()), &member.judged)));
    }
    found
}

fn near(near: &Near) -> String {
    let before = u64::try_from(near.before_ns).unwrap_or(0);
    format!("{} after {} at {}", time(before), near.what, seconds(near.at_ns))
}

/// The section.
pub(super) fn write(out: &mut Markup, report: &Report) {
    let expectations = read(report);
    if expectations.is_empty() {
        out.leaf("p", &[("class", "note")], "The scenario expects nothing beyond that its workloads succeed.");
        return;
    }
    let columns =
        [Column::Words("Holds"), Column::Words("Expected"), Column::Words("Measured"), Column::Words("Nearest event")];
    let row = |expectation: &Expectation<'_>| {
        let Expectation { name, text, judged } = *expectation;
        let measured = [&judged.measured, &judged.reason, &judged.invalid];
        vec![
            match judged.invalid {
                Some(_) => Cell::Text("not known".into()),
                None => Cell::Sign(judged.pass, if judged.pass { "yes" } else { "no" }.into()),
            },
            match name {
                Some(name) => Cell::Lines(vec![name.to_owned(), text.to_owned()]),
                None => Cell::Code(text.to_owned()),
            },
            Cell::Lines(measured.into_iter().flatten().cloned().collect()),
            Cell::Text(expectation.near().unwrap_or_default()),
        ]
    };
    let mut rows: Vec<(bool, Vec<Cell>)> = expectations.iter().map(|e| (e.judged.pass, row(e))).collect();
    rows.sort_by_key(|(pass, _)| *pass);
    let rows: Vec<Vec<Cell>> = rows.into_iter().map(|(_, row)| row).collect();
    table::write(out, "Expectations, those that failed first", &columns, &rows, "the JSON report has them all");
}

/// The changes nearest to an instant: the last before it, or else the first.
pub(super) fn nearest(events: &[Event], at_ns: i64) -> Option<String> {
    let instants = || events.iter().filter(|event| is_mark(event)).map(instant);
    let near = instants().filter(|at| *at <= at_ns).max().or_else(|| instants().min())?;
    let there = || events.iter().filter(|event| is_mark(event) && instant(event) == near);
    let mut words: Vec<&str> = there().filter(|event| event.mark.is_none()).map(|event| event.what.as_str()).collect();
    if words.is_empty() {
        words.extend(there().map(|event| event.what.as_str()));
    }
    let apart = at_ns - near;
    let place = if apart < 0 { "before" } else { "after" };
    Some(format!("{} {place} {} at {}", time(apart.unsigned_abs()), words.join(", "), seconds(near)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::expectation::Member;
    use crate::report::testing;

    #[test]
    fn an_expectation_is_read_with_what_came_before_it_and_the_members_that_failed() {
        let mut report = testing::report();
        let failed = report.expectations[1].judged.clone();
        let member = |name: &str, judged: &Judged| Member { name: name.into(), judged: judged.clone() };
        report.expectations[1].members = vec![member("left", &report.expectations[0].judged), member("right", &failed)];
        let [holds, fails, right] = &read(&report)[..] else { panic!("three") };
        assert_eq!((holds.title(), holds.near(), holds.judged.pass), ("rtt.p50 < 100ms", None, true));
        assert_eq!(fails.title(), "the call stays good");
        assert_eq!(fails.near().as_deref(), Some("400 ms after wifi.loss=40% at 2 s"));
        assert_eq!(
            (right.title(), right.judged.pass, right.judged.measured.as_deref()),
            ("right", false, Some("12 %"))
        );
    }

    #[test]
    fn failed_ones_come_first() {
        let mut out = Markup::default();
        write(&mut out, &testing::report());
        let html = out.finish();
        assert!(html.find("call.loss &lt; 5%").unwrap() < html.find("rtt.p50 &lt; 100ms").unwrap(), "{html}");
    }

    #[test]
    fn the_nearest_event_is_the_last_one_before() {
        let events = [testing::event(2_000, "wifi=down"), testing::event(5_000, "wifi=up")];
        let near = |ms: i64| nearest(&events, ms * 1_000_000);
        assert_eq!(near(4_900).as_deref(), Some("2.9 s after wifi=down at 2 s"));
        assert_eq!(near(5_000).as_deref(), Some("0 ns after wifi=up at 5 s"));
        assert_eq!(near(500).as_deref(), Some("1.5 s before wifi=down at 2 s"));
        assert_eq!(nearest(&[], 0), None);
    }
}
