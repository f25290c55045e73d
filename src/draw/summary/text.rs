//! The summary on a terminal: a few lines for a small scenario, and not many for a large one.

use std::fmt::Write as _;

use super::{Link, OneWay, Summary, Work};
use crate::diag::printable::{in_lines, printable};
use crate::draw::show::text::{FAINT, TITLE};
use crate::topology::compact::compact;
use crate::topology::expand::Groups;
use crate::units::{Duration, Rate};

/// What a line is about stands in so many columns.
const LABEL: usize = 11;
/// Longer names take the columns of what stands behind them.
const NAME: usize = 16;
/// Entries of a section at the most.
const MOST: usize = 12;

/// The summary for a terminal of so many columns, with its groups as one line each. Styled with ANSI codes, which whoever prints
/// it strips where they do not belong.
pub fn render(summary: &Summary, groups: &Groups, width: usize) -> String {
    let mut out = Text { out: String::new(), width: width.max(40) };
    let params: String = summary.params.iter().map(|(name, value)| format!(" · {name}={}", printable(value))).collect();
    let (title, file) = (printable(&summary.scenario), printable(&summary.file));
    let duration = summary.duration_ns.map(|ns| format!(" · {}", Duration::from_nanos(ns))).unwrap_or_default();
    let _ =
        writeln!(out.out, "{TITLE}{title}{TITLE:#}  {FAINT}{file} · seed {}{duration}{params}{FAINT:#}", summary.seed);
    if summary.combinations > 1 {
        out.list(
            "matrix",
            &[(String::new(), format!("{} runs by `longwire test`; below is the first", summary.combinations))],
        );
    }
    out.list("hosts", &short(hosts(summary), groups));
    out.list("inside", &inside(summary));
    out.list("links", &short(summary.links.iter().map(link), groups));
    out.list("services", &short(summary.services.iter().map(|(name, what)| (name.as_str(), what.clone())), groups));
    out.list("workloads", &short(summary.workloads.iter().map(|work| (work.name.as_str(), self::work(work))), groups));
    out.list(
        "timeline",
        &summary.timeline.iter().map(|one| (one.when.clone(), one.what.join(", "))).collect::<Vec<_>>(),
    );
    out.list("expects", &summary.expectations.iter().map(|text| (String::new(), text.clone())).collect::<Vec<_>>());
    out.whole("defaults", &summary.chosen);
    out.whole("paste", &summary.paste);
    out.out
}

struct Text {
    out: String,
    width: usize,
}

impl Text {
    /// A section of which the first entries are shown, each with its name.
    fn list(&mut self, label: &str, entries: &[(String, String)]) {
        let shown = if entries.len() > MOST { MOST - 1 } else { entries.len() };
        let names = entries[..shown].iter().map(|(name, _)| name.chars().count());
        let column = names.filter(|width| *width <= NAME).max().unwrap_or(0);
        let mut label = label;
        for (name, entry) in &entries[..shown] {
            let named = if name.is_empty() { entry.clone() } else { format!("{name:column$}  {entry}") };
            self.entry(label, &named, self.width);
            label = "";
        }
        if shown < entries.len() {
            self.entry("", &format!("… and {} more: `--plan` lists all", entries.len() - shown), self.width);
        }
    }

    /// A section of which every entry stands on one line, however long: lines that are to be copied, and what nobody asked for.
    fn whole(&mut self, label: &str, entries: &[String]) {
        for (n, entry) in entries.iter().enumerate() {
            self.entry(if n == 0 { label } else { "" }, entry, usize::MAX);
        }
    }

    fn entry(&mut self, label: &str, entry: &str, width: usize) {
        let room = width.saturating_sub(LABEL).max(20);
        let lines = in_lines(&printable(entry), room, "    ");
        for (n, line) in lines.iter().enumerate() {
            let label = if n == 0 { label } else { "" };
            let _ = writeln!(self.out, "{FAINT}{label:LABEL$}{FAINT:#}{line}");
        }
    }
}

/// Entries with their names, those of a group that differ in nothing but names and addresses as one.
fn short<'a>(entries: impl IntoIterator<Item = (&'a str, String)>, groups: &Groups) -> Vec<(String, String)> {
    let lines = entries.into_iter().map(|(name, text)| (format!("  {name}: {text}"), String::new())).collect();
    let lines = compact(lines, groups).into_iter();
    let parts = |line: String| {
        line.trim_start().split_once(':').map(|(name, text)| (name.to_owned(), text.trim_start().to_owned()))
    };
    lines.filter_map(|(line, _)| parts(line)).collect()
}

fn hosts(summary: &Summary) -> impl Iterator<Item = (&str, String)> {
    summary.hosts.iter().map(|host| {
        let interfaces = host.interfaces.iter().map(|interface| {
            let name = if host.interfaces.len() > 1 { format!("{} ", interface.name) } else { String::new() };
            let addresses: Vec<&str> =
                interface.addresses.iter().map(|net| net.split_once('/').map_or(net.as_str(), |(at, _)| at)).collect();
            let addresses = if addresses.is_empty() { "no address".to_owned() } else { addresses.join(", ") };
            format!("{name}{addresses}")
        });
        let interfaces: Vec<String> = interfaces.collect();
        let kind = if host.kind == "host" { String::new() } else { format!(" ({})", host.kind) };
        let interfaces = if interfaces.is_empty() { "no link".to_owned() } else { interfaces.join("; ") };
        (host.name.as_str(), interfaces + &kind)
    })
}

/// Nodes inside of the network by kind: their names where they are few.
fn inside(summary: &Summary) -> Vec<(String, String)> {
    let kinds = [("router", "routers"), ("switch", "switches"), ("hub", "hubs"), ("region", "regions")];
    let words = kinds.iter().filter_map(|(kind, plural)| {
        let names: Vec<&str> =
            summary.nodes.iter().filter(|node| node.kind == *kind).map(|node| node.name.as_str()).collect();
        match names.len() {
            0 => None,
            1 => Some(format!("{kind} {}", names[0])),
            2..=6 => Some(format!("{plural} {}", names.join(", "))),
            n => Some(format!("{n} {plural} ({} … {})", names[0], names[n - 1])),
        }
    });
    let words: Vec<String> = words.collect();
    if words.is_empty() { Vec::new() } else { vec![(String::new(), words.join("; "))] }
}

fn link(link: &Link) -> (&str, String) {
    let [there, back] = &link.asked;
    let both: Vec<&str> = there.iter().filter(|words| back.contains(words)).map(String::as_str).collect();
    let mut asked = vec![both.join(", ")];
    for (toward, one, other) in [(&link.ends[1], there, back), (&link.ends[0], back, there)] {
        let own: Vec<&str> = one.iter().filter(|words| !other.contains(words)).map(String::as_str).collect();
        asked.extend((!own.is_empty()).then(|| format!("toward {toward} {}", own.join(", "))));
    }
    asked.retain(|words| !words.is_empty());
    let asked = if asked.is_empty() { String::new() } else { format!(": {}", asked.join("; ")) };
    (link.name.as_str(), format!("{} – {}{asked}", link.ends[0], link.ends[1]))
}

fn work(work: &Work) -> String {
    let mut words = work.what.clone();
    if let Some(route) = &work.route {
        let _ = write!(words, "; by {}", one_way(&route.there));
        let backward = route.back.links.iter().rev();
        let mirrored = backward.eq(&route.there.links) && route.back.delay_ns == route.there.delay_ns;
        let rates = [&route.there, &route.back].map(|way| way.bottleneck.as_ref().map(|at| at.rate_bps));
        if !mirrored || rates[0] != rates[1] {
            let same = route.back.links.iter().rev().eq(&route.there.links);
            let back = if same { figures(&route.back) } else { format!("by {}", one_way(&route.back)) };
            let _ = write!(words, "; back {back}");
        }
        if !route.nat.is_empty() {
            let _ = write!(words, "; through the NAT of {}", route.nat.join(", "));
        }
    }
    if let Some(router) = &work.around_nat {
        let _ = write!(words, "; over IPv6, around the NAT of {router}");
    }
    let start = work.start.trim_start_matches("at 0ms").trim_start_matches(", ");
    if !start.is_empty() {
        let _ = write!(words, "; {start}");
    }
    words
}

fn one_way(way: &OneWay) -> String {
    format!("{}: {}", way.links.join(", "), figures(way))
}

/// The delays of all links, and the slowest.
fn figures(way: &OneWay) -> String {
    let delay = Duration::from_nanos(way.delay_ns);
    match way.bottleneck.as_ref().and_then(|at| Some((at, Rate::from_bps(at.rate_bps)?))) {
        Some((at, rate)) if way.links.len() > 1 => format!("{delay}, {rate} at {}", at.link),
        Some((_, rate)) => format!("{delay}, {rate}"),
        None => delay.to_string(),
    }
}
