//! Where packets pass a router's address translation: on their way in before the router looks whether they are its own, on
//! their way out behind the route. The translation itself is in [`super::nat`].

use core::net::{IpAddr, Ipv4Addr};

use super::RouterPlan;
use super::guard::Guard;
use super::nat::{Nat, NatCounters, Translation};
use crate::frame::{DropCause, Frame};
use crate::node::Work;
use crate::units::Instant;
use crate::wire::ethernet::HEADER_LEN;
use crate::wire::gso::PartialChecksum;
use crate::wire::ipv4;

/// The translation at one port of a router.
#[derive(Debug)]
pub(super) struct Translator {
    /// The port toward the outside.
    outside: u32,
    nat: Nat,
    translated: u64,
    guard: Guard,
}

/// One way through the translation: of a head, at this time, with the offset of its network header and a checksum to be completed.
type Way = fn(&mut Nat, Instant, &mut [u8], usize, Option<PartialChecksum>) -> Result<Translation, DropCause>;

impl Translator {
    /// The router's, if its plan has one.
    pub(super) fn new(plan: &RouterPlan) -> Option<Translator> {
        let nat = plan.nat.as_ref()?;
        let interface = plan.interfaces.get(nat.port as usize)?;
        let addresses: Vec<Ipv4Addr> = interface
            .addresses
            .iter()
            .filter_map(|net| match net.addr() {
                IpAddr::V4(address) => Some(address),
                IpAddr::V6(_) => None,
            })
            .collect();
        let guard = Guard::new(plan, nat);
        Some(Translator { outside: nat.port, nat: Nat::new(&nat.spec, &addresses, nat.random), translated: 0, guard })
    }

    /// An IPv4 packet for `dst` came in at a port: the packet and its destination now, or `None` where it was dropped.
    #[inline]
    pub(super) fn arriving(
        &mut self,
        work: &mut Work<'_>,
        port: u32,
        frame: Frame,
        dst: Ipv4Addr,
    ) -> Option<(Frame, Ipv4Addr)> {
        let way = match port == self.outside {
            true => Nat::inbound,
            false if self.nat.is_outside(dst) => Nat::hairpin,
            false => return Some((frame, dst)),
        };
        let (frame, done) = self.pass(work, frame, way)?;
        let dst = match ipv4::Packet::new_checked(&work.pool.view(&frame).head[HEADER_LEN..]) {
            Ok(ip) if done == Translation::Done => ip.dst(),
            _ => dst,
        };
        Some((frame, dst))
    }

    /// An IPv4 packet is about to leave by a port: the packet as it leaves, or `None` where it was dropped.
    #[inline]
    pub(super) fn leaving(&mut self, work: &mut Work<'_>, port: u32, frame: Frame) -> Option<Frame> {
        if port != self.outside {
            return Some(frame);
        }
        self.pass(work, frame, Nat::outbound).map(|(frame, _)| frame)
    }

    fn pass(&mut self, work: &mut Work<'_>, frame: Frame, way: Way) -> Option<(Frame, Translation)> {
        let frame = work.pool.own_head(frame);
        let partial = work.pool.view(&frame).offload.partial();
        match way(&mut self.nat, work.now, work.pool.head_mut(&frame), HEADER_LEN, partial) {
            Ok(done) => {
                self.translated += if done == Translation::Done { frame.count() } else { 0 };
                Some((frame, done))
            }
            Err(cause) => {
                work.drop(frame, cause);
                None
            }
        }
    }

    /// An IPv6 packet is about to pass from a port to another: `None` where it was dropped.
    #[inline]
    pub(super) fn passing(&mut self, work: &mut Work<'_>, from: u32, to: u32, frame: Frame) -> Option<Frame> {
        if (from == self.outside) == (to == self.outside) {
            return Some(frame);
        }
        self.guard.pass(work, from, to, frame)
    }

    /// All mappings are forgotten.
    pub(super) fn rebind(&mut self) {
        self.nat.rebind();
    }

    /// What was done so far.
    pub(super) fn counters(&self, now: Instant) -> NatCounters {
        let (translated, ipv6) = (self.translated, self.guard.passed());
        NatCounters { translated, ipv6, ..self.nat.counters(now) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::FramePool;
    use crate::node::router::nat::NatSpec;
    use crate::node::router::testing::*;
    use crate::node::router::{NatPlan, RouterInterface};
    use crate::node::routing::Routes;
    use crate::node::{Deed, Tally};
    use crate::rng::{StreamKey, Way};
    use crate::wire::ethernet::MacAddr;
    use crate::wire::gso::GsoKind;
    use crate::wire::testing::Train;
    use crate::wire::vnet::{Endian, VnetHeader};

    fn translator() -> Translator {
        let interface = |name: &str, address: &str| RouterInterface {
            name: name.into(),
            mac: MacAddr([2, 0, 0, 0, 0, 1]),
            addresses: vec![address.parse().unwrap(), "fd00::1/64".parse().unwrap()],
            neighbours: Vec::new(),
        };
        let nat =
            NatPlan { spec: NatSpec::new("wan"), port: 1, random: StreamKey::new(1, "home", Way::Forward, "nat") };
        let interfaces = vec![interface("lan", "10.0.0.254/24"), interface("wan", "203.0.113.1/24")];
        Translator::new(&RouterPlan { interfaces, nat: Some(nat), ..RouterPlan::default() }).unwrap()
    }

    /// A turn at time 0, and the causes of what was dropped in it.
    fn turn(pool: &mut FramePool, does: impl FnOnce(&mut Work<'_>)) -> Vec<DropCause> {
        let (mut deeds, mut routes) = (Vec::new(), Routes::default());
        let mut work =
            Work { now: Instant::ZERO, pool, routes: &mut routes, deeds: &mut deeds, tally: Tally::default() };
        does(&mut work);
        let dropped = deeds.into_iter().map(|deed| match deed {
            Deed::Drop(cause, frame) => {
                pool.release(frame);
                cause
            }
            Deed::Send(..) | Deed::Flood(..) => unreachable!("a translator sends nothing"),
        });
        dropped.collect()
    }

    #[test]
    fn a_train_is_translated_by_its_head_and_others_of_it_keep_theirs() {
        let train = Train::plain(GsoKind::Tcp4, 1448, 4000);
        let header = VnetHeader::new(Some(train.gso), train.partial, train.header).encode(Endian::Native);
        let offload =
            VnetHeader::decode(&header, Endian::Native).unwrap().check(&train.frame, train.frame.len()).unwrap();
        let mut pool = FramePool::default();
        let mut frame = pool.store(&train.frame).unwrap();
        pool.set_offload(&mut frame, offload);
        let flooded = pool.share(&frame);
        let mut translator = translator();
        let dropped = turn(&mut pool, |work| {
            let frame = translator.leaving(work, 0, frame).unwrap();
            assert_eq!(work.pool.view(&frame).summary().src(), Some([10, 0, 0, 1].into()), "another port");
            let frame = translator.leaving(work, 1, frame).unwrap();
            assert_eq!((frame.count(), work.pool.view(&flooded).to_vec()), (3, train.frame.clone()));
            assert_eq!(work.pool.view(&flooded).summary().src(), Some([10, 0, 0, 1].into()));
            let mut wire = Vec::new();
            work.pool.view(&frame).write_wire_frame(&mut wire);
            // its checksum is complete and right
            let length = (wire.len() as u16 - 34).to_be_bytes();
            let all = [&wire[26..34], &[0, 6], &length, &wire[34..]].concat();
            assert_eq!((&wire[26..30], crate::wire::testing::naive_sum(&all)), (&[203, 0, 113, 1][..], 0xffff));
            work.pool.release(frame);
            work.pool.release(flooded);
        });
        assert_eq!((dropped, pool.live()), (vec![], 0));
        assert_eq!(translator.counters(Instant::ZERO).made, 1);
    }

    #[test]
    fn an_answer_gets_its_new_destination_and_a_stranger_is_dropped() {
        let mut translator = translator();
        let mut pool = FramePool::default();
        let request = Train::plain(GsoKind::Udp4, 100, 50).frame;
        let mut answer = request.clone();
        answer[26..30].copy_from_slice(&[10, 9, 8, 7]);
        answer[30..34].copy_from_slice(&[203, 0, 113, 1]);
        (answer[34], answer[35], answer[36], answer[37]) = (0x14, 0x51, 0x9c, 0x40);
        let wan = Ipv4Addr::new(203, 0, 113, 1);
        let dropped = turn(&mut pool, |work| {
            let early = work.originate(&answer).unwrap();
            assert!(translator.arriving(work, 1, early, wan).is_none());
            let out = work.originate(&request).unwrap();
            let out = translator.leaving(work, 1, out).unwrap();
            let back = work.originate(&answer).unwrap();
            let (back, dst) = translator.arriving(work, 1, back, wan).unwrap();
            assert_eq!(dst, Ipv4Addr::new(10, 0, 0, 1));
            let (around, dst) = translator.arriving(work, 0, back, Ipv4Addr::new(10, 9, 8, 7)).unwrap();
            assert_eq!(dst, Ipv4Addr::new(10, 9, 8, 7), "nothing outside: it passes");
            work.pool.release(around);
            work.pool.release(out);
            translator.rebind();
            let late = work.originate(&answer).unwrap();
            assert!(translator.arriving(work, 1, late, wan).is_none());
        });
        assert_eq!((dropped, pool.live()), (vec![DropCause::NatNoMapping; 2], 0));
    }

    /// A router on the bench whose port 1 is the outside, at 10.0.1.1.
    fn bench() -> Bench {
        let nat = NatPlan { spec: NatSpec::new("eth1"), port: 1, random: StreamKey::new(1, "r", Way::Forward, "nat") };
        Bench::with(&RouterPlan { border: Some(1), nat: Some(nat), ..Bench::plan() })
    }

    #[test]
    fn a_packet_goes_through_the_whole_router_and_its_answer_comes_back() {
        let mut bench = bench();
        let (port, out) = the_frame(&bench.receive(0, &udp("10.0.0.9", "10.0.1.9", 53, b"question")));
        assert_eq!((port, &out[26..30], &out[34..36], out[22]), (1, &[10, 0, 1, 1][..], &[0x0f, 0xa0][..], 63));
        assert_eq!(transport_sum(&out), 0xffff);
        let mut answer = udp("10.0.1.9", "10.0.1.1", 4000, b"answer");
        answer[..6].copy_from_slice(&router_mac(1).0);
        assert_eq!(bench.receive(1, &answer), [Out::Dropped(DropCause::NatFiltered)], "from another port");
        answer[34..36].copy_from_slice(&53u16.to_be_bytes());
        answer[40..42].fill(0);
        let (port, back) = the_frame(&bench.receive(1, &answer));
        assert_eq!((port, &back[30..34], &back[36..38]), (0, &[10, 0, 0, 9][..], &[0x0f, 0xa0][..]));
        // IPv6 passes as it is
        let (_, six) = the_frame(&bench.receive(0, &udp("fd00::9", "fd00:0:0:1::9", 53, b"six")));
        assert_eq!(six[22..38], udp("fd00::9", "fd00::9", 53, b"")[22..38]);
    }

    #[test]
    fn an_error_of_the_router_about_a_translated_packet_quotes_it_as_it_came() {
        let mut bench = bench();
        bench.receive(0, &udp("10.0.0.9", "10.0.1.9", 53, b"question"));
        let mut late = with_ttl(udp("10.0.1.9", "10.0.1.1", 4000, b"answer"), 1);
        late[..6].copy_from_slice(&router_mac(1).0);
        late[34..36].copy_from_slice(&53u16.to_be_bytes());
        late[40..42].fill(0);
        let out = bench.receive(1, &late);
        let (kind, code, _, quoted) = the_error(&out, "10.0.1.1", "10.0.1.9");
        assert_eq!((kind, code, &quoted[..28]), (11, 0, &late[14..42]));
    }

    #[test]
    fn what_the_router_sends_of_its_own_stays_its_own_and_fragments_are_translated_alike() {
        let mut bench = bench();
        let mut ping = ping("10.0.1.9", "10.0.1.1", b"abcd");
        ping[..6].copy_from_slice(&router_mac(1).0);
        let (_, pong) = the_frame(&bench.receive(1, &ping));
        assert_eq!(pong[26..34], [10, 0, 1, 1, 10, 0, 1, 9]);
        bench.router.set_mtu(1, Some(600));
        let out = bench.receive(0, &udp("10.0.0.9", "10.0.1.9", 53, &[7; 1200]));
        let sources: Vec<_> = out
            .iter()
            .map(|out| match out {
                Out::Sent(port, frame) => (*port, frame[26..30].to_vec()),
                Out::Dropped(cause) => panic!("{cause:?}"),
            })
            .collect();
        assert_eq!(sources, vec![(1, vec![10, 0, 1, 1]); 3]);
    }

    #[test]
    fn inside_hosts_meet_by_the_outside_address() {
        let mut bench = bench();
        bench.receive(0, &udp("10.0.0.9", "10.0.1.9", 53, b"open"));
        let to_itself = udp("10.0.0.9", "10.0.1.1", 4000, b"me");
        let (port, frame) = the_frame(&bench.receive(0, &to_itself));
        // its own outside endpoint is among those that it has sent to, with this very packet
        assert_eq!((port, &frame[26..34]), (0, &[10, 0, 1, 1, 10, 0, 0, 9][..]));
    }
}
