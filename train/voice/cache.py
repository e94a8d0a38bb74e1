# SPDX-License-Identifier: GPL-3.0-or-later
"""What the networks hear of every clip of the packs, computed once: filterbank, mel, pitch."""
import json
import os
import sys

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from common import packs
from common.mel import Mel
from voice.encoder import filterbank
from common.pitch import track


def held_out(row):
    """The development split, but that an hour of one clean reader is too much to go without."""
    return packs.held_out(row) and row["source"] != "Kathleen"


def frames_of_clip(samples):
    return 1 + (samples - 400) // 160


class Features:
    """rows: the manifest rows of all packs with `frame` (first frame) and `frames`; fbank and mel
    [frames, 80] float16, pitch [frames, 2] (log2 Hz, voicing). Frame i is centred on sample 160 i in
    mel and pitch and begins there in the filterbank."""

    def __init__(self, folder, work):
        files = {name: os.path.join(work, "features-%s.npy" % name)
                 for name in ("fbank", "mel", "pitch")}
        listed = os.path.join(work, "features.json")
        if not os.path.exists(listed):
            self.compute(folder, work, files, listed)
        with open(listed, encoding="utf-8") as file:
            self.rows = json.load(file)
        self.fbank, self.mel, self.pitch = (np.load(files[name], mmap_mode="r")
                                            for name in ("fbank", "mel", "pitch"))

    @staticmethod
    def compute(folder, work, files, listed):
        rows, clips = [], []
        for name in packs.SPEECH:
            samples, found = packs.open_pack(folder, work, name)
            for row in found:
                if row["samples"] >= 16000:
                    rows.append(row)
                    clips.append(samples[row["offset"]:row["offset"] + row["samples"]])
        total = sum(frames_of_clip(len(clip)) for clip in clips)
        out = {name: np.lib.format.open_memmap(path, "w+", "<f2" if name != "pitch" else "<f4",
                                               (total, 2 if name == "pitch" else 80))
               for name, path in files.items()}
        mel, at = Mel(), 0
        for row, clip in zip(rows, clips):
            sound = torch.from_numpy(clip.astype("f4") / 32768)
            sound = sound * (0.5 / (sound.abs().max() + 1e-3))
            count = frames_of_clip(len(sound))
            row["frame"], row["frames"] = at, count
            out["fbank"][at:at + count] = filterbank(sound).numpy()
            out["mel"][at:at + count] = mel(sound[None])[0].T[:count].numpy()
            out["pitch"][at:at + count] = np.stack(track(sound, count), 1)
            at += count
        with open(listed, "w", encoding="utf-8") as file:
            json.dump(rows, file)
