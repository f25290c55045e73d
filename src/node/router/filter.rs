//! Where a router asks its firewall, and what it does about packets that do not pass.

use super::errors::Problem;
use super::firewall::{Action, Packet};
use super::{Router, Work};
use crate::frame::{DropCause, Frame};
use crate::wire::checksum::{Sum, pseudo_v4, pseudo_v6};
use crate::wire::ethernet::{self, EtherType, HEADER_LEN};
use crate::wire::reset::answer;
use crate::wire::summary::FrameSummary;
use crate::wire::{ipv4, ipv6, tcp};

impl Router {
    /// A packet that came in at a port, and leaves by another or is for the router itself, goes on if the firewall lets it.
    #[inline]
    pub(super) fn filter(&mut self, work: &mut Work<'_>, from: u32, to: Option<u32>, frame: Frame) -> Option<Frame> {
        let Some(firewall) = &mut self.firewall else { return Some(frame) };
        let view = work.pool.view(&frame);
        let summary = FrameSummary::new(view.head, view.wire_len());
        let packet = Packet { summary: &summary, view: &view, bytes: work.pool.bytes(&frame), from, to };
        let action = firewall.check(work.now, &packet);
        if action == Action::Allow {
            return Some(frame);
        }
        self.refuse(work, from, frame, action);
        None
    }

    #[cold]
    fn refuse(&mut self, work: &mut Work<'_>, from: u32, frame: Frame, action: Action) {
        match action {
            Action::Allow | Action::Drop => {}
            Action::Reset => self.reset(work, from, &frame),
            Action::Prohibited => self.report(work, from, &frame, Problem::Prohibited),
        }
        work.drop(frame, DropCause::Firewall);
    }

    /// Answers a TCP segment in the name of its destination as a closed port would (RFC 9293 §3.10.7.1). One that is damaged
    /// gets no answer: who knows whose it was. Of a train the first gets the answer, as all acknowledge the same.
    fn reset(&mut self, work: &mut Work<'_>, from: u32, frame: &Frame) {
        let read = self.read_whole(work, frame);
        let packet = &read[HEADER_LEN..];
        match ethernet::Frame::new_checked(&read[..]).map(|header| header.ethertype()) {
            Ok(EtherType::IPV4) if let Ok(ip) = ipv4::Packet::new_checked(packet) => {
                let segment = ip.payload();
                let pseudo = pseudo_v4(ip.src(), ip.dst(), tcp::PROTOCOL, segment.len() as u32);
                if let Some(answer) = right(segment, pseudo).and_then(answer) {
                    self.reset_v4(work, &ip, answer);
                }
            }
            Ok(EtherType::IPV6) if let Ok(ip) = ipv6::Packet::new_checked(packet) => {
                let segment = ip.payload().get(ip.transport().offset..).unwrap_or(&[]);
                let pseudo = pseudo_v6(ip.src(), ip.dst(), tcp::PROTOCOL, segment.len() as u32);
                if let Some(answer) = right(segment, pseudo).and_then(answer) {
                    self.reset_v6(work, from, &ip, answer);
                }
            }
            _ => {}
        }
        self.read = read;
    }
}

/// A segment whose checksum is right.
fn right(segment: &[u8], pseudo: Sum) -> Option<&[u8]> {
    ((pseudo + Sum::of(segment)).checksum() == 0).then_some(segment)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::firewall::matching::Destination;
    use super::super::firewall::{FirewallPlan, Match, Policy, RulePlan, Timeouts};
    use super::super::testing::*;
    use super::*;
    use crate::model::form::from_json;
    use crate::node::RouterPlan;
    use crate::node::router::NatPlan;
    use crate::rng::{StreamKey, Way};
    use crate::wire::gso::GsoKind;
    use crate::wire::tcp::Flags;
    use crate::wire::testing::{Train, naive_sum};

    /// Lets TCP to port 80 pass, and does this to all else.
    fn bench(default: Policy) -> Bench {
        let of = |text: serde_json::Value| from_json(text).unwrap();
        let web = Match { protocol: of("tcp".into()), port: from_json(80.into()).unwrap(), ..Match::default() };
        let rules = vec![RulePlan { name: "web".into(), action: Policy::Allow, matches: web }];
        let firewall = FirewallPlan { default, rules, timeouts: Timeouts::default(), limit: 100 };
        Bench::with(&RouterPlan { firewall: Some(firewall), ..Bench::plan() })
    }

    fn to_net(net: &str) -> Destination {
        let networks = [net.parse::<ipnet::IpNet>().unwrap()].into_iter().collect();
        Destination { router: false, networks }
    }

    fn segment(src: &str, dst: &str, ports: (u16, u16), flags: Flags, payload: &[u8]) -> Vec<u8> {
        let mut bytes = [ports.0.to_be_bytes(), ports.1.to_be_bytes()].concat();
        bytes.extend([0, 0, 3, 232, 0, 0, 0, 77, 0x50, flags.0, 0xff, 0xff, 0, 0, 0, 0]);
        bytes.extend(payload);
        ip_summed(src, dst, tcp::PROTOCOL, &bytes, tcp::CHECKSUM_OFFSET)
    }

    #[test]
    fn what_is_allowed_passes_and_so_do_its_replies() {
        let mut bench = bench(Policy::Drop);
        let (there, back) = (("10.0.0.9", "10.0.1.9"), ("10.0.1.9", "10.0.0.9"));
        let dropped = [Out::Dropped(DropCause::Firewall)];
        let mut answer = segment(back.0, back.1, (80, 4000), Flags::SYN | Flags::ACK, b"");
        answer[..6].copy_from_slice(&router_mac(1).0);
        assert_eq!(bench.receive(1, &answer), dropped);
        let (port, _) = the_frame(&bench.receive(0, &segment(there.0, there.1, (4000, 80), Flags::SYN, b"")));
        assert_eq!(port, 1);
        let (port, _) = the_frame(&bench.receive(1, &answer));
        assert_eq!(port, 0);
        assert_eq!(bench.receive(0, &segment(there.0, there.1, (4000, 81), Flags::SYN, b"")), dropped);
        assert_eq!(bench.receive(0, &udp(there.0, there.1, 80, b"x")), dropped);
        assert_eq!(bench.receive(0, &ping("10.0.0.9", "10.0.0.1", b"x")), dropped, "to the router itself");
        let counts: Vec<u64> = bench.router.firewall().unwrap().counts().map(|count| count.counted.frames).collect();
        assert_eq!(counts, [1, 1, 4]);
    }

    #[test]
    fn rejected_segments_are_reset_in_the_name_of_their_destination() {
        for (src, dst, header) in [("10.0.0.9", "10.0.1.9", 34), ("fd00::9", "fd00:0:0:1::9", 54)] {
            let mut bench = bench(Policy::Reject);
            for (flags, payload, numbers) in [
                (Flags::SYN, &b""[..], (0, 1001, Flags::RST | Flags::ACK)),
                (Flags::ACK, b"hello", (77, 0, Flags::RST)),
            ] {
                let out = bench.receive(0, &segment(src, dst, (4000, 22), flags, payload));
                assert_eq!(out.len(), 2, "{out:?}");
                assert_eq!(out.last(), Some(&Out::Dropped(DropCause::Firewall)));
                let (port, reset) = the_frame(&out[..1]);
                let tcp = tcp::Packet::new_checked(&reset[header..header + 20]).unwrap();
                assert_eq!((port, tcp.src_port(), tcp.dst_port()), (0, 22, 4000));
                assert_eq!((tcp.seq(), tcp.ack(), tcp.flags()), numbers);
                assert_eq!(transport_sum(&reset), 0xffff);
                assert_eq!(FrameSummary::new(&reset, reset.len()).src(), dst.parse().ok());
            }
            let mut damaged = segment(src, dst, (4000, 22), Flags::SYN, b"");
            damaged[header + 5] ^= 1;
            assert_eq!(bench.receive(0, &damaged), [Out::Dropped(DropCause::Firewall)]);
            let reset = segment(src, dst, (4000, 22), Flags::RST, b"");
            assert_eq!(bench.receive(0, &reset), [Out::Dropped(DropCause::Firewall)]);
        }
    }

    #[test]
    fn other_rejected_packets_are_prohibited() {
        for (src, dst, own, code) in
            [("10.0.0.9", "10.0.1.9", "10.0.0.1", (3, 13)), ("fd00::9", "fd00:0:0:1::9", "fd00::1", (1, 1))]
        {
            for packet in [udp(src, dst, 53, b"x"), ping(src, dst, b"x")] {
                let out = bench(Policy::Reject).receive(0, &packet);
                assert_eq!(out.last(), Some(&Out::Dropped(DropCause::Firewall)));
                let (kind, number, ..) = the_error(&out[..1], own, src);
                assert_eq!((kind, number), code);
            }
        }
    }

    #[test]
    fn a_rejected_train_gets_one_answer_and_counts_as_its_wire_frames() {
        let mut train = Train::plain(GsoKind::Tcp4, 1448, 4000);
        // of the bench's network
        train.frame[..6].copy_from_slice(&router_mac(0).0);
        train.frame[26..34].copy_from_slice(&[10, 0, 0, 9, 10, 0, 1, 9]);
        let header = 14;
        train.frame[header + 10..header + 12].fill(0);
        let sum = !naive_sum(&train.frame[header..header + 20]);
        train.frame[header + 10..header + 12].copy_from_slice(&sum.to_be_bytes());
        let pseudo = Train::pseudo(train.gso.kind, &train.frame, header, train.frame.len() - 34);
        let partial = naive_sum(&pseudo);
        train.frame[50..52].copy_from_slice(&partial.to_be_bytes());
        let mut bench = bench(Policy::Reject);
        let out = bench.receive_train(0, &train);
        let answers = out.iter().filter(|out| matches!(out, Out::Sent(..))).count();
        let dropped = out.iter().filter(|out| **out == Out::Dropped(DropCause::Firewall)).count();
        assert_eq!((answers, dropped), (1, 3), "{out:?}");
        assert_eq!(bench.router.firewall().unwrap().counts().last().unwrap().counted.frames, 3);
    }

    #[test]
    fn who_is_rejected_behind_a_translation_hears_from_the_endpoint_that_it_spoke_to() {
        let spec = from_json(json!({ "outside": "eth1", "forward": [
            { "port": 22, "to": "10.0.0.9:2022" },
            { "port": 53, "to": "10.0.0.9", "protocol": "udp" },
        ] }));
        let random = StreamKey::new(1, "gw", Way::Forward, "nat");
        let nat = Some(NatPlan { spec: spec.unwrap(), port: 1, random });
        let inside = Match { to: Some(to_net("10.0.0.0/24")), ..Match::default() };
        let rules = vec![RulePlan { name: "inside".into(), action: Policy::Reject, matches: inside }];
        let firewall = FirewallPlan { default: Policy::Allow, rules, timeouts: Timeouts::default(), limit: 100 };
        let mut bench = Bench::with(&RouterPlan { firewall: Some(firewall), nat, ..Bench::plan() });
        let outside = |mut frame: Vec<u8>| {
            frame[..6].copy_from_slice(&router_mac(1).0);
            frame
        };
        let out = bench.receive(1, &outside(segment("10.0.1.9", "10.0.1.1", (4000, 22), Flags::SYN, b"")));
        let (port, reset) = the_frame(&out[..1]);
        assert_eq!((port, transport_sum(&reset)), (1, 0xffff));
        let told = FrameSummary::new(&reset, reset.len()).to_string();
        assert_eq!(told, "TCP 10.0.1.1:22 > 10.0.1.9:4000 R. seq 0 ack 1001 (54 B)");
        let out = bench.receive(1, &outside(udp("10.0.1.9", "10.0.1.1", 53, b"x")));
        let (kind, code, _, quote) = the_error(&out[..1], "10.0.1.1", "10.0.1.9");
        assert_eq!((kind, code), (3, 13));
        assert_eq!(quote[12..20], [10, 0, 1, 9, 10, 0, 1, 1], "as it was sent");
    }
}
