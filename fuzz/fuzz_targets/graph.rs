//! Graphs to import: GML after an even first byte, GraphML after an odd one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use longwire_fuzz::check::{check, drive, with_files};

fuzz_target!(|bytes: &[u8]| {
    let Some((which, graph)) = bytes.split_first() else { return };
    let Ok(graph) = std::str::from_utf8(graph) else { return };
    let name = if which % 2 == 0 { "g.gml" } else { "g.graphml" };
    let scenario = format!("longwire: 1\nimport: {{ graph: {name} }}\nnodes: {{ a: host, b: host }}\n");
    if let Some(resolved) = check(&with_files(&scenario).with(name, graph)) {
        drive(&resolved);
    }
});
