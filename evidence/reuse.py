"""What the ledger of a test set says about a model, and what of the plan was not kept."""

from collections.abc import Sequence

from domain.change_control import TestSetOpening
from domain.errors import PlanNotRegistered
from domain.identifiers import Sha256
from domain.model_version import OperatingPoint
from evidence.judgement import ReuseCost
from evidence.plan import ValidationPlan
from evidence.scored_set import ScoredSet


def reuse_cost(ledger: Sequence[TestSetOpening], model_sha256: Sha256, plan: ValidationPlan) -> ReuseCost:
    """The rank of a model among the distinct ones that this test set has answered, and the alpha it is judged at.

    ``ledger`` holds the openings of one test set. Models are told apart by their bytes and ranked by first opening for
    validation; opening it again for the same bytes, or to reproduce a figure, costs nothing. A model that was worthless
    passes at alpha / k by chance; over k models at most alpha·(1 + ½ + … + 1/k) together.

    Raises:
        PlanNotRegistered: the ledger holds no opening for validation by this model.
    """
    openings = sorted((line for line in ledger if line.purpose == "validation"), key=lambda line: line.number)
    ranks = {model: rank for rank, model in enumerate(dict.fromkeys(line.model_sha256 for line in openings), start=1)}
    if model_sha256 not in ranks:
        raise PlanNotRegistered(
            f"The ledger of {plan.task} holds no opening of the test set by model {model_sha256[:12]}.",
            next_step="Validate it under a registered plan.",
        )
    rank = ranks[model_sha256]
    bonferroni = plan.test_set_reuse.adjustment == "bonferroni"
    return ReuseCost(
        models=rank,
        max_models=plan.test_set_reuse.max_models,
        alpha=plan.alpha,
        adjusted_alpha=plan.alpha / rank if bonferroni else plan.alpha,
        error_if_unadjusted=1.0 - (1.0 - plan.alpha) ** rank,
    )


def deviations(
    plan: ValidationPlan,
    test: ScoredSet,
    *,
    min_sensitivity: float | None = None,
    operating_point: OperatingPoint | None = None,
) -> tuple[str, ...]:
    """What was done otherwise than planned, one sentence each; they are printed and decide nothing.

    ``min_sensitivity`` is the task's rule for its operating point, where known.
    """
    n, positives = len(test.sample_ids), int(test.labels.sum())
    per_patient = n / test.patients if n else 0.0
    metrics = {endpoint.name: endpoint.metric for endpoint in plan.primary}
    said = []
    for size in plan.sample_size:
        with_finding = round(size.samples * size.positive_share)
        # A sensitivity rests on the samples with the finding alone, a specificity on the others.
        counted = {
            "samples": (n, size.samples),
            "samples with the finding": (positives, with_finding),
            "samples without the finding": (n - positives, size.samples - with_finding),
        }
        skipped = {"sensitivity": "samples without the finding", "specificity": "samples with the finding"}
        counted.pop(skipped.get(metrics[size.endpoint], ""), None)
        said += [
            f"{size.endpoint}: {found} {kind} where {needed} were planned."
            for kind, (found, needed) in counted.items()
            if found < needed
        ]
        if per_patient > size.samples_per_patient + 0.05:
            said.append(
                f"{size.endpoint}: {per_patient:.2f} samples per patient where {size.samples_per_patient:.2f} were "
                "assumed."
            )
    if min_sensitivity is not None and min_sensitivity != plan.min_sensitivity:
        said.append(
            f"The task chooses its threshold for a sensitivity of {min_sensitivity:g}, the plan says "
            f"{plan.min_sensitivity:g}."
        )
    if operating_point is not None and operating_point.chosen_on != "tune":
        said.append("The threshold was not chosen on tuning data.")
    return tuple(said)
