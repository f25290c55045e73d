//! The bytes of a stretch of a train, to read: whole, or cut into wire frames.

use std::ops::Range;

use super::pieces::Rest;
use crate::wire::gso::MAX_HEADER_LEN;
use crate::wire::reset::Segment;
use crate::wire::segmentation::{Checksum, Segmenter, complete_checksum};
use crate::wire::summary::{Detail, FrameSummary};
use crate::wire::tcp::{FLAGS_OFFSET, Flags};
use crate::wire::vnet::Offload;

/// How a train is cut: a header that each wire frame repeats, and a payload of which each takes its share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Bytes from the Ethernet header to the end of the TCP or UDP header.
    pub header: u16,
    /// Payload bytes of each wire frame but the last.
    pub segment: u16,
}

/// The bytes of a stretch of a train.
#[derive(Clone, Copy, Debug)]
pub struct FrameView<'a> {
    /// The first bytes of the train, about [`super::HEAD_BYTES`]: its headers, and the beginning of its payload.
    pub head: &'a [u8],
    /// What follows the head.
    pub rest: Rest<'a>,
    /// How the train is cut; `None` for a plain frame.
    pub cut: Option<Cut>,
    /// What is left to do on it: a checksum to complete, a train to cut.
    pub offload: Offload,
    /// Position of the first wire frame of this stretch within the train.
    pub first: u16,
    /// Wire frames in this stretch.
    pub count: u16,
}

impl<'a> FrameView<'a> {
    /// Bytes of head and rest together.
    pub fn total(&self) -> usize {
        self.head.len() + self.rest.len()
    }

    /// Bytes of the first wire frame of this stretch.
    pub fn wire_len(&self) -> usize {
        match self.cut {
            None => self.total(),
            Some(cut) => {
                let start = usize::from(self.first) * usize::from(cut.segment);
                usize::from(cut.header) + (self.total() - usize::from(cut.header) - start).min(usize::from(cut.segment))
            }
        }
    }

    /// What the first wire frame of this stretch is: of a train, with its own length, sequence number and flags.
    pub fn summary(&self) -> FrameSummary {
        let mut summary = FrameSummary::new(self.head, self.wire_len());
        if let (Some(layout), Detail::Tcp { seq, .. }) = (self.offload.train, &mut summary.detail) {
            *seq = seq.wrapping_add(layout.payload_start(u32::from(self.first)) as u32);
        }
        self.wire_flags(0, &mut summary);
        summary
    }

    /// Puts the TCP flags of the wire frame at position `i` of this stretch into the summary of its train: FIN and PSH are
    /// those of the last alone, and CWR that of the first.
    #[inline]
    pub(crate) fn wire_flags(&self, i: u64, summary: &mut FrameSummary) {
        let (Some(layout), Detail::Tcp { flags, .. }) = (self.offload.train, &mut summary.detail) else { return };
        let at = u32::from(self.first) + i as u32;
        let whole = Flags(self.head.get(layout.l4_offset() + FLAGS_OFFSET).copied().unwrap_or_default());
        *flags = layout.flags_of(at..at + 1, whole);
    }

    /// The number behind this stretch, if it goes against a segment in the same TCP connection.
    pub(crate) fn end_of(&self, against: &Segment<'_>) -> Option<u32> {
        let whole = Segment::new(self.head).filter(|whole| whole.answers(against))?;
        let next = u32::from(self.first) + u32::from(self.count);
        match self.offload.train {
            Some(layout) if next < layout.frames() => Some(whole.seq().wrapping_add(layout.payload_start(next) as u32)),
            _ => Some(whole.end()),
        }
    }

    /// Appends the first wire frame of this stretch, with its own header and its checksum complete.
    pub fn write_wire_frame(&self, out: &mut Vec<u8>) {
        let start = out.len();
        if let Some(layout) = self.offload.train
            && let Ok(segmenter) = Segmenter::new(layout, self.head, self.rest)
        {
            let mut header = [0; MAX_HEADER_LEN];
            let cut = segmenter.segment(u32::from(self.first), Checksum::Complete, &mut header);
            out.extend_from_slice(&header[..cut.header_len]);
            self.append(cut.payload, out);
            return;
        }
        match self.cut {
            Some(cut) => {
                let (header, segment) = (usize::from(cut.header), usize::from(cut.segment));
                let from = header + usize::from(self.first) * segment;
                self.append(0..header, out);
                self.append(from..(from + segment).min(self.total()), out);
            }
            None => {
                self.append(0..self.total(), out);
                if let Some(partial) = self.offload.partial() {
                    // its place was checked when it came in
                    let _ = complete_checksum(&mut out[start..], &[][..], partial);
                }
            }
        }
    }

    /// A part of head ++ rest, as it lies in memory: in `PARTS` slices at most, none of them empty.
    ///
    /// # Panics
    /// If the range reaches beyond the end.
    pub fn slices(&self, range: Range<usize>) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let middle = self.head.len();
        let in_head = &self.head[range.start.min(middle)..range.end.min(middle)];
        let in_rest = range.start.saturating_sub(middle)..range.end.saturating_sub(middle);
        std::iter::once(in_head).filter(|slice| !slice.is_empty()).chain(self.rest.slices(in_rest))
    }

    /// Appends a part of head ++ rest.
    fn append(&self, range: Range<usize>, out: &mut Vec<u8>) {
        self.slices(range).for_each(|slice| out.extend_from_slice(slice));
    }

    /// A plain frame's bytes, copied together: for logs and tests.
    pub fn to_vec(&self) -> Vec<u8> {
        self.slices(0..self.total()).collect::<Vec<_>>().concat()
    }
}

#[cfg(test)]
mod tests {
    use crate::frame::FramePool;
    use crate::wire::gso::GsoKind;
    use crate::wire::testing::Train;
    use crate::wire::vnet::{Endian, VnetHeader};

    #[test]
    fn each_wire_frame_of_a_train_has_its_own_summary() {
        let mut train = Train::plain(GsoKind::Tcp4, 1448, 4000);
        train.frame[train.l4 + 13] |= 0x88; // PSH, CWR
        let header = VnetHeader::new(Some(train.gso), train.partial, train.header).encode(Endian::Native);
        let offload =
            VnetHeader::decode(&header, Endian::Native).unwrap().check(&train.frame, train.frame.len()).unwrap();
        let mut pool = FramePool::default();
        let mut frame = pool.store(&train.frame).unwrap();
        pool.set_offload(&mut frame, offload);
        let mut told = Vec::new();
        while frame.count() > 1 {
            let front = pool.split_front(&mut frame, 1);
            told.push(pool.view(&front).summary().to_string());
            pool.release(front);
        }
        told.push(pool.view(&frame).summary().to_string());
        let words = |told: &String| told.split_once("5201 ").unwrap().1.to_owned();
        assert_eq!(
            told.iter().map(words).collect::<Vec<_>>(),
            [".W seq 1000 ack 12345 (1502 B)", ". seq 2448 ack 12345 (1502 B)", "P. seq 3896 ack 12345 (1158 B)",]
        );
        pool.release(frame);
    }
}
