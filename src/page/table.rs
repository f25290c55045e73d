//! Tables: heads that readers of screens can name, numbers under each other, long ones folded and then cut.

use super::markup::Markup;

/// Rows in full view, and rows at all.
const OPEN: usize = 40;
const MOST: usize = 2_000;

/// A column.
#[derive(Clone, Copy, Debug)]
pub(super) enum Column<'a> {
    /// Words, from the left.
    Words(&'a str),
    /// Numbers, under each other.
    Number(&'a str),
}

/// A cell.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    /// Words or a number, as its column is.
    Text(String),
    /// Something as it was written.
    Code(String),
    /// Several words, each on a line.
    Lines(Vec<String>),
    /// A sign with words, in the colour of what is good or bad.
    Sign(bool, String),
}

impl Cell {
    /// Whether nothing stands in it.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Cell::Text(text) | Cell::Code(text) => text.is_empty(),
            Cell::Lines(lines) => lines.is_empty(),
            Cell::Sign(..) => false,
        }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell::Text(text)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }
}

/// A table; the first cell of a row is its head. `left_out` says where rows that do not fit are.
pub(super) fn write(out: &mut Markup, caption: &str, columns: &[Column<'_>], rows: &[Vec<Cell>], left_out: &str) {
    let shown = rows.len().min(OPEN);
    part(out, caption, columns, &rows[..shown]);
    let folded = &rows[shown..rows.len().min(MOST)];
    if !folded.is_empty() {
        out.element("details", &[], |out| {
            out.leaf("summary", &[], &format!("{} more rows", folded.len()));
            part(out, caption, columns, folded);
        });
    }
    if let Some(left) = rows.len().checked_sub(MOST).filter(|left| *left > 0) {
        out.leaf("p", &[("class", "note")], &format!("{left} more rows: {left_out}."));
    }
}

fn part(out: &mut Markup, caption: &str, columns: &[Column<'_>], rows: &[Vec<Cell>]) {
    // what is wider than the page scrolls by itself, with the keyboard too
    let around = [("class", "scroll"), ("tabindex", "0"), ("role", "region"), ("aria-label", caption)];
    out.element("div", &around, |out| {
        out.element("table", &[], |out| {
            out.leaf("caption", &[], caption);
            out.element("thead", &[], |out| {
                out.element("tr", &[], |out| {
                    for column in columns {
                        match column {
                            Column::Words(name) => out.leaf("th", &[("scope", "col")], name),
                            Column::Number(name) => out.leaf("th", &[("scope", "col"), ("class", "n")], name),
                        }
                    }
                });
            });
            out.element("tbody", &[], |out| rows.iter().for_each(|cells| row(out, columns, cells)));
        });
    });
}

fn row(out: &mut Markup, columns: &[Column<'_>], cells: &[Cell]) {
    out.element("tr", &[], |out| {
        for (n, (column, cell)) in columns.iter().zip(cells).enumerate() {
            let class: &[_] = if matches!(column, Column::Number(_)) { &[("class", "n")] } else { &[] };
            if n == 0 {
                out.element("th", &[class, &[("scope", "row")]].concat(), |out| fill(out, cell));
            } else {
                out.element("td", class, |out| fill(out, cell));
            }
        }
    });
}

fn fill(out: &mut Markup, cell: &Cell) {
    match cell {
        Cell::Text(text) => out.text(text),
        Cell::Code(text) => out.leaf("code", &[], text),
        Cell::Lines(lines) => lines.iter().for_each(|line| out.leaf("div", &[], line)),
        Cell::Sign(good, words) => {
            let (class, sign) = if *good { ("sign good", "✓ ") } else { ("sign bad", "✗ ") };
            out.leaf("span", &[("class", class)], &format!("{sign}{words}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: usize) -> String {
        let rows: Vec<Vec<Cell>> =
            (0..rows).map(|n| vec![format!("row {n}").into(), Cell::Code("<x>".into())]).collect();
        let mut out = Markup::default();
        write(&mut out, "Things", &[Column::Words("name"), Column::Number("what")], &rows, "in a file");
        out.finish()
    }

    #[test]
    fn heads_name_rows_and_columns() {
        let html = table(1);
        let document = roxmltree::Document::parse(&html).unwrap();
        let scopes: Vec<_> = document.descendants().filter_map(|node| node.attribute("scope")).collect();
        assert_eq!(scopes, ["col", "col", "row"]);
        assert!(html.contains("<td class=\"n\"><code>&lt;x&gt;</code></td>"), "{html}");
    }

    #[test]
    fn long_tables_are_folded_and_longer_ones_cut() {
        assert!(!table(OPEN).contains("<details"));
        assert!(table(OPEN + 7).contains("<summary>7 more rows</summary>"));
        let html = table(MOST + 5);
        assert!(html.contains("5 more rows: in a file.") && html.contains(&format!(">row {}<", MOST - 1)));
        assert!(!html.contains(&format!(">row {MOST}<")));
    }
}
