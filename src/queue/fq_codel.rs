//! FQ-CoDel: a CoDel for each flow, and the flows in turns (RFC 8290). A hash of the 5-tuple puts each frame into one of
//! many queues; queues are served by deficit round robin, those that became busy just now before the others. So a bulk
//! flow waits behind itself only, and a flow that sends little hardly waits at all.

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Doors;
use super::backlog::Backlog;
use super::codel::{Control, Law, check_times};
use super::spec::Checked;
use crate::frame::{DropCause, Frame, FramePool};
use crate::rng::StreamKey;
use crate::units::{ByteSize, Duration, Instant};
use crate::wire::summary::{Addresses, FrameSummary};
use rand_xoshiro::rand_core::Rng;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// FQ-CoDel: a CoDel for each flow, and the flows in turns (RFC 8290). Short form: `queue: fq_codel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "FqCodel")]
pub struct FqCodelSpec {
    /// So many queues, 1 to 65536, into which flows are hashed. By default 1024.
    #[schemars(range(min = 1, max = 65536))]
    pub flows: u32,
    /// Bytes that a flow may send in its turn, 256B to 1MB. By default 1514B, a full Ethernet frame.
    pub quantum: ByteSize,
    /// The wait that may stand in one flow. By default 5ms.
    pub target: Duration,
    /// In which the wait of a flow must fall below the target once. By default 100ms.
    pub interval: Duration,
    /// At most so many wire frames wait in all; the flow with the most bytes gives way (`queue_full`). By default 10240.
    pub limit: u32,
    /// At most so many bytes wait in all. By default 32MiB.
    pub memory: ByteSize,
    /// ECN-capable packets are marked instead of dropped. By default true.
    pub ecn: bool,
}

impl Default for FqCodelSpec {
    /// RFC 8290 §5.2; the limit of memory is that of Linux.
    fn default() -> FqCodelSpec {
        FqCodelSpec {
            flows: 1024,
            quantum: ByteSize::from_bytes(1514),
            target: Duration::from_millis(5),
            interval: Duration::from_millis(100),
            limit: 10_240,
            memory: ByteSize::from_bytes(32 << 20),
            ecn: true,
        }
    }
}

impl Checked for FqCodelSpec {
    fn check(&self) -> Result<(), String> {
        if !(1..=65_536).contains(&self.flows) {
            return Err(format!("`flows` of {} is out of range: 1 to 65536", self.flows));
        }
        if !(256..=1_000_000).contains(&self.quantum.as_bytes()) {
            return Err(format!("a `quantum` of {} is out of range: 256B to 1MB", self.quantum));
        }
        check_times(self.target, self.interval)
    }
}

/// Dropped at once, at most, when a limit is exceeded (RFC 8290 §4.1): half of the longest queue, and no more than this.
const BATCH: u64 = 64;

/// No flow yet.
const NONE: u32 = u32::MAX;

/// One flow, or several whose hashes fall together. Made when its first frame waits, and kept.
#[derive(Debug, Default)]
struct Flow {
    backlog: Backlog,
    control: Control,
    /// Bytes that it may still send in this turn.
    deficit: i64,
    /// Whether it stands in one of the lists.
    listed: bool,
}

/// Frames by flow, each flow under CoDel, served in turns.
#[derive(Debug)]
pub struct FqCodel {
    spec: FqCodelSpec,
    hash_seed: u64,
    /// By hash the flow's place in `flows`. Made for the first frame that waits.
    of_hash: Vec<u32>,
    flows: Vec<Flow>,
    /// Flows that became busy and have not used up their first quantum.
    new: VecDeque<u32>,
    /// All other flows, in the order of their turns.
    old: VecDeque<u32>,
    frames: u64,
    bytes: u64,
    max_packet: u64,
}

impl FqCodel {
    /// An empty queue. Which flows share a queue depends on `key`.
    pub fn new(spec: FqCodelSpec, key: StreamKey) -> FqCodel {
        FqCodel {
            spec,
            hash_seed: key.frame(0, 0).next_u64(),
            of_hash: Vec::new(),
            flows: Vec::new(),
            new: VecDeque::new(),
            old: VecDeque::new(),
            frames: 0,
            bytes: 0,
            max_packet: 0,
        }
    }

    /// Its parameters.
    pub fn spec(&self) -> FqCodelSpec {
        self.spec
    }

    /// Waiting wire frames, of all flows.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Takes a stretch of frames into its flow. Where a limit is exceeded, the flow with the most bytes loses half of what
    /// waits, at most 64 frames, from its head, as [`DropCause::QueueFull`] (RFC 8290 §4.1).
    pub fn offer(&mut self, mut frame: Frame, pool: &mut FramePool, doors: &mut impl Doors) {
        self.max_packet = self.max_packet.max(pool.wire_len(&frame, 0));
        let flow = self.flow_of(&frame, pool);
        while frame.count() > 1 && !self.fits(&frame, pool) {
            let front = pool.split_front(&mut frame, 1);
            self.enqueue(flow, front, pool, doors);
        }
        self.enqueue(flow, frame, pool, doors);
    }

    fn enqueue(&mut self, index: u32, frame: Frame, pool: &mut FramePool, doors: &mut impl Doors) {
        self.push(index, frame, pool);
        while self.is_over() {
            self.drop_batch(pool, doors);
        }
    }

    fn fits(&self, frame: &Frame, pool: &FramePool) -> bool {
        self.frames + frame.count() <= u64::from(self.spec.limit)
            && self.bytes + pool.bytes(frame) <= self.spec.memory.as_bytes()
    }

    fn is_over(&self) -> bool {
        self.frames > u64::from(self.spec.limit) || self.bytes > self.spec.memory.as_bytes()
    }

    fn push(&mut self, index: u32, frame: Frame, pool: &mut FramePool) {
        self.frames += frame.count();
        self.bytes += pool.bytes(&frame);
        let flow = &mut self.flows[index as usize];
        flow.backlog.push(frame, pool);
        if !flow.listed {
            flow.listed = true;
            flow.deficit = self.spec.quantum.as_bytes() as i64;
            self.new.push_back(index);
        }
    }

    /// The flow of a frame: by the 5-tuple, of fragments and what has no ports without these; by EtherType and addresses
    /// of what is not IP. All frames of a train are of one flow.
    fn flow_of(&mut self, frame: &Frame, pool: &FramePool) -> u32 {
        let view = pool.view(frame);
        let hash = xxh3_64_with_seed(FlowKey::of(view.head, view.total()).bytes(), self.hash_seed);
        let place = ((u128::from(hash) * u128::from(self.spec.flows)) >> 64) as usize;
        if self.of_hash.is_empty() {
            self.of_hash.resize(self.spec.flows as usize, NONE);
        }
        let found = &mut self.of_hash[place];
        if *found == NONE {
            *found = self.flows.len() as u32;
            self.flows.push(Flow::default());
        }
        *found
    }

    /// Gives the next wire frame to the wire, which is free at `now` (RFC 8290 §4.2).
    pub fn take(&mut self, now: Instant, pool: &mut FramePool, doors: &mut impl Doors) -> Option<Frame> {
        let FqCodelSpec { target, interval, ecn, quantum, .. } = self.spec;
        let law = Law { target, interval, ecn, max_packet: self.max_packet, now };
        loop {
            let (is_new, index) = match (self.new.front(), self.old.front()) {
                (Some(index), _) => (true, *index),
                (None, Some(index)) => (false, *index),
                (None, None) => return None,
            };
            let flow = &mut self.flows[index as usize];
            if flow.deficit <= 0 {
                // its turn is over; it goes behind all others with another quantum
                flow.deficit += quantum.as_bytes() as i64;
                self.next_turn(is_new, index);
                continue;
            }
            let (frames, bytes) = (flow.backlog.frames(), flow.backlog.bytes());
            let taken = flow.control.take(&law, &mut flow.backlog, pool, doors);
            self.frames -= frames - flow.backlog.frames();
            self.bytes -= bytes - flow.backlog.bytes();
            if let Some(frame) = taken {
                flow.deficit -= pool.bytes(&frame) as i64;
                return Some(frame);
            }
            if is_new {
                // through the old flows once, so that a flow that comes and goes does not starve them
                self.next_turn(is_new, index);
            } else {
                flow.listed = false;
                self.old.pop_front();
            }
        }
    }

    fn next_turn(&mut self, is_new: bool, index: u32) {
        let list = if is_new { &mut self.new } else { &mut self.old };
        list.pop_front();
        self.old.push_back(index);
    }

    /// The flow with the most bytes; of several the one that is longest known.
    fn fattest(&self) -> Option<usize> {
        let fattest = self.flows.iter().enumerate().max_by_key(|(at, flow)| (flow.backlog.bytes(), usize::MAX - at))?;
        (fattest.1.backlog.frames() > 0).then_some(fattest.0)
    }

    fn drop_batch(&mut self, pool: &mut FramePool, doors: &mut impl Doors) {
        let Some(index) = self.fattest() else { return };
        let flow = &mut self.flows[index];
        let batch = flow.backlog.frames().div_ceil(2).min(BATCH);
        flow.control.dropped_at_limit(batch);
        for _ in 0..batch {
            let Some(frame) = flow.backlog.pop(pool) else { return };
            self.frames -= 1;
            self.bytes -= pool.bytes(&frame);
            doors.dropped(frame, DropCause::QueueFull, pool);
        }
    }

    /// Whether parameters can become these without putting frames into other flows.
    pub(super) fn keeps_flows(&self, spec: &FqCodelSpec) -> bool {
        self.spec.flows == spec.flows
    }

    /// Changes the parameters but `flows`; beyond new limits the flow with the most bytes loses frames from its tail as
    /// [`DropCause::QueueResized`].
    pub(super) fn set(&mut self, spec: FqCodelSpec, pool: &mut FramePool, doors: &mut impl Doors) {
        self.spec = spec;
        while self.is_over() {
            let Some(index) = self.fattest() else { return };
            let Some(last) = self.flows[index].backlog.pop_last(pool) else { return };
            self.frames -= 1;
            self.bytes -= pool.bytes(&last);
            doors.dropped(last, DropCause::QueueResized, pool);
        }
    }

    /// Takes the wire frame that came first of all.
    pub(super) fn pop_oldest(&mut self, pool: &mut FramePool) -> Option<Frame> {
        let oldest = self.flows.iter_mut().filter(|flow| flow.backlog.frames() > 0);
        let flow = oldest.min_by_key(|flow| flow.backlog.first_number())?;
        let frame = flow.backlog.pop(pool)?;
        self.frames -= 1;
        self.bytes -= pool.bytes(&frame);
        Some(frame)
    }

    /// Takes over what another queue held; what does not fit is dropped as [`DropCause::QueueResized`].
    pub(super) fn move_in(&mut self, mut frame: Frame, pool: &mut FramePool, doors: &mut impl Doors) {
        self.max_packet = self.max_packet.max(pool.wire_len(&frame, 0));
        let flow = self.flow_of(&frame, pool);
        loop {
            if self.fits(&frame, pool) {
                return self.push(flow, frame, pool);
            }
            if frame.count() == 1 {
                return doors.dropped(frame, DropCause::QueueResized, pool);
            }
            let front = pool.split_front(&mut frame, 1);
            if self.fits(&front, pool) {
                self.push(flow, front, pool);
            } else {
                doors.dropped(front, DropCause::QueueResized, pool);
            }
        }
    }

    /// Drops all that waits.
    pub fn clear(&mut self, cause: DropCause, pool: &mut FramePool, doors: &mut impl Doors) {
        for flow in &mut self.flows {
            flow.backlog.clear(cause, pool, doors);
            (flow.control, flow.deficit, flow.listed) = (Control::default(), 0, false);
        }
        self.new.clear();
        self.old.clear();
        (self.frames, self.bytes) = (0, 0);
    }
}

/// What a flow is told by, as bytes to hash.
struct FlowKey {
    bytes: [u8; 38],
    len: usize,
}

impl FlowKey {
    /// Version, protocol, addresses and ports of an IP packet; EtherType and MAC addresses of anything else.
    fn of(head: &[u8], frame_len: usize) -> FlowKey {
        let summary = FrameSummary::new(head, frame_len);
        let mut key = FlowKey { bytes: [0; 38], len: 0 };
        match (summary.ip_version(), summary.addresses) {
            (Some(version), Some(addresses)) => {
                key.add(&[version, summary.protocol.unwrap_or(0)]);
                match addresses {
                    Addresses::V4(src, dst) => {
                        key.add(&src.octets());
                        key.add(&dst.octets());
                    }
                    Addresses::V6(src, dst) => {
                        key.add(&src.octets());
                        key.add(&dst.octets());
                    }
                }
                // the later fragments of a packet have none, and belong with the first
                if !summary.fragment
                    && let (Some(src), Some(dst)) = (summary.src_port(), summary.dst_port())
                {
                    key.add(&src.to_be_bytes());
                    key.add(&dst.to_be_bytes());
                }
            }
            _ => {
                key.add(&summary.ethertype.0.to_be_bytes());
                key.add(&head[..head.len().min(12)]);
            }
        }
        key
    }

    fn add(&mut self, part: &[u8]) {
        self.bytes[self.len..self.len + part.len()].copy_from_slice(part);
        self.len += part.len();
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
#[path = "fq_codel_tests.rs"]
mod tests;
