//! YAML text → tree. Keys stay in order and keep their places, anchors and merge keys are resolved, a repeated key is an
//! error that shows both places.

use std::collections::HashMap;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Location, Spanned};

use super::tree::{Entry, Kind, Node, Origin, Scalar, Value};
use crate::diag::{Diagnostic, Diagnostics, SourceId, Sources, Span};

/// Deeper nesting than any scenario has; it bounds recursion over the tree.
const MAX_DEPTH: usize = 64;

/// Parses a source that has been added to `sources`. `None` after a syntax error, which stands in `diagnostics`.
pub(crate) fn parse(
    sources: &Sources,
    source: SourceId,
    origin: &Origin,
    diagnostics: &mut Diagnostics,
) -> Option<Node> {
    let text = sources.text(source);
    let lines: Vec<usize> = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let place = Place { source, text, lines: &lines };
    if text.trim().is_empty() {
        return Some(Node::new(Value::Null, place.at_offset(0, 0), origin.clone()));
    }
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        with_snippet: false,
        budget: serde_saphyr::budget! { max_depth: MAX_DEPTH },
    };
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options) {
        Ok(raw) => Some(Build { place, origin, diagnostics }.node(raw)),
        Err(error) => {
            let location = error.location();
            let mut message = error.to_string();
            // the library repeats the place in its words; ours stands in the span
            if let Some(at) = message.find(" at line ").or_else(|| message.find("error: line ")) {
                message.truncate(at);
            }
            let first = message.lines().next().unwrap_or("not readable").trim().trim_end_matches('.').to_owned();
            let line = location.map_or(0, |location| location.line() as usize);
            diagnostics.push(place.slip(&first, line).unwrap_or_else(|| {
                Diagnostic::error(location.map(|location| place.span(location)), format!("not YAML: {first}"))
            }));
            None
        }
    }
}

/// What to write for `a:host`, where YAML takes it for one word because there is no space behind the colon. Of several
/// lines, the first.
pub(crate) fn missing_space(text: &str) -> Option<String> {
    let word = text.split_whitespace().next()?;
    let (key, value) = word.split_once(':')?;
    let name = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    // `http://…` and `fd00::1` are what they seem
    (name && !value.is_empty() && !value.starts_with(['/', ':'])).then(|| format!("{key}: {value}"))
}

/// A node as the YAML library hands it over.
enum Raw {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(String),
    Seq(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Raw, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Raw;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a scalar, a list or a map")
            }
            fn visit_unit<E: de::Error>(self) -> Result<Raw, E> {
                Ok(Raw::Null)
            }
            fn visit_none<E: de::Error>(self) -> Result<Raw, E> {
                Ok(Raw::Null)
            }
            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
                Raw::deserialize(deserializer)
            }
            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Raw, E> {
                Ok(Raw::Bool(value))
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Raw, E> {
                Ok(Raw::Int(value.into()))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Raw, E> {
                Ok(Raw::Int(value.into()))
            }
            fn visit_i128<E: de::Error>(self, value: i128) -> Result<Raw, E> {
                Ok(Raw::Int(value))
            }
            fn visit_u128<E: de::Error>(self, value: u128) -> Result<Raw, E> {
                Ok(i128::try_from(value).map_or(Raw::Float(value as f64), Raw::Int))
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Raw, E> {
                Ok(Raw::Float(value))
            }
            fn visit_str<E: de::Error>(self, value: &str) -> Result<Raw, E> {
                Ok(Raw::Str(value.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
                let mut nodes = Vec::new();
                while let Some(node) = seq.next_element()? {
                    nodes.push(node);
                }
                Ok(Raw::Seq(nodes))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Raw::Map(entries))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// Turns the library's places into spans.
#[derive(Clone, Copy)]
struct Place<'a> {
    source: SourceId,
    text: &'a str,
    /// Where lines begin: a file of thousands of links is not counted anew for each of its nodes.
    lines: &'a [usize],
}

impl Place<'_> {
    fn span(self, location: Location) -> Span {
        let (start, len) = match (location.span().byte_offset(), location.span().byte_len()) {
            (Some(start), len) => (start as usize, len.unwrap_or(0) as usize),
            (None, _) => (self.offset_of(location.line() as usize, location.column() as usize), 0),
        };
        self.at_offset(start, len)
    }

    /// Line and column are counted here, so that they are right whatever the library calls a column.
    fn at_offset(self, start: usize, len: usize) -> Span {
        let start = floor_char_boundary(self.text, start);
        let end = floor_char_boundary(self.text, start.saturating_add(len)).max(start);
        // A block's end is where the next token begins: what is underlined ends with its last visible character.
        let len = self.text[start..end].trim_end().len();
        let line = self.lines.partition_point(|line| *line <= start);
        Span {
            source: self.source,
            start,
            len,
            line: line as u32,
            column: self.text[self.lines[line - 1]..start].chars().count() as u32 + 1,
        }
    }

    /// The two slips that people make most, which the library's words do not name. `line`: where it gave up, from 1.
    fn slip(self, message: &str, line: usize) -> Option<Diagnostic> {
        let end = |number: usize| self.lines.get(number).map_or(self.text.len(), |next| next - 1);
        let lines = || self.lines.iter().enumerate().map(|(n, start)| (n + 1, *start, &self.text[*start..end(n + 1)]));
        if message.contains("tab") {
            let (start, tab) = lines().skip(line.saturating_sub(1)).find_map(|(_, start, text)| {
                let margin = &text[..text.len() - text.trim_start().len()];
                Some((start, margin.find('\t')?))
            })?;
            let error = Diagnostic::error(self.at_offset(start + tab, 1), "not YAML: a tab in the indentation");
            return Some(error.help("indent with spaces: YAML allows no tabs there"));
        }
        if message.contains("mapping values are not allowed") || message.contains("simple key expected") {
            // the line itself may be right, and the one before it wrong
            let near = lines().take(line).skip(line.saturating_sub(2));
            let (start, text, written) = near.into_iter().find_map(|(_, start, text)| {
                let bare = text.trim();
                let one_word = !bare.contains(char::is_whitespace);
                Some((start + text.len() - text.trim_start().len(), bare, missing_space(bare).filter(|_| one_word)?))
            })?;
            let error =
                Diagnostic::error(self.at_offset(start, text.len()), "not YAML: a colon without a space behind it");
            return Some(error.help(format!("write `{written}`")));
        }
        None
    }

    fn offset_of(self, line: usize, column: usize) -> usize {
        let mut start = 0;
        for (number, text) in self.text.split_inclusive('\n').enumerate() {
            if number + 1 == line {
                let column = text.char_indices().nth(column.saturating_sub(1)).map_or(text.len(), |(i, _)| i);
                return start + column;
            }
            start += text.len();
        }
        self.text.len()
    }
}

fn floor_char_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

struct Build<'a> {
    place: Place<'a>,
    origin: &'a Origin,
    diagnostics: &'a mut Diagnostics,
}

impl Build<'_> {
    fn node(&mut self, raw: Spanned<Raw>) -> Node {
        // Of an alias, the place that defines it: that is where a wrong value is put right.
        let mut span = self.place.span(raw.defined);
        let written = self.place.text.get(span.start..span.start + span.len).unwrap_or("").to_owned();
        let scalar = |text: String, kind| Value::Scalar(Scalar { text, kind });
        let value = match raw.value {
            Raw::Null => Value::Null,
            Raw::Bool(b) => scalar(written, Kind::Bool(b)),
            Raw::Int(n) => scalar(written, Kind::Int(n)),
            Raw::Float(x) => scalar(written, Kind::Float(x)),
            Raw::Str(text) => scalar(text, Kind::Str),
            Raw::Seq(nodes) => Value::Seq(nodes.into_iter().map(|node| self.node(node)).collect()),
            Raw::Map(entries) => Value::Map(self.entries(entries)),
        };
        if let Value::Map(entries) = &value
            && let Some(first) = entries.first()
            && !self.place.text[span.start..].starts_with('{')
        {
            span = first.key_span;
        }
        Node::new(value, span, self.origin.clone())
    }

    fn entries(&mut self, raw: Vec<(Spanned<String>, Spanned<Raw>)>) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::with_capacity(raw.len());
        // A section may have a hundred thousand.
        let mut places: HashMap<String, Span> = HashMap::with_capacity(raw.len());
        for (key, value) in raw {
            let key_span = self.place.span(key.defined);
            let mut value = self.node(value);
            let mut key = key.value;
            // `{ a:host }` is a word with nothing under it; read on as it is meant, so that nothing else is told of it
            let plain = self.place.text[key_span.start..].starts_with(&key);
            if let Some(written) = missing_space(&key).filter(|_| plain && value.value == Value::Null) {
                self.diagnostics
                    .error(key_span, format!("`{key}` has no space behind its colon"))
                    .help(format!("write `{written}`"));
                let (name, text) = written.split_once(": ").expect("it was just put together");
                value = Node::text(text, key_span, self.origin.clone());
                key = name.to_owned();
            }
            if let Some(first) = places.get(&key) {
                self.diagnostics
                    .error(key_span, format!("`{key}` stands here twice"))
                    .label("the second time")
                    .related(*first, "the first time")
                    .help("take one of them away, or give it another name");
            } else {
                places.insert(key.clone(), key_span);
                entries.push(Entry { key, key_span, value });
            }
        }
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_text(text: &str) -> (Option<Node>, Diagnostics, Sources) {
        let mut sources = Sources::default();
        let source = sources.add("test.yaml", text);
        let mut diagnostics = Diagnostics::default();
        let node = parse(&sources, source, &Origin::File, &mut diagnostics);
        (node, diagnostics, sources)
    }

    fn lines(diagnostics: &Diagnostics) -> Vec<String> {
        diagnostics.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_node_knows_its_bytes() {
        let (node, _, sources) =
            parse_text("links:\n  wïfi: { delay: 5ms, mtu: 1500 }\n  lan:\n    - 'a b'\n    - 0x10\n");
        let node = node.unwrap();
        let links = node.get("links").unwrap();
        let wifi = links.entry("wïfi").unwrap();
        assert_eq!((wifi.key_span.line, wifi.key_span.column), (2, 3));
        assert_eq!(sources.snippet(wifi.key_span), "wïfi");
        let delay = wifi.value.get("delay").unwrap();
        assert_eq!((sources.snippet(delay.span), delay.span.line, delay.span.column), ("5ms", 2, 18));
        assert_eq!(
            wifi.value.get("mtu").unwrap().value,
            Value::Scalar(Scalar { text: "1500".into(), kind: Kind::Int(1500) })
        );
        let Value::Seq(list) = &links.get("lan").unwrap().value else { panic!("a list") };
        assert_eq!(list[0].as_text(), Some("a b"));
        assert_eq!(list[1].value, Value::Scalar(Scalar { text: "0x10".into(), kind: Kind::Int(16) }));
    }

    #[test]
    fn aliases_and_merge_keys_keep_the_place_of_their_definition() {
        let (node, diagnostics, sources) =
            parse_text("x-slow: &slow { delay: 5ms, loss: 1% }\na: *slow\nb: { <<: *slow, loss: 2% }\n");
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        let node = node.unwrap();
        let a = node.get("a").unwrap().get("delay").unwrap();
        assert_eq!((a.as_text(), a.span.line, sources.snippet(a.span)), (Some("5ms"), 1, "5ms"));
        let b = node.get("b").unwrap();
        assert_eq!(b.get("delay").unwrap().span.line, 1);
        assert_eq!(b.get("loss").unwrap().as_text(), Some("2%"));
        assert_eq!(b.get("loss").unwrap().span.line, 3);
    }

    #[test]
    fn a_repeated_key_shows_both_places() {
        let (_, diagnostics, _) = parse_text("a:\n  delay: 1ms\n  delay: 2ms\n");
        assert_eq!(
            lines(&diagnostics),
            ["3:3: `delay` stands here twice (take one of them away, or give it another name)"]
        );
        assert_eq!(diagnostics.iter().next().unwrap().related[0].0.line, 2);
    }

    #[test]
    fn broken_yaml_has_a_place() {
        for (text, line) in [("a: [1, 2\nb: 3\n", 2), ("a: 'open\n", 1), ("a: b: c\n", 1), ("a: *none\n", 1)] {
            let (node, diagnostics, _) = parse_text(text);
            assert!(node.is_none(), "{text:?}");
            let first = diagnostics.iter().next().unwrap();
            assert!(first.message.starts_with("not YAML: "), "{first}");
            assert!(first.span.unwrap().line >= line, "{text:?}: {first}");
        }
        let deep = "[".repeat(100_000);
        assert!(parse_text(&deep).0.is_none());
    }

    #[test]
    fn a_tab_and_a_missing_space_are_named() {
        let tab = "not YAML: a tab in the indentation (indent with spaces: YAML allows no tabs there)";
        let space = "not YAML: a colon without a space behind it (write `a: host`)";
        for (text, told) in [
            ("nodes:\n\ta: host\n", format!("2:1: {tab}")),
            ("nodes:\n  a: host\n\tb: host\n", format!("3:1: {tab}")),
            ("nodes:\n  a: host\n  \tb: host\n", format!("3:3: {tab}")),
            ("nodes:\n  a:host\n  b: host\n", format!("2:3: {space}")),
            ("nodes:\n  b: host\n  a:host\n", format!("3:3: {space}")),
            ("nodes: { a:host, b: host }", "1:10: `a:host` has no space behind its colon (write `a: host`)".into()),
        ] {
            assert_eq!(lines(&parse_text(text).1), [told], "{text:?}");
        }
        for fine in ["a: { 'b:c': }", "a: { fd00::1: }", "a: { \"http://x\": }", "a: b:c"] {
            assert_eq!(lines(&parse_text(fine).1), [""; 0], "{fine:?}");
        }
    }

    #[test]
    fn an_empty_file_is_nothing() {
        assert_eq!(parse_text("").0.unwrap().value, Value::Null);
        assert_eq!(parse_text("# only words\n").0.unwrap().value, Value::Null);
    }
}
