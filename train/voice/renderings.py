# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentences rendered by flite's voices, with the exact phone timings that flite reports."""
import json
import os
import subprocess
import tempfile
import wave
from concurrent.futures import ThreadPoolExecutor

import numpy as np

VOICES = ("slt", "rms", "awb", "kal16")


def render(job):
    """(voice, text) -> (int16 samples at 16 kHz, [[phone, end in seconds], ...])"""
    voice, text = job
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        said = subprocess.run(["flite", "-psdur", "-voice", voice, "-o", file.name, "-t", text],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode()
        with wave.open(file.name) as sound:
            samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
            rate = sound.getframerate()
    assert rate == 16000, (voice, rate)
    phones, last = [], 0.0
    for word in said.split():
        phone, _, end = word.rpartition(":")
        if not phone:
            continue
        phones.append([phone, float(end)])
        last = float(end)
    return samples, phones if abs(last - len(samples) / rate) < 0.3 else []


def renderings(work, sentences):
    """-> (samples of all, [[offset, count, phones], ...]); rendered once, kept in `work`"""
    array, rows_file = (os.path.join(work, "renderings" + end) for end in (".npy", ".json"))
    if not os.path.exists(rows_file):
        jobs = [(VOICES[i % len(VOICES)], text) for i, text in enumerate(sentences)]
        with ThreadPoolExecutor(2) as workers:
            made = [clip for clip in workers.map(render, jobs) if clip[1]]
        rows, offset = [], 0
        for samples, phones in made:
            rows.append([offset, len(samples), phones])
            offset += len(samples)
        np.save(array, np.concatenate([samples for samples, _ in made]))
        with open(rows_file, "w", encoding="utf-8") as file:
            json.dump(rows, file)
    with open(rows_file, encoding="utf-8") as file:
        return np.load(array, mmap_mode="r"), json.load(file)
