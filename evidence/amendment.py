"""What a plan asks less of than one under which the same test set was opened before.

A plan amended after a look may ask more, never less: what was seen would have chosen the bound. A looser plan needs a
test set that nothing has opened yet (ICH E9, 5.1 and 5.7: what is decided after unblinding is not pre-specified).
"""

from collections.abc import Iterator

from evidence.plan import Bound, CalibrationBound, Endpoint, NonInferiority, ValidationPlan


def loosened(before: ValidationPlan, now: ValidationPlan) -> tuple[str, ...]:
    """Each place where ``now`` asks less than ``before``, one phrase each; empty when it asks no less."""
    return (*_rules(before, now), *_endpoints(before, now), *_floors(before, now))


def _rules(before: ValidationPlan, now: ValidationPlan) -> Iterator[str]:
    if now.alpha > before.alpha:
        yield f"alpha {before.alpha:g} became {now.alpha:g}"
    if now.min_sensitivity < before.min_sensitivity:
        yield f"min_sensitivity {before.min_sensitivity:g} became {now.min_sensitivity:g}"
    old, new = before.test_set_reuse, now.test_set_reuse
    if old.adjustment == "bonferroni" and new.adjustment == "none":
        yield "the adjustment for reuse was dropped"
    if new.max_models > old.max_models:
        yield f"max_models {old.max_models} became {new.max_models}"


def _endpoints(before: ValidationPlan, now: ValidationPlan) -> Iterator[str]:
    today = {endpoint.name: endpoint for endpoint in now.primary}
    for old in before.primary:
        new = today.get(old.name)
        if new is None:
            yield f"{old.name} is no longer primary"
        elif _asks_less(old, new):
            yield f"{old.name} asks less"


def _asks_less(old: Endpoint, new: Endpoint) -> bool:
    if isinstance(old, Bound) and isinstance(new, Bound):
        lower = old.at_least is not None and new.at_least is not None and new.at_least < old.at_least
        return lower or (old.at_most is not None and new.at_most is not None and new.at_most > old.at_most)
    if isinstance(old, NonInferiority) and isinstance(new, NonInferiority):
        return new.margin > old.margin
    if isinstance(old, CalibrationBound) and isinstance(new, CalibrationBound):
        return new.low < old.low or new.high > old.high
    return False


def _floors(before: ValidationPlan, now: ValidationPlan) -> Iterator[str]:
    today = {floor.name: floor for floor in now.subgroups}
    for old in before.subgroups:
        new = today.get(old.name)
        if new is None:
            yield f"{old.name} was dropped"
        elif new.at_least < old.at_least or new.min_n > old.min_n:
            yield f"{old.name} asks less"
