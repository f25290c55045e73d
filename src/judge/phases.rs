//! What workloads measured from one mark to the next. Numbers are those that an expectation over the same time gets.

use super::doubt::Doubt;
use super::{Readings, Stretch, ping, stream, tcp};
use crate::measured::catalogue::{Arrived, Requests, Stream};
use crate::measured::gap::Heard;
use crate::measured::{Measured, Part, Ping, Times, UdpReceive};
use crate::report::json::{Report, WorkloadReport};
use crate::report::phases::PhaseWorkload;

/// What is kept of each distribution.
const PARTS: [Part; 4] = [Part::P50, Part::P95, Part::P99, Part::Max];

/// Adds what workloads measured to the phases of a report that still has what receivers kept one by one.
pub fn measure(report: &mut Report) {
    let mut phases = std::mem::take(&mut report.phases);
    let doubt = Doubt::of(report);
    for phase in &mut phases {
        let stretch = (phase.from_ns as i64, phase.to_ns as i64);
        let works = report.workloads.iter();
        phase.workloads = works.filter_map(|(name, work)| Some((name.clone(), one(work, stretch, &doubt)?))).collect();
    }
    report.phases = phases;
}

fn one(work: &WorkloadReport, stretch: Stretch, doubt: &Doubt<'_>) -> Option<PhaseWorkload> {
    let count = |readings: Readings| readings.ok().and_then(|all| Some(all.first()?.value as u64));
    match &work.measured {
        Measured::Program(_) | Measured::Ping(None) => None,
        Measured::Ping(Some(ping)) => {
            let asked = |of| count(ping::requests(of, work, Some(stretch), doubt));
            Some(PhaseWorkload {
                sent: Some(asked(Requests::Sent)?),
                lost: asked(Requests::Lost),
                delay_ns: round_trips(ping, stretch),
                goodput_bps: None,
                gap_ns: answers(ping).and_then(|(heard, active)| silence(&heard, active, stretch)),
            })
        }
        Measured::Udp(udp) => {
            let asked = |of| count(stream::stream(of, work, Some(stretch)));
            let (sender, receiver) = (udp.sender.as_ref()?, udp.receiver.as_ref()?);
            Some(PhaseWorkload {
                sent: Some(asked(Stream::Sent)?),
                lost: asked(Stream::Lost),
                delay_ns: delays(receiver, stretch),
                goodput_bps: asked(Stream::Throughput),
                gap_ns: stream::sending(sender, receiver)
                    .and_then(|active| silence(receiver.heard.as_ref()?, active, stretch)),
            })
        }
        Measured::Tcp(transfer) => {
            let (sender, receiver) = (transfer.sender.as_ref()?, transfer.receiver.as_ref()?);
            let goodput_bps = count(tcp::arrived(Arrived::Goodput, work, Some(stretch)));
            let active = tcp::active(sender, receiver);
            let gap_ns = active.and_then(|active| silence(receiver.heard.as_ref()?, active, stretch));
            (goodput_bps.is_some() || gap_ns.is_some()).then_some(PhaseWorkload {
                goodput_bps,
                gap_ns,
                ..PhaseWorkload::default()
            })
        }
    }
}

fn distribution(times: impl Iterator<Item = u64>) -> Option<Times> {
    let mut times: Vec<(u64, u64)> = times.map(|time| (time, 1)).collect();
    times.sort_unstable();
    let parts: Option<Times> = PARTS.iter().map(|part| Some((*part, part.of(&times)? as u64))).collect();
    parts
}

/// Of requests that were sent in a stretch.
fn round_trips(ping: &Ping, (from, to): Stretch) -> Option<Times> {
    let began = ping.began_ns?;
    distribution(ping.samples.iter().filter_map(|(sent, rtt)| {
        let within = (from..to).contains(&(began + *sent as i64));
        rtt.filter(|_| within)
    }))
}

/// Of datagrams that arrived in a stretch; `None` where not all of them were kept.
fn delays(receiver: &UdpReceive, (from, to): Stretch) -> Option<Times> {
    let began = receiver.began_ns?;
    let omitted = receiver.unique > receiver.samples.len() as u64;
    let last = receiver.samples.last().map_or(i64::MIN, |(at, _)| began + *at as i64);
    if omitted && to > last {
        return None;
    }
    let within = |(at, _): &&(u64, u64)| (from..to).contains(&(began + *at as i64));
    distribution(receiver.samples.iter().filter(within).map(|(_, delay)| *delay))
}

/// When answers came, and when they could come: from the first request to the last, each later by the quickest round trip.
fn answers(ping: &Ping) -> Option<(Heard, Stretch)> {
    let began = ping.began_ns.filter(|_| ping.samples_omitted == 0)?;
    let quickest = ping.rtt_ns.as_ref().map_or(0, Times::min) as i64;
    let last = ping.samples.last()?.0 as i64;
    let came = ping.samples.iter().filter_map(|(sent, rtt)| u64::try_from(began + (sent + (*rtt)?) as i64).ok());
    let mut came: Vec<u64> = came.collect();
    came.sort_unstable();
    Some((Heard::of(came.into_iter()), (began + quickest, began + last + quickest)))
}

/// The longest within a stretch, while the sender was active. A silence that goes beyond counts up to the stretch's ends.
fn silence(heard: &Heard, active: Stretch, (from, to): Stretch) -> Option<u64> {
    let ns = |at: i64| u64::try_from(at).unwrap_or(0);
    let (from, to) = (from.max(active.0), to.min(active.1));
    (from < to).then(|| heard.longest(ns(from), ns(to)).max_ns)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::report::phases::Phase;
    use crate::report::testing;

    const MS: u64 = 1_000_000;

    fn phase(from_ms: u64, to_ms: u64) -> Phase {
        let (from_ns, to_ns) = (from_ms * MS, to_ms * MS);
        Phase { from_ns, to_ns, marks: Vec::new(), directions: Vec::new(), workloads: indexmap::IndexMap::new() }
    }

    fn measured(kind: &'static str, fields: Value) -> Vec<Option<PhaseWorkload>> {
        let mut report = testing::report();
        report.workloads = [("w".to_owned(), testing::work(kind, "a → b", fields))].into_iter().collect();
        report.phases = vec![phase(0, 500), phase(500, 1_000), phase(1_000, 2_000)];
        measure(&mut report);
        report.phases.iter().map(|phase| phase.workloads.get("w").cloned()).collect()
    }

    #[test]
    fn requests_belong_to_the_phase_in_which_they_were_sent() {
        let rtt = |n: u64| if n < 5 { json!(10 * MS) } else { json!(40 * MS) };
        let samples: Vec<Value> =
            (0..10).map(|n| json!([n * 100 * MS, if n == 6 || n == 7 { Value::Null } else { rtt(n) }])).collect();
        let fields = json!({ "sent": 10, "received": 8, "lost": 2, "began_ns": 0, "samples": samples,
            "rtt_ns": { "min": 10 * MS } });
        let [Some(first), Some(second), None] = &measured("ping", fields)[..] else { panic!("two phases") };
        assert_eq!((first.sent, first.lost, second.sent, second.lost), (Some(5), Some(0), Some(5), Some(2)));
        let part = |phase: &PhaseWorkload, part| phase.delay_ns.as_ref().and_then(|times| times.get(part));
        assert_eq!((part(first, Part::P99), part(second, Part::P50)), (Some(10 * MS), Some(40 * MS)));
        // answers came at 540 and 840 ms
        assert_eq!((first.gap_ns, second.gap_ns), (Some(100 * MS), Some(300 * MS)));
    }

    #[test]
    fn a_stream_is_told_by_its_receiver() {
        let samples: Vec<Value> = (0..10).map(|n| json!([n * 100 * MS, (n + 1) * MS])).collect();
        let list: Vec<Value> = (0..10).map(|_| json!({ "frames": 1, "bytes": 1_000 })).collect();
        let intervals = json!({ "list": list, "width_ns": 100 * MS });
        let fields = json!({
            "sender": { "sent": 10, "began_ns": 0, "duration_ns": 900 * MS, "intervals": intervals },
            "receiver": { "began_ns": 0, "unique": 10, "received": 10, "samples": samples, "intervals": intervals,
                "heard": { "first": MS, "last": 900 * MS, "silences": [[MS, 400 * MS], [400 * MS, 700 * MS]] } } });
        let [Some(first), Some(second), None] = &measured("udp", fields)[..] else { panic!("two phases") };
        assert_eq!((first.sent, first.lost, first.goodput_bps), (Some(5), Some(0), Some(80_000)));
        assert_eq!((first.gap_ns, second.gap_ns), (Some(399 * MS), Some(200 * MS)));
        let max = |phase: &PhaseWorkload| phase.delay_ns.as_ref().map(Times::max);
        assert_eq!((max(first), max(second)), (Some(5 * MS), Some(10 * MS)));
    }
}
