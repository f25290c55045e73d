//! What a user did wrong, where, and what to write instead.
//!
//! A [`Diagnostic`] carries text, never a decision about how it is shown: `cli` renders it with the source line
//! underlined. Checks collect diagnostics in [`Diagnostics`] and go on, so that one run of `check` shows them all.

pub mod printable;
mod synonyms;

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

/// A stretch of a source text, in bytes, with the line and column (both from 1) of its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Which source of [`Sources`] the text is in.
    pub source: SourceId,
    /// Byte offset of the first byte.
    pub start: usize,
    /// Number of bytes; 0 marks a point.
    pub len: usize,
    /// Line, from 1; 0 where there is no place (a value from the command line, say).
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// The number of a text in [`Sources`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u16);

/// The texts that spans point into, by [`SourceId`].
#[derive(Clone, Debug, Default)]
pub struct Sources {
    texts: Vec<(Arc<str>, Arc<str>)>,
}

impl Sources {
    /// Adds a text under the name that messages show (a path as the user gave it).
    pub fn add(&mut self, name: &str, text: &str) -> SourceId {
        let id = SourceId(u16::try_from(self.texts.len()).expect("fewer than 65,536 files make a scenario"));
        self.texts.push((name.into(), text.into()));
        id
    }

    /// The name a text was added under.
    pub fn name(&self, id: SourceId) -> &str {
        self.texts.get(usize::from(id.0)).map_or("", |(name, _)| name)
    }

    /// A text as it was added.
    pub fn text(&self, id: SourceId) -> &str {
        self.texts.get(usize::from(id.0)).map_or("", |(_, text)| text)
    }

    /// The files among them, as they were added: each with its name and text. What came from the command line or from a preset
    /// is no file.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        let files = self.texts.iter().filter(|(name, _)| !name.starts_with("--") && !name.starts_with("the profile "));
        files.map(|(name, text)| (&**name, &**text))
    }

    /// The stretch of text that a span covers.
    pub fn snippet(&self, span: Span) -> &str {
        self.text(span.source).get(span.start..span.start + span.len).unwrap_or("")
    }
}

/// How much a diagnostic weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing runs while one of these stands.
    Error,
    /// Worth knowing; the run goes on.
    Warning,
}

/// One mistake: what is wrong, where, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// Where; `None` for what has no place in a file.
    pub span: Option<Span>,
    /// A few words under the underlined place.
    pub label: Option<String>,
    /// What to write instead.
    pub help: Option<String>,
    /// Other places that explain the mistake, each with a few words.
    pub related: Vec<(Span, String)>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(span: impl Into<Option<Span>>, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            message: message.into(),
            span: span.into(),
            label: None,
            help: None,
            related: Vec::new(),
        }
    }

    /// A warning at a place.
    pub fn warning(span: impl Into<Option<Span>>, message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(span, message) }
    }

    /// Adds the words under the underlined place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Diagnostic {
        self.label = Some(label.into());
        self
    }

    /// Adds what to write instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }

    /// Adds another place that explains the mistake.
    #[must_use]
    pub fn related(mut self, span: Span, words: impl Into<String>) -> Diagnostic {
        self.related.push((span, words.into()));
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(span) = self.span.filter(|s| s.line > 0) {
            write!(f, "{}:{}: ", span.line, span.column)?;
        }
        f.write_str(&self.message)?;
        if let Some(help) = &self.help {
            write!(f, " ({help})")?;
        }
        Ok(())
    }
}

/// A list of diagnostics in the making.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    /// Places and messages in the list: a file may hold a hundred thousand mistakes.
    known: HashSet<(Option<Span>, String)>,
}

/// A diagnostic that has just been added, to say more of it. There is none if it stood there before.
pub struct Added<'a>(Option<&'a mut Diagnostic>);

impl Added<'_> {
    /// Adds what to write instead.
    pub fn help(self, help: impl Into<String>) -> Self {
        self.with(|diagnostic| diagnostic.help = Some(help.into()))
    }

    /// Adds the words under the underlined place.
    pub fn label(self, label: impl Into<String>) -> Self {
        self.with(|diagnostic| diagnostic.label = Some(label.into()))
    }

    /// Adds another place that explains the mistake.
    pub fn related(self, span: Span, words: impl Into<String>) -> Self {
        self.with(|diagnostic| diagnostic.related.push((span, words.into())))
    }

    fn with(mut self, add: impl FnOnce(&mut Diagnostic)) -> Self {
        self.0.as_deref_mut().map(add);
        self
    }
}

impl Diagnostics {
    /// Adds an error at a place, unless the same message already stands there.
    pub fn error(&mut self, span: impl Into<Option<Span>>, message: impl Into<String>) -> Added<'_> {
        self.add(Diagnostic::error(span, message))
    }

    /// Adds a warning at a place, unless the same message already stands there.
    pub fn warning(&mut self, span: impl Into<Option<Span>>, message: impl Into<String>) -> Added<'_> {
        self.add(Diagnostic::warning(span, message))
    }

    /// Adds one, unless the same message already stands at the same place.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.add(diagnostic);
    }

    fn add(&mut self, diagnostic: Diagnostic) -> Added<'_> {
        if !self.known.insert((diagnostic.span, diagnostic.message.clone())) {
            return Added(None);
        }
        self.list.push(diagnostic);
        Added(self.list.last_mut())
    }

    /// Whether an error stands.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|d| d.severity == Severity::Error)
    }

    /// Whether nothing stands.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All of them, ordered by place.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// Puts them into the order of their places, those without a place first.
    pub fn sort(&mut self) {
        self.list.sort_by_key(|d| d.span);
    }

    /// Takes over all of `other`.
    pub fn append(&mut self, other: Diagnostics) {
        for diagnostic in other.list {
            self.push(diagnostic);
        }
    }
}

/// The known word that `word` was probably meant to be, if one is near enough (Damerau–Levenshtein, up to a third of its
/// letters).
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|k| (strsim::damerau_levenshtein(&word.to_lowercase(), &k.to_lowercase()), k))
        .filter(|(distance, k)| match k.chars().count().max(word.chars().count()) {
            0 | 1 => *distance == 0,
            letters => *distance <= (letters / 3).max(1),
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, k)| k)
}

/// More names than these are not listed one by one: the names of a big network would bury the mistake.
const MOST_NAMED: usize = 60;

/// What to write for an unknown word: our name for what other tools call so, or "did you mean …?", or the list of what is
/// known.
pub fn suggestion<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    if let Some(help) = synonyms::help(word, known.clone()) {
        return help;
    }
    match nearest(word, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let known: Vec<String> = known.into_iter().map(|k| format!("`{k}`")).collect();
            if known.is_empty() {
                "there is none to name here".into()
            } else if known.len() > MOST_NAMED {
                let more = known.len() - MOST_NAMED;
                format!("known here: {} and {more} more", known[..MOST_NAMED].join(", "))
            } else {
                format!("known here: {}", known.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_word_is_offered_only_when_it_is_near() {
        assert_eq!(nearest("dealy", ["delay", "loss", "rate"]), Some("delay"));
        assert_eq!(nearest("Loss", ["delay", "loss", "rate"]), Some("loss"));
        assert_eq!(nearest("c", ["a", "b"]), None);
        assert_eq!(nearest("bandwidth", ["delay", "loss", "rate"]), None);
        assert_eq!(suggestion("x1", ["alice", "bob"]), "known here: `alice`, `bob`");
    }

    #[test]
    fn the_same_mistake_is_told_once() {
        let mut all = Diagnostics::default();
        let span = Span { line: 2, column: 3, start: 10, len: 4, ..Span::default() };
        all.push(Diagnostic::error(span, "unknown field"));
        all.push(Diagnostic::error(span, "unknown field"));
        all.push(Diagnostic::error(None, "empty"));
        all.sort();
        let lines: Vec<_> = all.iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["empty", "2:3: unknown field"]);
    }

    #[test]
    fn snippets_come_from_the_named_source() {
        let mut sources = Sources::default();
        let a = sources.add("a.yaml", "links: {}");
        assert_eq!(sources.snippet(Span { source: a, start: 0, len: 5, line: 1, column: 1 }), "links");
        assert_eq!(sources.name(a), "a.yaml");
    }
}
