//! The picture that is asked for, as typed, completed by the model's defaults.

use std::{
    fs,
    path::{Path, PathBuf},
};

use alloy::primitives::B256;
use oracle::{
    chain::RegisteredModel,
    manifest::{ImageDefaults, LocalModel, MANIFEST_FILE},
    models_dir::ModelsDirArgs,
    spec::{ImageSpec, Prompt, Solver},
};

use super::{
    terminal::printable,
    typed::{Guidance, Size},
};

/// How the picture is to be made.
#[derive(clap::Args)]
#[command(next_help_heading = "Picture")]
pub(crate) struct PictureArgs {
    /// Width and height in pixels, or one number for a square [default: the manifest's]
    #[arg(long, value_name = "WxH")]
    size: Option<Size>,
    /// Denoising steps [default: the manifest's]
    #[arg(long, value_name = "N")]
    steps: Option<u32>,
    /// How the noise becomes a picture [default: the manifest's, else ddim]
    #[arg(long)]
    solver: Option<Solver>,
    /// Classifier-free guidance scale, at most three decimal places [default: the manifest's]
    #[arg(long, value_name = "SCALE")]
    guidance: Option<Guidance>,
    /// The model's folder or quorate-model.json, for its defaults [default: looked for in models/ and the models folder]
    #[arg(long, value_name = "PATH")]
    manifest: Option<PathBuf>,
    #[command(flatten)]
    models_dir: ModelsDirArgs,
}

impl PictureArgs {
    /// Checked against what the model was tried on.
    pub(crate) fn spec(
        &self,
        model: &RegisteredModel,
        prompt: Prompt,
        negative_prompt: Prompt,
        seed: B256,
    ) -> eyre::Result<ImageSpec> {
        let (size, steps, guidance, solver) = match (self.size, self.steps, self.guidance) {
            (Some(size), Some(steps), Some(guidance)) if self.manifest.is_none() => {
                (size, steps, guidance.0, self.solver.unwrap_or_default())
            }
            (size, steps, guidance) => {
                let defaults = self.defaults(model)?;
                let usual = Size { width: defaults.width, height: defaults.height };
                (
                    size.unwrap_or(usual),
                    steps.unwrap_or(defaults.steps),
                    guidance.map_or(defaults.guidance, |guidance| guidance.0),
                    self.solver.unwrap_or(defaults.solver),
                )
            }
        };
        let spec = ImageSpec {
            prompt,
            negative_prompt,
            width: size.width,
            height: size.height,
            steps,
            solver,
            guidance,
            seed,
        };
        spec.check(&(&model.model).into())?;
        Ok(spec)
    }

    /// From the manifest that was named, else from the one on this machine that is this model's.
    fn defaults(&self, model: &RegisteredModel) -> eyre::Result<ImageDefaults> {
        if let Some(path) = self.manifest.as_deref() {
            let local = LocalModel::open(folder_of(path)?)?;
            eyre::ensure!(
                local.hash == model.model.manifestHash,
                "{} is not the manifest of model {}: its sha256 is {}, and {} is registered",
                path.display(),
                model.id,
                local.hash,
                model.model.manifestHash
            );
            return Ok(local.manifest.image()?.defaults);
        }
        let local = self.local_models().find(|local| local.hash == model.model.manifestHash).ok_or_else(|| {
        eyre::eyre!(
            "the manifest of model {} ({}) is not on this machine: give --size, --steps and --guidance, or say where it is with --manifest",
            printable(&model.name),
            model.id
        )
    })?;
        Ok(local.manifest.image()?.defaults)
    }

    /// The models below `models/` and in the models folder; what is none is passed over.
    fn local_models(&self) -> impl Iterator<Item = LocalModel> {
        let pulled = self.models_dir.models_dir().map(|models| models.models()).unwrap_or_default();
        let pulled = pulled.into_iter().filter_map(|(_, model)| model.ok()?.pinned().ok());
        let folders = fs::read_dir("models").into_iter().flatten().flatten().map(|entry| entry.path());
        folders.filter_map(|folder| LocalModel::open(&folder).ok()).chain(pulled)
    }
}

fn folder_of(path: &Path) -> eyre::Result<&Path> {
    if path.is_dir() {
        return Ok(path);
    }
    eyre::ensure!(
        path.file_name().is_some_and(|name| name == MANIFEST_FILE),
        "{} is neither a model's folder nor a {MANIFEST_FILE}",
        path.display()
    );
    Ok(path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_named_by_its_folder_or_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = folder.path().join(MANIFEST_FILE);

        assert_eq!(folder_of(folder.path()).unwrap(), folder.path());
        assert_eq!(folder_of(&manifest).unwrap(), folder.path());
        assert_eq!(folder_of(Path::new(MANIFEST_FILE)).unwrap(), Path::new("."));
        assert!(folder_of(&folder.path().join("model.json")).is_err());
    }
}
