//! What became of an expectation, as the report has it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// An expectation, judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expectation {
    /// What the scenario calls it.
    pub name: Option<String>,
    /// As it is written, with the values of parameters.
    pub text: String,
    /// The line that it stands on, from 1.
    pub line: u32,
    /// The column that it begins in, from 1.
    pub column: u32,
    /// What was found; of a group, of the first member that fails, else of the first.
    #[serde(flatten)]
    pub judged: Judged,
    /// Of a group: what was found of each member.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Member>,
}

/// What was found of one member of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// What was found.
    #[serde(flatten)]
    pub judged: Judged,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// Whether it holds. Not where it is `invalid`.
    pub pass: bool,
    /// Why it neither holds nor fails: what lateness of the machine can have decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid: Option<String>,
    /// What was measured, for people; `None` without samples.
    pub measured: Option<String>,
    /// The same as a number.
    pub value: Option<f64>,
    /// What the number is in: `ns`, `bit/s`, `share`, `bytes`, `count`, `number`, `truth`.
    pub unit: Cow<'static, str>,
    /// What it was compared with, for people.
    pub expected: String,
    /// The same in numbers, and how far apart they are; `None` without samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared: Option<Compared>,
    /// Why nothing could be measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Of one that fails: when, from t = 0, as far as there is such an instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ns: Option<i64>,
    /// Of one that fails: what had been changed last before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub near: Option<Near>,
}

/// A value beside its limit, in the unit of what was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// What was measured: a path such as `rtt.p99`.
    pub measure: String,
    /// What holds if it passes: `<`, `<=`, `==`, `!=`, `>`, `>=`, `within`.
    pub relation: Cow<'static, str>,
    /// What it is compared with.
    pub limit: f64,
    /// Of `within`: how far from that it may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<f64>,
    /// How far apart, for people: `18.8 ms below`, `7 points above`.
    pub distance: String,
    /// Of a part of the run: from and to, in ns from t = 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_ns: Option<(i64, i64)>,
}

/// A change that came before something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Near {
    /// What it was, as in `events`.
    pub what: String,
    /// When, from t = 0.
    pub at_ns: i64,
    /// How long before.
    pub before_ns: i64,
}

impl Judged {
    /// Whether it fails, however late the machine was.
    pub fn fails(&self) -> bool {
        !self.pass && self.invalid.is_none()
    }
}

impl Expectation {
    /// Whether it fails, or a member does, however late the machine was.
    pub fn fails(&self) -> bool {
        self.judged.fails()
    }

    /// What people call it: its name, or its text.
    pub fn title(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.text)
    }

    /// How many members fail; 1 for one that fails and is of no group.
    pub fn failed(&self) -> usize {
        match self.members.len() {
            0 => usize::from(self.judged.fails()),
            _ => self.members.iter().filter(|member| member.judged.fails()).count(),
        }
    }
}
