#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes golden vectors of the exported sound bundle: prompt, noise -> mel, two seconds in one step.

  python3 train/sound/golden.py models/sound.safetensors tests/data/golden/default_sound
"""
import json
import os
import sys

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from common import bundle
from sound.text import Vocabulary
from sound.train import TEXT, Model, import_bundle

PROMPT = "A distant siren, slow and low"
SEED = 42
LATENTS = 100


def read(path):
    """-> (Model, Vocabulary) of an exported bundle."""
    tensors, metadata = bundle.load(path)
    model = Model(json.loads(metadata["config"])["vae_width"])
    import_bundle(model, path)
    return model.eval(), Vocabulary(bytes(tensors["text.words"]).decode().split("\n"),
                                    tensors["text.vectors"], tensors["text.scales"])


def generate(model, vocabulary, prompt, noise, steps=1):
    ids = vocabulary.ids(prompt, TEXT["rows"])
    with torch.no_grad():
        text_f, text_f_c = model.text([ids], vocabulary.table())
        x = noise
        for i in range(steps):
            t, r = (torch.full((len(noise),), 1 - j / steps) for j in (i, i + 1))
            x = x - model.transformer(x, text_f, text_f_c, r, t) / steps
        z = x * model.transformer.latent_std + model.transformer.latent_mean
        mel = model.vae.decode(z.transpose(1, 2)).clamp(-1, 1)
    return ids, text_f, text_f_c, x, mel


def main():
    model, vocabulary = read(sys.argv[1])
    noise = torch.randn(1, LATENTS, 20, generator=torch.Generator().manual_seed(SEED))
    ids, text_f, text_f_c, latent, mel = generate(model, vocabulary, PROMPT, noise)
    os.makedirs(sys.argv[2], exist_ok=True)
    arrays = {"ids": np.array(ids, "<i4"), "noise": noise[0].numpy(), "text_f": text_f[0].numpy(),
              "text_f_c": text_f_c[0].numpy(), "latent": latent[0].numpy(), "mel": mel[0].numpy()}
    for name, array in arrays.items():
        np.save(os.path.join(sys.argv[2], name + ".npy"), np.ascontiguousarray(array))
    config = {"case": "default_sound", "prompt": PROMPT, "seed": SEED, "steps": 1,
              "note": "latent: normalised, after one step; mel: clamped to [-1, 1], [80, frames]",
              "arrays": {name: {"shape": list(array.shape), "dtype": str(array.dtype)}
                         for name, array in arrays.items()}}
    with open(os.path.join(sys.argv[2], "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
