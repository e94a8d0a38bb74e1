# SPDX-License-Identifier: GPL-3.0-or-later
"""Sounds computed from nothing, with the attributes that their captions name.

make(random) -> (samples, {"label", "phrases", "attributes"}); an attribute is left out where it means nothing.
"""
import numpy as np

RATE_HZ = 16000


def noise(random, samples, tilt=0.0):
    spectrum = np.fft.rfft(random.standard_normal(samples))
    spectrum /= np.maximum(np.arange(len(spectrum)), 20.0) ** tilt
    made = np.fft.irfft(spectrum, samples)
    return made / np.abs(made).max()


def band(x, low_hz, high_hz):
    """Keeps a band, with edges a third of an octave wide."""
    size = -(-len(x) // 3200) * 3200  # a length that the transform likes
    spectrum = np.fft.rfft(x, size)
    hertz = np.maximum(np.arange(len(spectrum)) * RATE_HZ / size, 1.0)
    edge = lambda ratio: 1 / (1 + ratio ** 8)
    return np.fft.irfft(spectrum * edge(low_hz / hertz) * edge(hertz / high_hz), size)[:len(x)]


def tone(hertz, time, partials=1, tilt=1.0):
    """Harmonics n at n^-tilt below 7.8 kHz; hertz is a number or an array over time."""
    hertz = np.broadcast_to(hertz, time.shape)
    phase = 2 * np.pi * np.cumsum(hertz) / RATE_HZ
    turn = np.exp(1j * phase).astype("c8")
    wave, made = np.ones(len(time), "c8"), np.zeros(len(time), "f4")
    for n in range(1, partials + 1):
        wave *= turn
        made += wave.imag * np.where(n * hertz < 7800, np.float32(n ** -tilt), np.float32(0))
    return made


def distant(random, clip):
    """Far away: muffled, faint, with a tail of echoes."""
    tail = noise(random, 12000) * np.exp(-np.arange(12000) / 3000)
    tail[0] = 4.0
    size = -(-(len(clip) + len(tail)) // 3200) * 3200
    wet = np.fft.irfft(np.fft.rfft(clip, size) * np.fft.rfft(tail, size), size)[:len(clip)]
    wet = band(wet, 30, random.uniform(900, 1800))
    return wet / (np.abs(wet).max() + 1e-6) * random.uniform(0.1, 0.18)


class Hand:
    """One sound's dice: each attribute it is asked for is noted for the caption."""

    def __init__(self, random):
        self.random, self.attributes = random, {}
        self.time = np.arange(3200 * int(random.integers(10, 21))) / RATE_HZ

    def pick(self, name, first, second):
        value = first if self.random.random() < 0.5 else second
        self.attributes[name] = value
        return value == first

    def pitch(self, low, high):
        """Low or high, by half an octave around each."""
        return (high if self.pick("pitch", "high", "low") else low) * 2 ** self.random.uniform(-0.4, 0.4)

    def beat(self):
        """-> (seconds since the last of regular onsets, their rate per second)"""
        rate = self.random.uniform(5, 8) if self.pick("speed", "fast", "slow") else self.random.uniform(0.8, 1.6)
        return (self.time * rate) % 1 / rate, rate

    def white(self, tilt=0.0):
        return noise(self.random, len(self.time), tilt)


def wind(h):
    slow = np.interp(h.time, np.linspace(0, h.time[-1], 9), h.random.uniform(0.15, 1, 9))
    howl = band(h.white(), 250, 700) * slow ** 2
    return h.white(1.0) * slow + howl, "wind", "wind; wind gusts; wind blowing; howling wind; a windy day; a breeze; stormy wind"


def rain(h):
    heavy = h.pick("density", "heavy", "light")
    drops = (h.random.random(len(h.time)) < (0.01 if heavy else 0.001)) * h.random.random(len(h.time))
    drops = np.convolve(drops, np.exp(-np.arange(60) / 10), "same") * h.white()
    clip = band(h.white(0.2), 400, 7500) * (0.6 if heavy else 0.06) + drops * (1 if heavy else 2)
    if heavy:
        return clip, "rain", "rain; heavy rain; downpour; a heavy downpour; rain pouring down; rain on a roof; a rainstorm; torrential rain"
    return clip, "rain_light", "light rain; rain drops; drizzle; gentle rain; light rain dripping"


def engine(h):
    firing = h.pitch(28, 110) * (1 + 0.02 * np.sin(2 * np.pi * 1.3 * h.time))
    clip = tone(firing, h.time, 40, 0.7) + 0.6 * h.white(0.7)
    return clip, "engine", "engine; engine running; motor running; a car engine; engine idling; a humming motor; a truck engine"


def siren(h):
    _, rate = h.beat()
    sway = np.sin(2 * np.pi * rate / 3 * h.time)
    return tone(h.pitch(400, 1100) * 2 ** (0.4 * sway), h.time, 5), "siren", \
        "siren; police siren; ambulance siren; a wailing siren; emergency siren; alarm siren"


def beeps(h):
    beat, rate = h.beat()
    return tone(h.pitch(350, 1800), h.time, 2) * (beat * rate < 0.5), "beeps", \
        "beeps; beeping; electronic beeps; a beeping alarm; repeated beep; bleeps"


def kick(h):
    beat, _ = h.beat()
    return tone(48 + 150 * np.exp(-beat * 35), h.time) * np.exp(-beat * 9), "kick", \
        "kick drum; bass drum; kick; kick drum hits; thumping bass drum"


def kick_808(h):
    age = h.time
    clip = tone(42 * 2 ** h.random.uniform(-0.2, 0.5) + 90 * np.exp(-age * 40), age, 2, 3) * np.exp(-age * 2.2)
    return clip, "808_kick", "808 kick; 808 bass drum; 808; deep 808 kick; booming 808 sub bass kick; electronic kick drum"


def snare(h):
    beat, _ = h.beat()
    clip = tone(190, h.time) * np.exp(-beat * 25) + band(h.white(), 900, 7500) * np.exp(-beat * 16)
    return clip, "snare", "snare drum; snare; snare hits; snare drum hits; a snare drum pattern"


def hat(h):
    beat, _ = h.beat()
    return band(h.white(), 5000, 7900) * np.exp(-beat * 40), "hi_hat", \
        "hi-hat; hi hats; closed hi hat; hihat cymbal; a ticking hi hat"


def groove(h):
    h.attributes.clear()
    rate = h.random.uniform(3.6, 5) if h.pick("speed", "fast", "slow") else h.random.uniform(1.6, 2.2)
    place = (h.time * rate * 2).astype(int)
    beat = (h.time * rate * 2) % 1 / rate / 2
    clip = tone(48 + 150 * np.exp(-beat * 35), h.time) * np.exp(-beat * 9) * (place % 4 == 0)
    clip += (tone(190, h.time) * 0.6 + band(h.white(), 900, 7500)) * np.exp(-beat * 16) * 0.7 * (place % 4 == 2)
    clip += band(h.white(), 5000, 7900) * np.exp(-beat * 40) * 0.3
    return clip, "drum_beat", "drum beat; drum loop; drum groove; drums; a drum kit pattern; beat with kick, snare and hi hats"


def drone(h):
    base = h.pitch(50, 220)
    swell = 0.7 + 0.3 * np.sin(2 * np.pi * 0.3 * h.time + h.random.uniform(0, 6))
    return (tone(base, h.time, 12) + tone(base * 1.006, h.time, 12)) * swell, "drone", \
        "drone; a droning synth; ambient drone; sustained drone; a humming drone; drone pad"


def riser(h):
    up = h.pick("direction", "rising", "falling")
    age = h.time / h.time[-1]
    age = age if up else 1 - age
    clip = tone(120 * 12 ** age, h.time, 4) * 0.5 + band(h.white(), 500, 7500) * 0.5
    if up:
        return clip * age ** 1.5, "riser", "riser; riser sweep; rising sweep; uplifter; build up riser; a rising tone; rising synth"
    return clip * age ** 1.5, "downlifter", "downlifter; falling sweep; falling tone; a descending sweep; down sweep; falling synth"


def laser(h):
    beat, _ = h.beat()
    clip = tone(h.pitch(900, 2600) * np.exp(-beat * 9) + 80, h.time, 4) * np.exp(-beat * 6)
    return clip, "laser", "laser; sci-fi laser; laser shots; laser gun; blaster; ray gun; space gun; science fiction laser; phaser zap"


def arpeggio(h):
    beat, rate = h.beat()
    degrees = np.array([0, 4, 7, 12]) if h.pick("mode", "major", "minor") else np.array([0, 3, 7, 12])
    step = (h.time * rate).astype(int) % 4
    clip = tone(h.pitch(140, 500) * 2.0 ** (degrees[step] / 12), h.time, 8) * np.exp(-beat * 4)
    return clip, "synth_arpeggio", "synth arpeggio; arpeggio; electronic arpeggio; synthesizer arpeggio; an arpeggiated synth"


def chord(h):
    degrees = (0, 4, 7) if h.pick("mode", "major", "minor") else (0, 3, 7)
    base = h.pitch(130, 400)
    clip = sum(tone(base * 2.0 ** (d / 12), h.time, 6) for d in degrees)
    return clip * np.minimum(1, h.time * 4), "synth_chord", "synth chord; chord; synthesizer chord; sustained chord; a synth pad chord"


def boom(h):
    age = h.time
    clip = band(h.white(0.5), 20, 1500) * np.exp(-age * 2.5) + tone(55 * np.exp(-age), age) * np.exp(-age * 3)
    clip[:400] += h.random.standard_normal(400) * 0.7
    return clip, "explosion", "explosion; a big explosion; blast; bomb explosion; boom; cinematic boom; detonation"


def thunder(h):
    rolls = sum(np.interp(h.time, [at, at + 0.05, at + 1.2], [0, h.random.uniform(0.4, 1), 0], left=0, right=0)
                for at in h.random.uniform(0, h.time[-1] * 0.6, 5))
    return band(h.white(0.6), 20, 500) * rolls, "thunder", \
        "thunder; thunder rumbling; rolling thunder; thunderstorm; a clap of thunder; lightning and thunder; storm"


def drips(h):
    beat, rate = h.beat()
    pitch = h.pitch(500, 1300) * (1 + 1.5 * np.minimum(beat * 10, 1))
    return tone(pitch, h.time) * np.exp(-beat * 30) * np.minimum(beat * 300, 1), "water_drip", \
        "water dripping; dripping water; water drops; drip; a leaking tap dripping; bubbles"


def static(h):
    return h.white(), "static", "white noise; static; noise; radio static; hiss; tv static"


def whoosh(h):
    middle = h.time[-1] * h.random.uniform(0.2, 0.5)
    shape = np.exp(-((h.time - middle) / 0.16) ** 2)
    return band(h.white(), 300, 5000) * shape, "whoosh", "whoosh; swoosh; a whoosh passing by; air whoosh; swish; fast whoosh"


def tick(h):
    beat, _ = h.beat()
    clip = (tone(h.pitch(1500, 3500), h.time) + h.white()) * np.exp(-beat * 180)
    return clip, "clock_tick", "clock ticking; a ticking clock; tick tock; watch ticking; metronome clicks"


def impact(h):
    age = h.time
    base = h.pitch(150, 900)
    clip = sum(np.sin(2 * np.pi * base * ratio * age + ratio) * np.exp(-age * (3 + 2 * ratio))
               for ratio in (1, 1.51, 2.33, 3.47, 4.9))
    clip[:200] += h.random.standard_normal(200)
    return clip, "metal_hit", "metal hit; metallic impact; metal clang; hitting metal; a metallic clank; a pipe struck"


def bell(h):
    age = h.time
    base = h.pitch(220, 900)
    clip = sum(np.sin(2 * np.pi * base * ratio * age) * np.exp(-age * (0.8 + 0.5 * ratio))
               for ratio in (0.5, 1, 1.19, 1.56, 2, 2.51, 3.0) if base * ratio < 7800)
    return clip, "bell", "bell; a bell ringing; church bell; a bell tolls; bell chime; ringing bell"


KINDS = (wind, rain, rain, engine, siren, beeps, kick, kick_808, snare, hat, groove, drone, riser, laser, arpeggio,
         arpeggio, chord, boom, thunder, drips, static, whoosh, tick, impact, bell)
OUTDOORS = (wind, rain, engine, siren, thunder, boom, bell)


def make(random):
    kind = KINDS[random.integers(len(KINDS))]
    hand = Hand(random)
    clip, label, phrases = kind(hand)
    far = kind in OUTDOORS and hand.pick("place", "far", "near")
    clip = clip / (np.abs(clip).max() + 1e-6)
    clip = distant(random, clip) if far else clip * 0.8
    return clip.astype("f4"), {"label": label, "phrases": phrases.split("; "), "attributes": hand.attributes}
