//! What tests of pages share.

use std::sync::LazyLock;

use indexmap::IndexMap;

use super::{ProgramOutput, Subject};
use crate::report::json::Report;
use crate::tasks::resolved::Resolved;

/// The document after its doctype, which an XML reader reads.
pub(crate) fn well_formed(html: &str) -> String {
    let xml = html.strip_prefix("<!DOCTYPE html>\n").expect("a doctype");
    if let Err(error) = roxmltree::Document::parse(xml) {
        panic!("{error}: {xml}");
    }
    xml.to_owned()
}

/// A page's subject, without outputs.
pub(crate) fn subject<'a>(report: &'a Report, resolved: &'a Resolved) -> Subject<'a> {
    static NONE: LazyLock<IndexMap<String, ProgramOutput>> = LazyLock::new(IndexMap::new);
    Subject { report, resolved, command: "longwire run phone.yaml --seed 7", outputs: &NONE, index: None }
}
