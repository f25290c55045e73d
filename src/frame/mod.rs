//! Frames inside the engine: trains of wire frames whose bytes live in a pool.
//!
//! A TAP with the virtio-net header hands over super-frames: one header, up to 64 KiB of payload, to be cut into wire
//! frames of one size. Such a **train** travels whole wherever that changes nothing, but is counted, queued, shaped and
//! lost wire frame by wire frame. A [`Frame`] names a stretch of consecutive wire frames of one train; a plain frame is a
//! train of one. Splitting and flooding copy no bytes: stretches share the pool's slot.
//!
//! A frame leaves by exactly one door, delivered or dropped with a [`DropCause`], and its stretch goes back to the pool
//! there: [`FramePool::release`]. [`FramePool::live`] counts what has not.

mod pieces;
mod pool;
mod view;

use std::num::{NonZeroU16, NonZeroU64};

use serde::Serialize;

use crate::units::Instant;
pub use pieces::{Piece, Rest};
pub use pool::{FramePool, Unfit};
pub use view::{Cut, FrameView};

/// Bytes of a frame's head that every frame owns: Ethernet to TCP with options and two VLAN tags, and all of an ACK.
pub const HEAD_BYTES: usize = 192;
/// The most bytes that a head ever has: there is room for two VLAN tags that were not there when it came.
pub const HEAD_ROOM: usize = HEAD_BYTES + 8;
/// The most slices that a frame's bytes lie in: its head, and the pieces behind it.
pub const PARTS: usize = 2 + pieces::MOST;
/// The bit of a number that marks a duplicate: no direction numbers 2^63 frames.
const COPY: u64 = 1 << 63;
/// The bit of a number that marks a frame which a direction made in answer to the one with this number. No offered frame has
/// a number as high.
pub const FIRST_ORIGINATED: u64 = 1 << 62;
/// Beside that: it goes back to the sender of that one, which was of the other direction of the link.
const BACK: u64 = 1 << 61;

/// Consecutive wire frames of one train, on their way. 24 bytes; moved by value, never cloned: see [`FramePool::share`].
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a frame leaves by exactly one door: deliver it, or drop it with a cause, then release it to the pool"]
pub struct Frame {
    /// The pool's slot (32 bits), the position of the first of these wire frames within the train (16), and how many they are
    /// (16, never 0). One word, because a frame is moved at every step of its way: several small fields move in pieces
    /// that the processor has to put together again, and an `Option` would need room of its own.
    stretch: NonZeroU64,
    /// Number of the first wire frame at the direction it is in, from 0: random draws depend on it.
    pub(crate) number: u64,
    /// When it was offered to the direction it is in.
    pub(crate) offered: Instant,
}

impl Frame {
    #[inline]
    fn new(slot: u32, first: u16, count: NonZeroU16) -> Frame {
        Frame { stretch: stretch(slot, first, count), number: 0, offered: Instant::ZERO }
    }

    #[inline]
    fn slot(&self) -> u32 {
        self.stretch.get() as u32
    }

    #[inline]
    fn first(&self) -> u16 {
        (self.stretch.get() >> 32) as u16
    }

    /// Other wire frames of the same train.
    #[inline]
    fn set(&mut self, first: u16, count: u64) {
        let count =
            u16::try_from(count).ok().and_then(NonZeroU16::new).expect("a stretch holds 1 to 65,535 wire frames");
        self.stretch = stretch(self.slot(), first, count);
    }

    /// The same wire frames, in another slot.
    fn move_to(&mut self, slot: u32) {
        self.stretch = NonZeroU64::new(self.stretch.get() >> 32 << 32 | u64::from(slot)).expect("a stretch has frames");
    }

    /// How many wire frames these are.
    #[inline]
    pub fn count(&self) -> u64 {
        self.stretch.get() >> 48
    }

    /// Number of the first of them at the direction it is in.
    pub(crate) fn number(&self) -> u64 {
        self.number & !COPY
    }

    /// Marks a duplicate, until it is offered to another direction.
    pub(crate) fn mark_copy(&mut self) {
        self.number |= COPY;
    }

    /// Marks a frame that its direction makes in answer to the one with this number.
    pub(crate) fn mark_originated(&mut self, answered: u64, back: bool) {
        self.number = answered | FIRST_ORIGINATED | if back { BACK } else { 0 };
    }

    /// The number of the frame that it was made in answer to, if it was.
    pub(crate) fn answered(&self) -> Option<u64> {
        (self.number & FIRST_ORIGINATED != 0).then_some(self.number & !(COPY | FIRST_ORIGINATED | BACK))
    }

    /// Whether it is a duplicate that its direction made.
    pub(crate) fn is_copy(&self) -> bool {
        self.number & COPY != 0
    }

    #[cfg(test)]
    pub(crate) fn first_for_tests(&self) -> u16 {
        self.first()
    }

    /// Whether `next` follows directly behind `self` in the same train.
    #[inline]
    pub(crate) fn is_followed_by(&self, next: &Frame) -> bool {
        self.slot() == next.slot()
            && u64::from(self.first()) + self.count() == u64::from(next.first())
            && self.number + self.count() == next.number
            && self.offered == next.offered
    }
}

#[inline]
fn stretch(slot: u32, first: u16, count: NonZeroU16) -> NonZeroU64 {
    let word = u64::from(slot) | u64::from(first) << 32 | u64::from(count.get()) << 48;
    NonZeroU64::new(word).expect("a stretch has frames")
}

/// Why a frame was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DropCause {
    /// Lost on the wire by a loss model.
    Loss,
    /// The queue's limit.
    QueueFull,
    /// The control law of a queue: RED, CoDel, FQ-CoDel or PIE told the sender to slow down.
    Aqm,
    /// The queue shrank by a live change, and this frame stood at its tail.
    QueueResized,
    /// The link was down, or went down while the frame waited or was being sent.
    LinkDown,
    /// Larger than the link's MTU.
    Mtu,
    /// A segment of TCP whose connection was reset: both ends get a reset in its place.
    Reset,
    /// A switch or hub with no other port to send it to.
    NoPort,
    /// A switch that knows the destination behind the port that the frame came from.
    SamePort,
    /// A header that says what cannot be, or a frame too short to have one.
    Malformed,
    /// A router that is not meant: the frame is for another station of the segment.
    OtherHost,
    /// A router that does not know what the frame carries.
    Unsupported,
    /// The packet's TTL or hop limit was used up.
    TtlExceeded,
    /// A router without a route to the destination.
    NoRoute,
    /// The next hop did not say its MAC address.
    Unreachable,
    /// A firewall's rule.
    Firewall,
    /// NAT: nobody inside is mapped to what it was sent to, or the flow that an ICMP error is about is not known.
    NatNoMapping,
    /// NAT: there is a mapping, and its filter does not let this sender in (RFC 4787 §5).
    NatFiltered,
    /// NAT: no port is left, or the limit of sessions or of a host's mappings is reached.
    NatFull,
    /// NAT: a later fragment, and the first of its packet, which alone has the ports, has not passed.
    NatFragment,
    /// IPv6 at a router with NAT: it came from outside, and nobody inside had asked for it (RFC 6092).
    NatUnsolicited,
    /// A port of a switch that is not in the frame's VLAN.
    Vlan,
    /// A port of a switch that the spanning tree keeps blocked.
    Blocked,
    /// More frames to all than a switch's storm control lets through.
    Storm,
    /// To a group that bridges keep to one link, such as spanning tree and LLDP (IEEE 802.1D §7.12.6).
    Reserved,
    /// It came to a node that is down.
    NodeDown,
    /// It came to a port, or from one, whose interface is gone: deleted, moved away, or its machine has ended.
    PortDown,
    /// It came to a host from one that a partition or a one-way block keeps apart from it.
    Partition,
}

impl DropCause {
    /// All causes, in the order of reports.
    pub const ALL: [DropCause; 28] = [
        DropCause::Loss,
        DropCause::QueueFull,
        DropCause::Aqm,
        DropCause::QueueResized,
        DropCause::LinkDown,
        DropCause::Mtu,
        DropCause::Reset,
        DropCause::NoPort,
        DropCause::SamePort,
        DropCause::Malformed,
        DropCause::OtherHost,
        DropCause::Unsupported,
        DropCause::TtlExceeded,
        DropCause::NoRoute,
        DropCause::Unreachable,
        DropCause::Firewall,
        DropCause::NatNoMapping,
        DropCause::NatFiltered,
        DropCause::NatFull,
        DropCause::NatFragment,
        DropCause::NatUnsolicited,
        DropCause::Vlan,
        DropCause::Blocked,
        DropCause::Storm,
        DropCause::Reserved,
        DropCause::NodeDown,
        DropCause::PortDown,
        DropCause::Partition,
    ];

    /// The cause's name in reports and expectations.
    pub const fn name(self) -> &'static str {
        match self {
            DropCause::Loss => "loss",
            DropCause::QueueFull => "queue_full",
            DropCause::Aqm => "aqm",
            DropCause::QueueResized => "queue_resized",
            DropCause::LinkDown => "link_down",
            DropCause::Mtu => "mtu",
            DropCause::Reset => "reset",
            DropCause::NoPort => "no_port",
            DropCause::SamePort => "same_port",
            DropCause::Malformed => "malformed",
            DropCause::OtherHost => "other_host",
            DropCause::Unsupported => "unsupported",
            DropCause::TtlExceeded => "ttl_exceeded",
            DropCause::NoRoute => "no_route",
            DropCause::Unreachable => "unreachable",
            DropCause::Firewall => "firewall",
            DropCause::NatNoMapping => "nat_no_mapping",
            DropCause::NatFiltered => "nat_filtered",
            DropCause::NatFull => "nat_full",
            DropCause::NatFragment => "nat_fragment",
            DropCause::NatUnsolicited => "nat_unsolicited",
            DropCause::Vlan => "vlan",
            DropCause::Blocked => "blocked",
            DropCause::Storm => "storm",
            DropCause::Reserved => "reserved",
            DropCause::NodeDown => "node_down",
            DropCause::PortDown => "port_down",
            DropCause::Partition => "partition",
        }
    }
}
