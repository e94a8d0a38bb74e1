#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges a sound bundle by what it generates: samples, through the default vocoder.

  python3 train/sound/judge.py --packs PACKS --work WORK [--steps 1] [--picture FILE] models/sound.safetensors

Classes: a classifier of real clips (classifier.py), on held-out real clips and on generated ones. Attributes: how
often the sound of one word is on the right side of the sound of its opposite, same noise. Free phrases: 30 that no
caption holds. Frechet distance: of simple statistics of cepstra, nothing of the model. Nearest neighbours: distance
to the nearest training clip, next to that of held-out clips.
"""
import argparse
import os
import sys

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from common.mel import Mel
from common.vocos import open_vocoder
from sound import classifier
from sound.golden import generate
from sound.text import Vocabulary
from sound.train import read_bundle

ESC_PROMPTS = {"chainsaw": "a chainsaw cutting wood", "clock_tick": "a clock ticking", "crackling_fire": "a crackling fire",
               "crying_baby": "a baby crying", "dog_bark": "a dog barking", "helicopter": "a helicopter flying",
               "rain": "rain falling", "rooster": "a rooster crowing", "sea_waves": "sea waves on the shore",
               "sneezing": "a person sneezing"}
FAMILY_PROMPTS = {
    "piano": "a piano melody; a piano chord; honky tonk piano", "mallets": "a marimba melody; vibraphone; a xylophone",
    "organ": "a church organ chord; a drawbar organ; a reed organ", "guitar": "an acoustic guitar; a clean electric guitar; a steel string guitar chord",
    "bass": "a fingered bass; an acoustic bass; slap bass", "strings": "a solo violin; a cello melody; pizzicato strings",
    "ensemble": "a string ensemble; choir aahs; synth strings", "brass": "a trumpet melody; a trombone; a brass section",
    "reed": "a tenor saxophone; an oboe melody; a clarinet", "pipe": "a flute melody; a pan flute; a recorder",
    "lead": "a sawtooth lead; a square wave lead; a calliope lead", "pad": "a warm pad; a choir pad; a bowed pad",
    "synth effect": "a crystal synth effect; an atmosphere synth effect; an echoes synth effect",
    "plucked folk": "a sitar; a banjo melody; a koto", "drums": "steel drums; a woodblock; a taiko drum"}
FREE = {  # phrase: the concepts that are right
    "my neighbour's little terrier yaps at the postman": "dog_bark", "an angry mastiff behind the fence": "dog_bark",
    "barking puppy outside": "dog_bark", "heavy downpour on a tin shed": "rain", "monsoon pouring over the village": "rain",
    "cockerel at sunrise in the village": "rooster", "surf rolling on a sandy beach": "sea_waves", "the tide at the seaside": "sea_waves",
    "logs burning in the hearth": "crackling_fire", "campfire at night": "crackling_fire", "hungry newborn screaming": "crying_baby",
    "toddler sobbing in the bedroom": "crying_baby", "somebody with a cold sneezes": "sneezing", "grandfather's old clock in the hall": "clock_tick",
    "military chopper overhead": "helicopter", "cutting timber with a power saw": "chainsaw", "distant thunder with wind": "thunder; wind",
    "stormy gale around the house": "wind", "kitten meowing for food": "cat", "sparrows singing in the garden": "bird",
    "bomb detonating downtown": "explosion", "shots from a revolver": "gunshot", "sci-fi laser": "laser", "808 kick": "kick",
    "ambulance racing with its siren": "alarm", "truck motor idling": "engine", "hammond organ solo": "organ",
    "slow bright piano arpeggio in C minor": "piano", "a fiddler plays a jig": "strings; plucked folk", "funky drum loop": "drum beat"}
PAIRS = {  # attribute: (first word, its opposite, prompts)
    "pitch": ("high", "low", "{} beeps; a {} drone; a {} flute note; a {} piano note; a {} violin note; a {} trumpet note"),
    "speed": ("fast", "slow", "{} kick drum; {} beeps; {} piano arpeggio; {} snare drum; {} laser shots; {} guitar arpeggio"),
    "place": ("near", "distant", "a {} dog barking; {} thunder; {} engine running; a {} explosion; {} rain; a {} siren"),
    "mode": ("major", "minor", "a {} piano chord; a {} organ chord; a {} synth chord; a {} guitar chord; a {} string ensemble chord; {} synth arpeggio")}
SEEDS = 4
SECONDS = 3.0


class Studio:
    """A bundle with the vocoder: prompts to samples."""

    def __init__(self, path, vocoder, steps):
        self.model, tensors = read_bundle(path)
        self.vocabulary = Vocabulary(bytes(tensors["text.words"]).decode().split("\n"), tensors["text.vectors"],
                                     tensors["text.scales"])
        self.channels = self.model.transformer.latent_mean.numel()
        self.table, self.steps = self.vocabulary.table(), steps
        self.vocoder = open_vocoder(vocoder)
        self.analysis = Mel()

    def say(self, prompts, seed, seconds=SECONDS):
        """-> samples [prompts, n]; the same seed gives every prompt the same noise"""
        rows = self.model.text.position.shape[0]
        made = []
        for begin in range(0, len(prompts), 16):
            some = prompts[begin:begin + 16]
            noise = torch.stack([torch.randn(int(50 * seconds), self.channels, generator=torch.Generator().manual_seed(seed))] * len(some))
            _, _, _, mel = generate(self.model, self.table, [self.vocabulary.ids(p, rows) for p in some], noise, self.steps)
            with torch.no_grad():
                made.append(self.vocoder((mel + 1) / 2).numpy())
        return np.concatenate(made)

    def mels(self, clips):
        return [classifier.analyse(self.analysis, clip) for clip in clips]


def spectrum(clip, size=2048, hop=256):
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(clip, (0, max(0, size - len(clip)))), size)[::hop]
    return np.abs(np.fft.rfft(frames * np.hanning(size), axis=1))


def pitch(clip):
    """Hz: the mean of log frequency by power, each frame by its level."""
    power = spectrum(clip).mean(0)[8:] ** 2
    return float(np.exp((np.log(np.arange(8, 8 + len(power)) * 16000 / 2048) * power).sum() / power.sum()))


def onsets(clip):
    """Onsets a second: peaks of the rise of level over 16 bands."""
    bands = np.log(np.stack([band.sum(1) for band in np.array_split(spectrum(clip, 512, 128), 16, axis=1)]) + 1e-2)
    rise = np.maximum(bands[:, 3:] - bands[:, :-3], 0).mean(0)
    top = [i for i in range(4, len(rise) - 4) if rise[i] == rise[i - 4:i + 5].max() and rise[i] > max(0.35 * rise.max(), 0.1)]
    return len(top) / (len(clip) / 16000)


def major(clip):
    """Energy of the best major triad over that of the best minor one."""
    power = spectrum(clip, 8192, 2048).mean(0)[30:1000]
    classes = np.rint(12 * np.log2(np.arange(30, 1000) * 16000 / 8192 / 440)).astype(int) % 12
    chroma = np.bincount(classes, power, 12)
    triad = lambda third: max(chroma[k] + chroma[(k + third) % 12] + chroma[(k + 7) % 12] for k in range(12))
    return triad(4) / triad(3)


def statistics(mel):
    """Means and deviations of 16 cepstral coefficients and of their slopes: [48]."""
    cosines = np.cos(np.pi / 80 * (np.arange(80) + 0.5)[None] * np.arange(16)[:, None]) / 9
    cepstra = cosines @ mel
    return np.concatenate([cepstra.mean(1), cepstra.std(1), np.diff(cepstra).std(1)])


def frechet(a, b):
    """Of two sets of statistics; the covariances are shrunk a little, the sets are small."""
    mean = np.sum((a.mean(0) - b.mean(0)) ** 2)
    first, second = (np.cov(x.T) + 1e-4 * np.eye(x.shape[1]) for x in (a, b))
    values = np.linalg.eigvals(first @ second)
    return float(mean + np.trace(first) + np.trace(second) - 2 * np.sqrt(np.maximum(values.real, 0)).sum())


def small(mel):
    """The loudest second as 16 bands of 40 ms."""
    part = classifier.loudest(mel, 100)
    return part.reshape(16, 5, 25, 4).mean((1, 3)).ravel()


def classes(studio, ear, held):
    for title, names, prompts in (("ESC-10 classes", classifier.ESC, ESC_PROMPTS),
                                  ("instrument families", classifier.FAMILIES, FAMILY_PROMPTS)):
        real = [(mel, name) for mel, name, _ in held if name in names]
        right = np.mean([a == b for a, (_, b) in zip(classifier.hear(ear, [mel for mel, _ in real], names), real)])
        wanted, said, per = [], [], {}
        for name in names:
            for prompt in prompts[name].split("; "):
                for seed in range(SEEDS if names is classifier.ESC else 2):
                    wanted.append(name)
                    said.append((prompt, seed))
        heard = []
        for seed in range(SEEDS):
            some = [i for i, (_, s) in enumerate(said) if s == seed]
            if some:
                heard += list(zip(some, classifier.hear(ear, studio.mels(studio.say([said[i][0] for i in some], 100 + seed)), names)))
        for i, name in heard:
            per.setdefault(wanted[i], []).append(name == wanted[i])
        score = np.mean([hit for hits in per.values() for hit in hits])
        print("%s: held-out real %.0f %% of %d, generated %.0f %% of %d, ratio %.2f" % (
            title, 100 * right, len(real), 100 * score, len(heard), score / right))
        print("   " + ", ".join("%s %d/%d" % (name, sum(hits), len(hits)) for name, hits in per.items()))


def attributes(studio):
    measure = {"pitch": pitch, "speed": onsets, "place": lambda clip: float(np.sqrt(np.mean(clip ** 2))), "mode": major}
    for name, (first, second, prompts) in PAIRS.items():
        hits, each = [], []
        for prompt in prompts.split("; "):
            mine = []
            for seed in range(SEEDS):
                a, b = studio.say([prompt.format(first), prompt.format(second)], 200 + seed)
                mine.append(measure[name](a) > measure[name](b))
            hits += mine
            each.append("%s %d" % (prompt.format(first), sum(mine)))
        print("%s: %s against %s right in %d of %d (of %d each: %s)" % (name, first, second, sum(hits), len(hits), SEEDS, ", ".join(each)))


def free_phrases(studio, ear):
    """A phrase counts when most of three seeds are heard as one of its concepts among all."""
    votes = {phrase: [] for phrase in FREE}
    for seed in range(3):
        heard = classifier.hear(ear, studio.mels(studio.say(list(FREE), 300 + seed)))
        for phrase, name in zip(FREE, heard):
            votes[phrase].append(name)
    right = {phrase: sum(name in FREE[phrase].split("; ") for name in names)
             for phrase, names in votes.items()}
    print("free phrases: %d of %d right in two of three seeds, %d of %d sounds" % (
        sum(count >= 2 for count in right.values()), len(FREE), sum(right.values()), 3 * len(FREE)))
    for phrase, names in votes.items():
        if right[phrase] < 2:
            print("   %s -> %s" % (phrase, ", ".join(names)))


def distances(studio, held, known):
    prompts = [row["caption"] for _, _, row in held]
    made = studio.mels(np.concatenate([studio.say(prompts[i:i + 16], 400 + i) for i in range(0, len(prompts), 16)]))
    random = np.random.default_rng(5)
    some = random.permutation(len(known))[:len(held)]
    real = np.stack([statistics(classifier.loudest(mel, 200)) for mel, _, _ in held])
    train = np.stack([statistics(classifier.loudest(known[i][0], 200)) for i in some])
    ours = np.stack([statistics(classifier.loudest(mel, 200)) for mel in made])
    base, far = frechet(train, real), frechet(ours, real)
    print("Frechet distance to %d held-out clips: generated %.3f, as many training clips %.3f, ratio %.2f" % (
        len(held), far, base, far / base))
    every = np.stack([small(mel) for mel, _, _ in known])
    nearest = lambda mel: np.abs(every - small(mel)).mean(1).min() * 57.5
    print("nearest training clip: generated %.1f dB median, %.1f least; held-out real %.1f median, %.1f least" % (
        *(f([nearest(mel) for mel in made]) for f in (np.median, np.min)),
        *(f([nearest(mel) for mel, _, _ in held]) for f in (np.median, np.min))))
    prompts = list(ESC_PROMPTS.values())
    first, second = (studio.mels(studio.say(prompts, seed)) for seed in (1, 2))
    print("two seeds of one prompt: %.1f dB apart" % np.mean([np.abs(a - b).mean() * 57.5 for a, b in zip(first, second)]))


def picture(studio, path):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    prompts = list(ESC_PROMPTS.values()) + ["a fast high beeping alarm", "808 kick", "sci-fi laser", "distant thunder with wind",
                                            "slow bright piano arpeggio in C minor", "a flute melody", "a church organ chord",
                                            "a solo violin", "drum beat", "low siren"]
    figure, axes = plt.subplots(4, 5, figsize=(16, 9))
    for axis, clip, prompt in zip(axes.flat, studio.say(prompts, 1), prompts):
        with torch.no_grad():
            axis.imshow(studio.analysis(torch.from_numpy(clip)[None])[0], origin="lower", aspect="auto", vmin=-0.8, vmax=0.9)
        axis.set_title(prompt, fontsize=8)
        axis.set_axis_off()
    figure.tight_layout()
    figure.savefig(path, dpi=60)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--packs", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--vocoder", default="models/vocoder.safetensors")
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--picture")
    parser.add_argument("bundle")
    options = parser.parse_args()
    torch.set_num_threads(1)
    studio = Studio(options.bundle, options.vocoder, options.steps)
    ear = classifier.train(options.packs, options.work)
    held, known = ([(classifier.analyse(studio.analysis, clip), name, row)
                    for clip, name, row in classifier.real_clips(options.packs, options.work, unseen)] for unseen in (True, False))
    if options.picture:
        picture(studio, options.picture)
    classes(studio, ear, held)
    attributes(studio)
    free_phrases(studio, ear)
    distances(studio, held, known)


if __name__ == "__main__":
    main()
