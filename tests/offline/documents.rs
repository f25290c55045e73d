//! The pages: what they link to is there, the commands that they show are commands, and what they print without a network is what they
//! show.

use std::process::Command;

use regex::Regex;

use crate::support::documents::{Shown, commands, pages, repository, text};

/// What GitHub makes of a heading for links to it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The text without its blocks of code.
fn prose(markdown: &str) -> String {
    let mut inside = false;
    let outside = markdown.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence
    });
    outside.fold(String::new(), |text, line| text + line + "\n")
}

fn anchors(markdown: &str) -> Vec<String> {
    let prose = prose(markdown);
    let headings = prose.lines().filter(|line| line.starts_with('#')).map(|line| anchor(line.trim_start_matches('#')));
    headings.collect()
}

#[test]
fn links_lead_to_what_is_there() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").expect("a pattern");
    let mut count = 0;
    for page in pages() {
        let markdown = text(&page);
        for target in link.captures_iter(&prose(&markdown)).map(|found| found[1].to_owned()) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            count += 1;
            let (file, fragment) = target.split_once('#').unwrap_or((&target, ""));
            let there = if file.is_empty() { page.clone() } else { page.parent().expect("a folder").join(file) };
            assert!(there.exists(), "{}: {target} is not there", page.display());
            if !fragment.is_empty() && there.extension().is_some_and(|extension| extension == "md") {
                let known = anchors(&text(&there));
                assert!(known.iter().any(|known| known == fragment), "{}: {target}: {known:?}", page.display());
            }
        }
    }
    assert!(count > 150, "only {count} links were found");
}

#[test]
fn the_readme_is_short_and_every_page_is_reached_from_the_index() {
    let lines = text(&repository().join("README.md")).lines().count();
    assert!(lines < 200, "README.md has {lines} lines");
    let linked: String = ["README.md", "models.md", "report.md", "topology.md"]
        .map(|name| text(&repository().join("docs").join(name)))
        .concat();
    for page in pages().iter().filter(|page| page.starts_with(repository().join("docs"))) {
        let name = page.file_name().expect("a name").to_string_lossy();
        assert!(name == "README.md" || linked.contains(&*name), "docs/README.md does not lead to {}", page.display());
    }
}

#[test]
fn commands_are_commands() {
    let mut count = 0;
    for page in pages() {
        for Shown { place, words, .. } in commands(&page) {
            count += 1;
            if let Err(error) = longwire::cli::understands(&words) {
                panic!("{place}: {}: {error}", words.join(" "));
            }
            for file in words.iter().filter(|word| word.starts_with("scenarios/")) {
                assert!(repository().join(file).exists(), "{place}: {file} is not there");
            }
        }
    }
    assert!(count >= 25, "only {count} commands were found");
}

/// `check` and `show` of scenarios that are here, with the output that the page shows: it is the output.
#[test]
fn what_commands_print_is_what_the_pages_show() {
    let mut count = 0;
    for page in pages() {
        for Shown { place, words, prints } in commands(&page) {
            let reads_only = matches!(words[1].as_str(), "check" | "show");
            if !reads_only || prints.is_empty() || !words.iter().any(|word| word.starts_with("scenarios/")) {
                continue;
            }
            let ended = Command::new(env!("CARGO_BIN_EXE_longwire"))
                .args(&words[1..])
                .current_dir(repository())
                .output()
                .expect("longwire starts");
            assert!(ended.status.success(), "{place}: {}", String::from_utf8_lossy(&ended.stderr));
            assert_eq!(String::from_utf8_lossy(&ended.stdout), prints, "{place}: {}", words.join(" "));
            count += 1;
        }
    }
    assert!(count >= 2, "only {count} were found");
}
