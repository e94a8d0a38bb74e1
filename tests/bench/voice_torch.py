#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times the networks of MeanVC and MeanVC 2 in PyTorch (Debian: python3-torch) beside ours.

    tests/bench/voice_torch.py [PROGRAM]        PROGRAM: build/meanwave

Modules of the published sizes with random weights do what a steady chunk of the published loops
takes: the same rows, caches and masks' shapes, in one thread, processor time. They are shaped as the
official code is: keys and values of the prompt anew for every step, all modulations anew, the
convolution's cache before its pointwise layer, positions of all keys projected. One step of mean flow.
"""
import json
import math
import os
import subprocess
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads and PyTorch's get into each other's way
import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

SIZES = {  # chunk, look-ahead, encoder layers, content frames a call, mel frames of a call, overlap
    "meanvc": (20, 0, 7, 5, 20, 3),
    "meanvc2-120": (12, 4, 6, 4, 16, 2),
    "meanvc2-40": (4, 4, 6, 2, 8, 2),
}
PROMPT, WARM, REPEAT = 500, 5, 40


class EncoderLayer(nn.Module):
    def __init__(self, d=256, ff=2048, kernel=9):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(d) for _ in range(5))
        self.macaron = nn.Sequential(nn.Linear(d, ff), nn.SiLU(), nn.Linear(ff, d))
        self.ff = nn.Sequential(nn.Linear(d, ff), nn.SiLU(), nn.Linear(ff, d))
        self.q, self.k, self.v, self.out = (nn.Linear(d, d) for _ in range(4))
        self.pos = nn.Linear(d, d, bias=False)
        self.u, self.w = nn.Parameter(torch.zeros(4, 1, 64)), nn.Parameter(torch.zeros(4, 1, 64))
        self.conv_in, self.conv_out = nn.Conv1d(d, 2 * d, 1), nn.Conv1d(d, d, 1)
        self.depthwise = nn.Conv1d(d, d, kernel, groups=d)
        self.conv_norm = nn.LayerNorm(d)

    def forward(self, x, keys, values, table, before):
        def heads(y):
            return y.view(y.shape[0], 4, 64).transpose(0, 1)
        x = x + 0.5 * self.macaron(self.norms[0](x))
        y = self.norms[1](x)
        q, p = heads(self.q(y)), heads(self.pos(table))
        k = torch.cat([keys, heads(self.k(y))], 1)
        v = torch.cat([values, heads(self.v(y))], 1)
        score = ((q + self.u) @ k.transpose(1, 2) + (q + self.w) @ p.transpose(1, 2)) / 8
        x = x + self.out((score.softmax(-1) @ v).transpose(0, 1).flatten(1))
        y = torch.cat([before, self.norms[2](x)]).T[None]
        y = self.depthwise(F.glu(self.conv_in(y), 1))
        y = F.silu(self.conv_norm(y.transpose(1, 2))).transpose(1, 2)
        x = x + self.conv_out(y)[0].T
        return self.norms[4](x + 0.5 * self.ff(self.norms[3](x)))


class Encoder(nn.Module):
    def __init__(self, layers, frames, d=256):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(1, d, 3, 2), nn.ReLU(), nn.Conv2d(d, d, 3, 2), nn.ReLU())
        self.project = nn.Linear(19 * d, d)
        self.layers = nn.ModuleList(EncoderLayer() for _ in range(layers))
        self.window = torch.randn(4 * (frames - 1) + 7, 80)
        self.caches = (torch.randn(4, 2 * frames, 64), torch.randn(4, 2 * frames, 64),
                       torch.randn(3 * frames, d), torch.randn(8, d))

    def forward(self):
        y = self.conv(self.window[None, None])[0]
        x = 16 * self.project(y.transpose(0, 1).flatten(1))
        for layer in self.layers:
            x = layer(x, *self.caches)
        return x


class Block(nn.Module):
    def __init__(self, dim=512, inner=128, ff=1024):
        super().__init__()
        self.modulation = nn.Linear(dim, 6 * dim)
        self.q, self.k, self.v = (nn.Linear(dim, inner) for _ in range(3))
        self.gains = nn.Parameter(torch.ones(2, 64))
        self.out = nn.Linear(inner, dim)
        self.ff = nn.Sequential(nn.Linear(dim, ff), nn.GELU(), nn.Linear(ff, dim))

    def forward(self, h, c, keys, values, cosine, sine, mask):
        def heads(y, gain=None):
            y = y.view(y.shape[0], 2, 64).transpose(0, 1)
            return y if gain is None else y * torch.rsqrt((y * y).mean(-1, keepdim=True) + 1e-6) * gain

        def rotate(y, first):
            a, b = y[..., 0::2], y[..., 1::2]
            co, si = cosine[first:first + y.shape[1]], sine[first:first + y.shape[1]]
            return torch.stack([a * co - b * si, b * co + a * si], -1).flatten(-2)
        s1, g1, a1, s2, g2, a2 = self.modulation(F.silu(c)).chunk(6)
        y = F.layer_norm(h, h.shape[-1:], eps=1e-6) * (1 + g1) + s1
        k = torch.cat([keys, heads(self.k(y), self.gains[1])], 1)
        v = torch.cat([values, heads(self.v(y))], 1)
        q = rotate(heads(self.q(y), self.gains[0]), k.shape[1] - h.shape[0])
        score = (q @ rotate(k, 0).transpose(1, 2) / 8).masked_fill(mask, -1e9)
        h = h + a1 * self.out((score.softmax(-1) @ v).transpose(0, 1).flatten(1))
        return h + a2 * self.ff(F.layer_norm(h, h.shape[-1:], eps=1e-6) * (1 + g2) + s2)


class Prompt(nn.Module):
    """First generation: two layers of attention to the whole reference."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.ModuleDict(dict(
            q=nn.Linear(256, 256), k=nn.Linear(336, 256), v=nn.Linear(80, 256),
            out=nn.Linear(256, 256), n1=nn.LayerNorm(256), n2=nn.LayerNorm(256),
            ff=nn.Sequential(nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 256)))) for _ in range(2))
        self.mel, self.keys = torch.randn(PROMPT, 80), torch.randn(PROMPT, 336)

    def forward(self, x):
        def heads(y):
            return y.view(y.shape[0], 4, 64).transpose(0, 1)
        for l in self.layers:
            k, v = heads(l["k"](self.keys)), heads(l["v"](self.mel))
            share = (heads(l["q"](x)) @ k.transpose(1, 2) / 8).softmax(-1)
            x = l["n1"](x + l["out"]((share @ v).transpose(0, 1).flatten(1)))
            x = l["n2"](x + l["ff"](x))
        return x


class Tokens(nn.Module):
    """Second generation: attention to 32 tokens, which the voice has made already."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(256, 128) for _ in range(3))
        self.out, self.norm = nn.Linear(128, 256), nn.LayerNorm(256)
        self.keys, self.values = torch.randn(32, 256), torch.randn(32, 256)

    def forward(self, x):
        def heads(y):
            return y.view(y.shape[0], 4, 32).transpose(0, 1)
        k, v = heads(self.k(self.keys)), heads(self.v(self.values))
        share = (heads(self.q(x)) @ k.transpose(1, 2) / math.sqrt(32)).softmax(-1)
        return self.norm(self.out((share @ v).transpose(0, 1).flatten(1)))


class Decoder(nn.Module):
    def __init__(self, chunk, ahead):
        super().__init__()
        self.first = ahead == 0
        rows = 2 * chunk if self.first else chunk + ahead
        past = [5] * 4 if self.first else [3, 3, 2, 2]
        self.noisy = chunk + ahead
        self.timbre = Prompt() if self.first else Tokens()
        self.times = nn.ModuleList(nn.Sequential(nn.Linear(256, 512), nn.SiLU(), nn.Linear(512, 512))
                                   for _ in range(2))
        self.embed, self.clean = nn.Linear(592, 512), nn.Linear(80, 512)
        self.blocks = nn.ModuleList(Block() for _ in range(4))
        self.final, self.out = nn.Linear(512, 1024), nn.Linear(512, 80)
        self.caches = []
        for p in past:
            length = p * chunk + rows
            self.caches.append((torch.randn(2, p * chunk, 64), torch.randn(2, p * chunk, 64),
                                torch.randn(length, 32), torch.randn(length, 32),
                                torch.zeros(rows, length, dtype=torch.bool)))
        self.data = (torch.randn(self.noisy, 80), torch.randn(self.noisy, 256), torch.randn(256),
                     torch.randn(chunk, 80), torch.randn(256))

    def forward(self):
        x, content, speaker, previous, features = self.data
        timbre = self.timbre(content)
        h = self.embed(torch.cat([x, timbre, speaker.expand(self.noisy, -1)], -1))
        if self.first:
            h = torch.cat([self.clean(previous), h])
        c = self.times[0](features) + self.times[1](features)
        for block, cache in zip(self.blocks, self.caches):
            h = block(h, c, *cache)
        scale, shift = self.final(F.silu(c)).chunk(2)
        h = F.layer_norm(h[-self.noisy:], (512,), eps=1e-6) * (1 + scale) + shift
        return x - self.out(h)


class Vocoder(nn.Module):
    def __init__(self, frames, dim=320, inner=1536):
        super().__init__()
        self.embed, self.norm = nn.Conv1d(80, dim, 7, padding=3), nn.LayerNorm(dim, eps=1e-6)
        self.blocks = nn.ModuleList(nn.ModuleDict(dict(
            dw=nn.Conv1d(dim, dim, 7, padding=3, groups=dim), norm=nn.LayerNorm(dim, eps=1e-6),
            ff=nn.Sequential(nn.Linear(dim, inner), nn.GELU(), nn.Linear(inner, dim))))
            for _ in range(8))
        self.last, self.out = nn.LayerNorm(dim, eps=1e-6), nn.Linear(dim, 642)
        self.mel, self.window = torch.rand(1, 80, frames), torch.hann_window(640)

    def forward(self):
        x = self.norm(self.embed(self.mel).transpose(1, 2)).transpose(1, 2)
        for b in self.blocks:
            x = x + 0.1 * b["ff"](b["norm"](b["dw"](x).transpose(1, 2))).transpose(1, 2)
        size, phase = self.out(self.last(x.transpose(1, 2))).transpose(1, 2).chunk(2, 1)
        size = size.exp().clamp(max=100)
        return torch.istft(torch.complex(size * phase.cos(), size * phase.sin()), 640, 160,
                           window=self.window)


def seconds(module):
    """Processor time of a call, the median of many."""
    with torch.no_grad():
        for _ in range(WARM):
            module()
        times = []
        for _ in range(REPEAT):
            begun = time.process_time()
            module()
            times.append(time.process_time() - begun)
    return sorted(times)[REPEAT // 2]


def ours(program, size):
    ran = subprocess.run([program, "bench", "voice", "--size", size, "--json"],
                         stdout=subprocess.PIPE, check=True)
    rows = [json.loads(line) for line in ran.stdout.decode().splitlines()]
    return {row["name"]: row["rtf"] for row in rows}


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else "build/meanwave"
    os.environ.setdefault("MEANWAVE_MODELS", "models")
    torch.set_num_threads(1)
    torch.manual_seed(1)
    print("%-12s %-8s %9s %9s %7s" % ("size", "stage", "PyTorch", "Meanwave", "ratio"))
    for size, (chunk, ahead, layers, frames, call, overlap) in SIZES.items():
        theirs = {
            "encoder": seconds(Encoder(layers, frames)) / (call * 0.01),
            "decoder": seconds(Decoder(chunk, ahead)) / (chunk * 0.01),
            "vocoder": seconds(Vocoder(chunk + overlap)) / (chunk * 0.01),
        }
        theirs["total"] = sum(theirs.values())
        mine = ours(program, size)
        for stage, rtf in theirs.items():
            print("%-12s %-8s %9.3f %9.3f %7.1f" % (size, stage, rtf, mine[stage], rtf / mine[stage]))


if __name__ == "__main__":
    main()
