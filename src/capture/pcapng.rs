//! Blocks of a pcapng file (draft-ietf-opsawg-pcapng): section header, interface description, enhanced packet, interface
//! statistics.
//!
//! Everything is little-endian, whatever the machine, so that a file's bytes depend on nothing but what is in it. Every block
//! has its length at both ends and is a multiple of 32 bits long, as is each option (§3.1, §3.5); padding is zero.

/// Link type of Ethernet frames without preamble and, here, without FCS.
const LINKTYPE_ETHERNET: u16 = 1;
/// Timestamps count 10⁻⁹ s.
const NANOSECONDS: u8 = 9;

/// Bytes of an enhanced packet block beside the frame's own and its comments: type, two lengths, interface, time, captured and
/// original length, flags with their option header, end of options.
pub(super) const PACKET_OVERHEAD: usize = 32 + 8 + 4;

/// The longest value of an option that is a text: what a 16-bit length can say, in whole words.
const LONGEST_OPTION: usize = 65_532;

/// Which way a frame goes: from the link's first end to its second is out, back is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// Toward the link's first end.
    Inbound = 1,
    /// Toward its second.
    Outbound = 2,
}

/// What is said of an interface.
#[derive(Clone, Debug)]
pub(super) struct Interface<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// More about it.
    pub(super) description: &'a str,
    /// Bits per second, where there is one number for it.
    pub(super) speed: Option<u64>,
    /// The most bytes of a frame that are kept; 0 for all (§4.2).
    pub(super) snap: u32,
}

/// What is said of a frame beside its bytes and comments.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet {
    /// Its interface: in the order of their descriptions, from 0.
    pub(super) interface: u32,
    /// Nanoseconds since 1970-01-01 00:00 UTC.
    pub(super) at: u64,
    /// Its length on the wire; what is kept of it may be shorter.
    pub(super) original: u32,
    /// Which way it goes.
    pub(super) flow: Flow,
}

/// What is counted of an interface.
#[derive(Clone, Debug)]
pub(super) struct Statistics<'a> {
    /// The interface.
    pub(super) interface: u32,
    /// When capturing began and ended, in nanoseconds since 1970.
    pub(super) from: u64,
    pub(super) to: u64,
    /// Frames that came by.
    pub(super) received: u64,
    /// Frames among them that are not in the file.
    pub(super) dropped: u64,
    /// A sentence for people.
    pub(super) comment: &'a str,
}

/// Appends the section header, the first block of a file (§4.1). The length of the section is not stated.
pub(super) fn section(out: &mut Vec<u8>, comment: &str, os: &str, application: &str) {
    block(out, 0x0a0d_0d0a, |out| {
        out.extend_from_slice(&0x1a2b_3c4du32.to_le_bytes());
        out.extend_from_slice(&1u16.to_le_bytes());
        out.extend_from_slice(&0u16.to_le_bytes());
        out.extend_from_slice(&u64::MAX.to_le_bytes());
        text(out, 1, comment);
        text(out, 3, os);
        text(out, 4, application);
        option(out, 0, &[]);
    });
}

/// Appends an interface description (§4.2).
pub(super) fn interface(out: &mut Vec<u8>, interface: &Interface<'_>) {
    block(out, 1, |out| {
        out.extend_from_slice(&LINKTYPE_ETHERNET.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&interface.snap.to_le_bytes());
        text(out, 2, interface.name);
        text(out, 3, interface.description);
        if let Some(speed) = interface.speed {
            option(out, 8, &speed.to_le_bytes());
        }
        option(out, 9, &[NANOSECONDS]);
        option(out, 13, &[0]); // no FCS
        option(out, 0, &[]);
    });
}

/// Appends a frame (§4.3), with any number of comments.
pub(super) fn packet<'a>(out: &mut Vec<u8>, packet: Packet, bytes: &[u8], comments: impl IntoIterator<Item = &'a str>) {
    block(out, 6, |out| {
        out.extend_from_slice(&packet.interface.to_le_bytes());
        timestamp(out, packet.at);
        out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        out.extend_from_slice(&packet.original.to_le_bytes());
        out.extend_from_slice(bytes);
        pad(out, bytes.len());
        comments.into_iter().for_each(|comment| text(out, 1, comment));
        option(out, 2, &(packet.flow as u32).to_le_bytes());
        option(out, 0, &[]);
    });
}

/// Appends an interface's statistics (§4.6).
pub(super) fn statistics(out: &mut Vec<u8>, statistics: &Statistics<'_>) {
    block(out, 5, |out| {
        out.extend_from_slice(&statistics.interface.to_le_bytes());
        timestamp(out, statistics.to);
        text(out, 1, statistics.comment);
        for (code, at) in [(2, statistics.from), (3, statistics.to)] {
            let mut value = Vec::with_capacity(8);
            timestamp(&mut value, at);
            option(out, code, &value);
        }
        option(out, 4, &statistics.received.to_le_bytes());
        option(out, 5, &statistics.dropped.to_le_bytes());
        option(out, 0, &[]);
    });
}

/// A block: type, length, body, length again.
fn block(out: &mut Vec<u8>, kind: u32, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    body(out);
    debug_assert!((out.len() - start).is_multiple_of(4));
    let length = ((out.len() - start + 4) as u32).to_le_bytes();
    out[start + 4..start + 8].copy_from_slice(&length);
    out.extend_from_slice(&length);
}

/// Two halves, the upper one first, whatever the byte order (§4.3).
fn timestamp(out: &mut Vec<u8>, at: u64) {
    out.extend_from_slice(&((at >> 32) as u32).to_le_bytes());
    out.extend_from_slice(&(at as u32).to_le_bytes());
}

/// An option that is a text; one that says nothing is left out.
fn text(out: &mut Vec<u8>, code: u16, value: &str) {
    if !value.is_empty() {
        option(out, code, cut(value, LONGEST_OPTION).as_bytes());
    }
}

fn option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    out.extend_from_slice(&code.to_le_bytes());
    out.extend_from_slice(&(value.len() as u16).to_le_bytes());
    out.extend_from_slice(value);
    pad(out, value.len());
}

fn pad(out: &mut Vec<u8>, length: usize) {
    out.extend_from_slice(&[0; 3][..padded(length) - length]);
}

/// The length with its padding to 32 bits.
pub(super) const fn padded(length: usize) -> usize {
    length.next_multiple_of(4)
}

/// A text without what is beyond so many bytes, in whole characters.
pub(super) fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
        digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
    }

    #[test]
    fn a_section_begins_with_the_byte_order_and_an_unknown_length() {
        let mut out = Vec::new();
        section(&mut out, "abc", "", "longwire");
        let expected = "\
            0a0d0d0a 34000000 4d3c2b1a 0100 0000 ffffffffffffffff \
            0100 0300 61626300 0400 0800 6c6f6e6777697265 0000 0000 34000000";
        assert_eq!(out, hex(expected));
    }

    #[test]
    fn an_interface_has_its_name_and_counts_nanoseconds() {
        let mut out = Vec::new();
        let description = Interface { name: "a → b", description: "1ms", speed: Some(20_000_000), snap: 96 };
        interface(&mut out, &description);
        let expected = "\
            01000000 48000000 0100 0000 60000000 \
            0200 0700 6120e286922062 00 0300 0300 316d73 00 0800 0800 002d310100000000 \
            0900 0100 09000000 0d00 0100 00000000 0000 0000 48000000";
        assert_eq!(out, hex(expected));
    }

    #[test]
    fn a_packet_is_padded_behind_its_bytes_and_behind_each_comment() {
        let mut out = Vec::new();
        let told = Packet { interface: 1, at: 0x1122_3344_5566_7788, original: 1514, flow: Flow::Outbound };
        packet(&mut out, told, &[1, 2, 3, 4, 5], ["loss", "x"]);
        let expected = "\
            06000000 44000000 01000000 44332211 88776655 05000000 ea050000 0102030405 000000 \
            0100 0400 6c6f7373 0100 0100 78000000 0200 0400 02000000 0000 0000 44000000";
        assert_eq!(out, hex(expected));
        let comments = 2 * 4 + padded(4) + padded(1);
        assert_eq!(out.len(), PACKET_OVERHEAD + padded(5) + comments);
        out.clear();
        packet(&mut out, Packet { flow: Flow::Inbound, ..told }, &[], []);
        assert_eq!((out.len(), out[32]), (PACKET_OVERHEAD, 1));
    }

    #[test]
    fn statistics_say_when_and_how_many() {
        let mut out = Vec::new();
        let told = Statistics { interface: 1, from: 1 << 32, to: 3, received: 4, dropped: 5, comment: "abcd" };
        statistics(&mut out, &told);
        let expected = "\
            05000000 54000000 01000000 00000000 03000000 0100 0400 61626364 \
            0200 0800 01000000 00000000 0300 0800 00000000 03000000 \
            0400 0800 0400000000000000 0500 0800 0500000000000000 0000 0000 54000000";
        assert_eq!(out, hex(expected));
    }

    #[test]
    fn a_text_too_long_for_an_option_is_cut_between_characters() {
        let long = "→".repeat(30_000);
        let mut out = Vec::new();
        section(&mut out, &long, "", "");
        let length = usize::from(u16::from_le_bytes([out[26], out[27]]));
        assert_eq!((length % 3, length), (0, 65_532));
        assert!(core::str::from_utf8(&out[28..28 + length]).is_ok());
        assert_eq!(out.len() % 4, 0);
    }
}
