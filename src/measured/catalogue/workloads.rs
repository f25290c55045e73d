//! What can be measured of workloads.

use std::collections::BTreeMap;

use super::Late::{self, Complete, Errors, Exact, Fewer, Frames, Gap, Reacts, Reordered};
use super::{Arrived, Entry, Requests, Source, Stream};
use crate::measured::Unit::{self, Count, Rate, Share, Size, Time, Truth};
use crate::measured::{Measured, Times};

/// What reads as a number.
trait AsNumber {
    fn number(&self) -> Option<f64>;
}

impl AsNumber for u64 {
    fn number(&self) -> Option<f64> {
        Some(*self as f64)
    }
}

impl AsNumber for bool {
    fn number(&self) -> Option<f64> {
        Some(f64::from(u8::from(*self)))
    }
}

impl AsNumber for Option<u64> {
    fn number(&self) -> Option<f64> {
        self.map(|number| number as f64)
    }
}

/// All of them together.
impl AsNumber for BTreeMap<String, u64> {
    fn number(&self) -> Option<f64> {
        self.values().sum::<u64>().number()
    }
}

/// Where a number is: `of!(udp_sender.planned)`.
macro_rules! of {
    ($part:ident . $field:ident) => {
        |m| m.$part()?.$field.number()
    };
}

const fn number(
    path: &'static str,
    unit: Unit,
    get: fn(&Measured) -> Option<f64>,
    late: Late,
    about: &'static str,
) -> Entry {
    Entry::new(path, unit, Source::Number(get, late), about)
}

const fn times(path: &'static str, get: fn(&Measured) -> Option<&Times>, about: &'static str) -> Entry {
    Entry::new(path, Time, Source::Times(get), about)
}

const fn requests(path: &'static str, unit: Unit, of: Requests, about: &'static str) -> Entry {
    Entry::new(path, unit, Source::Requests(of), about)
}

const fn stream(path: &'static str, unit: Unit, of: Stream, about: &'static str) -> Entry {
    Entry::new(path, unit, Source::Stream(of), about)
}

const fn arrived(path: &'static str, unit: Unit, of: Arrived, about: &'static str) -> Entry {
    Entry::new(path, unit, Source::Arrived(of), about)
}

/// Of every workload that hears something.
const GAP: Entry = number("gap.max", Time, |m| m.gap()?.max_ns.number(), Gap, "the longest silence");

/// Of every workload.
pub const ANY: &[Entry] = &[
    Entry::new("started", Time, Source::Started, "when it was started, from t = 0"),
    Entry::new("ended", Time, Source::Ended, "when it ended, from t = 0"),
    Entry::new("duration", Time, Source::Took, "from the one to the other"),
    Entry::new("ok", Truth, Source::Ok, "whether it did what was asked"),
];

/// Of programs.
pub const PROGRAM: &[Entry] =
    &[Entry::new("exit", Unit::Number, Source::Exit, "its exit code, 128 + *n* for signal *n*")];

/// Of `ping`.
pub const PING: &[Entry] = &[
    Entry::new("", Time, Source::RoundTrips, "round-trip times").windowed(),
    Entry::new("rtt", Time, Source::RoundTrips, "the same, spelled out").windowed(),
    requests("each", Time, Requests::Each, "the round-trip time of each answered request").over_time(),
    requests("sent", Count, Requests::Sent, "requests sent").windowed(),
    requests("received", Count, Requests::Received, "requests answered in time").windowed(),
    requests("lost", Count, Requests::Lost, "requests not answered in time").windowed(),
    requests("loss", Share, Requests::Loss, "lost ÷ sent").windowed(),
    requests("interval.loss", Share, Requests::LossOverTime, "loss in each 100 ms").over_time(),
    number("unsent", Count, of!(ping.unsent), Exact, "requests that the sender's own kernel refused"),
    number("pending", Count, of!(ping.pending), Fewer, "requests neither answered nor overdue when it had to stop"),
    number("late", Count, of!(ping.late), Fewer, "answered later than the timeout"),
    number("duplicates", Count, of!(ping.duplicates), Exact, "replies beyond the first to a request"),
    number("skipped", Count, of!(ping.skipped), Exact, "requests that the sender was too late for"),
    number("errors", Count, of!(ping.errors), Errors, "errors that the sender's kernel reported"),
    number("active", Time, of!(ping.duration_ns), Exact, "from the first request to the end of the last wait"),
    GAP,
    times("wakeup", |m| m.ping()?.wakeup_ns.as_ref(), "how long replies lay in the socket"),
];

/// Of `udp`.
pub const UDP: &[Entry] = &[
    stream("sent", Count, Stream::Sent, "datagrams sent").windowed(),
    stream("received", Count, Stream::Received, "datagrams that arrived, duplicates included").windowed(),
    stream("received.bytes", Size, Stream::Bytes, "their payload").windowed(),
    stream("lost", Count, Stream::Lost, "datagrams that did not arrive").windowed(),
    stream("loss", Share, Stream::Loss, "lost ÷ (sent − inside)").windowed(),
    stream("interval.loss", Share, Stream::LossOverTime, "loss in each interval").over_time(),
    stream("throughput", Rate, Stream::Throughput, "payload that arrived per second").windowed(),
    stream("interval.throughput", Rate, Stream::ThroughputOverTime, "the same in each interval").over_time(),
    number("inside", Count, of!(udp_receiver.inside), Exact, "datagrams still on their way at the end"),
    Entry::new("delay", Time, Source::OneWay, "one-way delays").windowed(),
    stream("interval.delay.mean", Time, Stream::MeanDelayOverTime, "the mean delay in each interval").over_time(),
    stream("interval.delay.max", Time, Stream::MaxDelayOverTime, "the largest delay in each interval").over_time(),
    GAP,
    Entry::new("jitter", Time, Source::Jitter, "interarrival jitter (RFC 3550)"),
    number("unique", Count, of!(udp_receiver.unique), Frames, "different datagrams that arrived"),
    number("duplicates", Count, of!(udp_receiver.duplicates), Frames, "datagrams that had come before"),
    number(
        "reordered",
        Count,
        of!(udp_receiver.reordered),
        Reordered,
        "datagrams that a later one overtook (RFC 4737)",
    ),
    number("reorder_extent", Count, of!(udp_receiver.reorder_extent_max), Reordered, "how many overtook one at most"),
    number("foreign", Count, of!(udp_receiver.foreign), Exact, "datagrams of nobody's stream"),
    number("socket_dropped", Count, of!(udp_receiver.socket_dropped), Fewer, "dropped by the receiver's own socket"),
    number("checksum_errors", Count, of!(udp_receiver.checksum_errors), Frames, "wrong UDP checksums at the receiver"),
    number("receive_buffer", Size, of!(udp_receiver.receive_buffer), Exact, "the receiver's socket buffer"),
    times("wakeup", |m| m.udp_receiver()?.wakeup_ns.as_ref(), "how long datagrams lay in the socket"),
    number("planned", Count, of!(udp_sender.planned), Exact, "datagrams that were to be sent"),
    number("unsent", Count, of!(udp_sender.unsent), Exact, "datagrams that the sender's own kernel refused"),
    number("skipped", Count, of!(udp_sender.skipped), Exact, "planned datagrams that were not sent"),
    number("sent.bytes", Size, of!(udp_sender.bytes), Exact, "payload that was sent"),
    number("sent.rate", Rate, of!(udp_sender.rate_bps), Exact, "payload that was sent per second"),
    number("blocked", Count, of!(udp_sender.blocked), Exact, "how often the sender's buffer was full"),
    number("no_buffers", Count, of!(udp_sender.no_buffers), Exact, "how often the kernel was out of buffers"),
    number("errors", Count, of!(udp_sender.errors), Errors, "errors that the sender's kernel reported"),
    times("lateness", |m| m.udp_sender()?.lateness_ns.as_ref(), "how much later than due datagrams were sent"),
    number("active", Time, of!(udp_sender.duration_ns), Exact, "from the first datagram to the last"),
];

/// Of `tcp`.
pub const TCP: &[Entry] = &[
    arrived("goodput", Rate, Arrived::Goodput, "payload that arrived per second, from the first bytes to the last")
        .windowed(),
    number(
        "goodput.whole",
        Rate,
        of!(tcp_receiver.whole_bps),
        Reacts,
        "the same from the accepted connection to its end",
    ),
    arrived("interval.goodput", Rate, Arrived::GoodputOverTime, "goodput in each interval").over_time(),
    arrived("bytes", Size, Arrived::Bytes, "payload that arrived").windowed(),
    GAP,
    number("sent.bytes", Size, of!(tcp_sender.bytes), Reacts, "payload given to the sender's kernel"),
    number("complete", Truth, of!(tcp_sender.complete), Complete, "whether all of it arrived"),
    number("connect", Time, of!(tcp_sender.connect_ns), Reacts, "how long connecting took"),
    number("active", Time, of!(tcp_sender.duration_ns), Reacts, "from the connection to the receiver's close"),
    number("retransmits", Count, of!(tcp_info.retransmits), Reacts, "retransmitted segments"),
    number("retransmitted.bytes", Size, of!(tcp_info.bytes_retransmitted), Reacts, "retransmitted payload"),
    number("wire.bytes", Size, of!(tcp_info.bytes_sent), Reacts, "payload sent, repetitions included"),
    number("acked.bytes", Size, of!(tcp_info.bytes_acked), Reacts, "payload acknowledged"),
    number("lost", Count, of!(tcp_info.lost), Reacts, "segments held for lost at the end"),
    number("delivered", Count, of!(tcp_info.delivered), Reacts, "segments delivered"),
    number("delivered.ce", Count, of!(tcp_info.delivered_ce), Reacts, "of those, with an ECN mark"),
    number("reordering_seen", Count, of!(tcp_info.reordering_seen), Reacts, "times that reordering was seen"),
    number("reordering", Count, of!(tcp_info.reordering), Reacts, "how much of it the sender tolerates, in segments"),
    number("dsack_duplicates", Count, of!(tcp_info.dsack_duplicates), Reacts, "segments repeated without need"),
    number("rtt", Time, of!(tcp_info.rtt_ns), Reacts, "smoothed round-trip time at the end"),
    number("rtt.variation", Time, of!(tcp_info.rtt_variation_ns), Reacts, "its mean deviation"),
    number("rtt.min", Time, of!(tcp_info.min_rtt_ns), Reacts, "the smallest round-trip time seen lately"),
    number("congestion_window", Count, of!(tcp_info.congestion_window), Reacts, "in segments, at the end"),
    number("slow_start_threshold", Count, of!(tcp_info.slow_start_threshold), Reacts, "in segments, at the end"),
    number("receiver_window", Size, of!(tcp_info.receiver_window), Reacts, "as the receiver advertised it, at the end"),
    number("segment", Size, of!(tcp_info.segment_bytes), Reacts, "payload of a full segment"),
    number("delivery_rate", Rate, of!(tcp_info.delivery_rate_bps), Reacts, "the kernel's last estimate"),
    number("busy", Time, of!(tcp_info.busy_ns), Reacts, "time with data outstanding"),
    number(
        "receive_window_limited",
        Time,
        of!(tcp_info.receive_window_limited_ns),
        Reacts,
        "of that, held up by the receiver",
    ),
    number(
        "send_buffer_limited",
        Time,
        of!(tcp_info.send_buffer_limited_ns),
        Reacts,
        "of that, held up by the sender's buffer",
    ),
];
