"""Overlap counts voxels; empty and touching masks mean what the module says."""

import math

import numpy as np
import pytest

from domain.errors import NotEstimable
from evidence.statistics import segmentation


def box(low: tuple[int, ...], high: tuple[int, ...], shape: tuple[int, ...] = (8, 9, 10)) -> np.ndarray:
    mask = np.zeros(shape, dtype=bool)
    mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return mask


def test_overlap_is_counted_in_voxels_and_volumes_in_mm3() -> None:
    found = segmentation.overlap(box((1, 1, 1), (3, 3, 5)), box((1, 1, 3), (3, 3, 6)), spacing_mm=(2.0, 0.5, 1.0))
    assert found.dice == pytest.approx(2 * 8 / (16 + 12))
    assert found.jaccard == pytest.approx(8 / 20)
    assert (found.sensitivity, found.precision) == pytest.approx((8 / 16, 8 / 12))
    assert (found.reference_volume_mm3, found.predicted_volume_mm3) == pytest.approx((16.0, 12.0))
    assert found.volume_difference_mm3 == pytest.approx(-4.0)


def test_numbers_zero_and_one_do_for_booleans() -> None:
    mask = box((1, 1, 1), (3, 3, 5))
    spacing = (1.0, 1.0, 1.0)
    assert segmentation.overlap(mask, mask.astype(float), spacing_mm=spacing).dice == 1.0


def test_masks_that_only_touch_share_nothing() -> None:
    left, right = box((1, 1, 1), (4, 4, 4)), box((1, 1, 4), (4, 4, 7))
    found = segmentation.agreement(left, right, spacing_mm=(1.0, 1.0, 2.0))
    assert found.overlap.dice == found.overlap.jaccard == 0.0
    assert found.boundary.reference_to_predicted_mm.min() == 2.0  # next voxel
    assert found.surfel.reference_to_predicted_mm.min() == 0.0  # same lattice face
    assert math.isfinite(found.surfel.hausdorff_mm())


def test_against_one_empty_mask_overlap_is_zero_and_the_undefined_share_is_none() -> None:
    mask, empty = box((1, 1, 1), (3, 3, 5)), np.zeros((8, 9, 10), dtype=bool)
    missed = segmentation.overlap(mask, empty, spacing_mm=(1.0, 1.0, 1.0))
    assert (missed.dice, missed.jaccard, missed.sensitivity, missed.precision) == (0.0, 0.0, 0.0, None)
    invented = segmentation.overlap(empty, mask, spacing_mm=(1.0, 1.0, 1.0))
    assert (invented.dice, invented.sensitivity, invented.precision) == (0.0, None, 0.0)


def test_two_empty_masks_are_refused_unless_their_value_was_agreed_on() -> None:
    empty = np.zeros((4, 4))
    with pytest.raises(NotEstimable):
        segmentation.overlap(empty, empty, spacing_mm=(1.0, 1.0))
    assert segmentation.overlap(empty, empty, spacing_mm=(1.0, 1.0), both_empty=1.0).dice == 1.0


@pytest.mark.parametrize(
    ("reference", "predicted", "spacing_mm"),
    [
        (np.ones((3, 3)), np.ones((3, 4)), (1.0, 1.0)),
        (np.ones((3, 3)), np.ones((3, 3)), (1.0, 1.0, 1.0)),
        (np.ones((3, 3)), np.ones((3, 3)), (1.0, 0.0)),
        (np.ones((3, 3)), np.ones((3, 3)), (1.0, math.nan)),
        (np.full((3, 3), 2), np.ones((3, 3)), (1.0, 1.0)),
        (np.full((3, 3), math.nan), np.ones((3, 3)), (1.0, 1.0)),
        (np.ones(3), np.ones(3), (1.0,)),
    ],
)
def test_masks_that_are_not_masks_on_one_grid_are_refused(
    reference: np.ndarray, predicted: np.ndarray, spacing_mm: tuple[float, ...]
) -> None:
    with pytest.raises(NotEstimable):
        segmentation.agreement(reference, predicted, spacing_mm=spacing_mm)
