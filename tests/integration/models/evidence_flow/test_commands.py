"""The commands around plans and evidence: what they print, and how they end when something is wrong."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evidence import bundle
from infra.keys import platform_key
from models.plans import PLANS, plan_file
from pipelines.wiring import PROJECT

pytestmark = pytest.mark.slow
TASK = "chest_xray_pneumonia"
BAD_INPUT, NOT_FOUND, REFUSED, ALTERED = 2, 3, 4, 6  # exit codes
Fiducial = Callable[..., "subprocess.CompletedProcess[str]"]
WIDTH = 80


@pytest.fixture
def fiducial() -> Fiducial:
    """The command on a terminal of 80 columns, from a project that is this one unless another is given."""

    def run(installation: Any, *arguments: str, project: Path = PROJECT, said: str = "") -> Any:
        settings = {
            "FIDUCIAL_HOME": str(installation.root.home), "COLUMNS": str(WIDTH),
            "FIDUCIAL_MLFLOW_URI": installation.trainings.tracking.uri,
        }  # fmt: skip
        command = [sys.executable, "-m", "pipelines.cli", *arguments]
        return subprocess.run(
            command, cwd=project, env=os.environ | settings, capture_output=True, text=True, timeout=120, input=said
        )

    return run


def test_a_plan_is_shown_with_whether_its_bytes_are_registered(installation: Any, fiducial: Fiducial) -> None:
    shown = fiducial(installation, "plan", "show")
    assert (shown.returncode, "not registered: `fiducial plan register`" in shown.stdout) == (0, True), shown.stderr
    registered = fiducial(installation, "plan", "register", "--by", "Dr. Planner")
    assert "registered by Dr. Planner at" in registered.stdout, registered.stderr
    shown = fiducial(installation, "plan", "show")
    primary, floor = "primary: auroc_not_inferior_to_champion", "floor: auroc_floor_by_sex"
    for told in ("registered by Dr. Planner at", primary, floor, "α = 0.025"):
        assert told in shown.stdout


def test_an_unknown_key_in_a_plan_is_named_with_its_place_and_nothing_is_registered(
    installation: Any, fiducial: Fiducial
) -> None:
    copy = installation.root.copy  # a project like any other
    file = plan_file(TASK, folder=copy / PLANS)
    text = file.read_text()
    file.write_text(text.replace("test_set_reuse: {adjustment", "test_set_reuse: {colour: blue, adjustment"))
    for command in ("show", "register"):
        ended = fiducial(installation, "plan", command, project=copy)
        assert ended.returncode == BAD_INPUT
        assert ended.stderr.startswith("fiducial: ")
        assert "test_set_reuse.colour" in ended.stderr, ended.stderr
    with installation.root.database.unit_of_work(installation.root.tenant, read_only=True) as work:
        assert work.plans.list(TASK) == ()


def test_promoting_what_was_not_validated_ends_with_the_next_step(installation: Any, fiducial: Fiducial) -> None:
    ended = fiducial(installation, "promote")
    assert (ended.returncode, "Run `fiducial validate`." in ended.stderr) == (NOT_FOUND, True), ended.stderr
    assert installation.ledger() == ()


def test_the_ledger_fits_a_terminal_of_80_columns(validated: Any, fiducial: Fiducial) -> None:
    shown = fiducial(validated, "ledger")
    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert max(map(len, lines)) <= WIDTH
    opened = validated.ledger()
    assert f"Test set {opened[0].dataset_version} of {TASK}" in shown.stdout
    assert "2 openings, 2 different models" in shown.stdout
    for line in opened:
        row = next(row for row in lines[2:] if row.split()[:1] == [str(line.number)])
        for told in (
            f"{line.opened_at:%Y-%m-%d %H:%M:%S}", line.model_version.rpartition("/")[2], line.model_sha256[:8],
            line.plan_sha256[:8], "Engineer",
        ):  # fmt: skip
            assert told in row


def test_a_ledger_without_a_line_says_so(installation: Any, fiducial: Fiducial) -> None:
    assert f"No test set was opened for {TASK}." in fiducial(installation, "ledger").stdout


@pytest.fixture
def sealed(promoted: Any, first_bundle: bytes, tmp_path: Path) -> tuple[Path, Path]:
    """A bundle's file, and the key of its installation."""
    file, key = tmp_path / "bundle.zip", tmp_path / "key.pem"
    file.write_bytes(first_bundle)
    key.write_bytes(platform_key(promoted.root.settings.secrets).public_pem)
    return file, key


def test_a_bundle_is_verified_with_nothing_but_itself_and_a_key(
    promoted: Any, fiducial: Fiducial, sealed: tuple[Path, Path]
) -> None:
    file, key = sealed
    ended = fiducial(promoted, "verify", str(file), "--key", str(key))
    assert (ended.returncode, "Everything agrees.\n" in ended.stdout) == (0, True), ended.stderr
    ended = fiducial(promoted, "verify", str(file))
    assert (ended.returncode, "give --key to know who made it" in ended.stdout) == (0, True), ended.stderr

    files = dict(bundle.unpack(file.read_bytes()))
    file.write_bytes(bundle.pack({**files, "ledger.json": files["ledger.json"] + b" "}))
    ended = fiducial(promoted, "verify", str(file), "--key", str(key))
    assert ended.returncode == ALTERED
    assert ended.stderr.startswith(f"fiducial: {file} does not verify: ledger.json.")

    for missing in ((str(file.with_name("absent.zip")),), (str(file), "--key", str(key.with_name("absent.pem")))):
        ended = fiducial(promoted, "verify", *missing)
        assert (ended.returncode, "is not a file." in ended.stderr) == (NOT_FOUND, True), ended.stderr


def test_a_person_signs_on_the_terminal_and_is_refused_with_a_wrong_passphrase(
    validated: Any, fiducial: Fiducial
) -> None:
    passphrase = "correct horse battery\n"
    added = ("signer", "add", "quinn", "--printed-name", "Dr. Quinn Example", "--role", "quality")
    assert fiducial(validated, *added, said=passphrase * 2).returncode == 0
    approval = ("sign", "--as", "quinn", "--meaning", "approval")
    wrong = fiducial(validated, *approval, said="something else entirely\n")
    assert wrong.returncode == REFUSED
    assert "quinn" not in wrong.stderr
    signed = fiducial(validated, *approval, said=passphrase)
    assert (signed.returncode, "signed by Dr. Quinn Example (quality)" in signed.stdout) == (0, True), signed.stderr
    assert [given.signer.name for given in validated.signatures()] == ["quinn"]
