# SPDX-License-Identifier: GPL-3.0-or-later
"""Speakers that nobody is: recorded ones with other formants and another pitch, alike in what is to be made, in what
the voice is told by and in what the teacher hears. So a few hundred speakers act like many."""
import numpy as np
import torch

from common.mel import slaney_to_hz
from voice.perturb import interpolation, project_smooth

SHARE = 0.4
FORMANTS, PITCH = 0.16, 0.25  # octaves at most, the pitch beyond what it moves with the formants
HEARD = 160                   # frames that tell the teacher what has changed
_centres = slaney_to_hz(np.linspace(0, 15 + 27 * np.log(8) / np.log(6.4), 82))[1:-1]


def warp(octaves):
    """[80, 80]: what sounds at f in a mel sounds `octaves` higher"""
    return interpolation(np.interp(_centres * 2 ** -octaves, _centres, np.arange(80)))


def strangers(batch, teacher, random):
    """batch: as Pairs.batch gives it, here with some of its clips moved"""
    fbank, mel, pitch, voice, phones, wanted = batch
    moved = np.flatnonzero(random.random(len(mel)) < SHARE)
    if len(moved) == 0:
        return batch
    matrices, octaves = [], []
    for _ in moved:
        formants = random.uniform(-FORMANTS, FORMANTS)
        octaves.append(formants + random.uniform(-PITCH, PITCH))
        matrices.append(warp(formants) @ project_smooth + warp(octaves[-1]) @ (np.eye(80) - project_smooth))
    matrices = torch.from_numpy(np.stack(matrices).transpose(0, 2, 1).astype("f4"))
    mel, pitch, voice, wanted = (x.clone() for x in (mel, pitch, voice, wanted))
    mel[moved] = (mel[moved] @ matrices).clamp(-1, 1)
    pitch[moved, :, 0] += torch.tensor(octaves, dtype=torch.float32)[:, None]
    with torch.no_grad():
        before = teacher(voice[moved, :HEARD])
        voice[moved] = (voice[moved] @ matrices).clamp(-1, 1)
        change = teacher(voice[moved, :HEARD]) - before
    wanted[moved] = torch.nn.functional.normalize(wanted[moved] + change, dim=1)
    return fbank, mel, pitch, voice, phones, wanted
