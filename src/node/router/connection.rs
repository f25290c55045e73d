//! How far a TCP connection is: opening, established, closing or reset (RFC 9293 §3.3.2), as far as a box on its way can
//! tell. Sequence numbers are not followed.
//!
//! Two tables ask, and differ over a connection that one end alone has finished: to the firewall it is closing, as to
//! nf_conntrack; to address translation it goes on, since the other end may send for hours (RFC 5382 §5).

use crate::wire::tcp::Flags;

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The handshake is not done.
    Opening,
    /// Both ends have acknowledged the other.
    Established,
    /// One end at least has sent a FIN.
    Closing,
    /// A RST has passed.
    Reset,
}

/// What was seen of a connection, by whoever opened it and by the other end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Connection {
    acked: [bool; 2],
    finished: [bool; 2],
    reset: bool,
}

impl Connection {
    /// A segment passes.
    pub(super) fn see(&mut self, by_opener: bool, flags: Flags) {
        let end = usize::from(!by_opener);
        self.acked[end] |= flags.contains(Flags::ACK);
        self.finished[end] |= flags.contains(Flags::FIN);
        self.reset |= flags.contains(Flags::RST);
    }

    /// A segment passes, which is the first of another connection if this one is over and it asks for one.
    pub(super) fn see_or_begin_anew(&mut self, by_opener: bool, flags: Flags) {
        if flags.contains(Flags::SYN) && !flags.contains(Flags::ACK) && self.is_over() {
            *self = Connection::default();
        }
        self.see(by_opener, flags);
    }

    /// Whether each end has acknowledged the other, and the connection is not over: after the third segment of the
    /// handshake, or the fourth of a simultaneous open. One that was there before counts from the first
    /// acknowledgements that pass.
    pub(super) fn is_established(self) -> bool {
        self.acked == [true; 2] && !self.is_over()
    }

    pub(super) fn phase(self) -> Phase {
        match self {
            Connection { reset: true, .. } => Phase::Reset,
            Connection { finished: [true, _] | [_, true], .. } => Phase::Closing,
            Connection { acked: [true, true], .. } => Phase::Established,
            _ => Phase::Opening,
        }
    }

    /// Whether a SYN begins another connection of the same two ends: this one is over.
    pub(super) fn is_over(self) -> bool {
        self.reset || self.finished == [true; 2]
    }
}

/// Whether a segment opens a connection: SYN, and nothing that contradicts it.
pub(super) fn opens(flags: Flags) -> bool {
    flags & (Flags::SYN | Flags::ACK | Flags::RST | Flags::FIN) == Flags::SYN
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYN_ACK: Flags = Flags(0x12);
    const FIN_ACK: Flags = Flags(0x11);

    fn after(segments: &[(bool, Flags)]) -> Connection {
        let mut connection = Connection::default();
        segments.iter().for_each(|(by_opener, flags)| connection.see(*by_opener, *flags));
        connection
    }

    #[test]
    fn three_segments_establish_a_fin_closes_and_a_reset_ends() {
        let open = [(true, Flags::SYN), (false, SYN_ACK), (true, Flags::ACK)];
        let phase = |more: &[(bool, Flags)]| after(&[&open, more].concat()).phase();
        assert_eq!(after(&open[..1]).phase(), Phase::Opening);
        assert_eq!(after(&open[..2]).phase(), Phase::Opening);
        assert_eq!(phase(&[]), Phase::Established);
        assert_eq!(phase(&[(false, FIN_ACK)]), Phase::Closing);
        assert_eq!(phase(&[(false, FIN_ACK), (true, Flags::RST)]), Phase::Reset);
    }

    #[test]
    fn it_is_over_when_both_ends_have_finished_or_one_has_reset() {
        assert!(!after(&[(true, FIN_ACK)]).is_over());
        assert!(after(&[(true, FIN_ACK), (false, FIN_ACK)]).is_over());
        assert!(after(&[(false, Flags::RST)]).is_over());
    }

    #[test]
    fn an_established_connection_goes_on_until_it_is_over_and_a_syn_begins_another() {
        let established = |segments: &[(bool, Flags)]| {
            let mut connection = Connection::default();
            segments.iter().for_each(|(by_opener, flags)| connection.see_or_begin_anew(*by_opener, *flags));
            connection.is_established()
        };
        let open = [(true, Flags::SYN), (false, SYN_ACK), (true, Flags::ACK)];
        assert!(!established(&open[..1]) && !established(&open[..2]) && established(&open));
        let simultaneous = [(true, Flags::SYN), (false, Flags::SYN), (true, SYN_ACK), (false, SYN_ACK)];
        assert!(!established(&simultaneous[..3]) && established(&simultaneous));
        let with = |more: &[(bool, Flags)]| established(&[&open, more].concat());
        assert!(with(&[(true, FIN_ACK), (true, FIN_ACK), (false, Flags::ACK)]), "half closed");
        assert!(!with(&[(true, FIN_ACK), (false, FIN_ACK), (true, Flags::ACK)]));
        assert!(!with(&[(false, Flags::RST), (true, Flags::ACK)]));
        assert!(!with(&[(false, Flags::RST), (true, Flags::SYN)]));
        assert!(with(&[&[(false, Flags::RST)], &open[..]].concat()));
    }

    #[test]
    fn only_a_syn_opens() {
        assert!(opens(Flags::SYN) && opens(Flags::SYN | Flags::ECE | Flags::CWR));
        for other in [Flags(0), Flags::ACK, SYN_ACK, Flags::SYN | Flags::FIN, Flags::SYN | Flags::RST] {
            assert!(!opens(other), "{other}");
        }
    }
}
