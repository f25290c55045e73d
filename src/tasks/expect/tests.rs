//! Expectations in whole scenarios: what they come to, and what is said of their mistakes before anything runs.

use std::path::Path;

use super::{Check, Expectation, Right, Subject, percentiles};
use crate::language::files::MemoryFiles;
use crate::measured::Unit;
use crate::scenario::{Overrides, listing, load};
use crate::tasks::resolved::Resolved;
use crate::tasks::spec::{Amount, Start, WorkloadKind};
use crate::units::Duration;

const BASE: &str = "\
longwire: 1
duration: 20s
params: { most: 60ms }
nodes:
  alice: host
  bob: host
  clients: { host: { count: 3 } }
  sw: switch
  gw: { router: { firewall: { default: allow, rules: [{ name: no mail, drop: { tcp: 25 } }] } } }
links:
  wifi: { ends: [alice.wlan0, sw], rate: 5Mbit }
  lan: { ends: [sw, gw] }
  far: { ends: [gw, bob] }
  access: { ends: [clients, sw] }
services: { web: { in: bob, shell: sleep 9 } }
workloads:
  rtt: { ping: { from: alice, to: bob } }
  call: { udp: { from: alice, to: bob, rate: 1Mbit } }
  fast: { tcp: { from: alice, to: bob, bytes: 1MB } }
  slow: { tcp: { from: bob, to: alice, bytes: 1MB } }
  fetch: { in: alice, shell: 'echo 5 ms', values: { freeze: { regex: '(\\d+) ms', unit: ms } } }
  many: { ping: { from: clients, to: bob } }
timeline:
  - { at: 10s, mark: worse, down: wifi }
  - { at: 12s, mark: heal, up: wifi }
expect:
";

fn try_load(text: &str) -> Result<Resolved, Vec<String>> {
    load(Path::new("t.yaml"), &MemoryFiles::one("t.yaml", text), &Overrides::default())
        .map_err(|(told, _)| told.iter().map(ToString::to_string).collect())
}

fn good(expect: &str) -> Resolved {
    let resolved = try_load(&format!("{BASE}  {expect}\n")).unwrap_or_else(|told| panic!("{expect}: {told:#?}"));
    assert!(resolved.warnings.is_empty(), "{:?}", resolved.warnings);
    resolved
}

fn one(expect: &str) -> Expectation {
    good(&format!("- $most\n  - {expect}").replace("- $most\n  ", "- rtt.max < $most\n  ")).expectations.remove(1)
}

/// What is told of one expectation, places and all.
fn bad(expect: &str) -> Vec<String> {
    try_load(&format!("{BASE}  - rtt.max < $most\n  {expect}\n")).expect_err(expect)
}

#[test]
fn every_form_of_the_manual_is_understood() {
    for text in [
        "fetch.exit == 0",
        "fetch.freeze < 50ms",
        "fetch.ended < 5s",
        "rtt.p99 from 0s to 10s < 60ms",
        "rtt.rtt.stddev < 5ms",
        "call.loss from worse to 15s < 12%",
        "call.delay.p99 between worse and heal + 2s < 50ms",
        "call.throughput within 5% of 1Mbit",
        "call.jitter.last <= 3ms",
        "fast.goodput > slow.goodput",
        "fast.goodput after slow.started within 1Mbit of slow.goodput",
        "wifi.toward.sw.dropped.queue_full == 0",
        "wifi.toward.alice.wlan0.loss < 1%",
        "wifi.delay.p99 < 20ms",
        "wifi.queue.max before worse < 100 packets",
        "always wifi.queue < 100 packets",
        "never call.interval.loss > 50%",
        "never rtt.each after heal > 1s",
        "all many.p99 < 60ms",
        "all many.loss after many.started < 1%",
        "all access.toward.clients.dropped == 0",
        "gw.firewall.replies > 0",
        "gw.dropped.no_route == 0",
        "sw.replicated < 100",
        "call.ok == true",
        "alice reaches bob within 2s after heal",
        "alice.wlan0 reaches gw within 2s",
        "alice does not reach bob from worse to heal",
        "all clients reach bob within 1s after 1s",
    ] {
        let expectation = one(text);
        assert_eq!(expectation.text, text);
        assert_eq!(expectation.claims.len(), if text.starts_with("all") { 3 } else { 1 }, "{text}");
    }
    let quoted = one("'gw.firewall.\"no mail\".bytes > 0B'");
    assert_eq!(quoted.claims.len(), 1);
}

#[test]
fn expectations_stand_beside_everything_else_of_a_scenario() {
    let text = "\
longwire: 1
name: Video call over bad Wi-Fi
seed: 7
duration: 30s
params: { loss: 1% }
nodes:
  alice: host
  bob:   { host: { addresses: [10.0.0.2/24, \"fd00::2/64\"] } }
  ap:    switch
links:
  wifi:
    ends: [alice.wlan0, ap]
    profile: wifi-poor
    delay: { mean: 5ms, jitter: 2ms, distribution: normal }
    loss:  { burst: { rate: $loss, mean_length: 4 } }
    rate:  20Mbit
    queue: { codel: { target: 5ms, interval: 100ms } }
    toward:
      ap: { rate: 5Mbit }
  lan: { ends: [ap, bob], delay: 100us, rate: 1Gbit }
services:
  web: { in: bob, command: [python3, -m, http.server, \"80\"], ready: { tcp: 80, within: 10s } }
workloads:
  fetch: { in: alice, shell: \"curl -sf http://bob/ -o page.html\", timeout: 20s }
  rtt:   { ping: { from: alice, to: bob, every: 100ms } }
  call:  { udp:  { from: alice, to: bob, rate: 2Mbit, size: 1200B } }
timeline:
  - { at: 10s, set: { wifi: { loss: 10% } }, mark: worse }
  - { at: 15s, down: [wifi] }
  - { at: 16s, up: [wifi] }
expect:
  - fetch.exit == 0
  - rtt.p99 from 0s to 10s < 60ms
  - call.loss from worse to 15s < 12%
  - { name: nothing is lost to the queue, that: wifi.toward.ap.dropped.queue_full == 0 }
";
    let resolved = try_load(text).unwrap_or_else(|told| panic!("{told:#?}"));
    assert_eq!(resolved.expectations.len(), 4);
    assert!(listing(&resolved).contains("- wifi.toward.ap.dropped.queue_full == 0"));
}

#[test]
fn paths_come_to_measures_with_units() {
    let measure = |text: &str| match &one(text).claims[0].check {
        Check::Compare(compare) => (compare.measure.clone(), compare.right.clone()),
        Check::Reach(_) => panic!("{text}"),
    };
    let (freeze, right) = measure("fetch.freeze < 50ms");
    assert_eq!((freeze.unit, freeze.scale), (Unit::Time, 1e6));
    assert!(matches!(right, Right::Value(5e7)));
    let (toward, _) = measure("wifi.toward.alice.loss < 1%");
    assert_eq!(toward.subject, Subject::Link { name: "wifi".into(), to: Some("alice.wlan0".into()) });
    let (count, _) = measure("rtt.count > 5");
    assert_eq!(count.unit, Unit::Count);
    let all = one("all many.p99 < 60ms");
    let members: Vec<_> = all.claims.iter().filter_map(|claim| claim.member.as_deref()).collect();
    assert_eq!(members, ["many-1", "many-2", "many-3"]);
}

#[test]
fn parameters_stand_for_values_and_names_stand_in_reports() {
    let resolved = good("- { name: fast enough, that: rtt.p99 < $most }");
    let [only] = &resolved.expectations[..] else { panic!("{:?}", resolved.expectations) };
    assert_eq!((only.name.as_deref(), only.text.as_str()), (Some("fast enough"), "rtt.p99 < 60ms"));
    assert!(listing(&resolved).contains("- rtt.p99 < 60ms"), "{}", listing(&resolved));
}

#[test]
fn who_reaches_whom_is_asked_by_pings_of_the_run() {
    let resolved = good(
        "- rtt.max < $most\n  - alice reaches bob within 2s after heal\n  - bob does not reach alice from worse to heal\n  \
         - alice reaches gw after 19s\n  - alice reaches bob within 1s after fetch.ended\n  - all clients reach bob within 1s",
    );
    let probe = |n: usize| {
        let workload = &resolved.scenario.workloads[&format!("reach.{n}")];
        let WorkloadKind::Ping(ping) = &workload.kind else { panic!("{workload:?}") };
        (workload.start.clone(), ping.every, ping.amount)
    };
    let ms = Duration::from_millis;
    let at = |s| Start::At(Duration::from_secs(s));
    assert_eq!(probe(1), (at(12), ms(50), Amount::For(ms(2000))));
    assert_eq!(probe(2), (at(10), ms(50), Amount::For(ms(2000))));
    assert_eq!(probe(3), (at(19), ms(25), Amount::Whole), "its last wait would be over after the run");
    assert_eq!(probe(4).0, Start::After(vec!["fetch".into()]));
    assert_eq!(resolved.scenario.workloads.keys().filter(|name| name.starts_with("reach.")).count(), 7);
}

#[test]
fn any_percentile_can_be_asked_for_where_some_can() {
    let of = |text: &str| {
        let resolved = good(&format!("- rtt.max < $most\n  - {text}"));
        let asked: Vec<String> = percentiles(&resolved.expectations).map(|(_, one)| one.to_string()).collect();
        let kept: Vec<String> =
            resolved.scenario.workloads.values().flat_map(|work| &work.percentiles).map(ToString::to_string).collect();
        (asked.join(" "), kept.join(" "))
    };
    let both = |name: &str| (name.to_owned(), name.to_owned());
    assert_eq!(of("rtt.p95 < 60ms"), both("p95"));
    assert_eq!(of("rtt.rtt.p99.95 < 60ms"), both("p99.95"));
    assert_eq!(of("call.delay.p5 > 1ms"), both("p5"));
    assert_eq!(of("call.lateness.p12.5 < 1s"), both("p12.5"));
    assert_eq!(of("rtt.p95 > call.delay.p75"), ("p95 p75".into(), "p95 p75".into()));
    assert_eq!(of("wifi.toward.sw.delay.p95 < 60ms"), ("p95".into(), String::new()), "links are no workloads");
    assert_eq!(of("rtt.p99.9 < 60ms"), both(""), "reports always have it, as p999");
}

#[test]
fn receivers_keep_what_is_asked_by_interval_only_where_that_is_asked_for() {
    let keeps = |text: &str| match &good(&format!("- rtt.max < $most\n  - {text}")).scenario.workloads["call"].kind {
        WorkloadKind::Udp(udp) => udp.delays_by_interval,
        other => panic!("{other:?}"),
    };
    assert!(!keeps("call.delay.p99 < 50ms") && !keeps("call.loss after worse < 50%"));
    assert!(keeps("call.delay.p99 after worse < 50ms") && keeps("rtt.p50 after worse > call.delay.p50"));
}

#[test]
fn mistakes_are_told_with_their_place_and_their_cure() {
    for (text, place, parts) in [
        ("rtt.p100 < 60ms", "28:5", "`p100` is no percentile of a ping (a percentile is above 0 and below 100"),
        ("rtt.q99 < 60ms", "28:5", "a ping has no `q99` (did you mean `p99`?)"),
        ("rrt.p99 < 60ms", "28:5", "there is no workload, link, switch or router `rrt` (did you mean `rtt`?)"),
        ("rtt.exit == 0", "28:5", "a ping has no `exit`"),
        ("rtt.p99 < 60", "28:15", "`rtt.p99` is a time, and `60` has no unit (write `60ms`"),
        ("rtt.p99 < 5%", "28:15", "`rtt.p99` is a time, `5%` is a share"),
        ("rtt.p99 < 60 sec", "28:18", "`sec` is too much"),
        ("rtt.p99 from 5s to 2s < 60ms", "28:18", "it ends at 2s, and begins at 5s"),
        ("rtt.p99 from 5s to 30s < 60ms", "28:18", "it goes on until 30s, and the run's duration is 20s"),
        ("rtt.p99 after 20s < 60ms", "28:19", "at 20s the run is over"),
        ("rtt.p99 after wrose < 60ms", "28:19", "there is no mark `wrose` on the timeline (did you mean `worse`?)"),
        ("rtt.p99 after fetch < 60ms", "28:19", "two times, `fetch.started` and `fetch.ended`"),
        ("rtt.p99 after ftech.ended < 60ms", "28:19", "there is no workload `ftech` (did you mean `fetch`?)"),
        ("fetch.exit after 5s == 0", "28:5", "is known for the whole run only"),
        ("wifi.delay.p99 after 5s < 9ms", "28:5", "ask a `ping` or `udp` workload"),
        ("call.throughput from 5s to 5100ms > 1Mbit", "28:26", "shorter than 200ms"),
        ("wifi.loss from 5s to 5050ms < 1%", "28:20", "shorter than 100ms"),
        ("wifi.queue < 100 packets", "28:5", "write `always wifi.queue < …`"),
        ("always wifi.loss < 1%", "28:12", "`interval.loss`"),
        ("always fetch.exit == 0", "28:12", "take the word away"),
        ("wifi.dropped.queue_ful == 0", "28:5", "did you mean `queue_full`?"),
        ("wifi.toward.bob.loss < 1%", "28:5", "`bob` is not an end of `wifi`"),
        ("call.delay < 5ms", "28:5", "is a distribution (name a part: `delay.min`"),
        ("call < 5ms", "28:5", "`call` says whose, and not what (as in `call.sent`)"),
        ("fast.goodput > rtt.p99", "28:20", "they cannot be compared"),
        ("fast.goodput > wifi.delivered.rate", "28:20", "two values, one for each direction"),
        ("fast.goodput > quick", "28:20", "neither a value nor a path"),
        ("call.ok > true", "28:13", "neither more nor less"),
        ("many.p99 < 60ms", "28:5", "`many` is a group of 3 (begin with `all`"),
        ("all rtt.p99 < 60ms", "28:9", "`rtt` is not a group"),
        ("alice.p99 < 5ms", "28:5", "`alice` is a host, of which nothing is measured"),
        ("web.exit == 0", "28:5", "`web` is a service"),
        ("sw.nat.made > 0", "28:5", "a switch has no `nat.made`"),
        ("gw.firewall.mail > 0", "28:5", "has no rule `mail`"),
        ("sw.firewall.default > 0", "28:5", "`sw` has no firewall"),
        ("alice reaches bob", "28:5", "it does not say when"),
        ("alice reaches bop within 1s", "28:19", "unknown host `bop` (did you mean `bob`?)"),
        ("alice reaches bob within 2s after 19s", "28:39", "it goes on until 21s"),
        ("alice reaches bob within 1s from 1s to 2s", "28:5", "both say by when"),
        ("clients reach bob within 1s", "28:5", "`clients` is a group of 3"),
        ("rtt.max < $mots", "28:15", "unknown parameter `$mots` (did you mean `most`?)"),
        ("fetch.frezze < 5ms", "28:5", "did you mean `freeze`?"),
    ] {
        let told = bad(&format!("- {text}"));
        assert_eq!(told.len(), 1, "{text}: {told:#?}");
        assert!(told[0].starts_with(&format!("{place}: ")) && told[0].contains(parts), "{text}: {told:#?}");
    }
}

#[test]
fn what_yaml_makes_of_missing_quotes_is_told_as_such() {
    for (text, part) in [
        ("- fetch.exit == #5", "for a comment: put quotes around the whole text"),
        ("- fetch.exit: == 0", "YAML reads a map here"),
        ("- gw.firewall.\"tcp: 22\" == 0", "YAML reads a map here"),
        ("- [all many].p99 < 5ms", "YAML"),
        ("- [rtt.p99, 5ms]", "YAML reads a list here"),
        ("- # rtt.p99 < 5ms", "expected an expectation, found nothing"),
        ("- { name: x }", "`that` is missing"),
        ("- { that: rtt.max < 5ms, nmae: x }", "unknown field `nmae` (did you mean `name`?)"),
        ("- { that: { rtt.max: 5ms } }", "put quotes around the whole text"),
        ("- > 5ms", "YAML"),
        ("- >= 5ms rtt.p99", "YAML"),
        ("- *all.p99 < 5ms", "YAML"),
    ] {
        let told = bad(text);
        assert!(told.len() == 1 && told[0].contains(part), "{text}: {told:#?}");
    }
    let told = try_load(&BASE.replace("expect:\n", "expect: rtt.max < $most\n")).unwrap_err();
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("expected a list of expectations, found one (begin its line with `- `)"), "{told:?}");
}

#[test]
fn what_only_follows_from_another_mistake_is_not_told() {
    let text = BASE
        .replace("ping: { from: alice, to: bob } }", "ping: { from: alise, to: bob } }")
        .replace("rate: 5Mbit", "rate: 5Mbti");
    let told = try_load(&format!("{text}  - rtt.p99 < $most\n  - rtt.p99 > call.delay.p99\n")).unwrap_err();
    assert!(!told.is_empty() && told.iter().all(|line| !line.contains("there is no workload")), "{told:#?}");
}

#[test]
fn without_a_series_what_is_taken_from_it_is_a_mistake() {
    let text = BASE.replace("duration: 20s", "duration: 20s\nseries: none");
    for expect in ["wifi.queue.max < 5", "wifi.loss after worse < 5%", "always wifi.queue < 5"] {
        let told = try_load(&format!("{text}  - rtt.max < $most\n  - {expect}\n")).unwrap_err();
        assert!(told.len() == 1 && told[0].contains("`series: none`"), "{expect}: {told:#?}");
    }
    assert!(try_load(&format!("{text}  - rtt.max < $most\n  - wifi.loss < 5%\n")).is_ok());
}

#[test]
fn values_of_programs_are_checked() {
    let values = |values: &str| {
        let text =
            BASE.replace("values: { freeze: { regex: '(\\d+) ms', unit: ms } }", &format!("values: {{ {values} }}"));
        try_load(&format!("{text}  - rtt.max < $most\n")).expect_err(values)
    };
    for (text, part) in [
        ("exit: { json: .a }", "every program has that"),
        ("x: { json: a }", "begins with a point"),
        ("x: { regex: 'ms' }", "put brackets around it"),
        ("x: { regex: '(' }", "not a regular expression"),
        ("x: { regex: '(a)', json: .a }", "keep one"),
        ("x: { unit: ms }", "does not say where it is"),
        ("x: { json: .a, unit: msec }", "`msec` is not a unit: known here: `ns`, `us`"),
        ("x.y: { json: .a }", "cannot be a name"),
    ] {
        let told = values(text);
        assert!(told.len() == 1 && told[0].contains(part), "{text}: {told:#?}");
    }
    let told = try_load(&BASE.replace(
        "rtt: { ping: { from: alice, to: bob } }",
        "rtt: { values: { x: { json: .a } }, ping: { from: alice, to: bob } }",
    ));
    let told = told.expect_err("a ping prints nothing");
    assert!(told[0].contains("`values` is for programs, not for `ping`"), "{told:#?}");
}
