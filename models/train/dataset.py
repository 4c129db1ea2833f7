"""Training pictures and captions, made on the fly from permissively licensed icon sets.

Every icon is rendered once to RGBA with resvg; a *scene* then places one icon at random (style, position, size, mirror
image) over a random two-colour gradient. All that a caption leaves open is drawn at random, so that the trained
model shows something different for every seed.

    python dataset.py render  --icons node_modules --work WORK   # WORK/icons.npz
    python dataset.py sheet   --work WORK --out sheet.png        # a look at what the model is trained on
    python dataset.py prompts --out prompts.jsonl                # the 200 evaluation prompts of EVAL_SEED
"""

import argparse
import json
import math
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

HERE = Path(__file__).resolve().parent
SEED = 20261122  # of every training run
EVAL_SEED = 7  # of the evaluation prompts
EVAL_PROMPTS = 200

# Icon set -> the word that captions use for its style.
STYLES = {
    "fluent-emoji-flat": "flat",
    "fluent-emoji": "glossy",
    "noto": "cartoon",
}
SETS = list(STYLES)

# Background colours: name -> (hue range in degrees, saturation range, value range).
COLOURS = {
    "red": ((-8, 8), (0.65, 0.95), (0.45, 1.0)),
    "orange": ((22, 34), (0.70, 1.0), (0.70, 1.0)),
    "yellow": ((47, 58), (0.60, 0.95), (0.80, 1.0)),
    "green": ((95, 145), (0.45, 0.90), (0.35, 0.90)),
    "teal": ((170, 188), (0.50, 0.95), (0.40, 0.85)),
    "blue": ((205, 235), (0.55, 0.95), (0.40, 1.0)),
    "purple": ((265, 290), (0.45, 0.90), (0.40, 0.95)),
    "pink": ((318, 342), (0.30, 0.65), (0.85, 1.0)),
    "brown": ((18, 30), (0.50, 0.75), (0.28, 0.55)),
    "grey": ((0, 360), (0.0, 0.08), (0.30, 0.72)),
    "white": ((0, 360), (0.0, 0.06), (0.82, 1.0)),
    "black": ((0, 360), (0.0, 0.30), (0.0, 0.26)),
}
COLOUR_NAMES = list(COLOURS)

ICON_PX = 96
IMAGE_PX = 64
BLOCK_PX = 8  # of the autoencoder
ICON_SIZES, ICON_SIZE_SHARES = (32, 40, 48, 56), (0.3, 0.4, 0.2, 0.1)  # multiples of BLOCK_PX


@dataclass(frozen=True)
class Class:
    name: str
    plural: bool
    icons: dict  # set name -> icon name


def load_classes(path=HERE / "classes.txt"):
    classes = []
    for line in Path(path).read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, icon = (part.strip() for part in line.split("|"))
        classes.append(Class(name.lstrip("+ "), name.startswith("+"), {s: icon for s in SETS}))
    return classes


# ---------------------------------------------------------------- captions


def with_article(cls, adjective=""):
    words = f"{adjective} {cls.name}".strip()
    if cls.plural:
        return words
    return ("an " if words[0] in "aeiou" else "a ") + words


def caption(cls, style, colours, rng):
    """A caption for a picture: the class always, its style and its background in a part of the captions only."""
    adjective = STYLES[style] if rng.random() < 0.35 else ""
    text = with_article(cls, adjective)
    if rng.random() < 0.10:
        text = cls.name if not adjective else f"{adjective} {cls.name}"
    if rng.random() < 0.40:
        first, second = (COLOUR_NAMES[c] for c in colours)
        if first == second:
            text += f" on {'an' if first[0] in 'aeiou' else 'a'} {first} background"
        else:
            if rng.random() < 0.5:
                first, second = second, first
            text += f" on {'an' if first[0] in 'aeiou' else 'a'} {first} and {second} background"
    return text


def random_colours(rng):
    first = rng.randrange(len(COLOURS))
    return (first, first) if rng.random() < 0.35 else (first, rng.randrange(len(COLOURS)))


def eval_prompts(classes, seed=EVAL_SEED, count=EVAL_PROMPTS):
    """Prompts from the same vocabulary and with the same grammar as the captions, drawn by a stated seed."""
    rng = random.Random(seed)
    rows = []
    for _ in range(count):
        cls = rng.choice(classes)
        style = rng.choice(sorted(cls.icons))
        rows.append({"prompt": caption(cls, style, random_colours(rng), rng), "class": cls.name})
    return rows


# ---------------------------------------------------------------- icons


def render(icons_dir, work):
    """Rasterises every icon of the vocabulary once, with premultiplied alpha."""
    import io

    import resvg_py
    from PIL import Image

    data = {s: json.loads((Path(icons_dir) / "@iconify-json" / s / "icons.json").read_text()) for s in SETS}
    pixels, cls_ids, set_ids = [], [], []
    for c, cls in enumerate(load_classes()):
        for s, name in cls.icons.items():
            j = data[s]
            name = name if name in j["icons"] else j.get("aliases", {}).get(name, {}).get("parent")
            if name is None:
                continue
            icon = j["icons"][name]
            w, h = icon.get("width", j.get("width", 16)), icon.get("height", j.get("height", 16))
            x, y = icon.get("left", 0), icon.get("top", 0)
            svg = (
                '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
                f'width="{ICON_PX}" height="{ICON_PX}" viewBox="{x} {y} {w} {h}">{icon["body"]}</svg>'
            )
            png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=ICON_PX, height=ICON_PX))
            rgba = np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"), dtype=np.float32) / 255
            rgba = rgba.copy()
            rgba[..., :3] *= rgba[..., 3:]
            pixels.append((rgba * 255 + 0.5).astype(np.uint8))
            cls_ids.append(c)
            set_ids.append(SETS.index(s))
    Path(work).mkdir(parents=True, exist_ok=True)
    np.savez_compressed(Path(work) / "icons.npz", rgba=np.stack(pixels), cls=np.array(cls_ids), set=np.array(set_ids))
    print(f"{len(pixels)} icons of {len(set(cls_ids))} classes, the least {np.bincount(cls_ids).min()} styles each")


class Scenes:
    """Draws random scenes: pictures in -1..1 with what is known about them."""

    def __init__(self, work, seed):
        z = np.load(Path(work) / "icons.npz")
        self.rgba = torch.from_numpy(z["rgba"]).permute(0, 3, 1, 2).contiguous()
        self.cls, self.set = z["cls"], z["set"]
        self.classes = load_classes()
        self.of_class = [np.flatnonzero(self.cls == c) for c in range(len(self.classes))]
        self.rng = np.random.default_rng(seed)
        axis = (torch.arange(IMAGE_PX) + 0.5) / IMAGE_PX * 2 - 1
        self.yy, self.xx = torch.meshgrid(axis, axis, indexing="ij")

    def colour(self, ids):
        lo = np.array([[r[0] for r in COLOURS[COLOUR_NAMES[i]]] for i in ids])
        hi = np.array([[r[1] for r in COLOURS[COLOUR_NAMES[i]]] for i in ids])
        h, s, v = (self.rng.uniform(lo, hi)).T
        k = lambda n: (n + h / 60) % 6
        return np.stack([v - v * s * np.clip(np.minimum(k(n), 4 - k(n)), 0, 1) for n in (5, 3, 1)], 1)

    def draw(self, n, icons=None):
        """(pictures [n,3,64,64], icon ids [n], background colour ids [n,2], the icons' opacity [n,1,64,64])"""
        r = self.rng
        if icons is None:
            icons = np.array([r.choice(self.of_class[c]) for c in r.integers(len(self.classes), size=n)])
        # Background: two colours that run into each other in any direction, over about half a period to a whole one.
        first = r.integers(len(COLOURS), size=n)
        second = np.where(r.random(n) < 0.35, first, r.integers(len(COLOURS), size=n))
        c1 = torch.from_numpy(self.colour(first)).float().view(n, 3, 1, 1)
        c2 = torch.from_numpy(self.colour(second)).float().view(n, 3, 1, 1)
        angle, phase, speed = (
            torch.from_numpy(r.uniform(lo, hi, n)).float().view(n, 1, 1, 1)
            for lo, hi in ((0, 2 * math.pi), (0, 2 * math.pi), (1.3, 3.2))
        )
        t = 0.5 + 0.5 * torch.sin(speed * (self.xx * angle.cos() + self.yy * angle.sin()) + phase)
        background = c1 * (1 - t) + c2 * t
        # The icon: size, place, mirror image; drawn at twice the size and averaged down. Places are whole blocks of the
        # autoencoder, so that an icon has the same latents everywhere: a small model then learns shapes, not their phases.
        px = r.choice(ICON_SIZES, size=n, p=ICON_SIZE_SHARES)
        size = px / IMAGE_PX
        dx, dy = ((2 * BLOCK_PX * r.integers((IMAGE_PX - px) // BLOCK_PX + 1) + px) / IMAGE_PX - 1 for _ in range(2))
        flip = np.where(r.random(n) < 0.5, -1.0, 1.0)
        zero = np.zeros(n)
        theta = np.stack([np.stack([flip / size, zero, -flip * dx / size], 1), np.stack([zero, 1 / size, -dy / size], 1)], 1)
        grid = F.affine_grid(torch.from_numpy(theta).float(), (n, 4, 2 * IMAGE_PX, 2 * IMAGE_PX), align_corners=False)
        rgba = self.rgba[torch.from_numpy(icons)].float() / 255
        layer = F.avg_pool2d(F.grid_sample(rgba, grid, align_corners=False), 2)
        picture = layer[:, :3] + (1 - layer[:, 3:]) * background
        return picture.clamp(0, 1) * 2 - 1, icons, np.stack([first, second], 1), layer[:, 3:]


def to_image(picture):
    from PIL import Image

    return Image.fromarray(((picture.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).contiguous().numpy())


def sheet(pictures, columns, path, pad=2):
    from PIL import Image

    rows = math.ceil(len(pictures) / columns)
    step = IMAGE_PX + pad
    out = Image.new("RGB", (columns * step + pad, rows * step + pad), "white")
    for i, p in enumerate(pictures):
        out.paste(to_image(p), (pad + i % columns * step, pad + i // columns * step))
    out.save(path)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("what", choices=["render", "sheet", "prompts"])
    ap.add_argument("--icons", default="node_modules")
    ap.add_argument("--work", default="work")
    ap.add_argument("--out")
    a = ap.parse_args()
    if a.what == "render":
        render(a.icons, a.work)
    elif a.what == "sheet":
        pictures = Scenes(a.work, SEED).draw(160)[0]
        sheet(pictures, 16, a.out or "sheet.png")
    else:
        rows = eval_prompts(load_classes())
        Path(a.out or "prompts.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))


if __name__ == "__main__":
    main()
