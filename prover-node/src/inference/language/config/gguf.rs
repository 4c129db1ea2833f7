//! GGUF's metadata, in the keys of llama.cpp.

use super::{Activation, Architecture, Config};
use crate::inference::language::{
    LanguageError,
    gguf::Gguf,
    rope::{Frequencies, Scaling},
};

/// Embeddings, which say how large the vocabulary is.
const EMBEDDING: &str = "token_embd.weight";

/// Divides the frequencies of full attention: how llama.cpp's converter writes Llama 3's scaling.
const ROPE_FACTORS: &str = "rope_freqs.weight";

/// Reads the metadata. What GGUF does not state of Gemma 3, llama.cpp has as constants; so it is here.
pub(in crate::inference::language) fn from_gguf(gguf: &mut Gguf) -> Result<Config, LanguageError> {
    let keys = gguf.keys.clone();
    let name = keys.need("general.architecture", keys.word("general.architecture")?)?.to_owned();
    let architecture = match name.as_str() {
        "llama" => Architecture::Llama,
        "qwen2" => Architecture::Qwen2,
        "qwen3" => Architecture::Qwen3,
        "gemma3" => Architecture::Gemma3,
        _ => return Err(keys.unsupported("general.architecture", "llama, qwen2, qwen3, gemma3")),
    };
    let key = |key: &str| format!("{name}.{key}");
    let maybe = |part: &str| keys.size(&key(part));
    let size = |part: &str| keys.need(&key(part), maybe(part)?);
    let real = |part: &str| keys.real(&key(part));
    let gemma = architecture == Architecture::Gemma3;

    for off in ["attn_logit_softcapping", "final_logit_softcapping", "expert_count"].map(key) {
        if keys.get(&off).is_some_and(|value| value.as_f64() != Some(0.0)) {
            return Err(keys.unsupported(&off, "nothing"));
        }
    }
    let (width, heads, layers) = (size("embedding_length")?, size("attention.head_count")?, size("block_count")?);
    let head_dim = maybe("attention.key_length")?.unwrap_or(width / heads.max(1));
    for same in ["attention.value_length", "rope.dimension_count"] {
        if maybe(same)?.is_some_and(|size| size != head_dim) {
            return Err(keys.unsupported(&key(same), "the size of a head"));
        }
    }
    // llama.cpp's rule: of Gemma 3, only the largest scales by its width.
    let scaled_by = if gemma && layers == 62 { width / heads.max(1) } else { head_dim };
    let layers = layers.min(super::MAX_DIMENSION + 1);
    let windows = match gemma {
        true => {
            let (window, pattern) = (size("attention.sliding_window")?, maybe("attention.sliding_window_pattern")?);
            let full = |layer: usize| (layer + 1).is_multiple_of(pattern.unwrap_or(6));
            (0..layers).map(|layer| (!full(layer)).then_some(window)).collect()
        }
        false => vec![None; layers],
    };
    let config = Config {
        architecture,
        vocabulary: gguf.rows(EMBEDDING)?,
        width,
        inner: size("feed_forward_length")?,
        heads,
        kv_heads: maybe("attention.head_count_kv")?.unwrap_or(heads),
        head_dim,
        norm_eps: keys.need(&key("attention.layer_norm_rms_epsilon"), real("attention.layer_norm_rms_epsilon")?)?,
        norm_offset: 0.0,
        context: size("context_length")?,
        activation: if gemma { Activation::GeluTanh } else { Activation::Silu },
        tied: !gguf.has("output.weight"),
        qkv_bias: gguf.has("blk.0.attn_q.bias"),
        output_bias: gguf.has("blk.0.attn_output.bias"),
        embedding_scale: gemma.then(|| (width as f64).sqrt()),
        query_scale: (scaled_by as f64).powf(-0.5),
        rope: Frequencies(Vec::new()),
        local_rope: Frequencies(Vec::new()),
        windows,
    };
    if let Some((odd, value)) = config.oddity() {
        let (file, odd, value) = (keys.file.clone(), odd.to_owned(), value.to_string());
        return Err(LanguageError::Unsupported { file, key: odd, value, supported: "what a model can have" });
    }

    let kind = key("rope.scaling.type");
    let scaling = match keys.word(&kind)? {
        None | Some("none") => Scaling::None,
        Some("linear") => Scaling::Linear(keys.need(&key("rope.scaling.factor"), real("rope.scaling.factor")?)?),
        Some(_) => return Err(keys.unsupported(&kind, "none, linear")),
    };
    let mut rope = Frequencies::new(real("rope.freq_base")?.unwrap_or(1e4), head_dim, scaling);
    let local_base = real("rope.freq_base_swa")?.unwrap_or(1e4);
    let local_rope = if gemma { Frequencies::new(local_base, head_dim, Scaling::None) } else { rope.clone() };
    if gguf.has(ROPE_FACTORS) {
        let factors = gguf.numbers(ROPE_FACTORS, rope.0.len())?;
        rope.0.iter_mut().zip(factors).for_each(|(frequency, factor)| *frequency /= factor);
    }
    Ok(Config { rope, local_rope, ..config })
}
