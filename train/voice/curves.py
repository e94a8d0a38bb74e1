#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws the three logs of a training.

  python3 train/voice/curves.py train/voice/log      # writes curves.png there
"""
import os
import re
import sys

import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt

PANELS = (("encoder.log", "frames right", r"step (\d+) .*frames right ([\d.]+)"),
          ("encoder.log", "held-out phone errors, %", r"step (\d+) held-out phone errors ([\d.]+)"),
          ("speaker.log", "held-out equal error, %", r"step (\d+) equal error ([\d.]+)"),
          ("decoder.log", "loss of the mel", r"step (\d+) .*first ([\d.]+)"),
          ("decoder.log", "far from the target (1 - cos)", r"step (\d+) .*far_other ([\d.]+)"),
          ("decoder.log", "held-out mel error, dB", r"step (\d+) held-out speakers, 1 steps: mel error ([\d.]+)"))


def main():
    folder = sys.argv[1]
    figure, axes = plt.subplots(2, 3, figsize=(9, 4.6))
    for axis, (name, title, pattern) in zip(axes.flat, PANELS):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            points = re.findall(pattern, file.read())
        axis.plot([int(step) for step, _ in points], [float(y) for _, y in points],
                  marker="." if len(points) < 20 else "")
        axis.set_title("%s: %s" % (name[:-4], title), fontsize=8)
        axis.tick_params(labelsize=7)
        axis.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(os.path.join(folder, "curves.png"), dpi=70)


if __name__ == "__main__":
    main()
