//! The event log explains each frame: what left one host and what came to the other, captured there by a program that knows
//! nothing of longwire, differ by what the log says and by nothing else.

use std::collections::{BTreeMap, HashMap};
use std::fs;

use crate::support::capture::{self, Captured};
use crate::support::report::{assert_passed, direction, dropped, number};
use crate::support::{Lab, has};
use serde_json::Value;

/// What the log says of one frame of a direction.
#[derive(Clone, Debug, Default)]
struct Fate {
    lost: bool,
    corrupted: bool,
    duplicated: bool,
    /// What the log calls it.
    frame: String,
}

/// By number, what happened to the frames of the direction to `to`.
fn fates(log: &str, to: &str) -> BTreeMap<usize, Fate> {
    let mut fates = BTreeMap::<usize, Fate>::new();
    let events = log.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
    for event in events.filter(|event| event["to"] == to) {
        assert_eq!(event["frames"], 1, "each wire frame has a fate of its own: {event}");
        let fate = fates.entry(number(&event["number"]) as usize).or_default();
        match (event["event"].as_str(), event["cause"].as_str()) {
            (Some("dropped"), Some("loss")) => fate.lost = true,
            (Some("corrupted"), None) => fate.corrupted = true,
            (Some("duplicated"), None) => fate.duplicated = true,
            _ => panic!("nothing else happens here: {event}"),
        }
        event["frame"].as_str().expect("text").clone_into(&mut fate.frame);
    }
    fates
}

/// Whether the log's words for a frame are of one with these bytes: protocol, sequence number of TCP, length.
fn is_called(frame: &[u8], words: &str) -> bool {
    let l4 = capture::behind_network(frame);
    let (protocol, sequence) = match (frame[12..14] == [0x86, 0xdd], frame[23], frame[20]) {
        (false, 6, _) | (true, _, 6) => {
            let sequence = u32::from_be_bytes(frame[l4 + 4..l4 + 8].try_into().expect("four bytes"));
            ("TCP ", Some(sequence.to_string()))
        }
        (false, 17, _) | (true, _, 17) => ("UDP ", None),
        _ => ("", None),
    };
    let said = words.split_once(" seq ").and_then(|(_, rest)| rest.split(' ').next());
    words.starts_with(protocol) && said == sequence.as_deref() && words.ends_with(&format!("({} B)", frame.len()))
}

/// The one bit, counted from the frame's start, in which two frames differ; `None` unless it is one.
fn one_bit(a: &[u8], b: &[u8]) -> Option<usize> {
    if a.len() != b.len() {
        return None;
    }
    let mut bytes = a.iter().zip(b).enumerate().filter(|(_, (a, b))| a != b);
    let (at, (a, b)) = bytes.next()?;
    let mask = a ^ b;
    (bytes.next().is_none() && mask.count_ones() == 1).then(|| at * 8 + mask.leading_zeros() as usize)
}

/// Whether a workload sent it. Hosts' kernels send reports of their own (MLD) while the captures are still starting, the same
/// bytes again and again: of those nobody can say which one came.
fn is_of_a_workload(frame: &[u8]) -> bool {
    matches!(capture::protocol(frame), Some(6 | 17))
}

/// Holds what came against what was sent and what the log says. Returns how many of each fate were seen.
fn explain(wire: &Value, sent: &[&Captured], came: &[&Captured], fates: &BTreeMap<usize, Fate>) -> [usize; 4] {
    // hosts may have sent frames before there was a capture, which are numbered too; after its end nothing moves any more
    let offered = number(&wire["offered"]["frames"]) as usize;
    let before = offered.checked_sub(sent.len()).expect("a capture has no more than was offered");
    assert!(before < 20, "{} of {offered} frames were captured", sent.len());
    let mut left = HashMap::<&[u8], usize>::new();
    for frame in came.iter().filter(|frame| is_of_a_workload(&frame.bytes)) {
        *left.entry(&frame.bytes).or_default() += 1;
    }
    let mut damaged = Vec::new();
    let [mut lost, mut corrupted, mut duplicated, mut intact] = [0; 4];
    for (n, frame) in sent.iter().enumerate() {
        let fate = fates.get(&(n + before)).cloned().unwrap_or_default();
        // of a corrupted frame the log tells what has become of it
        if !(fate.frame.is_empty() || fate.corrupted) {
            assert!(is_called(&frame.bytes, &fate.frame), "frame {} is no {}", n + before, fate.frame);
        }
        let copies = 1 + usize::from(fate.duplicated);
        (lost, corrupted) = (lost + usize::from(fate.lost), corrupted + usize::from(fate.corrupted));
        duplicated += usize::from(fate.duplicated);
        if !is_of_a_workload(&frame.bytes) {
            continue;
        }
        match fate {
            Fate { lost: true, corrupted: false, duplicated: false, .. } => {}
            Fate { lost: true, .. } => panic!("a lost frame has no other fate: {fate:?}"),
            Fate { corrupted: true, .. } => damaged.push((n + before, &frame.bytes, copies)),
            _ => {
                intact += copies;
                assert!(capture::verifies(&frame.bytes), "frame {} has a wrong checksum", n + before);
                let count = left.get_mut(&frame.bytes[..]).filter(|count| **count >= copies);
                *count.unwrap_or_else(|| panic!("frame {} did not come {copies} times", n + before)) -= copies;
            }
        }
    }
    // what is left came, and was not sent: each is what became of a corrupted frame
    left.retain(|_, count| *count > 0);
    for (number, frame, copies) in damaged {
        let bit = |other: &[u8]| one_bit(frame, other).filter(|bit| *bit >= capture::behind_network(frame) * 8);
        let found = left.iter().find(|(other, count)| **count == copies && bit(other).is_some());
        let found = *found.unwrap_or_else(|| panic!("corrupted frame {number} did not come {copies} times")).0;
        assert!(!capture::verifies(found), "nobody would notice that frame {number} is corrupted");
        left.remove(found);
    }
    assert!(left.is_empty(), "{} frames came that nobody sent: {:02x?}", left.len(), left.keys().next());
    // and no fate of the log belongs to a frame that was not there
    assert!(fates.keys().all(|number| (0..offered).contains(number)));
    [lost, corrupted, duplicated, intact]
}

fn each_captured_frame_is_explained(offloads: &str) {
    if !has("python3") {
        return;
    }
    let Some(lab) = Lab::new(&format!(
        "\
longwire: 1
seed: 17
nodes: {{ a: {{ host: {{ offloads: {offloads} }} }}, b: {{ host: {{ offloads: {offloads} }} }} }}
links:
  wire: {{ ends: [a, b], delay: 4ms, loss: 1%, corrupt: 1%, duplicate: 1%, reorder: 1% }}
services:
  from-a: {{ in: a, root: true, command: [python3, capture.py, a.capture], ready: {{ log: capturing }} }}
  from-b: {{ in: b, root: true, command: [python3, capture.py, b.capture], ready: {{ log: capturing }} }}
workloads:
  call: {{ udp: {{ from: a, to: b, every: 500us, size: 200B, count: 4000, port: 5000 }} }}
  six:  {{ udp: {{ from: b, to: a, every: 2ms, size: 333B, count: 1000, port: 5001, family: ipv6 }} }}
  bulk: {{ tcp: {{ from: a, to: b, bytes: 3MB, congestion: cubic }}, timeout: 200s }}
  # until nothing moves any more
  rest: {{ after: [call, six, bulk], in: a, command: [sleep, \"0.5\"] }}
"
    )) else {
        return;
    };
    lab.write("capture.py", capture::PROGRAM);
    let ended = lab.run(&["run", "scenario.yaml", "--json", "-", "--out", "out"]);
    let report = ended.json();
    assert_passed(ended.code, &report);
    assert_eq!(report["timing"]["log_lost"], 0);
    let log = lab.read("out/events.jsonl");
    let [at_a, at_b] = ["a.capture", "b.capture"].map(|name| {
        let (frames, missed) = capture::read(&fs::read(lab.path(name)).expect("captured"));
        assert_eq!(missed, 0, "the capture was too slow");
        frames
    });
    let trains = at_a.iter().filter(|frame| frame.in_train).count();
    let partial = at_a.iter().filter(|frame| frame.outgoing && frame.partial).count();
    match offloads {
        "on" => assert!(trains > 0 && partial > 0, "{trains} frames in trains, {partial} unfinished"),
        _ => assert_eq!((trains, partial), (0, 0), "wire frames alone, with their checksums"),
    }
    for (n, to, sent, came) in [(0, "b", &at_a, &at_b), (1, "a", &at_b, &at_a)] {
        // a frame that the ring has dropped was captured, and never came to the link; the run is INVALID then
        if number(&report["ports"][n]["ring_drops"]) > 0 {
            println!("the ring of the sender to {to} overflowed: nothing can be numbered");
            assert_eq!(ended.code, 3);
            continue;
        }
        let sent: Vec<&Captured> = sent.iter().filter(|frame| frame.outgoing).collect();
        let came: Vec<&Captured> = came.iter().filter(|frame| !frame.outgoing).collect();
        let wire = direction(&report, "wire", to);
        let fates = fates(&log, &format!("{to}.eth0"));
        let [lost, corrupted, duplicated, intact] = explain(wire, &sent, &came, &fates);
        println!(
            "to {to}: {} sent; {lost} lost, {corrupted} corrupted, {duplicated} duplicated, {intact} intact",
            sent.len()
        );
        assert!(lost > 0 && corrupted > 0 && duplicated > 0 && number(&wire["reordered"]) > 0, "{wire:#}");
        // what the log says is what was counted, that of frames before the capture too
        let counted = |is: fn(&Fate) -> bool| fates.values().filter(|fate| is(fate)).count() as u64;
        assert_eq!(counted(|fate| fate.lost), dropped(wire, "loss"));
        assert_eq!(counted(|fate| fate.corrupted), number(&wire["corrupted"]));
        assert_eq!(counted(|fate| fate.duplicated), number(&wire["duplicated"]));
        assert_eq!(number(&wire["inside"]), 0);
    }
}

#[test]
fn each_captured_frame_is_explained_by_the_event_log() {
    each_captured_frame_is_explained("off");
}

#[test]
fn each_frame_of_captured_super_frames_is_explained_by_the_event_log() {
    each_captured_frame_is_explained("on");
}
