#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the voice bundle from the trained parts, with preset voices.

  python3 train/voice/export.py --packs PACKS --work WORK [--export models/voice.safetensors]

A preset is a mix of six speakers' vectors; its prompt is a sentence of flite converted by the model
itself, twice, so that no reader's recording is in the bundle.
"""
import argparse
import json
import os
import sys

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from common import bundle
from common.mel import Mel
from voice.convert import sample, to_mel_rate
from voice.decoder import Decoder
from voice.encoder import filterbank
from voice.renderings import render
from voice.train_decoder import load_encoder, load_speaker
from voice.train_speaker import by_speaker, crop

PRESETS = (("alder", "M"), ("birch", "F"), ("cedar", "M"), ("hazel", "F"), ("linden", "M"),
           ("maple", "F"), ("rowan", "M"), ("willow", "F"))
SENTENCE = "The quick brown fox jumps over the lazy dog, while five wizards boil a jug of red paint."


def presets(options, encoder, speaker, decoder):
    random = np.random.default_rng(options.seed)
    mel = Mel()
    people = by_speaker(options.packs, options.work, False)
    made = {}
    for name, gender in PRESETS:
        names = sorted(n for n, clips in people.items()
                       if clips[0][1]["gender"] == gender and clips[0][1]["lang"] == "en")
        chosen = random.choice(names, 6, replace=False)
        share = random.dirichlet(np.full(6, 4.0))
        vectors = []
        for person in chosen:
            clips = people[person]
            parts = [crop(clips[i % len(clips)], random, 64000) for i in range(4)]
            vectors.append(speaker(mel(torch.from_numpy(np.stack(parts)))).mean(0))
        vector = sum(float(w) * v for w, v in zip(share, vectors))
        samples = torch.from_numpy(render(("rms" if gender == "M" else "slt", SENTENCE))[0]
                                   .astype("f4") / 32768)[:64000]
        cond = to_mel_rate(encoder(filterbank(samples)[None]))
        cond = cond[:, :cond.shape[1] // decoder.chunk * decoder.chunk]
        prompt = mel(samples[None]).transpose(1, 2)
        noise = torch.randn(1, cond.shape[1], 80)
        for _ in range(2):
            prompt = sample(decoder, cond, vector[None], prompt, noise, (1.0, 0.8, 0.0))
        made["voices.%s.embedding" % name] = vector.numpy().astype("<f2")
        made["voices.%s.prompt" % name] = prompt[0].numpy().astype("<f2")
    return made


def main():
    parse = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parse.add_argument("--packs", required=True)
    parse.add_argument("--work", required=True)
    parse.add_argument("--export", default="models/voice.safetensors")
    parse.add_argument("--seed", type=int, default=1)
    options = parse.parse_args()
    torch.manual_seed(options.seed)
    encoder, speaker = load_encoder(options.work, "cpu"), load_speaker(options.work, "cpu")
    decoder = Decoder(bn=encoder.dim)
    state = torch.load(os.path.join(options.work, "decoder.pt"), map_location="cpu")
    decoder.load_state_dict(state["net"])
    encoder.load_state_dict(state["encoder"])
    tensors = {}
    for module, prefix in ((encoder, "encoder."), (speaker, "speaker."), (decoder, "decoder.")):
        tensors.update({name: value for name, value in bundle.half(module, prefix).items()
                        if "num_batches_tracked" not in name})
    with torch.no_grad():
        tensors.update(presets(options, encoder, speaker, decoder))
    config = dict(sample_rate_hz=16000, encoder=encoder.config, speaker=speaker.config,
                  decoder=decoder.config)
    bundle.save(options.export, tensors, {
        "format": "meanwave-bundle-1", "family": "meanvc", "name": "default voice",
        "licence": "CC-BY-4.0", "config": json.dumps(config)})


if __name__ == "__main__":
    main()
