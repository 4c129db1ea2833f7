//! Text to image, in the order in which it runs: tokens, text, noise, denoising steps, picture.

use alloy::primitives::B256;
use candle_core::{DType, Device, Tensor};
use image::RgbImage;
use oracle::{
    manifest::{Family, LocalModel},
    spec::{ImageBounds, ImageSpec, Solver},
};
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::{
    config::{SCHEDULER_CONFIG, SchedulerConfig, TextConfig, UNET_CONFIG, UnetConfig, VAE_CONFIG, VaeConfig},
    ddim::Ddim,
    noise::gaussian,
    text::TextEncoder,
    tokenizer::PromptTokenizer,
    unet::Unet,
    vae::Decoder,
};
use crate::inference::{
    Arithmetic, Generator, GuidanceMode, InferenceError, OnProgress, Progress, Settings,
    weights::{self, component},
};

/// A loaded model.
pub struct Pipeline {
    bounds: ImageBounds,
    settings: Settings,
    pool: ThreadPool,
    tokenizer: PromptTokenizer,
    text: TextEncoder,
    unet: Unet,
    decoder: Decoder,
    ddim: Ddim,
    latent_channels: usize,
    /// Picture pixels to a latent pixel, along a side.
    factor: usize,
    /// Of latents in the decoder.
    decoder_type: DType,
}

impl Pipeline {
    /// Reads the model's files, each once, and checks each against the manifest before it is parsed.
    pub fn load(model: &LocalModel, settings: Settings) -> Result<Self, InferenceError> {
        let manifest = &model.manifest;
        match manifest.family {
            Family::StableDiffusion => {}
        }
        if !manifest.arithmetic.contains(&settings.arithmetic) {
            let (model, permitted) = (manifest.name.clone(), manifest.arithmetic.clone());
            return Err(InferenceError::Arithmetic { model, asked: settings.arithmetic, permitted });
        }

        let (text, unet): (TextConfig, UnetConfig) = (weights::config(model)?, weights::config(model)?);
        let (vae, scheduler): (VaeConfig, SchedulerConfig) = (weights::config(model)?, weights::config(model)?);
        let ddim = Ddim::new(scheduler);
        fit_together(&text, &unet, &vae)?;
        can_make_all(&manifest.bounds, &vae, &ddim)?;

        let pool = ThreadPoolBuilder::new()
            .num_threads(settings.threads.get())
            .thread_name(|i| format!("model-{i}"))
            .build()?;
        let dtype = activations(settings.arithmetic);
        let decoder_type = if vae.force_upcast { DType::F32 } else { dtype };
        Ok(Self {
            bounds: manifest.bounds,
            settings,
            pool,
            tokenizer: PromptTokenizer::load(model, &text)?,
            text: component(model, "text_encoder/model.safetensors", dtype, |weights| {
                TextEncoder::new(&text, &weights)
            })?,
            unet: component(model, "unet/diffusion_pytorch_model.safetensors", dtype, |weights| {
                Unet::new(&unet, settings.attention, &weights)
            })?,
            decoder: component(model, "vae/diffusion_pytorch_model.safetensors", decoder_type, |weights| {
                Decoder::new(&vae, &weights)
            })?,
            ddim,
            latent_channels: vae.latent_channels,
            factor: vae.factor(),
            decoder_type,
        })
    }

    /// The picture of `spec` that starts from the noise of `noise_seed`.
    pub fn generate(
        &self,
        spec: &ImageSpec,
        noise_seed: B256,
        on_progress: &mut OnProgress<'_>,
    ) -> Result<RgbImage, InferenceError> {
        spec.check(&self.bounds)?;
        let steps = match spec.solver {
            Solver::Ddim => self.ddim.steps(spec.steps as usize).unwrap_or_default(),
        };
        let (height, width) = (spec.height as usize / self.factor, spec.width as usize / self.factor);
        let shape = (1, self.latent_channels, height, width);

        let texts = self.pool.install(|| self.encode(spec))?;
        let mut latent = gaussian(noise_seed, self.latent_channels * height * width);
        for (done, step) in (1..).zip(steps) {
            let input = Tensor::from_slice(&latent, shape, &Device::Cpu)?;
            let prediction = self.pool.install(|| self.predict(&input, step.timestep, &texts, spec))?;
            self.ddim.advance(step, &mut latent, &prediction);
            if on_progress(Progress { step: done, steps: spec.steps }).is_break() {
                return Err(InferenceError::Cancelled);
            }
        }
        let latent = Tensor::from_vec(latent, shape, &Device::Cpu)?.to_dtype(self.decoder_type)?;
        to_picture(&self.pool.install(|| self.decoder.decode(&latent))?)
    }

    /// The prompt's vectors, or with guidance those of the negative prompt and of the prompt: `[1 or 2, length, width]`.
    fn encode(&self, spec: &ImageSpec) -> Result<Tensor, InferenceError> {
        let prompts = if is_guided(spec) { vec![&spec.negative_prompt, &spec.prompt] } else { vec![&spec.prompt] };
        let ids = prompts.iter().map(|prompt| self.tokenizer.encode(&prompt.text())).collect::<Result<Vec<_>, _>>()?;
        Ok(self.text.encode(&ids)?)
    }

    /// Classifier-free guidance (arXiv 2207.12598): away from the negative prompt's prediction, beyond the prompt's.
    fn predict(
        &self,
        latent: &Tensor,
        timestep: usize,
        texts: &Tensor,
        spec: &ImageSpec,
    ) -> Result<Vec<f32>, InferenceError> {
        let predict = |latents: &Tensor, texts: &Tensor| {
            self.unet.predict(latents, timestep, texts)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()
        };
        if !is_guided(spec) {
            return Ok(predict(latent, texts)?);
        }
        let (without, with) = match self.settings.guidance {
            GuidanceMode::Batched => {
                let mut both = predict(&latent.repeat((2, 1, 1, 1))?, texts)?;
                let with = both.split_off(both.len() / 2);
                (both, with)
            }
            GuidanceMode::TwoPass => {
                (predict(latent, &texts.narrow(0, 0, 1)?)?, predict(latent, &texts.narrow(0, 1, 1)?)?)
            }
        };
        let scale = spec.guidance_scale() as f32;
        Ok(without.iter().zip(&with).map(|(without, with)| without + scale * (with - without)).collect())
    }
}

impl Generator for Pipeline {
    fn generate(
        &mut self,
        spec: &ImageSpec,
        noise_seed: B256,
        on_progress: &mut OnProgress<'_>,
    ) -> Result<RgbImage, InferenceError> {
        Self::generate(self, spec, noise_seed, on_progress)
    }
}

/// Up to 1.0 the prompt alone decides, as in `diffusers`.
fn is_guided(spec: &ImageSpec) -> bool {
    spec.guidance > 1_000
}

fn activations(arithmetic: Arithmetic) -> DType {
    match arithmetic {
        Arithmetic::F32 => DType::F32,
        Arithmetic::F16 => DType::F16,
        Arithmetic::Bf16 => DType::BF16,
    }
}

/// Refuses components that do not belong to each other.
fn fit_together(text: &TextConfig, unet: &UnetConfig, vae: &VaeConfig) -> Result<(), InferenceError> {
    let unsupported = |file, key: &str, value: usize, supported| {
        Err(InferenceError::Unsupported { file, key: key.to_owned(), value: value.into(), supported })
    };
    text.check()?;
    unet.check()?;
    vae.check()?;
    if unet.cross_attention_dim != text.hidden_size {
        return unsupported(
            UNET_CONFIG,
            "cross_attention_dim",
            unet.cross_attention_dim,
            "the text encoder's hidden_size",
        );
    }
    if [unet.in_channels, unet.out_channels] != [vae.latent_channels; 2] {
        return unsupported(UNET_CONFIG, "in_channels", unet.in_channels, "out_channels and the VAE's latent_channels");
    }
    if vae.out_channels != 3 {
        return unsupported(VAE_CONFIG, "out_channels", vae.out_channels, "3");
    }
    Ok(())
}

/// Refuses a model whose manifest takes jobs that it cannot make: nobody could decide them.
fn can_make_all(bounds: &ImageBounds, vae: &VaeConfig, ddim: &Ddim) -> Result<(), InferenceError> {
    let factor = vae.factor() as u32;
    let fits = |pixels: u32| pixels > 0 && pixels.is_multiple_of(factor);
    if !fits(bounds.min_side.into()) || !fits(bounds.side_step.into()) {
        return Err(InferenceError::Bounds {
            key: "sideStep and minSide",
            supported: format!("multiples of {factor}"),
        });
    }
    if let Some(steps) = (1..=bounds.max_steps).find(|steps| ddim.steps(usize::from(*steps)).is_none()) {
        let supported = format!("fewer than {steps}: {SCHEDULER_CONFIG} has no {steps} timesteps");
        return Err(InferenceError::Bounds { key: "maxSteps", supported });
    }
    Ok(())
}

/// `[1, 3, height, width]`, where -1 is black and 1 is full, to pixels.
fn to_picture(tensor: &Tensor) -> Result<RgbImage, InferenceError> {
    let (_, _, height, width) = tensor.dims4()?;
    let values = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    if values.iter().any(|value| !value.is_finite()) {
        return Err(InferenceError::NotFinite);
    }
    let plane = height * width;
    Ok(RgbImage::from_fn(width as u32, height as u32, |x, y| {
        let pixel = y as usize * width + x as usize;
        image::Rgb([0, 1, 2].map(|channel| to_byte(values[channel * plane + pixel])))
    }))
}

fn to_byte(value: f32) -> u8 {
    ((value / 2.0 + 0.5).clamp(0.0, 1.0) * 255.0).round_ties_even() as u8
}
