//! Any text as a scenario: what is wrong is told, what may run is listed and driven.
#![no_main]

use libfuzzer_sys::fuzz_target;
use longwire_fuzz::check::{check, drive, with_files};

fuzz_target!(|text: &str| {
    if let Some(resolved) = check(&with_files(text)) {
        drive(&resolved);
    }
});
