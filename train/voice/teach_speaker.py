#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pretrained speaker encoder hears in every clip, for ours to learn from.

  python3 train/voice/teach_speaker.py --packs PACKS --work WORK

Wants the package resemblyzer of PyPI (Apache-2.0), which carries its weights; nothing of it is shipped.
Writes WORK/taught.npy: a vector of 256 for each row of the features, the mean over 1.6 s parts.
"""
import argparse
import os
import sys

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from voice.cache import Features
from voice.teacher import analysis

PART, STEP, PARTS = 160, 100, 5  # its frames of 10 ms


def main():
    parse = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parse.add_argument("--packs", required=True)
    parse.add_argument("--work", required=True)
    parse.add_argument("--threads", type=int, default=1)
    options = parse.parse_args()
    saved = os.path.join(options.work, "taught.npy")
    if os.path.exists(saved):
        return
    from resemblyzer import VoiceEncoder
    torch.set_num_threads(options.threads)
    teacher = VoiceEncoder("cpu", verbose=False)
    rows = Features(options.packs, options.work).rows
    analyse = analysis(options.packs, options.work)
    taught = np.zeros((len(rows), 256), "f4")
    for vector, row in zip(taught, rows):
        mel = analyse(row, 96000)
        mel = np.resize(mel, (max(len(mel), PART), 40))
        parts = [mel[i:i + PART] for i in range(0, len(mel) - PART + 1, STEP)][:PARTS]
        with torch.no_grad():
            heard = teacher(torch.from_numpy(np.stack(parts))).mean(0)
        vector[:] = heard / heard.norm()
    np.save(saved, taught)


main()
