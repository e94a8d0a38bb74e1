#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times PyTorch on modules equal to MeanAudio's, and `meanwave bench sound` beside it.

  tests/bench/sound_torch.py [--size s|l] [--seconds 10] [--threads 2] [--stages text,vocoder]

Sizes are the published ones, weights random. Everything runs in float32 without gradients, each
stage once to warm up (two seconds of sound) and then `--repeat` times; the best counts. The official
code encodes all 77 text rows in both encoders, and so does this. Ratios are of processor time, all
threads together, so that other programs on the machine disturb them less; times on the clock are
printed too.
"""
import argparse
import json
import math
import os
import subprocess
import sys
import time

# OpenBLAS's own threads and PyTorch's get into each other's way: with one of the former it is fastest
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "train", "sound"))
from transformer import Transformer  # noqa: E402
import vae  # noqa: E402

TEXT_ROWS = 77


# ---- Text ----

class T5Layer(nn.Module):
    def __init__(self, width, heads, size, inner):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = (nn.Parameter(torch.ones(width)) for _ in range(2))
        self.q, self.k, self.v = (nn.Linear(width, heads * size, bias=False) for _ in range(3))
        self.o = nn.Linear(heads * size, width, bias=False)
        self.wi_0, self.wi_1 = (nn.Linear(width, inner, bias=False) for _ in range(2))
        self.wo = nn.Linear(inner, width, bias=False)

    def forward(self, x, bias):
        def heads(y):
            return y.view(*y.shape[:2], self.heads, -1).transpose(1, 2)
        h = rms(x, self.norm1)
        scores = heads(self.q(h)) @ heads(self.k(h)).transpose(2, 3) + bias
        mixed = (torch.softmax(scores, -1) @ heads(self.v(h))).transpose(1, 2).flatten(2)
        x = x + self.o(mixed)
        h = rms(x, self.norm2)
        return x + self.wo(F.gelu(self.wi_0(h), approximate="tanh") * self.wi_1(h))


def rms(x, gain):
    return gain * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)


class T5(nn.Module):
    def __init__(self):
        super().__init__()
        self.shared = nn.Embedding(32128, 1024)
        self.layers = nn.ModuleList(T5Layer(1024, 16, 64, 2816) for _ in range(24))

    def forward(self, ids, bias):
        x = self.shared(ids)
        for layer in self.layers:
            x = layer(x, bias)
        return x


class Clap(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(50265, 768)
        layer = nn.TransformerEncoderLayer(768, 12, 3072, dropout=0.0, activation="gelu",
                                           batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 12)
        self.pooler = nn.Linear(768, 768)
        self.projection = nn.Sequential(nn.Linear(768, 512), nn.ReLU(), nn.Linear(512, 512))

    def forward(self, ids):
        x = self.layers(self.words(ids))
        return F.normalize(self.projection(torch.tanh(self.pooler(x[:, 0]))), dim=-1)


# ---- BigVGAN ----

class Activation(nn.Module):
    """SnakeBeta between 2x up-sampling and 2x down-sampling, as the official module computes it."""

    def __init__(self, channels):
        super().__init__()
        self.alpha, self.beta = (nn.Parameter(torch.zeros(channels)) for _ in range(2))
        taps = torch.arange(12) - 5.5
        low = torch.kaiser_window(12, beta=4.6638, periodic=False) * 0.5 * torch.sinc(0.5 * taps)
        self.register_buffer("filter", (low / low.sum()).view(1, 1, 12))

    def forward(self, x):
        channels = x.shape[1]
        low = self.filter.expand(channels, -1, -1)
        x = F.pad(x, (5, 5), mode="replicate")
        x = 2 * F.conv_transpose1d(x, low, stride=2, groups=channels)[..., 15:-15]
        alpha = torch.exp(self.alpha)[None, :, None]
        beta = torch.exp(self.beta)[None, :, None]
        x = x + (1.0 / (beta + 1e-9)) * torch.sin(x * alpha) ** 2
        x = F.pad(x, (5, 6), mode="replicate")
        return F.conv1d(x, low, stride=2, groups=channels)


class AmpBlock(nn.Module):
    def __init__(self, width, kernel):
        super().__init__()
        def conv(dilation):
            return nn.Conv1d(width, width, kernel, padding=(kernel - 1) * dilation // 2,
                             dilation=dilation)
        self.convs1 = nn.ModuleList(conv(d) for d in (1, 3, 5))
        self.convs2 = nn.ModuleList(conv(1) for _ in range(3))
        self.activations = nn.ModuleList(Activation(width) for _ in range(6))

    def forward(self, x):
        for i, (first, second) in enumerate(zip(self.convs1, self.convs2)):
            y = first(self.activations[2 * i](x))
            x = x + second(self.activations[2 * i + 1](y))
        return x


class BigVgan(nn.Module):
    def __init__(self):
        super().__init__()
        width = 1536
        self.conv_pre = nn.Conv1d(80, width, 7, padding=3)
        self.ups, self.blocks = nn.ModuleList(), nn.ModuleList()
        for rate in (4, 4, 2, 2, 2, 2):
            self.ups.append(nn.ConvTranspose1d(width, width // 2, 2 * rate, rate, rate // 2))
            width //= 2
            self.blocks.append(nn.ModuleList(AmpBlock(width, k) for k in (3, 7, 11)))
        self.activation_post = Activation(width)
        self.conv_post = nn.Conv1d(width, 1, 7, padding=3)

    def forward(self, mel):
        x = self.conv_pre(mel)
        for up, blocks in zip(self.ups, self.blocks):
            x = up(x)
            x = sum(block(x) for block in blocks) / len(blocks)
        return torch.tanh(self.conv_post(self.activation_post(x)))


# ---- Stages: name -> function of the number of latents ----

def text_stage(_):
    model, ids = T5(), torch.arange(TEXT_ROWS)[None]
    bias = torch.zeros(1, 16, TEXT_ROWS, TEXT_ROWS)
    bias[..., 12:] = torch.finfo(torch.float32).min
    return lambda latents: model(ids, bias)


def clap_stage(_):
    model, ids = Clap().eval(), torch.arange(TEXT_ROWS)[None]
    return lambda latents: model(ids)


def transformer_stage(size):
    width = 448 if size == "s" else 896
    model = Transformer(width, width // 64, 4, 8, TEXT_ROWS, 1024, 512)
    text, pooled = torch.randn(1, TEXT_ROWS, 1024), torch.randn(1, 512)
    t, r = torch.ones(1), torch.zeros(1)
    return lambda latents: model(torch.randn(1, latents, 20), text, pooled, r, t)


def decoder_stage(_):
    model = vae.Vae(384)
    del model.encoder
    for module in model.modules():  # normalised once, as the official code does for inference
        if isinstance(module, vae.Conv):
            norm = module.weight.flatten(1).norm(dim=1)[:, None, None]
            root = math.sqrt(module.weight[0].numel())
            module.weight = nn.Parameter(module.weight / (1e-4 + norm / root) / root)
            module.forward = lambda x, gain=1.0, m=module: F.conv1d(
                x, m.weight, padding=m.weight.shape[2] // 2)
    return lambda latents: model.decode(torch.randn(1, 20, latents))


def vocoder_stage(_):
    model = BigVgan()
    return lambda latents: model(torch.randn(1, 80, 2 * latents))


STAGES = {"text": text_stage, "clap": clap_stage, "transformer": transformer_stage,
          "decoder": decoder_stage, "vocoder": vocoder_stage}


def measure(run, latents, repeat):
    run(63)
    best = [math.inf, math.inf]
    for _ in range(repeat):
        clock, computed = time.monotonic(), time.process_time()
        run(latents)
        best = [min(best[0], time.monotonic() - clock), min(best[1], time.process_time() - computed)]
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=("s", "l"), default="s")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--stages", default=",".join(STAGES))
    parser.add_argument("--meanwave", default=os.path.join(HERE, "..", "..", "build", "meanwave"))
    wish = parser.parse_args()
    latents = math.ceil(wish.seconds * 16000 / 256 / 2)
    torch.set_num_threads(wish.threads)
    torch.manual_seed(1)
    ours = subprocess.run(
        [wish.meanwave, "bench", "sound", "--json", "--size", wish.size, "--seconds",
         str(wish.seconds), "--threads", str(wish.threads), "--repeat", str(wish.repeat)],
        stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()
    ours = {row["name"]: row for row in map(json.loads, ours)}
    print("%-12s %31s   %31s" % ("", "PyTorch " + torch.__version__, "meanwave"))
    print("%-12s %15s %15s   %15s %15s   ratio" % (("stage",) + ("clock s", "processor s") * 2))
    sums = [0.0] * 4
    for name in wish.stages.split(","):
        with torch.no_grad():
            times = measure(STAGES[name](wish.size), latents, wish.repeat)
        times += [ours[name]["seconds"], ours[name]["cpu_seconds"]]
        sums = [a + b for a, b in zip(sums, times)]
        print("%-12s %15.3f %15.3f   %15.3f %15.3f   %.2f" % (name, *times, times[1] / times[3]),
              flush=True)
    print("%-12s %15.3f %15.3f   %15.3f %15.3f   %.2f" % ("total", *sums, sums[1] / sums[3]))


if __name__ == "__main__":
    main()
