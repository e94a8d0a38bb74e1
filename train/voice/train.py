#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the default voice model from packs to bundle: encoder, speaker, decoder, export, and what conversions of the
engine (./waf build) lack of recordings.

  python3 train/voice/train.py --packs PACKS --work WORK [--minutes M] [--export models/voice.safetensors]

M minutes of processor time are shared among the three. Each part resumes from its checkpoint in WORK;
one that has had its minutes is done, so a larger M goes on with all three.
"""
import argparse
import os
import subprocess
import sys

PARTS = (("train_encoder.py", 0.15), ("train_speaker.py", 0.1), ("train_decoder.py", 0.75))


def main():
    parse = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parse.add_argument("--packs", required=True)
    parse.add_argument("--work", required=True)
    parse.add_argument("--minutes", type=float, default=600)
    parse.add_argument("--threads", type=int, default=1)
    parse.add_argument("--seed", type=int, default=1)
    parse.add_argument("--export", default="models/voice.safetensors")
    options = parse.parse_args()
    here = os.path.dirname(os.path.abspath(__file__))
    same = ["--packs", options.packs, "--work", options.work, "--seed", str(options.seed)]
    subprocess.run([sys.executable, os.path.join(here, "teach_speaker.py"), *same[:4]], check=True)
    for part, share in PARTS:
        subprocess.run([sys.executable, os.path.join(here, part), *same, "--threads",
                        str(options.threads), "--minutes", str(options.minutes * share)], check=True)
    subprocess.run([sys.executable, os.path.join(here, "export.py"), *same, "--export",
                    options.export], check=True)
    subprocess.run([sys.executable, os.path.join(here, "variance.py"), *same[:4], options.export], check=True)


main()
