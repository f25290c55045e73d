//! Frame-hops per second of the engine in virtual time, by model set, number of links, frame size and train length.
//!
//! A frame-hop is one wire frame through one direction of a link. Frames are handles on bytes that stand in the pool
//! already: what is measured is the engine, not a memory copy.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use longwire::engine::{DirectionSpec, Engine, FrameSink, LinkPlan, NodeId, NodeKind, NodePlan, Plan};
use longwire::frame::{Cut, Frame, FrameView};
use longwire::model::{DelaySpec, Distribution, Framing, LossSpec, Order, RateSpec};
use longwire::queue::{FifoSpec, QueueSpec};
use longwire::units::{Duration, Instant};

struct Away;

impl FrameSink for Away {
    fn deliver(&mut self, _: NodeId, frame: FrameView<'_>, _: Instant) {
        black_box(frame.count);
    }
}

/// What a direction does, by the name of the model set.
fn model_set(name: &str) -> DirectionSpec {
    let delay = DelaySpec::constant(Duration::from_millis(10));
    let rate = RateSpec::Constant("10Gbit".parse().expect("a rate"));
    let loss = LossSpec::random("1%".parse().expect("a probability"));
    let fifo = Some(QueueSpec::Fifo(FifoSpec { packets: Some(1000), ..FifoSpec::UNLIMITED }));
    let none = DirectionSpec { framing: Framing::None, ..DirectionSpec::default() };
    let jitter = DelaySpec {
        jitter: Duration::from_millis(1),
        distribution: Distribution::Normal,
        order: Order::Keep,
        ..delay.clone()
    };
    match name {
        "none" => none,
        "delay" => DirectionSpec { delay, ..none },
        "delay+loss" => DirectionSpec { delay, loss, ..none },
        "rate+fifo" => DirectionSpec { rate, queue: fifo, ..none },
        "delay+rate+fifo" => DirectionSpec { delay, rate, queue: fifo, ..none },
        "delay+loss+rate+fifo" => DirectionSpec { delay, loss, rate, queue: fifo, ..none },
        "jitter+loss+rate+fifo" => DirectionSpec { delay: jitter, loss, rate, queue: fifo, ..none },
        other => panic!("no model set is called {other}"),
    }
}

/// A network of `links` separate links, and a frame that waits to be sent.
struct Bench {
    engine: Engine,
    template: Frame,
    now: Instant,
    next: u32,
    links: u32,
    gap: Duration,
}

impl Bench {
    /// Offers `mbit` Mbit/s to each of up to ten links. More than ten share what ten are offered, so that as many frames are
    /// on their way over ten links as over 10,000.
    fn new(set: &str, mbit: u64, links: u32, bytes: usize, frames: usize) -> Bench {
        let port = |n: u32| NodePlan { name: format!("p{n}"), kind: NodeKind::Port };
        let link = |n: u32| LinkPlan {
            name: format!("l{n}"),
            ends: [n as usize * 2, n as usize * 2 + 1],
            directions: [model_set(set), DirectionSpec::default()],
        };
        let plan = Plan {
            seed: 1,
            coalesce: Duration::ZERO,
            convergence: Duration::ZERO,
            nodes: (0..links * 2).map(port).collect(),
            links: (0..links).map(link).collect(),
        };
        let mut engine = Engine::new(&plan);
        let header = 54;
        let segment = bytes - header;
        let template = if frames == 1 {
            engine.pool().store(&vec![0; bytes]).expect("fits")
        } else {
            let cut = Cut { header: header as u16, segment: segment as u16 };
            engine.pool().store_train(&vec![0; header + frames * segment], cut).expect("fits")
        };
        let wire = engine.pool().bytes(&template) * 8;
        let gap = Duration::from_nanos(wire * 1000 / mbit / u64::from(links.min(10)));
        let mut bench = Bench { engine, template, now: Instant::ZERO, next: 0, links, gap };
        // fill the wires and queues, so that as many frames leave as enter
        let mut filled = Instant::ZERO + Duration::from_millis(25);
        filled += gap * u64::from(links) * 2;
        while bench.now < filled {
            bench.run(100);
        }
        bench
    }

    /// Offers a frame or train to each link in turn.
    fn run(&mut self, offers: u32) {
        for _ in 0..offers {
            let frame = self.engine.pool().share(&self.template);
            self.engine.inject(self.now, NodeId(self.next * 2), frame);
            self.engine.advance(self.now, &mut Away);
            self.next = (self.next + 1) % self.links;
            self.now += self.gap;
        }
    }
}

/// A model set, the number of links, the bytes of a frame and the frames of a train.
type Case = (&'static str, u32, usize, usize);

fn measure(c: &mut Criterion, group: &str, mbit: u64, cases: &[Case]) {
    let mut group = c.benchmark_group(group);
    const OFFERS: u32 = 10_000;
    for &(set, links, bytes, frames) in cases {
        // made when it is its turn, so that a filter on the command line saves the others' time
        let mut bench = None;
        group.throughput(Throughput::Elements(u64::from(OFFERS) * frames as u64));
        let id = BenchmarkId::from_parameter(format!("{set}/{links} links/{bytes} B/trains of {frames}"));
        group.bench_function(id, |b| {
            let bench = bench.get_or_insert_with(|| Bench::new(set, mbit, links, bytes, frames));
            b.iter(|| bench.run(OFFERS));
        });
    }
    group.finish();
}

/// What is offered where the wire, which carries 10 Gbit/s, is to rest now and then.
const LIGHT: u64 = 8_000;
/// What keeps a queue full.
const HEAVY: u64 = 11_000;

fn models(c: &mut Criterion) {
    let sets = ["none", "delay", "delay+loss", "rate+fifo", "delay+loss+rate+fifo", "jitter+loss+rate+fifo"];
    measure(c, "models", LIGHT, &sets.map(|set| (set, 1, 1500, 1)));
}

fn links(c: &mut Criterion) {
    measure(c, "links", LIGHT, &[1, 10, 100, 1000, 10_000].map(|n| ("delay+loss+rate+fifo", n, 1500, 1)));
}

fn backlog(c: &mut Criterion) {
    measure(c, "backlog", HEAVY, &["delay+rate+fifo", "delay+loss+rate+fifo"].map(|set| (set, 1, 1500, 1)));
}

fn sizes(c: &mut Criterion) {
    measure(c, "sizes", LIGHT, &[64, 512, 1500, 9000].map(|bytes| ("delay+loss+rate+fifo", 1, bytes, 1)));
}

fn trains(c: &mut Criterion) {
    let cases =
        [("delay", 1), ("delay", 44), ("delay+loss", 44), ("delay+loss+rate+fifo", 2), ("delay+loss+rate+fifo", 44)];
    measure(c, "trains", LIGHT, &cases.map(|(set, frames)| (set, 1, 1500, frames)));
}

criterion_group!(benches, models, links, backlog, sizes, trains);
criterion_main!(benches);
