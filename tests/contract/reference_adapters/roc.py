"""ROC and precision–recall cases, and those of clustered samples: inputs to arrays, results to the cases' names.

A case's kind is told by its inputs: score and label columns of a table (or inline lists), counts per rating, classes,
clusters, or counts per cluster.
"""

import csv
import math
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from domain.errors import DataProblem
from evidence.statistics import clustered, clustered_mcnemar, multiclass, partial_area, precision_recall, roc, roc_tests

Case = dict[str, Any]
Values = dict[str, Any]
Row = dict[str, Any]


class Samples(NamedTuple):
    """Labels (n,), score columns (k, n) with their names, the table's rows and what the case asks."""

    labels: np.ndarray
    scores: np.ndarray
    names: list[str]
    rows: list[Row]
    inputs: Values

    @property
    def level(self) -> float:
        return float(first_of(self.inputs, "confidence", "level", "conf_level", "confidence_level", default=0.95))


def roc_areas(case: Case, folder: Path) -> Values:
    """Cases on whole ROC curves."""
    inputs = case["inputs"]
    if (counts := rating_counts(inputs)) is not None:
        return one_curve(counts) | precision_and_recall(counts)
    if class_column(inputs) is not None:
        return multiclass_areas(inputs, folder)
    if (samples := read_samples(inputs, folder)) is None:
        return {}
    group = first_of(inputs, "group_column", "sample_column", "set_column", "stratum_column", "by")
    if group is not None:
        return unpaired_by_group(samples, str(group))
    if len(samples.scores) == 1:
        return one_curve(samples) | precision_and_recall(samples)
    found = per_curve(samples) | pairs_of_curves(samples) | global_test(samples)
    if len(samples.scores) == 2:
        found |= paired(samples) | unpaired(samples) | non_inferiority(samples)
    return found


def partial_and_precision(case: Case, folder: Path) -> Values:
    """Of the operating-point cases, those on part of the ROC curve and on precision and recall."""
    inputs = case["inputs"]
    samples = rating_counts(inputs) or read_samples(inputs, folder)
    if samples is None or "threshold" in inputs:
        return {}
    if samples.labels.all() or not samples.labels.any():
        return {}
    found = partial_areas(samples)
    if len(samples.scores) == 1:
        return found | precision_and_recall(samples)
    for name, scores in zip(samples.names, samples.scores, strict=True):
        one = precision_and_recall(samples._replace(scores=scores[None]))
        found |= {tag: value for key, value in one.items() for tag in (f"{key}_{name}", f"{name}_{key}")}
    if len(samples.scores) == 2 and (answer := non_inferiority(samples)):
        found |= paired(samples) | answer
    return found


def clustered_cases(case: Case, folder: Path) -> Values:
    """Cases of several samples per patient or region."""
    inputs = case["inputs"]
    if (counts := cluster_counts(inputs, folder)) is not None:
        return clustered_tests(counts, inputs)
    column = first_of(inputs, "cluster_column", "cluster", "patient_column", "group_column", "clusters")
    samples = by_modality(inputs, folder) or read_samples(inputs, folder)
    if samples is None or column is None:
        return {}
    keys = np.array([row[column] for row in samples.rows] if isinstance(column, str) else column)
    if len(samples.scores) == 1:
        return clustered_curve(samples, keys)
    return clustered_curves(samples, keys)


AREAS: dict[str, Callable[[Case, Path], Values]] = {
    "1-roc": roc_areas,
    "2-operating-point": partial_and_precision,
    "8-clustered": clustered_cases,
}


def first_of(inputs: Values, *names: str, default: Any = None) -> Any:
    """The first of these inputs that is there."""
    return next((inputs[name] for name in names if inputs.get(name) is not None), default)


def table(inputs: Values, folder: Path, *names: str) -> list[Row]:
    """The rows of the CSV that one of these inputs names."""
    name = first_of(inputs, *(names or ("csv", "table", "file")))
    if not isinstance(name, str):
        return []
    with (folder / name).open(newline="") as lines:
        return list(csv.DictReader(lines))


def number(text: Any) -> float:
    try:
        return float(text)
    except (TypeError, ValueError):
        return math.nan


def same(value: Any, wanted: Any) -> bool:
    return str(value) == str(wanted) or number(value) == number(wanted)


def read_samples(inputs: Values, folder: Path) -> Samples | None:
    """Labels and scores of a table or of inline lists, complete rows only; None where the case has none."""
    label = first_of(
        inputs, "label_column", "truth_column", "outcome_column", "response_column", "truth", "labels", "y"
    )
    chosen = first_of(
        inputs, "score_columns", "score_column", "predictor_columns", "predictor_column", "scores", "score", "rating"
    )
    if label is None or chosen is None:
        return None
    if not isinstance(label, str):
        columns = chosen if isinstance(chosen, dict) else named_lists(chosen)
        rows = [
            {"label": one, **dict(zip(columns, values, strict=True))}
            for one, *values in zip(label, *columns.values(), strict=True)
        ]
        label, names = "label", list(columns)
    else:
        rows, names = table(inputs, folder), [chosen] if isinstance(chosen, str) else list(chosen)
    if not rows or any(name not in rows[0] for name in [label, *names]):
        return None
    rows = [row for row in kept(rows, inputs, label) if not any(math.isnan(number(row[name])) for name in names)]
    positive = inputs.get("positive", inputs.get("positive_label", 1))
    labels = np.array([same(row[label], positive) for row in rows])
    scores = np.array([[number(row[name]) for row in rows] for name in names])
    signs = [-1.0 if downwards(inputs, name, labels, one) else 1.0 for name, one in zip(names, scores, strict=True)]
    return Samples(labels, scores * np.array(signs)[:, None], names, rows, inputs)


def named_lists(chosen: list[Any]) -> dict[str, list[Any]]:
    lists = chosen if isinstance(chosen[0], list) else [chosen]
    return {f"score_{k}" if len(lists) > 1 else "score": one for k, one in enumerate(lists, start=1)}


def kept(rows: list[Row], inputs: Values, label: str) -> list[Row]:
    """Rows of the two classes that are compared, within the subset that the case names."""
    negative = inputs.get("negative", inputs.get("negative_label"))
    if negative is not None:
        positive = inputs.get("positive", inputs.get("positive_label", 1))
        rows = [row for row in rows if same(row[label], positive) or same(row[label], negative)]
    for column, value in (first_of(inputs, "subset", "filter", "where", default=None) or {}).items():
        wanted = value if isinstance(value, list) else [value]
        rows = [row for row in rows if any(same(row[column], one) for one in wanted)]
    return rows


def downwards(inputs: Values, name: str, labels: np.ndarray, scores: np.ndarray) -> bool:
    """Whether lower scores of this column mean positive; «auto» asks the medians."""
    meaning = first_of(inputs, "higher_score_means", "direction", default="positive")
    if isinstance(meaning, dict):
        meaning = meaning.get(name, "positive")
    if meaning == "auto":
        return bool(np.median(scores[~labels]) > np.median(scores[labels]))
    return str(meaning) in {"negative", ">", "lower", "lower_is_positive", str(inputs.get("negative", "negative"))}


def rating_counts(inputs: Values) -> Samples | None:
    """Samples written out from counts per rating level."""
    normal = first_of(inputs, "counts_normal", "counts_negative", "counts_nondiseased", "counts_controls")
    abnormal = first_of(inputs, "counts_abnormal", "counts_positive", "counts_diseased", "counts_cases")
    if normal is None or abnormal is None:
        return None
    levels = first_of(inputs, "rating_levels", "levels", "ratings", default=list(range(1, len(normal) + 1)))
    scores = np.concatenate([np.repeat(levels, normal), np.repeat(levels, abnormal)]).astype(float)
    labels = np.repeat([False, True], [sum(normal), sum(abnormal)])
    return Samples(labels, scores[None], ["rating"], [], inputs)


def one_curve(samples: Samples) -> Values:
    """Everything on one area."""
    found = roc.delong(samples.labels, samples.scores[0])
    values = describe(found.areas[0], found.covariance[0, 0], found.positives, found.negatives)
    for name, kind in (("", "wald"), ("_wald", "wald"), ("_logit", "logit")):
        values |= ends(roc.auroc(samples.labels, samples.scores[0], level=samples.level, interval=kind), name)
    return values


def describe(area: float, variance: float, positives: int, negatives: int) -> Values:
    area, error = float(area), math.sqrt(float(variance))
    hanley = roc_tests.hanley_mcneil_error(area, positives=positives, negatives=negatives)
    return {
        "auc": area, "var_delong": float(variance), "var": float(variance), "se": error, "se_delong": error,
        "se_hanley_mcneil": hanley, "var_hanley_mcneil": hanley**2,
        "n_pos": positives, "n_neg": negatives, "n": positives + negatives,
    }  # fmt: skip


def ends(estimate: Any, suffix: str = "") -> Values:
    """An interval under the names that cases give it."""
    return {
        f"ci{suffix}_low": estimate.low,
        f"ci{suffix}_high": estimate.high,
        f"ci{suffix}": [estimate.low, estimate.high],
    }


def per_curve(samples: Samples) -> Values:
    """Each curve's values, by number and by name."""
    values: Values = {}
    for k, (name, scores) in enumerate(zip(samples.names, samples.scores, strict=True), start=1):
        single = one_curve(samples._replace(scores=scores[None]))
        for key, value in single.items():
            values[f"{key}_{k}"] = values[f"{key}_{name}"] = values[f"{name}_{key}"] = value
    values["auc"] = [values[f"auc_{k}"] for k in range(1, len(samples.scores) + 1)]
    values |= {"aucs": values["auc"], "n_pos": values["n_pos_1"], "n_neg": values["n_neg_1"], "n": values["n_1"]}
    return values


def pairs_of_curves(samples: Samples) -> Values:
    """Every pair's covariance and paired test, by numbers and by names."""
    covariance = roc.delong(samples.labels, samples.scores).covariance
    values: Values = {"covariance_matrix": covariance.tolist(), "cov_matrix": covariance.tolist()}
    for i, j in combinations(range(len(samples.scores)), 2):
        found = roc.paired_difference(samples.labels, samples.scores[i], samples.scores[j], level=samples.level)
        one = paired_values(found) | {"cov": float(covariance[i, j]), "covariance": float(covariance[i, j])}
        for tag in (f"{i + 1}_{j + 1}", f"{i + 1}{j + 1}", f"{samples.names[i]}_{samples.names[j]}"):
            values |= {f"{key}_{tag}": value for key, value in one.items()}
    return values


def paired_values(found: roc.PairedDifference) -> Values:
    one, error = found.difference, found.standard_error
    return {
        "difference": one.value, "diff": one.value, "auc_diff": one.value, "delta": one.value,
        "se_difference": error, "se_diff": error, "var_difference": error**2, "var_diff": error**2,
        "z": found.z, "p": found.p_value, "p_two_sided": found.p_value, "p_value": found.p_value,
        "chi2_paired": found.z**2, "p_one_sided_greater": found.p_greater, "p_one_sided_less": found.p_less,
        "p_greater": found.p_greater, "p_less": found.p_less,
        **ends(one, "_diff"), **ends(one, "_difference"),
    }  # fmt: skip


def paired(samples: Samples) -> Values:
    a, b = samples.scores
    covariance = roc.delong(samples.labels, samples.scores).covariance
    shared = {"covariance": float(covariance[0, 1]), "cov": float(covariance[0, 1])}
    shared["correlation"] = float(covariance[0, 1] / math.sqrt(covariance[0, 0] * covariance[1, 1]))
    return shared | paired_values(roc.paired_difference(samples.labels, a, b, level=samples.level))


def unpaired(samples: Samples) -> Values:
    """The two columns as if they came from different patients."""
    (a, b), labels = samples.scores, samples.labels
    return unpaired_values(roc_tests.unpaired_difference((labels, a), (labels, b), level=samples.level), "_unpaired")


def unpaired_values(found: roc_tests.UnpairedDifference, suffix: str = "") -> Values:
    one = found.difference
    values = {
        "z": found.z, "p": found.p_value, "p_two_sided": found.p_value, "p_z": found.p_value,
        "se_difference": found.standard_error, "se_diff": found.standard_error, "difference": one.value,
        "ci_diff_low": one.low, "ci_diff_high": one.high, "ci_diff": [one.low, one.high],
        "p_one_sided_greater": found.p_greater, "p_one_sided_less": found.p_less,
    }  # fmt: skip
    always = {
        "D": found.z,
        "df": found.degrees_of_freedom,
        "p_t": found.p_value_t,
        "df_welch": found.degrees_of_freedom,
    }
    return always | {f"{name}{suffix}": value for name, value in values.items()}


def unpaired_by_group(samples: Samples, column: str) -> Values:
    """The same score in two groups of patients."""
    kinds = [row[column] for row in samples.rows]
    groups = first_of(samples.inputs, "groups", "group_values", default=sorted(set(kinds)))
    if len(groups) != 2:
        return {}
    parts = []
    for group, scores in zip(groups, [samples.scores[0], samples.scores[-1]], strict=True):
        inside = np.array([same(kind, group) for kind in kinds])
        parts.append((samples.labels[inside], scores[inside]))
    values = unpaired_values(roc_tests.unpaired_difference(*parts, level=samples.level))
    for k, (group, (labels, scores)) in enumerate(zip(groups, parts, strict=True), start=1):
        single = one_curve(samples._replace(labels=labels, scores=scores[None]))
        values |= {f"{key}_{tag}": value for key, value in single.items() for tag in (k, group)}
    return values


def global_test(samples: Samples) -> Values:
    contrasts = first_of(samples.inputs, "contrasts", "contrast", "L")
    with suppress(DataProblem):
        found = roc_tests.equal_areas(samples.labels, samples.scores, contrasts=contrasts)
        values = {"chi2": found.chi_square, "chi_square": found.chi_square, "p_chi2": found.p_value}
        values |= {"chi2_global": found.chi_square, "p_global": found.p_value, "df_global": found.degrees_of_freedom}
        if len(samples.scores) > 2:
            values |= {"df": found.degrees_of_freedom, "p": found.p_value}
        return values
    return {}


def non_inferiority(samples: Samples) -> Values:
    """New (first) against reference (second), if the case states a margin."""
    margin = first_of(samples.inputs, "margin", "non_inferiority_margin", "noninferiority_margin", "delta", "ni_margin")
    if margin is None:
        return {}
    default = first_of(samples.inputs, "alpha", default=0.025)
    alpha = float(first_of(samples.inputs, "alpha_one_sided", "one_sided_alpha", default=default))
    new, reference = samples.scores
    if first_of(samples.inputs, "new", "new_column", "candidate", "challenger") == samples.names[1]:
        new, reference = reference, new
    found = roc_tests.non_inferior_auroc(samples.labels, new, reference, margin=abs(float(margin)), alpha=alpha)
    low = found.difference.low
    return dict.fromkeys(("lower_limit", "ci_lower_one_sided", "lower_bound", "ci_low_one_sided"), low) | {
        "z_ni": found.z, "z_noninferiority": found.z, "z_non_inferiority": found.z,
        "p_ni": found.p_value, "p_noninferiority": found.p_value, "p_non_inferiority": found.p_value,
        "noninferior": found.non_inferior, "non_inferior": found.non_inferior, "superior": found.superior,
    }  # fmt: skip


def partial_areas(samples: Samples) -> Values:
    """Both focuses over every range of twentieths and those that the case names, as «s100b_sp_1_09_mcclish»."""
    values: Values = {}
    ranges = set(combinations([k / 20 for k in range(21)], 2)) | set(stated_ranges(samples.inputs))
    focus = str(first_of(samples.inputs, "focus", "partial_auc_focus", default="specificity"))
    for name, scores in zip(samples.names, samples.scores, strict=True):
        curve = roc.curve(samples.labels, scores)
        for short, kind in (("sp", "specificity"), ("se", "sensitivity")):
            for between in ranges:
                found = partial_area.of_curve(curve, between=between, focus=kind)
                for one, other in (sorted(between, reverse=True), sorted(between)):
                    stem = f"{short}_{digits(one)}_{digits(other)}"
                    for prefix in (f"{name}_", *([""] if len(samples.names) == 1 else [])):
                        values |= {f"{prefix}{stem}_raw": found.raw, f"{prefix}{stem}_mcclish": found.corrected}
        if stated := stated_ranges(samples.inputs):
            found = partial_area.of_curve(
                curve, between=stated[0], focus="sensitivity" if focus.startswith("se") else "specificity"
            )
            for prefix in (f"{name}_", *([""] if len(samples.names) == 1 else [])):
                values |= {f"{prefix}raw": found.raw, f"{prefix}mcclish": found.corrected}
                values |= {f"{prefix}pauc_raw": found.raw, f"{prefix}pauc_mcclish": found.corrected}
                values |= {f"{prefix}pauc": found.raw, f"{prefix}pauc_corrected": found.corrected}
    return values


def stated_ranges(inputs: Values) -> list[tuple[float, float]]:
    """Ranges that the inputs name: pairs, or a largest false-positive rate."""
    if (limit := first_of(inputs, "max_fpr")) is not None:
        return [(1.0 - float(limit), 1.0)]
    found = first_of(
        inputs, "ranges", "windows", "range", "window", "partial_auc", "between", "specificity_range",
        "sensitivity_range", default=[],
    )  # fmt: skip
    pairs: Iterable[Any] = [found] if found and not isinstance(found[0], list) else found
    return [(min(float(a), float(b)), max(float(a), float(b))) for a, b in pairs]


def digits(bound: float) -> str:
    """0.9 is written 09, 1 is 1, 0.85 is 085."""
    return f"{bound:.10f}".rstrip("0").rstrip(".").replace(".", "")


def precision_and_recall(samples: Samples) -> Values:
    found = precision_recall.areas(samples.labels, samples.scores[0])
    return {
        "average_precision": found.average_precision,
        "pr_auc_davis_goadrich": found.davis_goadrich,
        "pr_auc_integral": found.integral,
        "pr_auc_linear": found.linear_trapezoid,
        "pr_auc_trapezoid": found.linear_trapezoid,
        "pr_baseline": found.prevalence,
    }


def class_column(inputs: Values) -> Any:
    return first_of(inputs, "class_column", "classes")


def multiclass_areas(inputs: Values, folder: Path) -> Values:
    """Hand and Till's M of each score, or of one column per class."""
    column, rows = class_column(inputs), table(inputs, folder)
    per_class = first_of(inputs, "probability_columns", "class_score_columns", "probabilities")
    classes = [row[column] for row in rows] if isinstance(column, str) else column
    kinds = np.array(classes if any(math.isnan(number(one)) for one in classes) else [number(one) for one in classes])
    if per_class is not None:
        columns = (
            np.array([[number(row[name]) for name in per_class] for row in rows])
            if isinstance(per_class[0], str)
            else np.array(per_class, dtype=float)
        )
        order = first_of(inputs, "class_order", "levels", "columns_order")
        return multiclass_values(multiclass.hand_till(kinds, columns, order=tuple(order) if order else None), "")
    values: Values = {}
    names = first_of(inputs, "score_columns", "score_column", "scores")
    names = [names] if isinstance(names, str) else names
    meaning = {"<": "higher", ">": "lower", "higher": "higher", "lower": "lower", "best": "best", "max": "best"}
    direction: Any = meaning.get(str(inputs.get("direction")), "medians")
    for name in names:
        scores = np.array([number(row[name]) for row in rows])
        known = ~np.isnan(scores)
        found = multiclass.hand_till(kinds[known], scores[known], direction=direction)
        values |= multiclass_values(found, f"_{name}")
        if len(names) == 1:
            values |= multiclass_values(found, "")
    return values


def multiclass_values(found: multiclass.MulticlassArea, suffix: str) -> Values:
    values: Values = {f"M{suffix}": found.m, f"auc{suffix}": found.m}
    values[f"pair_aucs{suffix}"] = values[f"pairs{suffix}"] = [pair.area for pair in found.pairs]
    for pair in found.pairs:
        a, b = (f"{one:g}" if isinstance(one, float) else str(one) for one in (pair.first, pair.second))
        values |= {f"A{suffix}_{a}_{b}": pair.area, f"auc{suffix}_{a}_{b}": pair.area}
    return values


def by_modality(inputs: Values, folder: Path) -> Samples | None:
    """A table with one row per modality and sample, as one score column per modality: the readers' mean."""
    modality, key = (
        first_of(inputs, "modality_column", "modality", "test_column"),
        first_of(inputs, "case_column", "target_column", "unit_column", "case"),
    )
    label = first_of(inputs, "label_column", "truth_column", "truth")
    columns = first_of(inputs, "reader_columns", "score_columns", "score_column")
    rows = table(inputs, folder)
    if not rows or any(column not in rows[0] for column in (modality, key, label)) or columns is None:
        return None
    columns = [columns] if isinstance(columns, str) else columns
    present = list(dict.fromkeys(row[modality] for row in rows))
    names = first_of(inputs, "modalities", "compare", "tests", default=present)
    read = {(row[modality], row[key]): float(np.mean([number(row[name]) for name in columns])) for row in rows}
    first = {row[key]: row for row in rows if row[modality] == names[0]}
    cases = [case for case in first if all((name, case) in read for name in names)]
    labels = np.array([same(first[case][label], inputs.get("positive", 1)) for case in cases])
    scores = np.array([[read[name, case] for case in cases] for name in names])
    return Samples(labels, scores, list(names), [first[case] for case in cases], inputs)


def clustered_curve(samples: Samples, keys: np.ndarray) -> Values:
    """Obuchowski's variance of one area, and two others to hold it against."""
    found = clustered.areas(samples.labels, samples.scores, keys)
    variance = float(found.covariance[0, 0])
    delong = float(roc.delong(samples.labels, samples.scores).covariance[0, 0])
    level, (scores,) = samples.level, samples.scores
    wald = clustered.auroc(samples.labels, scores, keys, level=level, interval="wald")
    jackknife = float(found.infinitesimal_jackknife[0, 0])
    return {
        "auc": float(found.areas[0]), "var_obuchowski": variance, "var": variance, "se": math.sqrt(variance),
        "se_obuchowski": math.sqrt(variance),
        "var_delong_ignoring_clusters": delong, "se_delong_ignoring_clusters": math.sqrt(delong),
        "var_infinitesimal_jackknife_cluster": jackknife, "se_infinitesimal_jackknife_cluster": math.sqrt(jackknife),
        "design_effect": variance / delong, "n_clusters": found.clusters, "n_pos": found.positives,
        "n_neg": found.negatives, **ends(wald), **ends(wald, "_wald"),
        **ends(clustered.auroc(samples.labels, scores, keys, level=level), "_logit"),
    }  # fmt: skip


def clustered_curves(samples: Samples, keys: np.ndarray) -> Values:
    """Each area, and for two the paired difference."""
    found = clustered.areas(samples.labels, samples.scores, keys)
    values: Values = {}
    for k, (name, scores) in enumerate(zip(samples.names, samples.scores, strict=True), start=1):
        single = clustered_curve(samples._replace(scores=scores[None]), keys)
        values |= {f"{key}_{tag}": value for key, value in single.items() for tag in (k, name)}
    if len(samples.scores) == 2:
        a, b = samples.scores
        values |= paired_values(clustered.paired_difference(samples.labels, a, b, keys, level=samples.level))
        values |= dict.fromkeys(("covariance", "cov", "cov_12"), float(found.covariance[0, 1]))
        margin = first_of(samples.inputs, "margin", "non_inferiority_margin")
        if margin is not None:
            alpha = float(first_of(samples.inputs, "alpha", "alpha_one_sided", default=0.025))
            answer = clustered.non_inferior_auroc(samples.labels, a, b, keys, margin=abs(float(margin)), alpha=alpha)
            values |= {"z_ni": answer.z, "p_ni": answer.p_value, "non_inferior": answer.non_inferior}
            values |= {"lower_limit": answer.difference.low}
    else:
        test = clustered.equal_areas(samples.labels, samples.scores, keys)
        values |= {"chi2": test.chi_square, "df": test.degrees_of_freedom, "p": test.p_value}
    return values


def cluster_counts(inputs: Values, folder: Path) -> clustered_mcnemar.PairedCounts | None:
    """Counts per cluster, given as such, or two readings of each sample."""
    rows = table(inputs, folder)
    cells = [first_of(inputs, f"{letter}k", letter) for letter in "abcd"]
    if all(isinstance(cell, list) for cell in cells):
        return clustered_mcnemar.as_counts(*cells)
    if not rows or first_of(inputs, "score_column", "score_columns") is not None:
        return None
    columns = first_of(inputs, "columns", default=list(rows[0]))
    counts = first_of(inputs, "count_columns", "counts") or [
        name for letter in "abcd" for name in columns if name.lower() in {letter, f"{letter}h", f"{letter}k"}
    ]
    if len(counts) == 4:
        return clustered_mcnemar.as_counts(*([number(row[name]) for row in rows] for name in counts))
    cluster = first_of(inputs, "cluster_column", "cluster", default=columns[0])
    readings = first_of(inputs, "test_columns", "reading_columns", "pair_columns", default=columns[-2:])
    one, two = ([int(number(row[name])) for row in rows] for name in readings)
    return clustered_mcnemar.count_pairs(one, two, [row[cluster] for row in rows])


def clustered_tests(counts: clustered_mcnemar.PairedCounts, inputs: Values) -> Values:
    """Every variant that these counts allow, with its p-value."""
    tests = {
        "mcnemar": clustered_mcnemar.mcnemar, "eliasziw": clustered_mcnemar.eliasziw_donner,
        "obuchowski": clustered_mcnemar.obuchowski, "durkalski": clustered_mcnemar.durkalski,
        "yang": clustered_mcnemar.yang,
    }  # fmt: skip
    values: Values = {"n_clusters": counts.size.size, "n": counts.n}
    for name, test in tests.items():
        with suppress(DataProblem):
            found = test(counts)
            values |= {name: found.statistic, f"p_{name}": found.p_value, f"{name}_p": found.p_value}
    with suppress(DataProblem):
        level = float(first_of(inputs, "confidence", "level", default=0.95))
        one = clustered_mcnemar.difference(counts, level=level)
        values |= {"difference": one.value, "diff": one.value, **ends(one, "_diff")}
    return values
