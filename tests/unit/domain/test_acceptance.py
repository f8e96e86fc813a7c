"""Bounds on intervals: a model version meets a criterion with the whole interval or not at all."""

import pytest

from domain.acceptance import MetricValue, at_least, judge
from domain.dataset import Split


def auroc(low: float, high: float, *, split: Split = Split.TEST, subgroup: str = "all") -> MetricValue:
    return MetricValue(
        name="auroc", value=(low + high) / 2, interval=(low, high), method="DeLong, logit", n=624, positives=390,
        split=split, dataset_version="films@0123456789ab", model_version="pneumonia@1", subgroup=subgroup,
    )  # fmt: skip


def test_a_criterion_is_met_by_the_lower_end_of_the_interval_not_by_the_estimate() -> None:
    criterion = at_least("auroc", lower_bound=0.90)
    assert criterion.is_met_by(auroc(0.90, 0.96))
    assert not criterion.is_met_by(auroc(0.899, 0.99))


def test_the_verdict_carries_bound_and_value() -> None:
    criterion = at_least("auroc", lower_bound=0.90)
    (result,) = judge((criterion,), (auroc(0.85, 0.95),))
    assert (result.criterion, result.value, result.met) == (criterion, auroc(0.85, 0.95), False)


@pytest.mark.parametrize("other", [auroc(0.99, 1.0, split=Split.TUNE), auroc(0.99, 1.0, subgroup="sex=F")])
def test_only_the_whole_test_set_is_judged(other: MetricValue) -> None:
    (result,) = judge((at_least("auroc", lower_bound=0.97),), (auroc(0.91, 0.95), other))
    assert not result.met


def test_a_criterion_that_was_not_measured_is_an_error_not_a_pass() -> None:
    with pytest.raises(KeyError):
        judge((at_least("sensitivity", lower_bound=0.9),), (auroc(0.95, 0.99),))


def test_a_value_prints_with_its_interval_and_sample_size() -> None:
    assert str(auroc(0.91, 0.95)) == "auroc 0.930 (95% CI 0.910–0.950, n=624)"
