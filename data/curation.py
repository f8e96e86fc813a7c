"""Who is in the cohort: inclusion and exclusion by rule, each exclusion counted under its reason."""

from collections.abc import Iterable, Sequence

from data.source import Exclusion, Film


def curate(films: Iterable[Film], *, exclusions: Sequence[Exclusion]) -> tuple[list[Film], dict[str, int]]:
    """The films that no rule excludes, and how many each rule excluded. The first rule that applies counts."""
    included: list[Film] = []
    counts = {exclusion.reason: 0 for exclusion in exclusions}
    for film in films:
        reason = next((rule.reason for rule in exclusions if rule.applies(film.record)), None)
        if reason is None:
            included.append(film)
        else:
            counts[reason] += 1
    return included, counts
