# SPDX-License-Identifier: GPL-3.0-or-later
"""ECAPA speaker encoder on the prompt mel, with the parameter names of MeanVC's ECAPA head."""
import torch
from torch import nn


class ConvReluNorm(nn.Module):
    def __init__(self, inputs, outputs, kernel=1):
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, kernel, padding=kernel // 2)
        self.bn = nn.BatchNorm1d(outputs)

    def forward(self, x):
        return self.bn(torch.relu(self.conv(x)))


class Res2(nn.Module):
    def __init__(self, channels, dilation, groups=8):
        super().__init__()
        self.groups = groups
        width = channels // groups
        self.convs = nn.ModuleList(nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
                                   for _ in range(groups - 1))
        self.bns = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(groups - 1))

    def forward(self, x):
        parts = x.chunk(self.groups, 1)
        made, last = [], 0
        for part, conv, norm in zip(parts, self.convs, self.bns):
            last = norm(torch.relu(conv(part + last)))
            made.append(last)
        return torch.cat(made + [parts[-1]], 1)


class Connect(nn.Module):
    def __init__(self, channels, inner):
        super().__init__()
        self.linear1 = nn.Linear(channels, inner)
        self.linear2 = nn.Linear(inner, channels)

    def forward(self, x):
        gate = torch.sigmoid(self.linear2(torch.relu(self.linear1(x.mean(2)))))
        return x * gate[:, :, None]


class Layer(nn.Module):
    def __init__(self, channels, dilation, inner):
        super().__init__()
        self.Conv1dReluBn1 = ConvReluNorm(channels, channels)
        self.Res2Conv1dReluBn = Res2(channels, dilation)
        self.Conv1dReluBn2 = ConvReluNorm(channels, channels)
        self.SE_Connect = Connect(channels, inner)

    def forward(self, x):
        return x + self.SE_Connect(self.Conv1dReluBn2(self.Res2Conv1dReluBn(self.Conv1dReluBn1(x))))


class Pooling(nn.Module):
    def __init__(self, channels, inner):
        super().__init__()
        self.linear1 = nn.Conv1d(channels, inner, 1)
        self.linear2 = nn.Conv1d(inner, channels, 1)

    def forward(self, x):
        share = torch.softmax(self.linear2(torch.tanh(self.linear1(x))), 2)
        mean = (share * x).sum(2)
        return torch.cat([mean, ((share * x * x).sum(2) - mean ** 2).clamp(min=1e-9).sqrt()], 1)


class Speaker(nn.Module):
    """mel [batch, 80, T] -> [batch, size]"""

    def __init__(self, channels=128, cat=384, attention=64, se=64, size=128):
        super().__init__()
        self.config = dict(input="mel", channels=channels, cat=cat, attention=attention, se=se,
                           scale=8, out=size)
        self.layer1 = ConvReluNorm(80, channels, 5)
        self.layer2, self.layer3, self.layer4 = (Layer(channels, d, se) for d in (2, 3, 4))
        self.conv = nn.Conv1d(3 * channels, cat, 1)
        self.pooling = Pooling(cat, attention)
        self.bn = nn.BatchNorm1d(2 * cat)
        self.linear = nn.Linear(2 * cat, size)

    def forward(self, mel):
        x = torch.nn.functional.instance_norm(mel, eps=1e-5)
        x = self.layer1(x)
        a = self.layer2(x)
        b = self.layer3(a)
        c = self.layer4(b)
        x = torch.relu(self.conv(torch.cat([a, b, c], 1)))
        return self.linear(self.bn(self.pooling(x)))
