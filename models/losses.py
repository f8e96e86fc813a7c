"""What training minimises."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from models.task import LossSpec

if TYPE_CHECKING:
    import torch


class BalancedCrossEntropy(LossSpec):
    """Binary cross-entropy in which both classes weigh the same; labels are softened by ``smoothing``."""

    smoothing: float = 0.0

    def build(self, *, negatives: int, positives: int) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        """The loss for training data with these counts."""
        from torch.nn.functional import binary_cross_entropy_with_logits

        total = negatives + positives
        weight_negative, weight_positive = total / (2 * negatives), total / (2 * positives)

        def loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            weights = labels * weight_positive + (1 - labels) * weight_negative
            softened = labels * (1 - self.smoothing) + 0.5 * self.smoothing
            return binary_cross_entropy_with_logits(logits, softened, weight=weights)

        return loss
