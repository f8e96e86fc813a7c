"""Cases of calibration and decision curves: what they give translated, what they ask named."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from domain.errors import DataProblem
from evidence.statistics import calibration, decision_curve, goodness_of_fit, roc
from evidence.statistics.estimate import Estimate

Case = dict[str, Any]
Quantities = dict[str, Any]
Row = dict[str, str]
TRUE_WORDS = {"1", "1.0", "true", "yes", "t"}


def first_of(inputs: dict[str, Any], *names: str, default: Any = None) -> Any:
    return next((inputs[name] for name in names if inputs.get(name) is not None), default)


def rows_of(inputs: dict[str, Any], folder: Path) -> list[Row]:
    name = first_of(inputs, "csv", "file", "table_csv")
    if not isinstance(name, str):
        return []
    path = folder / name
    path = path if path.exists() else folder.parent / "inputs" / name
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def level_of(inputs: dict[str, Any]) -> float:
    stated = first_of(inputs, "conf_level", "confidence_level", "confidence", "ci_level", "level", default=0.95)
    return float(stated) if not isinstance(stated, str) else 0.95


def ends(prefix: str, estimate: Estimate) -> Quantities:
    """An interval under the names in use."""
    low, high = estimate.low, estimate.high
    found: Quantities = {f"{prefix}ci": [low, high]}
    for pair in (("ci_low", "ci_high"), ("ci_lower", "ci_upper"), ("low", "high"), ("lower", "upper")):
        found |= {f"{prefix}{pair[0]}": low, f"{prefix}{pair[1]}": high}
    return found


def labels_of(inputs: dict[str, Any], rows: list[Row]) -> np.ndarray | None:
    label = first_of(inputs, "label_column", "outcome_column", "y_column", "outcome")
    given = first_of(inputs, "y", "labels", "label", "outcomes", "truth")
    if rows and not isinstance(given, list):
        name = label or given or next((k for k in ("y", "label", "outcome", "truth") if k in rows[0]), None)
        given = [row[name] for row in rows] if name else None
    if not isinstance(given, list):
        return None
    positive = inputs.get("positive")
    wanted = TRUE_WORDS if positive is None else {str(positive).strip().lower()}
    if wanted & TRUE_WORDS:
        wanted = TRUE_WORDS
    return np.array([str(one).strip().lower() in wanted for one in given]).astype(int)


def columns_of(inputs: dict[str, Any], rows: list[Row]) -> dict[str, np.ndarray]:
    """Scores by name; the first is the one meant where a case speaks of the model."""
    named = first_of(
        inputs, "score_columns", "score_column", "model_column", "p_column", "probability_column", "models"
    )
    inline = first_of(inputs, "p", "probabilities", "prob", "scores", "predictions")
    if isinstance(inline, list):
        return {"p": np.array(inline, dtype=float)}
    if not rows:
        return {}
    named = named or inline or next((k for k in ("p", "prob", "probability", "score", "fitted") if k in rows[0]), [])
    names = [named] if isinstance(named, str) else list(named)
    return {name: np.array([float(row[name]) for row in rows]) for name in names}


def calibration_area(case: Case, folder: Path) -> Quantities:
    inputs = case["inputs"]
    rows = rows_of(inputs, folder)
    labels, scores = labels_of(inputs, rows), columns_of(inputs, rows)
    if labels is None:
        return {}
    if first_of(inputs, "thresholds", "threshold") is not None:
        return net_benefits(inputs, rows, labels, scores)
    if not scores:
        return {}
    return calibrations(inputs, labels, next(iter(scores.values())))


def calibrations(inputs: dict[str, Any], labels: np.ndarray, scores: np.ndarray) -> Quantities:
    level = level_of(inputs)
    area = float(roc.delong(labels, scores).areas[0])
    found: Quantities = dict.fromkeys(("c_statistic", "c", "auc", "auroc"), area)
    score = calibration.brier(labels, scores, level=level)
    found |= {"brier": score.value, "brier_score": score.value, "n": labels.size, "events": int(labels.sum())}
    found |= {"scaled_brier": goodness_of_fit.scaled_brier(labels, scores)}
    found |= {"mean_predicted": float(scores.mean()), "observed_rate": float(labels.mean())}
    for part in (spiegelhalters, hosmer_lemeshows, lines, bin_errors):
        try:
            found |= part(inputs, labels, scores)
        except DataProblem:
            continue
    return found


def spiegelhalters(_: dict[str, Any], labels: np.ndarray, scores: np.ndarray) -> Quantities:
    test = goodness_of_fit.spiegelhalter(labels, scores)
    return {"spiegelhalter_z": test.z, "spiegelhalter_p": test.p_value}


def hosmer_lemeshows(inputs: dict[str, Any], labels: np.ndarray, scores: np.ndarray) -> Quantities:
    groups = int(first_of(inputs, "hl_groups", "groups", "g", default=10))
    fitted = goodness_of_fit.hosmer_lemeshow(labels, scores, data="fitted here", groups=groups)
    external = goodness_of_fit.hosmer_lemeshow(labels, scores, data="external", groups=groups)
    asked = str(first_of(inputs, "hl_df", "df", "validation", "setting", "data", default="")).lower()
    meant = external if inputs.get("external") is True or asked in ("g", "external", str(groups)) else fitted
    found: Quantities = {}
    for tail, test in (("", meant), ("_fitted", fitted), ("_internal", fitted), ("_g_minus_2", fitted)):
        found |= hosmer_lemeshow_names(tail, test)
    for tail in ("_external", "_g", "_df_g"):
        found |= hosmer_lemeshow_names(tail, external)
    return found | {"chi2": meant.statistic, "df": meant.degrees_of_freedom, "p": meant.p_value}


def hosmer_lemeshow_names(tail: str, test: goodness_of_fit.HosmerLemeshow) -> Quantities:
    found = {f"hl_chi2{tail}": test.statistic, f"hl_df{tail}": test.degrees_of_freedom, f"hl_p{tail}": test.p_value}
    return found | {f"df{tail}": test.degrees_of_freedom, f"p{tail}": test.p_value}


def lines(inputs: dict[str, Any], labels: np.ndarray, scores: np.ndarray) -> Quantities:
    level = level_of(inputs)
    line = calibration.slope_and_intercept(labels, scores, level=level)
    test = goodness_of_fit.recalibration_test(labels, scores)
    ratio = goodness_of_fit.observed_to_expected(labels, scores, level=level)
    found: Quantities = {}
    for estimate, names in (
        (line.slope, ("calibration_slope", "slope")),
        (line.intercept, ("calibration_intercept", "intercept")),
        (line.in_the_large, ("calibration_in_the_large", "in_the_large", "citl")),
        (ratio, ("observed_expected_ratio", "oe_ratio", "o_e", "oe")),
    ):
        for name in names:
            found |= {name: estimate.value, **ends(f"{name}_", estimate)}
    found |= {"D": test.discrimination, "U": test.unreliability, "Q": test.quality}
    return found | {"U_chi2": test.statistic, "U_chisq": test.statistic, "U_p": test.p_value}


def bin_errors(inputs: dict[str, Any], labels: np.ndarray, scores: np.ndarray) -> Quantities:
    count = int(first_of(inputs, "bins", "n_bins", "ece_bins", "num_bins", default=10))
    names: dict[calibration.Bins, tuple[str, ...]] = {
        "equal width": ("_equal_width", "_width", "_uniform"),
        "equal count": ("_equal_mass", "_equal_count", "_equal_frequency", "_quantile", "_adaptive"),
        "equal ranks": ("_equal_ranks", "_rank"),
    }
    found: Quantities = {}
    for rule, tails in names.items():
        for closed in ("left", "right"):
            bins = calibration.reliability(labels, scores, bins=count, rule=rule, closed=closed)
            gaps = calibration.expected_calibration_error(bins), calibration.maximum_calibration_error(bins)
            for tail in tails:
                for end in (
                    ("", f"_{closed}_closed", f"_{closed}") if closed == "left" else (f"_{closed}_closed", "_right")
                ):
                    found |= {f"ece{tail}{end}": gaps[0], f"mce{tail}{end}": gaps[1]}
    asked = str(first_of(inputs, "binning", "strategy", "bin_strategy", "bin_type", "scheme", default="equal_width"))
    mass = any(word in asked.lower() for word in ("mass", "quantile", "count", "frequency", "adaptive"))
    tail = "_equal_mass" if mass else "_equal_width"
    tail += "_right" if str(first_of(inputs, "closed", "edges", default="left")).lower() == "right" else ""
    return found | {"ece": found[f"ece{tail}"], "mce": found[f"mce{tail}"]}


def net_benefits(
    inputs: dict[str, Any], rows: list[Row], labels: np.ndarray, scores: dict[str, np.ndarray]
) -> Quantities:
    thresholds = np.atleast_1d(np.array(first_of(inputs, "thresholds", "threshold"), dtype=float))
    options: dict[str, Any] = {"thresholds": thresholds}
    options["prevalence"] = first_of(inputs, "prevalence", "population_prevalence")
    per = float(first_of(inputs, "nper", "per", "per_patients", default=1))
    fitted = first_of(inputs, "as_probability", default=[])
    found: Quantities = {}
    for place, (name, values) in enumerate(scores.items()):
        if fitted is True or name in np.atleast_1d(fitted):
            values = calibration.as_probability(labels, values)
        curve = decision_curve.decision_curve(labels, values, **options)
        for end in (name, "model") if place == 0 else (name,):
            found = curve_names(end, curve, per) | found
    binary = first_of(inputs, "binary_markers", "binary_marker", "test_column", "binary_test", default=[])
    for name in [binary] if isinstance(binary, str) else binary:
        answers = [str(row[name]).strip().lower() in TRUE_WORDS for row in rows]
        found = curve_names(name, decision_curve.binary_test(labels, answers, **options), per) | found
    if not found:
        found = curve_names("all", decision_curve.binary_test(labels, np.ones_like(labels), **options), per)
    if not isinstance(first_of(inputs, "thresholds", "threshold"), list):
        return {name: value[0] if isinstance(value, list) else value for name, value in found.items()}
    return found


def curve_names(name: str, curve: Iterable[decision_curve.NetBenefit], per: float) -> Quantities:
    points = list(curve)
    worth = [point.model.value for point in points]
    avoided = [point.interventions_avoided.value * per for point in points]
    standard = [point.standardised for point in points]
    found: Quantities = {
        f"net_benefit_{name}": worth,
        f"nb_{name}": worth,
        f"standardized_net_benefit_{name}": standard,
    }
    for words in ("interventions_avoided", "net_interventions_avoided", "net_intervention_avoided"):
        found |= {f"{words}_{name}": avoided, words: avoided}
    every = [point.treat_all.value for point in points]
    found |= {"net_benefit_all": every, "net_benefit_treat_all": every, "net_benefit_none": [0.0] * len(points)}
    return found | {"net_benefit_treat_none": [0.0] * len(points), "prevalence": points[0].prevalence}


AREAS = {"3-calibration": calibration_area}
