//! Queues under a sender that does not slow down, against what Linux 6.1 does in the same place: a rate of 5 Mbit/s that falls to
//! 500 kbit/s for five seconds, under 1,000 datagrams a second.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use longwire::engine::{
    Change, Command, DirectionId, DirectionSpec, Engine, Fate, FateKind, FrameSink, LinkPlan, NodeId, NodeKind,
    NodePlan, Place, Plan,
};
use longwire::frame::FrameView;
use longwire::model::RateSpec;
use longwire::queue::{FqCodelSpec, PieLaw, PieSpec, QueueSpec};
use longwire::units::{Duration, Instant};

/// Milliseconds.
const FALLS: u64 = 5_500;
const RISES: u64 = 10_500;
const END: u64 = 20_000;

/// When each frame was sent, in ms, and its delay in ms if it arrived.
#[derive(Default)]
struct Delays(Vec<(u64, f64)>);

impl FrameSink for Delays {
    fn deliver(&mut self, _: NodeId, _: FrameView<'_>, _: Instant) {}
    fn fate(&mut self, fate: Fate<'_>) {
        if let (Place::Direction(DirectionId(0)), FateKind::Delivered { .. }) = (fate.place, fate.kind) {
            // one a millisecond, numbered in their order
            self.0.push((fate.number, fate.at.as_nanos() as f64 / 1e6 - fate.number as f64));
        }
    }
    fn applied(&mut self, _: &Command, _: Instant) {}
}

/// 1,172 bytes of payload a millisecond from one port, which a hash puts into one flow.
fn overloaded(queue: QueueSpec, until: u64) -> Delays {
    let rate = |text: &str| RateSpec::Constant(text.parse().unwrap());
    let spec = DirectionSpec { rate: rate("5Mbit"), queue: Some(queue), ..DirectionSpec::default() };
    let nodes = ["a", "b"].map(|name| NodePlan { name: name.into(), kind: NodeKind::Port }).to_vec();
    let links = vec![LinkPlan { name: "w".into(), ends: [0, 1], directions: [spec, DirectionSpec::default()] }];
    let plan = Plan { seed: 1, coalesce: Duration::ZERO, convergence: Duration::ZERO, nodes, links };
    let mut engine = Engine::new(&plan);
    let mut frame = vec![0u8; 1172 + 28 + 14];
    frame[12..24].copy_from_slice(&[0x08, 0x00, 0x45, 0, 0x04, 0xb0, 0, 0, 0, 0, 64, 17]);
    let mut delays = Delays::default();
    for ms in 0..until {
        let at = Instant::ZERO + Duration::from_millis(ms);
        let change = match ms {
            FALLS => Some("500kbit"),
            RISES => Some("5Mbit"),
            _ => None,
        };
        if let Some(text) = change {
            let change = Change { rate: Some(rate(text)), ..Change::default() };
            engine.apply(at, Command::Set(DirectionId(0), change)).unwrap();
        }
        let stored = engine.pool().store(&frame).unwrap();
        engine.inject(at, NodeId(0), stored);
        engine.advance(at, &mut delays);
    }
    engine.advance(Instant::ZERO + Duration::from_secs(100), &mut delays);
    delays
}

fn mean_and_p99(delays: &Delays) -> (f64, f64) {
    let mut all: Vec<f64> = delays.0.iter().map(|(_, delay)| *delay).collect();
    all.sort_by(f64::total_cmp);
    (all.iter().sum::<f64>() / all.len() as f64, all[all.len() * 99 / 100])
}

#[test]
fn pie_as_in_linux_holds_a_sender_that_does_not_slow_down_near_its_target() {
    let target = Duration::from_millis(20);
    let pie = |law| QueueSpec::Pie(PieSpec { target, law, ..PieSpec::default() });
    // `tc … pie target 20ms limit 1000` on Linux 6.1: mean 40 to 41 ms, 99th percentile 524 to 543 ms
    let (mean, p99) = mean_and_p99(&overloaded(pie(PieLaw::Linux), 15_000));
    assert!((33.0..48.0).contains(&mean) && (430.0..650.0).contains(&p99), "{mean} ms, p99 {p99} ms");
    // with a probability of 1 at most, the law lets go as soon as the queue has become shorter
    let (bounded, _) = mean_and_p99(&overloaded(pie(PieLaw::Rfc8033), 15_000));
    assert!(bounded > 3.0 * mean, "{bounded} ms");
}

#[test]
fn fq_codel_counts_what_its_limit_drops_as_linux_does() {
    let queue = QueueSpec::FqCodel(FqCodelSpec { limit: 1000, ..FqCodelSpec::default() });
    let delays = overloaded(queue, END);
    // the queue is full when the rate rises; on Linux 6.1 the wait is short again 2.5 s later, 5.5 s without that count
    let short = delays.0.iter().find(|(sent, delay)| *sent > RISES && *delay < 50.0).map(|(sent, _)| sent - RISES);
    assert!(short.is_some_and(|ms| (1_500..3_500).contains(&ms)), "{short:?} ms");
}
