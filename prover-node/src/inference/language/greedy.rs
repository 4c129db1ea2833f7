//! Greedy decoding: always the likeliest token, and of equally likely ones the lowest.

use candle_core::Tensor;
use oracle::spec::TextSpec;

use super::{
    LanguageError,
    model::{Ending, Model},
};

impl Model {
    /// Tells `advance` how many tokens there are after each, and stops when it answers `false`.
    pub(super) fn greedy(
        &self,
        prompt: &[u32],
        spec: &TextSpec,
        advance: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Vec<u32>, LanguageError> {
        let mut cache = self.cache(prompt, spec)?;
        let mut tokens = Vec::new();
        let mut hidden = self.pool.install(|| self.feed(prompt, &mut cache))?;
        loop {
            let logits = self.pool.install(|| self.decoder.logits(&hidden))?;
            tokens.push(likeliest(&logits, tokens.len())?);
            if !advance(tokens.len()) {
                return Err(LanguageError::Cancelled);
            }
            if self.ending(&tokens, spec)? != Ending::NotYet {
                return Ok(tokens);
            }
            let last = &tokens[tokens.len() - 1..];
            hidden = self.pool.install(|| self.feed(last, &mut cache))?;
        }
    }
}

/// For the token at `position` of the text.
fn likeliest(logits: &Tensor, position: usize) -> Result<u32, LanguageError> {
    let logits: Vec<f32> = logits.flatten_all()?.to_vec1()?;
    top(&logits).map(|(token, _)| token).ok_or(LanguageError::NotFinite(position))
}

/// The lowest of the likeliest tokens, with its logit; `None` if that is not a number.
pub(super) fn top(logits: &[f32]) -> Option<(u32, f32)> {
    let best = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let is_number = best.is_finite() && !logits.iter().any(|logit| logit.is_nan());
    let first = logits.iter().position(|logit| *logit == best).filter(|_| is_number)?;
    Some((u32::try_from(first).ok()?, best))
}
