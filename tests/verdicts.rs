//! Runs last: cargo starts test programs in the order of their names. Live tests take INVALID where the machine was too slow, so here
//! each of their programs must have seen a run that was not: a longwire that always says INVALID would pass them all.

mod support;

use support::report::verdicts;

/// With fewer runs, all of them may have met a busy moment.
const ENOUGH: u32 = 3;

#[test]
fn no_test_program_saw_invalid_runs_only() {
    let counted = verdicts::take();
    let (pass, invalid) = counted.values().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    println!("live runs: {pass} PASS, {invalid} INVALID; by program: {counted:?}");
    let silent: Vec<_> = counted.iter().filter(|(_, (pass, invalid))| *pass == 0 && *invalid >= ENOUGH).collect();
    assert!(silent.is_empty(), "every run was INVALID, so nothing was tested: {silent:?}");
    assert!(pass > 0 || invalid == 0, "no live run at all was valid: {counted:?}");
}
