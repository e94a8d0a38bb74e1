#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes golden values of the default sound path with tiny random weights: prompt -> text features -> latent -> mel
-> samples.

  python3 train/sound/golden.py tests/data/golden/sound

DIR gets sound.safetensors and vocoder.safetensors (the layout of the default bundles) and a folder a case. Weights
are rounded to f16 first, so that whoever loads the files computes with the same numbers.
"""
import json
import os
import sys

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from common import bundle
from common.vocos import Vocos
from sound.text import Vocabulary
from sound.model import Model, export

SIZES = {"width": 24, "heads": 2, "joint": 1, "fused": 1, "inner": 32}
TEXT = {"width": 24, "heads": 3, "layers": 2, "rows": 8}
WIDTHS, CHANNELS = (4, 8, 16), 20
WORDS = "a dog barking distant thunder with wind slow bright piano arpeggio in c minor 808 kick".split()
# the words of each prompt: known, unknown, none, more than fit, capitals and bytes above ASCII
CASES = {"plain": ("a dog barking", 1, 21), "unknown": ("Distant THUNDER, with\tcaf\u00e9 wind!", 1, 24),
         "empty": ("", 1, 16), "long": ("slow bright piano arpeggio in C minor, 808 kick with a dog barking", 2, 23)}
SEED = 42


def randomise(module, generator, scale):
    """Every parameter from a normal distribution, the gains near one, rounded to f16."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            value = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim > 1:
                value *= scale / parameter[0].numel() ** 0.5
            else:
                value = value * 0.1 + (1.0 if "norm" in name and name.endswith("weight") else 0.0)
            parameter.copy_(value.half().float())


def tiny(generator):
    """-> (Model, Vocabulary, Vocos)"""
    model = Model(WIDTHS, CHANNELS, SIZES, TEXT).eval()
    randomise(model.transformer, generator, 1.0)
    randomise(model.text, generator, 1.0)
    randomise(model.vae, generator, 1.0)
    for name, mean, spread in (("latent_mean", 0.0, 0.3), ("latent_std", 1.0, 0.1)):
        buffer = getattr(model.transformer, name)
        buffer.copy_((mean + spread * torch.randn(buffer.shape, generator=generator)).half().float())
    model.vae.data_mean.copy_((0.2 * torch.randn(model.vae.data_mean.shape, generator=generator) - 0.2).half().float())
    model.vae.data_std.fill_(0.25)
    vectors = torch.randint(-127, 128, (len(WORDS), 100), generator=generator).numpy().astype("i1")
    scales = (torch.rand(len(WORDS), generator=generator) * 0.01 + 0.002).numpy().astype("f4")
    vocabulary = Vocabulary(WORDS, vectors, scales)
    with torch.no_grad():
        text_f, text_f_c = model.text([[]], vocabulary.table())
        model.transformer.empty_string_feat.copy_(text_f[0].half().float())
        model.transformer.empty_string_feat_c.copy_(text_f_c[0].half().float())
    vocoder = Vocos(dim=24, intermediate=40, layers=2).eval()
    randomise(vocoder, generator, 0.5)
    vocoder.head.istft.window.copy_(vocoder.head.istft.window.half().float())
    return model, vocabulary, vocoder


@torch.no_grad()
def generate(model, table, ids, noise, steps=1):
    """noise [B, N, channels] -> (text_f, text_f_c, latent after the steps, mel [B, 80, 2 N])"""
    text_f, text_f_c = model.text(ids, table)
    x = noise
    for i in range(steps):
        t, r = (torch.full((len(noise),), 1 - j / steps) for j in (i, i + 1))
        x = x - model.transformer(x, text_f, text_f_c, r, t) / steps
    z = x * model.transformer.latent_std + model.transformer.latent_mean
    return text_f, text_f_c, x, model.vae.decode(z.transpose(1, 2)).clamp(-1, 1)


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    model, vocabulary, vocoder = tiny(torch.Generator().manual_seed(7))
    export(model, vocabulary, os.path.join(folder, "sound.safetensors"))
    bundle.save(os.path.join(folder, "vocoder.safetensors"), bundle.half(vocoder, "vocoder."), {
        "format": "meanwave-bundle-1", "family": "vocos", "name": "tiny random vocoder",
        "config": json.dumps(dict(vocoder.config, sample_rate_hz=16000))})
    for case, (prompt, steps, count) in CASES.items():
        ids = vocabulary.ids(prompt, TEXT["rows"])
        noise = torch.randn(1, count, CHANNELS, generator=torch.Generator().manual_seed(SEED))
        text_f, text_f_c, latent, mel = generate(model, vocabulary.table(), [ids], noise, steps)
        with torch.no_grad():
            samples = vocoder((mel + 1) / 2)
        arrays = {"ids": np.array(ids, "<i4"), "noise": noise[0], "text_f": text_f[0], "text_f_c": text_f_c[0],
                  "latent": latent[0], "mel": mel[0], "samples": samples[0]}
        os.makedirs(os.path.join(folder, case), exist_ok=True)
        for name, array in arrays.items():
            np.save(os.path.join(folder, case, name + ".npy"), np.ascontiguousarray(array))
        with open(os.path.join(folder, case, "config.json"), "w", encoding="utf-8") as file:
            json.dump({"prompt": prompt, "seed": SEED, "steps": steps,
                       "note": "latent: normalised, after the steps; mel: [80, 2 N], clamped to [-1, 1]; "
                               "samples: 160 (2 N - 1)"}, file, indent=1)
            file.write("\n")
        print(case, len(ids), "words, latent", float(latent.std()), "mel", float(mel.std()),
              "samples", float(samples.abs().max()))


if __name__ == "__main__":
    main()
