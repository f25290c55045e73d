//! What the engine allocates. A program of its own, because its global allocator counts.

mod counting;
#[expect(clippy::unwrap_used, reason = "a test fails by a panic")]
#[path = "../support/node_frames.rs"]
mod node_frames;

mod engine;
mod frames_into_nodes;
