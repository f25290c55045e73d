//! Commands of the pages in virtual time: they end and print as the pages say.

use crate::support::has;
use crate::support::scenes::{Clock, SCENES};
use crate::support::sim::Sim;

#[test]
fn commands_of_the_pages_do_what_the_pages_say() {
    if !["jq", "tshark", "python3", "rsvg-convert"].into_iter().all(has) || Sim::new("").is_none() {
        return;
    }
    std::thread::scope(|scope| {
        for scene in SCENES.iter().filter(|scene| scene.clock == Clock::Virtual) {
            let sim = Sim::new("").expect("a kernel");
            scope.spawn(move || scene.play(&sim.lab, sim.other("sh", &["-c"])));
        }
    });
}
