//! Sections of a scenario: maps of entries by name, of which each is read by itself.

use serde::de::DeserializeOwned;

use super::parse::missing_space;
use super::read::read_at;
use super::tree::{Entry, Node, Value};
use crate::diag::{Diagnostic, Diagnostics, Span};

/// An entry of a section: its name, where that stands, and its content, if that could be read.
pub(crate) struct Named<T> {
    /// The name.
    pub name: String,
    /// Where it stands.
    pub span: Span,
    /// The content; `None` if it could not be read, which has been told.
    pub spec: Option<T>,
    /// Nothing in it was passed over: what is not there was left out.
    pub clean: bool,
}

/// Reads the entries of a section.
pub(crate) fn section<T: DeserializeOwned>(
    root: &mut Node,
    name: &str,
    diagnostics: &mut Diagnostics,
) -> Vec<Named<T>> {
    let mut read = |entry: &mut Entry| {
        let spec = match is_empty(entry, "say what it is, or take it away", diagnostics) {
            true => None,
            false => read_at(&mut entry.value, Some(entry.key_span), diagnostics),
        };
        // an empty entry is not clean either
        let clean = !entry.value.has_pruned() && spec.is_some();
        Named { name: entry.key.clone(), span: entry.key_span, spec, clean }
    };
    match root.get_mut(name).map(|section| &mut section.value) {
        Some(Value::Map(entries)) => entries.iter_mut().map(&mut read).collect(),
        _ => {
            check_section(root, name, diagnostics);
            Vec::new()
        }
    }
}

/// Whether an entry has nothing under its name, which is told.
pub(crate) fn is_empty(entry: &Entry, help: &str, diagnostics: &mut Diagnostics) -> bool {
    let empty = matches!(entry.value.value, Value::Null) && !entry.value.pruned;
    if empty {
        diagnostics.error(entry.key_span, format!("`{}` is empty", entry.key)).help(help);
    }
    empty
}

/// Tells if a section is something else than a map.
pub(crate) fn check_section(root: &Node, name: &str, diagnostics: &mut Diagnostics) {
    let Some(found) = root.get(name).filter(|found| !found.pruned) else { return };
    if matches!(found.value, Value::Map(_) | Value::Null) {
        return;
    }
    let error = Diagnostic::error(found.span, format!("expected a map of {name} by name, found {}", found.describe()));
    diagnostics.push(match found.as_text().and_then(missing_space) {
        Some(written) => error.help(format!("a colon needs a space behind it: write `{written}`")),
        None => error,
    });
}
