# SPDX-License-Identifier: GPL-3.0-or-later
"""Vocos (arXiv 2306.00814) with the parameter names of MeanVC's vocoder archive."""
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, dim, intermediate, layers):
        super().__init__()
        self.dwconv = nn.Conv1d(dim, dim, 7, padding=3, groups=dim)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.pwconv1 = nn.Linear(dim, intermediate)
        self.pwconv2 = nn.Linear(intermediate, dim)
        self.gamma = nn.Parameter(torch.full((dim,), 1.0 / layers))

    def forward(self, x):
        y = self.norm(self.dwconv(x).transpose(1, 2))
        y = self.gamma * self.pwconv2(nn.functional.gelu(self.pwconv1(y)))
        return x + y.transpose(1, 2)


class Backbone(nn.Module):
    def __init__(self, mel, dim, intermediate, layers):
        super().__init__()
        self.embed = nn.Conv1d(mel, dim, 7, padding=3)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.convnext = nn.ModuleList(Block(dim, intermediate, layers) for _ in range(layers))
        self.final_layer_norm = nn.LayerNorm(dim, eps=1e-6)

    def forward(self, mel):
        x = self.norm(self.embed(mel).transpose(1, 2)).transpose(1, 2)
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

    def forward(self, x):
        log_magnitude, phase = self.out(x).transpose(1, 2).chunk(2, dim=1)
        magnitude = torch.exp(log_magnitude).clamp(max=100)
        return self.istft(torch.complex(magnitude * torch.cos(phase), magnitude * torch.sin(phase)))


class Vocos(nn.Module):
    """mel01 [batch, 80, T] in [0, 1] -> samples [batch, 160 (T - 1)]."""

    def __init__(self, dim=192, intermediate=576, layers=6, mel=80, transform=640, hop=160):
        super().__init__()
        self.config = dict(dim=dim, intermediate=intermediate, layers=layers, mel=mel,
                           n_fft=transform, hop=hop)
        self.backbone = Backbone(mel, dim, intermediate, layers)
        self.head = Head(dim, transform, hop)

    def forward(self, mel01):
        return self.head(self.backbone(mel01))
