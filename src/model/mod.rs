//! Impairments: one a file. Each file holds the scenario's form of it (serde and JSON Schema), its meaning, its code and
//! its tests. Time comes in as an argument; randomness comes in as the frame's own generator.

pub mod delay;
pub mod form;
pub mod loss;
pub mod rate;

pub use delay::{Delay, DelaySpec, Distribution, Order};
pub use loss::{Loss, LossSpec};
pub use rate::{Framing, RateSpec};
