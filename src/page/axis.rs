//! The time axis that the timeline and all charts share: from t = 0 to the end, in the pixels of a picture.

use super::markup::Markup;
use crate::report::json::{Event, EventKind, Report};
use crate::report::terminal::{four_digits, seconds};
use crate::stats::round_up;

/// The width of every picture over time.
pub(super) const WIDTH: u32 = 960;
/// Where t = 0 stands.
pub(super) const LEFT: u32 = 76;
/// Where the end stands.
pub(super) const RIGHT: u32 = 944;
/// Marks nearer to each other than so many pixels share a label.
const LABEL: f64 = 22.0;
/// So many lines of marks at most: more would be a wall.
const MOST_MARKS: usize = 200;

/// The axis of a run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    end_ns: u64,
    /// Instants at which something was changed: when, and what, a line each.
    pub(super) marks: Vec<Mark>,
}

/// An instant at which something was changed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mark {
    /// From t = 0, in ns.
    pub(super) at_ns: i64,
    /// What happened, and the name if it has one.
    pub(super) events: Vec<(String, Option<String>)>,
}

/// Whether an event is a change that pictures mark; work that starts and ends has bars of its own.
pub(super) fn is_mark(event: &Event) -> bool {
    event.kind != EventKind::Work
}

/// What belongs together is one instant, even if part of it was late.
pub(super) fn instant(event: &Event) -> i64 {
    event.planned_ns.unwrap_or(event.at_ns)
}

impl Mark {
    /// In words: `2: 5 s: wifi=down`.
    pub(super) fn line(&self, number: usize) -> String {
        let told: Vec<&str> = self.events.iter().map(|(what, _)| what.as_str()).collect();
        format!("{number}: {}: {}", seconds(self.at_ns), told.join(", "))
    }
}

impl Axis {
    pub(super) fn of(report: &Report) -> Axis {
        let end = report.series.as_ref().map_or(0, |series| series.end_ns).max(report.duration_ns).max(1);
        let mut marks: Vec<Mark> = Vec::new();
        for event in report.events.iter().filter(|event| is_mark(event)) {
            let (at_ns, what) = (instant(event), (event.what.clone(), event.mark.clone()));
            match marks.iter_mut().find(|mark| mark.at_ns == at_ns) {
                Some(mark) => mark.events.push(what),
                None => marks.push(Mark { at_ns, events: vec![what] }),
            }
        }
        marks.sort_by_key(|mark| mark.at_ns);
        Axis { end_ns: end, marks }
    }

    /// The pixel of an instant; what lies beyond either end stands at the end.
    pub(super) fn x(&self, at_ns: i64) -> f64 {
        let share = u64::try_from(at_ns).unwrap_or(0).min(self.end_ns) as f64 / self.end_ns as f64;
        f64::from(LEFT) + share * f64::from(RIGHT - LEFT)
    }

    /// The end in ns.
    pub(super) fn end(&self) -> u64 {
        self.end_ns
    }

    /// Round instants along the axis with their labels, and the unit of these.
    fn ticks(&self) -> (Vec<(u64, String)>, &'static str) {
        let step = round_up(self.end_ns / 10).max(1);
        let (unit, name) = match self.end_ns {
            0..5_000 => (1, "ns"),
            5_000..5_000_000 => (1_000, "µs"),
            5_000_000..2_000_000_000 => (1_000_000, "ms"),
            _ => (1_000_000_000, "s"),
        };
        let ticks = (0..=self.end_ns / step).map(|n| (n * step, four_digits((n * step) as f64 / unit as f64)));
        (ticks.collect(), name)
    }

    /// Draws the axis below a picture whose plots reach from `top` to `bottom`, with a faint line up at each tick.
    pub(super) fn draw(&self, out: &mut Markup, top: u32, bottom: u32) {
        let (ticks, unit) = self.ticks();
        for (at, label) in &ticks {
            let x = format!("{:.1}", self.x(*at as i64));
            out.void(
                "line",
                &[("class", "mesh"), ("x1", &x), ("x2", &x), ("y1", &text(top)), ("y2", &text(bottom + 4))],
            );
            let label = if *at == 0 { format!("0 {unit}") } else { label.clone() };
            out.leaf(
                "text",
                &[("class", "tick"), ("x", &x), ("y", &text(bottom + 18)), ("text-anchor", "middle")],
                &label,
            );
        }
    }

    /// Draws the marks as lines from `top` to `bottom`, numbered above where they are not too near to each other.
    pub(super) fn draw_marks(&self, out: &mut Markup, top: u32, bottom: u32) {
        for (n, mark) in self.marks.iter().enumerate().take(MOST_MARKS) {
            let x = format!("{:.1}", self.x(mark.at_ns));
            out.element("g", &[], |out| {
                out.leaf("title", &[], &mark.line(n + 1));
                out.void(
                    "line",
                    &[("class", "mark"), ("x1", &x), ("x2", &x), ("y1", &text(top)), ("y2", &text(bottom))],
                );
            });
        }
        for (first, last, x) in self.labels() {
            let label = if first == last { first.to_string() } else { format!("{first}–{last}") };
            let half = 5.0 + 3.5 * label.chars().count() as f64;
            let x = x.clamp(half, f64::from(WIDTH) - half);
            let place = [("x", format!("{:.1}", x - half)), ("width", format!("{:.1}", half * 2.0))];
            let y = text(top.saturating_sub(17));
            out.void(
                "rect",
                &[
                    ("class", "pin"),
                    ("x", &place[0].1),
                    ("width", &place[1].1),
                    ("y", &y),
                    ("height", "17"),
                    ("rx", "4"),
                ],
            );
            let (x, y) = (format!("{x:.1}"), text(top.saturating_sub(4)));
            out.leaf("text", &[("class", "pin-text"), ("x", &x), ("y", &y), ("text-anchor", "middle")], &label);
        }
    }

    /// Labels of marks: first and last number, counted from 1, and the middle.
    fn labels(&self) -> Vec<(usize, usize, f64)> {
        let mut groups: Vec<(usize, usize, f64, f64)> = Vec::new();
        for (n, mark) in self.marks.iter().enumerate() {
            let x = self.x(mark.at_ns);
            match groups.last_mut() {
                Some(group) if x - (group.2 + group.3) / 2.0 < LABEL * if group.0 == group.1 { 1.0 } else { 1.8 } => {
                    (group.1, group.3) = (n + 1, x);
                }
                _ => groups.push((n + 1, n + 1, x, x)),
            }
        }
        groups.into_iter().map(|(first, last, from, to)| (first, last, (from + to) / 2.0)).collect()
    }
}

/// A pixel as an attribute.
pub(super) fn text(pixel: u32) -> String {
    pixel.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(end_ms: u64, marks_ms: &[i64]) -> Axis {
        let mark = |ms: &i64| Mark { at_ns: ms * 1_000_000, events: vec![("wifi=down".into(), None)] };
        Axis { end_ns: end_ms * 1_000_000, marks: marks_ms.iter().map(mark).collect() }
    }

    #[test]
    fn ends_stand_at_the_ends() {
        let axis = axis(10_000, &[]);
        assert_eq!((axis.x(0), axis.x(10_000_000_000)), (f64::from(LEFT), f64::from(RIGHT)));
        assert_eq!((axis.x(-5), axis.x(i64::MAX)), (f64::from(LEFT), f64::from(RIGHT)));
    }

    #[test]
    fn ticks_are_round_and_not_too_many() {
        let labels = |ms| axis(ms, &[]).ticks().0.into_iter().map(|(_, label)| label).collect::<Vec<_>>();
        assert_eq!(labels(9_000), ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
        assert_eq!(labels(3_000), ["0", "0.5", "1", "1.5", "2", "2.5", "3"]);
        assert_eq!(labels(250), ["0", "50", "100", "150", "200", "250"]);
        for end in [1, 7, 999, 12_345, 86_400_000, u64::MAX / 2_000_000] {
            assert!((2..=12).contains(&labels(end).len()), "{end}: {:?}", labels(end));
        }
    }

    #[test]
    fn near_marks_share_a_label() {
        let axis = axis(10_000, &[0, 10, 5_000, 5_400, 9_000]);
        let labels: Vec<(usize, usize)> = axis.labels().into_iter().map(|(first, last, _)| (first, last)).collect();
        assert_eq!(labels, [(1, 2), (3, 3), (4, 4), (5, 5)]);
    }

    #[test]
    fn instants_are_as_long_as_they_need_to_be() {
        assert_eq!(
            [0, 2_000_000_000, 2_050_000_000, 1_234_567_890, -500_000_000].map(seconds),
            ["0 s", "2 s", "2.05 s", "1.234 s", "−0.5 s"]
        );
    }
}
