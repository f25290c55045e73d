//! longwire stopped at random while the scenarios of scenarios/ci run: nothing that it says is wrong.
//!
//! A stop makes frames late, fills queues by the burst after it, and takes time from senders that react. So a scenario that
//! holds must not FAIL, and one with an expectation that is off by a factor of ten must not PASS. INVALID is right in both,
//! and not enough: expectations that no stop can have decided still say what they have to say.
//!
//! The test of every day is a small one. By hand, 208 runs in about twenty minutes:
//! `LONGWIRE_STOPS=8 cargo test --test live stops:: -- --ignored --nocapture`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::support::report::reasons;
use crate::support::{Ended, Lab};
use nix::sys::signal::Signal;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::Value;

/// A scenario of scenarios/ci, and a text in it that is replaced so that one expectation is off by a factor of ten or more.
const WRONG: &[(&str, &str, &str)] = &[
    ("blocked", "up.loss from deaf to hears > 90%", "up.loss from deaf to hears < 9%"),
    ("bottleneck", "within 2% of 2Mbit", "within 2% of 20Mbit"),
    ("bufferbloat", "rtt.p90 < 40ms", "rtt.p90 < 4ms"),
    ("delay", "rtt.p50 within 5% of 30ms", "rtt.p50 within 5% of 3ms"),
    ("duplicates", "call.loss within 50% of 3%", "call.loss within 50% of 30%"),
    ("failover", "rtt.p50 from 0s to 900ms within 5% of 12ms", "rtt.p50 from 0s to 900ms within 5% of 1200us"),
    ("firewall", "web.bytes == 200kB", "web.bytes == 2MB"),
    ("jitter", "tame.toward.bob.delay.p99 > 30ms", "tame.toward.bob.delay.p99 > 300ms"),
    ("loss", "call.loss within 40% of 5%", "call.loss within 40% of 50%"),
    ("outage", "rtt.loss from cut to mended > 95%", "rtt.loss from cut to mended < 9.5%"),
    ("partition", "far.loss from split to healed > 95%", "far.loss from split to healed < 9.5%"),
    ("program", "upload.bytes == 1MB", "upload.bytes == 10MB"),
    ("ramp", "within 5% of 1Mbit", "within 5% of 10Mbit"),
];

fn scenario(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scenarios/ci/{name}.yaml"));
    fs::read_to_string(path).expect("a scenario of the suite")
}

fn wrong(name: &str, from: &str, to: &str) -> String {
    let text = scenario(name);
    assert_eq!(text.matches(from).count(), 1, "{name}: {from}");
    text.replace(from, to)
}

/// Runs a scenario, stopped for 20 to 90 ms at a time and up to half of the time.
fn disturbed(lab: &Lab, text: &str, random: &mut Xoshiro256PlusPlus) -> Ended {
    lab.write("scenario.yaml", text);
    let mut run = lab.start_run(&["--json", "-"]);
    let share = random.random_range(0.05..0.5);
    while run.runs() {
        let stop = random.random_range(20..=90u32);
        let go = (f64::from(stop) * (1.0 - share) / share) as u64;
        std::thread::sleep(Duration::from_millis(go));
        if !run.runs() {
            break;
        }
        run.signal(Signal::SIGSTOP);
        std::thread::sleep(Duration::from_millis(u64::from(stop)));
        run.signal(Signal::SIGCONT);
    }
    run.wait()
}

/// How often each verdict was said.
#[derive(Debug, Default)]
struct Said {
    pass: u32,
    fail: u32,
    invalid: u32,
}

impl Said {
    fn count(&mut self, name: &str, ended: &Ended) {
        match ended.code {
            0 => self.pass += 1,
            1 => self.fail += 1,
            3 => self.invalid += 1,
            code => panic!("{name}: exit {code}: {}", ended.told()),
        }
    }
}

/// Runs each of these scenarios as it is and with an expectation that is wrong; what was said of both.
fn rounds(names: &[&str], rounds: u64) -> Option<[Said; 2]> {
    let lab = Lab::new("")?;
    let mut said = [Said::default(), Said::default()];
    for round in 0..rounds {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(round);
        for (name, from, to) in WRONG.iter().filter(|(name, ..)| names.is_empty() || names.contains(name)) {
            let right = disturbed(&lab, &scenario(name), &mut random);
            assert_ne!(right.code, 1, "a wrong FAIL of {name}: {}", reasons(&right.json()));
            said[0].count(name, &right);
            let wrong = disturbed(&lab, &wrong(name, from, to), &mut random);
            assert_ne!(wrong.code, 0, "a wrong PASS of {name} with {to}");
            said[1].count(name, &wrong);
            if wrong.code != 1 {
                println!("round {round}, {name} with {to}: {}", reasons(&wrong.json()));
            }
        }
        println!("{} of {rounds} rounds: as they are {:?}, with one wrong {:?}", round + 1, said[0], said[1]);
    }
    Some(said)
}

#[test]
fn stopped_at_random_a_run_says_nothing_wrong_and_what_stands_stands() {
    let names = ["delay", "loss", "outage", "jitter"];
    let Some([_, wrong]) = rounds(&names, 1) else { return };
    assert!(wrong.fail >= 3, "{wrong:?}: what no stop can explain fails");
    let Some(lab) = Lab::new("") else { return };
    let text = scenario("loss");
    let expect = text.find("expect:").expect("expectations");
    let loss_alone = format!("{}expect: [call.loss within 40% of 5%, back.loss == 0%]\n", &text[..expect]);
    let ended = disturbed(&lab, &loss_alone, &mut Xoshiro256PlusPlus::seed_from_u64(7));
    assert_eq!(ended.code, 0, "{}", reasons(&ended.json()));
}

#[test]
fn the_burst_after_a_stop_is_not_the_fault_of_a_queue() {
    // 7 Mbit/s over 10 Mbit/s fill no queue; those of a stop of 80 ms overflow one of 20 ms
    let text = |expect: &str| {
        format!(
            "longwire: 1\nnodes: {{ a: host, b: host }}\nlinks: {{ wire: {{ ends: [a, b], rate: 10Mbit, queue: {{ fifo: {{ time: 20ms }} }} }} }}\n\
             workloads: {{ u: {{ udp: {{ from: a, to: b, rate: 7Mbit, size: 1000B, for: 2s }} }} }}\nexpect: [{expect}]\n"
        )
    };
    let Some(lab) = Lab::new("") else { return };
    for (expect, code) in [("u.loss < 1%, wire.dropped.queue_full == 0", 3), ("u.loss > 99%", 1), ("u.sent > 1000", 0)]
    {
        lab.write("scenario.yaml", &text(expect));
        let mut run = lab.start_run(&["--json", "-"]);
        while run.runs() {
            std::thread::sleep(Duration::from_millis(320));
            if run.runs() {
                run.signal(Signal::SIGSTOP);
                std::thread::sleep(Duration::from_millis(80));
                run.signal(Signal::SIGCONT);
            }
        }
        let ended = run.wait();
        let report = ended.json();
        assert_eq!(ended.code, code, "{expect}: {}", reasons(&report));
        let dropped = &report["directions"][0]["dropped"]["queue_full"];
        assert!(dropped.as_u64() > Some(20), "{:#}", report["directions"]);
        // half of what was sent in a stop waited for half of it or more
        let unread = report["ports"][0]["unread_ns"]["p99"].as_u64();
        assert!(unread > Some(40_000_000), "{:#}", report["ports"]);
    }
}

#[test]
#[ignore = "twenty minutes; LONGWIRE_STOPS says how many rounds of 26 runs"]
fn many_runs_stopped_at_random() {
    let count = std::env::var("LONGWIRE_STOPS").map_or(8, |rounds| rounds.parse().expect("LONGWIRE_STOPS is a number"));
    let Some([right, wrong]) = rounds(&[], count) else { return };
    let Some(lab) = Lab::new("") else { return };
    let mut quiet = Said::default();
    for (name, ..) in WRONG.iter().cycle().take(WRONG.len() * count as usize / 4) {
        lab.write("scenario.yaml", &scenario(name));
        let ended = lab.run(&["run", "scenario.yaml", "--json", "-"]);
        quiet.count(name, &ended);
        if ended.code != 0 {
            println!("{name}, undisturbed: {}", reasons(&ended.json()));
        }
    }
    println!("stopped {right:?}, stopped with one wrong {wrong:?}, undisturbed {quiet:?}");
    let all = |said: &Said| said.pass + said.fail + said.invalid;
    assert!(wrong.fail * 10 >= all(&wrong) * 9, "with one expectation off by ten: {wrong:?}");
    assert!(quiet.pass * 20 >= all(&quiet) * 19, "undisturbed: {quiet:?}");
}

#[test]
fn of_a_run_that_was_stopped_they_claim_what_the_stop_cannot_have_decided() {
    let scenario = |expect: &str| {
        format!(
            "longwire: 1\nduration: 2s\nnodes: {{ a: host, b: host }}\nlinks: {{ wire: {{ ends: [a, b], delay: 1ms }} }}\n\
             workloads: {{ rtt: {{ ping: {{ from: a, to: b, every: 20ms }} }} }}\nexpect: [{expect}]\n"
        )
    };
    // a stop of 400 ms makes round trips longer, and none that is not as long as the link
    for (expect, code, word) in [
        ("rtt.max < 100ms, rtt.loss == 0%", 3, "rtt.max"),
        ("rtt.max < 100ms, rtt.p50 < 1ns", 1, "rtt.p50"),
        ("rtt.min >= 2ms, rtt.loss == 0%", 0, ""),
    ] {
        let Some(lab) = Lab::new(&scenario(expect)) else { return };
        let line = format!("exec {} run scenario.yaml --json - --ready-fd 3 3>up", env!("CARGO_BIN_EXE_longwire"));
        let run = lab.start(lab.other("sh", &["-c", &line]));
        // written at t = 0
        crate::support::until("the run is up", || {
            std::fs::read_to_string(lab.path("up")).is_ok_and(|line| line.contains('{'))
        });
        std::thread::sleep(Duration::from_millis(700));
        run.signal(Signal::SIGSTOP);
        std::thread::sleep(Duration::from_millis(400));
        run.signal(Signal::SIGCONT);
        let ended = run.wait();
        let report = ended.json();
        assert_eq!(ended.code, code, "{expect}: {}", ended.told());
        assert_eq!(report["validity"]["ok"], false, "{report:#}");
        let gaps = report["validity"]["gaps"]["list"].as_array().expect("a list");
        let length = |gap: &Value| gap[1].as_i64().zip(gap[0].as_i64()).map_or(0, |(to, from)| to - from);
        assert!(gaps.iter().any(|gap| length(gap) >= 395_000_000), "{gaps:?}");
        assert!(reasons(&report).contains(word), "{}", reasons(&report));
    }
}
