"""The latent space and the autoencoder (WORK/latents.pt, WORK/decoder.pt, WORK/encoder.pt), resuming checkpoints.

Learning a latent space from nothing takes hours on a CPU. Here it is computed: the 16 principal components of the 8x8 pixel
blocks of training pictures, scaled. So the decoder (a super-resolution task: sharp pictures from 16 numbers for each
block), the encoder (only image-to-image needs it) and the diffusion model are trained independently of each other.

    python vae.py --work WORK --part decoder --minutes 30
    python vae.py --work WORK --part encoder --minutes 8
"""

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import AttnProcessor

import dataset
import fastconv
import loop
import model

BLOCK = dataset.IMAGE_PX // model.LATENT_PX
# A component's share of its standard deviation that the scaling removes: 1 would give the faintest component as much weight as
# the mean colour, 0 next to none.
WHITENING = 0.7
DECODER_NOISE = 0.06  # the decoder must bear the errors of a diffusion model


def latent_space(work):
    """The linear map from pictures to latents: {"weight": [16,3,8,8], "bias": [16]}, computed once."""
    path = Path(work) / "latents.pt"
    if not path.exists():
        scenes = dataset.Scenes(work, dataset.SEED)
        blocks = torch.cat(
            [F.unfold(scenes.draw(500)[0], BLOCK, stride=BLOCK).transpose(1, 2).flatten(0, 1) for _ in range(8)]
        ).double()
        mean = blocks.mean(0)
        values, vectors = torch.linalg.eigh((blocks - mean).T @ (blocks - mean) / len(blocks))
        values, vectors = values.flip(0)[: model.LATENT_CHANNELS], vectors.flip(1)[:, : model.LATENT_CHANNELS]
        scale = values.sqrt() ** -WHITENING
        scale /= (values * scale**2).mean().sqrt()  # unit variance on the average
        weight = (vectors * scale).T
        torch.save(
            {
                "weight": weight.view(-1, 3, BLOCK, BLOCK).float(),
                "bias": (-weight @ mean).float(),
                "basis": (vectors / scale).float(),
                "mean": mean.float(),
                "std": (values.sqrt() * scale).float(),
            },
            path,
        )
    return torch.load(path)


def to_latents(space, pictures):
    return F.conv2d(pictures, space["weight"], space["bias"], stride=BLOCK)


def linear_decode(space, z):
    blocks = torch.einsum("nchw,pc->nphw", z, space["basis"]) + space["mean"].view(1, -1, 1, 1)
    return F.fold(blocks.flatten(2), dataset.IMAGE_PX, BLOCK, stride=BLOCK)


def parts(vae):
    return {
        "decoder": torch.nn.ModuleDict({"decoder": vae.decoder, "post_quant_conv": vae.post_quant_conv}),
        "encoder": torch.nn.ModuleDict({"encoder": vae.encoder, "quant_conv": vae.quant_conv}),
    }


def load(work, vae):
    """Puts what has been trained so far into an AutoencoderKL."""
    for name, part in parts(vae).items():
        path = Path(work) / f"{name}.pt"
        if path.exists():
            part.load_state_dict(torch.load(path, weights_only=False)["ema"]["part"])
    return vae


def psnr(a, b):
    return -10 * torch.log10(F.mse_loss(a.clamp(-1, 1), b) / 4).item()


def worker(rank, a):
    torch.manual_seed(dataset.SEED)
    vae = model.make_vae()
    for name, p in vae.named_parameters():  # residual branches begin as zero
        if name.endswith("conv2.weight") or name.endswith("conv2.bias"):
            torch.nn.init.zeros_(p)
    space = latent_space(a.work)
    fastconv.accelerate(vae, least=64)
    trainer = loop.Trainer(rank, a, {"part": parts(vae)[a.part]}, Path(a.work) / f"{a.part}.pt", weight_decay=0.0)
    vae.set_attn_processor(AttnProcessor())
    seed = dataset.SEED * 1000 + 7919 * trainer.step + rank
    scenes = dataset.Scenes(a.work, seed)
    torch.manual_seed(seed)
    check = dataset.Scenes(a.work, 1).draw(32)[0]
    if rank == 0:
        print(f"linear PSNR {psnr(linear_decode(space, to_latents(space, check)), check):.2f} std {space['std'].tolist()}", flush=True)

    def on_save():
        judge = model.make_vae()
        parts(judge)[a.part].load_state_dict(trainer.ema["part"])
        z = to_latents(space, check)
        with torch.no_grad():
            if a.part == "decoder":
                y = judge.decode(z).sample
                print(f"PSNR of the average {psnr(y, check):.2f}", flush=True)
                pictures = torch.stack([check, linear_decode(space, z), y], 1).flatten(0, 1)
                dataset.sheet(pictures, 18, Path(a.work) / "decoder.png")
            else:
                print(f"error of the average {F.mse_loss(judge.encode(check).latent_dist.mean, z):.4f}", flush=True)

    trainer.on_save = on_save
    going = True
    while going:
        x, _, _, opacity = scenes.draw(a.batch)
        z = to_latents(space, x)
        if a.part == "encoder":
            dist = vae.encode(x).latent_dist
            loss = F.mse_loss(dist.mean, z) + 1e-2 * (dist.logvar + 8).pow(2).mean()
            report = {"loss": loss.detach()}
        else:
            if trainer.progress() < a.crops:  # more steps in the same time: a quarter of each picture
                n = model.LATENT_PX // 2
                i, j = torch.randint(0, n + 1, (2,)).tolist()
                z = z[:, :, i : i + n, j : j + n]
                x, opacity = (
                    t[:, :, i * BLOCK : (i + n) * BLOCK, j * BLOCK : (j + n) * BLOCK] for t in (x, opacity)
                )
            y = vae.decode(z + DECODER_NOISE * torch.randn_like(z)).sample
            l1 = ((y - x).abs() * (0.6 + 0.8 * opacity)).mean()  # the icon matters more than the background
            edges = sum((y.diff(dim=d) - x.diff(dim=d)).abs().mean() for d in (2, 3))
            loss = l1 + 0.5 * edges
            report = {"l1": l1.detach(), "edges": edges.detach()}
        going = trainer.update(loss, report)


if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--part", choices=["decoder", "encoder"], default="decoder")
    ap.add_argument("--crops", type=float, default=0.5, help="share of the time that the decoder trains on quarters")
    loop.launch(worker, loop.arguments(ap, lr=2e-3, batch=16, minutes=30, ema=0.998, warmup=100))
