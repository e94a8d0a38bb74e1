#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges a vocoder: how far the mel of its output is from the mel it was given, in dB, on clips never
trained on and on a sentence rendered by flite.

  python3 train/vocoder/judge.py --packs PACKS --work WORK models/vocoder.safetensors...
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
from common.vocos import Vocos

CLIPS = 12
DECIBELS = 57.5  # half the range of 115 dB that -1..1 spans


def open_vocoder(path):
    tensors, _ = bundle.load(path)
    net = Vocos()
    net.load_state_dict({name[len("vocoder."):]: torch.from_numpy(value.astype("f4"))
                         for name, value in tensors.items()})
    return net


def rendering():
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        subprocess.run(["flite", "-voice", "slt", "-o", file.name, "-t",
                        "The quick brown fox jumps over the lazy dog."], check=True)
        return np.frombuffer(open(file.name, "rb").read()[44:], "<i2") / 32768


@torch.no_grad()
def distance(net, mel, clip):
    given = mel(torch.from_numpy(clip.astype("f4"))[None])
    made = mel(net((given + 1) / 2))
    frames = min(given.shape[2], made.shape[2])
    return float((given[..., :frames] - made[..., :frames]).abs().mean() * DECIBELS)


def main():
    parse = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parse.add_argument("--packs", required=True)
    parse.add_argument("--work", required=True)
    parse.add_argument("vocoders", nargs="+")
    options = parse.parse_args()
    clips = {"flite": [rendering()]}
    for name in packs.SPEECH + ("sounds",):
        samples, rows = packs.open_pack(options.packs, options.work, name)
        unseen = [row for row in rows if packs.held_out(row) and row["samples"] > 16000]
        clips[name] = [samples[row["offset"]:row["offset"] + min(row["samples"], 48000)] / 32768
                       for row in unseen[::max(1, len(unseen) // CLIPS)][:CLIPS]]
    mel = Mel()
    for path in options.vocoders:
        net = open_vocoder(path)
        figures = ["%s %.2f" % (name, np.mean([distance(net, mel, clip) for clip in some]))
                   for name, some in clips.items()]
        print(path, " ".join(figures), "dB")


main()
