//! Namespaces, addresses in them, processes in them, and their guaranteed teardown.

pub mod sys;
