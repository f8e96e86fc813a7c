"""Dorfman–Berbaum–Metz: pseudovalues, their analysis of variance, and agreement with Obuchowski–Rockette."""

import math
from itertools import combinations

import numpy as np
import pytest

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.mrmc_covariance import delong, jackknife
from evidence.statistics.mrmc_dbm import SOURCES, dorfman_berbaum_metz, pseudovalues
from evidence.statistics.mrmc_figures import partial_auc
from evidence.statistics.mrmc_or import obuchowski_rockette
from evidence.statistics.mrmc_study import ReaderStudy, crossed_study


def study(tests: int = 2, readers: int = 4, cases: int = 60, *, seed: int = 0) -> ReaderStudy:
    draw = np.random.default_rng(seed)
    truth = np.arange(cases) % 2
    shared = draw.normal(0, 0.7, cases) + draw.normal(0, 0.4, (tests, 1, cases)) + draw.normal(0, 0.4, (readers, cases))
    table = (1.3 + draw.normal(0, 0.3, (1, readers, 1))) * truth + shared + draw.normal(0, 0.6, shared.shape)
    return crossed_study(truth, table)


def test_pseudovalues_average_to_the_figure() -> None:
    for figure in (None, partial_auc(low=0.6, high=1)):
        figures = jackknife(study(), figure)
        assert pseudovalues(figures).mean(axis=2) == pytest.approx(figures.values, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_random_readers_and_cases_give_the_test_of_obuchowski_and_rockette(seed: int) -> None:
    figures = jackknife(study(tests=3, seed=seed))
    found, other = dorfman_berbaum_metz(figures), obuchowski_rockette(figures)
    assert found.equality.statistic == pytest.approx(other.equality.statistic)
    assert found.equality.df2 == pytest.approx(other.equality.df2)
    assert [one.p_value for one in found.differences] == pytest.approx([one.p_value for one in other.differences])
    assert [one.mean.low for one in found.means] == pytest.approx([one.mean.low for one in other.means])


def test_fixed_cases_give_it_too_and_fixed_readers_nearly() -> None:
    figures = jackknife(study())
    found, other = (f(figures, factors="fixed cases") for f in (dorfman_berbaum_metz, obuchowski_rockette))
    assert found.equality.p_value == pytest.approx(other.equality.p_value)
    found, other = (f(figures, factors="fixed readers") for f in (dorfman_berbaum_metz, obuchowski_rockette))
    assert found.equality.statistic == pytest.approx(other.equality.statistic)
    assert found.equality.df2 == 59


def test_mean_squares_are_those_of_least_squares_fits() -> None:
    figures = jackknife(study(readers=3, cases=12))
    y = pseudovalues(figures)
    labels = np.indices(y.shape).reshape(3, -1)

    def residual(terms: list[tuple[int, ...]]) -> float:
        columns = [np.ones((y.size, 1))]
        for term in terms:
            code = np.ravel_multi_index(tuple(labels[list(term)]), [y.shape[axis] for axis in term])
            columns.append(np.eye(int(code.max()) + 1)[code])
        design = np.concatenate(columns, axis=1)
        fit = np.linalg.lstsq(design, y.ravel(), rcond=None)[0]
        return float(((y.ravel() - design @ fit) ** 2).sum())

    terms = [*combinations(range(3), 1), *combinations(range(3), 2)]
    found = dict(zip(SOURCES, dorfman_berbaum_metz(figures).mean_squares, strict=True))
    # In a balanced layout, leaving a pair of factors out of the model of all pairs costs exactly that pair's sum.
    full = residual(terms)
    for term, name in zip(terms[3:], ("TR", "TC", "RC"), strict=True):
        df = math.prod(y.shape[axis] - 1 for axis in term)
        assert (residual([t for t in terms if t != term]) - full) / df == pytest.approx(found[name])
    assert full / math.prod(n - 1 for n in y.shape) == pytest.approx(found["TRC"])
    assert (residual([(1,), (2,)]) - residual([(0,), (1,), (2,)])) / 1 == pytest.approx(found["T"])


def test_components_add_up_to_the_mean_squares() -> None:
    result = dorfman_berbaum_metz(jackknife(study()))
    squares, parts = dict(zip(SOURCES, result.mean_squares, strict=True)), result.components
    assert squares["TRC"] == parts.error
    assert squares["TR"] == pytest.approx(parts.error + 60 * parts.test_reader)
    assert squares["TC"] == pytest.approx(parts.error + 4 * parts.test_case)
    expected = parts.error + 60 * parts.test_reader + 2 * parts.reader_case + 120 * parts.reader
    assert squares["R"] == pytest.approx(expected)


def test_designs_without_pseudovalues_are_refused() -> None:
    one = study()
    with pytest.raises(NotEstimable):
        dorfman_berbaum_metz(delong(one))
    table = one.ratings.copy()
    table[0, 0, 0] = np.nan
    with pytest.raises(NotEstimable):
        dorfman_berbaum_metz(jackknife(crossed_study(one.truth, table)))


@pytest.mark.parametrize("shape", [{"tests": 1}, {"readers": 1}], ids=str)
def test_one_test_or_one_reader_is_too_few(shape: dict[str, int]) -> None:
    with pytest.raises(TooFewSamples):
        dorfman_berbaum_metz(jackknife(study(**shape)))
