"""What the gate asks of a report, one function for each kind of check; none of them raises for a bad candidate."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from domain.acceptance import MetricValue
from domain.change_control import GateCheck
from domain.electronic_signature import ElectronicSignature
from domain.errors import PlanNotRegistered
from domain.identifiers import Sha256, sha256_of
from domain.model_version import ModelManifest
from evidence.amendment import loosened
from evidence.change import CandidateFacts, ChangeKind
from evidence.endpoints import NO_CHAMPION, bound_text, holds
from evidence.judgement import EndpointResult, FloorResult
from evidence.pccp import ChangeControlPlan
from evidence.plan import Endpoint, NonInferiority, SubgroupFloor, Superiority, ValidationPlan
from evidence.record import ValidationReport
from evidence.report import report_bytes
from evidence.reuse import reuse_cost

SHORT = 12  # digits of a digest that are printed


def integrity(
    report: ValidationReport,
    report_sha256: Sha256,
    facts: CandidateFacts,
    *,
    plan: ValidationPlan,
    plan_sha256: Sha256,
) -> Iterator[GateCheck]:
    """Is this the report that was signed, of this candidate, under this plan, opened after the plan was registered?"""
    digest = sha256_of(report_bytes(report))
    yield _same("report_digest", digest, report_sha256, "the report's bytes")
    yield _same("report_model", report.provenance.weights_sha256, facts.weights_sha256, "the weights reported on")
    planned = report.planned
    found = planned.sha256 if planned is not None else "no plan"
    yield _same("plan_digest", found, plan_sha256, "the plan the report answers")
    matches = planned is not None and planned.plan == plan
    yield GateCheck(
        name="plan_content", kind="integrity", bound="the registered plan", met=matches,
        found="the same content" if matches else "other content",
        reason="the plan inside the report is compared field by field with the registered one",
    )  # fmt: skip
    yield _opened_under_plan(report, plan_sha256)


def amendment(earlier: Sequence[ValidationPlan], plan: ValidationPlan) -> GateCheck:
    """Does the plan ask at least what every plan asked under which this test set was opened before?"""
    said = list(dict.fromkeys(phrase for before in earlier for phrase in loosened(before, plan)))
    met = not said
    return GateCheck(
        name="plan_not_loosened", kind="integrity", met=met,
        bound="no looser than any plan this test set was opened under before it was registered",
        found=f"{len(earlier)} earlier plans" if met else "; ".join(said),
        reason="nothing was decided after a look" if met else "a looser plan needs a test set that was never opened",
    )  # fmt: skip


def endpoints(report: ValidationReport, plan: ValidationPlan, *, champion: ModelManifest | None) -> Iterator[GateCheck]:
    """Each primary endpoint of the plan; its met is worked out again from value and bound."""
    for endpoint in plan.primary:
        named = [result for result in report.endpoints if result.name == endpoint.name and result.role == "primary"]
        if len(named) != 1:
            yield GateCheck(
                name=endpoint.name, kind=endpoint.kind, bound=bound_text(endpoint), found=f"{len(named)} results",
                met=False, reason="the report must hold one result of each primary endpoint",
            )  # fmt: skip
            continue
        problem = _problem(endpoint, named[0], report, plan, champion=champion)
        yield GateCheck(
            name=endpoint.name, kind=endpoint.kind, bound=bound_text(endpoint), value=named[0].value,
            found=_value_text(named[0].value), met=not problem, reason=problem or named[0].reason,
        )  # fmt: skip


def floors(report: ValidationReport, plan: ValidationPlan) -> Iterator[GateCheck]:
    """Each stratum of each floor; an underpowered one is listed, and met because it decides nothing."""
    for floor in plan.subgroups:
        results = [result for result in report.floors if result.name == floor.name]
        if not results:
            yield GateCheck(
                name=floor.name, kind="subgroup_floor", bound=f"lower end ≥ {floor.at_least:.3f}", found="no result",
                met=False, reason="the report says nothing of this floor",
            )  # fmt: skip
        for result in results:
            yield _floor_check(floor, result)


def reuse(report: ValidationReport, plan: ValidationPlan) -> GateCheck:
    """May so many models have looked at this test set, and is what it cost this model what the ledger says?"""
    most, cost = plan.test_set_reuse.max_models, report.reuse
    bound, name = f"at most {most} distinct models", "test_set_reuse"
    if cost is None:
        return GateCheck(
            name=name, kind="reuse", bound=bound, found="not stated", met=False,
            reason="the report does not say how many models this test set has answered",
        )  # fmt: skip
    try:
        counted = reuse_cost(report.ledger, report.provenance.model_sha256, plan)
    except PlanNotRegistered as missing:
        return GateCheck(
            name=name, kind="reuse", bound=bound, found="not in the ledger", met=False, reason=missing.what
        )
    found = f"model {counted.models} on this test set, judged at alpha {counted.adjusted_alpha:.5f}"
    if counted != cost:
        reason = f"the report says model {cost.models} at alpha {cost.adjusted_alpha:.5f}, its ledger otherwise"
    elif counted.models > most:
        reason = "the test set has answered too many models: renew it"
    else:
        reason = f"without adjustment a worthless model would pass once with chance {cost.error_if_unadjusted:.3f}"
    return GateCheck(
        name=name, kind="reuse", bound=bound, found=found, met=counted == cost and counted.models <= most, reason=reason
    )


def change(kinds: tuple[ChangeKind, ...], pccp: ChangeControlPlan, *, champion: ModelManifest | None) -> GateCheck:
    """Is everything that differs from the champion covered by a single declared modification?"""
    bound, found = "covered by one modification of the change control plan", ", ".join(kinds) or "nothing changed"
    if champion is None or not kinds:
        reason = f"{NO_CHAMPION}, so nothing is modified" if champion is None else "nothing differs from the champion"
        return GateCheck(name="change_in_plan", kind="change", bound=bound, found=found, met=True, reason=reason)
    nearest = min(pccp.modifications, key=lambda declared: len(set(kinds) - set(declared.changes)))
    beyond = [kind for kind in kinds if kind not in nearest.changes]
    reason = (
        f"{', '.join(beyond)} is not covered by «{nearest.name}», the nearest modification declared"
        if beyond
        else f"covered by «{nearest.name}»"
    )
    return GateCheck(name="change_in_plan", kind="change", bound=bound, found=found, met=not beyond, reason=reason)


def data(report: ValidationReport, pccp: ChangeControlPlan, *, champion: ModelManifest | None) -> Iterator[GateCheck]:
    """The protocol's rules for data and re-training."""
    rules, retraining = pccp.modification_protocol.data, pccp.modification_protocol.retraining
    version = report.provenance.dataset_version
    training = version.counts.get("train", {})
    yield _data(
        "data_source", ", ".join(rules.allowed_sources), version.source, version.source in rules.allowed_sources
    )
    synthetic = "synthetic" if version.synthetic else "not synthetic"
    allowed = not version.synthetic or (rules.synthetic_allowed_for_demo and report.model.demo)
    may = "synthetic only for a demonstration" if rules.synthetic_allowed_for_demo else "not synthetic"
    yield _data("data_synthetic", may, f"{synthetic}{', demonstration' if report.model.demo else ''}", allowed)
    for unit, least in (("samples", rules.min_training_samples), ("patients", rules.min_training_patients)):
        count = training.get(unit, 0)
        yield _data(f"training_{unit}", f"at least {least}", str(count), count >= least)
    if rules.same_external_sources:
        before = {external.source for external in champion.external_dataset_versions} if champion else set()
        now = {external.dataset_version.source for external in report.external}
        asked = f"those of the champion: {', '.join(sorted(before)) or 'none'}" if champion else NO_CHAMPION
        yield _data("external_sources", asked, ", ".join(sorted(now)) or "none", before <= now)
    fits = any(fnmatchcase(report.model.variant, pattern) for pattern in retraining.allowed_variants)
    yield _data("variant", ", ".join(retraining.allowed_variants), report.model.variant, fits)


def comparisons(
    report: ValidationReport, pccp: ChangeControlPlan, *, champion: ModelManifest | None
) -> Iterator[GateCheck]:
    """The comparisons that the protocol asks for; that with the champion must be with the one in force."""
    for against in pccp.modification_protocol.evaluation.required_comparisons:
        made = report.champion if against == "champion" else report.comparison
        found = made.baseline_version if made is not None else "none"
        wanted = champion.model_version if against == "champion" and champion is not None else f"the {against}"
        met, reason = made is not None, f"the report must compare with the {against}"
        if against == "champion" and champion is None:
            met, reason = True, NO_CHAMPION
        elif against == "champion" and made is not None and champion is not None:
            met = made.baseline_version == champion.model_version
            reason = "the champion compared with must be the one in force"
        yield GateCheck(
            name=f"comparison_with_{against}", kind="comparison", bound=f"compared with {wanted}", found=found, met=met,
            reason=reason,
        )  # fmt: skip


def signatures(
    valid: Sequence[ElectronicSignature], pccp: ChangeControlPlan, *, report_sha256: Sha256, required: bool
) -> Iterator[GateCheck]:
    """Each signature that the plan asks for, by the role it allows, over exactly this report."""
    if not required:
        yield GateCheck(
            name="signatures", kind="signature", bound="none at this level", found=f"{len(valid)} given", met=True,
            reason="signatures are required from the clinical level on",
        )  # fmt: skip
        return
    for wanted in pccp.signatures:
        given = [signature for signature in valid if signature.meaning == wanted.meaning]
        fitting = [s for s in given if s.signer.role == wanted.role and s.sha256 == report_sha256]
        wrong = "; ".join(_why_not(signature, wanted.role, report_sha256) for signature in given)
        yield GateCheck(
            name=f"signature_{wanted.meaning}", kind="signature", met=bool(fitting),
            bound=f"{wanted.meaning} by {wanted.role} over report {report_sha256[:SHORT]}",
            found=", ".join(s.signer.printed_name for s in fitting) or "none",
            reason="signed" if fitting else wrong or f"nobody has signed with the meaning {wanted.meaning}",
        )  # fmt: skip


def _why_not(signature: ElectronicSignature, role: str, report_sha256: Sha256) -> str:
    who = signature.signer.printed_name
    if signature.signer.role != role:
        return f"{who} signed as {signature.signer.role}, who may not give {signature.meaning}"
    if signature.sha256 != report_sha256:
        return f"{who} signed other bytes, {signature.sha256[:SHORT]}"
    return f"{who} signed"


def _problem(
    endpoint: Endpoint,
    result: EndpointResult,
    report: ValidationReport,
    plan: ValidationPlan,
    *,
    champion: ModelManifest | None,
) -> str:
    """Why the result does not count as met; empty when it does."""
    if not result.met:
        return result.reason
    if not result.applicable:
        if champion is not None:
            return f"the report knew of no champion, but {champion.model_version} is in force"
        compared = isinstance(endpoint, NonInferiority | Superiority) and endpoint.against == "champion"
        return "" if compared else "only a comparison with the champion may be inapplicable"
    alpha = report.reuse.adjusted_alpha if report.reuse is not None else plan.alpha
    if result.alpha > alpha:
        return f"it was judged at alpha {result.alpha:.5f}, allowed is {alpha:.5f}"
    if result.value is None or result.value.level < 1.0 - 2.0 * alpha - 1e-9:
        return "it carries no value of the level that alpha asks for"
    if not holds(endpoint, result.value.interval):
        return "its own interval does not meet the bound"
    return ""


def _floor_check(floor: SubgroupFloor, result: FloorResult) -> GateCheck:
    met, reason = result.met is not False, result.reason
    if result.met is None:
        met, reason = result.n < floor.min_n, f"decides nothing: {result.reason}"
    elif result.met and (result.metric is None or result.metric.interval[0] < floor.at_least):
        met, reason = False, "its own interval does not reach the floor"
    return GateCheck(
        name=f"{floor.name}_{result.value}", kind="subgroup_floor", bound=f"lower end ≥ {floor.at_least:.3f}",
        value=result.metric, found=_value_text(result.metric, n=result.n), met=met, reason=reason,
    )  # fmt: skip


def _opened_under_plan(report: ValidationReport, plan_sha256: Sha256) -> GateCheck:
    opened = [
        line
        for line in report.ledger
        if line.purpose == "validation"
        and line.model_sha256 == report.provenance.model_sha256
        and line.dataset_sha256 == report.test.dataset_version.digest
    ]
    planned = report.planned
    met = planned is not None and any(
        line.plan_sha256 == plan_sha256 and line.opened_at >= planned.registered_at for line in opened
    )
    return GateCheck(
        name="opened_under_plan", kind="integrity", bound="test set opened for this model under the registered plan",
        found=f"{len(opened)} openings by this model", met=met,
        reason="the ledger names the plan and the time" if met else "no line of the ledger says so",
    )  # fmt: skip


def _same(name: str, found: str, wanted: str, what: str) -> GateCheck:
    met = found == wanted
    reason = f"{what} {'are' if what.endswith('s') else 'is'} {'' if met else 'not '}what was recorded"
    return GateCheck(
        name=name, kind="integrity", bound=wanted[:SHORT], found=found[:SHORT], met=met, reason=reason
    )  # fmt: skip


def _data(name: str, bound: str, found: str, met: bool) -> GateCheck:
    reason = f"the modification protocol {'allows' if met else 'does not allow'} it"
    return GateCheck(name=name, kind="data", bound=bound, found=found, met=met, reason=reason)


def _value_text(value: MetricValue | None, *, n: int | None = None) -> str:
    if value is None:
        return "no value" if n is None else f"no value, n = {n}"
    low, high = value.interval
    return f"{value.value:.3f} ({value.level:.2%} interval {low:.3f} to {high:.3f}), n = {value.n}"
