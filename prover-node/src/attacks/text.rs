//! Frauds with texts.

use std::{fmt, path::PathBuf, str::FromStr};

use oracle::{dataset::noise_seed, manifest::LocalModel, output::Text, spec::TextSpec};

use super::{Bits, rounding::round};
use crate::inference::{
    Settings,
    language::{LanguageError, Model},
};

/// What is handed in for a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fraud {
    /// Another model's answer to the last message, in the tokens of the one that was asked: its folder.
    OtherModel(PathBuf),
    /// Made with weights of 8 or of 4 bits (Q8_0 and Q4_0 of GGUF).
    Quantised(Bits),
    /// An honest text with one token changed into the second likeliest, where that is nearest.
    OneToken,
    /// The first half of an honest text, ended.
    CutShort,
    /// Drawn by chance at temperature 1, and not the likeliest: by each seed another.
    Sampled,
}

/// What somebody typed is no fraud.
#[derive(Debug, thiserror::Error)]
#[error("possible values: sampled, one-token, cut-short, 8-bit, 4-bit, and other:DIR with another model's folder")]
pub struct UnknownFraud;

impl Fraud {
    /// All that need no other model.
    pub const ALL: [Self; 5] =
        [Self::Sampled, Self::OneToken, Self::CutShort, Self::Quantised(Bits::Eight), Self::Quantised(Bits::Four)];
}

impl FromStr for Fraud {
    type Err = UnknownFraud;

    fn from_str(text: &str) -> Result<Self, UnknownFraud> {
        Ok(match text {
            "sampled" => Self::Sampled,
            "one-token" => Self::OneToken,
            "cut-short" => Self::CutShort,
            "8-bit" => Self::Quantised(Bits::Eight),
            "4-bit" => Self::Quantised(Bits::Four),
            _ => match text.strip_prefix("other:").filter(|folder| !folder.is_empty()) {
                Some(folder) => Self::OtherModel(folder.into()),
                None => return Err(UnknownFraud),
            },
        })
    }
}

impl fmt::Display for Fraud {
    /// As data sets say it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherModel(folder) => {
                write!(f, "other model, {}", folder.file_name().unwrap_or(folder.as_os_str()).display())
            }
            Self::Quantised(Bits::Eight) => f.write_str("weights in 8 bits"),
            Self::Quantised(Bits::Four) => f.write_str("weights in 4 bits"),
            Self::OneToken => f.write_str("one token changed"),
            Self::CutShort => f.write_str("cut short"),
            Self::Sampled => f.write_str("sampled at temperature 1"),
        }
    }
}

/// Somebody who commits a fraud, with what it takes.
pub struct Cheater {
    fraud: Fraud,
    /// The model that was asked for, but for what the fraud does to it.
    model: Model,
    other: Option<Model>,
}

impl Cheater {
    /// Loads what it takes to pretend to be `files`.
    pub fn load(fraud: Fraud, files: &LocalModel, settings: Settings) -> eyre::Result<Self> {
        let other = match &fraud {
            Fraud::OtherModel(folder) => Some(Model::of(&LocalModel::open(folder)?, settings)?),
            _ => None,
        };
        let model = match fraud {
            Fraud::Quantised(bits) => Model::altered(files, settings, &|weight| round(&weight, bits.dtype()))?,
            _ => Model::of(files, settings)?,
        };
        Ok(Self { fraud, model, other })
    }

    /// The tokens that are handed in for each greedy spec; the number beside it is what chance comes from, where there is
    /// any.
    pub fn hand_in(&self, jobs: &[(TextSpec, u32)]) -> Result<Vec<Vec<u32>>, LanguageError> {
        let specs = || jobs.iter().map(|(spec, _)| spec);
        let honest = || self.model.write_all(&specs().cloned().collect::<Vec<_>>());
        let tokens = |texts: Vec<Text>| texts.into_iter().map(|text| text.tokens).collect();
        match (&self.fraud, &self.other) {
            (Fraud::Sampled, _) => {
                let drawn: Vec<_> = jobs.iter().map(|(spec, seed)| (spec.clone(), noise_seed(*seed))).collect();
                Ok(tokens(self.model.sample(&drawn)?))
            }
            (Fraud::OneToken, _) => {
                honest()?.iter().zip(specs()).map(|(text, spec)| self.model.forge_token(spec, &text.tokens)).collect()
            }
            (Fraud::CutShort, _) => Ok(honest()?.iter().map(|text| self.model.cut_short(&text.tokens)).collect()),
            (Fraud::OtherModel(_), Some(other)) => {
                // Not every model has words for a system.
                let last = |spec: &TextSpec| spec.messages.last().cloned().into_iter().collect();
                let asked: Vec<_> = specs().map(|spec| TextSpec { messages: last(spec), ..spec.clone() }).collect();
                let told = other.write_all(&asked)?;
                told.iter().zip(specs()).map(|(told, spec)| self.model.retell(spec, &told.text)).collect()
            }
            (Fraud::Quantised(_) | Fraud::OtherModel(_), _) => Ok(tokens(honest()?)),
        }
    }
}
