//! Judging a claimed text in one forward pass.
//!
//! Greedy machines agree on every token but where two logits nearly tie. So a token is accepted if its logit is within
//! a margin of the top one, each token being judged after the claimed ones before it, all at once.

use std::ops::ControlFlow;

use oracle::spec::TextSpec;
use rayon::{
    iter::{IndexedParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _},
    slice::ParallelSlice as _,
};

use super::{
    LanguageError,
    greedy::top,
    model::{Ending, Model},
};

/// Logits that are held at once: 128 MB.
const MAX_LOGITS: usize = 1 << 25;

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Judgement {
    /// Every token is within the margin.
    Accepted {
        /// The largest distance of a token's logit from the top one.
        margin: f32,
    },
    /// This text is not what the spec asks for.
    Rejected(Fault),
}

/// Where and why a claimed text is wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fault {
    /// Index of the first token that is wrong.
    pub position: usize,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What can be wrong with a token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reason {
    /// Greedy decoding would not have chosen it.
    Unlikely {
        /// What it would have chosen.
        instead: u32,
        /// How far the claimed token's logit is below that one's.
        margin: f32,
    },
    /// The model has no such token.
    Unknown,
    /// The text was over before.
    PastTheEnd,
    /// The text goes on after the tokens before.
    Unfinished,
}

/// Judges `claim`; see [`super::Checker`].
pub(super) fn judge(model: &Model, spec: &TextSpec, claim: &[u32], tau: f32) -> Result<Judgement, LanguageError> {
    if spec.beams != 1 {
        return Err(LanguageError::NotGreedy(spec.beams));
    }
    if let Some(fault) = misshapen(model, spec, claim)? {
        return Ok(Judgement::Rejected(fault));
    }

    let vocabulary = model.decoder.config().vocabulary;
    let mut largest = 0_f32;
    let fault = read(model, spec, claim, |start, logits| {
        let tops: Vec<_> = model.pool.install(|| {
            let rows = logits.par_chunks(vocabulary).zip(claim[start..].par_iter());
            rows.map(|(logits, token)| Some((top(logits)?, logits[*token as usize]))).collect()
        });
        for (found, position) in tops.into_iter().zip(start..) {
            let ((instead, best), logit) = found.ok_or(LanguageError::NotFinite(position))?;
            let margin = best - logit;
            if margin > tau {
                let reason = Reason::Unlikely { instead, margin };
                return Ok(ControlFlow::Break(Fault { position, reason }));
            }
            largest = largest.max(margin);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(fault.map_or(Judgement::Accepted { margin: largest }, Judgement::Rejected))
}

/// Shows `look` the logits for each token of `claim`, after those before it: many at once, with the first one's position,
/// until it breaks off.
pub(super) fn read<T>(
    model: &Model,
    spec: &TextSpec,
    claim: &[u32],
    mut look: impl FnMut(usize, &[f32]) -> Result<ControlFlow<T>, LanguageError>,
) -> Result<Option<T>, LanguageError> {
    let prompt = model.prompt(spec)?;
    let tokens = [&prompt, &claim[..claim.len() - 1]].concat();
    let mut cache = model.cache(&prompt, spec)?;
    let hidden = model.pool.install(|| model.feed_all(&tokens, prompt.len() - 1, &mut cache))?;
    let rows = (MAX_LOGITS / model.decoder.config().vocabulary).max(1);
    for (claimed, start) in claim.chunks(rows).zip((0..).step_by(rows)) {
        let logits = model.pool.install(|| {
            let logits = model.decoder.logits(&hidden.narrow(0, start, claimed.len())?)?;
            logits.flatten_all()?.to_vec1::<f32>()
        })?;
        if let ControlFlow::Break(found) = look(start, &logits)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// What is wrong before anything is computed: a text ends where it must, and not before.
pub(super) fn misshapen(model: &Model, spec: &TextSpec, claim: &[u32]) -> Result<Option<Fault>, LanguageError> {
    let fault = |position, reason| Ok(Some(Fault { position, reason }));
    let vocabulary = model.decoder.config().vocabulary;
    for position in 0..claim.len() {
        if claim[position] as usize >= vocabulary {
            return fault(position, Reason::Unknown);
        }
        let is_over = model.ending(&claim[..=position], spec)? != Ending::NotYet;
        match (is_over, position + 1 == claim.len()) {
            (true, true) => return Ok(None),
            (true, false) => return fault(position + 1, Reason::PastTheEnd),
            (false, _) => {}
        }
    }
    fault(claim.len(), Reason::Unfinished)
}
