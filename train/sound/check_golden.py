#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares this folder's modules with golden vectors of the official ones.

  python3 train/sound/check_golden.py DIR     (DIR holds transformer, vae_decoder, vae_encoder, meanflow_loss)

Tolerance: 2e-4 of the array's largest magnitude (float32, any order of summation). `dudt` comes from the
double-backward product, so du/dt may also be used as a training target.
"""
import json
import os
import sys

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from sound.transformer import Transformer
from sound.vae import Vae

TOLERANCE = 2e-4
failed = False


def compare(name, made, wanted):
    global failed
    error = np.abs(made.detach().numpy() - wanted).max() / np.abs(wanted).max()
    failed |= not error <= TOLERANCE
    print(f"{name}: {error:.1e} {'ok' if error <= TOLERANCE else 'WRONG'}")


def main():
    folder = sys.argv[1]

    def array(case, name):
        return torch.from_numpy(np.load(os.path.join(folder, case, name + ".npy")))

    with open(os.path.join(folder, "transformer", "config.json"), encoding="utf-8") as file:
        config = json.load(file)["config"]
    state = torch.load(os.path.join(folder, "transformer", "meanaudio_tiny.pth"), map_location="cpu")
    state = {name.replace("ema_model.", ""): value for name, value in state.items()
             if not name.endswith((".freqs", "latent_rot", "text_rot"))}
    joint = config["depth"] - config["fused_depth"]
    net = Transformer(config["hidden_dim"], config["num_heads"], joint, config["fused_depth"],
                      config["text_seq_len"], config["text_dim"], config["text_c_dim"], config["latent_dim"])
    net.load_state_dict(state)
    inputs = [array("transformer", "in_" + name) for name in ("latent", "text_f", "text_f_c", "r", "t")]
    compare("transformer u", net(*inputs), array("transformer", "u").numpy())

    z, text_f, text_f_c, r, t, v_hat = (array("meanflow_loss", name) for name in
                                        ("z", "text_f", "text_f_c", "r", "t", "v_hat"))
    u, slope = torch.autograd.functional.jvp(lambda z, r, t: net(z, text_f, text_f_c, r, t), (z, r, t),
                                             (v_hat, torch.zeros_like(r), torch.ones_like(t)))
    compare("meanflow u", u, array("meanflow_loss", "u").numpy())
    compare("meanflow du/dt", slope, array("meanflow_loss", "dudt").numpy())

    state = torch.load(os.path.join(folder, "vae_decoder", "v1_tiny.pth"), map_location="cpu")
    latent = state["decoder.conv_in.weight"].shape[1]
    width = state["encoder.conv_in.weight"].shape[0]
    vae = Vae(width, latent, state["data_mean"].shape[1])
    vae.load_state_dict(state)
    compare("vae decoder", vae.decode(array("vae_decoder", "z")), array("vae_decoder", "mel").numpy())
    mean, log_variance = vae.encode(array("vae_encoder", "mel"))
    compare("vae encoder mean", mean, array("vae_encoder", "mean").numpy())
    compare("vae encoder log variance", log_variance, array("vae_encoder", "logvar").numpy())
    sys.exit(failed)


if __name__ == "__main__":
    main()
