//! Greedy decoding: always the likeliest token, and of equally likely ones the lowest.
//!
//! Several texts can be written together, a token of each at a time: reading the weights is what takes the time, and it
//! is done once for all of them. A text is the same, alone or in company.

use candle_core::Tensor;
use oracle::{output::Text, spec::TextSpec};
use rand_chacha::ChaCha20Rng;

use super::{
    LanguageError,
    cache::Cache,
    decoder::Feed,
    forgery::drawn,
    model::{Ending, Model},
};
use crate::inference::Progress;

/// A text in the making.
pub(super) struct Draft {
    spec: TextSpec,
    cache: Cache,
    tokens: Vec<u32>,
    /// What follows the last token, `[1, width]`, if the network has been fed that.
    hidden: Option<Tensor>,
    /// Whether logits were no numbers.
    is_lost: bool,
    /// Draws the tokens, of who cheats.
    pub(super) chance: Option<ChaCha20Rng>,
}

impl Draft {
    /// How many tokens there are.
    pub(super) fn progress(&self) -> Progress {
        Progress { step: u32::try_from(self.tokens.len()).unwrap_or(u32::MAX), steps: self.spec.max_tokens }
    }

    fn append(&mut self, logits: &[f32]) {
        self.hidden = None;
        let chosen = match &mut self.chance {
            None => top(logits).map(|(token, _)| token),
            Some(chance) => drawn(logits, chance),
        };
        match chosen {
            Some(token) => self.tokens.push(token),
            None => self.is_lost = true,
        }
    }
}

impl Model {
    /// A text of which nothing is written yet.
    pub(super) fn draft(&self, spec: &TextSpec) -> Result<Draft, LanguageError> {
        let prompt = self.prompt(spec)?;
        let mut cache = self.cache(&prompt, spec)?;
        let hidden = self.pool.install(|| self.feed(&prompt, &mut cache))?;
        let spec = spec.clone();
        Ok(Draft { spec, cache, tokens: Vec::new(), hidden: Some(hidden), is_lost: false, chance: None })
    }

    /// Adds a token to each. If that fails it can be tried again, with fewer of them.
    pub(super) fn add_token(&self, drafts: &mut [&mut Draft]) -> candle_core::Result<()> {
        let logits: Vec<Vec<f32>> = self.pool.install(|| {
            self.feed_last(drafts)?;
            let hidden: Vec<_> = drafts.iter().filter_map(|draft| draft.hidden.as_ref()).collect();
            self.decoder.logits(&Tensor::cat(&hidden, 0)?)?.to_vec2()
        })?;
        for (draft, logits) in drafts.iter_mut().zip(logits) {
            draft.append(&logits);
        }
        Ok(())
    }

    /// Feeds the last token of each that has not been fed.
    fn feed_last(&self, drafts: &mut [&mut Draft]) -> candle_core::Result<()> {
        let mut due: Vec<_> = drafts.iter_mut().filter(|draft| draft.hidden.is_none()).collect();
        if due.is_empty() {
            return Ok(());
        }
        let last: Vec<_> = due.iter().map(|draft| draft.tokens[draft.tokens.len() - 1..].to_vec()).collect();
        let last: Vec<_> = last.iter().map(|token| [token.as_slice()]).collect();
        let feeds = due.iter_mut().zip(&last).map(|(draft, tokens)| Feed { tokens, cache: &mut draft.cache });
        let hidden = self.decoder.forward(&mut feeds.collect::<Vec<_>>())?;
        for (row, draft) in due.into_iter().enumerate() {
            draft.hidden = Some(hidden.narrow(0, row, 1)?);
        }
        Ok(())
    }

    /// The text, if it is over.
    pub(super) fn finished(&self, draft: &Draft) -> Result<Option<Text>, LanguageError> {
        let Draft { spec, tokens, .. } = draft;
        if draft.is_lost {
            return Err(LanguageError::NotFinite(tokens.len()));
        }
        match self.ending(tokens, spec)? {
            Ending::NotYet => Ok(None),
            Ending::Over | Ending::Stopped(_) => self.finish(tokens.clone(), spec).map(Some),
        }
    }

    /// Writes all of them together, a token of each at a time.
    pub(super) fn complete(&self, mut drafts: Vec<Draft>) -> Result<Vec<Text>, LanguageError> {
        let mut texts = vec![None; drafts.len()];
        while texts.contains(&None) {
            let open = drafts.iter_mut().zip(&texts).filter(|(_, text)| text.is_none());
            self.add_token(&mut open.map(|(draft, _)| draft).collect::<Vec<_>>())?;
            for (text, draft) in texts.iter_mut().zip(&drafts).filter(|(text, _)| text.is_none()) {
                *text = self.finished(draft)?;
            }
        }
        Ok(texts.into_iter().flatten().collect())
    }

    /// Tells `advance` after each token how many there are, and stops when it answers `false`.
    pub(super) fn greedy(
        &self,
        spec: &TextSpec,
        advance: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<Text, LanguageError> {
        let mut draft = self.draft(spec)?;
        loop {
            self.add_token(&mut [&mut draft])?;
            if !advance(draft.progress()) {
                return Err(LanguageError::Cancelled);
            }
            if let Some(text) = self.finished(&draft)? {
                return Ok(text);
            }
        }
    }
}

/// The lowest of the likeliest tokens, with its logit; `None` if that is not a number.
pub(super) fn top(logits: &[f32]) -> Option<(u32, f32)> {
    let best = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let is_number = best.is_finite() && !logits.iter().any(|logit| logit.is_nan());
    let first = logits.iter().position(|logit| *logit == best).filter(|_| is_number)?;
    Some((u32::try_from(first).ok()?, best))
}
