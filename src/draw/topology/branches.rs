//! Where nodes stand in a network that is too large for layers. A tree grows from its middle to the right, each node beside those that hang
//! on it. Nodes that lie on a circle of links stand in two columns that bend away from each other, what hangs on them outside, so that
//! a link between any two of them passes no third.

use super::Graph;
use super::layered::{Area, Layout};

/// Rows between two blocks, one below the other.
const GAP: usize = 1;
/// Columns between parts of the network that do not hang together.
const APART: usize = 6;
/// Columns between the two bent columns where they are closest.
const BETWEEN: usize = 16;
/// So far the columns bend for each node in one, and at most.
const BEND: [usize; 2] = [4, 80];
/// More leaves of one node stand in rows, each below a rail.
const MOST_STACKED: usize = 8;
/// Rows from one rail to the next.
const SHELF: usize = 6;
/// How many lines of its words a link may show, the most first.
const LINES: [usize; 3] = [3, 1, 0];

/// Lays out a network of any size.
pub(super) fn layout(graph: &Graph, width: usize) -> Layout {
    let mut out = Layout {
        nodes: vec![Area::default(); graph.nodes.len()],
        labels: vec![None; graph.edges.len()],
        wires: vec![Vec::new(); graph.edges.len()],
        ..Layout::default()
    };
    let adjacency = graph.adjacency();
    let (mut x, mut y, mut row) = (0, 0, 0);
    for part in graph.components() {
        let mut forest = Forest::new(graph, &adjacency, &part);
        let [part_width, part_height] = match forest.core[..] {
            [root] => {
                let fits = LINES.iter().any(|lines| {
                    forest.measure(*lines);
                    forest.blocks[root].size[0] <= width
                });
                debug_assert!(fits || forest.lines == 0, "the narrowest is last");
                let size = forest.blocks[root].size;
                forest.place(root, [0, 0], None, &mut out);
                size
            }
            _ => forest.face_each_other(&mut out),
        };
        if x > 0 && x + part_width > width {
            (x, y, row) = (0, y + row + 2 * GAP, 0);
        }
        shift(graph, &part, &adjacency, [x, y], &mut out);
        (out.width, out.height) = (out.width.max(x + part_width), out.height.max(y + part_height));
        (x, row) = (x + part_width + APART, row.max(part_height));
    }
    out
}

/// Moves a part that was placed at the upper left corner.
fn shift(graph: &Graph, part: &[usize], adjacency: &[Vec<usize>], by: [usize; 2], out: &mut Layout) {
    for node in part {
        out.nodes[*node].x += by[0];
        out.nodes[*node].y += by[1];
        // each link once: at its first end
        for e in adjacency[*node].iter().filter(|e| graph.edges[**e].ends[0].node == *node) {
            out.wires[*e].iter_mut().for_each(|point| *point = (point.0 + by[0], point.1 + by[1]));
            if let Some(label) = &mut out.labels[*e] {
                label.x += by[0];
                label.y += by[1];
            }
        }
    }
}

/// A node and what hangs on it.
#[derive(Clone, Debug, Default)]
struct Block {
    size: [usize; 2],
    /// The row of the node's own box.
    own: usize,
    /// Nodes that hang on it, where their blocks are, and the row of the rail above those that stand on one.
    below: Vec<(usize, [usize; 2], Option<usize>)>,
}

/// What is left of a part when leaves are taken away again and again, and what was taken.
struct Forest<'a> {
    graph: &'a Graph,
    /// The middle of a tree, or all nodes on circles and on the ways between them, in an order in which neighbours follow each other.
    core: Vec<usize>,
    /// What was taken away, leaves first.
    taken: Vec<usize>,
    /// The link by which a node hangs on another; of those that were taken.
    by: Vec<Option<usize>>,
    children: Vec<Vec<usize>>,
    blocks: Vec<Block>,
    lines: usize,
}

impl<'a> Forest<'a> {
    fn new(graph: &'a Graph, adjacency: &[Vec<usize>], part: &[usize]) -> Forest<'a> {
        let n = graph.nodes.len();
        let others = |node: usize| adjacency[node].iter().map(move |e| (*e, graph.edges[*e].other(node)));
        let others = |node: usize| others(node).filter(move |(_, other)| *other != node);
        let mut left: Vec<usize> = vec![0; n];
        part.iter().for_each(|node| left[*node] = others(*node).count());
        let mut is_taken = vec![false; n];
        let mut forest = Forest {
            graph,
            core: Vec::new(),
            taken: part.iter().copied().filter(|node| left[*node] == 1).collect(),
            by: vec![None; n],
            children: vec![Vec::new(); n],
            blocks: vec![Block::default(); n],
            lines: 0,
        };
        let mut next = 0;
        while let Some(&node) = forest.taken.get(next) {
            next += 1;
            let Some((e, other)) = others(node).find(|(_, other)| !is_taken[*other]) else {
                // the last one of a tree stays
                forest.taken.retain(|one| *one != node);
                break;
            };
            is_taken[node] = true;
            forest.by[node] = Some(e);
            forest.children[other].push(node);
            left[other] -= 1;
            if left[other] == 1 {
                forest.taken.push(other);
            }
        }
        forest.children.iter_mut().for_each(|children| children.sort_unstable());
        // a search in depth
        let mut seen = is_taken;
        for start in part {
            let mut open = vec![*start];
            while let Some(node) = open.pop() {
                if !std::mem::replace(&mut seen[node], true) {
                    forest.core.push(node);
                    let mut further: Vec<usize> = others(node).map(|(_, other)| other).filter(|o| !seen[*o]).collect();
                    further.sort_unstable_by(|a, b| b.cmp(a));
                    open.extend(further);
                }
            }
        }
        forest
    }

    /// The blocks of all, if a link may show so many lines of words.
    fn measure(&mut self, lines: usize) {
        self.lines = lines;
        for n in 0..self.taken.len() {
            self.blocks[self.taken[n]] = self.block(self.taken[n]);
        }
        for n in 0..self.core.len() {
            self.blocks[self.core[n]] = self.block(self.core[n]);
        }
    }

    fn block(&self, node: usize) -> Block {
        let [width, height] = size(self.graph, node);
        let children = &self.children[node];
        if children.is_empty() {
            return Block { size: [width, height], ..Block::default() };
        }
        let is_leaf = |child: &&usize| self.children[**child].is_empty();
        let leaves = children.iter().filter(is_leaf).count();
        let stacked = |child: &&usize| leaves <= MOST_STACKED || !is_leaf(child);
        let words = children.iter().filter(stacked).map(|child| self.words(*child));
        let room = words.flatten().map(|line| line.chars().count() + 2).max().unwrap_or(0);
        let left = width + 3 + room;
        let mut block = Block { size: [width, 0], ..Block::default() };
        let mut y = 0;
        for child in children.iter().filter(stacked) {
            let one = &self.blocks[*child];
            // words stand above the link
            y += self.words(*child).len().saturating_sub(one.own + 2);
            block.below.push((*child, [left, y], None));
            block.size[0] = block.size[0].max(left + one.size[0]);
            y += one.size[1] + GAP;
        }
        let shelf: Vec<usize> = children.iter().filter(|child| !stacked(child)).copied().collect();
        let wide = shelf.iter().map(|child| self.blocks[*child].size[0] + 2).max().unwrap_or(1);
        // about as wide as high, and a little more
        let columns = libm::ceil(libm::sqrt((shelf.len() * SHELF * 3) as f64 / wide as f64)) as usize;
        for (n, child) in shelf.iter().enumerate() {
            let (row, column) = (n / columns, n % columns);
            let (x, rail) = (width + 3 + column * wide, y + row * SHELF);
            block.below.push((*child, [x, rail + 1], Some(rail)));
            block.size[0] = block.size[0].max(x + wide - 2);
        }
        y += shelf.len().div_ceil(columns.max(1)) * SHELF;
        block.size[1] = (y - GAP).max(height);
        block.own = (block.size[1] - height) / 2;
        block
    }

    /// The words of the link by which a node hangs on another, as far as they are shown.
    fn words(&self, node: usize) -> Vec<String> {
        let Some(e) = self.by[node].filter(|_| self.lines > 0) else { return Vec::new() };
        let words = self.graph.edges[e].lines(self.graph);
        if self.lines < words.len() { words[..self.lines].to_vec() } else { words }
    }

    /// Places a node and all that hangs on it; within so many columns from the right, if it grows to the left.
    fn place(&self, root: usize, at: [usize; 2], mirror: Option<usize>, out: &mut Layout) {
        let mut open = vec![(root, at)];
        let turned = |x: usize| mirror.map_or(x, |width| 2 * at[0] + width - 1 - x);
        while let Some((node, [x, y])) = open.pop() {
            let block = &self.blocks[node];
            let [width, height] = size(self.graph, node);
            let own = Area { x, y: y + block.own, width, height };
            let middle = own.y + height / 2;
            for (child, [dx, dy], rail) in &block.below {
                let (x, y) = (x + dx, y + dy);
                let [wide, high] = size(self.graph, *child);
                let trunk = own.x + width + 1;
                let row = y + self.blocks[*child].own + high / 2;
                let way = match rail {
                    Some(_) => {
                        let (rail, into) = (y - 1, x + wide / 2);
                        vec![(own.x + width - 1, middle), (trunk, middle), (trunk, rail), (into, rail), (into, y)]
                    }
                    None => vec![(own.x + width - 1, middle), (trunk, middle), (trunk, row), (x, row)],
                };
                self.wire(*child, way.into_iter().map(|(x, y)| (turned(x), y)).collect(), out);
                let words = self.words(*child);
                if let (Some(e), None, false) = (self.by[*child], rail, words.is_empty()) {
                    let width = words.iter().map(|line| line.chars().count()).max().unwrap_or(0);
                    out.labels[e] = Some(Area { x: trunk + 1, y: row - words.len(), width, height: words.len() });
                }
                open.push((*child, [x, y]));
            }
            out.nodes[node] = Area { x: mirror.map_or(own.x, |_| turned(own.x + width - 1)), ..own };
        }
    }

    fn wire(&self, child: usize, mut way: Vec<(usize, usize)>, out: &mut Layout) {
        let Some(e) = self.by[child] else { return };
        if self.graph.edges[e].ends[0].node == child {
            way.reverse();
        }
        out.wires[e] = way;
    }

    /// Places all: the core in two columns, what hangs on it outside.
    fn face_each_other(&mut self, out: &mut Layout) -> [usize; 2] {
        self.measure(0);
        let (right, left) = self.core.split_at(self.core.len().div_ceil(2));
        let left: Vec<usize> = left.iter().rev().copied().collect();
        let high = |side: &[usize]| side.iter().map(|node| self.blocks[*node].size[1] + GAP).sum::<usize>();
        let height = high(right).max(high(&left));
        let bend = (BEND[0] * right.len()).min(BEND[1]) as f64;
        // each with its row, and how far outside it stands
        let stand = |side: &[usize]| {
            let mut y = (height - high(side)) / 2;
            let stands = side.iter().map(|node| {
                let block = &self.blocks[*node];
                let middle = (y + block.own) as f64 / height as f64 * 2.0 - 1.0;
                let stands = (*node, y, libm::round(bend * (1.0 - middle * middle)) as usize);
                y += block.size[1] + GAP;
                stands
            });
            stands.collect::<Vec<_>>()
        };
        let (left, right) = (stand(&left), stand(right));
        let edge = left.iter().map(|(node, _, outside)| self.blocks[*node].size[0] + outside).max().unwrap_or(0);
        let mut width = edge;
        // where links between them end
        let mut inner = vec![None; self.graph.nodes.len()];
        for (node, y, outside) in left {
            let own = self.blocks[node].size[0];
            self.place(node, [edge - outside - own, y], Some(own), out);
            let area = out.nodes[node];
            inner[node] = Some((area.x + area.width - 1, area.y + area.height / 2));
        }
        for (node, y, outside) in right {
            let x = edge + BETWEEN + outside;
            self.place(node, [x, y], None, out);
            let area = out.nodes[node];
            inner[node] = Some((area.x, area.y + area.height / 2));
            width = width.max(x + self.blocks[node].size[0]);
        }
        for (e, edge) in self.graph.edges.iter().enumerate() {
            if let [Some(a), Some(b)] = edge.ends.each_ref().map(|end| inner[end.node]) {
                out.wires[e] = vec![a, b];
            }
        }
        [width, height]
    }
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

    /// No link of a tree, and none between two nodes of a ring or of a full mesh, lies behind a third box.
    #[test]
    fn links_pass_no_third_node() {
        let ring: Vec<String> = (0..20).map(|n| format!("l{n} r{n} r{}", (n + 1) % 20)).collect();
        let full: Vec<String> = (0..12).flat_map(|a| (0..a).map(move |b| format!("l{a}-{b} r{a} r{b}"))).collect();
        let graphs = [(20, ring), (12, full)].map(|(n, links)| {
            let nodes: Vec<String> = (0..n).map(|n| format!("r{n}:router")).collect();
            let [nodes, links] = [&nodes, &links].map(|list| list.iter().map(String::as_str).collect::<Vec<_>>());
            network(&nodes, &links)
        });
        for graph in [tangle(30, 29), tangle(200, 199)].into_iter().chain(graphs) {
            let layout = layout(&graph, 200);
            for (edge, wire) in graph.edges.iter().zip(&layout.wires) {
                assert!(wire.len() >= 2, "{} is drawn", edge.name);
                let ends = edge.ends.each_ref().map(|end| end.node);
                for (n, area) in layout.nodes.iter().enumerate().filter(|(n, _)| !ends.contains(n)) {
                    let behind = wire.windows(2).any(|two| crosses(two[0], two[1], *area));
                    assert!(!behind, "{} passes {}: {wire:?} {area:?}", edge.name, graph.nodes[n].name);
                }
            }
        }
    }

    /// Whether a line passes the inner part of a box.
    fn crosses(from: (usize, usize), to: (usize, usize), area: Area) -> bool {
        (0..=200).any(|n| {
            let at = |a: usize, b: usize| a as f64 + (b as f64 - a as f64) * f64::from(n) / 200.0;
            let (x, y) = (at(from.0, to.0), at(from.1, to.1));
            let within = |v: f64, from: usize, long: usize| v > from as f64 + 0.5 && v < (from + long) as f64 - 1.5;
            within(x, area.x, area.width) && within(y, area.y, area.height)
        })
    }

    #[test]
    fn words_of_a_tree_stand_above_its_links() {
        let graph = network(&["s:switch", "a", "b"], &["x a s 5ms", "y s b 10ms|20ms"]);
        let layout = layout(&graph, 200);
        for (label, wire) in layout.labels.iter().zip(&layout.wires) {
            let label = label.expect("there is room");
            assert!(wire.iter().any(|(_, y)| *y == label.y + label.height), "{label:?} {wire:?}");
            assert!(label.x + label.width < layout.width);
        }
        assert!(super::layout(&graph, 10).labels.iter().all(Option::is_none));
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
