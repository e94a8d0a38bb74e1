# SPDX-License-Identifier: GPL-3.0-or-later
"""What the transformer is to say: velocities with guidance in them, means of them over intervals; and the way that a
player takes from noise to latents."""
import numpy as np
import torch

GUIDANCE = 3.5
STRAIGHT = 0.25  # of the way: what lies further from sound goes where one step would go
SHORT = 1 / 8  # of the way: the jumps of a player that takes eight


def flow_targets(velocity, teacher, z, t, features, empty):
    """Guided velocity: half of it what the teacher says, for less noise, plus guidance by its two branches."""
    with torch.no_grad():
        told, untold = teacher(z, *features, t, t), teacher(z, *empty, t, t)
        return 0.5 * velocity + 0.5 * told + (GUIDANCE - 1) * (told - untold)


def leap(net, noise, features):
    """What one step makes of noise."""
    with torch.no_grad():
        all_the_way = torch.ones(len(noise), device=noise.device)
        return noise - net(noise, *features, torch.zeros_like(all_the_way), all_the_way).float()


def told_targets(teacher, z, t, features):
    """The velocity that a teacher says which learned guided ones."""
    with torch.no_grad():
        return teacher(z, *features, t, t)


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


def travel(net, z, features, random):
    """From noise to latents by jumps as a player takes them; the last one or two are learned from."""
    def jump(z, r, t):
        times = [torch.full((len(z),), time, device=z.device) for time in (r, t)]
        return z - (t - r) * net(z, *features, *times).float()

    t = 1.0 if random.random() < 0.7 else random.uniform(0.2, 1.0)
    r = random.choice([0.0, random.uniform(0.0, t), max(0.0, t - SHORT)], p=(0.7, 0.15, 0.15))
    if t < 1:
        with torch.no_grad():
            z = jump(z, t, 1.0)
    if r > 0:
        z = jump(z, r, t)
        t = r
    return jump(z, 0.0, t)
