//! `expect:`: what should hold. Read and checked here, so that no mistake in an expectation is left for the end of a run;
//! judged, against a finished report, in `judge`. What there is to measure stands in `measured::catalogue`.
//!
//! | file | what it is about |
//! |---|---|
//! | `spec` | entries of the list, and what YAML makes of those that lack quotes |
//! | `token`, `grammar`, `syntax` | text → words → statement, and back to text |
//! | `quantity` | `60ms`, `5%`, `100 packets` |
//! | `measure` | path → measure |
//! | `check` | whether it can be compared so, and lies within the run |
//! | `probe` | pings for `alice reaches bob` |
//! | `values` | numbers from programs' output |

mod check;
mod grammar;
mod measure;
mod probe;
mod quantity;
mod spec;
mod syntax;
#[cfg(test)]
mod tests;
mod token;
pub mod values;

use crate::diag::Span;
use crate::measured::{Part, Percentile};

pub(crate) use check::{Surroundings, keep_what_is_asked, plan};
pub use grammar::parse;
pub(crate) use measure::Names;
pub use measure::{Measure, Subject, Which};
pub use quantity::Quantity;
pub(crate) use spec::ExpectationSpec;
pub use syntax::{Base, Form, Operand, Path, Quantifier, Relation, Statement, Time, Window};
pub use token::{Fault, Op, Place};

/// One expectation, checked.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// What the report calls it, if it has a name.
    pub name: Option<String>,
    /// As it is written, with the values of parameters.
    pub text: String,
    /// Where it stands.
    pub span: Span,
    /// What it claims: one thing, or one for each member of a group. Never empty.
    pub claims: Vec<Claim>,
}

/// Percentiles that are asked for, beside those that are measured always: with whose distribution each is.
pub fn percentiles(expectations: &[Expectation]) -> impl Iterator<Item = (&Measure, Percentile)> {
    let measures =
        expectations.iter().flat_map(|expectation| &expectation.claims).flat_map(|claim| claim.check.measures());
    measures.filter_map(|measure| {
        let Part::Percentile(percentile) = measure.part()? else { return None };
        (!Percentile::KEPT.contains(&percentile)).then_some((measure, percentile))
    })
}

/// One thing that is claimed.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Of which member of a group.
    pub member: Option<String>,
    /// What.
    pub check: Check,
}

/// What is claimed.
#[derive(Clone, Debug)]
pub enum Check {
    /// A measure compares as it should.
    Compare(Box<Compare>),
    /// A host is reached, or is not.
    Reach(Reach),
}

impl Check {
    /// What is measured for it.
    pub fn measures(&self) -> impl Iterator<Item = &Measure> {
        let compare = if let Check::Compare(compare) = self { Some(compare) } else { None };
        let right =
            compare.and_then(|compare| if let Right::Measure(right) = &compare.right { Some(right) } else { None });
        compare.map(|compare| &compare.measure).into_iter().chain(right)
    }
}

/// How a measure should compare.
#[derive(Clone, Debug)]
pub struct Compare {
    /// Whether it is about every value over time.
    pub quantifier: Option<Quantifier>,
    /// What is measured.
    pub measure: Measure,
    /// When; `None` for the whole run.
    pub window: Option<Window>,
    /// How it should compare.
    pub relation: Relation,
    /// With what.
    pub right: Right,
    /// The same two in words: `< 60ms`.
    pub expected: String,
}

/// What a measure is compared with.
#[derive(Clone, Debug)]
pub enum Right {
    /// A value in the measure's unit.
    Value(f64),
    /// Another measure.
    Measure(Measure),
}

/// Whether a host gets an answer.
#[derive(Clone, Debug)]
pub struct Reach {
    /// The workload that asks.
    pub probe: String,
    /// No answer is expected.
    pub not: bool,
    /// From when on requests count.
    pub from: Time,
    /// By when answers must have come.
    pub to: Time,
}
