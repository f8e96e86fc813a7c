"""One item of a reporting guideline: what it asks, in our words, and what of a report answers it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from evidence.record import ValidationReport

Answer = Callable[[ValidationReport], str]  # a short sentence with this run's numbers; empty: the record does not say

USE = "1 Intended use"
DATA = "2 Data"
MODEL = "3 Model and operating point"
PLAN = "4 Plan and ledger"
RESULTS = "5 Results"
SUBGROUPS = "6 Subgroups"
EXTERNAL = "7 External site"
ROBUSTNESS = "8 Robustness"
COMPARISONS = "9 Comparisons"
EXPLANATION = "10 Explanation"
FAILURES = "11 Failures"
LIMITATIONS = "12 Limitations"
ENVIRONMENT = "15 Environment"
PROVENANCE = "16 Provenance"
METHODS = "18 Methods"


@dataclass(frozen=True, slots=True)
class Item:
    """One item; without an ``answer`` only the authors can give one."""

    number: str
    section: str
    asks: str
    answer: Answer | None = None
    where: str = ""  # section of the report, when there is an answer


@dataclass(frozen=True, slots=True)
class Guideline:
    """All items of one guideline, in its order."""

    name: Literal["CLAIM 2024", "STARD-AI", "TRIPOD+AI"]
    citation: str
    items: tuple[Item, ...]


def several(*answers: Answer) -> Answer:
    """The sentences of several answers, one after the other; empty when none has one."""
    return lambda report: " ".join(said for answer in answers if (said := answer(report)))
