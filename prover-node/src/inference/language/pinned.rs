//! A language model as the node has it: its files are those that a manifest pins.

use candle_core::Tensor;
use oracle::manifest::LocalModel;

use super::{Files, LanguageError, Model, Settings};
use crate::inference::{self, InferenceError, weights};

/// A model's pinned files, each checked as it is read.
struct Pinned<'a>(&'a LocalModel);

impl Files for Pinned<'_> {
    fn names(&self) -> Vec<String> {
        self.0.manifest.files.iter().map(|file| file.path.as_str().to_owned()).collect()
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, LanguageError> {
        Ok(weights::read(self.0, name)?)
    }

    fn place(&self) -> String {
        self.0.folder.display().to_string()
    }
}

impl Model {
    /// Loads a model whose manifest says that it writes texts, no longer ones than it can look back on. Weights are f32 in
    /// memory.
    pub fn of(model: &LocalModel, settings: inference::Settings) -> Result<Self, InferenceError> {
        Self::altered(model, settings, &Ok)
    }

    /// The same with weights that `alter` has changed, which is another model sold as this one.
    pub fn altered(
        model: &LocalModel,
        settings: inference::Settings,
        alter: &dyn Fn(Tensor) -> candle_core::Result<Tensor>,
    ) -> Result<Self, InferenceError> {
        let inference::Settings { device, arithmetic, sums, threads, .. } = settings;
        let settings = Settings { device: device.open()?, arithmetic, sums, threads };
        let loaded = Self::load_altered(&Pinned(model), &settings, alter)?;
        // Whatever may be asked for must have an answer.
        let (asked, most) = (model.manifest.text()?.bounds.max_tokens, loaded.decoder.config().context - 1);
        if asked as usize > most {
            return Err(LanguageError::TooManyTokens { asked, most }.into());
        }
        Ok(loaded)
    }
}
