//! Where nodes stand in a network that is too large for layers: rings around the middle, each node in its own part of the
//! circle, links as straight lines.

use super::Graph;
use super::layered::{Area, Layout};

/// Cells between two boxes, and between rings, beyond what the boxes need.
const GAP: f64 = 3.0;
/// How much higher than wide a cell is, so that rings look round.
const ASPECT: f64 = 2.0;
/// Cells between parts of the network that do not hang together.
const APART: usize = 6;

/// Lays out a network of any size.
pub(super) fn layout(graph: &Graph, width: usize) -> Layout {
    let mut out = Layout {
        nodes: vec![Area::default(); graph.nodes.len()],
        labels: vec![None; graph.edges.len()],
        ..Layout::default()
    };
    let (mut x, mut y, mut row) = (0, 0, 0);
    for part in graph.components() {
        let [part_width, part_height] = place(graph, &part, &mut out.nodes);
        if x > 0 && x + part_width > width {
            (x, y, row) = (0, y + row + APART / 2, 0);
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
fn place(graph: &Graph, part: &[usize], areas: &mut [Area]) -> [usize; 2] {
    let size = |node: usize| {
        let lines = graph.nodes[node].lines();
        (lines.iter().map(|line| line.chars().count()).max().unwrap_or(0) + 4, lines.len() + 2)
    };
    // all boxes fit into a circle of this width
    let widest = part.iter().map(|node| size(*node).0).max().unwrap_or(1) as f64;
    let highest = part.iter().map(|node| size(*node).1).max().unwrap_or(1) as f64 * ASPECT;
    let step = libm::sqrt(widest * widest + highest * highest) + GAP;

    let adjacency = graph.adjacency();
    let mut parent = vec![usize::MAX; graph.nodes.len()];
    let mut depth = vec![0usize; graph.nodes.len()];
    let mut seen = vec![false; graph.nodes.len()];
    seen[part[0]] = true;
    for &node in part {
        for other in adjacency[node].iter().map(|e| graph.edges[*e].other(node)) {
            if !std::mem::replace(&mut seen[other], true) {
                (parent[other], depth[other]) = (node, depth[node] + 1);
            }
        }
    }
    let mut leaves = vec![0f64; graph.nodes.len()];
    for &node in part.iter().rev() {
        leaves[node] = leaves[node].max(1.0);
        if parent[node] != usize::MAX {
            leaves[parent[node]] += leaves[node];
        }
    }
    // each node's part of the circle: where it begins, and how much of it its children have taken
    let turn = 2.0 * core::f64::consts::PI;
    let all = leaves[part[0]];
    let mut begin = vec![0f64; graph.nodes.len()];
    let mut taken = vec![0f64; graph.nodes.len()];
    let mut angles: Vec<Vec<f64>> = Vec::new();
    let mut angle = vec![0f64; graph.nodes.len()];
    for &node in part {
        if parent[node] != usize::MAX {
            let above = parent[node];
            begin[node] = begin[above] + taken[above];
            taken[above] += leaves[node];
        }
        angle[node] = (begin[node] + leaves[node] / 2.0) / all * turn;
        angles.resize(angles.len().max(depth[node] + 1), Vec::new());
        angles[depth[node]].push(angle[node]);
    }
    let mut radius = vec![0f64];
    for ring in &mut angles[1..] {
        ring.sort_by(f64::total_cmp);
        let around = ring.first().map(|first| first + turn);
        let closest = ring.iter().skip(1).copied().chain(around).zip(ring.iter()).map(|(next, at)| next - at);
        let closest = closest.fold(turn, f64::min).min(turn / 2.0);
        let needed = step / (2.0 * libm::sin(closest / 2.0));
        let before = radius.last().copied().unwrap_or(0.0);
        radius.push(needed.max(before + step));
    }
    let outer = radius.last().copied().unwrap_or(0.0) + step / 2.0;
    for &node in part {
        let (width, height) = size(node);
        let (sin, cos) = libm::sincos(angle[node]);
        let middle = [outer + radius[depth[node]] * cos, (outer + radius[depth[node]] * sin) / ASPECT];
        let [x, y] =
            [middle[0] - width as f64 / 2.0, middle[1] - height as f64 / 2.0].map(|at| at.round().max(0.0) as usize);
        areas[node] = Area { x, y, width, height };
    }
    [(outer * 2.0).ceil() as usize + 1, (outer * 2.0 / ASPECT).ceil() as usize + 1]
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
    }
}
