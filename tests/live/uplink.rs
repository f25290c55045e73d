//! Out of the simulated network: `uplink`, and `longwire with` over it. The Internet is a network namespace at the other end of a cable.

use std::process::{Command, Stdio};

use crate::machine::Machine;
use crate::support::report::{names_lateness, number};
use crate::support::{Ended, Lab, Started, has, is_root, open_copy, until};
use nix::sys::signal::Signal;
use serde_json::Value;

/// Of a web server out there, and of a network of somebody's own there.
const SITE: [&str; 2] = ["198.51.100.10", "2001:db8:1::10"];
const INTRANET: &str = "10.9.9.9";

/// The machine that longwire runs on, with services of its own, and what it has its default route to.
struct World {
    near: Machine,
    _servers: Vec<Started>,
    _far: Machine,
    longwire: String,
    lab: Lab,
}

impl World {
    fn new() -> Option<World> {
        let programs = ["unshare", "nsenter", "setpriv", "ip", "python3", "curl", "passt"];
        let able = is_root() && programs.into_iter().all(has);
        let lab = able.then(|| Lab::new("")).flatten()?;
        lab.write("resolver.py", include_str!("../support/programs/resolver.py"));
        lab.write("resolv.conf", "nameserver 203.0.113.1\n");
        let resolv = lab.path("resolv.conf").display().to_string();
        let far = Machine::start();
        let near = Machine::prepared(&format!("mount --bind {resolv} /etc/resolv.conf"));
        let cable = ["link", "add", "eth0", "netns", &near.pid(), "type", "veth", "peer", "name", "eth0", "netns"];
        assert!(Command::new("ip").args(cable).arg(far.pid()).status().expect("ip").success());
        for (machine, lines) in [
            (
                &near,
                "ip addr add 203.0.113.2/24 dev eth0; ip addr add 2001:db8::2/64 dev eth0 nodad; ip link set eth0 up; \
                     ip route add default via 203.0.113.1; ip -6 route add default via 2001:db8::1"
                    .to_owned(),
            ),
            (
                &far,
                format!(
                    "ip addr add 203.0.113.1/24 dev eth0; ip addr add 2001:db8::1/64 dev eth0 nodad; ip link set eth0 up; \
                            ip addr add {}/32 dev lo; ip addr add {}/128 dev lo; ip addr add {INTRANET}/32 dev lo",
                    SITE[0], SITE[1]
                ),
            ),
        ] {
            machine.prints(&lab, &["sh", "-ec", &lines]);
        }
        let serve = |machine: &Machine, port: &str| {
            let server = lab.start(machine.command(&lab, &["python3", "-m", "http.server", "--bind", "::", port]));
            let listens = ["sh", "-c", &format!("ss -Hltn sport = :{port} | grep -c :")];
            until("the server listens", || {
                machine.command(&lab, &listens).output().is_ok_and(|out| out.status.success())
            });
            server
        };
        let resolver = lab.start(far.command(&lab, &["python3", "resolver.py", SITE[0], SITE[1]]));
        lab.until_file("resolving");
        let servers = vec![serve(&far, "80"), serve(&near, "8000"), resolver];
        let longwire = open_copy(&lab).display().to_string();
        Some(World { near, _servers: servers, _far: far, longwire, lab })
    }

    /// `longwire` on the machine, as a normal user or as root.
    fn command(&self, root: bool, arguments: &[&str]) -> Command {
        let user = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups"];
        let user: &[&str] = if root { &[] } else { &user };
        self.near.command(&self.lab, &[user, &[self.longwire.as_str()], arguments].concat())
    }

    fn run(&self, root: bool, arguments: &[&str]) -> Ended {
        let run = run_of(self.command(root, arguments));
        assert_eq!(passts(&self.near), 0, "nothing is left");
        run
    }
}

/// To its end. What it leaves is looked for by name: servers of the lab go on.
fn run_of(mut command: Command) -> Ended {
    let begin = std::time::Instant::now();
    let out = command.stdin(Stdio::null()).output().expect("run");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = out.status.code().unwrap_or(-1);
    Ended { code, stdout: text(&out.stdout), stderr: text(&out.stderr), took: begin.elapsed() }
}

/// How many of passt run in the machine's network.
fn passts(machine: &Machine) -> usize {
    let network = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
    let theirs = network(&machine.pid());
    let entries =
        std::fs::read_dir("/proc").expect("/proc").filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let is_passt = |pid: &String| {
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        name.starts_with("passt") && network(pid) == theirs
    };
    entries.filter(is_passt).count()
}

/// A line for `sh -c`: the status of a page, and of whom it came.
fn curl(url: &str) -> String {
    format!("curl -s -m 3 -o /dev/null -w '%{{http_code}} %{{remote_ip}}\\n' {url};")
}

#[test]
fn a_normal_user_reaches_what_the_machine_reaches_by_name_and_by_both_families() {
    let Some(world) = World::new() else { return };
    let script =
        [curl("http://example.org/"), curl("-4 http://example.org/"), curl("-6 http://example.org/"), "exit 7".into()];
    for root in [false, true] {
        let line = ["with", "lte", "--delay", "20ms", "--json", "-", "--", "sh", "-c", &script.concat()];
        let ended = world.run(root, &line);
        let (said, report) =
            ended.stdout.split_at(ended.stdout.find('{').unwrap_or_else(|| panic!("{}", ended.told())));
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!((ended.code, lines.len()), (7, 3), "{}", ended.told());
        assert!(lines[0].starts_with("200 "), "{}", ended.told());
        assert_eq!(lines[1..], [format!("200 {}", SITE[0]), format!("200 {}", SITE[1])], "{}", ended.told());
        let report: Value = serde_json::from_str(report).expect("JSON");
        assert!(report["warnings"].as_array().is_none_or(Vec::is_empty), "{report:#}");
        // what came from out there has crossed the link
        let down = report["directions"]
            .as_array()
            .expect("a list")
            .iter()
            .find(|d| d["link"] == "link" && d["from"] == "internet.eth0");
        assert!(number(&down.expect("the link")["delivered"]["frames"]) > 15, "{report:#}");
    }
}

/// The inner network is the outer one's program, and its Internet is the outer network.
#[test]
fn it_is_nested_as_shells_are() {
    let Some(world) = World::new() else { return };
    let longwire = &world.longwire;
    let inner = format!("hostname; {} exit 5", curl("-4 http://example.org/").replace('\'', "\""));
    let outer = format!("{longwire} with wifi-good --delay 30ms -- sh -c '{}'; echo inner $?", inner.replace('\'', ""));
    let ended = world.run(false, &["with", "lte", "--delay", "20ms", "--", "sh", "-c", &outer]);
    assert_eq!(ended.stdout, format!("client\n200 {}\ninner 5\n", SITE[0]), "{}", ended.told());
    assert_eq!(ended.code, 0, "{}", ended.told());
}

#[test]
fn the_machine_and_what_is_private_are_out_of_reach_and_each_attempt_is_counted() {
    let Some(world) = World::new() else { return };
    let denied = [
        ("203.0.113.2:8000", "the machine itself"),
        ("[2001:db8::2]:8000", "the machine itself"),
        // a neighbour of the machine, whose address may be the machine's tomorrow
        ("[2001:db8::1]", "the machine itself"),
        ("192.0.0.1:8000", "the machine itself"),
        (INTRANET, "private"),
        ("[fd00:ec2::254]", "private"),
        ("168.63.129.16", "cloud metadata"),
        ("198.18.0.1", "special"),
        ("[::ffff:203.0.113.2]:8000", "the machine itself"),
        ("[64:ff9b::a09:909]", "private"),
    ];
    let urls: String = denied.iter().map(|(url, _)| curl(&format!("-g 'http://{url}/'"))).collect();
    // of link-local addresses a router takes nothing: there is no answer, and no route is the cause
    let silent: String =
        ["127.0.0.1:8000", "169.254.169.254"].iter().map(|url| curl(&format!("-m 1 http://{url}/"))).collect();
    let ended = world.run(false, &["with", "--json", "report", "--", "sh", "-c", &(urls + &silent)]);
    let got: Vec<&str> = ended.stdout.lines().map(|line| line.split(' ').next().unwrap_or_default()).collect();
    assert_eq!(got, ["000"; 12], "{}", ended.told());
    let report: Value = serde_json::from_str(&world.lab.read("report")).expect("JSON");
    let internet =
        report["nodes"].as_array().expect("nodes").iter().find(|node| node["name"] == "internet").expect("it");
    let rules = internet["firewall"].as_array().expect("rules");
    for (url, name) in denied {
        let rule = rules.iter().find(|rule| rule["rule"] == format!("uplink: {name}")).expect("the rule");
        assert!(number(&rule["frames"]) > 0, "{url}: {rule:#}");
    }
    assert!(internet["dropped"]["firewall"].as_u64().is_some_and(|drops| drops >= 9), "{internet:#}");
    assert!(number(&internet["dropped"]["no_route"]) > 0, "{internet:#}");

    // what `allow` names is open, and nothing else
    world.lab.write("open.yaml", &format!(
        "longwire: 1\nnodes: {{ a: host, b: host, internet: {{ uplink: {{ allow: [{INTRANET}, 203.0.113.2] }} }} }}\n\
         links: {{ l: {{ ends: [a, internet] }}, m: {{ ends: [b, internet] }} }}\n\
         workloads:\n  in: {{ in: a, shell: \"curl -sf -m 5 http://{INTRANET}/ && curl -sf -m 5 http://203.0.113.2:8000/\" }}\n  \
         by_name: {{ in: b, shell: \"curl -sf -m 5 http://example.org/ && ! curl -sf -m 5 http://10.9.9.8/ && ! curl -6 -sf -m 5 http://example.org/\" }}\n"
    ));
    let ended = world.run(false, &["run", "open.yaml"]);
    assert!(ended.passed_or_was_late(), "{}", ended.told());
    // two hosts: only IPv4 leads out, and IPv6 is refused at once
    assert!(ended.stdout.contains("uplink: IPv6 of several addresses"), "{}", ended.told());
}

/// passt is one process more, which goes with the run and is started again when it has ended alone.
#[test]
fn it_comes_back_when_killed_and_goes_when_the_run_is() {
    let Some(world) = World::new() else { return };
    let pid = |name: &str| {
        let network = std::fs::read_link(format!("/proc/{}/ns/net", world.near.pid())).expect("a namespace");
        let entries = std::fs::read_dir("/proc")
            .expect("/proc")
            .filter_map(|e| e.ok()?.file_name().to_str()?.parse::<i32>().ok());
        let mut found = entries.filter(|pid| {
            let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            comm.starts_with(name)
                && std::fs::read_link(format!("/proc/{pid}/ns/net")).is_ok_and(|other| other == network)
        });
        found.next()
    };
    let again = format!(
        "touch up; until test -e killed; do sleep 0.1; done; until {} do sleep 0.2; done; touch back; exec sleep 99",
        "curl -sf -m 2 -o /dev/null http://example.org/;"
    );
    let mut run =
        world.command(false, &["with", "--json", "report", "--", "sh", "-c", &again]).spawn().expect("started");
    world.lab.until_file("up");
    let first = pid("passt").expect("it runs");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(first), Signal::SIGKILL).expect("there");
    until("another runs", || pid("passt").is_some_and(|other| other != first));
    world.lab.write("killed", "");
    world.lab.until_file("back");
    run.kill().expect("our child");
    run.wait().expect("our child");
    until("all of it has gone", || passts(&world.near) == 0);
}

#[test]
fn without_passt_or_a_way_out_the_machine_lacks_something() {
    let Some(world) = World::new() else { return };
    let path = world.lab.path("bin");
    std::fs::create_dir(&path).expect("made");
    let env = format!("PATH={}", path.display());
    let told = |ended: Ended, text: &str| assert!(ended.code == 4 && ended.stderr.contains(text), "{}", ended.told());
    let nowhere = world.near.command(&world.lab, &["env", &env, &world.longwire, "with", "--", "/bin/true"]);
    told(run_of(nowhere), "there is no `passt` in the PATH; install it");
    world.near.prints(&world.lab, &["sh", "-ec", "ip route del default; ip -6 route del default"]);
    told(world.run(false, &["with", "--", "true"]), "passt says: No external routable interface for IPv4");
}

/// It needs no uplink, and crosses the link from the host that is named.
#[test]
fn ports_of_the_machine_lead_in() {
    let Some(world) = World::new() else { return };
    world.lab.write("in.yaml", 
        "longwire: 1\nnodes: { browser: host, server: host }\nlinks: { radio: { ends: [browser, server], delay: 50ms } }\n\
         forward:\n  - { listen: 8080, to: \"server:80\" }\n  - { listen: \"203.0.113.2:8081\", to: \"server:80\", from: browser }\n\
         services:\n  web: { in: server, command: [python3, -m, http.server, \"80\"], ready: { tcp: 80 } }\n\
         workloads: { stay: { in: server, shell: \"touch up; until test -e done; do sleep 0.1; done\" } }\n");
    for root in [false, true] {
        let ready = ["up", "done"].map(|file| std::fs::remove_file(world.lab.path(file)));
        drop(ready);
        let run = world
            .command(root, &["run", "in.yaml"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        world.lab.until_file("up");
        let time = |url: &str| {
            let words = ["curl", "-s", "-m", "9", "-o", "/dev/null", "-w", "%{http_code} %{time_total}", url];
            let said = world.near.prints(&world.lab, &words);
            let (code, time) = said.split_once(' ').expect("two words");
            assert_eq!(code, "200", "{said}");
            time.parse::<f64>().expect("seconds")
        };
        assert!(time("http://127.0.0.1:8080/") > 0.0);
        // the machine's side connects at once; the question and its answer cross the link, and the handshake before them
        assert!(time("http://203.0.113.2:8081/") >= 0.2);
        let elsewhere =
            world.near.command(&world.lab, &["curl", "-s", "http://203.0.113.2:8080/"]).output().expect("curl");
        assert!(!elsewhere.status.success(), "8080 is one of 127.0.0.1 alone");
        let taken = run_of(world.command(root, &["run", "in.yaml"]));
        assert!(taken.code == 4 && taken.stderr.contains("127.0.0.1:8080"), "{}", taken.told());
        world.lab.write("done", "");
        let ended = run.wait_with_output().expect("our child");
        let said = String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned();
        let was_late = ended.status.code() == Some(3) && names_lateness(&said);
        assert!(ended.status.success() || was_late, "{said}");
        let gone = world.near.command(&world.lab, &["curl", "-s", "http://127.0.0.1:8080/"]).output().expect("curl");
        assert!(!gone.status.success(), "nothing is left");
    }
}
