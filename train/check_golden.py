#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares the training modules with golden vectors of the published classes.

  python3 train/check_golden.py FOLDER      # holds vocos/, mrte/, dit_single/, asr_v1/, mel_v1/

The tolerance is 1e-4 of the largest value: float32 sums in another order.
"""
import os
import sys

import numpy as np
import torch

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from common import bundle
from common.vocos import Vocos
from voice.decoder import Decoder, TimbreEncoder
from voice.encoder import Encoder

failed = []


def report(name, mine, golden, tolerance=1e-4):
    mine = mine.detach().numpy().reshape(golden.shape)
    error = np.abs(mine - golden).max() / np.abs(golden).max()
    print("%-34s %.2e %s" % (name, error, "ok" if error <= tolerance else "FAILED"))
    if error > tolerance:
        failed.append(name)


def archive(path):
    return {name: value.float() for name, value in torch.jit.load(path).state_dict().items()}


def take(module, tensors):
    """Loads what the module has; the published encoder has a second, unused convolution."""
    own = module.state_dict()
    missing = [name for name in own if name not in tensors]
    assert not missing, missing
    module.load_state_dict({name: tensors[name] for name in own})
    return module.eval()


def check_vocos(folder, array):
    tensors = archive(os.path.join(folder, "vocos.pt"))
    dim, mel = tensors["backbone.embed.weight"].shape[:2]
    layers = len({name.split(".")[2] for name in tensors if name.startswith("backbone.convnext")})
    transform = len(tensors["head.istft.window"])
    net = take(Vocos(dim, tensors["backbone.convnext.0.pwconv1.weight"].shape[0], layers, mel,
                     transform, transform // 4), tensors)
    mel01 = array("mel01").T[None]
    report("vocos backbone", net.backbone(mel01), array("backbone").numpy())
    report("vocos samples", net(mel01), array("wav").numpy())


def check_mrte(folder, array):
    tensors = {name[name.index("vp_") if "prompt_vp" not in name else name.index("prompt_vp"):]: value
               for name, value in loaded(os.path.join(folder, "mrte.safetensors")).items()}
    bn, spk = tensors["vp_proj.weight"].shape
    mel = tensors["prompt_vp_encoders.0.self_attn.linear_v.weight"].shape[1]
    net = take(TimbreEncoder(bn, spk, mel), tensors)
    report("timbre encoder", net(array("cond")[None], array("prompt")[None], array("spk")[None]),
           array("out").numpy())


def loaded(path):
    return {name: torch.from_numpy(value.astype("f4")) for name, value in bundle.load(path)[0].items()}


def check_decoder(folder, array):
    tensors = loaded(os.path.join(folder, "dit.safetensors"))
    dim, mel = tensors["cache_embed.weight"].shape
    bn, spk = tensors["timbre_encoder.vp_proj.weight"].shape
    size = len(tensors["transformer_blocks.0.attn.q_norm.weight"])
    depth = len({name.split(".")[1] for name in tensors if name.startswith("transformer_blocks")})
    inner, x = tensors["transformer_blocks.0.attn.to_q.weight"].shape[0], array("x")[None]
    net = take(Decoder(dim, depth, inner // size, size,
                       tensors["transformer_blocks.0.ff.ff.0.0.weight"].shape[0] // dim, mel, bn, spk,
                       x.shape[1]), tensors)
    speaker = array("spk")[None]
    timbre = net.timbre_encoder(array("cond")[None], array("prompt")[None], speaker)
    for i, (t, r) in enumerate(((1.0, 0.0), (0.8, 0.0), (0.55, 0.31))):
        time = torch.tensor([t]), torch.tensor([r])
        report("decoder first, t %.2f r %.2f" % (t, r), net.single(x, None, timbre, speaker, *time),
               array("u_first_%d" % i).numpy())
        report("decoder next, t %.2f r %.2f" % (t, r),
               net.single(x, array("prev")[None], timbre, speaker, *time),
               array("u_prev_%d" % i).numpy())


def check_encoder(folder, array):
    tensors = {name[len("encoder."):]: value
               for name, value in archive(os.path.join(folder, "fastu2pp.pt")).items()
               if name.startswith("encoder.")}
    dim = tensors["after_norm.weight"].shape[0]
    layers = len({name.split(".")[1] for name in tensors if name.startswith("encoders.")})
    for chunk in (2, 4):
        net = Encoder(dim, tensors["encoders.0.self_attn.pos_bias_u"].shape[0],
                      tensors["encoders.0.feed_forward.w_1.weight"].shape[0], layers,
                      tensors["encoders.0.conv_module.streaming_conv.depthwise_conv.weight"].shape[2],
                      chunk)
        golden = array("bnf_chunk%d" % chunk).numpy()
        made = take(net, tensors)(array("fbank")[None])[0, :len(golden)]
        report("encoder, chunks of %d" % chunk, made, golden)


def main():
    checks = {"vocos": check_vocos, "mrte": check_mrte, "dit_single": check_decoder,
              "asr_v1": check_encoder}
    with torch.no_grad():
        for name, check in checks.items():
            folder = os.path.join(sys.argv[1], name)
            check(folder, lambda part, folder=folder: torch.from_numpy(
                np.load(os.path.join(folder, part + ".npy")).astype("f4")))
    sys.exit(1 if failed else 0)


main()
