#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges a vocoder on clips never trained on and on a sentence rendered by flite: how far the mel and the fine
spectrum of its output are from those of the original, in dB, the correlation of the pitch of speech, and how much
louder the lines of the hop (100 Hz and its multiples) are in the copies of sounds than in the sounds. With the Python package pocketsphinx also the share of words of transcribed clips that are heard otherwise (closed bigrams).

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
from common import packs
from common.mel import Mel
from common.vocos import open_vocoder

CLIPS = 12
DECIBELS = 57.5  # half the range of 115 dB that -1..1 spans


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


@torch.no_grad()
def copy(net, mel, clip):
    """-> (original, copy) of one length"""
    made = net((mel(torch.from_numpy(clip.astype("f4"))[None]) + 1) / 2)[0].numpy()
    return clip[:len(made)], made[:len(clip)]


def fine_distance(real, made):
    """Root mean square distance of log spectra of 32 ms, above -50 dB of the loudest."""
    window = torch.hann_window(512)
    a, b = (torch.stft(torch.from_numpy(x.astype("f4")), 512, 160, window=window, return_complex=True).abs()
            for x in (real, made))
    floor = a.max() * 10 ** -2.5
    return float((20 * (a.clamp(min=floor) / b.clamp(min=floor)).log10()).pow(2).mean(0).sqrt().mean())


def pitch(clip):
    """Log2 of the pitch of each 10 ms, NaN where unvoiced: the peak of the normalised autocorrelation."""
    frames = np.lib.stride_tricks.sliding_window_view(clip, 1024)[::160] * np.hanning(1024)
    power = np.abs(np.fft.rfft(frames, 2048, axis=1)) ** 2
    turned = np.fft.irfft(power, axis=1)[:, :400]
    shape = np.fft.irfft(np.abs(np.fft.rfft(np.hanning(1024), 2048)) ** 2)[:400]
    turned = turned / (turned[:, :1] + 1e-9) / (shape / shape[0])
    lag = turned[:, 40:267].argmax(1) + 40
    voiced = (turned[np.arange(len(lag)), lag] > 0.6) & (power.sum(1) > 1e-3 * power.sum(1).max())
    return np.where(voiced, np.log2(16000 / lag), np.nan)


def pitch_figures(pairs):
    """-> (correlation where both are voiced, share of the original's voiced frames that stay voiced)"""
    real, made = (np.concatenate([pitch(pair[i]) for pair in pairs]) for i in (0, 1))
    both = ~np.isnan(real) & ~np.isnan(made)
    return np.corrcoef(real[both], made[both])[0, 1], both.sum() / (~np.isnan(real)).sum()


def hum(clip):
    """Level of the lines of the hop over what lies between them, in dB: 1 s windows, 300 Hz to 4 kHz."""
    clip = np.pad(clip, (0, max(0, 16000 - len(clip))))
    frames = np.lib.stride_tricks.sliding_window_view(clip, 16000)[::4000]
    power = (np.abs(np.fft.rfft(frames * np.hanning(16000), axis=1)) ** 2).mean(0)
    lines, between = (np.log10(power[place:4000:100] + 1e-9).mean() for place in (300, 350))
    return 10 * (lines - between)


def words_wrong(clips):
    """clips: [(samples, text)] -> word error rate, the language model being the bigrams of these texts"""
    from pocketsphinx import Decoder
    lines = [text.lower().split() for _, text in clips]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "lm.arpa")
        decoder = Decoder(lm=None, logfn="/dev/null")
        known = [[word for word in line if decoder.lookup_word(word)] for line in lines]
        write_bigrams(known, path)
        decoder = Decoder(lm=path, logfn="/dev/null")
        wrong = total = 0
        for (samples, _), line in zip(clips, lines):
            decoder.start_utt()
            decoder.process_raw((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes(), full_utt=True)
            decoder.end_utt()
            heard = decoder.hyp().hypstr.split() if decoder.hyp() else []
            wrong += edits(line, heard)
            total += len(line)
    return wrong / total


def write_bigrams(lines, path):
    """Add-half bigrams with back-off, in ARPA's format."""
    lines = [["<s>"] + line + ["</s>"] for line in lines]
    single, double = {}, {}
    for line in lines:
        for word in line:
            single[word] = single.get(word, 0) + 1
        for pair in zip(line, line[1:]):
            double[pair] = double.get(pair, 0) + 1
    total = sum(single.values())
    with open(path, "w", encoding="utf-8") as file:
        file.write("\\data\\\nngram 1=%d\nngram 2=%d\n\n\\1-grams:\n" % (len(single), len(double)))
        for word, count in sorted(single.items()):
            file.write("%.4f %s -0.5\n" % (np.log10(count / total), word))
        file.write("\n\\2-grams:\n")
        for (first, second), count in sorted(double.items()):
            file.write("%.4f %s %s\n" % (np.log10((count - 0.4) / single[first]), first, second))
        file.write("\n\\end\\\n")


def edits(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a):
        last, row[0] = row[0], i + 1
        for j, y in enumerate(b):
            last, row[j + 1] = row[j + 1], min(row[j + 1] + 1, row[j] + 1, last + (x != y))
    return row[-1]


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
    samples, rows = packs.open_pack(options.packs, options.work, "speech-core")
    spoken = [(samples[row["offset"]:row["offset"] + row["samples"]] / 32768, row["text"].replace(",", " ").replace(".", " "))
              for row in rows if packs.held_out(row) and row["lang"] == "en" and row["text"] and row["samples"] < 160000]
    spoken = spoken[::max(1, len(spoken) // 24)][:24]
    try:
        print("original: words wrong %.1f %%" % (100 * words_wrong(spoken)))
    except ImportError:
        spoken = []
    mel = Mel()
    for path in options.vocoders:
        net = open_vocoder(path)
        figures = ["%s %.2f" % (name, np.mean([distance(net, mel, clip) for clip in some]))
                   for name, some in clips.items()]
        print(path, "mel:", " ".join(figures), "dB")
        pairs = {name: [copy(net, mel, clip) for clip in some] for name, some in clips.items()}
        print("  spectrum:", " ".join("%s %.2f" % (name, np.mean([fine_distance(*pair) for pair in some]))
                                      for name, some in pairs.items()), "dB")
        print("  pitch: correlation %.3f, voiced frames kept %.2f" % pitch_figures(
            [pair for name, some in pairs.items() if name != "sounds" for pair in some]))
        print("  lines of the hop: sounds %.2f dB, copies %.2f dB" % tuple(
            np.mean([hum(pair[i]) for pair in pairs["sounds"]]) for i in (0, 1)))
        if spoken:
            print("  words wrong %.1f %%" % (100 * words_wrong([(copy(net, mel, clip)[1], text) for clip, text in spoken])))


main()
