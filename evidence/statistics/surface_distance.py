"""How far apart the surfaces of two masks lie: Hausdorff, its percentiles, mean distances, normalised surface Dice.

Two conventions are in use and give different numbers, so each has a name:

``boundary``  the surface is the mask without its face-connected erosion; distances run between voxel centres, every
              voxel weighs the same, and percentiles are interpolated (MetricsReloaded, MedPy).
``surfel``    the surface is made of marching-squares or -cubes elements on the lattice between voxels, each weighed by
              its length or area; percentiles are the smallest distance that covers the share (Nikolov et al., J Med
              Internet Res 23:e26151, 2021).

Outside the image is background: a mask that touches the image's edge has its surface there. Masks that touch each
other along a face have boundary voxels one step apart and surface elements in common. Against one empty mask all
distances are infinite and the surface Dice is 0; two empty masks have no surfaces and are refused.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable
from evidence.statistics.surface_elements import element_sizes, neighbour_codes

Convention = Literal["boundary", "surfel"]
Pooling = Literal["max_of_directed", "pooled"]
Mask = NDArray[np.bool_]
Points = NDArray[np.int64]
Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SurfaceDistances:
    """Distance in mm from every element of one surface to the nearest of the other, with the elements' weights.

    Weights are 1 for boundary voxels and mm or mm² for surfels; both ways are sorted by distance.
    """

    convention: Convention
    reference_to_predicted_mm: Vector
    predicted_to_reference_mm: Vector
    reference_weights: Vector
    predicted_weights: Vector

    def hausdorff_mm(self, *, percentile: float = 100.0, pooling: Pooling = "max_of_directed") -> float:
        """Hausdorff distance; HD95 with ``percentile=95``.

        ``max_of_directed`` is the larger of the two directed percentiles, ``pooled`` the percentile of both sets of
        distances together. Infinite where one mask is empty.

        Raises:
            NotEstimable: percentile outside (0, 100].
        """
        if not 0.0 < percentile <= 100.0:
            raise NotEstimable(f"A percentile of {percentile} does not exist.", next_step="Choose one in (0, 100].")
        ways = [way for way in self._ways() if way[0].size]
        if pooling == "pooled":
            ways = [(np.concatenate([d for d, _ in ways]), np.concatenate([w for _, w in ways]))]
        return max(self._percentile(distances, weights, percentile) for distances, weights in ways)

    def mean_reference_to_predicted_mm(self) -> float:
        """Mean distance from the reference's surface. Raises NotEstimable when the reference is empty."""
        return _mean(self.reference_to_predicted_mm, self.reference_weights, "reference")

    def mean_predicted_to_reference_mm(self) -> float:
        """Mean distance from the predicted surface. Raises NotEstimable when the prediction is empty."""
        return _mean(self.predicted_to_reference_mm, self.predicted_weights, "predicted")

    def assd_mm(self) -> float:
        """Average symmetric surface distance: the mean over both sets of elements together."""
        if self._one_empty():
            return math.inf
        total = sum(float(distances @ weights) for distances, weights in self._ways())
        return total / sum(float(weights.sum()) for _, weights in self._ways())

    def masd_mm(self) -> float:
        """Mean average surface distance: the mean of the two directed means."""
        if self._one_empty():
            return math.inf
        return (self.mean_reference_to_predicted_mm() + self.mean_predicted_to_reference_mm()) / 2.0

    def surface_overlap(self, *, tolerance_mm: float) -> tuple[float | None, float | None]:
        """Share of the reference's surface within the tolerance of the predicted one, and the reverse.

        The share of an empty mask's surface is None.

        Raises:
            NotEstimable: tolerance negative or not finite.
        """
        _need_tolerance(tolerance_mm)
        reference, predicted = (
            float(weights[distances <= tolerance_mm].sum() / weights.sum()) if weights.size else None
            for distances, weights in self._ways()
        )
        return reference, predicted

    def surface_dice(self, *, tolerance_mm: float) -> float:
        """Normalised surface Dice: the share of both surfaces together that lies within the tolerance, ends included.

        Raises:
            NotEstimable: tolerance negative or not finite.
        """
        _need_tolerance(tolerance_mm)
        within = sum(float(weights[distances <= tolerance_mm].sum()) for distances, weights in self._ways())
        return within / sum(float(weights.sum()) for _, weights in self._ways())

    def _ways(self) -> tuple[tuple[Vector, Vector], tuple[Vector, Vector]]:
        return (
            (self.reference_to_predicted_mm, self.reference_weights),
            (self.predicted_to_reference_mm, self.predicted_weights),
        )

    def _one_empty(self) -> bool:
        return not (self.reference_weights.size and self.predicted_weights.size)

    def _percentile(self, distances: Vector, weights: Vector, percentile: float) -> float:
        if percentile == 100.0 or np.isinf(distances).any():
            return float(distances.max())
        if self.convention == "boundary":
            return float(np.percentile(distances, percentile))
        order = np.argsort(distances, kind="stable")
        covered = np.cumsum(weights[order]) / weights.sum()
        place = min(int(np.searchsorted(covered, percentile / 100.0)), distances.size - 1)
        return float(distances[order][place])


def boundary_distances(
    reference: ArrayLike, predicted: ArrayLike, *, spacing_mm: tuple[float, ...]
) -> SurfaceDistances:
    """Distances between the boundary voxels of two masks (2-D or 3-D, of one shape).

    Raises:
        NotEstimable: both masks empty; not 0 and 1; shapes or spacing that do not fit.
    """
    truth, found = _cropped(reference, predicted, spacing_mm=spacing_mm)
    points = [np.argwhere(_boundary(mask)) for mask in (truth, found)]
    return _distances("boundary", points, [np.ones(len(p)) for p in points], spacing_mm)


def surfel_distances(reference: ArrayLike, predicted: ArrayLike, *, spacing_mm: tuple[float, ...]) -> SurfaceDistances:
    """Distances between the surface elements of two masks (2-D or 3-D, of one shape).

    Raises:
        NotEstimable: both masks empty; not 0 and 1; shapes or spacing that do not fit.
    """
    truth, found = _cropped(reference, predicted, spacing_mm=spacing_mm)
    sizes = element_sizes(spacing_mm)
    points, weights = [], []
    for mask in (truth, found):
        codes = neighbour_codes(mask)
        mixed = (codes != 0) & (codes != sizes.size - 1)
        points.append(np.argwhere(mixed))
        weights.append(sizes[codes[mixed]])
    return _distances("surfel", points, weights, spacing_mm)


def as_mask(values: ArrayLike) -> Mask:
    """An array of 0 and 1, or of booleans, as booleans.

    Raises:
        NotEstimable: another value, or neither 2-D nor 3-D.
    """
    array = np.asarray(values)
    if array.ndim not in (2, 3) or array.size == 0:
        raise NotEstimable(f"A mask of shape {array.shape} is neither 2-D nor 3-D.")
    if array.dtype == np.bool_:
        return array
    inside = array == 1
    if not (inside | (array == 0)).all():
        raise NotEstimable("A mask holds values other than 0 and 1.", next_step="Choose one segment.")
    return np.asarray(inside, dtype=np.bool_)


def need_one_grid(truth: Mask, found: Mask, *, spacing_mm: tuple[float, ...]) -> None:
    """Refuse masks that do not lie on one grid.

    Raises:
        NotEstimable: different shapes, or a spacing that does not fit or is not positive.
    """
    if truth.shape != found.shape or len(spacing_mm) != truth.ndim:
        raise NotEstimable(
            f"Masks of shapes {truth.shape} and {found.shape} with {len(spacing_mm)} spacings do not fit."
        )
    if not all(math.isfinite(along) and along > 0.0 for along in spacing_mm):
        raise NotEstimable(f"A spacing of {spacing_mm} mm does not exist.")


def _need_tolerance(tolerance_mm: float) -> None:
    if not (math.isfinite(tolerance_mm) and tolerance_mm >= 0.0):
        raise NotEstimable(f"A tolerance of {tolerance_mm} mm does not exist.")


def _mean(distances: Vector, weights: Vector, which: str) -> float:
    if not weights.size:
        raise NotEstimable(f"The {which} mask is empty and has no surface.")
    return float(distances @ weights) / float(weights.sum()) if np.isfinite(distances).all() else math.inf


def _cropped(reference: ArrayLike, predicted: ArrayLike, *, spacing_mm: tuple[float, ...]) -> tuple[Mask, Mask]:
    """Both masks in the box that holds either, with a margin of one voxel of background."""
    truth, found = as_mask(reference), as_mask(predicted)
    need_one_grid(truth, found, spacing_mm=spacing_mm)
    for axis in range(truth.ndim):  # axis by axis, so that the later ones walk less
        others = tuple(a for a in range(truth.ndim) if a != axis)
        used = np.flatnonzero(truth.any(axis=others) | found.any(axis=others))
        if used.size == 0:
            raise NotEstimable("Neither mask holds a voxel.", next_step="Judge absence as a detection.")
        box = tuple(slice(used[0], used[-1] + 1) if a == axis else slice(None) for a in range(truth.ndim))
        truth, found = truth[box], found[box]
    return np.pad(truth, 1), np.pad(found, 1)


def _boundary(padded: Mask) -> Mask:
    """Voxels of a mask with a margin of background that have a face neighbour outside it."""
    inner = padded.copy()
    for axis in range(padded.ndim):
        for shift in (-1, 1):  # nothing wraps into the mask: the margin is background
            inner &= np.roll(padded, shift, axis=axis)
    return padded & ~inner


def _distances(
    convention: Convention, points: list[Points], weights: list[Vector], spacing_mm: tuple[float, ...]
) -> SurfaceDistances:
    there = _nearest_mm(points[0], points[1], spacing_mm)
    back = _nearest_mm(points[1], points[0], spacing_mm)
    first, second = np.argsort(there, kind="stable"), np.argsort(back, kind="stable")
    return SurfaceDistances(convention, there[first], back[second], weights[0][first], weights[1][second])


def _nearest_mm(points: Points, others: Points, spacing_mm: tuple[float, ...]) -> Vector:
    """Distance from each point to the nearest of the others.

    A tree over the surface's points costs a fraction of a distance transform of the box. Distances are computed again
    from whole steps, so that equal ones are equal and not one rounding apart.
    """
    if not len(others):
        return np.full(len(points), np.inf)
    from scipy.spatial import cKDTree  # late: scipy costs a second

    spacing = np.asarray(spacing_mm)
    _, nearest = cKDTree(others * spacing).query(points * spacing)
    steps = (points - others[nearest]) * spacing
    distances: Vector = np.sqrt((steps * steps).sum(axis=1))
    return distances
