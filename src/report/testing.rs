//! A report with something of everything, for the tests of what draws it.

use std::path::Path;

use indexmap::IndexMap;
use serde_json::{Value, json};

use crate::engine::{Amount, DirectionCounters, DirectionSpec, NodeCounters};
use crate::frame::DropCause;
use crate::language::files::MemoryFiles;
use crate::measured::{Measured, Part, Times};
use crate::node::NatCounters;
use crate::node::router::firewall::Policy;
use crate::report::expectation::{Expectation, Judged, Near};
use crate::report::gaps::Gaps;
use crate::report::json::{
    Count, Direction, Event, EventKind, Machine, Mode, Node, NotReached, Port, Report, Rule, SitePath, Timeliness,
    Timing, Tunnel, Validity, Verdict, WorkloadReport,
};
use crate::report::series::{DirectionSeries, Series};
use crate::scenario::{Overrides, load};
use crate::tasks::resolved::Resolved;
use crate::tasks::timing::TimingSpec;
use crate::tasks::validity::ValiditySpec;
use crate::units::Duration;

const SCENARIO: &str = "\
# a phone <and> its server
longwire: 1
name: Phone
seed: 7
duration: 10s
nodes: { phone: host, home: { router: { nat: wan } }, server: host }
links:
  wifi: { ends: [phone.wlan0, home.lan], delay: { mean: 20ms, jitter: 5ms }, loss: 5%, rate: 20Mbit }
  dsl:  { ends: [home.wan, server], delay: 4ms }
workloads:
  rtt: { ping: { from: phone, to: server, every: 50ms } }
timeline:
  - { at: 2s, set: { wifi: { loss: 40% } } }
  - { at: 5s, mark: worse, down: wifi }
  - { at: 8s, up: wifi }
";

/// The scenario of [`report`].
pub(crate) fn resolved() -> Resolved {
    load(Path::new("phone.yaml"), &MemoryFiles::one("phone.yaml", SCENARIO), &Overrides::default())
        .unwrap_or_else(|(wrong, _)| panic!("{wrong:?}"))
}

/// A change at `at_ms`.
pub(crate) fn event(at_ms: i64, what: &str) -> Event {
    let at_ns = at_ms * 1_000_000;
    Event { at_ns, planned_ns: Some(at_ns), kind: EventKind::Timeline, what: what.into(), mark: None }
}

/// A direction over 9 s, with `bytes` in each interval of 100 ms.
pub(crate) fn direction_series(link: &str, bytes: Vec<u64>) -> DirectionSeries {
    let n = bytes.len();
    DirectionSeries {
        link: link.into(),
        from: "phone.wlan0".into(),
        to: "home.lan".into(),
        delivered_frames: bytes.iter().map(|bytes| (*bytes / 100) as u32).collect(),
        delivered_bytes: bytes,
        dropped: vec![0; n],
        waiting: vec![0; n],
        delay_mean_ns: vec![20_000_000; n],
    }
}

/// A run that failed: a workload and an expectation.
pub(crate) fn report() -> Report {
    Report {
        longwire: 1,
        scenario: "Phone".into(),
        file: "phone.yaml".into(),
        seed: 7,
        params: [("loss".to_owned(), "5%".to_owned())].into_iter().collect(),
        mode: Mode::Live,
        duration_ns: 9_000_000_000,
        verdict: Verdict::Fail,
        reasons: vec!["call.loss < 5%: measured 12 %".into(), "fetch: it exited with 7".into()],
        directions: vec![busy_direction(), quiet_direction()],
        nodes: vec![router()],
        ports: ports(),
        workloads: [
            ("rtt", work("ping", "phone → server", ping())),
            ("call", work("udp", "phone → server", udp())),
            ("fetch", failed()),
        ]
        .into_iter()
        .map(|(name, work)| (name.to_owned(), work))
        .collect(),
        services: [(
            "web".to_owned(),
            WorkloadReport { started_ns: Some(-200_000_000), ..work("shell", "server", json!({})) },
        )]
        .into_iter()
        .collect(),
        expectations: expectations(),
        events: vec![
            event(2_000, "wifi.loss=40%"),
            Event { kind: EventKind::Work, planned_ns: None, ..event(2_500, "fetch started") },
            Event { mark: Some("worse".into()), ..event(5_000, "mark worse") },
            event(5_000, "wifi=down"),
            Event { at_ns: 8_000_300_000, ..event(8_000, "phone.route=wwan0") },
            event(8_500, "wifi=up"),
        ],
        phases: Vec::new(),
        events_omitted: 0,
        not_reached: vec![NotReached { planned_ns: Some(9_500_000_000), after: None, what: "wifi.rate=1Mbit".into() }],
        series: Some(series()),
        warnings: Vec::new(),
        diagnosis: Vec::new(),
        unwritten: Vec::new(),
        privileged: Vec::new(),
        validity: Validity {
            ok: true,
            reasons: vec![],
            measured: Timeliness {
                lateness_p99_ns: Some(925_700),
                stall_ns: 1_864_000,
                gap_share: 0.001,
                run_delay: Some(0.01),
                ring_drops: 0,
                workload_run_delay: None,
                workload_lateness_p99_ns: Some(310_000),
                path_doubts: 0,
            },
            limits: ValiditySpec::default(),
            gaps: Gaps { least_ns: 2_000_000, list: vec![(7_000_000_000, 7_010_000_000)] },
        },
        timing: Timing { requested: TimingSpec::default(), refused: vec![], spin_rests: 0, log_lost: 0 },
        machine: Machine { kernel: "6.18.0".into(), cores: 2, version: "0.1.0".into() },
        confinement: None,
        captures: vec![],
        attempts: 1,
        runs: IndexMap::new(),
    }
}

fn expectations() -> Vec<Expectation> {
    let expectation = |name: Option<&str>, text: &str, expected: &str, measured: &str, pass| Expectation {
        name: name.map(str::to_owned),
        text: text.into(),
        line: 9,
        column: 5,
        judged: Judged {
            pass,
            invalid: None,
            compared: None,
            measured: Some(measured.into()),
            value: None,
            unit: "number".into(),
            expected: expected.into(),
            reason: None,
            at_ns: (!pass).then_some(2_400_000_000),
            near: (!pass).then(|| Near { what: "wifi.loss=40%".into(), at_ns: 2_000_000_000, before_ns: 400_000_000 }),
        },
        members: vec![],
    };
    vec![
        expectation(None, "rtt.p50 < 100ms", "< 100 ms", "41.2 ms", true),
        expectation(Some("the call stays good"), "call.loss < 5%", "< 5 %", "12 %", false),
    ]
}

fn busy_direction() -> Direction {
    let mut counters = DirectionCounters {
        offered: Amount { frames: 20_000, bytes: 24_000_000 },
        delivered: Amount { frames: 19_000, bytes: 22_800_000 },
        marked: 12,
        ..DirectionCounters::default()
    };
    counters.dropped.add(DropCause::Loss, 900, 1_080_000);
    counters.dropped.add(DropCause::QueueFull, 100, 120_000);
    for n in 0..19_000u64 {
        // a few stragglers, which have a bar of their own
        let us = if n < 3 { 400_000 } else { 15_000 + n * 7_919 % 10_000 };
        counters.delay.record(Duration::from_micros(us), 1);
    }
    let wifi = resolved().plan.links[0].directions[0].clone();
    let names = ["wifi", "phone.wlan0", "home.lan"].map(str::to_owned);
    Direction::new(names, &counters, 0, wifi)
}

fn quiet_direction() -> Direction {
    let mut counters = DirectionCounters {
        offered: Amount { frames: 50, bytes: 5_000 },
        delivered: Amount { frames: 50, bytes: 5_000 },
        ..DirectionCounters::default()
    };
    counters.delay.record(Duration::from_millis(4), 50);
    let names = ["dsl", "home.wan", "server"].map(str::to_owned);
    let unmatched = vec!["loss with only: lldp".to_owned()];
    Direction { unmatched, ..Direction::new(names, &counters, 0, DirectionSpec::default()) }
}

fn router() -> Node {
    let mut counters = NodeCounters { received: 40_000, sent: 39_996, consumed: 0, ..NodeCounters::default() };
    counters.dropped.add(DropCause::NoRoute, 4, 400);
    let rule =
        |rule: &str, action, frames| Rule { rule: rule.into(), action, decided: Count { frames, bytes: frames * 99 } };
    Node {
        nat: Some(NatCounters { made: 9, live: 2, peak: 5, expired: 4, rebinds: 1, translated: 7, ipv6: 0 }),
        firewall: vec![rule("{ tcp: 22 }", Policy::Reject, 3), rule("default", Policy::Allow, 0)],
        ..Node::new("home".into(), &counters, 0)
    }
}

/// Minimum, p50, p90, p99, p99.9, maximum, mean.
pub(crate) fn times(parts: [u64; 7]) -> Times {
    [Part::Min, Part::P50, Part::P90, Part::P99, Part::P999, Part::Max, Part::Mean].into_iter().zip(parts).collect()
}

/// A tunnel through which everything has come.
pub(crate) fn tunnel(path: Option<SitePath>) -> Tunnel {
    let (name, port) = if path.is_some() { ("longwire", 4793) } else { ("vxlan", 4789) };
    Tunnel {
        encapsulation: name.into(),
        peer: format!("192.0.2.7:{port}"),
        vni: 42,
        wrong_peer: 0,
        wrong_vni: 0,
        too_long: 0,
        unreachable: 0,
        reason: None,
        path,
    }
}

/// A path of 20 ms there and back.
pub(crate) fn site_path() -> SitePath {
    SitePath {
        included: true,
        clock_error_limit_ns: Some(12_000_000),
        frames: 1_000,
        delay_ns: Some(times([10_000_000; 7])),
        round_trip_ns: Some(20_000_000),
        offset_ns: Some(3_003_000_000),
        error_ns: Some(10_020_000),
        drift_ppb: Some(50_040),
        steps: 0,
        unknown: 0,
        uncertain: 0,
        late: 0,
        lost: 0,
        reordered: 0,
    }
}

fn ports() -> Vec<Port> {
    let lateness = times([1, 12_000, 90_000, 925_700, 1_000_000, 1_400_000, 20_000]);
    let port = |host: &str, interface: &str, ring_drops| Port {
        host: host.into(),
        interface: interface.into(),
        received: 20_000,
        sent: 19_000,
        malformed: 0,
        tunnel: None,
        refused: 0,
        ring_drops,
        offloads: vec!["checksum".into(), "TSO4".into()],
        outages: Vec::new(),
        lateness_ns: Some(lateness.clone()),
        unread_ns: None,
    };
    vec![port("phone", "wlan0", Some(0)), port("server", "eth0", None)]
}

/// A workload from the fields of its report that are of its kind.
pub(crate) fn work(kind: &'static str, place: &str, measured: Value) -> WorkloadReport {
    let Value::Object(fields) = measured else { panic!("{measured} is no map") };
    WorkloadReport {
        kind: kind.into(),
        place: place.into(),
        ok: true,
        reason: None,
        started_ns: Some(0),
        ended_ns: Some(8_000_000_000),
        exit: None,
        output: vec![],
        measured: Measured::read(kind, fields).expect("fields of this kind"),
    }
}

fn failed() -> WorkloadReport {
    WorkloadReport {
        ok: false,
        reason: Some("it exited with 7".into()),
        started_ns: Some(2_500_000_000),
        ended_ns: Some(6_500_000_000),
        exit: Some(7),
        output: vec!["…".into(), "</pre><script>alert(1)</script>".into(), "curl: (7) no route to host".into()],
        ..work("shell", "phone", json!({}))
    }
}

fn ping() -> Value {
    let samples: Vec<Value> =
        (0..160u64).map(|n| json!([n * 50_000_000, 40_000_000 + n * 7919 % 300 * 10_000])).collect();
    json!({ "sent": 160, "received": 159, "samples": samples,
        "rtt_ns": { "min": 40_000_000, "p50": 41_200_000, "p90": 42_000_000, "p99": 42_900_000, "p999": 43_000_000,
                    "max": 43_000_000, "mean": 41_300_000 } })
}

fn udp() -> Value {
    json!({ "sender": { "sent": 2000 }, "receiver": { "unique": 1760, "throughput_bps": 880_000,
        "delay_ns": { "min": 19_000_000, "p50": 24_000_000, "p90": 28_000_000, "p99": 29_000_000, "p999": 29_500_000,
                      "max": 29_900_000, "mean": 24_100_000 },
        "delay_histogram": { "from_ns": 19_000_000, "width_ns": 1_000_000, "counts": [60, 200, 400, 500, 400, 200], "longer": 0 } } })
}

fn series() -> Series {
    let mut busy = direction_series("wifi", (0..90).map(|n| 200_000 + n * 7919 % 50 * 1_000).collect());
    for n in 50..80 {
        (busy.delivered_frames[n], busy.delivered_bytes[n], busy.delay_mean_ns[n]) = (0, 0, 0);
        busy.dropped[n] = 30;
    }
    for n in 20..50 {
        busy.waiting[n] = (n as u32 - 19) * 2;
        busy.delay_mean_ns[n] += n as u64 * 1_000_000;
    }
    let quiet = DirectionSeries {
        from: "home.wan".into(),
        to: "server".into(),
        ..direction_series("dsl", (0..90).map(|n| n % 3 * 100).collect())
    };
    let back = DirectionSeries {
        from: "home.lan".into(),
        to: "phone.wlan0".into(),
        ..direction_series("wifi", (0..90).map(|n| 10_000 + n * 100).collect())
    };
    let every_ns = 100_000_000;
    Series { every_ns, asked_ns: every_ns, end_ns: 9_000_000_000, directions: vec![busy, back, quiet] }
}
