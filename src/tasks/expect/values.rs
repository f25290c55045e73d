//! `values:` of programs: numbers taken from what they print. Of several that match, the last counts.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::diag::{Diagnostic, Diagnostics};
use crate::language::names;
use crate::language::spanned::Spanned;
use crate::measured::ValueUnit;

/// Names that a value cannot have: a program's own measures.
const TAKEN: [&str; 5] = ["exit", "started", "ended", "duration", "ok"];
/// A longer line is not looked at.
const LONGEST_LINE: usize = 1 << 20;
/// A longer output is no JSON document that is read as a whole.
const LONGEST_DOCUMENT: usize = 4 << 20;

/// A number in a program's output: `json` or `regex`, and its unit.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ValueSpec {
    /// Where it stands in JSON that the program prints: `.stats.freeze_ms`, `.runs[0]`, `.runs[-1]["p 99"]`.
    pub json: Option<Spanned<String>>,
    /// A regular expression whose first group in brackets is the number.
    pub regex: Option<Spanned<String>>,
    /// What the number is in. By default it is a bare number.
    pub unit: Option<ValueUnit>,
}

/// A number in a program's output, checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OutputValue {
    /// Where it is.
    pub place: OutputPlace,
    /// What it is in.
    pub unit: ValueUnit,
}

/// Where a number is in a program's output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputPlace {
    /// Behind these steps in a JSON value.
    Json(Vec<JsonStep>),
    /// In the first group of a regular expression.
    Regex(String),
}

/// A step into a JSON value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum JsonStep {
    /// A member of an object.
    Member(String),
    /// An element of an array; from the end where it is negative.
    Element(i64),
}

/// Checks the values of a program.
pub(crate) fn check(
    values: &IndexMap<Spanned<String>, Spanned<ValueSpec>>,
    diagnostics: &mut Diagnostics,
) -> IndexMap<String, OutputValue> {
    let mut checked = IndexMap::new();
    for (name, Spanned { value: spec, span }) in values {
        if TAKEN.contains(&name.as_str()) {
            let error =
                Diagnostic::error(name.span, format!("`{}` cannot name a value: every program has that", name.value));
            diagnostics.push(error.help("choose another name"));
        } else if let Err(reason) = names::check_one(name) {
            diagnostics
                .error(name.span, format!("`{}` cannot be a name: {reason}", name.value))
                .help("letters, digits, `-` and `_`, a letter or digit first");
        }
        let place = match (&spec.json, &spec.regex) {
            (Some(json), None) => match json_steps(json) {
                Ok(steps) => OutputPlace::Json(steps),
                Err(reason) => {
                    diagnostics
                        .error(json.span, format!("`{}` is no place in JSON: {reason}", json.value))
                        .help("as in `.stats.freeze_ms`, `.runs[0]` or `.runs[-1][\"p 99\"]`");
                    continue;
                }
            },
            (None, Some(regex)) => match Regex::new(regex) {
                Ok(compiled) if compiled.captures_len() > 1 => OutputPlace::Regex(regex.value.clone()),
                Ok(_) => {
                    let error =
                        Diagnostic::error(regex.span, "the regular expression does not say what of it is the number");
                    diagnostics.push(error.help(r"put brackets around it, as in `'took (\d+) ms'`"));
                    continue;
                }
                Err(error) => {
                    let reason = error.to_string();
                    let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                    diagnostics.error(regex.span, format!("not a regular expression: {reason}"));
                    continue;
                }
            },
            (Some(json), Some(regex)) => {
                diagnostics
                    .error(regex.span, "`json` and `regex` both say where the number is")
                    .related(json.span, "the other")
                    .help("keep one");
                continue;
            }
            (None, None) => {
                diagnostics
                    .error(*span, format!("the value `{}` does not say where it is", name.value))
                    .help(r"write `json: .freeze_ms` or `regex: 'took (\d+) ms'`");
                continue;
            }
        };
        checked.insert(name.value.clone(), OutputValue { place, unit: spec.unit.unwrap_or_default() });
    }
    checked
}

/// Reads `.a.b[0]["c d"]`.
fn json_steps(text: &str) -> Result<Vec<JsonStep>, &'static str> {
    let mut steps = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        if let Some(behind) = rest.strip_prefix("[\"") {
            let end = behind.find("\"]").ok_or("a `[\"` without its `\"]`")?;
            steps.push(JsonStep::Member(behind[..end].to_owned()));
            rest = &behind[end + 2..];
        } else if let Some(behind) = rest.strip_prefix('[') {
            let end = behind.find(']').ok_or("a `[` without its `]`")?;
            let number = behind[..end].trim().parse().map_err(|_| "what stands in `[…]` is a whole number")?;
            steps.push(JsonStep::Element(number));
            rest = &behind[end + 1..];
        } else if let Some(behind) = rest.strip_prefix('.') {
            let end = behind.find(['.', '[']).unwrap_or(behind.len());
            if end == 0 {
                return Err("a name is missing behind a point");
            }
            steps.push(JsonStep::Member(behind[..end].to_owned()));
            rest = &behind[end..];
        } else {
            return Err("it begins with a point or `[`");
        }
    }
    if steps.is_empty() { Err("it is empty") } else { Ok(steps) }
}

fn number_at(value: &Value, steps: &[JsonStep]) -> Option<f64> {
    let found = steps.iter().try_fold(value, |value, step| match step {
        JsonStep::Member(name) => value.get(name),
        JsonStep::Element(n) => {
            let list = value.as_array()?;
            let at = if *n < 0 {
                list.len().checked_sub(usize::try_from(n.unsigned_abs()).ok()?)?
            } else {
                usize::try_from(*n).ok()?
            };
            list.get(at)
        }
    })?;
    match found {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => number(text),
        Value::Bool(truth) => Some(f64::from(u8::from(*truth))),
        _ => None,
    }
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|number| number.is_finite())
}

/// Looks for values in a program's output while it comes.
#[derive(Clone, Debug)]
pub struct Extractor {
    wanted: Vec<Wanted>,
    line: Vec<u8>,
    /// The line is longer than any that is looked at.
    overlong: bool,
    /// Everything, as long as it may be a JSON document.
    document: Option<Vec<u8>>,
}

#[derive(Clone, Debug)]
struct Wanted {
    name: String,
    pattern: Pattern,
    found: Option<f64>,
}

#[derive(Clone, Debug)]
enum Pattern {
    Json(Vec<JsonStep>),
    Regex(Regex),
}

impl Extractor {
    /// Looks for these; `None` if there is none to look for.
    pub fn new(values: &IndexMap<String, OutputValue>) -> Option<Extractor> {
        let pattern = |place: &OutputPlace| match place {
            OutputPlace::Json(steps) => Pattern::Json(steps.clone()),
            OutputPlace::Regex(text) => Pattern::Regex(Regex::new(text).expect("it was checked with the scenario")),
        };
        let wanted: Vec<Wanted> = values
            .iter()
            .map(|(name, value)| Wanted { name: name.clone(), pattern: pattern(&value.place), found: None })
            .collect();
        let json = wanted.iter().any(|wanted| matches!(wanted.pattern, Pattern::Json(_)));
        let document = json.then(Vec::new);
        (!wanted.is_empty()).then_some(Extractor { wanted, line: Vec::new(), overlong: false, document })
    }

    /// Takes in what the program has written.
    pub fn take(&mut self, bytes: &[u8]) {
        if let Some(document) = &mut self.document {
            document.extend_from_slice(bytes);
            if document.len() > LONGEST_DOCUMENT {
                self.document = None;
            }
        }
        for part in bytes.split_inclusive(|b| *b == b'\n') {
            if self.line.len() + part.len() > LONGEST_LINE {
                self.overlong = true;
                self.line.clear();
            }
            if !self.overlong {
                self.line.extend_from_slice(part);
            }
            if part.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.overlong) {
            return;
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        let json = text.starts_with(['{', '[']).then(|| serde_json::from_str::<Value>(text).ok()).flatten();
        for wanted in &mut self.wanted {
            let found = match &wanted.pattern {
                Pattern::Json(steps) => json.as_ref().and_then(|json| number_at(json, steps)),
                // the last on the line
                Pattern::Regex(regex) => {
                    regex.captures_iter(text).filter_map(|all| number(all.get(1)?.as_str())).last()
                }
            };
            wanted.found = found.or(wanted.found);
        }
    }

    /// What was found, by name, as it was printed. What a line of its own did not have is looked for in the whole output,
    /// from its first bracket on.
    pub fn finish(mut self) -> BTreeMap<String, f64> {
        if !self.line.is_empty() {
            self.end_line();
        }
        let lacking = |wanted: &Wanted| wanted.found.is_none() && matches!(wanted.pattern, Pattern::Json(_));
        if let Some(document) = self.document.filter(|_| self.wanted.iter().any(lacking)) {
            let text = String::from_utf8_lossy(&document);
            let starts = text.lines().find(|line| line.trim_start().starts_with(['{', '[']));
            let from = starts.map_or(text.len(), |line| line.as_ptr() as usize - text.as_ptr() as usize);
            let values = serde_json::Deserializer::from_str(&text[from..]).into_iter::<Value>();
            for value in values.map_while(Result::ok) {
                for wanted in &mut self.wanted {
                    if let Pattern::Json(steps) = &wanted.pattern {
                        wanted.found = number_at(&value, steps).or(wanted.found);
                    }
                }
            }
        }
        self.wanted.into_iter().filter_map(|wanted| Some((wanted.name, wanted.found?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measured::Unit;

    fn values(all: &[(&str, OutputPlace)]) -> IndexMap<String, OutputValue> {
        let value = |place: &OutputPlace| OutputValue { place: place.clone(), unit: ValueUnit::None };
        all.iter().map(|(name, place)| ((*name).to_owned(), value(place))).collect()
    }

    fn json(text: &str) -> OutputPlace {
        OutputPlace::Json(json_steps(text).expect(text))
    }

    fn found(place: OutputPlace, output: &str) -> Option<f64> {
        let mut extractor = Extractor::new(&values(&[("x", place)])).expect("one to look for");
        // in pieces, as pipes hand it over
        output.as_bytes().chunks(7).for_each(|piece| extractor.take(piece));
        extractor.finish().get("x").copied()
    }

    #[test]
    fn places_in_json_are_members_and_elements() {
        let steps = json_steps(r#".a[0].b[-1]["c d"]"#).unwrap();
        let member = |name: &str| JsonStep::Member(name.into());
        assert_eq!(steps, [member("a"), JsonStep::Element(0), member("b"), JsonStep::Element(-1), member("c d")]);
        for wrong in ["", "a", ".", ".a..b", ".a[", ".a[x]", ".a[\"b]"] {
            assert!(json_steps(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_last_line_that_has_it_counts() {
        let output = "starting\n{\"freeze_ms\": 5}\nnoise {\n{\"freeze_ms\": \"7.5\"}\n{\"other\": 1}";
        assert_eq!(found(json(".freeze_ms"), output), Some(7.5));
        assert_eq!(found(json(".other"), output), Some(1.0), "a line without an end");
        assert_eq!(found(json(".nothing"), output), None);
        let regex = OutputPlace::Regex(r"took (\d+) ms".into());
        assert_eq!(found(regex.clone(), "took 5 ms, took 6 ms\ntook no time\n"), Some(6.0));
        assert_eq!(found(regex, "it took long\n"), None);
    }

    #[test]
    fn a_document_over_many_lines_is_read_as_one() {
        let output = "- - - -\n{\n  \"end\": {\n    \"bps\": [1, 2.5e6]\n  }\n}\ndone\n";
        assert_eq!(found(json(".end.bps[-1]"), output), Some(2.5e6));
        assert_eq!(found(json(".end.bps[2]"), output), None);
        assert_eq!(found(json(".end.bps[-3]"), output), None);
        assert_eq!(found(json(".end.bps"), output), None, "a list is no number");
    }

    #[test]
    fn endless_output_stays_bounded() {
        let mut extractor = Extractor::new(&values(&[("x", json(".x"))])).unwrap();
        for _ in 0..100 {
            extractor.take(&vec![b'{'; 100_000]);
        }
        assert!(extractor.line.len() <= LONGEST_LINE && extractor.document.is_none());
        extractor.take(b"\n{\"x\": 3}\n");
        assert_eq!(extractor.finish().get("x"), Some(&3.0));
    }

    #[test]
    fn units_scale_to_what_expectations_compare() {
        let read = |name: &str| serde_json::from_value::<ValueUnit>(name.into());
        for (name, unit, factor) in [
            ("ms", Unit::Time, 1e6),
            ("Mbit", Unit::Rate, 1e6),
            ("kB/s", Unit::Rate, 8e3),
            ("KiB", Unit::Size, 1024.0),
            ("%", Unit::Share, 0.01),
            ("fraction", Unit::Share, 1.0),
            ("count", Unit::Count, 1.0),
            ("none", Unit::Number, 1.0),
        ] {
            let value = read(name).unwrap();
            assert_eq!((value.unit(), value.factor()), (unit, factor), "{name}");
            assert_eq!(serde_json::to_value(value).unwrap(), name);
        }
        assert!(read("Mbps").unwrap_err().to_string().contains("`Mbps` is not a unit"));
    }
}
