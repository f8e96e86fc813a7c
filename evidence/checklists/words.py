"""How numbers, names and digests are said in the answers of a checklist."""

from collections.abc import Iterable

from domain.acceptance import MetricValue
from domain.identifiers import Sha256

_CAPITALS = {"auroc": "AUROC", "ppv": "PPV", "npv": "NPV", "brier": "Brier"}


def named(name: str) -> str:
    """A metric's or reason's name as words: ``auroc_difference`` → ``AUROC difference``."""
    return " ".join(_CAPITALS.get(word, word) for word in name.split("_"))


def measured(value: MetricValue) -> str:
    """A value with interval and n: ``AUROC 0.934 (95 % CI 0.912 to 0.951, n = 624)``."""
    low, high = value.interval
    level = f"{100 * value.level:.4g} % CI"
    return f"{named(value.name)} {value.value:.3f} ({level} {low:.3f} to {high:.3f}, n = {value.n:,})"


def pick(metrics: Iterable[MetricValue], names: Iterable[str]) -> str:
    """Those of ``names`` that were measured, in that order; empty when none was."""
    found = {value.name: value for value in metrics}
    return listed(measured(found[name]) for name in names if name in found)


def sentence(text: str) -> str:
    """The text with a capital and a full stop; an identifier in front keeps its letters, and empty stays empty."""
    text = text.strip()
    if not text:
        return ""
    first = text[0] if "_" in text.split(maxsplit=1)[0] else text[0].upper()
    return first + text[1:] + ("" if text.endswith(".") else ".")


def counted(number: int, one: str, many: str = "") -> str:
    """``1 warning``, ``2 warnings``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(parts: Iterable[str]) -> str:
    """The parts with semicolons between them."""
    return "; ".join(parts)


def digest(sha256: Sha256) -> str:
    """The first twelve digits; the whole digest stands in the report."""
    return f"SHA-256 {sha256[:12]}…"


def share(part: int, whole: int) -> str:
    """A share in per cent with its counts: ``62 % (390 of 624)``."""
    return f"{100 * part / whole:.0f} % ({part:,} of {whole:,})" if whole else f"{part:,} of {whole:,}"
