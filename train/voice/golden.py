#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes golden cases of what no published file has, with random weights.

  python3 train/voice/golden.py tests/data/golden/meanvc

asr_narrow: an encoder whose 2-D convolutions are narrower than the rest, the whole utterance at once;
the engine has to get there in chunks. pitch: the tracker on a synthetic voice, whole at once.
dit_pitch: a decoder that is told its pitch, chunk after chunk. vocos_harmonic: a vocoder that is told
its pitch, and that hears it.
"""
import json
import os
import sys

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from common import bundle
from common.pitch import track
from common.vocos import Vocos
from voice.convert import sample
from voice.decoder import Decoder
from voice.encoder import Encoder


def write(folder, case, arrays, **config):
    for name, array in arrays.items():
        np.save(os.path.join(folder, name + ".npy"), array)
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump({"case": case, **config}, file, indent=1)


def save_random(path, net, prefix="", strong=()):
    """`strong`: parameters with larger values"""
    for value in net.parameters():
        torch.nn.init.uniform_(value, -0.3, 0.3)
    for value in strong:
        value.data *= 6
    bundle.save(path, {prefix + name: value.numpy() for name, value in net.state_dict().items()}, {})


def narrow_encoder(folder):
    net = Encoder(dim=32, heads=4, inner=48, layers=2, kernel=5, chunk=2, channels=12).eval()
    save_random(os.path.join(folder, "encoder.safetensors"), net, "encoder.")
    fbank = 8 + 3 * torch.randn(131, 80)
    with torch.no_grad():
        features = net(fbank[None])[0]
    write(folder, "asr_narrow", {"fbank": fbank.numpy(), "bnf": features.numpy()}, config=net.config)


def pitch(folder):
    """Pulses of a gliding pitch through two resonances, with a pause, a hiss and a quiet end."""
    random = np.random.default_rng(7)
    count = 16000
    hertz = 110 * 2 ** (1.2 * np.sin(np.arange(count) / 5000))
    sound = np.where(np.diff(np.floor(np.cumsum(hertz / 16000)), prepend=0) > 0, 1.0, 0.0)
    for resonance, width in ((600, 80), (1700, 150)):
        radius = np.exp(-np.pi * width / 16000)
        b = 2 * radius * np.cos(2 * np.pi * resonance / 16000)
        for i in range(2, count):
            sound[i] += b * sound[i - 1] - radius ** 2 * sound[i - 2]
    sound *= 0.4 / np.abs(sound).max()
    sound[5000:6500] = 0
    sound[9000:10500] = 0.1 * random.standard_normal(1500)
    sound[14000:] *= 0.01
    sound = (sound + 0.002 * random.standard_normal(count)).astype("f4")
    octaves, voicing = track(torch.from_numpy(sound))
    write(folder, "pitch", {"samples": sound, "octaves": octaves, "voicing": voicing})


def decoder_with_pitch(folder):
    net = Decoder(dim=32, depth=2, heads=2, dim_head=8, ff_mult=2, mel=80, bn=16, spk=12, chunk=8,
                  pitch=dict(bins=20, lowest_hz=50, highest_hz=600)).eval()
    save_random(os.path.join(folder, "dit.safetensors"), net)
    content, speaker = torch.randn(24, 16), torch.randn(12)
    voicing = (torch.rand(24) * 1.6 - 0.3).clamp(0, 1)
    told = torch.stack([torch.linspace(5, 10, 24), voicing], 1)
    prompt, noise = torch.rand(30, 80) * 2 - 1, torch.randn(24, 80)
    with torch.no_grad():
        cond = content[None] + net.pitch_embed(told[None])
        made = sample(net, cond, speaker[None], prompt[None], noise[None])[0]
    write(folder, "dit_pitch", {"cond": content.numpy(), "pitch": told.numpy(), "spk": speaker.numpy(),
                                "prompt": prompt.numpy(), "noise": noise.numpy(),
                                "x_steps1": made.numpy()}, chunk=8)


def harmonic_vocoder(folder):
    net = Vocos(dim=24, intermediate=40, layers=2, mel=80, transform=64, hop=16,
                pitch=dict(bins=20, lowest_hz=50, highest_hz=600, width=12)).eval()
    save_random(os.path.join(folder, "vocoder.safetensors"), net, strong=[net.head.out.weight])  # tones stand out
    mel01 = 0.9 * torch.rand(80) + 0.1 * torch.rand(40, 80)  # so steady that tones last
    told = torch.stack([torch.linspace(5, 9.5, 40), torch.rand(40)], 1)
    drawn = np.random.RandomState(0)._bit_generator.random_raw(40 * net.bins)  # the engine's random_next
    chance = torch.from_numpy(((drawn >> 8) * 2.0 ** -23 - 1).astype("f4")).view(1, 40, net.bins).transpose(1, 2)
    seen = mel01.T[None]
    with torch.no_grad():
        heard = net.excitation(seen)
        own = torch.cat([heard[..., :1], torch.sigmoid(heard[..., 1:2])], -1)
        assert (net(seen, None, chance) - net(seen, own, chance)).abs().max() > 1e-3, "no tone lasts"
        write(folder, "vocos_harmonic", {
            "mel01": mel01.numpy(), "pitch": told.numpy(), "wav_heard": net(seen, None, chance)[0].numpy(),
            "wav_told": net(seen, told[None], chance)[0].numpy()}, chunk=8)


def main():
    torch.manual_seed(5)
    for name, make in (("asr_narrow", narrow_encoder), ("pitch", pitch),
                       ("dit_pitch", decoder_with_pitch), ("vocos_harmonic", harmonic_vocoder)):
        folder = os.path.join(sys.argv[1], name)
        os.makedirs(folder, exist_ok=True)
        make(folder)


main()
