"""Does a segment cover what it should? Overlap of two masks, and everything about them in one record.

Masks are 2-D or 3-D arrays of 0 and 1 on one grid, voxels of ``spacing_mm`` in the order of the axes. What an empty
mask means is stated by each function: two empty masks agree on an absence, which no overlap and no distance measures,
and are refused; against one empty mask Dice, Jaccard and surface Dice are 0 and distances are infinite.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable
from evidence.statistics import surface_distance
from evidence.statistics.surface_distance import SurfaceDistances

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Overlap:
    """Shared voxels of a reference and a predicted mask; a volume of a 2-D mask is an area in mm²."""

    dice: float
    jaccard: float
    sensitivity: float | None  # None: the reference is empty
    precision: float | None  # None: the prediction is empty
    reference_volume_mm3: float
    predicted_volume_mm3: float

    @property
    def volume_difference_mm3(self) -> float:
        """Predicted minus reference."""
        return self.predicted_volume_mm3 - self.reference_volume_mm3


@dataclass(frozen=True, slots=True)
class SegmentationAgreement:
    """Overlap and surfaces of one pair of masks, the surfaces by both conventions."""

    overlap: Overlap
    boundary: SurfaceDistances
    surfel: SurfaceDistances


def overlap(
    reference: ArrayLike, predicted: ArrayLike, *, spacing_mm: tuple[float, ...], both_empty: float | None = None
) -> Overlap:
    """Dice (Ecology 26:297, 1945), Jaccard (New Phytol 11:37, 1912) and volumes of two masks of one shape.

    ``both_empty`` is the value of Dice and Jaccard that a plan has agreed on for two empty masks (some take 1); left
    out, they are refused. Masks that only touch share no voxel: 0.

    Raises:
        NotEstimable: both masks empty and no value agreed on; not 0 and 1; shapes or spacing that do not fit.
    """
    truth, found = masks(reference, predicted, spacing_mm=spacing_mm)
    sizes = int(truth.sum()), int(found.sum())
    shared = int((truth & found).sum())
    voxel = math.prod(spacing_mm)
    if sum(sizes) == 0 and both_empty is None:
        raise NotEstimable(
            "Neither mask holds a voxel.", next_step="Judge absence as a detection, or agree on a value."
        )
    either = sum(sizes) - shared
    dice = 2.0 * shared / sum(sizes) if either else float(both_empty or 0.0)
    jaccard = shared / either if either else float(both_empty or 0.0)
    return Overlap(
        dice,
        jaccard,
        shared / sizes[0] if sizes[0] else None,
        shared / sizes[1] if sizes[1] else None,
        sizes[0] * voxel,
        sizes[1] * voxel,
    )


def agreement(reference: ArrayLike, predicted: ArrayLike, *, spacing_mm: tuple[float, ...]) -> SegmentationAgreement:
    """Overlap and surface distances of two masks.

    Raises:
        NotEstimable: both masks empty; not 0 and 1; shapes or spacing that do not fit.
    """
    truth, found = masks(reference, predicted, spacing_mm=spacing_mm)
    return SegmentationAgreement(
        overlap(truth, found, spacing_mm=spacing_mm),
        surface_distance.boundary_distances(truth, found, spacing_mm=spacing_mm),
        surface_distance.surfel_distances(truth, found, spacing_mm=spacing_mm),
    )


def masks(reference: ArrayLike, predicted: ArrayLike, *, spacing_mm: tuple[float, ...]) -> tuple[Mask, Mask]:
    """Both masks as booleans.

    Raises:
        NotEstimable: not 0 and 1, neither 2-D nor 3-D, of different shapes, or a spacing that is not positive.
    """
    truth, found = surface_distance.as_mask(reference), surface_distance.as_mask(predicted)
    surface_distance.need_one_grid(truth, found, spacing_mm=spacing_mm)
    return truth, found
