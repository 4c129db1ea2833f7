"""Peers of the image pipeline: their speed on the same model, the same machine and the same jobs.

    python images.py diffusers < request.json                  needs the packages of models/train/requirements.txt
    python images.py stable-diffusion.cpp < request.json       needs cyllama

The request has model (a folder), threads, width, height, steps, guidance and prompts. The answer is one line of JSON: either seconds, one
number for each prompt after a first picture that does not count, or not_run, why there are none.
"""

import json
import os
import sys
import time
from pathlib import Path


def diffusers(request):
    import torch

    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "models/train"))
    import reference

    torch.set_num_threads(request["threads"])
    pipeline = reference.Pipeline(request["model"])

    def picture(prompt):
        size = {key: request[key] for key in ("width", "height", "steps", "guidance")}
        pipeline({"prompt": prompt, "negativePrompt": "", "solver": "ddim", **size}, "00" * 32)

    return picture


def stable_diffusion_cpp(request):
    import cyllama.sd as sd

    # What it knows of a model it reads off the names and shapes of one file's tensors.
    path = Path(request["model"]) / "unet/diffusion_pytorch_model.safetensors"
    params = sd.SDContextParams()
    params.diffusion_model_path = str(path)
    params.vae_path = str(Path(request["model"]) / "vae/diffusion_pytorch_model.safetensors")
    params.clip_l_path = str(Path(request["model"]) / "text_encoder/model.safetensors")
    params.n_threads = request["threads"]
    context = sd.SDContext(params)

    def picture(prompt):
        context.generate(
            prompt, width=request["width"], height=request["height"], sample_steps=request["steps"], seed=0,
            cfg_scale=request["guidance"] / 1000,
        )

    return picture


PEERS = {"diffusers": diffusers, "stable-diffusion.cpp": stable_diffusion_cpp}


def main():
    request = json.load(sys.stdin)
    # Only the answer goes out by the standard output, whatever the peer prints.
    out = os.dup(1)
    os.dup2(2, 1)
    try:
        picture = PEERS[sys.argv[1]](request)
        picture(request["prompts"][0])
        seconds = []
        for prompt in request["prompts"]:
            begun = time.perf_counter()
            picture(prompt)
            seconds.append(time.perf_counter() - begun)
        answer = {"seconds": seconds}
    except Exception as error:
        answer = {"not_run": " ".join(f"{type(error).__name__}: {error}".split())}
    os.write(out, (json.dumps(answer) + "\n").encode())


if __name__ == "__main__":
    main()
