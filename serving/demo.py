"""The demo classifier's identity and rule: which half of a film is brighter. It says nothing about a patient.

It lets a fresh installation show the whole path before any model is trained. Its answers carry ``demo: true``.
"""

import math

from domain.codes import PNEUMONIA
from domain.dataset import DatasetVersion
from domain.identifiers import sha256_of
from domain.intended_use import IntendedUse
from domain.model_version import ModelManifest, OperatingPoint
from domain.preprocessing import Preprocessing

DEMO_TASK = "demo_classifier"
DEMO_VERSION = 0
RULE = "probability = logistic(8 * (brightness below − brightness above the middle of the stretched film))"
PREPROCESSING = Preprocessing(size_px=64)


def demo_probability(upper_minus_lower: float) -> float:
    """The rule, as a number between 0 and 1."""
    return 1.0 / (1.0 + math.exp(8.0 * upper_minus_lower))


DEMO_MANIFEST = ModelManifest(
    task=DEMO_TASK,
    title="Demo classifier (not a medical device)",
    version=DEMO_VERSION,
    variant="rule",
    demo=True,
    intended_use=IntendedUse(
        statement="Shows how the platform works. Not for any medical purpose.",
        modalities=frozenset({"CR", "DX"}),
        body_parts=frozenset({"CHEST"}),
        view_positions=frozenset({"PA", "AP"}),
    ),
    finding=PNEUMONIA,
    preprocessing=PREPROCESSING,
    operating_point=OperatingPoint(threshold=0.5, rule="middle of the scale", chosen_on="not chosen"),
    engine="rule",
    explains=True,
    parameters=0,
    weights_sha256=sha256_of(RULE.encode()),
    model_sha256=sha256_of(RULE.encode()),
    report_sha256=sha256_of(b""),
    dataset_version=DatasetVersion(
        source="none", distribution="none", digest=sha256_of(b""), synthetic=True, counts={}, excluded={}, shards={}
    ),
    run_id="none",
    git_commit="none",
    git_dirty=False,
    seed=None,
    performance=(),
    criteria=(),
    reference_answers=(),
    approver="demo",
)
