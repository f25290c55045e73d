//! One mistake in a group is told once.

use std::collections::BTreeMap;

use super::Groups;
use crate::diag::{Diagnostics, Span};

/// Of what was told at one place of several members, in the same words but for their names, keeps the first, and says of
/// how many others it holds.
pub(crate) fn fold(diagnostics: Diagnostics, groups: &Groups) -> Diagnostics {
    if groups.is_empty() {
        return diagnostics;
    }
    let members = groups.of_members();
    let mut kept = Vec::new();
    let mut seen: BTreeMap<(Option<Span>, String), usize> = BTreeMap::new();
    let mut more: Vec<usize> = Vec::new();
    for diagnostic in diagnostics.iter() {
        let general = members.generalize(&diagnostic.message);
        let at = *seen.entry((diagnostic.span, general)).or_insert(kept.len());
        if at == kept.len() {
            kept.push(diagnostic.clone());
            more.push(0);
        } else {
            more[at] += 1;
        }
    }
    let mut all = Diagnostics::default();
    for (mut diagnostic, more) in kept.into_iter().zip(more) {
        if more > 0 && diagnostic.label.is_none() {
            diagnostic.label = Some(format!("and so for {more} more"));
        }
        all.push(diagnostic);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Diagnostic;
    use crate::topology::expand::GroupKind;

    #[test]
    fn what_differs_in_names_of_members_alone_is_told_once() {
        let mut groups = Groups::default();
        groups.add("c", GroupKind::Nodes, vec!["c-1".into(), "c-2".into(), "c-3".into()]);
        let place = |line| Span { line, column: 1, ..Span::default() };
        let mut told = Diagnostics::default();
        for (line, message) in [
            (2, "`c-1` is alone"),
            (2, "`c-2` is alone"),
            (2, "`c-3` is alone"),
            (2, "`d-1` is alone"),
            (3, "`c-2` is alone"),
            (2, "`c-2` is not alone"),
        ] {
            told.push(Diagnostic::error(place(line), message));
        }
        let folded = fold(told.clone(), &groups);
        let lines: Vec<_> = folded.iter().map(|d| (d.to_string(), d.label.clone().unwrap_or_default())).collect();
        assert_eq!(
            lines.iter().map(|(text, label)| (text.as_str(), label.as_str())).collect::<Vec<_>>(),
            [
                ("2:1: `c-1` is alone", "and so for 2 more"),
                ("2:1: `d-1` is alone", ""),
                ("3:1: `c-2` is alone", ""),
                ("2:1: `c-2` is not alone", "")
            ]
        );
        assert_eq!(fold(told.clone(), &Groups::default()), told);
    }
}
