#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws the figures of a training log over its steps.

  python3 train/common/curve.py train/sound/log/sound.log... (writes sound.png beside each)
"""
import re
import sys

import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt


def main():
    for path in sys.argv[1:]:
        curves = {}
        with open(path, encoding="utf-8") as file:
            for line in file:
                step = re.search(r"step (\d+)", line)
                for name, value in re.findall(r"([a-z_-]+) (\d+\.\d+)", line):
                    curves.setdefault(name, []).append((int(step.group(1)), float(value)))
        figure, axis = plt.subplots(figsize=(5, 3))
        for name, points in curves.items():
            axis.plot(*zip(*points), label=name)
        axis.set_xlabel("step")
        axis.legend()
        axis.grid(alpha=0.3)
        figure.tight_layout()
        figure.savefig(path.rsplit(".", 1)[0] + ".png", dpi=70)


if __name__ == "__main__":
    main()
