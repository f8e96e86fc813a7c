"""What learning promises: it stops when it no longer gains, weighs the classes alike, and varies films repeatably."""

from pathlib import Path

import numpy as np
import pytest
import torch

from domain.dataset import DatasetVersion
from domain.identifiers import Sha256
from domain.preprocessing import Preprocessing
from models import fitting
from models.checkpoints import EpochRecord
from models.fitting import Learner
from models.loaders import Cohort
from models.losses import BalancedCrossEntropy
from models.task import NetworkSpec, Preset, Task
from models.tasks import get_task
from models.transforms import RadiographAugmentation


class OneConvolution(NetworkSpec):
    """The smallest network there is."""

    def build(self) -> torch.nn.Module:
        return torch.nn.ModuleDict({"features": torch.nn.Conv2d(1, 2, 3), "head": torch.nn.Linear(2, 1)})


def preset(**changes: int) -> Preset:
    numbers = {"epochs": 9, "samples_per_epoch": 16, "batch_size": 8, "patience": 3, **changes}
    return Preset(preprocessing=Preprocessing(size_px=16), network=OneConvolution(), learning_rate=1e-2, **numbers)


@pytest.fixture
def task() -> Task:
    return get_task("chest_xray_pneumonia")


def films(n: int, *, seed: int) -> Cohort:
    """Films of chance, a quarter of them with the finding."""
    random = np.random.default_rng(seed)
    version = DatasetVersion(
        source="chance", distribution="none", digest=Sha256("0" * 64), synthetic=True, counts={}, excluded={}, shards={}
    )
    grey = random.integers(0, 256, (n, 16, 16), dtype=np.uint8)
    return Cohort(version, (), grey, (np.arange(n) % 4 == 0).astype(np.int64))


def weights(learner: Learner) -> torch.Tensor:
    return torch.cat([value.flatten() for value in learner.average.module.state_dict().values()]).clone()


def test_learning_stops_when_the_tuning_auroc_has_not_risen_for_as_long_as_patience_lasts(task: Task) -> None:
    learner = Learner(task, preset(patience=3), seed=1, train=films(32, seed=1))
    for auroc in (0.6, 0.8, 0.7, 0.8):
        learner.remember(loss=1.0, tuning_auroc=auroc, seconds=0.0)
        assert not learner.is_done()

    learner.remember(loss=0.1, tuning_auroc=0.79, seconds=0.0)

    assert learner.is_done()
    assert learner.best_epoch == 2


def test_a_late_gain_keeps_learning_alive_until_the_epochs_are_used_up(task: Task) -> None:
    learner = Learner(task, preset(epochs=5, patience=2), seed=1, train=films(32, seed=1))
    for auroc in (0.6, 0.5, 0.7, 0.6):
        learner.remember(loss=1.0, tuning_auroc=auroc, seconds=0.0)
        assert not learner.is_done()

    learner.remember(loss=1.0, tuning_auroc=0.8, seconds=0.0)

    assert learner.is_done()
    assert learner.best_epoch == 5


def test_the_weights_of_the_best_epoch_are_taken_not_the_last(task: Task) -> None:
    learner = Learner(task, preset(), seed=1, train=films(32, seed=1))
    seen = []
    for auroc in (0.6, 0.9, 0.8):
        learner.one_epoch()
        learner.remember(loss=1.0, tuning_auroc=auroc, seconds=0.0)
        seen.append(weights(learner))

    learner.take_best()

    assert torch.equal(weights(learner), seen[1])
    assert not torch.equal(weights(learner), seen[2])


def test_a_training_on_chance_ends_early_and_answers_with_its_best_epoch(task: Task, tmp_path: Path) -> None:
    told: list[EpochRecord] = []
    learner = fitting.fit(
        task, preset(epochs=40, patience=2), seed=1, train=films(32, seed=1), tune=films(24, seed=2),
        progress=tmp_path / "progress.pt", report=told.append,
    )  # fmt: skip

    assert len(told) < 40
    assert len(told) - learner.best_epoch == 2
    assert torch.equal(weights(learner), torch.cat([value.flatten() for value in learner.best.values()]))


@pytest.mark.parametrize(("negatives", "positives"), [(90, 10), (10, 90), (50, 50)])
def test_both_classes_weigh_the_same_however_rare_one_is(negatives: int, positives: int) -> None:
    labels = torch.cat([torch.zeros(negatives), torch.ones(positives)])
    logits = torch.zeros(negatives + positives, requires_grad=True)

    loss = BalancedCrossEntropy().build(negatives=negatives, positives=positives)(logits, labels)
    (pull,) = torch.autograd.grad(loss, logits)

    assert float(loss.detach()) == pytest.approx(np.log(2), abs=1e-6)
    assert float(pull[labels == 0].sum()) == pytest.approx(0.25, abs=1e-6)
    assert float(pull[labels == 1].sum()) == pytest.approx(-0.25, abs=1e-6)


def test_the_learner_takes_the_weights_of_the_classes_from_its_training_data(task: Task) -> None:
    learner = Learner(task, preset(), seed=1, train=films(32, seed=1))  # one film in four has the finding
    rare, common = (float(learner.loss(torch.zeros(1), torch.full((1,), label))) for label in (1.0, 0.0))

    assert rare == pytest.approx(3 * common, rel=1e-6)


def augmented(seed: int, grey: torch.Tensor) -> torch.Tensor:
    return RadiographAugmentation().build()(grey, torch.Generator().manual_seed(seed))


@pytest.fixture
def batch() -> torch.Tensor:
    """Six films of smooth grey levels that reach black and white."""
    small = torch.rand(6, 1, 4, 4, generator=torch.Generator().manual_seed(7))
    grey = torch.nn.functional.interpolate(small, size=(32, 32), mode="bilinear", align_corners=True)
    low, high = grey.amin(dim=(2, 3), keepdim=True), grey.amax(dim=(2, 3), keepdim=True)
    return (grey - low) / (high - low)


def test_augmentation_is_repeated_by_its_generator_and_by_no_other(batch: torch.Tensor) -> None:
    assert torch.equal(augmented(1, batch), augmented(1, batch))
    assert not torch.equal(augmented(1, batch), augmented(2, batch))


def test_augmentation_does_not_listen_to_the_global_generator(batch: torch.Tensor) -> None:
    torch.manual_seed(1)
    once = augmented(1, batch)
    torch.manual_seed(2)

    assert torch.equal(augmented(1, batch), once)


@pytest.mark.parametrize("seed", range(5))
def test_augmentation_keeps_shape_and_grey_scale_and_changes_every_film(seed: int, batch: torch.Tensor) -> None:
    before = batch.clone()

    found = augmented(seed, batch)

    assert found.shape == batch.shape
    assert float(found.min()) >= 0
    assert float(found.max()) <= 1
    assert bool(((found - batch).abs().mean(dim=(1, 2, 3)) > 0.005).all())
    assert torch.equal(batch, before)


def test_films_of_a_batch_are_changed_differently(batch: torch.Tensor) -> None:
    found = augmented(1, batch[:1].repeat(6, 1, 1, 1))

    assert all(not torch.equal(found[0], film) for film in found[1:])
