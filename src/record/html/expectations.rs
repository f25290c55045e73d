//! What was expected, and what was measured instead: read from the report's JSON form, which is the contract.

use serde_json::Value;

use super::axis::{instant, is_mark, seconds};
use super::markup::Markup;
use super::table::{self, Cell, Column};
use crate::record::report::{Event, Report};
use crate::record::terminal::time;

/// An expectation of a report.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Expectation {
    /// What the scenario calls it, where it does.
    pub(super) name: Option<String>,
    /// As it is written.
    pub(super) text: String,
    pub(super) expected: Option<String>,
    pub(super) measured: Option<String>,
    pub(super) reason: Option<String>,
    /// What happened next to it.
    pub(super) near: Option<String>,
    pub(super) pass: bool,
}

impl Expectation {
    /// The line that names it.
    pub(super) fn title(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.text)
    }
}

/// Those of a report, in file order; of one that stands for several, each that failed.
pub(super) fn read(report: &Report) -> Vec<Expectation> {
    let mut found = Vec::new();
    for expectation in &report.expectations {
        if let Ok(value) = serde_json::to_value(expectation) {
            found.push(one(&value));
            let members = value.get("members").and_then(Value::as_array).into_iter().flatten();
            found.extend(members.map(one).filter(|member| !member.pass && !member.text.is_empty()));
        }
    }
    found
}

fn one(value: &Value) -> Expectation {
    let words = |key: &str| value.get(key).and_then(self::words);
    Expectation {
        name: words("name"),
        text: words("text").unwrap_or_default(),
        expected: words("expected"),
        measured: words("measured"),
        reason: words("reason"),
        near: value.get("near").and_then(near),
        pass: value.get("pass").and_then(Value::as_bool).unwrap_or(false),
    }
}

/// A value as people read it; `None` where there is none.
fn words(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => (!text.is_empty()).then(|| text.clone()),
        other => Some(other.to_string()),
    }
}

/// The nearest event: in words, or with its time.
fn near(value: &Value) -> Option<String> {
    let Some(what) = value.get("what").and_then(Value::as_str) else { return words(value) };
    let at = value.get("at_ns").and_then(Value::as_i64);
    Some(at.map_or(what.to_owned(), |at| format!("{what} at {}", seconds(at))))
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
    let row = |expectation: &Expectation| {
        let text = |text: &Option<String>| Cell::Text(text.clone().unwrap_or_default());
        let expected = match &expectation.name {
            Some(name) => Cell::Lines(vec![name.clone(), expectation.text.clone()]),
            None => Cell::Code(expectation.text.clone()),
        };
        let measured = [&expectation.measured, &expectation.reason].into_iter().flatten().cloned().collect();
        vec![
            Cell::Sign(expectation.pass, if expectation.pass { "yes" } else { "no" }.into()),
            expected,
            Cell::Lines(measured),
            text(&expectation.near),
        ]
    };
    let mut rows: Vec<(bool, Vec<Cell>)> = expectations.iter().map(|e| (e.pass, row(e))).collect();
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
    use super::super::testing;
    use super::*;
    use serde_json::json;

    #[test]
    fn an_expectation_is_read_in_either_form_of_its_parts() {
        let short = one(&json!({ "text": "rtt.p99 < 60ms", "measured": 71, "pass": false }));
        assert_eq!((short.title(), short.measured.as_deref(), short.pass), ("rtt.p99 < 60ms", Some("71"), false));
        let long = one(&json!({
            "name": "calls stay good", "text": "call.loss < 5%", "expected": "< 5%", "measured": "12 %", "reason": "",
            "near": { "what": "wifi.loss=40%", "at_ns": 5_000_000_000i64 }, "pass": true
        }));
        assert_eq!((long.title(), long.near.as_deref()), ("calls stay good", Some("wifi.loss=40% at 5 s")));
        assert!(long.pass && long.reason.is_none() && long.expected.is_some());
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
