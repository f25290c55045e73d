//! What is wrong with a scenario, as text for people: each mistake with its source line underlined, and how many they are.

use std::fmt::Write as _;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode, SourceSpan,
    SpanContents,
};

use crate::diag::{Diagnostic, Diagnostics, Severity, Sources, Span};

/// Diagnostics as text; for a terminal with colours and lines, unless `NO_COLOR` is set.
pub fn render(wrong: &Diagnostics, sources: &Sources, terminal: bool) -> String {
    let theme = match (terminal, std::env::var_os("NO_COLOR").is_some()) {
        (true, false) => GraphicalTheme::unicode(),
        (true, true) => GraphicalTheme::unicode_nocolor(),
        (false, _) => GraphicalTheme::none(),
    };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(110).with_context_lines(1);
    let mut out = String::new();
    for diagnostic in wrong.iter() {
        let shown = Shown { diagnostic, source: diagnostic.span.filter(has_place).map(|span| named(span, sources)) };
        // writing into a String cannot fail
        let _ = handler.render_report(&mut out, &shown);
        for (span, words) in diagnostic.related.iter().filter(|(span, _)| has_place(span)) {
            let _ = writeln!(out, "  {}:{}:{}: {words}", sources.name(span.source), span.line, span.column);
        }
    }
    let count = |severity| wrong.iter().filter(|d| d.severity == severity).count();
    let many = |n: usize, word: &str| if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") };
    let counts: Vec<String> = [(count(Severity::Error), "error"), (count(Severity::Warning), "warning")]
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| many(n, word))
        .collect();
    let _ = writeln!(out, "{}", counts.join(", "));
    out
}

fn has_place(span: &Span) -> bool {
    span.line > 0
}

fn named(span: Span, sources: &Sources) -> WholeLines {
    WholeLines { name: sources.name(span.source).to_owned(), text: sources.text(span.source).to_owned() }
}

/// A source of which the lines of a place are shown, no more and no less: without context lines miette shows the place
/// alone, with them its neighbours too.
#[derive(Debug)]
struct WholeLines {
    name: String,
    text: String,
}

impl SourceCode for WholeLines {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        context_lines_before: usize,
        _context_lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        // Without context lines it asks for line and column of the place itself.
        let shown = if context_lines_before == 0 { *span } else { whole_lines(&self.text, span) };
        let inner = self.text.read_span(&shown, 0, 0)?;
        let (line, column, count) = (inner.line(), inner.column(), inner.line_count());
        let contents =
            MietteSpanContents::new_named(self.name.clone(), inner.data(), *inner.span(), line, column, count);
        Ok(Box::new(contents))
    }
}

fn whole_lines(text: &str, span: &SourceSpan) -> SourceSpan {
    let bytes = text.as_bytes();
    let begin = span.offset().min(bytes.len());
    let end = (span.offset() + span.len()).min(bytes.len());
    let start = bytes[..begin].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let end = bytes[end..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |at| end + at);
    SourceSpan::new(start.into(), end - start)
}

/// A diagnostic in the shape that miette draws.
#[derive(Debug)]
struct Shown<'a> {
    diagnostic: &'a Diagnostic,
    source: Option<WholeLines>,
}

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.diagnostic.message)
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
        self.diagnostic.help.as_ref().map(|help| Box::new(help) as Box<dyn std::fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.source.as_ref().map(|source| source as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.diagnostic.span.filter(has_place)?;
        // a point needs something to be underlined
        let place = SourceSpan::new(span.start.into(), span.len.max(1));
        Some(Box::new(std::iter::once(LabeledSpan::new_primary_with_span(self.diagnostic.label.clone(), place))))
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
}
