//! Whole scenarios with groups, patterns and graphs.

mod groups;
mod imports;
mod patterns;

use std::path::Path;

use crate::language::files::MemoryFiles;
use crate::model::RateSpec;
use crate::scenario::{Overrides, load};
use crate::tasks::resolved::Resolved;

fn try_with(files: &MemoryFiles) -> Result<Resolved, Vec<String>> {
    load(Path::new("test.yaml"), files, &Overrides::default())
        .map_err(|(told, _)| told.iter().map(ToString::to_string).collect())
}

fn try_load(text: &str) -> Result<Resolved, Vec<String>> {
    try_with(&MemoryFiles::one("test.yaml", &format!("longwire: 1\n{text}")))
}

fn good(text: &str) -> Resolved {
    try_load(text).unwrap_or_else(|told| panic!("{told:#?}"))
}

fn bad(text: &str) -> Vec<String> {
    try_load(text).expect_err("mistakes")
}

fn links(resolved: &Resolved) -> Vec<String> {
    resolved.links.iter().map(|link| format!("{}: {} {}", link.name, link.ends[0], link.ends[1])).collect()
}

fn nodes(resolved: &Resolved) -> Vec<&str> {
    resolved.plan.nodes.iter().map(|node| node.name.as_str()).collect()
}

fn members<'a>(resolved: &'a Resolved, group: &str) -> Vec<&'a str> {
    resolved.scenario.groups.get(group).unwrap().members.iter().map(String::as_str).collect()
}

/// A rate as a scenario writes it.
fn rate(spec: &RateSpec) -> String {
    serde_json::to_value(spec).unwrap().as_str().unwrap_or("another kind of rate").to_owned()
}

#[test]
fn big_networks_are_spelled_out_in_a_time_that_grows_with_them() {
    let started = std::time::Instant::now();
    // 1,000 routers and 5,000 links, none from a router to itself
    let mut graph = String::from("graph [\n");
    for id in 0..1000u32 {
        graph += &format!("node [ id {id} ]\n");
        for step in 1..=5u32 {
            graph += &format!("edge [ source {id} target {} latency \"{step} ms\" ]\n", (id + step * step * 7) % 1000);
        }
    }
    graph += "]\n";
    let scenario = "longwire: 1\nimport: { graph: g.gml }\nnodes: { a: { host: { count: 500 } } }\n\
                    links: { p: { tree: { depth: 3, fan_out: 12, nodes: router }, delay: 1ms }, q: { star: 500, rate: 1Mbit }, \
                    r: { ends: [a, node-17] } }\n";
    let resolved = try_with(&MemoryFiles::one("test.yaml", scenario).with("g.gml", &graph));
    let resolved = resolved.unwrap_or_else(|told| panic!("{:#?}", &told[..told.len().min(5)]));
    assert_eq!(resolved.links.len(), 5000 + 12 + 144 + 1728 + 500 + 500);
    // The slowest machine builds without optimization; a step that grows with the square takes minutes.
    assert!(started.elapsed() < std::time::Duration::from_secs(30), "{:?}", started.elapsed());
}
