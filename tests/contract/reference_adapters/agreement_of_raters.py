"""Cases of agreement, of raters and of measurements: what they give translated, what they ask named."""

import csv
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from domain.errors import DataProblem
from evidence.statistics import agreement, bland_altman, intraclass, krippendorff, ratings
from evidence.statistics.estimate import Estimate

Case = dict[str, Any]
Quantities = dict[str, Any]
Row = dict[str, str]
GAPS = {"", "na", "nan", "null", "none", "*", "."}
SUBJECT_NAMES = {
    "",
    "id",
    "subject",
    "subjects",
    "patient",
    "patientid",
    "patient_id",
    "case",
    "unit",
    "target",
    "item",
}
RATERS = r"(raters?|coders?|observers?|judges?|readers?)"
RATER_ROWS = re.compile(
    rf"rows?\s*(=|are|:)\s*{RATERS}|^{RATERS}$"
    rf"|\b{RATERS}\s*(x|×|by|in rows|as rows)\s+(\d*\s*)(units?|subjects?|items?)"
)


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


def value_of(text: Any) -> Any:
    """A number where it is one, a word, or None for a gap."""
    if text is None or str(text).strip().lower() in GAPS:
        return None
    try:
        return float(text)
    except (TypeError, ValueError):
        return str(text)


def level_of(inputs: dict[str, Any]) -> float:
    stated = first_of(inputs, "conf_level", "confidence_level", "confidence", "ci_level", "level", default=0.95)
    return float(stated) if not isinstance(stated, str) else 0.95


def words_of(case: Case) -> str:
    return " ".join(str(case.get(part, "")) for part in ("task", "conventions")).lower()


def ends(prefix: str, estimate: Estimate) -> Quantities:
    """An interval under the names in use."""
    low, high = estimate.low, estimate.high
    found: Quantities = {f"{prefix}ci": [low, high]}
    for pair in (("ci_low", "ci_high"), ("ci_lower", "ci_upper"), ("low", "high"), ("lower", "upper")):
        found |= {f"{prefix}{pair[0]}": low, f"{prefix}{pair[1]}": high}
    return found


def agreement_area(case: Case, folder: Path) -> Quantities:
    inputs = case["inputs"]
    counts = first_of(inputs, "counts", "subject_counts", "category_counts")
    table = first_of(inputs, "table", "confusion", "matrix_counts", "contingency")
    if isinstance(table, list) and counts is None:
        square = all(len(row) == len(table) for row in table)
        return tables(case, table) if square else of_counts(case, np.array(table, dtype=float))
    if counts is not None:
        return of_counts(case, np.array(counts, dtype=float))
    matrix = matrix_of(inputs, rows_of(inputs, folder))
    return of_matrix(case, matrix) if matrix else {}


def matrix_of(inputs: dict[str, Any], rows: list[Row]) -> list[list[Any]]:
    """Ratings as they stand: one row per subject, unless the case says otherwise (``of_matrix``)."""
    if rows:
        chosen = first_of(inputs, "columns", "rater_columns", "rating_columns", "raters", "rating_cols")
        one, two = first_of(inputs, "x_column", "rater1_column"), first_of(inputs, "y_column", "rater2_column")
        chosen = [one, two] if one and two else chosen
        names = chosen if isinstance(chosen, list) else [k for k in rows[0] if k.lower() not in SUBJECT_NAMES]
        return [[value_of(row[name]) for name in names] for row in rows]
    given = first_of(inputs, "ratings", "data", "reliability_data", "matrix", "values", "scores")
    if isinstance(given, list):
        return [[value_of(one) for one in row] for row in given]
    lists = [v for v in inputs.values() if isinstance(v, list) and len(v) > 2 and not isinstance(v[0], list | dict)]
    same = [v for v in lists if len(v) == len(lists[0])]
    return [[value_of(one) for one in row] for row in zip(*same, strict=True)] if len(same) > 1 else []


def of_matrix(case: Case, matrix: list[list[Any]]) -> Quantities:
    words, inputs = words_of(case), case["inputs"]
    stated = str(first_of(inputs, "layout", "orientation", "rows", default=words)).lower()
    by_rater = "reliability_data" in inputs or bool(RATER_ROWS.search(stated))
    flipped = [list(row) for row in zip(*matrix, strict=True)]
    subjects = flipped if by_rater else matrix
    # Where nothing is said, there are more units than raters.
    units = subjects if by_rater or len(matrix) >= len(matrix[0]) else flipped
    found: list[tuple[str, Quantities]] = []
    for kind, compute in (
        ("bland", lambda: pairs(case, subjects)),
        ("alpha", lambda: alphas(case, units)),
        ("gwet", lambda: gwets(case, ratings.category_counts(subjects, categories=listed(inputs))[0])),
        ("kappa", lambda: kappas(case, subjects)),
        ("icc", lambda: iccs(case, subjects)),
    ):
        try:
            found.append((kind, compute()))
        except DataProblem:
            continue
    return merged(words, found)


def merged(words: str, found: list[tuple[str, Quantities]]) -> Quantities:
    """All together; a name that several give (se, z, ci) is that of the statistic the case names first."""
    marks = {"icc": r"icc|intraclass", "kappa": r"kappa", "gwet": r"gwet|\bac1|\bac2", "alpha": r"krippendorff|alpha"}
    marks["bland"] = r"bland|concordance|limits of agreement|\bccc"
    at = {kind: match.start() if (match := re.search(mark, words)) else len(words) for kind, mark in marks.items()}
    together: Quantities = {}
    for _, quantities in sorted(found, key=lambda one: -at[one[0]]):
        together |= quantities
    return together


def listed(inputs: dict[str, Any]) -> list[Any] | None:
    stated = first_of(inputs, "categories", "levels", "labels")
    return stated if isinstance(stated, list) else None


def named(prefixes: Iterable[str], value: Quantities) -> Quantities:
    """Quantities under each prefix: "kappa" gives kappa, kappa_se …; "" gives se … alone."""
    found: Quantities = {}
    for prefix in prefixes:
        for name, one in value.items():
            found["_".join(part for part in (prefix, name) if part)] = one
    found.pop("", None)
    return found


def tables(case: Case, table: list[list[float]]) -> Quantities:
    """Two raters' cross table."""
    found = [("kappa", cohens(case, table)), ("gwet", gwets(case, ratings.counts_of_table(table), divisor="n"))]
    counts = np.array(table, dtype=float)
    if len(set(counts.sum(axis=1).tolist())) == 1 and re.search(r"fleiss'?s? kappa", words_of(case)):
        found.append(("kappa", fleisses(case, counts)))
    return merged(words_of(case), found)


def of_counts(case: Case, counts: np.ndarray) -> Quantities:
    """Subjects by category."""
    found: list[tuple[str, Quantities]] = [("gwet", gwets(case, counts))]
    if len(set(counts.sum(axis=1).tolist())) == 1:
        found.append(("kappa", fleisses(case, counts)))
    return merged(words_of(case), found)


def kappas(case: Case, subjects: list[list[Any]]) -> Quantities:
    categories = listed(case["inputs"])
    if len(subjects[0]) == 2:
        first, second = zip(*[row for row in subjects if None not in row], strict=True)
        return cohens(case, ratings.cross_table(first, second, categories=categories)[0])
    return fleisses(case, ratings.category_counts(subjects, categories=categories)[0])


def cohens(case: Case, table: Any) -> Quantities:
    level = level_of(case["inputs"])
    asked = str(first_of(case["inputs"], "weights", "weight", "weighting", default="none")).lower()
    names: dict[str, tuple[agreement.Weights, tuple[str, ...]]] = {
        "none": ("none", ("", "unweighted")),
        "linear": ("linear", ("linear", "equal", "weighted_linear")),
        "quadratic": ("quadratic", ("quadratic", "squared", "weighted_quadratic", "weighted")),
    }
    meant = {"equal": "linear", "squared": "quadratic", "fleiss-cohen": "quadratic", "equal-spacing": "linear"}
    found: Quantities = {}
    for weights, tails in names.values():
        kappa = agreement.cohen_kappa(table, weights=weights, level=level)
        for tail in tails:
            found |= cohen_names(kappa, f"_{tail}" if tail else "")
        if weights == meant.get(asked, asked):
            found |= cohen_names(kappa, "_asked")
    # The weights a case asks for are those of its plain names.
    for name in [name for name in found if name.endswith("_asked")]:
        found[name.removesuffix("_asked")] = found.pop(name)
    return found


def cohen_names(kappa: agreement.CohenKappa, tail: str) -> Quantities:
    found: Quantities = {
        "kappa": kappa.kappa.value,
        "se": kappa.standard_error,
        "se_null": kappa.null_standard_error,
        "se0": kappa.null_standard_error,
        "z": kappa.z,
        "p": kappa.p_value,
        "observed_agreement": kappa.observed,
        "expected_agreement": kappa.expected,
        "po": kappa.observed,
        "pe": kappa.expected,
        **ends("", kappa.kappa),
        **ends("kappa_", kappa.kappa),
    }
    return {f"{name}{tail}": value for name, value in found.items()} | {f"kappa{tail}_se": kappa.standard_error}


def fleisses(case: Case, counts: np.ndarray) -> Quantities:
    kappa = agreement.fleiss_kappa(counts, level=level_of(case["inputs"]))
    each = kappa.categories
    value: Quantities = {
        "": kappa.kappa.value,
        "z": kappa.z,
        "p": kappa.p_value,
        "se": kappa.null_standard_error,
        "se_null": kappa.null_standard_error,
        "se_nonnull": kappa.standard_error,
        "categories": [one.kappa for one in each],
        "per_category": [one.kappa for one in each],
        "category": [one.kappa for one in each],
        "categories_z": [one.z for one in each],
        "per_category_z": [one.z for one in each],
        "category_z": [one.z for one in each],
        **ends("", kappa.kappa),
    }
    found = named(("kappa", "fleiss_kappa", "kappa_fleiss", ""), value)
    found |= {"z_categories": value["category_z"], "z_per_category": value["category_z"]}
    return found | {"observed_agreement": kappa.observed, "expected_agreement": kappa.expected}


def gwets(case: Case, counts: np.ndarray, *, divisor: Any = "n - 1") -> Quantities:
    stated = first_of(case["inputs"], "n_categories", "categories", "q")
    extra = int(stated) - counts.shape[1] if isinstance(stated, int | float) else 0
    counts = np.pad(counts, ((0, 0), (0, max(extra, 0))))
    found: Quantities = {}
    names: dict[str, agreement.Weights] = {"ac1": "none", "ac2_linear": "linear", "ac2_quadratic": "quadratic"}
    for name, weights in names.items():
        one = agreement.gwet(counts, weights=weights, divisor=divisor, level=level_of(case["inputs"]))
        value: Quantities = {"": one.coefficient.value, "se": one.standard_error, "p": one.p_value}
        value |= {
            "variance": one.standard_error**2,
            "pa": one.observed,
            "pe": one.expected,
            **ends("", one.coefficient),
        }
        prefixes = (
            name,
            f"gwet_{name}",
            *(("gwet", "") if name == "ac1" else ()),
            *(("ac2",) if "quad" in name else ()),
        )
        found |= named(prefixes, value)
    return found


def alphas(case: Case, units: list[list[Any]]) -> Quantities:
    inputs, words = case["inputs"], words_of(case)
    scales: tuple[krippendorff.Scale, ...] = ("nominal", "ordinal", "interval", "ratio")
    stated = first_of(inputs, "level_of_measurement", "scale", "metric", "measurement", "method", "level", default="")
    asked = str(stated).lower() if str(stated).lower() in scales else next((s for s in scales if s in words), "nominal")
    resamples = int(first_of(inputs, "resamples", "bootstrap", "n_boot", default=200))
    options: dict[str, Any] = {
        "resamples": max(resamples, 100),
        "level": level_of(inputs),
        "categories": listed(inputs),
    }
    found: Quantities = {}
    for scale in scales:
        try:
            result = krippendorff.krippendorff_alpha(units, scale=scale, seed=int(inputs.get("seed", 0)), **options)
        except DataProblem:
            continue
        value: Quantities = {"": result.alpha.value, "do": result.observed_disagreement, **ends("", result.alpha)}
        value |= {"de": result.expected_disagreement, "pairable": result.pairable}
        prefixes = [f"alpha_{scale}", f"krippendorff_alpha_{scale}", f"krippendorff_{scale}", scale]
        found |= named((*prefixes, *(("alpha", "krippendorff_alpha", "") if scale == asked else ())), value)
    return found


def iccs(case: Case, subjects: list[list[Any]]) -> Quantities:
    result = intraclass.intraclass(subjects, level=level_of(case["inputs"]))
    forms, rival = result.forms, result.icc2k_mcgraw_wong
    found = icc_names("", [icc_quantities(form) for form in forms])
    for form, keys in zip(forms, ("1", "2", "3", "1k", "2k", "3k"), strict=True):
        one = icc_quantities(form)
        other = form.mcgraw_wong_name.replace("ICC", "").strip("()").replace(",", "_").lower()
        for name in (f"ICC{keys}", f"icc{keys}", f"icc_{keys}", f"icc_{other}", f"ICC_{other.upper()}"):
            found |= {name: one["icc"]} | {f"{name}_{key}": value for key, value in one.items()}
    for tail in ("mcgraw_wong", "irr"):
        for key, value in icc_quantities(rival).items():
            found |= {f"icc2k_{key}_{tail}": value, f"ICC2k_{key}_{tail}": value, f"{key}_2k_{tail}": value}
            found |= {f"{key}_{tail}": [*(icc_quantities(form)[key] for form in forms[:4]), value, found[key][5]]}
    asked = asked_form(case, result)
    return found | (icc_quantities(asked) if asked else {})


def icc_names(tail: str, rows: list[Quantities]) -> Quantities:
    return {f"{key}{tail}": [row[key] for row in rows] for key in rows[0]}


def icc_quantities(form: intraclass.IccForm) -> Quantities:
    agreeing = form.satterthwaite_df is not None
    found: Quantities = {"icc": form.estimate.value, "F": form.f, "f": form.f, "df1": form.df1, "p": form.p_value}
    found |= {"df2": form.df2, "df2_satterthwaite": form.satterthwaite_df if agreeing else form.df2}
    found |= {"p_satterthwaite": form.satterthwaite_p if agreeing else form.p_value}
    return found | ends("", form.estimate)


def asked_form(case: Case, result: intraclass.Intraclass) -> intraclass.IccForm | None:
    """The one form a case speaks of, if one: by model, type and unit (irr's words), or by its name."""
    inputs = case["inputs"]
    model, kind = str(inputs.get("model", "")).lower(), str(inputs.get("type", inputs.get("definition", ""))).lower()
    unit = str(first_of(inputs, "unit", "units", default="single")).lower()
    name = str(first_of(inputs, "form", "icc_form", "icc_type", default=""))
    matches = re.findall(r"icc\(\s*([123ac])\s*,?\s*([1k\d]*)\s*\)", f"{name} {case.get('task', '')}".lower())
    if model:
        letter = "1" if "one" in model else "a" if kind.startswith("agree") or "absolute" in kind else "c"
        matches = [(letter, "1" if unit in ("single", "1") else "k")]
    if not matches or (not name and not model and len(set(matches)) > 1):
        return None
    letter, size = matches[0]
    single = size in ("1", "")
    table = {"1": (result.icc1, result.icc1k), "2": (result.icc2, result.icc2k), "3": (result.icc3, result.icc3k)}
    table |= {"a": (result.icc2, result.icc2k_mcgraw_wong), "c": table["3"]}
    return table[letter][0 if single else 1]


def pairs(case: Case, subjects: list[list[Any]]) -> Quantities:
    if len(subjects[0]) != 2 or any(isinstance(one, str) for row in subjects for one in row):
        return {}
    inputs, words, level = case["inputs"], words_of(case), level_of(case["inputs"])
    first, second = np.array([row for row in subjects if None not in row], dtype=float).T
    multiplier = first_of(inputs, "multiplier", "loa_multiplier")
    factor = float(multiplier) if multiplier is not None else None
    found: Quantities = {}
    asked = "exact" if "exact" in words or "carkeet" in words else "1999" if "1999" in words else "1986"
    asked = str(first_of(inputs, "loa_ci_method", "interval", default=asked)).lower()
    methods: dict[str, bland_altman.LimitInterval] = {
        "1986": "approximate 1986",
        "1999": "approximate 1999",
        "exact": "exact",
    }
    for key, method in methods.items():
        limits = bland_altman.limits_of_agreement(first, second, level=level, multiplier=factor, interval=method)
        found |= limit_names(limits, f"_{key}")
        if key in asked:
            found |= limit_names(limits, "")
    return found | shape_names(first, second, level)


def limit_names(limits: bland_altman.LimitsOfAgreement, tail: str) -> Quantities:
    lower, upper = limits.lower, limits.upper
    found: Quantities = {"loa": [lower.value, upper.value]}
    for name in ("bias", "mean_difference", "mean_diff"):
        found |= {name: limits.bias.value, **ends(f"{name}_", limits.bias)}
    for name in ("sd", "sd_diff", "sd_differences"):
        found |= {name: limits.sd.value, **ends(f"{name}_", limits.sd)}
    for pair in (("loa_low", "loa_high"), ("loa_lower", "loa_upper")):
        for name, limit in zip(pair, (lower, upper), strict=True):
            found |= {f"{name}{tail}": limit.value, f"{name}_ci{tail}": [limit.low, limit.high]}
    return found


def shape_names(first: np.ndarray, second: np.ndarray, level: float) -> Quantities:
    lin = bland_altman.concordance(first, second, level=level)
    found: Quantities = {"ccc": lin.coefficient.value, "lin_ccc": lin.coefficient.value, "ccc_se": lin.standard_error}
    found |= ends("ccc_", lin.coefficient)
    found |= {f"{name}_asymptotic": value for name, value in ends("ccc_", lin.coefficient_wald).items()}
    found |= {"pearson": lin.pearson, "rho": lin.pearson, "c_b": lin.bias_correction, "C_b": lin.bias_correction}
    found |= {"bias_correction": lin.bias_correction, "location_shift": lin.location_shift}
    found |= {"scale_shift": lin.scale_shift, "s_shift": lin.scale_shift, "l_shift": lin.location_shift}
    try:
        line = bland_altman.proportional_bias(first, second, level=level)
    except DataProblem:
        return found
    found |= {"proportional_bias_slope": line.slope.value, "proportional_bias_intercept": line.intercept.value}
    return found | {"proportional_bias_p": line.p_value, **ends("proportional_bias_slope_", line.slope)}


AREAS = {"6-agreement": agreement_area}
