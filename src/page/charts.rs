//! Each link over time: throughput, delay, queue and drops of both directions below each other, on the time axis of the
//! timeline, with what was changed marked.

use super::axis::{Axis, WIDTH, text};
use super::markup::Markup;
use super::plot::{self, ABOVE, Panel};
use super::thin::{Point, thin};
use crate::report::json::Report;
use crate::report::phase_table::changed_links;
use crate::report::series::{DirectionSeries, Series};
use crate::report::terminal::{grouped, rate, time};

/// Links that are drawn in full view.
const OPEN: usize = 6;
/// Links that are drawn at all: each takes some ten kilobytes.
const DRAWN: usize = 30;
/// Up to so many intervals each is a step; more are thinned.
const STEPS: usize = 240;
/// Points of a line that was thinned.
const POINTS: usize = 480;
/// Room above the panels for the numbers of marks.
const HEAD: u32 = 20;
/// Room below the panels for the axis.
const FOOT: u32 = 24;

/// A link and its directions in which anything happened.
struct Link<'a> {
    name: &'a str,
    ways: Vec<&'a DirectionSeries>,
    bytes: u64,
}

/// The section; nothing where there is nothing to draw.
pub(super) fn write(out: &mut Markup, report: &Report, axis: &Axis) {
    let Some(series) = report.series.as_ref().filter(|series| !series.is_empty() && !series.directions.is_empty())
    else {
        return;
    };
    let links = links(series, report);
    let mut told = format!("Every {} of model time.", time(series.every_ns));
    if series.every_ns > series.asked_ns {
        told += &format!(" The scenario asked for {}; the run was too long for that.", time(series.asked_ns));
    }
    if links.len() > 1 {
        told += " Links that were changed come first, then those that carried most.";
    }
    if !axis.marks.is_empty() {
        told += " Numbered lines are the changes that are listed above.";
    }
    out.leaf("p", &[("class", "note")], &told);
    for link in links.iter().take(OPEN) {
        out.element("section", &[("class", "link")], |out| {
            out.leaf("h3", &[], link.name);
            figure(out, link, series, axis);
        });
    }
    for link in links.iter().take(DRAWN).skip(OPEN) {
        out.element("details", &[("class", "link")], |out| {
            out.element("summary", &[], |out| {
                out.leaf("span", &[("class", "name")], link.name);
                out.text(&format!(" {} bytes", grouped(link.bytes)));
            });
            figure(out, link, series, axis);
        });
    }
    if let Some(left) = links.len().checked_sub(DRAWN).filter(|left| *left > 0) {
        let words = format!(
            "{} more links carried less; the table above has them, and the series of the JSON report has their course.",
            grouped(left as u64)
        );
        out.leaf("p", &[("class", "note")], &words);
    }
}

/// Those that were changed first, then the busiest; equals in file order.
fn links<'a>(series: &'a Series, report: &Report) -> Vec<Link<'a>> {
    let mut links: Vec<Link<'_>> = Vec::new();
    for way in &series.directions {
        let bytes = way.delivered_bytes.iter().sum::<u64>();
        match links.last_mut().filter(|link| link.name == way.link) {
            Some(link) => {
                link.ways.push(way);
                link.bytes += bytes;
            }
            None => links.push(Link { name: &way.link, ways: vec![way], bytes }),
        }
    }
    let changed = changed_links(report);
    links.sort_by_key(|link| (!changed.contains(link.name), std::cmp::Reverse(link.bytes)));
    links
}

fn figure(out: &mut Markup, link: &Link<'_>, series: &Series, axis: &Axis) {
    let (panels, absent) = panels(link, series);
    out.element("figure", &[], |out| {
        out.element("figcaption", &[], |out| {
            for (n, way) in link.ways.iter().enumerate().take(2) {
                out.element("span", &[("class", "key")], |out| {
                    out.leaf("span", &[("class", if n == 0 { "swatch one" } else { "swatch two" })], "");
                    out.text(&format!("{} → {}", way.from, way.to));
                    out.leaf("small", &[], &format!(" {}", carried(way, series)));
                });
            }
        });
        match plot::panels(&panels, axis.end()) {
            Ok(drawn) => picture(out, link, &panels, &drawn, axis),
            Err(error) => out.leaf("p", &[("class", "note")], &format!("It cannot be drawn: {error}")),
        }
        if !absent.is_empty() {
            out.leaf("p", &[("class", "note")], &absent);
        }
    });
}

fn picture(out: &mut Markup, link: &Link<'_>, panels: &[Panel], drawn: &str, axis: &Axis) {
    let view = format!("0 0 {WIDTH} {}", height(panels, axis));
    let names: Vec<&str> = panels.iter().map(|panel| panel.title.as_str()).collect();
    let label = format!("Link {} over time: {}", link.name, names.join("; "));
    let attributes = [("class", "chart"), ("viewBox", view.as_str()), ("role", "img"), ("aria-label", label.as_str())];
    let attributes = [&attributes[..], &[("xmlns", "http://www.w3.org/2000/svg")]].concat();
    out.element("svg", &attributes, |out| inside(out, panels, drawn, axis));
}

/// The numbers of marks have a row of their own above the first title.
fn head(axis: &Axis) -> u32 {
    if axis.marks.is_empty() { 0 } else { HEAD }
}

/// What a picture with these panels takes.
pub(super) fn height(panels: &[Panel], axis: &Axis) -> u32 {
    head(axis) + panels.iter().map(Panel::outer_height).sum::<u32>() + FOOT
}

/// The inside of a picture: panels that were drawn, on the axis.
pub(super) fn inside(out: &mut Markup, panels: &[Panel], drawn: &str, axis: &Axis) {
    let (head, bottom) = (head(axis), height(panels, axis) - FOOT);
    axis.draw(out, head + ABOVE, bottom);
    axis.draw_marks(out, head, bottom);
    let down = format!("translate(0 {head})");
    out.element("g", &[("transform", down.as_str())], |out| out.own(drawn));
    let mut top = head;
    for panel in panels {
        out.leaf("text", &[("class", "panel"), ("x", "2"), ("y", &text(top + 15))], &panel.title);
        top += panel.outer_height();
    }
}

/// The panels of some directions of a link.
pub(super) fn of_ways(name: &str, ways: &[DirectionSeries], series: &Series) -> Vec<Panel> {
    panels(&Link { name, ways: ways.iter().collect(), bytes: 0 }, series).0
}

/// `peak 20Mbit/s, 35 dropped`.
fn carried(way: &DirectionSeries, series: &Series) -> String {
    let peak = rates(way, series).into_iter().fold(0.0, f64::max);
    let dropped: u64 = way.dropped.iter().map(|n| u64::from(*n)).sum();
    let mut words = format!("peak {}", rate(peak as u64));
    if dropped > 0 {
        words += &format!(", {} dropped", grouped(dropped));
    }
    words
}

/// In bit/s, by interval. The last one may be shorter and still counts over a whole one: a few frames in a microsecond are
/// no rate.
fn rates(way: &DirectionSeries, series: &Series) -> Vec<f64> {
    way.delivered_bytes.iter().map(|bytes| *bytes as f64 * 8e9 / series.every_ns.max(1) as f64).collect()
}

/// What there is to draw, and what there is nothing of, in words.
fn panels(link: &Link<'_>, series: &Series) -> (Vec<Panel>, String) {
    let of = |values: &dyn Fn(&DirectionSeries) -> Vec<Option<f64>>| -> [Vec<Option<f64>>; 2] {
        [0, 1].map(|n| link.ways.get(n).map_or_else(Vec::new, |way| values(way)))
    };
    let throughput = of(&|way| rates(way, series).into_iter().map(Some).collect());
    let delay = of(&|way| {
        let arrived = |n: usize| way.delivered_frames.get(n).is_some_and(|frames| *frames > 0);
        let means = way.delay_mean_ns.iter().enumerate();
        means.map(|(n, mean)| arrived(n).then_some(*mean as f64)).collect()
    });
    let waiting = of(&|way| way.waiting.iter().map(|n| Some(f64::from(*n))).collect());
    let dropped = of(&|way| way.dropped.iter().map(|n| Some(f64::from(*n))).collect());
    let (bits, per) = rate_unit(peak(&throughput));
    let (ns, unit) = time_unit(peak(&delay));
    let each = time(series.every_ns);
    let mut absent = Vec::new();
    let mut panels = Vec::new();
    for (title, height, scale, values, nothing) in [
        (format!("Throughput in {per}"), 130, bits, throughput, "nothing was delivered"),
        (format!("Mean delay in {unit}"), 110, ns, delay, "no frame took any time"),
        ("Queue in frames".to_owned(), 76, 1.0, waiting, "no frame was seen waiting in a queue"),
        (format!("Dropped frames in {each}"), 76, 1.0, dropped, "nothing was dropped"),
    ] {
        if peak(&values) == 0.0 {
            absent.push(nothing);
            continue;
        }
        panels.push(Panel {
            title,
            height,
            lines: values.map(|values| line(&values, scale, series)),
            at_least: 0.0,
            below: 0,
        });
    }
    let absent = if absent.is_empty() { String::new() } else { format!("Not drawn: {}.", absent.join("; ")) };
    (panels, absent)
}

fn peak(values: &[Vec<Option<f64>>; 2]) -> f64 {
    values.iter().flatten().flatten().copied().fold(0.0, f64::max)
}

/// Values by interval as a line over time, in units of `scale`.
fn line(values: &[Option<f64>], scale: f64, series: &Series) -> Vec<Vec<(f64, f64)>> {
    let begin = |n: usize| (series.every_ns.saturating_mul(n as u64)).min(series.end_ns) as f64;
    let scaled = |value: &Option<f64>| value.map(|value| value / scale);
    if values.len() <= STEPS {
        let steps =
            values.iter().enumerate().flat_map(|(n, value)| [begin(n), begin(n + 1)].map(|x| (x, scaled(value))));
        return thin(&steps.collect::<Vec<Point>>(), usize::MAX);
    }
    let points = values.iter().enumerate().map(|(n, value)| ((begin(n) + begin(n + 1)) / 2.0, scaled(value)));
    thin(&points.collect::<Vec<Point>>(), POINTS)
}

/// The unit in which a rate is best read, in bit/s, and its name.
pub(super) fn rate_unit(peak: f64) -> (f64, &'static str) {
    match peak {
        p if p < 1e3 => (1.0, "bit/s"),
        p if p < 1e6 => (1e3, "kbit/s"),
        p if p < 1e9 => (1e6, "Mbit/s"),
        _ => (1e9, "Gbit/s"),
    }
}

/// The unit in which a time is best read, in ns, and its name.
pub(super) fn time_unit(ns: f64) -> (f64, &'static str) {
    match ns {
        t if t < 1e3 => (1.0, "ns"),
        t if t < 1e6 => (1e3, "µs"),
        t if t < 1e9 => (1e6, "ms"),
        _ => (1e9, "s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    fn drawn(report: &Report) -> String {
        let mut out = Markup::default();
        write(&mut out, report, &Axis::of(report));
        out.finish()
    }

    #[test]
    fn the_last_piece_of_an_interval_is_no_peak() {
        let way = testing::direction_series("wifi", vec![1_250, 1_250, 1_250]);
        let series = Series { every_ns: 100_000_000, asked_ns: 100_000_000, end_ns: 200_000_001, directions: vec![] };
        assert_eq!(rates(&way, &series), [100_000.0; 3]);
    }

    #[test]
    fn both_directions_stand_in_one_picture_and_what_is_not_there_is_said() {
        let report = testing::report();
        let html = drawn(&report);
        let document = format!("<r>{html}</r>");
        let document = roxmltree::Document::parse(&document).unwrap();
        let charts = document.descendants().filter(|n| n.attribute("class") == Some("chart")).count();
        assert_eq!(charts, 2);
        for title in ["Throughput in Mbit/s", "Mean delay in ms", "Queue in frames", "Dropped frames in 100 ms"] {
            assert!(html.contains(&format!(">{title}<")), "{title}: {html}");
        }
        assert!(html.contains("Not drawn: no frame was seen waiting in a queue; nothing was dropped."), "{html}");
    }

    #[test]
    fn many_links_are_folded_and_then_only_counted() {
        let mut report = testing::report();
        let series = report.series.as_mut().unwrap();
        series.directions =
            (0..500).map(|n| testing::direction_series(&format!("link{n}"), vec![100 + n; 90])).collect();
        let html = drawn(&report);
        assert_eq!((html.matches("<svg").count(), html.matches("<details").count()), (DRAWN, DRAWN - OPEN));
        assert!(html.find("link499").unwrap() < html.find("link498").unwrap(), "the busiest first");
        assert!(html.contains("470 more links carried less") && html.len() < 2_000_000, "{}", html.len());
    }

    #[test]
    fn a_long_series_is_thinned_and_keeps_its_peak() {
        let mut values = vec![Some(1.0); 3_000];
        values[1_500] = Some(77.0);
        let series = Series { every_ns: 1_000, asked_ns: 1_000, end_ns: 3_000_000, directions: vec![] };
        let pieces = line(&values, 1.0, &series);
        assert!(pieces[0].len() <= POINTS && pieces[0].iter().any(|(_, y)| *y == 77.0), "{}", pieces[0].len());
    }
}
