# SPDX-License-Identifier: GPL-3.0-or-later
"""The mel domain both default models share: MeanVC's prompt mel, 80 bins in [-1, 1], 10 ms frames."""
import numpy as np
import torch

RATE_HZ = 16000
HOP = 160
BINS = 80


def slaney_to_hz(mel):
    return np.where(mel < 15, 200 * mel / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))


def slaney_basis(bins, transform, rate_hz):
    """[bins, transform / 2 + 1] triangles, 0 Hz to rate / 2, normalised to equal area."""
    top = 15 + 27 * np.log(rate_hz / 2 / 1000) / np.log(6.4)
    edges = slaney_to_hz(np.linspace(0, top, bins + 2))
    frequency = np.arange(transform // 2 + 1) * rate_hz / transform
    rise = (frequency - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - frequency) / (edges[2:] - edges[1:-1])[:, None]
    area = 2 / (edges[2:] - edges[:-2])
    return (np.maximum(0, np.minimum(rise, fall)) * area[:, None]).astype("f4")


class Mel(torch.nn.Module):
    """samples [batch, n] -> [batch, 80, 1 + n / 160] (MeanVC, prompt mel)."""

    def __init__(self):
        super().__init__()
        self.register_buffer("window", torch.hann_window(640))
        self.register_buffer("basis", torch.from_numpy(slaney_basis(BINS, 1024, RATE_HZ)))

    def forward(self, samples):
        spectrum = torch.stft(samples, 1024, HOP, 640, self.window, center=True,
                              pad_mode="reflect", return_complex=True)
        magnitude = torch.sqrt(spectrum.real ** 2 + spectrum.imag ** 2 + 1e-6)
        floor = 10 ** (-115 / 20)
        decibels = 20 * torch.log10((self.basis @ magnitude).clamp(min=floor)) - 20
        return (2 * (decibels + 115) / 115 - 1).clamp(-1, 1)
