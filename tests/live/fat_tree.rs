//! A hundred and twenty-eight hosts at a fat tree of eighty routers: all ping each other, and none is lost.

use crate::support::report::{assert_passed, number};
use crate::support::{Lab, has, is_root};

#[test]
fn a_hundred_and_twenty_eight_hosts_ping_each_other() {
    // an echo socket of its own is root's
    if !has("python3") || !is_root() {
        return;
    }
    let Some(lab) = Lab::new(
        "\
longwire: 1
links:
  dc: { fat_tree: { k: 8 }, delay: 100us }
workloads:
  all: { in: dc-host, command: [python3, ping_all.py], root: true, timeout: 200s }
",
    ) else {
        return;
    };
    lab.write("ping_all.py", include_str!("../support/programs/ping_all.py"));
    let (code, report) = lab.report();
    assert_passed(code, &report);
    let works = report["workloads"].as_object().expect("workloads");
    assert_eq!(works.len(), 128);
    for (name, work) in works {
        assert_eq!(work["output"][0], "128 asked, 128 answered", "{name}: {work:#}");
        assert_eq!(work["ok"], true, "{name}: {work:#}");
    }
    let routers = report["nodes"].as_array().expect("nodes");
    assert_eq!(routers.len(), 80);
    for router in routers {
        let dropped = router["dropped"].as_object().expect("causes");
        // the kernel's reports of multicast listeners are for nobody
        let other = dropped.keys().filter(|cause| !matches!(cause.as_str(), "unsupported" | "other_host"));
        assert_eq!(other.count(), 0, "{router:#}");
        // of equal ways the first is taken, so that some cores are idle
        let is_edge = router["name"].as_str().is_some_and(|name| name.contains("edge"));
        assert!(!is_edge || number(&router["received"]) >= 2 * 4 * 124, "{router:#}");
    }
    for direction in report["directions"].as_array().expect("directions") {
        assert!(direction["dropped"].as_object().expect("causes").is_empty(), "{direction:#}");
    }
}
