//! The rules of Jenkins' schema for JUnit XML (junit-10.xsd of its xUnit plugin, which most readers follow), as far as a suite of
//! runs uses it: what may stand where.

use roxmltree::{Document, Node};

/// An element, its attributes (those with `!` are required), its children, and whether it holds text.
const RULES: &[(&str, &[&str], &[&str], bool)] = &[
    ("testsuites", &["name", "time", "tests", "failures", "errors"], &["testsuite"], false),
    (
        "testsuite",
        &[
            "name!",
            "tests!",
            "failures!",
            "errors!",
            "group",
            "time",
            "skipped",
            "timestamp",
            "hostname",
            "id",
            "package",
            "file",
            "log",
            "url",
        ],
        &["testsuite", "properties", "testcase", "system-out", "system-err"],
        false,
    ),
    ("properties", &[], &["property"], false),
    ("property", &["name!", "value!"], &[], false),
    (
        "testcase",
        &["name!", "time", "classname", "group"],
        &["skipped", "error", "failure", "system-out", "system-err"],
        false,
    ),
    ("failure", &["type", "message"], &[], true),
    ("error", &["type", "message"], &[], true),
    ("skipped", &["type", "message"], &[], true),
    ("system-out", &[], &[], true),
    ("system-err", &[], &[], true),
];

/// What is wrong with a document, one sentence each.
pub(crate) fn violations(text: &str) -> Vec<String> {
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => return vec![format!("not XML: {error}")],
    };
    let mut wrong = Vec::new();
    if document.root_element().tag_name().name() != "testsuites" {
        wrong.push("the root is no `testsuites`".to_owned());
    }
    element(document.root_element(), &mut wrong);
    wrong
}

fn element(node: Node<'_, '_>, wrong: &mut Vec<String>) {
    let name = node.tag_name().name();
    let Some((_, attributes, children, has_text)) = RULES.iter().find(|(known, ..)| *known == name) else {
        return wrong.push(format!("unknown element `{name}`"));
    };
    for attribute in node.attributes() {
        if !attributes.iter().any(|known| known.trim_end_matches('!') == attribute.name()) {
            wrong.push(format!("`{name}` has no attribute `{}`", attribute.name()));
        }
    }
    for required in attributes.iter().filter_map(|attribute| attribute.strip_suffix('!')) {
        if node.attribute(required).is_none() {
            wrong.push(format!("`{name}` lacks `{required}`"));
        }
    }
    // the pattern of SUREFIRE_TIME: digits in groups of up to three with commas, or without, and a fraction
    for time in node.attribute("time").into_iter() {
        if time.is_empty()
            || !time.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ','))
            || time.matches('.').count() > 1
        {
            wrong.push(format!("`{name}` has the time `{time}`"));
        }
    }
    for child in node.children() {
        if child.is_element() {
            if !children.contains(&child.tag_name().name()) {
                wrong.push(format!("`{}` in `{name}`", child.tag_name().name()));
            }
            element(child, wrong);
        } else if child.text().is_some_and(|text| !text.trim().is_empty()) && !has_text {
            wrong.push(format!("text in `{name}`"));
        }
    }
    let counted = |kind: &str| node.descendants().filter(|n| n.has_tag_name(kind)).count().to_string();
    if name.starts_with("testsuite") {
        for (attribute, kind) in [("tests", "testcase"), ("failures", "failure"), ("errors", "error")] {
            if node.attribute(attribute).is_some_and(|n| n != counted(kind)) {
                wrong.push(format!("`{name}` counts {attribute} wrong"));
            }
        }
    }
}

#[test]
fn what_the_rules_are_there_to_find_they_find() {
    let good = "<testsuites tests=\"1\"><testsuite name=\"a\" tests=\"1\" failures=\"0\" errors=\"0\" time=\"1.5\">\
                <properties><property name=\"x\" value=\"\"/></properties><testcase name=\"t\"><system-out>x</system-out>\
                </testcase></testsuite></testsuites>";
    assert_eq!(violations(good), [""; 0]);
    for (from, to) in [
        ("tests=\"1\">", "tests=\"2\">"),
        ("name=\"a\"", "title=\"a\""),
        ("time=\"1.5\"", "time=\"1.5 s\""),
        ("<properties>", "<properties>text"),
        ("<testcase name=\"t\">", "<testcase>"),
        ("<system-out>x", "<system-out><failure/>x"),
        ("testsuites", "suites"),
        ("<testsuites tests=\"1\">", ""),
    ] {
        assert!(!violations(&good.replace(from, to)).is_empty(), "{from} → {to}");
    }
}
