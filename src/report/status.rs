//! What runs are up, and what the links of one do now: as JSON, and as people read it.

use std::borrow::Cow;
use std::fmt::Write;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::json::Count;
use super::network::{causes, counted};
use super::requested::Requested;
use super::terminal::{grouped, time};
use crate::diag::printable::{BAD, FAINT, PLAIN, Page, Printable, TITLE, putln};

/// Version of the JSON forms of this file.
pub const FORM: u32 = 1;

/// A run that is up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunInfo {
    /// Its name, as `exec`, `set` and `status` take it.
    pub name: String,
    /// Its process.
    pub pid: u32,
    /// Who runs it.
    pub user: String,
    /// The longwire that runs it.
    pub version: String,
    /// The scenario's name.
    pub scenario: String,
    /// The scenario's file: an absolute path, where it is a file.
    pub file: String,
    /// Since when it is up: UTC, as in RFC 3339.
    pub since: String,
    /// How long it has been up, in ns.
    pub up_ns: u64,
    /// How long it is past t = 0, in ns; `None` while services start.
    pub elapsed_ns: Option<u64>,
    /// Its hosts, in file order.
    pub hosts: Vec<String>,
}

/// A line of `longwire ps`.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Listed {
    /// A run that answers.
    Run(RunInfo),
    /// One that does not: it is stopped, or of another version.
    Silent {
        /// Its name.
        name: String,
        /// Who runs it.
        user: String,
        /// Why there is no more to tell.
        error: String,
    },
}

/// The runs that are up.
#[derive(Clone, Debug, Serialize)]
pub struct List {
    /// Version of this form.
    pub longwire: u32,
    /// By name.
    pub runs: Vec<Listed>,
}

/// What the links of a run do now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// Version of this form.
    pub longwire: u32,
    /// Which run.
    pub run: RunInfo,
    /// Each direction of each link, in file order.
    pub directions: Vec<Direction>,
    /// Ports that are down since their interface is gone, as `host.interface`.
    #[serde(default)]
    pub ports_down: Vec<String>,
}

/// What one direction of a link does now, and what went through it so far, in wire frames.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Direction {
    /// The link's name.
    pub link: String,
    /// Where frames come from: a node, with the interface where it has several.
    pub from: String,
    /// Where they go.
    pub to: String,
    /// Whether the link is up.
    pub up: bool,
    /// Whether the spanning tree keeps the port at its near end from forwarding.
    pub blocked: bool,
    /// Its fields, in the form of the report's `requested`.
    pub now: Requested,
    /// The same in a few words.
    pub words: String,
    /// Frames that wait in its queue.
    pub waiting: u64,
    /// Frames inside: waiting, on the wire, on their way.
    pub inside: u64,
    /// What the near end sent into it.
    pub offered: Count,
    /// What arrived at the far end.
    pub delivered: Count,
    /// Frames of the direction's own: resets of TCP connections.
    pub originated: u64,
    /// Copies that a duplication model made.
    pub duplicated: u64,
    /// Frames whose bits were changed.
    pub corrupted: u64,
    /// Frames that the queue marked: congestion experienced.
    pub marked: u64,
    /// Delivered frames that a later one had overtaken.
    pub reordered: u64,
    /// Dropped frames by cause, those that happened.
    pub dropped: IndexMap<Cow<'static, str>, u64>,
}

/// Runs as a table.
pub fn list(runs: &[Listed]) -> Printable {
    let head = ["run", "pid", "user", "up", "hosts", "scenario"].map(str::to_owned).to_vec();
    let rows = runs.iter().map(|run| match run {
        Listed::Run(run) => vec![
            run.name.clone(),
            run.pid.to_string(),
            run.user.clone(),
            span(run.up_ns),
            some_of(&run.hosts),
            run.file.clone(),
        ],
        Listed::Silent { name, user, error } => {
            vec![name.clone(), "?".into(), user.clone(), "?".into(), "?".into(), error.clone()]
        }
    });
    let rows: Vec<Vec<String>> = [head].into_iter().chain(rows).collect();
    let mut out = Page::new();
    for (n, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
            let _ = write!(line, "{cell:width$}   ");
        }
        let line = line.trim_end();
        // writing into a page cannot fail
        let _ = if n == 0 { putln!(out, "{TITLE}{line}{TITLE:#}") } else { putln!(out, "{line}") };
    }
    out.finish()
}

/// The first hosts, and how many more there are.
fn some_of(hosts: &[String]) -> String {
    const SHOWN: usize = 4;
    let more = if hosts.len() > SHOWN { format!(" and {} more", hosts.len() - SHOWN) } else { String::new() };
    hosts.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ") + &more
}

/// `12 s`, `3 min 12 s`, `2 h 5 min`.
fn span(ns: u64) -> String {
    let s = ns / 1_000_000_000;
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        _ => format!("{} h {} min", s / 3600, s / 60 % 60),
    }
}

impl Status {
    /// As people read it.
    pub fn text(&self) -> Printable {
        let mut out = Page::new();
        let RunInfo { name, file, up_ns, elapsed_ns, .. } = &self.run;
        let at = elapsed_ns.map_or("services start".into(), |elapsed| format!("{} since t = 0", time(elapsed)));
        // writing into a page cannot fail
        let _ = putln!(out, "{TITLE}{name}{TITLE:#}  {FAINT}{file} · up {} · {at}{FAINT:#}", span(*up_ns));
        out.blank();
        let names: Vec<String> = self.directions.iter().map(|d| format!("{} {} → {}", d.link, d.from, d.to)).collect();
        let width = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
        let first = width(&mut names.iter().map(|name| name.chars().count()).chain([4]));
        let second = width(&mut self.directions.iter().map(|d| d.state().chars().count()).chain([3]));
        let _ = putln!(out, "{TITLE}{:first$}   {:second$} │ so far{TITLE:#}", "link", "now");
        for (name, direction) in names.iter().zip(&self.directions) {
            let style = if direction.up { PLAIN } else { BAD };
            let (state, so_far) = (direction.state(), direction.so_far());
            let _ = putln!(out, "{name:first$}   {style}{state:second$}{style:#} │ {so_far}");
        }
        for port in &self.ports_down {
            let _ = putln!(out, "{BAD}{port} is down: its interface is gone{BAD:#}");
        }
        out.finish()
    }
}

impl Direction {
    fn state(&self) -> String {
        let up = if self.up { "up" } else { "down" };
        let blocked = if self.blocked { ", blocked by the spanning tree" } else { "" };
        format!("{up}{blocked}, {}", self.words)
    }

    fn so_far(&self) -> String {
        let Direction { offered, delivered, .. } = self;
        let arrived = format!("{} of {} frames", grouped(delivered.frames), grouped(offered.frames));
        let others = counted([
            (self.originated, "originated"),
            (self.duplicated, "duplicated"),
            (self.corrupted, "corrupted"),
            (self.marked, "marked"),
            (self.reordered, "reordered"),
            (self.waiting, "waiting now"),
            (self.inside - self.waiting.min(self.inside), "on the way now"),
        ]);
        let all = [arrived].into_iter().chain(causes(&self.dropped, offered.frames)).chain(others);
        all.collect::<Vec<_>>().join(", ")
    }
}

/// A time of the Unix clock, in seconds, as RFC 3339 has it: `2026-11-27T05:40:00Z`. From 1970 on.
pub fn utc(unix_s: u64) -> String {
    let (days, of_day) = (unix_s / 86_400, unix_s % 86_400);
    // Days to a date: eras of 400 years that begin on 1 March (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::DirectionSpec;

    fn info(name: &str) -> RunInfo {
        RunInfo {
            name: name.into(),
            pid: 42,
            user: "ann".into(),
            version: "1".into(),
            scenario: "A network".into(),
            file: "/home/ann/net.yaml".into(),
            since: utc(0),
            up_ns: 192_000_000_000,
            elapsed_ns: Some(1_500_000_000),
            hosts: ["a", "b", "c", "d", "e", "f"].map(str::to_owned).to_vec(),
        }
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        // `date -u -d @N +%FT%TZ`
        for (unix_s, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(utc(unix_s), text);
        }
    }

    #[test]
    fn runs_are_listed_those_that_say_nothing_too() {
        let silent = Listed::Silent { name: "old-7".into(), user: "root".into(), error: "of longwire 0.0.1".into() };
        let text = list(&[Listed::Run(info("net-42")), silent]).plain();
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split("   ").map(str::trim).collect()).collect();
        let cells = |n: usize| lines[n].iter().filter(|cell| !cell.is_empty()).copied().collect::<Vec<_>>();
        assert_eq!(cells(0), ["run", "pid", "user", "up", "hosts", "scenario"]);
        assert_eq!(cells(1), ["net-42", "42", "ann", "3 min 12 s", "a, b, c, d and 2 more", "/home/ann/net.yaml"]);
        assert_eq!(cells(2), ["old-7", "?", "root", "?", "?", "of longwire 0.0.1"]);
    }

    #[test]
    fn a_direction_tells_its_state_and_its_counts() {
        let count = |frames| Count { frames, bytes: frames * 100 };
        let direction = Direction {
            link: "wifi".into(),
            from: "a".into(),
            to: "b".into(),
            up: false,
            blocked: false,
            now: DirectionSpec::default().into(),
            words: "20ms, 1Mbit".into(),
            waiting: 3,
            inside: 5,
            offered: count(1_200),
            delivered: count(1_000),
            originated: 0,
            duplicated: 0,
            corrupted: 0,
            marked: 0,
            reordered: 0,
            dropped: IndexMap::from([("loss".into(), 195)]),
        };
        let status = Status {
            longwire: FORM,
            run: info("net-42"),
            directions: vec![direction],
            ports_down: vec!["a.eth0".into()],
        };
        let text = status.text().plain();
        assert!(text.starts_with("net-42  /home/ann/net.yaml · up 3 min 12 s · 1.5 s since t = 0\n"), "{text}");
        let row = "wifi a → b   down, 20ms, 1Mbit │ 1,000 of 1,200 frames, loss 195 (16.25 %), waiting now 3, on the way now 2";
        let last: Vec<&str> = text.lines().rev().take(2).collect();
        assert_eq!(last, ["a.eth0 is down: its interface is gone", row]);
        // what goes over the socket comes back the same
        let json = serde_json::to_value(&status).unwrap();
        let read: Status = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), json);
    }
}
