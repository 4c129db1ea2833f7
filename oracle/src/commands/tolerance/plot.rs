//! A picture of what was measured: by distance, the honest pairs that are further apart, and the others that are not.

use eyre::Result;
use oracle::{
    digest::{LANES, MAX_REJECT, ToleranceProfile},
    tolerance::{Distances, Measurement, Share},
};
use plotters::{coord::Shift, prelude::*};

/// Pixels.
const SIZE: (u32, u32) = (1_080, 620);

/// The smallest share that is shown.
const LEAST: f64 = 1e-6;

const HONEST: RGBColor = RGBColor(0x1b, 0x6c, 0xa8);
const SAME_PROMPT: RGBColor = RGBColor(0xc4, 0x4e, 0x1c);
const OTHER_PROMPT: RGBColor = RGBColor(0x7a, 0x7a, 0x7a);
const ACCEPT: RGBColor = RGBColor(0xb5, 0xb5, 0xb5);
const REJECT: RGBColor = RGBColor(0x50, 0x50, 0x50);

/// A part of the picture: a lane, all four, or the legend.
type Panel<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// As SVG.
pub(super) fn draw(measured: &Measurement, profile: Option<&ToleranceProfile>) -> Result<String> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
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
        if let Some(legend) = panels.last() {
            draw_legend(legend, measured, profile.is_some())?;
        }
        root.present()?;
    }
    Ok(svg)
}

fn draw_panel(
    panel: &Panel<'_>,
    name: &str,
    measured: &Measurement,
    within: impl Fn(&Distances, u8) -> Share,
    bounds: Option<(u8, u8)>,
) -> Result<()> {
    let mut chart = ChartBuilder::on(panel)
        .caption(name, ("sans-serif", 16))
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
    panel.draw(&Text::new("Share of pairs, by distance", (24, 24), ("sans-serif", 16)))?;
    let shown = if has_profile { &lines[..] } else { &lines[..3] };
    for (line, (colour, text)) in (0..).zip(shown) {
        let y = 64 + 28 * line;
        panel.draw(&PathElement::new([(24, y), (52, y)], colour.stroke_width(2)))?;
        panel.draw(&Text::new(text.as_str(), (62, y - 7), ("sans-serif", 14)))?;
    }
    Ok(())
}
