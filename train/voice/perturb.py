# SPDX-License-Identifier: GPL-3.0-or-later
"""Another throat, pitch, microphone and room noise, drawn anew each time a clip is heard.

All of it acts on the filterbank: its smooth part (25 cosines a frame) is moved along the frequency axis
by up to 2.9 semitones, which moves formants; the rest, the harmonics, by up to 7 and weakened. A smooth
curve of gain over frequency is another microphone, a floor is noise. So the content encoder is heard
to say the same of all of them (information perturbation, arXiv 2110.14513).
"""
import numpy as np
import torch

BINS, SMOOTH = 80, 25


def _bins_of(hertz):
    step = (1127 * np.log1p(8000 / 700) - 1127 * np.log1p(20 / 700)) / (BINS + 1)
    return (1127 * np.log1p(hertz / 700) - 1127 * np.log1p(20 / 700)) / step - 1


def _hertz_of(bins):
    step = (1127 * np.log1p(8000 / 700) - 1127 * np.log1p(20 / 700)) / (BINS + 1)
    return 700 * np.expm1((1127 * np.log1p(20 / 700) + (bins + 1) * step) / 1127)


_centres = _hertz_of(np.arange(BINS))
_cosines = np.cos(np.pi * (np.arange(BINS) + 0.5)[:, None] * np.arange(SMOOTH) / BINS)
project_smooth = _cosines @ np.linalg.pinv(_cosines)


def interpolation(at):
    """[80, 80]: bin i becomes what lies at the place at[i] between bins"""
    at = np.clip(at, 0, BINS - 1.001)
    low = at.astype(int)
    matrix = np.zeros((BINS, BINS))
    matrix[np.arange(BINS), low] = 1 - (at - low)
    matrix[np.arange(BINS), low + 1] = at - low
    return matrix


def warp(ratio):
    """[80, 80]: what sounds at f sounds at ratio f"""
    return interpolation(_bins_of(_centres / ratio))


def perturb(fbank, random, formants=0.24, pitch=0.6):
    """fbank [B, T, 80] -> the same words from others; `formants`, `pitch`: octaves at most"""
    size = len(fbank)
    matrices, curves = np.empty((size, BINS, BINS), "f4"), np.empty((size, 1, BINS), "f4")
    for i in range(size):
        smooth = warp(2 ** random.uniform(-formants, formants))
        fine = warp(2 ** random.uniform(-pitch, pitch)) * random.uniform(0.2, 1)
        matrices[i] = (smooth @ project_smooth + fine @ (np.eye(BINS) - project_smooth)).T
        shape = random.standard_normal(6) * np.array([0, 1.0, 0.6, 0.5, 0.4, 0.3])
        curves[i, 0] = _cosines[:, :6] @ shape + random.uniform(-2.5, 1.2)
    heard = fbank @ torch.from_numpy(matrices) + torch.from_numpy(curves)
    loud = torch.from_numpy(random.uniform(-2, 8, (size, 1, 1)).astype("f4"))
    loud = loud + torch.from_numpy(curves) * 0.5
    floor = loud + torch.log(-torch.log(torch.rand(heard.shape).clamp(1e-4, 0.999)))
    return torch.logaddexp(heard, floor)
