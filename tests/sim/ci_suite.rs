//! scenarios/ci as a suite, in virtual time: all of it holds, with different seeds; and each of its expectations fails when its
//! condition is broken, so that none of them holds by itself.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Lab, has, has_kernel};
use serde_json::Value;

/// A scenario with its condition broken.
struct Broken {
    file: &'static str,
    /// What stands in the file, and what stands there instead.
    changes: &'static [(&'static str, &'static str)],
    /// The expectations that fail then, among others: how their texts begin.
    fail: &'static [&'static str],
}

const BROKEN: &[Broken] = &[
    Broken {
        file: "blocked",
        changes: &[
            ("block: [client -> server], mark: deaf", "mark: deaf"),
            ("unblock: [client -> server], mark: hears", "mark: hears"),
            ("down: server, mark: dead", "mark: dead"),
            ("up: server, mark: alive", "mark: alive"),
        ],
        fail: &["up.loss from deaf", "up.loss from dead", "down.loss from dead"],
    },
    Broken {
        file: "blocked",
        changes: &[("delay: 2ms", "delay: 2ms, loss: 50%")],
        fail: &["up.loss from 0s", "down.loss from deaf", "up.loss from alive"],
    },
    Broken {
        file: "bottleneck",
        changes: &[("rate: 2Mbit", "rate: 3Mbit")],
        fail: &["thin.toward.bob.delivered.rate", "thin.toward.bob.dropped.queue_full", "flood.loss"],
    },
    Broken {
        file: "bottleneck",
        changes: &[("time: 100ms", "time: 300ms"), ("delay: 5ms", "delay: 5ms, loss: 2%")],
        fail: &["thin.toward.bob.delay.max", "thin.toward.bob.dropped.loss"],
    },
    Broken {
        file: "bufferbloat",
        changes: &[("queue: fq_codel", "queue: { fifo: { time: 80ms } }")],
        fail: &["rtt.p90", "line.toward.server.dropped.queue_full"],
    },
    Broken {
        file: "bufferbloat",
        changes: &[("rate: 10Mbit", "rate: 5Mbit, loss: 20%")],
        fail: &["upload.goodput", "rtt.loss"],
    },
    Broken {
        file: "delay",
        changes: &[("delay: 10ms", "delay: 15ms"), ("delay: 20ms", "delay: 25ms")],
        fail: &["rtt.p50", "wire.toward.bob", "wire.toward.alice"],
    },
    Broken {
        file: "delay",
        changes: &[("delay: 10ms", "delay: 5ms, loss: 10%")],
        fail: &["rtt.lost", "rtt.min", "call.delay.min"],
    },
    Broken {
        file: "duplicates",
        changes: &[("duplicate: 5%, corrupt: 3%, reorder: 4%", "loss: 50%")],
        fail: &["call.", "wire."],
    },
    Broken {
        file: "failover",
        changes: &[("convergence: 300ms", "convergence: 30s")],
        fail: &["rtt.min from 1500ms", "rtt.loss from 1500ms"],
    },
    Broken {
        file: "failover",
        changes: &[
            ("short:    { ends: [west, east], delay: 5ms }", "short: { ends: [west, east], delay: 8ms }"),
            ("down: short, ", ""),
        ],
        fail: &["rtt.p50 from 0s", "rtt.p50 from 3500ms", "short.toward.east"],
    },
    Broken {
        file: "firewall",
        changes: &[("allow: { in: uplink, tcp: 443 }", "allow: { in: uplink }")],
        fail: &["ssh.", "probe.received", "gw.firewall.", "outside does not reach server"],
    },
    Broken {
        file: "firewall",
        changes: &[("tcp: 443", "tcp: 444"), ("default: drop", "default: reject")],
        fail: &["web.bytes", "probe.errors"],
    },
    Broken {
        file: "jitter",
        changes: &[("normal, order: free", "uniform"), ("normal", "normal, order: free")],
        fail: &["call.reordered", "loose.reordered"],
    },
    Broken {
        file: "jitter",
        changes: &[("delay: { mean: 20ms, jitter: 8ms, distribution: normal }", "delay: 20ms, loss: 10%")],
        fail: &["call.lost", "call.jitter", "tame.toward.bob.delay.p99"],
    },
    Broken {
        file: "loss",
        changes: &[("toward: { bob:", "toward: { alice:")],
        fail: &["call.loss", "back.loss", "wire.toward.bob.dropped.loss", "wire.toward.alice.dropped.loss"],
    },
    Broken { file: "loss", changes: &[("rate: 100Mbit", "rate: 500kbit")], fail: &["wire.dropped.queue_full"] },
    Broken { file: "outage", changes: &[("down: wire, ", "")], fail: &["rtt.loss from cut", "wire.toward.bob"] },
    Broken {
        file: "outage",
        changes: &[("up: wire, ", ""), ("delay: 5ms", "delay: 5ms, loss: 50%")],
        fail: &["rtt.loss from 0s", "rtt.loss from mended", "alice reaches bob"],
    },
    Broken {
        file: "partition",
        changes: &[("partition: [[db1, db2], [db3]], ", "")],
        fail: &["far.loss from split", "db1 does not reach db3"],
    },
    Broken {
        file: "partition",
        changes: &[
            ("[[db1, db2], [db3]]", "[[db1], [db2], [db3]]"),
            ("heal: all, ", ""),
            ("[db3, sw], delay: 1ms", "[db3, sw], delay: 1ms, loss: 50%"),
        ],
        fail: &["near.loss", "far.loss from 0s", "db3 reaches db1"],
    },
    Broken {
        file: "program",
        changes: &[
            ("toward: { server: { loss: 2% } }", "queue: { fifo: { packets: 10000 } }"),
            ("bytes: 1MB,", "bytes: 500kB,"),
            ("/proc/net/snmp", "/proc/net/snmp; exit 3"),
        ],
        fail: &["upload.bytes", "counters."],
    },
    Broken {
        file: "ramp",
        changes: &[("ramp: { radio: { rate: 1Mbit } }", "ramp: { radio: { rate: 6Mbit } }")],
        fail: &["call.loss from 3s", "radio.toward.mast.delivered.rate"],
    },
    Broken {
        file: "ramp",
        changes: &[("rate: 8Mbit", "rate: 2Mbit"), ("reset: radio, ", "")],
        fail: &["call.loss from 0s", "call.loss from back"],
    },
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/ci")
}

fn text(name: &str) -> String {
    fs::read_to_string(folder().join(format!("{name}.yaml"))).expect("a scenario of the suite")
}

/// Text and outcome of each expectation of a report.
fn expectations(report: &Value) -> Vec<(String, bool)> {
    let list = report["expectations"].as_array().expect("a list");
    list.iter().map(|e| (e["text"].as_str().expect("text").to_owned(), e["pass"] == true)).collect()
}

#[test]
fn the_suite_holds_with_different_seeds() {
    if !has("awk") {
        return;
    }
    if !has_kernel() {
        return;
    }
    let lab = Lab::without_hosts();
    let folder = folder().display().to_string();
    let (mut seeds, mut runs) = (BTreeSet::new(), BTreeSet::new());
    // in parts, each of which is shorter than what a test may take
    for shard in ["1/4", "2/4", "3/4", "4/4"] {
        let ended = lab.run(&["test", "--sim", &folder, "--repeat", "2", "--shard", shard, "--json", "suite.json"]);
        assert_eq!(ended.code, 0, "{}", ended.told());
        let suite: Value = serde_json::from_str(&lab.read("suite.json")).expect("JSON");
        for run in suite["runs"].as_array().expect("runs") {
            let seed = run["seed"].as_u64().expect("a seed");
            seeds.insert(seed);
            assert!(runs.insert((run["file"].to_string(), seed)), "{} ran twice with seed {seed}", run["file"]);
        }
    }
    let files = fs::read_dir(self::folder()).expect("a folder").count();
    assert!(files >= 10 && runs.len() == 2 * files, "{} runs of {files} files", runs.len());
    assert!(seeds.len() >= 2, "{seeds:?}");
}

#[test]
fn each_expectation_fails_when_its_condition_is_broken() {
    if !has("awk") {
        return;
    }
    if !has_kernel() {
        return;
    }
    let mut open = BTreeSet::new();
    for entry in fs::read_dir(folder()).expect("a folder") {
        let name = entry.expect("an entry").path().file_stem().expect("a name").to_string_lossy().into_owned();
        assert!(BROKEN.iter().any(|broken| broken.file == name), "nothing breaks {name}");
    }
    let mut failed = BTreeSet::new();
    for broken in BROKEN {
        let mut text = text(broken.file);
        for (from, to) in broken.changes {
            assert!(text.contains(from), "{}: there is no `{from}`", broken.file);
            text = text.replacen(from, to, 1);
        }
        let lab = Lab::without_hosts();
        lab.write("scenario.yaml", &text);
        let ended = lab.run(&["sim", "scenario.yaml", "--json", "-"]);
        let report = ended.json();
        assert_eq!(ended.code, 1, "{} {:?}: {}", broken.file, broken.changes, ended.told());
        for (text, pass) in expectations(&report) {
            open.insert((broken.file, text.clone()));
            if broken.fail.iter().any(|begin| text.starts_with(begin)) {
                assert!(!pass, "{} {:?}: `{text}` holds", broken.file, broken.changes);
                failed.insert((broken.file, text));
            }
        }
    }
    let whole: Vec<_> = open.difference(&failed).collect();
    assert!(whole.is_empty(), "nothing breaks {whole:#?}");
}
