//! Much at a time: memory stays within what is on the way, and contents arrive whatever the link does to their frames.

use crate::support::report::{assert_passed, direction, draws, dropped, number};
use crate::support::{Lab, has};
use serde_json::Value;

/// What the pool keeps for a train of two full frames, the shortest that there is: head and bookkeeping, a first piece of 2 KiB,
/// a further one of 16 KiB.
const SHORTEST_KEPT: u64 = 512 + (2 << 10) + (16 << 10);
/// The wire bytes of such a train.
const SHORTEST_TRAIN: u64 = 2 * 1514;
/// Tables double as they grow, and the old ones lie there until they are given out again.
const TABLES: u64 = 16 << 20;
const GIB: u64 = 1 << 30;

/// Services that raise what TCP may have on its way, in each of two hosts: limits of their own network namespaces.
fn buffers(bytes: u64) -> String {
    let service = |host: &str| {
        let set = |name: &str| format!("echo 4096 131072 {bytes} > /proc/sys/net/ipv4/{name}");
        let shell = format!("{} && {} && echo raised && exec sleep 1000", set("tcp_rmem"), set("tcp_wmem"));
        format!("  buffers-{host}: {{ in: {host}, root: true, shell: \"{shell}\", ready: {{ log: raised }} }}\n")
    };
    format!("services:\n{}{}", service("a"), service("b"))
}

/// Contents are right at the far end, to the byte.
fn assert_arrived(work: &Value, bytes: u64) {
    assert_eq!(number(&work["receiver"]["bytes"]), bytes, "{work:#}");
    assert!(work["receiver"]["first_difference"].is_null(), "{work:#}");
    assert_eq!(work["sender"]["hash"], work["receiver"]["hash"]);
}

/// Runs the lab's scenario; its report, whose sums were checked, and the peak of the engine's process in bytes.
fn run(lab: &Lab) -> (Value, u64) {
    let mut started = lab.start_run(&["--json", "-"]);
    let peak = started.peak_memory();
    let ended = started.wait();
    let report = ended.json();
    assert_passed(ended.code, &report);
    println!("peak {} KiB in {:?}, exit {}", peak / 1024, ended.took, ended.code);
    (report, peak)
}

/// 1 Gbit/s for the 100 ms on the way and the 50 ms in the queue, in bytes: what the wire holds at most, however late anybody is.
const INSIDE: u64 = 1_000_000_000 / 8 * 150 / 1000;

/// The most that a run may take where so many wire bytes are inside at most: what this machine takes for the same run with
/// almost nothing inside, and what those bytes keep in the shortest trains.
fn bound(idle: &str, inside: u64) -> Option<u64> {
    let lab = Lab::new(idle)?;
    let (_, base) = run(&lab);
    assert!(base > 1 << 20, "{base} bytes are no program's memory");
    Some(base + inside * SHORTEST_KEPT / SHORTEST_TRAIN + TABLES)
}

fn a_gigabit_a_tenth_of_a_second_away() -> String {
    format!(
        "longwire: 1\nnodes: {{ a: host, b: host }}\n\
        links: {{ wire: {{ ends: [a, b], delay: 100ms, rate: 1Gbit, queue: {{ fifo: {{ time: 50ms }} }} }} }}\n{}",
        buffers(64 << 20)
    )
}

#[test]
fn memory_is_that_of_the_bandwidth_delay_product() {
    let scenario = |bytes: &str| {
        let work = format!("bulk: {{ tcp: {{ from: a, to: b, bytes: {bytes}, congestion: cubic }}, timeout: 200s }}");
        format!("{}workloads:\n  {work}\n", a_gigabit_a_tenth_of_a_second_away())
    };
    let Some(most) = bound(&scenario("1kB"), INSIDE) else { return };
    let Some(lab) = Lab::new(&scenario("1GiB")) else { return };
    let (report, peak) = run(&lab);
    assert_arrived(&report["workloads"]["bulk"], GIB);
    assert!(peak < most, "{peak} bytes, not less than {most}, where {INSIDE} are inside");
}

#[test]
fn short_trains_take_no_more_memory_than_long_ones() {
    // A sender that gets little of the wire sends few segments at a time, and a receiver's frame could still have been long.
    let scenario = |bytes: &str| {
        let work =
            |n| format!("  w{n}: {{ tcp: {{ from: a, to: b, bytes: {bytes}, congestion: cubic }}, timeout: 200s }}\n");
        format!("{}workloads:\n{}", a_gigabit_a_tenth_of_a_second_away(), (0..10).map(work).collect::<String>())
    };
    let Some(most) = bound(&scenario("1kB"), INSIDE) else { return };
    let Some(lab) = Lab::new(&scenario("50MB")) else { return };
    let (report, peak) = run(&lab);
    for n in 0..10 {
        assert_arrived(&report["workloads"][format!("w{n}")], 50_000_000);
    }
    // 64 KiB for each of them would be three times as much
    assert!(peak < most, "{peak} bytes, not less than {most}, where {INSIDE} are inside");
}

#[test]
fn memory_is_that_of_the_window_where_no_rate_holds_the_sender_back() {
    const WINDOW: u64 = 32 << 20;
    let scenario = |bytes: &str| {
        format!(
            "longwire: 1\nnodes: {{ a: host, b: host }}\nlinks: {{ wire: {{ ends: [a, b], delay: 100ms }} }}\n{}\
            workloads:\n  bulk: {{ tcp: {{ from: a, to: b, bytes: {bytes}, congestion: cubic }}, timeout: 200s }}\n",
            buffers(WINDOW)
        )
    };
    let Some(most) = bound(&scenario("1kB"), WINDOW) else { return };
    let Some(lab) = Lab::new(&scenario("1GiB")) else { return };
    let (report, peak) = run(&lab);
    assert_arrived(&report["workloads"]["bulk"], GIB);
    assert!(peak < most, "{peak} bytes, not less than {most}, where {WINDOW} may be inside");
}

#[test]
fn a_gibibyte_arrives_over_everything_that_a_wire_can_do_to_frames() {
    let Some(lab) = Lab::new(
        "\
longwire: 1
seed: 11
nodes: { a: host, b: host }
links:
  wire:
    ends: [a, b]
    delay: 300us
    toward: { b: { loss: 0.02%, corrupt: 0.02%, duplicate: 0.02%, reorder: 0.02% } }
workloads:
  bulk: { tcp: { from: a, to: b, bytes: 1GiB, congestion: cubic }, timeout: 200s }
",
    ) else {
        return;
    };
    let (report, _) = run(&lab);
    assert_arrived(&report["workloads"]["bulk"], GIB);
    let wire = direction(&report, "wire", "b");
    let offered = number(&wire["offered"]["frames"]);
    // wire frames, whatever they travelled in
    assert!(offered >= GIB / 1448, "{wire:#}");
    let (lost, corrupted, duplicated) =
        (dropped(wire, "loss"), number(&wire["corrupted"]), number(&wire["duplicated"]));
    for (what, count, of) in
        [("lost", lost, offered), ("corrupted", corrupted, offered - lost), ("duplicated", duplicated, offered - lost)]
    {
        let expected = draws(of, 0.0002);
        assert!(*expected.start() > 0 && expected.contains(&count), "{count} of {of} {what}, not {expected:?}");
    }
    assert!(number(&wire["reordered"]) > 0, "{wire:#}");
    let delivered = number(&wire["delivered"]["frames"]);
    assert_eq!(offered + duplicated, delivered + lost + number(&wire["inside"]), "{wire:#}");
    println!("{offered} frames: {lost} lost, {corrupted} corrupted, {duplicated} duplicated; {}", wire["reordered"]);
}

#[test]
fn tagged_trains_are_wire_frames_with_tags() {
    if !["python3", "ip"].into_iter().all(has) {
        return;
    }
    const BYTES: u64 = 20_000_000;
    let Some(lab) = Lab::new(
        "\
longwire: 1
seed: 9
addressing: { ipv6: none }
nodes: { a: host, b: host }
links:
  # what is longer than the MTU behind its tag is dropped
  wire: { ends: [a, b], mtu: 1500, delay: 1ms, toward: { b: { loss: 1% } } }
services:
  tag-a: { in: a, root: true, command: [python3, vlan.py, 10.77.0.1/24], ready: { log: tagging } }
  tag-b: { in: b, root: true, command: [python3, vlan.py, 10.77.0.2/24], ready: { log: tagging } }
  sink:
    in: b
    ready: { tcp: 7000 }
    command:
      - python3
      - -c
      - |
        import hashlib, socket
        connection, _ = socket.create_server(('', 7000)).accept()
        count, digest = 0, hashlib.sha256()
        while data := connection.recv(1 << 20):
            count, digest = count + len(data), digest.update(data) or digest
        connection.sendall(f'{count} {digest.hexdigest()}'.encode())
        connection.close()
        import time; time.sleep(1000)
workloads:
  bulk:
    in: a
    timeout: 200s
    command:
      - python3
      - -c
      - |
        import hashlib, random, socket
        data = random.Random(1).randbytes(20_000_000)
        wire = socket.create_connection(('10.77.0.2', 7000))
        wire.sendall(data)
        wire.shutdown(socket.SHUT_WR)
        answer = wire.makefile().read()
        assert answer == f'{len(data)} {hashlib.sha256(data).hexdigest()}', answer
",
    ) else {
        return;
    };
    lab.write("vlan.py", include_str!("../support/programs/vlan.py"));
    let ended = lab.run(&["run", "scenario.yaml", "--json", "-", "--out", "out"]);
    let report = ended.json();
    assert_passed(ended.code, &report);
    assert_eq!(report["workloads"]["bulk"]["ok"], true, "{report:#}");
    // a super-frame of several wire frames went out at a time, if the host's kernel leaves cutting to the TAP
    let has_tso = |port: &Value| port["offloads"].as_array().expect("a list").iter().any(|o| o == "TSO4");
    if report["ports"].as_array().expect("ports").iter().all(has_tso) {
        assert!(lab.read("out/programs/tag-a.log").contains("a train of"), "no train was sent");
    }

    let wire = direction(&report, "wire", "b");
    let (frames, bytes) = (number(&wire["offered"]["frames"]), number(&wire["offered"]["bytes"]));
    // 1,448 bytes of payload in 1,518 of a full frame with its tag
    assert!(frames >= BYTES / 1448 && bytes <= frames * 1518, "{wire:#}");
    assert_eq!(dropped(wire, "mtu"), 0, "{wire:#}");
    let lost = dropped(wire, "loss");
    let expected = draws(frames, 0.01);
    assert!(expected.contains(&lost), "{lost} of {frames} lost, not {expected:?}");
    let events = lab.read("out/events.jsonl");
    let events = events.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
    let tagged: Vec<Value> = events
        .filter(|event| event["cause"] == "loss")
        .filter(|event| event["frame"].as_str().is_some_and(|frame| frame.starts_with("vlan 7 TCP")))
        .collect();
    assert!(tagged.len() as u64 > lost / 2, "{} of {lost} are of the connection", tagged.len());
    for event in &tagged {
        let frame = event["frame"].as_str().expect("text");
        let length = frame.rsplit_once('(').and_then(|(_, end)| end.strip_suffix(" B)")?.parse::<u64>().ok());
        assert!(event["frames"] == 1 && length.is_some_and(|length| length <= 1518), "{event}");
    }
    println!("{} of {lost} lost frames were the connection's, of {frames}", tagged.len());
}
