//! Printing: to standard output what was asked for, to standard error what went wrong. Nothing is printed that is not
//! [`Printable`]: text from outside has its escapes by then.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::diag::printable::{Printable, printable};
use crate::diag::{Diagnostics, Sources};
use crate::host::open::plain;
use crate::report::mistakes;

/// Something could not be written to standard output.
static FAILED: AtomicBool = AtomicBool::new(false);

/// Prints to standard output, with colours only on a terminal. A reader that has gone away (`longwire … | head`) is no
/// error; another error is told, and [`has_failed`] from then on.
pub(super) fn print(text: &Printable) {
    let mut out = anstream::stdout().lock();
    if let Err(error) = out.write_all(text.as_str().as_bytes()).and_then(|()| out.flush())
        && error.kind() != io::ErrorKind::BrokenPipe
        // once is enough
        && !FAILED.swap(true, Ordering::Relaxed)
    {
        complain(&format!("cannot write to standard output: {}", plain(&error)));
    }
}

/// Whether standard output lacks something.
pub(super) fn has_failed() -> bool {
    FAILED.load(Ordering::Relaxed)
}

/// Columns of a text that goes to no terminal.
const USUAL_WIDTH: usize = 100;

/// Columns of what is printed.
pub(super) fn width() -> usize {
    columns().unwrap_or(USUAL_WIDTH)
}

/// Whether what goes to standard output has colours.
pub(super) fn colours() -> bool {
    anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
}

/// Columns of the terminal that standard output is; `None` where it is none.
pub(super) fn columns() -> Option<usize> {
    terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| width.0.into())
}

/// Prints to standard error what people read where standard output is for programs.
pub(super) fn aside(text: &Printable) {
    // there is nobody left to tell if this fails
    let _ = anstream::stderr().lock().write_all(text.as_str().as_bytes());
}

/// Prints to standard error what is no error.
pub(super) fn note(text: &str) {
    aside(&Printable::lines(text));
}

/// Prints one error to standard error. What follows its first line is indented: no line of it looks like another message.
pub(super) fn complain(text: &str) {
    let mut lines = text.lines();
    let mut told = printable(lines.next().unwrap_or_default()).into_owned();
    for line in lines {
        let indent = if line.starts_with(' ') { "" } else { "  " };
        told.push_str(&format!("\n{indent}{}", printable(line)));
    }
    // there is nobody left to tell if this fails
    let _ = writeln!(anstream::stderr().lock(), "\x1b[1;31merror\x1b[0m: {told}");
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
            let _ = write!(io::stderr().lock(), "\r\x1b[2K{}", printable(text));
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
