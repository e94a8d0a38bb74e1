#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges a sound bundle by what it generates: samples, through the default vocoder.

  python3 train/sound/judge.py --packs PACKS --work WORK [--steps 1] [--picture FILE] models/sound.safetensors

Classes: a classifier of real clips (classifier.py), on held-out real clips, on the same through autoencoder and
vocoder, and on generated ones. Attributes: how often the sound of one word is on the right side of the sound of its
opposite, same noise; the same measures of rendered notes through the codec say what is left to be heard. Free phrases:
30 that no caption holds. Frechet distance: of simple statistics of cepstra, nothing of the model. Nearest neighbours:
distance to the nearest training clip, next to that of held-out clips.
"""
import argparse
import os
import sys
from collections import Counter

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from common.mel import Mel
from common.vocos import open_vocoder
from sound import classifier, renderings
from sound.golden import generate
from sound.text import Vocabulary
from sound.model import read_bundle

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
        self.vocabulary = Vocabulary.from_bundle(tensors)
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
        """mels [80, frames] of clips, each with its peak at one level"""
        with torch.no_grad():
            return [self.analysis(torch.from_numpy(level(clip))[None])[0].numpy() for clip in clips]

    def code(self, clip, latent=True):
        """A clip through autoencoder and vocoder, or the vocoder alone."""
        with torch.no_grad():
            mel = self.analysis(torch.from_numpy(level(clip))[None])[:, :, :len(clip) // 320 * 2]
            if latent:
                mel = self.model.vae.decode(self.model.vae.encode(mel)[0]).clamp(-1, 1)
            return self.vocoder((mel + 1) / 2)[0].numpy()


def level(clip):
    return (clip / max(np.abs(clip).max(initial=0), 1e-4) * 0.8).astype("f4")


def loudest(mel, frames):
    """The loudest part of a clip, filled up with its quietest value."""
    if mel.shape[1] < frames:
        return np.pad(mel, ((0, 0), (0, frames - mel.shape[1])), constant_values=-0.81)
    level = np.concatenate([[0], np.cumsum(mel.mean(0))])
    start = int(np.argmax(level[frames:] - level[:-frames]))
    return mel[:, start:start + frames]


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
    part = loudest(mel, 100)
    return part.reshape(16, 5, 25, 4).mean((1, 3)).ravel()


def confused(pairs):
    """(right one, heard) -> the mistakes, the commonest first"""
    wrong = Counter(pair for pair in pairs if pair[0] != pair[1])
    return ", ".join("%s as %s %d" % (*pair, count) for pair, count in wrong.most_common())


def classes(studio, ear, held):
    for title, names, prompts in (("ESC-10 classes", classifier.ESC, ESC_PROMPTS),
                                  ("instrument families", classifier.FAMILIES, FAMILY_PROMPTS)):
        clips, wanted = zip(*((clip, name) for clip, name, _ in held if name in names))
        real = list(zip(wanted, classifier.hear(ear, clips, names)))
        coded = list(zip(wanted, classifier.hear(ear, [studio.code(clip) for clip in clips], names)))
        said = [(name, prompt, seed) for name in names for prompt in prompts[name].split("; ")
                for seed in range(SEEDS if names is classifier.ESC else 2)]
        made = []
        for seed in range(SEEDS):
            some = [(name, prompt) for name, prompt, s in said if s == seed]
            if some:
                clips = studio.say([prompt for _, prompt in some], 100 + seed)
                made += list(zip([name for name, _ in some], classifier.hear(ear, clips, names)))
        share = lambda pairs: np.mean([a == b for a, b in pairs])
        print("%s: held-out real %.0f %% of %d, through the codec %.0f %%, generated %.0f %% of %d, ratio %.2f" % (
            title, 100 * share(real), len(real), 100 * share(coded), 100 * share(made), len(made), share(made) / share(real)))
        per = {name: [a == b for a, b in made if a == name] for name in names}
        print("   " + ", ".join("%s %d/%d" % (name, sum(hits), len(hits)) for name, hits in per.items()))
        for which, pairs in (("real", real), ("coded", coded), ("generated", made)):
            print("   %s: %s" % (which, confused(pairs)))


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


def codec(studio, work):
    """The measures of pitch and mode on rendered notes: what vocoder and autoencoder leave of them."""
    keys, chord = range(12), lambda mode: [(0.0, 2.5, degree) for degree in renderings.TRIADS[mode][:3]]
    for title, measure, programs, bases, sides in (
            ("high against low note", pitch, (73, 0, 40, 56), (48,), ([(0.0, 2.5, 24)], [(0.0, 2.5, 0)])),
            ("major against minor chord", major, (0, 16, 90, 24, 48), (48, 60), (chord("major"), chord("minor")))):
        for base in bases:
            scores = [(program, [(start, length, base + key + note) for start, length, note in side])
                      for program in programs for key in keys for side in sides]
            clips = renderings.play([(i * renderings.SLOT, program, 90, notes)
                                     for i, (program, notes) in enumerate(scores)], work)
            counts = [sum(a > b for a, b in zip(values[::2], values[1::2])) for values in (
                [measure(way(clip[:48000])) for clip in clips]
                for way in (lambda clip: clip, lambda clip: studio.code(clip, False), studio.code))]
            print("%s, rendered, from key %d: right in %d of %d, through the vocoder in %d, autoencoder too %d" % (
                title, base, counts[0], len(clips) // 2, *counts[1:]))


def free_phrases(studio, ear):
    """A phrase counts when most of three seeds are heard as one of its concepts among all."""
    votes = {phrase: [] for phrase in FREE}
    for seed in range(3):
        heard = classifier.hear(ear, studio.say(list(FREE), 300 + seed))
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
    held = [(mel, row) for mel, (_, _, row) in zip(studio.mels([clip for clip, _, _ in held]), held)]
    known = studio.mels([clip for clip, _, _ in known])
    prompts = [row["caption"] for _, row in held]
    made = studio.mels(np.concatenate([studio.say(prompts[i:i + 16], 400 + i) for i in range(0, len(prompts), 16)]))
    random = np.random.default_rng(5)
    some = random.permutation(len(known))[:len(held)]
    real = np.stack([statistics(loudest(mel, 200)) for mel, _ in held])
    train = np.stack([statistics(loudest(known[i], 200)) for i in some])
    ours = np.stack([statistics(loudest(mel, 200)) for mel in made])
    base, far = frechet(train, real), frechet(ours, real)
    print("Frechet distance to %d held-out clips: generated %.3f, as many training clips %.3f, ratio %.2f" % (
        len(held), far, base, far / base))
    every = np.stack([small(mel) for mel in known])
    nearest = lambda mel: np.abs(every - small(mel)).mean(1).min() * 57.5
    print("nearest training clip: generated %.1f dB median, %.1f least; held-out real %.1f median, %.1f least" % (
        *(f([nearest(mel) for mel in made]) for f in (np.median, np.min)),
        *(f([nearest(mel) for mel, _ in held]) for f in (np.median, np.min))))
    prompts = list(ESC_PROMPTS.values())
    first, second = (studio.mels(studio.say(prompts, seed)) for seed in (1, 2))
    print("two seeds of one prompt: %.1f dB apart" % np.mean([np.abs(a - b).mean() * 57.5 for a, b in zip(first, second)]))


def picture(studio, path):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from PIL import Image
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
    Image.open(path).convert("RGB").quantize(48).save(path, optimize=True)


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
    held, known = (classifier.real_clips(options.packs, options.work, unseen) for unseen in (True, False))
    if options.picture:
        picture(studio, options.picture)
    classes(studio, ear, held)
    attributes(studio)
    codec(studio, options.work)
    free_phrases(studio, ear)
    distances(studio, held, known)


if __name__ == "__main__":
    main()
