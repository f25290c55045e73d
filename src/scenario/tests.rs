//! Whole scenarios: what they come to, and what is said of their mistakes.

use std::path::Path;

use super::listing::listing;
use super::spec::{Amount, Command, Pace, Start, WorkloadKind};
use super::{MemoryFiles, Overrides, Resolved, load};
use crate::diag::Severity;
use crate::engine::NodeKind;
use crate::model::{DelaySpec, LossSpec};
use crate::queue::QueueSpec;
use crate::units::Duration;

const GOOD: &str = include_str!("good.yaml");

fn try_load(text: &str) -> Result<Resolved, Vec<String>> {
    load(Path::new("test.yaml"), &MemoryFiles::one("test.yaml", text), &Overrides::default())
        .map_err(|(told, _)| told.iter().map(ToString::to_string).collect())
}

fn good(text: &str) -> Resolved {
    try_load(text).unwrap_or_else(|told| panic!("{told:#?}"))
}

fn bad(text: &str) -> Vec<String> {
    try_load(text).err().expect("mistakes")
}

fn warnings(resolved: &Resolved) -> Vec<String> {
    assert!(resolved.warnings.iter().all(|d| d.severity == Severity::Warning));
    resolved.warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn the_resolved_plan_shows_every_value_and_its_origin() {
    let resolved = good(GOOD);
    assert_eq!(warnings(&resolved), [""; 0]);
    insta::assert_snapshot!(listing(&resolved));
}
