//! A parsed text whose every node knows where it stands and where its value came from.

use crate::diag::Span;

/// One value of a scenario file.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What stands there.
    pub value: Value,
    /// Where it stands. Of a map, its first key; of a list, its first element or its bracket.
    pub span: Span,
    /// Where the value came from.
    pub origin: Origin,
    /// Where a parameter's value is used, if this is one.
    pub via: Option<Span>,
    /// A mistake in it has been told: readers pass over it.
    pub pruned: bool,
}

/// What stands at a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing, or `null`.
    Null,
    /// A scalar.
    Scalar(Scalar),
    /// A list.
    Seq(Vec<Node>),
    /// A map, in file order.
    Map(Vec<Entry>),
}

/// A scalar: its text as it was written (without quotes), and what YAML takes it for.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar {
    /// As it was written.
    pub text: String,
    /// What YAML takes it for.
    pub kind: Kind,
}

/// What YAML takes a scalar for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Text.
    Str,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// Any other number.
    Float(f64),
}

/// One key of a map with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key's text.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A scenario file; the span says which, and where.
    File,
    /// A link preset.
    Profile(String),
    /// A parameter's value as the file gives it.
    Param(String),
    /// A parameter's value, or a change, from the command line.
    CommandLine,
}

impl Node {
    /// A text at a place.
    pub fn text(text: impl Into<String>, span: Span, origin: Origin) -> Node {
        Node::new(Value::Scalar(Scalar { text: text.into(), kind: Kind::Str }), span, origin)
    }

    /// An empty map at a place.
    pub fn empty_map(span: Span, origin: Origin) -> Node {
        Node::new(Value::Map(Vec::new()), span, origin)
    }

    /// A value at a place.
    pub fn new(value: Value, span: Span, origin: Origin) -> Node {
        Node { value, span, origin, via: None, pruned: false }
    }

    /// The entries, if this is a map.
    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The text, if this is a scalar.
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    /// The value under a key, if this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        match &mut self.value {
            Value::Map(entries) => entries.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.value),
            _ => None,
        }
    }

    /// The entry of a key, if this is a map that has it.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries()?.iter().find(|entry| entry.key == key)
    }

    /// Puts a value under a key, in place of what stands there.
    pub fn set(&mut self, entry: Entry) {
        if let Value::Map(entries) = &mut self.value {
            match entries.iter_mut().find(|e| e.key == entry.key) {
                Some(there) => *there = entry,
                None => entries.push(entry),
            }
        }
    }

    /// Takes a key away; what stood there.
    pub fn remove(&mut self, key: &str) -> Option<Entry> {
        match &mut self.value {
            Value::Map(entries) => {
                let at = entries.iter().position(|entry| entry.key == key)?;
                Some(entries.remove(at))
            }
            _ => None,
        }
    }

    /// Whether a mistake in this node or below it has been told.
    pub fn has_pruned(&self) -> bool {
        self.pruned
            || match &self.value {
                Value::Seq(nodes) => nodes.iter().any(Node::has_pruned),
                Value::Map(entries) => entries.iter().any(|entry| entry.value.has_pruned()),
                Value::Null | Value::Scalar(_) => false,
            }
    }

    /// Gives this node and all below it another origin.
    pub fn set_origin(&mut self, origin: &Origin) {
        self.origin = origin.clone();
        self.each_child(|child| child.set_origin(origin));
    }

    /// Calls `f` with every direct child.
    pub fn each_child(&mut self, mut f: impl FnMut(&mut Node)) {
        match &mut self.value {
            Value::Seq(nodes) => nodes.iter_mut().for_each(f),
            Value::Map(entries) => entries.iter_mut().for_each(|entry| f(&mut entry.value)),
            Value::Null | Value::Scalar(_) => {}
        }
    }

    /// The value in one line, as YAML writes it.
    pub fn inline(&self) -> String {
        let list = |items: Vec<String>| items.join(", ");
        match &self.value {
            Value::Null => "none".to_owned(),
            Value::Scalar(scalar) => scalar.text.clone(),
            Value::Seq(nodes) => format!("[{}]", list(nodes.iter().map(Node::inline).collect())),
            Value::Map(entries) => {
                let one = |entry: &Entry| format!("{}: {}", entry.key, entry.value.inline());
                format!("{{ {} }}", list(entries.iter().map(one).collect()))
            }
        }
    }

    /// What this is, for messages: "a list", "`5`".
    pub fn describe(&self) -> String {
        match &self.value {
            Value::Null => "nothing".into(),
            Value::Scalar(scalar) => format!("`{}`", scalar.text),
            Value::Seq(_) => "a list".into(),
            Value::Map(_) => "a map".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(text: &str) -> Node {
        Node::text(text, Span::default(), Origin::File)
    }

    fn entry(key: &str, value: Node) -> Entry {
        Entry { key: key.into(), key_span: Span::default(), value }
    }

    #[test]
    fn setting_replaces_in_place_and_appends_what_is_new() {
        let mut map = Node::empty_map(Span::default(), Origin::File);
        map.set(entry("a", leaf("1")));
        map.set(entry("b", leaf("2")));
        map.set(entry("a", leaf("3")));
        let keys: Vec<_> =
            map.entries().unwrap().iter().map(|e| (e.key.as_str(), e.value.as_text().unwrap())).collect();
        assert_eq!(keys, [("a", "3"), ("b", "2")]);
        assert_eq!(map.remove("a").unwrap().value, leaf("3"));
        assert!(map.get("a").is_none());
    }

    #[test]
    fn a_told_mistake_shows_from_above() {
        let mut inner = Node::empty_map(Span::default(), Origin::File);
        inner.set(entry("x", Node { pruned: true, ..leaf("bad") }));
        let mut outer = Node::empty_map(Span::default(), Origin::File);
        outer.set(entry("inner", inner));
        assert!(outer.has_pruned());
        outer.set(entry("inner", leaf("fine")));
        assert!(!outer.has_pruned());
    }
}
