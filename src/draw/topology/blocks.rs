//! Where nodes stand in a network that is too large for layers: each above a block of what hangs on it, about as wide as
//! high, so that hosts stand together below their switch. Links are straight lines behind the boxes.

use super::Graph;
use super::layered::{Area, Layout};

/// Columns and rows between two blocks.
const GAP: [usize; 2] = [2, 2];
/// How much higher than wide a cell is, and a little more, since screens are wide.
const ASPECT: f64 = 3.0;
/// Columns between parts of the network that do not hang together.
const APART: usize = 6;

/// Lays out a network of any size.
pub(super) fn layout(graph: &Graph, width: usize) -> Layout {
    let mut out = Layout {
        nodes: vec![Area::default(); graph.nodes.len()],
        labels: vec![None; graph.edges.len()],
        ..Layout::default()
    };
    let adjacency = graph.adjacency();
    let (mut x, mut y, mut row) = (0, 0, 0);
    for part in graph.components() {
        let [part_width, part_height] = place(graph, &part, &adjacency, &mut out.nodes);
        if x > 0 && x + part_width > width {
            (x, y, row) = (0, y + row + GAP[1], 0);
        }
        for node in &part {
            out.nodes[*node].x += x;
            out.nodes[*node].y += y;
        }
        (out.width, out.height) = (out.width.max(x + part_width), out.height.max(y + part_height));
        (x, row) = (x + part_width + APART, row.max(part_height));
    }
    let middle = |area: Area| (area.x + area.width / 2, area.y + area.height / 2);
    out.wires =
        graph.edges.iter().map(|edge| edge.ends.iter().map(|end| middle(out.nodes[end.node])).collect()).collect();
    out
}

/// Places a part that hangs together; returns its width and height.
fn place(graph: &Graph, part: &[usize], adjacency: &[Vec<usize>], areas: &mut [Area]) -> [usize; 2] {
    // the tree of a search in breadth
    let mut position = vec![usize::MAX; graph.nodes.len()];
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); part.len()];
    let mut above = vec![usize::MAX; part.len()];
    part.iter().enumerate().for_each(|(n, node)| position[*node] = n);
    for (n, &node) in part.iter().enumerate() {
        for other in adjacency[node].iter().map(|e| position[graph.edges[*e].other(node)]) {
            if other != 0 && other != n && above[other] == usize::MAX {
                above[other] = n;
                children[n].push(other);
            }
        }
    }
    // sizes from the leaves up, places from the root down
    let mut blocks = vec![[0usize; 2]; part.len()];
    let mut offsets = vec![[0usize; 2]; part.len()];
    for n in (0..part.len()).rev() {
        let [width, height] = size(graph, part[n]);
        // leaves first, close to their node; then rows of blocks of about one height
        children[n].sort_by_key(|child| (blocks[*child][1], *child));
        let all: usize =
            children[n].iter().map(|child| (blocks[*child][0] + GAP[0]) * (blocks[*child][1] + GAP[1])).sum();
        let wanted = libm::sqrt(all as f64 * ASPECT) as usize;
        let [mut x, mut y, mut row, mut used] = [0, height + GAP[1], 0, width];
        for &child in &children[n] {
            let [wide, high] = blocks[child];
            if x > 0 && x + wide > wanted {
                (x, y, row) = (0, y + row + GAP[1], 0);
            }
            offsets[child] = [x, y];
            used = used.max(x + wide);
            (x, row) = (x + wide + GAP[0], row.max(high));
        }
        blocks[n] = [used, if children[n].is_empty() { height } else { y + row }];
    }
    let mut origins = vec![[0usize; 2]; part.len()];
    for n in 0..part.len() {
        if above[n] != usize::MAX {
            let [x, y] = origins[above[n]];
            origins[n] = [x + offsets[n][0], y + offsets[n][1]];
        }
        let [width, height] = size(graph, part[n]);
        areas[part[n]] = Area { x: origins[n][0] + (blocks[n][0] - width) / 2, y: origins[n][1], width, height };
    }
    blocks[0]
}

fn size(graph: &Graph, node: usize) -> [usize; 2] {
    let lines = graph.nodes[node].lines();
    [lines.iter().map(|line| line.chars().count()).max().unwrap_or(0) + 4, lines.len() + 2]
}

#[cfg(test)]
mod tests {
    use super::super::testing::{network, tangle};
    use super::*;

    fn assert_clear(graph: &Graph) {
        let layout = layout(graph, 200);
        for (n, a) in layout.nodes.iter().enumerate() {
            assert!(a.x + a.width <= layout.width && a.y + a.height <= layout.height, "{n} is outside: {a:?}");
            for (m, b) in layout.nodes.iter().enumerate().skip(n + 1) {
                let apart =
                    a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
                assert!(apart, "{n} {a:?} lies on {m} {b:?}");
            }
        }
        assert_eq!(layout.wires.len(), graph.edges.len());
        assert_eq!(layout, super::layout(graph, 200), "the same again");
    }

    #[test]
    fn no_box_lies_on_another() {
        for n in [2, 3, 10, 50, 200] {
            assert_clear(&tangle(n, n * 2));
            assert_clear(&tangle(n, n - 1));
        }
        assert_clear(&network(&["a", "b", "c", "d:switch"], &["x a b"]));
    }

    #[test]
    fn a_thousand_routers_have_their_places() {
        assert_clear(&tangle(1000, 5000));
        let hosts: Vec<String> = (0..400).map(|n| format!("h{n}")).chain(["s:switch".into()]).collect();
        let links: Vec<String> = (0..400).map(|n| format!("l{n} h{n} s")).collect();
        let [hosts, links] = [&hosts, &links].map(|list| list.iter().map(String::as_str).collect::<Vec<_>>());
        let star = network(&hosts, &links);
        let Layout { width, height, .. } = layout(&star, 200);
        assert!(width * height < 3 * 400 * 10 * 6 && width < 4 * height && height < width, "{width} × {height}");
    }
}
