//! The self-test: whether this machine makes of a model's golden jobs what its author got, within the model's tolerance.

use std::{fs, io, ops::ControlFlow, path::Path, time::Instant};

use oracle::{
    digest::Zone,
    files::write_atomically,
    manifest::{Golden, LocalModel},
    spec::Spec,
};
use serde::Serialize;
use tracing::{info, warn};

use crate::inference::{Generator as _, InferenceError, Model, Settings};

/// What became of one golden job.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What was made.
    pub spec: Spec,
    /// From the author's digest, in bits, most significant lane first.
    pub distances: [u32; 4],
    /// How the author's digest sees ours: a machine whose digests are not accepted must not serve the model.
    pub zone: Zone,
    /// How long it took.
    pub seconds: f64,
}

/// Why this machine must not serve a model.
#[derive(Debug, thiserror::Error)]
pub enum SelftestError {
    /// It makes something else than the others.
    #[error(
        "this machine must not serve {name}: a golden job came out {distances:?} bits from the author's digest, and honest votes from here would not be paid, or even slashed; try another --arithmetic, and look at `prover-node selftest`"
    )]
    Unlike {
        /// The model's.
        name: String,
        /// By lane.
        distances: [u32; 4],
    },
    /// It makes nothing.
    #[error(transparent)]
    Inference(#[from] InferenceError),
    /// It cannot be noted.
    #[error("cannot write to the data directory: {0}; make room, or name another --data-dir")]
    Marker(#[source] io::Error),
}

/// Makes a golden job on this machine.
pub fn examine(files: &LocalModel, model: &Model, golden: &Golden) -> Result<Finding, InferenceError> {
    let start = Instant::now();
    let output = model.generate(&golden.spec, golden.noise_seed, &mut |_| ControlFlow::Continue(()))?;
    let digest = output.digest();
    Ok(Finding {
        spec: golden.spec.clone(),
        distances: golden.digest.distances(&digest),
        zone: files.manifest.pipeline.profile().zone(&golden.digest, &digest),
        seconds: start.elapsed().as_secs_f64(),
    })
}

/// Fails unless every golden job comes out as it should.
pub fn ensure_serves(files: &LocalModel, model: &Model) -> Result<(), SelftestError> {
    let name = &files.manifest.name;
    if files.manifest.golden.is_empty() {
        warn!(name, "the manifest has no golden jobs: whether this machine makes what others make is not known");
    }
    for golden in &files.manifest.golden {
        let finding = examine(files, model, golden)?;
        info!(distances = ?finding.distances, seconds = format!("{:.1}", finding.seconds), "golden job made");
        if !finding.serves() {
            return Err(SelftestError::Unlike { name: name.clone(), distances: finding.distances });
        }
    }
    Ok(())
}

/// The same with a model that is loaded for it, unless it was passed before with these settings and noted in `marker`.
pub fn ensure_serves_once(files: &LocalModel, settings: Settings, marker: &Path) -> Result<(), SelftestError> {
    if is_noted(files, settings, marker) {
        return Ok(());
    }
    ensure_serves(files, &Model::load(files, settings)?)?;
    write_atomically(marker, note(files, settings).as_bytes()).map_err(SelftestError::Marker)
}

/// Whether it was passed with these settings and noted in `marker`.
#[must_use]
pub fn is_noted(files: &LocalModel, settings: Settings, marker: &Path) -> bool {
    fs::read_to_string(marker).is_ok_and(|noted| noted == note(files, settings))
}

fn note(files: &LocalModel, settings: Settings) -> String {
    format!("{} {settings:?} {}\n", files.hash, env!("CARGO_PKG_VERSION"))
}

impl Finding {
    /// Whether honest votes of this machine would be paid.
    #[must_use]
    pub fn serves(&self) -> bool {
        self.zone == Zone::Accepted
    }
}
