//! A picture of what was measured: by distance, the honest pairs that are further apart, and the others that are not.

use eyre::Result;
use oracle::{
    digest::{LANES, MAX_REJECT, ToleranceProfile},
    tolerance::{Distances, Measurement, Share},
};
use plotters::prelude::*;

use crate::commands::plot::{BLUE, DARK, GREY, LIGHT, ORANGE, Panel, TITLE, legend, svg};

/// Pixels.
const SIZE: (u32, u32) = (1_080, 620);

/// The smallest share that is shown.
const LEAST: f64 = 1e-6;

const HONEST: RGBColor = BLUE;
const SAME_PROMPT: RGBColor = ORANGE;
const OTHER_PROMPT: RGBColor = GREY;
const ACCEPT: RGBColor = LIGHT;
const REJECT: RGBColor = DARK;

/// As SVG.
pub(super) fn draw(measured: &Measurement, profile: Option<&ToleranceProfile>) -> Result<String> {
    svg(SIZE, |root| {
        let panels = root.split_evenly((2, 3));
        let names = LANES.into_iter().chain(["all four lanes"]);
        for (lane, (panel, name)) in panels.iter().zip(names).enumerate() {
            let within = |distances: &Distances, bits: u8| match lane {
                0..4 => distances.within(lane, bits),
                _ => distances.within_all(bits),
            };
            let bounds = profile.filter(|_| lane < 4).map(|profile| (profile.accept[lane], profile.reject[lane]));
            draw_panel(panel, name, measured, within, bounds)?;
        }
        panels.last().map_or(Ok(()), |legend| draw_legend(legend, measured, profile.is_some()))
    })
}

fn draw_panel(
    panel: &Panel<'_>,
    name: &str,
    measured: &Measurement,
    within: impl Fn(&Distances, u8) -> Share,
    bounds: Option<(u8, u8)>,
) -> Result<()> {
    let mut chart = ChartBuilder::on(panel)
        .caption(name, TITLE)
        .margin(8)
        .x_label_area_size(34)
        .y_label_area_size(52)
        .build_cartesian_2d(0_u32..u32::from(MAX_REJECT), (LEAST..1.0).log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc("bits")
        .y_label_formatter(&|share| format!("{share:.0e}"))
        .draw()?;
    if let Some((accept, reject)) = bounds {
        for (bits, colour) in [(accept, ACCEPT), (reject, REJECT)] {
            chart.draw_series([PathElement::new([(bits.into(), LEAST), (bits.into(), 1.0)], colour)])?;
        }
    }
    let beyond = |bits| {
        let Share { count, of } = within(&measured.honest, bits);
        Share { count: of - count, of }
    };
    let lines: [(RGBColor, &dyn Fn(u8) -> Share); 3] = [
        (OTHER_PROMPT, &|bits| within(&measured.other_prompt, bits)),
        (SAME_PROMPT, &|bits| within(&measured.same_prompt, bits)),
        (HONEST, &beyond),
    ];
    for (colour, share) in lines {
        // What was not seen has no place on a logarithmic scale.
        let points = (0..=MAX_REJECT).map(|bits| (u32::from(bits), share(bits).value()));
        let points: Vec<_> = points.filter(|&(_, share)| share >= LEAST).collect();
        chart.draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?;
        chart.draw_series(points.into_iter().map(|point| Circle::new(point, 2, colour.filled())))?;
    }
    Ok(())
}

fn draw_legend(panel: &Panel<'_>, measured: &Measurement, has_profile: bool) -> Result<()> {
    let Measurement { honest, same_prompt, other_prompt, .. } = measured;
    let lines = [
        (HONEST, format!("honest, further apart ({} pairs)", honest.pairs())),
        (SAME_PROMPT, format!("same prompt, other noise, within ({})", same_prompt.pairs())),
        (OTHER_PROMPT, format!("other prompts, within ({})", other_prompt.pairs())),
        (ACCEPT, "the profile's accept distance".to_owned()),
        (REJECT, "its reject distance".to_owned()),
    ];
    let shown = if has_profile { &lines[..] } else { &lines[..3] };
    legend(panel, "Share of pairs, by distance", shown)
}
