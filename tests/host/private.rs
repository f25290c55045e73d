//! What each host has to itself, what it shares with the machine, and what root in a host may not do.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use longwire::addressing::network::{NetworkPlan, RoutePlan};
use longwire::host::{Cause, DefaultRoute, ExitStatus, Init};
use longwire::port::tap::Framing;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

use crate::harness::{as_root, build, builtin, native, or_skip, output, segment, shell, skip, until};

/// As root, programs of these tests could write to the machine's files. So the test stands in a mount namespace of its own
/// with copies of /etc and /run. A normal user may write to none of them.
fn own_files() -> bool {
    if !nix::unistd::getuid().is_root() {
        return false;
    }
    let none = None::<&str>;
    if unshare(CloneFlags::CLONE_NEWNS).is_err()
        || mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).is_err()
    {
        skip("a mount namespace cannot be made here");
    }
    let stage = tempfile::tempdir().expect("a temporary directory");
    mount(Some("tmpfs"), stage.path(), Some("tmpfs"), MsFlags::empty(), none).expect("our namespace");
    let etc = stage.path().join("etc");
    let copied = Command::new("cp").args(["-a", "/etc"]).arg(&etc).status().expect("cp");
    assert!(copied.success());
    mount(Some(&etc), "/etc", none, MsFlags::MS_BIND, none).expect("our namespace");
    let run = stage.path().join("run");
    for folder in ["", "dbus", "netns", "systemd/resolve"] {
        fs::create_dir_all(run.join(folder)).expect("ours");
    }
    fs::write(run.join("dhclient.pid"), "1\n").expect("ours");
    mount(Some(&run), "/run", none, MsFlags::MS_BIND, none).expect("our namespace");
    // The copies stay where they are bound to, and the directory is empty again.
    umount2(stage.path(), MntFlags::MNT_DETACH).expect("our namespace");
    true
}

fn listing(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).map(|entries| entries.flatten().collect::<Vec<_>>()).unwrap_or_default();
    entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

pub(crate) fn names() {
    let mut plan = segment(2);
    plan.hosts[1].dns = vec!["10.0.0.1".parse().expect("v4"), "fd00::1".parse().expect("v6")];
    let (mut init, _ports) = build(&plan);
    let mut ask = |host: &str, script: &str| output(&mut init, 1, host, shell(script));
    assert_eq!(ask("h1", "cat /proc/sys/kernel/hostname").0, "h1\n");
    if Path::new("/etc/hostname").exists() {
        assert_eq!(ask("h2", "cat /etc/hostname").0, "h2\n");
    }
    assert_eq!(ask("h1", "cat /etc/resolv.conf").0, "");
    if Path::new("/etc/resolv.conf").exists() {
        assert_eq!(ask("h2", "cat /etc/resolv.conf").0, "nameserver 10.0.0.1\nnameserver fd00::1\n");
    }
    let machine = nix::unistd::gethostname().expect("a name");
    assert_ne!(machine, "h1");
    assert_eq!(ask("h1", "getent hosts \"$(cat /proc/sys/kernel/hostname)\" >/dev/null").1, ExitStatus::Code(0));
    // A name that nobody has is answered at once, without a frame to a resolver: there is none.
    assert_ne!(ask("h1", "timeout 3 getent hosts no-such-name.example").1, ExitStatus::Code(124));
    // System V semaphores and their like are the host's too.
    let ipc = |text: String| text.trim().to_owned();
    let [first, second] = ["h1", "h2"].map(|host| ipc(ask(host, "readlink /proc/self/ns/ipc").0));
    assert_ne!(first, second);
}

pub(crate) fn resolver() {
    let copies = own_files();
    for link in [false, true] {
        if copies {
            let _ = fs::remove_file("/etc/resolv.conf");
            if link {
                fs::write("/run/systemd/resolve/stub-resolv.conf", "nameserver 192.0.2.1\n").expect("ours");
                symlink("../run/systemd/resolve/stub-resolv.conf", "/etc/resolv.conf").expect("ours");
            } else {
                fs::write("/etc/resolv.conf", "nameserver 192.0.2.1\n").expect("ours");
            }
        }
        let before = fs::read_to_string("/etc/resolv.conf").ok();
        let (mut init, _ports) = build(&segment(2));
        let mut ask = |host: &str, script: &str| output(&mut init, 1, host, as_root(shell(script))).0;
        assert_eq!(ask("h1", "cat /etc/resolv.conf"), "", "link: {link}");
        // As a DHCP client's script does it: in place, and by another file of that name.
        ask("h1", "echo 'nameserver 10.0.0.99' > /etc/resolv.conf");
        if before.is_some() {
            assert_eq!(ask("h1", "cat /etc/resolv.conf"), "nameserver 10.0.0.99\n", "link: {link}");
        }
        if copies {
            ask(
                "h1",
                "echo 'nameserver 10.0.0.98' > /etc/resolv.conf.new && mv -f /etc/resolv.conf.new /etc/resolv.conf",
            );
            assert_eq!(Path::new("/etc/resolv.conf").is_symlink(), link);
        }
        assert_eq!(ask("h2", "cat /etc/resolv.conf"), "", "link: {link}");
        assert_eq!(fs::read_to_string("/etc/resolv.conf").ok(), before, "link: {link}");
    }
}

pub(crate) fn folders() {
    let copies = own_files();
    let temporary = tempfile::tempdir().expect("a temporary directory");
    fs::write(temporary.path().join("of the machine"), "").expect("ours");
    let asked = temporary.path().to_str().expect("text").to_owned();
    let sockets = copies.then(|| ["/run/dbus/bus", "/run/top"].map(|path| UnixListener::bind(path).expect("ours")));
    let before = listing("/run");
    let mut plan = segment(2);
    plan.hosts[0].private = vec![asked.clone(), "/run/longwire-test".into()];
    let (mut init, _ports) = build(&plan);
    let mut ask = |host: &str, script: &str| output(&mut init, 1, host, as_root(shell(script)));
    for folder in ["netns", "longwire", "lock", "longwire-test"] {
        let make = format!("[ -z \"$(ls -A /run/{folder})\" ] && echo x > /run/{folder}/x && ls /run/{folder}");
        assert_eq!(ask("h1", &make), ("x\n".into(), ExitStatus::Code(0)), "{folder}");
    }
    assert_eq!(
        ask("h2", "ls -A /run/netns /run/longwire /run/lock").0,
        "/run/lock:\n\n/run/longwire:\n\n/run/netns:\n"
    );
    // A number of a process that a program keeps there is the host's.
    assert_eq!(ask("h1", "echo 77 > /run/dhclient.pid; cat /run/dhclient.pid").0, "77\n");
    assert_eq!(ask("h2", "[ -e /run/dhclient.pid ]").1, ExitStatus::Code(1));
    assert_eq!(ask("h1", &format!("ls -A '{asked}'; touch '{asked}/own'; ls -A '{asked}'")).0, "own\n");
    assert_eq!(ask("h2", &format!("ls -A '{asked}'")).0, "of the machine\n");
    if ask("h1", "ip -V").1 == ExitStatus::Code(0) {
        for host in ["h1", "h2"] {
            let script =
                "rm -f /run/netns/x; ip netns add same && ip netns exec same ip link set lo up && ip netns list";
            assert_eq!(ask(host, script), ("same\n".into(), ExitStatus::Code(0)), "{host}");
        }
    }
    if let Some([bus, top]) = &sockets {
        for path in ["/run/dbus/bus", "/run/top"] {
            assert_eq!(output(&mut init, 2, "h1", native("connect", path)).1, ExitStatus::Code(0), "{path}");
        }
        assert!(bus.accept().is_ok() && top.accept().is_ok());
    }
    // All of it beside what stands in the machine's folders, and nothing of it on the machine.
    // What runs beside this test have borrowed is written down there.
    let own = |mut names: BTreeSet<String>| {
        names.remove("longwire-restore");
        names
    };
    assert_eq!(own(listing("/run")), own(before.clone()));
    assert_eq!(listing("/run/netns"), if copies { BTreeSet::new() } else { listing("/run/netns") });
    assert_eq!(listing(&asked), BTreeSet::from(["of the machine".to_owned()]));
    let hidden: BTreeSet<&str> = ["dhclient.pid", "netns", "longwire", "longwire-restore", "lock"].into();
    let seen = output(&mut init, 3, "h2", shell("ls -A /run")).0;
    for entry in before.iter().filter(|name| !hidden.contains(name.as_str())) {
        assert!(seen.lines().any(|line| line == entry), "{entry} in {seen}");
    }

    drop(init);
    let refused = |path: &str| {
        let mut plan = segment(1);
        plan.hosts[0].private = vec![path.into()];
        or_skip(Init::start(builtin)).build(&plan, Framing::Plain).expect_err("refused")
    };
    for path in ["/no/such/folder", "/etc/passwd"] {
        let error = refused(path);
        assert!(error.cause == Cause::Input && error.to_string().contains(path), "{error}");
    }
    assert!(!Path::new("/no").exists());
}

pub(crate) fn cgroups() {
    let machine = listing("/sys/fs/cgroup");
    let (mut init, _ports) = build(&segment(1));
    let found = output(&mut init, 1, "h1", shell("ls -A /sys/fs/cgroup; ls /sys/class/net")).0;
    let found: BTreeSet<String> = found.lines().map(str::to_owned).collect();
    if !found.contains("eth0") || !found.contains("lo") {
        skip("a container keeps hosts from having a /sys of their own");
    }
    assert!(machine.is_subset(&found), "{machine:?} in {found:?}");
}

/// Sets of capabilities in a process's status, by name.
fn capabilities(status: &str) -> Vec<(String, u64)> {
    let lines = status.lines().filter_map(|line| line.strip_prefix("Cap")?.split_once(":\t"));
    lines.map(|(name, bits)| (name.to_owned(), u64::from_str_radix(bits.trim(), 16).expect("bits"))).collect()
}

/// CAP_SYS_MODULE, CAP_SYS_RAWIO, CAP_SYS_BOOT, CAP_SYS_TIME, CAP_MKNOD, CAP_SYSLOG and CAP_BPF (capabilities(7)).
const OVER_THE_MACHINE: u64 = 1 << 16 | 1 << 17 | 1 << 22 | 1 << 25 | 1 << 27 | 1 << 34 | 1 << 39;
/// CAP_NET_ADMIN, CAP_NET_RAW and CAP_SYS_ADMIN.
const OVER_NETWORKS: u64 = 1 << 12 | 1 << 13 | 1 << 21;

/// None of a program's sets holds what could change the machine; root of the run has what network tools need.
pub(crate) fn assert_bounded(status: &str, root: bool) {
    let sets = capabilities(status);
    assert_eq!(sets.len(), 5, "{status}");
    for (name, bits) in &sets {
        assert_eq!(bits & OVER_THE_MACHINE, 0, "{name} of {status}");
    }
    let effective = sets.iter().find(|(name, _)| name == "Eff").expect("effective").1;
    assert_eq!(effective & OVER_NETWORKS == OVER_NETWORKS, root, "{status}");
}

pub(crate) fn rights() {
    let (mut init, _ports) = build(&segment(1));
    let status = "exec cat /proc/self/status";
    let mut run = |what| output(&mut init, 1, "h1", what).0;
    assert_bounded(&run(as_root(shell(status))), true);
    // Who starts longwire as root is root in hosts as well.
    assert_bounded(&run(shell(status)), nix::unistd::getuid().is_root());
    assert_bounded(&run(native("status", "")), true);
}

pub(crate) fn bounce() {
    let mut plan = segment(2);
    let route = |to: &str, via: Option<&str>| RoutePlan {
        to: to.parse().expect("a prefix"),
        via: via.map(|via| via.parse().expect("an address")),
        interface: Some("eth0".into()),
        table: 254,
    };
    for host in &mut plan.hosts {
        host.routes = vec![
            route("0.0.0.0/0", Some("10.0.0.8")),
            route("::/0", Some("fe80::ff:fe00:8")),
            route("172.16.0.0/12", Some("10.0.0.9")),
            route("fd99::/64", Some("fd00::9")),
            route("224.0.0.0/4", None),
            RoutePlan { table: 101, ..route("0.0.0.0/0", Some("10.0.0.8")) },
        ];
    }
    plan.hosts[1].restores_routes = false;
    let (mut init, _ports) = build(&plan);
    if output(&mut init, 1, "h1", shell("ip -V")).0.is_empty() {
        skip("no `ip` here to take an interface down with");
    }
    let look = "ip route; ip -6 route; ip route show table 101; ip -o -6 addr; ip neigh | sort";
    let mut ask = |host: &str, script: &str| output(&mut init, 1, host, as_root(shell(script))).0;
    let before = ask("h1", look);
    for wanted in ["default via 10.0.0.8", "fd99::/64", "224.0.0.0/4", "fe80::ff:fe00:1/64", "PERMANENT"] {
        assert!(before.contains(wanted), "{wanted} in {before}");
    }
    let bounce = "ip link set eth0 down && ip link set eth0 up";
    for _ in 0..2 {
        ask("h1", bounce);
        until("all is as before", || ask("h1", look) == before);
    }
    // What a program removed or replaced is not the kernel's doing.
    ask("h1", "ip route del 172.16.0.0/12; ip -6 route replace ::/0 via fd00::2 dev eth0");
    ask("h1", bounce);
    until("the others are back", || {
        ask("h1", "ip route").contains("224.0.0.0/4") && ask("h1", "ip neigh").contains("PERM")
    });
    let after = ask("h1", look);
    assert!(after.contains("fd99::/64") && after.contains("fe80::ff:fe00:1/64"), "{after}");
    assert!(!after.contains("172.16.0.0/12") && !after.contains("default via fe80::"), "{after}");
    // A host that sees to its routes itself gets its addresses and neighbours back.
    ask("h2", bounce);
    until("the link-local address is back", || ask("h2", "ip neigh").contains("PERMANENT"));
    let after = ask("h2", look);
    assert!(after.contains("fe80::ff:fe00:2/64") && after.contains("fd00::2/64"), "{after}");
    assert!(!after.contains("default") && !after.contains("224.0.0.0/4"), "{after}");
}

pub(crate) fn moved_route() {
    let mut plan: NetworkPlan = segment(1);
    let route = |to: &str, via: &str| RoutePlan {
        to: to.parse().expect("a prefix"),
        via: Some(via.parse().expect("an address")),
        interface: Some("eth0".into()),
        table: 254,
    };
    plan.hosts[0].routes = vec![route("0.0.0.0/0", "10.0.0.2")];
    let (mut init, _ports) = build(&plan);
    if output(&mut init, 1, "h1", shell("ip -V")).0.is_empty() {
        skip("no `ip` here to take an interface down with");
    }
    let to = |host: &str, via: &str| DefaultRoute {
        host: host.into(),
        interface: 0,
        gateways: vec![via.parse().expect("an address")],
    };
    let comes_back = |init: &mut Init, via: &str| {
        let routes = |init: &mut Init| output(init, 1, "h1", shell("ip route")).0;
        let wanted = format!("default via {via} ");
        assert!(routes(init).contains(&wanted), "{wanted} in {}", routes(init));
        output(init, 1, "h1", as_root(shell("ip link set eth0 down && ip link set eth0 up")));
        until(&format!("{wanted}is back"), || routes(init).contains(&wanted));
    };
    let before = init.route(vec![to("h1", "10.0.0.3")]).expect("moved");
    comes_back(&mut init, "10.0.0.3");
    init.put_back(before).expect("back");
    comes_back(&mut init, "10.0.0.2");
    // Several moves at once leave the last, and moves that are undone since another is refused leave none.
    let before = init.route(vec![to("h1", "10.0.0.3"), to("h1", "10.0.0.4")]).expect("moved");
    comes_back(&mut init, "10.0.0.4");
    init.put_back(before).expect("back");
    comes_back(&mut init, "10.0.0.2");
    init.route(vec![to("h1", "10.0.0.3"), to("nobody", "10.0.0.3")]).expect_err("no such host");
    comes_back(&mut init, "10.0.0.2");
}
