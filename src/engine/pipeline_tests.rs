//! Models that look into frames, held by frames with known bytes.

use super::*;
use crate::frame::{Frame, FrameView};
use crate::model::{DelaySpec, Impairments};
use crate::wire::gso::GsoKind;
use crate::wire::reset::Segment;
use crate::wire::summary::FrameSummary;
use crate::wire::testing::{Spec, real_frames};
use crate::wire::vnet::{Endian, VnetHeader};

const THERE: DirectionId = DirectionId(0);

/// What happened, in the order in which it was told.
#[derive(Default)]
struct Out {
    dropped: Vec<(DropCause, u64)>,
    /// Port, when, and the bytes of each wire frame.
    delivered: Vec<(u32, Instant, Vec<u8>)>,
}

impl FrameSink for Out {
    fn deliver(&mut self, port: NodeId, frame: FrameView<'_>, at: Instant) {
        for n in 0..frame.count {
            let mut bytes = Vec::new();
            FrameView { first: frame.first + n, count: 1, ..frame }.write_wire_frame(&mut bytes);
            self.delivered.push((port.0, at, bytes));
        }
    }

    fn fate(&mut self, fate: Fate<'_>) {
        if let FateKind::Dropped(cause) = fate.kind {
            self.dropped.extend((fate.number..fate.number + fate.frames).map(|n| (cause, n)));
        }
    }
}

/// Two ports and a link with these directions.
fn pair(directions: [DirectionSpec; 2]) -> Engine {
    let port = |name: &str| NodePlan { name: name.into(), kind: NodeKind::Port };
    Engine::new(&Plan {
        seed: 1,
        coalesce: Duration::ZERO,
        convergence: Duration::ZERO,
        nodes: vec![port("a"), port("b")],
        links: vec![LinkPlan { name: "link".into(), ends: [0, 1], directions }],
    })
}

fn spec(text: &str) -> DirectionSpec {
    let loss = serde_json::from_str(text).unwrap();
    DirectionSpec { loss, delay: DelaySpec::constant(Duration::from_millis(1)), ..DirectionSpec::default() }
}

/// A super-frame of TCP as a TAP hands it over: wire frames of 1,000 bytes of payload.
fn super_frame(engine: &mut Engine, flags: u8, frames: usize) -> Frame {
    let train = Spec { flags, ..Spec::of(GsoKind::Tcp4, 1000, frames * 1000) }.build();
    let header = VnetHeader::new(Some(train.gso), train.partial, train.header).encode(Endian::Native);
    let offload = VnetHeader::decode(&header, Endian::Native).unwrap().check(&train.frame, train.frame.len()).unwrap();
    let mut frame = engine.pool().store(&train.frame).unwrap();
    engine.pool().set_offload(&mut frame, offload);
    frame
}

/// What happens up to a time that is behind all.
fn run(engine: &mut Engine, ms: u64) -> Out {
    let mut out = Out::default();
    engine.advance(Instant::from_nanos(ms * 1_000_000), &mut out);
    assert_eq!(engine.pool().live(), 0, "every frame left by a door");
    out
}

/// What both directions were offered and originated, and that all of it left.
fn assert_conserved(engine: &Engine, came: [(u64, u64); 2]) {
    for (id, (offered, originated)) in engine.directions().zip(came) {
        let c = engine.counters(id);
        assert_eq!((c.offered.frames, c.originated), (offered, originated), "{id:?}");
        assert_eq!(offered + originated, c.delivered.frames + c.dropped.frames(), "{id:?}");
    }
}

fn line(bytes: &[u8]) -> String {
    FrameSummary::new(bytes, bytes.len()).to_string()
}

#[test]
fn of_a_super_frame_flags_are_those_of_each_wire_frame() {
    // FIN, PSH and ACK, and CWR
    for (rule, lost) in [
        (r#""fin+psh""#, vec![3, 7]),
        (r#""cwr""#, vec![0, 4]),
        (r#""ack+!psh""#, vec![0, 1, 2, 4, 5, 6]),
        (r#"["cwr", "fin"]"#, vec![0, 3, 4, 7]),
        (r#""ack+!cwr+!fin""#, vec![1, 2, 5, 6]),
        (r#""syn""#, vec![]),
    ] {
        let loss = format!(r#"{{"random": "100%", "only": {{"tcp_flags": {rule}}}}}"#);
        let mut engine = pair([spec(&loss), DirectionSpec::default()]);
        for at in [0, 50] {
            let frame = super_frame(&mut engine, 0x99, 4);
            engine.inject(Instant::from_nanos(at), NodeId(0), frame);
        }
        let out = run(&mut engine, 2_000);
        assert_eq!(out.dropped.iter().map(|(_, n)| *n).collect::<Vec<_>>(), lost, "{rule}");
        assert_eq!(engine.unmatched(THERE).count(), usize::from(lost.is_empty()));
    }
}

/// A segment of 10 bytes from a to b, and back, as it is on the wire.
fn segments(kind: GsoKind, tags: usize, flags: u8) -> [Vec<u8>; 2] {
    let there = Spec { tags, flags, partial: false, ..Spec::of(kind, 1000, 10) }.build().frame;
    let l3 = 14 + 4 * tags;
    let (address, len) = if kind.is_v4() { (l3 + 12, 4) } else { (l3 + 8, 16) };
    let l4 = address + 2 * len;
    let mut back = there.clone();
    for (at, len) in [(0, 6), (address, len), (l4, 2)] {
        let (first, second) = back[at..at + 2 * len].split_at_mut(len);
        first.swap_with_slice(second);
    }
    // it has sent up to 12345, which the first acknowledges, and then 2,000 bytes more
    back[l4 + 4..l4 + 8].copy_from_slice(&(12_345u32 + 1_990).to_be_bytes());
    [there, back]
}

fn inject(engine: &mut Engine, us: u64, port: u32, bytes: &[u8]) {
    let frame = engine.pool().store(bytes).unwrap();
    engine.inject(Instant::from_nanos(us * 1000), NodeId(port), frame);
}

/// A link that resets at this share of the frames from a to b.
fn resetting(reset: &str, other: DirectionSpec) -> Engine {
    let reset = serde_json::from_str(reset).unwrap();
    let impairments = Impairments { reset, ..Impairments::default() };
    pair([DirectionSpec { impairments, ..spec("\"none\"") }, other])
}

#[test]
fn a_reset_goes_to_both_ends_in_place_of_the_segment() {
    for half_duplex in [false, true] {
        for (kind, tags) in [(GsoKind::Tcp4, 0), (GsoKind::Tcp4, 2), (GsoKind::Tcp6, 0), (GsoKind::Tcp6, 1)] {
            let other = DirectionSpec { half_duplex, ..spec("\"none\"") };
            let mut engine = resetting(r#""100%""#, other);
            let [there, back] = segments(kind, tags, 0x18);
            inject(&mut engine, 0, 0, &there);
            let out = run(&mut engine, 5);
            assert_eq!(out.dropped, [(DropCause::Reset, 0)]);
            let segment = Segment::new(&there).unwrap();
            let ms = Instant::from_nanos(1_000_000);
            assert_eq!(out.delivered, [(1, ms, segment.reset_onward()), (0, ms, segment.reset_back(None))]);
            assert_conserved(&engine, [(1, 1), (0, 1)]);

            // what is on its way back arrives first, and its end is what the sender awaits then
            inject(&mut engine, 10_000, 1, &back);
            inject(&mut engine, 10_500, 0, &there);
            let out = run(&mut engine, 15);
            assert_eq!((&out.delivered[0].2, out.delivered.len()), (&back, 3));
            assert!(out.delivered.contains(&(0, Instant::from_nanos(11_500_000), segment.reset_back(Some(14_345)))));
            // what came before has no part in it
            inject(&mut engine, 20_000, 0, &there);
            assert!(run(&mut engine, 25).delivered.iter().any(|(_, _, bytes)| *bytes == segment.reset_back(None)));
            assert_conserved(&engine, [(3, 3), (1, 3)]);
        }
    }
}

#[test]
fn of_a_super_frame_one_segment_is_reset_and_those_on_their_way_back_are_seen() {
    let mut engine = resetting(r#"{"probability": "100%", "only": {"tcp_flags": "psh"}}"#, spec("\"none\""));
    let train = super_frame(&mut engine, 0x18, 3);
    engine.inject(Instant::ZERO, NodeId(0), train);
    let out = run(&mut engine, 2_000);
    assert_eq!(out.dropped, [(DropCause::Reset, 2)]);
    let told: Vec<String> = out.delivered.iter().map(|(_, _, bytes)| line(bytes)).collect();
    assert!(told[0].contains(" . seq 1000 ") && told[1].contains(" . seq 2000 "), "{told:?}");
    assert!(told[2].contains(" R. seq 3000 ack 12345 ") && told[3].contains(" R seq 12345 "), "{told:?}");
}

#[test]
fn nothing_but_a_segment_is_reset_and_no_reset_is() {
    let mut engine = resetting(r#""100%""#, spec("\"none\""));
    let frames: Vec<Vec<u8>> = real_frames().into_iter().filter(|frame| Segment::new(frame).is_none()).collect();
    let [reset, _] = segments(GsoKind::Tcp4, 0, 0x14);
    for (n, bytes) in frames.iter().chain([&reset]).enumerate() {
        inject(&mut engine, n as u64, 0, bytes);
    }
    let out = run(&mut engine, 2_000);
    assert!(out.delivered.iter().map(|(_, _, bytes)| bytes).eq(frames.iter().chain([&reset])));
    assert_conserved(&engine, [(frames.len() as u64 + 1, 0), (0, 0)]);
}

#[test]
fn resets_shift_no_draw_of_other_frames() {
    let jitter = || DelaySpec { jitter: Duration::from_micros(300), ..DelaySpec::constant(Duration::from_millis(1)) };
    let run = |reset: &str| {
        let other = DirectionSpec {
            delay: jitter(),
            loss: serde_json::from_str("\"20%\"").unwrap(),
            ..DirectionSpec::default()
        };
        let mut engine = resetting(reset, other);
        let [there, back] = segments(GsoKind::Tcp4, 0, 0x10);
        for n in 0..200 {
            inject(&mut engine, n * 5_000, 0, &there);
            inject(&mut engine, n * 5_000 + 2_500, 1, &back);
        }
        let mut out = run(&mut engine, 2_000);
        assert_conserved(&engine, [(200, engine.counters(THERE).originated), (200, engine.counters(THERE).originated)]);
        out.delivered.retain(|(port, at, bytes)| *port == 0 && *bytes == back && *at > Instant::ZERO);
        (out.delivered, engine.counters(THERE).originated)
    };
    let ((with, resets), (without, none)) = (run(r#""30%""#), run(r#""none""#));
    assert!(resets > 30 && none == 0 && with == without);
}
