//! What workloads measured, in a line or two each.

use std::fmt::Write;

use super::json::WorkloadReport;
use super::network::counted;
use super::terminal::{four_digits, grouped, rate, share, spread, time};
use crate::measured::{
    Gap, Measured, Part, Ping, ProgramValues, TcpInfo, TcpReceive, TcpSend, Transfer, UdpReceive, UdpSend, ValueUnit,
};

/// From this share of its busy time on, a socket buffer is said to have held a connection up.
const HELD_UP: f64 = 0.1;

/// What a workload measured, in a line or two.
pub(crate) fn results(work: &WorkloadReport) -> Vec<String> {
    let mut lines = match &work.measured {
        Measured::Program(program) => values(program).into_iter().collect(),
        Measured::Ping(ping) => ping.iter().map(|ping| round_trips(ping)).collect(),
        Measured::Udp(udp) => datagrams(udp),
        Measured::Tcp(tcp) => connection(tcp),
    };
    lines.extend(work.measured.gap().and_then(silence));
    lines
}

/// The longest silence: `longest silence 3.02 s, from 1.01 s on`.
fn silence(gap: Gap) -> Option<String> {
    let Gap { from_ns, max_ns, .. } = gap;
    (max_ns > 0).then(|| format!("longest silence {}, from {} s on", time(max_ns), four_digits(from_ns as f64 / 1e9)))
}

/// Numbers from a program's output, as it printed them: `freeze 12 ms, took 48 ms`.
fn values(program: &ProgramValues) -> Option<String> {
    let unit = |name: &String| match program.value_units.as_ref().and_then(|units| units.get(name)) {
        None | Some(ValueUnit::None | ValueUnit::Count) => String::new(),
        Some(ValueUnit::Of(unit)) if unit.name() == "fraction" => String::new(),
        Some(unit) => format!(" {unit}"),
    };
    let one = |(name, value): (&String, &f64)| format!("{name} {value}{}", unit(name));
    let values = program.values.as_ref().filter(|values| !values.is_empty())?;
    Some(values.iter().map(one).collect::<Vec<_>>().join(", "))
}

fn round_trips(ping: &Ping) -> String {
    let mut line = format!("{} of {} answered", grouped(ping.received), grouped(ping.sent));
    if let Some(rtt) = &ping.rtt_ns {
        let _ = write!(line, ", round trip {}", spread(rtt));
    }
    line
}

fn datagrams(udp: &Transfer<UdpSend, UdpReceive>) -> Vec<String> {
    let (Some(sender), Some(receiver)) = (&udp.sender, &udp.receiver) else { return Vec::new() };
    let UdpReceive { unique, inside, .. } = *receiver;
    let on_time = sender.sent.saturating_sub(inside);
    let mut line = format!(
        "{} of {} datagrams arrived, lost {}",
        grouped(unique),
        grouped(sender.sent),
        share(on_time.saturating_sub(unique), on_time)
    );
    if inside > 0 {
        let _ = write!(line, ", {} still on their way", grouped(inside));
    }
    if let Some(bps) = receiver.throughput_bps {
        let _ = write!(line, ", {}", rate(bps));
    }
    if let Some(delay) = &receiver.delay_ns {
        let _ = write!(line, ", one way {}", spread(delay));
    }
    let jitter = receiver.jitter_ns.as_ref().and_then(|jitter| jitter.get(Part::Last));
    let jitter = jitter.map(|jitter| format!("jitter {} (RFC 3550)", time(jitter)));
    let counts = counted([
        (receiver.duplicates, "duplicates"),
        (receiver.reordered, "reordered"),
        (receiver.socket_dropped.unwrap_or(0), "dropped by the receiver's own socket"),
    ]);
    let more: Vec<String> = jitter.into_iter().chain(counts).collect();
    [line].into_iter().chain((!more.is_empty()).then(|| more.join(", "))).collect()
}

fn connection(tcp: &Transfer<TcpSend, TcpReceive>) -> Vec<String> {
    let Some(receiver) = &tcp.receiver else { return Vec::new() };
    let mut line = format!("{} bytes", grouped(receiver.bytes));
    if let Some(bps) = receiver.goodput_bps {
        let _ = write!(line, ", goodput {}", rate(bps));
    }
    let info = tcp.sender.as_ref().and_then(|sender| sender.tcp);
    if let Some(TcpInfo { retransmits, rtt_ns, .. }) = info {
        let _ = write!(line, ", {} retransmissions, srtt {}", grouped(retransmits), time(rtt_ns));
    }
    let limit = info.as_ref().and_then(held_up);
    let limit = limit.map(|(what, share)| format!("{what} was the limit {} % of the time", (share * 100.0).round()));
    [line].into_iter().chain(limit).collect()
}

/// What held a TCP connection up other than the network, as its sender's kernel says: which buffer, and the share of the time with
/// data outstanding.
pub(crate) fn held_up(tcp: &TcpInfo) -> Option<(&'static str, f64)> {
    let limits = [
        ("the receiver's window", tcp.receive_window_limited_ns),
        ("the sender's socket buffer", tcp.send_buffer_limited_ns),
    ];
    let (what, limited) = limits.into_iter().max_by_key(|(_, ns)| *ns)?;
    let share = limited as f64 / tcp.busy_ns as f64;
    (tcp.busy_ns > 0 && share >= HELD_UP).then(|| (what, share.min(1.0)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::report::testing;

    fn lines(kind: &'static str, results: Value) -> Vec<String> {
        super::results(&testing::work(kind, "a → b", results))
    }

    #[test]
    fn what_was_measured_is_in_a_line_or_two() {
        let gap = json!({ "max_ns": 3_020_000_000u64, "from_ns": 1_010_000_000, "to_ns": 4_030_000_000u64 });
        let ping = json!({ "sent": 10, "received": 7, "gap": gap });
        let tcp = |busy: u64, window: u64, buffer: u64| {
            json!({ "receiver": { "bytes": 5_000 }, "sender": { "tcp": { "busy_ns": busy,
                "receive_window_limited_ns": window, "send_buffer_limited_ns": buffer } } })
        };
        let values = json!({ "values": { "freeze": 12, "frames": 250, "took": 48 },
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
        5,000 bytes, 0 retransmissions, srtt 0 ns
        the sender's socket buffer was the limit 83 % of the time
        5,000 bytes, 0 retransmissions, srtt 0 ns
        the receiver's window was the limit 50 % of the time
        5,000 bytes, 0 retransmissions, srtt 0 ns
        5,000 bytes, 0 retransmissions, srtt 0 ns
        frames 250, freeze 12 ms, took 48 s
        ");
    }
}
