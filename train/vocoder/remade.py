#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recordings as the models remake their mels: what the vocoder is given in use.

  python3 train/vocoder/remade.py --packs PACKS --work WORK --voice VOICE_WORK --sound models/sound.safetensors

Parts of speech go through content encoder and decoder in the speaker's own voice and pitch, chunk by chunk; parts of
sounds, of own synthesis and of rendered instruments into the sound model's latents and back by its decoder. Writes
WORK/remade.npz: mels [n, 128, 80] float16, paths and starts [n] (the clips they are of, the first frame), peaks [n] (of
the clip as it was heard).
"""
import argparse
import os
import sys

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from common import packs
from common.mel import HOP, Mel
from sound.model import read_bundle
from sound.train_vae import JITTER, Code
from vocoder.clips import made_sounds
from voice.cache import Features
from voice.convert import sample, to_mel_rate
from voice.train_decoder import FRAMES, Pairs, load_averaged

BATCH = 32
PEAK_OF_SPEECH, PEAK_OF_SOUNDS = 0.5, 0.8  # what the two models learn from


@torch.no_grad()
def speech(options):
    """-> mels [n, 128, 80], paths and first frames of the clips they are of, peaks"""
    decoder, encoder, speaker, _ = load_averaged(options.voice)
    pairs = Pairs(Features(options.packs, options.voice), options.voice, False, options.seed)
    mels, places = [], []
    for _ in range(options.speech // BATCH):
        some = pairs.places(BATCH)
        fbank, _, pitch, voice, _, _ = pairs.at(some)
        cond = to_mel_rate(encoder(fbank)[:, :FRAMES // 4]) + decoder.pitch_embed(pitch)
        noise = torch.randn(BATCH, FRAMES, 80)
        mels.append(sample(decoder, cond, speaker(voice.transpose(1, 2)), voice, noise))
        places += some
    return (torch.cat(mels), [row["path"] for row, _ in places], [start for _, start in places],
            [PEAK_OF_SPEECH] * len(places))


@torch.no_grad()
def sounds(options, samples, rows, count, peak=None):
    """-> mels [count, 128, 80], paths and first frames of the clips they are of, peaks; `peak`: None as they are"""
    model, tensors = read_bundle(options.sound)
    code = Code.of_bundle(tensors)
    random, analysis = np.random.default_rng(options.seed), Mel()
    share = np.cumsum([row["samples"] for row in rows], dtype="f8")
    mels, paths, starts, peaks = [], [], [], []
    for _ in range(count // BATCH):
        parts = []
        for at in random.random(BATCH):
            row = rows[np.searchsorted(share, at * share[-1])]
            clip = samples[row["offset"]:row["offset"] + row["samples"]].astype("f4") / 32768
            start = int(random.integers(1 + max(0, len(clip) // HOP - FRAMES)))
            own = np.abs(clip).max() + 1e-3
            clip = np.pad(clip * ((peak or own) / own), (0, FRAMES * HOP))
            parts.append(analysis(torch.from_numpy(clip[None]))[0, :, start:start + FRAMES])
            paths.append(row["path"])
            starts.append(start)
            peaks.append(peak or own)
        z = torch.from_numpy(np.stack([code.latents(part.numpy()).T for part in parts]))
        z += JITTER * torch.rand(BATCH, 1, 1) * torch.randn_like(z)
        mels.append(model.vae.decode(z).transpose(1, 2))
    return torch.cat(mels), paths, starts, peaks


def main():
    parse = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parse.add_argument("--packs", required=True)
    parse.add_argument("--work", required=True)
    parse.add_argument("--voice", required=True, help="the voice model's WORK")
    parse.add_argument("--sound", required=True, help="the sound model")
    parse.add_argument("--speech", type=int, default=3200, help="parts of speech")
    parse.add_argument("--sounds", type=int, default=1600, help="parts of sounds, and as many of what is made")
    parse.add_argument("--seed", type=int, default=1)
    options = parse.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    samples, rows = packs.open_pack(options.packs, options.work, "sounds")
    rows = [row for row in rows if not packs.held_out(row) and row["samples"] > 4000]
    mels, paths, starts, peaks = zip(speech(options), sounds(options, samples, rows, options.sounds, PEAK_OF_SOUNDS),
                                     sounds(options, *made_sounds(options.packs, options.work, 1), options.sounds))
    np.savez(os.path.join(options.work, "remade.npz"), mels=torch.cat(mels).clamp(-1, 1).numpy().astype("f2"),
             paths=sum(paths, []), starts=np.concatenate(starts), peaks=np.concatenate(peaks))


if __name__ == "__main__":
    main()
