//! A suite as JUnit XML, in the form that Jenkins' schema (junit-10.xsd of its xUnit plugin) describes: what most readers know.
//!
//! Each run is a `testsuite`: only a suite has properties and a file in that form. It has a `testcase` for the run itself, and one
//! for each expectation. What failed is a `failure`; what says nothing about what is tested (INVALID, a machine that lacks
//! something) is an `error`.

use std::borrow::Cow;

use super::case::{Repetition, one_line};
use super::outcome::Outcome;
use super::plan::Skipped;
use super::runner::Ended;
use super::test_case::{Kind, TestCase};
use crate::diag::printable::printable;
use crate::page::markup::{Attribute, Markup};

/// The whole document.
pub fn document(ended: &Ended, skipped: &[Skipped]) -> String {
    let suites: Vec<Vec<TestCase>> = ended.outcomes.iter().map(TestCase::of).collect();
    let sum = |of: fn(&[TestCase]) -> usize| suites.iter().map(|cases| of(cases)).sum::<usize>();
    let attributes = [
        ("name", "longwire".to_owned()),
        ("tests", (sum(<[TestCase]>::len) + skipped.len()).to_string()),
        ("failures", sum(|cases| count(cases, Kind::Failure)).to_string()),
        ("errors", sum(|cases| count(cases, Kind::Error)).to_string()),
        ("time", seconds(ended.took.as_nanos())),
    ];
    let mut out = Markup::default();
    out.own("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    element(&mut out, "testsuites", &attributes, |out| {
        ended.outcomes.iter().zip(&suites).for_each(|(outcome, cases)| suite(out, outcome, cases));
        skipped.iter().for_each(|skipped| left_out(out, skipped));
    });
    out.finish()
}

/// An element whose attributes are one line each: readers make spaces of line ends within them.
fn element(
    out: &mut Markup,
    name: &'static str,
    attributes: &[(&'static str, String)],
    inside: impl FnOnce(&mut Markup),
) {
    let lines: Vec<(&str, Cow<'_, str>)> = attributes.iter().map(|(key, value)| (*key, printable(value))).collect();
    let attributes: Vec<Attribute<'_>> = lines.iter().map(|(key, value)| (*key, &**value)).collect();
    out.element(name, &attributes, inside);
}

fn count(cases: &[TestCase], wanted: Kind) -> usize {
    cases.iter().filter(|case| case.kind == wanted).count()
}

fn suite(out: &mut Markup, outcome: &Outcome, cases: &[TestCase]) {
    let file = outcome.case.file.display().to_string();
    let attributes = [
        ("name", format!("{file}{}", outcome.case.variant())),
        ("tests", cases.len().to_string()),
        ("failures", count(cases, Kind::Failure).to_string()),
        ("errors", count(cases, Kind::Error).to_string()),
        ("skipped", count(cases, Kind::Skipped).to_string()),
        ("time", seconds(outcome.took.as_nanos())),
        ("file", file.clone()),
    ];
    element(out, "testsuite", &attributes, |out| {
        properties(out, outcome);
        for (n, case) in cases.iter().enumerate() {
            // the run itself comes first: it took all of the time, and wrote all of the output
            let took = if n == 0 { outcome.took.as_nanos() } else { 0 };
            let attributes = [("name", case.name.clone()), ("classname", class(&file)), ("time", seconds(took))];
            element(out, "testcase", &attributes, |out| {
                result(out, outcome, case);
                if n == 0 {
                    output(out, outcome);
                }
            });
        }
    });
}

fn properties(out: &mut Markup, outcome: &Outcome) {
    let case = &outcome.case;
    let mode = if case.virtual_time { "virtual" } else { "live" };
    let mut all = vec![("seed".to_owned(), case.seed.to_string()), ("mode".to_owned(), mode.to_owned())];
    all.extend(case.params.iter().map(|param| (format!("param.{}", param.name), param.text.clone())));
    if let Some(Repetition { number, of, .. }) = case.repetition {
        all.push(("repetition".into(), format!("{number}/{of}")));
    }
    if outcome.attempts > 1 {
        all.push(("attempts".into(), outcome.attempts.to_string()));
    }
    all.push(("command".into(), case.command()));
    all.extend(outcome.out.iter().map(|out| ("out".to_owned(), out.display().to_string())));
    element(out, "properties", &[], |out| {
        for (name, value) in all {
            element(out, "property", &[("name", name), ("value", value)], |_| {});
        }
    });
}

fn result(out: &mut Markup, outcome: &Outcome, case: &TestCase) {
    let name = match case.kind {
        Kind::Good => return,
        Kind::Failure => "failure",
        Kind::Error => "error",
        Kind::Skipped => return element(out, "skipped", &[("message", case.reasons.join("; "))], |_| {}),
    };
    let attributes = [("type", outcome.status.word().to_owned()), ("message", one_line(&case.reasons.join("; ")))];
    let details = format!("{}\n\nagain: {}\n", case.reasons.join("\n"), outcome.case.command());
    element(out, name, &attributes, |out| out.text(&details));
}

fn output(out: &mut Markup, outcome: &Outcome) {
    for (name, text) in [("system-out", &outcome.stdout), ("system-err", &outcome.stderr)] {
        if !text.trim().is_empty() {
            out.leaf(name, &[], text);
        }
    }
}

/// A scenario that is no test.
fn left_out(out: &mut Markup, skipped: &Skipped) {
    let file = skipped.file.display().to_string();
    let text = str::to_owned;
    let attributes = [
        ("name", file.clone()),
        ("tests", text("1")),
        ("failures", text("0")),
        ("errors", text("0")),
        ("skipped", text("1")),
        ("time", text("0.000")),
        ("file", file.clone()),
    ];
    element(out, "testsuite", &attributes, |out| {
        let attributes = [("name", file.clone()), ("classname", class(&file)), ("time", text("0.000"))];
        element(out, "testcase", &attributes, |out| {
            element(out, "skipped", &[("message", skipped.why.clone())], |_| {});
        });
    });
}

/// A file as readers group test cases: parts with dots between them, without the ending.
fn class(file: &str) -> String {
    let stem = file.strip_suffix(".yaml").or_else(|| file.strip_suffix(".yml")).unwrap_or(file);
    stem.split('/').filter(|part| !matches!(*part, "" | "." | "..")).collect::<Vec<_>>().join(".")
}

/// Seconds as the schema has them: digits and a point.
fn seconds(nanos: u64) -> String {
    let millis = nanos / 1_000_000;
    format!("{}.{:03}", millis / 1000, millis % 1000)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::report::expectation::{Expectation, Judged};
    use crate::report::expected;
    use crate::suite::case::{Case, Param};
    use crate::suite::outcome::{Status, Unmet};
    use crate::units::Duration;

    pub(crate) fn expectation(text: &str, pass: bool, invalid: Option<&str>) -> Expectation {
        Expectation {
            name: None,
            text: text.into(),
            line: 9,
            column: 3,
            judged: Judged {
                pass,
                invalid: invalid.map(str::to_owned),
                measured: Some("80 ms".into()),
                value: Some(8e7),
                unit: "ns".into(),
                expected: "< 60 ms".into(),
                compared: None,
                reason: None,
                at_ns: None,
                near: None,
            },
            members: Vec::new(),
        }
    }

    /// A suite in which everything has happened that can.
    pub(crate) fn of_everything() -> Ended {
        let case = |file: &str, scenario: &str| Case {
            file: file.into(),
            scenario: scenario.into(),
            seed: 7,
            ..Case::default()
        };
        let outcome = |case: Case, status: Status, reasons: &[&str]| Outcome {
            status,
            took: Duration::from_millis(3_210),
            attempts: 1,
            reasons: reasons.iter().map(|r| (*r).to_owned()).collect(),
            ..Outcome::not_run(case)
        };
        let mut failed = outcome(case("ci/chat.yaml", "Chat"), Status::Fail, &["fetch: exit 7"]);
        failed.case.params.push(Param { name: "loss".into(), text: "5%".into(), word: "5%".into() });
        failed.unmet.push(Unmet { text: "rtt.p99 < 60ms".into(), line: None });
        failed.expectations =
            vec![expectation("rtt.p99 < 60ms", false, None), expectation("call.loss < 5%", true, None)];
        failed.reasons.insert(0, expected::reasons(&failed.expectations)[0].clone());
        failed.stdout = "a <report> & \u{1} ]]> \"quotes\"\n".into();
        failed.stderr = "warning: x\n".into();
        failed.out = Some("out/chat".into());
        let mut passed = outcome(case("ci/dns.yaml", "DNS"), Status::Pass, &[]);
        passed.attempts = 2;
        passed.case.repetition = Some(Repetition { number: 1, of: 2, identical: false });
        passed.case.virtual_time = true;
        Ended {
            outcomes: vec![
                passed,
                outcome(case("ci/idle.yaml", "Idle"), Status::None, &[]),
                failed,
                outcome(case("./ci/slow.yaml", "Slow"), Status::Invalid, &["longwire did not run for 200ms"]),
                outcome(case("ci/tap.yml", "TAP"), Status::Error, &["cannot open /dev/net/tun"]),
                outcome(case("ci/gone.yaml", "Gone"), Status::Input, &["cannot read gone.csv"]),
                outcome(case("ci/stopped.yaml", "Stopped"), Status::Interrupted, &["it was interrupted"]),
                Outcome::not_run(case("ci/never.yaml", "Never")),
            ],
            interrupted: false,
            took: Duration::from_millis(61_005),
        }
    }

    pub(crate) fn skipped() -> Vec<Skipped> {
        vec![Skipped { file: "ci/by-hand.yaml".into(), why: "stays up until Ctrl-C".into() }]
    }

    #[test]
    fn each_run_is_a_suite_with_its_properties_and_a_case_for_each_expectation() {
        let text = document(&of_everything(), &skipped());
        let document = roxmltree::Document::parse(&text).unwrap();
        let root = document.root_element();
        let attribute = |name: &str| root.attribute(name).unwrap();
        assert_eq!(["tests", "failures", "errors", "time"].map(attribute), ["11", "2", "4", "61.005"]);
        let suites: Vec<_> = root.children().filter(|n| n.is_element()).collect();
        assert_eq!(suites.len(), 9);
        let inside = |n: usize, name: &str| suites[n].descendants().find(|node| node.has_tag_name(name));
        let properties: Vec<_> = inside(2, "properties").unwrap().children().filter(|n| n.is_element()).collect();
        let property = |name: &str| {
            properties.iter().find(|p| p.attribute("name") == Some(name)).and_then(|p| p.attribute("value"))
        };
        assert_eq!(property("seed"), Some("7"));
        assert_eq!(property("param.loss"), Some("5%"));
        assert_eq!(property("mode"), Some("live"));
        assert!(text.contains("name=\"mode\" value=\"virtual\""));
        assert_eq!(property("command"), Some("longwire run ci/chat.yaml --param loss=5% --seed 7"));
        let cases: Vec<_> = suites[2].children().filter(|n| n.has_tag_name("testcase")).collect();
        let told: Vec<_> = cases
            .iter()
            .map(|case| {
                let failure = case.children().find(|n| n.has_tag_name("failure"));
                (case.attribute("name").unwrap(), failure.and_then(|failure| failure.attribute("message")))
            })
            .collect();
        assert_eq!(
            told,
            [
                ("Chat [loss=5%]", Some("fetch: exit 7")),
                ("Chat [loss=5%]: rtt.p99 < 60ms", Some("expected `rtt.p99 < 60ms`, measured 80 ms")),
                ("Chat [loss=5%]: call.loss < 5%", None),
            ]
        );
        assert_eq!(inside(2, "system-out").unwrap().text(), Some("a <report> & \\x01 ]]> \"quotes\"\n"));
        assert_eq!(inside(2, "testcase").unwrap().attribute("classname"), Some("ci.chat"));
        assert_eq!(inside(2, "testcase").unwrap().attribute("name"), Some("Chat [loss=5%]"));
        assert_eq!(inside(3, "error").unwrap().attribute("type"), Some("INVALID"));
        assert!(inside(3, "failure").is_none() && inside(0, "error").is_none() && inside(1, "failure").is_none());
        assert!(inside(7, "skipped").is_some() && inside(8, "skipped").is_some());
        assert!(inside(0, "property").is_some() && text.contains("name=\"attempts\" value=\"2\""));
    }

    #[test]
    fn times_and_texts_are_as_the_schema_wants_them() {
        assert_eq!([seconds(0), seconds(999_999), seconds(1_234_567_890_123)], ["0.000", "0.000", "1234.567"]);
        let mut ended = of_everything();
        ended.outcomes[2].stdout = "a\u{0}\u{b}\u{fffe}\u{1f600}\tb\r\n<".into();
        let xml = document(&ended, &[]);
        assert!(xml.contains("<system-out>a\\x00\\x0b\\u{fffe}\u{1f600}\tb\n&lt;</system-out>"), "{xml}");
        assert_eq!(class("./../ci/a.b.yaml"), "ci.a.b");
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

        #[test]
        fn whatever_texts_hold_it_is_xml_and_prints(text in "(\\PC|\n|\r|\t|\x1b|\0|\u{202e}|\u{85}|\u{fffe}|<|&|]]>)*") {
            let mut ended = of_everything();
            for outcome in &mut ended.outcomes {
                outcome.case.scenario = text.clone();
                outcome.case.file = text.clone().into();
                outcome.case.params = vec![Param { name: text.clone(), text: text.clone(), word: text.clone() }];
                outcome.reasons = vec![text.clone()];
                outcome.stdout = text.clone();
                outcome.stderr = text.clone();
                outcome.out = Some(text.clone().into());
                outcome.expectations.iter_mut().for_each(|one| one.text = text.clone());
            }
            let skipped = vec![Skipped { file: text.clone().into(), why: text.clone() }];
            let xml = document(&ended, &skipped);
            let prints = |text: &str| text.chars().all(|c| c == '\n' || crate::diag::printable::is_printable(c));
            proptest::prop_assert!(prints(&xml.replace('\t', " ")), "{}", xml);
            let document = roxmltree::Document::parse(&xml).unwrap();
            for node in document.descendants() {
                let attributes = node.attributes().all(|attribute| prints(attribute.value()));
                let inside = node.text().is_none_or(|text| prints(&text.replace('\t', " ")));
                proptest::prop_assert!(attributes && inside, "{}", xml);
            }
        }
    }
}
