# SPDX-License-Identifier: GPL-3.0-or-later
"""A pretrained speaker encoder (resemblyzer of PyPI, Apache-2.0, carries its weights) that hears our mels.

It wants 40 bands of power. Those of recorded mels come from our 80 by a matrix, fitted on clips of the packs; those of
what the decoder makes from the vocoder's samples, because a mel can please it that no sound has. It only teaches;
nothing of it is shipped.
"""
import numpy as np
import torch

from common import packs
from common.mel import HOP, RATE_HZ, slaney_basis
from common.vocos import open_vocoder

CLIPS, STEPS = 120, 300
BANDS, WINDOW = 40, 400  # of its analysis
HARMONICS = 6


def power(mel):
    return 10 ** ((57.5 * (mel + 1) - 95) / 10)


def analysis(packs_folder, work):
    """-> a function: a row of the features, samples at most -> what the teacher hears of it [frames, 40]"""
    from resemblyzer.audio import wav_to_mel_spectrogram
    clips = {}
    for name in packs.SPEECH:
        samples, found = packs.open_pack(packs_folder, work, name)
        clips.update({(row["path"], row["offset"]): samples for row in found})

    def analyse(row, most):
        begin = row["offset"]
        clip = clips[row["path"], begin][begin:begin + min(row["samples"], most)].astype("f4") / 32768
        return wav_to_mel_spectrogram(clip * (0.5 / (np.abs(clip).max() + 1e-3)))  # as loud as the features
    return analyse


class Teacher:
    def __init__(self, features, packs_folder, work, vocoder):
        from resemblyzer import VoiceEncoder
        self.vocoder = open_vocoder(vocoder).requires_grad_(False)
        self.basis = torch.from_numpy(slaney_basis(BANDS, WINDOW, RATE_HZ))
        self.window = torch.hann_window(WINDOW)
        self.net = VoiceEncoder("cpu", verbose=False).requires_grad_(False)
        self.matrix = self.fit(features, packs_folder, work)

    @staticmethod
    def fit(features, packs_folder, work):
        analyse = analysis(packs_folder, work)
        random = np.random.default_rng(13)
        ours, theirs = [], []
        for i in random.choice(len(features.rows), CLIPS, replace=False):
            row = features.rows[i]
            wanted = analyse(row, row["samples"])[:row["frames"]]
            ours.append(features.mel[row["frame"]:row["frame"] + len(wanted)].astype("f4"))
            theirs.append(wanted)
        ours, theirs = (torch.from_numpy(np.concatenate(x)) for x in (ours, theirs))
        ours, theirs = power(ours[::4]), theirs[::4]
        weights = torch.full((80, 40), -6.0, requires_grad=True)
        with torch.no_grad():
            weights += 5 * (-((torch.arange(80)[:, None] / 2 - torch.arange(40)) / 2) ** 2).exp()
        adam = torch.optim.Adam([weights], lr=0.1)
        for _ in range(STEPS):
            loss = ((ours @ weights.exp() + 1e-7).log() - (theirs + 1e-7).log()).abs().mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
        return weights.exp().detach()

    def __call__(self, mel):
        """mel [B, T, 80] -> directions [B, 256]"""
        with torch.autocast("cpu", enabled=False):
            return self.net(power(mel.float()) @ self.matrix)

    def speak(self, mel, pitch):
        """mel [B, T, 80], pitch [B, T, 2] -> samples [B, 160 (T - 1)]"""
        return self.vocoder((mel.transpose(1, 2) + 1) / 2, pitch).float()

    def hear(self, samples):
        """-> directions [B, 256]"""
        with torch.autocast("cpu", enabled=False):
            spectrum = torch.stft(samples, WINDOW, HOP, window=self.window, return_complex=True)
            power = spectrum.real ** 2 + spectrum.imag ** 2
            return self.net((self.basis @ power).transpose(1, 2))


def voicedness(samples, pitch):
    """samples [B, 160 (T - 1)], pitch [B, T, 2] -> [B]: how far the first harmonics of that pitch stand out from what lies
    between them, mean over the voiced frames, nepers"""
    spectrum = torch.stft(samples, 1024, HOP, window=torch.hann_window(1024), return_complex=True)
    level = 0.5 * (spectrum.real ** 2 + spectrum.imag ** 2 + 1e-6).log().transpose(1, 2)

    hertz = (2 ** pitch[..., :1]).clamp(40, 1000)

    def at(multiple):
        place = multiple * hertz * 1024 / RATE_HZ
        low = place.long()
        return torch.lerp(level.gather(2, low), level.gather(2, low + 1), place - low)

    out = sum(at(k) - 0.5 * (at(k - 0.5) + at(k + 0.5)) for k in range(1, 1 + HARMONICS))[..., 0] / HARMONICS
    return (out * pitch[..., 1]).sum(1) / pitch[..., 1].sum(1).clamp(min=1)
