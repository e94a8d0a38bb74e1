# SPDX-License-Identifier: GPL-3.0-or-later
"""Streaming Fast-U2++ content encoder, with the parameter names of MeanVC's encoder archive.

Training sees whole utterances: a mask gives every frame its own chunk and the 2 chunks before it, and
convolutions are causal, so that the streaming engine computes the same values chunk by chunk.
"""
import math

import torch
from torch import nn


def filterbank(samples):
    """Kaldi log-mel of a 1-D tensor in [-1, 1] -> [1 + (n - 400) / 160, 80]."""
    frames = (samples * 32768).unfold(0, 400, 160)
    frames = frames - frames.mean(1, keepdim=True)
    previous = torch.cat([frames[:, :1], frames[:, :-1]], 1)
    frames = frames - 0.97 * previous
    window = (0.5 - 0.5 * torch.cos(2 * math.pi * torch.arange(400) / 399)) ** 0.85
    power = torch.fft.rfft(frames * window, 512).abs() ** 2
    return (power[:, :256] @ _triangles().T).clamp(min=1.1920929e-7).log()


_cache = {}


def _triangles():
    if "bank" not in _cache:
        def mel(hertz):
            return 1127 * torch.log(1 + torch.as_tensor(hertz, dtype=torch.float64) / 700)
        step = (mel(8000.0) - mel(20.0)) / 81
        left = mel(20.0) + torch.arange(80) * step
        bins = mel(31.25 * torch.arange(256))
        rise = (bins - left[:, None]) / step
        fall = (left[:, None] + 2 * step - bins) / step
        _cache["bank"] = torch.minimum(rise, fall).clamp(min=0).float()
    return _cache["bank"]


def warp_formants(fbank, ratio):
    """Moves everything on the mel axis by `ratio` in mel, the top bins repeated: [T, 80] -> [T, 80]."""
    at = (torch.arange(80) * ratio).clamp(max=78.999)
    low = at.long()
    share = at - low
    return fbank[:, low] * (1 - share) + fbank[:, low + 1] * share


class FeedForward(nn.Module):
    def __init__(self, dim, inner):
        super().__init__()
        self.w_1 = nn.Linear(dim, inner)
        self.w_2 = nn.Linear(inner, dim)

    def forward(self, x):
        return self.w_2(nn.functional.silu(self.w_1(x)))


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads, self.size = heads, dim // heads
        self.linear_q, self.linear_k, self.linear_v, self.linear_out = (
            nn.Linear(dim, dim) for _ in range(4))
        self.linear_pos = nn.Linear(dim, dim, bias=False)
        self.pos_bias_u = nn.Parameter(torch.zeros(heads, self.size))
        self.pos_bias_v = nn.Parameter(torch.zeros(heads, self.size))
        nn.init.xavier_uniform_(self.pos_bias_u)
        nn.init.xavier_uniform_(self.pos_bias_v)

    def split(self, x):
        return x.view(*x.shape[:-1], self.heads, self.size).transpose(-3, -2)

    def forward(self, x, positions, mask):
        q, k, v = (self.split(f(x)) for f in (self.linear_q, self.linear_k, self.linear_v))
        p = self.split(self.linear_pos(positions))
        score = (q + self.pos_bias_u[:, None]) @ k.transpose(-1, -2)
        score = score + (q + self.pos_bias_v[:, None]) @ p.transpose(-1, -2)
        score = (score / math.sqrt(self.size)).masked_fill(~mask, -1e9)
        out = torch.softmax(score, -1) @ v
        return self.linear_out(out.transpose(-3, -2).flatten(-2))


class StreamingConvolution(nn.Module):
    def __init__(self, dim, kernel):
        super().__init__()
        self.kernel = kernel
        self.pointwise_conv1 = nn.Conv1d(dim, 2 * dim, 1)
        self.depthwise_conv = nn.Conv1d(dim, dim, kernel, groups=dim)
        self.norm = nn.LayerNorm(dim)
        self.pointwise_conv2 = nn.Conv1d(dim, dim, 1)

    def forward(self, x):
        padded = nn.functional.pad(x.transpose(1, 2), (self.kernel - 1, 0))
        y = self.depthwise_conv(nn.functional.glu(self.pointwise_conv1(padded), 1))
        y = nn.functional.silu(self.norm(y.transpose(1, 2)))
        return self.pointwise_conv2(y.transpose(1, 2)).transpose(1, 2)


class ConvolutionModule(nn.Module):
    def __init__(self, dim, kernel):
        super().__init__()
        self.streaming_conv = StreamingConvolution(dim, kernel)

    def forward(self, x):
        return self.streaming_conv(x)


class Layer(nn.Module):
    def __init__(self, dim, heads, inner, kernel):
        super().__init__()
        self.feed_forward_macaron = FeedForward(dim, inner)
        self.self_attn = Attention(dim, heads)
        self.conv_module = ConvolutionModule(dim, kernel)
        self.feed_forward = FeedForward(dim, inner)
        for name in ("ff_macaron", "mha", "conv", "ff", "final"):
            setattr(self, "norm_" + name, nn.LayerNorm(dim))

    def forward(self, x, positions, mask):
        x = x + 0.5 * self.feed_forward_macaron(self.norm_ff_macaron(x))
        x = x + self.self_attn(self.norm_mha(x), positions, mask)
        x = x + self.conv_module(self.norm_conv(x))
        x = x + 0.5 * self.feed_forward(self.norm_ff(x))
        return self.norm_final(x)


class Subsampling(nn.Module):
    """Few channels suffice: as many as `dim`, the published choice, would be four fifths of all cost."""

    def __init__(self, dim, channels):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(1, channels, 3, 2), nn.ReLU(),
                                  nn.Conv2d(channels, channels, 3, 2), nn.ReLU())
        self.out = nn.Sequential(nn.Linear(19 * channels, dim))

    def forward(self, x):
        y = self.conv(x[:, None])
        return self.out(y.permute(0, 2, 1, 3).flatten(2))


class Normalisation(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.full((80,), 8.0))
        self.register_buffer("istd", torch.full((80,), 0.25))

    def forward(self, x):
        return (x - self.mean) * self.istd


def position_table(positions, dim):
    angle = positions[..., None] * torch.exp(torch.arange(0, dim, 2, device=positions.device) * (-math.log(10000.0) / dim))
    return torch.stack([angle.sin(), angle.cos()], -1).flatten(-2)


class Encoder(nn.Module):
    """fbank [batch, T, 80] -> content features [batch, t, dim], 25 a second."""

    def __init__(self, dim=128, heads=4, inner=512, layers=4, kernel=9, chunk=2,
                 channels=32):
        super().__init__()
        self.config = dict(d=dim, heads=heads, ff=inner, layers=layers, kernel=kernel, chunk=chunk,
                           channels=channels)
        self.dim, self.chunk = dim, chunk
        self.global_cmvn = Normalisation()
        self.embed = Subsampling(dim, channels)
        self.encoders = nn.ModuleList(Layer(dim, heads, inner, kernel) for _ in range(layers))
        self.after_norm = nn.LayerNorm(dim)

    def forward(self, fbank, offset=0):
        x = self.embed(self.global_cmvn(fbank)) * math.sqrt(self.dim)
        index = torch.arange(x.shape[1], device=x.device)
        part = index // self.chunk
        apart = part[:, None] - part[None]
        mask = (apart >= 0) & (apart <= 2)
        positions = position_table((index + offset).float(), self.dim)
        for layer in self.encoders:
            x = layer(x, positions, mask)
        return self.after_norm(x)
