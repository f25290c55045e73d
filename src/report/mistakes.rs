//! What is wrong with a scenario, as text for people: each mistake with its source line underlined, and how many they are.

use std::fmt::Write as _;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode, SourceSpan,
    SpanContents,
};

use crate::diag::printable::{in_columns, printable};
use crate::diag::{Diagnostic, Diagnostics, Severity, Sources, Span};

/// So many errors and so many warnings are shown: the rest are seldom worth reading before these are put right.
const SHOWN: usize = 20;
/// Characters of a line that are shown around a place.
const WIDTH: usize = 160;
/// Lines of a place that are shown.
const LINES: usize = 8;
/// Characters of a message or of a help text.
const LONGEST: usize = 2_000;

/// Diagnostics as text; for a terminal with colours and lines, unless `NO_COLOR` is set. Of many, the first 20 errors and
/// the first 20 warnings, and how many they are.
pub fn render(wrong: &Diagnostics, sources: &Sources, terminal: bool) -> String {
    let theme = match (terminal, std::env::var_os("NO_COLOR").is_some()) {
        (true, false) => GraphicalTheme::unicode(),
        (true, true) => GraphicalTheme::unicode_nocolor(),
        (false, _) => GraphicalTheme::none(),
    };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(110).with_context_lines(1);
    let mut out = String::new();
    let mut counts = [(Severity::Error, "error", 0), (Severity::Warning, "warning", 0)];
    for diagnostic in wrong.iter() {
        let count = counts.iter_mut().find(|(severity, ..)| *severity == diagnostic.severity);
        let (.., count) = count.expect("both severities are counted");
        *count += 1;
        if *count > SHOWN {
            continue;
        }
        let excerpt = diagnostic.span.filter(has_place).map(|span| Excerpt::of(span, sources));
        // writing into a String cannot fail
        let _ = handler.render_report(&mut out, &Shown { diagnostic, excerpt });
        for (span, words) in diagnostic.related.iter().filter(|(span, _)| has_place(span)) {
            let (name, words) = (printable(sources.name(span.source)), printable(words));
            let _ = writeln!(out, "  {name}:{}:{}: {words}", span.line, span.column);
        }
    }
    let counts: Vec<String> = counts.iter().filter(|(.., n)| *n > 0).map(|(_, word, n)| many(*n, word)).collect();
    let _ = writeln!(out, "{}", counts.join(", "));
    out
}

fn many(n: usize, word: &str) -> String {
    match n {
        1 => format!("1 {word}"),
        2..=SHOWN => format!("{n} {word}s"),
        _ => format!("{n} {word}s, of which the first {SHOWN} are shown: {} more", n - SHOWN),
    }
}

fn has_place(span: &Span) -> bool {
    span.line > 0
}

/// The lines of a place: no neighbours, and of very long lines the part around it.
#[derive(Debug)]
struct Excerpt {
    name: String,
    /// What is shown.
    text: String,
    /// What is underlined in it, in bytes.
    place: SourceSpan,
    /// Line and column of the place in the source, from 0.
    line: usize,
    column: usize,
}

impl Excerpt {
    fn of(span: Span, sources: &Sources) -> Excerpt {
        let text = sources.text(span.source);
        let begin = floor(text, span.start);
        // a point needs something to be underlined
        let end = ceil(text, begin + span.len.max(1));
        let start = text[..begin].rfind('\n').map_or(0, |at| at + 1);
        let stop = text[end..].find(['\r', '\n']).map_or(text.len(), |at| end + at);
        // of a block, the first lines
        let block = text[start..stop].match_indices('\n').nth(LINES - 1).map_or(stop, |(at, _)| start + at);
        let (before, cut_before) = last(&text[start..begin], WIDTH / 2);
        let (after, cut_after) = match text[begin..block].contains('\n') {
            true => (&text[begin..block], false),
            false => first(&text[begin..block], WIDTH - before.chars().count()),
        };
        let mark = |cut: bool| if cut { "…" } else { "" };
        let lines = after.split_inclusive('\n').map(|line| match first(line, 2 * WIDTH) {
            (line, false) => columns(line),
            (line, true) => format!("{}…\n", columns(line)),
        });
        let before = columns(before);
        let shown = format!("{}{before}{}{}", mark(cut_before), lines.collect::<String>(), mark(cut_after));
        let at = mark(cut_before).len() + before.len();
        let length = columns(&text[begin..end]).len().min(shown.len() - mark(cut_after).len() - at);
        Excerpt {
            name: printable(sources.name(span.source)).into_owned(),
            place: SourceSpan::new(at.into(), length),
            text: shown,
            line: span.line.saturating_sub(1) as usize,
            column: span.column.saturating_sub(1) as usize,
        }
    }
}

/// Source text as it is shown: with as many characters, all of which print. A carriage return at a line's end says nothing.
fn columns(text: &str) -> String {
    let shown = |line: &str| match line.strip_suffix('\n') {
        Some(line) => in_columns(line) + "\n",
        None => in_columns(line),
    };
    text.replace("\r\n", " \n").split_inclusive('\n').map(shown).collect()
}

/// The first characters of a text, and whether there are more.
fn first(text: &str, characters: usize) -> (&str, bool) {
    match text.char_indices().nth(characters) {
        Some((at, _)) => (&text[..at], true),
        None => (text, false),
    }
}

/// The last characters of a text, and whether there are more.
fn last(text: &str, characters: usize) -> (&str, bool) {
    match text.char_indices().rev().nth(characters) {
        Some((at, c)) => (&text[at + c.len_utf8()..], true),
        None => (text, false),
    }
}

fn floor(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

fn ceil(text: &str, at: usize) -> usize {
    (at..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        context_lines_before: usize,
        _context_lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        // Without context lines it asks for line and column of the place itself, with them for what is shown.
        let (shown, column) = match context_lines_before {
            0 => (*span, self.column),
            _ => (SourceSpan::new(0.into(), self.text.len()), 0),
        };
        let data = self.text.as_bytes().get(shown.offset()..shown.offset() + shown.len());
        let data = data.ok_or(MietteError::OutOfBounds)?;
        let lines = data.iter().filter(|byte| **byte == b'\n').count() + 1;
        let contents = MietteSpanContents::new_named(self.name.clone(), data, shown, self.line, column, lines);
        Ok(Box::new(contents))
    }
}

/// A text that may hold a value of any length.
fn shortened(text: &str) -> String {
    match first(text, LONGEST) {
        (text, false) => printable(text).into_owned(),
        (text, true) => format!("{}…", printable(text)),
    }
}

/// A diagnostic in the shape that miette draws.
#[derive(Debug)]
struct Shown<'a> {
    diagnostic: &'a Diagnostic,
    excerpt: Option<Excerpt>,
}

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&shortened(&self.diagnostic.message))
    }
}

impl std::error::Error for Shown<'_> {}

impl miette::Diagnostic for Shown<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.diagnostic.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'b>(&'b self) -> Option<Box<dyn std::fmt::Display + 'b>> {
        self.diagnostic.help.as_ref().map(|help| Box::new(shortened(help)) as Box<dyn std::fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.excerpt.as_ref().map(|excerpt| excerpt as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.excerpt.as_ref()?.place;
        Some(Box::new(std::iter::once(LabeledSpan::new_primary_with_span(
            self.diagnostic.label.as_ref().map(|label| printable(label).into_owned()),
            place,
        ))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_shown_with_its_place_its_line_and_its_cure() {
        let mut sources = Sources::default();
        let source = sources.add("a.yaml", "links:\n  wifi: { dealy: 5ms }\nnodes: {}\n");
        let mut wrong = Diagnostics::default();
        let span = Span { source, start: 17, len: 5, line: 2, column: 11 };
        wrong.push(Diagnostic::error(span, "unknown field `dealy`").help("did you mean `delay`?"));
        let text = render(&wrong, &sources, false);
        for part in ["unknown field `dealy`", "a.yaml:2:11", "wifi: { dealy: 5ms }", "did you mean `delay`?", "1 error"]
        {
            assert!(text.contains(part), "{part} in:\n{text}");
        }
        assert!(!text.contains("links:") && !text.contains("nodes:"), "its neighbours are not shown:\n{text}");
        assert!(!text.contains('\x1b'));
    }

    fn one(text: &str, start: usize, len: usize) -> String {
        let mut sources = Sources::default();
        let source = sources.add("a.json", text);
        let line = text[..start].matches('\n').count() as u32 + 1;
        let column = start - text[..start].rfind('\n').map_or(0, |at| at + 1) + 1;
        let mut wrong = Diagnostics::default();
        wrong.push(Diagnostic::error(Span { source, start, len, line, column: column as u32 }, "wrong"));
        render(&wrong, &sources, false)
    }

    #[test]
    fn of_a_long_line_the_part_around_the_place_is_shown() {
        let hosts: String = (0..20_000).map(|n| format!("\"h{n}\": \"host\", ")).collect();
        let text = format!("{{ {hosts}\"x\": \"hots\", {hosts} }}\n");
        let at = text.find("\"hots\"").unwrap();
        assert!(at > 65_535);
        for (start, len) in [(at, 6), (2, 4), (text.len() - 2, 1), (at, text.len() - at - 1), (text.len(), 0)] {
            let told = one(&text, start, len);
            assert!(told.len() < 1_000, "{} bytes: {told}", told.len());
            let place = format!("a.json:1:{}", start + 1);
            assert!(told.contains(&place) || start == text.len(), "{place} in {told}");
        }
        let told = one(&text, at, 6);
        assert!(told.contains("\"x\": \"hots\", \"h0\""), "{told}");
        let lines: Vec<&str> = told.lines().collect();
        let line = lines.iter().position(|line| line.contains("hots")).unwrap();
        // in characters: the dots have three bytes
        let column = |line: &str, what: &str| line[..line.find(what).unwrap()].chars().count();
        assert_eq!(column(lines[line], "\"hots\""), column(lines[line + 1], "^^^^^^"), "{told}");
    }

    #[test]
    fn of_a_long_block_the_first_lines_are_shown() {
        let text: String = (0..100).map(|n| format!("line{n}: {}\n", "ä".repeat(1_000))).collect();
        let told = one(&text, 0, text.len());
        assert!(told.contains("line0:") && told.contains("line7:") && !told.contains("line8:"), "{told}");
        assert!(told.len() < 20_000);
    }

    #[test]
    fn of_many_mistakes_the_first_are_shown_and_all_are_counted() {
        let mut sources = Sources::default();
        let text = "x\n".repeat(10_000);
        let source = sources.add("a.yaml", &text);
        let mut wrong = Diagnostics::default();
        for n in 0..10_000 {
            let span = Span { source, start: 2 * n, len: 1, line: n as u32 + 1, column: 1 };
            wrong.push(Diagnostic::warning(span, "doubtful"));
            wrong.push(Diagnostic::error(span, format!("wrong {n}")));
        }
        let told = render(&wrong, &sources, false);
        assert!(told.contains("wrong 19\n") && !told.contains("wrong 20\n"), "{told}");
        assert_eq!(told.matches("doubtful").count(), 20);
        let last = told.lines().last().unwrap();
        let each = |word: &str| format!("10000 {word}s, of which the first 20 are shown: 9980 more");
        assert_eq!(last, format!("{}, {}", each("error"), each("warning")));
        let long = Diagnostic::error(None, "m".repeat(1_000_000)).help("h".repeat(1_000_000));
        let mut wrong = Diagnostics::default();
        wrong.push(long);
        assert!(render(&wrong, &sources, false).len() < 20_000);
    }
}
