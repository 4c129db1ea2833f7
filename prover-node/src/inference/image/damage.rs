//! Damaged and foreign models are refused in one clear line: the tiny models of `tests/golden`, changed and pinned anew.

use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use alloy::primitives::{B256, keccak256};
use oracle::spec::{ImageSpec, Solver};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::golden::{files_below, tiny};
use crate::inference::{Pipeline, Settings};

/// A copy of one of the tiny models, which goes when it is dropped.
struct Copy {
    folder: TempDir,
    files: Vec<String>,
}

impl Copy {
    fn of(model: &str) -> Self {
        let original =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("tests/golden/families").join(model);
        let files = files_below(&original);
        let folder = tempfile::tempdir().unwrap();
        for path in &files {
            let copy = folder.path().join(path);
            fs::create_dir_all(copy.parent().unwrap()).unwrap();
            fs::copy(original.join(path), copy).unwrap();
        }
        Self { folder, files }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Changes a file and puts it back as it was after `look`.
    fn with<T>(&self, path: &str, bytes: &[u8], look: impl FnOnce(&Self) -> T) -> T {
        let before = fs::read(self.path(path)).unwrap();
        fs::write(self.path(path), bytes).unwrap();
        let seen = look(self);
        fs::write(self.path(path), before).unwrap();
        seen
    }

    /// Pins `files` as they are, and makes a picture. Whatever is wrong is said in one line.
    fn picture(&self, files: &[String]) -> Result<(), String> {
        let spec = ImageSpec {
            prompt: "a cat".into(),
            negative_prompt: "a dog".into(),
            width: 64,
            height: 64,
            steps: 1,
            solver: Solver::Ddim,
            guidance: 2_000,
            seed: B256::ZERO,
        };
        let made = Pipeline::load(&tiny(self.folder.path(), files), Settings::default())
            .and_then(|pipeline| pipeline.generate(&spec, B256::ZERO, &mut |_| ControlFlow::Continue(())));
        let told = made.map(drop).map_err(|error| error.to_string());
        if let Err(line) = &told {
            assert!(!line.contains('\n') && line.len() < 1_000, "not one clear line: {line}");
        }
        told
    }

    fn refusal(&self) -> String {
        self.picture(&self.files).expect_err("it should be refused")
    }
}

/// Numbers that anybody can make again.
fn random(seed: impl std::fmt::Display) -> u64 {
    u64::from_be_bytes(keccak256(seed.to_string())[..8].try_into().unwrap())
}

#[test]
fn undamaged_models_are_not_refused() {
    for model in ["sd-1.5", "sdxl"] {
        let copy = Copy::of(model);
        assert_eq!(copy.picture(&copy.files), Ok(()));
    }
}

#[test]
fn any_damage_to_weights_is_told_or_harmless() {
    const WEIGHTS: &str = "text_encoder/model.safetensors";
    let copy = Copy::of("sd-1.5");
    let bytes = fs::read(copy.path(WEIGHTS)).unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;

    for length in (0..40).map(|i| (random(format!("cut {i}")) % bytes.len() as u64) as usize).chain([0, 7, 8, header]) {
        let told = copy.with(WEIGHTS, &bytes[..length], Copy::refusal);
        assert!(told.contains("model.safetensors does not hold the weights"), "{length}: {told}");
    }
    let mut refused = 0;
    for i in 0..150 {
        let mut flipped = bytes.clone();
        let place = random(format!("place {i}")) as usize % header;
        flipped[place] ^= 1 << (i % 8);
        if let Err(told) = copy.with(WEIGHTS, &flipped, |copy| copy.picture(&copy.files)) {
            assert!(told.contains("model.safetensors does not hold the weights"), "{told}");
            refused += 1;
        }
    }
    assert!(refused > 75, "only {refused} of 150 changed headers were noticed");
}

#[test]
fn any_number_in_a_config_is_read_or_refused() {
    const CONFIGS: [&str; 6] = [
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "text_encoder_2/config.json",
        "unet/config.json",
        "vae/config.json",
        "tokenizer_2/tokenizer_config.json",
    ];
    let copy = Copy::of("sdxl");
    let strange =
        [json!(0), json!(3), json!(-1), json!(1e300), json!(u64::MAX), json!([]), json!([0, 0, 0, 0]), json!("")];
    // A picture or a line: a panic would end the test. Some keys say nothing about pictures.
    let (mut refused, mut tried) = (0, 0);
    for file in CONFIGS {
        let config: Value = serde_json::from_slice(&fs::read(copy.path(file)).unwrap()).unwrap();
        for (key, value) in config.as_object().unwrap() {
            if !(value.is_number() || value.is_array()) {
                continue;
            }
            for value in &strange {
                let mut config = config.clone();
                config[key] = value.clone();
                let told = copy.with(file, config.to_string().as_bytes(), |copy| copy.picture(&copy.files));
                refused += u32::from(told.is_err());
                tried += 1;
            }
        }
    }
    assert!(refused > tried / 2, "only {refused} of {tried} strange values were refused");
}

#[test]
fn foreign_classes_are_refused_by_name() {
    let copy = Copy::of("sdxl");
    let refusal = |file: &str, key: &str, value: Value| {
        let mut config: Value = serde_json::from_slice(&fs::read(copy.path(file)).unwrap()).unwrap();
        config[key] = value;
        copy.with(file, config.to_string().as_bytes(), Copy::refusal)
    };
    for (file, key, value, named) in [
        (
            "model_index.json",
            "_class_name",
            json!("StableDiffusionXLImg2ImgPipeline"),
            "StableDiffusionXLImg2ImgPipeline",
        ),
        ("model_index.json", "scheduler", json!(["diffusers", "LCMScheduler"]), "LCMScheduler"),
        ("model_index.json", "text_encoder", json!([null, null]), "text_encoder"),
        ("model_index.json", "transformer", json!(["diffusers", "FluxTransformer2DModel"]), "transformer"),
        ("unet/config.json", "_class_name", json!("UNet2DModel"), "UNet2DModel"),
        ("unet/config.json", "mid_block_type", json!(null), "mid_block_type"),
        (
            "unet/config.json",
            "down_block_types",
            json!(["AttnDownBlock2D", "DownBlock2D", "DownBlock2D"]),
            "AttnDownBlock2D",
        ),
        ("vae/config.json", "_class_name", json!("AutoencoderTiny"), "AutoencoderTiny"),
        ("scheduler/scheduler_config.json", "beta_schedule", json!("sigmoid"), "sigmoid"),
        ("scheduler/scheduler_config.json", "prediction_type", json!("flow_prediction"), "flow_prediction"),
        ("scheduler/scheduler_config.json", "use_karras_sigmas", json!(true), "use_karras_sigmas"),
        ("text_encoder/config.json", "hidden_act", json!("relu"), "relu"),
        ("text_encoder/config.json", "model_type", json!("t5"), "t5"),
        ("tokenizer/tokenizer_config.json", "tokenizer_class", json!("T5Tokenizer"), "T5Tokenizer"),
    ] {
        let told = refusal(file, key, value);
        assert!(told.contains(named) && told.contains(file), "{told}");
    }
}

#[test]
fn missing_files_are_told_by_name() {
    let copy = Copy::of("sdxl");
    for missing in &copy.files {
        let others: Vec<String> = copy.files.iter().filter(|file| *file != missing).cloned().collect();
        let told = copy.picture(&others).expect_err(missing);
        // Without its index a component is looked for in one file.
        let named = if missing.ends_with(".index.json") { "unet/diffusion_pytorch_model.safetensors" } else { missing };
        assert!(told.contains("does not pin") && told.contains(named), "{missing}: {told}");
    }
}

#[test]
fn an_index_names_files_of_its_own_folder_only() {
    const INDEX: &str = "unet/diffusion_pytorch_model.safetensors.index.json";
    let copy = Copy::of("sdxl");
    for (index, named) in [
        (json!({ "weight_map": { "conv_in.weight": "../../secret.safetensors" } }), "secret"),
        (json!({ "weight_map": { "conv_in.weight": "weights.bin" } }), "does not pin unet/weights.bin"),
        (json!({ "weight_map": {} }), "names no file"),
        (json!({}), "weight_map"),
    ] {
        let told = copy.with(INDEX, index.to_string().as_bytes(), Copy::refusal);
        assert!(told.contains(named), "{told}");
    }
}
