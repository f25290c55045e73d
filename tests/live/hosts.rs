//! Hosts beside the machine that they are on: its files, and its users.

use std::fs;

use crate::support::report::assert_works;
use crate::support::{Lab, has, is_root};
use serde_json::Value;

#[test]
fn nothing_that_root_in_a_host_does_to_its_resolver_reaches_the_machine() {
    if !is_root() || !["unshare", "mount", "cp"].into_iter().all(has) {
        return;
    }
    let Some(lab) = Lab::new(
        "\
longwire: 1
nodes: { a: host, b: host }
links: { w: { ends: [a, b] } }
workloads:
  write: { in: a, root: true, shell: \"echo 'nameserver 10.0.0.99' > /etc/resolv.conf\" }
  move:  { in: a, root: true, shell: \"echo 'nameserver 10.0.0.98' > /run/r; mv -f /run/r /etc/resolv.conf; true\", after: write }
  other: { in: b, shell: \"test ! -s /etc/resolv.conf\", after: move }
",
    ) else {
        return;
    };
    // A mount namespace of the test's own stands for the machine, with a copy of /etc.
    let script = format!(
        "mount --make-rprivate / && cp -a /etc etc && mount --bind etc /etc && rm -f /etc/resolv.conf && \
         echo 'nameserver 192.0.2.1' > /etc/resolv.conf && {} run scenario.yaml --json report.json >/dev/null; \
         echo $? > code; cat /etc/resolv.conf > after",
        env!("CARGO_BIN_EXE_longwire")
    );
    let ended = lab.start(lab.other("unshare", &["-m", "sh", "-c", &script])).wait();
    assert_eq!(ended.code, 0, "{}", ended.told());
    let report: Value = serde_json::from_str(&lab.read("report.json")).expect("a report");
    assert_works(lab.read("code").trim().parse().expect("a code"), &report);
    assert_eq!(lab.read("after"), "nameserver 192.0.2.1\n");
    fs::remove_dir_all(lab.path("etc")).expect("our copy");
}

#[test]
fn a_normal_user_needs_no_root() {
    if !is_root() || !has("ping") {
        return;
    }
    let Some(lab) = Lab::new(
        "\
longwire: 1
nodes: { a: host, b: host }
links: { wire: { ends: [a, b], delay: 1ms } }
services:
  web: { in: b, command: [/usr/bin/python3, -m, http.server, \"80\"], ready: { tcp: 80, within: 20s } }
workloads:
  who:    { in: a, command: [id, -u] }
  root:   { in: a, command: [id, -u], root: true }
  rtt:    { ping: { from: a, to: b, count: 5, every: 10ms } }
  ping:   { in: a, command: [ping, -c, \"2\", -i, \"0.1\", b] }
  bulk:   { tcp: { from: a, to: b, bytes: 200kB } }
  port80: { in: a, command: [curl, -sf, -o, /dev/null, \"http://b/\"] }
",
    ) else {
        return;
    };
    let Some(as_nobody) = crate::support::as_nobody(&lab) else { return };
    let ended = as_nobody(&["run", "scenario.yaml", "--json", "-"]);
    let report = ended.json();
    assert_works(ended.code, &report);
    assert_eq!(report["workloads"]["who"]["output"][0], "65534");
    assert_eq!(report["workloads"]["root"]["output"][0], "0");
}
