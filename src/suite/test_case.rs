//! A run as test cases: the run itself, and each of its expectations.

use super::outcome::{Outcome, Status};
use crate::report::expectation::Expectation;
use crate::report::expected;

/// What became of a test case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It holds.
    Good,
    /// It does not.
    Failure,
    /// It says nothing about what is tested.
    Error,
    /// It was not judged.
    Skipped,
}

/// One case of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TestCase {
    /// The same in each run of the same scenario, and no other case has it.
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Why it is not good, one sentence each.
    pub(super) reasons: Vec<String>,
}

impl TestCase {
    /// All cases of a run. The first is the run itself: its workloads, its services, and whether the machine kept up.
    pub(super) fn of(outcome: &Outcome) -> Vec<TestCase> {
        let run = outcome.case.to_string();
        let title = |one: &Expectation| {
            let alike = outcome.expectations.iter().filter(|other| other.title() == one.title()).count();
            let line = if alike > 1 { format!(" (line {})", one.line) } else { String::new() };
            format!("{run}: {}{line}", one.title())
        };
        let expectations = outcome.expectations.iter().map(|one| {
            let (kind, reasons) = expectation(outcome, one);
            TestCase { name: title(one), kind, reasons }
        });
        let (kind, reasons) = own(outcome);
        [TestCase { name: run.clone(), kind, reasons }].into_iter().chain(expectations).collect()
    }
}

/// Of the run itself.
fn own(outcome: &Outcome) -> (Kind, Vec<String>) {
    let reasons: Vec<String> = outcome.own_reasons().into_iter().map(str::to_owned).collect();
    let kind = match outcome.status {
        Status::Pass | Status::None => Kind::Good,
        Status::NotRun => return (Kind::Skipped, vec!["not run".into()]),
        // what was expected tells it
        Status::Fail | Status::Invalid if reasons.is_empty() && !outcome.expectations.is_empty() => Kind::Good,
        Status::Fail => Kind::Failure,
        Status::Invalid | Status::Input | Status::Error | Status::Interrupted => Kind::Error,
    };
    (kind, reasons)
}

/// Of an expectation. Of a run that was cut short, or whose frames were lost on their way into the network, it claims nothing.
fn expectation(outcome: &Outcome, one: &Expectation) -> (Kind, Vec<String>) {
    let unclaimed = |why: &str| (Kind::Skipped, vec![format!("not judged: {why}")]);
    match outcome.status {
        Status::Input | Status::Error | Status::NotRun => return unclaimed("the run could not be carried out"),
        Status::Interrupted => return unclaimed("the run was interrupted"),
        Status::Invalid if outcome.broken => return unclaimed("the run is INVALID"),
        Status::Pass | Status::None | Status::Fail | Status::Invalid => {}
    }
    let alone = std::slice::from_ref(one);
    match one.judged.invalid {
        _ if one.judged.pass => (Kind::Good, Vec::new()),
        Some(_) => (Kind::Error, expected::doubts(alone)),
        None => (Kind::Failure, expected::reasons(alone)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::case::Case;
    use super::super::junit::tests::expectation;
    use super::*;

    /// A run with an expectation that holds, one that fails and one that lateness can have decided.
    fn run(status: Status, more: &[&str]) -> Outcome {
        let expectations = vec![
            expectation("a == 0", true, None),
            expectation("b == 0", false, None),
            expectation("c == 0", false, Some("it may be 0 or 1")),
        ];
        let told = [expected::reasons(&expectations), expected::doubts(&expectations)].concat();
        let reasons = told.into_iter().chain(more.iter().map(|reason| (*reason).to_owned())).collect();
        let case = Case { scenario: "Chat".into(), ..Case::default() };
        Outcome { status, expectations, reasons, ..Outcome::not_run(case) }
    }

    fn kinds(outcome: &Outcome) -> Vec<Kind> {
        TestCase::of(outcome).iter().map(|case| case.kind).collect()
    }

    #[test]
    fn an_expectation_is_told_by_its_own_case_and_the_rest_by_the_runs() {
        use Kind::{Error, Failure, Good, Skipped};
        assert_eq!(kinds(&run(Status::Fail, &[])), [Good, Good, Failure, Error]);
        assert_eq!(kinds(&run(Status::Fail, &["fetch: exit 7"])), [Failure, Good, Failure, Error]);
        assert_eq!(kinds(&run(Status::Invalid, &["it was late"])), [Error, Good, Failure, Error]);
        for status in [Status::Input, Status::Error, Status::Interrupted] {
            assert_eq!(kinds(&run(status, &["it broke"])), [Error, Skipped, Skipped, Skipped], "{status:?}");
        }
        let broken = Outcome { broken: true, ..run(Status::Invalid, &["frames were lost in a ring"]) };
        assert_eq!(kinds(&broken), [Error, Skipped, Skipped, Skipped]);
        let cases = TestCase::of(&run(Status::Fail, &["fetch: exit 7"]));
        assert_eq!(cases[0].reasons, ["fetch: exit 7"]);
        assert_eq!(cases[2].reasons, ["expected `b == 0`, measured 80 ms"]);
    }

    #[test]
    fn a_run_without_expectations_has_one_case() {
        let alone = |status, reasons: &[&str]| {
            let outcome = run(status, reasons);
            kinds(&Outcome { expectations: Vec::new(), ..outcome })
        };
        assert_eq!(alone(Status::Pass, &[]), [Kind::Good]);
        assert_eq!(alone(Status::Fail, &["fetch: exit 7"]), [Kind::Failure]);
        assert_eq!(alone(Status::Invalid, &["it was late"]), [Kind::Error]);
        assert_eq!(alone(Status::NotRun, &[]), [Kind::Skipped]);
    }

    #[test]
    fn no_two_cases_have_one_name() {
        let mut twice = run(Status::Pass, &[]);
        twice.expectations[1] = Expectation { line: 12, ..twice.expectations[0].clone() };
        let names: Vec<String> = TestCase::of(&twice).into_iter().map(|case| case.name).collect();
        assert_eq!(names[1..3], ["Chat: a == 0 (line 9)", "Chat: a == 0 (line 12)"]);
    }
}
