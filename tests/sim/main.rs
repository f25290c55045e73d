//! Virtual time, seen from the machine: how runs start, repeat, fail and end, and what they leave.

#[path = "../support/mod.rs"]
mod support;

mod ci_suite;
mod contained;
mod documents;
mod endings;
mod failures;
mod first_glance;
mod identical;
mod kernel;
mod ports;
mod report;
mod shell;
mod suite;
