//! Plots by the plotting library, in the page's own colours: the library draws with marker colours, each of which becomes a
//! class that the page's style colours for light, dark and paper.

use std::error::Error;

use plotters::chart::ChartBuilder;
use plotters::drawing::IntoDrawingArea;
use plotters::element::{PathElement, Polygon, Rectangle};
use plotters::style::{Color, IntoFont, RGBColor, TextStyle};
use plotters_svg::SVGBackend;

use super::axis::{LEFT, RIGHT, WIDTH};
use crate::measured::Histogram;
use crate::report::terminal::four_digits;

const INK: RGBColor = RGBColor(1, 1, 1);
const MESH: RGBColor = RGBColor(2, 2, 2);
/// Of the first and of the second direction.
const SERIES: [RGBColor; 2] = [RGBColor(3, 3, 3), RGBColor(4, 4, 4)];
const NOWHERE: RGBColor = RGBColor(5, 5, 5);
/// What the style calls them: a letter for fill or line goes before it.
const CLASSES: [(&str, &str); 5] =
    [("#010101", "ink"), ("#020202", "mesh"), ("#030303", "1"), ("#040404", "2"), ("#050505", "no")];

/// Room above a panel for its title and the numbers of marks, and below it.
pub(super) const ABOVE: u32 = 24;
pub(super) const BELOW: u32 = 8;

/// One quantity over time.
#[derive(Clone, Debug)]
pub(super) struct Panel {
    /// What it is, with the unit of its axis.
    pub(super) title: String,
    /// The height of the plot in pixels.
    pub(super) height: u32,
    /// Unbroken pieces of each direction's line, time in ns against values in that unit.
    pub(super) lines: [Vec<Vec<(f64, f64)>>; 2],
    /// A value that its axis reaches to, even if no line does.
    pub(super) at_least: f64,
    /// Room below it that the caller fills.
    pub(super) below: u32,
}

impl Panel {
    /// What it takes of a picture's height.
    pub(super) fn outer_height(&self) -> u32 {
        ABOVE + self.height + BELOW + self.below
    }

    /// The value at the upper edge.
    pub(super) fn most(&self) -> f64 {
        let peak = self.lines.iter().flatten().flatten().map(|(_, y)| *y).fold(self.at_least, f64::max);
        (peak * 1.05).max(f64::MIN_POSITIVE)
    }
}

type Drawn<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn label() -> TextStyle<'static> {
    // the library takes a font's size for 1.24 of what it writes
    ("sans-serif", 14).into_font().color(&INK)
}

/// Panels below each other on one time axis from 0 to `end_ns`: the inside of an SVG [`WIDTH`] wide. Axis and marks are
/// the caller's.
///
/// # Errors
/// Those of the library, which has none where it draws into memory.
pub(super) fn panels(panels: &[Panel], end_ns: u64) -> Drawn<String> {
    let height: u32 = panels.iter().map(Panel::outer_height).sum();
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        let mut rest = root.clone();
        for panel in panels {
            let (area, below) = rest.split_vertically(panel.outer_height());
            rest = below;
            let mut chart = ChartBuilder::on(&area)
                .margin_top(ABOVE)
                .margin_bottom(BELOW + panel.below)
                .margin_right(WIDTH - RIGHT)
                .y_label_area_size(LEFT)
                .build_cartesian_2d(0.0..end_ns as f64, 0.0..panel.most())?;
            chart
                .configure_mesh()
                .disable_x_mesh()
                .disable_x_axis()
                .light_line_style(NOWHERE)
                .bold_line_style(MESH)
                .axis_style(MESH)
                .y_labels(if panel.height > 100 { 5 } else { 3 })
                .y_label_formatter(&|y| four_digits(*y))
                .label_style(label())
                .draw()?;
            // the first direction is an area, the second a line: colours are not all that tells them apart
            for piece in &panel.lines[0] {
                let ends = [piece.last(), piece.first()].into_iter().flatten().map(|(x, _)| (*x, 0.0));
                let area: Vec<(f64, f64)> = piece.iter().copied().chain(ends).collect();
                chart.draw_series([Polygon::new(area, SERIES[0].mix(0.18).filled())])?;
            }
            for (pieces, color) in panel.lines.iter().zip(SERIES) {
                for piece in pieces {
                    chart.draw_series([PathElement::new(piece.clone(), color.stroke_width(2))])?;
                }
            }
        }
        root.present()?;
    }
    Ok(restyle(&svg))
}

/// The size of a histogram's picture.
pub(super) const HISTOGRAM: (u32, u32) = (468, 200);

/// A histogram with shares in percent against times in a fitting unit: the inside of an SVG of [`HISTOGRAM`]'s size.
///
/// # Errors
/// Those of the library, which has none where it draws into memory.
pub(super) fn histogram(histogram: &Histogram, scale: f64) -> Drawn<String> {
    let share = |count: u64| count as f64 / histogram.total().max(1) as f64 * 100.0;
    let edge = |n: usize| (histogram.from_ns as f64 + histogram.width_ns as f64 * n as f64) / scale;
    let end = histogram.counts.len();
    let digits = decimals(edge(end) - edge(0));
    let most = histogram.counts.iter().map(|n| share(*n)).fold(0.0, f64::max);
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, HISTOGRAM).into_drawing_area();
        let mut chart = ChartBuilder::on(&root)
            .margin_top(10)
            .margin_right(14)
            .x_label_area_size(28)
            .y_label_area_size(56)
            .build_cartesian_2d(edge(0)..edge(end), 0.0..(most * 1.05).max(f64::MIN_POSITIVE))?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(NOWHERE)
            .bold_line_style(MESH)
            .axis_style(MESH)
            .x_labels(6)
            .y_labels(5)
            .x_label_formatter(&|x| trimmed(format!("{x:.digits$}")))
            .y_label_formatter(&|y| format!("{} %", four_digits(*y)))
            .label_style(label())
            .draw()?;
        let bars = histogram.counts.iter().enumerate().filter(|(_, n)| **n > 0);
        chart.draw_series(
            bars.map(|(n, count)| Rectangle::new([(edge(n), 0.0), (edge(n + 1), share(*count))], SERIES[0].filled())),
        )?;
        root.present()?;
    }
    Ok(restyle(&svg))
}

/// Digits behind the point that tell labels along such a length apart.
fn decimals(length: f64) -> usize {
    (1.0 - (length.max(1e-9) / 2.0).log10().floor()).clamp(0.0, 9.0) as usize
}

/// Without zeros that say nothing.
fn trimmed(number: String) -> String {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.').to_owned() } else { number }
}

/// The inside of the library's SVG, with classes in place of marker colours, and without what the page's style says.
fn restyle(svg: &str) -> String {
    let inside = svg.split_once('>').map_or("", |(_, rest)| rest);
    let inside = inside.rsplit_once("</svg>").map_or(inside, |(inside, _)| inside);
    let mut out = String::with_capacity(inside.len());
    for line in inside.lines().filter(|line| !line.contains("#050505")) {
        out.push_str(line);
        // a text's own lines are its text
        if line.ends_with('>') {
            out.push('\n');
        }
    }
    for (color, class) in CLASSES {
        out = out.replace(&format!("fill=\"{color}\""), &format!("class=\"f-{class}\""));
        out = out.replace(&format!("stroke=\"{color}\""), &format!("class=\"s-{class}\""));
    }
    for noise in [" opacity=\"1\"", " font-family=\"sans-serif\"", " stroke=\"none\""] {
        out = out.replace(noise, "");
    }
    out.replace(" \"/>", "\"/>")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn well_formed(inside: &str) -> String {
        let svg = format!("<svg>{inside}</svg>");
        assert!(roxmltree::Document::parse(&svg).is_ok(), "{svg}");
        assert!(!svg.contains('#') && !svg.contains("sans-serif"), "a colour or font of the library's: {svg}");
        svg
    }

    #[test]
    fn panels_reach_from_end_to_end_in_the_colours_of_the_page() {
        let line = vec![(0.0, 0.0), (5e9, 7.0), (10e9, 3.0)];
        let panel = |lines| Panel { title: "Delay in ms".into(), height: 110, lines, at_least: 0.0, below: 0 };
        let drawn = well_formed(&super::panels(&[panel([vec![line.clone()], vec![line]])], 10_000_000_000).unwrap());
        let document = roxmltree::Document::parse(&drawn).unwrap();
        let lines: Vec<&str> = document
            .descendants()
            .filter(|node| matches!(node.attribute("class"), Some("s-1" | "s-2")))
            .filter_map(|node| node.attribute("points"))
            .collect();
        assert_eq!(lines.len(), 2);
        for points in lines {
            let xs: Vec<u32> = points.split(' ').filter_map(|p| p.split(',').next()?.parse().ok()).collect();
            assert_eq!(xs.first(), Some(&LEFT), "{points}");
            assert!(xs.last().is_some_and(|x| x.abs_diff(RIGHT) <= 1), "{points}");
        }
    }

    #[test]
    fn empty_and_extreme_panels_are_drawn() {
        for peak in [0.0, f64::MIN_POSITIVE, 1e-3, 1e18] {
            let panel = Panel {
                title: String::new(),
                height: 80,
                lines: [vec![vec![(0.0, peak)]], vec![]],
                at_least: 0.0,
                below: 0,
            };
            well_formed(&super::panels(&[panel], 1).unwrap());
        }
        well_formed(&super::panels(&[], 1).unwrap());
    }

    #[test]
    fn a_histogram_has_a_bar_for_each_bin_that_is_not_empty() {
        let drawn = Histogram { from_ns: 5_000_000, width_ns: 1_000_000, counts: vec![5, 0, 9], longer: 3 };
        assert_eq!(well_formed(&super::histogram(&drawn, 1e6).unwrap()).matches("<rect").count(), 2);
    }

    #[test]
    fn labels_of_near_values_differ() {
        let drawn = Histogram { from_ns: 10_013_000, width_ns: 1_000, counts: vec![5; 40], longer: 0 };
        let svg = well_formed(&super::histogram(&drawn, 1e6).unwrap());
        let document = roxmltree::Document::parse(&svg).unwrap();
        let labels: Vec<&str> = document
            .descendants()
            .filter(|n| n.is_text())
            .filter_map(|n| n.text())
            .map(str::trim)
            .filter(|t| t.starts_with("10."))
            .collect();
        let different: std::collections::BTreeSet<&&str> = labels.iter().collect();
        assert!(labels.len() >= 3 && labels.len() == different.len(), "{labels:?}");
        assert_eq!(["3.500", "20", "100", "7.00"].map(|n| trimmed(n.into())), ["3.5", "20", "100", "7"]);
    }
}
