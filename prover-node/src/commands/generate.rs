//! `prover-node generate`: makes any job's picture or text again, on any machine, or a whole list of pictures.

mod batch;
mod text;

use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::Instant,
};

use alloy::primitives::B256;
use clap::ValueEnum;
use eyre::{bail, eyre};
use indicatif::{ProgressBar, ProgressStyle};
use oracle::{
    digest::Digest,
    manifest::LocalModel,
    spec::{ImageSpec, Prompt},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::profile::ProfileArgs;
use crate::{
    inference::{Pipeline, Settings},
    output::{Output, write_atomically},
};

/// What to make, from which noise, and how.
#[derive(Debug, clap::Args)]
pub struct GenerateArgs {
    #[command(flatten)]
    what: What,
    /// What generation starts from; of a job it is printed by `oracle status`
    #[arg(long, value_name = "0x..", required_unless_present_any = ["batch", "model"], conflicts_with = "batch")]
    noise_seed: Option<B256>,
    /// The model's folder
    #[arg(long, env = "QUORATE_MODEL_DIR", value_name = "DIR", default_value = "models/emoji-64")]
    model_dir: PathBuf,
    #[command(flatten)]
    profile: ProfileArgs,
    /// The PNG file to write; with --batch the folder
    #[arg(long, value_name = "PATH", required_unless_present = "model")]
    out: Option<PathBuf>,
    /// Overwrite what is there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    text: text::TextArgs,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct What {
    /// A job's spec as JSON
    #[arg(long, value_name = "FILE")]
    spec: Option<PathBuf>,
    /// Only a prompt; size, steps and guidance are the model's defaults
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// A list of pictures, one JSON object a line: name, noiseSeed, and spec or prompt. Takes up where it was stopped
    #[arg(long, value_name = "FILE")]
    batch: Option<PathBuf>,
}

/// A picture that was made: with what, and what came out.
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
    file: PathBuf,
    seconds: f64,
}

/// All that a picture depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inputs {
    /// The manifest's hash.
    manifest_hash: B256,
    spec_hash: B256,
    noise_seed: B256,
    /// Arithmetic, guidance mode and attention.
    profile: String,
}

/// A loaded model with what identifies its results.
struct Studio {
    model: LocalModel,
    pipeline: Pipeline,
    profile: String,
}

/// Runs the command.
pub fn execute(args: GenerateArgs, json: bool) -> eyre::Result<()> {
    let GenerateArgs { what, noise_seed, model_dir, profile, out, force, text } = args;
    let settings = profile.settings();
    if let Some(model) = &text.model {
        return text::execute(model, &what, &text, settings.threads, json);
    }
    let out = out.ok_or_else(|| eyre!("--out is missing"))?;
    if let Some(list) = what.batch {
        return batch::execute(&list, &out, || Studio::open(&model_dir, settings), settings.threads, force, json);
    }

    if out.exists() && !force {
        bail!("{} exists; add --force to overwrite it", out.display());
    }
    let studio = Studio::open(&model_dir, settings)?;
    let spec = match (what.spec, what.prompt) {
        (Some(file), _) => read_spec(&file, "an image")?,
        (None, prompt) => studio.spec_for(&prompt.unwrap_or_default()),
    };
    let noise_seed = noise_seed.ok_or_else(|| eyre!("--noise-seed is missing"))?;

    let bar = progress_bar(u64::from(spec.steps), "steps");
    let made = studio.make(None, &spec, noise_seed, &out, |step| bar.set_position(u64::from(step)))?;
    bar.finish_and_clear();
    print(&made, json)
}

impl Studio {
    fn open(folder: &Path, settings: Settings) -> eyre::Result<Self> {
        let model = LocalModel::open(folder)?;
        let pipeline = Pipeline::load(&model, settings)?;
        let Settings { arithmetic, guidance, attention, .. } = settings;
        let arithmetic = format!("{arithmetic:?}").to_lowercase();
        let profile = format!("{arithmetic} {} {}", word(&guidance), word(&attention));
        Ok(Self { model, pipeline, profile })
    }

    fn spec_for(&self, prompt: &str) -> ImageSpec {
        let defaults = self.model.manifest.defaults;
        ImageSpec {
            prompt: prompt.into(),
            negative_prompt: Prompt::default(),
            width: defaults.width,
            height: defaults.height,
            steps: defaults.steps,
            solver: defaults.solver,
            guidance: defaults.guidance,
            seed: B256::ZERO,
        }
    }

    fn inputs(&self, spec: &ImageSpec, noise_seed: B256) -> Inputs {
        Inputs { manifest_hash: self.model.hash, spec_hash: spec.hash(), noise_seed, profile: self.profile.clone() }
    }

    fn make(
        &self,
        name: Option<String>,
        spec: &ImageSpec,
        noise_seed: B256,
        file: &Path,
        on_step: impl Fn(u32),
    ) -> eyre::Result<Made> {
        let start = Instant::now();
        let picture = self.pipeline.generate(spec, noise_seed, &mut |progress| {
            on_step(progress.step);
            ControlFlow::Continue(())
        })?;
        let seconds = start.elapsed().as_secs_f64();

        let output = Output::of(&picture)?;
        write_atomically(file, output.png()).map_err(|error| eyre!("cannot write {}: {error}", file.display()))?;
        Ok(Made {
            name,
            inputs: self.inputs(spec, noise_seed),
            digest: Digest::of_image(&picture),
            content_hash: output.content_hash(),
            file: file.to_owned(),
            seconds,
        })
    }
}

/// As it is typed.
fn word(choice: &impl ValueEnum) -> String {
    choice.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

fn read_spec<S: DeserializeOwned>(file: &Path, kind: &str) -> eyre::Result<S> {
    let bytes = fs::read(file).map_err(|error| eyre!("cannot read {}: {error}", file.display()))?;
    serde_json::from_slice(&bytes).map_err(|error| eyre!("{} is not {kind} spec: {error}", file.display()))
}

fn progress_bar(len: u64, unit: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(&format!("{{bar:30}} {{pos}}/{{len}} {unit}, {{eta}} left"));
    ProgressBar::new(len).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn print(made: &Made, json: bool) -> eyre::Result<()> {
    if json {
        println!("{}", serde_json::to_string(made)?);
        return Ok(());
    }
    println!("digest        {}", B256::from(made.digest));
    println!("content hash  {}", made.content_hash);
    println!("file          {}", made.file.display());
    println!("time          {:.2} s", made.seconds);
    Ok(())
}
