//! An Ethernet switch: learns addresses, forgets them with age, floods what it does not know (IEEE 802.1D §7.8, §7.9).
//!
//! One that was told nothing of VLANs does not look for tags and passes them on as they are. One that was told keeps VLANs
//! apart: [`PortVlans`] says how. Ports that the spanning tree blocks ([`Tree`]) are the engine's affair, where frames come in
//! and where they are flooded; a switch with VLANs floods by itself and is told which they are.

mod storm;
mod table;
mod tree;
mod vlan;

use super::{Verdict, Work};
use crate::frame::{DropCause, Frame};
use crate::units::{Duration, Instant};
use crate::wire::ethernet;
use storm::StormControl;
pub use table::LearningTable;
pub use tree::{Graph, GraphLink, Tree, path_cost};
use vlan::{Member, Vlans};
pub use vlan::{PortVlans, VlanId, VlanSet};

/// What an Ethernet switch is built from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwitchSpec {
    /// An address that was not heard for so long is forgotten. IEEE 802.1D recommends 300 s.
    pub ageing: Duration,
    /// The lower, the sooner it becomes the root of the spanning tree. `None`: it takes no part in the tree, and passes
    /// frames on by all of its ports.
    pub priority: Option<u16>,
    /// Frames to groups and to unknown addresses that each port takes in per second, at most 10⁹; `None` has no limit.
    pub storm_control: Option<u32>,
    /// What each port has to do with VLANs, in the order of the switch's links. `None`: it knows of no VLANs.
    pub vlans: Option<Vec<PortVlans>>,
}

impl SwitchSpec {
    /// IEEE 802.1D-2004 Table 17-2.
    pub const PRIORITY: u16 = 32_768;
    /// More than any test sends to all, and little enough that a machine can bear it from several ports.
    pub const STORM_CONTROL: u32 = 100_000;
}

impl Default for SwitchSpec {
    fn default() -> SwitchSpec {
        SwitchSpec {
            ageing: Duration::from_secs(300),
            priority: Some(SwitchSpec::PRIORITY),
            storm_control: Some(SwitchSpec::STORM_CONTROL),
            vlans: None,
        }
    }
}

/// A switch at work.
#[derive(Debug)]
pub struct Switch {
    table: LearningTable,
    storm: Option<StormControl>,
    vlans: Option<Vlans>,
    /// Ports that the spanning tree blocks; looked at by a switch with VLANs.
    blocked: Vec<bool>,
    /// Whether it takes part in the tree.
    spans: bool,
    /// Whether it learns from what it receives.
    learns: bool,
}

/// Where a frame of a VLAN goes.
enum Way {
    Drop(DropCause),
    Port(u32),
    Everywhere,
}

impl Switch {
    /// A switch with so many ports that knows no address yet.
    ///
    /// # Panics
    /// If it has VLANs and does not say of each port what it has to do with them: the scenario's checks do.
    pub fn new(spec: &SwitchSpec, ports: u32) -> Switch {
        assert!(
            spec.vlans.as_ref().is_none_or(|vlans| vlans.len() == ports as usize),
            "VLANs of each of {ports} ports"
        );
        Switch {
            table: LearningTable::new(spec.ageing),
            storm: spec.storm_control.map(|rate| StormControl::new(rate, ports)),
            vlans: spec.vlans.clone().map(Vlans::new),
            blocked: vec![false; ports as usize],
            spans: spec.priority.is_some(),
            learns: true,
        }
    }

    /// Where the frame with this head goes that came in at `port`, `count` wire frames of one train.
    #[inline]
    pub fn receive(&mut self, now: Instant, port: u32, head: &[u8], count: u64) -> Verdict {
        if self.vlans.is_some() {
            return self.receive_in_vlan(now, port, head);
        }
        let Ok(frame) = ethernet::Frame::new_checked(head) else {
            return Verdict::Drop(DropCause::Malformed);
        };
        let (source, destination) = (frame.src(), frame.dst());
        if self.learns {
            self.table.learn(now, 0, source, port);
        }
        if destination.is_multicast() {
            // IEEE 802.1D §7.12.6
            if destination.is_bridge_reserved() {
                return Verdict::Drop(DropCause::Reserved);
            }
            return self.flood(now, port, count);
        }
        match self.table.port_of(now, 0, destination) {
            Some(known) if known == port => Verdict::Drop(DropCause::SamePort),
            Some(known) => Verdict::Forward(known),
            None => self.flood(now, port, count),
        }
    }

    /// To all other ports, as far as storm control lets it.
    fn flood(&mut self, now: Instant, port: u32, count: u64) -> Verdict {
        let Some(storm) = &mut self.storm else { return Verdict::Flood };
        match storm.allows(now, port) {
            0 => Verdict::Drop(DropCause::Storm),
            some if some < count => Verdict::Handle,
            _ => {
                storm.take(port, count);
                Verdict::Flood
            }
        }
    }

    /// Deals with a frame whose verdict was [`Verdict::Handle`]: one of which storm control lets only a part through, or one
    /// that leaves with another tag than it came with, or by several ports of its VLAN.
    pub fn handle(&mut self, work: &mut Work<'_>, port: u32, frame: Frame) {
        let Some(vlans) = &self.vlans else {
            if let Some(frame) = self.let_through(work, port, frame) {
                work.flood(port, frame);
            }
            return;
        };
        let head = work.pool.view(&frame).head;
        // it was looked at before
        let Ok(Some(member)) = vlans.classify(port, head) else { return work.drop(frame, DropCause::Vlan) };
        match self.way(work.now, port, head, &member) {
            Way::Drop(cause) => work.drop(frame, cause),
            Way::Port(to) => {
                let tagged = vlans.tags(member.vlan, to).unwrap_or_default();
                match member.dressed(frame, tagged, work.pool) {
                    Ok(frame) => work.send(to, frame),
                    Err(frame) => work.drop(frame, DropCause::Malformed),
                }
            }
            Way::Everywhere => {
                if let Some(frame) = self.let_through(work, port, frame) {
                    self.flood_vlan(work, port, frame, &member);
                }
            }
        }
    }

    /// Drops of a frame what storm control does not let through; what is left.
    fn let_through(&mut self, work: &mut Work<'_>, port: u32, mut frame: Frame) -> Option<Frame> {
        let Some(storm) = &mut self.storm else { return Some(frame) };
        let allowed = storm.allows(work.now, port);
        if allowed == 0 {
            work.drop(frame, DropCause::Storm);
            return None;
        }
        storm.take(port, allowed.min(frame.count()));
        if frame.count() <= allowed {
            return Some(frame);
        }
        let front = work.pool.split_front(&mut frame, allowed);
        work.drop(frame, DropCause::Storm);
        Some(front)
    }

    fn receive_in_vlan(&mut self, now: Instant, port: u32, head: &[u8]) -> Verdict {
        let Some(vlans) = &self.vlans else { return Verdict::Handle };
        let member = match vlans.classify(port, head) {
            Ok(Some(member)) => member,
            Ok(None) => return Verdict::Drop(DropCause::Vlan),
            Err(_) => return Verdict::Drop(DropCause::Malformed),
        };
        if let Ok(frame) = ethernet::Frame::new_checked(head)
            && self.learns
        {
            self.table.learn(now, member.vlan.get(), frame.src(), port);
        }
        match self.way(now, port, head, &member) {
            Way::Drop(cause) => Verdict::Drop(cause),
            Way::Port(to) if vlans.passes_as_it_is(&member, to) => Verdict::Forward(to),
            Way::Port(_) | Way::Everywhere => Verdict::Handle,
        }
    }

    fn way(&self, now: Instant, port: u32, head: &[u8], member: &Member) -> Way {
        let Ok(frame) = ethernet::Frame::new_checked(head) else { return Way::Drop(DropCause::Malformed) };
        let destination = frame.dst();
        if destination.is_multicast() {
            return if destination.is_bridge_reserved() { Way::Drop(DropCause::Reserved) } else { Way::Everywhere };
        }
        match self.table.port_of(now, member.vlan.get(), destination) {
            Some(known) if known == port => Way::Drop(DropCause::SamePort),
            Some(known) => Way::Port(known),
            None => Way::Everywhere,
        }
    }

    /// By every other port of the VLAN: with a tag by some and without by others, each made once.
    fn flood_vlan(&self, work: &mut Work<'_>, from: u32, frame: Frame, member: &Member) {
        let Some(vlans) = &self.vlans else { return work.drop(frame, DropCause::Vlan) };
        let members = |port: &u32| *port != from && !self.blocked[*port as usize];
        let out = |port: u32| vlans.tags(member.vlan, port).map(|tagged| (port, tagged));
        let out = || (0..vlans.ports()).filter(members).filter_map(out);
        // how many are still to leave without a tag, and with one
        let mut left = out().fold([0u32; 2], |mut count, (_, tagged)| {
            count[usize::from(tagged)] += 1;
            count
        });
        let mut forms = match left {
            [0, 0] => return work.drop(frame, DropCause::NoPort),
            [0, _] => [None, Some(frame)],
            [_, 0] => [Some(frame), None],
            _ => [Some(work.copy(&frame)), Some(frame)],
        };
        for (tagged, form) in [false, true].into_iter().zip(&mut forms) {
            *form = match form.take().map(|frame| member.dressed(frame, tagged, work.pool)) {
                Some(Err(frame)) => {
                    work.drop(frame, DropCause::Malformed);
                    None
                }
                form => form.and_then(Result::ok),
            };
        }
        for (port, tagged) in out() {
            let (form, left) = (&mut forms[usize::from(tagged)], &mut left[usize::from(tagged)]);
            *left -= 1;
            let leaving = if *left == 0 { form.take() } else { form.as_ref().map(|form| work.copy(form)) };
            if let Some(frame) = leaving {
                work.send(port, frame);
            }
        }
    }

    /// The spanning tree blocks a port, or does so no longer.
    pub fn set_blocked(&mut self, port: u32, blocked: bool) {
        self.blocked[port as usize] = blocked;
    }

    /// Whether it learns from what it receives next. False if it takes no part in the tree, and so is to be no part of what
    /// outlives a change of it.
    pub fn set_learning(&mut self, learns: bool) -> bool {
        self.learns = learns;
        self.spans || learns
    }

    /// The topology has changed: what was heard behind these ports may be elsewhere (IEEE 802.1D-2004 §17.11).
    pub fn forget(&mut self, stale: &[bool]) {
        self.table.forget(|port| stale[port as usize]);
    }

    /// Anything that was heard may be elsewhere.
    pub(super) fn forget_all(&mut self) {
        self.table.forget(|_| true);
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
        let mut switch = Switch::new(&SwitchSpec::default(), 3);
        assert_eq!(switch.receive(Instant::ZERO, 0, &frame(2, 1), 1), Verdict::Flood);
        assert_eq!(switch.receive(Instant::ZERO, 1, &frame(1, 2), 1), Verdict::Forward(0));
        assert_eq!(switch.receive(Instant::ZERO, 0, &frame(2, 1), 1), Verdict::Forward(1));
        assert_eq!(switch.receive(Instant::ZERO, 1, &frame(2, 3), 1), Verdict::Drop(DropCause::SamePort));
        // the station moved
        assert_eq!(switch.receive(Instant::ZERO, 2, &frame(1, 2), 1), Verdict::Forward(0));
        assert_eq!(switch.receive(Instant::ZERO, 0, &frame(2, 1), 1), Verdict::Forward(2));
    }

    #[test]
    fn groups_are_flooded_and_never_learned() {
        let mut switch = Switch::new(&SwitchSpec::default(), 3);
        let mut broadcast = frame(0, 1);
        broadcast[..6].fill(0xff);
        assert_eq!(switch.receive(Instant::ZERO, 0, &broadcast, 1), Verdict::Flood);
        let mut from_group = frame(1, 0);
        from_group[6] = 1;
        assert_eq!(switch.receive(Instant::ZERO, 1, &from_group, 1), Verdict::Forward(0));
        let mut to_group = frame(0, 1);
        to_group[0] = 1;
        assert_eq!(switch.receive(Instant::ZERO, 0, &to_group, 1), Verdict::Flood);
    }

    #[test]
    fn addresses_are_forgotten_one_nanosecond_after_their_age() {
        let ageing = Duration::from_secs(300);
        let mut switch = Switch::new(&SwitchSpec { ageing, ..SwitchSpec::default() }, 3);
        let _ = switch.receive(Instant::ZERO, 0, &frame(9, 1), 1);
        assert_eq!(switch.receive(Instant::ZERO + ageing, 1, &frame(1, 2), 1), Verdict::Forward(0));
        let late = Instant::ZERO + ageing + Duration::from_nanos(1);
        assert_eq!(switch.receive(late, 1, &frame(1, 2), 1), Verdict::Flood);
    }

    #[test]
    fn a_frame_without_a_header_is_malformed() {
        let mut switch = Switch::new(&SwitchSpec::default(), 3);
        assert_eq!(switch.receive(Instant::ZERO, 0, &[0; 13], 1), Verdict::Drop(DropCause::Malformed));
    }

    #[test]
    fn what_bridges_keep_to_a_link_goes_no_further() {
        let mut switch = Switch::new(&SwitchSpec::default(), 3);
        let mut bytes = frame(0, 1);
        for (last, verdict) in [
            (0x00, Verdict::Drop(DropCause::Reserved)), // spanning tree
            (0x0e, Verdict::Drop(DropCause::Reserved)), // LLDP
            (0x0f, Verdict::Drop(DropCause::Reserved)),
            (0x10, Verdict::Flood),
        ] {
            bytes[..6].copy_from_slice(&[0x01, 0x80, 0xc2, 0, 0, last]);
            assert_eq!(switch.receive(Instant::ZERO, 0, &bytes, 1), verdict, "{last:#x}");
        }
    }

    #[test]
    fn storm_control_counts_what_goes_to_many_and_nothing_else() {
        let mut switch = Switch::new(&SwitchSpec { storm_control: Some(20), ..SwitchSpec::default() }, 3);
        let mut broadcast = frame(0, 1);
        broadcast[..6].fill(0xff);
        assert_eq!(switch.receive(Instant::ZERO, 0, &broadcast, 1), Verdict::Flood);
        assert_eq!(switch.receive(Instant::ZERO, 0, &frame(9, 1), 2), Verdict::Handle, "one of two passes");
        assert_eq!(switch.receive(Instant::ZERO, 0, &frame(9, 1), 1), Verdict::Flood);
        assert_eq!(switch.receive(Instant::ZERO, 0, &frame(9, 1), 1), Verdict::Drop(DropCause::Storm));
        // another port has its own, and what is known passes
        assert_eq!(switch.receive(Instant::ZERO, 1, &frame(9, 2), 2), Verdict::Flood);
        assert_eq!(switch.receive(Instant::ZERO, 0, &frame(2, 1), 100), Verdict::Forward(1));
        let mut free = Switch::new(&SwitchSpec { storm_control: None, ..SwitchSpec::default() }, 3);
        assert_eq!(free.receive(Instant::ZERO, 0, &broadcast, u64::MAX), Verdict::Flood);
    }

    #[test]
    fn without_vlans_tags_are_nothing_to_it() {
        let mut switch = Switch::new(&SwitchSpec::default(), 3);
        let tagged = |destination, source, id| [&frame(destination, source)[..12], &[0x81, 0, 0, id, 8, 0]].concat();
        assert_eq!(switch.receive(Instant::ZERO, 0, &tagged(2, 1, 10), 1), Verdict::Flood);
        // heard in one VLAN, known in all
        assert_eq!(switch.receive(Instant::ZERO, 1, &tagged(1, 2, 20), 1), Verdict::Forward(0));
        // not even a tag that is cut off is looked at
        assert_eq!(switch.receive(Instant::ZERO, 1, &tagged(1, 2, 20)[..15], 1), Verdict::Forward(0));
    }
}
