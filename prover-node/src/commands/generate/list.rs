//! A list of jobs: one JSON object a line.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{BufRead, BufReader},
    path::{Component, Path},
};

use alloy::primitives::B256;
use eyre::{bail, eyre};
use oracle::{manifest::Pipeline, spec::Spec};
use serde::Deserialize;

/// One line of the list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Line {
    pub(crate) name: String,
    /// Of a picture.
    pub(crate) noise_seed: Option<B256>,
    spec: Option<Spec>,
    prompt: Option<String>,
}

impl Line {
    /// What is to be made. A picture without noise is refused.
    pub(crate) fn spec(self, pipeline: &Pipeline) -> eyre::Result<Spec> {
        let spec = self.spec.unwrap_or_else(|| pipeline.spec(&self.prompt.unwrap_or_default()));
        if matches!(spec, Spec::Image(_)) && self.noise_seed.is_none() {
            bail!("{:?} is a picture and has no noiseSeed", self.name);
        }
        Ok(spec)
    }
}

/// All lines, each with a name of its own and either a spec or a prompt.
pub(crate) fn read_list(list: &Path) -> eyre::Result<Vec<Line>> {
    let file = File::open(list).map_err(|error| eyre!("cannot read {}: {error}", list.display()))?;
    let mut seen = BTreeSet::new();
    let mut lines = Vec::new();
    for (number, text) in (1..).zip(BufReader::new(file).lines()) {
        let at = |error: &dyn std::fmt::Display| eyre!("{}, line {number}: {error}", list.display());
        let text = text.map_err(|error| at(&error))?;
        if text.trim().is_empty() {
            continue;
        }
        let line: Line = serde_json::from_str(&text).map_err(|error| at(&error))?;
        let mut parts = Path::new(&line.name).components();
        if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) {
            return Err(at(&format!("the name {:?} is not a file name", line.name)));
        }
        if line.spec.is_some() == line.prompt.is_some() {
            return Err(at(&"give either a spec or a prompt"));
        }
        if !seen.insert(line.name.clone()) {
            return Err(at(&format!("the name {:?} is there twice", line.name)));
        }
        lines.push(line);
    }
    Ok(lines)
}
