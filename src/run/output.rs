//! What a program writes: its last lines for the report, all of it for `--out`, and a text that readiness waits for.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

use indexmap::IndexMap;

use crate::scenario::expect::values::Extractor;

/// Bytes of output that are kept for the report.
const KEPT: usize = 16 * 1024;
/// Lines of it that the report shows.
const SHOWN: usize = 20;

/// The reading end of a program's output.
#[derive(Debug)]
pub(super) struct Output {
    pipe: Option<File>,
    /// The last bytes, up to twice [`KEPT`].
    tail: Vec<u8>,
    /// A copy of everything.
    copy: Option<File>,
    /// Bytes that the report does not show.
    forgotten: u64,
    /// A text to look for, and whether it was there.
    awaited: Option<(Vec<u8>, bool)>,
    /// What takes numbers out of it.
    extractor: Option<Extractor>,
}

impl Output {
    /// Reads from `pipe`, which must not block, and copies everything to `copy`.
    pub(super) fn new(pipe: File, copy: Option<File>) -> Output {
        Output { pipe: Some(pipe), tail: Vec::new(), copy, forgotten: 0, awaited: None, extractor: None }
    }

    /// Looks for a text from now on.
    pub(super) fn wait_for(&mut self, text: &str) {
        self.awaited = Some((text.as_bytes().to_vec(), false));
    }

    /// Takes numbers out of it from now on.
    pub(super) fn extract(&mut self, extractor: Option<Extractor>) {
        self.extractor = extractor;
    }

    /// The numbers that were in it. The output must have ended.
    pub(super) fn extracted(&self) -> IndexMap<String, f64> {
        self.extractor.clone().map(Extractor::finish).unwrap_or_default()
    }

    /// Whether the text that was waited for has come.
    pub(super) fn has_come(&self) -> bool {
        self.awaited.as_ref().is_some_and(|(_, come)| *come)
    }

    /// The descriptor to poll; `None` at the end.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Reads what is there.
    ///
    /// # Errors
    /// Those of reading, and of writing the copy.
    pub(super) fn read(&mut self) -> io::Result<()> {
        let mut buffer = [0; 8192];
        while let Some(pipe) = &mut self.pipe {
            match pipe.read(&mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(n) => self.take(&buffer[..n])?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(copy) = &mut self.copy {
            copy.write_all(bytes)?;
        }
        if let Some(extractor) = &mut self.extractor {
            extractor.take(bytes);
        }
        // the text may begin in what came before
        let before = self.tail.len();
        self.tail.extend_from_slice(bytes);
        if let Some((text, come @ false)) = &mut self.awaited {
            let from = before.saturating_sub(text.len());
            *come = text.is_empty() || self.tail[from..].windows(text.len()).any(|window| window == text.as_slice());
        }
        if self.tail.len() > 2 * KEPT {
            let forget = self.tail.len() - KEPT;
            self.tail.drain(..forget);
            self.forgotten += forget as u64;
        }
        Ok(())
    }

    /// The last lines.
    pub(super) fn last_lines(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.tail);
        let lines: Vec<&str> = text.lines().collect();
        let shown = lines.len().saturating_sub(SHOWN);
        let mut last: Vec<String> = lines[shown..].iter().map(|line| (*line).to_owned()).collect();
        if shown > 0 || self.forgotten > 0 {
            last.insert(0, "…".into());
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::OwnedFd;

    fn output() -> (Output, File) {
        let (read, write) = io::pipe().unwrap();
        nix::fcntl::fcntl(&read, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK)).unwrap();
        (Output::new(File::from(OwnedFd::from(read)), None), File::from(OwnedFd::from(write)))
    }

    #[test]
    fn a_text_is_found_across_reads_and_only_once_it_is_complete() {
        let (mut output, mut program) = output();
        output.wait_for("ready to serve");
        for (part, come) in [("starting\nready ", false), ("to ser", false), ("ve\n", true), ("more", true)] {
            program.write_all(part.as_bytes()).unwrap();
            output.read().unwrap();
            assert_eq!(output.has_come(), come, "{part}");
        }
        drop(program);
        output.read().unwrap();
        assert!(output.fd().is_none());
        assert_eq!(output.last_lines(), ["starting", "ready to serve", "more"]);
    }

    #[test]
    fn much_output_leaves_its_last_lines() {
        let (mut output, mut program) = output();
        for n in 0..10_000 {
            writeln!(program, "line {n}").unwrap();
            if n % 100 == 0 {
                output.read().unwrap();
            }
        }
        output.read().unwrap();
        let lines = output.last_lines();
        assert_eq!((lines.len(), lines[0].as_str(), lines[SHOWN].as_str()), (SHOWN + 1, "…", "line 9999"));
        assert!(output.tail.len() <= 2 * KEPT);
    }
}
