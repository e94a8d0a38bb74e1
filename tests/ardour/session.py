#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of tests/ardour.sh.

place SESSION FILE FRAMES   puts a sound file at the beginning of the track "speech"
compare A B LEAST PART      the correlation at no lag of two mono float WAV files is at least LEAST; PART is
                            "samples", or "loudness" in steps of 5 ms, which may be a step early or late
"""
import math
import os
import re
import struct
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


def correlation(a, b):
    power = math.sqrt(sum(x * x for x in a) * sum(x * x for x in b))
    return sum(x * y for x, y in zip(a, b)) / power if power > 0 else 0.0


def loudness(sound):
    return [sum(abs(x) for x in sound[i:i + 240]) for i in range(0, len(sound) - 240, 240)]


def compare(a, b, least, part):
    a, b = read(a), read(b)
    if len(a) != len(b):
        sys.exit("%d and %d frames" % (len(a), len(b)))
    if part == "samples":
        found = correlation(a, b)
    else:
        a, b = loudness(a), loudness(b)
        found = max(correlation(a[1:], b[:-1]), correlation(a, b), correlation(a[:-1], b[1:]))
    print("%s: correlation %.4f" % (part, found))
    if found < float(least):
        sys.exit("less than " + least)


{"place": place, "compare": compare}[sys.argv[1]](*sys.argv[2:])
