//! What was tested over time: a panel for what each workload measured, with its limits as lines, what was changed as bands and
//! numbered lines, what was lost and the longest silence below it. Programs, and links that were down, are bars above.

use super::axis::{Axis, LEFT, RIGHT, WIDTH, text};
use super::charts::{rate_unit, time_unit};
use super::markup::Markup;
use super::plot::{self, ABOVE, BELOW, Panel};
use super::thin::{Point, thin};
use super::timeline::{self, Bar};
use crate::report::happened::outages;
use crate::report::json::Report;
use crate::report::terminal::{grouped, seconds, share, time};
use crate::report::tracks::{Limit, Lost, Track, What, limits, tracks};

/// Panels in view; more are folded.
const OPEN: usize = 6;
/// Panels at all.
const DRAWN: usize = 30;
/// Points of a line at most.
const POINTS: usize = 600;
/// Room above all for the numbers of marks, and for the names of phases.
const HEAD: u32 = 20;
const NAMES: u32 = 18;
/// The height of a bar with its words.
const ROW: u32 = 30;
/// Room below a panel for what was lost.
const STRIP: u32 = 16;
/// Room below all for the axis.
const FOOT: u32 = 24;
/// A limit that is so many times what was measured is told, not drawn.
const FAR: f64 = 3.0;

/// The section.
pub(super) fn write(out: &mut Markup, report: &Report, axis: &Axis) {
    // a run that never began has no time for anything to stand over
    let mut tracks = if report.duration_ns > 0 { tracks(report) } else { Vec::new() };
    let failing = |track: &Track| limits(track, report).iter().any(|limit| !limit.judged.pass);
    tracks.sort_by_key(|track| (!failing(track), track.ok, limits(track, report).is_empty()));
    let measured: Vec<&String> = tracks.iter().flat_map(|track| &track.names).collect();
    let (bars, left) = timeline::bars(report, &measured);
    let left = left + tracks.len().saturating_sub(DRAWN);
    let (open, folded) = tracks.split_at(tracks.len().min(OPEN));
    if bars.is_empty() && open.is_empty() && axis.marks.is_empty() {
        out.leaf("p", &[("class", "note")], "Nothing was started and nothing was changed.");
    } else {
        picture(out, report, axis, &bars, open);
    }
    let folded = &folded[..folded.len().min(DRAWN - OPEN)];
    if !folded.is_empty() {
        out.element("details", &[], |out| {
            out.leaf("summary", &[], &format!("{} more that were measured", folded.len()));
            picture(out, report, axis, &[], folded);
        });
    }
    if left > 0 {
        out.leaf("p", &[("class", "note")], &format!("{left} more services and workloads are in the tables below."));
    }
    timeline::write(out, report, axis);
}

fn picture(out: &mut Markup, report: &Report, axis: &Axis, bars: &[Bar], tracks: &[Track]) {
    let height = match tracks.len() {
        0..=2 => 110,
        3..=4 => 84,
        _ => 64,
    };
    let panels: Vec<(Panel, f64)> = tracks.iter().map(|track| panel(track, &limits(track, report), height)).collect();
    let names = if report.phases.len() > 1 { NAMES } else { 0 };
    let lane = HEAD + names;
    let begin = lane + ROW * bars.len() as u32;
    let bottom = begin + panels.iter().map(|(panel, _)| panel.outer_height()).sum::<u32>();
    let view = format!("0 0 {WIDTH} {}", bottom + FOOT);
    let told: Vec<&str> = panels.iter().map(|(panel, _)| panel.title.as_str()).collect();
    let label = format!("What was tested, over time: {}", told.join("; "));
    let attributes = [("class", "chart"), ("viewBox", view.as_str()), ("role", "img"), ("aria-label", label.as_str())];
    let attributes = [&attributes[..], &[("xmlns", "http://www.w3.org/2000/svg")]].concat();
    let drawn: Vec<Panel> = panels.iter().map(|(panel, _)| panel.clone()).collect();
    out.element("svg", &attributes, |out| {
        bands(out, report, axis, (HEAD, names), bottom);
        axis.draw(out, lane, bottom);
        axis.draw_marks(out, HEAD, bottom);
        timeline::draw_bars(out, bars, axis, lane);
        match plot::panels(&drawn, axis.end()) {
            Ok(svg) => {
                let down = format!("translate(0 {begin})");
                out.element("g", &[("transform", down.as_str())], |out| out.own(&svg));
            }
            Err(error) => out.leaf("text", &[("class", "panel"), ("x", "2"), ("y", "15")], &error.to_string()),
        }
        let mut top = begin;
        for ((panel, scale), track) in panels.iter().zip(tracks) {
            let place = Place { axis, plot: top + ABOVE, height: panel.height, most: panel.most() * scale };
            place.range(out, track);
            place.limits(out, &limits(track, report));
            place.gap(out, track);
            place.lost(out, &track.lost);
            let class = if track.ok { "panel" } else { "panel bad" };
            out.leaf("text", &[("class", class), ("x", "2"), ("y", &text(top + 15))], &panel.title);
            top += panel.outer_height();
        }
    });
}

/// Phases, every other one shaded and all of them named where there is room; and what was down, shaded more.
fn bands(out: &mut Markup, report: &Report, axis: &Axis, (head, names): (u32, u32), bottom: u32) {
    let band = |out: &mut Markup, class: &str, (from, to): (i64, i64), told: &str| {
        let (x, width) = (axis.x(from), (axis.x(to) - axis.x(from)).max(1.0));
        let (x, width, y, height) = (format!("{x:.1}"), format!("{width:.1}"), text(head), text(bottom - head));
        out.element("g", &[], |out| {
            out.leaf("title", &[], told);
            out.void("rect", &[("class", class), ("x", &x), ("y", &y), ("width", &width), ("height", &height)]);
        });
    };
    let phases = if names > 0 { &report.phases[..] } else { &[] };
    for (n, phase) in phases.iter().enumerate() {
        let (from, to) = (phase.from_ns as i64, phase.to_ns as i64);
        let name = if phase.marks.is_empty() { "before".to_owned() } else { phase.marks.join(", ") };
        if n % 2 == 1 {
            band(out, "band phase", (from, to), &name);
        }
        let (left, right) = (axis.x(from), axis.x(to));
        if right - left > name.chars().count() as f64 * 7.0 {
            let x = format!("{:.1}", (left + right) / 2.0);
            let y = text(head + names - 5);
            out.leaf("text", &[("class", "phase-name"), ("x", &x), ("y", &y), ("text-anchor", "middle")], &name);
        }
    }
    for outage in outages(&report.events) {
        let to = outage.to_ns.unwrap_or(i64::MAX);
        band(out, "band down", (outage.from_ns, to), &format!("{} down", outage.name));
    }
}

/// A track as a panel, and what one of its units is in the unit of the track.
fn panel(track: &Track, limits: &[Limit<'_>], height: u32) -> (Panel, f64) {
    let peak = track
        .points
        .iter()
        .map(|(_, value)| *value)
        .chain(track.range.iter().map(|(_, most)| *most))
        .fold(0.0, f64::max);
    let drawn = limits.iter().map(|limit| limit.value).filter(|value| *value <= peak * FAR);
    let most = drawn.fold(peak, f64::max);
    let (scale, unit) = match track.what {
        What::Goodput => rate_unit(most),
        What::RoundTrip | What::OneWay => time_unit(most),
    };
    let mut title = format!("{}: {} in {unit}", track.name, track.what.words());
    if !track.range.is_empty() {
        title += &format!(", median and range of {}", track.names.len());
    }
    let (lost, sent) = track.lost.iter().fold((0, 0), |sum, one| (sum.0 + one.lost, sum.1 + one.sent));
    if lost > 0 {
        title += &format!(" · lost {} of {} ({})", grouped(lost), grouped(sent), share(lost, sent));
    }
    let far = limits.iter().filter(|limit| limit.value > peak * FAR).map(|limit| limit.judged.expected.as_str());
    let mut far: Vec<&str> = far.collect();
    far.dedup();
    if !far.is_empty() {
        title += &format!(" · far from its limit {}", far.join(" and "));
    }
    if !track.ok {
        title = format!("✗ {title}");
    }
    let line = thin(&pieces(track, scale), POINTS);
    let lines = if track.range.is_empty() { [line, Vec::new()] } else { [Vec::new(), line] };
    let below = if lost > 0 { STRIP } else { 0 };
    (Panel { title, height, lines, at_least: most / scale, below }, scale)
}

/// The points of a track, with a hole where nothing was measured for longer than usual.
fn pieces(track: &Track, scale: f64) -> Vec<Point> {
    let mut apart: Vec<i64> = track.points.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    apart.sort_unstable();
    let usual = apart.get(apart.len() / 2).copied().unwrap_or(0).max(track.width_ns as i64);
    let mut points = Vec::with_capacity(track.points.len());
    let mut last = None;
    for (at, value) in &track.points {
        if last.is_some_and(|last| at - last > usual * 5 / 2) {
            points.push((*at as f64, None));
        }
        // an interval is as wide as it is
        let half = track.width_ns as f64 / 2.0;
        points.push((*at as f64 - half, Some(value / scale)));
        if half > 0.0 {
            points.push((*at as f64 + half, Some(value / scale)));
        }
        last = Some(*at);
    }
    points
}

/// Where a panel's plot is.
struct Place<'a> {
    axis: &'a Axis,
    /// Its upper edge.
    plot: u32,
    height: u32,
    /// The value at its upper edge.
    most: f64,
}

impl Place<'_> {
    fn y(&self, value: f64) -> f64 {
        f64::from(self.plot + self.height) - (value / self.most).min(1.0) * f64::from(self.height)
    }

    fn bottom(&self) -> u32 {
        self.plot + self.height
    }

    /// From the least to the most of a group.
    fn range(&self, out: &mut Markup, track: &Track) {
        if track.range.is_empty() {
            return;
        }
        let point = |at: i64, value: f64| format!("{:.1},{:.1}", self.axis.x(at), self.y(value));
        let both = track.points.iter().zip(&track.range);
        let upper = both.clone().map(|((at, _), (_, most))| point(*at, *most));
        let lower = both.rev().map(|((at, _), (least, _))| point(*at, *least));
        let points: Vec<String> = upper.chain(lower).collect();
        out.void("polygon", &[("class", "range"), ("points", &points.join(" "))]);
    }

    /// Lines over the time for which they are limits, named at their right end.
    fn limits(&self, out: &mut Markup, limits: &[Limit<'_>]) {
        for limit in limits.iter().filter(|limit| limit.value <= self.most) {
            let class = if limit.judged.pass { "good" } else { "bad" };
            let (from, to) = (self.axis.x(limit.window.0), self.axis.x(limit.window.1));
            let y = self.y(limit.value);
            let measure = limit.judged.compared.as_ref().map_or("", |compared| compared.measure.as_str());
            let words =
                format!("{} {}", measure.split_once('.').map_or(measure, |(_, part)| part), limit.judged.expected);
            let (x1, x2, y1) = (format!("{from:.1}"), format!("{to:.1}"), format!("{y:.1}"));
            out.void(
                "line",
                &[("class", &format!("limit {class}")), ("x1", &x1), ("x2", &x2), ("y1", &y1), ("y2", &y1)],
            );
            // above the line, unless there is no room
            let y = if y < f64::from(self.plot) + 10.0 { y + 12.0 } else { y - 4.0 };
            let (x, y) = (format!("{:.1}", to - 3.0), format!("{y:.1}"));
            let class = format!("limit-text {class}");
            out.leaf("text", &[("class", &class), ("x", &x), ("y", &y), ("text-anchor", "end")], &words);
        }
    }

    /// The longest silence, where it can be seen.
    fn gap(&self, out: &mut Markup, track: &Track) {
        let Some((from, to)) = track.gap else { return };
        let (left, right) = (self.axis.x(from), self.axis.x(to));
        if right - left < 6.0 || track.range.len() > 1 {
            return;
        }
        let y = f64::from(self.bottom()) - 6.0;
        let path = format!("M{left:.1} {:.1}v8M{left:.1} {y:.1}H{right:.1}M{right:.1} {:.1}v8", y - 4.0, y - 4.0);
        out.void("path", &[("class", "gap"), ("d", &path)]);
        let words = format!("silent for {}", time((to - from).unsigned_abs()));
        let half = words.chars().count() as f64 * 3.2;
        let x = ((left + right) / 2.0).clamp(f64::from(LEFT) + half, f64::from(RIGHT) - half);
        let (x, y) = (format!("{x:.1}"), format!("{:.1}", y - 6.0));
        out.leaf("text", &[("class", "gap-text"), ("x", &x), ("y", &y), ("text-anchor", "middle")], &words);
    }

    /// A strip below the plot: the darker, the larger the share that was lost.
    fn lost(&self, out: &mut Markup, lost: &[Lost]) {
        let lost: Vec<&Lost> = lost.iter().filter(|one| one.lost > 0).collect();
        if lost.is_empty() {
            return;
        }
        let y = text(self.bottom() + BELOW);
        let label = [("class", "tick"), ("x", "66"), ("y", &text(self.bottom() + BELOW + 9)), ("text-anchor", "end")];
        out.leaf("text", &label, "lost");
        for Lost { from_ns, to_ns, lost, sent } in lost {
            let (x, width) = (self.axis.x(*from_ns), self.axis.x(*to_ns) - self.axis.x(*from_ns));
            let opacity = format!("{:.2}", 0.3 + 0.7 * *lost as f64 / (*sent).max(1) as f64);
            let (x, width) = (format!("{x:.1}"), format!("{:.1}", width.max(1.5)));
            out.element("g", &[], |out| {
                out.leaf("title", &[], &format!("{lost} of {sent} from {} to {}", seconds(*from_ns), seconds(*to_ns)));
                let place = [("class", "lost"), ("x", x.as_str()), ("y", y.as_str()), ("width", width.as_str())];
                out.void("rect", &[&place[..], &[("height", "10"), ("fill-opacity", opacity.as_str())]].concat());
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report::expectation::Compared;
    use crate::report::phases::Phase;
    use crate::report::testing;

    fn drawn(report: &Report) -> String {
        let mut out = Markup::default();
        write(&mut out, report, &Axis::of(report));
        let html = out.finish();
        roxmltree::Document::parse(&format!("<r>{html}</r>")).unwrap_or_else(|error| panic!("{error}: {html}"));
        html
    }

    fn limited(limit: f64, pass: bool) -> Report {
        let mut report = testing::report();
        let judged = &mut report.expectations[0].judged;
        judged.pass = pass;
        judged.compared = Some(Compared {
            measure: "rtt.p50".into(),
            relation: "<".into(),
            limit,
            tolerance: None,
            distance: String::new(),
            window_ns: Some((0, 5_000_000_000)),
        });
        report
    }

    #[test]
    fn limits_are_lines_over_their_time_unless_they_are_far() {
        let html = drawn(&limited(50e6, true));
        assert!(html.contains("class=\"limit good\"") && html.contains(">p50 &lt; 100 ms<"), "{html}");
        assert!(drawn(&limited(50e6, false)).contains("class=\"limit bad\""));
        let far = drawn(&limited(5e9, true));
        assert!(!far.contains("class=\"limit") && far.contains("far from its limit &lt; 100 ms"), "{far}");
    }

    #[test]
    fn what_was_down_is_a_band_and_phases_have_names() {
        let mut report = testing::report();
        let phase = |from: u64, to: u64, marks: &[&str]| Phase {
            from_ns: from * 1_000_000_000,
            to_ns: to * 1_000_000_000,
            marks: marks.iter().map(|mark| (*mark).to_owned()).collect(),
            directions: vec![],
            workloads: indexmap::IndexMap::new(),
        };
        report.phases = vec![phase(0, 5, &[]), phase(5, 9, &["worse"])];
        let html = drawn(&report);
        for text in [
            "class=\"band down\"",
            "<title>wifi down</title>",
            ">before</text>",
            ">worse</text>",
            "class=\"band phase\"",
        ] {
            assert!(html.contains(text), "{text}: {html}");
        }
        assert!(html.contains(">✗ fetch · shell phone"), "a program is a bar: {html}");
    }

    #[test]
    fn what_was_lost_and_the_longest_silence_are_marked() {
        let mut report = testing::report();
        let samples: Vec<_> = (0..80u64)
            .map(|n| json!([n * 100_000_000, if (20..30).contains(&n) { None } else { Some(20_000_000) }]))
            .collect();
        let gap = json!({ "from_ns": 2_000_000_000u64, "to_ns": 3_000_000_000u64, "max_ns": 1_000_000_000u64 });
        report.workloads["rtt"] =
            testing::work("ping", "a → b", json!({ "began_ns": 0, "sent": 80, "samples": samples, "gap": gap }));
        let html = drawn(&report);
        assert_eq!(html.matches("class=\"lost\"").count(), 10, "{html}");
        assert!(html.contains("lost 10 of 80 (12.5 %)") && html.contains("silent for 1 s"), "{html}");
        assert!(html.matches("class=\"s-1\"").count() >= 2, "a hole in the line: {html}");
    }

    #[test]
    fn many_workloads_are_folded_and_groups_are_one() {
        let mut report = testing::report();
        let work = report.workloads["rtt"].clone();
        report.workloads = (0..12).map(|n| (format!("w{n}x"), work.clone())).collect();
        let html = drawn(&report);
        assert!(html.contains("6 more that were measured") && html.matches("<svg").count() == 2, "{html}");
        report.workloads = (0..12).map(|n| (format!("w-{n}"), work.clone())).collect();
        let html = drawn(&report);
        assert!(
            html.contains("w-0 … w-11: round trip in ms, median and range of 12") && html.contains("class=\"range\"")
        );
    }
}
