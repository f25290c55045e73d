//! Bytes behind the heads of frames, in pieces: a frame of ordinary size has one, a super-frame has as many as it is long.
//! So a frame holds about the memory that its bytes need, whether a train has two wire frames or forty.

use std::ops::Range;

use crate::wire::checksum::Sum;
use crate::wire::segmentation::Payload;

/// Bytes of the first piece: with the head, room for a frame of ordinary size.
pub(super) const FIRST: usize = 2 * 1024;
/// Bytes of each further piece. Smaller ones would hold less memory for short trains, but the kernel copies into and out
/// of many small slices more slowly: with 4 KiB, a fifth of the throughput was gone.
pub(super) const MORE: usize = 16 * 1024;
/// The most further pieces of a frame: 64 KiB.
pub(super) const MOST: usize = 4;

/// A further piece.
pub type Piece = Box<[u8; MORE]>;

/// The further pieces of all super-frames. Nothing is allocated once it has grown to what is inside at a time.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    /// Those for the next frame that is read: nobody knows beforehand how long it will be.
    ready: Vec<Piece>,
    free: Vec<Piece>,
    lists: Vec<Vec<Piece>>,
    free_lists: Vec<u32>,
}

impl Pieces {
    /// Room for so many bytes, but for no more than [`MOST`] pieces have.
    pub(super) fn ready(&mut self, bytes: usize) -> &mut [Piece] {
        let count = bytes.div_ceil(MORE).min(MOST);
        while self.ready.len() < count {
            self.ready.push(self.free.pop().unwrap_or_else(|| Box::new([0; MORE])));
        }
        &mut self.ready[..count]
    }

    /// Keeps as many of those that were ready as so many bytes need; returns their list, or `None` where that is none.
    pub(super) fn keep(&mut self, bytes: usize) -> Option<u32> {
        if bytes == 0 {
            return None;
        }
        let list = self.free_lists.pop().unwrap_or_else(|| {
            self.lists.push(Vec::with_capacity(MOST));
            u32::try_from(self.lists.len() - 1).expect("fewer than 2^32 frames fit into memory")
        });
        self.lists[list as usize].extend(self.ready.drain(..bytes.div_ceil(MORE)));
        Some(list)
    }

    /// Takes a list back.
    pub(super) fn give_back(&mut self, list: u32) {
        self.free.append(&mut self.lists[list as usize]);
        self.free_lists.push(list);
    }

    pub(super) fn list(&self, list: u32) -> &[Piece] {
        &self.lists[list as usize]
    }

    pub(super) fn byte(&mut self, list: u32, at: usize) -> &mut u8 {
        &mut self.lists[list as usize][at / MORE][at % MORE]
    }

    /// Pieces that exist, and those among them that hold bytes of a frame.
    #[cfg(test)]
    pub(super) fn counts(&self) -> (usize, usize) {
        let held = self.lists.iter().map(Vec::len).sum::<usize>();
        (self.ready.len() + self.free.len() + held, held)
    }
}

/// The bytes of a frame behind its head.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rest<'a> {
    first: &'a [u8],
    more: &'a [Piece],
    len: usize,
}

impl<'a> Rest<'a> {
    /// The first `len` bytes of `first` and `more`, one behind the other.
    pub(super) fn new(first: &'a [u8], more: &'a [Piece], len: usize) -> Rest<'a> {
        debug_assert!(len <= first.len() + more.len() * MORE && (more.is_empty() || first.len() == FIRST));
        Rest { first: &first[..len.min(first.len())], more, len }
    }

    /// How many they are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether the head is all there is.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes of a range, as they lie in memory.
    ///
    /// # Panics
    /// If the range reaches beyond the end.
    pub fn slices(&self, range: Range<usize>) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        assert!(range.start <= range.end && range.end <= self.len, "{range:?} of {} bytes", self.len);
        let Rest { first, more, .. } = *self;
        let in_first = &first[range.start.min(first.len())..range.end.min(first.len())];
        let (from, to) = (range.start.saturating_sub(FIRST), range.end.saturating_sub(FIRST));
        // none where the range ends in the first piece
        let pieces = &more[(from / MORE).min(to.div_ceil(MORE))..to.div_ceil(MORE)];
        let in_more = pieces.iter().zip((from / MORE..).map(|n| n * MORE)).map(move |(piece, start)| {
            let end = (to - start).min(MORE);
            &piece[from.saturating_sub(start).min(end)..end]
        });
        std::iter::once(in_first).chain(in_more).filter(|slice| !slice.is_empty())
    }
}

impl Payload for Rest<'_> {
    fn size(&self) -> usize {
        self.len
    }

    fn sum(&self, range: Range<usize>) -> Sum {
        let (sum, _) = self
            .slices(range)
            .fold((Sum::ZERO, 0), |(sum, before), slice| (sum + Sum::of(slice).at(before), before + slice.len()));
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Fills what is ready as a read would, and keeps it.
    fn frame(pieces: &mut Pieces, bytes: &[u8]) -> Option<u32> {
        for (piece, bytes) in pieces.ready(65_536).iter_mut().zip(bytes.chunks(MORE)) {
            piece[..bytes.len()].copy_from_slice(bytes);
        }
        pieces.keep(bytes.len())
    }

    #[test]
    fn a_frame_keeps_as_many_as_it_needs_and_gives_all_of_them_back() {
        let mut pieces = Pieces::default();
        assert_eq!(pieces.ready(0).len(), 0);
        assert_eq!(pieces.ready(1 << 30).len(), MOST);
        assert_eq!(frame(&mut pieces, &[]), None);
        for (bytes, kept) in [(1, 1), (MORE, 1), (MORE + 1, 2), (MOST * MORE, MOST)] {
            let list = frame(&mut pieces, &vec![7; bytes]).expect("it has bytes");
            assert_eq!(pieces.list(list).len(), kept, "{bytes} bytes");
            *pieces.byte(list, bytes - 1) ^= 1;
            assert_eq!(pieces.list(list)[kept - 1][(bytes - 1) % MORE], 6);
            pieces.give_back(list);
        }
        assert_eq!((pieces.counts(), pieces.lists.len()), ((MOST, 0), 1), "all were used again");
    }

    proptest! {
        #[test]
        fn a_range_is_the_same_bytes_and_has_the_same_sum(
            len in prop_oneof![0..FIRST + 2, FIRST..FIRST + 3 * MORE + 2],
            cut in (0usize..20_000, 0usize..20_000),
        ) {
            let bytes: Vec<u8> = (0..len).map(|n| (n * 31 % 251) as u8).collect();
            let mut pieces = Pieces::default();
            let mut first = [0; FIRST];
            first[..len.min(FIRST)].copy_from_slice(&bytes[..len.min(FIRST)]);
            let list = frame(&mut pieces, &bytes[len.min(FIRST)..]);
            let rest = Rest::new(&first, list.map_or(&[], |list| pieces.list(list)), len);
            prop_assert_eq!((rest.len(), rest.is_empty()), (len, len == 0));
            let (a, b) = (cut.0.min(len), cut.1.min(len));
            let range = a.min(b)..a.max(b);
            prop_assert_eq!(rest.slices(range.clone()).collect::<Vec<_>>().concat(), &bytes[range.clone()]);
            prop_assert!(rest.slices(range.clone()).all(|slice| !slice.is_empty()));
            prop_assert_eq!(rest.sum(range.clone()).fold(), Sum::of(&bytes[range]).fold());
        }
    }
}
