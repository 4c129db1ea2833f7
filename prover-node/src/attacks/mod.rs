//! What somebody could try to pass off as a model's output, to see how often it passes: the frauds of the attack board.
//!
//! With pictures it saves work ([`How`]) or changes what honest work made ([`Edit`]); [`text`] has what there is with texts. Nothing of this is part of a node.

mod collide;
mod edit;
mod kinds;
mod rounding;
pub mod text;

use std::path::{Path, PathBuf};

use candle_core::quantized::GgmlDType;
use oracle::{
    manifest::{LocalModel, Pipeline},
    spec::{ImageSpec, Solver},
};

pub use self::{
    collide::collide,
    edit::Edit,
    kinds::{Kind, Made},
};

/// A way to make pictures that is not what the job says.
#[derive(Debug, Clone, PartialEq)]
pub enum How {
    /// So many percent of the steps.
    Steps(u32),
    /// With this guidance scale, in thousandths; 1000 needs half the work.
    Guidance(u32),
    /// With the solver that was not asked for.
    OtherSolver,
    /// With weights kept in so many bits, in blocks of 32 with a scale each (GGML's Q8_0 and Q4_0).
    Weights(Bits),
    /// At half the size, scaled up.
    Smaller,
    /// By the model in that folder.
    Model(PathBuf),
}

/// What weights are rounded to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bits {
    /// Q8_0.
    Eight,
    /// Q4_0.
    Four,
}

impl Bits {
    fn dtype(self) -> GgmlDType {
        match self {
            Self::Eight => GgmlDType::Q8_0,
            Self::Four => GgmlDType::Q4_0,
        }
    }
}

impl How {
    /// All that need no other model.
    pub const ALL: [Self; 9] = [
        Self::Steps(90),
        Self::Steps(75),
        Self::Steps(50),
        Self::OtherSolver,
        Self::Guidance(2_500),
        Self::Guidance(1_000),
        Self::Weights(Bits::Eight),
        Self::Weights(Bits::Four),
        Self::Smaller,
    ];

    /// For people.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Steps(percent) => format!("{percent} % of the steps"),
            Self::Guidance(1_000) => "no guidance".into(),
            Self::Guidance(scale) => format!("guidance {}", f64::from(*scale) / 1_000.0),
            Self::OtherSolver => "other solver".into(),
            Self::Weights(Bits::Eight) => "8-bit weights".into(),
            Self::Weights(Bits::Four) => "4-bit weights".into(),
            Self::Smaller => "half the size, scaled up".into(),
            Self::Model(folder) => {
                format!("other model: {}", folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy())
            }
        }
    }

    /// The model that is really used; `room` is an empty folder for what has to be made.
    pub fn model(&self, sold: &LocalModel, room: &Path) -> eyre::Result<LocalModel> {
        Ok(match self {
            Self::Weights(bits) => rounding::rounded(sold, bits.dtype(), room)?,
            Self::Model(folder) => LocalModel::open(folder)?,
            Self::Smaller => {
                let mut model = sold.clone();
                if let Pipeline::Image(image) = &mut model.manifest.pipeline {
                    image.bounds.min_side /= 2;
                    image.bounds.side_step /= 2;
                }
                model
            }
            _ => sold.clone(),
        })
    }

    /// What is really made where `spec` is asked for.
    #[must_use]
    pub fn spec(&self, spec: ImageSpec) -> ImageSpec {
        match self {
            Self::Steps(percent) => ImageSpec { steps: (spec.steps * percent / 100).max(1), ..spec },
            Self::Guidance(guidance) => ImageSpec { guidance: *guidance, ..spec },
            Self::OtherSolver => {
                let solver = match spec.solver {
                    Solver::Ddim => Solver::UniPc,
                    Solver::UniPc => Solver::Ddim,
                };
                ImageSpec { solver, ..spec }
            }
            Self::Smaller => ImageSpec { width: spec.width / 2, height: spec.height / 2, ..spec },
            Self::Weights(_) | Self::Model(_) => spec,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use oracle::spec::Spec;

    use super::*;

    #[test]
    fn each_is_another_job_than_the_one_asked_for() {
        let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/emoji-64");
        let Spec::Image(spec) = LocalModel::open(&bundled).unwrap().manifest.pipeline.spec("") else {
            panic!("of a picture")
        };
        for how in How::ALL {
            let same = how.spec(spec.clone()) == spec;
            assert_eq!(same, matches!(how, How::Weights(_)), "{}", how.name());
        }
        assert_eq!(How::Steps(75).spec(spec.clone()).steps, 15);
        assert_eq!(How::Smaller.spec(spec).width, 32);
    }
}
