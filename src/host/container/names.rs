//! The network's names in a container's /etc/hosts, for as long as the run has it.
//!
//! That file is one of its engine's, mounted over /etc/hosts: so it is written in place, never replaced. What is added stands between
//! two lines that name the run; taking that away gives back every byte that was there, and what others wrote meanwhile stays.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::super::error::HostError;
use super::super::janitor::Janitor;
use super::invalid;

/// More is no hosts file.
const MOST: u64 = 16 << 20;

/// Names in one container's file. Dropped, they are taken away; two processes do that too should this one be killed.
#[derive(Debug)]
pub(crate) struct Names {
    path: PathBuf,
    mark: String,
    _janitor: Janitor,
}

impl Names {
    /// Whether they are in this file.
    pub(crate) fn are_in(&self, path: &Path) -> bool {
        self.path == path
    }

    /// Prepares to write into a file. `run` tells this run's lines from another's. This process must have one thread.
    ///
    /// # Errors
    /// No process can be made.
    pub(crate) fn begin(path: &Path, run: u32) -> Result<Names, HostError> {
        let mark = format!("longwire {run}");
        let janitor = Janitor::start_for_names(path, &mark)?;
        Ok(Names { path: path.to_owned(), mark, _janitor: janitor })
    }

    /// Writes lines, in place of those that were there.
    ///
    /// # Errors
    /// It is no regular file, or may not be written.
    pub(crate) fn write(&self, lines: &str) -> io::Result<()> {
        put(&self.path, &self.mark, lines)
    }
}

fn put(path: &Path, mark: &str, lines: &str) -> io::Result<()> {
    take_away(path, mark)?;
    let (mut file, text) = read(path)?;
    let whole = if text.is_empty() || text.ends_with(b"\n") { "" } else { "\n" };
    // at its end, by one call, so that no reader sees a part
    file.write_all(format!("{whole}{}{lines}{}", begin(mark, !whole.is_empty()), end(mark)).as_bytes())
}

fn begin(mark: &str, after_part: bool) -> String {
    // what came before had no end of line, and gets back what it had
    format!("# {mark}: begin{}\n", if after_part { " (after a line without an end)" } else { "" })
}

fn end(mark: &str) -> String {
    format!("# {mark}: end\n")
}

/// Opens the file to read it whole, and to append. Nothing but a regular file at its own path is one.
fn read(path: &Path) -> io::Result<(File, Vec<u8>)> {
    let options =
        || OpenOptions::new().read(true).append(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path);
    let file = options()?;
    let found = file.metadata()?;
    if !found.is_file() || found.len() > MOST {
        return Err(invalid(format!("expected a hosts file at {}, found something else", path.display())));
    }
    let mut text = Vec::new();
    (&file).take(MOST).read_to_end(&mut text)?;
    Ok((file, text))
}

/// Takes the lines of a run away. A file that is gone, or has none, is as it should be.
///
/// # Errors
/// Those of reading and writing it.
pub(crate) fn take_away(path: &Path, mark: &str) -> io::Result<()> {
    let (file, text) = match read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    let Some((first, next)) = find(&text, mark) else { return Ok(()) };
    drop(file);
    // a file that is open to append is written at its end, whatever the offset
    let file = OpenOptions::new().write(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    let rest = &text[next..];
    file.write_all_at(rest, first as u64)?;
    file.set_len((first + rest.len()) as u64)
}

/// Where a run's lines begin, and where what follows them does.
fn find(text: &[u8], mark: &str) -> Option<(usize, usize)> {
    let position = |what: &str, from: usize| {
        let found = text[from..].windows(what.len()).position(|bytes| bytes == what.as_bytes())?;
        Some(from + found)
    };
    let of = |after_part: bool| {
        let begin = begin(mark, after_part);
        let at = position(&begin, 0).filter(|at| *at == 0 || text[at - 1] == b'\n')?;
        Some((at - usize::from(after_part && at > 0), at + begin.len()))
    };
    let (first, inside) = of(false).or_else(|| of(true))?;
    let end = end(mark);
    Some((first, position(&end, inside)? + end.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_was_there_comes_back_to_the_byte() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hosts");
        for before in ["", "127.0.0.1 localhost\n", "127.0.0.1 localhost", "\n\n"] {
            fs::write(&path, before).unwrap();
            put(&path, "longwire 7", "10.0.0.1 a\n").unwrap();
            // again, as after a restart
            put(&path, "longwire 7", "10.0.0.1 a\n10.0.0.2 b\n").unwrap();
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.starts_with(before) && text.ends_with("10.0.0.2 b\n# longwire 7: end\n"), "{text}");
            assert_eq!(text.matches("10.0.0.1 a\n").count(), 1, "{text}");
            take_away(&path, "longwire 7").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), before);
        }
    }

    #[test]
    fn what_others_write_meanwhile_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hosts");
        fs::write(&path, "1 one\n").unwrap();
        put(&path, "longwire 7", "10.0.0.1 a\n").unwrap();
        put(&path, "longwire 70", "10.0.0.2 b\n").unwrap();
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("0 zero\n{text}2 two\n")).unwrap();
        take_away(&path, "longwire 7").unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, "0 zero\n1 one\n# longwire 70: begin\n10.0.0.2 b\n# longwire 70: end\n2 two\n");
        take_away(&path, "longwire 70").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "0 zero\n1 one\n2 two\n");
        // its engine has written it anew, or taken it away
        take_away(&path, "longwire 7").unwrap();
        fs::remove_file(&path).unwrap();
        take_away(&path, "longwire 7").unwrap();
    }

    #[test]
    fn nothing_but_a_file_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        fs::write(&target, "x\n").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(take_away(&link, "longwire 7").is_err() && take_away(folder.path(), "longwire 7").is_err());
        assert_eq!(fs::read_to_string(&target).unwrap(), "x\n");
    }
}
