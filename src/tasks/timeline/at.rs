//! When a step of the timeline happens: `10s` after t = 0, `worse + 2s` after the step that is marked `worse`,
//! `fetch.started + 2s` after a workload has started.

use std::fmt;

use crate::model::form::text_form;
use crate::units::Duration;

/// When a step happens, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// So long after t = 0.
    Zero(Duration),
    /// So long after the step with this mark.
    Mark(String, Duration),
    /// So long after this has happened to a workload.
    Happening(Happening, Duration),
}

/// What happens to a workload at a time that only the run knows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Happening {
    /// The workload's name.
    pub workload: String,
    /// What happens to it.
    pub phase: Phase,
}

/// What happens to a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Its programs are started.
    Started,
    /// It has ended, whether or not it did what was asked.
    Ended,
}

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = match self.phase {
            Phase::Started => "started",
            Phase::Ended => "ended",
        };
        write!(f, "{}.{phase}", self.workload)
    }
}

/// Whether a text may be a mark: it begins with a letter, so that no time can be taken for one.
pub(super) fn is_mark(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

fn happening(text: &str) -> Option<Happening> {
    let (workload, phase) = text.rsplit_once('.')?;
    let phase = match phase {
        "started" => Phase::Started,
        "ended" => Phase::Ended,
        _ => return None,
    };
    Some(Happening { workload: workload.to_owned(), phase })
}

fn parse(text: &str) -> Result<At, String> {
    let duration = |text: &str| text.trim().parse::<Duration>().map_err(|error| error.to_string());
    let (first, offset) = match text.split_once('+') {
        Some((first, offset)) => (first.trim(), Some(offset)),
        None => (text.trim(), None),
    };
    let later = || offset.map_or(Ok(Duration::ZERO), duration);
    if let Some(happening) = happening(first) {
        return Ok(At::Happening(happening, later()?));
    }
    if is_mark(first) {
        return Ok(At::Mark(first.to_owned(), later()?));
    }
    match offset {
        None => duration(first).map(At::Zero),
        Some(_) => Err(format!(
            "`{first}` cannot be a mark: write a time, as in `10s`, `MARK + 2s` or `WORKLOAD.started + 2s`"
        )),
    }
}

text_form!(At, "At", "a time, as in `10s`, `MARK + 2s` or `WORKLOAD.started + 2s`,", parse, {
    "type": "string",
    "pattern": r"^\s*([0-9.]+\s*[a-zµ]+|[A-Za-z0-9][A-Za-z0-9_-]*(\.(started|ended))?\s*(\+\s*[0-9.]+\s*[a-zµ]+)?)\s*$|^\$[A-Za-z_]",
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_stands_alone_or_after_a_mark_or_a_workload() {
        let mark = |name: &str, ms| Ok(At::Mark(name.into(), Duration::from_millis(ms)));
        assert_eq!(parse("10s"), Ok(At::Zero(Duration::from_secs(10))));
        assert_eq!(parse("1.5s"), Ok(At::Zero(Duration::from_millis(1500))));
        assert_eq!(parse("worse"), mark("worse", 0));
        assert_eq!(parse("worse+2s"), mark("worse", 2000));
        assert_eq!(parse(" worse-1  + 5ms "), mark("worse-1", 5));
        let after = |text: &str, ms| {
            let At::Happening(happening, offset) = parse(text).unwrap() else { panic!("{text}") };
            assert_eq!(offset, Duration::from_millis(ms), "{text}");
            happening.to_string()
        };
        assert_eq!(after("fetch.started + 2s", 2000), "fetch.started");
        assert_eq!(after("4g-1.ended", 0), "4g-1.ended");
        for (wrong, part) in [
            ("10", "no unit"),
            ("worse + 2", "no unit"),
            ("fetch.ended + 2", "no unit"),
            ("5s + 2s", "cannot be a mark"),
            ("fetch.begun + 1s", "cannot be a mark"),
            ("+ 2s", "mark"),
            ("", ""),
        ] {
            assert!(parse(wrong).unwrap_err().contains(part), "{wrong}: {:?}", parse(wrong));
        }
    }
}
