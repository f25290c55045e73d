//! What a run leaves behind for people and programs: the report as data (`json`) and as text (`terminal`), series over time, the event log.
//! It prints nothing and opens no files: text goes back to its caller, log lines into a writer.

pub(crate) mod alike;
pub mod asked;
pub(crate) mod bands;
pub(crate) mod bars;
pub(crate) mod captured;
pub mod confinement;
pub mod diagnosis;
pub(crate) mod dropped;
pub mod event_log;
pub mod expectation;
pub mod expected;
pub(crate) mod firewall;
pub mod gaps;
pub(crate) mod gauge;
pub(crate) mod groups;
pub(crate) mod happened;
pub mod json;
pub(crate) mod measured;
pub mod mistakes;
pub(crate) mod network;
pub(crate) mod outages;
pub(crate) mod over_time;
pub mod parameters;
pub mod paths;
pub(crate) mod phase_table;
pub mod phases;
pub(crate) mod requested;
pub mod series;
pub mod status;
pub mod terminal;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod tracks;
pub(crate) mod translation;
pub mod warnings;

pub use json::Report;
pub use requested::Requested;
