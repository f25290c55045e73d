//! One-way delay of datagrams on an idle link.

use super::sim;

pub(crate) fn run(quick: bool) -> Result<(), String> {
    let count = if quick { 100 } else { 2_000 };
    println!("\n## One-way delay\n\n| asked | min | p50 | p99 | max | largest error |\n|---|---|---|---|---|---|");
    let asked = [1_000_u64, 10_000, 100_000];
    let runs: Vec<(String, u64)> = asked
        .iter()
        .map(|us| {
            let scenario = format!(
                "longwire: 1\nnodes: {{ a: host, b: host }}\nlinks: {{ wire: {{ ends: [a, b], delay: {us}us }} }}\n\
                 workloads: {{ u: {{ udp: {{ from: a, to: b, every: 5ms, size: 200B, count: {count} }} }} }}\n"
            );
            (scenario, 1)
        })
        .collect();
    for (us, report) in asked.iter().zip(sim::all(&runs)?) {
        let delay = &report["workloads"]["u"]["receiver"]["delay_ns"];
        let at = |key: &str| delay[key].as_u64().map_or(f64::NAN, |ns| ns as f64 / 1e3);
        let error = (at("max") - *us as f64).max(*us as f64 - at("min"));
        println!(
            "| {} ms | {:.3} µs | {:.3} µs | {:.3} µs | {:.3} µs | {error:.3} µs |",
            us / 1000,
            at("min"),
            at("p50"),
            at("p99"),
            at("max")
        );
    }
    Ok(())
}
