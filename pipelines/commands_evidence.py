"""Commands around evidence: signers and signatures, the report, the bundle, its verification, and reproduction."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from domain.electronic_signature import SignatureMeaning, SignerRole
from domain.errors import IntegrityViolation, InvalidField, NotFound

signer = typer.Typer(help="Who may sign, each with a key of their own.", no_args_is_help=True)
TaskName = Annotated[str, typer.Option(help="A file in models/tasks.")]
Variant = Annotated[str, typer.Option(help="A trained variant, as `fiducial validate` names it.")]
ModelVersion = Annotated[str, typer.Argument(metavar="VERSION", help="TASK@NUMBER, as `fiducial promote` prints it.")]
_TASK = "chest_xray_pneumonia"


@signer.command("add")
def add_signer(
    name: Annotated[str, typer.Argument(help="An account name in small letters.")],
    printed_name: Annotated[str, typer.Option(help="As it is printed beside a signature.")],
    role: Annotated[SignerRole, typer.Option(help="In which capacity this person signs.")],
) -> None:
    """Give a person a signing key; asks for a passphrase of at least twelve characters, twice."""
    from pipelines import signing
    from pipelines.wiring import offline

    passphrase = _passphrase("Choose a passphrase")
    if passphrase != _passphrase("Once more"):
        raise InvalidField("The two passphrases differ.", next_step="Try again; nothing was kept.")
    made = signing.add_signer(name, printed_name=printed_name, role=role, passphrase=passphrase, root=offline())
    typer.echo(f"{made.name} ({made.printed_name}) signs as {made.role}; public key {made.public_key}")


@signer.command("list")
def list_signers() -> None:
    """Everybody who may sign."""
    from pipelines.wiring import offline

    root = offline()
    with root.database.unit_of_work(root.tenant, read_only=True) as work:
        for one in work.signers.list():
            typer.echo(f"{one.name}\t{one.printed_name}\t{one.role}\t{one.public_key}")


def sign(
    name: Annotated[str, typer.Option("--as", help="Your account among the signers.")],
    meaning: Annotated[SignatureMeaning, typer.Option(help="What you say by signing.")],
    task: TaskName = _TASK,
    variant: Variant = "network-seed1",
) -> None:
    """Sign a variant's validation report: its very bytes, after you have given your passphrase again (21 CFR 11)."""
    from domain.identifiers import sha256_of
    from pipelines import signing
    from pipelines.wiring import offline

    data = signing.report_file(task, variant, root=offline())
    typer.echo(f"You sign report.json of {task}/{variant}, SHA-256 {sha256_of(data)}, as {meaning}.")
    given = signing.sign_report(
        task, variant, name=name, passphrase=_passphrase("Your passphrase"), meaning=meaning, root=offline()
    )
    typer.echo(
        f"signed by {given.signer.printed_name} ({given.signer.role}) at {given.signed_at:%Y-%m-%d %H:%M:%S} UTC"
    )


def report(
    task: TaskName = _TASK,
    variant: Variant = "",
    version: Annotated[int, typer.Option(help="A promoted version instead of a variant.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder for report.json, report.html and report.pdf.")] = Path("report"),
) -> None:
    """Write a report as JSON, HTML and PDF, with the signatures given so far; the same in gives the same bytes."""
    from domain.identifiers import sha256_of
    from pipelines import bundles, kept_evidence, signing
    from pipelines.wiring import offline

    if version and variant:
        raise InvalidField("--version and --variant name two reports.", next_step="Give one of them.")
    root = offline()
    if version:
        kept = kept_evidence.read_kept(task, version, root=root)
        data, gallery = kept[kept_evidence.REPORT], kept[kept_evidence.GALLERY]
    else:
        chosen = variant or "network-seed1"
        data = signing.report_file(task, chosen, root=root)
        gallery = (root.store("reports", task, chosen) / kept_evidence.GALLERY).read_bytes()
    files = {"report.json": data, **bundles.pages(data, gallery, bundles.signatures_of(data, root))}
    for name, content in files.items():
        bundles.write_whole(out / name, content)
        typer.echo(f"{out / name}: {len(content):,} bytes, SHA-256 {sha256_of(content)}")


def bundle(
    version: ModelVersion,
    out: Annotated[Path | None, typer.Option(help="The file; unset: TASK-NUMBER.zip here.")] = None,
) -> None:
    """Everything that proves a promoted version, in one attested file that can be verified without this platform."""
    from domain.identifiers import sha256_of
    from pipelines import bundles
    from pipelines.wiring import offline

    task, _, number = version.rpartition("@")
    if not task or not number.isdecimal():
        raise NotFound(f"{version} is not TASK@NUMBER.", next_step="`fiducial history` lists the versions.")
    data = bundles.bundle_of(task, int(number), root=offline())
    file = out or Path(f"{task}-{number}.zip")
    bundles.write_whole(file, data)
    typer.echo(f"{file}: {len(data):,} bytes, SHA-256 {sha256_of(data)}")


def verify(
    file: Annotated[Path, typer.Argument(help="An evidence bundle.")],
    key: Annotated[Path | None, typer.Option(help="The installation's public key (PEM), had from elsewhere.")] = None,
) -> None:
    """Check a bundle with nothing but itself and the public key: every file, digest, signature; ends 6 if any fails."""
    from evidence.bundle import verify as check

    for path in (file, *([key] if key else [])):
        if not path.is_file():
            raise NotFound(f"{path} is not a file.", next_step="Give the path of a bundle and of a key.")
    verdict = check(file.read_bytes(), public_key=key.read_bytes() if key else None)
    for one in verdict.checks:
        typer.echo(f"{one.status.replace('_', ' '):11} {one.file}: {one.reason}")
    if not verdict.ok:
        bad = dict.fromkeys(one.file for one in verdict.failed)
        raise IntegrityViolation(
            f"{file} does not verify: {', '.join(bad)}.", next_step="Ask for it again at its origin."
        )
    for given in verdict.signatures:
        who = f"{given.signer.printed_name} ({given.signer.role})"
        typer.echo(f"signed: {who}, {given.meaning}, {given.signed_at:%Y-%m-%d %H:%M:%S} UTC")
    typer.echo("Everything agrees." if key else "Everything agrees with itself; give --key to know who made it.")


def key(out: Annotated[Path | None, typer.Option(help="Write it to this file; unset: print it.")] = None) -> None:
    """The public key that verifies this installation's bundles; hand it out by another way than the bundles."""
    from infra.keys import platform_key
    from pipelines.bundles import write_whole
    from pipelines.wiring import offline

    pem = platform_key(offline().settings.secrets).public_pem
    if out is None:
        typer.echo(pem.decode(), nl=False)
    else:
        write_whole(out, pem)
        typer.echo(f"{out}: hand it to whoever verifies")


def reproduce(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="TASK@NUMBER, or the file of a bundle.")],
    remote: Annotated[Path | None, typer.Option(help="Folder of a DVC remote; unset: the working copy's own.")] = None,
) -> None:
    """Train a version again from its commit, with data only by `dvc pull`, and compare digests and figures."""
    from pipelines import reproducing
    from pipelines.wiring import offline

    root = offline()
    found = reproducing.reproduce(reproducing.evidence_of(version, root=root), remote=remote, root=root)
    for one in found:
        typer.echo(f"{'same    ' if one.same else 'DIFFERS '} {one.name}: {one.recorded}")
    reproducing.require_same(found, model_version=version)


def _passphrase(prompt: str) -> str:
    """From the terminal without showing it, else one line of standard input."""
    if sys.stdin.isatty():
        return str(typer.prompt(prompt, hide_input=True))
    return sys.stdin.readline().rstrip("\n")
