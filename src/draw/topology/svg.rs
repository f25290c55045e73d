//! A network as an SVG picture: by itself in a file, or inside a page. It loads nothing, and follows the reader's choice
//! of a light or a dark page.

use std::fmt::Write as _;

use super::layered::{self, Area, Layout};
use super::{Graph, Node, Shape, branches, fold};
use crate::diag::printable::is_printable;

/// A cell of the layout in pixels.
const CELL: [usize; 2] = [8, 18];
/// Around the picture, in pixels.
const MARGIN: usize = 16;
/// The title's height in pixels.
const HEAD: usize = 36;
/// Columns of a picture that nobody wants narrower.
pub const WIDTH: usize = 160;
/// With more nodes, rows of alike ones are drawn as one.
const MOST_SINGLE: usize = 12;
/// With more nodes, they stand beside each other in branches; words of links for which there is no room show when pointed at.
const MOST_IN_LAYERS: usize = 60;

/// Names begin with `lw-`, since a page may have styles of its own. The colours are those of the other pictures: blue and
/// orange of the Okabe–Ito palette.
const STYLE: &str = "\
.lw-ground{fill:#fff}.lw-ink{fill:#222}.lw-faint{fill:#666}.lw-box{fill:#f4f6f8;stroke:#222}.lw-wire{fill:none;stroke:#0072b2}
.lw-link:hover .lw-wire{stroke:#d55e00;stroke-width:3}
@media(prefers-color-scheme:dark){.lw-ground{fill:#16191d}.lw-ink{fill:#eee}.lw-faint{fill:#aaa}\
.lw-box{fill:#23282e;stroke:#ddd}.lw-wire{stroke:#56b4e9}.lw-link:hover .lw-wire{stroke:#e69f00}}";

/// The picture, as a whole SVG document that may also stand inside an HTML page. Where nodes in layers, with rows of alike ones drawn
/// as one, take more than so many columns, they stand in branches.
pub fn draw(graph: &Graph, columns: usize) -> String {
    let layers = |graph: &Graph| {
        let layout = (graph.nodes.len() <= MOST_IN_LAYERS).then(|| layered::layout(graph, columns)).flatten();
        layout.filter(|layout| layout.width <= columns)
    };
    let single = if graph.nodes.len() <= MOST_SINGLE { layers(graph) } else { None };
    match single {
        Some(layout) => picture(graph, &layout),
        None => {
            let folded = fold::folded(graph);
            picture(&folded, &layers(&folded).unwrap_or_else(|| branches::layout(&folded, columns)))
        }
    }
}

fn picture(graph: &Graph, layout: &Layout) -> String {
    let title = printable(&graph.title);
    let summary = graph.summary();
    // letters of the title are wider than a cell
    let words = [title.chars().count() * 11, summary.chars().count() * CELL[0]].into_iter().max().unwrap_or(0);
    let width = (layout.width * CELL[0]).max(words) + 2 * MARGIN;
    let height = layout.height * CELL[1] + 2 * MARGIN + HEAD + 18;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         role=\"img\" aria-label=\"{title}\" font-family=\"ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace\" \
         font-size=\"13\">\n<style>{STYLE}</style>\n\
         <rect class=\"lw-ground\" width=\"{width}\" height=\"{height}\"/>\n\
         <text class=\"lw-ink\" x=\"{MARGIN}\" y=\"{}\" font-size=\"18\" font-weight=\"bold\">{title}</text>\n\
         <text class=\"lw-faint\" x=\"{MARGIN}\" y=\"{}\">{summary}</text>\n",
        MARGIN + 16,
        MARGIN + HEAD,
    );
    for (n, wire) in layout.wires.iter().enumerate() {
        write_link(&mut out, graph, n, wire, layout);
    }
    for (node, area) in graph.nodes.iter().zip(&layout.nodes) {
        write_node(&mut out, node, *area);
    }
    for (x, y, name) in &layout.names {
        let _ = writeln!(
            out,
            "<text class=\"lw-faint\" x=\"{}\" y=\"{}\" font-size=\"11\">{}</text>",
            left(*x) + 2,
            top(*y) + 13,
            printable(name)
        );
    }
    out.push_str("</svg>\n");
    out
}

/// The left edge of a column, and the upper edge of a row, in pixels.
fn left(column: usize) -> usize {
    MARGIN + column * CELL[0]
}

fn top(row: usize) -> usize {
    MARGIN + HEAD + 18 + row * CELL[1]
}

fn write_link(out: &mut String, graph: &Graph, n: usize, wire: &[(usize, usize)], layout: &Layout) {
    let edge = &graph.edges[n];
    let ends = edge.ends.each_ref().map(|end| {
        let name = &graph.nodes[end.node].name;
        end.interface.as_ref().map_or_else(|| name.clone(), |interface| format!("{name}.{interface}"))
    });
    let ways = edge.ways(graph).join("\n");
    let told = [format!("{}: {} – {}", edge.name, ends[0], ends[1]), ways, edge.members.join(", ")];
    let told: Vec<&str> = told.iter().map(String::as_str).filter(|line| !line.is_empty()).collect();
    let points: Vec<String> =
        wire.iter().map(|(x, y)| format!("{},{}", left(*x) + CELL[0] / 2, top(*y) + CELL[1] / 2)).collect();
    let _ = writeln!(
        out,
        "<g class=\"lw-link\"><title>{}</title><polyline class=\"lw-wire\" stroke-width=\"1.5\" stroke-linejoin=\"round\" \
         points=\"{}\"/>",
        printable(&told.join("\n")),
        points.join(" ")
    );
    if let Some(area) = layout.labels[n] {
        for (n, line) in edge.lines(graph).iter().enumerate() {
            let class = if n == 0 { "lw-ink" } else { "lw-faint" };
            let (x, y) = (left(area.x), top(area.y + n) + 13);
            let _ = writeln!(out, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{}</text>", printable(line));
        }
    }
    out.push_str("</g>\n");
}

fn write_node(out: &mut String, node: &Node, area: Area) {
    // lines end in the middle of the border's cells
    let (x, y) = (left(area.x) + CELL[0] / 2, top(area.y) + CELL[1] / 2);
    let (width, height) = ((area.width - 1) * CELL[0], (area.height - 1) * CELL[1]);
    let (radius, dashes, stroke) = match node.shape() {
        Shape::Box => (3, "", "1.5"),
        Shape::Heavy => (0, "", "3"),
        Shape::Round => (height / 2, "", "1.5"),
        Shape::Dashed => (3, " stroke-dasharray=\"6 4\"", "1.5"),
        Shape::Cloud => (height / 2, " stroke-dasharray=\"6 4\"", "1.5"),
    };
    let mut told = vec![format!("{}: {}", node.name, node.what())];
    told.extend(node.about.iter().cloned());
    told.extend((!node.members.is_empty()).then(|| node.members.join(", ")));
    let [name, what] = node.lines();
    let middle = x + width / 2;
    let _ = writeln!(
        out,
        "<g><title>{}</title><rect class=\"lw-box\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"{radius}\" \
         stroke-width=\"{stroke}\"{dashes}/><text class=\"lw-ink\" x=\"{middle}\" y=\"{}\" text-anchor=\"middle\" \
         font-weight=\"bold\">{}</text><text class=\"lw-faint\" x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{what}</text></g>",
        printable(&told.join("\n")),
        y + 23,
        printable(&name),
        y + 41,
    );
}

/// Text of XML, which has no control characters; what does not print is U+FFFD.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push(c),
            c if is_printable(c) => out.push(c),
            _ => out.push('\u{fffd}'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::testing::{network, tangle};
    use super::*;

    /// Well-formed, by itself, all names in it, nothing outside.
    fn assert_whole(graph: &Graph) -> String {
        let svg = draw(graph, WIDTH);
        let document = roxmltree::Document::parse(&svg).unwrap_or_else(|error| panic!("{error}:\n{svg}"));
        let root = document.root_element();
        assert_eq!((root.tag_name().name(), root.tag_name().namespace()), ("svg", Some("http://www.w3.org/2000/svg")));
        let size = ["width", "height"].map(|key| root.attribute(key).and_then(|v| v.parse::<f64>().ok()).unwrap());
        let texts: String =
            root.descendants().filter_map(|node| node.text()).fold(String::new(), |all, t| all + t + "\n");
        for name in graph.nodes.iter().map(|node| &node.name).chain(graph.edges.iter().map(|edge| &edge.name)) {
            assert!(texts.contains(name.as_str()), "{name} in\n{svg}");
        }
        for node in root.descendants().filter(roxmltree::Node::is_element) {
            let number = |key: &str| node.attribute(key).and_then(|v| v.parse::<f64>().ok()).unwrap_or(0.0);
            assert!(!["image", "script", "use", "foreignObject"].contains(&node.tag_name().name()));
            assert!(node.attributes().all(|a| !a.name().contains("href") && !a.value().contains("url(")));
            let mut right = number("x") + number("width");
            if node.tag_name().name() == "text" {
                let long = node.text().unwrap_or_default().chars().count() as f64 * CELL[0] as f64;
                right += if node.attribute("text-anchor") == Some("middle") { long / 2.0 } else { long };
            }
            assert!(right <= size[0] && number("y") + number("height") <= size[1], "outside: {node:?} of {size:?}");
        }
        svg
    }

    #[test]
    fn all_sizes_are_whole() {
        for graph in [Graph::default(), tangle(5, 8), tangle(40, 60), tangle(300, 900)] {
            assert_whole(&graph);
            assert_eq!(draw(&graph, WIDTH), draw(&graph, WIDTH));
        }
        let mut odd = network(
            &["a", "s:switch", "r:router", "vm:external", "i:cloud"],
            &["x a.eth0 s 5ms|6ms", "y s r", "z r i", "w s vm"],
        );
        odd.title = "<&\"> \u{1} \u{ffff}'".into();
        assert!(assert_whole(&odd).contains("&lt;&amp;&quot;&gt;"));
    }

    #[test]
    fn many_alike_are_one_and_keep_their_names() {
        let names: Vec<String> = (1..=40).map(|n| format!("c{n}")).collect();
        let links: Vec<String> = (1..=40).map(|n| format!("l{n} c{n}.eth0 s 5ms")).collect();
        let nodes: Vec<&str> = names.iter().map(String::as_str).chain(["s:switch"]).collect();
        let graph = network(&nodes, &links.iter().map(String::as_str).collect::<Vec<_>>());
        let svg = assert_whole(&graph);
        assert!(svg.contains(">40 hosts<") && svg.matches("<rect").count() == 3, "{svg}");
    }

    #[test]
    fn light_and_dark_are_in_it() {
        let svg = draw(&tangle(3, 2), WIDTH);
        assert!(svg.contains("prefers-color-scheme:dark") && !svg.contains("http://www.w3.org/1999"));
    }
}
