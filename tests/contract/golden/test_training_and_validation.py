"""From the bytes a hospital sends to the model's input: the same bits where a model is trained and validated.

A model version is validated on inputs made one way; were a single bit made another way where it is trained or served,
the report would be about something else (RC: silent change of preprocessing).
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from domain.dataset import DatasetVersion, Sample, Split
from domain.identifiers import Sha256, sha256_of
from domain.prediction import ImageScore
from domain.preprocessing import Preprocessing
from imaging.limits import Limits
from imaging.radiograph import decode
from models import fitting, loaders, networks, preprocess, scoring
from models.checkpoints import MODEL_FILE, TrainedModel
from models.inference import Scorer
from models.loaders import Cohort
from models.task import AugmentationSpec, NetworkSpec, Preset, Task
from models.tasks import get_task

Golden = dict[str, str]
Films = dict[str, bytes]
Digest = Callable[[Any], Sha256]
FIRST = "png, 8 bit, 101 × 67"


@pytest.fixture(scope="module")
def prepared(received: Films, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All films in each split of a prepared set."""
    folder = tmp_path_factory.mktemp("prepared")
    (folder / "shards").mkdir()
    (folder / "shards" / "00000.tar").write_bytes(b"".join(received.values()))
    rows, offset = [], 0
    for number, (name, data) in enumerate(received.items()):
        for split in Split:
            sample = Sample(
                sample_id=f"{split}: {name}", patient_key=f"{split}{number}", split=split, label=number % 2,
                site="here", sha256=sha256_of(data), shard="00000.tar", offset=offset, length=len(data),
                rows=64, columns=64,
            )  # fmt: skip
            rows.append(sample.model_dump())
        offset += len(data)
    pq.write_table(pa.Table.from_pylist(rows), folder / "samples.parquet")
    version = DatasetVersion(
        source="golden", distribution="generated", digest=sha256_of((folder / "samples.parquet").read_bytes()),
        synthetic=True, counts={}, excluded={}, shards={},
    )  # fmt: skip
    (folder / "dataset.json").write_text(version.model_dump_json())
    return folder


def test_every_received_film_becomes_the_recorded_bits(
    received: Films, golden: Golden, spec: Preprocessing, digest: Digest
) -> None:
    found = {
        name: digest(preprocess.apply(decode(data, limits=Limits()).pixels, spec)) for name, data in received.items()
    }
    assert found == golden


def test_the_inverted_sense_is_the_same_film(received: Films, grey_pattern: Callable[..., np.ndarray]) -> None:
    bright_to_dark = decode(received["dicom, MONOCHROME1, 8 bit"], limits=Limits()).pixels
    assert np.array_equal(bright_to_dark, 255 - grey_pattern(91, 77, seed=5, largest=255))


def test_the_digest_changes_with_one_bit_of_the_input_and_with_one_grey_value_of_the_film(
    received: Films, golden: Golden, spec: Preprocessing, digest: Digest
) -> None:
    pixels = decode(received[FIRST], limits=Limits()).pixels.copy()
    model_input = preprocess.apply(pixels, spec)
    one_bit = model_input.copy()
    one_bit.view(np.uint32)[0, 31, 31] ^= 1
    assert np.abs(one_bit - model_input).max() < 1e-6
    assert digest(one_bit) != golden[FIRST]
    pixels[50, 33] ^= 4
    assert digest(preprocess.apply(pixels, spec)) != golden[FIRST]


@pytest.mark.parametrize("split", list(Split))
def test_a_prepared_set_is_read_to_the_same_bits(
    split: Split, prepared: Path, golden: Golden, spec: Preprocessing, digest: Digest
) -> None:
    cohort = loaders.load(prepared, split, preprocessing=spec)
    inputs = preprocess.normalise(cohort.grey[:, np.newaxis], spec)
    assert [digest(one) for one in inputs] == list(golden.values())


def test_validation_scores_the_same_bits(
    prepared: Path, seeing: bytes, tmp_path: Path, golden: Golden, spec: Preprocessing, digest: Digest
) -> None:
    (tmp_path / "network-seed1").mkdir()
    (tmp_path / "network-seed1" / MODEL_FILE).write_bytes(seeing)
    trained = TrainedModel.model_construct(variant="network-seed1", preprocessing=spec)
    scored = scoring.score_cohorts([trained], checkpoints=tmp_path, prepared=prepared, external=[prepared])
    tuned, tested, external = scored["network-seed1"]
    for part in (tuned, tested):
        assert [digest(score.embedding) for _, score in rows(part)] == list(golden.values())
    for sample, score in rows(external):
        assert digest(score.embedding) == golden[sample.sample_id.partition(": ")[2]]


def rows(part: scoring.Scored) -> Iterator[tuple[Sample, ImageScore]]:
    return zip(part.cohort.samples, part.scores, strict=True)


class OneConvolution(NetworkSpec):
    """The smallest network there is."""

    def build(self) -> torch.nn.Module:
        return torch.nn.ModuleDict({"features": torch.nn.Conv2d(1, 2, 3), "head": torch.nn.Linear(2, 1)})


class Unvaried(AugmentationSpec):
    """Training without variation, so that what remains is pre-processing."""

    def build(self) -> Callable[[torch.Tensor, torch.Generator], torch.Tensor]:
        return lambda grey, random: grey


@pytest.fixture
def seen_in_training(
    prepared: Path, spec: Preprocessing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Cohort, list[np.ndarray], list[np.ndarray]]:
    """The cohort, and what the network is shown while it learns and while it is tuned."""
    learned: list[np.ndarray] = []
    tuned: list[np.ndarray] = []
    forward = networks.forward

    def watched(network: torch.nn.Module, inputs: torch.Tensor) -> Any:
        (learned if network.training else tuned).extend(inputs.detach().contiguous().numpy())
        return forward(network, inputs)

    monkeypatch.setattr(networks, "forward", watched)
    task: Task = get_task("chest_xray_pneumonia").model_copy(update={"augmentation": Unvaried()})
    preset = Preset(
        preprocessing=spec, network=OneConvolution(), epochs=1, samples_per_epoch=8, batch_size=8, patience=1,
        learning_rate=1e-3,
    )  # fmt: skip
    train, tune = (loaders.load(prepared, split, preprocessing=spec) for split in (Split.TRAIN, Split.TUNE))
    fitting.fit(task, preset, seed=1, train=train, tune=tune, progress=tmp_path / "progress.pt", report=lambda _: None)
    return train, learned, tuned


def test_training_is_tuned_on_the_same_bits(seen_in_training: Any, golden: Golden, digest: Digest) -> None:
    _, _, tuned = seen_in_training
    assert [digest(one) for one in tuned] == list(golden.values())


def test_training_learns_from_the_same_grey_bits_before_it_varies_them(
    seen_in_training: Any, golden: Golden, spec: Preprocessing, digest: Digest
) -> None:
    train, learned, _ = seen_in_training
    exact = preprocess.normalise(train.grey[:, np.newaxis], spec)
    assert [digest(one) for one in exact] == list(golden.values())
    # A varied copy is no 8-bit image any more, so it is normalised by arithmetic and not by the table: within half a
    # unit of the last place of a grey value, a hundred thousandth of the noise that variation adds.
    assert len(learned) == len(golden)
    for shown in learned:
        assert min(float(np.abs(one - shown).max()) for one in exact) <= 2.0**-24 / spec.standard_deviation


def test_what_serves_and_replays_prepares_the_same_bits(
    received: Films, seeing: bytes, golden: Golden, spec: Preprocessing, digest: Digest
) -> None:
    scorer = Scorer(seeing, preprocessing=spec, engine="onnxruntime")
    pixels = [decode(data, limits=Limits()).pixels for data in received.values()]
    assert [digest(scorer.prepare(one)) for one in pixels] == list(golden.values())
    assert [digest(score.embedding) for score in scorer.score(pixels)] == list(golden.values())
