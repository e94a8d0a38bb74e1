# SPDX-License-Identifier: GPL-3.0-or-later
"""Vocos (arXiv 2306.00814) with the parameter names of MeanVC's vocoder archive, and our own variant.

A convolution over mel frames gives the same output for the same input, so a steady tone comes out with the
period of the hop, whatever its pitch: published Vocos hums at 100 Hz. Ours is told the pitch, or hears it
in the mel, and adds to the phases that it predicts those of the pitch's harmonics, accumulated over time;
where the sound is noise, random ones. Where it hears, tones that last have phases of their own (partials.py). It
is causal, so that it streams.
"""
import json
import math

import torch
from torch import nn

from common import bundle, partials
from common.mel import RATE_HZ
from common.pitch_embedding import PitchEmbedding

TAPS = 7
OCTAVES, SPREAD = 7.4, 1.8  # what the excitation's first output spans: 48 to 588 Hz


class Convolution(nn.Conv1d):
    """Seven taps: around each frame, or up to it."""

    def __init__(self, inputs, outputs, causal, groups=1):
        super().__init__(inputs, outputs, TAPS, groups=groups)
        self.before = TAPS - 1 if causal else TAPS // 2

    def forward(self, x):
        return super().forward(nn.functional.pad(x, (self.before, TAPS - 1 - self.before)))


class Block(nn.Module):
    def __init__(self, dim, intermediate, layers, causal):
        super().__init__()
        self.dwconv = Convolution(dim, dim, causal, groups=dim)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.pwconv1 = nn.Linear(dim, intermediate)
        self.pwconv2 = nn.Linear(intermediate, dim)
        self.gamma = nn.Parameter(torch.full((dim,), 1.0 / layers))

    def forward(self, x):
        y = self.norm(self.dwconv(x).transpose(1, 2))
        y = self.gamma * self.pwconv2(nn.functional.gelu(self.pwconv1(y)))
        return x + y.transpose(1, 2)


class Backbone(nn.Module):
    def __init__(self, mel, dim, intermediate, layers, causal=False):
        super().__init__()
        self.embed = Convolution(mel, dim, causal)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.convnext = nn.ModuleList(Block(dim, intermediate, layers, causal) for _ in range(layers))
        self.final_layer_norm = nn.LayerNorm(dim, eps=1e-6)

    def forward(self, mel, told=0.0):
        """`told` [batch, T, dim] is added to the embedded mel."""
        x = self.norm(self.embed(mel).transpose(1, 2) + told).transpose(1, 2)
        for block in self.convnext:
            x = block(x)
        return self.final_layer_norm(x.transpose(1, 2))


class InverseTransform(nn.Module):
    """The centred inverse STFT; owns the window that the official archive stores."""

    def __init__(self, transform, hop):
        super().__init__()
        self.hop = hop
        self.register_buffer("window", torch.hann_window(transform))

    def forward(self, spectrum):
        return torch.istft(spectrum, len(self.window), self.hop, window=self.window, center=True)


class Head(nn.Module):
    def __init__(self, dim, transform, hop):
        super().__init__()
        self.out = nn.Linear(dim, transform + 2)
        self.istft = InverseTransform(transform, hop)

    def forward(self, x, carrier=0.0, noise=None):
        """`carrier` [batch, bins, T] is added to the phases. `noise` [batch, T]: tones that last are followed."""
        log_magnitude, phase = self.out(x).float().transpose(1, 2).chunk(2, dim=1)
        phase = phase + carrier
        if noise is not None:
            turn = 2 * math.pi * self.istft.hop / len(self.istft.window)
            phase = torch.stack([torch.from_numpy(partials.follow(*(some.detach().cpu().numpy() for some in three), turn))
                                 for three in zip(log_magnitude, noise, phase)]).to(phase)
        magnitude = torch.exp(log_magnitude).clamp(max=100)
        return self.istft(torch.complex(magnitude * torch.cos(phase), magnitude * torch.sin(phase)))


class Excitation(nn.Module):
    """mel01 [batch, mel, T] -> log2 of Hz, logits of voicing and of noise: [batch, T, 3]"""

    def __init__(self, mel, width):
        super().__init__()
        self.conv1 = Convolution(mel, width, True)
        self.conv2 = Convolution(width, width, True)
        self.out = nn.Linear(width, 3)

    def forward(self, mel01):
        x = nn.functional.silu(self.conv2(nn.functional.silu(self.conv1(mel01))))
        heard = self.out(x.transpose(1, 2))
        return torch.cat([OCTAVES + SPREAD * torch.tanh(heard[..., :1]), heard[..., 1:]], -1)


def carrier_phases(octaves, noise, chance, hop):
    """octaves (log2 of Hz), noise [batch, T], chance [batch, bins, T] -> [batch, bins, T]: of each bin its nearest
    harmonic's phase, and a random one by the share of noise; wholly where the nearest is none"""
    bins = chance.shape[1]
    hertz = 2 ** octaves.double()
    turns = torch.cumsum((hertz + torch.cat([hertz[:, :1], hertz[:, :-1]], 1)) / 2, 1) * hop / RATE_HZ
    centres = torch.arange(bins, device=octaves.device)[:, None] * RATE_HZ / (2 * (bins - 1))
    harmonic = torch.floor(centres / hertz[:, None] + 0.5)
    share = torch.where(harmonic > 0, noise[:, None], torch.ones_like(chance))
    return (2 * math.pi * ((harmonic * turns[:, None]) % 1)).float() + math.pi * share * chance


class Vocos(nn.Module):
    """mel01 [batch, 80, T] in [0, 1] -> samples [batch, 160 (T - 1)]. `pitch`: None as published, else
    the bins and range of a pitch embedding and the width of the excitation's network."""

    def __init__(self, dim=192, intermediate=576, layers=6, mel=80, transform=640, hop=160, pitch=None):
        super().__init__()
        self.config = dict(dim=dim, intermediate=intermediate, layers=layers, mel=mel,
                           n_fft=transform, hop=hop)
        self.hop, self.bins = hop, transform // 2 + 1
        self.harmonic = pitch is not None
        self.backbone = Backbone(mel, dim, intermediate, layers, self.harmonic)
        self.head = Head(dim, transform, hop)
        if self.harmonic:
            self.config["pitch"] = pitch
            self.excitation = Excitation(mel, pitch["width"])
            self.pitch_embed = PitchEmbedding(dim, pitch["bins"], pitch["lowest_hz"], pitch["highest_hz"])

    def forward(self, mel01, told=None, chance=None):
        """`told` [batch, T, 2]: log2 of Hz and voicing; None: as heard in the mel. `chance`
        [batch, bins, T] in [-1, 1]: the phases of noise; None: drawn."""
        if not self.harmonic:
            return self.head(self.backbone(mel01))
        heard = self.excitation(mel01).detach()
        noise = torch.sigmoid(heard[..., 2])
        by_ear = told is None
        if by_ear:
            told = torch.cat([heard[..., :1], torch.sigmoid(heard[..., 1:2])], -1)
        if chance is None:
            chance = 2 * torch.rand(len(mel01), self.bins, mel01.shape[2], device=mel01.device) - 1
        carrier = carrier_phases(told[..., 0], noise, chance, self.hop)
        return self.head(self.backbone(mel01, self.pitch_embed(told)), carrier, noise if by_ear else None)


def open_vocoder(path):
    """A vocoder out of its bundle."""
    tensors, metadata = bundle.load(path)
    config = json.loads(metadata["config"])
    net = Vocos(config["dim"], config["intermediate"], config["layers"], config["mel"], config["n_fft"],
                config["hop"], config.get("pitch"))
    net.load_state_dict({name[len("vocoder."):]: torch.from_numpy(value.astype("f4"))
                         for name, value in tensors.items()})
    return net
