//! Later fragments have no ports: they go where the first of their packet went (RFC 4787 §9, REQ-14).

use core::net::Ipv4Addr;
use std::collections::HashMap;

use super::Hashing;
use crate::units::{Duration, Instant};

/// What fragments of one packet share (RFC 791), as they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub src: Ipv4Addr,
    pub dst: Ipv4Addr,
    pub protocol: u8,
    pub id: u16,
}

/// Packets whose fragments are followed at once. A first fragment beyond takes the place of the oldest.
const PACKETS: usize = 1024;
/// Fragments of a packet arrive within this, or not at all: the time for which Linux keeps them.
const LIFETIME: Duration = Duration::from_secs(30);

/// First fragments that have passed, and the address that each got.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    /// The place of each in the ring.
    places: HashMap<Key, usize, Hashing>,
    ring: Vec<(Key, Ipv4Addr, Instant)>,
    next: usize,
}

impl Fragments {
    /// A first fragment passes, and gets `address`.
    pub(super) fn first(&mut self, now: Instant, key: Key, address: Ipv4Addr) {
        let entry = (key, address, now);
        if let Some(place) = self.places.get(&key) {
            self.ring[*place] = entry;
        } else if self.ring.len() < PACKETS {
            self.places.insert(key, self.ring.len());
            self.ring.push(entry);
        } else {
            self.places.remove(&self.ring[self.next].0);
            self.places.insert(key, self.next);
            self.ring[self.next] = entry;
            self.next = (self.next + 1) % PACKETS;
        }
    }

    /// The address that the first of a later fragment's packet got.
    pub(super) fn later(&self, now: Instant, key: Key) -> Option<Ipv4Addr> {
        let (_, address, at) = self.ring[*self.places.get(&key)?];
        (now - at <= LIFETIME).then_some(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: u16) -> Key {
        Key { src: Ipv4Addr::new(10, 0, 0, 1), dst: Ipv4Addr::new(192, 0, 2, 1), protocol: 17, id }
    }

    #[test]
    fn later_ones_follow_for_half_a_minute() {
        let (mut fragments, to) = (Fragments::default(), Ipv4Addr::new(203, 0, 113, 1));
        assert_eq!(fragments.later(Instant::ZERO, key(1)), None);
        fragments.first(Instant::ZERO, key(1), to);
        assert_eq!(fragments.later(Instant::ZERO + LIFETIME, key(1)), Some(to));
        assert_eq!(fragments.later(Instant::ZERO + LIFETIME + Duration::from_nanos(1), key(1)), None);
        assert_eq!(fragments.later(Instant::ZERO, key(2)), None);
    }

    #[test]
    fn the_oldest_give_way_and_nothing_grows() {
        let mut fragments = Fragments::default();
        for id in 0..3 * PACKETS as u16 {
            fragments.first(Instant::ZERO, key(id), Ipv4Addr::from(u32::from(id)));
            fragments.first(Instant::ZERO, key(id), Ipv4Addr::from(u32::from(id)));
        }
        assert_eq!((fragments.ring.len(), fragments.places.len()), (PACKETS, PACKETS));
        let last = 3 * PACKETS as u16 - 1;
        assert_eq!(fragments.later(Instant::ZERO, key(last)), Some(Ipv4Addr::from(u32::from(last))));
        assert_eq!(fragments.later(Instant::ZERO, key(last - PACKETS as u16)), None);
    }
}
