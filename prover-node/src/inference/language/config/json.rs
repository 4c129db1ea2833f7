//! `config.json` of `transformers`, in the keys of its versions 4 and 5.
//!
//! Where the file is silent, what `transformers` assumes then is assumed here; shapes are never assumed.

use super::{Activation, Architecture, Config};
use crate::inference::language::{
    LanguageError,
    keys::Keys,
    rope::{Frequencies, Scaling},
};

/// The file's name.
pub(in crate::inference::language) const NAME: &str = "config.json";

/// Beside it, and more to be trusted about the end tokens.
pub(in crate::inference::language) const GENERATION_CONFIG: &str = "generation_config.json";

/// Switched on, each of these computes something that is not computed here.
const MUST_BE_OFF: [&str; 5] = [
    "mlp_bias",
    "attn_logit_softcapping",
    "final_logit_softcapping",
    "use_bidirectional_attention",
    "quantization_config",
];

/// Reads the file. Of models that see pictures too, the part that writes is read.
pub(in crate::inference::language) fn from_json(bytes: &[u8]) -> Result<Config, LanguageError> {
    let whole = Keys::parse(NAME, bytes)?;
    let keys = whole.within("text_config").unwrap_or(whole);
    let architecture = match keys.word("model_type")? {
        Some("llama") => Architecture::Llama,
        Some("qwen2") => Architecture::Qwen2,
        Some("qwen3") => Architecture::Qwen3,
        Some("gemma3_text") => Architecture::Gemma3,
        _ => return Err(keys.unsupported("model_type", "llama, qwen2, qwen3, gemma3_text")),
    };
    for key in MUST_BE_OFF {
        if keys.get(key).is_some_and(|value| *value != false) {
            return Err(keys.unsupported(key, "null or false"));
        }
    }
    let gemma = architecture == Architecture::Gemma3;
    let size = |key: &str| keys.need(key, keys.size(key)?);

    let (width, heads) = (size("hidden_size")?, size("num_attention_heads")?);
    let head_dim = match keys.size("head_dim")? {
        Some(head_dim) => head_dim,
        None if gemma || architecture == Architecture::Qwen3 => return keys.need("head_dim", None),
        None => width / heads.max(1),
    };
    let query_scale = match gemma {
        true => keys.need("query_pre_attn_scalar", keys.real("query_pre_attn_scalar")?)?.powf(-0.5),
        false => (head_dim as f64).powf(-0.5),
    };
    let biased = keys.flag("attention_bias")?.unwrap_or(false);
    let config = Config {
        architecture,
        vocabulary: size("vocab_size")?,
        width,
        inner: size("intermediate_size")?,
        heads,
        kv_heads: keys.size("num_key_value_heads")?.unwrap_or(heads),
        head_dim,
        norm_eps: keys.need("rms_norm_eps", keys.real("rms_norm_eps")?)?,
        norm_offset: if gemma { 1.0 } else { 0.0 },
        context: size("max_position_embeddings")?,
        activation: activation(&keys)?,
        tied: keys.flag("tie_word_embeddings")?.unwrap_or(gemma),
        qkv_bias: biased || architecture == Architecture::Qwen2,
        output_bias: biased,
        embedding_scale: gemma.then(|| (width as f64).sqrt()),
        query_scale,
        rope: Frequencies(Vec::new()),
        local_rope: Frequencies(Vec::new()),
        windows: windows(&keys, architecture)?,
    };
    if let Some((key, value)) = config.oddity() {
        let (file, key, value) = (NAME.to_owned(), key.to_owned(), value.to_string());
        return Err(LanguageError::Unsupported { file, key, value, supported: "what a model can have" });
    }
    let rope = rope(&keys, "full_attention", if gemma { 1e6 } else { 1e4 }, head_dim)?;
    let local_rope = if gemma { rope_of_windows(&keys, head_dim)? } else { rope.clone() };
    Ok(Config { rope, local_rope, ..config })
}

fn activation(keys: &Keys) -> Result<Activation, LanguageError> {
    let key = if keys.get("hidden_activation").is_some() { "hidden_activation" } else { "hidden_act" };
    match keys.need(key, keys.word(key)?)? {
        "silu" | "swish" => Ok(Activation::Silu),
        "gelu_pytorch_tanh" | "gelu_tanh" => Ok(Activation::GeluTanh),
        _ => Err(keys.unsupported(key, "silu, gelu_pytorch_tanh")),
    }
}

fn windows(keys: &Keys, architecture: Architecture) -> Result<Vec<Option<usize>>, LanguageError> {
    let layers = keys.need("num_hidden_layers", keys.size("num_hidden_layers")?)?.min(super::MAX_DIMENSION + 1);
    let gemma = architecture == Architecture::Gemma3;
    let used = match architecture {
        Architecture::Llama => false,
        Architecture::Qwen2 | Architecture::Qwen3 => keys.flag("use_sliding_window")?.unwrap_or(false),
        Architecture::Gemma3 => true,
    };
    if !used {
        return Ok(vec![None; layers]);
    }

    let window = keys.need("sliding_window", keys.size("sliding_window")?)?;
    if let Some(types) = keys.get("layer_types") {
        let of_type = |name: &serde_json::Value| match name.as_str() {
            Some("sliding_attention") => Ok(Some(window)),
            Some("full_attention") => Ok(None),
            _ => Err(keys.unsupported("layer_types", "sliding_attention, full_attention")),
        };
        let windows: Vec<_> = types.as_array().into_iter().flatten().map(of_type).collect::<Result<_, _>>()?;
        let fits = windows.len() == layers;
        return if fits { Ok(windows) } else { Err(keys.unsupported("layer_types", "one for each layer")) };
    }
    let pattern = keys.size("sliding_window_pattern")?.unwrap_or(6);
    let first = keys.size("max_window_layers")?.unwrap_or(28);
    let slides = |layer: usize| if gemma { !(layer + 1).is_multiple_of(pattern) } else { layer >= first };
    Ok((0..layers).map(|layer| slides(layer).then_some(window)).collect())
}

/// Version 5 has one object for everything, or one for each type of layer; version 4 has two keys.
fn rope(keys: &Keys, layers: &str, base: f64, head_dim: usize) -> Result<Frequencies, LanguageError> {
    let Some(parameters) = keys.within("rope_parameters") else {
        let base = keys.real("rope_theta")?.unwrap_or(base);
        let scaling = keys.within("rope_scaling").map_or(Ok(Scaling::None), |keys| scaling(&keys))?;
        return Ok(Frequencies::new(base, head_dim, scaling));
    };
    let parameters = parameters.within(layers).unwrap_or(parameters);
    let base = parameters.real("rope_theta")?.unwrap_or(base);
    Ok(Frequencies::new(base, head_dim, scaling(&parameters)?))
}

fn rope_of_windows(keys: &Keys, head_dim: usize) -> Result<Frequencies, LanguageError> {
    let base = keys.real("rope_local_base_freq")?.unwrap_or(1e4);
    match keys.within("rope_parameters") {
        Some(_) => rope(keys, "sliding_attention", base, head_dim),
        None => Ok(Frequencies::new(base, head_dim, Scaling::None)),
    }
}

fn scaling(keys: &Keys) -> Result<Scaling, LanguageError> {
    let key = if keys.get("rope_type").is_some() { "rope_type" } else { "type" };
    let real = |key: &str| keys.need(key, keys.real(key)?);
    if keys.real("partial_rotary_factor")?.is_some_and(|part| part != 1.0) {
        return Err(keys.unsupported("partial_rotary_factor", "1"));
    }
    match keys.word(key)? {
        None | Some("default") => Ok(Scaling::None),
        Some("linear") => Ok(Scaling::Linear(real("factor")?)),
        Some("llama3") => Ok(Scaling::Llama3 {
            factor: real("factor")?,
            low: real("low_freq_factor")?,
            high: real("high_freq_factor")?,
            original_context: real("original_max_position_embeddings")?,
        }),
        Some(_) => Err(keys.unsupported(key, "default, linear, llama3")),
    }
}
