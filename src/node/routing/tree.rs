//! The shortest paths towards one prefix (E. W. Dijkstra, "A note on two problems in connexion with graphs", 1959), run
//! backwards from the routers that are there.

use core::cmp::Reverse;
use std::collections::BinaryHeap;

use super::graph::Graph;
use super::prefixes::Source;

/// Entries of all trees that are kept: 64 MiB of them. Beyond, all are forgotten, and computed again when asked for.
const KEPT: usize = 16 << 20;

/// Marks in a tree beside the numbers of edges.
const NONE: u32 = u32::MAX;
const HERE: u32 = u32::MAX - 1;

/// What a packet does next at a vertex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// There is no way.
    None,
    /// It has been brought to where it should be.
    Here,
    /// It goes on by this edge.
    Edge(u32),
}

/// The first edge from each vertex towards a prefix.
#[derive(Clone, Copy)]
pub(super) struct Tree<'a>(&'a [u32]);

impl Tree<'_> {
    pub(super) fn next(self, vertex: u32) -> Next {
        match self.0[vertex as usize] {
            NONE => Next::None,
            HERE => Next::Here,
            edge => Next::Edge(edge),
        }
    }
}

/// Trees that have been asked for since the last convergence.
#[derive(Debug, Default)]
pub(super) struct Trees {
    vertices: usize,
    of_prefixes: Vec<Option<Box<[u32]>>>,
    computed: usize,
    distances: Vec<u64>,
    waiting: BinaryHeap<Reverse<(u64, u32)>>,
}

impl Trees {
    pub(super) fn new(prefixes: usize, vertices: usize) -> Trees {
        Trees { vertices, of_prefixes: (0..prefixes).map(|_| None).collect(), ..Trees::default() }
    }

    /// The network has changed.
    pub(super) fn forget(&mut self) {
        self.of_prefixes.fill(None);
        self.computed = 0;
    }

    /// The tree towards a prefix, which is where the sources are.
    pub(super) fn get(&mut self, prefix: u32, graph: &Graph, sources: &[Source], up: &[bool]) -> Tree<'_> {
        if self.of_prefixes[prefix as usize].is_none() {
            if (self.computed + 1) * self.vertices > KEPT.max(self.vertices) {
                self.forget();
            }
            let tree = self.compute(graph, sources, up);
            self.of_prefixes[prefix as usize] = Some(tree);
            self.computed += 1;
        }
        Tree(self.of_prefixes[prefix as usize].as_deref().expect("it has just been computed"))
    }

    #[cold]
    fn compute(&mut self, graph: &Graph, sources: &[Source], up: &[bool]) -> Box<[u32]> {
        let mut next = vec![NONE; self.vertices].into_boxed_slice();
        self.distances.clear();
        self.distances.resize(self.vertices, u64::MAX);
        for source in sources.iter().filter(|source| source.is_up(up)) {
            self.distances[source.vertex as usize] = 0;
            next[source.vertex as usize] = HERE;
            self.waiting.push(Reverse((0, source.vertex)));
        }
        while let Some(Reverse((distance, to))) = self.waiting.pop() {
            if distance > self.distances[to as usize] {
                continue; // a shorter way was found since
            }
            for &at in graph.incoming(to) {
                let edge = graph.edge(at);
                if !up[edge.link as usize] {
                    continue;
                }
                let (from, whole) = (edge.from as usize, distance.saturating_add(edge.cost));
                if whole < self.distances[from] {
                    self.distances[from] = whole;
                    next[from] = at;
                    self.waiting.push(Reverse((whole, edge.from)));
                } else if whole == self.distances[from] && at < next[from] {
                    // Of equal ways the one by the earlier link. As costs are positive, `to` is closer than `from` still.
                    next[from] = at;
                }
            }
        }
        next
    }
}
