//! Writing for several at once, who come and go as they like.

use std::ops::ControlFlow;

use oracle::{output::Text, spec::TextSpec};

use super::{LanguageError, greedy::Draft, model::Model, product};
use crate::inference::{Progress, Sums};

/// No model writes more texts than that together.
pub const MOST_AT_ONCE: usize = product::FEW;

/// Who waits for a text.
pub trait Reader {
    /// Told after every token; `Break` says that nobody waits any more.
    fn tell(&self, _progress: Progress) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// The text, or why there is none.
    fn answer(self, text: Result<Text, LanguageError>);
}

impl<F: FnOnce(Result<Text, LanguageError>)> Reader for F {
    fn answer(self, text: Result<Text, LanguageError>) {
        self(text);
    }
}

impl Model {
    /// How many texts take little longer than one, each being what it would be alone. On a GPU, and by candle's product, the
    /// last bits depend on how many rows there are, so there it is one.
    #[must_use]
    pub fn at_once(&self) -> usize {
        if self.decoder.device().is_cpu() && self.sums == Sums::Pinned { MOST_AT_ONCE } else { 1 }
    }

    /// Writes greedy texts, as many together as take little longer than one.
    pub fn write_all(&self, specs: &[TextSpec]) -> Result<Vec<Text>, LanguageError> {
        let mut texts = Vec::with_capacity(specs.len());
        for together in specs.chunks(self.at_once()) {
            texts.extend(self.complete(together.iter().map(|spec| self.draft(spec)).collect::<Result<_, _>>()?)?);
        }
        Ok(texts)
    }

    /// Writes `first`, and what `more` has meanwhile; asked again after every token, until everything is written. Beam
    /// search has several sequences of its own and is done alone.
    pub fn write_together<R: Reader>(&self, first: (TextSpec, R), mut more: impl FnMut() -> Option<(TextSpec, R)>) {
        let mut desk: Vec<(Draft, R)> = Vec::new();
        let mut next = Some(first);
        loop {
            while desk.len() < self.at_once()
                && let Some((spec, reader)) = next.take().or_else(&mut more)
            {
                if spec.beams == 1 {
                    match self.draft(&spec) {
                        Ok(draft) => desk.push((draft, reader)),
                        Err(error) => reader.answer(Err(error)),
                    }
                } else if desk.is_empty() {
                    let text = self.write(&spec, &mut |progress| reader.tell(progress));
                    reader.answer(text);
                } else {
                    next = Some((spec, reader));
                    break;
                }
            }
            if desk.is_empty() {
                return;
            }

            let is_done = self.add_token(&mut desk.iter_mut().map(|(draft, _)| draft).collect::<Vec<_>>()).is_ok();
            let went_on = |(mut draft, reader): (Draft, R)| {
                // What fails together may work alone.
                let added = if is_done { Ok(()) } else { self.add_token(&mut [&mut draft]) };
                let text = added.map_err(LanguageError::from).and_then(|()| match reader.tell(draft.progress()) {
                    ControlFlow::Continue(()) => self.finished(&draft),
                    ControlFlow::Break(()) => Err(LanguageError::Cancelled),
                });
                match text.transpose() {
                    None => return Some((draft, reader)),
                    Some(text) => reader.answer(text),
                }
                None
            };
            desk = desk.into_iter().filter_map(went_on).collect();
        }
    }
}
