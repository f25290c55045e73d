//! A virtio-net header and its frame: what is trusted can be cut, and what is cut out is right.
//!
//! Trains are built whole, then some bytes of header and frame are changed. Whatever passes the check must keep these: wire
//! frames hold the train's payload, one behind the other; their lengths are those that the layout told, and those in their own
//! headers; checksums are right where the train's was; a stretch that is cut out and cut again gives the same wire frames.
#![no_main]

use arbitrary::{Arbitrary, Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use longwire::frame::FramePool;
use longwire::fuzzing::{Spec, Train, naive_sum};
use longwire::wire::gso::{GsoKind, Layout, PartialChecksum};
use longwire::wire::segmentation::{Checksum, Cut, MAX_HEADER_LEN, Segmenter, complete_checksum};
use longwire::wire::vnet::{ChecksumState, Endian, HEADER_LEN, VnetHeader};
use longwire_fuzz::count;

#[derive(Debug)]
struct Input {
    train: Train,
    header: [u8; HEADER_LEN],
    /// The first wire frames of a stretch, and how many.
    stretch: (u16, u16),
}

impl<'a> Arbitrary<'a> for Input {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Input> {
        let kind = *u.choose(&[GsoKind::Tcp4, GsoKind::Tcp6, GsoKind::Udp4, GsoKind::Udp6])?;
        let (size, fill): (u16, u8) = (u.int_in_range(1..=2000)?, u.arbitrary()?);
        let most = if u.ratio(1, 16)? { 65_000 } else { 6000 };
        let len = u.int_in_range(0..=most)?;
        let mut train = Spec {
            kind,
            tags: u.int_in_range(0..=2)?,
            network_options: u.int_in_range(0..=10)?,
            tcp_options: u.int_in_range(0..=10)?,
            flags: u.arbitrary()?,
            seq: u.arbitrary()?,
            id: u.arbitrary()?,
            dont_fragment: u.arbitrary()?,
            tos: u.arbitrary()?,
            size,
            payload: (0..len).map(|at: usize| (at as u8).wrapping_mul(fill) ^ (at >> 8) as u8).collect(),
            partial: u.arbitrary()?,
        }
        .build();
        let header = VnetHeader::new(Some(train.gso), train.partial, train.header);
        let mut header: [u8; HEADER_LEN] =
            header.encode(Endian::Native)[..HEADER_LEN].try_into().expect("no shorter than the header");
        for _ in 0..u.int_in_range(0..=2_u8)? {
            header[u.choose_index(HEADER_LEN)?] = u.arbitrary()?;
        }
        for _ in 0..u.int_in_range(0..=3_u8)? {
            let end = train.frame.len().min(250);
            train.frame[u.choose_index(end)?] = u.arbitrary()?;
        }
        match u.int_in_range(0..=15_u8)? {
            0 => train.frame.truncate(u.int_in_range(0..=train.frame.len())?),
            1 => train.frame.resize(train.frame.len() + u.int_in_range(0..=300)?, 7),
            _ => {}
        }
        Ok(Input { train, header, stretch: u.arbitrary()? })
    }
}

fuzz_target!(|input: Input| {
    let Input { train, header, stretch } = &input;
    let mut pool = FramePool::default();
    let mut frame = pool.store(&train.frame).expect("no longer than a frame may be");
    let view = pool.view(&frame);
    let decoded = VnetHeader::decode(header, Endian::Native).expect("as long as a header is");
    let Ok(offload) = decoded.check(view.head, view.total()) else { return };
    count::taken();
    pool.set_offload(&mut frame, offload);
    let view = pool.view(&frame);
    let mut written = Vec::new();
    view.write_wire_frame(&mut written);
    match (offload.train, offload.checksum) {
        (Some(layout), _) => {
            let segmenter = Segmenter::new(layout, view.head, view.rest).expect("the layout is of this frame");
            let frames = cut(&segmenter, &train.frame);
            count::frames(frames.len() as u64);
            assert_eq!(written, frames[0]);
            assert_right(&layout, &train.frame, &frames);
            assert_stretch(&segmenter, &train.frame, &frames, *stretch);
        }
        (None, ChecksumState::Partial(partial)) => {
            let mut head = view.head.to_vec();
            complete_checksum(&mut head, view.rest, partial).expect("the check has seen its place");
            count::frames(1);
            assert_eq!(written[..head.len()], head);
            assert_eq!(written.len(), train.frame.len());
        }
        (None, _) => assert_eq!(written, train.frame),
    }
    pool.release(frame);
    assert_eq!(pool.live(), 0);
});

/// Every wire frame by itself.
fn cut<P: longwire::wire::segmentation::Payload>(segmenter: &Segmenter<'_, P>, train: &[u8]) -> Vec<Vec<u8>> {
    let mut header = [0; MAX_HEADER_LEN];
    let wire = |n| {
        let cut = segmenter.segment(n, Checksum::Complete, &mut header);
        assert!(cut.gso.is_none() && cut.partial.is_none());
        whole(&cut, &header, train)
    };
    (0..segmenter.layout().frames()).map(wire).collect()
}

fn whole(cut: &Cut, header: &[u8; MAX_HEADER_LEN], train: &[u8]) -> Vec<u8> {
    let frame = [&header[..cut.header_len], &train[cut.payload.clone()]].concat();
    assert_eq!(frame.len(), cut.frame_len());
    frame
}

fn assert_right(layout: &Layout, train: &[u8], frames: &[Vec<u8>]) {
    let (kind, header, l3, l4) = (layout.gso().kind, layout.header_len(), layout.l3_offset(), layout.l4_offset());
    let payload: Vec<u8> = frames.iter().flat_map(|frame| &frame[header..]).copied().collect();
    assert_eq!(payload, train[header..], "the wire frames hold the payload");
    let bytes: usize = frames.iter().map(Vec::len).sum();
    assert_eq!(layout.wire_bytes(0, frames.len() as u32), bytes as u64);
    let word = |frame: &[u8], at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
    // what was wrong in the sum of the pseudo header stays wrong
    let pseudo = naive_sum(&Train::pseudo(kind, train, l3, train.len() - l4));
    let field = l4 + usize::from(kind.checksum_offset());
    let was_right = !layout.has_partial_checksum() || word(train, field) % 0xffff == pseudo % 0xffff;
    for (n, frame) in frames.iter().enumerate() {
        assert_eq!(frame.len(), layout.wire_len(n as u32));
        let l3_len = frame.len() - l3;
        assert_eq!(layout.l3_len(n as u32), l3_len);
        if kind.is_v4() {
            assert_eq!(usize::from(word(frame, l3 + 2)), l3_len);
            assert_eq!(word(frame, l3 + 4), word(train, l3 + 4).wrapping_add(n as u16));
            assert_eq!(naive_sum(&frame[l3..l4]), 0xffff, "the IPv4 header's checksum");
        } else {
            assert_eq!(usize::from(word(frame, l3 + 4)), l3_len - 40);
        }
        if kind.is_tcp() {
            let seq = |frame: &[u8]| u32::from_be_bytes(frame[l4 + 4..l4 + 8].try_into().expect("four bytes"));
            assert_eq!(seq(frame), seq(train).wrapping_add(layout.payload_start(n as u32) as u32));
        } else {
            assert_eq!(usize::from(word(frame, l4 + 4)), frame.len() - l4);
        }
        if was_right {
            let pseudo = Train::pseudo(kind, frame, l3, frame.len() - l4);
            assert_eq!(naive_sum(&[&pseudo[..], &frame[l4..]].concat()), 0xffff, "the checksum of frame {n}");
        }
    }
}

/// A stretch that leaves as one frame, and is cut by whoever takes it.
fn assert_stretch<P: longwire::wire::segmentation::Payload>(
    segmenter: &Segmenter<'_, P>,
    train: &[u8],
    frames: &[Vec<u8>],
    (first, count): (u16, u16),
) {
    let layout = segmenter.layout();
    let start = u32::from(first) % layout.frames();
    let end = (start + 1 + u32::from(count)).min(layout.frames());
    let mut header = [0; MAX_HEADER_LEN];
    let cut_out = segmenter.run(start..end, Checksum::Partial, &mut header);
    let stretch = whole(&cut_out, &header, train);
    let vnet = VnetHeader::new(cut_out.gso, cut_out.partial, cut_out.header_len);
    let offload = vnet.check(&stretch[..stretch.len().min(MAX_HEADER_LEN)], stretch.len()).expect("our own work");
    let again = match (offload.train, offload.partial()) {
        (Some(layout), _) => {
            let (head, rest) = stretch.split_at(layout.header_len());
            cut(&Segmenter::new(layout, head, rest).expect("the layout is of this frame"), &stretch)
        }
        (None, partial) => {
            let mut frame = stretch;
            complete_checksum(&mut frame, &[][..], partial.expect("a partial checksum")).expect("its place is known");
            vec![frame]
        }
    };
    let field =
        PartialChecksum { start: layout.l4_offset() as u16, offset: layout.gso().kind.checksum_offset() }.field();
    assert_eq!(again.len(), (end - start) as usize);
    for (mut again, mut frame) in again.into_iter().zip(frames[start as usize..end as usize].iter().cloned()) {
        // a sum of 0 may go out as 0xffff, which is the same
        for bytes in [&mut again, &mut frame] {
            if bytes[field..field + 2] == [0xff, 0xff] {
                bytes[field..field + 2].fill(0);
            }
        }
        assert_eq!(again, frame);
    }
}
