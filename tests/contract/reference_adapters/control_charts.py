"""Cases of control charts and their run lengths in the words of ``evidence.statistics``."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evidence.statistics import control_charts, run_length

Case = dict[str, Any]
Values = dict[str, Any]


def cusum_run_lengths(case: Case, folder: Path) -> Values:
    """Run lengths of a CUSUM for some shifts, or the limit for a wanted one."""
    inputs = case["inputs"]
    if not isinstance(inputs.get("k"), int | float) or _series(inputs) is not None or _ewma_weight(inputs) is not None:
        return {}
    k = float(inputs["k"])
    sides = _sides(inputs)
    wanted = _first(inputs, "arl0", "L0", "target_arl0")
    values: Values = {}
    if wanted is not None:
        limits = [run_length.cusum_limit(arl0=float(one), k=k, sides=sides) for one in _listed(wanted)]
        values["h"] = limits if isinstance(wanted, list) else limits[0]
    h = inputs.get("h", values.get("h"))
    if not isinstance(h, int | float):
        return values
    start = float(_first(inputs, "headstart", "hs", "fir", default=0.0))

    shifts = _first(inputs, "shift", "shifts", "mu", "delta", default=0.0)

    def arl(shift: float, begin: float = start, on: run_length.Sides = sides) -> float:
        return run_length.cusum_arl(k=k, h=float(h), shift=shift, headstart=begin, sides=on)

    return {
        **values,
        **{f"arl_{s:g}": arl(float(s)) for s in _listed(shifts)},
        "arl": _by_shift(shifts, arl),
        "arl0": arl(0.0),
        "arl_one_sided": _by_shift(shifts, lambda s: arl(s, on="one")),
        "arl_two_sided": _by_shift(shifts, lambda s: arl(s, on="two")),
        "arl_fir": _by_shift(shifts, lambda s: arl(s, start or float(h) / 2.0)),
    }


def ewma_run_lengths(case: Case, folder: Path) -> Values:
    """Run lengths of an EWMA for some shifts, for one chart or several, or the width for a wanted one."""
    inputs = case["inputs"]
    weight, width = _ewma_weight(inputs), _first(inputs, "L", "c", "width", "cr")
    if weight is None or _series(inputs) is not None:
        return {}
    limits = _limits(inputs)
    values: Values = {}
    wanted = _first(inputs, "arl0", "L0", "target_arl0")
    if wanted is not None:
        widths = [run_length.ewma_limit(arl0=float(a), weight=w, limits=limits) for a, w in _matched(wanted, weight)]
        one = not isinstance(wanted, list) and not isinstance(weight, list)
        values |= dict.fromkeys(("L", "c", "width"), widths[0] if one else widths)
        width = width if width is not None else values["L"]
    if width is None:
        return values
    shifts = _first(inputs, "shift", "shifts", "mu", "delta", default=0.0)
    charts = _matched(width, weight)
    rows = [_arl_row(w, c, shifts, inputs, limits) for c, w in charts]
    values["arl"] = rows if isinstance(weight, list) or isinstance(width, list) else rows[0]
    values["arl0"] = values["arl"][0] if isinstance(values["arl"], list) else values["arl"]
    return values


def _arl_row(weight: float, width: float, shifts: Any, inputs: Values, limits: control_charts.Limits) -> Any:
    unit = math.sqrt(weight / (2.0 - weight))  # starts and barriers are given in deviations of the average
    start = float(_first(inputs, "headstart", "hs", default=0.0)) * unit

    def arl(shift: float) -> float:
        if _sides(inputs) == "one":
            barrier = float(_first(inputs, "zr", "barrier", default=0.0)) * unit
            return run_length.ewma_one_sided_arl(weight=weight, width=width, shift=shift, barrier=barrier, start=start)
        return run_length.ewma_arl(weight=weight, width=width, shift=shift, start=start, limits=limits)

    return _by_shift(shifts, arl)


def paths(case: Case, folder: Path) -> Values:
    """A standardised series on a chart: CUSUM when it has k and h, EWMA when it has a weight."""
    inputs = case["inputs"]
    series = _series(inputs)
    if series is None:
        return {}
    target = float(_first(inputs, "target", "mu0", "mean0", default=0.0))
    deviation = float(_first(inputs, "sigma", "sd", "deviation", default=1.0))
    weight = _ewma_weight(inputs)
    values: Values = {}
    if "k" in inputs and "h" in inputs:
        start = float(_first(inputs, "headstart", "hs", "fir", default=0.0))
        sums = control_charts.cusum(
            series, k=inputs["k"], h=inputs["h"], headstart=start, target=target, deviation=deviation
        )
        values |= {"s_plus": sums.upper.tolist(), "s_minus": sums.lower.tolist()}
        values |= {"first_alarm_index_1based": sums.first_alarm}
    if weight is not None:
        chart = control_charts.ewma(
            series,
            weight=weight,
            width=float(_first(inputs, "L", "c", "width", default=3.0)),
            limits="asymptotic" if "asym" in str(inputs.get("limits", "")) else "exact",
            target=target,
            deviation=deviation,
        )
        values |= dict.fromkeys(("ewma", "z_path", "ewma_path"), chart.average.tolist())
        values |= {"ucl": chart.high.tolist(), "lcl": chart.low.tolist()}
        values.setdefault("first_alarm_index_1based", chart.first_alarm)
    return values


def _first(inputs: Values, *names: str, default: Any = None) -> Any:
    return next((inputs[name] for name in names if inputs.get(name) is not None), default)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _matched(one: Any, other: Any) -> list[tuple[float, float]]:
    """Pairs of two numbers or lists, a number standing beside every entry of a list."""
    first, second = _listed(one), _listed(other)
    n = max(len(first), len(second))
    return list(zip(first * (n // len(first)), second * (n // len(second)), strict=True))


def _series(inputs: Values) -> list[float] | None:
    series = _first(inputs, "z", "series", "x", "values")
    return series if isinstance(series, list) and "tau" not in inputs else None


def _ewma_weight(inputs: Values) -> Any:
    return _first(inputs, "lambda", "lam", "weight", "l")


def _sides(inputs: Values) -> run_length.Sides:
    return "one" if str(_first(inputs, "sided", "sides", default="two")).lower() in ("one", "1", "upper") else "two"


def _limits(inputs: Values) -> control_charts.Limits:
    said = str(inputs.get("limits", "asymptotic")).lower()
    return "exact" if any(word in said for word in ("exact", "vacl", "vary", "time")) else "asymptotic"


def _by_shift(shifts: Any, arl: Callable[[float], float]) -> Any:
    return [arl(float(s)) for s in shifts] if isinstance(shifts, list) else arl(float(shifts))


def charts(case: Case, folder: Path) -> Values:
    """Whatever kind of the area a case is."""
    values: Values = {}
    for kind in (cusum_run_lengths, ewma_run_lengths, paths):
        values |= kind(case, folder)
    return values


AREAS = {"7-drift-sequential": charts}
