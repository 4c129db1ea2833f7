//! How noise is laid over a picture in training, and at which timesteps a run looks at it, as the schedulers of `diffusers`
//! have it.

use oracle::spec::Solver;

use super::{
    config::{BetaSchedule, Prediction, SchedulerConfig},
    ddim::Ddim,
    unipc::UniPc,
};
use crate::inference::InferenceError;

/// The noise schedule of one model: the model's files state it, the job chooses the solver.
#[derive(Debug)]
pub(super) struct Schedule {
    pub(super) config: SchedulerConfig,
    /// `a[t]`: how much of the picture's variance is left after `t + 1` noising steps.
    pub(super) alphas: Vec<f64>,
}

/// One run from noise to a picture. Without any randomness: a job must come out the same everywhere. It is done on the
/// host in f64, since a latent is small, so that it does not depend on the device either.
pub(super) trait Run {
    /// What the UNet is told, noisiest first.
    fn timesteps(&self) -> Vec<usize>;

    /// Moves `latent` to the next timestep, given what the model predicts for it at this one.
    fn advance(&mut self, latent: &mut [f32], prediction: &[f32]);
}

impl Schedule {
    /// Refuses what no run can be made of.
    pub(super) fn new(config: SchedulerConfig) -> Result<Self, InferenceError> {
        config.check()?;
        let betas = betas(&config);
        config.check_betas(&betas)?;
        let mut product = 1.0;
        let mut alphas: Vec<f64> = betas
            .iter()
            .map(|beta| {
                product *= 1.0 - beta;
                product
            })
            .collect();
        if config.rescale_betas_zero_snr {
            rescale_to_zero_snr(&mut alphas);
        }
        Ok(Self { config, alphas })
    }

    /// A run of `count` steps. `None` if the schedule has no such run: more steps than it was trained with.
    pub(super) fn run(&self, solver: Solver, count: usize) -> Option<Box<dyn Run + '_>> {
        Some(match solver {
            Solver::Ddim => Box::new(Ddim::new(self, count)?),
            Solver::UniPc => Box::new(UniPc::new(self, count)?),
        })
    }

    /// The picture and the noise that the model sees in the value `x`, of which `signal` and `noise` are the amplitudes.
    pub(super) fn seen(&self, x: f64, output: f64, [signal, noise]: [f64; 2]) -> [f64; 2] {
        match self.config.prediction_type {
            Prediction::Epsilon => [(x - noise * output) / signal, output],
            Prediction::VPrediction => [signal * x - noise * output, signal * output + noise * x],
        }
    }

    /// With `trailing` spacing all solvers look at the same times: `round(T - i T / count) - 1`.
    pub(super) fn trailing(&self, count: usize) -> Vec<usize> {
        let trained = self.alphas.len() as f64;
        let at = |i: usize| (trained - i as f64 * (trained / count as f64)).round_ties_even() as usize;
        (0..count).map(|i| at(i).saturating_sub(1)).collect()
    }

    /// Whether a run can look at these times: they are in the schedule, each earlier than the one before.
    pub(super) fn holds(&self, timesteps: &[usize]) -> bool {
        !timesteps.is_empty()
            && timesteps.iter().all(|timestep| *timestep < self.alphas.len())
            && timesteps.windows(2).all(|pair| pair[0] > pair[1])
    }
}

fn betas(config: &SchedulerConfig) -> Vec<f64> {
    let SchedulerConfig { beta_start, beta_end, num_train_timesteps: trained, .. } = *config;
    let linear = |from: f64, to: f64, i: usize| from + (to - from) * i as f64 / (trained.max(2) - 1) as f64;
    if let Some(betas) = &config.trained_betas {
        return betas.clone();
    }
    let beta = |i| match config.beta_schedule {
        BetaSchedule::Linear => linear(beta_start, beta_end, i),
        BetaSchedule::ScaledLinear => linear(beta_start.sqrt(), beta_end.sqrt(), i).powi(2),
        BetaSchedule::SquaredcosCapV2 => {
            let left = |i: usize| cosine(i as f64 / trained as f64);
            (1.0 - left(i + 1) / left(i)).min(0.999)
        }
    };
    (0..trained).map(beta).collect()
}

/// The cumulative alpha of arXiv 2102.09672 at the fraction `t` of the way.
fn cosine(t: f64) -> f64 {
    libm::cos((t + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2).powi(2)
}

/// Algorithm 1 of arXiv 2305.08891: nothing of the picture is left at the last timestep.
fn rescale_to_zero_snr(alphas: &mut [f64]) {
    let (Some(first), Some(last)) = (alphas.first(), alphas.last()) else { return };
    let (first, last) = (first.sqrt(), last.sqrt());
    for alpha in alphas {
        *alpha = ((alpha.sqrt() - last) * first / (first - last)).powi(2);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests {
    use super::*;

    /// Runs the scheduler `config` on three values with predictions of ours; gives the timesteps and the value after each
    /// step.
    pub(in super::super) fn run(
        solver: Solver,
        config: serde_json::Value,
        count: usize,
    ) -> (Vec<usize>, Vec<[f32; 3]>) {
        let schedule = Schedule::new(serde_json::from_value(config).unwrap()).unwrap();
        let mut run = schedule.run(solver, count).unwrap();
        let timesteps = run.timesteps();
        let mut latent = [0.5, -1.25, 2.0];
        let way = (1..=timesteps.len()).map(|i| {
            run.advance(&mut latent, &[0.1, -0.2, 0.3].map(|p| p * i as f32));
            latent
        });
        let way = way.collect();
        (timesteps, way)
    }

    pub(in super::super) fn assert_close(way: &[[f32; 3]], expected: &[[f32; 3]]) {
        assert_eq!(way.len(), expected.len());
        for (value, expected) in way.as_flattened().iter().zip(expected.as_flattened()) {
            assert!((value - expected).abs() <= 1e-5 * expected.abs().max(1.0), "{way:?} is not {expected:?}");
        }
    }

    #[test]
    fn there_are_no_more_steps_than_were_trained() {
        let config = serde_json::json!({
            "num_train_timesteps": 10, "beta_start": 0.1, "beta_end": 0.2, "beta_schedule": "linear", "steps_offset": 1,
            "timestep_spacing": "leading",
        });
        let schedule = Schedule::new(serde_json::from_value(config).unwrap()).unwrap();
        let has = |solver, count| schedule.run(solver, count).is_some();
        assert!(!has(Solver::Ddim, 0) && !has(Solver::UniPc, 0));
        assert!(has(Solver::Ddim, 5) && has(Solver::UniPc, 4));
        assert!(!has(Solver::Ddim, 10), "the offset leads beyond the schedule");
        assert!(!has(Solver::Ddim, 11) && !has(Solver::UniPc, 10));
    }
}
