"""Trains the text encoder and the UNet together (WORK/diffusion.pt), resuming a checkpoint if there is one.

    python diffusion.py --work WORK --minutes 60
"""

import argparse
import random
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import AttnProcessor

import dataset
import fastconv
import loop
import model
import vae as autoencoder

NO_CAPTION = 0.10  # share of empty captions, for classifier-free guidance


@torch.no_grad()
def sample(text_encoder, unet, ids, empty_ids, latents, steps, guidance):
    """DDIM with classifier-free guidance, from given noise."""
    scheduler = model.make_scheduler()
    scheduler.set_timesteps(steps)
    n = len(ids)
    context = text_encoder(torch.cat([empty_ids.expand(n, -1), ids])).last_hidden_state
    for t in scheduler.timesteps:
        out = unet(torch.cat([latents, latents]), t, context).sample.float()
        free, bound = out.chunk(2)
        latents = scheduler.step(free + guidance * (bound - free), t, latents).prev_sample
    return latents


def worker(rank, a):
    torch.manual_seed(dataset.SEED)
    tok = model.load_tokenizer(Path(a.work) / "tokenizer")
    text_encoder, unet = model.make_text_encoder(tok), model.make_unet()
    for name, p in unet.named_parameters():  # residual branches begin as zero
        if any(name.endswith(e) for e in ("conv2.weight", "conv2.bias", "proj_out.weight", "proj_out.bias")) or name.startswith("conv_out"):
            torch.nn.init.zeros_(p)
    space = autoencoder.latent_space(a.work)
    if a.init:
        state = torch.load(a.init, weights_only=False)["raw"]
        text_encoder.load_state_dict(state["text"])
        unet.load_state_dict(state["unet"])
    fastconv.accelerate(unet)
    trainer = loop.Trainer(rank, a, {"text": text_encoder, "unet": unet}, Path(a.work) / "diffusion.pt", muon=True)
    unet.set_attn_processor(AttnProcessor())
    text_encoder.set_attn_implementation("eager")  # on CPUs the fused attention's backward takes a sixth of a step
    seed = dataset.SEED * 1000 + 7919 * trainer.step + rank
    scenes = dataset.Scenes(a.work, seed)
    torch.manual_seed(seed)
    rng = random.Random(seed)
    scheduler = model.make_scheduler()
    alpha_bar = scheduler.alphas_cumprod
    empty = model.token_ids(tok, [""])

    prompts = dataset.eval_prompts(scenes.classes, count=48)
    noise = torch.randn(48, model.LATENT_CHANNELS, model.LATENT_PX, model.LATENT_PX, generator=torch.Generator().manual_seed(1))

    def on_save():
        text, net = model.make_text_encoder(tok), model.make_unet()
        text.load_state_dict(trainer.ema["text"])
        net.load_state_dict(trainer.ema["unet"])
        ids = model.token_ids(tok, [p["prompt"] for p in prompts[:24]])
        z = sample(text.eval(), net.eval(), ids, empty, noise[:24], 12, 3.0)
        with torch.no_grad():
            sharp = autoencoder.load(a.work, model.make_vae()).decode(z).sample
        dataset.sheet(sharp, 8, Path(a.work) / "diffusion.png")

    trainer.on_save = on_save
    going = True
    while going:
        x, icons, colours, _ = scenes.draw(a.batch)
        z = autoencoder.to_latents(space, x)
        texts = [
            ""
            if rng.random() < NO_CAPTION
            else dataset.caption(scenes.classes[scenes.cls[i]], dataset.SETS[scenes.set[i]], c, rng)
            for i, c in zip(icons, colours)
        ]
        # One stratum of the noise levels for each picture of the batch: a steadier loss. Middle levels, where shapes are made,
        # come more often.
        u = (torch.randperm(a.batch) + torch.rand(a.batch)) / a.batch
        t = (torch.sigmoid(1.3 * torch.special.ndtri(u.clamp(1e-4, 1 - 1e-4))) * 1000).long().clamp(0, 999)
        ab = alpha_bar[t].view(-1, 1, 1, 1)
        e = torch.randn_like(z)
        noisy, target = ab.sqrt() * z + (1 - ab).sqrt() * e, ab.sqrt() * e - (1 - ab).sqrt() * z
        with torch.autocast("cpu", torch.bfloat16):
            context = text_encoder(model.token_ids(tok, texts)).last_hidden_state
            v = unet(noisy, t, context).sample
        each = (v.float() - target).pow(2).mean((1, 2, 3))
        going = trainer.update(each.mean(), {"loss": each.mean().detach(), "late": each[t > 600].mean().detach()})


if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--init", help="begin with the weights of another checkpoint")
    loop.launch(worker, loop.arguments(ap, lr=1e-3, batch=32, minutes=60, ema=0.999, warmup=200))
