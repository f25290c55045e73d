//! What frames meet in one direction, as a picture: delays with their cumulative share, runs of lost frames, the rate over
//! time. It stands by itself: a white ground for light and dark pages, and whatever sans-serif font its viewer has.

use std::error::Error;

use plotters::chart::ChartBuilder;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{PathElement, Rectangle};
use plotters::series::LineSeries;
use plotters::style::{Color, IntoFont, RGBColor, TextStyle};
use plotters_svg::SVGBackend;

use super::text::unit;
use super::{Binned, Histogram, Name, Shown};
use crate::report::asked::requested;
use crate::report::terminal::{rate, time};

const WIDTH: u32 = 960;
const HEAD: u32 = 64;
const PANEL: u32 = 280;
/// What the second axis of the first panel takes, so that all end alike.
const RIGHT: u32 = 68;
/// Where the title of a panel stands, and the room for it.
const AT: (i32, i32) = (16, 10);
const TOP: u32 = 40;

// blue and orange of the Okabe–Ito palette, which colour-blind people tell apart too
const DRAWN: RGBColor = RGBColor(0x56, 0xb4, 0xe9);
const MET: RGBColor = RGBColor(0xd5, 0x5e, 0x00);
const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
const GROUND: RGBColor = RGBColor(0xff, 0xff, 0xff);
const MESH: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn Error + Send + Sync>>;

/// The picture's file: LINK-toward-END.svg. Characters that a file's name should not have become `_`.
pub fn file_name(direction: &Name) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    format!("{}-toward-{}.svg", direction.link, direction.to).chars().map(plain).collect()
}

/// The picture.
///
/// # Errors
/// Those of the plotting library, which has none where it draws into memory.
pub fn draw(shown: &Shown) -> Result<String, Box<dyn Error + Send + Sync>> {
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, (WIDTH, HEAD + 3 * PANEL)).into_drawing_area();
        root.fill(&GROUND)?;
        let (head, rest) = root.split_vertically(HEAD);
        let met = &shown.met;
        head.draw_text(&printable(&format!("{}: {} → {}", met.link, met.from, met.to)), &font(22), (16, 10))?;
        head.draw_text(&printable(&requested(&met.requested)), &font(15), (16, 40))?;
        let panels = rest.split_evenly((3, 1));
        delays(&panels[0], shown)?;
        runs(&panels[1], shown)?;
        rates(&panels[2], shown)?;
        root.present()?;
    }
    Ok(text)
}

fn font(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK)
}

/// XML has no control characters.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

fn say(area: &Area<'_>, title: &str, words: &str) -> Drawn {
    area.draw_text(title, &font(18), AT)?;
    area.draw_text(words, &font(16), (72, 60))?;
    Ok(())
}

fn share_of(frames: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { frames as f64 / all as f64 * 100.0 }
}

fn delays(area: &Area<'_>, shown: &Shown) -> Drawn {
    const TITLE: &str = "Delay: share of frames (bars), and share that is not longer (lines)";
    let Some(histogram) = &shown.delay_histogram else {
        let words = shown
            .met
            .delay_ns
            .as_ref()
            .map_or("no frame arrives".into(), |met| format!("{} for each frame", time(met.min())));
        return say(area, TITLE, &words);
    };
    let Histogram { from_ns, width_ns, drawn, delivered } = histogram;
    let end = from_ns + width_ns * drawn.bins.len() as u64;
    let (scale, name) = unit(end);
    let edge = |n: usize| (*from_ns as f64 + *width_ns as f64 * n as f64) / scale as f64;
    let most =
        [drawn, delivered].iter().flat_map(|b| b.bins.iter().map(|n| share_of(*n, b.total()))).fold(0.0, f64::max);
    let x = edge(0)..edge(drawn.bins.len());
    area.draw_text(TITLE, &font(18), AT)?;
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .margin_top(TOP)
        .x_label_area_size(40)
        .y_label_area_size(64)
        .right_y_label_area_size(56)
        .build_cartesian_2d(x.clone(), 0.0..(most * 1.08).max(f64::MIN_POSITIVE))?
        .set_secondary_coord(x, 0.0..100.0);
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(GROUND)
        .bold_line_style(MESH)
        .label_style(font(14))
        .axis_desc_style(font(14))
        .x_desc(format!("delay in {name}"))
        .y_desc("frames in %")
        .draw()?;
    chart
        .configure_secondary_axes()
        .label_style(font(14))
        .axis_desc_style(font(14))
        .y_desc("not longer, in %")
        .draw()?;
    let same = drawn == delivered;
    let both =
        [("as drawn", drawn, DRAWN), (if same { "as drawn and delivered" } else { "as delivered" }, delivered, MET)];
    for (label, binned, color) in
        both.into_iter().filter(|(_, binned, color)| binned.total() > 0 && !(same && *color == DRAWN))
    {
        let all = binned.total();
        chart.draw_series(binned.bins.iter().enumerate().filter(|(_, n)| **n > 0).map(|(n, frames)| {
            Rectangle::new([(edge(n), 0.0), (edge(n + 1), share_of(*frames, all))], color.mix(0.45).filled())
        }))?;
        let line = cumulative(binned).enumerate().map(|(n, share)| (edge(n), share));
        chart.draw_secondary_series(LineSeries::new(line, color.stroke_width(2)))?;
        // beside the title, where no line is in its way
        let x = if color == DRAWN { 640 } else { 780 };
        area.draw(&PathElement::new([(x, 22), (x + 24, 22)], color.stroke_width(4)))?;
        area.draw_text(label, &font(14), (x + 32, 14))?;
    }
    Ok(())
}

/// The share in percent that lies below each edge, from the first to the last.
fn cumulative(binned: &Binned) -> impl Iterator<Item = f64> {
    let all = binned.total();
    let sums = binned.bins.iter().scan(binned.below, |sum, n| {
        *sum += n;
        Some(*sum)
    });
    std::iter::once(binned.below).chain(sums).map(move |n| share_of(n, all))
}

fn runs(area: &Area<'_>, shown: &Shown) -> Drawn {
    const TITLE: &str = "Lost in a row: how often, by number of frames";
    let groups = shown.lost.grouped_runs();
    if groups.is_empty() {
        return say(area, TITLE, "no frame is lost");
    }
    let most = groups.iter().map(|group| group.count).max().unwrap_or(0) as f64;
    let names: Vec<String> = groups
        .iter()
        .map(|group| match group.lengths {
            [from, to] if from == to => from.to_string(),
            [from, to] => format!("{from}–{to}"),
        })
        .collect();
    // few bars stay bars
    let count = groups.len().max(8);
    area.draw_text(TITLE, &font(18), AT)?;
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .margin_top(TOP)
        .x_label_area_size(40)
        .y_label_area_size(64)
        .margin_right(RIGHT)
        .build_cartesian_2d(0.0..count as f64, 0.0..most * 1.15)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .disable_x_axis()
        .light_line_style(GROUND)
        .bold_line_style(MESH)
        .label_style(font(14))
        .axis_desc_style(font(14))
        .y_desc("runs")
        .draw()?;
    chart.draw_series(groups.iter().enumerate().map(|(n, group)| {
        Rectangle::new([(n as f64 + 0.15, 0.0), (n as f64 + 0.85, group.count as f64)], MET.mix(0.7).filled())
    }))?;
    // the axis knows numbers only: names and counts are put where their bars are
    let plot = chart.plotting_area();
    for (n, (group, name)) in groups.iter().zip(&names).enumerate() {
        let middle = plot.map_coordinate(&(n as f64 + 0.5, 0.0));
        let top = plot.map_coordinate(&(n as f64 + 0.5, group.count as f64));
        centred(area, name, (middle.0, middle.1 + 8))?;
        centred(area, &group.count.to_string(), (top.0, top.1 - 18))?;
    }
    Ok(())
}

/// `at` in the picture's own coordinates.
fn centred(area: &Area<'_>, text: &str, at: (i32, i32)) -> Drawn {
    use plotters::style::text_anchor::{HPos, Pos, VPos};
    let base = area.get_base_pixel();
    area.draw_text(text, &font(14).pos(Pos::new(HPos::Center, VPos::Top)), (at.0 - base.0, at.1 - base.1))?;
    Ok(())
}

fn rates(area: &Area<'_>, shown: &Shown) -> Drawn {
    let over_time = &shown.rate;
    let whom = if over_time.greedy { "while frames always wait for the wire" } else { "of the frames offered" };
    let title = format!("Rate of what arrives, {whom}: {} in the mean", rate(over_time.mean_bps));
    let most = over_time.bps.iter().copied().max().unwrap_or(0);
    if most == 0 {
        return say(area, &title, "no frame arrives");
    }
    let count = over_time.bps.len();
    let (scale, name) = unit(over_time.slice_ns.saturating_mul(count as u64));
    let (per, of) = match most {
        0..1_000 => (1.0, "bit/s"),
        1_000..1_000_000 => (1e3, "kbit/s"),
        1_000_000..1_000_000_000 => (1e6, "Mbit/s"),
        _ => (1e9, "Gbit/s"),
    };
    let x = |n: usize| n as f64 * over_time.slice_ns as f64 / scale as f64;
    area.draw_text(&title, &font(18), AT)?;
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .margin_top(TOP)
        .x_label_area_size(40)
        .y_label_area_size(64)
        .margin_right(RIGHT)
        .build_cartesian_2d(0.0..x(count), 0.0..most as f64 / per * 1.08)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(GROUND)
        .bold_line_style(MESH)
        .label_style(font(14))
        .axis_desc_style(font(14))
        .x_desc(format!("time in {name}"))
        .y_desc(of)
        .draw()?;
    chart.draw_series(
        over_time
            .bps
            .iter()
            .enumerate()
            .filter(|(_, bps)| **bps > 0)
            .map(|(n, bps)| Rectangle::new([(x(n), 0.0), (x(n + 1), *bps as f64 / per)], MET.mix(0.6).filled())),
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_after_link_and_end() {
        let name = |link: &str, to: &str| file_name(&Name { link: link.into(), from: "x".into(), to: to.into() });
        assert_eq!(name("wifi", "alice.wlan0"), "wifi-toward-alice.wlan0.svg");
        assert_eq!(name("a", "../b:c"), "a-toward-.._b_c.svg");
    }

    #[test]
    fn shares_add_up_to_all_but_what_lies_beyond() {
        let binned = Binned { below: 1, bins: vec![2, 0, 5], above: 2 };
        assert_eq!(cumulative(&binned).collect::<Vec<_>>(), [10.0, 30.0, 30.0, 80.0]);
        assert_eq!(cumulative(&Binned::default()).collect::<Vec<_>>(), [0.0]);
    }
}
