//! As much of a TCP connection's state as timeouts need: is it opening, established or closing? (RFC 5382 §5)

use crate::wire::tcp::Flags;

/// What was seen of a connection, in each direction. Sequence numbers are not followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Connection {
    /// A segment with ACK has passed: outward, inward.
    acked: [bool; 2],
    /// A FIN has passed.
    finished: [bool; 2],
    /// A RST has passed, in whatever direction.
    reset: bool,
}

impl Connection {
    /// A segment passes.
    pub(super) fn see(&mut self, outward: bool, flags: Flags) {
        let way = usize::from(!outward);
        if flags.contains(Flags::SYN) && !flags.contains(Flags::ACK) && self.is_closing() {
            // the same two endpoints begin anew
            *self = Connection::default();
        }
        self.acked[way] |= flags.contains(Flags::ACK);
        self.finished[way] |= flags.contains(Flags::FIN);
        self.reset |= flags.contains(Flags::RST);
    }

    /// Whether each end has acknowledged the other, and none has ended it: after the third segment of the handshake,
    /// or the fourth of a simultaneous open. A connection that was there before its mapping counts from the first
    /// acknowledgements that pass. One that one end alone has finished goes on: the other may send for hours.
    pub(super) fn is_established(self) -> bool {
        self.acked == [true; 2] && !self.is_closing()
    }

    fn is_closing(self) -> bool {
        self.reset || self.finished == [true; 2]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYN_ACK: Flags = Flags(0x12);
    const FIN_ACK: Flags = Flags(0x11);

    fn after(segments: &[(bool, Flags)]) -> bool {
        let mut connection = Connection::default();
        segments.iter().for_each(|(outward, flags)| connection.see(*outward, *flags));
        connection.is_established()
    }

    #[test]
    fn the_third_segment_of_the_handshake_establishes() {
        let handshake = [(true, Flags::SYN), (false, SYN_ACK), (true, Flags::ACK)];
        assert!(!after(&handshake[..1]) && !after(&handshake[..2]) && after(&handshake));
        let simultaneous = [(true, Flags::SYN), (false, Flags::SYN), (true, SYN_ACK), (false, SYN_ACK)];
        assert!(!after(&simultaneous[..3]) && after(&simultaneous));
    }

    #[test]
    fn both_fins_or_one_reset_end_it_and_a_syn_begins_anew() {
        let open = [(true, Flags::SYN), (false, SYN_ACK), (true, Flags::ACK)];
        let with = |more: &[(bool, Flags)]| after(&[&open, more].concat());
        assert!(with(&[(true, FIN_ACK), (true, FIN_ACK), (false, Flags::ACK)]), "half closed");
        assert!(!with(&[(true, FIN_ACK), (false, FIN_ACK), (true, Flags::ACK)]));
        assert!(!with(&[(false, Flags::RST), (true, Flags::ACK)]));
        assert!(!with(&[(false, Flags::RST), (true, Flags::SYN)]));
        assert!(with(&[&[(false, Flags::RST)], &open[..]].concat()));
    }
}
