#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures how much smoother conversions are than recordings, and puts it into a voice bundle (core/global_variance.h).

  python3 train/voice/variance.py --packs PACKS --work WORK [models/voice.safetensors]

Converts clips of readers and learners that were trained on to each other's voices with the engine, and divides the
deviations of their cepstra: of the targets' recordings by those of what was made. The last step of the recipe.
"""
import argparse
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from common import bundle, packs
from common.mel import Mel
from voice.cache import held_out
from voice.judge import read, write

SOURCES = ("LibriSpeech train-clean-100", "speechocean762")
COEFFICIENTS = 20
POWER = 1.5  # of the ratio: only what is slow is spread, but by more
NAME = "decoder.global_variance"
_bins = np.arange(80)
COSINES = np.where(np.arange(COEFFICIENTS) == 0, 1, 2)[:, None] ** 0.5 / 80 ** 0.5 * np.cos(
    np.pi / 80 * (_bins + 0.5) * np.arange(COEFFICIENTS)[:, None])


def clips(options, count, random):
    """-> [int16 samples of about ten seconds], each of another speaker"""
    people = {}
    for name in packs.SPEECH:
        samples, rows = packs.open_pack(options.packs, options.work, name)
        for row in rows:
            if row["source"] in SOURCES and row["speaker"] and not held_out(row):
                people.setdefault(row["speaker"], []).append(samples[row["offset"]:row["offset"] + row["samples"]])
    said = [np.concatenate(parts)[:160000] for _, parts in sorted(people.items())]
    said = [part for part in said if len(part) > 64000]
    return [said[i] for i in random.permutation(len(said))[:count]]


def deviations(analysis, samples):
    """[COEFFICIENTS] of the cepstra of the louder half of the frames"""
    sound = torch.from_numpy(samples.astype("f4") / 32768)
    with torch.no_grad():
        mel = analysis(sound[None] * (0.5 / (sound.abs().max() + 1e-3)))[0].T.numpy()
    level = mel.mean(1)
    return (mel[level > np.median(level)] @ COSINES.T).std(0)


def main():
    parse = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parse.add_argument("--packs", required=True)
    parse.add_argument("--work", required=True)
    parse.add_argument("--pairs", type=int, default=60)
    parse.add_argument("--meanwave", default="build/meanwave")
    parse.add_argument("--vocoder", default="models/vocoder.safetensors")
    parse.add_argument("bundle", nargs="?", default="models/voice.safetensors")
    options = parse.parse_args()
    torch.set_num_threads(1)
    tensors, metadata = bundle.load(options.bundle)
    tensors.pop(NAME, None)
    said = clips(options, options.pairs, np.random.default_rng(6))
    analysis, recorded, made = Mel(), [], []
    with tempfile.TemporaryDirectory() as folder:
        path = lambda name: os.path.join(folder, name)
        bundle.save(path("plain.safetensors"), tensors, metadata)
        for source, target in zip(said, said[1:] + said[:1]):
            write(path("source.wav"), source)
            write(path("target.wav"), target)
            subprocess.run([options.meanwave, "convert", "--model", path("plain.safetensors"), "--vocoder", options.vocoder,
                            "--voice", path("target.wav"), "--output", path("made.wav"), "--yes", "--quiet",
                            path("source.wav")], check=True)
            recorded.append(deviations(analysis, target))
            made.append(deviations(analysis, read(path("made.wav"))))
    ratio = np.mean(recorded, 0) / np.mean(made, 0)
    ratio[0] = 1  # how loud it is, which is the source's affair
    print("recordings spread more, by coefficients:", " ".join("%.2f" % value for value in ratio))
    tensors[NAME] = (ratio ** POWER).astype("<f2")
    bundle.save(options.bundle, tensors, metadata)


if __name__ == "__main__":
    main()
