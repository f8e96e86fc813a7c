"""Reader and localisation studies: cases told by their tables' columns, named as in R MRMCaov, RJafroc and iMRMC."""

import csv
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np

from domain.errors import FiducialError
from evidence.statistics import froc_curves, mrmc_covariance, mrmc_figures
from evidence.statistics import mrmc_sizing as sizing
from evidence.statistics import mrmc_ustatistics as u
from evidence.statistics.froc import FrocStudy, Marks, froc_study
from evidence.statistics.froc_figures import FigureName, figure_of_merit, jackknife
from evidence.statistics.mrmc_covariance import ReaderFigures
from evidence.statistics.mrmc_dbm import DorfmanBerbaumMetz, dorfman_berbaum_metz
from evidence.statistics.mrmc_figures import FigureOfMerit
from evidence.statistics.mrmc_inference import Contrast, Equality, Factors, TestMean
from evidence.statistics.mrmc_or import ObuchowskiRockette, obuchowski_rockette
from evidence.statistics.mrmc_proportions import reader_average, reader_difference
from evidence.statistics.mrmc_study import ReaderStudy, reader_study

Values = dict[str, Any]
Inputs = Mapping[str, Any]
Rows = list[dict[str, str]]
FACTORS: tuple[tuple[Factors, str], ...] = (
    ("random readers and cases", "rrrc"),
    ("fixed readers", "frrc"),
    ("fixed cases", "rrfc"),
)
COLUMNS = {
    "reader": ("reader", "readers", "reader_column", "readerID", "r"),
    "test": ("test", "treatment", "modality", "test_column", "modality_column", "modalityID", "t"),
    "case": ("case", "cases", "case_column", "caseID", "targetID"),
    "truth": ("truth", "truth_column", "label", "label_column"),
    "rating": ("rating", "score", "rating_column", "score_column"),
}


def study_case(case: Values, folder: Path) -> Values:
    """Every quantity of a reader study, a localisation study, or the size of a future one."""
    inputs = case["inputs"]
    if any("marks" in name for name in tables_of(inputs)):
        return froc(inputs, folder)
    if (pilot := pilot_of(inputs)) is not None:
        return sized(pilot, inputs)
    names = tables_of(inputs)
    if len(names) != 1:
        return {}
    rows = table(folder / names[0])
    long = readings(rows, inputs)
    if not long:
        return {}
    study = study_of(long, inputs)
    text = json.dumps(inputs).lower()
    if {"readerID", "modalityID"} <= set(rows[0]) or "rating" not in rows[0] or re.search("imrmc|u-?stat|gallas", text):
        return u_statistics(study, inputs)
    dbm = "dbm" in text or "pseudovalue" in text or ("covariance" not in inputs and "Dorfman" in case.get("task", ""))
    figures = covariances(study, inputs)
    found = analysed(figures, inputs, dbm=dbm)
    if first(inputs, "J", "K", "n_readers", "n_cases", "future_readers", "effect_size") is not None:
        pilot = sizing.Pilot.of(obuchowski_rockette(figures).components, cases=figures.resampled)
        found |= sized(pilot, inputs, effect=found["difference"][0])
    return found


AREAS = dict.fromkeys(
    (
        "4-mrmc",
        "4-reader-study",
        "mrmc",
        "4-froc",
        "5-froc",
        "9-froc",
        "10-froc",
        "froc",
        "9-localisation",
        "localisation",
    ),
    study_case,
)


# Reading a case


def first(inputs: Inputs, *names: str) -> Any:
    """The first of several spellings that is there."""
    return next((inputs[name] for name in names if inputs.get(name) is not None), None)


def tables_of(inputs: Any) -> list[str]:
    """Names of CSV files anywhere in the inputs."""
    if isinstance(inputs, str):
        return [inputs] if inputs.endswith(".csv") else []
    parts = inputs.values() if isinstance(inputs, Mapping) else inputs if isinstance(inputs, list) else ()
    return list(dict.fromkeys(name for part in parts for name in tables_of(part)))


def table(path: Path) -> Rows:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def column(inputs: Inputs, columns: Iterator[str] | Any, role: str) -> str | None:
    """The name of the column of a role, said by the inputs or usual."""
    there, usual = list(columns), COLUMNS[role]
    said = [inputs[name] for name in usual if isinstance(inputs.get(name), str) and inputs[name] in there]
    return next(iter([*said, *(name for name in usual if name in there)]), None)


def readings(rows: Rows, inputs: Inputs) -> Rows:
    """Long rows of reader, test, case, truth and rating, from one of three kinds of table; none of any other."""
    columns = {role: column(inputs, rows[0], role) for role in COLUMNS}
    if columns["reader"] and columns["test"] and columns["case"] and columns["rating"]:
        if columns["truth"]:
            return [{role: row[str(name)] for role, name in columns.items()} for row in rows]
        # iMRMC's table: the truth is a reader.
        truth = {row["caseID"]: row["score"] for row in rows if row["readerID"].lower() == "truth"}
        return [
            {role: row[str(name)] for role, name in columns.items() if name} | {"truth": truth[row["caseID"]]}
            for row in rows
            if row["readerID"].lower() != "truth"
        ]
    said = first(inputs, "readers", "reader_columns", "observers", "observer_columns", "columns")
    named = [name for name in said if name in rows[0]] if isinstance(said, list) else []
    readers = named or [name for name in rows[0] if re.fullmatch(r"(observer|reader)[._ ]?\d+", name, re.IGNORECASE)]
    if len(readers) < 2 or not (columns["test"] and columns["case"] and columns["truth"]):
        return []
    return [
        {"reader": reader, "rating": row[reader]}
        | {role: row[str(columns[role])] for role in ("test", "case", "truth")}
        for row in rows
        for reader in readers
        if row[reader] not in ("", "NA")
    ]


def natural(names: list[str]) -> list[Any]:
    """Names as whole numbers where all are, so that 10 sorts after 9."""
    return [int(name) for name in names] if all(re.fullmatch(r"\d+", name) for name in names) else names


def number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def study_of(rows: Rows, inputs: Inputs) -> ReaderStudy:
    """The study, cut to the tests and readers that a list of the inputs names."""
    positive = number(str(first(inputs, "positive", "positive_label", "positive_class") or 1))
    for role, known in (("test", {row["test"] for row in rows}), ("reader", {row["reader"] for row in rows})):
        for asked in inputs.values():
            if isinstance(asked, list) and len(asked) > 1 and {str(one) for one in asked} <= known:
                rows = [row for row in rows if row[role] in {str(one) for one in asked}]
                break
    return reader_study(
        readers=natural([row["reader"] for row in rows]),
        tests=natural([row["test"] for row in rows]),
        cases=natural([row["case"] for row in rows]),
        truth=[int(number(row["truth"]) == positive) for row in rows],
        ratings=[float(row["rating"]) for row in rows],
    )


def level_of(inputs: Inputs) -> float:
    alpha = inputs.get("alpha")
    return float(first(inputs, "level", "conf_level", "confidence", "confidence_level") or 1 - (alpha or 0.05))


def factors_of(inputs: Inputs) -> Factors:
    """Which factors are random: in words, or RJafroc's four letters."""
    said = [first(inputs, name) for name in ("factors", "analysis", "analysisOption", "option", "generalisation")]
    text = " ".join(str(one) for one in said).lower() + f" fixed {inputs.get('fixed', '')}".lower()
    if re.search(r"fixed[ _(]?readers?|frrc", text):
        return "fixed readers"
    return "fixed cases" if re.search(r"fixed[ _(]?cases?|rrfc", text) else "random readers and cases"


def covariances(study: ReaderStudy, inputs: Inputs) -> ReaderFigures:
    """Figures with the covariance that the inputs name."""
    method = str(first(inputs, "covariance", "cov", "covariance_method", "method") or "jackknife").lower()
    if "delong" in method:
        return mrmc_covariance.delong(study)
    if "unbiased" in method:
        return u.unbiased(study)
    if "boot" in method:
        return mrmc_covariance.bootstrap(study, figure_of(inputs), resamples=int(inputs.get("resamples", 2000)))
    return mrmc_covariance.jackknife(study, figure_of(inputs))


def figure_of(inputs: Inputs) -> FigureOfMerit:
    """The figure of merit that the inputs name, as MRMCaov's metrics."""
    name = str(first(inputs, "metric", "figure_of_merit", "fom", "FOM", "response") or "empirical_auc").lower()
    threshold, partial = first(inputs, "threshold", "cutoff", "cut"), first(inputs, "partial", "focus", "partial_focus")
    low, high = float(first(inputs, "min", "low") or 0), float(first(inputs, "max", "high") or 1)
    if partial or "partial" in name:
        over: Any = "sensitivity" if str(partial).startswith("sens") or "sens" in name else "specificity"
        normalised = bool(first(inputs, "normalize", "normalise", "normalized", "normalised"))
        return mrmc_figures.partial_auc(low=low, high=high, over=over, normalised=normalised)
    if "util" in name or name.endswith("_eu"):
        return mrmc_figures.expected_utility(float(inputs.get("slope", 1.0)))
    sens, spec = (first(inputs, *names) for names in (("sens", "at_sensitivity"), ("spec", "at_specificity")))
    if "sens" in name:
        at = mrmc_figures.sensitivity_at_specificity
        return at(float(spec)) if spec is not None else mrmc_figures.sensitivity(float(threshold or 0.5))
    if "spec" in name:
        at = mrmc_figures.specificity_at_sensitivity
        return at(float(sens)) if sens is not None else mrmc_figures.specificity(float(threshold or 0.5))
    return mrmc_figures.empirical_auc()


# Analysis of variance


def analysed(figures: ReaderFigures, inputs: Inputs, *, dbm: bool, name: str = "auc") -> Values:
    """The analysis asked for, by plain names, and all three with a suffix."""
    level, values = level_of(inputs), [[None if math.isnan(x) else x for x in row] for row in figures.values.tolist()]
    found: Values = dict.fromkeys((f"{name}_by_reader", f"{name.lower()}_by_reader", "fom_by_reader", "foms"), values)
    found["covariance"] = figures.covariance.reshape(figures.values.size, -1).tolist()
    for factors, suffix in FACTORS:
        try:
            quantities = or_quantities(obuchowski_rockette(figures, factors=factors, level=level))
        except FiducialError:
            continue
        of_dbm: Values = {}
        if figures.leave_one_out is not None and figures.design == "factorial" and min(figures.values.shape) > 1:
            of_dbm = dbm_quantities(dorfman_berbaum_metz(figures, factors=factors, level=level))
        # Where both methods have a quantity of the same name, the one the case is about gives it.
        both = quantities | of_dbm if dbm else of_dbm | quantities
        found |= {f"{key}_{suffix}": value for key, value in both.items()}
        found |= both if factors == factors_of(inputs) else {}
    return found


def or_quantities(result: ObuchowskiRockette) -> Values:
    parts = result.components
    found: Values = {
        **{
            key: getattr(parts, key)
            for key in ("ms_t", "ms_r", "var_error", "cov1", "cov2", "cov3", "var_reader", "var_tr")
        },
        **dict.fromkeys(("ms_tr", "ms_error", "ms_r_in_t"), parts.ms_error),
        **dict.fromkeys(("var", "var_eps"), parts.var_error),
        "var_r": parts.var_reader,
    }
    found |= inference(result.equality, result.differences, result.means)
    if result.within_readers:
        of_readers = inference(None, result.within_readers, ())
        found |= {f"{key}_by_reader": value for key, value in of_readers.items()}
    return {key: value for key, value in found.items() if value is not None}


def dbm_quantities(result: DorfmanBerbaumMetz) -> Values:
    parts, squares = result.components, result.mean_squares
    names = ("t", "r", "c", "tr", "tc", "rc", "trc")
    components = (parts.reader, parts.case, parts.test_reader, parts.test_case, parts.reader_case, parts.error)
    found: Values = {"ms": list(squares)} | {f"ms_{key}": one for key, one in zip(names, squares, strict=True)}
    found |= {f"var_{key}": one for key, one in zip(("r", "c", "tr", "tc", "rc", "error"), components, strict=True)}
    found |= {"var_reader": parts.reader, "var_err": parts.error, "var_comp": list(components)}
    found["variance_components"] = list(components)
    return found | inference(result.equality, result.differences, result.means)


def inference(equality: Equality | None, differences: tuple[Contrast, ...], averages: tuple[TestMean, ...]) -> Values:
    found: Values = {
        "difference": [one.difference.value for one in differences],
        "se_difference": [one.standard_error for one in differences],
        "ci_difference": [[one.difference.low, one.difference.high] for one in differences],
        "df_difference": [one.df for one in differences],
        "p_difference": [one.p_value for one in differences],
        **{key: [one.statistic for one in differences] for key in ("t", "z")},
    }
    if averages:
        found |= {
            **{key: [one.mean.value for one in averages] for key in ("mean_by_test", "fom_by_test")},
            "se_mean_by_test": [one.standard_error for one in averages],
            "ci_mean_by_test": [[one.mean.low, one.mean.high] for one in averages],
            "df_mean_by_test": [one.df for one in averages],
        }
    if equality is not None:
        found |= dict.fromkeys(("p", "p_value"), equality.p_value) | dict.fromkeys(("df2", "ddf"), equality.df2)
        found |= dict.fromkeys(("df1", "ndf"), equality.df1)
        of_kind = ("F",) if equality.distribution == "F" else ("chi2", "X2", "chisq")
        found |= dict.fromkeys(of_kind, equality.statistic)
        found |= {} if equality.distribution == "F" else {"df": equality.df1}
    return found


# U-statistics


def u_statistics(study: ReaderStudy, inputs: Inputs) -> Values:
    """iMRMC's quantities by test; the first two tests asked for are also A and B, their difference "diff"."""
    each = u.unbiased(study)
    asked = [str(one) for one in first(inputs, "modalities", "tests", "compare", "pair", "treatments") or ()]
    order = [test for test in asked if test in study.tests] or list(study.tests)
    found: Values = {}
    for row, test in enumerate(study.tests):
        quantities: Values = {
            "per_reader_auc": each.values[row].tolist(),
            "per_reader_var": np.einsum("rr->r", each.covariance[row, :, row]).tolist(),
        }
        quantities |= tried(lambda t=test: u_quantities(u.single_test(study, t, level=level_of(inputs))))
        quantities |= proportions(lambda of, t=test, **options: reader_average(study, t, of=of, **options), inputs)
        letter = "ABCDEFGH"[order.index(test)] if test in order[:8] else test
        found |= {f"{key}_{name}": one for key, one in quantities.items() for name in (test, letter, plain(test))}
    for i, one in enumerate(order):
        for other in order[i + 1 :]:
            quantities = paired(study, each, (one, other), inputs)
            names = [f"{one}_{other}", f"{one}_minus_{other}", f"diff_{one}_{other}"]
            names += ["diff"] if (one, other) == tuple(order[:2]) else []
            found |= {
                f"{key}_{name}": value for key, value in quantities.items() for name in (*names, *map(plain, names))
            }
    return found


def plain(name: str) -> str:
    return re.sub(r"\W", "_", name)


def paired(study: ReaderStudy, each: ReaderFigures, tests: tuple[str, str], inputs: Inputs) -> Values:
    i, j = (study.tests.index(test) for test in tests)
    own, other, both = (np.einsum("rr->r", each.covariance[a, :, b]) for a, b in ((i, i), (j, j), (i, j)))
    found: Values = {
        "per_reader_auc": (each.values[i] - each.values[j]).tolist(),
        "per_reader_var": (own + other - 2 * both).tolist(),
        "per_reader_cov": both.tolist(),
    }
    found |= tried(lambda: u_quantities(u.difference(study, *tests, level=level_of(inputs))))
    return found | proportions(lambda of, **options: reader_difference(study, tests, of=of, **options), inputs)


def tried(compute: Callable[[], Values]) -> Values:
    """What can be computed; nothing where the statistics refuse."""
    try:
        return compute()
    except FiducialError:
        return {}


def u_quantities(result: u.UStatistic) -> Values:
    normal, student, moments = result.estimate, result.with_df, result.of_test[-1]
    found: Values = {"auc": normal.value, "var": result.variance, "se": math.sqrt(result.variance), "dfBDG": result.df}
    found |= dict.fromkeys(("p", "p_normal"), result.p_value)
    found |= {key: [normal.low, normal.high] for key in ("ci", "ci_normal")}
    found |= dict.fromkeys(("p_bdg", "p_t", "p_BDG"), result.p_value_with_df) | {"df_bdg": result.df}
    found |= {key: [student.low, student.high] for key in ("ci_bdg", "ci_t", "ci_BDG")}
    found |= dict.fromkeys(("var_biased", "var_mle"), result.variance_biased) | {"df_bdg_biased": result.df_biased}
    found |= {"cov": moments.variance, "cov_biased": moments.variance_biased}
    found |= dict.fromkeys(("moments", "bdg", "M"), moments.unbiased.tolist())
    found |= dict.fromkeys(("moments_biased", "bdg_biased"), moments.biased.tolist())
    found |= dict.fromkeys(("coefficients", "coeff", "bdg_coeff"), moments.coefficients.tolist())
    found |= {"bck": moments.components.tolist(), "bck_biased": moments.components_biased.tolist()}
    return found | {"bck_coeff": moments.component_coefficients.tolist()}


def proportions(average: Callable[..., Any], inputs: Inputs) -> Values:
    """Reader-averaged sensitivity and specificity at the threshold of the inputs, 0.5 for calls of 0 and 1."""
    found: Values = {}
    threshold = float(first(inputs, "threshold", "cutoff") or 0.5)
    for of, short in (("sensitivity", "sens"), ("specificity", "spec")):
        try:
            one = average(of, threshold=threshold, level=level_of(inputs))
        except FiducialError:
            continue
        for name in (of, short):
            found |= {name: one.estimate.value, f"var_{name}": one.variance, f"p_{name}": one.p_value}
            found[f"ci_{name}"] = [one.estimate.low, one.estimate.high]
    return found


# Sizing


def flat(inputs: Inputs) -> Iterator[tuple[str, float]]:
    for key, value in inputs.items():
        if isinstance(value, Mapping):
            yield from flat(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield re.sub(r"[^a-z0-9]", "", key.lower()), value


def pilot_of(inputs: Inputs) -> sizing.Pilot | None:
    """Variance components given as numbers, in RJafroc's or MRMCaov's spelling; none if they are not."""
    said = dict(flat(inputs))
    var_tr, error = first(said, "vartr", "varytr"), first(said, "vareps", "varerror", "var", "varerr", "varyeps")
    if var_tr is None or error is None:
        return None
    cases = first(said, "kstar", "pilotcases", "casespilot", "ncasespilot", "npilot", "pilotncases", "cstar")
    if {"cov1", "cov2", "cov3"} <= said.keys() and cases is not None:
        return sizing.Pilot(int(cases), var_tr, error - said["cov1"], said["cov2"] - said["cov3"])
    between = first(said, "vartc", "varytc")
    # Components of pseudovalues are those of a pilot of one case.
    return None if between is None else sizing.Pilot(1, var_tr, error + between, between)


def sized(pilot: sizing.Pilot, inputs: Inputs, *, effect: float | None = None) -> Values:
    """Power for the sizes given, and sizes for the power asked for: all factors by suffix, those asked for plainly."""
    said = dict(flat(inputs))
    effect = first(said, "effectsize", "effect", "delta", "difference") or effect
    readers = first(said, "j", "readers", "nreaders", "futurereaders", "readersfuture", "r")
    cases = first(said, "k", "cases", "ncases", "futurecases", "casesfuture", "c")
    target = first(said, "power", "desiredpower", "targetpower", "target") or 0.8
    found: Values = {}
    for factors, suffix in FACTORS if effect is not None else ():
        options: Values = {"effect": effect, "factors": factors, "alpha": said.get("alpha", 0.05)}
        quantities: Values = {}
        if readers and cases:
            one = sizing.power(pilot, readers=int(readers), cases=int(cases), **options)
            quantities |= {"power": one.power} | dict.fromkeys(("ncp", "noncentrality", "delta"), one.noncentrality)
            quantities |= dict.fromkeys(("ddf", "df2"), one.df) | dict.fromkeys(("f", "critical"), one.critical)
        if readers:
            needed = tried(
                lambda o=options: vars_of(sizing.cases_needed(pilot, readers=int(readers), target=target, **o))
            )
            quantities |= {key: needed["cases"] for key in ("cases_needed", "n_cases", "K", "cases") if needed}
            quantities |= {"power_at_K": needed["power"]} if needed else {}
        if cases:
            needed = tried(
                lambda o=options: vars_of(sizing.readers_needed(pilot, cases=int(cases), target=target, **o))
            )
            quantities |= {key: needed["readers"] for key in ("readers_needed", "n_readers", "J", "readers") if needed}
        found |= {f"{key}{form}": one for key, one in quantities.items() for form in (f"_{suffix}", suffix.upper())}
        found |= quantities if factors == factors_of(inputs) else {}
    return found


def vars_of(power: sizing.Power) -> Values:
    return {"power": power.power, "cases": power.cases, "readers": power.readers}


# Localisation


def froc(inputs: Inputs, folder: Path) -> Values:
    """Figures of merit, operating points and the comparison of tests of a localisation study."""
    study = localisation(inputs, [table(folder / name) for name in tables_of(inputs)])
    asked = str(first(inputs, "fom", "FOM", "figure_of_merit", "figure", "metric") or "wAFROC").replace(
        "JAFROC", "AFROC"
    )
    names = get_args(FigureName)
    chosen = next((name for name in names if name.lower() == asked.replace("weighted ", "w").lower()), "wAFROC")
    shape = (len(study.tests), len(study.readers))
    found: Values = {}
    for name in names:
        values = np.array([figure_of_merit(study.reading(t, r), name) for t, r in np.ndindex(shape)]).reshape(shape)
        forms = (name, name.lower(), f"fom_{name}", f"{name}_by_reader", f"{name.lower()}_by_reader")
        found |= dict.fromkeys(forms, values.tolist())
        found |= dict.fromkeys((f"{name}_mean_by_test", f"{name.lower()}_mean_by_test"), values.mean(axis=1).tolist())
    found |= curves(study, first(inputs, "rates", "fp_rates", "nlf", "fps_per_image") or froc_curves.LUNA16_RATES)
    compared = jackknife(study, chosen)
    if min(shape) > 1:
        text = json.dumps(inputs).lower()
        return found | analysed(compared, inputs, dbm="dbm" in text, name=chosen)
    return (
        found
        | {"fom": compared.values[0, 0], "var": compared.covariance[0, 0, 0, 0]}
        | {
            key: value[0][0]
            for key, value in found.items()
            if key in (*names, *(n.lower() for n in names), "nlf", "llf")
        }
    )


def curves(study: FrocStudy, rates: list[float]) -> Values:
    """Operating points by test and reader, thresholds falling, without the origin."""
    found: Values = {"nlf": [], "llf": [], "thresholds": [], "sensitivity_at": [], "cpm": []}
    for test, test_name in enumerate(study.tests):
        drawn = [froc_curves.froc(study.reading(test, reader)) for reader in range(len(study.readers))]
        found["nlf"].append([one.false_marks[1:].tolist() for one in drawn])
        found["llf"].append([one.lesions_found[1:].tolist() for one in drawn])
        found["thresholds"].append([one.thresholds[1:].tolist() for one in drawn])
        at = [froc_curves.lesions_found_at(one, rates) for one in drawn]
        found["sensitivity_at"].append([one.tolist() for one in at])
        found["cpm"].append([float(one.mean()) for one in at])
        for reader, curve in zip(study.readers, drawn, strict=True):
            found[f"nlf_{test_name}_{reader}"] = curve.false_marks[1:].tolist()
            found[f"llf_{test_name}_{reader}"] = curve.lesions_found[1:].tolist()
    return found


def localisation(inputs: Inputs, tables: list[Rows]) -> FrocStudy:
    """The study of a table of marks and a table of cases, cut to the tests and readers asked for."""
    marks, cases = sorted(tables, key=lambda rows: "rating" not in rows[0])
    test, reader, case = (str(column(inputs, marks[0], role)) for role in ("test", "reader", "case"))
    count = next(name for name in ("n_lesions", "lesions", "n") if name in cases[0])
    for name, spellings in (
        (test, ("t", "test", "tests", "treatments", "modalities")),
        (reader, ("r", "reader", "readers")),
    ):
        asked = first(inputs, *spellings)
        kept = {str(one) for one in (asked if isinstance(asked, list) else [asked])}
        if kept <= {row[name] for row in marks}:
            marks = [row for row in marks if row[name] in kept]
    on_lesion = [row.get("kind", "LL").upper() != "NL" and row["lesion"] not in ("", "NA") for row in marks]
    return froc_study(
        natural([row["case"] for row in cases]),
        [int(row[count]) for row in cases],
        Marks(
            natural([row[test] for row in marks]),
            natural([row[reader] for row in marks]),
            natural([row[case] for row in marks]),
            [int(float(row["lesion"])) if on else 0 for row, on in zip(marks, on_lesion, strict=True)],
            [float(row["rating"]) for row in marks],
        ),
    )
