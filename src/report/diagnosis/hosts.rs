//! What held a workload up that was not the network: the windows and buffers of its own hosts, and what their kernels refused.

use std::collections::BTreeMap;

use crate::measured::{Measured, TcpInfo, TcpReceive};
use crate::report::json::{Report, WorkloadReport};
use crate::report::measured::held_up;
use crate::report::terminal::{four_digits, grouped, percent, rate, time};

/// What a window lets through explains a goodput that is no further from it than this share.
const NEAR: f64 = 0.25;

pub(super) fn sentences(report: &Report) -> Vec<String> {
    report.workloads.iter().flat_map(|(name, work)| of(name, work)).collect()
}

fn of(name: &str, work: &WorkloadReport) -> Vec<String> {
    match &work.measured {
        Measured::Program(_) | Measured::Ping(None) => Vec::new(),
        Measured::Ping(Some(ping)) => refused(name, ping.unsent, "requests", &ping.errors).into_iter().collect(),
        Measured::Udp(udp) => {
            let refused = udp.sender.as_ref().and_then(|s| refused(name, s.unsent, "datagrams", &s.errors));
            let dropped = udp.receiver.as_ref().and_then(|receiver| receiver.socket_dropped).filter(|n| *n > 0);
            let dropped = dropped.map(|n| {
                format!(
                    "{} datagrams of `{name}` were dropped by its receiver's own socket, not by the network",
                    grouped(n)
                )
            });
            refused.into_iter().chain(dropped).collect()
        }
        Measured::Tcp(tcp) => {
            let info = tcp.sender.as_ref().and_then(|sender| sender.tcp);
            info.and_then(|info| buffer(name, &info, tcp.receiver.as_ref())).into_iter().collect()
        }
    }
}

fn refused(name: &str, unsent: u64, what: &str, errors: &BTreeMap<String, u64>) -> Option<String> {
    let why: Vec<&str> = errors.keys().map(String::as_str).collect();
    let why = if why.is_empty() { String::new() } else { format!(": {}", why.join(", ")) };
    (unsent > 0).then(|| format!("{} {what} of `{name}` never left its own host{why}", grouped(unsent)))
}

/// A connection that a socket buffer held up was not held up by the network.
fn buffer(name: &str, info: &TcpInfo, receiver: Option<&TcpReceive>) -> Option<String> {
    let (what, share) = held_up(info)?;
    let window = info.receiver_window.filter(|_| info.receive_window_limited_ns > info.send_buffer_limited_ns);
    let goodput = receiver.and_then(|receiver| receiver.goodput_bps);
    let sum = window.zip(goodput).and_then(|(window, goodput)| arithmetic(window, info.rtt_ns, goodput));
    Some(format!(
        "`{name}` was limited by {what} {} of the time, not by the network{}: give it a larger `sockbuf`, or the hosts larger \
         `net.ipv4.tcp_rmem` and `net.ipv4.tcp_wmem` by `sysctl`",
        percent(share),
        sum.unwrap_or_default(),
    ))
}

/// ` (128 kB / 100 ms = 10Mbit/s)`, where that is what arrived.
fn arithmetic(window: u64, rtt_ns: u64, goodput: u64) -> Option<String> {
    let bps = u128::from(window) * 8_000_000_000 / u128::from(rtt_ns.max(1));
    let apart = (bps as f64 - goodput as f64).abs();
    let size = format!("{} kB", four_digits(window as f64 / 1e3));
    (apart <= NEAR * goodput as f64).then(|| format!(" ({size} / {} = {})", time(rtt_ns), rate(bps as u64)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::report::diagnosis::testing::with;
    use crate::report::testing::work;

    fn said(kind: &'static str, fields: Value) -> Vec<String> {
        sentences(&with("w", work(kind, "a → b", fields)))
    }

    fn tcp(limited_ns: u64, goodput: u64) -> Vec<String> {
        said(
            "tcp",
            json!({ "sender": { "tcp": { "busy_ns": 1_000, "receive_window_limited_ns": limited_ns, "rtt_ns": 100_000_000,
                "receiver_window": 128_000 } }, "receiver": { "bytes": 1, "goodput_bps": goodput } }),
        )
    }

    #[test]
    fn a_window_is_blamed_where_the_kernel_says_so_and_reckoned_where_it_fits() {
        let [one] = &tcp(930, 10_000_000)[..] else { panic!("a sentence") };
        let words = "`w` was limited by the receiver's window 93 % of the time, not by the network (128 kB / 100 ms = 10.24Mbit/s): ";
        assert!(one.starts_with(words), "{one}");
        assert!(tcp(930, 90_000_000)[0].contains("network: give"), "what arrived is not what the window lets through");
        assert_eq!(tcp(50, 10_000_000), [""; 0]);
    }

    #[test]
    fn what_hosts_dropped_is_not_the_networks() {
        let dropped = json!({ "sender": { "sent": 9 }, "receiver": { "socket_dropped": 3 } });
        assert_eq!(
            said("udp", dropped),
            ["3 datagrams of `w` were dropped by its receiver's own socket, not by the network"]
        );
        let ping = json!({ "unsent": 2, "errors": { "Network is unreachable": 2 } });
        assert_eq!(said("ping", ping), ["2 requests of `w` never left its own host: Network is unreachable"]);
        assert_eq!(said("udp", json!({ "sender": { "sent": 9 }, "receiver": { "socket_dropped": 0 } })), [""; 0]);
    }
}
