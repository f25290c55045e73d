//! `matrix:`: several values for parameters, each combination of which a suite runs once.
//!
//! Combinations count as nested loops do: the first name of the matrix changes slowest, the last one fastest. A value
//! stays the node of the file that it is, so what is wrong with it is told at its place.

use indexmap::IndexMap;
use serde::{Serialize, Serializer};

use super::params::reference;
use super::parse::parse;
use super::tree::{Entry, Node, Origin, Scalar, Value};
use crate::diag::{Diagnostics, Sources, suggestion};

/// More combinations than anybody waits for: a typing error must not fill the memory.
pub const MOST: usize = 10_000;

/// The values of a scenario's parameters that a suite combines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Matrix {
    axes: IndexMap<String, Vec<Choice>>,
}

/// One value of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// As reports show it.
    pub text: String,
    /// As `--param NAME=WORD` must have it to mean the same: quoted where YAML would take the text for something else.
    pub word: String,
}

impl Serialize for Choice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl Matrix {
    /// Whether nothing varies.
    pub fn is_empty(&self) -> bool {
        self.axes.is_empty()
    }

    /// Each parameter that varies, with its values.
    pub fn axes(&self) -> impl Iterator<Item = (&str, &[Choice])> {
        self.axes.iter().map(|(name, choices)| (name.as_str(), choices.as_slice()))
    }

    /// How many combinations there are; 1 where nothing varies. At most [`MOST`] in a checked scenario.
    pub fn combinations(&self) -> usize {
        self.axes.values().map(Vec::len).fold(1, usize::saturating_mul)
    }

    /// Of each name, which of its values combination `n` has, both from 0. `n` wraps round.
    pub fn combination(&self, n: usize) -> Vec<(String, usize)> {
        let mut rest = n;
        let mut chosen: Vec<_> = self
            .axes
            .iter()
            .rev()
            .map(|(name, choices)| {
                let at = rest % choices.len().max(1);
                rest /= choices.len().max(1);
                (name.clone(), at)
            })
            .collect();
        chosen.reverse();
        chosen
    }

    /// A value by its name and place.
    pub fn choice(&self, name: &str, at: usize) -> Option<&Choice> {
        self.axes.get(name)?.get(at)
    }

    /// Combination `n` as people read it: `loss: 1%, rate: 1Mbit`.
    pub fn words(&self, n: usize) -> String {
        let chosen = self.combination(n);
        let words = chosen.iter().filter_map(|(name, at)| Some(format!("{name}: {}", self.choice(name, *at)?.text)));
        words.collect::<Vec<_>>().join(", ")
    }
}

/// Takes `matrix:` out of the tree, and puts the values of a combination in place of those of `params`. What is left of the
/// matrix once the command line has fixed some of its names.
pub(crate) fn take(
    root: &mut Node,
    combination: &[(String, usize)],
    fixed: &[(String, String)],
    diagnostics: &mut Diagnostics,
) -> Matrix {
    let mut axes = axes(root, diagnostics);
    axes.retain(|name, _| !fixed.iter().any(|(other, _)| other == name));
    for (name, at) in combination {
        if let Some(value) = axes.get(name).and_then(|values| values.get(*at)) {
            put(root, name, value);
        }
    }
    let choices = |values: &Vec<Node>| values.iter().filter_map(choice).collect();
    Matrix { axes: axes.iter().map(|(name, values)| (name.clone(), choices(values))).collect() }
}

/// The lists of the matrix that are without mistakes.
fn axes(root: &mut Node, diagnostics: &mut Diagnostics) -> IndexMap<String, Vec<Node>> {
    let mut axes = IndexMap::new();
    let Some(section) = root.remove("matrix") else { return axes };
    let span = section.key_span;
    let entries = match section.value.value {
        Value::Null => Vec::new(),
        Value::Map(entries) => entries,
        _ => {
            let message = format!("expected a map of lists, found {}", section.value.describe());
            diagnostics
                .error(section.value.span, message)
                .help("for each parameter its values, as in `matrix: { loss: [1%, 5%] }`");
            return axes;
        }
    };
    let known: Vec<&str> =
        root.get("params").and_then(Node::entries).unwrap_or_default().iter().map(|e| e.key.as_str()).collect();
    for Entry { key, key_span, value } in entries {
        if !known.contains(&key.as_str()) {
            let help = match known[..] {
                [] => format!("name the value that `run` takes at the top: `params: {{ {key}: … }}`"),
                _ => suggestion(&key, known.iter().copied()),
            };
            diagnostics.error(key_span, format!("the matrix varies `{key}`, which is no parameter")).help(help);
        } else if let Some(values) = values(&key, value, diagnostics) {
            axes.insert(key, values);
        }
    }
    let combinations = axes.values().map(Vec::len).fold(1, usize::saturating_mul);
    if combinations > MOST {
        diagnostics
            .error(span, format!("the matrix has {combinations} combinations"))
            .help(format!("{MOST} are the most: take values away, or make several files of it"));
        axes.clear();
    }
    axes
}

fn values(name: &str, node: Node, diagnostics: &mut Diagnostics) -> Option<Vec<Node>> {
    let Value::Seq(nodes) = node.value else {
        diagnostics
            .error(node.span, format!("expected a list of values, found {}", node.describe()))
            .help(format!("write `{name}: [{}]`", node.as_text().unwrap_or("…")));
        return None;
    };
    if nodes.is_empty() {
        diagnostics
            .error(node.span, format!("`{name}` has no value, so nothing would run"))
            .help("name its values, or take it out of the matrix");
        return None;
    }
    let mut kept: Vec<Node> = Vec::with_capacity(nodes.len());
    let mut clean = true;
    for value in nodes {
        let mistake = match value.as_text() {
            None => {
                Some((format!("expected a value of `{name}`, found {}", value.describe()), "write one word or number"))
            }
            Some(text) if reference(text).is_some() => {
                Some(("a value of the matrix cannot stand for a parameter".to_owned(), "write the value"))
            }
            Some(text) if kept.iter().any(|other| other.as_text() == Some(text)) => {
                Some((format!("`{text}` stands twice in the values of `{name}`"), "`--repeat` runs everything again"))
            }
            Some(_) => None,
        };
        match mistake {
            None => kept.push(value),
            Some((message, help)) => {
                clean = false;
                diagnostics.error(value.span, message).help(help);
            }
        }
    }
    clean.then_some(kept)
}

fn put(root: &mut Node, name: &str, value: &Node) {
    let Value::Map(sections) = &mut root.value else { return };
    let params = sections.iter_mut().find(|entry| entry.key == "params");
    if let Some(Value::Map(params)) = params.map(|entry| &mut entry.value.value)
        && let Some(param) = params.iter_mut().find(|entry| entry.key == name)
    {
        param.value = value.clone();
    }
}

fn choice(node: &Node) -> Option<Choice> {
    let Value::Scalar(scalar) = &node.value else { return None };
    Some(Choice { text: scalar.text.clone(), word: word(scalar) })
}

/// A scalar as a text of its own that YAML reads as the same.
fn word(scalar: &Scalar) -> String {
    let mut sources = Sources::default();
    let source = sources.add("", &scalar.text);
    let read = parse(&sources, source, &Origin::CommandLine, &mut Diagnostics::default());
    match read.map(|node| node.value) {
        Some(Value::Scalar(same)) if same == *scalar => scalar.text.clone(),
        // what JSON writes between quotation marks is YAML too
        _ => serde_json::Value::String(scalar.text.clone()).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use crate::language::files::MemoryFiles;
    use crate::scenario::{Overrides, load, load_combination};
    use crate::tasks::resolved::Resolved;
    use std::path::Path;

    const TWELVE: &str = "\
longwire: 1
params: { loss: 1%, rate: 1Mbit, count: 3 }
matrix: { loss: [1%, 5%, 7%], rate: [1Mbit, 10Mbit], count: [3, 4] }
nodes: { a: host, b: host }
links: { wire: { ends: [a, b], loss: $loss, rate: $rate } }
workloads: { rtt: { ping: { from: a, to: b, every: 10ms, count: $count } } }
";

    fn resolve(text: &str, params: &[(&str, &str)], combination: &[(String, usize)]) -> Result<Resolved, Vec<String>> {
        let params = params.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let overrides = Overrides { params, seed: None, ..Overrides::default() };
        load_combination(Path::new("t.yaml"), &MemoryFiles::one("t.yaml", text), &overrides, combination)
            .map_err(|(told, _)| told.iter().map(ToString::to_string).collect())
    }

    fn values(resolved: &Resolved) -> Vec<&str> {
        resolved.scenario.params.values().map(String::as_str).collect()
    }

    #[test]
    fn the_last_name_changes_fastest_and_each_combination_comes_once() {
        let resolved = resolve(TWELVE, &[], &[]).unwrap();
        let matrix = &resolved.scenario.matrix;
        assert_eq!(values(&resolved), ["1%", "1Mbit", "3"], "without a combination, the values of params");
        assert_eq!(matrix.combinations(), 12);
        let all: Vec<String> = (0..12).map(|n| matrix.words(n)).collect();
        assert_eq!(all[0], "loss: 1%, rate: 1Mbit, count: 3");
        assert_eq!(all[1], "loss: 1%, rate: 1Mbit, count: 4");
        assert_eq!(all[2], "loss: 1%, rate: 10Mbit, count: 3");
        assert_eq!(all[11], "loss: 7%, rate: 10Mbit, count: 4");
        let mut once = all.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), 12);
        let last = resolve(TWELVE, &[], &matrix.combination(11)).unwrap();
        assert_eq!(values(&last), ["7%", "10Mbit", "4"]);
        let loss = serde_json::to_value(&last.plan.links[0].directions[0].loss).unwrap();
        assert!(loss.to_string().contains("7%"), "the value is in the plan: {loss}");
    }

    #[test]
    fn the_command_line_fixes_a_name() {
        let fixed = resolve(TWELVE, &[("loss", "9%")], &[("loss".into(), 2), ("rate".into(), 1)]).unwrap();
        assert_eq!(values(&fixed), ["9%", "10Mbit", "3"]);
        assert_eq!(fixed.scenario.matrix.combinations(), 4);
        assert!(fixed.scenario.matrix.axes().all(|(name, _)| name != "loss"));
    }

    #[test]
    fn a_wrong_value_is_told_where_it_stands() {
        let text = TWELVE.replace("7%", "7");
        assert!(resolve(&text, &[], &[("loss".into(), 0)]).is_ok());
        let told = resolve(&text, &[], &[("loss".into(), 2)]).unwrap_err();
        assert!(told.iter().any(|line| line.starts_with("3:26: `7` has no unit")), "{told:?}");
    }

    #[test]
    fn mistakes_have_places() {
        let with = |params: &str, matrix: &str| {
            let text = format!("longwire: 1\nparams: {params}\nmatrix: {matrix}\nnodes: {{ a: host }}\n");
            let told = resolve(&text, &[], &[]).err().unwrap_or_default();
            told.into_iter().filter(|line| line.starts_with("3:")).collect::<Vec<_>>()
        };
        let told = with("{ loss: 1%, rate: 2 }", "{ los: [1%], rate: 5, loss: [1%, [2%], 1%, $rate] }");
        assert_eq!(
            told,
            [
                "3:11: the matrix varies `los`, which is no parameter (did you mean `loss`?)",
                "3:28: expected a list of values, found `5` (write `rate: [5]`)",
                "3:42: expected a value of `loss`, found a list (write one word or number)",
                "3:48: `1%` stands twice in the values of `loss` (`--repeat` runs everything again)",
                "3:52: a value of the matrix cannot stand for a parameter (write the value)",
            ]
        );
        assert!(with("{}", "{ a: [1] }")[0].contains("at the top: `params: { a: … }`"));
        assert!(with("{ a: 1 }", "[1]")[0].contains("expected a map of lists, found a list"));
        assert!(with("{ a: 1 }", "{ a: [] }")[0].contains("nothing would run"));
        let long: Vec<String> = (0..101).map(|n| n.to_string()).collect();
        let long = long.join(", ");
        let told = with("{ a: 1, b: 1 }", &format!("{{ a: [{long}], b: [{long}] }}"));
        assert!(told[0].contains("10201 combinations") && told[0].contains("10000 are the most"), "{told:?}");
    }

    #[test]
    fn words_for_the_command_line_mean_the_same() {
        let text = "longwire: 1\nparams: { x: a }\nnodes: { a: host }\n\
                    matrix: { x: [plain, 'a: b', \"5\", 6, 1.50, 'true', \"two\\nlines\", '#no', '', '[1'] }\n";
        let matrix = resolve(text, &[], &[]).unwrap().scenario.matrix;
        let words: Vec<&str> = matrix.axes().next().unwrap().1.iter().map(|choice| choice.word.as_str()).collect();
        assert_eq!(
            words,
            ["plain", "\"a: b\"", "\"5\"", "6", "1.50", "\"true\"", "\"two\\nlines\"", "\"#no\"", "\"\"", "\"[1\""]
        );
        for choice in matrix.axes().next().unwrap().1 {
            let same = resolve(text, &[("x", &choice.word)], &[]).unwrap();
            assert_eq!(values(&same), [choice.text.as_str()], "{choice:?}");
        }
    }

    #[test]
    fn a_used_file_lies_below_name_by_name() {
        let files = MemoryFiles::one("t.yaml", "longwire: 1\nuse: base.yaml\nmatrix: { b: [3] }\n")
            .with("base.yaml", "params: { a: 1, b: 2 }\nmatrix: { a: [1, 2], b: [1, 2] }\nnodes: { x: host }\n");
        let resolved = load(Path::new("t.yaml"), &files, &Overrides::default()).unwrap();
        assert_eq!(resolved.scenario.matrix.combinations(), 2);
        assert_eq!(resolved.scenario.matrix.words(1), "a: 2, b: 3");
    }
}
