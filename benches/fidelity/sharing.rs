//! How flows share a bottleneck: Jain's index, (Σx)² / (n · Σx²), 1 where all get the same (RFC 5166 §2.3).

use serde_json::Value;

use super::sim;

const FLOWS: usize = 4;

pub(crate) fn run(quick: bool) -> Result<(), String> {
    let time = if quick { 10 } else { 120 };
    println!(
        "\n## Fairness\n\n{FLOWS} flows over 20 Mbit/s, {time} s.\n\n| congestion control | queue | RTTs | goodputs in Mbit/s | Jain's index |\n|---|---|---|---|---|"
    );
    let cells = [
        ("reno", "fifo: { time: 100ms }", [40; FLOWS]),
        ("cubic", "fifo: { time: 100ms }", [40; FLOWS]),
        ("bbr", "fifo: { time: 100ms }", [40; FLOWS]),
        ("cubic", "fifo: { time: 100ms }", [20, 40, 80, 160]),
        ("cubic", "fq_codel", [20, 40, 80, 160]),
    ];
    let runs: Vec<_> =
        cells.iter().map(|(congestion, queue, rtts)| (scenario(congestion, queue, rtts, time), 1)).collect();
    for ((congestion, queue, rtts), report) in cells.iter().zip(sim::all(&runs)?) {
        let goodputs: Vec<f64> = (0..FLOWS).map(|n| goodput(&report, n)).collect();
        let sum: f64 = goodputs.iter().sum();
        let index = sum * sum / (FLOWS as f64 * goodputs.iter().map(|x| x * x).sum::<f64>());
        let listed: Vec<String> = goodputs.iter().map(|x| format!("{x:.2}")).collect();
        let equal = rtts.iter().all(|rtt| *rtt == rtts[0]);
        let told = if equal { format!("{} ms", rtts[0]) } else { rtts.map(|rtt| rtt.to_string()).join(", ") + " ms" };
        let queue = queue.split(':').next().unwrap_or(queue);
        println!("| {congestion} | {queue} | {told} | {} | {index:.3} |", listed.join(", "));
    }
    Ok(())
}

/// Senders behind links of their own on one side of the bottleneck, the receiver on the other.
fn scenario(congestion: &str, queue: &str, rtts: &[u64; FLOWS], time: u64) -> String {
    let mut text = "longwire: 1\nnodes:\n  left: switch\n  right: switch\n  server: host\n".to_owned();
    for n in 0..FLOWS {
        text += &format!("  s{n}: host\n");
    }
    text += &format!("links:\n  bottleneck: {{ ends: [left, right], rate: 20Mbit, queue: {{ {queue} }} }}\n  far: {{ ends: [right, server] }}\n")
        .replace("{ fq_codel }", "fq_codel");
    for (n, rtt) in rtts.iter().enumerate() {
        text += &format!("  l{n}: {{ ends: [s{n}, left], rtt: {rtt}ms }}\n");
    }
    text += "workloads:\n";
    for n in 0..FLOWS {
        text += &format!("  t{n}: {{ tcp: {{ from: s{n}, to: server, for: {time}s, congestion: {congestion} }} }}\n");
    }
    text
}

fn goodput(report: &Value, flow: usize) -> f64 {
    report["workloads"][format!("t{flow}")]["receiver"]["goodput_bps"].as_f64().unwrap_or(f64::NAN) / 1e6
}
