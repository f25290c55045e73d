//! A scenario from memory, checked as `longwire check` does; and one that may run, driven for a while.

use longwire::engine::{Engine, NodeKind};
use longwire::report::mistakes;
use longwire::language::files::MemoryFiles;
use longwire::scenario::{Overrides, listing, load};
use longwire::tasks::resolved::Resolved;
use longwire::units::{Duration, Instant};

use crate::{Nowhere, assert_conserved, count};

/// The scenario's own name.
pub const SCENARIO: &str = "scenario.yaml";

/// Networks up to this size are driven; building larger ones takes too long.
const DRIVEN: usize = 100;

/// A scenario's text, beside the files that the seeds name.
pub fn with_files(text: &str) -> MemoryFiles {
    MemoryFiles::one(SCENARIO, text)
        .with("part.yaml", include_str!("../../scenarios/quickstart.yaml"))
        .with("regions-delay.csv", include_str!("../../scenarios/regions-delay.csv"))
        .with("delay-samples.csv", include_str!("../../scenarios/models/delay-samples.csv"))
        .with("delay-trace.csv", include_str!("../../scenarios/models/delay-trace.csv"))
        .with("loss-trace.csv", include_str!("../../scenarios/models/loss-trace.csv"))
        .with("rate-trace.down", include_str!("../../scenarios/models/rate-trace.down"))
        .with("backbone.gml", include_str!("../../scenarios/import/backbone.gml"))
}

/// Checks the scenario in `files`, and prints what is told of it.
pub fn check(files: &MemoryFiles) -> Option<Resolved> {
    match load(SCENARIO.as_ref(), files, &Overrides::default()) {
        Ok(resolved) => {
            assert!(!resolved.warnings.has_errors(), "a scenario with errors may not run");
            mistakes::render(&resolved.warnings, &resolved.sources, false);
            let (listed, nodes) = (listing(&resolved), resolved.plan.nodes.len() + resolved.network.hosts.len());
            assert_eq!(listed.contains("\nnodes:\n"), nodes > 0, "{listed}");
            count::taken();
            Some(resolved)
        }
        Err((told, sources)) => {
            assert!(told.has_errors(), "nothing is wrong, and nothing was made");
            mistakes::render(&told, &sources, true);
            None
        }
    }
}

/// Sends a frame from each port of the network, again and again for three seconds of model time.
pub fn drive(resolved: &Resolved) {
    let plan = &resolved.plan;
    if plan.nodes.len() > DRIVEN || plan.links.len() > DRIVEN {
        return;
    }
    let mut engine = Engine::new(plan);
    let (mut sink, mut frame, mut now) = (Nowhere::default(), vec![0xff; 1514], Instant::ZERO);
    let ports: Vec<_> = engine.nodes().filter(|id| plan.nodes[id.0 as usize].kind == NodeKind::Port).collect();
    for turn in 0..30_u8 {
        for port in &ports {
            frame[6..14].copy_from_slice(&[2, 0, 0, 0, 0, port.0 as u8, 8, 0]);
            let len = 60 + usize::from(turn) * 50;
            let frame = engine.pool().store(&frame[..len]).expect("no longer than a frame may be");
            engine.inject(now, *port, frame);
            count::frames(1);
        }
        now += Duration::from_millis(100);
        engine.advance(now, &mut sink);
    }
    assert_conserved(&engine);
}
