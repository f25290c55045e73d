//! VLAN tags: 802.1Q and 802.1ad, stacked. A tag stands between the Ethernet addresses and the real EtherType.

use super::ethernet::{self, EtherType};
use super::{Malformed, be16, need};

/// Bytes of one tag.
pub const TAG_LEN: usize = 4;

/// One tag: its type (TPID) and its control information (TCI).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tag {
    /// [`EtherType::VLAN`] or [`EtherType::QINQ`].
    pub tpid: EtherType,
    /// Priority (3 bits), drop eligible (1), VLAN id (12).
    pub tci: u16,
}

impl Tag {
    /// A tag of priority 0 for VLAN `id`, of which 12 bits count.
    pub const fn new(tpid: EtherType, id: u16) -> Tag {
        Tag { tpid, tci: id & 0x0fff }
    }

    /// The VLAN's id, 0 to 4095. 0 means: no VLAN, only a priority.
    pub const fn id(self) -> u16 {
        self.tci & 0x0fff
    }

    /// The priority code point, 0 to 7.
    pub const fn priority(self) -> u8 {
        (self.tci >> 13) as u8
    }

    /// May be dropped first under congestion.
    pub const fn drop_eligible(self) -> bool {
        self.tci & 0x1000 != 0
    }

    /// The tag as it stands on the wire, behind the Ethernet addresses.
    pub const fn to_bytes(self) -> [u8; TAG_LEN] {
        let ([a, b], [c, d]) = (self.tpid.0.to_be_bytes(), self.tci.to_be_bytes());
        [a, b, c, d]
    }
}

/// What a frame carries behind its tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Untagged {
    /// The type behind the last tag.
    pub ethertype: EtherType,
    /// Offset of the layer-3 header from the frame's start: 14 and 4 for every tag.
    pub l3_offset: usize,
    /// The outermost tag.
    pub outer: Option<Tag>,
    /// The innermost tag; the same as `outer` where there is one only.
    pub inner: Option<Tag>,
}

/// Walks from the Ethernet header over all tags. Fails where the bytes end within a tag.
pub fn untag(frame: &[u8]) -> Result<Untagged, Malformed> {
    need("Ethernet", ethernet::HEADER_LEN, frame.len())?;
    let mut found =
        Untagged { ethertype: EtherType(be16(frame, 12)), l3_offset: ethernet::HEADER_LEN, outer: None, inner: None };
    while found.ethertype.is_vlan() {
        need("VLAN", found.l3_offset + TAG_LEN, frame.len())?;
        let tag = Tag { tpid: found.ethertype, tci: be16(frame, found.l3_offset) };
        found.outer = found.outer.or(Some(tag));
        found.inner = Some(tag);
        found.ethertype = EtherType(be16(frame, found.l3_offset + 2));
        found.l3_offset += TAG_LEN;
    }
    Ok(found)
}

/// The 802.1Q tag that stands first in a frame: what a switch looks at. A service tag (802.1ad) is none.
pub fn customer_tag(frame: &[u8]) -> Result<Option<Tag>, Malformed> {
    need("Ethernet", ethernet::HEADER_LEN, frame.len())?;
    if EtherType(be16(frame, ethernet::HEADER_LEN - 2)) != EtherType::VLAN {
        return Ok(None);
    }
    need("VLAN", ethernet::HEADER_LEN + TAG_LEN, frame.len())?;
    Ok(Some(Tag { tpid: EtherType::VLAN, tci: be16(frame, ethernet::HEADER_LEN) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(tail: &[u8]) -> Vec<u8> {
        [&[2; 12], tail].concat()
    }

    #[test]
    fn tags_are_walked_to_the_real_type() {
        let plain = untag(&frame(&[8, 0, 0x45])).unwrap();
        assert_eq!(plain, Untagged { ethertype: EtherType::IPV4, l3_offset: 14, outer: None, inner: None });

        let one = untag(&frame(&[0x81, 0, 0xb0, 0x64, 0x86, 0xdd])).unwrap();
        let tag = one.outer.unwrap();
        assert_eq!((tag.id(), tag.priority(), tag.drop_eligible()), (100, 5, true));
        assert_eq!((one.ethertype, one.l3_offset, one.inner), (EtherType::IPV6, 18, Some(tag)));

        let two = untag(&frame(&[0x88, 0xa8, 0, 7, 0x81, 0, 0, 9, 8, 6])).unwrap();
        assert_eq!((two.outer.map(Tag::id), two.inner.map(Tag::id)), (Some(7), Some(9)));
        assert_eq!((two.ethertype, two.l3_offset), (EtherType::ARP, 22));
    }

    #[test]
    fn a_tag_that_is_cut_off_is_malformed() {
        for tail in [&[0x81, 0][..], &[0x81, 0, 0, 1, 8], &[0x88, 0xa8, 0, 7, 0x81, 0]] {
            assert!(matches!(untag(&frame(tail)), Err(Malformed::Truncated { header: "VLAN", .. })), "{tail:?}");
        }
        assert!(untag(&[0; 13]).is_err());
    }

    #[test]
    fn a_switch_sees_the_first_tag_if_it_is_a_customers() {
        let tagged = frame(&[0x81, 0, 0xb0, 0x64, 0x81, 0, 0, 9, 8, 0]);
        assert_eq!(customer_tag(&tagged), Ok(Some(Tag { tpid: EtherType::VLAN, tci: 0xb064 })));
        assert_eq!(customer_tag(&frame(&[0x88, 0xa8, 0, 7, 0x81, 0, 0, 9, 8, 6])), Ok(None));
        assert_eq!(customer_tag(&frame(&[8, 0])), Ok(None));
        for len in 0..18 {
            assert!(customer_tag(&tagged[..len]).is_err(), "{len}");
        }
        assert!(customer_tag(&tagged[..18]).is_ok());
    }

    #[test]
    fn a_tag_is_written_as_it_is_read() {
        let tag = Tag::new(EtherType::QINQ, 0xf123);
        assert_eq!(tag.to_bytes(), [0x88, 0xa8, 0x01, 0x23]);
        let read = untag(&frame(&[&tag.to_bytes()[..], &[8, 0]].concat())).unwrap();
        assert_eq!(read.outer, Some(tag));
    }
}
