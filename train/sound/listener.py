# SPDX-License-Identifier: GPL-3.0-or-later
"""Who listens to what is made while it is learned: classifiers of two kinds, as many for attributes, and a judge that
learns along.

All see the mel that latents stand for. The classifiers know the clips that the model is trained on and are trained
first; the judge's ear (classifier.py) shares no network, no front end and no weight with them.
"""
import os

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from common import packs
from sound import asked, train_text, train_vae

FRAMES, BATCH, STEPS, RATE = 100, 32, 3000, 2e-3
EACH = 2    # classifiers of each kind, which learn from other draws; of each kind one at random hears a batch
LENGTHS = (50, 75, 100, 100)  # that a classifier learns from
NOISE = 0.4  # at most, on the latents that the classifier learns from: what it says changes smoothly then
CLASSIFIED, JUDGED = 0.05, 0.05  # weights of what the two say
APART = 0.05  # weight of how unlike the recordings the classifiers' layers find it
ASTRAY = 0.3  # of that, what is missed of attributes
SHIFTS = 16  # frames at most that are left out at the beginning: the classifiers' strides would be heard as a beat
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

    def layered(self, x):
        """-> what each layer says"""
        said = []
        for layer, norm in zip(self.layers, self.norms):
            said.append(F.silu(norm(layer(said[-1] if said else x))))
        return said

    def forward(self, x):
        return self.out(F.dropout(pooled(self.layered(x)[-1]), 0.3, self.training))


class Courses(nn.Module):
    """The same by another way: each band has weights of its own, and level tells nothing."""

    def __init__(self, labels, width=192):
        super().__init__()
        shapes = ((160, 1), (width, 2), (width, 2), (width, 1))
        self.layers = nn.ModuleList(nn.Conv1d(inside, width, 5, stride, 2) for inside, stride in shapes)
        self.norms = nn.ModuleList(nn.GroupNorm(8, width) for _ in self.layers)
        self.out = nn.Linear(2 * width, labels)

    def layered(self, x):
        x = x[:, 0] - x[:, 0].mean((1, 2), keepdim=True)
        said = [torch.cat([x, F.pad(x[..., 1:] - x[..., :-1], (1, 0))], 1)]
        for layer, norm in zip(self.layers, self.norms):
            said.append(F.silu(norm(layer(said[-1]))))
        return said[1:]

    def forward(self, x):
        last = self.layered(x)[-1]
        return self.out(F.dropout(torch.cat([last.mean(2), last.amax(2)], 1), 0.3, self.training))


def unlike(made, real):
    """How far what layers say of made sounds is from what they say of recordings of the same: of its mean and its deviation
    over time, in the recordings' own deviations."""
    far = 0.0
    for a, b in zip(made, real):
        for told, wanted in ((a.float().mean(-1), b.float().mean(-1)), (a.float().std(-1), b.float().std(-1))):
            far = far + ((told - wanted).abs() / (wanted.std(0, keepdim=True) + 0.05)).mean()
    return far / (2 * len(made))


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


def train(kind, asked, name, seed, latents, described, picture, work, disturbed=True):
    """-> a network that hears what is `asked` for; kept in WORK. One clip of twenty is kept from it, and how it does there
    is printed."""
    path, net = os.path.join(work, "sound-%s.pt" % name), kind(asked.outputs)
    if os.path.exists(path):
        net.load_state_dict(torch.load(path, map_location="cpu"))
        return net.eval().requires_grad_(False)
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    optimiser = torch.optim.AdamW(net.parameters(), RATE, weight_decay=0.05)
    telling = [asked.tells(row) for row in described]
    unseen = [i for i, row in enumerate(described) if i % 20 == 7 and row["kind"] not in ("made", "mixed") and telling[i]]
    for step in range(STEPS):
        optimiser.param_groups[0]["lr"] = RATE * min(1, step / 100) * 0.5 * (1 + np.cos(np.pi * step / STEPS))
        chosen = [i for i in latents.draw(random, 4 * BATCH) if i % 20 != 7 and telling[i]][:BATCH]
        length = random.choice(LENGTHS)
        with torch.no_grad():
            x = torch.from_numpy(np.stack([latents.part(random, i, length) for i in chosen]))
            x = x + (NOISE if disturbed else NOISE / 4) * torch.rand(len(x), 1, 1) * torch.randn_like(x)
            x = disturb(random, picture(x)) if disturbed else picture(x)
        target = asked.targets([described[i] for i in chosen])
        other, keep = torch.randperm(len(x)), float(random.beta(0.3, 0.3)) if random.random() < 0.5 else 1.0
        with torch.autocast("cpu", torch.bfloat16):
            scores = net(keep * x + (1 - keep) * x[other])
        loss = (keep * asked.loss(scores, target) + (1 - keep) * asked.loss(scores, target[other])).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 100 == 99:
            print("%s step %d loss %.3f" % (name, step + 1, loss.item()), flush=True)
    net.eval().requires_grad_(False)
    x = torch.from_numpy(np.stack([latents.part(random, i, FRAMES) for i in unseen]))
    with torch.no_grad():
        right = asked.right(net(picture(x)), asked.targets([described[i] for i in unseen]))
    print("%s: right of %.0f %% of %d unseen clips" % (name, 100 * right, len(unseen)), flush=True)
    torch.save(net.state_dict(), path)
    return net


class Listening:
    """What travel makes is to be heard as what it was asked to be: by the classifiers, and by a judge that learns along."""

    def __init__(self, options, mels, described, latents, device):
        _, rows = packs.open_pack(options.packs, options.work, "sounds")
        self.concepts = asked.Concepts(described, {row["label"]: row["path"] for row in rows})
        self.attributes = asked.Attributes()
        self.picture = Picture(latents.clips, mels)
        hear = lambda *what: train(*what[:4], latents, described, self.picture, options.work, *what[4:]).to(device)
        self.classifiers = [[hear(kind, self.concepts, "%s%d" % (name, i), 5 + i) for i in range(EACH)]
                            for kind, name in ((Places, "places"), (Courses, "courses"))]
        self.manners = [[hear(kind, self.attributes, "%s%d" % (name, i), 5 + i, False) for i in range(EACH)]
                        for kind, name in ((Places, "manners"), (Courses, "tunes"))]
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

    def told(self, real, made, rows, attributes):
        """-> how little the classifiers hear in a mel what was asked for, the labels of rows; how unlike the recordings it is
        to them; how little of the attributes is heard"""
        target = self.concepts.targets(rows).to(made.device)
        disturbed, missed, apart, astray = disturb(self.random, made), 0.0, 0.0, 0.0
        for some in self.classifiers:
            net = some[self.random.integers(EACH)]
            missed = missed + self.concepts.loss(net(disturbed) / DOUBT, target).mean()
            with torch.no_grad():
                wanted = net.layered(real)
            apart = apart + unlike(net.layered(made), wanted)
        told = self.attributes.told(attributes).to(made.device)
        for some in self.manners:
            net = some[self.random.integers(EACH)]
            astray = astray + self.attributes.loss(net(made) / DOUBT, told).mean()
        return missed / len(self.classifiers), apart / len(self.classifiers), astray / len(self.manners)

    def __call__(self, real, made, condition, rows, attributes):
        """-> what the generator is told of its latents, {what: mean}"""
        start = int(self.random.integers(SHIFTS))
        real, made = self.picture(real[:, start:]), self.picture(made[:, start:])
        missed, apart, astray = self.told(real, made, rows, attributes)
        believed = self.learn(real, made.detach(), condition)
        liked = self.judge(made, condition).mean()
        loss = CLASSIFIED * (missed + ASTRAY * astray) + APART * apart - JUDGED * liked
        return loss, {"missed": missed.item(), "apart": apart.item(), "astray": astray.item(), "liked": liked.item(),
                      "judge": believed}
