//! docs/architecture.md names files and functions: they are there.

use std::fs;
use std::path::Path;

const PAGE: &str = include_str!("../../docs/architecture.md");

#[test]
fn every_file_and_function_that_the_page_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // what stands in backquotes, in order, line by line
    let (mut files, mut functions) = (0, 0);
    for line in PAGE.lines() {
        let mut file: Option<String> = None;
        for word in line
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|word| !word.contains("NAME") && !word.contains(' ') && *word != "src/")
        {
            let path = if word.starts_with("tests/") { root.join(word) } else { root.join("src").join(word) };
            if word.ends_with(".rs") || word.ends_with('/') {
                assert!(path.exists(), "docs/architecture.md names {word}, which is not there: {line}");
                files += 1;
                file = word.ends_with(".rs").then(|| fs::read_to_string(path).expect("it is there"));
            } else if let Some(text) = file.take() {
                let declared = ["fn", "enum", "struct"].map(|kind| format!("{kind} {word}"));
                let is_there = |text: &str| declared.iter().any(|name| text.contains(name.as_str()));
                assert!(is_there(&text), "docs/architecture.md names `{word}`, which its file does not have: {line}");
                functions += 1;
            }
        }
    }
    assert!(files > 60 && functions > 20, "{files} {functions}");
}

#[test]
fn every_room_has_a_line_in_the_page() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in fs::read_dir(root).expect("src").flatten() {
        let name = entry.file_name().to_string_lossy().trim_end_matches(".rs").to_owned();
        if !["lib", "main"].contains(&name.as_str()) {
            assert!(PAGE.contains(&format!("`{name}`")), "docs/architecture.md has no room `{name}`");
        }
    }
}
