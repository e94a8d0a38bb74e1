# SPDX-License-Identifier: GPL-3.0-or-later
"""Short phrases of every General MIDI instrument, rendered by fluidsynth in one go; captions from the score.

Needs Debian's fluidsynth and fluid-soundfont-gm (FluidR3, MIT).
"""
import os
import subprocess
import wave

import numpy as np

SOUNDFONT = "/usr/share/sounds/sf2/FluidR3_GM.sf2"
SLOT = 4.0  # seconds from one phrase to the next; the last 0.6 s of it let the sound die away
KEYS = "C,C sharp,D,E flat,E,F,F sharp,G,A flat,A,B flat,B".split(",")
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
TRIADS = {"major": (0, 4, 7, 12), "minor": (0, 3, 7, 12)}
LOW = tuple(range(32, 40)) + (42, 43, 57, 58, 67, 70, 47)  # instruments whose low notes are lower still


def phrase(random, program):
    """-> ([(start, length, key)] in seconds, velocity, attributes)"""
    mode, form = str(random.choice(["major", "minor"])), str(random.choice(["arpeggio", "melody", "chord", "note"]))
    high, fast, loud = random.random(3) < 0.5
    root = int(random.integers(12))
    base = root + (72 if high else 48) - (12 if program in LOW else 0)
    step = random.uniform(0.12, 0.2) if fast else random.uniform(0.55, 0.8)
    attributes = {"form": form, "pitch": ("low", "high")[int(high)], "brightness": ("dark", "bright")[int(loud)]}
    if form != "note":
        attributes.update(mode=mode, key=KEYS[root])
    if form == "note":
        notes = [(0.0, random.uniform(1.0, 3.0), base)]
    elif form == "chord":
        notes = [(0.0, random.uniform(1.5, 3.0), base + degree) for degree in TRIADS[mode][:3]]
    else:
        attributes["speed"] = ("slow", "fast")[int(fast)]
        count = int(3.0 / step)
        if form == "arpeggio":
            ladder = TRIADS[mode] + TRIADS[mode][2:0:-1]
            pitches = [base + ladder[i % len(ladder)] for i in range(count)]
        else:
            degrees = np.clip(np.cumsum(random.integers(-2, 3, count)), -3, 8)
            degrees[0] = degrees[-1] = 0
            pitches = [base + SCALES[mode][d % 7] + 12 * (d // 7) for d in degrees]
        notes = [(i * step, step * 0.95, pitch) for i, pitch in enumerate(pitches)]
    return notes, int(random.uniform(95, 120) if loud else random.uniform(45, 65)), attributes


def midi(events, ticks=960):
    """events: (seconds, bytes), any order -> a file of one track at 60 beats a minute."""
    def length(value):
        out = [value & 127]
        while value > 127:
            value >>= 7
            out.insert(0, 128 | value & 127)
        return bytes(out)

    track, now = bytearray(b"\x00\xff\x51\x03\x0f\x42\x40"), 0
    for seconds, message in sorted(events, key=lambda event: event[0]):
        at = round(seconds * ticks)
        track += length(at - now) + message
        now = at
    track += b"\x00\xff\x2f\x00"
    return (b"MThd" + (6).to_bytes(4, "big") + bytes([0, 0, 0, 1]) + ticks.to_bytes(2, "big")
            + b"MTrk" + len(track).to_bytes(4, "big") + bytes(track))


def play(scores, work):
    """scores: (begin, program, velocity, notes as of phrase), a slot apart. -> their samples [n], peak at 0.8; None for
    silence"""
    events = []
    for begin, program, velocity, notes in scores:
        events.append((begin, bytes([0xC0, program])))
        for start, length, key in notes:
            events.append((begin + 0.02 + start, bytes([0x90, key, velocity])))
            events.append((begin + 0.02 + start + length, bytes([0x80, key, 0])))
    score, sound = (os.path.join(work, "renderings" + end) for end in (".mid", ".wav"))
    with open(score, "wb") as file:
        file.write(midi(events))
    subprocess.run(["fluidsynth", "-ni", "-g", "0.5", "-r", "16000", "-F", sound, SOUNDFONT, score],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with wave.open(sound) as file:
        assert file.getframerate() == 16000 and file.getsampwidth() == 2
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())
    os.remove(sound)
    clips = []
    for begin, _, _, _ in scores:
        clip = samples[int(begin * 16000):int((begin + SLOT - 0.02) * 16000)].mean(1) / 32768
        peak = np.abs(clip).max(initial=0)
        clips.append((clip / peak * 0.8).astype("f4") if peak > 1e-3 else None)
    return clips


def names_of(rows):
    """rows of the `sounds` manifest -> the labels of the 128 instruments"""
    found = {int(row["path"][3:6]): row["label"] for row in rows if row["path"][3:6].isdigit()}
    return [found.get(program, "") for program in range(128)]


def render(random, names, rounds, work):
    """names: the 128 instruments. -> [(samples, {"label", "phrases", "attributes"})], `rounds` a program"""
    scores, rows = [], []
    for number in range(128 * rounds):
        program = number % 128
        if program >= 120:
            continue  # effects: in the pack already
        notes, velocity, attributes = phrase(random, program)
        scores.append((number * SLOT, program, velocity, notes))
        name = names[program]
        rows.append({"label": name, "phrases": [name.replace("_", " ")], "attributes": attributes})
    return [(clip, row) for clip, row in zip(play(scores, work), rows) if clip is not None]
