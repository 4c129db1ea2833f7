//! Beam search, as `transformers` 5 does it with `length_penalty=1.0` and `early_stopping=False`.
//!
//! With `n` beams and a score that is the sum of log probabilities (of the softmax, in f32):
//!
//! 1. Of all continuations of the running sequences by one token, the best `n x max(2, 1 + end tokens)` are looked at,
//!    best first. Between equal scores the lower token goes first, then the better sequence.
//! 2. A continuation is over with an end token, with a stop sequence in its text, or with the last token that was asked
//!    for. Those that are over and among the first `n` enter the list of finished texts with their score divided by
//!    their number of tokens; the list keeps the best `n`. Between equals the older stays first.
//! 3. The first `n` that are not over go on.
//! 4. It ends when none goes on, or when there are `n` finished texts and the best running score, divided by the number
//!    of tokens so far, is not better than the worst of them.
//!
//! The text is the first of the list.

use oracle::{output::Text, spec::TextSpec};

use super::{
    LanguageError,
    decoder::Feed,
    model::{Ending, Model},
};
use crate::inference::Progress;

/// A sequence, and its score.
#[derive(Debug, Clone)]
struct Beam {
    tokens: Vec<u32>,
    score: f32,
}

/// A running sequence goes on with a token.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Continuation {
    parent: usize,
    token: u32,
    score: f32,
}

impl Model {
    /// Tells `advance` after each token how many there are, and stops when it answers `false`.
    pub(super) fn beams(
        &self,
        spec: &TextSpec,
        advance: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<Text, LanguageError> {
        let prompt = self.prompt(spec)?;
        let beams = usize::from(spec.beams);
        let looked_at = beams * (1 + self.words.ends().len()).max(2);
        let mut cache = self.cache(&prompt, spec)?;
        let mut running = vec![Beam { tokens: Vec::new(), score: 0.0 }];
        let mut finished: Vec<Beam> = Vec::new();
        let mut hidden = self.pool.install(|| self.feed(&prompt, &mut cache))?;

        for count in 1.. {
            let logits: Vec<Vec<f32>> = self.pool.install(|| self.decoder.logits(&hidden)?.to_vec2())?;
            let best = continuations(&running, &logits, looked_at).ok_or(LanguageError::NotFinite(count - 1))?;
            if !advance(Progress { step: u32::try_from(count).unwrap_or(u32::MAX), steps: spec.max_tokens }) {
                return Err(LanguageError::Cancelled);
            }

            let (mut next, mut parents) = (Vec::new(), Vec::new());
            for (rank, Continuation { parent, token, score }) in best.into_iter().enumerate() {
                let mut tokens = running[parent].tokens.clone();
                tokens.push(token);
                match self.ending(&tokens, spec)? {
                    Ending::NotYet if next.len() < beams => {
                        next.push(Beam { tokens, score });
                        parents.push(u32::try_from(parent).unwrap_or_default());
                    }
                    Ending::NotYet => {}
                    Ending::Over | Ending::Stopped(_) if rank < beams => {
                        finished.push(Beam { tokens, score: score / count as f32 });
                    }
                    Ending::Over | Ending::Stopped(_) => {}
                }
            }
            // Stable: the older stays first.
            finished.sort_by(|one, other| other.score.total_cmp(&one.score));
            finished.truncate(beams);

            let hope = next.first().map(|beam| beam.score / count as f32);
            let worst = finished.last().filter(|_| finished.len() == beams).map(|beam| beam.score);
            if hope.is_none_or(|hope| worst.is_some_and(|worst| hope <= worst)) {
                break;
            }
            running = next;
            hidden = self.pool.install(|| {
                cache.branch(&parents)?;
                let last: Vec<_> = running.iter().map(|beam| &beam.tokens[count - 1..]).collect();
                self.decoder.forward(&mut [Feed { tokens: &last, cache: &mut cache }])
            })?;
        }
        let best = finished.into_iter().next().map_or_else(Vec::new, |beam| beam.tokens);
        self.finish(best, spec)
    }
}

/// The best `count`, best first; `None` if logits are not numbers.
fn continuations(running: &[Beam], logits: &[Vec<f32>], count: usize) -> Option<Vec<Continuation>> {
    let mut all = Vec::with_capacity(running.len() * count);
    for ((parent, beam), logits) in running.iter().enumerate().zip(logits) {
        let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = logits.iter().map(|logit| f64::from((logit - top).exp())).sum();
        if !sum.is_finite() {
            return None;
        }
        let log_sum = sum.ln() as f32;
        let score = |logit: f32| logit - top - log_sum + beam.score;
        let mut order: Vec<u32> = (0..).take(logits.len()).collect();
        let kept = count.min(order.len());
        let better = |one: &u32, other: &u32| {
            let [one_score, other_score] = [one, other].map(|token| score(logits[*token as usize]));
            other_score.total_cmp(&one_score).then(one.cmp(other))
        };
        if kept < order.len() {
            order.select_nth_unstable_by(kept, better);
            order.truncate(kept);
        }
        all.extend(order.into_iter().map(|token| Continuation { parent, token, score: score(logits[token as usize]) }));
    }
    all.sort_by(|one, other| {
        other.score.total_cmp(&one.score).then(one.token.cmp(&other.token)).then(one.parent.cmp(&other.parent))
    });
    all.truncate(count);
    Some(all)
}
