//! Where the bytes of all frames inside an engine are. Nothing is allocated once it has grown to what is inside at a time.

use std::num::NonZeroU16;

use super::{Cut, Frame, FrameView, HEAD_BYTES};
use crate::wire::vnet::Offload;

/// Buffer for the rest of a frame of ordinary size.
const SMALL: usize = 2 * 1024;
/// Buffer for the rest of a super-frame or a jumbo frame.
const LARGE: usize = 64 * 1024;
/// Why bytes do not make a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Longer than any TAP delivers.
    #[error("a frame of {0} bytes is longer than {max}", max = HEAD_BYTES + LARGE)]
    TooLong(usize),
    /// The cut does not fit the bytes.
    #[error("{bytes} bytes are no train of {} header and {} payload bytes a frame", cut.header, cut.segment)]
    Cut {
        /// The whole length.
        bytes: usize,
        /// How it was to be cut.
        cut: Cut,
    },
}
struct Slot {
    references: u32,
    total: u32,
    cut: Option<Cut>,
    offload: Offload,
    rest: Option<BufferId>,
    head: [u8; HEAD_BYTES],
}

impl Default for Slot {
    fn default() -> Slot {
        Slot { references: 0, total: 0, cut: None, offload: Offload::default(), rest: None, head: [0; HEAD_BYTES] }
    }
}

#[derive(Clone, Copy)]
enum BufferId {
    Small(u32),
    Large(u32),
}

/// Buffers of one size.
struct Buffers {
    size: usize,
    all: Vec<Box<[u8]>>,
    free: Vec<u32>,
}

impl Buffers {
    fn new(size: usize) -> Buffers {
        Buffers { size, all: Vec::new(), free: Vec::new() }
    }

    fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.all.push(vec![0; self.size].into_boxed_slice());
            u32::try_from(self.all.len() - 1).expect("fewer than 2^32 buffers fit into memory")
        })
    }
}

/// The bytes of all frames inside an engine. Nothing is allocated once it has grown to what is inside at a time.
pub struct FramePool {
    slots: Vec<Slot>,
    free: Vec<u32>,
    small: Buffers,
    large: Buffers,
    /// Where a wire frame is put together.
    scratch: Vec<u8>,
}

impl Default for FramePool {
    fn default() -> FramePool {
        FramePool {
            slots: Vec::new(),
            free: Vec::new(),
            small: Buffers::new(SMALL),
            large: Buffers::new(LARGE),
            scratch: Vec::new(),
        }
    }
}

impl FramePool {
    /// Stores a plain frame.
    pub fn store(&mut self, bytes: &[u8]) -> Result<Frame, Unfit> {
        self.store_parts(bytes, None)
    }

    /// Stores a super-frame that is to be cut into wire frames.
    pub fn store_train(&mut self, bytes: &[u8], cut: Cut) -> Result<Frame, Unfit> {
        self.store_parts(bytes, Some(cut))
    }

    fn store_parts(&mut self, bytes: &[u8], cut: Option<Cut>) -> Result<Frame, Unfit> {
        if bytes.len() > HEAD_BYTES + LARGE {
            return Err(Unfit::TooLong(bytes.len()));
        }
        let frame = self.read_into(bytes.len(), |parts| {
            let mut bytes_left = bytes;
            for part in parts {
                let (now, later) = bytes_left.split_at(bytes_left.len().min(part.len()));
                part[..now.len()].copy_from_slice(now);
                bytes_left = later;
            }
            Ok::<_, Unfit>(bytes.len())
        })?;
        match cut {
            None => Ok(frame),
            Some(cut) => self.cut(frame, cut),
        }
    }

    /// Stores a plain frame that `read` writes into three buffers, one behind the other, and whose length it returns.
    /// The three together hold `capacity` bytes or more; those that are not needed are empty. A frame of ordinary size
    /// keeps no large buffer, however large it might have been. An error of `read` leaves the pool as it was.
    pub fn read_into<E>(
        &mut self,
        capacity: usize,
        read: impl FnOnce([&mut [u8]; 3]) -> Result<usize, E>,
    ) -> Result<Frame, E> {
        let id = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 frames fit into memory")
        });
        let small = (capacity > HEAD_BYTES).then(|| self.small.take());
        let large = (capacity > HEAD_BYTES + SMALL).then(|| self.large.take());
        let slot = &mut self.slots[id as usize];
        let small_bytes = small.map_or(&mut [][..], |b| &mut self.small.all[b as usize]);
        // the small buffer's bytes come first if the frame turns out to need a large one
        let large_bytes = large.map_or(&mut [][..], |b| &mut self.large.all[b as usize]);
        let behind = large_bytes.get_mut(SMALL..).unwrap_or_default();
        let room = HEAD_BYTES + small_bytes.len() + behind.len();
        let result = read([&mut slot.head, &mut *small_bytes, behind]);
        let total = match &result {
            Ok(total) => (*total).min(room),
            Err(_) => 0,
        };
        if total > HEAD_BYTES + SMALL {
            large_bytes[..SMALL].copy_from_slice(small_bytes);
        }
        let (small, large) = (small.map(BufferId::Small), large.map(BufferId::Large));
        let (keep, back) = match total {
            0..=HEAD_BYTES => (None, [small, large]),
            n if n <= HEAD_BYTES + SMALL => (small, [large, None]),
            _ => (large, [small, None]),
        };
        back.into_iter().for_each(|buffer| self.give_back(buffer));
        if let Err(error) = result {
            self.free.push(id);
            return Err(error);
        }
        let slot = &mut self.slots[id as usize];
        (slot.references, slot.total, slot.cut, slot.rest) = (1, total as u32, None, keep);
        slot.offload = Offload::default();
        Ok(Frame::new(id, 0, NonZeroU16::MIN))
    }

    /// Notes what is left to do on a plain frame that nothing else shares: a checksum to complete, a train to cut.
    pub fn set_offload(&mut self, frame: &mut Frame, offload: Offload) {
        let slot = &mut self.slots[frame.slot() as usize];
        debug_assert!(slot.references == 1 && frame.count() == 1);
        slot.offload = offload;
        if let Some(layout) = offload.train {
            // A train has 64 KiB at most, and two frames at least.
            frame.set(0, layout.frames() as u64);
            slot.cut = Some(Cut { header: layout.header_len() as u16, segment: layout.gso().size });
        }
    }

    /// Turns a plain frame that nothing else shares into a train. On error the frame is gone.
    pub fn cut(&mut self, mut frame: Frame, cut: Cut) -> Result<Frame, Unfit> {
        let slot = &mut self.slots[frame.slot() as usize];
        let payload = (slot.total as usize).saturating_sub(usize::from(cut.header));
        let count = payload.div_ceil(usize::from(cut.segment).max(1));
        let fits = cut.segment > 0 && usize::from(cut.header) <= HEAD_BYTES && slot.references == 1;
        match u16::try_from(count) {
            Ok(count) if fits && count > 0 => {
                slot.cut = (count > 1).then_some(cut);
                frame.set(0, u64::from(count));
                Ok(frame)
            }
            _ => {
                let bytes = slot.total as usize;
                self.release(frame);
                Err(Unfit::Cut { bytes, cut })
            }
        }
    }

    fn give_back(&mut self, buffer: Option<BufferId>) {
        match buffer {
            None => {}
            Some(BufferId::Small(b)) => self.small.free.push(b),
            Some(BufferId::Large(b)) => self.large.free.push(b),
        }
    }

    /// Takes a stretch out of circulation: the last step of a frame that was delivered or dropped.
    #[inline]
    pub fn release(&mut self, frame: Frame) {
        let slot = &mut self.slots[frame.slot() as usize];
        slot.references -= 1;
        if slot.references == 0 {
            let rest = slot.rest.take();
            self.give_back(rest);
            self.free.push(frame.slot());
        }
    }

    /// A single wire frame as a receiver without offloads would get it: a plain frame of its own, with its checksum complete.
    pub fn materialize(&mut self, frame: Frame) -> Frame {
        debug_assert_eq!(frame.count(), 1);
        let mut bytes = std::mem::take(&mut self.scratch);
        bytes.clear();
        self.view(&frame).write_wire_frame(&mut bytes);
        let mut plain = self.store(&bytes).expect("a wire frame is no longer than the train it is of");
        self.scratch = bytes;
        (plain.number, plain.offered) = (frame.number, frame.offered);
        self.release(frame);
        plain
    }

    /// Flips bits of a plain frame that nothing else shares: the byte at `at` by XOR with `mask`.
    pub fn flip(&mut self, frame: &Frame, at: usize, mask: u8) {
        let slot = &mut self.slots[frame.slot() as usize];
        debug_assert!(slot.references == 1 && slot.cut.is_none() && at < slot.total as usize);
        let byte = match (at.checked_sub(HEAD_BYTES), slot.rest) {
            (None, _) => &mut slot.head[at],
            (Some(at), Some(BufferId::Small(b))) => &mut self.small.all[b as usize][at],
            (Some(at), Some(BufferId::Large(b))) => &mut self.large.all[b as usize][at],
            (Some(_), None) => return,
        };
        *byte ^= mask;
    }

    /// The first bytes of a plain frame that nothing else shares, to change.
    pub(crate) fn head_mut(&mut self, frame: &Frame) -> &mut [u8] {
        let slot = &mut self.slots[frame.slot() as usize];
        debug_assert!(slot.references == 1 && slot.cut.is_none());
        &mut slot.head[..(slot.total as usize).min(HEAD_BYTES)]
    }

    /// Another handle to the same wire frames: for flooding and duplication. No bytes are copied.
    #[inline]
    pub fn share(&mut self, frame: &Frame) -> Frame {
        self.slots[frame.slot() as usize].references += 1;
        Frame { ..*frame }
    }

    /// Splits off the first `n` wire frames, 0 < n < count.
    #[inline]
    pub(crate) fn split_front(&mut self, frame: &mut Frame, n: u64) -> Frame {
        debug_assert!(0 < n && n < frame.count());
        self.slots[frame.slot() as usize].references += 1;
        let mut front = Frame { ..*frame };
        front.set(frame.first(), n);
        frame.set(frame.first() + n as u16, frame.count() - n);
        frame.number += n;
        front
    }

    /// Joins `next`, which [`Frame::is_followed_by`] has approved, to the end of `run`.
    #[inline]
    pub(crate) fn append(&mut self, run: &mut Frame, next: Frame) {
        debug_assert!(run.is_followed_by(&next));
        run.set(run.first(), run.count() + next.count());
        self.slots[next.slot() as usize].references -= 1; // `run` holds another
    }

    /// Bytes of the wire frame at position `i` of the stretch: Ethernet header to payload, without FCS.
    #[inline]
    pub fn wire_len(&self, frame: &Frame, i: u64) -> u64 {
        let slot = &self.slots[frame.slot() as usize];
        match slot.cut {
            None => u64::from(slot.total),
            Some(cut) => {
                let start = (u64::from(frame.first()) + i) * u64::from(cut.segment);
                let payload = u64::from(slot.total) - u64::from(cut.header);
                u64::from(cut.header) + (payload - start).min(u64::from(cut.segment))
            }
        }
    }

    /// Bytes of all wire frames of the stretch, each with its header.
    #[inline]
    pub fn bytes(&self, frame: &Frame) -> u64 {
        // all but the last of a train are alike
        let n = frame.count();
        if n == 1 {
            return self.wire_len(frame, 0);
        }
        self.wire_len(frame, 0) * (n - 1) + self.wire_len(frame, n - 1)
    }

    /// The stretch's bytes, to read.
    #[inline]
    pub fn view(&self, frame: &Frame) -> FrameView<'_> {
        let slot = &self.slots[frame.slot() as usize];
        let total = slot.total as usize;
        let rest: &[u8] = match slot.rest {
            None => &[],
            Some(BufferId::Small(b)) => &self.small.all[b as usize],
            Some(BufferId::Large(b)) => &self.large.all[b as usize],
        };
        FrameView {
            head: &slot.head[..total.min(HEAD_BYTES)],
            rest: &rest[..total.saturating_sub(HEAD_BYTES)],
            cut: slot.cut,
            offload: slot.offload,
            first: frame.first(),
            count: frame.count() as u16,
        }
    }

    /// Stretches of trains that have not been released.
    pub fn live(&self) -> u64 {
        self.slots.iter().map(|s| u64::from(s.references)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(n: usize) -> Vec<u8> {
        (0..n).map(|i| (i * 31 % 251) as u8).collect()
    }

    #[test]
    fn bytes_come_back_as_they_were_at_every_size_boundary() {
        let mut pool = FramePool::default();
        for n in [
            0,
            1,
            14,
            60,
            HEAD_BYTES - 1,
            HEAD_BYTES,
            HEAD_BYTES + 1,
            1514,
            HEAD_BYTES + SMALL,
            HEAD_BYTES + SMALL + 1,
            HEAD_BYTES + LARGE,
        ] {
            let frame = pool.store(&pattern(n)).unwrap();
            assert_eq!(pool.view(&frame).to_vec(), pattern(n));
            assert_eq!(pool.bytes(&frame), n as u64);
            pool.release(frame);
        }
        assert_eq!(pool.live(), 0);
        assert_eq!(pool.store(&pattern(HEAD_BYTES + LARGE + 1)), Err(Unfit::TooLong(HEAD_BYTES + LARGE + 1)));
    }

    #[test]
    fn released_storage_is_used_again() {
        let mut pool = FramePool::default();
        for n in 0..1000 {
            let frame = pool.store(&pattern(100 + n)).unwrap();
            pool.release(frame);
        }
        assert_eq!((pool.slots.len(), pool.small.all.len(), pool.large.all.len()), (1, 1, 0));
        let small = pool.store(&pattern(60)).unwrap();
        assert!(pool.view(&small).rest.is_empty(), "an ACK holds no buffer");
        pool.release(small);
    }

    #[test]
    fn an_ordinary_frame_keeps_no_large_buffer() {
        let mut pool = FramePool::default();
        let mut frames = Vec::new();
        for n in [60, 1514, HEAD_BYTES + SMALL, HEAD_BYTES + SMALL + 1, 9014] {
            let frame = pool.read_into(65_000, |parts| {
                let mut bytes = pattern(n).into_iter();
                for part in parts {
                    part.iter_mut().zip(&mut bytes).for_each(|(to, from)| *to = from);
                }
                Ok::<_, ()>(n)
            });
            frames.push(frame.unwrap());
            assert_eq!(pool.view(frames.last().unwrap()).to_vec(), pattern(n), "{n} bytes");
        }
        // two are large, and one more was held ready
        assert_eq!(pool.large.all.len() - pool.large.free.len(), 2);
        frames.into_iter().for_each(|frame| pool.release(frame));
        assert_eq!((pool.live(), pool.large.free.len()), (0, pool.large.all.len()));
    }

    #[test]
    fn a_failed_read_leaves_the_pool_as_it_was() {
        let mut pool = FramePool::default();
        assert_eq!(pool.read_into(65_535, |_| Err::<usize, _>("would block")), Err("would block"));
        assert_eq!(pool.live(), 0);
        let frame = pool.store(&pattern(1514)).unwrap();
        assert_eq!((pool.slots.len(), pool.small.all.len(), pool.large.all.len()), (1, 1, 1));
        pool.release(frame);
    }

    #[test]
    fn a_train_counts_each_wire_frame_with_its_header() {
        let mut pool = FramePool::default();
        let cut = Cut { header: 66, segment: 1448 };
        let mut train = pool.store_train(&pattern(66 + 3 * 1448 + 10), cut).unwrap();
        assert_eq!(train.count(), 4);
        assert_eq!((0..4).map(|i| pool.wire_len(&train, i)).collect::<Vec<_>>(), [1514, 1514, 1514, 76]);
        assert_eq!(pool.bytes(&train), 3 * 1514 + 76);
        let front = pool.split_front(&mut train, 1);
        assert_eq!((pool.bytes(&front), pool.bytes(&train)), (1514, 2 * 1514 + 76));
        assert!(front.is_followed_by(&train) && !train.is_followed_by(&front));
        let mut whole = front;
        pool.append(&mut whole, train);
        assert_eq!(whole.count(), 4);
        assert_eq!(pool.live(), 1);
        pool.release(whole);
        assert_eq!(pool.live(), 0);
    }

    #[test]
    fn a_cut_that_does_not_fit_is_refused_and_nothing_leaks() {
        let mut pool = FramePool::default();
        for cut in [Cut { header: 66, segment: 0 }, Cut { header: 200, segment: 10 }, Cut { header: 66, segment: 1448 }]
        {
            assert!(matches!(pool.store_train(&pattern(66), cut), Err(Unfit::Cut { .. })));
        }
        assert_eq!(pool.live(), 0);
        let one = pool.store_train(&pattern(100), Cut { header: 66, segment: 1448 }).unwrap();
        assert_eq!((one.count(), pool.view(&one).cut), (1, None), "a train of one is a plain frame");
        pool.release(one);
    }

    #[test]
    fn a_wire_frame_of_a_train_becomes_a_frame_of_its_own_whose_bits_can_flip() {
        let mut pool = FramePool::default();
        let cut = Cut { header: 66, segment: 1000 };
        let bytes = pattern(66 + 2500);
        let mut train = pool.store_train(&bytes, cut).unwrap();
        train.number = 7;
        let first = pool.split_front(&mut train, 2);
        let last = pool.materialize(train);
        assert_eq!(pool.view(&last).to_vec(), [&bytes[..66], &bytes[2066..]].concat());
        assert_eq!((last.number, last.count()), (9, 1));
        for at in [0, HEAD_BYTES - 1, HEAD_BYTES, 565] {
            pool.flip(&last, at, 0x10);
            let now = pool.view(&last).to_vec()[at];
            assert_eq!(now, [&bytes[..66], &bytes[2066..]].concat()[at] ^ 0x10);
        }
        assert_eq!(pool.view(&first).to_vec(), bytes, "the train's own bytes are as they were");
        pool.release(first);
        pool.release(last);
        assert_eq!(pool.live(), 0);
    }

    #[test]
    fn shared_frames_keep_their_bytes_until_the_last_is_released() {
        let mut pool = FramePool::default();
        let frame = pool.store(&pattern(500)).unwrap();
        let copy = pool.share(&frame);
        pool.release(frame);
        assert_eq!(pool.view(&copy).to_vec(), pattern(500));
        pool.release(copy);
        assert_eq!(pool.live(), 0);
    }
}
