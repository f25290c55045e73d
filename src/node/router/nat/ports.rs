//! Which ports of an outside address are taken, a bit each, and the search for the next free one.

const WORDS: usize = 65_536 / 64;
/// Ports whose lowest bit is 0.
const EVEN: u64 = 0x5555_5555_5555_5555;

/// What a search for a port is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// First and last port of the range.
    pub range: (u16, u16),
    /// Where in the range the search begins. It goes on at the range's first behind its last.
    pub start: u16,
    /// A port that must not be taken.
    pub avoid: Option<u16>,
}

/// The taken ports of one address and protocol.
#[derive(Debug)]
pub(super) struct Ports {
    taken: Box<[u64; WORDS]>,
}

impl Ports {
    pub(super) fn new() -> Ports {
        Ports { taken: Box::new([0; WORDS]) }
    }

    #[cfg(test)]
    fn is_taken(&self, port: u16) -> bool {
        self.taken[usize::from(port) / 64] & bit(port) != 0
    }

    pub(super) fn take(&mut self, port: u16) {
        self.taken[usize::from(port) / 64] |= bit(port);
    }

    pub(super) fn free(&mut self, port: u16) {
        self.taken[usize::from(port) / 64] &= !bit(port);
    }

    /// Takes the first free port from the start; with `parity` the first of them that is odd or even as that port is,
    /// and any other only where there is none (RFC 4787 §4.2.2).
    pub(super) fn take_next(&mut self, wanted: Wanted, parity: Option<u16>) -> Option<u16> {
        let alike = parity.map(|port| if port.is_multiple_of(2) { EVEN } else { !EVEN });
        let port = alike.and_then(|mask| self.next(wanted, mask)).or_else(|| self.next(wanted, u64::MAX))?;
        self.take(port);
        Some(port)
    }

    fn next(&self, Wanted { range: (first, last), start, avoid }: Wanted, mask: u64) -> Option<u16> {
        let start = start.clamp(first, last);
        self.between(start, last, avoid, mask).or_else(|| self.between(first, start, avoid, mask))
    }

    /// The first free port from `from` to `to`, both included.
    fn between(&self, from: u16, to: u16, avoid: Option<u16>, mask: u64) -> Option<u16> {
        let (first, last) = (usize::from(from) / 64, usize::from(to) / 64);
        (first..=last).find_map(|word| {
            let mut free = !self.taken[word] & mask;
            if word == first {
                free &= u64::MAX << (from % 64);
            }
            if word == last {
                free &= u64::MAX >> (63 - to % 64);
            }
            if let Some(avoid) = avoid.filter(|avoid| usize::from(*avoid) / 64 == word) {
                free &= !bit(avoid);
            }
            (free != 0).then(|| (word * 64) as u16 + free.trailing_zeros() as u16)
        })
    }
}

const fn bit(port: u16) -> u64 {
    1 << (port % 64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_search_goes_around_and_ends_when_all_are_taken() {
        let mut ports = Ports::new();
        let wanted = Wanted { range: (1000, 1003), start: 1002, avoid: None };
        let taken: Vec<_> = std::iter::from_fn(|| ports.take_next(wanted, None)).collect();
        assert_eq!(taken, [1002, 1003, 1000, 1001]);
        ports.free(1000);
        assert!(!ports.is_taken(1000));
        assert_eq!(ports.take_next(Wanted { avoid: Some(1000), ..wanted }, None), None);
        assert_eq!(ports.take_next(wanted, None), Some(1000));
    }

    #[test]
    fn parity_is_kept_while_there_are_ports_for_it() {
        let mut ports = Ports::new();
        let wanted = Wanted { range: (100, 103), start: 100, avoid: None };
        let taken: Vec<_> = std::iter::from_fn(|| ports.take_next(wanted, Some(7))).collect();
        assert_eq!(taken, [101, 103, 100, 102]);
    }

    proptest! {
        #[test]
        fn the_search_is_the_plain_one(
            taken in proptest::collection::hash_set(0u16..400, 0..400), range in (0u16..400, 0u16..400), start: u16, avoid in 0u16..400,
        ) {
            let range = (range.0.min(range.1), range.0.max(range.1));
            let mut ports = Ports::new();
            taken.iter().for_each(|port| ports.take(*port));
            let begin = start.clamp(range.0, range.1);
            let free = |port: &u16| !taken.contains(port) && *port != avoid;
            let expected = (begin..=range.1).chain(range.0..=begin).find(free);
            prop_assert_eq!(ports.take_next(Wanted { range, start, avoid: Some(avoid) }, None), expected);
        }
    }

    #[test]
    fn the_whole_range_has_65536_ports() {
        let mut ports = Ports::new();
        let wanted = Wanted { range: (0, u16::MAX), start: 40_000, avoid: None };
        let all: HashSet<_> = std::iter::from_fn(|| ports.take_next(wanted, None)).collect();
        assert_eq!(all.len(), 65_536);
    }
}
