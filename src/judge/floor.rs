//! The least that a delay can have been, whatever lateness it was measured with: no frame crosses a network faster than by its
//! shortest way over links that carried frames at that time, each at the least delay that it gave to any frame.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::Stretch;
use crate::report::json::Report;

/// The directions that carried frames, as a graph.
pub(super) struct Floor<'a> {
    nodes: HashMap<&'a str, usize>,
    /// By the node that they leave.
    edges: Vec<Vec<Edge<'a>>>,
    /// The length of the intervals of `Edge::carried`, in ns.
    every: i64,
    /// What was asked before: from, to, and the intervals.
    known: RefCell<HashMap<(usize, usize, usize, usize), u64>>,
}

struct Edge<'a> {
    to: usize,
    /// The least delay of any of its frames, in ns.
    least: u64,
    /// Frames that arrived in each interval; `None` where that was not recorded.
    carried: Option<&'a [u32]>,
}

impl Edge<'_> {
    fn carries(&self, first: usize, last: usize) -> bool {
        let Some(carried) = self.carried else { return true };
        carried.iter().take(last.saturating_add(1)).skip(first).any(|frames| *frames > 0)
    }
}

impl<'a> Floor<'a> {
    pub(super) fn of(report: &'a Report) -> Floor<'a> {
        let series = report.series.as_ref();
        let recorded = series.iter().flat_map(|series| &series.directions);
        let recorded: HashMap<_, &[u32]> =
            recorded.map(|d| ((&*d.link, &*d.from, &*d.to), &*d.delivered_frames)).collect();
        let mut floor = Floor {
            nodes: HashMap::new(),
            edges: Vec::new(),
            every: series.and_then(|series| i64::try_from(series.every_ns).ok()).unwrap_or(i64::MAX).max(1),
            known: RefCell::default(),
        };
        for direction in &report.directions {
            if direction.delivered.frames == 0 {
                continue;
            }
            let [from, to] = [&direction.from, &direction.to].map(|end| floor.node(end));
            let carried = recorded.get(&(&*direction.link, &*direction.from, &*direction.to)).copied();
            floor.edges[from].push(Edge {
                to,
                least: direction.delay_ns.as_ref().map_or(0, |delay| delay.min()),
                carried: carried.filter(|all| !all.is_empty()),
            });
        }
        floor
    }

    /// The number of the node of an end of a link, `node` or `node.interface`.
    fn node(&mut self, end: &'a str) -> usize {
        let next = self.nodes.len();
        let number = *self.nodes.entry(name(end)).or_insert(next);
        if number == next {
            self.edges.push(Vec::new());
        }
        number
    }

    /// The least delay in ns between two hosts, one way, of frames that were on their way at some time within a stretch. Zero
    /// where no way between them is known.
    pub(super) fn between(&self, from: &str, to: &str, (begin, end): Stretch) -> u64 {
        let (Some(from), Some(to)) = (self.nodes.get(name(from)), self.nodes.get(name(to))) else { return 0 };
        let interval = |at: i64| usize::try_from(at.max(0) / self.every).unwrap_or(usize::MAX);
        let (first, last) = (interval(begin), interval(end));
        let mut known = self.known.borrow_mut();
        *known.entry((*from, *to, first, last)).or_insert_with(|| self.shortest(*from, *to, first, last))
    }

    /// Dijkstra's algorithm.
    fn shortest(&self, from: usize, to: usize, first: usize, last: usize) -> u64 {
        let mut least = vec![u64::MAX; self.edges.len()];
        let mut next = BinaryHeap::from([(Reverse(0), from)]);
        least[from] = 0;
        while let Some((Reverse(so_far), node)) = next.pop() {
            if node == to {
                return so_far;
            }
            if so_far > least[node] {
                continue;
            }
            for edge in self.edges[node].iter().filter(|edge| edge.carries(first, last)) {
                let there = so_far.saturating_add(edge.least);
                if there < least[edge.to] {
                    least[edge.to] = there;
                    next.push((Reverse(there), edge.to));
                }
            }
        }
        0
    }
}

fn name(end: &str) -> &str {
    end.split('.').next().unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{MS, report};
    use super::*;
    use crate::measured::{Part, Times};
    use crate::report::json::{Count, Direction};
    use crate::report::series::{DirectionSeries, Series};

    const END: i64 = 2_000 * MS as i64;

    /// `a – r – b` with 1 and 5 ms, and `r – s – b` with 10 ms each; the link of 5 ms carries frames in the first second only.
    fn two_ways() -> Report {
        let mut report = report();
        let one = report.directions[0].clone();
        let min = |ms: u64| [(Part::Min, ms * MS)].into_iter().collect::<Times>();
        let direction = |from: &str, to: &str, ms| Direction {
            link: format!("{from}{to}"),
            from: format!("{from}.eth0"),
            to: to.into(),
            delay_ns: Some(min(ms)),
            ..one.clone()
        };
        let all = [("a", "r", 1, [9, 9]), ("r", "b", 5, [9, 0]), ("r", "s", 10, [9, 9]), ("s", "b", 10, [9, 9])];
        report.directions = all.iter().map(|(from, to, ms, _)| direction(from, to, *ms)).collect();
        report.directions.push(Direction { delivered: Count::default(), ..direction("a", "b", 0) });
        let mut list = Vec::new();
        for (from, to, _, frames) in all {
            let mut series: DirectionSeries = report.series.as_ref().expect("a series").directions[0].clone();
            (series.link, series.from, series.to) = (format!("{from}{to}"), format!("{from}.eth0"), to.into());
            series.delivered_frames = frames.to_vec();
            list.push(series);
        }
        report.series =
            Some(Series { every_ns: 1_000 * MS, asked_ns: 1_000 * MS, end_ns: 2_000 * MS, directions: list });
        report
    }

    #[test]
    fn it_is_the_shortest_way_over_what_carried_frames_at_that_time() {
        let report = two_ways();
        let floor = Floor::of(&report);
        let late = (END - 500 * MS as i64, END);
        assert_eq!(floor.between("a", "b", (0, END)), 6 * MS);
        assert_eq!(floor.between("a", "b", late), 21 * MS);
        assert_eq!(floor.between("a", "b", (END / 2 - 1, END)), 6 * MS);
        assert_eq!(floor.between("a", "b", late), 21 * MS, "asked again");
        assert_eq!(floor.between("a.eth0", "r", late), MS);
    }

    #[test]
    fn nothing_is_known_of_ways_that_nothing_took() {
        let report = two_ways();
        let floor = Floor::of(&report);
        assert_eq!(floor.between("b", "a", (0, END)), 0);
        assert_eq!(floor.between("a", "elsewhere", (0, END)), 0);
        assert_eq!(floor.between("r", "b", (10 * END, 11 * END)), 0, "not recorded: no way");
        let unrecorded = Report { series: None, ..two_ways() };
        assert_eq!(Floor::of(&unrecorded).between("a", "b", (END - 1, END)), 6 * MS);
    }
}
