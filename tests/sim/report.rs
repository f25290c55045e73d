//! The JSON report only grows: what an earlier version wrote can be read, and each of its fields is still written.

use std::collections::BTreeMap;

use crate::support::sim::Sim;
use longwire::report::json::Report;
use serde_json::Value;

const SCENARIO: &str = include_str!("../fixtures/report/scenario.yaml");
/// What the version wrote that first had a changelog.
const BEFORE: &str = include_str!("../fixtures/report/report.json");

/// The types of all fields, by their paths. Elements of a list are one place; so are numbers with and without a fraction.
fn fields(value: &Value, path: &str, found: &mut BTreeMap<String, Vec<&'static str>>) {
    let kind = match value {
        // a field without a value may have one of any type
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "map",
    };
    let kinds = found.entry(path.to_owned()).or_default();
    if !kinds.contains(&kind) {
        kinds.push(kind);
    }
    match value {
        Value::Array(list) => list.iter().for_each(|one| fields(one, &format!("{path}[]"), found)),
        Value::Object(map) => map.iter().for_each(|(key, one)| fields(one, &format!("{path}.{key}"), found)),
        _ => {}
    }
}

/// What `after` lacks of `before`.
fn missing(before: &Value, after: &Value) -> Vec<String> {
    let (mut old, mut new) = (BTreeMap::new(), BTreeMap::new());
    fields(before, "", &mut old);
    fields(after, "", &mut new);
    let lacks = |(path, kinds): (&String, &Vec<&'static str>)| {
        let now = new.get(path).cloned().unwrap_or_default();
        let gone: Vec<_> = kinds.iter().filter(|kind| !now.contains(kind)).copied().collect();
        (now.is_empty() || gone.iter().any(|kind| *kind != "null"))
            .then(|| format!("{path}: {} was there, and there is {}", kinds.join(" or "), now.join(" or ")))
    };
    old.iter().filter_map(lacks).collect()
}

#[test]
fn a_report_of_before_can_be_read() {
    let report: Report = serde_json::from_str(BEFORE).expect("readable");
    let (before, read) =
        (serde_json::from_str(BEFORE).expect("JSON"), serde_json::to_value(&report).expect("plain data"));
    assert_eq!(missing(&before, &read), [""; 0]);
}

#[test]
fn each_field_of_before_is_still_written() {
    let Some(sim) = Sim::new(SCENARIO) else { return };
    let ended = sim.lab.start(sim.command(&["--out", "out", "--capture", "all"])).wait();
    // one workload and one expectation are there to fail
    assert_eq!(ended.code, 1, "{}", ended.told());
    let before = serde_json::from_str(BEFORE).expect("JSON");
    let after = serde_json::from_str(&sim.lab.read("out/report.json")).expect("JSON");
    assert_eq!(missing(&before, &after), [""; 0]);
}

#[test]
fn what_is_gone_or_of_another_type_is_found() {
    let before = serde_json::json!({ "a": [{ "b": 1 }, { "c": null }], "d": "text" });
    let same = serde_json::json!({ "a": [{ "b": 2.5, "c": [1], "e": 1 }], "d": "other", "f": {} });
    assert_eq!(missing(&before, &same), [""; 0]);
    let other = serde_json::json!({ "a": [{ "b": "1" }], "d": "text" });
    assert_eq!(
        missing(&before, &other),
        [".a[].b: number was there, and there is string", ".a[].c: null was there, and there is "]
    );
}

#[test]
fn each_node_that_dropped_frames_is_in_the_text() {
    let scenario = "\
longwire: 1
nodes: { pc: host, r1: router, r2: router, srv: host }
links: { l0: { ends: [pc, r1] }, l1: { ends: [r1, r2], delay: 5ms }, l2: { ends: [r2, srv] } }
workloads: { u: { udp: { from: srv, to: pc, every: 10ms, count: 300 } } }
timeline: [ { at: 1s, down: l1 }, { at: 2900ms, up: l1 } ]
";
    let Some(sim) = Sim::new(scenario) else { return };
    let ended = sim.lab.start(sim.command(&["--out", "out"])).wait();
    assert_eq!(ended.code, 0, "{}", ended.told());
    let report: Value = serde_json::from_str(&sim.lab.read("out/report.json")).expect("JSON");
    let r2 = report["nodes"].as_array().expect("nodes").iter().find(|node| node["name"] == "r2").expect("r2");
    let dropped = r2["dropped"]["no_route"].as_u64().expect("a count");
    assert!(dropped >= 80, "{r2}");
    let said = report["diagnosis"].to_string();
    assert!(said.contains(&format!("; {dropped} of ")) && said.contains("on `r2`: no route"), "{said}");
    assert!(said.contains("nothing of `u` arrived for 1.91 s from `l1=down` at 1 s on"), "{said}");
    let line = ended.stdout.lines().find(|line| line.starts_with("r2  ")).unwrap_or_default();
    assert!(line.contains(&format!("no_route {dropped} of")), "{}", ended.told());
    assert!(!ended.stdout.contains("\nr1 "), "it dropped nothing: {}", ended.told());
}

#[test]
fn what_was_asked_when_stands_beside_what_came_of_it() {
    let scenario = "\
longwire: 1
nodes: { a: host, b: host }
links: { wifi: { ends: [a, b], delay: 5ms, rate: 20Mbit } }
workloads: { u: { udp: { from: a, to: b, rate: 1Mbit, for: 4s } } }
timeline: [ { at: 1s, set: { wifi: { delay: 80ms, loss: 20% } }, mark: worse } ]
";
    let Some(sim) = Sim::new(scenario) else { return };
    let ended = sim.lab.start(sim.command(&["--out", "out"])).wait();
    assert_eq!(ended.code, 0, "{}", ended.told());
    let report: Value = serde_json::from_str(&sim.lab.read("out/report.json")).expect("JSON");
    let there = &report["directions"][0];
    assert_eq!(there["parameters"]["delay"]["mean_ns"], 5_000_000);
    let [change] = &there["changes"].as_array().expect("changes")[..] else { panic!("{there:#}") };
    assert_eq!(change["at_ns"], 1_000_000_000);
    assert_eq!(change["parameters"]["delay"]["mean_ns"], 80_000_000);
    assert_eq!(change["parameters"]["loss"][0]["rate"], 0.2);

    let phases = report["phases"].as_array().expect("phases");
    let times: Vec<_> = phases.iter().map(|phase| (&phase["from_ns"], &phase["marks"])).collect();
    assert_eq!(times, [(&0.into(), &serde_json::json!([])), (&1_000_000_000.into(), &serde_json::json!(["worse"]))]);
    let of = |phase: usize| &phases[phase]["directions"][0];
    assert_eq!(of(0)["dropped"], serde_json::json!({}));
    assert_eq!(of(1)["dropped"]["loss"], there["dropped"]["loss"]);
    let mean = |phase: usize| of(phase)["delay_mean_ns"].as_u64().expect("a mean");
    assert!((5_000_000..6_000_000).contains(&mean(0)) && mean(1) > 75_000_000, "{} {}", mean(0), mean(1));
    // phases and series are of the same time: from t = 0 to the end
    let sum = |count: &str| (0..2).map(|phase| of(phase)[count]["frames"].as_u64().expect("a count")).sum::<u64>();
    let series = report["series"]["directions"][0]["delivered_frames"].as_array().expect("a column");
    assert_eq!(sum("delivered"), series.iter().filter_map(Value::as_u64).sum::<u64>());
    // a frame may have been on its way at t = 0
    let lost = of(1)["dropped"]["loss"].as_u64().expect("a count");
    let before = sum("delivered") + lost - sum("offered");
    assert_eq!(sum("offered") + before, there["offered"]["frames"].as_u64().expect("a count"), "{there:#}");
    assert!(before < 3, "{before}");
    for words in [
        "at first: 5ms, 20Mbit, fifo 200ms",
        "from 1 s: 80ms, 20Mbit, loss 20%, fifo 200ms",
        "\n  before  0 – 1 s ",
        "\n  worse  1 – ",
    ] {
        assert!(ended.stdout.contains(words), "{words}: {}", ended.told());
    }
}

#[test]
fn the_longest_silence_any_percentile_and_values_are_measured() {
    let scenario = "\
longwire: 1
duration: 6s
nodes: { a: host, b: host }
links: { wire: { ends: [a, b], delay: { mean: 10ms, jitter: 5ms }, rate: 10Mbit } }
workloads:
  rtt:  { ping: { from: a, to: b, every: 10ms, for: 4s, timeout: 500ms } }
  u:    { udp: { from: a, to: b, every: 10ms, for: 4s } }
  t:    { tcp: { from: a, to: b, for: 4s } }
  tool: { in: a, shell: 'echo took 12.5 ms', values: { took: { regex: 'took ([0-9.]+)', unit: ms } } }
timeline: [ { at: 1s, down: wire, mark: cut }, { at: 2s, up: wire } ]
expect:
  - rtt.gap.max > 1s
  - rtt.gap.max < 1030ms
  - u.gap.max > 990ms
  - u.gap.max < 1030ms
  - t.gap.max > 1s
  - rtt.p50 < rtt.p95
  - rtt.p95 <= rtt.p99.9
  - u.delay.p95 > u.delay.p90
  - u.delay.p95 < u.delay.p99
  - wire.toward.b.delay.p95 > wire.toward.b.delay.p90
  - tool.took == 12.5ms
";
    let Some(sim) = Sim::new(scenario) else { return };
    let ended = sim.lab.start(sim.command(&["--out", "out"])).wait();
    assert_eq!(ended.code, 0, "{}", ended.told());
    let report: Value = serde_json::from_str(&sim.lab.read("out/report.json")).expect("JSON");
    for name in ["rtt", "u", "t"] {
        let gap = &report["workloads"][name]["gap"];
        let ns = |key: &str| gap[key].as_i64().expect("a time");
        assert_eq!(ns("to_ns") - ns("from_ns"), ns("max_ns"), "{name}");
        // it lies around the time in which the link was down, by the run's own clock
        assert!((900_000_000..1_050_000_000).contains(&ns("from_ns")), "{name}: {gap}");
        assert!(report["workloads"][name]["receiver"].get("heard").is_none(), "{name}");
    }
    assert!(
        report["workloads"]["rtt"]["rtt_ns"]["p95"].is_u64()
            && report["workloads"]["u"]["receiver"]["delay_ns"]["p95"].is_u64()
    );
    assert_eq!(ended.stdout.matches("longest silence 1.").count(), 3, "{}", ended.told());
    assert!(ended.stdout.contains(" took 12.5 ms\n"), "{}", ended.told());
    assert!(sim.lab.read("out/report.html").contains("took 12.5 ms"));
}

#[test]
fn a_socket_buffer_that_holds_a_connection_up_is_named_and_the_network_is_not() {
    let scenario = |sockbuf: &str, rate: &str| {
        format!(
            "longwire: 1\nnodes: {{ a: host, b: host }}\nlinks: {{ wire: {{ ends: [a, b], rtt: 200ms, rate: {rate} }} }}\n\
             workloads: {{ t: {{ tcp: {{ from: a, to: b, for: 5s{sockbuf} }} }} }}\n"
        )
    };
    for (sockbuf, rate, held_up) in [(", sockbuf: 64KiB", "100Mbit", true), ("", "5Mbit", false)] {
        let Some(sim) = Sim::new(&scenario(sockbuf, rate)) else { return };
        let ended = sim.lab.start(sim.command(&["--out", "out"])).wait();
        assert_eq!(ended.code, 0, "{}", ended.told());
        let report: Value = serde_json::from_str(&sim.lab.read("out/report.json")).expect("JSON");
        let warned =
            report["diagnosis"].as_array().is_some_and(|all| all.iter().any(|w| w.to_string().contains("sockbuf")));
        assert_eq!((warned, ended.stdout.contains("was the limit")), (held_up, held_up), "{}", ended.told());
    }
}

#[test]
fn convergence_delays_what_has_another_way_and_is_an_event() {
    let ring = "nodes: { a: host, b: host, r1: router, r2: router, r3: router }\n\
                links: { la: { ends: [a, r1] }, l12: { ends: [r1, r2], delay: 1ms }, l23: { ends: [r2, r3], delay: 1ms }, \
                l13: { ends: [r1, r3], delay: 9ms }, lb: { ends: [r3, b] } }\n";
    let chain = ring.replace("l13: { ends: [r1, r3], delay: 9ms }, ", "");
    let rest = "workloads: { rtt: { ping: { from: a, to: b, every: 20ms, for: 4s, timeout: 200ms } } }\n\
                timeline: [ { at: 1s, down: l12, mark: cut }, { at: 2500ms, up: l12, mark: heal } ]\nduration: 5s\n";
    let run = |network: &str| {
        let sim = Sim::new(&format!("longwire: 1\nconvergence: 1s\n{network}{rest}"))?;
        let ended = sim.lab.start(sim.command(&["--out", "out"])).wait();
        assert_eq!(ended.code, 0, "{}", ended.told());
        let report: Value = serde_json::from_str(&sim.lab.read("out/report.json")).expect("JSON");
        let followed: Vec<(u64, String)> = report["events"]
            .as_array()
            .expect("events")
            .iter()
            .filter(|event| event["kind"] == "network")
            .map(|event| (event["at_ns"].as_u64().expect("a time"), event["what"].as_str().expect("words").to_owned()))
            .collect();
        let gap = report["workloads"]["rtt"]["gap"]["max_ns"].as_u64().expect("a time");
        Some((followed, gap, ended.stdout))
    };
    let Some((followed, gap, text)) = run(ring) else { return };
    let words = ["down", "up"].map(|way| format!("routers and switches follow l12={way}"));
    assert_eq!(followed, [(2_000_000_000, words[0].clone()), (3_500_000_000, words[1].clone())]);
    assert!((1_000_000_000..1_060_000_000).contains(&gap), "the other way after one convergence: {gap}");
    assert!(text.contains(&format!("2.000 s  {}", words[0])), "{text}");

    let Some((followed, gap, _)) = run(&chain) else { return };
    assert_eq!(followed, []);
    assert!((1_500_000_000..1_560_000_000).contains(&gap), "as long as the link was down, and no longer: {gap}");
}

#[test]
fn settings_of_a_hosts_kernel_are_set_and_one_that_is_not_there_ends_with_2() {
    let scenario = |key: &str, value: &str| {
        format!(
            "longwire: 1\nnodes: {{ a: {{ host: {{ sysctl: {{ {key}: {value}, net.ipv4.conf.default.forwarding: 1 }} }} }}, b: host }}\n\
             links: {{ wire: {{ ends: [a, b] }} }}\n\
             workloads: {{ look: {{ in: a, shell: 'cat /proc/sys/net/ipv4/tcp_rmem /proc/sys/net/ipv4/conf/eth0/forwarding' }},\n\
             other: {{ in: b, shell: 'cat /proc/sys/net/ipv4/tcp_rmem' }} }}\n"
        )
    };
    let Some(sim) = Sim::new(&scenario("net.ipv4.tcp_rmem", "4096 131072 7654321")) else { return };
    let ended = sim.lab.start(sim.command(&["--out", "out"])).wait();
    assert_eq!(ended.code, 0, "{}", ended.told());
    assert_eq!(sim.lab.read("out/programs/look.log"), "4096\t131072\t7654321\n1\n");
    assert!(!sim.lab.read("out/programs/other.log").contains("7654321"), "its own");
    // one lab at a time
    drop(sim);
    for (key, value, words) in [
        ("net.ipv4.tcp_nothing", "1", "no such setting"),
        ("net.ipv4.tcp_congestion_control", "nothing", "net.ipv4.tcp_congestion_control"),
    ] {
        let Some(sim) = Sim::new(&scenario(key, value)) else { return };
        let ended = sim.lab.start(sim.command(&[])).wait();
        assert!(ended.code == 2 && ended.stderr.contains(words), "{key}: {}", ended.told());
    }
}
