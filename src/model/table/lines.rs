//! From a text to lines of cells.

use std::fmt;

use crate::units::Unit;

/// What is wrong in a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadTable {
    /// Counted from 1; 0 for the file as a whole.
    pub line: usize,
    /// The cell, counted from 1; 0 for the line as a whole.
    pub column: usize,
    /// What is wrong there, and what to write instead.
    pub message: String,
}

/// What was read, or what is wrong.
pub(super) type Read<T> = Result<T, BadTable>;

impl BadTable {
    /// What is wrong in a line, counted from 1.
    pub fn line(line: usize, message: impl Into<String>) -> BadTable {
        BadTable { line, column: 0, message: message.into() }
    }

    /// What is wrong with the file as a whole.
    pub fn whole(message: impl Into<String>) -> BadTable {
        BadTable::line(0, message)
    }
}

impl fmt::Display for BadTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (0, _) => f.write_str(&self.message),
            (line, 0) => write!(f, "line {line}: {}", self.message),
            (line, column) => write!(f, "line {line}, column {column}: {}", self.message),
        }
    }
}

/// A line that is neither empty nor a comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Counted from 1.
    pub number: usize,
    /// Without quotes and without the white space around them; at least one.
    pub cells: Vec<&'a str>,
}

impl<'a> Line<'a> {
    /// Whether it names columns: no cell begins as a number does.
    pub(super) fn is_header(&self) -> bool {
        let is_number = |cell: &&str| cell.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '.' | '+' | '-'));
        !self.cells.iter().any(is_number)
    }

    /// The cell of a column, counted from 0.
    pub(super) fn cell(&self, at: usize) -> Read<&'a str> {
        let cell = self.cells.get(at).filter(|cell| !cell.is_empty());
        cell.copied().ok_or_else(|| self.bad(at, "a value is missing"))
    }

    /// What is wrong in the cell of a column, counted from 0.
    pub fn bad(&self, at: usize, message: impl Into<String>) -> BadTable {
        BadTable { line: self.number, column: at + 1, message: message.into() }
    }
}

/// The lines of a table. What separates the cells of the first one separates all; `None` is white space.
///
/// # Errors
/// A line with more cells than the first one.
pub fn lines(text: &str) -> impl Iterator<Item = Read<Line<'_>>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = text.lines().map(|line| unquoted(line, |c| c == '#').next().unwrap_or_default());
    let mut first: Option<(Option<char>, usize)> = None;
    (1..).zip(lines).filter(|(_, line)| !line.trim().is_empty()).map(move |(number, line)| {
        let (separator, width) = *first.get_or_insert_with(|| {
            let mut all = [';', ',', '\t'].into_iter();
            let separator = all.find(|char| unquoted(line, |c| c == *char).nth(1).is_some());
            (separator, cells(line, separator).len())
        });
        let line = Line { number, cells: cells(line, separator) };
        match line.cells.len() {
            count if count > width => {
                Err(line.bad(width, format!("expected {width} cells, as in the first line, found {count}")))
            }
            _ => Ok(line),
        }
    })
}

/// The line that names the columns, if there is one, and those behind it.
pub(super) fn with_header(text: &str) -> Read<(Option<Line<'_>>, impl Iterator<Item = Read<Line<'_>>>)> {
    let mut lines = lines(text).peekable();
    let header = lines.next_if(|line| line.as_ref().is_ok_and(Line::is_header)).transpose()?;
    Ok((header, lines))
}

/// What stands between such characters, in quotes or not.
fn unquoted(text: &str, is: impl Fn(char) -> bool) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        !quoted && is(c)
    })
}

fn cells(line: &str, separator: Option<char>) -> Vec<&str> {
    match separator {
        Some(separator) => unquoted(line, |c| c == separator).map(without_quotes).collect(),
        None => {
            let mut cells = Vec::new();
            let mut rest = line.trim();
            while !rest.is_empty() {
                let mut end = word(rest);
                // `12.5 ms` and `delay (ms)` are one cell
                let next = &rest[end..].trim_start();
                let unit = &next[..word(next)];
                if is_unit(unit) && !is_unit(&rest[..end]) {
                    end = rest.len() - next.len() + unit.len();
                }
                cells.push(without_quotes(&rest[..end]));
                rest = rest[end..].trim_start();
            }
            cells
        }
    }
}

/// How long the first word is.
fn word(text: &str) -> usize {
    unquoted(text, char::is_whitespace).next().map_or(0, str::len)
}

fn is_unit(word: &str) -> bool {
    Unit::of_column(word.trim_matches(['(', ')', '[', ']'])).is_some()
}

fn without_quotes(cell: &str) -> &str {
    let cell = cell.trim();
    cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"')).unwrap_or(cell).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Vec<&str>> {
        lines(text).map(|line| line.unwrap().cells).collect()
    }

    #[test]
    fn the_first_line_says_what_separates() {
        for text in [
            "1;2\n3;4",
            "1,2\n3, 4",
            "1\t2\n3\t4",
            "1 2\n  3    4  ",
            "\"1\",\"2\"\r\n\"3\",4\r\n",
            "\u{feff}1,2\n\n3,4",
        ] {
            assert_eq!(read(text), [["1", "2"], ["3", "4"]], "{text:?}");
        }
        assert_eq!(read("a,b,c\n1,,3\n,2"), [vec!["a", "b", "c"], vec!["1", "", "3"], vec!["", "2"]]);
        assert_eq!(read("\tfra\tnyc\nfra\t\t1"), [vec!["", "fra", "nyc"], vec!["fra", "", "1"]]);
        assert_eq!(read("\"a, b\";c"), [["a, b", "c"]]);
        assert_eq!(read("1 \"a b\" 2"), [["1", "a b", "2"]]);
    }

    #[test]
    fn comments_are_left_out_and_lines_keep_their_numbers() {
        let text = "# a drive\n\n1,2 # so far\n#\n\"#3\",4\n";
        let all: Vec<Line<'_>> = lines(text).map(Result::unwrap).collect();
        assert_eq!(all.iter().map(|line| line.number).collect::<Vec<_>>(), [3, 5]);
        assert_eq!(all[1].cells, ["#3", "4"]);
    }

    #[test]
    fn between_spaces_a_unit_belongs_to_what_stands_before_it() {
        assert_eq!(read("1.5 s 20 ms\n2s 10 us"), [["1.5 s", "20 ms"], ["2s", "10 us"]]);
        assert_eq!(read("time [s] delay (ms)"), [["time [s]", "delay (ms)"]]);
        assert_eq!(read("s Mbit\n0 8"), [["s", "Mbit"], ["0", "8"]]);
    }

    #[test]
    fn a_line_has_no_more_cells_than_the_first() {
        let wrong = lines("0.5,20\n\n1,5,20").find_map(Result::err).unwrap();
        assert_eq!(wrong.to_string(), "line 3, column 3: expected 2 cells, as in the first line, found 3");
        assert_eq!(BadTable::line(4, "x").to_string(), "line 4: x");
        assert_eq!(BadTable::whole("x").to_string(), "x");
    }

    #[test]
    fn a_header_has_no_numbers() {
        let header = |text| with_header(text).unwrap().0.is_some();
        assert!(header("time,delay") && header("%,fra") && header("µs"));
        assert!(!header("0s,1%") && !header("-1") && !header(".5") && !header("a,5ms") && !header(""));
    }
}
