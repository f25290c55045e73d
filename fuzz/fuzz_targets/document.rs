//! Scenarios made along the schema: most keys and most kinds of value are right.
#![no_main]

use arbitrary::Unstructured;
use libfuzzer_sys::{Corpus, fuzz_target};
use longwire_fuzz::check::{check, drive, with_files};
use longwire_fuzz::document::document;

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Ok(text) = document(&mut Unstructured::new(bytes)) else { return Corpus::Reject };
    if std::env::var_os("LONGWIRE_PRINT").is_some() {
        eprintln!("{text}");
    }
    if let Some(resolved) = check(&with_files(&text)) {
        drive(&resolved);
    }
    Corpus::Keep
});
