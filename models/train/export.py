"""Writes a checkpoint as a diffusers folder with f16 weights.

    python export.py --work WORK --out ../emoji-64
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

import dataset
import model
import vae as autoencoder


def save_component(module, folder):
    module.save_pretrained(folder, safe_serialization=True)
    for weights in Path(folder).glob("*.safetensors"):
        tensors = {k: v.half().contiguous() for k, v in load_file(weights).items()}
        if "text_encoder" in str(weights):  # the names that every SD reader expects, whatever the transformers version
            tensors = {(k if k.startswith("text_model.") else f"text_model.{k}"): v for k, v in tensors.items()}
        save_file(tensors, weights, metadata={"format": "pt"})


def clean_config(path):
    config = json.loads(path.read_text())
    for key in ("_name_or_path", "dtype", "torch_dtype"):
        config.pop(key, None)
    path.write_text(json.dumps(config, indent=2) + "\n")


def export(out, tokenizer_dir, text_encoder, unet, vae):
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    for name, module in (("text_encoder", text_encoder), ("unet", unet), ("vae", vae)):
        save_component(module, out / name)
        clean_config(out / name / "config.json")
    model.make_scheduler().save_pretrained(out / "scheduler")
    shutil.copytree(tokenizer_dir, out / "tokenizer", dirs_exist_ok=True)
    index = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": "0.42.1",
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (out / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
    (out / "classes.txt").write_text("".join(c.name + "\n" for c in dataset.load_classes()))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--work", default="work")
    ap.add_argument("--out", default="../emoji-64")
    ap.add_argument("--untrained", action="store_true", help="random weights: for testing a loader")
    a = ap.parse_args()
    work = Path(a.work)
    tok = model.load_tokenizer(work / "tokenizer")
    torch.manual_seed(dataset.SEED)
    text, unet, vae = model.make_text_encoder(tok), model.make_unet(), model.make_vae()
    vae.register_to_config(scaling_factor=1.0)  # the latent space is scaled already
    autoencoder.load(work, vae)
    if not a.untrained:
        state = torch.load(work / "diffusion.pt", weights_only=False)
        text.load_state_dict(state["ema"]["text"])
        unet.load_state_dict(state["ema"]["unet"])
        print(f"step {state['step']}")
    export(a.out, work / "tokenizer", text, unet, vae)
    size = sum(f.stat().st_size for f in Path(a.out).rglob("*") if f.is_file())
    print(f"{a.out}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
