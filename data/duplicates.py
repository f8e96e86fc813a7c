"""The same film twice: byte for byte, or nearly (exported, compressed or windowed again)."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data.quality import Inspected
from domain.dataset import Split
from domain.errors import LeakageAcrossSplits, QualityCheckFailed

HASH_SIDE = 8  # a 64-bit hash
MAX_HASH_DISTANCE = 10  # bits; candidates only, the pixels decide
# What of one film's grey-level ranks the other leaves unexplained; measured in docs/adr/0003.
MAX_PIXEL_DISTANCE = 0.14
ROWS_AT_ONCE = 2048

Thumbnails = npt.NDArray[np.float32]  # film × pixel


@dataclass(frozen=True)
class NearPair:
    """Two films that show the same picture; positions in the sequence that was searched."""

    first: int
    second: int
    pixel_distance: float


def merged_patients(films: Sequence[Inspected]) -> dict[str, str]:
    """Patient key → key after merging patients who share the same bytes (the first of their keys in order).

    Raises:
        QualityCheckFailed: the same bytes carry two labels.
    """
    parents: dict[str, str] = {film.record.patient_key: film.record.patient_key for film in films}

    def root(key: str) -> str:
        while parents[key] != key:
            parents[key] = parents[parents[key]]
            key = parents[key]
        return key

    first_of: dict[str, Inspected] = {}
    for film in films:
        twin = first_of.setdefault(film.sha256, film)
        if twin.record.label != film.record.label:
            raise QualityCheckFailed(
                f"{twin.record.sample_id} and {film.record.sample_id} are the same bytes with different labels.",
                next_step="Decide which label holds and exclude the other in the source's file.",
            )
        one, other = sorted((root(twin.record.patient_key), root(film.record.patient_key)))
        parents[other] = one
    return {key: root(key) for key in parents}


def near_pairs(films: Sequence[Inspected]) -> list[NearPair]:
    """Pairs whose perceptual hashes are close and whose pixels agree; byte-identical pairs are among them."""
    if len(films) < 2:
        return []
    return near_pairs_of(np.stack([film.thumbnail for film in films]))


def near_pairs_of(thumbnails: npt.NDArray[np.uint8]) -> list[NearPair]:
    """As ``near_pairs``, for thumbnails (n, side, side)."""
    signs = _hashes(thumbnails)
    flat = _standardised(thumbnails)
    found: list[NearPair] = []
    for first, second in _candidates(signs):
        correlation = np.einsum("ij,ij->i", flat[first], flat[second])
        distance = np.sqrt(np.clip(1 - correlation * correlation, 0, 1))
        close = (distance <= MAX_PIXEL_DISTANCE) & (correlation > 0)
        found += [
            NearPair(int(i), int(j), float(d))
            for i, j, d in zip(first[close], second[close], distance[close], strict=True)
        ]
    return found


def _hashes(thumbnails: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """pHash: signs of the lowest cosine coefficients against their median, as ±1."""
    films, side, _ = thumbnails.shape
    angle = np.pi / side * (np.arange(side) + 0.5)
    cosines = np.cos(np.arange(HASH_SIDE + 1)[:, None] * angle[None, :]).astype(np.float32)
    low = cosines @ thumbnails.astype(np.float32) @ cosines.T
    coefficients = low[:, 1:, 1:].reshape(films, -1)
    return np.where(coefficients > np.median(coefficients, axis=1, keepdims=True), np.float32(1), np.float32(-1))


def _standardised(thumbnails: npt.NDArray[np.uint8]) -> Thumbnails:
    """Ranks of the pixels instead of grey levels: another window, contrast or gamma leaves them as they are."""
    flat = thumbnails.reshape(len(thumbnails), -1)
    ranks = np.empty(flat.shape, dtype=np.float32)
    for film, pixels in enumerate(flat):
        counts = np.bincount(pixels, minlength=256)
        ranks[film] = (np.cumsum(counts) - counts / 2)[pixels]
    ranks -= ranks.mean(axis=1, keepdims=True)
    ranks /= np.linalg.norm(ranks, axis=1, keepdims=True)
    return ranks


def _candidates(signs: npt.NDArray[np.float32]) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    bits = signs.shape[1]
    for start in range(0, len(signs), ROWS_AT_ONCE):
        rows = signs[start : start + ROWS_AT_ONCE]
        distance = (bits - rows @ signs[start:].T) / 2
        first, second = np.nonzero(distance <= MAX_HASH_DISTANCE)
        ahead = second > first
        for part in range(0, int(ahead.sum()), ROWS_AT_ONCE):
            chosen = slice(part, part + ROWS_AT_ONCE)
            yield first[ahead][chosen] + start, second[ahead][chosen] + start


def without_duplicates(
    films: Sequence[Inspected], *, splits: Sequence[Split], pairs: Sequence[NearPair]
) -> tuple[list[int], dict[str, int]]:
    """Positions of the films to keep, and how many were excluded for which reason. Of copies the first is kept.

    Raises:
        LeakageAcrossSplits: copies, exact or near, stand in two splits.
    """
    leaks = [pair for pair in pairs if splits[pair.first] != splits[pair.second]]
    if leaks:
        raise _leakage(films, splits=splits, leaks=leaks)
    first_with: Mapping[str, list[int]] = defaultdict(list)
    for position, film in enumerate(films):
        first_with[film.sha256].append(position)
    exact = {position for group in first_with.values() for position in group[1:]}
    near = {pair.second for pair in pairs if pair.first not in exact} - exact
    kept = [position for position in range(len(films)) if position not in exact and position not in near]
    return kept, {"byte-identical copy": len(exact), "near-duplicate": len(near)}


def _leakage(films: Sequence[Inspected], *, splits: Sequence[Split], leaks: Sequence[NearPair]) -> LeakageAcrossSplits:
    named = "; ".join(
        f"{films[p.first].record.sample_id} ({splits[p.first]}) and {films[p.second].record.sample_id} "
        f"({splits[p.second]}), distance {p.pixel_distance:.3f}"
        for p in leaks[:10]
    )
    return LeakageAcrossSplits(
        f"{len(leaks)} pairs show the same film in two splits: {named}.",
        next_step="Look at them; if they are the same film, exclude the training copy in the source's file.",
    )
