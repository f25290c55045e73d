//! The runs of a suite by scenario and parameters, with what was measured in each: what tables are made of.

use indexmap::IndexMap;

use super::outcome::{Outcome, Status};
use crate::measured::Unit;
use crate::page::matrix::{Cell, Column, Matrix, Row};
use crate::report::expectation::Expectation;
use crate::report::json::Verdict;

/// One for each scenario of which anything was measured, in the order of the plan.
pub fn matrices(outcomes: &[Outcome]) -> Vec<Matrix> {
    let mut files: IndexMap<(&std::path::Path, &str), Vec<&Outcome>> = IndexMap::new();
    for outcome in outcomes {
        files.entry((&outcome.case.file, &outcome.case.scenario)).or_default().push(outcome);
    }
    files.into_values().filter_map(|runs| matrix(&runs)).collect()
}

fn matrix(runs: &[&Outcome]) -> Option<Matrix> {
    let columns = columns(runs);
    let mut rows: IndexMap<Vec<(String, String)>, Vec<&Outcome>> = IndexMap::new();
    for run in runs {
        let params = run.case.params.iter().map(|param| (param.name.clone(), param.text.clone())).collect();
        rows.entry(params).or_default().push(run);
    }
    let row = |(params, runs): (Vec<(String, String)>, Vec<&Outcome>)| Row {
        params,
        runs: runs.len(),
        verdict: worst(&runs),
        cells: columns.keys().map(|key| cell(key, &runs)).collect(),
    };
    let first = runs.first()?;
    (!columns.is_empty()).then(|| Matrix {
        title: first.case.scenario.clone(),
        file: first.case.file.display().to_string(),
        rows: rows.into_iter().map(row).collect(),
        columns: columns.values().cloned().collect(),
    })
}

/// What tells columns apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    /// An expectation, by where it stands: its text may have other values of parameters in each row.
    Expectation(u32, u32),
    /// A value of a workload's output.
    Value(String),
}

fn place(expectation: &Expectation) -> Key {
    Key::Expectation(expectation.line, expectation.column)
}

fn columns(runs: &[&Outcome]) -> IndexMap<Key, Column> {
    let mut columns: IndexMap<Key, Column> = IndexMap::new();
    for expectation in runs.iter().flat_map(|run| &run.expectations) {
        let unit = Unit::named(&expectation.judged.unit);
        let title = expectation.title();
        let column = columns
            .entry(place(expectation))
            .or_insert_with(|| Column { title: title.to_owned(), unit: unit.unwrap_or(Unit::Number) });
        if column.title != title {
            // of what it is compared with, each row has its own
            if let Some(compared) = &expectation.judged.compared {
                column.title.clone_from(&compared.measure);
            }
        }
    }
    for value in runs.iter().flat_map(|run| &run.values) {
        let column = || Column { title: value.name.clone(), unit: value.unit };
        columns.entry(Key::Value(value.name.clone())).or_insert_with(column);
    }
    columns
}

fn cell(key: &Key, runs: &[&Outcome]) -> Cell {
    let mut cell = Cell::default();
    for run in runs {
        match key {
            Key::Value(name) => {
                cell.values.extend(run.values.iter().filter(|one| one.name == *name).map(|one| one.value))
            }
            Key::Expectation(..) => {
                for expectation in run.expectations.iter().filter(|one| place(one) == *key) {
                    let judged = &expectation.judged;
                    cell.values.extend(judged.value);
                    cell.expected.clone_from(&judged.expected);
                    match (&judged.invalid, judged.pass) {
                        (Some(_), _) => cell.invalid += 1,
                        (None, true) => cell.pass += 1,
                        (None, false) => cell.fail += 1,
                    }
                }
            }
        }
    }
    cell.values.sort_unstable_by(f64::total_cmp);
    cell
}

fn worst(runs: &[&Outcome]) -> Verdict {
    let first = Status::ALL.into_iter().find(|status| runs.iter().any(|run| run.status == *status));
    first.map_or(Verdict::None, super::html::verdict)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::report::expectation::Compared;
    use crate::suite::case::{Case, Param};
    use crate::suite::junit::tests::expectation;
    use crate::suite::outcome::OutputValue;

    /// `loss` of 1 % and 5 %, two seeds each.
    pub(crate) fn by_loss() -> Vec<Outcome> {
        let run = |loss: &str, seed: u64, ms: f64| {
            let mut expectation = expectation("rtt.p99 < 60ms", ms < 60.0, None);
            expectation.judged.value = Some(ms * 1e6);
            expectation.judged.compared = Some(Compared {
                measure: "rtt.p99".into(),
                relation: "<".into(),
                limit: 60e6,
                tolerance: None,
                distance: String::new(),
                window_ns: None,
            });
            let param = Param { name: "loss".into(), text: loss.into(), word: loss.into() };
            let case = Case {
                file: "ci/chat.yaml".into(),
                scenario: "Chat".into(),
                params: vec![param],
                seed,
                ..Case::default()
            };
            let value = OutputValue { name: "fetch.took".into(), value: ms * 2e6, unit: Unit::Time };
            let status = if ms < 60.0 { Status::Pass } else { Status::Fail };
            Outcome { status, expectations: vec![expectation], values: vec![value], ..Outcome::not_run(case) }
        };
        vec![run("1%", 1, 40.0), run("1%", 2, 44.0), run("5%", 1, 58.0), run("5%", 2, 66.0)]
    }

    #[test]
    fn rows_are_parameters_and_cells_their_seeds() {
        let [matrix] = &matrices(&by_loss())[..] else { panic!("one") };
        let titles: Vec<&str> = matrix.columns.iter().map(|column| column.title.as_str()).collect();
        assert_eq!(titles, ["rtt.p99 < 60ms", "fetch.took"]);
        let words: Vec<String> = matrix.rows.iter().map(|row| row.words()).collect();
        assert_eq!(words, ["loss=1%", "loss=5%"]);
        let cell = &matrix.rows[1].cells[0];
        assert_eq!((cell.words(Unit::Time).as_str(), cell.pass, cell.fail), ("62 ms (58 ms to 66 ms)", 1, 1));
        assert_eq!((matrix.rows[0].verdict, matrix.rows[1].verdict), (Verdict::Pass, Verdict::Fail));
    }

    #[test]
    fn an_expectation_with_a_parameter_in_it_is_one_column() {
        let mut runs = by_loss();
        runs[2].expectations[0].text = "rtt.p99 < 90ms".into();
        runs[2].expectations[0].judged.expected = "< 90ms".into();
        let [matrix] = &matrices(&runs)[..] else { panic!("one") };
        assert_eq!((matrix.columns.len(), matrix.columns[0].title.as_str()), (2, "rtt.p99"));
    }

    #[test]
    fn what_measured_nothing_has_no_table() {
        assert_eq!(matrices(&[Outcome::not_run(Case::default())]), []);
    }
}
