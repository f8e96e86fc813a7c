"""The gate's question about the engine: do test data confirm that what serves answers as what was trained?"""

from collections.abc import Iterator

from domain.change_control import GateCheck
from domain.model_version import EngineChoice
from evidence.change import CandidateFacts
from evidence.engine_record import EngineAgreement, EngineReport
from evidence.record import ValidationReport

DEFAULT = ("onnxruntime", "fp32")  # what serves where nothing was chosen


def engine(report: ValidationReport, facts: CandidateFacts) -> Iterator[GateCheck]:
    """The confirmation, worked out again from its figures; and that it is of the engine and the bytes that serve."""
    serves = (facts.engine, facts.precision)
    if report.engine is None:
        met = serves == DEFAULT
        yield GateCheck(
            name="engine_confirmed_on_test", kind="comparison", bound="confirmed where an engine was chosen", met=met,
            found="no engine was chosen by measurement",
            reason="the export serves as it is" if met else f"{' '.join(serves)} was never compared on test data",
        )  # fmt: skip
        return
    problem = _problem(report.engine, report, serves)
    found = report.engine.confirmation
    yield GateCheck(
        name="engine_confirmed_on_test", kind="comparison", bound=bound_text(found), value=found.auroc_difference,
        found=found_text(report.engine), met=not problem, reason=problem or "test data confirm what tuning data showed",
    )  # fmt: skip


def bound_text(found: EngineAgreement) -> str:
    """What the confirmation asks."""
    return (
        f"no probability more than {found.tolerance:g} from {found.against}’s, AUROC less than {found.margin:g} lower"
    )


def found_text(engine: EngineReport) -> str:
    """What it found, with the interval where there is one."""
    found = engine.confirmation
    text = f"{named(engine.choice)}: up to {found.max_difference:.2g} apart"
    if found.auroc_difference is not None:
        low, high = found.auroc_difference.interval
        text += f", AUROC difference {found.auroc_difference.value:.4f} ({low:.4f} to {high:.4f})"
    return f"{text}, n = {found.n}"


def named(choice: EngineChoice) -> str:
    """Engine and precision."""
    return f"{choice.engine} {choice.precision}"


def _problem(engine: EngineReport, report: ValidationReport, serves: tuple[str, str]) -> str:
    choice = engine.choice
    if (choice.engine, choice.precision) != serves:
        return f"the report speaks of {named(choice)}, the version is served by {' '.join(serves)}"
    own = [one for one in choice.candidates if (one.engine, one.precision) == serves]
    if [one.model_sha256 for one in own if one.passes] != [report.provenance.model_sha256]:
        return "the bytes reported on are not those of a candidate that passed on tuning data"
    if engine.confirmation.n != report.test.n:
        return f"it was compared on {engine.confirmation.n} of {report.test.n} test films"
    return "" if engine.confirmation.within else "test data do not confirm what tuning data showed"
