//! What workloads measured, in a line or two each.

use std::fmt::Write;

use serde_json::Value;

use super::json::{Percentiles, Work};
use super::terminal::{four_digits, grouped, rate, share, spread, time};

/// From this share of its busy time on, a socket buffer is said to have held a connection up.
const HELD_UP: f64 = 0.1;

/// What a workload measured, in a line or two.
pub(crate) fn results(work: &Work) -> Vec<String> {
    let mut lines = measured(work);
    lines.extend(values(work));
    lines.extend(silence(work));
    lines
}

/// The longest silence: `longest silence 3.02 s, from 1.01 s on`.
fn silence(work: &Work) -> Option<String> {
    let gap = work.results.get("gap")?;
    let (max, from) = (gap.get("max_ns")?.as_u64()?, gap.get("from_ns")?.as_i64()?);
    (max > 0).then(|| format!("longest silence {}, from {} s on", time(max), four_digits(from as f64 / 1e9)))
}

/// Numbers from a program's output, as it printed them: `freeze 12 ms, took 48 ms`.
fn values(work: &Work) -> Option<String> {
    let values = work.results.get("values")?.as_object()?;
    let unit = |name: &str| match work.results.get("value_units").and_then(|units| units.get(name)?.as_str()) {
        None | Some("none" | "count" | "fraction") => String::new(),
        Some(unit) => format!(" {unit}"),
    };
    let one = |(name, value): (&String, &Value)| match value.as_f64() {
        Some(number) => format!("{name} {number}{}", unit(name)),
        None => format!("{name} –"),
    };
    (!values.is_empty()).then(|| values.iter().map(one).collect::<Vec<_>>().join(", "))
}

/// What held a TCP connection up other than the network, as its sender's kernel says: which buffer, and the share of the time with
/// data outstanding.
pub(crate) fn held_up(work: &Work) -> Option<(&'static str, f64)> {
    let tcp = work.results.get("sender")?.get("tcp")?;
    let ns = |name: &str| tcp.get(name).and_then(Value::as_u64).unwrap_or(0) as f64;
    let busy = ns("busy_ns");
    let limits = [
        ("the receiver's window", ns("receive_window_limited_ns")),
        ("the sender's socket buffer", ns("send_buffer_limited_ns")),
    ];
    let (what, time) = limits.into_iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
    (busy > 0.0 && time / busy >= HELD_UP).then(|| (what, (time / busy).min(1.0)))
}

fn measured(work: &Work) -> Vec<String> {
    let field = |path: &[&str]| {
        let first = work.results.get(path[0])?;
        path[1..].iter().try_fold(first, |value, key| value.get(key))
    };
    let number = |path: &[&str]| field(path).and_then(Value::as_u64);
    let times = |path: &[&str]| field(path).and_then(percentiles).map(|p| spread(&p));
    match work.kind.as_ref() {
        "ping" => {
            let (Some(sent), Some(received)) = (number(&["sent"]), number(&["received"])) else { return Vec::new() };
            let mut line = format!("{} of {} answered", grouped(received), grouped(sent));
            if let Some(rtt) = times(&["rtt_ns"]) {
                let _ = write!(line, ", round trip {rtt}");
            }
            vec![line]
        }
        "udp" => {
            let (Some(sent), Some(unique)) = (number(&["sender", "sent"]), number(&["receiver", "unique"])) else {
                return Vec::new();
            };
            let inside = number(&["receiver", "inside"]).unwrap_or(0);
            let lost = sent.saturating_sub(unique).saturating_sub(inside);
            let mut line = format!(
                "{} of {} datagrams arrived, lost {}",
                grouped(unique),
                grouped(sent),
                share(lost, sent.saturating_sub(inside))
            );
            if inside > 0 {
                let _ = write!(line, ", {} still on their way", grouped(inside));
            }
            if let Some(bps) = number(&["receiver", "throughput_bps"]) {
                let _ = write!(line, ", {}", rate(bps));
            }
            if let Some(delay) = times(&["receiver", "delay_ns"]) {
                let _ = write!(line, ", one way {delay}");
            }
            let mut lines = vec![line];
            let mut more = Vec::new();
            if let Some(jitter) = number(&["receiver", "jitter_ns", "last"]) {
                more.push(format!("jitter {} (RFC 3550)", time(jitter)));
            }
            for (key, word) in [
                ("duplicates", "duplicates"),
                ("reordered", "reordered"),
                ("socket_dropped", "dropped by the receiver's own socket"),
            ] {
                if let Some(n) = number(&["receiver", key]).filter(|n| *n > 0) {
                    more.push(format!("{word} {}", grouped(n)));
                }
            }
            if !more.is_empty() {
                lines.push(more.join(", "));
            }
            lines
        }
        "tcp" => {
            let Some(bytes) = number(&["receiver", "bytes"]) else { return Vec::new() };
            let mut line = format!("{} bytes", grouped(bytes));
            if let Some(bps) = number(&["receiver", "goodput_bps"]) {
                let _ = write!(line, ", goodput {}", rate(bps));
            }
            if let Some(n) = number(&["sender", "tcp", "retransmits"]) {
                let _ = write!(line, ", {} segments sent again", grouped(n));
            }
            if let Some(rtt) = number(&["sender", "tcp", "rtt_ns"]) {
                let _ = write!(line, ", smoothed round trip {}", time(rtt));
            }
            let limit = held_up(work);
            let limit =
                limit.map(|(what, share)| format!("{what} was the limit {} % of the time", (share * 100.0).round()));
            [line].into_iter().chain(limit).collect()
        }
        _ => Vec::new(),
    }
}

pub(crate) fn percentiles(value: &Value) -> Option<Percentiles> {
    let at = |key: &str| value.get(key)?.as_u64();
    Some(Percentiles {
        min: at("min")?,
        p50: at("p50")?,
        p90: at("p90")?,
        p99: at("p99")?,
        p999: at("p999")?,
        max: at("max")?,
        mean: at("mean")?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lines(kind: &'static str, results: Value) -> Vec<String> {
        super::results(&Work {
            kind: kind.into(),
            place: "a → b".into(),
            ok: true,
            reason: None,
            started_ns: Some(0),
            ended_ns: Some(1),
            exit: None,
            output: Vec::new(),
            results: serde_json::from_value(results).unwrap(),
        })
    }

    #[test]
    fn what_was_measured_is_in_a_line_or_two() {
        let gap = json!({ "max_ns": 3_020_000_000u64, "from_ns": 1_010_000_000, "to_ns": 4_030_000_000u64 });
        let ping = json!({ "sent": 10, "received": 7, "gap": gap });
        let tcp = |busy: u64, window: u64, buffer: u64| {
            json!({ "receiver": { "bytes": 5_000 }, "sender": { "tcp": { "busy_ns": busy,
                "receive_window_limited_ns": window, "send_buffer_limited_ns": buffer } } })
        };
        let values = json!({ "values": { "freeze": 12, "frames": 250, "took": null },
            "value_units": { "freeze": "ms", "frames": "count", "took": "s" } });
        let all = [
            lines("ping", ping),
            lines("tcp", tcp(1_000, 20, 830)),
            lines("tcp", tcp(1_000, 500, 30)),
            lines("tcp", tcp(1_000, 20, 99)),
            lines("tcp", tcp(0, 0, 0)),
            lines("shell", values),
        ];
        insta::assert_snapshot!(all.map(|lines| lines.join("\n")).join("\n"), @r"
        7 of 10 answered
        longest silence 3.02 s, from 1.01 s on
        5,000 bytes
        the sender's socket buffer was the limit 83 % of the time
        5,000 bytes
        the receiver's window was the limit 50 % of the time
        5,000 bytes
        5,000 bytes
        frames 250, freeze 12 ms, took –
        ");
    }
}
