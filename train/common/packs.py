# SPDX-License-Identifier: GPL-3.0-or-later
"""The training packs: decoded once with opusdec to one int16 array and one list of rows a pack."""
import csv
import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import numpy as np

SPEECH = ("speech-core", "speech-extra", "speech-more")


def decode(path):
    wav = subprocess.run(["opusdec", "--quiet", "--rate", "16000", path, "-"], check=True,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    data = wav[wav.find(b"data") + 8:]
    return np.frombuffer(data[:len(data) // 2 * 2], "<i2")


def open_pack(packs, work, name):
    """-> (int16 samples of the whole pack, rows of its manifest with `offset` and `samples`)"""
    array, rows_file = (os.path.join(work, name + end) for end in (".npy", ".json"))
    if not os.path.exists(rows_file):
        with open(os.path.join(packs, name, "manifest.tsv"), encoding="utf-8") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        with ThreadPoolExecutor(2) as workers:
            clips = list(workers.map(lambda row: decode(os.path.join(packs, name, row["path"])), rows))
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
