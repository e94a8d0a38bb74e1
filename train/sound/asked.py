# SPDX-License-Identifier: GPL-3.0-or-later
"""What a caption asks for, as targets of those who listen: a label and its concept; attributes."""
import torch
from torch.nn import functional as F

from sound import captions, classifier

FINE = 8.0  # weight of major and minor, which are fine print, among the attributes


class Concepts:
    """Labels, and the groups of labels that are one concept."""

    def __init__(self, described, paths):
        self.labels = sorted({of["label"] for row in described for of in row["of"]})
        self.index = {label: i for i, label in enumerate(self.labels)}
        names = [classifier.concept(label, paths.get(label, "")) or label for label in self.labels]
        groups = sorted(set(names))
        self.member = F.one_hot(torch.tensor([groups.index(name) for name in names])).float()
        self.outputs = len(self.labels)

    @staticmethod
    def tells(row):
        return True

    def targets(self, rows):
        """rows of described clips -> [rows, labels]: shares that add up to one"""
        target = torch.zeros(len(rows), self.outputs)
        for line, row in zip(target, rows):
            for one in row["of"]:
                line[self.index[one["label"]]] += 1 / len(row["of"])
        return target

    def loss(self, scores, target):
        """How far from the label, and from any label of its concept: [B]"""
        labels = scores.float().softmax(1)
        groups = labels @ self.member
        return -(0.3 * target * (labels + 1e-6).log()).sum(1) - ((target @ self.member) * (groups + 1e-6).log()).sum(1)

    def right(self, scores, target):
        """-> the share of rows that are heard as their concept"""
        heard = (scores.softmax(1) @ self.member).argmax(1)
        return (heard == (target @ self.member).argmax(1)).float().mean().item()


class Attributes:
    """How a sound is told to be: of each attribute one value, or nothing said. A melody's mode is not asked for: of
    rendered ones it is not heard either."""

    def __init__(self):
        self.sizes = [len(values) for values in captions.ATTRIBUTES.values()]
        values = [(name, value) for name, values in captions.ATTRIBUTES.items() for value in values]
        self.places = {value: i for i, value in enumerate(values)}
        self.outputs = len(values)
        self.weights = [FINE if name == "mode" else 1.0 for name in captions.ATTRIBUTES]

    @staticmethod
    def tells(row):
        return len(row["of"]) == 1 and any(name in row["of"][0]["attributes"] for name in captions.ATTRIBUTES)

    def targets(self, rows):
        return self.told([row["of"][0]["attributes"] for row in rows])

    @staticmethod
    def asked_for(attributes):
        return [pair for pair in attributes.items() if pair[0] != "mode" or attributes.get("form") != "melody"]

    def told(self, attributes):
        """[{attribute: value}] -> [rows, values]: one for what is told"""
        target = torch.zeros(len(attributes), self.outputs)
        for line, some in zip(target, attributes):
            for pair in self.asked_for(some):
                if pair in self.places:
                    line[self.places[pair]] = 1
        return target

    def loss(self, scores, target):
        """How far from what is told: [B]"""
        each = zip(scores.float().split(self.sizes, 1), target.split(self.sizes, 1), self.weights)
        return -sum(weight * (wanted * some.log_softmax(1)).sum(1) for some, wanted, weight in each)

    def right(self, scores, target):
        """-> the share of what is told that is heard"""
        each = zip(scores.split(self.sizes, 1), target.split(self.sizes, 1))
        hits = [wanted.gather(1, some.argmax(1)[:, None]).sum() for some, wanted in each]
        return (sum(hits) / target.sum()).item()
