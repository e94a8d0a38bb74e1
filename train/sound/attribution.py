#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints the attribution list of the `sounds` pack: source, licence, authors.

  python3 train/sound/attribution.py PACKS
"""
import collections
import csv
import os
import sys


def main():
    authors = collections.defaultdict(set)
    with open(os.path.join(sys.argv[1], "sounds", "manifest.tsv"), encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            authors[row["source"], row["licence"]].add(row["author"])
    for (source, licence), names in sorted(authors.items()):
        print(f"* {source}, {licence}: {', '.join(sorted(names))}.")


if __name__ == "__main__":
    main()
