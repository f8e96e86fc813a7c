"""Which samples belong together: patients with several images, regions with several candidates."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable

Index = NDArray[np.intp]


def cluster_index(clusters: ArrayLike, *, n: int) -> Index:
    """Cluster keys (n,), numbers or words, as numbers 0…K−1 (n,) in the keys' order.

    Raises:
        NotEstimable: their number is not that of the samples, or a sample has none.
    """
    keys = np.asarray(clusters)
    if keys.shape != (n,):
        raise NotEstimable(f"There are {keys.size} cluster keys for {n} samples.")
    if any_missing(keys):
        raise NotEstimable("A sample belongs to no cluster.", next_step="Name its patient, or leave it out.")
    index: Index = np.unique(keys, return_inverse=True)[1].astype(np.intp)
    return index


def any_missing(keys: NDArray[np.generic]) -> bool:
    """Whether a key is nothing: None, an empty word or not a number."""
    if keys.dtype.kind == "f":
        return bool(np.isnan(keys).any())
    if keys.dtype.kind == "U":
        return bool((keys == "").any())
    return keys.dtype.kind == "O" and any(key is None or key == "" or key != key for key in keys.tolist())
