//! Hosts are as the plan says, and what cannot be is refused with the reason.

use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use longwire::addressing::neighbour_table::NeighbourTable;
use longwire::addressing::network::{NetworkPlan, Place, RoutePlan};
use longwire::host::{Cause, ExitStatus, HostError, Init, link_local, probe};
use longwire::port::tap::{Framing, QUEUE_LENGTH, RING_FRAMES, TapPort};

use crate::harness::{as_root, build, builtin, connect, native, or_skip, output, segment, shell, skip, start, until};

pub(crate) fn packets_travel() {
    let plan = segment(2);
    let (mut init, ports) = build(&plan);
    connect(ports);
    start(&mut init, 1, "h2", native("echo", "[::]:7")).expect("an echo");
    until("the echo is there", || {
        init.listening("h2", longwire::host::Transport::Udp, Some(7)).expect("a host of this run")
    });
    let local = link_local(plan.hosts[1].interfaces[0].mac);
    for (id, target) in ["four2:7", "six2:7", "10.0.0.2:7", &format!("{local}%eth0:7")].into_iter().enumerate() {
        let (_, status) = output(&mut init, 10 + id as u64, "h1", native("ask", target));
        assert_eq!(status, ExitStatus::Code(0), "{target}");
    }
    // Nobody there: the question itself must be able to fail.
    let (_, status) = output(&mut init, 20, "h1", native("ask", "10.0.0.2:8"));
    assert_ne!(status, ExitStatus::Code(0));
    let (_, status) = output(&mut init, 21, "h1", native("ask", "no-such-name:7"));
    assert_eq!(status, ExitStatus::Code(2));
    // Each host talks to itself, too.
    assert_eq!(output(&mut init, 22, "h2", native("ask", "h2:7")).1, ExitStatus::Code(0));
    assert_eq!(output(&mut init, 23, "h1", native("icmp", "")).1, ExitStatus::Code(0));
    let statistics = init.statistics().expect("counters");
    let [h1, h2] = [0, 1].map(|host: usize| statistics[host][0].expect("it is there"));
    // Four questions of five datagrams, with an answer each.
    assert!(h1.tx_packets >= 20 && h1.rx_packets >= 20, "{h1:?}");
    assert!(h2.tx_packets >= 20 && h2.rx_bytes > 20 * 46, "{h2:?}");
    assert_eq!((h1.tx_dropped, h2.tx_dropped), (0, 0));
}

pub(crate) fn interfaces() {
    let mut plan = segment(2);
    let host = &mut plan.hosts[0];
    let mut second = host.interfaces[0].clone();
    second.name = "wlan0".into();
    second.mac = [2, 0, 0, 0, 9, 9];
    second.mtu = 9000;
    second.addresses = vec!["192.168.7.1/31".parse().expect("v4"), "fd07::1/64".parse().expect("v6")];
    let entry = ("fd07::2".parse().expect("v6"), [2, 0, 0, 0, 9, 2]);
    second.neighbours = NeighbourTable::new(1, [entry].into(), 0..0, [true, true]);
    host.interfaces.push(second);
    let route = |to: &str, via: Option<&str>, interface: Option<&str>, table| RoutePlan {
        to: to.parse().expect("a prefix"),
        via: via.map(|via| via.parse().expect("an address")),
        interface: interface.map(String::from),
        table,
    };
    host.routes = vec![
        route("0.0.0.0/0", Some("10.0.0.2"), None, 254),
        route("::/0", Some("fe80::ff:fe00:2"), Some("eth0"), 254),
        route("172.16.0.0/12", None, Some("wlan0"), 254),
        route("0.0.0.0/0", Some("192.168.7.0"), Some("wlan0"), 102),
        route("::/0", Some("fd07::2"), Some("wlan0"), 1002),
    ];
    host.rules = vec![("192.168.7.1".parse().expect("v4"), 102), ("fd07::1".parse().expect("v6"), 1002)];
    let (mut init, _ports) = build(&plan);
    let mut ask = |script: &str| output(&mut init, 1, "h1", shell(script)).0;
    assert_eq!(ask("cat /etc/hosts"), plan.hosts[0].hosts_file.text());
    for (name, wanted) in
        [("ipv4.ip_forward", "0"), ("ipv4.conf.all.rp_filter", "0"), ("ipv4.conf.eth0.arp_ignore", "1")]
    {
        assert_eq!(ask(&format!("cat /proc/sys/net/{}", name.replace('.', "/"))).trim(), wanted, "{name}");
    }
    for name in ["accept_ra", "autoconf", "accept_dad", "router_solicitations", "forwarding", "disable_ipv6"] {
        assert_eq!(ask(&format!("cat /proc/sys/net/ipv6/conf/wlan0/{name}")).trim(), "0", "{name}");
    }
    if ask("ip -V").is_empty() {
        skip("no `ip` here to look at the interfaces with");
    }
    let links = ask("ip -o link");
    for wanted in
        ["eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1400", "02:00:00:00:00:01", "mtu 9000", "02:00:00:00:09:09"]
    {
        assert!(links.contains(wanted), "{wanted} in {links}");
    }
    assert!(links.contains("lo: <LOOPBACK,UP,LOWER_UP>"), "{links}");
    assert_eq!(links.matches("qlen 4160").count(), 2, "{links}");
    let addresses = ask("ip -o addr");
    for wanted in
        ["10.0.0.1/16 brd 10.0.255.255", "fd00::1/64", "192.168.7.1/31 scope", "fe80::ff:fe00:1/64 scope link"]
    {
        assert!(addresses.contains(wanted), "{wanted} in {addresses}");
    }
    // No address waits for anybody, and none came by itself: v4, v6, link-local each, and loopback's two.
    assert!(!addresses.contains("tentative"), "{addresses}");
    assert_eq!(addresses.lines().count(), 8, "{addresses}");
    let neighbours = ask("ip neigh");
    assert_eq!(neighbours.matches("PERMANENT").count(), 4, "{neighbours}");
    let all = ask("ip route; ip -6 route; ip route show table 102; ip -6 route show table 1002; ip rule; ip -6 rule");
    for wanted in [
        "default via 10.0.0.2 dev eth0",
        "default via fe80::ff:fe00:2 dev eth0",
        "172.16.0.0/12 dev wlan0",
        "default via 192.168.7.0 dev wlan0",
        "default via fd07::2 dev wlan0",
        "from 192.168.7.1 lookup 102",
        "from fd07::1 lookup 1002",
    ] {
        assert!(all.contains(wanted), "{wanted} in {all}");
    }
    assert_eq!(ask("ls /sys/class/net").split_whitespace().collect::<Vec<_>>(), ["eth0", "lo", "wlan0"]);
}

/// A table that is too long to be given to kernels at once: 10.0.0.0/16 whole, and two hosts.
pub(crate) fn neighbours_on_demand() {
    let mut plan = segment(2);
    let known: Vec<_> = plan.hosts.iter().flat_map(|host| host.interfaces[0].neighbours.iter()).collect();
    let others = (1_000..2_200_u16).map(|n| {
        let [high, low] = n.to_be_bytes();
        (std::net::Ipv4Addr::new(10, 0, high, low).into(), [2, 0, 0, 1, high, low])
    });
    let all: Arc<[_]> = known.into_iter().chain(others).collect();
    for host in &mut plan.hosts {
        host.interfaces[0].neighbours = NeighbourTable::new(7, Arc::clone(&all), 0..0, [true, true]);
    }
    let (mut init, ports) = build(&plan);
    let mut ask = |script: &str| output(&mut init, 1, "h1", shell(script)).0;
    if ask("command -v ip; command -v bash").lines().count() < 2 {
        skip("no `ip` and `bash` here");
    }
    assert_eq!(ask("ip neigh | grep -c PERMANENT").trim(), "0");
    let send = "for a in 10.0.0.2 10.0.4.10 fd00::2 10.0.200.1; do echo x > /dev/udp/$a/9; done; sleep 0.3";
    ask(&format!("bash -c '{send}'"));
    let neighbours = ask("ip neigh");
    for known in [
        "10.0.0.2 dev eth0 lladdr 02:00:00:00:00:02 PERMANENT",
        "fd00::2 dev eth0 lladdr 02:00:00:00:00:02 PERMANENT",
        "10.0.4.10 dev eth0 lladdr 02:00:00:01:04:0a PERMANENT",
    ] {
        assert!(neighbours.contains(known), "{known} in {neighbours}");
    }
    assert_eq!(neighbours.matches("PERMANENT").count(), 3, "{neighbours}");
    // what was sent went to those it was for, and only what nobody knows was asked of the network
    std::thread::sleep(Duration::from_millis(1_200));
    let (mut sent, mut asked) = (Vec::new(), Vec::new());
    let mut frame = [0; 2_000];
    while let Ok(length) = ports[0][0].read(&mut frame) {
        let ethernet = &frame[..length];
        match ethernet[12..14] {
            [0x08, 0x06] => asked.push(ethernet[38..42].to_vec()),
            [0x08, 0x00] if ethernet[23] == 17 => sent.push(ethernet[..6].to_vec()),
            _ => {}
        }
    }
    assert_eq!(sent, [vec![2, 0, 0, 0, 0, 2], vec![2, 0, 0, 1, 4, 10]]);
    assert!(!asked.is_empty() && asked.iter().all(|address| address[..] == [10, 0, 200, 1]), "{asked:?}");
    // the kernel forgets all of it with the interface, and asks again
    let again =
        "ip link set eth0 down; ip link set eth0 up; sleep 0.3; echo x > /dev/udp/10.0.0.2/9; sleep 0.3; ip neigh";
    let neighbours = output(&mut init, 2, "h1", as_root(shell(&format!("bash -c '{again}'")))).0;
    assert!(neighbours.contains("10.0.0.2 dev eth0 lladdr 02:00:00:00:00:02 PERMANENT"), "{neighbours}");
}

pub(crate) fn ring() {
    let extra = 500;
    let (mut init, ports) = build(&segment(2));
    let port = &ports[0][0];
    let mut frame = [0; 2_000];
    while port.read(&mut frame).is_ok() {}
    let before = init.statistics().expect("counters")[0][0].expect("it is there");
    let (_, status) = output(&mut init, 1, "h1", native("flood", &(RING_FRAMES + extra).to_string()));
    assert_eq!(status, ExitStatus::Code(0));
    let after = init.statistics().expect("counters")[0][0].expect("it is there");
    let mut held = 0;
    while port.read(&mut frame).is_ok() {
        held += 1;
    }
    assert!((RING_FRAMES..=QUEUE_LENGTH).contains(&held), "the ring held {held} frames");
    // A multicast report of the kernel's own may be among them.
    let dropped = after.tx_dropped - before.tx_dropped;
    let lost = u64::from(RING_FRAMES + extra - held);
    assert!((lost..lost + 5).contains(&dropped), "{dropped} dropped");
}

pub(crate) fn many_hosts() {
    // The design's 200 hosts take a while in a debug build on two cores; LONGWIRE_TEST_HOSTS=200 tries them.
    let count = std::env::var("LONGWIRE_TEST_HOSTS").ok().and_then(|n| n.parse().ok()).unwrap_or(60);
    let plan = segment(count);
    let begin = Instant::now();
    let (mut init, ports) = build(&plan);
    let took = begin.elapsed();
    println!("  {count} hosts with {} neighbours each in {} ms", 3 * (count - 1), took.as_millis());
    assert_eq!(ports.len(), usize::from(count));
    assert!(took < Duration::from_secs(2) * u32::from(count), "{took:?}");
    let last = format!("h{count}");
    let (text, _) = output(&mut init, 1, &last, shell("grep -c : /proc/net/arp; ip neigh | grep -c PERMANENT"));
    let begin = Instant::now();
    drop(ports);
    drop(init);
    let took = begin.elapsed();
    println!("  gone in {} ms", took.as_millis());
    assert!(took < Duration::from_secs(60), "{took:?}");
    assert_eq!(text.lines().last(), Some(&*(3 * (count - 1)).to_string()), "{text}");
}

pub(crate) fn wrong_plans() {
    let refused = |change: &dyn Fn(&mut NetworkPlan)| -> HostError {
        let mut plan = segment(2);
        change(&mut plan);
        let mut init = or_skip(Init::start(builtin));
        or_skip(init.build(&segment(2), Framing::Plain));
        plan.hosts.iter_mut().for_each(|host| host.name.push('x'));
        init.build(&plan, Framing::Plain).expect_err("refused")
    };
    let error = refused(&|plan| plan.hosts[1].interfaces[0].mtu = 1000);
    assert_eq!(error.cause, Cause::Input);
    assert!(error.to_string().contains("1280") && error.to_string().contains("(host `h2x`)"), "{error}");
    let error = refused(&|plan| {
        let address = plan.hosts[0].interfaces[0].addresses[0];
        plan.hosts[0].interfaces[0].addresses.push(address);
    });
    assert!(error.errno == Some(libc::EEXIST) && error.doing.contains("10.0.0.1/16"), "{error}");
    let error = refused(&|plan| {
        let to = "10.9.0.0/16".parse().expect("a prefix");
        plan.hosts[0].routes = vec![RoutePlan { to, via: Some([192, 168, 0, 1].into()), interface: None, table: 254 }];
    });
    assert!(error.doing.contains("10.9.0.0/16 via 192.168.0.1"), "{error}");
}

/// A process in a network namespace of its own.
struct Container(Child);

impl Container {
    fn start() -> Container {
        let flags: &[&str] = if nix::unistd::getuid().is_root() { &["-n"] } else { &["-U", "-r", "-n"] };
        let mut command = Command::new("unshare");
        command.args(flags).args(["sh", "-c", "echo ready; exec sleep 60"]).stdout(Stdio::piped());
        let Ok(mut child) = command.spawn() else { skip("no `unshare` here to make a container with") };
        let mut byte = [0];
        let ready = std::io::Read::read(child.stdout.as_mut().expect("piped"), &mut byte);
        if !matches!(ready, Ok(1)) {
            skip("a network namespace cannot be made here");
        }
        Container(child)
    }

    fn interfaces(&self) -> String {
        fs::read_to_string(format!("/proc/{}/net/dev", self.0.id())).expect("our child")
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn external_namespace() {
    let container = Container::start();
    let mut plan = segment(2);
    plan.hosts[1].place = Place::ExternalNetns { netns: container.0.id().to_string() };
    plan.hosts[1].interfaces[0].name = "lw7".into();
    let (mut init, ports) = build(&plan);
    assert!(container.interfaces().contains("lw7:"));
    // The path works as well as the number, and a name that exists there is not taken.
    let mut again = plan.clone();
    again.hosts.remove(0);
    again.hosts[0].place = Place::ExternalNetns { netns: format!("/proc/{}/ns/net", container.0.id()) };
    let error = init.build(&again, Framing::Plain).expect_err("the name is taken");
    assert_eq!(error.cause, Cause::Input, "{error}");
    again.hosts[0].place = Place::ExternalNetns { netns: "/proc/self/ns/mnt".into() };
    assert_eq!(init.build(&again, Framing::Plain).expect_err("not a network").cause, Cause::Input);
    again.hosts[0].place = Place::ExternalNetns { netns: "/no/such/file".into() };
    assert_eq!(init.build(&again, Framing::Plain).expect_err("not there").cause, Cause::Input);
    // It answers by itself: the container's kernel sends an ICMP error for a port where nobody listens.
    connect(ports);
    assert_ne!(output(&mut init, 1, "h1", native("ask", "10.0.0.2:9")).1, ExitStatus::Code(0));
    let counters = init.statistics().expect("counters")[1][0].expect("it is there");
    assert!(counters.rx_packets >= 1 && counters.tx_packets >= 1, "{counters:?}");
    // Programs run only in hosts of the run's own making.
    assert!(start(&mut init, 2, "h2", shell("true")).is_err());
}

/// Enters a network namespace of this test's own, with rights over it.
fn own_network() {
    use nix::sched::{CloneFlags, unshare};
    let (uid, gid) = (nix::unistd::getuid(), nix::unistd::getgid());
    let users = if uid.is_root() { CloneFlags::empty() } else { CloneFlags::CLONE_NEWUSER };
    if unshare(users | CloneFlags::CLONE_NEWNET).is_err() {
        skip("a network namespace cannot be made here");
    }
    if !uid.is_root() {
        fs::write("/proc/self/setgroups", "deny").expect("our namespace");
        fs::write("/proc/self/uid_map", format!("0 {uid} 1")).expect("our namespace");
        fs::write("/proc/self/gid_map", format!("0 {gid} 1")).expect("our namespace");
    }
}

pub(crate) fn borrowed_tap() {
    own_network();
    let ip = |arguments: &str| Command::new("ip").args(arguments.split(' ')).output().map(|o| o.status.success());
    if !ip("tuntap add lw9 mode tap").unwrap_or(false) {
        skip("no `ip` here to make a TAP with");
    }
    assert!(ip("link set lw9 mtu 1400 txqueuelen 77").expect("ip"));
    let settings = || {
        let link = Command::new("ip").args(["-o", "link", "show", "lw9"]).output().expect("ip").stdout;
        String::from_utf8(link).expect("text")
    };
    let before = settings();
    assert!(before.contains("mtu 1400") && before.contains("qlen 77") && !before.contains("UP"), "{before}");
    let mut plan = segment(2);
    plan.hosts[1].place = Place::ExternalTap { tap: "lw9".into() };
    plan.hosts[1].interfaces[0].mtu = 1500;
    let (init, ports) = build(&plan);
    let during = settings();
    assert!(during.contains("mtu 1400") && during.contains("qlen 4160") && during.contains("UP"), "{during}");
    drop(ports);
    drop(init);
    let after = settings();
    assert!(after.contains("mtu 1400") && after.contains("qlen 77") && !after.contains("UP"), "{after}");
}

pub(crate) fn external_tap() {
    let mut plan = segment(2);
    plan.hosts[1].place = Place::ExternalTap { tap: "lw8".into() };
    if !nix::unistd::getuid().is_root() {
        // Where it is not permitted, the cure is told.
        let mut init = or_skip(Init::start(builtin));
        let error = init.build(&plan, Framing::Plain).expect_err("no right over the machine's network");
        if error.errno == Some(libc::EPERM) {
            assert!(error.cure.as_deref().is_some_and(|cure| cure.contains("ip tuntap add lw8")), "{error}");
        }
    }
    // Not in the machine's own network.
    own_network();
    let (mut init, ports) = build(&plan);
    let counters = || fs::read_to_string("/proc/self/net/dev").expect("our own");
    assert!(counters().contains("lw8:"));
    // This namespace is no machine of the scenario: it says nothing by that TAP, and believes nothing that comes in by it.
    let addresses = fs::read_to_string("/proc/self/net/if_inet6").expect("our own");
    assert!(!addresses.contains("lw8"), "{addresses}");
    let accepted = fs::read_to_string("/proc/sys/net/ipv6/conf/lw8/accept_ra").expect("our own");
    assert_eq!(accepted.trim(), "0");
    let mut frame = [0; 2_000];
    let said: Vec<usize> = std::iter::from_fn(|| ports[1][0].read(&mut frame).ok()).collect();
    assert_eq!(said, [0; 0], "frames of this namespace's own kernel, by length");
    assert_eq!(init.statistics().expect("counters").len(), 2);
    // Held by this run, it cannot be taken twice.
    assert_eq!(TapPort::open("lw8", Framing::Plain).expect_err("busy").raw_os_error(), Some(libc::EBUSY));
    let mtu = output(&mut init, 1, "h1", as_root(shell("cat /sys/class/net/eth0/mtu"))).0;
    assert_eq!(mtu.trim(), "1400");
    drop(ports);
    assert!(!counters().contains("lw8:"), "it vanishes with its descriptor");
    drop(init);
    what_a_persistent_tap_counted_before();
}

/// The line of an interface in this namespace: its name, eight counters of what it received, eight of what it sent.
fn counters_of(name: &str) -> String {
    let all = fs::read_to_string("/proc/self/net/dev").expect("our own");
    all.lines().find(|line| line.trim_start().starts_with(&format!("{name}:"))).expect("it is there").to_owned()
}

/// A TAP that existed has counted before: a run reports what came on top.
fn what_a_persistent_tap_counted_before() {
    let ip = |arguments: &str| {
        let ended = std::process::Command::new("ip").args(arguments.split(' ')).status();
        ended.is_ok_and(|status| status.success())
    };
    let tap = TapPort::open("lw9", Framing::Plain).expect("a namespace of our own");
    // SAFETY: the descriptor is open, and the argument is a number (drivers/net/tun.c, TUNSETPERSIST).
    assert_eq!(unsafe { libc::ioctl(tap.as_fd().as_raw_fd(), libc::TUNSETPERSIST, 1) }, 0);
    let made = ["link set lw9 txqueuelen 2 up", "addr add 10.9.0.1/24 dev lw9"].into_iter().all(ip)
        && ip("neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 dev lw9");
    if !made {
        skip("`ip` is not there");
    }
    // Nobody reads: the ring overflows.
    let socket = std::net::UdpSocket::bind("10.9.0.1:0").expect("our own address");
    for _ in 0..200 {
        socket.send_to(&[0; 20], "10.9.0.2:9").expect("sent");
    }
    let line = counters_of("lw9");
    let seen = line.split_whitespace().nth(12).and_then(|drops| drops.parse::<u64>().ok());
    assert!(seen > Some(0), "nothing was dropped before: {seen:?}");
    drop(tap);
    let mut plan = segment(2);
    plan.hosts[1].place = Place::ExternalTap { tap: "lw9".into() };
    let (mut init, _ports) = build(&plan);
    let counted = init.statistics().expect("counters")[1][0].expect("it is there");
    assert_eq!(counted.tx_dropped, 0, "{counted:?}, after {seen:?} before this run");
}

pub(crate) fn probes() {
    let probes = probe::all();
    let names: Vec<_> = probes.iter().map(|probe| probe.name).collect();
    assert!(names.contains(&"TAP") && names.contains(&"user namespace"), "{names:?}");
    // What the probes say and what happens agree.
    let works = probes.iter().all(|probe| probe.optional || probe.outcome.is_ok());
    let made = Init::start(builtin).and_then(|mut init| init.build(&segment(1), Framing::Plain).map(|_| ()));
    assert_eq!(works, made.is_ok(), "{probes:#?} {made:?}");
    for probe in probes {
        match probe.outcome {
            Ok(found) => println!("  {}: {found}", probe.name),
            Err(error) => {
                assert!(error.cure.is_some(), "{error}");
                println!("  {}: {error}", probe.name);
            }
        }
    }
}
