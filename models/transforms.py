"""Augmentation of training batches, in torch on whole batches: about 0.2 ms a film on one core.

The publisher's test films were acquired differently from the training films, as every hospital's are; geometry, window,
sharpness and noise vary here, so that none of them tells the classes apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from models.task import AugmentationSpec

if TYPE_CHECKING:
    import torch


class RadiographAugmentation(AugmentationSpec):
    """Each number is the largest change in either direction; each film draws its own."""

    rotation_degrees: float = 7.0
    scale: float = 0.1  # of the side
    stretch: float = 0.06  # of one side against the other
    shift: float = 0.06  # of the side
    mirror: float = 0.0  # share of films mirrored left to right
    gamma: float = 0.3  # natural logarithm of the exponent
    window: float = 0.12  # of the grey scale, at each end
    exposed_alike: float = 0.5  # share of films that keep their grey scale: faint findings are hard to learn otherwise
    blur: float = 0.7  # standard deviation in pixels of the input grid, at most
    noise: float = 0.02  # standard deviation, at most

    def build(self) -> Callable[[torch.Tensor, torch.Generator], torch.Tensor]:
        """Geometry, then window and gamma, then blur and noise."""

        def augment(grey: torch.Tensor, random: torch.Generator) -> torch.Tensor:
            moved = _move(grey, self, random)
            exposed = _expose(moved, self, random)
            blurred = _blur(exposed, self.blur, random)
            return _add_noise(blurred, self.noise, random).clamp_(0, 1)

        return augment


def _uniform(n: int, random: torch.Generator, low: float, high: float) -> torch.Tensor:
    import torch

    return torch.rand(n, generator=random) * (high - low) + low


def _move(grey: torch.Tensor, spec: RadiographAugmentation, random: torch.Generator) -> torch.Tensor:
    """Rotate, scale, stretch, shift and mirror, by one bilinear resampling."""
    import torch
    from torch.nn.functional import affine_grid, grid_sample

    n = len(grey)
    angle = _uniform(n, random, -math.radians(spec.rotation_degrees), math.radians(spec.rotation_degrees))
    scale = torch.exp(_uniform(n, random, -spec.scale, spec.scale))
    stretch = torch.exp(_uniform(n, random, -spec.stretch, spec.stretch) / 2)
    side = torch.where(_uniform(n, random, 0, 1) < spec.mirror, -1.0, 1.0)
    shift_x, shift_y = (2 * _uniform(n, random, -spec.shift, spec.shift) for _ in range(2))
    across, down = scale * stretch, scale / stretch
    rows = (
        torch.stack([side * across * torch.cos(angle), -down * torch.sin(angle), shift_x], dim=1),
        torch.stack([side * across * torch.sin(angle), down * torch.cos(angle), shift_y], dim=1),
    )
    grid = affine_grid(torch.stack(rows, dim=1), list(grey.shape), align_corners=False)
    return grid_sample(grey, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _expose(grey: torch.Tensor, spec: RadiographAugmentation, random: torch.Generator) -> torch.Tensor:
    """Another window and another gamma."""
    import torch

    n = len(grey)
    changed = _uniform(n, random, 0, 1) >= spec.exposed_alike
    low, high = (changed * _uniform(n, random, -spec.window, spec.window) for _ in range(2))
    gamma = torch.exp(changed * _uniform(n, random, -spec.gamma, spec.gamma))
    low, high, gamma = (values.reshape(-1, 1, 1, 1) for values in (low, 1 + high, gamma))
    return ((grey - low) / (high - low)).clamp_(1e-4, 1).pow(gamma)


def _blur(grey: torch.Tensor, largest: float, random: torch.Generator) -> torch.Tensor:
    """Gaussian blur; films draw their standard deviation, and half of them stay sharp."""
    import torch
    from torch.nn.functional import conv2d, pad

    n = len(grey)
    sigma = _uniform(n, random, -largest, largest).clamp(min=1e-2).reshape(-1, 1)
    offsets = torch.arange(-2, 3).reshape(1, -1)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).reshape(n, 1, 1, 5)
    as_channels = pad(grey.transpose(0, 1), (2, 2, 2, 2), mode="replicate")
    rows = conv2d(as_channels, kernel, groups=n)
    return conv2d(rows, kernel.transpose(2, 3), groups=n).transpose(0, 1)


def _add_noise(grey: torch.Tensor, largest: float, random: torch.Generator) -> torch.Tensor:
    import torch

    strength = _uniform(len(grey), random, 0, largest).reshape(-1, 1, 1, 1)
    return grey + strength * torch.randn(grey.shape, generator=random)
