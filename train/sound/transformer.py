# SPDX-License-Identifier: GPL-3.0-or-later
"""MeanAudio's latent transformer with the official tensor names; any size. Sequences are [batch, time, channel].

net(latent [B, N, 20], text_f [B, rows, text], text_f_c [B, pooled], r [B], t [B]) -> u [B, N, 20]
"""
import torch
from torch import nn
from torch.nn import functional as F


def inner_size(width):
    return 256 * -(-int(2 * 4 * width / 3) // 256)


def normalise(x, shift, scale):
    return F.layer_norm(x, x.shape[-1:]) * (1 + scale) + shift


class Conv(nn.Conv1d):
    """A convolution over time of [batch, time, channel]."""

    def __init__(self, inside, outside, kernel, bias=True):
        super().__init__(inside, outside, kernel, padding=kernel // 2, bias=bias)

    def forward(self, x):
        """One matrix product over shifted copies: faster than the library's convolution for these sizes."""
        kernel, length = self.weight.shape[2], x.shape[1]
        padded = F.pad(x, (0, 0, kernel // 2, kernel // 2))
        shifted = torch.cat([padded[:, i:i + length] for i in range(kernel)], -1)
        return F.linear(shifted, self.weight.transpose(1, 2).flatten(1), self.bias)


class Mlp(nn.Module):
    """Gated MLP: convolutions when kernel > 0, else plain."""

    def __init__(self, width, inner, kernel=0):
        super().__init__()

        def layer(inside, outside):
            if kernel:
                return Conv(inside, outside, kernel, bias=False)
            return nn.Linear(inside, outside, bias=False)

        self.w1, self.w2, self.w3 = layer(width, inner), layer(inner, width), layer(width, inner)

    def forward(self, x):
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


class TimeEmbedding(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(256, width), nn.SiLU(), nn.Linear(width, width))
        self.register_buffer("freqs", 10000.0 ** (-2 * torch.arange(128) / 256), persistent=False)

    def forward(self, s):
        angle = s[:, None] * self.freqs
        return self.mlp(torch.cat([angle.cos(), angle.sin()], 1))


def rotate(x):
    """RoPE over adjacent pairs of [B, heads, time, d]."""
    d = x.shape[-1]
    theta = 10000.0 ** (-torch.arange(0, d, 2, device=x.device) / d)
    angle = torch.arange(x.shape[2], device=x.device)[:, None] * theta
    even, odd, cos, sin = x[..., 0::2], x[..., 1::2], angle.cos(), angle.sin()
    return torch.stack([cos * even - sin * odd, sin * even + cos * odd], -1).flatten(3)


class RmsNorm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1.1920929e-7) * self.weight


class Projection(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.q_norm, self.k_norm = RmsNorm(width // heads), RmsNorm(width // heads)

    def forward(self, x):
        batch, length, width = x.shape
        packed = self.qkv(x).reshape(batch, length, self.heads, width // self.heads, 3)
        q, k, v = packed.transpose(1, 2).unbind(-1)
        return rotate(self.q_norm(q)), rotate(self.k_norm(k)), v


def attend(q, k, v):
    weights = torch.softmax(q @ k.transpose(2, 3) / q.shape[-1] ** 0.5, -1)
    return (weights @ v).transpose(1, 2).flatten(2)


class Block(nn.Module):
    def __init__(self, width, heads, inner, kernel, pre_only=False):
        super().__init__()
        self.attn = Projection(width, heads)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, (2 if pre_only else 6) * width))
        if not pre_only:
            self.linear1 = Conv(width, width, kernel) if kernel else nn.Linear(width, width)
            self.ffn = Mlp(width, inner, kernel)

    def pre(self, x, c):
        modulation = self.adaLN_modulation(c)[:, None].split(x.shape[-1], -1)
        return self.attn(normalise(x, modulation[0], modulation[1])), modulation[2:]

    def post(self, x, attended, modulation):
        gate1, shift2, scale2, gate2 = modulation
        x = x + self.linear1(attended) * gate1
        return x + self.ffn(normalise(x, shift2, scale2)) * gate2

    def forward(self, x, c):
        qkv, modulation = self.pre(x, c)
        return self.post(x, attend(*qkv), modulation)


class JointBlock(nn.Module):
    def __init__(self, width, heads, inner, last):
        super().__init__()
        self.latent_block = Block(width, heads, inner, 3)
        self.text_block = Block(width, heads, inner, 0, pre_only=last)
        self.last = last

    def forward(self, latent, text, c):
        sound, sound_modulation = self.latent_block.pre(latent, c)
        words, text_modulation = self.text_block.pre(text, c)
        out = attend(*(torch.cat(pair, 2) for pair in zip(sound, words)))
        length = latent.shape[1]
        latent = self.latent_block.post(latent, out[:, :length], sound_modulation)
        if not self.last:
            text = self.text_block.post(text, out[:, length:], text_modulation)
        return latent, text


class FinalLayer(nn.Module):
    def __init__(self, width, latent):
        super().__init__()
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))
        self.conv = Conv(width, latent, 7)

    def forward(self, x, c):
        shift, scale = self.adaLN_modulation(c)[:, None].chunk(2, -1)
        return self.conv(normalise(x, shift, scale))


class Transformer(nn.Module):
    def __init__(self, width, heads, joint, fused, rows, text, pooled, latent=20, inner=None, entry=None):
        """inner, entry: of the gated MLPs and of the one that reads the latents; None: as the paper."""
        super().__init__()
        inner = inner or inner_size(width)
        self.audio_input_proj = nn.Sequential(Conv(latent, width, 7), nn.SELU(),
                                              Mlp(width, entry or inner, 7))
        self.text_input_proj = nn.Sequential(nn.Linear(text, width), Mlp(width, inner))
        self.text_cond_proj = nn.Sequential(nn.Linear(pooled, width), Mlp(width, inner))
        self.t_embed, self.r_embed = TimeEmbedding(width), TimeEmbedding(width)
        self.joint_blocks = nn.ModuleList(JointBlock(width, heads, inner, i == joint - 1) for i in range(joint))
        self.fused_blocks = nn.ModuleList(Block(width, heads, inner, 3) for _ in range(fused))
        self.final_layer = FinalLayer(width, latent)
        self.register_buffer("latent_mean", torch.zeros(1, 1, latent))
        self.register_buffer("latent_std", torch.ones(1, 1, latent))
        self.register_buffer("empty_string_feat", torch.zeros(rows, text))
        self.register_buffer("empty_string_feat_c", torch.zeros(pooled))

    def initialise(self):
        """As the paper: Xavier weights, zero modulation and last convolution; but larger time embeddings about their
        middle: at 0.02 all times are one, since of their 256 inputs most are cosines near one."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for name, parameter in self.named_parameters():
            if "embed.mlp" in name and name.endswith("weight"):
                nn.init.normal_(parameter, std=0.5 if "mlp.0" in name else 0.1)
            if "adaLN_modulation" in name or "final_layer.conv" in name:
                nn.init.zeros_(parameter)
        with torch.no_grad():
            for embed in (self.t_embed, self.r_embed):
                angle = 0.5 * embed.freqs
                embed.mlp[0].bias.copy_(-embed.mlp[0].weight @ torch.cat([angle.cos(), angle.sin()]))

    def forward(self, latent, text_f, text_f_c, r, t):
        text = self.text_input_proj(text_f)
        c = self.t_embed(t) + self.r_embed(r) + self.text_cond_proj(text_f_c)
        h = self.audio_input_proj(latent)
        for block in self.joint_blocks:
            h, text = block(h, text, c)
        for block in self.fused_blocks:
            h = block(h, c)
        return self.final_layer(h, c)
