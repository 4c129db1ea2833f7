"""Makes the tiny models of this folder and the pictures that diffusers makes of them.

    python make.py        # with the packages of ../../../models/train/requirements.txt

Each model is a small copy of its family's layout with random weights: the file names and the config files are those of the hub's
folders, down to what they leave out. All are kept in half precision, to be small. `cases.json` then lists the pictures of these models, and some of the bundled one, each with its spec
and its noise seed; `reference.py` beside the bundled model's training makes them.

The weights are scaled so that what should matter for a picture does, and the decoders' kernels are smooth, so that pictures are: hash bits
of white noise would be coin flips. `check` below says by how much each ingredient changes a picture.
"""

import hashlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "models/train"))
import reference  # noqa: E402

START, END = "<|startoftext|>", "<|endoftext|>"
MERGES = ["a p", "l e</w>", "ap p", "app le</w>", "r e", "re d</w>", "c a", "ca t</w>", "o n</w>", "i n"]
WIDTHS = [8, 8, 16, 16]

SCHEDULE = {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
PNDM = {
    "_class_name": "PNDMScheduler", "_diffusers_version": "0.6.0", **SCHEDULE, "trained_betas": None, "skip_prk_steps": True,
    "set_alpha_to_one": False, "steps_offset": 1, "clip_sample": False,
}
DDIM_V = {
    "_class_name": "DDIMScheduler", "_diffusers_version": "0.10.2", **SCHEDULE, "trained_betas": None, "skip_prk_steps": True,
    "set_alpha_to_one": False, "steps_offset": 1, "clip_sample": False, "prediction_type": "v_prediction",
}
EULER = {
    "_class_name": "EulerDiscreteScheduler", "_diffusers_version": "0.19.0.dev0", **SCHEDULE, "trained_betas": None,
    "skip_prk_steps": True, "set_alpha_to_one": False, "steps_offset": 1, "clip_sample": False, "sample_max_value": 1.0,
    "prediction_type": "epsilon", "interpolation_type": "linear", "use_karras_sigmas": False, "timestep_spacing": "leading",
}
ANCESTRAL = {
    "_class_name": "EulerAncestralDiscreteScheduler", "_diffusers_version": "0.24.0.dev0", **SCHEDULE, "trained_betas": None,
    "skip_prk_steps": True, "set_alpha_to_one": False, "steps_offset": 1, "clip_sample": False, "sample_max_value": 1.0,
    "prediction_type": "epsilon", "interpolation_type": "linear", "timestep_spacing": "trailing",
}


def unet_config(version, **family):
    return {
        "_class_name": "UNet2DConditionModel", "_diffusers_version": version, "act_fn": "silu",
        "block_out_channels": WIDTHS, "center_input_sample": False, "cross_attention_dim": 32,
        "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"], "downsample_padding": 1,
        "flip_sin_to_cos": True, "freq_shift": 0, "in_channels": 4, "layers_per_block": 2, "mid_block_scale_factor": 1,
        "norm_eps": 1e-05, "norm_num_groups": 4, "out_channels": 4, "sample_size": 8,
        "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3, **family,
    }


XL_UNET = {
    "addition_embed_type": "text_time", "addition_embed_type_num_heads": 64, "addition_time_embed_dim": 8,
    "attention_head_dim": [2, 2, 4], "block_out_channels": [8, 8, 16], "class_embed_type": None, "class_embeddings_concat": False,
    "conv_in_kernel": 3, "conv_out_kernel": 3, "cross_attention_dim": 48, "cross_attention_norm": None,
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"], "dual_cross_attention": False,
    "encoder_hid_dim": None, "encoder_hid_dim_type": None, "mid_block_only_cross_attention": None,
    "mid_block_type": "UNetMidBlock2DCrossAttn", "num_attention_heads": None, "num_class_embeds": None,
    "only_cross_attention": False, "projection_class_embeddings_input_dim": 16 + 6 * 8, "resnet_out_scale_factor": 1.0,
    "resnet_skip_time_act": False, "resnet_time_scale_shift": "default", "time_cond_proj_dim": None,
    "time_embedding_act_fn": None, "time_embedding_dim": None, "time_embedding_type": "positional", "timestep_post_act": None,
    "transformer_layers_per_block": [1, 1, 2],
    "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"], "upcast_attention": None,
    "use_linear_projection": True,
}


def vae_config(version, **family):
    return {
        "_class_name": "AutoencoderKL", "_diffusers_version": version, "act_fn": "silu", "block_out_channels": [8] * 4,
        "down_block_types": ["DownEncoderBlock2D"] * 4, "in_channels": 3, "latent_channels": 4, "layers_per_block": 1,
        "norm_num_groups": 4, "out_channels": 3, "sample_size": 64, "up_block_types": ["UpDecoderBlock2D"] * 4, **family,
    }


def text_config(vocabulary, **family):
    return {
        "architectures": ["CLIPTextModel"], "attention_dropout": 0.0, "bos_token_id": 0, "dropout": 0.0, "eos_token_id": 2,
        "hidden_act": "quick_gelu", "hidden_size": 32, "initializer_factor": 1.0, "initializer_range": 0.02,
        "intermediate_size": 64, "layer_norm_eps": 1e-05, "max_position_embeddings": 77, "model_type": "clip_text_model",
        "num_attention_heads": 2, "num_hidden_layers": 2, "pad_token_id": 1, "projection_dim": 32, "torch_dtype": "float32",
        "transformers_version": "4.22.0.dev0", "vocab_size": vocabulary, **family,
    }


def index(pipeline, scheduler, **family):
    return {
        "_class_name": pipeline, "_diffusers_version": "0.19.0.dev0", **family, "scheduler": ["diffusers", scheduler],
        "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
    }


CHECKER = {
    "feature_extractor": ["transformers", "CLIPImageProcessor"],
    "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
}
XL_INDEX = {
    "force_zeros_for_empty_prompt": True,
    "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"], "tokenizer_2": ["transformers", "CLIPTokenizer"],
}


def families(vocabulary):
    gelu = {"hidden_act": "gelu", "num_hidden_layers": 3}
    # The first is as wide as the second is not: an encoder in the other's place would not fit.
    second = text_config(
        vocabulary, **gelu, architectures=["CLIPTextModelWithProjection"], hidden_size=16, intermediate_size=48, projection_dim=16
    )
    xl_vae = vae_config("0.20.0.dev0", force_upcast=True, scaling_factor=0.13025)
    xl = {
        "text_encoder": text_config(vocabulary), "text_encoder_2": second, "unet": unet_config("0.19.0.dev0", **XL_UNET),
        "vae": xl_vae,
    }
    return {
        "sd-1.5": {
            "model_index": index("StableDiffusionPipeline", "PNDMScheduler", **CHECKER), "scheduler": PNDM,
            "text_encoder": text_config(vocabulary), "unet": unet_config("0.6.0", attention_head_dim=2, layers_per_block=1),
            "vae": vae_config("0.6.0"), "precision": "",
        },
        "sd-2.1": {
            "model_index": index("StableDiffusionPipeline", "DDIMScheduler", requires_safety_checker=False, safety_checker=[None, None]),
            "scheduler": DDIM_V, "text_encoder": text_config(vocabulary, **gelu),
            "unet": unet_config(
                "0.10.2", attention_head_dim=[1, 2, 4, 4], layers_per_block=1, dual_cross_attention=False, num_class_embeds=None,
                only_cross_attention=False, upcast_attention=True, use_linear_projection=True,
            ),
            "vae": vae_config("0.10.2"), "precision": ".fp16",
        },
        "sdxl": {
            "model_index": index("StableDiffusionXLPipeline", "EulerDiscreteScheduler", **XL_INDEX), "scheduler": EULER, **xl,
            "precision": "", "shards": "200KB",
        },
        "sdxl-turbo": {
            "model_index": index("StableDiffusionXLPipeline", "EulerAncestralDiscreteScheduler", **XL_INDEX), "scheduler": ANCESTRAL,
            **xl, "unet": unet_config("0.24.0.dev0", **XL_UNET, layers_per_block=1), "precision": ".fp16",
        },
    }


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n")


def byte_letters():
    """The letters that stand for bytes in CLIP's vocabulary, in its order."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [b for b in range(256) if b not in printable]
    return [chr(b) for b in printable] + [chr(256 + i) for i in range(len(others))]


def write_tokenizer(folder, pad):
    letters = byte_letters()
    words = letters + [letter + "</w>" for letter in letters] + [merge.replace(" ", "") for merge in MERGES] + [START, END]
    write_json(folder / "vocab.json", {word: i for i, word in enumerate(words)})
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(MERGES) + "\n")

    def token(content):
        return {"__type": "AddedToken", "content": content, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}

    write_json(
        folder / "tokenizer_config.json",
        {
            "add_prefix_space": False, "bos_token": token(START), "do_lower_case": True, "eos_token": token(END), "errors": "replace",
            "model_max_length": 77, "name_or_path": "openai/clip-vit-large-patch14", "pad_token": pad,
            "special_tokens_map_file": "./special_tokens_map.json", "tokenizer_class": "CLIPTokenizer", "unk_token": token(END),
        },
    )
    return len(words)


@torch.no_grad()
def scaled(module, gain=1.0):
    """Normal weights of one over the square root of what flows in; what a text or a time says is heard well."""
    for name, weight in module.named_parameters():
        inputs = weight[0].numel() if weight.dim() > 1 else 1
        if weight.dim() > 1:
            weight.normal_(0, gain / inputs**0.5)
        elif name.endswith("weight"):
            weight.normal_(1, 0.1)
        else:
            weight.normal_(0, 0.1)
        if "embedding.weight" in name:
            weight.normal_(0, 1)
        if "time_emb_proj.weight" in name or "attn2.to_out.0.weight" in name:
            weight.mul_(3)
    return module.eval()


@torch.no_grad()
def decoder(config):
    """Kernels that are smooth, and colours of some contrast."""
    vae = scaled(AutoencoderKL.from_config(config))
    bell = torch.tensor([1.0, 2.0, 1.0])
    bell = torch.outer(bell, bell) / 16
    for name, weight in vae.named_parameters():
        if weight.dim() == 4 and weight.shape[-1] == 3:
            weight.copy_(weight.sum((2, 3), keepdim=True) * bell)
    picture = vae.decode(torch.randn(8, 4, 8, 8, generator=torch.Generator().manual_seed(1)) * 4).sample
    vae.decoder.conv_out.weight.mul_(0.45 / picture.std((0, 2, 3)).view(-1, 1, 1, 1))
    picture = vae.decode(torch.randn(8, 4, 8, 8, generator=torch.Generator().manual_seed(1)) * 4).sample
    vae.decoder.conv_out.bias.sub_(picture.mean((0, 2, 3)))
    return vae


@torch.no_grad()
def denoiser(config):
    """Predictions of the size that noise has."""
    unet = scaled(UNet2DConditionModel.from_config(config))
    extra = {}
    if config.get("addition_embed_type"):
        extra = {"added_cond_kwargs": {"text_embeds": torch.randn(8, 16), "time_ids": torch.full((8, 6), 64.0)}}
    noise = unet(torch.randn(8, 4, 8, 8), 500, torch.randn(8, 77, config["cross_attention_dim"]), **extra).sample
    unet.conv_out.weight.div_(noise.std())
    unet.conv_out.bias.zero_()
    return unet


def save(module, folder, config, precision, shards):
    module.save_pretrained(folder, variant=precision[1:] or None, **({"max_shard_size": shards} if shards else {}))
    for path in folder.glob("*.safetensors"):
        tensors = load_file(path)
        if folder.name.startswith("text_encoder"):  # as it was before transformers 5
            tensors = {n if n.startswith("text_") else f"text_model.{n}": t for n, t in tensors.items()}
        save_file({name: tensor.half().contiguous() for name, tensor in tensors.items()}, path, metadata={"format": "pt"})
        path.chmod(0o644)
    write_json(folder / "config.json", config)


def write_models():
    for i, (name, family) in enumerate(families(2 * 256 + len(MERGES) + 2).items()):
        torch.manual_seed(i)
        folder, precision = HERE / name, family["precision"]
        shutil.rmtree(folder, ignore_errors=True)
        write_json(folder / "model_index.json", family["model_index"])
        write_json(folder / "scheduler/scheduler_config.json", family["scheduler"])
        write_tokenizer(folder / "tokenizer", "!" if name == "sd-2.1" else END)
        text = scaled(CLIPTextModel(CLIPTextConfig.from_dict(family["text_encoder"])))
        save(text, folder / "text_encoder", family["text_encoder"], precision, None)
        if "text_encoder_2" in family:
            write_tokenizer(folder / "tokenizer_2", "!")
            text = scaled(CLIPTextModelWithProjection(CLIPTextConfig.from_dict(family["text_encoder_2"])))
            save(text, folder / "text_encoder_2", family["text_encoder_2"], precision, None)
        save(denoiser(family["unet"]), folder / "unet", family["unet"], precision, family.get("shards"))
        save(decoder(family["vae"]), folder / "vae", family["vae"], precision, None)


def spec(prompt, steps, solver, guidance, negative="", size=(64, 64)):
    return {
        "prompt": prompt, "negativePrompt": negative, "width": size[0], "height": size[1], "steps": steps, "solver": solver,
        "guidance": guidance,
    }


LONG = "an apple in the sun, " * 20
CASES = {
    "sd-1.5": [
        spec("a red apple on a table", 12, "ddim", 7500),
        spec("a red apple on a table", 8, "unipc", 5000, negative="a cat", size=(96, 72)),
        spec(LONG, 5, "unipc", 3000, negative="grey", size=(64, 104)),
        spec("", 4, "ddim", 0),
    ],
    "sd-2.1": [
        spec("a cat!", 12, "ddim", 7500),
        spec("Zwei Bären & 3 cats — Ünder 100% rain!!", 9, "unipc", 4000, negative="a dog", size=(72, 64)),
        spec(LONG, 6, "ddim", 1000),
    ],
    "sdxl": [
        spec("a red apple on a table", 12, "ddim", 5000),
        spec("a red apple on a table!", 8, "unipc", 7000, negative="a cat", size=(104, 64)),
        spec(LONG, 5, "ddim", 3000, negative="", size=(64, 72)),
    ],
    "sdxl-turbo": [
        spec("a red apple on a table", 1, "ddim", 0),
        spec("a cat on a table", 4, "ddim", 0, size=(64, 96)),
        spec("a cat on a table", 2, "unipc", 0),
    ],
    "emoji-64": [
        spec("a red apple on a blue background", 20, "ddim", 3000),
        spec("a cat, a yellow background", 12, "unipc", 3000, negative="a dog"),
    ],
}


def check(pipeline, name):
    """Each ingredient changes the picture: else a pipeline that forgets it would not be found out."""
    base = CASES[name][0]
    picture = pipeline.picture(base, "00" * 32).astype(float)
    others = {"prompt": "a dog", "steps": base["steps"] + 3, "solver": "unipc", "guidance": 2000, "negativePrompt": "grey"}
    for key, value in others.items():
        if key == "negativePrompt" and base["guidance"] <= 1000 or key == "solver" and base["steps"] < 2:
            continue
        other = pipeline.picture({**base, key: value}, "00" * 32)
        print(f"{name}: another {key} is {reference.psnr(picture, other):.1f} dB away")
    smooth = np.abs(np.diff(picture, axis=0)).mean(), np.abs(np.diff(picture, axis=1)).mean()
    print(f"{name}: standard deviation {picture.std():.0f}, neighbours differ by {smooth[0]:.1f} and {smooth[1]:.1f} of 255")


def write_pictures():
    shutil.rmtree(HERE / "pictures", ignore_errors=True)
    (HERE / "pictures").mkdir()
    cases = []
    for name, specs in CASES.items():
        folder = HERE.parents[2] / "models/emoji-64" if name == "emoji-64" else HERE / name
        pipeline = reference.Pipeline(folder)
        check(pipeline, name)
        for i, one in enumerate(specs):
            seed = hashlib.sha256(f"{name} {i}".encode()).hexdigest()
            picture = f"pictures/{name}-{i}.png"
            reference.to_png(pipeline.picture(one, seed), HERE / picture)
            cases.append({"model": name, "spec": one, "noiseSeed": "0x" + seed, "picture": picture})
    write_json(HERE / "cases.json", cases)


if __name__ == "__main__":
    torch.set_num_threads(1)
    write_models()
    write_pictures()
