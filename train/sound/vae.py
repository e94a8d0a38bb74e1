# SPDX-License-Identifier: GPL-3.0-or-later
"""MeanAudio's magnitude-preserving 1-D autoencoder, with the official tensor names; any width.

mel [batch, 80, 2 N] -> mean, log variance [batch, 20, N]; latents [batch, 20, N] -> mel [batch, 80, 2 N].
"""
import torch
from torch import nn
from torch.nn import functional as F


class Conv(nn.Module):
    def __init__(self, inside, outside, kernel):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outside, inside, kernel))

    def forward(self, x, gain=1.0):
        size = self.weight[0].numel()
        norm = self.weight.flatten(1).norm(dim=1)[:, None, None] / size ** 0.5
        weight = self.weight / (1e-4 + norm) / size ** 0.5 * gain
        return F.conv1d(x, weight, padding=self.weight.shape[2] // 2)


def activate(x):
    return F.silu(x) / 0.596


def pixel_norm(x, dim=1):
    return x / (1e-4 + x.norm(dim=dim, keepdim=True) / x.shape[dim] ** 0.5)


def magnitude_sum(x, h):
    return (0.7 * x + 0.3 * h) / (0.7 ** 2 + 0.3 ** 2) ** 0.5


def clip(x):
    return x.clamp(-256, 256)


class Residual(nn.Module):
    def __init__(self, inside, outside):
        super().__init__()
        self.conv1 = Conv(inside, outside, 3)
        self.conv2 = Conv(outside, outside, 3)
        if inside != outside:
            self.nin_shortcut = Conv(inside, outside, 1)

    def forward(self, x):
        x = pixel_norm(x)
        h = self.conv2(activate(self.conv1(activate(x))))
        return magnitude_sum(self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x, h)


class Attention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.qkv = Conv(width, 3 * width, 1)
        self.proj_out = Conv(width, width, 1)

    def forward(self, x):
        batch, width, length = x.shape
        q, k, v = pixel_norm(self.qkv(x).reshape(batch, width, 3, length)).unbind(2)
        weights = torch.softmax(q.transpose(1, 2) @ k / width ** 0.5, dim=2)
        return magnitude_sum(x, self.proj_out(v @ weights.transpose(1, 2)))


class Middle(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.block_1 = Residual(width, width)
        self.attn_1 = Attention(width)
        self.block_2 = Residual(width, width)

    def forward(self, x):
        return clip(self.block_2(self.attn_1(self.block_1(x))))


class Level(nn.Module):
    def __init__(self, inside, outside, blocks):
        super().__init__()
        self.block = nn.ModuleList(Residual(inside if i == 0 else outside, outside)
                                   for i in range(blocks))

    def forward(self, x):
        for block in self.block:
            x = clip(block(x))
        return x


class Downsample(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv1 = Conv(width, width, 1)
        self.conv2 = Conv(width, width, 1)

    def forward(self, x):
        return self.conv2(F.avg_pool1d(self.conv1(x), 2))


class Upsample(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = Conv(width, width, 3)

    def forward(self, x):
        return self.conv(x.repeat_interleave(2, dim=2))


class Encoder(nn.Module):
    def __init__(self, bins, widths, latent):
        super().__init__()
        first, second, third = widths
        self.conv_in = Conv(bins, first, 3)
        self.down = nn.ModuleList([Level(first, first, 2), Level(first, second, 2), Level(second, third, 2)])
        self.down[0].downsample = Downsample(first)
        self.mid = Middle(third)
        self.conv_out = Conv(third, 2 * latent, 3)
        self.learnable_gain = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        x = self.down[0].downsample(self.down[0](self.conv_in(x)))
        x = self.mid(self.down[2](self.down[1](x)))
        return self.conv_out(activate(x), 1 + self.learnable_gain)


class Decoder(nn.Module):
    def __init__(self, bins, widths, latent):
        super().__init__()
        first, second, third = widths
        self.conv_in = Conv(latent, third, 3)
        self.mid = Middle(third)
        self.up = nn.ModuleList([Level(second, first, 3), Level(third, second, 3), Level(third, third, 3)])
        self.up[1].upsample = Upsample(second)
        self.conv_out = Conv(first, bins, 3)
        self.learnable_gain = nn.Parameter(torch.zeros(()))

    def forward(self, z):
        x = self.up[2](self.mid(self.conv_in(z)))
        x = self.up[0](self.up[1].upsample(self.up[1](x)))
        return self.conv_out(activate(x), 1 + self.learnable_gain)


class Vae(nn.Module):
    """widths: of the three levels; one number w stands for w, 2 w, 4 w as in the official file."""

    def __init__(self, widths=32, latent=20, bins=80):
        super().__init__()
        if isinstance(widths, int):
            widths = (widths, 2 * widths, 4 * widths)
        self.encoder = Encoder(bins, widths, latent)
        self.decoder = Decoder(bins, widths, latent)
        self.register_buffer("data_mean", torch.zeros(1, bins, 1))
        self.register_buffer("data_std", torch.ones(1, bins, 1))

    def encode(self, mel):
        out = self.encoder((mel - self.data_mean) / self.data_std)
        mean, log_variance = out.chunk(2, dim=1)
        return mean, log_variance.clamp(-30, 20)

    def decode(self, z):
        return self.decoder(z) * self.data_std + self.data_mean
