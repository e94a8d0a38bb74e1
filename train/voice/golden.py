#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the golden case of an encoder whose 2-D convolutions are narrower than the rest, which no
published file has: random weights, whole utterance at once; the engine has to get there in chunks.

  python3 train/voice/golden.py tests/data/golden/meanvc/asr_narrow
"""
import json
import os
import sys

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from common import bundle
from voice.encoder import Encoder


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    torch.manual_seed(5)
    net = Encoder(dim=32, heads=4, inner=48, layers=2, kernel=5, chunk=2, channels=12).eval()
    for value in net.parameters():
        torch.nn.init.uniform_(value, -0.3, 0.3)
    fbank = 8 + 3 * torch.randn(131, 80)
    with torch.no_grad():
        features = net(fbank[None])[0]
    bundle.save(os.path.join(folder, "encoder.safetensors"),
                {"encoder." + name: value.numpy() for name, value in net.state_dict().items()}, {})
    np.save(os.path.join(folder, "fbank.npy"), fbank.numpy())
    np.save(os.path.join(folder, "bnf.npy"), features.numpy())
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump({"case": "asr_narrow", "config": net.config}, file, indent=1)


main()
