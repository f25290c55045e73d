//! Frames into a switch, a hub, a router, and a router with translation and a firewall: real ones with some bytes changed, or
//! any bytes, alone or as trains. Frames are conserved, and each leaves by a door.
#![no_main]

use arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use longwire::engine::{Engine, NodeId, NodeKind};
use longwire::frame::Cut;
use longwire::node::{EdgePlan, PortVlans, SwitchSpec, VlanId, VlanSet};
use longwire::units::{Duration, Instant};
use longwire::wire::ipv4;
use longwire_fuzz::{
    Nowhere, PORTS, assert_conserved, count, guarded_router, plan, real_frames, router, serving_router,
};
use std::sync::OnceLock;

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, rest)) = bytes.split_first() else { return };
    let mut engine = Engine::new(&plans()[usize::from(*kind) % KINDS]);
    let (mut u, mut frame) = (Unstructured::new(rest), Vec::new());
    let (mut sink, mut now, mut sent) = (Nowhere::default(), Instant::ZERO, 0);
    while !u.is_empty() && one(&mut u, &mut engine, &mut frame, &mut sink, &mut now).is_ok() {
        sent += 1;
    }
    count::frames(sent);
    assert_conserved(&engine);
    engine.advance(now + Duration::from_secs(100), &mut sink);
    assert_conserved(&engine);
    let held = engine.nodes().map(|node| engine.held(node)).sum::<u64>();
    assert_eq!((engine.pool().live(), held), (0, 0), "every frame left by a door");
});

const KINDS: usize = 7;

fn plans() -> &'static [longwire::engine::Plan; KINDS] {
    static PLANS: OnceLock<[longwire::engine::Plan; KINDS]> = OnceLock::new();
    PLANS.get_or_init(|| {
        let access = |id| PortVlans::Access(VlanId::new(id).expect("a VLAN"));
        let trunk = PortVlans::Trunk { allowed: VlanSet::All, native: VlanId::new(7) };
        let vlans = SwitchSpec { vlans: Some(vec![access(7), access(7), trunk]), ..SwitchSpec::default() };
        [
            NodeKind::Router(guarded_router()),
            NodeKind::Router(router()),
            NodeKind::Router(serving_router()),
            NodeKind::Switch(SwitchSpec::default()),
            NodeKind::Switch(vlans),
            NodeKind::Hub,
            NodeKind::Edge(EdgePlan { attachments: 2, cloud: 0 }),
        ]
        .map(plan)
    })
}

/// One frame in, and some time on.
fn one(
    u: &mut Unstructured<'_>,
    engine: &mut Engine,
    bytes: &mut Vec<u8>,
    sink: &mut Nowhere,
    now: &mut Instant,
) -> Result<()> {
    static REAL: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    let real = REAL.get_or_init(real_frames);
    bytes.clear();
    let form = u.arbitrary::<u8>()?;
    if form < 8 {
        let len = u.int_in_range(0..=200)?;
        bytes.extend(u.bytes(u.len().min(len))?);
    } else {
        bytes.extend(&real[usize::from(form) % real.len()]);
        for _ in 0..u.int_in_range(0..=3_u8)? {
            // headers more often than payload
            let end = if u.ratio(3, 4)? { bytes.len().min(70) } else { bytes.len() };
            let at = u.choose_index(end)?;
            bytes[at] = u.arbitrary()?;
        }
        match u.int_in_range(0..=15_u8)? {
            0 => bytes.truncate(u.int_in_range(0..=bytes.len())?),
            1 => bytes.resize(bytes.len() + u.int_in_range(0..=200)?, 0xee),
            _ => {}
        }
        // with its checksum right again, it comes further
        if u.arbitrary()?
            && let Some(Ok(mut ip)) = bytes.get_mut(14..).map(ipv4::Packet::new_checked)
        {
            ip.fill_checksum();
        }
    }
    let frame = if bytes.len() > 60 && form % 16 == 0 {
        let cut = Cut { header: u.int_in_range(0..=59)?, segment: u.int_in_range(1..=200)? };
        engine.pool().store_train(bytes, cut).expect("a cut that fits")
    } else {
        engine.pool().store(bytes).expect("no longer than a frame may be")
    };
    engine.inject(*now, NodeId(u32::from(form / 3 % PORTS)), frame);
    *now += Duration::from_micros(u.int_in_range(0..=400)?);
    engine.advance(*now, sink);
    Ok(())
}
