//! FQ-CoDel: shares of flows, priority of sparse ones, limits, and that nothing is lost between the flows.

use super::*;
use crate::frame::Cut;
use crate::queue::testing::{Out, frame, key, ms, udp};
use crate::wire::ipv4::Ecn;
use proptest::prelude::*;

struct Bench {
    pool: FramePool,
    out: Out,
    queue: FqCodel,
    next: u64,
}

impl Bench {
    fn new(spec: FqCodelSpec) -> Bench {
        Bench { pool: FramePool::default(), out: Out::default(), queue: FqCodel::new(spec, key()), next: 0 }
    }

    fn offer(&mut self, flow: u16, len: usize, at: Instant) -> u64 {
        let frame = frame(&mut self.pool, &udp(flow, 0, len), self.next, at);
        self.queue.offer(frame, &mut self.pool, &mut self.out);
        self.next += 1;
        self.next - 1
    }

    /// The flow (its port) and bytes of what leaves at `now`.
    fn take(&mut self, now: Instant) -> Option<(u16, u64)> {
        let frame = self.queue.take(now, &mut self.pool, &mut self.out)?;
        let head = self.pool.view(&frame).head;
        let taken = (u16::from_be_bytes([head[34], head[35]]), self.pool.bytes(&frame));
        self.pool.release(frame);
        Some(taken)
    }
}

/// Ports whose flows have a queue each.
fn ports(n: usize) -> Vec<u16> {
    let mut bench = Bench::new(FqCodelSpec::default());
    let mut places = Vec::new();
    let mut ports = Vec::new();
    for port in 1000.. {
        let frame = frame(&mut bench.pool, &udp(port, 0, 100), 0, Instant::ZERO);
        let flow = bench.queue.flow_of(&frame, &bench.pool);
        if !places.contains(&flow) {
            places.push(flow);
            ports.push(port);
        }
        if ports.len() == n {
            return ports;
        }
    }
    unreachable!()
}

#[test]
fn busy_flows_share_bytes_whatever_the_size_of_their_frames() {
    for quantum in [300, 1514, 9000] {
        let spec = FqCodelSpec { quantum: ByteSize::from_bytes(quantum), ..FqCodelSpec::default() };
        let mut bench = Bench::new(spec);
        let flows = ports(3);
        let sizes = [1514, 700, 100];
        let mut sent = [0u64; 3];
        for _ in 0..20_000 {
            for (flow, len) in flows.iter().zip(sizes) {
                // always busy
                while bytes_of(&bench, *flow) < 20_000 {
                    bench.offer(*flow, len, Instant::ZERO);
                }
            }
            let (flow, bytes) = bench.take(Instant::ZERO).unwrap();
            sent[flows.iter().position(|f| *f == flow).unwrap()] += bytes;
            // deficits bound how far apart they ever are: a quantum and a frame each
            let (most, least) = (*sent.iter().max().unwrap(), *sent.iter().min().unwrap());
            assert!(most - least <= 2 * (quantum + 1514), "{sent:?} with a quantum of {quantum}");
        }
    }
}

fn bytes_of(bench: &Bench, port: u16) -> u64 {
    let key = FlowKey::of(&udp(port, 0, 100), 100);
    let hash = xxh3_64_with_seed(key.bytes(), bench.queue.hash_seed);
    let place = ((u128::from(hash) * 1024) >> 64) as usize;
    match bench.queue.of_hash.get(place) {
        Some(index) if *index != NONE => bench.queue.flows[*index as usize].backlog.bytes(),
        _ => 0,
    }
}

#[test]
fn a_sparse_flow_goes_before_busy_ones_and_a_greedy_one_does_not() {
    let mut bench = Bench::new(FqCodelSpec::default());
    let flows = ports(2);
    for _ in 0..50 {
        bench.offer(flows[0], 1514, Instant::ZERO);
    }
    // the bulk flow uses up its first quantum and becomes an old one
    assert_eq!(bench.take(Instant::ZERO), Some((flows[0], 1514)));
    assert_eq!(bench.take(Instant::ZERO), Some((flows[0], 1514)));
    for _ in 0..10 {
        bench.offer(flows[1], 100, Instant::ZERO);
        assert_eq!(bench.take(Instant::ZERO), Some((flows[1], 100)), "a frame of a flow that is new leaves first");
        // it is behind the bulk flow until that had its turn: coming and going does not starve others
        assert_eq!(bench.take(Instant::ZERO), Some((flows[0], 1514)));
        assert_eq!(bench.take(Instant::ZERO), Some((flows[0], 1514)));
    }
    // more than a quantum at once is sparse no longer
    for _ in 0..40 {
        bench.offer(flows[1], 1000, Instant::ZERO);
    }
    let leave: Vec<u16> = (0..8).map(|_| bench.take(Instant::ZERO).unwrap().0).collect();
    assert_eq!(leave[..2], [flows[1], flows[1]], "its first quantum");
    assert!(leave[2..].contains(&flows[0]), "{leave:?}");
}

#[test]
fn each_flow_has_its_own_law() {
    let mut bench = Bench::new(FqCodelSpec::default());
    let flows = ports(2);
    // one flow stands for long, the other comes as it leaves
    let mut most = 0;
    for t in 0..1000 {
        while bytes_of(&bench, flows[0]) < 50_000 {
            bench.offer(flows[0], 1000, ms(t));
        }
        let number = bench.offer(flows[1], 1000, ms(t));
        for _ in 0..3 {
            bench.take(ms(t)).unwrap();
        }
        most = most.max(bytes_of(&bench, flows[1]));
        assert!(bench.out.dropped.iter().all(|(n, _)| *n != number), "the flow that does not stand is never told");
    }
    assert!(bench.out.count(DropCause::Aqm) > 5, "the one that stands is");
    assert!(most <= 2000, "the sparse flow hardly waits: {most}");
}

#[test]
fn beyond_a_limit_the_fattest_flow_loses_from_its_head() {
    for spec in [
        FqCodelSpec { limit: 200, ..FqCodelSpec::default() },
        FqCodelSpec { memory: ByteSize::from_bytes(200_000), ..FqCodelSpec::default() },
    ] {
        let mut bench = Bench::new(spec);
        let flows = ports(2);
        for _ in 0..10 {
            bench.offer(flows[1], 1000, Instant::ZERO);
        }
        for _ in 0..190 {
            bench.offer(flows[0], 1000, Instant::ZERO);
        }
        assert!(bench.out.dropped.is_empty());
        bench.offer(flows[1], 1000, Instant::ZERO);
        // half of 190 are more than the batch of 64
        let expected: Vec<_> = (10..74).map(|n| (n, DropCause::QueueFull)).collect();
        assert_eq!(bench.out.dropped, expected);
        assert_eq!((bench.queue.frames(), bytes_of(&bench, flows[1])), (201 - 64, 11_000));
    }
    let mut tiny = Bench::new(FqCodelSpec { limit: 0, ..FqCodelSpec::default() });
    tiny.offer(1, 100, Instant::ZERO);
    assert_eq!((tiny.queue.frames(), tiny.out.count(DropCause::QueueFull), tiny.pool.live()), (0, 1, 0));
    assert_eq!(tiny.take(ms(1)), None);
}

#[test]
fn state_of_a_flow_is_made_once_and_used_again() {
    let mut bench = Bench::new(FqCodelSpec { flows: 16, ..FqCodelSpec::default() });
    assert!(bench.queue.of_hash.is_empty() && bench.queue.flows.is_empty(), "nothing before the first frame");
    for port in 0..2000 {
        bench.offer(port, 100, Instant::ZERO);
        if port % 3 == 0 {
            while bench.take(Instant::ZERO).is_some() {}
        }
    }
    assert!(bench.queue.flows.len() <= 16);
    assert!(bench.queue.new.len() + bench.queue.old.len() <= 16, "a flow stands in one list, once");
    while bench.take(Instant::ZERO).is_some() {}
    assert_eq!((bench.queue.frames(), bench.queue.bytes, bench.pool.live()), (0, 0, 0));
    assert!(bench.queue.flows.iter().all(|flow| !flow.listed));
}

#[test]
fn flows_are_told_by_the_five_tuple() {
    let of = |bytes: &[u8]| FlowKey::of(bytes, bytes.len()).bytes().to_vec();
    assert_eq!(of(&udp(1, 0, 100)), of(&udp(1, Ecn::Ce as u8, 1400)), "length and marks do not matter");
    assert_ne!(of(&udp(1, 0, 100)), of(&udp(2, 0, 100)));
    let mut other = udp(1, 0, 100);
    other[29] = 9;
    assert_ne!(of(&other), of(&udp(1, 0, 100)));
    // fragments of a packet are of one flow: the later ones have no ports
    let (mut first, mut later) = (udp(1, 0, 100), udp(7, 0, 100));
    first[20..22].copy_from_slice(&0x2000u16.to_be_bytes());
    later[20..22].copy_from_slice(&10u16.to_be_bytes());
    assert_eq!(of(&first), of(&later));
    // what is not IP goes by its addresses
    let arp = |last: u8| [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, last, 8, 6][..], &[0; 28]].concat();
    assert_ne!(of(&arp(1)), of(&arp(2)));
    assert_eq!(of(&[]), of(&[]));
}

#[test]
fn the_hash_spreads_flows_evenly_and_depends_on_the_seed() {
    let mut bench = Bench::new(FqCodelSpec { flows: 64, ..FqCodelSpec::default() });
    let mut hits = [0f64; 64];
    for port in 0..64_000u32 {
        let frame = frame(&mut bench.pool, &udp(port as u16, (port >> 16) as u8 * 4, 60), 0, Instant::ZERO);
        hits[bench.queue.flow_of(&frame, &bench.pool) as usize] += 1.0;
        bench.pool.release(frame);
    }
    // 63 degrees of freedom: 103.4 at α = 0.001
    let chi2: f64 = hits.iter().map(|h| (h - 1000.0).powi(2) / 1000.0).sum();
    assert!(chi2 < 103.4, "χ² {chi2}");
    let other = FqCodel::new(FqCodelSpec::default(), StreamKey::new(2, "link", crate::rng::Way::Forward, "queue"));
    assert_ne!(other.hash_seed, bench.queue.hash_seed);
}

proptest! {
    #[test]
    fn frames_are_conserved_and_keep_their_order_within_a_flow(
        steps in prop::collection::vec((0u16..6, 60usize..1500, 1usize..4, any::<bool>()), 1..200),
        limit in 1u32..60,
        interval in 2u64..20,
    ) {
        let spec = FqCodelSpec {
            limit,
            target: Duration::from_millis(1),
            interval: Duration::from_millis(interval),
            ..FqCodelSpec::default()
        };
        let mut bench = Bench::new(spec);
        let (mut offered, mut taken) = (0u64, Vec::new());
        for (t, (flow, len, count, take)) in steps.iter().enumerate() {
            let mut bytes = udp(*flow, 0, 42 + (len - 42) * count);
            bytes.truncate(42 + (len - 42) * count);
            let cut = Cut { header: 42, segment: (len - 42) as u16 };
            let mut train = bench.pool.store_train(&bytes, cut).unwrap();
            (train.number, train.offered) = (offered, ms(t as u64));
            offered += train.count();
            bench.queue.offer(train, &mut bench.pool, &mut bench.out);
            prop_assert!(bench.queue.frames() <= u64::from(limit));
            if *take && let Some(frame) = bench.queue.take(ms(t as u64), &mut bench.pool, &mut bench.out) {
                let head = bench.pool.view(&frame).head;
                taken.push((u16::from_be_bytes([head[34], head[35]]), frame.number()));
                bench.pool.release(frame);
            }
            let of_flows: u64 = bench.queue.flows.iter().map(|f| f.backlog.frames()).sum();
            prop_assert_eq!(of_flows, bench.queue.frames());
            prop_assert_eq!(bench.queue.flows.iter().map(|f| f.backlog.bytes()).sum::<u64>(), bench.queue.bytes);
            prop_assert_eq!(offered, taken.len() as u64 + bench.out.dropped.len() as u64 + bench.queue.frames());
        }
        for flow in 0..6 {
            let numbers: Vec<_> = taken.iter().filter(|(f, _)| *f == flow).map(|(_, n)| *n).collect();
            prop_assert!(numbers.is_sorted(), "{:?}", numbers);
        }
        let mut last = None;
        while let Some(frame) = bench.queue.pop_oldest(&mut bench.pool) {
            prop_assert!(last < Some(frame.number()), "in the order in which they came");
            last = Some(frame.number());
            bench.pool.release(frame);
        }
        prop_assert_eq!((bench.queue.frames(), bench.queue.bytes, bench.pool.live()), (0, 0, 0));
    }
}
