"""The networks, in the diffusers layout of Stable Diffusion, and the tokenizer.

    python model.py --work WORK   # trains the tokenizer on captions
"""

import argparse
import json
import random
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

import dataset

MAX_LENGTH = 24
TEXT_WIDTH = 192
LATENT_CHANNELS = 16
LATENT_PX = 8
VAE_CHANNELS = (16, 32, 64, 128)
UNET_CHANNELS = (128, 192)
START, END = "<|startoftext|>", "<|endoftext|>"


def make_vae():
    # Few, large norm groups: with one or two channels to a group the norms erase the colours of a picture.
    n = len(VAE_CHANNELS)
    return AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * n,
        up_block_types=["UpDecoderBlock2D"] * n,
        block_out_channels=VAE_CHANNELS,
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=4,
        sample_size=64,
    )


def make_unet():
    n = len(UNET_CHANNELS)
    return UNet2DConditionModel(
        sample_size=LATENT_PX,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        down_block_types=["CrossAttnDownBlock2D"] * n,
        up_block_types=["CrossAttnUpBlock2D"] * n,
        block_out_channels=UNET_CHANNELS,
        layers_per_block=1,
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=4,  # diffusers' name for the number of heads
        norm_num_groups=16,
    )


def make_text_encoder(tokenizer):
    end = tokenizer.token_to_id(END)
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=tokenizer.get_vocab_size(),
            hidden_size=TEXT_WIDTH,
            intermediate_size=4 * TEXT_WIDTH,
            projection_dim=TEXT_WIDTH,
            num_hidden_layers=4,
            num_attention_heads=4,
            max_position_embeddings=MAX_LENGTH,
            hidden_act="quick_gelu",
            bos_token_id=tokenizer.token_to_id(START),
            eos_token_id=end,
            pad_token_id=end,
        )
    )


def make_scheduler():
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.02,  # not 0.012: hardly any of the background colour may be left in the noisiest latents
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type="v_prediction",
        timestep_spacing="leading",
    )


def train_tokenizer(texts, vocab_size, folder):
    """A byte-level BPE in CLIP's manner, trained on the captions; the id order is CLIP's (bytes, bytes</w>, merges, specials)."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    def bare(model):
        t = Tokenizer(model)
        t.normalizer = normalizers.Sequence(
            [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
        )
        t.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(
                    Regex(r"""'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"""), behavior="removed", invert=True
                ),
                pre_tokenizers.ByteLevel(add_prefix_space=False),
            ]
        )
        return t

    draft = bare(models.BPE(end_of_word_suffix="</w>", continuing_subword_prefix=""))
    draft.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=vocab_size, end_of_word_suffix="</w>", show_progress=False)
    )
    merges = [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in json.loads(draft.to_str())["model"]["merges"]]
    alphabet = list(bytes_to_unicode().values())
    words = alphabet + [a + "</w>" for a in alphabet]
    seen = set(words)
    for a, b in merges:  # two merges may make the same token
        if a + b not in seen:
            seen.add(a + b)
            words.append(a + b)
    words += [START, END]
    vocab = {w: i for i, w in enumerate(words)}
    tok = bare(
        models.BPE(
            vocab=vocab, merges=merges, end_of_word_suffix="</w>", continuing_subword_prefix="", unk_token=END, fuse_unk=False
        )
    )
    tok.add_special_tokens([START, END])
    tok.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(START, vocab[START]), (END, vocab[END])]
    )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tok.save(str(folder / "tokenizer.json"))
    (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    special = lambda t: {"content": t, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
    (folder / "special_tokens_map.json").write_text(
        json.dumps({"bos_token": special(START), "eos_token": special(END), "pad_token": END, "unk_token": special(END)}, indent=2)
    )
    (folder / "tokenizer_config.json").write_text(
        json.dumps(
            {
                "add_prefix_space": False,
                "bos_token": START,
                "do_lower_case": True,
                "eos_token": END,
                "errors": "replace",
                "model_max_length": MAX_LENGTH,
                "pad_token": END,
                "tokenizer_class": "CLIPTokenizer",
                "unk_token": END,
            },
            indent=2,
        )
    )
    return tok


def load_tokenizer(folder):
    from tokenizers import Tokenizer

    tok = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
    end = tok.token_to_id(END)
    tok.enable_truncation(MAX_LENGTH)
    tok.enable_padding(length=MAX_LENGTH, pad_id=end, pad_token=END)
    return tok


def token_ids(tok, texts):
    return torch.tensor([e.ids for e in tok.encode_batch(texts)])


if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--work", default="work")
    ap.add_argument("--vocabulary", type=int, default=1000)
    a = ap.parse_args()
    rng, classes, texts = random.Random(dataset.SEED), dataset.load_classes(), []
    for _ in range(40000):
        cls = rng.choice(classes)
        texts.append(dataset.caption(cls, rng.choice(dataset.SETS), dataset.random_colours(rng), rng))
    tok = train_tokenizer(texts, a.vocabulary, Path(a.work) / "tokenizer")
    print(f"{tok.get_vocab_size()} tokens, at most {max(len(e.ids) for e in tok.encode_batch(texts))} to a caption")
