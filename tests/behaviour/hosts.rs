//! Hosts as their programs find them: names, resolver, multicast, rights, MTU.

use crate::support::report::{assert_works, direction, dropped};
use crate::support::{Lab, has};

#[test]
fn a_host_has_its_own_resolver_and_knows_its_own_name() {
    if !["getent", "python3"].into_iter().all(has) {
        return;
    }
    let Some(lab) = Lab::on_any_clock(
        "\
longwire: 1
nodes: { a: { host: { neighbours: dynamic } }, b: { host: { dns: [a, 192.0.2.53] } } }
links: { w: { ends: [a, b] } }
workloads:
  name: { in: a, shell: 'test \"$(cat /proc/sys/kernel/hostname)\" = a && getent hosts a' }
  full: { in: a, shell: 'python3 -c \"import socket; socket.getfqdn(); print(socket.gethostbyname(socket.gethostname()))\"', timeout: 20s }
  none: { in: a, shell: 'timeout 3 getent hosts no-such-name.example; test $? = 2 -a ! -s /etc/resolv.conf' }
  dns:  { in: b, shell: 'grep -c -x -e \"nameserver 10.0.0.1\" -e \"nameserver 192.0.2.53\" /etc/resolv.conf' }
",
    ) else {
        return;
    };
    let (code, report) = lab.report();
    assert_works(code, &report);
    assert_eq!(report["workloads"]["full"]["output"][0], "10.0.0.1");
    assert_eq!(report["workloads"]["dns"]["output"][0], "2");
}

#[test]
fn no_program_of_a_host_can_set_the_machines_clock() {
    let Some(lab) = Lab::on_any_clock(
        "\
longwire: 1
nodes: { a: host, b: host }
links: { w: { ends: [a, b] } }
workloads:
  root: { in: a, root: true, shell: \"grep CapBnd /proc/self/status\" }
  user: { in: a, shell: \"grep CapBnd /proc/self/status\" }
",
    ) else {
        return;
    };
    let (code, report) = lab.report();
    assert_works(code, &report);
    for name in ["root", "user"] {
        let line = report["workloads"][name]["output"][0].as_str().expect("a line").to_owned();
        let bits = u64::from_str_radix(line.trim_start_matches("CapBnd:").trim(), 16).expect("bits");
        // CAP_SYS_TIME and CAP_SYS_BOOT; CAP_NET_ADMIN is there, so the number is one that was read
        assert_eq!((bits >> 25 & 1, bits >> 22 & 1, bits >> 12 & 1), (0, 0, 1), "{name}: {line}");
    }
}

#[test]
fn no_signal_leaves_a_host() {
    let Some(lab) = Lab::on_any_clock(
        "\
longwire: 1
nodes: { a: host, b: host, c: host, s: switch }
links: { la: { ends: [a, s] }, lb: { ends: [b, s], delay: 1ms }, lc: { ends: [c, s], delay: 1ms } }
workloads:
  attack: { in: a, root: true, shell: \"for n in $(seq 20); do kill -STOP -1; kill -9 -1; kill -9 1; sleep 0.02; done\" }
  later:  { in: a, shell: \"cat /proc/sys/kernel/hostname\", after: attack }
  rtt:    { ping: { from: b, to: c, every: 10ms, count: 60 } }
  call:   { udp: { from: b, to: c, rate: 1Mbit, for: 500ms } }
  bulk:   { tcp: { from: c, to: b, bytes: 1MB } }
expect: [ rtt.loss == 0%, call.loss == 0%, later.exit == 0 ]
",
    ) else {
        return;
    };
    let (code, report) = lab.report();
    assert_works(code, &report);
    assert_eq!(report["workloads"]["rtt"]["received"], 60);
    assert_eq!(report["workloads"]["later"]["output"][0], "a");
}

#[test]
fn multicast_and_broadcast_leave_a_host_without_a_router() {
    if !has("python3") {
        return;
    }
    let Some(lab) = Lab::on_any_clock(
        "\
longwire: 1
nodes: { x: host, y: host, s: switch }
links: { one: { ends: [x, s] }, two: { ends: [y, s] } }
services:
  hear: { in: y, command: [python3, hear.py], ready: { udp: 5000, within: 20s } }
workloads:
  say: { in: x, command: [python3, say.py], timeout: 20s }
",
    ) else {
        return;
    };
    lab.write(
        "hear.py",
        "\
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, struct.pack('4s4s', socket.inet_aton('239.1.1.1'), bytes(4)))
s.bind(('', 5000))
while True:
    data, back = s.recvfrom(100)
    s.sendto(data, back)
",
    );
    lab.write(
        "say.py",
        "\
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
for group in ('239.1.1.1', '255.255.255.255'):
    s.sendto(group.encode(), (group, 5000))
    assert s.recv(100) == group.encode()
",
    );
    let (code, report) = lab.report();
    assert_works(code, &report);
}

#[test]
fn a_port_drops_what_is_larger_than_its_links_mtu() {
    if !has("ping") {
        return;
    }
    let Some(lab) = Lab::on_any_clock(
        "\
longwire: 1
addressing: { ipv6: none }
nodes: { a: host, c: host, sw: switch }
links: { la: { ends: [a, sw], mtu: 9000 }, lc: { ends: [c, sw] } }
workloads:
  large: { in: a, shell: 'ping -M do -c 2 -W 1 -s 8000 c; test $? = 1' }
  fits:  { in: a, command: [ping, -M, do, -c, \"2\", -W, \"5\", -s, \"1472\", c], after: large }
",
    ) else {
        return;
    };
    let (code, report) = lab.report();
    assert_works(code, &report);
    assert_eq!(dropped(direction(&report, "lc", "c"), "mtu"), 2, "{:#}", direction(&report, "lc", "c"));
    let checked = lab.run(&["check", "scenario.yaml"]);
    assert!(checked.told().contains("takes 1500: larger ones"), "{}", checked.told());
}
