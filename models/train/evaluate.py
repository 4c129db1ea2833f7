"""Measures a folder of pictures, whoever made them: are the right things recognised, and do other seeds look different?

    python evaluate.py generate  --model ../emoji-64 --out PICTURES --seeds 1 --steps 20 --guidance 3
    python evaluate.py recognise --pictures PICTURES --work WORK --json
    python evaluate.py variety   --pictures PICTURES --json
    python evaluate.py contact   --model ../emoji-64 --out contact-sheet.png

PICTURES/index.jsonl holds one object a line: {"file", "prompt", "class", "seed"}. `recognise` needs file and class: a small classifier,
trained on renderings with other placements than the generator saw (and kept in WORK/classifier.pt), says how often the
right class is its first and among its first five of all classes. `variety` needs file, prompt and seed: of all pairs of the
same prompt with different seeds, the share whose digests (aHash, dHash, pHash, colour hash of Python's ImageHash) are
within 20, and within 10, bits on every one of the four.
"""

import argparse
import itertools
import json
import random
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

import dataset

PROMPTS = Path(__file__).resolve().parent / "prompts.jsonl"
CLASSIFIER_SEED, HELD_OUT_SEED = 424242, 515151  # streams of placements that no training run draws from


def read(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines() if line.strip()]


# ---------------------------------------------------------------- the classifier


def make_classifier(n):
    def block(i, o):
        return [torch.nn.Conv2d(i, o, 3, stride=2, padding=1, bias=False), torch.nn.BatchNorm2d(o), torch.nn.ReLU()]

    def same(c):
        return [torch.nn.Conv2d(c, c, 3, padding=1, bias=False), torch.nn.BatchNorm2d(c), torch.nn.ReLU()]

    layers = [*block(3, 32), *block(32, 64), *same(64), *block(64, 128), *same(128), *block(128, 256)]
    return torch.nn.Sequential(*layers, torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten(), torch.nn.Linear(1024, n))


def classifier(work, steps, batch=64):
    """The cached classifier, or a new one: {"model", "accuracy": on held-out renderings}."""
    path = Path(work) / "classifier.pt"
    scenes = dataset.Scenes(work, CLASSIFIER_SEED)
    net = make_classifier(len(scenes.classes))
    if path.exists():
        state = torch.load(path, weights_only=False)
        net.load_state_dict(state["model"])
        return net.eval(), state
    torch.manual_seed(CLASSIFIER_SEED)
    opt = torch.optim.AdamW(net.parameters(), lr=0, weight_decay=0.02)
    began = time.time()
    for step in range(steps):
        for g in opt.param_groups:
            g["lr"] = 2e-3 * min(1, step / 100) * (1 - step / steps)
        x, icons, _, _ = scenes.draw(batch)
        x = x + 0.05 * torch.rand(batch, 1, 1, 1) * torch.randn_like(x)  # generated pictures are not as clean
        loss = F.cross_entropy(net(x), torch.from_numpy(scenes.cls[icons]), label_smoothing=0.05)
        loss.backward()
        opt.step()
        opt.zero_grad()
        if step % 100 == 99:
            print(f"classifier step {step + 1} loss {loss.item():.3f} {time.time() - began:.0f} s", flush=True)
    net.eval()
    held_out = dataset.Scenes(work, HELD_OUT_SEED)
    top1 = top5 = total = 0
    with torch.no_grad():
        for _ in range(8):
            x, icons, _, _ = held_out.draw(256)
            ranks = net(x).topk(5).indices == torch.from_numpy(held_out.cls[icons])[:, None]
            top1, top5, total = top1 + ranks[:, 0].sum().item(), top5 + ranks.any(1).sum().item(), total + len(x)
    state = {"model": net.state_dict(), "accuracy": {"top1": top1 / total, "top5": top5 / total, "renderings": total}, "steps": steps}
    torch.save(state, path)
    return net, state


def picture(path):
    image = Image.open(path).convert("RGB")
    if image.size != (dataset.IMAGE_PX, dataset.IMAGE_PX):
        image = image.resize((dataset.IMAGE_PX, dataset.IMAGE_PX), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float() / 127.5 - 1


def recognise(a):
    net, state = classifier(a.work, a.classifier_steps)
    names = [c.name for c in dataset.load_classes()]
    rows = read(Path(a.pictures) / "index.jsonl")
    top1, top5, missed = 0, 0, []
    with torch.no_grad():
        for row in rows:
            best = net(picture(Path(a.pictures) / row["file"])[None])[0].topk(5).indices.tolist()
            right = names.index(row["class"])
            top1 += best[0] == right
            top5 += right in best
            if right not in best:
                missed.append(row["class"])
    accuracy = state["accuracy"]
    print(
        f"classifier on {accuracy['renderings']} held-out renderings: top-1 {accuracy['top1']:.1%}, top-5 {accuracy['top5']:.1%}\n"
        f"{len(rows)} pictures, {len(names)} classes: top-1 {top1 / len(rows):.1%}, top-5 {top5 / len(rows):.1%}"
    )
    if missed:
        print("not in the top five: " + ", ".join(sorted(missed)))
    return {"pictures": len(rows), "top1": top1 / len(rows), "top5": top5 / len(rows), "classifier": accuracy}


# ---------------------------------------------------------------- variety


def digest(path):
    import imagehash

    image = Image.open(path).convert("RGB")
    hashes = (imagehash.average_hash(image), imagehash.dhash(image), imagehash.phash(image), imagehash.colorhash(image))
    return [h.hash.flatten() for h in hashes]


def variety(a):
    groups = {}
    for row in read(Path(a.pictures) / "index.jsonl"):
        groups.setdefault(row["prompt"], {})[row["seed"]] = digest(Path(a.pictures) / row["file"])
    worst, lanes = [], []
    for by_seed in groups.values():
        for s, t in itertools.combinations(by_seed.values(), 2):
            distances = [int((x != y).sum()) for x, y in zip(s, t)]
            lanes.append(distances)
            worst.append(max(distances))
    worst, lanes = np.array(worst), np.array(lanes)
    result = {
        "prompts": len(groups),
        "pairs": len(worst),
        "within_reject": float((worst <= 20).mean()),
        "within_accept": float((worst <= 10).mean()),
        "mean_lanes": lanes.mean(0).round(2).tolist(),
    }
    print(
        f"{result['pairs']} pairs of {result['prompts']} prompts: within 20 on every lane {result['within_reject']:.2%}, "
        f"within 10 {result['within_accept']:.2%}; mean distances (a, d, p, colour) {result['mean_lanes']}"
    )
    return result


# ---------------------------------------------------------------- making pictures with diffusers


def generate(a):
    import reference

    pipeline = reference.Pipeline(a.model)
    out = Path(a.out)
    out.mkdir(parents=True, exist_ok=True)
    prompts = read(a.prompts)
    if a.limit:
        prompts = prompts[: a.limit]
    jobs = [(i, s, row) for i, row in enumerate(prompts) for s in range(a.first_seed, a.first_seed + a.seeds)]
    began = time.time()
    with open(out / "index.jsonl", "w") as index:
        for at in range(0, len(jobs), a.batch):
            some = jobs[at : at + a.batch]
            noise = torch.stack(
                [torch.randn(pipeline.shape, generator=torch.Generator().manual_seed(1_000_003 * s + i)) for i, s, _ in some]
            )
            pictures, _ = pipeline([r["prompt"] for *_, r in some], [""] * len(some), noise, a.steps, a.guidance)
            for p, (i, s, row) in zip(pictures, some):
                name = f"{i:03}-{s}.png"
                reference.to_png(p, out / name)
                index.write(json.dumps({"file": name, "prompt": row["prompt"], "class": row["class"], "seed": s}) + "\n")
    print(f"{len(jobs)} pictures in {time.time() - began:.0f} s")
    return {"pictures": len(jobs), "steps": a.steps, "guidance": a.guidance}


def contact(a):
    """48 classes drawn by the stated seed, the first picture of each: none picked by hand."""
    import reference

    pipeline = reference.Pipeline(a.model)
    rng = random.Random(dataset.EVAL_SEED)
    classes = rng.sample(dataset.load_classes(), 48)
    noise = torch.randn(48, *pipeline.shape, generator=torch.Generator().manual_seed(dataset.EVAL_SEED))
    pictures, _ = pipeline([dataset.with_article(c) for c in classes], [""] * 48, noise, a.steps, a.guidance)
    dataset.sheet(pictures * 2 - 1, 8, a.out)
    print(", ".join(c.name for c in classes))
    return {}


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("what", choices=["generate", "recognise", "variety", "contact"])
    ap.add_argument("--pictures", help="folder with index.jsonl")
    ap.add_argument("--work", default="work", help="where icons.npz is and the classifier is kept")
    ap.add_argument("--classifier-steps", type=int, default=800)
    ap.add_argument("--model", default=Path(__file__).resolve().parent.parent / "emoji-64")
    ap.add_argument("--out")
    ap.add_argument("--prompts", default=PROMPTS)
    ap.add_argument("--limit", type=int, help="only the first prompts")
    ap.add_argument("--seeds", type=int, default=1, help="pictures of each prompt")
    ap.add_argument("--first-seed", type=int, default=0)
    ap.add_argument("--steps", type=int, default=20)
    ap.add_argument("--guidance", type=float, default=3.0)
    ap.add_argument("--batch", type=int, default=20)
    ap.add_argument("--threads", type=int, default=1)
    ap.add_argument("--json", action="store_true", help="the last line is one JSON object")
    a = ap.parse_args()
    torch.set_num_threads(a.threads)
    result = {"generate": generate, "recognise": recognise, "variety": variety, "contact": contact}[a.what](a)
    if a.json:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
