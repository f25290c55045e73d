//! A network in the DOT language of Graphviz: `dot`, `neato` and many other programs read it.

use std::fmt::Write as _;

use super::{Graph, Shape};
use crate::diag::printable::is_printable;

/// The network as an undirected graph; everything is in it, alike or not.
pub fn draw(graph: &Graph) -> String {
    let mut out = format!(
        "graph {} {{\n  label={};\n  labelloc=t;\n  node [fontname=\"sans-serif\"];\n  edge [fontname=\"sans-serif\", fontsize=10];\n",
        quoted(&graph.title),
        quoted(&graph.title)
    );
    for node in &graph.nodes {
        let shape = match node.shape() {
            Shape::Box => "shape=box",
            Shape::Heavy => "shape=box, penwidth=3",
            Shape::Round => "shape=ellipse",
            Shape::Dashed => "shape=box, style=dashed",
            Shape::Cloud => "shape=ellipse, style=dashed",
        };
        let label = quoted(&node.lines().join("\n"));
        let told = quoted(&node.about.join("\n"));
        let _ = writeln!(out, "  {} [{shape}, label={label}, tooltip={told}];", quoted(&node.name));
    }
    for edge in &graph.edges {
        let [a, b] = edge.ends.each_ref().map(|end| quoted(&graph.nodes[end.node].name));
        let [tail, head] = edge.ends.each_ref().map(|end| quoted(end.interface.as_deref().unwrap_or_default()));
        let label = quoted(&edge.lines(graph).join("\n"));
        let _ = writeln!(out, "  {a} -- {b} [label={label}, taillabel={tail}, headlabel={head}];");
    }
    out.push_str("}\n");
    out
}

/// A double-quoted string: only the quote itself is escaped in DOT, and a backslash would begin an escape of a label.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if is_printable(c) => out.push(c),
            _ => {}
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::super::testing::network;
    use super::*;

    #[test]
    fn everything_is_in_it_and_quoted() {
        let mut graph = network(
            &["a-1", "graph", "s:switch", "r:router", "vm:external", "i:cloud"],
            &["x a-1.eth0 s 5ms|6ms", "node graph.eth0 s 1ms", "y s r", "z r i", "w s vm.lw0"],
        );
        graph.title = "it's \"this\" \\ and\u{7} that".into();
        graph.nodes[0].about = vec!["10.0.0.1/24".into(), "fd00::1/64".into()];
        insta::assert_snapshot!(draw(&graph));
    }
}
