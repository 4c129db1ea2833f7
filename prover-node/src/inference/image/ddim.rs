//! DDIM with eta 0 (Song, Meng, Ermon: arXiv 2010.02502), with the schedule and the timesteps of `diffusers`.
//!
//! With eta 0 equation 12 of the paper is `x' = sqrt(a') x0 + sqrt(1 - a') e`, where `x0` and `e` are the picture and the
//! noise that the model sees in `x`, and `a`, `a'` the cumulative alphas of this timestep and of the next, smaller one.
//! It is done on the host: a latent is small, and the result does not depend on the device.

use super::config::{BetaSchedule, Prediction, SchedulerConfig, Spacing};

/// The noise schedule of one model.
#[derive(Debug)]
pub(super) struct Ddim {
    config: SchedulerConfig,
    /// `a[t]`: how much of the picture's variance is left after `t + 1` noising steps.
    alphas: Vec<f64>,
}

/// One denoising step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Step {
    /// What the UNet is told.
    pub(super) timestep: usize,
    alpha: f64,
    next_alpha: f64,
}

impl Ddim {
    pub(super) fn new(config: SchedulerConfig) -> Self {
        let alphas = betas(&config)
            .scan(1.0, |product, beta| {
                *product *= 1.0 - beta;
                Some(*product)
            })
            .collect();
        Self { config, alphas }
    }

    /// The steps of a run, noisiest first. `None` if the schedule has no such run: more steps than it was trained with.
    pub(super) fn steps(&self, count: usize) -> Option<Vec<Step>> {
        let trained = self.alphas.len();
        let stride = trained.checked_div(count).filter(|stride| *stride > 0)?;
        self.timesteps(count)
            .into_iter()
            .map(|timestep| {
                let alpha = *self.alphas.get(timestep)?;
                let next_alpha = match timestep.checked_sub(stride) {
                    Some(next) => self.alphas[next],
                    None if self.config.set_alpha_to_one => 1.0,
                    None => self.alphas[0],
                };
                Some(Step { timestep, alpha, next_alpha })
            })
            .collect()
    }

    /// `DDIMScheduler.set_timesteps`.
    fn timesteps(&self, count: usize) -> Vec<usize> {
        let trained = self.alphas.len();
        match self.config.timestep_spacing {
            Spacing::Leading => {
                let stride = trained / count;
                (0..count).rev().map(|i| i * stride + self.config.steps_offset).collect()
            }
            Spacing::Trailing => {
                let stride = trained as f64 / count as f64;
                let at = |i: usize| (trained as f64 - i as f64 * stride).round_ties_even() as usize;
                (0..count).map(|i| at(i).saturating_sub(1)).collect()
            }
            Spacing::Linspace => {
                let stride = (trained - 1) as f64 / (count.max(2) - 1) as f64;
                (0..count).rev().map(|i| (i as f64 * stride).round_ties_even() as usize).collect()
            }
        }
    }

    /// Moves `latent` one step, given what the model predicts for it.
    pub(super) fn advance(&self, step: Step, latent: &mut [f32], prediction: &[f32]) {
        let (signal, noise) = (step.alpha.sqrt(), (1.0 - step.alpha).sqrt());
        let (next_signal, next_noise) = (step.next_alpha.sqrt(), (1.0 - step.next_alpha).sqrt());
        for (x, output) in latent.iter_mut().zip(prediction) {
            let (xt, output) = (f64::from(*x), f64::from(*output));
            let (picture, epsilon) = match self.config.prediction_type {
                Prediction::Epsilon => ((xt - noise * output) / signal, output),
                Prediction::VPrediction => (signal * xt - noise * output, signal * output + noise * xt),
            };
            let picture = match self.config.clip() {
                Some(range) => picture.clamp(-range, range),
                None => picture,
            };
            *x = (next_signal * picture + next_noise * epsilon) as f32;
        }
    }
}

fn betas(config: &SchedulerConfig) -> impl Iterator<Item = f64> {
    let SchedulerConfig { beta_start, beta_end, beta_schedule, num_train_timesteps: trained, .. } = *config;
    let linear = move |from: f64, to: f64, i: usize| from + (to - from) * i as f64 / (trained.max(2) - 1) as f64;
    (0..trained).map(move |i| match beta_schedule {
        BetaSchedule::Linear => linear(beta_start, beta_end, i),
        BetaSchedule::ScaledLinear => linear(beta_start.sqrt(), beta_end.sqrt(), i).powi(2),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Runs `config` on three values with predictions of ours; gives the timesteps and the value after each step.
    fn run(config: serde_json::Value, count: usize) -> (Vec<usize>, Vec<[f32; 3]>) {
        let ddim = Ddim::new(serde_json::from_value(config).unwrap());
        let mut latent = [0.5, -1.25, 2.0];
        let steps = ddim.steps(count).unwrap();
        let way = (1..).zip(&steps).map(|(i, step)| {
            ddim.advance(*step, &mut latent, &[0.1, -0.2, 0.3].map(|p| p * i as f32));
            latent
        });
        (steps.iter().map(|step| step.timestep).collect(), way.collect())
    }

    fn assert_close(way: &[[f32; 3]], expected: &[[f32; 3]]) {
        for (value, expected) in way.as_flattened().iter().zip(expected.as_flattened()) {
            assert!((value - expected).abs() <= 2e-6 * expected.abs().max(1.0), "{way:?} is not {expected:?}");
        }
    }

    // The values of the three tests were printed by `DDIMScheduler` of diffusers 0.42.1.

    #[test]
    fn velocities_with_leading_timesteps() {
        let config = serde_json::json!({
            "num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
            "prediction_type": "v_prediction", "steps_offset": 1, "set_alpha_to_one": false, "clip_sample": false,
        });
        let (timesteps, way) = run(config, 4);
        assert_eq!(timesteps, [751, 501, 251, 1]);
        assert_close(
            &way,
            &[
                [0.444_737, -1.127_272_4, 1.809_807_5],
                [0.328_468_8, -0.875_109_55, 1.421_750_1],
                [0.115_353_584, -0.414_579_3, 0.713_804_7],
                [0.110_492_53, -0.404_843_66, 0.699_194_55],
            ],
        );
    }

    #[test]
    fn clipped_noise_with_trailing_timesteps() {
        let config = serde_json::json!({
            "num_train_timesteps": 1000, "beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "linear",
            "timestep_spacing": "trailing",
        });
        let (timesteps, way) = run(config, 3);
        assert_eq!(timesteps, [999, 666, 332]);
        assert_close(
            &way,
            &[
                [0.204_254_94, -0.303_704_2, 0.403_153_5],
                [0.193_939_75, 0.176_589_13, -0.069_195_78],
                [-0.094_113_42, 1.0, -1.0],
            ],
        );
    }

    #[test]
    fn noise_with_linspaced_timesteps() {
        let config = serde_json::json!({
            "num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
            "timestep_spacing": "linspace", "clip_sample": false,
        });
        let (timesteps, way) = run(config, 3);
        assert_eq!(timesteps, [999, 500, 0]);
        assert_close(
            &way,
            &[
                [1.995_138_6, -5.177_421_6, 8.359_705],
                [3.200_472_8, -8.425_132, 13.649_795],
                [3.193_083_5, -8.411_214, 13.629_349],
            ],
        );
    }

    #[test]
    fn there_are_no_more_steps_than_were_trained() {
        let config = serde_json::json!({
            "num_train_timesteps": 10, "beta_start": 0.1, "beta_end": 0.2, "beta_schedule": "linear", "steps_offset": 1,
        });
        let ddim = Ddim::new(serde_json::from_value(config).unwrap());
        assert!(ddim.steps(0).is_none());
        assert!(ddim.steps(5).is_some());
        assert!(ddim.steps(10).is_none(), "the offset leads beyond the schedule");
        assert!(ddim.steps(11).is_none());
    }
}
