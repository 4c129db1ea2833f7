//! The whole pipeline on a tiny model with random weights, made on the spot in the layout of Stable Diffusion.

use std::{fs, num::NonZeroUsize, ops::ControlFlow, path::Path, sync::mpsc as channel};

use ::image::RgbImage;
use alloy::primitives::{B256, keccak256};
use candle_core::{DType, Device, Tensor};
use candle_nn::{VarBuilder, VarMap};
use oracle::{
    digest::ToleranceProfile,
    manifest::{
        ImageDefaults, ImageFamily, ImagePipeline, LocalModel, MANIFEST_FILE, Manifest, ModelFile, PermittedArithmetic,
        hash_file,
    },
    output::Output,
    spec::{ImageBounds, ImageSpec, Prompt, Solver, Spec},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{config, noise::gaussian, text::TextEncoder, unet::Unet, vae::Decoder};
use crate::inference::{config::parse, *};

const UNET: &str = "unet/diffusion_pytorch_model.safetensors";

/// A model folder that goes when it is dropped.
struct Tiny(TempDir);

impl Tiny {
    fn new() -> Self {
        Self::with(|_, _| ())
    }

    /// `change` may alter each config after its weights were made for the original.
    fn with(change: impl Fn(&str, &mut Value)) -> Self {
        let tiny = Self(tempfile::tempdir().unwrap());
        let configs = configs();
        for (path, config) in &configs {
            let mut config = config.clone();
            change(path, &mut config);
            tiny.write(path, config.to_string().as_bytes());
        }
        tiny.write("tokenizer/vocab.json", vocabulary().to_string().as_bytes());
        tiny.write("tokenizer/merges.txt", b"#version: 0.2\n");

        let original = |path: &str| configs.iter().find(|(name, _)| *name == path).unwrap().1.to_string().into_bytes();
        let text: config::TextConfig =
            parse(Path::new(""), config::TEXT_CONFIG, &original(config::TEXT_CONFIG)).unwrap();
        let unet: config::UnetConfig =
            parse(Path::new(""), config::UNET_CONFIG, &original(config::UNET_CONFIG)).unwrap();
        let vae: config::VaeConfig = parse(Path::new(""), config::VAE_CONFIG, &original(config::VAE_CONFIG)).unwrap();
        tiny.weights("text_encoder/model.safetensors", |weights| drop(TextEncoder::new(&text, &weights).unwrap()));
        tiny.weights(UNET, |weights| drop(Unet::new(&unet, Attention::Full, &weights).unwrap()));
        tiny.weights("vae/diffusion_pytorch_model.safetensors", |weights| drop(Decoder::new(&vae, &weights).unwrap()));
        tiny.pin();
        tiny
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Random weights for whatever `build` asks for.
    fn weights(&self, path: &str, build: impl FnOnce(VarBuilder<'_>)) {
        let weights = VarMap::new();
        build(VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu));
        for (name, var) in weights.data().lock().unwrap().iter() {
            let values = gaussian(keccak256(name), var.elem_count());
            let fan_in = var.dims()[1..].iter().product::<usize>().max(1) as f64;
            let random = Tensor::from_vec(values, var.shape(), &Device::Cpu).unwrap();
            let value = match var.rank() {
                1 if name.ends_with("weight") => random.ones_like(),
                1 => random * 0.1,
                _ => random / fan_in.sqrt(),
            };
            var.set(&value.unwrap()).unwrap();
        }
        let file = self.0.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        weights.save(file).unwrap();
    }

    /// Writes the manifest for the files as they are.
    fn pin(&self) {
        let names = configs().into_iter().map(|(path, _)| path);
        let others = ["tokenizer/vocab.json", "tokenizer/merges.txt", "text_encoder/model.safetensors", UNET];
        let files = names.chain(others).chain(["vae/diffusion_pytorch_model.safetensors"]).map(|path| {
            let (size, sha256) = hash_file(&self.0.path().join(path)).unwrap();
            ModelFile { path: path.try_into().unwrap(), size, sha256 }
        });
        let bounds = ImageBounds { min_side: 16, max_side: 32, side_step: 2, max_steps: 20, max_guidance: 20_000 };
        let manifest = manifest(bounds, files.collect());
        self.write(MANIFEST_FILE, &serde_json::to_vec(&manifest).unwrap());
    }

    fn load(&self, settings: Settings) -> Result<Pipeline, InferenceError> {
        Pipeline::load(&LocalModel::open(self.0.path()).unwrap(), settings)
    }

    fn refusal(&self) -> String {
        self.load(settings()).err().expect("it should be refused").to_string()
    }
}

/// Of a model that is here for a test.
pub(super) fn manifest(bounds: ImageBounds, files: Vec<ModelFile>) -> Manifest {
    Manifest {
        name: "tiny".to_owned(),
        license: "MIT".to_owned(),
        source: None,
        pipeline: oracle::manifest::Pipeline::Image(ImagePipeline {
            family: ImageFamily::StableDiffusion,
            defaults: ImageDefaults { width: 16, height: 16, steps: 4, solver: Solver::Ddim, guidance: 3_000 },
            bounds,
            profile: ToleranceProfile { accept: [10; 4], reject: [20; 4], evidence: B256::ZERO },
        }),
        arithmetic: PermittedArithmetic { cpu: vec![Arithmetic::F32, Arithmetic::F16], ..Default::default() },
        golden: Vec::new(),
        files,
    }
}

fn configs() -> Vec<(&'static str, Value)> {
    vec![
        (
            config::MODEL_INDEX,
            json!({
                "_class_name": "StableDiffusionPipeline", "safety_checker": [null, null],
                "scheduler": ["diffusers", "PNDMScheduler"], "text_encoder": ["transformers", "CLIPTextModel"],
                "tokenizer": ["transformers", "CLIPTokenizer"], "unet": ["diffusers", "UNet2DConditionModel"],
                "vae": ["diffusers", "AutoencoderKL"],
            }),
        ),
        (
            config::TEXT_CONFIG,
            json!({
                "model_type": "clip_text_model", "vocab_size": 514, "hidden_size": 16, "intermediate_size": 32,
                "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 8,
                "hidden_act": "quick_gelu",
            }),
        ),
        (
            config::UNET_CONFIG,
            json!({
                "_class_name": "UNet2DConditionModel", "in_channels": 4, "out_channels": 4, "act_fn": "silu",
                "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
                "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"], "block_out_channels": [8, 16],
                "layers_per_block": 1, "cross_attention_dim": 16, "attention_head_dim": 2, "norm_num_groups": 4,
                "norm_eps": 1e-5, "time_cond_proj_dim": null, "dual_cross_attention": false,
            }),
        ),
        (
            config::VAE_CONFIG,
            json!({
                "latent_channels": 4, "out_channels": 3, "block_out_channels": [8, 8], "layers_per_block": 1,
                "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D"], "norm_num_groups": 4,
            }),
        ),
        (
            config::SCHEDULER_CONFIG,
            json!({
                "_class_name": "PNDMScheduler", "num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012,
                "beta_schedule": "scaled_linear", "clip_sample": false, "set_alpha_to_one": false, "steps_offset": 1,
                "skip_prk_steps": true, "trained_betas": null,
            }),
        ),
        (
            config::TOKENIZER_CONFIG,
            json!({
                "bos_token": "<|startoftext|>", "eos_token": { "content": "<|endoftext|>", "lstrip": false },
                "model_max_length": 8, "tokenizer_class": "CLIPTokenizer",
            }),
        ),
    ]
}

/// Every byte, within a word and at its end, and the two special tokens.
fn vocabulary() -> Value {
    let mut bytes: Vec<char> = tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet().into_iter().collect();
    bytes.sort_unstable();
    let words = bytes.iter().map(char::to_string).chain(bytes.iter().map(|byte| format!("{byte}</w>")));
    let special = ["<|startoftext|>", "<|endoftext|>"].map(str::to_owned);
    words.chain(special).enumerate().map(|(id, word)| (word, Value::from(id))).collect::<serde_json::Map<_, _>>().into()
}

fn settings() -> Settings {
    Settings { threads: NonZeroUsize::MIN, ..Settings::default() }
}

fn spec() -> ImageSpec {
    ImageSpec {
        prompt: "a cat".into(),
        negative_prompt: Prompt::default(),
        width: 16,
        height: 16,
        steps: 4,
        solver: Solver::Ddim,
        guidance: 3_000,
        seed: B256::ZERO,
    }
}

fn picture(pipeline: &Pipeline, spec: &ImageSpec) -> RgbImage {
    pipeline.generate(spec, B256::repeat_byte(9), &mut |_| ControlFlow::Continue(())).unwrap()
}

fn largest_difference(a: &RgbImage, b: &RgbImage) -> u8 {
    a.iter().zip(b.iter()).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

#[test]
fn every_profile_makes_the_same_picture() {
    let tiny = Tiny::new();
    let reference = picture(&tiny.load(settings()).unwrap(), &spec());
    assert!(reference.iter().max().unwrap() - reference.iter().min().unwrap() > 50, "the picture shows something");
    let profiles = [
        (settings(), 0),
        (Settings { threads: NonZeroUsize::new(2).unwrap(), ..settings() }, 0),
        (Settings { guidance: GuidanceMode::TwoPass, ..settings() }, 1),
        (Settings { attention: Attention::Sliced, ..settings() }, 1),
        (Settings { arithmetic: Arithmetic::F16, ..settings() }, 4),
    ];
    for (settings, tolerance) in profiles {
        let difference = largest_difference(&reference, &picture(&tiny.load(settings).unwrap(), &spec()));
        assert!(difference <= tolerance, "{settings:?} is off by {difference}");
    }
}

#[test]
fn the_picture_depends_on_what_it_should() {
    let pipeline = Tiny::new().load(settings()).unwrap();
    let reference = picture(&pipeline, &spec());
    let differs = |spec: &ImageSpec| picture(&pipeline, spec) != reference;
    assert!(differs(&ImageSpec { prompt: "a dog".into(), ..spec() }));
    assert!(differs(&ImageSpec { negative_prompt: "a dog".into(), ..spec() }));
    assert!(differs(&ImageSpec { steps: 5, ..spec() }));
    assert!(differs(&ImageSpec { guidance: 5_000, ..spec() }));
    // What the requester adds is in the noise seed already.
    assert!(!differs(&ImageSpec { seed: B256::repeat_byte(1), ..spec() }));
    // An odd latent side is rounded up on the way down, and cut again on the way up.
    assert_eq!(picture(&pipeline, &ImageSpec { width: 18, height: 30, ..spec() }).dimensions(), (18, 30));
}

#[test]
fn without_guidance_the_negative_prompt_is_not_asked() {
    let pipeline = Tiny::new().load(settings()).unwrap();
    let plain = ImageSpec { guidance: 1_000, ..spec() };
    let negative = ImageSpec { negative_prompt: "a dog".into(), ..plain.clone() };
    assert_eq!(picture(&pipeline, &plain), picture(&pipeline, &negative));
}

#[test]
fn any_bytes_are_a_prompt() {
    let pipeline = Tiny::new().load(settings()).unwrap();
    let with = |bytes: Vec<u8>| picture(&pipeline, &ImageSpec { prompt: Prompt(bytes), ..spec() });
    with(vec![]);
    with(vec![0xff, 0xfe, 0]);
    // Six tokens fit between start and end; what comes after them changes nothing.
    assert_eq!(with(b"abcdefg".to_vec()), with(b"abcdefgh".repeat(500)));
    assert_ne!(with(b"abcdefg".to_vec()), with(b"abcdegg".to_vec()));
}

#[test]
fn specs_out_of_bounds_are_refused() {
    let pipeline = Tiny::new().load(settings()).unwrap();
    let refused = |spec: ImageSpec| pipeline.generate(&spec, B256::ZERO, &mut |_| ControlFlow::Continue(())).is_err();
    assert!(refused(ImageSpec { width: 17, ..spec() }));
    assert!(refused(ImageSpec { steps: 21, ..spec() }));
    assert!(refused(ImageSpec { guidance: 20_001, ..spec() }));
}

#[test]
fn damaged_files_are_told_by_name() {
    let tiny = Tiny::new();
    let path = tiny.0.path().join(UNET);
    let bytes = fs::read(&path).unwrap();

    let mut flipped = bytes.clone();
    *flipped.last_mut().unwrap() ^= 1;
    fs::write(&path, flipped).unwrap();
    assert!(tiny.refusal().contains("is not the file that the manifest pins"));

    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(tiny.refusal().contains("bytes and the manifest pins"));
    // Pinned as it is, it is still no weights file.
    tiny.pin();
    assert!(tiny.refusal().contains("does not hold the weights"));

    fs::remove_file(&path).unwrap();
    assert!(tiny.refusal().contains("cannot read"));
}

#[test]
fn configs_that_do_not_fit_are_refused_by_name() {
    let refusal = |path: &'static str, key: &'static str, value: Value| {
        Tiny::with(|name, config| {
            if name == path {
                config[key] = value.clone();
            }
        })
        .refusal()
    };
    // The weights are of another shape.
    assert!(refusal(config::TEXT_CONFIG, "intermediate_size", json!(64)).contains("text_encoder/model.safetensors"));
    // Not implemented.
    let resnet = refusal(config::UNET_CONFIG, "resnet_time_scale_shift", json!("scale_shift"));
    assert!(resnet.contains("resnet_time_scale_shift") && resnet.contains("default"), "{resnet}");
    assert!(refusal(config::UNET_CONFIG, "class_embed_type", json!("timestep")).contains("class_embed_type"));
    assert!(refusal(config::VAE_CONFIG, "shift_factor", json!(0.1)).contains("shift_factor"));
    assert!(
        refusal(config::UNET_CONFIG, "down_block_types", json!(["AttnDownBlock2D", "DownBlock2D"])).contains("Attn")
    );
    assert!(refusal(config::SCHEDULER_CONFIG, "thresholding", json!(true)).contains("thresholding"));
    // Not together.
    assert!(refusal(config::UNET_CONFIG, "cross_attention_dim", json!(32)).contains("hidden_size"));
    assert!(refusal(config::SCHEDULER_CONFIG, "num_train_timesteps", json!(10)).contains("maxSteps"));
    assert!(refusal(config::TOKENIZER_CONFIG, "model_max_length", json!(77)).contains("model_max_length"));
}

#[test]
fn what_serves_a_model_computes_as_its_manifest_permits() {
    let tiny = Tiny::new();
    let model = LocalModel::open(tiny.0.path()).unwrap();
    let other = Settings { arithmetic: Arithmetic::Bf16, ..settings() };

    assert!(matches!(Model::load(&model, other), Err(InferenceError::NotPermitted { .. })));
    assert!(Model::try_out(&model, other).is_ok());
}

#[tokio::test]
async fn the_thread_makes_pictures_and_tells_how_far_it_is() {
    let pipeline = Tiny::new().load(settings()).unwrap();
    let (expected, spec) = (picture(&pipeline, &spec()), Spec::Image(spec()));
    let inference = Inference::of(Model::Image(Box::new(pipeline)));
    let mut seen = Vec::new();
    let asked = Asked { model: B256::ZERO, spec, noise_seed: B256::repeat_byte(9), deadline: 0, job: None };
    let made = inference.generate(asked, |progress| seen.push(progress.step)).await.unwrap();
    assert_eq!(made.output, Output::Picture(expected));
    assert_eq!(seen, [1, 2, 3, 4]);
}

/// Reports steps until it is stopped, and then tells so.
struct Endless(channel::Sender<()>);

impl Generator for Endless {
    fn generate(&self, _: &Spec, _: B256, on: &mut OnProgress<'_>) -> Result<Output, InferenceError> {
        while on(Progress { step: 1, steps: 2 }).is_continue() {
            std::thread::yield_now();
        }
        let _ = self.0.send(());
        Err(InferenceError::Cancelled)
    }
}

/// Panics at the first job, and makes the others.
struct Brittle(std::sync::atomic::AtomicBool);

impl Generator for Brittle {
    fn generate(&self, _: &Spec, _: B256, _: &mut OnProgress<'_>) -> Result<Output, InferenceError> {
        assert!(self.0.swap(true, std::sync::atomic::Ordering::Relaxed), "as it was meant to");
        Ok(Output::Picture(RgbImage::new(1, 1)))
    }
}

#[tokio::test]
async fn a_model_that_crashes_over_one_job_makes_the_next() {
    let inference = Inference::of(Brittle(false.into()));
    let make = || {
        let asked = Asked {
            model: B256::ZERO,
            spec: Spec::Image(spec()),
            noise_seed: B256::ZERO,
            deadline: u64::MAX,
            job: None,
        };
        inference.generate(asked, |_| {})
    };
    assert!(matches!(make().await, Err(InferenceError::Crashed)));
    assert!(make().await.is_ok());
}

#[tokio::test]
async fn dropping_the_future_cancels() {
    let (stopped, told) = channel::channel();
    let inference = Inference::of(Endless(stopped));
    let (started, mut begun) = tokio::sync::mpsc::unbounded_channel();
    let running = tokio::spawn({
        let inference = inference.clone();
        let asked =
            Asked { model: B256::ZERO, spec: Spec::Image(spec()), noise_seed: B256::ZERO, deadline: 0, job: None };
        async move { inference.generate(asked, |_| started.send(()).unwrap()).await }
    });
    begun.recv().await.unwrap();
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    tokio::task::spawn_blocking(move || told.recv().unwrap()).await.unwrap();
}
