"""Every statistic against values computed elsewhere: R packages and published tables.

A case is a JSON file: ``area``, ``inputs`` (inline, or a CSV beside it) and ``expected`` {quantity: {value, tolerance
[, relative_tolerance]}}. Each file of ``reference_adapters`` maps areas to a function that computes, with
``evidence.statistics``, every quantity it can from a case's inputs, and nothing from inputs that are not its kind.
"""

import json
import math
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

Case = dict[str, Any]
Adapter = Callable[[Case, Path], dict[str, Any]]
ADAPTERS = Path(__file__).parent / "reference_adapters"
WORDS = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan, None: math.nan}


@pytest.fixture(scope="module")
def adapters() -> dict[str, list[Adapter]]:
    """The one table from case area to functions, gathered from the folder."""
    table: dict[str, list[Adapter]] = {}
    for path in sorted(ADAPTERS.glob("*.py")):
        spec = spec_from_file_location(path.stem, path)
        assert spec is not None and spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        for area, adapter in module.AREAS.items():
            table.setdefault(area, []).append(adapter)
    return table


def numbers(value: Any) -> Iterator[float | bool]:
    """A value as a flat row of numbers."""
    if isinstance(value, list | tuple):
        for one in value:
            yield from numbers(one)
    elif isinstance(value, bool):
        yield value
    else:
        yield float(WORDS.get(value, value))


def close(expected: float | bool, found: float | bool, *, absolute: float, relative: float) -> bool:
    if isinstance(expected, bool) or isinstance(found, bool):
        return expected is found
    if math.isnan(expected) or math.isinf(expected):
        return (math.isnan(expected) and math.isnan(found)) or expected == found
    return abs(expected - found) <= max(absolute, relative * abs(expected), 1e-12 * max(1.0, abs(expected)))


def test_reference_case_gives_the_published_values(reference_case: Path, adapters: dict[str, list[Adapter]]) -> None:
    case: Case = json.loads(reference_case.read_text())
    found: dict[str, Any] = {}
    for adapter in adapters[case["area"]]:
        quantities = adapter(case, reference_case.parent)
        assert not found.keys() & quantities.keys(), "two adapters compute the same quantity"
        found |= quantities
    missing = sorted(case["expected"].keys() - found.keys())
    assert missing == [], "quantities no adapter computes"
    wrong = {}
    for name, wanted in case["expected"].items():
        expected, got = list(numbers(wanted["value"])), list(numbers(found[name]))
        absolute, relative = wanted["tolerance"], wanted.get("relative_tolerance", 0.0)
        if len(expected) != len(got) or not all(
            close(e, g, absolute=absolute, relative=relative) for e, g in zip(expected, got, strict=True)
        ):
            wrong[name] = (expected, got)
    assert wrong == {}
