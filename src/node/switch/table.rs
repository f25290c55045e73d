//! What a bridge has learned: behind which port each station was heard last (IEEE 802.1D §7.8, §7.9; IEEE 802.1Q §8.8).

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use xxhash_rust::xxh3::xxh3_64;

use crate::units::{Duration, Instant};
use crate::wire::ethernet::MacAddr;

/// Addresses that a bridge remembers at most; those beyond are flooded. More than a /19 of hosts, and bounded whatever
/// source addresses frames claim.
const MOST: usize = 8192;

/// Stations by VLAN and address, and the port that each was heard at last. Forgets those that were silent for too long.
///
/// A bridge that knows no VLANs learns all in VLAN 0.
#[derive(Debug)]
pub struct LearningTable {
    ageing: Duration,
    /// Looked up only, never walked: its order is not defined.
    heard: HashMap<u64, Heard, BuildHasherDefault<KeyHasher>>,
    /// No entry can be older than the ageing time before this.
    swept: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    port: u32,
    at: Instant,
}

/// VLAN and address are one word: independent learning.
fn key(vlan: u16, station: MacAddr) -> u64 {
    let [a, b, c, d, e, f] = station.octets();
    let [v, w] = vlan.to_be_bytes();
    u64::from_be_bytes([v, w, a, b, c, d, e, f])
}

impl LearningTable {
    /// A table that knows no station yet and forgets those that were not heard for longer than `ageing`.
    pub fn new(ageing: Duration) -> LearningTable {
        LearningTable { ageing, heard: HashMap::default(), swept: Instant::ZERO }
    }

    /// A frame of this station came in at this port. Group addresses are nobody's, and not learned.
    #[inline]
    pub fn learn(&mut self, now: Instant, vlan: u16, station: MacAddr, port: u32) {
        if station.is_multicast() {
            return;
        }
        let key = key(vlan, station);
        if self.heard.len() >= MOST && !self.heard.contains_key(&key) && !self.make_room(now) {
            return;
        }
        self.heard.insert(key, Heard { port, at: now });
    }

    /// Whether there is room for one more, once those that have aged are gone.
    #[cold]
    fn make_room(&mut self, now: Instant) -> bool {
        if now - self.swept <= self.ageing {
            return false;
        }
        let ageing = self.ageing;
        self.heard.retain(|_, heard| now - heard.at <= ageing);
        self.swept = now;
        self.heard.len() < MOST
    }

    /// The port that a station was heard at last, unless that was too long ago.
    #[inline]
    pub fn port_of(&self, now: Instant, vlan: u16, station: MacAddr) -> Option<u32> {
        let heard = self.heard.get(&key(vlan, station))?;
        (now - heard.at <= self.ageing).then_some(heard.port)
    }

    /// Forgets the stations behind ports for which `stale` holds: after a change of the topology they may be elsewhere.
    pub fn forget(&mut self, stale: impl Fn(u32) -> bool) {
        self.heard.retain(|_, heard| !stale(heard.port));
    }

    /// How many stations it remembers, those that have aged and were not looked for included.
    pub fn len(&self) -> usize {
        self.heard.len()
    }

    /// Whether it remembers none.
    pub fn is_empty(&self) -> bool {
        self.heard.is_empty()
    }
}

/// XXH3 of one word: the same on every machine.
#[derive(Clone, Copy, Debug, Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64(bytes);
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = xxh3_64(&word.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(last: u32) -> MacAddr {
        let [a, b, c, d] = last.to_be_bytes();
        MacAddr([2, 0, a, b, c, d])
    }

    fn at(ns: u64) -> Instant {
        Instant::from_nanos(ns)
    }

    #[test]
    fn stations_are_where_they_were_heard_last_in_each_vlan_by_itself() {
        let mut table = LearningTable::new(Duration::from_secs(300));
        assert!(table.is_empty());
        table.learn(at(0), 10, mac(1), 4);
        table.learn(at(1), 20, mac(1), 5);
        assert_eq!((table.port_of(at(2), 10, mac(1)), table.port_of(at(2), 20, mac(1))), (Some(4), Some(5)));
        assert_eq!((table.port_of(at(2), 0, mac(1)), table.port_of(at(2), 10, mac(2))), (None, None));
        table.learn(at(3), 10, mac(1), 6);
        assert_eq!((table.port_of(at(3), 10, mac(1)), table.len()), (Some(6), 2));
        table.learn(at(3), 10, MacAddr::BROADCAST, 1);
        assert_eq!(table.len(), 2, "groups are nobody's address");
    }

    #[test]
    fn they_are_forgotten_one_nanosecond_after_their_age() {
        let mut table = LearningTable::new(Duration::from_nanos(100));
        table.learn(at(5), 0, mac(1), 3);
        assert_eq!((table.port_of(at(105), 0, mac(1)), table.port_of(at(106), 0, mac(1))), (Some(3), None));
    }

    #[test]
    fn stations_behind_stale_ports_are_forgotten_at_once() {
        let mut table = LearningTable::new(Duration::from_secs(300));
        (0..6).for_each(|n| table.learn(at(0), 0, mac(n), n % 3));
        table.forget(|port| port == 1);
        let known: Vec<_> = (0..6).filter_map(|n| table.port_of(at(0), 0, mac(n))).collect();
        assert_eq!(known, [0, 2, 0, 2]);
    }

    #[test]
    fn invented_addresses_cannot_grow_it_without_end() {
        let mut table = LearningTable::new(Duration::from_secs(1));
        (0..3 * MOST as u32).for_each(|n| table.learn(at(u64::from(n)), 0, mac(n), 0));
        assert_eq!(table.len(), MOST);
        // who is in it may move all the same
        table.learn(at(50_000), 0, mac(1), 9);
        assert_eq!(table.port_of(at(50_000), 0, mac(1)), Some(9));
        // when they have aged, a real station is learned again
        let later = at(3_000_000_000);
        table.learn(later, 0, mac(1 << 30), 1);
        assert_eq!((table.port_of(later, 0, mac(1 << 30)), table.len()), (Some(1), 1));
    }
}
