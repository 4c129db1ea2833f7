"""What both trainings share: one process per core, averaged gradients, a time budget, EMA, checkpoints."""

import math
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("KMP_BLOCKTIME", "0")

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def launch(worker, args):
    """One single-threaded process per core: cheaper than threads, which wait for each other after every operation."""
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    os.environ.setdefault("MASTER_PORT", str(20000 + os.getpid() % 20000))
    mp.spawn(_start, (worker, args), nprocs=args.procs)


def _start(rank, worker, args):
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    dist.init_process_group("gloo", rank=rank, world_size=args.procs)
    worker(rank, args)
    dist.destroy_process_group()


class Muon(torch.optim.Optimizer):
    """Momentum whose update of every weight matrix is orthogonalised (Newton-Schulz, bf16): about twice the progress of AdamW a
    picture for small transformers and UNets. Scaled so that it takes AdamW's learning rate; convolutions count as matrices."""

    def __init__(self, params, lr=0.0, momentum=0.95, weight_decay=0.01):
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    @staticmethod
    def orthogonal(g, steps=5):
        x = g.bfloat16()
        tall = x.shape[0] > x.shape[1]
        if tall:
            x = x.T
        x = x / (x.norm() + 1e-7)
        for _ in range(steps):
            gram = x @ x.T
            x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
        return x.T if tall else x

    @torch.no_grad()
    def step(self):
        """Each process orthogonalises its share of the matrices; then they exchange the updates."""
        group = self.param_groups[0]
        params = group["params"]
        rank, procs = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
        updates = torch.zeros(sum(p.numel() for p in params), dtype=torch.bfloat16)
        for i, (p, update) in enumerate(zip(params, updates.split([p.numel() for p in params]))):
            buffer = self.state[p].setdefault("momentum", torch.zeros_like(p))
            buffer.lerp_(p.grad, 1 - group["momentum"])
            if i % procs == rank:
                g = p.grad.lerp(buffer, group["momentum"])
                g = g.permute(0, 2, 3, 1) if g.ndim == 4 else g
                update.copy_(self.orthogonal(g.flatten(1)).flatten())
        if procs > 1:
            dist.all_reduce(updates)
        for p, update in zip(params, updates.split([p.numel() for p in params])):
            shape = p.permute(0, 2, 3, 1).shape if p.ndim == 4 else p.shape
            update = update.view(shape).float()
            scale = 0.2 * max(shape[0], p[0].numel()) ** 0.5
            p.mul_(1 - group["lr"] * group["weight_decay"])
            p.add_(update.permute(0, 3, 1, 2) if p.ndim == 4 else update, alpha=-group["lr"] * scale)


class Trainer:
    """`modules`: name -> module. The learning rate follows the share of the time budget that has passed."""

    def __init__(self, rank, args, modules, path, weight_decay=0.01, betas=(0.9, 0.99), muon=False):
        self.rank, self.args, self.path, self.modules = rank, args, Path(path), modules
        self.params = [p for m in modules.values() for p in m.parameters() if p.requires_grad]
        matrices = [
            p
            for m in modules.values()
            for n, p in m.named_parameters()
            if muon and p.ndim >= 2 and "embedding." not in n and not n.startswith(("conv_in", "conv_out"))
        ]
        chosen = set(map(id, matrices))
        others = [p for p in self.params if id(p) not in chosen]
        self.opts = [torch.optim.AdamW(others, lr=0.0, weight_decay=weight_decay, betas=betas, fused=True)]
        if matrices:
            self.opts.append(Muon(matrices, weight_decay=weight_decay))
        self.ema = {n: {k: v.detach().clone() for k, v in m.state_dict().items()} for n, m in modules.items()}
        self.step, self.used, self.extra = 0, 0.0, {}
        if self.path.exists():
            state = torch.load(self.path, weights_only=False)
            for n, m in modules.items():
                m.load_state_dict(state["raw"][n])
            self.ema, self.step, self.used = state["ema"], state["step"], state["used"]
            for opt, saved in zip(self.opts, state["opts"]):
                opt.load_state_dict(saved)
        self.opened = self.saved = time.time() - self.used * 60
        self.saved = time.time()
        self.window, self.since = {}, time.time()

    def progress(self):
        return (time.time() - self.opened) / 60 / self.args.minutes

    def update(self, loss, report):
        """Backward, average over the processes, step. Returns False when the time is over."""
        loss.backward()
        progress = self.progress()
        if self.args.procs > 1:
            flat = torch.cat([p.grad.flatten() for p in self.params] + [torch.tensor([progress])])
            dist.all_reduce(flat)
            flat /= self.args.procs
            progress, at = flat[-1].item(), 0
            for p in self.params:
                p.grad.copy_(flat[at : at + p.numel()].view_as(p))
                at += p.numel()
        norm = torch.nn.utils.clip_grad_norm_(self.params, self.args.clip, foreach=True).item()
        warm = min(1.0, (self.step + 1) / self.args.warmup)
        lr = self.args.lr * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, max(0.0, progress - self.args.flat) / (1 - self.args.flat)))))
        for opt in self.opts:
            for g in opt.param_groups:
                g["lr"] = lr
            if math.isfinite(norm):
                opt.step()
            opt.zero_grad(set_to_none=False)
        self.step += 1
        decay = min(self.args.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for n, m in self.modules.items():
                avg, cur = zip(*((self.ema[n][k], v) for k, v in m.state_dict().items() if v.is_floating_point()))
                torch._foreach_lerp_(list(avg), [v.detach() for v in cur], 1 - decay)
        for k, v in report.items():
            self.window.setdefault(k, []).append(float(v))
        if self.rank == 0 and self.step % 25 == 0:
            now = time.time()
            means = " ".join(f"{k} {sum(v) / len(v):.4f}" for k, v in self.window.items())
            rate = 25 * self.args.batch * self.args.procs / (now - self.since)
            print(f"step {self.step} {progress:.1%} {means} norm {norm:.2f} lr {lr:.1e} {rate:.0f} images/s", flush=True)
            self.window, self.since = {}, now
        done = progress >= 1
        if self.rank == 0 and (done or time.time() - self.saved > self.args.save_every):
            self.save()
        return not done

    def save(self):
        self.used = (time.time() - self.opened) / 60
        state = {
            "raw": {n: m.state_dict() for n, m in self.modules.items()},
            "ema": self.ema,
            "opts": [opt.state_dict() for opt in self.opts],
            "step": self.step,
            "used": self.used,
            **self.extra,
        }
        partial = self.path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.path)
        self.saved = time.time()
        self.on_save()

    def on_save(self):
        pass


def arguments(ap, lr, batch, minutes, ema, warmup):
    ap.add_argument("--work", default="work")
    ap.add_argument("--minutes", type=float, default=minutes, help="time budget, earlier runs of the same checkpoint included")
    ap.add_argument("--lr", type=float, default=lr)
    ap.add_argument("--flat", type=float, default=0.0, help="share of the budget before the learning rate falls")
    ap.add_argument("--batch", type=int, default=batch, help="per process")
    ap.add_argument("--procs", type=int, default=os.cpu_count())
    ap.add_argument("--ema", type=float, default=ema)
    ap.add_argument("--warmup", type=int, default=warmup, help="steps")
    ap.add_argument("--clip", type=float, default=1.0)
    ap.add_argument("--save-every", type=float, default=120, help="seconds")
    return ap.parse_args()
