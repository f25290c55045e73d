//! How long packets may take from one host to another, with each link as slow as it will ever be: what waits for packets
//! must wait so long.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::spec::Path;
use crate::addressing::network::PortPlan;
use crate::engine::{DirectionId, DirectionSpec, Plan};
use crate::queue::QueueSpec;
use crate::units::Duration;

/// A queue counts with so much at most: few streams end behind a longer one.
const LONGEST_QUEUE: Duration = Duration::from_secs(10);
/// The size of the frames that queues limited by packets are taken to hold.
const FRAME: u64 = 1514;
/// Beyond this many links times receivers nobody waits for the answer.
const MOST: usize = 3_000_000;

/// The links of a plan, as slow as they will ever be.
pub(crate) struct Transit<'a> {
    ports: &'a [PortPlan],
    /// By node: the nodes that a direction leads from to it.
    incoming: Vec<Vec<(usize, DirectionId)>>,
    slowest: Vec<Duration>,
}

impl<'a> Transit<'a> {
    /// The links as the scenario has them at the beginning.
    pub(crate) fn new(plan: &Plan, ports: &'a [PortPlan]) -> Transit<'a> {
        let mut incoming = vec![Vec::new(); plan.nodes.len()];
        let mut slowest = Vec::with_capacity(plan.links.len() * 2);
        for (number, link) in plan.links.iter().enumerate() {
            for (from, spec) in link.directions.iter().enumerate() {
                incoming[link.ends[1 - from]].push((link.ends[from], DirectionId((number * 2 + from) as u32)));
                slowest.push(longest(spec));
            }
        }
        Transit { ports, incoming, slowest }
    }

    /// A direction will be like this for some time.
    pub(crate) fn meets(&mut self, direction: DirectionId, spec: &DirectionSpec) {
        if let Some(slowest) = self.slowest.get_mut(direction.0 as usize) {
            *slowest = (*slowest).max(longest(spec));
        }
    }

    /// One way and the other, for paths between hosts; of hosts with several interfaces the slowest counts. `None` for a
    /// path that ends in no host, and where there are too many.
    pub(crate) fn of<'p>(&self, paths: impl IntoIterator<Item = &'p Path>) -> Vec<Option<(Duration, Duration)>> {
        let paths: Vec<&Path> = paths.into_iter().collect();
        let mut toward: BTreeMap<usize, Vec<Vec<Option<Duration>>>> = BTreeMap::new();
        for host in paths.iter().flat_map(|path| [Some(path.from), path.to]).flatten() {
            if toward.len() * self.slowest.len() > MOST {
                return vec![None; paths.len()];
            }
            toward.entry(host).or_insert_with(|| self.nodes_of(host).map(|node| self.toward(node)).collect());
        }
        let between = |from: usize, to: usize| {
            let times = toward[&to].iter().flat_map(|times| self.nodes_of(from).filter_map(|node| times[node]));
            times.max()
        };
        paths.iter().map(|path| Some((between(path.from, path.to?)?, between(path.to?, path.from)?))).collect()
    }

    fn nodes_of(&self, host: usize) -> impl Iterator<Item = usize> {
        self.ports.iter().filter(move |port| port.host == host).map(|port| port.node)
    }

    /// From every node to this one (Dijkstra).
    fn toward(&self, node: usize) -> Vec<Option<Duration>> {
        let mut times = vec![None; self.incoming.len()];
        let mut next = BinaryHeap::from([Reverse((Duration::ZERO, node))]);
        while let Some(Reverse((time, node))) = next.pop() {
            if times[node].is_some() {
                continue;
            }
            times[node] = Some(time);
            for (from, direction) in &self.incoming[node] {
                let ns = time.as_nanos().saturating_add(self.slowest[direction.0 as usize].as_nanos());
                next.push(Reverse((Duration::from_nanos(ns), *from)));
            }
        }
        times
    }
}

/// How long a direction may take: its queue, and its propagation.
fn longest(spec: &DirectionSpec) -> Duration {
    let queue = match spec.queue {
        Some(QueueSpec::Fifo(fifo) | QueueSpec::DropHead(fifo)) => {
            let bytes = [fifo.bytes.map(|bytes| bytes.as_bytes()), fifo.packets.map(|n| u64::from(n) * FRAME)];
            let drained = spec.rate.nominal().zip(bytes.into_iter().flatten().min()).map(|(rate, bytes)| {
                let ns = u128::from(bytes) * 8_000_000_000 / u128::from(rate.as_bps().max(1));
                Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
            });
            fifo.time.into_iter().chain(drained).min().unwrap_or_default()
        }
        // the others keep their queues short
        _ => Duration::ZERO,
    };
    let ns = queue.min(LONGEST_QUEUE).as_nanos().saturating_add(spec.delay.longest().as_nanos());
    Duration::from_nanos(ns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::files::MemoryFiles;
    use crate::scenario::{Overrides, load};
    use crate::tasks::resolved::Resolved;

    fn resolved(links: &str) -> Resolved {
        let text = format!(
            "longwire: 1\nnodes: {{ a: host, b: host, c: host, r: router, s: switch }}\nlinks:\n{links}\
             workloads: {{ p: {{ ping: {{ from: a, to: b, count: 1 }} }} }}\n"
        );
        load(std::path::Path::new("t"), &MemoryFiles::one("t", &text), &Overrides::default())
            .unwrap_or_else(|(told, _)| panic!("{:?}", told.iter().map(ToString::to_string).collect::<Vec<_>>()))
    }

    fn times(resolved: &Resolved, path: [usize; 2]) -> Option<(u64, u64)> {
        let path = Path { from: path[0], source: None, to: Some(path[1]), destination: "10.0.0.1".parse().unwrap() };
        let ms = |time: Duration| time.as_nanos() / 1_000_000;
        Transit::new(&resolved.plan, &resolved.ports).of([&path])[0].map(|(there, back)| (ms(there), ms(back)))
    }

    #[test]
    fn links_add_up_with_their_queues_and_their_jitter() {
        let network = resolved(
            "  l: { ends: [a, r], delay: { mean: 100ms, jitter: 5ms }, toward: { a: { delay: 7ms } } }\n  \
             m: { ends: [r, s], rate: 1Mbit, queue: { fifo: { bytes: 125kB } } }\n  \
             n: { ends: [s, b], rate: 1Mbit }\n  o: { ends: [c, s], delay: 1ms }\n",
        );
        // mean and four times the jitter; a second of bytes; the default queue
        assert_eq!(times(&network, [0, 1]), Some((120 + 1000 + 200, 27 + 1000 + 200)));
        assert_eq!(times(&network, [2, 1]), Some((201, 201)));
    }

    #[test]
    fn the_quickest_way_counts_and_of_two_interfaces_the_slower() {
        let network = resolved(
            "  l: { ends: [a, r], delay: 10ms }\n  m: { ends: [a, s], delay: 300ms }\n  n: { ends: [r, s], delay: 2ms }\n  \
             o: { ends: [r, b], delay: 1ms }\n  q: { ends: [c, s] }\n",
        );
        assert_eq!(times(&network, [0, 1]), Some((303, 303)));
        assert_eq!(times(&network, [1, 2]), Some((3, 3)));
    }

    #[test]
    fn what_a_link_meets_later_counts_too() {
        let network = resolved("  l: { ends: [a, b], delay: 10ms }\n  m: { ends: [r, s] }\n  n: { ends: [r, c] }\n");
        let mut transit = Transit::new(&network.plan, &network.ports);
        let mut spec = DirectionSpec::default();
        spec.delay.mean = Duration::from_secs(2);
        transit.meets(DirectionId(1), &spec);
        transit.meets(DirectionId(1), &DirectionSpec::default());
        let path = Path { from: 0, source: None, to: Some(1), destination: "10.0.0.2".parse().unwrap() };
        assert_eq!(transit.of([&path])[0], Some((Duration::from_millis(10), Duration::from_secs(2))));
        assert_eq!(transit.of([&Path { to: Some(2), ..path }])[0], None, "no way at all");
    }
}
