#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of tests/ardour.sh and ardour_window.sh.

place SESSION FILE FRAMES   puts a sound file at the beginning of the track "speech"
equal A B                   B is A in the middle of a stereo track; both are mono float WAV files
converted A B HEARD PERIOD LATENCY OPTIONS...
                            B is so what `meanwave convert OPTIONS` makes of A. The plugin heard silence before:
                            about HEARD frames, what Ardour takes to come to export, and its pre-roll, so that A
                            begins LATENCY frames before the beginning of a period
show SESSION                opens the window of Sound on the track "keys" with the session
"""
import math
import os
import re
import struct
import subprocess
import sys


def place(session, file, frames):
    path = os.path.join(session, "test.ardour")
    text = open(path).read()
    ticks = int(frames) * (508032000 // 48000)
    region = ('<Region name="speech" whole-file="%d" start="a0" length="a%d@a0" id="%d" type="audio" opaque="1" '
              'first-edit="nothing" layering-index="0" contents="0" scale-amplitude="1" fade-in-active="0" '
              'fade-out-active="0" source-0="90001" master-source-0="90001" channels="1"/>')
    text = text.replace("<Sources/>", '<Sources><Source name="%s" type="audio" flags="" id="90001" channel="0" '
                        'origin="" gain="1"/></Sources>' % os.path.basename(file))
    text = text.replace("<Regions/>", "<Regions>" + region % (1, ticks, 90002) + "</Regions>")
    text = re.sub(r'(<Playlist id="\d+" name="speech"[^>]*)/>',
                  lambda match: match.group(1) + ">" + region % (0, ticks, 90003) + "</Playlist>", text)
    text = text.replace("<Locations/>", '<Locations><Location id="90010" name="session" start="a0" end="a%d" '
                        'flags="IsSessionRange" locked="0" position-lock-style="AudioTime"/></Locations>' % ticks)
    open(path, "w").write(text)


def read(path):
    data = open(path, "rb").read()
    at = 12
    while data[at:at + 4] != b"data":
        at += 8 + struct.unpack("<I", data[at + 4:at + 8])[0]
    count = struct.unpack("<I", data[at + 4:at + 8])[0] // 4
    return struct.unpack("<%df" % count, data[at + 8:at + 8 + 4 * count])


MIDDLE = 10 ** (-3 / 20)  # Ardour's pan law
PREROLL = 96000
ROUNDING = 2 ** -22       # of sounds below 1: a gain and two sums, in float


def difference(a, b):
    """The greatest; infinite when one of them is silence or shorter."""
    if len(a) != len(b) or max(map(abs, b)) < 0.01:
        return math.inf
    return max(abs(MIDDLE * x - y) for x, y in zip(a, b))


def equal(a, b):
    found = difference(read(a), read(b))
    print("%s: differs by at most %.2g" % (os.path.basename(b), found))
    if found > ROUNDING:
        sys.exit("more than %.2g" % ROUNDING)


def convert(path, silence, frames, options):
    """The first frames of the file, with silence before them that the result lacks."""
    ahead, made = path + ".ahead.wav", path + ".made.wav"
    subprocess.run(["sox", "-V1", path, ahead, "trim", "0", "%ds" % frames, "pad", "%ds" % silence], check=True)
    subprocess.run([os.environ["MEANWAVE_PROGRAM"], "convert", *options, "-y", "-q", ahead, "-o", made], check=True)
    return read(made)[silence:]


def converted(path, export, heard, period, latency, *options):
    """A second tells where the beginning was, then all of it is compared."""
    exported, period = read(export), int(period)
    second, half = 48000, 24000
    first = (int(heard) + PREROLL) // period * period - int(latency) % period
    for silence in range(first, first + 4 * second, period):
        if difference(convert(path, silence, second, options)[:half], exported[:half]) <= ROUNDING:
            found = difference(convert(path, silence, len(exported), options), exported)
            print("%s: behind %d frames of silence, differs by at most %.2g" % (
                os.path.basename(export), silence, found))
            sys.exit(0 if found <= ROUNDING else "more than %.2g" % ROUNDING)
    sys.exit("the export is not what the program makes")


def show(session):
    path = os.path.join(session, "test.ardour")
    text = open(path).read()
    route = re.search(r'<Route [^>]*id="(\d+)" name="keys"', text).group(1)
    plugin = re.search(r'<Processor id="(\d+)" name="Meanwave Sound"', text).group(1)
    text = re.sub(r"<EngineHints[^>]*/>", "", text)  # else Ardour asks whether another driver is meant
    window = ('<Window name="P-%s-%s" visible="1" x-off="50" y-off="50" x-size="860" y-size="554" '
              'custom-ui="1"/>' % (route, plugin))
    text = text.replace("</Session>", "<Extra><UI>" + window + "</UI></Extra></Session>")
    open(path, "w").write(text)


{"place": place, "equal": equal, "converted": converted, "show": show}[sys.argv[1]](*sys.argv[2:])
