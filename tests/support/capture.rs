//! What `programs/capture.py` wrote: wire frames, as a receiver without offloads would have got them.
//!
//! Cutting and summing are written for being right, byte by byte, and share nothing with longwire's own.

/// A wire frame.
pub(crate) struct Captured {
    /// It left the host.
    pub(crate) outgoing: bool,
    /// Its bytes, with its checksum complete.
    pub(crate) bytes: Vec<u8>,
    /// It travelled with others in a super-frame.
    pub(crate) in_train: bool,
    /// Its host left its checksum to be completed.
    pub(crate) partial: bool,
}

/// The program, for services: it takes the name of the file to write.
pub(crate) const PROGRAM: &str = include_str!("programs/capture.py");

/// The wire frames of a capture, and how many frames the kernel had no room for.
pub(crate) fn read(file: &[u8]) -> (Vec<Captured>, u32) {
    let (mut frames, mut at) = (Vec::new(), 0);
    loop {
        let length = u32::from_le_bytes(file[at..at + 4].try_into().expect("four bytes")) as usize;
        let (outgoing, header) = (file[at + 4] == 1, &file[at + 5..at + 15]);
        if length == 0 {
            assert_eq!(file.len(), at + 15, "the capture was written to its end");
            return (frames, u32::from_le_bytes(header[..4].try_into().expect("four bytes")));
        }
        cut(header, &file[at + 15..at + 15 + length], outgoing, &mut frames);
        at += 15 + length;
    }
}

/// The frames as a pcap file (draft-ietf-opsawg-pcap, link type 1), all of the same moment.
pub(crate) fn pcap(frames: &[Captured]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 0x0004_0000, 1] {
        file.extend_from_slice(&u32::to_le_bytes(word));
    }
    for frame in frames {
        let length = frame.bytes.len() as u32;
        for word in [0, 0, length, length] {
            file.extend_from_slice(&u32::to_le_bytes(word));
        }
        file.extend_from_slice(&frame.bytes);
    }
    file
}

/// Where the network header ends: of what is not IP, the Ethernet header.
pub(crate) fn behind_network(frame: &[u8]) -> usize {
    match word(frame, 12) {
        0x0800 => 14 + usize::from(frame[14] & 15) * 4,
        0x86dd => 54,
        _ => 14,
    }
}

/// Whether the transport's checksum is right. Frames without one are.
pub(crate) fn verifies(frame: &[u8]) -> bool {
    let l4 = behind_network(frame);
    !matches!(protocol(frame), Some(6 | 17)) || add(&pseudo(frame), add(&frame[l4..], 0)) == 0xffff
}

fn cut(header: &[u8], frame: &[u8], outgoing: bool, frames: &mut Vec<Captured>) {
    let native = |at: usize| usize::from(u16::from_ne_bytes([header[at], header[at + 1]]));
    let (partial, kind, size) = (header[0] & 1 == 1, header[1] & 0x7f, native(4));
    let l4 = behind_network(frame);
    if kind == 0 {
        let mut bytes = frame.to_vec();
        if partial {
            complete(&mut bytes, native(6), native(6) + native(8));
        }
        return frames.push(Captured { outgoing, bytes, in_train: false, partial });
    }
    assert!(matches!((kind, protocol(frame)), (1, Some(6))) && word(frame, 12) == 0x0800, "TCP over IPv4 alone is cut");
    let payload = l4 + usize::from(frame[l4 + 12] >> 4) * 4;
    let count = (frame.len() - payload).div_ceil(size);
    for (n, part) in frame[payload..].chunks(size).enumerate() {
        let mut bytes = [&frame[..payload], part].concat();
        let length = (bytes.len() - 14) as u16;
        bytes[16..18].copy_from_slice(&length.to_be_bytes());
        bytes[18..20].copy_from_slice(&word(frame, 18).wrapping_add(n as u16).to_be_bytes());
        bytes[24..26].fill(0);
        let sum = !add(&bytes[14..l4], 0);
        bytes[24..26].copy_from_slice(&sum.to_be_bytes());
        let sequence = u32::from_be_bytes(frame[l4 + 4..l4 + 8].try_into().expect("four bytes"));
        let sequence = sequence.wrapping_add((n * size) as u32);
        bytes[l4 + 4..l4 + 8].copy_from_slice(&sequence.to_be_bytes());
        // FIN and PSH with the last, CWR with the first
        bytes[l4 + 13] &= if n + 1 == count { 0xff } else { !0x09 } & if n == 0 { 0xff } else { !0x80 };
        bytes[l4 + 16..l4 + 18].fill(0);
        let sum = add(&pseudo(&bytes), 0);
        bytes[l4 + 16..l4 + 18].copy_from_slice(&sum.to_be_bytes());
        complete(&mut bytes, l4, l4 + 16);
        frames.push(Captured { outgoing, bytes, in_train: true, partial });
    }
}

/// Completes the checksum at `field`, which holds the pseudo header's sum, over what follows `start`.
fn complete(frame: &mut [u8], start: usize, field: usize) {
    let sum = !add(&frame[start..], 0);
    let sum = if sum == 0 { 0xffff } else { sum };
    frame[field..field + 2].copy_from_slice(&sum.to_be_bytes());
}

fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

pub(crate) fn protocol(frame: &[u8]) -> Option<u8> {
    match word(frame, 12) {
        0x0800 => Some(frame[23]),
        0x86dd => Some(frame[20]),
        _ => None,
    }
}

/// Addresses, protocol and length, as TCP and UDP sum them (RFC 9293 §3.1, RFC 8200 §8.1).
fn pseudo(frame: &[u8]) -> Vec<u8> {
    let l4 = behind_network(frame);
    let addresses = if word(frame, 12) == 0x0800 { &frame[26..34] } else { &frame[22..54] };
    let length = ((frame.len() - l4) as u32).to_be_bytes();
    [addresses, &length, &[0, 0, 0, protocol(frame).expect("IP")]].concat()
}

/// The ones' complement sum of words, the last perhaps of one byte (RFC 1071).
fn add(bytes: &[u8], to: u16) -> u16 {
    bytes.chunks(2).fold(to, |sum, pair| {
        let word = u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]);
        let (sum, carry) = sum.overflowing_add(word);
        sum + u16::from(carry)
    })
}
