//! The same scenario and seed give the same fates in virtual time, and something new beside a link changes none of its own.

use std::path::Path;

use longwire::engine::{Engine, Fate, FateKind, FrameSink, NodeId, Place};
use longwire::frame::FrameView;
use longwire::language::files::MemoryFiles;
use longwire::report::event_log;
use longwire::report::event_log::{Entry, Names};
use longwire::scenario::{Overrides, load};
use longwire::tasks::resolved::Resolved;
use longwire::units::Instant;

const SCENARIO: &str = "\
longwire: 1
seed: 7
params: { loss: 5% }
nodes: { a: host, b: host, c: host, sw: switch }
links:
  wifi:  { ends: [a, sw], loss: $loss, delay: { mean: 5ms, jitter: 2ms, distribution: normal }, rate: 2Mbit, queue: { fifo: { packets: 5 } } }
  lan:   { ends: [b, sw], delay: 1ms, loss: 1% }
  other: { ends: [c, sw], delay: 1ms }
";

fn resolve(text: &str, overrides: &Overrides) -> Resolved {
    load(Path::new("test.yaml"), &MemoryFiles::one("test.yaml", text), overrides)
        .unwrap_or_else(|(wrong, _)| panic!("{:#?}", wrong.iter().map(ToString::to_string).collect::<Vec<_>>()))
}

/// The event log as a run writes it, and when what was delivered.
#[derive(Default)]
struct Log {
    entries: Vec<Entry>,
    delivered: Vec<(NodeId, u64, usize)>,
    /// Of each direction: number and fate of its frames, in order.
    fates: Vec<(Place, u64, u64, FateKind)>,
}

impl FrameSink for Log {
    fn deliver(&mut self, port: NodeId, frame: FrameView<'_>, at: Instant) {
        self.delivered.push((port, at.as_nanos(), frame.total()));
    }
    fn fate(&mut self, fate: Fate<'_>) {
        self.entries.extend(Entry::of(&fate));
        self.fates.push((fate.place, fate.number, fate.at.as_nanos(), fate.kind));
    }
}

impl Log {
    fn text(&self, resolved: &Resolved) -> String {
        let directions = resolved.links.iter().flat_map(|link| {
            let [a, b] = link.ends.clone();
            [[link.name.clone(), a.clone(), b.clone()], [link.name.clone(), b, a]]
        });
        let nodes = resolved.plan.nodes.iter().map(|node| node.name.clone()).collect();
        let names = Names { directions: directions.collect(), nodes, zero: Instant::ZERO };
        let mut text = Vec::new();
        for entry in &self.entries {
            event_log::write(entry, &names, &mut text).expect("written to memory");
        }
        String::from_utf8(text).expect("text")
    }

    /// What happened in the directions of a link, by its position.
    fn of_link(&self, resolved: &Resolved, name: &str) -> Vec<(u32, u64, u64, FateKind)> {
        let link = resolved.plan.links.iter().position(|link| link.name == name).expect("a link of the plan") as u32;
        let own = self.fates.iter().filter_map(|(place, number, at, kind)| match place {
            Place::Direction(id) if id.link().0 == link => Some((id.0 - link * 2, *number, *at, *kind)),
            _ => None,
        });
        own.collect()
    }
}

/// The same 3,000 broadcast frames from `a` and `b` in turns, one each half millisecond, from 60 to 1,514 bytes.
fn run(resolved: &Resolved) -> Log {
    let mut engine = Engine::new(&resolved.plan);
    let port = |host: &str| {
        let found = resolved.ports.iter().find(|port| resolved.network.hosts[port.host].name == host);
        NodeId(found.expect("a port of this host").node as u32)
    };
    let senders = [port("a"), port("b")];
    let mut log = Log::default();
    for n in 0..3_000_u64 {
        let sender = (n % 2) as usize;
        let mut bytes = vec![n as u8; 60 + (n * 7919 % 1455) as usize];
        bytes[..6].fill(0xff);
        bytes[6..12].copy_from_slice(&[2, 0, 0, 0, 0, sender as u8]);
        let frame = engine.pool().store(&bytes).expect("a frame");
        let at = Instant::from_nanos(n * 500_000);
        engine.inject(at, senders[sender], frame);
        engine.advance(at, &mut log);
    }
    engine.advance(Instant::from_nanos(100_000_000_000), &mut log);
    log
}

#[test]
fn the_same_scenario_gives_the_same_log() {
    let resolved = resolve(SCENARIO, &Overrides::default());
    let (one, two) = (run(&resolved), run(&resolved));
    let text = one.text(&resolved);
    assert_eq!(text, two.text(&resolved));
    assert_eq!(one.delivered, two.delivered);
    assert!(text.contains("\"cause\":\"loss\"") && text.contains("\"cause\":\"queue_full\""));
    // and another seed, another one
    let other = resolve(SCENARIO, &Overrides { seed: Some(8), ..Overrides::default() });
    assert_ne!(run(&other).text(&other), text);
}

#[test]
fn another_link_changes_no_fate_of_the_first() {
    let plain = resolve(SCENARIO, &Overrides::default());
    // ahead of all others in the file, and with draws of its own
    let more = SCENARIO
        .replace("nodes: {", "nodes: { d: host, ")
        .replace("links:\n", "links:\n  new: { ends: [d, sw], loss: 50%, delay: { mean: 1ms, jitter: 1ms } }\n");
    let more = resolve(&more, &Overrides::default());
    let (before, after) = (run(&plain), run(&more));
    for link in ["wifi", "lan", "other"] {
        let fates = before.of_link(&plain, link);
        assert!(fates.len() > 1_500, "{link}: {}", fates.len());
        assert_eq!(fates, after.of_link(&more, link), "{link}");
    }
    let new = after.of_link(&more, "new");
    assert!(new.iter().any(|(_, _, _, kind)| matches!(kind, FateKind::Dropped(_))));
}

#[test]
fn a_loss_rate_turned_up_loses_what_was_lost_before_and_more() {
    let with = |loss: &str| {
        let params = vec![("loss".into(), loss.into())];
        let resolved = resolve(SCENARIO, &Overrides { params, ..Overrides::default() });
        let log = run(&resolved);
        let fates = log.of_link(&resolved, "wifi").into_iter().filter(|(way, ..)| *way == 0);
        let lost: Vec<u64> = fates
            .filter(|(.., kind)| matches!(kind, FateKind::Dropped(cause) if cause.name() == "loss"))
            .map(|(_, number, ..)| number)
            .collect();
        (lost, log.of_link(&resolved, "lan"))
    };
    let ((few, lan_few), (many, _)) = (with("1%"), with("20%"));
    assert!(!few.is_empty() && many.len() > few.len() * 5, "{} {}", few.len(), many.len());
    assert!(few.iter().all(|number| many.contains(number)), "{few:?}");
    // what `b` sends meets the same fates, whatever `wifi` does
    let (none, lan_none) = with("0%");
    assert!(none.is_empty());
    let sent =
        |fates: Vec<(u32, u64, u64, FateKind)>| fates.into_iter().filter(|(way, ..)| *way == 0).collect::<Vec<_>>();
    assert_eq!(sent(lan_few), sent(lan_none));
}
