//! Texts that transformers writes, as a data set: a stack that shares no line of code with the node.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use eyre::{Result, WrapErr as _, ensure, eyre};
use oracle::{
    dataset::{Dataset, Provenance, Row},
    digest::Digest,
    manifest::LocalModel,
    spec::{Spec, TextArgs, TextSpec},
};
use prover_node::{
    commands::study::machine,
    inference::{Device, Settings, language::Model},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Which texts, and by whom.
#[derive(clap::Args)]
pub(crate) struct PeerArgs {
    /// A Python with PyTorch, transformers and gguf
    #[arg(long, value_name = "PYTHON")]
    python: PathBuf,
    /// The folder of a model that is one GGUF file
    #[arg(long, value_name = "DIR")]
    model_dir: PathBuf,
    /// What to ask for: a prompt on each line
    #[arg(long, value_name = "FILE")]
    prompts: PathBuf,
    /// The folder of the data sets
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Of the program [default: one for each core]; on a busy machine one is faster
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    text: TextArgs,
}

/// What was made.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Written {
    build: String,
    file: PathBuf,
    texts: usize,
}

/// One of the peer's lines.
#[derive(Deserialize)]
struct Line {
    number: usize,
    tokens: Vec<u32>,
    seconds: f32,
}

pub(crate) fn measure(args: &PeerArgs) -> Result<Written> {
    let files = LocalModel::open(&args.model_dir)?;
    let gguf = match files.manifest.files.as_slice() {
        [file] => files.path(file.path.as_str())?,
        _ => return Err(eyre!("{} is not one GGUF file", args.model_dir.display())),
    };
    let usual = Settings::default();
    let settings = Settings { threads: args.threads.unwrap_or(usual.threads), ..usual };
    let model = Model::of(&files, settings)?;
    let spec = |prompt: &str| match files.manifest.pipeline.spec(prompt) {
        Spec::Text(usual) => Ok(args.text.complete(usual)),
        Spec::Image(_) => Err(eyre!("{} makes pictures", files.manifest.name)),
    };
    let text = fs::read_to_string(&args.prompts).wrap_err_with(|| format!("cannot read {}", args.prompts.display()))?;
    let prompts: Vec<Arc<str>> = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(Into::into).collect();
    let specs = prompts.iter().map(|prompt| spec(prompt)).collect::<Result<Vec<TextSpec>>>()?;
    let asked = specs.iter().map(|spec| Ok(model.prompt(spec)?)).collect::<Result<Vec<_>>>()?;
    let TextSpec { beams, max_tokens, .. } = spec("")?;
    let request = json!({
        "model": gguf, "threads": settings.threads, "prompts": asked, "maxTokens": max_tokens, "beams": beams,
        "ends": model.ends(),
    });

    let (build, made) = ask(&args.python, &request)?;
    ensure!(made.len() == prompts.len(), "transformers wrote {} texts of {}", made.len(), prompts.len());
    let row = |(number, Line { tokens, seconds, .. }): (usize, Line)| {
        let margin = if beams == 1 { Some(model.margin(&specs[number], &tokens)?) } else { None };
        let prompt = prompts[number].clone();
        Ok(Row { prompt, seed: 0, digest: Digest::of_tokens(&tokens), seconds, margin })
    };
    let mut rows = made.into_iter().map(row).collect::<Result<Vec<_>>>()?;
    rows.sort_by(|one, other| one.prompt.cmp(&other.prompt));
    let provenance = Provenance {
        model: files.manifest.name.clone(),
        files: files.manifest.files_hash(),
        spec: Spec::Text(spec("")?),
        device_profile: "cpu f32 transformers".to_owned(),
        machine: machine(Device::Cpu),
        build: build.clone(),
        fraud: None,
        digest: None,
    };
    fs::create_dir_all(&args.out).wrap_err_with(|| format!("cannot make {}", args.out.display()))?;
    let decoding = if beams == 1 { "greedy".to_owned() } else { format!("beams-{beams}") };
    let file = args.out.join(format!("cpu-f32-transformers-{decoding}.parquet"));
    Dataset { provenance, rows }.write(&file)?;
    Ok(Written { build, file, texts: prompts.len() })
}

/// The program's name and version, and its texts by their prompts' numbers.
fn ask(python: &Path, request: &serde_json::Value) -> Result<(String, BTreeMap<usize, Line>)> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/transformers_texts.py");
    let mut peer =
        Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().wrap_err("no Python")?;
    if let Some(mut input) = peer.stdin.take() {
        input.write_all(&serde_json::to_vec(request)?)?;
    }
    let mut answers = peer.stdout.take().into_iter().flat_map(|output| BufReader::new(output).lines());
    let build = answers.next().ok_or_else(|| eyre!("transformers says nothing"))??;
    let mut made = BTreeMap::new();
    for line in answers {
        let line: Line = serde_json::from_str(&line?).wrap_err("transformers' answer is not JSON")?;
        made.insert(line.number, line);
    }
    let ended = peer.wait()?;
    ensure!(ended.success(), "transformers ended with {ended}");
    Ok((serde_json::from_str(&build)?, made))
}

pub(crate) fn print(written: &Written) {
    println!("{}: {} texts in {}", written.build, written.texts, written.file.display());
}
