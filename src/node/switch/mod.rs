//! An Ethernet switch: learns addresses, forgets them with age, floods what it does not know (IEEE 802.1D §7.8, §7.9).

mod table;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Verdict;
use crate::frame::DropCause;
use crate::units::{Duration, Instant};
use crate::wire::ethernet::Frame;
pub use table::LearningTable;

/// An Ethernet switch. Short form in a scenario: `ap: switch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SwitchSpec {
    /// An address that was not heard for so long is forgotten. IEEE 802.1D recommends 300 s.
    pub ageing: Duration,
}

impl Default for SwitchSpec {
    fn default() -> SwitchSpec {
        SwitchSpec { ageing: Duration::from_secs(300) }
    }
}

/// A switch at work.
#[derive(Debug)]
pub struct Switch {
    table: LearningTable,
}

impl Switch {
    /// A switch that knows no address yet.
    pub fn new(spec: SwitchSpec) -> Switch {
        Switch { table: LearningTable::new(spec.ageing) }
    }

    /// Where the frame with this head goes that came in at `port`.
    pub fn receive(&mut self, now: Instant, port: u32, head: &[u8]) -> Verdict {
        let Ok(frame) = Frame::new_checked(head) else {
            return Verdict::Drop(DropCause::Malformed);
        };
        self.table.learn(now, 0, frame.src(), port);
        let destination = frame.dst();
        if destination.is_multicast() {
            return Verdict::Flood;
        }
        match self.table.port_of(now, 0, destination) {
            Some(known) if known == port => Verdict::Drop(DropCause::SamePort),
            Some(known) => Verdict::Forward(known),
            None => Verdict::Flood,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(destination: u8, source: u8) -> Vec<u8> {
        let mut bytes = vec![0; 14];
        bytes[5] = destination;
        bytes[11] = source;
        bytes
    }

    #[test]
    fn unknown_is_flooded_and_known_is_forwarded() {
        let mut switch = Switch::new(SwitchSpec::default());
        assert_eq!(switch.receive(Instant::ZERO, 0, &frame(2, 1)), Verdict::Flood);
        assert_eq!(switch.receive(Instant::ZERO, 1, &frame(1, 2)), Verdict::Forward(0));
        assert_eq!(switch.receive(Instant::ZERO, 0, &frame(2, 1)), Verdict::Forward(1));
        assert_eq!(switch.receive(Instant::ZERO, 1, &frame(2, 3)), Verdict::Drop(DropCause::SamePort));
        // the station moved
        assert_eq!(switch.receive(Instant::ZERO, 2, &frame(1, 2)), Verdict::Forward(0));
        assert_eq!(switch.receive(Instant::ZERO, 0, &frame(2, 1)), Verdict::Forward(2));
    }

    #[test]
    fn groups_are_flooded_and_never_learned() {
        let mut switch = Switch::new(SwitchSpec::default());
        let mut broadcast = frame(0, 1);
        broadcast[..6].fill(0xff);
        assert_eq!(switch.receive(Instant::ZERO, 0, &broadcast), Verdict::Flood);
        let mut from_group = frame(1, 0);
        from_group[6] = 1;
        assert_eq!(switch.receive(Instant::ZERO, 1, &from_group), Verdict::Forward(0));
        let mut to_group = frame(0, 1);
        to_group[0] = 1;
        assert_eq!(switch.receive(Instant::ZERO, 0, &to_group), Verdict::Flood);
    }

    #[test]
    fn addresses_are_forgotten_one_nanosecond_after_their_age() {
        let ageing = Duration::from_secs(300);
        let mut switch = Switch::new(SwitchSpec { ageing });
        let _ = switch.receive(Instant::ZERO, 0, &frame(9, 1));
        assert_eq!(switch.receive(Instant::ZERO + ageing, 1, &frame(1, 2)), Verdict::Forward(0));
        let late = Instant::ZERO + ageing + Duration::from_nanos(1);
        assert_eq!(switch.receive(late, 1, &frame(1, 2)), Verdict::Flood);
    }

    #[test]
    fn a_frame_without_a_header_is_malformed() {
        let mut switch = Switch::new(SwitchSpec::default());
        assert_eq!(switch.receive(Instant::ZERO, 0, &[0; 13]), Verdict::Drop(DropCause::Malformed));
    }
}
