#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the default sound model, from packs to bundle.

  python3 train/sound/train.py --packs PACKS --work WORK [--minutes M] [--export models/sound.safetensors]

Runs train_vae.py and train_text.py first where their results are missing; resumes from WORK/sound.pt. The latent
transformer learns flow matching (r = t) first. Then, from the averaged weights of that stage, half of each batch
goes on with guidance folded into its target and half learns interval consistency (SplitMeanFlow): u over [r, t] is
the weighted sum of u over [r, s] and [s, t]. With --objective jvp that half learns the identity of MeanFlow instead:
u = v - (t - r) du/dt.
"""
import argparse
import copy
import json
import os
import subprocess
import sys
import time

import numpy as np
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from common import bundle
from sound import captions, data, train_text, train_vae
from sound.text import TextEncoder
from sound.transformer import Transformer
from sound.vae import Vae

SIZES = {"width": 128, "heads": 2, "joint": 2, "fused": 3, "inner": 256, "entry": 128}
TEXT = train_text.SIZES
LENGTHS = (50, 75, 100, 100, 150, 150, 200, 250, 500)
TOKENS = 900         # of a batch: clips times their length
FLOW_SHARE = 0.65    # of the time
DROPOUT = 0.1        # of the condition
GUIDANCE = 3.5
STEPS = 8            # that a player takes unless told otherwise
TILED = ("esc10", "made")


class Model(torch.nn.Module):
    def __init__(self, widths=train_vae.WIDTHS, channels=train_vae.CHANNELS, sizes=SIZES, text=TEXT):
        super().__init__()
        self.text = TextEncoder(**text)
        self.transformer = Transformer(**sizes, rows=text["rows"], text=text["width"], pooled=text["width"],
                                       latent=channels)
        self.transformer.initialise()
        self.vae = Vae(widths, channels)

    def load_vae(self, work):
        saved = torch.load(os.path.join(work, "sound-vae.pt"), map_location="cpu")
        self.vae.load_state_dict(saved["model"])


class Latents:
    """Normalised latents of all clips and random parts of them."""

    def __init__(self, work, described):
        stored = np.load(os.path.join(work, "sound-latents.npz"))
        self.mean, self.std = stored["mean"], stored["std"]
        every = ((stored["latents"] - self.mean) / self.std).astype("f4")
        self.clips = np.split(every, np.cumsum(stored["lengths"])[:-1])
        self.silence = ((stored["silence"] - self.mean) / self.std).astype("f4")
        self.tiled = [row["kind"] in TILED for row in described]
        self.share = np.cumsum(data.chances(described))

    def draw(self, random, count):
        return np.minimum(np.searchsorted(self.share, random.random(count)), len(self.clips) - 1)

    def part(self, random, i, length):
        """[length, channels]: the loudest of three random parts; a short clip again and again or then silence."""
        clip = self.clips[i]
        spare = len(clip) - length
        if spare > 0:
            starts = [0] + [int(start) for start in random.integers(spare + 1, size=2)]
            loud = [np.abs(clip[start:start + length] - self.silence).mean() for start in starts]
            start = starts[int(np.argmax(loud))] if random.random() < 0.6 else 0
            return clip[start:start + length]
        if self.tiled[i] and len(clip) > 40:
            return np.concatenate([clip] * (length // len(clip) + 1))[:length]
        return np.concatenate([clip, np.repeat(self.silence[None], -spare, 0)])


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


def flow_targets(velocity, teacher, z, t, features, empty):
    """Guided velocity: half of it what the teacher says, for less noise, plus guidance by its two branches."""
    with torch.no_grad():
        told, untold = teacher(z, *features, t, t), teacher(z, *empty, t, t)
        return 0.5 * velocity + 0.5 * told + (GUIDANCE - 1) * (told - untold)


def split_targets(net, z, r, t, features, random):
    """The weighted sum over a split of [r, t], by the averaged network."""
    with torch.no_grad():
        share = 0.3 + 0.4 * torch.from_numpy(random.random(len(z)).astype("f4")).to(z.device)  # of [s, t]
        s = t - share * (t - r)
        late = net(z, *features, s, t)
        early = net(z - (t - s)[:, None, None] * late, *features, r, s)
        return share[:, None, None] * late + (1 - share)[:, None, None] * early


def identity_targets(net, velocity, z, r, t, features):
    """The guided velocity less the slope of u along its path, by a Jacobian-vector product."""
    _, slope = torch.autograd.functional.jvp(lambda z, r, t: net(z, *features, r, t).float(), (z, r, t),
                                             (velocity, torch.zeros_like(r), torch.ones_like(t)))
    return velocity - (t - r)[:, None, None] * slope


def intervals(random, count):
    """r, t of the split half: three in ten the whole way, as many from pure noise, the rest anywhere."""
    pair = np.sort(random.random((count, 2)), 1)
    dice = random.random(count)
    r, t = np.where(dice < 0.3, 0.0, pair[:, 0]), np.where(dice < 0.6, 1.0, pair[:, 1])
    return torch.from_numpy(r.astype("f4")), torch.from_numpy(t.astype("f4"))


def export(model, vocabulary, path):
    tensors = {}
    for prefix in ("transformer", "vae", "text"):
        tensors.update(bundle.half(getattr(model, prefix), prefix + "."))
    tensors["text.words"] = np.frombuffer("\n".join(vocabulary.words).encode(), "u1")
    tensors["text.vectors"] = vocabulary.vectors
    tensors["text.scales"] = vocabulary.scales.astype("<f4")
    text, net = model.text, model.transformer
    joint, fused = len(net.joint_blocks), len(net.fused_blocks)
    width = net.final_layer.conv.weight.shape[1]
    config = {"rate_hz": 16000, "hop": 160, "mel_bins": 80, "mel": "meanvc-prompt", "latent_dim": net.latent_mean.numel(),
              "latents_per_second": 50, "trained_seconds": 4.0, "steps": STEPS, "hidden_dim": width, "num_heads": net.fused_blocks[0].attn.heads,
              "depth": joint + fused, "fused_depth": fused, "use_rope": True,
              "text_seq_len": len(text.position), "text_dim": len(text.pad), "text_c_dim": len(text.pad),
              "text_heads": text.layers[0].heads, "text_layers": len(text.layers), "word_dim": 100,
              "words": len(vocabulary.words)}
    bundle.save(path, tensors, {"format": "meanwave-bundle-1", "family": "meanaudio",
                                "name": "Meanwave default sound model",
                                "licence": "CC-BY-4.0; attribution in sound.md", "config": json.dumps(config)})


def read_bundle(path):
    """-> (Model, tensors) of an exported bundle"""
    tensors, metadata = bundle.load(path)
    config = json.loads(metadata["config"])
    joint = config["depth"] - config["fused_depth"]
    sizes = {"width": config["hidden_dim"], "heads": config["num_heads"], "joint": joint,
             "fused": config["fused_depth"], "inner": tensors["transformer.fused_blocks.0.ffn.w1.weight"].shape[0],
             "entry": tensors["transformer.audio_input_proj.2.w1.weight"].shape[0]}
    text = {"width": config["text_dim"], "heads": config["text_heads"], "layers": config["text_layers"],
            "rows": config["text_seq_len"]}
    widths = [tensors["vae.decoder.up.%d.block.0.conv1.weight" % level].shape[0] for level in range(3)]
    model = Model(widths, config["latent_dim"], sizes, text)
    model.load_state_dict({name: torch.from_numpy(value.astype("f4")) for name, value in tensors.items()
                           if value.dtype == np.dtype("<f2")})
    return model.eval(), tensors


def prepare(options):
    for name, result in (("train_vae", "sound-vae.pt"), ("train_text", "sound-text.pt")):
        if not os.path.exists(os.path.join(options.work, result)):
            subprocess.run([sys.executable, os.path.join(HERE, name + ".py"), "--packs", options.packs,
                            "--work", options.work, "--seed", str(options.seed)], check=True)


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
    parser.add_argument("--export", default="models/sound.safetensors")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    prepare(options)
    _, described = data.load(options.packs, options.work, options.seed)
    latents = Latents(options.work, described)
    vocabulary = train_text.vocabulary_of(options.packs, described)
    writer = captions.Writer(vocabulary.index, captions.Thesaurus())
    model = Model()
    model.text = train_text.load_reader(options.work, train_text.labels_of(described)).text
    net = model.transformer
    net.latent_mean.copy_(torch.from_numpy(latents.mean))
    net.latent_std.copy_(torch.from_numpy(latents.std))
    table = vocabulary.table().to(device)
    model.to(device)
    with torch.no_grad():
        text_f, text_f_c = model.text([[]], table)
        net.empty_string_feat.copy_(text_f[0])
        net.empty_string_feat_c.copy_(text_f_c[0])
    averaged = copy.deepcopy(net)
    teacher = None
    optimiser = torch.optim.AdamW(groups(net), options.rate, betas=(0.9, 0.98), weight_decay=0.01)
    path, step, seconds = os.path.join(options.work, "sound.pt"), 0, 0.0
    if os.path.exists(path):
        state = torch.load(path, map_location=device)
        net.load_state_dict(state["net"])
        averaged.load_state_dict(state["averaged"])
        if state["optimiser"]:
            optimiser.load_state_dict(state["optimiser"])
        step, seconds = state["step"], state["seconds"]
        if state["teacher"]:
            teacher = copy.deepcopy(net)
            teacher.load_state_dict(state["teacher"])
    random = np.random.default_rng(options.seed + step)
    log = open(os.path.join(options.work, "sound.log"), "a", buffering=1, encoding="utf-8")
    begin, sums = time.time() - seconds, {}

    def save(spent):
        torch.save({"net": net.state_dict(), "averaged": averaged.state_dict(), "optimiser": optimiser.state_dict(),
                    "teacher": teacher and teacher.state_dict(), "step": step, "seconds": time.time() - begin}, path)
        model.load_vae(options.work)
        shown = copy.copy(model)
        shown._modules = dict(model._modules, transformer=averaged)
        export(shown, vocabulary, options.export)

    while True:
        spent = min(1.0, (time.time() - begin) / 60 / options.minutes)
        late = max(0.0, (spent - FLOW_SHARE) / (1 - FLOW_SHARE))
        for group in optimiser.param_groups:
            group["lr"] = float(options.rate * group["share"] * min(1, (step + 1) / 400)
                                * (0.03 + 0.97 * np.cos(np.pi / 2 * late)))
        if spent >= FLOW_SHARE and teacher is None:
            teacher = copy.deepcopy(averaged)
            net.load_state_dict(averaged.state_dict())
            net.r_embed.load_state_dict(net.t_embed.state_dict())
            averaged.load_state_dict(net.state_dict())
        length = int(LENGTHS[random.integers(len(LENGTHS))])
        count = max(2, TOKENS // length // 2 * 2)
        chosen = latents.draw(random, count)
        x0 = torch.from_numpy(np.stack([latents.part(random, i, length) for i in chosen])).to(device)
        told = random.random(count) >= DROPOUT
        ids = [vocabulary.ids(writer.caption(random, described[i]["of"]), TEXT["rows"]) if keep else []
               for i, keep in zip(chosen, told)]
        with torch.no_grad():
            features = model.text(ids, table)
        noise = torch.randn_like(x0)
        velocity = noise - x0
        t = torch.sigmoid(torch.randn(count, device=device))
        t = torch.where(torch.rand(count, device=device) < 0.1, torch.ones_like(t), t)
        r, target = t.clone(), velocity
        half = count // 2
        if teacher is not None:
            some_r, some_t = intervals(random, count - half)
            r[half:], t[half:] = some_r.to(device), some_t.to(device)
        z = (1 - t)[:, None, None] * x0 + t[:, None, None] * noise
        with torch.autocast(device, dtype=torch.bfloat16, enabled=options.bfloat16):
            if teacher is not None:
                first, second = ([f[:half] for f in features], [f[half:] for f in features])
                empty = [net.empty_string_feat.expand(half, -1, -1), net.empty_string_feat_c.expand(half, -1)]
                target = flow_targets(velocity[:half], teacher, z[:half], t[:half], first, empty)
                if options.objective == "split":
                    later = split_targets(averaged, z[half:], r[half:], t[half:], second, random)
                else:
                    guided = flow_targets(velocity[half:], teacher, z[half:], t[half:], second, empty)
                    later = identity_targets(net, guided, z[half:], r[half:], t[half:], second)
                target = torch.cat([target, later])
            made = net(z, *features, r, t)
        error = (made.float() - target).pow(2).mean((1, 2))
        loss = error
        if teacher is not None and options.objective == "jvp":
            loss = error / (error.detach() + 1e-3)  # as the paper weighs it
        optimiser.zero_grad(set_to_none=True)
        loss.mean().backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        step += 1
        decay = min(0.995, step / (step + 50))
        with torch.no_grad():
            for mine, theirs in zip(averaged.parameters(), net.parameters()):
                mine.lerp_(theirs, 1 - decay)
        parts = {"flow": error if teacher is None else error[:half]}
        if teacher is not None:
            parts[options.objective] = error[half:]
        for name, values in parts.items():
            sums.setdefault(name, []).append(values.detach().mean().item())
        if step % 50 == 0:
            log.write("sound step %d %s seconds %.0f\n" % (step, " ".join(
                "%s %.4f" % (name, np.mean(values)) for name, values in sums.items()), time.time() - begin))
            sums = {}
        if step % 200 == 0 or spent >= 1:
            save(spent)
        if spent >= 1:
            break


if __name__ == "__main__":
    main()
