//! Which nodes a pattern joins: some that it makes, or some that are there.

use core::fmt;

use schemars::JsonSchema;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};

use super::super::{renamed, split};
use super::drawing::Drawing;
use crate::diag::Span;
use crate::language::spanned::Spanned;

/// One end of links: `NODE`, or `HOST.INTERFACE`.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) text: String,
    pub(super) span: Span,
}

/// A node or group, or a list of them.
#[derive(Clone, Debug)]
pub(crate) struct Of(Vec<Spanned<String>>);

impl<'de> Deserialize<'de> for Of {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Of, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Of;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a group, or a list of nodes and groups,")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Of, E> {
                // Its place is that of the whole.
                Ok(Of(vec![Spanned { value: text.to_owned(), span: Span::default() }]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Of, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Of)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for Of {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Members".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A group, or a list of nodes and groups.",
            "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }],
        })
    }
}

/// The nodes that are there, groups spelled out.
pub(super) fn named(of: &Spanned<Of>, drawing: &Drawing<'_, '_>) -> Vec<Member> {
    let mut all = Vec::new();
    for text in &of.value.0 {
        let span = if text.span.line > 0 { text.span } else { of.span };
        match drawing.group(split(text).0) {
            Some(members) => all.extend(members.iter().map(|name| Member { text: renamed(text, name), span })),
            None => all.push(Member { text: text.value.clone(), span }),
        }
    }
    all
}

/// `count` or `of`: how many nodes to make, or those that are there.
pub(super) enum Who {
    /// So many.
    Made(u64),
    /// These.
    Named(Vec<Member>),
}

impl Who {
    /// How many.
    pub(super) fn len(&self) -> u64 {
        match self {
            Who::Made(count) => *count,
            Who::Named(members) => members.len() as u64,
        }
    }

    /// How many are made.
    pub(super) fn made(&self) -> u64 {
        match self {
            Who::Made(count) => *count,
            Who::Named(_) => 0,
        }
    }
}

/// Who is joined: at least `least`, at most 100,000 of them.
pub(super) fn who(
    drawing: &mut Drawing<'_, '_>,
    count: Option<&Spanned<u64>>,
    of: Option<&Spanned<Of>>,
    least: u64,
) -> Option<Who> {
    let who = match (count, of) {
        (Some(count), None) => Who::Made(count.value),
        (None, Some(of)) => Who::Named(named(of, drawing)),
        (Some(_), Some(of)) => {
            let help = "`count` makes nodes, `of` joins nodes that are there: keep one";
            return drawing.wrong(of.span, "`count` and `of` both say who is joined", help);
        }
        (None, None) => {
            let (span, message) = (drawing.span, format!("`{}` does not say who is joined", drawing.name));
            return drawing.wrong(span, message, "write `count: 6`, or `of: GROUP`");
        }
    };
    if who.len() < least {
        let span = count.map(|count| count.span).or(of.map(|of| of.span)).unwrap_or(drawing.span);
        let message = format!("`{}` joins {}: too few", drawing.name, who.len());
        return drawing.wrong(span, message, format!("this pattern has at least {least}"));
    }
    Some(who)
}
