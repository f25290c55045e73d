//! What `longwire sim` prints on the pages is what it prints.

use crate::support::documents::{Shown, commands, pages, repository};
use crate::support::sim::Sim;

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
            assert_eq!(ended.stdout, prints, "{place}");
            count += 1;
        }
    }
    assert!(count >= 1, "no page shows one");
}
