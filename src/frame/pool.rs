//! Where the bytes of all frames inside an engine are. Nothing is allocated once it has grown to what is inside at a time.

use std::num::NonZeroU16;

use super::pieces::{FIRST, MORE, MOST, Piece, Pieces, Rest};
use super::{Cut, Frame, FrameView, HEAD_BYTES, HEAD_ROOM};
use crate::units::Duration;
use crate::wire::vnet::Offload;

/// The longest frame.
const LONGEST: usize = HEAD_BYTES + FIRST + MOST * MORE;

/// Why bytes do not make a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Longer than any TAP delivers.
    #[error("a frame of {0} bytes is longer than {LONGEST}")]
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
    /// Where it entered the network, or [`NOWHERE`].
    origin: u32,
    /// How long it had been on the path to there, in ns.
    path: u32,
    cut: Option<Cut>,
    offload: Offload,
    /// Bytes of the head, at most [`HEAD_ROOM`]: as many as were read into it, and what was put in and taken out since.
    head_len: u8,
    /// What is behind the head.
    first: Option<u32>,
    /// And behind that.
    more: Option<u32>,
    /// The slot whose bytes behind the head are this one's too: a head that was changed apart from others of its train.
    body: Option<u32>,
    head: [u8; HEAD_ROOM],
}

impl Default for Slot {
    fn default() -> Slot {
        Slot {
            references: 0,
            total: 0,
            origin: NOWHERE,
            path: 0,
            cut: None,
            offload: Offload::default(),
            head_len: 0,
            first: None,
            more: None,
            body: None,
            head: [0; HEAD_ROOM],
        }
    }
}

/// The origin of what a node inside the network made.
const NOWHERE: u32 = u32::MAX;

/// What changes in a slot when what is behind an offset of its head moves.
struct Moved {
    by: i32,
    cut: Option<Cut>,
    offload: Offload,
}

impl Moved {
    /// `None` if something that the slot knows of its frame begins before `from`, or would end beyond what it can be.
    fn of(slot: &Slot, from: usize, by: i32) -> Option<Moved> {
        let cut = match slot.cut {
            Some(cut) if usize::from(cut.header) < from => return None,
            Some(cut) => Some(Cut { header: cut.header.checked_add_signed(by as i16)?, ..cut }),
            None => None,
        };
        Some(Moved { by, cut, offload: slot.offload.moved(from, by)? })
    }

    fn note(self, slot: &mut Slot, head_len: usize) {
        slot.head_len = head_len as u8;
        slot.total = slot.total.saturating_add_signed(self.by);
        (slot.cut, slot.offload) = (self.cut, self.offload);
    }
}

/// A first piece. Boxed, because to move all of them whenever one more is made would take long.
type First = Box<[u8; FIRST]>;

/// First pieces.
#[derive(Default)]
struct Buffers {
    all: Vec<First>,
    free: Vec<u32>,
}

impl Buffers {
    fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.all.push(Box::new([0; FIRST]));
            u32::try_from(self.all.len() - 1).expect("fewer than 2^32 buffers fit into memory")
        })
    }
}

/// The bytes of all frames inside an engine. Nothing is allocated once it has grown to what is inside at a time.
#[derive(Default)]
pub struct FramePool {
    slots: Vec<Slot>,
    free: Vec<u32>,
    firsts: Buffers,
    pieces: Pieces,
    /// Where a wire frame is put together.
    scratch: Vec<u8>,
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
        if bytes.len() > LONGEST {
            return Err(Unfit::TooLong(bytes.len()));
        }
        let frame = self.read_into(bytes.len(), |parts, more| {
            let mut bytes_left = bytes;
            for part in parts.into_iter().chain(more.iter_mut().map(|piece| &mut piece[..])) {
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

    /// Stores a plain frame that `read` writes into two buffers and further pieces, one behind the other, and whose length
    /// it returns. All together hold `capacity` bytes or more, but no more than a frame can have; those that are not
    /// needed are empty. A frame keeps no more of them than it needs, however long it might have been. An error of `read`
    /// leaves the pool as it was.
    pub fn read_into<E>(
        &mut self,
        capacity: usize,
        read: impl FnOnce([&mut [u8]; 2], &mut [Piece]) -> Result<usize, E>,
    ) -> Result<Frame, E> {
        let id = self.slot();
        let first = (capacity > HEAD_BYTES).then(|| self.firsts.take());
        let slot = &mut self.slots[id as usize];
        let first_bytes = first.map_or(&mut [][..], |first| &mut self.firsts.all[first as usize][..]);
        let more = self.pieces.ready(capacity.saturating_sub(HEAD_BYTES + FIRST));
        let room = HEAD_BYTES + first_bytes.len() + more.len() * MORE;
        let result = read([&mut slot.head[..HEAD_BYTES], first_bytes], more);
        let total = match &result {
            Ok(total) => (*total).min(room),
            Err(_) => 0,
        };
        let kept = first.filter(|_| total > HEAD_BYTES);
        if kept.is_none() {
            self.firsts.free.extend(first);
        }
        if let Err(error) = result {
            self.free.push(id);
            return Err(error);
        }
        let slot = &mut self.slots[id as usize];
        (slot.references, slot.total, slot.cut) = (1, total as u32, None);
        (slot.origin, slot.path) = (NOWHERE, 0);
        slot.head_len = total.min(HEAD_BYTES) as u8;
        (slot.first, slot.more) = (kept, self.pieces.keep(total.saturating_sub(HEAD_BYTES + FIRST)));
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

    /// Takes a stretch out of circulation: the last step of a frame that was delivered or dropped.
    #[inline]
    pub fn release(&mut self, frame: Frame) {
        let slot = &mut self.slots[frame.slot() as usize];
        slot.references -= 1;
        if slot.references == 0 {
            self.empty(frame.slot());
        }
    }

    /// Takes back a slot that nothing refers to.
    #[inline]
    fn empty(&mut self, id: u32) {
        let slot = &mut self.slots[id as usize];
        self.firsts.free.extend(slot.first.take());
        if let Some(list) = slot.more.take() {
            self.pieces.give_back(list);
        }
        let body = slot.body.take();
        self.free.push(id);
        if let Some(body) = body {
            self.let_go_of(body);
        }
    }

    #[cold]
    fn let_go_of(&mut self, body: u32) {
        let slot = &mut self.slots[body as usize];
        slot.references -= 1;
        if slot.references == 0 {
            self.empty(body);
        }
    }

    /// The same wire frames with a head that nothing else shares, so that `FramePool::head_mut` may change it: for
    /// routers. Other stretches of the train, and copies, keep theirs. No bytes behind the head are copied.
    #[inline]
    pub fn own_head(&mut self, frame: Frame) -> Frame {
        if self.slots[frame.slot() as usize].references == 1 { frame } else { self.part_head(frame) }
    }

    fn part_head(&mut self, mut frame: Frame) -> Frame {
        let id = self.slot();
        let shared = &self.slots[frame.slot() as usize];
        let body = shared.body.unwrap_or(frame.slot());
        let Slot { total, origin, path, cut, offload, head_len, head, .. } = *shared;
        self.slots[id as usize] = Slot {
            references: 1,
            total,
            origin,
            path,
            cut,
            offload,
            head_len,
            first: None,
            more: None,
            body: Some(body),
            head,
        };
        self.slots[body as usize].references += 1;
        // what this stretch held of the old slot
        self.slots[frame.slot() as usize].references -= 1;
        frame.move_to(id);
        frame
    }

    /// A slot that nothing refers to.
    #[inline]
    fn slot(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 frames fit into memory")
        })
    }

    /// Notes where a frame entered the network: a number below `u32::MAX`. All of its train share it, and so does whatever
    /// is made of it.
    #[inline]
    pub(crate) fn set_origin(&mut self, frame: &Frame, origin: u32) {
        self.slots[frame.slot() as usize].origin = origin;
    }

    /// Where a frame entered the network; `None` of what a node inside it made.
    #[inline]
    pub(crate) fn origin(&self, frame: &Frame) -> Option<u32> {
        Some(self.slots[frame.slot() as usize].origin).filter(|origin| *origin != NOWHERE)
    }

    /// Notes for how long a frame had been on the path to the port that read it: 4.29 s at most. All of its train share it, and so does
    /// whatever is made of it.
    #[inline]
    pub fn set_path(&mut self, frame: &Frame, path: Duration) {
        self.slots[frame.slot() as usize].path = u32::try_from(path.as_nanos()).unwrap_or(u32::MAX);
    }

    /// How long a frame had been on the path to its port; zero where nobody has said.
    #[inline]
    pub(crate) fn path(&self, frame: &Frame) -> Duration {
        Duration::from_nanos(self.slots[frame.slot() as usize].path.into())
    }

    /// Notes that a frame was made of another, and so entered the network where that did.
    pub(crate) fn inherit_origin(&mut self, of: &Frame, made: &Frame) {
        let Slot { origin, path, .. } = self.slots[of.slot() as usize];
        let made = &mut self.slots[made.slot() as usize];
        (made.origin, made.path) = (origin, path);
    }

    /// Turns a single wire frame into what a receiver without offloads would get: a plain frame of its own, with its checksum
    /// complete.
    pub fn materialize(&mut self, frame: &mut Frame) {
        debug_assert_eq!(frame.count(), 1);
        let mut bytes = std::mem::take(&mut self.scratch);
        bytes.clear();
        self.view(frame).write_wire_frame(&mut bytes);
        let mut plain = self.store(&bytes).expect("a wire frame is no longer than the train it is of");
        self.scratch = bytes;
        (plain.number, plain.offered) = (frame.number, frame.offered);
        self.inherit_origin(frame, &plain);
        let shared = std::mem::replace(frame, plain);
        self.release(shared);
    }

    /// Flips bits of a plain frame that nothing else shares: the byte at `at` by XOR with `mask`.
    pub fn flip(&mut self, frame: &Frame, at: usize, mask: u8) {
        let slot = &mut self.slots[frame.slot() as usize];
        debug_assert!(slot.references == 1 && slot.cut.is_none() && slot.body.is_none() && at < slot.total as usize);
        let head = usize::from(slot.head_len);
        let behind = |start| at.checked_sub(start);
        let byte = match (behind(head + FIRST).zip(slot.more), behind(head).zip(slot.first)) {
            (Some((at, list)), _) => self.pieces.byte(list, at),
            (None, Some((at, first))) => &mut self.firsts.all[first as usize][at],
            (None, None) => &mut slot.head[at],
        };
        *byte ^= mask;
    }

    /// The first bytes of a frame that nothing else shares, to change: see [`FramePool::own_head`]. Those of a train are
    /// the head of each of its wire frames.
    pub(crate) fn head_mut(&mut self, frame: &Frame) -> &mut [u8] {
        let slot = &mut self.slots[frame.slot() as usize];
        debug_assert!(slot.references == 1);
        &mut slot.head[..usize::from(slot.head_len)]
    }

    /// Puts bytes into the head of a frame that nothing else shares, in front of its network header: into that of each of
    /// its wire frames. What is behind moves on, and so does what the frame has left to do. False, and all stays as it
    /// was, where the head has no room or `at` is behind the beginning of a network header that matters.
    pub(crate) fn insert(&mut self, frame: &Frame, at: usize, bytes: &[u8]) -> bool {
        let slot = &mut self.slots[frame.slot() as usize];
        debug_assert!(slot.references == 1);
        let (old, new) = (usize::from(slot.head_len), usize::from(slot.head_len) + bytes.len());
        if at > old || new > HEAD_ROOM {
            return false;
        }
        let Some(moved) = Moved::of(slot, at, bytes.len() as i32) else { return false };
        slot.head.copy_within(at..old, at + bytes.len());
        slot.head[at..at + bytes.len()].copy_from_slice(bytes);
        moved.note(slot, new);
        true
    }

    /// Takes `count` bytes at `at` out of the head of a frame that nothing else shares, in front of its network header:
    /// the opposite of [`FramePool::insert`].
    pub(crate) fn remove(&mut self, frame: &Frame, at: usize, count: usize) -> bool {
        let slot = &mut self.slots[frame.slot() as usize];
        debug_assert!(slot.references == 1);
        let old = usize::from(slot.head_len);
        if at + count > old {
            return false;
        }
        let Some(moved) = Moved::of(slot, at + count, -(count as i32)) else { return false };
        slot.head.copy_within(at + count..old, at);
        moved.note(slot, old - count);
        true
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
        let body = slot.body.map_or(slot, |body| &self.slots[body as usize]);
        let first = body.first.map_or(&[][..], |first| &self.firsts.all[first as usize][..]);
        let more = body.more.map_or(&[][..], |list| self.pieces.list(list));
        FrameView {
            head: &slot.head[..usize::from(slot.head_len)],
            rest: Rest::new(first, more, total - usize::from(slot.head_len)),
            cut: slot.cut,
            offload: slot.offload,
            first: frame.first(),
            count: frame.count() as u16,
        }
    }

    /// Stretches of trains that have not been released.
    pub fn live(&self) -> u64 {
        let bodies = self.slots.iter().filter(|s| s.body.is_some()).count() as u64;
        self.slots.iter().map(|s| u64::from(s.references)).sum::<u64>() - bodies
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
            HEAD_BYTES + FIRST,
            HEAD_BYTES + FIRST + 1,
            HEAD_BYTES + FIRST + MORE,
            HEAD_BYTES + FIRST + MORE + 1,
            LONGEST,
        ] {
            let frame = pool.store(&pattern(n)).unwrap();
            assert_eq!(pool.view(&frame).to_vec(), pattern(n));
            assert_eq!(pool.bytes(&frame), n as u64);
            pool.release(frame);
        }
        assert_eq!(pool.live(), 0);
        assert_eq!(pool.store(&pattern(LONGEST + 1)), Err(Unfit::TooLong(LONGEST + 1)));
    }

    #[test]
    #[cfg_attr(miri, ignore = "about amounts of memory: minutes in an interpreter")]
    fn released_storage_is_used_again() {
        let mut pool = FramePool::default();
        for n in 0..1000 {
            let frame = pool.store(&pattern(100 + n)).unwrap();
            pool.release(frame);
        }
        assert_eq!((pool.slots.len(), pool.firsts.all.len(), pool.pieces.counts()), (1, 1, (0, 0)));
        let small = pool.store(&pattern(60)).unwrap();
        assert!(pool.view(&small).rest.is_empty(), "an ACK holds no buffer");
        pool.release(small);
    }

    #[test]
    fn a_frame_keeps_no_more_pieces_than_it_needs_however_long_it_might_have_been() {
        let mut pool = FramePool::default();
        let mut frames = Vec::new();
        for n in [60, 1514, HEAD_BYTES + FIRST, HEAD_BYTES + FIRST + 1, HEAD_BYTES + FIRST + MORE + 1] {
            let frame = pool.read_into(65_000, |parts, more| {
                let mut bytes = pattern(n).into_iter();
                for part in parts.into_iter().chain(more.iter_mut().map(|piece| &mut piece[..])) {
                    part.iter_mut().zip(&mut bytes).for_each(|(to, from)| *to = from);
                }
                Ok::<_, ()>(n)
            });
            frames.push(frame.unwrap());
            assert_eq!(pool.view(frames.last().unwrap()).to_vec(), pattern(n), "{n} bytes");
        }
        // one, and two; the last was read when as many stood ready as the longest frame needs
        assert_eq!(pool.pieces.counts(), (MOST + 1, 3));
        assert_eq!(pool.firsts.all.len(), 4, "the shortest frame holds none");
        frames.into_iter().for_each(|frame| pool.release(frame));
        assert_eq!((pool.live(), pool.pieces.counts()), (0, (MOST + 1, 0)));
    }

    #[test]
    #[cfg_attr(miri, ignore = "about amounts of memory: minutes in an interpreter")]
    fn many_short_trains_hold_about_the_memory_of_their_bytes() {
        let mut pool = FramePool::default();
        let cut = Cut { header: 66, segment: 1448 };
        let bytes = pattern(66 + 8 * 1448);
        // as read from a TAP, where each could have been longer
        let read = |pool: &mut FramePool| {
            let frame = pool.read_into(65_557, |_, _| Ok::<_, ()>(bytes.len())).unwrap();
            pool.cut(frame, cut).unwrap()
        };
        let trains: Vec<_> = (0..1000).map(|_| read(&mut pool)).collect();
        let (pieces, _) = pool.pieces.counts();
        let held = pool.slots.len() * size_of::<Slot>() + pool.firsts.all.len() * FIRST + pieces * MORE;
        let needed = trains.len() * bytes.len();
        assert!(held < needed * 2, "{held} bytes are held for {needed}");
        trains.into_iter().for_each(|train| pool.release(train));
        assert_eq!(pool.live(), 0);
    }

    #[test]
    fn a_failed_read_leaves_the_pool_as_it_was() {
        let mut pool = FramePool::default();
        assert_eq!(pool.read_into(65_535, |_, _| Err::<usize, _>("would block")), Err("would block"));
        assert_eq!(pool.live(), 0);
        let frame = pool.store(&pattern(1514)).unwrap();
        assert_eq!((pool.slots.len(), pool.firsts.all.len(), pool.pieces.counts()), (1, 1, (MOST, 0)));
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
        let mut last = train;
        pool.materialize(&mut last);
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
    fn a_stretch_gets_a_head_of_its_own_and_shares_what_is_behind() {
        let mut pool = FramePool::default();
        let cut = Cut { header: 66, segment: 1000 };
        let bytes = pattern(66 + 5 * 1000);
        let mut train = pool.store_train(&bytes, cut).unwrap();
        let first = pool.split_front(&mut train, 2);
        let changed = pool.own_head(first);
        pool.head_mut(&changed)[22] = 0xee;
        let again = pool.share(&changed);
        let again = pool.own_head(again);
        pool.head_mut(&again)[22] = 0xdd;
        assert_eq!(pool.live(), 3);
        // the train goes first: what is behind its head stays for the others
        assert_eq!(pool.view(&train).to_vec(), bytes);
        pool.release(train);
        for (frame, byte) in [(changed, 0xee), (again, 0xdd)] {
            let mut wire = Vec::new();
            pool.view(&frame).write_wire_frame(&mut wire);
            assert_eq!((wire[22], &wire[66..], wire.len()), (byte, &bytes[66..1066], 1066));
            assert_eq!(frame.count(), 2);
            pool.release(frame);
        }
        assert_eq!((pool.live(), pool.free.len()), (0, pool.slots.len()));
        // alone, it stays where it is
        let alone = pool.store(&bytes).unwrap();
        let slots = pool.slots.len();
        let alone = pool.own_head(alone);
        assert_eq!(pool.slots.len(), slots);
        pool.release(alone);
    }

    #[test]
    fn bytes_are_put_into_heads_and_taken_out_again_at_every_length() {
        let mut pool = FramePool::default();
        for n in [18, 60, HEAD_BYTES - 1, HEAD_BYTES, HEAD_BYTES + 1, 1514, HEAD_BYTES + FIRST + 1, LONGEST] {
            let bytes = pattern(n);
            let frame = pool.store(&bytes).unwrap();
            let shared = pool.share(&frame);
            let tagged = pool.own_head(frame);
            assert!(pool.insert(&tagged, 12, &[1, 2, 3, 4]));
            let with = [&bytes[..12], &[1, 2, 3, 4], &bytes[12..]].concat();
            assert_eq!((pool.view(&tagged).to_vec(), pool.bytes(&tagged)), (with.clone(), n as u64 + 4));
            assert_eq!(pool.view(&shared).to_vec(), bytes, "the other handle has its own head");
            let mut whole = Vec::new();
            pool.view(&tagged).write_wire_frame(&mut whole);
            assert_eq!(whole, with);
            assert!(pool.remove(&tagged, 12, 4));
            assert_eq!(pool.view(&tagged).to_vec(), bytes);
            // more goes out than was put in, and bits flip at the right place behind a head of another length
            assert!(pool.remove(&tagged, 8, 4));
            let less = [&bytes[..8], &bytes[12..]].concat();
            assert_eq!(pool.view(&tagged).to_vec(), less);
            pool.release(shared);
            pool.release(tagged);
            let alone = pool.store(&bytes).unwrap();
            assert!(pool.insert(&alone, 0, &[9; 8]) && !pool.insert(&alone, 0, &[9; 200]));
            for at in [0, 7, n / 2 + 8, n + 7] {
                pool.flip(&alone, at, 1);
                let expected = if at < 8 { 8 } else { bytes[at - 8] ^ 1 };
                assert_eq!(pool.view(&alone).to_vec()[at], expected, "{n} bytes, at {at}");
            }
            pool.release(alone);
        }
        let full = pool.store(&pattern(HEAD_BYTES)).unwrap();
        assert!(pool.insert(&full, 14, &[0; HEAD_ROOM - HEAD_BYTES]) && !pool.insert(&full, 14, &[0]));
        assert!(!pool.remove(&full, HEAD_ROOM - 3, 4) && !pool.insert(&full, HEAD_ROOM + 1, &[]));
        pool.release(full);
        assert_eq!(pool.live(), 0);
    }

    #[test]
    fn where_a_frame_entered_goes_with_all_that_is_made_of_it() {
        let mut pool = FramePool::default();
        let mut train = pool.store_train(&pattern(66 + 2500), Cut { header: 66, segment: 1000 }).unwrap();
        assert_eq!(pool.origin(&train), None);
        pool.set_origin(&train, 7);
        pool.set_path(&train, Duration::from_millis(5));
        let (first, copy) = (pool.split_front(&mut train, 1), pool.share(&train));
        let mut plain = pool.own_head(first);
        pool.materialize(&mut plain);
        assert_eq!([&train, &copy, &plain].map(|frame| pool.origin(frame)), [Some(7); 3]);
        assert_eq!([&train, &copy, &plain].map(|frame| pool.path(frame)), [Duration::from_millis(5); 3]);
        [train, copy, plain].into_iter().for_each(|frame| pool.release(frame));
        let next = pool.store(&pattern(60)).unwrap();
        let nothing = (None, Duration::ZERO);
        assert_eq!(
            (pool.origin(&next), pool.path(&next)),
            nothing,
            "a slot that is used again knows nothing of before"
        );
        pool.release(next);
    }

    #[test]
    fn a_tag_goes_into_each_wire_frame_of_a_train() {
        let mut pool = FramePool::default();
        let cut = Cut { header: 66, segment: 1000 };
        let bytes = pattern(66 + 2500);
        let mut train = pool.store_train(&bytes, cut).unwrap();
        let first = pool.split_front(&mut train, 1);
        let mut tagged = pool.own_head(train);
        assert!(pool.insert(&tagged, 12, &[7; 4]));
        assert_eq!((pool.bytes(&tagged), pool.bytes(&first)), (1070 + 570, 1066));
        assert_eq!(pool.view(&tagged).cut, Some(Cut { header: 70, segment: 1000 }));
        let middle = pool.split_front(&mut tagged, 1);
        for (frame, payload) in [(middle, 1066..2066), (tagged, 2066..2566)] {
            let mut wire = Vec::new();
            pool.view(&frame).write_wire_frame(&mut wire);
            assert_eq!(wire, [&bytes[..12], &[7; 4], &bytes[12..66], &bytes[payload]].concat());
            pool.release(frame);
        }
        assert!(!pool.remove(&first, 64, 4), "not across the end of the header");
        pool.release(first);
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
