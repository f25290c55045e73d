//! What a reader of a page's first screen can answer: what was tested, what failed and by how much, what happened when, and where
//! frames were lost. Ten scenarios of scenarios/, some with a limit that they cannot hold.

use std::fs;
use std::path::Path;

use crate::support::sim::Sim;
use crate::support::{has, has_kernel};

/// A scenario, and what its page's head says.
struct Glance {
    file: &'static str,
    /// What is written differently.
    changes: &'static [(&'static str, &'static str)],
    tested: &'static str,
    /// The verdict, and each expectation that fails, with what was measured and how far that is from its limit.
    failed: &'static [&'static str],
    /// Changes with their times; empty where there were none.
    happened: &'static str,
    /// Without how many of how many: kernels say a word of their own now and then.
    lost: &'static [&'static str],
}

const GLANCES: &[Glance] = &[
    Glance {
        file: "link-failure",
        changes: &[("within 5ms of 42ms", "within 5ms of 12ms")],
        tested: "rtt ping a → b; reach.1 ping a → b; 7.997 s in virtual time",
        failed: &["FAIL", "✗ fails rtt.p50 from cut + 1s to heal within 5ms of 12ms", "42 ms 30 ms off, 5 ms allowed"],
        happened: "short=down at 2 s; short=up at 6 s",
        lost: &[
            "of 400 pings of rtt 25 ended on short toward east.eth0: the link was down, for 550 ms from short=down at 2 s on, \
             until routers and switches follow short=down at 2.5 s",
        ],
    },
    Glance {
        file: "bad-wifi",
        changes: &[("camera.loss within 60% of $loss", "camera.loss < 1%")],
        tested: "rtt ping laptop → peer; camera udp laptop → peer; screen udp peer → laptop; 11.02 s in virtual time",
        failed: &["FAIL", "✗ fails camera.loss < 1%", "3.263 % 2.263 points above"],
        happened: "",
        lost: &["on wifi toward ap: lost on the wire by its loss", "on wifi toward laptop.wlan0"],
    },
    Glance {
        file: "partition",
        changes: &[],
        tested: "minority ping db1 → db3; majority ping db2 → db3; one-way ping db1 → db2; 8.985 s in virtual time",
        failed: &["PASS"],
        happened: "partition=db1|db2,db3 at 2 s; heal=all at 4 s; block=db1->db2 at 6 s; unblock=db1->db2 at 8 s",
        lost: &[
            "on port2 toward db2.eth0: a partition or a block kept the hosts apart",
            "nothing of minority and one-way arrived for 2.02 s from partition=db1|db2,db3 at 2 s on, until heal=all at 4 s",
        ],
    },
    Glance {
        file: "leaving-the-cell",
        changes: &[],
        tested: "call udp network → train; 12.016 s in virtual time",
        failed: &["PASS"],
        happened: "ramp to radio.rate=1Mbit, radio.delay=80ms, radio.loss=2% in 5s, 100 steps at 2 s",
        lost: &["on radio toward train.eth0: its queue was full"],
    },
    Glance {
        file: "flapping-link",
        changes: &[],
        tested: "rtt ping server → laptop; 8.987 s in virtual time",
        failed: &["PASS"],
        happened: "cable=no-carrier at 2 s; cable=up at 2.2 s; cable=no-carrier at 3 s",
        lost: &[
            "of 450 pings of rtt 50 ended on cable toward laptop.eth0: the link was down, for 220 ms from cable=no-carrier",
        ],
    },
    Glance {
        file: "five-routers",
        changes: &[],
        tested: "rtt ping a → b; r3-answers ping a → 10.0.1.3; 4.947 s in virtual time",
        failed: &["PASS"],
        happened: "",
        lost: &[],
    },
    Glance {
        file: "nat",
        changes: &[("home.dropped.nat_no_mapping > 0", "home.dropped.nat_no_mapping == 0")],
        tested: "mail ping desk → server; talk ping sofa → server; visit shell server; knock command server",
        failed: &["FAIL", "✗ fails home.dropped.nat_no_mapping == 0", "1 1 above"],
        happened: "",
        lost: &["frames ended: 1 of ", "on home: the NAT had no mapping"],
    },
    Glance {
        file: "firewall",
        changes: &[],
        tested: "rtt ping alice → internet; backup tcp bob → server; ssh shell internet; telnet shell internet",
        failed: &["PASS"],
        happened: "",
        lost: &["on gw: dropped by the firewall"],
    },
    Glance {
        file: "handover",
        changes: &[],
        tested: "before ping phone → server; chat command phone; after ping phone → server; 9 s in virtual time",
        failed: &["PASS"],
        happened: "wifi.loss=40%, wifi.delay=80ms at 3 s; phone.route=wwan0 at 5 s; wifi=down at 6 s",
        lost: &["on wifi toward home.eth0: lost on the wire by its loss"],
    },
    Glance {
        file: "office",
        changes: &[],
        tested: "page-1 … page-12 tcp internet → staff-*; rtt ping phone → internet",
        failed: &["PASS"],
        happened: "",
        lost: &["toward staff-", "lost on the wire by its loss"],
    },
];

/// The text of a page's head, words with one space between.
fn head(page: &str) -> String {
    let xml = page.strip_prefix("<!DOCTYPE html>\n").expect("a doctype");
    let document = roxmltree::Document::parse(xml).expect("well-formed");
    let head = document.descendants().find(|node| node.has_tag_name("header")).expect("a head");
    let texts: Vec<&str> = head.descendants().filter(|node| node.is_text()).filter_map(|node| node.text()).collect();
    let joined = texts.join(" ");
    let words = joined.split_whitespace().collect::<Vec<_>>().join(" ");
    // a name in a sentence has its own element
    words.replace(" :", ":").replace(" ;", ";").replace(" ,", ",")
}

#[test]
fn ten_pages_answer_what_was_tested_what_failed_what_happened_and_where_frames_were_lost() {
    if !has("python3") || !has("bash") || !has_kernel() {
        return;
    }
    for glance in GLANCES {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let mut text = fs::read_to_string(folder.join(format!("{}.yaml", glance.file))).expect("a scenario");
        for (from, to) in glance.changes {
            assert!(text.contains(from), "{}: there is no `{from}`", glance.file);
            text = text.replacen(from, to, 1);
        }
        let Some(sim) = Sim::new(&text) else { return };
        copy(&folder.join("handover"), &sim.lab.path("handover"));
        let ended = sim.lab.start(sim.command(&["--html", "page.html"])).wait();
        let code = i32::from(glance.failed[0] == "FAIL");
        assert_eq!(ended.code, code, "{}: {}", glance.file, ended.told());
        let head = head(&sim.lab.read("page.html"));
        let said = |words: &str| assert!(head.contains(words), "{}: `{words}` is not in\n{head}", glance.file);
        said(&format!("Tested {}", glance.tested));
        glance.failed.iter().chain(glance.lost).copied().for_each(said);
        assert_eq!(head.matches("✗ fails").count(), glance.failed.len() / 2, "{}: {head}", glance.file);
        match glance.happened {
            "" => assert!(!head.contains("Changed "), "{}: {head}", glance.file),
            happened => said(&format!("Changed {happened}")),
        }
        assert_eq!(glance.lost.is_empty(), !head.contains("Diagnosis "), "{}: {head}", glance.file);
    }
}

/// Programs beside a scenario.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("readable");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
    }
}
