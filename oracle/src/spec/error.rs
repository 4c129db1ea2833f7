//! Why a model cannot be asked for something.

use super::{MAX_MESSAGES, MAX_PROMPT_BYTES};

/// A spec that a model cannot be asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// One of the prompts is too long.
    #[error("the {which} has {bytes} bytes; at most {MAX_PROMPT_BYTES} are allowed")]
    PromptTooLong {
        /// Which of the two.
        which: &'static str,
        /// Its length.
        bytes: usize,
    },
    /// The model does not make this size.
    #[error(
        "the size {width}x{height} is out of bounds: this model takes sides of {min} to {max} pixels in steps of {step}"
    )]
    Size {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
        /// Least side.
        min: u32,
        /// Largest side.
        max: u32,
        /// Sides are multiples of this.
        step: u32,
    },
    /// Too few or too many steps.
    #[error("{steps} steps are out of bounds: this model takes 1 to {max}")]
    Steps {
        /// Asked for.
        steps: u32,
        /// At most.
        max: u32,
    },
    /// Nothing was said, or too often.
    #[error("there are {0} messages; a text takes 1 to {MAX_MESSAGES}")]
    Messages(usize),
    /// Another kind of model.
    #[error("this model makes {makes}: ask it for that")]
    Kind {
        /// In the plural.
        makes: &'static str,
    },
    /// The messages and stops are too long.
    #[error("the messages and stops have {0} bytes together; at most {MAX_PROMPT_BYTES} are allowed")]
    MessagesTooLong(usize),
    /// Too few or too many tokens.
    #[error("{tokens} tokens are out of bounds: this model writes 1 to {max}")]
    Tokens {
        /// Asked for.
        tokens: u32,
        /// At most.
        max: u32,
    },
    /// Too few or too many beams.
    #[error("{beams} beams are out of bounds: this model follows 1 to {max}")]
    Beams {
        /// Asked for.
        beams: u8,
        /// At most.
        max: u8,
    },
    /// Guidance beyond what was tried.
    #[error("guidance {}.{:03} is out of bounds: this model takes at most {}.{:03}", guidance / 1000, guidance % 1000, max / 1000, max % 1000)]
    Guidance {
        /// In thousandths.
        guidance: u32,
        /// In thousandths.
        max: u32,
    },
}
