#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges a voice bundle as the engine runs it.

  python3 train/voice/judge.py --packs PACKS --work WORK [--bundle models/voice.safetensors]

Wants the packages pocketsphinx, resemblyzer (with librosa and soundfile) and speechmos (with onnxruntime) of PyPI;
none of them is needed to train, nothing of them is shipped. Sources are, half and half, adult learners
of English never trained on (speechocean762) and the two readers Kathleen and LJ, who are clearly
understood but were trained on. Targets were never trained on. Each clip is converted to one, heard from
one half of a recording, and compared with the other half:

  words       word error rate of pocketsphinx with a bigram model of the judged sentences: of the
              recording, of the recording through the vocoder alone, of the result; of LibriSpeech's speakers never
              trained on, whose texts the packs lack, against what it reads in the recordings with its own model
  speaker     how far from the source to another real clip of the target (0..1), share accepted at the
              equal-error threshold of real clips, share nearer to target than source; likewise of the
              target's recording through the vocoder alone. Two judge: Resemblyzer, which taught the
              model, and supervectors (supervector.py), which did not
  pitch       correlation of log F0 where both are voiced
  borders     how much the sharpest place of a chunk stands out of its middle, all chunks laid over each other: a click
              where chunks join would
  DNSMOS      overall, of the vocoder alone and of the result; of those whose pitch rises or falls by a third and more
  foreign     two languages that the model has not seen and English, rendered by festival (festvox-italp16k,
              festvox-czech-ph): how many phones pocketsphinx hears otherwise than in the original, next to the
              vocoder alone; two originals that say something else tell what chance is
"""
import argparse
import os
import re
import subprocess
import sys
import wave

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from common import packs
from common.mel import Mel
from voice.cache import Features, held_out
from common.pitch import track
from voice.supervector import Supervectors
from voice.train_encoder import edit_distance

CHUNK = 1280  # samples between borders of chunks
FOREIGN = {"english, to compare": ("kal_diphone", "ascii", (
    "This morning the sun shines on the hills and the birds are singing in the garden.",
    "Tomorrow we go to the sea with our friends, if it does not rain, and come home late.")),
           "italian": ("pc_diphone", "iso-8859-1", (
    "Questa mattina il sole splende sopra le colline e gli uccelli cantano nel giardino.",
    "Domani andremo al mare con gli amici, se non piove, e torneremo a casa molto tardi.")),
           "czech": ("czech_ph", "iso-8859-2", (
    "Dnes r\u00e1no sv\u00edt\u00ed slunce nad kopci a pt\u00e1ci zp\u00edvaj\u00ed v zahrad\u011b.",
    "Z\u00edtra pojedeme s p\u0159\u00e1teli k mo\u0159i, pokud nebude pr\u0161et, a vr\u00e1t\u00edme se pozd\u011b."))}
PRESETS = ("alder", "birch", "cedar", "hazel", "linden", "maple", "rowan", "willow")


def write(path, samples):
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(samples.astype("<i2").tobytes())


def read(path):
    import soundfile
    return (soundfile.read(path, dtype="float32")[0].clip(-1, 1) * 32767).astype("<i2")


def words_of(text):
    return re.sub(r"[^a-z' ]", " ", text.lower()).split()


class Listener:
    """pocketsphinx with a bigram language model of the given sentences."""

    def __init__(self, folder):
        import pocketsphinx
        self.make = pocketsphinx.Decoder
        self.models = os.path.join(pocketsphinx.get_model_path(), "en-us")
        self.folder = folder
        with open(os.path.join(self.models, "cmudict-en-us.dict"), encoding="utf-8") as file:
            self.known = {line.split()[0] for line in file if line.strip()}

    def learn(self, sentences):
        one, two = {}, {}
        for words in sentences:
            words = ["<s>"] + words + ["</s>"]
            for a, b in zip(words, words[1:]):
                one[b] = one.get(b, 0) + 1
                two.setdefault(a, {}).setdefault(b, 0)
                two[a][b] += 1
        total = sum(one.values())
        lines = ["\\data\\", "ngram 1=%d" % (len(one) + 1),
                 "ngram 2=%d" % sum(map(len, two.values())), "", "\\1-grams:", "-99 <s> -0.3010"]
        lines += ["%.4f %s -0.3010" % (np.log10(n / total), w) for w, n in sorted(one.items())]
        lines += ["", "\\2-grams:"]
        for a in sorted(two):
            count = sum(two[a].values())
            lines += ["%.4f %s %s" % (np.log10(0.5 * n / count), a, b) for b, n in sorted(two[a].items())]
        path = os.path.join(self.folder, "sentences.arpa")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines + ["", "\\end\\", ""]))
        self.decoder = self.make(hmm=os.path.join(self.models, "en-us"), lm=path, loglevel="FATAL",
                                 dict=os.path.join(self.models, "cmudict-en-us.dict"))

    @staticmethod
    def say(decoder, samples):
        decoder.start_utt()
        decoder.process_raw(samples.astype("<i2").tobytes(), full_utt=True)
        decoder.end_utt()
        found = decoder.hyp()
        return found.hypstr if found else ""

    def hear(self, samples):
        return words_of(self.say(self.decoder, samples))

    def read(self, sounds):
        """What it hears with the language model that it comes with, less words that it cannot be taught."""
        decoder = self.make(hmm=os.path.join(self.models, "en-us"), loglevel="FATAL")
        return [[word for word in words_of(self.say(decoder, sound)) if word in self.known] for sound in sounds]

    def wrong(self, sounds, said):
        """-> words heard wrongly, in per cent"""
        return 100 * sum(edit_distance(self.hear(s), words) for s, words in zip(sounds, said)) / sum(map(len, said))

    def phones(self, samples):
        """The phones that it hears, of whatever language."""
        decoder = self.make(hmm=os.path.join(self.models, "en-us"), loglevel="FATAL", lm=None, dict=None,
                            allphone=os.path.join(self.models, "en-us-phone.lm.bin"), lw=2.0, beam=1e-20, pbeam=1e-20)
        return [phone for phone in self.say(decoder, samples).split() if phone not in ("SIL", "+SPN+", "+NSN+")]


def speech_of(options, known):
    """-> (transcribed clips of held-out adults, of readers, {held-out speaker: two halves of what it
    said})"""
    clips, readers, people = [], [], {}
    for name in packs.SPEECH:
        samples, rows = packs.open_pack(options.packs, options.work, name)
        for row in rows:
            if not row["speaker"]:
                continue
            part = samples[row["offset"]:row["offset"] + row["samples"]]
            words = words_of(row["text"])
            fits = (row["lang"] == "en" and 4 <= len(words) and all(w in known for w in words)
                    and 32000 < len(part) < 128000)
            if row["source"] in ("Kathleen", "LJSpeech") and fits:
                readers.append((row["speaker"], part, words))
            if not held_out(row):
                continue
            people.setdefault(row["speaker"], []).append(part)
            age = re.search(r"age (\d+)", row["label"])
            if fits and age and int(age.group(1)) >= 18:
                clips.append((row["speaker"], part, words))
    halves = {}
    for speaker, parts in people.items():
        if len(parts) > 1:
            middle = len(parts) // 2
            halves[speaker] = [np.concatenate(x)[:160000] for x in (parts[:middle], parts[middle:])]
        elif len(parts[0]) > 128000:
            halves[speaker] = [parts[0][:len(parts[0]) // 2], parts[0][len(parts[0]) // 2:]]
    return clips, readers, {s: h for s, h in halves.items() if min(map(len, h)) > 56000}


def equal_error_threshold(vectors):
    """vectors: {speaker: [a, b]} -> (threshold, rate)"""
    names = sorted(vectors)
    good = np.sort([vectors[n][0] @ vectors[n][1] for n in names])
    bad = np.sort([vectors[a][0] @ vectors[b][1] for a in names for b in names if a != b])
    scores = np.concatenate([good, bad])
    miss = np.array([(good < s).mean() for s in scores])
    false = np.array([(bad >= s).mean() for s in scores])
    at = np.abs(miss - false).argmin()
    return scores[at], (miss[at] + false[at]) / 2


def pitch_likeness(a, b):
    length = min(len(a), len(b))
    (x, u), (y, v) = (track(torch.from_numpy(s[:length].astype("f4") / 32768)) for s in (a, b))
    both = (u > 0.5) & (v > 0.5)
    return np.corrcoef(x[both], y[both])[0, 1] if both.sum() > 20 else np.nan


def borders(sounds):
    """dB: the sharpest of 160 places of a chunk over the middle one, each the mean of the level of second differences."""
    folded = np.zeros((0, 160))
    for sound in sounds:
        x = sound[:len(sound) // CHUNK * CHUNK].astype("f8")
        sharp = np.abs(np.diff(x, 2, append=[0, 0])).reshape(-1, 160, CHUNK // 160).mean(2)
        folded = np.concatenate([folded, 20 * np.log10(sharp + 1)])
    profile = folded.mean(0)
    return profile.max() - np.median(profile)


def median_pitch(samples):
    octaves, voicing = track(torch.from_numpy(samples.astype("f4") / 32768))
    return np.median(octaves[voicing > 0.5])


class Judge:
    def __init__(self, options):
        self.options = options
        self.folder = os.path.join(options.work, "judge")
        os.makedirs(self.folder, exist_ok=True)
        self.listener = Listener(self.folder)
        *sources, self.people = speech_of(options, self.listener.known)
        random = np.random.default_rng(4)
        self.clips = [clips[i] for clips in sources
                      for i in random.permutation(len(clips))[:options.pairs // 2]]
        self.listener.learn([words for _, _, words in self.clips])
        targets = sorted(self.people)
        self.targets = []
        for speaker, _, _ in self.clips:
            others = [t for t in targets if t != speaker]
            self.targets.append(others[int(random.integers(len(others)))])

    def meanwave(self, *arguments):
        subprocess.run([self.options.meanwave, *arguments, "--yes", "--quiet"], check=True)

    def path(self, kind, i):
        return os.path.join(self.folder, "%s-%02d.wav" % (kind, i))

    def convert(self, kind, i, voice, source=None):
        self.meanwave("convert", "--model", self.options.bundle, "--vocoder", self.options.vocoder,
                      "--steps", str(self.options.steps), "--voice", voice, "--output",
                      self.path(kind, i), source or self.path("source", i))
        return read(self.path(kind, i))

    def errors(self, sounds):
        """-> words wrong in per cent: of learners, of readers"""
        half = len(sounds) // 2
        said = [words for _, _, words in self.clips]
        return tuple(self.listener.wrong(sounds[part], said[part]) for part in (slice(0, half), slice(half, None)))

    def run(self):
        from resemblyzer import VoiceEncoder, preprocess_wav
        from speechmos import dnsmos
        encoder = VoiceEncoder("cpu", verbose=False)

        def embed(samples):
            return encoder.embed_utterance(preprocess_wav(samples.astype("f4") / 32768, 16000))

        def quality(sounds):
            return np.mean([dnsmos.run(s.astype("f4") / max(1, np.abs(s).max()) * 0.7, 16000)["ovrl_mos"]
                            for s in sounds])

        sources = [samples for _, samples, _ in self.clips]
        through, made = [], []
        for i, (samples, target) in enumerate(zip(sources, self.targets)):
            write(self.path("source", i), samples)
            write(self.path("target", i), self.people[target][0])
            self.meanwave("vocode", "--model", self.options.vocoder, "--output",
                          self.path("vocoder", i), self.path("source", i))
            through.append(read(self.path("vocoder", i)))
            made.append(self.convert("made", i, self.path("target", i)))
        for kind, sounds in (("recordings", sources), ("vocoder alone", through), ("converted", made)):
            print("words wrong, %s: learners %.1f %%, readers %.1f %%" % (kind, *self.errors(sounds)),
                  flush=True)
        likeness = [pitch_likeness(a, b) for a, b in zip(sources, made)]
        print("pitch: correlation %.3f (median %.3f)" % (np.nanmean(likeness), np.nanmedian(likeness)))
        copies = []
        for i in range(len(self.targets)):
            self.meanwave("vocode", "--model", self.options.vocoder, "--output",
                          self.path("copy", i), self.path("target", i))
            copies.append(read(self.path("copy", i)))
        self.judge_speakers("Resemblyzer", embed, copies, made)
        analysis, independent = Mel(), Supervectors(Features(self.options.packs, self.options.work), self.options.work)

        def supervector(samples):
            sound = torch.from_numpy(samples.astype("f4") / 32768)
            return independent(analysis(sound[None] * (0.5 / (sound.abs().max() + 1e-3)))[0].T.numpy())

        self.judge_speakers("supervectors", supervector, copies, made)
        print("borders: recordings %.2f dB, vocoder alone %.2f, converted %.2f" % tuple(map(borders, (sources, through, made))))
        print("DNSMOS: recordings %.2f, vocoder alone %.2f, converted %.2f"
              % (quality(sources), quality(through), quality(made)), flush=True)
        moved = np.array([median_pitch(self.people[target][0]) - median_pitch(samples)
                          for samples, target in zip(sources, self.targets)])
        for title, some in (("up", moved > 0.4), ("down", moved < -0.4)):
            kept = [sound for sound, one in zip(made, some) if one]
            print("pitch a third and more %s: %d conversions, DNSMOS %.2f" % (title, len(kept), quality(kept)), flush=True)
        self.judge_strangers()
        self.judge_foreign(quality)
        if self.options.presets:
            self.judge_presets(embed)

    def judge_speakers(self, title, embed, copies, made):
        vectors = {speaker: [embed(half) for half in halves] for speaker, halves in self.people.items()}
        threshold, rate = equal_error_threshold(vectors)
        print("speaker, %s: equal error %.1f %% over %d speakers at %.2f" % (title, 100 * rate, len(vectors), threshold))
        for kind, sounds in (("vocoder alone", copies), ("converted", made)):
            found = []
            for (_, source, _), target, sound in zip(self.clips, self.targets, sounds):
                out, begin, end = embed(sound), embed(source), vectors[target][1]
                whole = vectors[target][0] @ end - begin @ end
                found.append(((out @ end - begin @ end) / max(whole, 0.05), out @ end >= threshold,
                              out @ end > out @ begin))
            way, accepted, nearer = np.mean(found, 0)
            print("   %s: %.2f of the way to the target, accepted %.0f %%, nearer to the target %.0f %%"
                  % (kind, way, 100 * accepted, 100 * nearer), flush=True)

    def judge_strangers(self):
        samples, rows = packs.open_pack(self.options.packs, self.options.work, "speech-core")
        clips = [samples[row["offset"]:row["offset"] + row["samples"]][:8 * 16000] for row in rows
                 if row["source"] == "LibriSpeech train-clean-100" and held_out(row)]
        said = self.listener.read(clips)
        listener = Listener(self.folder)
        listener.learn(said)
        for i, clip in enumerate(clips):
            write(self.path("stranger", i), clip)
        made = [self.convert("moved", i, self.path("stranger", (i + len(clips) // 2) % len(clips)), self.path("stranger", i))
                for i in range(len(clips))]
        print("words wrong, %d readers never trained on: recordings %.1f %%, converted to each other %.1f %%"
              % (len(clips), listener.wrong(clips, said), listener.wrong(made, said)), flush=True)

    def judge_foreign(self, quality):
        for language, (voice, encoding, texts) in FOREIGN.items():
            heard, sounds = [], {"original": [], "vocoder": [], "converted": []}
            for i, text in enumerate(texts):
                source, through = (self.path(kind + language, i) for kind in ("source", "vocoder"))
                subprocess.run(["text2wave", "-eval", "(voice_%s)" % voice, "-F", "16000", "-o", source], check=True,
                               input=text.encode(encoding))
                self.meanwave("vocode", "--model", self.options.vocoder, "--output", through, source)
                ways = read(source), read(through), self.convert(language, i, "cedar", source)
                for kind, sound in zip(sounds, ways):
                    sounds[kind].append(sound)
                heard.append([self.listener.phones(sound) for sound in ways])
            wrong = [100 * np.mean([edit_distance(of[way], of[0]) / len(of[0]) for of in heard]) for way in (1, 2)]
            chance = 100 * edit_distance(heard[0][0], heard[1][0]) / len(heard[1][0])
            print("%s: phones heard otherwise, vocoder alone %.0f %%, converted %.0f %%, chance %.0f %%; DNSMOS %s" % (
                language, *wrong, chance, ", ".join("%s %.2f" % (kind, quality(some)) for kind, some in sounds.items())), flush=True)

    def judge_presets(self, embed):
        vectors = []
        for name in PRESETS:
            sounds = [self.convert(name, i, name) for i in range(len(self.clips))]
            vectors.append(np.mean([embed(s) for s in sounds[:8]], 0))
            hertz = []
            for sound in sounds[:8]:
                hertz.append(2 ** median_pitch(sound))
            print("preset %s: words wrong, learners %.1f %%, readers %.1f %%; %.0f Hz"
                  % (name, *self.errors(sounds), np.mean(hertz)), flush=True)
        vectors = np.array(vectors) / np.linalg.norm(vectors, axis=1, keepdims=True)
        likeness = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
        print("presets: likeness of two %.2f at the most, %.2f in the mean" % (likeness.max(), likeness.mean()))


def main():
    parse = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parse.add_argument("--packs", required=True)
    parse.add_argument("--work", required=True)
    parse.add_argument("--bundle", default="models/voice.safetensors")
    parse.add_argument("--vocoder", default="models/vocoder.safetensors")
    parse.add_argument("--meanwave", default="build/meanwave")
    parse.add_argument("--pairs", type=int, default=32)
    parse.add_argument("--steps", type=int, default=1)
    parse.add_argument("--presets", action="store_true", help="judge the bundle's own voices too")
    options = parse.parse_args()
    torch.set_num_threads(1)
    Judge(options).run()


if __name__ == "__main__":
    main()
