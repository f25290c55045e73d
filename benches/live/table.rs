//! Tables in Markdown, with columns lined up, so that they read on a terminal too.

use super::statistics::Spread;

/// A table.
pub(crate) struct Table {
    /// What stands above it.
    pub(crate) title: String,
    /// What has to be known to read it.
    pub(crate) note: String,
    /// Heads of the columns.
    pub(crate) head: Vec<&'static str>,
    /// Rows, as long as the head.
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    /// The table as text.
    pub(crate) fn render(&self) -> String {
        let head: Vec<String> = self.head.iter().map(|cell| (*cell).to_owned()).collect();
        let lines: Vec<&Vec<String>> = std::iter::once(&head).chain(&self.rows).collect();
        let width = |column: usize| lines.iter().map(|row| row[column].chars().count()).max().unwrap_or(0).max(3);
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        let line = |row: &[String]| {
            let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
            format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
        };
        let rule: Vec<String> = widths.iter().map(|&width| "-".repeat(width)).collect();
        let body: String = self.rows.iter().map(|row| line(row)).collect();
        format!("### {}\n\n{}{}{body}\n{}\n", self.title, line(&head), line(&rule), self.note)
    }
}

/// A median with its span, in a unit of `unit`.
pub(crate) fn spread(spread: Option<Spread>, unit: f64, digits: usize) -> String {
    match spread {
        None => "—".into(),
        Some(Spread { median, min, max }) if min == max => format!("{:.digits$}", median / unit),
        Some(Spread { median, min, max }) => {
            format!("{:.digits$} ({:.digits$}–{:.digits$})", median / unit, min / unit, max / unit)
        }
    }
}
