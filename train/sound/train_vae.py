#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the autoencoder between mel and latents, then writes the latents of all clips.

  python3 train/sound/train_vae.py --packs PACKS --work WORK [--minutes M]

Resumes from WORK/sound-vae.pt; ends with WORK/sound-latents.npz.
"""
import argparse
import os
import sys
import time

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from sound import data
from sound.vae import Vae

FRAMES = 128
BATCH = 16
DIVERGENCE = 1e-3


def write_latents(vae, mels, path):
    """Means of the posterior, and the floor that silence has."""
    lengths, latents = [], []
    with torch.no_grad():
        for mel in mels:
            mean, _ = vae.encode(torch.from_numpy(mel.astype("f4"))[None])
            latents.append(mean[0].T.numpy())
            lengths.append(len(latents[-1]))
        quiet, _ = vae.encode(torch.from_numpy(np.repeat(data.silence(), 200, 1))[None])
    every = np.concatenate(latents)
    np.savez(path, latents=every.astype("f4"), lengths=lengths, mean=every.mean(0), std=every.std(0),
             silence=quiet[0, :, 50].numpy())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packs", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--rate", type=float, default=1e-2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    mels, described = data.load(options.packs, options.work, options.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    vae = Vae(options.width)
    every = np.concatenate(mels[::4], 1).astype("f4")
    vae.data_mean.copy_(torch.from_numpy(every.mean(1)[None, :, None]))
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
    random = np.random.default_rng(options.seed + step)
    share = np.cumsum(data.chances(described))
    pad = data.silence()
    log = open(os.path.join(options.work, "sound-vae.log"), "a", buffering=1, encoding="utf-8")
    begin, total = time.time() - seconds, 0.0
    while True:
        spent = min(1.0, (time.time() - begin) / 60 / options.minutes)
        optimiser.param_groups[0]["lr"] = options.rate * 0.5 * (1 + np.cos(np.pi * spent)) * min(1, (step + 1) / 100)
        parts = []
        for i in np.minimum(np.searchsorted(share, random.random(BATCH)), len(mels) - 1):
            start = random.integers(max(mels[i].shape[1] - FRAMES, 0) + 1)
            part = mels[i][:, start:start + FRAMES].astype("f4")
            parts.append(np.concatenate([part, np.repeat(pad, FRAMES - part.shape[1], 1)], 1))
        mel = torch.from_numpy(np.stack(parts)).to(device)
        mean, log_variance = vae.encode(mel)
        made = vae.decode(mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean))
        error = (made - mel).abs().mean()
        divergence = 0.5 * (mean ** 2 + log_variance.exp() - 1 - log_variance).mean()
        optimiser.zero_grad(set_to_none=True)
        (error + DIVERGENCE * divergence).backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimiser.step()
        step += 1
        decay = min(0.995, step / (step + 20))
        for name, value in vae.state_dict().items():
            average[name].lerp_(value, 1 - decay)
        total += error.item()
        if step % 50 == 0:
            log.write("vae step %d mel_db %.3f divergence %.3f seconds %.0f\n"
                      % (step, total / 50 * 57.5, divergence.item(), time.time() - begin))
            total = 0.0
        if step % 200 == 0 or spent >= 1:
            torch.save({"model": average, "now": vae.state_dict(), "optimiser": optimiser.state_dict(),
                        "step": step, "width": options.width, "seconds": time.time() - begin}, path)
        if spent >= 1:
            break
    vae.load_state_dict(average)
    write_latents(vae.cpu().eval(), mels, os.path.join(options.work, "sound-latents.npz"))


if __name__ == "__main__":
    main()
