//! Who is at which MAC address: what the plan says, what was learnt, and frames that wait for an answer.
//!
//! Times are those of RFC 4861 §10 for IPv6, and of RFC 1122 §2.3.2.1 for IPv4, which asks that entries are verified from
//! time to time and that what waits is not lost.

use core::hash::Hasher;
use core::net::IpAddr;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasherDefault;

use crate::frame::Frame;
use crate::units::{Duration, Instant};
use crate::wire::ethernet::MacAddr;

/// An entry that was confirmed so long ago is trusted (REACHABLE_TIME).
const FRESH: Duration = Duration::from_secs(30);
/// An older one is still used, but its neighbour is asked again; without an answer it is forgotten after this.
const USABLE: Duration = Duration::from_secs(60);
/// Between two questions (RETRANS_TIMER).
const RETRY: Duration = Duration::from_secs(1);
/// Questions before a neighbour counts as unreachable (MAX_MULTICAST_SOLICIT).
const QUESTIONS: u8 = 3;
/// Learnt entries of a router at most, and how many of them may come from those who were not asked.
const TABLE: usize = 4096;
const UNASKED: usize = TABLE / 2;
/// Neighbours that are asked for at a time.
const ASKED: usize = 256;
/// Wire frames that wait for one neighbour, but for a single train, which may be longer; and for all together.
const WAITING_EACH: u64 = 128;
const WAITING_ALL: u64 = 4096;

type Key = (u32, IpAddr);

/// Multiplies and folds. Keys are short and the table is bounded, so nobody gains much by making them collide.
#[derive(Debug, Default)]
pub(super) struct Fold(u64);

impl Fold {
    #[inline]
    fn mix(&mut self, word: u64) {
        // 2^64 divided by the golden ratio, made odd
        let product = u128::from(self.0 ^ word) * 0x9e37_79b9_7f4a_7c15;
        self.0 = product as u64 ^ (product >> 64) as u64;
    }
}

impl Hasher for Fold {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            // so that no word is the 0 that leaves a sum of 0 as it is
            self.mix(u64::from_le_bytes(word).wrapping_add(0x2545_f491_4f6c_dd1d));
        }
    }

    #[inline]
    fn write_u32(&mut self, word: u32) {
        self.mix(u64::from(word) + 1);
    }

    #[inline]
    fn write_usize(&mut self, word: usize) {
        self.mix(word as u64 + 1);
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

/// Neighbours on all interfaces.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    /// Looked up only, never walked.
    known: HashMap<Key, Known, BuildHasherDefault<Fold>>,
    /// Those of the plan among them.
    permanent: usize,
    /// No learnt entry can be older than [`USABLE`] before this.
    swept: Instant,
    /// In the order of when each is asked next.
    asked: VecDeque<Question>,
    /// Wire frames in all of them.
    waiting: u64,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    mac: MacAddr,
    /// Stays whatever anybody says.
    permanent: bool,
    confirmed: Instant,
    /// When it was last asked whether it is still there.
    verified: Instant,
}

#[derive(Debug)]
struct Question {
    key: Key,
    times: u8,
    next: Instant,
    frames: VecDeque<Waiting>,
    /// Wire frames in `frames`.
    count: u64,
}

/// A frame that waits, and the port that it came in at; `None` for one of the router's own.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) frame: Frame,
    pub(super) from: Option<u32>,
}

/// What is known of a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Where it is.
    Known(MacAddr),
    /// Where it was; it is to be asked again.
    Old(MacAddr),
    /// Nothing.
    Unknown,
}

/// What became of a frame for an unknown neighbour.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// It waits, and the neighbour is to be asked now.
    First,
    /// It waits with others, or for nobody: it was among those that did not fit.
    Later,
}

/// How an address was learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A question to us: whoever asks will want an answer (RFC 826, RFC 4861 §7.2.3).
    Question,
    /// An answer: it counts where there was a question, or an entry already (RFC 826, RFC 4861 §7.2.5).
    Answer {
        /// It replaces another MAC address.
        over_ride: bool,
    },
}

/// A question whose time has come.
#[derive(Debug)]
pub(super) enum Due {
    /// To be asked once more.
    Ask(u32, IpAddr),
    /// It was asked often enough: these frames will not arrive.
    Failed(VecDeque<Waiting>),
}

impl Neighbours {
    /// A neighbour of the plan.
    pub(super) fn install(&mut self, port: u32, address: IpAddr, mac: MacAddr) {
        let known = Known { mac, permanent: true, confirmed: Instant::ZERO, verified: Instant::ZERO };
        self.known.insert((port, address), known);
        self.permanent = self.known.len();
    }

    /// Where a neighbour is.
    #[inline]
    pub(super) fn find(&mut self, now: Instant, port: u32, address: IpAddr) -> Found {
        match self.known.get_mut(&(port, address)) {
            None => Found::Unknown,
            Some(known) if known.permanent || now.saturating_since(known.confirmed) <= FRESH => Found::Known(known.mac),
            Some(known) if now.saturating_since(known.confirmed) <= USABLE => {
                if now.saturating_since(known.verified) < RETRY {
                    return Found::Known(known.mac);
                }
                known.verified = now;
                Found::Old(known.mac)
            }
            Some(_) => {
                self.known.remove(&(port, address));
                Found::Unknown
            }
        }
    }

    /// A frame waits for an unknown neighbour. Where there is no more room the oldest that wait for the same neighbour give way (RFC
    /// 1122 §2.3.2.2), or there are none, it does itself.
    pub(super) fn hold(
        &mut self,
        now: Instant,
        (port, address): (u32, IpAddr),
        waiting: Waiting,
        mut gone: impl FnMut(Waiting),
    ) -> Held {
        let count = waiting.frame.count();
        let at = match self.asked.iter().position(|question| question.key == (port, address)) {
            Some(at) => at,
            None if self.asked.len() == ASKED || self.waiting + count > WAITING_ALL && self.waiting > 0 => {
                gone(waiting);
                return Held::Later;
            }
            None => {
                let frames = VecDeque::from([waiting]);
                let question = Question { key: (port, address), times: 1, next: now + RETRY, frames, count };
                self.asked.push_back(question);
                self.waiting += count;
                return Held::First;
            }
        };
        let question = &mut self.asked[at];
        while question.count + count > WAITING_EACH || self.waiting + count > WAITING_ALL {
            let Some(oldest) = question.frames.pop_front() else { break };
            question.count -= oldest.frame.count();
            self.waiting -= oldest.frame.count();
            gone(oldest);
        }
        question.frames.push_back(waiting);
        question.count += count;
        self.waiting += count;
        Held::Later
    }

    /// Somebody said where a neighbour is. The frames that waited for it may go.
    pub(super) fn learn(
        &mut self,
        now: Instant,
        (port, address): (u32, IpAddr),
        mac: MacAddr,
        source: Source,
    ) -> VecDeque<Waiting> {
        let key = (port, address);
        let fresh = Known { mac, permanent: false, confirmed: now, verified: now };
        if let Some(known) = self.known.get_mut(&key) {
            let kept = matches!(source, Source::Answer { over_ride: false }) && known.mac != mac;
            if !known.permanent && !kept {
                *known = fresh;
            }
            return VecDeque::new();
        }
        let asked = self.asked.iter().position(|question| question.key == key);
        if let Some(question) = asked.and_then(|at| self.asked.remove(at)) {
            if self.has_room(now, TABLE) {
                self.known.insert(key, fresh);
            }
            self.waiting -= question.count;
            return question.frames;
        }
        if source == Source::Question && self.has_room(now, UNASKED) {
            self.known.insert(key, fresh);
        }
        VecDeque::new()
    }

    fn has_room(&mut self, now: Instant, limit: usize) -> bool {
        let full = limit + self.permanent;
        if self.known.len() >= full && now.saturating_since(self.swept) > USABLE {
            self.known.retain(|_, known| known.permanent || now.saturating_since(known.confirmed) <= USABLE);
            self.swept = now;
        }
        self.known.len() < full
    }

    /// When [`Neighbours::due`] has something next.
    #[inline]
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.asked.front().map(|question| question.next)
    }

    /// The next question whose time has come.
    pub(super) fn due(&mut self, now: Instant) -> Option<Due> {
        if self.deadline()? > now {
            return None;
        }
        let mut question = self.asked.pop_front()?;
        if question.times == QUESTIONS {
            self.waiting -= question.count;
            return Some(Due::Failed(question.frames));
        }
        question.times += 1;
        question.next = now + RETRY;
        let (port, address) = question.key;
        self.asked.push_back(question);
        Some(Due::Ask(port, address))
    }

    /// Wire frames that wait.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::FramePool;

    const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 7]);
    const OTHER: MacAddr = MacAddr([2, 0, 0, 0, 0, 8]);

    fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    fn host(n: u32) -> IpAddr {
        core::net::Ipv4Addr::from_bits(0x0a00_0000 + n).into()
    }

    fn waiting(pool: &mut FramePool) -> Waiting {
        Waiting { frame: pool.store(&[0; 60]).unwrap(), from: Some(3) }
    }

    #[test]
    fn an_entry_is_trusted_then_verified_then_forgotten() {
        let mut all = Neighbours::default();
        assert!(all.learn(at(0), (0, host(1)), MAC, Source::Question).is_empty());
        assert_eq!(all.find(at(30_000), 0, host(1)), Found::Known(MAC));
        assert_eq!(all.find(at(30_001), 0, host(1)), Found::Old(MAC));
        assert_eq!(all.find(at(31_000), 0, host(1)), Found::Known(MAC), "asked a moment ago");
        assert_eq!(all.find(at(31_001), 0, host(1)), Found::Old(MAC));
        assert_eq!(all.find(at(60_001), 0, host(1)), Found::Unknown);
        assert_eq!(all.known.len(), 0);
        assert_eq!(all.find(at(0), 1, host(1)), Found::Unknown, "another interface");
    }

    #[test]
    fn those_of_the_plan_stay_whatever_is_said() {
        let mut all = Neighbours::default();
        all.install(0, host(1), MAC);
        let _ = all.learn(at(0), (0, host(1)), OTHER, Source::Question);
        let _ = all.learn(at(0), (0, host(1)), OTHER, Source::Answer { over_ride: true });
        assert_eq!(all.find(at(1 << 40), 0, host(1)), Found::Known(MAC));
    }

    #[test]
    fn answers_nobody_asked_for_only_change_what_is_known() {
        let mut all = Neighbours::default();
        let _ = all.learn(at(0), (0, host(1)), MAC, Source::Answer { over_ride: true });
        assert_eq!(all.find(at(0), 0, host(1)), Found::Unknown);
        let _ = all.learn(at(0), (0, host(1)), MAC, Source::Question);
        let _ = all.learn(at(0), (0, host(1)), OTHER, Source::Answer { over_ride: false });
        assert_eq!(all.find(at(0), 0, host(1)), Found::Known(MAC));
        let _ = all.learn(at(0), (0, host(1)), OTHER, Source::Answer { over_ride: true });
        assert_eq!(all.find(at(0), 0, host(1)), Found::Known(OTHER));
    }

    #[test]
    fn a_neighbour_is_asked_three_times_a_second_apart() {
        let (mut all, mut pool) = (Neighbours::default(), FramePool::default());
        let first = waiting(&mut pool);
        assert_eq!(all.hold(at(5), (0, host(1)), first, |_| panic!("it has room")), Held::First);
        assert_eq!((all.deadline(), all.waiting()), (Some(at(1005)), 1));
        assert!(all.due(at(1004)).is_none());
        assert!(matches!(all.due(at(1005)), Some(Due::Ask(0, _))));
        assert!(all.due(at(1005)).is_none());
        assert!(matches!(all.due(at(2005)), Some(Due::Ask(0, _))));
        let Some(Due::Failed(frames)) = all.due(at(3005)) else { panic!("it has been asked three times") };
        assert_eq!((frames.len(), all.deadline(), all.waiting()), (1, None, 0));
        frames.into_iter().for_each(|waiting| pool.release(waiting.frame));
        assert_eq!(pool.live(), 0);
    }

    #[test]
    fn an_answer_lets_frames_go_in_their_order() {
        let (mut all, mut pool) = (Neighbours::default(), FramePool::default());
        for port in 0..3 {
            let frame = pool.store(&[0; 60]).unwrap();
            let _ = all.hold(at(0), (0, host(1)), Waiting { frame, from: Some(port) }, |_| panic!("it has room"));
        }
        let frames = all.learn(at(1), (0, host(1)), MAC, Source::Answer { over_ride: false });
        assert_eq!(frames.iter().map(|w| w.from).collect::<Vec<_>>(), [Some(0), Some(1), Some(2)]);
        assert_eq!((all.find(at(1), 0, host(1)), all.waiting(), all.deadline()), (Found::Known(MAC), 0, None));
        frames.into_iter().for_each(|waiting| pool.release(waiting.frame));
    }

    #[test]
    fn what_waits_is_bounded() {
        let (mut all, mut pool) = (Neighbours::default(), FramePool::default());
        let mut gone = 0;
        for _ in 0..WAITING_EACH + 10 {
            let frame = waiting(&mut pool);
            let _ = all.hold(at(0), (0, host(0)), frame, |w| {
                gone += 1;
                pool.release(w.frame);
            });
        }
        assert_eq!((gone, all.waiting()), (10, WAITING_EACH));
        for n in 1..10_000 {
            let frame = waiting(&mut pool);
            let _ = all.hold(at(0), (0, host(n % 1000)), frame, |w| pool.release(w.frame));
        }
        assert_eq!(all.asked.len(), ASKED);
        assert!(all.waiting() <= WAITING_ALL);
        assert_eq!(pool.live(), all.waiting());
        while let Some(due) = all.due(at(9000)) {
            if let Due::Failed(frames) = due {
                frames.into_iter().for_each(|w| pool.release(w.frame));
            }
            // as long as it takes to ask them all three times
            all.asked.iter_mut().for_each(|question| question.next = at(0));
        }
        assert_eq!((pool.live(), all.waiting()), (0, 0));
    }

    #[test]
    fn a_train_longer_than_the_room_waits_alone() {
        let (mut all, mut pool) = (Neighbours::default(), FramePool::default());
        let bytes = vec![0; 50 + 300 * 100];
        for _ in 0..2 {
            let frame = pool.store_train(&bytes, crate::frame::Cut { header: 50, segment: 100 }).unwrap();
            let _ = all.hold(at(0), (0, host(1)), Waiting { frame, from: None }, |w| pool.release(w.frame));
        }
        assert_eq!((all.waiting(), pool.live()), (300, 1));
    }

    #[test]
    fn invented_neighbours_cannot_grow_the_table_without_end() {
        let mut all = Neighbours::default();
        all.install(0, host(1), MAC);
        for n in 2..3 * TABLE as u32 {
            let _ = all.learn(at(0), (0, host(n)), MAC, Source::Question);
        }
        assert_eq!(all.known.len(), UNASKED + 1);
        // one that was asked for still finds a place
        let mut pool = FramePool::default();
        let frame = waiting(&mut pool);
        let _ = all.hold(at(0), (0, host(99_999)), frame, |_| panic!("it has room"));
        for waiting in all.learn(at(0), (0, host(99_999)), MAC, Source::Answer { over_ride: false }) {
            pool.release(waiting.frame);
        }
        assert_eq!(all.find(at(0), 0, host(99_999)), Found::Known(MAC));
        // and when they have aged, anybody does
        let _ = all.learn(at(60_001), (0, host(77_777)), MAC, Source::Question);
        assert_eq!(all.known.len(), 2);
    }
}
