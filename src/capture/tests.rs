//! Every frame of an engine at work stands in the captures once, and what their comments say adds up to what was counted.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::engine::{
    Change, Command, DirectionId, DirectionSpec, Engine, Fate, FateKind, FrameSink, LinkId, LinkPlan, NodeId, NodeKind,
    NodePlan, Place, Plan,
};
use crate::frame::{DropCause, FrameView};
use crate::model::Impairments;
use crate::model::form::from_json;
use crate::units::{ByteSize, Duration, Instant};
use crate::wire::gso::GsoKind;
use crate::wire::testing::Train;
use crate::wire::vnet::{Endian, VnetHeader};

/// 2026-01-01 00:00 UTC.
const EPOCH: u64 = 1_767_225_600_000_000_000;

/// A packet block, read byte by byte as the format says.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) interface: usize,
    pub(super) at: u64,
    pub(super) original: usize,
    pub(super) bytes: Vec<u8>,
    pub(super) comments: Vec<String>,
    pub(super) flow: u32,
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// Types of all blocks, the packets, and of each interface: frames that came, frames dropped.
fn read(file: &[u8]) -> (Vec<u32>, Vec<Read>, Vec<[u64; 2]>) {
    let (mut kinds, mut packets, mut counted, mut at) = (Vec::new(), Vec::new(), Vec::new(), 0);
    while at < file.len() {
        let length = word(file, at + 4) as usize;
        assert_eq!((length % 4, word(file, at + length - 4) as usize), (0, length));
        let (kind, body) = (word(file, at), &file[at + 8..at + length - 4]);
        kinds.push(kind);
        if kind == 6 {
            let kept = word(body, 12) as usize;
            let mut packet = Read {
                interface: word(body, 0) as usize,
                at: u64::from(word(body, 4)) << 32 | u64::from(word(body, 8)),
                original: word(body, 16) as usize,
                bytes: body[20..20 + kept].to_vec(),
                comments: Vec::new(),
                flow: 0,
            };
            for (code, value) in options(&body[20 + kept.next_multiple_of(4)..]) {
                match code {
                    1 => packet.comments.push(String::from_utf8(value.to_vec()).unwrap()),
                    2 => packet.flow = word(value, 0),
                    other => panic!("option {other}"),
                }
            }
            packets.push(packet);
        }
        if kind == 5 {
            let long = |value: &[u8]| u64::from_le_bytes(value.try_into().unwrap());
            let options: BTreeMap<u16, &[u8]> = options(&body[12..]).into_iter().collect();
            counted.push([long(options[&4]), long(options[&5])]);
        }
        at += length;
    }
    assert_eq!(at, file.len());
    (kinds, packets, counted)
}

fn options(mut bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut found = Vec::new();
    loop {
        let (code, length) = (word(bytes, 0) as u16, (word(bytes, 0) >> 16) as usize);
        if code == 0 {
            assert_eq!(bytes.len(), 4, "nothing stands behind the end of options");
            return found;
        }
        found.push((code, &bytes[4..4 + length]));
        bytes = &bytes[4 + length.next_multiple_of(4)..];
    }
}

/// Everything goes onto the tape; what is offered is also written down here, wire frame by wire frame.
struct Recorder {
    tape: Tape,
    offered: Vec<Vec<(u64, Vec<u8>)>>,
    delivered: Vec<Vec<u64>>,
}

impl FrameSink for Recorder {
    fn deliver(&mut self, _: NodeId, _: FrameView<'_>, _: Instant) {}

    fn fate(&mut self, fate: Fate<'_>) {
        let Place::Direction(DirectionId(direction)) = fate.place else { return };
        match fate.kind {
            FateKind::Offered => {
                let view = fate.view();
                for n in 0..view.count {
                    let mut bytes = Vec::new();
                    FrameView { first: view.first + n, count: 1, ..view }.write_wire_frame(&mut bytes);
                    self.offered[direction as usize].push((fate.at.as_nanos(), bytes));
                }
            }
            FateKind::Delivered { offered, copy: false, .. } => {
                let delay = (fate.at - offered).as_nanos();
                self.delivered[direction as usize].extend((0..fate.frames).map(|_| delay));
            }
            _ => {}
        }
        self.tape.fate(&fate);
    }

    fn watches(&self, direction: DirectionId) -> bool {
        self.tape.watches(direction)
    }

    fn applied(&mut self, command: &Command, at: Instant) {
        self.tape.applied(command, at);
    }
}

#[derive(Clone, Debug)]
enum Input {
    Frame { port: u32, bytes: usize, ecn: u8 },
    Train { port: u32, frames: usize },
    Command(Box<Command>),
}

#[derive(Clone, Debug)]
struct Case {
    coalesce: Duration,
    links: Vec<[DirectionSpec; 2]>,
    inputs: Vec<(u64, Input)>,
    snap: Option<usize>,
}

fn pick<T: for<'de> serde::Deserialize<'de> + Clone + std::fmt::Debug + 'static>(
    forms: &[serde_json::Value],
) -> impl Strategy<Value = T> + use<T> {
    prop::sample::select(forms.iter().map(|form| from_json::<T>(form.clone()).unwrap()).collect::<Vec<_>>())
}

fn direction() -> impl Strategy<Value = DirectionSpec> {
    use serde_json::json;
    let delay = [
        json!("0ms"),
        json!("3ms"),
        json!({ "mean": "1ms", "jitter": "2ms" }),
        json!({ "mean": "1ms", "jitter": "2ms", "order": "free" }),
        json!({ "mean": "2ms", "only": "icmp" }),
    ];
    let loss = [json!("none"), json!("20%"), json!({ "burst": { "rate": "20%", "mean_length": 3 } })];
    let rate = [json!("unlimited"), json!("20Mbit"), json!("200Mbit"), json!({ "slots": { "min": "1ms" } })];
    let queue = [
        json!({ "fifo": { "packets": 4 } }),
        json!({ "drop_head": { "packets": 4 } }),
        json!({ "codel": { "target": "100us", "interval": "1ms", "ecn": true } }),
        json!({ "fq_codel": { "target": "100us", "interval": "1ms" } }),
        json!("pie"),
    ];
    let share = || pick(&[json!("none"), json!("none"), json!("30%")]);
    let corrupt = pick(&[json!("none"), json!("none"), json!({ "probability": "30%", "bits": 3 })]);
    let mtu = prop_oneof![3 => Just(None), 1 => Just(Some(800u32))];
    let rate = pick::<serde_json::Value>(&rate);
    (pick(&delay), pick(&loss), rate, pick(&queue), corrupt, share(), pick(&[json!("none"), json!("30%")]), mtu)
        .prop_map(|(delay, loss, rate, queue, corrupt, duplicate, reorder, mtu)| {
            let rate = if rate == "unlimited" { Default::default() } else { from_json(rate).unwrap() };
            let queue = (rate != crate::model::RateSpec::Unlimited).then_some(queue);
            let impairments = Impairments { corrupt, duplicate, reorder, ..Impairments::default() };
            DirectionSpec { delay, loss, rate, queue, impairments, mtu, ..DirectionSpec::default() }
        })
}

fn input() -> impl Strategy<Value = Input> {
    let direction = (0u32..4).prop_map(DirectionId);
    let command = prop_oneof![
        (0u32..2).prop_map(|link| Command::Down(LinkId(link))),
        (0u32..2).prop_map(|link| Command::Up(LinkId(link))),
        (0u32..2).prop_map(|link| Command::Up(LinkId(link))),
        (direction, self::direction()).prop_map(|(id, spec)| {
            let change = Change {
                delay: Some(spec.delay),
                loss: Some(spec.loss),
                rate: Some(spec.rate),
                queue: spec.queue,
                impairments: Impairments::default().difference(&spec.impairments),
                ..Change::default()
            };
            Command::Set(id, change)
        }),
    ];
    prop_oneof![
        6 => (0u32..2, 60usize..1500, 0u8..4).prop_map(|(port, bytes, ecn)| Input::Frame { port, bytes, ecn }),
        6 => (0u32..2, 2usize..20).prop_map(|(port, frames)| Input::Train { port, frames }),
        1 => command.prop_map(|command| Input::Command(Box::new(command))),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let coalesce = prop_oneof![Just(0u64), Just(50), Just(2000)].prop_map(Duration::from_micros);
    let links = prop::collection::vec((direction(), direction()).prop_map(|(a, b)| [a, b]), 2);
    let inputs = prop::collection::vec((0u64..2_000_000, input()), 1..60);
    (coalesce, links, inputs, prop::option::weighted(0.3, 60usize..200))
        .prop_map(|(coalesce, links, inputs, snap)| Case { coalesce, links, inputs, snap })
}

fn inject(engine: &mut Engine, at: Instant, port: u32, frames: usize, bytes: usize, ecn: u8) {
    let kind = if frames.is_multiple_of(2) { GsoKind::Tcp4 } else { GsoKind::Udp6 };
    let frame = if frames > 1 {
        let train = Train::plain(kind, 1000, frames * 1000 - 300);
        let header = VnetHeader::new(Some(train.gso), train.partial, train.header);
        let offload = header.check(&train.frame, train.frame.len()).unwrap();
        let mut frame = engine.pool().store(&train.frame).unwrap();
        engine.pool().set_offload(&mut frame, offload);
        frame
    } else {
        let mut frame = crate::queue::testing::udp(port as u16, ecn, bytes);
        let decoded = VnetHeader::decode(&VnetHeader::default().encode(Endian::Native), Endian::Native).unwrap();
        assert!(decoded.check(&frame, frame.len()).is_ok());
        frame[0] |= 2;
        engine.pool().store(&frame).unwrap()
    };
    engine.inject(at, NodeId(port), frame);
}

/// Runs a case up to its end, or to `until`, and returns the engine, what was seen, and the files with what they came to.
fn run(case: &Case, size: u64, until: Option<u64>) -> (Engine, Recorder, Vec<(Vec<u8>, Totals)>) {
    let node = |name: &str, kind| NodePlan { name: name.into(), kind };
    let link = |n: usize, ends| LinkPlan { name: format!("l{n}"), ends, directions: case.links[n].clone() };
    let plan = Plan {
        seed: 9,
        coalesce: case.coalesce,
        convergence: Duration::ZERO,
        nodes: vec![node("a", NodeKind::Port), node("b", NodeKind::Port), node("h", NodeKind::Hub)],
        links: vec![link(0, [0, 2]), link(1, [2, 1])],
    };
    let (tape, reel) = tape(4, &[LinkId(1), LinkId(0)]);
    let ends = ["x.eth0".to_owned(), "y".to_owned()];
    let mut files: Vec<CaptureFile<Vec<u8>>> = [1, 0]
        .map(|link: usize| {
            let title = CaptureTitle {
                scenario: "all models",
                seed: 9,
                link: &plan.links[link].name,
                ends: &ends,
                directions: &plan.links[link].directions,
                os: "",
                size: ByteSize::from_bytes(size),
                snap: case.snap.map(|snap| ByteSize::from_bytes(snap as u64)),
                epoch: EPOCH,
            };
            CaptureFile::new(Vec::new(), &title).unwrap()
        })
        .into();
    let mut engine = Engine::new(&plan);
    let mut sink = Recorder { tape, offered: vec![Vec::new(); 4], delivered: vec![Vec::new(); 4] };
    let mut drain = |sink: &mut Recorder, now: Instant| {
        sink.tape.tick(now);
        while let Next::Chunk(chunk) = reel.next(std::time::Duration::ZERO) {
            for (record, bytes) in chunk.iter() {
                let link = record.slot as usize / 2;
                files[link].take(record.slot as usize % 2, record, bytes).unwrap();
                if files[link].is_full() {
                    reel.set_full(link);
                }
            }
            reel.give_back(chunk);
        }
    };
    let mut now = 0;
    for (after, input) in &case.inputs {
        now += after;
        let at = Instant::from_nanos(now);
        match input {
            Input::Frame { port, bytes, ecn } => inject(&mut engine, at, *port, 1, *bytes, *ecn),
            Input::Train { port, frames } => inject(&mut engine, at, *port, *frames, 0, 0),
            Input::Command(command) => engine.apply(at, Command::clone(command)).unwrap(),
        }
        engine.advance(at, &mut sink);
        drain(&mut sink, at);
    }
    let end = Instant::from_nanos(now + until.unwrap_or(60_000_000_000));
    engine.advance(end, &mut sink);
    drain(&mut sink, end);
    let Recorder { tape, offered, delivered } = sink;
    drop(tape);
    while let Next::Chunk(chunk) = reel.next(std::time::Duration::ZERO) {
        for (record, bytes) in chunk.iter() {
            files[record.slot as usize / 2].take(record.slot as usize % 2, record, bytes).unwrap();
        }
    }
    let mut files: Vec<_> = files
        .into_iter()
        .enumerate()
        .map(|(link, file)| file.finish(reel.missing(link), Some(Instant::ZERO), end).unwrap())
        .collect();
    files.reverse();
    let (tape, _) = super::tape(4, &[]);
    (engine, Recorder { tape, offered, delivered }, files)
}

/// A time of a comment, in ns.
fn millis(text: &str) -> u64 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    whole.parse::<u64>().unwrap() * 1_000_000 + format!("{part:0<6}").parse::<u64>().unwrap()
}

/// The whole of `delayed …`, which its parts add up to.
fn delay(comment: &str) -> u64 {
    let rest = comment.strip_prefix("delayed ").unwrap();
    let (whole, parts) = rest.split_once(": ").unwrap();
    let whole = millis(whole.strip_suffix(" ms").unwrap());
    let sum: u64 = parts.split(", ").map(|part| millis(part.split_once(" ms ").unwrap().0)).sum();
    assert_eq!(sum, whole, "{comment}");
    whole
}

fn check(case: &Case, until: Option<u64>) {
    let (engine, seen, files) = run(case, 64 << 20, until);
    for (link, (file, totals)) in files.iter().enumerate() {
        let (kinds, packets, counted) = read(file);
        assert_eq!(kinds[..3], [0x0a0d_0d0a, 1, 1]);
        assert_eq!(kinds[kinds.len() - 2..], [5, 5]);
        assert!(totals.complete && totals.bytes == file.len() as u64 && totals.frames == packets.len() as u64);
        assert!(packets.is_sorted_by_key(|packet| packet.at), "in the order of time");
        for (way, counted) in counted.into_iter().enumerate() {
            let id = DirectionId((link * 2 + way) as u32);
            let counters = engine.counters(id);
            let of: Vec<&Read> = packets.iter().filter(|packet| packet.interface == way).collect();
            let with = |start: &str| {
                of.iter().flat_map(|packet| &packet.comments).filter(|c| c.starts_with(start)).count() as u64
            };
            assert!(of.iter().all(|packet| packet.flow == 2 - way as u32));
            assert_eq!(of.len() as u64, counters.offered.frames + counters.originated + counters.duplicated);
            assert_eq!(with("originated: reset"), counters.originated);
            assert_eq!(counted, [of.len() as u64, 0]);
            assert_eq!(with("copy made by duplicate"), counters.duplicated);
            assert_eq!(with("duplicated: "), counters.duplicated);
            assert_eq!(with("corrupted: "), counters.corrupted);
            assert_eq!(with("marked CE: "), counters.marked);
            assert_eq!(with("reordered: "), counters.reordered);
            assert_eq!(with("inside: "), engine.inside(id));
            assert_eq!(with("fate unknown"), 0);
            for cause in DropCause::ALL {
                let said = of.iter().flat_map(|packet| &packet.comments).filter(|comment| {
                    comment.strip_prefix("dropped: ").and_then(|rest| rest.split(' ').next()) == Some(cause.name())
                });
                assert_eq!(said.count() as u64, counters.dropped.by(cause).frames, "{cause:?}");
            }
            let begins = |packet: &Read, start: &str| packet.comments.iter().any(|c| c.starts_with(start));
            let whole: Vec<&&Read> = of.iter().filter(|packet| !begins(packet, "copy made")).collect();
            let frames: Vec<&&&Read> = whole.iter().filter(|packet| !begins(packet, "originated")).collect();
            // each as it was offered, but for what the comments say of it
            assert_eq!(frames.len(), seen.offered[link * 2 + way].len());
            for (packet, (at, bytes)) in frames.iter().zip(&seen.offered[link * 2 + way]) {
                assert_eq!((packet.at - EPOCH, packet.original), (*at, bytes.len()));
                let kept = &bytes[..bytes.len().min(case.snap.unwrap_or(usize::MAX))];
                assert_eq!(packet.bytes.len(), kept.len());
                let changed = packet.comments.iter().any(|c| c.starts_with("marked CE") || c.starts_with("corrupted"));
                assert!(changed || packet.bytes == kept);
            }
            let delays = |packets: &[&&Read]| -> Vec<u64> {
                let comments = packets.iter().flat_map(|packet| &packet.comments);
                let mut delays: Vec<u64> = comments.filter(|c| c.starts_with("delayed")).map(|c| delay(c)).collect();
                delays.sort_unstable();
                delays
            };
            let mut delivered: Vec<u64> = seen.delivered[link * 2 + way].clone();
            delivered.retain(|delay| *delay > 0);
            delivered.sort_unstable();
            assert_eq!(delays(&whole), delivered, "what was delayed by how much");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn each_frame_stands_in_the_file_once_and_comments_add_up_to_the_counters(case in case()) {
        check(&case, None);
    }

    #[test]
    fn what_is_inside_at_the_end_says_so(case in case(), until in 0u64..5_000_000) {
        check(&case, Some(until));
    }

    #[test]
    fn a_file_is_never_longer_than_its_limit_and_keeps_what_came_first(case in case(), size in 8_192u64..120_000) {
        let (engine, seen, files) = run(&case, size, None);
        for (link, (file, totals)) in files.iter().enumerate() {
            assert!(file.len() as u64 <= size, "{} of {size} bytes", file.len());
            let (_, packets, counted) = read(file);
            let ids = [0, 1].map(|way| DirectionId((link * 2 + way) as u32));
            let came = ids.map(|id| engine.counters(id)).map(|c| c.offered.frames + c.originated + c.duplicated);
            // a copy of a frame that is not there is not counted
            assert!(totals.frames + totals.beyond <= came[0] + came[1]);
            assert_eq!(totals.frames, packets.len() as u64);
            assert_eq!(totals.complete, totals.beyond == 0 && totals.missed == 0);
            assert_eq!(counted[0][0] + counted[1][0], totals.frames + totals.beyond);
            for (way, id) in ids.into_iter().enumerate() {
                let frames = packets.iter().filter(|packet| packet.interface == way);
                let frames = frames.filter(|packet| !packet.comments.iter().any(|c| c.starts_with("copy made")));
                for (packet, (at, _)) in frames.zip(&seen.offered[id.0 as usize]) {
                    assert_eq!(packet.at - EPOCH, *at, "the first frames, without a gap");
                }
            }
        }
    }
}

/// What the properties above hold of, and none of it by there being nothing.
#[test]
fn everything_that_can_happen_to_a_frame_happens() {
    use serde_json::json;
    let impaired = DirectionSpec {
        delay: from_json(json!({ "mean": "1ms", "jitter": "2ms" })).unwrap(),
        loss: from_json(json!("10%")).unwrap(),
        impairments: Impairments {
            reset: from_json(json!("10%")).unwrap(),
            corrupt: from_json(json!({ "probability": "10%", "bits": 2 })).unwrap(),
            duplicate: from_json(json!("10%")).unwrap(),
            reorder: from_json(json!("10%")).unwrap(),
        },
        ..DirectionSpec::default()
    };
    let queued = DirectionSpec {
        rate: from_json(json!("20Mbit")).unwrap(),
        queue: Some(
            from_json(json!({ "codel": { "target": "100us", "interval": "1ms", "ecn": true, "limit": 60 } })).unwrap(),
        ),
        mtu: Some(1200),
        delay: from_json(json!("1ms")).unwrap(),
        ..DirectionSpec::default()
    };
    let mut inputs: Vec<(u64, Input)> = Vec::new();
    for round in 0..40 {
        inputs.push((300_000, Input::Train { port: 0, frames: 2 + round % 19 }));
        inputs.push((100_000, Input::Frame { port: 0, bytes: 60 + round * 30, ecn: 2 }));
        inputs.push((100_000, Input::Frame { port: 1, bytes: 200, ecn: 0 }));
    }
    inputs.push((0, Input::Command(Box::new(Command::Down(LinkId(1))))));
    inputs.push((0, Input::Train { port: 1, frames: 3 }));
    let links = vec![[impaired.clone(), impaired.clone()], [queued, DirectionSpec::default()]];
    let case = Case { coalesce: Duration::from_micros(50), links, inputs, snap: None };
    check(&case, None);
    let (_, _, files) = run(&case, 64 << 20, None);
    let comments: Vec<String> = files.iter().flat_map(|(file, _)| read(file).1).flat_map(|p| p.comments).collect();
    for start in [
        "copy made by duplicate",
        "copy made by duplicate, of a corrupted frame",
        "duplicated: ",
        "corrupted: bits ",
        "marked CE: codel",
        "ran ahead: reorder",
        "reordered: ",
        "dropped: loss",
        "dropped: reset",
        "originated: reset",
        "dropped: queue_full (codel)",
        "dropped: aqm (codel) after ",
        "dropped: link_down",
        "dropped: mtu",
        "delayed ",
    ] {
        assert!(comments.iter().any(|comment| comment.starts_with(start)), "no frame was {start}");
    }
    for part in [" queue (codel), ", " ms rate, ", " ms delay", " ms keeping the order"] {
        assert!(comments.iter().any(|comment| comment.contains(part)), "no delay had {part}");
    }
    // to the end of what was captured, some were still inside
    let (_, _, files) = run(&case, 64 << 20, Some(0));
    let inside = files.iter().flat_map(|(file, _)| read(file).1).flat_map(|p| p.comments);
    assert!(inside.into_iter().any(|comment| comment.starts_with("inside: ")));
}

/// A corrupted frame differs from what was offered in the bits that its comment names, and in no others.
#[test]
fn named_bits_are_those_that_flipped() {
    let corrupt = from_json(serde_json::json!({ "probability": "100%", "bits": 5 })).unwrap();
    let impairments = Impairments { corrupt, ..Impairments::default() };
    let spec = DirectionSpec { impairments, ..DirectionSpec::default() };
    let inputs = (0..20).map(|n| (1000, Input::Train { port: 0, frames: 2 + n })).collect();
    let links = vec![[spec, DirectionSpec::default()], [DirectionSpec::default(), DirectionSpec::default()]];
    let (_, seen, files) = run(&Case { coalesce: Duration::ZERO, links, inputs, snap: None }, 64 << 20, None);
    let (_, packets, _) = read(&files[0].0);
    assert!(packets.len() > 200);
    for (packet, (_, offered)) in packets.iter().zip(&seen.offered[0]) {
        let [comment] = &packet.comments[..] else { panic!("{:?}", packet.comments) };
        let mut bytes = offered.clone();
        for bit in comment.strip_prefix("corrupted: bits ").unwrap().split(", ") {
            let bit: usize = bit.parse().unwrap();
            bytes[bit / 8] ^= 0x80 >> (bit % 8);
        }
        assert_eq!(bytes, packet.bytes);
    }
}
