//! Section 3: how far a delay strays from what was asked.

use longwire::port::tap::Framing;
use longwire::workload::job::Pace;
use serde_json::json;

use super::job::{Carrier, Job, Measured, Raw, Traffic, UdpFlow};
use super::options::Options;
use super::statistics::Spread;
use super::table::{Table, spread};
use super::turns::{self, Series, Variant};

/// One way.
const DELAY_NS: u64 = 10_000_000;
/// 20,000 frames a second.
const EVERY_NS: u64 = 50_000;

/// Measures, and makes the table.
pub(crate) fn run(options: &Options) -> (Table, Vec<Series>) {
    let span_ns = if options.quick { 500_000_000 } else { 3_000_000_000 };
    let flow = UdpFlow { wait_ns: 0, pace: Pace::EveryNs(EVERY_NS), size: 200, span_ns, linger_ns: 300_000_000 };
    let variant = |name: &str, carrier| {
        let traffic = Traffic::Udp(flow.clone());
        Variant { name: name.into(), job: Job { carrier, traffic } }
    };
    let raw = |spin| Carrier::Raw(Raw { framing: Framing::Plain, delay_ns: DELAY_NS, spin });
    let variants = vec![
        variant("raw delay line, sleeping", raw(false)),
        variant("raw delay line, always polling", raw(true)),
        variant("longwire", Carrier::Longwire(json!({ "delay": "10ms" }))),
        variant("VDE wirefilter", Carrier::Wirefilter(vec!["-d".into(), "10".into()])),
        variant("veth, netem", Carrier::Veth(Some("delay 10ms limit 1000000".into()))),
    ];
    let series = turns::take("delay", variants, options.repeat());
    let beyond = |of: fn(&Measured) -> Option<u64>| {
        move |these: &Series| these.values(|measured| of(measured).map(|ns| ns as f64 - DELAY_NS as f64))
    };
    let (p50, p99) = (beyond(|measured| measured.delay_p50_ns), beyond(|measured| measured.delay_p99_ns));
    let reference = (p50(&series[0]), p99(&series[0]));
    let ratio = |these: &[Option<f64>], those: &[Option<f64>]| {
        Spread::of_ratios(these, those).map_or("—".into(), |ratio| format!("{:.2}", ratio.median))
    };
    let rows = series.iter().map(|these| {
        vec![
            these.name.clone(),
            spread(Spread::of(p50(these).into_iter().flatten()), 1e3, 1),
            ratio(&p50(these), &reference.0),
            spread(Spread::of(p99(these).into_iter().flatten()), 1e3, 1),
            ratio(&p99(these), &reference.1),
            these.remarks(),
        ]
    });
    let table = Table {
        title: "Delay beyond the 10 ms that were asked, one way, 20,000 frames/s".into(),
        note: format!(
            "UDP payload of 200 bytes for {} s; from the sender's clock reading before it hands a datagram to the kernel \
             to the receiving kernel's timestamp, so both hosts' kernels are in it. Ratios are against the first row.",
            span_ns as f64 / 1e9
        ),
        head: vec!["carrier", "p50, µs (min–max)", "ratio", "p99, µs (min–max)", "ratio", "remarks"],
        rows: rows.collect(),
    };
    (table, series)
}
