//! An Ethernet switch: learns addresses, forgets them with age, floods what it does not know (IEEE 802.1D §7.8, §7.9).

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3Default;

use super::Verdict;
use crate::frame::DropCause;
use crate::units::{Duration, Instant};

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

/// Addresses that a switch remembers at most; those beyond are flooded. More than a /19 of hosts, and bounded whatever
/// source addresses frames claim.
const TABLE: usize = 8192;

type Mac = [u8; 6];

/// A switch at work.
#[derive(Debug)]
pub struct Switch {
    spec: SwitchSpec,
    /// Where each address was heard last. Looked up only, never walked: its order is not defined.
    table: HashMap<Mac, Heard, BuildHasherDefault<Xxh3Default>>,
    /// No entry can be older than the ageing time before this.
    swept: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    port: u32,
    at: Instant,
}

impl Switch {
    /// A switch that knows no address yet.
    pub fn new(spec: SwitchSpec) -> Switch {
        Switch { spec, table: HashMap::default(), swept: Instant::ZERO }
    }

    /// Where the frame with this head goes that came in at `port`.
    pub fn receive(&mut self, now: Instant, port: u32, head: &[u8]) -> Verdict {
        let (Some(destination), Some(source)) = (mac(head, 0), mac(head, 6)) else {
            return Verdict::Drop(DropCause::Malformed);
        };
        if !is_group(source) {
            self.learn(now, port, source);
        }
        if is_group(destination) {
            return Verdict::Flood;
        }
        match self.table.get(&destination) {
            Some(heard) if now - heard.at <= self.spec.ageing => {
                if heard.port == port {
                    Verdict::Drop(DropCause::SamePort)
                } else {
                    Verdict::Forward(heard.port)
                }
            }
            _ => Verdict::Flood,
        }
    }

    fn learn(&mut self, now: Instant, port: u32, source: Mac) {
        if self.table.len() >= TABLE && !self.table.contains_key(&source) {
            if now - self.swept <= self.spec.ageing {
                return;
            }
            let ageing = self.spec.ageing;
            self.table.retain(|_, heard| now - heard.at <= ageing);
            self.swept = now;
            if self.table.len() >= TABLE {
                return;
            }
        }
        self.table.insert(source, Heard { port, at: now });
    }
}

fn mac(head: &[u8], at: usize) -> Option<Mac> {
    // 14 bytes make an Ethernet header
    if head.len() < 14 { None } else { head[at..at + 6].try_into().ok() }
}

/// Multicast or broadcast: the lowest bit of the first byte (IEEE 802 §8.2).
fn is_group(mac: Mac) -> bool {
    mac[0] & 1 != 0
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
    fn invented_source_addresses_cannot_grow_the_table_without_end() {
        let mut switch = Switch::new(SwitchSpec { ageing: Duration::from_secs(1) });
        for n in 0..3 * TABLE as u32 {
            let mut bytes = frame(0, 0);
            bytes[8..12].copy_from_slice(&n.to_be_bytes());
            let _ = switch.receive(Instant::from_nanos(u64::from(n)), 0, &bytes);
        }
        assert_eq!(switch.table.len(), TABLE);
        // when they have aged, a real station is learned again
        let later = Instant::from_nanos(3_000_000_000);
        let _ = switch.receive(later, 1, &frame(9, 7));
        assert_eq!(switch.receive(later, 0, &frame(7, 1)), Verdict::Forward(1));
    }

    #[test]
    fn a_frame_without_a_header_is_malformed() {
        let mut switch = Switch::new(SwitchSpec::default());
        assert_eq!(switch.receive(Instant::ZERO, 0, &[0; 13]), Verdict::Drop(DropCause::Malformed));
    }
}
