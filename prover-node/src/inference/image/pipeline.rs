//! Text to image, in the order in which it runs: tokens, text, noise, denoising steps, picture.

use alloy::primitives::B256;
use candle_core::{DType, Device, Tensor};
use image::RgbImage;
use oracle::{
    manifest::{ImageFamily, LocalModel},
    spec::{ImageBounds, ImageSpec, Solver},
};
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::{
    config::{ModelIndex, PipelineClass, SCHEDULER_CONFIG, UNET_CONFIG, UnetConfig, VAE_CONFIG, VaeConfig},
    noise::gaussian,
    prompts::{MeaningWidths, PromptEncoder, TextConfigs},
    schedule::Schedule,
    unet::{Condition, Unet},
    vae::Decoder,
};
use crate::inference::{
    Arithmetic, GuidanceMode, InferenceError, OnProgress, Progress, Settings,
    config::unsupported,
    weights::{self, component},
};

/// A loaded model.
pub struct Pipeline {
    bounds: ImageBounds,
    settings: Settings,
    pool: ThreadPool,
    unet: Unet,
    decoder: Decoder,
    prompts: PromptEncoder,
    schedule: Schedule,
    latent_channels: usize,
    /// Picture pixels to a latent pixel, along a side.
    factor: usize,
    /// Of latents in the decoder.
    decoder_type: DType,
    device: Device,
}

impl Pipeline {
    /// Reads the model's files, each once, and checks each against the manifest before it is parsed.
    pub fn load(model: &LocalModel, settings: Settings) -> Result<Self, InferenceError> {
        let manifest = &model.manifest;
        let image = manifest.image()?;
        match image.family {
            ImageFamily::StableDiffusion => {}
        }

        let index: ModelIndex = weights::config(model)?;
        let texts = TextConfigs::load(model, &index)?;
        let (unet, vae): (UnetConfig, VaeConfig) = (weights::config(model)?, weights::config(model)?);
        let schedule = Schedule::new(weights::config(model)?)?;
        fit_together(&index, texts.widths(), &unet, &vae)?;
        can_make_all(&image.bounds, &vae, &schedule)?;

        let pool = ThreadPoolBuilder::new()
            .num_threads(settings.threads.get())
            .thread_name(|i| format!("model-{i}"))
            .build()?;
        let device = settings.device.open()?;
        let dtype = activations(settings.arithmetic);
        let decoder_type = if vae.force_upcast { DType::F32 } else { dtype };
        Ok(Self {
            bounds: image.bounds,
            settings,
            pool,
            // The largest first: its files' bytes are gone by the time that the others are there.
            unet: component(model, "unet/diffusion_pytorch_model", (&device, dtype), |weights| {
                Unet::new(&unet, settings.attention, &weights)
            })?,
            decoder: component(model, "vae/diffusion_pytorch_model", (&device, decoder_type), |weights| {
                Decoder::new(&vae, &weights)
            })?,
            prompts: PromptEncoder::load(model, &index, &texts, (&device, dtype))?,
            schedule,
            latent_channels: vae.latent_channels,
            factor: vae.factor(),
            decoder_type,
            device,
        })
    }

    /// The picture of `spec` that starts from the noise of `noise_seed`.
    pub fn generate(
        &self,
        spec: &ImageSpec,
        noise_seed: B256,
        on_progress: &mut OnProgress<'_>,
    ) -> Result<RgbImage, InferenceError> {
        self.generate_seen(spec, noise_seed, on_progress, &mut |_| {})
    }

    /// The same, where `on_latent` is shown the latent after each step: channel, row, column.
    pub fn generate_seen(
        &self,
        spec: &ImageSpec,
        noise_seed: B256,
        on_progress: &mut OnProgress<'_>,
        on_latent: &mut dyn FnMut(&[f32]),
    ) -> Result<RgbImage, InferenceError> {
        spec.check(&self.bounds)?;
        let mut run = self.schedule.run(spec.solver, spec.steps as usize).ok_or_else(|| no_such_run(spec.steps))?;
        let (height, width) = (spec.height as usize / self.factor, spec.width as usize / self.factor);
        let shape = (1, self.latent_channels, height, width);

        let condition = self.pool.install(|| self.condition(spec))?;
        let mut latent = gaussian(noise_seed, self.latent_channels * height * width);
        for (done, timestep) in (1..).zip(run.timesteps()) {
            let input = Tensor::from_slice(&latent, shape, &self.device)?;
            let prediction = self.pool.install(|| self.predict(&input, timestep, &condition, spec))?;
            run.advance(&mut latent, &prediction);
            on_latent(&latent);
            if on_progress(Progress { step: done, steps: spec.steps }).is_break() {
                return Err(InferenceError::Cancelled);
            }
        }
        let latent = Tensor::from_vec(latent, shape, &self.device)?;
        to_picture(&self.pool.install(|| self.decoder.decode(&latent, self.decoder_type))?)
    }

    /// What the prompt asks for, or with guidance in two rows what the negative prompt and the prompt do.
    fn condition(&self, spec: &ImageSpec) -> Result<Condition, InferenceError> {
        let meaning = match is_guided(spec) {
            true => self.prompts.encode_both(&spec.negative_prompt, &spec.prompt)?,
            false => self.prompts.encode(&[&spec.prompt])?,
        };
        Ok(self.unet.condition(meaning.texts, meaning.pooled.as_ref(), [spec.height, spec.width])?)
    }

    /// Classifier-free guidance (arXiv 2207.12598): away from the negative prompt's prediction, beyond the prompt's.
    fn predict(
        &self,
        latent: &Tensor,
        timestep: usize,
        condition: &Condition,
        spec: &ImageSpec,
    ) -> Result<Vec<f32>, InferenceError> {
        let predict = |latents: &Tensor, condition: &Condition| {
            self.unet.predict(latents, timestep, condition)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()
        };
        if !is_guided(spec) {
            return Ok(predict(latent, condition)?);
        }
        let (without, with) = match self.settings.guidance {
            GuidanceMode::Batched => {
                let mut both = predict(&latent.repeat((2, 1, 1, 1))?, condition)?;
                let with = both.split_off(both.len() / 2);
                (both, with)
            }
            GuidanceMode::TwoPass => (predict(latent, &condition.row(0)?)?, predict(latent, &condition.row(1)?)?),
        };
        let scale = spec.guidance_scale() as f32;
        Ok(without.iter().zip(&with).map(|(without, with)| without + scale * (with - without)).collect())
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
fn fit_together(
    index: &ModelIndex,
    texts: MeaningWidths,
    unet: &UnetConfig,
    vae: &VaeConfig,
) -> Result<(), InferenceError> {
    let in_unet = |key, value: usize, supported| Err(unsupported(UNET_CONFIG, key, value, supported));
    let in_vae = |key, value: usize, supported| Err(unsupported(VAE_CONFIG, key, value, supported));
    unet.check()?;
    vae.check()?;
    if unet.cross_attention_dim != texts.texts {
        return in_unet(
            "cross_attention_dim",
            unet.cross_attention_dim,
            "the hidden_size of the text encoders together",
        );
    }
    match (texts.pooled, unet.added_widths()) {
        (None, None) => {}
        (Some(pooled), Some((waves, inputs))) if inputs == pooled + 6 * waves => {}
        (_, added) => {
            let supported = "null with one text encoder, and with two projection_dim + 6 addition_time_embed_dim";
            return in_unet("projection_class_embeddings_input_dim", added.map_or(0, |(_, inputs)| inputs), supported);
        }
    }
    if [unet.in_channels, unet.out_channels] != [vae.latent_channels; 2] {
        return in_unet("in_channels", unet.in_channels, "out_channels and the VAE's latent_channels");
    }
    if vae.out_channels != 3 {
        return in_vae("out_channels", vae.out_channels, "3");
    }
    if index.pipeline == PipelineClass::Original && (vae.latents_mean.is_some() || vae.latents_std.is_some()) {
        return in_vae("latents_mean and latents_std", vae.latent_channels, "null in a StableDiffusionPipeline");
    }
    Ok(())
}

/// Refuses a model whose manifest takes jobs that it cannot make: nobody could decide them.
fn can_make_all(bounds: &ImageBounds, vae: &VaeConfig, schedule: &Schedule) -> Result<(), InferenceError> {
    let factor = vae.factor() as u32;
    let fits = |pixels: u32| pixels > 0 && pixels.is_multiple_of(factor);
    if !fits(bounds.min_side.into()) || !fits(bounds.side_step.into()) {
        return Err(InferenceError::Bounds {
            key: "sideStep and minSide",
            supported: format!("multiples of {factor}"),
        });
    }
    let lacks = |steps: u16| {
        [Solver::Ddim, Solver::UniPc].iter().any(|solver| schedule.run(*solver, usize::from(steps)).is_none())
    };
    match (1..=bounds.max_steps).find(|steps| lacks(*steps)) {
        Some(steps) => Err(no_such_run(steps.into())),
        None => Ok(()),
    }
}

fn no_such_run(steps: u32) -> InferenceError {
    let supported = format!("fewer than {steps}: {SCHEDULER_CONFIG} has no {steps} timesteps");
    InferenceError::Bounds { key: "maxSteps", supported }
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
