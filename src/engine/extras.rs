//! What few directions do to frames on their way, and what keeps a train from leaving whole: corruption, duplication,
//! reordering. In the order of physics: behind loss, before and at propagation.

use super::DirectionSpec;
use crate::frame::{Frame, FramePool};
use crate::model::{CorruptSpec, DuplicateSpec, Reorder};
use crate::rng::{StreamKey, Way};
use crate::wire::summary::FrameSummary;

/// What the random streams of a direction are named after. Not kept in the direction: most never have any of these models.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Streams<'a> {
    pub(crate) seed: u64,
    pub(crate) link: &'a str,
    pub(crate) way: Way,
}

impl Streams<'_> {
    /// The random stream of a model.
    pub(crate) fn key(&self, model: &str) -> StreamKey {
        StreamKey::new(self.seed, self.link, self.way, model)
    }
}

/// The models of one direction that has any of them.
#[derive(Debug)]
pub(crate) struct Extras {
    corrupt: CorruptSpec,
    corrupt_key: StreamKey,
    duplicate: DuplicateSpec,
    duplicate_key: StreamKey,
    reorder: Reorder,
    reorder_key: StreamKey,
}

/// What became of a frame.
pub(crate) struct Sent {
    pub(crate) frame: Frame,
    /// Bits of it flipped.
    pub(crate) corrupted: bool,
    /// It arrives once more.
    pub(crate) copy: Option<Frame>,
    /// It runs ahead of the delay.
    pub(crate) ahead: bool,
}

impl Sent {
    /// Whether it must not join a run of its train.
    pub(crate) fn is_alone(&self) -> bool {
        self.corrupted || self.copy.is_some() || self.ahead
    }
}

impl Extras {
    /// `None` where a spec asks for none of them.
    pub(crate) fn new(spec: &DirectionSpec, streams: Streams<'_>) -> Option<Box<Extras>> {
        let some = !(spec.corrupt.is_none() && spec.duplicate.is_none() && spec.reorder.is_none());
        some.then(|| {
            Box::new(Extras {
                corrupt: spec.corrupt.clone(),
                corrupt_key: streams.key("corrupt"),
                duplicate: spec.duplicate,
                duplicate_key: streams.key("duplicate"),
                reorder: Reorder::new(spec.reorder.clone()),
                reorder_key: streams.key("reorder"),
            })
        })
    }

    /// Changes the parameters in place; what frames have left behind goes on.
    pub(crate) fn set(extras: &mut Option<Box<Extras>>, spec: &DirectionSpec, streams: Streams<'_>) {
        match (extras.as_mut(), Extras::new(spec, streams)) {
            (Some(old), Some(_)) => {
                (old.corrupt, old.duplicate) = (spec.corrupt.clone(), spec.duplicate);
                old.reorder.set(spec.reorder.clone());
            }
            (_, new) => *extras = new,
        }
    }

    pub(crate) fn corrupt(&self) -> &CorruptSpec {
        &self.corrupt
    }

    pub(crate) fn duplicate(&self) -> DuplicateSpec {
        self.duplicate
    }

    pub(crate) fn reorder(&self) -> &Reorder {
        &self.reorder
    }

    /// Draws the fate of a single wire frame.
    pub(crate) fn send(&mut self, mut frame: Frame, pool: &mut FramePool) -> Sent {
        let number = frame.number;
        let bits = self.corrupt.draw(|| self.corrupt_key.frame(number, 0));
        let corrupted = bits.is_some();
        if let Some(mut rng) = bits {
            frame = pool.materialize(frame);
            let (from, total) = exposed(pool, &frame);
            self.corrupt.flip(&mut rng, total - from, |at, mask| pool.flip(&frame, from + at, mask));
        }
        let copy = self.duplicate.0.picks(|| self.duplicate_key.frame(number, 0)).then(|| pool.share(&frame));
        let ahead = self.reorder.draw(|| self.reorder_key.frame(number, 0));
        Sent { frame, corrupted, copy, ahead }
    }
}

/// The bytes of a frame in which bits may flip: behind the network header of IP, else behind the Ethernet header.
fn exposed(pool: &FramePool, frame: &Frame) -> (usize, usize) {
    let view = pool.view(frame);
    let summary = FrameSummary::new(view.head, view.total());
    let from = summary.l4_offset.map_or(usize::from(summary.l3_offset), usize::from);
    (from.min(view.total()), view.total())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Chance, ReorderSpec};
    use crate::units::Probability;

    const STREAMS: Streams<'static> = Streams { seed: 1, link: "link", way: Way::Forward };

    /// IPv4 and UDP with 20 bytes of payload.
    fn udp() -> Vec<u8> {
        let mut bytes = vec![0u8; 62];
        bytes[12..14].copy_from_slice(&[0x08, 0x00]);
        bytes[14] = 0x45;
        bytes[16..18].copy_from_slice(&48u16.to_be_bytes());
        bytes[23] = 17;
        bytes[38..40].copy_from_slice(&28u16.to_be_bytes());
        bytes
    }

    #[test]
    fn corruption_flips_one_bit_behind_the_network_header_and_leaves_the_original_alone() {
        let always = Chance(Probability::ALWAYS);
        let spec = DirectionSpec { corrupt: CorruptSpec { probability: always, bits: 1 }, ..DirectionSpec::default() };
        let mut extras = Extras::new(&spec, STREAMS).unwrap();
        let mut pool = FramePool::default();
        for number in 0..500 {
            let mut frame = pool.store(&udp()).unwrap();
            frame.number = number;
            let shared = pool.share(&frame);
            let sent = extras.send(frame, &mut pool);
            assert!(sent.corrupted && sent.is_alone());
            let (now, before) = (pool.view(&sent.frame).to_vec(), pool.view(&shared).to_vec());
            assert_eq!(before, udp());
            let flipped: Vec<_> = (0..62).filter(|at| now[*at] != before[*at]).collect();
            assert_eq!(flipped.len(), 1);
            assert!(flipped[0] >= 34 && (now[flipped[0]] ^ before[flipped[0]]).count_ones() == 1);
            pool.release(sent.frame);
            pool.release(shared);
        }
        assert_eq!(pool.live(), 0);
    }

    #[test]
    fn a_direction_without_any_has_none_and_may_get_them_later() {
        let mut spec = DirectionSpec::default();
        let mut extras = Extras::new(&spec, STREAMS);
        assert!(extras.is_none());
        spec.reorder = ReorderSpec { probability: Chance(Probability::ALWAYS), gap: 3 };
        Extras::set(&mut extras, &spec, STREAMS);
        assert!(extras.is_some());
        spec.reorder = ReorderSpec::default();
        Extras::set(&mut extras, &spec, STREAMS);
        assert!(extras.is_none());
    }
}
