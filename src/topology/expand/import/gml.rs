//! GML, the graph modelling language: keys with values, which are numbers, texts or lists of the same.
//!
//! Grammar: M. Himsolt, "GML: A portable Graph File Format", University of Passau, 1997. Read as it is written in the
//! field: `_` in keys, text in UTF-8, and comments (`#`) behind values too.

use super::graph::{Attribute, Edge, Graph, Places, Vertex, Wrong, wrong};
use crate::diag::{Diagnostic, SourceId, Span};

/// Deeper than any graph goes; it bounds recursion.
const MAX_DEPTH: usize = 32;

/// A key with its value.
struct Item<'t> {
    key: &'t str,
    span: Span,
    value: Value<'t>,
    value_span: Span,
}

enum Value<'t> {
    Number(&'t str),
    Text(String),
    List(Vec<Item<'t>>),
}

/// Reads a graph.
pub(super) fn read(source: SourceId, text: &str) -> Result<Graph, Wrong> {
    let mut parser = Parser { text, at: 0, places: Places::new(source, text) };
    // A byte order mark is no key.
    parser.at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let items = parser.list(0)?;
    let mut graphs = items.into_iter().filter(|item| item.key == "graph");
    let Some(first) = graphs.next() else {
        return Err(wrong(parser.places.span(0, 0), "there is no `graph` in this file", "GML begins with `graph [`"));
    };
    if let Some(second) = graphs.next() {
        return Err(Box::new(
            Diagnostic::error(second.span, "a second `graph`")
                .related(first.span, "the first")
                .help("one file holds one graph: import them from two files"),
        ));
    }
    let Value::List(items) = first.value else {
        return Err(wrong(first.value_span, "`graph` is not a list", "as in `graph [ node [ id 1 ] ]`"));
    };
    graph(items)
}

fn graph(items: Vec<Item<'_>>) -> Result<Graph, Wrong> {
    let mut graph = Graph::default();
    let directed = items.iter().any(|item| item.key == "directed" && matches!(item.value, Value::Number("1")));
    for Item { key, span, value, value_span } in items {
        if !matches!(key, "node" | "edge") {
            continue;
        }
        let Value::List(items) = value else {
            return Err(wrong(value_span, format!("this `{key}` is not a list"), "as in `node [ id 1 ]`"));
        };
        let mut attributes: Vec<Attribute> = items.into_iter().filter_map(attribute).collect();
        let mut take = |name: &str| {
            let at = attributes.iter().position(|attribute| attribute.name == name);
            let help = format!("as in `{name} 1`");
            let taken = at.map(|at| attributes.remove(at)).map(|attribute| (attribute.text, attribute.span));
            taken.ok_or_else(|| wrong(span, format!("this {key} has no `{name}`"), help))
        };
        if key == "node" {
            let (id, _) = take("id")?;
            graph.nodes.push(Vertex { id, span, attributes });
        } else {
            let ends = [take("source")?, take("target")?];
            graph.edges.push(Edge { ends, directed, span, attributes });
        }
    }
    Ok(graph)
}

/// A number or text as an attribute. Lists, such as `graphics`, are how a graph is drawn.
fn attribute(item: Item<'_>) -> Option<Attribute> {
    let text = match item.value {
        Value::Number(text) => text.to_owned(),
        Value::Text(text) => text,
        Value::List(_) => return None,
    };
    Some(Attribute { name: item.key.to_owned(), text, span: item.value_span })
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    places: Places<'t>,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn skip(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if !trimmed.starts_with('#') {
                return;
            }
            self.at += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    /// Items up to the end of the list: `]`, or at depth 0 the end of the text.
    fn list(&mut self, depth: usize) -> Result<Vec<Item<'t>>, Wrong> {
        let mut items = Vec::new();
        loop {
            self.skip();
            let rest = self.rest();
            match rest.chars().next() {
                None if depth == 0 => return Ok(items),
                None => {
                    let end = self.places.span(self.at, 0);
                    return Err(wrong(end, "the file ends within a list", "a `]` is missing"));
                }
                Some(']') if depth > 0 => {
                    self.at += 1;
                    return Ok(items);
                }
                Some(_) => items.push(self.item(depth)?),
            }
        }
    }

    fn item(&mut self, depth: usize) -> Result<Item<'t>, Wrong> {
        let start = self.at;
        let rest = self.rest();
        let len = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let key = &rest[..len];
        if key.is_empty() || key.starts_with(|c: char| c.is_ascii_digit()) {
            let found: String = rest.chars().take_while(|c| !c.is_whitespace()).take(20).collect();
            let span = self.places.span(start, found.len());
            return Err(wrong(span, format!("not GML: expected a key, found `{found}`"), "as in `node [ id 1 ]`"));
        }
        let span = self.places.span(start, len);
        self.at += len;
        self.skip();
        let (start, rest) = (self.at, self.rest());
        let value = match rest.chars().next() {
            Some('[') if depth >= MAX_DEPTH => {
                let message = format!("not GML: lists in lists more than {MAX_DEPTH} deep");
                return Err(wrong(self.places.span(start, 1), message, "graphs need three"));
            }
            Some('[') => {
                self.at += 1;
                let span_of_list = self.places.span(start, 1);
                let value = Value::List(self.list(depth + 1)?);
                return Ok(Item { key, span, value, value_span: span_of_list });
            }
            Some('"') => {
                let Some(len) = rest[1..].find('"') else {
                    return Err(wrong(self.places.span(start, 1), "this text has no end", "a `\"` is missing"));
                };
                self.at += len + 2;
                Value::Text(plain(&rest[1..=len]))
            }
            _ => {
                let len = rest.find(|c: char| c.is_whitespace() || matches!(c, '[' | ']' | '"' | '#'));
                let word = &rest[..len.unwrap_or(rest.len())];
                if word.parse::<f64>().is_err() || word.starts_with(|c: char| c.is_ascii_alphabetic()) {
                    let shown: String = word.chars().take(20).collect();
                    let message = format!("not GML: expected the value of `{key}`, found `{shown}`");
                    let help = "a value is a number, a text in quotes, or a list in `[` and `]`";
                    return Err(wrong(self.places.span(start, word.len()), message, help));
                }
                self.at += word.len();
                Value::Number(word)
            }
        };
        let value_span = self.places.span(start, self.at - start);
        Ok(Item { key, span, value, value_span })
    }
}

/// A text without its character references (those of HTML: `&quot;`, `&#228;`).
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.find(';').filter(|end| *end < 10);
        let known = end.and_then(|end| match &rest[1..end] {
            "quot" => Some('"'),
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "apos" => Some('\''),
            number => number.strip_prefix('#')?.parse::<u32>().ok().and_then(char::from_u32),
        });
        match (known, end) {
            (Some(c), Some(end)) => {
                out.push(c);
                rest = &rest[end + 1..];
            }
            _ => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::super::graph::find;
    use super::*;
    use proptest::prelude::*;

    fn told(text: &str) -> String {
        read(SourceId(0), text).unwrap_err().to_string()
    }

    #[test]
    fn nodes_and_edges_with_their_places() {
        let text = "# by hand\nCreator \"x\"\ngraph [ directed 1\n  node [ id 0 label \"Z&#252;rich &amp; Bern\" graphics [ x 1.0 ] ]\n\
                    \tnode [ id -1 lat 47.3e0 ] # end\n  edge [ source 0 target -1 latency \"10 ms\" ]\n]\n";
        let graph = read(SourceId(0), text).unwrap();
        assert_eq!(graph.nodes.iter().map(|node| node.id.as_str()).collect::<Vec<_>>(), ["0", "-1"]);
        assert_eq!(find(&graph.nodes[0].attributes, "Label").unwrap().text, "Zürich & Bern");
        assert_eq!(graph.nodes[0].attributes.len(), 1);
        let edge = &graph.edges[0];
        assert!(edge.directed);
        assert_eq!((edge.span.line, edge.span.column, edge.ends[1].0.as_str()), (6, 3, "-1"));
        let latency = find(&edge.attributes, "latency").unwrap();
        assert_eq!((latency.text.as_str(), latency.span.line, latency.span.len), ("10 ms", 6, 7));
        assert!(!read(SourceId(0), "graph [ ]").unwrap().nodes.iter().any(|_| true));
    }

    #[test]
    fn mistakes_have_places() {
        assert!(told("").contains("no `graph`"));
        assert!(told("graph 5").starts_with("1:7: `graph` is not a list"));
        assert!(told("graph [\n node [ id 1 ]").starts_with("2:15: the file ends within a list"));
        assert!(told("graph [ node [ label \"x\" ] ]").starts_with("1:9: this node has no `id`"));
        assert!(told("graph [ edge [ source 1 ] ]").contains("no `target`"));
        assert!(told("graph [ node 5 ]").contains("not a list"));
        assert!(told("graph [ label \"x ]").starts_with("1:15: this text has no end"));
        assert!(told("graph [ id inf ]").contains("expected the value of `id`, found `inf`"));
        assert!(told("<graphml>").starts_with("1:1: not GML: expected a key, found `<graphml>`"));
        assert!(told("graph [ ] graph [ ]").contains("a second"));
        assert!(told(&"a [ ".repeat(100_000)).contains("deep"));
        assert!(told("] ").contains("expected a key, found"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(graph|node|edge|id|source|target|\\[|\\]|\"|#|&|;|ü|1|-|\n| ){0,60}") {
            let _ = read(SourceId(0), &text);
        }
    }
}
