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
            let columns =
                terminal_size::terminal_size_of(io::stderr()).map_or(USUAL_WIDTH, |(width, _)| width.0.into());
            let _ = write!(io::stderr().lock(), "\r\x1b[2K{}", on_one_line(&printable(text), columns));
            let _ = io::stderr().flush();
        }
    }
}

/// A text in fewer than so many columns: one line more could not be written over. What stands before a colon, a name, gives way first.
fn on_one_line(text: &str, columns: usize) -> String {
    let room = columns.saturating_sub(1);
    let over = text.chars().count().saturating_sub(room);
    let (name, rest) = text.split_once(": ").unwrap_or((text, ""));
    let kept = name.chars().count().saturating_sub(over + 1);
    let shorter = match (over, rest) {
        (0, _) => return text.to_owned(),
        (_, "") => text.to_owned(),
        _ => format!("{}…: {rest}", name.chars().take(kept).collect::<String>()),
    };
    shorter.chars().take(room).collect()
}

impl Drop for StatusLine {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(io::stderr().lock(), "\r\x1b[2K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_shorter_than_a_line() {
        assert_eq!(on_one_line("Call: running, 1.0 s", 80), "Call: running, 1.0 s");
        assert_eq!(on_one_line("A call over Wi-Fi: running, 1.0 s", 24), "A call…: running, 1.0 s");
        assert_eq!(on_one_line("A: running, 1.0 s of 10 s", 12), "…: running,");
        assert_eq!(on_one_line("a line without a name", 12), "a line with");
        for columns in 0..40 {
            assert!(on_one_line("Übertragung: running, 1.0 s", columns).chars().count() < columns.max(1));
        }
    }
}
