"""Sample sizes and power: from a case's inputs, alone or in named parts, to calls and back to its names."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from evidence.statistics import power_auroc as pa
from evidence.statistics import power_paired as pp
from evidence.statistics import power_proportion as pq
from evidence.statistics import proportion as pr
from evidence.statistics.power import Design, Sampling

Values = dict[str, Any]
MCNEMAR: dict[str, Any] = {
    "": "connor", "connor": "connor", "miettinen": "miettinen", "exact": "exact", "midp": "mid-p"
}  # fmt: skip


def first_of(inputs: Values, *names: str, default: Any = None) -> Any:
    return next((inputs[name] for name in names if inputs.get(name) is not None), default)


def level_of(inputs: Values) -> float:
    alpha = inputs.get("alpha")
    implied = 1.0 - alpha if alpha is not None else 0.95
    return float(first_of(inputs, "confidence", "level", "conf_level", "confidence_level", default=implied))


def sample_sizes(case: Values, folder: Path) -> Values:
    inputs = case["inputs"]
    parts = {f"{key}_": part for key, part in inputs.items() if isinstance(part, dict)} or {"": inputs}
    found: Values = {}
    for prefix, part in parts.items():
        common = {key: value for key, value in inputs.items() if not isinstance(value, dict)}
        found |= {prefix + name: value for name, value in sized(common | part).items()}
    return found


def sized(part: Values) -> Values:
    for sizer in (half_width_size, mcnemar_size, paired_margin_size, bound_size, auroc_size):
        if designs := sizer(part):
            return dict(named(designs))
    return {}


def named(designs: dict[str, Design]) -> Iterator[tuple[str, float]]:
    for name, design in designs.items():
        tail = f"_{name}" if name else ""
        share = design.assumed["share"]
        yield f"n{tail}", design.counted
        yield f"total_n{tail}", design.n
        yield f"total_n{tail}_unrounded", design.needed * design.assumed["design_effect"] / share
        yield f"pairs{tail}", design.counted
        yield f"pairs{tail}_unrounded", design.needed * design.assumed["design_effect"]
        yield f"n{tail}_unrounded", design.needed * design.assumed["design_effect"]
        if design.power is not None:
            yield f"power{tail}", design.power
        if "prevalence" in design.assumed:
            cases = design.needed * design.assumed["prevalence"]
            yield f"n_cases{tail}_unrounded", cases
            yield f"n_controls{tail}_unrounded", design.needed - cases
            yield f"n_cases{tail}", int(np.ceil(cases - 1e-9))
            yield f"n_controls{tail}", int(np.ceil(design.needed - cases - 1e-9))


def half_width_size(part: Values) -> dict[str, Design]:
    width = first_of(part, "epsilon", "half_width", "precision", "margin_of_error")
    p = first_of(part, "sensitivity", "specificity", "proportion", "p")
    if width is None or p is None:
        return {}
    width = width * p if "relative" in str(first_of(part, "error", "epsilon_type", default="absolute")) else width
    asked: Values = {"half_width": width, "level": level_of(part), "sampling": sampling_of(part)}
    exact = {m.replace("-", "_"): pq.size_for_half_width(p, method=m, **asked) for m in pr.NAMES}
    return {"": pq.size_for_half_width(p, **asked), **exact, "exact": exact["clopper_pearson"]}


def sampling_of(part: Values) -> Sampling:
    prevalence = first_of(part, "prevalence", default=1.0)
    share = 1.0 - prevalence if "specificity" in part and "prevalence" in part else prevalence
    size = first_of(part, "cluster_size", "images_per_patient", default=1.0)
    return Sampling(share=share, cluster_size=size, icc=first_of(part, "icc", "rho", default=0.0))


def rates_of(part: Values) -> pp.DiscordantRates | None:
    if (psi := first_of(part, "psi", "ratio")) is not None:
        return pp.DiscordantRates.from_ratio(psi, discordant=first_of(part, "discordant", "pd", "p_discordant"))
    if {"p10", "p01"} <= part.keys():
        return pp.DiscordantRates(part["p10"], part["p01"])
    discordant = first_of(part, "discordant", "p_discordant", "pd")
    if discordant is None:
        return None
    delta = first_of(part, "difference", "delta", "diff", default=0.0)
    return pp.DiscordantRates((discordant + delta) / 2.0, (discordant - delta) / 2.0)


def mcnemar_size(part: Values) -> dict[str, Design]:
    rates = rates_of(part)
    if rates is None or "margin" in part:
        return {}
    alpha = part.get("alpha", 0.05) * (2 if one_tailed(part) else 1)
    designs: dict[str, Design] = {}
    for name, method in MCNEMAR.items():
        asked: Values = {"alpha": alpha, "method": method, "sampling": sampling_of(part)}
        given = first_of(part, "n", "pairs")
        designs[name] = (
            pp.power_for_mcnemar(given, rates, **asked)
            if given
            else pp.size_for_mcnemar(rates, power=part.get("power", 0.8), **asked)
        )
    return designs


def one_tailed(part: Values, *, default: int = 2) -> bool:
    said = first_of(part, "sides", "alternative", default=default)
    return said in (1, "one.sided", "one-sided", "one_sided", "greater", "less")


def paired_margin_size(part: Values) -> dict[str, Design]:
    rates = rates_of(part)
    if rates is None or "margin" not in part:
        return {}
    asked: Values = {"margin": abs(part["margin"]), "alpha": part.get("alpha", 0.025), "sampling": sampling_of(part)}
    if given := first_of(part, "n", "pairs"):
        return {"": pp.power_for_paired_non_inferiority(given, rates, **asked)}
    return {"": pp.size_for_paired_non_inferiority(rates, power=part.get("power", 0.8), **asked)}


def bound_size(part: Values) -> dict[str, Design]:
    bound = first_of(part, "p0", "null", "bound", "lower_bound")
    p = first_of(part, "p1", "sensitivity", "specificity", "expected")
    if bound is None or p is None or "auc" in part:
        return {}
    alpha = part.get("alpha", 0.025) / (1 if one_tailed(part, default=1) else 2)
    designs: dict[str, Design] = {}
    for method, name in (("normal", ""), ("clopper-pearson", "exact"), ("wilson", "wilson")):
        asked: Values = {"bound": bound, "alpha": alpha, "method": method, "sampling": sampling_of(part)}
        designs[name] = (
            pq.power_for_bound(part["n"], expected=p, **asked)
            if "n" in part
            else pq.size_for_bound(p, power=part.get("power", 0.8), **asked)
        )
    return designs


def auroc_size(part: Values) -> dict[str, Design]:
    area, second = first_of(part, "auc", "auc1", "auc_1", "theta"), first_of(part, "auc2", "auc_2")
    if area is None:
        return {}
    cases, controls = first_of(part, "ncases", "n_cases"), first_of(part, "ncontrols", "n_controls")
    kappa = controls / cases if cases and controls else first_of(part, "kappa", "ratio", default=1.0)
    n = cases + controls if cases and controls else None
    sides = 1 if one_tailed(part, default=1 if "margin" in part else 2) else 2
    designs: dict[str, Design] = {}
    for model, name in (("obuchowski", ""), ("obuchowski", "obuchowski"), ("hanley-mcneil", "hanley_mcneil")):
        mix = pa.CaseMix(prevalence=part.get("prevalence", 1.0 / (1.0 + kappa)), model=model)
        designs[name] = one_auroc_size(part, area, second, mix=mix, sides=sides, n=n)
    return designs


def one_auroc_size(
    part: Values, area: float, second: float | None, *, mix: pa.CaseMix, sides: int, n: int | None
) -> Design:
    alpha, power = first_of(part, "alpha", "sig_level", default=0.05 if sides == 2 else 0.025), part.get("power", 0.8)
    if (width := first_of(part, "half_width", "precision")) is not None:
        return pa.size_for_auroc_half_width(area, half_width=width, mix=mix, level=level_of(part))
    if second is None:
        bound = first_of(part, "bound", "null", "auc0", default=0.5)
        asked: Values = {"bound": bound, "mix": mix, "alpha": alpha / sides}
        return pa.power_for_auroc(n, expected=area, **asked) if n else pa.size_for_auroc(area, power=power, **asked)
    areas = pa.PairedAreas(area, second, first_of(part, "correlation", "r", "rho", default=0.0))
    if "margin" in part:
        asked = {"margin": abs(part["margin"]), "mix": mix, "alpha": alpha}
        if n:
            return pa.power_for_auroc_non_inferiority(n, areas, **asked)
        return pa.size_for_auroc_non_inferiority(areas, power=power, **asked)
    asked = {"mix": mix, "alpha": alpha * (2 / sides)}
    if n:
        return pa.power_for_auroc_difference(n, areas, **asked)
    return pa.size_for_auroc_difference(areas, power=power, **asked)


AREAS = {"2-operating-point": sample_sizes}
