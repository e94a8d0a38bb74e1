#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fills an empty WORK with the weights of a bundle, for its decoder and speaker encoder to be trained further.

  python3 train/voice/adopt.py --packs PACKS --work WORK [models/voice.safetensors]
  python3 train/voice/train_decoder.py --packs PACKS --work WORK --minutes M

The phones that the content encoder was held to are not in a bundle: it stands still from here on.
"""
import argparse
import os
import subprocess
import sys

import numpy as np
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from common import bundle
from voice import variance
from voice.decoder import Decoder
from voice.encoder import Encoder
from voice.speaker import Speaker
from voice.train_decoder import SIZES
from voice.train_encoder import SMALL


def main():
    parse = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parse.add_argument("--packs", required=True)
    parse.add_argument("--work", required=True)
    parse.add_argument("bundle", nargs="?", default="models/voice.safetensors")
    options = parse.parse_args()
    subprocess.run([sys.executable, os.path.join(HERE, "teach_speaker.py"), "--packs", options.packs,
                    "--work", options.work], check=True)
    tensors, _ = bundle.load(options.bundle)
    encoder, head, speaker = Encoder(**SMALL), torch.nn.Linear(SMALL["dim"], 1), Speaker()
    decoder = Decoder(**SIZES, spk=speaker.config["out"])
    for module, prefix in ((encoder, "encoder."), (speaker, "speaker."), (decoder, "decoder.")):
        found = {name[len(prefix):]: torch.from_numpy(value.astype("f4"))
                 for name, value in tensors.items() if name.startswith(prefix) and name != variance.NAME}
        found.update({name: value for name, value in module.state_dict().items() if "num_batches" in name})
        module.load_state_dict(found)
    save = lambda name, state: torch.save(state, os.path.join(options.work, name))
    save("encoder.pt", {"net": torch.nn.ModuleList([encoder, head]).state_dict(), "symbols": [""]})
    save("speaker.pt", {"net": speaker.state_dict()})
    weights = torch.nn.ModuleList([decoder, encoder, head, speaker]).state_dict()
    save("decoder.pt", {"all": weights, "average": weights, "step": 0, "spent": 0.0})
    np.savez(os.path.join(options.work, "paths.npz"), frame=[], begin=[0], path=[])


main()
