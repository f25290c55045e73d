//! Address translation between real hosts: who sees whom by which endpoint.

use crate::support::report::{assert_failed, assert_passed, number, reasons};
use crate::support::{Lab, has, skip};
use serde_json::Value;

/// Answers datagrams and connections with the endpoint that they came from.
const SERVER: &str = r#"
import socket, threading
def tell(family):
    s = socket.socket(socket.AF_INET, family)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("0.0.0.0", 7000))
    if family == socket.SOCK_DGRAM:
        while True:
            _, who = s.recvfrom(2000)
            s.sendto(("%s %d" % who).encode(), who)
    s.listen()
    while True:
        c, who = s.accept()
        total = 0
        while total < 1000000:
            total += len(c.recv(65536))
        c.sendall(("%s %d" % who).encode())
        c.close()
threading.Thread(target=tell, args=(socket.SOCK_DGRAM,), daemon=True).start()
tell(socket.SOCK_STREAM)
"#;

/// Asks two servers by UDP from one socket, and one by TCP with a megabyte; tells how they are seen.
const CLIENT: &str = r#"
import socket, sys
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind(("0.0.0.0", 5000))
u.settimeout(5)
for server in sys.argv[1:]:
    u.sendto(b"who", (server, 7000))
    print("udp", u.recv(2000).decode(), flush=True)
t = socket.create_connection((sys.argv[1], 7000), timeout=10)
t.sendall(b"x" * 1000000)
t.shutdown(socket.SHUT_WR)
print("tcp", t.recv(2000).decode(), flush=True)
"#;

fn scenario(nat: &str, pause: &str) -> String {
    format!(
        "\
longwire: 1
nodes:
  client: {{ host: {{ addresses: [10.1.0.2/24], routes: [{{ to: default, via: 10.1.0.1 }}] }} }}
  home:
    router:
      addresses: {{ lan: [10.1.0.1/24], wan: [203.0.113.1/24] }}
      routes: [{{ to: default, via: 203.0.113.254 }}]
      nat: {nat}
  isp: {{ router: {{ addresses: {{ home: [203.0.113.254/24], east: [198.51.100.1/24], west: [192.0.2.1/24] }} }} }}
  east: {{ host: {{ addresses: [198.51.100.2/24], routes: [{{ to: default, via: 198.51.100.1 }}] }} }}
  west: {{ host: {{ addresses: [192.0.2.2/24], routes: [{{ to: default, via: 192.0.2.1 }}] }} }}
links:
  lan:  {{ ends: [client, home.lan] }}
  dsl:  {{ ends: [home.wan, isp.home], delay: 2ms }}
  one:  {{ ends: [isp.east, east] }}
  two:  {{ ends: [isp.west, west] }}
services:
  east-server: {{ in: east, command: [python3, server.py], ready: {{ tcp: 7000 }} }}
  west-server: {{ in: west, command: [python3, server.py], ready: {{ tcp: 7000 }} }}
workloads:
  ask: {{ in: client, command: [python3, client.py, 198.51.100.2, 192.0.2.2], timeout: 20s }}
{pause}"
    )
}

/// A lab with the two programs.
fn lab(nat: &str, more: &str) -> Option<Lab> {
    if !has("python3") {
        return None;
    }
    let lab = Lab::on_any_clock(&scenario(nat, more))?;
    lab.write("server.py", SERVER);
    lab.write("client.py", CLIENT);
    Some(lab)
}

/// What the client printed: protocol, address and port of each line.
fn seen(report: &Value) -> Vec<(String, String, u16)> {
    let ask = &report["workloads"]["ask"];
    assert_eq!(ask["ok"], true, "{ask:#}");
    let lines = ask["output"].as_array().expect("output");
    let words = |line: &Value| {
        let line = line.as_str().expect("text");
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words.len(), 3, "{line}");
        (words[0].to_owned(), words[1].to_owned(), words[2].parse().expect("a port"))
    };
    lines.iter().map(words).collect()
}

fn nat(report: &Value) -> &Value {
    let nodes = report["nodes"].as_array().expect("nodes");
    &nodes.iter().find(|node| node["name"] == "home").expect("home")["nat"]
}

#[test]
fn servers_see_the_outside_address_and_one_port_or_one_each() {
    for (kind, same) in [("wan", true), ("{ outside: wan, type: symmetric }", false)] {
        let Some(lab) = lab(kind, "  rtt: { ping: { from: client, to: east, count: 3, every: 10ms } }\n") else {
            return;
        };
        let (code, report) = lab.report();
        assert_passed(code, &report);
        let seen = seen(&report);
        assert_eq!(seen.iter().map(|(what, ..)| what.as_str()).collect::<Vec<_>>(), ["udp", "udp", "tcp"]);
        assert!(seen.iter().all(|(_, address, _)| address == "203.0.113.1"), "{seen:?}");
        assert_eq!(seen[0].2 == seen[1].2, same, "{kind}: {seen:?}");
        assert_eq!(seen[0].2, 5000, "preserved");
        assert_eq!(report["workloads"]["rtt"]["received"], 3, "ping is translated too");
        // UDP once or twice, TCP, ping
        assert_eq!(number(&nat(&report)["made"]), if same { 3 } else { 4 }, "{:#}", nat(&report));
    }
}

#[test]
fn a_forward_lets_in_and_nothing_else_does() {
    let forward = "{ outside: wan, forward: [{ port: 8080, to: \"10.1.0.2:7000\", protocol: udp }] }";
    let more = "  \
        reach: { in: east, command: [python3, client2.py, 203.0.113.1, \"8080\"] }
  closed: { in: east, command: [python3, client2.py, 203.0.113.1, \"8081\"], exit: 1 }
";
    let Some(lab) = lab(forward, more) else { return };
    let text = scenario(forward, more).replace(
        "services:\n",
        "services:\n  inside-server: { in: client, command: [python3, server.py], ready: { tcp: 7000 } }\n",
    );
    lab.write(
        "client2.py",
        "import socket, sys\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.settimeout(1)\n\
         s.connect((sys.argv[1], int(sys.argv[2])))\ns.send(b'who')\nprint(s.recv(2000).decode())\n",
    );
    let (code, report) = lab.report_of(&text);
    assert_passed(code, &report);
    let reach = report["workloads"]["reach"]["output"].to_string();
    assert!(reach.contains("198.51.100.2"), "the inside server sees who asks: {reach}");
    let nodes = report["nodes"].as_array().expect("nodes");
    let home = nodes.iter().find(|node| node["name"] == "home").expect("home");
    assert!(number(&home["dropped"]["nat_no_mapping"]) >= 1, "{home:#}");
}

#[test]
fn a_rebind_gives_a_flow_another_port() {
    let more = "  \
  stay: { in: client, command: [python3, twice.py], timeout: 20s }
timeline: [{ at: 2s, rebind: home }]
";
    let Some(lab) = lab("wan", more) else { return };
    lab.write(
        "twice.py",
        "import socket, time\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.bind(('0.0.0.0', 6000))\n\
         s.settimeout(5)\n\
         for _ in range(2):\n    s.sendto(b'who', ('198.51.100.2', 7000))\n    print(s.recv(2000).decode(), flush=True)\n    \
         time.sleep(3)\n",
    );
    let (code, report) = lab.report();
    assert_passed(code, &report);
    let lines: Vec<String> = report["workloads"]["stay"]["output"]
        .as_array()
        .expect("output")
        .iter()
        .map(|line| line.as_str().expect("text").to_owned())
        .collect();
    assert_eq!((lines.len(), lines[0].as_str()), (2, "203.0.113.1 6000"));
    assert_ne!(lines[0], lines[1]);
    assert_eq!(number(&nat(&report)["rebinds"]), 1);
}

/// A home behind a NAT, whose server is another home's neighbour, by names.
fn by_name(nat: &str, command: &str) -> String {
    format!(
        "\
longwire: 1
nodes: {{ laptop: host, home: {{ router: {{ nat: {nat} }} }}, server: host }}
links: {{ lan: {{ ends: [laptop, home.lan] }}, access: {{ ends: [home.wan, server], delay: 1ms, rate: 20Mbit }} }}
workloads: {{ c: {{ in: laptop, command: {command} }} }}
"
    )
}

#[test]
fn a_name_behind_a_nat_leads_through_it_and_ipv6_stays_on() {
    if !has("ping") {
        return;
    }
    let Some(lab) = Lab::on_any_clock(&by_name("wan", "[ping, -c, \"3\", -i, \"0.2\", server]")) else { return };
    let (code, report) = lab.report();
    assert_passed(code, &report);
    assert_eq!(number(&nat(&report)["made"]), 1, "{:#}", report["workloads"]["c"]["output"]);
    assert!(number(&nat(&report)["translated"]) >= 6 && nat(&report)["ipv6"] == 0, "{:#}", nat(&report));
    assert_eq!(report["warnings"], Value::Null, "{}", report["warnings"]);
    if !std::path::Path::new("/etc/gai.conf").exists() {
        return skip("without /etc/gai.conf names behind a NAT have no IPv6 addresses");
    }
    let around = by_name("{ outside: wan, required: true }", "[ping, -6, -c, \"3\", -i, \"0.2\", server]");
    let (code, report) = lab.report_of(&around);
    assert_eq!(report["workloads"]["c"]["ok"], true, "{:#}", report["workloads"]["c"]);
    assert_eq!((number(&nat(&report)["made"]), number(&nat(&report)["ipv6"])), (0, 6));
    let warning = report["warnings"][0].as_str().unwrap_or_default();
    assert_eq!(warning, "the NAT of `home` translated nothing: 6 IPv6 frames passed around it");
    assert_failed(code, &report);
    let reasons = reasons(&report);
    assert!(code == 3 || reasons.contains("`home` translated nothing, and its NAT is `required`"), "{reasons}");
}

#[test]
fn ipv6_from_outside_does_not_come_in_unasked() {
    if !has("ping") {
        return;
    }
    let knock = |nat: &str, exit: u32| {
        by_name(nat, "[sleep, \"0\"]").replace(
            "workloads: {",
            &format!("workloads: {{ knock: {{ in: server, shell: \"ping -6 -c 1 -W 1 laptop\", exit: {exit} }}, "),
        )
    };
    let Some(lab) = Lab::on_any_clock(&knock("wan", 1)) else { return };
    let (code, report) = lab.report();
    assert_passed(code, &report);
    let home = &report["nodes"][0];
    assert_eq!(number(&home["dropped"]["nat_unsolicited"]), 1, "{home:#}");
    let (code, report) = lab.report_of(&knock("{ outside: wan, ipv6: routed }", 0));
    assert_passed(code, &report);
    assert_eq!(number(&report["nodes"][0]["nat"]["ipv6"]), 2);
}
