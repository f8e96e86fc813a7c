"""Sample sizes of an AUROC: variances against theory, sizes against simulated DeLong tests."""

import math
from statistics import NormalDist

import numpy as np
import pytest

from domain.errors import NotEstimable
from evidence.statistics import power_auroc as pa
from evidence.statistics import roc
from evidence.statistics.power import Sampling

EVEN = pa.CaseMix(prevalence=0.5)
THIRD = pa.CaseMix(prevalence=1 / 3, model="hanley-mcneil")


def simulated(n: int, areas: tuple[float, float], rho: float, *, studies: int = 250) -> np.ndarray:
    """Covariances and areas (studies, 5: a1, a2, v1, v2, c12) of binormal scores, half of the samples positive."""
    draw = np.random.default_rng(0)
    shift = np.array([math.sqrt(2) * NormalDist().inv_cdf(a) for a in areas])
    labels = np.arange(n) % 2
    found = []
    for _ in range(studies):
        scores = draw.multivariate_normal([0, 0], [[1, rho], [rho, 1]], n).T + shift[:, None] * labels
        d = roc.delong(labels, scores)
        found.append([*d.areas, d.covariance[0, 0], d.covariance[1, 1], d.covariance[0, 1]])
    return np.array(found)


def test_hanley_and_mcneils_variance_is_the_published_one() -> None:
    # Radiology 143:29 (1982): ratings of 51 abnormal and 58 normal CT images
    found = math.sqrt(pa.auroc_variance(0.8931710615280595, positives=51, negatives=58, model="hanley-mcneil"))
    assert found == pytest.approx(0.03248657960734214, abs=1e-12)


@pytest.mark.parametrize("area", [0.6, 0.8, 0.9])
def test_both_variances_are_near_that_of_binormal_scores(area: float) -> None:
    draw = np.random.default_rng(1)
    labels = np.arange(240) % 2
    shift = math.sqrt(2) * NormalDist().inv_cdf(area)
    true = np.var([roc.delong(labels, draw.normal(shift * labels, 1.0)).areas[0] for _ in range(800)])
    obuchowski, exponential = (
        pa.auroc_variance(area, positives=120, negatives=120, model=model) for model in ("obuchowski", "hanley-mcneil")
    )
    assert exponential == pytest.approx(true, rel=0.15)
    assert 0.9 * true <= obuchowski <= 1.6 * true  # conservative for high areas


def test_power_of_one_curve_is_that_of_the_closed_formula() -> None:
    # (z_α·√V(½) + z_β·√V(A)) = A − ½ with V(½) = 0.0792(1 + 1/κ) / positives
    found = pa.size_for_auroc(0.75, mix=pa.CaseMix(prevalence=0.25), power=0.9)
    a = 1.414 * NormalDist().inv_cdf(0.75)
    v1 = 0.0099 * math.exp(-a * a / 2) * ((5 * a * a + 8) + (a * a + 8) / 3)
    z = 1.959964 * math.sqrt(0.0792 * (1 + 1 / 3)) + 1.281552 * math.sqrt(v1)
    assert found.needed * 0.25 == pytest.approx((z / 0.25) ** 2, rel=1e-5)


def test_an_interval_of_an_auroc_has_the_planned_half_width() -> None:
    for mix in (EVEN, THIRD):
        found = pa.size_for_auroc_half_width(0.8, half_width=0.04, mix=mix)
        assert 1.959964 * math.sqrt(mix.variance(0.8, found.needed)) == pytest.approx(0.04, abs=1e-6)
        assert found.n == math.ceil(found.needed)
        assert found.power is None


def test_simulated_paired_delong_tests_have_the_planned_power() -> None:
    pilot = simulated(600, (0.85, 0.78), 0.5, studies=60)
    correlation = float(np.corrcoef(pilot[:, 0], pilot[:, 1])[0, 1])
    assert 0.2 < correlation < 0.6
    correlation = float(np.mean(pilot[:, 4] / np.sqrt(pilot[:, 2] * pilot[:, 3])))
    mix = pa.CaseMix(prevalence=0.5, model="hanley-mcneil")
    found = pa.size_for_auroc_difference(pa.PairedAreas(0.85, 0.78, correlation), mix=mix)
    studies = simulated(2 * (found.n // 2), (0.85, 0.78), 0.5)
    z = (studies[:, 0] - studies[:, 1]) / np.sqrt(studies[:, 2] + studies[:, 3] - 2 * studies[:, 4])
    assert np.mean(np.abs(z) > 1.96) == pytest.approx(found.power, abs=0.08)


def test_simulated_non_inferiority_of_equal_areas_has_the_planned_power() -> None:
    pilot = simulated(600, (0.85, 0.85), 0.5, studies=60)
    correlation = float(np.mean(pilot[:, 4] / np.sqrt(pilot[:, 2] * pilot[:, 3])))
    areas, mix = pa.PairedAreas(0.85, 0.85, correlation), pa.CaseMix(prevalence=0.5, model="hanley-mcneil")
    found = pa.size_for_auroc_non_inferiority(areas, margin=0.06, mix=mix)
    studies = simulated(2 * (found.n // 2), (0.85, 0.85), 0.5)
    z = (studies[:, 0] - studies[:, 1] + 0.06) / np.sqrt(studies[:, 2] + studies[:, 3] - 2 * studies[:, 4])
    assert np.mean(z > 1.96) == pytest.approx(found.power, abs=0.08)


def test_size_and_power_are_inverse_to_each_other() -> None:
    mix = pa.CaseMix(prevalence=0.3, sampling=Sampling(cluster_size=2, icc=0.4))
    areas = pa.PairedAreas(0.88, 0.84, 0.4)
    pairs = [
        (pa.size_for_auroc(0.8, mix=mix, bound=0.7), lambda n: pa.power_for_auroc(n, expected=0.8, mix=mix, bound=0.7)),
        (pa.size_for_auroc_difference(areas, mix=mix), lambda n: pa.power_for_auroc_difference(n, areas, mix=mix)),
        (
            pa.size_for_auroc_non_inferiority(areas, margin=0.02, mix=mix),
            lambda n: pa.power_for_auroc_non_inferiority(n, areas, margin=0.02, mix=mix),
        ),
    ]
    for design, power_of in pairs:
        again, fewer = power_of(design.n), power_of(design.n - 1)
        assert design.power == pytest.approx(again.power)
        assert (fewer.power or 1) < 0.8 <= (again.power or 0)
        assert design.n == math.ceil(design.needed * 1.4)
        assert design.clusters == math.ceil(design.n / 2)


def test_correlated_readings_need_fewer_samples_and_direction_does_not_matter() -> None:
    sizes = [pa.size_for_auroc_difference(pa.PairedAreas(0.85, 0.8, r), mix=EVEN).n for r in (0.0, 0.3, 0.6)]
    assert sizes == sorted(sizes, reverse=True)
    one, other = (pa.size_for_auroc_difference(pa.PairedAreas(*a, 0.3), mix=EVEN).n for a in ((0.8, 0.85), (0.85, 0.8)))
    assert one == other


def test_what_cannot_be_planned_is_refused() -> None:
    equal = pa.PairedAreas(0.8, 0.8, 0.5)
    with pytest.raises(NotEstimable, match="beyond the bound"):
        pa.size_for_auroc_difference(equal, mix=EVEN)
    with pytest.raises(NotEstimable, match="beyond the bound"):
        pa.size_for_auroc_non_inferiority(pa.PairedAreas(0.75, 0.8, 0.5), margin=0.05, mix=EVEN)
    for margin in (-0.05, 0.0, 1.0):
        with pytest.raises(NotEstimable, match="margin"):
            pa.size_for_auroc_non_inferiority(equal, margin=margin, mix=EVEN)
    with pytest.raises(NotEstimable):
        pa.size_for_auroc(0.8, mix=EVEN, bound=0.9)
    for bad in (0.0, 1.0, float("nan")):
        with pytest.raises(NotEstimable):
            pa.size_for_auroc(bad, mix=EVEN)
        with pytest.raises(NotEstimable):
            pa.CaseMix(prevalence=bad)
        with pytest.raises(NotEstimable):
            pa.size_for_auroc(0.8, mix=EVEN, power=bad)
    for bad_correlation in (1.0, -1.5, float("nan")):
        with pytest.raises(NotEstimable):
            pa.PairedAreas(0.8, 0.7, bad_correlation)
    with pytest.raises(NotEstimable):
        pa.CaseMix(prevalence=0.3, sampling=Sampling(share=0.5))
    with pytest.raises(NotEstimable):
        pa.auroc_variance(0.8, positives=0, negatives=5)
    with pytest.raises(NotEstimable):
        pa.power_for_auroc(1, expected=0.8, mix=EVEN)
    with pytest.raises(NotEstimable, match="10⁹"):
        pa.size_for_auroc(0.8, bound=0.799999, mix=EVEN)
