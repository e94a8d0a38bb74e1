# SPDX-License-Identifier: GPL-3.0-or-later
"""The training packs: decoded once with opusdec to one int16 array and one list of rows a pack."""
import csv
import json
import os
import subprocess
import tempfile
import wave
from concurrent.futures import ThreadPoolExecutor

import numpy as np

SPEECH = ("speech-core", "speech-extra", "speech-more")


def decode(path):
    """-> int16 samples at 16 kHz"""
    # opusdec writes a header only to a file; a stream from it is bare samples
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        subprocess.run(["opusdec", "--quiet", "--force-wav", "--rate", "16000", path, file.name],
                       check=True, stderr=subprocess.DEVNULL)
        with wave.open(file.name) as sound:
            shape = (sound.getframerate(), sound.getnchannels(), sound.getsampwidth())
            assert shape == (16000, 1, 2), (path, shape)
            return np.frombuffer(sound.readframes(sound.getnframes()), "<i2")


def check_sound(clip, row):
    """Recordings have most of their power in neighbouring samples and the length of the manifest;
    bytes read off their place have neither. A few noisy clips may fail, never half of a pack."""
    whole = abs(len(clip) / 16000 - float(row["seconds"])) < 0.02
    x = clip.astype("f4") - clip.mean()
    return whole and (x[1:] @ x[:-1]) > 0.3 * (x @ x)


def open_pack(packs, work, name):
    """-> (int16 samples of the whole pack, rows of its manifest with `offset` and `samples`)"""
    array, rows_file = (os.path.join(work, name + end) for end in (".npy", ".json"))
    if not os.path.exists(rows_file):
        with open(os.path.join(packs, name, "manifest.tsv"), encoding="utf-8") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        with ThreadPoolExecutor(2) as workers:
            clips = list(workers.map(lambda row: decode(os.path.join(packs, name, row["path"])), rows))
        good = sum(check_sound(clip, row) for row, clip in zip(rows, clips))
        assert good > 0.8 * len(rows), "%s: %d of %d clips do not decode" % (name, len(rows) - good,
                                                                             len(rows))
        offset = 0
        for row, clip in zip(rows, clips):
            row["offset"], row["samples"] = offset, len(clip)
            offset += len(clip)
        os.makedirs(work, exist_ok=True)
        np.save(array, np.concatenate(clips))
        with open(rows_file, "w", encoding="utf-8") as file:
            json.dump(rows, file)
    with open(rows_file, encoding="utf-8") as file:
        return np.load(array, mmap_mode="r"), json.load(file)


def held_out(row):
    """The development split: one speaker in twelve, one unlabelled or sound clip in twelve, by name."""
    key = row.get("speaker") or row["path"]
    value = 0
    for byte in key.encode():
        value = (value * 131 + byte) & 0xFFFFFFFF
    return value % 12 == 0
