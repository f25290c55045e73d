//! What a program writes: its last lines for the report, all of it up to a limit for `--out`, and a text that readiness waits for.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

use crate::tasks::expect::values::Extractor;
use crate::units::ByteSize;

/// Bytes of output that are kept for the report.
const KEPT: usize = 16 * 1024;
/// Lines of it that the report shows.
const SHOWN: usize = 20;
/// Bytes of it that `--out` has: a program that writes without end does not fill the disk.
const COPIED: u64 = 128 << 20;

/// Where all of the output goes.
#[derive(Debug)]
struct Copy {
    file: Option<File>,
    /// Bytes that there is room for.
    room: u64,
    /// Bytes that there was no room for.
    cut: u64,
    failed: Option<io::Error>,
}

impl Copy {
    fn take(&mut self, bytes: &[u8]) {
        let Some(file) = &mut self.file else { return };
        let part = &bytes[..bytes.len().min(usize::try_from(self.room).unwrap_or(usize::MAX))];
        self.room -= part.len() as u64;
        self.cut += (bytes.len() - part.len()) as u64;
        if let Err(error) = file.write_all(part) {
            self.failed = Some(error);
            self.file = None;
        }
    }

    /// The output has ended: says in the file what is not in it.
    fn end(&mut self) {
        let Some(mut file) = self.file.take() else { return };
        if self.cut > 0 {
            let limit = ByteSize::from_bytes(COPIED);
            let told =
                writeln!(file, "\n… {} bytes cut: longwire keeps the first {limit} of a program's output", self.cut);
            self.failed = told.err();
        }
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        self.end();
    }
}

/// The reading end of a program's output.
#[derive(Debug)]
pub(super) struct Output {
    pipe: Option<File>,
    /// The last bytes, up to twice [`KEPT`].
    tail: Vec<u8>,
    /// A copy of everything, up to [`COPIED`].
    copy: Copy,
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
        let copy = Copy { file: copy, room: COPIED, cut: 0, failed: None };
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
    pub(super) fn extracted(&self) -> BTreeMap<String, f64> {
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

    /// What became of the copy: why it broke off, or what is missing at its end. The output must have ended.
    pub(super) fn copy_failed(&self) -> Option<&io::Error> {
        self.copy.failed.as_ref()
    }

    /// Bytes at its end that are not in the copy.
    pub(super) fn cut(&self) -> u64 {
        self.copy.cut
    }

    /// Nothing more is read.
    pub(super) fn close(&mut self) {
        self.pipe = None;
        self.copy.end();
    }

    /// Reads what is there. A copy that cannot be written says so later, and stops nothing.
    ///
    /// # Errors
    /// Those of reading.
    pub(super) fn read(&mut self) -> io::Result<()> {
        let mut buffer = [0; 8192];
        while let Some(pipe) = &mut self.pipe {
            match pipe.read(&mut buffer) {
                Ok(0) => self.close(),
                Ok(n) => self.take(&buffer[..n]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn take(&mut self, bytes: &[u8]) {
        self.copy.take(bytes);
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
    }

    /// The last lines; above them how much is not shown.
    pub(super) fn last_lines(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.tail);
        let lines: Vec<&str> = text.lines().collect();
        let left_out = lines.len().saturating_sub(SHOWN);
        let mut last: Vec<String> = lines[left_out..].iter().map(|line| (*line).to_owned()).collect();
        if left_out > 0 || self.forgotten > 0 {
            let before: usize = self.tail.split_inclusive(|byte| *byte == b'\n').take(left_out).map(<[u8]>::len).sum();
            last.insert(0, format!("… {} bytes before this", self.forgotten + before as u64));
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
        assert_eq!((lines.len(), lines[SHOWN].as_str()), (SHOWN + 1, "line 9999"));
        // 10 · 7 + 90 · 8 + 900 · 9 + 9,000 · 10 bytes in all, and 20 · 10 of them shown
        assert_eq!(lines[0], "… 98690 bytes before this");
        assert!(output.tail.len() <= 2 * KEPT);
    }

    #[test]
    fn a_copy_has_a_limit_and_says_what_it_lacks() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("log");
        let (mut output, mut program) = output();
        output.copy.file = Some(File::create(&path).unwrap());
        output.copy.room = 6;
        program.write_all(b"one\ntwo\nthree\n").unwrap();
        output.read().unwrap();
        drop(program);
        output.read().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("one\ntw\n… 8 bytes cut: longwire keeps the first 128MiB"), "{text}");
        assert_eq!((output.cut(), output.last_lines().len()), (8, 3));
        assert!(output.copy_failed().is_none());
    }

    #[test]
    fn a_copy_that_cannot_be_written_loses_nothing_else() {
        let (mut output, mut program) = output();
        output.copy.file = Some(File::options().write(true).open("/dev/full").unwrap());
        output.wait_for("two");
        program.write_all(b"one\ntwo\n").unwrap();
        output.read().unwrap();
        assert!(output.has_come() && output.last_lines() == ["one", "two"]);
        assert_eq!(output.copy_failed().unwrap().kind(), io::ErrorKind::StorageFull);
    }
}
