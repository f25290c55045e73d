//! VLANs of a switch (IEEE 802.1Q): which VLAN a frame is in, which ports that VLAN has, and where it has a tag.
//!
//! - A frame without a tag, or with one that says no VLAN but only a priority (VLAN id 0), is in the port's own VLAN: that of
//!   an access port, the native one of a trunk (§6.9)
//! - One with a tag is in the VLAN that the tag says, if the port is a member of it; else it is dropped (ingress filtering,
//!   §8.6.2), and so is what says 4095
//! - It leaves an access port without a tag, and a trunk with one unless its VLAN is the native one. The tag keeps the
//!   priority that it came with; one that is put on has priority 0
//! - Only tags of type 0x8100 are VLANs here. What a service tag (0x88a8) says is the frame's own affair

use core::fmt;
use std::collections::BTreeSet;

use serde::Serialize;

use crate::frame::{Frame, FramePool};
use crate::wire::Malformed;
use crate::wire::ethernet::{self, EtherType};
use crate::wire::vlan::{TAG_LEN, Tag, customer_tag};

/// The number of a VLAN, 1 to 4094.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct VlanId(u16);

impl VlanId {
    /// The VLAN that ports are in of which nobody says another (802.1Q Table 9-2).
    pub const DEFAULT: VlanId = VlanId(1);

    /// `None` for 0, which stands for no VLAN, and from 4095, which is reserved.
    pub const fn new(id: u16) -> Option<VlanId> {
        if matches!(id, 1..=4094) { Some(VlanId(id)) } else { None }
    }

    /// Its number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// Some of all VLANs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VlanSet {
    /// Every one.
    All,
    /// These.
    Only(BTreeSet<VlanId>),
}

impl VlanSet {
    /// Whether a VLAN is among them.
    pub fn contains(&self, vlan: VlanId) -> bool {
        match self {
            VlanSet::All => true,
            VlanSet::Only(set) => set.contains(&vlan),
        }
    }
}

impl fmt::Display for VlanSet {
    /// `all`, or the list with ranges: `[10, 20-29]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let VlanSet::Only(set) = self else { return f.write_str("all") };
        let mut ranges: Vec<(u16, u16)> = Vec::new();
        for vlan in set.iter().map(|vlan| vlan.get()) {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == vlan => *last = vlan,
                _ => ranges.push((vlan, vlan)),
            }
        }
        let words =
            |(first, last): &(u16, u16)| if first == last { first.to_string() } else { format!("{first}-{last}") };
        write!(f, "[{}]", ranges.iter().map(words).collect::<Vec<_>>().join(", "))
    }
}

/// What a port of a switch has to do with VLANs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortVlans {
    /// In one VLAN, whose frames have no tags there.
    Access(VlanId),
    /// In several, told apart by tags.
    Trunk {
        /// The VLANs that pass.
        allowed: VlanSet,
        /// The one, if it is allowed, whose frames have no tags here.
        native: Option<VlanId>,
    },
}

impl PortVlans {
    /// The VLAN of frames that come in without saying one.
    pub fn own(&self) -> Option<VlanId> {
        match self {
            PortVlans::Access(vlan) => Some(*vlan),
            PortVlans::Trunk { allowed, native } => native.filter(|vlan| allowed.contains(*vlan)),
        }
    }

    /// Whether frames of a VLAN have a tag where they leave by this port; `None` if they do not.
    pub fn tags(&self, vlan: VlanId) -> Option<bool> {
        match self {
            PortVlans::Access(own) => (*own == vlan).then_some(false),
            PortVlans::Trunk { allowed, native } => allowed.contains(vlan).then_some(*native != Some(vlan)),
        }
    }

    /// The VLAN of a frame that comes in with this tag, or none.
    fn classify(&self, tag: Option<Tag>) -> Option<VlanId> {
        match tag.map(Tag::id) {
            None | Some(0) => self.own(),
            Some(id) => VlanId::new(id).filter(|vlan| self.tags(*vlan).is_some()),
        }
    }
}

/// A frame of a VLAN, as it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) vlan: VlanId,
    tag: Option<Tag>,
}

impl Member {
    /// Whether it is as it should be where it leaves with or without a tag: nothing has to be changed.
    fn is_as(&self, tagged: bool) -> bool {
        if tagged { self.tag == Some(self.tag()) } else { self.tag.is_none() }
    }

    /// The tag that it leaves with, where it has one.
    fn tag(&self) -> Tag {
        let priority = self.tag.map_or(0, |tag| tag.tci & 0xf000);
        Tag { tpid: EtherType::VLAN, tci: priority | self.vlan.get() }
    }

    /// Gives a frame the tag that it should have, or takes it off. False where its head does not allow that, and then the
    /// frame is as it was.
    fn dress(&self, frame: &Frame, tagged: bool, pool: &mut FramePool) -> bool {
        const AT: usize = ethernet::HEADER_LEN - 2;
        match (self.tag, tagged) {
            _ if self.is_as(tagged) => true,
            (None, _) => pool.insert(frame, AT, &self.tag().to_bytes()),
            (Some(_), false) => pool.remove(frame, AT, TAG_LEN),
            (Some(_), true) => {
                pool.head_mut(frame)[AT..AT + TAG_LEN].copy_from_slice(&self.tag().to_bytes());
                true
            }
        }
    }

    /// The frame with the tag that it should have, or without one. No payload is copied. On error it is as it was.
    pub(super) fn dressed(&self, frame: Frame, tagged: bool, pool: &mut FramePool) -> Result<Frame, Frame> {
        if self.is_as(tagged) {
            return Ok(frame);
        }
        let own = pool.own_head(frame);
        if self.dress(&own, tagged, pool) { Ok(own) } else { Err(own) }
    }
}

/// The VLANs of a switch's ports.
#[derive(Debug)]
pub(super) struct Vlans {
    ports: Vec<PortVlans>,
}

impl Vlans {
    pub(super) fn new(ports: Vec<PortVlans>) -> Vlans {
        Vlans { ports }
    }

    /// The VLAN of a frame that came in at a port, `None` if it is in none of the port's.
    pub(super) fn classify(&self, port: u32, head: &[u8]) -> Result<Option<Member>, Malformed> {
        let tag = customer_tag(head)?;
        Ok(self.ports[port as usize].classify(tag).map(|vlan| Member { vlan, tag }))
    }

    /// Whether a frame can leave by a port as it came.
    pub(super) fn passes_as_it_is(&self, member: &Member, port: u32) -> bool {
        self.ports[port as usize].tags(member.vlan).is_some_and(|tagged| member.is_as(tagged))
    }

    /// Whether frames of a VLAN have a tag where they leave by a port; `None` if they do not leave there.
    pub(super) fn tags(&self, vlan: VlanId, port: u32) -> Option<bool> {
        self.ports[port as usize].tags(vlan)
    }

    pub(super) fn ports(&self) -> u32 {
        self.ports.len() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vlan(id: u16) -> VlanId {
        VlanId::new(id).unwrap()
    }

    fn trunk(allowed: &[u16], native: Option<u16>) -> PortVlans {
        let allowed = allowed.iter().map(|id| vlan(*id)).collect();
        PortVlans::Trunk { allowed: VlanSet::Only(allowed), native: native.map(vlan) }
    }

    fn tag(tci: u16) -> Option<Tag> {
        Some(Tag { tpid: EtherType::VLAN, tci })
    }

    #[test]
    fn numbers_end_where_the_standard_says() {
        let valid: Vec<_> = [0, 1, 4094, 4095, u16::MAX].map(VlanId::new).map(|id| id.map(VlanId::get)).to_vec();
        assert_eq!(valid, [None, Some(1), Some(4094), None, None]);
    }

    #[test]
    fn frames_are_in_the_vlan_that_they_or_the_port_say() {
        let access = PortVlans::Access(vlan(10));
        let some = trunk(&[10, 20], Some(20));
        let all = PortVlans::Trunk { allowed: VlanSet::All, native: Some(VlanId::DEFAULT) };
        let no_native = trunk(&[10], None);
        let not_allowed = trunk(&[10], Some(1));
        for (port, tag, expected) in [
            (&access, None, Some(10)),
            (&access, tag(0xe000), Some(10)), // priority 7, no VLAN
            (&access, tag(10), Some(10)),
            (&access, tag(20), None),
            (&some, None, Some(20)),
            (&some, tag(0), Some(20)),
            (&some, tag(10), Some(10)),
            (&some, tag(20), Some(20)),
            (&some, tag(30), None),
            (&all, None, Some(1)),
            (&all, tag(4094), Some(4094)),
            (&all, tag(0x0fff), None),
            (&no_native, None, None),
            (&no_native, tag(0x2000), None),
            (&not_allowed, None, None),
            (&not_allowed, tag(1), None),
        ] {
            assert_eq!(port.classify(tag).map(VlanId::get), expected, "{port:?} {tag:?}");
        }
        assert_eq!((access.tags(vlan(10)), access.tags(vlan(20))), (Some(false), None));
        let PortVlans::Trunk { allowed, .. } = trunk(&[30, 10, 11, 12, 4094], None) else { panic!("a trunk") };
        assert_eq!((allowed.to_string(), VlanSet::All.to_string()), ("[10-12, 30, 4094]".into(), "all".into()));
        assert_eq!((some.tags(vlan(10)), some.tags(vlan(20)), some.tags(vlan(30))), (Some(true), Some(false), None));
    }

    #[test]
    fn tags_come_and_go_and_keep_their_priority() {
        let mut pool = FramePool::default();
        let plain: Vec<u8> = (0..60).collect();
        let with = |tci: u16| [&plain[..12], &[0x81, 0], &tci.to_be_bytes()[..], &plain[12..]].concat();
        for (bytes, came, tagged, expected) in [
            (plain.clone(), None, false, plain.clone()),
            (plain.clone(), None, true, with(10)),
            (with(0xb00a), tag(0xb00a), true, with(0xb00a)),
            (with(0xb00a), tag(0xb00a), false, plain.clone()),
            (with(0xb000), tag(0xb000), true, with(0xb00a)), // only a priority so far
            (with(0xb000), tag(0xb000), false, plain.clone()),
        ] {
            let member = Member { vlan: vlan(10), tag: came };
            let frame = pool.store(&bytes).unwrap();
            let other = pool.share(&frame);
            let dressed = member.dressed(frame, tagged, &mut pool).unwrap();
            assert_eq!(pool.view(&dressed).to_vec(), expected, "{came:?} {tagged}");
            assert_eq!(pool.view(&other).to_vec(), bytes, "who shares it keeps it");
            pool.release(dressed);
            pool.release(other);
        }
        assert_eq!(pool.live(), 0);
    }

    #[test]
    fn a_tag_must_be_whole_and_a_service_tag_is_none() {
        let vlans = Vlans::new(vec![PortVlans::Access(vlan(10))]);
        let mut head = [0; 22];
        assert_eq!(vlans.classify(0, &head[..14]).unwrap().unwrap().vlan, vlan(10));
        head[12..14].copy_from_slice(&[0x88, 0xa8]);
        assert_eq!(vlans.classify(0, &head).unwrap().unwrap().tag, None);
        head[12..14].copy_from_slice(&[0x81, 0]);
        for len in 0..18 {
            assert!(vlans.classify(0, &head[..len]).is_err(), "{len}");
        }
        assert!(vlans.classify(0, &head[..18]).is_ok());
    }
}
