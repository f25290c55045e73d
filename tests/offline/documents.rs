//! The pages: what they link to is there, the commands that they show are commands, and what they print without a network is what they
//! show.

use std::process::Command;

use regex::Regex;

use crate::support::documents::{commands, pages, prose, repository, text};
use crate::support::scenes::{NOT_RUN, SCENES};

/// What GitHub makes of a heading for links to it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
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
    for shown in commands() {
        let Some(words) = shown.words() else { continue };
        count += 1;
        if let Err(error) = longwire::cli::understands(&words) {
            panic!("{}: {}: {error}", shown.place, shown.line);
        }
    }
    assert!(count >= 60, "only {count} commands were found");
}

/// Each is run by a scene, or is in the list of what is not, and both have nothing else.
#[test]
fn every_command_is_run_or_says_why_not() {
    let commands = commands();
    let steps: Vec<&str> = SCENES.iter().flat_map(|scene| scene.steps).map(|step| step.line).collect();
    let (run, others): (Vec<_>, Vec<_>) = commands.iter().partition(|shown| steps.contains(&&*shown.line));
    for shown in &others {
        let listed = NOT_RUN.iter().any(|(begin, _)| shown.line.starts_with(begin));
        assert!(listed, "{}: nobody runs {:?}", shown.place, shown.line);
    }
    for step in steps {
        assert!(run.iter().any(|shown| shown.line == step), "no page shows {step:?}");
    }
    for (begin, why) in NOT_RUN {
        assert!(others.iter().any(|shown| shown.line.starts_with(begin)), "no page has {begin:?} ({why})");
    }
}

/// `check` and `show` of scenarios that are here, with the output that the page shows: it is the output.
#[test]
fn what_commands_print_is_what_the_pages_show() {
    let mut count = 0;
    for shown in commands() {
        let Some(words) = shown.words().filter(|words| matches!(words[1].as_str(), "check" | "show")) else { continue };
        if SCENES.iter().flat_map(|scene| scene.steps).any(|step| step.line == shown.line) {
            continue;
        }
        let ended = Command::new(env!("CARGO_BIN_EXE_longwire"))
            .args(&words[1..])
            .current_dir(repository())
            .output()
            .expect("longwire starts");
        assert!(ended.status.success(), "{}: {}", shown.place, String::from_utf8_lossy(&ended.stderr));
        assert_eq!(String::from_utf8_lossy(&ended.stdout), shown.prints, "{}: {}", shown.place, shown.line);
        count += 1;
    }
    assert!(count >= 2, "only {count} were found");
}
