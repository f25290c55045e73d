//! What a suite runs: each file's combinations and repetitions, checked, then filtered and shared out.
//!
//! Everything is read and checked here, before anything runs.

use std::path::{Path, PathBuf};

use super::case::{Case, Param, Repetition};
use super::discover::{File, Found};
use super::shard::Shard;
use crate::diag::{Diagnostic, Diagnostics, Sources, suggestion};
use crate::language::files::Files;
use crate::language::matrix::Matrix;
use crate::scenario::{Overrides, load, load_combination};
use crate::tasks::resolved::Resolved;
use crate::units::ByteSize;

/// What the command line says beside the files.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// `--param`: names and values, in order. A name with several values runs each of them.
    pub params: Vec<(String, String)>,
    /// Instead of the files' seeds.
    pub seed: Option<u64>,
    /// How often each runs; repetition n, from 0, has the seed + n.
    pub repeat: u32,
    /// All repetitions have the same seed, since they must come out identical.
    pub identical: bool,
    /// Everything runs in virtual time.
    pub virtual_time: bool,
    /// Only what has one of these texts in its file, name or variant; empty: everything.
    pub filters: Vec<String>,
    /// Only this share of what is left.
    pub shard: Option<Shard>,
}

/// The runs of a suite.
#[derive(Debug, Default)]
pub struct Plan {
    /// In the order in which they run.
    pub cases: Vec<Case>,
    /// How many there are over all shares.
    pub of_all_shards: usize,
    /// How many there were before the filter.
    pub unfiltered: usize,
    /// The most memory that a guest of these runs is given, in virtual time.
    pub guest_memory: ByteSize,
    /// Scenarios that are no tests, and why.
    pub skipped: Vec<Skipped>,
    /// What is worth knowing of the files; none of it stops a run.
    pub warnings: Vec<Told>,
}

/// A scenario that a suite does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its file.
    pub file: PathBuf,
    /// Why, in a few words.
    pub why: String,
}

/// What is to be told, with the texts that it points into.
pub type Told = (Diagnostics, Sources);

/// Why a suite cannot run at all.
#[derive(Debug, Default)]
pub struct Wrong {
    /// What is wrong with files.
    pub told: Vec<Told>,
    /// What is wrong with the command line, one sentence each.
    pub words: Vec<String>,
}

/// Reads and checks all files, and chooses what runs.
///
/// # Errors
/// All that is wrong with all files; parameters that no file has; a selection that leaves nothing. Then nothing may run.
pub fn plan(found: &Found, files: &dyn Files, selection: &Selection) -> Result<Plan, Wrong> {
    let mut plan = Plan::default();
    let mut wrong = Wrong::default();
    let mut known: Vec<String> = Vec::new();
    let mut all = Vec::new();
    for file in &found.files {
        let mut read = Read { file, files, selection, told: Once::default(), warned: Once::default() };
        if let Some(cases) = read.cases(&mut plan, &mut wrong, &mut known) {
            all.extend(cases);
        }
        wrong.told.extend(read.told.told);
        plan.warnings.extend(read.warned.told);
    }
    let broken = !wrong.told.is_empty();
    for (n, (name, _)) in selection.params.iter().enumerate() {
        let again = selection.params[..n].iter().any(|(other, _)| other == name);
        // a file that could not be read may be the one that has it
        if !again && !broken && !known.contains(name) {
            let help = suggestion(name, known.iter().map(String::as_str));
            wrong.words.push(format!("no scenario has a parameter `{name}` ({help})"));
        }
    }
    plan.unfiltered = all.len();
    let wanted = |case: &Case| {
        let text = case.searched();
        selection.filters.is_empty() || selection.filters.iter().any(|filter| text.contains(filter.as_str()))
    };
    all.retain(wanted);
    if !broken && wrong.words.is_empty() && all.is_empty() {
        wrong.words.push(match (plan.unfiltered, plan.skipped.len()) {
            (0, 0) => "there is nothing to run".to_owned(),
            (0, skipped) => format!("there is nothing to run: {skipped} skipped, {}", plan.skipped[0].why),
            (n, _) => format!("--filter leaves nothing of {n} runs: it is looked for in file, name and [parameters]"),
        });
    }
    if !wrong.told.is_empty() || !wrong.words.is_empty() {
        return Err(wrong);
    }
    plan.of_all_shards = all.len();
    let mine = all.into_iter().enumerate().filter(|(n, _)| selection.shard.is_none_or(|shard| shard.takes(*n)));
    plan.cases = mine.map(|(_, case)| case).collect();
    Ok(plan)
}

/// A file being read, in all its combinations.
struct Read<'a> {
    file: &'a File,
    files: &'a dyn Files,
    selection: &'a Selection,
    told: Once,
    warned: Once,
}

impl Read<'_> {
    fn cases(&mut self, plan: &mut Plan, wrong: &mut Wrong, known: &mut Vec<String>) -> Option<Vec<Case>> {
        let path = self.file.path.as_path();
        // as the file has it: which parameters there are, and what is wrong whatever their values
        let own = match load(path, self.files, &Overrides::default()) {
            Ok(own) => own,
            Err((told, sources)) => {
                self.told.take(&told, &sources);
                return None;
            }
        };
        self.warned.take(&own.warnings, &own.sources);
        known.extend(own.scenario.params.keys().cloned());
        if let Some(why) = endless(&own) {
            if self.file.named {
                let message = format!("{} {why}", path.display());
                let help = "a suite would wait for ever: give it a `duration`, or something to do";
                let mut told = Diagnostics::default();
                told.push(Diagnostic::error(None, message).help(help));
                wrong.told.push((told, Sources::default()));
            } else {
                plan.skipped.push(Skipped { file: path.to_owned(), why });
            }
            return None;
        }
        let axes = self.axes(&own);
        let mut cases = Vec::new();
        let combinations: usize = axes.iter().map(|axis| axis.values.len()).product();
        for n in 0..combinations {
            let chosen = choose(&axes, n);
            if let Some(scenario) = self.check(path, &axes, &chosen) {
                plan.guest_memory = plan.guest_memory.max(scenario.scenario.sim.memory);
                cases.extend(self.repetitions(path, &scenario, &axes, &chosen));
            }
        }
        self.told.told.is_empty().then_some(cases)
    }

    /// What varies: the matrix of the file, with the command line's values where it has some.
    fn axes(&self, own: &Resolved) -> Vec<Axis> {
        let params = &self.selection.params;
        let given = |name: &str| -> Vec<Param> {
            let values = params.iter().filter(|(other, _)| other == name);
            let param = |text: &String| Param { name: name.into(), text: text.clone(), word: text.clone() };
            values.map(|(_, text)| param(text)).collect()
        };
        let mut axes: Vec<Axis> = Vec::new();
        for (name, choices) in own.scenario.matrix.axes() {
            let values = given(name);
            axes.push(if values.is_empty() {
                let param = |c: &crate::language::matrix::Choice| Param {
                    name: name.into(),
                    text: c.text.clone(),
                    word: c.word.clone(),
                };
                Axis { values: choices.iter().map(param).collect(), given: false }
            } else {
                Axis { values, given: true }
            });
        }
        for name in own.scenario.params.keys() {
            let values = given(name);
            if !values.is_empty() && !axes.iter().any(|axis| axis.values[0].name == *name) {
                axes.push(Axis { values, given: true });
            }
        }
        axes
    }

    fn check(&mut self, path: &Path, axes: &[Axis], chosen: &[usize]) -> Option<Resolved> {
        let each = || axes.iter().zip(chosen);
        let word = |(axis, at): (&Axis, &usize)| (axis.values[*at].name.clone(), axis.values[*at].word.clone());
        let place = |(axis, at): (&Axis, &usize)| (axis.values[*at].name.clone(), *at);
        let params = each().filter(|(axis, _)| axis.given).map(word).collect();
        let combination: Vec<_> = each().filter(|(axis, _)| !axis.given).map(place).collect();
        // what cannot run in virtual time is wrong only there
        let overrides = Overrides { params, seed: self.selection.seed, virtual_time: self.selection.virtual_time };
        match load_combination(path, self.files, &overrides, &combination) {
            Ok(resolved) => {
                self.warned.take(&resolved.warnings, &resolved.sources);
                Some(resolved)
            }
            Err((told, sources)) => {
                self.told.take(&told, &sources);
                None
            }
        }
    }

    fn repetitions(&self, path: &Path, resolved: &Resolved, axes: &[Axis], chosen: &[usize]) -> Vec<Case> {
        let params: Vec<Param> = axes.iter().zip(chosen).map(|(axis, at)| axis.values[*at].clone()).collect();
        let Selection { repeat, identical, .. } = *self.selection;
        let repeat = repeat.max(1);
        let case = |n: u32| Case {
            file: path.to_owned(),
            scenario: resolved.scenario.name.clone(),
            params: params.clone(),
            seed: resolved.scenario.seed.wrapping_add(if identical { 0 } else { u64::from(n) }),
            repetition: (repeat > 1).then_some(Repetition { number: n + 1, of: repeat, identical }),
            virtual_time: self.selection.virtual_time,
        };
        (0..repeat).map(case).collect()
    }
}

/// A parameter that varies.
struct Axis {
    values: Vec<Param>,
    /// The command line has the values, not the file.
    given: bool,
}

/// Of each axis, which value combination `n` has; the last axis changes fastest.
fn choose(axes: &[Axis], n: usize) -> Vec<usize> {
    let mut rest = n;
    let mut chosen: Vec<usize> = axes
        .iter()
        .rev()
        .map(|axis| {
            let at = rest % axis.values.len();
            rest /= axis.values.len();
            at
        })
        .collect();
    chosen.reverse();
    chosen
}

/// Why a scenario ends only when somebody ends it.
fn endless(resolved: &Resolved) -> Option<String> {
    let scenario = &resolved.scenario;
    (scenario.duration.is_none() && scenario.workloads.is_empty())
        .then(|| "stays up until Ctrl-C: it has no workloads and no `duration`".to_owned())
}

/// Checks every combination of a scenario's matrix; what is wrong or worth knowing, each told once.
///
/// # Errors
/// What is wrong with combinations.
pub fn check_combinations(
    path: &Path,
    files: &dyn Files,
    overrides: &Overrides,
    matrix: &Matrix,
) -> Result<(), Vec<Told>> {
    let mut wrong = Once::default();
    for n in 0..matrix.combinations() {
        if let Err((told, sources)) = load_combination(path, files, overrides, &matrix.combination(n)) {
            wrong.take(&told, &sources);
        }
    }
    if wrong.told.is_empty() { Ok(()) } else { Err(wrong.told) }
}

/// Collects what combinations of one file have to tell, the same only once.
#[derive(Default)]
struct Once {
    told: Vec<Told>,
    seen: std::collections::BTreeSet<String>,
}

impl Once {
    fn take(&mut self, told: &Diagnostics, sources: &Sources) {
        let mut new = Diagnostics::default();
        for diagnostic in told.iter() {
            let name = diagnostic.span.map_or("", |span| sources.name(span.source));
            if self.seen.insert(format!("{name}:{diagnostic}")) {
                new.push(diagnostic.clone());
            }
        }
        if !new.is_empty() {
            new.sort();
            self.told.push((new, sources.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::files::MemoryFiles;
    use proptest::prelude::*;

    const TWELVE: &str = "\
longwire: 1
name: Twelve
seed: 5
params: { loss: 1%, rate: 1Mbit, count: 3 }
matrix: { loss: [1%, 5%, 7%], rate: [1Mbit, 10Mbit], count: [3, 4] }
nodes: { a: host, b: host }
links: { wire: { ends: [a, b], loss: $loss, rate: $rate } }
workloads: { rtt: { ping: { from: a, to: b, every: 10ms, count: $count } } }
";
    const PLAIN: &str = "longwire: 1\nparams: { delay: 1ms }\nnodes: { a: host, b: host }\n\
                         links: { w: { ends: [a, b], delay: $delay } }\nduration: 1s\n";
    const ENDLESS: &str = "longwire: 1\nnodes: { a: host, b: host }\nlinks: { w: { ends: [a, b] } }\n";

    fn files() -> MemoryFiles {
        MemoryFiles::one("a.yaml", PLAIN).with("b.yaml", TWELVE).with("c.yaml", ENDLESS)
    }

    fn found(names: &[(&str, bool)]) -> Found {
        let file = |(name, named): &(&str, bool)| File { path: (*name).into(), named: *named };
        Found { files: names.iter().map(file).collect(), others: 0 }
    }

    fn all() -> Found {
        found(&[("a.yaml", false), ("b.yaml", false), ("c.yaml", false)])
    }

    fn params(params: &[(&str, &str)]) -> Vec<(String, String)> {
        params.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    }

    fn names(plan: &Plan) -> Vec<String> {
        plan.cases.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_matrix_and_repetitions_become_runs_in_order() {
        let plan = plan(&all(), &files(), &Selection { repeat: 2, ..Selection::default() }).unwrap();
        assert_eq!(plan.cases.len(), 26);
        let names = names(&plan);
        assert_eq!(
            names[..4],
            [
                "a [seed 1]",
                "a [seed 2]",
                "Twelve [loss=1%, rate=1Mbit, count=3, seed 5]",
                "Twelve [loss=1%, rate=1Mbit, count=3, seed 6]"
            ]
        );
        assert_eq!(names[25], "Twelve [loss=7%, rate=10Mbit, count=4, seed 6]");
        assert_eq!(plan.skipped.len(), 1);
        assert!(plan.skipped[0].why.contains("until Ctrl-C"));
    }

    #[test]
    fn identical_runs_have_the_same_seed_and_virtual_time_its_own_rules() {
        let selection = Selection { repeat: 2, identical: true, virtual_time: true, ..Selection::default() };
        let planned = plan(&found(&[("a.yaml", true)]), &files(), &selection).unwrap();
        assert_eq!(names(&planned), ["a [run 1]", "a [run 2]"]);
        assert!(planned.cases.iter().all(|case| case.seed == 1 && case.command().starts_with("longwire sim ")));
        assert_eq!(planned.guest_memory, ByteSize::from_bytes(1 << 30));

        let external = PLAIN.replace("b: host", "b: { external: { tap: lw0 } }");
        let files = files().with("e.yaml", &format!("{external}sim: {{ memory: 2GiB }}\n"));
        let found = found(&[("a.yaml", false), ("e.yaml", false), ("c.yaml", false)]);
        let live = plan(&found, &files, &Selection::default()).unwrap();
        assert_eq!((live.cases.len(), live.skipped.len()), (2, 1));
        assert_eq!(live.guest_memory, ByteSize::from_bytes(2 << 30));
        let wrong = plan(&found, &files, &selection).unwrap_err();
        let told: Vec<String> = wrong.told.iter().flat_map(|(d, _)| d.iter().map(ToString::to_string)).collect();
        assert!(told.len() == 1 && told[0].contains("3:"), "its place, and that c.yaml is still skipped: {told:#?}");
    }

    #[test]
    fn the_command_line_fixes_replaces_and_adds_values() {
        let given = |list: &[(&str, &str)]| {
            let selection = Selection { params: params(list), ..Selection::default() };
            names(&plan(&all(), &files(), &selection).unwrap())
        };
        assert_eq!(given(&[("loss", "9%")]).len(), 1 + 4);
        assert_eq!(
            given(&[("loss", "9%"), ("loss", "8%"), ("rate", "1Mbit")])[1],
            "Twelve [loss=9%, rate=1Mbit, count=3]"
        );
        assert_eq!(given(&[("delay", "2ms"), ("delay", "3ms")])[..2], ["a [delay=2ms]", "a [delay=3ms]"]);
    }

    #[test]
    fn nothing_runs_while_anything_is_wrong() {
        let wrong_value = TWELVE.replace("7%", "700%").replace("10Mbit]", "10]");
        let files = files().with("b.yaml", &wrong_value).with("d.yaml", "longwire: 1\nlniks: {}\n");
        let found = found(&[("a.yaml", true), ("b.yaml", true), ("c.yaml", true), ("d.yaml", true)]);
        let wrong =
            plan(&found, &files, &Selection { params: params(&[("x", "1")]), ..Selection::default() }).unwrap_err();
        let told: Vec<String> = wrong.told.iter().flat_map(|(d, _)| d.iter().map(ToString::to_string)).collect();
        let count = |part: &str| told.iter().filter(|line| line.contains(part)).count();
        assert_eq!([count("5:26"), count("5:47"), count("until Ctrl-C"), count("lniks")], [1, 1, 1, 1], "{told:#?}");
    }

    #[test]
    fn what_selects_nothing_is_a_mistake_and_says_so() {
        let words = |selection: Selection| plan(&all(), &files(), &selection).unwrap_err().words;
        let told = words(Selection { params: params(&[("dealy", "1ms"), ("dealy", "2ms")]), ..Selection::default() });
        assert_eq!(told, ["no scenario has a parameter `dealy` (did you mean `delay`?)"]);
        assert!(words(Selection { filters: vec!["nope".into()], ..Selection::default() })[0].contains("of 13 runs"));
        let only_endless = plan(&found(&[("c.yaml", false)]), &files(), &Selection::default()).unwrap_err().words;
        assert!(only_endless[0].contains("1 skipped"), "{only_endless:?}");
    }

    #[test]
    fn filters_look_at_file_name_and_values_and_any_of_them_takes() {
        let count = |filters: &[&str]| {
            let filters = filters.iter().map(|f| (*f).to_owned()).collect();
            plan(&all(), &files(), &Selection { filters, ..Selection::default() }).unwrap().cases.len()
        };
        assert_eq!(
            [count(&["b.yaml"]), count(&["Twelve"]), count(&["loss=5%"]), count(&["loss=5%", "a.yaml"])],
            [12, 12, 4, 5]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))] // each reads its files some hundred times

        #[test]
        fn shards_and_filters_take_each_combination_once(of in 1u32..16, filter in prop::sample::select(vec!["", "rate=1Mbit", "count=4"])) {
            let selection = |shard| Selection { filters: vec![filter.to_owned()], shard, repeat: 2, ..Selection::default() };
            let whole = names(&plan(&all(), &files(), &selection(None)).unwrap());
            let mut taken: Vec<String> = Vec::new();
            for index in 1..=of {
                let plan = plan(&all(), &files(), &selection(Shard::new(index, of))).unwrap();
                prop_assert_eq!(plan.of_all_shards, whole.len());
                taken.extend(names(&plan));
            }
            taken.sort();
            let mut whole = whole;
            whole.sort();
            prop_assert_eq!(taken, whole);
        }
    }
}
