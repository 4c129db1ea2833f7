//! DDIM with eta 0 (Song, Meng, Ermon: arXiv 2010.02502), with the timesteps of `diffusers`' `DDIMScheduler`.
//!
//! With eta 0 equation 12 of the paper is `x' = sqrt(a') x0 + sqrt(1 - a') e`, where `x0` and `e` are the picture and the
//! noise that the model sees in `x`, and `a`, `a'` the cumulative alphas of this timestep and of the next, smaller one.

use super::{
    config::Spacing,
    schedule::{Run, Schedule},
};

/// A run of DDIM.
#[derive(Debug)]
pub(super) struct Ddim<'a> {
    schedule: &'a Schedule,
    steps: Vec<Step>,
    done: usize,
}

/// One denoising step.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Step {
    timestep: usize,
    alpha: f64,
    next_alpha: f64,
}

impl<'a> Ddim<'a> {
    pub(super) fn new(schedule: &'a Schedule, count: usize) -> Option<Self> {
        let alphas = &schedule.alphas;
        let stride = alphas.len().checked_div(count).filter(|stride| *stride > 0)?;
        let timesteps = timesteps(schedule, count);
        let step = |timestep: usize| {
            let next_alpha = match timestep.checked_sub(stride) {
                Some(next) => alphas[next],
                None if schedule.config.set_alpha_to_one => 1.0,
                None => alphas[0],
            };
            Step { timestep, alpha: alphas[timestep], next_alpha }
        };
        schedule.holds(&timesteps).then(|| Self { schedule, steps: timesteps.into_iter().map(step).collect(), done: 0 })
    }
}

/// `DDIMScheduler.set_timesteps`.
fn timesteps(schedule: &Schedule, count: usize) -> Vec<usize> {
    let trained = schedule.alphas.len();
    match schedule.config.timestep_spacing.unwrap_or(Spacing::Leading) {
        Spacing::Leading => {
            let stride = trained / count;
            (0..count).rev().map(|i| i * stride + schedule.config.steps_offset).collect()
        }
        Spacing::Trailing => schedule.trailing(count),
        Spacing::Linspace => {
            let stride = (trained - 1) as f64 / (count.max(2) - 1) as f64;
            (0..count).rev().map(|i| (i as f64 * stride).round_ties_even() as usize).collect()
        }
    }
}

impl Run for Ddim<'_> {
    fn timesteps(&self) -> Vec<usize> {
        self.steps.iter().map(|step| step.timestep).collect()
    }

    fn advance(&mut self, latent: &mut [f32], prediction: &[f32]) {
        let Some(step) = self.steps.get(self.done) else { return };
        self.done += 1;
        let here = [step.alpha.sqrt(), (1.0 - step.alpha).sqrt()];
        let (next_signal, next_noise) = (step.next_alpha.sqrt(), (1.0 - step.next_alpha).sqrt());
        for (x, output) in latent.iter_mut().zip(prediction) {
            let [picture, noise] = self.schedule.seen(f64::from(*x), f64::from(*output), here);
            let picture = match self.schedule.config.clip() {
                Some(range) => picture.clamp(-range, range),
                None => picture,
            };
            *x = (next_signal * picture + next_noise * noise) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use oracle::spec::Solver;

    use crate::inference::image::schedule::tests::{assert_close, run};

    // The values of the tests were printed by `DDIMScheduler` of diffusers 0.42.1.

    #[test]
    fn velocities_with_leading_timesteps() {
        let config = serde_json::json!({
            "num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
            "prediction_type": "v_prediction", "steps_offset": 1, "set_alpha_to_one": false, "clip_sample": false,
        });
        let (timesteps, way) = run(Solver::Ddim, config, 4);
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
        let (timesteps, way) = run(Solver::Ddim, config, 3);
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
        let (timesteps, way) = run(Solver::Ddim, config, 3);
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
    fn velocities_from_pure_noise_of_a_cosine_schedule() {
        let config = serde_json::json!({
            "num_train_timesteps": 1000, "beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction",
            "timestep_spacing": "trailing", "rescale_betas_zero_snr": true, "clip_sample": false,
        });
        let (timesteps, way) = run(Solver::Ddim, config, 3);
        assert_eq!(timesteps, [999, 666, 332]);
        assert_close(
            &way,
            &[
                [0.384_576_77, -0.986_239_85, 1.587_903],
                [0.234_721_91, -0.657_940_4, 1.081_158_9],
                [0.050_379_932, -0.263_274_8, 0.476_169_7],
            ],
        );
    }

    #[test]
    fn betas_that_the_file_lists() {
        let config = serde_json::json!({
            "num_train_timesteps": 5, "trained_betas": [0.1, 0.2, 0.3, 0.4, 0.5], "clip_sample": false,
        });
        let (timesteps, way) = run(Solver::Ddim, config, 2);
        assert_eq!(timesteps, [2, 0]);
        assert_close(&way, &[[0.605_663_5, -1.545_403_5, 2.485_143_7], [0.571_758_7, -1.495_665, 2.419_571_4]]);
    }
}
