"""Past studies answered by another version: what would have changed is told, and nothing that was answered changes."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.audit import AuditAction
from domain.errors import DigestMismatch, InvalidField, ModelUnavailable, NotFound, UnknownModelVersion
from domain.identifiers import DEFAULT_TENANT, StudyId, sha256_of
from domain.prediction import Failed, Pending, RefusedPrediction
from domain.replay import ReplayPeriod
from domain.review import Review
from infra.objects import ObjectStore
from pipelines import replay_scoring, replaying
from pipelines.replay_text import text_of
from pipelines.replaying import Question, Replayed

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)  # when the installation's first study was answered
WHITES = (0.2, 0.3, 0.4, 0.6, 0.7, 0.8)


@pytest.fixture
def answered(installation: Any) -> Any:
    """Six studies of six patients, answered by version 1; version 2 is its sign-flipped twin."""
    installation.package(1, gain=1.0)
    installation.package(2, gain=-1.0)
    for white in WHITES:
        installation.answer(installation.receive(white))
    return installation


def replay(installation: Any, version: int, **changes: Any) -> Replayed:
    since = changes.pop("since", START)
    period = ReplayPeriod(since=since, until=changes.pop("until", START + timedelta(days=1)))
    question = Question(task="chest", version=version, period=period, **{"by": "Dr Bo", **changes})
    return replaying.replay(question, root=installation.root, now=START + timedelta(days=2), decoders=2)


def figure(found: Replayed, name: str) -> Any:
    return next(one for one in found.report.comparison.figures if one.name == name)


def cells(found: Replayed) -> dict[tuple[str, str], int]:
    return {(one.then, one.now): one.studies for one in found.report.comparison.cross_table if one.studies}


def states(installation: Any) -> list[str]:
    with installation.root.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        found = work.predictions.asked_for("chest", since=START, until=START + timedelta(days=9))
        return [one.model_dump_json() for one in found]


def test_the_same_version_would_have_changed_nothing(answered: Any) -> None:
    found = replay(answered, 1)
    assert cells(found) == {("absent", "absent"): 3, ("present", "present"): 3}
    assert (figure(found, "answer changed").value, figure(found, "Cohen's kappa").value) == (0.0, 1.0)
    assert found.report.comparison.largest_difference == pytest.approx(0.0, abs=1e-6)


def test_a_flipped_version_would_have_changed_every_answer(answered: Any) -> None:
    found = replay(answered, 2)
    assert cells(found) == {("absent", "present"): 3, ("present", "absent"): 3}
    changed = figure(found, "answer changed")
    assert (changed.value, changed.high, changed.n, changed.patients) == (1.0, 1.0, 6, 6)
    assert 0.5 < changed.low < 0.7  # Wilson's for 6 of 6
    assert figure(found, "Cohen's kappa").value == -1.0
    then, now = found.report.studies[0].then, found.report.studies[0].now
    assert then.probability is not None
    assert now.probability == pytest.approx(1 - then.probability, abs=1e-6)
    assert (then.model_version, now.model_version) == ("chest@1", "chest@2")


def test_nothing_is_written_to_the_studies_and_the_replay_is_audited_with_its_digest(answered: Any) -> None:
    before = states(answered)
    found = replay(answered, 2)
    assert states(answered) == before
    with answered.root.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        (event,) = work.audit.of(f"chest@2 replay {found.sha256}")
    assert (event.action, event.agent, event.outcome) == (AuditAction.STUDIES_REPLAYED, "Dr Bo", "success")


def test_without_a_review_the_report_says_that_nobody_can_tell_which_is_right(answered: Any) -> None:
    assert "which version is right, nobody can tell" in text_of(replay(answered, 2))


def test_the_same_question_gives_the_same_bytes_and_the_digest_is_theirs(answered: Any, tmp_path: Path) -> None:
    first, second = replay(answered, 2), replay(answered, 2)
    assert first.content == second.content
    place = replaying.write(first, tmp_path / "out", text=text_of(first))
    assert sha256_of(place.read_bytes()) == first.sha256
    assert first.sha256 in (tmp_path / "out" / "replay.txt").read_text()


def test_the_report_holds_no_pseudonym_and_no_uid(answered: Any) -> None:
    found = replay(answered, 2)
    for text in (found.content.decode(), text_of(found)):
        assert "pseudonym" not in text
        assert "1.2.3" not in text


def test_the_highest_film_of_a_study_decides_now_as_then(installation: Any) -> None:
    installation.package(2, gain=-1.0)
    installation.answer(installation.receive(0.2, 0.9))
    (study,) = replay(installation, 2).report.studies
    assert (study.then.outcome, study.now.outcome, study.change) == ("present", "present", None)


def test_a_study_outside_the_versions_intended_use_is_now_refused_with_reasons(
    answered: Any, use_of: Callable[..., Any]
) -> None:
    answered.package(3, gain=1.0, use=use_of(max_age_years=3))
    found = replay(answered, 3)
    assert cells(found) == {("absent", "refused"): 3, ("present", "refused"): 3}
    assert found.report.studies[0].now.reasons == ("age_years is above 3",)
    assert found.images == 0
    assert figure(found, "Cohen's kappa").kind == "not estimated"


def test_a_version_that_abstains_on_unlike_films_abstains_here_too_one_film_of_a_study_is_enough(answered: Any) -> None:
    answered.package(3, gain=1.0, limit=1.0)
    answered.answer(answered.receive(0.4, 0.9))
    found = replay(answered, 3)
    assert [one.study_id for one in found.report.studies if one.change == "now abstained"] == ["st_1", "st_6", "st_7"]
    assert "unlike those the model was developed on" in found.report.studies[0].now.reasons[0]
    assert found.report.studies[-1].now.reasons[0].startswith("instance 2: ")
    assert found.report.studies[0].now.probability is None
    (answered.folder / "bentos" / "3" / "src" / "model" / "uncertainty.npz").write_bytes(b"other")
    with pytest.raises(DigestMismatch, match=r"uncertainty\.npz"):
        replay(answered, 3)


def test_what_was_refused_then_may_be_answered_now_but_not_for_an_unknown_patient(
    answered: Any, use_of: Callable[..., Any]
) -> None:
    answered.package(3, gain=1.0, use=use_of(max_age_years=120))
    adult = answered.receive(0.8, age_years=60.0)
    answered.answer(adult, RefusedPrediction(reasons=("age_years is above 18",)))
    nobody = answered.receive(0.8)
    answered.answer(nobody, RefusedPrediction(reasons=("patient_id is not stated",)))
    *_, refused_for_age, refused_for_patient = replay(answered, 3).report.studies
    assert (refused_for_age.then.outcome, refused_for_age.change) == ("refused", "to positive")
    assert (refused_for_patient.now.outcome, refused_for_patient.change) == ("refused", None)


def test_lost_and_altered_films_are_told_and_stop_no_other(answered: Any) -> None:
    store: ObjectStore = answered.root.objects
    with answered.root.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        films = [one.instances[0].object_sha256 for one in reversed(work.studies.latest(9))]
    store.path(DEFAULT_TENANT, films[0]).unlink()
    store.path(DEFAULT_TENANT, films[1]).write_bytes(b"altered")
    store.path(DEFAULT_TENANT, films[2]).unlink()
    store.path(DEFAULT_TENANT, films[2]).mkdir()
    found = replay(answered, 2)
    assert [one.code for one in found.report.not_replayed] == ["integrity-violation", "digest-mismatch", "unreadable"]
    assert [one.study_id for one in found.report.not_replayed] == ["st_1", "st_2", "st_3"]
    assert found.report.comparison.studies == 3
    assert "NOT answered again: 3 studies" in text_of(found)
    assert "st_2 not answered again: Object" in text_of(found)


def test_a_study_is_replayed_once_by_its_last_answer_and_unanswered_ones_are_counted(answered: Any) -> None:
    again = answered.receive(0.9)
    answered.answer(again, Failed(code="model-unavailable", attempts=5))
    answered.answer(again)
    answered.answer(again, Pending())
    answered.answer(answered.receive(0.9), Failed(code="model-unavailable", attempts=5))
    found = replay(answered, 1)
    assert [one.study_id for one in found.report.studies].count(again.study_id) == 1
    assert found.report.without_answer == {"failed": 1}


def test_period_and_limit_choose_the_studies(answered: Any) -> None:
    late = START + timedelta(minutes=2)
    assert len(replay(answered, 1, since=late).report.studies) == 4
    assert [one.study_id for one in replay(answered, 1, until=late).report.studies] == ["st_1", "st_2"]
    assert [one.study_id for one in replay(answered, 1, limit=2).report.studies] == ["st_5", "st_6"]


def test_studies_of_a_patient_count_as_one_cluster(answered: Any) -> None:
    six_patients = figure(replay(answered, 2), "answer changed")
    for white in WHITES:
        answered.answer(answered.receive(white, patient="pseudonym-1"))
    changed = figure(replay(answered, 2), "answer changed")
    assert (changed.n, changed.patients) == (12, 6)
    assert changed.low == pytest.approx(six_patients.low)  # as sure as six patients are, not as twelve


@pytest.mark.parametrize("pages", [1, 2, 5])
def test_more_studies_than_a_page_are_all_read_once(answered: Any, pages: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying, "_PAGE", pages)
    monkeypatch.setattr(replay_scoring, "BATCH", 2)
    monkeypatch.setattr(replay_scoring, "_AHEAD", 3)
    found = replay(answered, 2)
    assert [one.study_id for one in found.report.studies] == [f"st_{number}" for number in range(1, 7)]
    assert found.images == 6


def test_an_altered_bento_never_answers(answered: Any) -> None:
    model = answered.folder / "bentos" / "2" / "src" / "model" / "model.onnx"
    whole = model.read_bytes()
    model.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(DigestMismatch):
        replay(answered, 2)
    other = (answered.folder / "bentos" / "1" / "src" / "model" / "manifest.json").read_text()
    (model.parent / "manifest.json").write_text(other)
    with pytest.raises(DigestMismatch, match="another manifest"):
        replay(answered, 2)
    (model.parent / "manifest.json").write_text("{")
    with pytest.raises(DigestMismatch, match="another manifest"):
        replay(answered, 2)
    model.unlink()
    with pytest.raises(ModelUnavailable, match="is not at"):
        replay(answered, 2)


def test_where_the_truth_is_on_record_then_and_now_are_held_against_it(answered: Any) -> None:
    truth = {f"st_{number}": white > 0.5 for number, white in enumerate(WHITES, start=1)}
    with answered.root.database.unit_of_work(DEFAULT_TENANT) as work:
        for study_id, present in truth.items():
            work.reviews.add(
                Review(
                    study_id=StudyId(study_id), task="chest", source="review", finding_present=present, by="Dr C",
                    at=START,
                )
            )  # fmt: skip
    found = replay(answered, 2)
    (against,) = found.report.comparison.against
    told = {one.name: one for one in against.figures}
    assert (told["agreement, then"].value, told["agreement, now"].value) == (1.0, 0.0)
    assert told["agreement, now less then"].high < 0
    assert against.tests["agreement"].p_value < 0.05
    assert "against the review: 6 studies, 3 with the finding" in text_of(found)


def test_a_question_without_sense_is_refused(answered: Any) -> None:
    with pytest.raises(InvalidField, match="--by"):
        replay(answered, 1, by="")
    with pytest.raises(InvalidField, match="--until"):
        replay(answered, 1, until=START)
    with pytest.raises(InvalidField, match="--limit"):
        replay(answered, 1, limit=0)
    with pytest.raises(UnknownModelVersion):
        replay(answered, 9)
    with pytest.raises(NotFound, match="No study of chest was answered"):
        replay(answered, 1, since=START + timedelta(hours=9))


def test_the_report_says_every_number_with_its_interval(answered: Any) -> None:
    found = replay(answered, 2)
    report = json.loads(found.content)
    for one in report["comparison"]["figures"]:
        assert one["kind"] == "not estimated" or one["low"] <= one["value"] <= one["high"]
        assert one["n"] == one["patients"] == len(WHITES)
    assert report["version"]["manifest_sha256"]
    assert report["question"]["period"] == {"since": "2026-03-01T12:00:00Z", "until": "2026-03-02T12:00:00Z"}
