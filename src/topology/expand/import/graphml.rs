//! GraphML: graphs in XML, whose `key` elements say what `data` elements mean (U. Brandes et al., "GraphML Progress
//! Report", GD 2001; graphml.graphdrawing.org).

use std::collections::BTreeMap;

use roxmltree::{Document, Node};

use super::graph::{Attribute, Edge, Graph, Places, Vertex, Wrong, wrong};
use crate::diag::{SourceId, Span};

/// What `data` with a `key` says.
struct Key<'x> {
    name: &'x str,
    /// `node`, `edge`, `graph` or `all`.
    of: &'x str,
    default: Option<(&'x str, Span)>,
}

/// Reads a graph.
pub(super) fn read(source: SourceId, text: &str) -> Result<Graph, Wrong> {
    let places = Places::new(source, text);
    let document = Document::parse(text).map_err(|error| {
        let at = error.pos();
        let start = offset(text, at.row, at.col);
        // the library repeats the place in its words; ours stands in the span
        let message = error.to_string();
        let message = message.rsplit_once(" at ").map_or(message.as_str(), |(words, _)| words);
        let help = "GraphML is XML: `<graphml><graph edgedefault=\"undirected\">…`";
        wrong(places.span(start, 0), format!("not XML: {message}"), help)
    })?;
    let place = |node: Node<'_, '_>| places.span(node.range().start, 1 + node.tag_name().name().len());
    let root = document.root_element();
    let keys = keys(root, &place);
    let mut graphs = root.children().filter(|node| node.has_tag_name_of("graph"));
    let Some(graph) = graphs.next().filter(|_| root.has_tag_name_of("graphml")) else {
        return Err(wrong(place(root), "there is no `graph` in this file", "`<graphml>` has a `<graph>` in it"));
    };
    if let Some(second) = graphs.next() {
        return Err(wrong(place(second), "a second `graph`", "one file holds one graph: import them from two files"));
    }
    let directed = graph.attribute("edgedefault") == Some("directed");
    let mut found = Graph::default();
    for node in graph.children().filter(Node::is_element) {
        let span = place(node);
        let named = |name: &str| -> Result<(String, Span), Wrong> {
            let attribute = node.attribute_node(name);
            let attribute = attribute.ok_or_else(|| {
                let message = format!("this {} has no `{name}`", node.tag_name().name());
                wrong(span, message, format!("as in `{name}=\"n1\"`"))
            })?;
            let range = attribute.range_value();
            Ok((attribute.value().to_owned(), places.span(range.start, range.len())))
        };
        match node.tag_name().name() {
            "node" => {
                let (id, _) = named("id")?;
                if let Some(inner) = node.children().find(|child| child.has_tag_name_of("graph")) {
                    let help = "take the inner graph out, or import it from a file of its own";
                    return Err(wrong(place(inner), "a graph within a node", help));
                }
                found.nodes.push(Vertex { id, span, attributes: attributes(node, "node", &keys, &places) });
            }
            "edge" => {
                let ends = [named("source")?, named("target")?];
                let directed = node.attribute("directed").map_or(directed, |own| own == "true");
                let attributes = attributes(node, "edge", &keys, &places);
                found.edges.push(Edge { ends, directed, span, attributes });
            }
            "hyperedge" => {
                let help = "a link has two ends: put a node in its place, and an edge to each";
                return Err(wrong(span, "an edge of more than two nodes", help));
            }
            _ => {}
        }
    }
    Ok(found)
}

/// Whatever its namespace: files in the field have several, or none.
trait Named {
    fn has_tag_name_of(&self, name: &str) -> bool;
}

impl Named for Node<'_, '_> {
    fn has_tag_name_of(&self, name: &str) -> bool {
        self.is_element() && self.tag_name().name() == name
    }
}

fn keys<'x>(root: Node<'x, '_>, place: &impl Fn(Node<'_, '_>) -> Span) -> BTreeMap<&'x str, Key<'x>> {
    let mut keys = BTreeMap::new();
    for node in root.children().filter(|node| node.has_tag_name_of("key")) {
        let (Some(id), Some(name)) = (node.attribute("id"), node.attribute("attr.name")) else { continue };
        let default = node.children().find(|child| child.has_tag_name_of("default"));
        let default = default.and_then(|default| Some((default.text()?.trim(), place(default))));
        keys.insert(id, Key { name, of: node.attribute("for").unwrap_or("all"), default });
    }
    keys
}

/// What `data` elements say, and the defaults of keys of which they say nothing.
fn attributes(node: Node<'_, '_>, of: &str, keys: &BTreeMap<&str, Key<'_>>, places: &Places<'_>) -> Vec<Attribute> {
    let mut all: Vec<Attribute> = Vec::new();
    for data in node.children().filter(|child| child.has_tag_name_of("data")) {
        let Some(key) = data.attribute("key").and_then(|id| keys.get(id)) else { continue };
        let Some(text) = data.children().find(Node::is_text) else { continue };
        let (range, value) = (text.range(), text.text().unwrap_or_default());
        let trimmed = value.trim();
        let before = value.len() - value.trim_start().len();
        let span = places.span(range.start + before, trimmed.len().min(range.len()));
        all.push(Attribute { name: key.name.to_owned(), text: trimmed.to_owned(), span });
    }
    for key in keys.values().filter(|key| key.of == of || key.of == "all") {
        if let Some((text, span)) = key.default
            && !all.iter().any(|attribute| attribute.name == key.name)
        {
            all.push(Attribute { name: key.name.to_owned(), text: text.to_owned(), span });
        }
    }
    all
}

/// The offset of a row and column, both from 1.
fn offset(text: &str, row: u32, column: u32) -> usize {
    let mut start = 0;
    for line in text.split_inclusive('\n').take(row.saturating_sub(1) as usize) {
        start += line.len();
    }
    let line = &text[start..];
    start + line.char_indices().nth(column.saturating_sub(1) as usize).map_or(line.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::super::graph::find;
    use super::*;
    use proptest::prelude::*;

    const ZOO: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
  <key attr.name="LinkSpeedRaw" attr.type="double" for="edge" id="d35" />
  <key attr.name="label" attr.type="string" for="node" id="d32" />
  <key attr.name="latency" attr.type="string" for="edge" id="d2"><default>5 ms</default></key>
  <graph edgedefault="undirected">
    <data key="d0">x</data>
    <node id="0"><data key="d32">New York</data></node>
    <node id="1" />
    <edge source="0" target="1">
      <data key="d35"> 10000000000.0
      </data>
    </edge>
    <edge source="1" target="0" directed="true"><data key="d2">7 ms</data></edge>
  </graph>
</graphml>"#;

    #[test]
    fn nodes_and_edges_with_their_places() {
        let graph = read(SourceId(0), ZOO).unwrap();
        assert_eq!(graph.nodes.iter().map(|node| node.id.as_str()).collect::<Vec<_>>(), ["0", "1"]);
        assert_eq!(find(&graph.nodes[0].attributes, "label").unwrap().text, "New York");
        let [one, two] = &graph.edges[..] else { panic!("two edges") };
        let speed = find(&one.attributes, "linkspeedraw").unwrap();
        assert_eq!((speed.text.as_str(), speed.span.line, speed.span.column), ("10000000000.0", 11, 24));
        let latency = |edge: &Edge| find(&edge.attributes, "latency").map(|a| (a.text.clone(), a.span.line)).unwrap();
        assert_eq!([latency(one), latency(two)], [("5 ms".into(), 5), ("7 ms".into(), 14)]);
        assert_eq!([one.directed, two.directed], [false, true]);
        assert_eq!((two.ends[0].0.as_str(), two.ends[0].1.line, two.ends[0].1.len), ("1", 14, 1));
    }

    #[test]
    fn mistakes_have_places() {
        let told = |text: &str| read(SourceId(0), text).unwrap_err().to_string();
        assert!(told("graph [ ]").starts_with("1:1: not XML"), "{}", told("graph [ ]"));
        assert!(told("<graphml>\n <graph></grap></graphml>").starts_with("2:9: not XML"));
        assert!(told("<graphml/>").contains("no `graph`"));
        assert!(told("<g><graph/></g>").contains("no `graph`"));
        assert!(told("<graphml><graph/><graph/></graphml>").starts_with("1:18: a second `graph`"));
        assert!(told("<graphml><graph><node/></graph></graphml>").starts_with("1:17: this node has no `id`"));
        assert!(told("<graphml><graph><edge source='1'/></graph></graphml>").contains("no `target`"));
        assert!(told("<graphml><graph><hyperedge/></graph></graphml>").contains("more than two"));
        assert!(told("<graphml><graph><node id='1'><graph/></node></graph></graphml>").contains("within a node"));
        // entities that grow without end are not read at all
        assert!(told("<!DOCTYPE x [<!ENTITY a \"&a;\">]><graphml>&a;</graphml>").contains("not XML"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(<graphml>|</graphml>|<graph>|</graph>|<node id='1'>|</node>|<edge|source='1'|/>|<data key='d'>|ü|<|>|&|\n| ){0,40}") {
            let _ = read(SourceId(0), &text);
        }
    }
}
