"""Proportions, one threshold, paired decisions, multiplicity: from a case's inputs to calls and back to its names."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from domain.errors import DataProblem
from evidence.statistics import likelihood_ratio as lr
from evidence.statistics import multiplicity, predictive_value, threshold
from evidence.statistics import operating_point as op
from evidence.statistics import paired_binary as paired
from evidence.statistics import proportion as pr
from evidence.statistics.estimate import Estimate
from evidence.statistics.paired_intervals import METHODS

Values = dict[str, Any]
SHARES: dict[tuple[str, ...], Any] = {
    ("sensitivity", "se"): op.sensitivity,
    ("specificity", "sp"): op.specificity,
    ("ppv",): op.ppv,
    ("npv",): op.npv,
    ("youden",): op.youden,
}
RATIOS: dict[str, Any] = {
    "lr_pos": lr.positive_likelihood_ratio,
    "lr_neg": lr.negative_likelihood_ratio,
    "dor": lr.diagnostic_odds_ratio,
}
SENSITIVITY, SPECIFICITY = ("se_", "sens_", "sensitivity_"), ("sp_", "spec_", "specificity_")
TARGETS = sorted({round(0.5 + i / 100, 3) for i in range(51)} | {0.925, 0.975, 0.995, 0.0, 0.1, 0.2, 0.3, 0.4})


def first_of(inputs: Values, *names: str, default: Any = None) -> Any:
    return next((inputs[name] for name in names if inputs.get(name) is not None), default)


def level_of(inputs: Values) -> float:
    alpha = inputs.get("alpha")
    implied = 1.0 - alpha if alpha is not None else 0.95
    return float(first_of(inputs, "confidence", "level", "conf_level", "confidence_level", default=implied))


def ends(found: Estimate) -> list[float]:
    return [found.low, found.high]


def column(case: Values, folder: Path, name: str) -> list[str]:
    with (folder / case["inputs"]["csv"]).open(newline="") as file:
        return [row[name] for row in csv.DictReader(file)]


# Binomial intervals


def binomial(case: Values, folder: Path) -> Values:
    inputs = case["inputs"]
    x, n = first_of(inputs, "x", "successes", "events"), first_of(inputs, "n", "trials", "total")
    found: Values = dict(one_sided(inputs.get("one_sided")))
    if x is None or n is None:
        return found
    pairs = list(zip(x, n, strict=True)) if isinstance(x, list) else [(x, n)]
    for interval in pr.NAMES:
        every = [pr.proportion(int(a), int(b), level=level_of(inputs), interval=interval) for a, b in pairs]
        name = interval.replace("-", "_")
        found[name] = [ends(e) for e in every]
        found |= {f"{name}_lower": [e.low for e in every], f"{name}_upper": [e.high for e in every]}
        found |= {f"{name}_{e.positives}_{e.n}": ends(e) for e in every}
    found["estimate"] = [a / b for a, b in pairs]
    return found | {"exact": found["clopper_pearson"]}


def one_sided(asked: Any) -> Iterator[tuple[str, float]]:
    for one in asked if isinstance(asked, list) else [asked] if asked else []:
        x, n, level = one["x"], one["n"], level_of(one)
        method = str(one.get("method", "exact")).lower().replace("_", "-")
        interval: Any = "clopper-pearson" if method == "exact" else method
        low = pr.lower_limit(x, n, level=level, interval=interval).low
        high = pr.upper_limit(x, n, level=level, interval=interval).high
        yield f"one_sided_lower_{x}_{n}", low
        yield f"one_sided_upper_{x}_{n}", high
        if one is asked:
            yield "one_sided_lower", low
            yield "one_sided_upper", high


# One table or one threshold


def diagnostic_table(case: Values, folder: Path) -> Values:
    cells = {key.lower(): value for key, value in case["inputs"].items()}
    if not {"tp", "fp", "fn", "tn"} <= cells.keys():
        return {}
    return described(op.Confusion(cells["tp"], cells["fp"], cells["fn"], cells["tn"]), case["inputs"])


def described(counts: op.Confusion, inputs: Values) -> Values:
    """Every proportion and ratio that these counts have; one without a value is left out."""
    level, half = level_of(inputs), bool(inputs.get("add_half", False))
    found: Values = {"prevalence": counts.positives / counts.n}
    for names, share in SHARES.items():
        for interval in pr.NAMES:
            with suppress(DataProblem):
                e = share(counts, level=level, interval=interval)
                kind = interval.replace("-", "_")
                found |= {names[0]: e.value} | {f"{name}_{kind}": ends(e) for name in names}
    for name, ratio in RATIOS.items():
        with suppress(DataProblem):
            e = ratio(counts, level=level, add_half=half)
            found |= {name: e.value, f"{name}_ci": ends(e)}
    if "youden_wilson" in found:
        found["youden_ci"] = found["youden_wilson"]
    if (stated := first_of(inputs, "prevalence", "stated_prevalence")) is not None:
        found |= at_prevalence(counts, stated, level) | {"prevalence": stated}
    return found


def at_prevalence(counts: op.Confusion, stated: float | list[float], level: float) -> Values:
    """Predictive values at the stated prevalence; they then also go by the plain name."""
    found: Values = {}
    for name, at in (("ppv", predictive_value.ppv_at), ("npv", predictive_value.npv_at)):
        many = isinstance(stated, list)
        every = [at(counts, prevalence=p, level=level) for p in (stated if many else [stated])]
        value, ci = [e.value for e in every], [ends(e) for e in every]
        for called in (name, f"{name}_at_prevalence"):
            found |= {called: value if many else value[0]}
            found |= {f"{called}_{kind}": ci if many else ci[0] for kind in ("ci", "logit", "logit_ci")}
    return found


def one_score(case: Values, folder: Path) -> Values:
    inputs = case["inputs"]
    if not {"label_column", "score_column", "csv"} <= inputs.keys():
        return {}
    labels = labels_of(case, folder)
    scores = np.array([float(value) for value in column(case, folder, inputs["score_column"])])
    higher = first_of(inputs, "higher_score_means", default="positive") == "positive"
    found = thresholds_chosen(labels, scores, higher)
    if (cut := inputs.get("threshold")) is not None:
        counts = op.confusion(labels, scores, threshold=cut, higher_means_positive=higher)
        found |= {
            "tp": counts.true_positives, "fp": counts.false_positives,
            "fn": counts.false_negatives, "tn": counts.true_negatives,
        } | described(counts, inputs)  # fmt: skip
    return found


def labels_of(case: Values, folder: Path) -> Any:
    inputs = case["inputs"]
    values = column(case, folder, inputs["label_column"])
    negative = inputs.get("negative")
    return op.labels_from(
        values, positive=str(inputs.get("positive", 1)), negative=None if negative is None else str(negative)
    )


def thresholds_chosen(labels: Any, scores: Any, higher: bool) -> Values:
    best = threshold.youden_cut(labels, scores, higher_means_positive=higher)
    found = {
        "youden_threshold": best.threshold, "youden_max": best.youden,
        "youden_sensitivity": best.sensitivity, "youden_specificity": best.specificity,
    }  # fmt: skip
    signed = scores if higher else -scores
    for target in TARGETS:
        digits = f"{target * 100:03.0f}" if round(target * 100, 6) % 1 == 0 else f"{target * 1000:04.0f}"
        sensitive = threshold.most_sensitive_cut(labels, scores, min_specificity=target, higher_means_positive=higher)
        specific = threshold.most_specific_cut(labels, scores, min_sensitivity=target, higher_means_positive=higher)
        found |= {
            f"sens_at_spec_ge_{digits}": sensitive.sensitivity,
            f"threshold_at_spec_ge_{digits}": sensitive.threshold,
            f"spec_at_sens_ge_{digits}": specific.specificity,
            f"threshold_at_sens_ge_{digits}": specific.threshold,
            f"sens_at_spec_{digits}": threshold.interpolated_sensitivity(labels, signed, specificity=target),
            f"spec_at_sens_{digits}": threshold.interpolated_specificity(labels, signed, sensitivity=target),
        }
    return found


# Two decisions on the same samples


def paired_tests(case: Values, folder: Path) -> Values:
    inputs = case["inputs"]
    found: Values = {}
    if (table := first_of(inputs, "table", "paired_table")) is not None and np.shape(table) == (2, 2):
        found |= compared(table_of(table), inputs)
    elif {"b", "c", "n"} <= inputs.keys():
        b, c, n = inputs["b"], inputs["c"], inputs["n"]
        a = inputs.get("a", n - b - c)
        found |= compared(paired.PairedTable(a, b, c, n - a - b - c), inputs)
    for names, prefixes in (
        (("diseased", "table_diseased", "table_positive"), SENSITIVITY),
        (("non_diseased", "nondiseased", "table_nondiseased", "table_negative"), SPECIFICITY),
    ):
        part = first_of(inputs, *names)
        if part is not None and np.shape(part) == (2, 2):
            # Among samples without the finding the table counts positive calls; a right call is a negative one.
            table = table_of(part if prefixes is SENSITIVITY else [row[::-1] for row in part[::-1]])
            found |= {p + name: value for name, value in compared(table, inputs).items() for p in prefixes}
    return found | from_two_scores(case, folder)


def table_of(rows: Sequence[Sequence[int]]) -> paired.PairedTable:
    return paired.PairedTable(*(int(count) for row in rows for count in row))


def from_two_scores(case: Values, folder: Path) -> Values:
    """Two score columns cut at a threshold (each, or one for both)."""
    inputs = case["inputs"]
    cuts, names = first_of(inputs, "thresholds", "threshold"), inputs.get("score_columns")
    if cuts is None or names is None or len(names) != 2 or "label_column" not in inputs:
        return {}
    cuts = [cuts[name] for name in names] if isinstance(cuts, dict) else cuts if isinstance(cuts, list) else [cuts] * 2
    labels = labels_of(case, folder)
    first, second = (
        np.array([float(v) for v in column(case, folder, name)]) >= cut for name, cut in zip(names, cuts, strict=True)
    )
    found: Values = {}
    for prefixes, table in (
        (SENSITIVITY, paired.sensitivity_table(labels, first, second)),
        (SPECIFICITY, paired.specificity_table(labels, first, second)),
    ):
        found |= {p + name: value for name, value in compared(table, inputs).items() for p in prefixes}
    return found


def compared(table: paired.PairedTable, inputs: Values) -> Values:
    level = level_of(inputs) if "margin" not in inputs else float(inputs.get("confidence", 0.95))
    tests = paired.mcnemar(table)
    found: Values = {
        "diff": (table.first_only - table.second_only) / table.n,
        "b": table.first_only, "c": table.second_only, "n": table.n,
        "mcnemar_z": tests.z, "mcnemar_chi2": tests.z**2, "p_asymptotic": tests.asymptotic,
        "p_continuity": tests.continuity_corrected, "p_exact": tests.exact, "p_midp": tests.mid_p,
    }  # fmt: skip
    for method in METHODS:
        e = paired.difference(table, level=level, interval=method)
        name = method.replace("-", "_")
        found |= {f"{name}_ci": ends(e), f"{name}_low": e.low, f"{name}_high": e.high}
    if (margin := first_of(inputs, "margin", "noninferiority_margin", "non_inferiority_margin")) is not None:
        alpha = float(first_of(inputs, "one_sided_alpha", "alpha_one_sided", "alpha", default=0.025))
        test = paired.non_inferiority(table, margin=abs(float(margin)), alpha=alpha)
        for z, p, met in (("z_ni", "p_ni", "non_inferior"), ("ni_z", "ni_p", "noninferior"),
                          ("z_noninferiority", "p_noninferiority", "ni_met"), ("tango_z", "tango_p", "ni_concluded"),
                          ("noninferiority_z", "noninferiority_p", "noninferiority")):  # fmt: skip
            found |= {z: test.z, p: test.p_value, met: test.met}
        found |= {"ni_lower": test.difference.low, "tango_lower": test.difference.low}
    return found


# Several hypotheses


def adjusted(case: Values, folder: Path) -> Values:
    inputs = case["inputs"]
    p = first_of(inputs, "p", "p_values", "pvalues", "p_value")
    if not isinstance(p, list) or {"csv", "q"} & inputs.keys():  # p beside q is a distribution
        return {}
    every = {
        "bonferroni": multiplicity.bonferroni(p), "holm": multiplicity.holm(p), "hochberg": multiplicity.hochberg(p),
        "bh": multiplicity.benjamini_hochberg(p), "by": multiplicity.benjamini_yekutieli(p),
    }  # fmt: skip
    alpha = float(inputs.get("alpha", 0.05))
    found: Values = {name: values.tolist() for name, values in every.items()}
    found |= {f"{name}_rejected": (values <= alpha).tolist() for name, values in every.items()}
    found |= {f"{name}_n_rejected": int((values <= alpha).sum()) for name, values in every.items()}
    order = [int(i) for i in inputs.get("order", range(len(p)))]
    order = [i - min(order) for i in order]
    steps = multiplicity.fixed_sequence([p[i] for i in order], alpha=alpha)
    rejected: dict[int, bool] = {i: step.rejected for i, step in zip(order, steps, strict=True)}
    in_place = [rejected[i] for i in range(len(p))]
    found |= {"fixed_sequence": in_place, "fixed_sequence_rejected": in_place}
    return found | {"fixed_sequence_adjusted": [step.adjusted_p_value for step in steps], "fdr": found["bh"]}


def operating_points(case: Values, folder: Path) -> Values:
    for kind in (paired_tests, diagnostic_table, one_score, binomial):
        if found := kind(case, folder):
            return found
    return {}


AREAS = {"2-operating-point": operating_points, "7-drift-sequential": adjusted}
