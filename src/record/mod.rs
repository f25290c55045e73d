//! What a run leaves behind for people and programs: counters → report (JSON, terminal), event log; and what `show` draws of
//! links. It prints nothing and opens no files: text goes back to its caller, log lines into a writer.

pub mod event_log;
mod firewall;
pub mod report;
pub mod show;
pub mod terminal;

pub use report::Report;
