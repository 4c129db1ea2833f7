//! What a manifest may say, and what a folder with one is worth.

#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::*;

const WEIGHTS: &str = "unet/weights.safetensors";

fn image() -> Value {
    json!({
        "name": "tiny",
        "license": "MIT",
        "source": {"from": "hub", "repository": "me/tiny", "revision": "0123456789abcdef0123456789abcdef01234567"},
        "pipeline": {
            "kind": "image",
            "family": "stable-diffusion",
            "defaults": {"width": 64, "height": 64, "steps": 20, "solver": "ddim", "guidance": 7500},
            "bounds": {"minSide": 64, "maxSide": 64, "sideStep": 64, "maxSteps": 50, "maxGuidance": 20000},
            "profile": {"accept": [10, 10, 10, 10], "reject": [20, 20, 20, 20]},
        },
        "arithmetic": {"cpu": ["f32", "bf16"], "cuda": ["f16"], "metal": ["f32"]},
        "files": [{"path": WEIGHTS, "size": 7, "sha256": B256::from_slice(&Sha256::digest("weights"))}],
    })
}

fn text() -> Value {
    json!({
        "name": "tiny-text",
        "license": "Apache-2.0",
        "pipeline": {
            "kind": "text",
            "family": "llama",
            "defaults": {"maxTokens": 64, "beams": 1},
            "bounds": {"maxTokens": 256, "maxBeams": 4},
        },
        "arithmetic": {"cpu": ["f32"]},
        "files": [{"path": "tiny.Q4_1.gguf", "size": 7, "sha256": B256::from_slice(&Sha256::digest("weights"))}],
    })
}

fn parse(manifest: &Value) -> Result<Draft, Unsound> {
    Draft::parse(manifest.to_string().as_bytes())
}

/// The manifest with the value at `pointer` replaced, or taken out if it is null.
fn with(mut manifest: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = manifest.pointer_mut(parent).unwrap();
    match (parent, value) {
        (Value::Object(fields), Value::Null) => drop(fields.remove(key)),
        (Value::Object(fields), value) => drop(fields.insert(key.to_owned(), value)),
        (parent, value) => parent[key.parse::<usize>().unwrap()] = value,
    }
    manifest
}

/// A model of one file that holds "weights".
fn folder_of(manifest: &Value) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("unet")).unwrap();
    fs::write(folder.path().join(WEIGHTS), "weights").unwrap();
    fs::write(folder.path().join(MANIFEST_FILE), manifest.to_string()).unwrap();
    folder
}

#[test]
fn a_model_is_known_by_the_bytes_of_its_manifest() {
    let folder = folder_of(&image());
    let opened = LocalModel::open(folder.path()).unwrap();
    let bytes = fs::read(folder.path().join(MANIFEST_FILE)).unwrap();
    assert_eq!(opened.hash, B256::from_slice(&Sha256::digest(bytes)));
    assert_eq!(opened.path(WEIGHTS).unwrap(), folder.path().join(WEIGHTS));
    opened.verify().unwrap();
}

#[test]
fn other_weights_are_noticed() {
    let folder = folder_of(&image());
    let opened = LocalModel::open(folder.path()).unwrap();
    let weights = folder.path().join(WEIGHTS);
    fs::write(&weights, "Weights").unwrap();
    assert!(matches!(opened.verify(), Err(ManifestError::WrongHash { .. })));
    fs::write(&weights, "weights!").unwrap();
    assert!(matches!(opened.verify(), Err(ManifestError::WrongSize { expected: 7, actual: 8, .. })));
    fs::remove_file(&weights).unwrap();
    assert!(matches!(opened.verify(), Err(ManifestError::Unreadable { .. })));
}

#[cfg(unix)]
#[test]
fn a_link_is_followed_inside_the_folder_and_not_out_of_it() {
    use std::os::unix::fs::symlink;

    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("weights.safetensors"), "weights").unwrap();
    let replace = |target: &Path| {
        let folder = folder_of(&image());
        let weights = folder.path().join(WEIGHTS);
        fs::rename(&weights, folder.path().join("same")).unwrap();
        symlink(target, weights).unwrap();
        let verdict = LocalModel::open(folder.path()).unwrap().verify();
        (verdict, folder)
    };

    replace(Path::new("../same")).0.unwrap();
    let (refused, _folder) = replace(&elsewhere.path().join("weights.safetensors"));
    assert!(matches!(refused, Err(ManifestError::OutsideFolder { .. })), "{refused:?}");

    let folder = folder_of(&image());
    fs::remove_dir_all(folder.path().join("unet")).unwrap();
    symlink(elsewhere.path(), folder.path().join("unet")).unwrap();
    let refused = LocalModel::open(folder.path()).unwrap().verify();
    assert!(matches!(refused, Err(ManifestError::OutsideFolder { .. })), "{refused:?}");
}

#[test]
fn a_file_that_is_not_pinned_is_not_given_out() {
    let folder = folder_of(&image());
    let refused = LocalModel::open(folder.path()).unwrap().path("vae/config.json").unwrap_err();
    assert_eq!(refused.to_string(), "the manifest of tiny does not pin vae/config.json, which its pipeline needs");
}

#[test]
fn without_every_hash_and_the_commit_there_is_no_id() {
    for (pointer, value, what) in [
        ("/files/0/sha256", Value::Null, WEIGHTS),
        ("/files/0/size", Value::Null, WEIGHTS),
        ("/source/revision", json!("main"), "revision main"),
    ] {
        let folder = folder_of(&with(image(), pointer, value));
        LocalDraft::open(folder.path()).unwrap();
        let refused = LocalModel::open(folder.path()).unwrap_err().to_string();
        assert!(refused.contains(what) && refused.contains("oracle models pull tiny"), "{refused}");
    }
}

#[test]
fn what_is_not_a_manifest_is_refused_with_the_place() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(LocalModel::open(folder.path()), Err(ManifestError::NoModel { .. })));
    fs::write(folder.path().join(MANIFEST_FILE), r#"{"name": 7}"#).unwrap();
    let refused = LocalModel::open(folder.path()).unwrap_err().to_string();
    assert!(refused.contains("is not a model manifest") && refused.contains("line 1"), "{refused}");

    fs::write(folder.path().join(MANIFEST_FILE), vec![b' '; MAX_MANIFEST_BYTES + 1]).unwrap();
    let refused = LocalModel::open(folder.path()).unwrap_err().to_string();
    assert!(refused.contains("a manifest at most"), "{refused}");
}

#[test]
fn each_contradiction_is_refused_with_one_line_that_names_it() {
    let file = |path: &str, size: u64| json!({"path": path, "size": size, "sha256": B256::ZERO});
    for (manifest, pointer, value, words) in [
        (image(), "/name", json!("../tiny"), "the name"),
        (image(), "/name", json!(""), "the name"),
        (image(), "/name", json!("x".repeat(65)), "the name"),
        (image(), "/license", json!(" "), "no license"),
        (image(), "/licence", json!("MIT"), "unknown field `licence`"),
        (image(), "/files", json!([]), "list of files is empty"),
        (image(), "/files", json!([file("a.json", 1), file("a.json", 1)]), "a.json twice"),
        (image(), "/files", json!([file("a.json", 0)]), "0 bytes"),
        (image(), "/files", json!([file("a.json", u64::MAX), file("b.json", 1)]), "any disk"),
        (image(), "/files/0/size", json!(-1), "integer `-1`"),
        (image(), "/files/0/size", json!(7.0), "floating point"),
        (image(), "/files/0/sha256", json!("0x12"), "invalid"),
        (image(), "/files/0/path", json!("../weights.json"), "not a path inside"),
        (image(), "/files/0/path", json!("unet/weights.bin"), "pickled"),
        (image(), "/files/0/path", json!("run.py"), "not a file that a model is made of"),
        (image(), "/arithmetic", json!({}), "no arithmetic"),
        (image(), "/arithmetic/cpu", json!(["f32", "f32"]), "arithmetic twice"),
        (image(), "/arithmetic/tpu", json!(["f32"]), "unknown field `tpu`"),
        (image(), "/arithmetic/cpu", json!(["f64"]), "unknown variant `f64`"),
        (image(), "/pipeline/kind", json!("video"), "unknown variant `video`"),
        (image(), "/pipeline/family", json!("llama"), "unknown variant `llama`"),
        (image(), "/pipeline/beams", json!(1), "unknown field `beams`"),
        (image(), "/pipeline/defaults/steps", json!(51), "51 steps are out of bounds"),
        (image(), "/pipeline/defaults/guidance", json!(7.5), "floating point"),
        (image(), "/pipeline/bounds/sideStep", json!(0), "sides"),
        (image(), "/pipeline/bounds/minSide", json!(0), "sides"),
        (image(), "/pipeline/bounds/maxSide", json!(8192), "sides"),
        (image(), "/pipeline/bounds/maxSteps", json!(0), "maxSteps 0"),
        (image(), "/pipeline/profile/accept", json!([11, 0, 0, 0]), "tolerance profile"),
        (image(), "/source/from", json!("ftp"), "unknown variant `ftp`"),
        (image(), "/source/token", json!("hf_x"), "unknown field `token`"),
        (image(), "/source/repository", json!("a/../b"), "not a hub repository"),
        (text(), "/pipeline/defaults/maxTokens", json!(257), "257 tokens are out of bounds"),
        (text(), "/pipeline/defaults/beams", json!(0), "0 beams are out of bounds"),
        (text(), "/pipeline/bounds/maxTokens", json!(0), "maxTokens"),
        (text(), "/pipeline/bounds/steps", json!(1), "unknown field `steps`"),
        (text(), "/pipeline/profile", json!({"accept": [0, 0, 0, 0]}), "unknown field `accept`"),
        (text(), "/files", json!([file("config.json", 1)]), "neither or both"),
        (text(), "/files", json!([file("a.gguf", 1), file("b.gguf", 1)]), "neither or both"),
        (text(), "/files", json!([file("a.gguf", 1), file("model.safetensors", 1)]), "neither or both"),
    ] {
        let said = parse(&with(manifest, pointer, value.clone())).map(drop).map_err(|error| error.to_string());
        let said = said.expect_err(&format!("{pointer} = {value} should be refused"));
        assert!(said.contains(words) && !said.contains('\n'), "{pointer} = {value}: {said}");
    }
}

#[test]
fn a_text_model_says_where_its_weights_are_and_is_registered_with_an_exact_profile() {
    let manifest = parse(&text()).unwrap().pinned().unwrap();
    assert_eq!(manifest.weights().unwrap(), Some(Weights::Gguf("tiny.Q4_1.gguf".try_into().unwrap())));
    assert_eq!(manifest.text().unwrap().bounds, TextBounds { max_tokens: 256, max_beams: 4 });
    assert!(matches!(manifest.image(), Err(ManifestError::WrongKind { .. })));
    let terms = ModelTerms { owner: Address::ZERO, seat_stake: U96::ZERO, price: 0, time: 0, royalty: 0 };
    let model = manifest.on_chain(B256::ZERO, terms);
    assert_eq!((model.maxTokens, model.maxBeams, model.accept.0, model.reject.0), (256, 4, [0; 4], [64; 4]));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        let _ = Draft::parse(&bytes);
    }

    #[test]
    fn a_damaged_manifest_is_read_or_refused_and_what_is_read_survives_writing(
        manifest in prop_oneof![Just(image()), Just(text())],
        cut in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        truncate in any::<bool>(),
    ) {
        let mut bytes = manifest.to_string().into_bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if truncate {
            bytes.truncate(cut.index(bytes.len()));
            prop_assert!(Draft::parse(&bytes).is_err());
        } else if let Ok(draft) = Draft::parse(&bytes) {
            prop_assert_eq!(Draft::parse(&draft.to_bytes().unwrap()).unwrap(), draft);
        }
    }

    #[test]
    fn whatever_is_in_a_field_it_is_read_or_refused(
        manifest in prop_oneof![Just(image()), Just(text())],
        field in any::<prop::sample::Index>(),
        value in prop_oneof![
            Just(Value::Null), any::<bool>().prop_map(Value::from), any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from), any::<f64>().prop_map(Value::from), ".{0,40}".prop_map(Value::from),
            Just(json!([])), Just(json!({})), Just(json!([[]])),
        ],
    ) {
        let fields = pointers(&manifest, "");
        let changed = with(manifest, &fields[field.index(fields.len())], value);
        if let Ok(draft) = parse(&changed) {
            prop_assert_eq!(Draft::parse(&draft.to_bytes().unwrap()).unwrap(), draft);
        }
    }

    #[test]
    fn a_path_that_is_taken_stays_in_the_folder(path in r"[a-z./\\:]{0,12}\.(json|txt|gguf)") {
        if let Ok(path) = FilePath::try_from(path) {
            let path: &Path = path.as_ref();
            prop_assert!(path.components().all(|part| matches!(part, std::path::Component::Normal(_))));
        }
    }
}

/// All fields, as JSON pointers.
fn pointers(value: &Value, at: &str) -> Vec<String> {
    let below: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(key, value)| (format!("{at}/{key}"), value)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(i, value)| (format!("{at}/{i}"), value)).collect(),
        _ => Vec::new(),
    };
    below.into_iter().flat_map(|(at, value)| [vec![at.clone()], pointers(value, &at)].concat()).collect()
}
