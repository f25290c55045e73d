//! IPv4 fragmentation (RFC 791 §2.3, §3.2): a packet that is too large for a link, in pieces that fit.

use super::{Malformed, ipv4};

/// The pieces of one packet, first to last.
///
/// A fragment is fragmented like a packet: offsets go on from its own, and only the last piece of the last fragment has no
/// more behind it. All pieces share the packet's id; options whose copied flag is not set are in the first piece only.
#[derive(Debug)]
pub struct Fragments<'a> {
    header: &'a [u8],
    payload: &'a [u8],
    /// Bytes of payload that are done, and whether all are: a packet without payload is one piece too.
    at: usize,
    done: bool,
    mtu: usize,
    /// Header of the pieces behind the first.
    later: [u8; ipv4::MAX_HEADER_LEN],
    later_len: usize,
}

impl<'a> Fragments<'a> {
    /// The pieces of `packet` (from its IPv4 header to its end or beyond; it need not be longer than `mtu`) for a link that
    /// carries L3 packets of `mtu` bytes. Fails where the packet is not complete, and where no piece of it could fit: header
    /// and 8 bytes of payload.
    pub fn new(packet: &'a [u8], mtu: usize) -> Result<Fragments<'a>, Malformed> {
        let ip = ipv4::Packet::new_checked(packet)?;
        let (header_len, total) = (ip.header_len(), usize::from(ip.total_len()));
        super::need("IPv4", total, packet.len())?;
        super::need("IPv4 fragment", header_len + 8, mtu)?;
        let (header, payload) = packet[..total].split_at(header_len);
        let mut later = [0; ipv4::MAX_HEADER_LEN];
        later[..ipv4::MIN_HEADER_LEN].copy_from_slice(&header[..ipv4::MIN_HEADER_LEN]);
        let options = copied_options(&header[ipv4::MIN_HEADER_LEN..], &mut later[ipv4::MIN_HEADER_LEN..]);
        let later_len = ipv4::MIN_HEADER_LEN + options;
        later[0] = 0x40 | (later_len / 4) as u8;
        Ok(Fragments { header, payload, at: 0, done: false, mtu, later, later_len })
    }

    /// Appends the next piece, from its IPv4 header on; `false` where there is none.
    pub fn write_next(&mut self, out: &mut Vec<u8>) -> bool {
        if self.done {
            return false;
        }
        let first = self.at == 0;
        let header = if first { self.header } else { &self.later[..self.later_len] };
        let left = self.payload.len() - self.at;
        let room = self.mtu - header.len();
        // all but the last in multiples of 8
        let len = if left <= room { left } else { room / 8 * 8 };
        let start = out.len();
        out.extend_from_slice(header);
        out.extend_from_slice(&self.payload[self.at..self.at + len]);
        let whole = ipv4::Packet::new_checked(self.header);
        if let (Ok(whole), Ok(mut piece)) = (whole, ipv4::Packet::new_checked(&mut out[start..start + header.len()])) {
            let (more, offset) = (whole.more_fragments(), whole.fragment_offset());
            piece.set_total_len((header.len() + len) as u16);
            piece.set_fragment(false, more || len < left, offset.wrapping_add(self.at as u16));
            // of a header that has lost options the old checksum says nothing
            piece.fill_checksum();
        }
        self.at += len;
        self.done = self.at == self.payload.len();
        true
    }
}

/// Copies the options whose copied flag is set, padded to whole words; returns their length. Ends at what is no option.
fn copied_options(mut options: &[u8], out: &mut [u8]) -> usize {
    let mut len = 0;
    while let [kind, rest @ ..] = options {
        match kind {
            // end of the list, no operation (RFC 791 §3.1)
            0 => break,
            1 => {
                options = rest;
                continue;
            }
            _ => {}
        }
        let size = rest.first().copied().map_or(0, usize::from);
        if size < 2 || size > options.len() {
            break;
        }
        if kind & 0x80 != 0 {
            out[len..len + size].copy_from_slice(&options[..size]);
            len += size;
        }
        options = &options[size..];
    }
    let padded = len.next_multiple_of(4);
    out[len..padded].fill(0);
    padded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(options: &[u8], payload: usize, id: u16) -> Vec<u8> {
        let mut bytes = vec![0; 20 + options.len() + payload];
        bytes[20..20 + options.len()].copy_from_slice(options);
        for (i, byte) in bytes[20 + options.len()..].iter_mut().enumerate() {
            *byte = (i * 7 + i / 256) as u8;
        }
        let total = bytes.len() as u16;
        bytes[0] = 0x45 + (options.len() / 4) as u8;
        bytes[2..4].copy_from_slice(&total.to_be_bytes());
        bytes[8..10].copy_from_slice(&[63, 17]);
        let mut ip = ipv4::Packet::new_checked(&mut bytes[..]).unwrap();
        ip.set_id(id);
        ip.set_src([10, 0, 0, 1].into());
        ip.set_dst([10, 0, 1, 1].into());
        ip.fill_checksum();
        bytes
    }

    fn pieces(packet: &[u8], mtu: usize) -> Vec<Vec<u8>> {
        let mut fragments = Fragments::new(packet, mtu).unwrap();
        let mut all = Vec::new();
        loop {
            let mut out = Vec::new();
            if !fragments.write_next(&mut out) {
                return all;
            }
            all.push(out);
        }
    }

    #[test]
    fn a_packet_is_cut_at_multiples_of_eight() {
        let all = pieces(&packet(&[], 1480, 7), 576);
        let told: Vec<_> = all
            .iter()
            .map(|piece| {
                let ip = ipv4::Packet::new_checked(piece).unwrap();
                assert!(ip.checksum_ok() && ip.is_complete());
                (ip.fragment_offset(), ip.total_len(), ip.more_fragments(), ip.id())
            })
            .collect();
        assert_eq!(told, [(0, 572, true, 7), (552, 572, true, 7), (1104, 396, false, 7)]);
        // exactly full
        assert_eq!(pieces(&packet(&[], 1104, 7), 572).len(), 2);
        assert_eq!(pieces(&packet(&[], 0, 7), 28).len(), 1);
    }

    #[test]
    fn only_options_with_the_copied_flag_go_on() {
        // no operation, record route (not copied), router alert (copied), end
        let options = [1, 7, 7, 4, 0, 0, 0, 0, 0x94, 4, 0, 0];
        let all = pieces(&packet(&options, 100, 1), 68);
        assert_eq!(&all[0][20..32], &options);
        for piece in &all[1..] {
            assert_eq!((piece[0], &piece[20..24]), (0x46, &[0x94, 4, 0, 0][..]));
            assert!(ipv4::Packet::new_checked(piece).unwrap().checksum_ok());
        }
        // what is no option ends them
        assert_eq!(pieces(&packet(&[0x94, 1, 0, 0], 100, 1), 68)[1].len() % 8, 4);
    }

    #[test]
    fn what_cannot_be_cut_is_refused() {
        let whole = packet(&[], 100, 1);
        assert!(Fragments::new(&whole, 28).is_ok());
        assert!(Fragments::new(&whole, 27).is_err());
        assert!(Fragments::new(&whole[..119], 60).is_err());
    }

    proptest! {
        #[test]
        fn pieces_of_pieces_make_the_packet_again(len in 0usize..5000, mtu in 28usize..1500, again in 28usize..1500) {
            let whole = packet(&[], len, 99);
            let mut payload = vec![None; len];
            let mut last = 0;
            for piece in pieces(&whole, mtu).iter().flat_map(|piece| pieces(piece, again)) {
                let ip = ipv4::Packet::new_checked(&piece).unwrap();
                prop_assert!(piece.len() <= again.min(mtu) && ip.checksum_ok() && ip.id() == 99);
                let at = usize::from(ip.fragment_offset());
                if !ip.more_fragments() {
                    last += 1;
                    prop_assert_eq!(at + ip.payload().len(), len);
                }
                for (i, byte) in ip.payload().iter().enumerate() {
                    prop_assert_eq!(payload[at + i].replace(*byte), None, "twice");
                }
            }
            prop_assert_eq!(last, 1);
            let payload: Option<Vec<u8>> = payload.into_iter().collect();
            prop_assert_eq!(payload.as_deref(), Some(&whole[20..]));
        }
    }
}
