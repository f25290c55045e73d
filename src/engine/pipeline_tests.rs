//! Models that look into frames, held by frames with known bytes.

use super::*;
use crate::frame::{Frame, FrameView};
use crate::model::DelaySpec;
use crate::wire::gso::GsoKind;
use crate::wire::testing::{Spec, Train};
use crate::wire::vnet::{Endian, VnetHeader};

const THERE: DirectionId = DirectionId(0);

/// What happened, in the order in which it was told.
#[derive(Default)]
struct Out {
    dropped: Vec<(DropCause, u64)>,
}

impl FrameSink for Out {
    fn deliver(&mut self, _: NodeId, _: FrameView<'_>, _: Instant) {}

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

fn run(engine: &mut Engine) -> Out {
    let mut out = Out::default();
    engine.advance(Instant::from_nanos(u64::MAX - 1), &mut out);
    assert_eq!(engine.pool().live(), 0, "every frame left by a door");
    out
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
        let out = run(&mut engine);
        assert_eq!(out.dropped.iter().map(|(_, n)| *n).collect::<Vec<_>>(), lost, "{rule}");
        assert_eq!(engine.unmatched(THERE).count(), usize::from(lost.is_empty()));
    }
}
