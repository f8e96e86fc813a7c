"""What asks for promotion: every trained and validated variant, registered in MLflow."""

from dataclasses import dataclass

from domain.identifiers import Sha256, sha256_of
from evidence.record import ValidationReport
from models import registry
from models.checkpoints import TrainedModel
from models.plans import PCCP_FILE
from pipelines import plans
from pipelines.results import read_reports, read_trained, report_digest
from pipelines.wiring import Offline


@dataclass(frozen=True)
class Candidate:
    """One trained and validated variant with its registered version."""

    trained: TrainedModel
    report: ValidationReport
    report_sha256: Sha256
    version: int

    @property
    def model_version(self) -> str:
        """Printable identity."""
        return f"{self.trained.task}@{self.version}"


def candidates(task: str, *, approver: str, root: Offline) -> list[Candidate]:
    """Every variant, registered in MLflow; what this approver has approved on this report keeps its version.

    Under another change control plan, or where signatures begin to be asked for, it is another question to the gate, so
    that it gets another version: a version has one decision to promote it.
    """
    validated = zip(read_trained(task), read_reports(task), strict=True)
    question = {
        "pccp_sha256": sha256_of(plans.document(task, PCCP_FILE, folder=root.copy)),
        "signatures": "not required" if root.settings.limits_of_level.demo_models else "required",
    }
    found = []
    for trained, report in validated:
        sha256 = report_digest(task, trained.variant)
        tags = {"variant": trained.variant, "report_sha256": sha256, **question}
        version = registry.register(root.tracking, task=task, run_id=trained.run_id, approver=approver, tags=tags)
        found.append(Candidate(trained, report, sha256, version))
    return found
