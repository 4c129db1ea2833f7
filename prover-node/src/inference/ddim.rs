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
