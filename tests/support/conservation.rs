//! What must hold of the counters of any network.
#![allow(unreachable_pub, reason = "public for the fuzz targets, which are a crate")]

use longwire::engine::Engine;

/// Both equations hold: each direction's and each node's frames add up.
pub fn assert_conserved(engine: &Engine) {
    for id in engine.directions() {
        let c = engine.counters(id);
        let out = c.delivered.frames + c.dropped.frames() + engine.inside(id);
        assert_eq!(c.offered.frames + c.originated + c.duplicated, out, "direction {id:?}");
    }
    for id in engine.nodes() {
        let c = engine.node_counters(id);
        let out = c.sent + c.consumed + c.dropped.frames() + engine.held(id);
        assert_eq!(c.received + c.originated + c.replicated, out, "node {id:?}");
    }
}
