//! Standing queues: what a ping waits beside a bulk transfer.

use super::sim;

pub(crate) fn run(quick: bool) -> Result<(), String> {
    let time = if quick { 10 } else { 60 };
    println!(
        "\n## Standing queues\n\nA ping each 50 ms beside one CUBIC flow, 10 Mbit/s, RTT 20 ms: what it takes beyond an idle link, and the flow's goodput.\n"
    );
    println!("| queue | p50 | p90 | p99 | goodput |\n|---|---|---|---|---|");
    let queues = ["fifo: { time: 200ms }", "codel", "fq_codel", "pie"];
    let runs: Vec<_> = queues
        .iter()
        .map(|queue| {
            let queue = if queue.contains(':') { format!("{{ {queue} }}") } else { (*queue).to_owned() };
            let scenario = format!(
                "longwire: 1\nnodes: {{ a: host, b: host }}\n\
                 links: {{ wire: {{ ends: [a, b], rtt: 20ms, rate: 10Mbit, queue: {queue} }} }}\nworkloads:\n  \
                 t: {{ tcp: {{ from: a, to: b, for: {}s, congestion: cubic }} }}\n  p: {{ at: 3s, ping: {{ from: a, to: b, every: 50ms, for: {}s }} }}\n",
                time - 1,
                time - 5
            );
            (scenario, 1)
        })
        .collect();
    for (queue, report) in queues.iter().zip(sim::all(&runs)?) {
        // 98 bytes at 10 Mbit/s, there and back
        let idle = 20e6 + 2.0 * 98.0 * 8.0 * 100.0;
        let rtt = &report["workloads"]["p"]["rtt_ns"];
        let wait = |key: &str| rtt[key].as_f64().map_or(f64::NAN, |ns| (ns - idle) / 1e6);
        let goodput = report["workloads"]["t"]["receiver"]["goodput_bps"].as_f64().unwrap_or(f64::NAN) / 1e6;
        println!(
            "| {} | {:.2} ms | {:.2} ms | {:.2} ms | {goodput:.2} Mbit/s |",
            queue.split(':').next().unwrap_or(queue),
            wait("p50"),
            wait("p90"),
            wait("p99")
        );
    }
    Ok(())
}
