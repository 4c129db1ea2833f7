//! A picture of the region: on the left the bond at which fraud loses, on the right how often honest seats are slashed.

use std::ops::Range;

use eyre::Result;
use plotters::prelude::*;

use super::{
    HONEST_SLASHED,
    region::{Curve, RINGS},
};
use crate::commands::plot::{BLUE, DARK, GREEN, ORANGE, PURPLE, Panel, TITLE, legend, svg};

/// Pixels.
const SIZE: (u32, u32) = (1_260, 460);

/// Bonds in shares, and shares of jobs, that are shown.
const BONDS: Range<f64> = 1e-2..1e3;
const SLASHED: Range<f64> = 1e-9..1.0;

/// Of the curves, in their order.
const COLOURS: [RGBColor; 4] = [BLUE, GREEN, ORANGE, PURPLE];

type Line = (RGBColor, Vec<(f64, f64)>);

/// What stands in a panel.
struct Picture {
    lines: Vec<Line>,
    pale: Vec<Line>,
    circles: Vec<Line>,
}

/// As SVG: for a pool of so many seats with so many shares at risk.
pub(super) fn draw(curves: &[Curve], seats: u32, bond: f64) -> Result<String> {
    let coloured = || COLOURS.into_iter().zip(curves);
    let lines = |points: fn(&Curve) -> Vec<(f64, f64)>| -> Vec<Line> {
        coloured().map(|(colour, curve)| (colour, points(curve))).collect()
    };
    let bonds = Picture {
        lines: lines(|curve| curve.exact.iter().filter_map(|exact| Some((exact.ring, exact.bond?))).collect()),
        pale: Vec::new(),
        circles: lines(|curve| curve.played.iter().filter_map(|played| Some((played.ring, played.bond?))).collect()),
    };
    let slashes = Picture {
        lines: lines(|curve| curve.exact.iter().map(|exact| (exact.ring, exact.wrong)).collect()),
        pale: lines(|curve| curve.exact.iter().map(|exact| (exact.ring, exact.wrong_at_once)).collect()),
        circles: lines(|curve| curve.played.iter().map(|played| (played.ring, played.slashed)).collect()),
    };

    svg(SIZE, |root| {
        let panels = root.split_evenly((1, 3));
        draw_panel(&panels[0], "Fraud loses with a bond above, in shares", &bonds, BONDS, bond)?;
        draw_panel(&panels[1], "Jobs in which honest seats are slashed", &slashes, SLASHED, HONEST_SLASHED)?;
        let mut lines: Vec<_> =
            coloured().map(|(colour, curve)| (colour, format!("first committees of {}", curve.committee))).collect();
        lines.push((DARK, format!("a bond of {bond}, and one job in 100,000")));
        lines.extend(
            [
                "lines: exact; circles: played",
                "left: if the first verdict is the last word",
                "right: if somebody watches and appeals",
                "right, pale: without appeals",
            ]
            .map(|text| (WHITE, text.to_owned())),
        );
        legend(&panels[2], &format!("By the ring's share of {seats} seats"), &lines)
    })
}

fn draw_panel(panel: &Panel<'_>, name: &str, picture: &Picture, range: Range<f64>, bound: f64) -> Result<()> {
    let most = f64::from(RINGS.end) / 100.0;
    let mut chart = ChartBuilder::on(panel)
        .caption(name, TITLE)
        .margin(8)
        .x_label_area_size(34)
        .y_label_area_size(52)
        .build_cartesian_2d(0.0..most, range.clone().log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc("share of the pool")
        .y_label_formatter(&|value| format!("{value:.0e}"))
        .draw()?;
    // What is not on the scale is left out.
    let shown = |points: &[(f64, f64)]| -> Vec<_> {
        points.iter().copied().filter(|(_, value)| range.contains(value)).collect()
    };
    chart.draw_series(LineSeries::new([(0.0, bound), (most, bound)], DARK.stroke_width(1)))?;
    for (colour, points) in &picture.pale {
        chart.draw_series(LineSeries::new(shown(points), colour.mix(0.35).stroke_width(1)))?;
    }
    for (colour, points) in &picture.lines {
        chart.draw_series(LineSeries::new(shown(points), colour.stroke_width(2)))?;
    }
    for (colour, points) in &picture.circles {
        chart.draw_series(shown(points).into_iter().map(|point| Circle::new(point, 4, colour.stroke_width(1))))?;
    }
    Ok(())
}
