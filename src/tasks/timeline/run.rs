//! `run: { in: db1, shell: "…" }`: a program that the timeline starts. It is a workload whose time has come.

use std::collections::BTreeMap;
use std::path::PathBuf;

use indexmap::IndexMap;

use super::spec::RunSpec;
use super::{Action, Step};
use crate::diag::Diagnostics;
use crate::language::names;
use crate::language::spanned::Spanned;
use crate::tasks::check::command;
use crate::tasks::reach::Hosts;
use crate::tasks::spec::{Program, Start, Workload, WorkloadKind};
use crate::units::Duration;

/// A program that a step starts.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// What it is called in the report: no other has that name.
    pub name: String,
    /// Its number among all that the timeline starts, in their order.
    pub number: usize,
    /// What is run. Its `start` means nothing.
    pub workload: Workload,
    /// As people read it: `run migrate in db1`.
    pub words: String,
}

/// Reads and checks one.
pub(super) fn read(
    run: &Spanned<RunSpec>,
    clean: bool,
    hosts: &Hosts<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Action> {
    let spec = &run.value;
    let name = spec.name.as_ref().map_or("program", |name| name.value.as_str());
    if let (Some(given), Err(reason)) = (&spec.name, names::check_one(name)) {
        diagnostics
            .error(given.span, format!("`{name}` cannot be a name: {reason}"))
            .help("letters, digits, `-` and `_`, a letter or digit first, at most 63 bytes");
        return None;
    }
    let host = hosts.program_host(&spec.host, diagnostics);
    let what = command(name, run.span, spec.command.as_ref(), spec.shell.as_ref(), clean, diagnostics);
    let cwd = spec.cwd.as_ref().map(PathBuf::from);
    let program = Program { host: host?, run: what?, env: spec.env.clone(), cwd, root: spec.root };
    let kind = WorkloadKind::Program { program, exit: spec.exit.map_or(0, i32::from) };
    let workload = Workload {
        start: Start::At(Duration::ZERO),
        timeout: spec.timeout,
        kind,
        values: IndexMap::new(),
        percentiles: Vec::new(),
    };
    let words = spec.host.value.clone();
    Some(Action::Run(Box::new(Run { name: name.to_owned(), number: 0, workload, words })))
}

/// Gives all their names and numbers: the second of a name is `NAME-2`.
pub(super) fn name_all(steps: &mut [Step]) {
    let runs = |step: &Step| step.actions.iter().any(|action| matches!(action, Action::Run(_)));
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    let mut number = 0;
    for step in steps.iter_mut().filter(|step| runs(step)) {
        for action in &mut step.actions {
            let Action::Run(run) = action else { continue };
            let name = run.name.clone();
            while taken.contains_key(&run.name) {
                let count = taken.entry(name.clone()).or_default();
                *count += 1;
                run.name = format!("{name}-{}", *count);
            }
            taken.insert(run.name.clone(), 1);
            run.number = number;
            run.words = format!("run {} in {}", run.name, run.words);
            number += 1;
        }
    }
}
