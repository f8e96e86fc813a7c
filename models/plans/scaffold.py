"""A first validation plan and change control plan for a task, from what the task already declares.

They are valid as written, so that a new task can be tried at once; what only its authors can know is marked
«To be stated» and must be completed before a plan is registered for clinical use.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from domain.acceptance import AcceptanceCriterion
from evidence.change import ChangeKind
from evidence.statistics.power import Sampling
from evidence.statistics.power_auroc import CaseMix, size_for_auroc
from evidence.statistics.power_proportion import size_for_bound
from models.plans import pccp_file, plan_file
from models.task import Task

ALPHA, POWER, MARGIN, FLOOR, MIN_STRATUM = 0.025, 0.9, 0.05, 0.7, 30
PAIRED = ("auroc", "sensitivity", "specificity")
RETRAINING = (
    ChangeKind.WEIGHTS, ChangeKind.THRESHOLD, ChangeKind.ENGINE, ChangeKind.TRAINING_SEED, ChangeKind.SOFTWARE,
    ChangeKind.DATASET_VERSION,
)  # fmt: skip


def scaffold(task: Task, folder: Path) -> list[Path]:
    """Write the two documents of a task below ``folder`` and list those written; one that exists stays as it is."""
    documents = {
        plan_file(task.name, folder=folder): validation_plan(task),
        pccp_file(task.name, folder=folder): change_control_plan(task),
    }
    written = []
    for path, document in documents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            continue
        written.append(path)
    return written


def validation_plan(task: Task) -> dict[str, Any]:
    """The validation plan as plain data: the task's bounds, and no worse than the champion on the paired ones."""
    accepted = {criterion.metric: criterion for criterion in task.accept}
    metrics = [metric for metric in PAIRED if metric in accepted] or ["auroc"]
    bounds = [_bound(criterion) for criterion in accepted.values()]
    return {
        "schema_version": 1,
        "task": task.name,
        "intended_use": task.intended_use.statement,
        "population": "To be stated: who is in the test set, where and when recruited, who was left out.",
        "reference_standard": "To be stated: who read the films, how often, and how disagreement was settled.",
        "missing_data": "No film is left out after the test set is opened; one that cannot be scored stops it.",
        "operating_point": f"Highest specificity at a sensitivity of {task.min_sensitivity:g} or more on tuning data.",
        "min_sensitivity": task.min_sensitivity,
        "alpha": ALPHA,
        "primary": bounds
        + [
            {"kind": "non_inferiority", "metric": metric, "against": "champion", "margin": MARGIN} for metric in metrics
        ],
        "secondary": [{"kind": "superiority", "metric": "auroc", "against": "baseline"}],
        "subgroups": [
            {"group": group, "metric": "auroc", "at_least": FLOOR, "min_n": MIN_STRATUM}
            for group in ("sex", "age", "site", "view")
        ],
        "sample_size": [_size(criterion) for criterion in accepted.values()],
        "test_set_reuse": {"adjustment": "bonferroni", "max_models": 24},
    }


def change_control_plan(task: Task) -> dict[str, Any]:
    """The change control plan as plain data: one modification, training again."""
    name = "retraining"
    return {
        "schema_version": 1,
        "task": task.name,
        "modifications": [
            {
                "name": name,
                "description": "The same network is trained again, from another seed or on a newer version of the same "
                "source; threshold and inference engine are chosen again by the same rules.",
                "changes": [kind.value for kind in RETRAINING],
            }
        ],
        "modification_protocol": _protocol(task),
        "impact_assessment": [
            {
                "modification": name,
                "benefit": "To be stated.",
                "risk": "To be stated: at least a worse model, worse for some patients.",
                "mitigation": "Non-inferiority to the champion, floors by subgroup, comparison on the same films.",
            }
        ],
        "signatures": [
            {"meaning": "author", "role": "engineer"},
            {"meaning": "review", "role": "clinician"},
            {"meaning": "approval", "role": "quality"},
        ],
    }


def _protocol(task: Task) -> dict[str, Any]:
    return {
        "data": {
            "allowed_sources": list(dict.fromkeys([task.source, task.substitute])),
            "min_training_samples": 1000,
            "min_training_patients": 500,
            "same_external_sources": True,
            "synthetic_allowed_for_demo": True,
        },
        "retraining": {
            "allowed_variants": ["network-*"],
            "practice": "To be stated: how many seeds, which is chosen, and by what on tuning data.",
        },
        "evaluation": {"required_comparisons": ["champion", "baseline"]},
        "update": {
            "labelling": "To be stated: what users are told of a new version, and when.",
            "rollback": "To be stated: what takes a version out of service, and who decides.",
        },
    }


def _bound(criterion: AcceptanceCriterion) -> dict[str, Any]:
    return {"kind": "bound", "metric": criterion.metric, "at_least": criterion.lower_bound}


def _size(criterion: AcceptanceCriterion) -> dict[str, Any]:
    """Samples to show the bound if the model lies half-way between it and 1, one film a patient, half of each class."""
    share, expected = 0.5, round((1.0 + criterion.lower_bound) / 2.0, 4)
    if criterion.metric == "auroc":
        mix = CaseMix(prevalence=share)
        design = size_for_auroc(expected, bound=criterion.lower_bound, mix=mix, power=POWER, alpha=ALPHA)
    else:
        sampling = Sampling(share=share)
        design = size_for_bound(expected, bound=criterion.lower_bound, power=POWER, alpha=ALPHA, sampling=sampling)
    return {
        "endpoint": f"{criterion.metric}_at_least", "expected": expected, "positive_share": share, "power": POWER,
        "samples": max(design.n, 10),
    }  # fmt: skip
