//! What the engine allocates. A program of its own, because its global allocator counts.

mod counting;
#[path = "../support/node_frames.rs"]
mod node_frames;

mod engine;
mod frames_into_nodes;
