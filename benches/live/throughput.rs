//! Section 1: how much of one TCP flow gets through.

use longwire::port::tap::Framing;
use serde_json::json;

use super::job::{Carrier, Job, Raw, TcpFlow, Traffic};
use super::options::Options;
use super::statistics::Spread;
use super::table::{Table, spread};
use super::tcp;
use super::turns::{self, Series, Variant};

/// Socket buffers: more than 40 Gbit/s need in a round trip of 20 ms.
const BUFFER: u64 = 256 << 20;
/// One way.
const DELAY_NS: u64 = 10_000_000;

/// Names of the variants that others are set against.
const PLAIN: &str = "(a) raw copy loop, plain TAP";
const OFFLOADS: &str = "(b) raw copy loop, virtio-net header, all offloads";
const LINE: &str = "(c) raw 10 ms delay line, virtio-net header, all offloads";
const DIRECT: &str = "(d) longwire, no model";
const LOSSY: &str = "(f) longwire, 10 ms, 1 % loss, fifo, 40 Gbit/s";

/// Each variant's name, carrier, whether it loses frames, and what it is set against.
type Row = (&'static str, Carrier, bool, &'static [&'static str]);

fn rows() -> Vec<Row> {
    let raw = |framing, delay_ns| Carrier::Raw(Raw { framing, delay_ns, spin: false });
    let filter = |words: &[&str]| Carrier::Wirefilter(words.iter().map(|&word| word.into()).collect());
    vec![
        (PLAIN, raw(Framing::Plain, 0), false, &[]),
        (OFFLOADS, raw(Framing::VirtioNet, 0), false, &[PLAIN]),
        (LINE, raw(Framing::VirtioNet, DELAY_NS), false, &[OFFLOADS]),
        (DIRECT, Carrier::Longwire(json!({})), false, &[PLAIN, OFFLOADS]),
        (
            "(e) longwire, 10 ms, fifo, 40 Gbit/s",
            Carrier::Longwire(json!({ "delay": "10ms", "rate": "40Gbit" })),
            false,
            &[LINE],
        ),
        (LOSSY, Carrier::Longwire(json!({ "delay": "10ms", "rate": "40Gbit", "loss": "1%" })), true, &[LINE]),
        ("(g) VDE wirefilter, 10 ms", filter(&["-d", "10"]), false, &[LINE]),
        ("(h) VDE wirefilter, 10 ms, 1 % loss", filter(&["-d", "10", "-l", "1"]), true, &[LOSSY]),
        ("(i) veth", Carrier::Veth(None), false, &[OFFLOADS]),
        ("(j) veth, netem 10 ms", Carrier::Veth(Some("delay 10ms limit 1000000".into())), false, &[LINE]),
        (
            "(k) veth, netem 10 ms, 1 % loss",
            Carrier::Veth(Some("delay 10ms limit 1000000 loss 1%".into())),
            true,
            &[LOSSY],
        ),
        ("(l) longwire wire, two veth as network cards", Carrier::Wire(Vec::new()), false, &[DIRECT]),
    ]
}

/// Measures, and makes the table.
pub(crate) fn run(options: &Options) -> (Table, Vec<Series>) {
    let lossy_control = tcp::offers("bbr").then(|| "bbr".to_owned());
    let (settle_ns, span_ns) = if options.quick { (200_000_000, 500_000_000) } else { (3_000_000_000, 4_000_000_000) };
    let variants = rows().into_iter().map(|(name, carrier, lossy, _)| {
        let congestion = if lossy { lossy_control.clone() } else { None };
        let traffic = Traffic::Tcp(TcpFlow { settle_ns, span_ns, buffer: BUFFER, congestion });
        Variant { name: name.into(), job: Job { carrier, traffic } }
    });
    let series = turns::take("throughput", variants.collect(), options.repeat());
    let goodput = |series: &Series| series.values(|measured| measured.goodput_bps);
    let of = |name: &str| series.iter().find(|series| series.name == name);
    let rows = rows().into_iter().zip(&series).map(|((name, _, _, against), these)| {
        let ratios = against.iter().filter_map(|&other| {
            let ratio = Spread::of_ratios(&goodput(these), &goodput(of(other)?))?;
            // The letter alone: the names are long.
            Some(format!("{:.2} × {}", ratio.median, other.split(' ').next().unwrap_or(other)))
        });
        vec![
            name.to_owned(),
            spread(Spread::of(goodput(these).into_iter().flatten()), 1e9, 2),
            ratios.collect::<Vec<_>>().join(", "),
            these.remarks(),
        ]
    });
    let table = Table {
        title: "TCP throughput, one flow".into(),
        note: format!(
            "Bits of payload that the receiver read in {} s, {} s after it accepted. Socket buffers up to {} MiB on both \
             sides; congestion control is the kernel's own, {} where frames are lost. The raw loops are one thread with \
             epoll, read and write, and do nothing else.",
            span_ns as f64 / 1e9,
            settle_ns as f64 / 1e9,
            BUFFER >> 20,
            lossy_control.as_deref().unwrap_or("too,"),
        ),
        head: vec!["carrier", "Gbit/s (min–max)", "ratio", "remarks"],
        rows: rows.collect(),
    };
    (table, series)
}
