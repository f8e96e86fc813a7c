"""Does an engine answer as the trained model does? Rounding does, a lost order does not, and a guess is no proof."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from domain.model_version import Precision
from evidence.engine_parity import agreement
from evidence.engine_record import EngineAgreement
from evidence.scored_set import ScoredSet

Scorer = Callable[..., ScoredSet]


def moved(scored: ScoredSet, by: float, *, seed: int = 1) -> ScoredSet:
    """The same set by an engine whose probabilities lie up to ``by`` apart."""
    noise = np.random.default_rng(seed).uniform(-by, by, len(scored.sample_ids))
    return replace(scored, probabilities=np.clip(scored.probabilities + noise, 0, 1))


def compared(engine: ScoredSet, trained: ScoredSet, precision: Precision = "int8") -> EngineAgreement:
    return agreement(engine, trained.probabilities, precision=precision, against="torch")


def test_the_same_answers_agree_at_every_precision(scored: Scorer) -> None:
    for precision in ("fp32", "bf16", "int8"):
        found = compared(scored(), scored(), precision)
        assert found.within
        assert (found.max_difference, found.n) == (0.0, 240)


@pytest.mark.parametrize(
    ("by", "precision", "within"),
    [(5e-5, "fp32", True), (5e-4, "fp32", False), (0.01, "bf16", True), (0.01, "int8", True), (0.08, "int8", False)],
)
def test_no_probability_may_be_further_apart_than_the_tolerance(
    by: float, precision: Precision, within: bool, scored: Scorer
) -> None:
    found = compared(moved(scored(), by), scored(), precision)

    assert found.within is within
    assert found.max_difference == pytest.approx(by, rel=0.1)


def test_a_loss_of_area_is_refused_though_every_probability_is_within_the_tolerance(scored: Scorer) -> None:
    # Every film close to 0.5, and those with the finding pushed down, the others up.
    trained = scored()
    squeezed = replace(trained, probabilities=0.5 + (trained.probabilities - 0.5) * 0.05)
    worse = replace(squeezed, probabilities=squeezed.probabilities - 0.02 * (2 * squeezed.labels - 1))

    found = compared(worse, squeezed)

    assert found.max_difference < found.tolerance
    assert found.auroc_difference is not None
    assert found.auroc_difference.value < -0.05
    assert not found.within


def test_an_engine_that_gives_no_number_does_not_agree(scored: Scorer) -> None:
    broken = scored().probabilities.copy()
    broken[7] = np.nan

    found = compared(replace(scored(), probabilities=broken), scored(), "fp32")

    assert (found.max_difference, found.auroc_difference, found.within) == (1.0, None, False)
    assert EngineAgreement.model_validate_json(found.model_dump_json()) == found


def test_rounding_on_a_set_without_any_error_agrees_but_a_larger_difference_proves_nothing_there(
    scored: Scorer,
) -> None:
    trained = scored()
    perfect = replace(trained, probabilities=0.2 + 0.6 * trained.labels.astype(float))

    rounded = replace(perfect, probabilities=perfect.probabilities + 1e-7)
    quantised = moved(perfect, 0.02)

    assert compared(rounded, perfect, "fp32").within
    found = compared(quantised, perfect)
    assert found.max_difference < found.tolerance
    assert not found.within, "no film changed places, but 240 films cannot exclude a loss of 0.01"


def test_too_few_patients_carry_no_comparison_of_areas(scored: Scorer) -> None:
    two = scored()
    rows = [int(np.flatnonzero(two.labels == label)[0]) for label in (0, 1)]
    pair = replace(
        two, sample_ids=("a", "b"), patient_keys=("p", "q"), labels=two.labels[rows],
        probabilities=two.probabilities[rows], subgroups={},
    )  # fmt: skip

    assert compared(pair, pair, "fp32").within
    found = compared(replace(pair, probabilities=pair.probabilities * 0.99), pair)
    assert (found.auroc_difference, found.within) == (None, False)
