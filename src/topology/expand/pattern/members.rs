//! Which nodes a pattern joins: some that it makes, or some that are there.

use super::super::{renamed, split};
use super::drawing::Drawing;
use crate::diag::Span;
use crate::language::spanned::{Names, Spanned};

/// One end of links: `NODE`, or `HOST.INTERFACE`.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) text: String,
    pub(super) span: Span,
}

/// The nodes that are there, groups spelled out.
pub(super) fn named(of: &Spanned<Names>, drawing: &Drawing<'_, '_>) -> Vec<Member> {
    let mut all = Vec::new();
    for Spanned { value: text, span } in of.each() {
        match drawing.group(split(text).0) {
            Some(members) => all.extend(members.iter().map(|name| Member { text: renamed(text, name), span })),
            None => all.push(Member { text: text.to_owned(), span }),
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
    of: Option<&Spanned<Names>>,
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
