//! How workloads come to their end where somebody interrupts the run or the disk is full.

use crate::support::report::number;
use crate::support::{Lab, has};
use serde_json::Value;

fn seconds(value: &Value) -> f64 {
    value.as_i64().unwrap_or_else(|| panic!("{value} is no time")) as f64 / 1e9
}

#[test]
fn an_interrupted_transfer_over_a_cut_wire_ends_at_once_and_has_its_numbers() {
    let Some(lab) = Lab::new(
        "\
longwire: 1
nodes: { a: host, b: host }
links: { wire: { ends: [a, b], rate: 20Mbit } }
workloads:
  t: { tcp: { from: a, to: b, for: 50s } }
  w: { in: a, shell: \"sleep 1; touch cut; exec sleep 50\" }
timeline: [ { at: 500ms, down: wire } ]
",
    ) else {
        return;
    };
    let run = lab.start_run(&["--json", "-"]);
    lab.until_file("cut");
    run.signal(nix::sys::signal::Signal::SIGINT);
    let report = run.wait().json();
    let work = &report["workloads"]["t"];
    assert!(seconds(&work["ended_ns"]) < 20.0, "{work:#}");
    assert!(number(&work["receiver"]["bytes"]) > 10_000, "{work:#}");
}

#[test]
fn a_full_disk_takes_no_report_with_it() {
    let Some(lab) = Lab::new(
        "\
longwire: 1
nodes: { a: host, b: host }
links: { wire: { ends: [a, b], loss: 50% } }
capture: { links: [wire], keep: on-fail }
workloads: { rtt: { ping: { from: a, to: b, every: 10ms, count: 80, timeout: 100ms } } }
expect: [wire.toward.b.dropped.loss > 0]
",
    ) else {
        return;
    };
    if !has("unshare") || !has("mount") {
        return;
    }
    // one page for captures; the rest of the directory is not full
    let script = "mkdir -p out/captures; mount -t tmpfs -o size=4k none out/captures; \
                  exec \"$0\" run scenario.yaml --json - --out out --force";
    let own = if nix::unistd::geteuid().is_root() { "-m" } else { "-rm" };
    let longwire = env!("CARGO_BIN_EXE_longwire");
    let ended = lab.start(lab.other("unshare", &[own, "sh", "-ec", script, longwire])).wait();
    let report: Value = serde_json::from_str(&ended.stdout).expect("a report");
    assert!(matches!(ended.code, 3 | 4), "{}", ended.told());
    assert!(report["workloads"]["rtt"]["received"].as_u64() > Some(0), "{:#}", report["workloads"]);
    let reason = report["captures"][0]["reason"].as_str().expect("a reason");
    assert!(reason.contains("could not be written: No space left"), "{reason}");
    let unwritten = report["unwritten"].to_string();
    assert!(unwritten.contains("the capture of `wire`: it could not be written"), "{unwritten}");
    assert!(lab.read("out/report.txt").contains("could not be written"));
}
