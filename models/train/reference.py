"""The yardstick for other implementations: the picture that diffusers makes of given latents, on the CPU in f32.

    python reference.py --model ../emoji-64 --prompt "a red apple" --steps 20 --guidance 3 --latents noise.f32 --out apple.png

`--latents` is raw little-endian f32, N(0,1), [16, 8, 8] in C order (DDIM does not scale it further). `--make-latents SEED` writes such a
file first. `--dump FOLDER` also writes the token ids, the text states, the final latents and the decoded picture (f32, before
rounding), to find where an implementation departs.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from PIL import Image
from transformers import CLIPTextModel, CLIPTokenizer


class Pipeline:
    def __init__(self, folder):
        folder = Path(folder)
        self.tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
        self.text_encoder = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32).eval()
        self.unet = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32).eval()
        self.vae = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32).eval()
        self.scheduler = DDIMScheduler.from_pretrained(folder / "scheduler")
        self.shape = (self.unet.config.in_channels, self.unet.config.sample_size, self.unet.config.sample_size)

    def tokens(self, texts):
        length = self.text_encoder.config.max_position_embeddings
        return self.tokenizer(
            texts, padding="max_length", max_length=length, truncation=True, return_tensors="pt"
        ).input_ids

    @torch.no_grad()
    def __call__(self, prompts, negatives, latents, steps, guidance):
        """(pictures [n,3,h,w] in 0..1, before rounding; what was computed on the way)"""
        ids = self.tokens(negatives + prompts)
        context = self.text_encoder(ids).last_hidden_state
        self.scheduler.set_timesteps(steps)
        z = latents * self.scheduler.init_noise_sigma
        for t in self.scheduler.timesteps:
            free, bound = self.unet(torch.cat([z, z]), t, context).sample.chunk(2)
            z = self.scheduler.step(free + guidance * (bound - free), t, z, eta=0.0).prev_sample
        pictures = self.vae.decode(z / self.vae.config.scaling_factor).sample
        return (pictures / 2 + 0.5).clamp(0, 1), {"tokens": ids, "context": context, "latents": z}


def to_png(picture, path):
    Image.fromarray((picture.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)).save(path)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--model", default=Path(__file__).resolve().parent.parent / "emoji-64")
    ap.add_argument("--prompt", required=True)
    ap.add_argument("--negative", default="")
    ap.add_argument("--steps", type=int, default=20)
    ap.add_argument("--guidance", type=float, default=3.0)
    ap.add_argument("--latents", required=True)
    ap.add_argument("--make-latents", type=int, metavar="SEED")
    ap.add_argument("--out", required=True)
    ap.add_argument("--dump")
    a = ap.parse_args()
    torch.set_num_threads(1)
    pipeline = Pipeline(a.model)
    if a.make_latents is not None:
        noise = np.random.Generator(np.random.PCG64(a.make_latents)).standard_normal(pipeline.shape, dtype=np.float32)
        noise.astype("<f4").tofile(a.latents)
    latents = torch.from_numpy(np.fromfile(a.latents, dtype="<f4").reshape(1, *pipeline.shape).copy())
    pictures, way = pipeline([a.prompt], [a.negative], latents, a.steps, a.guidance)
    to_png(pictures[0], a.out)
    if a.dump:
        folder = Path(a.dump)
        folder.mkdir(parents=True, exist_ok=True)
        for name, value in {**way, "picture": pictures}.items():
            kind = "<i8" if value.dtype == torch.int64 else "<f4"
            value.contiguous().numpy().astype(kind).tofile(folder / f"{name}.{'i64' if kind == '<i8' else 'f32'}")
            print(name, list(value.shape), kind)


if __name__ == "__main__":
    main()
