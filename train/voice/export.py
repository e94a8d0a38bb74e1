#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the voice bundle from the trained parts, with preset voices.

  python3 train/voice/export.py --packs PACKS --work WORK [--from BUNDLE] [--export models/voice.safetensors]

A preset is a mix of three readers who speak about equally high, from low to high, and of many such
mixes those that lie farthest apart: the mean of their speaker vectors and pitches, and as prompt a
sentence of flite, converted once with recordings of all three as the prompt and once more with the
result as the prompt. So no recording is in the bundle, and no preset is anybody's voice.
"""
import argparse
import json
import os
import sys

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from common import bundle
from voice.cache import Features
from voice.convert import sample, to_mel_rate
from voice.encoder import filterbank
from common.pitch import track
from voice.renderings import render
from voice.train_decoder import load_averaged
from voice.train_speaker import by_speaker, crop

PRESETS = (("alder", "M"), ("birch", "F"), ("cedar", "M"), ("hazel", "F"), ("linden", "M"),
           ("maple", "F"), ("rowan", "M"), ("willow", "F"))
SENTENCE = "The quick brown fox jumps over the lazy dog, while five wizards boil a jug of red paint."
READERS = "LibriSpeech train-clean-100"
KEPT = 0.2


def mix(module, prefix, tensors):
    """A fifth of the weights that these were adopted from."""
    state = module.state_dict()
    for name, value in state.items():
        if value.is_floating_point():
            value.lerp_(torch.from_numpy(tensors[prefix + name].astype("f4")), KEPT)
    module.load_state_dict(state)


def mean_pitch(pitch):
    """[T, 2] -> log2 of Hz"""
    return float((pitch[:, 0] * pitch[:, 1]).sum() / pitch[:, 1].sum())


def mixes(features, speaker, gender, parts, random, tries=24):
    """-> [(speaker vector, log2 pitch, prompt mel of three readers)], one of each of `parts` of the
    range of pitch, each the farthest of its part's mixes from those before"""
    people = [(mean_pitch(features.pitch[row["frame"]:row["frame"] + row["frames"]]), row)
              for clips in by_speaker(features, False).values() for row in clips[:1]
              if row["source"] == READERS and row["gender"] == gender]
    people.sort(key=lambda person: person[0])
    people = people[len(people) // 20:-len(people) // 20]  # the ends are mistakes of the tracker
    made = []
    for part in range(parts):
        near = people[part * len(people) // parts:(part + 1) * len(people) // parts]
        best = None
        for _ in range(tries):
            three = [near[i] for i in random.choice(len(near), 3, replace=False)]
            mels = np.stack([crop(features, row, random, 400) for _, row in three])
            vector = speaker(torch.from_numpy(mels.transpose(0, 2, 1))).mean(0).numpy()
            like = max([vector @ v / np.linalg.norm(vector) / np.linalg.norm(v) for v, _, _ in made],
                       default=0.0)
            if best is None or like < best[0]:
                best = like, (vector, np.mean([pitch for pitch, _ in three]), mels.reshape(-1, 80))
        made.append(best[1])
    return made


def presets(features, encoder, speaker, decoder, seed):
    made = {}
    random = np.random.default_rng(seed)
    for gender, reader in (("M", "rms"), ("F", "slt")):
        names = [name for name, g in PRESETS if g == gender]
        samples = torch.from_numpy(render((reader, SENTENCE))[0].astype("f4") / 32768)[:48000]
        samples = samples * (0.5 / samples.abs().max())
        cond = to_mel_rate(encoder(filterbank(samples)[None]))
        cond = cond[:, :cond.shape[1] // decoder.chunk * decoder.chunk]
        told = np.stack(track(samples, cond.shape[1]), 1)
        for name, (vector, pitch, prompt) in zip(names, mixes(features, speaker, gender, len(names),
                                                              random)):
            moved = told + np.array([pitch - mean_pitch(told), 0], "f4")
            heard = cond + decoder.pitch_embed(torch.from_numpy(moved[None].astype("f4")))
            noise = torch.randn(1, cond.shape[1], 80)
            prompt = torch.from_numpy(prompt[None])
            for _ in range(2):
                prompt = sample(decoder, heard, torch.from_numpy(vector[None]), prompt, noise)
            made["voices.%s.embedding" % name] = vector.astype("<f2")
            made["voices.%s.pitch" % name] = np.array([pitch], "<f2")
            made["voices.%s.prompt" % name] = prompt[0].clamp(-1, 1).numpy().astype("<f2")
            print("%s: %.0f Hz" % (name, 2 ** pitch))
    return made


def main():
    parse = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parse.add_argument("--packs", required=True)
    parse.add_argument("--work", required=True)
    parse.add_argument("--from", dest="begin", metavar="BUNDLE",
                       help="the one adopted: a fifth of its weights stays, which keeps pitch and words better")
    parse.add_argument("--export", default="models/voice.safetensors")
    parse.add_argument("--seed", type=int, default=1)
    options = parse.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    decoder, encoder, speaker, steps = load_averaged(options.work)
    if options.begin:
        before, _ = bundle.load(options.begin)
        mix(speaker, "speaker.", before)
        mix(decoder, "decoder.", before)
    tensors = {}
    for module, prefix in ((encoder, "encoder."), (speaker, "speaker."), (decoder, "decoder.")):
        tensors.update({name: value for name, value in bundle.half(module, prefix).items()
                        if "num_batches_tracked" not in name})
    features = Features(options.packs, options.work)
    with torch.no_grad():
        tensors.update(presets(features, encoder, speaker, decoder, options.seed))
    config = dict(sample_rate_hz=16000, encoder=encoder.config, speaker=speaker.config,
                  decoder=decoder.config, steps=steps)
    bundle.save(options.export, tensors, {
        "format": "meanwave-bundle-1", "family": "meanvc", "name": "default voice",
        "licence": "CC-BY-4.0", "config": json.dumps(config)})


if __name__ == "__main__":
    main()
