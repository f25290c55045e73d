//! What explains the results of a run, in a sentence each: only what its counters prove. Where they leave it open, nothing is said.
//!
//! | file | what is explained |
//! |---|---|
//! | `bottleneck` | links whose wire or queue held traffic up |
//! | `lost` | where frames ended, and of which workload they were |
//! | `silent` | silences that begin with a change |
//! | `hosts` | what held a workload up inside its hosts: windows, buffers, refusals |

mod bottleneck;
mod hosts;
mod lost;
mod silent;

use super::json::Report;

/// So many sentences of a kind at most.
const MOST: usize = 4;

/// All that can be said.
pub fn of(report: &Report) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    for sentences in [bottleneck::sentences, lost::sentences, silent::sentences, hosts::sentences] {
        said.extend(sentences(report).into_iter().take(MOST));
    }
    said
}

#[cfg(test)]
pub(crate) mod testing {
    use indexmap::IndexMap;

    use crate::report::json::{Report, WorkloadReport};
    use crate::report::testing;

    /// A run of 10 s in which nothing was lost: one link, no workloads, no events.
    pub(crate) fn quiet() -> Report {
        let mut report = testing::report();
        report.duration_ns = 10_000_000_000;
        report.directions.truncate(1);
        report.directions[0].dropped = IndexMap::new();
        report.directions[0].marked = 0;
        report.workloads = IndexMap::new();
        report.nodes.iter_mut().for_each(|node| node.dropped = IndexMap::new());
        report.events = Vec::new();
        report.series = None;
        report
    }

    /// The same with a workload.
    pub(crate) fn with(name: &str, work: WorkloadReport) -> Report {
        Report { workloads: [(name.to_owned(), work)].into_iter().collect(), ..quiet() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nothing_is_proven_nothing_is_said() {
        assert_eq!(of(&testing::quiet()), [""; 0]);
    }
}
