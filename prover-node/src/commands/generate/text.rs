//! A text of a language model.

use std::{
    num::NonZeroUsize,
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::Instant,
};

use eyre::bail;
use oracle::{
    digest::Digest,
    spec::{Message, Prompt, Role, TextSpec},
};
use serde::Serialize;

use super::{What, progress_bar, read_spec};
use crate::{
    commands::print_json,
    inference::language::{Generator as _, Model, Settings},
};

/// What to write, and with which model.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Texts")]
pub(super) struct TextArgs {
    /// A language model: a GGUF file, or a folder with config.json, safetensors and tokenizer.json. Makes a text
    #[arg(long, value_name = "PATH", conflicts_with_all = ["batch", "noise_seed", "model_dir", "out", "force"])]
    pub(super) model: Option<PathBuf>,
    /// How the model is to behave
    #[arg(long, value_name = "TEXT", requires = "model", conflicts_with = "spec")]
    system: Option<String>,
    /// Tokens at most, the end token included
    #[arg(long, value_name = "N", default_value_t = 64, conflicts_with = "spec")]
    max_tokens: u32,
    /// Sequences that are followed at once; 1 is greedy decoding
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "spec")]
    beams: u8,
    /// The text is cut before the first of these
    #[arg(long, value_name = "TEXT", requires = "model", conflicts_with = "spec")]
    stop: Vec<String>,
}

/// A text that was made.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    digest: Digest,
    tokens: Vec<u32>,
    text: String,
    seconds: f64,
}

/// Writes the text to stdout, or all there is to know of it as JSON.
pub(super) fn execute(
    path: &Path,
    what: &What,
    args: &TextArgs,
    threads: NonZeroUsize,
    json: bool,
) -> eyre::Result<()> {
    let spec = match (&what.spec, &what.prompt) {
        (Some(file), _) => read_spec(file, "a text")?,
        (None, Some(prompt)) => args.spec(prompt),
        (None, None) => bail!("--prompt or --spec is missing"),
    };
    let mut model = Model::open(path, Settings { threads })?;

    let bar = progress_bar(u64::from(spec.max_tokens), "tokens");
    let start = Instant::now();
    let text = model.generate(&spec, &mut |progress| {
        bar.set_position(u64::from(progress.step));
        ControlFlow::Continue(())
    })?;
    let seconds = start.elapsed().as_secs_f64();
    bar.finish_and_clear();
    if json {
        return print_json(&Written { digest: text.digest(), tokens: text.tokens, text: text.text, seconds });
    }
    println!("{}", text.text);
    Ok(())
}

impl TextArgs {
    fn spec(&self, prompt: &str) -> TextSpec {
        let said = |role, text: &str| Message { role, content: text.into() };
        let system = self.system.iter().map(|text| said(Role::System, text));
        TextSpec {
            messages: system.chain([said(Role::User, prompt)]).collect(),
            max_tokens: self.max_tokens,
            beams: self.beams,
            stops: self.stop.iter().map(|stop| Prompt::from(stop.as_str())).collect(),
        }
    }
}
