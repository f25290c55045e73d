//! Shows of small scenarios against what is known of them.

use std::path::Path;

use super::*;
use crate::draw::show::Runs;
use crate::language::files::MemoryFiles;
use crate::measured::Part;
use crate::scenario::{Overrides, load};

fn resolved(links: &str) -> Resolved {
    let text = format!("longwire: 1\nseed: 3\nnodes: {{ a: host, b: host, c: host }}\nlinks:\n{links}");
    let files = MemoryFiles::one("x.yaml", &text);
    load(Path::new("x.yaml"), &files, &Overrides::default())
        .unwrap_or_else(|(wrong, _)| panic!("{}", wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))
}

fn show_frames(links: &str, frames: u64) -> Show {
    show(&resolved(links), "x.yaml", &Options { frames, packet: None, links: Vec::new() }).unwrap()
}

#[test]
fn directions_of_which_the_same_is_asked_are_shown_once() {
    let all = show_frames(
        "  one: { ends: [a, b], delay: 5ms }
  two: { ends: [b, c], delay: 5ms, toward: { c: { loss: 1% } } }
  three: { ends: [c, a], delay: 6ms }
",
        100,
    );
    let names = |shown: &Shown| {
        let all = shown.alike.iter().map(|name| format!("{} {}>{}", name.link, name.from, name.to));
        [vec![format!("{} {}>{}", shown.met.link, shown.met.from, shown.met.to)], all.collect()].concat()
    };
    let all: Vec<Vec<String>> = all.directions.iter().map(names).collect();
    let expected = [
        vec!["one a.eth0>b.eth0", "one b.eth0>a.eth0", "two c.eth0>b.eth1"],
        vec!["two b.eth1>c.eth0"],
        vec!["three c.eth1>a.eth1", "three a.eth1>c.eth1"],
    ];
    assert_eq!(all, expected);
}

#[test]
fn links_can_be_picked_and_what_is_too_much_is_named() {
    let text: String = (0..30).map(|n| format!("  l{n}: {{ ends: [a, b], delay: {}ms }}\n", n + 1)).collect();
    let resolved = resolved(&text);
    let with = |links: &[&str]| {
        let links = links.iter().map(ToString::to_string).collect();
        show(&resolved, "x.yaml", &Options { frames: 10, packet: None, links })
    };
    let all = with(&[]).unwrap();
    assert_eq!((all.directions.len(), all.left_out.len()), (MOST, 2 * (30 - MOST)));
    assert_eq!((all.left_out[0].link.as_str(), all.left_out[0].from.as_str()), ("l20", "a.eth20"));
    let two = with(&["l29", "l1"]).unwrap();
    assert_eq!(two.directions.iter().map(|d| d.met.link.as_str()).collect::<Vec<_>>(), ["l1", "l29"]);
    assert!(two.left_out.is_empty());
    assert_eq!(with(&["l1", "l99x"]).unwrap_err().name, "l99x");
}

/// Draws as asked; order kept makes delays longer, never shorter, and the frames arrive in order.
#[test]
fn delays_are_told_as_drawn_and_as_order_is_kept() {
    let all = show_frames("  l: { ends: [a, b], delay: { mean: 20ms, jitter: 5ms } }\n", 5_000);
    let shown = &all.directions[0];
    let (drawn, kept) = (shown.drawn_ns.clone().unwrap(), shown.met.delay_ns.clone().unwrap());
    assert!(
        drawn.min() >= 15_000_000 && drawn.min() < 15_100_000 && drawn.max() > 24_900_000 && drawn.max() <= 25_000_000
    );
    // uniform: the 90th percentile is 24 ms
    assert!((drawn.get(Part::P90).unwrap() as f64 / 24e6 - 1.0).abs() < 0.01, "{drawn:?}");
    assert!(
        kept.min() >= drawn.min() && kept.get(Part::P50) > drawn.get(Part::P50) && kept.max() <= 25_000_000,
        "{kept:?}"
    );
    assert_eq!((shown.met.reordered, shown.met.delivered.frames), (0, 5_000));
    let histogram = shown.delay_histogram.as_ref().unwrap();
    assert_eq!((histogram.drawn.total(), histogram.delivered.total()), (5_000, 5_000));
    // order free: what is drawn is what is delivered
    let free = show_frames("  l: { ends: [a, b], delay: { mean: 20ms, jitter: 5ms, order: free } }\n", 5_000);
    let shown = &free.directions[0];
    assert_eq!((&shown.drawn_ns, &shown.drawn_ns), (&shown.met.delay_ns, &Some(drawn)));
    assert!(shown.met.reordered > 1_000);
}

#[test]
fn loss_stands_beside_what_was_asked() {
    let all = show_frames("  l: { ends: [a, b], loss: 5% }\n", 20_000);
    let Lost { asked, share, bounds: [low, high], runs } = all.directions[0].lost.clone();
    assert_eq!(asked, Some(0.05));
    let lost: u64 = runs.iter().map(|Runs { length, count }| length * count).sum();
    assert_eq!((lost, share), (all.directions[0].met.dropped["loss"], lost as f64 / 20_000.0));
    assert!(low < 0.05 && 0.05 < high && high - low < 0.01, "{low} {high}");
    // independent losses: a run goes on with 5 %
    let runs_of = |length: u64| runs.iter().find(|r| r.length == length).map_or(0, |r| r.count) as f64;
    let expected = lost as f64 * 0.95 * 0.05 * 0.95;
    assert!((runs_of(2) - expected).abs() < 4.0 * expected.sqrt(), "{} of {expected}", runs_of(2));
}

#[test]
fn the_rate_over_time_is_the_wires_and_bounds_of_the_mtu_are_kept() {
    let all = show_frames(
        "  l: { ends: [a, b], rate: 8Mbit, delay: 300ms, mtu: 1300, toward: { b: { loss: 10% } } }\n",
        2_000,
    );
    let [lossy, plain] = &all.directions[..] else { panic!("two directions") };
    assert_eq!(plain.traffic.frame_bytes, 1_314);
    assert!(plain.rate.greedy && plain.rate.bps.len() > 50);
    assert!(plain.rate.bps.iter().all(|bps| bps.abs_diff(8_000_000) < 400_000), "{:?}", plain.rate.bps);
    assert!(plain.rate.mean_bps.abs_diff(8_000_000) < 10_000);
    // what is lost has used the wire
    assert!(lossy.rate.mean_bps.abs_diff(7_200_000) < 300_000, "{}", lossy.rate.mean_bps);
    assert_eq!(lossy.traffic, plain.traffic);
    assert!(plain.met.dropped.is_empty(), "at 80 % nothing drops: {:?}", plain.met.dropped);
    assert_eq!(plain.drawn_ns.as_ref().unwrap().max(), 300_000_000);
    // 1,314 bytes at 8 Mbit/s
    assert_eq!(plain.met.delay_ns.as_ref().unwrap().max(), 301_314_000);
}

#[test]
fn packets_over_the_mtu_are_dropped_and_told() {
    let resolved = resolved("  l: { ends: [a, b], mtu: 1400, delay: 1ms }\n");
    let options = Options { frames: 50, packet: Some(1_401), links: Vec::new() };
    let all = show(&resolved, "x.yaml", &options).unwrap();
    let shown = &all.directions[0];
    assert_eq!((shown.met.dropped["mtu"], &shown.met.delay_ns, &shown.delay_histogram), (50, &None, &None));
    assert_eq!(shown.lost.runs, [Runs { length: 50, count: 1 }]);
    assert_eq!(shown.lost.share, 0.0, "the loss model took none of them");
}

#[test]
fn the_same_seed_shows_the_same_and_one_frame_is_enough() {
    let link = "  l: { ends: [a, b], delay: { mean: 20ms, jitter: 5ms }, loss: 20%, rate: 5Mbit, corrupt: 5%, duplicate: 5%, reorder: 10% }\n";
    let json = |frames| serde_json::to_string(&show_frames(link, frames)).unwrap();
    assert_eq!(json(1_000), json(1_000));
    for frames in [1, 2, 3] {
        assert!(json(frames).contains("\"rate\""));
    }
}

/// Draws belong to link, way, model and number: the frames that a show loses are those that a run loses.
#[test]
fn what_is_shown_is_what_the_engine_does_in_the_whole_plan() {
    let resolved = resolved("  x: { ends: [b, c] }\n  l: { ends: [a, b], loss: 30% }\n");
    let options = Options { frames: 200, packet: None, links: vec!["l".into()] };
    let shown = show(&resolved, "x.yaml", &options).unwrap().directions[0].lost.runs.clone();
    let mut engine = crate::engine::Engine::new(&resolved.plan);
    let mut seen = offer::Seen::default();
    let port = resolved.plan.nodes.iter().position(|node| node.name == "a.eth0").unwrap();
    for n in 0..200u64 {
        let at = crate::units::Instant::from_nanos(n * 1_000);
        let frame = engine.pool().store(&[0; 100]).unwrap();
        engine.inject(at, crate::engine::NodeId(port as u32), frame);
        engine.advance(at, &mut seen);
    }
    let mut numbers: Vec<u64> = seen.dropped.iter().map(|(number, _)| *number).collect();
    assert_eq!(shown, statistics::runs(&mut numbers));
    assert!(!shown.is_empty());
}
