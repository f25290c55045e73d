//! The capture of one link as a file: what comes from the engine in, blocks out, never longer than its limit.

use std::io::{self, Write};

use super::ledger::{Captured, Ledger};
use super::pcapng::{self, Flow, Interface, Packet, Statistics};
use super::tape::{Missing, Record, RecordKind, queue_of};
use super::words::{Comments, Departing, End, Story};
use crate::engine::DirectionSpec;
use crate::frame::{Cut, FrameView, Rest};
use crate::model::RateSpec;
use crate::report::asked;
use crate::report::requested::Requested;
use crate::units::{ByteSize, Instant};
use crate::wire::vnet::VnetHeader;

/// So much is put together before it is written.
const BUFFER: usize = 256 * 1024;
/// Kept free for what stands at the end of a file.
const END_ROOM: u64 = 2 * 1024;
/// What comments are taken to need of a frame that is not written yet.
const COMMENTS: usize = 128;
/// The longest text that a scenario's names bring into a block.
const NAMES: usize = 1000;
/// Frames' buffers that are kept to be used again.
const SPARE: usize = 1024;

/// What is captured of a link, and how much of it.
#[derive(Clone, Debug)]
pub struct CaptureTitle<'a> {
    /// The scenario's name.
    pub scenario: &'a str,
    /// Its seed.
    pub seed: u64,
    /// The link's name.
    pub link: &'a str,
    /// The link's ends, as reports show them.
    pub ends: &'a [String; 2],
    /// What its directions do when the run begins: from the first end to the second, and back.
    pub directions: &'a [DirectionSpec; 2],
    /// The operating system.
    pub os: &'a str,
    /// The most bytes of the file.
    pub size: ByteSize,
    /// The most bytes of each frame; all where nothing is said.
    pub snap: Option<ByteSize>,
    /// What model time 0 is, in nanoseconds since 1970-01-01 00:00 UTC.
    pub epoch: u64,
}

/// What a file came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Wire frames in it, copies included.
    pub frames: u64,
    /// Its length.
    pub bytes: u64,
    /// Frames that are not in it because writing fell behind.
    pub missed: u64,
    /// Frames that are not in it because it was full.
    pub beyond: u64,
    /// Whether it has all frames, and what happened to each.
    pub complete: bool,
}

/// A capture that is being written.
#[derive(Debug)]
pub struct CaptureFile<W> {
    out: W,
    /// Whole blocks, so that what was written can be read whatever happens to the writer.
    buffer: Vec<u8>,
    ledger: Ledger,
    ways: [Way; 2],
    epoch: u64,
    most: u64,
    snap: usize,
    /// Bytes of blocks so far.
    length: u64,
    /// Bytes that frames in the ledger will need, about.
    held: u64,
    /// When the first frame came that there was no room for.
    full: Option<Instant>,
    /// One that there had seemed to be room for had none: what comes behind it in the file is not written either.
    closed: bool,
    comments: Comments,
    spare: Vec<Vec<u8>>,
}

/// One direction.
#[derive(Debug)]
struct Way {
    queue: &'static str,
    written: u64,
    missing: Missing,
}

impl<W: Write> CaptureFile<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn new(out: W, title: &CaptureTitle<'_>) -> io::Result<CaptureFile<W>> {
        let mut buffer = Vec::with_capacity(BUFFER + 64 * 1024);
        let scenario = pcapng::cut(title.scenario, NAMES);
        let comment = format!("{scenario}: link {}, seed {}", title.link, title.seed);
        pcapng::section(&mut buffer, &comment, title.os, concat!("longwire ", env!("CARGO_PKG_VERSION")));
        let snap = title.snap.map_or(0, |snap| snap.as_bytes().min(u64::from(u32::MAX)) as u32);
        let [a, b] = title.ends;
        for ([from, to], spec) in [[a, b], [b, a]].into_iter().zip(title.directions) {
            let requested = asked::requested(&Requested::from(spec.clone()));
            let description = pcapng::cut(&requested, NAMES);
            let speed = if let RateSpec::Constant(rate) = &spec.rate { Some(rate.as_bps()) } else { None };
            let interface = Interface { name: &format!("{from} → {to}"), description, speed, snap };
            pcapng::interface(&mut buffer, &interface);
        }
        let way = |spec| Way { queue: queue_of(spec), written: 0, missing: Missing::default() };
        let mut file = CaptureFile {
            out,
            length: buffer.len() as u64,
            buffer,
            ledger: Ledger::default(),
            ways: title.directions.each_ref().map(way),
            epoch: title.epoch,
            most: title.size.as_bytes(),
            snap: if snap == 0 { usize::MAX } else { snap as usize },
            held: 0,
            full: None,
            closed: false,
            comments: Comments::default(),
            spare: Vec::new(),
        };
        file.flush()?;
        Ok(file)
    }

    /// Takes in what happened in one direction: 0 from the link's first end to its second, 1 back.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn take(&mut self, way: usize, record: &Record, bytes: &[u8]) -> io::Result<()> {
        let numbers = record.number..record.number + u64::from(record.frames);
        match record.kind {
            RecordKind::Queue(queue) => self.ways[way].queue = queue,
            RecordKind::Offered(vnet) | RecordKind::Originated(vnet) => {
                let originated = matches!(record.kind, RecordKind::Originated(_));
                let read = self.each(vnet, record.frames, bytes, |file, n, bytes, original| {
                    let (number, at) = (record.number + u64::from(n), record.at);
                    let mut frame = Captured::new(number, at, bytes, original);
                    frame.story.originated = originated;
                    file.enter(way, frame);
                });
                if !read {
                    self.ways[way].missing.missed += u64::from(record.frames);
                }
            }
            RecordKind::Marked(vnet) => {
                let queue = self.ways[way].queue;
                self.change(way, record, vnet, bytes, |frame, bytes| {
                    (frame.story.marked, frame.story.queue) = (true, queue);
                    std::mem::replace(&mut frame.bytes, bytes)
                });
            }
            RecordKind::Corrupted(vnet) => self.change(way, record, vnet, bytes, |frame, bytes| {
                frame.story.corrupted = Some(differences(&frame.bytes, &bytes));
                std::mem::replace(&mut frame.bytes, bytes)
            }),
            RecordKind::Duplicated => {
                let mut copy_of = self.buffer_for_frame();
                let Some(frame) = self.ledger.find(way, record.number, false) else { return Ok(()) };
                frame.story.duplicated = true;
                copy_of.extend_from_slice(&frame.bytes);
                let of_corrupted = frame.story.corrupted.is_some();
                let story = Story { copy: true, of_corrupted, ..Story::default() };
                let (number, original) = (frame.number, frame.original);
                let mut copy = Captured::new(number, record.at, copy_of, original);
                copy.story = story;
                self.enter(way, copy);
            }
            RecordKind::Serializing => {
                let queue = self.ways[way].queue;
                self.tell(way, numbers, false, |story| {
                    (story.serialized, story.queue) = (Some(record.at), queue);
                });
            }
            RecordKind::Departing { arrival, drawn, copy, ahead } => self.tell(way, numbers, copy, |story| {
                story.departing = Some(Departing { sent: record.at, drawn, arrival, ahead });
            }),
            RecordKind::Delivered { copy, overtaken } => {
                self.tell(way, numbers, copy, |story| story.end = Some(End::Delivered { at: record.at, overtaken }));
                return self.write_settled(false);
            }
            RecordKind::Dropped(cause) => {
                let queue = self.ways[way].queue;
                self.tell(way, numbers, false, |story| {
                    (story.end, story.queue) = (Some(End::Dropped { at: record.at, cause }), queue);
                });
                return self.write_settled(false);
            }
        }
        Ok(())
    }

    /// Whether no further frame has room.
    pub fn is_full(&self) -> bool {
        self.full.is_some()
    }

    /// Writes what has been put together.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// Ends the file, at a model time. `missing` is what did not come, by direction; `zero` the scenario's t = 0, if it came
    /// to that.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn finish(mut self, missing: [Missing; 2], zero: Option<Instant>, end: Instant) -> io::Result<(W, Totals)> {
        for (way, missing) in self.ways.iter_mut().zip(missing) {
            way.missing.missed += missing.missed;
            way.missing.beyond += missing.beyond;
            way.missing.untold += missing.untold;
        }
        self.write_settled(true)?;
        let comment = self.end_comment(zero);
        let mut totals = Totals { complete: true, ..Totals::default() };
        for (way, interface) in self.ways.iter().zip(0..) {
            let Missing { missed, beyond, untold } = way.missing;
            let dropped = missed + beyond;
            let statistics = Statistics {
                interface,
                from: self.epoch,
                to: self.epoch + end.as_nanos(),
                received: way.written + dropped,
                dropped,
                comment: &comment,
            };
            let before = self.buffer.len();
            pcapng::statistics(&mut self.buffer, &statistics);
            self.length += (self.buffer.len() - before) as u64;
            totals.frames += way.written;
            totals.missed += missed;
            totals.beyond += beyond;
            totals.complete &= dropped + untold == 0;
        }
        totals.bytes = self.length;
        self.flush()?;
        self.out.flush()?;
        Ok((self.out, totals))
    }

    /// Where the scenario's time begins, and what is missing.
    fn end_comment(&self, zero: Option<Instant>) -> String {
        let seconds = |ns: u64| format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000);
        let mut sentences = Vec::new();
        sentences.extend(zero.map(|zero| format!("t = 0 is at {} s", seconds(self.epoch + zero.as_nanos()))));
        if let Some(full) = self.full {
            let (size, at) = (ByteSize::from_bytes(self.most), seconds(self.epoch + full.as_nanos()));
            sentences.push(format!("from {at} s on frames are missing, which had no room in {size}"));
        }
        if self.ways.iter().any(|way| way.missing.missed + way.missing.untold > 0) {
            sentences.push("frames, or what happened to them, are missing where writing fell behind".into());
        }
        sentences.join("; ")
    }

    /// Enters a frame, or a copy, if there is room for it in the file.
    fn enter(&mut self, way: usize, frame: Captured) {
        let need = need(&frame);
        if self.full.is_none() && self.length + self.held + need + END_ROOM > self.most {
            self.full = Some(frame.at);
        }
        if self.full.is_some() {
            self.ways[way].missing.beyond += 1;
            return self.keep(frame.bytes);
        }
        self.held += need;
        match frame.story.copy || frame.story.originated {
            true => self.ledger.enter_beside(way, frame),
            false => self.ledger.enter(way, frame),
        }
    }

    /// Frames of these numbers as they are now.
    fn change(
        &mut self,
        way: usize,
        record: &Record,
        vnet: VnetHeader,
        bytes: &[u8],
        mut change: impl FnMut(&mut Captured, Vec<u8>) -> Vec<u8>,
    ) {
        self.each(vnet, record.frames, bytes, |file, n, bytes, _| {
            let unused = match file.ledger.find(way, record.number + u64::from(n), false) {
                Some(frame) => change(frame, bytes),
                None => bytes,
            };
            file.keep(unused);
        });
    }

    fn tell(&mut self, way: usize, numbers: std::ops::Range<u64>, copy: bool, mut tell: impl FnMut(&mut Story)) {
        for number in numbers {
            if let Some(frame) = self.ledger.find(way, number, copy) {
                tell(&mut frame.story);
            }
        }
    }

    /// Cuts a train into its wire frames, each with its checksum complete and no longer than is kept, with its length on the
    /// wire. False where they are not what their header says.
    fn each(
        &mut self,
        vnet: VnetHeader,
        frames: u32,
        bytes: &[u8],
        mut each: impl FnMut(&mut Self, u32, Vec<u8>, u32),
    ) -> bool {
        let Ok(offload) = vnet.check(bytes, bytes.len()) else { return false };
        if offload.train.map_or(1, |layout| layout.frames()) != frames {
            return false;
        }
        let cut = offload.train.map(|layout| Cut { header: layout.header_len() as u16, segment: layout.gso().size });
        for n in 0..frames {
            let view = FrameView { head: bytes, rest: Rest::default(), cut, offload, first: n as u16, count: 1 };
            let mut frame = self.buffer_for_frame();
            view.write_wire_frame(&mut frame);
            let original = frame.len() as u32;
            frame.truncate(self.snap);
            each(self, n, frame, original);
        }
        true
    }

    fn buffer_for_frame(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    /// Keeps a buffer for later.
    fn keep(&mut self, mut buffer: Vec<u8>) {
        if self.spare.len() < SPARE {
            buffer.clear();
            self.spare.push(buffer);
        }
    }

    /// Writes the frames that are next in the file; at the end `whatever` is known of them.
    fn write_settled(&mut self, whatever: bool) -> io::Result<()> {
        while let Some((way, mut frame)) = self.ledger.next(whatever) {
            self.held -= need(&frame);
            if frame.story.end.is_none() {
                let untold = self.ways[way].missing.untold > 0;
                frame.story.end = Some(if untold { End::Unknown } else { End::Inside });
            }
            self.write(way, &frame);
            self.keep(frame.bytes);
            if self.buffer.len() >= BUFFER {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn write(&mut self, way: usize, frame: &Captured) {
        self.comments.tell(&frame.story, frame.at);
        let packet = Packet {
            interface: way as u32,
            at: self.epoch + frame.at.as_nanos(),
            original: frame.original,
            flow: if way == 0 { Flow::Outbound } else { Flow::Inbound },
        };
        let before = self.buffer.len();
        pcapng::packet(&mut self.buffer, packet, &frame.bytes, self.comments.iter());
        let length = (self.buffer.len() - before) as u64;
        if self.closed || self.length + length + END_ROOM > self.most {
            self.buffer.truncate(before);
            self.closed = true;
            self.full = Some(self.full.map_or(frame.at, |full| full.min(frame.at)));
            self.ways[way].missing.beyond += 1;
            return;
        }
        self.length += length;
        self.ways[way].written += 1;
    }
}

/// What a frame will need in the file, about.
fn need(frame: &Captured) -> u64 {
    (pcapng::PACKET_OVERHEAD + pcapng::padded(frame.bytes.len()) + COMMENTS) as u64
}

/// The bits in which two frames differ, counted from the first of the first byte.
fn differences(before: &[u8], after: &[u8]) -> Vec<u32> {
    let bytes = before.iter().zip(after).zip(0u32..).filter(|((before, after), _)| before != after);
    let bits = bytes.flat_map(|((before, after), at)| {
        let flipped = before ^ after;
        (0..8).filter(move |bit| flipped << bit & 0x80 != 0).map(move |bit| at * 8 + bit)
    });
    bits.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_counted_from_the_frames_first() {
        assert_eq!(differences(&[0; 4], &[0x80, 0, 0x11, 1]), [0, 19, 23, 31]);
        assert_eq!(differences(&[1, 2], &[1, 2]), [0u32; 0]);
    }
}
