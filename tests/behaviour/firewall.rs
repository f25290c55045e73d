//! A firewall between real kernels: what passes, what is refused and how a program sees it, what is counted.

use crate::support::report::{assert_passed, number};
use crate::support::{Lab, has};
use serde_json::Value;

/// Connects, and says in one word what came of it before the time to wait was over. Arguments: family, protocol, address, port, seconds to wait.
const PROBE: &str = "\
import errno, socket, sys
family, kind, host, port, wait = sys.argv[1:]
family = socket.AF_INET6 if family == '6' else socket.AF_INET
kind = socket.SOCK_STREAM if kind == 'tcp' else socket.SOCK_DGRAM
peer = socket.socket(family, kind)
peer.settimeout(float(wait))
try:
    peer.connect((host, int(port)))
    peer.send(b'hello')
    print('answer', peer.recv(100).decode())
except socket.timeout:
    print('silence')
except OSError as error:
    print(errno.errorcode[error.errno])
";

/// Answers whatever comes, over TCP and UDP, on one port.
const SERVER: &str = "\
import socket, sys, threading
port = int(sys.argv[1])
tcp = socket.create_server(('::', port), family=socket.AF_INET6, dualstack_ipv6=True)
udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
udp.bind(('::', port))
def datagrams():
    while True:
        data, sender = udp.recvfrom(100)
        udp.sendto(data.upper(), sender)
threading.Thread(target=datagrams, daemon=True).start()
while True:
    peer, _ = tcp.accept()
    peer.send(peer.recv(100).upper())
    peer.close()
";

const SCENARIO: &str = "\
longwire: 1
nodes:
  alice:
    host:
      addresses: [10.1.0.2/24, \"fd00:1::2/64\"]
      routes: [{ to: default, via: 10.1.0.1 }, { to: default, via: \"fd00:1::1\" }]
  web:
    host:
      addresses: [10.2.0.2/24, \"fd00:2::2/64\"]
      routes: [{ to: default, via: 10.2.0.1 }, { to: default, via: \"fd00:2::1\" }]
  gw:
    router:
      addresses: { lan: [10.1.0.1/24, \"fd00:1::1/64\"], dmz: [10.2.0.1/24, \"fd00:2::1/64\"] }
      firewall:
        default: drop
        rules:
          - { name: open, allow: { from: alice, to: web, protocol: [tcp, udp], port: 80 } }
          - { name: refused, reject: { in: lan, out: dmz, protocol: [tcp, udp], port: 81 } }
          - { name: unused, allow: { from: web, tcp: 22 } }
          - { name: pings, reject: { to: web, icmp_type: echo_request } }
links:
  left:  { ends: [alice, gw.lan], delay: 2ms }
  right: { ends: [gw.dmz, web], delay: 2ms }
services:
  open:    { in: web, command: [python3, server.py, '80'], ready: { tcp: 80 } }
  refused: { in: web, command: [python3, server.py, '81'], ready: { tcp: 81 } }
  closed:  { in: web, command: [python3, server.py, '82'], ready: { tcp: 82 } }
  inside:  { in: alice, command: [python3, server.py, '80'], ready: { tcp: 80 } }
workloads:
";

fn lines(work: &Value) -> String {
    let lines = work["output"].as_array().expect("lines").iter().map(|line| line.as_str().expect("text"));
    lines.collect::<Vec<_>>().join(" ")
}

/// Frames that a rule of `gw` decided about.
fn decided(report: &Value, rule: &str) -> u64 {
    let nodes = report["nodes"].as_array().expect("nodes");
    let gw = nodes.iter().find(|node| node["name"] == "gw").expect("the router");
    let rules = gw["firewall"].as_array().expect("rules");
    number(&rules.iter().find(|counted| counted["rule"] == rule).unwrap_or_else(|| panic!("{rule}"))["frames"])
}

#[test]
fn programs_see_open_refused_and_silent_ports() {
    if !has("python3") {
        return;
    }
    let mut scenario = SCENARIO.to_owned();
    let mut expected = Vec::new();
    for (family, address) in [("4", "10.2.0.2"), ("6", "fd00:2::2")] {
        // what Linux makes of an ICMP error of prohibition: EHOSTUNREACH for IPv4, EACCES for IPv6
        let prohibited = if family == "4" { "EHOSTUNREACH" } else { "EACCES" };
        for (kind, port, word) in [
            ("tcp", 80, "answer HELLO"),
            ("udp", 80, "answer HELLO"),
            ("tcp", 81, "ECONNREFUSED"),
            ("udp", 81, prohibited),
            ("tcp", 82, "silence"),
            ("udp", 82, "silence"),
        ] {
            let name = format!("{kind}{port}v{family}");
            scenario += &format!(
                "  {name}: {{ in: alice, command: [python3, probe.py, '{family}', {kind}, '{address}', '{port}', '1.5'], \
                 timeout: 20s }}\n"
            );
            expected.push((name, word));
        }
    }
    scenario += "  back: { in: web, command: [python3, probe.py, '4', tcp, 10.1.0.2, '80', '1.5'], timeout: 20s }\n";
    expected.push(("back".into(), "silence"));
    let Some(lab) = Lab::on_any_clock(&scenario) else { return };
    lab.write("probe.py", PROBE);
    lab.write("server.py", SERVER);
    let (code, report) = lab.report();
    assert_passed(code, &report);
    for (name, word) in expected {
        let work = &report["workloads"][&name];
        assert_eq!(lines(work), word, "{name}: {work:#}");
    }
    // One SYN or datagram is enough, but a kernel may send more.
    assert!(decided(&report, "open") >= 4, "{:#}", report["nodes"]);
    assert!(decided(&report, "replies") >= 4, "{:#}", report["nodes"]);
    assert_eq!((decided(&report, "refused"), decided(&report, "unused"), decided(&report, "pings")), (4, 0, 0));
    assert!(decided(&report, "default") >= 5, "{:#}", report["nodes"]);
    let gw = report["nodes"].as_array().expect("nodes").iter().find(|node| node["name"] == "gw").expect("the router");
    assert_eq!(number(&gw["dropped"]["firewall"]), decided(&report, "refused") + decided(&report, "default"));
}

#[test]
fn a_rejected_ping_is_told_that_it_is_prohibited() {
    if !has("ping") {
        return;
    }
    let services = SCENARIO.find("services:").expect("there are some");
    let scenario = format!(
        "{}workloads:\n  four: {{ in: alice, command: [ping, -4, -c, '1', -W, '2', web], exit: 1, timeout: 20s }}\n  \
         six: {{ in: alice, command: [ping, '-6', -c, '1', -W, '2', web], exit: 1, timeout: 20s }}\n",
        &SCENARIO[..services]
    );
    let Some(lab) = Lab::on_any_clock(&scenario) else { return };
    let (code, report) = lab.report();
    assert_passed(code, &report);
    let said = |name: &str| lines(&report["workloads"][name]);
    assert!(
        said("four").contains("10.1.0.1) icmp_seq=1") && said("four").contains("Packet filtered"),
        "{}",
        said("four")
    );
    assert!(said("six").contains("prohibited"), "{}", said("six"));
    assert_eq!(decided(&report, "pings"), 2);
}
