# SPDX-License-Identifier: GPL-3.0-or-later
"""Who listens to what is made while it is learned: two classifiers of different kinds, and a judge that learns along.

All see the mel that latents stand for. The classifiers know the clips that the model is trained on and are trained
first; the judge's ear (classifier.py) shares no network, no front end and no weight with them.
"""
import os

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from common import packs
from sound import classifier, train_text, train_vae

FRAMES, BATCH, STEPS, RATE = 100, 32, 3000, 2e-3
NOISE = 0.4  # at most, on the latents that the classifier learns from: what it says changes smoothly then
CLASSIFIED, JUDGED = 0.025, 0.03  # weights of what the two say
DOUBT = 2.0  # what the classifier's scores are divided by, so that no single clip outweighs the rest


class Picture(nn.Module):
    """normalised latents [B, N, channels] -> mel of two frames each with its place in frequency [B, 2, 80, N]"""

    def __init__(self, latents, mels):
        """latents: of all clips, normalised; what they stand for is fitted, it is a linear code"""
        super().__init__()
        some = range(0, len(mels), 8)
        rows = np.concatenate([latents[i] for i in some])
        rows[:, 0] = 1.0
        wanted = np.concatenate([train_vae.pairs(mels[i]) for i in some])
        fitted = np.linalg.lstsq(rows, wanted, rcond=None)[0]
        self.register_buffer("middle", torch.from_numpy(fitted[0]))
        self.register_buffer("matrix", torch.from_numpy(fitted[1:]))

    def forward(self, latents):
        mel = 2 * (latents[..., 1:].float() @ self.matrix + self.middle).transpose(1, 2)[:, None]
        place = torch.linspace(-1, 1, mel.shape[2], device=mel.device)[None, None, :, None].expand_as(mel)
        return torch.cat([mel, place], 1)


def pooled(x):
    """[B, c, f, t] -> mean and maximum over time [B, 2 c f]"""
    return torch.cat([x.mean(3), x.amax(3)], 1).flatten(1)


class Places(nn.Module):
    """[B, 2, 80, N] -> scores of the labels [B, labels]: patterns wherever they lie in time and frequency"""

    def __init__(self, labels, width=32):
        super().__init__()
        sizes = (2, width, width, 2 * width, 3 * width, 4 * width)
        strides = ((2, 1), (2, 2), (2, 2), (2, 2), (1, 2))
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 5 if i == 0 else 3, stride, 2 if i == 0 else 1)
                                    for i, (a, b, stride) in enumerate(zip(sizes, sizes[1:], strides)))
        self.norms = nn.ModuleList(nn.GroupNorm(8, size) for size in sizes[1:])
        self.out = nn.Linear(2 * sizes[-1] * 5, labels)

    def forward(self, x):
        for layer, norm in zip(self.layers, self.norms):
            x = F.silu(norm(layer(x)))
        return self.out(F.dropout(pooled(x), 0.3, self.training))


class Courses(nn.Module):
    """The same by another way: each band has weights of its own, and level tells nothing."""

    def __init__(self, labels, width=192):
        super().__init__()
        shapes = ((160, 1), (width, 2), (width, 2), (width, 1))
        self.layers = nn.ModuleList(nn.Conv1d(inside, width, 5, stride, 2) for inside, stride in shapes)
        self.norms = nn.ModuleList(nn.GroupNorm(8, width) for _ in self.layers)
        self.out = nn.Linear(2 * width, labels)

    def forward(self, x):
        x = x[:, 0] - x[:, 0].mean((1, 2), keepdim=True)
        x = torch.cat([x, F.pad(x[..., 1:] - x[..., :-1], (1, 0))], 1)
        for layer, norm in zip(self.layers, self.norms):
            x = F.silu(norm(layer(x)))
        return self.out(F.dropout(torch.cat([x.mean(2), x.amax(2)], 1), 0.3, self.training))


class Judge(nn.Module):
    """mel [B, 2, 80, N], condition [B, c] -> scores [B, f, t]: recorded or made, and is it what was said?"""

    def __init__(self, condition, width=32):
        super().__init__()
        norm = nn.utils.spectral_norm
        self.layers = nn.ModuleList([norm(nn.Conv2d(2, width, 5, 2, 2)),
                                     norm(nn.Conv2d(width, 2 * width, 5, 2, 2)),
                                     norm(nn.Conv2d(2 * width, 2 * width, 3, 2, 1)),
                                     norm(nn.Conv2d(2 * width, 4 * width, 3, (2, 1), 1))])
        self.out = norm(nn.Conv2d(4 * width, 1, 3, 1, 1))
        self.said = norm(nn.Linear(condition, 2 * 4 * width * 5))

    def forward(self, x, condition):
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
        heard = pooled(x)
        fit = (heard * self.said(condition)).sum(1) / heard.shape[1] ** 0.5
        return self.out(x)[:, 0] + fit[:, None, None]


class Concepts:
    """Labels, and the groups of labels that are one concept."""

    def __init__(self, described, paths):
        self.labels = sorted({of["label"] for row in described for of in row["of"]})
        self.index = {label: i for i, label in enumerate(self.labels)}
        names = [classifier.concept(label, paths.get(label, "")) or label for label in self.labels]
        groups = sorted(set(names))
        self.member = F.one_hot(torch.tensor([groups.index(name) for name in names])).float()

    def targets(self, rows):
        """descriptions -> [rows, labels]: shares that add up to one"""
        target = torch.zeros(len(rows), len(self.labels))
        for line, of in zip(target, rows):
            for one in of:
                line[self.index[one["label"]]] += 1 / len(of)
        return target

    def loss(self, scores, target):
        """How far from the label, and from any label of its concept: [B]"""
        labels = scores.float().softmax(1)
        groups = labels @ self.member
        return -(0.3 * target * (labels + 1e-6).log()).sum(1) - ((target @ self.member) * (groups + 1e-6).log()).sum(1)


def disturb(random, picture):
    """Louder or fainter, coloured, in noise, with holes."""
    many, _, bins, frames = picture.shape
    knots = random.normal(0, 0.12, (many, 1, 6)) + random.normal(0, 0.2, (many, 1, 1))
    colour = F.interpolate(torch.from_numpy(knots.astype("f4")), bins, mode="linear")[..., None]
    mel = picture[:, :1] + colour.to(picture.device)
    floor = random.uniform(-2.4, -0.8, (many, 1)) + np.linspace(0, random.uniform(-0.6, 0.3, many), bins, axis=1)
    noise = torch.from_numpy(floor.astype("f4"))[:, None, :, None].to(mel.device) + 0.08 * torch.randn_like(mel)
    mel = torch.maximum(mel, noise)
    hole = torch.zeros(many, 1, bins, frames, device=mel.device, dtype=torch.bool)
    for one in hole:
        low, early = random.integers(bins), random.integers(frames)
        one[:, low:low + random.integers(10)] = True
        one[:, :, early:early + random.integers(15)] = True
    return torch.cat([mel.masked_fill(hole, -1.0), picture[:, 1:]], 1)


def train(kind, latents, described, concepts, picture, work, seed=5, steps=STEPS):
    """-> a classifier; kept in WORK. One clip of twenty is kept from it, and how it does there is printed."""
    path = os.path.join(work, "sound-%s.pt" % kind.__name__.lower())
    net = kind(len(concepts.labels))
    if os.path.exists(path):
        net.load_state_dict(torch.load(path, map_location="cpu"))
        return net.eval().requires_grad_(False)
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    optimiser = torch.optim.AdamW(net.parameters(), RATE, weight_decay=0.05)
    unseen = [i for i, row in enumerate(described) if i % 20 == 7 and row["kind"] not in ("made", "mixed")]
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = RATE * min(1, step / 100) * 0.5 * (1 + np.cos(np.pi * step / steps))
        chosen = [i for i in latents.draw(random, BATCH + 8) if i % 20 != 7][:BATCH]
        with torch.no_grad():
            x = torch.from_numpy(np.stack([latents.part(random, i, FRAMES) for i in chosen]))
            x = x + NOISE * torch.rand(len(x), 1, 1) * torch.randn_like(x)
            x = disturb(random, picture(x))
        target = concepts.targets([described[i]["of"] for i in chosen])
        other, keep = torch.randperm(len(x)), float(random.beta(0.3, 0.3)) if random.random() < 0.5 else 1.0
        with torch.autocast("cpu", torch.bfloat16):
            scores = net(keep * x + (1 - keep) * x[other])
        loss = (keep * concepts.loss(scores, target) + (1 - keep) * concepts.loss(scores, target[other])).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 100 == 99:
            print("%s step %d loss %.3f" % (kind.__name__, step + 1, loss.item()), flush=True)
    net.eval().requires_grad_(False)
    x = torch.from_numpy(np.stack([latents.part(random, i, FRAMES) for i in unseen]))
    target = concepts.targets([described[i]["of"] for i in unseen])
    heard = (net(picture(x)).softmax(1) @ concepts.member).argmax(1)
    print("%s: %.0f %% of %d unseen clips are heard as their concept" % (
        kind.__name__, 100 * (heard == (target @ concepts.member).argmax(1)).float().mean(), len(unseen)), flush=True)
    torch.save(net.state_dict(), path)
    return net


class Listening:
    """What travel makes is to be heard as what it was asked to be: by the classifiers, and by a judge that learns along."""

    def __init__(self, options, mels, described, latents, device):
        _, rows = packs.open_pack(options.packs, options.work, "sounds")
        self.concepts = Concepts(described, {row["label"]: row["path"] for row in rows})
        self.picture = Picture(latents.clips, mels)
        self.classifiers = [train(kind, latents, described, self.concepts, self.picture, options.work).to(device)
                            for kind in (Places, Courses)]
        self.random = np.random.default_rng(options.seed)
        self.picture.to(device)
        self.concepts.member = self.concepts.member.to(device)
        self.judge = Judge(train_text.SIZES["width"]).to(device)
        self.optimiser = torch.optim.Adam(self.judge.parameters(), 4e-4, betas=(0.5, 0.99))

    def learn(self, real, made, condition):
        """The judge: recorded with its words is right; recorded with another's and made are wrong."""
        right, wrong = self.judge(real, condition), self.judge(real, condition.roll(1, 0))
        fake = self.judge(made, condition)
        loss = (1 - right).relu().mean() + 0.3 * (1 + wrong).relu().mean() + 0.7 * (1 + fake).relu().mean()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        return loss.item()

    def __call__(self, real, made, condition, target):
        """-> what the generator is told of its latents, {what: mean}"""
        real, made = self.picture(real), self.picture(made)
        judged = self.learn(real, made.detach(), condition)
        disturbed = disturb(self.random, made)
        missed = [self.concepts.loss(net(disturbed) / DOUBT, target).mean() for net in self.classifiers]
        missed = sum(missed) / len(missed)
        liked = self.judge(made, condition).mean()
        return CLASSIFIED * missed - JUDGED * liked, {"missed": missed.item(), "liked": liked.item(), "judge": judged}
