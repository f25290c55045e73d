//! What an interface is told of its neighbours. The table is there once for each segment: a list of its own for each
//! interface would take memory by the square of their number.

use core::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// An address and the MAC address that has it.
pub type Neighbour = (IpAddr, [u8; 6]);

/// The longest table whose entries a kernel is given all at once. Every entry takes about 400 bytes of the kernel's memory in
/// every host of the segment, so beyond this it gets those that it asks for.
const AT_ONCE: usize = 1_000;

/// Permanent neighbour entries of an interface: the others on its segment, link-local addresses included.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct NeighbourTable {
    /// The number of the segment.
    segment: usize,
    /// All of the segment. Where this is sent from process to process, it travels by itself.
    #[serde(skip)]
    all: Arc<[Neighbour]>,
    /// Which of them are the interface's own host's.
    own: Range<usize>,
    /// Whether the interface has addresses of the family: IPv4, IPv6.
    families: [bool; 2],
}

impl NeighbourTable {
    /// The part of a segment's table that an interface with addresses of these families, IPv4 and IPv6, needs: all but the
    /// entries `own`, its host's.
    pub fn new(segment: usize, all: Arc<[Neighbour]>, own: Range<usize>, families: [bool; 2]) -> NeighbourTable {
        NeighbourTable { segment, all, own, families }
    }

    /// The number of the segment.
    pub fn segment(&self) -> usize {
        self.segment
    }

    /// The table of the whole segment.
    pub fn all(&self) -> &Arc<[Neighbour]> {
        &self.all
    }

    /// Gives the table back that was left out on the way.
    pub(crate) fn refer_to(&mut self, all: &Arc<[Neighbour]>) {
        self.all = Arc::clone(all);
    }

    /// The entries.
    pub fn iter(&self) -> impl Iterator<Item = Neighbour> + '_ {
        let entries = self.all.iter().enumerate().filter(|(at, _)| !self.own.contains(at));
        entries.map(|(_, entry)| *entry).filter(|(address, _)| self.families[usize::from(address.is_ipv6())])
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there is none: neighbours are found by ARP and ND.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// The MAC address behind an address.
    pub fn find(&self, address: IpAddr) -> Option<[u8; 6]> {
        self.iter().find(|(other, _)| *other == address).map(|(_, mac)| mac)
    }

    /// Whether the kernel gets an entry when it asks for it, since all at once would take too much memory.
    pub fn is_on_demand(&self) -> bool {
        self.all.len() > AT_ONCE
    }
}

impl FromIterator<Neighbour> for NeighbourTable {
    fn from_iter<I: IntoIterator<Item = Neighbour>>(entries: I) -> NeighbourTable {
        NeighbourTable::new(0, entries.into_iter().collect(), 0..0, [true, true])
    }
}

impl PartialEq for NeighbourTable {
    fn eq(&self, other: &NeighbourTable) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for NeighbourTable {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_knows_the_others_in_its_families() {
        let entry = |text: &str, mac| (text.parse().unwrap(), [2, 0, 0, 0, 0, mac]);
        let all: Arc<[Neighbour]> = [entry("10.0.0.1", 1), entry("fd00::1", 1), entry("10.0.0.2", 2)].into();
        let table = |own, families| NeighbourTable::new(7, Arc::clone(&all), own, families);
        let seen = |table: &NeighbourTable| table.iter().map(|(_, mac)| mac[5]).collect::<Vec<_>>();
        assert_eq!(seen(&table(0..2, [true, true])), [2]);
        assert_eq!(seen(&table(2..3, [true, true])), [1, 1]);
        assert_eq!(seen(&table(2..3, [true, false])), [1]);
        let other = table(2..3, [true, false]);
        assert_eq!((other.len(), other.is_empty(), other.is_on_demand()), (1, false, false));
        assert_eq!(other.find("10.0.0.1".parse().unwrap()), Some([2, 0, 0, 0, 0, 1]));
        assert_eq!(other.find("fd00::1".parse().unwrap()), None);
        let many: NeighbourTable = (0..=AT_ONCE).map(|n| (IpAddr::from((n as u32).to_be_bytes()), [0; 6])).collect();
        assert!(many.is_on_demand());
        // on the way to another process only the reference travels
        let text = serde_json::to_string(&many).unwrap();
        assert!(text.len() < 100, "{text}");
        let mut back: NeighbourTable = serde_json::from_str(&text).unwrap();
        back.refer_to(many.all());
        assert_eq!(back, many);
    }
}
