//! The bytes of a stretch of a train, to read: whole, or cut into wire frames.

use std::ops::Range;

use crate::wire::gso::MAX_HEADER_LEN;
use crate::wire::segmentation::{Checksum, Segmenter, complete_checksum};
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
    /// The first [`HEAD_BYTES`] of the train: its headers, and the beginning of its payload.
    pub head: &'a [u8],
    /// What follows the head.
    pub rest: &'a [u8],
    /// How the train is cut; `None` for a plain frame.
    pub cut: Option<Cut>,
    /// What is left to do on it: a checksum to complete, a train to cut.
    pub offload: Offload,
    /// Position of the first wire frame of this stretch within the train.
    pub first: u16,
    /// Wire frames in this stretch.
    pub count: u16,
}

impl FrameView<'_> {
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
                    let _ = complete_checksum(&mut out[start..], &[], partial);
                }
            }
        }
    }

    /// Appends a part of head ++ rest.
    fn append(&self, range: Range<usize>, out: &mut Vec<u8>) {
        let middle = self.head.len();
        out.extend_from_slice(&self.head[range.start.min(middle)..range.end.min(middle)]);
        out.extend_from_slice(&self.rest[range.start.saturating_sub(middle)..range.end.saturating_sub(middle)]);
    }

    /// A plain frame's bytes, copied together: for logs and tests.
    pub fn to_vec(&self) -> Vec<u8> {
        [self.head, self.rest].concat()
    }
}
