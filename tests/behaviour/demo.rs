//! `longwire demo`: what the first minute shows is true.

use crate::support::sim::Sim;

#[test]
fn the_demo_passes_in_virtual_time_and_its_scenario_can_be_read() {
    let Some(sim) = Sim::new("") else { return };
    let longwire = |words: &[&str]| sim.lab.start(sim.other(env!("CARGO_BIN_EXE_longwire"), words)).wait();
    let ended = longwire(&["demo", "--sim", "--json", "report.json", "--html", "page.html"]);
    assert_eq!(ended.code, 0, "{}", ended.told());
    let report: serde_json::Value = serde_json::from_str(&sim.lab.read("report.json")).expect("JSON");
    assert_eq!(report["verdict"], "pass", "{report:#}");
    assert!(sim.lab.read("page.html").contains("the upload fills the queue"));
    let printed = longwire(&["demo", "--print"]);
    sim.lab.write("demo.yaml", &printed.stdout);
    let checked = longwire(&["check", "demo.yaml"]);
    assert_eq!(checked.code, 0, "{}", checked.told());
    assert!(checked.stdout.contains("through the NAT of home"), "{}", checked.stdout);
}
