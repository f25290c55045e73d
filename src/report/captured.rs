//! What captures came to, as people read it on a terminal.

use super::json::Capture;
use super::terminal::grouped;
use crate::diag::printable::{FAINT, Page, TITLE, put, putln};
use crate::units::ByteSize;

/// A line for each.
pub(crate) fn write(out: &mut Page, captures: &[Capture]) -> std::fmt::Result {
    if captures.is_empty() {
        return Ok(());
    }
    out.blank();
    putln!(out, "{TITLE}captures{TITLE:#}")?;
    let width = captures.iter().map(|capture| capture.link.chars().count()).max().unwrap_or(0);
    for capture in captures {
        put!(out, "{:width$}  ", capture.link)?;
        write_one(out, capture)?;
    }
    Ok(())
}

fn write_one(out: &mut Page, capture: &Capture) -> std::fmt::Result {
    match (&capture.file, &capture.reason) {
        (Some(file), _) => {
            let size = ByteSize::from_bytes(capture.bytes.div_ceil(1000) * 1000);
            put!(out, "{file}  {FAINT}{} frames, {size}{FAINT:#}", grouped(capture.frames))?;
        }
        (None, Some(reason)) => put!(out, "{FAINT}{reason}{FAINT:#}")?,
        (None, None) => {}
    }
    if capture.missed > 0 {
        put!(out, ", {} missed: writing fell behind", grouped(capture.missed))?;
    }
    if capture.beyond > 0 {
        put!(out, ", {} more had no room: `capture: {{ size: … }}`", grouped(capture.beyond))?;
    }
    if let (Some(_), Some(reason)) = (&capture.file, &capture.reason) {
        put!(out, ", {reason}")?;
    } else if capture.file.is_some() && !capture.complete && capture.missed + capture.beyond == 0 {
        put!(out, ", not every fate told: writing fell behind")?;
    }
    putln!(out, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_where_it_is_and_what_is_missing() {
        let full = Capture {
            link: "wifi".into(),
            file: Some("captures/wifi.pcapng".into()),
            reason: None,
            frames: 12_345,
            bytes: 3_400_400,
            missed: 0,
            beyond: 0,
            complete: true,
        };
        let short = Capture { missed: 7, beyond: 8000, complete: false, ..full.clone() };
        let none = Capture { link: "a".into(), file: None, reason: Some("not kept".into()), ..full.clone() };
        let untold = Capture { complete: false, ..full.clone() };
        let broken = Capture { reason: Some("it could not be written: full".into()), ..untold.clone() };
        let mut out = Page::new();
        write(&mut out, &[full, short, none, untold, broken]).unwrap();
        let text = out.finish().plain();
        assert_eq!(
            text,
            "\ncaptures\nwifi  captures/wifi.pcapng  12,345 frames, 3401kB\n\
             wifi  captures/wifi.pcapng  12,345 frames, 3401kB, 7 missed: writing fell behind, 8,000 more had no room: \
             `capture: { size: … }`\n\
             a     not kept\n\
             wifi  captures/wifi.pcapng  12,345 frames, 3401kB, not every fate told: writing fell behind\n\
             wifi  captures/wifi.pcapng  12,345 frames, 3401kB, it could not be written: full\n"
        );
        let mut out = Page::new();
        write(&mut out, &[]).unwrap();
        assert!(out.is_empty());
    }
}
