//! Where everything stands in a drawing in layers: nodes above each other, each link's words beside its line, lines that
//! run down, across and down again. In cells of a terminal, which the SVG scales.
//!
//! Sugiyama, Tagawa and Toda, Methods for Visual Understanding of Hierarchical System Structures (IEEE SMC-11, 1981): lay
//! in layers, order by the mean place of neighbours, place, route. Whatever the network: nothing lies on anything else, and
//! no two lines share a cell but where they cross. The same network always gives the same drawing.

use super::{Graph, channel};

/// Cells between two things side by side.
const GAP: usize = 2;
/// Cells between parts of the network that do not hang together.
const APART: usize = 4;
/// How often the order of the layers is improved, downwards and upwards in turn.
const SWEEPS: usize = 12;
/// The most that is laid out so; beyond, lines are too many to follow.
const MOST_ITEMS: usize = 1500;

/// Where everything stands. `x` runs to the right and `y` down, in cells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// Cells from the left to the right.
    pub(super) width: usize,
    /// Cells from the top to the bottom.
    pub(super) height: usize,
    /// The box of each node, border included.
    pub(super) nodes: Vec<Area>,
    /// The words of each link; none where there is no room for them.
    pub(super) labels: Vec<Option<Area>>,
    /// The corners of each link's line, from the border of its first end's node to that of the second's.
    pub(super) wires: Vec<Vec<(usize, usize)>>,
    /// The interface names at the ends: the cell of the first letter.
    pub(super) names: Vec<(usize, usize, String)>,
}

/// A rectangle of cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) width: usize,
    pub(super) height: usize,
}

/// What stands in a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Node(usize),
    /// A link's words, right of its line.
    Label(usize),
    /// A line that passes.
    Bend(usize),
}

#[derive(Clone, Debug)]
struct Item {
    what: What,
    layer: usize,
    width: usize,
    height: usize,
    /// Segments that arrive from above and leave below, from left to right.
    up: Vec<usize>,
    down: Vec<usize>,
    x: usize,
}

/// A piece of a link's line, from one layer to the next.
#[derive(Clone, Debug)]
struct Segment {
    edge: usize,
    /// The items that it joins: above, below.
    items: [usize; 2],
    /// The interface's name at either item, if that is a node.
    names: [Option<String>; 2],
    /// Its columns within these items.
    offsets: [usize; 2],
}

/// Lays a network out, parts beside each other up to a width. `None` if there is too much of it.
pub(super) fn layout(graph: &Graph, width: usize) -> Option<Layout> {
    let mut whole = Layout {
        nodes: vec![Area::default(); graph.nodes.len()],
        labels: vec![None; graph.edges.len()],
        wires: vec![Vec::new(); graph.edges.len()],
        ..Layout::default()
    };
    let (mut x, mut y) = (0, 0);
    for part in graph.components() {
        let mut part = Part::new(graph, &part)?;
        part.order();
        part.place();
        let drawn = part.route(graph);
        if x > 0 && x + drawn.width > width {
            (x, y) = (0, whole.height + 1);
        }
        let next = x + drawn.width + APART;
        whole.take_in(drawn, x, y);
        x = next;
    }
    Some(whole)
}

impl Layout {
    fn take_in(&mut self, part: Layout, x: usize, y: usize) {
        let moved = |area: Area| Area { x: area.x + x, y: area.y + y, ..area };
        for (mine, theirs) in self.nodes.iter_mut().zip(part.nodes).filter(|(_, theirs)| theirs.width > 0) {
            *mine = moved(theirs);
        }
        for (mine, theirs) in self.labels.iter_mut().zip(part.labels) {
            *mine = mine.or(theirs.map(moved));
        }
        for (mine, theirs) in self.wires.iter_mut().zip(part.wires).filter(|(_, theirs)| !theirs.is_empty()) {
            *mine = theirs.into_iter().map(|(at, down)| (at + x, down + y)).collect();
        }
        self.names.extend(part.names.into_iter().map(|(at, down, name)| (at + x, down + y, name)));
        self.width = self.width.max(x + part.width);
        self.height = self.height.max(y + part.height);
    }
}

/// A part of a network that hangs together.
struct Part {
    items: Vec<Item>,
    segments: Vec<Segment>,
    /// Items of each layer from left to right; nodes in the even ones.
    layers: Vec<Vec<usize>>,
    /// How many nodes and links the whole network has.
    sizes: (usize, usize),
}

impl Part {
    fn new(graph: &Graph, nodes: &[usize]) -> Option<Part> {
        let mut part = Part {
            items: Vec::new(),
            segments: Vec::new(),
            layers: Vec::new(),
            sizes: (graph.nodes.len(), graph.edges.len()),
        };
        let adjacency = graph.adjacency();
        // below all its neighbours that come before it
        let mut item_of = vec![usize::MAX; graph.nodes.len()];
        for (rank, &node) in nodes.iter().enumerate() {
            let above = adjacency[node].iter().map(|e| item_of[graph.edges[*e].other(node)]);
            let layer = above.filter(|item| *item != usize::MAX).map(|item| part.items[item].layer + 2).max();
            let lines = graph.nodes[node].lines();
            let width = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0) + 4;
            item_of[node] = part.add(What::Node(node), layer.unwrap_or(0), width, lines.len() + 2);
            debug_assert_eq!(item_of[node], rank, "nodes come before links");
        }
        let mut joining: Vec<usize> = nodes.iter().flat_map(|node| adjacency[*node].iter().copied()).collect();
        joining.sort_unstable();
        joining.dedup();
        for e in joining {
            let edge = &graph.edges[e];
            // the end that comes first stands above
            let upper = usize::from(item_of[edge.ends[1].node] < item_of[edge.ends[0].node]);
            let [upper, lower] = [&edge.ends[upper], &edge.ends[1 - upper]];
            let lines = edge.lines(graph);
            let width = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0) + 2;
            let (mut above, bottom) = (item_of[upper.node], item_of[lower.node]);
            let mut name = upper.interface.clone();
            for layer in part.items[above].layer + 1..part.items[bottom].layer {
                let label = layer == part.items[item_of[upper.node]].layer + 1;
                let (what, width, height) =
                    if label { (What::Label(e), width, lines.len()) } else { (What::Bend(e), 1, 1) };
                let item = part.add(what, layer, width, height);
                part.join(e, [above, item], [name.take(), None]);
                above = item;
            }
            part.join(e, [above, bottom], [name, lower.interface.clone()]);
            if part.items.len() > MOST_ITEMS {
                return None;
            }
        }
        part.widen();
        (part.items.len() <= MOST_ITEMS).then_some(part)
    }

    fn add(&mut self, what: What, layer: usize, width: usize, height: usize) -> usize {
        let item = self.items.len();
        if self.layers.len() <= layer {
            self.layers.resize(layer + 1, Vec::new());
        }
        self.layers[layer].push(item);
        self.items.push(Item { what, layer, width, height, up: Vec::new(), down: Vec::new(), x: 0 });
        item
    }

    fn join(&mut self, edge: usize, items: [usize; 2], names: [Option<String>; 2]) {
        let segment = self.segments.len();
        self.segments.push(Segment { edge, items, names, offsets: [0, 0] });
        self.items[items[0]].down.push(segment);
        self.items[items[1]].up.push(segment);
    }

    /// Columns that a line takes at a node: its own, the interface's name beside it, and one free.
    fn slot(&self, segment: usize, end: usize) -> usize {
        self.segments[segment].names[end].as_ref().map_or(2, |name| name.chars().count() + 2)
    }

    /// Boxes have room for all lines that end at them.
    fn widen(&mut self) {
        for item in 0..self.items.len() {
            if !matches!(self.items[item].what, What::Node(_)) {
                continue;
            }
            let needed =
                [(1, &self.items[item].up), (0, &self.items[item].down)].map(|(end, lines)| match &lines[..] {
                    [only] => self.slot(*only, end) * 2 - 1,
                    lines => lines.iter().map(|segment| self.slot(*segment, end)).sum::<usize>() + 1,
                });
            self.items[item].width = needed.into_iter().fold(self.items[item].width, usize::max);
        }
    }

    /// Positions of all items within their layers.
    fn positions(&self) -> Vec<usize> {
        let mut at = vec![0; self.items.len()];
        self.layers.iter().for_each(|layer| layer.iter().enumerate().for_each(|(n, item)| at[*item] = n));
        at
    }

    /// Orders each layer by where its neighbours stand, and keeps the order with the fewest crossings.
    fn order(&mut self) {
        let mut best = (self.crossings(), self.layers.clone());
        for sweep in 0..SWEEPS {
            let down = sweep % 2 == 0;
            let range: Vec<usize> = if down {
                (1..self.layers.len()).collect()
            } else {
                (0..self.layers.len().saturating_sub(1)).rev().collect()
            };
            for layer in range {
                let at = self.positions();
                let mean = |item: usize| {
                    let lines = if down { &self.items[item].up } else { &self.items[item].down };
                    let sum: usize = lines.iter().map(|s| at[self.segments[*s].items[usize::from(!down)]]).sum();
                    if lines.is_empty() { at[item] as f64 } else { sum as f64 / lines.len() as f64 }
                };
                let mut keyed: Vec<(f64, usize)> = self.layers[layer].iter().map(|item| (mean(*item), *item)).collect();
                keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
                self.layers[layer] = keyed.into_iter().map(|(_, item)| item).collect();
            }
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.layers.clone());
            }
            if crossings == 0 {
                break;
            }
        }
        self.layers = best.1;
        let at = self.positions();
        for item in 0..self.items.len() {
            let (mut up, mut down) = (self.items[item].up.clone(), self.items[item].down.clone());
            up.sort_by_key(|s| (at[self.segments[*s].items[0]], *s));
            down.sort_by_key(|s| (at[self.segments[*s].items[1]], *s));
            (self.items[item].up, self.items[item].down) = (up, down);
        }
    }

    fn crossings(&self) -> usize {
        let at = self.positions();
        let mut count = 0;
        for layer in &self.layers {
            let mut pairs: Vec<[usize; 2]> = layer
                .iter()
                .flat_map(|item| &self.items[*item].down)
                .map(|s| self.segments[*s].items.map(|item| at[item]))
                .collect();
            pairs.sort_unstable();
            for (n, pair) in pairs.iter().enumerate() {
                count += pairs[n + 1..].iter().filter(|other| other[1] < pair[1]).count();
            }
        }
        count
    }

    /// Columns: lines as straight as the order lets them be.
    fn place(&mut self) {
        for item in 0..self.items.len() {
            for end in [1, 0] {
                let width = self.items[item].width;
                let lines = if end == 1 { self.items[item].up.clone() } else { self.items[item].down.clone() };
                let needed: usize = lines.iter().map(|segment| self.slot(*segment, end)).sum();
                let mut offset = match (self.items[item].what, lines.len()) {
                    (What::Node(_), 1) => width / 2,
                    (What::Node(_), _) => (width + 1).saturating_sub(needed) / 2,
                    _ => 0,
                };
                for segment in lines {
                    self.segments[segment].offsets[end] = offset;
                    offset += self.slot(segment, end);
                }
            }
        }
        for layer in 0..self.layers.len() {
            self.settle(layer, false, false);
        }
        for pass in 0..SWEEPS {
            let down = pass % 2 == 1;
            let count = self.layers.len();
            for n in 0..count {
                self.settle(if down { n } else { count - 1 - n }, down, !down);
            }
        }
        // once more with regard to both sides
        (0..self.layers.len()).for_each(|layer| self.settle(layer, true, true));
        // words stand straight above where their line ends
        (0..self.layers.len()).filter(|layer| layer % 2 == 1).for_each(|layer| self.settle(layer, false, true));
    }

    /// Places a layer as close as it can be to where its neighbours above or below want it: the least squares under given
    /// distances, by pooling neighbours that get in each other's way.
    fn settle(&mut self, layer: usize, above: bool, below: bool) {
        struct Block {
            sum: f64,
            weight: f64,
            count: usize,
        }
        let mut blocks: Vec<Block> = Vec::new();
        let mut starts = Vec::new();
        let mut start = 0usize;
        for &item in &self.layers[layer] {
            starts.push(start);
            let mut wishes: Vec<f64> = Vec::new();
            for (end, lines) in [(1, &self.items[item].up), (0, &self.items[item].down)] {
                if if end == 1 { above } else { below } {
                    wishes.extend(lines.iter().map(|s| {
                        let (segment, other) = (&self.segments[*s], self.segments[*s].items[1 - end]);
                        (self.items[other].x + segment.offsets[1 - end]) as f64 - segment.offsets[end] as f64
                    }));
                }
            }
            // what nobody pulls stays where it is, lightly
            let (sum, weight) = match wishes.len() {
                0 => (self.items[item].x as f64 * 0.01, 0.01),
                n => (wishes.iter().sum(), n as f64),
            };
            blocks.push(Block { sum: sum - start as f64 * weight, weight, count: 1 });
            while let [.., before, last] = &blocks[..]
                && before.sum / before.weight >= last.sum / last.weight
            {
                let last = blocks.pop().expect("there are two");
                let before = blocks.last_mut().expect("there are two");
                before.sum += last.sum;
                before.weight += last.weight;
                before.count += last.count;
            }
            start += self.items[item].width + GAP;
        }
        let mut n = 0;
        for block in blocks {
            let shift = (block.sum / block.weight).round().max(0.0) as usize;
            for _ in 0..block.count {
                let item = self.layers[layer][n];
                self.items[item].x = starts[n] + shift;
                n += 1;
            }
        }
    }

    fn width(&self) -> usize {
        self.items.iter().map(|item| item.x + item.width).max().unwrap_or(0)
    }

    /// Rows, and the lines.
    fn route(&mut self, graph: &Graph) -> Layout {
        let left = self.items.iter().map(|item| item.x).min().unwrap_or(0);
        self.items.iter_mut().for_each(|item| item.x -= left);
        let mut out = Layout {
            width: self.width(),
            nodes: vec![Area::default(); self.sizes.0],
            labels: vec![None; self.sizes.1],
            wires: vec![Vec::new(); self.sizes.1],
            ..Layout::default()
        };
        let mut y = 0;
        for layer in 0..self.layers.len() {
            let height = self.layers[layer].iter().map(|item| self.items[*item].height).max().unwrap_or(0);
            for item in self.layers[layer].iter().map(|item| &self.items[*item]) {
                let area = Area { x: item.x, y, width: item.width, height: item.height };
                match item.what {
                    What::Node(node) => out.nodes[node] = area,
                    What::Label(edge) => out.labels[edge] = Some(Area { x: item.x + 2, width: item.width - 2, ..area }),
                    What::Bend(_) => {}
                }
            }
            y = self.route_below(layer, y, height, &mut out);
        }
        out.height = y;
        for (edge, wire) in graph.edges.iter().zip(&mut out.wires) {
            // from the file's first end, wherever that stands
            let begins = wire.first().is_some_and(|(x, y)| {
                let area = out.nodes[edge.ends[0].node];
                *y + 1 == area.y + area.height && (area.x..area.x + area.width).contains(x)
            });
            if !begins {
                wire.reverse();
            }
        }
        out
    }

    /// Routes the lines below a layer that begins at row `y`; returns where the next layer begins.
    fn route_below(&self, layer: usize, y: usize, height: usize, out: &mut Layout) -> usize {
        let mut segments: Vec<usize> =
            self.layers[layer].iter().flat_map(|item| self.items[*item].down.iter().copied()).collect();
        segments.sort_unstable();
        let columns = |s: usize| {
            let segment = &self.segments[s];
            [0, 1].map(|end| self.items[segment.items[end]].x + segment.offsets[end])
        };
        let pairs: Vec<[usize; 2]> = segments.iter().map(|s| columns(*s)).collect();
        let routed = channel::route(&pairs, out.width);
        let named = |end: usize| segments.iter().any(|s| self.segments[*s].names[end].is_some());
        let first = y + height + usize::from(named(0));
        let last = first + routed.tracks;
        let next = last + usize::from(named(1));
        for ((s, [from, to]), turns) in segments.iter().zip(&pairs).zip(&routed.turns) {
            let segment = &self.segments[*s];
            let upper = &self.items[segment.items[0]];
            let is_node = |item: &Item| matches!(item.what, What::Node(_));
            let wire = &mut out.wires[segment.edge];
            wire.push((*from, if is_node(upper) { y + upper.height - 1 } else { y }));
            let mut at = *from;
            for (track, column) in turns {
                wire.extend([(at, first + track), (*column, first + track)]);
                at = *column;
            }
            if is_node(&self.items[segment.items[1]]) {
                wire.push((*to, next));
            }
            for (end, column, row) in [(0, from, y + height), (1, to, next - usize::from(named(1)))] {
                if let Some(name) = &segment.names[end] {
                    out.names.push((column + 1, row, name.clone()));
                }
            }
            out.width = out.width.max(turns.iter().map(|(_, column)| column + 1).max().unwrap_or(0));
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{network, tangle};
    use super::*;

    /// Every cell that something takes, with what it is: nothing lies on anything else, lines cross but never run along
    /// each other, and all stands inside.
    pub(super) fn assert_clear(graph: &Graph, layout: &Layout) {
        use std::collections::BTreeMap;
        let mut taken: BTreeMap<(usize, usize), String> = BTreeMap::new();
        let mut take = |x: usize, y: usize, who: String| {
            assert!(x < layout.width && y < layout.height, "{who} is outside at {x}, {y}");
            if let Some(other) = taken.insert((x, y), who.clone()) {
                panic!("{who} lies on {other} at {x}, {y}");
            }
        };
        let areas = layout.nodes.iter().map(|area| ("node", area));
        for (n, (what, area)) in areas.chain(layout.labels.iter().flatten().map(|area| ("label", area))).enumerate() {
            assert!(area.width > 0 && area.height > 0);
            for y in area.y..area.y + area.height {
                (area.x..area.x + area.width).for_each(|x| take(x, y, format!("{what} {n}")));
            }
        }
        for (x, y, name) in &layout.names {
            (0..name.chars().count()).for_each(|n| take(x + n, *y, format!("name {name}")));
        }
        let mut lines: BTreeMap<(usize, usize, bool), usize> = BTreeMap::new();
        for (e, wire) in layout.wires.iter().enumerate() {
            let ends = graph.edges[e].ends.each_ref().map(|end| layout.nodes[end.node]);
            for (area, (x, y)) in ends.iter().zip([wire[0], wire[wire.len() - 1]]) {
                assert!((area.x + 1..area.x + area.width - 1).contains(&x), "line {e} ends beside its node");
                assert!(y == area.y || y + 1 == area.y + area.height, "line {e} ends inside its node");
            }
            for pair in wire.windows(2) {
                let [(ax, ay), (bx, by)] = [pair[0], pair[1]];
                assert!(ax == bx || ay == by, "line {e} is not straight");
                for x in ax.min(bx)..=ax.max(bx) {
                    for y in ay.min(by)..=ay.max(by) {
                        if ax == bx && ay == by {
                            continue;
                        }
                        let other = lines.insert((x, y, ax == bx), e);
                        assert!(other.is_none_or(|other| other == e), "lines {e} and {other:?} share {x}, {y}");
                        let under = taken.get(&(x, y));
                        let border = ends
                            .iter()
                            .any(|a| (a.x..a.x + a.width).contains(&x) && (y == a.y || y + 1 == a.y + a.height));
                        assert!(under.is_none() || border, "line {e} runs through {under:?}");
                    }
                }
            }
        }
        // a corner is where a line turns: no other passes there
        for (e, wire) in layout.wires.iter().enumerate() {
            for (x, y) in &wire[1..wire.len() - 1] {
                for way in [true, false] {
                    assert!(lines.get(&(*x, *y, way)).is_none_or(|other| *other == e), "a line passes a corner of {e}");
                }
            }
        }
    }

    #[test]
    fn nothing_lies_on_anything_else() {
        let mesh = network(
            &["a", "b", "c", "d"],
            &["l1 a b 5ms", "l2 a c 1ms|2ms", "l3 a d", "l4 b c 20ms · loss 1%", "l5 b d", "l6 c d"],
        );
        let named = network(
            &["phone", "server", "sw:switch", "alone"],
            &[
                "wifi phone.wlan0 server.eth0 5ms",
                "cell phone.lte0 server.eth1",
                "x server.eth2 sw",
                "y phone.a-long-name sw",
            ],
        );
        for graph in [mesh, named, network(&["a", "b"], &["x a b", "y b a", "z a b 5ms|6ms"]), Graph::default()] {
            let layout = layout(&graph, 100).unwrap();
            assert_clear(&graph, &layout);
        }
    }

    #[test]
    fn nothing_lies_on_anything_else_in_tangles() {
        for n in 2..24 {
            let graph = tangle(n, n * 2);
            if let Some(layout) = layout(&graph, 100) {
                assert_clear(&graph, &layout);
                assert_eq!(Some(layout), super::layout(&graph, 100), "the same again");
            }
        }
        assert_eq!(layout(&tangle(500, 2500), 100), None, "too much");
    }

    #[test]
    fn a_star_has_its_middle_on_top_and_straight_lines_where_it_can() {
        let graph = network(&["a", "sw:switch", "b", "c"], &["x a sw", "y sw b", "z c sw"]);
        let layout = layout(&graph, 100).unwrap();
        let [a, sw, b, c] = [0, 1, 2, 3].map(|n| layout.nodes[n]);
        assert!(sw.y < a.y && a.y == b.y && b.y == c.y && a.x < b.x && b.x < c.x, "{layout:?}");
        let middle = |area: Area| area.x * 2 + area.width;
        assert!(middle(sw).abs_diff(middle(b)) <= 4, "{layout:?}");
        // lines begin at the first end, as the file has it
        assert_eq!(layout.wires[0][0].1, a.y);
        assert_eq!(layout.wires[1][0].1, sw.y + sw.height - 1);
    }
}
