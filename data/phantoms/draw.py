"""Random numbers for phantoms: a pure function of a name, equal on every platform.

Only the raw bit stream of PCG64 is used, because NumPy promises to keep that stream (NEP 19) but not its distributions.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

FloatImages = npt.NDArray[Any]  # float32, film × row × column; NumPy's stubs widen it beside plain numbers
Ranges = Mapping[str, tuple[float, float]]


class Draw:
    """Numbers drawn in order from the stream that a name seeds."""

    def __init__(self, *name: str) -> None:
        seed = int.from_bytes(hashlib.sha256("\0".join(name).encode()).digest()[:16], "big")
        self._bits = np.random.PCG64(seed)

    def unit(self) -> float:
        """Uniform on 0–1 (53 bits, exact)."""
        return int(self._bits.random_raw() >> 11) / 2**53

    def between(self, low: float, high: float) -> float:
        """Uniform on ``low``–``high``."""
        return low + (high - low) * self.unit()

    def index(self, n: int) -> int:
        """One of 0 … n-1."""
        return int(self.unit() * n)

    def happens(self, probability: float) -> bool:
        """True with this probability."""
        return self.unit() < probability

    def weighted(self, weights: Sequence[float]) -> int:
        """An index, each as likely as its weight; the weights add up to 1."""
        position, upper = self.unit(), 0.0
        for index, weight in enumerate(weights):
            upper += weight
            if position < upper:
                return index
        return len(weights) - 1

    def table(self, ranges: Ranges) -> dict[str, float]:
        """One number for each named range, in the table's order."""
        return {name: self.between(low, high) for name, (low, high) in ranges.items()}

    def octets(self, *shape: int) -> npt.NDArray[np.uint8]:
        """Uniform bytes."""
        count = int(np.prod(shape))
        words = np.asarray(self._bits.random_raw(-(-count // 8)), dtype="<u8")
        return words.view(np.uint8)[:count].reshape(shape)
