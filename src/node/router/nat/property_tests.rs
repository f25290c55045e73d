//! What holds for all packets, and for no bytes does not.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::testing::*;
use super::*;
use crate::wire::testing::{real_frames, train};

fn dependence() -> impl Strategy<Value = Dependence> {
    prop::sample::select(vec![
        Dependence::EndpointIndependent,
        Dependence::AddressDependent,
        Dependence::AddressAndPortDependent,
    ])
}

fn assignment() -> impl Strategy<Value = PortAssignment> {
    prop::sample::select(vec![PortAssignment::Preserve, PortAssignment::Sequential, PortAssignment::Random])
}

proptest! {
    #[test]
    fn there_and_back_are_the_bytes_that_were_sent(
        (host, port, remote, remote_port) in (1u8..255, 1u16.., 1u8..255, 1u16..),
        (mapping, filtering, assignment, tcp_flags, taken) in (dependence(), dependence(), assignment(), any::<u8>(), any::<bool>()),
    ) {
        let mut home = Home::new(|spec| {
            (spec.mapping, spec.filtering, spec.port_assignment) = (mapping, filtering, assignment);
        });
        let (near, far) = (inside(host, port), server(remote, remote_port));
        if taken {
            home.udp_out(inside(0, port), far);
            home.out(tcp(inside(0, port), far, 2)).unwrap();
        }
        // the answer to a packet is its mirror image: payload, checksum and all
        let flags = tcp_flags & !4;
        for (request, answer) in [
            (udp(near, far), udp(far, near)),
            (tcp(near, far, flags), tcp(far, near, flags)),
            (echo(8, near.address, far.address, port), echo(0, far.address, near.address, port)),
        ] {
            let sent = home.out(request).unwrap();
            let (seen, to) = ends(&sent);
            prop_assert_eq!((seen.address, to.address), (WAN[0], far.address));
            let coming = match sent[L3 + 9] {
                17 => udp(to, seen),
                6 => tcp(to, seen, flags),
                _ => echo(0, to.address, seen.address, seen.port),
            };
            prop_assert_eq!(home.back(coming).unwrap(), answer);
        }
    }

    #[test]
    fn trains_keep_the_sum_of_their_pseudo_header(t in train()) {
        let mut home = Home::new(|_| {});
        let mut frame = t.frame.clone();
        let head = frame.len().min(192);
        let done = home.nat.outbound(home.now, &mut frame[..head], t.l3, t.partial);
        if !t.gso.kind.is_v4() {
            prop_assert_eq!(done, Ok(Translation::NotMine));
            prop_assert_eq!(frame, t.frame);
        } else if done.is_ok() && t.partial.is_some() {
            let pseudo = crate::wire::testing::Train::pseudo(t.gso.kind, &frame, t.l3, frame.len() - t.l4);
            let field = t.l4 + usize::from(t.gso.kind.checksum_offset());
            let sum = u16::from_be_bytes([frame[field], frame[field + 1]]);
            prop_assert_eq!(sum, crate::wire::testing::naive_sum(&pseudo));
            prop_assert_eq!(&frame[t.header..], &t.frame[t.header..]);
        }
    }

    #[test]
    fn no_two_inside_endpoints_share_an_outside_one(
        flows in proptest::collection::vec((1u8..6, 1000u16..1012, 1u8..4, 1u16..4, any::<bool>(), 0u64..40), 1..200),
        (mapping, assignment, pooling) in (dependence(), assignment(), any::<bool>()),
        rebind_at in 0usize..200,
    ) {
        let mut home = Home::with(&WAN, |spec| {
            (spec.mapping, spec.port_assignment) = (mapping, assignment);
            spec.pooling = if pooling { Pooling::Paired } else { Pooling::Arbitrary };
            (spec.ports, spec.limit) = ("1000-1007".parse().unwrap(), 64);
        });
        // who had an outside endpoint last, and until when
        let mut owner: HashMap<(u8, Endpoint), (Endpoint, Instant)> = HashMap::new();
        for (n, (host, port, remote, remote_port, is_tcp, wait)) in flows.into_iter().enumerate() {
            home.wait(Duration::from_secs(wait));
            if n == rebind_at {
                home.nat.rebind();
                owner.clear();
            }
            let (near, far) = (inside(host, port), server(remote, remote_port));
            let frame = if is_tcp { tcp(near, far, 2) } else { udp(near, far) };
            let protocol = frame[L3 + 9];
            let Ok(sent) = home.out(frame) else { continue };
            let outside = ends(&sent).0;
            prop_assert!((1000..=1007).contains(&outside.port));
            let until = home.now + Duration::from_secs(if is_tcp { 240 } else { 120 });
            if let Some((last, alive)) = owner.insert((protocol, outside), (near, until)) {
                prop_assert!(last == near || alive < home.now, "{outside:?} is of {last:?} and {near:?}");
            }
            let (sessions, deadlines) = home.nat.sizes();
            prop_assert!(sessions <= 64 && deadlines == sessions);
            let counters = home.nat.counters(home.now);
            prop_assert!(counters.live <= counters.peak && counters.peak <= counters.made);
        }
    }

    #[test]
    fn no_bytes_panic_and_no_right_checksum_becomes_wrong(
        frames in proptest::collection::vec(
            (prop::sample::select(all_kinds()), proptest::collection::vec((0usize..90, any::<u8>()), 0..4), 0u8..3, 0usize..220),
            1..40,
        ),
    ) {
        let mut home = Home::of(NatType::FullCone);
        let mut causes = HashSet::new();
        for (mut frame, flips, way, cut) in frames {
            for (at, to) in flips {
                if let Some(byte) = frame.get_mut(at) {
                    *byte = to;
                }
            }
            frame.truncate(cut.max(10));
            let l3 = if cut % 7 == 0 { cut } else { L3 };
            let right = |frame: &[u8]| {
                let whole = l3 == L3 && frame.len() >= 34 && frame[L3] == 0x45
                    && usize::from(u16::from_be_bytes([frame[16], frame[17]])) == frame.len() - L3;
                whole.then(|| sums(frame)).map(|(header, rest)| (header == 0xffff, rest == 0xffff))
            };
            let before = right(&frame);
            let fragment = frame.len() > 21 && (frame[20] & 0x3f != 0 || frame[21] != 0);
            let done = match way {
                0 => home.nat.outbound(home.now, &mut frame, l3, None),
                1 => home.nat.inbound(home.now, &mut frame, l3, None),
                _ => home.nat.hairpin(home.now, &mut frame, l3, None),
            };
            // UDP without a checksum still has none
            let udp_without = frame.len() > 41 && frame[23] == 17 && frame[40..42] == [0, 0];
            if let (Some((header, rest)), Some((header_now, rest_now)), Ok(_)) = (before, right(&frame), done) {
                prop_assert!(!header || header_now);
                prop_assert!(!rest || rest_now || fragment || udp_without, "{frame:02x?}");
            }
            causes.insert(done.err());
            home.wait(Duration::from_secs(1));
        }
        prop_assert!(home.nat.sizes().0 <= 65_536);
    }
}

/// A frame of each kind that is looked into.
fn all_kinds() -> Vec<Vec<u8>> {
    let (a, b) = (inside(2, 5000), server(1, 80));
    let wan = Endpoint { address: WAN[0], port: 5000 };
    let mut frames = real_frames();
    frames.extend([udp(a, b), udp(b, wan), udp(inside(3, 5000), wan), tcp(a, b, 2), tcp(b, wan, 0x12)]);
    frames.extend([echo(8, a.address, b.address, 5000), echo(0, b.address, wan.address, 5000)]);
    frames.extend([error(b.address, &udp(wan, b), 28), error(b.address, &tcp(wan, b, 2), 60)]);
    frames.extend([error(a.address, &udp(b, a), 28), ip(47, a.address, b.address, &[0; 8])]);
    frames.push(fragment(udp(a, b), 7, 0, true));
    frames
}
