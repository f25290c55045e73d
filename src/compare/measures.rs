//! What of reports is compared: a few measures of each workload, direction and node, in three kinds.
//!
//! What a run was asked to do is not among them: a loss is what was counted.

use indexmap::IndexMap;
use serde::Serialize;

use crate::frame::DropCause;
use crate::judge;
use crate::measured::catalogue::{self, Entry, Source};
use crate::measured::{Measured, Part, Unit};
use crate::report::Report;
use crate::report::json::{Direction, Node, WorkloadReport};
use crate::tasks::expect::{Measure, Subject, Which};

/// What a measure is about. Each kind is a family of its own in a test of several runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// What did not arrive: losses, drops by cause.
    Loss,
    /// How long things took: delays, round trips, silences.
    Delay,
    /// How much arrived, and numbers out of programs' outputs.
    Amount,
}

/// All measures of some reports, by name, in the order in which reports have them.
#[derive(Debug, Default)]
pub(super) struct Catalogue(pub(super) IndexMap<String, (Kind, Measure)>);

/// Parts of a distribution that are compared.
const PARTS: [Part; 4] = [Part::P50, Part::P90, Part::P99, Part::Mean];

impl Catalogue {
    /// Of all these reports together.
    pub(super) fn of<'a>(reports: impl Iterator<Item = &'a Report>) -> Catalogue {
        let mut all = Catalogue::default();
        for report in reports {
            report.workloads.iter().for_each(|(name, work)| all.workload(name, work));
            report.directions.iter().for_each(|direction| all.direction(direction));
            report.nodes.iter().for_each(|node| all.node(node));
        }
        all
    }

    /// The values of one report, in the order of the measures.
    pub(super) fn values(&self, report: &Report) -> Vec<Option<f64>> {
        let measures: Vec<Measure> = self.0.values().map(|(_, measure)| measure.clone()).collect();
        judge::values(&measures, report)
    }

    fn add(
        &mut self,
        whose: &str,
        (what, part): (&str, Option<&Which>),
        kind: Kind,
        measure: impl FnOnce() -> Measure,
    ) {
        let part = part.map(|which| match which {
            Which::Part(part) => part.to_string(),
            Which::Cause(cause) => cause.name().to_owned(),
            Which::Name(name) => name.clone(),
        });
        let words = [Some(whose.to_owned()), Some(what.to_owned()).filter(|what| !what.is_empty()), part];
        let name = words.into_iter().flatten().collect::<Vec<_>>().join(".");
        self.0.entry(name).or_insert_with(|| (kind, measure()));
    }

    /// An entry of a table, by its path; with each part of a distribution.
    fn entry(&mut self, whose: (&str, &Subject), table: &[Entry], path: &str, kind: Kind) {
        let (name, subject) = whose;
        let Some(entry) = table.iter().find(|entry| entry.path == path) else { return };
        match entry.parts().contains(&Part::P50) {
            false => self.add(name, (path, None), kind, || Measure::new(entry, subject.clone(), None)),
            true => PARTS.into_iter().map(Which::Part).for_each(|which| {
                self.add(name, (path, Some(&which)), kind, || {
                    Measure::new(entry, subject.clone(), Some(which.clone()))
                });
            }),
        }
    }

    fn workload(&mut self, name: &str, work: &WorkloadReport) {
        let subject = Subject::Workload(name.to_owned());
        let whose = (name, &subject);
        let (table, paths): (&[Entry], &[(&str, Kind)]) = match &work.measured {
            Measured::Ping(_) => {
                (catalogue::PING, &[("loss", Kind::Loss), ("", Kind::Delay), ("gap.max", Kind::Delay)])
            }
            Measured::Udp(_) => (
                catalogue::UDP,
                &[
                    ("loss", Kind::Loss),
                    ("delay", Kind::Delay),
                    ("gap.max", Kind::Delay),
                    ("throughput", Kind::Amount),
                    ("reordered", Kind::Amount),
                    ("duplicates", Kind::Amount),
                ],
            ),
            Measured::Tcp(_) => (
                catalogue::TCP,
                &[
                    ("retransmits", Kind::Loss),
                    ("rtt", Kind::Delay),
                    ("gap.max", Kind::Delay),
                    ("goodput", Kind::Amount),
                ],
            ),
            Measured::Program(_) => (catalogue::ANY, &[("duration", Kind::Delay)]),
        };
        paths.iter().for_each(|(path, kind)| self.entry(whose, table, path, *kind));
        let values = work.measured.values().and_then(|program| program.values.as_ref()).into_iter().flatten();
        for (value, _) in values {
            let units = work.measured.values().and_then(|program| program.value_units.as_ref());
            let unit = units.and_then(|units| units.get(value)).copied().unwrap_or_default();
            let kind = match unit.unit() {
                Unit::Time => Kind::Delay,
                Unit::Share => Kind::Loss,
                _ => Kind::Amount,
            };
            let which = Which::Name(value.clone());
            self.add(name, ("", Some(&which)), kind, || Measure {
                scale: unit.factor(),
                ..Measure::new(&Entry::new("", unit.unit(), Source::Value, ""), subject.clone(), Some(which.clone()))
            });
        }
    }

    fn direction(&mut self, direction: &Direction) {
        let whose = direction.path();
        let subject = Subject::Link { name: direction.link.clone(), to: Some(direction.to.clone()) };
        self.entry((&whose, &subject), catalogue::LINK, "loss", Kind::Loss);
        self.causes((&whose, &subject), &catalogue::LINK_CAUSE, direction.dropped.keys());
        self.entry((&whose, &subject), catalogue::LINK, "delay", Kind::Delay);
        self.entry((&whose, &subject), catalogue::LINK, "corrupted", Kind::Amount);
        self.entry((&whose, &subject), catalogue::LINK, "marked", Kind::Amount);
    }

    fn node(&mut self, node: &Node) {
        let subject = Subject::Node(node.name.clone());
        self.causes((&node.name, &subject), &catalogue::NODE_CAUSE, node.dropped.keys());
    }

    fn causes(&mut self, whose: (&str, &Subject), entry: &Entry, causes: impl Iterator<Item = impl AsRef<str>>) {
        for cause in causes {
            let known = DropCause::ALL.into_iter().find(|known| known.name() == cause.as_ref());
            let Some(which) = known.map(Which::Cause) else { continue };
            self.add(whose.0, (entry.path, Some(&which)), Kind::Loss, || {
                Measure::new(entry, whose.1.clone(), Some(which.clone()))
            });
        }
    }
}
