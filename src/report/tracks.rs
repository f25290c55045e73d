//! What workloads measured over time, in one shape for every chart. Many alike are one, with the range of all of them.

use indexmap::IndexMap;

use super::alike::{FEWEST_WORKLOADS, from_to, stem};
use super::expectation::Judged;
use super::json::{Report, WorkloadReport};
use crate::measured::{Intervals, Measured, Ping, TcpReceive, TcpSend, Transfer, UdpReceive, UdpSend, losses};
use crate::stats::median;

/// Points of a group's course.
const BINS: u64 = 120;
/// Requests are counted in so long stretches, in ns.
const STRETCH: u64 = 100_000_000;

/// A quantity of a workload, or of a group of them.
#[derive(Clone, Debug)]
pub(crate) struct Track {
    /// The workload, or the first and the last of a group.
    pub(crate) name: String,
    /// All of them.
    pub(crate) names: Vec<String>,
    pub(crate) what: What,
    /// Whether all of them did what was asked.
    pub(crate) ok: bool,
    /// When, in ns from t = 0, and how much; of a group, the medians.
    pub(crate) points: Vec<(i64, f64)>,
    /// Of a group: the least and the most, at the same times.
    pub(crate) range: Vec<(f64, f64)>,
    /// The width of each point's interval in ns; 0 where points are single samples.
    pub(crate) width_ns: u64,
    pub(crate) lost: Vec<Lost>,
    /// The longest silence: from, to.
    pub(crate) gap: Option<(i64, i64)>,
}

/// What a track is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum What {
    RoundTrip,
    OneWay,
    Goodput,
}

impl What {
    pub(crate) const fn words(self) -> &'static str {
        match self {
            What::RoundTrip => "round trip",
            What::OneWay => "one-way delay",
            What::Goodput => "goodput",
        }
    }

    /// Whether an expectation's measure behind the workload's name has a limit on the same axis.
    fn takes(self, measure: &str) -> bool {
        match self {
            What::RoundTrip => measure.starts_with("rtt") || is_part(measure),
            What::OneWay => measure.starts_with("delay") || is_part(measure),
            What::Goodput => measure.starts_with("goodput") || measure.starts_with("throughput"),
        }
    }
}

fn is_part(measure: &str) -> bool {
    matches!(measure, "min" | "mean" | "max") || crate::measured::Percentile::parse(measure).is_some()
}

/// What was lost of what was sent in a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) from_ns: i64,
    pub(crate) to_ns: i64,
    pub(crate) lost: u64,
    pub(crate) sent: u64,
}

/// Of all workloads, in file order. What a stream of datagrams carried is among them where it is asked for: links show it too.
pub(crate) fn tracks(report: &Report) -> Vec<Track> {
    let mut all: Vec<Track> = report.workloads.iter().flat_map(|(name, work)| of(name, work)).collect();
    all.retain(|track| {
        let stream = track.what == What::Goodput && report.workloads.get(&track.name).is_some_and(|w| w.kind == "udp");
        !stream || !limits(track, report).is_empty()
    });
    let mut groups: IndexMap<(String, What), Vec<Track>> = IndexMap::new();
    all.into_iter().for_each(|track| groups.entry((stem(&track.name), track.what)).or_default().push(track));
    let joined = |members: Vec<Track>| match members.len() {
        0..FEWEST_WORKLOADS => members,
        _ => vec![group(members, report.duration_ns)],
    };
    groups.into_values().flat_map(joined).collect()
}

/// A limit on what a track shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit<'a> {
    /// In the unit of the track's values.
    pub(crate) value: f64,
    /// When, in ns from t = 0.
    pub(crate) window: (i64, i64),
    /// What was found.
    pub(crate) judged: &'a Judged,
}

/// Limits that expectations set to what a track shows.
pub(crate) fn limits<'a>(track: &Track, report: &'a Report) -> Vec<Limit<'a>> {
    let end = i64::try_from(report.duration_ns).unwrap_or(i64::MAX);
    let all = report.expectations.iter().flat_map(|one| {
        let alone = std::iter::once(&one.judged).filter(|_| one.members.is_empty());
        alone.chain(one.members.iter().map(|member| &member.judged))
    });
    let of = |judged: &'a Judged| {
        let compared = judged.compared.as_ref()?;
        let here = track.names.iter().any(|name| {
            let measure = compared.measure.strip_prefix(name.as_str()).and_then(|rest| rest.strip_prefix('.'));
            measure.is_some_and(|measure| track.what.takes(measure))
        });
        let window = compared.window_ns.unwrap_or((0, end));
        here.then_some(Limit { value: compared.limit, window, judged })
    };
    all.filter_map(of).collect()
}

fn of(name: &str, work: &WorkloadReport) -> Vec<Track> {
    let track = |what, points: Vec<(i64, f64)>, width_ns, lost| Track {
        name: name.to_owned(),
        names: vec![name.to_owned()],
        what,
        ok: work.ok,
        points,
        range: Vec::new(),
        width_ns,
        lost,
        gap: work.measured.gap().map(|gap| (gap.from_ns, gap.to_ns)),
    };
    let mut tracks = match &work.measured {
        Measured::Program(_) | Measured::Ping(None) => Vec::new(),
        Measured::Ping(Some(ping)) => {
            let (points, lost) = requests(ping);
            vec![track(What::RoundTrip, points, 0, lost)]
        }
        Measured::Udp(udp) => {
            let Transfer { sender: Some(sender), receiver: Some(receiver), .. } = &**udp else { return Vec::new() };
            let width = receiver.intervals.width_ns;
            let (began, end) = (receiver.began_ns, sending_until(sender, receiver));
            let delays = delays(began, &receiver.intervals);
            let goodput = rates(began, &receiver.intervals, end);
            let lost = datagrams(sender, receiver);
            vec![track(What::OneWay, delays, width, lost), track(What::Goodput, goodput, width, Vec::new())]
        }
        Measured::Tcp(tcp) => {
            let Transfer { sender: Some(sender), receiver: Some(receiver), .. } = &**tcp else { return Vec::new() };
            let (began, end) = connection(sender, receiver);
            let goodput = rates(began, &receiver.intervals, end);
            vec![track(What::Goodput, goodput, receiver.intervals.width_ns, Vec::new())]
        }
    };
    tracks.retain(|track| !track.points.is_empty() || track.lost.iter().any(|lost| lost.lost > 0));
    tracks
}

/// Round trips, each when its request was sent; and what was lost.
fn requests(ping: &Ping) -> (Vec<(i64, f64)>, Vec<Lost>) {
    let began = ping.began_ns.unwrap_or(0);
    let points = ping.samples.iter().filter_map(|(sent, rtt)| Some((began + *sent as i64, (*rtt)? as f64)));
    let lost = ping.samples.chunk_by(|a, b| a.0 / STRETCH == b.0 / STRETCH).map(|some| {
        let from_ns = began + (some[0].0 / STRETCH * STRETCH) as i64;
        let lost = some.iter().filter(|(_, rtt)| rtt.is_none()).count() as u64;
        Lost { from_ns, to_ns: from_ns + STRETCH as i64, lost, sent: some.len() as u64 }
    });
    (points.collect(), lost.collect())
}

fn datagrams(sender: &UdpSend, receiver: &UdpReceive) -> Vec<Lost> {
    let (began, width) = (sender.began_ns.unwrap_or(0), sender.intervals.width_ns as i64);
    let list = &sender.intervals.list;
    let (lost, _) = losses::by_interval(list.iter(), receiver);
    let each = list.iter().zip(lost).zip(0..).map(|((interval, lost), n)| {
        let from_ns = began + n * width;
        Lost { from_ns, to_ns: from_ns + width, lost, sent: interval.frames }
    });
    each.collect()
}

/// Points in the middle of their intervals.
fn delays(began: Option<i64>, intervals: &Intervals) -> Vec<(i64, f64)> {
    let middle = |n: usize| began.unwrap_or(0) + (n as u64 * intervals.width_ns + intervals.width_ns / 2) as i64;
    let each = intervals.list.iter().enumerate();
    each.filter_map(|(n, one)| Some((middle(n), one.mean_ns? as f64))).collect()
}

/// Bits per second of whole intervals up to `end`; of all of them where there is none.
fn rates(began: Option<i64>, intervals: &Intervals, end: Option<i64>) -> Vec<(i64, f64)> {
    let width = intervals.width_ns.max(1);
    let began = began.unwrap_or(0);
    let whole = end.map_or(usize::MAX, |end| (end.saturating_sub(began).max(0) as u64 / width) as usize);
    let length = intervals.list.len().min(whole.max(1));
    let point = |n: usize| {
        let bytes = intervals.list[n].bytes;
        (began + (n as u64 * width + width / 2) as i64, bytes as f64 * 8e9 / width as f64)
    };
    // the first interval begins with the receiver, and the sender a little later
    (usize::from(length > 2)..length).map(point).collect()
}

fn sending_until(sender: &UdpSend, receiver: &UdpReceive) -> Option<i64> {
    let transit = receiver.delay_ns.as_ref().map_or(0, |delay| delay.min());
    Some(sender.began_ns? + (sender.duration_ns + transit) as i64)
}

/// When a connection was accepted, and when its last byte came.
fn connection(sender: &TcpSend, receiver: &TcpReceive) -> (Option<i64>, Option<i64>) {
    let own = |at: Option<u64>| Some(receiver.began_ns? + at? as i64 - receiver.started_ns as i64);
    let last = own(receiver.last_at_ns).filter(|_| sender.complete);
    (own(receiver.accepted_at_ns), last)
}

/// One of many alike.
fn group(members: Vec<Track>, duration_ns: u64) -> Track {
    let width = (duration_ns / BINS).max(1);
    let mut bins: Vec<Vec<f64>> = vec![Vec::new(); BINS as usize + 1];
    for member in &members {
        let bin = |at: i64| (u64::try_from(at).unwrap_or(0) / width).min(BINS) as usize;
        for some in member.points.chunk_by(|a, b| bin(a.0) == bin(b.0)) {
            bins[bin(some[0].0)].push(some.iter().map(|(_, value)| value).sum::<f64>() / some.len() as f64);
        }
    }
    let mut lost: IndexMap<(i64, i64), (u64, u64)> = IndexMap::new();
    for one in members.iter().flat_map(|member| &member.lost) {
        let bin = one.from_ns.div_euclid(width as i64) * width as i64;
        let sum = lost.entry((bin, bin + width as i64)).or_default();
        *sum = (sum.0 + one.lost, sum.1 + one.sent);
    }
    lost.sort_unstable_keys();
    let (mut points, mut range) = (Vec::new(), Vec::new());
    for (n, mut values) in bins.into_iter().enumerate().filter(|(_, values)| !values.is_empty()) {
        values.sort_by(f64::total_cmp);
        points.push((((n as u64) * width + width / 2) as i64, median(&values).unwrap_or_default()));
        range.push((values[0], values[values.len() - 1]));
    }
    let longest = members.iter().filter_map(|member| member.gap).max_by_key(|(from, to)| to - from);
    Track {
        name: from_to(members.iter().map(|member| member.name.as_str())),
        what: members[0].what,
        ok: members.iter().all(|member| member.ok),
        points,
        range,
        width_ns: width,
        lost: lost.into_iter().map(|((from_ns, to_ns), (lost, sent))| Lost { from_ns, to_ns, lost, sent }).collect(),
        gap: longest,
        names: members.into_iter().map(|member| member.name).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::report::testing;

    const MS: u64 = 1_000_000;

    fn ping(rtt_ms: u64) -> WorkloadReport {
        let samples: Vec<Value> =
            (0..40u64).map(|n| json!([n * 50 * MS, if n == 20 { Value::Null } else { json!(rtt_ms * MS) }])).collect();
        testing::work("ping", "a → b", json!({ "began_ns": 1_000 * MS, "sent": 40, "samples": samples }))
    }

    #[test]
    fn requests_are_points_and_losses_counts() {
        let [track] = &of("rtt", &ping(20))[..] else { panic!("one") };
        assert_eq!((track.points.len(), track.points[1]), (39, (1_050_000_000, 2e7)));
        let lost: Vec<&Lost> = track.lost.iter().filter(|lost| lost.lost > 0).collect();
        assert_eq!(lost, [&Lost { from_ns: 2_000_000_000, to_ns: 2_100_000_000, lost: 1, sent: 2 }]);
    }

    #[test]
    fn many_alike_are_one_with_their_range() {
        let mut report = testing::report();
        report.workloads = (1..=5).map(|n| (format!("rtt-{n}"), ping(n * 10))).collect();
        report.workloads.insert("alone".into(), ping(7));
        let [group, alone] = &tracks(&report)[..] else { panic!("two") };
        assert_eq!((group.name.as_str(), group.names.len(), alone.name.as_str()), ("rtt-1 … rtt-5", 5, "alone"));
        assert!(group.points.iter().all(|(_, value)| *value == 30e6) && group.range[0] == (1e7, 5e7));
        assert_eq!(group.lost.iter().map(|lost| lost.lost).sum::<u64>(), 5);
    }

    #[test]
    fn limits_belong_to_the_quantity_that_they_limit() {
        assert!(What::RoundTrip.takes("p99") && What::OneWay.takes("delay.p50") && What::Goodput.takes("throughput"));
        assert!(!What::RoundTrip.takes("loss") && !What::OneWay.takes("jitter.last") && !What::Goodput.takes("p99"));
    }
}
