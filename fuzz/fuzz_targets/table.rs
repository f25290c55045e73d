//! Tables and traces that a scenario names. The first byte says which; what can be read is driven.
#![no_main]

use libfuzzer_sys::fuzz_target;
use longwire_fuzz::check::{check, drive, with_files};

const LINKS: &[&str] = &[
    "delay: { samples: t.csv }",
    "delay: { mean: 5ms, jitter: 1ms, distribution: { table: t.csv } }",
    "delay: { trace: { file: t.csv, repeat: 4s, interpolate: linear } }",
    "delay: { trace: t.csv }",
    "loss: { trace: { file: t.csv, repeat: 3s } }",
    "loss: { trace: t.csv }",
    "rate: { trace: t.csv }, queue: { fifo: { packets: 10 } }",
    "rate: { schedule: { file: t.csv, repeat: true } }",
    "rate: { schedule: t.csv }",
];
const CLOUDS: &[&str] = &["delay: t.csv", "delay: 5ms, jitter: t.csv", "delay: 5ms, loss: t.csv"];

fuzz_target!(|bytes: &[u8]| {
    let Some((which, table)) = bytes.split_first() else { return };
    let Ok(table) = std::str::from_utf8(table) else { return };
    let which = usize::from(*which) % (LINKS.len() + CLOUDS.len());
    let scenario = match LINKS.get(which) {
        Some(link) => {
            format!("longwire: 1\nnodes: {{ a: host, b: host }}\nlinks: {{ l: {{ ends: [a, b], {link} }} }}\n")
        }
        None => format!(
            "longwire: 1\nnodes: {{ a: host, b: host, i: {{ cloud: {{ regions: [x, y], {} }} }} }}\n\
             links: {{ l: {{ ends: [a, i.x] }}, m: {{ ends: [b, i.y] }} }}\n",
            CLOUDS[which - LINKS.len()]
        ),
    };
    if let Some(resolved) = check(&with_files(&scenario).with("t.csv", table)) {
        drive(&resolved);
    }
});
