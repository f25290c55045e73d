//! YAML text → spec (spans kept) → check (all errors at once) → plan.

pub mod network;
