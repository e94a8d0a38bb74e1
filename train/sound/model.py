# SPDX-License-Identifier: GPL-3.0-or-later
"""The default sound model as one: text encoder, latent transformer, autoencoder; from and to its bundle."""
import json
import os

import numpy as np
import torch

from common import bundle
from sound import train_text, train_vae
from sound.text import TextEncoder
from sound.transformer import Transformer
from sound.vae import Vae

SIZES = {"width": 128, "heads": 2, "joint": 2, "fused": 3, "inner": 256, "entry": 128}
TEXT = train_text.SIZES
STEPS = 1  # that a player takes unless told otherwise


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


def export(model, vocabulary, code, path):
    tensors = code.tensors()
    for prefix in ("transformer", "vae", "text"):
        tensors.update(bundle.half(getattr(model, prefix), prefix + "."))
    tensors.update(vocabulary.tensors())
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
