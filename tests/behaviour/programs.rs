//! Programs in hosts: real ones over IPv4 and IPv6, all the ways in which they may end, services that are not there.

use crate::support::report::{assert_failed, assert_works, reasons};
use crate::support::{Lab, has};
use serde_json::Value;

/// Two hosts, and what is to run in them.
fn two_hosts(rest: &str) -> String {
    format!("longwire: 1\nnodes: {{ a: host, b: host }}\nlinks: {{ wire: {{ ends: [a, b], delay: 1ms }} }}\n{rest}")
}

#[test]
fn ping_curl_and_iperf3_work_by_name_over_both_families() {
    if !["ping", "curl", "iperf3", "python3"].into_iter().all(has) {
        return;
    }
    let Some(lab) = Lab::on_any_clock(&two_hosts(
        "\
services:
  web4:  { in: b, command: [python3, -m, http.server, \"80\", --bind, 0.0.0.0], ready: { tcp: 80, within: 20s } }
  web6:  { in: b, command: [python3, -m, http.server, \"81\", --bind, \"::\"], ready: { tcp: 81, within: 20s } }
  # one each: between two tests an iperf3 turns clients away
  iperf4: { in: b, command: [iperf3, -s, -p, \"5204\"], ready: { tcp: 5204, within: 20s } }
  iperf6: { in: b, command: [iperf3, -s, -p, \"5206\"], ready: { tcp: 5206, within: 20s } }
workloads:
  ping4: { in: a, command: [ping, -4, -c, \"3\", -i, \"0.1\", b] }
  ping6: { in: a, command: [ping, -6, -c, \"3\", -i, \"0.1\", b] }
  get4:  { in: a, shell: \"curl -4 -sf --max-time 20 http://b/file | cmp - file\" }
  get6:  { in: a, shell: \"curl -6 -sf --max-time 20 http://b:81/file | cmp - file\" }
  from:  { in: a, shell: \"curl -6 -sf --max-time 20 -o /dev/null -w '%{remote_ip}' http://b:81/file && echo && env | grep HOST_B_IPV6\" }
  bulk4: { in: a, command: [iperf3, -4, -c, b, -p, \"5204\", -n, 4M], after: [ping4, ping6, get4, get6] }
  bulk6: { in: a, command: [iperf3, -6, -c, b, -p, \"5206\", -n, 4M], after: bulk4 }
",
    )) else {
        return;
    };
    lab.write("file", &"a line of text\n".repeat(20_000));
    let (code, report) = lab.report();
    assert_works(code, &report);
    let pinged = report["workloads"]["ping6"]["output"].to_string();
    assert!(pinged.contains("3 received") && pinged.contains("fd"), "{pinged}");
    let from: Vec<&str> =
        report["workloads"]["from"]["output"].as_array().expect("two lines").iter().filter_map(Value::as_str).collect();
    assert_eq!(format!("LONGWIRE_HOST_B_IPV6={}", from[0]), from[1]);
}

/// Runs two hosts with `rest`, which must fail with this in its reasons.
fn assert_fails(lab: &Lab, rest: &str, reason: &str) -> Value {
    let (code, report) = lab.report_of(&two_hosts(rest));
    assert_failed(code, &report);
    assert!(reasons(&report).contains(reason), "{rest}: {}", reasons(&report));
    report
}

#[test]
fn a_program_that_cannot_start_or_ends_otherwise_fails_the_run_and_is_named() {
    let Some(lab) = Lab::on_any_clock("") else { return };
    // What the machine's speed has no part in is a failure whatever the machine did.
    for (rest, parts) in [
        ("workloads: { x: { in: a, command: [no-such-program, -v] } }", ["x: ", "no-such-program"]),
        ("workloads: { x: { in: a, command: [ls], cwd: no/such/folder } }", ["x: ", "no/such/folder"]),
        ("duration: 1s\nservices: { x: { in: a, command: [no-such-program] } }", ["x: ", "no-such-program"]),
    ] {
        let (code, report) = lab.report_of(&two_hosts(rest));
        assert_eq!(code, 1, "{rest}");
        assert!(parts.iter().all(|part| reasons(&report).contains(part)), "{}", reasons(&report));
    }

    let report = assert_fails(
        &lab,
        "workloads: { x: { in: a, shell: \"seq 1 30; echo oh no >&2; exit 9\" } }",
        "x: it exited with 9",
    );
    let work = &report["workloads"]["x"];
    let lines: Vec<&str> = work["output"].as_array().expect("lines").iter().filter_map(Value::as_str).collect();
    assert_eq!(
        (work["exit"].as_i64(), lines.last(), lines.len(), lines[0]),
        (Some(9), Some(&"oh no"), 21, "… 24 bytes before this"),
        "{lines:?}"
    );
    assert_fails(&lab, "workloads: { x: { in: a, shell: \"exit 0\", exit: 28 } }", "x: it exited with 0 instead of 28");
    assert_fails(&lab, "workloads: { x: { in: a, shell: \"kill -KILL $$\" } }", "x: it was ended by signal 9");

    let (code, report) = lab.report_of(&two_hosts("workloads: { x: { in: a, shell: \"exit 28\", exit: 28 } }"));
    assert_works(code, &report);
}

#[test]
fn a_program_that_takes_too_long_is_ended_and_says_so() {
    let Some(lab) = Lab::on_any_clock("") else { return };
    let report = assert_fails(
        &lab,
        "workloads: { x: { in: a, shell: \"echo begun; sleep 100\", timeout: 300ms } }",
        "x: it timed out after 300ms",
    );
    assert_eq!(report["workloads"]["x"]["output"][0], "begun");
    assert!(report["duration_ns"].as_u64().expect("a time") < 10_000_000_000);
    assert_fails(
        &lab,
        "duration: 300ms\nworkloads: { x: { in: a, command: [sleep, \"100\"] } }",
        "x: it had not ended when the scenario's duration was over",
    );
    // One that does not mind being asked is killed.
    assert_fails(
        &lab,
        "workloads: { x: { in: a, shell: \"trap '' TERM; sleep 100 & wait; wait; sleep 100\", timeout: 200ms } }",
        "timed out",
    );
}

#[test]
fn a_service_that_is_not_there_when_needed_fails_the_run() {
    let Some(lab) = Lab::on_any_clock("") else { return };
    let work = "workloads: { y: { in: b, command: [sleep, \"20\"] } }";
    let report = assert_fails(
        &lab,
        &format!("services: {{ x: {{ in: a, shell: \"echo no luck; exit 3\", ready: {{ tcp: 80 }} }} }}\n{work}"),
        "x: it exited with 3 before it was ready",
    );
    assert_eq!(report["services"]["x"]["output"][0], "no luck");
    assert_eq!(report["workloads"]["y"]["reason"], "it never started");
    let report = assert_fails(
        &lab,
        &format!("services: {{ x: {{ in: a, shell: \"sleep 0.3\" }} }}\n{work}"),
        "x: it exited with 0 while the run needed it",
    );
    assert_eq!(report["workloads"]["y"]["reason"], "it had not ended when a service failed");
    for (check, text) in [
        ("tcp: 80", "no program listened on TCP port 80"),
        ("udp: 53", "no program was bound to UDP port 53"),
        ("log: hello", "its output did not say \"hello\""),
        ("exec: [\"false\"]", "`false` did not succeed"),
    ] {
        let service =
            format!("services: {{ x: {{ in: a, command: [sleep, \"100\"], ready: {{ {check}, within: 200ms }} }} }}");
        assert_fails(&lab, &format!("{service}\n{work}"), &format!("x: it was not ready within 200ms: {text}"));
    }
    // And each check finds what it looks for.
    let (code, report) = lab.report_of(&two_hosts(
        "\
services:
  said: { in: a, shell: \"echo hello; sleep 100\", ready: { log: hello } }
  done: { in: a, shell: \"sleep 0.1; touch here; sleep 100\", ready: { exec: [ls, here] } }
workloads: { y: { in: b, command: [\"true\"] } }
",
    ));
    assert_works(code, &report);
}
