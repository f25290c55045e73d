//! Expectations, as text or as a row of words of the grammar: what is read prints as text that reads back as the same; places
//! of faults lie in the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use longwire::tasks::expect::parse;
use longwire_fuzz::count;

const WORDS: &[&str] = &[
    "all",
    "always",
    "never",
    "from",
    "to",
    "after",
    "before",
    "until",
    "within",
    "of",
    "reaches",
    "does",
    "not",
    "reach",
    "and",
    "start",
    "end",
    "started",
    "ended",
    "w",
    "a",
    "wifi.toward.b",
    "w.p99",
    "w.p99.9",
    "w.loss",
    "w.exit",
    "dropped.loss",
    ".",
    "<",
    "<=",
    ">",
    ">=",
    "==",
    "!=",
    "+",
    "-",
    "0",
    "5",
    "0s",
    "60ms",
    "1.5s",
    "10%",
    "5 packets",
    "100",
    "1Mbit",
    "10kB",
    "true",
    "false",
    "$p",
    "$q",
    "\"a b\"",
    "(",
    ")",
    "ü",
    "99999999999999999999h",
];

fuzz_target!(|bytes: &[u8]| {
    let Some((form, rest)) = bytes.split_first() else { return };
    let text = match form % 2 {
        0 => String::from_utf8_lossy(rest).into_owned(),
        _ => rest.iter().map(|byte| WORDS[usize::from(*byte) % WORDS.len()]).collect::<Vec<_>>().join(" "),
    };
    let params =
        [("p", "5%"), ("q", "w")].map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
    match parse(&text, &params) {
        Ok(statement) => {
            count::taken();
            let printed = statement.to_string();
            let again = parse(&printed, &params).unwrap_or_else(|fault| panic!("`{text}` → `{printed}`: {fault:?}"));
            assert_eq!(again.to_string(), printed, "of `{text}`");
        }
        Err(fault) => {
            let place = fault.place;
            assert!(text.get(place.start..place.end).is_some() || place.start >= text.len(), "{fault:?} in `{text}`");
        }
    }
});
