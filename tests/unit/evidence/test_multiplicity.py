"""Adjusted p-values are those of statsmodels and keep their error rates; a fixed sequence stops where it must."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics import drift
from evidence.statistics import multiplicity as mp

METHODS: dict[str, Callable[..., mp.Vector]] = {
    "bonferroni": mp.bonferroni,
    "holm": mp.holm,
    "simes-hochberg": mp.hochberg,
    "fdr_bh": mp.benjamini_hochberg,
    "fdr_by": mp.benjamini_yekutieli,
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("k", [1, 2, 7, 40])
def test_adjusted_values_are_those_of_statsmodels(name: str, k: int) -> None:
    from statsmodels.stats.multitest import multipletests

    p = np.round(np.random.default_rng(k).random(k) ** 3, 2)  # with ties and zeros
    assert METHODS[name](p).tolist() == pytest.approx(multipletests(p, method=name)[1].tolist())


@pytest.mark.parametrize("name", METHODS)
def test_order_of_entry_is_kept_and_no_value_falls(name: str) -> None:
    p = np.random.default_rng(1).random(12)
    shuffled = np.random.default_rng(2).permutation(12)
    adjusted = METHODS[name](p)
    assert METHODS[name](p[shuffled]).tolist() == pytest.approx(adjusted[shuffled].tolist())
    assert (adjusted >= p).all()
    assert (adjusted <= 1).all()


def test_the_methods_stand_in_their_order() -> None:
    p = np.random.default_rng(3).random(20) ** 4
    order = [mp.bonferroni(p), mp.holm(p), mp.hochberg(p), mp.benjamini_hochberg(p)]
    assert all((strict >= lenient - 1e-15).all() for strict, lenient in pairwise(order))
    assert (mp.benjamini_yekutieli(p) >= mp.benjamini_hochberg(p)).all()


@pytest.mark.parametrize("name", ["bonferroni", "holm", "simes-hochberg"])
def test_the_family_wise_error_rate_is_held(name: str) -> None:
    draw = np.random.default_rng(4).random((2000, 6))
    assert np.mean([METHODS[name](p).min() <= 0.05 for p in draw]) <= 0.065


def test_drift_uses_the_same_holm() -> None:
    assert drift.holm is mp.holm


def test_a_fixed_sequence_goes_on_until_the_first_that_is_not_rejected() -> None:
    found = mp.fixed_sequence([0.01, 0.04, 0.06, 0.001], alpha=0.05, names=["auroc", "se", "sp", "brier"])
    assert [(d.name, d.tested, d.rejected) for d in found] == [
        ("auroc", True, True),
        ("se", True, True),
        ("sp", True, False),
        ("brier", False, False),
    ]
    assert [d.adjusted_p_value for d in found] == [0.01, 0.04, 0.06, 0.06]
    assert [d.p_value for d in found] == [0.01, 0.04, 0.06, 0.001]


def test_a_fixed_sequence_closes_at_once_or_never() -> None:
    assert [d.tested for d in mp.fixed_sequence([0.5, 0.001], alpha=0.05)] == [True, False]
    assert all(d.rejected for d in mp.fixed_sequence([0.05, 0.05], alpha=0.05))
    assert [d.name for d in mp.fixed_sequence([0.05, 0.05], alpha=0.05)] == ["H1", "H2"]


def test_a_fixed_sequence_holds_the_family_wise_error_rate() -> None:
    draw = np.random.default_rng(5).random((4000, 5))
    wrong = [any(d.rejected for d in mp.fixed_sequence(p, alpha=0.05)) for p in draw]
    assert 0.035 <= np.mean(wrong) <= 0.065


@pytest.mark.parametrize("method", [*METHODS.values(), lambda p: mp.fixed_sequence(p, alpha=0.05)])
def test_what_is_no_row_of_p_values_is_refused(method: Callable[..., object]) -> None:
    for bad in ([0.1, 1.1], [-0.1], [float("nan")], [[0.1], [0.2]]):
        with pytest.raises(NotEstimable):
            method(bad)
    with pytest.raises(TooFewSamples):
        method([])


def test_a_sequence_needs_its_names_and_an_alpha() -> None:
    for names in (["a"], ["a", "a"], ["a", "b", "c"]):
        with pytest.raises(NotEstimable):
            mp.fixed_sequence([0.1, 0.2], alpha=0.05, names=names)
    with pytest.raises(NotEstimable):
        mp.fixed_sequence([0.1], alpha=1.0)
