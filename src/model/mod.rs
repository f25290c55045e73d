//! Impairments: one a file. Each file holds the scenario's form of it (serde and JSON Schema), its meaning, its code and
//! its tests. Time comes in as an argument; randomness comes in as the frame's own generator.

pub mod chain;
pub mod chance;
pub mod corrupt;
pub mod data;
pub mod delay;
pub mod duplicate;
pub mod form;
pub mod loss;
pub mod only;
pub mod rate;
pub mod reorder;
#[cfg(test)]
pub(crate) mod statistics;

pub use chain::Correlation;
pub use chance::Chance;
pub use corrupt::{Corrupt, CorruptSpec};
pub use delay::{Delay, DelaySpec, Distribution, Order};
pub use duplicate::{Duplicate, DuplicateSpec};
pub use loss::{LossModel, LossRule, LossSpec};
pub use only::Only;
pub use rate::{Framing, RateSpec};
pub use reorder::{Reorder, ReorderSpec};
