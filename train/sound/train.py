#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the default sound model's text encoder and latent transformer, and exports the bundle.

  python3 train/sound/train.py --packs PACKS --work WORK [--seconds S] [--export models/sound.safetensors]

Needs WORK/sound-vae.pt; train_vae.py is run first when it is missing. Resumes from WORK/sound.pt, else from
the exported bundle when --resume names one. The first half is flow matching (r = t); then interval
consistency (SplitMeanFlow): u over [r, t] learns the weighted sum of u over [r, s] and [s, t].
"""
import argparse
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
from sound import data
from sound.text import TextEncoder, Vocabulary
from sound.transformer import Transformer
from sound.vae import Vae

SIZES = {"width": 96, "heads": 3, "joint": 2, "fused": 4}
TEXT = {"width": 128, "heads": 2, "layers": 1, "rows": 24}
FRAMES = 256
BATCH = 8


class Model(torch.nn.Module):
    def __init__(self, vae_width):
        super().__init__()
        self.text = TextEncoder(**TEXT)
        self.transformer = Transformer(**SIZES, rows=TEXT["rows"], text=TEXT["width"], pooled=TEXT["width"])
        self.transformer.initialise()
        self.vae = Vae(vae_width)


def targets(model, z, velocity, features, empty, t, r, split):
    """What u(z, r, t) should be: the guided velocity where r = t, else the split interval's weighted sum."""
    net = model.transformer
    if not split:
        return velocity
    with torch.no_grad():
        guided = 0.3 * velocity + 0.9 * net(z, *features, t, t) - 0.2 * net(z, *empty, t, t)
        s = r + (t - r) * torch.rand_like(t)
        late = net(z, *features, s, t)
        between = z - (t - s)[:, None, None] * late
        early = net(between, *features, r, s)
        share = ((t - s) / (t - r).clamp(min=1e-6))[:, None, None]
        joined = share * late + (1 - share) * early
        return torch.where((t - r < 1e-6)[:, None, None], guided, joined)


def export(model, vocabulary, path):
    tensors = {}
    for prefix in ("transformer", "vae", "text"):
        tensors.update(bundle.half(getattr(model, prefix), prefix + "."))
    tensors["text.words"] = np.frombuffer("\n".join(vocabulary.words).encode(), "u1")
    tensors["text.vectors"] = vocabulary.vectors
    tensors["text.scales"] = vocabulary.scales.astype("<f4")
    config = {"rate_hz": 16000, "hop": 160, "mel_bins": 80, "mel": "meanvc-prompt", "latent_dim": 20,
              "latents_per_second": 50, "hidden_dim": SIZES["width"], "num_heads": SIZES["heads"],
              "depth": SIZES["joint"] + SIZES["fused"], "fused_depth": SIZES["fused"], "use_rope": True,
              "text_seq_len": TEXT["rows"], "text_dim": TEXT["width"], "text_c_dim": TEXT["width"],
              "text_heads": TEXT["heads"], "text_layers": TEXT["layers"], "word_dim": 100,
              "words": len(vocabulary.words), "vae_width": model.vae.encoder.conv_in.weight.shape[0]}
    bundle.save(path, tensors, {"format": "meanwave-bundle-1", "family": "meanaudio",
                                "name": "Meanwave default sound model",
                                "licence": "CC-BY-4.0; attribution in sound.md", "config": json.dumps(config)})


def import_bundle(model, path):
    tensors, _ = bundle.load(path)
    state = {name: torch.from_numpy(value.astype("f4")) for name, value in tensors.items()
             if value.dtype == np.dtype("<f2")}
    model.load_state_dict(state)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packs", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--made", type=int, default=300, help="synthesised clips")
    parser.add_argument("--seconds", type=float, default=36000)
    parser.add_argument("--words", type=int, default=16000)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--resume", help="an exported bundle to start from")
    parser.add_argument("--export")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    vae_path = os.path.join(options.work, "sound-vae.pt")
    if not os.path.exists(vae_path):
        subprocess.run([sys.executable, os.path.join(HERE, "train_vae.py"), "--packs", options.packs,
                        "--work", options.work, "--seed", str(options.seed)], check=True)
    saved = torch.load(vae_path, map_location="cpu")
    vocabulary = Vocabulary.from_pack(os.path.join(options.packs, "wordvec"), options.words)
    table = vocabulary.table().to(device)
    mels, captions = data.load(options.packs, options.work, options.made, options.seed)
    random = np.random.default_rng(options.seed)

    path, step = os.path.join(options.work, "sound.pt"), 0
    model = Model(saved["width"])
    model.vae.load_state_dict(saved["model"])
    if options.resume:
        import_bundle(model, options.resume)
    model.to(device)
    trained = list(model.text.parameters()) + list(model.transformer.parameters())
    optimiser = torch.optim.AdamW(trained, options.rate, betas=(0.9, 0.95), eps=1e-6, weight_decay=1e-6)
    if os.path.exists(path):
        state = torch.load(path, map_location=device)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        step = state["step"]
        random = np.random.default_rng(options.seed + step)
    net = model.transformer

    def latents(chosen):
        parts = np.stack([data.crop(mels[i], FRAMES, random) for i in chosen])
        with torch.no_grad():
            return model.vae.encode(torch.from_numpy(parts).to(device))[0].transpose(1, 2)

    if step == 0 and not options.resume:
        first = latents(random.integers(len(mels), size=96)).flatten(0, 1)
        net.latent_mean.copy_(first.mean(0))
        net.latent_std.copy_(first.std(0))

    begin, mean_loss, start_step = time.time(), None, step
    while True:
        spent = (time.time() - begin) / options.seconds
        warm = min(1, (step - start_step + 1) / 20)
        optimiser.param_groups[0]["lr"] = options.rate * warm * max(0.05, 1 - spent)
        chosen = random.integers(len(mels), size=BATCH)
        x0 = (latents(chosen) - net.latent_mean) / net.latent_std
        noise = torch.randn_like(x0)
        times = torch.sigmoid(torch.randn(2, BATCH, device=device) - 0.4)
        t, r = times.max(0).values, times.min(0).values
        split = step - start_step > 20 and spent > 0.5
        instant = torch.rand(BATCH, device=device) < (0.5 if split else 1.0)
        whole = torch.rand(BATCH, device=device) < 0.25
        t = torch.where(whole, torch.ones_like(t), t)
        r = torch.where(instant, t, torch.where(whole, torch.zeros_like(r), r))
        z = (1 - t)[:, None, None] * x0 + t[:, None, None] * noise
        ids = []
        for i in chosen:
            text = captions[i][random.integers(len(captions[i]))]
            ids.append([] if random.random() < 0.1 else vocabulary.ids(text, TEXT["rows"]))
        features = model.text(ids, table)
        with torch.no_grad():
            empty = [x.expand(BATCH, *x.shape[1:]) for x in model.text([[]], table)]
        target = targets(model, z, noise - x0, features, empty, t, r, split)
        q = (net(z, *features, r, t) - target).pow(2).mean((1, 2))
        optimiser.zero_grad()
        ((q / (q.detach() + 1e-3)) if split else q).mean().backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        step += 1
        value = q.mean().item()
        mean_loss = value if mean_loss is None else 0.95 * mean_loss + 0.05 * value
        if step % 20 == 0 or spent >= 1:
            line = f"transformer {step} {'split' if split else 'flow'} error {mean_loss:.4f}"
            print(line, flush=True)
            with open(os.path.join(options.work, "sound.log"), "a", encoding="utf-8") as log:
                log.write(line + "\n")
            torch.save({"model": model.state_dict(), "optimiser": optimiser.state_dict(), "step": step}, path)
        if spent >= 1:
            break
    with torch.no_grad():
        text_f, text_f_c = model.text([[]], table)
        net.empty_string_feat.copy_(text_f[0])
        net.empty_string_feat_c.copy_(text_f_c[0])
    if options.export:
        export(model, vocabulary, options.export)


if __name__ == "__main__":
    main()
