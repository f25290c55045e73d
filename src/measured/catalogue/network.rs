//! What can be measured of links and nodes.

use super::{Direction, Entry, Late, Node, Source};
use crate::measured::Unit::{self, Count, Rate, Share, Size, Time};

const fn link(path: &'static str, unit: Unit, of: Direction, about: &'static str) -> Entry {
    Entry::new(path, unit, Source::Direction(of), about)
}

const fn node(path: &'static str, unit: Unit, of: Node, about: &'static str) -> Entry {
    Entry::new(path, unit, Source::Node(of), about)
}

/// Of links: of each direction.
pub const LINK: &[Entry] = &[
    link("offered", Count, Direction::Offered, "frames that the near end sent"),
    link("offered.bytes", Size, Direction::OfferedBytes, "their bytes"),
    link("delivered", Count, Direction::Delivered, "frames that arrived").windowed(),
    link("delivered.bytes", Size, Direction::DeliveredBytes, "their bytes").windowed(),
    link("delivered.rate", Rate, Direction::Rate, "their bytes per second").windowed(),
    link("interval.delivered", Count, Direction::DeliveredOverTime, "frames that arrived in each interval").over_time(),
    link("interval.rate", Rate, Direction::RateOverTime, "their bytes per second").over_time(),
    link("dropped", Count, Direction::Dropped, "frames dropped, whatever the cause").windowed(),
    link("interval.dropped", Count, Direction::DroppedOverTime, "the same in each interval").over_time(),
    link("loss", Share, Direction::Loss, "dropped ÷ (dropped + delivered), whatever the cause").windowed(),
    link("interval.loss", Share, Direction::LossOverTime, "the same in each interval").over_time(),
    Entry::new("delay", Time, Source::Delay, "from offered to delivered, queue included, in model time"),
    link("queue.max", Count, Direction::QueueMax, "the most frames that waited at any look").windowed(),
    link("queue.mean", Count, Direction::QueueMean, "the mean of all looks").windowed(),
    link("queue", Count, Direction::Queue, "frames that waited at each look").over_time(),
    link("originated", Count, Direction::Originated, "resets of TCP connections that it made"),
    link("duplicated", Count, Direction::Duplicated, "copies made on the wire"),
    link("corrupted", Count, Direction::Corrupted, "frames whose bits were changed"),
    link("marked", Count, Direction::Marked, "frames that the queue marked (ECN)"),
    link("reordered", Count, Direction::Reordered, "frames that a later one overtook"),
    link("clamped", Count, Direction::Clamped, "delays drawn negative, and made zero"),
    link("inside", Count, Direction::Inside, "frames still inside at the end"),
];

/// Of switches, hubs, routers, and regions of clouds.
pub const NODE: &[Entry] = &[
    node("received", Count, Node::Received, "frames that links delivered to it"),
    node("originated", Count, Node::Originated, "frames of its own"),
    node("replicated", Count, Node::Replicated, "copies made for flooding"),
    node("sent", Count, Node::Sent, "frames that it gave to links"),
    node("consumed", Count, Node::Consumed, "frames meant for it"),
    node("held", Count, Node::Held, "frames that still waited for a neighbour's address"),
    node("dropped", Count, Node::Dropped, "frames dropped, whatever the cause"),
];

/// Of routers with NAT.
pub const NAT: &[Entry] = &[
    Entry::new("nat.made", Count, Source::Nat(|nat| nat.made, Late::Exact), "mappings made"),
    Entry::new("nat.live", Count, Source::Nat(|nat| nat.live, Late::Unknown), "mappings there at the end"),
    Entry::new("nat.peak", Count, Source::Nat(|nat| nat.peak, Late::Unknown), "the most at a time"),
    Entry::new("nat.expired", Count, Source::Nat(|nat| nat.expired, Late::Unknown), "mappings that timed out"),
    Entry::new("nat.rebinds", Count, Source::Nat(|nat| nat.rebinds, Late::Exact), "how often all were forgotten"),
    Entry::new(
        "nat.translated",
        Count,
        Source::Nat(|nat| nat.translated, Late::Exact),
        "frames translated, either way",
    ),
    Entry::new("nat.ipv6", Count, Source::Nat(|nat| nat.ipv6, Late::Exact), "IPv6 frames that passed it untranslated"),
];

/// `dropped.CAUSE` of links.
pub const LINK_CAUSE: Entry = link("dropped", Count, Direction::DroppedBy, "frames dropped for that cause");
/// `dropped.CAUSE` of nodes.
pub const NODE_CAUSE: Entry = node("dropped", Count, Node::DroppedBy, "frames dropped for that cause");
/// `firewall.RULE` of routers.
pub const RULE: Entry = node("firewall", Count, Node::Rule, "packets that the rule decided about");
/// `firewall.RULE.bytes` of routers.
pub const RULE_BYTES: Entry = node("firewall", Size, Node::RuleBytes, "their bytes");
