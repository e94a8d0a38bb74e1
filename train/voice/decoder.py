# SPDX-License-Identifier: GPL-3.0-or-later
"""MeanVC's decoder: timbre encoder and chunk-wise autoregressive transformer of mean velocities."""
import math

import torch
from torch import nn

from common.pitch_embedding import PitchEmbedding


class TimeEmbedding(nn.Module):
    def __init__(self, dim, features=256):
        super().__init__()
        self.time_mlp = nn.Sequential(nn.Linear(features, dim), nn.SiLU(), nn.Linear(dim, dim))
        self.half = features // 2

    def forward(self, time):
        index = torch.arange(self.half, device=time.device)
        angle = (1000 * time)[:, None] * torch.exp(index * (-math.log(10000.0) / (self.half - 1)))
        return self.time_mlp(torch.cat([angle.sin(), angle.cos()], -1))


class PromptAttention(nn.Module):
    def __init__(self, bn, mel, heads):
        super().__init__()
        self.heads = heads
        self.linear_q = nn.Linear(bn, bn)
        self.linear_k = nn.Linear(mel + bn, bn)
        self.linear_v = nn.Linear(mel, bn)
        self.linear_out = nn.Linear(bn, bn)

    def forward(self, query, key, value):
        def split(x):
            return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)
        q, k, v = split(self.linear_q(query)), split(self.linear_k(key)), split(self.linear_v(value))
        share = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]), -1)
        return self.linear_out((share @ v).transpose(1, 2).flatten(2))


class PromptFeedForward(nn.Module):
    def __init__(self, bn):
        super().__init__()
        self.w_1 = nn.Linear(bn, bn)
        self.w_2 = nn.Linear(bn, bn)

    def forward(self, x):
        return self.w_2(torch.relu(self.w_1(x)))


class PromptEncoder(nn.Module):
    def __init__(self, bn, mel, heads):
        super().__init__()
        self.self_attn = PromptAttention(bn, mel, heads)
        self.norm1 = nn.LayerNorm(bn)
        self.norm2 = nn.LayerNorm(bn)
        self.ffn = PromptFeedForward(bn)

    def forward(self, query, key, value):
        query = self.norm1(query + self.self_attn(query, key, value))
        return self.norm2(query + self.ffn(query))


class TimbreEncoder(nn.Module):
    def __init__(self, bn, spk, mel, heads=4):
        super().__init__()
        self.vp_proj = nn.Linear(spk, bn, bias=False)
        self.prompt_vp_encoders = nn.ModuleList(PromptEncoder(bn, mel, heads) for _ in range(2))

    def forward(self, cond, prompt, spk):
        """cond [B, T, bn], prompt [B, P, mel], spk [B, spk] -> [B, T, bn]"""
        key = torch.cat([prompt, self.vp_proj(spk)[:, None].expand(-1, prompt.shape[1], -1)], -1)
        for layer in self.prompt_vp_encoders:
            cond = layer(cond, key, prompt)
        return cond


class HeadNorm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-6) * self.weight


class Rotary(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.register_buffer("inv_freq", 10000.0 ** (-torch.arange(0, size, 2) / size))

    def forward(self, x, positions):
        angle = positions[:, None] * self.inv_freq
        a, b = x[..., 0::2], x[..., 1::2]
        return torch.stack([a * angle.cos() - b * angle.sin(),
                            b * angle.cos() + a * angle.sin()], -1).flatten(-2)


class Attention(nn.Module):
    def __init__(self, dim, heads, size):
        super().__init__()
        self.heads = heads
        self.to_q, self.to_k, self.to_v = (nn.Linear(dim, heads * size) for _ in range(3))
        self.q_norm, self.k_norm = HeadNorm(size), HeadNorm(size)
        self.to_out = nn.ModuleList([nn.Linear(heads * size, dim)])

    def forward(self, x, rotary, positions, mask, rows):
        """The last `rows` rows ask all."""
        def split(y):
            return y.view(*y.shape[:2], self.heads, -1).transpose(1, 2)
        q = rotary(self.q_norm(split(self.to_q(x[:, -rows:]))), positions[-rows:])
        k = rotary(self.k_norm(split(self.to_k(x))), positions)
        score = torch.baddbmm(torch.where(mask[-rows:], 0.0, -1e9)[None], q.flatten(0, 1),
                              k.flatten(0, 1).transpose(-1, -2), alpha=q.shape[-1] ** -0.5)
        out = torch.softmax(score, -1).view(*q.shape[:3], -1) @ split(self.to_v(x))
        return self.to_out[0](out.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    def __init__(self, dim, inner):
        super().__init__()
        self.ff = nn.Sequential(nn.Sequential(nn.Linear(dim, inner)), nn.Identity(),
                                nn.Linear(inner, dim))

    def forward(self, x):
        return self.ff[2](nn.functional.gelu(self.ff[0](x), approximate="tanh"))


class Modulation(nn.Module):
    def __init__(self, dim, parts):
        super().__init__()
        self.linear = nn.Linear(dim, parts * dim)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, c, parts):
        return self.linear(nn.functional.silu(c))[:, None].chunk(parts, -1)


def normalise(x):
    return nn.functional.layer_norm(x, x.shape[-1:], eps=1e-6)


class Block(nn.Module):
    def __init__(self, dim, heads, size, inner):
        super().__init__()
        self.attn_norm = Modulation(dim, 6)
        self.attn = Attention(dim, heads, size)
        self.ff = FeedForward(dim, inner)

    def forward(self, h, c, rotary, positions, mask, rows):
        """-> the last `rows` rows"""
        s1, g1, a1, s2, g2, a2 = self.attn_norm(c, 6)
        heard = normalise(h) * (1 + g1) + s1
        h = h[:, -rows:] + a1 * self.attn(heard, rotary, positions, mask, rows)
        return h + a2 * self.ff(normalise(h) * (1 + g2) + s2)


class InputEmbedding(nn.Module):
    def __init__(self, inputs, dim):
        super().__init__()
        self.proj = nn.Linear(inputs, dim)

    def forward(self, x, timbre, spk):
        return self.proj(torch.cat([x, timbre, spk[:, None].expand(-1, x.shape[1], -1)], -1))


class Decoder(nn.Module):
    """`pitch`: None as published, else the bins and range of a pitch embedding."""

    def __init__(self, dim=256, depth=4, heads=4, dim_head=64, ff_mult=2, mel=80, bn=96, spk=96,
                 chunk=8, prompt_heads=4, pitch=None):
        super().__init__()
        self.config = dict(dim=dim, depth=depth, heads=heads, dim_head=dim_head, ff_mult=ff_mult,
                           mel=mel, bn=bn, spk=spk, chunk=chunk)
        if pitch is not None:
            self.config["pitch"] = pitch
            self.pitch_embed = PitchEmbedding(bn, **pitch)
        self.chunk = chunk
        self.t_time_embed = TimeEmbedding(dim)
        self.r_time_embed = TimeEmbedding(dim)
        self.input_embed = InputEmbedding(mel + bn + spk, dim)
        self.cache_embed = nn.Linear(mel, dim)
        self.rotary_embed = Rotary(dim_head)
        self.timbre_encoder = TimbreEncoder(bn, spk, mel, prompt_heads)
        self.transformer_blocks = nn.ModuleList(
            Block(dim, heads, dim_head, ff_mult * dim) for _ in range(depth))
        self.norm_out = Modulation(dim, 2)
        self.proj_out = nn.Linear(dim, mel)

    def run(self, tokens, rows, t, r, positions, mask):
        c = self.t_time_embed(t) + self.r_time_embed(r)
        for block in self.transformer_blocks:
            kept = rows if block is self.transformer_blocks[-1] else tokens.shape[1]
            tokens = block(tokens, c, self.rotary_embed, positions, mask, kept)
        scale, shift = self.norm_out(c, 2)
        return self.proj_out(normalise(tokens) * (1 + scale) + shift)

    def forward(self, x, clean, timbre, spk, t, r, clean_past=5):
        """The training layout: noisy x and clean [B, T, mel] of whole sequences -> u [B, T, mel].

        Noisy chunk q sees itself and the clean chunks q-5 .. q-1. Clean chunks see `clean_past` clean
        chunks before them: 5 as when streaming, 0 as MeanVC trains.
        """
        rows = x.shape[1]
        tokens = torch.cat([self.cache_embed(clean), self.input_embed(x, timbre, spk)], 1)
        index = torch.arange(rows, device=x.device)
        part = index // self.chunk
        apart = part[:, None] - part[None]
        past = (apart >= 0) & (apart <= clean_past)
        before = (apart >= 1) & (apart <= 5)
        mask = torch.cat([torch.cat([past, torch.zeros_like(past)], 1),
                          torch.cat([before, apart == 0], 1)], 0)
        return self.run(tokens, rows, t, r, torch.cat([index, index]).float(), mask)

    def single(self, x, previous, timbre, spk, t, r):
        """One chunk after at most one clean chunk: the engine's call without history."""
        tokens = self.input_embed(x, timbre, spk)
        if previous is not None:
            tokens = torch.cat([self.cache_embed(previous), tokens], 1)
        count = tokens.shape[1]
        part = torch.arange(count) // self.chunk
        mask = part[:, None] >= part[None]
        return self.run(tokens, x.shape[1], t, r, torch.arange(count).float(), mask)
