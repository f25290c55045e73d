//! What the fuzz targets share. docs/fuzzing.md says what each of them covers.

pub mod check;
pub mod count;
pub mod document;

#[path = "../../tests/support/node_frames.rs"]
#[allow(dead_code, reason = "each user of it needs a part")]
mod node_frames;

pub use node_frames::{Nowhere, PORTS, assert_conserved, guarded_router, plan, real_frames, router, serving_router};
