# SPDX-License-Identifier: GPL-3.0-or-later
"""From content features to mel frames, chunk by chunk, as the engine does it."""
import torch


def to_mel_rate(features):
    """[B, t, d] -> [B, 4 t, d]: feature k lands on row 4 k + 3, straight lines between."""
    previous = torch.cat([features[:, :1], features[:, :-1]], 1)
    steps = torch.arange(1, 5, device=features.device)[:, None] / 4
    rows = previous[:, :, None] * (1 - steps) + features[:, :, None] * steps
    return rows.flatten(1, 2)


@torch.no_grad()
def sample(decoder, cond, spk, prompt, noise, times=(1.0, 0.0)):
    """cond [B, T, bn], spk [B, s], prompt [B, P, 80], noise [B, T, 80] -> mel [B, T, 80]."""
    chunk = decoder.chunk
    timbre = decoder.timbre_encoder(cond, prompt, spk)
    made = torch.zeros_like(noise)
    for begin in range(0, cond.shape[1] - chunk + 1, chunk):
        first, end = max(0, begin - 5 * chunk), begin + chunk
        x = noise[:, begin:end]
        for t, r in zip(times[:-1], times[1:]):
            padded = torch.cat([made[:, first:begin], x], 1)
            ones = torch.ones(len(x), device=x.device)
            u = decoder(padded, made[:, first:end], timbre[:, first:end], spk, t * ones, r * ones)
            x = x - (t - r) * u[:, -chunk:]
        made[:, begin:end] = x
    return made
