//! An expectation as it is written, and how it is printed: what is printed reads back as the same.

use std::fmt;

use super::quantity::Quantity;
use super::token::{Op, Place};
use crate::units::{Duration, Probability};

/// One expectation.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// It is meant for every member of a group.
    pub all: bool,
    /// What is expected.
    pub form: Form,
}

/// What is expected.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// A measure compares as it should.
    Compare {
        /// Whether it is about every value over time.
        quantifier: Option<Quantifier>,
        /// What is measured.
        left: Path,
        /// When; `None` for the whole run.
        window: Option<Window>,
        /// How it should compare.
        relation: Relation,
        /// With what.
        right: Operand,
    },
    /// A host gets an answer from another, or none.
    Reach {
        /// The host that asks.
        from: Path,
        /// What it asks: a host, a router, or an address.
        to: Path,
        /// No answer is expected.
        not: bool,
        /// How long it may take.
        within: Option<Duration>,
        /// When.
        window: Option<Window>,
    },
}

/// Whether an expectation is about every value over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantifier {
    /// Each value compares so.
    Always,
    /// None does.
    Never,
}

/// A path: names with points between.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// The names.
    pub parts: Vec<String>,
    /// Where it stands.
    pub place: Place,
}

/// A stretch of time.
#[derive(Clone, Debug, PartialEq)]
pub enum Window {
    /// From one instant up to another.
    FromTo(Time, Time),
    /// From an instant to the end of the run.
    After(Time),
    /// From t = 0 up to an instant.
    Before(Time),
}

/// An instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Time {
    /// What it counts from.
    pub base: Base,
    /// So long after.
    pub offset: Duration,
    /// Where it stands.
    pub place: Place,
}

/// What an instant counts from.
#[derive(Clone, Debug, PartialEq)]
pub enum Base {
    /// t = 0.
    Zero,
    /// A mark on the timeline.
    Mark(String),
    /// When a workload was started.
    Started(String),
    /// When a workload ended.
    Ended(String),
    /// The end of the run.
    End,
}

/// How two values should compare.
#[derive(Clone, Debug, PartialEq)]
pub enum Relation {
    /// By their order.
    Op(Op, Place),
    /// No further apart than this share of the second.
    WithinShare(Probability, Place),
    /// No further apart than this.
    Within(Quantity, Place),
}

/// What a measure is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// A quantity.
    Value(Quantity, Place),
    /// Another measure, over the same time.
    Path(Path),
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.all {
            f.write_str("all ")?;
        }
        match &self.form {
            Form::Compare { quantifier, left, window, relation, right } => {
                match quantifier {
                    Some(Quantifier::Always) => f.write_str("always ")?,
                    Some(Quantifier::Never) => f.write_str("never ")?,
                    None => {}
                }
                write!(f, "{left}")?;
                if let Some(window) = window {
                    write!(f, " {window}")?;
                }
                match relation {
                    Relation::Op(op, _) => write!(f, " {} ", op.sign())?,
                    Relation::WithinShare(share, _) => write!(f, " within {share} of ")?,
                    Relation::Within(quantity, _) => write!(f, " within {quantity} of ")?,
                }
                match right {
                    Operand::Value(quantity, _) => write!(f, "{quantity}"),
                    Operand::Path(path) => write!(f, "{path}"),
                }
            }
            Form::Reach { from, to, not, within, window } => {
                let word = if *not { "does not reach" } else { "reaches" };
                write!(f, "{from} {word} {to}")?;
                if let Some(within) = within {
                    write!(f, " within {within}")?;
                }
                window.as_ref().map_or(Ok(()), |window| write!(f, " {window}"))
            }
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, part) in self.parts.iter().enumerate() {
            let point = if n > 0 { "." } else { "" };
            let plain = part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':'));
            if plain || n == 0 { write!(f, "{point}{part}")? } else { write!(f, "{point}\"{part}\"")? }
        }
        Ok(())
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Window::FromTo(from, to) => write!(f, "from {from} to {to}"),
            Window::After(time) => write!(f, "after {time}"),
            Window::Before(time) => write!(f, "before {time}"),
        }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.base {
            Base::Zero => return self.offset.fmt(f),
            Base::Mark(name) => f.write_str(name)?,
            Base::Started(name) => write!(f, "{name}.started")?,
            Base::Ended(name) => write!(f, "{name}.ended")?,
            Base::End => f.write_str("end")?,
        }
        if self.offset == Duration::ZERO { Ok(()) } else { write!(f, " + {}", self.offset) }
    }
}
