#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the default sound model, from packs to bundle.

  python3 train/sound/train.py --packs PACKS --work WORK [--minutes M] [--export models/sound.safetensors]

Runs train_vae.py and train_text.py first where their results are missing; resumes from WORK/sound.pt. The latent
transformer learns flow matching (r = t) first. Then, from the averaged weights of that stage, half of each batch
goes on with guidance folded into its target and half learns interval consistency (SplitMeanFlow): u over [r, t] is
the weighted sum of u over [r, s] and [s, t]. With --objective jvp that half learns the identity of MeanFlow instead:
u = v - (t - r) du/dt. And what it makes from noise, as a player does, has to be heard as what was asked for
(listener.py). With --bundle that second stage goes on from the weights of a bundle, whose velocities are guided already:
near sound they stay what the bundle says, and far from it they lead where one step leads (RectifiedFlow, arXiv
2209.03003), so that many steps make what one does.
"""
import argparse
import copy
import os
import subprocess
import sys
import time

import numpy as np
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from sound import data, listener, objective, train_text
from sound.material import Latents, Material
from sound.model import Model, export, read_bundle
from sound.text import Vocabulary

LENGTHS = (50, 75, 100, 100, 150, 150, 200, 250, 500)
TOKENS = 900         # of a batch: clips times their length
FLOW_SHARE = 0.4     # of the time
DROPOUT = 0.1        # of the condition
HEARD = 12           # clips of two seconds a step that the listeners hear
KEPT = 0.35          # of a bundle's weights: as many sounds are recognised, and they are cleaner

SLOWER = {"_embed": 0.05, "text_cond_proj": 0.3, "audio_input_proj": 0.3}


def groups(net):
    """The time embeddings learn at a twentieth of the rate: most of their 256 inputs are cosines near one, so a step
    adds up, and at the full rate the condition is driven to where its SiLU is dead. The entry outgrows what the blocks
    add to it at the full rate, and the error stays for a thousand steps what a linear map would leave."""
    found = {}
    for name, value in net.named_parameters():
        share = next((share for part, share in SLOWER.items() if part in name), 1.0)
        found.setdefault(share, []).append(value)
    return [{"params": values, "share": share} for share, values in found.items()]


def prepare(options):
    """What is not in WORK yet: latents alone for a bundle, which has the rest."""
    wanted = [("train_vae", "sound-vae.pt", []), ("train_text", "sound-text.pt", [])]
    if options.bundle:
        wanted = [("train_vae", "sound-latents.npz", ["--latents-only", "--bundle", options.bundle])]
    for name, result, more in wanted:
        if not os.path.exists(os.path.join(options.work, result)):
            subprocess.run([sys.executable, os.path.join(HERE, name + ".py"), "--packs", options.packs,
                            "--work", options.work, "--seed", str(options.seed), *more], check=True)


class Trainer:
    def __init__(self, options):
        self.options = options
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        prepare(options)
        mels, described = data.load(options.packs, options.work, options.seed)
        latents = Latents(options.work, described)
        self.listening = listener.Listening(options, mels, described, latents, self.device)
        if options.bundle:
            self.model, tensors = read_bundle(options.bundle)
            vocabulary = Vocabulary.from_bundle(tensors)
        else:
            self.model = Model()
            self.model.load_vae(options.work)
            self.model.text = train_text.load_reader(options.work, train_text.labels_of(described)).text
            vocabulary = train_text.vocabulary_of(options.packs, described)
        self.model.to(self.device)
        self.net = net = self.model.transformer
        net.latent_mean.copy_(torch.from_numpy(latents.mean))
        net.latent_std.copy_(torch.from_numpy(latents.std))
        self.averaged = copy.deepcopy(net)
        self.teacher = copy.deepcopy(net) if options.bundle else None  # else the averaged network of the first stage
        self.flow_share = 0.0 if options.bundle else FLOW_SHARE
        self.optimiser = torch.optim.AdamW(groups(net), options.rate, betas=(0.9, 0.98), weight_decay=0.01)
        self.step, seconds = 0, 0.0
        self.path = os.path.join(options.work, "sound.pt")
        if os.path.exists(self.path):
            seconds = self.resume(torch.load(self.path, map_location=self.device))
        self.material = Material(latents, described, self.model.text, vocabulary, options.seed + self.step)
        self.random = np.random.default_rng(options.seed + self.step + 1)
        text_f, text_f_c = self.material.features([[]])
        for some in (net, self.averaged):
            some.empty_string_feat.copy_(text_f[0])
            some.empty_string_feat_c.copy_(text_f_c[0])
        self.log = open(os.path.join(options.work, "sound.log"), "a", buffering=1, encoding="utf-8")
        self.begin, self.sums = time.time() - seconds, {}

    def resume(self, state):
        """-> the seconds it had"""
        self.net.load_state_dict(state["net"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.listening.judge.load_state_dict(state["judge"])
        self.listening.optimiser.load_state_dict(state["judge_optimiser"])
        if state["teacher"]:
            self.teacher = copy.deepcopy(self.net)
            self.teacher.load_state_dict(state["teacher"])
        self.step = state["step"]
        return state["seconds"]

    def save(self):
        torch.save({"net": self.net.state_dict(), "averaged": self.averaged.state_dict(),
                    "optimiser": self.optimiser.state_dict(), "teacher": self.teacher and self.teacher.state_dict(),
                    "judge": self.listening.judge.state_dict(),
                    "judge_optimiser": self.listening.optimiser.state_dict(), "step": self.step,
                    "seconds": time.time() - self.begin}, self.path)
        self.model.transformer = copy.deepcopy(self.averaged)
        if self.options.bundle:
            for mine, theirs in zip(self.model.transformer.parameters(), self.teacher.parameters()):
                mine.data.lerp_(theirs.data, KEPT)
        export(self.model, self.material.vocabulary, self.material.latents.code, self.options.export)
        self.model.transformer = self.net

    def precision(self):
        return torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.options.bfloat16)

    def spent(self):
        """The share of the minutes, at most 1."""
        return min(1.0, (time.time() - self.begin) / 60 / self.options.minutes)

    def rate(self):
        late = max(0.0, (self.spent() - self.flow_share) / (1 - self.flow_share))
        return self.options.rate * min(1, (self.step + 1) / 400) * float(0.03 + 0.97 * np.cos(np.pi / 2 * late))

    def second_stage(self):
        """Begins with the averaged weights of the first, which become the teacher."""
        self.teacher = copy.deepcopy(self.averaged)
        self.net.load_state_dict(self.averaged.state_dict())
        self.net.r_embed.load_state_dict(self.net.t_embed.state_dict())
        self.averaged.load_state_dict(self.net.state_dict())

    def regress(self):
        """Learns from clips: velocities, and in the second stage also means over intervals. -> {what: error}"""
        tokens = TOKENS if self.teacher is None else TOKENS // 2
        length = int(LENGTHS[self.random.integers(len(LENGTHS))])
        count = max(2, tokens // length // 2 * 2)
        x0, features, _, _ = self.material.batch(count, length, DROPOUT)
        noise = torch.randn_like(x0)
        velocity = noise - x0
        t = torch.sigmoid(torch.randn(count, device=self.device))
        t = torch.where(torch.rand(count, device=self.device) < 0.1, torch.ones_like(t), t)
        r, half = t.clone(), count // 2
        if self.teacher is not None:
            r[half:], t[half:] = (x.to(self.device) for x in objective.intervals(self.random, count - half))
        with self.precision():
            if self.options.bundle:
                far = t[:half] > objective.STRAIGHT
                ends = objective.leap(self.averaged, noise[:half], [f[:half] for f in features])
                x0[:half] = torch.where(far[:, None, None], ends, x0[:half])
                velocity = noise - x0
            z = (1 - t)[:, None, None] * x0 + t[:, None, None] * noise
            target = velocity if self.teacher is None else self.targets(velocity, z, r, t, features, half)
            made = self.net(z, *features, r, t)
        error = (made.float() - target).pow(2).mean((1, 2))
        loss = error
        if self.teacher is not None and self.options.objective == "jvp":
            loss = error / (error.detach() + 1e-3)  # as the paper weighs it
        loss.mean().backward()
        if self.teacher is None:
            return {"flow": error.mean().item()}
        return {"flow": error[:half].mean().item(), self.options.objective: error[half:].mean().item()}

    def targets(self, velocity, z, r, t, features, half):
        """The first half learns guided velocities, the second means over [r, t]."""
        net, teacher, options = self.net, self.teacher, self.options
        first, second = ([f[:half] for f in features], [f[half:] for f in features])
        empty = [net.empty_string_feat.expand(half, -1, -1), net.empty_string_feat_c.expand(half, -1)]
        if options.bundle:
            told = objective.told_targets(teacher, z[:half], t[:half], first)
            guided = torch.where((t[:half] > objective.STRAIGHT)[:, None, None], velocity[:half], told.float())
        else:
            guided = objective.flow_targets(velocity[:half], teacher, z[:half], t[:half], first, empty)
        if options.objective == "split":
            later = objective.split_targets(self.averaged, z[half:], r[half:], t[half:], second, self.random)
        else:
            later = objective.flow_targets(velocity[half:], teacher, z[half:], t[half:], second, empty)
            later = objective.identity_targets(net, later, z[half:], r[half:], t[half:], second)
        return torch.cat([guided, later])

    def be_heard(self):
        """Learns from what the listeners say of what it makes. -> {what: mean}"""
        real, features, rows, attributes = self.material.batch(HEARD, listener.FRAMES, 0.0)
        with self.precision():
            made = objective.travel(self.net, torch.randn_like(real), features, self.random)
            loss, told = self.listening(real, made, features[1], rows, attributes)
        loss.backward()
        return told

    def advance(self):
        for group in self.optimiser.param_groups:
            group["lr"] = group["share"] * self.rate()
        self.optimiser.zero_grad(set_to_none=True)
        told = self.regress() if self.teacher is None or self.step % 2 == 0 else {}
        if self.teacher is not None:
            told.update(self.be_heard())
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        decay = min(0.995, self.step / (self.step + 50))
        with torch.no_grad():
            for mine, theirs in zip(self.averaged.parameters(), self.net.parameters()):
                mine.lerp_(theirs, 1 - decay)
        for name, value in told.items():
            self.sums.setdefault(name, []).append(value)

    def run(self):
        while self.spent() < 1:
            if self.spent() >= self.flow_share and self.teacher is None:
                self.second_stage()
            self.advance()
            if self.step % 50 == 0:
                self.log.write("sound step %d %s seconds %.0f\n" % (self.step, " ".join(
                    "%s %.4f" % (name, np.mean(values)) for name, values in self.sums.items()), time.time() - self.begin))
                self.sums = {}
            if self.step % 200 == 0:
                self.save()
        self.save()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packs", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--objective", choices=("split", "jvp"), default="split")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bfloat16", action="store_true",
                        help="products in 16 bit: 1.6 times faster with PyTorch 2 on processors that have them")
    parser.add_argument("--bundle", help="a sound bundle to go on from: text encoder and autoencoder stay")
    parser.add_argument("--export", default="models/sound.safetensors")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    Trainer(options).run()


if __name__ == "__main__":
    main()
