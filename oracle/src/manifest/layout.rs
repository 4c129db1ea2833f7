//! Layouts: which files a pipeline reads, of those that a folder or a repository has.

use std::collections::BTreeSet;

use super::{FilePath, Pipeline};

/// In the folder of `diffusers`.
const IMAGE: [&str; 6] = [
    "model_index.json",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "tokenizer/tokenizer_config.json",
    "unet/config.json",
    "vae/config.json",
];

/// The same folder's weights, without what tells whole ones from shards and full precision from half.
const IMAGE_WEIGHTS: [&str; 3] = ["text_encoder/model", "unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model"];

/// Besides, where there are two text encoders.
const SECOND: [&str; 2] = ["text_encoder_2/config.json", "tokenizer_2/tokenizer_config.json"];

const SECOND_WEIGHTS: &str = "text_encoder_2/model";

/// Variants that weights are saved in; the first that is there is taken.
const VARIANTS: [&str; 2] = ["", ".fp16"];

const SECOND_ENCODER: &str = "text_encoder_2/config.json";

/// A folder or repository that is not laid out as its family is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// The pipeline could not start.
    #[error("there is no {0}, which the pipeline reads")]
    Missing(String),
    /// Only one can be the model.
    #[error("there are several GGUF files: choose with --file one of {}", .0.join(", "))]
    SeveralGgufs(Vec<String>),
}

/// What `pipeline` reads of the files that are `available`, sorted.
pub fn files_of(pipeline: &Pipeline, available: &BTreeSet<String>) -> Result<Vec<FilePath>, LayoutError> {
    let files = match pipeline {
        Pipeline::Image(_) => image(available),
        Pipeline::Text(_) => text(available)?,
    };
    let find = |path: String| match (available.contains(&path), FilePath::try_from(path.as_str())) {
        (true, Ok(path)) => Ok(path),
        _ => Err(LayoutError::Missing(path)),
    };
    files.into_iter().map(find).collect()
}

fn image(available: &BTreeSet<String>) -> BTreeSet<String> {
    let mut files: BTreeSet<_> = IMAGE.map(str::to_owned).into();
    files.extend(tokenizer("tokenizer", available));
    files.extend(IMAGE_WEIGHTS.iter().flat_map(|stem| weights(stem, available)));
    if available.contains(SECOND_ENCODER) {
        files.extend(SECOND.map(str::to_owned));
        files.extend(tokenizer("tokenizer_2", available));
        files.extend(weights(SECOND_WEIGHTS, available));
    }
    files
}

/// Of one component: whole, or an index and its shards.
fn weights(stem: &str, available: &BTreeSet<String>) -> Vec<String> {
    for variant in VARIANTS {
        let (whole, index) =
            (format!("{stem}{variant}.safetensors"), format!("{stem}.safetensors.index{variant}.json"));
        if available.contains(&whole) {
            return vec![whole];
        }
        if available.contains(&index) {
            let (first, last) = (format!("{stem}{variant}-"), ".safetensors");
            let shards = available.iter().filter(|path| path.starts_with(&first) && path.ends_with(last));
            return shards.cloned().chain([index]).collect();
        }
    }
    vec![format!("{stem}.safetensors")]
}

/// Whole, or in CLIP's two parts.
fn tokenizer(folder: &str, available: &BTreeSet<String>) -> Vec<String> {
    let whole = format!("{folder}/tokenizer.json");
    match available.contains(&whole) {
        true => vec![whole],
        false => ["merges.txt", "vocab.json"].map(|file| format!("{folder}/{file}")).into(),
    }
}

fn text(available: &BTreeSet<String>) -> Result<BTreeSet<String>, LayoutError> {
    let top = || available.iter().filter(|path| !path.contains('/'));
    let ggufs: Vec<_> = top().filter(|path| path.ends_with(".gguf")).cloned().collect();
    let shards: Vec<_> = top().filter(|path| path.starts_with("model-") && path.ends_with(".safetensors")).collect();
    if available.contains("config.json") && ggufs.is_empty() {
        let mut files: BTreeSet<_> = ["config.json", "tokenizer.json"].map(str::to_owned).into();
        let extra = ["chat_template.jinja", "generation_config.json", "tokenizer_config.json"];
        files.extend(extra.iter().filter(|file| available.contains(**file)).map(|file| (*file).to_owned()));
        match shards.is_empty() {
            true => files.extend(["model.safetensors".to_owned()]),
            false => {
                files.extend(["model.safetensors.index.json".to_owned()]);
                files.extend(shards.into_iter().cloned());
            }
        }
        return Ok(files);
    }
    match <[_; 1]>::try_from(ggufs) {
        Ok(gguf) => Ok(gguf.into()),
        Err(none) if none.is_empty() => Err(LayoutError::Missing("config.json or .gguf file".to_owned())),
        Err(several) => Err(LayoutError::SeveralGgufs(several)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn listed(pipeline: &str, available: &[&str]) -> Result<Vec<String>, LayoutError> {
        let pipeline = match pipeline {
            "image" => json!({
                "kind": "image", "family": "stable-diffusion",
                "defaults": {"width": 64, "height": 64, "steps": 20, "solver": "ddim", "guidance": 7500},
                "bounds": {"minSide": 64, "maxSide": 64, "sideStep": 64, "maxSteps": 50, "maxGuidance": 20000},
                "profile": {"accept": [10, 10, 10, 10], "reject": [20, 20, 20, 20]},
            }),
            _ => json!({
                "kind": "text", "family": "llama", "defaults": {"maxTokens": 64, "beams": 1},
                "bounds": {"maxTokens": 128, "maxBeams": 4},
            }),
        };
        let available = available.iter().map(|&path| path.to_owned()).collect();
        let files = files_of(&serde_json::from_value(pipeline).unwrap(), &available)?;
        Ok(files.into_iter().map(String::from).collect())
    }

    /// Weights in one file for each component.
    fn whole(stems: &[&str]) -> Vec<String> {
        stems.iter().map(|stem| format!("{stem}.safetensors")).collect()
    }

    #[test]
    fn the_whole_tokenizer_is_read_where_there_is_one_and_its_parts_where_not() {
        let weights = whole(&IMAGE_WEIGHTS);
        let weights: Vec<_> = weights.iter().map(String::as_str).collect();
        let parts =
            [&["tokenizer/merges.txt", "tokenizer/vocab.json", "README.md", "v1-5.ckpt"], &weights[..]].concat();
        let files = listed("image", &[&IMAGE[..], &parts].concat()).unwrap();
        assert!(files.contains(&"tokenizer/vocab.json".to_owned()) && files.len() == 11, "{files:?}");

        let files = listed("image", &[&IMAGE[..], &parts, &["tokenizer/tokenizer.json"]].concat()).unwrap();
        assert!(files.contains(&"tokenizer/tokenizer.json".to_owned()) && files.len() == 10, "{files:?}");
    }

    #[test]
    fn a_second_text_encoder_is_read_with_its_tokenizer_and_the_index() {
        let weights = whole(&[&IMAGE_WEIGHTS[..], &[SECOND_WEIGHTS]].concat());
        let weights: Vec<_> = weights.iter().map(String::as_str).collect();
        let tokenizers = ["tokenizer/tokenizer.json", "tokenizer_2/tokenizer.json"];
        let files = listed("image", &[&IMAGE[..], &SECOND, &tokenizers, &weights].concat()).unwrap();
        assert_eq!(files.len(), 14, "{files:?}");
    }

    #[test]
    fn weights_come_whole_or_in_shards_and_in_full_precision_if_there_is_a_choice() {
        let of = |available: &[&str]| weights("unet/x", &available.iter().map(|&path| path.to_owned()).collect());
        let (whole, half) = ("unet/x.safetensors", "unet/x.fp16.safetensors");
        assert_eq!(of(&[half, whole]), [whole]);
        assert_eq!(of(&[half]), [half]);
        let (one, two, index) =
            ("unet/x-00001-of-00002.safetensors", "unet/x-00002-of-00002.safetensors", "unet/x.safetensors.index.json");
        assert_eq!(of(&[index, two, one, half]), [one, two, index]);
    }

    #[test]
    fn a_text_model_is_one_gguf_file_or_safetensors_with_their_configs() {
        let plain = ["config.json", "tokenizer.json", "model.safetensors", "pytorch_model.bin", "onnx/model.onnx"];
        assert_eq!(listed("text", &plain).unwrap(), ["config.json", "model.safetensors", "tokenizer.json"]);

        let shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
        let index = "model.safetensors.index.json";
        let files = listed("text", &[&plain[..2], &shards, &[index, "tokenizer_config.json"]].concat()).unwrap();
        assert_eq!(files, [plain[0], shards[0], shards[1], index, plain[1], "tokenizer_config.json"]);

        assert_eq!(listed("text", &["README.md", "model.Q4.gguf"]).unwrap(), ["model.Q4.gguf"]);
        assert!(matches!(listed("text", &["a.gguf", "b.gguf"]), Err(LayoutError::SeveralGgufs(_))));
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(listed("image", &IMAGE[1..]), Err(LayoutError::Missing(IMAGE[0].to_owned())));
        assert_eq!(listed("text", &["config.json"]), Err(LayoutError::Missing("model.safetensors".to_owned())));
        assert!(listed("text", &[]).is_err());
    }
}
