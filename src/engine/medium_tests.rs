//! Half-duplex links: known answers, fairness, and that nothing is lost or starved whatever happens to them.

use super::*;
use crate::frame::{DropCause, FrameView};
use crate::model::RateSpec;
use crate::queue::{FifoSpec, QueueSpec};
use crate::units::{Duration, Instant};
use proptest::prelude::*;

/// What left the wires: (direction, when in ns, bytes), and what was dropped.
#[derive(Default)]
struct Out {
    sent: Vec<(u32, u64, u64)>,
    dropped: u64,
}

impl FrameSink for Out {
    fn deliver(&mut self, _: NodeId, _: FrameView<'_>, _: Instant) {}
    fn fate(&mut self, fate: Fate<'_>) {
        match (fate.place, fate.kind) {
            (Place::Direction(id), FateKind::Delivered { .. }) => {
                self.sent.push((id.0, fate.at.as_nanos(), fate.view().total() as u64));
            }
            (_, FateKind::Dropped(_)) => self.dropped += fate.frames,
            _ => {}
        }
    }
}

const LINK: LinkId = LinkId(0);

fn us(us: u64) -> Instant {
    Instant::from_nanos(us * 1_000)
}

fn spec(rate: RateSpec) -> DirectionSpec {
    let queue = Some(QueueSpec::Fifo(FifoSpec { packets: Some(1000), ..FifoSpec::UNLIMITED }));
    DirectionSpec { half_duplex: true, rate, queue, ..DirectionSpec::default() }
}

fn rate(text: &str) -> RateSpec {
    RateSpec::Constant(text.parse().unwrap())
}

fn engine(there: DirectionSpec, back: DirectionSpec) -> Engine {
    let port = |name: &str| NodePlan { name: name.into(), kind: NodeKind::Port };
    Engine::new(&Plan {
        seed: 1,
        coalesce: Duration::ZERO,
        convergence: Duration::ZERO,
        nodes: vec![port("a"), port("b")],
        links: vec![LinkPlan { name: "air".into(), ends: [0, 1], directions: [there, back] }],
    })
}

fn offer(engine: &mut Engine, at: Instant, from: u32, bytes: usize) {
    let frame = engine.pool().store(&vec![0; bytes]).unwrap();
    engine.inject(at, NodeId(from), frame);
}

fn run(engine: &mut Engine) -> Out {
    let mut out = Out::default();
    engine.advance(Instant::from_nanos(u64::MAX - 1), &mut out);
    assert_eq!(engine.pool().live(), 0, "every frame left by a door");
    out
}

#[test]
fn one_frame_at_a_time_is_on_the_medium_and_the_directions_take_turns() {
    // a byte a microsecond there, ten back
    let mut engine = engine(spec(rate("8Mbit")), spec(rate("80Mbit")));
    for _ in 0..3 {
        offer(&mut engine, us(0), 0, 1000);
    }
    for _ in 0..2 {
        offer(&mut engine, us(10), 1, 1000);
    }
    let out = run(&mut engine);
    let sent: Vec<_> = out.sent.iter().map(|(id, at, _)| (*id, at / 1000)).collect();
    assert_eq!(sent, [(0, 1000), (1, 1100), (0, 2100), (1, 2200), (0, 3200)]);
}

#[test]
fn the_medium_is_idle_only_when_nobody_waits_and_goes_to_who_comes_first() {
    let mut engine = engine(spec(rate("8Mbit")), spec(rate("8Mbit")));
    offer(&mut engine, us(0), 1, 100);
    offer(&mut engine, us(50), 0, 100);
    offer(&mut engine, us(500), 0, 100);
    offer(&mut engine, us(500), 1, 100);
    // at the very instant at which the medium becomes free: the other side waited already
    offer(&mut engine, us(600), 0, 100);
    let sent: Vec<_> = run(&mut engine).sent.iter().map(|(id, at, _)| (*id, at / 1000)).collect();
    assert_eq!(sent, [(1, 100), (0, 200), (0, 600), (1, 700), (0, 800)]);
}

#[test]
fn a_train_gives_way_after_each_of_its_frames() {
    let mut engine = engine(spec(rate("8Mbit")), spec(rate("8Mbit")));
    let cut = crate::frame::Cut { header: 50, segment: 950 };
    let train = engine.pool().store_train(&vec![0; 50 + 4 * 950], cut).unwrap();
    engine.inject(us(0), NodeId(0), train);
    for _ in 0..2 {
        offer(&mut engine, us(1), 1, 500);
    }
    let sent: Vec<_> = run(&mut engine).sent.iter().map(|(id, at, _)| (*id, at / 1000)).collect();
    assert_eq!(sent, [(0, 1000), (1, 1500), (0, 2500), (1, 3000), (0, 4000), (0, 5000)]);
}

#[test]
fn down_frees_the_medium_and_up_begins_anew() {
    let mut engine = engine(spec(rate("8Mbit")), spec(rate("8Mbit")));
    for from in [0, 0, 1, 1] {
        offer(&mut engine, us(0), from, 1000);
    }
    engine.apply(us(1500), Command::Down(LINK)).unwrap();
    engine.apply(us(1600), Command::Up(LINK)).unwrap();
    offer(&mut engine, us(1700), 0, 1000);
    let out = run(&mut engine);
    assert_eq!((out.sent.len(), out.dropped), (2, 3));
    assert_eq!(out.sent[1].1, 2_700_000);
    assert_eq!(engine.counters(LINK.directions()[1]).dropped.by(DropCause::LinkDown).frames, 2);
}

#[test]
fn a_rate_taken_away_lets_everything_pass_and_a_new_one_holds_it_back_again() {
    let set = |rate| Change { rate: Some(rate), ..Change::default() };
    let mut engine = engine(spec(rate("8Mbit")), spec(rate("8Mbit")));
    for _ in 0..3 {
        offer(&mut engine, us(0), 0, 1000);
        offer(&mut engine, us(0), 1, 1000);
    }
    let [there, back] = LINK.directions();
    // the first of them is half sent; those of the other side take their time and turns all the same
    engine.apply(us(500), Command::Set(there, set(RateSpec::Unlimited))).unwrap();
    engine.apply(us(2000), Command::Set(there, set(rate("80Mbit")))).unwrap();
    offer(&mut engine, us(2100), 0, 1000);
    engine.apply(us(9000), Command::Set(back, set(RateSpec::Unlimited))).unwrap();
    offer(&mut engine, us(9000), 0, 1000);
    offer(&mut engine, us(9001), 1, 1000);
    let sent: Vec<_> = run(&mut engine).sent.iter().map(|(id, at, _)| (*id, at / 1000)).collect();
    assert_eq!(
        sent,
        [(0, 500), (1, 1500), (0, 1500), (1, 2500), (0, 2600), (1, 3600), (0, 3700), (1, 9001), (0, 9100)],
    );
}

fn any_rate() -> impl Strategy<Value = RateSpec> {
    prop_oneof![
        3 => (1u64..200).prop_map(|mega| rate(&format!("{mega}Mbit"))),
        1 => Just(serde_json::from_str(r#"{"token_bucket": {"rate": "5Mbit", "burst": "3000B"}}"#).unwrap()),
        1 => Just(serde_json::from_str(r#"{"slots": {"min": "700us", "packets": 3}}"#).unwrap()),
        1 => Just(
            serde_json::from_str(r#"{"schedule": [{"for": "3ms", "rate": "9Mbit"}, {"for": "1ms", "rate": 0}, {"rate": "2Mbit"}]}"#)
                .unwrap()
        ),
    ]
}

proptest! {
    #[test]
    fn backlogs_alternate_frame_by_frame_whatever_their_rates_and_sizes(
        there in any_rate(), back in any_rate(), sizes in prop::collection::vec((60usize..1515, 60usize..1515), 2..40),
        changes in prop::collection::vec((0u64..40_000, any::<bool>(), any_rate()), 0..4),
    ) {
        let mut engine = engine(spec(there), spec(back));
        for (one, other) in &sizes {
            offer(&mut engine, us(0), 0, *one);
            offer(&mut engine, us(0), 1, *other);
        }
        let mut changes = changes;
        changes.sort_by_key(|(at, ..)| *at);
        for (at, back, rate) in changes {
            let change = Change { rate: Some(rate), ..Change::default() };
            engine.apply(us(at + 1), Command::Set(LINK.directions()[usize::from(back)], change)).unwrap();
        }
        let out = run(&mut engine);
        prop_assert_eq!((out.sent.len(), out.dropped), (2 * sizes.len(), 0));
        // what passes in no time may do so before the other side has offered anything
        let mut waited: Vec<_> = out.sent.iter().skip_while(|(_, at, _)| *at == 0).collect();
        // what leaves the medium at one instant, because a change or a bucket let it, arrives in the order of ranks
        for n in 2..waited.len() {
            let [before, this, next] = [waited[n - 2], waited[n - 1], waited[n]];
            if before.0 == this.0 && this.0 != next.0 && this.1 == next.1 {
                waited.swap(n - 1, n);
            }
        }
        let mut left = [0, 1].map(|id| waited.iter().filter(|(of, ..)| *of == id).count());
        // those of one instant arrive by rank, whatever their turns on the medium were
        let alone = |at: u64| waited.iter().filter(|(_, other, _)| *other == at).count() == 1;
        for pair in waited.windows(2) {
            left[pair[0].0 as usize] -= 1;
            if left[1 - pair[0].0 as usize] > 0 && alone(pair[0].1) && alone(pair[1].1) {
                prop_assert_ne!(pair[0].0, pair[1].0, "both had frames");
            }
        }
    }

    #[test]
    fn at_constant_rates_nothing_overlaps_and_the_medium_never_rests_while_somebody_waits(
        rates in [1u64..200, 1u64..200],
        frames in prop::collection::vec((0u64..20_000, any::<bool>(), 60usize..1515), 1..60),
    ) {
        let mut engine = engine(spec(rate(&format!("{}Mbit", rates[0]))), spec(rate(&format!("{}Mbit", rates[1]))));
        let mut frames = frames;
        frames.sort_unstable();
        for (at, back, bytes) in &frames {
            offer(&mut engine, us(*at), u32::from(*back), *bytes);
        }
        let out = run(&mut engine);
        prop_assert_eq!(out.sent.len(), frames.len());
        // a medium at work sends what has come by then: the end of each busy time is that of a single server
        let (mut free, mut ends) = (0u64, Vec::new());
        for (at, back, bytes) in &frames {
            let time = *bytes as u64 * 8000 / rates[usize::from(*back)];
            if at * 1000 > free + 100 {
                ends.push(free);
                free = at * 1000;
            }
            free += time;
        }
        ends.push(free);
        for end in ends.into_iter().skip(usize::from(frames[0].0 > 0)) {
            let near = out.sent.iter().map(|(_, at, _)| at.abs_diff(end)).min();
            prop_assert!(near.is_some_and(|off| off <= 100 * frames.len() as u64), "{:?} from {}", near, end);
        }
        // and no two frames overlap: each takes its time after the one before
        for pair in out.sent.windows(2) {
            let (id, at, bytes) = pair[1];
            prop_assert!(at - pair[0].1 + 1 >= bytes * 8000 / rates[id as usize]);
        }
    }
}
