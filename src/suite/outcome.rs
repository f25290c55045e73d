//! What a run of a suite came to: from its exit code, its report and what it said.

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::ExitStatus;

use nix::sys::signal::Signal;
use serde::Deserialize as _;
use serde_json::Value;

use super::case::{Case, one_line};
use crate::measured::{ProgramValues, Unit};
use crate::report::expectation::Expectation;
use crate::report::expected;
use crate::report::json::Validity;
use crate::units::Duration;

/// Characters of a program's output that are kept: enough to see why, whatever it wrote.
const KEPT: usize = 64 * 1024;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// All that was expected holds.
    Pass,
    /// Nothing was expected and nothing failed.
    None,
    /// An expectation, workload or service failed.
    Fail,
    /// The machine could not keep up, so neither pass nor fail is claimed.
    Invalid,
    /// The input is wrong after all: a file has changed, or names something outside that is not there.
    Input,
    /// The run could not be carried out: the machine lacks something, or the run broke down.
    Error,
    /// Somebody ended it.
    Interrupted,
    /// It was never started, because another had failed or the suite was interrupted.
    NotRun,
}

impl Status {
    /// All of them, as a summary counts them.
    pub const ALL: [Status; 8] = [
        Status::Input,
        Status::Fail,
        Status::Error,
        Status::Invalid,
        Status::Interrupted,
        Status::NotRun,
        Status::None,
        Status::Pass,
    ];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Status::Pass => "PASS",
            Status::None => "NONE",
            Status::Fail => "FAIL",
            Status::Invalid => "INVALID",
            Status::Input | Status::Error => "ERROR",
            Status::Interrupted => "INTERRUPTED",
            Status::NotRun => "NOT RUN",
        }
    }

    /// The word in JSON.
    pub const fn key(self) -> &'static str {
        match self {
            Status::Pass => "pass",
            Status::None => "none",
            Status::Fail => "fail",
            Status::Invalid => "invalid",
            Status::Input => "input",
            Status::Error => "error",
            Status::Interrupted => "interrupted",
            Status::NotRun => "not_run",
        }
    }

    /// Whether nothing speaks against it.
    pub const fn is_good(self) -> bool {
        matches!(self, Status::Pass | Status::None)
    }

    /// The exit code of a run that ended so; of one that was not run, none.
    pub const fn exit_code(self) -> Option<i32> {
        match self {
            Status::Pass | Status::None => Some(0),
            Status::Fail => Some(1),
            Status::Input => Some(2),
            Status::Invalid => Some(3),
            Status::Error => Some(4),
            Status::Interrupted => Some(130),
            Status::NotRun => None,
        }
    }
}

/// The exit code of many: interrupted before all, then wrong input, failed, lacking something, INVALID, passed.
pub fn exit_code(outcomes: &[Outcome], interrupted: bool) -> i32 {
    let any = |code: i32| outcomes.iter().any(|outcome| outcome.status.exit_code() == Some(code));
    if interrupted {
        return 130;
    }
    [130, 2, 1, 4, 3].into_iter().find(|code| any(*code)).unwrap_or(0)
}

/// An expectation that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// As the report has it.
    pub text: String,
    /// The line that it stands on, from 1, where the report tells.
    pub line: Option<u64>,
}

/// A number in a program's output.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputValue {
    /// `WORKLOAD.VALUE`, as expectations name it.
    pub name: String,
    /// In the unit.
    pub value: f64,
    /// What it is in.
    pub unit: Unit,
}

/// One run of a suite, over.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was run.
    pub case: Case,
    /// How it ended.
    pub status: Status,
    /// How long it took, with making and taking down the network.
    pub took: Duration,
    /// How often it was run until it was valid, or given up.
    pub attempts: u64,
    /// Why it is not a pass, one sentence each.
    pub reasons: Vec<String>,
    /// Expectations that do not hold.
    pub unmet: Vec<Unmet>,
    /// All expectations, as the report has them.
    pub expectations: Vec<Expectation>,
    /// Numbers in programs' outputs, as far as the scenario asks for them.
    pub values: Vec<OutputValue>,
    /// Frames were lost on their way into the network, so that no expectation says anything.
    pub broken: bool,
    /// The report as people read it; the end of it where it is long.
    pub stdout: String,
    /// What it said besides; the end of it where it is long.
    pub stderr: String,
    /// The folder that explains it.
    pub out: Option<PathBuf>,
    /// Its page for people, where it has written one.
    pub page: Option<PathBuf>,
}

impl Outcome {
    /// Of a run that was never started.
    pub fn not_run(case: Case) -> Outcome {
        Outcome {
            case,
            status: Status::NotRun,
            took: Duration::ZERO,
            attempts: 0,
            reasons: Vec::new(),
            unmet: Vec::new(),
            expectations: Vec::new(),
            values: Vec::new(),
            broken: false,
            stdout: String::new(),
            stderr: String::new(),
            out: None,
            page: None,
        }
    }

    /// Of a run that could not even be started.
    pub fn not_started(case: Case, why: String) -> Outcome {
        Outcome { status: Status::Error, reasons: vec![why], ..Outcome::not_run(case) }
    }

    /// Of a run that has ended. `report`: what it left as its JSON report, if it did.
    pub(super) fn ended(case: Case, status: ExitStatus, report: Option<&str>, said: Said, took: Duration) -> Outcome {
        let report: Option<Value> = report.and_then(|text| serde_json::from_str(text).ok());
        let mut outcome = Outcome { took, attempts: 1, ..Outcome::not_run(case) };
        outcome.stdout = said.stdout;
        outcome.stderr = said.stderr;
        let null = Value::Null;
        let report = report.as_ref().unwrap_or(&null);
        outcome.attempts = report["attempts"].as_u64().unwrap_or(1);
        outcome.reasons = texts(&report["reasons"]);
        let expectations = report["expectations"].as_array().map(Vec::as_slice).unwrap_or_default();
        let unmet = expectations.iter().filter(|expectation| expectation["pass"] == false);
        outcome.unmet = unmet
            .filter_map(|e| Some(Unmet { text: e["text"].as_str()?.to_owned(), line: e["line"].as_u64() }))
            .collect();
        outcome.expectations = expectations.iter().filter_map(|one| Expectation::deserialize(one).ok()).collect();
        outcome.values = output_values(&report["workloads"]);
        outcome.broken = Validity::deserialize(&report["validity"]).is_ok_and(|validity| validity.is_broken());
        let verdict = report["verdict"].as_str();
        outcome.status = match (status.code(), verdict) {
            (Some(0), Some("pass")) => Status::Pass,
            (Some(0), Some("none")) => Status::None,
            (Some(1), Some("fail")) => Status::Fail,
            (Some(3), Some("invalid")) => Status::Invalid,
            (Some(130), _) => Status::Interrupted,
            // before it took signals: at its very beginning, or between two attempts
            (None, _) if status.signal().is_some_and(ends) => Status::Interrupted,
            (Some(2), None) => Status::Input,
            _ => Status::Error,
        };
        if outcome.status == Status::Error || outcome.reasons.is_empty() && !outcome.status.is_good() {
            outcome.reasons.insert(0, why(status, verdict, &outcome.stderr));
        }
        outcome
    }

    /// Why it is not a pass, beside its expectations: workloads that failed, a machine that was late.
    pub fn own_reasons(&self) -> Vec<&str> {
        let told = [expected::reasons(&self.expectations), expected::doubts(&self.expectations)].concat();
        self.reasons.iter().filter(|reason| !told.contains(reason)).map(String::as_str).collect()
    }
}

/// What a run said, as text.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// What is worth keeping of an output: its end.
pub(super) fn end_of(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let plain = anstream::adapter::strip_str(&text).to_string();
    let skip = plain.chars().count().saturating_sub(KEPT);
    match skip {
        0 => plain,
        _ => format!("… {skip} characters before this\n{}", plain.chars().skip(skip).collect::<String>()),
    }
}

/// Whether a signal is one with which somebody ends a program.
fn ends(signal: i32) -> bool {
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].iter().any(|end| *end as i32 == signal)
}

fn output_values(workloads: &Value) -> Vec<OutputValue> {
    let of = |(workload, report): (&String, &Value)| {
        // what another kind of workload measured has no `values`
        let ProgramValues { values, value_units } = ProgramValues::deserialize(report).unwrap_or_default();
        let (workload, units) = (workload.clone(), value_units.unwrap_or_default());
        values.unwrap_or_default().into_iter().map(move |(name, value)| {
            let unit = units.get(&name).copied().unwrap_or_default();
            OutputValue { name: format!("{workload}.{name}"), value: value * unit.factor(), unit: unit.unit() }
        })
    };
    workloads.as_object().into_iter().flatten().flat_map(of).collect()
}

fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The last error that a run has said.
pub(super) fn last_error(stderr: &str) -> Option<&str> {
    stderr.lines().rev().find_map(|line| line.trim().strip_prefix("error: "))
}

/// Why a run without a usable report ended.
fn why(status: ExitStatus, verdict: Option<&str>, stderr: &str) -> String {
    let error = last_error(stderr);
    match (status.code(), status.signal(), error) {
        (_, Some(signal), _) => {
            let name = Signal::try_from(signal).map_or("", Signal::as_str);
            format!("it was killed by signal {signal} {name}").trim_end().to_owned()
        }
        (Some(130), ..) => "it was interrupted".to_owned(),
        (Some(_), _, Some(error)) => one_line(error),
        (Some(code), _, None) => match verdict {
            Some(verdict) => format!("it ended with exit code {code}, but its report says {verdict}"),
            None => {
                let last = stderr.lines().rev().map(str::trim).find(|line| !line.is_empty());
                let last = last.map(|line| format!(": {}", one_line(line))).unwrap_or_default();
                format!("it ended with exit code {code} and left no report{last}")
            }
        },
        (None, None, _) => "it ended in no known way".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(raw: i32, report: Option<&str>, stderr: &str) -> Outcome {
        let said = Said { stdout: String::new(), stderr: stderr.into() };
        Outcome::ended(Case::default(), ExitStatus::from_raw(raw), report, said, Duration::from_secs(1))
    }

    fn exit(code: i32) -> i32 {
        code << 8
    }

    #[test]
    fn code_and_report_must_agree() {
        let report = |verdict: &str| format!(r#"{{ "verdict": "{verdict}", "reasons": ["r"], "attempts": 2 }}"#);
        for (code, verdict, status) in [
            (0, "pass", Status::Pass),
            (0, "none", Status::None),
            (1, "fail", Status::Fail),
            (3, "invalid", Status::Invalid),
            (130, "interrupted", Status::Interrupted),
            (0, "fail", Status::Error),
            (1, "pass", Status::Error),
            (4, "pass", Status::Error),
        ] {
            let outcome = ended(exit(code), Some(&report(verdict)), "");
            assert_eq!((outcome.status, outcome.attempts), (status, 2), "{code} {verdict}");
            assert_eq!(outcome.status == Status::Error, outcome.reasons.len() == 2, "{:?}", outcome.reasons);
        }
    }

    #[test]
    fn a_run_without_a_report_is_an_error_that_says_why() {
        let killed = ended(9, None, "");
        assert_eq!((killed.status, killed.reasons), (Status::Error, vec!["it was killed by signal 9 SIGKILL".into()]));
        let lacking = ended(exit(4), None, "warning: x\nerror: cannot open /dev/net/tun\n\n");
        assert_eq!((lacking.status, lacking.reasons), (Status::Error, vec!["cannot open /dev/net/tun".into()]));
        for (code, report) in [(0, None), (1, None), (3, Some("{")), (101, None)] {
            let lost = ended(exit(code), report, "something\n");
            assert_eq!(lost.status, Status::Error, "{code}");
            assert!(lost.reasons[0].contains("left no report: something"), "{:?}", lost.reasons);
        }
        assert_eq!(ended(exit(2), None, "1 error").status, Status::Input);
        assert_eq!(ended(2, None, "").status, Status::Interrupted, "SIGINT");
        assert_eq!(ended(exit(130), None, "").reasons, ["it was interrupted"]);
    }

    #[test]
    fn expectations_that_do_not_hold_are_known() {
        let report = r#"{ "verdict": "fail", "reasons": ["x"], "expectations": [
            { "text": "a == 0", "pass": false, "line": 7 }, { "text": "b == 0", "pass": true }, { "pass": false }, 7 ] }"#;
        let unmet = Unmet { text: "a == 0".into(), line: Some(7) };
        assert_eq!(ended(exit(1), Some(report), "").unmet, [unmet]);
    }

    #[test]
    fn numbers_of_programs_are_known_in_their_units() {
        let report = r#"{ "verdict": "pass", "workloads": { "rtt": { "kind": "ping", "sent": 3 },
            "fetch": { "kind": "shell", "values": { "took": 12.5, "n": 3 }, "value_units": { "took": "ms" } } } }"#;
        let value = |name: &str, value, unit| OutputValue { name: name.into(), value, unit };
        let found = ended(exit(0), Some(report), "").values;
        assert_eq!(found, [value("fetch.n", 3.0, Unit::Number), value("fetch.took", 12_500_000.0, Unit::Time)]);
    }

    #[test]
    fn of_many_the_worst_code_counts() {
        let codes = |list: &[Status]| {
            let outcome = |status: &Status| Outcome { status: *status, ..Outcome::not_run(Case::default()) };
            list.iter().map(outcome).collect::<Vec<_>>()
        };
        use Status::{Error, Fail, Input, Interrupted, Invalid, None, NotRun, Pass};
        for (list, code) in [
            (&[Pass, None][..], 0),
            (&[Pass, Invalid], 3),
            (&[Invalid, Error, Pass], 4),
            (&[Invalid, Fail, Error], 1),
            (&[Fail, Input, Error], 2),
            (&[Fail, NotRun], 1),
            (&[Fail, Interrupted], 130),
            (&[], 0),
        ] {
            assert_eq!(exit_code(&codes(list), false), code, "{list:?}");
            assert_eq!(exit_code(&codes(list), true), 130);
        }
    }

    #[test]
    fn only_the_end_of_a_long_output_is_kept() {
        let long = "ä".repeat(KEPT) + "end";
        let kept = end_of(long.as_bytes());
        let (told, kept) = kept.split_once('\n').unwrap();
        assert_eq!((told, kept.chars().count()), ("… 3 characters before this", KEPT));
        assert!(kept.ends_with("end"));
        assert_eq!(end_of(b"\x1b[1mbold\x1b[0m \xff"), "bold \u{fffd}");
    }
}
