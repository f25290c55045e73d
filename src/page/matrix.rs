//! The runs of one scenario beside each other: a row for each combination of parameters, a column for each expectation and
//! each value of a program's output, and a small picture of each column.

use super::markup::Markup;
use super::verdict::{class, sign};
use crate::judge::words;
use crate::measured::Unit;
use crate::report::json::Verdict;
use crate::stats::median;

/// Rows that are drawn and listed.
const MOST_ROWS: usize = 200;
/// The size of a small picture, and where its points may stand.
const SIZE: (u32, u32) = (300, 150);
const LEFT: f64 = 84.0;
const RIGHT: f64 = 290.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 122.0;
/// Rows that a picture numbers, at most.
const NUMBERED: usize = 12;

/// The runs of one scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// The scenario's name.
    pub title: String,
    /// Its file, as it was given.
    pub file: String,
    /// What was measured.
    pub columns: Vec<Column>,
    /// Combinations of parameters, in the order in which they ran.
    pub rows: Vec<Row>,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// An expectation, or `WORKLOAD.VALUE`.
    pub title: String,
    /// What its numbers are in.
    pub unit: Unit,
}

/// A combination of parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Those that are not as in the file; empty for the file itself.
    pub params: Vec<(String, String)>,
    /// How many runs it had.
    pub runs: usize,
    /// What they came to: the worst.
    pub verdict: Verdict,
    /// A cell for each column.
    pub cells: Vec<Cell>,
}

/// What was measured of one thing in the runs of a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    /// The numbers, the smallest first.
    pub values: Vec<f64>,
    /// Runs in which the expectation held.
    pub pass: usize,
    /// Runs in which it did not.
    pub fail: usize,
    /// Runs of which that cannot be said.
    pub invalid: usize,
    /// What it was compared with.
    pub expected: String,
}

impl Cell {
    /// The middle of the numbers.
    pub fn median(&self) -> Option<f64> {
        median(&self.values)
    }

    /// The worst that its runs came to; `None` of what is not expected to be anything.
    pub fn verdict(&self) -> Option<Verdict> {
        match (self.fail, self.invalid, self.pass) {
            (0, 0, 0) => None,
            (0, 0, _) => Some(Verdict::Pass),
            (0, ..) => Some(Verdict::Invalid),
            _ => Some(Verdict::Fail),
        }
    }

    /// The number, or the middle one of several and from where to where they are: `12 ms (9 ms to 14 ms)`.
    pub fn words(&self, unit: Unit) -> String {
        let Some(median) = self.median() else {
            return (if self.verdict().is_some() { "no samples" } else { "–" }).to_owned();
        };
        let ends = [self.values.first(), self.values.last()].map(|value| words::value(*value.unwrap_or(&median), unit));
        let [low, high] = ends;
        let median = words::value(median, unit);
        if low == high { median } else { format!("{median} ({low} to {high})") }
    }

    /// How many runs held where they did not agree: `2 of 3 hold`.
    pub fn disagreement(&self) -> Option<String> {
        let all = self.pass + self.fail + self.invalid;
        (self.pass > 0 && self.pass < all).then(|| format!("{} of {all} hold", self.pass))
    }
}

impl Row {
    /// `loss=5%, delay=20ms`, or what stands for none.
    pub fn words(&self) -> String {
        let words: Vec<String> = self.params.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if words.is_empty() { "as in the file".to_owned() } else { words.join(", ") }
    }
}

impl Matrix {
    /// Whether there is anything beside anything.
    pub fn is_worth_a_table(&self) -> bool {
        !self.columns.is_empty() && (self.rows.len() > 1 || self.rows.iter().any(|row| row.runs > 1))
    }
}

/// A section for each scenario with several runs.
pub(super) fn write(out: &mut Markup, all: &[Matrix]) {
    for matrix in all.iter().filter(|matrix| matrix.is_worth_a_table()) {
        out.element("section", &[("class", "matrix")], |out| {
            out.leaf("h2", &[], &matrix.title);
            let several = matrix.rows.iter().any(|row| row.runs > 1);
            let seeds =
                if several { " · of several seeds: the median, and from the smallest to the largest" } else { "" };
            out.leaf("p", &[("class", "note")], &format!("{}{seeds}", matrix.file));
            table(out, matrix);
            if matrix.rows.len() > 1 {
                out.element("div", &[("class", "multiples")], |out| {
                    (0..matrix.columns.len()).for_each(|n| picture(out, matrix, n));
                });
            }
        });
    }
}

fn table(out: &mut Markup, matrix: &Matrix) {
    let label = format!("Results of {}", matrix.title);
    let around = [("class", "scroll"), ("tabindex", "0"), ("role", "region"), ("aria-label", label.as_str())];
    out.element("div", &around, |out| {
        out.element("table", &[], |out| {
            out.element("thead", &[], |out| {
                out.element("tr", &[], |out| {
                    out.leaf("th", &[("scope", "col"), ("class", "n")], "#");
                    out.leaf("th", &[("scope", "col")], "Parameters");
                    matrix.columns.iter().for_each(|column| out.leaf("th", &[("scope", "col")], &column.title));
                });
            });
            out.element("tbody", &[], |out| {
                matrix.rows.iter().take(MOST_ROWS).enumerate().for_each(|(n, row)| line(out, matrix, n, row));
            });
        });
    });
    if let Some(left) = matrix.rows.len().checked_sub(MOST_ROWS).filter(|left| *left > 0) {
        out.leaf("p", &[("class", "note")], &format!("{left} more rows: --table FILE has all of them."));
    }
}

fn line(out: &mut Markup, matrix: &Matrix, n: usize, row: &Row) {
    out.element("tr", &[], |out| {
        out.leaf("td", &[("class", "n")], &(n + 1).to_string());
        out.element("th", &[("scope", "row")], |out| {
            out.text(&row.words());
            if row.runs > 1 {
                out.leaf("small", &[], &format!(" {} runs", row.runs));
            }
        });
        for (column, cell) in matrix.columns.iter().zip(&row.cells) {
            out.element("td", &[], |out| {
                let Some(verdict) = cell.verdict() else { return out.text(&cell.words(column.unit)) };
                out.element("span", &[("class", &format!("badge {}", class(verdict)))], |out| {
                    sign(out, verdict);
                    out.text(&cell.words(column.unit));
                });
                if let Some(words) = cell.disagreement() {
                    out.leaf("small", &[], &format!(" {words}"));
                }
            });
        }
    });
}

/// A column as a picture: a point for each row, and a line from the smallest to the largest of its runs.
fn picture(out: &mut Markup, matrix: &Matrix, n: usize) {
    let column = &matrix.columns[n];
    let cells: Vec<&Cell> = matrix.rows.iter().take(MOST_ROWS).filter_map(|row| row.cells.get(n)).collect();
    let values = || cells.iter().flat_map(|cell| &cell.values).copied();
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    if low > high {
        return;
    }
    let x = |row: usize| LEFT + (RIGHT - LEFT) * (row as f64 + 0.5) / cells.len() as f64;
    let y = |value: f64| match high - low {
        0.0 => (TOP + BOTTOM) / 2.0,
        span => BOTTOM - (BOTTOM - TOP) * (value - low) / span,
    };
    out.element("figure", &[], |out| {
        out.element("figcaption", &[], |out| out.leaf("strong", &[], &column.title));
        let (width, height) = SIZE;
        let view = format!("0 0 {width} {height}");
        let label = format!(
            "{} by row: from {} to {}",
            column.title,
            words::value(low, column.unit),
            words::value(high, column.unit)
        );
        let attributes = [
            ("class", "chart"),
            ("viewBox", view.as_str()),
            ("role", "img"),
            ("aria-label", label.as_str()),
            ("xmlns", "http://www.w3.org/2000/svg"),
        ];
        out.element("svg", &attributes, |out| {
            for value in if low == high { vec![low] } else { vec![low, high] } {
                let (at, left, right) = (place(y(value)), place(LEFT), place(RIGHT));
                out.void("line", &[("class", "mesh"), ("x1", &left), ("x2", &right), ("y1", &at), ("y2", &at)]);
                let (end, base) = (place(LEFT - 6.0), place(y(value) + 4.0));
                let attributes = [("x", end.as_str()), ("y", base.as_str()), ("text-anchor", "end")];
                out.leaf("text", &attributes, &words::value(value, column.unit));
            }
            let step = cells.len().div_ceil(NUMBERED).max(1);
            for (row, cell) in cells.iter().enumerate() {
                let at = place(x(row));
                if row % step == 0 {
                    let below = place(f64::from(height) - 6.0);
                    out.leaf("text", &[("x", &at), ("y", &below), ("text-anchor", "middle")], &(row + 1).to_string());
                }
                let Some(median) = cell.median() else { continue };
                let look = cell.verdict().map_or("plain", class);
                if let [first, .., last] = cell.values[..] {
                    let (class, low, high) = (format!("range {look}"), place(y(first)), place(y(last)));
                    out.void("line", &[("class", &class), ("x1", &at), ("x2", &at), ("y1", &low), ("y2", &high)]);
                }
                let dot = format!("dot {look}");
                out.void("circle", &[("class", &dot), ("cx", &at), ("cy", &place(y(median))), ("r", "4")]);
            }
        });
    });
}

fn place(pixels: f64) -> String {
    format!("{pixels:.1}")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::page::document;
    use crate::page::testing::well_formed;

    /// Two values of a parameter, three seeds each: one expectation that holds and one that does not always, and a value.
    pub(crate) fn matrix() -> Matrix {
        let cell = |values: [f64; 3], pass: usize| Cell {
            values: values.to_vec(),
            pass,
            fail: 3 - pass,
            invalid: 0,
            expected: "< 60ms".into(),
        };
        let value = |value: f64| Cell { values: vec![value], ..Cell::default() };
        let row =
            |loss: &str, verdict, cells| Row { params: vec![("loss".into(), loss.into())], runs: 3, verdict, cells };
        let column = |title: &str, unit| Column { title: title.into(), unit };
        Matrix {
            title: "Chat <1>".into(),
            file: "ci/chat.yaml".into(),
            columns: vec![column("rtt.p99 < 60ms", Unit::Time), column("fetch.freezes", Unit::Count)],
            rows: vec![
                row("1%", Verdict::Pass, vec![cell([4e7, 4.1e7, 4.4e7], 3), value(2.0)]),
                row("5%", Verdict::Fail, vec![cell([5e7, 6.5e7, 8e7], 1), Cell::default()]),
            ],
        }
    }

    #[test]
    fn a_table_with_verdicts_and_a_picture_of_each_column() {
        let html = well_formed(&document("x", |out| write(out, &[matrix()])));
        for words in ["41 ms (40 ms to 44 ms)", "65 ms (50 ms to 80 ms)", "1 of 3 hold", "loss=5%", "Chat &lt;1&gt;"] {
            assert!(html.contains(words), "{words}: {html}");
        }
        assert_eq!((html.matches("<svg class=\"chart\"").count(), html.matches("<circle class=\"dot").count()), (2, 3));
        assert!(html.contains("dot pass") && html.contains("dot fail") && html.contains("dot plain"), "{html}");
    }

    #[test]
    fn one_run_is_no_table() {
        let mut one = matrix();
        one.rows.truncate(1);
        one.rows[0].runs = 1;
        let mut out = Markup::default();
        write(&mut out, &[one]);
        assert!(out.is_empty());
    }
}
