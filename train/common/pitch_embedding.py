# SPDX-License-Identifier: GPL-3.0-or-later
"""How our decoder and our vocoder are told the pitch of a frame."""
import math

import torch
from torch import nn


class PitchEmbedding(nn.Module):
    """A row for each pitch, `bins` of them evenly on a logarithmic scale, straight lines between; the
    last row is unvoiced. The published models have none: they learn pitch from thousands of hours."""

    def __init__(self, bn, bins, lowest_hz, highest_hz):
        super().__init__()
        self.register_buffer("range", torch.tensor([float(lowest_hz), float(highest_hz)]))
        self.low, self.step = math.log2(lowest_hz), math.log2(highest_hz / lowest_hz) / (bins - 1)
        octaves = torch.arange(bins + 1)[:, None] * self.step
        waves = octaves * torch.exp(torch.linspace(math.log(0.5), math.log(40.0), bn // 2))
        self.weight = nn.Parameter(0.7 * torch.cat([waves.sin(), waves.cos()], 1))

    def forward(self, pitch):
        """pitch [B, T, 2]: log2 of Hz, voicing 0..1 -> [B, T, bn]"""
        bins = len(self.weight) - 1
        at = ((pitch[..., :1] - self.low) / self.step).clamp(0, bins - 1)
        share = (1 - (at - torch.arange(bins, device=pitch.device)).abs()).clamp(min=0)
        voiced = pitch[..., 1:]
        return torch.cat([share * voiced, 1 - voiced], -1) @ self.weight
