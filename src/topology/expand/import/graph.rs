//! A graph as a file has it, whatever its format.

use crate::diag::{Diagnostic, SourceId, Span};
use core::cell::Cell;

/// What is wrong with a file. Boxed, because it is rare.
pub(super) type Wrong = Box<Diagnostic>;

/// A mistake at a place.
pub(super) fn wrong(span: Span, message: impl Into<String>, help: impl Into<String>) -> Wrong {
    Box::new(Diagnostic::error(span, message).help(help))
}

/// Nodes and edges.
#[derive(Debug, Default)]
pub(super) struct Graph {
    /// Nodes in file order.
    pub nodes: Vec<Vertex>,
    /// Edges in file order.
    pub edges: Vec<Edge>,
}

/// A node.
#[derive(Debug)]
pub(super) struct Vertex {
    /// What edges call it.
    pub id: String,
    /// Where it stands.
    pub span: Span,
    /// What the file says of it.
    pub attributes: Vec<Attribute>,
}

/// An edge.
#[derive(Debug)]
pub(super) struct Edge {
    /// The ids of its two nodes, and where they stand.
    pub ends: [(String, Span); 2],
    /// Whether it leads from the first to the second only.
    pub directed: bool,
    /// Where it stands.
    pub span: Span,
    /// What the file says of it.
    pub attributes: Vec<Attribute>,
}

/// A name with a value.
#[derive(Clone, Debug)]
pub(super) struct Attribute {
    /// Its name as it is written.
    pub name: String,
    /// Its value as it is written, without quotes.
    pub text: String,
    /// Where the value stands.
    pub span: Span,
}

/// The attribute of a name, small and capital letters alike.
pub(super) fn find<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a Attribute> {
    attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

/// Offsets as places. Cheap as long as they are asked for in the order of the text.
pub(super) struct Places<'t> {
    source: SourceId,
    text: &'t str,
    /// The last that was asked for: its offset, line and column.
    last: Cell<(usize, u32, u32)>,
}

impl<'t> Places<'t> {
    pub(super) fn new(source: SourceId, text: &'t str) -> Places<'t> {
        Places { source, text, last: Cell::new((0, 1, 1)) }
    }

    /// The stretch of `len` bytes from `start`, which begins a character.
    pub(super) fn span(&self, start: usize, len: usize) -> Span {
        let (from, mut line, mut column) = if self.last.get().0 <= start { self.last.get() } else { (0, 1, 1) };
        for c in self.text.get(from..start).unwrap_or_default().chars() {
            if c == '\n' {
                (line, column) = (line.saturating_add(1), 1);
            } else {
                column = column.saturating_add(1);
            }
        }
        self.last.set((start, line, column));
        Span { source: self.source, start, len, line, column }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters_in_any_order() {
        let places = Places::new(SourceId(3), "a\nüb\ncd");
        let at = |start| {
            let span = places.span(start, 1);
            (span.line, span.column)
        };
        assert_eq!([at(0), at(4), at(6), at(7), at(2), at(4)], [(1, 1), (2, 2), (3, 1), (3, 2), (2, 1), (2, 2)]);
        assert_eq!(places.span(0, 2).source, SourceId(3));
    }
}
