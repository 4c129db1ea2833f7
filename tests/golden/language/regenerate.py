"""Makes the tiny language models beside this file, and what transformers says of them.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt && venv/bin/python regenerate.py

Weights are random, and exact in f32, f16 and bf16 alike. llama and gemma3 are also written as GGUF, in the names and
layouts of llama.cpp's convert_hf_to_gguf.py.
"""

import json
import shutil
from pathlib import Path

import gguf
import numpy
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)

HERE = Path(__file__).parent
MAX_TOKENS = 24
BEAMS = 4
EVERY = 4  # Positions whose logits are kept.
MESSAGES = [
    {"role": "system", "content": "You are brief."},
    {"role": "user", "content": "Where do 3 foxes sleep at night?"},
]
TEMPLATE = (
    "{%- for message in messages %}\n"
    "    {{- '<|start|>' + message.role.title() + '\\n' + message['content'].strip() + '<|end|>' }}\n"
    "{%- endfor %}\n"
    "{%- if add_generation_prompt %}\n"
    "    {{- '<|start|>Assistant\\n' }}\n"
    "{%- endif %}\n"
)
SPECIALS = ["<|pad|>", "<|start|>", "<|end|>"]
CORPUS = ["the fox sleeps in the den at night and the dog sleeps in the house", "where do the foxes and the dogs sleep"]

SHAPE = dict(
    vocab_size=288, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=128, initializer_range=0.3, bos_token_id=1, eos_token_id=2, pad_token_id=0,
)
LLAMA3 = dict(
    rope_type="llama3", rope_theta=10000.0, factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0,
    original_max_position_embeddings=32,
)
LOCAL = {
    "full_attention": {"rope_type": "linear", "rope_theta": 1000000.0, "factor": 2.0},
    "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
}
# Seeds of models that end some of their texts themselves, and whose beams find other texts than greedy decoding.
CONFIGS = {
    "llama": (39, LlamaConfig(**SHAPE, rope_parameters=LLAMA3, tie_word_embeddings=False)),
    "qwen2": (8, Qwen2Config(**SHAPE, tie_word_embeddings=True)),
    "qwen3": (0, Qwen3Config(**SHAPE, head_dim=16, tie_word_embeddings=False)),
    "gemma3": (
        0,
        Gemma3TextConfig(
            **{**SHAPE, "num_hidden_layers": 3, "initializer_range": 0.05}, head_dim=16, query_pre_attn_scalar=16, sliding_window=8,
            layer_types=["sliding_attention", "full_attention", "sliding_attention"], rope_parameters=LOCAL,
        ),
    ),
}


def byte_level():
    """As SmolLM2's: single digits, then bytes."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=280, special_tokens=SPECIALS, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def exact(model):
    """Rounds the weights to what all three formats can hold."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" in name:
                weight += 0.3 * torch.randn_like(weight)
            if name.endswith("bias"):
                weight += 0.1 * torch.randn_like(weight)
            weight[weight.abs() < 1e-4] = 0
            weight.copy_(weight.to(torch.bfloat16).float())


def make(name, seed, config, tokenizer):
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    exact(model)
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    model.to(torch.bfloat16).save_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    tokenizer.save_pretrained(folder)

    inputs = tokenizer.apply_chat_template(MESSAGES, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    prompt = inputs["input_ids"]
    generate = lambda **options: model.generate(
        prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=MAX_TOKENS, do_sample=False, **options
    )[0, prompt.shape[1]:].tolist()
    greedy, beams = generate(), generate(num_beams=BEAMS, length_penalty=1.0, early_stopping=False)
    trim = lambda tokens: tokens[: tokens.index(2) + 1] if 2 in tokens else tokens
    greedy, beams = trim(greedy), trim(beams)
    tokens = torch.cat([prompt, torch.tensor([greedy])], dim=1)
    with torch.no_grad():
        logits = model(tokens).logits[0]
    expected = {
        "messages": MESSAGES, "maxTokens": MAX_TOKENS, "beams": BEAMS, "prompt": prompt[0].tolist(),
        "greedyTokens": greedy, "greedyText": tokenizer.decode(greedy, skip_special_tokens=True), "beamTokens": beams,
    }
    (folder / "expected.json").write_text(json.dumps(expected) + "\n")
    save_file({"logits": logits[::EVERY].contiguous()}, folder / "expected.safetensors")
    return model, greedy, beams


NAMES = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}


def renamed(name, gemma):
    stem, kind = name.rsplit(".", 1)
    if stem in NAMES:
        return f"{NAMES[stem]}.{kind}"
    _, _, layer, part = stem.split(".", 3)
    after = {"post_attention_layernorm": "post_attention_norm" if gemma else "ffn_norm",
             "pre_feedforward_layernorm": "ffn_norm", "post_feedforward_layernorm": "post_ffw_norm"}
    return f"blk.{layer}.{NAMES.get(part) or after[part]}.{kind}"


def permuted(weight, heads):
    """llama.cpp's LlamaModel.permute."""
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


def write_gguf(name, model, tokenizer):
    """The model of the same name, as a GGUF of half precision."""
    config, gemma = model.config, name == "gemma3"
    writer = gguf.GGUFWriter(HERE / f"{name}.gguf", name)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    if gemma:
        writer.add_key_length(config.head_dim)
        writer.add_value_length(config.head_dim)
        writer.add_sliding_window(config.sliding_window)
        writer.add_uint32("gemma3.attention.sliding_window_pattern", 2)
        writer.add_rope_freq_base(1000000.0)
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(2.0)
    else:
        writer.add_rope_freq_base(10000.0)
        from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

        scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](config, device="cpu")
        size = config.hidden_size // config.num_attention_heads
        plain = 1.0 / 10000.0 ** (torch.arange(0, size, 2).float() / size)
        writer.add_tensor("rope_freqs.weight", (plain / scaled).numpy())

    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list([token for token, _ in vocabulary])
    writer.add_token_types([3 if token in SPECIALS else 1 for token, _ in vocabulary])
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    writer.add_token_merges([" ".join(merge) for merge in merges])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(0)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
    for key, weight in model.state_dict().items():
        weight = weight.numpy()
        if gemma and "norm" in key:
            weight = weight + 1
        if not gemma and "q_proj" in key:
            weight = permuted(weight, config.num_attention_heads)
        if not gemma and "k_proj" in key:
            weight = permuted(weight, config.num_key_value_heads)
        if key == "lm_head.weight" and config.tie_word_embeddings:
            continue
        writer.add_tensor(renamed(key, gemma), weight if weight.ndim == 1 else weight.astype(numpy.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=byte_level(), bos_token="<|start|>", eos_token="<|end|>", pad_token="<|pad|>"
    )
    tokenizer.chat_template = TEMPLATE
    for name, (seed, config) in CONFIGS.items():
        model, greedy, beams = make(name, seed, config, tokenizer)
        print(name, greedy, beams)
        if name in ("llama", "gemma3"):
            write_gguf(name, model, tokenizer)


main()
