"""A prediction's chain names every link, and altering a byte of any of them is found."""

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from domain.codes import PNEUMONIA
from domain.dataset import DatasetVersion
from domain.errors import DigestMismatch, NotEstimable, UnknownRun
from domain.identifiers import PredictionId, SOPInstanceUID, StudyId, sha256_of
from domain.intended_use import IntendedUse
from domain.model_version import ModelManifest, OperatingPoint
from domain.prediction import Abstained, Done, InstanceScore, Pending, Prediction, ScoredInstance
from domain.preprocessing import Preprocessing
from domain.traffic import Role
from evidence import lineage
from evidence.lineage import Link, LinkKind, Resolver

BYTES = {
    LinkKind.IMAGE: b"image",
    LinkKind.MODEL: b"onnx",
    LinkKind.WEIGHTS: b"weights",
    LinkKind.REPORT: b"report",
    LinkKind.DATASET_VERSION: b"samples",
    LinkKind.SHARD: b"shard",
}


@pytest.fixture
def commit(tmp_path: Path) -> tuple[str, bytes]:
    """The name and bytes of a real commit."""

    def git(*arguments: str) -> bytes:
        identity = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
        return subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True).stdout

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "first")
    return git("rev-parse", "HEAD").decode().strip(), git("cat-file", "commit", "HEAD")


@pytest.fixture
def manifest(commit: tuple[str, bytes]) -> ModelManifest:
    version = DatasetVersion(
        source="phantom_chest", distribution="generated", digest=sha256_of(b"samples"), synthetic=True,
        counts={}, excluded={}, shards={"00001.tar": sha256_of(b"shard"), "00000.tar": sha256_of(b"shard")},
    )  # fmt: skip
    return ModelManifest(
        task="chest_xray_pneumonia", title="Pneumonia", version=3, variant="network-seed1", demo=False,
        intended_use=IntendedUse(
            statement="s", modalities=frozenset({"DX", "CR"}), body_parts=frozenset({"CHEST"}),
            view_positions=frozenset({"AP"}),
        ),
        finding=PNEUMONIA, preprocessing=Preprocessing(size_px=64),
        operating_point=OperatingPoint(threshold=0.5, rule="r", chosen_on="tune"), engine="onnxruntime", explains=True,
        parameters=1, weights_sha256=sha256_of(b"weights"), model_sha256=sha256_of(b"onnx"),
        report_sha256=sha256_of(b"report"), dataset_version=version, run_id="f" * 32, git_commit=commit[0],
        git_dirty=False, seed=1, performance=(), criteria=(), reference_answers=(), approver="Dr. A. Name",
    )  # fmt: skip


@pytest.fixture
def prediction() -> Prediction:
    uid = SOPInstanceUID("2.25.1")
    score = InstanceScore(sop_instance_uid=uid, object_sha256=sha256_of(b"image"), probability=0.7)
    return Prediction(
        prediction_id=PredictionId("pr_1"), study_id=StudyId("st_1"), task="chest_xray_pneumonia",
        requested_at=datetime(2026, 1, 1, tzinfo=UTC),
        state=Done(
            probability=0.7, threshold=0.5, finding_present=True, model_version="chest_xray_pneumonia@3",
            role=Role.CHAMPION, policy_version=1, fell_back=False, demo=False, instances=(score,),
            explained_instance=uid, answered_at=datetime(2026, 1, 1, tzinfo=UTC),
        ),
    )  # fmt: skip


@pytest.fixture
def resolvers(manifest: ModelManifest, prediction: Prediction, commit: tuple[str, bytes]) -> dict[LinkKind, Resolver]:
    def stored(link: Link) -> bytes:
        return BYTES[link.kind]

    def run(link: Link) -> bytes:
        return " ".join(link.must_name).encode()

    return {
        **dict.fromkeys(BYTES, stored),
        LinkKind.PREDICTION: lambda _: lineage.prediction_bytes(prediction),
        LinkKind.MODEL_VERSION: lambda _: manifest.model_dump_json(indent=4).encode(),
        LinkKind.RUN: run,
        LinkKind.COMMIT: lambda _: commit[1],
    }


def test_the_chain_goes_from_the_prediction_to_the_commit(prediction: Prediction, manifest: ModelManifest) -> None:
    walk = lineage.trace(prediction, manifest)
    assert [link.kind for link in walk.links] == [
        LinkKind.PREDICTION, LinkKind.IMAGE, LinkKind.MODEL_VERSION, LinkKind.MODEL, LinkKind.WEIGHTS, LinkKind.REPORT,
        LinkKind.RUN, LinkKind.DATASET_VERSION, LinkKind.SHARD, LinkKind.SHARD, LinkKind.COMMIT,
    ]  # fmt: skip
    assert (walk.model_version, walk.approver) == ("chest_xray_pneumonia@3", "Dr. A. Name")
    assert [link.name for link in walk.links if link.kind is LinkKind.SHARD] == ["00000.tar", "00001.tar"]


def test_an_abstention_is_walked_back_like_an_answer(
    prediction: Prediction, manifest: ModelManifest, resolvers: dict[LinkKind, Resolver]
) -> None:
    answered = lineage.trace(prediction, manifest)
    film = ScoredInstance(sop_instance_uid=SOPInstanceUID("2.25.1"), object_sha256=sha256_of(b"image"))
    state = Abstained(
        reasons=("Unlike.",), model_version="chest_xray_pneumonia@3", role=Role.CHAMPION, policy_version=1,
        fell_back=False, answered_at=datetime(2026, 1, 1, tzinfo=UTC), instances=(film,),
    )  # fmt: skip
    abstained = prediction.model_copy(update={"state": state})
    walk = lineage.trace(abstained, manifest)
    assert walk.links[1:] == answered.links[1:]
    own = {**resolvers, LinkKind.PREDICTION: lambda _: lineage.prediction_bytes(abstained)}
    assert {found.status for found in lineage.verify(walk, own)} == {"verified"}


def test_unaltered_bytes_verify_at_every_link(
    prediction: Prediction, manifest: ModelManifest, resolvers: dict[LinkKind, Resolver]
) -> None:
    found = lineage.verify(lineage.trace(prediction, manifest), resolvers)
    assert {verified.status for verified in found} == {"verified"}
    assert all(verified.size_bytes > 0 for verified in found)


@pytest.mark.parametrize("kind", list(LinkKind))
def test_one_altered_byte_is_found_at_every_kind_of_link(
    kind: LinkKind, prediction: Prediction, manifest: ModelManifest, resolvers: dict[LinkKind, Resolver]
) -> None:
    walk = lineage.trace(prediction, manifest)
    honest = resolvers[kind]

    def altered(link: Link) -> bytes:
        content = honest(link)
        assert isinstance(content, bytes)
        return content.replace(b"3", b"4", 1) if kind is LinkKind.MODEL_VERSION else content[:-1] + b"#"

    found = lineage.verify(walk, {**resolvers, kind: altered})
    assert {verified.link.kind for verified in found if verified.status == "altered"} == {kind}
    assert all(verified.reason for verified in found if verified.status == "altered")


def test_large_content_may_come_in_chunks(
    prediction: Prediction, manifest: ModelManifest, resolvers: dict[LinkKind, Resolver]
) -> None:
    def chunks(_: Link) -> Iterator[bytes]:
        yield b"sha"
        yield b"rd"

    found = lineage.verify(lineage.trace(prediction, manifest), {**resolvers, LinkKind.SHARD: chunks})
    shards = [verified for verified in found if verified.link.kind is LinkKind.SHARD]
    assert [(verified.status, verified.size_bytes) for verified in shards] == [("verified", 5)] * 2


def test_what_is_gone_is_missing_and_what_its_door_rejects_is_altered(
    prediction: Prediction, manifest: ModelManifest, resolvers: dict[LinkKind, Resolver]
) -> None:
    def gone(_: Link) -> bytes:
        raise UnknownRun("No run of that name.")

    def no_file(link: Link) -> bytes:
        return Path("/nonexistent", link.name).read_bytes()

    def mismatch(_: Link) -> bytes:
        raise DigestMismatch("The object is not what was stored.")

    changed = {**resolvers, LinkKind.RUN: gone, LinkKind.MODEL: no_file, LinkKind.IMAGE: mismatch}
    del changed[LinkKind.REPORT]
    status = {v.link.kind: v.status for v in lineage.verify(lineage.trace(prediction, manifest), changed)}
    assert [status[kind] for kind in (LinkKind.RUN, LinkKind.MODEL, LinkKind.REPORT)] == ["missing"] * 3
    assert status[LinkKind.IMAGE] == "altered"
    assert status[LinkKind.WEIGHTS] == "verified"


def test_bytes_that_are_no_manifest_are_altered(
    prediction: Prediction, manifest: ModelManifest, resolvers: dict[LinkKind, Resolver]
) -> None:
    found = lineage.verify(
        lineage.trace(prediction, manifest), {**resolvers, LinkKind.MODEL_VERSION: lambda _: b"not json"}
    )
    assert [v.reason for v in found if v.link.kind is LinkKind.MODEL_VERSION] == ["not a manifest"]


def test_only_an_answer_of_that_model_version_can_be_traced(prediction: Prediction, manifest: ModelManifest) -> None:
    with pytest.raises(NotEstimable, match="answered"):
        lineage.trace(prediction.model_copy(update={"state": Pending()}), manifest)
    with pytest.raises(NotEstimable, match="@4"):
        lineage.trace(prediction, manifest.model_copy(update={"version": 4}))


def test_a_demo_classifiers_chain_ends_at_its_model_version(prediction: Prediction, manifest: ModelManifest) -> None:
    walk = lineage.trace(prediction, manifest.model_copy(update={"engine": "rule", "demo": True}))
    assert [link.kind for link in walk.links] == [LinkKind.PREDICTION, LinkKind.IMAGE, LinkKind.MODEL_VERSION]
    assert walk.demo
