//! Section 2: what small frames cost, and whether any is lost.

use longwire::port::tap::Framing;
use longwire::workload::job::Pace;
use serde_json::json;

use super::job::{Carrier, Job, Raw, Traffic, UdpFlow};
use super::options::Options;
use super::statistics::Spread;
use super::table::{Table, spread};
use super::turns::{self, Series, Variant};

/// 100,000 frames a second.
const EVERY_NS: u64 = 10_000;

/// Measures, and makes the table.
pub(crate) fn run(options: &Options) -> (Table, Vec<Series>) {
    let span_ns = if options.quick { 500_000_000 } else { 3_000_000_000 };
    let flow = UdpFlow { wait_ns: 0, pace: Pace::EveryNs(EVERY_NS), size: 64, span_ns, linger_ns: 300_000_000 };
    let variant = |name: &str, carrier| {
        let traffic = Traffic::Udp(flow.clone());
        Variant { name: name.into(), job: Job { carrier, traffic } }
    };
    let raw = |framing| Carrier::Raw(Raw { framing, delay_ns: 0, spin: false });
    let variants = vec![
        variant("raw copy loop, plain TAP", raw(Framing::Plain)),
        variant("raw copy loop, virtio-net header, all offloads", raw(Framing::VirtioNet)),
        variant("longwire, no model", Carrier::Longwire(json!({}))),
        variant(
            "longwire, 10 ms, 0.1 % loss, 1 Gbit/s, fifo",
            Carrier::Longwire(json!({ "delay": "10ms", "loss": "0.1%", "rate": "1Gbit" })),
        ),
    ];
    let series = turns::take("small-frames", variants, options.repeat());
    let cpu = |series: &Series| series.values(|measured| measured.cpu_per_frame());
    let reference = cpu(&series[0]);
    let rows = series.iter().map(|these| {
        let of = |what: fn(&super::job::Measured) -> Option<u64>| {
            spread(Spread::of(these.values(|measured| what(measured).map(|n| n as f64)).into_iter().flatten()), 1.0, 0)
        };
        let ratio = Spread::of_ratios(&cpu(these), &reference);
        vec![
            these.name.clone(),
            of(|measured| measured.sent),
            of(|measured| measured.lost),
            of(|measured| measured.ring_drops),
            of(|measured| measured.socket_dropped),
            spread(Spread::of(cpu(these).into_iter().flatten()), 1.0, 0),
            ratio.map_or("—".into(), |ratio| format!("{:.2}", ratio.median)),
            these.remarks(),
        ]
    });
    let table = Table {
        title: "Small frames: UDP payload of 64 bytes, 100,000 frames/s".into(),
        note: format!(
            "Offered for {} s. Processor time is that of the thread that carries the frames, reads and writes included; \
             ratios are against the first row.",
            span_ns as f64 / 1e9
        ),
        head: vec![
            "carrier",
            "sent",
            "lost",
            "dropped by the TAPs' rings",
            "dropped by the receiver's socket",
            "ns of processor time per frame (min–max)",
            "ratio",
            "remarks",
        ],
        rows: rows.collect(),
    };
    (table, series)
}
