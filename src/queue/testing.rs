//! What the tests of the disciplines share: frames of flows, and doors that write down.

use super::{Doors, Wire};
use crate::frame::{DropCause, Frame, FramePool};
use crate::model::Framing;
use crate::rng::{StreamKey, Way};
use crate::units::Instant;
use crate::wire::checksum::checksum;

/// What left by another door than the wire: numbers of frames.
#[derive(Debug, Default)]
pub(crate) struct Out {
    pub(crate) dropped: Vec<(u64, DropCause)>,
    pub(crate) marked: Vec<u64>,
}

impl Out {
    /// How many wire frames were dropped for a cause.
    pub(crate) fn count(&self, cause: DropCause) -> usize {
        self.dropped.iter().filter(|(_, c)| *c == cause).count()
    }
}

impl Doors for Out {
    fn dropped(&mut self, frame: Frame, cause: DropCause, pool: &mut FramePool) {
        self.dropped.extend((frame.number()..frame.number() + frame.count()).map(|n| (n, cause)));
        pool.release(frame);
    }
    fn marked(&mut self, frame: &Frame, _: &FramePool) {
        self.marked.push(frame.number());
    }
}

/// A frame of `len` bytes: UDP over IPv4 from port `flow`, with an ECN codepoint and a right header checksum.
pub(crate) fn udp(flow: u16, ecn: u8, len: usize) -> Vec<u8> {
    let mut bytes = vec![0u8; len.max(42)];
    let l3 = (bytes.len() - 14) as u16;
    bytes[12..14].copy_from_slice(&[0x08, 0x00]);
    bytes[14..16].copy_from_slice(&[0x45, ecn]);
    bytes[16..18].copy_from_slice(&l3.to_be_bytes());
    bytes[22..24].copy_from_slice(&[64, 17]);
    bytes[26..34].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
    let sum = checksum(&bytes[14..34]);
    bytes[24..26].copy_from_slice(&sum.to_be_bytes());
    bytes[34..36].copy_from_slice(&flow.to_be_bytes());
    bytes[36..38].copy_from_slice(&53u16.to_be_bytes());
    bytes[38..40].copy_from_slice(&(l3 - 20).to_be_bytes());
    bytes
}

/// A frame as a direction offers it.
pub(crate) fn frame(pool: &mut FramePool, bytes: &[u8], number: u64, at: Instant) -> Frame {
    let mut frame = pool.store(bytes).unwrap();
    (frame.number, frame.offered) = (number, at);
    frame
}

pub(crate) fn wire(rate: &str) -> Wire {
    Wire { rate: Some(rate.parse().unwrap()), framing: Framing::None }
}

pub(crate) fn key() -> StreamKey {
    StreamKey::new(1, "link", Way::Forward, "queue")
}

pub(crate) fn ms(ms: u64) -> Instant {
    Instant::from_nanos(ms * 1_000_000)
}
