"""Surface distances by both conventions agree with distance transforms and with geometry."""

import math
import time
from itertools import permutations, product

import numpy as np
import pytest
from scipy import ndimage

from domain.errors import NotEstimable
from evidence.statistics.surface_distance import SurfaceDistances, boundary_distances, surfel_distances
from evidence.statistics.surface_elements import element_sizes, neighbour_codes

SPACINGS = [(1.0, 1.0), (2.0, 0.7), (1.0, 1.0, 1.0), (2.5, 0.8, 1.1)]


def blobs(shape: tuple[int, ...], seed: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    smooth = [ndimage.gaussian_filter(draw.random(shape), 1.0) for _ in range(2)]
    return smooth[0] > np.quantile(smooth[0], 0.6), smooth[1] > np.quantile(smooth[1], 0.7)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("seed", range(4))
def test_boundary_distances_are_those_of_erosion_and_distance_transform(spacing: tuple[float, ...], seed: int) -> None:
    truth, found = blobs((11, 12, 13)[: len(spacing)], seed)
    edges = [mask & ~ndimage.binary_erosion(mask) for mask in (truth, found)]
    there = ndimage.distance_transform_edt(~edges[1], sampling=spacing)[edges[0]]
    back = ndimage.distance_transform_edt(~edges[0], sampling=spacing)[edges[1]]
    made = boundary_distances(truth, found, spacing_mm=spacing)
    assert made.reference_to_predicted_mm == pytest.approx(np.sort(there), abs=1e-12)
    assert made.predicted_to_reference_mm == pytest.approx(np.sort(back), abs=1e-12)
    both = np.concatenate([there, back])
    assert made.hausdorff_mm() == pytest.approx(both.max())
    assert made.hausdorff_mm(percentile=95) == pytest.approx(max(np.percentile(there, 95), np.percentile(back, 95)))
    assert made.hausdorff_mm(percentile=95, pooling="pooled") == pytest.approx(np.percentile(both, 95))
    assert made.assd_mm() == pytest.approx(both.mean())
    assert made.masd_mm() == pytest.approx((there.mean() + back.mean()) / 2)
    assert made.surface_dice(tolerance_mm=1.0) == pytest.approx((both <= 1.0).mean())


@pytest.mark.parametrize("spacing", SPACINGS)
def test_surfels_lie_on_the_lattice_and_their_distances_are_those_of_its_transform(spacing: tuple[float, ...]) -> None:
    truth, found = blobs((9, 10, 11)[: len(spacing)], 7)
    lattices = []
    for mask in (truth, found):
        neighbours = [np.pad(mask, [(1 - c, c) for c in corner]) for corner in product((0, 1), repeat=mask.ndim)]
        lattices.append(np.any(neighbours, axis=0) & ~np.all(neighbours, axis=0))
    made = surfel_distances(truth, found, spacing_mm=spacing)
    there = ndimage.distance_transform_edt(~lattices[1], sampling=spacing)[lattices[0]]
    assert made.reference_to_predicted_mm == pytest.approx(np.sort(there), abs=1e-12)
    assert made.hausdorff_mm() == pytest.approx(
        max(there.max(), ndimage.distance_transform_edt(~lattices[0], sampling=spacing)[lattices[1]].max())
    )


def test_percentile_of_surfels_is_the_smallest_distance_that_covers_the_share() -> None:
    made = SurfaceDistances(
        "surfel",
        reference_to_predicted_mm=np.array([0.0, 1.0, 2.0, 5.0]),
        predicted_to_reference_mm=np.array([0.5, 4.0]),
        reference_weights=np.array([5.0, 3.0, 1.5, 0.5]),
        predicted_weights=np.array([19.0, 1.0]),
    )
    assert made.hausdorff_mm(percentile=90) == 2.0
    assert made.hausdorff_mm(percentile=96) == 5.0
    assert made.hausdorff_mm(percentile=97, pooling="pooled") == 4.0
    assert made.mean_reference_to_predicted_mm() == pytest.approx((3.0 + 3.0 + 2.5) / 10)
    assert made.surface_overlap(tolerance_mm=1.0) == pytest.approx((0.8, 0.95))
    assert made.surface_dice(tolerance_mm=1.0) == pytest.approx((8 + 19) / 30)


def test_a_box_has_the_area_of_its_faces_less_its_bevels() -> None:
    mask = np.zeros((9, 9, 9), dtype=bool)
    mask[2:6, 2:7, 2:8] = True  # 4 × 5 × 6 voxels
    spacing = (2.0, 1.0, 0.5)
    a, b, c = (math.prod(spacing) / s for s in spacing)
    inside = 2 * ((5 - 1) * (6 - 1) * a + (4 - 1) * (6 - 1) * b + (4 - 1) * (5 - 1) * c)
    corners = 8 * math.hypot(a, b, c) / 8
    edges = 4 * ((4 - 1) * math.hypot(b, c) + (5 - 1) * math.hypot(a, c) + (6 - 1) * math.hypot(a, b)) / 2
    area = surfel_distances(mask, mask, spacing_mm=spacing).reference_weights.sum()
    assert area == pytest.approx(inside + edges + corners)


def test_a_disc_has_nearly_the_circumference_of_a_circle() -> None:
    y, x = np.ogrid[-60:61, -60:61]
    disc = x * x + y * y <= 50 * 50
    length = surfel_distances(disc, disc, spacing_mm=(1.0, 1.0)).reference_weights.sum()
    assert length == pytest.approx(2 * math.pi * 50, rel=0.06)


def test_element_sizes_do_not_depend_on_how_the_cube_is_turned_or_which_side_is_inside() -> None:
    spacing = (2.3, 1.1, 0.7)
    table = element_sizes(spacing)
    corners = list(product((0, 1), repeat=3))
    assert table == pytest.approx(table[::-1])
    for axes in permutations(range(3)):
        turned = element_sizes(tuple(spacing[axis] for axis in axes))
        for mirror in corners:
            for code in range(256):
                image = sum(
                    1 << corners.index(tuple(corner[axis] ^ mirror[axis] for axis in axes))
                    for bit, corner in enumerate(corners)
                    if code >> bit & 1
                )
                assert turned[image] == pytest.approx(table[code], rel=1e-12)


def test_two_dimensional_elements_are_half_diagonals_and_sides() -> None:
    table = element_sizes((2.0, 1.0))
    half = math.hypot(2.0, 1.0) / 2
    codes = {0b0001: half, 0b0011: 1.0, 0b0101: 2.0, 0b0110: 2 * half, 0b0111: half, 0b1111: 0.0}
    for code, length in codes.items():
        assert table[code] == pytest.approx(length)


def test_neighbour_codes_name_the_corners_inside() -> None:
    mask = np.zeros((3, 3), dtype=bool)
    mask[1, 1] = True
    assert neighbour_codes(mask).tolist() == [[8, 4], [2, 1]]


@pytest.mark.parametrize("measure", [boundary_distances, surfel_distances])
def test_masks_at_the_edge_of_the_image_have_their_surface_there(measure: type[SurfaceDistances]) -> None:
    mask, found = np.ones((4, 5, 6)), np.zeros((4, 5, 6))
    found[1:3, 1:4, 2:5] = 1
    padded = [np.pad(m, 3) for m in (mask, found)]
    here, there = measure(mask, found, spacing_mm=(1.0, 2.0, 1.0)), measure(*padded, spacing_mm=(1.0, 2.0, 1.0))
    assert here.hausdorff_mm() == there.hausdorff_mm()
    assert here.assd_mm() == pytest.approx(there.assd_mm())


@pytest.mark.parametrize("measure", [boundary_distances, surfel_distances])
def test_against_an_empty_mask_distances_are_infinite_and_surface_dice_is_zero(measure: type[SurfaceDistances]) -> None:
    mask, empty = np.ones((3, 4)), np.zeros((3, 4))
    made = measure(mask, empty, spacing_mm=(1.0, 1.0))
    for pooling in ("max_of_directed", "pooled"):
        assert made.hausdorff_mm(percentile=95, pooling=pooling) == math.inf
    assert made.assd_mm() == made.masd_mm() == made.mean_reference_to_predicted_mm() == math.inf
    assert made.surface_dice(tolerance_mm=5.0) == 0.0
    assert made.surface_overlap(tolerance_mm=5.0) == (0.0, None)
    with pytest.raises(NotEstimable):
        made.mean_predicted_to_reference_mm()
    with pytest.raises(NotEstimable):
        measure(empty, empty, spacing_mm=(1.0, 1.0))


def test_equal_masks_are_at_no_distance() -> None:
    mask, _ = blobs((8, 8, 8), 1)
    made = surfel_distances(mask, mask, spacing_mm=(3.0, 1.0, 1.0))
    assert made.hausdorff_mm() == made.assd_mm() == 0.0
    assert made.surface_dice(tolerance_mm=0.0) == 1.0


def test_tolerances_and_percentiles_that_do_not_exist_are_refused() -> None:
    made = boundary_distances(np.ones((3, 3)), np.ones((3, 3)), spacing_mm=(1.0, 1.0))
    for percentile in (0.0, -5.0, 101.0, math.nan):
        with pytest.raises(NotEstimable):
            made.hausdorff_mm(percentile=percentile)
    for tolerance in (-1.0, math.nan, math.inf):
        with pytest.raises(NotEstimable):
            made.surface_dice(tolerance_mm=tolerance)


def test_an_organ_in_a_large_volume_takes_seconds_at_most() -> None:
    z, y, x = np.ogrid[:200, :512, :512]
    truth = ((z - 100) / 30) ** 2 + ((y - 250) / 60) ** 2 + ((x - 200) / 70) ** 2 <= 1
    found = ((z - 102) / 31) ** 2 + ((y - 252) / 58) ** 2 + ((x - 204) / 69) ** 2 <= 1
    begun = time.process_time()
    made = surfel_distances(truth, found, spacing_mm=(1.5, 0.8, 0.8))
    assert time.process_time() - begun < 5.0
    assert 3.0 < made.hausdorff_mm() < 10.0
