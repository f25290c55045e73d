//! Marks: congestion told by a bit instead of by a drop (RFC 3168).

use super::Doors;
use crate::frame::{Frame, FramePool};
use crate::wire::ecn;
use crate::wire::ipv4::Ecn;

/// Tells a wire frame's receiver of congestion, if the packet is ECN-capable: ECT(0) and ECT(1) become CE, in a frame of
/// its own, so that nothing else that shares its bytes is changed and it joins no run. What is CE already stays as it is,
/// and has been told. `Err` gives back a frame that only a drop can tell.
pub(super) fn mark(mut frame: Frame, pool: &mut FramePool, doors: &mut impl Doors) -> Result<Frame, Frame> {
    match ecn::codepoint(pool.view(&frame).head) {
        Ecn::NotEct => Err(frame),
        Ecn::Ce => Ok(frame),
        Ecn::Ect0 | Ecn::Ect1 => {
            pool.materialize(&mut frame);
            let changed = ecn::mark(pool.head_mut(&frame));
            debug_assert!(changed, "a copy has the codepoint of its original");
            doors.marked(&frame, pool);
            Ok(frame)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::testing::{Out, udp};

    #[test]
    fn a_mark_leaves_those_who_share_the_bytes_alone() {
        let mut pool = FramePool::default();
        let mut out = Out::default();
        for (ecn, told, marked) in [(0, false, 0), (1, true, 1), (2, true, 1), (3, true, 0)] {
            out.marked.clear();
            let mut frame = pool.store(&udp(1, ecn, 500)).unwrap();
            frame.number = 9;
            let shared = pool.share(&frame);
            let (is_ok, after) = match mark(frame, &mut pool, &mut out) {
                Ok(frame) => (true, frame),
                Err(frame) => (false, frame),
            };
            assert_eq!((is_ok, out.marked.len()), (told, marked), "codepoint {ecn}");
            assert_eq!((after.number(), pool.view(&shared).to_vec()), (9, udp(1, ecn, 500)));
            let expected = if marked > 0 { udp(1, 3, 500) } else { udp(1, ecn, 500) };
            assert_eq!(pool.view(&after).to_vec(), expected, "the header checksum is that of a packet sent so");
            pool.release(after);
            pool.release(shared);
        }
        assert_eq!(pool.live(), 0);
    }
}
