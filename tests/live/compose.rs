//! `longwire compose`: two services in containers of runc, beside each other in what stands for their engine's network.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::fs;
use std::process::Command;

use crate::containers::{Container, Engine, HOSTS, inspected, interrupt, lab};
use crate::support::report::{direction, number};
use crate::support::{Lab, until};
use serde_json::json;

const LINKS: &str = "\
nodes: { lan: switch, here: host }
links:
  a: { ends: [web, lan], delay: 20ms }
  b: { ends: [db, lan] }
  c: { ends: [here, lan] }
workloads: { up: { in: here, shell: \"touch up\" } }
duration: 100s
";

const COMPOSE: &str = "\
name: shop
services:
  web: { image: nginx, ports: [\"8080:80\"], depends_on: [db] }
  db: { image: postgres }
  migrate: { image: postgres, command: [migrate] }
";

/// What Compose asks for when it looks for the project's containers.
const LIST: &str = "/containers/json?filters=%7B%22label%22%3A%5B%22com.docker.compose.project%3Dshop%22%5D%7D";

/// Their addresses in the engine's network.
const WEB: [&str; 2] = ["172.18.0.2", "fd18::2"];
const DB: [&str; 2] = ["172.18.0.3", "fd18::3"];
const DB_AGAIN: [&str; 2] = ["172.18.0.9", "fd18::9"];

/// The engine's network: a cable between both containers.
fn join(web: &Container<'_>, db: &Container<'_>, of_db: [&str; 2]) {
    let [web_pid, db_pid] = [web.pid, db.pid].map(|pid| pid.to_string());
    let cable = ["link", "add", "eth0", "netns", &web_pid, "type", "veth", "peer", "name", "eth0", "netns", &db_pid];
    assert!(Command::new("ip").args(cable).status().unwrap().success());
    for (pid, [v4, v6]) in [(&web_pid, WEB), (&db_pid, of_db)] {
        let set = format!(
            "echo 0 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6; ip addr add {v4}/16 dev eth0; \
             ip addr add {v6}/64 dev eth0 nodad; ip link set eth0 up"
        );
        assert!(Command::new("nsenter").args(["-t", pid, "-n", "sh", "-ec", &set]).status().unwrap().success());
    }
}

fn tell(lab: &Lab, engine: &Engine, service: &str, pid: Option<u32>, addresses: [&str; 2]) {
    let mut answer = inspected(lab, service, pid);
    answer["NetworkSettings"]["Networks"] =
        json!({ "shop_default": { "IPAddress": addresses[0], "GlobalIPv6Address": addresses[1] } });
    engine.says_of(&format!("/containers/shop-{service}-1/json"), "200 OK", answer.to_string().as_bytes());
}

/// All ways from a container to these addresses leave by this interface.
fn assert_way(container: &Container<'_>, addresses: [&str; 2], interface: &str) {
    for address in addresses {
        let way = container.shell(&format!("ip route get {address}"));
        assert!(way.contains(&format!("dev {interface} ")), "{way}");
    }
}

#[test]
fn services_reach_each_other_over_links_and_by_no_other_way() {
    let Some(lab) = lab() else { return };
    let engine = Engine::start(&lab);
    let (web, db) = (Container::of(&lab, "web", 0), Container::of(&lab, "db", 0));
    join(&web, &db, DB);
    tell(&lab, &engine, "web", Some(web.pid), WEB);
    tell(&lab, &engine, "db", Some(db.pid), DB);
    let member = |service: &str| {
        let labels = json!({ "com.docker.compose.service": service, "com.docker.compose.container-number": "1" });
        json!({ "Names": [format!("/shop-{service}-1")], "Labels": labels })
    };
    engine.says_of(LIST, "200 OK", json!([member("web"), member("db")]).to_string().as_bytes());
    lab.write("compose.yaml", COMPOSE);
    lab.write("links.yaml", LINKS);
    let arguments = ["compose", "compose.yaml", "--links", "links.yaml"];
    let printed = engine.longwire(&lab, &[&arguments[..], &["--print"]].concat()).output().unwrap();
    let [text, told] = [&printed.stdout, &printed.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert!(
        text.contains("\"db\": { external: { container: \"shop-db-1\", engine_network: closed } }"),
        "{text}{told}"
    );
    assert!(told.contains("`migrate` does not run"), "{told}");
    web.shell(&format!("ping -c 1 -w 20 {}", DB[0]));
    assert_way(&web, DB, "eth0");

    let run = lab.start(engine.longwire(&lab, &[&arguments[..], &["--json", "-"]].concat()));
    lab.until_file("up");
    for (from, name, addresses) in [(&web, "db", DB), (&db, "web", WEB)] {
        from.shell(&format!("ping -c 1 -w 20 {name}; ping -6 -c 1 -w 20 {name}"));
        assert_way(from, addresses, "lw0");
    }

    tell(&lab, &engine, "db", None, DB);
    drop(db);
    let db = Container::of(&lab, "db", 0);
    join(&web, &db, DB_AGAIN);
    tell(&lab, &engine, "db", Some(db.pid), DB_AGAIN);
    until("it is attached again", || lab.read("db/hosts") != HOSTS);
    web.shell("ping -c 1 -w 20 db");
    assert_way(&web, DB_AGAIN, "lw0");
    assert_way(&db, WEB, "lw0");

    let ended = interrupt(run);
    assert!(number(&direction(&ended.json(), "a", "web")["delivered"]["frames"]) > 5, "{}", ended.told());
    assert_way(&web, DB_AGAIN, "eth0");
    web.shell(&format!("ping -c 1 -w 20 {}", DB_AGAIN[0]));
    for service in ["web", "db"] {
        assert_eq!(fs::read_to_string(lab.path(&format!("{service}/hosts"))).unwrap(), HOSTS);
    }
}

#[test]
fn a_project_that_is_not_up_is_refused() {
    let Some(lab) = lab() else { return };
    let engine = Engine::start(&lab);
    lab.write("compose.yaml", COMPOSE);
    lab.write("links.yaml", LINKS);
    engine.says_of(LIST, "200 OK", b"[]");
    let refused = |arguments: &[&str], code: i32, what: &str| {
        let ended = lab.start(engine.longwire(&lab, arguments)).wait();
        assert!(ended.code == code && ended.stderr.contains(what), "expected `{what}`: {}", ended.told());
    };
    refused(&["compose", "compose.yaml", "--links", "links.yaml"], 2, "docker compose up");
    refused(&["compose", "none.yaml", "--links", "links.yaml"], 2, "cannot read none.yaml");
    refused(&["compose", "links.yaml", "--links", "links.yaml"], 2, "has no `services`");
    engine.says_of(LIST, "500 Internal Server Error", br#"{"message":"out of order"}"#);
    refused(&["compose", "compose.yaml", "--links", "links.yaml"], 4, "it answered 500: out of order");
}
