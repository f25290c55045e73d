//! Frames for the tests of firewalls, put together byte by byte.

use super::Packet;
use crate::frame::FramePool;
use crate::wire::summary::FrameSummary;
use crate::wire::tcp::Flags;
use crate::wire::testing::naive_sum;

type V4 = [u8; 4];

/// IPv4 of any protocol.
pub(crate) fn packet(src: V4, dst: V4, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0];
    frame.extend((20 + payload.len() as u16).to_be_bytes());
    frame.extend([0, 7, 0, 0, 64, protocol, 0, 0]);
    frame.extend(src);
    frame.extend(dst);
    let sum = !naive_sum(&frame[14..]);
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
    frame.extend(payload);
    frame
}

fn ports(src: u16, dst: u16) -> Vec<u8> {
    [src.to_be_bytes(), dst.to_be_bytes()].concat()
}

/// A UDP datagram without payload and checksum.
pub(crate) fn udp(src: V4, src_port: u16, dst: V4, dst_port: u16) -> Vec<u8> {
    packet(src, dst, 17, &[&ports(src_port, dst_port)[..], &[0, 8, 0, 0]].concat())
}

/// A TCP segment without payload.
pub(crate) fn tcp(src: V4, src_port: u16, dst: V4, dst_port: u16, flags: Flags) -> Vec<u8> {
    let mut segment = ports(src_port, dst_port);
    segment.extend([0, 0, 0, 1, 0, 0, 0, 9, 0x50, flags.0, 0xff, 0xff, 0, 0, 0, 0]);
    let pseudo = [&src[..], &dst, &[0, 6, 0, 20]].concat();
    let sum = !naive_sum(&[&pseudo, &segment[..]].concat());
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    packet(src, dst, 6, &segment)
}

/// A query of ICMP, or its answer.
pub(crate) fn icmp_v4(src: V4, dst: V4, kind: u8, id: u16) -> Vec<u8> {
    packet(src, dst, 1, &[&[kind, 0, 0, 0][..], &id.to_be_bytes(), &[0, 1]].concat())
}

/// An ICMP error that quotes a frame's packet.
pub(crate) fn error(src: V4, dst: V4, kind: u8, code: u8, quoted: &[u8]) -> Vec<u8> {
    packet(src, dst, 1, &[&[kind, code, 0, 0, 0, 0, 0, 0], &quoted[14..]].concat())
}

/// The frame as one that came in at port 0 and leaves by port 1.
pub(crate) fn with_packet<T>(frame: &[u8], look: impl FnOnce(&Packet<'_>) -> T) -> T {
    let mut pool = FramePool::default();
    let stored = pool.store(frame).expect("tests make frames that fit");
    let summary = FrameSummary::new(frame, frame.len());
    let view = pool.view(&stored);
    let result = look(&Packet { summary: &summary, view: &view, bytes: frame.len() as u64, from: 0, to: Some(1) });
    pool.release(stored);
    result
}
