//! Nodes: one kind a file.

pub mod switch;

pub use switch::SwitchSpec;
