//! What a run takes of the machine: time to set up and take down, a priority.

use crate::support::{Lab, is_root};

#[test]
fn two_hosts_are_made_and_taken_down_quickly() {
    let Some(lab) = Lab::new(
        "longwire: 1\nnodes: { a: host, b: host }\nlinks: { wire: { ends: [a, b] } }\n\
        workloads: { nothing: { in: a, command: [\"true\"] } }\n",
    ) else {
        return;
    };
    let took: Vec<_> = (0..5)
        .map(|_| {
            let ended = lab.run(&["run", "scenario.yaml"]);
            ended.assert_passed_or_late();
            ended.took
        })
        .collect();
    let least = took.iter().min().expect("five");
    println!("set up and taken down in {took:?}");
    assert!(least.as_millis() < 1000, "{took:?}");
}

#[test]
fn a_priority_that_takes_more_than_half_of_a_processor_is_given_up_and_reported() {
    // two hosts send as fast as the engine carries their frames
    let Some(lab) = Lab::new(
        "\
longwire: 1
timing: { priority: auto }
nodes: { a: host, b: host }
links: { wire: { ends: [a, b] } }
workloads: { bulk: { tcp: { from: a, to: b, for: 2s } } }
",
    ) else {
        return;
    };
    let (code, report) = lab.report();
    crate::support::report::check(&report, code);
    assert_eq!(report["timing"]["requested"]["priority"], "auto");
    let refused = report["timing"]["refused"].to_string();
    let expected =
        if is_root() { "was given up: the engine ran for" } else { "`timing: { priority: auto }` was refused" };
    assert!(refused.contains(expected), "{refused}");
}
