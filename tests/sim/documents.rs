//! What `longwire sim` prints on the pages is what it prints.

use crate::support::documents::{Shown, commands, pages, repository};
use crate::support::sim::Sim;

/// The text without its numbers and pictures: kernels of other versions say more or less of their own, and their frames count too.
fn shape(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.contains('│')).map(|line| {
        let numbers =
            line.split(|c: char| !(c.is_ascii_digit() || c == ',' || c == '.')).filter(|part| !part.is_empty());
        let plain = numbers.fold(line.to_owned(), |line, number| line.replacen(number, "#", 1));
        plain.split_whitespace().collect::<Vec<_>>().join(" ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn runs_in_virtual_time_print_what_the_pages_show() {
    let Some(sim) = Sim::new("") else { return };
    let mut count = 0;
    for page in pages() {
        for Shown { place, words, prints } in commands(&page) {
            let talks = words.iter().any(|word| word == "--shell");
            if words[1] != "sim"
                || talks
                || prints.is_empty()
                || !words.iter().any(|word| word.starts_with("scenarios/"))
            {
                continue;
            }
            let arguments: Vec<&str> = words[1..].iter().map(String::as_str).collect();
            let mut command = sim.other(env!("CARGO_BIN_EXE_longwire"), &arguments);
            command.current_dir(repository());
            let ended = sim.lab.start(command).wait();
            assert_eq!(ended.code, 0, "{place}: {}", ended.told());
            assert_eq!(shape(&ended.stdout), shape(&prints), "{place}:\n{}", ended.stdout);
            let expectations = |text: &str| -> Vec<String> {
                text.lines().filter(|line| line.contains(" < ") || line.contains(" >= ")).map(str::to_owned).collect()
            };
            assert_eq!(expectations(&ended.stdout), expectations(&prints), "{place}");
            count += 1;
        }
    }
    assert!(count >= 1, "no page shows one");
}
