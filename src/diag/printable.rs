//! Text from outside, made safe to print: names and descriptions from scenario files, file names, what programs and other processes
//! say, errors that quote any of these.
//!
//! Such a text may hold terminal escape sequences, line ends that forge a line of a report, or marks that turn the direction of
//! writing round. [`Page`] is the only way to text for people: whatever its arguments hold, a line stays one line, and characters that
//! do not print are shown as escapes. [`Printable`] is what comes out of it, and the only thing that the command line prints.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use anstyle::AnsiColor;

/// A style of this program's own. Only its `Display` can switch styles in a [`Page`]: `{TITLE}` begins it and `{TITLE:#}` ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style(char);

/// Headings.
pub const TITLE: Style = Style('\u{fdd1}');
/// What matters less.
pub const FAINT: Style = Style('\u{fdd2}');
/// What passed.
pub const GOOD: Style = Style('\u{fdd3}');
/// What failed.
pub const BAD: Style = Style('\u{fdd4}');
/// What is in doubt.
pub const DOUBT: Style = Style('\u{fdd5}');
/// Nothing special.
pub const PLAIN: Style = Style('\u{fdd6}');
/// The end of any style.
const END: char = '\u{fdd0}';

impl Style {
    fn ansi(mark: char) -> Option<anstyle::Style> {
        let style = anstyle::Style::new();
        let colour = |colour: AnsiColor| colour.on_default().bold();
        Some(match Style(mark) {
            TITLE => style.bold(),
            FAINT => style.dimmed(),
            GOOD => colour(AnsiColor::Green),
            BAD => colour(AnsiColor::Red),
            DOUBT => colour(AnsiColor::Yellow),
            PLAIN => style,
            _ => return None,
        })
    }
}

impl fmt::Display for Style {
    /// A mark, which only counts as a style where it is written as a single `char`: see [`Page`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char(if f.alternate() { END } else { self.0 })
    }
}

/// What belongs to the number before it.
const UNITS: [&str; 3] = ["%", "ms", "µs"];

/// Text that can be printed: escape sequences in it are this program's own styles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Printable(String);

impl Printable {
    /// With styles as ANSI codes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// With lines of at most so many columns: longer ones go on below, indented a little further than they begin.
    pub fn wrapped(&self, width: usize) -> Printable {
        const STAYS: &str = "\u{a0}";
        let line = |line: &str| {
            let plain = anstream::adapter::strip_str(line).to_string();
            if textwrap::core::display_width(&plain) <= width {
                return line.to_owned();
            }
            let begins = plain.len() - plain.trim_start().len();
            let indent = " ".repeat((begins + 2).min(width / 2));
            let options = textwrap::Options::new(width).subsequent_indent(&indent);
            // a number keeps its unit
            let whole = UNITS
                .iter()
                .fold(line.to_owned(), |line, unit| line.replace(&format!(" {unit}"), &format!("{STAYS}{unit}")));
            textwrap::fill(&whole, options.word_splitter(textwrap::WordSplitter::NoHyphenation)).replace(STAYS, " ")
        };
        let lines: Vec<String> = self.0.split('\n').map(line).collect();
        Printable(lines.join("\n"))
    }

    /// Without styles.
    pub fn plain(&self) -> String {
        anstream::adapter::strip_str(&self.0).to_string()
    }

    /// A text of this program's own making, which may hold text from outside but has no styles. Its line ends stay.
    pub fn lines(text: &str) -> Printable {
        Printable(escaped(text, |c| c == '\n' || is_printable(c)).into_owned())
    }

    /// JSON: what does not print can only stand in its strings, and is written there as `\uXXXX`, which means the same.
    pub fn json(text: &str) -> Printable {
        Printable(json(text).into_owned())
    }

    /// What another longwire printed, a run in a guest: its own styles stay, and nothing else that does not print.
    pub fn styled(text: &str) -> Printable {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('\x1b') {
            out.push_str(Printable::lines(&rest[..at]).as_str());
            let sequence = rest[at..].find('m').map(|end| &rest[at..=at + end]);
            match sequence.filter(|sequence| is_own(sequence)) {
                Some(sequence) => {
                    out.push_str(sequence);
                    rest = &rest[at + sequence.len()..];
                }
                None => {
                    out.push_str("\\x1b");
                    rest = &rest[at + 1..];
                }
            }
        }
        out.push_str(Printable::lines(rest).as_str());
        Printable(out)
    }
}

/// Whether an escape sequence is one with which this program styles its own words: bold, faint, a colour, the end of these.
fn is_own(sequence: &str) -> bool {
    const OWN: [&str; 8] = ["0", "1", "2", "31", "32", "33", "34", "36"];
    let number = sequence.strip_prefix("\x1b[").and_then(|rest| rest.strip_suffix('m'));
    number.is_some_and(|number| OWN.contains(&number))
}

impl From<Page> for Printable {
    fn from(page: Page) -> Printable {
        page.finish()
    }
}

/// Text for people in the making, line by line. Line ends and escape sequences can only come from here: what arguments hold is escaped.
#[derive(Debug, Default)]
pub struct Page {
    text: String,
    /// What was begun last, and not ended.
    style: Option<anstyle::Style>,
}

impl Page {
    /// A page without lines.
    pub fn new() -> Page {
        Page::default()
    }

    /// Adds to the line that is being written.
    ///
    /// # Errors
    /// Those of the arguments' own `Display`.
    pub fn part(&mut self, arguments: fmt::Arguments<'_>) -> fmt::Result {
        Escape(self).write_fmt(arguments)
    }

    /// Adds to the line that is being written, and ends it.
    ///
    /// # Errors
    /// Those of the arguments' own `Display`.
    pub fn line(&mut self, arguments: fmt::Arguments<'_>) -> fmt::Result {
        self.part(arguments)?;
        self.blank();
        Ok(())
    }

    /// Ends a line that was begun; else leaves an empty one.
    pub fn blank(&mut self) {
        self.text.push('\n');
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The whole.
    pub fn finish(self) -> Printable {
        Printable(self.text)
    }
}

/// Adds to the line of a [`Page`] that is being written.
macro_rules! put {
    ($page:expr, $($argument:tt)*) => { $page.part(::std::format_args!($($argument)*)) };
}

/// Writes a whole line of a [`Page`], or the rest of it.
macro_rules! putln {
    ($page:expr, $($argument:tt)*) => { $page.line(::std::format_args!($($argument)*)) };
}

pub(crate) use {put, putln};

/// Escapes what is written into a page. Styles are single characters (`write_char`), which texts are not.
struct Escape<'a>(&'a mut Page);

impl fmt::Write for Escape<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.text.push_str(&printable(text));
        Ok(())
    }

    fn write_char(&mut self, c: char) -> fmt::Result {
        let page = &mut *self.0;
        if c == END {
            return page.style.take().map_or(Ok(()), |style| write!(page.text, "{style:#}"));
        }
        match Style::ansi(c) {
            Some(style) => {
                page.style = Some(style);
                write!(page.text, "{style}")
            }
            None => self.write_str(c.encode_utf8(&mut [0; 4])),
        }
    }
}

/// The text on one line, with escapes in place of what does not print: `\n`, `\x1b`, `\u{202e}`.
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, is_printable)
}

/// The same where line ends and tabs are harmless, as inside an element of HTML or XML.
pub fn printable_block(text: &str) -> Cow<'_, str> {
    escaped(text, |c| matches!(c, '\n' | '\t') || is_printable(c))
}

/// The same with one character in place of each, for a text whose columns count: the pictures of control characters, and U+FFFD.
pub fn in_columns(text: &str) -> String {
    let shown = |c: char| match c {
        '\t' => c,
        '\0'..='\x1f' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
        '\x7f' => '\u{2421}',
        c if is_printable(c) => c,
        _ => '\u{fffd}',
    };
    text.chars().map(shown).collect()
}

/// A text in lines of at most so many columns, broken at spaces; those after the first are indented. A longer word stays whole.
pub(crate) fn in_lines(text: &str, width: usize, indent: &str) -> Vec<String> {
    let options = textwrap::Options::new(width).subsequent_indent(indent).break_words(false);
    let options = options.word_splitter(textwrap::WordSplitter::NoHyphenation);
    let options = options.word_separator(textwrap::WordSeparator::AsciiSpace);
    textwrap::wrap(text, options).into_iter().map(Cow::into_owned).collect()
}

/// JSON with `\uXXXX` in place of what does not print. Outside of strings JSON has nothing else than ASCII and line ends.
pub fn json(text: &str) -> Cow<'_, str> {
    let plain = |c: char| matches!(c, '\n' | '\t') || is_printable(c);
    if text.chars().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if plain(c) {
            out.push(c);
        } else {
            // writing into a String cannot fail
            let _ = c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}"));
        }
    }
    Cow::Owned(out)
}

/// A YAML scalar that reads as this text again, on one line: plain where that is safe, else in quotes.
pub fn yaml(text: &str) -> Cow<'_, str> {
    // YAML 1.2 §7.3.3: no indicator at the beginning, no `: ` and no ` #`; and nothing that reads as something else than a text
    let begins = match (text.chars().next(), text.chars().last()) {
        (Some(first), _) if first.is_alphabetic() => true,
        // a quantity, and no number
        (Some('0'..='9'), Some(last)) => (last == '%' || last.is_alphabetic()) && !text.starts_with("0x"),
        _ => false,
    };
    let printable = text.chars().all(is_printable);
    let safe = begins
        && printable
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&text.to_lowercase().as_str());
    if safe {
        return Cow::Borrowed(text);
    }
    if printable {
        return Cow::Owned(format!("'{}'", text.replace('\'', "''")));
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if is_printable(c) => out.push(c),
            c if (c as u32) < 0x100 => out.push_str(&format!("\\x{:02x}", c as u32)),
            c if (c as u32) < 0x1_0000 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push_str(&format!("\\U{:08x}", c as u32)),
        }
    }
    out.push('"');
    Cow::Owned(out)
}

/// Whether a character has a shape of its own: not a control or format character (those that turn the direction of writing, or have no
/// width), not a separator but the space, not unassigned or private. What the standard library's `Debug` shows as it is.
pub fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return matches!(c, ' '..='~');
    }
    // behind another character, or marks that combine with it would be escaped too
    let mut pair = [b'a'; 5];
    let length = c.encode_utf8(&mut pair[1..]).len();
    std::str::from_utf8(&pair[..=length]).is_ok_and(|pair| pair.escape_debug().nth(1) == Some(c))
}

fn escaped(text: &str, plain: impl Fn(char) -> bool) -> Cow<'_, str> {
    let Some((begin, _)) = text.char_indices().find(|(_, c)| !plain(*c)) else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len() + 8);
    out.push_str(&text[..begin]);
    for c in text[begin..].chars() {
        match c {
            c if plain(c) => out.push(c),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_ascii() => out.push_str(&format!("\\x{:02x}", c as u32)),
            c => out.push_str(&format!("\\u{{{:x}}}", c as u32)),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOSTILE: &str = "a\x1b[2J\r\nPASS\u{202e}\u{200b}\u{2028}\u{9b}1m\u{fdd3}\u{e000}\0\x7f";

    #[test]
    fn what_does_not_print_is_shown_by_its_number() {
        assert_eq!(
            printable(HOSTILE),
            "a\\x1b[2J\\r\\nPASS\\u{202e}\\u{200b}\\u{2028}\\u{9b}1m\\u{fdd3}\\u{e000}\\x00\\x7f"
        );
        for c in
            "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{2066}\u{2069}\u{feff}\u{ad}\u{e0041}".chars()
        {
            assert!(!is_printable(c), "{c:?}");
        }
        // letters with marks, other writings, a smiley
        for text in ["Zürich", "Zu\u{308}rich", "日本語", "हिन्दी", "→ … µs ×", "\u{1f600}", "C:\\dir \"x\""]
        {
            assert_eq!(printable(text), text);
        }
    }

    #[test]
    fn a_line_stays_a_line_and_only_styles_style() {
        let mut page = Page::new();
        putln!(page, "{TITLE}{}{TITLE:#} {BAD}{HOSTILE:>3}{BAD:#}{}", HOSTILE, 'x').unwrap();
        page.blank();
        let text = page.finish();
        assert_eq!(text.as_str().matches('\n').count(), 2);
        assert_eq!(text.plain(), format!("{0} {0}x\n\n", printable(HOSTILE)));
        assert_eq!(text.as_str().matches('\x1b').count(), 5, "bold, off, bold and red, off: {text:?}");
        assert_eq!(Printable::styled(text.as_str()), text, "and so it comes through a guest");
        assert_eq!(Printable::styled("\x1b[8m\x1b]0;x\x07\x1b").as_str(), "\\x1b[8m\\x1b]0;x\\x07\\x1b");
    }

    #[test]
    fn columns_stay_columns() {
        assert_eq!(in_columns("a\x1b\t\u{202e}é"), "a\u{241b}\t\u{fffd}é");
        assert_eq!(in_columns(HOSTILE).chars().count(), HOSTILE.chars().count());
    }

    proptest! {
        #[test]
        fn json_and_yaml_mean_the_same(text in "\\PC*|(.|\n|\r|\u{202e}|\u{10ffff}|:| |#|\"|\\\\|'|-)*") {
            let value = serde_json::to_string(&text).unwrap();
            let shown = json(&value);
            prop_assert!(shown.chars().all(is_printable), "{}", shown);
            prop_assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text.clone());
            let scalar = format!("a: {}\n", yaml(&text));
            prop_assert_eq!(scalar.lines().count(), 1);
            let read: std::collections::BTreeMap<String, String> = serde_saphyr::from_str(&scalar).unwrap();
            prop_assert_eq!(&read["a"], &text);
        }
    }

    #[test]
    fn lines_that_are_too_wide_go_on_below_and_numbers_keep_their_units() {
        let mut page = Page::new();
        putln!(page, "{TITLE}short{TITLE:#}").unwrap();
        putln!(page, "  one two three four 5 % six").unwrap();
        assert_eq!(page.finish().wrapped(22).plain(), "short\n  one two three four\n    5 % six\n");
    }
}
