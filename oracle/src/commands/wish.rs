//! What is asked for, as typed, completed by the model's defaults: a picture or a text, as the model makes.

use std::path::{Path, PathBuf};

use alloy::primitives::B256;
use oracle::{
    chain::{IModelRegistry::Kind, RegisteredModel},
    manifest::{LocalModel, MANIFEST_FILE},
    models_dir::ModelsDirArgs,
    spec::{ImageSpec, Message, Solver, Spec, TextArgs, TextSpec},
};

use super::{
    terminal::printable,
    typed::{Guidance, Size},
};

/// How it is to be made.
#[derive(clap::Args)]
pub(crate) struct WishArgs {
    /// The model's folder or quorate-model.json, for its defaults [default: looked for in models/ and the models folder]
    #[arg(long, value_name = "PATH")]
    manifest: Option<PathBuf>,
    #[command(flatten)]
    models_dir: ModelsDirArgs,
    #[command(flatten)]
    picture: PictureArgs,
    #[command(flatten)]
    text: TextArgs,
}

/// How a picture is to be made.
#[derive(clap::Args)]
#[command(next_help_heading = "Picture")]
struct PictureArgs {
    /// What the picture should not show
    #[arg(long, value_name = "TEXT")]
    negative_prompt: Option<String>,
    /// Width and height in pixels, or one number for a square [default: the manifest's]
    #[arg(long, value_name = "WxH")]
    size: Option<Size>,
    /// How the noise becomes a picture [default: the manifest's, else ddim]
    #[arg(long)]
    solver: Option<Solver>,
    /// Denoising steps [default: the manifest's]
    #[arg(long, value_name = "N")]
    steps: Option<u32>,
    /// Classifier-free guidance scale, at most three decimal places [default: the manifest's]
    #[arg(long, value_name = "SCALE")]
    guidance: Option<Guidance>,
}

impl WishArgs {
    /// Checked against what the model was tried on. The seed counts for pictures only: nothing in a text is random.
    pub(crate) fn spec(&self, model: &RegisteredModel, prompt: &str, seed: B256) -> eyre::Result<Spec> {
        let defaults = || self.defaults(model);
        let spec = match model.model.kind {
            Kind::Image => {
                let other = self.text.first_typed();
                eyre::ensure!(other.is_none(), misplaced(other, model, "pictures"));
                Spec::Image(self.picture.spec(prompt, seed, defaults)?)
            }
            _ => {
                let other = self.picture.first_typed();
                eyre::ensure!(other.is_none(), misplaced(other, model, "texts"));
                Spec::Text(text(&self.text, prompt, defaults)?)
            }
        };
        spec.check(&model.model)?;
        Ok(spec)
    }

    /// The manifest that was named, else the one on this machine that is this model's.
    fn defaults(&self, model: &RegisteredModel) -> eyre::Result<LocalModel> {
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
            return Ok(local);
        }
        let flags = match model.model.kind {
            Kind::Image => "--size, --steps and --guidance",
            _ => "--max-tokens and --beams",
        };
        self.models_dir.local_models().into_iter().find(|local| local.hash == model.model.manifestHash).ok_or_else(|| {
            eyre::eyre!(
                "the manifest of model {} ({}) is not on this machine: give {flags}, or say where it is with --manifest",
                printable(&model.name),
                model.id
            )
        })
    }
}

fn misplaced(flag: Option<&str>, model: &RegisteredModel, makes: &str) -> String {
    format!("{} is not for {}, which makes {makes}", flag.unwrap_or_default(), printable(&model.name))
}

impl PictureArgs {
    fn first_typed(&self) -> Option<&'static str> {
        let Self { negative_prompt, size, solver, steps, guidance } = self;
        let typed = [
            negative_prompt.is_some().then_some("--negative-prompt"),
            size.is_some().then_some("--size"),
            solver.is_some().then_some("--solver"),
            steps.is_some().then_some("--steps"),
            guidance.is_some().then_some("--guidance"),
        ];
        typed.into_iter().flatten().next()
    }

    fn spec(
        &self,
        prompt: &str,
        seed: B256,
        defaults: impl Fn() -> eyre::Result<LocalModel>,
    ) -> eyre::Result<ImageSpec> {
        let negative_prompt = self.negative_prompt.as_deref().unwrap_or_default().into();
        if let (Some(size), Some(steps), Some(guidance)) = (self.size, self.steps, self.guidance) {
            let Size { width, height } = size;
            let (prompt, guidance, solver) = (prompt.into(), guidance.0, self.solver.unwrap_or_default());
            return Ok(ImageSpec { prompt, negative_prompt, width, height, steps, solver, guidance, seed });
        }
        let usual = defaults()?.manifest.image()?.spec(prompt.into());
        let (width, height) = self.size.map_or((usual.width, usual.height), |size| (size.width, size.height));
        let guidance = self.guidance.map_or(usual.guidance, |guidance| guidance.0);
        let (solver, steps) = (self.solver.unwrap_or(usual.solver), self.steps.unwrap_or(usual.steps));
        Ok(ImageSpec { solver, negative_prompt, width, height, steps, guidance, seed, ..usual })
    }
}

/// Said to a model that writes.
fn text(args: &TextArgs, prompt: &str, defaults: impl Fn() -> eyre::Result<LocalModel>) -> eyre::Result<TextSpec> {
    let messages = vec![Message::user(prompt)];
    let usual = match args.lengths() {
        Some((max_tokens, beams)) => TextSpec { messages, max_tokens, beams, stops: Vec::new() },
        None => defaults()?.manifest.text()?.spec(messages),
    };
    Ok(args.complete(usual))
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
