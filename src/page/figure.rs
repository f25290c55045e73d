//! One chart of a report as a picture of its own, for documents: an SVG with its colours in it, on white.
//!
//! A chart is named like a measure: a link, or a workload, and what is drawn of it.

use super::axis::{Axis, RIGHT, WIDTH, text};
use super::charts;
use super::histograms::{self, Shape};
use super::markup::Markup;
use super::plot::{self, HISTOGRAM};
use crate::measured::{Intervals, Measured, Ping};
use crate::report::json::{Report, WorkloadReport};
use crate::report::series::{DirectionSeries, Series};

/// What is drawn over time, and what the title of its panel begins with.
const OVER_TIME: [(&str, &str); 4] =
    [("throughput", "Throughput"), ("delay", "Mean delay"), ("queue", "Queue"), ("dropped", "Dropped")];
const SPREAD: &str = "histogram";
/// Round trips are put together in intervals of so many ns.
const INTERVAL: u64 = 100_000_000;
/// Points at the most: the times of a report that comes from a file might say anything.
const MOST: usize = 2_000_000;
/// Room above a picture for its title, and for each line below it.
const TITLE: u32 = 26;
const LINE: u32 = 18;
/// Changes that are written out below a picture.
const TOLD: usize = 12;

/// The page's classes, in its light colours. No variables: few programs that place pictures know them.
const STYLE: &str = "text{font-family:sans-serif;font-size:11.5px;fill:#57606a}.panel,.title{font-weight:600;fill:#1b1f24}\
.panel{font-size:12.5px}.title{font-size:14px}.mesh,.s-mesh{stroke:#e3e7ec}.f-1{fill:#0067a3}.f-2{fill:#c24e00}\
.s-1,.s-2{fill:none;stroke-width:1.6}.s-1{stroke:#0067a3}.s-2{stroke:#c24e00}.mark{stroke:#7a3fa0;stroke-dasharray:3 3}\
.pin{fill:#7a3fa0}.pin-text{fill:#fff;font-weight:600;font-size:11px}text.one{fill:#0067a3}text.two{fill:#c24e00}";

/// What something was over time: in the columns that links have.
struct Course<'a> {
    name: &'a str,
    ways: Vec<DirectionSeries>,
    series: Series,
}

/// The names of all charts that a report has.
pub fn names(report: &Report) -> Vec<String> {
    let over_time = courses(report).into_iter().flat_map(|course| {
        let panels = course.panels();
        let is_there = move |title: &str| panels.iter().any(|panel| panel.title.starts_with(title));
        let names = OVER_TIME.into_iter().filter(move |(_, title)| is_there(title));
        names.map(move |(what, _)| format!("{}.{what}", course.name))
    });
    let spread = histograms::shapes(report).into_iter().map(|shape| format!("{}.{SPREAD}", shape.name));
    over_time.chain(spread).collect()
}

/// A chart by its name.
///
/// # Errors
/// The report has no such chart; or those of the plotting library, which has none where it draws into memory.
pub fn figure(report: &Report, name: &str) -> Result<String, String> {
    let lacking = || format!("the report has no chart `{name}`; it has {}", names(report).join(", "));
    let (whose, what) = name.rsplit_once('.').ok_or_else(lacking)?;
    if what == SPREAD {
        let shape = histograms::shapes(report).into_iter().find(|shape| shape.name == whose).ok_or_else(lacking)?;
        return spread(&shape);
    }
    let (_, title) = OVER_TIME.into_iter().find(|(known, _)| *known == what).ok_or_else(lacking)?;
    let course = courses(report).into_iter().find(|course| course.name == whose).ok_or_else(lacking)?;
    let panel = course.panels().into_iter().find(|panel| panel.title.starts_with(title)).ok_or_else(lacking)?;
    let axis = Axis::of(report);
    let panels = [panel];
    let drawn = plot::panels(&panels, axis.end()).map_err(|error| format!("it cannot be drawn: {error}"))?;
    let told: Vec<String> = axis.marks.iter().take(TOLD).enumerate().map(|(n, mark)| mark.line(n + 1)).collect();
    let (top, below) = (TITLE, charts::height(&panels, &axis));
    let height = top + below + 6 + LINE * told.len() as u32;
    Ok(document(name, (WIDTH, height), |out| {
        out.leaf("text", &[("class", "title"), ("x", "2"), ("y", "17")], &format!("{}: {whose}", report.scenario));
        let keys = course.ways.iter().filter(|way| !way.from.is_empty()).zip(["one", "two"]).enumerate();
        for (n, (way, class)) in keys {
            let words = format!("{} → {}", way.from, way.to);
            let y = text(11 + 13 * n as u32);
            out.leaf("text", &[("class", class), ("x", &text(RIGHT)), ("y", &y), ("text-anchor", "end")], &words);
        }
        let down = format!("translate(0 {top})");
        out.element("g", &[("transform", &down)], |out| charts::inside(out, &panels, &drawn, &axis));
        for (n, line) in told.iter().enumerate() {
            out.leaf("text", &[("x", "2"), ("y", &text(top + below + 14 + LINE * n as u32))], line);
        }
    }))
}

fn spread(shape: &Shape) -> Result<String, String> {
    let (scale, unit) = shape.scale();
    let drawn = plot::histogram(&shape.histogram, scale).map_err(|error| format!("it cannot be drawn: {error}"))?;
    let (width, height) = HISTOGRAM;
    Ok(document(&shape.name, (width, height + TITLE), |out| {
        let title = format!("{}: {}, in {unit}", shape.name, shape.about);
        out.leaf("text", &[("class", "title"), ("x", "2"), ("y", "17")], &title);
        out.element("g", &[("transform", &format!("translate(0 {TITLE})"))], |out| out.own(&drawn));
    }))
}

fn document(label: &str, (width, height): (u32, u32), inside: impl FnOnce(&mut Markup)) -> String {
    let mut out = Markup::default();
    let (view, width, height) = (format!("0 0 {width} {height}"), text(width), text(height));
    let attributes = [
        ("xmlns", "http://www.w3.org/2000/svg"),
        ("viewBox", view.as_str()),
        ("width", width.as_str()),
        ("height", height.as_str()),
        ("role", "img"),
        ("aria-label", label),
    ];
    out.element("svg", &attributes, |out| {
        out.element("style", &[], |out| out.own(STYLE));
        out.void("rect", &[("width", "100%"), ("height", "100%"), ("fill", "#ffffff")]);
        inside(out);
    });
    out.finish()
}

impl Course<'_> {
    fn panels(&self) -> Vec<plot::Panel> {
        charts::of_ways(self.name, &self.ways, &self.series)
    }
}

/// Of links, and of workloads.
fn courses(report: &Report) -> Vec<Course<'_>> {
    let mut all: Vec<Course<'_>> = Vec::new();
    for way in report.series.iter().flat_map(|series| &series.directions) {
        match all.last_mut().filter(|course| course.name == way.link) {
            Some(course) => course.ways.push(way.clone()),
            None => {
                let series = report.series.as_ref().map(|series| Series { directions: Vec::new(), ..series.clone() });
                all.extend(series.map(|series| Course { name: &way.link, ways: vec![way.clone()], series }));
            }
        }
    }
    all.extend(report.workloads.iter().filter_map(|(name, work)| workload(name, work, report.duration_ns)));
    all
}

fn workload<'a>(name: &'a str, work: &WorkloadReport, end_ns: u64) -> Option<Course<'a>> {
    let (began, way, width) = match &work.measured {
        Measured::Ping(Some(ping)) => (ping.began_ns?, round_trips(ping), INTERVAL),
        Measured::Udp(_) => {
            let receiver = work.measured.udp_receiver()?;
            (receiver.began_ns?, arrivals(&receiver.intervals), receiver.intervals.width_ns)
        }
        Measured::Tcp(_) => {
            let receiver = work.measured.tcp_receiver()?;
            (receiver.began_ns?, arrivals(&receiver.intervals), receiver.intervals.width_ns)
        }
        _ => return None,
    };
    if width == 0 {
        return None;
    }
    // links' intervals count from t = 0: so do these, to one interval
    let late = usize::try_from(began.max(0) as u64 / width).ok().filter(|late| *late <= MOST)?;
    let way = DirectionSeries {
        delivered_frames: shifted(late, way.delivered_frames),
        delivered_bytes: shifted(late, way.delivered_bytes),
        dropped: shifted(late, way.dropped),
        delay_mean_ns: shifted(late, way.delay_mean_ns),
        ..way
    };
    let series = Series { every_ns: width, asked_ns: width, end_ns, directions: Vec::new() };
    Some(Course { name, ways: vec![way], series })
}

fn shifted<T: Default + Clone>(by: usize, column: Vec<T>) -> Vec<T> {
    if column.is_empty() { column } else { std::iter::repeat_n(T::default(), by).chain(column).collect() }
}

fn arrivals(intervals: &Intervals) -> DirectionSeries {
    let list = || intervals.list.iter();
    DirectionSeries {
        // of TCP there are no frames, and no delays
        delivered_frames: list().map(|one| one.frames as u32).collect(),
        delivered_bytes: list().map(|one| one.bytes).collect(),
        delay_mean_ns: list().map(|one| one.mean_ns.unwrap_or(0)).collect(),
        ..DirectionSeries::default()
    }
}

/// Means of those that were sent in an interval, and how many of them were lost.
fn round_trips(ping: &Ping) -> DirectionSeries {
    let mut way = DirectionSeries::default();
    for (at, rtt) in &ping.samples {
        let n = usize::try_from(at / INTERVAL).unwrap_or(usize::MAX);
        if n > MOST {
            continue;
        }
        if way.dropped.len() <= n {
            way.dropped.resize(n + 1, 0);
            way.delivered_frames.resize(n + 1, 0);
            way.delay_mean_ns.resize(n + 1, 0);
        }
        match rtt {
            Some(rtt) => {
                let before = u64::from(way.delivered_frames[n]);
                way.delay_mean_ns[n] = (way.delay_mean_ns[n] * before + rtt) / (before + 1);
                way.delivered_frames[n] += 1;
            }
            None => way.dropped[n] += 1,
        }
    }
    way
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    #[test]
    fn every_chart_that_is_named_is_drawn_and_stands_by_itself() {
        let report = testing::report();
        let names = names(&report);
        for expected in
            ["wifi.throughput", "wifi.delay", "wifi.queue", "wifi.dropped", "rtt.histogram", "call.histogram"]
        {
            assert!(names.iter().any(|name| name == expected), "{expected}: {names:?}");
        }
        for name in &names {
            let svg = figure(&report, name).unwrap();
            let document = roxmltree::Document::parse(&svg).unwrap_or_else(|error| panic!("{name}: {error}: {svg}"));
            assert!(document.root_element().has_tag_name(("http://www.w3.org/2000/svg", "svg")));
            assert!(!svg.contains("var(--"), "{name}");
            // each class has its colours in the picture's own style
            for class in document.descendants().filter_map(|node| node.attribute("class")) {
                let known =
                    STYLE.contains(&format!(".{class}")) || ["tick", "f-ink", "f-mesh", "s-ink"].contains(&class);
                assert!(known, "{name}: {class}");
            }
        }
        let delay = figure(&report, "wifi.delay").unwrap();
        assert!(delay.contains("Mean delay in ms") && !delay.contains("Throughput"), "{delay}");
        assert!(delay.contains("phone.wlan0 → home.lan") && delay.contains("wifi.loss=40%"), "{delay}");
    }

    #[test]
    fn workloads_have_a_course() {
        let mut report = testing::report();
        let lossy = serde_json::json!({ "began_ns": 1_000_000_000, "sent": 3,
            "samples": [[0, 40_000_000], [10_000_000, 60_000_000], [150_000_000, null]] });
        report.workloads.insert("rtt".into(), testing::work("ping", "a → b", lossy));
        let course = courses(&report).into_iter().find(|course| course.name == "rtt").unwrap();
        let way = &course.ways[0];
        assert_eq!((way.delay_mean_ns.len(), way.delay_mean_ns[10], way.dropped[11]), (12, 50_000_000, 1));
        assert!(names(&report).contains(&"rtt.delay".to_owned()) && figure(&report, "rtt.dropped").is_ok());
    }

    #[test]
    fn what_is_not_there_is_said_with_what_is() {
        let told = figure(&testing::report(), "wifi.colour").unwrap_err();
        assert!(told.contains("no chart `wifi.colour`; it has wifi.throughput"), "{told}");
    }
}
