//! `oracle models add`: makes a manifest for a model of the hub's or of a folder.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use alloy::primitives::B256;
use eyre::{bail, ensure, eyre};
use oracle::{
    digest::ToleranceProfile,
    manifest::{
        Arithmetic, Draft, FilePath, ImageDefaults, ImageFamily, ImagePipeline, ListedFile, MANIFEST_FILE, Manifest,
        PermittedArithmetic, Pipeline, Repository, Revision, Source, TextDefaults, TextFamily, TextPipeline,
        TextProfile, files_of,
    },
    models_dir::ModelsDir,
    pull::{
        client,
        hub::{Hub, Listing},
    },
    spec::{ImageBounds, Solver, TextBounds},
};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::pin;
use crate::commands::{
    Context,
    files::{check_absent, write_whole},
};

/// Tokens that a text of an added model may have, unless its author changes that.
const MOST_TOKENS: u64 = 512;

/// Largest side of an image in a manifest that is made here, in pixels: twice the native one, if that is less.
const MAX_SIDE: u32 = 2_048;

/// What to add.
#[derive(clap::Args)]
#[command(after_help = "\
For a repository of the hub the manifest is written into the models folder, and `oracle models pull NAME` gets its files. \
For a folder it is written into that folder, with the sha256 of each file that the pipeline reads.

Size, steps, lengths and tolerance are guesses: look at them, and change them before you pull or `oracle models pin`.

Examples:
  oracle models add HuggingFaceTB/SmolLM2-360M-Instruct --name smollm2-360m
  oracle models add ./my-finetune --name my-finetune --license MIT")]
pub(crate) struct Args {
    /// A folder, or a repository of the hub as OWNER/NAME; a folder is meant if there is one
    #[arg(value_name = "SOURCE")]
    source: String,
    /// What to call it [default: the last part of the source, in lower case]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// What it is [default: as its configs say]
    #[arg(long, value_name = "FAMILY")]
    family: Option<Family>,
    /// SPDX expression of its licence [default: as its repository says]
    #[arg(long, value_name = "SPDX")]
    license: Option<String>,
    /// Branch, tag or commit of the repository
    #[arg(long, value_name = "REVISION", default_value = "main")]
    revision: Revision,
    /// The one GGUF file to take, where there are several
    #[arg(long, value_name = "FILE")]
    file: Option<String>,
    /// Replace a manifest that is there
    #[arg(long)]
    force: bool,
    /// Do not use the network: only the hub's cache
    #[arg(long)]
    offline: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Family {
    StableDiffusion,
    Llama,
    Qwen2,
    Qwen3,
    Gemma3,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Added {
    name: String,
    manifest: PathBuf,
    /// None until it is pinned.
    manifest_hash: Option<B256>,
    files: Vec<ListedFile>,
}

/// Where a model is before it has a manifest.
enum Place {
    Folder(PathBuf),
    Hub { hub: Hub, client: reqwest::Client, repository: Repository, listing: Listing },
}

pub(crate) async fn run(args: Args, models: &ModelsDir, context: &Context) -> eyre::Result<ExitCode> {
    let place = Place::of(&args).await?;
    let name = args.name.clone().unwrap_or_else(|| place.name());
    let folder = match &place {
        Place::Folder(folder) => folder.clone(),
        Place::Hub { .. } => models.folder_of(&name),
    };
    let path = folder.join(MANIFEST_FILE);

    let available = place.available(args.file.as_deref())?;
    let pipeline = place.pipeline(args.family, &available).await?;
    let paths = files_of(&pipeline, &available)?;
    let files = match &place {
        Place::Folder(folder) => {
            pin::pin(folder, paths, &context.terminal)?.into_iter().map(ListedFile::from).collect()
        }
        Place::Hub { listing, .. } => paths.into_iter().map(|path| told(listing, path)).collect(),
    };
    let draft: Draft = Manifest {
        name,
        license: args
            .license
            .or_else(|| place.license())
            .ok_or_else(|| eyre!("nothing says under which licence {} is: name it with --license", args.source))?,
        source: place.source(),
        pipeline,
        // What the others do differently has to be measured first.
        arithmetic: PermittedArithmetic { cpu: vec![Arithmetic::F32], ..Default::default() },
        golden: Vec::new(),
        files,
    };
    draft.check()?;

    fs::create_dir_all(&folder).map_err(|error| eyre!("cannot make {}: {error}", folder.display()))?;
    check_absent(&path, args.force)?;
    let bytes = draft.to_bytes()?;
    write_whole(&path, &bytes, args.force)?;
    let manifest_hash = draft.clone().pinned().is_ok().then(|| B256::from_slice(&Sha256::digest(&bytes)));
    let added = Added { name: draft.name, manifest: path, manifest_hash, files: draft.files };
    context.terminal.result(&added, |added| match place {
        Place::Folder(_) => {
            format!("{}: {} files are pinned in {}", added.name, added.files.len(), added.manifest.display())
        }
        Place::Hub { .. } => format!(
            "{}: {} lists {} files; `oracle models pull {}` gets them",
            added.name,
            added.manifest.display(),
            added.files.len(),
            added.name
        ),
    })?;
    Ok(ExitCode::SUCCESS)
}

impl Place {
    async fn of(args: &Args) -> eyre::Result<Self> {
        let folder = Path::new(&args.source);
        if folder.is_dir() {
            return Ok(Self::Folder(folder.to_owned()));
        }
        let repository: Repository = args.source.parse().map_err(|_| {
            eyre!("{:?} is neither a folder nor a repository of the hub, which is OWNER/NAME", args.source)
        })?;
        let (hub, client) = (Hub::from_env(args.offline), client()?);
        let listing = hub.listing(&client, &repository, &args.revision).await?;
        ensure!(
            !listing.files.is_empty(),
            "the files of {repository} are not known offline: add it where there is a network, and copy its quorate-model.json"
        );
        Ok(Self::Hub { hub, client, repository, listing })
    }

    fn name(&self) -> String {
        let name = match self {
            Self::Folder(folder) => fs::canonicalize(folder)
                .ok()
                .and_then(|folder| Some(folder.file_name()?.to_string_lossy().into_owned()))
                .unwrap_or_default(),
            Self::Hub { repository, .. } => repository.name().to_owned(),
        };
        name.to_ascii_lowercase()
    }

    fn source(&self) -> Option<Source> {
        match self {
            // The files lie beside the manifest; where that is, is nobody else's business.
            Self::Folder(_) => None,
            Self::Hub { repository, listing, .. } => {
                Some(Source::Hub { repository: repository.clone(), revision: Revision::Commit(listing.commit.clone()) })
            }
        }
    }

    fn license(&self) -> Option<String> {
        let Self::Hub { listing, .. } = self else { return None };
        // The hub's words, where they are not SPDX's in lower case.
        Some(match listing.license.as_deref()? {
            "apache-2.0" => "Apache-2.0".to_owned(),
            "mit" => "MIT".to_owned(),
            "creativeml-openrail-m" => "CreativeML-OpenRAIL-M".to_owned(),
            other => format!("LicenseRef-{other}"),
        })
    }

    /// Of several GGUF files, the one that was chosen.
    fn available(&self, chosen: Option<&str>) -> eyre::Result<BTreeSet<String>> {
        let all = match self {
            Self::Folder(folder) => pin::available(folder)?,
            Self::Hub { listing, .. } => listing.paths(),
        };
        match chosen {
            None => Ok(all),
            Some(file) if all.contains(file) => Ok(BTreeSet::from([file.to_owned()])),
            Some(file) => bail!("there is no {file} in it"),
        }
    }

    async fn pipeline(&self, family: Option<Family>, available: &BTreeSet<String>) -> eyre::Result<Pipeline> {
        let config = |path| self.config(path, available);
        let family = match family {
            Some(family) => family,
            None if available.contains("model_index.json") => {
                let index = config("model_index.json").await?;
                image_family(index["_class_name"].as_str().unwrap_or_default())?
            }
            None if available.contains("config.json") => {
                text_family(config("config.json").await?["model_type"].as_str().unwrap_or_default())?
            }
            None => bail!("it has no model_index.json or config.json to say what it is: say it with --family"),
        };
        let text = match family {
            Family::StableDiffusion => {
                let (unet, vae) = (config("unet/config.json").await?, config("vae/config.json").await?);
                return image_pipeline(&unet, &vae);
            }
            Family::Llama => TextFamily::Llama,
            Family::Qwen2 => TextFamily::Qwen2,
            Family::Qwen3 => TextFamily::Qwen3,
            Family::Gemma3 => TextFamily::Gemma3,
        };
        // A text takes no more than the model can look back on, less a token of the prompt.
        let context = match available.contains("config.json") {
            true => config("config.json").await?["max_position_embeddings"].as_u64(),
            false => None,
        };
        let most = context.map_or(MOST_TOKENS, |context| context.saturating_sub(1).min(MOST_TOKENS));
        let max_tokens = u32::try_from(most)?.max(1);
        Ok(Pipeline::Text(TextPipeline {
            family: text,
            defaults: TextDefaults { max_tokens: max_tokens.min(128), beams: 1 },
            bounds: TextBounds { max_tokens, max_beams: 4 },
            profile: TextProfile::default(),
        }))
    }

    async fn config(&self, path: &str, available: &BTreeSet<String>) -> eyre::Result<Value> {
        ensure!(available.contains(path), "there is no {path}, which says what the model is");
        let bytes = match self {
            Self::Folder(folder) => {
                fs::read(folder.join(path)).map_err(|error| eyre!("cannot read {path}: {error}"))?
            }
            Self::Hub { hub, client, repository, listing } => {
                hub.read(client, repository, &listing.commit, &FilePath::try_from(path)?).await?
            }
        };
        serde_json::from_slice(&bytes).map_err(|error| eyre!("{path} is not a config: {error}"))
    }
}

fn told(listing: &Listing, path: FilePath) -> ListedFile {
    let file = listing.file(&path);
    ListedFile { size: file.and_then(|file| file.size), sha256: file.and_then(|file| file.sha256()), path }
}

fn image_family(class: &str) -> eyre::Result<Family> {
    match class {
        "StableDiffusionPipeline" | "StableDiffusionXLPipeline" => Ok(Family::StableDiffusion),
        _ => bail!("its pipeline is {class:?}, and only Stable Diffusion 1, 2 and XL are supported"),
    }
}

fn text_family(model_type: &str) -> eyre::Result<Family> {
    match model_type {
        "llama" => Ok(Family::Llama),
        "qwen2" => Ok(Family::Qwen2),
        "qwen3" => Ok(Family::Qwen3),
        "gemma3" | "gemma3_text" => Ok(Family::Gemma3),
        _ => bail!("its model_type is {model_type:?}, and only llama, qwen2, qwen3 and gemma3 are supported"),
    }
}

/// At the size that the networks were trained for.
fn image_pipeline(unet: &Value, vae: &Value) -> eyre::Result<Pipeline> {
    let levels = vae["block_out_channels"].as_array().map_or(0, Vec::len);
    let side = unet["sample_size"].as_u64().zip(levels.checked_sub(1)).and_then(|(latent, halvings)| {
        let factor = 1_u64.checked_shl(u32::try_from(halvings).ok()?)?;
        u32::try_from(latent.checked_mul(factor)?).ok().filter(|side| (8..=4_096).contains(side))
    });
    let side = side.ok_or_else(|| eyre!("unet/config.json and vae/config.json do not say which size it makes"))?;
    let side_step = if side.is_multiple_of(64) { 64 } else { 8 };
    let (min, max) = ((side / 2).next_multiple_of(side_step).min(side), (side * 2).min(MAX_SIDE).max(side));
    let sides = |side: u32| u16::try_from(side);
    Ok(Pipeline::Image(ImagePipeline {
        family: ImageFamily::StableDiffusion,
        defaults: ImageDefaults { width: side, height: side, steps: 25, solver: Solver::Ddim, guidance: 7_500 },
        bounds: ImageBounds {
            min_side: sides(min)?,
            max_side: sides(max)?,
            side_step: u8::try_from(side_step)?,
            max_steps: 50,
            max_guidance: 20_000,
        },
        profile: ToleranceProfile { accept: [10; 4], reject: [20; 4], evidence: B256::ZERO },
    }))
}
