//! `expect:` as it stands in a file: a list of texts, or of maps with a name. What YAML makes of an expectation without
//! quotes is caught here: a comment, a map, a block.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::token::{Fault, Place};
use crate::diag::{Diagnostic, Diagnostics, Sources, Span, suggestion};
use crate::language::tree::{Node, Value};

/// An expectation: `PATH OP VALUE`, or a map with a name for it.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename = "NamedExpectation")]
#[expect(dead_code, reason = "its shape is all that is used")]
struct Named {
    /// What the report calls it.
    name: Option<String>,
    /// What is expected: `rtt.p99 < 60ms`.
    that: String,
}

/// An expectation as it is written.
pub(crate) struct ExpectationSpec;

impl JsonSchema for ExpectationSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Expectation".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let long = generator.subschema_for::<Named>();
        json_schema!({
            "description": "What should hold: `rtt.p99 from 0s to 10s < 60ms`, `alice reaches bob within 2s after heal`.",
            "anyOf": [{ "type": "string" }, long],
        })
    }
}

/// An entry of the list.
pub(super) struct Item<'a> {
    pub(super) name: Option<String>,
    pub(super) text: &'a str,
    pub(super) span: Span,
    /// Where the text stands in the file, if it stands there as it is: then parts of it have places.
    exact: Option<usize>,
}

const QUOTE: &str = "put quotes around the whole text: `- 'fetch.exit == 0'`";

/// Reads the list. Entries with mistakes are left out, which are told.
pub(super) fn items<'a>(section: Option<&'a Node>, sources: &Sources, diagnostics: &mut Diagnostics) -> Vec<Item<'a>> {
    let Some(section) = section.filter(|section| !section.pruned) else { return Vec::new() };
    match &section.value {
        Value::Seq(nodes) => {
            nodes.iter().filter(|n| !n.pruned).filter_map(|node| item(node, sources, diagnostics)).collect()
        }
        Value::Null => Vec::new(),
        Value::Scalar(_) => {
            diagnostics
                .error(section.span, "expected a list of expectations, found one")
                .help("begin its line with `- `");
            Vec::new()
        }
        Value::Map(_) => {
            diagnostics
                .error(section.span, "expected a list of expectations, found a map")
                .help("begin each with `- `, as in `- rtt.p99 < 60ms`");
            Vec::new()
        }
    }
}

fn item<'a>(node: &'a Node, sources: &Sources, diagnostics: &mut Diagnostics) -> Option<Item<'a>> {
    let entries = match &node.value {
        Value::Scalar(scalar) => return Some(Item::new(None, &scalar.text, node.span, sources)),
        Value::Map(entries) => entries,
        Value::Seq(_) => {
            diagnostics.error(node.span, "YAML reads a list here: an expectation begins with a bracket").help(QUOTE);
            return None;
        }
        Value::Null => {
            diagnostics
                .error(node.span, "expected an expectation, found nothing")
                .help("as in `- rtt.p99 < 60ms`; YAML takes what follows `#` for a comment");
            return None;
        }
    };
    let known = ["name", "that"];
    let that = entries.iter().find(|entry| entry.key == "that");
    if let (None, Some(first)) = (that, entries.iter().find(|entry| !known.contains(&entry.key.as_str()))) {
        let message = "YAML reads a map here: a colon and a space make a key of what stands before them";
        diagnostics.error(first.key_span, message).help(QUOTE);
        return None;
    }
    for entry in entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
        diagnostics.error(entry.key_span, format!("unknown field `{}`", entry.key)).help(suggestion(&entry.key, known));
    }
    let Some(that) = that else {
        diagnostics
            .error(node.span, "`that` is missing: what is expected")
            .help("as in `{ name: fast enough, that: rtt.p99 < 60ms }`");
        return None;
    };
    let name = entries.iter().find(|entry| entry.key == "name").and_then(|entry| match entry.value.as_text() {
        Some(text) => Some(text.to_owned()),
        None => {
            let message = format!("expected a name, found {}", entry.value.describe());
            diagnostics.error(entry.value.span, message);
            None
        }
    });
    match that.value.as_text() {
        Some(text) => Some(Item::new(name, text, that.value.span, sources)),
        None => {
            let message = format!("YAML reads {} here, not an expectation", that.value.describe());
            diagnostics.error(that.value.span, message).help("put quotes around the whole text");
            None
        }
    }
}

impl<'a> Item<'a> {
    fn new(name: Option<String>, text: &'a str, span: Span, sources: &Sources) -> Item<'a> {
        let exact = if text.is_empty() { None } else { sources.snippet(span).find(text) };
        Item { name, text, span, exact }
    }

    /// Where a part of the text stands in the file.
    pub(super) fn place(&self, place: Place, sources: &Sources) -> Span {
        let Some(offset) = self.exact else { return self.span };
        let start = self.span.start + offset + place.start;
        let before = sources.text(self.span.source).get(self.span.start..start).unwrap_or("");
        if before.contains('\n') {
            return self.span;
        }
        let column = self.span.column + before.chars().count() as u32;
        Span { start, len: place.end.saturating_sub(place.start), column, ..self.span }
    }

    /// Tells what is wrong with the text; where it ends too early, whether YAML cut something off.
    pub(super) fn tell(&self, fault: Fault, sources: &Sources, diagnostics: &mut Diagnostics) {
        let at_the_end = fault.place.start >= self.text.trim_end().len();
        let mut error = Diagnostic::error(self.place(fault.place, sources), fault.message);
        error.help = fault.help;
        let file = sources.text(self.span.source);
        let behind = file.get(self.span.start + self.span.len..).unwrap_or("").lines().next().unwrap_or("");
        if at_the_end && behind.trim_start_matches(['"', '\'']).trim_start().starts_with('#') {
            error.help = Some("YAML takes what follows ` #` for a comment: put quotes around the whole text".into());
        }
        diagnostics.push(error);
    }
}
