//! The page of a run: what the command line knows beside the report, and what programs wrote under `--out`.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use indexmap::IndexMap;

use super::input::OverrideArgs;
use crate::page;
use crate::page::{ProgramOutput, Subject};
use crate::report::json::Report;
use crate::run::out_dir::OutDir;
use crate::suite::case::shell_words;
use crate::tasks::resolved::Resolved;

/// Bytes of each program's output on a page.
const OUTPUT: u64 = 64 * 1024;
/// Bytes of all of them.
const ALL_OUTPUT: usize = 4 * 1024 * 1024;

/// The command that repeats a run. `subcommand`: `run` or `sim`; `capture`: the links of `--capture`.
pub(super) fn command(
    subcommand: &str,
    file: &Path,
    overrides: &OverrideArgs,
    capture: Option<&str>,
    seed: u64,
) -> String {
    let mut words = vec!["longwire".to_owned(), subcommand.to_owned(), file.display().to_string()];
    words.extend(overrides.words());
    if overrides.seed().is_none() {
        words.extend(["--seed".to_owned(), seed.to_string()]);
    }
    words.extend(capture.iter().flat_map(|links| ["--capture".to_owned(), (*links).to_owned()]));
    shell_words(&words)
}

/// The page. `called`: the directory of `--out`, as the page's reader calls it; empty for a page within.
pub(super) fn page(report: &Report, resolved: &Resolved, command: &str, out: Option<&OutDir>, called: &Path) -> String {
    let outputs = out.map(|out| outputs(report, out, called)).unwrap_or_default();
    page::page(&Subject { report, resolved, command, outputs: &outputs, index: None })
}

/// The end of what each program wrote; what cannot be read is left to the report's own lines.
fn outputs(report: &Report, out: &OutDir, called: &Path) -> IndexMap<String, ProgramOutput> {
    let mut outputs = IndexMap::new();
    let mut room = ALL_OUTPUT;
    for (name, _) in report.workloads.iter().chain(&report.services) {
        let Ok((file, place)) = out.read_program_output(name) else { continue };
        let Ok((text, left_out)) = end_of(file) else { continue };
        let Some(left) = room.checked_sub(text.len()) else { break };
        room = left;
        let place = called.join(place).display().to_string();
        outputs.insert(name.clone(), ProgramOutput { text, left_out, place });
    }
    outputs
}

/// The last lines of a file, and the bytes before them.
fn end_of(mut file: File) -> io::Result<(String, u64)> {
    let length = file.metadata()?.len();
    let mut skipped = length.saturating_sub(OUTPUT);
    file.seek(SeekFrom::Start(skipped))?;
    let mut bytes = Vec::new();
    file.take(OUTPUT).read_to_end(&mut bytes)?;
    if skipped > 0
        && let Some(first) = bytes.iter().position(|byte| *byte == b'\n')
    {
        // a line that is cut says something else
        bytes.drain(..=first);
        skipped += first as u64 + 1;
    }
    Ok((String::from_utf8_lossy(&bytes).into_owned(), skipped))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn of_a_long_output_whole_lines_at_its_end_are_kept() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let line = "123456789\n";
        file.write_all(line.repeat(20_000).as_bytes()).unwrap();
        let (text, left_out) = end_of(file.reopen().unwrap()).unwrap();
        assert!(text.lines().all(|line| line == "123456789") && text.len() as u64 <= OUTPUT, "{}", text.len());
        assert_eq!(text.len() as u64 + left_out, 200_000);
        let mut short = tempfile::NamedTempFile::new().unwrap();
        short.write_all(b"one\ntwo").unwrap();
        assert_eq!(end_of(short.reopen().unwrap()).unwrap(), ("one\ntwo".to_owned(), 0));
    }
}
