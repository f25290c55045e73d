//! Section 4: how far a rate strays from what was asked.

use longwire::units::Rate;
use longwire::workload::job::Pace;
use serde_json::json;

use super::job::{Carrier, Job, TcpFlow, Traffic, UdpFlow};
use super::options::Options;
use super::statistics::Spread;
use super::table::{Table, spread};
use super::turns::{self, Series, Variant};

/// Ethernet, IPv4 and UDP headers.
const UDP_HEADERS: u64 = 14 + 20 + 8;
/// A full frame without FCS, and what it carries of TCP's payload with timestamps.
const TCP_FRAME: (u64, u64) = (14 + 1500, 1500 - 20 - 20 - 12);
/// Slowest rate at which TCP fills the link better than a paced stream.
const TCP_FROM: u64 = 1_000_000_000;
/// What TCP may have under way: less than the queue, so that nothing is dropped, and enough for a sender that the machine
/// keeps waiting.
const WINDOW: u64 = 32 << 20;
/// A host's kernel reports its IPv6 groups twice within two seconds (RFC 3810 §9.11), on the same wire: at 64 kbit/s that
/// alone would be 1 % of a measurement.
const QUIET_NS: u64 = 2_500_000_000;

/// A rate, the payload of each frame on the wire, and those frames' whole size.
struct Case {
    bps: u64,
    payload: u64,
    frame: u64,
}

impl Case {
    fn new(bps: u64) -> Case {
        let payload = if bps < 100_000_000 { 1000 } else { 1472 };
        let (frame, payload) = if bps >= TCP_FROM { TCP_FRAME } else { (payload + UDP_HEADERS, payload) };
        Case { bps, payload, frame }
    }

    fn theory(&self) -> f64 {
        self.bps as f64 * self.payload as f64 / self.frame as f64
    }

    fn traffic(&self, quick: bool) -> Traffic {
        let span_ns = if quick { 1_000_000_000 } else { 4_000_000_000 };
        if self.bps >= TCP_FROM {
            let settle_ns = if quick { 300_000_000 } else { 1_000_000_000 };
            return Traffic::Tcp(TcpFlow { settle_ns, span_ns, buffer: WINDOW, congestion: None });
        }
        // A fifth more than fits: the link is never idle.
        let offered = (self.theory() * 1.2) as u64;
        Traffic::Udp(UdpFlow {
            wait_ns: if quick { 0 } else { QUIET_NS },
            pace: Pace::RateBps(offered),
            size: self.payload as u32,
            span_ns,
            linger_ns: 500_000_000,
        })
    }
}

/// Measures, and makes the table.
pub(crate) fn run(options: &Options) -> (Table, Vec<Series>) {
    let rates: &[u64] = if options.quick {
        &[1_000_000, 1_000_000_000]
    } else {
        &[64_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000, 10_000_000_000]
    };
    let cases: Vec<Case> = rates.iter().map(|&bps| Case::new(bps)).collect();
    let variants = cases.iter().map(|case| {
        let rate = Rate::from_bps(case.bps).expect("no rate is 0").to_string();
        let toward = json!({ "b": { "rate": rate, "queue": { "fifo": { "bytes": "64MiB" } } } });
        let slow = json!({ "b": { "rate": rate } });
        let toward = if case.bps >= TCP_FROM { toward } else { slow };
        let carrier = Carrier::Longwire(json!({ "toward": toward }));
        Variant { name: format!("{rate}/s"), job: Job { carrier, traffic: case.traffic(options.quick) } }
    });
    let series = turns::take("rate", variants.collect(), options.repeat());
    let rows = cases.iter().zip(&series).map(|(case, these)| {
        let goodput = Spread::of(these.values(|measured| measured.goodput_bps).into_iter().flatten());
        let theory = case.theory();
        let error = goodput.map(|Spread { median, min, max }| {
            let error = |bps: f64| (bps / theory - 1.0) * 100.0;
            Spread { median: error(median), min: error(min), max: error(max) }
        });
        vec![
            these.name.clone(),
            format!("{}, {} of {} bytes", if case.bps >= TCP_FROM { "TCP" } else { "UDP" }, case.payload, case.frame),
            format!("{:.6}", theory / 1e6),
            goodput.map_or("—".into(), |goodput| format!("{:.6}", goodput.median / 1e6)),
            spread(error, 1.0, 4),
            these.remarks(),
        ]
    });
    let table = Table {
        title: "Rate: what arrives of a saturated link".into(),
        note: "Theory is the rate times payload per frame. UDP is offered at 1.2 times the rate and counted from the first \
               to the last arrival; TCP is counted between two instants, and falls short where the machine cannot fill the \
               link."
            .into(),
        head: vec!["rate", "traffic", "theory, Mbit/s", "measured, Mbit/s", "error, % (min–max)", "remarks"],
        rows: rows.collect(),
    };
    (table, series)
}
