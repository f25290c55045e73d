//! Whether two runs left the same bytes, and the first place where they did not.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::run::out_dir::MANIFEST;

/// The report, whose `machine` stands apart: it says where the run was, not what came of it.
const REPORT: &str = "report.json";
/// What says more than what came of the run: the page shows the machine, the console is the kernel's, messages are about the run, and
/// the manifest says whether there are any.
const APART: [&str; 4] = ["report.html", "console.txt", "messages.txt", MANIFEST];
/// Characters of each text that are shown.
const SHOWN: usize = 200;

/// Where two runs differ first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The file, in the run's folder.
    pub file: PathBuf,
    /// Where in the file, in words: `line 12`, `byte 300`.
    pub at: String,
    /// What the one has there, and the other.
    pub texts: [String; 2],
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { file, at, texts: [one, other] } = self;
        write!(f, "{}, {at}: {one} / {other}", file.display())
    }
}

/// Compares what two runs left in their folders (`--out`): reports, events, captures, output of programs, plan. Not compared are
/// `machine` in the report, the page, and what the kernel and the command line said besides.
///
/// # Errors
/// Something cannot be read.
pub fn difference(one: &Path, other: &Path) -> io::Result<Option<Difference>> {
    let files = [files(one)?, files(other)?];
    for file in files[0].union(&files[1]) {
        let [first, second] = [one, other].map(|folder| folder.join(file));
        let found = match [&files[0], &files[1]].map(|files| files.contains(file)) {
            [true, true] => in_file(file, &first, &second)?,
            there => Some(("as a whole".to_owned(), there.map(|is| if is { "there" } else { "missing" }.to_owned()))),
        };
        if let Some((at, texts)) = found {
            return Ok(Some(Difference { file: file.clone(), at, texts }));
        }
    }
    Ok(None)
}

/// All files below a folder that are compared.
fn files(folder: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(inside) = waiting.pop() {
        for entry in fs::read_dir(folder.join(&inside))? {
            let entry = entry?;
            let name = inside.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                waiting.push(name);
            } else if !APART.iter().any(|apart| name == Path::new(apart)) {
                found.insert(name);
            }
        }
    }
    Ok(found)
}

type Found = Option<(String, [String; 2])>;

fn in_file(name: &Path, one: &Path, other: &Path) -> io::Result<Found> {
    if name == Path::new(REPORT) {
        let texts = [fs::read_to_string(one)?, fs::read_to_string(other)?];
        return Ok(in_reports(texts.each_ref().map(String::as_str)));
    }
    in_streams(one, other)
}

/// Line by line, so that a file may be larger than memory; a file that is no text by its bytes.
fn in_streams(one: &Path, other: &Path) -> io::Result<Found> {
    /// Longer lines are compared in parts.
    const PART: u64 = 64 * 1024;
    let mut readers = [BufReader::new(File::open(one)?), BufReader::new(File::open(other)?)];
    let mut lines = [Vec::new(), Vec::new()];
    let (mut line, mut byte) = (1, 0);
    loop {
        for (reader, text) in readers.iter_mut().zip(&mut lines) {
            text.clear();
            reader.take(PART).read_until(b'\n', text)?;
        }
        let [first, second] = &lines;
        if first != second {
            return Ok(Some(shown(line, byte, first, second)));
        }
        if first.is_empty() {
            return Ok(None);
        }
        byte += first.len();
        line += usize::from(first.ends_with(b"\n"));
    }
}

/// Reports, but for what they say of the machine.
fn in_reports(texts: [&str; 2]) -> Found {
    let lines = texts.map(|text| {
        let machine = machine(text).unwrap_or_default();
        let at = |line: &str| line.as_ptr() as usize - text.as_ptr() as usize;
        let kept = move |(_, line): &(usize, &str)| !machine.contains(&at(line));
        text.lines().enumerate().filter(kept)
    });
    let [mut one, mut other] = lines;
    loop {
        match (one.next(), other.next()) {
            (None, None) => return None,
            (first, second) if first.map(|(_, text)| text) == second.map(|(_, text)| text) => {}
            (first, second) => {
                let line = first.or(second).map_or(0, |(n, _)| n + 1);
                let text = |line: Option<(usize, &str)>| line.map_or(Vec::new(), |(_, text)| text.as_bytes().to_vec());
                return Some(shown(line, 0, &text(first), &text(second)));
            }
        }
    }
}

/// Where in a report's text `machine` is.
fn machine(report: &str) -> Option<Range<usize>> {
    #[derive(Deserialize)]
    struct Facts<'a> {
        #[serde(borrow)]
        machine: &'a RawValue,
    }
    let facts: Facts<'_> = serde_json::from_str(report).ok()?;
    let text = facts.machine.get();
    let begin = text.as_ptr() as usize - report.as_ptr() as usize;
    Some(begin..begin + text.len())
}

fn shown(line: usize, byte: usize, one: &[u8], other: &[u8]) -> (String, [String; 2]) {
    match [str::from_utf8(one), str::from_utf8(other)] {
        [Ok(one), Ok(other)] => {
            // of long lines the part that differs
            let same = one.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
            let skip = if same > SHOWN / 2 { same - SHOWN / 10 } else { 0 };
            let dots = if skip > 0 { "…" } else { "" };
            let parts = [one, other].map(|text| text.chars().skip(skip).take(SHOWN).collect::<String>());
            let texts = match parts.each_ref().map(|part| part.trim()) {
                // only their white space differs
                [one, other] if one == other => parts.map(|part| format!("{part:?}")),
                trimmed => trimmed.map(|part| match part {
                    "" => "the end".to_owned(),
                    part => format!("`{dots}{part}`"),
                }),
            };
            (format!("line {line}"), texts)
        }
        _ => {
            let same = one.iter().zip(other).take_while(|(a, b)| a == b).count();
            let hex = |bytes: &[u8]| match bytes.get(same..).unwrap_or_default() {
                [] => "the end".to_owned(),
                rest => rest.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "),
            };
            (format!("byte {}", byte + same), [hex(one), hex(other)])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn folder(files: &[(&str, &[u8])]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        folder
    }

    fn compared(one: &[(&str, &[u8])], other: &[(&str, &[u8])]) -> Option<String> {
        let (one, other) = (folder(one), folder(other));
        difference(one.path(), other.path()).unwrap().map(|difference| difference.to_string())
    }

    #[test]
    fn the_first_difference_is_shown_with_its_line_and_both_texts() {
        let same: &[(&str, &[u8])] = &[("events.jsonl", b"a\nb\n"), ("programs/w.log", b"one\ntwo\n")];
        assert_eq!(compared(same, same), None);
        let other: &[(&str, &[u8])] = &[("events.jsonl", b"a\nb\n"), ("programs/w.log", b"one\n  too\n")];
        assert_eq!(compared(same, other).unwrap(), "programs/w.log, line 2: `two` / `too`");
        assert_eq!(compared(&[("a", b"x\n")], &[("a", b"x\ny\n")]).unwrap(), "a, line 2: the end / `y`");
        assert_eq!(compared(&[("a", b"x")], &[("a", b"x\n")]).unwrap(), r#"a, line 1: "x" / "x\n""#);
        assert_eq!(compared(&[], &[("a", b"x\n")]).unwrap(), "a, as a whole: missing / there");
    }

    #[test]
    fn what_is_no_text_is_shown_by_its_bytes_from_the_first_that_differs() {
        let one: &[(&str, &[u8])] = &[("captures/w.pcapng", b"\n\x0d\x0a\xff\x01\x02")];
        let other: &[(&str, &[u8])] = &[("captures/w.pcapng", b"\n\x0d\x0a\xff\x01")];
        assert_eq!(compared(one, other).unwrap(), "captures/w.pcapng, byte 5: 02 / the end");
    }

    #[test]
    fn of_a_long_line_the_part_that_differs_is_shown() {
        let long = vec![b'x'; 200_000];
        let mut other = long.clone();
        other[150_000] = b'y';
        let shown = compared(&[("a", &long)], &[("a", &other)]).unwrap();
        assert!(shown.starts_with("a, line 1: `…xxx") && shown.contains("xy") && shown.len() < 600, "{shown}");
        let ended = compared(&[("a", &long[..150])], &[("a", &long[..151])]).unwrap();
        assert_eq!(ended, format!("a, line 1: `…{}` / `…{}`", "x".repeat(20), "x".repeat(21)));
    }

    #[test]
    fn the_machine_stands_apart_and_nothing_else_does() {
        let report = |kernel: &str, min: u32| {
            let text = format!(
                "{{\n  \"min\": {min},\n  \"machine\": {{\n    \"kernel\": \"{kernel}\",\n    \"more\": 1\n  }},\n  \"attempts\": 1\n}}\n"
            );
            text.into_bytes()
        };
        let reports = |one: &[u8], other: &[u8]| compared(&[(REPORT, one)], &[(REPORT, other)]);
        assert_eq!(reports(&report("6.12", 5), &report("6.1\",\"a\":\"b", 5)), None);
        assert_eq!(
            reports(&report("6.12", 5), &report("6.1", 6)).unwrap(),
            "report.json, line 2: `\"min\": 5,` / `\"min\": 6,`"
        );
        let later = |n: u32| {
            String::from_utf8(report("6.12", 5)).unwrap().replace("attempts\": 1", &format!("attempts\": {n}"))
        };
        let found = reports(later(1).as_bytes(), later(2).as_bytes()).unwrap();
        assert_eq!(found, "report.json, line 7: `\"attempts\": 1` / `\"attempts\": 2`");
        let apart: &[(&str, &[u8])] = &[("report.html", b"a"), ("console.txt", b"b")];
        assert_eq!(compared(apart, &[("messages.txt", b"c")]), None);
        assert!(compared(&[("programs/console.txt", b"a")], &[("programs/console.txt", b"b")]).is_some());
    }
}
