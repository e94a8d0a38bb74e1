#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares sound files for tests/live.sh; 32-bit float WAV as meanwave writes it.

shifted A B FRAMES      B is A, FRAMES later, to the bit
found RECORDED MADE     most half seconds of MADE are in the right channel of RECORDED to the bit,
                        each at the same place; prints the lag in frames that most have
like A B                B holds A at some lag with a correlation above 0.95; prints the lag in ms
"""
import array
import itertools
import math
import operator
import sys


def read(path):
    data = open(path, "rb").read()
    at, channels, rate = 12, 1, 0
    while at + 8 <= len(data):
        name, size = data[at:at + 4], int.from_bytes(data[at + 4:at + 8], "little")
        if name == b"fmt ":
            form = int.from_bytes(data[at + 8:at + 10], "little")
            channels = int.from_bytes(data[at + 10:at + 12], "little")
            rate = int.from_bytes(data[at + 12:at + 16], "little")
        if name == b"data":
            samples = array.array("f" if form != 1 else "h")
            whole = data[at + 8:at + 8 + size]
            samples.frombytes(whole[:len(whole) // samples.itemsize * samples.itemsize])
            return samples, channels, rate
        at += 8 + size + size % 2
    sys.exit(path + ": no sound")


def shifted(a, b, frames):
    early, late = read(a)[0], read(b)[0]
    count = len(early)
    return late[frames:frames + count].tobytes() == early.tobytes() and any(early)


def found(recorded, made):
    sound, channels, rate = read(recorded)
    heard = sound[1::channels].tobytes()
    wanted = read(made)[0]
    piece = rate // 2
    lags = []
    for at in range(piece, len(wanted) - 2 * piece, piece):
        place = heard.find(wanted[at:at + piece].tobytes())
        while place >= 0 and place % 4:
            place = heard.find(wanted[at:at + piece].tobytes(), place + 1)
        if place >= 0:
            lags.append(place // 4 - at)
    pieces = len(range(piece, len(wanted) - 2 * piece, piece))
    if len(lags) < max(1, pieces // 2):
        sys.exit("%d of %d pieces found" % (len(lags), pieces))
    print(max(set(lags), key=lags.count))
    return True


def mono(path, step):
    sound, channels, rate = read(path)
    return list(sound[0::channels])[::step], rate // step


def best_lag(a, b, lags):
    power = sum(map(operator.mul, a, a))
    powers = [0.0, *itertools.accumulate(map(operator.mul, b, b))]

    def likeness(lag):
        end = min(lag + len(a), len(b))
        both = power * (powers[end] - powers[lag])
        return sum(map(operator.mul, a, b[lag:end])) / math.sqrt(both) if both > 1e-12 else 0.0
    return max((likeness(lag), lag) for lag in lags)


def envelope(x, rate):
    step = rate // 200
    return [sum(abs(v) for v in x[i:i + step]) for i in range(0, len(x) - step, step)]


def like(a, b):
    x, rate = mono(a, 1)
    y, rate_b = mono(b, 1)
    if rate != rate_b:
        sys.exit("%d Hz and %d Hz" % (rate, rate_b))
    soft = 0.02 * max(map(abs, x))
    begin = next(i for i, v in enumerate(x) if abs(v) > soft)
    # loud pieces, so short that the drift of clocks plays no part; a busy machine may spoil some
    best = (0.0, 0)
    whole = envelope(y, rate)
    for first in range(begin, min(len(x) - rate, begin + 3 * rate), rate // 2):
        coarse = envelope(x[first:first + rate], rate)
        _, at = best_lag(coarse, whole, range(max(1, len(whole) - len(coarse))))
        start = max(range(first, first + rate - rate // 10, rate // 20),
                    key=lambda i: sum(abs(v) for v in x[i:i + rate // 10]))
        middle = at * (rate // 200) + start - first
        close = [lag for lag in range(middle - rate // 50, middle + rate // 50) if lag >= 0]
        likeness, lag = best_lag(x[start:start + rate // 10], y, close)
        best = max(best, (likeness, lag - start))
        if likeness > 0.98:
            break
    likeness, lag = best
    print("%.1f" % (1000.0 * lag / rate))
    if likeness < 0.95:
        sys.exit("correlation %.3f" % likeness)
    return True


verb, *rest = sys.argv[1:]
good = {"shifted": lambda: shifted(rest[0], rest[1], int(rest[2])),
        "found": lambda: found(*rest),
        "like": lambda: like(*rest)}[verb]()
sys.exit(0 if good else "not equal")
