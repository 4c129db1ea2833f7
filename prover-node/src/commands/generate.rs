//! `prover-node generate`: makes any job's picture or text again, on any machine, or a whole list of them.

mod batch;
pub(crate) mod list;

use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::Instant,
};

use alloy::primitives::B256;
use eyre::{bail, ensure, eyre};
use oracle::{
    digest::Digest,
    files::write_atomically,
    manifest::{LocalModel, Pipeline},
    models_dir::ModelsDirArgs,
    output::{Output, Text},
    spec::{Spec, TextArgs},
};
use serde::{Deserialize, Serialize};

use super::{
    profile::{ProfileArgs, described},
    progress_bar,
};
use crate::{
    inference::{Generator as _, Model, Settings},
    output::File,
};

/// What to make, from which noise, and how.
#[derive(Debug, clap::Args)]
pub struct GenerateArgs {
    #[command(flatten)]
    what: What,
    /// What a picture's generation starts from; of a job it is printed by `oracle status`
    #[arg(long, value_name = "0x..", conflicts_with = "batch")]
    noise_seed: Option<B256>,
    /// The model's folder, or the name of one that `oracle models pull` has put on this machine
    #[arg(long, env = "QUORATE_MODEL_DIR", value_name = "DIR", default_value = "models/emoji-64")]
    model_dir: PathBuf,
    #[command(flatten)]
    models_dir: ModelsDirArgs,
    #[command(flatten)]
    profile: ProfileArgs,
    /// The file to write: of a picture as PNG, of a text with its tokens as JSON; with --batch the folder [default: a
    /// text is printed]
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// Overwrite what is there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    text: TextArgs,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct What {
    /// A job's spec as JSON
    #[arg(long, value_name = "FILE")]
    spec: Option<PathBuf>,
    /// Only a prompt; all else is as the model's defaults have it
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// A list, one JSON object a line: name, spec or prompt, and noiseSeed for pictures. Takes up where it was stopped
    #[arg(long, value_name = "FILE")]
    batch: Option<PathBuf>,
}

/// Something that was made: with what, and what came out.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Made {
    /// In a batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(flatten)]
    inputs: Inputs,
    digest: Digest,
    content_hash: B256,
    /// If it was written to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    /// If it is one.
    #[serde(flatten)]
    text: Option<Text>,
    seconds: f64,
}

/// All that an output depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inputs {
    /// The manifest's hash.
    manifest_hash: B256,
    spec_hash: B256,
    /// Of a picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    noise_seed: Option<B256>,
    /// Arithmetic, guidance mode and attention.
    profile: String,
}

/// A loaded model with what identifies its results.
struct Studio {
    files: LocalModel,
    model: Model,
    profile: String,
}

/// Runs the command.
pub fn execute(args: GenerateArgs, json: bool) -> eyre::Result<()> {
    let GenerateArgs { what, noise_seed, model_dir, models_dir, profile, out, force, text } = args;
    let model_dir = models_dir.resolve(&model_dir);
    let settings = profile.settings();
    if let (None, Some(flag)) = (&what.prompt, text.first_typed()) {
        bail!("{flag} goes with --prompt: specs say it themselves");
    }
    if let Some(list) = what.batch {
        let folder = out.ok_or_else(|| eyre!("--batch needs a folder to write to: give it with --out"))?;
        return batch::execute(&list, &folder, || Studio::open(&model_dir, settings), settings.threads, force, json);
    }

    if let Some(out) = out.as_deref().filter(|out| out.exists() && !force) {
        bail!("{} exists; add --force to overwrite it", out.display());
    }
    let files = LocalModel::open(&model_dir)?;
    let spec = match (what.spec, what.prompt) {
        (Some(file), _) => read_spec(&file)?,
        (None, prompt) => complete(&files.manifest.pipeline, &prompt.unwrap_or_default(), &text)?,
    };
    if let Spec::Image(_) = spec {
        ensure!(noise_seed.is_some(), "a picture starts from noise: say which with --noise-seed");
        ensure!(out.is_some(), "say which PNG file to write with --out");
    }
    let studio = Studio::load(files, settings)?;

    let bar = progress_bar(steps_of(&spec), "steps");
    let made = studio.make(None, &spec, noise_seed, out.as_deref(), |step| bar.set_position(u64::from(step)))?;
    bar.finish_and_clear();
    print(&made, json)
}

/// What the model makes of a prompt, with what was typed of texts.
pub(super) fn complete(pipeline: &Pipeline, prompt: &str, text: &TextArgs) -> eyre::Result<Spec> {
    match (pipeline.spec(prompt), text.first_typed()) {
        (Spec::Text(usual), _) => Ok(Spec::Text(text.complete(usual))),
        (spec, None) => Ok(spec),
        (_, Some(flag)) => bail!("{flag} is for texts; this model makes pictures"),
    }
}

impl Studio {
    fn open(folder: &Path, settings: Settings) -> eyre::Result<Self> {
        Self::load(LocalModel::open(folder)?, settings)
    }

    fn load(files: LocalModel, settings: Settings) -> eyre::Result<Self> {
        if let Err(reason) = settings.check(&files.manifest) {
            eprintln!("for yourself only, not to be served: {reason}");
        }
        let model = Model::try_out(&files, settings)?;
        let profile = described(&settings, &files.manifest.pipeline);
        Ok(Self { files, model, profile })
    }

    fn inputs(&self, spec: &Spec, noise_seed: Option<B256>) -> Inputs {
        Inputs { manifest_hash: self.files.hash, spec_hash: spec.hash(), noise_seed, profile: self.profile.clone() }
    }

    fn make(
        &self,
        name: Option<String>,
        spec: &Spec,
        noise_seed: Option<B256>,
        path: Option<&Path>,
        on_step: impl Fn(u32),
    ) -> eyre::Result<Made> {
        let start = Instant::now();
        let output = self.model.generate(spec, noise_seed.unwrap_or_default(), &mut |progress| {
            on_step(progress.step);
            ControlFlow::Continue(())
        })?;
        let seconds = start.elapsed().as_secs_f64();

        let file = File::of(&output)?;
        if let Some(path) = path {
            write_atomically(path, file.bytes()).map_err(|error| eyre!("cannot write {}: {error}", path.display()))?;
        }
        Ok(Made {
            name,
            inputs: self.inputs(spec, noise_seed),
            digest: output.digest(),
            content_hash: file.content_hash(),
            file: path.map(Path::to_owned),
            text: match output {
                Output::Picture(_) => None,
                Output::Text(text) => Some(text),
            },
            seconds,
        })
    }
}

/// Denoising steps, or tokens at most.
fn steps_of(spec: &Spec) -> u64 {
    match spec {
        Spec::Image(spec) => spec.steps.into(),
        Spec::Text(spec) => spec.max_tokens.into(),
    }
}

fn read_spec(file: &Path) -> eyre::Result<Spec> {
    let bytes = fs::read(file).map_err(|error| eyre!("cannot read {}: {error}", file.display()))?;
    serde_json::from_slice(&bytes).map_err(|error| eyre!("{} is not a spec: {error}", file.display()))
}

fn print(made: &Made, json: bool) -> eyre::Result<()> {
    if json {
        println!("{}", serde_json::to_string(made)?);
        return Ok(());
    }
    if let (Some(text), None) = (&made.text, &made.file) {
        println!("{}", text.text);
        return Ok(());
    }
    println!("digest        {}", B256::from(made.digest));
    println!("content hash  {}", made.content_hash);
    if let Some(file) = &made.file {
        println!("file          {}", file.display());
    }
    println!("time          {:.2} s", made.seconds);
    Ok(())
}
