//! A GGUF file: metadata, tokenizer and weights in one, with llama.cpp's names and layouts.

use std::{collections::HashMap, io::Cursor};

use candle_core::{
    Device, Error, Tensor,
    quantized::gguf_file::{Content, Value},
};
use serde_json::Map;

use super::{
    LanguageError,
    config::{Architecture, Config},
    keys::Keys,
};

/// A file that has been read whole, with its header parsed.
pub(super) struct Gguf {
    /// The metadata that are not lists.
    pub(super) keys: Keys,
    content: Content,
    bytes: Cursor<Vec<u8>>,
}

/// llama.cpp's names of whole tensors, and `transformers`'.
const TENSORS: [(&str, &str); 3] = [
    ("token_embd.weight", "model.embed_tokens.weight"),
    ("output_norm.weight", "model.norm.weight"),
    ("output.weight", "lm_head.weight"),
];

/// The same within a layer.
const LAYER_TENSORS: [(&str, &str); 14] = [
    ("attn_norm", "input_layernorm"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.o_proj"),
    ("attn_q_norm", "self_attn.q_norm"),
    ("attn_k_norm", "self_attn.k_norm"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
    ("post_attention_norm", "post_attention_layernorm"),
    ("post_ffw_norm", "post_feedforward_layernorm"),
    // The norm before the feed-forward half is the only one after attention but in Gemma.
    (FFN_NORM, "post_attention_layernorm"),
    (FFN_NORM, "pre_feedforward_layernorm"),
];

const FFN_NORM: &str = "ffn_norm";

impl Gguf {
    /// Parses the header. Lengths are held against the file's before anything is allocated for them.
    pub(super) fn parse(file: &str, bytes: Vec<u8>) -> Result<Self, LanguageError> {
        let damaged = |source| LanguageError::Weights { file: file.to_owned(), source };
        if aligns_to_nothing(&bytes) {
            return Err(damaged(Error::msg("its general.alignment is 0")));
        }
        let mut bytes = Cursor::new(bytes);
        let content = Content::read(&mut bytes).map_err(damaged)?;
        let values: Map<String, serde_json::Value> =
            content.metadata.iter().filter_map(|(key, value)| Some((key.clone(), scalar(value)?))).collect();
        Ok(Self { keys: Keys { file: file.to_owned(), values }, content, bytes })
    }

    pub(super) fn has(&self, tensor: &str) -> bool {
        self.content.tensor_infos.contains_key(tensor)
    }

    /// The first dimension of a tensor.
    pub(super) fn rows(&self, tensor: &str) -> Result<usize, LanguageError> {
        let shape = self.content.tensor_infos.get(tensor).map(|info| info.shape.dims());
        self.keys.need(tensor, shape.and_then(|shape| shape.first().copied()))
    }

    /// A tensor of `count` numbers.
    pub(super) fn numbers(&mut self, tensor: &str, count: usize) -> Result<Vec<f32>, LanguageError> {
        let numbers = self.tensor(tensor).and_then(|tensor| tensor.reshape(count)?.to_vec1());
        numbers.map_err(|source| self.damaged(source))
    }

    /// A list in the metadata, if there is one.
    pub(super) fn strings(&self, key: &str) -> Option<Vec<String>> {
        self.list(key, |value| value.to_string().ok().cloned())
    }

    /// A list in the metadata, if there is one.
    pub(super) fn reals(&self, key: &str) -> Option<Vec<f32>> {
        self.list(key, |value| value.to_f32().ok())
    }

    /// A list in the metadata, if there is one.
    pub(super) fn integers(&self, key: &str) -> Option<Vec<i64>> {
        self.list(key, |value| scalar(value)?.as_i64())
    }

    fn list<T>(&self, key: &str, read: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
        self.content.metadata.get(key)?.to_vec().ok()?.iter().map(read).collect()
    }

    /// All weights in f32, with the names and layouts of `transformers`.
    pub(super) fn weights(&mut self, config: &Config) -> Result<HashMap<String, Tensor>, LanguageError> {
        let names: Vec<_> = self.content.tensor_infos.keys().cloned().collect();
        let mut weights = HashMap::with_capacity(names.len());
        for name in names {
            let Some(renamed) = renamed(&name, config.architecture) else { continue };
            let weight = self.tensor(&name).and_then(|weight| laid_out(&renamed, weight, config));
            weights.insert(renamed, weight.map_err(|source| self.damaged(source))?);
        }
        Ok(weights)
    }

    fn tensor(&mut self, name: &str) -> candle_core::Result<Tensor> {
        let info = self.content.tensor_infos.get(name);
        let shape = info.map_or(&[][..], |info| info.shape.dims());
        // candle multiplies without looking. No kind of weight takes less than a bit.
        let most = self.bytes.get_ref().len().saturating_mul(8);
        let count = shape.iter().try_fold(1, |product: usize, size| product.checked_mul(*size));
        if count.is_none_or(|count| count > most) {
            return Err(Error::msg(format!("the tensor {name} is larger than the file")));
        }
        self.content.tensor(&mut self.bytes, name, &Device::Cpu)?.dequantize(&Device::Cpu)
    }

    fn damaged(&self, source: Error) -> LanguageError {
        LanguageError::Weights { file: self.keys.file.clone(), source }
    }
}

/// candle divides by it.
fn aligns_to_nothing(bytes: &[u8]) -> bool {
    const KEY: &[u8] = b"general.alignment";
    let is_zero = |at: usize| {
        let (kind, value) = bytes.get(at + KEY.len()..)?.split_first_chunk()?;
        let size = match u32::from_le_bytes(*kind) {
            0 | 1 => 1,
            2 | 3 => 2,
            4 | 5 => 4,
            _ => return None,
        };
        Some(value.get(..size)?.iter().all(|byte| *byte == 0))
    };
    memchr::memmem::find_iter(bytes, KEY).any(|at| is_zero(at).unwrap_or(false))
}

fn scalar(value: &Value) -> Option<serde_json::Value> {
    Some(match value {
        Value::U8(number) => (*number).into(),
        Value::I8(number) => (*number).into(),
        Value::U16(number) => (*number).into(),
        Value::I16(number) => (*number).into(),
        Value::U32(number) => (*number).into(),
        Value::I32(number) => (*number).into(),
        Value::U64(number) => (*number).into(),
        Value::I64(number) => (*number).into(),
        Value::F32(number) => (*number).into(),
        Value::F64(number) => (*number).into(),
        Value::Bool(flag) => (*flag).into(),
        Value::String(text) => text.clone().into(),
        Value::Array(_) => return None,
    })
}

fn renamed(name: &str, architecture: Architecture) -> Option<String> {
    let whole = TENSORS.iter().find(|(ours, _)| *ours == name);
    whole.map(|(_, theirs)| (*theirs).to_owned()).or_else(|| {
        let (layer, part) = name.strip_prefix("blk.")?.split_once('.')?;
        let (part, kind) = part.rsplit_once('.')?;
        let mut candidates = LAYER_TENSORS.iter().filter(|(ours, _)| *ours == part);
        let (_, theirs) = match architecture.has_sandwich_norms() {
            true => candidates.next_back()?,
            false => candidates.next()?,
        };
        Some(format!("model.layers.{layer}.{theirs}.{kind}"))
    })
}

/// llama.cpp's converter interleaves the two halves of each head's queries and keys in Llama's architecture.
fn laid_out(name: &str, weight: Tensor, config: &Config) -> candle_core::Result<Tensor> {
    let heads = match config.architecture {
        Architecture::Llama if name.contains("self_attn.q_proj") => config.heads,
        Architecture::Llama if name.contains("self_attn.k_proj") => config.kv_heads,
        _ => return Ok(weight),
    };
    let shape = weight.shape().clone();
    weight.reshape((heads, config.head_dim / 2, 2, ()))?.transpose(1, 2)?.reshape(shape)
}
