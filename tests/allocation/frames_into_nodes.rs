//! Random bytes and mutated real frames into every kind of node: none panics, all are counted, nothing grows.
//!
//! `LONGWIRE_FRAMES=10000000` sends ten million into each; the default takes seconds.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use crate::counting::in_use;
use crate::node_frames::{Nowhere, PORTS, assert_conserved, guarded_router, plan, real_frames, router, serving_router};
use longwire::engine::{Engine, NodeId, NodeKind};
use longwire::frame::Cut;
use longwire::node::{EdgePlan, PortVlans, SwitchSpec, VlanId, VlanSet};
use longwire::units::{Duration, Instant};
use longwire::wire::ipv4;
use rand::rngs::SmallRng;
use rand::{Rng, RngExt, SeedableRng};

/// Random bytes, or a real frame with some of it changed; half of those with its IPv4 checksum right again, so that they come further.
fn noise(random: &mut SmallRng, real: &[Vec<u8>], out: &mut Vec<u8>) {
    out.clear();
    if random.random_ratio(1, 8) {
        out.resize(random.random_range(0..1600), 0);
        random.fill_bytes(out);
        return;
    }
    out.extend(&real[random.random_range(0..real.len())]);
    for _ in 0..random.random_range(0..5) {
        // headers more often than payload
        let end = if random.random_ratio(3, 4) { out.len().min(70) } else { out.len() };
        let at = random.random_range(0..end);
        out[at] = if random.random() { random.random() } else { out[at] ^ 1 << random.random_range(0..8) };
    }
    match random.random_range(0..10) {
        0 => out.truncate(random.random_range(0..=out.len())),
        1 => out.resize(out.len() + random.random_range(0..200), 0xee),
        _ => {}
    }
    if random.random()
        && let Some(Ok(mut ip)) = out.get_mut(14..).map(ipv4::Packet::new_checked)
    {
        ip.fill_checksum();
    }
}

/// Sends `frames` into the node, at most 400 µs apart.
fn flood(kind: NodeKind, frames: u64) {
    let growth = growth(kind, frames, Duration::from_micros(400));
    assert!(growth < 1 << 20, "{growth} bytes more than at half the way");
}

/// Sends `frames` into the node, at most `pause` apart: every one is counted. By how many bytes what is in use grew in the second half.
fn growth(kind: NodeKind, frames: u64, pause: Duration) -> isize {
    let mut engine = Engine::new(&plan(kind));
    let (mut random, real) = (SmallRng::seed_from_u64(7), real_frames());
    let (mut bytes, mut sink, mut now) = (Vec::new(), Nowhere::default(), Instant::ZERO);
    let middle = NodeId(PORTS.into());
    let mut half = 0;
    for n in 0..frames {
        if n == frames / 2 {
            half = in_use();
        }
        noise(&mut random, &real, &mut bytes);
        // some as trains, whatever their headers say
        let frame = if bytes.len() > 60 && random.random_ratio(1, 16) {
            let cut = Cut { header: random.random_range(0..60), segment: random.random_range(1..200) };
            engine.pool().store_train(&bytes, cut).unwrap()
        } else {
            engine.pool().store(&bytes).unwrap()
        };
        engine.inject(now, NodeId(u32::from(random.random_range(0..PORTS))), frame);
        now += Duration::from_nanos(random.random_range(0..pause.as_nanos()));
        engine.advance(now, &mut sink);
        if n % 1000 == 0 {
            assert_conserved(&engine);
        }
    }
    // whatever still waits is given up
    engine.advance(now + Duration::from_secs(100), &mut sink);
    assert_conserved(&engine);
    assert_eq!((engine.pool().live(), engine.held(middle)), (0, 0), "every frame left by a door");
    let counters = engine.node_counters(middle);
    assert!(counters.received > frames / 2 && sink.0 > frames / 100, "{counters:?}, {} delivered", sink.0);
    in_use() - half
}

fn frames() -> u64 {
    std::env::var("LONGWIRE_FRAMES").map_or(300_000, |text| text.parse().expect("LONGWIRE_FRAMES is a number"))
}

#[test]
fn a_switch_survives_any_frames() {
    flood(NodeKind::Switch(SwitchSpec::default()), frames());
}

#[test]
fn a_hub_survives_any_frames() {
    flood(NodeKind::Hub, frames());
}

#[test]
fn a_router_survives_any_frames() {
    flood(NodeKind::Router(router()), frames());
}

#[test]
fn a_switch_with_vlans_survives_any_frames() {
    let access = |id| PortVlans::Access(VlanId::new(id).unwrap());
    let trunk = PortVlans::Trunk { allowed: VlanSet::All, native: VlanId::new(7) };
    let spec = SwitchSpec { vlans: Some(vec![access(7), access(7), trunk]), ..SwitchSpec::default() };
    flood(NodeKind::Switch(spec), frames());
}

#[test]
fn a_region_of_a_cloud_survives_any_frames() {
    flood(NodeKind::Edge(EdgePlan { attachments: 2, cloud: 0 }), frames());
}

#[test]
fn a_router_that_gives_addresses_survives_any_frames() {
    flood(NodeKind::Router(serving_router()), frames());
}

#[test]
fn a_router_with_translation_and_a_firewall_survives_any_frames() {
    flood(NodeKind::Router(guarded_router()), frames());
}

/// Mappings, connections, neighbours, leases and stations come and go: what the second day adds would be a leak.
#[test]
fn the_second_of_two_days_takes_no_memory() {
    const DAYS: u64 = 2 * 24 * 60 * 60;
    for (kind, name) in [
        (NodeKind::Router(guarded_router()), "router with translation and a firewall"),
        (NodeKind::Router(serving_router()), "router that gives addresses"),
        (NodeKind::Switch(SwitchSpec::default()), "switch"),
    ] {
        let growth = growth(kind, DAYS, Duration::from_secs(2));
        assert!(growth < 16 << 10, "{name}: {growth} bytes more than after one day");
    }
}
