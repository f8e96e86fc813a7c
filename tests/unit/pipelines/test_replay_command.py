"""``fiducial replay``: a report with its digest, a sentence for every wrong question, nothing after an interrupt."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain import study_rule
from domain.identifiers import DEFAULT_TENANT, sha256_of
from imaging.limits import Limits
from pipelines.replay_scoring import Asked, Rescoring, load_version

PROJECT = Path(__file__).resolve().parents[3]
Fiducial = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def fiducial(installation: Any) -> Fiducial:
    """The command on a home with four answered studies; version 2 is the sign-flipped twin of version 1."""
    installation.package(1, gain=1.0)
    installation.package(2, gain=-1.0)
    for white in (0.2, 0.3, 0.7, 0.8):
        installation.answer(installation.receive(white))

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pipelines.cli", "replay", *arguments]
        environment = {**os.environ, "FIDUCIAL_HOME": str(installation.root.home), "COLUMNS": "160"}
        return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=120)

    return run


def asked(**changes: str) -> list[str]:
    told = {"task": "chest", "version": "2", "since": "2026-03-01", "by": "Dr Bo", **changes}
    return [word for name, value in told.items() for word in (f"--{name}", value)]


def test_the_report_is_printed_and_written_with_its_digest(fiducial: Fiducial, tmp_path: Path) -> None:
    done = fiducial(*asked(out=str(tmp_path / "out"), until="2026-03-01"))
    assert done.returncode == 0, done.stderr
    content = (tmp_path / "out" / "replay.json").read_bytes()
    assert f"SHA-256 of replay.json: {sha256_of(content)}" in done.stdout
    assert (tmp_path / "out" / "replay.txt").read_text() in done.stdout
    assert re.search(r"4 images in \d+\.\d s, \d+ a second", done.stdout)
    report = json.loads(content)
    assert report["question"]["period"] == {"since": "2026-03-01T00:00:00Z", "until": "2026-03-02T00:00:00Z"}
    assert {one["change"] for one in report["studies"]} == {"to positive", "to negative"}
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == ["replay.json", "replay.txt"]


def test_without_a_folder_the_report_lies_in_the_home(fiducial: Fiducial, installation: Any) -> None:
    done = fiducial(*asked())
    (folder,) = (installation.root.home / "replays").iterdir()
    assert f"report: {folder / 'replay.json'}" in done.stdout


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"version": "9"}, 3, "No model version chest@9."),
        ({"task": "hand"}, 3, "No model version hand@2."),
        ({"since": "yesterday"}, 2, "'yesterday' is no moment."),
        ({"until": "2026-02-01"}, 2, "--until does not lie after --since."),
        ({"since": "2026-03-05"}, 3, "No study of chest was answered"),
        ({"limit": "0"}, 2, "--limit must be at least 1."),
        ({"by": " "}, 2, "--by must have 1 to 200 characters."),
    ],
)
def test_each_wrong_question_is_told_in_a_sentence(
    changes: dict[str, str], code: int, said: str, fiducial: Fiducial, installation: Any
) -> None:
    ended = fiducial(*asked(**changes))
    assert (ended.returncode, said in ended.stderr) == (code, True), ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (installation.root.home / "replays").exists()


def test_an_interrupt_ends_the_scoring_at_once_and_is_not_taken_for_a_lost_film(
    fiducial: Fiducial, installation: Any
) -> None:
    root, read = installation.root, []
    with root.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        manifest, bento = work.model_versions.get("chest", 2)
        since = datetime(2026, 3, 1, tzinfo=UTC)
        predictions = work.predictions.asked_for("chest", since=since, until=since + timedelta(days=9)) * 100
        studies = [work.studies.get(one.study_id) for one in predictions]
    asked_again = [
        Asked(one, study, study_rule.refusals(study, manifest.intended_use, patient_stated=True))
        for one, study in zip(predictions, studies, strict=True)
    ]

    def interrupted(sha256: Any) -> bytes:
        read.append(sha256)
        if len(read) == 60:
            raise KeyboardInterrupt
        content: bytes = root.objects.get(DEFAULT_TENANT, sha256)
        return content

    rescoring = Rescoring(load_version(manifest, Path(bento), threads=1), interrupted, Limits(), threads=2)
    with pytest.raises(KeyboardInterrupt):
        list(rescoring.answers(asked_again))
    assert len(read) < 60 + 60  # of 400: what was queued was given up
