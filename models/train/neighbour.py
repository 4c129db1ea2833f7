"""A neighbour of the bundled model, as another checkpoint of it would be: the same weights after some more training.

    python dataset.py render --work WORK
    python neighbour.py begin --work WORK                      # the bundled weights as a checkpoint
    python diffusion.py --work WORK --init WORK/bundled.pt --minutes 4 --lr 2e-4 --ema 0.98 --warmup 20
    python neighbour.py export --work WORK --out WORK/emoji-64-trained-on
"""

import argparse
import hashlib
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

BUNDLED = Path(__file__).resolve().parent.parent / "emoji-64"
PARTS = {"text": "text_encoder/model.safetensors", "unet": "unet/diffusion_pytorch_model.safetensors"}


def begin(work):
    work.mkdir(parents=True, exist_ok=True)
    shutil.copytree(BUNDLED / "tokenizer", work / "tokenizer", dirs_exist_ok=True)
    state = {name: {k: v.float() for k, v in load_file(BUNDLED / file).items()} for name, file in PARTS.items()}
    # transformers 5 has no prefix where the file, for older readers, has one
    state["text"] = {k.removeprefix("text_model."): v for k, v in state["text"].items()}
    torch.save({"raw": state}, work / "bundled.pt")


def export(work, out):
    shutil.copytree(BUNDLED, out, dirs_exist_ok=True)
    state = torch.load(work / "diffusion.pt", weights_only=False)
    for name, file in PARTS.items():
        prefix = "text_model." if name == "text" else ""
        tensors = {f"{prefix}{k}": v.half().contiguous() for k, v in state["ema"][name].items()}
        known = load_file(BUNDLED / file)
        save_file({k: tensors[k] for k in known}, out / file, metadata={"format": "pt"})
    path = out / "quorate-model.json"
    manifest = json.loads(path.read_text())
    manifest.pop("golden", None)
    for entry in manifest["files"]:
        data = (out / entry["path"]).read_bytes()
        entry["size"], entry["sha256"] = len(data), "0x" + hashlib.sha256(data).hexdigest()
    path.write_text(json.dumps(manifest, indent=2) + "\n")
    print(f"{out}: after {state['step']} further steps")


if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("what", choices=["begin", "export"])
    ap.add_argument("--work", type=Path, default="work")
    ap.add_argument("--out", type=Path)
    a = ap.parse_args()
    begin(a.work) if a.what == "begin" else export(a.work, a.out or a.work / "emoji-64-trained-on")
