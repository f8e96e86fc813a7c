"""Whether the documents of a bundle speak of the same model, data, plan and report."""

from collections.abc import Iterator, Mapping

from domain.electronic_signature import ElectronicSignature
from domain.errors import SignatureInvalid
from domain.identifiers import sha256_of
from evidence.attestation import Statement
from evidence.bundle_documents import Documents, OpeningView, ReportView
from evidence.signatures import check as check_signature
from evidence.signatures import read_signatures
from evidence.verdict import BundleCheck, failed, not_checked, same, verified


def check_agreement(files: Mapping[str, bytes], documents: Documents) -> Iterator[BundleCheck]:
    """Every digest that one document states of another, and the facts that several state."""
    yield from _model(files, documents)
    yield from _decision(files, documents)
    yield from _data(documents)
    yield from _plan(files, documents)
    yield _run(files, documents)
    yield _sbom(files, documents.report)
    shown = sha256_of(files["report.json"]).encode() in files["report.html"]
    yield (verified if shown else failed)(
        "report.html", f"{'names' if shown else 'does not name'} the SHA-256 of report.json"
    )


def check_signatures(files: Mapping[str, bytes]) -> tuple[tuple[ElectronicSignature, ...], tuple[BundleCheck, ...]]:
    """The signatures of persons over report.json that verify, and a check for each that is there."""
    try:
        signatures = read_signatures(files["signatures.json"])
    except SignatureInvalid as error:
        return (), (failed("signatures.json", error.what),)
    if not signatures:
        return (), (not_checked("signatures.json", "nobody has signed"),)
    digest, good, checks = sha256_of(files["report.json"]), [], []
    for signature in signatures:
        signer = f"{signature.meaning} by {signature.signer.printed_name} ({signature.signer.role})"
        try:
            check_signature(signature, digest)
        except SignatureInvalid as error:
            checks.append(failed("signatures.json", error.what))
            continue
        good.append(signature)
        checks.append(verified("signatures.json", f"{signer} at {signature.signed_at:%Y-%m-%d %H:%M:%S %Z}"))
    return tuple(good), tuple(checks)


def check_statement(statement: Statement, documents: Documents) -> Iterator[BundleCheck]:
    """What the platform attested of the build against what the manifest says of it."""
    build, run = statement.predicate.build_definition, statement.predicate.run_details
    manifest, parameters = documents.manifest, build.external_parameters
    used = {digest for resource in build.resolved_dependencies for digest in resource.digest.values()}
    left = {digest for resource in run.byproducts for digest in resource.digest.values()}
    facts = {
        "task": (parameters.task, manifest.task),
        "variant": (parameters.variant, manifest.variant),
        "seed": (parameters.seed, manifest.seed),
        "run": (run.metadata.invocation_id, manifest.run_id),
        "commit and dataset": ({manifest.git_commit, manifest.dataset_version.digest} <= used, True),
        "weights and model": ({manifest.weights_sha256, manifest.model_sha256} <= left, True),
    }
    for what, (found, expected) in facts.items():
        yield same("attestation.dsse.json", f"the {what}", found=found, of="manifest.json", expected=expected)


def _model(files: Mapping[str, bytes], documents: Documents) -> Iterator[BundleCheck]:
    manifest, report = documents.manifest, documents.report
    digest = sha256_of(files["report.json"])
    yield same("manifest.json", "report_sha256", found=manifest.report_sha256, of="report.json", expected=digest)
    for field in ("task", "variant"):
        yield _alike("manifest.json", field, manifest, "report.json", report.model)
    for field in ("weights_sha256", "model_sha256", "run_id", "git_commit", "seed"):
        yield _alike("manifest.json", field, manifest, "report.json", report.provenance)


def _decision(files: Mapping[str, bytes], documents: Documents) -> Iterator[BundleCheck]:
    for field, name in (
        ("report_sha256", "report.json"), ("plan_sha256", "plan.yaml"), ("pccp_sha256", "pccp.yaml")
    ):  # fmt: skip
        stated = getattr(documents.decision, field)
        yield same("decision.json", field, found=stated, of=name, expected=sha256_of(files[name]))
    for field in ("task", "model_version", "variant"):
        yield _alike("decision.json", field, documents.decision, "manifest.json", documents.manifest)


def _data(documents: Documents) -> Iterator[BundleCheck]:
    digest = documents.dataset.digest
    stated = {
        "report.json": {
            "the dataset it was tested on": documents.report.test.dataset_version,
            "the dataset it was trained on": documents.report.provenance.dataset_version,
        },
        "manifest.json": {"the dataset": documents.manifest.dataset_version},
    }
    for file, versions in stated.items():
        for what, version in versions.items():
            yield same(file, what, found=version.digest, of="dataset.json", expected=digest)


def _plan(files: Mapping[str, bytes], documents: Documents) -> Iterator[BundleCheck]:
    plan, planned = sha256_of(files["plan.yaml"]), documents.report.planned
    if planned is None:
        yield failed("report.json", "names no registered plan")
        return
    yield same("report.json", "planned.sha256", found=planned.sha256, of="plan.yaml", expected=plan)
    numbers = [opening.number for opening in documents.ledger]
    if numbers != sorted(set(numbers)) or not set(documents.report.ledger) <= set(documents.ledger):
        yield failed("ledger.json", "its lines are out of order, or lack one that report.json prints")
    ours = [opening for opening in documents.ledger if _is_ours(opening, documents)]
    under_plan = [opening for opening in ours if opening.plan_sha256 == plan]
    if not under_plan:
        yield failed("ledger.json", "has no opening of the test set by this model under plan.yaml")
    elif any(opening.opened_at < planned.registered_at for opening in under_plan):
        yield failed("ledger.json", "the test set was opened before the plan was registered")
    else:
        others = len(documents.ledger) - len(under_plan)
        yield verified("ledger.json", f"{len(under_plan)} opening(s) by this model under plan.yaml, {others} other(s)")


def _is_ours(opening: OpeningView, documents: Documents) -> bool:
    ours = (documents.manifest.task, documents.manifest.model_sha256, documents.dataset.digest)
    return (opening.task, opening.model_sha256, opening.dataset_sha256) == ours


def _run(files: Mapping[str, bytes], documents: Documents) -> BundleCheck:
    manifest = documents.manifest
    names = (manifest.run_id, manifest.weights_sha256, manifest.dataset_version.digest, manifest.git_commit)
    absent = sum(name.encode() not in files["run.json"] for name in names)
    if absent:
        return failed("run.json", f"does not name {absent} of run, weights, dataset and commit of manifest.json")
    return verified("run.json", "names run, weights, dataset and commit of manifest.json")


def _sbom(files: Mapping[str, bytes], report: ReportView) -> BundleCheck:
    if report.environment is None:
        return not_checked("sbom.cdx.json", "report.json does not name its SBOM")
    digest = sha256_of(files["sbom.cdx.json"])
    stated = report.environment.sbom_sha256
    return same("report.json", "environment.sbom_sha256", found=stated, of="sbom.cdx.json", expected=digest)


def _alike(file: str, field: str, mine: object, other: str, theirs: object) -> BundleCheck:
    return same(file, field, found=getattr(mine, field), of=other, expected=getattr(theirs, field))
