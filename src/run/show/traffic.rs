//! What is offered: frames of one size at a pace at which the queue stays short, for so long that what changes over time
//! comes round.

use crate::draw::show::Traffic;
use crate::engine::{DirectionSpec, LinkPlan};
use crate::model::RateSpec;
use crate::rng::Way;
use crate::units::{Duration, NANOS_PER_SEC};
use crate::wire::ethernet::{EtherType, Frame, HEADER_LEN, MacAddr};
use crate::wire::{ipv4, udp};

use super::offer::Lone;

/// The largest packet that a direction without an MTU of its own is shown, in L3 bytes: Ethernet's.
pub(super) const PACKET: u64 = 1_500;
/// Without a rate: so many frames a second.
const UNPACED: Duration = Duration::from_micros(100);
/// With a rate: so many tenths of what the wire carries, so that the queue stays short.
const LOAD_TENTHS: u64 = 8;
/// What lasts so long in a direction (an outage, a step of a schedule) comes round so often.
const ROUNDS: u64 = 10;
/// Delays are how long frames travel, not how long something lasts; unless they are as long as this.
const LONG_DELAY: Duration = Duration::from_secs(1);
/// A table from a file may change over a longer time than any value in the scenario tells.
const FROM_FILE: Duration = Duration::from_secs(60);
/// No span is longer than this, so that times stay far from the end of the clock.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// Paces frames for one direction of a link.
pub(super) fn traffic(seed: u64, link: &LinkPlan, way: Way, frames: u64, packet: u64) -> Traffic {
    let spec = &link.directions[way as usize];
    let frame_bytes = HEADER_LEN as u64 + packet;
    let wire = (spec.rate != RateSpec::Unlimited).then(|| carried(seed, link, way, frames, packet)).flatten();
    let pace = match wire {
        None => UNPACED,
        Some(Carried { frames, time }) => {
            let every = time * 10 / (frames * LOAD_TENTHS);
            every + Duration::from_nanos(u64::from(every * (frames * LOAD_TENTHS) < time * 10))
        }
    };
    let every = pace.max(span(spec) / frames).max(Duration::from_nanos(1));
    let bps = |frames: u64, time: Duration| {
        let bits = u128::from(frames) * u128::from(frame_bytes) * 8 * u128::from(NANOS_PER_SEC);
        u64::try_from(bits / u128::from(time.as_nanos().max(1))).unwrap_or(u64::MAX)
    };
    Traffic {
        frames,
        frame_bytes,
        every_ns: every.as_nanos(),
        span_ns: (every * frames).as_nanos(),
        offered_bps: bps(1, every),
        wire_bps: wire.map(|wire| bps(wire.frames, wire.time)),
    }
}

/// So many frames passed a wire in this time.
struct Carried {
    frames: u64,
    time: Duration,
}

/// What the wire of a direction carries, measured: whatever its rate depends on. `None` where nothing passes.
fn carried(seed: u64, link: &LinkPlan, way: Way, frames: u64, packet: u64) -> Option<Carried> {
    let mut link = link.clone();
    let asked = std::mem::take(&mut link.directions[way as usize]);
    let alone = &mut link.directions[way as usize];
    (alone.rate, alone.queue, alone.framing) = (asked.rate, asked.queue, asked.framing);
    let span = span(alone);
    let outcome = Lone::new(seed, link, way, datagram(packet)).greedily(frames, span, most(frames));
    let passed = outcome.arrived_by_end();
    (passed > 0 && outcome.end.as_nanos() > 0)
        .then(|| Carried { frames: passed, time: Duration::from_nanos(outcome.end.as_nanos()) })
}

/// How many frames a greedy sender offers at the most, those that its queue refuses included.
pub(super) fn most(frames: u64) -> u64 {
    frames * 5
}

/// How long it takes to see what a direction does over time.
pub(super) fn span(spec: &DirectionSpec) -> Duration {
    let mut named = false;
    spec.clone().files(&mut |_, _| named = true);
    let from_file = if named { FROM_FILE } else { Duration::ZERO };
    (longest_in(spec) * ROUNDS).max(from_file).min(LONGEST)
}

/// The longest time that a direction's models name, by the text of their parameters: so it holds for every model.
fn longest_in(spec: &DirectionSpec) -> Duration {
    let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(spec) else { return Duration::ZERO };
    let longest = |(field, value): (&String, &serde_json::Value)| match (field.as_str(), longest(value)) {
        // its limits and intervals are much shorter than what they show in
        ("queue", _) => Duration::ZERO,
        ("delay" | "reorder", time) if time < LONG_DELAY => Duration::ZERO,
        (_, time) => time,
    };
    fields.iter().map(longest).max().unwrap_or_default()
}

fn longest(value: &serde_json::Value) -> Duration {
    match value {
        serde_json::Value::String(text) => text.parse().unwrap_or_default(),
        serde_json::Value::Array(list) => list.iter().map(longest).max().unwrap_or_default(),
        serde_json::Value::Object(map) => map.values().map(longest).max().unwrap_or_default(),
        _ => Duration::ZERO,
    }
}

/// An Ethernet frame with a UDP datagram over IPv4 that fills a packet of so many bytes. ECN-capable, so that a queue that
/// marks can do so.
pub(super) fn datagram(packet: u64) -> Vec<u8> {
    /// discard (RFC 863)
    const PORT: u16 = 9;
    let mut bytes = vec![0; HEADER_LEN + packet as usize];
    let mut ethernet = Frame::new_checked(&mut bytes[..]).expect("an Ethernet header fits");
    ethernet.set_src(MacAddr([2, 0, 0, 0, 0, 1]));
    ethernet.set_dst(MacAddr([2, 0, 0, 0, 0, 2]));
    ethernet.set_ethertype(EtherType::IPV4);
    let mut ip = ipv4::Packet::init(ethernet.payload_mut()).expect("an IPv4 header fits");
    ip.set_total_len(packet as u16);
    ip.set_protocol(udp::PROTOCOL);
    ip.set_src([10, 0, 0, 1].into());
    ip.set_dst([10, 0, 0, 2].into());
    ip.fill_checksum();
    ip.set_ecn(ipv4::Ecn::Ect0);
    udp::Packet::init(ip.payload_mut(), PORT, PORT).expect("a UDP header fits");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DelaySpec, Framing, LossSpec};
    use crate::queue::QueueSpec;
    use crate::wire::summary::FrameSummary;

    fn link(spec: DirectionSpec) -> LinkPlan {
        LinkPlan { name: "link".into(), ends: [0, 1], directions: [spec, DirectionSpec::default()] }
    }

    fn at(rate: &str) -> DirectionSpec {
        DirectionSpec {
            rate: RateSpec::Constant(rate.parse().unwrap()),
            queue: Some(QueueSpec::DEFAULT),
            delay: DelaySpec::constant(Duration::from_millis(300)),
            loss: LossSpec::random("10%".parse().unwrap()),
            ..DirectionSpec::default()
        }
    }

    #[test]
    fn a_wire_is_loaded_to_80_percent_of_what_it_carries() {
        let t = traffic(1, &link(at("20Mbit")), Way::Forward, 1_000, 1_500);
        // 1,514 bytes take 605.6 µs at 20 Mbit/s, of which 10/8 are 757 µs
        assert_eq!((t.frame_bytes, t.every_ns, t.span_ns), (1_514, 757_000, 757_000_000));
        assert_eq!((t.offered_bps, t.wire_bps), (16_000_000, Some(20_000_000)));
        let framed = DirectionSpec { framing: Framing::Ethernet, ..at("20Mbit") };
        let t = traffic(1, &link(framed), Way::Forward, 1_000, 1_500);
        assert_eq!(t.wire_bps, Some(20_000_000 * 1_514 / 1_538), "its own bytes of those on the wire");
        let slow = traffic(1, &link(at("1bit")), Way::Forward, 10, 1_500);
        assert_eq!(slow.wire_bps, Some(1));
        let fast = traffic(1, &link(at("1000000Gbit")), Way::Forward, 1_000, 28);
        assert!(fast.every_ns >= 1);
    }

    #[test]
    fn a_wire_that_takes_no_time_gets_10_000_frames_a_second() {
        let t = traffic(1, &link(DirectionSpec::default()), Way::Forward, 1_000, 1_500);
        assert_eq!((t.every_ns, t.wire_bps, t.offered_bps), (100_000, None, 121_120_000));
    }

    #[test]
    fn what_lasts_long_comes_round_often_enough() {
        let longest = |text: &str| longest(&serde_json::from_str(text).unwrap());
        assert_eq!(
            longest(r#"{"outage":{"up":"8s","down":"500ms","n":3},"of":["1m","20Mbit","1%"]}"#).as_nanos(),
            60 * NANOS_PER_SEC
        );
        let delay = |text: &str| DirectionSpec { delay: DelaySpec::constant(text.parse().unwrap()), ..at("20Mbit") };
        assert_eq!(span(&delay("999ms")), Duration::ZERO, "neither the delay nor the queue's 200 ms");
        assert_eq!(span(&delay("2s")), Duration::from_secs(20));
        assert_eq!(span(&delay("100000h")), LONGEST);
        let t = traffic(1, &link(delay("20s")), Way::Forward, 1_000, 1_500);
        assert_eq!((t.every_ns, t.span_ns), (200_000_000, 200 * NANOS_PER_SEC));
    }

    #[test]
    fn the_datagram_is_one() {
        for packet in [28, 1_500, 65_535] {
            let bytes = datagram(packet);
            let ip = ipv4::Packet::new_checked(&bytes[HEADER_LEN..]).unwrap();
            assert!(ip.checksum_ok() && ip.is_complete() && ip.ecn() == ipv4::Ecn::Ect0);
            assert_eq!(udp::Packet::new_checked(ip.payload()).unwrap().payload().len() as u64, packet - 28);
            assert!(FrameSummary::new(&bytes, bytes.len()).l4_offset.is_some());
        }
    }
}
