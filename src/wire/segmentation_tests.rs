//! Cutting, against a reference that is written for being right: every frame is put together in full, read again byte by
//! byte, and its checksums summed word by word.

use proptest::prelude::*;

use super::super::testing::{Train, naive_sum, train};
use super::*;

/// The frame that a cut stands for, in full.
fn assemble(t: &Train, out: &[u8], cut: &Cut) -> Vec<u8> {
    [&out[..cut.header_len], &t.frame[cut.payload.clone()]].concat()
}

fn layout(t: &Train) -> Layout {
    Layout::new(&t.frame[..t.header], t.frame.len(), t.gso, t.partial).unwrap()
}

/// `split` is where head ends and payload begins.
fn segmenter(t: &Train, split: usize) -> Segmenter<'_, &[u8]> {
    let (head, payload) = t.frame.split_at(split.clamp(t.header, t.frame.len()));
    Segmenter::new(layout(t), head, payload).unwrap()
}

fn cut(s: &Segmenter<'_, &[u8]>, t: &Train, range: Range<u32>, checksum: Checksum) -> (Vec<u8>, Cut) {
    let mut out = [0xee; MAX_HEADER_LEN];
    let cut = s.run(range, checksum, &mut out);
    (assemble(t, &out, &cut), cut)
}

/// The header of frames `first` to before `end`, with zero for both checksums: the reference.
fn expected(t: &Train, first: usize, end: usize, count: usize, payload: &[u8]) -> Vec<u8> {
    let mut f = t.frame[..t.header].to_vec();
    let (l3, l4) = (t.l3, t.l4);
    let word = |f: &mut Vec<u8>, at: usize, value: usize| f[at..at + 2].copy_from_slice(&(value as u16).to_be_bytes());
    if t.gso.kind.is_v4() {
        word(&mut f, l3 + 2, t.header - l3 + payload.len());
        let id = usize::from(t.frame[l3 + 4]) << 8 | usize::from(t.frame[l3 + 5]);
        word(&mut f, l3 + 4, (id + first) % 65_536);
        word(&mut f, l3 + 10, 0);
    } else {
        word(&mut f, l3 + 4, t.header - l3 - 40 + payload.len());
    }
    if t.gso.kind.is_tcp() {
        let seq = u32::from_be_bytes(t.frame[l4 + 4..l4 + 8].try_into().unwrap());
        let seq = seq.wrapping_add((first * usize::from(t.gso.size)) as u32);
        f[l4 + 4..l4 + 8].copy_from_slice(&seq.to_be_bytes());
        f[l4 + 13] &= if end == count { 0xff } else { !0x09 };
        f[l4 + 13] &= if first == 0 { 0xff } else { !0x80 };
        word(&mut f, l4 + 16, 0);
    } else {
        word(&mut f, l4 + 4, 8 + payload.len());
        word(&mut f, l4 + 6, 0);
    }
    f
}

/// Checks the checksums of a frame in full, and sets them to zero.
fn verified(t: &Train, mut f: Vec<u8>) -> Vec<u8> {
    let offset = t.l4 + if t.gso.kind.is_tcp() { 16 } else { 6 };
    if t.gso.kind.is_v4() {
        assert_eq!(naive_sum(&f[t.l3..t.l4]), 0xffff, "IPv4 header checksum");
        f[t.l3 + 10..t.l3 + 12].fill(0);
    }
    let pseudo = Train::pseudo(t.gso.kind, &f, t.l3, f.len() - t.l4);
    assert_eq!(naive_sum(&[&pseudo, &f[t.l4..]].concat()), 0xffff, "transport checksum");
    if !t.gso.kind.is_tcp() {
        assert_ne!(f[offset..offset + 2], [0, 0], "a UDP checksum of 0 says that there is none");
    }
    f[offset..offset + 2].fill(0);
    f
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_wire_frame_is_that_of_the_reference(t in train(), split in 0usize..400) {
        let s = segmenter(&t, split);
        let payload = &t.frame[t.header..];
        let mut pieces: Vec<&[u8]> = payload.chunks(t.gso.size.into()).collect();
        if pieces.is_empty() {
            pieces.push(&[]);
        }
        prop_assert_eq!(s.layout().frames() as usize, pieces.len());
        for (k, piece) in pieces.iter().enumerate() {
            let (frame, cut) = cut(&s, &t, k as u32..k as u32 + 1, Checksum::Complete);
            prop_assert_eq!((cut.gso, cut.partial), (None, None));
            prop_assert_eq!(frame.len(), s.layout().wire_len(k as u32));
            let wanted = [&expected(&t, k, k + 1, pieces.len(), piece)[..], piece].concat();
            prop_assert_eq!(verified(&t, frame), wanted, "frame {}", k);
        }
    }

    #[test]
    fn a_run_is_a_shorter_train_of_the_same_frames(
        t in train(),
        at in any::<(prop::sample::Index, prop::sample::Index)>(),
        split in 0usize..400,
        checksum in prop_oneof![Just(Checksum::Partial), Just(Checksum::Complete)],
    ) {
        let s = segmenter(&t, split);
        let n = s.layout().frames() as usize;
        let (a, b) = (at.0.index(n), at.1.index(n));
        let range = a.min(b) as u32..a.max(b) as u32 + 1;
        let (frame, run) = cut(&s, &t, range.clone(), checksum);
        let size = usize::from(t.gso.size);
        let piece = &t.frame[t.header + range.start as usize * size..(t.header + range.end as usize * size).min(t.frame.len())];
        let header = expected(&t, range.start as usize, range.end as usize, n, piece);
        let mut completed = frame.clone();
        if let Some(partial) = run.partial {
            complete_checksum(&mut completed, &[][..], partial).unwrap();
        }
        prop_assert_eq!(verified(&t, completed), [&header[..], piece].concat());

        prop_assert_eq!(run.gso.is_some(), range.len() > 1);
        if let (Some(gso), Checksum::Partial) = (run.gso, checksum) {
            prop_assert_eq!(gso.ecn, t.gso.ecn && range.start == 0);
            let shorter = Train { frame, gso, partial: run.partial, ..t.clone() };
            let again = segmenter(&shorter, split);
            prop_assert_eq!(again.layout().frames(), range.len() as u32);
            for k in range.clone() {
                for mode in [Checksum::Complete, Checksum::Partial] {
                    let direct = cut(&s, &t, k..k + 1, mode).0;
                    let twice = cut(&again, &shorter, k - range.start..k - range.start + 1, mode).0;
                    prop_assert_eq!(direct, twice, "frame {}", k);
                }
            }
        }
    }

    #[test]
    fn the_whole_train_is_itself(t in train()) {
        prop_assume!(t.partial.is_some());
        let s = segmenter(&t, 0);
        let (frame, run) = cut(&s, &t, 0..s.layout().frames(), Checksum::Partial);
        prop_assert_eq!(frame, t.frame.clone());
        prop_assert_eq!(run.partial, t.partial);
    }

    #[test]
    fn completing_a_plain_frame_gives_its_checksum(t in train(), split in 0usize..400) {
        prop_assume!(t.partial.is_some());
        let mut whole = t.frame.clone();
        let (head, payload) = whole.split_at_mut(split.clamp(t.header, t.frame.len()));
        complete_checksum(head, &*payload, t.partial.unwrap()).unwrap();
        verified(&t, whole);
    }
}

#[test]
fn flags_travel_with_the_right_frames() {
    let mut t = Train::plain(GsoKind::Tcp4, 100, 300);
    t.frame[t.l4 + 13] = 0xff;
    t.gso.ecn = true;
    let s = segmenter(&t, 0);
    let flags = |range: Range<u32>| cut(&s, &t, range, Checksum::Partial).0[t.l4 + 13];
    let of_frames: Vec<_> = (0..3).map(|k| flags(k..k + 1)).collect();
    assert_eq!(of_frames, [0xf6, 0x76, 0x7f]);
    assert_eq!([flags(0..2), flags(1..3), flags(0..3)], [0xf6, 0x7f, 0xff]);
}

#[test]
fn numbers_wrap() {
    let mut t = Train::plain(GsoKind::Tcp4, 100, 300);
    t.frame[t.l3 + 4..t.l3 + 6].fill(0xff);
    t.frame[t.l4 + 4..t.l4 + 8].fill(0xff);
    let s = segmenter(&t, 0);
    let (frame, _) = cut(&s, &t, 2..3, Checksum::Complete);
    assert_eq!(frame[t.l3 + 4..t.l3 + 6], [0, 1]);
    assert_eq!(frame[t.l4 + 4..t.l4 + 8], [0, 0, 0, 199]);
}

#[test]
fn a_udp_checksum_of_zero_goes_out_as_all_ones() {
    let mut t = Train::plain(GsoKind::Udp4, 8, 16);
    let mut zeros = 0;
    for k in 0..=0xffff_u16 {
        let at = t.frame.len() - 2;
        t.frame[at..].copy_from_slice(&k.to_be_bytes());
        let s = segmenter(&t, 0);
        let (frame, _) = cut(&s, &t, 1..2, Checksum::Complete);
        zeros += usize::from(frame[t.l4 + 6..t.l4 + 8] == [0xff, 0xff]);
        assert_ne!(frame[t.l4 + 6..t.l4 + 8], [0, 0]);
    }
    // one sum in 65,535 is the one that would be 0; 0x0000 and 0xffff in the payload are the same number
    assert!((1..=2).contains(&zeros), "{zeros}");
}

#[test]
fn a_wrong_pseudo_header_stays_wrong() {
    let mut t = Train::plain(GsoKind::Tcp6, 100, 300);
    t.frame[t.l4 + 16] ^= 0x01;
    let s = segmenter(&t, 0);
    let (frame, _) = cut(&s, &t, 1..2, Checksum::Complete);
    let pseudo = Train::pseudo(t.gso.kind, &frame, t.l3, frame.len() - t.l4);
    assert_ne!(naive_sum(&[&pseudo, &frame[t.l4..]].concat()), 0xffff);
}

#[test]
fn lengths_must_be_those_of_the_layout() {
    let t = Train::plain(GsoKind::Tcp4, 100, 300);
    let l = layout(&t);
    assert!(matches!(Segmenter::new(l, &t.frame[..53], &t.frame[53..]), Err(NotATrain::HeaderTooLong { .. })));
    assert!(matches!(Segmenter::new(l, &t.frame[..54], &t.frame[55..]), Err(NotATrain::Length { .. })));
    let mut head = t.frame[..60].to_vec();
    assert!(complete_checksum(&mut head, &[][..], PartialChecksum { start: 58, offset: 1 }).is_err());
    assert!(complete_checksum(&mut head, &[][..], PartialChecksum { start: u16::MAX, offset: u16::MAX }).is_err());
}

/// Super-frames and the wire frames that a Linux kernel cut them into in software: each was written into a TAP with the
/// virtio-net header, crossed a bridge, and left by a TAP without offloads.
#[test]
fn linux_cuts_the_same_frames() {
    let hex = |text: &str| -> Vec<u8> {
        (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
    };
    let mut cases = 0;
    let mut lines = include_str!("linux_gso.txt").lines().filter(|l| !l.starts_with('#')).peekable();
    while let Some(line) = lines.next() {
        let words: Vec<&str> = line.split(' ').collect();
        let ["train", name, header, frame] = words[..] else { panic!("{line}") };
        let (header, frame) = (hex(header), hex(frame));
        let offload = crate::wire::vnet::VnetHeader::decode(&header, crate::wire::vnet::Endian::Little)
            .unwrap()
            .check(&frame, frame.len())
            .unwrap();
        let layout = offload.train.unwrap();
        let s = Segmenter::new(layout, &frame[..layout.header_len()], &frame[layout.header_len()..]).unwrap();
        for k in 0..layout.frames() {
            let wanted = lines.next().and_then(|l| l.strip_prefix("frame ")).map(hex);
            let mut out = [0; MAX_HEADER_LEN];
            let cut = s.segment(k, Checksum::Complete, &mut out);
            let ours = [&out[..cut.header_len], &frame[cut.payload]].concat();
            assert_eq!(Some(ours), wanted, "{name}, frame {k}");
        }
        assert!(lines.peek().is_none_or(|l| l.starts_with("train")), "{name}: the kernel cut more frames");
        cases += 1;
    }
    assert_eq!(cases, 17);
}
