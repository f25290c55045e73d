//! Connections that a firewall has let through, and for how long it remembers them.
//!
//! The first packet that is allowed makes the entry; what is dropped leaves no trace. Both ways refresh it.

use super::flow::{Flow, Kind, Passage, Reading};
use super::plan::{State, Timeouts};
use crate::node::expiring::{Class, Expiring, Place};
use crate::node::router::connection::{Connection, Phase, opens};
use crate::units::{Duration, Instant};

/// Of reset connections: what is still on its way passes. nf_conntrack's `tcp_timeout_close`.
const RESET: Duration = Duration::from_secs(10);

const TCP_RESET: usize = 0;
const TCP_TRANSITORY: usize = 1;
const UDP: usize = 2;
const ICMP: usize = 3;
const OTHER: usize = 4;
const UDP_REPLIED: usize = 5;
const TCP_ESTABLISHED: usize = 6;

/// The connections of one firewall.
#[derive(Debug)]
pub(super) struct Conntrack {
    table: Expiring<Flow, Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Whether who began it is the flow's first end.
    begun_forward: bool,
    /// Whether the other end has sent something.
    replied: bool,
    tcp: Connection,
}

/// A packet, as it stands to the connections. Holds until the next packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tracked {
    pub(super) state: State,
    /// Of what it is, and its entry if that lives on.
    of: Option<(Passage, Option<Place>)>,
}

impl Conntrack {
    pub(super) fn new(limit: u32, timeouts: &Timeouts) -> Conntrack {
        let class = |timeout, gives_way| Class { timeout, gives_way };
        let classes = [
            class(RESET.min(timeouts.tcp_transitory), true),
            class(timeouts.tcp_transitory, true),
            class(timeouts.udp, true),
            class(timeouts.icmp, true),
            class(timeouts.other, true),
            class(timeouts.udp_replied, false),
            class(timeouts.tcp_established, false),
        ];
        Conntrack { table: Expiring::new(limit as usize, &classes) }
    }

    /// What a packet is to the connections. Changes nothing.
    pub(super) fn look(&self, now: Instant, reading: Reading) -> Tracked {
        let none = |state| Tracked { state, of: None };
        let passage = match reading {
            Reading::Unknown => return none(State::Invalid),
            Reading::About(flow) => {
                let known = self.table.find(now, &flow).is_some();
                return none(if known { State::Related } else { State::Invalid });
            }
            Reading::Passage(passage) => passage,
        };
        let place = self.table.find(now, &passage.flow);
        let entry = place.map(|place| *self.table.value(place));
        let anew = match (passage.kind, entry) {
            (Kind::Tcp(flags), Some(entry)) => entry.tcp.is_over() && opens(flags),
            (_, Some(_)) => false,
            (Kind::Tcp(flags), None) => opens(flags),
            (Kind::Answer, None) => false,
            (Kind::Udp | Kind::Query | Kind::Other, None) => true,
        };
        match entry {
            _ if anew && (entry.is_some() || self.table.has_room(now)) => {
                Tracked { state: State::New, of: Some((passage, None)) }
            }
            None => none(State::Invalid),
            Some(entry) => {
                let unanswered = !entry.replied && passage.forward == entry.begun_forward;
                let state = if unanswered { State::New } else { State::Established };
                Tracked { state, of: Some((passage, place)) }
            }
        }
    }

    /// The packet passes.
    pub(super) fn pass(&mut self, now: Instant, tracked: Tracked) {
        let Some((passage, place)) = tracked.of else { return };
        let fresh = Entry { begun_forward: passage.forward, replied: false, tcp: Connection::default() };
        let mut entry = place.map_or(fresh, |place| *self.table.value(place));
        let by_opener = passage.forward == entry.begun_forward;
        entry.replied |= !by_opener;
        let class = match passage.kind {
            Kind::Tcp(flags) => {
                entry.tcp.see(by_opener, flags);
                match entry.tcp.phase() {
                    Phase::Opening | Phase::Closing => TCP_TRANSITORY,
                    Phase::Established => TCP_ESTABLISHED,
                    Phase::Reset => TCP_RESET,
                }
            }
            Kind::Udp if entry.replied => UDP_REPLIED,
            Kind::Udp => UDP,
            Kind::Query | Kind::Answer => ICMP,
            Kind::Other => OTHER,
        };
        match place {
            Some(place) => self.table.refresh(now, place, class, entry),
            // without room it would have been invalid
            None => drop(self.table.insert(now, passage.flow, class, entry)),
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{error, icmp_v4, packet, tcp, udp};
    use super::*;
    use crate::wire::summary::{Detail, FrameSummary};
    use crate::wire::tcp::Flags;

    const A: [u8; 4] = [10, 0, 0, 1];
    const B: [u8; 4] = [10, 0, 1, 1];
    const SYN_ACK: Flags = Flags(0x12);
    const FIN_ACK: Flags = Flags(0x11);

    struct Wire(Conntrack);

    impl Wire {
        fn new(limit: u32) -> Wire {
            Wire(Conntrack::new(limit, &Timeouts::default()))
        }

        fn look(&self, now: Instant, frame: &[u8]) -> Tracked {
            let packet = FrameSummary::new(frame, frame.len());
            let flags = if let Detail::Tcp { flags, .. } = packet.detail { flags } else { Flags::default() };
            self.0.look(now, Reading::of(&packet, frame, flags))
        }

        /// What the packet is; then it passes.
        fn pass(&mut self, ns: u64, frame: &[u8]) -> State {
            let now = Instant::from_nanos(ns);
            let tracked = self.look(now, frame);
            self.0.pass(now, tracked);
            tracked.state
        }
    }

    const SECOND: u64 = 1_000_000_000;

    fn there(flags: Flags) -> Vec<u8> {
        tcp(A, 4000, B, 80, flags)
    }

    fn back(flags: Flags) -> Vec<u8> {
        tcp(B, 80, A, 4000, flags)
    }

    #[test]
    fn a_handshake_is_new_until_the_other_end_answers() {
        let mut wire = Wire::new(8);
        assert_eq!(wire.pass(0, &back(SYN_ACK)), State::Invalid);
        assert_eq!(wire.pass(0, &there(Flags::ACK)), State::Invalid);
        assert_eq!(wire.pass(0, &there(Flags::SYN)), State::New);
        assert_eq!(wire.pass(0, &there(Flags::SYN)), State::New, "sent again");
        assert_eq!(wire.pass(0, &back(SYN_ACK)), State::Established);
        assert_eq!(wire.pass(0, &there(Flags::ACK)), State::Established);
        assert_eq!(wire.pass(0, &tcp(A, 4001, B, 80, Flags::ACK)), State::Invalid, "another port");
    }

    #[test]
    fn tcp_timeouts_to_the_nanosecond() {
        let day = 86_400 * SECOND;
        for (segments, timeout) in [
            (vec![there(Flags::SYN)], 120 * SECOND),
            (vec![there(Flags::SYN), back(SYN_ACK)], 120 * SECOND),
            (vec![there(Flags::SYN), back(SYN_ACK), there(Flags::ACK)], 5 * day),
            (vec![there(Flags::SYN), back(SYN_ACK), there(Flags::ACK), back(FIN_ACK)], 120 * SECOND),
            (vec![there(Flags::SYN), back(Flags::RST | Flags::ACK)], 10 * SECOND),
        ] {
            let mut wire = Wire::new(8);
            for segment in &segments {
                wire.pass(7, segment);
            }
            let at = |ns| wire.look(Instant::from_nanos(7 + ns), &back(Flags::ACK)).state;
            assert_eq!((at(timeout - 1), at(timeout)), (State::Established, State::Invalid), "{}", segments.len());
        }
    }

    #[test]
    fn udp_and_icmp_timeouts_to_the_nanosecond() {
        let mut wire = Wire::new(8);
        let (query, answer) = (udp(A, 5000, B, 53), udp(B, 53, A, 5000));
        assert_eq!(wire.pass(0, &query), State::New);
        let state = |wire: &Wire, ns, frame: &[u8]| wire.look(Instant::from_nanos(ns), frame).state;
        assert_eq!(state(&wire, 30 * SECOND - 1, &answer), State::Established);
        assert_eq!(state(&wire, 30 * SECOND, &answer), State::New, "now it asks");
        assert_eq!(wire.pass(SECOND, &query), State::New, "unanswered");
        assert_eq!(wire.pass(2 * SECOND, &answer), State::Established);
        assert_eq!(state(&wire, 122 * SECOND - 1, &query), State::Established);
        assert_eq!(state(&wire, 122 * SECOND, &query), State::New);

        let (ping, pong) = (icmp_v4(A, B, 8, 5), icmp_v4(B, A, 0, 5));
        assert_eq!(wire.pass(0, &pong), State::Invalid);
        assert_eq!(wire.pass(0, &ping), State::New);
        assert_eq!(state(&wire, 30 * SECOND - 1, &pong), State::Established);
        assert_eq!(state(&wire, 30 * SECOND, &pong), State::Invalid);
        let (gre, answer) = (packet(A, B, 47, &[]), packet(B, A, 47, &[]));
        assert_eq!(wire.pass(0, &gre), State::New);
        assert_eq!(state(&wire, 600 * SECOND - 1, &answer), State::Established);
        assert_eq!(state(&wire, 600 * SECOND, &answer), State::New);
    }

    #[test]
    fn errors_are_related_to_what_is_known_and_refresh_nothing() {
        let mut wire = Wire::new(8);
        let about = error([10, 0, 9, 9], A, 3, 3, &udp(A, 5000, B, 53));
        assert_eq!(wire.pass(0, &about), State::Invalid);
        wire.pass(0, &udp(A, 5000, B, 53));
        assert_eq!(wire.pass(30 * SECOND - 1, &about), State::Related);
        assert_eq!(wire.pass(30 * SECOND, &about), State::Invalid);
    }

    #[test]
    fn what_does_not_pass_leaves_no_trace() {
        let wire = Wire::new(8);
        assert_eq!(wire.look(Instant::ZERO, &there(Flags::SYN)).state, State::New);
        assert_eq!((wire.look(Instant::ZERO, &back(SYN_ACK)).state, wire.0.len()), (State::Invalid, 0));
    }

    #[test]
    fn a_syn_begins_anew_what_is_over() {
        let mut wire = Wire::new(8);
        for segment in [there(Flags::SYN), back(SYN_ACK), there(Flags::ACK)] {
            wire.pass(0, &segment);
        }
        assert_eq!(wire.pass(0, &there(Flags::SYN)), State::Established, "it is not over");
        wire.pass(0, &there(FIN_ACK));
        wire.pass(0, &back(FIN_ACK));
        assert_eq!(wire.pass(0, &back(Flags::SYN)), State::New, "the other end opens");
        assert_eq!(wire.pass(0, &there(SYN_ACK)), State::Established);
    }

    #[test]
    fn the_table_is_bounded_and_the_unanswered_give_way() {
        let mut wire = Wire::new(4);
        for port in 0..1000 {
            assert_eq!(wire.pass(0, &tcp(A, port, B, 80, Flags::SYN)), State::New);
            assert!(wire.0.len() <= 4);
        }
        for port in 2000..2004 {
            for segment in [udp(A, port, B, 53), udp(B, 53, A, port)] {
                wire.pass(1, &segment);
            }
        }
        assert_eq!(wire.pass(1, &there(Flags::SYN)), State::Invalid, "no room, and none gives way");
        assert_eq!(wire.pass(120 * SECOND, &there(Flags::SYN)), State::Invalid);
        assert_eq!(wire.pass(120 * SECOND + 1, &there(Flags::SYN)), State::New);
    }
}
