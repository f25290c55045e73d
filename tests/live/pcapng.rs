//! Captures as Wireshark's own reader sees them: nothing to complain of, every fate as it was counted, TCP whole.

use std::collections::BTreeMap;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::report::{assert_failed, assert_passed, direction, number};
use crate::support::{Lab, has, until};
use nix::sys::signal::Signal;
use serde_json::Value;

/// What tshark prints, as one string a line. Beside that it says nothing but perhaps who it runs as.
fn tshark(lab: &Lab, file: &str, arguments: &[&str]) -> Vec<String> {
    let all: Vec<&str> = ["-r", file].iter().chain(arguments).copied().collect();
    let mut command = lab.other("tshark", &all);
    command.env("LC_ALL", "C.UTF-8");
    let ended = lab.start(command).wait();
    let told: Vec<_> = ended.stderr.lines().filter(|line| !line.starts_with("Running as user")).collect();
    assert!(ended.code == 0 && told.is_empty(), "{file}: {}", ended.told());
    ended.stdout.lines().map(str::to_owned).collect()
}

/// A frame, as tshark reads it.
#[derive(Debug)]
struct Frame {
    interface: usize,
    name: String,
    at: u64,
    length: usize,
    kept: usize,
    direction: String,
    comments: Vec<String>,
}

impl Frame {
    fn says(&self, start: &str) -> bool {
        self.comments.iter().any(|comment| comment.starts_with(start))
    }
}

fn frames(lab: &Lab, file: &str) -> Vec<Frame> {
    let fields = [
        "frame.interface_id",
        "frame.interface_name",
        "frame.time_epoch",
        "frame.len",
        "frame.cap_len",
        "frame.packet_flags_direction",
        "frame.comment",
    ];
    let mut arguments = vec!["-T", "fields", "-E", "separator=;", "-E", "aggregator=|"];
    fields.iter().for_each(|field| arguments.extend(["-e", field]));
    let lines = tshark(lab, file, &arguments);
    lines
        .iter()
        .map(|line| {
            let parts: Vec<&str> = line.split(';').collect();
            assert_eq!(parts.len(), fields.len(), "{line}");
            let (seconds, nanos) = parts[2].split_once('.').expect("a time");
            assert_eq!(nanos.len(), 9, "nanoseconds: {line}");
            let number = |text: &str| text.parse::<usize>().unwrap_or_else(|error| panic!("{line}: {error}"));
            Frame {
                interface: number(parts[0]),
                name: parts[1].to_owned(),
                at: number(seconds) as u64 * 1_000_000_000 + number(nanos) as u64,
                length: number(parts[3]),
                kept: number(parts[4]),
                direction: parts[5].to_owned(),
                comments: parts[6].split('|').filter(|text| !text.is_empty()).map(str::to_owned).collect(),
            }
        })
        .collect()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos() as u64
}

fn capture<'a>(report: &'a Value, link: &str) -> &'a Value {
    let captures = report["captures"].as_array().expect("captures");
    captures.iter().find(|capture| capture["link"] == link).unwrap_or_else(|| panic!("{link} in {captures:#?}"))
}

#[test]
fn comments_say_what_was_counted_frame_for_frame() {
    if !has("tshark") {
        return;
    }
    let Some(lab) = Lab::new(
        "\
longwire: 1
seed: 11
nodes: { a: host, b: host }
links:
  wire:
    ends: [a, b]
    delay: { mean: 4ms, jitter: 1ms }
    rate: 20Mbit
    queue: { fifo: { packets: 20 } }
    loss: 2%
    corrupt: 2%
    duplicate: 2%
    reorder: 2%
capture: [wire]
workloads:
  call: { udp: { from: a, to: b, rate: 25Mbit, size: 1000B, for: 1s } }
  six:  { udp: { from: b, to: a, every: 2ms, size: 333B, count: 1000, family: ipv6 } }
  bulk: { at: 1s, tcp: { from: a, to: b, bytes: 1MB, congestion: cubic }, timeout: 200s }
timeline:
  - { at: 500ms, down: wire }
  - { at: 520ms, up: wire }
",
    ) else {
        return;
    };
    let before = now();
    let ended = lab.run(&["run", "scenario.yaml", "--json", "-", "--out", "out"]);
    let (report, after) = (ended.json(), now());
    assert_passed(ended.code, &report);
    let told = capture(&report, "wire");
    assert_eq!(told["file"], "captures/wire.pcapng");
    let frames = frames(&lab, "out/captures/wire.pcapng");
    assert_eq!(number(&told["frames"]), frames.len() as u64);
    assert_eq!(number(&told["bytes"]), fs::metadata(lab.path("out/captures/wire.pcapng")).expect("it is there").len());
    assert!(frames.is_sorted_by_key(|frame| frame.at), "in the order of time");
    assert!(frames.iter().all(|frame| (before..after).contains(&frame.at)), "within the run");
    assert!(frames.iter().any(|frame| frame.at % 1000 != 0), "to the nanosecond");
    assert!(frames.iter().all(|frame| frame.length == frame.kept && frame.length >= 14));
    if !told["complete"].as_bool().expect("a truth") {
        // the writer had no processor for so long: what is missing is counted, and nothing else can be
        println!("{told:#}");
        assert!(number(&told["missed"]) > 0 || ended.code == 3);
        return;
    }
    for (interface, to, flow) in [(0, "b", "0x00000002"), (1, "a", "0x00000001")] {
        let wire = direction(&report, "wire", to);
        let name = format!("{} → {}", wire["from"].as_str().expect("text"), wire["to"].as_str().expect("text"));
        let of: Vec<&Frame> = frames.iter().filter(|frame| frame.interface == interface).collect();
        assert!(of.iter().all(|frame| frame.name == name && frame.direction == flow), "{:?}", of[0]);
        let with = |start: &str| of.iter().filter(|frame| frame.says(start)).count() as u64;
        let (offered, copies) = (number(&wire["offered"]["frames"]), number(&wire["duplicated"]));
        assert_eq!((of.len() as u64, with("copy made by duplicate")), (offered + copies, copies));
        let mut dropped = BTreeMap::<&str, u64>::new();
        for comment in of.iter().flat_map(|frame| &frame.comments) {
            if let Some(cause) = comment.strip_prefix("dropped: ") {
                *dropped.entry(cause.split(' ').next().expect("a cause")).or_default() += 1;
            }
        }
        let counted: BTreeMap<&str, u64> = wire["dropped"]
            .as_object()
            .expect("causes")
            .iter()
            .map(|(cause, frames)| (cause.as_str(), number(frames)))
            .collect();
        println!("to {to}: {} frames, {dropped:?}", of.len());
        assert_eq!(dropped, counted);
        for (start, counter) in
            [("corrupted: bit ", "corrupted"), ("duplicated: ", "duplicated"), ("reordered: ", "reordered")]
        {
            assert_eq!(with(start), number(&wire[counter]), "{start}");
        }
        assert_eq!(with("inside: "), number(&wire["inside"]));
        // bytes too: what is dropped and what is delivered is all that was offered
        let bytes = |frames: &mut dyn Iterator<Item = &&Frame>| frames.map(|frame| frame.length as u64).sum::<u64>();
        let is_copy = |frame: &&&Frame| frame.says("copy made by duplicate");
        assert_eq!(bytes(&mut of.iter().filter(|f| !is_copy(f))), number(&wire["offered"]["bytes"]));
        let arrived = |frame: &&&Frame| !frame.says("dropped: ") && !frame.says("inside: ");
        assert_eq!(bytes(&mut of.iter().filter(arrived)), number(&wire["delivered"]["bytes"]));
        assert!(with("delayed ") > 0 && with("ran ahead: reorder") > 0);
        assert!(counted["loss"] > 0 && number(&wire["corrupted"]) > 0 && copies > 0, "{wire:#}");
    }
    let to_b = direction(&report, "wire", "b");
    assert!(number(&to_b["dropped"]["queue_full"]) > 0 && frames.iter().any(|f| f.says("dropped: queue_full (fifo)")));
    assert!(lab.read("out/report.txt").contains("captures/wire.pcapng"));
}

#[test]
fn tcp_of_super_frames_is_whole_with_every_checksum_right() {
    if !has("tshark") {
        return;
    }
    let Some(lab) = Lab::new(
        "\
longwire: 1
nodes: { a: host, b: host }
links: { wire: { ends: [a, b], delay: 1ms, rate: 1Gbit } }
workloads:
  bulk: { tcp: { from: a, to: b, bytes: 4MB, congestion: cubic }, timeout: 200s }
  call: { udp: { from: b, to: a, every: 1ms, size: 5000B, count: 50, family: ipv6 } }
",
    ) else {
        return;
    };
    let ended = lab.run(&["run", "scenario.yaml", "--json", "-", "--out", "out", "--capture", "wire"]);
    let report = ended.json();
    assert_passed(ended.code, &report);
    assert!(lab.read("out/command.txt").contains("--capture wire"));
    let told = capture(&report, "wire");
    assert!(told["complete"].as_bool().expect("a truth") || ended.code == 3, "{told:#}");
    let file = "out/captures/wire.pcapng";
    let check = ["ip", "tcp", "udp"].map(|protocol| format!("{protocol}.check_checksum:TRUE"));
    let checks: Vec<&str> = check.iter().flat_map(|check| ["-o", check.as_str()]).collect();
    let read = |more: &[&str]| tshark(&lab, file, &[&checks[..], more].concat());
    let fields = ["-e", "ip.checksum.status", "-e", "tcp.checksum.status", "-e", "udp.checksum.status"];
    let sums = read(&[&["-T", "fields", "-E", "separator=,"], &fields[..]].concat());
    assert_eq!(sums.len() as u64, number(&told["frames"]));
    // 1 is good, 0 bad; nothing where there is none
    let status: Vec<&str> = sums.iter().flat_map(|line| line.split(',')).filter(|text| !text.is_empty()).collect();
    assert!(status.len() > 5000 && status.iter().all(|status| *status == "1"), "{status:?}");
    // a train is cut: no frame is longer than the MTU lets one be
    let long = read(&["-Y", "frame.len > 1514"]);
    assert!(long.is_empty(), "{}", long.len());
    if told["complete"] == true {
        assert_eq!(read(&["-Y", "tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment"]), [""; 0]);
        let stream = read(&["-q", "-z", "follow,tcp,raw,0"]);
        let bytes: usize =
            stream.iter().filter(|line| line.bytes().all(|b| b.is_ascii_hexdigit())).map(|l| l.len() / 2).sum();
        assert!((4_000_000..4_000_200).contains(&bytes), "{bytes} bytes came together again");
    }
    // the same as JSON
    let json: Value = serde_json::from_str(&read(&["-T", "json", "-c", "20"]).concat()).expect("JSON");
    assert_eq!(json.as_array().map(Vec::len), Some(20));
    if has("capinfos") {
        let ended = lab.start(lab.other("capinfos", &["-M", file])).wait();
        assert_eq!(ended.code, 0, "{}", ended.told());
        for said in ["nanosecond", "Number of interfaces in file: 2", "Name = a.eth0 → b.eth0", "longwire"] {
            assert!(ended.stdout.contains(said), "{said} is not in {}", ended.stdout);
        }
    }
}

#[test]
fn a_file_is_bounded_and_kept_only_if_the_run_fails() {
    let scenario = |exit: u8| {
        format!(
            "longwire: 1\nnodes: {{ a: host, b: host }}\nlinks: {{ wire: {{ ends: [a, b], delay: 1ms }} }}\n\
             capture: {{ links: all, keep: on-fail, size: 64KiB, snap: 60B }}\n\
             workloads:\n  call: {{ udp: {{ from: a, to: b, every: 500us, size: 1000B, count: 2000 }} }}\n  \
             judge: {{ after: call, in: a, shell: exit {exit} }}\n"
        )
    };
    let Some(lab) = Lab::new(&scenario(0)) else { return };
    let ended = lab.run(&["run", "scenario.yaml", "--json", "-", "--out", "out"]);
    let report = ended.json();
    let told = capture(&report, "wire");
    assert_eq!((told["complete"].as_bool(), number(&told["beyond"]) > 0), (Some(false), true), "{told:#}");
    match ended.code {
        0 => assert!(told["file"].is_null() && !lab.path("out/captures/wire.pcapng").exists()),
        3 => assert_eq!(told["file"], "captures/wire.pcapng"),
        _ => panic!("{}", ended.told()),
    }
    assert!(!lab.path("out/captures/wire.pcapng.part").exists());

    lab.write("scenario.yaml", &scenario(1));
    let ended = lab.run(&["run", "scenario.yaml", "--json", "-", "--out", "out"]);
    let report = ended.json();
    assert_failed(ended.code, &report);
    let told = capture(&report, "wire");
    let file = fs::metadata(lab.path("out/captures/wire.pcapng")).expect("it is kept");
    assert!(file.len() <= 64 << 10 && file.len() == number(&told["bytes"]), "{told:#}");
    let offered: u64 = ["a", "b"].iter().map(|to| number(&direction(&report, "wire", to)["offered"]["frames"])).sum();
    let sum = ["frames", "beyond", "missed"].iter().map(|key| number(&told[*key])).sum::<u64>();
    assert_eq!(sum, offered, "each frame is in the file, or counted: {told:#}");
    if has("tshark") {
        let frames = frames(&lab, "out/captures/wire.pcapng");
        assert_eq!(frames.len() as u64, number(&told["frames"]));
        assert!(frames.len() > 100 && frames.iter().all(|frame| frame.kept == frame.length.min(60)));
        assert!(frames.iter().any(|frame| frame.length == 1042));
    }
}

#[test]
fn after_kill_the_file_is_readable_and_nothing_else_is_left() {
    let Some(lab) = Lab::new(
        "longwire: 1\nnodes: { a: host, b: host }\nlinks: { wire: { ends: [a, b], delay: 1ms } }\n\
         workloads: { call: { udp: { from: a, to: b, every: 1ms, size: 1000B, count: 100000 } } }\n",
    ) else {
        return;
    };
    let run = lab.start_run(&["--out", "out", "--capture", "all"]);
    let length = |lab: &Lab| fs::metadata(lab.path("out/captures/wire.pcapng")).map_or(0, |file| file.len());
    until("frames are in the file", || length(&lab) > 300_000);
    let traces = lab.traces();
    let when = std::time::Instant::now();
    run.signal(Signal::SIGKILL);
    traces.assert_gone(when);
    assert_eq!(run.wait().code, 128 + 9);
    let left = |folder: &str| {
        let entries = fs::read_dir(lab.path(folder)).expect("it is there");
        let mut names: Vec<_> = entries.map(|entry| entry.expect("read").file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(left("out/captures"), ["wire.pcapng"]);
    assert_eq!(left("."), ["out", "scenario.yaml"]);
    if has("tshark") {
        assert!(frames(&lab, "out/captures/wire.pcapng").len() > 200);
    }
}

#[test]
fn a_capture_without_a_place_for_it_is_told() {
    let Some(lab) = Lab::new(
        "longwire: 1\nnodes: { a: host, b: host }\nlinks: { wire: { ends: [a, b] } }\ncapture: [wire]\n\
         workloads: { one: { ping: { from: a, to: b, count: 1, every: 100ms } } }\n",
    ) else {
        return;
    };
    let ended = lab.run(&["run", "scenario.yaml", "--json", "-"]);
    let report = ended.json();
    assert!(ended.stderr.contains("none is written: add --out DIR"), "{}", ended.told());
    let told = capture(&report, "wire");
    assert!(told["file"].is_null() && told["reason"].as_str().is_some_and(|reason| reason.contains("--out")));
    let ended = lab.run(&["run", "scenario.yaml", "--capture", "wire"]);
    assert!(ended.code == 2 && ended.stderr.contains("--out"), "{}", ended.told());
    let ended = lab.run(&["run", "scenario.yaml", "--capture", "wrie", "--out", "out"]);
    assert!(ended.code == 2 && ended.stderr.contains("did you mean `wire`?"), "{}", ended.told());
}
