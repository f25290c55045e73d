//! A comparison as people read it: what was compared, which plans differ, which measurements do, and how sure that is. No line
//! of its own is longer than 80 columns.

use super::{Comparison, Measurement, Method, Side, Values};
use crate::diag::printable::{BAD, DOUBT, FAINT, GOOD, Page, Printable, TITLE, in_lines, putln};
use crate::judge::words;
use crate::measured::Unit;
use crate::report::terminal::four_digits;

/// Columns of a line.
const WIDTH: usize = 80;
/// So many differences of plans, and so many measurements that differ, unless all are asked for.
const SHOWN: usize = 20;

/// The whole. `all`: every difference, and what does not differ too.
pub fn render(comparison: &Comparison, all: bool) -> Printable {
    let mut out = Page::new();
    // writing into a page cannot fail
    let _ = sides(&mut out, comparison).and_then(|()| plans(&mut out, comparison, all));
    let _ = measurements(&mut out, comparison, all).and_then(|()| verdict(&mut out, comparison));
    out.finish()
}

fn sides(out: &mut Page, comparison: &Comparison) -> std::fmt::Result {
    for (name, Side { scenario, files, seeds, verdicts }) in [("A", &comparison.a), ("B", &comparison.b)] {
        let runs = if files.len() == 1 { "1 run".to_owned() } else { format!("{} runs", files.len()) };
        let whose = format!("{runs} of {scenario}, {}", self::seeds(seeds));
        for (n, line) in in_lines(&whose, WIDTH - 3, "").iter().enumerate() {
            let name = if n == 0 { name } else { " " };
            putln!(out, "{TITLE}{name}{TITLE:#}  {line}")?;
        }
        let verdicts: Vec<String> = verdicts.iter().map(|(word, n)| format!("{n} {word}")).collect();
        let first = files.first().map(String::as_str).unwrap_or_default();
        let more = if files.len() > 1 { format!(" and {} more", files.len() - 1) } else { String::new() };
        putln!(out, "   {FAINT}{}: {first}{more}{FAINT:#}", verdicts.join(", "))?;
    }
    for note in &comparison.notes {
        for line in in_lines(note, WIDTH - 3, "") {
            putln!(out, "   {DOUBT}{line}{DOUBT:#}")?;
        }
    }
    out.blank();
    Ok(())
}

/// `seeds 1 to 5`.
fn seeds(seeds: &[u64]) -> String {
    let mut sorted = seeds.to_vec();
    sorted.sort_unstable();
    let in_a_row = sorted.windows(2).all(|two| two[0] + 1 == two[1]);
    let words: Vec<String> = sorted.iter().map(u64::to_string).collect();
    match &words[..] {
        [one] => format!("seed {one}"),
        [first, .., last] if in_a_row => format!("seeds {first} to {last}"),
        some => format!("seeds {}", some.join(", ")),
    }
}

fn plans(out: &mut Page, comparison: &Comparison, all: bool) -> std::fmt::Result {
    if comparison.plans.is_empty() {
        putln!(out, "{TITLE}The plans do not differ{TITLE:#}")?;
    } else {
        putln!(out, "{TITLE}The plans differ{TITLE:#}")?;
    }
    let shown = if all { usize::MAX } else { SHOWN };
    for plan in comparison.plans.iter().take(shown) {
        let word = |value: &Option<String>| value.clone().unwrap_or_else(|| "–".into());
        let line = format!("{}: {} → {}", plan.what, word(&plan.a), word(&plan.b));
        for (n, line) in in_lines(&line, WIDTH - 6, "").iter().enumerate() {
            putln!(out, "  {}{line}", if n == 0 { "" } else { "    " })?;
        }
    }
    left_out(out, comparison.plans.len().saturating_sub(shown))?;
    out.blank();
    Ok(())
}

fn left_out(out: &mut Page, n: usize) -> std::fmt::Result {
    if n > 0 { putln!(out, "  {FAINT}… and {n} more; --all lists them{FAINT:#}") } else { Ok(()) }
}

fn measurements(out: &mut Page, comparison: &Comparison, all: bool) -> std::fmt::Result {
    let differ: Vec<&Measurement> = comparison.measurements.iter().filter(|one| one.beyond_chance).collect();
    if !differ.is_empty() {
        putln!(out, "{TITLE}Measurements that differ beyond chance{TITLE:#}")?;
        let shown = if all { usize::MAX } else { SHOWN };
        differ.iter().take(shown).try_for_each(|one| measurement(out, one))?;
        left_out(out, differ.len().saturating_sub(shown))?;
        out.blank();
    }
    if all && differ.len() < comparison.measurements.len() {
        putln!(out, "{TITLE}Measurements that do not{TITLE:#}")?;
        comparison.measurements.iter().filter(|one| !one.beyond_chance).try_for_each(|one| measurement(out, one))?;
        out.blank();
    }
    Ok(())
}

/// Three lines: by how much, and each side.
fn measurement(out: &mut Page, one: &Measurement) -> std::fmt::Result {
    let by = one.difference.map(|by| change(by, one)).unwrap_or_default();
    let chance = match (&one.untested, one.p, one.interval) {
        (Some(why), ..) => why.clone(),
        (_, Some(p), _) => format!("p {}", words::value(p, Unit::Share)),
        (_, _, Some([low, high])) => format!("{} to {}", signed(low, one.of), signed(high, one.of)),
        _ => String::new(),
    };
    let style = if one.beyond_chance { BAD } else { FAINT };
    let gap = if by.is_empty() || chance.is_empty() { "" } else { "  " };
    let right = by.chars().count() + gap.len() + chance.chars().count();
    let name = one.name.chars().count();
    // a long name has a line of its own
    if 2 + name + 2 + right > WIDTH {
        putln!(out, "  {}", one.name)?;
        putln!(out, "{:>pad$}{style}{by}{style:#}{gap}{chance}", "", pad = WIDTH.saturating_sub(right))?;
    } else {
        let pad = WIDTH - 2 - name - right;
        putln!(out, "  {}{:>pad$}{style}{by}{style:#}{gap}{chance}", one.name, "")?;
    }
    for (side, values) in [("A", &one.a), ("B", &one.b)] {
        putln!(out, "    {FAINT}{side}  {}{FAINT:#}", spread(values, one.of))?;
    }
    Ok(())
}

/// `2.01 %   (1.8 % to 2.2 %)`.
fn spread(values: &Values, unit: Unit) -> String {
    let Some(mean) = values.mean else { return "none".into() };
    let range = values.range.map(|range| range.map(|value| words::value(value, unit)));
    let range = range.map(|[low, high]| format!("  ({low} to {high})")).unwrap_or_default();
    format!("{:>12}{range}", words::value(mean, unit))
}

/// `+2.01 points (+100 %)`.
fn change(by: f64, one: &Measurement) -> String {
    let before = one.a.mean.unwrap_or_default();
    let relative = (before != 0.0 && by != 0.0).then(|| by / before.abs() * 100.0);
    let relative = relative.map(|percent| format!(" ({}{} %)", sign(percent), four_digits(percent.abs())));
    format!("{}{}", signed(by, one.of), relative.unwrap_or_default())
}

fn sign(value: f64) -> &'static str {
    if value < 0.0 { "−" } else { "+" }
}

fn signed(value: f64, unit: Unit) -> String {
    let words = match unit {
        Unit::Share => format!("{} points", four_digits((value.abs() * 1e5).round() / 1e3)),
        unit => words::value(plain(value.abs()), unit),
    };
    format!("{}{words}", sign(value))
}

/// Without what binary fractions add to a difference of means.
fn plain(value: f64) -> f64 {
    format!("{value:.11e}").parse().unwrap_or(value)
}

fn verdict(out: &mut Page, comparison: &Comparison) -> std::fmt::Result {
    let found = comparison.measurements.iter().filter(|one| one.beyond_chance).count();
    let tested = comparison.measurements.iter().filter(|one| one.untested.is_none()).count();
    let level = words::value(comparison.level, Unit::Share);
    let style = match (&comparison.method, found) {
        (Method::TooFew { .. }, _) => DOUBT,
        (_, 0) => GOOD,
        _ => BAD,
    };
    let runs = [&comparison.a, &comparison.b].map(|side| side.files.len());
    let head = match &comparison.method {
        Method::TooFew { .. } => format!("{} and {} runs are too few to tell", runs[0], runs[1]),
        _ if tested == 0 => "Nothing that varies was measured on both sides".to_owned(),
        _ if found == 0 => format!("No difference beyond chance in {tested} measurements"),
        _ => format!("{found} of {tested} measurements differ beyond chance"),
    };
    putln!(out, "{style}{head}{style:#}")?;
    let how = match &comparison.method {
        Method::Permutation { splits, exact, .. } => format!(
            "{} permutation test, {splits} splits, adjusted for all measurements: p is the share of splits in which any of \
             them differs as remarkably. Equal plans differ in {level} of comparisons at most.",
            if *exact { "Exact" } else { "Random" }
        ),
        Method::WithinRuns => format!(
            "One run a side: intervals within the runs (Wilson for losses, block bootstrap for delays), all of them right \
             together in {} of cases, if losses are independent. They do not know what another seed would do: compare five \
             runs a side for that.",
            words::value(1.0 - comparison.level, Unit::Share)
        ),
        Method::TooFew { smallest } => format!(
            "The smallest p that they can come to is {}, and the level is {level}. Run more seeds (`longwire test --repeat 5`), \
             or give a --level.",
            words::value(*smallest, Unit::Share)
        ),
    };
    in_lines(&how, WIDTH, "").iter().try_for_each(|line| putln!(out, "{FAINT}{line}{FAINT:#}"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{group, rtt};
    use super::*;
    use crate::compare::{LEVEL, compare};

    #[test]
    fn differences_are_shown_without_the_dust_of_binary_fractions() {
        assert_eq!(plain(0.3 - 0.2).to_string(), "0.1");
        assert_eq!(plain(1e9 + 0.3 - 1e9).to_string(), "0.299999952316", "what is no dust stays");
        assert_eq!((plain(0.0), plain(-12.5)), (0.0, -12.5));
    }

    #[test]
    fn groups_are_shown_with_what_differs_and_by_how_much() {
        let a = group(&[1, 2, 3, 4, 5], |seed| rtt(seed, 40.0));
        let mut b = group(&[11, 12, 13, 14, 15], |seed| rtt(seed, 44.0));
        b.reports.iter_mut().for_each(|report| report.directions[0].parameters["delay"]["mean_ns"] = 22_000_000.into());
        let text = render(&compare(&a, &b, LEVEL).unwrap(), false).plain();
        insta::assert_snapshot!(text);
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        let all = render(&compare(&a, &a, LEVEL).unwrap(), true).plain();
        assert!(all.contains("The plans do not differ") && all.contains("No difference beyond chance"), "{all}");
        assert!(all.lines().all(|line| line.chars().count() <= WIDTH), "{all}");
    }

    #[test]
    fn one_run_a_side_is_labelled_as_such() {
        let (a, b) = (group(&[1], |seed| rtt(seed, 40.0)), group(&[1], |seed| rtt(seed, 44.0)));
        let text = render(&compare(&a, &b, LEVEL).unwrap(), false).plain();
        insta::assert_snapshot!(text);
    }

    #[test]
    fn too_few_runs_are_said_to_be_too_few() {
        let (a, b) = (group(&[1, 2, 3], |seed| rtt(seed, 40.0)), group(&[4, 5, 6], |seed| rtt(seed, 44.0)));
        let comparison = compare(&a, &b, LEVEL).unwrap();
        assert!(matches!(comparison.method, Method::TooFew { .. }) && !comparison.differs);
        let text = render(&comparison, false).plain();
        assert!(text.contains("3 and 3 runs are too few to tell") && text.contains("is 10 %"), "{text}");
    }
}
