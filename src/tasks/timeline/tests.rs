//! Timelines as files have them, and what is said of their mistakes.

use std::path::Path;

use super::{Action, Step};
use crate::engine::{Change, Command, DirectionId, LinkId};
use crate::language::files::MemoryFiles;
use crate::model::{LossSpec, RateSpec};
use crate::scenario::{Overrides, listing, load};
use crate::tasks::resolved::Resolved;
use crate::tasks::set::LiveLinks;
use crate::units::Duration;

const NETWORK: &str = "\
longwire: 1
duration: 20s
params: { bad: 30% }
addressing: { ipv6: none }
nodes:
  phone: { host: { addresses: { wlan0: [10.0.1.2/24], wwan0: [10.0.2.2/24, \"fd02::2/64\"] }, routes: [{ to: default, via: 10.0.1.1 }, { to: default, via: 10.0.2.1 }, { to: default, via: \"fd02::1\" }] } }
  server: { router: { addresses: { eth0: [10.0.1.1/24], eth1: [10.0.2.1/24, \"fd02::1/64\"] } } }
  other: host
  vm: { external: { tap: t0 } }
links:
  wifi: { ends: [phone.wlan0, server.eth0], delay: { mean: 5ms, jitter: 1ms }, loss: 1% }
  cell: { ends: [phone.wwan0, server.eth1], rate: 10Mbit }
  lan: { ends: [other, vm], loss: $bad }
";

fn try_load(steps: &str) -> Result<Resolved, Vec<String>> {
    let text = format!("{NETWORK}timeline:\n{steps}");
    let files = MemoryFiles::one("t.yaml", &text).with("cell.up", "1\n");
    load(Path::new("t.yaml"), &files, &Overrides::default())
        .map_err(|(told, _)| told.iter().map(ToString::to_string).collect())
}

fn good(steps: &str) -> Resolved {
    try_load(steps).unwrap_or_else(|told| panic!("{told:#?}"))
}

/// The mistakes, each without its line, which differs from test to test by nothing that matters.
fn bad(steps: &str) -> Vec<String> {
    let told = try_load(steps).expect_err("mistakes");
    told.iter().map(|told| told.split_once(':').map_or(told.as_str(), |(_, rest)| rest).to_owned()).collect()
}

/// What the engine is told, step by step.
fn commands(resolved: &Resolved) -> Vec<Vec<Command>> {
    let mut links = LiveLinks::new(resolved);
    let files = MemoryFiles::one("cell.up", "1\n");
    resolved.timeline.iter().map(|step| step.commands(&mut links, &files).unwrap()).collect()
}

fn loss(text: &str) -> Change {
    Change { loss: Some(LossSpec::random(text.parse().unwrap())), ..Change::default() }
}

#[test]
fn steps_stand_in_the_order_of_their_times_and_those_of_one_time_in_that_of_the_file() {
    let resolved = good(
        "\
- { at: 5s, set: { wifi: { loss: $bad } }, mark: worse }
- { at: worse + 2s, up: [wifi] }
- { at: 1s, down: wifi }
- { at: worse, down: [wifi, cell] }
",
    );
    let told: Vec<(u64, Vec<String>)> = resolved
        .timeline
        .iter()
        .map(|step: &Step| (step.at.as_nanos() / 1_000_000, step.actions.iter().flat_map(Action::words).collect()))
        .collect();
    let words = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        told,
        [
            (1_000, words(&["wifi=down"])),
            (5_000, words(&["wifi.loss=30%", "mark worse"])),
            (5_000, words(&["wifi=down", "cell=down"])),
            (7_000, words(&["wifi=up"])),
        ]
    );
    let set = |way| Command::Set(DirectionId(way), loss("30%"));
    assert_eq!(
        commands(&resolved),
        [
            vec![Command::Down(LinkId(0))],
            vec![set(0), set(1)],
            vec![Command::Down(LinkId(0)), Command::Down(LinkId(1))],
            vec![Command::Up(LinkId(0))],
        ]
    );
    let listing = listing(&resolved);
    assert!(listing.contains("timeline:\n  1s: wifi=down\n  5s: wifi.loss=30%, mark worse\n"), "{listing}");
}

#[test]
fn a_change_goes_over_what_the_link_does_by_then() {
    let resolved = good(
        "\
- { at: 1s, set: { wifi: { delay: 9ms, loss: none } } }
- { at: 2s, set: { wifi: { delay: { jitter: 2ms }, toward: { phone: { loss: 5% } } } } }
- { at: 3s, set: { cell: { rate: { trace: cell.up } }, wifi: { rtt: 5ns } } }
- { at: 4s, set: { cell: { rate: none } } }
- { at: 5s, set: { cell: { rate: none } } }
",
    );
    let steps = commands(&resolved);
    let change = |step: usize, at: usize| match &steps[step][at] {
        Command::Set(direction, change) => (direction.0, change.clone()),
        other => panic!("{other:?}"),
    };
    let delay = |step, at| change(step, at).1.delay.map(|d| (d.mean.as_nanos(), d.jitter.as_nanos())).unwrap();
    assert_eq!(delay(0, 0), (9_000_000, 1_000_000));
    assert_eq!(change(0, 1).1.loss, Some(LossSpec::default()));
    assert_eq!((delay(1, 0), change(1, 0).1.loss), ((9_000_000, 2_000_000), None));
    // toward the phone, the first end, frames go backward
    assert_eq!((change(1, 1).0, change(1, 1).1.loss), (1, loss("5%").loss));
    let mean = |at| change(2, at).1.delay.map(|d| d.mean.as_nanos());
    assert_eq!((mean(2), mean(3)), (Some(3), Some(2)), "the odd nanosecond goes to the first direction");
    assert!(matches!(change(2, 0).1.rate, Some(RateSpec::Trace(_))), "{:?}", change(2, 0));
    assert_eq!(change(3, 0).1.rate, Some(RateSpec::Unlimited));
    assert_eq!(steps[4], [], "nothing changes");
}

#[test]
fn a_default_route_moves_to_an_interface_with_a_gateway() {
    let resolved = good("- { at: 1s, route: { phone: wwan0 } }\n- { at: 2s, route: { phone: wlan0 } }\n");
    let Action::Route(to) = &resolved.timeline[0].actions[0] else { panic!("{:?}", resolved.timeline) };
    let gateways: Vec<_> = to.gateways.iter().map(ToString::to_string).collect();
    assert_eq!(
        (to.interface, gateways.as_slice(), to.words.as_str()),
        (1, &["10.0.2.1".into(), "fd02::1".into()][..], "phone.route=wwan0")
    );
    // of the two IPv4 routes the first is in force
    let phone = &resolved.network.hosts[0];
    let main: Vec<_> = phone.routes.iter().filter(|r| r.table == 254).map(|r| r.interface.clone().unwrap()).collect();
    assert_eq!(main, ["wlan0", "wwan0"], "IPv4, then IPv6: {:#?}", phone.routes);
    let told: Vec<_> = resolved.warnings.iter().map(|d| d.message.clone()).collect();
    assert_eq!(told, ["`phone` has no IPv6 gateway on `wlan0`: its IPv6 default route stays where it is"]);
}

#[test]
fn all_mistakes_are_told_at_once() {
    let told = bad("\
- { at: 1s }
- { at: 25s, mark: late }
- { at: wrse + 1s, down: wifi }
- { at: 2s, mark: worse }
- { at: 3s, mark: worse }
- { at: 3s, mark: 4s }
- { at: later, up: wifi }
- { at: 4s, mark: later, set: { wifii: { loss: 1% }, wifi: { los: 1%, loss: 0.5, half_duplex: true } } }
- { at: 5s, down: [wifi, wfii, wifi], up: wifi }
- { at: 6, route: { phon: wlan0 } }
- { at: 6s, route: { phone: eth9, other: eth0, vm: t0 } }
- { at: 7s, donw: wifi }
- { down: wifi }
- { at: 8s, set: { wifi: { queue: codel, toward: { ap: { loss: 1% } } }, cell: {} } }
- 9s
");
    assert_eq!(
        told,
        [
            "9: the step does nothing (write one of `set`, `ramp`, `reset`, `down`, `up`, `flap`, `partition`, `heal`, `block`, `unblock`, `run`, `route`, `rebind`, `mark` beside `at`)",
            "9: at 25s the run is over: its duration is 20s (let it last longer, or take the step away)",
            "9: unknown mark `wrse` (known here: `late`)",
            "19: there is a mark `worse` already (choose another name)",
            "19: `4s` cannot be a mark (a letter first, then letters, digits, `-` and `_`)",
            "9: unknown mark `later` (it is set further down: a step comes after the mark that it names)",
            "33: unknown link `wifii` (did you mean `wifi`?)",
            "62: unknown field `los` (did you mean `loss`?)",
            "77: `0.5` has no unit, and could mean 0.5 % or a fraction of one: write `0.5%` for the first, with `ppm` for parts per million",
            "82: `half_duplex` does not change while a run is up (say it under `links`)",
            "26: unknown link or node `wfii` (did you mean `wifi`?)",
            "32: `wifi` stands here twice (take one away)",
            "43: `wifi` goes down and comes up at the same instant (make two steps of it)",
            "9: `6` has no unit: write `6ms` (units: ns us µs ms s m h)",
            "21: unknown host `phon` (did you mean `phone`?)",
            "29: `phone` has no interface `eth9` (known here: `wlan0`, `wwan0`)",
            "42: `other` has no gateway on `eth0`: a default route cannot move there (give `other` one, as in `routes: [{ to: default, via: ADDRESS }]`)",
            "48: `vm` is an external machine: its routes are its own (name a `host`)",
            "13: unknown field `donw` (did you mean `down`?)",
            "3: the step does not say when (write `at: 10s`, or `every: 2s`)",
            "28: `queue` without `rate`: a wire that takes no time has no queue (name a `rate`, or take `queue` away)",
            "52: `ap` is not an end of this link (known here: `phone`, `server`)",
            "80: expected fields of a link, found a map (as in `{ loss: 10% }`)",
            "3: expected a step, found `9s` (as in `{ at: 10s, down: [wifi] }`)",
        ]
    );
    assert_eq!(
        bad("  wifi: down\n"),
        ["3: expected a list of steps, found a map (as in `- { at: 10s, down: [wifi] }`)"]
    );
    assert_eq!(bad("- { at: 6s, route: { phon: wlan0 } }\n"), ["22: unknown host `phon` (did you mean `phone`?)"]);
}

#[test]
fn nothing_is_told_of_what_could_not_be_read() {
    let text = "longwire: 1\nnodes: { a: host, b: hots }\nlinks: { l: { ends: [a, b] }, m: { ends: [a] } }\n\
                timeline:\n- { at: 1s, down: [l, m], route: { b: eth0 }, mark: x }\n- { at: x + 1s, set: { l: { loss: 1% } } }\n";
    let (told, _) = load(Path::new("t"), &MemoryFiles::one("t", text), &Overrides::default()).unwrap_err();
    let told: Vec<_> = told.iter().map(|d| d.message.clone()).collect();
    assert_eq!(told, ["`hots` is not known here", "a link has two ends, not 1"]);
}

#[test]
fn a_change_of_a_link_says_where_it_is_wrong_with_what_went_before() {
    // at 1s the wire takes no time any more, so that at 2s it has no queue
    let told = bad("- { at: 2s, set: { cell: { queue: codel } } }\n- { at: 1s, set: { cell: { rate: none } } }\n");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("`queue` without `rate`"), "{told:?}");
    assert_eq!(Duration::ZERO, good("- { at: 0s, mark: begin }\n").timeline[0].at);
}

#[test]
fn routers_with_nat_are_rebound_and_others_are_not() {
    let text = "longwire: 1\nduration: 5s\nnodes: { a: host, home: { router: { nat: wan } }, r: router, b: host }\nlinks:\n  \
                l: { ends: [a, home.lan] }\n  m: { ends: [home.wan, r] }\n  n: { ends: [r, b] }\ntimeline:\n";
    let load = |steps: &str| {
        let files = MemoryFiles::one("t.yaml", &format!("{text}{steps}"));
        load(Path::new("t.yaml"), &files, &Overrides::default())
            .map_err(|(told, _)| told.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let resolved = load("- { at: 1s, rebind: home }\n- { at: 2s, rebind: [home] }\n").unwrap();
    let home = resolved.plan.nodes.iter().position(|node| node.name == "home").unwrap() as u32;
    let rebind = Command::Node(crate::engine::NodeId(home), crate::node::NodeCommand::Rebind);
    assert_eq!(commands(&resolved), [[rebind.clone()], [rebind]]);
    assert_eq!(resolved.timeline[0].actions[0].words(), ["home.nat=rebind"]);
    let wrong = load("- { at: 1s, rebind: [hom, r] }\n").unwrap_err();
    assert_eq!(wrong[0], "9:22: unknown router `hom` (did you mean `home`?)");
    assert!(wrong[1].contains("`r` translates no addresses: it has no `nat`"), "{wrong:?}");
}
