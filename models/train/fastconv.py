"""Convolutions as one bf16 matrix product each, for training on CPUs with AMX.

The matrix units of such a CPU multiply bf16 several times faster than f32, but the library's bf16 convolution *backward*
is far slower than its f32 one. Gathering the patches (NHWC) and multiplying uses the fast path in both directions.
The weights stay f32; only the products are rounded. Used for training only: the exported model is an ordinary one.
"""

import torch
import torch.nn.functional as F


def patches(x, k, stride, before, after):
    """[N,H,W,C] -> ([N*H'*W', k*k*C], H', W'), zero padded before and after in both directions."""
    n, _, _, c = x.shape
    if k == 1:
        return x.reshape(-1, c), x.shape[1], x.shape[2]
    p = F.pad(x, (0, 0, before, after, before, after)) if before or after else x
    h, w = (p.shape[1] - k) // stride + 1, (p.shape[2] - k) // stride + 1
    s = p.stride()
    cols = p.as_strided((n, h, w, k, k, c), (s[0], s[1] * stride, s[2] * stride, s[1], s[2], s[3]))
    return cols.reshape(n * h * w, k * k * c), h, w


class FastConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, stride, pad):
        x = x.permute(0, 2, 3, 1).to(torch.bfloat16).contiguous()
        o, c, k, _ = weight.shape
        cols, h, w = patches(x, k, stride, pad, pad)
        y = torch.addmm(bias.to(torch.bfloat16), cols, weight.permute(0, 2, 3, 1).reshape(o, -1).to(torch.bfloat16).t())
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.pad = stride, pad
        return y.view(x.shape[0], h, w, o).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        o, c, k, _ = weight.shape
        stride, pad = ctx.stride, ctx.pad
        g = grad.permute(0, 2, 3, 1).to(torch.bfloat16).contiguous()
        n, h, w, _ = g.shape
        flat = g.view(-1, o)
        dw = (flat.t() @ patches(x, k, stride, pad, pad)[0]).float().view(o, k, k, c).permute(0, 3, 1, 2)
        db = flat.sum(0, dtype=torch.float32)
        dx = None
        if ctx.needs_input_grad[0]:
            if stride > 1:
                d = g.new_zeros(n, (h - 1) * stride + 1, (w - 1) * stride + 1, o)
                d[:, ::stride, ::stride] = g
                g = d
            before = k - 1 - pad
            after = x.shape[1] + k - 1 - g.shape[1] - before
            w_t = weight.to(torch.bfloat16).permute(0, 2, 3, 1).flip(1, 2).permute(1, 2, 0, 3).reshape(k * k * o, c)
            dx = (patches(g, k, 1, before, after)[0] @ w_t).view(*x.shape).permute(0, 3, 1, 2)
        return dx, dw, db, None, None


def accelerate(module, least=0):
    """Replaces the forward of the convolutions with at least `least` channels on both sides in `module`; returns it.

    The result has the input's type, bf16 under autocast. Weights in channels_last need no transposing."""

    def forward(m, x):
        y = FastConv.apply(x, m.weight, m.bias, m.stride[0], m.padding[0])
        return y if torch.is_autocast_enabled("cpu") else y.to(x.dtype)

    module.to(memory_format=torch.channels_last)
    for m in module.modules():
        if isinstance(m, torch.nn.Conv2d) and min(m.in_channels, m.out_channels) >= least:
            m.forward = lambda x, m=m: forward(m, x)
    return module
