# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges of log spectrograms at three resolutions, small: real or made? (multi-resolution, arXiv 2106.07889)"""
import torch
from torch import nn

RESOLUTIONS = (256, 512, 1024)


class Judge(nn.Module):
    """samples [batch, n] -> scores, and what each layer saw"""

    def __init__(self, transform, width=16):
        super().__init__()
        self.transform = transform
        self.register_buffer("window", torch.hann_window(transform), persistent=False)
        norm = nn.utils.weight_norm
        self.layers = nn.ModuleList([
            norm(nn.Conv2d(1, width, (7, 3), (2, 1), (3, 1))),
            norm(nn.Conv2d(width, width, (7, 3), (2, 1), (3, 1))),
            norm(nn.Conv2d(width, width, (7, 3), (2, 1), (3, 1))),
            norm(nn.Conv2d(width, width, 3, 1, 1))])
        self.out = norm(nn.Conv2d(width, 1, 3, 1, 1))

    def forward(self, samples):
        spectrum = torch.stft(samples, self.transform, self.transform // 4, window=self.window,
                              return_complex=True)
        x = (spectrum.abs() + 1e-3).log()[:, None] * 0.5
        seen = []
        for layer in self.layers:
            x = nn.functional.leaky_relu(layer(x), 0.1)
            seen.append(x)
        return self.out(x), seen


def judges():
    return nn.ModuleList(Judge(transform) for transform in RESOLUTIONS)


def loss_of_judge(real, made):
    """Hinge loss of scores."""
    return nn.functional.relu(1 - real).mean() + nn.functional.relu(1 + made).mean()


def likeness_loss(real_seen, made_seen):
    """How far what the layers saw of the made sound is from what they saw of the real one."""
    return sum((a.detach() - b).abs().mean() / a.detach().abs().mean().clamp(min=1e-3)
               for a, b in zip(real_seen, made_seen)) / len(real_seen)
