//! Explicit congestion notification of a whole frame: its codepoint, and the mark "congestion experienced" (RFC 3168),
//! in IPv4 and IPv6, behind VLAN tags too.

use super::ethernet::EtherType;
use super::ipv4::{self, Ecn};
use super::{ipv6, vlan};

/// The codepoint of the frame of which `head` holds the headers; [`Ecn::NotEct`] of what is no IP packet.
pub fn codepoint(head: &[u8]) -> Ecn {
    let Ok(link) = vlan::untag(head) else { return Ecn::NotEct };
    let l3 = &head[link.l3_offset..];
    match link.ethertype {
        EtherType::IPV4 => ipv4::Packet::new_checked(l3).map_or(Ecn::NotEct, |ip| ip.ecn()),
        EtherType::IPV6 => ipv6::Packet::new_checked(l3).map_or(Ecn::NotEct, |ip| ip.ecn()),
        _ => Ecn::NotEct,
    }
}

/// Marks the frame of which `head` holds the headers, and returns whether that changed it: only ECT(0) and ECT(1) become CE
/// (RFC 3168 §5). The checksum of an IPv4 header follows (RFC 1624), so that one that was wrong stays wrong; no transport's
/// checksum covers the codepoint.
pub fn mark(head: &mut [u8]) -> bool {
    if !matches!(codepoint(head), Ecn::Ect0 | Ecn::Ect1) {
        return false;
    }
    let Ok(link) = vlan::untag(head) else { return false };
    let l3 = &mut head[link.l3_offset..];
    if link.ethertype == EtherType::IPV4 {
        ipv4::Packet::new_checked(l3).is_ok_and(|mut ip| {
            ip.set_ecn(Ecn::Ce);
            true
        })
    } else {
        ipv6::Packet::new_checked(l3).is_ok_and(|mut ip| {
            ip.set_ecn(Ecn::Ce);
            true
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::gso::GsoKind;
    use super::super::testing::{Train, naive_sum, real_frames, train};
    use super::*;

    #[test]
    fn only_capable_packets_are_marked() {
        for kind in [GsoKind::Tcp4, GsoKind::Tcp6, GsoKind::Udp4, GsoKind::Udp6] {
            for (ecn, marked) in [(Ecn::NotEct, false), (Ecn::Ect0, true), (Ecn::Ect1, true), (Ecn::Ce, false)] {
                let mut t = Train::plain(kind, 1000, 500);
                if kind.is_v4() {
                    ipv4::Packet::new_checked(&mut t.frame[t.l3..]).unwrap().set_ecn(ecn);
                } else {
                    ipv6::Packet::new_checked(&mut t.frame[t.l3..]).unwrap().set_ecn(ecn);
                }
                let before = t.frame.clone();
                assert_eq!(codepoint(&t.frame), ecn);
                assert_eq!(mark(&mut t.frame), marked, "{kind:?} {ecn:?}");
                assert_eq!(codepoint(&t.frame), if marked { Ecn::Ce } else { ecn });
                assert_eq!(t.frame != before, marked);
            }
        }
    }

    #[test]
    fn what_is_no_ip_or_cut_off_stays_as_it_is() {
        for frame in real_frames() {
            // none of them is ECN-capable
            let mut own = frame.clone();
            assert!(!mark(&mut own));
            assert_eq!(own, frame);
        }
        let mut t = Train::plain(GsoKind::Tcp4, 1000, 500);
        t.frame[t.l3 + 1] |= 2;
        for len in 0..t.l3 + 20 {
            assert!(!mark(&mut t.frame[..len]), "{len} bytes");
        }
    }

    proptest! {
        #[test]
        fn a_mark_keeps_the_header_checksum_right_and_touches_nothing_else(mut t in train(), wrong in any::<bool>()) {
            let v4 = t.gso.kind.is_v4();
            if wrong && v4 {
                t.frame[t.l3 + 10] ^= 0x40;
            }
            let sum_of = |t: &Train| naive_sum(&t.frame[t.l3..t.l3 + usize::from(t.frame[t.l3] & 15) * 4]);
            let (before, right) = (t.frame.clone(), v4 && sum_of(&t) == 0xffff);
            let was = codepoint(&before);
            let changed = mark(&mut t.frame);
            prop_assert_eq!(changed, matches!(was, Ecn::Ect0 | Ecn::Ect1));
            if v4 {
                prop_assert_eq!(sum_of(&t) == 0xffff, right);
            }
            // the codepoint's byte, and of IPv4 the checksum
            let touched = if v4 { vec![t.l3 + 1, t.l3 + 10, t.l3 + 11] } else { vec![t.l3 + 1] };
            for at in (0..before.len()).filter(|at| !touched.contains(at)) {
                prop_assert_eq!(t.frame[at], before[at], "byte {}", at);
            }
            let low = if v4 { 0x03 } else { 0x30 };
            prop_assert_eq!(t.frame[t.l3 + 1] & !low, before[t.l3 + 1] & !low, "DSCP stays");
        }
    }
}
