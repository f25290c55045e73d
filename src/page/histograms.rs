//! How delays were distributed: of each direction, of pings' round trips, of datagrams on their way.

use super::charts::time_unit;
use super::markup::Markup;
use super::plot::{self, HISTOGRAM};
use crate::measured::{Histogram, Measured, Part, Times};
use crate::report::json::{Direction, Report};
use crate::report::terminal::{grouped, time};

/// Histograms in full view, and drawn at all: workloads first, then the directions that delivered most.
const OPEN: usize = 8;
const DRAWN: usize = 40;

/// One distribution.
pub(super) struct Shape {
    /// Whose, as expectations name it.
    pub(super) name: String,
    title: String,
    pub(super) about: &'static str,
    pub(super) histogram: Histogram,
    times: Option<Times>,
}

impl Shape {
    /// The unit in which its times are best read, in ns, and its name.
    pub(super) fn scale(&self) -> (f64, &'static str) {
        let Histogram { from_ns, width_ns, counts, .. } = &self.histogram;
        time_unit(*from_ns as f64 + *width_ns as f64 * counts.len() as f64)
    }
}

/// All of a report: of workloads first, then of the directions that delivered most.
pub(super) fn shapes(report: &Report) -> Vec<Shape> {
    workloads(report).chain(directions(report)).collect()
}

/// The section; nothing where no two delays differ.
pub(super) fn write(out: &mut Markup, report: &Report) {
    let shapes = shapes(report);
    if shapes.is_empty() {
        return;
    }
    out.element("div", &[("class", "grid")], |out| shapes.iter().take(OPEN).for_each(|shape| figure(out, shape)));
    let folded = shapes.len().min(DRAWN).saturating_sub(OPEN);
    if folded > 0 {
        out.element("details", &[], |out| {
            out.leaf("summary", &[], &format!("{folded} more"));
            out.element("div", &[("class", "grid")], |out| {
                shapes.iter().take(DRAWN).skip(OPEN).for_each(|shape| figure(out, shape));
            });
        });
    }
    if let Some(left) = shapes.len().checked_sub(DRAWN).filter(|left| *left > 0) {
        let words = format!("{left} more are in the JSON report (`delay_histogram`).");
        out.leaf("p", &[("class", "note")], &words);
    }
}

fn workloads(report: &Report) -> impl Iterator<Item = Shape> + '_ {
    report.workloads.iter().filter_map(|(name, work)| {
        let (name, title) = (name.clone(), format!("{name}: {}", work.place));
        match &work.measured {
            Measured::Ping(ping) => {
                let ping = ping.as_ref()?;
                let mut times: Vec<u64> = ping.samples.iter().filter_map(|(_, rtt)| *rtt).collect();
                times.sort_unstable();
                let lengths: Vec<(u64, u64)> =
                    times.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u64)).collect();
                let (about, histogram) = ("round trip of each ping", Histogram::of(&lengths)?);
                Some(Shape { name, title, about, histogram, times: ping.rtt_ns.clone() })
            }
            Measured::Udp(udp) => {
                let receiver = udp.receiver.as_ref()?;
                let (about, histogram) = ("one-way delay of each datagram", receiver.delay_histogram.clone()?);
                Some(Shape { name, title, about, histogram, times: receiver.delay_ns.clone() })
            }
            Measured::Program(_) | Measured::Tcp(_) => None,
        }
    })
}

/// The directions that delivered most come first.
fn directions(report: &Report) -> impl Iterator<Item = Shape> + '_ {
    let mut busiest: Vec<&Direction> = report.directions.iter().filter(|d| d.delay_histogram.is_some()).collect();
    busiest.sort_by_key(|direction| std::cmp::Reverse(direction.delivered.bytes));
    busiest.into_iter().filter_map(|direction| {
        Some(Shape {
            name: direction.path(),
            title: format!("{}: {} → {}", direction.link, direction.from, direction.to),
            about: "delay of each frame on the link",
            histogram: direction.delay_histogram.clone()?,
            times: direction.delay_ns.clone(),
        })
    })
}

fn figure(out: &mut Markup, shape: &Shape) {
    let Shape { title, about, histogram, times, .. } = shape;
    let (scale, unit) = shape.scale();
    out.element("figure", &[], |out| {
        out.element("figcaption", &[], |out| {
            out.leaf("strong", &[], title);
            out.leaf("small", &[], &format!(" {about}, in {unit}"));
        });
        let (width, height) = HISTOGRAM;
        let view = format!("0 0 {width} {height}");
        let label = format!("Histogram: {title}, {about}, in {unit}");
        let attributes =
            [("class", "chart"), ("viewBox", view.as_str()), ("role", "img"), ("aria-label", label.as_str())];
        let attributes = [&attributes[..], &[("xmlns", "http://www.w3.org/2000/svg")]].concat();
        match plot::histogram(histogram, scale) {
            Ok(drawn) => out.element("svg", &attributes, |out| out.own(&drawn)),
            Err(error) => out.leaf("p", &[("class", "note")], &format!("It cannot be drawn: {error}")),
        }
        let parts = [Part::Min, Part::P50, Part::P90, Part::P99, Part::Max];
        let word = |part: Part| Some(format!("{part} {}", time(times.as_ref()?.get(part)?)));
        let mut words = parts.into_iter().filter_map(word).collect::<Vec<_>>().join(" · ");
        if histogram.longer > 0 {
            words += &format!(" · {} longer than what is drawn", grouped(histogram.longer));
        }
        out.leaf("p", &[("class", "note")], &words);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    #[test]
    fn pings_datagrams_and_directions_have_their_shapes() {
        let report = testing::report();
        let mut out = Markup::default();
        write(&mut out, &report);
        let html = out.finish();
        for words in
            ["round trip of each ping, in ms", "one-way delay of each datagram", "delay of each frame on the link"]
        {
            assert!(html.contains(words), "{words}: {html}");
        }
        assert!(html.contains("3 longer than what is drawn"), "{html}");
    }

    #[test]
    fn constant_delays_have_none() {
        let mut report = testing::report();
        report.directions.iter_mut().for_each(|direction| direction.delay_histogram = None);
        report.workloads.clear();
        let mut out = Markup::default();
        write(&mut out, &report);
        assert!(out.is_empty());
    }
}
