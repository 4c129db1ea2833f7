"""The yardstick for other implementations: the picture that diffusers makes of a spec and a noise seed, on the CPU in f32.

    python reference.py --model ../emoji-64 --prompt "a red apple" --steps 20 --guidance 3 --noise-seed 5eed... --out apple.png

The pipeline is the one that `model_index.json` names, with DDIM (eta 0) or UniPC made of the model's own scheduler config. The noise is what a
prover node starts from (prover-node/src/inference/image/noise.rs), by another implementation. An empty negative prompt is none. `--dump
FOLDER` also writes the latents before each step and at the end, and the picture before rounding (f32), to find where an implementation departs.
"""

import argparse
import math
import struct
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler, DiffusionPipeline, UniPCMultistepScheduler
from PIL import Image

SOLVERS = {"ddim": DDIMScheduler, "unipc": UniPCMultistepScheduler}


def rotated(word, bits):
    return (word << bits | word >> (32 - bits)) & 0xFFFFFFFF


def chacha20_block(key, counter):
    """RFC 8439's block function, with a 64-bit counter and stream 0."""
    start = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *struct.unpack("<8I", key), counter & 0xFFFFFFFF, counter >> 32, 0, 0]
    x = start[:]

    def quarter(a, b, c, d):
        for to, of, turned, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[to] = (x[to] + x[of]) & 0xFFFFFFFF
            x[turned] = rotated(x[turned] ^ x[to], bits)

    for _ in range(10):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(x, start)))


def gaussian(seed, count):
    """`count` standard normal values: 53 bits of each 64-bit word, two words to Box and Muller's two values."""
    words = (word for block in range(count // 8 + 1) for word in struct.unpack("<8Q", chacha20_block(seed, block)))
    values = []
    while len(values) < count:
        first, second = (next(words) >> 11) / 2**53, (next(words) >> 11) / 2**53
        radius, angle = math.sqrt(-2 * math.log(1 - first)), 2 * math.pi * second
        values += [radius * math.cos(angle), radius * math.sin(angle)]
    return np.array(values[:count], dtype=np.float32)


class Pipeline:
    def __init__(self, folder):
        folder = Path(folder)
        half = any(folder.glob("unet/*.fp16*"))
        # A safety checker would blacken pictures, and lies in a folder of its own.
        self.pipeline = DiffusionPipeline.from_pretrained(
            folder, torch_dtype=torch.float32, variant="fp16" if half else None, safety_checker=None, feature_extractor=None
        )
        self.pipeline.set_progress_bar_config(disable=True)
        self.schedulers = {name: solver.from_pretrained(folder / "scheduler") for name, solver in SOLVERS.items()}

    def __call__(self, spec, noise_seed, on_step=lambda latents: None):
        """`[height, width, 3]` in 0..1, before rounding, of a spec as `oracle` has it and a seed in hexadecimal."""
        pipeline, factor = self.pipeline, self.pipeline.vae_scale_factor
        shape = (1, pipeline.unet.config.in_channels, spec["height"] // factor, spec["width"] // factor)
        latents = torch.from_numpy(gaussian(bytes.fromhex(noise_seed), math.prod(shape)).reshape(shape))
        pipeline.scheduler = self.schedulers[spec["solver"]]

        def after(_pipeline, _step, _timestep, state):
            on_step(state["latents"])
            return state

        on_step(latents)
        return pipeline(
            spec["prompt"], negative_prompt=spec["negativePrompt"] or None, height=spec["height"], width=spec["width"],
            num_inference_steps=spec["steps"], guidance_scale=spec["guidance"] / 1000, latents=latents, eta=0.0, output_type="np",
            callback_on_step_end=after,
        ).images[0]

    def picture(self, spec, noise_seed):
        """`[height, width, 3]`, bytes."""
        return (self(spec, noise_seed) * 255).round().astype(np.uint8)


def psnr(one, other):
    """Of two pictures of bytes, in dB."""
    error = np.mean((np.asarray(one, dtype=float) - np.asarray(other, dtype=float)) ** 2)
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def to_png(picture, path):
    Image.fromarray(picture).save(path, optimize=True)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--model", default=Path(__file__).resolve().parent.parent / "emoji-64")
    ap.add_argument("--prompt", required=True)
    ap.add_argument("--negative", default="")
    ap.add_argument("--size", type=int, nargs=2, default=(64, 64), metavar=("WIDTH", "HEIGHT"))
    ap.add_argument("--steps", type=int, default=20)
    ap.add_argument("--solver", choices=SOLVERS, default="ddim")
    ap.add_argument("--guidance", type=float, default=3.0)
    ap.add_argument("--noise-seed", required=True)
    ap.add_argument("--out", required=True)
    ap.add_argument("--dump")
    a = ap.parse_args()
    torch.set_num_threads(1)
    spec = {
        "prompt": a.prompt, "negativePrompt": a.negative, "width": a.size[0], "height": a.size[1], "steps": a.steps,
        "solver": a.solver, "guidance": round(1000 * a.guidance),
    }
    seed = a.noise_seed.removeprefix("0x")
    pipeline = Pipeline(a.model)
    to_png(pipeline.picture(spec, seed), a.out)
    if a.dump:
        folder = Path(a.dump)
        folder.mkdir(parents=True, exist_ok=True)
        way = []
        picture = pipeline(spec, seed, lambda latents: way.append(latents.clone().numpy()))
        for name, value in {**{f"latents-{i}": latents for i, latents in enumerate(way)}, "picture": picture}.items():
            value.astype("<f4").tofile(folder / f"{name}.f32")
            print(name, list(value.shape))


if __name__ == "__main__":
    main()
