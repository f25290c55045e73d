//! What few directions do to frames on their way, and what keeps a train from leaving whole: corruption, duplication,
//! reordering. In the order of physics: behind loss, before and at propagation. And what models with a memory, or with a
//! choice of frames, decide about frames at admission, the rules of loss and correlated delays among them.

use super::DirectionSpec;
use super::book::{Book, Entry};
use super::losses::Losses;
use super::scope::{Decided, Need, OwnNumbers, Scope, bit};
use crate::frame::{Frame, FramePool};
use crate::model::{Corrupt, CorruptSpec, Delay, Duplicate, DuplicateSpec, Only, Reorder, ReorderSpec};
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
    corrupt: Corrupt,
    corrupt_key: StreamKey,
    corrupt_scope: Scope,
    duplicate: Duplicate,
    duplicate_key: StreamKey,
    duplicate_scope: Scope,
    reorder: Reorder,
    reorder_key: StreamKey,
    reorder_scope: Scope,
    delay_scope: Scope,
    need: Need,
    book: Option<Book>,
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

/// A frame that the delay applies to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delayed {
    /// Its number among those.
    pub(crate) number: u64,
    /// Its place in the chain of correlated delays, if there is one.
    pub(crate) stray: Option<f64>,
}

impl Sent {
    /// Whether it must not join a run of its train.
    pub(crate) fn is_alone(&self) -> bool {
        self.corrupted || self.copy.is_some() || self.ahead
    }
}

impl Extras {
    /// `None` where a spec asks for none of them.
    pub(crate) fn new(spec: &DirectionSpec, loss: &Losses, delay: &Delay, streams: Streams<'_>) -> Option<Box<Extras>> {
        let mut needed = Need::default();
        loss.need(&mut needed);
        let some = !(spec.corrupt.is_none() && spec.duplicate.is_none() && spec.reorder.is_none());
        let some = some || needed.book || delay.is_correlated() || delay.only().is_some();
        some.then(|| {
            let corrupt = Corrupt::new(spec.corrupt.clone());
            let duplicate = Duplicate::new(spec.duplicate.clone());
            let reorder = Reorder::new(spec.reorder.clone());
            let mut extras = Box::new(Extras {
                corrupt_key: streams.key("corrupt"),
                corrupt_scope: Scope::new(bit::CORRUPT, spec.corrupt.only.as_ref(), corrupt.is_stateful()),
                corrupt,
                duplicate_key: streams.key("duplicate"),
                duplicate_scope: Scope::new(bit::DUPLICATE, spec.duplicate.only.as_ref(), duplicate.is_stateful()),
                duplicate,
                reorder_key: streams.key("reorder"),
                reorder_scope: Scope::new(bit::REORDER, spec.reorder.only.as_ref(), reorder.is_stateful()),
                reorder,
                delay_scope: Scope::new(bit::DELAY, delay.only(), false),
                need: Need::default(),
                book: None,
            });
            extras.make_book(loss, delay);
            extras
        })
    }

    /// A book as the models need it. Where they need another than before, frames that are inside by now meet no model
    /// that would have had to know of them at admission.
    fn make_book(&mut self, loss: &Losses, delay: &Delay) {
        let mut need = Need::default();
        loss.need(&mut need);
        for scope in self.scopes() {
            scope.need(&mut need);
        }
        need.book |= delay.is_correlated();
        if self.need != need {
            (self.need, self.book) = (need, need.make());
        }
    }

    /// Changes the parameters in place; what frames have left behind goes on.
    pub(crate) fn set(
        extras: &mut Option<Box<Extras>>,
        spec: &DirectionSpec,
        loss: &Losses,
        delay: &Delay,
        streams: Streams<'_>,
    ) {
        match (extras.as_mut(), Extras::new(spec, loss, delay, streams)) {
            (Some(old), Some(_)) => {
                old.corrupt.set(spec.corrupt.clone());
                old.corrupt_scope.set(spec.corrupt.only.as_ref(), old.corrupt.is_stateful());
                old.duplicate.set(spec.duplicate.clone());
                old.duplicate_scope.set(spec.duplicate.only.as_ref(), old.duplicate.is_stateful());
                old.reorder.set(spec.reorder.clone());
                old.reorder_scope.set(spec.reorder.only.as_ref(), old.reorder.is_stateful());
                old.delay_scope.set(delay.only(), false);
                old.make_book(loss, delay);
            }
            (_, new) => *extras = new,
        }
    }

    pub(crate) fn corrupt(&self) -> &CorruptSpec {
        self.corrupt.spec()
    }

    pub(crate) fn duplicate(&self) -> &DuplicateSpec {
        self.duplicate.spec()
    }

    pub(crate) fn reorder(&self) -> &ReorderSpec {
        self.reorder.spec()
    }

    /// Enters the wire frames of a stretch that has its numbers, if there is a book. The delay comes with its key.
    #[inline]
    pub(crate) fn enter(&mut self, frame: &Frame, loss: &mut Losses, delay: (&mut Delay, StreamKey), pool: &FramePool) {
        if self.need.book {
            self.enter_each(frame, loss, delay, pool);
        }
    }

    fn enter_each(
        &mut self,
        frame: &Frame,
        loss: &mut Losses,
        (delay, key): (&mut Delay, StreamKey),
        pool: &FramePool,
    ) {
        let view = pool.view(frame);
        let mut summary = FrameSummary::new(view.head, view.total());
        let (mut applies, mut flags) = (0, None);
        for number in frame.number..frame.number + frame.count() {
            view.wire_flags(number - frame.number, &mut summary);
            // nothing else that rules look at differs between the wire frames of a train
            if flags != Some(summary.tcp_flags()) {
                flags = Some(summary.tcp_flags());
                let scopes = self.scopes().map(|scope| scope.applies(&summary));
                applies = loss.applies(&summary) | scopes.iter().sum::<u32>();
            }
            let (mut entry, mut own) = (Entry::default(), OwnNumbers::default());
            entry.applies = applies;
            loss.admit(number, &mut entry, &mut own);
            self.admit(number, &mut entry, &mut own);
            self.delay_scope.admit(number, &mut entry, &mut own, |_| false);
            if entry.applies(bit::DELAY) {
                let number = if delay.only().is_some() { own[bit::DELAY as usize] } else { number };
                entry.stray = delay.admit(|| key.frame(number, 0));
            }
            if let Some(book) = &mut self.book {
                book.admit(number, entry, self.need.columns(&mut own));
            }
        }
    }

    fn admit(&mut self, number: u64, entry: &mut Entry, own: &mut OwnNumbers) {
        let (corrupt, duplicate, reorder) = (&mut self.corrupt, &mut self.duplicate, &mut self.reorder);
        let keys = (self.corrupt_key, self.duplicate_key, self.reorder_key);
        self.corrupt_scope.admit(number, entry, own, |n| corrupt.admit(|| keys.0.frame(n, 0)));
        self.duplicate_scope.admit(number, entry, own, |n| duplicate.admit(|| keys.1.frame(n, 0)));
        self.reorder_scope.admit(number, entry, own, |n| reorder.admit(|| keys.2.frame(n, 0)));
    }

    /// What was decided at admission.
    #[inline]
    pub(crate) fn decided(&self) -> Decided<'_> {
        Decided { book: self.book.as_ref(), need: self.need }
    }

    /// What the delay knows a frame by; `None` if it does not apply to it. It does to one that was admitted before there
    /// was a book.
    #[inline]
    pub(crate) fn delayed(&self, number: u64) -> Option<Delayed> {
        let Some(entry) = self.book.as_ref().and_then(|book| book.entry(number)) else {
            return Some(Delayed { number, stray: None });
        };
        let (number, _) = self.delay_scope.find(number, self.decided())?;
        Some(Delayed { number, stray: entry.stray })
    }

    fn scopes(&self) -> [&Scope; 4] {
        [&self.corrupt_scope, &self.duplicate_scope, &self.reorder_scope, &self.delay_scope]
    }

    /// Models that are to apply to some frames, and none of these has come so far.
    pub(crate) fn unmatched(&self) -> impl Iterator<Item = (&'static str, &Only)> {
        let names = ["corrupt", "duplicate", "reorder", "delay"];
        names.into_iter().zip(self.scopes()).filter_map(|(name, scope)| Some((name, scope.unmatched()?)))
    }

    /// These frames draw no more: they are on their way, or dropped.
    #[inline]
    pub(crate) fn settle(&mut self, number: u64, count: u64) {
        if let Some(book) = &mut self.book {
            book.settle(number, count);
        }
    }

    /// Frames that are entered.
    #[cfg(test)]
    pub(crate) fn entered(&self) -> usize {
        self.book.as_ref().map_or(0, Book::len)
    }

    /// Draws the fate of a single wire frame.
    pub(crate) fn send(&self, mut frame: Frame, pool: &mut FramePool) -> Sent {
        let (number, decided) = (frame.number, self.decided());
        let bits = self
            .corrupt_scope
            .find(number, decided)
            .and_then(|(n, mark)| self.corrupt.draw(mark, || self.corrupt_key.frame(n, 0)));
        let corrupted = bits.is_some();
        if let Some(mut rng) = bits {
            frame = pool.materialize(frame);
            let (from, total) = exposed(pool, &frame);
            self.corrupt.spec().flip(&mut rng, total - from, |at, mask| pool.flip(&frame, from + at, mask));
        }
        let twice = self
            .duplicate_scope
            .find(number, decided)
            .is_some_and(|(n, mark)| self.duplicate.picks(mark, || self.duplicate_key.frame(n, 0)));
        let copy = twice.then(|| pool.share(&frame));
        let ahead = self
            .reorder_scope
            .find(number, decided)
            .is_some_and(|(n, mark)| self.reorder.is_ahead(mark, || self.reorder_key.frame(n, 0)));
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
    use crate::model::{Chance, DelaySpec};
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
        let spec = DirectionSpec { corrupt: CorruptSpec::independent(always, 1), ..DirectionSpec::default() };
        let extras = Extras::new(&spec, &Losses::None, &Delay::new(DelaySpec::default()), STREAMS).unwrap();
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
        let mut extras = Extras::new(&spec, &Losses::None, &Delay::new(DelaySpec::default()), STREAMS);
        assert!(extras.is_none());
        spec.reorder = ReorderSpec::independent(Chance(Probability::ALWAYS), 3);
        Extras::set(&mut extras, &spec, &Losses::None, &Delay::new(DelaySpec::default()), STREAMS);
        assert!(extras.is_some());
        spec.reorder = ReorderSpec::default();
        Extras::set(&mut extras, &spec, &Losses::None, &Delay::new(DelaySpec::default()), STREAMS);
        assert!(extras.is_none());
    }
}
