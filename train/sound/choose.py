#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chooses the seeds of the sound presets: the one whose sound the judge's ear is surest of.

  python3 train/sound/choose.py --packs PACKS --work WORK [--seeds 8] [--write] presets/sound/*.preset

Renders each preset as the program does it. Says for each the best seed, how likely its own concept is there, and what is
heard first of all concepts; with --write puts the seed into the file.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from sound import classifier

CONCEPTS = {  # of presets that are not named by one
    "baby": "crying_baby", "banjo": "plucked folk", "bass-acoustic": "bass", "beep-high": "beep", "beep-low": "beep",
    "beeps-fast": "beep", "campfire": "crackling_fire", "choir": "ensemble", "clarinet": "reed",
    "click": "beep; footstep", "clock": "clock_tick", "clock-fast": "clock_tick", "confirmation": "beep; bell; mallets",
    "crash-cymbal": "cymbal", "dog": "dog_bark", "dog-angry": "dog_bark", "dog-distant": "dog_bark",
    "door-slam": "door", "downpour": "rain", "drum-groove": "drum beat", "drums-fast": "drum beat",
    "drums-slow": "drum beat", "fire": "crackling_fire", "flute": "pipe", "guitar-acoustic": "guitar",
    "guitar-distorted": "guitar", "hi-hat": "cymbal", "kick-808": "kick", "kick-deep": "kick", "piano-grand": "piano",
    "puppy": "dog_bark", "saxophone": "reed", "sea": "sea_waves", "sneeze": "sneezing", "square-lead": "lead",
    "step": "footstep", "strings": "strings; ensemble", "surf": "sea_waves", "synth-bass": "bass",
    "toddler": "crying_baby", "trombone": "brass", "violin": "strings", "waterfall": "rain; sea_waves; static",
    "waves-gentle": "sea_waves"}


def render(options, preset, seed, folder):
    """-> samples"""
    path = os.path.join(folder, "sound.wav")
    subprocess.run([options.meanwave, "generate", "--yes", "--quiet", "--model", options.model, "--vocoder", options.vocoder,
                    "--seed", str(seed), "--preset", preset, "--output", path], check=True)
    raw = subprocess.run(["sox", "-V1", path, "-t", "f32", "-"], check=True, stdout=subprocess.PIPE).stdout
    return np.frombuffer(raw, "<f4")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--packs", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--meanwave", default="build/meanwave")
    parser.add_argument("--model", default="models/sound.safetensors")
    parser.add_argument("--vocoder", default="models/vocoder.safetensors")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("presets", nargs="+")
    options = parser.parse_args()
    torch.set_num_threads(1)
    ear = classifier.train(options.packs, options.work)
    first = 0
    with tempfile.TemporaryDirectory() as folder:
        for path in options.presets:
            name = os.path.basename(path)[:-len(".preset")]
            own = [classifier.CONCEPTS.index(one) for one in CONCEPTS.get(name, name).split("; ")]
            found = []
            for seed in range(options.seeds):
                said = classifier.scores(ear, render(options, path, seed, folder))
                found.append((float(torch.logsumexp(said[own], 0)), seed, int(said.argmax())))
            sure, seed, heard = max(found)
            first += heard in own
            print("%s: seed %d, log likelihood %.2f, heard as %s; %d of %d seeds right" % (
                name, seed, sure, classifier.CONCEPTS[heard], sum(h in own for _, _, h in found), options.seeds), flush=True)
            if options.write:
                with open(path, encoding="utf-8") as file:
                    text = file.read()
                with open(path, "w", encoding="utf-8") as file:
                    file.write(re.sub(r"(?m)^seed = \d+$", "seed = %d" % seed, text))
    print("%d of %d are heard first as what they say" % (first, len(options.presets)))


if __name__ == "__main__":
    main()
