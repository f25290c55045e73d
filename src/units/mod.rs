//! Quantities of the network, as integers: time in nanoseconds, rates in bits per second, sizes in bytes,
//! probabilities in parts per 10¹².
//!
//! Every quantity parses from and prints to the forms of the scenario language (`5ms`, `20Mbit`, `64KiB`, `1.5%`), and
//! what is printed parses back to the same value. A number without a unit is an error that says which to write. All units
//! stand in one table, in grammar.rs: values, columns of tables, expectations and imports read their units there.

mod decimal;
mod duration;
mod foreign;
mod grammar;
mod instant;
mod probability;
mod rate;
mod size;
#[cfg(test)]
mod tests;
mod text;

pub use duration::{Duration, NANOS_PER_SEC};
pub use foreign::foreign;
pub use grammar::{Dimension, ParseError, RateUnit, ShareUnit, TimeUnit, Unit, UnitOf};
pub use instant::Instant;
pub use probability::Probability;
pub use rate::Rate;
pub use size::ByteSize;
