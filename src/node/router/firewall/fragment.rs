//! Later fragments have no ports, so no rule with ports could match them: they fare as the first one of their packet.
//!
//! One that overtakes its first is judged by what it has itself, as a packet that belongs to no connection.

use crate::node::expiring::{Class, Expiring};
use crate::units::{Duration, Instant};
use crate::wire::summary::{Addresses, FrameSummary};
use crate::wire::{ipv4, ipv6};

/// First fragments that are remembered at once. One beyond takes the place of the oldest.
const PACKETS: usize = 1024;
/// For how long: as Linux keeps the fragments of IPv4 (`ipfrag_time`).
const V4: Duration = Duration::from_secs(30);
/// For how long: as RFC 8200 §4.5 keeps the fragments of IPv6.
const V6: Duration = Duration::from_secs(60);

/// What the fragments of one packet share (RFC 791, RFC 8200 §4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    ends: Addresses,
    /// Of IPv4 alone.
    protocol: u8,
    id: u32,
}

/// Which part of a packet this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it.
    Whole,
    /// The first fragment.
    First(Key),
    /// A later fragment.
    Later(Key),
}

impl Part {
    /// Looks for it in a head that `packet` was made of.
    pub(super) fn of(packet: &FrameSummary, head: &[u8]) -> Part {
        if !packet.fragment {
            return Part::Whole;
        }
        let head = head.get(usize::from(packet.l3_offset)..).unwrap_or(&[]);
        let found = match packet.addresses {
            Some(ends @ Addresses::V4(..)) => ipv4::Packet::new_checked(head).ok().map(|ip| {
                let key = Key { ends, protocol: ip.protocol(), id: ip.id().into() };
                (key, ip.fragment_offset())
            }),
            Some(ends @ Addresses::V6(..)) => {
                let fragment = ipv6::Packet::new_checked(head).ok().and_then(|ip| ip.transport().fragment);
                fragment.map(|fragment| (Key { ends, protocol: 0, id: fragment.id }, fragment.offset))
            }
            None => None,
        };
        match found {
            Some((key, 0)) => Part::First(key),
            Some((key, _)) => Part::Later(key),
            None => Part::Whole,
        }
    }
}

/// What was decided about the first fragments of packets.
#[derive(Debug)]
pub(super) struct Fragments(Expiring<Key, usize>);

impl Fragments {
    pub(super) fn new() -> Fragments {
        let class = |timeout| Class { timeout, gives_way: true };
        Fragments(Expiring::new(PACKETS, &[class(V4), class(V6)]))
    }

    /// So was decided about a first fragment.
    pub(super) fn note(&mut self, now: Instant, key: Key, decided: usize) {
        let class = usize::from(matches!(key.ends, Addresses::V6(..)));
        // the oldest always gives way
        self.0.insert(now, key, class, decided);
    }

    /// What was decided about the first fragment of a later one's packet.
    pub(super) fn of_first(&self, now: Instant, key: &Key) -> Option<usize> {
        self.0.find(now, key).map(|place| *self.0.value(place))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::packet;
    use super::*;
    use crate::wire::testing::real_frames;

    fn part(frame: &[u8]) -> Part {
        Part::of(&FrameSummary::new(frame, frame.len()), frame)
    }

    /// A fragment of IPv4 at an offset of so many bytes.
    fn fragment(id: u8, offset: u16, more: bool) -> Vec<u8> {
        let mut frame = packet([10, 0, 0, 1], [10, 0, 1, 1], 17, &[0; 16]);
        frame[19] = id;
        frame[20..22].copy_from_slice(&((offset / 8) | (u16::from(more) << 13)).to_be_bytes());
        frame
    }

    #[test]
    fn the_parts_of_a_packet_share_a_key() {
        let Part::First(key) = part(&fragment(1, 0, true)) else { panic!() };
        assert_eq!(part(&fragment(1, 1480, true)), Part::Later(key));
        assert_eq!(part(&fragment(1, 2960, false)), Part::Later(key));
        assert_ne!(part(&fragment(2, 1480, false)), Part::Later(key));
        assert_eq!(part(&fragment(1, 0, false)), Part::Whole);
    }

    #[test]
    fn of_ipv6_the_fragment_header_says_it() {
        let ping = &real_frames()[6];
        let with = |offset: u16| {
            let mut frame = ping[..54].to_vec();
            frame[20] = 44;
            frame.extend([58, 0]);
            frame.extend((offset | 1).to_be_bytes());
            frame.extend([0, 1, 0, 9]);
            frame.extend(&ping[62..]);
            part(&frame)
        };
        let Part::First(key) = with(0) else { panic!() };
        assert_eq!((with(1448), key.id), (Part::Later(key), 0x1_0009));
    }

    #[test]
    fn they_are_remembered_for_their_time() {
        let mut fragments = Fragments::new();
        let Part::First(key) = part(&fragment(1, 0, true)) else { panic!() };
        assert_eq!(fragments.of_first(Instant::ZERO, &key), None);
        fragments.note(Instant::ZERO, key, 3);
        assert_eq!(fragments.of_first(Instant::from_nanos(30_000_000_000 - 1), &key), Some(3));
        assert_eq!(fragments.of_first(Instant::from_nanos(30_000_000_000), &key), None);
    }

    #[test]
    fn there_are_never_more_than_a_thousand() {
        let mut fragments = Fragments::new();
        let Part::First(key) = part(&fragment(1, 0, true)) else { panic!() };
        for id in 0..5000 {
            fragments.note(Instant::ZERO, Key { id, ..key }, 0);
        }
        assert_eq!(
            (fragments.0.len(), fragments.of_first(Instant::ZERO, &Key { id: 4999, ..key })),
            (PACKETS, Some(0))
        );
    }
}
