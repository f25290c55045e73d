//! The simulated network: plan, event order, directions, commands, counters. It knows no clock, no OS and no I/O: time
//! comes in as an argument.

pub mod plan;

pub use plan::{DirectionSpec, LinkPlan, NodeKind, NodePlan, Plan};
