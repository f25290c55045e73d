//! What frames meet, as people read it on a terminal of 100 columns. Styled with ANSI codes, which whoever prints it strips
//! where they do not belong; nothing is said by colour alone.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use super::{Histogram, Lost, Name, RateOverTime, Show, Shown, Traffic};
use crate::diag::printable::printable;
use crate::measured::{Part, Times};
use crate::report::asked::requested;
use crate::report::bars;
use crate::report::network::causes;
use crate::report::terminal::{four_digits, grouped, rate, share, time};

pub(crate) const TITLE: Style = Style::new().bold();
pub(crate) const FAINT: Style = Style::new().dimmed();
const DRAWN: Style = AnsiColor::Cyan.on_default();
const MET: Style = AnsiColor::Blue.on_default();
const LOST: Style = AnsiColor::Red.on_default();

/// Columns of a terminal that are used at the most.
const WIDTH: usize = 100;
/// What a line is about stands in so many columns.
const LABEL: usize = 13;
/// Lines of a histogram at the most.
const ROWS: usize = 20;
/// Lines of the rate over time.
const HEIGHT: usize = 4;
/// Names of other directions that are listed.
const NAMED: usize = 6;

/// All of it.
pub fn render(show: &Show) -> String {
    let mut out = String::new();
    // writing into a String cannot fail
    let _ = write_show(&mut out, show);
    out
}

fn write_show(out: &mut String, show: &Show) -> std::fmt::Result {
    let params: String = show.params.iter().map(|(name, value)| format!(" · {name}={}", printable(value))).collect();
    let title = printable(&show.scenario);
    writeln!(out, "{TITLE}{title}{TITLE:#}  {FAINT}seed {} · in virtual time{params}{FAINT:#}", show.seed)?;
    for shown in &show.directions {
        write_direction(out, shown)?;
    }
    if show.directions.is_empty() {
        writeln!(out, "\nIt has no links.")?;
    }
    if !show.left_out.is_empty() {
        let (count, first) = (show.left_out.len(), &show.left_out[0].link);
        writeln!(out)?;
        wrapped(
            out,
            "left out",
            &format!(
                "{} more directions ask for something else again: `--link {first}` shows a link",
                grouped(count as u64)
            ),
            " ",
        )?;
    }
    Ok(())
}

fn write_direction(out: &mut String, shown: &Shown) -> std::fmt::Result {
    let (met, own) = (&shown.met, Name::of(shown));
    let back = |name: &Name| name.link == own.link && name.from == own.to && name.to == own.from;
    let both = if shown.alike.iter().any(back) { format!("  {FAINT}both ways alike{FAINT:#}") } else { String::new() };
    writeln!(out, "\n{TITLE}{} {} → {}{TITLE:#}{both}", met.link, met.from, met.to)?;
    wrapped(out, "asked", &requested(&met.requested), ", ")?;
    let others = others(shown.alike.iter().filter(|name| !back(name)));
    if !others.is_empty() {
        wrapped(out, "the same", &others, ", ")?;
    }
    wrapped(out, "offered", &offered(&shown.traffic), ", ")?;
    wrapped(out, "arrived", &arrived(shown), ", ")?;
    write_delay(out, shown)?;
    write_lost(out, &shown.lost)?;
    write_rate(out, &shown.rate, &shown.traffic)
}

impl Name {
    fn of(shown: &Shown) -> Name {
        let [link, from, to] = [&shown.met.link, &shown.met.from, &shown.met.to].map(Clone::clone);
        Name { link, from, to }
    }
}

/// `wan both ways, lan → b, 12 more`.
fn others<'a>(names: impl Iterator<Item = &'a Name>) -> String {
    let mut links: Vec<(&Name, usize)> = Vec::new();
    for name in names {
        match links.last_mut() {
            Some((last, ways)) if last.link == name.link => *ways += 1,
            _ => links.push((name, 1)),
        }
    }
    let word = |(name, ways): &(&Name, usize)| match ways {
        1 => format!("{} → {}", name.link, name.to),
        _ => format!("{} both ways", name.link),
    };
    let mut words: Vec<String> = links.iter().take(NAMED).map(word).collect();
    let more: usize = links.iter().skip(NAMED).map(|(_, ways)| ways).sum();
    if more > 0 {
        words.push(format!("{} more directions", grouped(more as u64)));
    }
    words.join(", ")
}

fn offered(traffic: &Traffic) -> String {
    let Traffic { frames, frame_bytes, every_ns, span_ns, offered_bps, wire_bps } = *traffic;
    let load =
        wire_bps.map_or_else(String::new, |wire| format!(", {} of what the wire carries", share(offered_bps, wire)));
    format!(
        "{} frames of {} bytes, one every {}, {}{load}, for {}",
        grouped(frames),
        grouped(frame_bytes),
        time(every_ns),
        rate(offered_bps),
        time(span_ns)
    )
}

/// How many arrived, and what else happened to them. Whatever a direction counts is told, by its name in the report; times are not
/// counted.
fn arrived(shown: &Shown) -> String {
    let met = &shown.met;
    let offered = met.offered.frames;
    let mut words = vec![format!("{} frames", grouped(met.delivered.frames))];
    words.extend(causes(&met.dropped, offered));
    if let Ok(Value::Object(fields)) = serde_json::to_value(met) {
        let counted = fields.iter().filter(|(name, _)| !name.ends_with("_ns"));
        for (name, n) in counted.filter_map(|(name, value)| Some((name, value.as_u64().filter(|n| *n > 0)?))) {
            let name = match name.as_str() {
                "clamped" => "negative delays made zero",
                "inside" => "still inside",
                other => other,
            };
            words.push(format!("{name} {} ({})", grouped(n), share(n, offered)));
        }
    }
    words.join(", ")
}

fn write_delay(out: &mut String, shown: &Shown) -> std::fmt::Result {
    let (drawn, met) = (shown.drawn_ns.as_ref(), shown.met.delay_ns.as_ref());
    if let Some(histogram) = &shown.delay_histogram {
        let columns = ["min", "p50", "p90", "p99", "p99.9", "max", "mean"];
        writeln!(out, "{}", label("delay") + &columns.map(|name| format!("{name:>11}")).concat())?;
        // they are the same, frame by frame, where nothing waits and order is free or no frame would overtake
        let same = drawn == met && histogram.drawn == histogram.delivered;
        if same {
            writeln!(out, "{}", parts("", drawn))?;
            return write_histogram(out, histogram, true);
        }
        writeln!(out, "{}", parts("as drawn", drawn))?;
        writeln!(out, "{}", parts("as delivered", met))?;
        return write_histogram(out, histogram, false);
    }
    let words = match (drawn, met) {
        (Some(drawn), Some(met)) if drawn.min() != met.min() => {
            format!("{} as drawn, {} as delivered, for each frame", time(drawn.min()), time(met.min()))
        }
        (_, Some(met)) => format!("{} for each frame", time(met.min())),
        (Some(drawn), None) => format!("{} as drawn for each frame, but none arrives", time(drawn.min())),
        (None, None) => "none arrives".to_owned(),
    };
    writeln!(out, "{}{words}", label("delay"))
}

/// The columns of a table of delays.
const PARTS: [Part; 7] = [Part::Min, Part::P50, Part::P90, Part::P99, Part::P999, Part::Max, Part::Mean];

fn parts(name: &str, of: Option<&Times>) -> String {
    let Some(times) = of else { return label(name) + "none arrives" };
    label(name) + &PARTS.map(|part| format!("{:>11}", time(times.get(part).unwrap_or(0)))).concat()
}

/// One or two bars a line, each as long as its share of the frames.
fn write_histogram(out: &mut String, histogram: &Histogram, same: bool) -> std::fmt::Result {
    let at_once = histogram.drawn.bins.len().div_ceil(ROWS).max(1);
    let rows = |bins: &[u64]| bins.chunks(at_once).map(|bins| bins.iter().sum()).collect::<Vec<u64>>();
    let (drawn, met) = (rows(&histogram.drawn.bins), rows(&histogram.delivered.bins));
    let width = histogram.width_ns * at_once as u64;
    let edges: Vec<String> = edges(histogram.from_ns, width, drawn.len() + 1);
    let bar = if same { 56 } else { 24 };
    let most = drawn.iter().chain(&met).copied().max().unwrap_or(0);
    let (all_drawn, all_met) = (histogram.drawn.total(), histogram.delivered.total());
    let one = |style: Style, n: u64, all: u64| {
        format!("{style}{}{style:#} {:>8}", bars::horizontal(n, most, bar), percent(n, all))
    };
    let line = |name: &str, a: u64, b: u64| {
        let second = if same { String::new() } else { format!("   {}", one(MET, b, all_met)) };
        format!("{name:>26}  {}{second}", one(DRAWN, a, all_drawn)).trim_end().to_owned()
    };
    if !same {
        writeln!(out, "{:>26}  {:bar$} {:>8}   as delivered", "", "as drawn", "")?;
    }
    if histogram.drawn.below + histogram.delivered.below > 0 {
        writeln!(out, "{}", line("shorter", histogram.drawn.below, histogram.delivered.below))?;
    }
    let mut n = 0;
    while n < drawn.len() {
        let empty = (n..drawn.len()).take_while(|n| drawn[*n] + met[*n] == 0).count();
        if empty >= 3 {
            writeln!(out, "{:>26}", "…")?;
            n += empty;
        } else {
            writeln!(out, "{}", line(&format!("{} … {}", edges[n], edges[n + 1]), drawn[n], met[n]))?;
            n += 1;
        }
    }
    if histogram.drawn.above + histogram.delivered.above > 0 {
        writeln!(out, "{}", line("longer", histogram.drawn.above, histogram.delivered.above))?;
    }
    Ok(())
}

/// A share in a column of shares; nothing for none.
fn percent(part: u64, whole: u64) -> String {
    match part as f64 / whole.max(1) as f64 * 100.0 {
        _ if part == 0 => String::new(),
        share if share < 0.005 => "<0.01 %".into(),
        share => format!("{share:.2} %"),
    }
}

/// The edges of bins, in one unit and with as many digits as their width needs.
fn edges(from: u64, width: u64, count: usize) -> Vec<String> {
    let last = from.saturating_add(width.saturating_mul(count as u64 - 1));
    let (unit, name) = unit(last);
    let decimals = (0..9).find(|d| (width * 10u64.pow(*d)).is_multiple_of(unit)).unwrap_or(9) as usize;
    (0..count as u64)
        .map(|n| format!("{:.decimals$} {name}", from.saturating_add(width.saturating_mul(n)) as f64 / unit as f64))
        .collect()
}

/// The largest unit of which `ns` is at least one.
pub(super) fn unit(ns: u64) -> (u64, &'static str) {
    match ns {
        0..1_000 => (1, "ns"),
        1_000..1_000_000 => (1_000, "µs"),
        1_000_000..1_000_000_000 => (1_000_000, "ms"),
        _ => (1_000_000_000, "s"),
    }
}

fn write_lost(out: &mut String, lost: &Lost) -> std::fmt::Result {
    let Lost { asked, share, bounds: [low, high], .. } = lost;
    let digits = |share: f64| four_digits(share * 100.0);
    if asked.is_none_or(|asked| asked > 0.0) || *share > 0.0 {
        let asked = asked.map(|asked| format!(", {} % in the long run", digits(asked))).unwrap_or_default();
        let met = format!("{} % of the frames (95 %: {} … {} %){asked}", digits(*share), digits(*low), digits(*high));
        wrapped(out, "loss", &met, ", ")?;
    }
    let groups = lost.grouped_runs();
    let Some(mean) = lost.mean_run() else { return Ok(()) };
    writeln!(
        out,
        "{}{} frames in {} runs, {} frames each in the mean",
        label("lost in a row"),
        grouped(lost.frames()),
        grouped(groups.iter().map(|group| group.count).sum()),
        four_digits(mean)
    )?;
    let most = groups.iter().map(|group| group.count).max().unwrap_or(0);
    for group in groups {
        let name = match group.lengths {
            [from, to] if from == to => grouped(from),
            [from, to] => format!("{} … {}", grouped(from), grouped(to)),
        };
        let bar = bars::horizontal(group.count, most, 56);
        writeln!(out, "{name:>26}  {LOST}{bar}{LOST:#} {:>8}", grouped(group.count))?;
    }
    Ok(())
}

fn write_rate(out: &mut String, over_time: &RateOverTime, traffic: &Traffic) -> std::fmt::Result {
    let RateOverTime { greedy, slice_ns, bps, mean_bps } = over_time;
    let whom = if *greedy { "while frames always wait for the wire" } else { "of the frames offered" };
    let mut words = format!("{} {whom}", rate(*mean_bps));
    if let (true, Some(wire)) = (greedy, traffic.wire_bps) {
        let _ = write!(words, ", {} of {}", share(*mean_bps, wire), rate(wire));
    }
    let _ = write!(words, ", {} a column", time(*slice_ns));
    wrapped(out, "rate", &words, ", ")?;
    let most = bps.iter().copied().max().unwrap_or(0);
    for (n, line) in bars::vertical(bps, most, HEIGHT).iter().enumerate() {
        let edge = match n {
            0 => rate(most),
            n if n + 1 == HEIGHT => "0".to_owned(),
            _ => String::new(),
        };
        writeln!(out, "{edge:>0$} {MET}{line}{MET:#}", LABEL + 2)?;
    }
    let end = time(slice_ns * bps.len() as u64);
    let dashes = "─".repeat(bps.len().saturating_sub(end.chars().count() + 3).max(1));
    writeln!(out, "{} 0 {FAINT}{dashes}{FAINT:#} {end}", " ".repeat(LABEL + 2))
}

fn label(name: &str) -> String {
    format!("  {name:LABEL$}  ")
}

/// A label, and words that go on below themselves where a line is full.
fn wrapped(out: &mut String, name: &str, words: &str, between: &str) -> std::fmt::Result {
    let room = WIDTH - label("").chars().count();
    let mut line = String::new();
    let mut name = name;
    for word in words.split_inclusive(between) {
        if !line.is_empty() && (line.clone() + word).trim_end().chars().count() > room {
            writeln!(out, "{}{}", label(name), line.trim_end())?;
            (name, line) = ("", String::new());
        }
        line.push_str(word);
    }
    writeln!(out, "{}{}", label(name), line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_have_one_unit_and_the_digits_of_their_width() {
        assert_eq!(edges(15_000_000, 500_000, 3), ["15.0 ms", "15.5 ms", "16.0 ms"]);
        assert_eq!(edges(0, 2_000_000_000, 2), ["0 s", "2 s"]);
        assert_eq!(edges(999, 1, 2), ["0.999 µs", "1.000 µs"]);
    }

    #[test]
    fn other_directions_are_named_up_to_a_few() {
        let name = |link: &str, to: &str| Name { link: link.into(), from: "x".into(), to: to.into() };
        let few = [name("l", "a"), name("l", "b"), name("m", "c")];
        assert_eq!(others(few.iter()), "l both ways, m → c");
        let many: Vec<Name> =
            (0..10).flat_map(|n| [name(&format!("l{n}"), "a"), name(&format!("l{n}"), "b")]).collect();
        assert!(others(many.iter()).ends_with("l5 both ways, 8 more directions"));
    }

    #[test]
    fn long_words_go_on_below() {
        let mut out = String::new();
        wrapped(&mut out, "asked", &["0123456789"; 10].join(", "), ", ").unwrap();
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[1].starts_with("                 0123456789, 0123456789"), "{out}");
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH));
    }
}
