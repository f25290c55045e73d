//! Commands of the pages that need a network: they end and print as the pages say.

use crate::support::scenes::{Clock, SCENES};
use crate::support::{Lab, has, is_root};

#[test]
fn commands_of_the_pages_do_what_the_pages_say() {
    let able = is_root() && ["unshare", "ip", "ping", "curl", "python3"].into_iter().all(has);
    let Some(lab) = able.then(|| Lab::new("")).flatten() else { return };
    std::thread::scope(|scope| {
        for scene in SCENES.iter().filter(|scene| scene.clock == Clock::Live) {
            let lab = lab.beside();
            scope.spawn(move || scene.play(&lab, lab.other("unshare", &["--net", "sh", "-c"])));
        }
    });
}
