//! One measurement through longwire itself: its own program, a scenario on its standard input, its JSON report.

use std::process::Command;
use std::time::Duration;

use longwire::measured::{UdpReceive, UdpSend};
use longwire::workload::job::Pace;
use serde_json::{Map, Value, json};

use super::child;
use super::hosts::{ADDRESSES, NAMES};
use super::job::{Measured, Stop, Traffic};
use super::tcp::{self, Received};
use super::udp;

/// Exit code of a run that says INVALID.
const INVALID: i32 = 3;

/// What a run of longwire left.
pub(crate) struct Run {
    /// Its JSON report.
    pub(crate) report: Value,
    /// Processor time of its busiest thread: the one that carries the frames.
    pub(crate) cpu_ns: Option<u64>,
    /// From its start to its end, everything taken down.
    pub(crate) wall: Duration,
}

/// Runs a scenario to its end.
pub(crate) fn run(scenario: &Value, limit: Duration) -> Result<Run, Stop> {
    let command = command(&["run", "/dev/stdin", "--json", "-"]);
    // YAML holds JSON, so this is a scenario file.
    let ended = child::run(command, &scenario.to_string(), limit, true)?;
    match ended.code {
        Some(0 | INVALID) => {}
        code => {
            let lines: Vec<&str> =
                ended.output.lines().filter(|line| line.contains("\"reason\"")).map(str::trim).collect();
            return Err(Stop::Failed(format!("longwire ended with {code:?} {}", lines.join(" "))));
        }
    }
    let report = serde_json::from_str(&ended.output).map_err(Stop::at("reading longwire's report"))?;
    Ok(Run { report, cpu_ns: ended.cpu_ns, wall: ended.wall })
}

/// longwire with these arguments, tied to this process.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = super::own_program();
    command.args(["--part", "longwire", "--job", &json!([std::process::id(), arguments]).to_string()]);
    command
}

/// Becomes longwire with these arguments, tied to the process `parent`.
pub(crate) fn become_longwire(program: &str, (parent, arguments): (u32, Vec<String>)) -> Result<(), Stop> {
    use std::os::unix::process::CommandExt;
    child::end_with(parent)?;
    let error = Command::new(program).args(arguments).exec();
    Err(Stop::at(&format!("executing {program}"))(error))
}

/// Measures one traffic over one link.
pub(crate) fn measure(link: &Value, traffic: &Traffic, limit: Duration) -> Result<Measured, Stop> {
    let run = run(&scenario(link, traffic)?, limit)?;
    let report = &run.report;
    let measured = match traffic {
        Traffic::Tcp(_) => {
            let lines = report["workloads"]["receive"]["output"].as_array().cloned().unwrap_or_default();
            let received: Option<Received> =
                lines.iter().filter_map(Value::as_str).find_map(|line| serde_json::from_str(line).ok());
            let received = received.ok_or_else(|| Stop::Failed(format!("the receiver said: {lines:?}")))?;
            Measured { goodput_bps: Some(received.goodput_bps()), ..Measured::default() }
        }
        Traffic::Udp(_) => {
            let part = |name: &str| report["workloads"]["flow"][name].clone();
            let sent: UdpSend =
                serde_json::from_value(part("sender")).map_err(Stop::at("reading the sender's report"))?;
            let received: UdpReceive =
                serde_json::from_value(part("receiver")).map_err(Stop::at("reading the receiver's report"))?;
            udp::measured(&sent, &received)
        }
    };
    let ports = || report["ports"].as_array().into_iter().flatten();
    let reasons = report["validity"]["reasons"].as_array().into_iter().flatten();
    Ok(Measured {
        cpu_ns: run.cpu_ns,
        frames: Some(ports().filter_map(|port| port["received"].as_u64()).sum()),
        ring_drops: Some(ports().filter_map(|port| port["ring_drops"].as_u64()).sum()),
        invalid: reasons.filter_map(Value::as_str).map(String::from).collect(),
        ..measured
    })
}

/// Two hosts, one link, one traffic.
fn scenario(link: &Value, traffic: &Traffic) -> Result<Value, Stop> {
    let [from, to] = NAMES;
    let mut wire: Map<String, Value> = link.as_object().cloned().unwrap_or_default();
    wire.insert("ends".into(), json!(NAMES));
    let workloads = match traffic {
        Traffic::Tcp(flow) => {
            let [sender, receiver] = tcp::ends(ADDRESSES[1], flow);
            json!({
                "receive": { "in": to, "command": super::part("tcp", &receiver)?, "root": true },
                "send": { "in": from, "command": super::part("tcp", &sender)?, "root": true },
            })
        }
        Traffic::Udp(flow) => {
            let mut udp = json!({
                "from": from, "to": to,
                "size": format!("{}B", flow.size),
                "for": format!("{}ns", flow.span_ns),
                "linger": format!("{}ns", flow.linger_ns),
            });
            match flow.pace {
                Pace::EveryNs(ns) => udp["every"] = format!("{ns}ns").into(),
                Pace::RateBps(bps) => udp["rate"] = format!("{bps}bit").into(),
            }
            json!({ "flow": { "at": format!("{}ns", flow.wait_ns), "udp": udp } })
        }
    };
    let host = |n: usize| json!({ "host": { "addresses": [format!("{}/24", ADDRESSES[n])] } });
    Ok(json!({
        "longwire": 1,
        "name": "benchmark",
        "nodes": { from: host(0), to: host(1) },
        "links": { "wire": wire },
        "workloads": workloads,
    }))
}
