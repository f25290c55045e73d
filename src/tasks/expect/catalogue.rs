//! What can be measured: every path behind the name of a workload, link or node, with its unit and where a report has it.
//!
//! docs/expectations.md has the same table; a test holds the two together.

use super::quantity::Unit;

/// Where a report has a measure's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A number in what a workload measured.
    Field(&'static [&'static str]),
    /// A distribution there, of which the path names a part.
    Spread(&'static [&'static str], &'static [&'static str]),
    /// The sum of a map of counts there.
    Sum(&'static [&'static str]),
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
    /// A stream of datagrams.
    Stream(Stream),
    /// Bytes that arrived over a TCP connection, by time.
    Arrived(Arrived),
    /// What happened in a direction of a link.
    Direction(Direction),
    /// A direction's delays, of which the path names a part.
    Delay(&'static [&'static str]),
    /// What happened in a node.
    Node(Node),
    /// A count of a router's address translation.
    Nat(&'static str),
    /// A value taken from a program's output, which the path names.
    Value,
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
    const fn new(path: &'static str, unit: Unit, source: Source, about: &'static str) -> Entry {
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

    /// What may stand as the last part of the path; empty where nothing does.
    pub fn parts(&self) -> &'static [&'static str] {
        match self.source {
            Source::Spread(_, parts) | Source::Delay(parts) => parts,
            _ => &[],
        }
    }

    /// Its unit, of which one part may be a count.
    pub fn unit_of(&self, part: Option<&str>) -> Unit {
        if part == Some("count") { Unit::Count } else { self.unit }
    }
}

/// Parts of a distribution that a workload measured.
pub const PARTS: &[&str] = &["min", "p50", "p90", "p99", "p999", "max", "mean", "stddev", "count"];
/// Parts of a direction's delays.
pub const DELAY_PARTS: &[&str] = &["min", "p50", "p90", "p99", "p999", "max", "mean"];
/// Parts of jitter.
const JITTER_PARTS: &[&str] = &["last", "mean", "max"];

use Source::{Arrived as A, Direction as D, Field, Node as N, Requests as R, Spread, Stream as S, Sum};
use Unit::{Count, Number, Rate, Share, Size, Time, Truth};

/// The longest silence of a workload.
const GAP: Source = Field(&["gap", "max_ns"]);

/// Of every workload.
pub const ANY: &[Entry] = &[
    Entry::new("started", Time, Source::Started, "when it was started, from t = 0"),
    Entry::new("ended", Time, Source::Ended, "when it ended, from t = 0"),
    Entry::new("duration", Time, Source::Took, "from the one to the other"),
    Entry::new("ok", Truth, Source::Ok, "whether it did what was asked"),
];

/// Of programs.
pub const PROGRAM: &[Entry] = &[Entry::new("exit", Number, Source::Exit, "its exit code, 128 + *n* for signal *n*")];

/// Of `ping`.
pub const PING: &[Entry] = &[
    Entry::new("", Time, Spread(&["rtt_ns"], PARTS), "round-trip times").windowed(),
    Entry::new("rtt", Time, Spread(&["rtt_ns"], PARTS), "the same, spelled out").windowed(),
    Entry::new("each", Time, R(Requests::Each), "the round-trip time of each answered request").over_time(),
    Entry::new("sent", Count, R(Requests::Sent), "requests sent").windowed(),
    Entry::new("received", Count, R(Requests::Received), "requests answered in time").windowed(),
    Entry::new("lost", Count, R(Requests::Lost), "requests not answered in time").windowed(),
    Entry::new("loss", Share, R(Requests::Loss), "lost ÷ sent").windowed(),
    Entry::new("interval.loss", Share, R(Requests::LossOverTime), "loss in each 100 ms").over_time(),
    Entry::new("unsent", Count, Field(&["unsent"]), "requests that the sender's own kernel refused"),
    Entry::new("pending", Count, Field(&["pending"]), "requests neither answered nor overdue when it had to stop"),
    Entry::new("late", Count, Field(&["late"]), "answered later than the timeout"),
    Entry::new("duplicates", Count, Field(&["duplicates"]), "replies beyond the first to a request"),
    Entry::new("skipped", Count, Field(&["skipped"]), "requests that the sender was too late for"),
    Entry::new("errors", Count, Sum(&["errors"]), "errors that the sender's kernel reported"),
    Entry::new("active", Time, Field(&["duration_ns"]), "from the first request to the end of the last wait"),
    Entry::new("gap.max", Time, GAP, "the longest silence"),
    Entry::new("wakeup", Time, Spread(&["wakeup_ns"], PARTS), "how long replies lay in the socket"),
];

/// Of `udp`.
pub const UDP: &[Entry] = &[
    Entry::new("sent", Count, S(Stream::Sent), "datagrams sent").windowed(),
    Entry::new("received", Count, S(Stream::Received), "datagrams that arrived, duplicates included").windowed(),
    Entry::new("received.bytes", Size, S(Stream::Bytes), "their payload").windowed(),
    Entry::new("lost", Count, S(Stream::Lost), "datagrams that did not arrive").windowed(),
    Entry::new("loss", Share, S(Stream::Loss), "lost ÷ (sent − inside)").windowed(),
    Entry::new("interval.loss", Share, S(Stream::LossOverTime), "loss in each interval").over_time(),
    Entry::new("throughput", Rate, S(Stream::Throughput), "payload that arrived per second").windowed(),
    Entry::new("interval.throughput", Rate, S(Stream::ThroughputOverTime), "the same in each interval").over_time(),
    Entry::new("inside", Count, Field(&["receiver", "inside"]), "datagrams still on their way at the end"),
    Entry::new("delay", Time, Spread(&["receiver", "delay_ns"], PARTS), "one-way delays").windowed(),
    Entry::new("interval.delay.mean", Time, S(Stream::MeanDelayOverTime), "the mean delay in each interval")
        .over_time(),
    Entry::new("interval.delay.max", Time, S(Stream::MaxDelayOverTime), "the largest delay in each interval")
        .over_time(),
    Entry::new("gap.max", Time, GAP, "the longest silence"),
    Entry::new("jitter", Time, Spread(&["receiver", "jitter_ns"], JITTER_PARTS), "interarrival jitter (RFC 3550)"),
    Entry::new("unique", Count, Field(&["receiver", "unique"]), "different datagrams that arrived"),
    Entry::new("duplicates", Count, Field(&["receiver", "duplicates"]), "datagrams that had come before"),
    Entry::new("reordered", Count, Field(&["receiver", "reordered"]), "datagrams that a later one overtook (RFC 4737)"),
    Entry::new("reorder_extent", Count, Field(&["receiver", "reorder_extent_max"]), "how many overtook one at most"),
    Entry::new("foreign", Count, Field(&["receiver", "foreign"]), "datagrams of nobody's stream"),
    Entry::new("socket_dropped", Count, Field(&["receiver", "socket_dropped"]), "dropped by the receiver's own socket"),
    Entry::new(
        "checksum_errors",
        Count,
        Field(&["receiver", "checksum_errors"]),
        "wrong UDP checksums at the receiver",
    ),
    Entry::new("receive_buffer", Size, Field(&["receiver", "receive_buffer"]), "the receiver's socket buffer"),
    Entry::new("wakeup", Time, Spread(&["receiver", "wakeup_ns"], PARTS), "how long datagrams lay in the socket"),
    Entry::new("planned", Count, Field(&["sender", "planned"]), "datagrams that were to be sent"),
    Entry::new("unsent", Count, Field(&["sender", "unsent"]), "datagrams that the sender's own kernel refused"),
    Entry::new("skipped", Count, Field(&["sender", "skipped"]), "planned datagrams that were not sent"),
    Entry::new("sent.bytes", Size, Field(&["sender", "bytes"]), "payload that was sent"),
    Entry::new("sent.rate", Rate, Field(&["sender", "rate_bps"]), "payload that was sent per second"),
    Entry::new("blocked", Count, Field(&["sender", "blocked"]), "how often the sender's buffer was full"),
    Entry::new("no_buffers", Count, Field(&["sender", "no_buffers"]), "how often the kernel was out of buffers"),
    Entry::new("errors", Count, Sum(&["sender", "errors"]), "errors that the sender's kernel reported"),
    Entry::new(
        "lateness",
        Time,
        Spread(&["sender", "lateness_ns"], PARTS),
        "how much later than due datagrams were sent",
    ),
    Entry::new("active", Time, Field(&["sender", "duration_ns"]), "from the first datagram to the last"),
];

/// Of `tcp`.
pub const TCP: &[Entry] = &[
    Entry::new(
        "goodput",
        Rate,
        A(Arrived::Goodput),
        "payload that arrived per second, from the first bytes to the last",
    )
    .windowed(),
    Entry::new(
        "goodput.whole",
        Rate,
        Field(&["receiver", "whole_bps"]),
        "the same from the accepted connection to its end",
    ),
    Entry::new("interval.goodput", Rate, A(Arrived::GoodputOverTime), "goodput in each interval").over_time(),
    Entry::new("bytes", Size, A(Arrived::Bytes), "payload that arrived").windowed(),
    Entry::new("gap.max", Time, GAP, "the longest silence"),
    Entry::new("sent.bytes", Size, Field(&["sender", "bytes"]), "payload given to the sender's kernel"),
    Entry::new("complete", Truth, Field(&["sender", "complete"]), "whether all of it arrived"),
    Entry::new("connect", Time, Field(&["sender", "connect_ns"]), "how long connecting took"),
    Entry::new("active", Time, Field(&["sender", "duration_ns"]), "from the connection to the receiver's close"),
    Entry::new("retransmits", Count, Field(&["sender", "tcp", "retransmits"]), "segments sent again"),
    Entry::new("retransmitted.bytes", Size, Field(&["sender", "tcp", "bytes_retransmitted"]), "payload sent again"),
    Entry::new("wire.bytes", Size, Field(&["sender", "tcp", "bytes_sent"]), "payload sent, repetitions included"),
    Entry::new("acked.bytes", Size, Field(&["sender", "tcp", "bytes_acked"]), "payload acknowledged"),
    Entry::new("lost", Count, Field(&["sender", "tcp", "lost"]), "segments held for lost at the end"),
    Entry::new("delivered", Count, Field(&["sender", "tcp", "delivered"]), "segments delivered"),
    Entry::new("delivered.ce", Count, Field(&["sender", "tcp", "delivered_ce"]), "of those, with an ECN mark"),
    Entry::new(
        "reordering_seen",
        Count,
        Field(&["sender", "tcp", "reordering_seen"]),
        "times that reordering was seen",
    ),
    Entry::new(
        "reordering",
        Count,
        Field(&["sender", "tcp", "reordering"]),
        "how much of it the sender tolerates, in segments",
    ),
    Entry::new(
        "dsack_duplicates",
        Count,
        Field(&["sender", "tcp", "dsack_duplicates"]),
        "segments repeated without need",
    ),
    Entry::new("rtt", Time, Field(&["sender", "tcp", "rtt_ns"]), "smoothed round-trip time at the end"),
    Entry::new("rtt.variation", Time, Field(&["sender", "tcp", "rtt_variation_ns"]), "its mean deviation"),
    Entry::new("rtt.min", Time, Field(&["sender", "tcp", "min_rtt_ns"]), "the smallest round-trip time seen lately"),
    Entry::new("congestion_window", Count, Field(&["sender", "tcp", "congestion_window"]), "in segments, at the end"),
    Entry::new(
        "slow_start_threshold",
        Count,
        Field(&["sender", "tcp", "slow_start_threshold"]),
        "in segments, at the end",
    ),
    Entry::new("segment", Size, Field(&["sender", "tcp", "segment_bytes"]), "payload of a full segment"),
    Entry::new("delivery_rate", Rate, Field(&["sender", "tcp", "delivery_rate_bps"]), "the kernel's last estimate"),
    Entry::new("busy", Time, Field(&["sender", "tcp", "busy_ns"]), "time with data outstanding"),
    Entry::new(
        "receive_window_limited",
        Time,
        Field(&["sender", "tcp", "receive_window_limited_ns"]),
        "of that, held up by the receiver",
    ),
    Entry::new(
        "send_buffer_limited",
        Time,
        Field(&["sender", "tcp", "send_buffer_limited_ns"]),
        "of that, held up by the sender's buffer",
    ),
];

/// Of links: of each direction.
pub const LINK: &[Entry] = &[
    Entry::new("offered", Count, D(Direction::Offered), "frames that the near end sent"),
    Entry::new("offered.bytes", Size, D(Direction::OfferedBytes), "their bytes"),
    Entry::new("delivered", Count, D(Direction::Delivered), "frames that arrived").windowed(),
    Entry::new("delivered.bytes", Size, D(Direction::DeliveredBytes), "their bytes").windowed(),
    Entry::new("delivered.rate", Rate, D(Direction::Rate), "their bytes per second").windowed(),
    Entry::new("interval.delivered", Count, D(Direction::DeliveredOverTime), "frames that arrived in each interval")
        .over_time(),
    Entry::new("interval.rate", Rate, D(Direction::RateOverTime), "their bytes per second").over_time(),
    Entry::new("dropped", Count, D(Direction::Dropped), "frames dropped, whatever the cause").windowed(),
    Entry::new("interval.dropped", Count, D(Direction::DroppedOverTime), "the same in each interval").over_time(),
    Entry::new("loss", Share, D(Direction::Loss), "dropped ÷ (dropped + delivered), whatever the cause").windowed(),
    Entry::new("interval.loss", Share, D(Direction::LossOverTime), "the same in each interval").over_time(),
    Entry::new("delay", Time, Source::Delay(DELAY_PARTS), "from offered to delivered, queue included, in model time"),
    Entry::new("queue.max", Count, D(Direction::QueueMax), "the most frames that waited at any look").windowed(),
    Entry::new("queue.mean", Count, D(Direction::QueueMean), "the mean of all looks").windowed(),
    Entry::new("queue", Count, D(Direction::Queue), "frames that waited at each look").over_time(),
    Entry::new("originated", Count, D(Direction::Originated), "resets of TCP connections that it made"),
    Entry::new("duplicated", Count, D(Direction::Duplicated), "copies made on the wire"),
    Entry::new("corrupted", Count, D(Direction::Corrupted), "frames whose bits were changed"),
    Entry::new("marked", Count, D(Direction::Marked), "frames that the queue marked (ECN)"),
    Entry::new("reordered", Count, D(Direction::Reordered), "frames that a later one overtook"),
    Entry::new("clamped", Count, D(Direction::Clamped), "delays drawn negative, and made zero"),
    Entry::new("inside", Count, D(Direction::Inside), "frames still inside at the end"),
];

/// Of switches, hubs, routers, and regions of clouds.
pub const NODE: &[Entry] = &[
    Entry::new("received", Count, N(Node::Received), "frames that links delivered to it"),
    Entry::new("originated", Count, N(Node::Originated), "frames of its own"),
    Entry::new("replicated", Count, N(Node::Replicated), "copies made for flooding"),
    Entry::new("sent", Count, N(Node::Sent), "frames that it gave to links"),
    Entry::new("consumed", Count, N(Node::Consumed), "frames meant for it"),
    Entry::new("held", Count, N(Node::Held), "frames that still waited for a neighbour's address"),
    Entry::new("dropped", Count, N(Node::Dropped), "frames dropped, whatever the cause"),
];

/// Of routers with NAT.
pub const NAT: &[Entry] = &[
    Entry::new("nat.made", Count, Source::Nat("made"), "mappings made"),
    Entry::new("nat.live", Count, Source::Nat("live"), "mappings there at the end"),
    Entry::new("nat.peak", Count, Source::Nat("peak"), "the most at a time"),
    Entry::new("nat.expired", Count, Source::Nat("expired"), "mappings that timed out"),
    Entry::new("nat.rebinds", Count, Source::Nat("rebinds"), "how often all were forgotten"),
    Entry::new("nat.translated", Count, Source::Nat("translated"), "frames translated, either way"),
    Entry::new("nat.ipv6", Count, Source::Nat("ipv6"), "IPv6 frames that passed it untranslated"),
];

/// `dropped.CAUSE` of links.
pub const LINK_CAUSE: Entry = Entry::new("dropped", Count, D(Direction::DroppedBy), "frames dropped for that cause");
/// `dropped.CAUSE` of nodes.
pub const NODE_CAUSE: Entry = Entry::new("dropped", Count, N(Node::DroppedBy), "frames dropped for that cause");
/// `firewall.RULE` of routers.
pub const RULE: Entry = Entry::new("firewall", Count, N(Node::Rule), "packets that the rule decided about");
/// `firewall.RULE.bytes` of routers.
pub const RULE_BYTES: Entry = Entry::new("firewall", Size, N(Node::RuleBytes), "their bytes");

#[cfg(test)]
mod tests {
    use super::*;

    const TABLES: [(&str, &[Entry]); 7] =
        [("any", ANY), ("program", PROGRAM), ("ping", PING), ("udp", UDP), ("tcp", TCP), ("link", LINK), ("nat", NAT)];

    #[test]
    fn every_path_is_there_once() {
        for (name, table) in TABLES.into_iter().chain([("node", NODE)]) {
            let mut paths: Vec<String> = Vec::new();
            for entry in table {
                let point = if entry.path.is_empty() { "" } else { "." };
                match entry.parts() {
                    [] => paths.push(entry.path.to_owned()),
                    parts => paths.extend(parts.iter().map(|part| format!("{}{point}{part}", entry.path))),
                }
            }
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
            "first_at_ns",
            "last_at_ns",
            "accepted_at_ns",
            "first_difference",
            "samples_omitted",
            "missing_omitted",
            "until_ns",
        ];
        let special = ["sent", "received", "lost", "bytes", "throughput_bps", "goodput_bps", "count"];
        let struct_fields = |text: &str, name: &str| -> Vec<String> {
            let body =
                text.split(&format!("pub struct {name} {{")).nth(1).expect(name).split("\n}").next().expect(name);
            let fields = body.lines().filter_map(|line| line.trim().strip_prefix("pub "));
            let fields = fields.filter(|f| f.contains("u64") || f.contains("Percentiles") || f.contains("Jitter"));
            fields.filter(|f| !f.contains("Vec<")).filter_map(|f| Some(f.split(':').next()?.to_owned())).collect()
        };
        let text = include_str!("../../workload/report.rs");
        for (table, structs) in [
            (PING, vec!["PingReport"]),
            (UDP, vec!["UdpSendReport", "UdpReceiveReport"]),
            (TCP, vec!["TcpSendReport", "TcpReceiveReport", "TcpInfo"]),
        ] {
            let named: Vec<&str> = table
                .iter()
                .filter_map(|entry| match entry.source {
                    Field(at) | Spread(at, _) | Sum(at) => at.last().copied(),
                    _ => None,
                })
                .collect();
            for field in structs.iter().flat_map(|name| struct_fields(text, name)) {
                let known = [&named[..], &unnamed, &special].iter().any(|list| list.contains(&field.as_str()));
                assert!(known, "{structs:?} has `{field}`, and no path leads to it");
            }
        }
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
                    Time => "time",
                    Rate => "rate",
                    Share => "share",
                    Size => "size",
                    Count => "count",
                    Number => "number",
                    Truth => "truth",
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
