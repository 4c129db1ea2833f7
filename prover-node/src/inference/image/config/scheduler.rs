//! The scheduler's config: any of the DDPM family.

use serde::Deserialize;

use super::{SCHEDULER_CONFIG, check_sizes, yes};
use crate::inference::{
    InferenceError,
    config::{Config, unsupported},
};

/// Any scheduler of the DDPM family: the schedule is the model's, the solver is the job's. What is missing is what the
/// solver's own scheduler would take, as `from_pretrained` of `diffusers` does it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct SchedulerConfig {
    #[serde(default = "num_train_timesteps")]
    pub(crate) num_train_timesteps: usize,
    #[serde(default = "beta_start")]
    pub(crate) beta_start: f64,
    #[serde(default = "beta_end")]
    pub(crate) beta_end: f64,
    #[serde(default)]
    pub(crate) beta_schedule: BetaSchedule,
    pub(crate) trained_betas: Option<Vec<f64>>,
    #[serde(default)]
    pub(crate) rescale_betas_zero_snr: bool,
    #[serde(default)]
    pub(crate) prediction_type: Prediction,
    pub(crate) timestep_spacing: Option<Spacing>,
    #[serde(default)]
    pub(crate) steps_offset: usize,
    #[serde(default = "yes")]
    pub(crate) set_alpha_to_one: bool,
    #[serde(default = "yes")]
    clip_sample: bool,
    #[serde(default = "one")]
    clip_sample_range: f64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BetaSchedule {
    #[default]
    Linear,
    ScaledLinear,
    SquaredcosCapV2,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Prediction {
    /// The noise.
    #[default]
    Epsilon,
    /// The velocity of arXiv 2202.00512.
    VPrediction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Spacing {
    Leading,
    Trailing,
    Linspace,
}

impl Config for SchedulerConfig {
    const FILE: &'static str = SCHEDULER_CONFIG;
    // The other values that a `solver_type` can have are other solvers', for which UniPC takes its own.
    const FIXED: &'static [(&'static str, &'static str)] = &[
        ("final_sigmas_type", "\"zero\""),
        ("lower_order_final", "true"),
        ("predict_x0", "true"),
        ("solver_order", "2"),
        ("solver_type", "\"bh2\" or \"midpoint\" or \"heun\" or \"logrho\""),
        ("timestep_type", "\"discrete\""),
        ("disable_corrector", "[]"),
    ];
    // Of thresholding and of flows only the switches matter; the rest belongs to other solvers than ours.
    const IGNORED: &'static [&'static str] = &[
        "algorithm_type",
        "dynamic_thresholding_ratio",
        "flow_shift",
        "interpolation_type",
        "sample_max_value",
        "skip_prk_steps",
        "time_shift_type",
        "variance_type",
    ];
}

impl SchedulerConfig {
    /// Refuses what no schedule can be made of.
    pub(crate) fn check(&self) -> Result<(), InferenceError> {
        check_sizes(SCHEDULER_CONFIG, &[("num_train_timesteps", self.num_train_timesteps)])?;
        if self.steps_offset > self.num_train_timesteps {
            return Err(unsupported(SCHEDULER_CONFIG, "steps_offset", self.steps_offset, "up to num_train_timesteps"));
        }
        if self.rescale_betas_zero_snr && self.prediction_type == Prediction::Epsilon {
            let supported = "it with v_prediction: from pure noise, noise alone tells nothing";
            return Err(unsupported(SCHEDULER_CONFIG, "rescale_betas_zero_snr", true, supported));
        }
        Ok(())
    }

    /// Refuses noise that is none: each step adds a part, and neither nothing nor all.
    pub(crate) fn check_betas(&self, betas: &[f64]) -> Result<(), InferenceError> {
        if betas.len() != self.num_train_timesteps {
            return Err(unsupported(
                SCHEDULER_CONFIG,
                "trained_betas",
                format!("a list of {}", betas.len()),
                "num_train_timesteps of them",
            ));
        }
        match betas.iter().find(|beta| !(**beta > 0.0 && **beta < 1.0)) {
            Some(beta) => Err(unsupported(SCHEDULER_CONFIG, "one of its betas", *beta, "those between 0 and 1")),
            None => Ok(()),
        }
    }

    /// The range that predicted pictures are clipped to, if they are.
    pub(crate) fn clip(&self) -> Option<f64> {
        self.clip_sample.then_some(self.clip_sample_range)
    }
}

fn one() -> f64 {
    1.0
}

fn num_train_timesteps() -> usize {
    1_000
}

fn beta_start() -> f64 {
    0.0001
}

fn beta_end() -> f64 {
    0.02
}
