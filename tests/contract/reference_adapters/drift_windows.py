"""Cases of drift of a window against a reference, and of the arms of a comparison, in the words of
``evidence.statistics``.
"""

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np

from domain.errors import NotEstimable
from evidence.statistics import always_valid, divergences, kolmogorov_smirnov, mmd, sample_ratio

Case = dict[str, Any]
Values = dict[str, Any]


def histograms(case: Case, folder: Path) -> Values:
    """Two histograms over the same cells."""
    inputs = case["inputs"]
    if not {"reference", "current"} <= inputs.keys() or "csv" in inputs:
        return {}
    before, now = inputs["reference"], inputs["current"]
    if len(before) != len(now) or min(*before, *now) < 0:
        return {}
    return _divergences(before, now, inputs)


def _divergences(before: Any, now: Any, inputs: Values) -> Values:
    small = _first(inputs, "epsilon", "eps", "zero_replacement", "floor", "replace_zero_with", "zero_floor")
    pseudo = _first(inputs, "pseudocount", "pseudo_count")
    zeros: divergences.ZeroRule = "floor" if small else "pseudocount" if pseudo else "refuse"
    try:
        values: Values = {"psi": divergences.psi(before, now, zeros=zeros, small=float(small or pseudo or 0.0))}
    except NotEstimable:
        values = {"psi": math.inf}  # what the sum comes to with an empty cell and no rule for it
    for unit, base in (("nats", math.e), ("bits", 2.0)):
        there = divergences.kullback_leibler(before, now, base=base)
        values |= {f"kl_{unit}": there, f"kl_ref_cur_{unit}": there}
        values[f"kl_cur_ref_{unit}"] = divergences.kullback_leibler(now, before, base=base)
        values[f"js_divergence_{unit}"] = divergences.jensen_shannon(before, now, base=base)
    values["js_distance_base2"] = divergences.jensen_shannon_distance(before, now, base=2.0)
    values["js_distance_base_e"] = divergences.jensen_shannon_distance(before, now)
    values["hellinger"] = divergences.hellinger(before, now)
    return values


def raw_windows(case: Case, folder: Path) -> Values:
    """Raw samples of two windows: a table with the columns set and value, in the cells of the reference's quantiles."""
    inputs = case["inputs"]
    if not str(inputs.get("csv", "")).endswith(".csv") or "spacing_mm" in inputs:
        return {}
    with (folder / inputs["csv"]).open() as table:
        rows = list(csv.DictReader(table))
    if not rows or not {"set", "value"} <= rows[0].keys():
        return {}
    windows = {name: [float(row["value"]) for row in rows if row["set"] == name] for name in ("ref", "cur")}
    before, now = windows["ref"], windows["cur"]
    count = _first(inputs, "bins", "n_bins", "cells", "quantiles", default=10)
    closed: divergences.Closed = "left" if "left" in str(inputs.get("closed", "right")) else "right"
    if "edges" in inputs or "breaks" in inputs:
        edges = [e for e in _first(inputs, "edges", "breaks") if isinstance(e, int | float) and math.isfinite(e)]
        made = divergences.counted(before, now, edges=edges, closed=closed)
    else:
        made = divergences.cells(before, now, count=int(count), closed=closed)
    reference, current = made.reference.tolist(), made.current.tolist()
    return {
        **_divergences(reference, current, inputs),
        **_two_samples(before, now),
        "edges": made.edges.tolist(),
        "breaks": made.edges.tolist(),
        "reference_counts": reference,
        "current_counts": current,
        "reference_shares": (made.reference / made.reference.sum()).tolist(),
        "current_shares": (made.current / made.current.sum()).tolist(),
    }


def two_samples(case: Case, folder: Path) -> Values:
    """Two samples of one feature."""
    inputs = case["inputs"]
    return _two_samples(inputs["a"], inputs["b"]) if _are_samples(inputs.get("a"), inputs.get("b")) else {}


def _are_samples(*candidates: Any) -> bool:
    """Lists of numbers, not all of them information fractions that rise to 1."""
    if not all(isinstance(c, list) and c and all(isinstance(x, int | float) for x in c) for c in candidates):
        return False
    return not all(c[0] > 0 and c[-1] == 1 and c == sorted(set(c)) for c in candidates)


def _two_samples(first: Any, second: Any) -> Values:
    exact = kolmogorov_smirnov.kolmogorov_smirnov(first, second)
    limit = kolmogorov_smirnov.kolmogorov_smirnov(first, second, method="limit")
    values: Values = {
        "D": exact.statistic,
        "p_exact": exact.p_value,
        "p_asymptotic": limit.p_value,
        "wasserstein_1": divergences.wasserstein(first, second),
    }
    sides: tuple[tuple[kolmogorov_smirnov.Alternative, str], ...] = (("greater", "plus"), ("less", "minus"))
    for alternative, sign in sides:
        one = kolmogorov_smirnov.kolmogorov_smirnov(first, second, alternative=alternative)
        far = kolmogorov_smirnov.kolmogorov_smirnov(first, second, alternative=alternative, method="limit")
        for name in (alternative, sign):
            values |= {f"D_{name}": one.statistic, f"p_exact_{name}": one.p_value, f"p_{name}_exact": one.p_value}
            values |= {f"p_asymptotic_{name}": far.p_value, f"p_{name}_asymptotic": far.p_value}
    return values


def discrepancies(case: Case, folder: Path) -> Values:
    """Two sets of vectors and, perhaps, a bandwidth: sigma, or gamma = 1 / (2 sigma²)."""
    inputs = case["inputs"]
    one, other = _first(inputs, "x", "reference", "a"), _first(inputs, "y", "current", "b")
    if one is None or other is None or not {"bandwidth", "gamma", "kernel"} & inputs.keys():
        return {}
    gamma = inputs.get("gamma")
    bandwidth = inputs.get("bandwidth") if gamma is None else math.sqrt(0.5 / gamma)
    bandwidth = bandwidth if isinstance(bandwidth, int | float) else None
    found = mmd.mmd(one, other, bandwidth=bandwidth, permutations=inputs.get("permutations", 999))
    return {
        "mmd2_unbiased": found.unbiased,
        "mmd2_biased": found.biased,
        "bandwidth": found.bandwidth,
        "p_permutation": found.p_value,
    }


def mixture_tests(case: Case, folder: Path) -> Values:
    """Paired arrivals with a mixture: normal when sigma is given, else Bernoulli."""
    inputs = case["inputs"]
    if not {"x", "y", "tau"} <= inputs.keys():
        return {}
    settings = {
        "tau": float(inputs["tau"]),
        "null_difference": float(_first(inputs, "theta0", "theta", default=0.0)),
        "alpha": float(inputs.get("alpha", 0.05)),
    }
    deviation = inputs.get("sigma")
    if deviation is None or "bern" in str(inputs.get("distribution", "")).lower():
        test = always_valid.bernoulli_msprt(inputs["x"], inputs["y"], **settings)
    else:
        test = always_valid.normal_msprt(inputs["x"], inputs["y"], deviation=float(deviation), **settings)
    # Where the variance is unknown the R package gives 0/0.
    path = np.where(test.variance > 0.0, test.ratio, math.nan).tolist()
    values: Values = {"lambda_path": path, "stop_n": test.stopped_at, "always_valid_p": test.p_value.tolist()}
    values |= {f"lambda_{n}": one for n, one in enumerate(path, start=1)}
    return values | {f"always_valid_p_{n}": float(p) for n, p in enumerate(test.p_value, start=1)}


def sample_ratios(case: Case, folder: Path) -> Values:
    """Counts of arms against planned shares."""
    inputs = case["inputs"]
    counts, shares = _first(inputs, "counts", "observed"), _first(inputs, "shares", "ratio", "planned", "expected")
    if counts is None or shares is None:
        return {}
    found = sample_ratio.sample_ratio(counts, shares)
    return {
        **dict.fromkeys(("chi2", "chisq", "statistic"), found.statistic),
        **dict.fromkeys(("p", "p_value"), found.p_value),
        "df": found.degrees_of_freedom,
    }


def _first(inputs: Values, *names: str, default: Any = None) -> Any:
    return next((inputs[name] for name in names if inputs.get(name) is not None), default)


def drift(case: Case, folder: Path) -> Values:
    """Whatever kind of the area a case is."""
    values: Values = {}
    for kind in (histograms, raw_windows, two_samples, discrepancies, mixture_tests, sample_ratios):
        values |= kind(case, folder)
    return values


AREAS = {"7-drift-sequential": drift}
