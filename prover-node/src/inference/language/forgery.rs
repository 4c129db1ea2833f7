//! What somebody hands in who does not write as he is asked to: to measure how often it passes. No job asks for any of this.

use std::ops::ControlFlow;

use alloy::primitives::B256;
use oracle::{output::Text, spec::TextSpec};
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{Rng as _, SeedableRng as _},
};

use super::{LanguageError, check, model::Model};

impl Model {
    /// Texts whose tokens are drawn by chance, each as often as the softmax of the logits says (temperature 1): the same
    /// seed draws the same on one machine.
    pub fn sample(&self, jobs: &[(TextSpec, B256)]) -> Result<Vec<Text>, LanguageError> {
        let draft = |(spec, seed): &(TextSpec, B256)| {
            let mut draft = self.draft(spec)?;
            draft.chance = Some(ChaCha20Rng::from_seed(seed.0));
            Ok(draft)
        };
        let mut texts = Vec::new();
        for together in jobs.chunks(self.at_once()) {
            texts.extend(self.complete(together.iter().map(draft).collect::<Result<_, LanguageError>>()?)?);
        }
        Ok(texts)
    }

    /// `claim` with one token changed into the second likeliest, where that is the least below the likeliest; among the
    /// changes after which the text still ends where it must. Unchanged if there is none.
    pub fn forge_token(&self, spec: &TextSpec, claim: &[u32]) -> Result<Vec<u32>, LanguageError> {
        let mut changes = Vec::new();
        check::read(self, spec, claim, |start, logits| {
            let rows = logits.chunks(self.decoder.config().vocabulary);
            for (logits, (position, likeliest)) in rows.zip(claim.iter().enumerate().skip(start)) {
                let others = logits.iter().zip(0_u32..).filter(|(_, token)| token != likeliest);
                if let Some((logit, token)) = others.max_by(|(one, _), (other, _)| one.total_cmp(other)) {
                    changes.push((logits[*likeliest as usize] - logit, position, token));
                }
            }
            Ok(ControlFlow::<()>::Continue(()))
        })?;
        changes.sort_by(|(one, ..), (other, ..)| one.total_cmp(other));
        for (_, position, token) in changes {
            let mut forged = claim.to_vec();
            forged[position] = token;
            if check::misshapen(self, spec, &forged)?.is_none() {
                return Ok(forged);
            }
        }
        Ok(claim.to_vec())
    }

    /// The first half of `claim`, and an end token after it as if the text were over.
    #[must_use]
    pub fn cut_short(&self, claim: &[u32]) -> Vec<u32> {
        claim[..claim.len() / 2].iter().copied().chain(self.ends().first().copied()).collect()
    }

    /// Words from elsewhere as this model would have written them: in its tokens, and over where `spec` has it.
    pub fn retell(&self, spec: &TextSpec, words: &str) -> Result<Vec<u32>, LanguageError> {
        let mut tokens = self.words.tokens(words)?;
        tokens.extend(self.ends().first());
        tokens.truncate(spec.max_tokens as usize);
        Ok(tokens)
    }
}

/// A token, each as often as it is likely; `None` if the logits are no numbers.
pub(super) fn drawn(logits: &[f32], chance: &mut ChaCha20Rng) -> Option<u32> {
    // 53 bits: from 0 up to, and without, 1.
    at(logits, (chance.next_u64() >> 11) as f64 / (1_u64 << 53) as f64)
}

/// The token in whose part of all probabilities, one after the other from 0 to 1, `point` lies.
fn at(logits: &[f32], point: f64) -> Option<u32> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weight = |logit: &f32| f64::from(logit - top).exp();
    let sum: f64 = logits.iter().map(weight).sum();
    if !sum.is_finite() {
        return None;
    }
    let mut left = point * sum;
    let found = logits.iter().map(weight).position(|weight| {
        left -= weight;
        left < 0.0
    });
    u32::try_from(found.unwrap_or(logits.len() - 1)).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_drawn_as_often_as_they_are_likely() {
        let logits = [0.0, 2_f32.ln(), f32::NEG_INFINITY, 5_f32.ln()];
        let count = |token| (0..800).filter(|i| at(&logits, f64::from(*i) / 800.0) == Some(token)).count();
        assert_eq!([0, 1, 2, 3].map(count), [100, 200, 0, 500]);
        assert_eq!(at(&[1.0, f32::NAN], 0.5), None);
    }
}
