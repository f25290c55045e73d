//! Switches and hubs in virtual time: VLANs, storms, and loops that links close and open.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::frame::{DropCause, FrameView};
use crate::node::{PortVlans, SwitchSpec, VlanId, VlanSet};

/// What came out: (port, bytes).
#[derive(Default)]
struct Out {
    delivered: Vec<(u32, Vec<u8>)>,
}

impl FrameSink for Out {
    fn deliver(&mut self, port: NodeId, frame: FrameView<'_>, _: Instant) {
        let mut bytes = Vec::new();
        for n in 0..frame.count {
            bytes.clear();
            FrameView { first: frame.first + n, count: 1, ..frame }.write_wire_frame(&mut bytes);
            self.delivered.push((port.0, bytes.clone()));
        }
    }
    fn fate(&mut self, _: Fate<'_>) {}
}

fn us(us: u64) -> Instant {
    Instant::from_nanos(us * 1_000)
}

fn plan(nodes: Vec<NodeKind>, ends: &[[usize; 2]]) -> Plan {
    let nodes = nodes.into_iter().enumerate().map(|(n, kind)| NodePlan { name: format!("n{n}"), kind }).collect();
    let link = |(n, ends): (usize, &[usize; 2])| LinkPlan {
        name: format!("l{n}"),
        ends: *ends,
        directions: [DirectionSpec::default(), DirectionSpec::default()],
    };
    Plan {
        seed: 1,
        coalesce: Duration::ZERO,
        convergence: Duration::from_micros(100),
        nodes,
        links: ends.iter().enumerate().map(link).collect(),
    }
}

fn switch() -> NodeKind {
    NodeKind::Switch(SwitchSpec::default())
}

fn vlan(id: u16) -> VlanId {
    VlanId::new(id).unwrap()
}

fn with_vlans(vlans: Vec<PortVlans>) -> NodeKind {
    NodeKind::Switch(SwitchSpec { vlans: Some(vlans), ..SwitchSpec::default() })
}

/// From one host's address to another's, 255 being everybody; an 802.1Q tag with this content in front of the type.
fn frame(to: u8, from: u8, tci: Option<u16>) -> Vec<u8> {
    let mut bytes = if to == 255 { vec![0xff; 6] } else { vec![2, 0, 0, 0, 0, to] };
    bytes.extend([2, 0, 0, 0, 0, from]);
    if let Some(tci) = tci {
        bytes.extend([0x81, 0]);
        bytes.extend(tci.to_be_bytes());
    }
    bytes.extend([0x88, 0xb5]);
    bytes.extend((0..400u16).map(|n| n as u8));
    bytes
}

/// Sends a frame and returns who got what, in the order of ports.
fn send(engine: &mut Engine, at: u64, from: u32, bytes: &[u8]) -> Vec<(u32, Vec<u8>)> {
    let frame = engine.pool().store(bytes).unwrap();
    engine.inject(us(at), NodeId(from), frame);
    let mut out = Out::default();
    engine.advance(us(at), &mut out);
    assert_conserved(engine);
    out.delivered.sort();
    out.delivered
}

fn assert_conserved(engine: &Engine) {
    for node in engine.nodes() {
        let c = engine.node_counters(node);
        let entered = c.received + c.originated + c.replicated;
        assert_eq!(entered, c.sent + c.consumed + c.dropped.frames() + engine.held(node), "{node:?}: {c:?}");
    }
}

fn dropped(engine: &Engine, node: u32, cause: DropCause) -> u64 {
    engine.node_counters(NodeId(node)).dropped.by(cause).frames
}

/// Hosts 0 (VLAN 10), 1 (VLAN 20) and 2 (a trunk, native 20) at switch 4; host 3 (VLAN 10) at switch 5; a trunk between the
/// switches that allows 10 and 20, native none.
fn two_switches() -> Plan {
    let access = |id| PortVlans::Access(vlan(id));
    let trunk = |native: Option<u16>| PortVlans::Trunk {
        allowed: VlanSet::Only([vlan(10), vlan(20)].into()),
        native: native.map(vlan),
    };
    plan(
        vec![
            NodeKind::Port,
            NodeKind::Port,
            NodeKind::Port,
            NodeKind::Port,
            with_vlans(vec![access(10), access(20), trunk(Some(20)), trunk(None)]),
            with_vlans(vec![access(10), trunk(None)]),
        ],
        &[[0, 4], [1, 4], [2, 4], [3, 5], [4, 5]],
    )
}

#[test]
fn broadcasts_stay_in_their_vlan_and_have_the_tags_of_the_port() {
    let mut engine = Engine::new(&two_switches());
    assert_eq!(
        send(&mut engine, 0, 0, &frame(255, 1, None)),
        [(2, frame(255, 1, Some(10))), (3, frame(255, 1, None)),]
    );
    assert_eq!(send(&mut engine, 1, 1, &frame(255, 2, None)), [(2, frame(255, 2, None))]);
    // a priority without a VLAN is the port's, and lives on in a tag
    assert_eq!(
        send(&mut engine, 2, 0, &frame(255, 1, Some(0xa000))),
        [(2, frame(255, 1, Some(0xa00a))), (3, frame(255, 1, None)),]
    );
    // a host at a trunk says what it likes among those that are allowed
    assert_eq!(
        send(&mut engine, 3, 2, &frame(255, 3, Some(0x600a))),
        [(0, frame(255, 3, None)), (3, frame(255, 3, None)),]
    );
    assert_eq!(send(&mut engine, 4, 2, &frame(255, 3, Some(30))), []);
    assert_eq!(send(&mut engine, 5, 1, &frame(255, 2, Some(10))), []);
    assert_eq!(dropped(&engine, 4, DropCause::Vlan), 2);
    // the other switch has no port in VLAN 20 but the one it came from
    assert!(dropped(&engine, 5, DropCause::NoPort) > 0);
    assert_eq!(engine.pool().live(), 0);
}

#[test]
fn addresses_are_learned_in_each_vlan_by_itself_and_known_ones_are_sent_to_one_port() {
    let mut engine = Engine::new(&two_switches());
    let _ = send(&mut engine, 0, 3, &frame(255, 4, None));
    assert_eq!(send(&mut engine, 1, 0, &frame(4, 1, None)), [(3, frame(4, 1, None))]);
    assert_eq!(send(&mut engine, 2, 2, &frame(4, 3, Some(0x200a))), [(3, frame(4, 3, None))]);
    assert_eq!(send(&mut engine, 3, 3, &frame(3, 4, None)), [(2, frame(3, 4, Some(10)))]);
    // in VLAN 20 nobody has heard of it
    assert_eq!(send(&mut engine, 4, 1, &frame(4, 2, None)), [(2, frame(4, 2, None))]);
    // the same address in two VLANs
    let _ = send(&mut engine, 5, 1, &frame(255, 4, None));
    assert_eq!(send(&mut engine, 6, 2, &frame(4, 3, None)), [(1, frame(4, 3, None))]);
    assert_eq!(send(&mut engine, 7, 2, &frame(4, 3, Some(10))), [(3, frame(4, 3, None))]);
    assert_eq!(engine.pool().live(), 0);
}

#[test]
fn a_train_gets_a_tag_in_each_of_its_frames() {
    let mut engine = Engine::new(&two_switches());
    let bytes: Vec<u8> = frame(255, 1, None).into_iter().cycle().take(60 + 5 * 1000).collect();
    let train = engine.pool().store_train(&bytes, crate::frame::Cut { header: 60, segment: 1000 }).unwrap();
    engine.inject(us(0), NodeId(0), train);
    let mut out = Out::default();
    engine.advance(us(0), &mut out);
    let of = |port| out.delivered.iter().filter(|(p, _)| *p == port).map(|(_, b)| b.clone()).collect::<Vec<_>>();
    let plain: Vec<_> = (0..5).map(|n| [&bytes[..60], &bytes[60 + n * 1000..][..1000]].concat()).collect();
    assert_eq!(of(3), plain);
    let tagged: Vec<_> = plain.iter().map(|b| [&b[..12], &[0x81, 0, 0, 10], &b[12..]].concat()).collect();
    assert_eq!(of(2), tagged);
    let trunk = engine.counters(DirectionId(8));
    assert_eq!((trunk.delivered.frames, trunk.delivered.bytes), (5, 5 * 1064));
    assert_conserved(&engine);
    assert_eq!(engine.pool().live(), 0);
}

#[test]
fn tags_do_not_count_for_the_mtu() {
    let mut plan = two_switches();
    plan.links.iter_mut().flat_map(|link| &mut link.directions).for_each(|direction| direction.mtu = Some(400));
    let mut engine = Engine::new(&plan);
    assert_eq!(send(&mut engine, 0, 0, &frame(255, 1, None)).len(), 2);
}

#[test]
fn a_storm_is_cut_to_its_limit_frame_by_frame() {
    for vlans in [None, Some(vec![PortVlans::Access(VlanId::DEFAULT); 3])] {
        let spec = SwitchSpec { storm_control: Some(30), vlans, ..SwitchSpec::default() };
        let nodes = vec![NodeKind::Port, NodeKind::Port, NodeKind::Port, NodeKind::Switch(spec)];
        let mut engine = Engine::new(&plan(nodes, &[[0, 3], [1, 3], [2, 3]]));
        let bytes: Vec<u8> = frame(255, 1, None).into_iter().cycle().take(60 + 5 * 1000).collect();
        let train = engine.pool().store_train(&bytes, crate::frame::Cut { header: 60, segment: 1000 }).unwrap();
        engine.inject(us(0), NodeId(0), train);
        let mut out = Out::default();
        engine.advance(us(0), &mut out);
        assert_eq!((out.delivered.len(), dropped(&engine, 3, DropCause::Storm)), (6, 2), "three to each of two");
        assert_eq!(send(&mut engine, 1, 0, &frame(255, 1, None)), []);
        // others have what is theirs, and the next second brings more
        assert_eq!(send(&mut engine, 2, 1, &frame(255, 2, None)).len(), 2);
        assert_eq!(send(&mut engine, 40_000, 0, &frame(255, 1, None)).len(), 2);
        assert_eq!((dropped(&engine, 3, DropCause::Storm), engine.pool().live()), (3, 0));
    }
}

/// Hosts 0, 1, 2 at switches 3, 4, 5, which are in a ring: the links l3 (3–4), l4 (4–5), l5 (5–3).
fn ring() -> Plan {
    let nodes = vec![NodeKind::Port, NodeKind::Port, NodeKind::Port, switch(), switch(), switch()];
    plan(nodes, &[[0, 3], [1, 4], [2, 5], [3, 4], [4, 5], [5, 3]])
}

#[test]
fn in_a_ring_everybody_hears_once_before_during_and_after_an_outage() {
    let mut engine = Engine::new(&ring());
    let blocked = |engine: &Engine| {
        engine.directions().filter(|id| engine.is_blocked(*id)).map(|id| id.0).collect::<BTreeSet<_>>()
    };
    assert_eq!(blocked(&engine), [9].into(), "at the second end of l4");
    let heard = |engine: &mut Engine, at, from: u32| {
        let out = send(engine, at, from, &frame(255, from as u8, None));
        out.into_iter().map(|(port, _)| port).collect::<Vec<_>>()
    };
    for (at, from) in [(0, 0), (1, 1), (2, 2)] {
        let others: Vec<u32> = (0..3).filter(|port| *port != from).collect();
        assert_eq!(heard(&mut engine, at, from), others);
    }
    assert!(dropped(&engine, 5, DropCause::Blocked) > 0, "the root's neighbour floods into the blocked link");
    // 1 is known behind l3
    assert_eq!(send(&mut engine, 9, 0, &frame(1, 0, None)).len(), 1);
    engine.apply(us(10), Command::Down(LinkId(3))).unwrap();
    assert_eq!(send(&mut engine, 10, 0, &frame(1, 0, None)), [], "nobody has noticed yet");
    assert_eq!(send(&mut engine, 109, 0, &frame(1, 0, None)), []);
    assert_eq!(engine.counters(DirectionId(6)).dropped.by(DropCause::LinkDown).frames, 2);
    // after the convergence time the other way carries, and the address is forgotten and flooded for
    let out = send(&mut engine, 111, 0, &frame(1, 0, None));
    assert_eq!(out.iter().map(|(port, _)| *port).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(blocked(&engine), [6, 7].into());
    assert_eq!(heard(&mut engine, 112, 1), [0, 2]);
    assert_eq!(send(&mut engine, 113, 0, &frame(1, 0, None)).len(), 1, "known again");
    // up again: until all know, it carries nothing, so that no frame goes round
    engine.apply(us(200), Command::Up(LinkId(3))).unwrap();
    assert_eq!(heard(&mut engine, 250, 0), [1, 2]);
    assert_eq!(blocked(&engine), [6, 7].into());
    assert_eq!(heard(&mut engine, 301, 0), [1, 2]);
    assert_eq!(blocked(&engine), [9].into());
    assert_eq!(engine.pool().live(), 0);
}

#[test]
fn what_was_on_its_way_when_the_tree_changed_teaches_nobody_the_old_way() {
    let mut plan = ring();
    for (link, us) in [(3, 1_000), (4, 5_000), (5, 5_000)] {
        for direction in &mut plan.links[link].directions {
            direction.delay = crate::model::DelaySpec::constant(Duration::from_micros(us));
        }
    }
    plan.convergence = Duration::from_millis(10);
    let mut engine = Engine::new(&plan);
    let mut out = Out::default();
    // one frame each way every millisecond; down, and up again
    let mut heard = Vec::new();
    for ms in 0..200 {
        match ms {
            20 => engine.apply(us(ms * 1_000), Command::Down(LinkId(3))).unwrap(),
            100 => engine.apply(us(ms * 1_000), Command::Up(LinkId(3))).unwrap(),
            _ => {}
        }
        for (from, to) in [(0, 1), (1, 0)] {
            let frame = engine.pool().store(&frame(to, from, None)).unwrap();
            engine.inject(us(ms * 1_000), NodeId(u32::from(from)), frame);
        }
        out.delivered.clear();
        engine.advance(us(ms * 1_000 + 999), &mut out);
        let of = |port| out.delivered.iter().filter(|(p, bytes)| *p == port && bytes[5] == port as u8).count();
        heard.push((of(0), of(1)));
    }
    let silent: Vec<_> = heard.iter().enumerate().filter(|(_, n)| n.0 == 0 || n.1 == 0).map(|(ms, _)| ms).collect();
    // from the outage to its end: the convergence, and the longer way; what was on the wire of 1 ms arrived
    assert_eq!(silent, [vec![0], (21..=39).collect()].concat(), "{heard:?}");
    assert_conserved(&engine);
}

#[test]
fn stations_at_a_switchs_own_ports_stay_known_when_the_tree_changes() {
    let mut engine = Engine::new(&plan(
        vec![NodeKind::Port, NodeKind::Port, NodeKind::Port, switch(), switch()],
        &[[0, 3], [1, 3], [2, 4], [3, 4], [3, 4]],
    ));
    for host in 0..3 {
        let _ = send(&mut engine, 0, host, &frame(255, host as u8, None));
    }
    engine.apply(us(1), Command::Down(LinkId(3))).unwrap();
    assert_eq!(send(&mut engine, 102, 0, &frame(1, 0, None)).len(), 1, "at this switch");
    assert_eq!(send(&mut engine, 103, 0, &frame(2, 0, None)).len(), 2, "behind the other one");
}

#[test]
fn hubs_alone_cannot_make_a_frame_go_round() {
    // whoever writes such a plan by hand: a scenario may not say it
    let nodes = vec![NodeKind::Port, NodeKind::Hub, NodeKind::Hub, NodeKind::Hub];
    let mut engine = Engine::new(&plan(nodes, &[[0, 1], [1, 2], [2, 3], [3, 1], [2, 2]]));
    assert_eq!(send(&mut engine, 0, 0, &frame(255, 1, None)), []);
}

/// Hosts on random switches and hubs, some with VLANs and some outside of the tree, that are joined in any way.
fn network() -> impl Strategy<Value = (Plan, usize, Vec<(u64, usize, bool)>)> {
    let kind = prop_oneof![4 => Just(0u8), 1 => Just(1), 1 => Just(2), 1 => Just(3)];
    (2usize..5, prop::collection::vec(kind, 1..6)).prop_flat_map(|(hosts, kinds)| {
        let count = kinds.len();
        let inner = prop::collection::vec((0..count, 0..count), 0..10);
        let homes = prop::collection::vec(0..count, hosts);
        let changes = prop::collection::vec((0u64..1000, any::<prop::sample::Index>(), any::<bool>()), 0..8);
        (Just(kinds), homes, inner, changes).prop_map(move |(kinds, homes, inner, changes)| {
            let mut ends: Vec<[usize; 2]> = homes.iter().enumerate().map(|(n, home)| [n, hosts + home]).collect();
            ends.extend(inner.iter().map(|(a, b)| [hosts + a, hosts + b]));
            let ports_of = |node: usize| ends.iter().flatten().filter(|end| **end == node).count();
            let node = |(n, kind): (usize, u8)| match kind {
                1 => NodeKind::Hub,
                2 => NodeKind::Switch(SwitchSpec { priority: None, ..SwitchSpec::default() }),
                3 => {
                    let trunk = PortVlans::Trunk { allowed: VlanSet::All, native: Some(VlanId::DEFAULT) };
                    with_vlans(vec![trunk; ports_of(hosts + n)])
                }
                _ => switch(),
            };
            let mut nodes = vec![NodeKind::Port; hosts];
            nodes.extend(kinds.iter().copied().enumerate().map(node));
            let mut changes: Vec<_> = changes.into_iter().map(|(at, l, up)| (at, l.index(ends.len()), up)).collect();
            changes.sort();
            (plan(nodes, &ends), hosts, changes)
        })
    })
}

/// Any bytes, with tags and without.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let to = prop::sample::select(vec![0xffu8, 0x00, 0x02]);
    let tag =
        (prop::sample::select(vec![0x8100u16, 0x88a8]), prop::sample::select(vec![0u16, 10, 20, 30, 0xf00a, 4095]));
    (to, prop::collection::vec(tag, 0..60), prop::collection::vec(any::<u8>(), 0..300), 0usize..600).prop_map(
        |(to, tags, rest, cut)| {
            let mut bytes = vec![to, 0, 0, 0, 0, rest.first().copied().unwrap_or(0) % 4, 2, 0, 0, 0, 0, to % 5];
            for (tpid, tci) in tags {
                bytes.extend([tpid.to_be_bytes(), tci.to_be_bytes()].concat());
            }
            bytes.extend(rest);
            bytes.truncate(cut);
            bytes
        },
    )
}

proptest! {
    #[test]
    fn switches_with_vlans_bear_any_bytes(frames in prop::collection::vec((0u32..4, any_frame()), 1..60)) {
        let mut engine = Engine::new(&two_switches());
        let mut out = Out::default();
        for (at, (from, bytes)) in frames.iter().enumerate() {
            let frame = engine.pool().store(bytes).unwrap();
            engine.inject(us(at as u64), NodeId(*from), frame);
            engine.advance(us(at as u64), &mut out);
        }
        assert_conserved(&engine);
        prop_assert_eq!(engine.pool().live(), 0);
        // nobody but the host at the trunk ever sees a tag that a switch put on
        for (port, bytes) in &out.delivered {
            prop_assert!(*port == 2 || frames.iter().any(|(_, sent)| sent.len() >= bytes.len()), "{} bytes", bytes.len());
        }
    }
}

/// Counts what happens, and fails long before it would go on for ever.
#[derive(Default)]
struct Bounded {
    delivered: Vec<u32>,
}

impl FrameSink for Bounded {
    fn deliver(&mut self, port: NodeId, _: FrameView<'_>, _: Instant) {
        self.delivered.push(port.0);
        assert!(self.delivered.len() < 10_000, "a frame goes round");
    }
    fn fate(&mut self, _: Fate<'_>) {}
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    /// Links without any delay: whatever went round would do so at one instant and for ever.
    #[test]
    fn whatever_is_joined_to_whatever_a_broadcast_is_heard_once((plan, hosts, changes) in network()) {
        let mut engine = Engine::new(&plan);
        let mut up = vec![true; plan.links.len()];
        let mut changes = changes.into_iter().peekable();
        for at in (0..1_400).step_by(50) {
            while let Some((when, link, comes)) = changes.next_if(|change| change.0 <= at) {
                let link_id = LinkId(link as u32);
                engine.apply(us(when), if comes { Command::Up(link_id) } else { Command::Down(link_id) }).unwrap();
                up[link] = comes;
            }
            for from in 0..hosts {
                let bytes = frame(255, from as u8, None);
                let frame = engine.pool().store(&bytes).unwrap();
                engine.inject(us(at), NodeId(from as u32), frame);
                let mut out = Bounded::default();
                engine.advance(us(at), &mut out);
                let heard: BTreeSet<u32> = out.delivered.iter().copied().collect();
                prop_assert_eq!(heard.len(), out.delivered.len(), "somebody heard it twice");
                prop_assert!(!heard.contains(&(from as u32)), "it came back");
                // once all is known: everybody who is joined, by links that are up
                if at >= 1_200 {
                    let mut reached = BTreeSet::from([from]);
                    while let Some(more) = plan.links.iter().zip(&up).filter(|(_, up)| **up).find_map(|(link, _)| {
                        let [a, b] = link.ends;
                        let passes = |node: usize| node == from || node >= hosts;
                        let step = |here, there| (reached.contains(&here) && passes(here) && !reached.contains(&there)).then_some(there);
                        step(a, b).or(step(b, a))
                    }) {
                        reached.insert(more);
                    }
                    let others: BTreeSet<u32> =
                        reached.into_iter().filter(|node| *node < hosts && *node != from).map(|n| n as u32).collect();
                    prop_assert_eq!(heard, others);
                }
            }
        }
        assert_conserved(&engine);
        prop_assert_eq!(engine.pool().live(), 0);
        // and what it says of itself: active links are a forest
        let mut sets: Vec<usize> = (0..plan.nodes.len()).collect();
        for (n, link) in plan.links.iter().enumerate() {
            if LinkId(n as u32).directions().iter().any(|id| engine.is_blocked(*id)) {
                continue;
            }
            let [a, b] = link.ends.map(|end| sets[end]);
            prop_assert!(a != b, "link {} closes a loop", n);
            sets.iter_mut().filter(|set| **set == a).for_each(|set| *set = b);
        }
    }
}
