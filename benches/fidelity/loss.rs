//! TCP under random loss: Reno against Mathis et al. (1997), CUBIC against RFC 9438 §5.1, BBR against the link.

use serde_json::Value;

use super::sim::{self, median};

const RTTS_MS: [u64; 3] = [20, 50, 100];
/// Loss in hundredths of a percent.
const LOSSES: [u64; 4] = [10, 50, 100, 200];
/// What a full segment carries, in bits.
const SEGMENT: f64 = 1448.0 * 8.0;

/// Mean window in segments: √(3/2p). Linux counts what is acknowledged, so delayed acknowledgements change nothing.
fn mathis(p: f64) -> f64 {
    (1.5 / p).sqrt()
}

/// RFC 9438 §5.1 with C = 0.4 and β = 0.7: 1.054 · (RTT/p)^¾ segments; where that is less than Reno's, CUBIC goes with Reno (§4.3).
fn cubic(p: f64, rtt: f64) -> f64 {
    (1.054 * (rtt / p).powf(0.75)).max(mathis(p))
}

/// Far more than any window here.
const SOCKBUF: &str = "16MB";
/// Enough as well: after its time a sender waits until all that it wrote has arrived, which takes minutes by the machine's clock where a
/// buffer of 16 MB is full at 1 Mbit/s.
const SOCKBUF_LIVE: &str = "1MB";

fn scenario(congestion: &str, rtt_ms: u64, loss: u64, rate: &str, seconds: u64, sockbuf: &str) -> String {
    format!(
        "longwire: 1\nnodes: {{ a: host, b: host }}\nlinks:\n  wire:\n    ends: [a, b]\n    rtt: {rtt_ms}ms\n    rate: {rate}\n    \
         queue: {{ fifo: {{ time: 1s }} }}\n    toward: {{ b: {{ loss: {}ppm }} }}\n\
         workloads: {{ t: {{ tcp: {{ from: a, to: b, for: {seconds}s, congestion: {congestion}, sockbuf: {sockbuf} }} }} }}\n",
        loss * 100
    )
}

fn goodput(report: &Value) -> f64 {
    report["workloads"]["t"]["receiver"]["goodput_bps"].as_f64().unwrap_or(f64::NAN) / 1e6
}

/// Long enough for some hundred losses.
fn seconds(rtt_ms: u64, loss: u64, quick: bool) -> u64 {
    let p = loss as f64 / 1e4;
    let losses = if quick { 30.0 } else { 150.0 };
    let rtt = rtt_ms as f64 / 1e3;
    (losses / p / cubic(p, rtt) * rtt).ceil().clamp(10.0, 600.0) as u64
}

pub(crate) fn run(quick: bool) -> Result<(), String> {
    let seeds: u64 = if quick { 1 } else { 3 };
    for (name, title) in [("reno", "Reno against Mathis"), ("cubic", "CUBIC against RFC 9438")] {
        println!("\n## {title}\n\nMbit/s, median of {seeds}; in brackets the quotient of measured and expected.\n");
        println!("| RTT | p = 0.1 % | 0.5 % | 1 % | 2 % |\n|---|---|---|---|---|");
        let mut runs = Vec::new();
        for rtt in RTTS_MS {
            for loss in LOSSES {
                for seed in 1..=seeds {
                    runs.push((scenario(name, rtt, loss, "1Gbit", seconds(rtt, loss, quick), SOCKBUF), seed));
                }
            }
        }
        let reports = sim::all(&runs)?;
        for (rtt, row) in RTTS_MS.iter().zip(reports.chunks(LOSSES.len() * seeds as usize)) {
            let cells = LOSSES.iter().zip(row.chunks(seeds as usize)).map(|(loss, reports)| {
                let (p, seconds) = (*loss as f64 / 1e4, *rtt as f64 / 1e3);
                let window = if name == "reno" { mathis(p) } else { cubic(p, seconds) };
                let expected = window * SEGMENT / seconds / 1e6;
                let measured = median(reports.iter().map(goodput));
                format!(" {measured:.2} of {expected:.2} ({:.2}) |", measured / expected)
            });
            println!("| {rtt} ms |{}", cells.collect::<String>());
        }
    }
    Ok(())
}

pub(crate) fn bbr(quick: bool) -> Result<(), String> {
    let time = if quick { 10 } else { 60 };
    println!(
        "\n## BBR under loss\n\n20 Mbit/s, RTT 40 ms.\n\n| loss | goodput | link · (1 − p) | quotient |\n|---|---|---|---|"
    );
    let losses = [100, 500];
    let runs: Vec<_> = losses.iter().map(|loss| (scenario("bbr", 40, *loss, "20Mbit", time, SOCKBUF), 1)).collect();
    for (loss, report) in losses.iter().zip(sim::all(&runs)?) {
        // of each frame of 1514 bytes 1448 are payload
        let expected = 20.0 * 1448.0 / 1514.0 * (1.0 - *loss as f64 / 1e4);
        let measured = goodput(&report);
        println!("| {} % | {measured:.2} Mbit/s | {expected:.2} Mbit/s | {:.3} |", loss / 100, measured / expected);
    }
    Ok(())
}

/// Six cells against the machine's clock, beside the same in virtual time.
pub(crate) fn live(quick: bool) -> Result<(), String> {
    println!("\n## Six cells live\n\n| cell | live | virtual | quotient |\n|---|---|---|---|");
    for (congestion, rtt, loss) in [
        ("reno", 20, 100),
        ("reno", 50, 100),
        ("reno", 100, 200),
        ("cubic", 20, 100),
        ("cubic", 50, 200),
        ("cubic", 100, 100),
    ] {
        let scenario = scenario(congestion, rtt, loss, "1Gbit", seconds(rtt, loss, quick), SOCKBUF_LIVE);
        let live = goodput(&sim::run("run", &scenario, 1, None)?);
        let virtually = goodput(&sim::run("sim", &scenario, 1, None)?);
        println!(
            "| {congestion}, {rtt} ms, {} % | {live:.2} Mbit/s | {virtually:.2} Mbit/s | {:.2} |",
            loss as f64 / 100.0,
            live / virtually
        );
    }
    Ok(())
}
