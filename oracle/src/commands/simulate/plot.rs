//! Where the protocol keeps what it promises: the bond at which a fraud loses, and how often honest seats are slashed, by the share
//! of the pool that stands together.

use std::ops::Range;

use eyre::Result;
use oracle::{
    odds::{Committee, LEAST_SUPER_MAJORITY, Odds, Pool},
    simulation::{Account, Appeals, Measured, Outcome, Population, Setting, Strategy, play},
};
use plotters::prelude::*;

use super::HONEST_SLASHED;
use crate::commands::{
    plot::{BLUE, DARK, GREEN, ORANGE, PURPLE, Panel, TITLE, legend, svg},
    terminal::Progress,
};

/// Pixels.
const SIZE: (u32, u32) = (1_320, 460);

/// Shares of the pool, in percent: those that are drawn, and those that are played.
const SHARES: Range<u32> = 0..80;
const PLAYED: [u32; 8] = [5, 10, 20, 30, 40, 50, 60, 70];

/// Bonds in shares, and shares of jobs.
const BONDS: Range<f64> = 1e-2..1e3;
const SLASHED: Range<f64> = 1e-9..1.0;

/// Jobs for each point, at least.
const LEAST_JOBS: u64 = 10_000;

/// First committees, each in a colour.
const SIZES: [(u8, RGBColor); 4] = [(3, BLUE), (5, GREEN), (7, ORANGE), (15, PURPLE)];

type Line = (RGBColor, Vec<(f64, f64)>);

/// What stands in a panel: exact lines, paler ones, and what was played.
struct Picture {
    lines: Vec<Line>,
    pale: Vec<Line>,
    points: Vec<Line>,
}

/// As SVG. Plays so many jobs for each point.
pub(super) fn draw(
    measured: &Measured,
    setting: &Setting,
    seats: u32,
    jobs: u64,
    seed: u64,
    progress: &mut Progress,
) -> Result<String> {
    let agreeing = measured.agreeing(&setting.profile).value();
    let (mut bonds, mut slashes) = (Picture::empty(), Picture::empty());
    let least = if setting.committee.super_majority { LEAST_SUPER_MAJORITY } else { 0 };
    let sizes = || SIZES.into_iter().filter(move |&(size, _)| size >= least && u32::from(size) <= seats);
    for (size, colour) in sizes() {
        let setting = Setting { committee: Committee { size, ..setting.committee }, ..*setting };
        let ring = |percent: u32| (f64::from(percent) / 100.0 * f64::from(seats)).round() as u32;
        let odds = |percent: u32| Odds {
            committee: setting.committee,
            pool: Pool::Finite { seats, hostile: ring(percent) },
            agreement: agreeing,
            rejection: 1.0 - agreeing,
        };
        let line = |chance: &dyn Fn(Odds) -> f64| {
            let all = SHARES.filter(|&percent| ring(percent) > 0);
            (colour, all.map(|percent| (f64::from(percent) / 100.0, chance(odds(percent)))).collect())
        };
        bonds.lines.push(line(&|odds| odds.fraud(0.0).bond));
        slashes.lines.push(line(&|odds| odds.appealed().watched));
        slashes.pale.push(line(&|odds| odds.verdicts().wrong));

        for percent in PLAYED {
            progress.step(format!("playing committees of {size} with a ring of {percent} % of the pool"));
            let population = Population { honest: seats - ring(percent), ring: ring(percent), ..Population::default() };
            let outcome = |appeals| {
                let setting = Setting { appeals, ..setting };
                play(measured, &setting, &population, jobs.max(LEAST_JOBS), seed)
            };
            let share = f64::from(percent) / 100.0;
            bonds
                .points
                .push((colour, even(&outcome(Appeals::Nobody)?).map(|bond| (share, bond)).into_iter().collect()));
            slashes.points.push((colour, vec![(share, outcome(Appeals::Watched)?.honest_slashed.value())]));
        }
    }

    svg(SIZE, |root| {
        let panels = root.split_evenly((1, 3));
        let title = "Fraud loses with a bond above, in shares";
        draw_panel(&panels[0], title, &bonds, BONDS, setting.bond)?;
        let title = "Jobs in which honest seats are slashed";
        draw_panel(&panels[1], title, &slashes, SLASHED, HONEST_SLASHED)?;
        let mut lines: Vec<_> = sizes().map(|(size, colour)| (colour, format!("first committees of {size}"))).collect();
        lines.push((DARK, format!("the bond of {}, and one job in 100,000", setting.bond)));
        lines.push((WHITE, "lines: exact; circles: played".to_owned()));
        lines.push((WHITE, "left: if the first verdict is the last word".to_owned()));
        lines.push((WHITE, "right: if somebody watches and appeals".to_owned()));
        lines.push((WHITE, "right, pale: without appeals".to_owned()));
        legend(&panels[2], &format!("By the ring's share of {seats} seats"), &lines)
    })
}

/// The bond at which the ring neither gains nor loses; none if it was never slashed.
fn even(outcome: &Outcome) -> Option<f64> {
    let ring = outcome.accounts.iter().find(|account| account.strategy == Strategy::Ring);
    ring.filter(|Account { slashed, .. }| *slashed > 0).map(|ring| ring.earned / ring.slashed as f64)
}

fn draw_panel(panel: &Panel<'_>, name: &str, picture: &Picture, range: Range<f64>, bound: f64) -> Result<()> {
    let most = f64::from(SHARES.end) / 100.0;
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
    for (colour, points) in &picture.points {
        chart.draw_series(shown(points).into_iter().map(|point| Circle::new(point, 4, colour.stroke_width(1))))?;
    }
    Ok(())
}

impl Picture {
    fn empty() -> Self {
        Self { lines: Vec::new(), pale: Vec::new(), points: Vec::new() }
    }
}
