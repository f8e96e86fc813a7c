"""Cases of segmentation and group sequential boundaries in the words of ``evidence.statistics``."""

import csv
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.errors import NotEstimable
from evidence.statistics import group_sequential, segmentation, spending, surface_distance
from evidence.statistics.surface_distance import SurfaceDistances

Case = dict[str, Any]
Values = dict[str, Any]
PERCENTILES = (50.0, 75.0, 80.0, 85.0, 90.0, 95.0, 97.5, 98.0, 99.0, 100.0)


def segmentations(case: Case, folder: Path) -> Values:
    """Two masks: nested lists, lists of voxels, or a table of labelled voxels."""
    inputs = case["inputs"]
    if "spacing_mm" not in inputs:
        return {}
    truth, found = _masks(inputs, folder)
    spacing = tuple(float(s) for s in inputs["spacing_mm"])
    values = _overlap(truth, found, spacing)
    tolerances = _listed(_first(inputs, "tolerance_mm", "tolerances_mm", "tau_mm", default=[]))
    percentiles = sorted({*PERCENTILES, *_listed(_first(inputs, "percentile", "percentiles", default=[]))})
    for convention, measure in (
        ("boundary", surface_distance.boundary_distances),
        ("surfel", surface_distance.surfel_distances),
    ):
        try:
            distances = measure(truth, found, spacing_mm=spacing)
        except NotEstimable:  # two empty masks, for which the packages answer so
            names = ("asd_gt_to_pred", "asd_pred_to_gt", "assd", "masd", "nsd", "surface_dice")
            values |= {f"{name}_{convention}": math.nan for name in names}
            values |= {f"hd{q:g}_{convention}": math.inf for q in percentiles}
            continue
        values |= _hausdorff(distances, convention, percentiles) | _averages(distances, convention)
        values |= _within(distances, convention, tolerances)
    return values


def _masks(inputs: Values, folder: Path) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    if "csv" in inputs:
        truth = np.zeros(inputs["shape"], dtype=np.bool_)
        found = truth.copy()
        with (folder / inputs["csv"]).open() as table:
            for *at, label in list(csv.reader(table))[1:]:
                voxel = tuple(int(i) for i in at)
                truth[voxel], found[voxel] = label in ("1", "3"), label in ("2", "3")
        return truth, found
    truth, found = (
        _mask(inputs, names) for names in (("gt", "reference", "truth"), ("pred", "prediction", "predicted"))
    )
    return truth, found


def _mask(inputs: Values, names: tuple[str, ...]) -> NDArray[np.bool_]:
    for name in names:
        if name in inputs:
            return np.asarray(inputs[name]).astype(np.bool_)
        for listed in (f"{name}_pixels", f"{name}_voxels"):
            if listed in inputs:
                mask = np.zeros(inputs["shape"], dtype=np.bool_)
                for voxel in inputs[listed]:
                    mask[tuple(voxel)] = True
                return mask
    raise KeyError(names)


def _overlap(truth: NDArray[np.bool_], found: NDArray[np.bool_], spacing: tuple[float, ...]) -> Values:
    shared = segmentation.overlap(truth, found, spacing_mm=spacing, both_empty=math.nan)
    return {
        "dice": shared.dice,
        "jaccard": shared.jaccard,
        "sensitivity": shared.sensitivity,
        "precision": shared.precision,
        "volume_gt_mm3": shared.reference_volume_mm3,
        "volume_pred_mm3": shared.predicted_volume_mm3,
        "volume_difference_mm3": shared.volume_difference_mm3,
    }


def _hausdorff(distances: SurfaceDistances, convention: str, percentiles: list[float]) -> Values:
    values: Values = {}
    for q in percentiles:
        largest, pooled = (
            distances.hausdorff_mm(percentile=q),
            distances.hausdorff_mm(percentile=q, pooling="pooled"),
        )
        name = f"hd{q:g}_{convention}"
        values |= {name: largest, f"{name}_max_of_directed": largest, f"{name}_pooled": pooled}
    return values


def _averages(distances: SurfaceDistances, convention: str) -> Values:
    names = {
        f"asd_gt_to_pred_{convention}": distances.mean_reference_to_predicted_mm,
        f"asd_pred_to_gt_{convention}": distances.mean_predicted_to_reference_mm,
        f"assd_{convention}_pooled": distances.assd_mm,
        f"assd_{convention}": distances.assd_mm,
        f"masd_{convention}": distances.masd_mm,
    }
    values: Values = {}
    for name, measure in names.items():
        values |= _or_nan(lambda name=name, measure=measure: {name: measure()}, (name,))
    return values


def _within(distances: SurfaceDistances, convention: str, tolerances: list[float]) -> Values:
    values: Values = {}
    for tolerance in tolerances:
        shares = distances.surface_overlap(tolerance_mm=tolerance)
        dice = distances.surface_dice(tolerance_mm=tolerance)
        several = f"_{tolerance:g}" if len(tolerances) > 1 else ""
        for end in {several, f"_{tolerance:g}", f"_{tolerance:g}mm"}:
            values[f"nsd_{convention}{end}"] = values[f"surface_dice_{convention}{end}"] = dice
            values[f"surface_overlap_{convention}{end}"] = list(shares)
    return values


def boundaries(case: Case, folder: Path) -> Values:
    """Classical boundaries for numbers of looks, and spending boundaries for named lists of information fractions."""
    inputs = case["inputs"]
    one_sided = inputs.get("alpha_one_sided")
    alpha = _first(inputs, "alpha_one_sided", "alpha", "alpha_two_sided")
    if alpha is None or "p" in inputs:
        return {}
    sided = 1 if one_sided is not None else int(_first(inputs, "sided", "sides", default=2))
    sides: group_sequential.Sides = 1 if sided == 1 else 2
    values: Values = {}
    if "looks" in inputs or "K" in inputs:
        values |= _classical([int(k) for k in _listed(_first(inputs, "looks", "K"))], float(alpha), sides, inputs)
    named = {name: value for name, value in inputs.items() if _is_information(value)}
    for name, information in named.items():
        values |= _spending(name, information, float(alpha), sides, inputs, alone=len(named) == 1)
    return values


def _classical(looks: list[int], alpha: float, sides: group_sequential.Sides, inputs: Values) -> Values:
    values: Values = {"c": [], "c_obf": [], "c_pocock": []}
    for k in looks:
        equal = np.arange(1, k + 1) / k
        obf = group_sequential.obrien_fleming(equal, alpha=alpha, sides=sides)
        even = group_sequential.pocock(equal, alpha=alpha, sides=sides)
        values["c"].append(float(even.z[-1]))
        values["c_pocock"].append(float(even.z[-1]))
        values["c_obf"].append(float(obf.z[-1]))
        for end, plan in (("", obf), ("_obf", obf), ("_pocock", even)):
            values |= {f"z_{k}{end}": plan.z.tolist(), f"alpha_spent_{k}{end}": plan.alpha_spent.tolist()}
            values |= {f"nominal_p_{k}{end}": _nominal(plan)} | _under_effect(plan, inputs, f"_{k}{end}")
    return values


def _spending(
    name: str, information: list[float], alpha: float, sides: group_sequential.Sides, inputs: Values, *, alone: bool
) -> Values:
    values: Values = {}
    for ends, function in _functions(inputs):
        plan = group_sequential.spending_boundaries(information, spending=function, alpha=alpha, sides=sides)
        for end in ends:
            starts = [f"{name}{end}_", *([f"{end[1:]}_" if end else ""] if alone else [])]
            for start in starts:
                values |= {f"{start}z": plan.z.tolist(), f"{start}alpha_spent": plan.alpha_spent.tolist()}
                values |= {f"{start}nominal_p": _nominal(plan)}
                values |= {f"{start}{key}": one for key, one in _under_effect(plan, inputs, "").items()}
    return values


def _functions(inputs: Values) -> Iterator[tuple[list[str], spending.Spending]]:
    """Every spending function with the endings of its names; the one that the inputs name has an empty ending too."""
    said = str(_first(inputs, "spending", "spending_function", "type", "design", default="obf")).lower()
    rho = float(_first(inputs, "rho", "power_rho", default=3.0))
    gamma = float(_first(inputs, "gamma", "hsd_gamma", default=-4.0))
    chosen = "pocock" if "poc" in said else "power" if "pow" in said or "kim" in said or "rho" in inputs else "obf"
    chosen = "hsd" if "hsd" in said or "hwang" in said or "gamma" in inputs else chosen
    table: dict[str, spending.Spending] = {
        "obf": spending.obrien_fleming_type,
        "pocock": spending.pocock_type,
        "power": spending.power_family(rho),
        "hsd": spending.hwang_shih_decani(gamma),
    }
    for name, function in table.items():
        yield ([f"_{name}", ""] if name == chosen else [f"_{name}"]), function


def _under_effect(plan: group_sequential.Boundaries, inputs: Values, end: str) -> Values:
    values: Values = {}
    drift, power = _first(inputs, "drift", "theta"), inputs.get("power")
    if power is None and "beta" in inputs:
        power = 1.0 - float(inputs["beta"])
    if power is not None:
        drift = group_sequential.drift_for(plan, power=float(power))
        values[f"inflation_factor{end}"] = group_sequential.inflation_factor(plan, power=float(power))
        values[f"drift{end}"] = drift
    if isinstance(drift, int | float):
        crossed = group_sequential.crossing(plan, drift=float(drift))
        values |= {f"power{end}": crossed.power, f"expected_information{end}": crossed.expected_information}
        values[f"exit_probabilities{end}"] = (crossed.upper + crossed.lower).tolist()
        values[f"cumulative_power{end}"] = np.cumsum(crossed.upper + crossed.lower).tolist()
    return values


def _nominal(plan: group_sequential.Boundaries) -> list[float]:
    return [plan.sides * 0.5 * math.erfc(z / math.sqrt(2.0)) for z in plan.z]


def _first(inputs: Values, *names: str, default: Any = None) -> Any:
    return next((inputs[name] for name in names if inputs.get(name) is not None), default)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _or_nan(compute: Callable[[], Values], names: tuple[str, ...]) -> Values:
    """Where we refuse, the packages that the cases come from answer NaN."""
    try:
        return compute()
    except NotEstimable:
        return dict.fromkeys(names, math.nan)


def _is_information(value: Any) -> bool:
    """Fractions that rise to 1."""
    if not isinstance(value, list) or not value or not all(isinstance(x, int | float) for x in value):
        return False
    return value[0] > 0 and value[-1] == 1 and bool((np.diff(value) > 0).all())


AREAS = {"5-segmentation": segmentations, "7-drift-sequential": boundaries}
