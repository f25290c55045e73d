//! Expectations against a recorded run, and against the same run with something changed.

use std::path::Path;

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::judge;
use crate::engine::{DirectionCounters, DirectionSpec, NodeCounters};
use crate::language::files::MemoryFiles;
use crate::measured::{Measured, Part};
use crate::node::NatCounters;
use crate::node::router::firewall::Policy;
use crate::report::expectation::Expectation;
use crate::report::gaps::Gaps;
use crate::report::json::{
    Count, Direction, Event, EventKind, Machine, Mode, Node, Report, Rule, Timeliness, Timing, Validity, Verdict,
    WorkloadReport,
};
use crate::report::series::{DirectionSeries, Series};
use crate::report::{terminal, testing};
use crate::scenario::{Overrides, load};
use crate::tasks::timing::TimingSpec;
use crate::tasks::validity::ValiditySpec;

pub(super) const MS: u64 = 1_000_000;
const S: u64 = 1_000 * MS;

const SCENARIO: &str = "\
longwire: 1
name: Judged
duration: 10s
nodes: { a: host, b: host, gw: { router: { nat: wan, firewall: { default: drop, rules: [{ name: web, allow: { tcp: 80 } }] } } } }
links:
  wifi: { ends: [a, gw.lan], rate: 5Mbit }
  wan: { ends: [gw.wan, b] }
workloads:
  rtt: { ping: { from: a, to: b, every: 100ms } }
  call: { udp: { from: a, to: b, every: 10ms } }
  fast: { tcp: { from: a, to: b, for: 5s } }
  slow: { tcp: { from: a, to: b, for: 5s } }
  fetch: { in: a, shell: 'true', values: { freeze: { json: .freeze, unit: ms } } }
timeline:
  - { at: 5s, set: { wifi: { loss: 10% } }, mark: worse }
  - { at: 8s, mark: heal, set: { wifi: { loss: none } } }
expect:
";

fn work(kind: &'static str, measured: Value) -> WorkloadReport {
    WorkloadReport { ended_ns: Some(10 * S as i64), ..testing::work(kind, "a → b", measured) }
}

/// 100 requests: 20 ms each, from 5 s to 8 s 50 ms, of which every third is lost.
fn ping() -> WorkloadReport {
    let worse = 50..80;
    let sample = |n: u64| {
        let rtt =
            if worse.contains(&n) { if n.is_multiple_of(3) { None } else { Some(50 * MS) } } else { Some(20 * MS) };
        json!([n * 100 * MS, rtt])
    };
    let samples: Vec<Value> = (0..100).map(sample).collect();
    let lost = samples.iter().filter(|sample| sample[1].is_null()).count();
    work(
        "ping",
        json!({
            "began_ns": MS, "sent": 100, "received": 100 - lost, "lost": lost, "late": 1, "errors": { "x": 2, "y": 1 },
            "rtt_ns": { "count": 90, "min": 20 * MS, "p50": 20 * MS, "p90": 50 * MS, "p99": 50 * MS, "p999": 50 * MS,
                "max": 50 * MS, "mean": 26_700_000, "stddev": 12_000_000 },
            "samples": samples, "samples_omitted": 0,
        }),
    )
}

/// 10 datagrams of 1,000 B in each 100 ms; from 5 s to 8 s five of them are lost, and delays are 30 ms, not 10 ms.
fn call() -> WorkloadReport {
    let sent: Vec<Value> = (0..100).map(|_| json!({ "frames": 10, "bytes": 10_000 })).collect();
    let interval = |n: u64| match (50..80).contains(&n) {
        true => {
            json!({ "frames": 5, "bytes": 5_000, "mean_ns": 30 * MS, "max_ns": 31 * MS, "delays": [[30 * MS, 4], [31 * MS, 1]] })
        }
        false => {
            json!({ "frames": 10, "bytes": 10_000, "mean_ns": 10 * MS, "max_ns": 11 * MS, "delays": [[10 * MS, 9], [11 * MS, 1]] })
        }
    };
    let received: Vec<Value> = (0..100).map(interval).collect();
    let missing: Vec<Value> = (50..80).map(|n| json!([n * 10, n * 10 + 4])).collect();
    let delay = json!({ "count": 850, "min": 10 * MS, "p50": 10 * MS, "p90": 30 * MS, "p99": 31 * MS, "p999": 31 * MS, "max": 31 * MS,
        "mean": 13 * MS, "stddev": 8 * MS });
    work(
        "udp",
        json!({
            "sender": { "began_ns": 0, "started_ns": 7, "duration_ns": 9_990 * MS, "sent": 1000, "planned": 1000, "intervals": { "width_ns": 100 * MS, "list": sent } },
            "receiver": { "began_ns": 0, "started_ns": 7, "received": 850, "unique": 850, "duplicates": 0, "reordered": 3, "lost": 150,
                "bytes": 850_000, "throughput_bps": 680_000, "delay_ns": delay, "jitter_ns": { "last": MS, "mean": MS, "max": 2 * MS },
                "missing": missing, "missing_omitted": 0, "intervals": { "width_ns": 100 * MS, "list": received } },
        }),
    )
}

/// From 1 s to 5 s, so many bytes in each 100 ms.
fn tcp(bytes: u64) -> WorkloadReport {
    let list: Vec<Value> = (0..40).map(|_| json!({ "frames": 0, "bytes": bytes })).collect();
    let mut tcp = work(
        "tcp",
        json!({
            "sender": { "began_ns": 900 * MS, "started_ns": 900, "complete": true, "tcp": { "retransmits": 4, "rtt_ns": 21 * MS } },
            "receiver": { "began_ns": 800 * MS, "started_ns": 800 * MS, "accepted_at_ns": S, "bytes": bytes * 40, "goodput_bps": bytes * 80,
                "intervals": { "width_ns": 100 * MS, "list": list } },
        }),
    );
    tcp.ended_ns = Some(5 * S as i64);
    tcp
}

fn direction(link: &str, from: &str, to: &str, frames: u64) -> Direction {
    let names = [link, from, to].map(str::to_owned);
    let mut direction = Direction::new(names, &DirectionCounters::default(), 0, DirectionSpec::default());
    direction.offered = Count { frames, bytes: frames * 1000 };
    direction.delivered = direction.offered;
    direction
}

pub(super) fn report() -> Report {
    let mut up = direction("wifi", "a.eth0", "gw.lan", 1000);
    up.delivered = Count { frames: 970, bytes: 970_000 };
    up.dropped = IndexMap::from([("loss".into(), 30)]);
    up.delay_ns = Some(testing::times([5, 6, 7, 8, 9, 9, 6].map(|ms| ms * MS)));
    let column = |worse: u32, else_: u32| (0..100).map(|n| if (50..80).contains(&n) { worse } else { else_ }).collect();
    let series = DirectionSeries {
        link: "wifi".into(),
        from: "a.eth0".into(),
        to: "gw.lan".into(),
        delivered_frames: column(9, 10),
        delivered_bytes: (0..100).map(|n| if (50..80).contains(&n) { 9_000 } else { 10_000 }).collect(),
        dropped: column(1, 0),
        waiting: column(80, 20),
        delay_mean_ns: vec![0; 100],
    };
    let mut gw = Node::new("gw".into(), &NodeCounters::default(), 0);
    gw.received = 1000;
    gw.nat = Some(NatCounters { made: 4, live: 2, peak: 3, expired: 1, rebinds: 0, translated: 7, ipv6: 0 });
    gw.firewall = vec![
        Rule { rule: "web".into(), action: Policy::Allow, decided: Count { frames: 7, bytes: 700 } },
        Rule { rule: "replies".into(), action: Policy::Allow, decided: Count { frames: 5, bytes: 500 } },
        Rule { rule: "default".into(), action: Policy::Allow, decided: Count { frames: 0, bytes: 0 } },
    ];
    let mut fetch = work("shell", json!({ "values": { "freeze": 12.5 } }));
    (fetch.exit, fetch.ended_ns) = (Some(0), Some(2 * S as i64));
    let event = |at: u64, what: &str, mark: Option<&str>| Event {
        at_ns: at as i64,
        planned_ns: Some(at as i64),
        kind: EventKind::Timeline,
        what: what.into(),
        mark: mark.map(str::to_owned),
    };
    Report {
        longwire: 1,
        scenario: "Judged".into(),
        file: "t.yaml".into(),
        seed: 1,
        params: IndexMap::new(),
        mode: Mode::Live,
        duration_ns: 10 * S,
        verdict: Verdict::Pass,
        reasons: Vec::new(),
        directions: vec![
            up,
            direction("wifi", "gw.lan", "a.eth0", 0),
            direction("wan", "gw.wan", "b.eth0", 900),
            direction("wan", "b.eth0", "gw.wan", 400),
        ],
        nodes: vec![gw],
        ports: Vec::new(),
        workloads: [("rtt", ping()), ("call", call()), ("fast", tcp(100_000)), ("slow", tcp(50_000)), ("fetch", fetch)]
            .map(|(name, work)| (name.to_owned(), work))
            .into_iter()
            .collect(),
        services: IndexMap::new(),
        expectations: Vec::new(),
        events: vec![
            event(5 * S, "wifi.loss=10%", None),
            event(5 * S, "mark worse", Some("worse")),
            event(8 * S, "mark heal", Some("heal")),
            event(8 * S, "wifi.loss=none", None),
        ],
        phases: Vec::new(),
        events_omitted: 0,
        not_reached: Vec::new(),
        series: Some(Series { every_ns: 100 * MS, asked_ns: 100 * MS, end_ns: 10 * S, directions: vec![series] }),
        warnings: Vec::new(),
        diagnosis: Vec::new(),
        unwritten: Vec::new(),
        validity: Validity {
            ok: true,
            reasons: Vec::new(),
            measured: Timeliness::default(),
            limits: ValiditySpec::default(),
            gaps: Gaps::default(),
        },
        timing: Timing { requested: TimingSpec::default(), refused: Vec::new(), spin_rests: 0, log_lost: 0 },
        machine: Machine { kernel: "6.18".into(), cores: 2, version: "0".into() },
        confinement: None,
        captures: Vec::new(),
        attempts: 1,
        privileged: Vec::new(),
        runs: IndexMap::new(),
    }
}

pub(super) fn judged(text: &str, report: &Report) -> Expectation {
    let scenario = format!("{SCENARIO}  - '{text}'\n");
    let resolved = load(Path::new("t.yaml"), &MemoryFiles::one("t.yaml", &scenario), &Overrides::default());
    let resolved = resolved
        .unwrap_or_else(|(told, _)| panic!("{text}: {:?}", told.iter().map(ToString::to_string).collect::<Vec<_>>()));
    judge(&resolved.expectations, report).remove(0)
}

pub(super) fn set(report: &mut Report, workload: &str, path: &[&str], value: Value) {
    let work = &mut report.workloads[workload];
    let mut fields = serde_json::to_value(&work.measured).expect("plain data");
    *path.iter().fold(&mut fields, |at, key| &mut at[*key]) = value;
    work.measured =
        Measured::read(&work.kind, fields.as_object().expect("a map").clone()).expect("fields of this kind");
}

/// An expectation that holds, what it measures, and a change of the report by which it does not.
type Row = (&'static str, &'static str, fn(&mut Report));

const ROWS: &[Row] = &[
    ("fetch.exit == 0", "0", |r| r.workloads["fetch"].exit = Some(1)),
    ("fetch.freeze < 20ms", "12.5 ms", |r| set(r, "fetch", &["values", "freeze"], json!(21))),
    ("fetch.ended < 5s", "2 s", |r| r.workloads["fetch"].ended_ns = Some(5 * S as i64)),
    ("fetch.duration <= 2s", "2 s", |r| r.workloads["fetch"].started_ns = Some(-1)),
    ("fetch.ok == true", "true", |r| r.workloads["fetch"].ok = false),
    ("rtt.p99 < 60ms", "50 ms", |r| set(r, "rtt", &["rtt_ns", "p99"], json!(60 * MS))),
    ("rtt.p99 from 0s to worse < 30ms", "20 ms", |r| set(r, "rtt", &["samples"], json!([[S, 31 * MS]]))),
    ("rtt.min from worse to heal == 50ms", "50 ms", |r| set(r, "rtt", &["samples"], json!([[6 * S, 3]]))),
    ("rtt.loss < 11%", "10 %", |r| set(r, "rtt", &["lost"], json!(20))),
    ("rtt.loss after heal == 0%", "0 %", |r| set(r, "rtt", &["samples"], json!([[9 * S, null]]))),
    ("rtt.sent within 5% of 100", "100", |r| set(r, "rtt", &["sent"], json!(106))),
    ("rtt.errors == 3", "3", |r| set(r, "rtt", &["errors", "x"], json!(3))),
    ("never rtt.each > 55ms", "50 ms at 5.001 s", |r| set(r, "rtt", &["samples"], json!([[5, 56 * MS]]))),
    ("always rtt.each before worse < 25ms", "20 ms at 1 ms", |r| set(r, "rtt", &["samples"], json!([[5, 56 * MS]]))),
    ("never rtt.interval.loss from 0s to worse > 0%", "0 % at 0 ns", |r| {
        set(r, "rtt", &["samples"], json!([[5, null]]))
    }),
    ("call.loss == 15%", "15 %", |r| set(r, "call", &["receiver", "lost"], json!(149))),
    ("call.loss from worse to heal within 1% of 50%", "50 %", |r| {
        set(r, "call", &["receiver", "missing"], json!([[500, 530]]))
    }),
    ("call.lost before worse == 0", "0", |r| set(r, "call", &["receiver", "missing"], json!([[5, 6]]))),
    ("never call.interval.loss > 50%", "50 % at 5 s", |r| {
        set(r, "call", &["receiver", "missing"], json!([[500, 509]]))
    }),
    ("call.throughput from worse to heal == 400kbit", "400kbit/s", |r| {
        set(r, "call", &["receiver", "intervals", "list"], json!([{ "frames": 1, "bytes": 1 }]));
    }),
    ("call.delay.p99 < 32ms", "31 ms", |r| set(r, "call", &["receiver", "delay_ns", "p99"], json!(32 * MS))),
    ("call.delay.p50 from worse to heal within 1ms of 30ms", "30 ms", |r| {
        let list = vec![json!({ "frames": 1, "bytes": 1, "delays": [[28 * MS, 1]], "max_ns": 28 * MS }); 100];
        set(r, "call", &["receiver", "intervals", "list"], json!(list));
    }),
    ("call.delay.p50 before worse < 11ms", "10 ms", |r| {
        let list = vec![json!({ "frames": 1, "bytes": 1, "delays": [[28 * MS, 1]], "max_ns": 28 * MS }); 100];
        set(r, "call", &["receiver", "intervals", "list"], json!(list));
    }),
    ("always call.interval.delay.max <= 31ms", "31 ms at 5 s", |r| {
        set(r, "call", &["receiver", "intervals", "list"], json!([{ "frames": 1, "max_ns": 32 * MS }]));
    }),
    ("call.reordered < 4", "3", |r| set(r, "call", &["receiver", "reordered"], json!(4))),
    ("call.jitter.max < 3ms", "2 ms", |r| set(r, "call", &["receiver", "jitter_ns", "max"], json!(3 * MS))),
    ("fast.goodput > slow.goodput", "8Mbit/s, slow.goodput 4Mbit/s", |r| {
        set(r, "slow", &["receiver", "goodput_bps"], json!(9_000_000))
    }),
    ("fast.goodput from 2s to 4s within 5% of 8Mbit", "8Mbit/s", |r| {
        set(r, "fast", &["receiver", "intervals", "width_ns"], json!(200 * MS));
    }),
    ("always fast.interval.goodput > 7Mbit", "8Mbit/s at 1 s", |r| {
        set(r, "fast", &["receiver", "intervals", "list"], json!([{ "frames": 0, "bytes": 5 }]));
    }),
    ("fast.complete == true", "true", |r| set(r, "fast", &["sender", "complete"], json!(false))),
    ("fast.retransmits < 5", "4", |r| set(r, "fast", &["sender", "tcp", "retransmits"], json!(5))),
    ("wifi.toward.gw.loss < 4%", "3 %", |r| r.directions[0].delivered.frames = 300),
    ("wifi.loss < 4%", "3 % (a.eth0 → gw.lan)", |r| r.directions[0].delivered.frames = 300),
    ("wifi.toward.gw.loss from worse to heal within 0.1% of 10%", "10 %", |r| {
        r.series.as_mut().unwrap().directions[0].dropped[60] = 5;
    }),
    ("wifi.toward.gw.dropped.queue_full == 0", "0", |r| {
        r.directions[0].dropped = IndexMap::from([("queue_full".into(), 1)])
    }),
    ("wifi.toward.gw.dropped before worse == 0", "0", |r| r.series.as_mut().unwrap().directions[0].dropped[3] = 1),
    ("wifi.delay.p99 <= 8ms", "8 ms (a.eth0 → gw.lan)", |r| {
        r.directions[0].delay_ns = Some([(Part::P99, 9 * MS)].into_iter().collect())
    }),
    ("wan.delivered >= 400", "400 (b.eth0 → gw.wan)", |r| r.directions[3].delivered.frames = 399),
    ("wifi.toward.gw.delivered.rate within 1% of 776kbit", "776kbit/s", |r| r.duration_ns = S),
    ("wifi.toward.gw.delivered.rate from worse to heal == 720kbit", "720kbit/s", |r| {
        r.series.as_mut().unwrap().directions[0].delivered_bytes[60] = 9_500;
    }),
    ("wifi.toward.gw.queue.max < 100 packets", "80", |r| r.series.as_mut().unwrap().directions[0].waiting[5] = 100),
    ("always wifi.queue before worse < 50 packets", "20 at 0 ns (a.eth0 → gw.lan)", |r| {
        r.series.as_mut().unwrap().directions[0].waiting[7] = 50;
    }),
    ("wifi.toward.gw.queue.mean within 1 of 38", "38", |r| r.series.as_mut().unwrap().directions[0].waiting[7] = 5000),
    ("wifi.toward.gw.marked == 0", "0", |r| r.directions[0].marked = 1),
    ("gw.nat.made == 4", "4", |r| r.nodes[0].nat.as_mut().unwrap().made = 5),
    ("gw.firewall.web > 0", "7", |r| r.nodes[0].firewall[0].decided.frames = 0),
    ("gw.firewall.web.bytes < 1kB", "700 bytes", |r| r.nodes[0].firewall[0].decided.bytes = 1000),
    ("gw.dropped == 0", "0", |r| r.nodes[0].dropped = IndexMap::from([("no_route".into(), 1)])),
];

#[test]
fn each_holds_on_a_recorded_run_and_fails_once_its_condition_is_broken() {
    for (text, measured, break_it) in ROWS {
        let mut report = report();
        let holds = judged(text, &report);
        assert!(holds.judged.pass && holds.judged.reason.is_none(), "{text}: {holds:?}");
        assert_eq!(holds.judged.measured.as_deref(), Some(*measured), "{text}");
        break_it(&mut report);
        let broken = judged(text, &report);
        assert!(!broken.judged.pass && broken.judged.measured.is_some(), "{text}: {broken:?}");
    }
}

#[test]
fn without_samples_nothing_holds_and_the_reason_is_said() {
    let rows: &[Row] = &[
        ("fetch.exit == 0", "it had not ended", |r| {
            (r.workloads["fetch"].exit, r.workloads["fetch"].ended_ns) = (None, None)
        }),
        ("fetch.freeze < 1s", "nothing in its output is `freeze`", |r| {
            r.workloads["fetch"].measured = Measured::default()
        }),
        ("rtt.p99 < 60ms", "none of 100 requests was answered", |r| set(r, "rtt", &["rtt_ns"], Value::Null)),
        ("rtt.p99 from worse to heal < 60ms", "no request was sent then", |r| {
            set(r, "rtt", &["samples"], json!([[0, 5]]))
        }),
        ("rtt.p99 after worse < 60ms", "only its first 1 requests are kept", |r| {
            set(r, "rtt", &["samples"], json!([[0, 5]]));
            set(r, "rtt", &["samples_omitted"], json!(9));
        }),
        ("rtt.p99 after worse < 60ms", "the run ended before `worse`", |r| r.events.clear()),
        ("rtt.p99 after heal < 60ms", "the run ended before `after heal`", |r| r.duration_ns = 7 * S),
        ("call.loss < 60%", "it could not bind", |r| {
            r.workloads["call"].measured = Measured::Udp(Box::default());
            r.workloads["call"].reason = Some("it could not bind".into());
        }),
        ("call.loss < 60%", "no datagram was sent", |r| set(r, "call", &["sender", "sent"], json!(0))),
        ("call.loss after heal < 60%", "more stretches than a report keeps", |r| {
            set(r, "call", &["receiver", "missing_omitted"], json!(3))
        }),
        ("call.delay.p99 < 60ms", "it measured none", |r| set(r, "call", &["receiver", "delay_ns"], Value::Null)),
        ("fast.goodput after heal < 60Mbit", "no whole interval of 100 ms then", |_| {}),
        ("wifi.toward.a.dropped == 0", "nothing was sent this way", |_| {}),
        ("wifi.loss < 5%", "nothing was sent this way", |r| r.directions[0].offered.frames = 0),
        ("wifi.loss after heal < 5%", "no whole interval of the series, 5 s each", |r| {
            let series = r.series.as_mut().unwrap();
            series.every_ns = 5 * S;
        }),
        ("gw.dropped == 0", "nothing came to it", |r| r.nodes[0].received = 0),
        ("fast.goodput > slow.goodput", "slow.goodput: all bytes arrived at once", |r| {
            set(r, "slow", &["receiver", "goodput_bps"], Value::Null)
        }),
    ];
    for (text, why, change) in rows {
        let mut report = report();
        change(&mut report);
        let judged = judged(text, &report).judged;
        let reason = judged.reason.clone().unwrap_or_default();
        assert!(!judged.pass && judged.measured.is_none(), "{text}: {judged:?}");
        assert!(reason.starts_with("no samples: ") && reason.contains(why), "{text}: {reason}");
    }
}

#[test]
fn who_reaches_whom_is_what_its_probe_heard_in_time() {
    let probe = |samples: Value| {
        let mut report = report();
        report.workloads.insert(
            "reach.1".into(),
            work("ping", json!({ "began_ns": 8 * S, "samples": samples, "samples_omitted": 0 })),
        );
        report
    };
    let reaches = "a reaches b within 1s after heal";
    let held = judged(reaches, &probe(json!([[0, null], [100 * MS, null], [200 * MS, 20 * MS]])));
    assert_eq!((held.judged.pass, held.judged.measured.as_deref()), (true, Some("an answer after 220 ms")));
    let late = judged(reaches, &probe(json!([[0, null], [990 * MS, 20 * MS], [1100 * MS, 5]])));
    assert_eq!((late.judged.pass, late.judged.measured.as_deref()), (false, Some("no answer to 2 requests")));
    let not = "a does not reach b from worse to heal";
    let mut cut = report();
    let answered = |at: u64| json!({ "began_ns": 5 * S, "samples": [[at, 20 * MS]], "samples_omitted": 0 });
    cut.workloads.insert("reach.1".into(), work("ping", answered(2_990 * MS)));
    assert!(judged(not, &cut).judged.pass, "an answer that came after the end says nothing of the time before");
    cut.workloads.insert("reach.1".into(), work("ping", answered(1_000 * MS)));
    let reached = judged(not, &cut).judged;
    assert_eq!((reached.pass, reached.measured.as_deref()), (false, Some("an answer after 1.02 s")));
    assert_eq!(reached.near.map(|near| near.what).as_deref(), Some("wifi.loss=10%"));
    cut.workloads.shift_remove("reach.1");
    assert!(judged(not, &cut).judged.reason.is_some_and(|reason| reason.contains("it was not asked")));
}

#[test]
fn a_failed_one_says_what_was_changed_last_before() {
    let judged = |text: &str| judged(text, &report()).judged;
    let near = |text: &str| {
        let judged = judged(text);
        assert!(!judged.pass, "{text}: {judged:?}");
        judged.near.map(|near| (near.what, near.before_ns / MS as i64))
    };
    let worse = |ms| Some(("wifi.loss=10%".to_owned(), ms));
    assert_eq!(near("rtt.p99 < 30ms"), worse(1));
    assert_eq!(near("call.loss < 1%"), worse(0));
    assert_eq!(near("always rtt.each < 30ms"), worse(1));
    assert_eq!(near("wifi.toward.gw.dropped < 5"), worse(0));
    assert_eq!(near("always wifi.queue < 50"), worse(0));
    assert_eq!(near("fetch.exit == 1"), None, "nothing had been changed by then");
    let over_time = judged("always wifi.queue < 50");
    assert_eq!(over_time.reason.as_deref(), Some("30 of 100 samples, first at 5 s"));
    assert_eq!(judged("rtt.p99 < 50ms").measured.as_deref(), Some("50 ms"));
    assert_eq!(
        judged("fast.goodput < 7999999bit").measured.as_deref(),
        Some("8,000,000 bit/s"),
        "rounded, the two would look alike"
    );
}

#[test]
fn the_terminal_shows_failed_ones_first() {
    let mut report = report();
    report.workloads.clear();
    report.directions.clear();
    report.nodes.clear();
    report.series = None;
    let full = self::report();
    let texts = [
        "rtt.p99 from 0s to worse < 30ms",
        "rtt.p99 < 30ms",
        "always wifi.queue < 50",
        "fast.goodput after heal > 1Mbit",
    ];
    report.expectations = texts.map(|text| judged(text, &full)).to_vec();
    report.verdict = Verdict::Fail;
    report.reasons = crate::report::expected::reasons(&report.expectations);
    insta::assert_snapshot!(terminal::render(&report, terminal::View::default()).plain());
}

#[test]
fn the_json_has_what_the_manual_says() {
    let judged = judged("rtt.p99 < 30ms", &report());
    let json = serde_json::to_value(&judged).unwrap();
    assert_eq!(
        json,
        json!({ "name": null, "text": "rtt.p99 < 30ms", "line": 18, "column": 5, "pass": false, "measured": "50 ms", "value": 5e7,
            "unit": "ns", "expected": "< 30ms",
            "compared": { "measure": "rtt.p99", "relation": "<", "limit": 3e7, "distance": "20 ms above" }, "at_ns": 5_001_000_000i64,
            "near": { "what": "wifi.loss=10%", "at_ns": 5_000_000_000i64, "before_ns": 1_000_000 } })
    );
}

/// A stream of 2 Mbit/s from 3 ms to 2.999 s on a path of 5 ms; its receiver lingered until 4 s.
fn stream() -> WorkloadReport {
    let list: Vec<Value> = (0..30).map(|_| json!({ "frames": 25, "bytes": 25_000 })).collect();
    let arrived: Vec<Value> = (0..31)
        .map(|n| {
            let bytes = match n {
                0 => 21_000, // its first 8 ms are empty
                30 => 4_000,
                _ => 25_000,
            };
            json!({ "frames": bytes / 1000, "bytes": bytes })
        })
        .collect();
    let mut work = work(
        "udp",
        json!({
            "sender": { "began_ns": 3 * MS, "started_ns": 3 * MS, "duration_ns": 2_996 * MS, "sent": 750,
                "intervals": { "width_ns": 100 * MS, "list": list } },
            "receiver": { "began_ns": 0, "started_ns": 0, "received": 749, "unique": 749, "lost": 1, "missing": [[399, 399]],
                "bytes": 749_000, "delay_ns": { "min": 5 * MS },
                "intervals": { "width_ns": 100 * MS, "list": arrived } },
        }),
    );
    work.ended_ns = Some(4 * S as i64);
    work
}

#[test]
fn a_receiver_that_lingers_takes_nothing_from_a_rate() {
    let mut report = report();
    report.workloads["call"] = stream();
    for text in [
        "call.throughput after 2s within 1% of 2Mbit",
        "call.throughput from 2s to 3s within 1% of 2Mbit",
        "always call.interval.throughput within 1% of 2Mbit",
    ] {
        assert!(judged(text, &report).judged.pass, "{text}: {:?}", judged(text, &report));
    }
    let late = judged("call.throughput after 3100ms > 1bit", &report).judged;
    assert!(late.reason.is_some_and(|reason| reason.contains("it had no whole interval")));
    // what arrives late counts as arrived
    assert_eq!(
        judged("call.received.bytes after 2900ms == 4000B", &report).judged.measured.as_deref(),
        Some("29,000 bytes")
    );
    // a stream that comes to a halt while its sender sends is one that fails
    set(&mut report, "call", &["receiver", "intervals", "list"], json!([{ "frames": 25, "bytes": 25_000 }]));
    assert!(!judged("always call.interval.throughput > 1Mbit", &report).judged.pass);
}

#[test]
fn the_end_of_a_transfer_takes_nothing_from_its_goodput() {
    let mut report = report();
    let mut list = vec![json!({ "frames": 0, "bytes": 100_000 }); 30];
    list.push(json!({ "frames": 0, "bytes": 10_000 }));
    let mut end = |complete: bool, list: Vec<Value>| {
        let transfer = json!({
            "sender": { "began_ns": 900 * MS, "started_ns": 900 * MS, "connect_ns": 100 * MS, "duration_ns": 3_500 * MS, "complete": complete },
            "receiver": { "began_ns": 800 * MS, "started_ns": 800 * MS, "accepted_at_ns": S, "last_at_ns": 4_010 * MS, "bytes": 3_010_000,
                "intervals": { "width_ns": 100 * MS, "list": list } },
        });
        report.workloads["fast"] = WorkloadReport { ended_ns: Some(5 * S as i64), ..work("tcp", transfer) };
        judged("always fast.interval.goodput >= 8Mbit", &report).judged
    };
    let whole = end(true, list.clone());
    assert!(whole.pass, "{whole:?}");
    // the sender went on trying until 4.5 s: four intervals in which too little arrived, the first at 4 s
    let broken = end(false, list);
    assert_eq!(broken.reason.as_deref(), Some("5 of 35 samples, first at 4 s"), "{broken:?}");
}

#[test]
fn what_is_on_its_way_is_not_lost() {
    let mut report = report();
    set(&mut report, "call", &["receiver", "lost"], json!(90));
    set(&mut report, "call", &["receiver", "inside"], json!(100));
    assert_eq!(judged("call.loss == 10%", &report).judged.measured.as_deref(), Some("10 %"));
    set(&mut report, "call", &["receiver", "inside"], json!(1000));
    let judged = judged("call.loss == 0%", &report).judged;
    assert!(!judged.pass && judged.reason.is_some_and(|reason| reason.contains("all 1000 datagrams were still on")));
}

#[test]
fn a_run_that_ends_within_an_interval_of_the_series_does_not_slow_it() {
    let mut report = report();
    let series = report.series.as_mut().unwrap();
    series.end_ns = 10 * S + 3 * MS;
    series.directions[0].delivered_frames.push(0);
    series.directions[0].dropped.push(3);
    assert!(judged("always wifi.toward.gw.interval.rate > 500kbit", &report).judged.pass);
    assert!(judged("always wifi.toward.gw.interval.delivered > 8", &report).judged.pass);
    assert!(!judged("never wifi.toward.gw.interval.dropped > 2", &report).judged.pass, "what drops there counts");
}
