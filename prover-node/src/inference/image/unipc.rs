//! UniPC (Zhao et al.: arXiv 2302.04867) of order 2 on the predicted picture, with `B(h) = exp(h) - 1`, as `diffusers`'
//! `UniPCMultistepScheduler` has it by default: a predictor for the next timestep, which is corrected by what the model
//! then says there, at no further prediction.
//!
//! Steps are counted in half the logarithm of the signal-to-noise ratio, `l = ln(signal / noise)`.

use super::{
    config::Spacing,
    schedule::{Run, Schedule},
};

/// A run of UniPC.
#[derive(Debug)]
pub(super) struct UniPc<'a> {
    schedule: &'a Schedule,
    timesteps: Vec<usize>,
    /// Of each timestep, and then of the picture.
    points: Vec<Point>,
    done: usize,
    /// The order of the last predictor.
    order: usize,
    /// Where that one started.
    start: Vec<f64>,
    /// The pictures that were predicted at the last two timesteps, the later one first.
    pictures: [Vec<f64>; 2],
}

/// How much of a latent is picture.
#[derive(Debug, Clone, Copy)]
struct Point {
    signal: f64,
    noise: f64,
}

impl Point {
    fn new(alpha: f64) -> Self {
        Self { signal: alpha.sqrt(), noise: (1.0 - alpha).sqrt() }
    }

    /// Infinite where there is no noise left.
    fn log_ratio(self) -> f64 {
        libm::log(self.signal) - libm::log(self.noise)
    }
}

/// From one point to another.
#[derive(Debug, Clone, Copy)]
struct Stride {
    /// What is left of the value at the start.
    keep: f64,
    /// `B(h)` of the target's signal, negative.
    gain: f64,
    h: f64,
    from: Point,
}

impl Stride {
    fn new(from: Point, to: Point) -> Self {
        let h = to.log_ratio() - from.log_ratio();
        Self { keep: to.noise / from.noise, gain: to.signal * libm::expm1(-h), h, from }
    }

    /// Where `point` lies before the start, in strides.
    fn ratio(&self, point: Point) -> f64 {
        (point.log_ratio() - self.from.log_ratio()) / self.h
    }

    /// The weights of the difference to the picture before and of the difference to the picture at the target.
    fn corrector(&self, before: f64) -> [f64; 2] {
        let first = libm::expm1(-self.h) / -self.h - 1.0;
        let second = first / -self.h - 0.5;
        let (first, second) = (first / libm::expm1(-self.h), 2.0 * second / libm::expm1(-self.h));
        let of_before = (first - second) / (1.0 - before);
        [of_before, first - of_before]
    }
}

impl<'a> UniPc<'a> {
    pub(super) fn new(schedule: &'a Schedule, count: usize) -> Option<Self> {
        let timesteps = timesteps(schedule, count)?;
        if !schedule.holds(&timesteps) {
            return None;
        }
        // Of a schedule that ends in pure noise, the last alpha is not taken for zero: its logarithm is needed.
        let point = |timestep: &usize| Point::new(schedule.alphas[*timestep].max(LEAST_ALPHA));
        let points = timesteps.iter().map(point).chain([Point::new(1.0)]).collect();
        Some(Self { schedule, timesteps, points, done: 0, order: 0, start: vec![], pictures: [vec![], vec![]] })
    }

    /// The value at this timestep, now that the model has spoken.
    fn correct(&self, now: &[f64]) -> Vec<f64> {
        let stride = Stride::new(self.points[self.done - 1], self.points[self.done]);
        let [last, before] = &self.pictures;
        let ratio = match self.order {
            2 => stride.ratio(self.points[self.done - 2]),
            _ => 1.0,
        };
        let [of_before, of_now] = match self.order {
            2 => stride.corrector(ratio),
            _ => [0.0, 0.5],
        };
        let correct = |i: usize| {
            let slope = before.get(i).map_or(0.0, |before| (before - last[i]) / ratio);
            let bend = of_before * slope + of_now * (now[i] - last[i]);
            stride.keep * self.start[i] - stride.gain * (last[i] + bend)
        };
        (0..now.len()).map(correct).collect()
    }

    /// The value at the next timestep, from the pictures seen so far.
    fn predict(&self) -> Vec<f64> {
        let stride = Stride::new(self.points[self.done], self.points[self.done + 1]);
        let [last, before] = &self.pictures;
        let ratio = match self.order {
            2 => stride.ratio(self.points[self.done - 1]),
            _ => 1.0,
        };
        let predict = |i: usize| {
            let slope = match self.order {
                2 => (before[i] - last[i]) / ratio,
                _ => 0.0,
            };
            stride.keep * self.start[i] - stride.gain * (last[i] + 0.5 * slope)
        };
        (0..last.len()).map(predict).collect()
    }
}

/// As in `diffusers`: the smallest number of half precision.
const LEAST_ALPHA: f64 = 1.0 / (1u64 << 24) as f64;

/// `UniPCMultistepScheduler.set_timesteps`.
fn timesteps(schedule: &Schedule, count: usize) -> Option<Vec<usize>> {
    let trained = schedule.alphas.len();
    // One time more than there are steps, of which the least is left out.
    let spaces = count.checked_add(1).filter(|spaces| *spaces > 1 && *spaces <= trained)?;
    Some(match schedule.config.timestep_spacing.unwrap_or(Spacing::Linspace) {
        Spacing::Leading => {
            let stride = trained / spaces;
            (1..=count).rev().map(|i| i * stride + schedule.config.steps_offset).collect()
        }
        Spacing::Trailing => schedule.trailing(count),
        Spacing::Linspace => {
            let stride = (trained - 1) as f64 / count as f64;
            (1..=count).rev().map(|i| (i as f64 * stride).round_ties_even() as usize).collect()
        }
    })
}

impl Run for UniPc<'_> {
    fn timesteps(&self) -> Vec<usize> {
        self.timesteps.clone()
    }

    fn advance(&mut self, latent: &mut [f32], prediction: &[f32]) {
        if self.done >= self.timesteps.len() {
            return;
        }
        let Point { signal, noise } = self.points[self.done];
        let values = latent.iter().map(|x| f64::from(*x));
        let seen = values.clone().zip(prediction).map(|(x, output)| {
            let [picture, _] = self.schedule.seen(x, f64::from(*output), [signal, noise]);
            picture
        });
        let picture: Vec<f64> = seen.collect();
        self.start = if self.done > 0 { self.correct(&picture) } else { values.collect() };
        self.pictures.rotate_right(1);
        self.pictures[0] = picture;

        // The first step knows one picture only, and the last one leads to where there is no noise.
        self.order = 2.min(self.done + 1).min(self.timesteps.len() - self.done);
        for (x, value) in latent.iter_mut().zip(self.predict()) {
            *x = value as f32;
        }
        self.done += 1;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use oracle::spec::Solver;
    use serde_json::{Value, json};

    use crate::inference::image::schedule::tests::{assert_close, run};

    fn schedule(others: &Value) -> Value {
        let mut schedule = json!({
            "num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
        });
        schedule.as_object_mut().unwrap().extend(others.as_object().unwrap().clone());
        schedule
    }

    // The values of the tests were printed by `UniPCMultistepScheduler` of diffusers 0.42.1.

    #[test]
    fn noise_with_the_timesteps_of_a_file_that_states_none() {
        let (timesteps, way) = run(Solver::UniPc, schedule(&json!({})), 4);
        assert_eq!(timesteps, [999, 749, 500, 250]);
        assert_close(
            &way,
            &[
                [1.492_255_3, -3.855_957_3, 6.219_659_3],
                [2.959_946_6, -7.845_017, 12.730_087],
                [4.322_543_6, -11.651_202, 18.979_862],
                [4.987_625_6, -13.637_456, 22.287_287],
            ],
        );
    }

    #[test]
    fn velocities_from_pure_noise() {
        let config = json!({
            "prediction_type": "v_prediction", "timestep_spacing": "trailing", "rescale_betas_zero_snr": true,
        });
        let (timesteps, way) = run(Solver::UniPc, schedule(&config), 3);
        assert_eq!(timesteps, [999, 666, 332]);
        assert_close(
            &way,
            &[
                [0.453_363_3, -1.147_129_2, 1.840_895],
                [0.300_534_5, -0.819_867_73, 1.339_201],
                [0.003_923_550_2, -0.163_847_6, 0.323_771_72],
            ],
        );
    }

    #[test]
    fn noise_with_leading_timesteps() {
        let (timesteps, way) =
            run(Solver::UniPc, schedule(&json!({ "timestep_spacing": "leading", "steps_offset": 1 })), 6);
        assert_eq!(timesteps, [853, 711, 569, 427, 285, 143]);
        assert_close(
            &way,
            &[
                [0.831_377_6, -2.120_986, 3.410_594],
                [1.149_271_6, -3.027_790_3, 4.906_308_7],
                [1.438_262_2, -3.903_414_2, 6.368_566],
                [1.653_064_1, -4.609_9, 7.566_734_3],
                [1.747_117_5, -5.014_929, 8.282_74],
                [1.644_792_9, -4.951_164, 8.257_534],
            ],
        );
    }

    #[test]
    fn a_single_step() {
        let (timesteps, way) = run(Solver::UniPc, schedule(&json!({ "timestep_spacing": "trailing" })), 1);
        assert_eq!(timesteps, [999]);
        assert_close(&way, &[[5.862_945, -15.388_095, 24.913_244]]);
    }
}
