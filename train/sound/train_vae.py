#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the sound model's autoencoder: L1 on the mel and a small divergence from the unit normal.

  python3 train/sound/train_vae.py --packs PACKS --work WORK [--seconds S]

Resumes from WORK/sound-vae.pt.
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
BATCH = 12


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packs", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--made", type=int, default=300, help="synthesised clips")
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--rate", type=float, default=5e-3)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    mels, _ = data.load(options.packs, options.work, options.made, options.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    vae = Vae(options.width)
    every = np.concatenate(mels[::4], 1).astype("f4")
    vae.data_mean.copy_(torch.from_numpy(every.mean(1)[None, :, None]))
    vae.data_std.copy_(torch.from_numpy(every.std(1)[None, :, None]))
    vae.to(device)
    optimiser = torch.optim.Adam(vae.parameters(), options.rate, betas=(0.9, 0.99))
    path, step = os.path.join(options.work, "sound-vae.pt"), 0
    if os.path.exists(path):
        saved = torch.load(path, map_location=device)
        vae.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        step = saved["step"]
    random = np.random.default_rng(options.seed + step)
    begin, mean_loss = time.time(), None
    while True:
        spent = (time.time() - begin) / options.seconds
        optimiser.param_groups[0]["lr"] = options.rate * max(0.05, 1 - spent)
        chosen = random.integers(len(mels), size=BATCH)
        mel = torch.from_numpy(np.stack([data.crop(mels[i], FRAMES, random) for i in chosen])).to(device)
        mean, log_variance = vae.encode(mel)
        made = vae.decode(mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean))
        error = (made - mel).abs().mean()
        divergence = 0.5 * (mean ** 2 + log_variance.exp() - 1 - log_variance).mean()
        optimiser.zero_grad()
        (error + 1e-3 * divergence).backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimiser.step()
        step += 1
        mean_loss = error.item() if mean_loss is None else 0.95 * mean_loss + 0.05 * error.item()
        if step % 20 == 0 or spent >= 1:
            line = f"vae {step} mel {mean_loss:.4f} divergence {divergence.item():.3f}"
            print(line, flush=True)
            with open(os.path.join(options.work, "sound.log"), "a", encoding="utf-8") as log:
                log.write(line + "\n")
            torch.save({"model": vae.state_dict(), "optimiser": optimiser.state_dict(), "step": step,
                        "width": options.width}, path)
        if spent >= 1:
            return


if __name__ == "__main__":
    main()
