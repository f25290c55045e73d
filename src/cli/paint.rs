//! Printing: to standard output what was asked for, to standard error what went wrong.

use std::io::{self, IsTerminal, Write};

use crate::diag::{Diagnostics, Sources};
use crate::record::mistakes;

/// Prints to standard output, with colours only on a terminal. A reader that has gone away (`longwire … | head`) is no
/// error.
pub(super) fn print(text: &str) {
    let mut out = anstream::stdout().lock();
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush())
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        complain(&format!("cannot write to standard output: {error}"));
    }
}

/// Whether what goes to standard output has colours.
pub(super) fn colours() -> bool {
    anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
}

/// Prints to standard error what is no error.
pub(super) fn note(text: &str) {
    // there is nobody left to tell if this fails
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}

/// Prints one error to standard error.
pub(super) fn complain(text: &str) {
    // there is nobody left to tell if this fails
    let _ = writeln!(anstream::stderr().lock(), "\x1b[1;31merror\x1b[0m: {text}");
}

/// Prints what is wrong with a scenario to standard error, each with its source line underlined, and how many they are.
pub(super) fn diagnose(wrong: &Diagnostics, sources: &Sources) {
    let text = mistakes::render(wrong, sources, io::stderr().is_terminal());
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}

/// One line on standard error that is written over again; nothing where standard error is no terminal.
pub(super) struct StatusLine {
    on: bool,
    shown: bool,
}

impl StatusLine {
    pub(super) fn new() -> StatusLine {
        StatusLine { on: io::stderr().is_terminal(), shown: false }
    }

    pub(super) fn show(&mut self, text: &str) {
        if self.on {
            self.shown = true;
            let _ = write!(io::stderr().lock(), "\r\x1b[2K{text}");
            let _ = io::stderr().flush();
        }
    }
}

impl Drop for StatusLine {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(io::stderr().lock(), "\r\x1b[2K");
        }
    }
}
