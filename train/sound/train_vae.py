#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixes what the latents are, writes those of all clips, then trains the autoencoder between mel and latents.

  python3 train/sound/train_vae.py --packs PACKS --work WORK [--minutes M] [--latents-only] [--bundle FILE]

A latent is the mel of two frames, their mean, in its first 31 principal components: the best of all linear codes,
there at once and with no noise in it. MeanAudio's decoder then learns the way back to mel, its encoder the way there.
The autoencoder keeps no magnitudes (every layer divides by the norm). So the first of the 32 channels is a constant
that the others can be told from; and the mel is normalised to lie above zero in the even bins, below in the odd ones,
so that what is louder is not only longer but points elsewhere.

Writes WORK/sound-latents.npz; resumes from WORK/sound-vae.pt. With --bundle it begins with the weights of a bundle's
autoencoder and puts the trained ones into it: the latents stay, and so does what generates them.
"""
import argparse
import os
import sys
import time

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from common import bundle
from sound import data
from sound.vae import Vae

FRAMES = 128
BATCH = 16
CHANNELS = 32
CONSTANT = 4.0     # of the first channel
JITTER = 0.15      # noise on the latents that the decoder learns from, in their own units
LOG_VARIANCE = -6.0
WIDTHS = (64, 96, 128)
OFFSET = 2.0       # of the normalised mel, in deviations


def pairs(mel):
    """[80, 2 N] -> [N, 80]"""
    return mel.astype("f4").reshape(80, -1, 2).mean(2).T


class Code:
    """mel <-> latents: components scaled by the root of their deviation, so that the strong ones still weigh more."""

    def __init__(self, middle, basis):
        self.middle, self.basis = middle, basis

    @classmethod
    def fit(cls, mels, described, random):
        share = np.cumsum(data.chances(described))
        some = [pairs(mels[i]) for i in np.minimum(np.searchsorted(share, random.random(4000)), len(mels) - 1)]
        every = np.concatenate([rows[random.integers(len(rows), size=10)] for rows in some])
        middle = every.mean(0)
        values, vectors = np.linalg.eigh(np.cov((every - middle).T))
        best = np.argsort(-values)[:CHANNELS - 1]
        deviation = np.sqrt(values[best])
        return cls(middle, (vectors[:, best] / np.sqrt(deviation * deviation.mean())).astype("f4"))

    @classmethod
    def of_bundle(cls, tensors):
        return cls(tensors["code.middle"], tensors["code.basis"])

    def tensors(self):
        """What a bundle keeps of it, for those who train further: players have no use for it."""
        return {"code.middle": self.middle.astype("<f4"), "code.basis": self.basis.astype("<f4")}

    def latents(self, mel):
        """[80, 2 N] -> [N, 32]"""
        rows = (pairs(mel) - self.middle) @ self.basis
        return np.concatenate([np.full((len(rows), 1), CONSTANT, "f4"), rows], 1).astype("f4")


def write_latents(code, mels, path):
    latents = [code.latents(mel) for mel in mels]
    every = np.concatenate(latents)
    std = np.full(CHANNELS, every[:, 1:].std(), "f4")  # one for all: code.basis has set their weights
    std[0] = 0.1
    quiet = code.latents(np.repeat(data.silence(), 2, 1))[0]
    np.savez(path, latents=every, lengths=[len(rows) for rows in latents], mean=every.mean(0), std=std, silence=quiet,
             middle=code.middle, basis=code.basis)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--packs", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--latents-only", action="store_true")
    parser.add_argument("--rate", type=float, default=1e-2)
    parser.add_argument("--bundle", help="a sound bundle whose autoencoder is trained further")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    mels, described = data.load(options.packs, options.work, options.seed)
    if options.bundle:
        tensors, metadata = bundle.load(options.bundle)
        code = Code.of_bundle(tensors)
    else:
        code = Code.fit(mels, described, np.random.default_rng(options.seed))
    latents = os.path.join(options.work, "sound-latents.npz")
    if not os.path.exists(latents):
        write_latents(code, mels, latents)
    if options.latents_only:
        return
    device = "cuda" if torch.cuda.is_available() else "cpu"
    vae = Vae(WIDTHS, CHANNELS)
    if options.bundle:
        vae.load_state_dict({name[4:]: torch.from_numpy(value.astype("f4")) for name, value in tensors.items()
                             if name.startswith("vae.")})
    every = np.concatenate(mels[::4], 1).astype("f4")
    offset = OFFSET * every.std(1) * np.where(np.arange(80) % 2 == 0, 1, -1)
    vae.data_mean.copy_(torch.from_numpy((every.mean(1) - offset)[None, :, None]))
    vae.data_std.copy_(torch.from_numpy(every.std(1)[None, :, None]))
    vae.to(device)
    optimiser = torch.optim.Adam(vae.parameters(), options.rate, betas=(0.9, 0.99))
    average = {name: value.clone() for name, value in vae.state_dict().items()}
    path, step, seconds = os.path.join(options.work, "sound-vae.pt"), 0, 0.0
    if os.path.exists(path):
        saved = torch.load(path, map_location=device)
        vae.load_state_dict(saved["now"])
        optimiser.load_state_dict(saved["optimiser"])
        average, step, seconds = saved["model"], saved["step"], saved["seconds"]
    random = np.random.default_rng(options.seed + 1 + step)
    share = np.cumsum(data.chances(described))
    pad = data.silence()
    log = open(os.path.join(options.work, "sound-vae.log"), "a", buffering=1, encoding="utf-8")
    begin, sums = time.time() - seconds, np.zeros(2)
    while True:
        spent = min(1.0, (time.time() - begin) / 60 / options.minutes)
        optimiser.param_groups[0]["lr"] = float(options.rate * 0.5 * (1 + np.cos(np.pi * spent)) * min(1, (step + 1) / 100))
        parts = []
        for i in np.minimum(np.searchsorted(share, random.random(BATCH)), len(mels) - 1):
            start = random.integers(max(mels[i].shape[1] - FRAMES, 0) + 1)
            part = mels[i][:, start:start + FRAMES].astype("f4")
            parts.append(np.concatenate([part, np.repeat(pad, FRAMES - part.shape[1], 1)], 1))
        mel = torch.from_numpy(np.stack(parts)).to(device)
        z = torch.from_numpy(np.stack([code.latents(part).T for part in parts])).to(device)
        made = vae.decode(z + JITTER * torch.rand(BATCH, 1, 1, device=device) * torch.randn_like(z))
        error = (made - mel).abs().mean()
        loss = error
        if step % 2 == 0:
            mean, log_variance = vae.encode(mel)
            away = (mean - z).abs().mean()
            loss = loss + 0.2 * away + 1e-3 * (log_variance - LOG_VARIANCE).abs().mean()
            sums[1] += 2 * away.item()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimiser.step()
        step += 1
        decay = min(0.995, step / (step + 20))
        for name, value in vae.state_dict().items():
            average[name].lerp_(value, 1 - decay)
        sums[0] += error.item()
        if step % 50 == 0:
            log.write("vae step %d mel_db %.3f encoder %.3f seconds %.0f\n"
                      % (step, sums[0] / 50 * 57.5, sums[1] / 50, time.time() - begin))
            sums[:] = 0
        if step % 200 == 0 or spent >= 1:
            torch.save({"model": average, "now": vae.state_dict(), "optimiser": optimiser.state_dict(),
                        "step": step, "widths": WIDTHS, "seconds": time.time() - begin}, path)
        if spent >= 1:
            break
    if options.bundle:
        vae.load_state_dict(average)
        bundle.save(options.bundle, {**tensors, **bundle.half(vae, "vae.")}, metadata)


if __name__ == "__main__":
    main()
