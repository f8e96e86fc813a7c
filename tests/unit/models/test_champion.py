"""The champion is read only as its manifest names it, and is scored on the present test films."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from domain.errors import DataProblem, DigestMismatch
from domain.identifiers import sha256_of
from domain.model_version import ModelManifest
from domain.preprocessing import Preprocessing
from evidence.scored_set import ScoredSet
from models.champion import Champion, lay_out, read_champion, score_champion
from models.inference import Scorer
from models.loaders import Cohort
from models.scoring import Scored

ModelFolder = Callable[..., Path]
TASK = "tiny"


@pytest.fixture
def champion(model_folder: ModelFolder) -> Champion:
    folder = model_folder()
    manifest = ModelManifest.model_validate_json((folder / "manifest.json").read_bytes())
    return Champion(manifest, (folder / "model.onnx").read_bytes())


@pytest.fixture
def prepared(tmp_path: Path, striped_cohort: Cohort) -> Path:
    """The striped films as a prepared dataset version."""
    folder, rows, shard = tmp_path / "striped", [], b""
    for sample, film in zip(striped_cohort.samples, striped_cohort.grey, strict=True):
        encoded = io.BytesIO()
        Image.fromarray(film).save(encoded, "PNG")
        data = encoded.getvalue()
        place = {"sha256": sha256_of(data), "offset": len(shard), "length": len(data)}
        rows.append(sample.model_copy(update=place).model_dump(mode="json"))
        shard += data
    (folder / "shards").mkdir(parents=True)
    (folder / "shards" / "00000.tar").write_bytes(shard)
    pq.write_table(pa.Table.from_pylist(rows), folder / "samples.parquet")
    digest = sha256_of((folder / "samples.parquet").read_bytes())
    version = striped_cohort.dataset_version.model_copy(update={"digest": digest})
    (folder / "dataset.json").write_text(version.model_dump_json())
    return folder


def test_what_was_laid_out_is_read_again(champion: Champion, tmp_path: Path) -> None:
    lay_out(tmp_path / TASK, champion.manifest, champion.model)

    assert read_champion(tmp_path / TASK, task=TASK) == champion


def test_no_champion_is_said_in_words(tmp_path: Path) -> None:
    lay_out(tmp_path / TASK, None, None)

    assert read_champion(tmp_path / TASK, task=TASK) is None
    assert [path.name for path in (tmp_path / TASK).iterdir()] == ["none.json"]


def test_a_folder_that_says_nothing_is_not_taken_for_no_champion(tmp_path: Path) -> None:
    with pytest.raises(DataProblem):
        read_champion(tmp_path / TASK, task=TASK)


def test_a_folder_that_says_both_is_refused(champion: Champion, tmp_path: Path) -> None:
    lay_out(tmp_path / TASK, champion.manifest, champion.model)
    (tmp_path / TASK / "none.json").write_text("{}")

    with pytest.raises(DataProblem):
        read_champion(tmp_path / TASK, task=TASK)


def test_a_champion_whose_bytes_were_changed_is_not_read(champion: Champion, tmp_path: Path) -> None:
    lay_out(tmp_path / TASK, champion.manifest, champion.model)
    (tmp_path / TASK / "model.onnx").write_bytes(champion.model + b"\0")

    with pytest.raises(DigestMismatch):
        read_champion(tmp_path / TASK, task=TASK)


def test_another_tasks_champion_is_not_read(champion: Champion, tmp_path: Path) -> None:
    lay_out(tmp_path / TASK, champion.manifest, champion.model)

    with pytest.raises(DataProblem):
        read_champion(tmp_path / TASK, task="chest_xray_pneumonia")


def test_laying_out_replaces_what_was_there_and_leaves_nothing_beside(champion: Champion, tmp_path: Path) -> None:
    folder = tmp_path / "champion" / TASK
    lay_out(folder, None, None)
    (folder.parent / f".{TASK}.new").mkdir()  # a crash left it
    lay_out(folder, champion.manifest, champion.model)

    assert {path.name for path in folder.iterdir()} == {"manifest.json", "model.onnx"}
    assert [path.name for path in folder.parent.iterdir()] == [TASK]


@pytest.mark.parametrize(("manifest", "model"), [(True, None), (False, b"model"), (True, b"another model")])
def test_a_refused_champion_leaves_the_old_one(
    champion: Champion, tmp_path: Path, manifest: bool, model: bytes | None
) -> None:
    lay_out(tmp_path / TASK, champion.manifest, champion.model)

    with pytest.raises((DataProblem, DigestMismatch)):
        lay_out(tmp_path / TASK, champion.manifest if manifest else None, model)

    assert read_champion(tmp_path / TASK, task=TASK) == champion


def test_the_same_champion_gives_the_same_bytes(champion: Champion, tmp_path: Path) -> None:
    for name in ("a", "b"):
        lay_out(tmp_path / name, champion.manifest, champion.model)

    assert (tmp_path / "a" / "manifest.json").read_bytes() == (tmp_path / "b" / "manifest.json").read_bytes()


def test_the_champion_is_scored_on_the_present_films_by_its_own_preprocessing(
    champion: Champion, prepared: Path, striped_cohort: Cohort,
    scored_by: Callable[[Cohort, bytes], tuple[Scored, ScoredSet, Scorer]],
) -> None:  # fmt: skip
    _, new, _ = scored_by(striped_cohort, champion.model)
    own = Preprocessing(size_px=32, lower_percentile=10)
    wider = champion.manifest.model_copy(update={"preprocessing": own})

    as_is = score_champion(champion, prepared=prepared)
    other = score_champion(Champion(wider, champion.model), prepared=prepared)
    expected = Scorer(champion.model, preprocessing=own, engine="onnxruntime").score(list(striped_cohort.grey))

    assert as_is.model_version == "tiny@1"
    assert as_is.sample_ids == new.sample_ids
    assert other.probabilities == pytest.approx([score.probability for score in expected], abs=1e-6)
    assert np.abs(as_is.probabilities - other.probabilities).max() > 0.001
