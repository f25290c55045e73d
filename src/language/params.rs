//! `params:`: values with a name. A scalar that is exactly `$loss` stands for the parameter `loss`.
//!
//! Programs are left alone: in `shell`, `command`, `env` and `exec` a `$` is the shell's; they find parameters in their
//! environment, as `LONGWIRE_PARAM_loss`.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::parse::parse;
use super::tree::{Node, Origin, Value};
use crate::diag::{Diagnostic, Diagnostics, Sources, Span, suggestion};

/// Keys of services and workloads whose text belongs to a program.
const PROGRAM_KEYS: [&str; 4] = ["shell", "command", "env", "exec"];

struct Param {
    value: Node,
    name_span: Span,
}

/// Takes `params:` out of the tree and puts their values in place of their names. The parameters as text, overrides
/// from the command line included.
pub(crate) fn substitute(
    root: &mut Node,
    overrides: &[(String, String)],
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> IndexMap<String, String> {
    let mut params = declared(root, diagnostics);
    for (name, text) in overrides {
        replace(&mut params, name, text, sources, diagnostics);
    }
    let mut used = BTreeSet::new();
    let mut any_program = false;
    if let Value::Map(sections) = &mut root.value {
        for section in sections {
            let programs = matches!(section.key.as_str(), "services" | "workloads");
            any_program |= programs && runs_programs(&section.value);
            put(&mut section.value, &params, programs, &mut used, diagnostics);
            if section.key == "expect" {
                within_texts(&section.value, &mut used);
            }
        }
    }
    // A program may read any of them from its environment.
    if !any_program {
        for (name, param) in params.iter().filter(|(name, _)| !used.contains(*name)) {
            diagnostics
                .warning(param.name_span, format!("the parameter `{name}` is never used"))
                .help(format!("write `${name}` where its value belongs"));
        }
    }
    params.into_iter().map(|(name, param)| (name, param.value.as_text().unwrap_or_default().to_owned())).collect()
}

/// Parameters that expectations name inside their texts: `rtt.p99 < $most`.
fn within_texts(node: &Node, used: &mut BTreeSet<String>) {
    match &node.value {
        Value::Scalar(scalar) => {
            let behind = scalar.text.split('$').skip(1);
            let end = |text: &str| text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
            used.extend(behind.map(|text| text[..end(text)].to_owned()));
        }
        Value::Seq(nodes) => nodes.iter().for_each(|node| within_texts(node, used)),
        Value::Map(entries) => entries.iter().for_each(|entry| within_texts(&entry.value, used)),
        Value::Null => {}
    }
}

fn runs_programs(section: &Node) -> bool {
    let mut tasks = section.entries().unwrap_or_default().iter().map(|entry| &entry.value);
    tasks.any(|task| task.get("command").is_some() || task.get("shell").is_some())
}

fn declared(root: &mut Node, diagnostics: &mut Diagnostics) -> IndexMap<String, Param> {
    let Some(section) = root.remove("params") else { return IndexMap::new() };
    let mut params = IndexMap::new();
    match section.value.value {
        Value::Null => {}
        Value::Map(entries) => {
            for entry in entries {
                let Some(text) = entry.value.as_text() else {
                    diagnostics.error(
                        entry.value.span,
                        format!(
                            "expected the value of a parameter, found {}: write one word or number",
                            entry.value.describe()
                        ),
                    );
                    // it is known all the same: its uses are no further mistakes
                    let value = Node { pruned: true, ..Node::new(Value::Null, entry.value.span, Origin::File) };
                    params.insert(entry.key, Param { value, name_span: entry.key_span });
                    continue;
                };
                if !is_name(&entry.key) {
                    diagnostics
                        .error(entry.key_span, format!("`{}` cannot name a parameter", entry.key))
                        .help("a letter or `_`, then letters, digits and `_`");
                    continue;
                }
                if let Some(other) = reference(text) {
                    diagnostics
                        .error(entry.value.span, "a parameter cannot stand for another")
                        .help(format!("write the value, or use `${other}` where this one is used"));
                }
                let mut value = entry.value;
                value.set_origin(&Origin::Param(entry.key.clone()));
                params.insert(entry.key, Param { value, name_span: entry.key_span });
            }
        }
        _ => diagnostics.push(Diagnostic::error(
            section.value.span,
            format!("expected a map of parameters, as in `{{ loss: 1% }}`, found {}", section.value.describe()),
        )),
    }
    params
}

fn replace(
    params: &mut IndexMap<String, Param>,
    name: &str,
    text: &str,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) {
    let source = sources.add(&format!("--param {name}"), text);
    let whole = Span { source, start: 0, len: text.len(), line: 1, column: 1 };
    let known: Vec<String> = params.keys().cloned().collect();
    let Some(param) = params.get_mut(name) else {
        let help = if known.is_empty() {
            "the scenario has no `params:`".into()
        } else {
            suggestion(name, known.iter().map(String::as_str))
        };
        diagnostics.error(whole, format!("unknown parameter `{name}`")).help(help);
        return;
    };
    match parse(sources, source, &Origin::CommandLine, diagnostics) {
        Some(value) if value.as_text().is_some() => param.value = value,
        Some(value) => diagnostics.push(Diagnostic::error(
            whole,
            format!("expected the value of `{name}`, found {}: write one word or number", value.describe()),
        )),
        None => {}
    }
}

fn put(
    node: &mut Node,
    params: &IndexMap<String, Param>,
    programs: bool,
    used: &mut BTreeSet<String>,
    diagnostics: &mut Diagnostics,
) {
    if let Some(name) = node.as_text().and_then(reference) {
        match params.get(name) {
            Some(param) => {
                used.insert(name.to_owned());
                *node = Node { via: Some(node.span), ..param.value.clone() };
            }
            None => {
                let help = if params.is_empty() {
                    format!("name its value at the top: `params: {{ {name}: … }}`")
                } else {
                    suggestion(name, params.keys().map(String::as_str))
                };
                diagnostics.error(node.span, format!("unknown parameter `${name}`")).help(help);
                node.pruned = true;
            }
        }
        return;
    }
    match &mut node.value {
        Value::Seq(nodes) => nodes.iter_mut().for_each(|node| put(node, params, programs, used, diagnostics)),
        Value::Map(entries) => {
            for entry in entries.iter_mut().filter(|e| !(programs && PROGRAM_KEYS.contains(&e.key.as_str()))) {
                put(&mut entry.value, params, programs, used, diagnostics);
            }
        }
        Value::Null | Value::Scalar(_) => {}
    }
}

/// The parameter that a scalar stands for, if it is exactly `$name`.
pub(crate) fn reference(text: &str) -> Option<&str> {
    text.strip_prefix('$').filter(|name| is_name(name))
}

fn is_name(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit())
        && !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str, overrides: &[(&str, &str)]) -> (Node, IndexMap<String, String>, Vec<String>, Sources) {
        let mut sources = Sources::default();
        let source = sources.add("test.yaml", text);
        let mut diagnostics = Diagnostics::default();
        let mut root = parse(&sources, source, &Origin::File, &mut diagnostics).unwrap();
        let overrides: Vec<_> = overrides.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())).collect();
        let params = substitute(&mut root, &overrides, &mut sources, &mut diagnostics);
        (root, params, diagnostics.iter().map(ToString::to_string).collect(), sources)
    }

    #[test]
    fn a_value_replaces_its_name_and_keeps_both_places() {
        let (root, params, told, _) =
            run("params: { loss: 1% }\nlinks: { l: { loss: $loss, delay: $lossy-ish } }\n", &[]);
        assert_eq!(told, [""; 0]);
        let l = root.get("links").unwrap().get("l").unwrap();
        let loss = l.get("loss").unwrap();
        assert_eq!((loss.as_text(), &loss.origin), (Some("1%"), &Origin::Param("loss".into())));
        assert_eq!((loss.span.line, loss.via.unwrap().line), (1, 2));
        assert_eq!(l.get("delay").unwrap().as_text(), Some("$lossy-ish"));
        assert_eq!(params["loss"], "1%");
    }

    #[test]
    fn the_command_line_replaces_the_files_value() {
        let (root, params, told, sources) =
            run("params: { n: 1 }\nworkloads: { w: { ping: { count: $n } } }\n", &[("n", "1"), ("n", "20")]);
        assert_eq!(told, [""; 0]);
        let count = root.get("workloads").unwrap().get("w").unwrap().get("ping").unwrap().get("count").unwrap();
        assert_eq!((count.as_text(), &count.origin), (Some("20"), &Origin::CommandLine));
        assert_eq!(sources.name(count.span.source), "--param n");
        assert_eq!(params["n"], "20");
    }

    #[test]
    fn programs_are_left_alone() {
        let text = "params: { x: 1 }\nworkloads:\n  w: { shell: $x, command: [$x], env: { A: $x }, timeout: $x }\n\
                    services: { s: { ready: { exec: [$x], within: $x } } }\nnodes: { command: $x }\n";
        let (root, _, told, _) = run(text, &[]);
        assert_eq!(told, [""; 0]);
        let w = root.get("workloads").unwrap().get("w").unwrap();
        assert_eq!(w.get("shell").unwrap().as_text(), Some("$x"));
        assert_eq!(w.get("timeout").unwrap().as_text(), Some("1"));
        let ready = root.get("services").unwrap().get("s").unwrap().get("ready").unwrap();
        assert_eq!(ready.get("within").unwrap().as_text(), Some("1"));
        assert_eq!(root.get("nodes").unwrap().get("command").unwrap().as_text(), Some("1"));
    }

    #[test]
    fn mistakes_have_places() {
        let (_, _, told, _) = run(
            "params: { loss: 1%, bad: [1], unused: 2, 5x: 3 }\nlinks: { a: $los, b: $loss, c: $bad }\n",
            &[("lss", "5%"), ("loss", "[1]")],
        );
        assert_eq!(
            told,
            [
                "1:26: expected the value of a parameter, found a list: write one word or number",
                "1:42: `5x` cannot name a parameter (a letter or `_`, then letters, digits and `_`)",
                "1:1: unknown parameter `lss` (did you mean `loss`?)",
                "1:1: expected the value of `loss`, found a list: write one word or number",
                "2:13: unknown parameter `$los` (did you mean `loss`?)",
                "1:31: the parameter `unused` is never used (write `$unused` where its value belongs)",
            ]
        );
    }
}
