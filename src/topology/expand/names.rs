//! Names that are given to what is made: none is taken twice, and all fit.

use std::collections::BTreeMap;

use super::{Expansion, Node};
use crate::diag::Span;
use crate::language::names::{MAX, SECTIONS};

/// The names that are taken.
pub(super) struct Names(BTreeMap<String, Span>);

impl Names {
    /// Those that stand in a file.
    pub(super) fn of(root: &Node) -> Names {
        let sections = SECTIONS.iter().filter_map(|section| root.get(section)?.entries());
        Names(sections.flatten().map(|entry| (entry.key.clone(), entry.key_span)).collect())
    }
}

impl Expansion<'_> {
    /// Takes the names of what is made of the entry `of`, which stands at `span`. False if one is taken already or is
    /// too long, which is told once.
    pub(super) fn claim<'n>(&mut self, of: &str, span: Span, names: impl IntoIterator<Item = &'n str>) -> bool {
        let mut taken: Option<(String, Span)> = None;
        let mut long: Option<String> = None;
        for name in names {
            if name.len() > MAX {
                long.get_or_insert_with(|| name.to_owned());
            }
            if let Some(first) = self.names.0.insert(name.to_owned(), span) {
                taken.get_or_insert_with(|| (name.to_owned(), first));
            }
        }
        if let Some((name, first)) = &taken {
            self.diagnostics
                .error(span, format!("`{of}` makes `{name}`, a name that is taken"))
                .related(*first, "taken here")
                .help("give one of the two another name");
        }
        if let Some(name) = &long {
            let message = format!("`{of}` makes `{name}`, a name of {} bytes", name.len());
            self.tell(span, message, format!("names have at most {MAX} bytes: choose a shorter one"));
        }
        taken.is_none() && long.is_none()
    }
}
