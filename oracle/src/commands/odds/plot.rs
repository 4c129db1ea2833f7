//! Figure 3 of "Generative AI Reproducibility and Consensus" (arXiv 2307.01898): how often a verdict is right, by the number of
//! verifiers, in both readings.

use std::ops::Range;

use eyre::Result;
use oracle::{
    odds::{Committee, LEAST_MAJORITY},
    round::MOST_SEATS,
};
use plotters::prelude::*;
use serde::Serialize;

use crate::commands::plot::{BLUE, GREEN, ORANGE, Panel, TITLE, legend, svg};

/// Pixels.
const SIZE: (u32, u32) = (1_260, 420);

const MAJORITY: RGBColor = BLUE;
const SUPER_MAJORITY: RGBColor = GREEN;
const BARE_MAJORITY: RGBColor = ORANGE;

/// Chances of a right verdict with so many verifiers, by who is honest and how is decided. Those who are not stand together for
/// a wrong one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Point {
    /// Odd, 3 to 31. The chain takes super-majorities from 5.
    verifiers: u8,
    /// All are honest, and more than half decide.
    all_by_majority: f64,
    /// All are honest, and more than two thirds decide.
    all_by_super_majority: f64,
    /// Just more than half are honest, and more than half decide.
    half_by_majority: f64,
    /// Just more than two thirds are honest, and more than half decide.
    two_thirds_by_majority: f64,
    /// Just more than two thirds are honest, and more than two thirds decide.
    two_thirds_by_super_majority: f64,
}

/// Exact.
pub(super) fn points(agreement: f64) -> Vec<Point> {
    let of = |size: u8| {
        let right =
            |super_majority, honest: u8| Committee { size, super_majority }.right_against(size - honest, agreement);
        Point {
            verifiers: size,
            all_by_majority: right(false, size),
            all_by_super_majority: right(true, size),
            half_by_majority: right(false, size / 2 + 1),
            two_thirds_by_majority: right(false, 2 * size / 3 + 1),
            two_thirds_by_super_majority: right(true, 2 * size / 3 + 1),
        }
    };
    (LEAST_MAJORITY..=MOST_SEATS).step_by(2).map(of).collect()
}

/// As SVG.
pub(super) fn draw(points: &[Point], agreement: f64) -> Result<String> {
    let of =
        |chance: fn(&Point) -> f64| points.iter().map(|point| (i32::from(point.verifiers), chance(point))).collect();
    let all =
        [(SUPER_MAJORITY, of(|point| point.all_by_super_majority)), (MAJORITY, of(|point| point.all_by_majority))];
    let some = [
        (BARE_MAJORITY, of(|point| point.half_by_majority)),
        (SUPER_MAJORITY, of(|point| point.two_thirds_by_super_majority)),
        (MAJORITY, of(|point| point.two_thirds_by_majority)),
    ];
    svg(SIZE, |root| {
        let panels = root.split_evenly((1, 3));
        draw_panel(&panels[0], "all verifiers honest", &all)?;
        draw_panel(&panels[1], "some verifiers honest", &some)?;
        let lines = [
            (WHITE, format!("where an honest verifier agrees with {agreement}")),
            (MAJORITY, "more than half decide;".to_owned()),
            (WHITE, "right: just more than two thirds are honest".to_owned()),
            (SUPER_MAJORITY, "more than two thirds decide;".to_owned()),
            (WHITE, "right: just more than two thirds are honest".to_owned()),
            (BARE_MAJORITY, "more than half decide,".to_owned()),
            (WHITE, "and just more than half are honest".to_owned()),
        ];
        legend(&panels[2], "Chance of a right verdict", &lines)
    })
}

fn draw_panel(panel: &Panel<'_>, name: &str, lines: &[(RGBColor, Vec<(i32, f64)>)]) -> Result<()> {
    let mut chart = ChartBuilder::on(panel)
        .caption(name, TITLE)
        .margin(8)
        .x_label_area_size(34)
        .y_label_area_size(60)
        .build_cartesian_2d(i32::from(LEAST_MAJORITY)..i32::from(MOST_SEATS), range(lines))?;
    chart.configure_mesh().light_line_style(TRANSPARENT).x_desc("verifiers").draw()?;
    for (colour, points) in lines {
        chart.draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?;
        chart.draw_series(points.iter().map(|&point| Circle::new(point, 2, colour.filled())))?;
    }
    Ok(())
}

/// From the smallest chance to 1, with some air.
fn range(lines: &[(RGBColor, Vec<(i32, f64)>)]) -> Range<f64> {
    let least = lines.iter().flat_map(|(_, points)| points).map(|&(_, chance)| chance).fold(1.0, f64::min);
    let air = (0.05 * (1.0 - least)).max(1e-6);
    least - air..1.0 + air
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// With `fractions` and `math.comb` of Python, from the formulas of both readings.
    #[test]
    fn points_are_those_of_the_papers_formulas() {
        let points = points(0.9807);
        let close = |found: f64, expected: f64| assert!((found - expected).abs() < 5e-6, "{found} is not {expected}");
        assert_eq!(points.len(), 15);
        assert_eq!([points[0].verifiers, points[14].verifiers], [3, 31]);
        close(points[0].all_by_majority, 0.998_90);
        close(points[1].all_by_super_majority, 0.996_42);
        close(points[0].half_by_majority, 0.961_77);
        close(points[3].half_by_majority, 0.907_15);
        close(points[3].two_thirds_by_majority, 0.999_76);
        close(points[9].two_thirds_by_super_majority, 0.9807_f64.powi(15));
    }

    #[test]
    fn any_agreement_can_be_drawn() {
        for agreement in [0.0, 0.5, 0.9807, 1.0] {
            let drawn = draw(&points(agreement), agreement).unwrap();
            assert!(drawn.starts_with("<svg") && drawn.ends_with("</svg>\n"), "{agreement}");
        }
    }
}
