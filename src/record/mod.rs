//! What a run leaves behind for people and programs: counters → report (JSON, terminal), series over time, event log; and what `show` draws of
//! links. It prints nothing and opens no files: text goes back to its caller, log lines into a writer.

pub mod event_log;
pub mod expectation;
pub mod expected;
mod firewall;
pub mod judge;
mod over_time;
pub mod report;
pub mod series;
pub mod show;
pub mod terminal;
pub mod topology;
mod translation;

pub use report::Report;
