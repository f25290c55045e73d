//! What a run leaves behind for people and programs: counters → report (JSON, terminal), series over time, event log, captures; and what `show` draws of
//! links. It prints nothing and opens no files: text goes back to its caller, log lines into a writer.

pub mod asked;
pub mod capture;
mod captured;
pub mod confinement;
mod dropped;
pub mod event_log;
pub mod expectation;
pub mod expected;
mod firewall;
pub mod gaps;
pub mod histogram;
#[cfg(test)]
mod hostile_tests;
pub mod html;
pub mod judge;
mod measured;
pub mod mistakes;
mod outages;
mod over_time;
pub mod parameters;
pub mod phases;
pub mod report;
mod requested;
pub mod series;
pub mod show;
pub mod status;
pub mod terminal;
pub mod topology;
mod translation;
pub mod warnings;

pub use report::Report;
pub use requested::Requested;
