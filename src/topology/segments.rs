//! Segments: who hears whose broadcasts.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use super::ends::End;
use crate::node::{PortVlans, VlanId};

/// What the ports of switches with VLANs have to do with them, by (link, end).
pub(crate) type Vlans = BTreeMap<(usize, usize), PortVlans>;

/// The frames without a tag.
const UNTAGGED: u16 = 0;

/// A place where all hear each other: a link or a node, and the tag or the VLAN that frames have there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cell {
    Link(usize, u16),
    Node(usize, u16),
}

/// Groups of interfaces that hear each other's broadcasts: joined by links, hubs and switches, and in one VLAN where
/// switches have some. Each is a list of (link, end) in the order of `ports`. Groups stand in the order of their links, so
/// that a link added at the end of a file leaves the groups before it, and with them their subnets, as they were.
pub(crate) fn segments(
    ports: &[(usize, usize)],
    links: &[&[End; 2]],
    is_bridge: impl Fn(usize) -> bool,
    vlans: &Vlans,
) -> Vec<Vec<(usize, usize)>> {
    // tags that a frame of an interface can get on its way
    let own = vlans.values().filter_map(PortVlans::own).map(VlanId::get);
    let tags: BTreeSet<u16> = own.chain([UNTAGGED]).collect();
    let mut cells = Cells::default();
    for (link, ends) in links.iter().enumerate() {
        for (end, node) in ends.iter().map(|end| end.node).enumerate().filter(|(_, node)| is_bridge(*node)) {
            match vlans.get(&(link, end)) {
                None => tags.iter().for_each(|tag| cells.join(Cell::Link(link, *tag), Cell::Node(node, *tag))),
                Some(port) => {
                    if let Some(vlan) = port.own() {
                        cells.join(Cell::Link(link, UNTAGGED), Cell::Node(node, vlan.get()));
                    }
                    let tagged =
                        tags.iter().filter_map(|tag| VlanId::new(*tag)).filter(|v| port.tags(*v) == Some(true));
                    tagged.for_each(|vlan| cells.join(Cell::Link(link, vlan.get()), Cell::Node(node, vlan.get())));
                }
            }
        }
    }
    let mut groups: IndexMap<usize, Vec<(usize, usize)>> = IndexMap::new();
    for &(link, end) in ports {
        groups.entry(cells.group(Cell::Link(link, UNTAGGED))).or_default().push((link, end));
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by_key(|group| group.iter().map(|(link, _)| *link).min());
    groups
}

/// Disjoint sets of cells.
#[derive(Default)]
struct Cells {
    at: BTreeMap<Cell, usize>,
    parent: Vec<usize>,
}

impl Cells {
    fn group(&mut self, cell: Cell) -> usize {
        let next = self.parent.len();
        let mut at = *self.at.entry(cell).or_insert(next);
        if at == next {
            self.parent.push(next);
        }
        while self.parent[at] != at {
            self.parent[at] = self.parent[self.parent[at]];
            at = self.parent[at];
        }
        at
    }

    fn join(&mut self, a: Cell, b: Cell) {
        let (a, b) = (self.group(a), self.group(b));
        self.parent[a] = b;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Span;
    use crate::node::VlanSet;

    fn at(node: usize) -> End {
        End { node, name: format!("n{node}"), interface: None, span: Span::default() }
    }

    fn joined(pairs: &[(usize, usize)]) -> Vec<[End; 2]> {
        pairs.iter().map(|(a, b)| [at(*a), at(*b)]).collect()
    }

    #[test]
    fn segments_end_at_hosts() {
        // h0 -l0- s1 -l1- s2 -l2- h3 -l3- h4
        let links = joined(&[(0, 1), (1, 2), (2, 3), (3, 4)]);
        let links: Vec<_> = links.iter().collect();
        let ports = [(0, 0), (2, 1), (3, 0), (3, 1)];
        let found = segments(&ports, &links, |node| node == 1 || node == 2, &Vlans::new());
        assert_eq!(found, [vec![(0, 0), (2, 1)], vec![(3, 0), (3, 1)]]);
    }

    #[test]
    fn vlans_are_segments_of_their_own_across_trunks_and_switches_that_know_none() {
        // hosts 0, 1, 2 at switch 6; hosts 3, 4, 5 at switch 7; between them switch 8, which knows no VLANs
        let links = joined(&[(0, 6), (1, 6), (2, 6), (3, 7), (4, 7), (5, 7), (6, 8), (8, 7)]);
        let links: Vec<_> = links.iter().collect();
        let vlan = |id| VlanId::new(id).unwrap();
        let access = |id| PortVlans::Access(vlan(id));
        let trunk = |native| PortVlans::Trunk { allowed: VlanSet::All, native };
        let ports: Vec<_> = (0..6).map(|link| (link, 0)).collect();
        let mut vlans = Vlans::from([
            ((0, 1), access(10)),
            ((1, 1), access(20)),
            ((2, 1), access(30)),
            ((3, 1), access(10)),
            ((4, 1), access(20)),
            ((5, 1), access(40)),
            ((6, 0), trunk(Some(vlan(30)))),
            ((7, 1), trunk(Some(vlan(40)))),
        ]);
        let is_bridge = |node| node >= 6;
        let names = |groups: Vec<Vec<(usize, usize)>>| -> Vec<Vec<usize>> {
            groups.into_iter().map(|group| group.into_iter().map(|(link, _)| link).collect()).collect()
        };
        // natives that differ leak into each other, as on real switches
        assert_eq!(names(segments(&ports, &links, is_bridge, &vlans)), [vec![0, 3], vec![1, 4], vec![2, 5]]);
        let only = VlanSet::Only([vlan(10)].into());
        vlans.insert((7, 1), PortVlans::Trunk { allowed: only, native: Some(VlanId::DEFAULT) });
        let found = names(segments(&ports, &links, is_bridge, &vlans));
        assert_eq!(found, [vec![0, 3], vec![1], vec![2], vec![4], vec![5]]);
        // a host at a trunk is in the native VLAN
        vlans.insert((3, 1), trunk(Some(vlan(20))));
        let found = names(segments(&ports, &links, is_bridge, &vlans));
        assert_eq!(found, [vec![0], vec![1], vec![2], vec![3, 4], vec![5]]);
    }
}
