//! From the engine's thread to the one that writes captures: what happens to frames of captured links, and their bytes, in
//! chunks.
//!
//! The engine's thread never waits and, once all chunks are made, allocates nothing: it copies a frame once, as the
//! super-frame that it may be, into a chunk that comes back from the writer. Where none comes back in time, frames are
//! counted as missed. Some chunks are kept for what becomes of frames that were taken, so that their ends are told all
//! the same.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::words::discipline;
use crate::engine::{Command, DirectionId, DirectionSpec, Fate, FateKind, LinkId, Place};
use crate::frame::{DropCause, FrameView};
use crate::units::{Duration, Instant};
use crate::wire::segmentation::{Checksum, MAX_HEADER_LEN, Segmenter};
use crate::wire::vnet::VnetHeader;

/// Bytes of frames in a chunk: several super-frames.
const CHUNK_BYTES: usize = 512 * 1024;
/// Records in a chunk.
const CHUNK_RECORDS: usize = 4096;
/// How many chunks there are at most: about 20 MB.
const CHUNKS: usize = 24;
/// How long a chunk that is not full waits for more.
const PATIENCE: Duration = Duration::from_millis(20);
/// A direction that is not captured.
const NONE: u32 = u32::MAX;

/// Something that happened to consecutive wire frames of a captured direction.
#[derive(Clone, Debug)]
pub struct Record {
    /// The direction: twice the link's place among those captured, and one more on the way back.
    pub slot: u32,
    /// Number of the first of them in the direction.
    pub number: u64,
    /// How many.
    pub frames: u32,
    /// When, in model time.
    pub at: Instant,
    /// What.
    pub kind: RecordKind,
    /// Where their bytes are in the chunk, if it brings some.
    bytes: Range<u32>,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum RecordKind {
    /// They were offered; with their bytes, on which this is left to do.
    Offered(VnetHeader),
    /// The direction made it; with its bytes.
    Originated(VnetHeader),
    /// A queue marked them; with the bytes that they have now.
    Marked(VnetHeader),
    /// Bits flipped; with the bytes that they have now.
    Corrupted(VnetHeader),
    /// There is a copy now.
    Duplicated,
    /// The first bit is being sent.
    Serializing,
    /// They are on their way.
    Departing {
        /// When they will arrive.
        arrival: Instant,
        /// What the delay model drew.
        drawn: Duration,
        /// It is the copy.
        copy: bool,
        /// It runs ahead.
        ahead: bool,
    },
    /// They arrived.
    Delivered {
        /// It is the copy.
        copy: bool,
        /// A frame that went onto the wire later had arrived before.
        overtaken: bool,
    },
    /// They were dropped.
    Dropped(DropCause),
    /// From here on the direction has this queue.
    Queue(&'static str),
}

/// Records with the bytes that they bring.
#[derive(Debug, Default)]
pub struct Chunk {
    records: Vec<Record>,
    bytes: Vec<u8>,
}

impl Chunk {
    fn new() -> Chunk {
        Chunk { records: Vec::with_capacity(CHUNK_RECORDS), bytes: Vec::with_capacity(CHUNK_BYTES) }
    }

    /// All records, in the order in which they happened, each with its bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&Record, &[u8])> {
        self.records.iter().map(|record| (record, &self.bytes[record.bytes.start as usize..record.bytes.end as usize]))
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.records.len() < CHUNK_RECORDS && self.bytes.len() + bytes <= CHUNK_BYTES
    }
}

/// What both sides count and say, by slot or link.
#[derive(Debug)]
struct Shared {
    /// Frames that there was no chunk for.
    missed: Box<[AtomicU64]>,
    /// Frames that came when a file was full.
    beyond: Box<[AtomicU64]>,
    /// Records of taken frames that there was no chunk for.
    lost: Box<[AtomicU64]>,
    /// By link: its file is full.
    full: Box<[AtomicBool]>,
}

impl Shared {
    fn add(counters: &[AtomicU64], slot: u32, frames: u64) {
        // only the engine's thread adds
        counters[slot as usize].fetch_add(frames, Ordering::Relaxed);
    }
}

/// The engine's end.
#[derive(Debug)]
pub struct Tape {
    /// By direction: its slot, or [`NONE`].
    slots: Box<[u32]>,
    /// By slot: one more than the number of the last frame that was taken.
    taken_to: Box<[u64]>,
    chunk: Chunk,
    /// When the first record came into the chunk.
    begun: Option<Instant>,
    made: usize,
    most: usize,
    filled: Sender<Chunk>,
    empty: Receiver<Chunk>,
    shared: Arc<Shared>,
}

/// The writer's end.
#[derive(Debug)]
pub struct Reel {
    filled: Receiver<Chunk>,
    empty: Sender<Chunk>,
    shared: Arc<Shared>,
}

/// What the writer finds on the reel.
#[derive(Debug)]
pub enum Next {
    /// Something happened.
    Chunk(Chunk),
    /// Nothing for so long.
    Idle,
    /// Nothing will any more.
    End,
}

/// What is missing in the capture of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// Frames that writing fell behind for.
    pub missed: u64,
    /// Frames that came when the file was full.
    pub beyond: u64,
    /// Things that happened to frames of the file, and are not told: writing fell behind.
    pub untold: u64,
}

/// The two ends, for these links, each once, of a network with so many directions.
pub fn tape(directions: usize, links: &[LinkId]) -> (Tape, Reel) {
    with_chunks(directions, links, CHUNKS)
}

fn with_chunks(directions: usize, links: &[LinkId], most: usize) -> (Tape, Reel) {
    let mut slots = vec![NONE; directions];
    for (link, first) in links.iter().zip((0..).step_by(2)) {
        for (id, slot) in link.directions().into_iter().zip(first..) {
            slots[id.0 as usize] = slot;
        }
    }
    let counters = || (0..links.len() * 2).map(|_| AtomicU64::new(0)).collect();
    let shared = Arc::new(Shared {
        missed: counters(),
        beyond: counters(),
        lost: counters(),
        full: links.iter().map(|_| AtomicBool::new(false)).collect(),
    });
    // never full: there are no more chunks
    let (filled, reader) = bounded(most + 1);
    let (back, empty) = bounded(most + 1);
    let tape = Tape {
        slots: slots.into(),
        taken_to: vec![0; links.len() * 2].into(),
        chunk: Chunk::new(),
        begun: None,
        made: 1,
        most,
        filled,
        empty,
        shared: Arc::clone(&shared),
    };
    (tape, Reel { filled: reader, empty: back, shared })
}

impl Tape {
    /// Whether a direction is captured.
    #[inline]
    pub fn watches(&self, direction: DirectionId) -> bool {
        self.slots[direction.0 as usize] != NONE
    }

    /// Takes note of what happened to frames, if it was on a captured link.
    #[inline]
    pub fn fate(&mut self, fate: &Fate<'_>) {
        let Place::Direction(direction) = fate.place else { return };
        let slot = self.slots[direction.0 as usize];
        if slot != NONE {
            self.note(slot, fate);
        }
    }

    fn note(&mut self, slot: u32, fate: &Fate<'_>) {
        let kind = match fate.kind {
            FateKind::Offered if self.begins(slot, fate, RecordKind::Offered) => {
                self.taken_to[slot as usize] = fate.number + fate.frames;
                return;
            }
            FateKind::Originated => {
                self.begins(slot, fate, RecordKind::Originated);
                return;
            }
            // of a frame that was not taken
            FateKind::Offered => return,
            _ if fate.answered().is_none() && fate.number >= self.taken_to[slot as usize] => return,
            FateKind::Marked => return self.changed(slot, fate, RecordKind::Marked),
            FateKind::Corrupted => return self.changed(slot, fate, RecordKind::Corrupted),
            FateKind::Duplicated => RecordKind::Duplicated,
            FateKind::Serializing { .. } => RecordKind::Serializing,
            FateKind::Departing { arrival, drawn, copy, ahead } => {
                RecordKind::Departing { arrival, drawn, copy, ahead }
            }
            FateKind::Delivered { copy, overtaken, .. } => RecordKind::Delivered { copy, overtaken },
            FateKind::Dropped(cause) => RecordKind::Dropped(cause),
        };
        if self.has_room(0) {
            self.push(slot, fate, (fate.number, fate.frames), kind, 0);
        } else {
            Shared::add(&self.shared.lost, slot, fate.frames);
        }
    }

    /// A change of a captured direction's queue.
    pub fn applied(&mut self, command: &Command, at: Instant) {
        let Command::Set(direction, change) = command else { return };
        let Some(queue) = change.queue.as_ref().filter(|_| self.watches(*direction)) else { return };
        let (slot, kind) = (self.slots[direction.0 as usize], RecordKind::Queue(discipline(queue)));
        if self.has_room(0) {
            self.chunk.records.push(Record { slot, number: 0, frames: 0, at, kind, bytes: 0..0 });
            self.begun.get_or_insert(at);
        } else {
            Shared::add(&self.shared.lost, slot, 1);
        }
    }

    /// Hands on what has waited long enough.
    pub fn tick(&mut self, now: Instant) {
        let due = self.begun.is_some_and(|begun| now >= begun + PATIENCE);
        // a writer that is behind gets full chunks only
        if due && self.spare() > self.most / 2 {
            self.turn();
        }
    }

    /// Takes frames whose way begins. Whether there was room.
    fn begins(&mut self, slot: u32, fate: &Fate<'_>, kind: fn(VnetHeader) -> RecordKind) -> bool {
        if self.shared.full[slot as usize / 2].load(Ordering::Relaxed) {
            Shared::add(&self.shared.beyond, slot, fate.frames);
            return false;
        }
        // a third of the chunks is for what becomes of those that were taken
        let room = self.spare() >= self.most / 3 && self.take(slot, fate, kind);
        if !room {
            Shared::add(&self.shared.missed, slot, fate.frames);
        }
        room
    }

    fn changed(&mut self, slot: u32, fate: &Fate<'_>, kind: fn(VnetHeader) -> RecordKind) {
        if !self.take(slot, fate, kind) {
            Shared::add(&self.shared.lost, slot, fate.frames);
        }
    }

    /// Copies the frames' bytes: of a train its header once, and what payload these have. Whether there was room.
    fn take(&mut self, slot: u32, fate: &Fate<'_>, kind: fn(VnetHeader) -> RecordKind) -> bool {
        let view = fate.view();
        if let Some(layout) = view.offload.train {
            let Ok(segmenter) = Segmenter::new(layout, view.head, view.rest) else { return false };
            let mut header = [0; MAX_HEADER_LEN];
            let range = u32::from(view.first)..u32::from(view.first) + u32::from(view.count);
            let cut = segmenter.run(range, Checksum::Partial, &mut header);
            if !self.has_room(cut.frame_len()) {
                return false;
            }
            self.chunk.bytes.extend_from_slice(&header[..cut.header_len]);
            view.slices(cut.payload.clone()).for_each(|slice| self.chunk.bytes.extend_from_slice(slice));
            let vnet = VnetHeader::new(cut.gso, cut.partial, cut.header_len);
            self.push(slot, fate, (fate.number, fate.frames), kind(vnet), cut.frame_len());
            return true;
        }
        if view.cut.is_some() {
            // a train of no protocol that longwire knows: no TAP hands over such a one
            return (0..view.count).all(|n| {
                let one = FrameView { first: view.first + n, count: 1, ..view };
                let room = self.has_room(one.wire_len());
                if room {
                    one.write_wire_frame(&mut self.chunk.bytes);
                    let number = (fate.number + u64::from(n), 1);
                    self.push(slot, fate, number, kind(VnetHeader::default()), one.wire_len());
                }
                room
            });
        }
        let length = view.total();
        let room = self.has_room(length);
        if room {
            view.slices(0..length).for_each(|slice| self.chunk.bytes.extend_from_slice(slice));
            let vnet = VnetHeader::new(None, view.offload.partial(), 0);
            self.push(slot, fate, (fate.number, fate.frames), kind(vnet), length);
        }
        room
    }

    /// Adds a record, whose bytes are the last in the chunk.
    fn push(&mut self, slot: u32, fate: &Fate<'_>, (number, frames): (u64, u64), kind: RecordKind, length: usize) {
        let end = self.chunk.bytes.len();
        let bytes = (end - length) as u32..end as u32;
        self.begun.get_or_insert(fate.at);
        self.chunk.records.push(Record { slot, number, frames: frames as u32, at: fate.at, kind, bytes });
    }

    /// Makes room for one more record with so many bytes, if there can be some.
    #[inline]
    fn has_room(&mut self, bytes: usize) -> bool {
        self.chunk.has_room(bytes) || (self.turn() && self.chunk.has_room(bytes))
    }

    /// Chunks that could be had.
    fn spare(&self) -> usize {
        self.empty.len() + (self.most - self.made)
    }

    /// Hands the chunk on and takes another, if there is one.
    fn turn(&mut self) -> bool {
        let next = match self.empty.try_recv() {
            Ok(chunk) => chunk,
            Err(_) if self.made < self.most => {
                self.made += 1;
                Chunk::new()
            }
            Err(_) => return false,
        };
        let full = std::mem::replace(&mut self.chunk, next);
        self.hand_on(full);
        self.begun = None;
        true
    }

    fn hand_on(&mut self, chunk: Chunk) {
        if let Err(refused) = self.filled.try_send(chunk) {
            // the writer is gone
            for record in refused.into_inner().records {
                if let RecordKind::Offered(_) = record.kind {
                    Shared::add(&self.shared.missed, record.slot, u64::from(record.frames));
                }
            }
        }
    }
}

impl Drop for Tape {
    /// Hands on what is left.
    fn drop(&mut self) {
        let last = std::mem::take(&mut self.chunk);
        self.hand_on(last);
    }
}

impl Reel {
    /// What is next; waits up to `patience`.
    pub fn next(&self, patience: std::time::Duration) -> Next {
        match self.filled.recv_timeout(patience) {
            Ok(chunk) => Next::Chunk(chunk),
            Err(RecvTimeoutError::Timeout) => Next::Idle,
            Err(RecvTimeoutError::Disconnected) => Next::End,
        }
    }

    /// Gives a chunk back, to be used again.
    pub fn give_back(&self, mut chunk: Chunk) {
        chunk.records.clear();
        chunk.bytes.clear();
        // the engine may be gone
        let _ = self.empty.try_send(chunk);
    }

    /// A link's file is full: its frames need not be copied any more. `link` is its place among those captured.
    pub fn set_full(&self, link: usize) {
        self.shared.full[link].store(true, Ordering::Relaxed);
    }

    /// What did not come: of both directions of a link.
    pub fn missing(&self, link: usize) -> [Missing; 2] {
        let read = |counters: &[AtomicU64], slot: usize| counters[slot].load(Ordering::Relaxed);
        [link * 2, link * 2 + 1].map(|slot| Missing {
            missed: read(&self.shared.missed, slot),
            beyond: read(&self.shared.beyond, slot),
            untold: read(&self.shared.lost, slot),
        })
    }
}

/// The name of the queue that a direction has, or would have as soon as it had a rate.
pub(super) fn queue_of(spec: &DirectionSpec) -> &'static str {
    discipline(&spec.queue.unwrap_or(crate::queue::QueueSpec::DEFAULT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::FramePool;

    struct Source {
        pool: FramePool,
        next: u64,
    }

    impl Source {
        fn new() -> Source {
            Source { pool: FramePool::default(), next: 0 }
        }

        fn tell(&mut self, tape: &mut Tape, kind: FateKind, number: u64, length: usize) {
            let frame = self.pool.store(&vec![7; length]).unwrap();
            let place = Place::Direction(DirectionId(2));
            let (pool, frame_) = (&self.pool, &frame);
            tape.fate(&Fate { at: Instant::from_nanos(number), place, number, frames: 1, kind, pool, frame: frame_ });
            self.pool.release(frame);
        }

        fn offer(&mut self, tape: &mut Tape, length: usize) {
            self.tell(tape, FateKind::Offered, self.next, length);
            self.next += 1;
        }
    }

    const DROPPED: FateKind = FateKind::Dropped(DropCause::Loss);

    #[test]
    fn a_writer_that_stands_still_costs_frames_that_are_counted_and_no_end_of_those_taken() {
        let (mut tape, reel) = with_chunks(4, &[LinkId(1)], 3);
        let mut source = Source::new();
        for _ in 0..2000 {
            source.offer(&mut tape, 1500);
        }
        let missed = reel.missing(0)[0].missed;
        let taken = 2000 - missed;
        assert!((1..2000).contains(&missed), "{missed} of 2,000 missed");
        for number in 0..2000 {
            source.tell(&mut tape, DROPPED, number, 60);
        }
        assert_eq!(reel.missing(0), [Missing { missed, beyond: 0, untold: 0 }, Missing::default()]);
        drop(tape);
        let (mut offered, mut ended) = (0, 0);
        while let Next::Chunk(chunk) = reel.next(std::time::Duration::ZERO) {
            for (record, bytes) in chunk.iter() {
                match record.kind {
                    RecordKind::Offered(_) => (offered, _) = (offered + 1, assert_eq!(bytes, [7; 1500])),
                    RecordKind::Dropped(DropCause::Loss) => ended += 1,
                    _ => panic!("{record:?}"),
                }
                assert_eq!(record.slot, 0);
            }
        }
        assert_eq!((offered, ended), (taken, taken));
    }

    #[test]
    fn ends_that_find_no_room_either_are_counted() {
        let (mut tape, reel) = with_chunks(4, &[LinkId(1)], 3);
        let mut source = Source::new();
        source.offer(&mut tape, 100);
        for _ in 0..CHUNK_RECORDS * 3 + 10 {
            source.tell(&mut tape, DROPPED, 0, 60);
        }
        assert_eq!(reel.missing(0)[0], Missing { missed: 0, beyond: 0, untold: 11 });
    }

    #[test]
    fn chunks_come_back_and_a_full_file_is_copied_no_more() {
        let (mut tape, reel) = with_chunks(4, &[LinkId(1)], 3);
        let mut source = Source::new();
        let idle = |reel: &Reel| matches!(reel.next(std::time::Duration::ZERO), Next::Idle);
        for round in 0..50u64 {
            for _ in 0..100 {
                source.offer(&mut tape, 1500);
            }
            // not before it has waited long enough
            tape.tick(Instant::from_nanos(source.next));
            assert!(idle(&reel));
            tape.tick(Instant::from_nanos(source.next) + PATIENCE);
            let Next::Chunk(chunk) = reel.next(std::time::Duration::ZERO) else { panic!("round {round}") };
            assert_eq!(chunk.iter().count(), 100);
            reel.give_back(chunk);
        }
        assert!(tape.made <= 3 && reel.missing(0)[0].missed == 0);
        reel.set_full(0);
        source.offer(&mut tape, 1500);
        source.tell(&mut tape, DROPPED, source.next - 1, 60);
        tape.tick(Instant::MAX);
        assert!(idle(&reel));
        assert_eq!(reel.missing(0)[0], Missing { missed: 0, beyond: 1, untold: 0 });
        // of other links, and at nodes, nothing is noted
        assert!(!tape.watches(DirectionId(1)) && tape.watches(DirectionId(3)));
    }
}
