//! Tables of a suite for other programs and pages: CSV, a line for each measure and row, for spreadsheets and plots; Markdown, as
//! people read it.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::Path;

use indexmap::IndexSet;

use crate::measured::Unit;
use crate::page::matrix::{Cell, Matrix};
use crate::report::json::Verdict;

/// A form of table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Comma-separated, quoted as in RFC 4180, with a header; lines end in `\n`.
    Csv,
    /// A table for each scenario.
    Markdown,
}

impl Form {
    /// By the ending of a file's name.
    ///
    /// # Errors
    /// What endings there are.
    pub fn of(path: &Path) -> Result<Form, String> {
        match path.extension().and_then(OsStr::to_str) {
            Some("csv") => Ok(Form::Csv),
            Some("md" | "markdown") => Ok(Form::Markdown),
            _ => Err(format!("{}: expected a name that ends in .csv or .md", path.display())),
        }
    }

    /// All tables in this form.
    pub fn write(self, all: &[Matrix]) -> String {
        match self {
            Form::Csv => csv(all),
            Form::Markdown => all.iter().map(markdown).collect::<Vec<_>>().join("\n"),
        }
    }
}

/// Numbers as they are in reports, with their unit beside them.
fn csv(all: &[Matrix]) -> String {
    let params: IndexSet<&str> =
        all.iter().flat_map(|one| &one.rows).flat_map(|row| &row.params).map(|(name, _)| name.as_str()).collect();
    let last = ["measure", "unit", "expected", "runs", "median", "min", "max", "pass", "fail", "invalid"];
    let mut out = line(["file", "scenario"].into_iter().chain(params.iter().copied()).chain(last));
    for matrix in all {
        for row in &matrix.rows {
            let value =
                |name: &&str| row.params.iter().find(|(own, _)| own == *name).map_or("", |(_, value)| value.as_str());
            let own: Vec<&str> = params.iter().map(value).collect();
            for (column, cell) in matrix.columns.iter().zip(&row.cells) {
                let number = |number: Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
                let (low, high) = (cell.values.first().copied(), cell.values.last().copied());
                let numbers = [number(cell.median()), number(low), number(high)];
                let counts = [cell.pass, cell.fail, cell.invalid].map(|n| n.to_string());
                let runs = row.runs.to_string();
                let rest = [column.title.as_str(), column.unit.name(), &cell.expected, &runs];
                let rest = rest.into_iter().chain(numbers.iter().chain(&counts).map(String::as_str));
                out += &line([matrix.file.as_str(), &matrix.title].into_iter().chain(own.iter().copied()).chain(rest));
            }
        }
    }
    out
}

fn line<'a>(fields: impl Iterator<Item = &'a str>) -> String {
    let quoted = |field: &str| match field.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    };
    fields.map(quoted).collect::<Vec<_>>().join(",") + "\n"
}

/// A heading and a table.
pub(super) fn markdown(matrix: &Matrix) -> String {
    let mut out = format!("#### {} ({})\n\n", escaped(&matrix.title), escaped(&matrix.file));
    let titles: Vec<String> = matrix.columns.iter().map(|column| escaped(&column.title)).collect();
    // writing into a String cannot fail
    let _ = writeln!(out, "| parameters | runs | {} |", titles.join(" | "));
    let _ = writeln!(out, "|---|---|{}", "---|".repeat(titles.len()));
    for row in &matrix.rows {
        let cells = matrix.columns.iter().zip(&row.cells);
        let cells: Vec<String> = cells.map(|(column, cell)| in_words(cell, column.unit)).collect();
        let _ = writeln!(out, "| {} | {} | {} |", escaped(&row.words()), row.runs, cells.join(" | "));
    }
    out
}

fn in_words(cell: &Cell, unit: Unit) -> String {
    let sign = match cell.verdict() {
        None => "",
        Some(Verdict::Pass) => "✅ ",
        Some(Verdict::Fail) => "❌ ",
        Some(_) => "⚠ ",
    };
    let disagreement = cell.disagreement().map(|words| format!(", {words}")).unwrap_or_default();
    format!("{sign}{}{disagreement}", cell.words(unit))
}

/// A text as a cell of a table.
pub(super) fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('|', "\\|");
    text.trim().lines().collect::<Vec<_>>().join("<br>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::matrix::{matrices, tests::by_loss};

    #[test]
    fn markdown_has_a_row_for_each_combination() {
        insta::assert_snapshot!(Form::Markdown.write(&matrices(&by_loss())), @r"
        #### Chat (ci/chat.yaml)

        | parameters | runs | rtt.p99 &lt; 60ms | fetch.took |
        |---|---|---|---|
        | loss=1% | 2 | ✅ 42 ms (40 ms to 44 ms) | 84 ms (80 ms to 88 ms) |
        | loss=5% | 2 | ❌ 62 ms (58 ms to 66 ms), 1 of 2 hold | 124 ms (116 ms to 132 ms) |
        ");
    }

    #[test]
    fn csv_has_a_line_for_each_measure_and_combination() {
        insta::assert_snapshot!(Form::Csv.write(&matrices(&by_loss())), @r"
        file,scenario,loss,measure,unit,expected,runs,median,min,max,pass,fail,invalid
        ci/chat.yaml,Chat,1%,rtt.p99 < 60ms,ns,< 60 ms,2,42000000,40000000,44000000,2,0,0
        ci/chat.yaml,Chat,1%,fetch.took,ns,,2,84000000,80000000,88000000,0,0,0
        ci/chat.yaml,Chat,5%,rtt.p99 < 60ms,ns,< 60 ms,2,62000000,58000000,66000000,1,1,0
        ci/chat.yaml,Chat,5%,fetch.took,ns,,2,124000000,116000000,132000000,0,0,0
        ");
        assert_eq!(line(["a,b", "say \"x\"", "plain"].into_iter()), "\"a,b\",\"say \"\"x\"\"\",plain\n");
    }

    #[test]
    fn the_ending_says_the_form() {
        assert_eq!((Form::of("a/t.csv".as_ref()), Form::of("t.md".as_ref())), (Ok(Form::Csv), Ok(Form::Markdown)));
        assert!(Form::of("t.txt".as_ref()).unwrap_err().contains("ends in .csv or .md"));
    }
}
