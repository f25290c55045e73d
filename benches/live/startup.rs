//! Section 5: how long it takes until a network of so many hosts runs.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::emulator;
use super::job::Stop;
use super::options::Options;
use super::statistics::Spread;
use super::table::{Table, spread};

/// What one start may take.
const LIMIT: Duration = Duration::from_secs(120);

/// One start: until the first program runs in a host, and until everything is gone again, in ns.
#[derive(Clone, Copy, serde::Serialize)]
struct Start {
    ready_ns: u64,
    gone_ns: u64,
}

/// Measures, and makes the table. What went wrong is counted.
pub(crate) fn run(options: &Options) -> (Table, Value, usize) {
    let counts: &[usize] = if options.quick { &[2, 10] } else { &[2, 10, 50, 200] };
    let mut starts: Vec<Vec<Start>> = vec![Vec::new(); counts.len()];
    let mut failures = 0;
    for round in 1..=options.repeat() {
        for (&hosts, starts) in counts.iter().zip(&mut starts) {
            eprintln!("startup {round}/{}: {hosts} hosts", options.repeat());
            match start(hosts) {
                Ok(start) => starts.push(start),
                Err(why) => {
                    failures += 1;
                    eprintln!("  failed: {why}");
                }
            }
        }
    }
    let rows = counts.iter().zip(&starts).map(|(&hosts, starts)| {
        let of = |what: fn(&Start) -> u64| Spread::of(starts.iter().map(|start| what(start) as f64));
        let per_host = of(|start| start.ready_ns).map(|s| format!("{:.2}", s.median / 1e6 / hosts as f64));
        vec![
            hosts.to_string(),
            spread(of(|start| start.ready_ns), 1e6, 1),
            per_host.unwrap_or("—".into()),
            spread(of(|start| start.gone_ns), 1e6, 1),
        ]
    });
    let table = Table {
        title: "Start-up by number of hosts".into(),
        note:
            "All hosts on one switch. Until the first program runs in a host (all hosts, addresses and links are there \
               by then), by the clock, from before longwire is executed; and until longwire has ended and all is gone."
                .into(),
        head: vec!["hosts", "until the first program, ms (min–max)", "ms per host", "whole run, ms (min–max)"],
        rows: rows.collect(),
    };
    let json = counts.iter().zip(&starts).map(|(hosts, starts)| json!({ "hosts": hosts, "repetitions": starts }));
    (table, json.collect(), failures)
}

fn start(hosts: usize) -> Result<Start, Stop> {
    let name = |n: usize| format!("h{n}");
    let mut nodes: Map<String, Value> = (0..hosts).map(|n| (name(n), "host".into())).collect();
    nodes.insert("sw".into(), "switch".into());
    let links: Map<String, Value> = (0..hosts).map(|n| (format!("l{n}"), json!({ "ends": [name(n), "sw"] }))).collect();
    let scenario = json!({
        "longwire": 1,
        "name": "start-up",
        "nodes": nodes,
        "links": links,
        "workloads": { "clock": { "in": name(0), "command": super::part("clock", &())?, "root": true } },
    });
    let begun = monotonic_ns()?;
    let run = emulator::run(&scenario, LIMIT)?;
    let lines = run.report["workloads"]["clock"]["output"].as_array().cloned().unwrap_or_default();
    let ran: Option<u64> = lines.iter().filter_map(Value::as_str).find_map(|line| line.parse().ok());
    let ran = ran.ok_or_else(|| Stop::Failed(format!("the program in a host said: {lines:?}")))?;
    Ok(Start { ready_ns: ran.saturating_sub(begun), gone_ns: run.wall.as_nanos() as u64 })
}

/// The clock that all processes of a machine share.
pub(crate) fn monotonic_ns() -> Result<u64, Stop> {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).map_err(Stop::at("reading the clock"))?;
    Ok(now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64)
}
