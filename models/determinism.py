"""One door to randomness and threads in training: the same commit, dataset version and seed give the same weights."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def one_thread() -> None:
    """One thread: a sum over several depends on their number, and so would the weights on the number of cores."""
    import torch

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)


def seed_of(*parts: object) -> int:
    """A 63-bit seed named by its parts, e.g. (seed, "epoch", 3): no state to store for a resume."""
    digest = hashlib.sha256("\0".join(str(part) for part in parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(*parts: object) -> torch.Generator:
    """A torch generator seeded by ``seed_of``; torch's global one (dropout) is seeded alike."""
    import torch

    seed = seed_of(*parts)
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(seed)
