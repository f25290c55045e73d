//! Steps that repeat, last, or undo: what they come to.

use std::path::Path;

use super::{Action, Happening, Phase, Step};
use crate::engine::{Command, LinkId, NodeId};
use crate::language::files::MemoryFiles;
use crate::model::RateSpec;
use crate::scenario::{Overrides, listing, load};
use crate::tasks::resolved::Resolved;
use crate::tasks::set::LiveLinks;

const NETWORK: &str = "longwire: 1\nduration: 20s\nnodes:\n  a: host\n  b: host\n  vm: { external: { tap: t0 } }\n  r: router\n\
    links:\n  l: { ends: [a, r], rate: 10Mbit, loss: 1%, delay: { mean: 10ms, jitter: 2ms } }\n  m: { ends: [r, b], mtu: 1400 }\n  \
    n: { ends: [vm, r] }\nworkloads:\n  w: { in: a, shell: x }\n";

fn try_load(steps: &str) -> Result<Resolved, Vec<String>> {
    let files = MemoryFiles::one("t.yaml", &format!("{NETWORK}timeline:\n{steps}"));
    load(Path::new("t.yaml"), &files, &Overrides::default())
        .map_err(|(told, _)| told.iter().map(ToString::to_string).collect())
}

fn good(steps: &str) -> Resolved {
    try_load(steps).unwrap_or_else(|told| panic!("{told:#?}"))
}

fn told(steps: &str) -> Vec<String> {
    try_load(steps)
        .expect_err("mistakes")
        .iter()
        .map(|told| told.split_once(": ").map_or(told.as_str(), |(_, rest)| rest).to_owned())
        .collect()
}

/// When, in ms, and what.
fn words(resolved: &Resolved) -> Vec<(u64, String)> {
    let words = |step: &Step| step.actions.iter().flat_map(Action::words).collect::<Vec<_>>().join(" ");
    resolved.timeline.iter().map(|step| (step.at.as_nanos() / 1_000_000, words(step))).collect()
}

/// What the engine is told, step by step.
fn commands(resolved: &Resolved) -> Vec<Vec<Command>> {
    let mut links = LiveLinks::new(resolved);
    resolved.timeline.iter().map(|step| step.commands(&mut links, &MemoryFiles::default()).unwrap()).collect()
}

fn at(list: &[(u64, &str)]) -> Vec<(u64, String)> {
    list.iter().map(|(ms, what)| (*ms, (*what).to_owned())).collect()
}

#[test]
fn a_step_is_repeated_up_to_its_end_or_the_runs() {
    let every = |rest: &str| words(&good(&format!("- {{ every: 6s, {rest}, down: l }}\n")));
    let down = |times: &[u64]| times.iter().map(|ms| (*ms, "l=down".to_owned())).collect::<Vec<_>>();
    assert_eq!(words(&good("- { every: 6s, down: l }\n")), down(&[6_000, 12_000, 18_000]));
    assert_eq!(every("from: 2s"), down(&[2_000, 8_000, 14_000]), "nothing happens when the run is over");
    assert_eq!(every("from: 2s, to: 8s"), down(&[2_000, 8_000]));
    assert_eq!(every("from: 1s, times: 2"), down(&[1_000, 7_000]));
    let after = good("- { every: 1s, from: w.started, times: 2, down: l }\n").timeline;
    assert_eq!(after[1].after, Some(Happening::of("w", Phase::Started)));
    assert_eq!((after[0].when(), after[1].when()), ("w.started".to_owned(), "w.started + 1s".to_owned()));
}

#[test]
fn a_link_flaps_so_often_or_as_often_as_fits() {
    let flap = |rest: &str| words(&good(&format!("- {{ {rest} }}\n")));
    let twice = at(&[(1_000, "l=down"), (1_500, "l=up"), (3_000, "l=down"), (3_500, "l=up")]);
    assert_eq!(flap("at: 1s, flap: { link: l, every: 2s, for: 500ms, times: 2 }"), twice);
    assert_eq!(flap("from: 1s, to: 3500ms, flap: { link: [l], every: 2s, for: 500ms }"), twice);
    assert_eq!(flap("from: 1s, to: 3499ms, flap: { link: l, every: 2s, for: 500ms }"), twice[..2]);
    let half = flap("at: 1s, mark: bad, flap: { link: l, every: 2s, times: 1, carrier: off }");
    assert_eq!(half, at(&[(1_000, "mark bad"), (1_000, "l=no-carrier"), (2_000, "l=up")]));
}

#[test]
fn a_ramp_begins_where_the_link_is_and_ends_where_it_should() {
    let resolved = good(
        "- { from: 1s, to: 2s, mark: begin, ramp: { l: { rate: 1Mbit, toward: { a: { loss: 3% } } } }, steps: 4 }\n\
         - { at: begin, set: { l: { rate: 5Mbit } } }\n",
    );
    assert_eq!(
        words(&resolved),
        at(&[
            (1_000, "ramp to l.rate=1Mbit, l.toward.a.loss=3% in 1s, 4 steps mark begin"),
            (1_000, "l.rate=5Mbit"),
            (1_250, ""),
            (1_500, ""),
            (1_750, ""),
            (2_000, "l.rate=1Mbit l.toward.a.loss=3%"),
        ])
    );
    let steps = commands(&resolved);
    assert_eq!(steps[0], [], "it begins with what is");
    let rates = |step: &[Command]| -> Vec<u64> {
        let rate = |command: &Command| match command {
            Command::Set(_, change) => match change.rate {
                Some(RateSpec::Constant(rate)) => rate.as_bps() / 1_000,
                _ => panic!("{command:?}"),
            },
            _ => panic!("{command:?}"),
        };
        step.iter().map(rate).collect()
    };
    // from 10 Mbit/s, whatever was set after its beginning
    assert_eq!(
        steps[2..].iter().map(|step| rates(step)).collect::<Vec<_>>(),
        [[7_750; 2], [5_500; 2], [3_250; 2], [1_000; 2]]
    );
    let Command::Set(direction, change) = &steps[2][1] else { panic!("{:?}", steps[2]) };
    let loss = change.loss.as_ref().map(|loss| serde_json::to_value(loss).unwrap().to_string());
    assert_eq!(
        (direction.0, loss.unwrap().contains("1.5%")),
        (1, true),
        "toward `a`, the first end, frames go backward"
    );
    let shown = listing(&resolved);
    assert!(shown.contains("1s: ramp to l.rate=1Mbit, l.toward.a.loss=3% in 1s, 4 steps, mark begin\n"), "{shown}");
    assert!(!shown.contains("1250ms") && !shown.contains("1.25s"), "{shown}");
    let usual = good("- { from: 1s, to: 11s, ramp: { l: { delay: 50ms } } }\n");
    assert_eq!(usual.timeline.len(), 101);
    let (five, ten) = (good("- { from: 1s, to: 1050ms, ramp: { l: { rtt: 50ms } } }\n"), 6);
    assert_eq!(five.timeline.len(), ten);
}

#[test]
fn a_profile_takes_the_place_of_all_but_the_mtu_and_reset_brings_the_file_back() {
    let resolved = good(
        "- { at: 1s, set: { l: { profile: lte, user: a, loss: 5% }, m: { profile: wifi-good } } }\n\
         - { at: 2s, reset: [l, m] }\n- { at: 3s, reset: l }\n",
    );
    let mut links = LiveLinks::new(&resolved);
    let before = links.clone();
    let spec = |links: &LiveLinks, at: u32| links.direction(crate::engine::DirectionId(at)).unwrap().clone();
    let first = resolved.timeline[0].commands(&mut links, &MemoryFiles::default()).unwrap();
    assert_eq!(first.len(), 4);
    let by_name =
        "longwire: 1\nnodes: { a: host, r: router }\nlinks: { l: { ends: [a, r], profile: lte, user: a, loss: 5% } }\n";
    let by_name = load(Path::new("t"), &MemoryFiles::one("t", by_name), &Overrides::default()).unwrap();
    assert_eq!([spec(&links, 0), spec(&links, 1)], by_name.plan.links[0].directions);
    assert_eq!(spec(&links, 2).mtu, Some(1400), "the wire's, not the way's");
    assert_eq!(words(&resolved)[0].1, "l.profile=lte l.loss=5% m.profile=wifi-good");
    let back = resolved.timeline[1].commands(&mut links, &MemoryFiles::default()).unwrap();
    assert_eq!(back.len(), 4);
    for at in 0..4 {
        assert_eq!(spec(&links, at), spec(&before, at));
    }
    assert_eq!(resolved.timeline[2].commands(&mut links, &MemoryFiles::default()).unwrap(), []);
}

#[test]
fn nodes_and_links_go_down_with_or_without_their_carrier() {
    let resolved = good(
        "- { at: 1s, down: [r, m] }\n- { at: 2s, up: [r, m] }\n- { at: 3s, down: { links: l, nodes: [vm], carrier: off } }\n\
         - { at: 4s, up: [l, vm] }\n- { at: 5s, down: { links: [l], carrier: on } }\n",
    );
    let port = |name: &str| {
        let at = resolved.plan.nodes.iter().position(|node| node.name.split('.').next() == Some(name)).unwrap();
        NodeId(at as u32)
    };
    let (a, vm, r) = (port("a"), port("vm"), port("r"));
    assert_eq!(
        commands(&resolved),
        [
            vec![Command::NodeDown(r), Command::Down(LinkId(1))],
            vec![Command::NodeUp(r), Command::Up(LinkId(1))],
            vec![
                Command::Down(LinkId(0)),
                Command::Carrier(a, false),
                Command::NodeDown(vm),
                Command::Carrier(vm, false)
            ],
            vec![Command::Up(LinkId(0)), Command::Carrier(a, true), Command::NodeUp(vm), Command::Carrier(vm, true)],
            vec![Command::Down(LinkId(0))],
        ]
    );
}

#[test]
fn programs_have_names_of_their_own() {
    let resolved = good(
        "- { every: 5s, times: 2, run: { in: b, shell: x } }\n- { at: 1s, run: { name: boot, in: a, command: [y], exit: 3 } }\n",
    );
    assert_eq!(
        words(&resolved),
        at(&[(1_000, "run boot in a"), (5_000, "run program in b"), (10_000, "run program-2 in b")])
    );
    let numbers = resolved.timeline.iter().map(|step| match &step.actions[0] {
        Action::Run(run) => run.number,
        other => panic!("{other:?}"),
    });
    assert_eq!(numbers.collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn mistakes_say_what_to_write() {
    let told = told(
        "\
- { at: 1s, every: 2s, down: l }
- { every: 2s, mark: often, down: l }
- { every: 0s, down: l }
- { from: 1s, to: 2s, down: l }
- { every: 30s, down: l }
- { at: 1s, times: 3, down: l }
- { at: 1s, flap: { link: l, every: 1s } }
- { at: 1s, flap: { link: l, every: 1s, for: 1s, times: 2 } }
- { at: 1s, ramp: { l: { rate: 1Mbit } } }
- { from: 3s, to: 2s, ramp: { l: { rate: 1Mbit } } }
- { from: 1s, to: 21s, ramp: { l: { rate: 1Mbit } } }
- { from: 1s, to: 2s, ramp: { l: { queue: codel } } }
- { from: 1s, to: w.ended, ramp: { l: { loss: 2% } } }
- { from: 1s, to: 2s, steps: 0, ramp: { l: { loss: 2% } }, up: m }
- { at: x.started, down: l }
- { at: 1s, heal: yes }
- { at: 1s, partition: [[a, b]] }
- { at: 1s, partition: [[a], [r]] }
- { at: 1s, block: [a b, a -> c] }
- { at: 1s, down: { links: l, carrier: of } }
- { at: 1s, reset: [r] }
- { at: 1s, run: { in: vm, shell: x } }
- { at: 1s, run: { in: a } }
- { at: 1s, set: { l: { profile: lte }, m: { profile: lt }, n: { user: vm } } }
",
    );
    let parts = [
        "`at` does not go with this step (write `from`, and `to`)",
        "`mark` does not go with this step (a mark names one instant: put it into a step of its own)",
        "`every` is 0: it would never end (as in `every: 2s`)",
        "`from` does not go with this step",
        "`to` does not go with this step",
        "it never happens (let `to` be later than `from`, and `times` not 0)",
        "`times` does not go with this step",
        "nothing says how often it flaps, or it never does",
        "`for` is not between 0 and `every`",
        "`at` does not go",
        "it does not say from when to when it goes over",
        "it ends before it begins",
        "at 21s the run is over: its duration is 20s",
        "`queue` cannot go over gradually (rate, delay, rtt, loss can; set others at one instant, with `set`)",
        "`from` is counted from t = 0, and `to` is not",
        "`up` cannot stand beside `ramp` (make two steps of it)",
        "0 steps are out of range: 1 to 10000",
        "unknown workload `x`",
        "`yes` is not what `heal` takes (write `heal: all`)",
        "a partition has two sides or more, not 1",
        "`r` is no host: only hosts send and receive",
        "`a b` does not say from which host to which",
        "unknown host `c`",
        "expected `off` or `on`, found",
        "unknown link `r`",
        "`vm` is an external machine: longwire cannot run programs in it",
        "`program` says nothing to run",
        "the profile `lte` is faster one way than the other (say which end downloads, as in `user: a`)",
        "unknown profile `lt`",
        "`user` goes with `profile`: it says which end downloads",
    ];
    for part in parts {
        assert!(told.iter().any(|told| told.contains(part)), "{part}\n{told:#?}");
    }
    assert!(told.len() <= parts.len() + 2, "{told:#?}");
}

#[test]
fn a_ramp_has_to_have_something_between() {
    let told = told("- { from: 1s, to: 2s, ramp: { m: { rate: 1Mbit } } }\n");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("the rate of `m` cannot go over gradually: it has none at that time to begin from"),
        "{told:?}"
    );
    // what stands before it counts
    good(
        "- { from: 1s, to: 2s, ramp: { m: { rate: 1Mbit } } }\n- { at: 1s, mark: x }\n- { at: 500ms, set: { m: { rate: 2Mbit } } }\n",
    );
}
