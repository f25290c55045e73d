//! What can be measured: every path behind the name of a workload, link or node, with its unit, where it is, and how
//! lateness of the machine changes it.
//!
//! docs/expectations.md has the same table; a test holds the two together.

mod network;
mod workloads;

use super::{Measured, Part, Times, Unit};
use crate::node::NatCounters;

pub use network::{LINK, LINK_CAUSE, NAT, NODE, NODE_CAUSE, RULE, RULE_BYTES};
pub use workloads::{ANY, PING, PROGRAM, TCP, UDP};

/// Where a measure's value is.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// A number of what a workload measured.
    Number(fn(&Measured) -> Option<f64>, Late),
    /// A distribution that a workload measured, of which the path names a part.
    Times(fn(&Measured) -> Option<&Times>),
    /// The program's exit code.
    Exit,
    /// Whether it did what was asked.
    Ok,
    /// When it was started.
    Started,
    /// When it ended.
    Ended,
    /// From the one to the other.
    Took,
    /// A ping's requests; counts and losses of them.
    Requests(Requests),
    /// A ping's round-trip times, of which the path names a part.
    RoundTrips,
    /// A stream of datagrams.
    Stream(Stream),
    /// One-way delays of datagrams, of which the path names a part.
    OneWay,
    /// Interarrival jitter of datagrams, of which the path names a part.
    Jitter,
    /// Bytes that arrived over a TCP connection, by time.
    Arrived(Arrived),
    /// What happened in a direction of a link.
    Direction(Direction),
    /// A direction's delays, of which the path names a part.
    Delay,
    /// What happened in a node.
    Node(Node),
    /// A count of a router's address translation.
    Nat(fn(&NatCounters) -> u64, Late),
    /// A value taken from a program's output, which the path names.
    Value,
}

/// How lateness of the machine can have changed a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// Not by itself.
    Exact,
    /// By as many datagrams as were sent while the ports were not read.
    Frames,
    /// Datagrams that came in a burst may have been overtaken in it.
    Reordered,
    /// There may have been fewer.
    Fewer,
    /// By what keeps an arrival up.
    Gap,
    /// An error comes back to a socket that may be closed by then.
    Errors,
    /// By a factor, as all that a reacting sender does.
    Reacts,
    /// Not where it is true; else as all that a reacting sender does.
    Complete,
    /// In ways that nobody can bound.
    Unknown,
}

/// What is asked of a ping's requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requests {
    /// How many were sent.
    Sent,
    /// How many were answered in time.
    Received,
    /// How many were not.
    Lost,
    /// The share that was not.
    Loss,
    /// That share, in each interval of 100 ms.
    LossOverTime,
    /// The round-trip time of each.
    Each,
}

/// What is asked of a stream of datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// How many were sent.
    Sent,
    /// How many arrived, duplicates included.
    Received,
    /// Their bytes.
    Bytes,
    /// How many did not arrive.
    Lost,
    /// The share that did not.
    Loss,
    /// That share, in each interval.
    LossOverTime,
    /// Payload bits per second that arrived.
    Throughput,
    /// The same in each interval.
    ThroughputOverTime,
    /// The mean delay in each interval.
    MeanDelayOverTime,
    /// The largest delay in each interval.
    MaxDelayOverTime,
}

/// What is asked of the bytes that arrived over a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrived {
    /// How many.
    Bytes,
    /// Bits per second.
    Goodput,
    /// The same in each interval.
    GoodputOverTime,
}

/// What is asked of a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Frames offered.
    Offered,
    /// Their bytes.
    OfferedBytes,
    /// Frames delivered.
    Delivered,
    /// Their bytes.
    DeliveredBytes,
    /// Bits per second delivered.
    Rate,
    /// The same in each interval.
    RateOverTime,
    /// Frames delivered in each interval.
    DeliveredOverTime,
    /// Frames dropped, whatever the cause.
    Dropped,
    /// The same in each interval.
    DroppedOverTime,
    /// Frames dropped for a cause, which the path names.
    DroppedBy,
    /// The share dropped of all that were dropped or delivered.
    Loss,
    /// That share in each interval.
    LossOverTime,
    /// Frames of its own.
    Originated,
    /// Copies made.
    Duplicated,
    /// Frames whose bits were changed.
    Corrupted,
    /// Frames marked by the queue.
    Marked,
    /// Frames overtaken.
    Reordered,
    /// Negative delays made zero.
    Clamped,
    /// Frames still inside at the end.
    Inside,
    /// The most frames that waited at any look.
    QueueMax,
    /// The mean of what waited at all looks.
    QueueMean,
    /// What waited at each look.
    Queue,
}

/// What is asked of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// Frames that links delivered to it.
    Received,
    /// Frames of its own.
    Originated,
    /// Copies for flooding.
    Replicated,
    /// Frames offered to links.
    Sent,
    /// Frames meant for it.
    Consumed,
    /// Frames that still wait for an address.
    Held,
    /// Frames dropped, whatever the cause.
    Dropped,
    /// Frames dropped for a cause, which the path names.
    DroppedBy,
    /// Packets that a firewall's rule, which the path names, decided about.
    Rule,
    /// Their bytes.
    RuleBytes,
}

/// One measure, or a family of them that differ in a last part.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The path behind the name of what is measured; empty where the part alone is the path.
    pub path: &'static str,
    /// What it is measured in.
    pub unit: Unit,
    /// Where a report has it.
    pub source: Source,
    /// Whether it can be asked of a part of the run.
    pub windows: bool,
    /// One value for each interval or sample: it goes with `always` and `never`.
    pub over_time: bool,
    /// What it is.
    pub about: &'static str,
}

impl Entry {
    pub(crate) const fn new(path: &'static str, unit: Unit, source: Source, about: &'static str) -> Entry {
        Entry { path, unit, source, windows: false, over_time: false, about }
    }

    const fn windowed(self) -> Entry {
        Entry { windows: true, ..self }
    }

    const fn over_time(self) -> Entry {
        Entry { windows: true, over_time: true, ..self }
    }

    /// Whether it needs the report's series of directions.
    pub fn needs_series(&self, window: bool) -> bool {
        match self.source {
            Source::Direction(Direction::QueueMax | Direction::QueueMean) => true,
            Source::Direction(_) => self.over_time || window,
            _ => false,
        }
    }

    /// What may stand as the last part of the path, beside any percentile of a distribution; empty where nothing may.
    pub fn parts(&self) -> &'static [Part] {
        match self.source {
            Source::RoundTrips | Source::OneWay | Source::Times(_) => &PARTS,
            Source::Delay => &PARTS[..7],
            Source::Jitter => &[Part::Last, Part::Mean, Part::Max],
            _ => &[],
        }
    }

    /// All its paths behind the name of what is measured: one for each part where it has parts.
    pub fn paths(&self) -> Vec<String> {
        match (self.path, self.parts()) {
            (path, []) => vec![path.to_owned()],
            ("", parts) => parts.iter().map(Part::to_string).collect(),
            (path, parts) => parts.iter().map(|part| format!("{path}.{part}")).collect(),
        }
    }
}

/// Parts of a distribution. The first seven are of links too.
const PARTS: [Part; 9] =
    [Part::Min, Part::P50, Part::P90, Part::P99, Part::P999, Part::Max, Part::Mean, Part::Stddev, Part::Count];

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::measured::{Ping, TcpInfo, TcpReceive, TcpSend, UdpReceive, UdpSend};

    const TABLES: [(&str, &[Entry]); 7] =
        [("any", ANY), ("program", PROGRAM), ("ping", PING), ("udp", UDP), ("tcp", TCP), ("link", LINK), ("nat", NAT)];

    #[test]
    fn every_path_is_there_once() {
        for (name, table) in TABLES.into_iter().chain([("node", NODE)]) {
            let mut paths: Vec<String> = table.iter().flat_map(Entry::paths).collect();
            let count = paths.len();
            paths.sort_unstable();
            paths.dedup();
            assert_eq!(paths.len(), count, "{name}");
        }
    }

    /// Every number of a workload's report has a path, but for times by a clock that nobody knows, and raw lists.
    #[test]
    fn every_number_of_a_workloads_report_has_a_path() {
        let unnamed = [
            "started_ns",
            "began_ns",
            "first_at_ns",
            "last_at_ns",
            "accepted_at_ns",
            "first_difference",
            "samples_omitted",
            "missing_omitted",
            "until_ns",
        ];
        // measured together with others
        let special = [
            "sent",
            "received",
            "lost",
            "bytes",
            "throughput_bps",
            "goodput_bps",
            "rtt_ns",
            "gap",
            "tcp",
            "delay_ns",
            "jitter_ns",
        ];
        const MARK: u64 = 424_242;
        let found = |measured: &Measured, table: &[Entry]| {
            table.iter().any(|entry| match entry.source {
                Source::Number(get, _) => get(measured) == Some(MARK as f64),
                Source::Times(get) => get(measured).is_some_and(|times| times.get(Part::P50) == Some(MARK)),
                _ => false,
            })
        };
        let mut seen = 0;
        let mut all_of = |kind: &str, table: &[Entry], path: &[&str], part: Value| {
            for (field, value) in part.as_object().expect("fields") {
                let is_number = |value: &Value| value.is_null() || value.is_u64();
                if !is_number(value) || [&unnamed[..], &special].iter().any(|list| list.contains(&field.as_str())) {
                    continue;
                }
                let with = |leaf: Value| {
                    let inner = path.iter().rev().fold(json!({ field: leaf }), |inner, name| json!({ *name: inner }));
                    Measured::read(kind, inner.as_object().expect("a map").clone()).ok()
                };
                // a text or a list is no number
                let Some(measured) = with(json!(MARK)).or_else(|| with(json!({ "p50": MARK }))) else { continue };
                seen += 1;
                assert!(found(&measured, table), "{kind} {path:?} has `{field}`, and no path leads to it");
            }
        };
        let json = |part: &dyn Fn() -> serde_json::Result<Value>| part().expect("plain data");
        all_of("ping", PING, &[], json(&|| serde_json::to_value(Ping::default())));
        all_of("udp", UDP, &["sender"], json(&|| serde_json::to_value(UdpSend::default())));
        all_of("udp", UDP, &["receiver"], json(&|| serde_json::to_value(UdpReceive::default())));
        all_of("tcp", TCP, &["sender"], json(&|| serde_json::to_value(TcpSend::default())));
        all_of("tcp", TCP, &["sender", "tcp"], json(&|| serde_json::to_value(TcpInfo::default())));
        all_of("tcp", TCP, &["receiver"], json(&|| serde_json::to_value(TcpReceive::default())));
        assert!(seen > 40, "{seen}");
    }

    /// The table of docs/expectations.md.
    #[test]
    fn the_documentation_has_every_path() {
        let page = include_str!("../../../docs/expectations.md");
        for (_, table) in TABLES.into_iter().chain([("node", NODE)]) {
            for entry in table {
                let path = match (entry.path, entry.parts()) {
                    (path, []) => path.to_owned(),
                    ("", _) => "PART".to_owned(),
                    (path, _) => format!("{path}.PART"),
                };
                let row = format!("| `{path}` |");
                let unit = match entry.unit {
                    Unit::Time => "time",
                    Unit::Rate => "rate",
                    Unit::Share => "share",
                    Unit::Size => "size",
                    Unit::Count => "count",
                    Unit::Number => "number",
                    Unit::Truth => "truth",
                };
                let time = match (entry.over_time, entry.windows) {
                    (true, _) => "over time",
                    (_, windows) => ["", "yes"][usize::from(windows)],
                };
                let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
                let wanted = cells(&format!("{row} {unit} | {time} | {} |", entry.about));
                assert!(page.lines().any(|line| cells(line) == wanted), "docs/expectations.md lacks {wanted:?}");
            }
        }
    }
}
